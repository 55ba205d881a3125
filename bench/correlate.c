/* Correlation speed: hits a second with a million live keys, one thread, CPU time; memory as the correlator counts it and as the
 * system does. usage: bench_correlate [keys] [hits] [rounds] */
#include "correlate/correlate.h"
#include "base/base.h"
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static uint64_t seed = 88172645463325252u;
static uint64_t roll(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static double cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t findings;
static void count(void *arg, const struct finding *f, bool final)
{
	(void)arg;
	(void)f;
	findings += final;
}

static const char rules_text[] =
	"title: a\nname: a\nlogsource: {product: test}\ndetection: {s: {x: 1}, condition: s}\n"
	"---\ntitle: c\ncorrelation: ";

struct keys { char (*text)[16]; uint8_t *n; uint32_t count; };

static struct keys make_keys(uint32_t n)
{
	struct keys k = {xcalloc(n, 16), xcalloc(n, 1), n};
	for (uint32_t i = 0; i < n; i++) {
		uint32_t a = i * 2654435761u;
		k.n[i] = (uint8_t)snprintf(k.text[i], 16, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
	}
	return k;
}

/* The cost of making the events alone: taken off. */
static double feed(struct correlate *c, uint32_t rule, const struct keys *keys, uint64_t hits, bool skewed)
{
	uint32_t n_keep = 0;
	const struct str *keep = c ? correlate_keep(c, rule, &n_keep) : NULL;
	struct evidence_ref e = {.length = 100};
	volatile uint64_t sink = 0;
	double before = cpu();
	for (uint64_t i = 0; i < hits; i++) {
		uint64_t r = roll();
		uint32_t key = (uint32_t)((r >> 32) % keys->count);
		if (skewed && r % 8) key = (uint32_t)((r >> 16) % 64);
		struct str group = {keys->text[key], keys->n[key]}, user = {keys->text[(r >> 12) % 50000], keys->n[(r >> 12) % 50000]}, values[2];
		for (uint32_t v = 0; v < n_keep; v++) values[v] = str_eq(keep[v], STR("ip")) ? group : user;
		e.offset = i * 100;
		e.line = (uint32_t)i;
		memcpy(e.sha256, &r, sizeof r);
		struct corr_event event = {.rule = rule, .time = etime_from_unix(1700000000 + (int64_t)(i / 10000), (uint32_t)(i % 10000) * 100000, 6),
			.evidence = &e, .n_evidence = 1, .values = values, .n_values = n_keep};
		if (c) correlate_hit(c, &event);
		else sink += event.time.sec + group.p[0] + user.p[0];
	}
	return cpu() - before;
}

static void measure(const char *name, const char *correlation, const struct keys *keys, uint64_t hits, bool skewed, unsigned rounds)
{
	double best = 1e9;
	struct corr_stats s = {0};
	struct rule_set *set = rule_set_new();
	struct buf text = {0};
	buf_printf(&text, "%s%s\n", rules_text, correlation);
	rule_set_add_text(set, buf_view(&text), STR("bench"));
	rule_set_finish(set);
	for (unsigned i = 0; i < rounds; i++) {
		struct correlate_options o = {.put = count, .temp_dir = "/tmp"};
		struct correlate *c = correlate_new(set, &o, NULL);
		findings = 0;
		double idle = feed(NULL, 0, keys, hits, skewed), t = feed(c, 0, keys, hits, skewed) - idle;
		if (t < best) best = t;
		correlate_stats(c, &s);
		correlate_finish(c);
		correlate_free(c);
	}
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	printf("%-34s %7.2f M hits/s %7.0f ns/hit %9llu groups %5.0f MB state %5.0f MB peak %8llu findings %llu not exact\n", name, (double)hits / best / 1e6,
		best / (double)hits * 1e9, (unsigned long long)s.groups_peak, (double)s.memory_peak / 1e6, (double)u.ru_maxrss / 1e3, (unsigned long long)findings,
		(unsigned long long)(s.evicted_events + s.sketched_events));
	rule_set_free(set);
	buf_done(&text);
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	uint64_t hits = argc > 2 ? strtoull(argv[2], NULL, 10) : 1500000;
	unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 3;
	struct keys keys = make_keys(n);
	printf("%u keys, %llu hits, best of %u\n", n, (unsigned long long)hits, rounds);
	measure("event_count, keys at random", "{type: event_count, rules: [a], group-by: [ip], timespan: 1h, condition: {gte: 10}}", &keys, hits, false, rounds);
	measure("value_count, keys at random", "{type: value_count, rules: [a], group-by: [ip], timespan: 1h, condition: {field: user, gte: 10}}", &keys, hits, false, rounds);
	measure("event_count, most by 64 keys", "{type: event_count, rules: [a], group-by: [ip], timespan: 1h, condition: {gte: 10}}", &keys, hits, true, rounds);
	measure("value_count, most by 64 keys", "{type: value_count, rules: [a], group-by: [ip], timespan: 1h, condition: {field: user, gte: 10}}", &keys, hits, true, rounds);
	measure("temporal_ordered, keys at random", "{type: temporal_ordered, rules: [a, a], group-by: [ip], timespan: 1h}", &keys, hits, false, rounds);
	free(keys.text);
	free(keys.n);
	return 0;
}
