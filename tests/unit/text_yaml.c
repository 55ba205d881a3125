/* text/yaml.h: trees, positions, what is refused and where it says so; the published rules as a whole. */
#include "tests/check.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "text/yaml.h"
#include <dirent.h>

/* The tree in one line: plain text as it is, quoted in "", block in ||, maps {k:v}, lists [..]. */
static void show(struct buf *b, const struct yaml_node *n)
{
	static const char *const marks[] = {"", "\"", "|"};
	if (n->kind == YAML_SCALAR) {
		buf_printf(b, "%s%.*s%s", marks[n->style], STR_FMT(n->text), marks[n->style]);
		return;
	}
	buf_byte(b, n->kind == YAML_MAP ? '{' : '[');
	for (uint32_t i = 0; i < n->n; i++) {
		if (i) buf_byte(b, ',');
		if (n->kind == YAML_MAP) {
			show(b, n->pairs[i].key);
			buf_byte(b, ':');
		}
		show(b, n->kind == YAML_MAP ? n->pairs[i].value : n->items[i]);
	}
	buf_byte(b, n->kind == YAML_MAP ? '}' : ']');
}

static struct arena arena = {.budget = 8 << 20};

/* All documents, joined by blanks; a refused one as !line:column text. */
static const char *all(const char *text, const struct yaml_limits *limits)
{
	static struct buf b;
	struct fault f = FAULT_INIT;
	struct yaml_document doc;
	struct yaml_reader *r = yaml_reader_new(str_of(text), &arena, limits, &f);
	b.n = 0;
	if (!r) {
		buf_printf(&b, "!%u:%u %s", f.line, f.column, f.text);
		return b.p;
	}
	for (enum yaml_next got; (got = yaml_next(r, &doc, &f)) != YAML_END;) {
		if (b.n) buf_byte(&b, ' ');
		if (got == YAML_DOCUMENT) show(&b, doc.root);
		else buf_printf(&b, "!%u:%u %s", f.line, f.column, f.text);
	}
	yaml_reader_free(r);
	buf_byte(&b, 0);
	return b.p;
}

TEST(trees)
{
	CHECK_STR(all("a: 1\nb: 'x'\nc:\n  - p\n  - \"q\\n\"\n  - |\n    r\n  - []\n  - {}\n", NULL), "{a:1,b:\"x\",c:[p,\"q\n\",|r\n|,[],{}]}");
	CHECK_STR(all("detection:\n    sel:\n        Image|endswith: '\\cmd.exe'\n        n: 00000429\n    condition: sel # c\n", NULL),
		"{detection:{sel:{Image|endswith:\"\\cmd.exe\",n:00000429},condition:sel}}");
	CHECK_STR(all("a: 1\n---\nb: 2\n--- c\n...\n", NULL), "{a:1} {b:2} c");
	CHECK_STR(all("", NULL), "");
	CHECK_STR(all("# only a comment\n", NULL), "");
	CHECK_STR(all("\xef\xbb\xbf" "a: \xc3\xa9\n", NULL), "{a:\xc3\xa9}");
	CHECK_STR(all("a: >\n  one\n  two\n\nb: plain\n  goes on\n", NULL), "{a:|one two\n|,b:plain goes on}");
	CHECK_STR(all("x: &a [1, 2]\ny: *a\nz: {k: *a}\n", NULL), "{x:[1,2],y:[1,2],z:{k:[1,2]}}");
	CHECK_STR(all("a:\r\n  - b\r\n", NULL), "{a:[b]}");
}

TEST(faults_say_where)
{
	CHECK_STR(all("a: 1\nb: 2\na: 3\n", NULL), "!3:1 duplicate key 'a'; it stands already in line 1, column 1");
	CHECK_STR(all("a: 1\n\"a\": 3\n", NULL), "!2:1 duplicate key 'a'; it stands already in line 1, column 1");
	CHECK_STR(all("k\xc3\xa9: {\xc3\xa9\xc3\xa9: 1, d: 1, d: 2}\n", NULL), "!1:22 duplicate key 'd'; it stands already in line 1, column 16");
	CHECK_STR(all("a: *nope\n", NULL), "!1:4 no anchor '&nope' before this alias");
	CHECK_STR(all("a: &x [*x]\n", NULL), "!1:8 alias '*x' stands inside its own anchor");
	CHECK_STR(all("<<: {a: 1}\n", NULL), "!1:1 merge keys (<<) are not supported; write the keys out");
	CHECK_STR(all("'<<': 1\n", NULL), "{\"<<\":1}");
	CHECK_STR(all("? [a, b]\n: 1\n", NULL), "!1:3 a key must be a single value, not a list");
	CHECK_STR(all("a: b: c\n", NULL), "!1:5 mapping values are not allowed in this context; quote a value that has ': ' in it, or end the line before with ':'");
	CHECK_STR(all("a:\n\t- b\n", NULL),
		"!2:1 found character that cannot start any token while scanning for the next token; quote the value, "
		"and indent with blanks, not tabs");
	CHECK_STR(all("a: [1, 2\nb: 3\n", NULL),
		"!2:2 did not find expected ',' or ']' while parsing a flow sequence that begins in line 1");
	CHECK(strstr(all("a: 1\nb: \xff\n", NULL), "!2:4 ") != NULL);
	CHECK_STR(all("\xff\xfe" "a", NULL), "!1:1 this is UTF-16 text; save it as UTF-8");
	struct fault f = FAULT_INIT;
	CHECK(!yaml_parse_one(STR("a: 1\n---\nb: 1\n"), &arena, NULL, &f) && f.line == 2 && f.kind == FAULT_SYNTAX);
	CHECK(!yaml_parse_one(STR("\n"), &arena, NULL, &f) && f.kind == FAULT_SYNTAX);
}

TEST(a_refused_document_does_not_take_the_next_with_it)
{
	CHECK_STR(all("a: 1\na: 2\n---\nb: 1\n---\n'open\n---\nc: 1\n", NULL),
		"!2:1 duplicate key 'a'; it stands already in line 1, column 1 {b:1} "
		"!7:1 found unexpected document indicator while scanning a quoted scalar that begins in line 6 {c:1}");
}

TEST(limits)
{
	CHECK_STR(all("[[[[1]]]]", &(struct yaml_limits){.max_depth = 3}), "!1:4 YAML nested deeper than 3 levels");
	CHECK_STR(all("[1,2,3]", &(struct yaml_limits){.max_nodes = 3}), "!1:6 more than 3 nodes in one YAML document");
	CHECK_STR(all("0123456789", &(struct yaml_limits){.max_bytes = 5}), "!0:0 the YAML text has 10 bytes, more than the limit of 5");
	/* A billion laughs: 9 levels of 9 aliases each. */
	struct buf b = {0};
	buf_lit(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 9; i++) {
		buf_printf(&b, "a%d: &a%d [", i, i);
		for (int k = 0; k < 9; k++) buf_printf(&b, "%s*a%d", k ? "," : "", i - 1);
		buf_lit(&b, "]\n");
	}
	buf_byte(&b, 0);
	CHECK(strstr(all(b.p, NULL), "aliases make more than 1000000 nodes") != NULL);
	buf_done(&b);
	struct arena small;
	arena_init(&small, 200);
	struct fault f = FAULT_INIT;
	CHECK(!yaml_parse_one(STR("a: [1,2,3,4,5,6]\n"), &small, NULL, &f) && f.kind == FAULT_LIMIT);
	arena_done(&small);
}

TEST(duplicates_are_found_in_large_maps_too)
{
	struct buf b = {0};
	for (int i = 0; i < 2000; i++) buf_printf(&b, "key%d: %d\n", i * 7919 % 2003, i);
	struct fault f = FAULT_INIT;
	const struct yaml_node *n = yaml_parse_one(buf_view(&b), &arena, NULL, &f);
	NEED(n && n->n == 2000);
	CHECK(str_eq(yaml_get(n, n->pairs[1999].key->text)->text, STR("1999")));
	buf_printf(&b, "%.*s: again\n", STR_FMT(n->pairs[42].key->text));
	CHECK(!yaml_parse_one(buf_view(&b), &arena, NULL, &f) && f.line == 2001 && strstr(f.text, "line 43, column 1"));
	buf_done(&b);
}

TEST(documents_know_their_text)
{
	struct str text = STR("# head\na: 1\n---\nb: 2\n...\n---\nc: 3\n");
	struct yaml_reader *r = yaml_reader_new(text, &arena, NULL, NULL);
	struct yaml_document d;
	NEED(yaml_next(r, &d, NULL) == YAML_DOCUMENT);
	CHECK(str_eq(d.text, STR("# head\na: 1\n")) && d.line == 1 && d.root->line == 2);
	NEED(yaml_next(r, &d, NULL) == YAML_DOCUMENT);
	CHECK(str_eq(d.text, STR("---\nb: 2\n...")) && d.line == 3 && d.root->pairs[0].value->column == 4);
	NEED(yaml_next(r, &d, NULL) == YAML_DOCUMENT);
	CHECK(str_eq(d.text, STR("---\nc: 3\n")) && d.line == 6);
	CHECK(yaml_next(r, &d, NULL) == YAML_END && yaml_next(r, &d, NULL) == YAML_END);
	yaml_reader_free(r);
}

TEST(types_of_plain_scalars)
{
	static const struct { const char *text; enum yaml_type type; } cases[] = {
		{"''", YAML_IS_STR}, {"", YAML_IS_NULL}, {"~", YAML_IS_NULL}, {"null", YAML_IS_NULL}, {"'null'", YAML_IS_STR}, {"true", YAML_IS_BOOL},
		{"False", YAML_IS_BOOL}, {"yes", YAML_IS_STR}, {"0", YAML_IS_INT}, {"-12", YAML_IS_INT}, {"+3", YAML_IS_INT}, {"010", YAML_IS_STR},
		{"00000429", YAML_IS_STR}, {"0x1F", YAML_IS_INT}, {"0x", YAML_IS_STR}, {"1.5", YAML_IS_FLOAT}, {"1.", YAML_IS_FLOAT}, 
		{".5", YAML_IS_FLOAT},
		{"1e3", YAML_IS_FLOAT}, {"1e", YAML_IS_STR}, {".", YAML_IS_STR}, {"-", YAML_IS_STR}, {".inf", YAML_IS_FLOAT}, {"1.2.3.4", YAML_IS_STR},
		{"12:30", YAML_IS_STR}, {"2021-03-03", YAML_IS_STR}, {"!!str 5", YAML_IS_STR}, {"8???", YAML_IS_STR},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[64];
		int n = snprintf(text, sizeof text, "k: %s\n", strcmp(cases[i].text, "-") ? cases[i].text : "'-'");
		struct fault f = FAULT_INIT;
		const struct yaml_node *root = yaml_parse_one((struct str){text, (size_t)n}, &arena, NULL, &f);
		NEED(root);
		if (yaml_type(yaml_get(root, STR("k"))) != cases[i].type) printf("# %s\n", cases[i].text);
		CHECK(yaml_type(yaml_get(root, STR("k"))) == cases[i].type);
	}
}

static size_t files, bytes;
static void load(const char *folder)
{
	DIR *d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[6000], *text;
		size_t n, len = strlen(e->d_name);
		if (e->d_name[0] == '.') continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (e->d_type == DT_DIR) load(path);
		if (e->d_type != DT_REG || len < 4 || strcmp(e->d_name + len - 4, ".yml")) continue;
		struct fault f = FAULT_INIT;
		NEED(file_slurp(path, 4 << 20, &text, &n, &f));
		arena_reset(&arena);
		const struct yaml_node *root = yaml_parse_one((struct str){text, n}, &arena, NULL, &f);
		if (!root) printf("# %s:%u:%u: %s\n", path, f.line, f.column, f.text);
		CHECK(root && yaml_get(root, STR("title")));
		files++, bytes += n;
		free(text);
	}
	if (d) closedir(d);
}

TEST(every_published_rule_is_read)
{
	static const char *const trees[] = {"rules", "rules-emerging-threats", "rules-threat-hunting", "rules-placeholder", "rules-compliance"};
	const char *corpora = check_corpora();
	if (!corpora) SKIP("no corpora");
	for (size_t i = 0; i < COUNT(trees); i++) {
		char path[5000];
		snprintf(path, sizeof path, "%s/sigma/%s", corpora, trees[i]);
		load(path);
	}
	printf("# %zu files, %zu bytes\n", files, bytes);
	CHECK(files >= 3780);
}

TEST_MAIN
