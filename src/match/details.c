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

static uint32_t look(struct matcher *m, const struct hit *h, struct event *ev, struct match_detail *ret, uint32_t max)
{
	struct arena *scratch = matcher_scratch(m);
	struct details d = {{ev, {matcher_plan(m), h->binding, ev->arena, scratch}}, ret, NULL, 0, max};
	d.leaves = arena_calloc(ev->arena, max, sizeof *d.leaves);
	if (d.leaves && h->rule->condition) collect(&d, h->rule->condition);
	return d.n;
}

/* --- what was found in an event that said the same in all that rules ask --- */

enum { SLOT_BITS = 12, SLOTS = 1 << SLOT_BITS, WAYS = 8, BYTES = 1 << 20, LONGEST = 8 << 10 };

struct details_slot {
	uint64_t serial; /* 0: free */
	const struct rule *rule;
	const struct shape *shape;
	const struct logsource_binding *binding;
	uint32_t at, n; /* struct match_detail[n] in `bytes`, then the values they name */
};
struct details_memo {
	struct details_slot slots[SLOTS];
	uint32_t used;
	_Alignas(struct match_detail) char bytes[BYTES];
};

struct details_memo *details_memo_new(void) { return xcalloc(1, sizeof(struct details_memo)); }
void details_memo_free(struct details_memo *m) { free(m); }

static bool columns_asked(const struct walk *w, const struct column_set *asked, struct str field)
{
	const struct shape *s = w->ev->shape;
	for (int32_t i = walk_column(s, w->leaf.binding, field); i >= 0; i = s->columns[i].next)
		if (!s->columns[i].constant && ((uint32_t)i >= asked->n_has || !asked->has[i])) return false;
	return true;
}

/* Whether all that the tree's leaves look at is among the columns asked, or constant. A rule may hold whatever stands in a column that its details show. */
static bool all_asked(const struct walk *w, const struct column_set *asked, const struct node *n)
{
	if (n->kind == NODE_LEAF)
		return n->leaf->field.n && columns_asked(w, asked, n->leaf->field) && (n->leaf->kind != LEAF_FIELDREF || columns_asked(w, asked, n->leaf->other_field));
	for (uint32_t i = 0; i < n->n; i++)
		if (!all_asked(w, asked, n->children[i])) return false;
	return true;
}

/* The slot that has it, else one to put it in. */
static struct details_slot *find(struct details_memo *m, const struct details_slot *head)
{
	uint64_t hash = (head->serial ^ (uintptr_t)head->rule) * 0x9e3779b97f4a7c15 >> (64 - SLOT_BITS);
	struct details_slot *s = NULL;
	for (uint32_t way = 0; way < WAYS; way++) {
		s = &m->slots[(hash + way) % SLOTS];
		if (!s->serial) return s;
		if (s->serial == head->serial && s->rule == head->rule && s->shape == head->shape && s->binding == head->binding) return s;
	}
	s->serial = 0;
	return s;
}

/* When there is no room everything is forgotten. */
static void keep(struct details_memo *m, struct details_slot *slot, const struct details_slot *head, const struct match_detail *v)
{
	size_t bytes = head->n * sizeof *v;
	for (uint32_t i = 0; i < head->n; i++) bytes += v[i].value.n;
	if (bytes > LONGEST) return;
	if (m->used + bytes > BYTES) {
		memset(m->slots, 0, sizeof m->slots);
		m->used = 0;
	}
	struct match_detail *kept = (struct match_detail *)(m->bytes + m->used);
	char *text = (char *)(kept + head->n);
	for (uint32_t i = 0; i < head->n; i++) {
		kept[i] = v[i];
		if (v[i].value.n) memcpy(text, v[i].value.p, v[i].value.n);
		kept[i].value.p = text;
		text += v[i].value.n;
	}
	*slot = *head;
	slot->at = m->used;
	m->used += (uint32_t)((bytes + sizeof(void *) - 1) & ~(sizeof(void *) - 1));
}

uint32_t matcher_details(struct matcher *m, const struct hit *h, struct event *ev, struct match_detail *ret, uint32_t max)
{
	const struct column_set *asked;
	struct details_slot head = {.rule = h->rule, .shape = ev->shape, .binding = h->binding};
	struct details_memo *memo = matcher_met(m, &asked, &head.serial);
	if (!head.serial || ev->shape->id == UINT32_MAX) return look(m, h, ev, ret, max);
	struct details_slot *s = find(memo, &head);
	if (s->serial && s->n <= max) {
		memcpy(ret, memo->bytes + s->at, s->n * sizeof *ret);
		return s->n;
	}
	head.n = look(m, h, ev, ret, max);
	const struct walk w = {ev, {.binding = h->binding}};
	if (head.n < max && h->rule->condition && all_asked(&w, asked, h->rule->condition)) keep(memo, s, &head, ret);
	return head.n;
}
