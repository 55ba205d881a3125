/* rules_chart.c: a correlation's windows as a chart of characters. See rules_chart.h.
 *
 * The events are read once, the hits of the rules that the correlation is made of are put in order of time and fed to a correlator whose
 * trace tells the state of a group after each. */
#include "app/rules_chart.h"
#include "app/formats.h"
#include "auth/auth.h"
#include "base/map.h"
#include "correlate/correlate.h"
#include "match/match.h"
#include "scan/scan.h"
#include "text/escape.h"

enum { SHAPE_BUDGET = 16 << 20, HITS_BUDGET = 256 << 20, GROUPS_SHOWN = 10, COLUMNS = 64, NAME_COLUMNS = 70, KEEP_MAX = 64 };

struct sample {
	struct corr_event event;
	uint64_t number;      /* of the hit: breaks ties of time */
};
struct point {
	struct etime time;
	double value;
	bool holds, opened;
};
struct series {
	struct str name;
	double highest;
	uint64_t fired;
	VEC(struct point) points;
};
struct chart {
	const struct explain_wanted *wanted;
	struct correlate *correlate;
	struct arena arena;
	VEC(struct sample) samples;
	struct map names;     /* a group's text -> index in series */
	VEC(struct series) series;
	uint64_t events;
	bool full;            /* HITS_BUDGET is used up: the rest of the events is left out */
};

/* --- hits ---------------------------------------------------------------------------------------------------------- */

static void add_hit(struct chart *c, struct event *ev, const struct hit *h)
{
	uint32_t n;
	const struct str *fields = correlate_keep(c->correlate, h->rule->index, &n);
	struct str *values = n && n <= KEEP_MAX ? arena_calloc(&c->arena, n, sizeof *values) : NULL;
	struct evidence_ref *e = arena_calloc(&c->arena, 1, sizeof *e);
	if (!e || (n && !values)) {
		c->full = true;
		return;
	}
	*e = (struct evidence_ref){.offset = ev->records[0].offset, .length = ev->records[0].length, .line = ev->records[0].line};
	for (uint32_t i = 0; i < n; i++) {
		struct value *v = event_rule_field(ev, h->binding, fields[i]);
		if (v && v->kind == VALUE_LIST && v->n) v = &v->items[0];
		if (v && v->kind != VALUE_ABSENT && v->kind != VALUE_NULL && v->kind != VALUE_LIST) values[i] = arena_str(&c->arena, value_text(v, ev->arena));
	}
	struct sample s = {{.rule = h->rule->index, .time = ev->time, .evidence = e, .n_evidence = 1, .values = values, .n_values = n,
		.host = arena_str(&c->arena, event_host(ev))}, c->samples.n};
	vec_push(&c->samples, s);
}

static void look_at(struct chart *c, struct matcher *m, struct event *ev)
{
	const struct hit *hits;
	uint32_t n = matcher_run(m, ev, &hits);
	for (uint32_t i = 0; i < n && !c->full; i++) add_hit(c, ev, &hits[i]);
}

/* Every event of the file, logins as such, through the rules. */
static void read_hits(struct chart *c, const struct reader_ops *ops, struct reader *r, struct plan *plan, const struct auth *auth)
{
	struct shape_table *shapes = shape_table_new(c->wanted->taxonomy, SHAPE_BUDGET);
	struct reader_cursor *cursor = ops->cursor_new(r, shapes);
	struct auth_source *logins = auth_source_new(auth, shapes);
	struct matcher *m = matcher_new(plan);
	struct auth_event said;
	for (struct event *ev; !c->full && (ev = ops->next(cursor)); c->events++) {
		bool is_login;
		struct event *login = auth_source_take(logins, ev, &said, &is_login);
		look_at(c, m, is_login ? login : ev);
		while ((ev = auth_source_due(logins, false, &said))) look_at(c, m, ev);
	}
	for (struct event *ev; (ev = auth_source_due(logins, true, &said));) look_at(c, m, ev);
	matcher_free(m);
	auth_source_free(logins);
	ops->cursor_free(cursor);
	shape_table_free(shapes);
}

static int by_time(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int order = etime_cmp(x->event.time, y->event.time);
	return order ? order : (x->number > y->number) - (x->number < y->number);
}

/* --- the state of groups -------------------------------------------------------------------------------------------- */

static void traced(void *arg, const struct corr_trace *t)
{
	struct chart *c = arg;
	struct buf name = {0};
	bool fresh;
	if (t->rule != c->wanted->rule->index) return;
	for (uint32_t i = 0; i < t->n_group; i++) {
		if (i) buf_lit(&name, ", ");
		term_str_cut(&name, t->group[i].value, NAME_COLUMNS);
	}
	if (!t->n_group) buf_lit(&name, "all events");
	struct str key = arena_str(&c->arena, buf_view(&name));
	buf_done(&name);
	if (!key.p) return;
	uint32_t at = *map_put(&c->names, key, (uint32_t)c->series.n, &fresh);
	if (fresh) vec_push(&c->series, (struct series){.name = key, .highest = t->value});
	struct series *s = &c->series.v[at];
	if (t->value > s->highest) s->highest = t->value;
	s->fired += t->opened;
	vec_push(&s->points, (struct point){t->time, t->value, t->holds, t->opened});
}

static void put_nothing(void *arg, const struct finding *f, bool final)
{
	(void)arg;
	(void)f;
	(void)final;
}

/* --- drawing --------------------------------------------------------------------------------------------------------- */

static int by_height(const void *a, const void *b)
{
	const struct series *x = a, *y = b;
	if (x->fired != y->fired) return x->fired < y->fired ? 1 : -1;
	if (x->highest != y->highest) return x->highest < y->highest ? 1 : -1;
	return str_cmp(x->name, y->name);
}

static void put_time(struct buf *out, struct etime t)
{
	char text[ETIME_MAX];
	buf_put(out, text, etime_print(t, t.digits, text));
}

static unsigned column_of(const struct point *p, struct etime from, int64_t width_ns)
{
	int64_t at = etime_diff_ns(p->time, from) / width_ns;
	return at < COLUMNS ? (unsigned)at : COLUMNS - 1;
}

static void put_series(const struct series *s, struct buf *out)
{
	static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	const struct point *first = &s->points.v[0], *last = &s->points.v[s->points.n - 1];
	int64_t width = etime_diff_ns(last->time, first->time) / COLUMNS + 1;
	double high[COLUMNS] = {0};
	bool holds[COLUMNS] = {false}, opened[COLUMNS] = {false}, any[COLUMNS] = {false}, mark = false;
	for (size_t i = 0; i < s->points.n; i++) {
		const struct point *p = &s->points.v[i];
		unsigned at = column_of(p, first->time, width);
		if (!any[at] || p->value > high[at]) high[at] = p->value;
		any[at] = true;
		holds[at] |= p->holds;
		opened[at] |= p->opened;
		mark |= p->holds;
	}
	unsigned last_column = column_of(last, first->time, width);
	buf_printf(out, "\n%.*s: %zu event%s, at most %.6g, %s\n  ", STR_FMT(s->name), s->points.n, s->points.n == 1 ? "" : "s", s->highest,
		s->fired ? "found" : "not found");
	for (unsigned i = 0; i <= last_column; i++) {
		unsigned bar = s->highest > 0 && any[i] ? (unsigned)(high[i] * 8 / s->highest) : 0;
		buf_str(out, str_of(bars[any[i] && !bar ? 1 : bar > 8 ? 8 : bar]));
	}
	if (mark) {
		buf_lit(out, "\n  ");
		for (unsigned i = 0; i <= last_column; i++) buf_byte(out, opened[i] ? '^' : holds[i] ? '-' : ' ');
		while (out->p[out->n - 1] == ' ') out->n--;
	}
	buf_lit(out, "\n  ");
	put_time(out, first->time);
	if (s->points.n > 1) buf_lit(out, " to "), put_time(out, last->time);
	for (size_t i = 0; i < s->points.n; i++)
		if (s->points.v[i].opened) {
			buf_lit(out, "; the condition came to hold at ");
			put_time(out, s->points.v[i].time);
			break;
		}
	buf_byte(out, '\n');
}

static void draw(struct chart *c, struct buf *out)
{
	uint64_t fired = 0;
	for (size_t i = 0; i < c->series.n; i++) fired += c->series.v[i].fired;
	buf_printf(out, "\n%llu events, %zu hits of its rules, %zu groups, %llu findings\n", (unsigned long long)c->events, c->samples.n, c->series.n,
		(unsigned long long)fired);
	if (c->full) buf_lit(out, "(memory for hits ran out: the events behind are left out)\n");
	if (c->series.n) qsort(c->series.v, c->series.n, sizeof *c->series.v, by_height);
	for (size_t i = 0; i < c->series.n && i < GROUPS_SHOWN; i++) put_series(&c->series.v[i], out);
	if (c->series.n) buf_lit(out, "\nbars: what the condition compares, each group by its own highest; ^ a finding opens, - the condition holds\n");
	if (c->series.n > GROUPS_SHOWN) buf_printf(out, "%zu more groups, none with more than %.6g\n", c->series.n - GROUPS_SHOWN, c->series.v[GROUPS_SHOWN].highest);
}

/* --- the command ----------------------------------------------------------------------------------------------------- */

static void feed(struct chart *c)
{
	if (c->samples.n) qsort(c->samples.v, c->samples.n, sizeof *c->samples.v, by_time);
	for (size_t i = 0; i < c->samples.n; i++) correlate_hit(c->correlate, &c->samples.v[i].event);
	correlate_finish(c->correlate);
}

int rules_explain_correlation(const struct explain_wanted *w, struct buf *out)
{
	struct fault f = FAULT_INIT;
	struct chart c = {.wanted = w};
	const struct correlate_options options = {.put = put_nothing, .trace = traced, .arg = &c};
	const struct plan_options plan_options = {.any_logsource = w->any_logsource};
	struct reader_options reader_options = {.format = w->format};
	struct input in;
	size_t n;
	int status = EXIT_DONE;
	if (!input_open(&in, w->path, str_of(w->path), &f)) return app_fault(&f), EXIT_INCOMPLETE;
	input_unhashed(&in);
	arena_init(&c.arena, HITS_BUDGET);
	const struct reader_ops *const *formats = formats_all(&n);
	const struct reader_ops *ops = scan_format_of(formats, n, reader_options.format, &in, &f);
	struct reader *r = ops ? ops->open(&in, &reader_options, &f) : NULL;
	struct plan *plan = r ? plan_new(w->set, &plan_options, &f) : NULL;
	struct auth *auth = plan ? auth_new(&f) : NULL;
	c.correlate = auth ? correlate_new(w->set, &options, &f) : NULL;
	if (!r) {
		app_error("%s: %s", w->path, f.kind ? f.text : "no known log format");
		status = EXIT_INCOMPLETE;
	} else if (!c.correlate) {
		app_fault(&f);
		status = EXIT_FAILED;
	} else {
		read_hits(&c, ops, r, plan, auth);
		feed(&c);
		draw(&c, out);
	}
	for (size_t i = 0; i < c.series.n; i++) vec_free(&c.series.v[i].points);
	vec_free(&c.series);
	vec_free(&c.samples);
	map_done(&c.names);
	correlate_free(c.correlate);
	auth_free(auth);
	plan_free(plan);
	if (r) ops->free(r);
	input_close(&in);
	arena_done(&c.arena);
	return status;
}
