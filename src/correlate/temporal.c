/* temporal.c: which rules have matched within the window, and in what order.
 *
 * No walk over the window is needed to decide: for each rule the time of its last match, and for ordered correlations the latest
 * moment at which a chain in order that ends with this rule can have begun (a later beginning is never worse). */
#include "correlate/correlate_internal.h"

/* A group's state in the pool: last[n]; ordered: start[n], or chain[n][n] (by last rule and length); over findings: place[n]. */
struct place { uint32_t chunk, at; };
static const uint32_t IN_EPISODE = UINT32_MAX; /* `at`: cited by the open episode; `chunk` is then the bundle */

static uint32_t n_of(const struct corr *k) { return k->c->n_refs; }

static size_t aux_bytes(const struct corr *k)
{
	size_t n = n_of(k), times = n + (k->chains ? n * n : k->ordered ? n : 0);
	return times * sizeof(int64_t) + (k->over_findings ? n * sizeof(struct place) : 0);
}

static int64_t *last_of(const struct correlate *c, const struct group *g) { return pool_at(&c->pool, g->aux); }
static int64_t *start_of(const struct correlate *c, const struct corr *k, const struct group *g) { return last_of(c, g) + n_of(k); }
static struct place *places_of(const struct correlate *c, const struct corr *k, const struct group *g)
{
	return (struct place *)((char *)last_of(c, g) + aux_bytes(k) - n_of(k) * sizeof(struct place));
}

bool temporal_init(struct correlate *c, struct corr *k, struct group *g)
{
	size_t bytes = aux_bytes(k);
	g->aux = pool_take(&c->pool, bytes);
	if (!g->aux) return false;
	memset(pool_at(&c->pool, g->aux), 0, bytes);
	size_t times = (bytes - (k->over_findings ? n_of(k) * sizeof(struct place) : 0)) / sizeof(int64_t);
	for (size_t i = 0; i < times; i++) last_of(c, g)[i] = NEVER;
	return true;
}

void temporal_free(struct correlate *c, struct corr *k, struct group *g)
{
	if (g->aux) pool_give(&c->pool, g->aux, aux_bytes(k));
	g->aux = 0;
}

static void later(int64_t *to, int64_t from)
{
	if (from > *to) *to = from;
}

/* A match of rule `ref`: the simple chain over all rules. */
static void extend(const struct corr *k, const int64_t *last, int64_t *start, uint32_t ref, int64_t time)
{
	later(&start[ref], ref ? start[ref - 1] : time);
	/* Equal times count as in order: matches of later rules at this very moment may now stand at the end of a chain. */
	for (uint32_t j = ref + 1; j < n_of(k) && last[j] == time && k->c->refs[j] != k->c->refs[j - 1]; j++) later(&start[j], start[j - 1]);
}

static void relax(const struct corr *k, int64_t *chain, uint32_t ref, bool distinct)
{
	uint32_t n = n_of(k);
	for (uint32_t i = 0; i < ref; i++)
		for (uint32_t l = 1; l < n && (!distinct || k->c->refs[i] != k->c->refs[ref]); l++) later(&chain[ref * n + l], chain[i * n + l - 1]);
}

/* The same for chains of every length, rules left out allowed. */
static void extend_chains(const struct corr *k, const int64_t *last, int64_t *chain, uint32_t ref, int64_t time)
{
	uint32_t n = n_of(k);
	chain[ref * n] = time;
	relax(k, chain, ref, false);
	for (uint32_t j = ref + 1; j < n; j++)
		if (last[j] == time) relax(k, chain, j, true);
}

static uint32_t longest(const struct corr *k, const int64_t *chain, int64_t now)
{
	uint32_t n = n_of(k), best = 0;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t l = best; l < n; l++)
			if (within(k, chain[i * n + l], now)) best = l + 1;
	return best;
}

static uint32_t rules_seen(const struct corr *k, const int64_t *last, int64_t now)
{
	uint32_t seen = 0;
	for (uint32_t i = 0; i < n_of(k); i++) seen += within(k, last[i], now) && !is_repeated(k->c, i);
	return seen;
}

static bool text_holds(const struct corr *k, const struct corr_node *n, const int64_t *last, int64_t now)
{
	switch (n->kind) {
	case NODE_LEAF: return within(k, last[n->ref], now);
	case NODE_NOT: return !text_holds(k, n->children[0], last, now);
	case NODE_AND:
		for (uint32_t i = 0; i < n->n; i++)
			if (!text_holds(k, n->children[i], last, now)) return false;
		return true;
	case NODE_OR:
		for (uint32_t i = 0; i < n->n; i++)
			if (text_holds(k, n->children[i], last, now)) return true;
		return false;
	}
	return false;
}

bool temporal_step(struct correlate *c, struct corr *k, struct group *g, uint32_t ref, int64_t time, double *ret_value)
{
	int64_t *last = last_of(c, g), *start = start_of(c, k, g);
	last[ref] = time;
	if (k->chains) extend_chains(k, last, start, ref, time);
	else if (k->ordered) extend(k, last, start, ref, time);
	uint32_t seen = rules_seen(k, last, time), chain = k->chains ? longest(k, start, time) : 0;
	*ret_value = k->chains && !k->c->extended ? chain : seen;
	if (k->c->extended) return text_holds(k, k->c->extended, last, time) && (!k->ordered || chain == seen);
	struct measure m = measure_count(*ret_value);
	if (k->c->n_thresholds) return thresholds_hold(k->c, &m);
	return k->ordered ? within(k, start[n_of(k) - 1], time) : seen == k->distinct_refs;
}

bool temporal_again(struct correlate *c, struct corr *k, struct group *g, const struct firing *f, int64_t time)
{
	int64_t last = last_of(c, g)[f->ref];
	struct place p = places_of(c, k, g)[f->ref];
	if (!g->n || !p.chunk || p.at == IN_EPISODE || !within(k, last, time)) return false;
	struct entry *e = window_entry(c, k, p.chunk, p.at);
	if (e->record != f->record || e->time != last) return false;
	e->time = time;
	return true;
}

void temporal_place(struct correlate *c, struct corr *k, struct group *g, uint32_t ref)
{
	places_of(c, k, g)[ref] = (struct place){g->tail, g->tail_at - 1u};
}

void temporal_cite(struct correlate *c, struct corr *k, struct group *g, const struct firing *f)
{
	places_of(c, k, g)[f->ref] = (struct place){f->record, IN_EPISODE};
}

bool temporal_cited(struct correlate *c, struct corr *k, struct group *g, const struct firing *f)
{
	struct place p = places_of(c, k, g)[f->ref];
	return p.at == IN_EPISODE && p.chunk == f->record;
}

/* When the entry's event began: an inner finding spans from its opening to the entry's time. */
static int64_t began(const struct correlate *c, const struct corr *k, const struct entry *e, int64_t now)
{
	uint32_t inner = record_inner(c, e->record);
	if (!inner) return e->time;
	int64_t opened = episode_at(c, inner)->opened;
	return within(k, opened, now) ? opened : (int64_t)((uint64_t)now - (uint64_t)k->span);
}

/* Which entries lie on a complete chain: reachable from the first rule (earliest[k]: earliest beginning of such an entry of rule
 * k) and leading to the last (latest[k]). One pass a rule; done once a finding. */
static void chain_bounds(struct correlate *c, struct corr *k, struct group *g, int64_t now, int64_t *earliest, int64_t *latest)
{
	uint32_t n = n_of(k);
	for (uint32_t r = 0; r < n; r++) {
		earliest[r] = INT64_MAX;
		struct window_walk w = window_walk(g);
		for (struct entry *e; (e = window_walk_next(c, k, &w));) {
			if (e->extra != r || !within(k, e->time, now) || (r && earliest[r - 1] > e->time)) continue;
			int64_t b = began(c, k, e, now);
			if (r && b < earliest[r - 1]) b = earliest[r - 1];
			if (b < earliest[r]) earliest[r] = b;
		}
	}
	for (uint32_t r = n; r-- > 0;) {
		latest[r] = NEVER;
		struct window_walk w = window_walk(g);
		for (struct entry *e; (e = window_walk_next(c, k, &w));) {
			if (e->extra != r || !within(k, e->time, now) || (r && earliest[r - 1] > e->time)) continue;
			if (r + 1 < n && began(c, k, e, now) > latest[r + 1]) continue;
			int64_t end = r + 1 < n && e->time > latest[r + 1] ? latest[r + 1] : e->time;
			if (end > latest[r]) latest[r] = end;
		}
	}
}

void temporal_collect(struct correlate *c, struct corr *k, struct group *g, struct episode *e)
{
	int64_t earliest[MAX_REFS], latest[MAX_REFS], now = c->event_time;
	bool chain = k->ordered && !k->chains;
	if (chain) chain_bounds(c, k, g, now, earliest, latest);
	struct window_walk w = window_walk(g);
	for (struct entry *i; (i = window_walk_next(c, k, &w));) {
		uint32_t r = i->extra;
		if (!within(k, i->time, now)) continue;
		if (chain && r && earliest[r - 1] > i->time) continue;
		if (chain && r + 1 < n_of(k) && began(c, k, i, now) > latest[r + 1]) continue;
		episode_append(c, k, e, i->time, e->digits, i->record);
		if (record_inner(c, i->record)) places_of(c, k, g)[r] = (struct place){i->record, IN_EPISODE};
	}
}
