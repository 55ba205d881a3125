/* walk.c: a rule's tree evaluated as it is written. See walk_internal.h. */
#include "match/walk_internal.h"
#include "text/utf.h"

int32_t walk_column(const struct shape *s, const struct logsource_binding *b, struct str field)
{
	for (uint32_t i = 0; b && i < b->n_renames; i++) {
		if (!str_eq(b->renames[i].rule_field, field)) continue;
		int32_t column = shape_column(s, b->renames[i].event_field);
		if (column >= 0) return column;
	}
	return shape_column(s, field);
}

static enum verdict either(enum verdict a, enum verdict b)
{
	if (a == VERDICT_YES || b == VERDICT_YES) return VERDICT_YES;
	return a == VERDICT_UNDECIDED || b == VERDICT_UNDECIDED ? VERDICT_UNDECIDED : VERDICT_NO;
}

static void note(struct walk_seen *seen, struct str field, struct value *v, bool better)
{
	if (!seen || (seen->value && !better)) return;
	seen->field = field;
	seen->value = v;
}

/* The leaf against one cell: its value, or any member of its list. */
static enum verdict cell_holds(struct walk *w, const struct leaf *l, struct str field, struct value *cell, struct walk_seen *seen)
{
	struct value *items = cell->kind == VALUE_LIST ? cell->items : cell;
	uint32_t n = cell->kind == VALUE_LIST ? cell->n : 1;
	enum verdict all = VERDICT_NO;
	for (uint32_t i = 0; i < n; i++) {
		enum verdict one = l->kind == LEAF_NULL ? verdict_of(items[i].kind == VALUE_NULL) : leaf_holds(&w->leaf, l, &items[i]);
		if (items[i].kind != VALUE_ABSENT) note(seen, field, &items[i], one == VERDICT_YES);
		if (one == VERDICT_YES) return one;
		all = either(all, one);
	}
	return all;
}

/* Keywords: the entry's own text, and every value that is not hidden and does not stand in it. */
static enum verdict keyword_holds(struct walk *w, const struct leaf *l, struct walk_seen *seen)
{
	const struct shape *s = w->ev->shape;
	enum verdict all = VERDICT_NO;
	if (l->kind == LEAF_NULL || l->kind == LEAF_EXISTS || l->kind == LEAF_FIELDREF) return VERDICT_NO;
	for (uint32_t i = 0; i < s->n_columns && all != VERDICT_YES; i++)
		if (column_is_keyword(&s->columns[i], w->ev->raw.p != NULL)) all = either(all, cell_holds(w, l, (struct str){"", 0}, event_cell(w->ev, i), seen));
	if (all == VERDICT_YES || !w->ev->raw.p) return all;
	struct value *raw = arena_alloc(w->leaf.text, sizeof *raw);
	if (!raw) return VERDICT_UNDECIDED;
	*raw = value_str(w->ev->raw);
	return either(all, cell_holds(w, l, (struct str){"", 0}, raw, seen));
}

/* A null or absent field has no text to compare. */
static bool text_of(struct walk *w, struct value *v, bool cased, struct str *ret)
{
	if (v->kind == VALUE_NULL || v->kind == VALUE_ABSENT || v->kind == VALUE_LIST) return false;
	*ret = value_text(v, w->leaf.text);
	if (!cased) *ret = utf8_fold_arena(w->leaf.scratch, *ret);
	return true;
}

static enum verdict pair_holds(struct walk *w, const struct leaf *l, struct value *a, struct value *b)
{
	struct str x, y;
	if (!text_of(w, a, l->cased, &x) || !text_of(w, b, l->cased, &y)) return VERDICT_NO;
	enum verdict verdict = x.p && y.p ? verdict_of(string_op_holds(l->string_op, x, y)) : VERDICT_UNDECIDED;
	if (w->leaf.scratch->used) arena_reset(w->leaf.scratch);
	return verdict;
}

static enum verdict cells_refer(struct walk *w, const struct leaf *l, struct value *a, struct value *b)
{
	struct value *left = a->kind == VALUE_LIST ? a->items : a, *right = b->kind == VALUE_LIST ? b->items : b;
	uint32_t n_left = a->kind == VALUE_LIST ? a->n : 1, n_right = b->kind == VALUE_LIST ? b->n : 1;
	enum verdict all = VERDICT_NO;
	for (uint32_t i = 0; i < n_left; i++)
		for (uint32_t j = 0; j < n_right && all != VERDICT_YES; j++) all = either(all, pair_holds(w, l, &left[i], &right[j]));
	return all;
}

static enum verdict fieldref_holds(struct walk *w, const struct leaf *l, int32_t first, struct walk_seen *seen)
{
	const struct shape *s = w->ev->shape;
	int32_t other = walk_column(s, w->leaf.binding, l->other_field);
	enum verdict all = VERDICT_NO;
	for (int32_t i = first; i >= 0 && all != VERDICT_YES; i = s->columns[i].next) {
		note(seen, s->columns[i].name, event_cell(w->ev, (uint32_t)i), false);
		for (int32_t j = other; j >= 0 && all != VERDICT_YES; j = s->columns[j].next)
			all = either(all, cells_refer(w, l, event_cell(w->ev, (uint32_t)i), event_cell(w->ev, (uint32_t)j)));
	}
	return all;
}

enum verdict walk_leaf(struct walk *w, const struct leaf *l, struct walk_seen *seen)
{
	const struct shape *s = w->ev->shape;
	if (seen) *seen = (struct walk_seen){l->field, NULL};
	if (l->kind == LEAF_NEVER) return VERDICT_NO;
	if (!l->field.n) return keyword_holds(w, l, seen);
	int32_t first = walk_column(s, w->leaf.binding, l->field);
	if (l->kind == LEAF_FIELDREF) return fieldref_holds(w, l, first, seen);
	bool present = false;
	enum verdict all = VERDICT_NO;
	for (int32_t i = first; i >= 0 && all != VERDICT_YES; i = s->columns[i].next) {
		struct value *cell = event_cell(w->ev, (uint32_t)i);
		if (cell->kind == VALUE_ABSENT) continue;
		present = true;
		all = either(all, cell_holds(w, l, s->columns[i].name, cell, seen));
	}
	if (l->kind == LEAF_EXISTS) return verdict_of(present == l->truth);
	if (l->kind == LEAF_NULL && !present) return VERDICT_YES;
	return all;
}

enum verdict walk_node(struct walk *w, const struct node *n)
{
	enum verdict all;
	switch (n->kind) {
	case NODE_LEAF: return walk_leaf(w, n->leaf, NULL);
	case NODE_NOT:
		all = walk_node(w, n->children[0]);
		return all == VERDICT_UNDECIDED ? all : verdict_of(all == VERDICT_NO);
	case NODE_OR:
		all = VERDICT_NO;
		for (uint32_t i = 0; i < n->n && all != VERDICT_YES; i++) all = either(all, walk_node(w, n->children[i]));
		return all;
	case NODE_AND:
		all = VERDICT_YES;
		for (uint32_t i = 0; i < n->n && all != VERDICT_NO; i++) {
			enum verdict one = walk_node(w, n->children[i]);
			if (one != VERDICT_YES) all = one;
		}
		return all;
	}
	return VERDICT_NO;
}

bool walk_binding_holds(struct walk *w, const struct logsource_binding *b)
{
	enum { LONGEST = 256 }; /* the mapping data is ours */
	char folded[UTF8_FOLD_ROOM(LONGEST)];
	if (!b->when_field.n) return true;
	if (b->when_value.n > LONGEST) return false;
	const struct piece wanted = {PIECE_LITERAL, {folded, utf8_fold(b->when_value, folded)}};
	const struct leaf l = {.kind = LEAF_STRING, .field = b->when_field, .pieces = &wanted, .n_pieces = 1};
	struct walk plain = *w;
	plain.leaf.binding = NULL;
	return walk_leaf(&plain, &l, NULL) == VERDICT_YES;
}
