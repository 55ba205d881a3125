/* hex.c: see hex.h. */
#include "text/hex.h"

static unsigned digit(unsigned char c)
{
	if (c >= '0' && c <= '9') return c - (unsigned)'0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10 : 99;
}

bool hex_decode(struct str s, void *out)
{
	uint8_t *o = out;
	if (s.n % 2) return false;
	for (size_t i = 0; i < s.n; i += 2) {
		unsigned high = digit((unsigned char)s.p[i]), low = digit((unsigned char)s.p[i + 1]);
		if (high > 15 || low > 15) return false;
		*o++ = (uint8_t)(high << 4 | low);
	}
	return true;
}
