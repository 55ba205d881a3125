/* memo.c: texts and what was found in them, by hash. See memo_internal.h. */
#include "match/memo_internal.h"
#include "base/alloc.h"
#include "text/utf.h"
#include <string.h>

/* How it goes with the texts of one scanner: those that hardly ever come again are not looked for, but for some time now and then. */
enum { GAUGES = 256, GAUGE_ASKED = 1024, GAUGE_RESTS = 4096, GAUGE_FEW = GAUGE_ASKED / 16, ONCE = 4 * MEMO_SLOTS };
struct gauge { const void *scanner; uint16_t asked, found, rests; };

struct memo {
	struct gauge gauges[GAUGES];
	struct memo_entry slots[MEMO_SLOTS];
	uint32_t once[ONCE]; /* by hash: the upper half of the hash of what came last */
	uint64_t verdicts[MEMO_VERDICTS]; /* serial, test and verdict; 0: free */
	struct arena arena;
	uint64_t serial;
	bool full, forgetful;
};

struct memo *memo_new(bool forgetful)
{
	struct memo *m = xcalloc(1, sizeof *m);
	arena_init(&m->arena, MEMO_BYTES);
	m->forgetful = forgetful;
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
static uint64_t hash_of(const void *scanner, struct str s)
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

/* Whether the scanner's texts are looked for at present. */
static inline bool is_worth_it(struct memo *m, const void *scanner, struct gauge **ret)
{
	struct gauge *g = *ret = &m->gauges[((uintptr_t)scanner >> 4) * 0x9e3779b97f4a7c15 >> 56];
	if (g->scanner != scanner) *g = (struct gauge){.scanner = scanner};
	if (g->rests) {
		g->rests--;
		return false;
	}
	if (++g->asked < GAUGE_ASKED) return true;
	if (g->found < GAUGE_FEW) g->rests = GAUGE_RESTS;
	g->asked = g->found = 0;
	return true;
}

const struct memo_entry *memo_find(struct memo *m, const void *scanner, struct str text, uint64_t *ret_hash)
{
	*ret_hash = 0;
	struct gauge *gauge;
	if (!text.n || text.n > MEMO_LONGEST || m->forgetful || !is_worth_it(m, scanner, &gauge)) return NULL;
	uint64_t hash = hash_of(scanner, text);
	uint32_t *once = &m->once[hash & (ONCE - 1)];
	/* The slots lie far from each other: for a text that was not met lately none is looked at. */
	if (*once != hash >> 32) {
		*once = (uint32_t)(hash >> 32);
		return NULL;
	}
	const struct memo_entry *e = &m->slots[hash & (MEMO_SLOTS - 1)];
	if (e->hash == hash && e->scanner == scanner && e->n == text.n && memcmp(e->text, text.p, text.n) == 0) {
		gauge->found++;
		return e;
	}
	*ret_hash = hash;
	return NULL;
}

const struct memo_entry *memo_keep(struct memo *m, const void *scanner, struct str text, uint64_t hash, struct str folded, const uint32_t *found, uint32_t n_found)
{
	if (m->full || n_found > MEMO_MOST_FOUND) return NULL;
	uint32_t *ids = arena_alloc(&m->arena, n_found * sizeof *ids);
	char *copy = arena_alloc(&m->arena, text.n), *fold = arena_alloc(&m->arena, folded.n + UTF_SLACK);
	if (!ids || !copy || !fold) {
		m->full = true;
		return NULL;
	}
	if (n_found) memcpy(ids, found, n_found * sizeof *ids);
	memcpy(copy, text.p, text.n);
	memcpy(fold, folded.p, folded.n);
	memset(fold + folded.n, 0, UTF_SLACK);
	struct memo_entry *e = &m->slots[hash & (MEMO_SLOTS - 1)];
	*e = (struct memo_entry){scanner, ++m->serial, hash, copy, {fold, folded.n}, ids, (uint32_t)text.n, n_found};
	return e;
}

static inline uint64_t *verdict_place(const struct memo *m, uint64_t serial, uint32_t test)
{
	uint64_t at = (serial * 0x9e3779b97f4a7c15 + test) * 0xd6e8feb86659fd93;
	return (uint64_t *)&m->verdicts[at >> 50 & (MEMO_VERDICTS - 1)];
}

/* Serials of 40 bits do not come to an end. */
static inline uint64_t verdict_key(uint64_t serial, uint32_t test) { return serial << (MEMO_TEST_BITS + 2) | (uint64_t)test << 2; }

bool memo_verdict(const struct memo *m, uint64_t serial, uint32_t test, enum verdict *ret)
{
	uint64_t kept = *verdict_place(m, serial, test);
	if ((kept & ~(uint64_t)3) != verdict_key(serial, test)) return false;
	*ret = (enum verdict)(kept & 3);
	return true;
}

void memo_keep_verdict(struct memo *m, uint64_t serial, uint32_t test, enum verdict v)
{
	*verdict_place(m, serial, test) = verdict_key(serial, test) | (uint64_t)v;
}
