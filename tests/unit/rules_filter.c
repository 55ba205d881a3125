/* Filters: what they cover, their own names, what becomes of mistakes. */
#include "unit/rules_show.h"

#define RULE(title, name, logsource) "title: " title "\nname: " name "\nlevel: low\nlogsource: " logsource "\ndetection: {sel: {f: 1}, condition: sel}\n---\n"
#define FILTER(logsource, filter) "title: F\nlogsource: " logsource "\nfilter: " filter "\n---\n"
#define ON "{product: p, category: c}"

/* FIL-2: joined by AND as written. */
TEST(condition)
{
	CHECK_STR(show_text(RULE("a", "a", ON) FILTER(ON, "{rules: [a], x: {g: 2}, condition: not x}")), "(f=1 & !g=2)");
	CHECK_STR(show_text(RULE("a", "a", ON) FILTER(ON, "{rules: [a], x: {g: 2}, condition: x}")), "(f=1 & g=2)");
	CHECK_STR(show_text(FILTER(ON, "{rules: [a], x: {g: 2}, condition: not x}") RULE("a", "a", ON)), "(f=1 & !g=2)");
}

/* FIL-1, LS-2: a rule is covered when it states all that the filter states. */
TEST(logsource)
{
	CHECK_STR(show_text(RULE("a", "a", ON) FILTER("{product: p}", "{rules: any, x: {g: 2}, condition: not x}")), "(f=1 & !g=2)");
	CHECK_STR(show_text(RULE("a", "a", "{product: p}") FILTER(ON, "{rules: any, x: {g: 2}, condition: not x}")), "f=1");
	CHECK_STR(show_text(RULE("a", "a", ON) FILTER("{product: q}", "{rules: any, x: {g: 2}, condition: not x}")), "f=1");
	CHECK_STR(show_text(RULE("a", "a", ON) "title: F\nfilter: {rules: any, x: {g: 2}, condition: not x}\n"), "f=1; !logsource:7:1 logsource is missing: product, category or service");
	CHECK(strstr(show_warnings(RULE("a", "a", ON) FILTER("{product: q}", "{rules: [a], x: {g: 2}, condition: not x}")), "the log source of this rule is not the filter's: it is not filtered"));
	CHECK(strstr(show_warnings(FILTER("{product: q}", "{rules: any, x: {g: 2}, condition: not x}")), "no rule of the filter's log source is loaded"));
}

/* FIL-3: by id, by name, all; by title with a warning. */
TEST(which)
{
	static const char two[] = RULE("Title A", "a", ON) "title: B\nid: 929a690e-bef0-4204-a928-ef5e620d6fcc\nlevel: low\nlogsource: " ON "\ndetection: {sel: {f: 2}, condition: sel}\n---\n";
	static const struct { const char *rules, *tree; } cases[] = {
		{"[a]", "(f=1 & !g=2); f=2"}, {"a", "(f=1 & !g=2); f=2"}, {"[929a690e-bef0-4204-a928-ef5e620d6fcc]", "f=1; (f=2 & !g=2)"}, {"any", "(f=1 & !g=2); (f=2 & !g=2)"},
		{"[]", "(f=1 & !g=2); (f=2 & !g=2)"}, {"[Title A]", "(f=1 & !g=2); f=2"}, {"[a, a, Title A]", "(f=1 & !g=2); f=2"}, {"[nobody]", "f=1; f=2"},
	};
	char text[1000];
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(text, sizeof text, "%s" FILTER(ON, "{rules: %s, x: {g: 2}, condition: not x}"), two, cases[i].rules);
		CHECK_STR(show_text(text), cases[i].tree);
	}
	snprintf(text, sizeof text, "%s" FILTER(ON, "{rules: [Title A, nobody], x: {g: 2}, condition: not x}"), two);
	CHECK(strstr(show_warnings(text), "a filter names rules by id or name; this is a title"));
	CHECK(strstr(show_warnings(text), "no rule with this id or name is loaded"));
	CHECK(strstr(show_text(RULE("a", "a", ON) FILTER(ON, "{x: {g: 2}, condition: not x}")), "f=1; !filter:9:9 filter: rules is missing"));
	CHECK(strstr(show_text(RULE("a", "a", ON) FILTER(ON, "{rules: , x: {g: 2}, condition: not x}")), "f=1; !filter:9:"));
	CHECK(strstr(show_text(RULE("a", "a", ON) FILTER(ON, "{rules: [[a]], x: {g: 2}, condition: not x}")), "f=1; !filter:9:18 filter: rules is a list of ids or names"));
}

/* FIL-4: not on correlations, but on what they refer to. */
TEST(correlations)
{
	CHECK_STR(show_text(RULE("a", "a", ON) "title: c\nname: c\nlevel: low\ncorrelation: {type: event_count, rules: [a], timespan: 1m, condition: {gte: 2}}\n---\n"
		FILTER(ON, "{rules: [a], x: {g: 2}, condition: not x}")), "(f=1 & !g=2); (correlation)");
	CHECK(strstr(show_warnings(RULE("a", "a", ON) "title: c\nname: c\nlevel: low\ncorrelation: {type: event_count, rules: [a], timespan: 1m, condition: {gte: 2}}\n---\n"
		FILTER(ON, "{rules: [c], x: {g: 2}, condition: not x}")), "no rule with this id or name is loaded"));
}

/* FIL-5: the filter's names are its own, and so are its selectors. */
TEST(namespaces)
{
	static const char rule[] = "title: a\nname: a\nlevel: low\nlogsource: " ON "\ndetection:\n  selection_1: {f: 1}\n  selection_2: {f: 2}\n  condition: all of selection_*\n---\n";
	char text[1000];
	snprintf(text, sizeof text, "%s" FILTER(ON, "{rules: any, selection_1: {g: 1}, selection_x: {g: 2}, condition: not 1 of selection_*}"), rule);
	CHECK_STR(show_text(text), "(f=1 & f=2 & !(g=1 | g=2))");
	snprintf(text, sizeof text, "%s" FILTER(ON, "{rules: any, x: {g: 1}, condition: not selection_1}"), rule);
	CHECK_STR(show_text(text), "(f=1 & f=2); !condition:12:48 condition: there is no search identifier 'selection_1'");
}

/* FIL-6: several filters, each by AND; the condition is one text. A refused filter leaves the rules as they are. */
TEST(several)
{
	CHECK_STR(show_text(RULE("a", "a", ON) FILTER(ON, "{rules: any, x: {g: 1}, condition: not x}") FILTER(ON, "{rules: a, x: {g: 2}, condition: not x}")), "(f=1 & !g=1 & !g=2)");
	CHECK(strstr(show_text(RULE("a", "a", ON) FILTER(ON, "{rules: any, x: {g: 1}, condition: [not x]}")), "f=1; !filter:9:44 the condition of a filter is a text"));
	CHECK(strstr(show_text(RULE("a", "a", ON) FILTER(ON, "{rules: any, x: {g|nope: 1}, condition: not x}")), "f=1; !modifier:9:"));
	CHECK(strstr(show_text(RULE("a", "a", ON) FILTER(ON, "[a]")), "f=1; !filter:9:9 filter is a map: rules, search identifiers, condition"));
}

/* A rule knows its filters; what came with one is no item of the rule. */
TEST(known)
{
	struct rule_set *s = show_load(RULE("a", "a", ON) FILTER(ON, "{rules: any, x: {g: 1}, condition: not x}"));
	NEED(rule_set_count(s) == 1);
	const struct rule *r = rule_set_at(s, 0);
	CHECK(r->n_filters == 1 && str_eq(r->filters[0]->title, STR("F")) && r->n_searches == 1 && r->n_items == 1);
	const struct node *filter = r->condition->children[1]->children[0];
	CHECK(filter->item == 0 && filter->leaf->search == UINT32_MAX);
	rule_set_free(s);
}

/* Ten thousand filters on a rule make its tree wider, not deeper. */
TEST(many)
{
	struct buf b = {0};
	buf_lit(&b, RULE("a", "a", ON));
	for (int i = 0; i < 10000; i++) buf_printf(&b, FILTER(ON, "{rules: any, x: {g: %d}, condition: not x}"), i);
	struct rule_set *s = rule_set_new();
	rule_set_add_text(s, buf_view(&b), STR("t"));
	rule_set_finish(s);
	NEED(rule_set_count(s) == 1);
	const struct rule *r = rule_set_at(s, 0);
	CHECK(r->condition->n == 10001 && r->condition->children[1]->kind == NODE_NOT && r->n_filters == 10000);
	rule_set_free(s);
	buf_done(&b);
}
TEST_MAIN
