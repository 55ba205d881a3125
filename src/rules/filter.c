/* filter.c: Sigma filters (FIL-1 .. FIL-6): their condition is joined by AND to the rules they cover. */
#include "rules/rules_internal.h"

/* Whether the filter's log source is contained in the rule's (LS-2): what the filter states, the rule must state alike. */
static bool contained(const struct logsource *filter, const struct logsource *rule)
{
	return (!filter->product.n || str_eq(filter->product, rule->product)) && (!filter->category.n || str_eq(filter->category, rule->category)) &&
	       (!filter->service.n || str_eq(filter->service, rule->service));
}

/* The section is a detection section with `rules` beside it; its identifiers are a name space of their own. */
static const struct yaml_node *detection_of(struct doc *d, const struct yaml_node *section)
{
	struct yaml_node *detection = doc_scratch(d, 1, sizeof *detection);
	struct yaml_pair *pairs = doc_scratch(d, section->n, sizeof *pairs);
	if (!detection || !pairs) return NULL;
	*detection = *section;
	detection->pairs = pairs;
	detection->n = 0;
	for (uint32_t i = 0; i < section->n; i++) {
		const struct yaml_pair *pair = &section->pairs[i];
		if (str_eq(pair->key->text, STR("condition")) && pair->value->kind != YAML_SCALAR) return doc_refuse(d, pair->value, "filter", "the condition of a filter is a text"), NULL;
		if (!str_eq(pair->key->text, STR("rules"))) pairs[detection->n++] = *pair;
	}
	return detection;
}

static bool read_filter(struct doc *d, const struct yaml_node *root, struct rule *filter)
{
	const struct yaml_node *section = yaml_get(root, STR("filter"));
	if (section->kind != YAML_MAP) return doc_refuse(d, section, "filter", "filter is a map: rules, search identifiers, condition");
	const struct yaml_node *rules = yaml_get(section, STR("rules")), *detection;
	if (!rules || (rules->kind == YAML_SCALAR && !rules->text.n) || rules->kind == YAML_MAP)
		return doc_refuse(d, rules ? rules : section, "filter", "filter: rules is missing: a list of ids or names, or any");
	for (uint32_t i = 0; rules->kind == YAML_SEQ && i < rules->n; i++)
		if (rules->items[i]->kind != YAML_SCALAR) return doc_refuse(d, rules->items[i], "filter", "filter: rules is a list of ids or names");
	if (!read_metadata(d, root, false, filter) || !read_logsource(d, root, &filter->info.logsource)) return false;
	d->in_filter = true;
	return (detection = detection_of(d, section)) != NULL && read_detection(d, detection, filter);
}

/* Rules by id, name and title: a name may be that of several. Chains through `next`, in the order of the set. */
struct entry { uint32_t rule, next; bool title; };
struct directory {
	struct map heads;            /* text -> index + 1 in entries */
	VEC(struct entry) entries;
};

static void directory_put(struct directory *t, struct str text, uint32_t rule, bool title)
{
	if (!text.n) return;
	uint32_t *head = map_put(&t->heads, text, 0, NULL);
	vec_push(&t->entries, (struct entry){rule, *head, title});
	*head = (uint32_t)t->entries.n;
}

static void directory_make(struct directory *t, const struct rule_set *s)
{
	for (size_t i = s->rules.n; i-- > 0;) {
		const struct rule *r = s->rules.v[i];
		directory_put(t, r->info.id, (uint32_t)i, false);
		if (!str_eq(r->name, r->info.id)) directory_put(t, r->name, (uint32_t)i, false);
		if (!str_eq(r->info.title, r->info.id) && !str_eq(r->info.title, r->name)) directory_put(t, r->info.title, (uint32_t)i, true);
	}
}

/* A filter on a rule. All are known before the first is joined, so that a rule's tree grows wider, not deeper. */
struct cover { uint32_t rule; const struct rule *filter; };
struct covers { struct cover *v; size_t n, cap; };
enum { COVERS_MAX = 10000000 };

/* One filter being read. */
struct filtering {
	struct doc *d;
	const struct rule *filter;
	struct covers *covers;
	uint8_t *covered;            /* [rules]: this filter is on it already */
	uint32_t n;
};

static bool cover(struct filtering *f, uint32_t index)
{
	if (f->covered[index] || !contained(&f->filter->info.logsource, &f->d->set->rules.v[index]->info.logsource)) return true;
	if (f->covers->n >= COVERS_MAX) return doc_refuse(f->d, NULL, "limit", "all filters together are on more than %d rules", COVERS_MAX);
	vec_push(f->covers, (struct cover){index, f->filter});
	f->covered[index] = 1;
	f->n++;
	return true;
}

static bool cover_named(struct filtering *f, const struct directory *t, const struct yaml_node *name)
{
	const uint32_t *head = map_get(&t->heads, name->text);
	uint32_t before = f->n;
	bool title = false;
	for (uint32_t at = head ? *head : 0; at; at = t->entries.v[at - 1].next) {
		if (!cover(f, t->entries.v[at - 1].rule)) return false;
		title |= t->entries.v[at - 1].title;
	}
	if (title) doc_warn(f->d, name, "a filter names rules by id or name; this is a title");
	if (!head) doc_warn(f->d, name, "no rule with this id or name is loaded%s", map_get(&f->d->set->refused_names, name->text) ? ": it is refused" : "");
	else if (f->n == before) doc_warn(f->d, name, "the log source of this rule is not the filter's: it is not filtered");
	return true;
}

static bool cover_all(struct filtering *f, const struct yaml_node *rules)
{
	for (uint32_t i = 0; i < f->d->set->rules.n; i++)
		if (!cover(f, i)) return false;
	if (!f->n) doc_warn(f->d, rules, "no rule of the filter's log source is loaded");
	return true;
}

static bool take(struct doc *d, const struct pending *p, const struct directory *t, struct covers *covers)
{
	struct filtering f = {.d = d, .filter = p->rule, .covers = covers};
	if (!read_filter(d, p->root, p->rule)) return false;
	const struct yaml_node *rules = yaml_get(yaml_get(p->root, STR("filter")), STR("rules"));
	bool any = rules->kind == YAML_SCALAR ? str_eq(rules->text, STR("any")) : !rules->n;
	if (!(f.covered = doc_scratch(d, d->set->rules.n, 1))) return false;
	if (any) return cover_all(&f, rules);
	if (rules->kind == YAML_SCALAR) return cover_named(&f, t, rules);
	for (uint32_t i = 0; i < rules->n; i++)
		if (!cover_named(&f, t, rules->items[i])) return false;
	return true;
}

/* "(the rule's condition) and (filter) and (filter)". Without memory the rule stays as it is, and the set says so. */
static void join(struct rule_set *s, struct rule *r, const struct cover *covers, uint32_t n)
{
	struct doc d = doc_begin(s, r->info.file, r->text, r->line);
	const struct node **children = doc_alloc(&d, n + 1, sizeof *children);
	const struct rule_info **filters = doc_alloc(&d, n, sizeof *filters);
	if (children && filters) {
		children[0] = r->condition;
		for (uint32_t i = 0; i < n; i++) children[i + 1] = covers[i].filter->condition, filters[i] = &covers[i].filter->info;
		const struct node *joined = node_new(&d, NODE_AND, children, n + 1);
		if (joined) {
			r->condition = joined;
			r->filters = filters;
			r->n_filters = n;
		}
	}
	doc_end(&d, NULL);
}

/* The covers sorted by rule, in the order of the filters (counting sort). */
static void join_all(struct rule_set *s, const struct covers *covers)
{
	uint32_t *at = xcalloc(s->rules.n + 1, sizeof *at);
	struct cover *sorted = xcalloc(covers->n + 1, sizeof *sorted);
	for (size_t i = 0; i < covers->n; i++) at[covers->v[i].rule + 1]++;
	for (size_t r = 0; r < s->rules.n; r++) at[r + 1] += at[r];
	for (size_t i = 0; i < covers->n; i++) sorted[at[covers->v[i].rule]++] = covers->v[i];
	for (size_t i = 0, n; i < covers->n; i += n) {
		for (n = 1; i + n < covers->n && sorted[i + n].rule == sorted[i].rule;) n++;
		join(s, s->rules.v[sorted[i].rule], &sorted[i], (uint32_t)n);
	}
	free(at);
	free(sorted);
}

void filters_apply(struct rule_set *s)
{
	struct directory t = {0};
	struct covers covers = {0};
	if (!s->filters.n) return;
	directory_make(&t, s);
	for (size_t i = 0; i < s->filters.n; i++) {
		struct pending *p = &s->filters.v[i];
		struct doc d = doc_begin(s, p->rule->info.file, p->text, p->rule->line);
		size_t before = covers.n;
		arena_reset(&s->scratch);
		if (!take(&d, p, &t, &covers)) covers.n = before;
		if (covers.n > before) vec_push(&s->used_filters, (struct rules_filter){p->rule->info.file, p->text});
		doc_end(&d, p->root);
	}
	join_all(s, &covers);
	map_done(&t.heads);
	vec_free(&t.entries);
	vec_free(&covers);
}

uint32_t rule_set_filter_count(const struct rule_set *s) { return (uint32_t)s->used_filters.n; }
struct rules_filter rule_set_filter(const struct rule_set *s, uint32_t i) { return s->used_filters.v[i]; }
