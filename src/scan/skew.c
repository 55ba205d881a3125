/* skew.c: see skew.h. */
#include "scan/skew.h"
#include "base/map.h"
#include "scan/near.h"

enum {
	SAMPLE = 256,       /* own times a log */
	LOGS = 4096,        /* host x log */
	PAIRS = 1 << 15,    /* keys of pairs kept: the lowest */
	SHAPES = 1 << 16, KEY = 600
};

enum lens { LENS_NEW, LENS_NONE, LENS_OWN = 2, LENS_ID = 4, LENS_QUERY = 8, LENS_PROCESS = 16 };
struct shape_lens { uint8_t what; int32_t own, first, second; };

struct sample { uint64_t hash; int64_t ms; };
struct log {
	struct str host, name;       /* in the map's key */
	struct str own;              /* name of the column with its own time */
	struct sample v[SAMPLE];     /* a heap: none is larger than the one at (i - 1) / 2 */
	uint32_t n;
	uint64_t limit;              /* hashes from here on are not wanted */
};
/* One side of a pair: an event in a log. */
struct side { uint64_t key; uint32_t log; uint32_t n; int64_t ms; };

struct skew_table {
	struct map names;            /* host NUL log -> index */
	VEC(struct log *) logs;
	struct shape_lens *lenses;   /* [SHAPES] */
	struct side *sides;          /* open addressing; n == 0: free */
	uint32_t n_sides;
	struct { const struct shape *shape; uint32_t log; } near[NEAR_SLOTS]; /* logs met before */
	VEC(uint32_t) alike;         /* by event.alike: log + 1, 0 where none is known yet */
	struct side waits;           /* n == 0: none. Added when the next one comes: until then memory is fetched */
	uint64_t secret;             /* odd, drawn per process: keys come from logs */
	uint64_t below;              /* keys from here on are not kept */
};

struct skew_table *skew_table_new(void)
{
	struct skew_table *t = xcalloc(1, sizeof *t);
	t->lenses = xcalloc(SHAPES, sizeof *t->lenses);
	t->below = UINT64_MAX;
	t->secret = hash_bytes("skew", 4) | 1;
	return t;
}

void skew_table_free(struct skew_table *t)
{
	if (!t) return;
	for (size_t i = 0; i < t->logs.n; i++) free(t->logs.v[i]);
	vec_free(&t->logs);
	map_done(&t->names);
	vec_free(&t->alike);
	free(t->lenses);
	free(t->sides);
	free(t);
}

/* --- hashes that are the same in every run ---------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Eight bytes with ASCII capitals made small. */
static inline uint64_t small_letters(uint64_t v)
{
	const uint64_t ones = 0x0101010101010101, low = 0x7f7f7f7f7f7f7f7f;
	uint64_t from_a = (v & low) + (0x80 - 'A') * ones, from_z = (v & low) + (0x80 - 'Z' - 1) * ones;
	return v | ((from_a & ~from_z & ~v) >> 2 & 0x20 * ones);
}

static uint64_t hash_text(uint64_t h, struct str s)
{
	uint64_t v = 0;
	size_t i = 0;
	for (; i + 8 <= s.n; i += 8) {
		memcpy(&v, s.p + i, 8);
		h = (h ^ small_letters(v)) * 0x9e3779b97f4a7c15;
		h ^= h >> 32;
	}
	v = s.n;
	for (; i < s.n; i++) v = v << 8 | (uint8_t)s.p[i];
	return mix(h ^ small_letters(v));
}

/* An id as both logs write it. */
static uint64_t hash_id(struct str s)
{
	uint64_t h = s.n, v;
	for (; s.n >= 8; s = str_sub(s, 8, s.n)) {
		memcpy(&v, s.p, 8);
		h = mix(h ^ v);
	}
	for (size_t i = 0; i < s.n; i++) h = mix(h ^ (uint8_t)s.p[i]);
	return h;
}

/* --- logs and own times ----------------------------------------------------------------------------------------------------------- */

/* The log of that name, NULL beyond LOGS. */
static struct log *log_of(struct skew_table *t, struct str host, struct str name, uint32_t *ret_index)
{
	char key[KEY];
	bool fresh;
	if (host.n > KEY / 2) host.n = KEY / 2;
	if (name.n > KEY / 2 - 2) name.n = KEY / 2 - 2;
	if (host.n) memcpy(key, host.p, host.n);
	key[host.n] = 0;
	if (name.n) memcpy(key + host.n + 1, name.p, name.n);
	struct str k = {key, host.n + 1 + name.n};
	uint32_t *known = map_get(&t->names, k);
	if (!known && t->logs.n >= LOGS) return NULL;
	*ret_index = known ? *known : *map_put(&t->names, k, (uint32_t)t->logs.n, &fresh);
	if (!known) {
		struct log *l = xcalloc(1, sizeof *l);
		struct str kept = t->names.entries[t->names.n - 1].key;
		l->limit = UINT64_MAX;
		l->host = str_sub(kept, 0, host.n);
		l->name = str_sub(kept, host.n + 1, name.n);
		vec_push(&t->logs, l);
	}
	return t->logs.v[*ret_index];
}

static bool wanted(const struct log *l, uint64_t hash) { return hash < l->limit; }

static void add_sample(struct log *l, uint64_t hash, int64_t ms)
{
	uint32_t at = 0;
	if (!wanted(l, hash)) return;
	if (l->n < SAMPLE) {
		for (at = l->n++; at && l->v[(at - 1) / 2].hash < hash; at = (at - 1) / 2) l->v[at] = l->v[(at - 1) / 2];
	} else {
		/* In the place of the largest. */
		for (uint32_t child; (child = 2 * at + 1) < SAMPLE; at = child) {
			if (child + 1 < SAMPLE && l->v[child + 1].hash > l->v[child].hash) child++;
			if (l->v[child].hash <= hash) break;
			l->v[at] = l->v[child];
		}
	}
	l->v[at] = (struct sample){hash, ms};
	if (l->n == SAMPLE) l->limit = l->v[0].hash;
}

static int64_t milliseconds(struct etime t) { return t.sec * 1000 + t.nsec / 1000000; }

static bool own_time(struct value *v, struct arena *a, struct etime *ret)
{
	struct str s = value_text(v, a);
	uint64_t us;
	if (str_u64(s, &us)) {
		if (us < 1000000000000000u || us >= 10000000000000000u) return false; /* microseconds of the years 2001 to 2286 */
		*ret = etime_from_unix((int64_t)(us / 1000000), (uint32_t)(us % 1000000) * 1000, 6);
		return true;
	}
	bool zoned;
	return etime_parse(s, ret, &zoned);
}

/* --- pairs ------------------------------------------------------------------------------------------------------------------------ */

/* Where an entry lies does not show. */
static inline uint32_t side_place(const struct skew_table *t, uint64_t key, uint32_t log) { return (uint32_t)((key + log) * t->secret >> 40) % (2 * PAIRS); }

static struct side *side_at(const struct skew_table *t, uint64_t key, uint32_t log)
{
	uint32_t at = side_place(t, key, log);
	while (t->sides[at].n && (t->sides[at].key != key || t->sides[at].log != log)) at = (at + 1) % (2 * PAIRS);
	return &t->sides[at];
}

/* Half the keys go, those with the higher hashes: what is left is the same whatever came first. */
static void halve(struct skew_table *t)
{
	struct side *old = t->sides;
	t->below /= 2;
	t->sides = xcalloc(2 * PAIRS, sizeof *t->sides);
	t->n_sides = 0;
	for (uint32_t i = 0; i < 2 * PAIRS; i++) {
		if (!old[i].n || old[i].key >= t->below) continue;
		*side_at(t, old[i].key, old[i].log) = old[i];
		t->n_sides++;
	}
	free(old);
}

static void add_side(struct skew_table *t, uint64_t key, uint32_t log, uint32_t n, int64_t ms)
{
	if (key >= t->below) return;
	if (!t->sides) t->sides = xcalloc(2 * PAIRS, sizeof *t->sides);
	struct side *s = side_at(t, key, log);
	if (s->n) {
		s->n += n; /* more than once in one log: of no use */
		if (ms < s->ms) s->ms = ms;
		return;
	}
	*s = (struct side){key, log, n, ms};
	if (++t->n_sides > PAIRS) halve(t);
}

/* Adds the one that waits; then the other waits, of no log and key when its n is 0. */
static void add_later(struct skew_table *t, struct side side)
{
	if (t->waits.n) add_side(t, t->waits.key, t->waits.log, t->waits.n, t->waits.ms);
	t->waits = side;
	if (side.n && t->sides) __builtin_prefetch(&t->sides[side_place(t, side.key, side.log)], 1);
}

/* --- events ----------------------------------------------------------------------------------------------------------------------- */

static struct shape_lens make_lens(const struct shape *s)
{
	struct shape_lens l = {.what = LENS_NONE, .own = shape_column(s, STR("UtcTime"))};
	if (l.own < 0) l.own = shape_column(s, STR("_SOURCE_REALTIME_TIMESTAMP"));
	if (l.own >= 0) l.what |= LENS_OWN;
	if (shape_column(s, STR("UrlStem")) >= 0 && (l.first = shape_column(s, STR("RequestId"))) >= 0) l.what |= LENS_ID; /* HttpProxy */
	if (str_eq(s->format, STR("iis-w3c")) && (l.first = shape_column(s, STR("cs-uri-query"))) >= 0) l.what |= LENS_QUERY;
	bool sysmon = s->event_id == 1 && str_find(s->channel, STR("Sysmon"), 0) != SIZE_MAX, security = s->event_id == 4688 && str_eq(s->channel, STR("Security"));
	if (sysmon || security) {
		l.first = shape_column(s, sysmon ? STR("ProcessId") : STR("NewProcessId"));
		l.second = shape_column(s, sysmon ? STR("Image") : STR("NewProcessName"));
		if (l.first >= 0 && l.second >= 0) l.what |= LENS_PROCESS;
	}
	return l;
}

static struct str cell_text(struct event *ev, int32_t column) { return value_text(event_cell(ev, (uint32_t)column), ev->arena); }

/* A number as the logs write it: 0x1a2c, 6700. */
static bool process_id(const struct value *v, struct str s, uint64_t *ret)
{
	if (v->kind == VALUE_INT && v->i >= 0) {
		*ret = (uint64_t)v->i;
		return true;
	}
	return str_starts(s, STR("0x")) ? str_hex64(str_sub(s, 2, s.n), ret) : str_u64(s, ret);
}

/* The upper half of a process's key is its id's: whether it is kept shows before the rest is decoded. */
static uint64_t process_key(struct skew_table *t, struct event *ev, const struct shape_lens *l)
{
	const uint64_t upper = 0xffffffff00000000u;
	struct value *number = event_cell(ev, (uint32_t)l->first);
	uint64_t id;
	if (!process_id(number, value_text(number, ev->arena), &id)) return 0;
	uint64_t first = mix(id + 1);
	if ((first & upper) >= t->below) return 0;
	return (first & upper) | hash_text(hash_text(first, event_host(ev)), cell_text(ev, l->second)) >> 32;
}

/* The key of the event's thing; 0: it has none, or one that is not kept. */
static uint64_t key_of(struct skew_table *t, struct event *ev, const struct shape_lens *l)
{
	if (l->what & LENS_PROCESS) return process_key(t, ev, l);
	struct str s = cell_text(ev, l->first);
	if (l->what & LENS_QUERY) {
		/* What the front end adds stands at the end. */
		if (s.n > 160) s = str_sub(s, s.n - 160, 160);
		size_t at = s.n >= 46 ? str_find(s, STR("cafeReqId="), 0) : SIZE_MAX;
		if (at == SIZE_MAX) return 0;
		s = str_sub(s, at + 10, 36);
	}
	return s.n == 36 ? hash_id(s) : 0;
}

static inline bool is_near(const struct skew_table *t, uint32_t slot, const struct shape *s, struct str host)
{
	return t->near[slot].shape == s && str_eq(t->logs.v[t->near[slot].log]->host, host);
}

/* The log of the event, found among those met before where it may be; false: there are too many. */
static bool find_log(struct skew_table *t, struct event *ev, uint32_t *ret)
{
	const struct shape *s = ev->shape;
	if (ev->alike && ev->alike < t->alike.n && t->alike.v[ev->alike]) {
		*ret = t->alike.v[ev->alike] - 1;
		return true;
	}
	struct str host = event_host(ev);
	uint32_t slot = near_slot(s, host);
	*ret = t->near[slot].log;
	if (!is_near(t, slot, s, host)) {
		uint32_t other = near_other(slot);
		*ret = t->near[other].log;
		if (!is_near(t, other, s, host) && !log_of(t, host, s->channel.n ? s->channel : s->format, ret)) return false;
		t->near[other] = t->near[slot];
		t->near[slot].shape = s;
		t->near[slot].log = *ret;
	}
	while (t->alike.n <= ev->alike) vec_push(&t->alike, 0);
	t->alike.v[ev->alike] = *ret + 1;
	return true;
}

void skew_event(struct skew_table *t, struct event *ev, uint64_t order)
{
	const struct shape *s = ev->shape;
	uint32_t index;
	if (s->id >= SHAPES) return;
	struct shape_lens *l = &t->lenses[s->id];
	if (l->what == LENS_NEW) *l = make_lens(s);
	if (l->what == LENS_NONE || !ev->time.present || (ev->flags & EVENT_CARVED) || !find_log(t, ev, &index)) return;
	struct log *log = t->logs.v[index];
	uint64_t hash = mix(mix(order + 1) ^ ev->records[0].offset);
	struct etime own;
	if ((l->what & LENS_OWN) && wanted(log, hash) && own_time(event_cell(ev, (uint32_t)l->own), ev->arena, &own)) {
		if (!log->own.n) log->own = str_eq(s->columns[l->own].name, STR("UtcTime")) ? STR("UtcTime") : STR("_SOURCE_REALTIME_TIMESTAMP");
		add_sample(log, hash, milliseconds(ev->time) - milliseconds(own));
	}
	uint64_t key = l->what & (LENS_ID | LENS_QUERY | LENS_PROCESS) ? key_of(t, ev, l) : 0;
	/* The lowest bit says which basis a key is of. */
	if (key) add_later(t, (struct side){(key & ~(uint64_t)1) | (l->what & LENS_PROCESS ? 1 : 0), index, 1, milliseconds(ev->time)});
}

void skew_merge(struct skew_table *into, struct skew_table *from)
{
	uint32_t *index = xcalloc(from->logs.n + 1, sizeof *index);
	add_later(from, (struct side){0});
	for (size_t i = 0; i < from->logs.n; i++) {
		const struct log *x = from->logs.v[i];
		struct log *l = log_of(into, x->host, x->name, &index[i]);
		if (!l) index[i] = UINT32_MAX;
		if (l && x->own.n) l->own = x->own;
		for (uint32_t k = 0; l && k < x->n; k++) add_sample(l, x->v[k].hash, x->v[k].ms);
	}
	while (into->below > from->below) {
		if (into->sides) halve(into);
		else into->below /= 2;
	}
	for (uint32_t i = 0; from->sides && i < 2 * PAIRS; i++) {
		const struct side *x = &from->sides[i];
		if (x->n && index[x->log] != UINT32_MAX) add_side(into, x->key, index[x->log], x->n, x->ms);
	}
	free(index);
}

/* --- results ---------------------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* False: nothing can be said. */
static bool estimate(int64_t *ms, uint32_t n, struct skew *ret)
{
	if (n < SKEW_MIN) return false;
	qsort(ms, n, sizeof *ms, by_number);
	int64_t median = ms[n / 2];
	ret->n = n;
	ret->agree = 0;
	for (uint32_t i = 0; i < n; i++) ret->agree += ms[i] - median <= 2000 && median - ms[i] <= 2000;
	ret->seconds = (median + (median < 0 ? -500 : 500)) / 1000;
	return (ret->seconds >= SKEW_SECONDS || ret->seconds <= -SKEW_SECONDS) && 2 * ret->agree > n;
}

struct difference { uint32_t a, b; uint8_t basis; int64_t ms; };
struct results { const struct skew_table *t; VEC(struct skew) v; VEC(struct difference) differences; };

static int by_log(const struct skew_table *t, uint32_t a, uint32_t b)
{
	int c = str_cmp(t->logs.v[a]->host, t->logs.v[b]->host);
	return c ? c : str_cmp(t->logs.v[a]->name, t->logs.v[b]->name);
}

static int by_key(const void *a, const void *b)
{
	const struct side *x = a, *y = b;
	return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (x->log > y->log) - (x->log < y->log);
}

static int by_logs(const void *a, const void *b)
{
	const struct difference *x = a, *y = b;
	if (x->basis != y->basis) return x->basis - y->basis;
	return x->a != y->a ? (x->a > y->a) - (x->a < y->a) : (x->b > y->b) - (x->b < y->b);
}

/* The differences of keys that two logs have once each. */
static void pair_up(struct results *r)
{
	const struct skew_table *t = r->t;
	struct side *v = xcalloc(t->n_sides + 1, sizeof *v);
	uint32_t n = 0;
	for (uint32_t i = 0; t->sides && i < 2 * PAIRS; i++)
		if (t->sides[i].n) v[n++] = t->sides[i];
	qsort(v, n, sizeof *v, by_key);
	for (uint32_t i = 0; i + 1 < n; i++) {
		/* Exactly two logs, once in each. */
		if (v[i].key != v[i + 1].key || (i && v[i - 1].key == v[i].key) || (i + 2 < n && v[i + 2].key == v[i].key) || v[i].n != 1 || v[i + 1].n != 1) continue;
		bool swap = by_log(t, v[i].log, v[i + 1].log) > 0;
		const struct side *a = &v[i + swap], *b = &v[i + !swap];
		vec_push(&r->differences, (struct difference){a->log, b->log, a->key & 1, a->ms - b->ms});
	}
	free(v);
}

static void say_pairs(struct results *r)
{
	if (!r->differences.n) return;
	qsort(r->differences.v, r->differences.n, sizeof *r->differences.v, by_logs);
	int64_t *ms = xcalloc(r->differences.n, sizeof *ms);
	for (size_t i = 0, end; i < r->differences.n; i = end) {
		const struct difference *d = &r->differences.v[i];
		for (end = i; end < r->differences.n && !by_logs(d, &r->differences.v[end]); end++) ms[end - i] = r->differences.v[end].ms;
		const struct log *a = r->t->logs.v[d->a], *b = r->t->logs.v[d->b];
		struct skew s = {.host = a->host, .log = a->name, .against = b->name, .against_host = b->host, .basis = d->basis ? "process starts" : "request ids"};
		if (estimate(ms, (uint32_t)(end - i), &s)) vec_push(&r->v, s);
	}
	free(ms);
}

static int by_name(const void *a, const void *b)
{
	const struct skew *x = a, *y = b;
	int c = str_cmp(x->host, y->host);
	if (!c) c = str_cmp(x->log, y->log);
	if (!c) c = strcmp(x->basis, y->basis);
	if (!c) c = str_cmp(x->against_host, y->against_host);
	return c ? c : str_cmp(x->against, y->against);
}

struct skew *skew_results(const struct skew_table *t, uint32_t *ret_n)
{
	struct results r = {.t = t};
	int64_t ms[SAMPLE];
	for (size_t i = 0; i < t->logs.n; i++) {
		const struct log *l = t->logs.v[i];
		struct skew s = {.host = l->host, .log = l->name, .against = l->own, .basis = "own time"};
		for (uint32_t k = 0; k < l->n; k++) ms[k] = l->v[k].ms;
		if (estimate(ms, l->n, &s)) vec_push(&r.v, s);
	}
	pair_up(&r);
	say_pairs(&r);
	vec_free(&r.differences);
	if (r.v.n) qsort(r.v.v, r.v.n, sizeof *r.v.v, by_name);
	*ret_n = (uint32_t)r.v.n;
	return r.v.v;
}
