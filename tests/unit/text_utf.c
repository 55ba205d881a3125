/* text/utf.h: conversion, validity, repair and folding; the fast paths against the plain ones. */
#include "tests/check.h"
#include "base/alloc.h"
#include "text/utf.h"

static uint64_t seed = 88172645463325252;
static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % below;
}

static const char *to8(const uint16_t *units, size_t n, enum utf_lone lone)
{
	static char out[UTF16_ROOM(256)];
	bool ascii;
	size_t got = utf16le_to_utf8(units, n, lone, out, &ascii);
	NEED(got == utf16le_utf8_size(units, n, lone));
	out[got] = 0;
	return out;
}

TEST(utf16_every_length_of_character_and_lone_surrogates)
{
	static const uint16_t mixed[] = {'a', 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0xd83d, 0xde00, 'z'};
	CHECK_STR(to8(mixed, 9, UTF_LONE_REPLACE), "a\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x9f\x98\x80z");
	static const uint16_t lone[] = {0xd83d, 'x', 0xde00, 0xd800};
	CHECK_STR(to8(lone, 4, UTF_LONE_REPLACE), "\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd");
	CHECK_STR(to8(lone, 4, UTF_LONE_WTF8), "\xed\xa0\xbdx\xed\xb8\x80\xed\xa0\x80");
	static const uint16_t two_high[] = {0xd83d, 0xd83d, 0xde00};
	CHECK_STR(to8(two_high, 3, UTF_LONE_REPLACE), "\xef\xbf\xbd\xf0\x9f\x98\x80");
	CHECK_STR(to8(NULL, 0, UTF_LONE_REPLACE), "");
}

/* Random units, mostly ASCII, at odd addresses; the input ends where its memory ends, so that ASan sees a read too far. */
TEST(utf16_fast_equals_plain)
{
	for (int round = 0; round < 20000; round++) {
		size_t n = rnd(150);
		unsigned rare = 1 + rnd(60);
		uint8_t *in = malloc(n * 2 + 1);
		for (size_t i = 0; i < n; i++) {
			uint32_t u = rnd(rare) ? rnd(0x80) : rnd(3) ? 0xd700 + rnd(0xa00) : rnd(0x10000);
			in[1 + i * 2] = (uint8_t)u;
			in[2 + i * 2] = (uint8_t)(u >> 8);
		}
		char *fast = malloc(UTF16_ROOM(n)), *plain = malloc(UTF16_ROOM(n));
		bool fast_ascii, plain_ascii;
		enum utf_lone lone = rnd(2) ? UTF_LONE_WTF8 : UTF_LONE_REPLACE;
		size_t a = utf16le_to_utf8(in + 1, n, lone, fast, &fast_ascii);
		size_t b = utf16le_to_utf8_plain(in + 1, n, lone, plain, &plain_ascii);
		NEED(a == b && !memcmp(fast, plain, a));
		NEED(fast_ascii == plain_ascii && fast_ascii == (a == n && utf8_ascii_prefix((struct str){fast, a}) == a));
		NEED(a == utf16le_utf8_size(in + 1, n, lone));
		if (lone == UTF_LONE_REPLACE) NEED(utf8_valid((struct str){fast, a}));
		size_t prefix = utf16le_ascii(in + 1, n, plain);
		NEED(prefix <= n && (prefix == n) == fast_ascii && !memcmp(fast, plain, prefix));
		NEED(prefix == n || (in[1 + prefix * 2] | in[2 + prefix * 2] << 8) >= 0x80);
		free(in), free(fast), free(plain);
	}
}

TEST(utf16_into_an_arena)
{
	struct arena a;
	arena_init(&a, 4096);
	static const uint16_t text[] = {'a', 'b', 0x416, 'c'};
	bool ascii;
	CHECK(str_eq(utf16le_arena(&a, text, 2, UTF_LONE_REPLACE, &ascii), STR("ab")) && ascii);
	CHECK(str_eq(utf16le_arena(&a, text, 4, UTF_LONE_REPLACE, &ascii), STR("ab\xd0\x96""c")) && !ascii);
	static const uint16_t many[5000];
	CHECK(!utf16le_arena(&a, many, 5000, UTF_LONE_REPLACE, &ascii).p);
	arena_done(&a);
}

TEST(utf8_validity_follows_the_table)
{
	static const struct { const char *s; size_t valid; } cases[] = {
		{"plain", 5}, {"\xc2\x80", 2}, {"\xdf\xbf", 2}, {"\xe0\xa0\x80", 3}, {"\xed\x9f\xbf", 3}, {"\xee\x80\x80", 3}, {"\xf0\x90\x80\x80", 4},
		{"\xf4\x8f\xbf\xbf", 4},
		{"a\x80", 1}, {"\xc0\x80", 0}, {"\xc1\xbf", 0}, {"\xe0\x9f\xbf", 0}, {"\xed\xa0\x80", 0}, {"\xf0\x8f\xbf\xbf", 0},
		{"\xf4\x90\x80\x80", 0}, {"\xf5\x80\x80\x80", 0}, {"ab\xc3", 2}, {"\xe2\x82", 0}, {"\xf0\x9f\x98", 0}, {"\xff", 0},
		{"\xc3\xa9" "0123456789abcdef012345\xff", 24},
	};
	for (size_t i = 0; i < COUNT(cases); i++) CHECK(utf8_valid_prefix(str_of(cases[i].s), NULL) == cases[i].valid);
}

TEST(utf8_repair_replaces_maximal_parts)
{
	static const char *const cases[][2] = {
		{"ok\xc3\xa9", "ok\xc3\xa9"},
		{"a\x80" "b", "a\xef\xbf\xbd" "b"},
		{"\xf0\x9f\x98!", "\xef\xbf\xbd!"},                       /* one cut character, one mark */
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate is three */
		{"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" "A"},
	};
	char out[256];
	for (size_t i = 0; i < COUNT(cases); i++) {
		out[utf8_repair(str_of(cases[i][0]), out)] = 0;
		CHECK_STR(out, cases[i][1]);
	}
	struct arena a;
	arena_init(&a, 4096);
	struct str good = STR("good"), bad = utf8_clean(&a, STR("b\xff"));
	CHECK(utf8_clean(&a, good).p == good.p);
	CHECK(str_eq(bad, STR("b\xef\xbf\xbd")));
	arena_done(&a);
}

TEST(every_code_point_goes_out_and_comes_back)
{
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		char out[4];
		unsigned n = utf8_put(c, out);
		const char *p = out;
		bool surrogate = c >= 0xd800 && c < 0xe000;
		NEED(utf8_step(&p, out + n) == (surrogate ? 0xfffd : c) && p == out + n);
		NEED(utf8_valid((struct str){out, n}));
	}
	char out[4];
	CHECK(utf8_put(0x110000, out) == 3 && !memcmp(out, "\xef\xbf\xbd", 3));
	CHECK(utf8_count(STR("a\xc3\xa9\xf0\x9f\x98\x80\xff")) == 4);
	CHECK(utf8_count((struct str){0}) == 0);
}

static const char *fold(const char *s)
{
	static char out[UTF8_FOLD_ROOM(512)];
	out[utf8_fold(str_of(s), out)] = 0;
	return out;
}

TEST(folding_joins_the_letters_of_one_caseless_group)
{
	CHECK_STR(fold("PowerShell.EXE -Enc [@`{"), "powershell.exe -enc [@`{");
	CHECK_STR(fold("\xc3\x84\xc3\x96 \xd0\x96\xd0\xaf"), "\xc3\xa4\xc3\xb6 \xd0\xb6\xd1\x8f");
	CHECK_STR(fold("\xe2\x84\xaa \xc5\xbf \xc4\xb0"), "k s i");                     /* Kelvin, long s, dotted I */
	CHECK_STR(fold("\xce\xa3\xcf\x83\xcf\x82"), "\xcf\x83\xcf\x83\xcf\x83");         /* the three sigmas */
	CHECK_STR(fold("\xe1\xba\x9e\xc3\x9f"), "\xc3\x9f\xc3\x9f");                     /* sharp s: never "ss" */
	CHECK_STR(fold("\xc8\xba"), "\xe2\xb1\xa5");                                     /* one that grows */
	CHECK_STR(fold("\xf0\x90\x90\x80"), "\xf0\x90\x90\xa8");                         /* Deseret, beyond the first plane */
	CHECK_STR(fold("A\xff\xc3" "B\xed\xa0\x80"), "a\xff\xc3" "b\xed\xa0\x80");       /* what is no character stays */
	for (uint32_t c = 0; c < 0x110000; c++) NEED(utf_fold_cp(utf_fold_cp(c)) == utf_fold_cp(c));
}

TEST(folding_fast_equals_plain_and_is_idempotent)
{
	for (int round = 0; round < 20000; round++) {
		size_t n = 0, want = rnd(200);
		unsigned rare = 1 + rnd(50);
		char *in = malloc(want + 4);
		while (n < want) {
			if (rnd(rare)) in[n++] = (char)rnd(0x80);
			else if (rnd(8)) n += utf8_put(rnd(4) ? 0x80 + rnd(0x600) : rnd(0x20000), in + n);
			else in[n++] = (char)rnd(0x100);
		}
		in = realloc(in, n + !n);
		char *fast = malloc(UTF8_FOLD_ROOM(n)), *plain = malloc(UTF8_FOLD_ROOM(n));
		size_t a = utf8_fold((struct str){in, n}, fast), b = utf8_fold_plain((struct str){in, n}, plain);
		NEED(a == b && a <= n + n / 2 && !memcmp(fast, plain, a));
		char *twice = malloc(UTF8_FOLD_ROOM(a));
		NEED(utf8_fold((struct str){fast, a}, twice) == a && !memcmp(fast, twice, a));
		NEED(utf8_valid((struct str){in, n}) == utf8_valid((struct str){fast, a}));
		free(in), free(fast), free(plain), free(twice);
	}
}

TEST_MAIN
