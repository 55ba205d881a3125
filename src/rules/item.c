/* item.c: "field|modifiers: values" to a tree: values started, modifiers applied, leaves made (DET-3, DET-8, DET-9, KW-1 .. KW-4). */
#include "rules/value_internal.h"
#include "text/regex.h"
#include "text/utf.h"

/* What came with a filter has no items in the rule. */
static uint32_t item_id(const struct item *it) { return it->d->in_filter ? 0 : (uint32_t)it->d->items.n; }

/* --- leaves ------------------------------------------------------------------------------------------------------ */

/* Pieces of equal spelling are common (windash repeats all but the dash): interned by their text. */
static bool set_pieces(struct item *it, const struct alternatives *a, struct leaf *l, const struct pattern *from)
{
	struct pattern p = *from;
	/* A keyword is searched in the text (KW-2). */
	if (!it->field.n && !pattern_affix(it->d, &p, true, true, &p)) return false;
	l->kind = p.n ? LEAF_STRING : LEAF_EMPTY;
	if (!p.n) return true;
	if (!it->field.n && p.n == 1) doc_warn(it->d, a->node, "this keyword is in every event");
	struct piece *pieces = doc_alloc(it->d, p.n, sizeof *pieces);
	if (!pieces) return false;
	for (uint32_t i = 0; i < p.n; i++) {
		struct str text = p.parts[i].text;
		pieces[i] = (struct piece){(enum piece_kind)p.parts[i].kind, {"", 0}};
		if (p.parts[i].kind != PART_LITERAL) continue;
		if (!it->cased) text = utf8_fold_arena(&it->d->set->scratch, text);
		if (!text.p) return doc_limit(it->d) != NULL;
		pieces[i].literal = doc_keep(it->d, text);
		if (!pieces[i].literal.p) return false;
	}
	l->pieces = pieces;
	l->n_pieces = p.n;
	return true;
}
_Static_assert((int)PIECE_LITERAL == (int)PART_LITERAL && (int)PIECE_ANY == (int)PART_ANY && (int)PIECE_ONE == (int)PART_ONE, "the same three");

static bool set_regex(struct item *it, const struct alternatives *a, const struct val *v, struct leaf *l)
{
	struct fault f = FAULT_INIT;
	unsigned flags = (v->re_i ? REGEX_NOCASE : 0) | (v->re_m ? REGEX_MULTILINE : 0) | (v->re_s ? REGEX_DOTALL : 0);
	struct regex *re = regex_compile(v->text, flags, &f);
	regex_free(re);
	l->kind = LEAF_REGEX;
	l->regex = v->text.p == a->written.p ? v->text : doc_keep(it->d, v->text);
	l->re_i = v->re_i;
	l->re_m = v->re_m;
	l->re_s = v->re_s;
	if (re) return l->regex.p != NULL;
	/* f.offset counts in the pattern; on one plain line that is a place in the file. */
	bool at = f.offset <= v->text.n && a->node->style != YAML_BLOCK && v->text.p == a->written.p;
	uint32_t column = a->node->column + (at ? (uint32_t)f.offset + (a->node->style == YAML_QUOTED) : 0);
	/* Paths are what this happens to. */
	const char *hint = strstr(f.text, "follows \\") ? "; a backslash itself is written \\\\" : "";
	return doc_refuse_at(it->d, a->node->line, column, "regex", "regular expression: %s%s", f.text, hint);
}

/* A keyword that is no text is searched as it is written (KW-3); null says nothing (KW-4). */
static bool set_keyword(struct item *it, const struct alternatives *a, const struct val *v, struct leaf *l)
{
	struct pattern p;
	if (v->kind == VAL_NULL) {
		doc_warn(it->d, a->node, "null as a keyword never matches");
		l->kind = LEAF_NEVER;
		return true;
	}
	return pattern_parse(it->d, v->text, false, &p) && set_pieces(it, a, l, &p);
}

static void set_net(struct leaf *l, const struct val *v)
{
	l->kind = LEAF_CIDR;
	memcpy(l->net, v->net, sizeof l->net);
	l->net_v6 = v->net_v6;
	l->net_bits = v->net_bits;
}

static void set_number(struct leaf *l, const struct val *v, enum leaf_kind kind)
{
	l->kind = kind;
	l->is_integer = v->is_integer;
	l->integer = v->integer;
	l->real = v->real;
	l->op = v->op;
	l->part = v->part;
}

static bool set_leaf(struct item *it, const struct alternatives *a, const struct val *v, struct leaf *l)
{
	if (!it->field.n && (v->kind == VAL_NUM || v->kind == VAL_BOOL || v->kind == VAL_NULL)) return set_keyword(it, a, v, l);
	switch (v->kind) {
	case VAL_STR: return set_pieces(it, a, l, &v->pattern);
	case VAL_REGEX: return set_regex(it, a, v, l);
	case VAL_NUM: set_number(l, v, LEAF_NUMBER); return true;
	case VAL_COMPARE: set_number(l, v, LEAF_COMPARE); return true;
	case VAL_TIMEPART: set_number(l, v, LEAF_TIMEPART); return true;
	case VAL_BOOL: l->kind = LEAF_BOOL; l->truth = v->truth; return true;
	case VAL_EXISTS: l->kind = LEAF_EXISTS; l->truth = v->truth; return true;
	case VAL_NULL: l->kind = LEAF_NULL; return true;
	case VAL_CIDR: set_net(l, v); return true;
	case VAL_FIELDREF: l->kind = LEAF_FIELDREF; l->other_field = v->text; l->string_op = v->string_op; return true;
	}
	return false;
}

static const struct node *leaf_node(struct item *it, const struct alternatives *a, const struct val *v, uint32_t search)
{
	struct leaf *l = doc_alloc(it->d, 1, sizeof *l);
	struct node *n = doc_alloc(it->d, 1, sizeof *n);
	if (!l || !n) return NULL;
	*l = (struct leaf){.field = it->field, .cased = it->cased, .written = a->written, .line = a->node->line, .column = a->node->column, .search = search};
	*n = (struct node){.kind = NODE_LEAF, .leaf = l, .item = item_id(it)};
	return set_leaf(it, a, v, l) ? n : NULL;
}

/* --- the item ---------------------------------------------------------------------------------------------------- */

static const struct node *value_tree(struct item *it, const struct alternatives *a, uint32_t search)
{
	if (a->n == 1) return leaf_node(it, a, &a->v[0], search);
	const struct node **children = doc_alloc(it->d, a->n, sizeof *children);
	for (uint32_t i = 0; children && i < a->n; i++)
		if (!(children[i] = leaf_node(it, a, &a->v[i], search))) return NULL;
	return children ? node_new(it->d, NODE_OR, children, a->n) : NULL;
}

static const struct node *join(struct item *it, uint32_t search)
{
	const struct node **children = doc_alloc(it->d, it->n_values, sizeof *children);
	for (uint32_t i = 0; children && i < it->n_values; i++)
		if (!(children[i] = value_tree(it, &it->values[i], search))) return NULL;
	if (!children) return NULL;
	struct node *tree = (struct node *)(it->n_values == 1 ? children[0] : node_new(it->d, it->all ? NODE_AND : NODE_OR, children, it->n_values));
	if (tree && it->neq) {
		const struct node **one = doc_alloc(it->d, 1, sizeof *one);
		if (!one) return NULL;
		one[0] = tree;
		if ((tree = (struct node *)node_new(it->d, NODE_NOT, one, 1))) tree->negated_item = true;
	}
	if (tree) tree->item = item_id(it);
	return tree;
}

/* The values: a list's members, or the one; an empty list means null (DET-8). */
static bool start_values(struct item *it, const struct yaml_node *value)
{
	static const struct yaml_node null_node = {.kind = YAML_SCALAR, .style = YAML_PLAIN, .text = {"", 0}};
	bool empty = value->kind == YAML_SEQ && !value->n;
	if (empty && !it->field.n) return doc_refuse(it->d, it->key, "detection", "an empty list of keywords matches nothing");
	it->n_values = value->kind == YAML_SEQ && !empty ? value->n : 1;
	it->values = doc_scratch(it->d, it->n_values, sizeof *it->values);
	for (uint32_t i = 0; it->values && i < it->n_values; i++) {
		const struct yaml_node *node = empty ? &null_node : value->kind == YAML_SEQ ? value->items[i] : value;
		if (node->kind != YAML_SCALAR)
			return doc_refuse(it->d, node, "detection", "a value is a text, number, true, false or null, not a %s", node->kind == YAML_MAP ? "map" : "list in a list");
		if (!value_start(it, node, &it->values[i])) return false;
		if (empty) it->values[i].node = value;
		if (it->n_values > 1 && it->values[i].v[0].kind == VAL_NULL)
			doc_warn(it->d, node, "the specification does not allow null in a list; it is taken as one of the alternatives");
	}
	return it->values != NULL;
}

static bool mentions(struct str modifiers, struct str wanted)
{
	while (modifiers.p)
		if (str_eq(str_cut(&modifiers, '|'), wanted)) return true;
	return false;
}

const struct node *item_tree(struct doc *d, const struct yaml_node *key, const struct yaml_node *value, uint32_t search)
{
	bool keyword = key == value;
	struct str modifiers = keyword ? (struct str){NULL, 0} : key->text, field = keyword ? (struct str){"", 0} : str_cut(&modifiers, '|');
	struct item it = {.d = d, .key = key, .field = doc_intern(d, field), .expands = mentions(modifiers, STR("expand"))};
	struct rule_item shown = {keyword ? STR("") : doc_intern(d, key->text), it.field, key->line, key->column, search, false};
	if (!it.field.p || !shown.key.p) return NULL;
	vec_push(&d->items, shown);
	if (!start_values(&it, value) || !modifiers_apply(&it, modifiers)) return NULL;
	if (it.all && it.n_values == 1) doc_warn(d, key, "'all' has no effect on a single value");
	d->items.v[d->items.n - 1].all = it.all;
	return join(&it, search);
}
