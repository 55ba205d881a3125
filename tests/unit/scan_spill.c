/* Spills: what comes out is the sorted set of what went in, whoever wrote it and however small the memory. */
#include "tests/check.h"
#include "scan/pack.h"
#include "scan/spill.h"

static struct spill_key key_of(uint64_t i)
{
	uint64_t x = i * 0x9e3779b97f4a7c15u;
	return (struct spill_key){.sec = (int64_t)(x >> 60), .order = x >> 33 & 3, .offset = i, .rank = (uint32_t)i & 7, .present = (x >> 20 & 7) != 0};
}

static void write_all(struct spill **s, unsigned writers, uint64_t n, size_t buffer)
{
	char payload[64];
	for (unsigned w = 0; w < writers; w++) s[w] = spill_new("/tmp", buffer);
	for (uint64_t i = 0; i < n; i++) {
		struct spill_key k = key_of(i);
		int length = snprintf(payload, sizeof payload, "payload %llu", (unsigned long long)i);
		/* Twelve behind each other at a writer share a part, as long as that goes. */
		char shared[40];
		int n_shared = snprintf(shared, sizeof shared, "of %llu ", (unsigned long long)(i / 64));
		NEED(spill_add(s[i * 7 % writers], &k, (struct spill_payload){{shared, (size_t)n_shared}, {payload, (size_t)length}}, i % 3 ? 1 + i / 64 : 0, NULL));
	}
}

static void read_all(struct spill **s, unsigned writers, struct buf *out)
{
	struct fault f = FAULT_INIT;
	struct spill_key k, last = {0};
	struct spill_payload payload;
	struct spill_merge *m = spill_merge_new(s, writers, &f);
	NEED(m);
	for (bool first = true; spill_merge_next(m, &k, &payload, &f); first = false) {
		CHECK(first || spill_key_cmp(&last, &k) <= 0);
		last = k;
		buf_str(out, payload.shared);
		buf_str(out, payload.own);
		buf_byte(out, '\n');
	}
	CHECK(f.kind == FAULT_NONE);
	spill_merge_free(m);
	for (unsigned w = 0; w < writers; w++) spill_free(s[w]);
}

TEST(any_memory_and_any_writers_give_the_same_order)
{
	struct spill *s[5];
	struct buf large = {0}, small = {0}, many = {0};
	write_all(s, 1, 20000, 64 << 20);
	read_all(s, 1, &large);
	write_all(s, 1, 20000, 3000); /* some 200 runs: more than one round of merging */
	read_all(s, 1, &small);
	write_all(s, 5, 20000, 50000);
	read_all(s, 5, &many);
	CHECK(large.n > 200000);
	CHECK(str_eq(buf_view(&large), buf_view(&small)));
	CHECK(str_eq(buf_view(&large), buf_view(&many)));
	buf_done(&large);
	buf_done(&small);
	buf_done(&many);
}

/* Most in order, some late by a little or much, some far ahead: as attempts that wait for their decision come. */
TEST(what_comes_late_finds_its_place)
{
	struct spill *s = spill_new("/tmp", 64 << 20);
	struct fault f = FAULT_INIT;
	struct spill_key k, last = {0};
	struct spill_payload payload;
	uint64_t n = 0;
	for (uint64_t i = 0; i < 20000; i++) {
		uint64_t x = i * 0x9e3779b97f4a7c15u >> 40;
		int64_t at = (int64_t)i - (x % 3 == 0 ? (int64_t)(x % 500) : 0) + (x % 1009 == 7 ? 100000 : 0);
		k = (struct spill_key){.sec = at, .offset = i, .present = true};
		NEED(spill_add(s, &k, (struct spill_payload){STR(""), STR("x")}, 0, &f));
	}
	struct spill_merge *m = spill_merge_new(&s, 1, &f);
	NEED(m);
	for (; spill_merge_next(m, &k, &payload, &f); n++) {
		CHECK(!n || spill_key_cmp(&last, &k) < 0);
		last = k;
	}
	CHECK(n == 20000);
	spill_merge_free(m);
	spill_free(s);
}

TEST(a_folder_that_cannot_be_written_is_a_fault)
{
	struct fault f = FAULT_INIT;
	struct spill *s = spill_new("/nonexistent/folder", 10);
	struct spill_key k = {0};
	CHECK(spill_add(s, &k, (struct spill_payload){STR("01234"), STR("56789")}, 0, &f));
	CHECK(!spill_add(s, &k, (struct spill_payload){STR("01234"), STR("56789")}, 0, &f));
	CHECK(f.kind == FAULT_IO);
	spill_free(s);
}

/* However much of its end is missing, it does not unpack, and nothing behind it is read. */
static void check_cut(struct str event, struct str packed, struct arena *a)
{
	for (size_t n = 0; n < packed.n; n++) {
		struct finding g;
		char *exact = malloc(n ? n : 1);
		memcpy(exact, packed.p, n);
		CHECK(!finding_unpack(event, (struct str){exact, n}, a, &g));
		free(exact);
	}
}

TEST(a_finding_packs_and_unpacks_whole_and_no_cut_reads_wild)
{
	struct match_detail details[] = {{STR("Image"), STR("C:\\a.exe"), STR("*\\a.exe")}, {STR(""), STR("x"), STR("y")}};
	struct named keep[] = {{STR("User"), STR("bob")}};
	struct evidence_ref evidence[] = {{.source = 3, .offset = 4608, .length = 1234, .line = 7, .role = EVIDENCE_CONTEXT, .recovered = true}};
	struct finding f = {.kind = FINDING_CORRELATION, .level = LEVEL_HIGH, .time = {5, 6, 7, true}, .rule_index = 9, .host = STR("h"), .channel = STR("c"),
		.event_id = -1, .has_record_id = true, .record_id = 77, .matched = details, .n_matched = 2, .fields_json = STR("{\"a\":1}"), .keep = keep,
		.n_keep = 1, .group = keep, .n_group = 1, .evidence = evidence, .n_evidence = 1, .count = 4, .has_root = true, .title = STR("t")};
	struct buf b = {0}, event = {0};
	struct arena a;
	struct finding g;
	arena_init(&a, 1 << 20);
	finding_pack_event(&f, &event);
	size_t whole = event.n;
	buf_str(&event, f.fields_json);
	finding_pack(&f, false, &b);
	NEED(finding_unpack(buf_view(&event), buf_view(&b), &a, &g));
	CHECK(g.kind == f.kind && g.level == f.level && g.rule_index == 9 && g.record_id == 77 && g.event_id == -1 && g.count == 4);
	CHECK(!etime_cmp(f.time, g.time) && g.time.digits == 7);
	CHECK(g.n_matched == 2 && str_eq(g.matched[0].pattern, STR("*\\a.exe")) && g.n_keep == 1 && g.n_group == 1);
	CHECK(g.n_evidence == 1 && g.evidence[0].offset == 4608 && g.evidence[0].line == 7 && g.evidence[0].recovered && g.evidence[0].role == EVIDENCE_CONTEXT);
	CHECK(str_eq(g.fields_json, STR("{\"a\":1}")) && str_eq(g.title, STR("t")));
	check_cut(buf_view(&event), buf_view(&b), &a);
	for (size_t n = 0; n < whole; n++) {
		char *exact = malloc(n ? n : 1);
		memcpy(exact, event.p, n);
		CHECK(!finding_unpack((struct str){exact, n}, buf_view(&b), &a, &g));
		free(exact);
	}
	/* Fields of its own stand for those of the event. */
	b.n = 0;
	f.fields_json = STR("{}");
	finding_pack(&f, true, &b);
	NEED(finding_unpack(buf_view(&event), buf_view(&b), &a, &g));
	CHECK(str_eq(g.fields_json, STR("{}")));
	buf_done(&event);
	buf_done(&b);
	arena_done(&a);
}

TEST(a_hit_that_only_feeds_correlations_keeps_what_those_need)
{
	struct named keep[] = {{STR("auth.user"), STR("bob")}, {{"", 0}, {"", 0}}, {STR("auth.service"), STR("")}};
	struct evidence_ref evidence[] = {{.source = 3, .offset = 4608, .length = 1234, .line = 7, .sha256 = {9}}, {.source = 3, .offset = 1, .length = 2, .role = EVIDENCE_CONTEXT, .recovered = true}};
	struct finding f = {.kind = FINDING_HIT, .rule_index = 9, .time = {5, 6, 7, true}, .host = STR("h"), .keep = keep, .n_keep = 3, .evidence = evidence, .n_evidence = 2, .login = {77, 5}}, g;
	struct buf b = {0};
	struct arena a;
	arena_init(&a, 1 << 20);
	finding_pack_feed(&f, &b);
	NEED(finding_unpack(STR(""), buf_view(&b), &a, &g));
	CHECK(g.kind == FINDING_HIT && g.rule_index == 9 && !etime_cmp(f.time, g.time) && g.time.digits == 7 && str_eq(g.host, f.host) && g.event_id == -1);
	CHECK(g.n_keep == 3 && g.keep[0].name.n && str_eq(g.keep[0].value, STR("bob")) && !g.keep[1].name.n && g.keep[2].name.n && !g.keep[2].value.n);
	CHECK(g.n_evidence == 2 && g.evidence_total == 2 && g.evidence[0].line == 7 && g.evidence[0].sha256[0] == 9 && g.evidence[1].role == EVIDENCE_CONTEXT && g.evidence[1].recovered);
	CHECK(g.login.who == 77 && g.login.service == 5);
	check_cut(STR(""), buf_view(&b), &a);
	buf_done(&b);
	arena_done(&a);
}

TEST_MAIN
