/* json_events.c: JSON objects as events: layouts and shapes found or made, times, clocks compared. See json_internal.h. */
#include "read/json_internal.h"
#include "read/winevent_internal.h"
#include <stdio.h>

enum { CLOCK_EVENTS = 4096 };

void json_events_begin(struct json_events *e, struct reader *r, uint32_t max_tokens)
{
	e->reader = r;
	e->object.tape.max_tokens = max_tokens;
	arena_init(&e->layouts, 16 << 20);
}

void json_events_end(struct json_events *e)
{
	json_tape_done(&e->object.tape);
	json_lane_free(e->lane);
	json_trace_done(&e->object.trace);
	map_done(&e->by_skeleton);
	vec_free(&e->layout);
	arena_done(&e->layouts);
	json_audit_end(e);
	json_evtxecmd_end(e);
	json_inner_end(e);
}

/* --- layouts and shapes --- */

static uint32_t cheap_sum(struct str s)
{
	uint64_t a = s.n, b = 0, c = 0;
	if (s.n >= 24) {
		memcpy(&a, s.p + s.n - 8, 8);
		memcpy(&b, s.p + s.n / 2, 8);
		memcpy(&c, s.p + 8, 8);
	}
	uint64_t sum = (a ^ (b << 7) ^ (c << 13) ^ s.n) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(sum >> 56);
}

static struct json_layout *layout_of(struct json_events *e)
{
	struct str skeleton = buf_view(&e->object.trace.skeleton);
	struct json_layout **cached = &e->cache[cheap_sum(skeleton)], *l = *cached;
	if (l && str_eq(l->skeleton, skeleton)) return l;
	uint32_t *at = map_get(&e->by_skeleton, skeleton);
	if (at) return *cached = e->layout.v[*at];
	if (e->layout.n < JSON_LAYOUTS_MAX && e->by_skeleton.bytes < e->layouts.budget)
		l = json_layout_new(&e->object.trace, &e->object.tape, e->object.text, e->reader->taxonomy, &e->layouts);
	else l = NULL;
	/* No room to keep it: it lives as long as the event. */
	if (!l) return json_layout_new(&e->object.trace, &e->object.tape, e->object.text, e->reader->taxonomy, &e->reader->arena);
	map_put(&e->by_skeleton, skeleton, (uint32_t)e->layout.n, NULL);
	vec_push(&e->layout, l);
	return *cached = l;
}

static struct str leaf_text(struct json_events *e, int32_t leaf)
{
	struct value v;
	if (leaf < 0) return (struct str){"", 0};
	json_leaf_value(&e->object, (uint32_t)leaf, &e->reader->arena, &v);
	struct value *one = v.kind == VALUE_LIST && v.n ? &v.items[0] : &v;
	return value_text(one, &e->reader->arena);
}

/* Whether the text is one of those joined by '|'. */
static bool one_of(struct str text, struct str values)
{
	while (values.p)
		if (str_eq_nocase(str_cut(&values, '|'), text)) return true;
	return false;
}

static const struct json_family *family_of(struct json_events *e, const struct json_layout *l)
{
	uint32_t i = 0;
	for (; i + 1 < l->n_families; i++) {
		bool fits = true;
		const struct json_family *f = &l->families[i];
		for (uint32_t k = 0; k < f->n_conditions && fits; k++) fits = one_of(leaf_text(e, f->conditions[k].leaf), f->conditions[k].values);
		if (fits) break;
	}
	return &l->families[i];
}

/* What tells shapes of one layout apart. */
struct shape_key { const struct json_family *family; struct str channel, provider; int64_t event_id; };

static struct str format_of(const struct shape_key *k) { return k->family->family ? k->family->family->format : STR("json"); }

static struct shape_key shape_key(struct json_events *e, const struct json_layout *l)
{
	struct shape_key k = {family_of(e, l), {"", 0}, {"", 0}, -1};
	uint64_t id;
	if (!l->windows) return k;
	k.channel = l->channel >= 0 ? leaf_text(e, l->channel) : l->channel_text;
	k.provider = leaf_text(e, l->provider);
	if (l->short_channels) k.channel = win_channel(k.provider, k.channel);
	if (!k.channel.n) k.channel = json_channel_of(k.provider);
	if (str_u64(leaf_text(e, l->event_id), &id) && id <= UINT32_MAX) k.event_id = (int64_t)id;
	return k;
}

static void set_constant(struct column *columns, int32_t column, struct value v)
{
	if (column < 0) return;
	columns[column].constant = true;
	columns[column].value = v;
}

static struct shape *spec_of(struct json_events *e, const struct json_layout *l, const struct shape_key *k)
{
	struct shape *s = arena_calloc(&e->reader->arena, 1, sizeof *s);
	uint32_t n = l->n_columns - (str_eq(k->channel, STR("MSExchange Management")) ? 0 : l->n_exchange);
	bool server = e->server.p && n == l->n_columns;
	struct column *columns = arena_calloc(&e->reader->arena, n + server, sizeof *columns);
	if (!s || !columns) return NULL;
	if (n) memcpy(columns, l->columns, n * sizeof *columns);
	if (server) columns[n] = (struct column){.name = STR("Server"), .hidden = true};
	*s = (struct shape){.n_columns = n + server, .columns = columns, .channel = k->channel, .provider = k->provider, .event_id = k->event_id, .host_column = -1};
	s->format = format_of(k);
	int32_t host = k->family->host;
	for (uint32_t i = 0; i < n && host >= 0 && s->host_column < 0; i++)
		if (l->plan[i].how == JSON_OF_LEAF && l->plan[i].leaf == (uint32_t)host) s->host_column = (int32_t)i;
	if (server) s->host_column = (int32_t)n;
	if (l->windows && k->event_id >= 0) set_constant(columns, l->event_id_column, value_uint((uint64_t)k->event_id));
	if (l->channel >= 0 && k->channel.n) set_constant(columns, l->channel_column, value_str(k->channel));
	if (l->provider >= 0 && k->provider.n) set_constant(columns, l->provider_column, value_str(k->provider));
	if (e->reader->is_forced || !l->windows) s->bindings = text_bindings(e->reader, s->format, &s->n_bindings);
	else s->bindings = taxonomy_windows(e->reader->taxonomy, k->channel, (uint32_t)(k->event_id < 0 ? 0 : k->event_id), &e->reader->arena,
		&s->n_bindings);
	return s;
}

static const struct shape *make_shape(struct json_events *e, struct json_layout *l, const struct shape_key *k)
{
	struct buf key = {0};
	buf_lit(&key, "json");
	buf_put(&key, &k->event_id, sizeof k->event_id);
	buf_str(&key, format_of(k));
	buf_byte(&key, 0);
	buf_str(&key, k->channel);
	buf_byte(&key, 0);
	buf_str(&key, k->provider);
	buf_byte(&key, 0);
	buf_str(&key, l->skeleton);
	if (e->server.p) buf_lit(&key, " server");
	const struct shape *s = shape_table_find(e->reader->shapes, buf_view(&key));
	if (!s) {
		struct shape *spec = spec_of(e, l, k);
		s = spec ? text_shape(e->reader, buf_view(&key), spec) : NULL;
		if (s == spec) l = NULL; /* lives no longer than the event */
	}
	buf_done(&key);
	if (!s || !l) return s;
	if (l->n_shapes < JSON_LAYOUT_SHAPES) l->n_shapes++;
	memmove(&l->shapes[1], &l->shapes[0], (l->n_shapes - 1) * sizeof l->shapes[0]);
	l->shapes[0] = s;
	return s;
}

/* The leaves that family and shape depend on; false when there are too many. */
static bool note_deciding(struct json_layout *l)
{
	l->last.n = 0;
	for (uint32_t i = 0; i < l->n_families; i++) {
		for (uint32_t k = 0; k < l->families[i].n_conditions; k++) {
			if (l->families[i].conditions[k].leaf < 0) continue;
			if (l->last.n + 3 >= JSON_DECIDING) return false;
			l->last.leaves[l->last.n++] = (uint32_t)l->families[i].conditions[k].leaf;
		}
	}
	const int32_t windows[] = {l->channel, l->provider, l->event_id};
	for (size_t i = 0; i < COUNT(windows) && l->windows; i++)
		if (windows[i] >= 0) l->last.leaves[l->last.n++] = (uint32_t)windows[i];
	return true;
}

static inline const struct json_token *token_of(const struct json_object *o, uint32_t leaf) { return &o->tape.v[o->places[leaf].token]; }
static inline uint16_t kind_of(const struct json_token *x) { return (uint16_t)(x->type | x->flags << 8); }

/* Whether all that decides is as it was in the object met last. */
static bool same_as_last(const struct json_object *o, const struct json_layout *l)
{
	const char *p = l->last.bytes;
	if (!l->last.family) return false;
	for (uint32_t i = 0; i < l->last.n; i++) {
		const struct json_token *x = token_of(o, l->last.leaves[i]);
		if (x->length != l->last.lengths[i] || kind_of(x) != l->last.kinds[i] || memcmp(o->text.p + x->start, p, x->length) != 0) return false;
		p += x->length;
	}
	return true;
}

static void keep_last(const struct json_object *o, struct json_layout *l, const struct json_family *family)
{
	size_t n = 0;
	l->last.family = NULL;
	if (!note_deciding(l)) return;
	for (uint32_t i = 0; i < l->last.n; i++) {
		const struct json_token *x = token_of(o, l->last.leaves[i]);
		if (x->length > JSON_DECIDING_BYTES - n) return;
		memcpy(l->last.bytes + n, o->text.p + x->start, x->length);
		l->last.lengths[i] = (uint16_t)x->length;
		l->last.kinds[i] = kind_of(x);
		n += x->length;
	}
	l->last.family = family;
}

/* The shape is l->shapes[0] then, unless the layout could not keep it. */
static const struct shape *shape_of(struct json_events *e, struct json_layout *l, const struct json_family **ret_family)
{
	*ret_family = l->last.family;
	if (same_as_last(&e->object, l)) return l->shapes[0];
	struct shape_key k = shape_key(e, l);
	*ret_family = k.family;
	l->last.family = NULL;
	for (uint32_t i = 0; i < l->n_shapes; i++) {
		const struct shape *s = l->shapes[i];
		if (s->event_id != k.event_id || !str_eq(s->channel, k.channel) || !str_eq(s->provider, k.provider) ||
			!str_eq(s->format, format_of(&k))) continue;
		memmove(&l->shapes[1], &l->shapes[0], i * sizeof l->shapes[0]);
		l->shapes[0] = s;
		keep_last(&e->object, l, k.family);
		return s;
	}
	return make_shape(e, l, &k);
}

/* Keys and layout of the object; objects like it are read by the lane from here on. NULL: no memory. */
static struct json_layout *know_object(struct json_events *e)
{
	struct json_object *o = &e->object;
	if (e->like) {
		o->places = e->like->places;
		o->trace.limited = false;
		return e->like->layout;
	}
	json_trace(&o->trace, &o->tape, o->text);
	o->places = o->trace.places;
	struct json_layout *l = layout_of(e);
	/* A layout that is not kept lives no longer than the event. */
	if (!l || !e->lane || o->trace.limited || e->cache[cheap_sum(l->skeleton)] != l) return l;
	size_t places = o->trace.n * sizeof o->trace.places[0], n = sizeof(struct json_like) + places;
	struct json_like *like = arena_alloc(&e->reader->arena, n);
	if (!like) return l;
	like->layout = l;
	if (places) memcpy(like->places, o->trace.places, places);
	json_lane_add(e->lane, &o->tape, o->text, like, n);
	return l;
}

/* --- events --- */

static bool leaf_time(struct json_events *e, int32_t leaf, bool is_utc, struct etime *ret)
{
	const struct json_token *x = token_of(&e->object, (uint32_t)leaf);
	bool zoned, number = x->type == JSON_NUMBER;
	bool bare = (number && !(x->flags & JSON_REAL)) || (x->type == JSON_STRING && !x->flags); /* its text stands as it is */
	if (!json_time(bare ? json_raw(e->object.text, x) : leaf_text(e, leaf), number, ret, &zoned)) return false;
	if (zoned || is_utc) return true;
	e->assumed_zone = true;
	*ret = text_zoned(e->reader, *ret);
	return true;
}

static struct etime event_time(struct json_events *e, const struct json_layout *l, const struct json_family *f)
{
	struct etime t = {0};
	for (size_t i = 0; i < JSON_TIMES && f->time[i] >= 0; i++)
		if (leaf_time(e, f->time[i], f->time_is_utc || f->time[i] == l->utc_time, &t)) return t;
	return (struct etime){0};
}

/* Sysmon writes its own time in UTC: where the exporter's differs by whole quarters of an hour, its clock or zone was wrong. */
static void check_clock(struct json_events *e, const struct json_layout *l, struct etime t, uint64_t offset)
{
	struct json_clock *c = &e->clock;
	struct etime utc;
	enum { QUARTER = 900, NEAR = 60 };
	if (l->utc_time < 0 || !t.present || c->looked >= CLOCK_EVENTS || !leaf_time(e, l->utc_time, true, &utc)) return;
	c->looked++;
	int64_t seconds = t.sec - utc.sec, quarters = (seconds + (seconds < 0 ? -QUARTER / 2 : QUARTER / 2)) / QUARTER;
	int64_t rest = seconds - quarters * QUARTER;
	if (rest > NEAR || rest < -NEAR || quarters < -96 || quarters > 96) return;
	if (!c->agree && !c->other) c->quarters = (int32_t)quarters, c->first_offset = offset;
	if (c->quarters == quarters) c->agree++;
	else c->other++;
}

/* "-5:00" when most events looked at agree on a difference; empty otherwise. */
static const char *clock_text(const struct json_clock *c, char out[16])
{
	int minutes = (c->quarters < 0 ? -c->quarters : c->quarters) * 15;
	out[0] = 0;
	if (c->quarters && c->agree > c->other) snprintf(out, 16, "%c%d:%02d", c->quarters < 0 ? '-' : '+', minutes / 60, minutes % 60);
	return out;
}

void json_events_note(struct json_events *e)
{
	struct json_clock *c = &e->clock;
	char text[16];
	if (!clock_text(c, text)[0]) return;
	report_note(&e->reader->report, c->first_offset,
		"clock: the exporter's times are %s h from Sysmon's UtcTime in %llu of %llu events looked at", text,
		(unsigned long long)c->agree, (unsigned long long)c->looked);
}

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	const struct json_events *e = ev->impl;
	if (column >= e->object.layout->n_columns && !e->audit) {
		*ret = e->server.p ? value_str(e->server) : (struct value){.kind = VALUE_ABSENT};
		return;
	}
	if (column >= e->object.layout->n_columns) {
		json_audit_value(e, column - e->object.layout->n_columns, ret);
		return;
	}
	input_hash_some(e->reader->in);
	const struct json_column *how = &e->object.layout->plan[column];
	if (how->how == JSON_OF_LEAF) {
		json_leaf_value(&e->object, how->leaf, ev->arena, ret);
	} else if (how->how >= JSON_DERIVED) {
		derived_value(e->object.layout->derived, how->how - JSON_DERIVED, ev, ret);
	} else json_exchange_value(ev, (enum json_how)how->how, ret);
}

static void json(struct event *ev, struct buf *out)
{
	const struct json_events *e = ev->impl;
	json_compact(&e->object.tape, e->object.text, ev->arena, out);
}

/* The object's own text: what plain characters it has stand in it as they are, unless they are escaped by number, or put together of several. */
static enum sift sift(struct event *ev, struct buf *room, struct str *ret)
{
	const struct json_events *e = ev->impl;
	const struct json_object *o = &e->object;
	(void)room;
	if (o->tape.has_numbered || o->layout->bytes_as_arrays || (o->layout->n_exchange && ev->shape->n_columns == o->layout->n_columns)) return SIFT_NONE;
	*ret = str_sub(o->text, o->tape.v[0].start, o->tape.v[0].length);
	return SIFT_WHOLE;
}

/* What stands before a value's bytes in what undecoded gives: no one is the beginning of another. */
struct raw_head { uint32_t how; /* type of a token, or RAW_CELL and the kind of a value */ uint32_t n; };
#define RAW_CELL 0x100u

/* Columns that are made of others or of several tokens: the value itself. False: a list. */
static bool put_cell(struct event *ev, uint32_t column, struct buf *raw)
{
	struct value *v = event_cell(ev, column);
	struct str text = value_text(v, ev->arena);
	if (v->kind == VALUE_LIST) return false;
	buf_put(raw, &(struct raw_head){RAW_CELL | v->kind, (uint32_t)text.n}, sizeof(struct raw_head));
	buf_str(raw, text);
	return true;
}

static enum sift undecoded(struct event *ev, const struct column_set *set, struct buf *raw, struct buf *rest)
{
	const struct json_object *o = &((const struct json_events *)ev->impl)->object;
	struct str whole = {"", 0};
	if (rest && sift(ev, NULL, &whole) == SIFT_NONE) return SIFT_NONE;
	for (uint32_t i = 0; raw && i < set->n; i++) {
		uint32_t column = set->v[i];
		if (column >= ev->shape->n_columns || ev->shape->columns[column].constant) continue;
		const struct json_column *how = column < o->layout->n_columns ? &o->layout->plan[column] : NULL;
		const struct json_token *x = how && how->how == JSON_OF_LEAF ? token_of(o, how->leaf) : NULL;
		if (!x || x->type == JSON_OBJECT || x->type == JSON_ARRAY) {
			if (!put_cell(ev, column, raw)) return SIFT_NONE;
			continue;
		}
		buf_put(raw, &(struct raw_head){x->type, x->length}, sizeof(struct raw_head));
		buf_str(raw, json_raw(o->text, x));
	}
	if (rest) buf_str(rest, whole);
	return SIFT_WHOLE;
}

static uint32_t contexts(const struct event *ev, struct range *ret, uint32_t max)
{
	const struct json_events *e = ev->impl;
	if (!max || !e->header.length) return 0;
	ret[0] = e->header;
	return 1;
}

static const struct event_ops ops = {.decode = decode, .contexts = contexts, .json = json, .sift = sift, .undecoded = undecoded};

bool json_events_make(struct json_events *e, uint64_t offset, uint64_t length, uint64_t size, uint32_t line, const void *bytes)
{
	struct reader *r = e->reader;
	struct json_layout *l = e->object.layout = know_object(e);
	const struct json_family *family;
	if (l && l->inner >= 0 && !e->is_inner && json_inner_make(e, offset, length, size, line, bytes)) return true;
	if (l && (l->evtxecmd || l->shown || l->shortened)) return json_evtxecmd_make(e, offset, length, size, line, bytes);
	const struct shape *shape = l ? shape_of(e, l, &family) : NULL;
	if (!shape) return false;
	if (l->transport >= 0) {
		const struct shape *audit = json_audit_shape(e, l, shape);
		if (audit) shape = audit;
	}
	struct etime t = event_time(e, l, family);
	text_event(r, shape, &ops, t, offset, length, size, line, bytes);
	r->event.impl = e;
	if (e->object.trace.limited) {
		r->event.flags |= EVENT_LIMITED;
		r->report.limited++;
	}
	if (l->record_id >= 0) r->event.has_record_id = str_u64(leaf_text(e, l->record_id), &r->event.record_id);
	check_clock(e, l, t, offset);
	return true;
}

void json_events_parameters(const struct json_events *e, struct buf *out)
{
	char text[16];
	if (e->assumed_zone) text_put_zone(e->reader, out);
	if (clock_text(&e->clock, text)[0]) buf_printf(out, " clock_skew=%s", text);
}
