/* copies.c: records that stand in a log twice, byte for byte. Windows writes the buffer of a chunk out without clearing it, so behind the records of a chunk lie copies
 * of those of the one before; where headers are lost they cannot be told from others by their place. Chunks that were written twice are another case. The first place
 * in the file counts. See decision 0200. */
#include "evtx/evtx_internal.h"

enum { SLOTS = 2 * EVTX_PLACES_MAX };
struct copies {
	const uint8_t *p;
	const struct record_place *places;
	bool copy[EVTX_PLACES_MAX];
	uint16_t slots[SLOTS];           /* index of a place by its id, plus one; 0 = free */
};

bool spans_add(struct spans *s, struct span span)
{
	bool overlaps = false;
	if (span.low > span.high) return false; /* no records */
	if (s->v.n && span.low <= s->high && span.high >= s->low)
		for (size_t i = s->v.n; i-- && !overlaps;) overlaps = span.low <= s->v.v[i].high && span.high >= s->v.v[i].low;
	s->low = s->v.n && s->low < span.low ? s->low : span.low;
	s->high = s->v.n && s->high > span.high ? s->high : span.high;
	vec_push(&s->v, span);
	return overlaps;
}

uint32_t spans_before(const struct spans *s, struct span span, struct span ret[SPANS_LOOKED_AT])
{
	uint32_t n = 0;
	for (size_t i = s->v.n; i-- && n < SPANS_LOOKED_AT;)
		if (s->v.v[i].offset < span.offset && span.low <= s->v.v[i].high && span.high >= s->v.v[i].low) ret[n++] = s->v.v[i];
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

static uint32_t slot_of(uint64_t id) { return (uint32_t)(id * 0x9e3779b97f4a7c15u >> 40) % SLOTS; }

struct copies *copies_new(const uint8_t *p, const struct record_place *places, uint32_t n)
{
	struct copies *c = xcalloc(1, sizeof *c);
	c->p = p;
	c->places = places;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = slot_of(le64_at(p + places[i].at + 8));
		if (places[i].carved) continue;
		for (; c->slots[at] && !c->copy[i]; at = (at + 1) % SLOTS) c->copy[i] = same(c, &places[c->slots[at] - 1], p + places[i].at, places[i].size);
		if (!c->copy[i]) c->slots[at] = (uint16_t)(i + 1);
	}
	return c;
}

void copies_compare(struct copies *c, const uint8_t *p, uint32_t n)
{
	bool has_header = n >= EVTX_CHUNK_HEADER && !memcmp(p, "ElfChnk", 8);
	uint32_t at = has_header ? EVTX_CHUNK_HEADER : 0, free = has_header ? le32_at(p + 48) : 0;
	/* What is certainly read as records there. */
	uint32_t limit = n > EVTX_CHUNK && has_header ? 0 : free >= EVTX_CHUNK_HEADER && free <= n ? free : n;
	for (;;) {
		uint32_t size = at < n ? record_size(p + at, n - at) : 0;
		if (!size) {
			at = at < limit ? seek_record(p, at + 1, n) : n;
			if (at >= limit) return;
			continue;
		}
		for (uint32_t s = slot_of(le64_at(p + at + 8)); c->slots[s]; s = (s + 1) % SLOTS)
			if (same(c, &c->places[c->slots[s] - 1], p + at, size)) c->copy[c->slots[s] - 1] = true;
		at += size;
	}
}

bool copies_has(const struct copies *c, uint32_t place) { return c->copy[place]; }
