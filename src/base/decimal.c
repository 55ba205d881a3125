/* decimal.c: decimal numbers from text. */
#include "base/decimal.h"
#include <math.h>
#include <stdlib.h>

/* [+-]digits[.digits] of up to nine places, what follows them being zeros. */
static bool exact_of(struct str s, struct decimal *d)
{
	size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
	uint32_t place = DECIMAL_UNITS;
	for (; i < s.n && s.p[i] != '.'; i++) {
		if (s.p[i] < '0' || s.p[i] > '9') return false; /* an exponent */
		if (__builtin_mul_overflow(d->whole, 10u, &d->whole) || __builtin_add_overflow(d->whole, (uint64_t)(s.p[i] - '0'), &d->whole)) return false;
	}
	for (i++; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || (place == 1 && s.p[i] != '0')) return false;
		if (place > 1) d->nano += (uint32_t)(s.p[i] - '0') * (place /= 10);
	}
	d->negative = s.p[0] == '-';
	return true;
}

bool decimal_of(struct str s, struct decimal *ret)
{
	char text[80], *end;
	if (!s.n || s.n >= sizeof text) return false;
	for (size_t i = 0; i < s.n; i++)
		if (!memchr("0123456789+-.eE", s.p[i], 15)) return false;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	*ret = (struct decimal){.near = strtod(text, &end)};
	if (end != text + s.n || !isfinite(ret->near)) return false;
	ret->exact = exact_of(s, ret);
	return true;
}
