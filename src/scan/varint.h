/* varint: numbers that are mostly small, in as few bytes as they need: seven bits a byte, the lowest first, 0x80 on all but the last. The form of what
 * a run spills; internal to one run of the program. */
#pragma once
#include "base/buf.h"
#include "base/cursor.h"

enum { VARINT_MAX = 10 };

/* Writes at most VARINT_MAX bytes at `to`; returns what is behind them. */
static inline char *varint_put(char *to, uint64_t v)
{
	for (; v >= 0x80; v >>= 7) *to++ = (char)(v | 0x80);
	*to++ = (char)v;
	return to;
}
/* False when the bytes end before the number does, or it is none. */
static inline bool varint_take(struct cursor *c, uint64_t *ret)
{
	uint64_t v = 0;
	if (c->p < c->end && *c->p < 0x80) {
		*ret = *c->p++;
		return true;
	}
	for (unsigned i = 0; i < VARINT_MAX && c->p + i < c->end; i++) {
		v |= (uint64_t)(c->p[i] & 0x7f) << (7 * i);
		if (c->p[i] & 0x80) continue;
		c->p += i + 1;
		*ret = v;
		return true;
	}
	return false;
}
/* Numbers that may be below zero: 0, -1, 1, -2 as 0, 1, 2, 3. */
static inline uint64_t varint_fold(int64_t v) { return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0); }
static inline int64_t varint_unfold(uint64_t v) { return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0)); }
