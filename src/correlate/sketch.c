/* sketch.c: counting where memory has no room for a group of one's own.
 *
 * Count-min: four rows of cells, a key adds to one cell in each (conservatively: only where the cell is the least of its four);
 * the least is never too low. A window that slides is kept as five panes of a quarter timespan, of which the oldest is forgotten as
 * time goes on: the panes cover the window and up to a quarter more. A cell is a counter, or, for distinct values, a small bitmap
 * (linear counting: -m ln(zeros / m)), joined over panes. A sketch decides who gets a group; alone it never makes a finding. */
#include "correlate/correlate_internal.h"
#include <math.h>

enum { ROWS = 4, PANES = 5, PARTS = 4, MAX_BITS = 1024 };

struct sketch {
	uint32_t mask;           /* columns - 1 */
	uint32_t words;          /* 64-bit words of a cell: 1 for counts too */
	bool distinct;
	int64_t pane_ns, newest; /* number of the newest pane */
	int64_t last;            /* time of the last event */
	size_t bytes;
	uint64_t added[PANES];
	uint64_t *cells;         /* [pane][row][column][word] */
};

/* A sixteenth of the budget, shared by the correlations that may need one. */
size_t sketch_share(const struct correlate *c)
{
	for (size_t i = 0; i < c->corrs.n; i++)
		if (c->corrs.v[i].by_count) return c->options.state_memory / 16;
	return 0;
}

static uint32_t words_for(const struct corr *k)
{
	if (k->c->type == CORRELATE_EVENT_COUNT) return 1;
	/* Linear counting tells up to about m ln m; three quarters of that keeps the error small. */
	for (uint32_t bits = 64; bits <= MAX_BITS; bits *= 4)
		if (k->lower <= 0.75 * bits * log(bits) / 2) return bits / 64;
	return 0;
}

static struct sketch *make(const struct corr *k, size_t bytes)
{
	uint32_t words = words_for(k), columns = 64;
	if (!words) return NULL;
	while ((size_t)columns * 2 * words * ROWS * PANES * sizeof(uint64_t) <= bytes && columns < 1u << 24) columns *= 2;
	struct sketch *s = xcalloc(1, sizeof *s);
	s->mask = columns - 1;
	s->words = words;
	s->distinct = k->c->type == CORRELATE_VALUE_COUNT;
	s->pane_ns = k->span / PARTS + 1;
	s->newest = INT64_MIN;
	s->last = NEVER;
	s->bytes = (size_t)columns * words * ROWS * PANES * sizeof(uint64_t);
	s->cells = calloc(1, s->bytes);
	if (s->cells) return s;
	free(s);
	return NULL;
}

bool sketch_ready(struct correlate *c, struct corr *k)
{
	uint32_t sharing = 0;
	if (k->sketch) return true;
	for (size_t i = 0; i < c->corrs.n; i++) sharing += c->corrs.v[i].by_count;
	k->sketch = make(k, c->sketch_bytes / sharing);
	return k->sketch != NULL;
}

void sketch_free(struct sketch *s)
{
	if (s) free(s->cells);
	free(s);
}

static uint64_t *cell(const struct sketch *s, unsigned pane, unsigned row, uint64_t hash)
{
	/* Two halves of one keyed hash give all rows (Kirsch and Mitzenmacher). */
	uint32_t column = ((uint32_t)hash + row * ((uint32_t)(hash >> 32) | 1)) & s->mask;
	return s->cells + (((size_t)pane * ROWS + row) * ((size_t)s->mask + 1) + column) * s->words;
}

/* Forgets panes that have become too old. */
static void move_to(struct sketch *s, int64_t time)
{
	int64_t pane = time / s->pane_ns - (time % s->pane_ns < 0);
	size_t bytes = s->bytes / PANES;
	if (s->newest == INT64_MIN || pane - s->newest >= PANES) {
		if (s->newest != INT64_MIN) memset(s->cells, 0, s->bytes), memset(s->added, 0, sizeof s->added);
		s->newest = pane;
	}
	while (s->newest < pane) {
		s->newest++;
		unsigned at = (unsigned)(((s->newest % PANES) + PANES) % PANES);
		memset((char *)s->cells + at * bytes, 0, bytes);
		s->added[at] = 0;
	}
}

static uint64_t pane_count(const struct sketch *s, unsigned pane, uint64_t hash)
{
	uint64_t least = *cell(s, pane, 0, hash);
	for (unsigned r = 1; r < ROWS; r++)
		if (*cell(s, pane, r, hash) < least) least = *cell(s, pane, r, hash);
	return least;
}

/* Distinct values in one row's cell, over all panes. */
static double row_distinct(const struct sketch *s, unsigned row, uint64_t hash)
{
	uint64_t joined[MAX_BITS / 64] = {0}, set = 0;
	for (unsigned p = 0; p < PANES; p++)
		for (uint32_t w = 0; w < s->words; w++) joined[w] |= cell(s, p, row, hash)[w];
	for (uint32_t w = 0; w < s->words; w++) set += (uint64_t)__builtin_popcountll(joined[w]);
	double m = s->words * 64, zeros = m - (double)set;
	return zeros < 1 ? m * log(m) : -m * log(zeros / m);
}

static double estimate(const struct sketch *s, uint64_t hash)
{
	uint64_t count = 0;
	double least = 1e300;
	if (!s->distinct) {
		for (unsigned p = 0; p < PANES; p++) count += pane_count(s, p, hash);
		return (double)count;
	}
	for (unsigned r = 0; r < ROWS; r++) {
		double e = row_distinct(s, r, hash);
		if (e < least) least = e;
	}
	return least;
}

static void add(struct sketch *s, unsigned pane, uint64_t hash, uint64_t value)
{
	uint64_t least = s->distinct ? 0 : pane_count(s, pane, hash);
	for (unsigned r = 0; r < ROWS; r++) {
		uint64_t *v = cell(s, pane, r, hash);
		if (s->distinct) v[(value >> 6) % s->words] |= 1ull << (value & 63);
		else if (*v == least) ++*v;
	}
	s->added[pane]++;
}

double sketch_add(struct correlate *c, struct corr *k, uint64_t key_hash, uint64_t value_hash, int64_t time)
{
	struct sketch *s = k->sketch;
	(void)c;
	/* What is moved here from a group may be older than the newest pane: then it counts as if it were new, never too low. */
	if (time > s->last) s->last = time;
	move_to(s, s->last);
	unsigned pane = (unsigned)(((s->newest % PANES) + PANES) % PANES);
	add(s, pane, key_hash, value_hash);
	return estimate(s, key_hash);
}

double sketch_estimate(struct correlate *c, struct corr *k, uint64_t key_hash, int64_t time)
{
	struct sketch *s = k->sketch;
	(void)c;
	if (time > s->last) s->last = time;
	move_to(s, s->last);
	return estimate(s, key_hash);
}

double sketch_noise(const struct corr *k)
{
	uint64_t n = 0;
	for (unsigned p = 0; p < PANES; p++) n += k->sketch->added[p];
	return 2.718281828 / ((double)k->sketch->mask + 1) * (double)n;
}

/* Standard error of linear counting with m bits at n values: sqrt(m (e^t - t - 1)) / n, t = n / m. */
static double distinct_error(const struct sketch *s, double n)
{
	double m = s->words * 64, t = n / m;
	return n < 1 ? 0 : sqrt(m * (exp(t) - t - 1)) / n;
}

void sketch_errors(const struct correlate *c, double *ret_count, double *ret_distinct)
{
	*ret_count = *ret_distinct = 0;
	for (size_t i = 0; i < c->corrs.n; i++) {
		const struct sketch *s = c->corrs.v[i].sketch;
		if (!s) continue;
		double e = s->distinct ? distinct_error(s, c->corrs.v[i].lower) : 2.718281828 / ((double)s->mask + 1);
		double *to = s->distinct ? ret_distinct : ret_count;
		if (e > *to) *to = e;
	}
}
