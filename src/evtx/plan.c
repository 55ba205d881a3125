/* plan.c: JSON by plans. For a pair of templates (System part and content) everything that does not depend on values is decided
 * once: keys, commas, literal text, numbering of repeated names. What is left is a list of short operations over the slots.
 * Whatever a plan cannot say (content whose form depends on its values) is an operation that walks the tree, so the bytes are
 * those of json.c always; tests hold one against the other. */
#include "evtx/plan_internal.h"
#include "text/json_write.h"

struct compile {
	struct arena *arena;
	const struct fragment *root, *content;
	VEC(struct jop) ops;
	struct buf pending;  /* literal bytes not yet an operation */
	size_t literals;
	bool in_content;
	bool failed;
};

static void flush(struct compile *c)
{
	if (!c->pending.n) return;
	/* 32 bytes of slack: short literals are copied as 32 bytes. */
	char *kept = arena_alloc(c->arena, c->pending.n + 32);
	c->failed |= !kept;
	if (kept) {
		memset(kept + c->pending.n, 0, 32);
		memcpy(kept, c->pending.p, c->pending.n);
		c->literals += c->pending.n;
		vec_push(&c->ops, (struct jop){.kind = JOP_LITERAL, .literal = {kept, c->pending.n}});
	}
	c->pending.n = 0;
}

static void op(struct compile *c, struct jop o)
{
	flush(c);
	o.content = c->in_content;
	vec_push(&c->ops, o);
}

static void walk(struct compile *c, const struct xnode *e) { op(c, (struct jop){.kind = JOP_WALK, .element = e}); }

static struct str json_literal(struct compile *c, struct str text, char tail)
{
	struct buf b = {0};
	json_str(&b, text);
	if (tail) buf_byte(&b, tail);
	struct str kept = arena_str(c->arena, buf_view(&b));
	c->failed |= !kept.p;
	buf_done(&b);
	return kept;
}

/* Attributes that are one literal or one slot each; false when one is more than that. */
static bool compile_attrs(struct compile *c, const struct xnode *e, struct jattr **ret, uint32_t *ret_n, bool *ret_slots)
{
	struct jattr *v = arena_calloc(c->arena, e->n_attrs ? e->n_attrs : 1, sizeof *v);
	uint32_t n = 0;
	*ret_slots = false;
	if (!v) return c->failed = true, false;
	for (uint32_t i = 0; i < e->n_attrs; i++) {
		const struct xattr *a = &e->attrs[i];
		if (a->n_parts == 0 || (a->n_parts == 1 && a->parts[0]->kind == X_TEXT && !a->parts[0]->text.n)) continue;
		if (a->n_parts != 1 || a->parts[0]->kind == X_ELEMENT) return false;
		v[n].key = json_literal(c, a->name, ':');
		if (a->parts[0]->kind == X_TEXT) v[n].literal = json_literal(c, a->parts[0]->text, 0);
		else v[n].slot = a->parts[0]->slot, *ret_slots = true;
		c->literals += v[n].key.n + v[n].literal.n + 4;
		n++;
	}
	*ret = v;
	*ret_n = n;
	return true;
}

static void element(struct compile *c, const struct xnode *e, unsigned depth);

static bool is_nested(const struct compile *c, const struct xnode *x)
{
	return !c->in_content && x->kind == X_SLOT && c->content != c->root && x == c->root->content;
}

/* The child as an element: itself, or the content's root in place of its slot. */
static const struct xnode *child_element(const struct compile *c, const struct xnode *x)
{
	return x->kind == X_ELEMENT ? x : is_nested(c, x) ? c->content->root : NULL;
}

static struct str literal_name(const struct xnode *data, bool *ret_ok)
{
	*ret_ok = true;
	for (uint32_t i = 0; i < data->n_attrs; i++) {
		if (!str_eq(data->attrs[i].name, STR("Name"))) continue;
		*ret_ok = data->attrs[i].n_parts == 0 || (data->attrs[i].n_parts == 1 && data->attrs[i].parts[0]->kind == X_TEXT);
		return *ret_ok && data->attrs[i].n_parts ? data->attrs[i].parts[0]->text : (struct str){"", 0};
	}
	return (struct str){"", 0};
}

static bool repeated(const struct compile *c, const struct xnode *e, uint32_t i, struct str name)
{
	bool ok;
	for (uint32_t k = 0; k < i; k++) {
		const struct xnode *x = child_element(c, e->children[k]);
		if (x && str_eq(x->text, STR("Data")) && str_eq(literal_name(x, &ok), name)) return true;
	}
	return false;
}

/* Whether every Data of a flat element has a literal name of its own, or none has one, and at most one part: the rest goes by the walker. */
static bool flat_is_plain(const struct compile *c, const struct xnode *e)
{
	bool named = false, plain = true, ok;
	for (uint32_t i = 0; i < e->n_children; i++) {
		const struct xnode *x = child_element(c, e->children[i]);
		if (!x || !str_eq(x->text, STR("Data"))) continue;
		struct str name = literal_name(x, &ok);
		named |= name.n > 0;
		if (name.n && repeated(c, e, i, name)) return false;
		if (!ok || x->n_children > 1 || (x->n_children && x->children[0]->kind == X_ELEMENT)) return false;
		/* Unnamed ones are written together, by their slots; the content must not be one of them. */
		plain = plain && x == e->children[i];
	}
	return named || plain;
}

static void key(struct compile *c, bool *any, struct str name, uint32_t before)
{
	buf_byte(&c->pending, *any ? ',' : '{');
	*any = true;
	buf_byte(&c->pending, '"');
	json_str_part(&c->pending, name);
	if (before) buf_byte(&c->pending, '_'), buf_u64(&c->pending, before);
	buf_lit(&c->pending, "\":");
}

static void data(struct compile *c, const struct xnode *e)
{
	if (!e->n_children || (e->children[0]->kind == X_TEXT && !e->children[0]->text.n)) buf_lit(&c->pending, "\"\"");
	else if (e->children[0]->kind == X_TEXT) json_str(&c->pending, e->children[0]->text);
	else op(c, (struct jop){.kind = JOP_DATA, .slot = e->children[0]->slot});
}

static void children(struct compile *c, const struct xnode *e, unsigned depth, bool any)
{
	bool flat = str_eq(e->text, STR("EventData")) || str_eq(e->text, STR("UserData")), named = false, unnamed_done = false, ok;
	for (uint32_t i = 0; flat && i < e->n_children; i++) {
		const struct xnode *x = child_element(c, e->children[i]);
		named |= x && str_eq(x->text, STR("Data")) && literal_name(x, &ok).n;
	}
	for (uint32_t i = 0; i < e->n_children; i++) {
		const struct xnode *x = child_element(c, e->children[i]);
		if (!x) continue;
		if (flat && str_eq(x->text, STR("Data"))) {
			struct str name = literal_name(x, &ok);
			if (!named && !unnamed_done) {
				key(c, &any, x->text, 0);
				op(c, (struct jop){.kind = JOP_UNNAMED, .element = e});
				unnamed_done = true;
			}
			if (!name.n) continue;
			key(c, &any, name, 0);
			data(c, x);
			continue;
		}
		uint32_t before = 0;
		for (uint32_t k = 0; k < i; k++) {
			const struct xnode *y = child_element(c, e->children[k]);
			before += y && str_eq(y->text, x->text);
		}
		key(c, &any, x->text, before);
		bool nested = x != e->children[i];
		if (nested) flush(c), c->in_content = true;
		element(c, x, depth + 1);
		if (nested) flush(c), c->in_content = false;
	}
	buf_str(&c->pending, any ? STR("}") : STR("null"));
}

static void element(struct compile *c, const struct xnode *e, unsigned depth)
{
	struct jattr *attrs;
	uint32_t n_attrs, elements = 0, others = 0;
	bool slots;
	for (uint32_t i = 0; i < e->n_children; i++) {
		if (child_element(c, e->children[i])) elements++;
		else others++;
	}
	bool plain = depth < EVTX_DEPTH && compile_attrs(c, e, &attrs, &n_attrs, &slots);
	if (!plain || (elements && (others || slots)) || (!elements && others > 1)) {
		walk(c, e);
		return;
	}
	bool flat = str_eq(e->text, STR("EventData")) || str_eq(e->text, STR("UserData"));
	if (elements && flat && !flat_is_plain(c, e)) {
		/* The walker sees nested fragments by itself. */
		walk(c, e);
		return;
	}
	if (elements) {
		for (uint32_t i = 0; i < n_attrs; i++) {
			buf_str(&c->pending, i ? STR(",") : STR("{\"#attributes\":{"));
			buf_str(&c->pending, attrs[i].key);
			buf_str(&c->pending, attrs[i].literal);
		}
		if (n_attrs) buf_byte(&c->pending, '}');
		children(c, e, depth, n_attrs > 0);
		return;
	}
	const struct xnode *text = e->n_children ? e->children[0] : NULL;
	bool literal = text && text->kind == X_TEXT, shown = text && !(literal && !text->text.n);
	if (!n_attrs) {
		if (!shown) buf_lit(&c->pending, "null");
		else if (literal) json_str(&c->pending, text->text);
		else op(c, (struct jop){.kind = JOP_TEXT, .slot = text->slot});
		return;
	}
	struct jop o = {.kind = JOP_ELEMENT, .attrs = attrs, .n_attrs = n_attrs, .has_text = shown};
	if (shown && literal) o.literal = json_literal(c, text->text, 0);
	else if (shown) o.slot = text->slot;
	c->literals += o.literal.n + 40;
	op(c, o);
}

static const struct json_plan *compile(struct arena *arena, const struct fragment *root, const struct fragment *content)
{
	struct compile c = {.arena = arena, .root = root, .content = content};
	buf_byte(&c.pending, '{');
	json_str(&c.pending, root->root->text);
	buf_byte(&c.pending, ':');
	element(&c, root->root, 0);
	buf_byte(&c.pending, '}');
	flush(&c);
	struct json_plan *p = arena_alloc(arena, sizeof *p);
	struct jop *ops = arena_alloc(arena, c.ops.n * sizeof *ops);
	if (p && ops) {
		memcpy(ops, c.ops.v, c.ops.n * sizeof *ops);
		*p = (struct json_plan){ops, (uint32_t)c.ops.n, c.literals, root->content && root->content->kind == X_SLOT ? root->content->slot : UINT16_MAX};
	}
	vec_free(&c.ops);
	buf_done(&c.pending);
	return c.failed || !ops ? NULL : p;
}

/* --- running --- */

void plan_put_slot(struct evtx_chunk *c, const struct slot *s, struct buf *out)
{
	char *p = out->p + out->n;
	switch (s->type) {
	case EVTX_STRING:
		json_str_utf16le(out, s->p, utf16_length(s->p, s->n / 2));
		return;
	case EVTX_UINT8: if (s->n < 1) break; out->n = (size_t)(format_u64(p, s->p[0]) - out->p); return;
	case EVTX_UINT16: if (s->n < 2) break; out->n = (size_t)(format_u64(p, le16_at(s->p)) - out->p); return;
	case EVTX_UINT32: if (s->n < 4) break; out->n = (size_t)(format_u64(p, le32_at(s->p)) - out->p); return;
	case EVTX_UINT64: if (s->n < 8) break; out->n = (size_t)(format_u64(p, le64_at(s->p)) - out->p); return;
	case EVTX_INT32: if (s->n < 4) break; out->n = (size_t)(format_i64(p, (int32_t)le32_at(s->p)) - out->p); return;
	case EVTX_INT64: if (s->n < 8) break; out->n = (size_t)(format_i64(p, (int64_t)le64_at(s->p)) - out->p); return;
	case EVTX_BOOL: if (s->n < 4) break; buf_str(out, le32_at(s->p) ? STR("true") : STR("false")); return;
	case EVTX_GUID: if (s->n < 16) break; goto quoted;
	case EVTX_FILETIME: if (s->n < 8) break; goto quoted;
	case EVTX_HEX32: if (s->n < 4) break; goto quoted;
	case EVTX_HEX64: if (s->n < 8) break; goto quoted;
	case EVTX_SIZE: if (s->n != 4 && s->n != 8) break; goto quoted;
	case EVTX_SID: if (s->n > EVTX_SID_MAX) break; goto quoted;
	default: break;
	}
	struct value v;
	slot_value(s, c->arena, &c->format, &v);
	value_json(&v, out);
	buf_reserve(out, EVTX_TEXT_MAX);
	return;
quoted:
	*p++ = '"';
	if (s->type == EVTX_GUID) p = format_guid(p, s->p);
	else if (s->type == EVTX_FILETIME) p = format_filetime(p, le64_at(s->p), &c->format);
	else if (s->type == EVTX_SID) p = format_sid(p, s->p, s->n, &c->format);
	else p = format_hex(p, s->type == EVTX_HEX32 || (s->type == EVTX_SIZE && s->n == 4) ? le32_at(s->p) : le64_at(s->p));
	*p++ = '"';
	out->n = (size_t)(p - out->p);
}

/* Short literals are the rule: 32 bytes are stored whatever their length, the buffer has the room. */
static inline void put_literal(struct buf *out, struct str s)
{
	char *p = out->p + out->n;
	if (s.n <= 32) memcpy(p, s.p, 32);
	else memcpy(p, s.p, s.n);
	out->n += s.n;
}

void plan_put_element(struct evtx_chunk *c, const struct jop *o, const struct instance *in, struct buf *out)
{
	bool any = false;
	const struct slot *text = o->has_text && !o->literal.p && o->slot < in->n_slots && !slot_empty(&in->slots[o->slot]) ? &in->slots[o->slot] : NULL;
	for (uint32_t i = 0; i < o->n_attrs; i++) {
		const struct jattr *a = &o->attrs[i];
		const struct slot *s = a->literal.p || a->slot >= in->n_slots ? NULL : &in->slots[a->slot];
		if (!a->literal.p && (!s || slot_empty(s))) continue;
		buf_reserve(out, a->key.n + a->literal.n + EVTX_TEXT_MAX);
		if (any) buf_byte(out, ',');
		else buf_lit(out, "{\"#attributes\":{");
		any = true;
		buf_str(out, a->key);
		if (s) plan_put_slot(c, s, out);
		else buf_str(out, a->literal);
	}
	if (any) buf_byte(out, '}');
	if (o->literal.p || text) {
		if (any) buf_lit(out, ",\"#text\":");
		buf_reserve(out, o->literal.n + EVTX_TEXT_MAX);
		if (text) plan_put_slot(c, text, out);
		else buf_str(out, o->literal);
	} else if (!any) {
		buf_lit(out, "null");
	}
	if (any) buf_byte(out, '}');
}

/* The strings of an array, one by one. */
static void put_strings(const struct slot *s, struct buf *out, uint32_t *n)
{
	for (uint32_t at = 0; at < s->n;) {
		uint32_t left = s->n - at, length = (uint32_t)utf16_length(s->p + at, left / 2);
		if ((*n)++) buf_byte(out, ',');
		json_str_utf16le(out, s->p + at, length);
		at += 2 * length + 2;
		if (2 * length + 2 > left) break;
	}
}

void plan_put_unnamed(struct evtx_chunk *c, const struct jop *o, const struct instance *in, struct buf *out)
{
	uint32_t n = 0;
	size_t before = out->n, open = before + strlen("{\"#text\":");
	buf_lit(out, "{\"#text\":[");
	for (uint32_t i = 0; i < o->element->n_children; i++) {
		const struct xnode *data = o->element->children[i], *x = data->kind == X_ELEMENT && data->n_children ? data->children[0] : NULL;
		if (!x || !str_eq(data->text, STR("Data"))) continue;
		const struct slot *s = x->kind == X_SLOT && x->slot < in->n_slots ? &in->slots[x->slot] : NULL;
		if (x->kind == X_TEXT ? !x->text.n : !s || slot_empty(s)) continue;
		if (s && s->type == (EVTX_ARRAY | EVTX_STRING)) {
			put_strings(s, out, &n);
			continue;
		}
		if (s && s->type & EVTX_ARRAY) {
			struct value v;
			slot_value(s, c->arena, &c->format, &v);
			for (uint32_t k = 0; v.kind == VALUE_LIST && k < v.n; k++) {
				if (n++) buf_byte(out, ',');
				value_json(&v.items[k], out);
			}
			if (v.kind == VALUE_LIST) continue;
		}
		if (n++) buf_byte(out, ',');
		buf_reserve(out, EVTX_TEXT_MAX);
		if (s) plan_put_slot(c, s, out);
		else json_str(out, x->text);
	}
	if (n > 1) {
		buf_lit(out, "]}");
	} else if (n == 1) {
		memmove(out->p + open, out->p + open + 1, out->n - open - 1); /* one item is no array */
		out->p[out->n - 1] = '}';
	} else {
		out->n = before;
		buf_lit(out, "null");
	}
}

static void run(struct evtx_chunk *c, const struct json_plan *p, const struct instance *root, const struct instance *content, struct buf *out)
{
	buf_reserve(out, p->literals + EVTX_TEXT_MAX * 2);
	size_t room = p->literals; /* literal bytes still to come at most */
	for (const struct jop *o = p->ops, *end = o + p->n; o < end; o++) {
		const struct instance *in = o->content ? content : root;
		const struct slot *s;
		switch ((enum jop_kind)o->kind) {
		case JOP_LITERAL:
			buf_reserve(out, room + EVTX_TEXT_MAX);
			put_literal(out, o->literal);
			room -= o->literal.n;
			break;
		case JOP_DATA: case JOP_TEXT:
			s = o->slot < in->n_slots ? &in->slots[o->slot] : NULL;
			if (!s || slot_empty(s)) buf_str(out, o->kind == JOP_DATA ? STR("\"\"") : STR("null"));
			else {
				buf_reserve(out, EVTX_TEXT_MAX);
				plan_put_slot(c, s, out);
			}
			break;
		case JOP_ELEMENT: plan_put_element(c, o, in, out); break;
		case JOP_UNNAMED: plan_put_unnamed(c, o, in, out); break;
		case JOP_WALK: evtx_json_element(c, in, o->element, out); break;
		}
	}
}

/* Fragments inside values other than the content: only the walker shows them. */
static bool has_nested(const struct instance *in, uint16_t except)
{
	for (uint32_t i = 0; i < in->n_slots; i++)
		if (in->slots[i].type == EVTX_XML && i != except && in->slots[i].n) return true;
	return false;
}

const struct json_plan *plan_of(struct evtx_chunk *c, const struct fragment *root, struct fragment *content)
{
	const struct json_plan *p = NULL;
	if (!content->is_template || !root->is_template || root->content_refs > 1) return NULL;
	for (uint32_t i = 0; i < content->n_plans && !p; i++)
		if (content->plan_roots[i] == root) p = content->plans[i];
	if (!p && content->n_plans < COUNT(content->plans)) {
		p = compile(template_store_arena(c->store), root, content);
		if (p) content->plan_roots[content->n_plans] = root, content->plans[content->n_plans++] = p;
	}
	return p;
}

void evtx_json_fast(struct evtx_chunk *c, const struct instance *root, const struct instance *content, struct buf *out)
{
	const struct fragment *f = content->fragment;
	const struct json_plan *p = plan_of(c, root->fragment, content->fragment);
	bool fits = p && !has_nested(root, p->nested) && (f == root->fragment || !has_nested(content, UINT16_MAX));
	/* The slot of the content must hold it: otherwise the plan's shape is wrong. */
	if (fits && f == root->fragment && p->nested < root->n_slots && root->slots[p->nested].type == EVTX_XML && root->slots[p->nested].n) fits = false;
	if (fits) run(c, p, root, content, out);
	else evtx_json(c, root, out);
}
