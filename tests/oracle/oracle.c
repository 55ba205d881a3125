/* oracle.c: see oracle.h. */
#include "tests/oracle/oracle.h"
#include "base/alloc.h"
#include "text/regex.h"
#include "text/utf.h"
#include <arpa/inet.h>
#include <math.h>
#include <time.h>

typedef enum oracle_verdict (*member_test)(const struct leaf *l, const struct logsource_binding *b, struct value *v, struct event *ev);

/* A text as numbers: code points, folded or not; bytes that are no character are themselves, out of the way of characters. */
struct points {
	uint32_t *v;
	size_t n;
};

static struct points points_of(struct str s, bool fold)
{
	struct points p = {xmalloc((s.n + 1) * sizeof *p.v), 0};
	const char *at = s.p, *end = s.p + s.n;
	while (at < end) {
		const char *from = at;
		uint32_t c = utf8_step(&at, end);
		if (c == UTF8_BAD) {
			c = 0x80000000u;
			for (; from < at; from++) c = c << 8 | (unsigned char)*from | 0x80000000u;
		} else if (fold) {
			c = utf_fold_cp(c);
		}
		p.v[p.n++] = c;
	}
	return p;
}

static bool equal(struct str a, struct str b, bool fold)
{
	struct points x = points_of(a, fold), y = points_of(b, fold);
	bool same = x.n == y.n && (x.n == 0 || memcmp(x.v, y.v, x.n * sizeof *x.v) == 0);
	free(x.v);
	free(y.v);
	return same;
}

static bool holds_at(struct points x, size_t at, struct points y)
{
	return at + y.n <= x.n && (y.n == 0 || memcmp(x.v + at, y.v, y.n * sizeof *y.v) == 0);
}

/* The pattern as units: a code point, ONE, or ANY; then the usual table, row by row. */
enum { ONE = 0xfffffffe, ANY = 0xffffffff };
static bool pattern(const struct leaf *l, struct str text)
{
	struct points t = points_of(text, !l->cased);
	VEC(uint32_t) units = {0};
	if (!l->field.n) vec_push(&units, ANY);
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		struct points lit = {0};
		if (l->pieces[i].kind == PIECE_ANY) vec_push(&units, ANY);
		if (l->pieces[i].kind == PIECE_ONE) vec_push(&units, ONE);
		if (l->pieces[i].kind == PIECE_LITERAL) lit = points_of(l->pieces[i].literal, !l->cased);
		for (size_t j = 0; j < lit.n; j++) vec_push(&units, lit.v[j]);
		free(lit.v);
	}
	if (!l->field.n) vec_push(&units, ANY);
	/* reach[j]: the units so far match exactly the first j points. */
	bool *reach = xcalloc(t.n + 1, 1);
	reach[0] = true;
	for (size_t i = 0; i < units.n; i++) {
		if (units.v[i] == ANY) {
			for (size_t j = 1; j <= t.n; j++) reach[j] = reach[j] || reach[j - 1];
			continue;
		}
		for (size_t j = t.n; j > 0; j--) reach[j] = reach[j - 1] && (units.v[i] == ONE || units.v[i] == t.v[j - 1]);
		reach[0] = false;
	}
	bool yes = reach[t.n];
	free(reach);
	free(t.v);
	vec_free(&units);
	return yes;
}

/* Value renames of the binding: another text with the leaf's meaning. */
static bool renamed(const struct leaf *l, const struct logsource_binding *b, struct str text)
{
	struct str own = {"", 0};
	if (!b || !l->field.n) return false;
	if (l->kind == LEAF_BOOL) own = l->truth ? STR("true") : STR("false");
	else if (l->n_pieces == 1 && l->pieces[0].kind == PIECE_LITERAL) own = l->pieces[0].literal;
	else if (l->n_pieces) return false;
	for (uint32_t i = 0; i < b->n_values; i++)
		if (equal(b->values[i].rule_field, l->field, false) && equal(b->values[i].rule_value, own, true) &&
		    equal(b->values[i].event_value, text, true))
			return true;
	return false;
}

static bool decimal(struct str s, long double *ret)
{
	size_t i = 0, digits = 0;
	bool point = false;
	if (s.n > 64) return false;
	if (i < s.n && s.p[i] == '-') i++;
	for (; i < s.n; i++) {
		if (s.p[i] == '.' && !point && digits) {
			point = true;
			digits = 0;
		} else if (s.p[i] >= '0' && s.p[i] <= '9') {
			digits++;
		} else {
			return false;
		}
	}
	if (!digits) return false;
	char copy[65] = {0};
	memcpy(copy, s.p, s.n);
	long double wide = strtold(copy, NULL);
	/* Whole numbers of 64 bits are exact; all others are doubles. */
	bool exact = !point && wide >= -9223372036854775808.0L && wide < 18446744073709551616.0L;
	*ret = exact ? wide : (long double)strtod(copy, NULL);
	return true;
}

static bool number_of(const struct value *v, long double *ret)
{
	if (v->kind == VALUE_STR) return decimal(v->text, ret);
	if (v->kind == VALUE_INT) *ret = v->i;
	else if (v->kind == VALUE_UINT) *ret = v->u;
	else if (v->kind == VALUE_REAL) *ret = v->r;
	else return false;
	return true;
}

static bool compare(long double a, enum compare_op op, long double b)
{
	return op == COMPARE_EQ ? a == b : op == COMPARE_GT ? a > b : op == COMPARE_GTE ? a >= b : op == COMPARE_LT ? a < b : a <= b;
}

static bool in_net(const struct leaf *l, struct str s)
{
	char copy[64] = {0};
	unsigned char a[16];
	if (s.n >= sizeof copy || memchr(s.p, 0, s.n)) return false;
	memcpy(copy, s.p, s.n);
	if (inet_pton(l->net_v6 ? AF_INET6 : AF_INET, copy, a) != 1) return false;
	for (unsigned bit = 0; bit < l->net_bits; bit++)
		if ((a[bit / 8] ^ l->net[bit / 8]) & (0x80 >> bit % 8)) return false;
	return true;
}

static bool time_of(const struct value *v, time_t *ret)
{
	long double n;
	struct etime t;
	if (number_of(v, &n)) {
		double r = (double)n;
		if (r != r || fabs(r) > 1e15) return false;
		*ret = (time_t)floor(fabs(r) > 1e12 ? r / 1000 : r);
		return true;
	}
	if (v->kind != VALUE_STR) return false;
	struct str s = v->text;
	char copy[40] = {0};
	if (s.n == 10) {
		memcpy(copy, s.p, 10);
		strcpy(copy + 10, "T00:00:00");
		s = str_of(copy);
	}
	if (!etime_parse(s, &t, NULL)) return false;
	*ret = t.sec;
	return true;
}

static bool time_part(const struct leaf *l, const struct value *v)
{
	time_t t;
	struct tm tm;
	char out[3];
	if (!time_of(v, &t) || !gmtime_r(&t, &tm) || !strftime(out, sizeof out, "%V", &tm)) return false;
	int parts[] = {tm.tm_min, tm.tm_hour, tm.tm_mday, atoi(out), tm.tm_mon + 1, tm.tm_year + 1900};
	return compare(parts[l->part], l->op, l->integer);
}

static enum oracle_verdict yes_if(bool b) { return b ? ORACLE_YES : ORACLE_NO; }

static bool number_leaf(const struct leaf *l, struct value *v, struct str text)
{
	long double n;
	if (l->field.n && number_of(v, &n)) return compare(n, COMPARE_EQ, l->is_integer ? (long double)l->integer : (long double)l->real);
	if (l->field.n) return v->kind == VALUE_STR && equal(text, l->written, true);
	struct points t = points_of(text, true), w = points_of(l->written, true);
	bool found = false;
	for (size_t i = 0; i <= t.n && !found; i++) found = holds_at(t, i, w);
	free(t.v);
	free(w.v);
	return found;
}

/* Regexes are the one thing both sides share, down to the compiled form: text/regex.h has tests of its own. */
static enum oracle_verdict search(const struct leaf *l, struct str text)
{
	struct regex *re = regex_compile(l->regex, (l->re_i ? REGEX_NOCASE : 0) | (l->re_m ? REGEX_MULTILINE : 0) | (l->re_s ? REGEX_DOTALL : 0), NULL);
	enum regex_match m = re ? regex_match(re, text) : MATCH_UNDECIDED;
	regex_free(re);
	return m == MATCH_YES ? ORACLE_YES : m == MATCH_NO ? ORACLE_NO : ORACLE_UNDECIDED;
}

static enum oracle_verdict member(const struct leaf *l, const struct logsource_binding *b, struct value *v, struct event *ev)
{
	long double n;
	if (v->kind == VALUE_ABSENT || v->kind == VALUE_NULL || v->kind == VALUE_LIST) return ORACLE_NO;
	struct str text = value_text(v, ev->arena);
	switch (l->kind) {
	case LEAF_STRING: return yes_if(pattern(l, text) || renamed(l, b, text));
	case LEAF_NUMBER: return yes_if(number_leaf(l, v, text));
	case LEAF_BOOL:
		if (v->kind == VALUE_BOOL) return yes_if(v->b == l->truth);
		return yes_if(v->kind == VALUE_STR && (equal(text, l->truth ? STR("true") : STR("false"), true) || renamed(l, b, text)));
	case LEAF_EMPTY: return yes_if(l->field.n && v->kind == VALUE_STR && text.n == 0);
	case LEAF_REGEX: return search(l, text);
	case LEAF_CIDR: return yes_if(v->kind == VALUE_STR && in_net(l, text));
	case LEAF_COMPARE: return yes_if(number_of(v, &n) && compare(n, l->op, l->is_integer ? (long double)l->integer : (long double)l->real));
	case LEAF_TIMEPART: return yes_if(time_part(l, v));
	case LEAF_NULL: case LEAF_EXISTS: case LEAF_FIELDREF: case LEAF_NEVER: break;
	}
	return ORACLE_NO;
}

static enum oracle_verdict null_member(const struct leaf *l, const struct logsource_binding *b, struct value *v, struct event *ev)
{
	(void)l, (void)b, (void)ev;
	return yes_if(v->kind == VALUE_NULL);
}

static enum oracle_verdict best(enum oracle_verdict a, enum oracle_verdict b)
{
	if (a == ORACLE_YES || b == ORACLE_YES) return ORACLE_YES;
	return a == ORACLE_UNDECIDED || b == ORACLE_UNDECIDED ? ORACLE_UNDECIDED : ORACLE_NO;
}

static enum oracle_verdict any_member(const struct leaf *l, const struct logsource_binding *b, struct value *v, struct event *ev, member_test test)
{
	enum oracle_verdict all = ORACLE_NO;
	if (v->kind != VALUE_LIST) return test(l, b, v, ev);
	for (uint32_t i = 0; i < v->n; i++) all = best(all, test(l, b, &v->items[i], ev));
	return all;
}

/* The name under which the event holds a rule's field. */
static struct str name_of(struct event *ev, const struct logsource_binding *b, struct str field)
{
	for (uint32_t i = 0; b && i < b->n_renames; i++)
		for (uint32_t j = 0; equal(b->renames[i].rule_field, field, false) && j < ev->shape->n_columns; j++)
			if (equal(ev->shape->columns[j].name, b->renames[i].event_field, false)) return ev->shape->columns[j].name;
	return field;
}

static enum oracle_verdict refer(const struct leaf *l, struct event *ev, struct value *x, struct value *y)
{
	enum value_kind a = x->kind, c = y->kind;
	if (a == VALUE_ABSENT || a == VALUE_NULL || a == VALUE_LIST || c == VALUE_ABSENT || c == VALUE_NULL || c == VALUE_LIST) return ORACLE_NO;
	struct points p = points_of(value_text(x, ev->arena), !l->cased), q = points_of(value_text(y, ev->arena), !l->cased);
	bool yes = false;
	if (l->string_op == STRING_EQUALS) yes = p.n == q.n && holds_at(p, 0, q);
	if (l->string_op == STRING_STARTS) yes = holds_at(p, 0, q);
	if (l->string_op == STRING_ENDS) yes = p.n >= q.n && holds_at(p, p.n - q.n, q);
	for (size_t i = 0; l->string_op == STRING_CONTAINS && i <= p.n && !yes; i++) yes = holds_at(p, i, q);
	free(p.v);
	free(q.v);
	return yes_if(yes);
}

static enum oracle_verdict fieldref(const struct leaf *l, struct event *ev, const struct logsource_binding *b)
{
	const struct shape *s = ev->shape;
	struct str one = name_of(ev, b, l->field), two = name_of(ev, b, l->other_field);
	enum oracle_verdict all = ORACLE_NO;
	for (uint32_t i = 0; i < s->n_columns; i++) {
		for (uint32_t j = 0; equal(s->columns[i].name, one, false) && j < s->n_columns; j++) {
			if (!equal(s->columns[j].name, two, false)) continue;
			struct value *x = event_cell(ev, i), *y = event_cell(ev, j);
			for (uint32_t m = 0; m < (x->kind == VALUE_LIST ? x->n : 1); m++)
				for (uint32_t n = 0; n < (y->kind == VALUE_LIST ? y->n : 1); n++)
					all = best(all, refer(l, ev, x->kind == VALUE_LIST ? &x->items[m] : x, y->kind == VALUE_LIST ? &y->items[n] : y));
		}
	}
	return all;
}

static enum oracle_verdict keyword(const struct leaf *l, struct event *ev, const struct logsource_binding *b)
{
	enum oracle_verdict all = ORACLE_NO;
	struct value raw = value_str(ev->raw);
	for (uint32_t i = 0; i < ev->shape->n_columns; i++)
		if (!ev->shape->columns[i].hidden && !(ev->shape->columns[i].covered && ev->raw.p)) all = best(all, any_member(l, b, event_cell(ev, i), ev, member));
	return ev->raw.p ? best(all, any_member(l, b, &raw, ev, member)) : all;
}

static enum oracle_verdict leaf(const struct leaf *l, struct event *ev, const struct logsource_binding *b)
{
	if (l->kind == LEAF_NEVER) return ORACLE_NO;
	if (!l->field.n) return keyword(l, ev, b);
	if (l->kind == LEAF_FIELDREF) return fieldref(l, ev, b);
	struct str name = name_of(ev, b, l->field);
	bool present = false;
	enum oracle_verdict all = ORACLE_NO;
	for (uint32_t i = 0; i < ev->shape->n_columns; i++) {
		if (!equal(ev->shape->columns[i].name, name, false)) continue;
		struct value *v = event_cell(ev, i);
		present = present || v->kind != VALUE_ABSENT;
		all = best(all, any_member(l, b, v, ev, l->kind == LEAF_NULL ? null_member : member));
	}
	if (l->kind == LEAF_EXISTS) return yes_if(present == l->truth);
	if (l->kind == LEAF_NULL && !present) return ORACLE_YES;
	return all;
}

enum oracle_verdict oracle_tree(const struct node *n, struct event *ev, const struct logsource_binding *b)
{
	enum oracle_verdict all;
	if (n->kind == NODE_LEAF) return leaf(n->leaf, ev, b);
	if (n->kind == NODE_NOT) {
		all = oracle_tree(n->children[0], ev, b);
		return all == ORACLE_UNDECIDED ? all : yes_if(all == ORACLE_NO);
	}
	uint32_t count[3] = {0};
	for (uint32_t i = 0; i < n->n; i++) count[oracle_tree(n->children[i], ev, b)]++;
	if (n->kind == NODE_OR) return count[ORACLE_YES] ? ORACLE_YES : count[ORACLE_UNDECIDED] ? ORACLE_UNDECIDED : ORACLE_NO;
	return count[ORACLE_NO] ? ORACLE_NO : count[ORACLE_UNDECIDED] ? ORACLE_UNDECIDED : ORACLE_YES;
}

static bool covers(struct str wanted, struct str have) { return wanted.n == 0 || equal(wanted, have, false); }

static bool when_holds(struct event *ev, const struct logsource_binding *b)
{
	if (!b->when_field.n) return true;
	for (uint32_t i = 0; i < ev->shape->n_columns; i++) {
		struct value *v = event_cell(ev, i);
		if (!equal(ev->shape->columns[i].name, b->when_field, false)) continue;
		for (uint32_t m = 0; m < (v->kind == VALUE_LIST ? v->n : 1); m++) {
			struct value *one = v->kind == VALUE_LIST ? &v->items[m] : v;
			if (one->kind != VALUE_NULL && one->kind != VALUE_ABSENT && equal(value_text(one, ev->arena), b->when_value, true)) return true;
		}
	}
	return false;
}

struct oracle_answer oracle_rule(const struct rule *r, struct event *ev, bool any_logsource)
{
	struct oracle_answer a = {ORACLE_NO, -1, any_logsource};
	if (!r->condition) return a;
	if (any_logsource) {
		a.verdict = oracle_tree(r->condition, ev, NULL);
		return a;
	}
	for (uint32_t i = 0; i < ev->shape->n_bindings; i++) {
		const struct logsource_binding *b = &ev->shape->bindings[i];
		const struct logsource *ls = &r->info.logsource;
		if (!covers(ls->product, b->ls.product) || !covers(ls->category, b->ls.category) || !covers(ls->service, b->ls.service)) continue;
		if (!when_holds(ev, b)) continue;
		a.covered = true;
		enum oracle_verdict one = oracle_tree(r->condition, ev, b);
		if (one == ORACLE_YES && a.binding < 0) a.binding = (int32_t)i;
		a.verdict = best(a.verdict, one);
	}
	return a;
}
