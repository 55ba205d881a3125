/* crowd.c: how many different things belong to a key, about: clients to a path, paths to a client. See incident_internal.h.
 *
 * A path that many clients use is no web shell, and its rows need not be kept. Two tables of slots without keys: a key has one slot in
 * each, the emptier one is nearer the truth (as in a count-min sketch). A slot holds up to `few` hashes of members. Adding is a union of
 * sets, so that the result does not depend on how events were spread over workers. The hash has no secret key, for the same reason; who
 * makes paths collide on purpose, from many addresses, can hide a page outside Exchange's own folders from the judgement by behaviour,
 * nothing else. */
#include "incident/incident_internal.h"

enum { SLOTS = 1 << 15 };
struct crowd {
	unsigned few;
	uint32_t *table[2];        /* [SLOTS][few + 1]: how many, and their hashes */
};

static uint64_t mix(struct str s, uint64_t h)
{
	while (s.n >= 8) {
		uint64_t word;
		memcpy(&word, s.p, 8);
		h = (h ^ word) * 0xd6e8feb86659fd93;
		h ^= h >> 29;
		s = str_sub(s, 8, SIZE_MAX);
	}
	for (size_t i = 0; i < s.n; i++) h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3;
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93;
	return h ^ h >> 32;
}

uint64_t crowd_hash(struct str s) { return mix(s, 0xcbf29ce484222325); }

struct crowd *crowd_new(unsigned few)
{
	struct crowd *s = xcalloc(1, sizeof *s);
	s->few = few;
	for (unsigned t = 0; t < 2; t++) s->table[t] = xcalloc((size_t)SLOTS * (few + 1), sizeof(uint32_t));
	return s;
}

void crowd_free(struct crowd *s)
{
	if (!s) return;
	free(s->table[0]);
	free(s->table[1]);
	free(s);
}

static uint32_t *slot_of(const struct crowd *s, unsigned t, uint64_t hash)
{
	return s->table[t] + (size_t)(t ? hash >> 32 : hash) % SLOTS * (s->few + 1);
}

static void slot_add(uint32_t *slot, unsigned few, uint32_t member)
{
	if (slot[0] > few) return;
	for (unsigned i = 0; i < slot[0]; i++)
		if (slot[1 + i] == member) return;
	if (slot[0] < few) slot[1 + slot[0]] = member;
	slot[0]++;
}

bool crowd_add(struct crowd *s, uint64_t key, uint64_t member)
{
	bool few = false;
	for (unsigned t = 0; t < 2; t++) {
		uint32_t *slot = slot_of(s, t, key);
		slot_add(slot, s->few, (uint32_t)(member >> 16));
		few |= slot[0] <= s->few;
	}
	return few;
}

unsigned crowd_count(const struct crowd *s, uint64_t key)
{
	uint32_t a = slot_of(s, 0, key)[0], b = slot_of(s, 1, key)[0];
	return a < b ? a : b;
}

void crowd_merge(struct crowd *to, const struct crowd *from)
{
	for (unsigned t = 0; t < 2; t++)
		for (size_t i = 0; i < SLOTS; i++) {
			const uint32_t *f = from->table[t] + i * (from->few + 1);
			uint32_t *e = to->table[t] + i * (to->few + 1);
			for (unsigned k = 0; k < f[0] && k < from->few; k++) slot_add(e, to->few, f[1 + k]);
			if (f[0] > from->few) e[0] = to->few + 1;
		}
}

void crowds_make(struct crowds *c)
{
	if (c->clients) return;
	c->clients = crowd_new(FEW_CLIENTS);
	c->paths = crowd_new(FEW_PATHS);
	c->refused = crowd_new(FEW_REFUSED);
}

void crowds_done(struct crowds *c)
{
	crowd_free(c->clients);
	crowd_free(c->paths);
	crowd_free(c->refused);
	*c = (struct crowds){0};
}

void crowds_merge(struct crowds *to, const struct crowds *from)
{
	if (!from->clients) return;
	crowds_make(to);
	crowd_merge(to->clients, from->clients);
	crowd_merge(to->paths, from->paths);
	crowd_merge(to->refused, from->refused);
}
