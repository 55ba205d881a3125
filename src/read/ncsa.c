/* ncsa.c: access logs of Apache, nginx and their like: common, combined, and with a virtual host before or more behind. See doc/formats.md,
 * section NCSA.
 *
 *	host ident user [10/Oct/2000:13:55:36 -0700] "GET /a?b HTTP/1.0" 200 2326 "referer" "user agent" ...
 *	vhost:port host ident user [...
 * Quotes and backslashes within quotes are escaped (\" and \x22); such fields are given unescaped, the raw line as it is. */
#include "read/marks_internal.h"
#include "read/ncsa_internal.h"
#include "read/read_internal.h"
#include "read/text_internal.h"
#include "text/stamp.h"
#include "event/web.h"

enum ncsa_column {
	N_CLIENT, N_IDENT, N_USER, N_TIME, N_METHOD, N_STEM, N_QUERY, N_URI, N_VERSION, N_STATUS, N_BYTES, N_REFERER, N_AGENT, N_VHOST, N_PORT, N_EXTRA,
	N_REQUEST,
	N_URI_QUERY, N_C_URI, N_C_QUERY, N_EXTENSION, N_C_AGENT, N_COLUMNS
};
#define SHOWN(text) {.name = {text, sizeof text - 1}}
/* Stands in the line, or in the URI, as it is. */
#define COVERED(text) {.name = {text, sizeof text - 1}, .covered = true}
#define HIDDEN(text) {.name = {text, sizeof text - 1}, .hidden = true}
static const struct column columns[N_COLUMNS] = {
	[N_CLIENT] = COVERED("c-ip"), [N_IDENT] = COVERED("ident"), [N_USER] = SHOWN("cs-username"), [N_TIME] = COVERED("time"),
	[N_METHOD] = COVERED("cs-method"),
	[N_STEM] = COVERED("cs-uri-stem"), [N_QUERY] = COVERED("cs-uri-query"),
	[N_URI] = SHOWN("cs-uri"),
	[N_VERSION] = COVERED("cs-version"), [N_STATUS] = COVERED("sc-status"), [N_BYTES] = COVERED("sc-bytes"), [N_REFERER] = SHOWN("cs-referer"),
	[N_AGENT] = SHOWN("cs-user-agent"), [N_VHOST] = SHOWN("cs-host"), [N_PORT] = COVERED("s-port"), [N_EXTRA] = COVERED("extra"), [N_REQUEST] = SHOWN("request"),
	[N_URI_QUERY] = HIDDEN("cs-uri-query"), [N_C_URI] = HIDDEN("c-uri"), [N_C_QUERY] = HIDDEN("c-uri-query"),
	[N_EXTENSION] = HIDDEN("c-uri-extension"),
	[N_C_AGENT] = HIDDEN("c-useragent"),
};

struct own {
	struct access access;
	struct ncsa_day day;
	const struct shape *shapes[2]; /* lines with escapes, lines without */
	struct shape specs[2];
};

static struct own *own(struct reader *r) { return r->own; }

/* The next word, up to a blank. */
static bool word(struct str *rest, struct str *ret)
{
	*ret = str_cut(rest, ' ');
	return ret->n > 0;
}

/* A text in quotes: up to the first quote that no backslash escapes and that a blank or the end follows. */
static bool quoted(struct str *rest, struct str *ret)
{
	if (!rest->n || rest->p[0] != '"') return false;
	size_t at = 1;
	for (;; at++) {
		at = str_find_byte(*rest, '"', at);
		if (at == SIZE_MAX) return false;
		size_t slashes = 0;
		while (at - slashes > 1 && rest->p[at - slashes - 1] == '\\') slashes++;
		if (slashes % 2 == 0 && (at + 1 == rest->n || rest->p[at + 1] == ' ')) break;
	}
	*ret = str_sub(*rest, 1, at - 1);
	*rest = at + 1 < rest->n ? str_sub(*rest, at + 2, rest->n) : (struct str){NULL, 0};
	return true;
}

static bool two_digits(const char *p, unsigned *ret)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') return false;
	*ret = (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
	return true;
}

/* 02/sept./2015:00:11:31 +0200, as Java writes it in other languages */
static bool foreign_time(struct str s, struct etime *ret)
{
	struct stamp t;
	if (!stamp_take(s, true, &t) || t.n != s.n || !t.c.year) return false;
	*ret = stamp_time(&t, 0);
	return ret->present;
}

/* 10/Oct/2000:13:55:36 -0700 */
static bool ncsa_time(struct str s, struct etime *ret)
{
	struct civil c = {0};
	unsigned century, year, zone_hours = 0, zone_minutes = 0;
	if (s.n > 20 && s.p[2] == '/' && s.p[6] != '/') return foreign_time(s, ret);
	if (s.n < 20 || s.p[2] != '/' || s.p[6] != '/' || s.p[11] != ':' || s.p[14] != ':' || s.p[17] != ':') return false;
	if (!two_digits(s.p, &c.day) || !two_digits(s.p + 7, &century) || !two_digits(s.p + 9, &year) || !two_digits(s.p + 12, &c.hour) ||
	    !two_digits(s.p + 15, &c.minute) || !two_digits(s.p + 18, &c.second)) return false;
	c.month = stamp_month(str_sub(s, 3, 3));
	c.year = (int)(century * 100 + year);
	if (!etime_from_civil(&c, 0, 0, ret)) return false;
	if (s.n == 20 || (s.n == 21 && s.p[20] == ' ')) return true;
	if (s.n != 26) return foreign_time(s, ret); /* GMT, fractions of a second */
	if ((s.p[21] != '+' && s.p[21] != '-') || !two_digits(s.p + 22, &zone_hours) ||
		!two_digits(s.p + 24, &zone_minutes)) return false;
	int64_t zone = zone_hours * 3600 + zone_minutes * 60;
	ret->sec -= s.p[21] == '-' ? -zone : zone;
	return true;
}

static bool is_number(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return s.n > 0;
}

/* METHOD uri HTTP/1.1; the URI may hold blanks. */
static void part_request(struct access *a)
{
	struct str rest = a->request;
	a->whole_request = false;
	a->method = a->uri = a->version = (struct str){NULL, 0};
	size_t first = str_find_byte(rest, ' ', 0), last = rest.n;
	if (first == SIZE_MAX || first == 0) return;
	for (size_t i = 0; i < first; i++)
		if ((rest.p[i] < 'A' || rest.p[i] > 'Z') && rest.p[i] != '_' && rest.p[i] != '-') return;
	while (last > first && rest.p[last - 1] != ' ') last--;
	struct str version = str_sub(rest, last, rest.n);
	bool has_version = last > first + 1 && str_starts(version, STR("HTTP/"));
	a->method = str_sub(rest, 0, first);
	a->uri = has_version ? str_sub(rest, first + 1, last - first - 2) : str_sub(rest, first + 1, rest.n);
	a->version = has_version ? version : (struct str){NULL, 0};
	a->whole_request = true;
}

/* name:port, [2001:db8::1]:port, name */
static void part_vhost(struct str s, struct access *a)
{
	size_t colon = s.n;
	while (colon && s.p[colon - 1] >= '0' && s.p[colon - 1] <= '9') colon--;
	bool port = colon > 1 && colon < s.n && s.p[colon - 1] == ':' && (s.p[0] == '[' || str_find_byte(s, ':', 0) == colon - 1);
	a->vhost = port ? str_sub(s, 0, colon - 1) : s;
	if (port) a->port = str_sub(s, colon, s.n);
}

bool ncsa_part(struct str line, struct access *a)
{
	struct str rest = line;
	*a = (struct access){.whole_request = false};
	size_t open = str_find_byte(line, '[', 0);
	while (open != SIZE_MAX && (open == 0 || line.p[open - 1] != ' ')) open = str_find_byte(line, '[', open + 1);
	if (open == SIZE_MAX) return false;
	open--;
	struct str before = str_sub(line, 0, open), words[5];
	uint32_t n = 0;
	while (before.p && n < 5) {
		words[n] = str_cut(&before, ' ');
		/* Two blanks are one, but for a name that is empty. */
		if (words[n].n || (n == 2 && !before.p)) n++;
	}
	/* A user name may hold blanks: everything between the third word and the bracket. */
	if (before.p || n < 3) return false;
	/* A user that calls himself "- x" must not make the client's address a virtual host. */
	uint32_t host = n >= 4 && str_eq(words[2], STR("-")) && !str_eq(words[1], STR("-")) ? 1 : 0;
	if (host) part_vhost(words[0], a);
	a->client = words[host];
	a->ident = words[host + 1];
	a->user = str_trim(str_sub(line, (size_t)(words[host + 2].p - line.p), open - (size_t)(words[host + 2].p - line.p)));
	rest = str_sub(line, open + 2, line.n);
	a->time = str_cut(&rest, ']');
	if (!rest.n || rest.p[0] != ' ' || !a->client.n || !ncsa_time(a->time, &a->when)) return false;
	rest = str_sub(rest, 1, rest.n);
	if (!quoted(&rest, &a->request) || !rest.p || !word(&rest, &a->status)) return false;
	if (!is_number(a->status) && !str_eq(a->status, STR("-"))) return false;
	if (rest.p) word(&rest, &a->bytes);
	if (rest.p && quoted(&rest, &a->referer) && rest.p) quoted(&rest, &a->agent);
	a->extra = rest;
	part_request(a);
	return true;
}

/* --- the usual form -------------------------------------------------------------------------------------------------------------- */

struct line_marks { uint64_t blanks[MARKS_WORDS], quotes[MARKS_WORDS]; };

/* False when the line is too long, or has a backslash. */
static bool mark(struct str line, struct line_marks *ret)
{
	uint64_t slashes = 0;
	if (line.n > MARKS_BYTES) return false;
	for (size_t i = 0; i < line.n; i += 64) {
		uint64_t within = marks_within(line.n, i);
		ret->blanks[i / 64] = marks_of(line.p + i, ' ') & within;
		ret->quotes[i / 64] = marks_of(line.p + i, '"') & within;
		slashes |= marks_of(line.p + i, '\\') & within;
	}
	return !slashes;
}

/* 01/Mar/2021:00:00:00 +0000]: the day is mostly that of the line before. */
static bool usual_time(struct str s, struct ncsa_day *day, struct etime *ret)
{
	unsigned hour, minute, second;
	if (!day->known || memcmp(day->date, s.p, sizeof day->date) != 0 || memcmp(day->zone, s.p + 20, sizeof day->zone) != 0) {
		day->known = s.p[2] == '/' && s.p[6] == '/' && s.p[20] == ' ' && ncsa_time(s, ret);
		if (!day->known) return false;
		memcpy(day->date, s.p, sizeof day->date);
		memcpy(day->zone, s.p + 20, sizeof day->zone);
		day->known = two_digits(s.p + 12, &hour) && two_digits(s.p + 15, &minute) && two_digits(s.p + 18, &second) && second < 60;
		if (day->known) day->midnight = ret->sec - (int64_t)(hour * 3600 + minute * 60 + second);
		return day->known;
	}
	if (s.p[11] != ':' || s.p[14] != ':' || s.p[17] != ':' || !two_digits(s.p + 12, &hour) || !two_digits(s.p + 15, &minute) || !two_digits(s.p + 18, &second) ||
		hour > 23 || minute > 59 || second > 59) return false;
	*ret = etime_from_unix(day->midnight + (int64_t)(hour * 3600 + minute * 60 + second), 0, 0);
	return true;
}

/* The quoted text that begins at *at; *at moves behind the blank that follows it, or to SIZE_MAX. */
static bool usual_quoted(struct str line, const struct line_marks *m, size_t *at, struct str *ret)
{
	if (*at >= line.n || line.p[*at] != '"') return false;
	for (size_t from = *at + 1, close = from;; close++) {
		close = marks_next(m->quotes, line.n, close);
		if (close == SIZE_MAX) return false;
		if (close + 1 < line.n && line.p[close + 1] != ' ') continue;
		*ret = (struct str){line.p + from, close - from};
		*at = close + 1 < line.n ? close + 2 : SIZE_MAX;
		return true;
	}
}

/* The same as part_request, by the marks; `from`: where the request begins in the line. */
static void usual_request(struct str line, const struct line_marks *m, struct access *a)
{
	size_t from = (size_t)(a->request.p - line.p), end = from + a->request.n, first = marks_next(m->blanks, end, from);
	if (first >= end || first == from) return;
	for (size_t i = from; i < first; i++)
		if ((line.p[i] < 'A' || line.p[i] > 'Z') && line.p[i] != '_' && line.p[i] != '-') return;
	size_t last = marks_last(m->blanks, end) + 1;
	struct str version = {line.p + last, end - last};
	bool has_version = last > first + 1 && str_starts(version, STR("HTTP/"));
	a->method = (struct str){line.p + from, first - from};
	a->uri = (struct str){line.p + first + 1, has_version ? last - first - 2 : end - first - 1};
	if (has_version) a->version = version;
	a->whole_request = true;
}

bool ncsa_part_usual(struct str line, struct ncsa_day *day, struct access *a, bool *ret_plain)
{
	enum { TIME = 26 };
	struct line_marks m;
	if (!mark(line, &m)) return false;
	/* Three words, none of which begins with a bracket, then the time in brackets, then the request. */
	size_t s0 = marks_next(m.blanks, line.n, 0), s1 = s0 == SIZE_MAX ? s0 : marks_next(m.blanks, line.n, s0 + 1);
	size_t s2 = s1 == SIZE_MAX ? s1 : marks_next(m.blanks, line.n, s1 + 1), at = s2 + 1;
	if (s2 == SIZE_MAX || s0 == 0 || s1 == s0 + 1 || s2 == s1 + 1 || line.n < at + TIME + 4) return false;
	if (line.p[s0 + 1] == '[' || line.p[s1 + 1] == '[' || line.p[at] != '[' || line.p[at + TIME + 1] != ']' || line.p[at + TIME + 2] != ' ') return false;
	if (line.p[s1 + 1] < '!' || line.p[s2 - 1] < '!') return false; /* the user name would be trimmed */
	*a = (struct access){.client = {line.p, s0}, .ident = {line.p + s0 + 1, s1 - s0 - 1}, .user = {line.p + s1 + 1, s2 - s1 - 1}, .time = {line.p + at + 1, TIME}};
	if (!usual_time(a->time, day, &a->when)) return false;
	at += TIME + 3;
	if (!usual_quoted(line, &m, &at, &a->request) || at == SIZE_MAX) return false;
	size_t space = marks_next(m.blanks, line.n, at);
	if (space == SIZE_MAX || space == at) return false;
	a->status = (struct str){line.p + at, space - at};
	if (!is_number(a->status) && !str_eq(a->status, STR("-"))) return false;
	at = space + 1;
	space = marks_next(m.blanks, line.n, at);
	if (space == SIZE_MAX || space == at) return false;
	a->bytes = (struct str){line.p + at, space - at};
	at = space + 1;
	if (!usual_quoted(line, &m, &at, &a->referer) || at == SIZE_MAX || !usual_quoted(line, &m, &at, &a->agent)) return false;
	if (at != SIZE_MAX) a->extra = (struct str){line.p + at, line.n - at};
	usual_request(line, &m, a);
	*ret_plain = true;
	return true;
}

/* \" \\ \xhh \n \t undone. A view when there is nothing to undo. */
static struct str unescape(struct arena *arena, struct str s)
{
	if (!s.n || !memchr(s.p, '\\', s.n)) return s;
	char *p = arena_alloc(arena, s.n);
	size_t n = 0;
	for (size_t i = 0; p && i < s.n; i++) {
		uint64_t hex;
		char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : 0;
		if (c == '\\' && (next == 'x' || next == 'X') && i + 3 < s.n && str_hex64(str_sub(s, i + 2, 2), &hex)) {
			p[n++] = (char)hex;
			i += 3;
		} else if (c == '\\' && (next == '"' || next == '\\')) {
			p[n++] = next;
			i++;
		} else if (c == '\\' && (next == 'n' || next == 't' || next == 'r')) {
			p[n++] = next == 'n' ? '\n' : next == 't' ? '\t' : '\r';
			i++;
		} else {
			p[n++] = c;
		}
	}
	return p ? (struct str){p, n} : (struct str){"", 0};
}

/* Unescaping may make bytes that are no UTF-8. */
static struct str unescaped(struct reader *r, struct str s)
{
	struct str made = unescape(&r->arena, s);
	if (made.p == s.p) return text_clean(r, s);
	bool valid = r->lines.valid;
	r->lines.valid = false;
	made = text_clean(r, made);
	r->lines.valid = valid;
	return made;
}

static void put(struct value *ret, struct str s, bool dash_is_null)
{
	if (!s.p) *ret = (struct value){.kind = VALUE_ABSENT};
	else if (dash_is_null && s.n == 1 && s.p[0] == '-') *ret = (struct value){.kind = VALUE_NULL};
	else value_set_str(ret, s);
}

static bool of_uri(uint32_t column)
{
	return (column >= N_STEM && column <= N_URI) || (column >= N_URI_QUERY && column <= N_EXTENSION);
}

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	const struct access *a = &own(r)->access;
	struct str uri = of_uri(column) && a->uri.p ? unescaped(r, a->uri) : (struct str){NULL, 0};
	switch ((enum ncsa_column)column) {
	case N_CLIENT: put(ret, text_clean(r, a->client), false); return;
	case N_IDENT: put(ret, text_clean(r, a->ident), true); return;
	case N_USER: put(ret, unescaped(r, a->user), true); return;
	case N_TIME: put(ret, a->time, false); return;
	case N_METHOD: put(ret, a->method, true); return;
	case N_STEM: put(ret, uri.p ? web_stem(uri) : uri, true); return;
	case N_QUERY: case N_C_QUERY: put(ret, uri.p ? web_query(uri) : uri, false); return;
	case N_URI: case N_URI_QUERY: case N_C_URI: put(ret, uri, true); return;
	case N_VERSION: put(ret, a->version, false); return;
	case N_STATUS: put(ret, a->status, true); return;
	case N_BYTES: put(ret, a->bytes.p ? text_clean(r, a->bytes) : a->bytes, true); return;
	case N_REFERER: put(ret, a->referer.p ? unescaped(r, a->referer) : a->referer, true); return;
	case N_AGENT: case N_C_AGENT: put(ret, a->agent.p ? unescaped(r, a->agent) : a->agent, true); return;
	case N_VHOST: put(ret, a->vhost.p ? text_clean(r, a->vhost) : a->vhost, true); return;
	case N_PORT: put(ret, a->port, false); return;
	case N_EXTRA: put(ret, a->extra.p ? text_clean(r, a->extra) : a->extra, false); return;
	case N_REQUEST: put(ret, a->whole_request ? (struct str){NULL, 0} : unescaped(r, a->request), true); return;
	case N_EXTENSION: put(ret, uri.p ? web_extension(web_stem(uri)) : uri, false); return;
	case N_COLUMNS: break;
	}
	*ret = (struct value){.kind = VALUE_ABSENT};
}

static const struct event_ops ops = {decode, NULL, NULL};

/* In a line without escapes every field stands as it is given: keywords then look at the line alone. */
static const struct shape *shape_of(struct reader *r, bool plain)
{
	struct own *o = own(r);
	struct shape *spec = &o->specs[plain];
	struct str key = plain ? STR("ncsa-plain") : STR("ncsa");
	if (o->shapes[plain]) return o->shapes[plain];
	o->shapes[plain] = shape_table_find(r->shapes, key);
	if (o->shapes[plain]) return o->shapes[plain];
	*spec = (struct shape){.n_columns = N_COLUMNS, .format = STR("ncsa"), .event_id = -1, .host_column = -1};
	spec->bindings = text_bindings(r, spec->format, &spec->n_bindings);
	struct column *own_columns = arena_alloc(&r->keep, sizeof columns);
	verify(own_columns);
	memcpy(own_columns, columns, sizeof columns);
	for (uint32_t i = 0; i < N_COLUMNS && plain; i++) own_columns[i].covered = true;
	spec->columns = own_columns;
	o->shapes[plain] = text_shape(r, key, spec);
	return o->shapes[plain];
}

static bool next(struct reader *r)
{
	struct own *o = own(r);
	struct line line;
	while (lines_next(&r->lines, &line)) {
		struct str text = line.text;
		bool usual = false, plain = false;
		while (text.n && text.p[text.n - 1] == ' ') text.n--;
		if (!text.n) {
			report_slack(&r->report, line.offset, line.size);
		} else if (text.p[0] == '#') {
			report_header(&r->report, line.offset, line.size);
		} else if (!(usual = ncsa_part_usual(text, &o->day, &o->access, &plain)) && !ncsa_part(text, &o->access)) {
			text_damage(r, &line, line.ended ? "no line of an access log" : "line cut off");
		} else {
			text_line_event(r, shape_of(r, usual ? plain : !memchr(text.p, '\\', text.n)), &ops, o->access.when, &line);
			return true;
		}
		arena_reset(&r->arena);
	}
	return false;
}

static const struct text_format format = {"ncsa", sizeof(struct own), NULL, next, NULL, NULL};

static int sniff(struct str head, uint64_t size, struct str path)
{
	char *scratch;
	struct str rest = lines_head(head, &scratch);
	struct access a;
	int good = 0, bad = 0;
	(void)path;
	for (int i = 0; i < 20 && rest.p; i++) {
		struct str line = str_trim(str_cut(&rest, '\n'));
		/* The head may end within a line. */
		if (!line.n || line.p[0] == '#' || (!rest.p && head.n < size)) continue;
		if (ncsa_part(line, &a)) good++;
		else bad++;
	}
	free(scratch);
	return good > bad ? 80 : good && good * 4 > bad ? 40 : 0;
}

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }

const struct reader_ops read_ncsa_ops = {.format = "ncsa", .what = "web server access log (common, combined)",
	.mark = "lines of address, user, [time], \"request\", status", .sniff = sniff, .open = open,
	TEXT_READER_REST};
