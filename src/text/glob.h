/* glob: patterns with * and ?, as Sigma writes them, against a whole text. For selectors and file names; rules' values have
 * engines of their own (room match).
 *
 * '*' is any run of characters, none and line ends too; '?' is one code point (an invalid UTF-8 part counts as one). Unless
 * GLOB_PLAIN is given, backslashes escape as in Sigma: \* \? \\ are the characters themselves, before anything else a backslash
 * is a backslash (Sigma 2.1 "Escaping"; table STR-3 of the conformance notes).
 *
 * Pure, iterative, no allocation. Time is linear in the text for a given pattern: at most its length times the longest stretch
 * between two stars. Any thread. */
#pragma once
#include "base/str.h"

enum glob_flags {
	GLOB_NOCASE = 1, /* characters are compared by utf_fold_cp */
	GLOB_PLAIN = 2   /* a backslash is a backslash */
};
bool glob_match(struct str pattern, struct str text, unsigned flags);
/* Is there a wildcard in it, by the same reading? */
bool glob_has_wildcard(struct str pattern, unsigned flags);
