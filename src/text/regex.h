/* regex: regular expressions in linear time, over texts an attacker writes.
 *
 * RE2 decides whatever it can express: its time is linear in the text. What it cannot (look-around, back-references, atomic
 * groups, possessive quantifiers) goes to PCRE2 under a work limit; then a match may come out undecided, which is never the same as
 * no match. Which engine a regex got can be asked. Why these two: doc/decisions/0010-regex.md.
 *
 * Syntax and meaning are Perl's as far as both engines share them: \d \w \s \b are ASCII, \s has the vertical tab, dot is any
 * character but LF, $ is the end of the text or before a last LF, character classes and case know Unicode. Needless escapes of
 * punctuation are themselves (\" \' \- \/). Unknown escapes of letters are refused: \i is a mistake for \\i more often than not.
 *
 * A compiled regex is immutable; any number of threads may match with it at once. */
#pragma once
#include "base/fault.h"

struct regex;
enum regex_flags {
	REGEX_NOCASE = 1,    /* like (?i) before the pattern */
	REGEX_MULTILINE = 2, /* like (?m): ^ and $ at every line */
	REGEX_DOTALL = 4,    /* like (?s): dot is any character */
	REGEX_BACKTRACK = 8  /* always PCRE2: for tests that compare the engines */
};
enum regex_engine { REGEX_RE2, REGEX_PCRE2, REGEX_RUN /* nothing but .{n,}: counted, no engine needed */ };
enum regex_match { MATCH_NO, MATCH_YES, MATCH_UNDECIDED /* the work limit was reached */ };

enum { REGEX_MAX_PATTERN = 64 << 10, REGEX_MAX_NESTING = 150, REGEX_LITERAL_MAX = 128 };

/* Compiles a pattern (UTF-8, any byte but as a whole at most REGEX_MAX_PATTERN). NULL and *f on failure: FAULT_SYNTAX with the
 * byte offset in the pattern in f->offset, or FAULT_LIMIT. Free the result with regex_free (NULL is allowed). */
struct regex *regex_compile(struct str pattern, unsigned flags, struct fault *f);
void regex_free(struct regex *re);

/* Does the pattern occur anywhere in s? Invalid UTF-8 in s matches nothing but is no hindrance. MATCH_UNDECIDED comes from PCRE2
 * only. */
enum regex_match regex_match(const struct regex *re, struct str s);

enum regex_engine regex_engine(const struct regex *re);
/* A literal that every match contains: when regex_match(re, s) says MATCH_YES, then utf8_fold(s) contains it. It is the longest
 * found by a careful reading of the pattern, folded, at most REGEX_LITERAL_MAX bytes; empty when nothing is certain. It lives as
 * long as the regex. */
struct str regex_literal(const struct regex *re);
