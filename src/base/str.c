/* str.c: views of bytes. See str.h. */
#include "base/str.h"

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static unsigned char lower(unsigned char c) { return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c; }

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.n != b.n) return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower((unsigned char)a.p[i]) != lower((unsigned char)b.p[i])) return false;
	return true;
}

size_t str_find(struct str s, struct str needle, size_t from)
{
	if (from > s.n) return SIZE_MAX;
	if (!needle.n) return from;
	/* memmem prepares itself for long searches; most end at once. A text made to bring false beginnings is left to it. */
	enum { TRIES = 16 };
	for (int i = 0; i < TRIES; i++) {
		if (needle.n > s.n - from) return SIZE_MAX;
		const char *at = memchr(s.p + from, needle.p[0], s.n - from - needle.n + 1);
		if (!at) return SIZE_MAX;
		if (!memcmp(at, needle.p, needle.n)) return (size_t)(at - s.p);
		from = (size_t)(at - s.p) + 1;
	}
	const char *hit = memmem(s.p + from, s.n - from, needle.p, needle.n);
	return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

size_t str_find_byte(struct str s, char c, size_t from)
{
	if (from >= s.n) return SIZE_MAX;
	const char *hit = memchr(s.p + from, c, s.n - from);
	return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

struct str str_trim(struct str s)
{
	while (s.n && blank(s.p[0])) s.p++, s.n--;
	while (s.n && blank(s.p[s.n - 1])) s.n--;
	return s;
}

struct str str_cut(struct str *rest, char c)
{
	size_t at = str_find_byte(*rest, c, 0);
	struct str piece = *rest;
	if (at == SIZE_MAX) {
		*rest = (struct str){NULL, 0};
		return piece;
	}
	piece.n = at;
	rest->p += at + 1;
	rest->n -= at + 1;
	return piece;
}

bool str_u64(struct str s, uint64_t *ret)
{
	uint64_t v = 0;
	if (!s.n) return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned char)s.p[i] - '0';
		if (d > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, d, &v)) return false;
	}
	*ret = v;
	return true;
}

bool str_ipv4(struct str s, uint8_t ret[4])
{
	if (s.n < 7 || s.n > 15) return false;
	const char *p = s.p, *end = p + s.n;
	for (int part = 0; part < 4; part++) {
		unsigned v, d;
		if (p == end || (v = (unsigned char)*p++ - (unsigned)'0') > 9) return false;
		if (p < end && (d = (unsigned char)*p - (unsigned)'0') <= 9) {
			if (!v) return false;
			v = v * 10 + d;
			if (++p < end && (d = (unsigned char)*p - (unsigned)'0') <= 9) {
				v = v * 10 + d;
				if (v > 255) return false;
				p++;
			}
		}
		ret[part] = (uint8_t)v;
		if (part < 3 && (p == end || *p++ != '.')) return false;
	}
	return p == end;
}

bool str_i64(struct str s, int64_t *ret)
{
	bool negative = s.n && s.p[0] == '-';
	uint64_t v;
	if (!str_u64(negative ? str_sub(s, 1, s.n) : s, &v)) return false;
	if (v > (uint64_t)INT64_MAX + negative) return false;
	*ret = negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

bool str_hex64(struct str s, uint64_t *ret)
{
	uint64_t v = 0;
	if (!s.n || s.n > 16) return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = lower((unsigned char)s.p[i]);
		unsigned d = c >= '0' && c <= '9' ? c - (unsigned)'0' : c >= 'a' && c <= 'f' ? c - 'a' + 10u : 99u;
		if (d > 15) return false;
		v = v << 4 | d;
	}
	*ret = v;
	return true;
}
