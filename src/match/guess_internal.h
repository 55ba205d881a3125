/* guess: how often a literal occurs in harmless events. Decides in which order things are tried, never what matches.
 *
 * Counted in data/typical.txt, lines of values as they stand in logs; what does not occur there is taken for rare, the longer
 * the rarer. Immutable once made; any thread. */
#pragma once
#include "base/arena.h"

enum literal_kind { LITERAL_EXACT, LITERAL_PREFIX, LITERAL_SUFFIX, LITERAL_CONTAINS };

struct guess;
struct guess *guess_new(void);
void guess_free(struct guess *g);
/* The share of values (of fields that hold such text) in which the folded literal stands so: above 0, at most 0.9. */
float guess_literal(const struct guess *g, enum literal_kind kind, struct str folded);
/* How common the four bytes at p are: occurrences in the sample, plus a little for common bytes. */
float guess_gram4(const struct guess *g, const char *p);

/* The sample, compiled in by tools/embed. */
struct match_data {
	const char *name;
	const unsigned char *bytes;
	size_t n;
};
extern const struct match_data match_data[];
extern const size_t match_data_count;
