/* base64: RFC 4648 section 4 (standard) and 5 (url). Pure; any thread. */
#pragma once
#include "base/buf.h"

enum base64_flags {
	BASE64_URL = 1,    /* - and _ for + and / */
	BASE64_NO_PAD = 2, /* no = at the end: not written, not taken */
	BASE64_LENIENT = 4 /* reading: either alphabet, blanks anywhere, padding or not, unused bits of any value */
};
/* The most bytes that n characters decode to; the characters that n bytes are written in, at most. */
#define BASE64_BYTES(n) ((n) / 4 * 3 + 3)
#define BASE64_CHARS(n) ((n) / 3 * 4 + 4)

/* Writes into out[BASE64_CHARS(n)], returns the number of characters; no NUL. */
size_t base64_encode(const void *bytes, size_t n, unsigned flags, char *out);
/* The same, appended. */
void base64_put(struct buf *b, const void *bytes, size_t n, unsigned flags);
/* Decodes all of s into out[BASE64_BYTES(s.n)]. False, *ret_n untouched, when s is not base64: a foreign character, wrong
 * padding, a single character left over, or unused bits that are not zero (so that each text has one decoding, and each
 * decoding one text). */
bool base64_decode(struct str s, unsigned flags, void *out, size_t *ret_n);
