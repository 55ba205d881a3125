/* stray.c: records that stand where they do not belong, as pages of a file that changed places, or were written over others, leave them: in free space, in a damaged chunk whose header does not
 * name them, between two chunks. Whether they are told is known at the end: when no other place has them. Decision 0217. */
#include "evtx/reader_internal.h"

enum { STRAYS_MAX = 1 << 18, SAME_ID_MAX = 64 /* that are compared: more are made on purpose */ };

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
	else r->more_strays++, r->foreign_overflow |= s->foreign;
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

/* What was met in the block, where that is not what its header names: for those that look for copies. */
static void note_met(struct reader_cursor *c, const struct span *named, bool has_head)
{
	struct span met = {c->offset, UINT64_MAX, 0, c->chunk.n};
	for (uint32_t i = 0; i < c->n_places; i++) {
		uint64_t id = le64_at(c->chunk.p + c->places[i].at + 8);
		met.low = id < met.low ? id : met.low;
		met.high = id > met.high ? id : met.high;
	}
	if (met.low > met.high || (has_head && met.low >= named->low && met.high <= named->high)) return;
	vec_push(&c->r->misnamed, met);
	if (!has_head && met.low < c->r->lowest_met) c->r->lowest_met = met.low;
}

void stray_block(struct reader_cursor *c)
{
	struct reader *r = c->r;
	const uint8_t *p = c->chunk.p;
	struct span named = {c->offset, 0, 0, c->chunk.n};
	bool has_head = c->chunk.n >= EVTX_CHUNK_HEADER && span_in_head(p, &named);
	/* A log without checksums is sound where nothing else is wrong. */
	bool sure = c->sure || (has_head && c->chunk.n == EVTX_CHUNK && le32_at(p + 120) & 4 && !c->recovered);
	uint32_t kept = 0, last = c->n_places ? c->n_places - 1 : 0;
	pthread_mutex_lock(&r->lock);
	if (sure && has_head && c->chunk.n <= EVTX_CHUNK && c->n_places && le64_at(p + c->places[0].at + 8) >= named.low && le64_at(p + c->places[last].at + 8) <= named.high) {
		kept = c->n_places;
	} else {
		for (uint32_t i = 0; i < c->n_places; i++) {
			struct stray s = {.chunk = c->offset, .id = le64_at(p + c->places[i].at + 8), .at = c->places[i].at, .size = c->places[i].size, .foreign = true};
			bool foreign = sure ? c->places[i].loose : has_head && (s.id < named.low || s.id > named.high);
			if (!foreign || !add(r, &s)) c->places[kept++] = c->places[i];
		}
		c->n_places = kept;
		note_met(c, &named, has_head);
	}
	if (has_head && (sure || kept) && named.low < r->lowest_named) r->lowest_named = named.low;
	r->unsure |= !sure && (has_head || kept);
	pthread_mutex_unlock(&r->lock);
}

/* --- at the end --- */

static int by_content(const void *a, const void *b)
{
	const struct stray *x = a, *y = b;
	if (x->id != y->id) return x->id < y->id ? -1 : 1;
	if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
	if (x->foreign != y->foreign) return x->foreign ? -1 : 1; /* it gives way to its own bytes only */
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

static void tell(struct reader *r, const struct stray *s) { vec_push(&r->deferred, (struct deferred){s->chunk, s->at, s->size, false}); }

static void is_copy(struct reader *r, const struct stray *s)
{
	if (s->foreign && (!r->n_copies++ || s->chunk + s->at < r->first_copy)) r->first_copy = s->chunk + s->at;
	left(&r->report, s);
}

/* Of the n strays, by content, those that are compared, one of the same bytes; what becomes of the others is settled. */
static size_t few_of_an_id(struct reader *r, struct stray *s, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (kept && s[kept - 1].id == s[i].id && s[kept - 1].hash == s[i].hash) {
			is_copy(r, &s[i]);
			continue;
		}
		bool many = kept >= SAME_ID_MAX && s[kept - SAME_ID_MAX].id == s[i].id;
		r->more_strays += many;
		if (!many) s[kept++] = s[i];
		else if (s[i].foreign) tell(r, &s[i]);
		else left(&r->report, &s[i]);
	}
	return kept;
}

/* Strays that a record is, which stands where it belongs: the same bytes; of free space also what it may have been before it was damaged: the same id, and the same time or size. */
static void compare(struct stray *s, size_t from, size_t to, const uint8_t *record, uint32_t size)
{
	uint64_t hash = hash_bytes(record, size), time = le64_at(record + 16);
	for (size_t i = from; i < to; i++) s[i].told |= s[i].foreign ? s[i].size == size && s[i].hash == hash : s[i].size == size || s[i].time == time;
}

/* The records of a block that belong there, by their ids. */
static void compare_block(struct stray *s, size_t n, const struct evtx_chunk *block, const struct span *own)
{
	struct told t = told_in(block->p, own->n < block->n ? own->n : block->n);
	while (told_next(&t)) {
		uint64_t id = le64_at(t.p + t.at + 8);
		size_t from = id < own->low || id > own->high ? n : first_from(s, n, id), to = from;
		bool stray = false;
		for (; to < n && s[to].id == id; to++) stray |= s[to].chunk + s[to].at == own->offset + t.at;
		if (from < to && !stray) compare(s, from, to, t.p + t.at, t.size);
	}
}

static void compare_file(struct reader_cursor *c, struct stray *s, size_t n)
{
	struct reader *r = c->r;
	for (size_t i = 0; i < r->spans.v.n + r->misnamed.n; i++) {
		const struct span *own = i < r->spans.v.n ? &r->spans.v.v[i] : &r->misnamed.v[i - r->spans.v.n];
		size_t first = first_from(s, n, own->low);
		if (first < n && s[first].id <= own->high && reader_load(r, own->offset, c->other_block, &c->other)) compare_block(s, n, &c->other, own);
	}
}

void stray_begin(struct reader_cursor *c)
{
	struct reader *r = c->r;
	struct stray *all = r->strays.v;
	size_t n = 0;
	/* What a log that turned over left in free space is older than all that it holds. */
	uint64_t lowest = r->lowest_named != UINT64_MAX ? r->lowest_named : r->lowest_met;
	if (!r->strays.n) return;
	if (!c->other_block) c->other_block = xcalloc(1, BLOCK + EVTX_PAD);
	for (size_t i = 0; i < r->strays.n; i++) {
		struct stray s = all[i];
		if (!s.foreign && (!r->unsure || s.id < lowest)) {
			left(&r->report, &s);
		} else if (input_pread(r->in, c->other_block, s.size, s.chunk + s.at, NULL) != s.size) {
			report_damage(&r->report, s.chunk + s.at, s.size, "the file changed while it was read");
		} else {
			s.hash = hash_bytes(c->other_block, s.size);
			s.time = le64_at(c->other_block + 16);
			all[n++] = s;
		}
	}
	if (n) qsort(all, n, sizeof *all, by_content);
	n = few_of_an_id(r, all, n);
	if (n) compare_file(c, all, n);
	for (size_t i = 0; i < n; i++) {
		if (all[i].told) is_copy(r, &all[i]);
		else tell(r, &all[i]);
	}
	if (r->more_strays && (r->unsure || r->foreign_overflow))
		report_note(&r->report, 0, "%llu records in free space, or where they do not belong, were not compared with those of other places", (unsigned long long)r->more_strays);
	r->strays.n = 0;
	c->other.p = NULL;
}

void stray_free(struct reader *r)
{
	vec_free(&r->strays);
	vec_free(&r->misnamed);
}
