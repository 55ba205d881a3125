/* recall.c: outcomes of events by the bytes of what rules ask. See recall_internal.h. */
#include "match/recall_internal.h"
#include "base/alloc.h"
#include <string.h>

enum {
	GAUGE_ASKED = 256, GAUGE_FEW = GAUGE_ASKED / 16,
	GAUGE_AGAIN_ASKED = 32, GAUGE_AGAIN = 8,
	GAUGE_TURN_FIRST = 9, GAUGE_TURN_LAST = 17 /* events of a turn, as powers of two */
};

/* Entries lie one behind the other in a ring, as they came: what came together lies together. A place is counted from the beginning on, in UNITs, however often
 * the ring went round; what lies SAFE before it is not overwritten while the longest entry is put in, wherever it lies in the ring. */
enum {
	UNIT = 32, UNITS = RECALL_BYTES / UNIT, LONGEST = RECALL_LONGEST / UNIT, SAFE = UNITS - 2 * LONGEST,
	SETS = 8192, WAYS = 5, LINE = 64, FETCHED = 1024
};
/* Where entries are, by hash; that which was asked for last first. */
struct set {
	uint16_t tags[WAYS];         /* of the hash; 0: free */
	uint32_t places[WAYS];
};
_Static_assert(LINE % sizeof(struct set) == 0, "a set lies in one line");
struct recall {
	struct set *sets;            /* [SETS] */
	char *ring;                  /* both in `memory`, at the beginning of a line */
	char *memory;
	uint64_t end;                /* the place of the next entry */
	uint64_t serials;
};

struct recall *recall_new(void)
{
	struct recall *r = xcalloc(1, sizeof *r);
	r->memory = xcalloc(1, LINE + SETS * sizeof *r->sets + RECALL_BYTES);
	r->sets = (struct set *)(r->memory + (LINE - (uintptr_t)r->memory % LINE));
	r->ring = (char *)(r->sets + SETS);
	return r;
}

void recall_free(struct recall *r)
{
	if (!r) return;
	free(r->memory);
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

static inline struct set *set_of(const struct recall *r, uint64_t hash) { return &r->sets[hash & (SETS - 1)]; }
static inline uint16_t tag_of(uint64_t hash) { return (uint16_t)(hash >> 48); }
static inline struct recall_entry *entry_at(const struct recall *r, uint64_t place) { return (struct recall_entry *)(r->ring + place % UNITS * UNIT); }
static inline bool is_there(const struct recall *r, uint32_t place) { return r->end - place <= SAFE; }

void recall_ahead(const struct recall *r, uint64_t hash) { __builtin_prefetch(set_of(r, hash)); }

bool recall_prepare(const struct recall *r, uint64_t hash, size_t key_bytes)
{
	const struct set *s = set_of(r, hash);
	size_t bytes = sizeof(struct recall_entry) + key_bytes;
	bool any = false;
	if (bytes > FETCHED) bytes = FETCHED;
	for (uint32_t i = 0; i < WAYS; i++) {
		if (s->tags[i] != tag_of(hash)) continue;
		const char *e = (const char *)entry_at(r, s->places[i]);
		for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(e + at);
		any = true;
	}
	return any;
}

/* The way becomes that which was asked for last. */
static inline void move_up(struct set *s, uint32_t way, uint16_t tag, uint32_t place)
{
	for (; way; way--) {
		s->tags[way] = s->tags[way - 1];
		s->places[way] = s->places[way - 1];
	}
	s->tags[0] = tag;
	s->places[0] = place;
}

/* Room for an entry of that many bytes, behind all others. */
static struct recall_entry *put(struct recall *r, size_t bytes, uint32_t *ret_place)
{
	uint64_t units = (bytes + UNIT - 1) / UNIT, left = UNITS - r->end % UNITS;
	if (units > left) r->end += left;
	if (r->end + units > UINT32_MAX) { /* places would not be told from earlier ones */
		memset(r->sets, 0, SETS * sizeof *r->sets);
		r->end = 0;
	}
	*ret_place = (uint32_t)r->end;
	r->end += units;
	return entry_at(r, *ret_place);
}

const struct recall_entry *recall_find(struct recall *r, struct recall_gauge *g, const void *program, const void *ops, struct str key, uint64_t hash)
{
	struct set *s = set_of(r, hash);
	uint16_t tag = tag_of(hash);
	for (uint32_t i = 0; i < WAYS; i++) {
		uint32_t place = s->places[i];
		if (s->tags[i] != tag || !is_there(r, place)) continue;
		const struct recall_entry *e = entry_at(r, place);
		if (e->program != program || e->ops != ops || e->n != key.n) continue;
		if (key.n && memcmp(recall_outcomes(e) + e->n_outcomes, key.p, key.n)) continue;
		/* What is still asked for when the ring has gone half round is put in again. */
		if (r->end - place > UNITS / 2) {
			size_t bytes = sizeof *e + e->n_outcomes * sizeof(struct outcome) + e->n;
			e = memmove(put(r, bytes, &place), e, bytes);
		}
		move_up(s, i, tag, place);
		count(g, true);
		return e;
	}
	count(g, false);
	return NULL;
}

uint64_t recall_keep(struct recall *r, uint64_t hash, const struct recall_entry *head, const struct outcome *outcomes, struct str key)
{
	struct set *s = set_of(r, hash);
	size_t bytes = sizeof *head + head->n_outcomes * sizeof *outcomes + key.n;
	uint32_t place, way = 0;
	if (head->n_outcomes > RECALL_MOST_OUTCOMES || bytes > RECALL_LONGEST) return 0;
	struct recall_entry *e = put(r, bytes, &place);
	while (way < WAYS - 1 && s->tags[way] && is_there(r, s->places[way])) way++;
	move_up(s, way, tag_of(hash), place);
	*e = *head;
	e->n = (uint32_t)key.n;
	e->serial = ++r->serials;
	struct outcome *kept = (struct outcome *)(e + 1);
	if (head->n_outcomes) memcpy(kept, outcomes, head->n_outcomes * sizeof *kept);
	if (key.n) memcpy(kept + head->n_outcomes, key.p, key.n);
	return e->serial;
}
