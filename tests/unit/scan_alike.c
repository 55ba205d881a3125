/* Numbers of events that share shape and host: what is added up by them is what is added up by names. */
#include "event/event.h"
#include "scan/coverage.h"
#include "scan/skew.h"
#include "tests/check.h"

static const struct column security_columns[] = {{.name = {"Computer", 8}, .next = -1}, {.name = {"NewProcessId", 12}, .next = -1}, {.name = {"NewProcessName", 14}, .next = -1}};
static const struct column sysmon_columns[] = {{.name = {"Computer", 8}, .next = -1}, {.name = {"ProcessId", 9}, .next = -1}, {.name = {"Image", 5}, .next = -1},
	{.name = {"UtcTime", 7}, .next = -1}};

static const struct shape *add_shape(struct shape_table *t, const char *key, const char *channel, int64_t event_id, const struct column *columns, uint32_t n)
{
	const struct shape spec = {.n_columns = n, .columns = columns, .format = STR("evtx"), .channel = str_of(channel), .event_id = event_id, .host_column = 0};
	return shape_table_add(t, str_of(key), &spec);
}

TEST(a_number_is_of_one_shape_and_one_host)
{
	struct shape_table *t = shape_table_new(NULL, 1 << 20);
	const struct shape *a = add_shape(t, "a", "Security", 4688, security_columns, COUNT(security_columns));
	const struct shape *b = add_shape(t, "b", "Security", 4689, security_columns, COUNT(security_columns));
	NEED(a && b);
	static const char *const hosts[] = {"", "a", "b", "ab", "server.example.org"};
	uint32_t numbers[2 * COUNT(hosts)];
	for (size_t i = 0; i < COUNT(numbers); i++) {
		numbers[i] = shape_table_alike(t, i % 2 ? a : b, str_of(hosts[i / 2]));
		CHECK(numbers[i]);
		for (size_t k = 0; k < i; k++) CHECK(numbers[k] != numbers[i]);
	}
	for (size_t i = 0; i < COUNT(numbers); i++) CHECK(shape_table_alike(t, i % 2 ? a : b, str_of(hosts[i / 2])) == numbers[i]);
	/* None for what is in no table, and never more than there is room for. */
	struct shape own = *a;
	own.id = UINT32_MAX;
	CHECK(!shape_table_alike(t, &own, STR("a")));
	uint32_t without = 0;
	for (int i = 0; i < 20000; i++) {
		char name[16];
		int n = snprintf(name, sizeof name, "host%d", i);
		without += !shape_table_alike(t, a, (struct str){name, (size_t)n});
	}
	CHECK(without > 5000 && without < 20000);
	CHECK(shape_table_alike(t, a, STR("a")) == numbers[3]);
	shape_table_free(t);
}

TEST(coverage_by_numbers_is_coverage_by_names)
{
	struct coverage_table named = {0}, numbered = {0};
	static const char *const logs[] = {"Security", "System"}, *const hosts[] = {"a", "b", ""};
	uint32_t state = 1;
	for (int i = 0; i < 5000; i++) {
		state = state * 1664525 + 1013904223;
		uint32_t log = state >> 24 & 1, host = state >> 16 & 0xff, alike = 1 + log * 3 + host % 3;
		struct etime time = state >> 8 & 15 ? etime_from_unix(1600000000 + (int64_t)(state >> 4) % 90 * 86400, 0, 0) : (struct etime){0};
		const void *shape = &logs[log];
		coverage_add(&named, shape, str_of(logs[log]), str_of(hosts[host % 3]), time);
		if (!coverage_add_known(&numbered, alike, time)) coverage_add_alike(&numbered, alike, shape, str_of(logs[log]), str_of(hosts[host % 3]), time);
		if (state & 1) coverage_no_rule(&named), coverage_no_rule(&numbered);
		if (i == 2500) { /* a number means nothing in a table that was emptied */
			coverage_clear(&named);
			coverage_clear(&numbered);
			CHECK(!coverage_add_known(&numbered, alike, time));
		}
	}
	coverage_sort(&named);
	coverage_sort(&numbered);
	NEED(named.rows.n == 6 && numbered.rows.n == 6);
	for (size_t i = 0; i < named.rows.n; i++) {
		const struct coverage_row *a = &named.rows.v[i], *b = &numbered.rows.v[i];
		CHECK(str_eq(a->host, b->host) && str_eq(a->log, b->log));
		CHECK(a->events == b->events && a->undated == b->undated && a->no_rule == b->no_rule && a->events > 100);
		CHECK(!etime_cmp(a->first, b->first) && !etime_cmp(a->last, b->last));
		NEED(a->days.n == b->days.n);
		for (size_t d = 0; d < a->days.n; d++) CHECK(a->days.v[d].day == b->days.v[d].day && a->days.v[d].n == b->days.v[d].n);
	}
	coverage_done(&named);
	coverage_done(&numbered);
}

/* The start of process i in one of two logs of a host, an hour apart. */
static void add_start(struct skew_table *t, const struct shape *s, uint32_t alike, const char *host, int i, int64_t late)
{
	struct arena arena;
	char image[32], utc[ETIME_MAX];
	struct etime time = etime_from_unix(1600000000 + i * 61 + late, 0, 0);
	struct value cells[4] = {value_str(str_of(host)), value_uint(4000 + (uint64_t)i * 4), value_str((struct str){image, (size_t)snprintf(image, sizeof image, "C:\\x%d.exe", i)}),
		value_str((struct str){utc, etime_print(etime_from_unix(1600000000 + i * 61, 0, 0), 3, utc)})};
	struct record_ref record = {.offset = (uint64_t)i * 1000, .length = 100};
	struct event ev = {.shape = s, .cells = cells, .arena = &arena, .time = time, .records = &record, .n_records = 1, .alike = alike};
	arena_init(&arena, 1 << 20);
	skew_event(t, &ev, 1);
	arena_done(&arena);
}

TEST(clocks_by_numbers_are_clocks_by_names)
{
	struct shape_table *shapes = shape_table_new(NULL, 1 << 20);
	const struct shape *security = add_shape(shapes, "a", "Security", 4688, security_columns, COUNT(security_columns));
	const struct shape *sysmon = add_shape(shapes, "b", "Microsoft-Windows-Sysmon/Operational", 1, sysmon_columns, COUNT(sysmon_columns));
	NEED(security && sysmon);
	struct skew *results[2];
	uint32_t n[2];
	struct skew_table *all[2];
	for (uint32_t numbered = 0; numbered < 2; numbered++) {
		struct skew_table *t = skew_table_new();
		for (int i = 0; i < 200; i++) {
			const char *host = i % 2 ? "one" : "two";
			add_start(t, security, numbered ? shape_table_alike(shapes, security, str_of(host)) : 0, host, i, 3600);
			add_start(t, sysmon, numbered ? shape_table_alike(shapes, sysmon, str_of(host)) : 0, host, i, 0);
		}
		all[numbered] = skew_table_new();
		skew_merge(all[numbered], t);
		skew_table_free(t);
		results[numbered] = skew_results(all[numbered], &n[numbered]);
	}
	NEED(n[0] == 2 && n[1] == 2);
	for (uint32_t i = 0; i < 2; i++) {
		/* Every start was counted, the last too. */
		CHECK(results[0][i].n == 100 && results[1][i].n == 100 && results[0][i].agree == 100);
		CHECK(results[0][i].seconds == results[1][i].seconds && (results[0][i].seconds == 3600 || results[0][i].seconds == -3600));
		CHECK(str_eq(results[0][i].host, results[1][i].host) && str_eq(results[0][i].log, results[1][i].log));
	}
	for (uint32_t i = 0; i < 2; i++) {
		free(results[i]);
		skew_table_free(all[i]);
	}
	shape_table_free(shapes);
}

TEST_MAIN
