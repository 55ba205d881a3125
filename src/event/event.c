/* event.c: asking an event for its fields. See event.h. */
#include "event/event.h"
#include "text/json_write.h"

struct value *event_get(struct event *ev, struct str name)
{
	int32_t column = shape_column(ev->shape, name);
	return column < 0 ? NULL : event_cell(ev, (uint32_t)column);
}

int32_t event_rule_column(const struct shape *shape, const struct logsource_binding *binding, struct str name)
{
	for (uint32_t i = 0; binding && i < binding->n_renames; i++) {
		if (!str_eq(binding->renames[i].rule_field, name)) continue;
		int32_t column = shape_column(shape, binding->renames[i].event_field);
		if (column >= 0) return column;
	}
	return shape_column(shape, name);
}

struct value *event_rule_field(struct event *ev, const struct logsource_binding *binding, struct str name)
{
	int32_t column = event_rule_column(ev->shape, binding, name);
	return column < 0 ? NULL : event_cell(ev, (uint32_t)column);
}

struct str event_host(struct event *ev)
{
	if (ev->shape->host_column < 0) return (struct str){"", 0};
	return value_text(event_cell(ev, (uint32_t)ev->shape->host_column), ev->arena);
}

static bool shown(struct event *ev, uint32_t column) { return !ev->shape->columns[column].hidden && event_cell(ev, column)->kind != VALUE_ABSENT; }

/* The next column of the same name that is shown, or -1. */
static int32_t next_shown(struct event *ev, int32_t column)
{
	do column = ev->shape->columns[column].next; while (column >= 0 && !shown(ev, (uint32_t)column));
	return column;
}

/* Whether an earlier column of this name is shown: then that one wrote the value already. */
static bool written(struct event *ev, uint32_t column)
{
	if (!ev->shape->columns[column].again) return false;
	for (int32_t i = shape_column(ev->shape, ev->shape->columns[column].name); i >= 0 && (uint32_t)i < column; i = ev->shape->columns[i].next)
		if (shown(ev, (uint32_t)i)) return true;
	return false;
}

void event_fields_json(struct event *ev, struct buf *out)
{
	const struct shape *s = ev->shape;
	bool any = false;
	if (ev->ops->fields && ev->ops->fields(ev, out)) return;
	buf_byte(out, '{');
	for (uint32_t i = 0; i < s->n_columns; i++) {
		const struct column *c = &s->columns[i];
		struct value *v = c->hidden ? NULL : event_cell(ev, i);
		if (!v || v->kind == VALUE_ABSENT || written(ev, i)) continue;
		if (any) buf_byte(out, ',');
		any = true;
		json_str(out, c->label.n ? c->label : c->name);
		buf_byte(out, ':');
		int32_t second = next_shown(ev, (int32_t)i);
		if (second < 0) {
			value_json(v, out);
			continue;
		}
		buf_byte(out, '[');
		value_json(v, out);
		for (int32_t j = second; j >= 0; j = next_shown(ev, j)) {
			buf_byte(out, ',');
			value_json(event_cell(ev, (uint32_t)j), out);
		}
		buf_byte(out, ']');
	}
	buf_byte(out, '}');
}

void value_json(const struct value *v, struct buf *out)
{
	switch ((enum value_kind)v->kind) {
	case VALUE_INT: buf_i64(out, v->i); return;
	case VALUE_UINT: buf_u64(out, v->u); return;
	case VALUE_BOOL: buf_str(out, v->b ? STR("true") : STR("false")); return;
	case VALUE_STR: json_str(out, v->text); return;
	case VALUE_REAL: json_double(out, v->r); return;
	case VALUE_LIST:
		buf_byte(out, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			if (i) buf_byte(out, ',');
			value_json(&v->items[i], out);
		}
		buf_byte(out, ']');
		return;
	case VALUE_UNREAD: case VALUE_ABSENT: case VALUE_NULL: buf_lit(out, "null"); return;
	}
}

bool event_wanted(const struct event *ev, const struct reader_options *o)
{
	if (o->has_ids && !(ev->has_record_id && ev->record_id >= o->first_id && ev->record_id <= o->last_id)) return false;
	if (o->since.present && etime_cmp(ev->time, o->since) < 0) return false;
	return !o->until.present || etime_cmp(ev->time, o->until) <= 0;
}

void event_mark_json(const struct event *ev, struct buf *out)
{
	if (!ev->flags) return;
	out->n--;
	if (ev->flags & EVENT_RECOVERED) buf_lit(out, ",\"recovered\":true");
	if (ev->flags & EVENT_CARVED) buf_lit(out, ",\"carved\":true");
	if (ev->flags & EVENT_LIMITED) buf_lit(out, ",\"incomplete\":true");
	buf_byte(out, '}');
}

bool event_says_cleared(const struct event *ev)
{
	const struct shape *s = ev->shape;
	return (s->event_id == 1102 || s->event_id == 104) && str_eq(s->provider, STR("Microsoft-Windows-Eventlog"));
}
