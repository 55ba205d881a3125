/* details.c: which leaves made a hit hold. See matcher_details in match.h. */
#include "match/plan_internal.h"
#include "match/walk_internal.h"

struct details {
	struct walk walk;
	struct match_detail *out;
	const struct leaf **leaves; /* [max]: where each detail stands in the text */
	uint32_t n, max;
};

/* Whether the leaf holds; then it is among the details. */
static bool add(struct details *d, const struct leaf *l)
{
	struct walk_seen seen;
	for (uint32_t i = 0; i < d->n; i++)
		if (d->leaves[i] == l) return true;
	if (walk_leaf(&d->walk, l, &seen) != VERDICT_YES) return false;
	if (d->n == d->max) return true;
	uint32_t at = d->n++;
	/* In the order of the text: the few details are sorted as they come. */
	for (; at && (d->leaves[at - 1]->line > l->line || (d->leaves[at - 1]->line == l->line && d->leaves[at - 1]->column > l->column)); at--) {
		d->leaves[at] = d->leaves[at - 1];
		d->out[at] = d->out[at - 1];
	}
	struct str value = seen.value ? value_text(seen.value, d->walk.leaf.text) : (struct str){"", 0};
	d->leaves[at] = l;
	d->out[at] = (struct match_detail){seen.field, value, l->written};
	return true;
}

static void collect(struct details *d, const struct node *n);

/* Whether the tree holds; then what makes it hold is among the details. */
static bool collect_true(struct details *d, const struct node *n)
{
	if (n->kind == NODE_LEAF) return add(d, n->leaf);
	if (walk_node(&d->walk, n) != VERDICT_YES) return false;
	collect(d, n);
	return true;
}

/* The tree holds: every part of an AND, the first true branch of an OR; what holds by not being so has nothing to show. */
static void collect(struct details *d, const struct node *n)
{
	switch (n->kind) {
	case NODE_LEAF: add(d, n->leaf); return;
	case NODE_NOT: return;
	case NODE_AND:
		for (uint32_t i = 0; i < n->n; i++) collect(d, n->children[i]);
		return;
	case NODE_OR:
		for (uint32_t i = 0; i < n->n; i++)
			if (collect_true(d, n->children[i])) return;
		return;
	}
}

uint32_t matcher_details(struct matcher *m, const struct hit *h, struct event *ev, struct match_detail *ret, uint32_t max)
{
	struct arena *scratch = matcher_scratch(m);
	struct details d = {{ev, {matcher_plan(m), h->binding, ev->arena, scratch}}, ret, NULL, 0, max};
	d.leaves = arena_calloc(ev->arena, max, sizeof *d.leaves);
	if (d.leaves && h->rule->condition) collect(&d, h->rule->condition);
	return d.n;
}
