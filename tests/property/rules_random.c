/* Random rule texts on random events: rule set and engine give what the naive reading gives, modifiers, expansion, escapes, types of
 * values and conditions included. What the program refuses is passed over, but what it takes the naive reading must take as well.
 * rules_random [--seed S] [--worlds N]: 150 worlds of 40 rules and 30 events without arguments. */
#include "base/base.h"
#include "match/match.h"
#include "tests/check.h"
#include "tests/oracle/naive.h"
#include "tests/oracle/read_all.h"

enum { RULES = 40, EVENTS = 30 };
static uint64_t seed = 1, worlds = 150, state;
static char data[8192];
static uint64_t pairs, hits, taken, refused;

static uint64_t next(void)
{
	state += 0x9e3779b97f4a7c15u;
	uint64_t z = state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}
static uint32_t below(uint32_t n) { return (uint32_t)(next() % n); }
static bool one_in(uint32_t n) { return below(n) == 0; }
#define PICK(array) (array)[below(COUNT(array))]

/* --- values -------------------------------------------------------------------------------------------------------- */

static const char *const atoms[] = {"a", "B", "ab", "AB", "foo", "bar", "x", "1", "12", "0", ".", " ", "-", "/", " -a", " /b", "–x", "—", "é", "É", "ß", "Σ", "ς", "ſ", "K",
	"😀", "\\", "C:\\", "\\\\", ":", "%", "\n", "\t", "'", "10.0.0.1", "true", "null", "Zm9v"};
static const char *const specials[] = {"*", "?", "**", "\\*", "\\?", "\\\\*", "*a", "a*", "%p%", "\\%", "%p", "%%"};

static void put_text(struct buf *b, bool rule)
{
	uint32_t n = below(5);
	for (uint32_t i = 0; i < n; i++) {
		const char *atom = rule && one_in(4) ? PICK(specials) : PICK(atoms);
		buf_str(b, str_of(atom));
	}
}

/* In double quotes, with the escapes that YAML and JSON share. */
static void put_quoted(struct buf *b, struct str s)
{
	buf_byte(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\') buf_byte(b, '\\');
		if (s.p[i] == '\n') buf_lit(b, "\\n");
		else if (s.p[i] == '\t') buf_lit(b, "\\t");
		else buf_byte(b, s.p[i]);
	}
	buf_byte(b, '"');
}

static void put_random_quoted(struct buf *b, bool rule)
{
	struct buf text = {0};
	buf_byte(&text, 0);
	text.n = 0;
	put_text(&text, rule);
	put_quoted(b, buf_view(&text));
	buf_done(&text);
}

static const char *const rule_scalars[] = {"1", "12", "0", "-1", "1.0", "1.5", "0x0c", "012", "true", "false", "null", "~", "''", "foo", "10.0.0.1", "1e3", "+1", "yes", "2021-03-03", "ab"};
static const char *const event_scalars[] = {"1", "12", "0", "-1", "1.0", "1.5", "12.0", "true", "false", "null", "\"\"", "1000", "\"1\"", "\"12\"", "\"1.0\"", "\"012\"", "\"true\"", "\"FALSE\"",
	"\"10.0.0.1\"", "\"10.9.9.9\"", "\"::1\"", "\"2021-03-03T06:12:59Z\"", "\"2021-01-01\"", "1614755579", "18446744073709551615", "\"Zm9vYg==\"", "\"xZm9vx\""};

/* --- rules ----------------------------------------------------------------------------------------------------------- */

static const char *const fields[] = {"f", "g", "h", "a.b", "F", ""};
static const char *const modifiers[] = {"contains", "startswith", "endswith", "all", "neq", "cased", "windash", "expand", "base64", "base64offset", "wide", "utf16", "utf16be"};
static const char *const chains[] = {"", "", "", "|contains", "|startswith", "|endswith", "|contains|all", "|contains|windash", "|windash|contains|all", "|neq", "|contains|neq", "|cased", "|contains|cased",
	"|base64offset|contains", "|wide|base64offset|contains", "|base64|contains", "|utf16|base64", "|expand", "|contains|expand", "|expand|windash|contains", "|all", "|wide|contains"};

/* What the modifier asks of its values, so that most rules load. */
static void put_special_item(struct buf *b, const char *field)
{
	static const char *const regexes[] = {"'^a'", "'b$'", "'[a-f]+1'", "'(foo|bar)'", "'a.b'", "'é'", "'^$'", "'(?i)FOO'", "'\\d{2}'", "'.*'", "'\\bfoo\\b'", "'x?'"};
	static const char *const nets[] = {"10.0.0.0/8", "'::1/128'", "10.0.0.1", "0.0.0.0/0", "'::/0'", "[10.0.0.0/16, 192.168.0.0/16]"};
	static const char *const re_flags[] = {"", "|i", "|m", "|s", "|i|s", "|neq", "|all", "|contains", "|i|neq"};
	static const char *const ops[] = {"gt", "gte", "lt", "lte"}, *const numbers[] = {"1", "0", "12", "-1", "1.5", "'12'", "[1, 12]"};
	static const char *const parts[] = {"minute: 12", "hour: 6", "day: 3", "week: 9", "month: [1, 3]", "year|gte: 2021", "hour|lt: 12", "minute|neq: 12"};
	static const char *const exists[] = {"exists: true", "exists: false", "exists|neq: true"};
	static const char *const refs[] = {"fieldref: g", "fieldref: h", "fieldref|contains: g", "fieldref|startswith: h", "fieldref|endswith: g", "fieldref|neq: f", "fieldref: [g, h]", "fieldref|all: [g, h]", "fieldref: a.b"};
	if (!*field) field = "f";
	switch (below(6)) {
	case 0: buf_printf(b, "      %s|re%s: %s\n", field, PICK(re_flags), PICK(regexes)); return;
	case 1: buf_printf(b, "      %s|cidr%s: %s\n", field, one_in(4) ? "|neq" : "", PICK(nets)); return;
	case 2: buf_printf(b, "      %s|%s%s: %s\n", field, PICK(ops), one_in(4) ? "|neq" : "", PICK(numbers)); return;
	case 3: buf_printf(b, "      %s|%s\n", field, PICK(parts)); return;
	case 4: buf_printf(b, "      %s|%s\n", field, PICK(exists)); return;
	case 5: buf_printf(b, "      %s|%s\n", field, PICK(refs)); return;
	}
}

static void put_value(struct buf *b)
{
	if (one_in(3)) buf_str(b, str_of(PICK(rule_scalars)));
	else put_random_quoted(b, true);
}

static void put_item(struct buf *b, uint32_t number)
{
	const char *field = PICK(fields);
	if (number == 0 && one_in(3)) {
		put_special_item(b, field);
		return;
	}
	buf_printf(b, "      \"%s%s", field, number == 0 || one_in(2) ? PICK(chains) : "");
	for (uint32_t i = one_in(6) ? 1 + below(2) : 0; i; i--) buf_printf(b, "|%s", PICK(modifiers));
	buf_lit(b, "\": ");
	uint32_t n = one_in(2) ? 1 : 1 + below(3);
	if (n > 1 || one_in(8)) buf_byte(b, '[');
	bool list = b->p[b->n - 1] == '[';
	for (uint32_t i = 0; i < n; i++) {
		if (i) buf_lit(b, ", ");
		put_value(b);
	}
	buf_printf(b, "%s\n", list ? "]" : "");
}

static void put_search(struct buf *b, const char *name)
{
	buf_printf(b, "  %s:\n", name);
	if (one_in(5)) {
		for (uint32_t i = 1 + below(3); i; i--) {
			buf_lit(b, "    - ");
			put_value(b);
			buf_byte(b, '\n');
		}
		return;
	}
	bool maps = one_in(4);
	for (uint32_t m = maps ? 1 + below(2) : 1; m; m--) {
		if (maps) buf_lit(b, "    -\n");
		for (uint32_t i = 0, n = 1 + below(2); i < n; i++) put_item(b, i);
	}
}

static void put_rule(struct buf *b, uint32_t id)
{
	static const char *const conditions[] = {"s1", "s1 and s2", "s1 or s2", "s1 and not s2", "not s1", "1 of s*", "all of s*", "1 of them", "all of them", "s1 and not 1 of f*", "(s1 or s2) and not _f1",
		"not (s1 and s2)", "s1 and not (s2 or f1)", "not not s1", "all of s* or f1", "[s1, s2 and f1]", "1 of *1", "any of s*", "1 of _*", "s1 and s2 or f1 and not s1"};
	buf_printf(b, "title: r%u\nid: r%u\nlevel: low\nlogsource: {category: test}\ndetection:\n", id, id);
	put_search(b, "s1");
	put_search(b, "s2");
	put_search(b, "f1");
	put_search(b, "_f1");
	buf_printf(b, "  condition: %s\n---\n", PICK(conditions));
}

/* --- events ---------------------------------------------------------------------------------------------------------- */

static void put_cell(struct buf *b, bool list)
{
	if (!list && one_in(6)) {
		buf_byte(b, '[');
		for (uint32_t i = 0, n = below(4); i < n; i++) {
			if (i) buf_byte(b, ',');
			put_cell(b, true);
		}
		buf_byte(b, ']');
	} else if (one_in(3)) {
		buf_str(b, str_of(PICK(event_scalars)));
	} else {
		put_random_quoted(b, false);
	}
}

static void put_event(struct buf *b)
{
	static const char *const names[] = {"f", "g", "h", "F", "other"};
	buf_lit(b, "{\"n\":7");
	for (size_t i = 0; i < COUNT(names); i++) {
		if (one_in(3)) continue;
		buf_printf(b, ",\"%s\":", names[i]);
		put_cell(b, false);
	}
	if (one_in(2)) {
		buf_printf(b, one_in(3) ? ",\"a.b\":" : ",\"a\":{\"b\":");
		bool flat = b->p[b->n - 2] == '"' && b->p[b->n - 3] == 'b' && b->p[b->n - 4] == '.';
		put_cell(b, false);
		if (!flat) buf_byte(b, '}');
	}
	buf_lit(b, "}\n");
}

/* --- worlds ------------------------------------------------------------------------------------------------------------ */

struct world {
	struct naive_set *naive;
	struct rule_set *rules;
	struct matcher *m;
	struct str events;
	uint32_t naive_of[RULES];
	uint64_t seed;
};

static void differ(const struct world *w, const struct rule *r, struct event *ev, enum naive_verdict v)
{
	struct buf b = {0};
	buf_str(&b, ev->raw.p ? ev->raw : STR(""));
	if (!ev->raw.p) event_fields_json(ev, &b);
	printf("# seed %llu: the naive reading says %d\n%.*s\n# event: %.*s\n", (unsigned long long)w->seed, v, STR_FMT(r->text), STR_FMT(buf_view(&b)));
	buf_done(&b);
	check_failures++;
}

static bool each_event(void *arg, struct event *ev)
{
	struct world *w = arg;
	const struct hit *h;
	struct naive_event *e = naive_event_new(w->naive, ev);
	uint32_t n = matcher_run(w->m, ev, &h), at = 0;
	for (uint32_t i = 0; i < rule_set_count(w->rules) && check_failures < 3; i++) {
		enum naive_verdict v = naive_match(w->naive, w->naive_of[i], e, true, NULL);
		bool hit = at < n && h[at].rule->index == i;
		if (hit != (v == NAIVE_YES)) differ(w, rule_set_at(w->rules, i), ev, v);
		at += hit;
		hits += hit;
		pairs++;
	}
	naive_event_free(e);
	return check_failures < 3;
}

/* The naive rule of the same id; a rule that only the program takes is a failure. */
static bool join(struct world *w)
{
	bool all = true;
	for (uint32_t i = 0; i < rule_set_count(w->rules); i++) {
		const struct rule *r = rule_set_at(w->rules, i);
		uint32_t k = 0;
		while (k < naive_count(w->naive) && !str_eq(naive_id(w->naive, k), r->info.id)) k++;
		w->naive_of[i] = k;
		if (k < naive_count(w->naive)) continue;
		printf("# seed %llu: the naive reading does not take\n%.*s\n", (unsigned long long)w->seed, STR_FMT(r->text));
		check_failures++;
		all = false;
	}
	return all;
}

static void run_world(uint64_t world_seed, const char *placeholder_path, struct str placeholders, struct taxonomy *taxonomy)
{
	struct buf text = {0}, events = {0};
	struct world w = {.seed = world_seed};
	struct input in;
	state = world_seed;
	for (uint32_t i = 0; i < RULES; i++) put_rule(&text, i);
	for (uint32_t i = 0; i < EVENTS; i++) put_event(&events);
	NEED(w.naive = naive_set_new(data));
	w.rules = rule_set_new();
	NEED(rule_set_placeholders(w.rules, placeholder_path, NULL) && naive_set_placeholders(w.naive, placeholders));
	rule_set_add_text(w.rules, buf_view(&text), STR("random.yml"));
	rule_set_finish(w.rules);
	naive_set_add(w.naive, buf_view(&text));
	naive_set_finish(w.naive);
	taken += rule_set_count(w.rules);
	refused += rule_set_refused_count(w.rules);
	struct plan *plan = plan_new(w.rules, &(struct plan_options){.any_logsource = true, .engine = (int)(world_seed % 4)}, NULL);
	struct shape_table *shapes = shape_table_new(taxonomy, 1 << 26);
	w.m = matcher_new(plan);
	input_of_memory(&in, events.p, events.n, STR("events.jsonl"));
	input_unhashed(&in);
	if (join(&w)) CHECK(read_all(&in, shapes, each_event, &w));
	matcher_free(w.m);
	plan_free(plan);
	shape_table_free(shapes);
	rule_set_free(w.rules);
	naive_set_free(w.naive);
	buf_done(&text);
	buf_done(&events);
}

TEST(rule_texts_mean_what_the_naive_reading_says)
{
	static const char placeholders[] = "p: [a, 'b*', 'foo-x']\n";
	char path[] = "/tmp/placeholders.XXXXXX";
	const char *root = getenv("EXHIBIT_SOURCE_ROOT");
	struct taxonomy *taxonomy = taxonomy_new(NULL);
	int fd = mkstemp(path);
	NEED(fd >= 0 && write(fd, placeholders, sizeof placeholders - 1) == (ssize_t)sizeof placeholders - 1);
	close(fd);
	snprintf(data, sizeof data, "%s/src/event/data", root ? root : ".");
	for (uint64_t i = 0; i < worlds && check_failures < 3; i++) run_world(seed + i, path, STR(placeholders), taxonomy);
	unlink(path);
	taxonomy_free(taxonomy);
	printf("# seed %llu: %llu rules taken, %llu refused; %llu pairs, %llu matches\n", (unsigned long long)seed, (unsigned long long)taken, (unsigned long long)refused,
		(unsigned long long)pairs, (unsigned long long)hits);
	CHECK(check_failures || (taken > worlds * RULES / 4 && hits > pairs / 50 && hits < pairs * 3 / 4));
}

int main(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (!strcmp(argv[i], "--seed")) seed = strtoull(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--worlds")) worlds = strtoull(argv[++i], NULL, 10);
	}
	return check_run_all();
}
