/* Any bytes as rules and hits, the detectors among them: the first byte chooses memory and options, then each few bytes are a hit: which rule, how much later
 * (or earlier), and small numbers for its values. What must hold: no finding without evidence, none cited twice, state within its budget, nothing live at the end. */
#include "base/base.h"
#include "correlate/correlate.h"
#include <stdio.h>

static const char rules_text[] =
	"title: attempts\nid: " RULE_OF_ATTEMPTS "\nname: l\nlogsource: {category: authentication}\ndetection: {s: {auth.outcome: [failure, success]}, condition: s}\n---\n"
	"title: a\nname: a\nlogsource: {product: test}\ndetection: {s: {x: 1}, condition: s}\n---\n"
	"title: b\nname: b\nlogsource: {product: test}\ndetection: {s: {x: 1}, condition: s}\n---\n"
	"title: count\nname: count\ncorrelation: {type: event_count, rules: [a], group-by: [g], timespan: 1m, condition: {gte: 3}}\n---\n"
	"title: distinct\ncorrelation: {type: value_count, rules: [a, b], group-by: [g], timespan: 5m, condition: {gte: 3, field: h}}\n---\n"
	"title: sum\ncorrelation: {type: value_sum, rules: [b], timespan: 1h, condition: {gt: 9, field: h}}\n---\n"
	"title: median\ncorrelation: {type: value_median, rules: [a], group-by: [g], timespan: 10s, condition: {gte: 2, field: h}}\n---\n"
	"title: both\ncorrelation: {type: temporal, rules: [a, b], group-by: [g], timespan: 1m}\n---\n"
	"title: order\ncorrelation: {type: temporal_ordered, rules: [count, b], group-by: [g], timespan: 1h}\n";

struct cursor_of { const uint8_t *p; size_t n; };
static uint8_t next(struct cursor_of *c)
{
	if (!c->n) return 0;
	c->n--;
	return *c->p++;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void put(void *arg, const struct finding *f, bool final)
{
	(void)arg, (void)final;
	verify(f->n_evidence > 0 && f->rule);
	if (f->rule_index < DETECTOR_RULE) return;
	uint64_t *at = xcalloc(f->n_evidence, sizeof *at);
	for (uint32_t i = 0; i < f->n_evidence; i++) at[i] = f->evidence[i].offset;
	qsort(at, f->n_evidence, sizeof *at, by_number);
	for (uint32_t i = 1; i < f->n_evidence; i++) verify(at[i - 1] < at[i]);
	free(at);
	verify(f->extra_json.n && f->n_group);
}

static void make_values(struct cursor_of *in, const struct str *keep, uint32_t n, struct str *values, char text[][48])
{
	static const char *const outcomes[] = {"failure", "failure", "failure", "success", "probe", ""};
	for (uint32_t i = 0; i < n; i++) {
		uint8_t b = next(in);
		values[i] = (struct str){text[i], 0};
		if (str_eq(keep[i], STR("auth.outcome"))) snprintf(text[i], 48, "%s", outcomes[b % COUNT(outcomes)]);
		else if (!str_eq(keep[i], STR("auth.src_ip"))) snprintf(text[i], 48, "%u", b & 15);
		else if (b & 128) snprintf(text[i], 48, "2001:db8:%x:%x::%x", b >> 6 & 1, b >> 4 & 3, b & 15);
		else snprintf(text[i], 48, b == 127 ? "none" : "%s10.%u.%u.%u", b & 64 ? "1" : "", b >> 5 & 1, b >> 3 & 3, b & 7);
		values[i].n = strlen(text[i]);
		if (b == 255) values[i].p = NULL, values[i].n = 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t steps[] = {0, 1, 5, 60, 900, 3600, 40000, 86400, 8 * 86400, 70 * 86400, -1, -3600};
	struct cursor_of in = {data, size};
	struct fault f = FAULT_INIT;
	uint8_t options = next(&in);
	struct rule_set *rules = rule_set_new();
	struct known_sources *known = known_sources_new(STR("110.0.0.0/24 ours\n"), STR("known"), &f);
	rule_set_add_text(rules, STR(rules_text), STR("fuzz.yml"));
	rule_set_finish(rules);
	struct correlate_options o = {.state_memory = options & 1 ? 1 << 20 : 8 << 20, .every = options & 2, .announce = options & 4, .detectors = true,
		.lateness_ns = options & 8 ? 10000000000 : 0, .known_sources = options & 16 ? known : NULL, .put = put};
	struct correlate *c = correlate_new(rules, &o, &f);
	verify(c);
	int64_t now = 1700000000;
	for (uint64_t record = 1; in.n; record++) {
		uint8_t what = next(&in);
		uint32_t rule = what & 128 ? what % 3 : 0, n, copies = what & 64 ? 1 + (what & 31u) : 1;
		const struct str *keep = correlate_keep(c, rule, &n);
		struct str values[16];
		char text[16][48];
		verify(n <= 16);
		now += steps[next(&in) % COUNT(steps)];
		make_values(&in, keep, n, values, text);
		for (uint32_t i = 0; i < copies; i++) {
			struct evidence_ref e = {.offset = record * 32 + i, .length = 1};
			correlate_hit(c, &(struct corr_event){.rule = rule, .time = etime_from_unix(now + i, 0, 0), .evidence = &e, .n_evidence = 1, .values = values, .n_values = n});
		}
		now += copies - 1;
		if (now > 4000000000) now = 1700000000;
	}
	struct corr_stats stats;
	correlate_stats(c, &stats);
	verify(stats.memory_peak <= o.state_memory);
	correlate_finish(c);
	correlate_stats(c, &stats);
	verify(stats.groups == 0);
	correlate_free(c);
	rule_set_free(rules);
	known_sources_free(known);
	return 0;
}
