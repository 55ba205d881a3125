/* sieve: whether a text may have any of a few literals, in whatever case; asked before anything is decoded or folded.
 *
 * Of each literal it takes a run of plain characters (event/sift.h), one that tells where there is one. It says no only when
 * no text that folds to one with any of the literals can stand in what it is shown; yes means that one must look. Three characters beyond ASCII fold to
 * ASCII letters: where one of them stands the answer is yes. Immutable once made, in the arena of a program; any thread. */
#pragma once
#include "match/scanner_internal.h"

struct sieve;
/* NULL when a literal has no such run, when there are too many, or when the arena is full: then there is none. All are LITERAL_CONTAINS. */
const struct sieve *sieve_new(struct arena *a, const struct scan_literal *literals, uint32_t n, const struct guess *guess, enum scan_engine engine);
/* Whether all runs tell, so that SIFT_TELLING is enough. */
bool sieve_tells(const struct sieve *s);
/* Reads only the text. */
bool sieve_may_have(const struct sieve *s, struct str text);
