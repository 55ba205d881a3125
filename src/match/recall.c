/* recall.c: outcomes of events by the bytes of what rules ask. See recall_internal.h. */
#include "match/recall_internal.h"
#include "base/alloc.h"
#include <string.h>

enum {
	GAUGE_ASKED = 256, GAUGE_FEW = GAUGE_ASKED / 16,
	GAUGE_AGAIN_ASKED = 32, GAUGE_AGAIN = 8,
	GAUGE_TURN_FIRST = 9, GAUGE_TURN_LAST = 17 /* events of a turn, as powers of two */
};

/* What is looked at first of the places that share a set: all sets together stay in the processor's cache, places do not. */
struct set {
	uint16_t tags[RECALL_WAYS];  /* of the hash; 0: free */
	uint8_t order[RECALL_WAYS];  /* its places, that which was asked for last first */
};
/* Places of one size. */
struct places {
	struct set *sets;            /* [n_sets] */
	char *bytes;
	size_t size;
	uint32_t n_sets;
};
static const struct { size_t size; uint32_t sets; } kinds[] = {{256, 4096}, {512, 4096}, {1024, 2048}, {4096, 512}, {RECALL_LONGEST, 16}};
enum { SIZES = COUNT(kinds) };
struct recall {
	struct places places[SIZES];
	uint64_t serials;
};

struct recall *recall_new(void)
{
	struct recall *r = xcalloc(1, sizeof *r);
	size_t bytes = 0;
	for (size_t i = 0; i < SIZES; i++) {
		size_t n = (size_t)kinds[i].sets * RECALL_WAYS;
		r->places[i] = (struct places){xcalloc(kinds[i].sets, sizeof *r->places[i].sets), xcalloc(n, kinds[i].size), kinds[i].size, kinds[i].sets};
		for (uint32_t k = 0; k < kinds[i].sets; k++)
			for (uint32_t way = 0; way < RECALL_WAYS; way++) r->places[i].sets[k].order[way] = (uint8_t)way;
		bytes += n * kinds[i].size;
	}
	verify(bytes <= RECALL_BYTES);
	return r;
}

void recall_free(struct recall *r)
{
	if (!r) return;
	for (size_t i = 0; i < SIZES; i++) {
		free(r->places[i].sets);
		free(r->places[i].bytes);
	}
	free(r);
}

bool recall_wanted(struct recall_gauge *g, uint64_t feature)
{
	const uint64_t k = 0x9e3779b97f4a7c15, l = 0xd6e8feb86659fd93;
	if (!g->rests) return true;
	if (++g->seen >> g->turn) {
		g->turn += g->turn < GAUGE_TURN_LAST;
		g->turns++;
		g->seen = 0;
		g->asked = g->found = 0;
	}
	return (feature * k ^ g->turns * l) * k >> 59 == 0;
}

static void count(struct recall_gauge *g, bool found)
{
	g->asked++;
	g->found += found;
	if (g->asked < (g->rests ? GAUGE_AGAIN_ASKED : GAUGE_ASKED)) return;
	g->rests = g->rests ? g->found < GAUGE_AGAIN : g->found < GAUGE_FEW;
	if (!g->turn) g->turn = GAUGE_TURN_FIRST;
	g->asked = g->found = 0;
}

static inline uint64_t load_8(const char *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 v = (unsigned __int128)a * b;
	return (uint64_t)v ^ (uint64_t)(v >> 64);
}

/* Never 0, nor is the tag. Two lanes of 16 bytes each, so that one multiplication need not wait for the other. */
uint64_t recall_hash(const void *program, struct buf *key)
{
	enum { STEP = 32 };
	const uint64_t k = 0x9e3779b97f4a7c15, l = 0xd6e8feb86659fd93;
	uint64_t a = (uintptr_t)program * k ^ key->n, b = l;
	memset(buf_reserve(key, STEP), 0, STEP);
	for (const char *p = key->p, *end = p + key->n; p < end; p += STEP) {
		a = fold(load_8(p) ^ a, load_8(p + 8) ^ k);
		b = fold(load_8(p + 16) ^ b, load_8(p + 24) ^ l);
	}
	return fold(a ^ l, b ^ k) | 1ull << 63; /* of no key at all a tells still: b ^ l would be nothing */
}

static inline size_t bytes_of(size_t key, uint32_t outcomes) { return sizeof(struct recall_entry) + outcomes * sizeof(struct outcome) + key; }
static inline uint32_t set_of(const struct places *p, uint64_t hash) { return hash & (p->n_sets - 1); }
static inline uint16_t tag_of(uint64_t hash) { return (uint16_t)(hash >> 48); }
static inline struct recall_entry *entry_at(const struct places *p, uint32_t set, uint32_t way)
{
	return (struct recall_entry *)(p->bytes + ((size_t)set * RECALL_WAYS + way) * p->size);
}

/* The smallest size that has room; SIZES: none has. */
static inline size_t size_of(size_t bytes)
{
	size_t i = 0;
	while (i < SIZES && kinds[i].size < bytes) i++;
	return i;
}

void recall_ahead(const struct recall *r, uint64_t hash, size_t key_bytes)
{
	size_t last = size_of(bytes_of(key_bytes, RECALL_MOST_OUTCOMES));
	for (size_t i = size_of(bytes_of(key_bytes, 0)); i <= last && i < SIZES; i++) __builtin_prefetch(&r->places[i].sets[set_of(&r->places[i], hash)]);
}

/* Of what may be there the first lines are fetched. */
static bool prepare_in(const struct places *p, uint64_t hash, size_t bytes)
{
	const struct set *s = &p->sets[set_of(p, hash)];
	bool any = false;
	for (uint32_t i = 0; i < RECALL_WAYS; i++) {
		if (s->tags[i] != tag_of(hash)) continue;
		const char *e = (const char *)entry_at(p, set_of(p, hash), i);
		for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(e + at);
		any = true;
	}
	return any;
}

/* Outcomes may have made a larger place necessary than the key alone. */
bool recall_prepare(const struct recall *r, uint64_t hash, size_t key_bytes)
{
	size_t bytes = bytes_of(key_bytes, 0), last = size_of(bytes_of(key_bytes, RECALL_MOST_OUTCOMES));
	bool any = false;
	for (size_t i = size_of(bytes); i <= last && i < SIZES; i++) any |= prepare_in(&r->places[i], hash, bytes);
	return any;
}

/* The way becomes that which was asked for last. */
static void move_up(struct set *s, uint8_t way)
{
	uint32_t at = 0;
	while (s->order[at] != way) at++;
	for (; at; at--) s->order[at] = s->order[at - 1];
	s->order[0] = way;
}

static const struct recall_entry *find_in(struct places *p, const void *program, const void *ops, struct str key, uint64_t hash)
{
	uint32_t set = set_of(p, hash);
	struct set *s = &p->sets[set];
	for (uint8_t i = 0; i < RECALL_WAYS; i++) {
		if (s->tags[i] != tag_of(hash)) continue;
		const struct recall_entry *e = entry_at(p, set, i);
		if (e->program != program || e->ops != ops || e->n != key.n) continue;
		if (key.n && memcmp(recall_outcomes(e) + e->n_outcomes, key.p, key.n)) continue;
		move_up(s, i);
		return e;
	}
	return NULL;
}

const struct recall_entry *recall_find(struct recall *r, struct recall_gauge *g, const void *program, const void *ops, struct str key, uint64_t hash)
{
	const struct recall_entry *e = NULL;
	size_t first = size_of(bytes_of(key.n, 0)), last = size_of(bytes_of(key.n, RECALL_MOST_OUTCOMES));
	for (size_t i = first; !e && i <= last && i < SIZES; i++) e = find_in(&r->places[i], program, ops, key, hash);
	count(g, e);
	return e;
}

uint64_t recall_keep(struct recall *r, uint64_t hash, const struct recall_entry *head, const struct outcome *outcomes, struct str key)
{
	size_t size = size_of(bytes_of(key.n, head->n_outcomes));
	if (head->n_outcomes > RECALL_MOST_OUTCOMES || size == SIZES) return 0;
	struct places *p = &r->places[size];
	uint32_t set = set_of(p, hash);
	struct set *s = &p->sets[set];
	uint8_t way = s->order[RECALL_WAYS - 1]; /* free ones were never asked for */
	s->tags[way] = tag_of(hash);
	move_up(s, way);
	struct recall_entry *place = entry_at(p, set, way);
	*place = *head;
	place->n = (uint32_t)key.n;
	place->serial = ++r->serials;
	struct outcome *kept = (struct outcome *)(place + 1);
	if (head->n_outcomes) memcpy(kept, outcomes, head->n_outcomes * sizeof *kept);
	if (key.n) memcpy(kept + head->n_outcomes, key.p, key.n);
	return place->serial;
}
