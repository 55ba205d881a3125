/* Correlation under memory limits: state stays in its budget, what is lost is counted, loud groups are still found; references:
 * contexts are cited once, roots are RFC 6962. */
#include "tests/check.h"
#include "tests/correlate_kit.h"

static struct rule_set *load(const char *correlation)
{
	struct buf b = {0};
	struct rule_set *set = rule_set_new();
	for (const char *n = "ab"; *n; n++) buf_printf(&b, "---\ntitle: %c\nname: %c\nlogsource: {product: test}\ndetection: {s: {x: 1}, condition: s}\n", *n, *n);
	buf_printf(&b, "---\ntitle: c\ncorrelation: %s\n", correlation);
	rule_set_add_text(set, buf_view(&b), STR("test"));
	rule_set_finish(set);
	CHECK(rule_set_refused_count(set) == 0);
	buf_done(&b);
	return set;
}

static void feed(struct kit *k, const char *rule, uint64_t ms, const char *group, const char *value, uint64_t record)
{
	uint32_t r = kit_rule(k->rules, str_of(rule)), n;
	const struct str *keep = correlate_keep(k->c, r, &n);
	struct str values[2];
	NEED(n <= 2);
	for (uint32_t i = 0; i < n; i++) values[i] = str_eq(keep[i], STR("g")) ? str_of(group) : value ? str_of(value) : (struct str){NULL, 0};
	struct evidence_ref e = kit_record(record);
	correlate_hit(k->c, &(struct corr_event){.rule = r, .time = etime_from_unix(KIT_BASE + (int64_t)(ms / 1000), (uint32_t)(ms % 1000) * 1000000, 3),
		.evidence = &e, .n_evidence = 1, .values = values, .n_values = n});
}

static struct corr_stats stats_of(const struct kit *k)
{
	struct corr_stats s;
	correlate_stats(k->c, &s);
	return s;
}

static bool has(const struct kit *k, const char *what) { return k->closed.n && str_find(buf_view(&k->closed), str_of(what), 0) != SIZE_MAX; }

/* 150,000 keys that never fire, in a budget for a few thousand, and one that does. */
TEST(event_count_beyond_memory_goes_on_in_sketches)
{
	struct kit k = {0};
	char key[32];
	kit_start(&k, load("{type: event_count, rules: [a], group-by: [g], timespan: 1h, condition: {gte: 8}}"), (struct correlate_options){.state_memory = 1 << 20});
	for (uint64_t i = 0; i < 150000; i++) {
		snprintf(key, sizeof key, "quiet-%llu", (unsigned long long)i);
		feed(&k, "a", i, key, NULL, i);
		if (i > 100000 && i % 500 == 0) feed(&k, "a", i, "loud", NULL, 1000000 + i);
	}
	struct corr_stats before = stats_of(&k);
	correlate_finish(k.c);
	CHECK(before.memory_peak <= 1 << 20);
	CHECK(before.sketched_events > 0);
	CHECK(before.error_count > 0);
	CHECK(has(&k, "c g=loud at="));
	CHECK(!has(&k, "quiet")); /* a sketch alone accuses nobody */
	kit_end(&k);
}

TEST(what_only_the_sketch_counted_is_said)
{
	struct kit k = {0};
	char key[32];
	kit_start(&k, load("{type: event_count, rules: [a], group-by: [g], timespan: 1h, condition: {gte: 400}}"), (struct correlate_options){.state_memory = 4 << 20});
	for (uint64_t i = 0; i < 50000; i++) {
		snprintf(key, sizeof key, "quiet-%llu", (unsigned long long)i);
		feed(&k, "a", i, key, NULL, i);
		/* Several, because one that no other key shares a place with is counted exactly from its first event on. */
		for (uint64_t n = 0; n < 8 && i >= 40000 && i % 10 == 0; n++) {
			snprintf(key, sizeof key, "loud-%llu", (unsigned long long)n);
			feed(&k, "a", i, key, NULL, 1000000 + i * 8 + n);
		}
	}
	correlate_finish(k.c);
	CHECK(has(&k, "c g=loud-"));
	CHECK(has(&k, " approximate"));
	CHECK(!has(&k, "quiet"));
	kit_end(&k);
}

TEST(value_count_beyond_memory_goes_on_in_sketches)
{
	struct kit k = {0};
	char key[32], value[32];
	kit_start(&k, load("{type: value_count, rules: [a], group-by: [g], timespan: 1h, condition: {gte: 10, field: v}}"), (struct correlate_options){.state_memory = 1 << 20});
	for (uint64_t i = 0; i < 100000; i++) {
		snprintf(key, sizeof key, "quiet-%llu", (unsigned long long)i);
		feed(&k, "a", i, key, "same", i);
		if (i < 50000 || i % 2000) continue;
		snprintf(value, sizeof value, "user-%llu", (unsigned long long)i);
		feed(&k, "a", i, "loud", value, 1000000 + i);
	}
	struct corr_stats before = stats_of(&k);
	correlate_finish(k.c);
	CHECK(before.memory_peak <= 1 << 20);
	CHECK(before.error_distinct > 0);
	CHECK(has(&k, "c g=loud at="));
	kit_end(&k);
}

TEST(other_types_evict_the_longest_silent_and_count_them)
{
	struct kit k = {0};
	char key[32];
	kit_start(&k, load("{type: temporal, rules: [a, b], group-by: [g], timespan: 1h}"), (struct correlate_options){.state_memory = 1 << 20});
	feed(&k, "a", 0, "old", NULL, 1);
	for (uint64_t i = 0; i < 100000; i++) {
		snprintf(key, sizeof key, "quiet-%llu", (unsigned long long)i);
		feed(&k, "a", i, key, NULL, 10 + i);
	}
	feed(&k, "b", 100000, "quiet-99999", NULL, 2);
	feed(&k, "b", 100000, "old", NULL, 3);
	struct corr_stats s = stats_of(&k);
	correlate_finish(k.c);
	CHECK(s.memory_peak <= 1 << 20);
	CHECK(s.evicted_groups > 50000);
	CHECK(has(&k, "c g=quiet-99999 "));
	CHECK(!has(&k, "c g=old "));
	kit_end(&k);
}

/* Groups whose window has emptied are no loss: a million keys pass through a small budget. */
TEST(keys_that_have_aged_out_make_room)
{
	struct kit k = {0};
	char key[32];
	kit_start(&k, load("{type: event_count, rules: [a], group-by: [g], timespan: 1s, condition: {gte: 3}}"), (struct correlate_options){.state_memory = 1 << 20});
	for (uint64_t i = 0; i < 200000; i++) {
		snprintf(key, sizeof key, "k%llu", (unsigned long long)i);
		feed(&k, "a", i, key, NULL, i);
	}
	struct corr_stats s = stats_of(&k);
	CHECK(s.evicted_groups == 0 && s.sketched_events == 0 && s.evicted_events == 0);
	CHECK(s.groups < 4000);
	correlate_finish(k.c);
	kit_end(&k);
}

TEST(one_group_without_end_stays_in_its_budget)
{
	struct kit k = {0};
	kit_start(&k, load("{type: value_count, rules: [a], group-by: [g], timespan: 1d, condition: {gte: 3, field: v}}"), (struct correlate_options){.state_memory = 1 << 20});
	for (uint64_t i = 0; i < 200000; i++) feed(&k, "a", i, "g", i & 1 ? "x" : "y", i);
	struct corr_stats s = stats_of(&k);
	CHECK(s.memory_peak <= 1 << 20);
	CHECK(s.evicted_events > 0);
	feed(&k, "a", 200000, "g", "z", 200000);
	correlate_finish(k.c);
	kit_end(&k);
}

TEST(findings_under_memory_pressure_still_cite_records)
{
	struct kit k = {0};
	char key[32];
	kit_start(&k, load("{type: event_count, rules: [a], group-by: [g], timespan: 1h, condition: {gte: 2}}"), (struct correlate_options){.state_memory = 1 << 20});
	for (uint64_t i = 0; i < 60000; i++) {
		snprintf(key, sizeof key, "k%llu", (unsigned long long)(i / 2));
		feed(&k, "a", i, key, NULL, i);
	}
	correlate_finish(k.c);
	CHECK(!has(&k, "cites=\n"));
	CHECK(!has(&k, "cites= "));
	uint64_t lines = 0;
	for (size_t i = 0; i < k.closed.n; i++) lines += k.closed.p[i] == '\n';
	CHECK(lines >= 30000); /* a key may be found twice where its finding was closed for memory, none is lost */
	struct corr_stats s = stats_of(&k);
	CHECK(s.memory_peak <= 1 << 20);
	kit_end(&k);
}

static struct buf seen_root;
static void keep_root(void *arg, const struct finding *f, bool final)
{
	(void)arg;
	if (final && f->has_root) buf_put(&seen_root, f->root, SHA256_SIZE);
}

static void reference(uint64_t from, uint64_t n, uint8_t ret[SHA256_SIZE])
{
	uint8_t bytes[1 + 2 * SHA256_SIZE];
	if (n == 1) {
		struct evidence_ref e = kit_record(from);
		bytes[0] = 0;
		memcpy(bytes + 1, e.sha256, SHA256_SIZE);
		sha256_of(bytes, 1 + SHA256_SIZE, ret);
		return;
	}
	uint64_t left = 1;
	while (left * 2 < n) left *= 2;
	bytes[0] = 1;
	reference(from, left, bytes + 1);
	reference(from + left, n - left, bytes + 1 + SHA256_SIZE);
	sha256_of(bytes, sizeof bytes, ret);
}

enum { MANY = 70000 /* twice what is kept in memory of the references in a file */ };
static unsigned wrong_refs;
static void check_ends(void *arg, const struct finding *f, bool final)
{
	(void)arg;
	wrong_refs += !final || f->n_evidence != CORR_CITE_ALL || f->evidence_total != MANY;
	for (uint32_t i = 0; i < f->n_evidence && f->n_evidence == CORR_CITE_ALL; i++) {
		struct evidence_ref e = kit_record(i < CORR_CITE_END ? i : MANY - CORR_CITE_ALL + i);
		wrong_refs += f->evidence[i].offset != e.offset || f->evidence[i].length != e.length || memcmp(f->evidence[i].sha256, e.sha256, SHA256_SIZE) != 0;
	}
}

TEST(references_that_left_memory_are_read_back_as_they_were)
{
	struct kit k = {0};
	struct correlate_options o = {.put = check_ends, .temp_dir = "/tmp"};
	wrong_refs = 0;
	k.rules = load("{type: event_count, rules: [a], timespan: 1h, condition: {gte: 4}}");
	k.c = correlate_new(k.rules, &o, NULL);
	for (uint64_t i = 0; i < MANY; i++) feed(&k, "a", i / 100, "", NULL, i);
	correlate_finish(k.c);
	CHECK(stats_of(&k).findings == 1);
	CHECK(wrong_refs == 0);
	kit_end(&k);
}

TEST(the_root_is_that_of_rfc_6962_over_all_records)
{
	for (uint64_t n = 1001; n < 1700; n += 97) {
		struct kit k = {0};
		uint8_t want[SHA256_SIZE];
		struct correlate_options o = {.put = keep_root, .temp_dir = n % 2 ? "/tmp" : NULL};
		k.rules = load("{type: event_count, rules: [a], timespan: 1h, condition: {gte: 4}}");
		k.c = correlate_new(k.rules, &o, NULL);
		for (uint64_t i = 0; i < n; i++) feed(&k, "a", i, "", NULL, i);
		seen_root.n = 0;
		correlate_finish(k.c);
		reference(0, n, want);
		NEED(seen_root.n == SHA256_SIZE);
		CHECK(!memcmp(seen_root.p, want, SHA256_SIZE));
		kit_end(&k);
	}
	buf_done(&seen_root);
}

static void several_references(const char *temp_dir)
{
	struct kit k = {0};
	kit_start(&k, load("{type: event_count, rules: [a], timespan: 1h, condition: {gte: 2}}"), (struct correlate_options){.temp_dir = temp_dir});
	for (uint64_t i = 0; i < 3; i++) {
		struct evidence_ref e[4] = {kit_record(10 * i), kit_record(10 * i + 1), kit_record(1000), kit_record(2000 + (i == 2))};
		e[2].role = e[3].role = EVIDENCE_CONTEXT;
		correlate_hit(k.c, &(struct corr_event){.rule = kit_rule(k.rules, STR("a")), .time = etime_from_unix(KIT_BASE + (int64_t)i, 0, 0), .evidence = e, .n_evidence = 4});
	}
	correlate_finish(k.c);
	buf_byte(&k.closed, 0);
	CHECK_STR(k.closed.p, "c at=1 count=3 from=0 to=2 cites=0,1,10,11,20,21+c1000+c2000+c2001\n");
	kit_end(&k);
}

TEST(contexts_are_cited_once_and_records_of_one_event_together)
{
	several_references(NULL);
	several_references("/tmp");
}

TEST(evidence_in_a_file_is_read_back_as_it_was)
{
	struct kit k = {0};
	kit_start(&k, load("{type: event_count, rules: [a], group-by: [g], timespan: 1d, condition: {gte: 2}}"), (struct correlate_options){.temp_dir = "/tmp"});
	for (uint64_t i = 0; i < 40000; i++) feed(&k, "a", i, i % 20000 == 7 ? "twice" : i == 30000 ? "x" : i == 39999 ? "x" : "", NULL, i);
	correlate_finish(k.c);
	CHECK(has(&k, "c g=twice at=20.007 count=2 from=0.007 to=20.007 cites=7,20007\n"));
	CHECK(has(&k, "c g=x at=39.999 count=2 from=30 to=39.999 cites=30000,39999\n"));
	kit_end(&k);
}

TEST(a_folder_that_is_not_there_is_a_fault)
{
	struct fault f = FAULT_INIT;
	struct rule_set *set = load("{type: event_count, rules: [a], timespan: 1h, condition: {gte: 2}}");
	CHECK(!correlate_new(set, &(struct correlate_options){.temp_dir = "/nowhere/at/all"}, &f));
	CHECK(f.kind == FAULT_IO);
	rule_set_free(set);
}

TEST(events_without_time_are_counted)
{
	struct kit k = {0};
	kit_start(&k, load("{type: event_count, rules: [a], timespan: 1h, condition: {gte: 1}}"), (struct correlate_options){0});
	struct evidence_ref e = kit_record(1);
	correlate_hit(k.c, &(struct corr_event){.rule = 0, .evidence = &e, .n_evidence = 1});
	correlate_hit(k.c, &(struct corr_event){.rule = 0, .time = etime_from_unix(910692730085, 0, 0), .evidence = &e, .n_evidence = 1});
	struct corr_stats s = stats_of(&k);
	CHECK(s.untimed == 2 && s.hits == 0);
	correlate_finish(k.c);
	CHECK(k.closed.n == 0);
	kit_end(&k);
}

TEST(time_that_passes_closes_findings)
{
	struct kit k = {0};
	kit_start(&k, load("{type: event_count, rules: [a], timespan: 10s, condition: {gte: 1}}"), (struct correlate_options){.announce = true});
	feed(&k, "a", 0, "", NULL, 1);
	CHECK(k.n_opened == 1 && k.closed.n == 0);
	correlate_advance(k.c, etime_from_unix(KIT_BASE + 10, 0, 0));
	CHECK(k.closed.n == 0);
	correlate_advance(k.c, etime_from_unix(KIT_BASE + 10, 1, 9));
	CHECK(k.closed.n > 0);
	kit_end(&k);
}

static void trace_into(void *arg, const struct corr_trace *t)
{
	buf_printf(&((struct kit *)arg)->opened, "%llu %g %d%d;", (unsigned long long)t->events, t->value, t->holds, t->opened);
}

TEST(trace_shows_the_window_at_each_event)
{
	struct kit k = {0};
	k.rules = load("{type: event_count, rules: [a], timespan: 10s, condition: {gte: 2}}");
	struct correlate_options o = {.trace = trace_into, .arg = &k};
	k.c = correlate_new(k.rules, &o, NULL);
	for (uint64_t ms = 0; ms <= 20000; ms += 6000) feed(&k, "a", ms, "", NULL, ms);
	buf_byte(&k.opened, 0);
	CHECK_STR(k.opened.p, "1 1 00;2 2 11;2 2 10;2 2 10;");
	kit_end(&k);
}

TEST_MAIN
