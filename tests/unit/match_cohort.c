/* The cohort: inputs that come again together are found out and given up again. */
#include "match/cohort_internal.h"
#include "tests/check.h"

enum { INPUTS = 6, KEYWORDS = 2 };

/* Inputs of one column each, input i of column 10 + i; one of them is keywords. */
static void program_make(struct program *g)
{
	*g = (struct program){0};
	for (uint32_t i = 0; i < INPUTS; i++) {
		vec_push(&g->refs, 10 + i);
		vec_push(&g->inputs, (struct feed){.keywords = i == KEYWORDS, .first = i, .n = 1});
		vec_push(&g->gate_inputs, i);
	}
}

static void program_unmake(struct program *g)
{
	vec_free(&g->refs);
	vec_free(&g->inputs);
	vec_free(&g->gate_inputs);
}

/* Events until the sample is over, in which input i has the value value(i, event). */
static enum cohort_stage sample(struct cohort *c, uint64_t (*value)(uint32_t input, uint32_t event))
{
	uint32_t n;
	const uint32_t *inputs = cohort_candidates(c, &n);
	for (uint32_t event = 0, sampled = 0; event < 100000; event++) {
		enum cohort_stage stage = cohort_event(c);
		if (stage != COHORT_SAMPLES && sampled) return stage;
		if (stage != COHORT_SAMPLES) continue;
		for (uint32_t i = 0; i < n; i++) cohort_note(c, i, (value(inputs[i], event) + 1) * 0x9e3779b97f4a7c15);
		cohort_noted(c);
		sampled++;
	}
	return COHORT_SAMPLES;
}

/* 0, 1 and 3 go together, 4 comes again, but not with them, 5 never does. */
static uint64_t some_together(uint32_t input, uint32_t event)
{
	if (input == 4) return event * 2654435761u >> 22;
	return input == 5 ? event : event % 40 + (input << 20);
}

static uint64_t none_again(uint32_t input, uint32_t event) { return event * INPUTS + input; }

TEST(what_comes_again_together_is_found)
{
	struct program g;
	uint64_t number, before;
	program_make(&g);
	struct cohort *c = cohort_new(&g, false);
	NEED(c);
	CHECK(sample(c, some_together) == COHORT_SERVES);
	const struct column_set *set = cohort_columns(c, &before);
	NEED(set && set->n == 3);
	CHECK(set->v[0] == 10 && set->v[1] == 11 && set->v[2] == 13 && set->has[13] && !set->has[12] && set->n_has == 14);
	for (uint32_t i = 0; i < INPUTS; i++) CHECK(cohort_has(c, i) == (i == 0 || i == 1 || i == 3));
	/* As long as most is found it stays. */
	for (int i = 0; i < 10000; i++) {
		cohort_count(c, i % 3);
		CHECK(cohort_event(c) == COHORT_SERVES);
	}
	for (int i = 0; i < 3000 && cohort_event(c) == COHORT_SERVES; i++) cohort_count(c, i % 3 == 0);
	CHECK(cohort_event(c) == COHORT_WAITS && !cohort_has(c, 0));
	/* What is found later is another set, and has another number. */
	CHECK(sample(c, some_together) == COHORT_SERVES && cohort_columns(c, &number) && number != before);
	cohort_free(c);
	program_unmake(&g);
}

TEST(where_nothing_comes_again_there_is_none)
{
	struct program g;
	program_make(&g);
	struct cohort *c = cohort_new(&g, false);
	NEED(c);
	for (int i = 0; i < 3; i++) CHECK(sample(c, none_again) == COHORT_WAITS);
	for (uint32_t i = 0; i < INPUTS; i++) CHECK(!cohort_has(c, i));
	cohort_free(c);
	program_unmake(&g);
}

TEST(one_column_alone_is_no_cohort)
{
	struct program g;
	program_make(&g);
	g.gate_inputs.n = 1;
	CHECK(!cohort_new(&g, false));
	g.gate_inputs.n = INPUTS;
	g.generic = true;
	CHECK(!cohort_new(&g, false));
	program_unmake(&g);
}

TEST_MAIN
