/* text/regex.h: what matches, which engine decides, limits, and that the required literal is required; the published patterns. */
#include "tests/check.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "text/regex.h"
#include "text/utf.h"
#include "text/yaml.h"
#include <dirent.h>

static uint64_t seed = 88172645463325252;
static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % below;
}

static struct regex *compile(struct str pattern, unsigned flags)
{
	struct fault f = FAULT_INIT;
	struct regex *re = regex_compile(pattern, flags, &f);
	if (!re) printf("# %.*s: %s\n", STR_FMT(pattern), f.text);
	return re;
}

struct match_case { const char *pattern; unsigned flags; const char *text; bool match; };
static void run(const struct match_case *cases, size_t n, enum regex_engine engine)
{
	for (size_t i = 0; i < n; i++) {
		for (unsigned force = 0; force <= REGEX_BACKTRACK; force += REGEX_BACKTRACK) {
			/* PCRE2 does not know \u, and counts a needless escape of a letter as we do. */
			if (force && strstr(cases[i].pattern, "\\u")) continue;
			struct regex *re = compile(str_of(cases[i].pattern), cases[i].flags | force);
			NEED(re);
			CHECK(regex_engine(re) == (force ? REGEX_PCRE2 : engine));
			bool got = regex_match(re, str_of(cases[i].text)) == MATCH_YES;
			if (got != cases[i].match) printf("# /%s/ on '%s' (engine %d)\n", cases[i].pattern, cases[i].text, regex_engine(re));
			CHECK(got == cases[i].match);
			regex_free(re);
		}
	}
}

TEST(what_re2_decides)
{
	static const struct match_case cases[] = {
		{"cmd", 0, "a cmd b", true}, {"cmd", 0, "a CMD b", false}, {"cmd", REGEX_NOCASE, "a CMD b", true}, {"(?i)cmd", 0, "CMD", true},
		{"^a.c$", 0, "abc", true}, {"^a.c$", 0, "a\nc", false}, {"^a.c$", REGEX_DOTALL, "a\nc", true},
		{"^b$", 0, "a\nb\nc", false}, {"^b$", REGEX_MULTILINE, "a\nb\nc", true}, {"(?m)^b$", 0, "a\nb\nc", true},
		{"b$", 0, "ab\n", true}, {"b$", 0, "ab\n\n", false}, {"b$", 0, "ab\r\n", false}, {"b\\Z", 0, "ab\n", true}, {"b\\z", 0, "ab\n", false},
		{"\\\"a\\'\\-\\/\\_\\<\\ \\@", 0, "\"a'-/_< @", true},
		{"\\String\\]", 0, "xtring]", true}, {"\\String\\]", 0, " tring]", false}, /* \S, then "tring" */
		{"Windows\\winlogon", 0, "Windows_inlogon", true},
		{"[-/\xe2\x80\x93]e", 0, "\xe2\x80\x93" "e", true}, {"[\\-\\/\\.\\\"]", 0, "\"", true}, {"\\\xe2\x80\x93", 0, "\xe2\x80\x93", true},
		{"\\s", 0, "\x0b", true}, {"[\\s]", 0, "\x0b", true}, {"\\S", 0, "\x0b", false}, {"[^\\s]", 0, "\x0b", false},
		{"\\h[\\h]", 0, "\t\xc2\xa0", true}, {"a\\Rb", 0, "a\r\nb", true}, {"\\e\\x41\\x{2028}", 0, "\x1b" "A\xe2\x80\xa8", true},
		{"\\u0041[\\u0042-\\u0044]", 0, "AC", true}, {"[\\b]", 0, "\b", true}, {"[]x]{2}", 0, "x]", true}, {"[^]]", 0, "]", false},
		{"(?<name>a)(?'n'b)(?P<m>c)", 0, "abc", true}, {"a(?#comment)b", 0, "ab", true}, {"a{,2}", 0, "a{,2}", true}, {"a{x", 0, "a{x", true},
		{"\\d{3}\\w\\p{Lu}[[:alpha:]]\\bx?", 0, "123a\xc3\x84z", true}, {"", 0, "", true}, {"x*", 0, "", true}, {"\\Qa.b\\E", 0, "a.b", true},
		{"(?i)stra\xc3\x9f" "e", 0, "STRA\xe1\xba\x9e" "E", true}, {"(?i)k", 0, "\xe2\x84\xaa", true}, {"\xff", 0, "", false},
	};
	run(cases, COUNT(cases) - 1, REGEX_RE2);
}

TEST(what_only_backtracking_decides)
{
	static const struct match_case cases[] = {
		{"(?=.*autodiscover)(?=.*powershell)", REGEX_NOCASE, "/Autodiscover?x=/PowerShell", true},
		{"(?=.*autodiscover)(?=.*powershell)", 0, "/autodiscover", false}, {"a(?!b)", 0, "ab", false},
		{"(?<=a)b", 0, "ab", true},
		{"(a|b)\\1", 0, "aa", true}, {"(a|b)\\1", 0, "ab", false}, {"a++a", 0, "aaa", false},
		{"(?>a+)b", 0, "aab", true}, {"x{1001,}", 0, "x", false},
	};
	run(cases, COUNT(cases), REGEX_PCRE2);
}

TEST(runs_of_dots_are_counted)
{
	static const struct match_case cases[] = {
		{".{3,}", 0, "abc", true}, {".{3,}", 0, "ab\nc", false}, {".{3,}", REGEX_DOTALL, "ab\nc", true}, {"(.){3}", 0, "xx\nabc", true},
		{"((?:.{4,9}))", 0, "\xc3\xa4\xc3\xa4\xc3\xa4", false}, {".{2}", 0, "a\xff" "b", false}, {".+", 0, "\n", false}, {".{2}?", 0, "ab", true},
	};
	run(cases, COUNT(cases), REGEX_RUN);
	static const char *const others[] = {".*", ".", ".{0,3}", "(?s:.{3})", "(?s).{3}", ".{2}.{2}", "[.]{3}",
		"\\.{3}", ".{3}|a", "(?=.{3})", "\\d{3}"};
	for (size_t i = 0; i < COUNT(others); i++) {
		struct regex *re = compile(str_of(others[i]), 0);
		CHECK(re && regex_engine(re) != REGEX_RUN);
		regex_free(re);
	}
}

TEST(mistakes_are_refused_with_their_place)
{
	static const struct { const char *pattern; uint64_t at; } cases[] = {{"ab(c", 4}, {"a)", 1}, {"*a", 0}, {"[a", 2}, {"a\\i", 2}, {"\\", 1}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fault f = FAULT_INIT;
		CHECK(!regex_compile(str_of(cases[i].pattern), 0, &f));
		if (f.offset != cases[i].at) printf("# %s: %s\n", cases[i].pattern, f.text);
		CHECK(f.kind == FAULT_SYNTAX && f.offset == cases[i].at);
	}
	struct fault f = FAULT_INIT;
	CHECK(!regex_compile(STR("a\xff"), 0, &f) && f.kind == FAULT_SYNTAX && f.offset == 1);
	char *deep = xmalloc(REGEX_MAX_PATTERN + 1);
	memset(deep, '(', 1000);
	memset(deep + 1000, ')', 1000);
	CHECK(!regex_compile((struct str){deep, 2000}, 0, &f) && f.kind == FAULT_LIMIT);
	memset(deep, 'a', REGEX_MAX_PATTERN + 1);
	CHECK(!regex_compile((struct str){deep, REGEX_MAX_PATTERN + 1}, 0, &f) && f.kind == FAULT_LIMIT);
	CHECK(!regex_compile(STR("((a{1000}){1000}){1000}"), 0, &f));
	free(deep);
}

TEST(catastrophes_are_undecided_or_linear)
{
	char text[5001];
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = 0;
	struct regex *linear = compile(STR("^(a+)+$b"), 0), *nested = compile(STR("^(a+)+\\1b"), 0);
	struct regex *wide = compile(STR("(?=.*x).*[yz]"), 0);
	NEED(linear && nested && wide);
	CHECK(regex_engine(linear) == REGEX_RE2 && regex_match(linear, str_of(text)) == MATCH_NO);
	CHECK(regex_engine(nested) == REGEX_PCRE2 && regex_match(nested, str_of(text)) == MATCH_UNDECIDED);
	memset(text, 'x', 10);
	struct buf long_text = {0};
	for (int i = 0; i < 40; i++) buf_put(&long_text, text, sizeof text - 1);
	/* Quadratic over 200 KB: each start position passes over the rest, far below the limit of a single one. */
	CHECK(regex_match(wide, buf_view(&long_text)) == MATCH_UNDECIDED);
	regex_free(linear), regex_free(nested), regex_free(wide);
	buf_done(&long_text);
}

TEST(invalid_utf8_in_the_text_is_no_hindrance)
{
	for (unsigned force = 0; force <= REGEX_BACKTRACK; force += REGEX_BACKTRACK) {
		struct regex *re = compile(STR("a.b|cmd"), force);
		NEED(re);
		CHECK(regex_match(re, STR("\xff\xfe cmd \xe2\x82")) == MATCH_YES);
		CHECK(regex_match(re, STR("a\xff" "b")) == MATCH_NO);
		regex_free(re);
	}
}

TEST(required_literals)
{
	static const char *const cases[][2] = {
		{"abc", "abc"}, {"ABC", "abc"}, {"a.cde", "cde"}, {"ab?cd", "cd"}, {"ab+cd", "bcd"}, {"a(bc)d", "abcd"}, {"a(bc)+d", "abc"},
		{"(abc|xbc)d", "bcd"}, {"(abc|abd)e", "ab"}, {"foo|bar", ""}, {"foobar|xfoobary", "foobar"}, {"(foo)?bar", "bar"}, {"(foo)*", ""},
		{"x{3}y", "xxxy"}, {"x{2,}y", "xxy"}, {"x{0}yz", "yz"}, {"[.]exe", ".exe"}, {"[Ee]xe", "exe"}, {"[^e]xe", "xe"},
		{"[a-z]xe", "xe"}, {"[a-]xe", "xe"},
		{"^abc$", "abc"}, {"a\\bb", "ab"}, {"\\String\\]", "tring]"}, {"\\\"\\x41", "\"a"}, {"(?i)PowerShell", "powershell"},
		{"(?=zzzz)ab", "ab"},
		{"(a|b)\\1cccc", ""}, {"\\Qabc\\E", ""}, {"(?x)a b c", ""}, {"\xc3\x84\xd0\x96+", "\xc3\xa4\xd0\xb6"}, {"(\xc3\xa4|\xc3\xb6)xy", "xy"},
		{"a{,2}b", ""},
		{"", ""}, {"a**", ""}, {"(", ""}, {"[[:alpha:]]ab", "ab"}, {"[[=a=]]ab", ""}, {"\\p{Lu}ab\\dc", "ab"}, {"(?<n>ab)c", "abc"},
		{"a(?:b(?i:C)d)e", "abcde"}, {"ab(?#c){0}", "a"}, {"ab(?#c)c", "abc"},
		{"ab(?i)*", ""}, {"ab(?i)c", "abc"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct regex *re = regex_compile(str_of(cases[i][0]), 0, NULL);
		if (!re) continue; /* what does not compile needs no literal */
		char got[REGEX_LITERAL_MAX + 1];
		struct str literal = regex_literal(re);
		memcpy(got, literal.p, literal.n);
		got[literal.n] = 0;
		if (strcmp(got, cases[i][1])) printf("# %s\n", cases[i][0]);
		CHECK_STR(got, cases[i][1]);
		regex_free(re);
	}
	char longer[1000];
	memset(longer, 'q', sizeof longer);
	struct regex *re = compile((struct str){longer, sizeof longer}, 0);
	CHECK(regex_literal(re).n == REGEX_LITERAL_MAX);
	regex_free(re);
}

/* A random pattern and, beside it, a text that it probably matches. */
static void grow(struct buf *pattern, struct buf *text, unsigned depth)
{
	static const char *const letters[] = {"a", "B", "k", "s", "\xc3\xa4", "\xc5\xbf", "\xce\xa3", "\\.", "\\x41", "-", "[Aa]", "[k]"};
	static const char *const samples[] = {"a", "B", "k", "s", "\xc3\xa4", "\xc5\xbf", "\xce\xa3", ".", "A", "-", "a", "k"};
	static const char *const sets[] = {".", "[a-c]", "[^a]", "\\w", "[\\d_.]", "\\S"};
	static const char *const set_samples[] = {"b", "c", "k", "s", "_", "-"};
	static const char *const repeats[] = {"*", "+", "?", "{2}", "{1,2}", "{2,}", "*?", "{0}"};
	static const unsigned times[] = {2, 2, 1, 2, 1, 3, 0, 0};
	for (unsigned i = 1 + rnd(4); i-- > 0;) {
		size_t from = text->n;
		unsigned kind = rnd(depth ? 8 : 5), k;
		if (kind < 4) {
			k = rnd(COUNT(letters));
			buf_str(pattern, str_of(letters[k]));
			buf_str(text, str_of(samples[k]));
		} else if (kind == 4) {
			k = rnd(COUNT(sets));
			buf_str(pattern, str_of(sets[k]));
			buf_str(text, str_of(set_samples[k]));
		} else if (kind == 5) {
			buf_str(pattern, rnd(2) ? STR("^") : STR("$"));
			continue;
		} else {
			static const char *const opens[] = {"(", "(?:", "(?i:", "(?<n>"};
			buf_str(pattern, str_of(opens[rnd(3)]));
			grow(pattern, text, depth - 1);
			if (rnd(2)) {
				buf_byte(pattern, '|');
				struct buf other = {0};
				grow(pattern, &other, depth - 1);
				if (rnd(2)) text->n = from, buf_put(text, other.p, other.n);
				buf_done(&other);
			}
			buf_byte(pattern, ')');
		}
		if (rnd(3)) continue;
		k = rnd(COUNT(repeats));
		if (!rnd(10)) buf_lit(pattern, "(?#c)");
		size_t n = text->n - from;
		char copy[4096];
		if (!n || n > sizeof copy) continue;
		memcpy(copy, text->p + from, n);
		text->n = from;
		buf_str(pattern, str_of(repeats[k]));
		for (unsigned r = 0; r < times[k]; r++) buf_put(text, copy, n);
	}
}

static void mutate(struct buf *text)
{
	static const char *const pieces[] = {
		"a", "A", "b", "K", "\xe2\x84\xaa", "S", "\xc5\xbf", "s", "\xc3\x84", "\xcf\x82", "\xcf\x83", ".", "\n", "_", "1",
	};
	for (unsigned i = rnd(3); i-- > 0;) {
		struct buf out = {0};
		size_t at = rnd((uint32_t)text->n + 1);
		while (at < text->n && (text->p[at] & 0xC0) == 0x80) at++;
		buf_put(&out, text->p, at);
		buf_str(&out, str_of(pieces[rnd(COUNT(pieces))]));
		buf_put(&out, text->p + at, text->n - at);
		buf_done(text);
		*text = out;
	}
}

/* Over random patterns and texts: the engines agree, and a match contains the literal. */
TEST(engines_agree_and_literals_are_required)
{
	unsigned matches = 0, literals = 0, compared = 0;
	for (int round = 0; round < 4000; round++) {
		struct buf pattern = {0};
		struct buf text = {0};
		buf_reserve(&text, 1); /* never NULL */
		grow(&pattern, &text, 3);
		unsigned flags = rnd(8);
		struct regex *fast = regex_compile(buf_view(&pattern), flags, NULL);
		struct regex *slow = regex_compile(buf_view(&pattern), flags | REGEX_BACKTRACK, NULL);
		if (!fast != !slow) printf("# %.*s\n", STR_FMT(buf_view(&pattern)));
		CHECK(!fast == !slow);
		for (int k = 0; fast && slow && k < 6; k++) {
			static char folded[1 << 20];
			if (k) mutate(&text);
			struct str s = buf_view(&text);
			enum regex_match a = regex_match(fast, s), b = regex_match(slow, s);
			/* Known differences: RE2's form of "$" takes the last LF; its (?i)\w has the Kelvin sign and long s. */
			bool known = str_find_byte(s, '\n', 0) != SIZE_MAX || str_find(buf_view(&pattern), STR("\\w"), 0) != SIZE_MAX;
			bool differ = a != b && b != MATCH_UNDECIDED && !known;
			compared += !known;
			if (differ) printf("# /%.*s/ %u on '%.*s': %d %d\n", STR_FMT(buf_view(&pattern)), flags, STR_FMT(s), a, b);
			CHECK(!differ);
			if (a != MATCH_YES && b != MATCH_YES) continue;
			struct str literal = regex_literal(fast);
			matches++;
			literals += literal.n > 0;
			NEED(UTF8_FOLD_ROOM(s.n) < sizeof folded);
			bool holds = str_find((struct str){folded, utf8_fold(s, folded)}, literal, 0) != SIZE_MAX;
			if (!holds) printf("# /%.*s/ %u on '%.*s': literal '%.*s'\n", STR_FMT(buf_view(&pattern)), flags, STR_FMT(s), STR_FMT(literal));
			CHECK(holds);
		}
		regex_free(fast), regex_free(slow);
		buf_done(&pattern), buf_done(&text);
	}
	printf("# %u compared, %u matches, %u with a literal\n", compared, matches, literals);
	CHECK(compared > 8000 && matches > 3000 && literals > 1500);
}

/* Whatever (?i) of either engine takes for the same letter is one letter to utf8_fold. */
TEST(caseless_matching_is_folding)
{
	struct buf cased = {0};
	for (uint32_t c = 0; c < 0x110000; c++) {
		if (utf_fold_cp(c) == c && !(c < 0x80)) continue;
		cased.n += utf8_put(c, buf_reserve(&cased, 4));
		cased.n += utf8_put(utf_fold_cp(c), buf_reserve(&cased, 4));
	}
	struct str rest = buf_view(&cased), all = rest;
	const char *p = rest.p, *end = rest.p + rest.n;
	for (int i = 0; p < end; i++) {
		uint32_t c = utf8_step(&p, end);
		if (i % 3) continue; /* a third of them: keep it quick */
		char pattern[40];
		int n = snprintf(pattern, sizeof pattern, "(?i)[\\x{%x}]", c);
		struct regex *re = compile((struct str){pattern, (size_t)n}, i % 2 ? REGEX_BACKTRACK : 0);
		NEED(re);
		struct buf others = {0};
		const char *q = all.p;
		while (q < end) {
			const char *from = q;
			if (utf_fold_cp(utf8_step(&q, end)) != utf_fold_cp(c)) buf_put(&others, from, (size_t)(q - from));
		}
		if (regex_match(re, buf_view(&others)) != MATCH_NO) printf("# U+%04X\n", c);
		CHECK(regex_match(re, buf_view(&others)) == MATCH_NO);
		buf_done(&others);
		regex_free(re);
	}
	buf_done(&cased);
}

static unsigned patterns, with_literal, backtracking;

static void try_values(const struct yaml_node *key, const struct yaml_node *value)
{
	struct str rest = key->text;
	bool is_re = false;
	str_cut(&rest, '|');
	while (rest.p) is_re = str_eq(str_cut(&rest, '|'), STR("re")) || is_re;
	if (!is_re) return;
	for (uint32_t i = 0; i < (value->kind == YAML_SEQ ? value->n : 1); i++) {
		const struct yaml_node *v = value->kind == YAML_SEQ ? value->items[i] : value;
		struct regex *re = compile(v->text, 0);
		CHECK(re);
		if (!re) continue;
		patterns++;
		with_literal += regex_literal(re).n >= 3;
		backtracking += regex_engine(re) == REGEX_PCRE2;
		regex_free(re);
	}
}

static void find_regexes(const struct yaml_node *n)
{
	for (uint32_t i = 0; n->kind == YAML_SEQ && i < n->n; i++) find_regexes(n->items[i]);
	for (uint32_t i = 0; n->kind == YAML_MAP && i < n->n; i++) {
		try_values(n->pairs[i].key, n->pairs[i].value);
		find_regexes(n->pairs[i].value);
	}
}

static void load(const char *folder)
{
	static struct arena arena = {.budget = 8 << 20};
	DIR *d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[6000], *text;
		size_t n, len = strlen(e->d_name);
		if (e->d_name[0] == '.') continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (e->d_type == DT_DIR) load(path);
		if (e->d_type != DT_REG || len < 4 || strcmp(e->d_name + len - 4, ".yml")) continue;
		NEED(file_slurp(path, 4 << 20, &text, &n, NULL));
		arena_reset(&arena);
		const struct yaml_node *root = memmem(text, n, "|re", 3) ? yaml_parse_one((struct str){text, n}, &arena, NULL, NULL) : NULL;
		if (root) find_regexes(root);
		free(text);
	}
	if (d) closedir(d);
}

TEST(every_published_pattern_compiles_in_linear_time)
{
	const char *corpora = check_corpora();
	if (!corpora) SKIP("no corpora");
	char path[5000];
	snprintf(path, sizeof path, "%s/sigma", corpora);
	load(path);
	printf("# %u patterns, %u with a literal of 3 bytes or more, %u backtracking\n", patterns, with_literal, backtracking);
	CHECK(patterns >= 215 && !backtracking && with_literal * 3 >= patterns * 2);
}

TEST_MAIN
