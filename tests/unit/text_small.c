/* text/base64.h, text/hex.h, text/glob.h. */
#include "tests/check.h"
#include "base/alloc.h"
#include "text/base64.h"
#include "text/glob.h"
#include "text/hex.h"
#include "text/utf.h"

static uint64_t seed = 88172645463325252;
static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % below;
}

static const char *encode(const char *s, unsigned flags)
{
	static char out[200];
	out[base64_encode(s, strlen(s), flags, out)] = 0;
	return out;
}

static const char *decode(const char *s, unsigned flags)
{
	static char out[200];
	size_t n;
	if (!base64_decode(str_of(s), flags, out, &n)) return "(refused)";
	out[n] = 0;
	return out;
}

TEST(base64_of_rfc_4648)
{
	static const char *const cases[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		CHECK_STR(encode(cases[i][0], 0), cases[i][1]);
		CHECK_STR(decode(cases[i][1], 0), cases[i][0]);
	}
	CHECK_STR(encode("\xfb\xff\xfe?", 0), "+//+Pw==");
	CHECK_STR(encode("\xfb\xff\xfe?", BASE64_URL), "-__-Pw==");
	CHECK_STR(encode("\xfb\xff\xfe?", BASE64_URL | BASE64_NO_PAD), "-__-Pw");
	CHECK_STR(decode("-__-Pw", BASE64_URL | BASE64_NO_PAD), "\xfb\xff\xfe?");
}

TEST(base64_strict_and_lenient)
{
	static const char *const bad[] = {"Zg", "Zg=", "Zg===", "Z", "Zh==", "Zm9=", "Zm 9v", "-__-", "Zm9v=", "=Zm9v", "Zg==Zg==", "Zm9v\n",
		"Z$=="};
	for (size_t i = 0; i < COUNT(bad); i++) CHECK_STR(decode(bad[i], 0), "(refused)");
	CHECK_STR(decode("Zg==", BASE64_NO_PAD), "(refused)");
	CHECK_STR(decode("+//+", BASE64_URL), "(refused)");
	CHECK_STR(decode("Zh", BASE64_LENIENT), "f");
	CHECK_STR(decode(" Zm\r\n9v Yg= =", BASE64_LENIENT), "foob");
	CHECK_STR(decode("-_/+", BASE64_LENIENT), "\xfb\xff\xfe");
	CHECK_STR(decode("Z", BASE64_LENIENT), "(refused)");
	CHECK_STR(decode("Zm9v===", BASE64_LENIENT), "(refused)");
	CHECK_STR(decode("Zm*v", BASE64_LENIENT), "(refused)");
}

TEST(base64_round_trip)
{
	for (size_t n = 0; n < 200; n++) {
		uint8_t in[200], out[BASE64_BYTES(BASE64_CHARS(200))];
		char text[BASE64_CHARS(200)];
		for (size_t i = 0; i < n; i++) in[i] = (uint8_t)rnd(256);
		unsigned flags = rnd(4);
		size_t chars = base64_encode(in, n, flags, text), got = 999;
		CHECK(chars <= BASE64_CHARS(n));
		CHECK(base64_decode((struct str){text, chars}, flags, out, &got) && got == n && !memcmp(in, out, n));
	}
}

TEST(hex)
{
	uint8_t out[4];
	CHECK(hex_decode(STR("00fFA7"), out) && !memcmp(out, "\x00\xff\xa7", 3));
	CHECK(hex_decode(STR(""), out));
	CHECK(!hex_decode(STR("0"), out) && !hex_decode(STR("0g"), out) && !hex_decode(STR("0x"), out) && !hex_decode(STR(" 0"), out));
}

TEST(globs)
{
	static const struct { const char *pattern, *text; unsigned flags; bool match; } cases[] = {
		{"", "", 0, true}, {"", "a", 0, false}, {"*", "", 0, true}, {"*", "a\nb", 0, true}, {"?", "", 0, false}, {"?", "\n", 0, true},
		{"?", "\xc3\xa9", 0, true}, {"??", "\xc3\xa9", 0, false}, {"a*c", "abbbc", 0, true}, {"a*c", "abbbcd", 0, false},
		{"*.exe", "x.exe.exe", 0, true},
		{"sel*_1", "selection_1", 0, true}, {"a?c", "abc", 0, true}, {"A*", "abc", 0, false}, {"A*", "abc", GLOB_NOCASE, true},
		{"*\xc3\x84*", "x\xc3\xa4", GLOB_NOCASE, true}, {"\\*", "*", 0, true}, {"\\*", "a", 0, false}, {"\\?x", "?x", 0, true},
		{"a\\\\*", "a\\bc", 0, true},
		{"C:\\Windows\\*", "C:\\Windows*", 0, true}, {"C:\\Windows\\*", "C:\\Windows\\x", 0, false},
		{"C:\\Windows\\*", "C:\\Windows\\x", GLOB_PLAIN, true},
		{"a\\", "a\\", 0, true}, {"**a**", "bab", 0, true}, {"\xff*", "\xffx", 0, true}, {"?", "\xff", 0, true},
		{"*ab*ab*", "abxab", 0, true}, {"*ab*ab*", "abxb", 0, false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool got = glob_match(str_of(cases[i].pattern), str_of(cases[i].text), cases[i].flags);
		if (got != cases[i].match) printf("# %s on %s\n", cases[i].pattern, cases[i].text);
		CHECK(got == cases[i].match);
	}
	CHECK(glob_has_wildcard(STR("a*"), 0) && !glob_has_wildcard(STR("a\\*"), 0) && glob_has_wildcard(STR("a\\\\?"), 0) &&
		glob_has_wildcard(STR("a\\*"), GLOB_PLAIN));
}

/* The definition, by recursion. */
static bool naive(const char *p, const char *t)
{
	if (!*p) return !*t;
	if (*p == '*') return naive(p + 1, t) || (*t && naive(p, t + 1));
	return *t && (*p == '?' || *p == *t) && naive(p + 1, t + 1);
}

TEST(globs_equal_their_definition)
{
	for (int round = 0; round < 50000; round++) {
		char pattern[9] = "", text[13] = "";
		for (unsigned i = rnd(8); i-- > 0;) pattern[i] = "ab*?"[rnd(4)];
		for (unsigned i = rnd(12); i-- > 0;) text[i] = "ab"[rnd(2)];
		NEED(glob_match(str_of(pattern), str_of(text), 0) == naive(pattern, text));
	}
}

TEST(globs_take_no_exponential_time)
{
	char text[20001], pattern[101];
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = 0;
	for (int i = 0; i < 100; i += 2) memcpy(pattern + i, "a*", 2);
	pattern[99] = 'b', pattern[100] = 0;
	CHECK(!glob_match(str_of(pattern), str_of(text), 0));
}

TEST_MAIN
