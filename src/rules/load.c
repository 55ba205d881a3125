/* load.c: files and folders to documents, documents to rules; what cannot be used is refused with its place. See rules.h. */
#include "rules/rules_internal.h"
#include "base/file.h"
#include "text/utf.h"
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

/* --- errors ------------------------------------------------------------------------------------------------ */

static struct str line_of(struct str text, uint32_t line)
{
	for (; line > 1 && text.p; line--) str_cut(&text, '\n');
	struct str found = text.p ? str_cut(&text, '\n') : (struct str){"", 0};
	if (found.n && found.p[found.n - 1] == '\r') found.n--;
	return str_sub(found, 0, 400);
}

static bool refuse(struct doc *d, uint32_t line, uint32_t column, const char *category, const char *format, va_list ap)
{
	char text[600];
	if (d->error.reason.n) return false;
	vsnprintf(text, sizeof text, format, ap);
	struct str reason = arena_str(&d->set->arena, str_of(text));
	d->error = (struct rules_refused){d->file, line, column, reason.p ? reason : STR("out of memory"), str_of(category),
		line ? line_of(d->file_text, line) : (struct str){"", 0}};
	return false;
}

bool doc_refuse(struct doc *d, const struct yaml_node *at, const char *category, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	refuse(d, at ? at->line : 0, at ? at->column : 0, category, format, ap);
	va_end(ap);
	return false;
}

bool doc_refuse_at(struct doc *d, uint32_t line, uint32_t column, const char *category, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	refuse(d, line, column, category, format, ap);
	va_end(ap);
	return false;
}

void doc_warn(struct doc *d, const struct yaml_node *at, const char *format, ...)
{
	char text[600];
	va_list ap;
	if (d->set->warnings.n >= 100000) return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	struct str kept = arena_str(&d->set->arena, str_of(text));
	if (kept.p) vec_push(&d->set->warnings, (struct rules_warning){d->file, at ? at->line : 0, at ? at->column : 0, kept});
}

void *doc_alloc(struct doc *d, size_t count, size_t size)
{
	void *p = arena_calloc(d->arena, count ? count : 1, size);
	if (!p) doc_refuse_at(d, 0, 0, "limit", "the rules need more memory than the %d MiB set aside for them", RULES_BUDGET >> 20);
	return p;
}

const char *nearest_word(struct str s, const char *const *words)
{
	const char *best = NULL;
	unsigned least = s.n > 5 ? 3 : 2;
	for (; *words; words++) {
		unsigned row[34], n = (unsigned)strnlen(*words, 32);
		if (s.n > 32 || n + least < s.n || s.n + least < n) continue;
		for (unsigned j = 0; j <= n; j++) row[j] = j;
		for (unsigned i = 1; i <= s.n; i++) {
			unsigned diagonal = row[0];
			row[0] = i;
			for (unsigned j = 1; j <= n; j++) {
				unsigned above = row[j], cost = diagonal + ((s.p[i - 1] | 32) != ((*words)[j - 1] | 32));
				if (above + 1 < cost) cost = above + 1;
				if (row[j - 1] + 1 < cost) cost = row[j - 1] + 1;
				diagonal = above;
				row[j] = cost;
			}
		}
		if (row[n] < least || (row[n] == least && !best)) least = row[n], best = *words;
	}
	return best;
}

void set_refuse(struct rule_set *s, struct doc *d) { vec_push(&s->refused, d->error); }

/* --- metadata ------------------------------------------------------------------------------------------------ */

static struct str text_of(const struct yaml_node *root, const char *key)
{
	const struct yaml_node *n = yaml_get(root, str_of(key));
	return n && n->kind == YAML_SCALAR ? n->text : (struct str){"", 0};
}

/* A list of texts, or one text as a list of one. */
static const struct str *texts_of(struct doc *d, const struct yaml_node *node, uint32_t *ret_n)
{
	*ret_n = 0;
	if (!node) return NULL;
	uint32_t n = node->kind == YAML_SEQ ? node->n : node->kind == YAML_SCALAR && node->text.n ? 1 : 0;
	struct str *v = n ? doc_alloc(d, n, sizeof *v) : NULL;
	for (uint32_t i = 0; v && i < n; i++) {
		const struct yaml_node *item = node->kind == YAML_SEQ ? node->items[i] : node;
		if (item->kind == YAML_SCALAR) v[(*ret_n)++] = item->text;
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

static const char *const statuses[] = {"stable", "test", "experimental", "deprecated", "unsupported", NULL};

static bool read_level(struct doc *d, const struct yaml_node *root, struct rule *r)
{
	const struct yaml_node *level = yaml_get(root, STR("level"));
	static const char *const words[] = {"informational", "low", "medium", "high", "critical", NULL};
	r->info.level = LEVEL_MEDIUM;
	if (!level) {
		doc_warn(d, root, "no level: taken as medium");
		return true;
	}
	if (level->kind == YAML_SCALAR && level_parse(level->text, &r->info.level)) return true;
	const char *near = level->kind == YAML_SCALAR ? nearest_word(level->text, words) : NULL;
	if (near) return doc_refuse(d, level, "metadata", "there is no level '%.*s'; did you mean '%s'?", STR_FMT(level->text), near);
	return doc_refuse(d, level, "metadata", "the level must be informational, low, medium, high or critical");
}

bool read_metadata(struct doc *d, const struct yaml_node *root, struct rule *r)
{
	const struct yaml_node *title = yaml_get(root, STR("title")), *status = yaml_get(root, STR("status"));
	if (!title || title->kind != YAML_SCALAR || !title->text.n) return doc_refuse(d, title ? title : root, "metadata", "the title is missing");
	if (title->text.n > 256 * 4) return doc_refuse(d, title, "metadata", "the title is longer than 256 characters");
	r->info.title = title->text;
	r->info.id = text_of(root, "id");
	r->name = text_of(root, "name");
	r->status = text_of(root, "status");
	r->description = text_of(root, "description");
	r->author = text_of(root, "author");
	if (r->info.id.n && !is_uuid(r->info.id)) doc_warn(d, yaml_get(root, STR("id")), "the id is no UUID");
	if (!r->info.id.n) r->info.id = r->name.n ? r->name : r->info.title;
	if (status) {
		bool known = false;
		for (size_t i = 0; statuses[i]; i++) known |= str_eq(r->status, str_of(statuses[i]));
		if (!known) doc_warn(d, status, "there is no status '%.*s'", STR_FMT(r->status));
	}
	r->info.tags = texts_of(d, yaml_get(root, STR("tags")), &r->info.n_tags);
	r->falsepositives = texts_of(d, yaml_get(root, STR("falsepositives")), &r->n_falsepositives);
	r->fields = texts_of(d, yaml_get(root, STR("fields")), &r->n_fields);
	return !d->error.reason.n && read_level(d, root, r);
}

bool read_logsource(struct doc *d, const struct yaml_node *node, struct logsource *ret)
{
	static const char *const keys[] = {"category", "product", "service", "definition", NULL};
	if (node->kind != YAML_MAP) return doc_refuse(d, node, "logsource", "logsource must be a map with product, category or service");
	*ret = (struct logsource){text_of(node, "product"), text_of(node, "category"), text_of(node, "service")};
	for (uint32_t i = 0; i < node->n; i++) {
		struct str key = node->pairs[i].key->text;
		const char *near = nearest_word(key, keys);
		if (near && !str_eq(key, str_of(near))) doc_warn(d, node->pairs[i].key, "'%.*s' does not select events; did you mean '%s'?", STR_FMT(key), near);
	}
	if (ret->product.n || ret->category.n || ret->service.n) return true;
	return doc_refuse(d, node, "logsource", "logsource must state at least one of product, category and service");
}

/* --- documents ------------------------------------------------------------------------------------------------ */

/* Maps merged deeply, the later one winning elsewhere (DOC-4): for the legacy `action` documents. */
static const struct yaml_node *merged(struct doc *d, const struct yaml_node *base, const struct yaml_node *over, unsigned depth)
{
	if (!base || base->kind != YAML_MAP || over->kind != YAML_MAP || depth > 64) return over;
	struct yaml_pair *pairs = doc_alloc(d, base->n + over->n, sizeof *pairs);
	struct yaml_node *node = doc_alloc(d, 1, sizeof *node);
	uint32_t n = 0;
	if (!pairs || !node) return over;
	for (uint32_t i = 0; i < base->n; i++) {
		const struct yaml_node *newer = yaml_get(over, base->pairs[i].key->text);
		pairs[n++] = (struct yaml_pair){base->pairs[i].key, newer ? merged(d, base->pairs[i].value, newer, depth + 1) : base->pairs[i].value};
	}
	for (uint32_t i = 0; i < over->n; i++)
		if (!yaml_get(base, over->pairs[i].key->text)) pairs[n++] = over->pairs[i];
	*node = *over;
	node->pairs = pairs;
	node->n = n;
	return node;
}

static struct rule *rule_new(struct doc *d, const struct yaml_document *document)
{
	struct rule *r = doc_alloc(d, 1, sizeof *r);
	if (!r) return NULL;
	r->info.file = d->file;
	sha256_of(document->text.p, document->text.n, r->info.sha256);
	r->text = document->text;
	r->line = document->line;
	r->report = true;
	return r;
}

static bool add_detection(struct doc *d, const struct yaml_node *root, struct rule *r)
{
	const struct yaml_node *logsource = yaml_get(root, STR("logsource")), *detection = yaml_get(root, STR("detection"));
	if (!read_metadata(d, root, r)) return false;
	if (!logsource) return doc_refuse(d, root, "logsource", "logsource is missing");
	if (!detection) return doc_refuse(d, root, "detection", "detection is missing");
	if (!read_logsource(d, logsource, &r->info.logsource) || !read_detection(d, detection, r)) return false;
	vec_push(&d->set->rules, r);
	return true;
}

/* What `action: global` and `repeat` refer to, within one file. */
struct actions { const struct yaml_node *global, *previous; };

static bool take_document(struct doc *d, const struct yaml_document *document, struct actions *actions)
{
	const struct yaml_node *root = document->root, *action = yaml_get(root, STR("action"));
	if (root->kind != YAML_MAP) return doc_refuse(d, root, "syntax", "a rule is a map of keys and values");
	if (action) {
		if (str_eq(action->text, STR("global"))) {
			actions->global = merged(d, actions->global, root, 0);
			return true;
		}
		if (str_eq(action->text, STR("reset"))) {
			actions->global = NULL;
			return true;
		}
		if (!str_eq(action->text, STR("repeat"))) return doc_refuse(d, action, "syntax", "there is no action '%.*s': global, reset, repeat", STR_FMT(action->text));
		root = merged(d, actions->previous, root, 0);
	}
	struct rule *r = rule_new(d, document);
	if (!r) return false;
	if (yaml_get(root, STR("correlation"))) {
		vec_push(&d->set->correlations, (struct pending){r, root, d->file_text});
		return true;
	}
	if (yaml_get(root, STR("filter"))) {
		vec_push(&d->set->filters, (struct pending){r, root, d->file_text});
		return true;
	}
	if (actions->global) root = merged(d, actions->global, root, 0);
	actions->previous = root;
	return add_detection(d, root, r);
}

void rule_set_add_text(struct rule_set *s, struct str text, struct str name)
{
	struct fault f = FAULT_INIT;
	struct actions actions = {0};
	struct doc d = {.set = s, .arena = &s->arena, .file = arena_str(&s->arena, name), .file_text = arena_str(&s->arena, text)};
	if (!d.file.p || !d.file_text.p) {
		doc_refuse_at(&d, 0, 0, "limit", "the rules need more memory than the %d MiB set aside for them", RULES_BUDGET >> 20);
		set_refuse(s, &d);
		return;
	}
	struct yaml_reader *r = yaml_reader_new(d.file_text, d.arena, NULL, &f);
	struct yaml_document document;
	enum yaml_next what = r ? YAML_DOCUMENT : YAML_REFUSED;
	bool any = false;
	while (what != YAML_END) {
		if (r) what = yaml_next(r, &document, &f);
		if (what == YAML_END) break;
		any = true;
		d.error = (struct rules_refused){0};
		d.items = 0;
		if (what == YAML_REFUSED) doc_refuse_at(&d, f.line, f.column, f.kind == FAULT_LIMIT ? "limit" : "syntax", "%s", f.text);
		else if (document.root->kind == YAML_SCALAR && !document.root->text.n) continue; /* an empty document */
		else take_document(&d, &document, &actions);
		if (d.error.reason.n) set_refuse(s, &d);
		if (!r) break;
	}
	if (!any) {
		doc_refuse_at(&d, 1, 1, "syntax", "the file is empty");
		set_refuse(s, &d);
	}
	yaml_reader_free(r);
}

/* --- files ------------------------------------------------------------------------------------------------ */

static void refuse_file(struct rule_set *s, const char *path, const char *reason)
{
	struct doc d = {.set = s, .arena = &s->arena, .file = arena_str(&s->arena, str_of(path))};
	doc_refuse_at(&d, 0, 0, "unreadable", "%s", reason);
	set_refuse(s, &d);
}

static void add_file(struct rule_set *s, const char *path)
{
	struct fault f = FAULT_INIT;
	char *text;
	size_t n;
	if (!file_slurp(path, RULES_FILE_MAX, &text, &n, &f)) {
		refuse_file(s, path, f.text);
		return;
	}
	rule_set_add_text(s, (struct str){text, n}, str_of(path));
	free(text);
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }
static int not_hidden(const struct dirent *e) { return e->d_name[0] != '.'; }

static bool is_rule_file(const char *name)
{
	struct str s = str_of(name);
	return str_ends(s, STR(".yml")) || str_ends(s, STR(".yaml"));
}

static void add_folder(struct rule_set *s, const char *path, unsigned depth)
{
	struct dirent **names;
	if (depth > 64) {
		refuse_file(s, path, "folders nested deeper than 64");
		return;
	}
	int n = scandir(path, &names, not_hidden, by_name);
	if (n < 0) {
		char reason[200];
		snprintf(reason, sizeof reason, "cannot list the folder: %s", strerror(errno));
		refuse_file(s, path, reason);
		return;
	}
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/') length--;
	for (int i = 0; i < n; i++) {
		struct stat st;
		char *child = xmalloc(length + strlen(names[i]->d_name) + 2);
		sprintf(child, "%.*s/%s", (int)length, path, names[i]->d_name);
		if (stat(child, &st) < 0) {
			if (is_rule_file(child)) refuse_file(s, child, "cannot open");
		} else if (S_ISDIR(st.st_mode)) {
			add_folder(s, child, depth + 1);
		} else if (is_rule_file(child)) {
			add_file(s, child);
		}
		free(child);
		free(names[i]);
	}
	free(names);
}

bool rule_set_add_path(struct rule_set *s, const char *path, struct fault *f)
{
	struct stat st;
	if (stat(path, &st) < 0) {
		fault_set(f, FAULT_IO, "cannot open the rules");
		fault_path(f, str_of(path));
		return false;
	}
	if (S_ISDIR(st.st_mode)) add_folder(s, path, 0);
	else add_file(s, path);
	return true;
}

bool rule_set_placeholders(struct rule_set *s, const char *path, struct fault *f)
{
	char *text;
	size_t n;
	if (!file_slurp(path, RULES_FILE_MAX, &text, &n, f)) return false;
	const struct yaml_node *root = yaml_parse_one((struct str){text, n}, &s->arena, NULL, f);
	free(text);
	if (root && root->kind != YAML_MAP) fault_at(f, FAULT_SYNTAX, root->line, root->column, "placeholders are a map: name: value, or name: [value, ...]");
	for (uint32_t i = 0; root && root->kind == YAML_MAP && i < root->n; i++) {
		const struct yaml_node *v = root->pairs[i].value;
		bool bad = v->kind == YAML_MAP;
		for (uint32_t k = 0; v->kind == YAML_SEQ && k < v->n; k++) bad |= v->items[k]->kind != YAML_SCALAR;
		if (bad) {
			fault_at(f, FAULT_SYNTAX, v->line, v->column, "the value of a placeholder is a text or a list of texts");
			root = NULL;
			break;
		}
		*map_put(&s->placeholders, root->pairs[i].key->text, 0, NULL) = (uint32_t)s->placeholder_values.n;
		vec_push(&s->placeholder_values, v);
	}
	if (root && root->kind == YAML_MAP) return true;
	fault_path(f, str_of(path));
	return false;
}

/* --- the set ------------------------------------------------------------------------------------------------ */

struct rule_set *rule_set_new(void)
{
	struct rule_set *s = xcalloc(1, sizeof *s);
	arena_init(&s->arena, RULES_BUDGET);
	return s;
}

void rule_set_free(struct rule_set *s)
{
	if (!s) return;
	vec_free(&s->rules);
	vec_free(&s->refused);
	vec_free(&s->warnings);
	vec_free(&s->correlations);
	vec_free(&s->filters);
	vec_free(&s->placeholder_values);
	map_done(&s->placeholders);
	arena_done(&s->arena);
	free(s);
}

int64_t set_find(const struct rule_set *s, struct str reference)
{
	for (size_t i = 0; i < s->rules.n; i++)
		if (str_eq(s->rules.v[i]->info.id, reference) || (s->rules.v[i]->name.n && str_eq(s->rules.v[i]->name, reference))) return (int64_t)i;
	return -1;
}

void rule_set_finish(struct rule_set *s)
{
	if (s->finished) return;
	s->finished = true;
	for (size_t i = 0; i < s->rules.n; i++) s->rules.v[i]->index = (uint32_t)i;
	filters_apply(s);
	correlations_resolve(s);
}

uint32_t rule_set_count(const struct rule_set *s) { return (uint32_t)s->rules.n; }
const struct rule *rule_set_at(const struct rule_set *s, uint32_t index) { return s->rules.v[index]; }
uint32_t rule_set_refused_count(const struct rule_set *s) { return (uint32_t)s->refused.n; }
const struct rules_refused *rule_set_refused(const struct rule_set *s, uint32_t i) { return &s->refused.v[i]; }
uint32_t rule_set_warning_count(const struct rule_set *s) { return (uint32_t)s->warnings.n; }
const struct rules_warning *rule_set_warning(const struct rule_set *s, uint32_t i) { return &s->warnings.v[i]; }
