/* stray.c: records that stand where they do not belong: in free space, or in a damaged chunk whose header does not name them, as pages of a file that changed places, or were written over
 * others, leave them. Whether they are told is known at the end: when no other place has them. Decision 0217. */
#include "evtx/reader_internal.h"

enum { RUNS_MAX = 65536, STRAYS_MAX = 65536 };

/* --- runs of ids --- */

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

/* --- as blocks pass --- */

static void left(struct source_report *report, const struct stray *s)
{
	if (s->why) report_damage(report, s->chunk + s->at, s->size, s->why);
	else report_slack(report, s->chunk + s->at, s->size);
}

/* Under the lock. False: no room. */
static bool add(struct reader *r, const struct stray *s)
{
	bool room = r->strays.n < STRAYS_MAX;
	if (room) vec_push(&r->strays, *s);
	else r->more_strays++;
	return room;
}

void stray_in_slack(struct reader_cursor *c, uint32_t at, uint32_t size, const char *why)
{
	struct stray s = {.chunk = c->offset, .id = le64_at(c->chunk.p + at + 8), .at = at, .size = size, .why = why};
	pthread_mutex_lock(&c->r->lock);
	bool room = add(c->r, &s);
	pthread_mutex_unlock(&c->r->lock);
	if (!room) left(&c->local, &s);
}

/* Which ids belong into the block by its header: those that it names and, as in a log that was not closed, those that go on behind them. False: there is none, or it is of an earlier use of the chunk, and newer
 * records begin behind it. */
static bool belonging(const struct reader_cursor *c, struct span *ret)
{
	const uint8_t *p = c->chunk.p;
	const struct record_place *before = NULL;
	if (c->chunk.n < EVTX_CHUNK_HEADER || !span_in_head(p, ret)) return false;
	for (uint32_t i = 0; i < c->n_places; before = &c->places[i++]) {
		const struct record_place *place = &c->places[i];
		uint64_t id = le64_at(p + place->at + 8);
		if (place->at == EVTX_CHUNK_HEADER && (id < ret->low || id > ret->high)) return false;
		if (id == ret->high + 1 && before && before->at + before->size == place->at) ret->high = id;
	}
	return true;
}

void stray_block(struct reader_cursor *c)
{
	struct reader *r = c->r;
	const uint8_t *p = c->chunk.p;
	struct span named, own = {c->offset, 0, UINT64_MAX, c->chunk.n};
	bool has_head = c->chunk.n >= EVTX_CHUNK_HEADER && span_in_head(p, &named), belongs = !c->sure && belonging(c, &own);
	struct span met = {c->offset, UINT64_MAX, 0, c->chunk.n};
	uint32_t kept = 0;
	pthread_mutex_lock(&r->lock);
	if (has_head) runs_add(c->sure ? &r->met : &r->named, named.low, named.high);
	for (uint32_t i = 0; i < c->n_places; i++) {
		struct stray s = {.chunk = c->offset, .id = le64_at(p + c->places[i].at + 8), .at = c->places[i].at, .size = c->places[i].size, .foreign = true};
		bool foreign = c->sure ? c->places[i].loose : belongs && (s.id < own.low || s.id > own.high);
		if (foreign && add(r, &s)) continue;
		c->places[kept++] = c->places[i];
		if (c->sure && !c->places[i].loose) continue;
		runs_add(&r->met, s.id, s.id);
		met.low = s.id < met.low ? s.id : met.low;
		met.high = s.id > met.high ? s.id : met.high;
	}
	c->n_places = kept;
	if (has_head && !c->sure && !belongs && kept) vec_push(&r->misnamed, met);
	/* Without a header the records themselves name what lies between them. */
	if (!has_head && kept && met.high - met.low < EVTX_PLACES_MAX) runs_add(&r->named, met.low, met.high);
	r->unsure |= !c->sure && (has_head || c->n_places);
	/* Heads of chunks that do not stand where one begins. */
	for (uint32_t at = EVTX_CHUNK_HEADER; !c->sure && (at = seek_chunk(p, at, c->chunk.n)) < c->chunk.n; at++)
		if (span_in_head(p + at, &named)) runs_add(&r->named, named.low, named.high);
	pthread_mutex_unlock(&r->lock);
}

/* --- at the end --- */

static int by_content(const void *a, const void *b)
{
	const struct stray *x = a, *y = b;
	if (x->id != y->id) return x->id < y->id ? -1 : 1;
	if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
	if (x->chunk != y->chunk) return x->chunk < y->chunk ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

/* The first of the n strays, by content, whose id is not below. */
static size_t first_from(const struct stray *s, size_t n, uint64_t id)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s[middle].id < id) low = middle + 1;
		else high = middle;
	}
	return low;
}

/* Which of the strays stand, byte for byte, among the records of a block that belong there. */
static void find_copies(struct stray *s, size_t n, const struct evtx_chunk *block, const struct span *own)
{
	const uint8_t *p = block->p;
	bool has_head = block->n >= EVTX_CHUNK_HEADER && !memcmp(p, "ElfChnk", 8);
	uint32_t end = own->n < block->n ? own->n : block->n, free = has_head ? le32_at(p + 48) : end;
	if (free >= EVTX_CHUNK_HEADER && free < end) end = free;
	for (uint32_t at = 0, size; (at = seek_record(p, at, end)) < end; at += size) {
		uint64_t id = le64_at(p + at + 8);
		size = le32_at(p + at + 4);
		size_t from = id < own->low || id > own->high ? n : first_from(s, n, id), to = from;
		bool stray = false;
		for (; to < n && s[to].id == id; to++) stray |= s[to].chunk + s[to].at == own->offset + at;
		uint64_t hash = from < to && !stray ? hash_bytes(p + at, size) : 0;
		for (size_t i = from; i < to && !stray; i++) s[i].copy |= s[i].size == size && s[i].hash == hash;
	}
}

void stray_begin(struct reader_cursor *c)
{
	struct reader *r = c->r;
	size_t n = 0, kept = 0;
	if (!r->strays.n) return;
	/* What no header names, but lies between those of neighbours: a block without a header. */
	for (size_t i = 1; i < r->spans.v.n; i++) {
		const struct span *a = &r->spans.v.v[i - 1], *b = &r->spans.v.v[i];
		if (a->high < b->low && b->low - a->high > 1 && b->low - a->high <= EVTX_PLACES_MAX) runs_add(&r->named, a->high + 1, b->low - 1);
	}
	runs_order(&r->named);
	runs_order(&r->met);
	if (!c->other_block) c->other_block = xcalloc(1, BLOCK + EVTX_PAD);
	for (size_t i = 0; i < r->strays.n; i++) {
		struct stray s = r->strays.v[i];
		bool missing = r->unsure && !r->met.full && runs_have(&r->named, s.id) && !runs_have(&r->met, s.id);
		if ((s.foreign || missing) && input_pread(r->in, c->other_block, s.size, s.chunk + s.at, NULL) == s.size) {
			s.hash = hash_bytes(c->other_block, s.size);
			r->strays.v[n++] = s;
		} else if (s.foreign) {
			report_damage(&r->report, s.chunk + s.at, s.size, "the file changed while it was read");
		} else {
			left(&r->report, &s);
		}
	}
	struct stray *all = r->strays.v;
	if (n) qsort(all, n, sizeof *all, by_content);
	for (size_t i = 0; i < r->spans.v.n + r->misnamed.n; i++) {
		const struct span *own = i < r->spans.v.n ? &r->spans.v.v[i] : &r->misnamed.v[i - r->spans.v.n];
		size_t first = first_from(all, n, own->low);
		if (first < n && all[first].id <= own->high && reader_load(r, own->offset, c->other_block, &c->other)) find_copies(all, n, &c->other, own);
	}
	for (size_t i = 0; i < n; i++) {
		bool copy = all[i].copy || (kept && all[kept - 1].id == all[i].id && all[kept - 1].hash == all[i].hash);
		if (copy && all[i].foreign && (!r->n_copies++ || all[i].chunk + all[i].at < r->first_copy)) r->first_copy = all[i].chunk + all[i].at;
		if (copy) left(&r->report, &all[i]);
		else all[kept++] = all[i];
	}
	for (size_t i = 0; i < kept; i++) vec_push(&r->deferred, (struct deferred){all[i].chunk, all[i].at, all[i].size, false});
	if (r->unsure && (r->more_strays || r->met.full || r->named.full))
		report_note(&r->report, 0, "not all records in free space were compared with those that are missing: --carve reads them");
	r->strays.n = 0;
	c->other.p = NULL;
}

void stray_free(struct reader *r)
{
	vec_free(&r->strays);
	vec_free(&r->misnamed);
	vec_free(&r->met.v);
	vec_free(&r->named.v);
}
