/* cohort.c: see cohort_internal.h. */
#include "match/cohort_internal.h"
#include "base/alloc.h"

enum {
	SAMPLE = 2048, SAMPLE_EAGER = 48, /* events */
	WAIT = 256, WAIT_EAGER = 4,       /* events before the first sample */
	WAIT_MOST = 1 << 24,
	FEWEST = 2,                       /* columns that are worth it */
	TURN = 1024                       /* events after which is looked whether it still is */
};

struct cohort {
	const struct program *program;
	struct arena arena;               /* of sets: few, for each comes after twice as many events as the one before */
	enum cohort_stage stage;
	bool eager;
	uint64_t left, wait;              /* events until the sample begins; how many it will be the next time */
	uint32_t inputs[COHORT_MOST_INPUTS], n_inputs; /* candidates */
	uint64_t *hashes;                 /* [n_inputs][size]; in a sample */
	uint32_t size, sampled;           /* events of a sample: wanted, there */
	bool *members;                    /* [inputs of the program] */
	const struct column_set *columns; /* NULL: no members */
	uint64_t number;                  /* of the set */
	uint32_t asked, found;
};

struct cohort *cohort_new(const struct program *g, bool eager)
{
	struct cohort *c = xcalloc(1, sizeof *c);
	c->program = g;
	c->eager = eager;
	c->left = c->wait = eager ? WAIT_EAGER : WAIT;
	c->size = eager ? SAMPLE_EAGER : SAMPLE;
	for (size_t i = 0; i < g->gate_inputs.n && c->n_inputs < COHORT_MOST_INPUTS; i++)
		if (!g->inputs.v[g->gate_inputs.v[i]].keywords) c->inputs[c->n_inputs++] = g->gate_inputs.v[i];
	uint32_t columns = 0;
	for (uint32_t i = 0; i < c->n_inputs; i++) columns += g->inputs.v[c->inputs[i]].n;
	if (g->generic || columns < FEWEST) {
		free(c);
		return NULL;
	}
	arena_init_small(&c->arena, 16 << 20);
	c->members = xcalloc(g->inputs.n, 1);
	return c;
}

void cohort_free(struct cohort *c)
{
	if (!c) return;
	arena_done(&c->arena);
	free(c->hashes);
	free(c->members);
	free(c);
}

const uint32_t *cohort_candidates(const struct cohort *c, uint32_t *ret_n)
{
	*ret_n = c->n_inputs;
	return c->inputs;
}

bool cohort_has(const struct cohort *c, uint32_t input) { return c->members[input]; }

const struct column_set *cohort_columns(const struct cohort *c, uint64_t *ret_number)
{
	*ret_number = c->number;
	return c->columns;
}

/* ---- choosing ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ b) * 0x9e3779b97f4a7c15;
	return h ^ h >> 32;
}

/* In how many events of the sample's second half stands what stood in two events before, so that the memo has it. `seen`: room for twice the sample, a
 * power of two. */
static uint32_t repeats(const uint64_t *hashes, uint32_t n, uint64_t *seen, uint32_t room)
{
	uint32_t count = 0;
	memset(seen, 0, room * sizeof *seen);
	for (uint32_t i = 0; i < n; i++) {
		/* The lowest bit: met twice. The next: not free. */
		uint64_t hash = (hashes[i] | 2) & ~(uint64_t)1;
		uint32_t at = (uint32_t)(hash >> 20) & (room - 1);
		while (seen[at] && (seen[at] & ~(uint64_t)1) != hash) at = (at + 1) & (room - 1);
		count += i >= n / 2 && seen[at] & 1;
		seen[at] = hash | (seen[at] != 0);
	}
	return count;
}

struct candidate { uint32_t place, repeats; };
static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->repeats != y->repeats) return x->repeats > y->repeats ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

/* Fills `members`; how many columns they have. What they save is one lookup a column in every event that is found. */
static uint32_t choose(struct cohort *c)
{
	struct candidate order[COHORT_MOST_INPUTS];
	uint32_t n = c->size, room = 4, count = 0, best = 0;
	while (room < 2 * n) room *= 2;
	uint64_t *seen = xcalloc(room, sizeof *seen), *together = xcalloc(n, sizeof *together), *with = xcalloc(n, sizeof *with);
	for (uint32_t i = 0; i < c->n_inputs; i++) order[i] = (struct candidate){i, repeats(c->hashes + (size_t)i * n, n, seen, room)};
	qsort(order, c->n_inputs, sizeof *order, compare_candidates);
	for (uint32_t i = 0; i < c->n_inputs; i++) {
		const uint64_t *own = c->hashes + (size_t)order[i].place * n;
		for (uint32_t k = 0; k < n; k++) with[k] = mix(together[k], own[k]);
		uint32_t found = repeats(with, n, seen, room);
		uint32_t input = c->inputs[order[i].place], columns = count + c->program->inputs.v[input].n;
		if (columns * found <= count * best) continue;
		count = columns;
		best = found;
		c->members[input] = true;
		memcpy(together, with, n * sizeof *together);
	}
	free(seen);
	free(together);
	free(with);
	return best >= n / 4 ? count : 0; /* of n / 2 */
}

/* The set of the members' columns; false: no memory. */
static bool make_set(struct cohort *c)
{
	const struct program *g = c->program;
	uint32_t most = 0, n = 0;
	for (uint32_t i = 0; i < c->n_inputs; i++) {
		const struct feed *in = &g->inputs.v[c->inputs[i]];
		for (uint32_t k = 0; c->members[c->inputs[i]] && k < in->n; k++)
			if (g->refs.v[in->first + k] >= most) most = g->refs.v[in->first + k] + 1;
	}
	struct column_set *set = arena_calloc(&c->arena, 1, sizeof *set);
	uint8_t *has = arena_calloc(&c->arena, most, 1);
	uint32_t *v = arena_calloc(&c->arena, most, sizeof *v);
	if (!set || !has || !v) return false;
	for (uint32_t i = 0; i < c->n_inputs; i++) {
		const struct feed *in = &g->inputs.v[c->inputs[i]];
		for (uint32_t k = 0; c->members[c->inputs[i]] && k < in->n; k++) has[g->refs.v[in->first + k]] = 1;
	}
	for (uint32_t i = 0; i < most; i++)
		if (has[i]) v[n++] = i;
	*set = (struct column_set){v, n, has, most};
	c->columns = set;
	c->number++;
	return true;
}

static void give_up(struct cohort *c)
{
	memset(c->members, 0, c->program->inputs.n);
	c->columns = NULL;
	c->stage = COHORT_WAITS;
	c->wait = c->wait < WAIT_MOST ? c->wait * 2 : c->wait;
	c->left = c->wait;
}

/* ---- events ---- */

enum cohort_stage cohort_event(struct cohort *c)
{
	if (c->asked == (c->eager ? SAMPLE_EAGER * 4 : TURN)) {
		if (c->found < c->asked / 2) give_up(c);
		c->asked = c->found = 0;
	}
	if (c->stage != COHORT_WAITS || c->left--) return c->stage;
	c->hashes = xcalloc((size_t)c->n_inputs * c->size, sizeof *c->hashes);
	c->sampled = 0;
	return c->stage = COHORT_SAMPLES;
}

void cohort_note(struct cohort *c, uint32_t candidate, uint64_t hash) { c->hashes[(size_t)candidate * c->size + c->sampled] = hash; }

void cohort_noted(struct cohort *c)
{
	if (++c->sampled < c->size) return;
	bool serves = choose(c) >= FEWEST && make_set(c);
	free(c->hashes);
	c->hashes = NULL;
	c->asked = c->found = 0;
	if (serves) c->stage = COHORT_SERVES;
	else give_up(c);
}

void cohort_count(struct cohort *c, bool found)
{
	c->asked++;
	c->found += found;
}
