/* naive_match.c: events laid out, their log sources found, trees walked. See naive.h. */
#include "tests/oracle/naive_internal.h"
#include <arpa/inet.h>
#include <math.h>
#include <time.h>
#include <wchar.h>

struct cell {
	enum value_kind kind;      /* never VALUE_LIST or VALUE_ABSENT */
	struct str text;
	struct points exact, folded;
	bool is_number, b;
	long double number;
};
/* All that stands under one name, in the order of columns; lists are laid flat. */
struct field_cells { struct str name; VEC(struct cell *) cells; bool present; };
struct binding {
	struct source source;
	bool holds;                /* its own condition */
	const int32_t *at;         /* per rule field: index in event.named, or -1 */
	VEC(const struct data_line *) values;
};
/* A pair of fields is compared column by column, so that fieldref sees pairs; the cells of a name are all there is. */
struct naive_event {
	struct arena arena;
	VEC(struct field_cells) named;
	VEC(struct cell *) all;    /* every cell once */
	VEC(struct cell *) keywords;
	int32_t *plain;            /* per rule field, without renames */
	VEC(struct binding) bindings;
	VEC(int32_t *) tables;
};

/* --- cells -------------------------------------------------------------------------------------------------------- */

/* [-]digits[.digits], whole: whole numbers of 64 bits exactly, all others as doubles. */
static bool decimal(struct str s, long double *ret)
{
	char copy[65] = {0};
	if (!s.n || s.n > 64) return false;
	memcpy(copy, s.p, s.n);
	if (strlen(copy) != s.n) return false;
	const char *p = copy + (*copy == '-');
	size_t whole = strspn(p, "0123456789"), part = p[whole] == '.' ? strspn(p + whole + 1, "0123456789") : 0;
	bool point = p[whole] == '.';
	if (!whole || (point && !part) || p[whole + point + part]) return false;
	long double n = strtold(copy, NULL);
	*ret = !point && n >= -9223372036854775808.0L && n < 18446744073709551616.0L ? n : (long double)strtod(copy, NULL);
	return true;
}

static struct cell *cell_new(struct naive_event *e, struct value *v, struct arena *batch)
{
	struct cell *c = xcalloc(1, sizeof *c);
	c->kind = v->kind;
	c->text = arena_str(&e->arena, value_text(v, batch));
	c->exact = points_of(c->text);
	c->folded = points_of(c->text);
	points_fold(&c->folded);
	c->b = v->kind == VALUE_BOOL && v->b;
	c->is_number = v->kind == VALUE_INT || v->kind == VALUE_UINT || v->kind == VALUE_REAL || (v->kind == VALUE_STR && decimal(c->text, &c->number));
	if (v->kind == VALUE_INT) c->number = v->i;
	if (v->kind == VALUE_UINT) c->number = v->u;
	if (v->kind == VALUE_REAL) c->number = v->r;
	vec_push(&e->all, c);
	return c;
}

static struct field_cells *named_at(struct naive_event *e, struct str name)
{
	for (size_t i = 0; i < e->named.n; i++)
		if (str_eq(e->named.v[i].name, name)) return &e->named.v[i];
	vec_push(&e->named, (struct field_cells){.name = arena_str(&e->arena, name)});
	return &e->named.v[e->named.n - 1];
}

static void add_column(struct naive_event *e, struct event *ev, uint32_t i)
{
	const struct column *c = &ev->shape->columns[i];
	struct field_cells *n = named_at(e, c->name);
	struct value *v = event_cell(ev, i);
	bool keyword = !c->hidden && !(c->covered && ev->raw.p);
	n->present = n->present || v->kind != VALUE_ABSENT;
	for (uint32_t k = 0; k < (v->kind == VALUE_LIST ? v->n : 1); k++) {
		struct value *one = v->kind == VALUE_LIST ? &v->items[k] : v;
		if (one->kind == VALUE_ABSENT || one->kind == VALUE_LIST) continue;
		struct cell *cell = cell_new(e, one, ev->arena);
		vec_push(&n->cells, cell);
		if (keyword) vec_push(&e->keywords, cell);
	}
}

/* --- log sources ---------------------------------------------------------------------------------------------------- */

static struct str first_text(const struct naive_event *e, struct str name)
{
	for (size_t i = 0; i < e->named.n; i++)
		if (str_eq(e->named.v[i].name, name) && e->named.v[i].cells.n) return e->named.v[i].cells.v[0]->text;
	return (struct str){"", 0};
}

static bool folded_equal(struct points a, struct str s)
{
	struct points b = points_of(s);
	points_fold(&b);
	bool same = a.n == b.n && (!a.n || !memcmp(a.v, b.v, a.n * sizeof *a.v));
	free(b.v);
	return same;
}

static bool condition_holds(const struct naive_event *e, struct str condition)
{
	struct str field = str_cut(&condition, '=');
	for (size_t i = 0; i < e->named.n; i++)
		for (size_t k = 0; str_eq(e->named.v[i].name, field) && k < e->named.v[i].cells.n; k++)
			if (e->named.v[i].cells.v[k]->kind != VALUE_NULL && folded_equal(e->named.v[i].cells.v[k]->folded, condition)) return true;
	return false;
}

static void add_binding(const struct naive_set *s, struct naive_event *e, struct source source, struct str condition, struct str format)
{
	int32_t *at = xmalloc((s->fields.n + 1) * sizeof *at);
	struct binding b = {.source = source, .holds = !condition.n || condition_holds(e, condition), .at = at};
	memcpy(at, e->plain, s->fields.n * sizeof *at);
	naive_number(s, &b.source);
	bool *done = xcalloc(s->fields.n + 1, 1);
	/* Of several lines for one field the first counts whose field the event has. */
	for (size_t i = 0; i < s->lines.n; i++) {
		const struct data_line *l = &s->lines.v[i];
		bool rename = str_eq(l->word, STR("rename")) && str_eq(l->v[0], source.service) && str_eq(l->v[1], source.category);
		bool alias = str_eq(l->word, STR("alias")) && format.n && str_eq(l->v[0], format);
		struct str from = l->v[rename ? 2 : 1], to = l->v[rename ? 3 : 2];
		size_t f = 0;
		if (!rename && !alias) continue;
		while (f < s->fields.n && !str_eq(s->fields.v[f], from)) f++;
		for (size_t k = 0; k < e->named.n && f < s->fields.n && !done[f]; k++)
			if (str_eq(e->named.v[k].name, to)) at[f] = (int32_t)k, done[f] = true;
	}
	free(done);
	for (size_t i = 0; i < s->lines.n; i++) {
		const struct data_line *l = &s->lines.v[i];
		if (str_eq(l->word, STR("value")) && str_eq(l->v[0], source.service) && str_eq(l->v[1], source.category)) vec_push(&b.values, l);
	}
	vec_push(&e->tables, at);
	vec_push(&e->bindings, b);
}

static bool has_id(struct str ids, struct str id)
{
	while (ids.p)
		if (str_eq(str_trim(str_cut(&ids, ',')), id)) return true;
	return false;
}

/* A Windows event is of windows, of its channel's services, and of the categories of its number there. */
static void windows_bindings(const struct naive_set *s, struct naive_event *e)
{
	struct str channel = first_text(e, STR("Channel")), id = first_text(e, STR("EventID")), none = {"", 0};
	bool elsewhere = false; /* Windows' form on another system */
	for (size_t i = 0; i < s->lines.n; i++)
		elsewhere |= str_eq(s->lines.v[i].word, STR("source")) && str_eq(s->lines.v[i].v[0], channel) && str_eq(s->lines.v[i].v[1], STR("linux"));
	if (!elsewhere) add_binding(s, e, (struct source){STR("windows"), none, none, {0}}, none, none);
	for (size_t i = 0; i < s->lines.n; i++) {
		const struct data_line *c = &s->lines.v[i];
		if (str_eq(c->word, STR("source")) && str_eq(c->v[0], channel)) 
			add_binding(s, e, (struct source){c->v[1], c->v[2], c->v[3], {0}}, c->n > 4 ? c->v[4] : none, none);
		if (!str_eq(c->word, STR("channel")) || !str_eq(c->v[0], channel)) continue;
		add_binding(s, e, (struct source){STR("windows"), none, c->v[1], {0}}, none, none);
		for (size_t k = 0; k < s->lines.n; k++) {
			const struct data_line *l = &s->lines.v[k];
			if (str_eq(l->word, STR("event")) && str_eq(l->v[0], c->v[1]) && has_id(l->v[1], id))
				add_binding(s, e, (struct source){STR("windows"), l->v[2], l->v[0], {0}}, l->n > 3 ? l->v[3] : none, none);
		}
	}
}

static void format_bindings(const struct naive_set *s, struct naive_event *e, struct str format)
{
	for (size_t i = 0; i < s->lines.n; i++) {
		const struct data_line *l = &s->lines.v[i];
		if (str_eq(l->word, STR("format")) && str_eq(l->v[0], format))
			add_binding(s, e, (struct source){l->v[1], l->v[2], l->v[3], {0}}, l->n > 4 ? l->v[4] : (struct str){"", 0}, format);
	}
}

struct naive_event *naive_event_new(const struct naive_set *s, struct event *ev)
{
	struct naive_event *e = xcalloc(1, sizeof *e);
	arena_init(&e->arena, 1u << 30);
	for (uint32_t i = 0; i < ev->shape->n_columns; i++) add_column(e, ev, i);
	if (ev->raw.p) {
		struct value raw = value_str(ev->raw);
		vec_push(&e->keywords, cell_new(e, &raw, ev->arena));
	}
	e->plain = xmalloc((s->fields.n + 1) * sizeof *e->plain);
	for (size_t f = 0; f < s->fields.n; f++) {
		e->plain[f] = -1;
		for (size_t i = 0; i < e->named.n; i++)
			if (str_eq(e->named.v[i].name, s->fields.v[f])) e->plain[f] = (int32_t)i;
	}
	if (ev->shape->channel.n || str_eq(ev->shape->format, STR("evtx"))) windows_bindings(s, e);
	else format_bindings(s, e, ev->shape->format);
	return e;
}

void naive_event_free(struct naive_event *e)
{
	for (size_t i = 0; i < e->all.n; i++) {
		free(e->all.v[i]->exact.v);
		free(e->all.v[i]->folded.v);
		free(e->all.v[i]);
	}
	for (size_t i = 0; i < e->named.n; i++) vec_free(&e->named.v[i].cells);
	for (size_t i = 0; i < e->bindings.n; i++) vec_free(&e->bindings.v[i].values);
	for (size_t i = 0; i < e->tables.n; i++) free(e->tables.v[i]);
	vec_free(&e->tables);
	vec_free(&e->named);
	vec_free(&e->all);
	vec_free(&e->keywords);
	vec_free(&e->bindings);
	free(e->plain);
	arena_done(&e->arena);
	free(e);
}

/* --- comparing ------------------------------------------------------------------------------------------------------ */

/* Where c stands in t from `at` on, or t.n. Plain search, by the C library's. */
static size_t find_point(struct points t, size_t at, int32_t c)
{
	const wchar_t *p = at < t.n ? wmemchr((const wchar_t *)t.v + at, c, t.n - at) : NULL;
	return p ? (size_t)(p - (const wchar_t *)t.v) : t.n;
}

/* After a star that fails later, the text is tried again one character on. */
static bool glob(struct points p, struct points t)
{
	size_t i = 0, j = 0, star = SIZE_MAX, mark = 0;
	for (;;) {
		if (i < p.n && p.v[i] == ANY) {
			star = ++i;
			if (i == p.n) return true;
			if (p.v[i] < BAD_BYTE + 0x100) j = find_point(t, j, p.v[i]);
			mark = j;
			continue;
		}
		if (j == t.n) return i == p.n;
		if (i < p.n && (p.v[i] == ONE || p.v[i] == t.v[j])) {
			i++;
			j++;
			continue;
		}
		if (star == SIZE_MAX) return false;
		i = star;
		j = ++mark;
		if (p.v[i] < BAD_BYTE + 0x100) j = mark = find_point(t, j, p.v[i]);
	}
}

static bool same(struct points a, struct points b) { return a.n == b.n && (!a.n || !memcmp(a.v, b.v, a.n * sizeof *a.v)); }
static bool text_is(struct points folded, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; i < n && i < folded.n; i++)
		if (folded.v[i] != word[i]) return false;
	return folded.n == n;
}

/* The source writes another text for what the rule's value says. */
static bool renamed(const struct naive_set *s, const struct test *x, const struct binding *b, const struct cell *c)
{
	for (size_t i = 0; b && i < b->values.n; i++) {
		const struct data_line *l = b->values.v[i];
		if (!str_eq(l->v[2], s->fields.v[x->field]) || !folded_equal(c->folded, l->v[4])) continue;
		if (x->kind == T_BOOL ? str_eq_nocase(l->v[3], x->truth ? STR("true") : STR("false")) : folded_equal(x->pattern, l->v[3])) return true;
	}
	return false;
}

static bool compare(long double a, enum test_op op, long double b)
{
	return op == OP_EQ ? a == b : op == OP_GT ? a > b : op == OP_GTE ? a >= b : op == OP_LT ? a < b : a <= b;
}

static bool in_net(const struct test *x, struct str s)
{
	char copy[64] = {0};
	unsigned char a[16];
	if (s.n >= sizeof copy || memchr(s.p, 0, s.n)) return false;
	memcpy(copy, s.p, s.n);
	if (inet_pton(x->v6 ? AF_INET6 : AF_INET, copy, a) != 1) return false;
	for (unsigned bit = 0; bit < x->bits; bit++)
		if ((a[bit / 8] ^ x->net[bit / 8]) & (0x80 >> bit % 8)) return false;
	return true;
}

static bool part_holds(const struct test *x, const struct cell *c)
{
	time_t at;
	struct etime t;
	struct tm tm;
	char week[3];
	if (c->is_number) {
		double r = (double)c->number;
		if (r != r || fabs(r) > 1e15) return false;
		at = (time_t)floor(fabs(r) > 1e12 ? r / 1000 : r);
	} else {
		char copy[64] = {0};
		struct str s = c->text;
		if (c->kind != VALUE_STR) return false;
		if (s.n == 10) memcpy(copy, s.p, 10), strcpy(copy + 10, "T00:00:00"), s = str_of(copy);
		if (!etime_parse(s, &t, NULL)) return false;
		at = t.sec;
	}
	if (!gmtime_r(&at, &tm) || !strftime(week, sizeof week, "%V", &tm)) return false;
	int parts[] = {tm.tm_min, tm.tm_hour, tm.tm_mday, atoi(week), tm.tm_mon + 1, tm.tm_year + 1900};
	return compare(parts[x->part], x->op, x->number);
}

static enum naive_verdict regex(const struct test *x, struct str s)
{
	pcre2_match_data *m = pcre2_match_data_create(1, NULL);
	int got = pcre2_match(x->re, (PCRE2_SPTR)s.p, s.n, 0, 0, m, NULL);
	pcre2_match_data_free(m);
	return got >= 0 ? NAIVE_YES : got == PCRE2_ERROR_NOMATCH ? NAIVE_NO : NAIVE_UNDECIDED;
}

static enum naive_verdict yes_if(bool b) { return b ? NAIVE_YES : NAIVE_NO; }

static enum naive_verdict one(const struct naive_set *s, const struct test *x, const struct binding *b, const struct cell *c)
{
	if (c->kind == VALUE_NULL) return yes_if(x->kind == T_NULL);
	switch (x->kind) {
	case T_TEXT: return yes_if(glob(x->pattern, x->cased ? c->exact : c->folded) || (x->plain && renamed(s, x, b, c)));
	case T_NUMBER: return yes_if(c->is_number ? c->number == x->number : c->kind == VALUE_STR && same(c->folded, x->written));
	case T_BOOL:
		if (c->kind == VALUE_BOOL) return yes_if(c->b == x->truth);
		return yes_if(c->kind == VALUE_STR && (text_is(c->folded, x->truth ? "true" : "false") || renamed(s, x, b, c)));
	case T_EMPTY: return yes_if(c->kind == VALUE_STR && !c->text.n);
	case T_REGEX: return regex(x, c->text);
	case T_NET: return yes_if(c->kind == VALUE_STR && in_net(x, c->text));
	case T_COMPARE: return yes_if(c->is_number && compare(c->number, x->op, x->number));
	case T_PART: return yes_if(part_holds(x, c));
	case T_NULL: case T_EXISTS: case T_REF: case T_NEVER: break;
	}
	return NAIVE_NO;
}

static bool refers(const struct test *x, const struct cell *a, const struct cell *b)
{
	struct points p = x->cased ? a->exact : a->folded, q = x->cased ? b->exact : b->folded;
	if (a->kind == VALUE_NULL || b->kind == VALUE_NULL) return false;
	for (size_t at = 0; at + q.n <= p.n; at++) {
		bool here = !q.n || !memcmp(p.v + at, q.v, q.n * sizeof *q.v);
		bool place = x->ref == REF_CONTAINS || (x->ref == REF_STARTS && !at) || (x->ref == REF_ENDS && at + q.n == p.n) || (!at && q.n == p.n);
		if (here && place) return true;
	}
	return false;
}

static enum naive_verdict test(const struct naive_set *s, const struct test *x, const struct naive_event *e, const struct binding *b)
{
	const int32_t *at = b ? b->at : e->plain;
	enum naive_verdict all = NAIVE_NO;
	if (x->field < 0) {
		for (size_t i = 0; i < e->keywords.n && all != NAIVE_YES; i++) {
			enum naive_verdict v = e->keywords.v[i]->kind == VALUE_NULL ? NAIVE_NO : one(s, x, b, e->keywords.v[i]);
			if (v > NAIVE_NO) all = v;
		}
		return all;
	}
	const struct field_cells *n = at[x->field] < 0 ? NULL : &e->named.v[at[x->field]];
	if (x->kind == T_EXISTS) return yes_if((n && n->present) == x->truth);
	if (x->kind == T_NULL && !(n && n->present)) return NAIVE_YES;
	const struct field_cells *other = x->kind == T_REF && at[x->other] >= 0 ? &e->named.v[at[x->other]] : NULL;
	for (size_t i = 0; n && i < n->cells.n && all != NAIVE_YES; i++) {
		enum naive_verdict v = NAIVE_NO;
		for (size_t k = 0; other && k < other->cells.n; k++)
			if (refers(x, n->cells.v[i], other->cells.v[k])) v = NAIVE_YES;
		if (x->kind != T_REF) v = one(s, x, b, n->cells.v[i]);
		if (v == NAIVE_YES || all == NAIVE_NO) all = v;
	}
	return all;
}

static enum naive_verdict walk(const struct naive_set *s, const struct tree *t, const struct naive_event *e, const struct binding *b)
{
	if (t->kind == TREE_TEST) return test(s, &t->test, e, b);
	if (t->kind == TREE_NOT) {
		enum naive_verdict v = walk(s, t->v[0], e, b);
		return v == NAIVE_UNDECIDED ? v : yes_if(v == NAIVE_NO);
	}
	enum naive_verdict end = t->kind == TREE_OR ? NAIVE_YES : NAIVE_NO, all = t->kind == TREE_OR ? NAIVE_NO : NAIVE_YES;
	for (size_t i = 0; i < t->n; i++) {
		enum naive_verdict v = walk(s, t->v[i], e, b);
		if (v == end) return end;
		if (v == NAIVE_UNDECIDED) all = v;
	}
	return all;
}

/* What a rule does not state may be anything (LS-2). */
static bool covers(const struct source *rule, const struct source *have)
{
	for (int i = 0; i < 3; i++)
		if (rule->ids[i] && rule->ids[i] != have->ids[i]) return false;
	return true;
}

enum naive_verdict naive_match(const struct naive_set *s, uint32_t rule, const struct naive_event *e, bool any, bool *ret_covered)
{
	const struct naive_rule *r = &s->rules.v[rule];
	enum naive_verdict all = NAIVE_NO;
	bool covered = any;
	if (any) all = walk(s, r->tree, e, NULL);
	for (size_t i = 0; !any && i < e->bindings.n; i++) {
		const struct binding *b = &e->bindings.v[i];
		if (!b->holds || !covers(&r->source, &b->source)) continue;
		covered = true;
		enum naive_verdict v = walk(s, r->tree, e, b);
		if (v == NAIVE_YES || all == NAIVE_NO) all = v;
	}
	if (ret_covered) *ret_covered = covered;
	return all;
}
