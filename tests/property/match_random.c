/* The engine gives what the oracle gives, on random rules and events, with every literal engine.
 * match_random [--seed S] [--pairs N] [--long]: pairs of rule and event, 40,000 without arguments. For a million:
 *   build/tests/test_match_random --seed 7 --pairs 1000000 */
#include "match/match.h"
#include "tests/check.h"
#include "tests/oracle/oracle.h"
#include "tests/oracle/random.h"

enum { RULES = 60, SHAPES = 5, EVENTS = 12 };
static uint64_t seed = 1, pairs = 40000;
static bool long_values;

static void report(struct random_world *w, uint64_t world_seed, const struct rule *r, struct event *ev, struct oracle_answer wanted, const char *what)
{
	struct buf b = {0};
	(void)w;
	buf_printf(&b, "# seed %llu: %s; the oracle says %d through binding %d\n", (unsigned long long)world_seed, what, wanted.verdict, wanted.binding);
	random_print_rule(r, &b);
	random_print_event(ev, &b);
	printf("%.*s", (int)b.n, b.p);
	buf_done(&b);
	check_failures++;
}

static bool same(const struct hit *h, struct event *ev, struct oracle_answer a)
{
	if (a.binding < 0) return h->binding == NULL;
	const struct logsource_binding *b = &ev->shape->bindings[a.binding];
	return h->binding == b || (str_eq(h->logsource.category, b->ls.category) && str_eq(h->logsource.service, b->ls.service));
}

/* One event against all rules. */
static void compare(struct random_world *w, uint64_t world_seed, struct matcher *m, struct event *ev, const struct oracle_answer *wanted, const char *who)
{
	const struct hit *hits;
	uint32_t n = matcher_run(m, ev, &hits), at = 0;
	for (uint32_t i = 0; i < w->n_rules && check_failures < 3; i++) {
		bool hit = at < n && hits[at].rule->index == i;
		if (hit != (wanted[i].verdict == ORACLE_YES)) report(w, world_seed, w->rules[i], ev, wanted[i], who);
		else if (hit && !same(&hits[at], ev, wanted[i])) report(w, world_seed, w->rules[i], ev, wanted[i], "another binding");
		at += hit;
	}
	if (at != n && check_failures < 3) report(w, world_seed, w->rules[0], ev, wanted[0], "hits out of order");
}

static uint64_t check_coverage(struct random_world *w, uint64_t world_seed, struct matcher *m, const struct rule_coverage *wanted)
{
	struct rule_coverage *got = calloc(w->n_rules, sizeof *got);
	uint64_t hits = 0;
	matcher_coverage(m, got);
	for (uint32_t i = 0; i < w->n_rules; i++) {
		hits += got[i].hits;
		if (got[i].events == wanted[i].events && got[i].hits == wanted[i].hits && got[i].undecided == wanted[i].undecided) continue;
		printf("# seed %llu rule %u: coverage %llu/%llu/%llu, wanted %llu/%llu/%llu\n", (unsigned long long)world_seed, i, (unsigned long long)got[i].events,
			(unsigned long long)got[i].hits, (unsigned long long)got[i].undecided, (unsigned long long)wanted[i].events, (unsigned long long)wanted[i].hits,
			(unsigned long long)wanted[i].undecided);
		check_failures++;
		break;
	}
	free(got);
	return hits;
}

static uint64_t run_world(uint64_t world_seed, uint64_t *pairs_done)
{
	static const char *const names[] = {"by processor", "plain", "sse", "avx2"};
	struct random_world w;
	struct arena batch;
	random_world_make(&w, world_seed, RULES, SHAPES, long_values);
	bool any = random_below(&w, 8) == 0;
	arena_init(&batch, 1u << 28);
	struct plan *plans[4];
	struct matcher *m[4];
	for (int e = 0; e < 4; e++) {
		plans[e] = plan_of_rules(w.rules, w.n_rules, &(struct plan_options){.any_logsource = any, .engine = e}, NULL);
		m[e] = matcher_new(plans[e]);
	}
	/* Every event three times: what is remembered of its texts is kept at the second and used at the third. */
	struct matcher *again = matcher_new(plans[0]);
	struct rule_coverage *wanted_coverage = calloc(RULES, sizeof *wanted_coverage);
	for (int i = 0; i < EVENTS * SHAPES && check_failures < 3; i++) {
		struct event *ev = random_event(&w, (uint32_t)i % SHAPES, &batch);
		struct oracle_answer wanted[RULES];
		for (uint32_t r = 0; r < RULES; r++) {
			wanted[r] = oracle_rule(w.rules[r], ev, any);
			wanted_coverage[r].events += wanted[r].covered;
			wanted_coverage[r].hits += wanted[r].verdict == ORACLE_YES;
			wanted_coverage[r].undecided += wanted[r].verdict == ORACLE_UNDECIDED;
		}
		memset(ev->cells, 0, ev->shape->n_columns * sizeof *ev->cells);
		for (int e = 0; e < 4; e++) compare(&w, world_seed, m[e], ev, wanted, names[e]);
		for (int e = 0; e < 3; e++) compare(&w, world_seed, again, ev, wanted, "seen before");
		*pairs_done += RULES;
		arena_reset(&batch);
	}
	matcher_free(again);
	uint64_t hits = 0;
	for (int e = 0; e < 4; e++) {
		if (check_failures < 3) hits = check_coverage(&w, world_seed, m[e], wanted_coverage);
		matcher_free(m[e]);
		plan_free(plans[e]);
	}
	free(wanted_coverage);
	arena_done(&batch);
	random_world_done(&w);
	return hits;
}

TEST(the_engine_is_the_oracle)
{
	uint64_t done = 0, hits = 0;
	for (uint64_t i = 0; done < pairs && check_failures < 3; i++) hits += run_world(seed + i, &done);
	printf("# seed %llu: %llu pairs, %llu hits\n", (unsigned long long)seed, (unsigned long long)done, (unsigned long long)hits);
	/* A world in which nothing matches, or everything, would prove nothing. */
	CHECK(hits > done / 100 && hits < done / 2);
}

/* Few events again and again, others that differ from them in one column, and many that come once, so that the memory fills, forgets, keeps verdicts and stops looking: nothing of it shows. */
static void run_long(uint64_t world_seed, bool repeated, bool any)
{
	enum { POOL = 40, ROUNDS = 6000 };
	struct random_world w;
	struct arena pool_arena, batch;
	struct event *pool[POOL];
	random_world_make(&w, world_seed, RULES, 1, false);
	arena_init(&pool_arena, 1u << 28);
	arena_init(&batch, 1u << 28);
	for (int i = 0; i < POOL; i++) pool[i] = random_event(&w, 0, &pool_arena);
	/* One remembers nothing, one has learnt early what comes again together. */
	enum { KINDS = 3 };
	struct plan *plans[KINDS];
	struct matcher *m[KINDS];
	for (int i = 0; i < KINDS; i++) {
		plans[i] = plan_of_rules(w.rules, w.n_rules, &(struct plan_options){.any_logsource = any, .forgetful = i == 1, .eager = i == 2}, NULL);
		m[i] = matcher_new(plans[i]);
	}
	for (int i = 0; i < ROUNDS && check_failures < 3; i++) {
		const struct hit *hits[KINDS];
		uint32_t n[KINDS];
		struct event *old = pool[random_below(&w, POOL)], *ev = old;
		if (!repeated && i % 4) ev = i % 2 ? random_event_near(&w, old, &batch) : random_event(&w, 0, &batch);
		for (int k = 0; k < KINDS; k++) n[k] = matcher_run(m[k], ev, &hits[k]);
		for (int other = 1; other < KINDS; other++) {
			bool equal = n[0] == n[other];
			for (uint32_t k = 0; k < n[0] && equal; k++) equal = hits[0][k].rule == hits[other][k].rule && hits[0][k].binding == hits[other][k].binding;
			CHECK(equal);
		}
		arena_reset(&batch);
	}
	struct rule_coverage got[KINDS][RULES] = {0};
	for (int i = 0; i < KINDS; i++) {
		matcher_coverage(m[i], got[i]);
		matcher_free(m[i]);
		plan_free(plans[i]);
	}
	CHECK(memcmp(got[0], got[1], sizeof got[0]) == 0 && memcmp(got[0], got[2], sizeof got[0]) == 0);
	arena_done(&pool_arena);
	arena_done(&batch);
	random_world_done(&w);
}

TEST(remembering_changes_nothing)
{
	for (uint64_t i = 0; i < 4 && check_failures < 3; i++) run_long(seed + i, i == 0, i % 2);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--long")) long_values = true;
		if (!strcmp(argv[i], "--seed") && i + 1 < argc) seed = strtoull(argv[++i], NULL, 10);
		if (!strcmp(argv[i], "--pairs") && i + 1 < argc) pairs = strtoull(argv[++i], NULL, 10);
	}
	return check_run_all();
}
