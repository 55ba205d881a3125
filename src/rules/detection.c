/* detection.c: the value of a search identifier to a tree (DET-1 .. DET-9). */
#include "rules/rules_internal.h"

const struct node *node_new(struct doc *d, enum node_kind kind, const struct node *const *children, uint32_t n)
{
	struct node *x = doc_alloc(d, 1, sizeof *x);
	if (!x) return NULL;
	*x = (struct node){.kind = kind, .n = n, .children = children, .item = d->items};
	return x;
}

static const struct node *map_tree(struct doc *d, const struct yaml_node *map, uint32_t search)
{
	if (!map->n) return doc_refuse(d, map, "detection", "an empty map matches nothing; remove it or name a field"), NULL;
	const struct node **children = doc_alloc(d, map->n, sizeof *children);
	for (uint32_t i = 0; children && i < map->n; i++) {
		struct str rest = map->pairs[i].key->text, field = str_cut(&rest, '|');
		const struct yaml_node *value = map->pairs[i].value;
		if (value->kind == YAML_MAP) return doc_refuse(d, value, "detection", "field '%.*s': a value must be a scalar or a list, not a map", STR_FMT(field)), NULL;
		children[i] = item_tree(d, map->pairs[i].key, field, rest, value, search);
		if (!children[i]) return NULL;
	}
	if (!children) return NULL;
	return map->n == 1 ? children[0] : node_new(d, NODE_AND, children, map->n);
}

static const struct node *tree(struct doc *d, const struct yaml_node *value, uint32_t search, unsigned depth)
{
	static const struct str none = {"", 0}, no_modifiers = {NULL, 0};
	if (depth > DETECTION_DEPTH) return doc_refuse(d, value, "limit", "lists nested deeper than %d", DETECTION_DEPTH), NULL;
	if (value->kind == YAML_MAP) return map_tree(d, value, search);
	if (value->kind == YAML_SCALAR) return item_tree(d, value, none, no_modifiers, value, search);
	if (!value->n) return doc_refuse(d, value, "detection", "an empty list matches nothing"), NULL;
	const struct node **children = doc_alloc(d, value->n, sizeof *children);
	for (uint32_t i = 0; children && i < value->n; i++)
		if (!(children[i] = tree(d, value->items[i], search, depth + 1))) return NULL;
	if (!children) return NULL;
	return value->n == 1 ? children[0] : node_new(d, NODE_OR, children, value->n);
}

const struct node *detection_tree(struct doc *d, const struct yaml_node *value, uint32_t search) { return tree(d, value, search, 0); }

/* The condition: a text, or a list of texts joined by OR (CON-8). */
static const struct node *condition_of(struct doc *d, const struct yaml_node *condition, struct rule *r)
{
	if (condition->kind == YAML_SCALAR) {
		r->condition_text = condition->text;
		return condition_tree(d, condition, condition->text);
	}
	if (condition->kind != YAML_SEQ || !condition->n) return doc_refuse(d, condition, "condition", "the condition must be a text"), NULL;
	const struct node **children = doc_alloc(d, condition->n, sizeof *children);
	for (uint32_t i = 0; children && i < condition->n; i++) {
		if (condition->items[i]->kind != YAML_SCALAR) return doc_refuse(d, condition->items[i], "condition", "a condition must be a text"), NULL;
		if (!i) r->condition_text = condition->items[i]->text;
		if (!(children[i] = condition_tree(d, condition->items[i], condition->items[i]->text))) return NULL;
	}
	return children ? condition->n == 1 ? children[0] : node_new(d, NODE_OR, children, condition->n) : NULL;
}

bool read_detection(struct doc *d, const struct yaml_node *detection, struct rule *r)
{
	if (detection->kind != YAML_MAP) return doc_refuse(d, detection, "detection", "detection must be a map of search identifiers and a condition");
	struct search *searches = doc_alloc(d, detection->n, sizeof *searches);
	const struct yaml_node *condition = NULL;
	uint32_t n = 0;
	if (!searches) return false;
	for (uint32_t i = 0; i < detection->n; i++) {
		const struct yaml_node *key = detection->pairs[i].key, *value = detection->pairs[i].value;
		if (str_eq(key->text, STR("condition"))) {
			condition = value;
		} else if (str_eq(key->text, STR("timeframe"))) {
			doc_warn(d, key, "timeframe has no meaning without a correlation; it is not used");
		} else {
			searches[n] = (struct search){key->text, detection_tree(d, value, n), key->line, key->column};
			if (!searches[n].tree) return false;
			n++;
		}
	}
	r->searches = d->searches = searches;
	r->n_searches = d->n_searches = n;
	if (!n) return doc_refuse(d, detection, "detection", "no search identifier: there is nothing to look for");
	if (!condition) return doc_refuse(d, detection, "condition", "the condition is missing");
	return (r->condition = condition_of(d, condition, r)) != NULL;
}
