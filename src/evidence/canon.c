/* canon.c: see canon.h. */
#include "evidence/canon.h"
#include "evidence/b64_internal.h"
#include "text/utf.h"

void canon_str(struct buf *out, struct str s)
{
	static const char shorts[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	size_t from = 0;
	buf_byte(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c >= 0x20 && c != '"' && c != '\\') continue;
		buf_put(out, s.p + from, i - from);
		from = i + 1;
		buf_byte(out, '\\');
		if (c >= 0x20) buf_byte(out, (char)c);
		else if (shorts[c]) buf_byte(out, shorts[c]);
		else buf_printf(out, "u%04x", c);
	}
	if (s.n) buf_put(out, s.p + from, s.n - from);
	buf_byte(out, '"');
}

void canon_bytes(struct buf *out, const void *p, size_t n)
{
	buf_byte(out, '"');
	buf_b64(out, p, n);
	buf_byte(out, '"');
}

bool canon_text_ok(struct str s) { return utf8_valid(s); }

void canon_repair(struct buf *out, struct str s) { out->n += utf8_repair(s, buf_reserve(out, UTF8_REPAIR_ROOM(s.n))); }
