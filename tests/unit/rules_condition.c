/* The condition's grammar: trees, precedence, selectors, and what each mistake is told. */
#include "unit/rules_show.h"

/* A condition over one-letter searches and a few longer names; each is one keyword with its own name. */
static const char *cond(const char *condition)
{
	static const char *const names[] = {"a", "b", "c", "notepad", "or1", "selection_1", "selection_2", "sel-x", "Selection", "_hidden", "_hidden2", "filter_main_x.conf", "all", "1", "of", "them"};
	static char text[3000];
	size_t n = 0;
	for (size_t i = 0; i < COUNT(names); i++) n += (size_t)snprintf(text + n, sizeof text - n, "'%s': {%s: 1}\n", names[i], names[i]);
	snprintf(text + n, sizeof text - n, "condition: %s", condition);
	return show_detection(text);
}

#define REFUSED(condition, reason) CHECK_STR(cond(condition), "!condition:21:16 condition: " reason)
#define REFUSED_AT(column, condition, reason) CHECK_STR(cond(condition), "!condition:21:" #column " condition: " reason)

TEST(precedence)
{
	CHECK_STR(cond("a or b and c"), "(a=1 | (b=1 & c=1))");
	CHECK_STR(cond("a and b or c"), "((a=1 & b=1) | c=1)");
	CHECK_STR(cond("(a or b) and c"), "((a=1 | b=1) & c=1)");
	CHECK_STR(cond("not a and b"), "(!a=1 & b=1)");
	CHECK_STR(cond("not (a and b)"), "!(a=1 & b=1)");
	CHECK_STR(cond("not a or not b"), "(!a=1 | !b=1)");
	CHECK_STR(cond("not not a"), "a=1");
	CHECK_STR(cond("not not not a"), "!a=1");
	CHECK_STR(cond("a and b and c"), "(a=1 & b=1 & c=1)");
	CHECK_STR(cond("not 1 of selection_* and a"), "(!(selection_1=1 | selection_2=1) & a=1)");
	CHECK_STR(cond("((((a))))"), "a=1");
	CHECK_STR(cond("not(a)and(b)"), "(!a=1 & b=1)");
}

/* CON-4: keywords are whole words. */
TEST(words)
{
	CHECK_STR(cond("notepad"), "notepad=1");
	CHECK_STR(cond("a and notepad"), "(a=1 & notepad=1)");
	CHECK_STR(cond("or1 or a"), "(or1=1 | a=1)");
	REFUSED_AT(18, "a andb", "'and' or 'or' is expected, not 'andb'");
	CHECK_STR(cond("sel-x"), "sel-x=1");
	CHECK_STR(cond("all"), "all=1");
	CHECK_STR(cond("1"), "1=1");
	CHECK_STR(cond("of"), "of=1");
	CHECK_STR(cond("them and all"), "(them=1 & all=1)");
	CHECK_STR(cond("filter_main_x.conf"), "filter_main_x.conf=1");
}

/* CON-5, CON-6: selectors. Names with _ are only chosen by patterns with _. */
TEST(selectors)
{
	CHECK_STR(cond("1 of selection_*"), "(selection_1=1 | selection_2=1)");
	CHECK_STR(cond("any of selection_*"), "(selection_1=1 | selection_2=1)");
	CHECK_STR(cond("all of selection_*"), "(selection_1=1 & selection_2=1)");
	CHECK_STR(cond("1 of selection_1"), "selection_1=1");
	CHECK_STR(cond("1 of *_2"), "selection_2=1");
	CHECK_STR(cond("all of s*l*_*"), "(selection_1=1 & selection_2=1)");
	CHECK_STR(cond("1 of sel-*"), "sel-x=1");
	CHECK_STR(cond("1 of Sel*"), "Selection=1");
	CHECK_STR(cond("1 of _*"), "(_hidden=1 | _hidden2=1)");
	CHECK_STR(cond("1 of *hidden"), "!condition:21:21 condition: '*hidden' fits no search identifier; did you mean '_hidden'?");
	CHECK_STR(cond("all of them"), "(a=1 & b=1 & c=1 & notepad=1 & or1=1 & selection_1=1 & selection_2=1 & sel-x=1 & Selection=1 & filter_main_x.conf=1 & all=1 & 1=1 & of=1 & them=1)");
	CHECK_STR(cond("1 of filter_*"), "filter_main_x.conf=1");
	REFUSED_AT(21, "1 of SEL*", "'SEL*' fits no search identifier; did you mean 'sel-x'?");
	REFUSED("2 of selection_*", "only '1 of', 'any of' and 'all of' exist, not '2 of'");
	REFUSED_AT(21, "1 of (selection_*)", "behind 'of' stands a pattern or 'them', without brackets");
	REFUSED_AT(32, "1 of selection_1, selection_2", "'and' or 'or' is expected, not ','");
	REFUSED_AT(20, "1 of", "behind 'of' stands a pattern or 'them', without brackets");
	REFUSED("selection_*", "a pattern stands behind 'of': 1 of selection_*, or all of selection_*");
}

/* CON-2, CON-3, CON-9, CON-11. */
TEST(mistakes)
{
	REFUSED_AT(18, "a AND b", "keywords are written in lower case, not 'AND'");
	REFUSED("NOT a", "keywords are written in lower case, not 'NOT'");
	REFUSED("ANY of them", "keywords are written in lower case, not 'ANY'");
	REFUSED_AT(18, "1 OF them", "keywords are written in lower case, not 'OF'");
	REFUSED_AT(18, "a b", "'and' or 'or' is expected, not 'b'");
	REFUSED_AT(24, "a and (b", "a closing ')' is missing");
	REFUSED_AT(17, "a)", "'and' or 'or' is expected, not ')'");
	REFUSED_AT(21, "a and", "it ends where a search identifier is expected");
	REFUSED_AT(22, "a and or b", "a search identifier is expected, not 'or'");
	REFUSED_AT(17, "()", "')' is not expected here");
	REFUSED_AT(17, "''", "it is empty");
	REFUSED("nowhere", "there is no search identifier 'nowhere'");
	REFUSED_AT(22, "a and selction_1", "there is no search identifier 'selction_1'; did you mean 'selection_1'?");
	REFUSED_AT(18, "a | count() > 5", "aggregations with '|' are deprecated; write a correlation rule: type event_count or value_count, group-by, timespan");
	REFUSED_AT(17, "'| count() > 5'", "aggregations with '|' are deprecated; write a correlation rule: type event_count or value_count, group-by, timespan");
	REFUSED_AT(18, "a & b", "'and' is written as a word, not '&'");
	REFUSED_AT(18, "a || b", "'or' is written as a word, not '|'");
	REFUSED_AT(22, "a and !b", "'not' is written as a word, not '!'");
	REFUSED_AT(19, "(a OR b)", "keywords are written in lower case, not 'OR'");
	REFUSED_AT(21, "1 of sell-*", "'sell-*' fits no search identifier; did you mean 'sel-x'?");
}

/* The place inside quoted and block texts. */
TEST(places)
{
	CHECK_STR(cond("'a and x'"), "!condition:21:23 condition: there is no search identifier 'x'");
	CHECK_STR(cond("|\n      a and\n      b and (zz)"), "!condition:23:18 condition: there is no search identifier 'zz'");
	CHECK_STR(cond("\"a\\u0020and zz\""), "!condition:21:16 condition: there is no search identifier 'zz'");
}

/* CON-8, CON-10, CON-11. */
TEST(lists_and_blanks)
{
	CHECK_STR(cond("[a, b and c]"), "(a=1 | (b=1 & c=1))");
	CHECK_STR(cond("[]"), "!condition:21:16 the condition is empty");
	CHECK_STR(cond("{a: b}"), "!condition:21:16 a condition is a text");
	CHECK_STR(cond("|\n      a\n      and\tb"), "(a=1 & b=1)");
	CHECK_STR(show_detection("a: {x: 1}\nunused: {y: 1}\ncondition: a"), "x=1");
	CHECK_STR(show_detection("a: {x: 1}"), "!condition:5:5 the condition is missing");
	struct rule_set *s = show_load("title: t\nlogsource: {category: c}\ndetection: {a: {f: 1}, b: {g: 1}, condition: [a, not b]}\n");
	CHECK(rule_set_count(s) == 1 && str_eq(rule_set_at(s, 0)->condition_text, STR("a or not b")));
	rule_set_free(s);
}

/* Limits: depth, length, and what a condition may refer to again and again. */
TEST(limits)
{
	struct buf b = {0};
	for (int i = 0; i < 64; i++) buf_byte(&b, '(');
	buf_byte(&b, 'a');
	for (int i = 0; i < 64; i++) buf_byte(&b, ')');
	buf_byte(&b, 0);
	CHECK_STR(cond(b.p), "a=1");
	b.n = 0;
	for (int i = 0; i < 65; i++) buf_byte(&b, '(');
	buf_byte(&b, 0);
	CHECK(strstr(cond(b.p), "nested deeper than 64"));
	b.n = 0;
	for (int i = 0; i < 65; i++) buf_lit(&b, "not ");
	buf_lit(&b, "a");
	buf_byte(&b, 0);
	CHECK(strstr(cond(b.p), "more than 64 times 'not'"));
	buf_done(&b);

	/* 2,000 values, referred to 1,000 times. */
	buf_lit(&b, "title: t\nlogsource: {category: c}\ndetection:\n  s:\n    f:\n");
	for (int i = 0; i < 2000; i++) buf_printf(&b, "    - %d\n", i);
	buf_lit(&b, "  condition: s");
	size_t short_one = b.n;
	for (int i = 0; i < 1000; i++) buf_lit(&b, " or s");
	buf_byte(&b, 0);
	CHECK(strstr(show_text(b.p), "!condition:") && strstr(show_text(b.p), "the rule has more than 1000000 parts"));
	b.n = short_one;
	for (int i = 0; i < 20000; i++) buf_lit(&b, " or s");
	buf_byte(&b, 0);
	CHECK(strstr(show_text(b.p), "!limit:") && strstr(show_text(b.p), "the condition is longer than 65536 bytes"));
	buf_done(&b);
}
TEST_MAIN
