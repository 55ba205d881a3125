/* event.c: asking an event for its fields. See event.h. */
#include "event/event.h"
#include "text/json_write.h"

struct value *event_get(struct event *ev, struct str name)
{
	int32_t column = shape_column(ev->shape, name);
	return column < 0 ? NULL : event_cell(ev, (uint32_t)column);
}

struct str event_host(struct event *ev)
{
	if (ev->shape->host_column < 0) return (struct str){"", 0};
	return value_text(event_cell(ev, (uint32_t)ev->shape->host_column), ev->arena);
}

/* Whether an earlier column has this name: then that one wrote the value already. */
static bool first_of_name(const struct shape *s, uint32_t column)
{
	for (uint32_t i = 0; i < column; i++)
		if (s->columns[i].next == (int32_t)column) return false;
	return true;
}

void event_fields_json(struct event *ev, struct buf *out)
{
	const struct shape *s = ev->shape;
	bool any = false;
	buf_byte(out, '{');
	for (uint32_t i = 0; i < s->n_columns; i++) {
		const struct column *c = &s->columns[i];
		struct value *v = c->hidden ? NULL : event_cell(ev, i);
		if (!v || v->kind == VALUE_ABSENT || !first_of_name(s, i)) continue;
		if (any) buf_byte(out, ',');
		any = true;
		json_str(out, c->label.n ? c->label : c->name);
		buf_byte(out, ':');
		if (c->next < 0) {
			value_json(v, out);
			continue;
		}
		char open = '[';
		for (int32_t j = (int32_t)i; j >= 0; j = s->columns[j].next) {
			struct value *item = event_cell(ev, (uint32_t)j);
			if (item->kind == VALUE_ABSENT) continue;
			buf_byte(out, open);
			open = ',';
			value_json(item, out);
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
