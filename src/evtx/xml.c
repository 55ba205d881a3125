/* xml.c: an event as XML in the form that Windows itself shows ([MS-EVEN6] 3.1.4.7.5, and the event viewer): attributes in single quotes,
 * GUIDs in braces, times with all seven digits, elements left out whose value is NULL and that depend on it, arrays as repeated
 * elements. By walking the trees. */
#include "evtx/evtx_internal.h"
#include "text/utf.h"
#include <stdio.h>

/* U+FFFE, U+FFFF and halves of pairs, of three bytes each. */
static bool xml_lacks(unsigned char a, unsigned char b, unsigned char c)
{
	return (a == 0xef && b == 0xbf && c >= 0xbe) || (a == 0xed && b >= 0xa0);
}

/* U+2028 and U+2029, which end a line for some, and U+202A..U+202E, U+2066..U+2069, which reorder what a person sees; of three bytes each. */
static bool xml_misleads(unsigned char a, unsigned char b, unsigned char c)
{
	return a == 0xe2 && ((b == 0x80 && c >= 0xa8 && c <= 0xae) || (b == 0x81 && c >= 0xa6 && c <= 0xa9));
}

/* Whether the byte stands for itself, whatever comes behind it. */
static bool xml_plain(unsigned char c) { return c >= 0x20 && c < 0x7f && c != '&' && c != '<' && c != '>' && c != '\'' && c != '"'; }

/* Text as XML 1.0 allows it: markup escaped, characters that XML cannot hold as U+FFFD; those that JSON escapes too as references. */
static void put_text(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		size_t plain = i;
		while (plain < s.n && xml_plain((unsigned char)s.p[plain])) plain++;
		if (plain > i) buf_put(out, s.p + i, plain - i);
		if ((i = plain) == s.n) return;
		unsigned char c = (unsigned char)s.p[i];
		if (c == '&') buf_lit(out, "&amp;");
		else if (c == '<') buf_lit(out, "&lt;");
		else if (c == '>') buf_lit(out, "&gt;");
		else if (c == '\'') buf_lit(out, "&apos;");
		else if (c == '"') buf_lit(out, "&quot;");
		else if (c == '\r') buf_lit(out, "&#13;");
		else if (c == '\n') buf_lit(out, "&#10;"); /* one event stays one line */
		else if (c < 0x20 && c != '\t') buf_lit(out, "\xef\xbf\xbd");
		else if (c == 0x7f || (c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0)) buf_printf(out, "&#%u;", c == 0x7f ? 0x7f : (unsigned char)s.p[++i]);
		else if (i + 2 < s.n && xml_lacks(c, (unsigned char)s.p[i + 1], (unsigned char)s.p[i + 2])) buf_lit(out, "\xef\xbf\xbd"), i += 2;
		else if (i + 2 < s.n && xml_misleads(c, (unsigned char)s.p[i + 1], (unsigned char)s.p[i + 2])) {
			buf_printf(out, "&#%u;", 0x2000u | (s.p[i + 1] & 0x3fu) << 6 | (s.p[i + 2] & 0x3fu));
			i += 2;
		}
		else buf_byte(out, s.p[i]);
	}
}

/* A name as XML allows it: those of Windows' own templates are; of a damaged or forged one what is not is shown as an underscore. */
static void put_name(struct buf *out, struct str s)
{
	size_t letters = 0;
	while (letters < s.n && (s.p[letters] | 32) >= 'a' && (s.p[letters] | 32) <= 'z') letters++;
	buf_put(out, s.p, letters);
	if (!s.n) buf_byte(out, '_');
	for (size_t i = letters; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool letter = (c | 32) >= 'a' && (c | 32) <= 'z', later = (c >= '0' && c <= '9') || c == '-' || c == '.';
		buf_byte(out, letter || c == '_' || c == ':' || (i && later) ? (char)c : '_');
	}
}

static void put_guid(struct buf *out, const uint8_t *p)
{
	char text[EVTX_TEXT_MAX];
	size_t n = (size_t)(format_guid(text, p) - text);
	for (size_t i = 0; i < n; i++)
		if (text[i] >= 'A' && text[i] <= 'F') text[i] = (char)(text[i] + 32);
	buf_printf(out, "{%.*s}", (int)n, text);
}

static void put_filetime(struct buf *out, uint64_t filetime)
{
	char text[ETIME_MAX];
	struct etime t = etime_from_filetime(filetime);
	if (!t.present) t = (struct etime){-11644473600, 0, 7, true};
	buf_put(out, text, etime_print(t, 7, text));
}

/* One scalar value. */
static void put_slot(struct evtx_chunk *c, const struct slot *s, struct buf *out)
{
	struct value v;
	if (s->type == EVTX_GUID && s->n >= 16) put_guid(out, s->p);
	else if (s->type == EVTX_FILETIME && s->n >= 8) put_filetime(out, le64_at(s->p));
	else {
		bool exact = c->format.exact_times;
		c->format.exact_times = true;
		slot_value(s, c->arena, &c->format, &v);
		c->format.exact_times = exact;
		put_text(out, value_text(&v, c->arena));
	}
}

static const struct slot *slot_of(const struct instance *in, const struct xnode *n)
{
	return n->kind == X_SLOT && n->slot < in->n_slots ? &in->slots[n->slot] : NULL;
}

static void element(struct evtx_chunk *c, const struct instance *in, const struct xnode *e, unsigned depth, struct buf *out);

static void put_nested(struct evtx_chunk *c, const struct slot *s, unsigned depth, struct buf *out)
{
	struct instance *nested = arena_alloc(c->arena, sizeof *nested);
	uint32_t at = (uint32_t)(s->p - c->p);
	if (nested && s->n && binxml_instance(c, at, at + s->n, depth + 1, nested)) element(c, nested, nested->fragment->root, depth + 1, out);
}

static void put_parts(struct evtx_chunk *c, const struct instance *in, const struct xnode *const *parts, uint32_t n, unsigned depth, struct buf *out)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct slot *s = slot_of(in, parts[i]);
		if (parts[i]->kind == X_TEXT) put_text(out, parts[i]->text);
		else if (parts[i]->kind == X_ELEMENT) element(c, in, parts[i], depth + 1, out);
		else if (s && s->type == EVTX_XML) put_nested(c, s, depth, out);
		else if (s && s->type != EVTX_NULL) put_slot(c, s, out);
	}
}

static bool attribute_shown(const struct instance *in, const struct xattr *a)
{
	for (uint32_t i = 0; i < a->n_parts; i++) {
		const struct slot *s = slot_of(in, a->parts[i]);
		if (a->parts[i]->kind == X_TEXT || (s && !(a->parts[i]->optional && slot_empty(s)))) return true;
	}
	return a->n_parts == 0;
}

/* The attribute's name, with an underscore and its number behind it where one before it is written the same. */
static void put_attribute_name(const struct xnode *e, uint32_t i, struct buf *out)
{
	size_t from = out->n;
	struct buf other = {0};
	bool again = false;
	put_name(out, e->attrs[i].name);
	for (uint32_t k = 0; k < i && !again; k++) {
		if (e->attrs[k].name.n != out->n - from) continue;
		other.n = 0;
		put_name(&other, e->attrs[k].name);
		again = str_eq(buf_view(&other), (struct str){out->p + from, out->n - from});
	}
	buf_done(&other);
	if (again) buf_printf(out, "_%u", i);
}

/* In attributes readers of XML make blanks of tabs that are not written as references. */
static void refer_to_tabs(struct buf *out, size_t from)
{
	if (out->n == from || !memchr(out->p + from, '\t', out->n - from)) return;
	struct buf plain = {0};
	buf_put(&plain, out->p + from, out->n - from);
	out->n = from;
	for (size_t i = 0; i < plain.n; i++) {
		if (plain.p[i] == '\t') buf_lit(out, "&#9;");
		else buf_byte(out, plain.p[i]);
	}
	buf_done(&plain);
}

static void start_tag(struct evtx_chunk *c, const struct instance *in, const struct xnode *e, struct buf *out)
{
	buf_byte(out, '<');
	put_name(out, e->text);
	for (uint32_t i = 0; i < e->n_attrs; i++) {
		if (!attribute_shown(in, &e->attrs[i])) continue;
		buf_byte(out, ' ');
		put_attribute_name(e, i, out);
		buf_lit(out, "='");
		size_t from = out->n;
		put_parts(c, in, e->attrs[i].parts, e->attrs[i].n_parts, EVTX_DEPTH, out);
		refer_to_tabs(out, from);
		buf_byte(out, '\'');
	}
}

static void end_tag(const struct xnode *e, struct buf *out)
{
	buf_lit(out, "</");
	put_name(out, e->text);
	buf_byte(out, '>');
}

/* An element whose only content is an array: once for each item. */
static bool put_array(struct evtx_chunk *c, const struct instance *in, const struct xnode *e, struct buf *out)
{
	const struct slot *s = e->n_children == 1 ? slot_of(in, e->children[0]) : NULL;
	if (!s || !(s->type & EVTX_ARRAY)) return false;
	struct slot rest = *s, item;
	bool any = false;
	for (; slot_next_item(&rest, &item); any = true) {
		start_tag(c, in, e, out);
		buf_byte(out, '>');
		put_slot(c, &item, out);
		end_tag(e, out);
	}
	return any;
}

static void present_element(struct evtx_chunk *c, const struct instance *in, const struct xnode *e, unsigned depth, struct buf *out)
{
	if (put_array(c, in, e, out)) return;
	start_tag(c, in, e, out);
	size_t before = out->n;
	buf_byte(out, '>');
	size_t empty = out->n;
	put_parts(c, in, e->children, e->n_children, depth, out);
	if (out->n == empty) {
		out->n = before;
		buf_lit(out, "/>");
		return;
	}
	end_tag(e, out);
}

static void element(struct evtx_chunk *c, const struct instance *in, const struct xnode *e, unsigned depth, struct buf *out)
{
	if (depth > EVTX_DEPTH) return;
	/* MS rule: an element that depends on a value is not there when the value is NULL. */
	if (e->slot != XNODE_NO_DEPENDENCY && e->slot < in->n_slots && in->slots[e->slot].type == EVTX_NULL) return;
	present_element(c, in, e, depth, out);
}

void evtx_xml(struct evtx_chunk *c, const struct instance *root, struct buf *out)
{
	size_t from = out->n;
	c->expanded = c->nodes = 0;
	/* The event itself is there, even when it depends on a value that is not (damage): the rest of it is shown, as in JSON. */
	present_element(c, root, root->fragment->root, 0, out);
	if (out->n == from) buf_str(out, STR("<Event/>")); /* damaged: an array without items */
}

void evtx_xml_slot(struct evtx_chunk *c, const struct slot *s, struct buf *out)
{
	put_nested(c, s, 1, out);
}
