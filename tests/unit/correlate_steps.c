/* Step tests of correlation: one file or more of tests/conformance/correlation, one case a line:
 *
 *	name      what it shows; begins with the item of the conformance list it is about
 *	rules     correlation documents (JSON is YAML); detections named in `hits` or by events are made here, and match nothing by themselves
 *	options   every, missing (group, drop), lateness (seconds)
 *	events    [seconds, rule, {field: value}, record?]; record defaults to the event's number, from 1
 *	after     findings opened so far, after each event
 *	findings  all findings at the end, as tests/correlate_kit.h writes them, by time and then text
 *	shown     titles of detections whose own hits are shown (looked at by tests/conformance/correlation_program.py only) */
#include "tests/check.h"
#include "tests/correlate_kit.h"
#include "text/json_read.h"
#include <dirent.h>

struct test_case {
	struct json_tape tape;
	struct str text;
	struct arena arena;
	struct buf rules, got;
};

static const struct json_token *get(struct test_case *t, uint32_t object, const char *key) { return json_get(&t->tape, t->text, object, str_of(key)); }
static uint32_t index_of(const struct test_case *t, const struct json_token *token) { return (uint32_t)(token - t->tape.v); }
static struct str text_of(struct test_case *t, uint32_t i) { return json_decode(&t->arena, t->text, &t->tape.v[i]); }

static void add_detection(struct test_case *t, struct str name)
{
	char mark[300];
	snprintf(mark, sizeof mark, "\nname: %.*s\n", STR_FMT(name));
	if (str_find(buf_view(&t->rules), str_of(mark), 0) != SIZE_MAX) return;
	buf_printf(&t->rules, "---\ntitle: %.*s%slogsource: {product: test}\ndetection: {s: {x: 1}, condition: s}\n", STR_FMT(name), mark);
}

static struct rule_set *load(struct test_case *t)
{
	const struct json_token *rules = get(t, 0, "rules"), *events = get(t, 0, "events"), *hits = get(t, 0, "hits");
	for (uint32_t i = index_of(t, rules) + 1; i < rules->next; i = t->tape.v[i].next) {
		buf_lit(&t->rules, "---\n");
		buf_str(&t->rules, json_raw(t->text, &t->tape.v[i]));
		buf_byte(&t->rules, '\n');
	}
	size_t correlations = t->rules.n;
	for (uint32_t i = index_of(t, events) + 1; i < events->next; i = t->tape.v[i].next) {
		struct str name = text_of(t, t->tape.v[i + 1].next);
		char mark[300];
		snprintf(mark, sizeof mark, "\"title\":\"%.*s\"", STR_FMT(name));
		if (str_find((struct str){t->rules.p, correlations}, str_of(mark), 0) == SIZE_MAX) add_detection(t, name);
	}
	for (uint32_t i = hits ? index_of(t, hits) + 1 : 0; hits && i < hits->next; i = t->tape.v[i].next) add_detection(t, text_of(t, i));
	struct rule_set *set = rule_set_new();
	rule_set_add_text(set, buf_view(&t->rules), STR("case"));
	rule_set_finish(set);
	for (uint32_t i = 0; i < rule_set_refused_count(set); i++)
		printf("# refused: %.*s\n", STR_FMT(rule_set_refused(set, i)->reason)), CHECK(!"rule refused");
	return set;
}

/* "12.000000001": seconds from the base, exact. */
static struct etime seconds(struct str s)
{
	size_t dot = str_find_byte(s, '.', 0);
	struct str whole = dot == SIZE_MAX ? s : str_sub(s, 0, dot), part = dot == SIZE_MAX ? (struct str){"", 0} : str_sub(s, dot + 1, 9);
	uint32_t ns = 0;
	int64_t sec = 0;
	for (size_t i = 0; i < 9; i++) ns = ns * 10 + (i < part.n ? (uint32_t)(part.p[i] - '0') : 0);
	CHECK(str_i64(whole, &sec));
	return etime_from_unix(KIT_BASE + sec, ns, 9);
}

static void feed(struct test_case *t, struct kit *k, uint32_t event, uint64_t number)
{
	uint32_t time = event + 1, rule = t->tape.v[time].next, fields = t->tape.v[rule].next, record = t->tape.v[fields].next, n;
	if (record < t->tape.v[event].next) CHECK(json_to_u64(t->text, &t->tape.v[record], &number));
	uint32_t index = kit_rule(k->rules, text_of(t, rule));
	NEED(index != UINT32_MAX);
	const struct str *keep = correlate_keep(k->c, index, &n);
	struct str *values = arena_calloc(&t->arena, n + 1, sizeof *values);
	for (uint32_t i = 0; i < n; i++) {
		const struct json_token *v = json_get(&t->tape, t->text, fields, keep[i]);
		if (v && v->type != JSON_NULL) values[i] = json_decode(&t->arena, t->text, v);
	}
	struct evidence_ref evidence = kit_record(number);
	struct corr_event e = {.rule = index, .time = seconds(text_of(t, time)), .evidence = &evidence, .n_evidence = 1, .values = values, .n_values = n};
	const struct json_token *host = json_get(&t->tape, t->text, fields, STR("host"));
	if (host) e.host = json_decode(&t->arena, t->text, host);
	correlate_hit(k->c, &e);
}

static int by_text(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	size_t i = str_find(*x, STR(" at="), 0), j = str_find(*y, STR(" at="), 0);
	double p = i == SIZE_MAX ? 0 : strtod(x->p + i + 4, NULL), q = j == SIZE_MAX ? 0 : strtod(y->p + j + 4, NULL);
	return p < q ? -1 : p > q ? 1 : str_cmp(*x, *y);
}

static void sort_lines(struct test_case *t, struct str text)
{
	struct str lines[64];
	uint32_t n = 0;
	while (text.n && n < 64) lines[n++] = str_cut(&text, '\n');
	qsort(lines, n, sizeof *lines, by_text);
	t->got.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (i) buf_byte(&t->got, '\n');
		buf_str(&t->got, lines[i]);
	}
	buf_byte(&t->got, 0);
}

static struct correlate_options options_of(struct test_case *t)
{
	struct correlate_options o = {.announce = true};
	const struct json_token *given = get(t, 0, "options");
	if (!given) return o;
	const struct json_token *every = get(t, index_of(t, given), "every"), *missing = get(t, index_of(t, given), "missing"), *late = get(t, index_of(t, given), "lateness");
	int64_t seconds_late = 0;
	if (every) o.every = every->type == JSON_TRUE;
	if (missing) o.missing = str_eq(json_raw(t->text, missing), STR("drop")) ? CORR_MISSING_DROP : CORR_MISSING_GROUP;
	if (late) CHECK(json_to_i64(t->text, late, &seconds_late));
	o.lateness_ns = seconds_late * 1000000000;
	return o;
}

static void run_case(struct test_case *t)
{
	struct kit k = {0};
	struct correlate_options o = options_of(t);
	kit_start(&k, load(t), o);
	NEED(k.c);
	const struct json_token *events = get(t, 0, "events"), *after = get(t, 0, "after"), *findings = get(t, 0, "findings");
	uint32_t want = after ? index_of(t, after) + 1 : 0;
	uint64_t number = 1;
	for (uint32_t i = index_of(t, events) + 1; i < events->next; i = t->tape.v[i].next, number++) {
		feed(t, &k, i, number);
		int64_t opened = 0, now = k.n_opened;
		for (size_t j = 0; o.every && j < k.closed.n; j++) now += k.closed.p[j] == '\n';
		if (!after) continue;
		if (want >= after->next) {
			CHECK(!"fewer numbers in `after` than events");
			break;
		}
		CHECK(json_to_i64(t->text, &t->tape.v[want], &opened));
		if (opened != now) printf("# after event %llu: %lld opened, %lld wanted\n", (unsigned long long)number, (long long)now, (long long)opened), CHECK(!"findings after an event");
		want = t->tape.v[want].next;
	}
	correlate_finish(k.c);
	sort_lines(t, buf_view(&k.closed));
	struct buf wanted = {0};
	for (uint32_t i = index_of(t, findings) + 1; i < findings->next; i = t->tape.v[i].next) {
		if (wanted.n) buf_byte(&wanted, '\n');
		buf_str(&wanted, text_of(t, i));
	}
	buf_byte(&wanted, 0);
	CHECK_STR(t->got.p, wanted.p);
	struct corr_stats stats;
	correlate_stats(k.c, &stats);
	CHECK(stats.groups == 0);
	const struct json_token *counted = get(t, 0, "counted");
	struct json_member m = {0};
	while (counted && json_member_next(&t->tape, index_of(t, counted), &m)) {
		struct str what = text_of(t, m.key);
		uint64_t have = str_eq(what, STR("late")) ? stats.late : str_eq(what, STR("untimed")) ? stats.untimed : str_eq(what, STR("missing")) ? stats.missing : stats.not_numbers, n;
		CHECK(json_to_u64(t->text, &t->tape.v[m.value], &n) && n == have);
	}
	buf_done(&wanted);
	kit_end(&k);
}

static unsigned run_file(const char *path)
{
	struct fault f = FAULT_INIT;
	char *text;
	size_t n;
	NEED(file_slurp(path, 16 << 20, &text, &n, &f));
	struct str rest = {text, n};
	unsigned cases = 0, line_number = 0;
	while (rest.p && rest.n) {
		struct str line = str_trim(str_cut(&rest, '\n'));
		line_number++;
		if (!line.n || line.p[0] == '#') continue;
		struct test_case t = {.text = line};
		arena_init(&t.arena, 64 << 20);
		int before = check_failures;
		if (json_read_all(&t.tape, line, &f)) run_case(&t);
		else CHECK(!"no JSON");
		if (check_failures > before) printf("# in %s line %u: %.*s\n", path, line_number, 100, line.p);
		json_tape_done(&t.tape);
		arena_done(&t.arena);
		buf_done(&t.rules);
		buf_done(&t.got);
		cases++;
	}
	free(text);
	return cases;
}

TEST(every_step_case_gives_the_findings_it_says)
{
	char folder[4096], path[8192];
	unsigned cases = 0;
	snprintf(folder, sizeof folder, "%s/tests/conformance/correlation", getenv("EXHIBIT_SOURCE_ROOT"));
	DIR *d = opendir(folder);
	NEED(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (!strstr(e->d_name, ".jsonl")) continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		cases += run_file(path);
	}
	closedir(d);
	printf("# %u cases\n", cases);
	CHECK(cases > 0);
}

TEST_MAIN
