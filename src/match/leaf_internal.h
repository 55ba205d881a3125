/* leaf: one condition of a rule against one value, and what texts mean as numbers, addresses and times.
 *
 * Plain and complete: the fast engine must give what this gives, and what shapes hold constant is decided with it.
 * All functions are pure but for the arena they are given; any thread. */
#pragma once
#include "event/event.h"
#include "rules/rule.h"

/* A regex that ran into its limit decides nothing; nor does a value too large to be folded. Kleene's three values. */
enum verdict { VERDICT_NO, VERDICT_YES, VERDICT_UNDECIDED };
static inline enum verdict verdict_of(bool b) { return b ? VERDICT_YES : VERDICT_NO; }

enum number_kind { NUMBER_INT, NUMBER_UINT /* above INT64_MAX */, NUMBER_REAL };
struct number {
	enum number_kind kind;
	union { int64_t i; uint64_t u; double r; };
};
/* Strict decimal text: [-]digits[.digits], at most NUMBER_MAX_TEXT bytes, nothing around it (VAL-4). */
enum { NUMBER_MAX_TEXT = 64 };
bool number_of_text(struct str s, struct number *ret);
/* Numbers as they are, strings by number_of_text; nothing else is a number. */
bool number_of_value(const struct value *v, struct number *ret);
/* `n` op the leaf's number, exact over mixed kinds; false for NaN. */
bool number_holds(const struct number *n, enum compare_op op, const struct leaf *l);

struct address { uint8_t bytes[16]; bool v6; };
/* Dotted quad without leading zeros, or IPv6 (RFC 4291 section 2.2, with embedded quads, without zone). */
bool address_parse(struct str s, struct address *ret);
bool address_in(const struct address *a, const struct leaf *l);

/* The integer that a LEAF_TIMEPART compares: RFC 3339 or naive date with time, a date alone, or seconds (milliseconds above
 * 1e12) since 1970; all in UTC; weeks as ISO 8601 counts them. False when the value is no time. */
bool time_part_of(const struct value *v, enum time_part part, int64_t *ret);

/* Pieces against a text, both folded or both not. `floating`: anywhere in it (keywords). */
bool pattern_holds(const struct piece *pieces, uint32_t n, bool floating, struct str text);
/* The text of a pattern that is one literal (or nothing); false when it has wildcards. */
bool pattern_literal(const struct leaf *l, struct str *ret);
bool string_op_holds(enum string_op op, struct str a, struct str b);

struct plan;
struct leaf_context {
	struct plan *plan;                       /* for regexes */
	const struct logsource_binding *binding; /* for value renames; NULL = none */
	struct arena *text;                      /* where value_text may write */
	struct arena *scratch;                   /* folded copies; reset in here */
};
/* The leaf against one scalar value; VERDICT_NO for null, absent and lists, and for the kinds that look at the whole field
 * (null, exists, fieldref). */
enum verdict leaf_holds(const struct leaf_context *c, const struct leaf *l, struct value *v);
/* Texts that mean the leaf's own in this binding ("true" is "%%14593"): the i-th, or false. Compared without case. */
bool leaf_renamed_value(const struct leaf *l, const struct logsource_binding *b, uint32_t *i, struct str *ret);
/* The text that LEAF_STRING without wildcards and LEAF_BOOL stand for; false for other leaves. */
bool leaf_plain_text(const struct leaf *l, struct str *ret);
