/* Documents: kinds, actions, metadata, log sources, errors with their place and line, files and folders, hostile texts. */
#include "unit/rules_show.h"
#include "base/file.h"
#include <sys/stat.h>

#define BODY "logsource: {category: c}\ndetection: {s: {f: 1}, condition: s}\n"

/* DOC-1, DOC-2: documents of a file, each of its kind. */
TEST(kinds)
{
	CHECK_STR(show_text("title: a\n" BODY "---\ntitle: b\n" BODY), "f=1; f=1");
	CHECK_STR(show_text("---\n---\ntitle: a\n" BODY "---\n"), "f=1");
	CHECK_STR(show_text("title: a\nname: a\n" BODY "---\ntitle: c\ncorrelation: {type: event_count, rules: a, timespan: 1m, condition: {gte: 2}}\n"), "f=1; (correlation)");
	CHECK_STR(show_text("title: a\n" BODY "---\ntitle: f\nlogsource: {category: c}\nfilter: {rules: any, x: {g: 2}, condition: not x}\n"), "(f=1 & !g=2)");
	/* correlation before filter before detection. */
	CHECK(strstr(show_text("title: a\ncorrelation: {}\nfilter: {}\n" BODY), "!correlation:"));
	CHECK(strstr(show_text("title: a\nfilter: {}\n" BODY), "!filter:"));
	CHECK_STR(show_text("- a\n"), "!syntax:1:1 a rule is a map of keys and values");
	CHECK_STR(show_text("just text\n"), "!syntax:1:1 a rule is a map of keys and values");
	CHECK_STR(show_text(""), "!unreadable:0:0 there is no rule in it");
	CHECK_STR(show_text("# nothing\n"), "!unreadable:0:0 there is no rule in it");
}

/* DOC-3, DOC-4: the legacy actions. */
TEST(actions)
{
	CHECK_STR(show_text("action: global\ntitle: t\nlogsource: {category: c}\ndetection: {condition: s}\n---\ndetection: {s: {f: 1}}\n---\ndetection: {s: {f: 2}, condition: not s}\n"), "f=1; !f=2");
	CHECK_STR(show_text("action: global\ntitle: t\n---\naction: global\nlogsource: {category: c}\n---\ndetection: {s: {f: 1}, condition: s}\n---\naction: reset\n---\ndetection: {s: {f: 1}, condition: s}\n"),
		"f=1; !metadata:11:1 the title is missing");
	CHECK_STR(show_text("title: t\n" BODY "---\naction: repeat\ndetection: {s: {f: 2}}\n---\naction: repeat\ndetection: {s: {g: 3}}\n"), "f=1; f=2; (f=2 & g=3)");
	CHECK_STR(show_text("action: repeat\ntitle: t\n" BODY), "!syntax:1:9 action: repeat has no rule before it to repeat");
	CHECK_STR(show_text("action: globl\n"), "!syntax:1:9 there is no action 'globl'; did you mean 'global'?");
	CHECK_STR(show_text("action: elsewhere\n"), "!syntax:1:9 there is no action 'elsewhere'; global, reset and repeat exist");
	/* Not into correlations. */
	CHECK(strstr(show_text("action: global\ntitle: t\n---\ncorrelation: {type: event_count, rules: a, timespan: 1m, condition: {gte: 2}}\n"), "!metadata:4:1 the title is missing"));
}

/* Each rule comes out again from its own pinned text alone, in its set's order, with the same title. */
static void pinned_again(const char *text)
{
	struct rule_set *s = show_load(text), *again = rule_set_new();
	struct buf want = {0}, got = {0};
	for (uint32_t i = 0; i < rule_set_count(s); i++) rule_set_add_pinned(again, rule_set_at(s, i)->pinned, STR("pinned.yml"));
	rule_set_finish(again);
	show_set(&want, s);
	show_set(&got, again);
	size_t refused = str_find_byte(buf_view(&want), '!', 0);
	CHECK(rule_set_count(s) && rule_set_count(s) == rule_set_count(again));
	if (refused == SIZE_MAX) CHECK_STR(got.p, want.p);
	for (uint32_t i = 0; i < rule_set_count(s) && i < rule_set_count(again); i++) {
		CHECK(str_eq(rule_set_at(s, i)->info.title, rule_set_at(again, i)->info.title));
		CHECK(str_eq(rule_set_at(s, i)->pinned, rule_set_at(again, i)->pinned) || rule_set_at(s, i)->pinned.n > 60);
	}
	buf_done(&want);
	buf_done(&got);
	rule_set_free(s);
	rule_set_free(again);
}

TEST(pinned)
{
	pinned_again("title: a\n" BODY "---\ntitle: b\n" BODY);
	pinned_again("action: global\ntitle: t\nlogsource: {category: c}\ndetection: {condition: s}\n---\ndetection: {s: {f: 1}}\n---\ndetection: {s: {f: 2}, condition: not s}\n");
	pinned_again("action: global\ntitle: t\n---\naction: global\nlogsource: {category: c}\n---\ndetection: {s: {f: 1}, condition: s}\n---\naction: reset\n---\ntitle: u\n" BODY);
	pinned_again("title: t\n" BODY "---\naction: repeat\ndetection: {s: {f: 2}}\n---\naction: repeat\ndetection: {s: {g: 3}}");
	/* Both kinds, mixed: a global after the rule that is repeated, a reset between them. */
	pinned_again("action: global\ntitle: t\nlevel: high\n---\n" BODY "---\naction: global\ntitle: u\ndetection: {t: {h: 9}}\n---\naction: repeat\ndetection: {s: {g: 3}}\n");
	pinned_again("action: global\ntitle: t\nlevel: high\n---\n" BODY "---\naction: reset\n---\naction: global\ntitle: u\n---\naction: repeat\ndetection: {s: {g: 3}}\n---\n" BODY);
	pinned_again("title: a\nname: a\n" BODY "---\ntitle: c\ncorrelation: {type: event_count, rules: a, timespan: 1m, condition: {gte: 2}}\n");
}

/* DOC-5: what is required, and what a wrong value costs. */
TEST(required)
{
	CHECK_STR(show_text(BODY), "!metadata:1:1 the title is missing");
	CHECK_STR(show_text("title:\n" BODY), "!metadata:1:7 the title is missing");
	CHECK_STR(show_text("title: t\ndetection: {s: {f: 1}, condition: s}\n"), "!logsource:1:1 logsource is missing: product, category or service");
	CHECK_STR(show_text("title: t\nlogsource: {category: c}\n"), "!detection:1:1 detection is missing");
	CHECK_STR(show_text("title: t\nlogsource: {category: c}\ndetection: x\n"), "!detection:3:12 detection is a map of search identifiers and a condition");
	CHECK_STR(show_text("title: t\nlevel: hihg\n" BODY), "!metadata:2:8 there is no level 'hihg'; did you mean 'high'?");
	CHECK_STR(show_text("title: t\nlevel: [high]\n" BODY), "!metadata:2:8 the level must be informational, low, medium, high or critical");
	CHECK(strstr(show_warnings("title: t\nlevel: low\nstatus: stabel\n" BODY), "3:9 there is no status 'stabel'; did you mean 'stable'?"));
	CHECK_STR(show_warnings("title: t\n" BODY), "1:1 no level; it is taken as medium");
	CHECK_STR(show_warnings("title: t\nlevel: low\ntags: [a.b, {c: d}]\n" BODY), "3:13 tags is a list of texts; this is none, and not used");
}

TEST(metadata)
{
	struct rule_set *s = show_load("title: T\nid: 929a690e-bef0-4204-a928-ef5e620d6fcc\nname: n\nlevel: critical\nstatus: test\ndescription: d\nauthor: a\n"
		"tags: [attack.t1059, attack.execution]\nfalsepositives: [none]\nfields: [A, B]\ncustom: {x: 1}\nregression_tests_path: p\nreferences: []\n" BODY);
	NEED(rule_set_count(s) == 1);
	CHECK(rule_set_warning_count(s) == 0);
	const struct rule *r = rule_set_at(s, 0);
	CHECK(str_eq(r->info.title, STR("T")) && str_eq(r->info.id, STR("929a690e-bef0-4204-a928-ef5e620d6fcc")) && str_eq(r->name, STR("n")));
	CHECK(r->info.level == LEVEL_CRITICAL && str_eq(r->status, STR("test")) && r->info.n_tags == 2 && str_eq(r->info.tags[1], STR("attack.execution")));
	CHECK(r->n_fields == 2 && str_eq(r->fields[1], STR("B")) && r->n_falsepositives == 1 && r->report);
	CHECK(str_eq(r->info.logsource.category, STR("c")) && !r->info.logsource.product.n);
	rule_set_free(s);
}

/* DOC-6, DOC-8: accepted, with a warning. */
TEST(id_and_taxonomy)
{
	CHECK_STR(show_text("title: t\nid: my-rule\nlevel: low\n" BODY), "f=1");
	CHECK_STR(show_warnings("title: t\nid: my-rule\nlevel: low\n" BODY), "2:5 the id is no UUID");
	CHECK_STR(show_warnings("title: t\nlevel: low\ntaxonomy: ecs\n" BODY), "3:11 fields are taken as named in Sigma's taxonomy, not 'ecs'");
	CHECK_STR(show_warnings("title: t\nlevel: low\ntaxonomy: sigma\n" BODY), "");
	/* Without id, the name or the title stands for it. */
	struct rule_set *s = show_load("title: T\nname: n\n" BODY "---\ntitle: U\n" BODY);
	CHECK(str_eq(rule_set_at(s, 0)->info.id, STR("n")) && str_eq(rule_set_at(s, 1)->info.id, STR("U")));
	rule_set_free(s);
}

/* DOC-10: status does not keep a rule out. */
TEST(status)
{
	CHECK_STR(show_text("title: t\nstatus: deprecated\n" BODY), "f=1");
	CHECK_STR(show_text("title: t\nstatus: unsupported\n" BODY), "f=1");
}

/* LS-1. */
TEST(logsource)
{
	CHECK_STR(show_text("title: t\nlogsource: {definition: x}\ndetection: {s: {f: 1}, condition: s}\n"), "!logsource:2:12 logsource must state at least one of product, category and service");
	CHECK_STR(show_text("title: t\nlogsource: windows\ndetection: {s: {f: 1}, condition: s}\n"), "!logsource:2:12 logsource must be a map with product, category or service");
	CHECK_STR(show_text("title: t\nlogsource: {product: [a, b]}\ndetection: {s: {f: 1}, condition: s}\n"), "!logsource:2:22 product, category and service are single texts");
	CHECK_STR(show_warnings("title: t\nlevel: low\nlogsource: {product: Windows, catgory: x, custom: y}\ndetection: {s: {f: 1}, condition: s}\n"),
		"3:22 'Windows' is written in lower case; 3:31 'catgory' does not select events; did you mean 'category'?");
	struct rule_set *s = show_load("title: t\nlogsource: {product: Windows, service: sysmon, definition: d}\ndetection: {s: {f: 1}, condition: s}\n");
	CHECK(str_eq(rule_set_at(s, 0)->info.logsource.product, STR("windows")) && str_eq(rule_set_at(s, 0)->info.logsource.service, STR("sysmon")));
	rule_set_free(s);
}

/* The YAML layer's refusals come through: duplicate keys, tabs. Later documents still load. */
TEST(syntax)
{
	CHECK(strstr(show_text("title: a\ntitle: b\n" BODY "---\ntitle: c\n" BODY), "f=1; !syntax:2:1 "));
	CHECK(strstr(show_text("title: t\n\tx: 1\n---\ntitle: c\n" BODY), "f=1; !syntax:2:1 "));
	CHECK_STR(show_warnings("title: t\nlevel: low\nlogsource: {category: c}\ndetection: {s: {f: 1}, timeframe: 5m, condition: s}\n"),
		"4:24 timeframe has no effect; write a correlation with a timespan");
}

/* A refusal shows the line that it points into, also deep in a file of many documents. */
TEST(caret_line)
{
	struct rule_set *s = show_load("title: a\n" BODY "---\ntitle: b\nlogsource: {category: c}\ndetection:\n  s:\n    Image|endwith: x\n  condition: s\n");
	NEED(rule_set_refused_count(s) == 1);
	const struct rules_refused *r = rule_set_refused(s, 0);
	CHECK(str_eq(r->file, STR("test.yml")) && r->line == 9 && r->column == 11 && str_eq(r->category, STR("modifier")));
	CHECK(str_eq(r->source_line, STR("    Image|endwith: x")));
	CHECK(str_starts(str_sub(r->source_line, r->column - 1, SIZE_MAX), STR("endwith")));
	rule_set_free(s);
}

/* The rule's own text and its hash, for findings and cases. */
TEST(own_text)
{
	static const char text[] = "title: a\n" BODY "---\ntitle: b\n" BODY;
	uint8_t hash[SHA256_SIZE];
	struct rule_set *s = show_load(text);
	NEED(rule_set_count(s) == 2);
	const struct rule *r = rule_set_at(s, 1);
	CHECK(str_eq(r->text, STR("---\ntitle: b\n" BODY)) && r->line == 4);
	sha256_of(r->text.p, r->text.n, hash);
	CHECK(!memcmp(hash, r->info.sha256, sizeof hash));
	rule_set_free(s);
}

/* Fragments, where they are welcome; what has a title or a log source is held to the rules as ever. */
TEST(fragments)
{
	struct rule_set *s = rule_set_new();
	struct buf b = {0};
	rule_set_fragments(s);
	rule_set_add_text(s, STR("detection: {selection: {f: 1}}\n---\ndetection: {a: {f: 1}, b: {f: 2}}\n---\ntitle: t\ndetection: {a: {f: 1}, condition: a}\n---\n" BODY), STR("t"));
	rule_set_finish(s);
	show_set(&b, s);
	CHECK_STR(b.p, "f=1; !condition:3:12 the condition is missing; !logsource:5:1 logsource is missing: product, category or service; !metadata:8:1 the title is missing");
	buf_done(&b);
	rule_set_free(s);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void put(const char *folder, const char *name, const char *text)
{
	char path[300];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	NEED(f);
	fputs(text, f);
	fclose(f);
}

static const char *titles(struct rule_set *s)
{
	static struct buf b;
	b.n = 0;
	for (uint32_t i = 0; i < rule_set_count(s); i++) buf_printf(&b, "%s%.*s", i ? " " : "", STR_FMT(rule_set_at(s, i)->info.title));
	buf_byte(&b, 0);
	return b.p;
}

TEST(folders)
{
	char folder[] = "/tmp/exhibit-rules-XXXXXX", path[300];
	struct fault f = FAULT_INIT;
	NEED(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/sub", folder);
	mkdir(path, 0700);
	put(folder, "b.yml", "title: b\n" BODY);
	put(folder, "a.yaml", "title: a\n" BODY);
	put(folder, "sub.yml", "title: subyml\n" BODY);
	put(folder, "sub/x.yml", "title: x\n" BODY);
	put(folder, "readme.txt", "no rule");
	put(folder, ".hidden.yml", "title: hidden\n" BODY);
	snprintf(path, sizeof path, "%s/sub/loop", folder);
	CHECK(symlink("..", path) == 0);
	snprintf(path, sizeof path, "%s/gone.yml", folder);
	CHECK(symlink("nowhere", path) == 0);
	snprintf(path, sizeof path, "%s/pipe.yml", folder);
	CHECK(mkfifo(path, 0600) == 0);
	struct rule_set *s = rule_set_new();
	snprintf(path, sizeof path, "%s/", folder);
	CHECK(rule_set_add_path(s, path, &f));
	rule_set_finish(s);
	CHECK_STR(titles(s), "a b subyml x"); /* in the byte order of the paths: '.' before '/' */
	CHECK(rule_set_refused_count(s) == 3);
	for (uint32_t i = 0; i < rule_set_refused_count(s); i++) CHECK(str_eq(rule_set_refused(s, i)->category, STR("unreadable")));
	rule_set_free(s);
	s = rule_set_new();
	snprintf(path, sizeof path, "%s/readme.txt", folder);
	CHECK(rule_set_add_path(s, path, &f)); /* asked for by name: read, whatever it is called */
	CHECK(rule_set_refused_count(s) == 1);
	snprintf(path, sizeof path, "%s/nothing", folder);
	CHECK(!rule_set_add_path(s, path, &f) && f.kind == FAULT_IO && f.path[0]);
	rule_set_free(s);
	char command[400];
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	CHECK(system(command) == 0);
}

TEST(placeholder_files)
{
	char path[] = "/tmp/exhibit-placeholders-XXXXXX";
	close(mkstemp(path));
	static const struct { const char *text; bool ok; } files[] = {{"a: 1\nb: [x, y]\n", true}, {"- a\n", false}, {"a: {b: c}\n", false}, {"a: [[b]]\n", false}, {"a: 1\na: 2\n", false}, {"", false}};
	for (size_t i = 0; i < COUNT(files); i++) {
		struct fault f = FAULT_INIT;
		FILE *out = fopen(path, "w");
		fputs(files[i].text, out);
		fclose(out);
		struct rule_set *s = rule_set_new();
		CHECK(rule_set_placeholders(s, path, &f) == files[i].ok);
		CHECK(files[i].ok || (f.text[0] && f.path[0]));
		rule_set_free(s);
	}
	unlink(path);
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

/* A file of nothing but mistakes ends after a thousand; its neighbours are not touched. */
TEST(many_mistakes)
{
	struct buf b = {0};
	for (int i = 0; i < 3000; i++) buf_lit(&b, "--- {a: b}\n");
	struct rule_set *s = rule_set_new();
	rule_set_add_text(s, buf_view(&b), STR("bad.yml"));
	rule_set_add_text(s, STR("title: t\n" BODY), STR("good.yml"));
	rule_set_finish(s);
	CHECK(rule_set_count(s) == 1 && rule_set_refused_count(s) == 1001);
	rule_set_free(s);
	buf_done(&b);
}

/* Values of a megabyte, thousands of search identifiers, lists in lists: a limit, not an end. */
TEST(hostile_sizes)
{
	struct buf b = {0};
	buf_lit(&b, "title: t\nlogsource: {category: c}\ndetection:\n  s:\n    f|windash|contains: '");
	for (int i = 0; i < 1 << 20; i++) buf_byte(&b, 'x');
	buf_lit(&b, "*-a'\n  condition: s\n---\ntitle: u\nlogsource: {category: c}\ndetection:\n");
	for (int i = 0; i < 5000; i++) buf_printf(&b, "  s%d: {f: 1}\n", i);
	buf_lit(&b, "  condition: s\n---\ntitle: v\nlogsource: {category: c}\ndetection:\n  s: ");
	for (int i = 0; i < 40; i++) buf_byte(&b, '[');
	buf_byte(&b, '1');
	for (int i = 0; i < 40; i++) buf_byte(&b, ']');
	buf_lit(&b, "\n  condition: s\n");
	struct rule_set *s = rule_set_new();
	rule_set_add_text(s, buf_view(&b), STR("t.yml"));
	rule_set_finish(s);
	CHECK(rule_set_count(s) == 1 && rule_set_refused_count(s) == 2);
	for (uint32_t i = 0; i < rule_set_refused_count(s); i++) CHECK(str_eq(rule_set_refused(s, i)->category, STR("limit")));
	rule_set_free(s);
	buf_done(&b);
}

/* One rule's memory is bounded, so that it does not take that of the others. */
TEST(hostile_memory)
{
	struct buf b = {0};
	buf_lit(&b, "title: t\nlogsource: {category: c}\ndetection:\n  s:\n    f|windash:\n");
	for (int i = 0; i < 2000; i++) buf_printf(&b, "    - ' -a%d -b -c -d -e'\n", i); /* 3,125 alternatives each */
	buf_lit(&b, "  condition: s\n");
	struct rule_set *s = rule_set_new();
	rule_set_add_text(s, buf_view(&b), STR("bad.yml"));
	rule_set_add_text(s, STR("title: t\n" BODY), STR("good.yml"));
	rule_set_finish(s);
	CHECK(rule_set_count(s) == 1 && rule_set_refused_count(s) == 1 && str_eq(rule_set_refused(s, 0)->category, STR("limit")));
	rule_set_free(s);
	buf_done(&b);
}

/* --- the published rules ------------------------------------------------------------------------------------------ */

/* All active rules load but those with placeholders, each refused by the placeholder's name; nothing else is found wanting. */
TEST(corpus)
{
	static const char *const trees[] = {"rules", "rules-compliance", "rules-emerging-threats", "rules-placeholder", "rules-threat-hunting"};
	const char *corpora = check_corpora();
	struct fault f = FAULT_INIT;
	char path[5000];
	if (!corpora) SKIP("corpora are not here");
	struct rule_set *s = rule_set_new();
	for (size_t i = 0; i < COUNT(trees); i++) {
		snprintf(path, sizeof path, "%s/sigma/%s", corpora, trees[i]);
		NEED(rule_set_add_path(s, path, &f));
	}
	rule_set_finish(s);
	CHECK(rule_set_count(s) == 3755);
	CHECK(rule_set_refused_count(s) == 25);
	CHECK(rule_set_warning_count(s) == 0);
	for (uint32_t i = 0; i < rule_set_refused_count(s); i++) {
		const struct rules_refused *r = rule_set_refused(s, i);
		CHECK(str_eq(r->category, STR("placeholder")) && r->line && r->column);
		CHECK(str_starts(r->reason, STR("placeholder %")) && r->source_line.n && str_sub(r->source_line, r->column - 1, 1).p[0] == '\'');
	}
	rule_set_free(s);
}
TEST_MAIN
