/* stray.c: records that stand where they do not belong, as pages of a file that changed places, or were written over others, leave them: in free space, in a damaged chunk whose header does not
 * name them, between two chunks. Whether they are told is known at the end: when no other place has them. Decision 0217. */
#include "evtx/reader_internal.h"

enum { STRAYS_MAX = 65536, SAME_ID_MAX = 64 /* that are compared: more are made on purpose */ };

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

/* Which ids belong into the block by its header: those that it names and, as in a log that was not closed, those that go on behind them. False: there is none, or it is of an earlier use of the
 * chunk, and newer records begin behind it. */
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
	struct span own = {c->offset, 0, 0, c->chunk.n}, met = {c->offset, UINT64_MAX, 0, c->chunk.n};
	bool belongs = c->sure ? span_in_head(p, &own) : belonging(c, &own), sound = c->sure && belongs && c->chunk.n <= EVTX_CHUNK;
	uint32_t kept = sound ? c->n_places : 0;
	pthread_mutex_lock(&r->lock);
	for (uint32_t i = kept; i < c->n_places; i++) {
		struct stray s = {.chunk = c->offset, .id = le64_at(p + c->places[i].at + 8), .at = c->places[i].at, .size = c->places[i].size, .foreign = true};
		if ((c->sure ? c->places[i].loose : belongs && (s.id < own.low || s.id > own.high)) && add(r, &s)) continue;
		c->places[kept++] = c->places[i];
		met.low = s.id < met.low ? s.id : met.low;
		met.high = s.id > met.high ? s.id : met.high;
	}
	c->n_places = kept;
	if (kept && !belongs) vec_push(&r->misnamed, met);
	uint64_t *lowest = belongs ? &r->lowest_named : &r->lowest_met, low = belongs ? own.low : met.low;
	if (low < *lowest) *lowest = low;
	r->unsure |= !c->sure && (belongs || kept);
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

static void tell(struct reader *r, const struct stray *s) { vec_push(&r->deferred, (struct deferred){s->chunk, s->at, s->size, false}); }

/* Of the n strays, by content, those that are compared; what becomes of the others is settled. */
static size_t few_of_an_id(struct reader *r, struct stray *s, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
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
	const uint8_t *p = block->p;
	uint32_t n_block = own->n < block->n ? own->n : block->n, end = records_end(p, n_block, chunk_holds(p, n_block));
	for (uint32_t at = 0, size; (at = seek_record(p, at, n_block)) < end; at += size) {
		uint64_t id = le64_at(p + at + 8);
		size = le32_at(p + at + 4);
		size_t from = id < own->low || id > own->high ? n : first_from(s, n, id), to = from;
		bool stray = false;
		for (; to < n && s[to].id == id; to++) stray |= s[to].chunk + s[to].at == own->offset + at;
		if (from < to && !stray) compare(s, from, to, p + at, size);
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
	size_t n = 0, kept = 0;
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
		struct stray *s = &all[i];
		s->told |= kept && all[kept - 1].id == s->id && all[kept - 1].hash == s->hash;
		if (s->told && s->foreign && (!r->n_copies++ || s->chunk + s->at < r->first_copy)) r->first_copy = s->chunk + s->at;
		if (s->told) left(&r->report, s);
		else all[kept++] = *s;
	}
	for (size_t i = 0; i < kept; i++) tell(r, &all[i]);
	if (r->unsure && r->more_strays)
		report_note(&r->report, 0, "%llu records in free space, or where they do not belong, were not compared with those of other places", (unsigned long long)r->more_strays);
	r->strays.n = 0;
	c->other.p = NULL;
}

void stray_free(struct reader *r)
{
	vec_free(&r->strays);
	vec_free(&r->misnamed);
}
