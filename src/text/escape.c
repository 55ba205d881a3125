/* escape.c: HTML, CSV and terminal forms of hostile text. See escape.h. */
#include "text/escape.h"
#include "text/utf.h"
#include "text/utf_internal.h"

/* Characters that change how their neighbours are shown, or are not seen at all (Unicode general category Cf, and line separators). */
static bool invisible(uint32_t c)
{
	return c == 0x61C || c == 0x180E || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
	       c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE007F);
}

static bool reorders(uint32_t c)
{
	return c == 0x61C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

static void put_html(struct buf *b, uint32_t c)
{
	switch (c) {
	case '&': buf_lit(b, "&amp;"); return;
	case '<': buf_lit(b, "&lt;"); return;
	case '>': buf_lit(b, "&gt;"); return;
	case '"': buf_lit(b, "&quot;"); return;
	case '\'': buf_lit(b, "&#39;"); return;
	}
	if (reorders(c)) {
		buf_printf(b, "\\u{%x}", c);
		return;
	}
	bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7F && c < 0xA0);
	b->n += utf8_put(control ? 0xFFFD : c, buf_reserve(b, 4));
}

void html_str(struct buf *b, struct str s)
{
	const char *p = s.p, *end = s.n ? p + s.n : p;
	while (p < end) put_html(b, utf8_step(&p, end));
}

/* The form of one step of text, at `from`..`to`, in out[24]; returns its length, *ret_columns its width. */
static unsigned term_step(uint32_t c, const char *from, const char *to, char *out, size_t *ret_columns)
{
	static const char digits[] = "0123456789abcdef";
	unsigned n = 0;
	char letter = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c == 0x1B ? 'e' : 0;
	if (letter) {
		out[n++] = '\\';
		out[n++] = letter;
	} else if (c < 0x20 || c == 0x7F || c == UTF8_BAD) {
		for (; from < to; from++) {
			out[n++] = '\\';
			out[n++] = 'x';
			out[n++] = digits[(unsigned char)*from >> 4];
			out[n++] = digits[*from & 15];
		}
	} else if ((c >= 0x80 && c < 0xA0) || invisible(c)) {
		memcpy(out, "\\u{", 3);
		n = 3;
		int shift = 20;
		while (shift && !(c >> shift)) shift -= 4;
		for (; shift >= 0; shift -= 4) out[n++] = digits[c >> shift & 15];
		out[n++] = '}';
	} else {
		*ret_columns = utf_width(c);
		return utf8_put(c, out);
	}
	*ret_columns = n;
	return n;
}

void term_str(struct buf *b, struct str s)
{
	const char *p = s.p, *end = s.n ? p + s.n : p;
	size_t columns;
	while (p < end) {
		const char *from = p;
		uint32_t c = utf8_step(&p, end);
		if (c >= 0x20 && c < 0x7F) buf_byte(b, (char)c);
		else b->n += term_step(c, from, p, buf_reserve(b, 24), &columns);
	}
}

size_t term_str_cut(struct buf *b, struct str s, size_t columns)
{
	const char *p = s.p, *end = s.n ? p + s.n : p;
	size_t used = 0, keep_n = b->n, keep_used = 0; /* where the text is cut if it turns out too long: room for the ellipsis */
	if (!columns) return 0;
	while (p < end) {
		const char *from = p;
		char out[24];
		size_t width;
		uint32_t c = utf8_step(&p, end);
		unsigned n = term_step(c, from, p, out, &width);
		if (used + width > columns) {
			b->n = keep_n;
			buf_lit(b, "\xe2\x80\xa6");
			return keep_used + 1;
		}
		buf_put(b, out, n);
		used += width;
		if (used < columns) {
			keep_n = b->n;
			keep_used = used;
		}
	}
	return used;
}

static bool plain_number(struct str s)
{
	size_t i = 0, digits = 0, dots = 0;
	if (i < s.n && (s.p[i] == '-' || s.p[i] == '+')) i++;
	for (; i < s.n; i++) {
		if (s.p[i] >= '0' && s.p[i] <= '9') digits++;
		else if (s.p[i] == '.') dots++;
		else return false;
	}
	return digits && dots <= 1;
}

static bool formula(struct str s)
{
	if (!s.n || plain_number(s)) return false;
	if (memchr("=+-@\t\r\n", s.p[0], 7)) return true;
	const char *p = s.p;
	uint32_t c = utf8_step(&p, s.p + s.n);
	return c == 0xFF1D || c == 0xFF0B || c == 0xFF0D || c == 0xFF20; /* full-width = + - @ */
}

void csv_cell(struct buf *b, struct str s)
{
	const char *p = s.p, *end = s.n ? p + s.n : p;
	bool guard = formula(s), quoted = guard || (s.n && (s.p[0] == ' ' || s.p[s.n - 1] == ' '));
	for (size_t i = 0; i < s.n && !quoted; i++) quoted = s.p[i] && strchr(",;\t\"\r\n", s.p[i]);
	if (quoted) buf_byte(b, '"');
	if (guard) buf_byte(b, '\'');
	while (p < end) {
		const char *from = p;
		size_t columns;
		uint32_t c = utf8_step(&p, end);
		if (c == '"') buf_lit(b, "\"\"");
		else if ((c >= 0x20 && c < 0x7F) || c == '\t' || c == '\n' || c == '\r') buf_byte(b, (char)c);
		else b->n += term_step(c, from, p, buf_reserve(b, 24), &columns);
	}
	if (quoted) buf_byte(b, '"');
}

unsigned utf_width(uint32_t c)
{
	if (c < 0x80) return c >= 0x20 && c < 0x7F;
	if (c < 0xA0) return 0;
	size_t low = 0, high = utf_width_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (c > utf_width_ranges[middle].last) low = middle + 1;
		else high = middle;
	}
	return low < utf_width_count && c >= utf_width_ranges[low].first ? utf_width_ranges[low].width : 1;
}

size_t utf8_width(struct str s)
{
	const char *p = s.p, *end = s.n ? p + s.n : p;
	size_t columns = 0;
	while (p < end) {
		uint32_t c = utf8_step(&p, end);
		columns += c == UTF8_BAD ? 1 : utf_width(c);
	}
	return columns;
}
