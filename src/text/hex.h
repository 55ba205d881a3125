/* hex: bytes from hex digits. (To hex: buf_hex in base/buf.h.) Pure; any thread. */
#pragma once
#include "base/str.h"

/* Decodes s, an even number of hex digits in either case and nothing else, into out[s.n / 2]. False when it is not that; out may
 * then be partly written. */
bool hex_decode(struct str s, void *out);
