/* detection.c: the detection section: search identifiers to trees, the condition over them (DET-1 .. DET-9). */
#include "rules/rules_internal.h"

const struct node *node_new(struct doc *d, enum node_kind kind, const struct node *const *children, uint32_t n)
{
	struct node *x = doc_alloc(d, 1, sizeof *x);
	if (!x) return NULL;
	*x = (struct node){.kind = kind, .n = n, .children = children};
	return x;
}

static const struct node *map_tree(struct doc *d, const struct yaml_node *map, uint32_t search)
{
	if (!map->n) return doc_refuse(d, map, "detection", "an empty map says nothing; name a field, or remove it"), NULL;
	const struct node **children = doc_alloc(d, map->n, sizeof *children);
	for (uint32_t i = 0; children && i < map->n; i++)
		if (!(children[i] = item_tree(d, map->pairs[i].key, map->pairs[i].value, search))) return NULL;
	if (!children) return NULL;
	return map->n == 1 ? children[0] : node_new(d, NODE_AND, children, map->n);
}

/* Maps are joined by AND inside, lists by OR; scalars are keywords. */
static const struct node *search_tree(struct doc *d, const struct yaml_node *value, uint32_t search, unsigned depth)
{
	if (depth > DETECTION_DEPTH) return doc_refuse(d, value, "limit", "lists nested deeper than %d", DETECTION_DEPTH), NULL;
	if (value->kind == YAML_MAP) return map_tree(d, value, search);
	if (value->kind == YAML_SCALAR) return item_tree(d, value, value, search);
	if (!value->n) return doc_refuse(d, value, "detection", "an empty list says nothing"), NULL;
	const struct node **children = doc_alloc(d, value->n, sizeof *children);
	for (uint32_t i = 0; children && i < value->n; i++)
		if (!(children[i] = search_tree(d, value->items[i], search, depth + 1))) return NULL;
	if (!children) return NULL;
	return value->n == 1 ? children[0] : node_new(d, NODE_OR, children, value->n);
}

/* The trees of searches are real trees (nothing in them is shared), of bounded depth. */
static uint32_t tree_size(const struct node *n)
{
	uint32_t size = 1;
	for (uint32_t i = 0; i < n->n; i++) size += tree_size(n->children[i]);
	return size;
}

/* A text, or a list of texts joined by OR (CON-8). */
static const struct node *condition_of(struct doc *d, const struct yaml_node *condition, struct rule *r)
{
	const struct yaml_node *const one[] = {condition};
	const struct yaml_node *const *texts = condition->kind == YAML_SEQ ? condition->items : one;
	uint32_t n = condition->kind == YAML_SEQ ? condition->n : 1;
	uint64_t nodes = 0;
	size_t length = 0;
	const struct node **children = doc_alloc(d, n, sizeof *children);
	if (!n) return doc_refuse(d, condition, "condition", "the condition is empty"), NULL;
	for (uint32_t i = 0; children && i < n; i++) {
		if (texts[i]->kind != YAML_SCALAR) return doc_refuse(d, texts[i], "condition", "a condition is a text"), NULL;
		if (!(children[i] = condition_tree(d, texts[i], &nodes))) return NULL;
		length += texts[i]->text.n + 4;
	}
	char *text = children ? doc_alloc(d, length + 1, 1) : NULL;
	if (!text) return NULL;
	length = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (i) memcpy(text + length, " or ", 4), length += 4;
		memcpy(text + length, texts[i]->text.p, texts[i]->text.n);
		length += texts[i]->text.n;
	}
	r->condition_text = (struct str){text, length};
	return n == 1 ? children[0] : node_new(d, NODE_OR, children, n);
}

static bool add_search(struct doc *d, const struct yaml_node *key, const struct yaml_node *value, struct search *searches, uint32_t *sizes, uint32_t *n)
{
	if (*n == SEARCHES_MAX) return doc_refuse(d, key, "limit", "more than %d search identifiers", SEARCHES_MAX);
	struct str name = doc_intern(d, key->text);
	const struct node *tree = search_tree(d, value, d->in_filter ? UINT32_MAX : *n, 0);
	if (!name.p || !tree) return false;
	sizes[*n] = tree_size(tree);
	searches[(*n)++] = (struct search){name, tree, key->line, key->column};
	return true;
}

static bool keep_items(struct doc *d, struct rule *r)
{
	struct rule_item *items = doc_alloc(d, d->items.n, sizeof *items);
	if (!items) return false;
	if (d->items.n) memcpy(items, d->items.v, d->items.n * sizeof *items);
	r->items = items;
	r->n_items = (uint32_t)d->items.n;
	return true;
}

/* A fragment with one search identifier and no condition means that one. */
static bool missing_condition(struct doc *d, const struct yaml_node *detection, struct rule *r)
{
	if (!d->fragment || d->n_searches != 1) return doc_refuse(d, detection, "condition", "the condition is missing");
	r->condition = r->searches[0].tree;
	r->condition_text = r->searches[0].name;
	return true;
}

bool read_detection(struct doc *d, const struct yaml_node *detection, struct rule *r)
{
	if (detection->kind != YAML_MAP) return doc_refuse(d, detection, "detection", "detection is a map of search identifiers and a condition");
	uint32_t most = detection->n < SEARCHES_MAX ? detection->n : SEARCHES_MAX, n = 0;
	struct search *searches = doc_alloc(d, most, sizeof *searches);
	uint32_t *sizes = doc_scratch(d, most, sizeof *sizes);
	const struct yaml_node *condition = NULL;
	if (!searches || !sizes) return false;
	for (uint32_t i = 0; i < detection->n; i++) {
		const struct yaml_node *key = detection->pairs[i].key, *value = detection->pairs[i].value;
		if (str_eq(key->text, STR("condition"))) condition = value;
		else if (str_eq(key->text, STR("timeframe"))) doc_warn(d, key, "timeframe has no effect; write a correlation with a timespan");
		else if (!add_search(d, key, value, searches, sizes, &n)) return false;
	}
	r->searches = d->searches = searches;
	r->n_searches = d->n_searches = n;
	d->sizes = sizes;
	if (!keep_items(d, r)) return false;
	if (!n) return doc_refuse(d, detection, "detection", "no search identifier: there is nothing to look for");
	if (!condition) return missing_condition(d, detection, r);
	return (r->condition = condition_of(d, condition, r)) != NULL;
}
