/* reorder.c: events that may come out of order wait here, as copies, until the watermark has passed them. A heap by
 * (time, source, offset, rule). What does not fit in its share of memory is released early, the oldest first, and counted. */
#include "correlate/correlate_internal.h"

struct waiting {
	int64_t time;
	uint64_t order;              /* of coming, the last tie-break */
	size_t bytes;
	struct corr_event event;     /* its arrays follow in the same allocation */
};
struct reorder {
	VEC(struct waiting *) heap;
	uint64_t came;
	size_t bytes;
};

struct reorder *reorder_new(struct correlate *c)
{
	(void)c;
	return xcalloc(1, sizeof(struct reorder));
}

void reorder_free(struct reorder *r)
{
	if (!r) return;
	for (size_t i = 0; i < r->heap.n; i++) free(r->heap.v[i]);
	vec_free(&r->heap);
	free(r);
}

static bool before(const struct waiting *a, const struct waiting *b)
{
	if (a->time != b->time) return a->time < b->time;
	const struct evidence_ref *x = a->event.evidence, *y = b->event.evidence;
	if (x->source != y->source) return x->source < y->source;
	if (x->offset != y->offset) return x->offset < y->offset;
	if (a->event.rule != b->event.rule) return a->event.rule < b->event.rule;
	return a->order < b->order;
}

static struct waiting *copy_of(const struct corr_event *e)
{
	size_t evidence = e->n_evidence * sizeof *e->evidence, values = e->n_values * sizeof *e->values, text = e->host.n;
	for (uint32_t i = 0; i < e->n_values; i++) text += e->values[i].n;
	size_t bytes = sizeof(struct waiting) + evidence + values + text;
	struct waiting *w = malloc(bytes);
	if (!w) return NULL;
	struct evidence_ref *refs = (struct evidence_ref *)(w + 1);
	struct str *copies = (struct str *)((char *)refs + evidence);
	char *at = (char *)copies + values;
	memcpy(refs, e->evidence, evidence);
	for (uint32_t i = 0; i < e->n_values; i++) {
		copies[i] = e->values[i].p ? (struct str){at, e->values[i].n} : (struct str){NULL, 0};
		if (e->values[i].n) memcpy(at, e->values[i].p, e->values[i].n);
		at += e->values[i].n;
	}
	if (e->host.n) memcpy(at, e->host.p, e->host.n);
	w->bytes = bytes;
	w->event = *e;
	w->event.evidence = refs;
	w->event.values = copies;
	w->event.host = (struct str){at, e->host.n};
	return w;
}

static void sift_up(struct reorder *r, size_t at)
{
	struct waiting *w = r->heap.v[at];
	for (; at && before(w, r->heap.v[(at - 1) / 2]); at = (at - 1) / 2) r->heap.v[at] = r->heap.v[(at - 1) / 2];
	r->heap.v[at] = w;
}

static struct waiting *take_first(struct reorder *r)
{
	struct waiting *first = r->heap.v[0], *last = r->heap.v[--r->heap.n];
	size_t at = 0, n = r->heap.n;
	for (size_t child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && before(r->heap.v[child + 1], r->heap.v[child])) child++;
		if (!before(r->heap.v[child], last)) break;
		r->heap.v[at] = r->heap.v[child];
	}
	if (n) r->heap.v[at] = last;
	return first;
}

static void release_first(struct correlate *c)
{
	struct waiting *w = take_first(c->reorder);
	c->reorder->bytes -= w->bytes;
	budget_give(&c->budget, w->bytes);
	correlate_take(c, &w->event, w->time);
	free(w);
}

void reorder_push(struct correlate *c, const struct corr_event *e, int64_t time)
{
	struct reorder *r = c->reorder;
	struct waiting *w = copy_of(e);
	if (!w) {
		correlate_take(c, e, time);
		return;
	}
	w->time = time;
	w->order = r->came++;
	bool taken;
	/* At most a quarter of the budget waits. */
	while (!(taken = r->bytes + w->bytes <= c->budget.limit / 4 && budget_take(&c->budget, w->bytes)) && r->heap.n) {
		c->stats.forced_early++;
		release_first(c);
	}
	if (!taken) {
		c->stats.forced_early++;
		free(w);
		correlate_take(c, e, time);
		return;
	}
	r->bytes += w->bytes;
	vec_push(&r->heap, w);
	sift_up(r, r->heap.n - 1);
}

void reorder_release(struct correlate *c, int64_t watermark)
{
	while (c->reorder->heap.n && c->reorder->heap.v[0]->time < watermark) release_first(c);
}
