/* shape.c: shapes interned per worker. See shape.h. */
#include "event/shape.h"
#include "base/alloc.h"
#include "base/map.h"

struct shape_table {
	struct arena arena;
	struct map by_key, by_host;      /* by_host: id and host -> number of shape_table_alike */
	VEC(struct shape *) shapes;
	const struct taxonomy *taxonomy;
};

struct shape_table *shape_table_new(const struct taxonomy *taxonomy, size_t max_bytes)
{
	struct shape_table *t = xcalloc(1, sizeof *t);
	arena_init(&t->arena, max_bytes);
	t->taxonomy = taxonomy;
	return t;
}

void shape_table_free(struct shape_table *t)
{
	if (!t) return;
	map_done(&t->by_key);
	map_done(&t->by_host);
	vec_free(&t->shapes);
	arena_done(&t->arena);
	free(t);
}

const struct taxonomy *shape_table_taxonomy(const struct shape_table *t) { return t->taxonomy; }
uint32_t shape_table_count(const struct shape_table *t) { return (uint32_t)t->shapes.n; }
const struct shape *shape_table_at(const struct shape_table *t, uint32_t id) { return id < t->shapes.n ? t->shapes.v[id] : NULL; }

const struct shape *shape_table_find(const struct shape_table *t, struct str key)
{
	uint32_t *at = map_get(&t->by_key, key);
	return at ? t->shapes.v[*at] : NULL;
}

uint32_t shape_table_alike(struct shape_table *t, const struct shape *s, struct str host)
{
	enum { ALIKE = 1 << 13, HOST = 256 };
	char key[sizeof s->id + HOST];
	if (host.n > HOST || s->id == UINT32_MAX) return 0;
	memcpy(key, &s->id, sizeof s->id);
	if (host.n) memcpy(key + sizeof s->id, host.p, host.n);
	struct str k = {key, sizeof s->id + host.n};
	uint32_t *at = map_get(&t->by_host, k);
	if (at) return *at;
	return t->by_host.n < ALIKE ? *map_put(&t->by_host, k, (uint32_t)t->by_host.n + 1, NULL) : 0;
}

int32_t shape_column(const struct shape *s, struct str name)
{
	for (uint32_t i = 0; i < s->n_columns; i++)
		if (str_eq(s->columns[i].name, name)) return (int32_t)i;
	return -1;
}

void shape_link(struct column *columns, uint32_t n)
{
	struct map last = {0};
	for (uint32_t i = 0; i < n; i++) {
		bool fresh;
		uint32_t *at = map_put(&last, columns[i].name, i, &fresh);
		columns[i].next = -1;
		columns[i].again = !fresh;
		if (!fresh) columns[*at].next = (int32_t)i;
		*at = i;
	}
	map_done(&last);
}

const struct shape *shape_alone(struct shape *spec)
{
	spec->id = UINT32_MAX;
	spec->memo = NULL;
	shape_link((struct column *)spec->columns, spec->n_columns);
	return spec;
}

static bool copy_value(struct arena *a, struct value *v)
{
	if (v->has_text) {
		v->text = arena_str(a, v->text);
		if (!v->text.p) return false;
	}
	if (v->kind != VALUE_LIST) return true;
	struct value *items = arena_calloc(a, v->n, sizeof *items);
	for (uint32_t i = 0; items && i < v->n; i++) {
		items[i] = v->items[i];
		if (!copy_value(a, &items[i])) return false;
	}
	v->items = items;
	return items != NULL;
}

static bool copy_columns(struct arena *a, struct shape *s)
{
	struct column *columns = arena_calloc(a, s->n_columns, sizeof *columns);
	if (!columns) return false;
	for (uint32_t i = 0; i < s->n_columns; i++) {
		struct column *c = &columns[i];
		*c = s->columns[i];
		c->name = arena_str(a, c->name);
		c->label = c->label.n ? arena_str(a, c->label) : c->name;
		if (!c->name.p || !c->label.p) return false;
		if (c->constant && !copy_value(a, &c->value)) return false;
		/* A constant's text is made now, a list's items' too: the shape is immutable afterwards. */
		if (c->constant) value_text(&c->value, a);
		for (uint32_t k = 0; c->constant && c->value.kind == VALUE_LIST && k < c->value.n; k++) value_text(&c->value.items[k], a);
	}
	shape_link(columns, s->n_columns);
	s->columns = columns;
	return true;
}

const struct shape *shape_table_add(struct shape_table *t, struct str key, const struct shape *spec)
{
	struct arena *a = &t->arena;
	struct shape *s = arena_alloc(a, sizeof *s);
	if (!s || t->by_key.bytes + key.n > a->budget) return NULL;
	*s = *spec;
	s->format = arena_str(a, s->format);
	s->channel = arena_str(a, s->channel);
	s->provider = arena_str(a, s->provider);
	struct logsource_binding *bindings = arena_calloc(a, s->n_bindings, sizeof *bindings);
	if (!s->format.p || !s->channel.p || !s->provider.p || !bindings || !copy_columns(a, s)) return NULL;
	if (s->n_bindings) memcpy(bindings, spec->bindings, s->n_bindings * sizeof *bindings);
	s->bindings = bindings;
	s->id = (uint32_t)t->shapes.n;
	s->memo = NULL;
	map_put(&t->by_key, key, s->id, NULL);
	vec_push(&t->shapes, s);
	return s;
}
