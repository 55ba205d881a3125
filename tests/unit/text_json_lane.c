/* text/json_lane.h: what a lane reads is, token by token, what json_read reads; at every level of the processor. */
#include "tests/check.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/cpu.h"
#include "text/json_lane.h"

extern enum cpu_level cpu_level_in_force;
static uint64_t seed = 0x2545f4914f6cdd1d;
static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % below;
}

#define BLANKS "                                                                "
static const char about[] = "what is known of it";

struct pair { struct json_lane *lane; struct json_tape fast, slow; unsigned read, refused; };
static struct pair *pair_new(void)
{
	struct pair *p = xcalloc(1, sizeof *p);
	p->lane = json_lane_new();
	return p;
}
static void pair_free(struct pair *p)
{
	json_lane_free(p->lane);
	json_tape_done(&p->fast);
	json_tape_done(&p->slow);
	free(p);
}

/* Both ways; the lane learns what it refused. */
static void both(struct pair *p, struct str text, size_t at)
{
	size_t end = 7, end_slow = 0;
	const char *known = json_lane_read(p->lane, &p->fast, text, at, &end);
	enum json_status status = json_read_plain(&p->slow, text, at, false, &end_slow);
	if (!known) {
		p->refused++;
		CHECK(end == 7 && p->fast.n == 0);
		if (status == JSON_OK) json_lane_add(p->lane, &p->slow, text, about, sizeof about);
		return;
	}
	p->read++;
	bool same = status == JSON_OK && end == end_slow && p->fast.n == p->slow.n && p->fast.has_numbered == p->slow.has_numbered && !strcmp(known, about) &&
		!memcmp(p->fast.v, p->slow.v, p->slow.n * sizeof *p->slow.v);
	uint32_t lines = 0;
	for (size_t i = at; i < end && i < text.n; i++) lines += text.p[i] == '\n';
	if (!same || lines != json_lane_lines(p->lane)) printf("# %.*s\n", STR_FMT(text));
	CHECK(same && lines == json_lane_lines(p->lane));
}

static void value(struct buf *b, unsigned depth);

static void text_value(struct buf *b)
{
	static const char *const pieces[] = {"a", "C:\\\\Windows\\\\", "\\\"", "\\\\\\\"", "\xc3\xa4", "\\n", "\\/", "0123456789abcdef0123456789abcdef", "\\\\\\\\", "\x7f", "}", ",\"k0\":"};
	for (uint32_t n = rnd(4) ? rnd(6) : rnd(40); n; n--) {
		uint32_t k = rnd(COUNT(pieces) + 1);
		if (k == COUNT(pieces)) buf_lit(b, "\\u00e4");
		else if (k != 11) buf_str(b, str_of(pieces[k]));
	}
}

static void members(struct buf *b, unsigned depth, unsigned kind)
{
	static const char *const gaps[] = {"", " ", "\n\t", "  \r\n    "};
	const char *gap = gaps[kind % 4];
	uint32_t state = kind * 2654435761u;
	buf_byte(b, '{');
	for (unsigned i = 0, n = 1 + kind % 7; i < n; i++) {
		state = state * 1664525 + 1013904223;
		unsigned which = state >> 28;
		if (i) buf_byte(b, ',');
		buf_printf(b, "%s\"k%u%.*s\"%s:", gap, i, (int)(which == 3 ? 60 : 0), "a key that is longer than a vector of the processor, or even two of these", which == 4 ? " " : "");
		if (which == 5 && depth) members(b, depth - 1, kind / 3 + 1);
		else if (which == 6) buf_lit(b, "[]");
		else if (which == 7) buf_printf(b, "[\"x\",%u,[null]]", rnd(2));
		else if (which == 8 && !rnd(6)) buf_lit(b, "[{\"a\":1}]");
		else if (which == 9) buf_lit(b, "{}");
		else value(b, 0);
	}
	buf_str(b, str_of(gap));
	buf_byte(b, '}');
}

static void value(struct buf *b, unsigned depth)
{
	switch (rnd(9)) {
	case 0: buf_printf(b, "%s%u", rnd(4) ? "" : "-", rnd(100000)); break;
	case 1: buf_printf(b, "%u.%ue%d", rnd(10), rnd(1000), (int)rnd(9) - 4); break;
	case 2: buf_str(b, str_of((const char *[]){"true", "false", "null"}[rnd(3)])); break;
	default:
		(void)depth;
		buf_byte(b, '"');
		text_value(b);
		buf_byte(b, '"');
	}
}

static void spoil(struct buf *b, size_t from)
{
	static const char bytes[] = "\"\\,:{}[]0e-.\x01\n t\x80u";
	for (uint32_t n = 1 + rnd(2); n && b->n > from; n--) b->p[from + rnd((uint32_t)(b->n - from))] = bytes[rnd(sizeof bytes - 1)];
}

static void random_rounds(unsigned rounds)
{
	struct pair *p = pair_new();
	struct buf b = {0};
	for (unsigned i = 0; i < rounds; i++) {
		b.n = 0;
		uint32_t before = rnd(70);
		for (uint32_t k = 0; k < before; k++) buf_byte(&b, ' ');
		members(&b, 2, rnd(12));
		if (!rnd(8)) spoil(&b, before);
		if (rnd(16)) buf_lit(&b, "\n{\"next\\\\\":\"\\u0041\"}" BLANKS);
		/* A copy that ends where the text does, so that AddressSanitizer sees what goes beyond. */
		char *copy = xmalloc(b.n);
		memcpy(copy, b.p, b.n);
		both(p, (struct str){copy, b.n}, before);
		free(copy);
	}
	printf("# level %d: read %u, refused %u\n", (int)cpu_level(), p->read, p->refused);
	CHECK(p->read > rounds / 3);
	CHECK(p->refused > rounds / 20);
	buf_done(&b);
	pair_free(p);
}

TEST(same_as_the_scanner_at_every_level)
{
	enum cpu_level have = cpu_level();
	for (int level = CPU_PLAIN; level <= (int)have; level++) {
		cpu_level_in_force = (enum cpu_level)level;
		random_rounds(20000);
	}
}

/* Values are not in the lane; whatever their type, they are read. */
TEST(values_may_change_their_type)
{
	struct pair *p = pair_new();
	static const char *const texts[] = {"{\"a\":1,\"b\":\"x\"}" BLANKS, "{\"a\":\"1\",\"b\":null}" BLANKS, "{\"a\":-1.5e3,\"b\":true}" BLANKS, "{\"a\":false,\"b\":\"\\\\\"}" BLANKS};
	for (size_t i = 0; i < COUNT(texts); i++) both(p, str_of(texts[i]), 0);
	CHECK(p->read == 3 && p->refused == 1);
	pair_free(p);
}

/* In a long key, and in a list far behind the value before: bytes that are compared, not looked through. */
TEST(numbered_escapes_in_what_all_have)
{
	static const char fill[] = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";
	static const char *const texts[][2] = {{"{\"", "\\u0061\":1}" BLANKS}, {"{\"a\":1,\"", "\":[\"\\u0061\"],\"b\":2}" BLANKS}, {"{\"", "\\\\u0061\":1}" BLANKS}};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct pair *p = pair_new();
		struct buf text = {0};
		buf_printf(&text, "%s%s%s", texts[i][0], fill, texts[i][1]);
		both(p, buf_view(&text), 0);
		both(p, buf_view(&text), 0);
		CHECK(p->read == 1 && p->fast.has_numbered == (i < 2));
		buf_done(&text);
		pair_free(p);
	}
}

/* Each is one step away from what the lane knows, and none of them is that. */
TEST(refuses_what_it_does_not_know)
{
	static const char known[] = "{\"a\":1,\"b\":\"x\",\"c\":[1,2],\"d\":{\"e\":null}}" BLANKS;
	static const char *const others[] = {
		"{\"a\":1,\"b\":\"x\",\"c\":[1,3],\"d\":{\"e\":null}}" BLANKS, "{\"a\":1,\"b\":\"x\",\"c\":[1,2],\"d\":{\"e\":null},\"f\":1}" BLANKS,
		"{\"a\":1,\"b\":\"x\",\"c\":[1,2],\"d\":{}}" BLANKS, "{\"a\":1, \"b\":\"x\",\"c\":[1,2],\"d\":{\"e\":null}}" BLANKS,
		"{\"a\":[1],\"b\":\"x\",\"c\":[1,2],\"d\":{\"e\":null}}" BLANKS, "{\"a\":1,\"b\":\"\\u004g\",\"c\":[1,2],\"d\":{\"e\":null}}" BLANKS,
		"{\"a\":01,\"b\":\"x\",\"c\":[1,2],\"d\":{\"e\":null}}" BLANKS, "{\"a\":1,\"b\":\"x\n\",\"c\":[1,2],\"d\":{\"e\":null}}" BLANKS,
		"{\"a\":1,\"b\":\"\\x\",\"c\":[1,2],\"d\":{\"e\":null}}" BLANKS, "{\"a\":nul,\"b\":\"x\",\"c\":[1,2],\"d\":{\"e\":null}}" BLANKS,
		"{\"a\":1,\"b\":\"x\",\"c\":[1,2],\"d\":{\"e\":null}]" BLANKS, "{\"a\":1,\"b\":\"x\",\"c\":[1,2],\"d\":{\"e\":null}}", "{\"a\":1x,\"b\":\"x\",\"c\":[1,2],\"d\":{\"e\":null}}" BLANKS};
	size_t end;
	for (size_t i = 0; i < COUNT(others); i++) {
		struct pair *p = pair_new();
		both(p, str_of(known), 0);
		both(p, str_of(known), 0);
		NEED(p->read == 1);
		CHECK(!json_lane_read(p->lane, &p->fast, str_of(others[i]), 0, &end));
		pair_free(p);
	}
}

/* Escapes of every length of backslashes at every place of a block, and strings longer than several blocks. */
TEST(escapes_across_blocks)
{
	enum cpu_level have = cpu_level();
	struct buf b = {0};
	for (int level = CPU_PLAIN; level <= (int)have; level++) {
		cpu_level_in_force = (enum cpu_level)level;
		struct pair *p = pair_new();
		for (unsigned before = 0; before < 200; before++) {
			for (unsigned slashes = 0; slashes < 8; slashes++) {
				b.n = 0;
				buf_lit(&b, "{\"k\":\"");
				for (unsigned i = 0; i < before; i++) buf_byte(&b, 'x');
				for (unsigned i = 0; i < slashes; i++) buf_byte(&b, '\\');
				buf_lit(&b, "\",\"b\":\"}\"}\",\"k\":\"\"}" BLANKS);
				both(p, buf_view(&b), 0);
			}
		}
		CHECK(p->read > 500);
		pair_free(p);
	}
	buf_done(&b);
}

/* More kinds than there is room for: what was learned is forgotten, what comes later is learned; nothing is read wrongly. */
TEST(forgets_and_learns_anew)
{
	struct pair *p = pair_new();
	struct buf b = {0};
	for (unsigned i = 0; i < 60000; i++) {
		b.n = 0;
		buf_printf(&b, "{\"a\":1,\"k%u\":2,\"z\":\"%u\"}" BLANKS, i, i);
		both(p, buf_view(&b), 0);
	}
	CHECK(p->read == 0);
	for (unsigned i = 0; i < 20000; i++) {
		b.n = 0;
		buf_printf(&b, "{\"a\":1,\"z\":\"%u\"}" BLANKS, i);
		both(p, buf_view(&b), 0);
	}
	CHECK(p->read > 10000);
	buf_done(&b);
	pair_free(p);
}

/* Unescaping at every level: rows of backslashes of any length at any place of a vector, other escapes now and then, a lone one at the end. */
TEST(unescaped_the_same_at_every_level)
{
	enum cpu_level have = cpu_level();
	struct buf b = {0};
	char fast[2000], plain[2000];
	static const char *const pieces[] = {"\\\\", "\\\"", "\\/", "a", "0123456789", "\\n", "\\u00e9", "\\ud83d\\ude00", "\xc3\xa4", "/", "\\\\\\\\\\\\"};
	for (unsigned i = 0; i < 60000; i++) {
		b.n = 0;
		uint32_t rare = rnd(3) ? 5 : COUNT(pieces), lead = rnd(70), n = rnd(i % 50 ? 30 : 100);
		for (uint32_t k = 0; k < lead; k++) buf_byte(&b, 'x');
		for (uint32_t k = 0; k < n; k++) buf_str(&b, str_of(pieces[rnd(8) ? rnd(rare) : 3]));
		if (!rnd(20)) buf_byte(&b, '\\');
		char *copy = xmalloc(b.n + 1);
		if (b.n) memcpy(copy, b.p, b.n);
		size_t wanted = json_unescape_plain((struct str){copy, b.n}, plain);
		for (int level = CPU_PLAIN; level <= (int)have; level++) {
			cpu_level_in_force = (enum cpu_level)level;
			size_t got = json_unescape((struct str){copy, b.n}, fast);
			CHECK(got == wanted && !memcmp(fast, plain, wanted));
		}
		free(copy);
	}
	buf_done(&b);
}

TEST_MAIN
