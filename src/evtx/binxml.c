/* binxml.c: binary XML ([MS-EVEN6] 2.2.12, and doc/format-evtx.md for what it leaves out) to trees and slots.
 *
 * A template is read once per cursor and kept by its GUID; an element stream (forwarded records) is read for each record. Element
 * starts carry a dependency id inside templates only. Everything is bounded: depth, nodes, slots, and by the chunk's end. */
#include "evtx/evtx_internal.h"
#include "text/utf.h"
#include <stddef.h>
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

enum {
	TOKEN_EOF = 0x00, TOKEN_OPEN = 0x01, TOKEN_CLOSE_START = 0x02, TOKEN_CLOSE_EMPTY = 0x03, TOKEN_END = 0x04, TOKEN_VALUE = 0x05,
	TOKEN_ATTRIBUTE = 0x06, TOKEN_CDATA = 0x07, TOKEN_CHARREF = 0x08, TOKEN_ENTITY = 0x09, TOKEN_PI_TARGET = 0x0a, TOKEN_PI_DATA = 0x0b,
	TOKEN_TEMPLATE = 0x0c, TOKEN_SLOT = 0x0d, TOKEN_SLOT_OPTIONAL = 0x0e, TOKEN_FRAGMENT = 0x0f, TOKEN_MORE = 0x40
};

/* A GUID fixes what a template is, but damage does not respect that. So a template is known by its GUID and by what it says; by its GUID alone
 * only where checksums hold. */
struct template_store {
	struct arena arena;
	struct map by_guid;              /* GUID -> index, of those met in chunks whose checksums hold */
	struct map by_content;           /* GUID and hash -> index */
	VEC(struct fragment *) fragments;
};

struct template_store *template_store_new(void)
{
	struct template_store *s = xcalloc(1, sizeof *s);
	arena_init(&s->arena, 24 << 20);
	return s;
}

void template_store_free(struct template_store *s)
{
	if (!s) return;
	map_done(&s->by_guid);
	map_done(&s->by_content);
	vec_free(&s->fragments);
	arena_done(&s->arena);
	free(s);
}

struct arena *template_store_arena(struct template_store *s) { return &s->arena; }

/* Reading one fragment. */
struct parse {
	struct evtx_chunk *c;
	struct arena *arena;             /* where the tree goes */
	uint32_t at, end;                /* chunk offsets */
	bool in_template;
};

static bool fail(struct evtx_chunk *c, const char *static_why)
{
	if (!c->why) c->why = static_why;
	return false;
}

static bool u8(struct parse *p, uint8_t *ret)
{
	if (p->at >= p->end) return fail(p->c, "record ends inside a token");
	*ret = p->c->p[p->at++];
	return true;
}
static bool u16(struct parse *p, uint16_t *ret)
{
	if (p->end - p->at < 2) return fail(p->c, "record ends inside a token");
	*ret = le16_at(p->c->p + p->at);
	p->at += 2;
	return true;
}
static bool u32(struct parse *p, uint32_t *ret)
{
	if (p->end - p->at < 4) return fail(p->c, "record ends inside a token");
	*ret = le32_at(p->c->p + p->at);
	p->at += 4;
	return true;
}

static struct str utf8(struct parse *p, uint32_t at, uint32_t units)
{
	struct str s = utf16le_arena(p->arena, p->c->p + at, units, UTF_LONE_REPLACE, NULL);
	if (!s.p) fail(p->c, "out of the memory set aside for one block");
	return s;
}

/* Whether a name could stand there, if not the one that did: letters and nothing else. */
static bool name_plain(const struct parse *p, uint32_t offset)
{
	if (offset > p->c->n || p->c->n - offset < 8) return true; /* told as what it is */
	uint32_t units = le16_at(p->c->p + offset + 6);
	bool plain = units && p->c->n - offset >= 10 + units * 2;
	for (uint32_t i = 0; plain && i < units; i++) plain = le16_at(p->c->p + offset + 8 + 2 * i) > 0x20 && le16_at(p->c->p + offset + 8 + 2 * i) < 0xd800;
	return plain;
}

/* Whether a name stands at a chunk offset: text whose hash is beside it. A hash of zero is one that nobody wrote. */
static bool name_stands(const struct parse *p, uint32_t offset)
{
	const uint8_t *b = p->c->p + offset;
	if (offset > p->c->n || p->c->n - offset < 8) return false;
	uint32_t units = le16_at(b + 6), hash = 0;
	if (!units || p->c->n - offset < 10 + units * 2) return false;
	for (uint32_t i = 0; i < units; i++) hash = hash * 65599 + le16_at(b + 8 + 2 * i);
	return le16_at(b + 4) ? (uint16_t)hash == le16_at(b + 4) : name_plain(p, offset);
}

/* Where the name is that a chunk offset means, in a chunk whose checksums do not hold: bytes that were put in or lost move what comes behind them,
 * and what is left of a name that was overwritten is none. UINT32_MAX: nowhere. */
static uint32_t name_found(struct parse *p, uint32_t offset)
{
	if (p->c->shift && name_stands(p, offset + (uint32_t)p->c->shift)) return offset + (uint32_t)p->c->shift;
	if (name_stands(p, offset)) return offset;
	if (offset == p->at || !le16_at(p->c->p + p->at + 4) || !name_stands(p, p->at)) return !p->in_template && name_plain(p, offset) ? offset : UINT32_MAX;
	p->c->shift = (int32_t)(p->at - offset);
	return p->at;
}

/* A name: its chunk offset; inline right behind the offset where it is used first. */
static bool name(struct parse *p, struct str *ret)
{
	uint32_t offset;
	if (!u32(p, &offset)) return false;
	if (!p->c->sure && (offset = name_found(p, offset)) == UINT32_MAX) return fail(p->c, "name lost: something else stands in its place");
	if (offset > p->c->n || p->c->n - offset < 8) return fail(p->c, "name outside the chunk");
	uint32_t units = le16_at(p->c->p + offset + 6);
	if (p->c->n - offset < 10 + units * 2) return fail(p->c, "name runs out of the chunk");
	if (offset == p->at) {
		if (p->end - p->at < 10 + units * 2) return fail(p->c, "name runs out of the record");
		p->at += 10 + units * 2;
	}
	*ret = utf8(p, offset + 8, units);
	return ret->p != NULL;
}

static struct xnode *node(struct parse *p, enum xnode_kind kind)
{
	struct xnode *n = ++p->c->nodes <= EVTX_NODES_MAX ? arena_calloc(p->arena, 1, sizeof *n) : NULL;
	if (!n) fail(p->c, "too many nodes in one record");
	else n->kind = (uint8_t)kind;
	return n;
}

static bool text_node(struct parse *p, struct str text, const struct xnode **ret)
{
	struct xnode *n = node(p, X_TEXT);
	if (!n) return false;
	n->text = text;
	*ret = n;
	return true;
}

static bool entity(struct parse *p, const struct xnode **ret)
{
	static const struct { struct str name; struct str text; } known[] = {
		{{"amp", 3}, {"&", 1}}, {{"lt", 2}, {"<", 1}}, {{"gt", 2}, {">", 1}}, {{"quot", 4}, {"\"", 1}}, {{"apos", 4}, {"'", 1}}};
	struct str n;
	if (!name(p, &n)) return false;
	for (size_t i = 0; i < COUNT(known); i++)
		if (str_eq(n, known[i].name)) return text_node(p, known[i].text, ret);
	return fail(p->c, "unknown entity");
}

/* A token that is content: text, entity, character, substitution. *ret_none: it shows nothing (processing instructions). */
static bool content(struct parse *p, uint8_t token, const struct xnode **ret, bool *ret_none)
{
	uint8_t type;
	uint16_t n;
	*ret_none = false;
	switch (token & ~TOKEN_MORE) {
	case TOKEN_VALUE:
		if (!u8(p, &type) || !u16(p, &n)) return false;
		if (type != EVTX_STRING) return fail(p->c, "literal value that is no string");
		break;
	case TOKEN_CDATA: case TOKEN_PI_DATA:
		if (!u16(p, &n)) return false;
		break;
	case TOKEN_CHARREF: {
		char utf[4];
		if (!u16(p, &n)) return false;
		struct str s = arena_str(p->arena, (struct str){utf, utf8_put(n, utf)});
		return s.p ? text_node(p, s, ret) : fail(p->c, "out of the memory set aside for one block");
	}
	case TOKEN_ENTITY: return entity(p, ret);
	case TOKEN_PI_TARGET: {
		struct str ignored;
		*ret_none = true;
		return name(p, &ignored);
	}
	case TOKEN_SLOT: case TOKEN_SLOT_OPTIONAL: {
		struct xnode *s = node(p, X_SLOT);
		if (!s || !u16(p, &s->slot) || !u8(p, &type)) return false;
		s->optional = (token & ~TOKEN_MORE) == TOKEN_SLOT_OPTIONAL;
		*ret = s;
		return true;
	}
	default: return fail(p->c, "unknown token");
	}
	if (p->end - p->at < n * 2u) return fail(p->c, "text runs out of the record");
	struct str s = utf8(p, p->at, n);
	p->at += n * 2u;
	*ret_none = (token & ~TOKEN_MORE) == TOKEN_PI_DATA;
	return s.p && (*ret_none || text_node(p, s, ret));
}

typedef VEC(const struct xnode *) node_list;
typedef VEC(struct xattr) attr_list;

static const struct xnode *const *keep_nodes(struct parse *p, const node_list *list)
{
	const struct xnode **v = arena_alloc(p->arena, (list->n ? list->n : 1) * sizeof *v);
	if (!v) fail(p->c, "out of the memory set aside for one block");
	else if (list->n) memcpy(v, list->v, list->n * sizeof *v);
	return v;
}

/* Attributes up to the token that closes the start tag, which is left in *ret_token. */
static bool attributes(struct parse *p, attr_list *attrs, uint8_t *ret_token)
{
	node_list parts = {0};
	struct xattr current = {0};
	bool open = false, ok = true, none;
	for (;;) {
		uint8_t token;
		const struct xnode *part;
		ok = u8(p, &token);
		if (!ok) break;
		uint8_t plain = token & ~TOKEN_MORE;
		bool ends = plain == TOKEN_ATTRIBUTE || plain == TOKEN_CLOSE_START || plain == TOKEN_CLOSE_EMPTY;
		if (ends && open) {
			current.parts = keep_nodes(p, &parts);
			current.n_parts = (uint32_t)parts.n;
			if (!(ok = current.parts != NULL)) break;
			vec_push(attrs, current);
			parts.n = 0;
			open = false;
		}
		if (plain == TOKEN_ATTRIBUTE) {
			if (!(ok = name(p, &current.name))) break;
			open = true;
		} else if (ends) {
			*ret_token = plain;
			break;
		} else {
			if (!(ok = open || fail(p->c, "unknown token in a start tag"))) break;
			if (!(ok = content(p, token, &part, &none))) break;
			if (!none) vec_push(&parts, part);
		}
	}
	vec_free(&parts);
	return ok;
}

/* An element whose open token has been read. */
static bool element(struct parse *p, uint8_t open, unsigned depth, const struct xnode **ret)
{
	uint16_t dependency;
	uint32_t size;
	uint8_t closed = TOKEN_CLOSE_EMPTY, token;
	struct xnode *e = node(p, X_ELEMENT);
	attr_list attrs = {0};
	node_list children = {0};
	bool ok = e && (depth < EVTX_DEPTH || fail(p->c, "elements nested too deep"));
	if (e) e->slot = XNODE_NO_DEPENDENCY;
	if (ok && p->in_template && (ok = u16(p, &dependency))) e->slot = dependency;
	ok = ok && u32(p, &size) && name(p, &e->text);
	if (ok && open & TOKEN_MORE) ok = u32(p, &size);
	ok = ok && attributes(p, &attrs, &closed);
	while (ok && closed == TOKEN_CLOSE_START) {
		const struct xnode *child = NULL;
		bool none = false;
		if (!(ok = u8(p, &token))) break;
		uint8_t plain = token & ~TOKEN_MORE;
		if (plain == TOKEN_END) break;
		ok = plain == TOKEN_OPEN ? element(p, token, depth + 1, &child) : content(p, token, &child, &none);
		if (ok && !none) vec_push(&children, child);
	}
	if (ok) {
		struct xattr *kept = arena_alloc(p->arena, (attrs.n ? attrs.n : 1) * sizeof *kept);
		if (kept && attrs.n) memcpy(kept, attrs.v, attrs.n * sizeof *kept);
		e->attrs = kept;
		e->n_attrs = (uint32_t)attrs.n;
		e->children = keep_nodes(p, &children);
		e->n_children = (uint32_t)children.n;
		ok = kept && e->children;
	}
	vec_free(&attrs);
	vec_free(&children);
	*ret = e;
	return ok;
}

/* --- what a fragment means: System fields, content, leaves --- */

static uint32_t only_slot(const struct xnode *const *parts, uint32_t n) { return n == 1 && parts[0]->kind == X_SLOT ? parts[0]->slot : UINT32_MAX; }

static struct leaf *leaf_of(struct arena *a, const struct xnode *const *parts, uint32_t n)
{
	struct leaf *l = arena_calloc(a, 1, sizeof *l);
	if (l) l->parts = parts, l->n_parts = n, l->slot = only_slot(parts, n), l->silent = leaf_is_silent(l);
	return l;
}

static void map_system(struct fragment *f, struct arena *a, const struct xnode *system)
{
	static const struct { struct str element, attribute; enum sys_field field; } fields[] = {
		{{"Provider", 8}, {"Name", 4}, SYS_PROVIDER}, {{"Provider", 8}, {"Guid", 4}, SYS_PROVIDER_GUID}, {{"Provider", 8}, {"EventSourceName", 15}, SYS_SOURCE_NAME},
		{{"EventID", 7}, {"", 0}, SYS_EVENT_ID}, {{"EventID", 7}, {"Qualifiers", 10}, SYS_QUALIFIERS}, {{"Version", 7}, {"", 0}, SYS_VERSION},
		{{"Level", 5}, {"", 0}, SYS_LEVEL}, {{"Task", 4}, {"", 0}, SYS_TASK}, {{"Opcode", 6}, {"", 0}, SYS_OPCODE}, {{"Keywords", 8}, {"", 0}, SYS_KEYWORDS},
		{{"TimeCreated", 11}, {"SystemTime", 10}, SYS_TIME}, {{"EventRecordID", 13}, {"", 0}, SYS_RECORD_ID}, {{"Correlation", 11}, {"ActivityID", 10}, SYS_ACTIVITY},
		{{"Correlation", 11}, {"RelatedActivityID", 17}, SYS_RELATED}, {{"Execution", 9}, {"ProcessID", 9}, SYS_PROCESS}, {{"Execution", 9}, {"ThreadID", 8}, SYS_THREAD},
		{{"Channel", 7}, {"", 0}, SYS_CHANNEL}, {{"Computer", 8}, {"", 0}, SYS_COMPUTER}, {{"Security", 8}, {"UserID", 6}, SYS_USER}};
	f->has_system = true;
	for (uint32_t i = 0; i < system->n_children; i++) {
		const struct xnode *e = system->children[i];
		if (e->kind != X_ELEMENT) continue;
		for (size_t k = 0; k < COUNT(fields); k++) {
			if (!str_eq(e->text, fields[k].element)) continue;
			if (!fields[k].attribute.n && e->n_children) f->sys[fields[k].field] = leaf_of(a, e->children, e->n_children);
			for (uint32_t t = 0; fields[k].attribute.n && t < e->n_attrs; t++)
				if (str_eq(e->attrs[t].name, fields[k].attribute)) f->sys[fields[k].field] = leaf_of(a, e->attrs[t].parts, e->attrs[t].n_parts);
		}
	}
}

static struct str without_blanks(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);
	size_t n = 0;
	for (size_t i = 0; p && i < s.n; i++)
		if (s.p[i] != ' ') p[n++] = s.p[i];
	return p ? (struct str){p, n} : s;
}

static struct str local_name(struct str s)
{
	size_t colon = str_find_byte(s, ':', 0);
	return colon == SIZE_MAX ? s : str_sub(s, colon + 1, s.n);
}

typedef VEC(struct leaf) leaf_list;

static void add_leaf(struct arena *a, leaf_list *list, struct str label, const struct xnode *const *parts, uint32_t n)
{
	struct leaf l = {without_blanks(a, label), label, parts, n, only_slot(parts, n), false};
	l.silent = leaf_is_silent(&l);
	vec_push(list, l);
}

/* The Name attribute of a Data element; empty when it has none. */
static struct str data_name(const struct xnode *e)
{
	for (uint32_t i = 0; i < e->n_attrs; i++)
		if (str_eq(e->attrs[i].name, STR("Name")) && e->attrs[i].n_parts == 1 && e->attrs[i].parts[0]->kind == X_TEXT) return e->attrs[i].parts[0]->text;
	return (struct str){"", 0};
}

/* Leaves below an element: Data by its Name, others by their local name; attributes as Element_Attribute. */
static void collect(struct arena *a, leaf_list *list, const struct xnode *e, unsigned depth)
{
	bool elements = false;
	for (uint32_t i = 0; i < e->n_children; i++) elements |= e->children[i]->kind == X_ELEMENT;
	struct str name = local_name(e->text);
	if (depth) {
		struct str data = str_eq(name, STR("Data")) ? data_name(e) : (struct str){"", 0};
		if (data.n) name = data;
		for (uint32_t i = 0; i < e->n_attrs && !data.n; i++) {
			if (str_starts(e->attrs[i].name, STR("xmlns"))) continue;
			char *joined = arena_alloc(a, name.n + e->attrs[i].name.n + 1);
			if (!joined) continue;
			memcpy(joined, name.p, name.n);
			joined[name.n] = '_';
			memcpy(joined + name.n + 1, e->attrs[i].name.p, e->attrs[i].name.n);
			add_leaf(a, list, (struct str){joined, name.n + 1 + e->attrs[i].name.n}, e->attrs[i].parts, e->attrs[i].n_parts);
		}
		if (!elements) add_leaf(a, list, name, e->children, e->n_children);
	}
	for (uint32_t i = 0; i < e->n_children && elements && depth < EVTX_DEPTH; i++)
		if (e->children[i]->kind == X_ELEMENT) collect(a, list, e->children[i], depth + 1);
}

static void set_leaves(struct fragment *f, struct arena *a, const struct xnode *content, bool is_user_data)
{
	leaf_list list = {0};
	collect(a, &list, content, 0);
	/* A lone root without children of its own kind (UserData with one element) still counts as content. */
	if (!list.n && is_user_data && content->n_children) add_leaf(a, &list, local_name(content->text), content->children, content->n_children);
	struct leaf *v = arena_alloc(a, (list.n ? list.n : 1) * sizeof *v);
	if (v && list.n) memcpy(v, list.v, list.n * sizeof *v);
	f->leaves = v;
	f->n_leaves = v ? (uint32_t)list.n : 0;
	vec_free(&list);
}

static void understand(struct fragment *f, struct arena *a)
{
	if (!str_eq(f->root->text, STR("Event"))) {
		set_leaves(f, a, f->root, true);
		return;
	}
	for (uint32_t i = 0; i < f->root->n_children; i++) {
		const struct xnode *e = f->root->children[i];
		if (e->kind == X_ELEMENT && str_eq(e->text, STR("System"))) {
			map_system(f, a, e);
		} else if (e->kind == X_SLOT) {
			f->content = e;
		} else if (e->kind == X_ELEMENT && !f->content) {
			/* Event/UserData/%content, or content that stands in the root itself. */
			f->content = e->n_children == 1 && e->children[0]->kind == X_SLOT && str_eq(e->text, STR("UserData")) ? e->children[0] : e;
			if (f->content == e) set_leaves(f, a, e, str_eq(e->text, STR("UserData")));
		}
	}
}

void fragment_understand(struct fragment *f, struct arena *a)
{
	understand(f, a);
	for (uint32_t i = 0; i < SYS_COUNT; i++) f->sys_at[i] = f->sys[i] && f->sys[i]->slot < NO_SYS_SLOT ? (uint16_t)f->sys[i]->slot : NO_SYS_SLOT;
}

/* --- instances --- */

static bool fragment_header(struct parse *p)
{
	if (p->at < p->end && p->c->p[p->at] == TOKEN_FRAGMENT) {
		if (p->end - p->at < 4) return fail(p->c, "record ends inside a token");
		p->at += 4;
	}
	return true;
}

typedef VEC(uint16_t) slot_list;

static void collect_refs(const struct xnode *e, slot_list *list)
{
	for (uint32_t i = 0; i < e->n_attrs; i++)
		for (uint32_t k = 0; k < e->attrs[i].n_parts; k++)
			if (e->attrs[i].parts[k]->kind == X_SLOT) vec_push(list, e->attrs[i].parts[k]->slot);
	for (uint32_t i = 0; i < e->n_children; i++) {
		if (e->children[i]->kind == X_SLOT) vec_push(list, e->children[i]->slot);
		else if (e->children[i]->kind == X_ELEMENT) collect_refs(e->children[i], list); /* as deep as element() went: EVTX_DEPTH */
	}
}

static int by_slot(const void *a, const void *b) { return *(const uint16_t *)a - *(const uint16_t *)b; }

/* How often values are shown. */
static void count_refs(struct fragment *f)
{
	slot_list list = {0};
	uint32_t run = 0;
	collect_refs(f->root, &list);
	if (list.n) qsort(list.v, list.n, sizeof *list.v, by_slot);
	for (size_t i = 0; i < list.n; i++) {
		run = i && list.v[i] == list.v[i - 1] ? run + 1 : 1;
		if (run > f->max_refs) f->max_refs = run;
		f->content_refs += f->content && f->content->kind == X_SLOT && f->content->slot == list.v[i];
	}
	vec_free(&list);
}

static struct fragment *read_fragment(struct parse *p, unsigned depth)
{
	uint8_t token;
	uint32_t from = p->at;
	struct fragment *f = arena_calloc(p->arena, 1, sizeof *f);
	if (!f) {
		fail(p->c, "out of the memory set aside for one block");
		return NULL;
	}
	if (!fragment_header(p) || !u8(p, &token)) return NULL;
	if ((token & ~TOKEN_MORE) != TOKEN_OPEN) {
		fail(p->c, "no element where one must stand");
		return NULL;
	}
	if (!element(p, token, depth, &f->root)) return NULL;
	fragment_understand(f, p->arena);
	f->bytes = p->at - from;
	count_refs(f);
	return f;
}

/* Values and definitions may be shown many times by few bytes: what a record shows in all is bounded. */
static bool expand(struct evtx_chunk *c, const struct instance *in, uint32_t value_bytes)
{
	c->expanded += in->fragment->bytes + (uint64_t)in->fragment->max_refs * value_bytes;
	return c->expanded <= EVTX_EXPANDED_MAX || fail(c, "shows its values again and again");
}

static struct fragment *lost(struct evtx_chunk *c, const char *static_why)
{
	c->lost = true;
	fail(c, static_why);
	return NULL;
}

static void chunk_note(struct evtx_chunk *c, uint32_t def, uint32_t id, uint32_t size, struct fragment *f)
{
	uint32_t at = chunk_bucket(def);
	if (c->n_seen >= COUNT(c->seen)) return; /* the rest is looked up by its GUID each time */
	while (c->where[at]) at = (at + 1) & (EVTX_WHERE - 1);
	c->seen[c->n_seen].def = def;
	c->seen[c->n_seen].id = id;
	c->seen[c->n_seen].size = size;
	c->seen[c->n_seen].fragment = f;
	c->where[at] = (uint8_t)++c->n_seen;
}

static void mix(uint64_t *h, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t v = n;
	for (; n >= 8; p += 8, n -= 8) v = (v ^ le64_at(p)) * 0x9e3779b97f4a7c15u, v ^= v >> 29;
	for (; n; p++, n--) v = (v ^ *p) * 0xc2b2ae3d27d4eb4fu;
	*h = (*h ^ v) * 0x9e3779b97f4a7c15u;
	*h ^= *h >> 29;
}

/* What a tree says, whatever the offsets of its names were. As deep as element() went: EVTX_DEPTH. */
static void mix_node(uint64_t *h, const struct xnode *x)
{
	uint32_t shape[] = {x->kind, x->optional, x->slot, x->n_attrs, x->n_children};
	mix(h, shape, sizeof shape);
	mix(h, x->text.p, x->text.n);
	for (uint32_t i = 0; i < x->n_attrs; i++) {
		mix(h, x->attrs[i].name.p, x->attrs[i].name.n);
		mix(h, &x->attrs[i].n_parts, sizeof x->attrs[i].n_parts);
		for (uint32_t k = 0; k < x->attrs[i].n_parts; k++) mix_node(h, x->attrs[i].parts[k]);
	}
	for (uint32_t i = 0; i < x->n_children; i++) mix_node(h, x->children[i]);
}

/* The template read from its definition, or the one that is known and says the same. */
static struct fragment *template_by_content(struct evtx_chunk *c, uint32_t def, uint32_t id, uint32_t size)
{
	struct template_store *s = c->store;
	struct { uint8_t guid[16]; uint64_t hash; } key;
	/* Where checksums hold it is nearly always a new one; else each chunk's definitions are read, and must not pile up. */
	struct parse p = {c, c->sure ? &s->arena : c->arena, def + 24, def + 24 + size, true};
	struct fragment *f = read_fragment(&p, 0);
	if (!f) return lost(c, "template cannot be read");
	memcpy(key.guid, c->p + def + 4, 16);
	key.hash = 0;
	mix_node(&key.hash, f->root);
	struct str by_content = {(const char *)&key, sizeof key};
	uint32_t *known = map_get(&s->by_content, by_content), index = known ? *known : (uint32_t)s->fragments.n;
	if (!known) {
		if (s->fragments.n >= EVTX_TEMPLATES_MAX) return fail(c, "too many templates"), NULL;
		p = (struct parse){c, &s->arena, def + 24, def + 24 + size, true};
		if (!c->sure) f = read_fragment(&p, 0);
		if (!f) return lost(c, "template cannot be read");
		f->is_template = true;
		memcpy(f->guid, key.guid, 16);
		f->hash = key.hash;
		map_put(&s->by_content, by_content, index, NULL);
		vec_push(&s->fragments, f);
	}
	if (c->sure) map_put(&s->by_guid, (struct str){(const char *)key.guid, 16}, index, NULL);
	if ((c->sure || !known) && !c->showing) vec_push(&c->fresh, (struct fresh_template){c->offset, id, def, c->shift, c->sure});
	return s->fragments.v[index];
}

static bool is_definition(const struct evtx_chunk *c, uint32_t def, uint32_t id)
{
	return def <= c->n && c->n - def >= 28 && le32_at(c->p + def + 4) == id && !memcmp(c->p + def + 24, "\x0f\1\1", 3);
}

struct fragment *binxml_template(struct evtx_chunk *c, uint32_t def, uint32_t id)
{
	if (c->shift && !c->sure && is_definition(c, def + (uint32_t)c->shift, id)) def += (uint32_t)c->shift;
	struct fragment *f = chunk_seen(c, def, id);
	if (f) return f;
	if (def > c->n || c->n - def < 24) return lost(c, "template outside the chunk");
	const uint8_t *guid = c->p + def + 4;
	uint32_t size = le32_at(c->p + def + 20);
	if (le32_at(guid) != id) return lost(c, "template lost: something else stands in its place");
	if (size > c->n - def - 24) return lost(c, "template runs out of the chunk");
	if (c->n_contexts < COUNT(c->contexts)) c->contexts[c->n_contexts++] = (struct range){def, 24 + (uint64_t)size};
	struct str key = {(const char *)guid, 16};
	uint32_t *at = c->sure ? map_get(&c->store->by_guid, key) : NULL;
	f = at ? c->store->fragments.v[*at] : template_by_content(c, def, id, size);
	if (f && (c->sure || !c->showing)) chunk_note(c, def, id, size, f);
	return f;
}

/* The values that n descriptors (u16 length, u8 type, u8 of no meaning) give, one behind the other from `value` on. */
static void place_slots(const uint8_t *descriptors, uint32_t n, const uint8_t *value, struct slot *slots)
{
#if defined(__x86_64__)
	/* Four at a time: a slot is its address and, behind it, what is of meaning in its descriptor. */
	_Static_assert(sizeof *slots == 16 && offsetof(struct slot, n) == 8 && offsetof(struct slot, type) == 10, "as the descriptor");
	const __m128i none = _mm_setzero_si128();
	__m128i from = _mm_set1_epi64x((long long)(uintptr_t)value), before = none;
	for (uint32_t i = 0; i < n; i += 4) {
		__m128i d = _mm_loadu_si128((const __m128i *)(descriptors + 4 * (size_t)i)), length = _mm_and_si128(d, _mm_set1_epi32(0xffff));
		__m128i sum = _mm_add_epi32(length, _mm_slli_si128(length, 4));
		sum = _mm_add_epi32(sum, _mm_slli_si128(sum, 8));
		__m128i at = _mm_add_epi32(before, _mm_sub_epi32(sum, length));
		before = _mm_add_epi32(before, _mm_shuffle_epi32(sum, 0xff));
		d = _mm_and_si128(d, _mm_set1_epi32(0xffffff));
		__m128i p01 = _mm_add_epi64(from, _mm_unpacklo_epi32(at, none)), p23 = _mm_add_epi64(from, _mm_unpackhi_epi32(at, none));
		__m128i d01 = _mm_unpacklo_epi32(d, none), d23 = _mm_unpackhi_epi32(d, none);
		_mm_storeu_si128((__m128i *)(slots + i), _mm_unpacklo_epi64(p01, d01));
		_mm_storeu_si128((__m128i *)(slots + i + 1), _mm_unpackhi_epi64(p01, d01));
		_mm_storeu_si128((__m128i *)(slots + i + 2), _mm_unpacklo_epi64(p23, d23));
		_mm_storeu_si128((__m128i *)(slots + i + 3), _mm_unpackhi_epi64(p23, d23));
	}
#else
	for (uint32_t i = 0; i < n; i++) {
		uint32_t d = le32_at(descriptors + 4 * (size_t)i);
		slots[i].p = value;
		slots[i].n = (uint16_t)d;
		slots[i].type = (uint8_t)(d >> 16);
		value += d & 0xffff;
	}
#endif
}

static bool read_slots(struct parse *p, struct instance *ret)
{
	uint32_t n;
	if (!u32(p, &n)) return false;
	if (n > EVTX_SLOTS_MAX || n > (p->end - p->at) / 4) return fail(p->c, "more values than the record can hold");
	/* Up to three more than there are may be written, from what stands behind the descriptors: a chunk has EVTX_PAD there. */
	struct slot *slots = arena_alloc(p->c->arena, ((size_t)n + 4) * sizeof *slots);
	if (!slots) return fail(p->c, "out of the memory set aside for one block");
	place_slots(p->c->p + p->at, n, p->c->p + p->at + n * 4, slots);
	/* At most 16384 values of 65535 bytes: the sum cannot overflow, and is checked once. */
	uint32_t value = n ? (uint32_t)(slots[n - 1].p - p->c->p) + slots[n - 1].n : p->at;
	if (value > p->end) return fail(p->c, "value runs out of the record");
	ret->slots = slots;
	ret->n_slots = n;
	p->at = value;
	return true;
}

/* Whether values stand at `at`, as many bytes as there are up to the end of the record: its last token and up to seven bytes of anything may follow. */
static bool values_fit(const struct parse *p, uint32_t at)
{
	uint32_t n = p->end - at < 4 ? 0 : le32_at(p->c->p + at);
	if (!n || n > EVTX_SLOTS_MAX || n > (p->end - at - 4) / 4) return false;
	uint64_t end = at + 4 + n * 4ull;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t d = le32_at(p->c->p + at + 4 + i * 4), type = d >> 16 & 0x7f;
		if (d >> 24 || (type > EVTX_HEX64 && type != EVTX_XML) || (end += d & 0xffff) > p->end) return false;
	}
	return p->end - end <= 8;
}

/* An event whose template shows values has some. */
static bool shows(struct evtx_chunk *c, const struct instance *in, unsigned depth)
{
	return depth || in->n_slots || !in->fragment->max_refs || fail(c, "no values where its template shows some");
}

/* The instance at p->at, where its values begin, of a template that is lost here: from elsewhere, or by the usual layout. */
static bool lost_instance(struct parse *p, uint32_t id, unsigned depth, struct instance *ret)
{
	struct evtx_chunk *c = p->c;
	uint32_t at = p->at;
	c->lost = false;
	c->why = NULL;
	ret->fragment = c->find_template(c->find_arg, id);
	if (!read_slots(p, ret)) return false;
	if (!ret->fragment && !depth && !ret->n_slots) return fail(c, "template lost, and no values");
	if (!ret->fragment) ret->fragment = lost_fragment(c, ret->n_slots, depth == 0);
	return ret->fragment ? shows(c, ret, depth) && expand(c, ret, p->end - at) : fail(c, "out of the memory set aside for one block");
}

/* Whether they are those of an event: number and record id have their places and types in every template of System. */
static bool values_of_system(const struct parse *p, uint32_t at)
{
	const uint8_t *d = p->c->p + at + 4;
	return le32_at(d - 4) > 10 && le32_at(d + 3 * 4) == (EVTX_UINT16 << 16 | 2) && le32_at(d + 10 * 4) == (EVTX_UINT64 << 16 | 8);
}

/* The same where the definition is inline and overwritten, so that its size says nothing: its values are where they fit. Or there is none, and the offset of another
 * record's definition means this place by chance, in a page of a log that stands somewhere else now: then they are here. */
static bool lost_inline(struct parse *p, uint32_t id, unsigned depth, struct instance *ret)
{
	if (!p->c->find_template) return lost(p->c, "template lost: it was overwritten");
	for (uint32_t here = p->at, at = here; at + 4 < p->end; at += at == here ? 24 : 1) {
		if (!values_fit(p, at) || (!depth && !values_of_system(p, at))) continue;
		p->at = at;
		return lost_instance(p, id, depth, ret);
	}
	return fail(p->c, "template was overwritten, and where its values begin");
}

bool binxml_value_holds(const struct evtx_chunk *c, uint32_t at, uint32_t end, uint32_t from, uint32_t to, unsigned depth)
{
	const uint8_t *b = c->p;
	if (depth > EVTX_DEPTH || end > c->n || end < at || end - at < 18 || b[at] != TOKEN_FRAGMENT || (b[at + 4] & ~TOKEN_MORE) != TOKEN_TEMPLATE) return false;
	uint32_t id = le32_at(b + at + 6), def = le32_at(b + at + 10), p = at + 14;
	if (def == p || (end - p >= 28 && is_definition(c, p, id))) {
		if (end - p < 28 || le32_at(b + p + 20) > end - p - 28) return false;
		p += 24 + le32_at(b + p + 20);
	}
	if (end - p < 4) return false;
	uint32_t n = le32_at(b + p);
	if (n > EVTX_SLOTS_MAX || n > (end - p - 4) / 4) return false;
	uint32_t value = p + 4 + 4 * n;
	for (uint32_t i = 0; i < n && value <= from; i++) {
		uint32_t d = le32_at(b + p + 4 + 4 * i), size = d & 0xffff, type = d >> 16 & 0xff;
		if (size > end - value) return false;
		if (to <= value + size) return type != EVTX_XML || binxml_value_holds(c, value, value + size, from, to, depth + 1);
		value += size;
	}
	return false;
}

bool binxml_instance(struct evtx_chunk *c, uint32_t at, uint32_t end, unsigned depth, struct instance *ret)
{
	struct parse p = {c, c->arena, at, end, false};
	uint8_t unknown, token;
	uint32_t id, def, size;
	if (depth > EVTX_DEPTH) return fail(c, "values nested too deep");
	if (depth) c->shift = c->shift_shown; /* in whichever order values are asked for */
	if (!fragment_header(&p)) return false;
	if (p.at >= p.end) return fail(c, "empty record");
	token = c->p[p.at] & ~TOKEN_MORE;
	if (token == TOKEN_OPEN) {
		*ret = (struct instance){.fragment = read_fragment(&p, depth)};
		return ret->fragment && expand(c, ret, 0);
	}
	if (token != TOKEN_TEMPLATE) return fail(c, "neither a template nor an element");
	p.at++;
	if (!u8(&p, &unknown) || !u32(&p, &id) || !u32(&p, &def)) return false;
	/* A definition that was moved together with its record does not stand at the offset that it names. */
	if (def != p.at && !c->sure && p.end - p.at >= 28 && is_definition(c, p.at, id)) {
		c->shift = (int32_t)(p.at - def);
		def = p.at;
	}
	uint32_t behind = p.at;
	if (def == p.at) {
		if (p.end - p.at < 24) return fail(c, "template runs out of the record");
		size = le32_at(c->p + def + 20);
		if (size > p.end - p.at - 24) return lost_inline(&p, id, depth, ret);
		p.at += 24 + size;
	}
	ret->fragment = binxml_template(c, def, id);
	if (ret->fragment) {
		if (!read_slots(&p, ret)) return false;
		return shows(c, ret, depth) && expand(c, ret, ret->n_slots ? end - at : 0);
	}
	if (!c->lost || !c->find_template) return false;
	/* Content without values, behind a definition that can be seen to end there, is whole. */
	bool none = depth && p.end - p.at >= 4 && p.end - p.at <= 12 && !le32_at(c->p + p.at);
	if (behind != p.at && !none && !values_fit(&p, p.at)) {
		p.at = behind;
		return lost_inline(&p, id, depth, ret);
	}
	return lost_instance(&p, id, depth, ret);
}

static void join_parts(struct evtx_chunk *c, const struct instance *in, const struct xnode *const *parts, uint32_t n, struct buf *out)
{
	for (uint32_t i = 0; i < n; i++) {
		if (parts[i]->kind == X_TEXT) buf_str(out, parts[i]->text);
		if (parts[i]->kind != X_SLOT || parts[i]->slot >= in->n_slots) continue;
		if (in->slots[parts[i]->slot].type == EVTX_XML) {
			evtx_xml_slot(c, &in->slots[parts[i]->slot], out);
			continue;
		}
		struct value v;
		slot_value(&in->slots[parts[i]->slot], c->arena, &c->format, &v);
		buf_str(out, value_text(&v, c->arena));
	}
}

void parts_value(struct evtx_chunk *c, const struct instance *in, const struct xnode *const *parts, uint32_t n, struct value *ret)
{
	if (n == 1 && parts[0]->kind == X_TEXT) {
		*ret = value_str(parts[0]->text);
		return;
	}
	if (n == 1 && parts[0]->kind == X_SLOT && !(parts[0]->slot < in->n_slots && in->slots[parts[0]->slot].type == EVTX_XML)) {
		if (parts[0]->slot < in->n_slots) slot_value(&in->slots[parts[0]->slot], c->arena, &c->format, ret);
		else *ret = value_str((struct str){"", 0});
		return;
	}
	struct buf joined = {0};
	join_parts(c, in, parts, n, &joined);
	struct str kept = arena_str(c->arena, buf_view(&joined));
	*ret = value_str(kept.p ? kept : (struct str){"", 0});
	buf_done(&joined);
}
