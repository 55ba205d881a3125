/* b64_internal: strict standard base64 with bounds, over text/base64.h. Room-internal. */
#pragma once
#include "text/base64.h"

static inline void buf_b64(struct buf *b, const void *bytes, size_t n) { base64_put(b, bytes, n, 0); }
/* Decodes whole `s`; false when it is not base64 or may hold more than `max` bytes rounded up to threes. `out` has max + 3. */
static inline bool b64_decode(struct str s, void *out, size_t max, size_t *ret_n)
{
	return s.n && s.n / 4 <= (max + 2) / 3 && base64_decode(s, 0, out, ret_n);
}
/* Exactly n bytes, n <= 128. */
static inline bool b64_exact(struct str s, void *out, size_t n)
{
	uint8_t room[128 + 6];
	size_t got;
	if (n > 128 || !b64_decode(s, room, n, &got) || got != n) return false;
	memcpy(out, room, n);
	return true;
}
