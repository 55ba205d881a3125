/* auth_lines.c: see auth_lines.h. */
#include "app/auth_lines.h"
#include "text/json_write.h"

enum { SHAPES = 16 << 20, FLUSH_AT = 64 << 10 };

/* What lines of one source have in common, and what the line before said. */
struct lines {
	struct buf out;
	struct buf path;      /* as JSON */
	struct etime time;
	char time_text[ETIME_MAX + 2]; /* the same as JSON */
	size_t time_n;
};

static void put_text(struct buf *b, struct str text)
{
	if (text.n) json_str(b, text);
	else json_null(b);
}

/* Mostly that of the line before. */
static void put_time(struct lines *l, struct etime t)
{
	struct etime *last = &l->time;
	if (!l->time_n || t.sec != last->sec || t.nsec != last->nsec || t.digits != last->digits || t.present != last->present) {
		struct buf b = {0};
		char time[ETIME_MAX];
		put_text(&b, (struct str){time, etime_print(t, t.digits, time)});
		verify(b.n <= sizeof l->time_text);
		memcpy(l->time_text, b.p, b.n);
		l->time_n = b.n;
		*last = t;
		buf_done(&b);
	}
	buf_put(&l->out, l->time_text, l->time_n);
}

static void put_evidence(struct lines *l, const struct event *ev)
{
	struct buf *b = &l->out;
	for (uint32_t i = 0; i < ev->n_records; i++) {
		const struct record_ref *r = &ev->records[i];
		if (i) buf_byte(b, ',');
		buf_lit(b, "{\"source\":");
		buf_str(b, buf_view(&l->path));
		if (r->line) {
			buf_lit(b, ",\"line\":");
			buf_u64(b, r->line);
		}
		buf_lit(b, ",\"offset\":");
		buf_u64(b, r->offset);
		buf_lit(b, ",\"length\":");
		buf_u64(b, r->length);
		buf_byte(b, '}');
	}
}

/* Written piece by piece: there are a million lines of it. */
static void put_line(struct lines *l, const struct event *ev, const struct auth_event *a)
{
	static const struct str outcomes[] = {[AUTH_FAILURE] = {"\"failure\"", 9}, [AUTH_SUCCESS] = {"\"success\"", 9}, [AUTH_PROBE] = {"\"probe\"", 7}};
	struct buf *b = &l->out;
	buf_lit(b, "{\"time\":");
	put_time(l, a->time);
	buf_lit(b, ",\"host\":");
	put_text(b, a->host);
	buf_lit(b, ",\"auth.outcome\":");
	buf_str(b, outcomes[a->outcome]);
	buf_lit(b, ",\"auth.src_ip\":");
	put_text(b, a->src_ip);
	buf_lit(b, ",\"auth.user\":");
	put_text(b, a->user);
	buf_lit(b, ",\"auth.service\":");
	json_str(b, a->service);
	buf_lit(b, ",\"auth.attempts\":");
	buf_u64(b, a->attempts);
	buf_lit(b, ",\"evidence\":[");
	put_evidence(l, ev);
	buf_lit(b, "]}\n");
}

bool auth_lines(const struct auth *auth, const struct taxonomy *taxonomy, const struct reader_ops *ops, struct reader *r, const struct reader_options *options, struct str path,
	bool (*put)(void *arg, struct buf *line), void *arg)
{
	struct shape_table *shapes = shape_table_new(taxonomy, SHAPES);
	struct reader_cursor *c = ops->cursor_new(r, shapes);
	struct auth_source *s = auth_source_new(auth, shapes);
	struct auth_event a;
	struct lines l = {.time_n = 0};
	json_str(&l.path, path);
	bool ok = true, is;
	for (struct event *ev; ok && (ev = ops->next(c));) {
		struct event *said = auth_source_take(s, ev, &a, &is);
		if (said && is && event_wanted(said, options)) put_line(&l, said, &a);
		while ((said = auth_source_due(s, false, &a)))
			if (event_wanted(said, options)) put_line(&l, said, &a);
		if (l.out.n >= FLUSH_AT) ok = put(arg, &l.out);
	}
	for (struct event *said; ok && (said = auth_source_due(s, true, &a));)
		if (event_wanted(said, options)) put_line(&l, said, &a);
	ok = ok && put(arg, &l.out);
	buf_done(&l.out);
	buf_done(&l.path);
	auth_source_free(s);
	ops->cursor_free(c);
	shape_table_free(shapes);
	return ok;
}
