/* correlation.c: correlation documents, read and checked (COR-1 .. COR-19), resolved against the rules they name. */
#include "rules/rules_internal.h"
#include <stdlib.h>

enum { REFS_MAX = 64, CHAIN_MAX = 16 };

static const struct { const char *word; enum correlation_type type; } types[] = {
	{"event_count", CORRELATE_EVENT_COUNT}, {"value_count", CORRELATE_VALUE_COUNT}, {"temporal", CORRELATE_TEMPORAL},
	{"temporal_ordered", CORRELATE_TEMPORAL_ORDERED}, {"value_sum", CORRELATE_VALUE_SUM}, {"value_avg", CORRELATE_VALUE_AVG},
	{"value_percentile", CORRELATE_VALUE_PERCENTILE}, {"value_median", CORRELATE_VALUE_MEDIAN},
};

static bool is_temporal(enum correlation_type t) { return t == CORRELATE_TEMPORAL || t == CORRELATE_TEMPORAL_ORDERED; }
static bool needs_field(enum correlation_type t) { return t != CORRELATE_EVENT_COUNT && !is_temporal(t); }

static bool read_type(struct doc *d, const struct yaml_node *section, struct correlation *c)
{
	const struct yaml_node *type = yaml_get(section, STR("type"));
	const char *names[COUNT(types) + 1] = {0};
	if (!type || type->kind != YAML_SCALAR) return doc_refuse(d, section, "correlation", "correlation: type is missing");
	for (size_t i = 0; i < COUNT(types); i++) {
		names[i] = types[i].word;
		if (!str_eq(type->text, str_of(types[i].word))) continue;
		c->type = types[i].type;
		return true;
	}
	const char *near = nearest_word(type->text, names);
	return doc_refuse(d, type, "correlation", near ? "there is no correlation type '%.*s'; did you mean '%s'?" : "there is no correlation type '%.*s'", STR_FMT(type->text), near);
}

static bool read_timespan(struct doc *d, const struct yaml_node *section, struct correlation *c)
{
	/* M and y as pySigma and others read them: mean Gregorian month and year. */
	static const struct { char unit; int64_t seconds; } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}, {'M', 2629746}, {'y', 31556952}};
	const struct yaml_node *span = yaml_get(section, STR("timespan"));
	if (!span) span = yaml_get(section, STR("timeframe"));
	uint64_t n;
	if (!span || span->kind != YAML_SCALAR) return doc_refuse(d, section, "correlation", "correlation: timespan is missing, as in 5m");
	struct str s = span->text;
	for (size_t i = 0; i < COUNT(units); i++) {
		if (s.n < 2 || s.p[s.n - 1] != units[i].unit || !str_u64(str_sub(s, 0, s.n - 1), &n)) continue;
		if (n > (uint64_t)INT64_MAX / 1000000000 / (uint64_t)units[i].seconds) return doc_refuse(d, span, "correlation", "the timespan is too long");
		c->timespan_ns = (int64_t)n * units[i].seconds * 1000000000;
		return true;
	}
	return doc_refuse(d, span, "correlation", "'%.*s' is no timespan: a number and one of s m h d w M y", STR_FMT(s));
}

static const struct str *read_names(struct doc *d, const struct yaml_node *node, const char *what, uint32_t *ret_n)
{
	*ret_n = 0;
	if (!node) return NULL;
	uint32_t n = node->kind == YAML_SEQ ? node->n : 1;
	struct str *v = doc_alloc(d, n, sizeof *v);
	for (uint32_t i = 0; v && i < n; i++) {
		const struct yaml_node *x = node->kind == YAML_SEQ ? node->items[i] : node;
		if (x->kind != YAML_SCALAR || !x->text.n) {
			doc_refuse(d, x, "correlation", "correlation: %s must be a name or a list of names", what);
			return NULL;
		}
		v[(*ret_n)++] = x->text;
	}
	return v;
}

static bool read_threshold(struct doc *d, const struct yaml_node *key, const struct yaml_node *value, struct threshold *ret)
{
	static const char *const words[] = {"gt", "gte", "lt", "lte", "eq", "neq", NULL};
	char copy[64], *end;
	int op = 0;
	while (words[op] && !str_eq(key->text, str_of(words[op]))) op++;
	if (!words[op]) {
		const char *near = nearest_word(key->text, words);
		return doc_refuse(d, key, "correlation", near ? "condition: unknown operator '%.*s'; did you mean '%s'?" : "condition: unknown operator '%.*s'", STR_FMT(key->text), near);
	}
	enum yaml_type type = value->kind == YAML_SCALAR ? yaml_type(value) : YAML_IS_STR;
	if ((type != YAML_IS_INT && type != YAML_IS_FLOAT) || value->text.n >= sizeof copy) return doc_refuse(d, value, "correlation", "condition: '%.*s' needs a number", STR_FMT(key->text));
	memcpy(copy, value->text.p, value->text.n);
	copy[value->text.n] = 0;
	ret->op = op;
	ret->value = strtod(copy, &end);
	return *end ? doc_refuse(d, value, "correlation", "condition: '%.*s' needs a number", STR_FMT(key->text)) : true;
}

static bool read_condition(struct doc *d, const struct yaml_node *condition, struct correlation *c)
{
	struct threshold *t = doc_alloc(d, condition->n, sizeof *t);
	const struct yaml_node *field = NULL;
	bool percentile = false;
	if (!t) return false;
	for (uint32_t i = 0; i < condition->n; i++) {
		const struct yaml_node *key = condition->pairs[i].key, *value = condition->pairs[i].value;
		if (str_eq(key->text, STR("field"))) field = value;
		else if (str_eq(key->text, STR("percentile"))) {
			struct threshold p;
			struct yaml_node as_eq = *key;
			as_eq.text = STR("eq");
			if (!read_threshold(d, &as_eq, value, &p)) return false;
			if (p.value < 0 || p.value > 100) return doc_refuse(d, value, "correlation", "percentile is a number from 0 to 100");
			c->percentile = p.value;
			percentile = true;
		} else if (!read_threshold(d, key, value, &t[c->n_thresholds++])) return false;
	}
	c->thresholds = t;
	c->fields = read_names(d, field, "condition.field", &c->n_fields);
	if (d->error.reason.n) return false;
	if (needs_field(c->type) && !c->n_fields) return doc_refuse(d, condition, "correlation", "condition: field is missing: which field's values are meant?");
	if (c->n_fields > 1 && c->type != CORRELATE_VALUE_COUNT) return doc_refuse(d, field, "correlation", "condition: only value_count takes several fields");
	if (c->type == CORRELATE_VALUE_PERCENTILE && !percentile)
		return doc_refuse(d, condition, "correlation", "value_percentile needs 'percentile: N' (0 to 100) in its condition; the rarity of a value is not supported");
	if (!c->n_thresholds) return doc_refuse(d, condition, "correlation", "condition: no comparison, as in 'gte: 10'");
	return true;
}

/* --- extended conditions: and, or, not, brackets over rule names (COR-15) --- */

struct extended {
	struct doc *d;
	const struct yaml_node *at;
	struct str text, token;
	size_t position;
	unsigned depth;
	const struct str *names; /* of the referenced rules, grows when `rules` is left out */
	struct str *found;
	uint32_t n_names, n_found;
	bool fixed;              /* the names were given by `rules` */
	uint64_t used;
};

static void next(struct extended *e)
{
	struct str s = e->text;
	while (e->position < s.n && strchr(" \t\r\n", s.p[e->position])) e->position++;
	size_t from = e->position;
	while (e->position < s.n && !strchr(" \t\r\n()", s.p[e->position])) e->position++;
	if (e->position == from && from < s.n) e->position++;
	e->token = str_sub(s, from, e->position - from);
}

static const struct corr_node *corr_node(struct extended *e, enum node_kind kind, const struct corr_node *const *children, uint32_t n, uint32_t ref)
{
	struct corr_node *x = doc_alloc(e->d, 1, sizeof *x);
	if (x) *x = (struct corr_node){kind, n, children, ref};
	return x;
}

static const struct corr_node *either(struct extended *e);

static const struct corr_node *operand(struct extended *e)
{
	if (++e->depth > CONDITION_DEPTH) return doc_refuse(e->d, e->at, "limit", "condition: nested deeper than %d", CONDITION_DEPTH), NULL;
	const struct corr_node *result = NULL;
	if (str_eq(e->token, STR("not"))) {
		next(e);
		const struct corr_node **one = doc_alloc(e->d, 1, sizeof *one);
		if (one && (one[0] = operand(e))) result = corr_node(e, NODE_NOT, one, 1, 0);
	} else if (str_eq(e->token, STR("("))) {
		next(e);
		result = either(e);
		if (result && !str_eq(e->token, STR(")"))) return doc_refuse(e->d, e->at, "correlation", "condition: a closing ')' is missing"), NULL;
		next(e);
	} else {
		uint32_t i = 0;
		const struct str *names = e->fixed ? e->names : e->found;
		uint32_t n = e->fixed ? e->n_names : e->n_found;
		while (i < n && !str_eq(names[i], e->token)) i++;
		if (!e->token.n || str_eq(e->token, STR(")"))) return doc_refuse(e->d, e->at, "correlation", "condition: a rule's name is expected"), NULL;
		if (i == n && e->fixed) return doc_refuse(e->d, e->at, "correlation", "condition: '%.*s' is not among the rules", STR_FMT(e->token)), NULL;
		if (i == n && n >= REFS_MAX) return doc_refuse(e->d, e->at, "limit", "more than %d rules", REFS_MAX), NULL;
		if (i == n) e->found[e->n_found++] = e->token;
		e->used |= 1ull << i;
		next(e);
		result = corr_node(e, NODE_LEAF, NULL, 0, i);
	}
	e->depth--;
	return result;
}

static const struct corr_node *chain(struct extended *e, const char *word, enum node_kind kind, const struct corr_node *(*part)(struct extended *))
{
	const struct corr_node *left = part(e);
	while (left && str_eq(e->token, str_of(word))) {
		const struct corr_node **two = doc_alloc(e->d, 2, sizeof *two);
		if (!two) return NULL;
		next(e);
		two[0] = left;
		two[1] = part(e);
		left = two[1] ? corr_node(e, kind, two, 2, 0) : NULL;
	}
	return left;
}
static const struct corr_node *both(struct extended *e) { return chain(e, "and", NODE_AND, operand); }
static const struct corr_node *either(struct extended *e) { return chain(e, "or", NODE_OR, both); }

static bool read_extended(struct doc *d, const struct yaml_node *condition, const struct str **names, uint32_t *n_names, struct correlation *c)
{
	struct extended e = {.d = d, .at = condition, .text = condition->text, .names = *names, .n_names = *n_names, .fixed = *n_names > 0};
	if (!is_temporal(c->type)) return doc_refuse(d, condition, "correlation", "a condition over rule names belongs to temporal and temporal_ordered");
	if (condition->text.n > CONDITION_MAX) return doc_refuse(d, condition, "limit", "the condition is too long");
	e.found = doc_alloc(d, REFS_MAX, sizeof *e.found);
	if (!e.found) return false;
	next(&e);
	c->extended = either(&e);
	if (!c->extended) return false;
	if (e.token.n) return doc_refuse(d, condition, "correlation", "condition: '%.*s' is not expected here", STR_FMT(e.token));
	if (!e.fixed) {
		*names = e.found;
		*n_names = e.n_found;
		return true;
	}
	for (uint32_t i = 0; i < e.n_names; i++)
		if (!(e.used >> i & 1)) return doc_refuse(d, condition, "correlation", "condition: rule '%.*s' is listed but does not occur in it", STR_FMT(e.names[i]));
	return true;
}

/* --- one document --- */

static bool read_aliases(struct doc *d, const struct yaml_node *aliases, const struct str *refs, struct correlation *c)
{
	if (!aliases) return true;
	if (aliases->kind != YAML_MAP) return doc_refuse(d, aliases, "correlation", "aliases must be a map: alias: {rule: field}");
	struct corr_alias *v = doc_alloc(d, aliases->n, sizeof *v);
	if (!v) return false;
	for (uint32_t i = 0; i < aliases->n; i++) {
		const struct yaml_node *map = aliases->pairs[i].value;
		struct str *fields = doc_alloc(d, c->n_refs, sizeof *fields);
		if (!fields) return false;
		if (map->kind != YAML_MAP) return doc_refuse(d, map, "correlation", "an alias is a map: rule: field");
		for (uint32_t k = 0; k < map->n; k++) {
			uint32_t r = 0;
			while (r < c->n_refs && !str_eq(refs[r], map->pairs[k].key->text)) r++;
			if (r == c->n_refs) return doc_refuse(d, map->pairs[k].key, "correlation", "alias: '%.*s' is not among the rules", STR_FMT(map->pairs[k].key->text));
			fields[r] = map->pairs[k].value->text;
		}
		v[c->n_aliases++] = (struct corr_alias){aliases->pairs[i].key->text, fields};
	}
	c->aliases = v;
	return true;
}

static bool resolve_refs(struct doc *d, const struct yaml_node *section, const struct str *names, uint32_t n, struct correlation *c)
{
	uint32_t *refs = doc_alloc(d, n, sizeof *refs);
	const struct yaml_node *rules = yaml_get(section, STR("rules"));
	if (!refs) return false;
	if (!n) return doc_refuse(d, section, "correlation", "correlation: rules is missing (ids or names)");
	if (n > REFS_MAX) return doc_refuse(d, rules, "limit", "more than %d rules in one correlation", REFS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		int64_t at = set_find(d->set, names[i]);
		if (at < 0) return doc_refuse(d, rules ? rules : section, "correlation", "there is no rule with the id or name '%.*s' among those loaded", STR_FMT(names[i]));
		refs[i] = (uint32_t)at;
	}
	c->refs = refs;
	c->n_refs = n;
	return true;
}

static bool read_section(struct doc *d, const struct yaml_node *root, struct correlation *c)
{
	const struct yaml_node *section = yaml_get(root, STR("correlation"));
	if (section->kind != YAML_MAP) return doc_refuse(d, section, "correlation", "correlation must be a map: type, rules, timespan, condition");
	const struct yaml_node *condition = yaml_get(section, STR("condition")), *generate = yaml_get(section, STR("generate"));
	if (!generate) generate = yaml_get(root, STR("generate"));
	uint32_t n;
	if (!read_type(d, section, c) || !read_timespan(d, section, c)) return false;
	const struct str *names = read_names(d, yaml_get(section, STR("rules")), "rules", &n);
	c->group_by = read_names(d, yaml_get(section, STR("group-by")), "group-by", &c->n_group_by);
	if (d->error.reason.n) return false;
	if (condition && condition->kind == YAML_SCALAR && !read_extended(d, condition, &names, &n, c)) return false;
	if (condition && condition->kind == YAML_MAP && !read_condition(d, condition, c)) return false;
	if (!condition && !is_temporal(c->type)) return doc_refuse(d, section, "correlation", "correlation: condition is missing, as in {gte: 10}");
	if (condition && condition->kind == YAML_SEQ) return doc_refuse(d, condition, "correlation", "the condition is a map of comparisons or a text over rule names");
	if (generate) {
		if (generate->kind != YAML_SCALAR || yaml_type(generate) != YAML_IS_BOOL) return doc_refuse(d, generate, "correlation", "generate is true or false");
		c->generate = generate->text.p[0] == 't' || generate->text.p[0] == 'T';
	}
	return resolve_refs(d, section, names, n, c) && read_aliases(d, yaml_get(section, STR("aliases")), names, c);
}

/* The names in document order are known before any is resolved, so that correlations may refer to later ones. */
static void number_all(struct rule_set *s)
{
	for (size_t i = 0; i < s->correlations.n; i++) {
		struct pending *p = &s->correlations.v[i];
		struct doc d = {.set = s, .arena = &s->arena, .file = p->rule->info.file, .file_text = p->file_text};
		if (!read_metadata(&d, p->root, p->rule)) {
			set_refuse(s, &d);
			p->rule = NULL;
			continue;
		}
		p->rule->index = (uint32_t)s->rules.n;
		vec_push(&s->rules, p->rule);
	}
}

/* Longest chain of correlations from this one down; more than CHAIN_MAX also when there is a cycle. */
static unsigned chain_length(const struct rule_set *s, const struct rule *r, unsigned depth)
{
	unsigned longest = 0;
	if (!r->correlation || depth > CHAIN_MAX) return depth;
	for (uint32_t i = 0; i < r->correlation->n_refs; i++) {
		unsigned n = chain_length(s, s->rules.v[r->correlation->refs[i]], depth + 1);
		if (n > longest) longest = n;
		if (longest > CHAIN_MAX) return longest;
	}
	return longest;
}

/* Takes a rule out of the set again; indices behind it move, so this happens before anything refers to them. */
static void drop(struct rule_set *s, struct rule *r)
{
	size_t at = 0;
	while (s->rules.v[at] != r) at++;
	memmove(&s->rules.v[at], &s->rules.v[at + 1], (s->rules.n - at - 1) * sizeof *s->rules.v);
	s->rules.n--;
	for (size_t i = at; i < s->rules.n; i++) s->rules.v[i]->index = (uint32_t)i;
}

static void add_keep(struct doc *d, struct rule *r, struct str field)
{
	for (uint32_t i = 0; i < r->n_keep; i++)
		if (str_eq(r->keep[i], field)) return;
	struct str *keep = doc_alloc(d, r->n_keep + 1, sizeof *keep);
	if (!keep) return;
	if (r->n_keep) memcpy(keep, r->keep, r->n_keep * sizeof *keep);
	keep[r->n_keep++] = field;
	r->keep = keep;
}

static struct str field_for(const struct correlation *c, uint32_t ref, struct str name)
{
	for (uint32_t i = 0; i < c->n_aliases; i++)
		if (str_eq(c->aliases[i].alias, name) && c->aliases[i].fields[ref].n) return c->aliases[i].fields[ref];
	return name;
}

/* Which fields the events of a rule must bring along for `c` (COR-16, COR-18), down through nested correlations. */
static void keep_for(struct doc *d, const struct correlation *c, uint32_t ref, struct rule *r, unsigned depth)
{
	struct rule_set *s = d->set;
	if (depth > CHAIN_MAX) return;
	for (uint32_t i = 0; i < c->n_group_by; i++) add_keep(d, r, field_for(c, ref, c->group_by[i]));
	for (uint32_t i = 0; i < c->n_fields; i++) add_keep(d, r, field_for(c, ref, c->fields[i]));
	for (uint32_t i = 0; r->correlation && i < r->correlation->n_refs; i++) {
		struct rule *inner = s->rules.v[r->correlation->refs[i]];
		keep_for(d, r->correlation, i, inner, depth + 1);
		/* The outer one may ask for fields that the inner one does not group by. */
		for (uint32_t k = 0; k < r->n_keep; k++) add_keep(d, inner, field_for(r->correlation, i, r->keep[k]));
	}
}

static bool resolve_one(struct rule_set *s, struct pending *p)
{
	struct doc d = {.set = s, .arena = &s->arena, .file = p->rule->info.file, .file_text = p->file_text};
	struct correlation *c = doc_alloc(&d, 1, sizeof *c);
	bool ok = c && read_section(&d, p->root, c);
	if (ok) {
		p->rule->correlation = c;
		if (chain_length(s, p->rule, 0) > CHAIN_MAX)
			ok = doc_refuse(&d, yaml_get(p->root, STR("correlation")), "correlation", "correlations refer to each other in a circle, or in a chain longer than %d", CHAIN_MAX);
	}
	if (ok) return true;
	p->rule->correlation = NULL;
	set_refuse(s, &d);
	return false;
}

void correlations_resolve(struct rule_set *s)
{
	number_all(s);
	/* Dropping one changes indices and may leave others without their rule: begin again until all that is left resolves. */
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < s->correlations.n && !again; i++) {
			struct pending *p = &s->correlations.v[i];
			if (!p->rule || resolve_one(s, p)) continue;
			drop(s, p->rule);
			p->rule = NULL;
			again = true;
		}
		for (size_t i = 0; again && i < s->correlations.n; i++)
			if (s->correlations.v[i].rule) s->correlations.v[i].rule->correlation = NULL;
	}
	for (size_t i = 0; i < s->correlations.n; i++) {
		struct pending *p = &s->correlations.v[i];
		if (!p->rule) continue;
		const struct correlation *c = p->rule->correlation;
		struct doc d = {.set = s, .arena = &s->arena, .file = p->rule->info.file, .file_text = p->file_text};
		for (uint32_t k = 0; k < c->n_refs; k++) {
			struct rule *r = s->rules.v[c->refs[k]];
			keep_for(&d, c, k, r, 0);
			if (!c->generate) r->report = false;
		}
	}
}
