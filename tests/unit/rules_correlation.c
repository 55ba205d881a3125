/* Correlation documents: read, checked, resolved. How they are evaluated is tested in the room correlate. */
#include "unit/rules_show.h"

#define RULE(name) "title: rule " name "\nid: id-" name "\nname: " name "\nlevel: low\nlogsource: {category: c}\ndetection: {s: {f: 1}, condition: s}\n---\n"
#define CORR(name, section) "title: corr " name "\nname: " name "\nlevel: high\ncorrelation: " section "\n---\n"

/* One correlation over rules a, b, c; NULL when it is refused. */
static struct rule_set *set;
static const struct correlation *corr(const char *section)
{
	static char text[4000];
	if (set) rule_set_free(set);
	snprintf(text, sizeof text, RULE("a") RULE("b") RULE("c") CORR("x", "%s"), section);
	set = show_load(text);
	return rule_set_count(set) == 4 ? rule_set_at(set, 3)->correlation : NULL;
}
/* The refusal of it, without its place. */
static const char *refusal(const char *section)
{
	static struct buf b;
	if (corr(section)) return "not refused";
	b.n = 0;
	if (rule_set_refused_count(set)) buf_str(&b, rule_set_refused(set, 0)->reason);
	buf_byte(&b, 0);
	return b.p;
}

/* COR-1. */
TEST(types)
{
	static const char *const types[] = {"event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile", "value_median"};
	char section[300];
	for (size_t i = 0; i < COUNT(types); i++) {
		snprintf(section, sizeof section, "{type: %s, rules: [a, b], timespan: 5m, condition: {gte: 3, field: f%s}}", types[i], i == 6 ? ", percentile: 90" : "");
		const struct correlation *c = corr(section);
		CHECK(c && c->type == (enum correlation_type)i);
	}
	CHECK_STR(refusal("{type: event_cuont, rules: a, timespan: 5m}"), "there is no correlation type 'event_cuont'; did you mean 'event_count'?");
	CHECK_STR(refusal("{rules: a, timespan: 5m}"), "correlation: type is missing: event_count, value_count, temporal, ...");
	CHECK_STR(refusal("x"), "correlation is a map: type, rules, timespan, condition");
}

/* COR-2: by id or name, one or several, in written order. */
TEST(references)
{
	const struct correlation *c = corr("{type: temporal, rules: [b, id-a], timespan: 5m}");
	NEED(c && c->n_refs == 2);
	CHECK(c->refs[0] == 1 && c->refs[1] == 0 && c->n_thresholds == 0 && !c->extended);
	c = corr("{type: event_count, rules: c, timespan: 5m, condition: {gte: 2}}");
	CHECK(c && c->n_refs == 1 && c->refs[0] == 2);
	CHECK_STR(refusal("{type: temporal, rules: [a, nobody], timespan: 5m}"), "no rule with the id or name 'nobody' is loaded");
	CHECK_STR(refusal("{type: temporal, rules: [a, rule b], timespan: 5m}"), "no rule with the id or name 'rule b' is loaded"); /* titles are none */
	CHECK_STR(refusal("{type: temporal, timespan: 5m}"), "correlation: rules is missing: ids or names");
	CHECK_STR(refusal("{type: temporal, rules: [[a]], timespan: 5m}"), "correlation: rules is a name or a list of names");
	CHECK(strstr(show_text("title: p\nname: p\nlogsource: {category: c}\ndetection: {s: {f|expand: '%no%'}, condition: s}\n---\n" CORR("x", "{type: event_count, rules: p, timespan: 1m, condition: {gte: 2}}")),
		"rule 'p', which it refers to, is refused itself"));
	CHECK(strstr(show_warnings(RULE("a") RULE("a") CORR("x", "{type: event_count, rules: a, timespan: 1m, condition: {gte: 2}}")), "several rules are called 'a'; the first one loaded is meant"));
}

/* COR-3. */
TEST(group_by)
{
	const struct correlation *c = corr("{type: event_count, rules: a, timespan: 5m, group-by: [User, Host], condition: {gte: 2}}");
	CHECK(c && c->n_group_by == 2 && str_eq(c->group_by[1], STR("Host")));
	c = corr("{type: event_count, rules: a, timespan: 5m, group-by: User, condition: {gte: 2}}");
	CHECK(c && c->n_group_by == 1);
	c = corr("{type: event_count, rules: a, timespan: 5m, condition: {gte: 2}}");
	CHECK(c && c->n_group_by == 0);
	CHECK_STR(refusal("{type: event_count, rules: a, timespan: 5m, group-by: [{a: b}], condition: {gte: 2}}"), "correlation: group-by is a name or a list of names");
}

/* COR-5. */
TEST(timespans)
{
	static const struct { const char *text; int64_t seconds; } spans[] = {{"1s", 1}, {"30s", 30}, {"5m", 300}, {"1h", 3600}, {"7d", 604800}, {"2w", 1209600}, {"1M", 2629746}, {"1y", 31556952}};
	char section[200];
	for (size_t i = 0; i < COUNT(spans); i++) {
		snprintf(section, sizeof section, "{type: event_count, rules: a, timespan: %s, condition: {gte: 2}}", spans[i].text);
		const struct correlation *c = corr(section);
		CHECK(c && c->timespan_ns == spans[i].seconds * 1000000000);
	}
	static const char *const bad[] = {"5", "m", "5x", "-5m", "5 m", "0s", "1.5h", "''"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(section, sizeof section, "{type: event_count, rules: a, timespan: %s, condition: {gte: 2}}", bad[i]);
		CHECK(strstr(refusal(section), "is no timespan: a number above 0 and one of s m h d w M y, as in 5m"));
	}
	CHECK_STR(refusal("{type: event_count, rules: a, timespan: 300y, condition: {gte: 2}}"), "the timespan is longer than 290 years");
	CHECK_STR(refusal("{type: event_count, rules: a, condition: {gte: 2}}"), "correlation: timespan is missing, as in 5m");
	CHECK(corr("{type: event_count, rules: a, timeframe: 5m, condition: {gte: 2}}"));
}

/* COR-7: any number of operators, fractions. */
TEST(thresholds)
{
	const struct correlation *c = corr("{type: value_avg, rules: a, timespan: 5m, condition: {field: f, gt: 0.5, lte: 10, neq: 3}}");
	NEED(c && c->n_thresholds == 3);
	CHECK(c->thresholds[0].op == THRESHOLD_GT && c->thresholds[0].value.near == 0.5);
	CHECK(c->thresholds[1].op == THRESHOLD_LTE && c->thresholds[1].value.near == 10);
	CHECK(c->thresholds[2].op == THRESHOLD_NEQ && c->thresholds[2].value.near == 3);
	CHECK(corr("{type: event_count, rules: a, timespan: 5m, condition: {eq: '10'}}"));
	CHECK(corr("{type: temporal, rules: [a, b, c], timespan: 5m, condition: {gte: 2}}"));
	CHECK_STR(refusal("{type: event_count, rules: a, timespan: 5m, condition: {gte: many}}"), "condition: 'gte' needs a number");
	CHECK_STR(refusal("{type: event_count, rules: a, timespan: 5m, condition: {gte: [1]}}"), "condition: 'gte' needs a number");
	CHECK_STR(refusal("{type: event_count, rules: a, timespan: 5m, condition: {gte: 1e999}}"), "condition: 'gte' needs a number");
	CHECK_STR(refusal("{type: event_count, rules: a, timespan: 5m, condition: {gtee: 1}}"), "condition: unknown operator 'gtee'; did you mean 'gte'?");
	CHECK_STR(refusal("{type: event_count, rules: a, timespan: 5m, condition: {field: f}}"), "condition: no comparison, as in 'gte: 10'");
	CHECK_STR(refusal("{type: event_count, rules: a, timespan: 5m, condition: {}}"), "condition: no comparison, as in 'gte: 10'");
	CHECK_STR(refusal("{type: event_count, rules: a, timespan: 5m, condition: [1]}"), "the condition is a map of comparisons or a text over rule names");
	CHECK_STR(refusal("{type: event_count, rules: a, timespan: 5m}"), "correlation: condition is missing, as in {gte: 10}");
}

/* COR-8, COR-10 .. COR-12: the field. */
TEST(fields)
{
	const struct correlation *c = corr("{type: value_count, rules: a, timespan: 5m, condition: {field: [User, Host], gte: 3}}");
	CHECK(c && c->n_fields == 2 && str_eq(c->fields[0], STR("User")));
	CHECK_STR(refusal("{type: value_count, rules: a, timespan: 5m, condition: {gte: 3}}"), "condition: field is missing: whose values are meant?");
	CHECK_STR(refusal("{type: value_sum, rules: a, timespan: 5m, condition: {field: [a, b], gte: 3}}"), "condition: only value_count takes several fields");
	c = corr("{type: value_percentile, rules: a, timespan: 5m, condition: {field: f, percentile: 99.5, gte: 3}}");
	CHECK(c && c->percentile.near == 99.5 && c->n_thresholds == 1);
	CHECK_STR(refusal("{type: value_percentile, rules: a, timespan: 5m, condition: {field: f, lte: 1}}"),
		"value_percentile needs 'percentile: N' (0 to 100) in its condition; the rarity of a value is not supported");
	CHECK_STR(refusal("{type: value_percentile, rules: a, timespan: 5m, condition: {field: f, percentile: 101, gte: 3}}"), "percentile is a number from 0 to 100");
	c = corr("{type: event_count, rules: a, timespan: 5m, condition: {field: f, gte: 3}}");
	CHECK(c && strstr(rule_set_warning(set, rule_set_warning_count(set) - 1)->text.p, "field has no effect here"));
}

/* --- COR-15 ----------------------------------------------------------------------------------------------------------- */

static void put_corr(struct buf *b, const struct corr_node *n)
{
	if (n->kind == NODE_LEAF) buf_u64(b, n->ref);
	if (n->kind == NODE_NOT) buf_byte(b, '!');
	if (n->n > 1) buf_byte(b, '(');
	for (uint32_t i = 0; i < n->n; i++) {
		if (i) buf_byte(b, n->kind == NODE_AND ? '&' : '|');
		put_corr(b, n->children[i]);
	}
	if (n->n > 1) buf_byte(b, ')');
}

static const char *extended(const char *rules, const char *condition)
{
	static struct buf b;
	char section[500];
	snprintf(section, sizeof section, "{type: temporal, %s timespan: 5m, condition: %s}", rules, condition);
	const struct correlation *c = corr(section);
	b.n = 0;
	if (!c) return refusal(section);
	put_corr(&b, c->extended);
	buf_byte(&b, 0);
	return b.p;
}

TEST(extended_conditions)
{
	CHECK_STR(extended("rules: [a, b, c],", "a and (b or not c)"), "(0&(1|!2))");
	CHECK_STR(extended("rules: [a, b, c],", "a or b and c"), "(0|(1&2))");
	CHECK_STR(extended("rules: [c, b, a],", "a and b and c"), "(2&1&0)");
	CHECK_STR(extended("", "b and not a"), "(0&!1)");
	CHECK(set && rule_set_at(set, 3)->correlation->n_refs == 2 && rule_set_at(set, 3)->correlation->refs[0] == 1);
	CHECK_STR(extended("rules: [id-a, b],", "a and b"), "(0&1)"); /* listed by id, named in the condition */
	CHECK_STR(extended("rules: [a, b],", "a and c"), "condition: among the rules there is no 'c'");
	CHECK_STR(extended("rules: [a, b],", "a"), "condition: rule 'b' is listed but does not occur in it");
	CHECK_STR(extended("", "a and nobody"), "no rule with the id or name 'nobody' is loaded");
	CHECK_STR(extended("", "a and"), "condition: the name of a rule is expected, not 'its end");
	CHECK_STR(extended("", "a b"), "condition: 'and' or 'or' is expected, not 'b'");
	CHECK_STR(extended("", "(a"), "condition: a closing ')' is expected, not 'its end");
	CHECK_STR(refusal("{type: event_count, rules: a, timespan: 5m, condition: a}"), "a condition over rule names belongs to temporal and temporal_ordered");
}

/* COR-16: fields per rule; where a rule has none, the alias is the field. */
TEST(aliases)
{
	const struct correlation *c = corr("{type: temporal, rules: [a, id-b], timespan: 5m, group-by: [who, Host], aliases: {who: {a: SubjectUserName, b: TargetUserName}}}");
	NEED(c && c->n_aliases == 1);
	CHECK(str_eq(c->aliases[0].alias, STR("who")) && str_eq(c->aliases[0].fields[0], STR("SubjectUserName")) && str_eq(c->aliases[0].fields[1], STR("TargetUserName")));
	const struct rule *a = rule_set_at(set, 0), *b = rule_set_at(set, 1);
	CHECK(a->n_keep == 2 && str_eq(a->keep[0], STR("SubjectUserName")) && str_eq(a->keep[1], STR("Host")));
	CHECK(b->n_keep == 2 && str_eq(b->keep[0], STR("TargetUserName")));
	c = corr("{type: temporal, rules: [a, b], timespan: 5m, group-by: [who], aliases: {who: {a: X}}}");
	CHECK(c && !c->aliases[0].fields[1].n && str_eq(rule_set_at(set, 1)->keep[0], STR("who")));
	CHECK_STR(refusal("{type: temporal, rules: [a, b], timespan: 5m, aliases: {who: {c: X}}}"), "alias 'who': 'c' is not among the rules");
	CHECK_STR(refusal("{type: temporal, rules: [a, b], timespan: 5m, aliases: {who: X}}"), "an alias is a map of rule: field");
	CHECK_STR(refusal("{type: temporal, rules: [a, b], timespan: 5m, aliases: {who: {a: [X]}}}"), "alias 'who': the name of a field is expected");
}

/* COR-17: what is reported on its own. `generate` stands in the section or beside it. */
TEST(generate)
{
	CHECK(corr("{type: event_count, rules: a, timespan: 5m, condition: {gte: 2}}") && !rule_set_at(set, 0)->report && rule_set_at(set, 1)->report && rule_set_at(set, 3)->report);
	CHECK(corr("{type: event_count, rules: a, timespan: 5m, generate: true, condition: {gte: 2}}") && rule_set_at(set, 0)->report);
	CHECK(corr("{type: event_count, rules: a, timespan: 5m, condition: {gte: 2}}\ngenerate: true") && rule_set_at(set, 0)->report);
	CHECK(corr("{type: event_count, rules: a, timespan: 5m, generate: false, condition: {gte: 2}}\ngenerate: true") && !rule_set_at(set, 0)->report);
	CHECK_STR(refusal("{type: event_count, rules: a, timespan: 5m, generate: maybe, condition: {gte: 2}}"), "generate is true or false");
	/* One that asks for it is enough. */
	struct rule_set *s = show_load(RULE("a") CORR("x", "{type: event_count, rules: a, timespan: 5m, generate: true, condition: {gte: 2}}") CORR("y", "{type: event_count, rules: a, timespan: 5m, condition: {gte: 2}}"));
	CHECK(rule_set_count(s) == 3 && rule_set_at(s, 0)->report);
	rule_set_free(s);
	/* A refused correlation takes nothing away. */
	s = show_load(RULE("a") CORR("x", "{type: event_count, rules: a, timespan: 5, condition: {gte: 2}}"));
	CHECK(rule_set_count(s) == 1 && rule_set_at(s, 0)->report);
	rule_set_free(s);
}

/* COR-18: nesting, in any order of documents; what the outer one groups by is kept below. */
TEST(nesting)
{
	struct rule_set *s = show_load(CORR("outer", "{type: temporal, rules: [inner, b], timespan: 1h, group-by: [host], aliases: {host: {inner: h}}}")
		CORR("inner", "{type: event_count, rules: a, timespan: 5m, group-by: [user], condition: {gte: 2}}") RULE("a") RULE("b"));
	NEED(rule_set_count(s) == 4 && rule_set_refused_count(s) == 0);
	const struct rule *a = rule_set_at(s, 0), *b = rule_set_at(s, 1), *outer = rule_set_at(s, 2), *inner = rule_set_at(s, 3);
	CHECK(outer->correlation->refs[0] == inner->index && outer->correlation->refs[1] == b->index && inner->correlation->refs[0] == a->index);
	CHECK(!a->report && !b->report && !inner->report && outer->report);
	CHECK(a->n_keep == 2 && str_eq(a->keep[0], STR("user")) && str_eq(a->keep[1], STR("h")));
	CHECK(b->n_keep == 1 && str_eq(b->keep[0], STR("host")) && inner->n_keep == 1);
	rule_set_free(s);
}

static const char *refused_titles(struct rule_set *s)
{
	static struct buf b;
	b.n = 0;
	for (uint32_t i = 0; i < rule_set_count(s); i++) buf_printf(&b, "%.*s %u; ", STR_FMT(rule_set_at(s, i)->name), rule_set_at(s, i)->index);
	for (uint32_t i = 0; i < rule_set_refused_count(s); i++) buf_printf(&b, "!%u %.*s; ", rule_set_refused(s, i)->line, STR_FMT(rule_set_refused(s, i)->reason));
	buf_byte(&b, 0);
	return b.p;
}

/* Circles, and what hangs on refused ones; the others keep their places in order. */
TEST(circles)
{
	struct rule_set *s = show_load(CORR("x", "{type: temporal, rules: [y], timespan: 1h}") CORR("y", "{type: temporal, rules: [x], timespan: 1h}")
		CORR("z", "{type: temporal, rules: [x, a], timespan: 1h}") CORR("ok", "{type: temporal, rules: [a], timespan: 1h}") CORR("self", "{type: temporal, rules: self, timespan: 1h}") RULE("a"));
	CHECK_STR(refused_titles(s), "a 0; ok 1; !4 it refers, by way of others, to itself or to a circle of correlations; !9 it refers, by way of others, to itself or to a circle of correlations; "
		"!14 it refers, by way of others, to itself or to a circle of correlations; !24 it refers, by way of others, to itself or to a circle of correlations; ");
	rule_set_free(s);
	s = show_load(CORR("top", "{type: temporal, rules: [bad, a], timespan: 1h}") CORR("bad", "{type: temporal, rules: [a], timespan: 1}") CORR("ok", "{type: temporal, rules: [ok2], timespan: 1h}")
		CORR("ok2", "{type: temporal, rules: [a], timespan: 1h}") RULE("a"));
	CHECK_STR(refused_titles(s), "a 0; ok 1; ok2 2; !9 '1' is no timespan: a number above 0 and one of s m h d w M y, as in 5m; !4 a correlation that it refers to is refused itself; ");
	CHECK(rule_set_at(s, 1)->correlation->refs[0] == 2 && rule_set_at(s, 2)->correlation->refs[0] == 0);
	rule_set_free(s);
}

/* Chains of 16; a hundred thousand correlations each over two of the next, without trying all ways. */
TEST(chains)
{
	struct buf b = {0};
	buf_lit(&b, RULE("c0"));
	for (int i = 1; i <= 18; i++) buf_printf(&b, "title: t\nname: c%d\ncorrelation: {type: temporal, rules: [c%d], timespan: 1h}\n---\n", i, i - 1);
	struct rule_set *s = rule_set_new();
	rule_set_add_text(s, buf_view(&b), STR("t"));
	rule_set_finish(s);
	CHECK(rule_set_count(s) == 17 && rule_set_refused_count(s) == 2);
	CHECK(str_eq(rule_set_refused(s, 0)->reason, STR("a chain of more than 16 correlations")));
	rule_set_free(s);
	b.n = 0;
	buf_lit(&b, RULE("l0n0") RULE("l0n1"));
	for (int level = 1; level <= 16; level++)
		for (int k = 0; k < 40; k++) {
			buf_printf(&b, "title: t\nname: l%dn%d\ncorrelation: {type: temporal, group-by: [g%d], timespan: 1h, rules: [", level, k, level);
			for (int r = 0; r < (level == 1 ? 2 : 40); r++) buf_printf(&b, "%sl%dn%d", r ? ", " : "", level - 1, r);
			buf_lit(&b, "]}\n---\n");
		}
	s = rule_set_new();
	rule_set_add_text(s, buf_view(&b), STR("t"));
	rule_set_finish(s);
	CHECK(rule_set_count(s) == 642 && rule_set_refused_count(s) == 0);
	CHECK(rule_set_at(s, 0)->n_keep == 16);
	rule_set_free(s);
	buf_done(&b);
}

/* COR-19: level and title are the correlation's own. */
TEST(own_metadata)
{
	CHECK(corr("{type: event_count, rules: a, timespan: 5m, condition: {gte: 2}}"));
	const struct rule *r = rule_set_at(set, 3);
	CHECK(r->info.level == LEVEL_HIGH && str_eq(r->info.title, STR("corr x")) && !r->condition && !r->info.logsource.product.n);
	CHECK(strstr(show_text("name: x\ncorrelation: {}\n"), "!metadata:1:1 the title is missing"));
}
TEST_MAIN
