/* slow.c: rules walked one by one, as they are written. See plan_internal.h. */
#include "match/plan_internal.h"
#include "match/walk_internal.h"

/* One rule through all bindings that fit it. */
static enum verdict try_rule(struct walk *w, const struct rule *r, const bool *holds, struct rule_coverage *count, struct hit *ret)
{
	const struct shape *s = w->ev->shape;
	enum verdict all = VERDICT_NO;
	bool covered = false;
	for (uint32_t i = 0; i < s->n_bindings && all != VERDICT_YES; i++) {
		const struct logsource_binding *b = &s->bindings[i];
		if (!holds[i] || !logsource_covers(&r->info.logsource, &b->ls)) continue;
		covered = true;
		w->leaf.binding = b;
		enum verdict one = walk_node(w, r->condition);
		if (one != VERDICT_NO) all = one;
		if (one == VERDICT_YES) *ret = (struct hit){r, b->ls, b};
	}
	count->events += covered;
	return all;
}

uint32_t slow_run(struct plan *p, struct event *ev, struct arena *scratch, struct hit *ret, struct rule_coverage *coverage)
{
	struct walk w = {ev, {p, NULL, ev->arena, scratch}};
	const struct shape *s = ev->shape;
	bool any = p->options.any_logsource, *holds = xcalloc(s->n_bindings ? s->n_bindings : 1, 1);
	uint32_t n = 0;
	for (uint32_t i = 0; i < s->n_bindings && !any; i++) holds[i] = walk_binding_holds(&w, &s->bindings[i]);
	for (uint32_t i = 0; i < p->n_rules; i++) {
		const struct rule *r = p->rules[i];
		enum verdict v = VERDICT_NO;
		if (!p->used[i]) continue;
		if (any) {
			w.leaf.binding = NULL;
			v = walk_node(&w, r->condition);
			ret[n] = (struct hit){r, r->info.logsource, NULL};
			coverage[i].events++;
		} else {
			v = try_rule(&w, r, holds, &coverage[i], &ret[n]);
		}
		coverage[i].undecided += v == VERDICT_UNDECIDED;
		coverage[i].hits += v == VERDICT_YES;
		n += v == VERDICT_YES;
	}
	free(holds);
	return n;
}
