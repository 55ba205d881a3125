/* evaluate.c: one thing happened to one correlation: find its group, move its window, look at its condition. */
#include "correlate/correlate_internal.h"
#include <math.h>

static struct str by_name(const struct correlate *c, struct str name)
{
	const struct subscribers *s = &c->subscribers[c->event->rule];
	for (uint32_t i = 0; i < s->keep.n && i < c->event->n_values; i++)
		if (str_eq(s->keep.v[i], name)) return c->event->values[i];
	return (struct str){NULL, 0};
}

/* Keys: for each group value its length plus one in two bytes (0 = missing), then the value. */
uint32_t key_values(struct str key, struct str *ret, uint32_t max)
{
	uint32_t n = 0;
	for (size_t at = 0; at + 2 <= key.n && n < max; n++) {
		size_t length = (uint8_t)key.p[at] | (size_t)(uint8_t)key.p[at + 1] << 8;
		at += 2;
		ret[n] = length ? (struct str){key.p + at, length - 1} : (struct str){NULL, 0};
		if (length) at += length - 1;
	}
	return n;
}

static struct str of_inner(const struct correlate *c, const struct group *g, uint32_t index)
{
	struct str values[MAX_REFS];
	uint32_t n = key_values(group_key(c, g), values, MAX_REFS);
	return index < n ? values[index] : (struct str){NULL, 0};
}

struct str source_value(const struct correlate *c, const struct field_source *s, const struct firing *f)
{
	switch (s->kind) {
	case FROM_EVENT: return s->index < c->event->n_values ? c->event->values[s->index] : (struct str){NULL, 0};
	case FROM_INNER: return of_inner(c, f->inner_group, s->index);
	case FROM_EVENT_BY_NAME: return by_name(c, s->name);
	}
	return (struct str){NULL, 0};
}

static void put_value(struct buf *b, struct str v)
{
	uint8_t hash[SHA256_SIZE];
	bool cut = v.n > MAX_VALUE;
	size_t shown = cut ? MAX_VALUE - 80 : v.n, n = (cut ? shown + 10 + 2 * SHA256_SIZE : v.n) + 1;
	char *to = buf_reserve(b, 2 + shown);
	memcpy(to, &(uint16_t){(uint16_t)n}, 2);
	bytes_copy(to + 2, v.p, shown);
	b->n += 2 + shown;
	if (!cut) return;
	sha256_of(v.p, v.n, hash);
	buf_lit(b, "...sha256:");
	buf_hex(b, hash, SHA256_SIZE);
}

/* The hash is of the values, not of the key made of them: reading what was written just now would wait for all writes before it. */
bool put_key(struct correlate *c, const struct corr *k, const struct firing *f, struct buf *to, uint32_t *ret_hash)
{
	uint32_t hash = GROUP_HASH_OF(k);
	for (uint32_t i = 0; i < k->c->n_group_by; i++) {
		struct str v = source_value(c, &f->source->group[i], f);
		size_t at = to->n + 2;
		if (v.p) put_value(to, v);
		else if (k->missing_groups) buf_put(to, "\0", 2);
		else return false;
		if (v.n > MAX_VALUE) v = (struct str){to->p + at, to->n - at};
		hash = group_hash_add(hash, v);
	}
	*ret_hash = hash;
	return true;
}

bool make_key(struct correlate *c, const struct corr *k, const struct firing *f)
{
	c->key.n = 0;
	buf_reserve(&c->key, 0);
	bool made = put_key(c, k, f, &c->key, &c->key_hash);
	c->key_view = buf_view(&c->key);
	return made;
}

/* Below 0, 0, above 0: less than the threshold, equal, more. */
static int compare(const struct measure *m, const struct decimal *t)
{
	if (m->exact && t->exact) {
		__int128 bound = decimal_units(t) * m->n;
		return m->units < bound ? -1 : m->units > bound;
	}
	if (fabs(m->value - t->near) <= m->slack) return 0;
	return m->value < t->near ? -1 : m->value > t->near;
}

bool thresholds_hold(const struct correlation *k, const struct measure *m)
{
	for (uint32_t i = 0; i < k->n_thresholds; i++) {
		int order = compare(m, &k->thresholds[i].value);
		bool holds = false;
		switch (k->thresholds[i].op) {
		case THRESHOLD_GT: holds = order > 0; break;
		case THRESHOLD_GTE: holds = order >= 0; break;
		case THRESHOLD_LT: holds = order < 0; break;
		case THRESHOLD_LTE: holds = order <= 0; break;
		case THRESHOLD_EQ: holds = order == 0; break;
		case THRESHOLD_NEQ: holds = order != 0; break;
		}
		if (!holds) return false;
	}
	return k->n_thresholds > 0;
}

/* What the event brings beside itself: a value's fingerprint, or a number. */
struct brought { uint64_t value; struct decimal number; };

static bool bring(struct correlate *c, const struct corr *k, const struct firing *f, struct brought *ret)
{
	if (f->ahead && f->ahead->valued) {
		ret->value = f->ahead->value;
		return true;
	}
	if (k->c->type == CORRELATE_VALUE_COUNT) return value_fingerprint(c, f->source->fields, k->c->n_fields, f, &ret->value);
	if (k->stride != 24) return true;
	struct str v = k->c->n_fields ? source_value(c, &f->source->fields[0], f) : (struct str){NULL, 0};
	if (v.p && decimal_of(v, &ret->number)) return true;
	c->stats.not_numbers++;
	return false;
}

bool value_ahead(struct correlate *c, const struct corr *k, const struct corr_ref *source, uint64_t *ret)
{
	return k->c->type == CORRELATE_VALUE_COUNT && value_fingerprint(c, source->fields, k->c->n_fields, &(struct firing){.source = source}, ret);
}

static uint32_t firing_record(struct correlate *c, const struct firing *f) { return f->inner ? f->record : record_current(c); }

static uint8_t digits_now(const struct correlate *c) { return c->event->time.digits; }

static void append(struct correlate *c, struct corr *k, struct group *g, const struct firing *f)
{
	struct episode *e = episode_at(c, g->episode);
	uint32_t record = firing_record(c, f);
	episode_append(c, k, e, c->event_time, digits_now(c), record);
}

/* Its condition holds: outer correlations hear of it. */
static void raise(struct correlate *c, struct corr *k, struct group *g, bool again)
{
	if (!k->outer.n || !g->episode) return;
	struct firing f = {.inner = g->episode, .again = again, .inner_group = g};
	f.record = record_bundle(c, g->episode);
	for (uint32_t i = 0; i < k->outer.n; i++) {
		struct corr *outer = &c->corrs.v[k->outer.v[i].corr];
		if (again && !outer->temporal) continue;
		f.source = &k->outer.v[i];
		f.ref = f.source->ref;
		correlate_fire(c, outer, &f);
	}
	record_drop(c, f.record);
}

/* Events that only the sketch knows of, while they may be in the window. */
static uint32_t base_of(const struct correlate *c, const struct corr *k, const struct group *g)
{
	const struct base *b = g->aux && k->c->type == CORRELATE_EVENT_COUNT ? pool_at(&c->pool, g->aux) : NULL;
	return b && within(k, b->time, c->event_time) ? b->n : 0;
}

static void collect(struct correlate *c, struct corr *k, struct group *g, struct episode *e)
{
	if (k->temporal) {
		temporal_collect(c, k, g, e);
		return;
	}
	struct window_walk w = window_walk(g);
	for (struct entry *i; (i = window_walk_next(c, k, &w));) episode_append(c, k, e, i->time, e->digits, i->record);
}

static void add_base(struct correlate *c, const struct corr *k, const struct group *g, struct episode *e)
{
	uint32_t n = base_of(c, k, g);
	e->approximate = n > 0;
	e->count += n;
	e->uncited += n;
}

/* The condition holds and no finding is open. */
static bool open_episode(struct correlate *c, struct corr *k, struct group *g, uint32_t index, double value)
{
	uint32_t at = episode_open(c, k, index, value);
	if (!at) {
		episode_put_alone(c, k, g, value);
		return false;
	}
	g->episode = at;
	collect(c, k, g, episode_at(c, at));
	add_base(c, k, g, episode_at(c, at));
	if (!k->needs_window) window_clear(c, k, g);
	return true;
}

static void trace(struct correlate *c, const struct corr *k, const struct group *g, double value, bool holds, bool opened)
{
	struct str values[MAX_REFS];
	uint32_t n = key_values(group_key(c, g), values, k->c->n_group_by < MAX_REFS ? k->c->n_group_by : MAX_REFS);
	c->group_view.n = 0;
	for (uint32_t i = 0; i < n; i++) vec_push(&c->group_view, (struct named){k->c->group_by[i], values[i]});
	struct corr_trace t = {.rule = k->rule->index, .time = c->event->time, .group = c->group_view.v, .n_group = n, .events = g->n,
		.value = value, .holds = holds, .opened = opened};
	c->options.trace(c->options.arg, &t);
}

/* After the window has moved: findings open, grow, are handed out, and raise outer ones. */
static void settle(struct correlate *c, struct corr *k, uint32_t index, const struct firing *f, bool holds, double value)
{
	struct group *g = group_at(c, index);
	bool opened = false, was_open = g->episode;
	g->last = c->event_time;
	if (was_open) {
		if (!(f->again && k->temporal && temporal_cited(c, k, g, f))) append(c, k, g, f);
		else episode_at(c, g->episode)->last = c->event_time;
	} else if (holds) {
		opened = open_episode(c, k, g, index, value);
	}
	if (k->temporal && f->inner && g->episode) temporal_cite(c, k, g, f);
	if (c->options.trace) trace(c, k, g, value, holds, opened);
	if (!holds || !g->episode) return;
	if (c->options.every || (opened && c->options.announce)) episode_put(c, k, g, episode_at(c, g->episode), c->options.every);
	raise(c, k, g, was_open);
}

/* The same record by another of the correlation's rules: one event all the same. Hits of a record arrive together. */
static bool repeated(struct correlate *c, const struct corr *k, const struct group *g, const struct firing *f)
{
	if (f->inner || !c->current || g->last != c->event_time) return false;
	if (g->episode) return episode_at(c, g->episode)->last_record == c->current;
	return g->n && window_entry(c, k, g->tail, g->tail_at - 1u)->record == c->current;
}

/* Puts the event into the window; false when memory does not let it. */
static bool enter(struct correlate *c, struct corr *k, struct group *g, uint32_t index, const struct firing *f, const struct brought *b)
{
	uint32_t record = firing_record(c, f);
	if (k->numeric && !numbers_add(c, k, g, &b->number)) return false;
	struct entry *e = window_push(c, k, g, c->event_time, record, k->temporal ? f->ref : 0);
	if (!e) {
		struct entry none = {0};
		if (k->numeric) numbers_keep(k, &b->number, &none), numbers_drop(c, k, g, &none);
		return false;
	}
	if (k->numeric) {
		numbers_keep(k, &b->number, e);
	} else if (k->stride == 24) {
		e->value = b->value;
		/* Without a pair the event stays as evidence, but counts as no new value. */
		if (!distinct_enter(c, k, g, index, e)) c->stats.evicted_events++;
	}
	return true;
}

static struct measure value_of(struct correlate *c, struct corr *k, struct group *g)
{
	if (k->c->type == CORRELATE_EVENT_COUNT) return measure_count((double)g->n + base_of(c, k, g));
	return k->c->type == CORRELATE_VALUE_COUNT ? measure_count(g->distinct) : numbers_value(c, k, g);
}

static void fire_values(struct correlate *c, struct corr *k, uint32_t index, const struct firing *f, const struct brought *b)
{
	struct group *g = group_at(c, index);
	if (repeated(c, k, g, f)) return;
	if (g->episode && !k->needs_window) {
		settle(c, k, index, f, false, 0);
		return;
	}
	window_expire(c, k, g, c->event_time);
	if (!enter(c, k, g, index, f, b)) {
		c->stats.evicted_events++;
		return;
	}
	struct measure m = value_of(c, k, g);
	settle(c, k, index, f, thresholds_hold(k->c, &m), m.value);
}

static void fire_temporal(struct correlate *c, struct corr *k, uint32_t index, const struct firing *f)
{
	struct group *g = group_at(c, index);
	struct brought none = {0};
	window_expire(c, k, g, c->event_time);
	if (!g->episode || c->options.trace) {
		bool moved = f->again && temporal_again(c, k, g, f, c->event_time);
		if (!moved && !enter(c, k, g, index, f, &none)) c->stats.evicted_events++;
		else if (!moved && k->over_findings) temporal_place(c, k, g, f->ref);
	}
	double value;
	bool holds = temporal_step(c, k, g, f->ref, c->event_time, &value);
	settle(c, k, index, f, holds, value);
}

static uint32_t group_force(struct correlate *c, struct corr *k)
{
	uint32_t index = group_find(c, k, c->key_hash, true);
	return index || !make_room(c) ? index : group_find(c, k, c->key_hash, true);
}

/* No room for the key's group: it is counted in the sketch, and gets a group, at the cost of a long silent one, once the
 * estimate is half of what the condition wants. Returns the group, or 0. */
static uint32_t fire_sketched(struct correlate *c, struct corr *k, const struct firing *f, const struct brought *b)
{
	if (f->inner || !sketch_ready(c, k)) return group_force(c, k);
	double estimate = sketch_add(c, k, sketch_hash(c, c->key_view), b->value, c->event_time), surely = estimate - 1 - sketch_noise(k);
	c->stats.sketched_events++;
	if (estimate * 2 < k->lower) return 0;
	uint32_t index = group_force(c, k);
	if (!index || surely < 1 || k->c->type != CORRELATE_EVENT_COUNT) return index;
	struct group *g = group_at(c, index);
	g->aux = pool_take(&c->pool, sizeof(struct base));
	if (g->aux) *(struct base *)pool_at(&c->pool, g->aux) = (struct base){c->event_time, surely < 1e9 ? (uint32_t)surely : 1000000000};
	return index;
}

void correlate_fire(struct correlate *c, struct corr *k, const struct firing *f)
{
	struct brought b = {0};
	if (f->ahead) {
		c->key_view.p = c->ahead_keys.p + f->ahead->at;
		c->key_view.n = f->ahead->n;
		c->key_hash = f->ahead->hash;
	} else if (!make_key(c, k, f)) {
		c->stats.missing++;
		return;
	}
	if (!bring(c, k, f, &b)) return;
	/* A key that the sketch knows stays there until the sketch has forgotten it: its count is never too low. */
	bool make = !k->sketch || sketch_estimate(c, k, sketch_hash(c, c->key_view), c->event_time) == 0;
	uint32_t index = group_find(c, k, c->key_hash, make);
	if (!index && k->by_count) index = fire_sketched(c, k, f, &b);
	else if (!index) c->stats.evicted_events++;
	if (!index) return;
	struct group *g = group_at(c, index);
	uint8_t life = g->live;
	g->live = GROUP_PINNED;
	if (g->last != NEVER && !within(k, g->last, c->event_time)) {
		if (g->episode) episode_close(c, k, g);
		window_clear(c, k, g);
	}
	if (k->temporal) fire_temporal(c, k, index, f);
	else fire_values(c, k, index, f, &b);
	g->live = life;
}
