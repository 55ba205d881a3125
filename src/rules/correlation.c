/* correlation.c: correlation documents, read and checked (COR-1 .. COR-19). How they fit together: corr_resolve.c. */
#include "rules/correlation_internal.h"

static bool read_type(struct doc *d, const struct yaml_node *section, struct correlation *c)
{
	static const char *const words[] = {"event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile", "value_median",
		NULL}; /* as in enum correlation_type */
	const struct yaml_node *type = yaml_get(section, STR("type"));
	if (!type || type->kind != YAML_SCALAR) return doc_refuse(d, type ? type : section, "correlation", "correlation: type is missing: event_count, value_count, temporal, ...");
	for (int i = 0; words[i]; i++) {
		if (!str_eq(type->text, str_of(words[i]))) continue;
		c->type = (enum correlation_type)i;
		return true;
	}
	const char *near = nearest_word(type->text, words);
	if (near) return doc_refuse(d, type, "correlation", "there is no correlation type '%.*s'; did you mean '%s'?", STR_FMT(type->text), near);
	return doc_refuse(d, type, "correlation", "there is no correlation type '%.*s'", STR_FMT(type->text));
}

static bool read_timespan(struct doc *d, const struct yaml_node *section, struct correlation *c)
{
	/* M and y are the mean month and year of the Gregorian calendar. */
	static const struct { char unit; int64_t seconds; } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}, {'M', 2629746}, {'y', 31556952}};
	static const int64_t second = 1000000000;
	const struct yaml_node *span = yaml_get(section, STR("timespan"));
	uint64_t n;
	if (!span && (span = yaml_get(section, STR("timeframe")))) doc_warn(d, span, "the key is 'timespan'");
	if (!span || span->kind != YAML_SCALAR) return doc_refuse(d, span ? span : section, "correlation", "correlation: timespan is missing, as in 5m");
	struct str s = span->text;
	for (size_t i = 0; i < COUNT(units); i++) {
		if (s.n < 2 || s.p[s.n - 1] != units[i].unit || !str_u64(str_sub(s, 0, s.n - 1), &n) || !n) continue;
		if (n > (uint64_t)(INT64_MAX / second / units[i].seconds)) return doc_refuse(d, span, "correlation", "the timespan is longer than 290 years");
		c->timespan_ns = (int64_t)n * units[i].seconds * second;
		return true;
	}
	return doc_refuse(d, span, "correlation", "'%.*s' is no timespan: a number above 0 and one of s m h d w M y, as in 5m", STR_FMT(s));
}

const struct str *names_at(struct doc *d, const struct yaml_node *node, const char *what, uint32_t *ret_n)
{
	*ret_n = 0;
	if (!node) return NULL;
	uint32_t n = node->kind == YAML_SEQ ? node->n : 1;
	struct str *v = doc_alloc(d, n, sizeof *v);
	for (uint32_t i = 0; v && i < n; i++) {
		const struct yaml_node *x = node->kind == YAML_SEQ ? node->items[i] : node;
		if (x->kind != YAML_SCALAR || !x->text.n) {
			doc_refuse(d, x, "correlation", "correlation: %s is a name or a list of names", what);
			*ret_n = 0;
			return NULL;
		}
		v[(*ret_n)++] = doc_intern(d, x->text);
	}
	return v;
}

/* --- references ----------------------------------------------------------------------------------------------------- */

int64_t reference_of(const struct rule_set *s, const struct references *r, struct str name)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (str_eq(r->names[i], name)) return i;
	int64_t rule = set_find(s, name);
	for (uint32_t i = 0; rule >= 0 && i < r->n; i++)
		if (r->refs[i] == (uint32_t)rule) return i;
	return -1;
}

bool references_resolve(struct doc *d, const struct yaml_node *at, struct references *r)
{
	if (r->n > REFS_MAX) return doc_refuse(d, at, "limit", "more than %d rules in one correlation", REFS_MAX);
	r->refs = doc_alloc(d, r->n, sizeof *r->refs);
	if (!r->refs) return false;
	for (uint32_t i = 0; i < r->n; i++) {
		const struct yaml_node *place = at->kind == YAML_SEQ && i < at->n ? at->items[i] : at;
		int64_t found = set_find(d->set, r->names[i]);
		if (found < 0 && map_get(&d->set->refused_names, r->names[i]))
			return doc_refuse(d, place, "correlation", "rule '%.*s', which it refers to, is refused itself", STR_FMT(r->names[i]));
		if (found < 0) return doc_refuse(d, place, "correlation", "no rule with the id or name '%.*s' is loaded", STR_FMT(r->names[i]));
		if (map_get(&d->set->ambiguous, r->names[i])) doc_warn(d, place, "several rules are called '%.*s'; the first one loaded is meant", STR_FMT(r->names[i]));
		r->refs[i] = (uint32_t)found;
	}
	return true;
}

/* --- aliases: {alias: {rule: field}} (COR-16) ------------------------------------------------------------------------- */

static bool read_alias(struct doc *d, const struct yaml_pair *pair, const struct references *r, struct corr_alias *ret)
{
	const struct yaml_node *map = pair->value;
	struct str *fields = doc_alloc(d, r->n, sizeof *fields);
	if (!fields) return false;
	if (map->kind != YAML_MAP) return doc_refuse(d, map, "correlation", "an alias is a map of rule: field");
	for (uint32_t k = 0; k < map->n; k++) {
		const struct yaml_node *key = map->pairs[k].key, *value = map->pairs[k].value;
		int64_t at = reference_of(d->set, r, key->text);
		if (at < 0) return doc_refuse(d, key, "correlation", "alias '%.*s': '%.*s' is not among the rules", STR_FMT(pair->key->text), STR_FMT(key->text));
		if (value->kind != YAML_SCALAR || !value->text.n) return doc_refuse(d, value, "correlation", "alias '%.*s': the name of a field is expected", STR_FMT(pair->key->text));
		struct str field = doc_intern(d, value->text);
		/* A rule that is listed twice has the alias at both places. */
		for (uint32_t i = 0; i < r->n; i++)
			if (r->refs[i] == r->refs[at]) fields[i] = field;
	}
	*ret = (struct corr_alias){doc_intern(d, pair->key->text), fields};
	return true;
}

static bool read_aliases(struct doc *d, const struct yaml_node *aliases, const struct references *r, struct correlation *c)
{
	if (!aliases || (aliases->kind == YAML_SCALAR && !aliases->text.n)) return true;
	if (aliases->kind != YAML_MAP) return doc_refuse(d, aliases, "correlation", "aliases is a map: alias: {rule: field}");
	if (aliases->n > REFS_MAX) return doc_refuse(d, aliases, "limit", "more than %d aliases", REFS_MAX);
	struct corr_alias *v = doc_alloc(d, aliases->n, sizeof *v);
	if (!v) return false;
	for (uint32_t i = 0; i < aliases->n; i++) {
		if (!read_alias(d, &aliases->pairs[i], r, &v[i])) return false;
		bool grouped = false;
		for (uint32_t k = 0; k < c->n_group_by; k++) grouped |= str_eq(c->group_by[k], v[i].alias);
		for (uint32_t k = 0; k < c->n_fields; k++) grouped |= str_eq(c->fields[k], v[i].alias);
		if (!grouped) doc_warn(d, aliases->pairs[i].key, "alias '%.*s' is not used in group-by", STR_FMT(v[i].alias));
	}
	c->aliases = v;
	c->n_aliases = aliases->n;
	return true;
}

/* --- the section --------------------------------------------------------------------------------------------------------- */

static bool read_generate(struct doc *d, const struct yaml_node *root, const struct yaml_node *section, struct correlation *c)
{
	const struct yaml_node *generate = yaml_get(section, STR("generate"));
	if (!generate) generate = yaml_get(root, STR("generate"));
	if (!generate) return true;
	bool yes = generate->kind == YAML_SCALAR && str_eq_nocase(generate->text, STR("true")), no = generate->kind == YAML_SCALAR && str_eq_nocase(generate->text, STR("false"));
	c->generate = yes;
	return yes || no || doc_refuse(d, generate, "correlation", "generate is true or false");
}

static bool read_condition(struct doc *d, const struct yaml_node *section, struct references *r, struct correlation *c)
{
	const struct yaml_node *condition = yaml_get(section, STR("condition"));
	if (!condition && is_temporal(c->type)) return true;
	if (!condition) return doc_refuse(d, section, "correlation", "correlation: condition is missing, as in {gte: 10}");
	if (condition->kind == YAML_MAP) return threshold_condition(d, condition, c);
	if (condition->kind != YAML_SCALAR) return doc_refuse(d, condition, "correlation", "the condition is a map of comparisons or a text over rule names");
	if (!is_temporal(c->type)) return doc_refuse(d, condition, "correlation", "a condition over rule names belongs to temporal and temporal_ordered");
	return (c->extended = extended_condition(d, condition, r)) != NULL;
}

static bool read_references(struct doc *d, const struct yaml_node *section, struct references *r, struct correlation *c)
{
	const struct yaml_node *rules = yaml_get(section, STR("rules"));
	enum { CHAINED_MAX = 32 }; /* what an ordered correlation can compare the longest chain of */
	r->names = names_at(d, rules, "rules", &r->n);
	if (d->error.reason.n || (r->n && !references_resolve(d, rules, r))) return false;
	bool listed = r->n > 0;
	if (!read_condition(d, section, r, c)) return false;
	if (!r->n) return doc_refuse(d, rules ? rules : section, "correlation", "correlation: rules is missing: ids or names");
	if (!listed && !references_resolve(d, yaml_get(section, STR("condition")), r)) return false;
	if (c->type == CORRELATE_TEMPORAL_ORDERED && (c->extended || c->n_thresholds) && r->n > CHAINED_MAX)
		return doc_refuse(d, rules ? rules : section, "limit", "more than %d rules in an ordered correlation with a condition", CHAINED_MAX);
	c->refs = r->refs;
	c->n_refs = r->n;
	return true;
}

/* The section into c; its references are indices in the set as it is now. */
static bool read_section(struct doc *d, const struct yaml_node *root, struct correlation *c)
{
	static const char *const keys[] = {"type", "rules", "group-by", "timespan", "timeframe", "condition", "aliases", "generate", NULL};
	const struct yaml_node *section = yaml_get(root, STR("correlation"));
	struct references r = {0};
	if (section->kind != YAML_MAP) return doc_refuse(d, section, "correlation", "correlation is a map: type, rules, timespan, condition");
	for (uint32_t i = 0; i < section->n; i++) {
		const char *near = nearest_word(section->pairs[i].key->text, keys);
		if (near && !str_eq(section->pairs[i].key->text, str_of(near))) doc_warn(d, section->pairs[i].key, "'%.*s' has no meaning; did you mean '%s'?", STR_FMT(section->pairs[i].key->text), near);
	}
	if (!read_type(d, section, c) || !read_timespan(d, section, c)) return false;
	c->group_by = names_at(d, yaml_get(section, STR("group-by")), "group-by", &c->n_group_by);
	if (d->error.reason.n) return false;
	if (c->n_group_by > REFS_MAX) return doc_refuse(d, yaml_get(section, STR("group-by")), "limit", "more than %d fields in group-by", REFS_MAX);
	return read_references(d, section, &r, c) && read_aliases(d, yaml_get(section, STR("aliases")), &r, c) && read_generate(d, root, section, c);
}

bool correlation_read(struct rule_set *s, const struct pending *p)
{
	struct doc d = doc_begin(s, p->rule->info.file, p->text, p->rule->line);
	struct correlation *c = doc_alloc(&d, 1, sizeof *c);
	arena_reset(&s->scratch);
	if (c && read_section(&d, p->root, c)) p->rule->correlation = c;
	return doc_end(&d, p->root);
}
