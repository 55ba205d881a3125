/* The table of outcomes: what it gives is what was kept for exactly these bytes, in bounded memory, and events that never come again are soon not looked for. */
#include "match/recall_internal.h"
#include "tests/check.h"

/* Stand for programs and for the functions of readers. */
static const char programs[4], readers[2];

struct key { struct buf bytes; uint64_t hash; };

/* A key of n bytes that differ by number; of each number another one. */
static void make_key(struct key *k, const void *program, uint32_t number, size_t n)
{
	k->bytes.n = 0;
	for (size_t i = 0; i < n; i++) buf_byte(&k->bytes, (char)((number >> i % 4 * 8) + 31 * i));
	k->hash = recall_hash(program, &k->bytes);
}

static const struct recall_entry *find(struct recall *r, const void *program, const void *reader, const struct key *k)
{
	struct recall_gauge unheeded = {0};
	bool maybe = recall_prepare(r, k->hash, k->bytes.n);
	const struct recall_entry *e = recall_find(r, &unheeded, program, reader, buf_view(&k->bytes), k->hash);
	CHECK(maybe || !e);
	return e;
}

/* Keeps n outcomes that say `number`. */
static void keep(struct recall *r, const void *program, const void *reader, const struct key *k, uint32_t number, uint32_t n)
{
	struct outcome outcomes[RECALL_MOST_OUTCOMES + 1] = {0};
	for (uint32_t i = 0; i < n; i++) outcomes[i] = (struct outcome){number, (int32_t)i - 1, i & 1};
	struct recall_entry head = {.program = program, .ops = reader, .holding = number, .n_outcomes = n};
	recall_keep(r, k->hash, &head, outcomes, buf_view(&k->bytes));
}

static bool says(const struct recall_entry *e, uint32_t number, uint32_t n)
{
	if (!e || e->holding != number || e->n_outcomes != n) return false;
	for (uint32_t i = 0; i < n; i++) {
		struct outcome o = recall_outcomes(e)[i];
		if (o.rule != number || o.binding != (int32_t)i - 1 || o.verdict != (i & 1)) return false;
	}
	return true;
}

TEST(equal_bytes_are_recalled)
{
	struct recall *r = recall_new();
	struct key k = {0};
	static const size_t lengths[] = {0, 1, 31, 32, 33, 200, 224, 256, 480, 512, 1000, 4000, 16000};
	for (uint32_t i = 0; i < COUNT(lengths); i++) {
		uint32_t n = i % 5;
		make_key(&k, &programs[0], i, lengths[i]);
		CHECK(!find(r, &programs[0], &readers[0], &k));
		keep(r, &programs[0], &readers[0], &k, i, n);
		CHECK(says(find(r, &programs[0], &readers[0], &k), i, n));
	}
	/* Those kept before are still there, and what stands behind a key in memory does not matter. */
	for (uint32_t i = 0; i < COUNT(lengths); i++) {
		make_key(&k, &programs[0], 77, 16100);
		make_key(&k, &programs[0], i, lengths[i]);
		CHECK(says(find(r, &programs[0], &readers[0], &k), i, i % 5));
	}
	buf_done(&k.bytes);
	recall_free(r);
}

TEST(one_byte_differing_is_not_recalled)
{
	struct recall *r = recall_new();
	struct key k = {0};
	make_key(&k, &programs[0], 1, 300);
	keep(r, &programs[0], &readers[0], &k, 1, 2);
	uint64_t hash = k.hash;
	for (size_t i = 0; i < k.bytes.n; i++) {
		k.bytes.p[i] ^= 1;
		k.hash = recall_hash(&programs[0], &k.bytes);
		CHECK(k.hash != hash);
		CHECK(!find(r, &programs[0], &readers[0], &k));
		/* Nor where hashes collide. */
		k.hash = hash;
		CHECK(!find(r, &programs[0], &readers[0], &k));
		k.bytes.p[i] ^= 1;
	}
	k.hash = hash;
	k.bytes.n--;
	CHECK(!find(r, &programs[0], &readers[0], &k));
	k.bytes.n++;
	CHECK(!find(r, &programs[1], &readers[0], &k));
	CHECK(!find(r, &programs[0], &readers[1], &k));
	CHECK(says(find(r, &programs[0], &readers[0], &k), 1, 2));
	buf_done(&k.bytes);
	recall_free(r);
}

/* Of many programs nothing is asked of a kind of event: they do not stand in each other's way. */
TEST(keys_without_bytes)
{
	enum { PROGRAMS = 1000 };
	static const struct { _Alignas(64) char x[64]; } many[PROGRAMS];
	struct recall *r = recall_new();
	struct key k = {0};
	uint32_t there = 0;
	for (uint32_t i = 0; i < PROGRAMS; i++) {
		make_key(&k, &many[i], 0, 0);
		CHECK(!find(r, &many[i], &readers[0], &k));
		keep(r, &many[i], &readers[0], &k, i, i % 3);
	}
	for (uint32_t i = 0; i < PROGRAMS; i++) {
		make_key(&k, &many[i], 0, 0);
		const struct recall_entry *e = find(r, &many[i], &readers[0], &k);
		CHECK(!e || says(e, i, i % 3));
		there += e != NULL;
	}
	CHECK(there > PROGRAMS / 100 * 99);
	buf_done(&k.bytes);
	recall_free(r);
}

TEST(zeros_at_the_end_are_part_of_the_key)
{
	struct recall *r = recall_new();
	struct key k = {0};
	for (size_t n = 1; n < 70; n++) {
		k.bytes.n = 0;
		for (size_t i = 0; i < n; i++) buf_byte(&k.bytes, 0);
		k.hash = recall_hash(&programs[0], &k.bytes);
		CHECK(!find(r, &programs[0], &readers[0], &k));
		keep(r, &programs[0], &readers[0], &k, (uint32_t)n, 0);
		CHECK(says(find(r, &programs[0], &readers[0], &k), (uint32_t)n, 0));
	}
	buf_done(&k.bytes);
	recall_free(r);
}

TEST(what_is_too_large_is_not_kept)
{
	struct recall *r = recall_new();
	struct key k = {0};
	make_key(&k, &programs[0], 1, RECALL_LONGEST);
	keep(r, &programs[0], &readers[0], &k, 1, 0);
	CHECK(!find(r, &programs[0], &readers[0], &k));
	make_key(&k, &programs[0], 2, 100);
	keep(r, &programs[0], &readers[0], &k, 2, RECALL_MOST_OUTCOMES + 1);
	CHECK(!find(r, &programs[0], &readers[0], &k));
	/* Outcomes that make a larger place necessary than the key alone. */
	for (uint32_t n = 0; n <= RECALL_MOST_OUTCOMES; n++) {
		make_key(&k, &programs[0], 3 + n, 200);
		keep(r, &programs[0], &readers[0], &k, 3 + n, n);
		CHECK(says(find(r, &programs[0], &readers[0], &k), 3 + n, n));
	}
	buf_done(&k.bytes);
	recall_free(r);
}

/* Far more keys than there are places, of every length: never a wrong answer, never more than the places hold, and those asked for all the time stay. */
TEST(many_keys)
{
	enum { KEYS = 60000, OFTEN = 64 };
	struct recall *r = recall_new();
	struct key k = {0};
	uint32_t there = 0, often = 0, asked = 0;
	size_t bytes = 0;
	for (uint32_t i = 0; i < KEYS; i++) {
		size_t n = 20 + i % 7 * i % 997;
		make_key(&k, &programs[i % 3], i, n);
		CHECK(!find(r, &programs[i % 3], &readers[0], &k));
		keep(r, &programs[i % 3], &readers[0], &k, i, i % 4);
		CHECK(says(find(r, &programs[i % 3], &readers[0], &k), i, i % 4));
		if (i < OFTEN || i % 16) continue;
		for (uint32_t j = 0; j < OFTEN; j++) {
			make_key(&k, &programs[j % 3], j, 20 + j % 7 * j % 997);
			const struct recall_entry *e = find(r, &programs[j % 3], &readers[0], &k);
			CHECK(!e || says(e, j, j % 4));
			asked++;
			often += e != NULL;
		}
	}
	for (uint32_t i = 0; i < KEYS; i++) {
		size_t n = 20 + i % 7 * i % 997;
		make_key(&k, &programs[i % 3], i, n);
		const struct recall_entry *e = find(r, &programs[i % 3], &readers[0], &k);
		CHECK(!e || says(e, i, i % 4));
		there += e != NULL;
		if (e) bytes += n;
	}
	CHECK(often > asked / 100 * 99);
	CHECK(there > 10000 && there < KEYS / 4 * 3);
	CHECK(bytes <= RECALL_BYTES);
	buf_done(&k.bytes);
	recall_free(r);
}

/* --- when a program's events are looked for --- */

/* What the matcher does with an event. Returns whether it was recalled. */
static bool meet(struct recall *r, struct recall_gauge *g, uint32_t number, uint64_t feature, uint32_t *looked)
{
	static struct key k;
	if (!recall_wanted(g, feature)) return false;
	++*looked;
	make_key(&k, &programs[0], number, 100);
	if (recall_find(r, g, &programs[0], &readers[0], buf_view(&k.bytes), k.hash)) return true;
	keep(r, &programs[0], &readers[0], &k, number, 1);
	return false;
}

TEST(what_never_comes_again_is_not_looked_for)
{
	struct recall *r = recall_new();
	struct recall_gauge g = {0};
	uint32_t looked = 0;
	for (uint32_t i = 0; i < 100000; i++) CHECK(!meet(r, &g, i, i % 1000 * 8, &looked));
	CHECK(looked > 256 && looked < 100000 / 20);
	recall_free(r);
}

TEST(what_comes_again_is_looked_for)
{
	struct recall *r = recall_new();
	struct recall_gauge g = {0};
	uint32_t looked = 0, recalled = 0;
	for (uint32_t i = 0; i < 10000; i++) recalled += meet(r, &g, i % 200, i % 200, &looked);
	CHECK(looked == 10000 && recalled == 10000 - 200);
	recall_free(r);
}

/* A log that repeats itself only after more events than are looked for at first; its events differ in few lengths or in many. */
TEST(what_comes_again_late_is_found_out)
{
	for (uint32_t lengths = 1; lengths <= 256; lengths *= 4) {
		struct recall *r = recall_new();
		struct recall_gauge g = {0};
		uint32_t looked = 0, late = 0;
		for (uint32_t i = 0; i < 400000; i++) {
			bool again = meet(r, &g, i % 3000, 500 + i % 3000 % lengths * 8, &looked);
			late += again && i >= 300000;
		}
		CHECK(late > 90000);
		recall_free(r);
	}
}

TEST_MAIN
