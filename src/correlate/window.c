/* window.c: groups and their sliding windows; how memory is won back. */
#include "correlate/correlate_internal.h"

enum { SAMPLE = 32, VICTIMS = 8 };

struct str group_key(const struct correlate *c, const struct group *g)
{
	if (g->key_n == KEY_FAR) return (struct str){pool_at(&c->pool, g->far.at), g->far.n};
	return (struct str){g->key, g->key_n};
}

/* The hash of a key, from what it says; put_key makes it with the key. */
static uint32_t group_hash(const struct corr *k, struct str key)
{
	struct str values[MAX_REFS];
	uint32_t n = key_values(key, values, MAX_REFS), hash = GROUP_HASH_OF(k);
	for (uint32_t i = 0; i < n; i++) hash = group_hash_add(hash, values[i]);
	return hash;
}

static bool set_key(struct correlate *c, struct group *g)
{
	if (c->key_view.n <= KEY_INLINE) {
		g->key_n = (uint8_t)c->key_view.n;
		bytes_copy(g->key, c->key_view.p, c->key_view.n);
		return true;
	}
	uint32_t at = pool_take(&c->pool, c->key_view.n);
	if (!at) return false;
	memcpy(pool_at(&c->pool, at), c->key_view.p, c->key_view.n);
	g->key_n = KEY_FAR;
	g->far.at = at;
	g->far.n = (uint32_t)c->key_view.n;
	return true;
}

static void drop_key(struct correlate *c, struct group *g)
{
	if (g->key_n == KEY_FAR) pool_give(&c->pool, g->far.at, g->far.n);
	g->key_n = 0;
}

static uint32_t group_make(struct correlate *c, struct corr *k, uint32_t hash)
{
	uint32_t i = slab_take(&c->groups);
	if (!i) return 0;
	struct group *g = group_at(c, i);
	*g = (struct group){.last = NEVER, .corr = (uint16_t)k->index};
	if (!set_key(c, g)) {
		slab_give(&c->groups, i);
		return 0;
	}
	if ((k->temporal && !temporal_init(c, k, g)) || !table_add(&c->group_table, hash, i)) {
		if (k->temporal) temporal_free(c, k, g);
		drop_key(c, g);
		slab_give(&c->groups, i);
		return 0;
	}
	g->live = GROUP_LIVE;
	if (c->groups.live > c->stats.groups_peak) c->stats.groups_peak = c->groups.live;
	return i;
}

uint32_t group_find(struct correlate *c, struct corr *k, uint32_t hash, bool make)
{
	struct str key = c->key_view;
	for (TABLE_EACH(&c->group_table, hash, i)) {
		struct group *g = group_at(c, i);
		if (g->corr == k->index && (g->key_n == KEY_FAR ? str_eq(group_key(c, g), key) : g->key_n == key.n && bytes_eq(g->key, key.p, key.n))) return i;
	}
	if (!make) return 0;
	uint32_t i = group_make(c, k, hash);
	if (!i && !k->by_count && make_room(c)) i = group_make(c, k, hash);
	return i;
}

void group_free(struct correlate *c, uint32_t index)
{
	struct group *g = group_at(c, index);
	struct corr *k = &c->corrs.v[g->corr];
	if (g->episode) episode_close(c, k, g);
	window_clear(c, k, g);
	if (k->temporal) temporal_free(c, k, g);
	table_remove(&c->group_table, group_hash(k, group_key(c, g)), index);
	drop_key(c, g);
	g->live = GROUP_FREE;
	slab_give(&c->groups, index);
}

static size_t chunk_bytes(unsigned class) { return (size_t)CHUNK_MIN << class; }
static uint32_t chunk_room(const struct corr *k, unsigned class) { return (uint32_t)((chunk_bytes(class) - sizeof(struct chunk)) / k->stride); }
static struct chunk *chunk_at(const struct correlate *c, uint32_t i) { return pool_at(&c->pool, i); }

static uint32_t chunk_new(struct correlate *c, unsigned class)
{
	uint32_t i = pool_take(&c->pool, chunk_bytes(class));
	if (!i && class) i = pool_take(&c->pool, chunk_bytes(class = 0));
	if (i) *chunk_at(c, i) = (struct chunk){.class = (uint8_t)class};
	return i;
}

/* A place behind the last entry: in the tail chunk, or in a new one of twice its size. */
static struct entry *place_at_end(struct correlate *c, struct corr *k, struct group *g)
{
	if (!g->tail || g->tail_at == chunk_room(k, g->tail_class)) {
		unsigned class = !g->tail ? 0 : g->tail_class + 1u < CHUNK_CLASSES ? g->tail_class + 1u : g->tail_class;
		uint32_t i = chunk_new(c, class);
		if (!i && make_room(c)) i = chunk_new(c, class);
		if (!i) return NULL;
		if (g->tail) chunk_at(c, g->tail)->next = i;
		else g->head = i;
		g->tail = i;
		g->tail_at = 0;
		g->tail_class = chunk_at(c, i)->class;
	}
	return window_entry(c, k, g->tail, g->tail_at++);
}

static uint32_t second_of(int64_t time) { return time >= 1000000000 && time / 1000000000 <= UINT32_MAX ? (uint32_t)(time / 1000000000) : 0; }

struct entry *window_push(struct correlate *c, struct corr *k, struct group *g, int64_t time, uint32_t record, uint32_t extra)
{
	struct entry *e = place_at_end(c, k, g);
	if (!e) return NULL;
	e->time = time;
	e->record = record;
	e->extra = extra;
	if (k->stride == 24) e->number = 0;
	record_hold(c, record);
	if (!g->n++) g->oldest = second_of(time);
	return e;
}

static void pop(struct correlate *c, struct corr *k, struct group *g)
{
	struct chunk *head = chunk_at(c, g->head);
	struct entry *e = window_entry(c, k, g->head, g->head_at);
	record_drop(c, e->record);
	if (k->numeric) numbers_drop(c, k, g, e);
	else if (k->stride == 24) distinct_leave(c, k, g, e);
	g->n--;
	g->head_at++;
	uint32_t used = g->head == g->tail ? g->tail_at : chunk_room(k, head->class);
	if (g->head_at < used) return;
	uint32_t next = head->next;
	pool_give(&c->pool, g->head, chunk_bytes(head->class));
	g->head = next;
	g->head_at = 0;
	if (!next) g->tail = 0, g->tail_at = 0;
}

void window_drop_old(struct correlate *c, struct corr *k, struct group *g, int64_t now)
{
	while (g->n) {
		int64_t time = window_entry(c, k, g->head, g->head_at)->time;
		g->oldest = second_of(time);
		if (within(k, time, now)) return;
		pop(c, k, g);
	}
}

void window_clear(struct correlate *c, struct corr *k, struct group *g)
{
	while (g->n) pop(c, k, g);
	if (k->numeric) numbers_free(c, k, g);
	if (k->c->type == CORRELATE_VALUE_COUNT) g->aux = 0;
	if (k->c->type == CORRELATE_EVENT_COUNT && g->aux) {
		pool_give(&c->pool, g->aux, sizeof(struct base));
		g->aux = 0;
	}
}

struct window_walk window_walk(const struct group *g) { return (struct window_walk){g->head, g->head_at, g->n}; }

struct entry *window_walk_next(const struct correlate *c, const struct corr *k, struct window_walk *w)
{
	if (!w->left) return NULL;
	struct chunk *h = chunk_at(c, w->chunk);
	struct entry *e = window_entry(c, k, w->chunk, w->at++);
	w->left--;
	if (w->at == chunk_room(k, h->class)) {
		w->chunk = h->next;
		w->at = 0;
	}
	return e;
}

static bool emptied(const struct correlate *c, const struct group *g)
{
	return (uint64_t)c->now - (uint64_t)g->last > (uint64_t)c->corrs.v[g->corr].span;
}

void sweep(struct correlate *c, uint32_t n)
{
	for (uint32_t i = 0; i < n && c->groups.live; i++) {
		if (++c->hand >= c->groups.n) c->hand = 1;
		struct group *g = group_at(c, c->hand);
		__builtin_prefetch(g + 8);
		if (g->live == GROUP_LIVE && emptied(c, g)) group_free(c, c->hand);
	}
}

/* Moves what is known of a counted group into the sketch, so that its key is never counted too low. */
static void into_sketch(struct correlate *c, struct corr *k, struct group *g)
{
	if (!k->by_count || !sketch_ready(c, k)) return;
	struct str key = group_key(c, g);
	uint64_t hash = sketch_hash(c, key);
	struct window_walk w = window_walk(g);
	for (struct entry *e; (e = window_walk_next(c, k, &w));) {
		sketch_add(c, k, hash, k->stride == 24 ? e->value : 0, e->time);
	}
	c->stats.sketched_events += g->n;
}

static void evict(struct correlate *c, uint32_t index)
{
	struct group *g = group_at(c, index);
	struct corr *k = &c->corrs.v[g->corr];
	if (!g->episode) into_sketch(c, k, g);
	c->stats.evicted_groups++;
	c->stats.evicted_events += g->n;
	group_free(c, index);
}

/* The longest silent of a sample behind the hand. Groups with an open finding are taken only when nothing else is left. */
static bool evict_some(struct correlate *c, bool open_too)
{
	uint32_t victims[VICTIMS], n = 0, seen = 0;
	for (uint32_t looked = 1; looked < c->groups.n && seen < SAMPLE; looked++) {
		if (++c->hand >= c->groups.n) c->hand = 1;
		struct group *g = group_at(c, c->hand);
		if (g->live != GROUP_LIVE || (g->episode && !open_too)) continue;
		seen++;
		uint32_t at = n < VICTIMS ? n++ : n;
		while (at > 0 && group_at(c, victims[at - 1])->last > g->last) {
			if (at < VICTIMS) victims[at] = victims[at - 1];
			at--;
		}
		if (at < VICTIMS) victims[at] = c->hand;
	}
	for (uint32_t i = 0; i < n; i++) evict(c, victims[i]);
	return n > 0;
}

bool make_room(struct correlate *c)
{
	uint32_t before = c->groups.live;
	sweep(c, 256);
	if (c->groups.live < before) return true;
	return evict_some(c, false) || evict_some(c, true);
}
