/* filter.c: Sigma filters (FIL-1 .. FIL-6): their condition is joined by AND to the rules they cover. */
#include "rules/rules_internal.h"

/* Whether the filter's log source is contained in the rule's (LS-2): what the filter states, the rule must state alike. */
static bool contained(const struct logsource *filter, const struct logsource *rule)
{
	return (!filter->product.n || str_eq(filter->product, rule->product)) && (!filter->category.n || str_eq(filter->category, rule->category)) &&
	       (!filter->service.n || str_eq(filter->service, rule->service));
}

static bool named(struct doc *d, const struct yaml_node *rules, const struct rule *r)
{
	if (rules->kind == YAML_SCALAR) return str_eq(rules->text, STR("any")) || str_eq(rules->text, r->info.id) || (r->name.n && str_eq(rules->text, r->name));
	if (rules->kind == YAML_SEQ && !rules->n) return true;
	for (uint32_t i = 0; rules->kind == YAML_SEQ && i < rules->n; i++) {
		const struct yaml_node *x = rules->items[i];
		if (x->kind != YAML_SCALAR) continue;
		if (str_eq(x->text, r->info.id) || (r->name.n && str_eq(x->text, r->name))) return true;
		if (str_eq(x->text, r->info.title)) {
			doc_warn(d, x, "a filter names rules by id or name; this is a title");
			return true;
		}
	}
	return false;
}

static bool read_filter(struct doc *d, const struct pending *p, struct rule *filter)
{
	const struct yaml_node *section = yaml_get(p->root, STR("filter")), *logsource = yaml_get(p->root, STR("logsource"));
	if (!logsource) return doc_refuse(d, p->root, "filter", "logsource is missing");
	if (section->kind != YAML_MAP) return doc_refuse(d, section, "filter", "filter must be a map: rules, selections, condition");
	if (!yaml_get(section, STR("rules"))) return doc_refuse(d, section, "filter", "filter: rules is missing (a list of ids or names, or any)");
	if (!read_metadata(d, p->root, filter) || !read_logsource(d, logsource, &filter->info.logsource)) return false;
	/* The section is a detection section with `rules` beside it; its identifiers are a name space of their own. */
	struct yaml_node *detection = doc_alloc(d, 1, sizeof *detection);
	struct yaml_pair *pairs = doc_alloc(d, section->n, sizeof *pairs);
	if (!detection || !pairs) return false;
	*detection = *section;
	detection->pairs = pairs;
	detection->n = 0;
	for (uint32_t i = 0; i < section->n; i++) {
		if (str_eq(section->pairs[i].key->text, STR("rules"))) continue;
		if (str_eq(section->pairs[i].key->text, STR("condition")) && section->pairs[i].value->kind != YAML_SCALAR)
			return doc_refuse(d, section->pairs[i].value, "filter", "the condition of a filter must be a text");
		pairs[detection->n++] = section->pairs[i];
	}
	return read_detection(d, detection, filter);
}

void filters_apply(struct rule_set *s)
{
	for (size_t i = 0; i < s->filters.n; i++) {
		struct pending *p = &s->filters.v[i];
		struct doc d = {.set = s, .arena = &s->arena, .file = p->rule->info.file, .file_text = p->file_text};
		if (!read_filter(&d, p, p->rule)) {
			set_refuse(s, &d);
			continue;
		}
		const struct yaml_node *rules = yaml_get(yaml_get(p->root, STR("filter")), STR("rules"));
		uint32_t covered = 0;
		for (size_t k = 0; k < s->rules.n; k++) {
			struct rule *r = s->rules.v[k];
			if (!contained(&p->rule->info.logsource, &r->info.logsource) || !named(&d, rules, r)) continue;
			const struct node **both = doc_alloc(&d, 2, sizeof *both);
			if (!both) break;
			both[0] = r->condition;
			both[1] = p->rule->condition;
			r->condition = node_new(&d, NODE_AND, both, 2);
			covered++;
		}
		if (!covered) doc_warn(&d, rules, "the filter covers no rule that is loaded");
	}
}
