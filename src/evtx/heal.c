/* heal.c: records that were damaged where they stood, from whole copies of them in free space. Windows writes the buffer of a chunk out without clearing it, so behind the
 * records of a chunk lie copies of those of the chunk before, each at its own place. See decision 0212. */
#include "evtx/reader_internal.h"

enum { GAPS_MAX = 4096, ODD_MAX = 4096, FOUND_MAX = 4096, COMPARED_MAX = 20000 /* blocks that are read to see that a record is told nowhere else */ };

static void note_gap(struct reader *r, uint64_t chunk, uint64_t before, uint64_t next, uint32_t from, uint32_t to)
{
	if (to < from + EVTX_RECORD_MIN || next <= before || next - before < 2 || next - before > EVTX_PLACES_MAX || r->gaps_lost.n >= GAPS_MAX) return;
	vec_push(&r->gaps_lost, (struct lost_ids){chunk, before + 1, next - 1, from, to});
}

void heal_note(struct reader_cursor *c)
{
	struct reader *r = c->r;
	const uint8_t *p = c->chunk.p;
	struct span named = {c->offset, 0, 0, c->chunk.n};
	if (r->options->carve || r->image || all_zero(p, c->chunk.n)) return;
	bool known = c->chunk.n >= EVTX_CHUNK_HEADER && span_in_head(p, &named), odd = !known || !c->sure || c->recovered;
	odd |= c->n_places && (le64_at(p + c->places[0].at + 8) != named.low || le64_at(p + c->places[c->n_places - 1].at + 8) != named.high);
	if (!odd) return;
	pthread_mutex_lock(&r->lock);
	if (r->odd.n < ODD_MAX) vec_push(&r->odd, named);
	else r->odd_overflow = true;
	uint64_t before = named.low - 1;
	uint32_t from = EVTX_CHUNK_HEADER;
	bool has_before = known;
	for (uint32_t i = 0; i < c->n_places; i++) {
		const struct record_place *place = &c->places[i];
		uint64_t id = le64_at(p + place->at + 8);
		if (known && (id < named.low || id > named.high)) continue; /* of elsewhere, over what stood here */
		if (has_before) note_gap(r, c->offset, before, id, from, place->at);
		before = id;
		from = place->at + place->size;
		has_before = true;
	}
	if (known) note_gap(r, c->offset, before, named.high + 1, from, EVTX_CHUNK);
	pthread_mutex_unlock(&r->lock);
}

static int by_low(const void *a, const void *b)
{
	const struct lost_ids *x = a, *y = b;
	if (x->low != y->low) return x->low < y->low ? -1 : 1;
	return (x->chunk > y->chunk) - (x->chunk < y->chunk);
}

/* Whether a record of this id, at this place of a chunk, was lost in another. */
static bool is_lost(const struct reader *r, uint64_t id, uint64_t chunk, uint32_t at, uint32_t size)
{
	size_t low = 0, high = r->gaps_lost.n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (r->gaps_lost.v[middle].low <= id) low = middle + 1;
		else high = middle;
	}
	for (size_t i = low, tries = 0; i-- && tries < 8; tries++) {
		const struct lost_ids *g = &r->gaps_lost.v[i];
		if (id <= g->high && g->chunk != chunk && at >= g->from && at + size <= g->to) return true;
	}
	return false;
}

/* Copies of lost records behind the end of a chunk's records, as the cursor's places. Returns how many. */
static uint32_t look_behind(struct reader_cursor *c, uint32_t free)
{
	const uint8_t *p = c->other.p;
	uint32_t n = 0, size;
	for (uint32_t at = free; (at = seek_record(p, at, EVTX_CHUNK)) < EVTX_CHUNK; at += size) {
		size = le32_at(p + at + 4);
		if (size % 8 || memcmp(p + at + EVTX_RECORD_HEAD, "\x0f\1\1", 3)) size = 1;
		else if (n < EVTX_PLACES_MAX && is_lost(c->r, le64_at(p + at + 8), c->other.offset, at, size)) c->places[n++] = (struct record_place){at, size, false, false};
	}
	return n;
}

static bool found_before(const struct reader_cursor *c, uint64_t id)
{
	for (size_t i = 0; i < c->healed.n; i++)
		if (c->healed.v[i] == id) return true;
	return false;
}

/* Those of the cursor's places in the chunk that are told nowhere are put with what waits. `*left`: blocks that may still be compared. */
static void keep_untold(struct reader_cursor *c, uint32_t n, uint32_t *left)
{
	struct reader *r = c->r;
	const uint8_t *p = c->other.p;
	uint64_t *ids = xmalloc(n * sizeof *ids), chunk = c->other.offset;
	uint32_t n_ids = ids_of(p, c->places, n, ids);
	struct copies *copies = copies_new(p, c->places, n);
	for (int pass = 0; pass < 2; pass++) {
		const struct spans *s = &r->spans;
		size_t count = pass ? r->odd.n : s->v.n;
		for (size_t i = 0; i < count && *left; i++) {
			const struct span *block = pass ? &r->odd.v[i] : &s->v.v[i];
			if (!pass && !span_has_id(block, ids, n_ids)) continue;
			--*left;
			if (reader_load(r, block->offset, c->block, &c->chunk)) copies_compare(copies, c->chunk.p, block->n < c->chunk.n ? block->n : c->chunk.n);
		}
	}
	free(ids);
	for (uint32_t i = 0; i < n && *left; i++) {
		const struct record_place *place = &c->places[i];
		uint64_t id = le64_at(p + place->at + 8);
		if (copies_has(copies, i) || found_before(c, id) || c->healed.n >= FOUND_MAX || c->deferred.n >= DEFERRED_MAX) continue;
		vec_push(&c->healed, id);
		vec_push(&c->deferred, (struct deferred){chunk, place->at, place->size, false});
		c->local.slack -= place->size; /* as which it was counted */
	}
	free(copies);
}

void heal_find(struct reader_cursor *c)
{
	struct reader *r = c->r;
	uint8_t head[56];
	uint32_t left = COMPARED_MAX;
	if (!r->gaps_lost.n || r->odd_overflow) return;
	qsort(r->gaps_lost.v, r->gaps_lost.n, sizeof *r->gaps_lost.v, by_low);
	if (!c->other_block) c->other_block = xcalloc(1, BLOCK + EVTX_PAD);
	for (uint64_t at = r->gaps_lost.v[0].chunk % EVTX_CHUNK; at + EVTX_CHUNK <= r->in->size && left; at += EVTX_CHUNK) {
		struct span named = {at, 0, 0, EVTX_CHUNK};
		if (input_pread(r->in, head, sizeof head, at, NULL) != sizeof head || !span_in_head(head, &named)) continue;
		uint32_t free = le32_at(head + 48);
		if (free < EVTX_CHUNK_HEADER || free > EVTX_CHUNK - EVTX_RECORD_MIN || !reader_load(r, at, c->other_block, &c->other)) continue;
		uint32_t n = look_behind(c, free);
		if (n && chunk_is_certain(&c->other, &named)) keep_untold(c, n, &left);
	}
}
