/* canon: canonical JSON (RFC 8785) for what gets hashed: the rows of a case, statements. Writing only.
 *
 * Keys are written by the caller in order; strings escape only what JSON must (quote, backslash, controls: \b \t \n \f \r, else
 * \u00xx in lower case); numbers are integers, in full (RFC 8785 would round beyond 2^53: these stay exact). Text must be valid
 * UTF-8; canon_text_ok tells. Pure, any thread. */
#pragma once
#include "base/buf.h"

void canon_str(struct buf *out, struct str s);
/* Bytes as base64 text (RFC 4648 section 4), in quotes. */
void canon_bytes(struct buf *out, const void *p, size_t n);
bool canon_text_ok(struct str s);
/* Appends s with U+FFFD for what is not UTF-8. */
void canon_repair(struct buf *out, struct str s);
