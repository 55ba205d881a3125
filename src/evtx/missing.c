/* missing.c: records that a chunk's header names and that were met nowhere among the live ones: where pages of a file changed places they stand in what is free space now.
 * Decision 0217. */
#include "evtx/reader_internal.h"

enum { RUNS_MAX = 65536, STALE_MAX = 65536 };

static int by_low(const void *a, const void *b)
{
	const struct id_run *x = a, *y = b;
	return (x->low > y->low) - (x->low < y->low);
}

/* In order, apart from each other. */
static void runs_order(struct id_runs *s)
{
	size_t kept = 0;
	if (s->v.n) qsort(s->v.v, s->v.n, sizeof *s->v.v, by_low);
	for (size_t i = 0; i < s->v.n; i++) {
		struct id_run *last = kept ? &s->v.v[kept - 1] : NULL, run = s->v.v[i];
		if (last && run.low <= last->high + 1) last->high = run.high > last->high ? run.high : last->high;
		else s->v.v[kept++] = run;
	}
	s->v.n = kept;
}

static void runs_add(struct id_runs *s, uint64_t low, uint64_t high)
{
	struct id_run *last = s->v.n ? &s->v.v[s->v.n - 1] : NULL;
	if (last && low >= last->low && low <= last->high + 1) {
		if (high > last->high) last->high = high;
		return;
	}
	if (s->v.n == RUNS_MAX) runs_order(s);
	if (s->v.n > RUNS_MAX / 4 * 3) s->full = true;
	if (!s->full) vec_push(&s->v, (struct id_run){low, high});
}

static bool runs_have(const struct id_runs *s, uint64_t id)
{
	size_t low = 0, high = s->v.n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s->v.v[middle].high < id) low = middle + 1;
		else high = middle;
	}
	return low < s->v.n && s->v.v[low].low <= id;
}

static void left(struct source_report *report, uint64_t offset, uint32_t size, const char *why)
{
	if (why) report_damage(report, offset, size, why);
	else report_slack(report, offset, size);
}

void missing_stale(struct reader_cursor *c, uint32_t at, uint32_t size, const char *why)
{
	struct reader *r = c->r;
	pthread_mutex_lock(&r->lock);
	bool room = r->stale.n < STALE_MAX;
	if (room) vec_push(&r->stale, (struct stale){c->offset, le64_at(c->chunk.p + at + 8), 0, at, size, why});
	else r->more_stale++;
	pthread_mutex_unlock(&r->lock);
	if (!room) left(&c->local, c->offset + at, size, why);
}

void missing_block(struct reader_cursor *c)
{
	struct reader *r = c->r;
	const uint8_t *p = c->chunk.p;
	struct span named = {c->offset, 0, 0, c->chunk.n};
	bool has_head = c->chunk.n >= EVTX_CHUNK_HEADER && span_in_head(p, &named);
	pthread_mutex_lock(&r->lock);
	r->unsure |= !c->sure && (has_head || c->n_places);
	if (has_head) runs_add(c->sure ? &r->met : &r->named, named.low, named.high);
	for (uint32_t i = 0; !c->sure && i < c->n_places; i++) {
		uint64_t id = le64_at(p + c->places[i].at + 8);
		runs_add(&r->met, id, id);
	}
	/* Heads of chunks that do not stand where one begins. */
	for (uint32_t at = EVTX_CHUNK_HEADER; !c->sure && (at = seek_chunk(p, at, c->chunk.n)) < c->chunk.n; at++)
		if (span_in_head(p + at, &named)) runs_add(&r->named, named.low, named.high);
	pthread_mutex_unlock(&r->lock);
}

static int by_content(const void *a, const void *b)
{
	const struct stale *x = a, *y = b;
	if (x->id != y->id) return x->id < y->id ? -1 : 1;
	if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
	if (x->chunk != y->chunk) return x->chunk < y->chunk ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

void missing_begin(struct reader *r)
{
	uint8_t *record = xmalloc(EVTX_CHUNK);
	size_t kept = 0;
	/* What no header names, but lies between those of neighbours: a block without a header. */
	for (size_t i = 1; i < r->spans.v.n; i++) {
		const struct span *a = &r->spans.v.v[i - 1], *b = &r->spans.v.v[i];
		if (a->high < b->low && b->low - a->high - 1 <= EVTX_PLACES_MAX && b->low - a->high > 1) runs_add(&r->named, a->high + 1, b->low - 1);
	}
	bool look = r->unsure && !r->met.full;
	runs_order(&r->named);
	runs_order(&r->met);
	for (size_t i = 0; i < r->stale.n; i++) {
		struct stale s = r->stale.v[i];
		bool missing = look && runs_have(&r->named, s.id) && !runs_have(&r->met, s.id);
		missing = missing && input_pread(r->in, record, s.size, s.chunk + s.at, NULL) == s.size;
		if (missing) s.hash = hash_bytes(record, s.size);
		if (missing) r->stale.v[kept++] = s;
		else left(&r->report, s.chunk + s.at, s.size, s.why);
	}
	if (kept) qsort(r->stale.v, kept, sizeof *r->stale.v, by_content);
	for (size_t i = 0; i < kept; i++) {
		const struct stale *s = &r->stale.v[i], *before = i ? s - 1 : NULL;
		if (before && before->id == s->id && before->hash == s->hash) left(&r->report, s->chunk + s->at, s->size, s->why); /* a copy */
		else vec_push(&r->deferred, (struct deferred){s->chunk, s->at, s->size, false});
	}
	if (r->unsure && (r->more_stale || r->met.full || r->named.full))
		report_note(&r->report, 0, "not all records in free space were compared with those that are missing: --carve reads them");
	r->stale.n = 0;
	free(record);
}

void missing_free(struct reader *r)
{
	vec_free(&r->stale);
	vec_free(&r->met.v);
	vec_free(&r->named.v);
}
