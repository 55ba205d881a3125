/* str: a view of bytes, passed by value.
 *
 * A str does not own its bytes and need not end in NUL; it may hold any byte, NUL included. It stays valid as long as
 * whatever owns the bytes (a batch arena, a plan, a literal). NUL-terminated strings exist only at libc's door.
 * All functions are pure; any thread may call them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

/* A str over a string literal, without its NUL. */
#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For printf: printf("%.*s", STR_FMT(s)). Never prints more than INT_MAX bytes. */
#define STR_FMT(s) (int)((s).n > 0x7fffffff ? 0x7fffffff : (s).n), (s).p ? (s).p : ""

static inline struct str str_of(const char *nul_terminated)
{
	return (struct str){nul_terminated, strlen(nul_terminated)};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* The part of s from byte `from` on, up to `n` bytes; clipped to s, never out of it. */
static inline struct str str_sub(struct str s, size_t from, size_t n)
{
	if (from > s.n) from = s.n;
	if (n > s.n - from) n = s.n - from;
	return (struct str){s.p ? s.p + from : s.p, n};
}

/* Order by bytes, shorter first when one begins the other: <0, 0, >0. */
int str_cmp(struct str a, struct str b);
/* Equal when ASCII letters are compared without case. */
bool str_eq_nocase(struct str a, struct str b);
/* Offset of the first occurrence at or after `from`, or SIZE_MAX. */
size_t str_find(struct str s, struct str needle, size_t from);
size_t str_find_byte(struct str s, char c, size_t from);
/* s without ASCII blanks (space, tab, CR, LF) at both ends. */
struct str str_trim(struct str s);
/* Cuts *rest at the first `c`: returns what stood before it and moves *rest behind it; at the last piece *rest becomes
 * empty with p == NULL. Loop: while (rest.p) { piece = str_cut(&rest, ','); } */
struct str str_cut(struct str *rest, char c);
/* Whole s as a decimal number: digits only (a leading '-' for i64), no blanks, no sign '+', no overflow. On failure false, *ret untouched. */
bool str_u64(struct str s, uint64_t *ret);
bool str_i64(struct str s, int64_t *ret);
/* Whole s as a.b.c.d, decimal without leading zeros: what inet_pton takes for IPv4, which is also the one way to write it. */
bool str_ipv4(struct str s, uint8_t ret[4]);
/* Whole s as hex digits, without 0x. On failure false, *ret untouched. */
bool str_hex64(struct str s, uint64_t *ret);
