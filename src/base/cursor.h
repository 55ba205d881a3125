/* cursor: the only way to touch input bytes of a binary format.
 *
 * A cursor is a position in a bounded range. Every read checks the bound; on failure it returns false, nothing moves and
 * the output is untouched. Integers are little-endian unless the name says be. Never cast input to a struct. */
#pragma once
#include "base/str.h"

struct cursor {
	const uint8_t *p, *end;
};

static inline struct cursor cursor_of(const void *bytes, size_t n)
{
	return (struct cursor){bytes, (const uint8_t *)bytes + n};
}
static inline size_t cursor_left(const struct cursor *c) { return (size_t)(c->end - c->p); }

static inline uint16_t le16_at(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t le32_at(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t le64_at(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "le*_at reads native order; a big-endian port must swap");

#define CURSOR_READ(name, type, size, expression) \
	static inline bool name(struct cursor *c, type *ret) \
	{ \
		if (cursor_left(c) < (size)) return false; \
		const uint8_t *p = c->p; \
		*ret = (expression); \
		c->p += (size); \
		return true; \
	}
CURSOR_READ(cursor_u8, uint8_t, 1, *p)
CURSOR_READ(cursor_u16, uint16_t, 2, le16_at(p))
CURSOR_READ(cursor_u32, uint32_t, 4, le32_at(p))
CURSOR_READ(cursor_u64, uint64_t, 8, le64_at(p))
CURSOR_READ(cursor_be16, uint16_t, 2, __builtin_bswap16(le16_at(p)))
CURSOR_READ(cursor_be32, uint32_t, 4, __builtin_bswap32(le32_at(p)))
CURSOR_READ(cursor_be64, uint64_t, 8, __builtin_bswap64(le64_at(p)))
#undef CURSOR_READ

static inline bool cursor_skip(struct cursor *c, size_t n)
{
	if (cursor_left(c) < n) return false;
	c->p += n;
	return true;
}
/* The next n bytes as a view into the input. */
static inline bool cursor_bytes(struct cursor *c, size_t n, struct str *ret)
{
	if (cursor_left(c) < n) return false;
	*ret = (struct str){(const char *)c->p, n};
	c->p += n;
	return true;
}
