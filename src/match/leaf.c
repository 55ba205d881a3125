/* leaf.c: one condition against one value. See leaf_internal.h. */
#include "match/leaf_internal.h"
#include "match/plan_internal.h"
#include "text/utf.h"

bool string_op_holds(enum string_op op, struct str a, struct str b)
{
	switch (op) {
	case STRING_EQUALS: return str_eq(a, b);
	case STRING_CONTAINS: return str_find(a, b, 0) != SIZE_MAX;
	case STRING_STARTS: return str_starts(a, b);
	case STRING_ENDS: return str_ends(a, b);
	}
	return false;
}

bool pattern_literal(const struct leaf *l, struct str *ret)
{
	if (l->n_pieces > 1 || (l->n_pieces == 1 && l->pieces[0].kind != PIECE_LITERAL)) return false;
	*ret = l->n_pieces ? l->pieces[0].literal : (struct str){"", 0};
	return true;
}

bool leaf_plain_text(const struct leaf *l, struct str *ret)
{
	if (l->kind == LEAF_STRING && l->field.n) return pattern_literal(l, ret);
	if (l->kind != LEAF_BOOL) return false;
	*ret = l->truth ? STR("true") : STR("false");
	return true;
}

bool leaf_renamed_value(const struct leaf *l, const struct logsource_binding *b, uint32_t *i, struct str *ret)
{
	struct str own;
	if (!b || !b->n_values || !leaf_plain_text(l, &own)) return false;
	for (; *i < b->n_values; (*i)++) {
		const struct value_rename *r = &b->values[*i];
		/* Sigma's own words in the mapping data are ASCII. */
		if (!str_eq(r->rule_field, l->field) || !str_eq_nocase(r->rule_value, own)) continue;
		*ret = r->event_value;
		(*i)++;
		return true;
	}
	return false;
}

/* s as the leaf compares it: folded, or as it is. p == NULL: too large. */
static struct str folded(const struct leaf_context *c, struct str s, bool cased)
{
	if (cased) return s;
	return utf8_fold_arena(c->scratch, s);
}

static enum verdict renamed_holds(const struct leaf_context *c, const struct leaf *l, struct str text)
{
	struct str other;
	for (uint32_t i = 0; leaf_renamed_value(l, c->binding, &i, &other);) {
		struct str a = folded(c, text, false), b = folded(c, other, false);
		if (!a.p || !b.p) return VERDICT_UNDECIDED;
		if (str_eq(a, b)) return VERDICT_YES;
	}
	return VERDICT_NO;
}

static enum verdict string_holds(const struct leaf_context *c, const struct leaf *l, struct str text)
{
	struct str s = folded(c, text, l->cased);
	if (!s.p && text.n) return VERDICT_UNDECIDED;
	if (pattern_holds(l->pieces, l->n_pieces, !l->field.n, s)) return VERDICT_YES;
	return renamed_holds(c, l, text);
}

/* What is no number is compared as text with what the rule writes (VAL-4); keywords look for that text (KW-3). */
static enum verdict number_leaf_holds(const struct leaf_context *c, const struct leaf *l, struct value *v)
{
	struct number n;
	if (l->field.n && number_of_value(v, &n)) return verdict_of(number_holds(&n, COMPARE_EQ, l));
	if (l->field.n && v->kind != VALUE_STR) return VERDICT_NO;
	struct str text = folded(c, value_text(v, c->text), false), own = folded(c, l->written, false);
	if (!text.p || !own.p) return VERDICT_UNDECIDED;
	return verdict_of(string_op_holds(l->field.n ? STRING_EQUALS : STRING_CONTAINS, text, own));
}

static enum verdict bool_holds(const struct leaf_context *c, const struct leaf *l, struct value *v)
{
	if (v->kind == VALUE_BOOL) return verdict_of(v->b == l->truth);
	if (v->kind != VALUE_STR) return VERDICT_NO;
	struct str text = folded(c, v->text, false);
	if (!text.p) return VERDICT_UNDECIDED;
	if (str_eq(text, l->truth ? STR("true") : STR("false"))) return VERDICT_YES;
	return renamed_holds(c, l, v->text);
}

static enum verdict time_holds(const struct leaf *l, const struct value *v)
{
	struct number n = {.kind = NUMBER_INT};
	return verdict_of(time_part_of(v, l->part, &n.i) && number_holds(&n, l->op, l));
}

static enum verdict scalar_holds(const struct leaf_context *c, const struct leaf *l, struct value *v)
{
	struct number n;
	struct address a;
	switch (l->kind) {
	case LEAF_STRING: return string_holds(c, l, value_text(v, c->text));
	case LEAF_NUMBER: return number_leaf_holds(c, l, v);
	case LEAF_BOOL: return bool_holds(c, l, v);
	case LEAF_EMPTY: return verdict_of(l->field.n && v->kind == VALUE_STR && !v->text.n);
	case LEAF_REGEX: return regex_verdict(plan_regex(c->plan, l), value_text(v, c->text));
	case LEAF_CIDR: return verdict_of(v->kind == VALUE_STR && address_parse(v->text, &a) && address_in(&a, l));
	case LEAF_COMPARE: return verdict_of(number_of_value(v, &n) && number_holds(&n, l->op, l));
	case LEAF_TIMEPART: return time_holds(l, v);
	case LEAF_NULL: case LEAF_EXISTS: case LEAF_FIELDREF: case LEAF_NEVER: break;
	}
	return VERDICT_NO;
}

enum verdict leaf_holds(const struct leaf_context *c, const struct leaf *l, struct value *v)
{
	switch ((enum value_kind)v->kind) {
	case VALUE_UNREAD: case VALUE_ABSENT: case VALUE_NULL: case VALUE_LIST: return VERDICT_NO;
	case VALUE_STR: case VALUE_INT: case VALUE_UINT: case VALUE_REAL: case VALUE_BOOL: break;
	}
	enum verdict verdict = scalar_holds(c, l, v);
	if (c->scratch->used) arena_reset(c->scratch);
	return verdict;
}
