/* decimal: numbers as logs and rules write them, compared and summed as written (0.1 and 0.2 are 0.3, and 2^53 + 1 is more than 2^53).
 *
 * Exact are numbers of up to nine decimal places and less than 2^64; others keep the nearest double only. No allocation, any thread. */
#pragma once
#include "base/str.h"

enum { DECIMAL_UNITS = 1000000000 }; /* units of one */

struct decimal {
	double near;             /* the nearest double */
	uint64_t whole;          /* exact: the number is (negative ? -1 : 1) x (whole + nano / 10^9) */
	uint32_t nano;
	bool negative, exact;
};

/* The whole text is a decimal number: [+-]digits[.digits][e[+-]digits], at most 79 bytes. No hex, no blanks, no words. */
bool decimal_of(struct str s, struct decimal *ret);
/* Of an exact one: in units of 10^-9. 2^32 of them can be added. */
static inline __int128 decimal_units(const struct decimal *d)
{
	__int128 units = (__int128)d->whole * DECIMAL_UNITS + d->nano;
	return d->negative ? -units : units;
}
