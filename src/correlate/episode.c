/* episode.c: open findings: what contributed, what is cited, and the finding as it is handed out. */
#include "correlate/correlate_internal.h"
#include "event/value.h"

/* --- lists --- */

enum { BLOCK_BYTES = 256, BLOCK_ROOM = (BLOCK_BYTES - 8) / 4 };
struct block {
	uint32_t next, pad;
	uint32_t record[BLOCK_ROOM];
};
static struct block *block_at(const struct correlate *c, uint32_t i) { return pool_at(&c->pool, i); }

/* What findings rest on may use the reserve that nothing else may touch. */
static uint32_t privileged_take(struct correlate *c, size_t bytes)
{
	bool before = c->budget.privileged;
	c->budget.privileged = true;
	uint32_t i = pool_take(&c->pool, bytes);
	c->budget.privileged = before;
	return i;
}

static bool list_push(struct correlate *c, struct list *l, uint32_t record)
{
	if (!l->last || l->last_n == BLOCK_ROOM) {
		uint32_t i = privileged_take(c, BLOCK_BYTES);
		if (!i) return false;
		block_at(c, i)->next = 0;
		if (l->last) block_at(c, l->last)->next = i;
		else l->first = i;
		l->last = i;
		l->last_n = 0;
	}
	block_at(c, l->last)->record[l->last_n++] = record;
	record_hold(c, record);
	l->n++;
	return true;
}

static void list_pop(struct correlate *c, struct list *l)
{
	struct block *b = block_at(c, l->first);
	record_drop(c, b->record[l->skip++]);
	l->n--;
	if (l->skip < (l->first == l->last ? l->last_n : BLOCK_ROOM)) return;
	uint32_t next = b->next;
	pool_give(&c->pool, l->first, BLOCK_BYTES);
	l->first = next;
	l->skip = 0;
	if (!next) *l = (struct list){0};
}

static void list_clear(struct correlate *c, struct list *l)
{
	while (l->n) list_pop(c, l);
}

static void list_gather(const struct correlate *c, const struct list *l, struct index_vec *ret)
{
	uint32_t block = l->first, at = l->skip;
	for (uint32_t i = 0; i < l->n; i++) {
		vec_push(ret, block_at(c, block)->record[at++]);
		if (at == BLOCK_ROOM) block = block_at(c, block)->next, at = 0;
	}
}

/* --- episodes --- */

struct etime corr_time(int64_t ns, uint8_t digits)
{
	int64_t sec = ns / 1000000000, rest = ns % 1000000000;
	if (rest < 0) rest += 1000000000, sec--;
	return etime_from_unix(sec, (uint32_t)rest, digits);
}

static void keep_host(struct correlate *c, struct episode *e)
{
	struct str host = str_sub(c->event->host, 0, 255);
	if (!host.n || !(e->host = privileged_take(c, host.n))) return;
	e->host_n = (uint32_t)host.n;
	memcpy(pool_at(&c->pool, e->host), host.p, host.n);
}

uint32_t episode_open(struct correlate *c, struct corr *k, uint32_t group, double value)
{
	uint32_t i = privileged_take(c, sizeof(struct episode));
	if (!i) return 0;
	struct episode *e = episode_at(c, i);
	uint8_t digits = c->event->time.digits;
	*e = (struct episode){.group = group, .refs = 1, .corr = k->index, .digits = digits, .first_digits = digits, .last_digits = digits,
		.opened = c->event_time, .first = c->event_time, .last = c->event_time, .value = value};
	keep_host(c, e);
	return i;
}

uint32_t episode_open_at(struct correlate *c, const struct corr *k, int64_t time, uint8_t digits)
{
	uint32_t i = privileged_take(c, sizeof(struct episode));
	if (!i) return 0;
	*episode_at(c, i) = (struct episode){.refs = 1, .corr = k->index, .digits = digits, .first_digits = digits, .last_digits = digits, .opened = time,
		.first = INT64_MAX, .last = INT64_MIN};
	return i;
}

static void tree_add_record(const struct correlate *c, struct tree_root *t, uint32_t record)
{
	struct record_walk w = {record};
	struct evidence_ref e;
	while (record_next(c, &w, &e))
		if (e.role == EVIDENCE_RECORD) tree_root_add(t, e.sha256);
}

/* The same for the record at hand, without reading it back. */
static void tree_add_current(const struct correlate *c, struct tree_root *t)
{
	for (uint32_t i = 0; i < c->event->n_evidence; i++)
		if (!i || c->event->evidence[i].role == EVIDENCE_RECORD) tree_root_add(t, c->event->evidence[i].sha256);
}

/* The first entry beyond what is cited in full: from now on all leaves go into the tree. */
static void tree_begin(struct correlate *c, struct episode *e)
{
	e->tree = privileged_take(c, sizeof(struct tree_root));
	if (!e->tree) return;
	struct tree_root *t = pool_at(&c->pool, e->tree);
	t->n = 0;
	c->cited.n = 0;
	list_gather(c, &e->head, &c->cited);
	list_gather(c, &e->tail, &c->cited);
	for (size_t i = 0; i < c->cited.n; i++) tree_add_record(c, t, c->cited.v[i]);
}

static void note_time(struct episode *e, int64_t first, int64_t last, uint8_t digits)
{
	if (first < e->first) e->first = first, e->first_digits = digits;
	if (last >= e->last) e->last = last, e->last_digits = digits;
}

void episode_append(struct correlate *c, struct corr *k, struct episode *e, int64_t time, uint8_t digits, uint32_t record)
{
	uint32_t inner = record_inner(c, record);
	bool current = record && record == c->current;
	note_time(e, inner ? episode_at(c, inner)->first : time, time, digits);
	if (record && record == e->last_record) return; /* the record at hand, by another rule */
	e->count++;
	e->last_record = record;
	if (!record) {
		e->uncited++;
		return;
	}
	bool in_head = k->full_list || e->head.n < CORR_CITE_END;
	if (!in_head && e->tail.n == CORR_CITE_END && !e->tree) tree_begin(c, e);
	if (!list_push(c, in_head ? &e->head : &e->tail, record)) {
		e->uncited++;
		c->stats.uncited++;
		return;
	}
	if (e->tree && current) tree_add_current(c, pool_at(&c->pool, e->tree));
	else if (e->tree) tree_add_record(c, pool_at(&c->pool, e->tree), record);
	if (e->tail.n > CORR_CITE_END) list_pop(c, &e->tail);
}

void episode_copy(struct correlate *c, struct episode *to, const struct episode *from)
{
	struct index_vec v = {0};
	list_gather(c, &from->head, &v);
	size_t head = v.n;
	list_gather(c, &from->tail, &v);
	bool whole = true;
	for (size_t i = 0; i < v.n && whole; i++) whole = list_push(c, i < head ? &to->head : &to->tail, v.v[i]);
	to->count = from->count;
	to->uncited = from->uncited + !whole;
	to->first = from->first, to->first_digits = from->first_digits;
	if (from->tree && (to->tree = privileged_take(c, sizeof(struct tree_root)))) memcpy(pool_at(&c->pool, to->tree), pool_at(&c->pool, from->tree), sizeof(struct tree_root));
	else if (from->tree) to->uncited++;
	vec_free(&v);
}

void episode_unref(struct correlate *c, uint32_t index)
{
	struct episode *e = episode_at(c, index);
	if (--e->refs) return;
	list_clear(c, &e->head);
	list_clear(c, &e->tail);
	if (e->tree) pool_give(&c->pool, e->tree, sizeof(struct tree_root));
	if (e->host) pool_give(&c->pool, e->host, e->host_n);
	pool_give(&c->pool, index, sizeof *e);
}

/* --- the finding --- */

/* Inner findings' records in place of the bundles. Bounded: chains are at most MAX_DEPTH deep. */
static void expand(const struct correlate *c, const struct episode *e, struct index_vec *ret)
{
	struct index_vec own = {0};
	list_gather(c, &e->head, &own);
	list_gather(c, &e->tail, &own);
	for (size_t i = 0; i < own.n; i++) {
		uint32_t inner = record_inner(c, own.v[i]);
		if (inner) expand(c, episode_at(c, inner), ret);
		else vec_push(ret, own.v[i]);
	}
	vec_free(&own);
}

struct sort_key { uint32_t sequence, record; };
static int by_arrival(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;
	if (x->sequence != y->sequence) return x->sequence < y->sequence ? -1 : 1;
	return x->record < y->record ? -1 : x->record > y->record;
}

/* Arrival is the order of (time, source, offset); a record that two inner findings rest on is cited once. */
static void sort_unique(const struct correlate *c, struct index_vec *v)
{
	struct sort_key *keys = v->n ? xmalloc(v->n * sizeof *keys) : NULL;
	size_t n = 0;
	for (size_t i = 0; i < v->n; i++) keys[i] = (struct sort_key){record_order(c, v->v[i]), v->v[i]};
	if (v->n) qsort(keys, v->n, sizeof *keys, by_arrival);
	for (size_t i = 0; i < v->n; i++)
		if (!i || keys[i].record != keys[i - 1].record) v->v[n++] = keys[i].record;
	v->n = n;
	free(keys);
}

static int by_place(const void *a, const void *b)
{
	const struct evidence_ref *x = a, *y = b;
	if (x->source != y->source) return x->source < y->source ? -1 : 1;
	if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
	return x->length < y->length ? -1 : x->length > y->length;
}

/* The records of all cited events in order, then the contexts they need, each once, by source and offset. */
static void cite_all(struct correlate *c)
{
	struct evidence_ref e;
	c->contexts.n = 0;
	for (size_t i = 0; i < c->cited.n; i++)
		for (struct record_walk w = {c->cited.v[i]}; record_next(c, &w, &e);) {
			if (e.role == EVIDENCE_CONTEXT) vec_push(&c->contexts, e);
			else vec_push(&c->evidence, e);
		}
	if (c->contexts.n) qsort(c->contexts.v, c->contexts.n, sizeof *c->contexts.v, by_place);
	c->n_contexts = 0;
	for (size_t i = 0; i < c->contexts.n; i++) {
		if (i && !by_place(&c->contexts.v[i], &c->contexts.v[i - 1])) continue;
		vec_push(&c->evidence, c->contexts.v[i]);
		c->n_contexts++;
	}
}

/* Under full_list: all records are at hand; root over all, the ends cited. */
static void choose_of_all(struct correlate *c, struct finding *f)
{
	struct tree_root t = {0};
	if (c->cited.n <= CORR_CITE_ALL) return;
	for (size_t i = 0; i < c->cited.n; i++) tree_add_record(c, &t, c->cited.v[i]);
	tree_root_get(&t, f->root);
	f->has_root = true;
	f->evidence_total = t.n;
	memmove(c->cited.v + CORR_CITE_END, c->cited.v + c->cited.n - CORR_CITE_END, CORR_CITE_END * sizeof *c->cited.v);
	c->cited.n = CORR_CITE_ALL;
}

void episode_evidence(struct correlate *c, const struct corr *k, const struct episode *e, struct finding *f)
{
	c->cited.n = 0;
	c->evidence.n = 0;
	expand(c, e, &c->cited);
	if (k->over_findings) sort_unique(c, &c->cited);
	if (k->full_list) {
		choose_of_all(c, f);
	} else if (e->tree) {
		const struct tree_root *t = pool_at(&c->pool, e->tree);
		tree_root_get(t, f->root);
		f->has_root = true;
		f->evidence_total = t->n;
	}
	cite_all(c);
	if (!f->has_root) f->evidence_total = c->evidence.n - c->n_contexts;
	f->evidence_total += e->uncited;
	if (e->uncited) f->has_root = false;
	/* Never empty: where memory left no reference at all, the event at hand stands for them. */
	if (!c->evidence.n && c->event)
		for (uint32_t i = 0; i < c->event->n_evidence; i++) vec_push(&c->evidence, c->event->evidence[i]);
	f->evidence = c->evidence.v;
	f->n_evidence = (uint32_t)c->evidence.n;
}

static void put_json_str(struct buf *b, struct str s)
{
	struct value v = value_str(s);
	value_json(&v, b);
}

/* fields_json: the group; extra_json: what kind of correlation, and its reservations. */
static void put_json(struct correlate *c, const struct corr *k, const struct episode *e, struct finding *f)
{
	static const char *const types[] = {"event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile", "value_median"};
	struct buf *b = &c->json;
	b->n = 0;
	buf_byte(b, '{');
	for (uint32_t i = 0; i < f->n_group; i++) {
		if (i) buf_byte(b, ',');
		put_json_str(b, f->group[i].name);
		buf_byte(b, ':');
		if (f->group[i].value.p) put_json_str(b, f->group[i].value);
		else buf_lit(b, "null");
	}
	buf_byte(b, '}');
	size_t fields = b->n;
	buf_printf(b, "\"correlation\":\"%s\",\"timespan\":%.9g,\"value\":%.17g", types[k->c->type], (double)k->span / 1e9, e->value);
	if (e->approximate) buf_printf(b, ",\"approximate\":true");
	if (e->uncited) buf_printf(b, ",\"uncited\":%llu", (unsigned long long)e->uncited);
	f->fields_json = (struct str){b->p, fields};
	f->extra_json = (struct str){b->p + fields, b->n - fields};
}

void episode_put(struct correlate *c, struct corr *k, const struct group *g, struct episode *e, bool final)
{
	struct str values[MAX_REFS];
	if (!k->rule->report) return;
	struct finding f = {.kind = FINDING_CORRELATION, .level = k->rule->info.level, .rule = &k->rule->info, .rule_index = k->rule->index,
		.event_id = -1, .time = corr_time(e->opened, e->digits), .first = corr_time(e->first, e->first_digits),
		.last = corr_time(e->last, e->last_digits), .count = e->count};
	if (c->options.every) f.time = c->event->time;
	if (e->host) f.host = (struct str){pool_at(&c->pool, e->host), e->host_n};
	f.n_group = key_values(group_key(c, g), values, MAX_REFS);
	c->group_view.n = 0;
	for (uint32_t i = 0; i < f.n_group; i++) vec_push(&c->group_view, (struct named){k->c->group_by[i], values[i]});
	f.group = c->group_view.v;
	episode_evidence(c, k, e, &f);
	put_json(c, k, e, &f);
	c->stats.findings += final;
	if (f.n_evidence && c->options.put) c->options.put(c->options.arg, &f, final);
}

void episode_put_alone(struct correlate *c, struct corr *k, const struct group *g, double value)
{
	struct episode e = {.refs = 1, .corr = k->index, .digits = c->event->time.digits, .opened = c->event_time, .first = c->event_time,
		.last = c->event_time, .count = (uint64_t)(value > 0 ? value : 0), .uncited = 1, .value = value, .approximate = true};
	e.first_digits = e.last_digits = e.digits;
	c->stats.uncited++;
	episode_put(c, k, g, &e, true);
}

void episode_close(struct correlate *c, struct corr *k, struct group *g)
{
	uint32_t index = g->episode;
	struct episode *e = episode_at(c, index);
	if (!c->options.every) episode_put(c, k, g, e, true);
	e->group = 0;
	g->episode = 0;
	episode_unref(c, index);
}
