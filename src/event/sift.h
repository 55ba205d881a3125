/* sift: what a reader promises of a text that stands for a whole event, so that keywords can be ruled out before anything is decoded.
 *
 * event_ops.sift gives such a text. Let V be any text of a keyword column (column_is_keyword) that is no constant of the shape, or event.raw where
 * there is one, and G a text of plain characters (sift_plain). Where V has G, but for the case of ASCII letters, the sift text has G, but for the case of ASCII letters. Where V has
 * U+0130, U+017F or U+212A, which fold to ASCII letters, the sift text has the same. It may have more in it: what it lacks no such column has; what
 * it has must be looked for in the columns.
 *
 * Not plain are the characters that encodings escape, and '?', by which URIs are put together. SIFT_TELLING promises it only of texts G of which a letter tells (sift_tells): one that no number,
 * id, hash, SID or time is written with. Values that are written without such letters need not be in the text then. */
#pragma once
#include "base/str.h"

enum sift { SIFT_NONE /* there is no such text */, SIFT_TELLING, SIFT_WHOLE };

static inline bool sift_plain(char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\' && c != '/' && c != '?'; }

/* g to r, u to w and y, small or capital: not x (hexadecimal numbers), s (SIDs), t and z (times). */
static inline bool sift_tells(char c)
{
	unsigned letter = ((unsigned char)c | 0x20u) - 'a';
	return letter < 26 && 0x173ffc0u >> letter & 1;
}
