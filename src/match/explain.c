/* explain.c: see explain.h. */
#include "match/explain.h"
#include "base/alloc.h"
#include "match/walk_internal.h"

enum { SCRATCH_BUDGET = 256 << 20 };

struct match_explain {
	struct walk walk;
	struct arena scratch;
};

struct match_explain *match_explain_new(struct plan *p, struct event *ev, const struct logsource_binding *binding)
{
	struct match_explain *x = xcalloc(1, sizeof *x);
	arena_init(&x->scratch, SCRATCH_BUDGET);
	x->walk = (struct walk){ev, {p, binding, ev->arena, &x->scratch}};
	return x;
}

void match_explain_free(struct match_explain *x)
{
	if (!x) return;
	arena_done(&x->scratch);
	free(x);
}

static enum match_verdict told(enum verdict v) { return v == VERDICT_YES ? MATCH_TRUE : v == VERDICT_NO ? MATCH_FALSE : MATCH_OPEN; }

enum match_verdict match_explain_node(struct match_explain *x, const struct node *n) { return told(walk_node(&x->walk, n)); }

enum match_verdict match_explain_leaf(struct match_explain *x, const struct leaf *l, struct match_seen *ret)
{
	struct walk_seen seen;
	enum verdict v = walk_leaf(&x->walk, l, &seen);
	*ret = (struct match_seen){seen.field, seen.value != NULL, {"", 0}};
	if (seen.value) ret->value = value_text(seen.value, x->walk.ev->arena);
	return told(v);
}

bool match_explain_covers(struct match_explain *x, const struct rule *r)
{
	const struct logsource_binding *b = x->walk.leaf.binding;
	return !b || (logsource_covers(&r->info.logsource, &b->ls) && walk_binding_holds(&x->walk, b));
}
