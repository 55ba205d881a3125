/* json.c: an event as JSON in the shape that the common EVTX tools agree on (doc/format-evtx.md): attributes under "#attributes",
 * text beside them under "#text", EventData flattened by the Name of its Data elements. */
#include "evtx/evtx_internal.h"
#include "text/json_write.h"

struct writer {
	struct evtx_chunk *c;
	struct buf *out;
};

static void write_element(struct writer *w, const struct instance *in, const struct xnode *e, unsigned depth);

static const struct slot *slot_of(const struct instance *in, const struct xnode *n)
{
	return n->kind == X_SLOT && n->slot < in->n_slots ? &in->slots[n->slot] : NULL;
}

static bool shows_nothing(const struct writer *w, const struct slot *s)
{
	if (!w->c->format.whole_text || s->type != EVTX_STRING) return slot_empty(s);
	for (uint32_t i = 0; i + 1 < s->n; i += 2)
		if (le16_at(s->p + i)) return false;
	return true;
}

/* A half of a UTF-16 pair in UTF-8's manner (what UTF_LONE_WTF8 makes) at s.p + i. */
static bool is_half(struct str s, size_t i)
{
	return i + 2 < s.n && (uint8_t)s.p[i] == 0xed && ((uint8_t)s.p[i + 1] & 0xe0) == 0xa0;
}

/* A text in which such halves are kept. */
static void write_halves(struct writer *w, struct str s)
{
	size_t from = 0;
	buf_byte(w->out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (!is_half(s, i)) continue;
		unsigned unit = 0xd000 | ((uint8_t)s.p[i + 1] & 0x3fu) << 6 | ((uint8_t)s.p[i + 2] & 0x3fu);
		json_str_part(w->out, str_sub(s, from, i - from));
		buf_printf(w->out, "\\u%04x", unit);
		i += 2;
		from = i + 1;
	}
	json_str_part(w->out, str_sub(s, from, s.n));
	buf_byte(w->out, '"');
}

static void write_made(struct writer *w, const struct value *v)
{
	if (!w->c->format.lone_surrogates || (v->kind != VALUE_STR && v->kind != VALUE_LIST)) {
		value_json(v, w->out);
	} else if (v->kind == VALUE_STR) {
		write_halves(w, v->text);
	} else {
		buf_byte(w->out, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			if (i) buf_byte(w->out, ',');
			write_made(w, &v->items[i]); /* items are never lists */
		}
		buf_byte(w->out, ']');
	}
}

/* Whether the parts show nothing at all. */
static bool parts_empty(const struct writer *w, const struct instance *in, const struct xnode *const *parts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (parts[i]->kind == X_TEXT && parts[i]->text.n) return false;
		const struct slot *s = slot_of(in, parts[i]);
		if (s && !shows_nothing(w, s)) return false;
		if (parts[i]->kind == X_ELEMENT) return false;
	}
	return true;
}

/* The fragment in a slot as an object: {"Root":...}. False when there is none to read. */
static bool write_nested(struct writer *w, const struct slot *s, unsigned depth)
{
	struct instance nested;
	uint32_t at = (uint32_t)(s->p - w->c->p);
	if (s->type != EVTX_XML || !s->n || depth >= EVTX_DEPTH || !binxml_instance(w->c, at, at + s->n, depth + 1, &nested)) return false;
	buf_byte(w->out, '{');
	json_str(w->out, nested.fragment->root->text);
	buf_byte(w->out, ':');
	write_element(w, &nested, nested.fragment->root, depth + 1);
	buf_byte(w->out, '}');
	return true;
}

/* A value in JSON; a slot that is XML itself is an object. Lists are shown by their caller. */
static void write_value(struct writer *w, const struct instance *in, const struct xnode *const *parts, uint32_t n, unsigned depth)
{
	struct value v;
	const struct slot *s = n == 1 ? slot_of(in, parts[0]) : NULL;
	if (s && write_nested(w, s, depth)) return;
	parts_value(w->c, in, parts, n, &v);
	write_made(w, &v);
}

static void key(struct writer *w, bool *any, struct str name)
{
	buf_byte(w->out, *any ? ',' : '{');
	*any = true;
	json_str(w->out, name);
	buf_byte(w->out, ':');
}

static bool write_attributes(struct writer *w, const struct instance *in, const struct xnode *e, unsigned depth, bool *any)
{
	bool inner = false;
	for (uint32_t i = 0; i < e->n_attrs; i++) {
		if (parts_empty(w, in, e->attrs[i].parts, e->attrs[i].n_parts)) continue;
		if (!inner) key(w, any, STR("#attributes"));
		key(w, &inner, e->attrs[i].name);
		write_value(w, in, e->attrs[i].parts, e->attrs[i].n_parts, depth);
	}
	if (inner) buf_byte(w->out, '}');
	return inner;
}

/* A child element with the instance its parts belong to. */
struct child { const struct instance *in; const struct xnode *e; struct str name; bool is_data; }; /* name: of Data in a flat element */
typedef VEC(struct child) child_list;

/* Child elements in order; nested fragments take the place of their slot. Instances live in the batch. */
static void children_of(struct writer *w, const struct instance *in, const struct xnode *e, unsigned depth, child_list *list)
{
	for (uint32_t i = 0; i < e->n_children; i++) {
		const struct xnode *x = e->children[i];
		const struct slot *s = slot_of(in, x);
		bool absent = w->c->format.omit_absent && x->kind == X_ELEMENT && x->slot < in->n_slots && in->slots[x->slot].type == EVTX_NULL;
		if (x->kind == X_ELEMENT && !absent) vec_push(list, (struct child){.in = in, .e = x});
		if (!s || s->type != EVTX_XML || !s->n) continue;
		struct instance *nested = arena_alloc(w->c->arena, sizeof *nested);
		uint32_t at = (uint32_t)(s->p - w->c->p);
		if (nested && binxml_instance(w->c, at, at + s->n, depth + 1, nested)) vec_push(list, (struct child){.in = nested, .e = nested->fragment->root});
	}
}

static struct str data_name(struct writer *w, const struct child *c)
{
	for (uint32_t i = 0; i < c->e->n_attrs; i++) {
		if (!str_eq(c->e->attrs[i].name, STR("Name"))) continue;
		struct value v;
		parts_value(w->c, c->in, c->e->attrs[i].parts, c->e->attrs[i].n_parts, &v);
		return value_text(&v, w->c->arena);
	}
	return (struct str){"", 0};
}

/* The text of an element that has no elements: a list makes a JSON array. Empty gives "". */
static void write_text_or_empty(struct writer *w, const struct child *c, unsigned depth)
{
	if (parts_empty(w, c->in, c->e->children, c->e->n_children)) buf_lit(w->out, "\"\"");
	else write_value(w, c->in, c->e->children, c->e->n_children, depth);
}

/* The items of one Data, with commas: a list's each by itself. */
static void write_items(struct writer *w, const struct child *c, unsigned depth, uint32_t *n)
{
	struct value v = {.n = 1};
	const struct slot *s = c->e->n_children == 1 ? slot_of(c->in, c->e->children[0]) : NULL;
	if (s && s->type & EVTX_ARRAY) parts_value(w->c, c->in, c->e->children, 1, &v);
	for (uint32_t i = 0; i < (v.kind == VALUE_LIST ? v.n : 1); i++) {
		if ((*n)++) buf_byte(w->out, ',');
		if (v.kind == VALUE_LIST) write_made(w, &v.items[i]);
		else write_text_or_empty(w, c, depth);
	}
}

/* EventData without names: all Data under one key. */
static void write_unnamed(struct writer *w, const child_list *list, unsigned depth, bool *any)
{
	uint32_t data = 0, n = 0;
	size_t at = 0;
	for (size_t i = 0; i < list->n; i++) {
		const struct child *c = &list->v[i];
		if (!c->is_data) continue;
		if (!data++) key(w, any, STR("Data")), at = w->out->n, buf_lit(w->out, "{\"#text\":[");
		if (!parts_empty(w, c->in, c->e->children, c->e->n_children)) write_items(w, c, depth, &n);
	}
	if (!data) return;
	if (n > 1) {
		buf_lit(w->out, "]}");
	} else if (n == 1) {
		size_t open = at + strlen("{\"#text\":");
		memmove(w->out->p + open, w->out->p + open + 1, w->out->n - open - 1); /* one item is no array */
		w->out->p[w->out->n - 1] = '}';
	} else {
		w->out->n = at;
		buf_lit(w->out, "null");
	}
}

/* Key of the i-th child, with _N behind it when the name occurred before. */
static void write_key(struct writer *w, const child_list *list, size_t i, bool *any)
{
	struct str name = list->v[i].e->text;
	uint32_t before = 0;
	for (size_t k = 0; k < i; k++) before += str_eq(list->v[k].e->text, name);
	buf_byte(w->out, *any ? ',' : '{');
	*any = true;
	buf_byte(w->out, '"');
	json_str_part(w->out, name);
	if (before) buf_byte(w->out, '_'), buf_u64(w->out, before);
	buf_lit(w->out, "\":");
}

/* Data of one name: its value, or those of all that have the name, at the place of the first. */
static void write_named(struct writer *w, const child_list *list, size_t first, struct str name, unsigned depth, bool *any)
{
	uint32_t n = 0;
	for (size_t i = 0; i < list->n; i++) {
		if (!list->v[i].is_data || !str_eq(list->v[i].name, name)) continue;
		if (i < first) return; /* written there */
		n++;
	}
	key(w, any, name);
	if (n == 1) {
		write_text_or_empty(w, &list->v[first], depth);
		return;
	}
	buf_byte(w->out, '[');
	for (size_t i = first; i < list->n; i++) {
		if (!list->v[i].is_data || !str_eq(list->v[i].name, name)) continue;
		if (i > first) buf_byte(w->out, ',');
		write_text_or_empty(w, &list->v[i], depth);
	}
	buf_byte(w->out, ']');
}

static void write_children(struct writer *w, const struct xnode *e, child_list *list, unsigned depth, bool *any)
{
	bool flat = str_eq(e->text, STR("EventData")) || str_eq(e->text, STR("UserData")), named = false, unnamed_done = false;
	for (size_t i = 0; flat && i < list->n; i++) {
		list->v[i].is_data = str_eq(list->v[i].e->text, STR("Data"));
		if (list->v[i].is_data) list->v[i].name = data_name(w, &list->v[i]);
		named |= list->v[i].name.n > 0;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct child *c = &list->v[i];
		if (!c->is_data) {
			write_key(w, list, i, any);
			write_element(w, c->in, c->e, depth + 1);
		} else if (named) {
			if (c->name.n) write_named(w, list, i, c->name, depth, any);
		} else if (!unnamed_done) {
			write_unnamed(w, list, depth, any);
			unnamed_done = true;
		}
	}
}

/* Text that stands between elements, joined, before them. */
static void write_mixed(struct writer *w, const struct instance *in, const struct xnode *e, bool *any)
{
	const struct xnode **parts = arena_alloc(w->c->arena, e->n_children * sizeof *parts);
	uint32_t n = 0;
	for (uint32_t i = 0; parts && i < e->n_children; i++) {
		const struct slot *s = slot_of(in, e->children[i]);
		if (e->children[i]->kind == X_TEXT || (s && s->type != EVTX_XML)) parts[n++] = e->children[i];
	}
	if (!n || parts_empty(w, in, parts, n)) return;
	key(w, any, STR("#text"));
	write_value(w, in, parts, n, EVTX_DEPTH);
}

static void write_element(struct writer *w, const struct instance *in, const struct xnode *e, unsigned depth)
{
	child_list list = {0};
	bool any = false;
	if (depth > EVTX_DEPTH) {
		buf_lit(w->out, "null");
		return;
	}
	children_of(w, in, e, depth, &list);
	bool attributes = write_attributes(w, in, e, depth, &any);
	if (list.n) {
		if (list.n < e->n_children) write_mixed(w, in, e, &any);
		write_children(w, e, &list, depth, &any);
	} else if (!parts_empty(w, in, e->children, e->n_children)) {
		if (attributes) key(w, &any, STR("#text"));
		write_value(w, in, e->children, e->n_children, depth);
	} else if (!attributes) {
		buf_lit(w->out, "null");
	}
	if (any) buf_byte(w->out, '}');
	else if (list.n) buf_lit(w->out, "null");
	vec_free(&list);
}

void evtx_json(struct evtx_chunk *c, const struct instance *root, struct buf *out)
{
	struct writer w = {c, out};
	c->expanded = c->nodes = 0;
	buf_byte(out, '{');
	json_str(out, root->fragment->root->text);
	buf_byte(out, ':');
	write_element(&w, root, root->fragment->root, 0);
	buf_byte(out, '}');
}

void evtx_json_element(struct evtx_chunk *c, const struct instance *in, const struct xnode *e, struct buf *out)
{
	struct writer w = {c, out};
	write_element(&w, in, e, 1);
}
