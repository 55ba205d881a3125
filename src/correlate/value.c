/* value.c: what conditions compare beside plain counts: distinct values, sums, means, percentiles, as the window slides. */
#include "correlate/correlate_internal.h"
#include <float.h>
#include <math.h>
#include <sodium.h>

/* --- distinct values: (group, value) pairs with the number of their events in the window --- */

static struct pair *pair_at(const struct correlate *c, uint32_t i) { return slab_at(&c->pairs, i); }
static uint32_t pair_hash(uint64_t value, uint32_t group) { return (uint32_t)((value ^ group * 0x9e3779b97f4a7c15u) >> 16); }

/* A value, or a tuple, as a 64-bit fingerprint under the correlator's key: lengths stand before the parts, so tuples do not run together. */
bool value_fingerprint(struct correlate *c, const struct field_source *fields, uint32_t n, const struct firing *f, uint64_t *ret)
{
	if (n == 1) {
		struct str v = source_value(c, &fields[0], f);
		if (v.p) *ret = sketch_hash(c, v);
		return v.p;
	}
	c->scratch.n = 0;
	buf_reserve(&c->scratch, 0);
	for (uint32_t i = 0; i < n; i++) {
		struct str v = source_value(c, &fields[i], f);
		if (!v.p) return false;
		uint64_t length = v.n;
		buf_put(&c->scratch, &length, sizeof length);
		buf_str(&c->scratch, v);
	}
	crypto_shorthash((unsigned char *)ret, (const unsigned char *)c->scratch.p, c->scratch.n, c->value_key);
	return true;
}

static uint32_t pair_find(struct correlate *c, uint64_t value, uint32_t group)
{
	uint32_t hash = pair_hash(value, group);
	for (TABLE_EACH(&c->pair_table, hash, i)) {
		struct pair *p = pair_at(c, i);
		if (p->value == value && p->group == group) return i;
	}
	return 0;
}

static uint32_t pair_new(struct correlate *c, uint64_t value, uint32_t group)
{
	uint32_t i = slab_take(&c->pairs);
	if (!i) return 0;
	*pair_at(c, i) = (struct pair){value, group, 0};
	if (table_add(&c->pair_table, pair_hash(value, group), i)) return i;
	slab_give(&c->pairs, i);
	return 0;
}

static uint32_t pair_add(struct correlate *c, struct group *g, uint32_t group, uint64_t value)
{
	uint32_t i = pair_find(c, value, group);
	if (!i) i = pair_new(c, value, group);
	if (!i && make_room(c)) i = pair_new(c, value, group);
	if (i && pair_at(c, i)->count++ == 0) g->distinct++;
	return i;
}

static void pair_drop(struct correlate *c, struct group *g, uint32_t pair)
{
	struct pair *p = pair_at(c, pair);
	if (!pair || --p->count) return;
	g->distinct--;
	table_remove(&c->pair_table, pair_hash(p->value, p->group), pair);
	slab_give(&c->pairs, pair);
}

enum { SEARCHED = 16 }; /* windows up to so many entries are searched */

/* In the group's `aux`: PAIRED, or a bit for each value that is, or was, in the window: most values that come are new, which a bit that is not set says. */
enum { PAIRED = 1 };
static uint32_t sign_of(uint64_t value) { return 2u << value % 31; }

static bool has_value(const struct correlate *c, const struct corr *k, const struct group *g, const struct entry *but, uint64_t value)
{
	struct window_walk w = window_walk(g);
	for (struct entry *e; (e = window_walk_next(c, k, &w));)
		if (e->value == value && e != but) return true;
	return false;
}

/* The window has outgrown searching: every value gets its pair. What memory has no pair for counts as distinct no more. */
static void make_pairs(struct correlate *c, struct corr *k, struct group *g, uint32_t group)
{
	struct window_walk w = window_walk(g);
	g->aux = PAIRED;
	g->distinct = 0;
	for (struct entry *e; (e = window_walk_next(c, k, &w));) e->extra = pair_add(c, g, group, e->value);
}

bool distinct_enter(struct correlate *c, struct corr *k, struct group *g, uint32_t group, struct entry *e)
{
	e->extra = 0;
	if (g->aux == PAIRED) return (e->extra = pair_add(c, g, group, e->value)) != 0;
	if (g->n > SEARCHED) {
		make_pairs(c, k, g, group);
		return true;
	}
	if (!(g->aux & sign_of(e->value)) || !has_value(c, k, g, e, e->value)) g->distinct++;
	g->aux |= sign_of(e->value);
	return true;
}

void distinct_leave(struct correlate *c, struct corr *k, struct group *g, const struct entry *e)
{
	if (g->aux == PAIRED) pair_drop(c, g, e->extra);
	else g->distinct -= !has_value(c, k, g, e, e->value);
}

/* --- numbers --- */

static bool is_sum(const struct corr *k) { return k->c->type == CORRELATE_VALUE_SUM || k->c->type == CORRELATE_VALUE_AVG; }

/* A number of a sum in an entry: the whole part in `value`, and in `extra` the billionths under two flags. */
enum { PACKED_NEGATIVE = 1 << 30, PACKED_NANO = PACKED_NEGATIVE - 1 };
static const uint32_t PACKED_DOUBLE = 1u << 31; /* not exact: `number` is all there is */

void numbers_keep(const struct corr *k, const struct decimal *x, struct entry *e)
{
	bool whole = is_sum(k) && x->exact;
	e->extra = whole ? x->nano | (x->negative ? PACKED_NEGATIVE : 0) : PACKED_DOUBLE;
	if (whole) e->value = x->whole;
	else e->number = x->near;
}

static struct decimal kept(const struct entry *e)
{
	if (e->extra & PACKED_DOUBLE) return (struct decimal){.near = e->number};
	return (struct decimal){.whole = e->value, .nano = e->extra & PACKED_NANO, .negative = e->extra & PACKED_NEGATIVE, .exact = true};
}

/* Sums are kept exactly, so that adding and later removing leaves nothing behind and order does not matter: of exact decimals in
 * units of 10^-9; of others, where every double is a multiple of 2^-1074, as signed 32-bit digits with room for carries. */
enum { DIGITS = 68, CARRY_EVERY = 1 << 29 };
struct sum {
	int64_t digit[DIGITS];
	uint64_t units[2];       /* an __int128 */
	uint32_t n, until_carry;
	uint32_t doubles;        /* of n, those that are not exact */
};

static void carry(struct sum *s)
{
	for (int i = 0; i + 1 < DIGITS; i++) {
		int64_t over = s->digit[i] >> 32;
		s->digit[i] -= over * ((int64_t)1 << 32);
		s->digit[i + 1] += over;
	}
	s->until_carry = CARRY_EVERY;
}

static void double_add(struct sum *s, double x, int sign)
{
	int exponent;
	double fraction = frexp(x, &exponent);               /* x = fraction x 2^exponent */
	int64_t mantissa = (int64_t)ldexp(fraction, 53) * sign;
	int place = exponent - 53 + 1074;
	if (!mantissa) return;
	if (place < 0) mantissa >>= -place, place = 0;       /* subnormal: those bits are zero */
	if (!s->until_carry--) carry(s);
	int shift = place % 32, at = place / 32;
	__int128 wide = (__int128)mantissa * ((int64_t)1 << shift);
	s->digit[at] += (int64_t)(uint32_t)wide;
	s->digit[at + 1] += (int64_t)(uint32_t)(wide >> 32);
	s->digit[at + 2] += (int64_t)(wide >> 64);
}

static __int128 units_of(const struct sum *s)
{
	__int128 v;
	memcpy(&v, s->units, sizeof v);
	return v;
}

static void sum_add(struct sum *s, const struct decimal *x, int sign)
{
	s->n += (uint32_t)sign;
	if (!x->exact) {
		s->doubles += (uint32_t)sign;
		double_add(s, x->near, sign);
		return;
	}
	__int128 v = units_of(s) + sign * decimal_units(x);
	memcpy(s->units, &v, sizeof v);
}

/* The nearest double of the inexact ones' sum. */
static double doubles_get(const struct sum *exact)
{
	struct sum s = *exact;
	carry(&s);
	bool negative = s.digit[DIGITS - 1] < 0;
	for (int i = 0; negative && i < DIGITS; i++) s.digit[i] = -s.digit[i];
	if (negative) carry(&s);
	int top = DIGITS - 1;
	while (top > 2 && !s.digit[top]) top--;
	unsigned __int128 v = ((unsigned __int128)s.digit[top] << 64) | ((unsigned __int128)s.digit[top - 1] << 32) | (unsigned __int128)s.digit[top - 2];
	for (int i = 0; i < top - 2; i++)
		if (s.digit[i]) v |= 1;
	double x = ldexp((double)v, 32 * (top - 2) - 1074);
	return negative ? -x : x;
}

/* Order statistics: a weight-balanced tree of numbers (no subtree more than three times its sibling), so depth is at most
 * 2.5 log2(n) and recursion is bounded by it. */
struct number_node {
	double value;
	uint32_t left, right, size;
};
struct numbers { uint32_t root; };

static struct number_node *node(const struct correlate *c, uint32_t i) { return pool_at(&c->pool, i); }
static uint32_t size_of(const struct correlate *c, uint32_t i) { return i ? node(c, i)->size : 0; }
static void resize(const struct correlate *c, uint32_t i) { node(c, i)->size = 1 + size_of(c, node(c, i)->left) + size_of(c, node(c, i)->right); }

static uint32_t rotate(struct correlate *c, uint32_t i, bool left)
{
	struct number_node *a = node(c, i);
	uint32_t j = left ? a->right : a->left;
	struct number_node *b = node(c, j);
	if (left) a->right = b->left, b->left = i;
	else a->left = b->right, b->right = i;
	resize(c, i);
	resize(c, j);
	return j;
}

static uint32_t balance(struct correlate *c, uint32_t i)
{
	resize(c, i);
	struct number_node *a = node(c, i);
	uint64_t l = size_of(c, a->left) + 1ull, r = size_of(c, a->right) + 1ull;
	if (l <= 3 * r && r <= 3 * l) return i;
	bool left = r > l; /* the right side is too heavy: rotate left */
	struct number_node *b = node(c, left ? a->right : a->left);
	uint64_t inner = size_of(c, left ? b->left : b->right) + 1ull, outer = size_of(c, left ? b->right : b->left) + 1ull;
	if (inner >= 2 * outer) {
		if (left) a->right = rotate(c, a->right, false);
		else a->left = rotate(c, a->left, true);
	}
	return rotate(c, i, left);
}

static uint32_t insert(struct correlate *c, uint32_t i, uint32_t fresh)
{
	if (!i) return fresh;
	struct number_node *a = node(c, i);
	if (node(c, fresh)->value < a->value) a->left = insert(c, a->left, fresh);
	else a->right = insert(c, a->right, fresh);
	return balance(c, i);
}

static uint32_t take_least(struct correlate *c, uint32_t i, uint32_t *ret)
{
	struct number_node *a = node(c, i);
	if (!a->left) {
		*ret = i;
		return a->right;
	}
	a->left = take_least(c, a->left, ret);
	return balance(c, i);
}

static uint32_t erase(struct correlate *c, uint32_t i, double x)
{
	verify(i);
	struct number_node *a = node(c, i);
	if (x < a->value) a->left = erase(c, a->left, x);
	else if (x > a->value) a->right = erase(c, a->right, x);
	else {
		uint32_t left = a->left, right = a->right, least;
		pool_give(&c->pool, i, sizeof *a);
		if (!left || !right) return left ? left : right;
		right = take_least(c, right, &least);
		node(c, least)->left = left;
		node(c, least)->right = right;
		return balance(c, least);
	}
	return balance(c, i);
}

static double nth(const struct correlate *c, uint32_t i, uint32_t n)
{
	for (;;) {
		uint32_t left = size_of(c, node(c, i)->left);
		if (n == left) return node(c, i)->value;
		if (n < left) i = node(c, i)->left;
		else n -= left + 1, i = node(c, i)->right;
	}
}

/* Linear interpolation between closest ranks: rank = p/100 x (n-1), counted from 0. */
static struct measure percentile(const struct correlate *c, uint32_t root, const struct decimal *p)
{
	uint32_t n = size_of(c, root);
	if (!n) return measure_count(0);
	const __int128 hundred = (__int128)100 * DECIMAL_UNITS;
	__int128 rank = (p->exact ? decimal_units(p) : (__int128)llround(p->near * DECIMAL_UNITS)) * (n - 1);
	uint32_t whole = (uint32_t)(rank / hundred);
	double low = nth(c, root, whole), part = (double)(rank % hundred) / (double)hundred;
	if (part == 0) return measure_count(low);
	double high = nth(c, root, whole + 1);
	return (struct measure){.value = low + (high - low) * part, .slack = 4 * DBL_EPSILON * fmax(fabs(low), fabs(high))};
}

static uint32_t aux_of(struct correlate *c, struct corr *k, struct group *g)
{
	size_t bytes = is_sum(k) ? sizeof(struct sum) : sizeof(struct numbers);
	if (g->aux) return g->aux;
	g->aux = pool_take(&c->pool, bytes);
	if (!g->aux && make_room(c)) g->aux = pool_take(&c->pool, bytes);
	if (g->aux) memset(pool_at(&c->pool, g->aux), 0, bytes);
	return g->aux;
}

bool numbers_add(struct correlate *c, struct corr *k, struct group *g, const struct decimal *x)
{
	if (!aux_of(c, k, g)) return false;
	if (is_sum(k)) {
		sum_add(pool_at(&c->pool, g->aux), x, 1);
		return true;
	}
	uint32_t i = pool_take(&c->pool, sizeof(struct number_node));
	if (!i && make_room(c)) i = pool_take(&c->pool, sizeof(struct number_node));
	if (!i) return false;
	*node(c, i) = (struct number_node){.value = x->near, .size = 1};
	struct numbers *t = pool_at(&c->pool, g->aux);
	t->root = insert(c, t->root, i);
	return true;
}

void numbers_drop(struct correlate *c, struct corr *k, struct group *g, const struct entry *e)
{
	if (is_sum(k)) {
		struct decimal x = kept(e);
		sum_add(pool_at(&c->pool, g->aux), &x, -1);
		return;
	}
	struct numbers *t = pool_at(&c->pool, g->aux);
	t->root = erase(c, t->root, e->number);
}

struct measure numbers_value(struct correlate *c, struct corr *k, struct group *g)
{
	static const struct decimal half = {.near = 50, .whole = 50, .exact = true};
	if (!is_sum(k)) {
		const struct numbers *t = pool_at(&c->pool, g->aux);
		return percentile(c, t->root, k->c->type == CORRELATE_VALUE_MEDIAN ? &half : &k->c->percentile);
	}
	const struct sum *s = pool_at(&c->pool, g->aux);
	uint32_t n = k->c->type == CORRELATE_VALUE_AVG && s->n ? s->n : 1;
	__int128 units = units_of(s);
	double sum = (double)units / DECIMAL_UNITS;
	if (s->doubles) sum += doubles_get(s);
	return (struct measure){.value = sum / n, .units = units, .n = n, .exact = !s->doubles};
}

void numbers_free(struct correlate *c, struct corr *k, struct group *g)
{
	if (g->aux) pool_give(&c->pool, g->aux, is_sum(k) ? sizeof(struct sum) : sizeof(struct numbers));
	g->aux = 0;
}

uint64_t sketch_hash(const struct correlate *c, struct str key)
{
	uint64_t h;
	crypto_shorthash((unsigned char *)&h, (const unsigned char *)(key.p ? key.p : ""), key.n, c->value_key);
	return h;
}
