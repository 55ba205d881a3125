/* corr_condition.c: the two kinds of conditions that correlations have: comparisons, and a text over rule names. */
#include "rules/correlation_internal.h"

/* --- comparisons ------------------------------------------------------------------------------------------------- */

static bool number_at(struct doc *d, const struct yaml_node *value, const char *what, struct decimal *ret)
{
	bool ok = value->kind == YAML_SCALAR && decimal_of(value->text, ret);
	return ok || doc_refuse(d, value, "correlation", "condition: '%s' needs a number", what);
}

static bool read_threshold(struct doc *d, const struct yaml_node *key, const struct yaml_node *value, struct threshold *ret)
{
	static const char *const words[] = {"gt", "gte", "lt", "lte", "eq", "neq", "field", "percentile", NULL}; /* as in enum */
	enum { OPERATORS = 6 };
	for (int op = 0; op < OPERATORS; op++) {
		if (!str_eq(key->text, str_of(words[op]))) continue;
		ret->op = op;
		return number_at(d, value, words[op], &ret->value);
	}
	const char *near = nearest_word(key->text, words);
	if (near) return doc_refuse(d, key, "correlation", "condition: unknown operator '%.*s'; did you mean '%s'?", STR_FMT(key->text), near);
	return doc_refuse(d, key, "correlation", "condition: unknown operator '%.*s'; gt, gte, lt, lte, eq and neq exist", STR_FMT(key->text));
}

static bool check_fields(struct doc *d, const struct yaml_node *condition, const struct yaml_node *field, const struct correlation *c)
{
	if (c->type == CORRELATE_EVENT_COUNT || is_temporal(c->type)) {
		if (c->n_fields) doc_warn(d, field, "field has no effect here: events are counted, not values");
		return true;
	}
	if (!c->n_fields) return doc_refuse(d, condition, "correlation", "condition: field is missing: whose values are meant?");
	if (c->n_fields > REFS_MAX) return doc_refuse(d, field, "limit", "more than %d fields", REFS_MAX);
	if (c->n_fields > 1 && c->type != CORRELATE_VALUE_COUNT) return doc_refuse(d, field, "correlation", "condition: only value_count takes several fields");
	return true;
}

static bool check_percentile(struct doc *d, const struct yaml_node *condition, struct correlation *c)
{
	const struct yaml_node *percentile = yaml_get(condition, STR("percentile"));
	if (c->type != CORRELATE_VALUE_PERCENTILE) {
		if (percentile) doc_warn(d, percentile, "percentile belongs to value_percentile; it has no effect here");
		return true;
	}
	if (!percentile) return doc_refuse(d, condition, "correlation", "value_percentile needs 'percentile: N' (0 to 100) in its condition; the rarity of a value is not supported");
	if (!number_at(d, percentile, "percentile", &c->percentile)) return false;
	return (c->percentile.near >= 0 && c->percentile.near <= 100) || doc_refuse(d, percentile, "correlation", "percentile is a number from 0 to 100");
}

bool threshold_condition(struct doc *d, const struct yaml_node *condition, struct correlation *c)
{
	struct threshold *t = doc_alloc(d, condition->n, sizeof *t);
	const struct yaml_node *field = yaml_get(condition, STR("field"));
	if (!t) return false;
	for (uint32_t i = 0; i < condition->n; i++) {
		const struct yaml_node *key = condition->pairs[i].key;
		if (str_eq(key->text, STR("field")) || str_eq(key->text, STR("percentile"))) continue;
		if (!read_threshold(d, key, condition->pairs[i].value, &t[c->n_thresholds++])) return false;
	}
	c->thresholds = t;
	c->fields = names_at(d, field, "condition.field", &c->n_fields);
	if (d->error.reason.n || !check_fields(d, condition, field, c) || !check_percentile(d, condition, c)) return false;
	return c->n_thresholds || doc_refuse(d, condition, "correlation", "condition: no comparison, as in 'gte: 10'");
}

/* --- texts over rule names ------------------------------------------------------------------------------------------ */

struct extended {
	struct doc *d;
	const struct yaml_node *at;
	struct str text, token;
	size_t position;
	unsigned depth;
	struct references *r;
	bool fixed;              /* `rules` lists them */
	struct str *found;       /* otherwise: what occurs, in order */
	uint64_t used;
	uint32_t nodes;
};
_Static_assert(REFS_MAX <= 64, "extended.used has a bit for each");

static const struct corr_node *bad(struct extended *e, const char *reason)
{
	doc_refuse(e->d, e->at, "correlation", "condition: %s%.*s%s", reason, STR_FMT(e->token), e->token.n ? "'" : "its end");
	return NULL;
}

static void next(struct extended *e)
{
	struct str s = e->text;
	while (e->position < s.n && s.p[e->position] && strchr(" \t\r\n", s.p[e->position])) e->position++;
	size_t from = e->position;
	while (e->position < s.n && s.p[e->position] && !strchr(" \t\r\n()", s.p[e->position])) e->position++;
	if (e->position == from && from < s.n) e->position++;
	e->token = str_sub(s, from, e->position - from);
}

static bool is(const struct extended *e, const char *word) { return str_eq(e->token, str_of(word)); }

static const struct corr_node *corr_node(struct extended *e, enum node_kind kind, const struct corr_node *const *children, uint32_t n, uint32_t ref)
{
	enum { NODES = 4096 };
	if (++e->nodes > NODES) return doc_refuse(e->d, e->at, "limit", "condition: more than %d parts", NODES), NULL;
	struct corr_node *x = doc_alloc(e->d, 1, sizeof *x);
	if (x) *x = (struct corr_node){kind, n, children, ref};
	return x;
}

static const struct corr_node *name(struct extended *e)
{
	int64_t at = -1;
	if (!e->token.n || is(e, ")") || is(e, "and") || is(e, "or")) return bad(e, "the name of a rule is expected, not '");
	if (e->fixed) at = reference_of(e->d->set, e->r, e->token);
	for (uint32_t i = 0; !e->fixed && at < 0 && i < e->r->n; i++)
		if (str_eq(e->found[i], e->token)) at = i;
	if (at < 0 && e->fixed) return bad(e, "among the rules there is no '");
	if (at < 0 && e->r->n == REFS_MAX) return doc_refuse(e->d, e->at, "limit", "more than %d rules", REFS_MAX), NULL;
	if (at < 0) {
		at = e->r->n;
		e->found[e->r->n++] = doc_keep(e->d, e->token);
	}
	e->used |= 1ull << at;
	next(e);
	return corr_node(e, NODE_LEAF, NULL, 0, (uint32_t)at);
}

static const struct corr_node *either(struct extended *e);

static const struct corr_node *operand(struct extended *e)
{
	const struct corr_node *result = NULL;
	if (++e->depth > CONDITION_DEPTH) return doc_refuse(e->d, e->at, "limit", "condition: nested deeper than %d", CONDITION_DEPTH), NULL;
	if (is(e, "not")) {
		next(e);
		const struct corr_node **one = doc_alloc(e->d, 1, sizeof *one);
		if (one && (one[0] = operand(e))) result = corr_node(e, NODE_NOT, one, 1, 0);
	} else if (is(e, "(")) {
		next(e);
		result = either(e);
		if (result && !is(e, ")")) return bad(e, "a closing ')' is expected, not '");
		next(e);
	} else {
		result = name(e);
	}
	e->depth--;
	return result;
}

static const struct corr_node *chain(struct extended *e, const char *word, enum node_kind kind, const struct corr_node *(*part)(struct extended *))
{
	VEC(const struct corr_node *) parts = {0};
	const struct corr_node *result = part(e);
	while (result && is(e, word)) {
		if (!parts.n) vec_push(&parts, result);
		next(e);
		if ((result = part(e))) vec_push(&parts, result);
	}
	if (result && parts.n) {
		const struct corr_node **children = doc_alloc(e->d, parts.n, sizeof *children);
		if (children) memcpy(children, parts.v, parts.n * sizeof *children);
		result = children ? corr_node(e, kind, children, (uint32_t)parts.n, 0) : NULL;
	}
	vec_free(&parts);
	return result;
}
static const struct corr_node *both(struct extended *e) { return chain(e, "and", NODE_AND, operand); }
static const struct corr_node *either(struct extended *e) { return chain(e, "or", NODE_OR, both); }

const struct corr_node *extended_condition(struct doc *d, const struct yaml_node *at, struct references *r)
{
	struct extended e = {.d = d, .at = at, .text = at->text, .r = r, .fixed = r->n > 0};
	if (at->text.n > CONDITION_MAX) return doc_refuse(d, at, "limit", "the condition is longer than %d bytes", CONDITION_MAX), NULL;
	e.found = doc_alloc(d, REFS_MAX, sizeof *e.found);
	if (!e.found) return NULL;
	next(&e);
	const struct corr_node *tree = either(&e);
	if (!tree) return NULL;
	if (e.token.n) return bad(&e, "'and' or 'or' is expected, not '");
	if (!e.fixed) r->names = e.found;
	for (uint32_t i = 0; i < r->n; i++)
		if (!(e.used >> i & 1)) return doc_refuse(d, at, "correlation", "condition: rule '%.*s' is listed but does not occur in it", STR_FMT(r->names[i])), NULL;
	return tree;
}
