/* lint_fields.c: fields and event ids held against what events of the log source can have; log sources against the taxonomy. */
#include "rules/data_internal.h"
#include "rules/lint_internal.h"
#include "rules/rules_internal.h"

static struct str word(struct str *rest)
{
	*rest = str_trim(*rest);
	struct str w = str_cut(rest, ' ');
	return str_eq(w, STR("-")) ? (struct str){"", 0} : w;
}

/* "fields<tab>PRODUCT CATEGORY SERVICE<tab>NAME..." or "common<tab>PRODUCT<tab>NAME..." */
static void load_line(struct linting *l, struct str line)
{
	struct str kind = str_cut(&line, '\t'), source = str_cut(&line, '\t');
	struct field_line f = {0};
	bool fields = str_eq(kind, STR("fields"));
	if ((!fields && !str_eq(kind, STR("common"))) || !line.p) return;
	f.ls.product = word(&source);
	if (fields) f.ls.category = word(&source), f.ls.service = word(&source);
	for (struct str name; line.p && (name = word(&line)).n;) map_put(&f.names, name, 0, NULL);
	if (fields) vec_push(&l->fields, f);
	else vec_push(&l->common, f);
}

void lint_fields_load(struct linting *l)
{
	for (size_t i = 0; i < rules_field_data_count; i++) {
		struct str rest = {(const char *)rules_field_data[i].bytes, rules_field_data[i].n};
		while (rest.p) load_line(l, str_cut(&rest, '\n'));
	}
}

void lint_fields_done(struct linting *l)
{
	for (size_t i = 0; i < l->fields.n; i++) map_done(&l->fields.v[i].names);
	for (size_t i = 0; i < l->common.n; i++) map_done(&l->common.v[i].names);
	vec_free(&l->fields);
	vec_free(&l->common);
}

static bool fits(struct str line, struct str rule) { return !line.n || str_eq(line, rule); }
static bool line_fits(const struct field_line *f, const struct logsource *ls)
{
	return fits(f->ls.product, ls->product) && fits(f->ls.category, ls->category) && fits(f->ls.service, ls->service);
}

static bool checked(const struct linting *l, const struct logsource *ls)
{
	for (size_t i = 0; i < l->fields.n; i++)
		if (line_fits(&l->fields.v[i], ls)) return true;
	return false;
}

static bool known(const struct linting *l, const struct logsource *ls, struct str field)
{
	for (size_t i = 0; i < l->fields.n; i++)
		if (line_fits(&l->fields.v[i], ls) && map_get(&l->fields.v[i].names, field)) return true;
	for (size_t i = 0; i < l->common.n; i++)
		if (line_fits(&l->common.v[i], ls) && map_get(&l->common.v[i].names, field)) return true;
	return false;
}

static const char *nearest_field(const struct linting *l, const struct logsource *ls, struct str field)
{
	VEC(const char *) names = {0};
	for (size_t i = 0; i < l->fields.n; i++)
		for (uint32_t k = 0; line_fits(&l->fields.v[i], ls) && k < l->fields.v[i].names.n; k++) vec_push(&names, l->fields.v[i].names.entries[k].key.p);
	vec_push(&names, NULL);
	const char *near = nearest_word(field, names.v);
	vec_free(&names);
	return near;
}

void lint_fields(struct linting *l, const struct rule *r)
{
	const struct logsource *ls = &r->info.logsource;
	struct map said = {0};
	if (!checked(l, ls)) return;
	for (uint32_t i = 0; i < r->n_items; i++) {
		const struct rule_item *item = &r->items[i];
		bool fresh;
		if (!item->field.n || known(l, ls, item->field)) continue;
		map_put(&said, item->field, 0, &fresh);
		if (!fresh) continue;
		const char *near = nearest_field(l, ls, item->field);
		lint_say(l->out, r, item->line, item->column, LINT_WARNING, "field-unknown", "events of this log source have no field '%.*s'%s%s%s", STR_FMT(str_sub(item->field, 0, 100)),
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	map_done(&said);
}

/* --- log sources ------------------------------------------------------------------------------------------------------ */

/* What the taxonomy's lines say about a Windows rule: whether its category and service exist, and the category's event ids. */
struct source_facts { bool category, service; VEC(uint64_t) ids; };

static void add_ids(struct source_facts *f, struct str list)
{
	while (list.p) {
		uint64_t id;
		if (str_u64(str_trim(str_cut(&list, ',')), &id)) vec_push(&f->ids, id);
	}
}

static void gather(const struct taxonomy *t, const struct logsource *ls, struct source_facts *f)
{
	struct taxonomy_line line;
	for (uint32_t i = 0; taxonomy_line_at(t, i, &line); i++) {
		if (str_eq(line.word, STR("channel")) && line.n >= 2) f->service |= str_eq(line.column[1], ls->service);
		if (!str_eq(line.word, STR("event")) || line.n < 3 || !str_eq(line.column[2], ls->category)) continue;
		f->category = true;
		if (!ls->service.n || str_eq(ls->service, line.column[0])) add_ids(f, line.column[1]);
	}
}

static bool has_id(const struct source_facts *f, int64_t id)
{
	for (size_t i = 0; i < f->ids.n; i++)
		if (id >= 0 && f->ids.v[i] == (uint64_t)id) return true;
	return false;
}

/* Numbers that the rule asks of EventID, outside of what it excludes. */
static void check_ids(struct linting *l, const struct rule *r, const struct node *n, const struct source_facts *f)
{
	if (n->kind == NODE_NOT) return;
	for (uint32_t i = 0; i < n->n; i++) check_ids(l, r, n->children[i], f);
	if (n->kind != NODE_LEAF || n->leaf->kind != LEAF_NUMBER || !n->leaf->is_integer || !str_eq(n->leaf->field, STR("EventID")) || has_id(f, n->leaf->integer)) return;
	lint_say(l->out, r, n->leaf->line, n->leaf->column, LINT_WARNING, "event-id", "no event of category %.*s has the id %lld", STR_FMT(r->info.logsource.category), (long long)n->leaf->integer);
}

/* The nearest of what the taxonomy's lines of this kind have in a column, or NULL. Lives as long as the taxonomy. */
static struct str nearest_source(const struct taxonomy *t, const char *kind, uint32_t column, struct str wanted)
{
	struct taxonomy_line line;
	char best[100];
	struct str result = {NULL, 0};
	for (uint32_t i = 0; taxonomy_line_at(t, i, &line); i++) {
		struct str word = line.n > column ? line.column[column] : (struct str){"", 0};
		const char *const one[] = {best, NULL};
		if (!str_eq(line.word, str_of(kind)) || word.n >= sizeof best || !word.n) continue;
		memcpy(best, word.p, word.n);
		best[word.n] = 0;
		if (nearest_word(wanted, one)) result = word;
	}
	return result;
}

static void say_unknown(struct linting *l, const struct rule *r, const char *what, struct str word, struct str near)
{
	uint32_t column, line = lint_key(r, str_of(what), &column);
	if (near.p) lint_say(l->out, r, line, column, LINT_WARNING, "logsource-unknown", "no log of the %s '%.*s' is known; did you mean '%.*s'?", what, STR_FMT(str_sub(word, 0, 100)), STR_FMT(near));
	else lint_say(l->out, r, line, column, LINT_WARNING, "logsource-unknown", "no Windows log of the %s '%.*s' is known", what, STR_FMT(str_sub(word, 0, 100)));
}

/* A product that looks like a known one. Others may be logs that Exhibit has not met. */
static void check_product(struct linting *l, const struct rule *r)
{
	struct str product = r->info.logsource.product;
	struct taxonomy_line line;
	if (!product.n || str_eq(product, STR("windows"))) return;
	for (uint32_t i = 0; taxonomy_line_at(l->taxonomy, i, &line); i++)
		if (line.n > 1 && (str_eq(line.word, STR("format")) || str_eq(line.word, STR("source"))) && str_eq(line.column[1], product)) return;
	static const char *const windows[] = {"windows", NULL};
	struct str near = nearest_word(product, windows) ? STR("windows") : nearest_source(l->taxonomy, "format", 1, product);
	if (near.p) say_unknown(l, r, "product", product, near);
}

void lint_logsource(struct linting *l, const struct rule *r)
{
	const struct logsource *ls = &r->info.logsource;
	struct source_facts f = {0};
	if (l->taxonomy) check_product(l, r);
	if (!l->taxonomy || !str_eq(ls->product, STR("windows"))) return;
	gather(l->taxonomy, ls, &f);
	if (ls->category.n && !f.category && !checked(l, ls)) say_unknown(l, r, "category", ls->category, nearest_source(l->taxonomy, "event", 2, ls->category));
	if (ls->service.n && !f.service) say_unknown(l, r, "service", ls->service, nearest_source(l->taxonomy, "channel", 1, ls->service));
	for (uint32_t i = 0; f.ids.n && i < r->n_searches; i++)
		if (!str_starts(r->searches[i].name, STR("filter"))) check_ids(l, r, r->searches[i].tree, &f);
	vec_free(&f.ids);
}
