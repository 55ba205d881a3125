/* kinds.c: which log sources the events of a source are of, for those who ask what a file is. See scan_config.log_sources. */
#include "scan/scan_internal.h"

enum { MAX_KINDS = 256 };

static bool is_value(struct event *ev, struct value *v, struct str wanted)
{
	if (v->kind != VALUE_LIST) return str_eq_nocase(value_text(v, ev->arena), wanted);
	for (uint32_t i = 0; i < v->n; i++)
		if (is_value(ev, &v->items[i], wanted)) return true;
	return false;
}

static bool holds(struct event *ev, const struct logsource_binding *b)
{
	if (!b->when_field.n) return true;
	for (int32_t c = shape_column(ev->shape, b->when_field); c >= 0; c = ev->shape->columns[c].next)
		if (is_value(ev, event_cell(ev, (uint32_t)c), b->when_value)) return true;
	return false;
}

static bool same(const struct logsource *a, const struct logsource *b)
{
	return str_eq(a->product, b->product) && str_eq(a->category, b->category) && str_eq(a->service, b->service);
}

static void add(struct open_source *o, const struct logsource *ls)
{
	struct scan_source *r = &o->result;
	for (uint32_t i = 0; i < r->n_log_sources; i++)
		if (same(&r->log_sources[i], ls)) return;
	if (r->n_log_sources == MAX_KINDS) return;
	if (!r->log_sources) r->log_sources = xcalloc(MAX_KINDS, sizeof *r->log_sources);
	r->log_sources[r->n_log_sources++] = (struct logsource){arena_str(&o->strings, ls->product), arena_str(&o->strings, ls->category), arena_str(&o->strings, ls->service)};
}

/* Whether every event of the shape is of the same log sources: what its bindings ask for is constant. */
static bool is_settled(const struct shape *s)
{
	if (s->id == UINT32_MAX) return false;
	for (uint32_t i = 0; i < s->n_bindings; i++) {
		const struct logsource_binding *b = &s->bindings[i];
		for (int32_t c = b->when_field.n ? shape_column(s, b->when_field) : -1; c >= 0; c = s->columns[c].next)
			if (!s->columns[c].constant) return false;
	}
	return true;
}

void source_kinds(struct scan_worker *w, struct event *ev)
{
	struct scan *s = w->scan;
	struct open_source *o = w->source;
	struct settled_kind *settled = &w->settled[ev->shape->id % SETTLED_KINDS];
	if (settled->shape == ev->shape && settled->source == o->id) return;
	if (is_settled(ev->shape)) *settled = (struct settled_kind){ev->shape, o->id};
	for (uint32_t i = 0; i < ev->shape->n_bindings; i++) {
		const struct logsource_binding *b = &ev->shape->bindings[i];
		if (!holds(ev, b)) continue;
		pthread_mutex_lock(&s->lock);
		add(o, &b->ls);
		pthread_mutex_unlock(&s->lock);
	}
}

static int by_name(const void *a, const void *b)
{
	const struct logsource *x = a, *y = b;
	int r = str_cmp(x->product, y->product);
	if (!r) r = str_cmp(x->service, y->service);
	return r ? r : str_cmp(x->category, y->category);
}

void source_kinds_sort(struct scan_source *r)
{
	if (r->n_log_sources) qsort(r->log_sources, r->n_log_sources, sizeof *r->log_sources, by_name);
}
