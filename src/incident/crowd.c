/* crowd.c: how many clients ask for a path, about. See incident_internal.h.
 *
 * A path that many clients use is no web shell, and its rows need not be kept. Two tables of slots without keys: a path has
 * one slot in each, the fuller view of "few" wins (as in a count-min sketch). A slot holds up to CROWD_FEW hashes of clients.
 * Adding is a union of sets, so that the result does not depend on how events were spread over workers. The hash has no secret
 * key, for the same reason; who makes paths collide on purpose, from many addresses, can hide a page outside Exchange's own
 * folders from the judgement by behaviour, nothing else. */
#include "incident/incident_internal.h"

enum { SLOTS = 1 << 16, MANY = CROWD_FEW + 1 };
struct slot { uint32_t client[CROWD_FEW]; uint8_t n; };
struct crowd { struct slot table[2][SLOTS]; };

static uint64_t mix(struct str s, uint64_t h)
{
	for (size_t i = 0; i < s.n; i++) h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93;
	return h ^ h >> 32;
}

struct crowd *crowd_new(void) { return xcalloc(1, sizeof(struct crowd)); }
void crowd_free(struct crowd *s) { free(s); }

static void slot_add(struct slot *t, uint32_t client)
{
	if (t->n == MANY) return;
	for (unsigned i = 0; i < t->n; i++)
		if (t->client[i] == client) return;
	if (t->n < CROWD_FEW) t->client[t->n] = client;
	t->n++;
}

bool crowd_add(struct crowd *s, struct str path, struct str client)
{
	uint64_t h = mix(path, 0xcbf29ce484222325);
	uint32_t c = (uint32_t)mix(client, 0x9e3779b97f4a7c15);
	struct slot *a = &s->table[0][h % SLOTS], *b = &s->table[1][(h >> 32) % SLOTS];
	slot_add(a, c);
	slot_add(b, c);
	return a->n < MANY || b->n < MANY;
}

bool crowd_few(const struct crowd *s, struct str path)
{
	uint64_t h = mix(path, 0xcbf29ce484222325);
	return s->table[0][h % SLOTS].n < MANY || s->table[1][(h >> 32) % SLOTS].n < MANY;
}

void crowd_merge(struct crowd *to, const struct crowd *from)
{
	for (unsigned t = 0; t < 2; t++)
		for (unsigned i = 0; i < SLOTS; i++) {
			const struct slot *f = &from->table[t][i];
			struct slot *e = &to->table[t][i];
			for (unsigned k = 0; k < f->n && k < CROWD_FEW; k++) slot_add(e, f->client[k]);
			if (f->n == MANY) e->n = MANY;
		}
}
