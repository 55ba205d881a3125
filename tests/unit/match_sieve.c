/* The sieve: never no where a literal stands, on every level; and no where nothing of it does. */
#include "match/sieve_internal.h"
#include "tests/check.h"
#include "text/utf.h"

enum { TEXT = 400, LEVELS = 4 };
static const char *const words[] = {"mimikatz", "sekurlsa::logonpasswords", "lsadump", "kerberos::golden", "/etc/ld.so.preload", "no aaa new", "set", "x\\y show",
	"caf\xc3\xa9 noir", "a.b", "hklm\\system", "powershell -enc", "\"quote\" mail", "s", "11", "whoami /all", "-nop -w hidden and a literal that is much longer than any vector of sixty-four bytes is wide"};

struct sieves { struct arena a; struct guess *guess; const struct sieve *v[LEVELS]; };

static void sieves_new(struct sieves *s, const char *const *texts, uint32_t n)
{
	struct scan_literal literals[300];
	arena_init(&s->a, 1 << 20);
	s->guess = guess_new();
	NEED(n <= COUNT(literals));
	for (uint32_t i = 0; i < n; i++) literals[i] = (struct scan_literal){str_of(texts[i]), i, LITERAL_CONTAINS};
	for (int level = 0; level < LEVELS; level++) s->v[level] = sieve_new(&s->a, literals, n, s->guess, (enum scan_engine)level);
}

static void sieves_done(struct sieves *s)
{
	arena_done(&s->a);
	guess_free(s->guess);
}

/* A copy of exactly the text's size, so that a sanitizer sees what is read beyond. */
static void check_all(const struct sieves *s, const char *text, size_t n, bool wanted)
{
	char *copy = malloc(n ? n : 1);
	memcpy(copy, text, n);
	for (int level = 0; level < LEVELS; level++) {
		bool got = sieve_may_have(s->v[level], (struct str){copy, n});
		if (got == wanted) continue;
		printf("# level %d, %zu bytes: %.*s\n", level, n, (int)n, text);
		CHECK(got == wanted);
	}
	free(copy);
}

TEST(a_literal_is_seen_wherever_it_stands)
{
	for (uint32_t w = 0; w < COUNT(words); w++) {
		struct sieves s;
		size_t n = strlen(words[w]);
		sieves_new(&s, &words[w], 1);
		if (n < 3) {
			CHECK(!s.v[0]);
			sieves_done(&s);
			continue;
		}
		NEED(s.v[0] && s.v[1] && s.v[2] && s.v[3]);
		for (size_t total = n; total < n + 150; total++) {
			for (size_t at = 0; at + n <= total; at += total < n + 70 ? 1 : 13) {
				char text[TEXT];
				memset(text, '~', total);
				check_all(&s, text, total, false);
				for (size_t i = 0; i < n; i++) text[at + i] = i % 2 && words[w][i] >= 'a' && words[w][i] <= 'z' ? words[w][i] - 32 : words[w][i];
				check_all(&s, text, total, true);
			}
		}
		sieves_done(&s);
	}
}

TEST(many_literals_of_both_widths)
{
	char texts[200][16];
	const char *pointers[200];
	struct sieves s;
	for (unsigned i = 0; i < COUNT(texts); i++) {
		snprintf(texts[i], sizeof texts[i], i % 9 ? "word%u-%c" : "%c%c%c", i % 9 ? i * 7919 % 1000 : 'a' + i % 26, 'b' + i % 23, 'g' + i / 13);
		pointers[i] = texts[i];
	}
	sieves_new(&s, pointers, COUNT(texts));
	NEED(s.v[0] && s.v[3]);
	for (unsigned i = 0; i < COUNT(texts); i++) {
		char text[200];
		for (int before = 0; before < 80; before += 3) {
			int n = snprintf(text, sizeof text, "%.*s%s%.*s", before, "................................................................................", texts[i], 80 - before,
				"................................................................................");
			check_all(&s, text, (size_t)n, true);
		}
	}
	char nothing[] = "2021-03-04 05:06:07 {00000000-1111-2222-3333-444444444444} 10.20.30.40 +++ nothing of any of them is in here, is it? Nothing.";
	check_all(&s, nothing, sizeof nothing - 1, false);
	sieves_done(&s);
}

TEST(letters_in_disguise_are_never_overlooked)
{
	struct sieves s;
	uint32_t found = 0;
	sieves_new(&s, &words[0], 1);
	for (uint32_t c = 0x80; c < 0x110000; c++) {
		char text[100], form[4];
		if (utf_fold_cp(c) >= 0x80) continue;
		found++;
		unsigned n = utf8_put(c, form);
		for (size_t at = 0; at < 90; at++) {
			memset(text, '.', sizeof text);
			memcpy(text + at, form, n);
			check_all(&s, text, sizeof text, true);
		}
		check_all(&s, form, n, true);
	}
	CHECK(found == 3);
	const char *others = "na\xc3\xafve \xd0\x9f\xd1\x80\xd0\xb8 \xe2\x84\xa2 \xc5\xbe\xc4\xb1";
	check_all(&s, others, strlen(others), false);
	sieves_done(&s);
}

TEST(what_tells)
{
	struct sieves s;
	static const char *const silent[] = {"set", "0xdeadbeef"}, *const telling[] = {"mimikatz", "ab0 user"};
	sieves_new(&s, silent, 2);
	NEED(s.v[0]);
	CHECK(!sieve_tells(s.v[0]));
	sieves_done(&s);
	sieves_new(&s, telling, 2);
	NEED(s.v[0]);
	CHECK(sieve_tells(s.v[0]));
	sieves_done(&s);
}

/* Texts are looked through in parts: a literal may lie across their bounds. */
TEST(a_literal_across_the_parts_of_a_long_text)
{
	struct sieves s;
	enum { LONG = 3000 };
	char *text = malloc(LONG);
	sieves_new(&s, words, 2);
	for (size_t total = 1000; total < LONG; total += total < 1100 ? 1 : 53) {
		memset(text, '~', total);
		check_all(&s, text, total, false);
		for (size_t at = total - 120; at + 8 <= total; at += 7) {
			memset(text, '~', total);
			memcpy(text + at, words[0], 8);
			check_all(&s, text, total, true);
		}
		for (size_t at = 990; at < 1060 && at + 8 <= total; at++) {
			memset(text, '~', total);
			memcpy(text + at, words[0], 8);
			check_all(&s, text, total, true);
		}
	}
	free(text);
	sieves_done(&s);
}

TEST_MAIN
