/* text/json_read.h: tokens, faults and their places, streams, damage, decoding; fast equals plain; the conformance set. */
#include "tests/check.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "text/json_read.h"
#include "text/json_write.h"
#include "text/utf.h"
#include <dirent.h>
#include <math.h>

static uint64_t seed = 88172645463325252;
static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % below;
}

static const char *tokens(const char *text)
{
	static const char letters[] = "OAKSNtfn";
	static struct buf b;
	struct json_tape t = {0};
	struct str s = str_of(text);
	size_t end;
	b.n = 0;
	enum json_status status = json_read(&t, s, 0, true, &end);
	for (uint32_t i = 0; i < t.n; i++)
		buf_printf(&b, "%s%c%u@%u%s%s%s%s", i ? " " : "", letters[t.v[i].type], t.v[i].next - i, t.v[i].start,
			t.v[i].flags & JSON_ESCAPED ? "e" : "", t.v[i].flags & JSON_NON_ASCII ? "u" : "", t.v[i].flags & JSON_REAL ? "r" : "",
			t.v[i].flags & JSON_NEGATIVE ? "-" : "");
	if (status != JSON_OK) buf_printf(&b, "!%zu %s", t.at, t.reason);
	buf_byte(&b, 0);
	json_tape_done(&t);
	return b.p;
}

TEST(tokens_in_a_row)
{
	CHECK_STR(tokens("{\"a\":[1,-2.5,\"x\\n\"],\"b\":{},\"\xc3\xa9\":null}"), "O10@0 K1@2 A4@5 N1@6 N1@8r- S1@14e K1@21 O1@24 K1@28u n1@32");
	CHECK_STR(tokens(" [ ] "), "A1@1");
	CHECK_STR(tokens("[true,false]"), "A3@0 t1@1 f1@6");
	CHECK_STR(tokens("1e5 "), "N1@0r");
	struct json_tape t = {0};
	size_t end;
	struct str s = STR("xx{\"k\":[\"v\"]}, rest");
	CHECK(json_read(&t, s, 2, true, &end) == JSON_OK && end == 13);
	CHECK(str_eq(json_raw(s, &t.v[0]), STR("{\"k\":[\"v\"]}")) && str_eq(json_raw(s, &t.v[2]), STR("[\"v\"]")));
	CHECK(str_eq(json_raw(s, &t.v[3]), STR("v")));
	CHECK(t.v[3].depth == 2);
	json_tape_done(&t);
}

TEST(faults_have_a_place)
{
	static const struct { const char *text; size_t at; } cases[] = {
		{"{\"a\":1 \"b\"}", 7}, {"[1,]", 3}, {"[01]", 2}, {"[1.]", 3}, {"[-]", 2}, {"[\"a\tb\"]", 3}, {"[\"\\x\"]", 2}, {"[tru]", 1},
		{"{1:2}", 1},
		{"[1", 2}, {"{\"a\"}", 4}, {"[1}", 2}, {"", 0}, {"\"a", 2}, {"nul", 3},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json_tape t = {0};
		size_t end = 77;
		CHECK(json_read(&t, str_of(cases[i].text), 0, true, &end) == JSON_BAD && end == 77);
		if (t.at != cases[i].at) printf("# %s: %zu %s\n", cases[i].text, t.at, t.reason);
		CHECK(t.at == cases[i].at && t.reason);
		json_tape_done(&t);
	}
	struct json_tape t = {0};
	struct fault f = FAULT_INIT;
	CHECK(!json_read_all(&t, STR("{\n  \"a\": 1,\n  b\n}"), &f) && f.kind == FAULT_SYNTAX && f.line == 3 && f.column == 3 && f.offset == 14);
	CHECK(!json_read_all(&t, STR("{} x"), &f) && f.column == 4);
	CHECK(json_read_all(&t, STR("\xef\xbb\xbf{} \n"), &f));
	json_tape_done(&t);
}

/* A text cut anywhere is never bad, always unfinished. */
TEST(cut_texts_want_more)
{
	static const char text[] = "{\"a\\u00e9\":[1,-2.5e10,true,null,\"x\\\\\"],\"b\":{\"c\":false}}";
	struct json_tape t = {0};
	for (size_t n = 0; n < sizeof text - 1; n++) {
		char *copy = xmalloc(n + 1);
		memcpy(copy, text, n);
		size_t end;
		CHECK(json_read(&t, (struct str){copy, n}, 0, false, &end) == JSON_MORE);
		CHECK(json_read(&t, (struct str){copy, n}, 0, true, &end) == JSON_BAD);
		free(copy);
	}
	size_t end;
	CHECK(json_read(&t, STR("12"), 0, false, &end) == JSON_MORE);
	CHECK(json_read(&t, STR("12 "), 0, false, &end) == JSON_OK && end == 2);
	json_tape_done(&t);
}

TEST(limits)
{
	struct json_tape t = {.max_depth = 2, .max_tokens = 5};
	size_t end;
	CHECK(json_read(&t, STR("[[[]]]"), 0, true, &end) == JSON_LIMIT && t.at == 2);
	CHECK(json_read(&t, STR("[1,2,3,4]"), 0, true, &end) == JSON_OK && t.n == 5);
	CHECK(json_read(&t, STR("[1,2,3,4,5]"), 0, true, &end) == JSON_LIMIT && t.at == 9);
	json_tape_done(&t);
	char deep[600];
	memset(deep, '[', sizeof deep);
	t = (struct json_tape){.max_depth = 255};
	CHECK(json_read(&t, (struct str){deep, sizeof deep}, 0, true, &end) == JSON_LIMIT && t.at == 250);
	json_tape_done(&t);
}

static const char *decode(const char *inside)
{
	static struct arena a = {.budget = 1 << 20};
	struct json_tape t = {0};
	struct buf b = {0};
	buf_printf(&b, "\"%s\"", inside);
	size_t end;
	NEED(json_read(&t, buf_view(&b), 0, true, &end) == JSON_OK);
	struct str s = arena_str(&a, json_decode(&a, buf_view(&b), &t.v[0]));
	json_tape_done(&t);
	buf_done(&b);
	return s.p;
}

TEST(strings_are_decoded)
{
	CHECK_STR(decode("plain"), "plain");
	CHECK_STR(decode("\\\"\\\\\\/\\b\\f\\n\\r\\t"), "\"\\/\b\f\n\r\t");
	CHECK_STR(decode("C:\\\\Windows\\\\System32\\\\very long path behind it\\\\x.exe"),
		"C:\\Windows\\System32\\very long path behind it\\x.exe");
	CHECK_STR(decode("\\u0041\\u00e9\\uABCD\\uabcd"), "A\xc3\xa9\xea\xaf\x8d\xea\xaf\x8d");
	CHECK_STR(decode("\\uD83D\\uDE00"), "\xf0\x9f\x98\x80");
	CHECK_STR(decode("\\uD800x\\uDC00\\uD83D\\n"), "\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\n");
	CHECK_STR(decode("\\uD83D\\uD83D\\uDE00"), "\xef\xbf\xbd\xf0\x9f\x98\x80");
	CHECK_STR(decode("\xc3\xa9\xff\\n\xe2\x82"), "\xc3\xa9\xef\xbf\xbd\n\xef\xbf\xbd");
	struct json_tape t = {0};
	struct str s = STR("[\"view\",12]");
	size_t end;
	NEED(json_read(&t, s, 0, true, &end) == JSON_OK);
	CHECK(json_decode(NULL, s, &t.v[1]).p == s.p + 2 && str_eq(json_decode(NULL, s, &t.v[2]), STR("12")));
	json_tape_done(&t);
}

TEST(numbers_and_members)
{
	struct str s = STR("{\"a\":-5,\"b\":18446744073709551615,\"c\":1.5e3,\"k\\u0065y\":true,\"a\":2,\"e\":1e999}");
	struct json_tape t = {0};
	size_t end;
	int64_t i;
	uint64_t u;
	double d;
	NEED(json_read(&t, s, 0, true, &end) == JSON_OK);
	CHECK(json_to_i64(s, json_get(&t, s, 0, STR("a")), &i) && i == -5);
	CHECK(json_to_u64(s, json_get(&t, s, 0, STR("b")), &u) && u == UINT64_MAX);
	CHECK(!json_to_i64(s, json_get(&t, s, 0, STR("b")), &i) && !json_to_i64(s, json_get(&t, s, 0, STR("c")), &i));
	CHECK(json_to_double(s, json_get(&t, s, 0, STR("c")), &d) && d == 1500);
	CHECK(json_to_double(s, json_get(&t, s, 0, STR("e")), &d) && isinf(d));
	CHECK(json_get(&t, s, 0, STR("key"))->type == JSON_TRUE && !json_to_double(s, json_get(&t, s, 0, STR("key")), &d));
	CHECK(!json_get(&t, s, 0, STR("none")) && !json_get(&t, s, 1, STR("a")));
	unsigned n = 0;
	for (struct json_member m = {0}; json_member_next(&t, 0, &m);) n++;
	CHECK(n == 6);
	json_tape_done(&t);
}

/* Every value of a stream, joined by |; broken ones as !, after which resync decides. */
static const char *stream(const char *text)
{
	static struct buf b;
	struct json_tape t = {0};
	struct json_stream s = {0};
	struct json_span span;
	struct str all = str_of(text);
	enum json_status status;
	size_t at = 0;
	b.n = 0;
	while ((status = json_next(&s, &t, all, at, true, &span)) != JSON_END) {
		if (b.n) buf_byte(&b, '|');
		if (status == JSON_OK) buf_str(&b, str_sub(all, span.start, span.end - span.start));
		else buf_byte(&b, '!');
		at = status == JSON_OK ? span.end : json_resync(&s, all, span.start);
	}
	buf_byte(&b, 0);
	json_tape_done(&t);
	return b.p;
}

TEST(streams)
{
	CHECK_STR(stream("{\"a\":1}\n{\"a\":2}\r\n\r\n{\"a\":3}"), "{\"a\":1}|{\"a\":2}|{\"a\":3}");
	CHECK_STR(stream("{}{}{}"), "{}|{}|{}");
	CHECK_STR(stream("\xef\xbb\xbf[{\"a\":1}, {\"a\":2}]\n"), "{\"a\":1}|{\"a\":2}");
	CHECK_STR(stream("[[1],[2]] [3]"), "[1]|[2]|3");
	CHECK_STR(stream("\x1e{}\n\x1e{}\n"), "{}|{}");
	CHECK_STR(stream("{},\n{}\n"), "{}|{}");
	CHECK_STR(stream("[]"), "");
	CHECK_STR(stream(""), "");
	CHECK_STR(stream("{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}"), "{\n  \"a\": 1\n}|{\n  \"a\": 2\n}");
}

TEST(damage_costs_one_value)
{
	CHECK_STR(stream("{\"a\":1}\n{\"a\":\"cut\n{\"a\":3}\n"), "{\"a\":1}|!|{\"a\":3}");
	CHECK_STR(stream("{\"a\":1}\n{\"a\":2\n{\"a\":3}\n"), "{\"a\":1}|!|{\"a\":3}"); /* found broken only in the next line */
	CHECK_STR(stream("garbage\n{\"a\":3}\n"), "!|{\"a\":3}");
	CHECK_STR(stream("[\n  {\n    \"a\": 1,\n    \"b\": {\n      x\n    }\n  },\n  {\n    \"a\": 2\n  }\n]"), "!|{\n    \"a\": 2\n  }");
	CHECK_STR(stream("[{\"id\":1,\"l\":[{\"x\":1}]},{\"id\":2,\"l\":[x,{\"x\":2}]},{\"id\":3}]"), "{\"id\":1,\"l\":[{\"x\":1}]}|!|{\"id\":3}");
}

/* The same stream in pieces of any size gives the same values. */
TEST(streams_in_pieces)
{
	static const char text[] = "\xef\xbb\xbf[ {\"a\":1, \"b\":\"x\\\\y\"} , {\"c\":[1,2,3.5]},\"s\" , 12 ]\n{\"d\":null}";
	size_t n = sizeof text - 1;
	for (size_t step = 1; step < n; step++) {
		struct json_tape t = {0};
		struct json_stream s = {0};
		struct json_span span;
		size_t from = 0, to = 0, values = 0, bytes = 0;
		for (enum json_status status = JSON_MORE; status != JSON_END;) {
			status = json_next(&s, &t, (struct str){text + from, to - from}, 0, to == n, &span);
			NEED(status == JSON_OK || status == JSON_MORE || status == JSON_END);
			from += status == JSON_OK ? span.end : span.start;
			if (status == JSON_OK) values++, bytes += span.end - span.start;
			if (status == JSON_MORE) to = to + step < n ? to + step : n;
		}
		CHECK(values == 5 && bytes == 19 + 15 + 3 + 2 + 10);
		json_tape_done(&t);
	}
}

static void random_json(struct buf *b, unsigned depth)
{
	unsigned kind = rnd(depth ? 8 : 5);
	if (kind < 2) {
		char text[200];
		size_t n = 0, want = rnd(rnd(4) ? 20 : 120);
		while (n < want) n += utf8_put(rnd(8) ? 0x20 + rnd(0x60) : rnd(3) ? rnd(0x80) : rnd(0x11000), text + n);
		json_str(b, (struct str){text, n});
	} else if (kind == 2) {
		static const char *const numbers[] = {"0", "-0", "12", "-3.25", "1e10", "2E-3", "123456789012345678"};
		buf_str(b, str_of(numbers[rnd(COUNT(numbers))]));
	} else if (kind < 5) {
		static const char *const words[] = {"true", "false", "null"};
		buf_str(b, str_of(words[rnd(3)]));
	} else {
		bool object = rnd(2);
		static const char *const blanks[] = {"", "", " ", "\n  ", "                    \n\t\t   "};
		buf_byte(b, object ? '{' : '[');
		for (unsigned i = rnd(6), first = 1; i-- > 0; first = 0) {
			if (!first) buf_byte(b, ',');
			buf_str(b, str_of(blanks[rnd(COUNT(blanks))]));
			if (object) {
				buf_printf(b, "\"k%u\"%s:", rnd(100), blanks[rnd(3)]);
				buf_str(b, str_of(blanks[rnd(COUNT(blanks))]));
			}
			random_json(b, depth - 1);
			buf_str(b, str_of(blanks[rnd(COUNT(blanks))]));
		}
		buf_byte(b, object ? '}' : ']');
	}
}

TEST(fast_equals_plain)
{
	struct json_tape fast = {0}, plain = {0};
	unsigned good = 0;
	for (int round = 0; round < 20000; round++) {
		struct buf b = {0};
		random_json(&b, 5);
		for (unsigned k = rnd(3) ? 0 : 1 + rnd(2); k-- > 0;) b.p[rnd((uint32_t)b.n)] = "\"\\{}[],:0x\n\x01\xff \t"[rnd(16)];
		char *exact = malloc(b.n); /* ends where its memory ends */
		memcpy(exact, b.p, b.n);
		struct str s = {exact, b.n};
		size_t a = 0, c = 0;
		bool final = rnd(2);
		enum json_status x = json_read(&fast, s, 0, final, &a), y = json_read_plain(&plain, s, 0, final, &c);
		NEED(x == y && a == c && fast.n == plain.n && (!fast.n || !memcmp(fast.v, plain.v, fast.n * sizeof *fast.v)));
		NEED(x == JSON_OK || (fast.at == plain.at && !strcmp(fast.reason, plain.reason)));
		good += x == JSON_OK;
		for (uint32_t i = 0; x == JSON_OK && i < fast.n; i++) {
			if (fast.v[i].type != JSON_STRING) continue;
			struct str raw = json_raw(s, &fast.v[i]);
			char *p = malloc(raw.n + UTF_SLACK), *q = malloc(raw.n + UTF_SLACK);
			size_t m = json_unescape(raw, p);
			NEED(m <= raw.n && m == json_unescape_plain(raw, q) && !memcmp(p, q, m));
			free(p), free(q);
		}
		free(exact);
		buf_done(&b);
	}
	CHECK(good > 10000 && good < 20000);
	json_tape_done(&fast), json_tape_done(&plain);
}

/* What json_str writes, json_decode reads back, for valid text. */
TEST(written_strings_read_back)
{
	struct arena a;
	arena_init(&a, 1 << 20);
	for (int round = 0; round < 5000; round++) {
		char text[300];
		size_t n = 0, want = rnd(200), end;
		while (n < want) n += utf8_put(rnd(4) ? rnd(0x80) : rnd(0x110000), text + n);
		struct buf b = {0};
		struct json_tape t = {0};
		json_str(&b, (struct str){text, n});
		NEED(json_read(&t, buf_view(&b), 0, true, &end) == JSON_OK && end == b.n);
		arena_reset(&a);
		NEED(str_eq(json_decode(&a, buf_view(&b), &t.v[0]), (struct str){text, n}));
		json_tape_done(&t);
		buf_done(&b);
	}
	arena_done(&a);
}

static unsigned run_folder(const char *name, bool accept)
{
	char folder[4096], path[5000], *text;
	const char *root = getenv("EXHIBIT_SOURCE_ROOT");
	snprintf(folder, sizeof folder, "%s/tests/conformance/json/%s", root ? root : ".", name);
	DIR *d = opendir(folder);
	NEED(d);
	unsigned n = 0;
	for (struct dirent *e; (e = readdir(d));) {
		size_t size;
		struct json_tape t = {0};
		if (e->d_name[0] == '.') continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		NEED(file_slurp(path, 1 << 20, &text, &size, NULL));
		bool got = json_read_all(&t, (struct str){text, size}, NULL);
		if (got != accept) printf("# %s/%s\n", name, e->d_name);
		CHECK(got == accept);
		json_tape_done(&t);
		free(text);
		n++;
	}
	closedir(d);
	return n;
}

TEST(conformance)
{
	CHECK(run_folder("accept", true) >= 30);
	CHECK(run_folder("reject", false) >= 50);
}

TEST_MAIN
