/* map: bytes -> uint32_t, in order of insertion.
 *
 * Open addressing over hash_bytes: keys come from attackers. Iteration is by insertion
 * order (index 0..n-1), so output never depends on the hash. Keys are copied. One thread at a time. */
#pragma once
#include "base/str.h"

struct map_entry {
	struct str key;
	uint32_t value;
};
struct map {
	struct map_entry *entries; /* [n], in order of insertion */
	uint32_t *slots;           /* entry index + 1, 0 = free */
	uint32_t n, cap, n_slots;
	size_t bytes;              /* memory held by keys and tables */
};

void map_done(struct map *m);
/* The value's place, or NULL. Valid until the next map_put. */
uint32_t *map_get(const struct map *m, struct str key);
/* The value's place, made with `initial` when the key is new (*ret_new, may be NULL, says so). */
uint32_t *map_put(struct map *m, struct str key, uint32_t initial, bool *ret_new);
/* For tables of one's own: 64 bits that depend on a secret drawn once per process, by products of 64-bit words (decision 0140). Who does not know the
 * secret cannot aim at a place; it is no message authentication: never let anybody see a hash. */
uint64_t hash_bytes(const void *p, size_t n);
