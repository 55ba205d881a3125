/* map.c: open addressing, linear probing, at most 3/4 full. See map.h. */
#include "base/map.h"
#include "base/alloc.h"
#include <pthread.h>
#include <sodium.h>

static uint64_t process_key[3];
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static void draw_key(void)
{
	randombytes_buf(process_key, sizeof process_key);
	for (size_t i = 0; i < COUNT(process_key); i++) process_key[i] |= 1;
}

static uint64_t word(const char *p, size_t n)
{
	uint64_t v = 0;
	memcpy(&v, p, n);
	return v;
}

/* Two words into one: the halves of their product. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hash_bytes(const void *bytes, size_t n)
{
	const char *p = bytes;
	pthread_once(&key_once, draw_key);
	uint64_t h = process_key[0] ^ n, a = 0, b = 0;
	for (; n > 16; p += 16, n -= 16) h = fold(word(p, 8) ^ process_key[1], word(p + 8, 8) ^ h);
	/* What is left, in two words that may overlap; with the length it is told apart. */
	if (n >= 8) a = word(p, 8), b = word(p + n - 8, 8);
	else if (n >= 4) a = word(p, 4), b = word(p + n - 4, 4);
	else if (n) a = (uint64_t)(uint8_t)p[0] << 16 | (uint64_t)(uint8_t)p[n / 2] << 8 | (uint8_t)p[n - 1];
	h = fold(a ^ process_key[1], b ^ h);
	return fold(h ^ process_key[2], process_key[0]);
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
