/* xml.c: see xml.h. */
#include "text/xml.h"
#include "text/utf.h"

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static bool name_char(char c)
{
	bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
	return letter || c == '_' || c == ':' || c == '-' || c == '.' || (c & 0x80);
}

static enum xml_next fail(struct xml *x, size_t at, enum xml_next what, const char *reason)
{
	x->start = at;
	x->reason = reason;
	return what;
}

/* The text ends within something. */
static enum xml_next cut(struct xml *x)
{
	return x->final ? fail(x, x->text.n, XML_BAD, "the text ends within a tag or element") : XML_MORE;
}

static size_t skip_blanks(const struct xml *x, size_t at)
{
	while (at < x->text.n && blank(x->text.p[at])) at++;
	return at;
}

/* The name at `at`, empty when there is none. */
static struct str name_at(const struct xml *x, size_t at)
{
	size_t n = 0;
	while (at + n < x->text.n && name_char(x->text.p[at + n])) n++;
	bool first = n && x->text.p[at] != '-' && x->text.p[at] != '.' && !(x->text.p[at] >= '0' && x->text.p[at] <= '9');
	return str_sub(x->text, at, first ? n : 0);
}

/* Behind the name of an opening tag: attributes up to > or />. */
static enum xml_next attributes(struct xml *x, size_t at)
{
	x->n_attributes = 0;
	for (;;) {
		size_t before = at;
		at = skip_blanks(x, at);
		if (at >= x->text.n) return cut(x);
		char c = x->text.p[at];
		if (c == '>') break;
		if (c == '/') {
			if (at + 1 >= x->text.n) return cut(x);
			if (x->text.p[at + 1] != '>') return fail(x, at, XML_BAD, "a slash within a tag");
			x->empty_tag = true;
			at++;
			break;
		}
		if (at == before) return fail(x, at, XML_BAD, "a blank is missing before an attribute");
		struct str name = name_at(x, at);
		if (!name.n) return fail(x, at, XML_BAD, "no attribute name");
		at = skip_blanks(x, at + name.n);
		if (at >= x->text.n) return cut(x);
		if (x->text.p[at] != '=') return fail(x, at, XML_BAD, "an attribute without value");
		at = skip_blanks(x, at + 1);
		if (at >= x->text.n) return cut(x);
		char quote = x->text.p[at];
		if (quote != '"' && quote != '\'') return fail(x, at, XML_BAD, "an attribute value without quotes");
		size_t close = str_find_byte(x->text, quote, at + 1);
		if (close == SIZE_MAX) return cut(x);
		struct str value = str_sub(x->text, at + 1, close - at - 1);
		if (str_find_byte(value, '<', 0) != SIZE_MAX) return fail(x, at, XML_BAD, "a < within an attribute value");
		if (x->n_attributes == XML_MAX_ATTRIBUTES) return fail(x, at, XML_LIMIT, "more attributes than the limit");
		x->attributes[x->n_attributes++] = (struct xml_attribute){name, value};
		at = close + 1;
	}
	x->at = at + 1;
	return XML_OPEN;
}

static enum xml_next open_tag(struct xml *x)
{
	size_t start = x->at;
	struct str name = name_at(x, start + 1);
	if (start + 1 + name.n >= x->text.n) return cut(x);
	if (!name.n) return fail(x, start, XML_BAD, "a < that begins no tag");
	if (x->depth == XML_MAX_DEPTH) return fail(x, start, XML_LIMIT, "elements deeper than the limit");
	x->empty_tag = false;
	enum xml_next got = attributes(x, start + 1 + name.n);
	if (got != XML_OPEN) {
		x->empty_tag = false;
		return got;
	}
	x->start = start;
	x->name = x->open[x->depth++] = name;
	return XML_OPEN;
}

static enum xml_next close_tag(struct xml *x)
{
	size_t start = x->at;
	struct str name = name_at(x, start + 2);
	size_t at = skip_blanks(x, start + 2 + name.n);
	if (at >= x->text.n) return cut(x);
	bool known = x->depth && str_eq(name, x->open[x->depth - 1]);
	if (x->text.p[at] != '>' || !known) return fail(x, start, XML_BAD, "a closing tag of no open element");
	x->start = start;
	x->name = name;
	x->n_attributes = 0;
	x->depth--;
	x->at = at + 1;
	return XML_CLOSE;
}

static enum xml_next text_piece(struct xml *x, size_t from, size_t to, size_t next, bool cdata)
{
	x->start = x->at;
	x->chars = str_sub(x->text, from, to - from);
	x->cdata = cdata;
	x->at = next;
	return XML_TEXT;
}

/* Where the closing mark of a kind stands at or behind `from`. Remembered: a search that is repeated from within finds it at once,
 * so that broken elements within one comment do not cost its length each. */
static size_t closing(struct xml *x, unsigned kind, struct str mark, size_t from)
{
	if (!x->close[kind].known || from < x->close[kind].from || from > x->close[kind].at) {
		x->close[kind].known = true;
		x->close[kind].from = from;
		x->close[kind].at = str_find(x->text, mark, from);
	}
	return x->close[kind].at;
}

/* Something that begins with <! or <?. XML_END: passed over. */
static enum xml_next markup(struct xml *x)
{
	static const struct { struct str open, close; } kinds[] = {
		{STR("<!--"), STR("-->")}, {STR("<![CDATA["), STR("]]>")}, {STR("<?"), STR("?>")},
	};
	struct str rest = str_sub(x->text, x->at, x->text.n);
	for (unsigned i = 0; i < 3; i++) {
		if (!str_starts(rest, kinds[i].open)) {
			if (str_starts(kinds[i].open, rest)) return cut(x);
			continue;
		}
		size_t from = x->at + kinds[i].open.n, close = closing(x, i, kinds[i].close, from);
		if (close == SIZE_MAX) return cut(x);
		if (i == 1 && x->depth) return text_piece(x, from, close, close + 3, true);
		if (i == 1) return fail(x, x->at, XML_BAD, "text outside of all elements");
		x->at = close + kinds[i].close.n;
		return XML_END;
	}
	return fail(x, x->at, XML_BAD, "a document type or other declaration, which is refused");
}

enum xml_next xml_next(struct xml *x)
{
	if (x->empty_tag) {
		x->empty_tag = false;
		x->name = x->open[--x->depth];
		x->n_attributes = 0;
		return XML_CLOSE;
	}
	for (;;) {
		if (x->at >= x->text.n) {
			x->start = x->text.n;
			if (x->depth) return cut(x);
			return x->final ? XML_END : XML_MORE;
		}
		if (x->text.p[x->at] != '<') {
			size_t tag = str_find_byte(x->text, '<', x->at);
			if (tag == SIZE_MAX && x->depth) return cut(x);
			size_t end = tag == SIZE_MAX ? x->text.n : tag;
			if (x->depth) return text_piece(x, x->at, end, end, false);
			size_t other = skip_blanks(x, x->at);
			bool mark = x->at == 0 && str_starts(x->text, STR("\xef\xbb\xbf"));
			if (mark) other = skip_blanks(x, 3);
			if (other < end) return fail(x, other, XML_BAD, "text outside of all elements");
			x->at = end;
			continue;
		}
		if (x->at + 1 >= x->text.n) return cut(x);
		char c = x->text.p[x->at + 1];
		if (c == '/') return close_tag(x);
		if (c != '!' && c != '?') return open_tag(x);
		enum xml_next got = markup(x);
		if (got != XML_END) return got;
	}
}

/* The entity at s[at], which is '&': its length, *ret its character; 0 when it is none. */
static size_t entity(struct str s, size_t at, uint32_t *ret)
{
	static const struct { struct str text; char c; } five[] = {
		{STR("&lt;"), '<'}, {STR("&gt;"), '>'}, {STR("&amp;"), '&'}, {STR("&quot;"), '"'}, {STR("&apos;"), '\''},
	};
	struct str rest = str_sub(s, at, 16);
	for (unsigned i = 0; i < 5; i++) {
		if (!str_starts(rest, five[i].text)) continue;
		*ret = (unsigned char)five[i].c;
		return five[i].text.n;
	}
	size_t end = str_find_byte(rest, ';', 0);
	uint64_t v;
	if (end == SIZE_MAX || !str_starts(rest, STR("&#"))) return 0;
	bool hex = rest.p[2] == 'x';
	if (!(hex ? str_hex64(str_sub(rest, 3, end - 3), &v) : str_u64(str_sub(rest, 2, end - 2), &v))) return 0;
	if (v > 0x10FFFF || (v >= 0xD800 && v < 0xE000)) return 0;
	*ret = (uint32_t)v;
	return end + 1;
}

struct str xml_decode(struct arena *a, struct str s)
{
	size_t at = str_find_byte(s, '&', 0);
	if (at == SIZE_MAX) return utf8_clean(a, s);
	char *out = arena_alloc(a, s.n + 4), *o = out; /* no entity is shorter than what it stands for */
	if (!out) return (struct str){NULL, 0};
	for (size_t from = 0;;) {
		memcpy(o, s.p + from, at - from);
		o += at - from;
		if (at == s.n) break;
		uint32_t c;
		size_t n = entity(s, at, &c);
		if (n) o += utf8_put(c, o);
		else *o++ = '&';
		from = at + (n ? n : 1);
		at = str_find_byte(s, '&', from);
		if (at == SIZE_MAX) at = s.n;
	}
	return utf8_clean(a, (struct str){out, (size_t)(o - out)});
}

struct str xml_attribute(const struct xml *x, struct str name)
{
	for (unsigned i = 0; i < x->n_attributes; i++)
		if (str_eq(x->attributes[i].name, name)) return x->attributes[i].value;
	return (struct str){NULL, 0};
}

struct str xml_local(struct str name)
{
	size_t colon = str_find_byte(name, ':', 0);
	return colon == SIZE_MAX ? name : str_sub(name, colon + 1, name.n);
}

/* Where a tag <name begins, or text.n; *ret_unsure: the text ends within what may be one. */
static size_t tag_of(struct str text, size_t at, struct str name, bool *ret_unsure)
{
	*ret_unsure = false;
	for (size_t i = at; (i = str_find_byte(text, '<', i)) != SIZE_MAX; i++) {
		struct str rest = str_sub(text, i + 1, name.n);
		if (!str_eq(rest, name) && !(rest.n < name.n && str_starts(name, rest))) continue;
		*ret_unsure = i + 1 + name.n >= text.n;
		if (*ret_unsure || !name_char(text.p[i + 1 + name.n])) return i;
	}
	return text.n;
}

enum xml_next xml_find(struct xml *x, struct str name, struct xml_span *ret)
{
	bool unsure;
	size_t start = tag_of(x->text, x->at, name, &unsure);
	*ret = (struct xml_span){start, x->text.n};
	x->at = start;
	x->depth = 0;
	x->empty_tag = false;
	if (unsure && x->final) ret->start = x->at = x->text.n;
	if (ret->start == x->text.n || unsure) return x->final ? XML_END : XML_MORE;
	enum xml_next got;
	do {
		got = xml_next(x);
	} while ((got == XML_OPEN || got == XML_TEXT || got == XML_CLOSE) && x->depth);
	if (got == XML_CLOSE) ret->end = x->at;
	else if (got != XML_MORE) ret->end = tag_of(x->text, start + 1, name, &unsure);
	x->at = ret->end;
	return got == XML_CLOSE ? XML_OPEN : got;
}
