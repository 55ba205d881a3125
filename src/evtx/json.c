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

/* Whether the parts show nothing at all. */
static bool parts_empty(const struct instance *in, const struct xnode *const *parts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (parts[i]->kind == X_TEXT && parts[i]->text.n) return false;
		const struct slot *s = slot_of(in, parts[i]);
		if (s && !slot_empty(s)) return false;
		if (parts[i]->kind == X_ELEMENT) return false;
	}
	return true;
}

/* A value in JSON; lists are shown by their caller. */
static void write_value(struct writer *w, const struct instance *in, const struct xnode *const *parts, uint32_t n)
{
	struct value v;
	parts_value(w->c, in, parts, n, &v);
	value_json(&v, w->out);
}

static void key(struct writer *w, bool *any, struct str name)
{
	buf_byte(w->out, *any ? ',' : '{');
	*any = true;
	json_str(w->out, name);
	buf_byte(w->out, ':');
}

static bool write_attributes(struct writer *w, const struct instance *in, const struct xnode *e, bool *any)
{
	bool inner = false;
	for (uint32_t i = 0; i < e->n_attrs; i++) {
		if (parts_empty(in, e->attrs[i].parts, e->attrs[i].n_parts)) continue;
		if (!inner) key(w, any, STR("#attributes"));
		key(w, &inner, e->attrs[i].name);
		write_value(w, in, e->attrs[i].parts, e->attrs[i].n_parts);
	}
	if (inner) buf_byte(w->out, '}');
	return inner;
}

/* A child element with the instance its parts belong to. */
struct child { const struct instance *in; const struct xnode *e; };
typedef VEC(struct child) child_list;

/* Child elements in order; nested fragments take the place of their slot. Instances live in the batch. */
static void children_of(struct writer *w, const struct instance *in, const struct xnode *e, unsigned depth, child_list *list)
{
	for (uint32_t i = 0; i < e->n_children; i++) {
		const struct xnode *x = e->children[i];
		const struct slot *s = slot_of(in, x);
		if (x->kind == X_ELEMENT) vec_push(list, (struct child){in, x});
		if (!s || s->type != EVTX_XML || !s->n) continue;
		struct instance *nested = arena_alloc(w->c->arena, sizeof *nested);
		uint32_t at = (uint32_t)(s->p - w->c->p);
		if (nested && binxml_instance(w->c, at, at + s->n, depth + 1, nested)) vec_push(list, (struct child){nested, nested->fragment->root});
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
static void write_text_or_empty(struct writer *w, const struct child *c)
{
	if (parts_empty(c->in, c->e->children, c->e->n_children)) buf_lit(w->out, "\"\"");
	else write_value(w, c->in, c->e->children, c->e->n_children);
}

/* EventData without names: all Data under one key. */
static void write_unnamed(struct writer *w, const child_list *list, bool *any)
{
	VEC(struct value) items = {0};
	uint32_t data = 0;
	for (size_t i = 0; i < list->n; i++) {
		const struct child *c = &list->v[i];
		struct value v;
		if (!str_eq(c->e->text, STR("Data"))) continue;
		data++;
		if (parts_empty(c->in, c->e->children, c->e->n_children)) continue;
		parts_value(w->c, c->in, c->e->children, c->e->n_children, &v);
		for (uint32_t k = 0; v.kind == VALUE_LIST && k < v.n; k++) vec_push(&items, v.items[k]);
		if (v.kind != VALUE_LIST) vec_push(&items, v);
	}
	if (data) key(w, any, STR("Data"));
	if (data && !items.n) buf_lit(w->out, "null");
	if (items.n) {
		buf_lit(w->out, "{\"#text\":");
		if (items.n > 1) buf_byte(w->out, '[');
		for (size_t i = 0; i < items.n; i++) {
			if (i) buf_byte(w->out, ',');
			value_json(&items.v[i], w->out);
		}
		if (items.n > 1) buf_byte(w->out, ']');
		buf_byte(w->out, '}');
	}
	vec_free(&items);
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

static void write_children(struct writer *w, const struct xnode *e, const child_list *list, unsigned depth, bool *any)
{
	bool flat = str_eq(e->text, STR("EventData")) || str_eq(e->text, STR("UserData")), named = false, unnamed_done = false;
	for (size_t i = 0; flat && i < list->n; i++) named |= str_eq(list->v[i].e->text, STR("Data")) && data_name(w, &list->v[i]).n;
	for (size_t i = 0; i < list->n; i++) {
		const struct child *c = &list->v[i];
		if (!flat || !str_eq(c->e->text, STR("Data"))) {
			write_key(w, list, i, any);
			write_element(w, c->in, c->e, depth + 1);
		} else if (named) {
			struct str name = data_name(w, c);
			if (!name.n) continue;
			key(w, any, name);
			write_text_or_empty(w, c);
		} else if (!unnamed_done) {
			write_unnamed(w, list, any);
			unnamed_done = true;
		}
	}
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
	bool attributes = write_attributes(w, in, e, &any);
	if (list.n) {
		write_children(w, e, &list, depth, &any);
	} else if (!parts_empty(in, e->children, e->n_children)) {
		if (attributes) key(w, &any, STR("#text"));
		write_value(w, in, e->children, e->n_children);
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
