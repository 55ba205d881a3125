/* Correlation speed: hits a second with a million live keys, one thread, CPU time; memory as the correlator counts it and as the
 * system does. usage: bench_correlate [keys] [hits] [rounds] [which, from 0]; BATCH_ONLY in the environment leaves one by one out */
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
	"---\ntitle: b\nname: b\nlogsource: {product: test}\ndetection: {s: {x: 2}, condition: s}\n"
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

enum { BATCH = 64 };
struct batch {
	struct corr_event events[BATCH];
	struct evidence_ref evidence[BATCH];
	struct str values[BATCH][2];
	char text[BATCH][2][16]; /* freshly made, as from a reader */
};

static void make(struct batch *b, uint32_t n_keep, const struct str *keep, const struct keys *keys, uint64_t first, bool skewed, bool two)
{
	for (uint64_t j = 0; j < BATCH; j++) {
		uint64_t i = first + j, r = roll();
		uint32_t key = (uint32_t)((r >> 32) % keys->count), who = (uint32_t)((r >> 12) % 50000);
		if (skewed && r % 8) key = (uint32_t)((r >> 16) % 64);
		memcpy(b->text[j][0], keys->text[key], 16);
		memcpy(b->text[j][1], keys->text[who], 16);
		struct str group = {b->text[j][0], keys->n[key]}, user = {b->text[j][1], keys->n[who]};
		for (uint32_t v = 0; v < n_keep; v++) b->values[j][v] = str_eq(keep[v], STR("ip")) ? group : user;
		b->evidence[j] = (struct evidence_ref){.offset = i * 100, .length = 100, .line = (uint32_t)i};
		memcpy(b->evidence[j].sha256, &r, sizeof r);
		b->events[j] = (struct corr_event){.rule = two && r >> 60 & 1, .time = etime_from_unix(1700000000 + (int64_t)(i / 10000), (uint32_t)(i % 10000) * 100000, 6),
			.evidence = &b->evidence[j], .n_evidence = 1, .values = b->values[j], .n_values = n_keep};
	}
}

static double feed(struct correlate *c, const struct keys *keys, uint64_t from, uint64_t hits, bool skewed, bool two, bool one_by_one)
{
	static struct batch b;
	uint32_t n_keep;
	const struct str *keep = correlate_keep(c, 0, &n_keep);
	double t = 0;
	for (uint64_t i = from; i < from + hits; i += BATCH) {
		make(&b, n_keep, keep, keys, i, skewed, two);
		double before = cpu();
		if (one_by_one)
			for (int j = 0; j < BATCH; j++) correlate_hit(c, &b.events[j]);
		else
			correlate_hits(c, b.events, BATCH);
		t += cpu() - before;
	}
	return t;
}

static void measure(const char *name, const char *correlation, const struct keys *keys, uint64_t hits, bool skewed, bool two, unsigned rounds)
{
	double best = 1e9;
	struct corr_stats s = {0};
	struct rule_set *set = rule_set_new();
	struct buf text = {0};
	buf_printf(&text, "%s%s\n", rules_text, correlation);
	rule_set_add_text(set, buf_view(&text), STR("bench"));
	rule_set_finish(set);
	double single = 1e9;
	for (unsigned i = 0; i < (getenv("BATCH_ONLY") ? rounds : 2 * rounds); i++) {
		struct correlate_options o = {.put = count, .temp_dir = "/tmp"};
		struct correlate *c = correlate_new(set, &o, NULL);
		findings = 0;
		/* The keys come to life first; what is measured is going on with them. */
		bool single_now = !getenv("BATCH_ONLY") && i & 1;
		feed(c, keys, 0, hits, skewed, two, single_now);
		double t = feed(c, keys, hits, hits, skewed, two, single_now), *to = single_now ? &single : &best;
		if (t < *to) *to = t;
		correlate_stats(c, &s);
		correlate_finish(c);
		correlate_free(c);
	}
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	printf("%-32s %6.2f M hits/s, one by one %5.2f, %8llu groups %5.0f MB state %5.0f MB peak %8llu findings %llu not exact\n", name, (double)hits / best / 1e6,
		(double)hits / single / 1e6, (unsigned long long)s.groups_peak, (double)s.memory_peak / 1e6, (double)u.ru_maxrss / 1e3, (unsigned long long)findings,
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
	static const struct { const char *name, *correlation; bool skewed, two; /* hits of two rules */ } all[] = {
		{"event_count, keys at random", "{type: event_count, rules: [a], group-by: [ip], timespan: 1h, condition: {gte: 10}}", false, false},
		{"value_count, keys at random", "{type: value_count, rules: [a], group-by: [ip], timespan: 1h, condition: {field: user, gte: 10}}", false, false},
		{"event_count, most by 64 keys", "{type: event_count, rules: [a], group-by: [ip], timespan: 1h, condition: {gte: 10}}", true, false},
		{"value_count, most by 64 keys", "{type: value_count, rules: [a], group-by: [ip], timespan: 1h, condition: {field: user, gte: 10}}", true, false},
		{"temporal_ordered, keys at random", "{type: temporal_ordered, rules: [a, b], group-by: [ip], timespan: 1m}", false, true},
		{"temporal_ordered, all are findings", "{type: temporal_ordered, rules: [a, a], group-by: [ip], timespan: 1h}", false, false}};
	for (unsigned i = 0; i < COUNT(all); i++)
		if (argc < 5 || strtoul(argv[4], NULL, 10) == i) measure(all[i].name, all[i].correlation, &keys, hits, all[i].skewed, all[i].two, rounds);
	free(keys.text);
	free(keys.n);
	return 0;
}
