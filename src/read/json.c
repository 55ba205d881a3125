/* json.c: JSON logs: one object an event, however the objects follow one another. See doc/formats.md, section JSON.
 *
 * JSON Lines, objects one behind the other, pretty-printed or not, arrays of objects, and the wrappers of collectors:
 * {"Records":[..]}, {"records":[..]}, {"value":[..]} also with "@odata..." members before it, {"hits":{"hits":[..]}}. A record is the object's own bytes; what
 * stands between objects is header (wrappers) or slack (blanks, commas, brackets). Broken text is damage up to the next object. */
#include "read/json_internal.h"
#include "read/read_internal.h"

enum { TOKENS_MAX = 1 << 20 };

struct json_own {
	struct json_stream stream;
	struct json_events events;
	size_t take;                        /* window bytes of the event handed out last */
	uint32_t take_lines;                /* line ends among them; UINT32_MAX: not counted */
	uint32_t in_wrapper;                /* objects around the array that is being read */
};

static struct json_own *own(struct reader *r) { return r->own; }

static bool begin(struct reader *r, struct fault *f)
{
	(void)f;
	json_events_begin(&own(r)->events, r, TOKENS_MAX);
	own(r)->events.lane = json_lane_new();
	return true;
}

static void end(struct reader *r) { json_events_end(&own(r)->events); }

/* --- the stream --- */

/* Bytes in front of the next value that are no value: blanks, commas, brackets. */
static void take_slack(struct reader *r, size_t n) { lines_take_slack(&r->lines, n); }

static size_t blanks(struct str s, size_t at)
{
	while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\t' || s.p[at] == '\n' || s.p[at] == '\r')) at++;
	return at;
}

/* Behind the value at s[at], or SIZE_MAX: it does not end within s. Not checked further: brackets and texts are counted. */
static size_t behind_value(struct str s, size_t at)
{
	size_t depth = 0, from = at;
	for (; at < s.n; at++) {
		char c = s.p[at];
		if (c == '"') {
			for (at++; at < s.n && s.p[at] != '"'; at++) at += s.p[at] == '\\';
			if (at >= s.n) return SIZE_MAX;
			if (!depth) return at + 1;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (c == '}' || c == ']' || (c == ',' && !depth)) {
			if (!depth) return at > from ? at : SIZE_MAX;
			if (c != ',' && !--depth) return at + 1;
		}
	}
	return SIZE_MAX;
}

static bool one_of(struct str key, const char *const *v)
{
	for (; *v; v++)
		if (str_eq(key, str_of(*v))) return true;
	return false;
}

/* What collectors put before the list of records; lists of Kubernetes and of Google's reports say so in `kind`. */
static bool may_precede(struct str key, struct str value, bool *list)
{
	static const char *const keys[] = {"kind", "apiVersion", "took", "timed_out", "terminated_early", "_shards", "_scroll_id", "num_reduce_phases", "total", "max_score",
		"isPartial", "isRunning", "messageType", "owner", "logGroup", "logStream", "logGroupName", "logStreamName", "subscriptionFilters", "preview", "init_offset",
		"messages", "fields", "nextForwardToken", "nextBackwardToken", "nextToken", "nextPageToken", "count", NULL};
	if (str_eq(key, STR("kind"))) *list |= str_eq(value, STR("\"EventList\"")) || str_find(value, STR("#activities\""), 0) != SIZE_MAX;
	return str_starts(key, STR("@")) || one_of(key, keys) || (*list && (str_eq(key, STR("metadata")) || str_eq(key, STR("etag"))));
}

/* Whether the object that begins at s[at] wraps an array of objects: returns the array's '[' or SIZE_MAX; *ret_depth: how many objects stand around it. */
static size_t wrapper(struct str s, size_t at, uint32_t *ret_depth)
{
	enum { MEMBERS = 16, FAR = 4096 };
	static const char *const arrays[] = {"Records", "records", "Events", "events", "logEvents", "entries", "results", "logs", "data", "items", NULL}, *const objects[] = {"hits",
		"rawResponse", NULL};
	struct str head = str_sub(s, 0, at + FAR);
	bool list = false, first = true;
	*ret_depth = 1;
	for (int i = 0; i < MEMBERS; i++, first = false) {
		at = blanks(head, at + 1);
		if (at >= head.n || head.p[at] != '"') return SIZE_MAX;
		size_t close = str_find_byte(head, '"', at + 1);
		if (close == SIZE_MAX) return SIZE_MAX;
		struct str key = str_sub(head, at + 1, close - at - 1);
		at = blanks(head, close + 1);
		if (at >= head.n || head.p[at] != ':') return SIZE_MAX;
		at = blanks(head, at + 1);
		if (at >= head.n) return SIZE_MAX;
		/* `items` behind `kind` is a list only where that says so. */
		bool array = str_eq(key, STR("value")) || (one_of(key, arrays) && (first || list || !str_eq(key, STR("items")))) || (*ret_depth > 1 && str_eq(key, STR("hits")));
		if (array && head.p[at] == '[') {
			size_t inside = blanks(head, at + 1);
			return inside < head.n && head.p[inside] == '{' ? at : SIZE_MAX;
		}
		if (one_of(key, objects) && head.p[at] == '{' && *ret_depth < 3) {
			++*ret_depth;
			continue;
		}
		size_t behind = behind_value(head, at);
		if (behind == SIZE_MAX || !may_precede(key, str_sub(head, at, behind - at), &list)) return SIZE_MAX;
		at = blanks(head, behind);
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
			lines_take_header(l, at + 1);
			if (--o->in_wrapper) continue;
			o->stream.in_array = false;
			return true;
		}
		if (w.p[at] != ',') return false;
		enum json_status status = json_read(&o->events.object.tape, w, blanks(w, at + 1), l->final, &key_end);
		size_t colon = status == JSON_OK ? blanks(w, key_end) : 0;
		if (status == JSON_OK && colon < w.n && w.p[colon] == ':') status = json_read(&o->events.object.tape, w, blanks(w, colon + 1), l->final,
			&value_end);
		else if (status == JSON_OK) status = colon < w.n ? JSON_BAD : JSON_MORE;
		if (status == JSON_MORE && lines_more(l)) continue;
		if (status != JSON_OK) return false;
		lines_take_header(l, value_end);
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

/* The next object by the lane, where nothing but blanks stands before it. False: nothing is said. */
static bool next_alike(struct reader *r, struct json_span *ret)
{
	struct json_own *o = own(r);
	struct json_events *e = &o->events;
	struct str w = lines_window(&r->lines);
	e->like = NULL;
	if (!o->stream.n_first) return false;
	size_t at = 0;
	if (o->stream.in_array && w.n && w.p[0] == ',') at++;
	at = blanks(w, at);
	if (at >= w.n || w.p[at] != '{') return false;
	e->like = json_lane_read(e->lane, &e->object.tape, w, at, &ret->end);
	e->object.text = w;
	ret->start = at;
	return e->like;
}

/* The next value of the stream into the tape; false at the end. Broken ones are skipped. */
static bool next_value(struct reader *r, struct json_span *ret)
{
	struct json_own *o = own(r);
	struct lines *l = &r->lines;
	if (next_alike(r, ret)) return true;
	for (;;) {
		lines_skip_marks(l);
		struct str w = lines_window(l);
		if (!o->in_wrapper && !o->stream.in_array) {
			size_t at = blanks(w, 0);
			if (at && at < w.n && (w.p[at] == 0 || w.p[at] == '\xef')) {
				take_slack(r, at);
				continue;
			}
			if (at < w.n && w.p[at] == '#') {
				size_t lf = str_find_byte(w, '\n', at);
				if (lf == SIZE_MAX && lines_more(l)) continue;
				take_slack(r, at);
				lines_take_header(l, lf == SIZE_MAX ? w.n - at : lf + 1 - at);
				continue;
			}
			if (at < w.n && w.p[at] == '{' && w.n - at < 4096 && !l->final && lines_more(l)) continue;
			uint32_t depth;
			size_t bracket = at < w.n && w.p[at] == '{' ? wrapper(w, at, &depth) : SIZE_MAX;
			if (bracket != SIZE_MAX) {
				lines_take_header(l, bracket);
				o->in_wrapper = depth;
				o->stream.started = true;
				continue;
			}
		}
		struct json_stream before = o->stream;
		enum json_status status = json_next(&o->stream, &o->events.object.tape, w, 0, l->final, ret);
		o->events.object.text = w;
		if (o->in_wrapper && before.in_array && !o->stream.in_array) {
			/* The array's end: everything up to it is slack, what follows belongs to the wrapper. */
			size_t close = 0;
			while (close < w.n && w.p[close] != ']') close++;
			take_slack(r, close < w.n ? close + 1 : close);
			if (leave_wrapper(r)) continue;
			o->in_wrapper = 0;
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
			skip_broken(r, ret->start, o->events.object.tape.reason);
			continue;
		}
	}
}

static bool make_event(struct reader *r, struct json_span span)
{
	struct json_own *o = own(r);
	struct lines *l = &r->lines;
	const char *text = o->events.object.text.p;
	uint64_t offset = lines_offset(l, span.start), length = lines_bytes(l, span.start, span.end - span.start);
	uint32_t line = l->number;
	for (size_t i = 0; i < span.start; i++) line += text[i] == '\n';
	own(r)->take_lines = o->events.like ? line - l->number + json_lane_lines(o->events.lane) : UINT32_MAX;
	return json_events_make(&o->events, offset, length, length, line, l->encoding == TEXT_UTF8 ? text + span.start : NULL);
}

static bool next(struct reader *r)
{
	struct json_own *o = own(r);
	struct json_span span;
	/* The event handed out before; it is in the report. */
	if (o->take_lines == UINT32_MAX) lines_take(&r->lines, o->take);
	else lines_take_counted(&r->lines, o->take, o->take_lines);
	o->take = o->take_lines = 0;
	while (next_value(r, &span)) {
		if (o->events.object.tape.v[0].type == JSON_OBJECT && make_event(r, span)) {
			report_slack(&r->report, lines_offset(&r->lines, 0), lines_bytes(&r->lines, 0, span.start));
			o->take = span.end;
			return true;
		}
		bool object = o->events.object.tape.v[0].type == JSON_OBJECT;
		take_slack(r, span.start);
		uint64_t from = r->lines.offset;
		report_damage(&r->report, from, lines_take(&r->lines, span.end - span.start), object ? "too large for the memory of one record"
			: "a JSON value that is no object");
		arena_reset(&r->arena);
	}
	json_events_note(&o->events);
	return false;
}

static void parameters(struct reader *r, struct buf *out) { json_events_parameters(&own(r)->events, out); }

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
	for (at = 0; at < text.n && (text.p[at] == '[' || text.p[at] == 0x1e || text.p[at] == ' ' || text.p[at] == '\n' || text.p[at] == '\r' ||
		text.p[at] == '\t' || text.p[at] == '#'); at++) {
		/* Remarks, as collectors put them before a log. */
		size_t lf = text.p[at] == '#' ? str_find_byte(text, '\n', at) : at;
		at = lf == SIZE_MAX ? text.n - 1 : lf;
	}
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

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }

const struct reader_ops read_json_ops = {.format = "json", .what = "JSON events (lines, arrays, wrapped)",
	.mark = "JSON objects, one a line, in an array or wrapped", .sniff = sniff, .open = open,
	TEXT_READER_REST};
