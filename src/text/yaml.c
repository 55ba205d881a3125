/* yaml.c: libyaml's events made into trees. See yaml.h.
 *
 * Open collections stand on a stack; their finished children wait in one list and move into the arena when the collection
 * ends. libyaml counts characters; positions are turned into bytes by a walk that follows the events through the text. */
#include "text/yaml.h"
#include "base/alloc.h"
#include "text/utf.h"
#include <yaml.h>

enum { MAX_ANCHORS = 256, MAX_REFUSED = 1000 };

struct open {
	struct yaml_node *node;
	size_t first;  /* its first child in `children` */
	bool anchored;
};
struct anchor {
	struct str name;
	const struct yaml_node *node;
	bool open; /* still being read: an alias to it would be a loop */
};

struct yaml_reader {
	struct str text;
	struct arena *arena;
	size_t max_nodes;
	unsigned max_depth;
	bool ascii;               /* characters are bytes */
	yaml_parser_t parser;
	bool parsing, ended;
	size_t base;              /* offset in text where this parser began */
	uint32_t base_line;       /* lines before it */
	size_t walk_index, walk_at, walk_line; /* in characters, bytes; offset where the walk's line begins */
	VEC(struct open) stack;
	VEC(const struct yaml_node *) children;
	VEC(struct anchor) anchors;
	size_t nodes;             /* of this document, aliases expanded */
	unsigned refused;         /* documents so far */
	size_t doc_at, next_at;   /* where its text begins; where the next one's does */
	uint32_t doc_line, next_line;
};

static void start(struct yaml_reader *r, size_t at, uint32_t line)
{
	verify(yaml_parser_initialize(&r->parser));
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)(r->text.n ? r->text.p + at : ""), r->text.n - at);
	r->parsing = true;
	r->base = at;
	r->base_line = line;
	r->walk_index = 0;
	r->walk_at = r->walk_line = at;
}

static void stop(struct yaml_reader *r)
{
	if (r->parsing) yaml_parser_delete(&r->parser);
	r->parsing = false;
}

struct yaml_reader *yaml_reader_new(struct str text, struct arena *a, const struct yaml_limits *limits, struct fault *f)
{
	struct yaml_limits l = limits ? *limits : (struct yaml_limits){0};
	if (!l.max_bytes) l.max_bytes = 16u << 20;
	if (!l.max_depth || l.max_depth > 255) l.max_depth = l.max_depth ? 255 : 64;
	if (!l.max_nodes) l.max_nodes = 1000000;
	if (text.n > l.max_bytes || text.n > UINT32_MAX) {
		fault_set(f, FAULT_LIMIT, "the YAML text has %zu bytes, more than the limit of %zu", text.n, l.max_bytes);
		return NULL;
	}
	if (str_starts(text, STR("\xff\xfe")) || str_starts(text, STR("\xfe\xff"))) {
		fault_at(f, FAULT_SYNTAX, 1, 1, "this is UTF-16 text; save it as UTF-8");
		return NULL;
	}
	struct yaml_reader *r = xcalloc(1, sizeof *r);
	r->text = text;
	r->arena = a;
	r->max_nodes = l.max_nodes;
	r->max_depth = l.max_depth;
	r->ascii = utf8_ascii_prefix(text) == text.n;
	r->next_line = 1;
	start(r, str_starts(text, STR("\xef\xbb\xbf")) ? 3 : 0, 0);
	return r;
}

void yaml_reader_free(struct yaml_reader *r)
{
	if (!r) return;
	stop(r);
	vec_free(&r->stack);
	vec_free(&r->children);
	vec_free(&r->anchors);
	free(r);
}

/* The byte offset of a mark, and its line and column. Marks mostly grow; one before the walk starts it again. */
static size_t position(struct yaml_reader *r, const yaml_mark_t *mark, uint32_t *ret_line, uint32_t *ret_column)
{
	*ret_line = r->base_line + (uint32_t)mark->line + 1;
	if (r->ascii) {
		*ret_column = (uint32_t)mark->column + 1;
		size_t at = r->base + mark->index;
		return at < r->text.n ? at : r->text.n;
	}
	if (mark->index < r->walk_index) {
		r->walk_index = 0;
		r->walk_at = r->walk_line = r->base;
	}
	while (r->walk_index < mark->index && r->walk_at < r->text.n) {
		if (r->text.p[r->walk_at] == '\n') r->walk_line = r->walk_at + 1;
		r->walk_at++;
		while (r->walk_at < r->text.n && (r->text.p[r->walk_at] & 0xC0) == 0x80) r->walk_at++;
		r->walk_index++;
	}
	*ret_column = (uint32_t)(r->walk_at - r->walk_line) + 1;
	return r->walk_at;
}

static bool out_of_memory(struct yaml_reader *r, uint32_t line, struct fault *f)
{
	fault_at(f, FAULT_LIMIT, line, 1, "the YAML text needs more memory than its budget of %zu bytes", r->arena->budget);
	return false;
}

/* What to do about libyaml's words. */
static const char *hint_for(const char *problem, const char *context)
{
	static const struct { const char *problem, *context, *hint; } hints[] = {
		{"cannot start any token", "", "; quote the value, and indent with blanks, not tabs"},
		{"mapping values are not allowed", "", "; quote a value that has ': ' in it, or end the line before with ':'"},
		{"", "scanning an alias", "; quote a value that begins with *"},
		{"", "scanning an anchor", "; quote a value that begins with &"},
		{"unknown escape character", "", "; between double quotes \\ is an escape: use single quotes"},
		{"block sequence entries are not allowed", "", "; begin the list in a new line, or write [a, b]"},
		{"did not find expected key", "block mapping", "; indent the keys of a map alike, close quotes, and write ' inside of '...' twice"},
		{"did not find expected '-' indicator", "", "; indent the entries of a list alike"},
		{"found unexpected end of stream", "quoted scalar", "; a quote is not closed"},
	};
	for (size_t i = 0; i < COUNT(hints); i++)
		if (strstr(problem, hints[i].problem) && strstr(context, hints[i].context)) return hints[i].hint;
	return "";
}

static bool syntax_fault(struct yaml_reader *r, struct fault *f)
{
	const yaml_parser_t *p = &r->parser;
	uint32_t line = 0, column = 0, from, ignored;
	if (p->error == YAML_MEMORY_ERROR) {
		fault_set(f, FAULT_LIMIT, "out of memory in the YAML parser");
		return false;
	}
	if (p->error == YAML_READER_ERROR) {
		size_t at = r->base + p->problem_offset;
		if (at > r->text.n) at = r->text.n;
		line = 1;
		size_t begin = 0;
		for (size_t i = 0; i < at; i++)
			if (r->text.p[i] == '\n') line++, begin = i + 1;
		fault_at(f, FAULT_SYNTAX, line, (uint32_t)(at - begin) + 1, "%s%s", p->problem ? p->problem : "bytes that are no text",
			 p->problem && strstr(p->problem, "UTF-8") ? "; save the file as UTF-8" : "");
		return false;
	}
	position(r, &p->problem_mark, &line, &column);
	const char *hint = hint_for(p->problem ? p->problem : "", p->context ? p->context : "");
	if (p->context && p->context_mark.line != p->problem_mark.line) {
		position(r, &p->context_mark, &from, &ignored);
		fault_at(f, FAULT_SYNTAX, line, column, "%s %s that begins in line %u%s", p->problem, p->context, from, hint);
	} else {
		fault_at(f, FAULT_SYNTAX, line, column, "%s%s%s%s", p->problem ? p->problem : "no YAML", p->context ? " " : "",
			 p->context ? p->context : "", hint);
	}
	return false;
}

/* A new node, counted and, unless it is the root, a child of what is open. */
static struct yaml_node *add_node(struct yaml_reader *r, const yaml_event_t *e, enum yaml_kind kind, struct fault *f)
{
	uint32_t line, column;
	position(r, &e->start_mark, &line, &column);
	if (++r->nodes > r->max_nodes) {
		fault_at(f, FAULT_LIMIT, line, column, "more than %zu nodes in one YAML document", r->max_nodes);
		return NULL;
	}
	struct yaml_node *n = arena_alloc(r->arena, sizeof *n);
	if (!n) {
		out_of_memory(r, line, f);
		return NULL;
	}
	*n = (struct yaml_node){.kind = (uint8_t)kind, .line = line, .column = column, .size = 1};
	vec_push(&r->children, n);
	return n;
}

static bool keep_text(struct yaml_reader *r, const yaml_char_t *bytes, size_t n, struct str *ret, uint32_t line, struct fault *f)
{
	*ret = arena_str(r->arena, (struct str){(const char *)bytes, n});
	return ret->p ? true : out_of_memory(r, line, f);
}

static bool keep_tag(struct yaml_reader *r, const yaml_char_t *tag, struct yaml_node *n, struct fault *f)
{
	return !tag || keep_text(r, tag, strlen((const char *)tag), &n->tag, n->line, f);
}

static bool keep_anchor(struct yaml_reader *r, const yaml_char_t *name, const struct yaml_node *n, bool open, struct fault *f)
{
	if (!name) return true;
	struct anchor a = {.node = n, .open = open};
	if (r->anchors.n >= MAX_ANCHORS) {
		fault_at(f, FAULT_LIMIT, n->line, n->column, "more than %d anchors in one YAML document", MAX_ANCHORS);
		return false;
	}
	if (!keep_text(r, name, strlen((const char *)name), &a.name, n->line, f)) return false;
	vec_push(&r->anchors, a);
	return true;
}

static bool on_scalar(struct yaml_reader *r, const yaml_event_t *e, struct fault *f)
{
	struct yaml_node *n = add_node(r, e, YAML_SCALAR, f);
	if (!n) return false;
	yaml_scalar_style_t style = e->data.scalar.style;
	n->style = style == YAML_PLAIN_SCALAR_STYLE ? YAML_PLAIN :
		   style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE ? YAML_BLOCK : YAML_QUOTED;
	return keep_text(r, e->data.scalar.value, e->data.scalar.length, &n->text, n->line, f) && keep_tag(r, e->data.scalar.tag, n, f) &&
	       keep_anchor(r, e->data.scalar.anchor, n, false, f);
}

static bool on_begin(struct yaml_reader *r, const yaml_event_t *e, enum yaml_kind kind, struct fault *f)
{
	struct yaml_node *n = add_node(r, e, kind, f);
	if (!n) return false;
	if (r->stack.n >= r->max_depth) {
		fault_at(f, FAULT_LIMIT, n->line, n->column, "YAML nested deeper than %u levels", r->max_depth);
		return false;
	}
	const yaml_char_t *tag = kind == YAML_MAP ? e->data.mapping_start.tag : e->data.sequence_start.tag;
	const yaml_char_t *anchor = kind == YAML_MAP ? e->data.mapping_start.anchor : e->data.sequence_start.anchor;
	vec_push(&r->stack, (struct open){n, r->children.n, anchor != NULL});
	return keep_tag(r, tag, n, f) && keep_anchor(r, anchor, n, true, f);
}

static bool on_alias(struct yaml_reader *r, const yaml_event_t *e, struct fault *f)
{
	struct str name = str_of((const char *)e->data.alias.anchor);
	uint32_t line, column;
	position(r, &e->start_mark, &line, &column);
	const struct anchor *a = NULL;
	for (size_t i = r->anchors.n; i-- > 0 && !a;)
		if (str_eq(r->anchors.v[i].name, name)) a = &r->anchors.v[i];
	if (!a) {
		fault_at(f, FAULT_SYNTAX, line, column, "no anchor '&%.60s' before this alias", name.p);
		return false;
	}
	if (a->open) {
		fault_at(f, FAULT_SYNTAX, line, column, "alias '*%.60s' stands inside its own anchor", name.p);
		return false;
	}
	r->nodes += a->node->size;
	if (r->nodes > r->max_nodes || r->stack.n + a->node->height > r->max_depth) {
		fault_at(f, FAULT_LIMIT, line, column, "aliases make more than %zu nodes or %u levels", r->max_nodes, r->max_depth);
		return false;
	}
	vec_push(&r->children, a->node);
	return true;
}

static bool duplicate(const struct yaml_node *first, const struct yaml_node *again, struct fault *f)
{
	fault_at(f, FAULT_SYNTAX, again->line, again->column, "duplicate key '%.*s'; it stands already in line %u, column %u",
		 (int)(again->text.n > 80 ? 80 : again->text.n), again->text.p, first->line, first->column);
	return false;
}

static int by_key(const void *a, const void *b)
{
	const struct yaml_node *x = *(const struct yaml_node *const *)a, *y = *(const struct yaml_node *const *)b;
	int c = str_cmp(x->text, y->text);
	if (c) return c;
	return x->line != y->line ? (x->line > y->line ? 1 : -1) : (x->column > y->column) - (x->column < y->column);
}

/* Keys are scalars, none of them twice (whatever their style), and none is a merge key. */
static bool check_keys(const struct yaml_node *map, struct fault *f)
{
	enum { FEW = 24 };
	for (uint32_t i = 0; i < map->n; i++) {
		const struct yaml_node *key = map->pairs[i].key;
		if (key->kind != YAML_SCALAR) {
			fault_at(f, FAULT_SYNTAX, key->line, key->column, "a key must be a single value, not a %s", key->kind == YAML_MAP ? "map" : "list");
			return false;
		}
		if (key->style == YAML_PLAIN && str_eq(key->text, STR("<<"))) {
			fault_at(f, FAULT_UNSUPPORTED, key->line, key->column, "merge keys (<<) are not supported; write the keys out");
			return false;
		}
		for (uint32_t k = 0; map->n <= FEW && k < i; k++)
			if (str_eq(map->pairs[k].key->text, key->text)) return duplicate(map->pairs[k].key, key, f);
	}
	if (map->n <= FEW) return true;
	const struct yaml_node **keys = xmalloc(map->n * sizeof *keys);
	for (uint32_t i = 0; i < map->n; i++) keys[i] = map->pairs[i].key;
	qsort(keys, map->n, sizeof *keys, by_key);
	bool good = true;
	for (uint32_t i = 1; i < map->n && good; i++)
		if (str_eq(keys[i - 1]->text, keys[i]->text)) good = duplicate(keys[i - 1], keys[i], f);
	free(keys);
	return good;
}

static bool on_end(struct yaml_reader *r, struct fault *f)
{
	struct open top = r->stack.v[--r->stack.n];
	struct yaml_node *n = top.node;
	size_t count = r->children.n - top.first;
	const struct yaml_node **children = arena_alloc(r->arena, count * sizeof *children);
	if (!children) return out_of_memory(r, n->line, f);
	if (count) memcpy(children, r->children.v + top.first, count * sizeof *children);
	r->children.n = top.first;
	for (size_t i = 0; i < count; i++) {
		n->size += children[i]->size;
		if (children[i]->height >= n->height) n->height = children[i]->height + 1;
	}
	if (!count) n->height = 1;
	for (size_t i = r->anchors.n; top.anchored && i-- > 0;)
		if (r->anchors.v[i].node == n) r->anchors.v[i].open = false;
	if (n->kind == YAML_SEQ) {
		n->items = children;
		n->n = (uint32_t)count;
		return true;
	}
	/* Key and value side by side are a struct yaml_pair. */
	_Static_assert(sizeof(struct yaml_pair) == 2 * sizeof(void *), "pairs are two pointers");
	n->pairs = (const struct yaml_pair *)(void *)children;
	n->n = (uint32_t)(count / 2);
	return check_keys(n, f);
}

static bool on_event(struct yaml_reader *r, const yaml_event_t *e, struct fault *f)
{
	uint32_t column;
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		r->doc_at = r->next_at;
		r->doc_line = r->next_line;
		if (!e->data.document_start.implicit) r->doc_at = position(r, &e->start_mark, &r->doc_line, &column);
		return true;
	case YAML_DOCUMENT_END_EVENT:
		r->next_at = position(r, e->data.document_end.implicit ? &e->start_mark : &e->end_mark, &r->next_line, &column);
		return true;
	case YAML_SCALAR_EVENT: return on_scalar(r, e, f);
	case YAML_MAPPING_START_EVENT: return on_begin(r, e, YAML_MAP, f);
	case YAML_SEQUENCE_START_EVENT: return on_begin(r, e, YAML_SEQ, f);
	case YAML_ALIAS_EVENT: return on_alias(r, e, f);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT: return on_end(r, f);
	default: return true;
	}
}

/* After a refused document: goes on at the next line that begins with "---" behind the first line of this one; such a line ends
 * any document, whatever is open in it. */
static void resync(struct yaml_reader *r)
{
	size_t at = r->doc_at;
	uint32_t line = r->doc_line;
	stop(r);
	r->next_at = r->text.n;
	r->ended = true;
	if (++r->refused >= MAX_REFUSED) return;
	for (size_t end; (end = str_find_byte(r->text, '\n', at)) != SIZE_MAX; at = end + 1) {
		struct str next = str_sub(r->text, end + 1, 4);
		line++;
		if (!str_starts(next, STR("---")) || (next.n == 4 && !memchr(" \t\r\n", next.p[3], 4))) continue;
		start(r, end + 1, line - 1);
		r->next_at = end + 1;
		r->next_line = line;
		r->ended = false;
		return;
	}
}

enum yaml_next yaml_next(struct yaml_reader *r, struct yaml_document *ret, struct fault *f)
{
	struct fault own = FAULT_INIT;
	struct fault *fault = f ? f : &own;
	*ret = (struct yaml_document){0};
	if (r->ended) return YAML_END;
	r->stack.n = r->children.n = r->anchors.n = r->nodes = 0;
	r->doc_at = r->next_at;
	r->doc_line = r->next_line;
	for (;;) {
		yaml_event_t e;
		bool good = yaml_parser_parse(&r->parser, &e) ? true : syntax_fault(r, fault);
		yaml_event_type_t type = good ? e.type : YAML_NO_EVENT;
		if (good) {
			good = on_event(r, &e, fault);
			yaml_event_delete(&e);
		}
		if (good && type == YAML_STREAM_END_EVENT) {
			r->ended = true;
			return YAML_END;
		}
		if (good && type != YAML_DOCUMENT_END_EVENT) continue;
		if (!good) resync(r);
		ret->line = r->doc_line;
		ret->text = str_sub(r->text, r->doc_at, r->next_at > r->doc_at ? r->next_at - r->doc_at : 0);
		if (!good) return YAML_REFUSED;
		ret->root = r->children.v[0];
		return YAML_DOCUMENT;
	}
}

const struct yaml_node *yaml_parse_one(struct str text, struct arena *a, const struct yaml_limits *limits, struct fault *f)
{
	struct yaml_document doc, more;
	struct yaml_reader *r = yaml_reader_new(text, a, limits, f);
	if (!r) return NULL;
	enum yaml_next got = yaml_next(r, &doc, f);
	if (got == YAML_END) fault_at(f, FAULT_SYNTAX, 1, 1, "the YAML text is empty");
	if (got == YAML_DOCUMENT) {
		got = yaml_next(r, &more, f);
		if (got == YAML_DOCUMENT) fault_at(f, FAULT_SYNTAX, more.line, 1, "a second YAML document; one is expected");
		got = got == YAML_END ? YAML_DOCUMENT : YAML_REFUSED;
	}
	yaml_reader_free(r);
	return got == YAML_DOCUMENT ? doc.root : NULL;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, struct str key)
{
	if (!map || map->kind != YAML_MAP) return NULL;
	for (uint32_t i = 0; i < map->n; i++)
		if (str_eq(map->pairs[i].key->text, key)) return map->pairs[i].value;
	return NULL;
}

static bool is_one_of(struct str s, const char *const *words)
{
	for (; *words; words++)
		if (str_eq(s, str_of(*words))) return true;
	return false;
}

static size_t digits(struct str s, size_t at)
{
	size_t n = 0;
	while (at + n < s.n && s.p[at + n] >= '0' && s.p[at + n] <= '9') n++;
	return n;
}

static enum yaml_type number_type(struct str s)
{
	size_t at = s.n && (s.p[0] == '-' || s.p[0] == '+');
	struct str rest = str_sub(s, at, s.n);
	uint64_t ignored;
	if (str_starts(rest, STR("0x"))) return rest.n <= 18 && str_hex64(str_sub(rest, 2, rest.n), &ignored) ? YAML_IS_INT : YAML_IS_STR;
	if (str_eq(rest, STR(".inf")) || str_eq(s, STR(".nan"))) return YAML_IS_FLOAT;
	size_t whole = digits(rest, 0), fraction = 0;
	if (whole > 1 && rest.p[0] == '0') return YAML_IS_STR;
	at = whole;
	if (at == rest.n) return whole ? YAML_IS_INT : YAML_IS_STR;
	if (rest.p[at] == '.') {
		fraction = digits(rest, at + 1);
		at += 1 + fraction;
	}
	if (!whole && !fraction) return YAML_IS_STR;
	if (at < rest.n && (rest.p[at] == 'e' || rest.p[at] == 'E')) {
		at++;
		if (at < rest.n && (rest.p[at] == '-' || rest.p[at] == '+')) at++;
		size_t exponent = digits(rest, at);
		if (!exponent) return YAML_IS_STR;
		at += exponent;
	}
	return at == rest.n ? YAML_IS_FLOAT : YAML_IS_STR;
}

enum yaml_type yaml_type(const struct yaml_node *n)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
	if (n->kind != YAML_SCALAR || n->style != YAML_PLAIN || n->tag.n) return YAML_IS_STR;
	if (is_one_of(n->text, nulls)) return YAML_IS_NULL;
	if (is_one_of(n->text, bools)) return YAML_IS_BOOL;
	return number_type(n->text);
}
