/* json_audit.c: entries of a journal in JSON that are audit records. See json_internal.h and journal_audit_internal.h. */
#include "read/journal_audit_internal.h"
#include "read/json_internal.h"

static struct str text_of(struct json_events *e, int32_t leaf)
{
	struct value v;
	json_leaf_value(&e->object, (uint32_t)leaf, &e->reader->arena, &v);
	return v.kind == VALUE_STR ? v.text : (struct str){NULL, 0};
}

static struct shape *spec_of(struct json_events *e, const struct shape *shape)
{
	struct reader *r = e->reader;
	uint32_t n = journal_audit_count(e->audit);
	struct shape *s = arena_calloc(&r->arena, 1, sizeof *s);
	struct column *columns = arena_calloc(&r->arena, shape->n_columns + n, sizeof *columns);
	if (!s || !columns) return NULL;
	memcpy(columns, shape->columns, shape->n_columns * sizeof *columns);
	journal_audit_columns(r, e->audit, columns + shape->n_columns);
	*s = (struct shape){.n_columns = shape->n_columns + n, .columns = columns, .format = STR("journal-json-audit"), .event_id = -1, .host_column = shape->host_column};
	s->bindings = text_bindings(r, s->format, &s->n_bindings);
	return s;
}

const struct shape *json_audit_shape(struct json_events *e, const struct json_layout *l, const struct shape *shape)
{
	struct reader *r = e->reader;
	struct str transport = text_of(e, l->transport);
	struct buf key = {0};
	if (shape->n_columns != l->n_columns || (transport.n != 5 && transport.n != 6)) return NULL;
	if (!e->audit) e->audit = xcalloc(1, sizeof *e->audit);
	if (!journal_audit_parse(transport, text_of(e, l->message), &r->arena, e->audit)) return NULL;
	buf_lit(&key, "json-audit");
	buf_str(&key, l->skeleton);
	journal_audit_key(e->audit, &key);
	const struct shape *s = shape_table_find(r->shapes, buf_view(&key));
	struct shape *spec = s ? NULL : spec_of(e, shape);
	if (spec) s = text_shape(r, buf_view(&key), spec);
	buf_done(&key);
	return s;
}

void json_audit_value(const struct json_events *e, uint32_t column, struct value *ret) { journal_audit_value(e->reader, e->audit, column, ret); }

void json_audit_end(struct json_events *e)
{
	free(e->audit);
	e->audit = NULL;
}
