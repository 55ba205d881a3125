/* correlate.c: the front door: making a correlator, feeding it, the passing of time. See correlate.h. */
#include "correlate/detect_internal.h"
#include "base/sha256.h"

enum { AHEAD = 32, AHEAD_REFS = 4 };
struct ahead { struct ahead_key key[AHEAD_REFS]; struct detect_ahead detect; };

enum { DEFAULT_MEMORY = 256 << 20, LEAST_MEMORY = 1 << 20, PLAN_BUDGET = 64 << 20, SWEEP_PER_EVENT = 2 };

static void set_budget(struct correlate *c)
{
	if (!c->options.state_memory) c->options.state_memory = DEFAULT_MEMORY;
	if (c->options.state_memory < LEAST_MEMORY) c->options.state_memory = LEAST_MEMORY;
	c->sketch_bytes = sketch_share(c);
	c->budget.limit = c->options.state_memory - c->sketch_bytes;
	for (uint32_t i = 0; i < c->n_rules; i++)
		if (c->subscribers[i].detector) c->budget.limit -= c->options.state_memory / 4, i = c->n_rules - 1;
	c->budget.reserve = c->options.state_memory / 32;
	c->group_table.budget = c->pair_table.budget = c->context_table.budget = &c->budget;
}

static bool init_memory(struct correlate *c, struct fault *f)
{
	struct budget *b = &c->budget;
	if (slab_init(&c->groups, b, sizeof(struct group)) && slab_init(&c->records, b, sizeof(struct record)) &&
		slab_init(&c->pairs, b, sizeof(struct pair)) && pool_init(&c->pool, b)) return true;
	fault_set(f, FAULT_IO, "no address space for correlation state");
	return false;
}

/* The key of values and sketches: from the rules' own hashes. Not drawn at random, because what a sketch says must be the same in every
 * run over the same input; not the same for everybody, because whoever knows it can choose keys that collide. */
static void derive_key(struct correlate *c)
{
	uint8_t digest[SHA256_SIZE];
	struct sha256 *h = sha256_new();
	for (uint32_t i = 0; i < c->n_rules; i++) sha256_add(h, c->rules[i]->info.sha256, SHA256_SIZE);
	sha256_end(h, digest);
	sha256_free(h);
	memcpy(c->value_key, digest, sizeof c->value_key);
}

static bool start_detectors(struct correlate *c, struct fault *f)
{
	for (uint32_t i = 0; i < c->n_rules; i++) {
		struct subscribers *s = &c->subscribers[i];
		uint32_t keep[5];
		if (!s->detector) continue;
		for (unsigned k = 0; k < COUNT(keep); k++)
			for (keep[k] = 0; !str_eq(s->keep.v[keep[k]], str_of(detect_field(k))); keep[k]++);
		c->detectors = detectors_new(c, i, keep, c->options.known_sources);
		if (c->detectors) return true;
		fault_set(f, FAULT_IO, "no address space for the detectors' state");
		return false;
	}
	return true;
}

struct correlate *correlate_new_over(const struct rule *const *rules, uint32_t n_rules, const struct correlate_options *options, struct fault *f)
{
	_Static_assert(sizeof(struct group) == 64 && sizeof(struct record) == 64, "one cache line each");
	struct correlate *c = xcalloc(1, sizeof *c);
	c->options = *options;
	c->rules = rules;
	c->n_rules = n_rules;
	c->now = NEVER;
	arena_init(&c->plan, PLAN_BUDGET);
	derive_key(c);
	if (!correlate_compile(c, f)) goto failed;
	set_budget(c);
	if (!init_memory(c, f)) goto failed;
	if (options->temp_dir && !(c->store = store_new(options->temp_dir, f))) goto failed;
	if (!start_detectors(c, f)) goto failed;
	if (options->lateness_ns > 0) c->reorder = reorder_new(c);
	return c;
failed:
	correlate_free(c);
	return NULL;
}

struct correlate *correlate_new(const struct rule_set *set, const struct correlate_options *options, struct fault *f)
{
	uint32_t n = rule_set_count(set);
	const struct rule **rules = xcalloc(n ? n : 1, sizeof *rules);
	for (uint32_t i = 0; i < n; i++) rules[i] = rule_set_at(set, i);
	struct correlate *c = correlate_new_over(rules, n, options, f);
	if (c) c->owned_rules = rules;
	else free(rules);
	return c;
}

void correlate_free(struct correlate *c)
{
	if (!c) return;
	detectors_free(c->detectors);
	for (size_t i = 0; i < c->corrs.n; i++) sketch_free(c->corrs.v[i].sketch);
	correlate_compile_done(c);
	slab_done(&c->groups);
	slab_done(&c->records);
	slab_done(&c->pairs);
	pool_done(&c->pool);
	table_done(&c->group_table);
	table_done(&c->pair_table);
	table_done(&c->context_table);
	reorder_free(c->reorder);
	store_free(c->store);
	arena_done(&c->plan);
	buf_done(&c->key);
	buf_done(&c->ahead_keys);
	buf_done(&c->scratch);
	buf_done(&c->json);
	vec_free(&c->evidence);
	vec_free(&c->cited);
	vec_free(&c->contexts);
	vec_free(&c->group_view);
	free(c->owned_rules);
	free(c);
}

bool correlate_wants(const struct correlate *c, uint32_t rule) { return rule < c->n_rules && c->subscribers[rule].wanted; }

const struct str *correlate_keep(const struct correlate *c, uint32_t rule, uint32_t *ret_n)
{
	if (rule >= c->n_rules) {
		*ret_n = 0;
		return NULL;
	}
	*ret_n = (uint32_t)c->subscribers[rule].keep.n;
	return c->subscribers[rule].keep.v;
}

static bool same_record(const struct corr_event *a, const struct evidence_ref *b, int64_t a_time, int64_t b_time)
{
	return a_time == b_time && a->evidence[0].source == b->source && a->evidence[0].offset == b->offset && a->evidence[0].length == b->length;
}

/* An event in order. Hits of one record come one after the other and share its reference. */
void correlate_take(struct correlate *c, const struct corr_event *e, int64_t time)
{
	if (c->started && time < c->now) {
		c->stats.late++;
		return;
	}
	if (!c->started || !same_record(e, &c->previous, time, c->now)) {
		record_forget_current(c);
		c->previous = e->evidence[0];
	}
	c->started = true;
	c->now = c->event_time = time;
	c->event = e;
	c->stats.hits++;
	sweep(c, SWEEP_PER_EVENT);
	const struct subscribers *s = &c->subscribers[e->rule];
	for (size_t i = 0; i < s->refs.n; i++) {
		struct firing f = {.ref = s->refs.v[i].ref, .source = &s->refs.v[i]};
		if (c->ahead && i < AHEAD_REFS && c->ahead->key[i].made) f.ahead = &c->ahead->key[i];
		correlate_fire(c, &c->corrs.v[s->refs.v[i].corr], &f);
	}
	if (s->detector) detectors_take(c->detectors, e, time, c->ahead ? &c->ahead->detect : NULL);
	if (s->deed && c->detectors) detectors_deed(c->detectors, e, time);
	c->event = NULL;
}

/* Nanoseconds since 1970; false when absent, or outside the years 1678 to 2261 that 64 bits hold. */
static bool time_ns(struct etime t, int64_t *ret)
{
	if (!t.present || t.sec < -9200000000 || t.sec > 9200000000) return false;
	*ret = t.sec * 1000000000 + t.nsec;
	return true;
}

void correlate_hit(struct correlate *c, const struct corr_event *e)
{
	int64_t time;
	if (!correlate_wants(c, e->rule) || !e->n_evidence) return;
	if (!time_ns(e->time, &time)) {
		c->stats.untimed++;
		return;
	}
	if (!c->reorder) {
		correlate_take(c, e, time);
		return;
	}
	reorder_push(c, e, time);
	if (!c->latest_known || time > c->latest) c->latest = time;
	c->latest_known = true;
	reorder_release(c, c->latest - c->options.lateness_ns);
}

/* --- several at once: what each will touch is fetched while the others are worked on --- */

static void look_ahead(struct correlate *c, const struct corr_event *e, struct ahead *a)
{
	memset(a->key, 0, sizeof a->key);
	a->detect.made = false;
	if (!correlate_wants(c, e->rule)) return;
	const struct subscribers *s = &c->subscribers[e->rule];
	c->event = e;
	for (size_t i = 0; i < s->refs.n && i < AHEAD_REFS; i++) {
		struct ahead_key *key = &a->key[i];
		key->at = (uint32_t)c->ahead_keys.n;
		key->made = put_key(c, &c->corrs.v[s->refs.v[i].corr], &(struct firing){.source = &s->refs.v[i]}, &c->ahead_keys, &key->hash);
		key->n = (uint32_t)c->ahead_keys.n - key->at;
		if (key->made) key->valued = value_ahead(c, &c->corrs.v[s->refs.v[i].corr], &s->refs.v[i], &key->value);
		if (key->made && c->group_table.slots) __builtin_prefetch(&c->group_table.slots[key->hash & c->group_table.mask]);
	}
	c->event = NULL;
	if (s->detector) detectors_ahead(c->detectors, e, &a->detect);
}

static void fetch_groups(struct correlate *c, struct ahead *a)
{
	for (unsigned i = 0; i < AHEAD_REFS && a->key[i].made && c->group_table.slots; i++) {
		uint32_t at = a->key[i].hash & c->group_table.mask;
		a->key[i].group = table_next(&c->group_table, a->key[i].hash, &at);
		if (a->key[i].group) __builtin_prefetch(group_at(c, a->key[i].group), 1);
	}
}

/* The entry that may leave its window, and where the next one will stand. */
static void fetch_chunks(struct correlate *c, const struct corr_event *e, const struct ahead *a)
{
	int64_t now;
	if (!time_ns(e->time, &now)) return;
	for (unsigned i = 0; i < AHEAD_REFS && a->key[i].made; i++) {
		const struct group *g = a->key[i].group ? group_at(c, a->key[i].group) : NULL;
		if (!g) continue;
		const struct corr *k = &c->corrs.v[g->corr];
		if (g->head && !window_is_fresh(k, g, now)) __builtin_prefetch(window_entry(c, k, g->head, g->head_at), 1);
		if (g->tail) __builtin_prefetch(window_entry(c, k, g->tail, g->tail_at), 1);
		if (g->episode) __builtin_prefetch(episode_at(c, g->episode), 1);
		else if (k->temporal) __builtin_prefetch(pool_at(&c->pool, g->aux), 1);
	}
}

void correlate_hits(struct correlate *c, const struct corr_event *events, size_t n)
{
	struct ahead ahead[AHEAD];
	for (size_t from = 0; from < n; from += AHEAD) {
		size_t count = n - from < AHEAD ? n - from : AHEAD;
		c->ahead_keys.n = 0;
		buf_reserve(&c->ahead_keys, 0);
		for (size_t i = 0; i < count && !c->reorder; i++) look_ahead(c, &events[from + i], &ahead[i]);
		for (size_t i = 0; i < count && !c->reorder; i++) {
			fetch_groups(c, &ahead[i]);
			if (ahead[i].detect.made) detectors_fetch(c->detectors, &ahead[i].detect);
		}
		for (size_t i = 0; i < count && !c->reorder; i++) {
			fetch_chunks(c, &events[from + i], &ahead[i]);
			if (ahead[i].detect.made) detectors_fetch_more(c->detectors, &ahead[i].detect);
		}
		for (size_t i = 0; i < count; i++) {
			c->ahead = c->reorder ? NULL : &ahead[i];
			correlate_hit(c, &events[from + i]);
		}
	}
	c->ahead = NULL;
}

void correlate_advance(struct correlate *c, struct etime now)
{
	int64_t time;
	if (!time_ns(now, &time)) return;
	if (c->reorder) {
		if (!c->latest_known || time > c->latest) c->latest = time;
		c->latest_known = true;
		time = c->latest - c->options.lateness_ns;
		reorder_release(c, time);
	}
	if (c->started && time > c->now) c->now = time;
	if (c->started) sweep(c, c->groups.n);
	if (c->started && c->detectors) detectors_advance(c->detectors, c->now);
}

struct open_group { int64_t opened; uint32_t corr, group; };
static int by_opening(const void *a, const void *b)
{
	const struct open_group *x = a, *y = b;
	if (x->opened != y->opened) return x->opened < y->opened ? -1 : 1;
	if (x->corr != y->corr) return x->corr < y->corr ? -1 : 1;
	return x->group < y->group ? -1 : x->group > y->group;
}

void correlate_finish(struct correlate *c)
{
	VEC(struct open_group) open = {0};
	if (c->reorder) reorder_release(c, INT64_MAX);
	record_forget_current(c);
	if (c->detectors) detectors_finish(c->detectors);
	for (uint32_t i = 1; i < c->groups.n; i++) {
		const struct group *g = group_at(c, i);
		if (g->live && g->episode) vec_push(&open, (struct open_group){episode_at(c, g->episode)->opened, g->corr, i});
	}
	if (open.n) qsort(open.v, open.n, sizeof *open.v, by_opening);
	for (size_t i = 0; i < open.n; i++) {
		struct group *g = group_at(c, open.v[i].group);
		episode_close(c, &c->corrs.v[g->corr], g);
	}
	vec_free(&open);
	for (uint32_t i = 1; i < c->groups.n; i++)
		if (group_at(c, i)->live) group_free(c, i);
}

void correlate_detect_stats(const struct correlate *c, struct detect_stats *ret)
{
	*ret = (struct detect_stats){0};
	if (!c->detectors) return;
	*ret = c->detectors->stats;
	ret->memory_peak = c->detectors->budget.peak;
}

const struct str *correlate_notes(const struct correlate *c, uint32_t *ret_n)
{
	*ret_n = c->detectors ? (uint32_t)c->detectors->notes.n : 0;
	return c->detectors ? c->detectors->notes.v : NULL;
}

void correlate_stats(const struct correlate *c, struct corr_stats *ret)
{
	*ret = c->stats;
	ret->groups = c->groups.live;
	ret->memory = c->budget.used;
	ret->memory_peak = c->budget.peak;
	for (size_t i = 0; i < c->corrs.n; i++)
		if (c->corrs.v[i].sketch) ret->memory += c->sketch_bytes, ret->memory_peak += c->sketch_bytes, i = c->corrs.n;
	sketch_errors(c, &ret->error_count, &ret->error_distinct);
}
