/* map.c: open addressing, linear probing, at most 3/4 full. See map.h. */
#include "base/map.h"
#include "base/alloc.h"
#include <pthread.h>
#include <sodium.h>

static unsigned char process_key[crypto_shorthash_KEYBYTES];
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static void draw_key(void) { randombytes_buf(process_key, sizeof process_key); }

uint64_t hash_bytes(const void *p, size_t n)
{
	uint64_t h;
	pthread_once(&key_once, draw_key);
	crypto_shorthash((unsigned char *)&h, p ? p : (const void *)"", n, process_key);
	return h;
}

void map_done(struct map *m)
{
	for (uint32_t i = 0; i < m->n; i++) free((char *)m->entries[i].key.p);
	free(m->entries);
	free(m->slots);
	*m = (struct map){0};
}

/* The slot that holds key, or the free slot where it belongs. */
static uint32_t slot_of(const struct map *m, struct str key)
{
	uint32_t mask = m->n_slots - 1, at = (uint32_t)hash_bytes(key.p, key.n) & mask;
	while (m->slots[at] && !str_eq(m->entries[m->slots[at] - 1].key, key)) at = (at + 1) & mask;
	return at;
}

uint32_t *map_get(const struct map *m, struct str key)
{
	if (!m->n) return NULL;
	uint32_t at = m->slots[slot_of(m, key)];
	return at ? &m->entries[at - 1].value : NULL;
}

static void rehash(struct map *m)
{
	free(m->slots);
	m->n_slots = m->n_slots ? m->n_slots * 2 : 16;
	m->slots = xcalloc(m->n_slots, sizeof *m->slots);
	for (uint32_t i = 0; i < m->n; i++) m->slots[slot_of(m, m->entries[i].key)] = i + 1;
}

uint32_t *map_put(struct map *m, struct str key, uint32_t initial, bool *ret_new)
{
	if ((m->n + 1) * 4ull > m->n_slots * 3ull) rehash(m);
	uint32_t at = slot_of(m, key);
	if (ret_new) *ret_new = !m->slots[at];
	if (m->slots[at]) return &m->entries[m->slots[at] - 1].value;
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->entries = xrealloc(m->entries, m->cap * sizeof *m->entries);
	}
	char *copy = xmalloc(key.n + 1);
	if (key.n) memcpy(copy, key.p, key.n);
	copy[key.n] = 0;
	m->entries[m->n] = (struct map_entry){{copy, key.n}, initial};
	m->slots[at] = ++m->n;
	m->bytes += key.n + 1 + sizeof *m->entries + 2 * sizeof *m->slots;
	return &m->entries[m->n - 1].value;
}
