/* json_internal: what the scanner (json_read.c) and the lane (json_lane.c) have in common: values that are no strings, and tokens put down. */
#pragma once
#include "base/alloc.h"
#include "base/cursor.h"
#include "text/json_read.h"

/* 1: a backslash and this letter are an escape. */
static const uint8_t simple_escape[256] = {['"'] = 1, ['\\'] = 1, ['/'] = 1, ['b'] = 1, ['f'] = 1, ['n'] = 1, ['r'] = 1, ['t'] = 1};

static inline bool blank(uint8_t c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static inline bool digit(uint8_t c) { return (uint8_t)(c - '0') < 10; }
static inline bool hex(uint8_t c) { return digit(c) || (uint8_t)((c | 32) - 'a') < 6; }

/* Whether eight digits stand at p. */
static inline bool eight_digits(const void *p)
{
	uint64_t v = le64_at(p);
	return ((v & 0xf0f0f0f0f0f0f0f0) | ((v + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4) == 0x3333333333333333;
}

/* What may not follow a number or word directly: 64 bits each for '@'..0x7F and for 0..'?'. */
static inline bool word(uint8_t c)
{
	const uint64_t low = (uint64_t)0x3FF << '0' | (uint64_t)1 << '.' | (uint64_t)1 << '+' | (uint64_t)1 << '-';
	const uint64_t high = (uint64_t)0x3FFFFFF << ('A' - 64) | (uint64_t)0x3FFFFFF << ('a' - 64) | (uint64_t)1 << ('_' - 64);
	return c < 128 && (c < 64 ? low : high) >> (c & 63) & 1;
}

/* A number at p, which is a minus or a digit. What stands behind it; on a fault NULL, *fault is where. */
static inline const uint8_t *pass_number(const uint8_t *p, const uint8_t *end, uint8_t *flags, const uint8_t **fault)
{
	*flags = 0;
	if (*p == '-') {
		*flags = JSON_NEGATIVE;
		p++;
	}
	*fault = p;
	if (p == end || !digit(*p)) return NULL;
	if (*p++ != '0') {
		while (end - p >= 8 && digit(p[7]) && eight_digits(p)) p += 8;
		while (p < end && digit(*p)) p++;
	}
	if (p < end && *p == '.') {
		*flags |= JSON_REAL;
		*fault = ++p;
		if (p == end || !digit(*p)) return NULL;
		while (p < end && digit(*p)) p++;
	}
	if (p < end && (*p | 32) == 'e') {
		*flags |= JSON_REAL;
		p++;
		if (p < end && (*p == '+' || *p == '-')) p++;
		*fault = p;
		if (p == end || !digit(*p)) return NULL;
		while (p < end && digit(*p)) p++;
	}
	*fault = p;
	return p < end && word(*p) ? NULL : p;
}

/* A word at p: its type and length, or 0 when it is none. *ret_cut: the text ends before it is whole. */
static inline unsigned pass_word(const uint8_t *p, const uint8_t *end, uint8_t *type, bool *ret_cut)
{
	static const struct { const char *text; uint8_t n, type; } words[] = {
		{"true", 4, JSON_TRUE}, {"false", 5, JSON_FALSE}, {"null", 4, JSON_NULL},
	};
	*ret_cut = false;
	if (end - p >= 5) {
		uint8_t is_false = p[0] == 'f';
		*type = is_false ? JSON_FALSE : p[0] == 't' ? JSON_TRUE : JSON_NULL;
		uint32_t four = le32_at(p + is_false), wanted = is_false ? 0x65736C61 : p[0] == 't' ? 0x65757274 : 0x6C6C756E; /* alse true null */
		return four == wanted ? 4u + is_false : 0;
	}
	for (size_t i = 0; i < COUNT(words); i++) {
		size_t left = (size_t)(end - p), n = left < words[i].n ? left : words[i].n;
		if (memcmp(p, words[i].text, n)) continue;
		*type = words[i].type;
		*ret_cut = n < words[i].n;
		return words[i].n;
	}
	return 0;
}

/* In two stores. */
static inline void put_token(struct json_token *v, uint32_t from, uint32_t length, uint32_t next, unsigned type, unsigned flags,
	unsigned depth)
{
	uint64_t place = from | (uint64_t)length << 32, rest = next | (uint64_t)(type | flags << 8 | depth << 16) << 32;
	_Static_assert(offsetof(struct json_token, next) == 8 && offsetof(struct json_token, depth) == 14, "the order, little-endian");
	memcpy(v, &place, 8);
	memcpy((char *)v + 8, &rest, 8);
}
