/* base64.c: see base64.h. */
#include "text/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64_encode(const void *bytes, size_t n, unsigned flags, char *out)
{
	const uint8_t *p = bytes;
	const char *letters = flags & BASE64_URL ? url : standard;
	char *o = out;
	for (; n >= 3; p += 3, n -= 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		*o++ = letters[v >> 18];
		*o++ = letters[v >> 12 & 63];
		*o++ = letters[v >> 6 & 63];
		*o++ = letters[v & 63];
	}
	if (n) {
		uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
		*o++ = letters[v >> 18];
		*o++ = letters[v >> 12 & 63];
		if (n == 2) *o++ = letters[v >> 6 & 63];
		for (size_t pad = 3 - n; pad > 0 && !(flags & BASE64_NO_PAD); pad--) *o++ = '=';
	}
	return (size_t)(o - out);
}

void base64_put(struct buf *b, const void *bytes, size_t n, unsigned flags)
{
	b->n += base64_encode(bytes, n, flags, buf_reserve(b, BASE64_CHARS(n)));
}

static int digit(unsigned char c, unsigned flags)
{
	if (c >= 'A' && c <= 'Z') return c - 'A';
	if (c >= 'a' && c <= 'z') return c - 'a' + 26;
	if (c >= '0' && c <= '9') return c - '0' + 52;
	bool any = flags & BASE64_LENIENT, is_url = flags & BASE64_URL;
	if (c == '+' || c == '/') return any || !is_url ? (c == '+' ? 62 : 63) : -1;
	if (c == '-' || c == '_') return any || is_url ? (c == '-' ? 62 : 63) : -1;
	return -1;
}

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool base64_decode(struct str s, unsigned flags, void *out, size_t *ret_n)
{
	bool lenient = flags & BASE64_LENIENT;
	uint8_t *o = out;
	uint32_t v = 0;
	size_t count = 0, pads = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (lenient && blank(s.p[i])) continue;
		if (s.p[i] == '=') {
			pads++;
			continue;
		}
		int d = digit((unsigned char)s.p[i], flags);
		if (d < 0 || pads) return false;
		v = v << 6 | (uint32_t)d;
		if (++count % 4) continue;
		*o++ = (uint8_t)(v >> 16);
		*o++ = (uint8_t)(v >> 8);
		*o++ = (uint8_t)v;
		v = 0;
	}
	size_t left = count % 4, wanted = left ? 4 - left : 0;
	if (left == 1 || pads > 2) return false;
	if (!lenient && pads != (flags & BASE64_NO_PAD ? 0 : wanted)) return false;
	uint32_t unused = left == 2 ? v & 15 : left == 3 ? v & 3 : 0;
	if (!lenient && unused) return false;
	if (left == 2) *o++ = (uint8_t)(v >> 4);
	if (left == 3) {
		*o++ = (uint8_t)(v >> 10);
		*o++ = (uint8_t)(v >> 2);
	}
	*ret_n = (size_t)(o - (uint8_t *)out);
	return true;
}
