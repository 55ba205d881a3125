/* Sigma cases, rule and events and what must come of them: each through the program's rule set and engine, and through the naive reading.
 * One object a line: id, rules (YAML), events, expect: for each event the ids of the rules that match; or {"error": category,
 * "line": n}: the rule is refused so. Optional: routing (by log source, else every rule on every event), placeholders, refused (rules
 * that are refused beside those that match), fragment (see rule_set_fragments), why_not_naive (the naive reading is not asked). */
#include "base/base.h"
#include "match/match.h"
#include "tests/check.h"
#include "tests/oracle/naive.h"
#include "tests/oracle/read_all.h"
#include "text/json_read.h"

struct one_case {
	struct json_tape tape;
	struct str text;              /* the line */
	struct arena arena;
	struct str id;
	struct naive_set *naive;
	struct rule_set *rules;
	struct plan *plan;
	struct matcher *matcher;
	struct shape_table *shapes;
	uint32_t expected;            /* token of the event's list, moves on */
	uint32_t n_events;
	bool any;
};
static struct taxonomy *taxonomy;
static char data[8192], root[4096];
static unsigned n_cases, n_naive;

static uint32_t member(struct one_case *c, uint32_t object, const char *key)
{
	const struct json_token *t = json_get(&c->tape, c->text, object, str_of(key));
	return t ? (uint32_t)(t - c->tape.v) : 0;
}
static struct str string_at(struct one_case *c, uint32_t at) { return json_decode(&c->arena, c->text, &c->tape.v[at]); }

static void fail(struct one_case *c, const char *what, struct str detail)
{
	printf("# %.*s: %s %.*s\n", STR_FMT(c->id), what, STR_FMT(detail));
	check_failures++;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

struct ids { struct str *v; size_t n, cap; };
static int by_text(const void *a, const void *b) { return str_cmp(*(const struct str *)a, *(const struct str *)b); }

static void compare_ids(struct one_case *c, struct ids *got, struct ids *want, const char *who)
{
	struct buf b = {0};
	if (got->n) qsort(got->v, got->n, sizeof *got->v, by_text);
	if (want->n) qsort(want->v, want->n, sizeof *want->v, by_text);
	bool same = got->n == want->n;
	for (size_t i = 0; same && i < got->n; i++) same = str_eq(got->v[i], want->v[i]);
	if (!same) {
		buf_printf(&b, "on event %u: got", c->n_events);
		for (size_t i = 0; i < got->n; i++) buf_printf(&b, " %.*s", STR_FMT(got->v[i]));
		buf_printf(&b, ", want");
		for (size_t i = 0; i < want->n; i++) buf_printf(&b, " %.*s", STR_FMT(want->v[i]));
		fail(c, who, buf_view(&b));
	}
	buf_done(&b);
}

static bool each_event(void *arg, struct event *ev)
{
	struct one_case *c = arg;
	const struct hit *hits;
	struct ids want = {0}, got = {0}, naive = {0};
	if (c->expected >= c->tape.n || c->tape.v[c->expected].type != JSON_ARRAY) {
		fail(c, "more events than expectations", STR(""));
		return false;
	}
	for (uint32_t i = c->expected + 1; i < c->tape.v[c->expected].next; i = c->tape.v[i].next) vec_push(&want, string_at(c, i));
	uint32_t n = matcher_run(c->matcher, ev, &hits);
	for (uint32_t i = 0; i < n; i++) vec_push(&got, hits[i].rule->info.id);
	compare_ids(c, &got, &want, "the engine");
	if (c->naive) {
		struct naive_event *e = naive_event_new(c->naive, ev);
		for (uint32_t r = 0; r < naive_count(c->naive); r++)
			if (naive_match(c->naive, r, e, c->any, NULL) == NAIVE_YES) vec_push(&naive, naive_id(c->naive, r));
		naive_event_free(e);
		compare_ids(c, &naive, &want, "the naive reading");
	}
	vec_free(&want);
	vec_free(&got);
	vec_free(&naive);
	c->expected = c->tape.v[c->expected].next;
	c->n_events++;
	return true;
}

static void run_events(struct one_case *c, uint32_t events, uint32_t expect)
{
	struct buf lines = {0};
	struct input in;
	uint32_t n = 0;
	for (uint32_t i = events + 1; i < c->tape.v[events].next; i = c->tape.v[i].next, n++) {
		buf_str(&lines, json_raw(c->text, &c->tape.v[i]));
		buf_byte(&lines, '\n');
	}
	c->shapes = shape_table_new(taxonomy, 1 << 26);
	c->plan = plan_new(c->rules, &(struct plan_options){.any_logsource = c->any}, NULL);
	c->matcher = matcher_new(c->plan);
	c->expected = expect + 1;
	input_of_memory(&in, lines.p, lines.n, STR("events.jsonl"));
	input_unhashed(&in);
	if (!read_all(&in, c->shapes, each_event, c)) fail(c, "no reader takes the events", STR(""));
	if (c->n_events != n) fail(c, "not every event was read", STR(""));
	matcher_free(c->matcher);
	plan_free(c->plan);
	shape_table_free(c->shapes);
	buf_done(&lines);
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

static void use_placeholders(struct one_case *c, uint32_t at)
{
	char path[] = "/tmp/placeholders.XXXXXX";
	struct str text = json_raw(c->text, &c->tape.v[at]);
	int fd = mkstemp(path);
	NEED(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
	close(fd);
	NEED(rule_set_placeholders(c->rules, path, NULL));
	if (c->naive) NEED(naive_set_placeholders(c->naive, text));
	unlink(path);
}

static void check_refusal(struct one_case *c, uint32_t expect)
{
	struct str category = string_at(c, member(c, expect, "error"));
	uint32_t line = member(c, expect, "line"), n = rule_set_refused_count(c->rules);
	int64_t number = 0;
	if (!n) {
		fail(c, "not refused", STR(""));
		return;
	}
	const struct rules_refused *r = rule_set_refused(c->rules, n - 1);
	if (!str_eq(r->category, category)) fail(c, "refused for another reason:", r->reason);
	if (line && json_to_i64(c->text, &c->tape.v[line], &number) && r->line != number) fail(c, "refused at another line:", r->reason);
	if (!r->line || !r->column || !r->reason.n) fail(c, "refused without a place", r->reason);
}

static void run_case(struct one_case *c, struct str line)
{
	struct fault f = FAULT_INIT;
	int64_t refused = 0;
	c->text = line;
	NEED(json_read_all(&c->tape, line, &f));
	uint32_t expect = member(c, 0, "expect"), rules = member(c, 0, "rules"), events = member(c, 0, "events"), at;
	c->id = string_at(c, member(c, 0, "id"));
	NEED(expect && rules);
	c->any = !member(c, 0, "routing");
	c->rules = rule_set_new();
	if (!member(c, 0, "why_not_naive")) NEED(c->naive = naive_set_new(data));
	if (member(c, 0, "fragment")) rule_set_fragments(c->rules);
	if (member(c, 0, "fragment") && c->naive) naive_set_fragments(c->naive);
	if ((at = member(c, 0, "placeholders"))) use_placeholders(c, at);
	if ((at = member(c, 0, "refused"))) json_to_i64(c->text, &c->tape.v[at], &refused);
	rule_set_add_text(c->rules, string_at(c, rules), STR("rule.yml"));
	rule_set_finish(c->rules);
	if (c->naive) {
		naive_set_add(c->naive, string_at(c, rules));
		naive_set_finish(c->naive);
	}
	if (c->tape.v[expect].type == JSON_OBJECT) {
		check_refusal(c, expect);
	} else {
		if (rule_set_refused_count(c->rules) != refused)
			fail(c, "refused:", rule_set_refused_count(c->rules) ? rule_set_refused(c->rules, 0)->reason : STR("nothing"));
		run_events(c, events, expect);
		n_naive += c->naive != NULL;
	}
	rule_set_free(c->rules);
	if (c->naive) naive_set_free(c->naive);
	n_cases++;
}

static void run_file(const char *name)
{
	char path[8192], *text;
	size_t n;
	struct fault f = FAULT_INIT;
	const char *set = getenv("EXHIBIT_SOURCE_ROOT");
	snprintf(root, sizeof root, "%s", set ? set : ".");
	snprintf(data, sizeof data, "%s/src/event/data", root);
	snprintf(path, sizeof path, "%s/tests/conformance/sigma/%s.jsonl", root, name);
	NEED(file_slurp(path, 1 << 26, &text, &n, &f));
	NEED(taxonomy = taxonomy_new(&f));
	struct str rest = {text, n};
	while (rest.p) {
		struct str line = str_cut(&rest, '\n');
		struct one_case c = {0};
		if (!line.n) continue;
		arena_init(&c.arena, 1 << 26);
		run_case(&c, line);
		json_tape_done(&c.tape);
		arena_done(&c.arena);
	}
	taxonomy_free(taxonomy);
	free(text);
	printf("# %s: %u cases, %u of them by the naive reading as well\n", name, n_cases, n_naive);
	NEED(n_cases > 0);
}

/* --- cases of other engines ----------------------------------------------------------------------------------------- */

/* Hayabusa's: {"fn", "rule", "event", "expect": bool}. Answers otherwise are those listed in hayabusa-differences.txt, by line, and no others. */
struct answer { struct one_case *c; bool engine, naive; };

static bool ask(void *arg, struct event *ev)
{
	struct answer *a = arg;
	const struct hit *hits;
	struct naive_event *e = naive_event_new(a->c->naive, ev);
	a->engine = a->engine || matcher_run(a->c->matcher, ev, &hits) > 0;
	a->naive = a->naive || (naive_count(a->c->naive) && naive_match(a->c->naive, 0, e, true, NULL) == NAIVE_YES);
	naive_event_free(e);
	return true;
}

static struct answer answer_of(struct one_case *c, struct str rule, struct str event)
{
	struct answer a = {c, false, false};
	struct input in;
	c->rules = rule_set_new();
	NEED(c->naive = naive_set_new(data));
	rule_set_fragments(c->rules);
	naive_set_fragments(c->naive);
	rule_set_add_text(c->rules, rule, STR("rule.yml"));
	rule_set_finish(c->rules);
	naive_set_add(c->naive, rule);
	naive_set_finish(c->naive);
	c->shapes = shape_table_new(taxonomy, 1 << 26);
	c->plan = plan_new(c->rules, &(struct plan_options){.any_logsource = true}, NULL);
	c->matcher = matcher_new(c->plan);
	input_of_memory(&in, event.p, event.n, STR("event.json"));
	input_unhashed(&in);
	CHECK(read_all(&in, c->shapes, ask, &a));
	matcher_free(c->matcher);
	plan_free(c->plan);
	shape_table_free(c->shapes);
	rule_set_free(c->rules);
	naive_set_free(c->naive);
	return a;
}

/* "LINE<tab>NAME<tab>why": lines that begin with # are comments. */
static bool is_listed(struct str list, uint64_t number, struct str name)
{
	while (list.p) {
		struct str line = str_cut(&list, '\n'), rest = line;
		uint64_t n;
		if (!line.n || line.p[0] == '#' || !str_u64(str_cut(&rest, '\t'), &n) || n != number) continue;
		CHECK(str_eq(str_cut(&rest, '\t'), name) && rest.n > 10);
		return true;
	}
	return false;
}

static void hayabusa_line(struct str line, uint64_t number, struct str list, unsigned *listed)
{
	struct one_case c = {.text = line};
	arena_init(&c.arena, 1 << 26);
	NEED(json_read_all(&c.tape, line, NULL));
	bool want = c.tape.v[member(&c, 0, "expect")].type == JSON_TRUE;
	c.id = string_at(&c, member(&c, 0, "fn"));
	struct answer a = answer_of(&c, json_raw(line, &c.tape.v[member(&c, 0, "rule")]), json_raw(line, &c.tape.v[member(&c, 0, "event")]));
	bool known = is_listed(list, number, c.id);
	if (known && a.engine == want) fail(&c, "is listed as a difference and is none", STR(""));
	if (!known && a.engine != want) fail(&c, "differs and is not listed", STR(""));
	if (a.naive != a.engine) fail(&c, "the naive reading differs from the engine", STR(""));
	*listed += known;
	n_cases++;
	json_tape_done(&c.tape);
	arena_done(&c.arena);
}

TEST(hayabusa)
{
	const char *corpora = check_corpora(), *set = getenv("EXHIBIT_SOURCE_ROOT");
	char path[8192], *text, *list;
	size_t n, n_list;
	unsigned listed = 0;
	if (!corpora) SKIP("corpora are not here");
	snprintf(root, sizeof root, "%s", set ? set : ".");
	snprintf(data, sizeof data, "%s/src/event/data", root);
	snprintf(path, sizeof path, "%s/tests/conformance/hayabusa-differences.txt", root);
	NEED(file_slurp(path, 1 << 26, &list, &n_list, NULL));
	snprintf(path, sizeof path, "%s/conformance/hayabusa_check_select.jsonl", corpora);
	NEED(file_slurp(path, 1 << 26, &text, &n, NULL));
	NEED(taxonomy = taxonomy_new(NULL));
	struct str rest = {text, n};
	for (uint64_t number = 1; rest.p; number++) {
		struct str line = str_cut(&rest, '\n');
		if (line.n) hayabusa_line(line, number, (struct str){list, n_list}, &listed);
	}
	printf("# %u cases of Hayabusa, %u answered otherwise and listed\n", n_cases, listed);
	CHECK(n_cases == 231);
	taxonomy_free(taxonomy);
	free(text);
	free(list);
}

TEST(documents) { run_file("documents"); }
TEST(log_sources) { run_file("logsource"); }
TEST(detections) { run_file("detection"); }
TEST(values) { run_file("values"); }
TEST(strings) { run_file("strings"); }
TEST(modifiers) { run_file("modifiers"); }
TEST(keywords) { run_file("keywords"); }
TEST(conditions) { run_file("conditions"); }
TEST(filters) { run_file("filters"); }

TEST_MAIN
