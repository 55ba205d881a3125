/* run.c: one thread's matcher. See match.h. */
#include "match/plan_internal.h"
#include "match/walk_internal.h"

struct matcher {
	struct plan *plan;
	struct arena scratch;
	struct hit *hits; /* [n_rules] */
	uint8_t *seen;    /* [n_rules]: this event's verdict so far, plus one */
	struct rule_coverage *coverage; /* [n_rules] */
	uint32_t n_hits;
};

enum { SCRATCH_BUDGET = 1 << 30 };

struct matcher *matcher_new(struct plan *p)
{
	struct matcher *m = xcalloc(1, sizeof *m);
	m->plan = p;
	arena_init(&m->scratch, SCRATCH_BUDGET);
	m->hits = xcalloc(p->n_rules + 1, sizeof *m->hits);
	m->seen = xcalloc(p->n_rules + 1, sizeof *m->seen);
	m->coverage = xcalloc(p->n_rules + 1, sizeof *m->coverage);
	return m;
}

void matcher_free(struct matcher *m)
{
	if (!m) return;
	arena_done(&m->scratch);
	free(m->hits);
	free(m->seen);
	free(m->coverage);
	free(m);
}

struct arena *matcher_scratch(struct matcher *m) { return &m->scratch; }
struct plan *matcher_plan(struct matcher *m) { return m->plan; }

static int by_rule(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;
	return (x->rule->index > y->rule->index) - (x->rule->index < y->rule->index);
}

static void try_rule(struct matcher *m, struct walk *w, uint32_t index, const struct logsource_binding *b)
{
	const struct rule *r = m->plan->rules[index];
	if (!m->seen[index]) m->coverage[index].events++;
	if (m->seen[index] == 1 + VERDICT_YES) return;
	w->leaf.binding = b;
	enum verdict verdict = walk_node(w, r->condition);
	if (verdict == VERDICT_YES) {
		m->hits[m->n_hits++] = (struct hit){r, b ? b->ls : r->info.logsource, b};
		m->coverage[index].hits++;
	}
	if (m->seen[index] != 1 + VERDICT_UNDECIDED) {
		m->coverage[index].undecided += verdict == VERDICT_UNDECIDED;
		m->seen[index] = (uint8_t)(1 + verdict);
	} else if (verdict == VERDICT_YES) {
		m->coverage[index].undecided--;
		m->seen[index] = 1 + VERDICT_YES;
	}
}

uint32_t matcher_run(struct matcher *m, struct event *ev, const struct hit **ret)
{
	struct plan *p = m->plan;
	struct walk w = {ev, {p, NULL, ev->arena, &m->scratch}};
	uint32_t n_bindings = p->options.any_logsource ? 1 : ev->shape->n_bindings;
	m->n_hits = 0;
	memset(m->seen, 0, p->n_rules);
	for (uint32_t i = 0; i < n_bindings; i++) {
		const struct logsource_binding *b = p->options.any_logsource ? NULL : &ev->shape->bindings[i];
		if (b && !walk_binding_holds(&w, b)) continue;
		for (size_t j = 0; j < p->routes.n; j++) {
			if (b && !logsource_covers(&p->routes.v[j].ls, &b->ls)) continue;
			for (size_t k = 0; k < p->routes.v[j].rules.n; k++) try_rule(m, &w, p->routes.v[j].rules.v[k], b);
		}
	}
	qsort(m->hits, m->n_hits, sizeof *m->hits, by_rule);
	*ret = m->hits;
	return m->n_hits;
}

void matcher_coverage(const struct matcher *m, struct rule_coverage *counts)
{
	for (uint32_t i = 0; i < m->plan->n_rules; i++) {
		counts[i].events += m->coverage[i].events;
		counts[i].hits += m->coverage[i].hits;
		counts[i].undecided += m->coverage[i].undecided;
	}
}
