/* Edges of literals: never no where a literal is found, whatever stands around it and however it is written; and no where nothing begins or ends like one. */
#include "match/scanner_internal.h"
#include "tests/check.h"
#include "text/utf.h"

static const char *const words[] = {"127.0.0.1", "::1", "$", "pam_unix(sshd:session): session ", "k", "ss", "\xc3\xa9t\xc3\xa9", "i\xc3\xa9", "caf\xc3\xa9", "\\cmd.exe", "a", "z9"};
static const char *const texts[] = {"", "127.0.0.1", "127.0.0.2", "1.2.3.1", "machine$", "PAM_UNIX(sshd:session): session opened", "\xe2\x84\xaa" /* Kelvin */, "mar\xe2\x84\xaa", "\xc5\xbf\xc5\xbf" /* long s */,
	"\xc3\x89T\xc3\x89", "I\xc3\x89", "CAF\xc3\x89", "C:\\Windows\\CMD.EXE", "A", "Z9", "z", "9", "\xff", "a\xff", "\xc3", "k\xc3", "\xc4\xb0", "q", "\x80$", "$\x80"};

/* What the scanner says of the folded text. */
static bool is_found(struct str literal, enum literal_kind kind, struct str text)
{
	char *folded = xmalloc(UTF8_FOLD_ROOM(text.n));
	struct arena a;
	struct guess *guess = guess_new();
	uint32_t seen[1] = {0}, found[1];
	arena_init(&a, 1 << 20);
	struct scan_literal l = {literal, 0, kind};
	const struct scanner *s = scanner_new(&a, &l, 1, guess, ENGINE_PLAIN);
	struct scan_marks marks = {seen, 1, found, 0};
	NEED(s);
	scanner_run(s, (struct str){folded, utf8_fold(text, folded)}, &marks);
	arena_done(&a);
	guess_free(guess);
	free(folded);
	return marks.n_found;
}

TEST(what_is_found_is_not_ruled_out)
{
	static const enum literal_kind kinds[] = {LITERAL_EXACT, LITERAL_PREFIX, LITERAL_SUFFIX, LITERAL_CONTAINS};
	unsigned found = 0, ruled_out = 0;
	for (size_t w = 0; w < COUNT(words); w++)
		for (size_t k = 0; k < COUNT(kinds); k++)
			for (size_t t = 0; t < COUNT(texts) + COUNT(words); t++) {
				struct edges e = {.anywhere = false};
				struct str text = str_of(t < COUNT(texts) ? texts[t] : words[t - COUNT(texts)]);
				edges_add(&e, kinds[k], str_of(words[w]));
				bool is = is_found(str_of(words[w]), kinds[k], text), may = edges_may_have(&e, text);
				CHECK(may || !is);
				if (is && !may) printf("# '%s' kind %d in '%.*s'\n", words[w], (int)kinds[k], STR_FMT(text));
				found += is;
				ruled_out += !may;
			}
	CHECK(found > 60 && ruled_out > 500);
}

TEST(edges_of_many_tell_of_each)
{
	struct edges e = {.anywhere = false};
	edges_add(&e, LITERAL_EXACT, STR("127.0.0.1"));
	edges_add(&e, LITERAL_PREFIX, STR("pam_"));
	edges_add(&e, LITERAL_SUFFIX, STR("$"));
	CHECK(edges_may_have(&e, STR("127.0.0.1")) && edges_may_have(&e, STR("PAM_x")) && edges_may_have(&e, STR("x$")));
	CHECK(!edges_may_have(&e, STR("Failed password")) && !edges_may_have(&e, STR("203.0.113.9")) && !edges_may_have(&e, STR("")));
	edges_add(&e, LITERAL_CONTAINS, STR("x"));
	CHECK(edges_may_have(&e, STR("Failed password")));
}
TEST_MAIN
