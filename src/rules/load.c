/* load.c: texts to documents, documents to rules; the set. What cannot be used is refused with its place. See rules.h. */
#include "rules/rules_internal.h"
#include "base/buf.h"
#include "base/file.h"

/* --- documents ------------------------------------------------------------------------------------------------ */

/* Maps merged deeply, the later one winning elsewhere (DOC-4): for the legacy `action` documents. */
static const struct yaml_node *merged(struct doc *d, const struct yaml_node *base, const struct yaml_node *over, unsigned depth)
{
	enum { DEPTH = 64 };
	if (!base || base->kind != YAML_MAP || over->kind != YAML_MAP || depth > DEPTH) return over;
	struct yaml_pair *pairs = doc_scratch(d, (size_t)base->n + over->n, sizeof *pairs);
	struct yaml_node *node = doc_scratch(d, 1, sizeof *node);
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

/* A YAML tree that outlives its file: of what is read when all rules are known. The reader has bounded its depth and size. */
static const struct yaml_node *kept_tree(struct doc *d, const struct yaml_node *from)
{
	struct yaml_node *to = doc_alloc(d, 1, sizeof *to);
	if (!to) return NULL;
	*to = *from;
	to->tag = from->tag.n ? doc_keep(d, from->tag) : (struct str){"", 0};
	if (from->kind == YAML_SCALAR) {
		to->text = doc_keep(d, from->text);
	} else if (from->kind == YAML_SEQ) {
		const struct yaml_node **items = doc_alloc(d, from->n, sizeof *items);
		for (uint32_t i = 0; items && i < from->n; i++)
			if (!(items[i] = kept_tree(d, from->items[i]))) return NULL;
		to->items = items;
	} else {
		struct yaml_pair *pairs = doc_alloc(d, from->n, sizeof *pairs);
		for (uint32_t i = 0; pairs && i < from->n; i++) {
			pairs[i] = (struct yaml_pair){kept_tree(d, from->pairs[i].key), kept_tree(d, from->pairs[i].value)};
			if (!pairs[i].key || !pairs[i].value) return NULL;
		}
		to->pairs = pairs;
	}
	return d->error.reason.n ? NULL : to;
}

/* A document behind others, so that they are read as several. */
static void put_document(struct buf *out, struct str text)
{
	if (out->n && out->p[out->n - 1] != '\n') buf_byte(out, '\n');
	if (out->n && !str_starts(text, STR("---"))) buf_lit(out, "---\n");
	buf_str(out, text);
}

static struct str pinned_text(struct doc *d)
{
	enum { MOST = 1 << 20 };
	struct buf b = {0};
	if (d->before.n + d->text.n > MOST) return doc_refuse(d, NULL, "limit", "with the documents that it is joined with it is longer than 1 MiB"), (struct str){0};
	put_document(&b, d->before);
	put_document(&b, d->text);
	struct str kept = doc_keep(d, buf_view(&b));
	buf_done(&b);
	return kept;
}

static struct rule *rule_new(struct doc *d)
{
	struct rule *r = doc_alloc(d, 1, sizeof *r);
	if (!r) return NULL;
	r->info.file = d->file;
	sha256_of(d->text.p, d->text.n, r->info.sha256);
	r->text = doc_keep(d, d->text);
	r->pinned = d->before.n ? pinned_text(d) : r->text;
	r->line = d->line;
	r->report = true;
	return r->text.p && r->pinned.p ? r : NULL;
}

static bool add_detection(struct doc *d, const struct yaml_node *root, struct rule *r)
{
	const struct yaml_node *detection = yaml_get(root, STR("detection"));
	d->fragment = d->set->fragments && !yaml_get(root, STR("title")) && !yaml_get(root, STR("logsource"));
	if (!read_metadata(d, root, true, r)) return false;
	if (!detection) return doc_refuse(d, root, "detection", "detection is missing");
	if (!read_logsource(d, root, &r->info.logsource) || !read_detection(d, detection, r)) return false;
	if (d->set->rules.n >= RULES_MAX) return doc_refuse(d, root, "limit", "more than %d rules", RULES_MAX);
	vec_push(&d->set->rules, r);
	return true;
}

static bool add_pending(struct doc *d, const struct yaml_node *root, struct rule *r, bool correlation)
{
	struct pending p = {r, kept_tree(d, root), r->text};
	if (!p.root) return false;
	if (d->set->correlations.n + d->set->filters.n >= RULES_MAX) return doc_refuse(d, root, "limit", "more than %d correlations and filters", RULES_MAX);
	if (correlation) vec_push(&d->set->correlations, p);
	else vec_push(&d->set->filters, p);
	return true;
}

/* What `action: global` and `repeat` refer to, within one file, and the texts it came from. */
struct actions {
	const struct yaml_node *global, *previous;
	struct buf global_text, previous_text, before;
};

static bool take_action(struct doc *d, const struct yaml_node *action, const struct yaml_node **root, struct actions *actions)
{
	static const char *const words[] = {"global", "reset", "repeat", NULL};
	if (action->kind != YAML_SCALAR) return doc_refuse(d, action, "syntax", "action is one word: global, reset or repeat");
	if (str_eq(action->text, STR("global"))) {
		actions->global = merged(d, actions->global, *root, 0);
		put_document(&actions->global_text, d->text);
		*root = NULL;
	} else if (str_eq(action->text, STR("reset"))) {
		actions->global = NULL;
		actions->global_text.n = 0;
		*root = NULL;
	} else if (str_eq(action->text, STR("repeat"))) {
		if (!actions->previous) return doc_refuse(d, action, "syntax", "action: repeat has no rule before it to repeat");
		*root = merged(d, actions->previous, *root, 0);
		actions->before.n = 0;
		put_document(&actions->before, buf_view(&actions->previous_text));
		put_document(&actions->before, STR("---\naction: reset\n"));
		if (actions->global) put_document(&actions->before, buf_view(&actions->global_text));
		d->before = buf_view(&actions->before);
	} else {
		const char *near = nearest_word(action->text, words);
		return doc_refuse(d, action, "syntax", "there is no action '%.*s'; %s%s%s", STR_FMT(action->text), near ? "did you mean '" : "global, reset and repeat exist",
			near ? near : "", near ? "'?" : "");
	}
	return !d->error.reason.n;
}

/* The kind of a document shows in its keys, in this order (DOC-2). */
static bool take_document(struct doc *d, const struct yaml_node *root, struct actions *actions)
{
	if (root->kind != YAML_MAP) return doc_refuse(d, root, "syntax", "a rule is a map of keys and values");
	const struct yaml_node *action = yaml_get(root, STR("action"));
	if (action && !take_action(d, action, &root, actions)) return false;
	if (!root) return true;
	bool correlation = yaml_get(root, STR("correlation")), detection = !correlation && !yaml_get(root, STR("filter"));
	if (detection && actions->global && !action) d->before = buf_view(&actions->global_text);
	struct rule *r = rule_new(d);
	if (!r) return false;
	if (!detection) return add_pending(d, root, r, correlation);
	if (actions->global) root = merged(d, actions->global, root, 0);
	actions->previous = root;
	actions->previous_text.n = 0;
	put_document(&actions->previous_text, r->pinned);
	return !d->error.reason.n && add_detection(d, root, r);
}

static void read_documents(struct rule_set *s, struct yaml_reader *reader, struct str file)
{
	struct actions actions = {0};
	struct yaml_document document;
	struct fault f = FAULT_INIT;
	bool any = false;
	unsigned refused = 0;
	for (enum yaml_next what; (what = yaml_next(reader, &document, &f)) != YAML_END; any = true) {
		struct doc d = doc_begin(s, file, document.text, document.line);
		const struct yaml_node *root = document.root;
		if (what == YAML_REFUSED) doc_refuse_at(&d, f.line, f.column, f.kind == FAULT_LIMIT ? "limit" : "syntax", "%s", f.text);
		else if (root->kind == YAML_SCALAR && !root->text.n) continue; /* an empty document */
		else take_document(&d, root, &actions);
		refused += !doc_end(&d, root);
		if (refused >= REFUSED_PER_FILE) {
			rule_set_refuse_file(s, file, STR("a thousand documents of this file are refused; the rest is not read"));
			any = true;
			break;
		}
	}
	buf_done(&actions.global_text);
	buf_done(&actions.previous_text);
	buf_done(&actions.before);
	if (!any) rule_set_refuse_file(s, file, STR("there is no rule in it"));
}

void rule_set_add_text(struct rule_set *s, struct str text, struct str name)
{
	struct fault f = FAULT_INIT;
	struct str file = arena_str(&s->plan, name);
	verify(!s->finished);
	if (!file.p) file = STR("(out of memory)");
	arena_reset(&s->scratch);
	struct yaml_reader *reader = yaml_reader_new(text, &s->scratch, NULL, &f);
	if (!reader) {
		struct doc d = doc_begin(s, file, text, 1);
		doc_refuse_at(&d, f.line, f.column, f.kind == FAULT_LIMIT ? "limit" : "syntax", "%s", f.text);
		doc_end(&d, NULL);
		return;
	}
	read_documents(s, reader, file);
	yaml_reader_free(reader);
}

void rule_set_add_pinned(struct rule_set *s, struct str pinned, struct str name)
{
	size_t before = s->rules.n;
	rule_set_add_text(s, pinned, name);
	if (s->rules.n <= before + 1) return;
	s->rules.v[before] = s->rules.v[s->rules.n - 1];
	s->rules.n = before + 1;
}

/* --- files ---------------------------------------------------------------------------------------------------- */

void rule_set_refuse_file(struct rule_set *s, struct str name, struct str reason)
{
	struct rules_refused r = {arena_str(&s->plan, name), 0, 0, arena_str(&s->plan, reason), STR("unreadable"), STR("")};
	if (!r.file.p) r.file = STR("");
	if (!r.reason.n) r.reason = STR("out of memory");
	vec_push(&s->refused, r);
}

static void add_file(struct rule_set *s, const struct rules_file *file)
{
	struct fault f = FAULT_INIT;
	struct str name = str_of(file->path);
	char *text;
	size_t n;
	if (file->reason) {
		rule_set_refuse_file(s, name, str_of(file->reason));
		return;
	}
	if (!file_slurp(file->path, RULES_FILE_MAX, &text, &n, &f)) {
		rule_set_refuse_file(s, name, str_of(f.text));
		return;
	}
	rule_set_add_text(s, (struct str){text, n}, name);
	free(text);
}

bool rule_set_add_path(struct rule_set *s, const char *path, struct fault *f)
{
	struct rules_files files;
	if (!rules_files_list(path, &files, f)) return false;
	for (size_t i = 0; i < files.n; i++) add_file(s, &files.v[i]);
	rules_files_free(&files);
	return true;
}

/* --- placeholders ---------------------------------------------------------------------------------------------- */

static bool placeholder_value(const struct yaml_node *v)
{
	if (v->kind == YAML_SCALAR) return true;
	for (uint32_t i = 0; v->kind == YAML_SEQ && i < v->n; i++)
		if (v->items[i]->kind != YAML_SCALAR) return false;
	return v->kind == YAML_SEQ;
}

static bool take_placeholders(struct rule_set *s, const struct yaml_node *root, struct fault *f)
{
	if (root->kind != YAML_MAP) return fault_at(f, FAULT_SYNTAX, root->line, root->column, "placeholders are a map: name: value, or name: [value, ...]") == FAULT_NONE;
	for (uint32_t i = 0; i < root->n; i++) {
		struct str name = root->pairs[i].key->text;
		const struct yaml_node *v = root->pairs[i].value;
		if (!placeholder_value(v)) return fault_at(f, FAULT_SYNTAX, v->line, v->column, "the value of a placeholder is a text or a list of texts") == FAULT_NONE;
		/* %name% and name are the same placeholder. */
		if (name.n > 2 && name.p[0] == '%' && name.p[name.n - 1] == '%') name = str_sub(name, 1, name.n - 2);
		*map_put(&s->placeholders, name, 0, NULL) = (uint32_t)s->placeholder_values.n;
		vec_push(&s->placeholder_values, v);
	}
	return true;
}

bool rule_set_placeholders(struct rule_set *s, const char *path, struct fault *f)
{
	char *text;
	size_t n;
	if (!file_slurp(path, RULES_FILE_MAX, &text, &n, f)) return false;
	const struct yaml_node *root = yaml_parse_one((struct str){text, n}, &s->plan, NULL, f);
	free(text);
	bool ok = root && take_placeholders(s, root, f);
	if (!ok) fault_path(f, str_of(path));
	return ok;
}

/* --- the set ---------------------------------------------------------------------------------------------------- */

struct rule_set *rule_set_new(void)
{
	struct rule_set *s = xcalloc(1, sizeof *s);
	arena_init(&s->plan, RULES_BUDGET);
	arena_init(&s->scratch, SCRATCH_BUDGET);
	return s;
}

void rule_set_fragments(struct rule_set *s) { s->fragments = true; }

void rule_set_free(struct rule_set *s)
{
	if (!s) return;
	vec_free(&s->rules);
	vec_free(&s->refused);
	vec_free(&s->warnings);
	vec_free(&s->correlations);
	vec_free(&s->filters);
	vec_free(&s->used_filters);
	vec_free(&s->placeholder_values);
	vec_free(&s->interned_texts);
	map_done(&s->placeholders);
	map_done(&s->interned);
	map_done(&s->refused_names);
	map_done(&s->names);
	map_done(&s->ambiguous);
	arena_done(&s->plan);
	arena_done(&s->scratch);
	free(s);
}

int64_t set_find(const struct rule_set *s, struct str reference)
{
	const uint32_t *at = map_get(&s->names, reference);
	return at ? (int64_t)*at : -1;
}

void rule_set_finish(struct rule_set *s)
{
	if (s->finished) return;
	s->finished = true;
	arena_reset(&s->scratch);
	for (size_t i = 0; i < s->rules.n; i++) s->rules.v[i]->index = (uint32_t)i;
	for (size_t i = 0; i < s->rules.n; i++) s->rules.v[i]->report &= !rule_feeds_detectors(s->rules.v[i]);
	filters_apply(s);
	correlations_resolve(s);
	/* What served loading only. */
	arena_done(&s->scratch);
	map_done(&s->interned);
	map_done(&s->refused_names);
	map_done(&s->names);
	map_done(&s->ambiguous);
	vec_free(&s->interned_texts);
}

uint32_t rule_set_count(const struct rule_set *s) { return (uint32_t)s->rules.n; }
const struct rule *rule_set_at(const struct rule_set *s, uint32_t index) { return s->rules.v[index]; }
uint32_t rule_set_refused_count(const struct rule_set *s) { return (uint32_t)s->refused.n; }
const struct rules_refused *rule_set_refused(const struct rule_set *s, uint32_t i) { return &s->refused.v[i]; }
uint32_t rule_set_warning_count(const struct rule_set *s) { return (uint32_t)s->warnings.n; }
const struct rules_warning *rule_set_warning(const struct rule_set *s, uint32_t i) { return &s->warnings.v[i]; }
