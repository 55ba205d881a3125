/* copies.c: records that stand in a log twice, byte for byte. Windows writes the buffer of a chunk out without clearing it, so behind the records of a chunk lie copies
 * of those of the one before; where headers are lost they cannot be told from others by their place. Chunks that were written twice are another case. The first place
 * in the file counts. See decision 0200. */
#include "evtx/evtx_internal.h"

enum { SLOTS = 2 * EVTX_PLACES_MAX, PROBES = 64 /* records of one slot that are compared: more are made on purpose, and told twice at worst */ };
struct copies {
	const uint8_t *p;
	const struct record_place *places;
	bool copy[EVTX_PLACES_MAX];
	uint16_t slots[SLOTS];           /* index of a place by what it says, plus one; 0 = free */
};

static bool overlap(const struct span *a, const struct span *b) { return a->low <= b->high && a->high >= b->low; }

bool spans_add(struct spans *s, struct span span)
{
	bool overlaps = false;
	if (span.low > span.high) return false; /* no records */
	if (s->v.n && span.low <= s->high && span.high >= s->low)
		for (size_t i = s->v.n; i-- && !overlaps && s->v.n - i <= SPANS_BACK;) overlaps = overlap(&span, &s->v.v[i]);
	s->low = s->v.n && s->low < span.low ? s->low : span.low;
	s->high = s->v.n && s->high > span.high ? s->high : span.high;
	vec_push(&s->v, span);
	return overlaps;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

uint32_t places_ids(const uint8_t *p, const struct record_place *places, uint32_t n, uint64_t *ret)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < n; i++)
		if (!places[i].carved) ret[kept++] = le64_at(p + places[i].at + 8);
	if (kept) qsort(ret, kept, sizeof *ret, by_number);
	return kept;
}

/* Whether one of the ids, in order, lies in the span. */
static bool has_id(const struct span *s, const uint64_t *ids, uint32_t n)
{
	uint32_t low = 0, high = n;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (ids[middle] < s->low) low = middle + 1;
		else high = middle;
	}
	return low < n && ids[low] <= s->high;
}

uint32_t spans_before(const struct spans *s, uint64_t offset, const uint64_t *ids, uint32_t n_ids, bool nearest, struct span ret[SPANS_LOOKED_AT])
{
	uint32_t n = 0;
	for (size_t i = s->v.n, seen = 0; i-- && n < SPANS_LOOKED_AT && seen < SPANS_BACK;) {
		if (s->v.v[i].offset >= offset) continue;
		seen++;
		if (nearest || has_id(&s->v.v[i], ids, n_ids)) ret[n++] = s->v.v[i];
		nearest = false;
	}
	return n;
}

bool span_in_head(const uint8_t head[SPAN_HEAD], struct span *s)
{
	uint64_t low = le64_at(head + 24), high = le64_at(head + 32);
	if (memcmp(head, "ElfChnk", 8) || high < low || high - low >= EVTX_PLACES_MAX) return false;
	s->low = low;
	s->high = high;
	return true;
}

struct span span_of(const uint8_t *p, uint32_t n, uint64_t offset)
{
	struct span s = {offset, UINT64_MAX, 0, n};
	if (n >= EVTX_CHUNK_HEADER && span_in_head(p, &s)) return s;
	for (uint32_t at = 0; (at = seek_record(p, at, n)) < n; at += le32_at(p + at + 4)) {
		uint64_t id = le64_at(p + at + 8);
		if (id < s.low) s.low = id;
		if (id > s.high) s.high = id;
	}
	return s;
}

static bool same(const struct copies *c, const struct record_place *place, const uint8_t *p, uint32_t size)
{
	return place->size == size && !memcmp(c->p + place->at, p, size);
}

static bool belongs(const struct span *s, uint64_t id) { return id >= s->low && id <= s->high; }

/* By all bytes of a record, not by its id alone: a hostile log may give all the same. */
static uint32_t slot_of(const uint8_t *p, uint32_t size) { return (crc32_of(0, p, size) * 0x9e3779b1u >> 8) % SLOTS; }

struct copies *copies_new(const uint8_t *p, const struct record_place *places, uint32_t n)
{
	struct copies *c = xcalloc(1, sizeof *c);
	c->p = p;
	c->places = places;
	for (uint32_t i = 0; i < n; i++) {
		if (places[i].carved) continue;
		uint32_t at = slot_of(p + places[i].at, places[i].size), probes = 0;
		for (; c->slots[at] && !c->copy[i] && probes < PROBES; at = (at + 1) % SLOTS, probes++) c->copy[i] = same(c, &places[c->slots[at] - 1], p + places[i].at, places[i].size);
		if (!c->copy[i] && !c->slots[at]) c->slots[at] = (uint16_t)(i + 1);
	}
	return c;
}

void copies_compare(struct copies *c, const uint8_t *p, uint32_t n)
{
	struct told t = told_in(p, n);
	/* What a damaged chunk's header does not name is told of another place, if that has it: stray.c. */
	struct span named;
	bool only_named = !t.holds && n >= EVTX_CHUNK_HEADER && span_in_head(p, &named);
	while (told_next(&t)) {
		if (only_named && !belongs(&named, le64_at(p + t.at + 8))) continue;
		for (uint32_t s = slot_of(p + t.at, t.size), probes = 0; c->slots[s] && probes < PROBES; s = (s + 1) % SLOTS, probes++)
			if (same(c, &c->places[c->slots[s] - 1], p + t.at, t.size)) c->copy[c->slots[s] - 1] = true;
	}
}

bool copies_has(const struct copies *c, uint32_t place) { return c->copy[place]; }
