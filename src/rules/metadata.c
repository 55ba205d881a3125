/* metadata.c: title, id, level, tags, log source: what a rule says about itself (DOC-5 .. DOC-10, LS-1).
 *
 * A rule is refused only for what a finding cannot do without: a title, a level that can be ordered, a log source. Everything
 * else that the specification's schema forbids has no bearing on what matches: it is a warning. */
#include "rules/rules_internal.h"
#include "text/utf.h"

struct str text_at(const struct yaml_node *root, const char *key)
{
	const struct yaml_node *n = yaml_get(root, str_of(key));
	return n && n->kind == YAML_SCALAR ? n->text : (struct str){"", 0};
}

static struct str keep_at(struct doc *d, const struct yaml_node *root, const char *key)
{
	struct str text = text_at(root, key);
	return text.n ? doc_keep(d, text) : (struct str){"", 0};
}

/* A list of texts, or one text as a list of one. */
static const struct str *texts_at(struct doc *d, const struct yaml_node *root, const char *key, uint32_t *ret_n)
{
	const struct yaml_node *node = yaml_get(root, str_of(key));
	*ret_n = 0;
	if (!node || (node->kind == YAML_SCALAR && !node->text.n)) return NULL;
	uint32_t n = node->kind == YAML_SEQ ? node->n : 1;
	struct str *v = doc_alloc(d, n, sizeof *v);
	for (uint32_t i = 0; v && i < n; i++) {
		const struct yaml_node *item = node->kind == YAML_SEQ ? node->items[i] : node;
		if (item->kind != YAML_SCALAR) {
			doc_warn(d, item, "%s is a list of texts; this is none, and not used", key);
			continue;
		}
		v[*ret_n] = doc_intern(d, item->text);
		if (v[*ret_n].p) ++*ret_n;
	}
	return v;
}

static bool is_uuid(struct str s)
{
	if (s.n != 36) return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		uint64_t digit;
		if (dash ? s.p[i] != '-' : !str_hex64(str_sub(s, i, 1), &digit)) return false;
	}
	return true;
}

static bool read_level(struct doc *d, const struct yaml_node *root, struct rule *r)
{
	static const char *const words[] = {"informational", "low", "medium", "high", "critical", NULL};
	const struct yaml_node *level = yaml_get(root, STR("level"));
	r->info.level = LEVEL_MEDIUM;
	if (!level) {
		if (!d->fragment) doc_warn(d, root, "no level; it is taken as medium");
		return true;
	}
	if (level->kind == YAML_SCALAR && level_parse(level->text, &r->info.level)) return true;
	const char *near = level->kind == YAML_SCALAR ? nearest_word(level->text, words) : NULL;
	if (near) return doc_refuse(d, level, "metadata", "there is no level '%.*s'; did you mean '%s'?", STR_FMT(level->text), near);
	return doc_refuse(d, level, "metadata", "the level must be informational, low, medium, high or critical");
}

static bool read_title(struct doc *d, const struct yaml_node *root, struct rule *r)
{
	enum { TITLE_MAX = 256 }; /* characters */
	const struct yaml_node *title = yaml_get(root, STR("title"));
	if (title && title->kind == YAML_SCALAR && title->text.n) {
		if (title->text.n > TITLE_MAX && utf8_count(title->text) > TITLE_MAX) doc_warn(d, title, "the title is longer than %d characters", TITLE_MAX);
		r->info.title = doc_keep(d, title->text);
		return r->info.title.p != NULL;
	}
	if (!d->fragment) return doc_refuse(d, title ? title : root, "metadata", "the title is missing");
	r->info.title = doc_keep(d, text_at(root, "id").n ? text_at(root, "id") : STR("(no title)"));
	return r->info.title.p != NULL;
}

static void check_status(struct doc *d, const struct yaml_node *root, const struct rule *r)
{
	static const char *const words[] = {"stable", "test", "experimental", "deprecated", "unsupported", NULL};
	const struct yaml_node *status = yaml_get(root, STR("status"));
	if (!status) return;
	for (size_t i = 0; words[i]; i++)
		if (str_eq(r->status, str_of(words[i]))) return;
	const char *near = nearest_word(r->status, words);
	if (near) doc_warn(d, status, "there is no status '%.*s'; did you mean '%s'?", STR_FMT(r->status), near);
	else doc_warn(d, status, "the status must be stable, test, experimental, deprecated or unsupported");
}

bool read_metadata(struct doc *d, const struct yaml_node *root, bool levelled, struct rule *r)
{
	const struct yaml_node *taxonomy = yaml_get(root, STR("taxonomy"));
	if (!read_title(d, root, r)) return false;
	r->info.id = keep_at(d, root, "id");
	r->name = keep_at(d, root, "name");
	r->status = keep_at(d, root, "status");
	r->description = keep_at(d, root, "description");
	r->author = keep_at(d, root, "author");
	if (r->info.id.n && !is_uuid(r->info.id)) doc_warn(d, yaml_get(root, STR("id")), "the id is no UUID");
	if (!r->info.id.n) r->info.id = r->name.n ? r->name : r->info.title;
	check_status(d, root, r);
	if (taxonomy && taxonomy->kind == YAML_SCALAR && !str_eq(taxonomy->text, STR("sigma")))
		doc_warn(d, taxonomy, "fields are taken as named in Sigma's taxonomy, not '%.*s'", STR_FMT(taxonomy->text));
	r->info.tags = texts_at(d, root, "tags", &r->info.n_tags);
	r->falsepositives = texts_at(d, root, "falsepositives", &r->n_falsepositives);
	r->fields = texts_at(d, root, "fields", &r->n_fields);
	if (levelled && !read_level(d, root, r)) return false;
	return !d->error.reason.n;
}

/* Attributes are lower case by the specification; folded, so that 'Windows' is not another product. */
static bool attribute(struct doc *d, const struct yaml_node *value, struct str *ret)
{
	if (value->kind != YAML_SCALAR) return doc_refuse(d, value, "logsource", "product, category and service are single texts");
	if (!value->text.n) return true;
	struct str folded = utf8_fold_arena(&d->set->scratch, value->text);
	if (!folded.p) return doc_limit(d) != NULL;
	if (!str_eq(folded, value->text)) doc_warn(d, value, "'%.*s' is written in lower case", STR_FMT(value->text));
	*ret = doc_intern(d, folded);
	return ret->p != NULL;
}

bool read_logsource(struct doc *d, const struct yaml_node *root, struct logsource *ret)
{
	static const char *const keys[] = {"category", "product", "service", "definition", NULL};
	const struct yaml_node *node = yaml_get(root, STR("logsource"));
	*ret = (struct logsource){STR(""), STR(""), STR("")};
	if (!node && d->fragment) return true;
	if (!node) return doc_refuse(d, root, "logsource", "logsource is missing: product, category or service");
	if (node->kind != YAML_MAP) return doc_refuse(d, node, "logsource", "logsource must be a map with product, category or service");
	for (uint32_t i = 0; i < node->n; i++) {
		const struct yaml_node *key = node->pairs[i].key, *value = node->pairs[i].value;
		bool ok = true;
		if (str_eq(key->text, STR("product"))) ok = attribute(d, value, &ret->product);
		else if (str_eq(key->text, STR("category"))) ok = attribute(d, value, &ret->category);
		else if (str_eq(key->text, STR("service"))) ok = attribute(d, value, &ret->service);
		else if (!str_eq(key->text, STR("definition"))) {
			const char *near = nearest_word(key->text, keys);
			if (near) doc_warn(d, key, "'%.*s' does not select events; did you mean '%s'?", STR_FMT(key->text), near);
		}
		if (!ok) return false;
	}
	if (ret->product.n || ret->category.n || ret->service.n) return true;
	return doc_refuse(d, node, "logsource", "logsource must state at least one of product, category and service");
}
