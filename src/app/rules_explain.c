/* rules_explain.c: a rule's tree with what each leaf saw, event by event. See rules_explain.h. */
#include "app/rules_explain.h"
#include "app/formats.h"
#include "event/event.h"
#include "match/explain.h"
#include "rules/explain.h"
#include "scan/scan.h"
#include "text/escape.h"

enum { VALUE_COLUMNS = 120, SHAPE_BUDGET = 16 << 20 };

/* An event being looked at through one binding. */
struct seer {
	struct match_explain *x;
	struct event *ev;
	const struct logsource_binding *binding;
};

static char mark(void *self, const struct node *n)
{
	static const char marks[] = {'-', '+', '?'};
	return marks[match_explain_node(((struct seer *)self)->x, n)];
}

static char folded(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c; }

/* The same letters and digits, whatever their case and what stands between them. */
static bool looks_like(struct str a, struct str b)
{
	size_t i = 0, k = 0;
	for (;;) {
		while (i < a.n && strchr(" _-.", a.p[i])) i++;
		while (k < b.n && strchr(" _-.", b.p[k])) k++;
		if (i == a.n || k == b.n) return i == a.n && k == b.n;
		if (folded(a.p[i++]) != folded(b.p[k++])) return false;
	}
}

static void put_missing(const struct seer *s, struct str field, struct buf *out)
{
	buf_lit(out, "   <- no such field");
	for (uint32_t i = 0; i < s->ev->shape->n_columns; i++) {
		struct str name = s->ev->shape->columns[i].name;
		if (str_eq(name, field) || !looks_like(name, field)) continue;
		buf_lit(out, "; the event has ");
		term_str(out, name);
		return;
	}
}

/* A long value from shortly before what was found in it. */
static void put_value(const struct leaf *l, bool holds, struct str value, struct buf *out)
{
	enum { BEFORE = 30 };
	size_t at = 0;
	for (uint32_t i = 0; holds && l->kind == LEAF_STRING && i < l->n_pieces && !at; i++) {
		struct str wanted = l->pieces[i].literal;
		for (size_t k = 0; wanted.n && !at && k + wanted.n <= value.n; k++)
			if (str_eq_nocase(str_sub(value, k, wanted.n), wanted)) at = k + 1;
	}
	if (at + 10 < VALUE_COLUMNS || value.n <= VALUE_COLUMNS) {
		term_str_cut(out, value, VALUE_COLUMNS);
		return;
	}
	/* Not from the middle of a character. */
	for (at -= BEFORE; at < value.n && ((unsigned char)value.p[at] & 0xc0) == 0x80; at++) ;
	buf_lit(out, "…");
	term_str_cut(out, str_sub(value, at, value.n), VALUE_COLUMNS - 1);
}

/* What a field reference was compared with. */
static void put_other(const struct seer *s, struct str field, struct buf *out)
{
	struct value *v = NULL;
	struct str rule_field = field;
	for (uint32_t i = 0; s->binding && i < s->binding->n_renames && !v; i++)
		if (str_eq(s->binding->renames[i].rule_field, rule_field) && (v = event_get(s->ev, s->binding->renames[i].event_field)))
			field = s->binding->renames[i].event_field;
	if (!v) v = event_get(s->ev, field);
	buf_lit(out, ", ");
	term_str(out, field);
	if (!v || v->kind == VALUE_ABSENT) {
		buf_lit(out, ": no such field");
		return;
	}
	buf_lit(out, " = ");
	struct buf list = {0};
	if (v->kind == VALUE_LIST) value_json(v, &list);
	term_str_cut(out, v->kind == VALUE_LIST ? buf_view(&list) : value_text(v, s->ev->arena), VALUE_COLUMNS);
	buf_done(&list);
}

static void put_seen(void *self, const struct leaf *l, struct buf *out)
{
	const struct seer *s = self;
	struct match_seen seen;
	bool holds = match_explain_leaf(s->x, l, &seen) == MATCH_TRUE;
	if (!l->field.n && !holds) return; /* a keyword was looked for everywhere */
	if (!seen.present) {
		if (l->field.n) put_missing(s, l->field, out);
		return;
	}
	buf_lit(out, "   <- ");
	if (l->field.n) {
		term_str(out, seen.field);
		buf_lit(out, " = ");
	}
	put_value(l, holds, seen.value, out);
	if (l->kind == LEAF_FIELDREF) put_other(s, l->other_field, out);
}

static void put_logsource(const struct logsource *ls, struct buf *out)
{
	const struct str v[] = {ls->product, ls->category, ls->service};
	for (size_t i = 0; i < 3; i++) {
		if (i) buf_byte(out, '/');
		if (v[i].n) term_str(out, v[i]);
		else buf_byte(out, '-');
	}
}

/* The binding through which the rule sees the event: the first that covers it and on which it matches, else the first that covers
 * it. False when there is none. */
static bool choose_binding(const struct explain_wanted *w, struct plan *plan, struct event *ev, const struct logsource_binding **ret)
{
	bool found = false;
	for (uint32_t i = 0; i < ev->shape->n_bindings; i++) {
		struct match_explain *x = match_explain_new(plan, ev, &ev->shape->bindings[i]);
		bool covers = match_explain_covers(x, w->rule), holds = covers && match_explain_node(x, w->rule->condition) == MATCH_TRUE;
		match_explain_free(x);
		if (!covers || (found && !holds)) continue;
		*ret = &ev->shape->bindings[i];
		found = true;
		if (holds) break;
	}
	return found;
}

static void put_event(const struct explain_wanted *w, struct plan *plan, struct event *ev, uint64_t number, struct buf *out)
{
	const struct logsource_binding *binding = NULL;
	char time[ETIME_MAX];
	bool covered = w->any_logsource || choose_binding(w, plan, ev, &binding);
	buf_printf(out, "\nevent %llu", (unsigned long long)number);
	size_t n = etime_print(ev->time, ev->time.digits, time);
	if (n) buf_printf(out, " of %.*s", (int)n, time);
	if (ev->n_records) buf_printf(out, ", offset %llu", (unsigned long long)ev->records[0].offset);
	buf_lit(out, ": ");
	struct match_explain *x = match_explain_new(plan, ev, binding);
	enum match_verdict v = match_explain_node(x, w->rule->condition);
	if (!covered) {
		buf_lit(out, "not of the rule's log source; it is");
		for (uint32_t i = 0; i < ev->shape->n_bindings; i++) {
			buf_printf(out, "%s ", i ? "," : "");
			put_logsource(&ev->shape->bindings[i].ls, out);
		}
		buf_printf(out, "\n(tried all the same: the rule %s)\n", v == MATCH_TRUE ? "would match" : "would not match");
	} else {
		buf_printf(out, "%s\n", v == MATCH_TRUE ? "the rule matches" : v == MATCH_FALSE ? "the rule does not match" : "undecided: a regular expression ran into its limit");
	}
	struct seer seer = {x, ev, binding};
	const struct explain_marks marks = {&seer, mark, put_seen};
	explain_tree(w->set, w->rule, &marks, out);
	match_explain_free(x);
}

static uint64_t put_events(const struct explain_wanted *w, const struct reader_ops *ops, struct reader *r, struct plan *plan, struct buf *out)
{
	struct shape_table *shapes = shape_table_new(w->taxonomy, SHAPE_BUDGET);
	struct reader_cursor *c = ops->cursor_new(r, shapes);
	uint64_t number = 0, shown = 0;
	for (struct event *ev; shown < w->most && (ev = ops->next(c));) {
		number++;
		if (w->only && number != w->only) continue;
		put_event(w, plan, ev, number, out);
		shown++;
		if (w->only) break;
	}
	ops->cursor_free(c);
	shape_table_free(shapes);
	return shown;
}

int rules_explain_events(const struct explain_wanted *w, struct buf *out)
{
	struct fault f = FAULT_INIT;
	struct input in;
	size_t n;
	struct reader_options options = {.format = w->format};
	if (!input_open(&in, w->path, str_of(w->path), &f)) return app_fault(&f), EXIT_INCOMPLETE;
	input_unhashed(&in);
	const struct reader_ops *const *formats = formats_all(&n);
	const struct reader_ops *ops = scan_format_of(formats, n, options.format, &in, &f);
	struct reader *r = ops ? ops->open(&in, &options, &f) : NULL;
	if (!r) {
		app_error("%s: %s", w->path, f.kind ? f.text : "no known log format");
		input_close(&in);
		return EXIT_INCOMPLETE;
	}
	const struct plan_options plan_options = {.any_logsource = w->any_logsource};
	struct plan *plan = plan_of_rules(&w->rule, 1, &plan_options, &f);
	int status = EXIT_DONE;
	if (!plan) {
		app_fault(&f);
		status = EXIT_FAILED;
	} else if (!put_events(w, ops, r, plan, out)) {
		app_error("%s: %s", w->path, w->only ? "there is no such event" : "there is no event in it");
		status = EXIT_INCOMPLETE;
	}
	plan_free(plan);
	ops->free(r);
	input_close(&in);
	return status;
}
