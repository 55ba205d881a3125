/* memo.c: texts and what was found in them, by hash. See memo_internal.h. */
#include "match/memo_internal.h"
#include "base/alloc.h"
#include "text/utf.h"
#include <string.h>

struct memo {
	struct memo_entry slots[MEMO_SLOTS];
	uint32_t once[2 * MEMO_SLOTS]; /* by hash: the upper half of the hash of what came last */
	struct arena arena;
	bool full;
};

struct memo *memo_new(void)
{
	struct memo *m = xcalloc(1, sizeof *m);
	arena_init(&m->arena, MEMO_BYTES);
	return m;
}

void memo_free(struct memo *m)
{
	if (!m) return;
	arena_done(&m->arena);
	free(m);
}

void memo_event(struct memo *m)
{
	if (!m->full) return;
	memset(m->slots, 0, sizeof m->slots);
	arena_reset(&m->arena);
	m->full = false;
}

static inline uint64_t load_8(const char *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

/* Never 0. Two lanes, so that one multiplication need not wait for the other. */
static uint64_t hash_of(const struct scanner *scanner, struct str s)
{
	const uint64_t k = 0x9e3779b97f4a7c15, l = 0xd6e8feb86659fd93;
	uint64_t a = ((uintptr_t)scanner >> 4) * k ^ s.n, b = l, tail[2] = {0};
	for (size_t i = 0; i + 16 < s.n; i += 16) {
		a = (a ^ load_8(s.p + i)) * k;
		b = (b ^ load_8(s.p + i + 8)) * l;
		a ^= a >> 32;
		b ^= b >> 32;
	}
	/* The last sixteen bytes, though some of them may have gone in before; of shorter texts all. */
	if (s.n >= 16) tail[0] = load_8(s.p + s.n - 16), tail[1] = load_8(s.p + s.n - 8);
	else if (s.n >= 8) tail[0] = load_8(s.p), tail[1] = load_8(s.p + s.n - 8);
	else for (size_t i = 0; i < s.n; i++) tail[0] = tail[0] << 8 | (uint8_t)s.p[i];
	a = (a ^ tail[0]) * k;
	b = (b ^ tail[1]) * l;
	a ^= b ^ a >> 32 ^ b >> 29;
	a *= k;
	return (a ^ a >> 32) | 1ull << 63;
}

const struct memo_entry *memo_find(struct memo *m, const struct scanner *scanner, struct str text, uint64_t *ret_hash)
{
	*ret_hash = 0;
	if (!text.n || text.n > MEMO_LONGEST) return NULL;
	uint64_t hash = hash_of(scanner, text);
	const struct memo_entry *e = &m->slots[hash & (MEMO_SLOTS - 1)];
	if (e->hash == hash && e->scanner == scanner && e->n == text.n && memcmp(e->text, text.p, text.n) == 0) return e;
	uint32_t *once = &m->once[hash & (2 * MEMO_SLOTS - 1)];
	if (*once == hash >> 32) *ret_hash = hash;
	*once = (uint32_t)(hash >> 32);
	return NULL;
}

void memo_keep(struct memo *m, const struct scanner *scanner, struct str text, uint64_t hash, struct str folded, const uint32_t *found, uint32_t n_found)
{
	if (m->full || n_found > MEMO_MOST_FOUND) return;
	uint32_t *ids = arena_alloc(&m->arena, n_found * sizeof *ids);
	char *copy = arena_alloc(&m->arena, text.n), *fold = arena_alloc(&m->arena, folded.n + UTF_SLACK);
	if (!ids || !copy || !fold) {
		m->full = true;
		return;
	}
	if (n_found) memcpy(ids, found, n_found * sizeof *ids);
	memcpy(copy, text.p, text.n);
	memcpy(fold, folded.p, folded.n);
	memset(fold + folded.n, 0, UTF_SLACK);
	m->slots[hash & (MEMO_SLOTS - 1)] = (struct memo_entry){scanner, hash, copy, {fold, folded.n}, ids, (uint32_t)text.n, n_found};
}
