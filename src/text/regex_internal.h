/* regex_internal: what regex.c, regex_pattern.c and the RE2 shim share. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The shim around RE2 (regex_re2.cc). No exception leaves it. */
struct regex_re2;
/* NULL when RE2 refuses the pattern; *ret_too_large says whether only for want of memory. */
struct regex_re2 *regex_re2_new(const char *pattern, size_t n, int64_t max_memory, bool *ret_too_large);
void regex_re2_free(struct regex_re2 *re);
/* 1 match, 0 none, -1 an exception. */
int regex_re2_match(const struct regex_re2 *re, const char *text, size_t n);

#ifdef __cplusplus
}
#else
#include "base/buf.h"
/* The pattern in RE2's dialect, flags in front (regex_pattern.c). False when it is nested too deeply. */
bool regex_translate(struct str pattern, unsigned flags, struct buf *out);
struct regex_facts {
	size_t n_literal;     /* the required literal; 0: none is certain */
	char literal[128];
	uint32_t min_chars;   /* no match has fewer characters */
	uint32_t run;         /* not 0: the pattern is nothing but a dot so many times, at least */
};
/* What is certain about a pattern (regex_pattern.c). */
void regex_study(struct str pattern, struct regex_facts *ret);
#endif
