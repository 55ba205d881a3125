/* auth_lines.c: see auth_lines.h. */
#include "app/auth_lines.h"
#include "text/json_write.h"

enum { SHAPES = 16 << 20, FLUSH_AT = 64 << 10 };

static void put_text(struct json_out *o, struct str name, struct str text)
{
	if (text.n) json_key_str(o, name, text);
	else {
		json_key(o, name);
		json_put_null(o);
	}
}

static void put_evidence(struct json_out *o, const struct event *ev, struct str path)
{
	json_key(o, STR("evidence"));
	json_begin_array(o);
	for (uint32_t i = 0; i < ev->n_records; i++) {
		const struct record_ref *r = &ev->records[i];
		json_begin_object(o);
		json_key_str(o, STR("source"), path);
		if (r->line) json_key_u64(o, STR("line"), r->line);
		json_key_u64(o, STR("offset"), r->offset);
		json_key_u64(o, STR("length"), r->length);
		json_end(o);
	}
	json_end(o);
}

static void put_line(struct buf *b, const struct event *ev, const struct auth_event *a, struct str path)
{
	static const char *const outcomes[] = {[AUTH_FAILURE] = "failure", [AUTH_SUCCESS] = "success", [AUTH_PROBE] = "probe"};
	struct json_out o = JSON_OUT(b);
	char time[ETIME_MAX];
	json_begin_object(&o);
	put_text(&o, STR("time"), (struct str){time, etime_print(a->time, a->time.digits, time)});
	put_text(&o, STR("host"), a->host);
	json_key_str(&o, STR("auth.outcome"), str_of(outcomes[a->outcome]));
	put_text(&o, STR("auth.src_ip"), a->src_ip);
	put_text(&o, STR("auth.user"), a->user);
	json_key_str(&o, STR("auth.service"), a->service);
	json_key_u64(&o, STR("auth.attempts"), a->attempts);
	put_evidence(&o, ev, path);
	json_end(&o);
	buf_byte(b, '\n');
}

bool auth_lines(const struct auth *auth, const struct taxonomy *taxonomy, const struct reader_ops *ops, struct reader *r, const struct reader_options *options, struct str path,
	bool (*put)(void *arg, struct buf *line), void *arg)
{
	struct shape_table *shapes = shape_table_new(taxonomy, SHAPES);
	struct reader_cursor *c = ops->cursor_new(r, shapes);
	struct auth_source *s = auth_source_new(auth, shapes);
	struct auth_event a;
	struct buf b = {0};
	bool ok = true, is;
	for (struct event *ev; ok && (ev = ops->next(c));) {
		struct event *said = auth_source_take(s, ev, &a, &is);
		if (said && is && event_wanted(said, options)) put_line(&b, said, &a, path);
		while ((said = auth_source_due(s, false, &a)))
			if (event_wanted(said, options)) put_line(&b, said, &a, path);
		if (b.n >= FLUSH_AT) ok = put(arg, &b);
	}
	for (struct event *said; ok && (said = auth_source_due(s, true, &a));)
		if (event_wanted(said, options)) put_line(&b, said, &a, path);
	ok = ok && put(arg, &b);
	buf_done(&b);
	auth_source_free(s);
	ops->cursor_free(c);
	shape_table_free(shapes);
	return ok;
}
