/* json.c: JSON logs: one object an event, however the objects follow one another. See doc/formats.md, section JSON.
 *
 * JSON Lines, objects one behind the other, pretty-printed or not, arrays of objects, and the wrappers of collectors:
 * {"Records":[..]}, {"records":[..]}, {"value":[..]} also with "@odata..." members before it. A record is the object's own bytes; what
 * stands between objects is header (wrappers) or slack (blanks, commas, brackets). Broken text is damage up to the next object. */
#include "read/json_internal.h"
#include "base/map.h"
#include "read/read_internal.h"
#include <stdio.h>

enum { TOKENS_MAX = 1 << 20, CACHE = 256, CLOCK_EVENTS = 4096 };

/* How the events' clock differs from Sysmon's own, in quarters of an hour: exporters label local time as UTC. */
struct clock_check { int32_t quarters; uint64_t agree, other, looked; uint64_t first_offset; };

struct json_own {
	struct json_stream stream;
	struct json_object object;
	struct arena layouts;
	struct map by_skeleton;             /* -> index in layout */
	VEC(struct json_layout *) layout;
	struct json_layout *cache[CACHE];   /* by a cheap sum over the skeleton; verified */
	size_t take;                        /* window bytes of the event handed out last */
	bool in_wrapper;                    /* within the array of a wrapper */
	bool assumed_zone;                  /* a time without zone was met */
	struct clock_check clock;
};

static struct json_own *own(struct reader *r) { return r->own; }

static bool begin(struct reader *r, struct fault *f)
{
	(void)f;
	struct json_own *o = own(r);
	arena_init(&o->layouts, 16 << 20);
	o->object.tape.max_tokens = TOKENS_MAX;
	return true;
}

static void end(struct reader *r)
{
	struct json_own *o = own(r);
	json_tape_done(&o->object.tape);
	json_trace_done(&o->object.trace);
	map_done(&o->by_skeleton);
	vec_free(&o->layout);
	arena_done(&o->layouts);
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

static struct json_layout *layout_of(struct reader *r)
{
	struct json_own *o = own(r);
	struct str skeleton = buf_view(&o->object.trace.skeleton);
	struct json_layout **cached = &o->cache[cheap_sum(skeleton) % CACHE], *l = *cached;
	if (l && str_eq(l->skeleton, skeleton)) return l;
	uint32_t *at = map_get(&o->by_skeleton, skeleton);
	if (at) return *cached = o->layout.v[*at];
	if (o->layout.n < JSON_LAYOUTS_MAX && o->by_skeleton.bytes < o->layouts.budget)
		l = json_layout_new(&o->object.trace, &o->object.tape, o->object.text, r->taxonomy, &o->layouts);
	else l = NULL;
	/* No room to keep it: it lives as long as the event. */
	if (!l) return json_layout_new(&o->object.trace, &o->object.tape, o->object.text, r->taxonomy, &r->arena);
	map_put(&o->by_skeleton, skeleton, (uint32_t)o->layout.n, NULL);
	vec_push(&o->layout, l);
	return *cached = l;
}

static struct str leaf_text(struct reader *r, int32_t leaf)
{
	struct value v;
	if (leaf < 0) return (struct str){"", 0};
	json_leaf_value(&own(r)->object, (uint32_t)leaf, &r->arena, &v);
	struct value *one = v.kind == VALUE_LIST && v.n ? &v.items[0] : &v;
	return value_text(one, &r->arena);
}

/* What tells Windows shapes of one layout apart. */
struct windows_key { struct str channel, provider; int64_t event_id; };

static struct windows_key windows_key(struct reader *r, const struct json_layout *l)
{
	struct windows_key k = {{"", 0}, {"", 0}, -1};
	uint64_t id;
	if (!l->windows) return k;
	k.channel = l->channel >= 0 ? leaf_text(r, l->channel) : l->channel_text;
	k.provider = leaf_text(r, l->provider);
	if (!k.channel.n) k.channel = json_channel_of(k.provider);
	if (str_u64(leaf_text(r, l->event_id), &id) && id <= UINT32_MAX) k.event_id = (int64_t)id;
	return k;
}

static void set_constant(struct column *columns, int32_t column, struct value v)
{
	if (column < 0) return;
	columns[column].constant = true;
	columns[column].value = v;
}

static struct shape *spec_of(struct reader *r, const struct json_layout *l, const struct windows_key *k)
{
	struct shape *s = arena_calloc(&r->arena, 1, sizeof *s);
	uint32_t n = l->n_columns - (str_eq(k->channel, STR("MSExchange Management")) ? 0 : l->n_exchange);
	struct column *columns = arena_calloc(&r->arena, n, sizeof *columns);
	if (!s || !columns) return NULL;
	if (n) memcpy(columns, l->columns, n * sizeof *columns);
	*s = (struct shape){.n_columns = n, .columns = columns, .channel = k->channel, .provider = k->provider, .event_id = k->event_id, .host_column = -1};
	s->format = l->family ? l->family->format : STR("json");
	for (uint32_t i = 0; i < n && l->host >= 0 && s->host_column < 0; i++)
		if (l->plan[i].how == JSON_OF_LEAF && l->plan[i].leaf == (uint32_t)l->host) s->host_column = (int32_t)i;
	if (l->windows && k->event_id >= 0) set_constant(columns, l->event_id_column, value_uint((uint64_t)k->event_id));
	if (l->channel >= 0 && k->channel.n) set_constant(columns, l->channel_column, value_str(k->channel));
	if (l->provider >= 0 && k->provider.n) set_constant(columns, l->provider_column, value_str(k->provider));
	if (r->is_forced || !l->windows) s->bindings = text_bindings(r, s->format, &s->n_bindings);
	else s->bindings = taxonomy_windows(r->taxonomy, k->channel, (uint32_t)(k->event_id < 0 ? 0 : k->event_id), &r->arena, &s->n_bindings);
	return s;
}

static const struct shape *make_shape(struct reader *r, struct json_layout *l, const struct windows_key *k)
{
	struct buf key = {0};
	buf_lit(&key, "json");
	buf_put(&key, &k->event_id, sizeof k->event_id);
	buf_str(&key, k->channel);
	buf_byte(&key, 0);
	buf_str(&key, k->provider);
	buf_byte(&key, 0);
	buf_str(&key, l->skeleton);
	const struct shape *s = shape_table_find(r->shapes, buf_view(&key));
	if (!s) {
		struct shape *spec = spec_of(r, l, k);
		s = spec ? text_shape(r, buf_view(&key), spec) : NULL;
		if (s == spec) l = NULL; /* lives no longer than the event */
	}
	buf_done(&key);
	if (!s || !l) return s;
	if (l->n_shapes < JSON_LAYOUT_SHAPES) l->n_shapes++;
	memmove(&l->shapes[1], &l->shapes[0], (l->n_shapes - 1) * sizeof l->shapes[0]);
	l->shapes[0] = s;
	return s;
}

static const struct shape *shape_of(struct reader *r, struct json_layout *l)
{
	struct windows_key k = windows_key(r, l);
	for (uint32_t i = 0; i < l->n_shapes; i++) {
		const struct shape *s = l->shapes[i];
		if (s->event_id != k.event_id || !str_eq(s->channel, k.channel) || !str_eq(s->provider, k.provider)) continue;
		memmove(&l->shapes[1], &l->shapes[0], i * sizeof l->shapes[0]);
		return l->shapes[0] = s;
	}
	return make_shape(r, l, &k);
}

/* --- events --- */

static bool leaf_time(struct reader *r, int32_t leaf, bool is_utc, struct etime *ret)
{
	struct json_own *o = own(r);
	bool zoned, number = o->object.tape.v[o->object.trace.places[leaf].token].type == JSON_NUMBER;
	if (!json_time(leaf_text(r, leaf), number, ret, &zoned)) return false;
	if (zoned || is_utc) return true;
	o->assumed_zone = true;
	*ret = text_zoned(r, *ret);
	return true;
}

static struct etime event_time(struct reader *r, const struct json_layout *l)
{
	struct etime t = {0};
	for (size_t i = 0; i < COUNT(l->time) && l->time[i] >= 0; i++)
		if (leaf_time(r, l->time[i], l->time_is_utc || l->time[i] == l->utc_time, &t)) return t;
	return (struct etime){0};
}

/* Sysmon writes its own time in UTC: where the exporter's differs by whole quarters of an hour, its clock or zone was wrong. */
static void check_clock(struct reader *r, const struct json_layout *l, struct etime t, uint64_t offset)
{
	struct clock_check *c = &own(r)->clock;
	struct etime utc;
	enum { QUARTER = 900, NEAR = 60 };
	if (l->utc_time < 0 || !t.present || c->looked >= CLOCK_EVENTS || !leaf_time(r, l->utc_time, true, &utc)) return;
	c->looked++;
	int64_t seconds = t.sec - utc.sec, quarters = (seconds + (seconds < 0 ? -QUARTER / 2 : QUARTER / 2)) / QUARTER;
	int64_t rest = seconds - quarters * QUARTER;
	if (rest > NEAR || rest < -NEAR || quarters < -96 || quarters > 96) return;
	if (!c->agree && !c->other) c->quarters = (int32_t)quarters, c->first_offset = offset;
	if (c->quarters == quarters) c->agree++;
	else c->other++;
}

/* "-5:00" when most events looked at agree on a difference; empty otherwise. */
static const char *clock_text(const struct clock_check *c, char out[16])
{
	int minutes = (c->quarters < 0 ? -c->quarters : c->quarters) * 15;
	out[0] = 0;
	if (c->quarters && c->agree > c->other) snprintf(out, 16, "%c%d:%02d", c->quarters < 0 ? '-' : '+', minutes / 60, minutes % 60);
	return out;
}

static void note_clock(struct reader *r)
{
	struct clock_check *c = &own(r)->clock;
	char text[16];
	if (!clock_text(c, text)[0]) return;
	report_note(&r->report, c->first_offset, "clock: the exporter's times are %s h from Sysmon's UtcTime in %llu of %llu events looked at", text,
		(unsigned long long)c->agree, (unsigned long long)c->looked);
}

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	struct json_object *o = &own(r)->object;
	const struct json_column *how = &o->layout->plan[column];
	if (how->how == JSON_OF_LEAF) json_leaf_value(o, how->leaf, ev->arena, ret);
	else json_exchange_value(ev, (enum json_how)how->how, ret);
}

static void json(struct event *ev, struct buf *out)
{
	struct reader *r = (struct reader *)ev->impl;
	struct json_object *o = &own(r)->object;
	json_compact(&o->tape, o->text, ev->arena, out);
}

static const struct event_ops ops = {decode, NULL, json};

/* The object in the tape as an event. False: out of memory for one record. */
static bool make_event(struct reader *r, struct json_span span)
{
	struct json_own *o = own(r);
	json_trace(&o->object.trace, &o->object.tape, o->object.text);
	struct json_layout *l = o->object.layout = layout_of(r);
	const struct shape *shape = l ? shape_of(r, l) : NULL;
	if (!shape) return false;
	struct lines *lines = &r->lines;
	struct etime t = event_time(r, l);
	uint64_t offset = lines_offset(lines, span.start), length = lines_bytes(lines, span.start, span.end - span.start);
	uint32_t line = lines->number;
	for (size_t i = 0; i < span.start; i++) line += o->object.text.p[i] == '\n';
	text_event(r, shape, &ops, t, offset, length, length, line, lines->encoding == TEXT_UTF8 ? o->object.text.p + span.start : NULL);
	if (o->object.trace.limited) {
		r->event.flags |= EVENT_LIMITED;
		r->report.limited++;
	}
	if (l->record_id >= 0) r->event.has_record_id = str_u64(leaf_text(r, l->record_id), &r->event.record_id);
	check_clock(r, l, t, offset);
	return true;
}

/* --- the stream --- */

/* Bytes in front of the next value that are no value: blanks, commas, brackets. */
static void take_slack(struct reader *r, size_t n) { r->report.slack += lines_take(&r->lines, n); }

static size_t blanks(struct str s, size_t at)
{
	while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\t' || s.p[at] == '\n' || s.p[at] == '\r')) at++;
	return at;
}

/* Whether the object that begins at s[at] wraps an array of objects: returns the array's '[' or SIZE_MAX. */
static size_t wrapper(struct str s, size_t at)
{
	enum { MEMBERS = 8, FAR = 4096 };
	struct str head = str_sub(s, 0, at + FAR);
	for (int i = 0; i < MEMBERS; i++) {
		at = blanks(head, at + 1);
		if (at >= head.n || head.p[at] != '"') return SIZE_MAX;
		size_t close = str_find_byte(head, '"', at + 1);
		if (close == SIZE_MAX) return SIZE_MAX;
		struct str key = str_sub(head, at + 1, close - at - 1);
		at = blanks(head, close + 1);
		if (at >= head.n || head.p[at] != ':') return SIZE_MAX;
		at = blanks(head, at + 1);
		bool named = str_eq(key, STR("value")) || (i == 0 && (str_eq(key, STR("Records")) || str_eq(key, STR("records"))));
		if (named && at < head.n && head.p[at] == '[') {
			size_t first = blanks(head, at + 1);
			return first < head.n && head.p[first] == '{' ? at : SIZE_MAX;
		}
		/* Before the array only what the OData protocol puts there. */
		if (!str_starts(key, STR("@")) || at >= head.n || head.p[at] != '"') return SIZE_MAX;
		at = str_find_byte(head, '"', at + 1);
		if (at == SIZE_MAX) return SIZE_MAX;
		at = blanks(head, at + 1);
		if (at >= head.n || head.p[at] != ',') return SIZE_MAX;
	}
	return SIZE_MAX;
}

/* Behind a wrapper's array: its other members and its closing brace are header. False: they are not what they should be. */
static bool leave_wrapper(struct reader *r)
{
	struct json_own *o = own(r);
	struct lines *l = &r->lines;
	for (;;) {
		struct str w = lines_window(l);
		size_t at = blanks(w, 0), key_end, value_end;
		if (at >= w.n && lines_more(l)) continue;
		if (at >= w.n) return false;
		if (w.p[at] == '}') {
			r->report.header += lines_take(l, at + 1);
			o->in_wrapper = false;
			o->stream.in_array = false;
			return true;
		}
		if (w.p[at] != ',') return false;
		enum json_status status = json_read(&o->object.tape, w, blanks(w, at + 1), l->final, &key_end);
		size_t colon = status == JSON_OK ? blanks(w, key_end) : 0;
		if (status == JSON_OK && colon < w.n && w.p[colon] == ':') status = json_read(&o->object.tape, w, blanks(w, colon + 1), l->final, &value_end);
		else if (status == JSON_OK) status = colon < w.n ? JSON_BAD : JSON_MORE;
		if (status == JSON_MORE && lines_more(l)) continue;
		if (status != JSON_OK) return false;
		r->report.header += lines_take(l, value_end);
	}
}

/* Broken text from window byte `start` on: damage up to where a value may begin again. */
static void skip_broken(struct reader *r, size_t start, const char *reason)
{
	struct json_own *o = own(r);
	struct lines *l = &r->lines;
	uint64_t from, bytes = 0;
	from = lines_offset(l, start);
	take_slack(r, start);
	for (;;) {
		struct str w = lines_window(l);
		size_t found = json_resync(&o->stream, w, 0);
		if (found >= w.n && lines_more(l)) continue;
		/* A full window without the beginning of an object: all but the byte that json_resync does not look at. */
		bool full = found >= w.n && !l->final;
		bytes += lines_take(l, full ? w.n - 1 : found);
		if (!full) break;
	}
	report_damage(&r->report, from, bytes, reason);
}

/* The next value of the stream into the tape; false at the end. Broken ones are skipped. */
static bool next_value(struct reader *r, struct json_span *ret)
{
	struct json_own *o = own(r);
	struct lines *l = &r->lines;
	for (;;) {
		struct str w = lines_window(l);
		if (!o->in_wrapper && !o->stream.in_array) {
			size_t at = blanks(w, 0);
			if (at < w.n && w.p[at] == '{' && w.n - at < 4096 && !l->final && lines_more(l)) continue;
			size_t bracket = at < w.n && w.p[at] == '{' ? wrapper(w, at) : SIZE_MAX;
			if (bracket != SIZE_MAX) {
				r->report.header += lines_take(l, bracket);
				o->in_wrapper = true;
				o->stream.started = true;
				continue;
			}
		}
		struct json_stream before = o->stream;
		enum json_status status = json_next(&o->stream, &o->object.tape, w, 0, l->final, ret);
		o->object.text = w;
		if (o->in_wrapper && before.in_array && !o->stream.in_array) {
			/* The array's end: everything up to it is slack, what follows belongs to the wrapper. */
			size_t close = 0;
			while (close < w.n && w.p[close] != ']') close++;
			take_slack(r, close < w.n ? close + 1 : close);
			if (leave_wrapper(r)) continue;
			o->in_wrapper = false;
			continue;
		}
		switch (status) {
		case JSON_OK: return true;
		case JSON_END:
			take_slack(r, w.n);
			return false;
		case JSON_MORE:
			o->stream = before;
			if (!lines_more(l) && !l->final) skip_broken(r, ret->start, "a JSON value larger than 16 MiB");
			continue;
		case JSON_BAD: case JSON_LIMIT:
			skip_broken(r, ret->start, o->object.tape.reason);
			continue;
		}
	}
}

static bool next(struct reader *r)
{
	struct json_own *o = own(r);
	struct json_span span;
	lines_take(&r->lines, o->take); /* the event handed out before; it is in the report */
	o->take = 0;
	while (next_value(r, &span)) {
		if (o->object.tape.v[0].type == JSON_OBJECT && make_event(r, span)) {
			r->report.slack += lines_bytes(&r->lines, 0, span.start);
			o->take = span.end;
			return true;
		}
		bool object = o->object.tape.v[0].type == JSON_OBJECT;
		take_slack(r, span.start);
		uint64_t from = r->lines.offset;
		report_damage(&r->report, from, lines_take(&r->lines, span.end - span.start), object ? "too large for the memory of one record" : "a JSON value that is no object");
		arena_reset(&r->arena);
	}
	note_clock(r);
	return false;
}

static void parameters(struct reader *r, struct buf *out)
{
	struct json_own *o = own(r);
	char text[16];
	if (o->assumed_zone) buf_printf(out, " zone=%+d zone_from=%s", r->options->zone_seconds, r->options->zone_seconds ? "option" : "default");
	if (clock_text(&o->clock, text)[0]) buf_printf(out, " clock_skew=%s", text);
}

static const struct text_format format = {"json", sizeof(struct json_own), begin, next, end, parameters};

/* --- the contract --- */

static int sniff(struct str head, uint64_t size, struct str path)
{
	char *scratch;
	struct json_tape tape = {.max_tokens = TOKENS_MAX};
	size_t value_end, at;
	int score = 0;
	struct str text = lines_head(head, &scratch);
	(void)path;
	for (at = 0; at < text.n && (text.p[at] == '[' || text.p[at] == 0x1e || text.p[at] == ' ' || text.p[at] == '\n' || text.p[at] == '\r' || text.p[at] == '\t'); at++) {}
	if (at < text.n && text.p[at] == '{') {
		enum json_status status = json_read(&tape, text, at, head.n == size, &value_end);
		/* Cut off by the end of the head, but JSON so far. */
		if (status == JSON_OK) score = tape.n > 1 ? 90 : 10;
		else if (status == JSON_MORE && tape.n > 2) score = 85;
		else if (status == JSON_BAD && tape.n > 4) score = 40;
	}
	json_tape_done(&tape);
	free(scratch);
	return score;
}

static struct reader *open(struct input *in, const struct reader_options *options, struct fault *f) { return text_open(&format, in, options, f); }

const struct reader_ops read_json_ops = {.format = "json", .what = "JSON events (lines, arrays, wrapped)", .sniff = sniff, .open = open, TEXT_READER_REST};
