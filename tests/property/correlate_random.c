/* Correlations against a naive evaluator that keeps every event and recomputes from all of them at each one; the order of feeding
 * (behind a watermark) does not show; memory limits hold and everything lost is counted. */
#include "tests/check.h"
#include "tests/correlate_kit.h"
#include <math.h>

static uint64_t seed;
static uint32_t roll(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 11) % n);
}

enum { RULES = 3, MAX_EVENTS = 400 };
static const char *const names[RULES] = {"a", "b", "d"};
static const char *const types[] = {"event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile", "value_median"};
static const char *const words[] = {"gt", "gte", "lt", "lte", "eq", "neq"};

struct spec {
	int type, n_refs, refs[RULES], text; /* text: 0 none, else an extended condition by number */
	int n_ops, ops[2];
	double bounds[2];
	int64_t span; /* ns */
	int percentile;
	bool grouped, every;
};
struct happening { int64_t time; int rule, group, value; uint64_t record; };

static const char *const texts[] = {NULL, "a and (b or d)", "a and b and not d", "(a or b) and d"};

static struct spec random_spec(void)
{
	struct spec s = {.type = (int)roll(8), .grouped = roll(4) > 0, .every = roll(3) == 0, .percentile = (int)roll(101)};
	bool temporal = s.type == 2 || s.type == 3;
	s.n_refs = temporal ? 2 + (int)roll(2) : 1 + (int)roll(3);
	for (int i = 0, from = (int)roll(RULES); i < s.n_refs; i++) s.refs[i] = (from + i) % RULES;
	s.span = (int64_t)(1 + roll(12)) * 1000000000;
	if (temporal && roll(3) == 0) {
		s.text = 1 + (int)roll(3);
		s.n_refs = RULES;
		for (int i = 0; i < RULES; i++) s.refs[i] = i;
	} else if (!temporal || roll(2)) {
		s.n_ops = 1 + (int)roll(2);
		for (int i = 0; i < s.n_ops; i++) {
			s.ops[i] = (int)roll(6);
			s.bounds[i] = temporal ? 1 + roll(3) : roll(s.type >= 4 ? 20 : 6) + (roll(4) == 0 ? 0.5 : 0);
		}
		if (s.n_ops == 2 && s.ops[0] == s.ops[1]) s.n_ops = 1;
	}
	return s;
}

static void write_rules(const struct spec *s, struct buf *b)
{
	for (int i = 0; i < RULES; i++)
		buf_printf(b, "---\ntitle: %s\nname: %s\nlogsource: {product: test}\ndetection: {s: {x: 1}, condition: s}\n", names[i], names[i]);
	buf_printf(b, "---\ntitle: c\ncorrelation:\n  type: %s\n  timespan: %llds\n  rules: [", types[s->type], (long long)(s->span / 1000000000));
	for (int i = 0; i < s->n_refs; i++) buf_printf(b, "%s%s", i ? ", " : "", names[s->refs[i]]);
	buf_printf(b, "]\n%s", s->grouped ? "  group-by: [g]\n" : "");
	if (s->text) buf_printf(b, "  condition: %s\n", texts[s->text]);
	else if (s->n_ops) {
		buf_lit(b, "  condition:\n");
		for (int i = 0; i < s->n_ops; i++) buf_printf(b, "    %s: %g\n", words[s->ops[i]], s->bounds[i]);
		if (s->type != 0 && s->type != 2 && s->type != 3) buf_lit(b, "    field: v\n");
		if (s->type == 6) buf_printf(b, "    percentile: %d\n", s->percentile);
	}
}

/* --- the naive evaluator --- */

struct window { const struct happening *v[MAX_EVENTS]; int n; };

static bool ops_hold(const struct spec *s, double x)
{
	for (int i = 0; i < s->n_ops; i++) {
		double b = s->bounds[i];
		bool h[] = {x > b, x >= b, x < b, x <= b, x == b, x != b};
		if (!h[s->ops[i]]) return false;
	}
	return true;
}

static int place_of(const struct spec *s, int rule)
{
	for (int i = 0; i < s->n_refs; i++)
		if (s->refs[i] == rule) return i;
	return -1;
}

/* Earliest time at which a chain over refs[0..upto] can be complete, or INT64_MAX. */
static int64_t chain_from(const struct spec *s, const struct window *w, int upto)
{
	int64_t t = INT64_MIN;
	for (int k = 0; k <= upto; k++) {
		int64_t best = INT64_MAX;
		for (int i = 0; i < w->n; i++)
			if (place_of(s, w->v[i]->rule) == k && w->v[i]->time >= t && w->v[i]->time < best) best = w->v[i]->time;
		if (best == INT64_MAX) return best;
		t = best;
	}
	return t;
}
static int64_t chain_to(const struct spec *s, const struct window *w, int from)
{
	int64_t t = INT64_MAX;
	for (int k = s->n_refs - 1; k >= from; k--) {
		int64_t best = INT64_MIN;
		for (int i = 0; i < w->n; i++)
			if (place_of(s, w->v[i]->rule) == k && w->v[i]->time <= t && w->v[i]->time > best) best = w->v[i]->time;
		if (best == INT64_MIN) return best;
		t = best;
	}
	return t;
}

/* Longest chain in order with rules left out: tries every subset. */
static int longest(const struct spec *s, const struct window *w)
{
	int best = 0;
	for (int subset = 1; subset < 1 << s->n_refs; subset++) {
		int64_t t = INT64_MIN;
		int length = 0;
		for (int k = 0; k < s->n_refs && t != INT64_MAX; k++) {
			if (!(subset >> k & 1)) continue;
			int64_t at = INT64_MAX;
			for (int i = 0; i < w->n; i++)
				if (place_of(s, w->v[i]->rule) == k && w->v[i]->time >= t && w->v[i]->time < at) at = w->v[i]->time;
			t = at;
			length += at != INT64_MAX;
		}
		if (t != INT64_MAX && length > best) best = length;
	}
	return best;
}

static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static double number_value(const struct spec *s, const struct window *w)
{
	int v[MAX_EVENTS];
	double sum = 0;
	for (int i = 0; i < w->n; i++) sum += v[i] = w->v[i]->value;
	if (s->type == 4) return sum;
	if (s->type == 5) return sum / w->n;
	qsort(v, (size_t)w->n, sizeof *v, by_value);
	double rank = (s->type == 7 ? 50 : s->percentile) * (w->n - 1) / 100.0;
	int low = (int)floor(rank);
	return low + 1 < w->n ? v[low] + (v[low + 1] - v[low]) * (rank - low) : v[low];
}

static bool holds(const struct spec *s, const struct window *w)
{
	bool seen[RULES] = {0}, values[64] = {0};
	int distinct = 0, rules = 0;
	for (int i = 0; i < w->n; i++) {
		rules += !seen[w->v[i]->rule];
		seen[w->v[i]->rule] = true;
		distinct += w->v[i]->value >= 0 && !values[w->v[i]->value];
		if (w->v[i]->value >= 0) values[w->v[i]->value] = true;
	}
	bool text[] = {false, seen[0] && (seen[1] || seen[2]), seen[0] && seen[1] && !seen[2], (seen[0] || seen[1]) && seen[2]};
	switch (s->type) {
	case 0: return ops_hold(s, w->n);
	case 1: return ops_hold(s, distinct);
	case 2: return s->text ? text[s->text] : s->n_ops ? ops_hold(s, rules) : rules == s->n_refs;
	case 3:
		if (s->text) return text[s->text] && longest(s, w) == rules;
		return s->n_ops ? ops_hold(s, longest(s, w)) : chain_from(s, w, s->n_refs - 1) != INT64_MAX;
	}
	return ops_hold(s, number_value(s, w));
}

struct open_finding { bool is; int64_t at, first, last; uint64_t cites[MAX_EVENTS]; int n; };

static void put_expected(const struct spec *s, const struct open_finding *o, int group, int64_t at, struct buf *out)
{
	struct evidence_ref refs[MAX_EVENTS];
	struct rule_info info = {.title = STR("c")};
	char name[2] = {(char)('A' + group), 0};
	struct named g = {STR("g"), {name, 1}};
	struct finding f = {.rule = &info, .extra_json = STR(""), .group = &g, .n_group = s->grouped, .count = (uint64_t)o->n, .evidence = refs, .n_evidence = (uint32_t)o->n};
	struct etime *times[] = {&f.time, &f.first, &f.last};
	int64_t ns[] = {at, o->first, o->last};
	for (int i = 0; i < 3; i++) *times[i] = etime_from_unix(KIT_BASE + ns[i] / 1000000000, (uint32_t)(ns[i] % 1000000000), 9);
	for (int i = 0; i < o->n; i++) refs[i] = kit_record(o->cites[i]);
	kit_line(out, &f);
}

static void contribute(struct open_finding *o, const struct happening *h)
{
	if (h->time < o->first) o->first = h->time;
	if (h->time > o->last) o->last = h->time;
	if (o->n && o->cites[o->n - 1] == h->record) return;
	o->cites[o->n++] = h->record;
}

static void begin(const struct spec *s, struct open_finding *o, const struct window *w, int64_t now)
{
	bool chain = s->type == 3 && !s->text && !s->n_ops;
	*o = (struct open_finding){.is = true, .at = now, .first = now, .last = now};
	for (int i = 0; i < w->n; i++) {
		int k = place_of(s, w->v[i]->rule);
		if (chain && k && chain_from(s, w, k - 1) > w->v[i]->time) continue;
		if (chain && k + 1 < s->n_refs && chain_to(s, w, k + 1) < w->v[i]->time) continue;
		contribute(o, w->v[i]);
	}
}

static void expect(const struct spec *s, const struct happening *h, int n, struct buf *out)
{
	int groups = s->grouped ? 3 : 1;
	for (int g = 0; g < groups; g++) {
		struct open_finding o = {0};
		int64_t last = INT64_MIN;
		struct window w;
		for (int i = 0; i < n; i++) {
			bool temporal = s->type == 2 || s->type == 3;
			if ((s->grouped && h[i].group != g) || place_of(s, h[i].rule) < 0 || (s->type != 0 && !temporal && h[i].value < 0)) continue;
			/* The same record by another rule: one event, but for temporal types. */
			int before = i - 1;
			while (before >= 0 && (place_of(s, h[before].rule) < 0)) before--;
			if (!temporal && before >= 0 && h[before].record == h[i].record) continue;
			if (o.is && h[i].time - last > s->span) {
				if (!s->every) put_expected(s, &o, g, o.at, out);
				o.is = false;
			}
			last = h[i].time;
			w.n = 0;
			for (int j = 0; j <= i; j++) {
				if ((s->grouped && h[j].group != g) || place_of(s, h[j].rule) < 0 || (s->type != 0 && !temporal && h[j].value < 0)) continue;
				int b = j - 1;
				while (b >= 0 && place_of(s, h[b].rule) < 0) b--;
				if (!temporal && b >= 0 && h[b].record == h[j].record) continue;
				if (h[i].time - h[j].time <= s->span) w.v[w.n++] = &h[j];
			}
			bool yes = holds(s, &w);
			if (o.is) contribute(&o, &h[i]);
			else if (yes) begin(s, &o, &w, h[i].time);
			if (yes && s->every) put_expected(s, &o, g, h[i].time, out);
		}
		if (o.is && !s->every) put_expected(s, &o, g, o.at, out);
	}
}

/* --- both, compared --- */

/* Happenings as events, with what those point to. */
struct fed { struct corr_event e; struct evidence_ref evidence; struct str values[4]; char group[2], value[16]; };

static void make_event(struct kit *k, const struct happening *h, struct fed *ret)
{
	uint32_t rule = kit_rule(k->rules, str_of(names[h->rule])), n;
	const struct str *keep = correlate_keep(k->c, rule, &n);
	*ret = (struct fed){.group = {(char)('A' + h->group), 0}, .evidence = kit_record(h->record)};
	snprintf(ret->value, sizeof ret->value, "%d", h->value);
	for (uint32_t i = 0; i < n && i < 4; i++)
		ret->values[i] = str_eq(keep[i], STR("g")) ? (struct str){ret->group, 1} : h->value < 0 ? (struct str){NULL, 0} : str_of(ret->value);
	ret->e = (struct corr_event){.rule = rule, .time = etime_from_unix(KIT_BASE + h->time / 1000000000, (uint32_t)(h->time % 1000000000), 9),
		.evidence = &ret->evidence, .n_evidence = 1, .values = ret->values, .n_values = n};
}

static void feed(struct kit *k, const struct happening *h)
{
	struct fed one;
	make_event(k, h, &one);
	correlate_hit(k->c, &one.e);
}

/* Many at once, in pieces of any length. */
static void feed_many(struct kit *k, const struct happening *h, int n)
{
	static struct fed all[MAX_EVENTS];
	struct corr_event events[MAX_EVENTS];
	for (int i = 0; i < n; i++) {
		make_event(k, &h[i], &all[i]);
		events[i] = all[i].e;
	}
	for (int at = 0, piece; at < n; at += piece) {
		piece = 1 + (int)roll(80);
		if (piece > n - at) piece = n - at;
		correlate_hits(k->c, events + at, (size_t)piece);
	}
}

static int random_events(struct happening *h)
{
	int n = 5 + (int)roll(60);
	int64_t t = 0;
	uint64_t record = 0;
	for (int i = 0; i < n; i++) {
		bool again = i && roll(12) == 0 && h[i - 1].rule + 1 < RULES; /* one record that two rules match */
		if (!again) {
			t += roll(5) == 0 ? 0 : (int64_t)roll(4) * 1000000000 + (roll(6) == 0 ? 1 : 0);
			if (roll(25) == 0) t += 20000000000;
			h[i] = (struct happening){t, (int)roll(RULES), (int)roll(3), roll(6) ? (int)roll(9) : -1, ++record};
		} else {
			h[i] = h[i - 1];
			h[i].rule = h[i - 1].rule + 1;
		}
	}
	return n;
}

static int by_line(const void *a, const void *b) { return str_cmp(*(const struct str *)a, *(const struct str *)b); }

static void sorted(struct buf *b, struct buf *out)
{
	struct str lines[2 * MAX_EVENTS], rest = buf_view(b);
	size_t n = 0;
	while (rest.n && n < COUNT(lines)) lines[n++] = str_cut(&rest, '\n');
	qsort(lines, n, sizeof *lines, by_line);
	out->n = 0;
	for (size_t i = 0; i < n; i++) {
		buf_str(out, lines[i]);
		buf_byte(out, '\n');
	}
	buf_byte(out, 0);
}

static struct rule_set *load(struct str text)
{
	struct rule_set *set = rule_set_new();
	rule_set_add_text(set, text, STR("random"));
	rule_set_finish(set);
	for (uint32_t i = 0; i < rule_set_refused_count(set); i++) printf("# refused: %.*s\n", STR_FMT(rule_set_refused(set, i)->reason));
	CHECK(rule_set_refused_count(set) == 0);
	return set;
}

enum feeding { ONE_BY_ONE, MANY, SHUFFLED };
/* Feeds in order, or shuffled behind a watermark that covers everything. */
static void run(const struct spec *s, struct str rules, const struct happening *h, int n, enum feeding how, struct buf *out)
{
	bool shuffled = how == SHUFFLED;
	struct kit k = {0};
	int order[MAX_EVENTS];
	kit_start(&k, load(rules), (struct correlate_options){.every = s->every, .missing = CORR_MISSING_GROUP, .temp_dir = roll(2) ? "/tmp" : NULL, .lateness_ns = shuffled ? (int64_t)1 << 60 : 0});
	NEED(k.c);
	for (int i = 0; i < n; i++) order[i] = i;
	for (int i = n - 1; shuffled && i > 0; i--) {
		int j = (int)roll((uint32_t)i + 1), x = order[i];
		order[i] = order[j];
		order[j] = x;
	}
	if (how == MANY) feed_many(&k, h, n);
	for (int i = 0; i < n && how != MANY; i++) feed(&k, &h[order[i]]);
	correlate_finish(k.c);
	sorted(&k.closed, out);
	kit_end(&k);
}

static void one_round(uint64_t number)
{
	seed = number * 0x9e3779b97f4a7c15u + 88172645463325252u;
	struct spec s = random_spec();
	struct happening h[MAX_EVENTS];
	int n = random_events(h);
	struct buf rules = {0}, want = {0}, expected = {0}, got = {0}, many = {0}, shuffled = {0};
	write_rules(&s, &rules);
	expect(&s, h, n, &want);
	sorted(&want, &expected);
	run(&s, buf_view(&rules), h, n, ONE_BY_ONE, &got);
	run(&s, buf_view(&rules), h, n, MANY, &many);
	run(&s, buf_view(&rules), h, n, SHUFFLED, &shuffled);
	int before = check_failures;
	CHECK_STR(got.p, expected.p);
	CHECK_STR(many.p, got.p);
	CHECK_STR(shuffled.p, got.p);
	if (check_failures > before) {
		printf("# round %llu\n%.*s", (unsigned long long)number, STR_FMT(buf_view(&rules)));
		for (int i = 0; i < n; i++) printf("# %2d: %.9f %s %c v=%d record %llu\n", i + 1, (double)h[i].time / 1e9, names[h[i].rule], 'A' + h[i].group, h[i].value, (unsigned long long)h[i].record);
	}
	buf_done(&rules);
	buf_done(&want);
	buf_done(&expected);
	buf_done(&got);
	buf_done(&many);
	buf_done(&shuffled);
}

TEST(findings_equal_those_of_the_naive_evaluator_in_any_order_of_feeding)
{
	const char *rounds = getenv("EXHIBIT_ROUNDS"), *from = getenv("EXHIBIT_FROM");
	uint64_t first = from ? strtoull(from, NULL, 10) : 0;
	for (uint64_t i = first; i < first + (rounds ? strtoull(rounds, NULL, 10) : 600) && !check_failures; i++) one_round(i);
}

TEST_MAIN
