/* text/json_write.h: what comes out is valid JSON whatever goes in; fast equals plain; commas and nesting. */
#include "tests/check.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "text/json_write.h"
#include "text/utf.h"
#include <math.h>

static uint64_t seed = 88172645463325252;
static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % below;
}

static const char *text(struct buf *b)
{
	buf_byte(b, 0);
	b->n--;
	return b->p;
}

TEST(strings_are_escaped)
{
	static const char *const cases[][2] = {
		{"", "\"\""},
		{"C:\\Windows\\System32\\cmd.exe /c \"echo\"", "\"C:\\\\Windows\\\\System32\\\\cmd.exe /c \\\"echo\\\"\""},
		{"\b\f\n\r\t\x01\x1b\x7f/", "\"\\b\\f\\n\\r\\t\\u0001\\u001b\\u007f/\""},
		{"\xc2\x9b" "31m", "\"\\u009b31m\""},                                  /* C1: CSI */
		{"a\xe2\x80\xa8\xe2\x80\xa9z", "\"a\\u2028\\u2029z\""},
		{"\xe2\x80\xae\xe2\x81\xa6", "\"\\u202e\\u2066\""},                   /* bidi */
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"bad\xff\xe2\x82!\xed\xa0\x80", "\"bad\xef\xbf\xbd\xef\xbf\xbd!\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = {0};
		json_str(&b, str_of(cases[i][0]));
		CHECK_STR(text(&b), cases[i][1]);
		buf_done(&b);
	}
	struct buf b = {0};
	json_str(&b, (struct str){"a\0b", 3});
	json_str(&b, (struct str){0});
	CHECK_STR(text(&b), "\"a\\u0000b\"\"\"");
	buf_done(&b);
}

TEST(utf16_goes_straight_to_json)
{
	static const uint16_t units[] = {'C', ':', '\\', 0xe9, 0xd83d, 0xde00, 0xd800, '\n', 0x2028, '"', 0x7f, 0xdfff};
	struct buf b = {0};
	json_str_utf16le(&b, units, COUNT(units));
	CHECK_STR(text(&b), "\"C:\\\\\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd\\n\\u2028\\\"\\u007f\xef\xbf\xbd\"");
	buf_done(&b);
}

/* Long clean stretches with rare others, so that vectors stop everywhere; UTF-16 by way of UTF-8 gives the same text. */
TEST(fast_equals_plain)
{
	extern enum cpu_level cpu_level_in_force;
	enum cpu_level have = cpu_level();
	for (int round = 0; round < 20000; round++) {
		cpu_level_in_force = (enum cpu_level)(round % (have + 1));
		size_t n = rnd(rnd(100) ? 200 : 40000);
		unsigned rare = 1 + rnd(70);
		uint8_t *units = malloc(n * 2 + 1);
		for (size_t i = 0; i < n; i++) {
			uint32_t u = rnd(rare) ? 0x20 + rnd(0x60) : rnd(4) ? rnd(0x100) : rnd(0x10000);
			units[1 + i * 2] = (uint8_t)u;
			units[2 + i * 2] = (uint8_t)(u >> 8);
		}
		char *eight = malloc(UTF16_ROOM(n));
		struct str s = {eight, utf16le_to_utf8(units + 1, n, rnd(2) ? UTF_LONE_REPLACE : UTF_LONE_WTF8, eight, NULL)};
		struct buf a = {0}, b = {0}, c = {0}, d = {0};
		json_str_part(&a, s);
		json_str_part_plain(&b, s);
		NEED(str_eq(buf_view(&a), buf_view(&b)));
		json_part_utf16le(&c, units + 1, n);
		json_part_utf16le_plain(&d, units + 1, n);
		NEED(str_eq(buf_view(&c), buf_view(&d)));
		if (utf8_valid(s)) NEED(str_eq(buf_view(&a), buf_view(&c)));
		NEED(utf8_valid(buf_view(&a)) && utf8_valid(buf_view(&c)));
		buf_done(&a), buf_done(&b), buf_done(&c), buf_done(&d);
		free(units), free(eight);
	}
	cpu_level_in_force = have;
}

TEST(doubles_read_back)
{
	static const double values[] = {0, -0.0, 1, 0.1, 1e20, 1e-7, 123456789.123, 1.7976931348623157e308, 5e-324, 1.0 / 3};
	for (size_t i = 0; i < COUNT(values); i++) {
		struct buf b = {0};
		json_double(&b, values[i]);
		CHECK(strtod(text(&b), NULL) == values[i]);
		buf_done(&b);
	}
	struct buf b = {0};
	json_double(&b, 0.1);
	json_double(&b, NAN);
	json_double(&b, INFINITY);
	CHECK_STR(text(&b), "0.1nullnull");
	buf_done(&b);
}

TEST(the_writer_sets_commas)
{
	struct buf b = {0};
	struct json_out o = JSON_OUT(&b);
	json_begin_object(&o);
	json_key_str(&o, STR("a\n"), STR("x"));
	json_key(&o, STR("list"));
	json_begin_array(&o);
	json_put_u64(&o, UINT64_MAX);
	json_put_i64(&o, -1);
	json_begin_object(&o);
	json_end(&o);
	json_begin_array(&o);
	json_end(&o);
	json_put_null(&o);
	json_end(&o);
	json_key_bool(&o, STR("t"), true);
	json_key(&o, STR("raw"));
	json_put_raw(&o, STR("[1]"));
	json_end(&o);
	CHECK_STR(text(&b), "{\"a\\n\":\"x\",\"list\":[18446744073709551615,-1,{},[],null],\"t\":true,\"raw\":[1]}");
	buf_done(&b);
}

TEST_MAIN
