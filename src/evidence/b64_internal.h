/* b64_internal: RFC 4648 section 4 base64 by libsodium, strict: padding required, no blanks, no stray bits. Room-internal. */
#pragma once
#include "base/buf.h"
#include <sodium.h>

static inline void buf_b64(struct buf *b, const void *bytes, size_t n)
{
	size_t room = sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_ORIGINAL);
	sodium_bin2base64(buf_reserve(b, room), room, bytes, n, sodium_base64_VARIANT_ORIGINAL);
	b->n += room - 1; /* its NUL is not ours */
}
/* Decodes whole `s` into out[max]; false when it is not base64 or longer. */
static inline bool b64_decode(struct str s, void *out, size_t max, size_t *ret_n)
{
	const char *end;
	return s.n && sodium_base642bin(out, max, s.p, s.n, NULL, ret_n, &end, sodium_base64_VARIANT_ORIGINAL) == 0 && end == s.p + s.n;
}
/* Exactly n bytes. */
static inline bool b64_exact(struct str s, void *out, size_t n)
{
	size_t got;
	return b64_decode(s, out, n, &got) && got == n;
}
