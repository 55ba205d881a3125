/* The memo: what it gives is what was kept, and texts that never come again are soon not looked for. */
#include "match/memo_internal.h"
#include "tests/check.h"
#include "text/utf.h"

/* Stand for scanners, which lie apart as allocations do. */
static const struct { _Alignas(64) char x[64]; } scanners[4];

static const struct memo_entry *ask(struct memo *m, const void *scanner, const char *text)
{
	uint64_t hash;
	char folded[600 + UTF_SLACK] = {0};
	struct str s = str_of(text);
	uint32_t found[] = {(uint32_t)s.n, (uint32_t)(uint8_t)text[0]};
	const struct memo_entry *e = memo_find(m, scanner, s, &hash);
	if (!e && hash) {
		memcpy(folded, text, s.n);
		memo_keep(m, scanner, s, hash, (struct str){folded, s.n}, found, 2);
	}
	return e;
}

TEST(an_entry_is_that_of_its_scanner_and_text)
{
	struct memo *m = memo_new(false);
	uint64_t seen = 0;
	for (int round = 0; round < 60; round++) {
		for (int i = 0; i < 500; i++) {
			char text[64];
			snprintf(text, sizeof text, "C:\\Windows\\System32\\program%d.exe", i % 97 * 31);
			const struct memo_entry *e = ask(m, &scanners[i % 3], text);
			seen += e != NULL;
			if (!e) continue;
			CHECK(e->scanner == &scanners[i % 3] && str_eq((struct str){e->text, e->n}, str_of(text)));
			CHECK(e->n_found == 2 && e->found[0] == e->n && e->serial);
		}
		memo_event(m);
	}
	CHECK(seen > 60 * 500 / 2);
	memo_free(m);
}

TEST(what_never_comes_again_is_not_looked_for)
{
	struct memo *m = memo_new(false);
	uint64_t hash;
	unsigned asked = 0, again = 0;
	for (int i = 0; i < 50000; i++) {
		char text[64];
		snprintf(text, sizeof text, "never twice %d", i);
		/* A first look leaves its hash behind: a second one at once is told to keep the text, unless nothing is looked for. */
		CHECK(!memo_find(m, &scanners[0], str_of(text), &hash));
		CHECK(!memo_find(m, &scanners[0], str_of(text), &hash));
		asked += hash != 0;
		memo_event(m);
	}
	CHECK(asked > 1000 && asked < 50000 / 3);
	/* Texts that do come again are found after a while. */
	for (int i = 0; i < 20000; i++) again += ask(m, &scanners[0], i % 2 ? "one" : "the other") != NULL;
	CHECK(again > 10000);
	memo_free(m);
}

TEST(verdicts_are_those_of_their_entry_and_test)
{
	struct memo *m = memo_new(false);
	enum verdict v;
	uint64_t wrong = 0, known = 0;
	for (uint64_t serial = 1; serial < 300; serial++)
		for (uint32_t test = 0; test < 300; test += 7) memo_keep_verdict(m, serial << 20 | serial, test + (1u << MEMO_TEST_BITS) - 301, (enum verdict)((serial + test) % 3));
	for (uint64_t serial = 1; serial < 300; serial++)
		for (uint32_t test = 0; test < 300; test += 7) {
			if (!memo_verdict(m, serial << 20 | serial, test + (1u << MEMO_TEST_BITS) - 301, &v)) continue;
			known++;
			wrong += v != (enum verdict)((serial + test) % 3);
		}
	CHECK(known > 5000 && !wrong);
	CHECK(!memo_verdict(m, 1, 1, &v));
	memo_free(m);
}

TEST(a_full_memory_begins_anew)
{
	struct memo *m = memo_new(false);
	for (int round = 0; round < 4; round++) {
		char text[400];
		memset(text, 'x', sizeof text);
		for (int i = 0; i < 8000; i++) {
			snprintf(text, sizeof text, "%0*d", 390, i);
			ask(m, &scanners[1], text);
			ask(m, &scanners[1], text);
			const struct memo_entry *e = ask(m, &scanners[1], text);
			if (e) CHECK(str_eq((struct str){e->text, e->n}, str_of(text)));
			memo_event(m);
		}
	}
	memo_free(m);
	m = memo_new(true);
	for (int i = 0; i < 10; i++) CHECK(!ask(m, &scanners[0], "same"));
	memo_free(m);
}

TEST_MAIN
