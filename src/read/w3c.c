/* w3c.c: W3C extended logs: IIS, HTTP.SYS errors, Windows firewall, proxies. See doc/formats.md, section W3C.
 *
 *	#Software: Microsoft Internet Information Services 10.0
 *	#Fields: date time s-ip cs-method cs-uri-stem ...
 *	2019-09-03 10:13:36 10.0.2.15 GET /x.aspx - ...
 * Cells are separated by blanks (tabs in some products), '-' is none, a blank within one is '+' (or the cell is in quotes, in proxies). The
 * header may change in mid-file; lines that do not fit the one in force are damage. Dates are UTC unless the log says "Local". */
#include "read/marks_internal.h"
#include "read/read_internal.h"
#include "read/text_internal.h"
#include "event/web.h"
#include "text/utf.h"
#include <stddef.h>
#include <stdio.h>

enum { CELLS_MAX = 128, DERIVED_MAX = 12 };

struct cell { uint32_t at, n; };
struct column_plan { uint8_t how, cell; };

/* What a #Fields line says. */
struct header {
	struct str fields;            /* the names, as written */
	struct range where;           /* of the line in the source; length 0: assumed */
	char separator;
	uint32_t n;                   /* cells of a line */
	int8_t date, time, stem, query, uri, agent, host;
	struct column_plan plan[CELLS_MAX + DERIVED_MAX];
	const struct shape *shape;    /* NULL until its first line */
	struct shape spec;
	struct column columns[CELLS_MAX + DERIVED_MAX];
};

struct own {
	struct header header;
	char software[80];            /* of the last #Software line, cut */
	char date[11];                /* of the last #Date line: for logs whose lines have a time only */
	struct arena names;           /* of the header in force */
	/* Where the directives that lines depend on stand: that of a product other than IIS, of local times, of a date that lines do not have. */
	struct range software_at, local_at, date_at;
	bool has_header, local, assumed_header, assumed_date;
	struct cell cells[CELLS_MAX + 1];
	struct line line;
	char day[10];                 /* the date that a line had last, as written; and its first second */
	int64_t midnight;
	bool has_day;
};

static struct own *own(struct reader *r) { return r->own; }

/* --- header --- */

/* Field names as Sigma has them; others: cs(X) is cs-x in small letters, the rest as it is. */
static const char *const names[][2] = {
	{"cs(User-Agent)", "cs-user-agent"}, {"cs(Referer)", "cs-referer"}, {"cs(Cookie)", "cs-cookie"}, {"cs(Host)", "cs-host"},
	{"csUser-Agent", "cs-user-agent"}, {"csReferer", "cs-referer"}, {"csCookie", "cs-cookie"}, {"rs(Content-Type)", "cs-content-type"},
	{"sc(Content-Type)", "cs-content-type"}, {"cs-uri-path", "cs-uri-stem"}, {"src-ip", "src_ip"}, {"dst-ip", "dst_ip"},
	{"src-port", "src_port"},
	{"dst-port", "dst_port"}, {"x-host-header", "cs-host"},
};

static struct str sigma_name(struct arena *a, struct str field)
{
	for (size_t i = 0; i < COUNT(names); i++)
		if (str_eq(field, str_of(names[i][0]))) return str_of(names[i][1]);
	if (field.n < 5 || field.p[field.n - 1] != ')' || field.p[2] != '(') return field;
	struct str name = arena_str(a, str_sub(field, 0, field.n - 1));
	if (!name.p) return field;
	char *p = (char *)name.p;
	p[2] = '-';
	for (size_t i = 0; i < name.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z') p[i] += 'a' - 'A';
	return name;
}

static void add(struct header *h, const char *name, uint8_t how, int8_t cell, bool hidden)
{
	if (cell < 0 || h->spec.n_columns == COUNT(h->columns)) return;
	h->plan[h->spec.n_columns] = (struct column_plan){how, (uint8_t)cell};
	h->columns[h->spec.n_columns++] = (struct column){.name = str_of(name), .hidden = hidden};
}

/* What rules ask for under other names. */
static void add_derived(struct header *h)
{
	if (h->stem >= 0) {
		add(h, "cs-uri", WEB_URI, h->stem, false);
		add(h, "c-uri-extension", WEB_EXTENSION, h->stem, true);
	} else if (h->uri >= 0) {
		add(h, "cs-uri-stem", WEB_STEM, h->uri, true);
		add(h, "c-uri-query", WEB_QUERY, h->uri, true);
	}
	int8_t uri = h->stem >= 0 ? h->stem : h->uri;
	uint8_t how = h->stem >= 0 ? WEB_URI : WEB_CELL;
	add(h, "cs-uri-query", how, uri, true);
	add(h, "c-uri", how, uri, true);
	add(h, "c-uri-query", WEB_CELL, h->query, true);
	add(h, "c-useragent", WEB_CELL, h->agent, true);
	add(h, "c-useragent", WEB_AGENT, h->agent, true);
	add(h, "cs-user-agent", WEB_AGENT, h->agent, true);
}

static const char *format_of(const struct own *o, const struct header *h)
{
	if (strstr(o->software, "Microsoft HTTP API")) return "httperr";
	if (strstr(o->software, "Microsoft Windows Firewall")) return "windows-firewall";
	if (str_find(h->fields, STR("s-supplier"), 0) != SIZE_MAX || str_find(h->fields, STR("cs-categories"), 0) != SIZE_MAX ||
	    str_find(h->fields, STR("rs(Content-Type)"), 0) != SIZE_MAX) return "w3c-proxy";
	return h->stem >= 0 || h->uri >= 0 ? "iis-w3c" : "w3c";
}

static void note_field(struct header *h, struct str name, int8_t i)
{
	static const struct { const char *name; size_t at; } roles[] = {
		{"date", offsetof(struct header, date)}, {"time", offsetof(struct header, time)}, {"cs-uri-stem", offsetof(struct header, stem)},
		{"cs-uri-query", offsetof(struct header, query)}, {"cs-uri", offsetof(struct header, uri)},
		{"cs-user-agent", offsetof(struct header, agent)},
		{"s-computername", offsetof(struct header, host)}};
	for (size_t k = 0; k < COUNT(roles); k++) {
		int8_t *role = (int8_t *)h + roles[k].at;
		if (str_eq(name, str_of(roles[k].name)) && *role < 0) *role = i;
	}
}

/* Takes over the names of a #Fields line. False: too many. */
static bool set_header(struct reader *r, struct str fields, struct range where)
{
	struct own *o = own(r);
	struct header *h = &o->header;
	/* The line itself stays valid; the header before is not needed any more. */
	arena_reset(&o->names);
	*h = (struct header){.where = where, .date = -1, .time = -1, .stem = -1, .query = -1, .uri = -1, .agent = -1, .host = -1};
	h->fields = arena_str(&o->names, text_clean(r, str_trim(fields)));
	o->has_header = false;
	if (!h->fields.p) return false;
	h->separator = memchr(h->fields.p, '\t', h->fields.n) ? '\t' : ' ';
	h->spec = (struct shape){.columns = h->columns, .event_id = -1, .host_column = -1};
	struct str rest = h->fields;
	while (rest.p) {
		struct str field = str_cut(&rest, h->separator);
		if (!field.n) continue;
		if (h->n == CELLS_MAX - 1) return false;
		struct str name = sigma_name(&o->names, field);
		note_field(h, name, (int8_t)h->n);
		if (h->host == (int8_t)h->n) h->spec.host_column = (int32_t)h->n;
		h->plan[h->n] = (struct column_plan){WEB_CELL, (uint8_t)h->n};
		h->columns[h->n++] = (struct column){.name = name, .label = field, .covered = true};
	}
	h->spec.n_columns = h->n;
	add_derived(h);
	o->has_header = h->n > 0;
	return o->has_header;
}

static const struct shape *shape_of(struct reader *r)
{
	struct own *o = own(r);
	struct header *h = &o->header;
	if (h->shape) return h->shape;
	struct buf key = {0};
	h->spec.format = str_of(format_of(o, h));
	h->spec.bindings = text_bindings(r, h->spec.format, &h->spec.n_bindings);
	buf_lit(&key, "w3c");
	buf_str(&key, h->spec.format);
	buf_byte(&key, 0);
	buf_str(&key, h->fields);
	h->shape = shape_table_find(r->shapes, buf_view(&key));
	if (!h->shape) h->shape = text_shape(r, buf_view(&key), &h->spec);
	buf_done(&key);
	return h->shape;
}

/* --- lines --- */

/* "#Name: value" -> value; p == NULL when it is another directive. */
static struct str directive(struct str line, const char *name)
{
	size_t n = strlen(name);
	if (!str_eq_nocase(str_sub(line, 1, n), str_of(name)) || line.n <= n + 1 || line.p[n + 1] != ':') return (struct str){NULL, 0};
	return str_trim(str_sub(line, n + 2, line.n));
}

static void take_directive(struct reader *r, const struct line *line)
{
	struct own *o = own(r);
	struct str v;
	report_header(&r->report, line->offset, line->size);
	if ((v = directive(line->text, "Software")).p) {
		snprintf(o->software, sizeof o->software, "%.*s", STR_FMT(v));
		o->local = false;
		o->software_at = (struct range){line->offset, line->length};
	} else if ((v = directive(line->text, "Date")).p) {
		snprintf(o->date, sizeof o->date, "%.*s", STR_FMT(v));
		o->date_at = (struct range){line->offset, line->length};
	} else if ((v = directive(line->text, "Time Format")).p) {
		o->local = str_eq_nocase(v, STR("Local"));
		o->local_at = (struct range){line->offset, line->length};
	} else if ((v = directive(line->text, "Fields")).p) {
		/* The same fields again, after a restart: the same header, cited at its first place. */
		if (o->has_header && str_eq(o->header.fields, v) && o->header.where.length) return;
		if (!set_header(r, v, (struct range){line->offset, line->length})) report_note(&r->report, line->offset,
			"a #Fields line without names or with too many");
	}
}

/* Cells of a text by the header's separator. Returns how many there are, at most CELLS_MAX. */
static uint32_t split(struct str s, char separator, struct cell *ret)
{
	uint32_t n = 0, from = 0;
	for (uint32_t i = 0; i < s.n; i++) {
		if (s.p[i] != separator) continue;
		ret[n++] = (struct cell){from, i - from};
		from = i + 1;
		if (n == CELLS_MAX) return n;
	}
	ret[n++] = (struct cell){from, (uint32_t)s.n - from};
	return n;
}

/* The same of a line in the window. */
static uint32_t split_line(struct str s, char separator, struct cell *ret)
{
	uint32_t n = 0, from = 0;
	for (uint32_t i = 0; i < s.n; i += 64) {
		uint64_t hits = marks_of(s.p + i, separator) & marks_within(s.n, i);
		if (n + 64 > CELLS_MAX) return split(s, separator, ret);
		for (; hits; hits &= hits - 1) {
			uint32_t at = i + (uint32_t)__builtin_ctzll(hits);
			ret[n++] = (struct cell){from, at - from};
			from = at + 1;
		}
	}
	ret[n++] = (struct cell){from, (uint32_t)s.n - from};
	return n;
}

/* The same where cells may be in quotes: "GET /a b HTTP/1.1". */
static uint32_t split_quoted(struct str s, char separator, struct cell *ret)
{
	uint32_t n = 0;
	size_t at = 0;
	while (n < CELLS_MAX) {
		bool quoted = at < s.n && s.p[at] == '"';
		size_t stop = str_find_byte(s, quoted ? '"' : separator, at + quoted);
		if (stop == SIZE_MAX) stop = s.n;
		ret[n++] = (struct cell){(uint32_t)(at + quoted), (uint32_t)(stop - at - quoted)};
		if (quoted && stop < s.n) stop++;
		if (stop >= s.n) return n;
		at = stop + 1;
	}
	return n;
}

static struct str cell(const struct own *o, int8_t i)
{
	return i < 0 ? (struct str){"", 0} : str_sub(o->line.text, o->cells[i].at, o->cells[i].n);
}

/* hh:mm:ss of the day that the line before had. */
static bool same_day(const struct own *o, struct str date, struct str time, struct etime *ret)
{
	unsigned bad = 0, v[8];
	if (!o->has_day || time.n != 8 || date.n != 10 || memcmp(date.p, o->day, 10) != 0) return false;
	for (unsigned i = 0; i < 8; i++) {
		v[i] = (unsigned char)time.p[i] - (unsigned)'0';
		bad |= i == 2 || i == 5 ? time.p[i] != ':' : v[i] > 9;
	}
	unsigned hour = v[0] * 10 + v[1], minute = v[3] * 10 + v[4], second = v[6] * 10 + v[7];
	if (bad || hour > 23 || minute > 59 || second > 59) return false;
	*ret = etime_from_unix(o->midnight + (int64_t)(hour * 3600 + minute * 60 + second), 0, 0);
	return true;
}

static bool line_time(struct reader *r, struct etime *ret)
{
	struct own *o = own(r);
	struct str date = cell(o, o->header.date), time = cell(o, o->header.time);
	char iso[32];
	if (o->header.time < 0) return false;
	if (same_day(o, date, time, ret)) {
		if (o->local) *ret = text_zoned(r, *ret);
		return true;
	}
	if (o->header.date < 0) {
		date = str_of(o->date);
		o->assumed_date = true;
	}
	if (date.n != 10 || time.n < 8 || time.n > 18) return false;
	memcpy(iso, date.p, 10);
	iso[10] = 'T';
	memcpy(iso + 11, time.p, time.n);
	if (!etime_parse((struct str){iso, 11 + time.n}, ret, NULL)) return false;
	/* A time without zone and fraction, of at most 24 hours: what is left without it is the day. */
	if (time.n == 8 && o->header.date >= 0) {
		struct civil c = civil_from_sec(ret->sec);
		o->has_day = true;
		memcpy(o->day, date.p, 10);
		o->midnight = ret->sec - (int64_t)(c.hour * 3600 + c.minute * 60 + c.second);
	}
	if (o->local) *ret = text_zoned(r, *ret);
	return true;
}

static void cell_value(struct reader *r, int8_t i, struct value *ret)
{
	struct str s = cell(own(r), i);
	if (s.n == 1 && s.p[0] == '-') *ret = (struct value){.kind = VALUE_NULL};
	else value_set_str(ret, text_clean(r, s));
}

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	const struct own *o = own(r);
	const struct column_plan *p = &o->header.plan[column];
	struct str s = cell(o, (int8_t)p->cell), made = {NULL, 0};
	switch ((enum web_how)p->how) {
	case WEB_CELL: cell_value(r, (int8_t)p->cell, ret); return;
	case WEB_URI: made = web_uri(ev->arena, s, cell(o, o->header.query)); break;
	case WEB_AGENT: made = web_agent(ev->arena, s); break;
	case WEB_EXTENSION: made = web_extension(s); break;
	case WEB_STEM: made = web_stem(s); break;
	case WEB_QUERY: made = web_query(s); break;
	}
	if (made.p) value_set_str(ret, text_clean(r, made));
	else *ret = (struct value){.kind = VALUE_ABSENT};
}

static uint32_t contexts(const struct event *ev, struct range *ret, uint32_t max)
{
	const struct own *o = own((struct reader *)ev->impl);
	uint32_t n = 0;
	if (n < max && o->software_at.length && !str_eq(ev->shape->format, STR("iis-w3c"))) ret[n++] = o->software_at;
	if (n < max && o->local) ret[n++] = o->local_at;
	if (n < max && o->header.date < 0 && o->date_at.length) ret[n++] = o->date_at;
	if (n < max && o->header.where.length) ret[n++] = o->header.where;
	return n;
}

/* The line: cs-uri, which is put together of two cells by a '?', has nothing else that is not in it. */
static enum sift sift(struct event *ev, struct buf *room, struct str *ret)
{
	(void)room;
	*ret = ev->raw;
	return ev->raw.p ? SIFT_WHOLE : SIFT_NONE;
}

/* What stands before a cell's bytes in what undecoded gives: what is made of it, and its length; or which of the cells before it is the same. */
struct raw_head { uint16_t how, again; /* that cell's place + 1, or 0 */ uint32_t n; };
struct raw_cells { struct buf *out; uint8_t met[CELLS_MAX]; /* place + 1 */ uint8_t n; };

static void put_cell(const struct own *o, uint8_t how, uint8_t i, struct raw_cells *cells)
{
	struct str s = cell(o, (int8_t)i);
	struct raw_head head = {how, cells->met[i], (uint32_t)s.n};
	buf_put(cells->out, &head, sizeof head);
	if (cells->met[i]) return;
	buf_str(cells->out, s);
	if (cells->n < UINT8_MAX) cells->met[i] = ++cells->n;
}

static enum sift undecoded(struct event *ev, const struct column_set *set, struct buf *raw, struct buf *rest)
{
	const struct own *o = own((struct reader *)ev->impl);
	struct raw_cells cells = {.out = raw};
	for (uint32_t i = 0; raw && i < set->n && set->v[i] < ev->shape->n_columns; i++) {
		const struct column_plan *p = &o->header.plan[set->v[i]];
		put_cell(o, p->how, p->cell, &cells);
		if (p->how == WEB_URI && o->header.query >= 0) put_cell(o, p->how, (uint8_t)o->header.query, &cells);
	}
	if (rest) buf_str(rest, ev->raw);
	return ev->raw.p ? SIFT_WHOLE : SIFT_NONE;
}

static const struct event_ops ops = {.decode = decode, .contexts = contexts, .sift = sift, .undecoded = undecoded};

/* A log without its beginning: IIS's own choice of fields, of which the newer has the referer. */
static bool assume_header(struct reader *r, struct str line)
{
	static const char *const usual[] = {
		"date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken",
		"date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus sc-win32-status time-taken",
		"date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status s-siteid s-reason s-queuename"};
	struct own *o = own(r);
	uint32_t n = split(line, ' ', o->cells);
	for (size_t i = 0; i < COUNT(usual); i++) {
		struct cell names_at[CELLS_MAX + 1];
		if (split(str_of(usual[i]), ' ', names_at) != n) continue;
		struct etime t;
		struct str method = str_sub(line, o->cells[i == 2 ? 7 : 3].at, o->cells[i == 2 ? 7 : 3].n);
		bool word = method.n > 0;
		for (size_t k = 0; k < method.n; k++) word &= (method.p[k] >= 'A' && method.p[k] <= 'Z') || method.p[k] == '_' || method.p[k] == '-';
		if (!word || o->cells[0].n != 10 || !etime_parse(str_sub(line, 0, 19), &t, NULL) ||
			!set_header(r, str_of(usual[i]), (struct range){0, 0})) continue;
		if (i == 2) strcpy(o->software, "Microsoft HTTP API");
		o->assumed_header = true;
		report_note(&r->report, 0, "no #Fields line: the usual fields were assumed");
		return true;
	}
	return false;
}

/* Whether the line in o->line has the header's cells. */
static bool fits(struct reader *r)
{
	struct own *o = own(r);
	const struct header *h = &o->header;
	struct str s = o->line.text;
	/* Some products end their lines with a blank. */
	while (s.n && s.p[s.n - 1] == h->separator && h->separator == ' ') s.n--;
	if (split_line(s, h->separator, o->cells) == h->n) return true;
	return s.n && memchr(s.p, '"', s.n) && split_quoted(s, h->separator, o->cells) == h->n;
}

static bool next(struct reader *r)
{
	struct own *o = own(r);
	struct line *line = &o->line;
	while (lines_next(&r->lines, line)) {
		struct etime t = {0};
		if (!str_trim(line->text).n) {
			report_slack(&r->report, line->offset, line->size);
		} else if (line->text.p[0] == '#') {
			take_directive(r, line);
		} else if (!o->has_header && !assume_header(r, line->text)) {
			text_damage(r, line, "no #Fields line before it");
		} else if (!fits(r)) {
			text_damage(r, line, line->ended ? "does not have the fields of the header" : "line cut off");
		} else if (o->header.time >= 0 && !line_time(r, &t)) {
			text_damage(r, line, line->ended ? "no date and time" : "line cut off");
		} else {
			text_line_event(r, shape_of(r), &ops, t, line);
			return true;
		}
		arena_reset(&r->arena);
	}
	return false;
}

static bool begin(struct reader *r, struct fault *f)
{
	(void)f;
	arena_init(&own(r)->names, 1 << 20);
	return true;
}

static void end(struct reader *r) { arena_done(&own(r)->names); }

static void parameters(struct reader *r, struct buf *out)
{
	struct own *o = own(r);
	buf_printf(out, " zone=%s", o->local ? "option" : "UTC");
	if (o->local && r->options->zone.text[0]) buf_printf(out, " offset=%s", r->options->zone.text);
	else if (o->local) buf_printf(out, " offset=%+d", r->options->zone_seconds);
	if (o->assumed_header) buf_lit(out, " fields=assumed");
	if (o->assumed_date) buf_lit(out, " date=directive");
}

static const struct text_format format = {"w3c", sizeof(struct own), begin, next, end, parameters};

/* --- the contract --- */

static int sniff(struct str head, uint64_t size, struct str path)
{
	char *scratch;
	struct str text = lines_head(head, &scratch), rest = text;
	int score = 0;
	(void)size;
	(void)path;
	for (int i = 0; i < 50 && rest.p && score == 0; i++) {
		struct str line = str_cut(&rest, '\n');
		bool comma = str_find_byte(line, ',', 0) != SIZE_MAX;
		if (str_starts(line, STR("#Fields:")) && !comma) score = 95;
		else if (str_starts(line, STR("#Software: Microsoft Internet Information Services"))) score = 90;
		else if (!str_trim(line).n || line.p[0] == '#') continue;
		else break;
	}
	/* In the middle of an IIS log: date time address METHOD /path */
	if (!score && rest.p && text.n > 40) {
		struct cell cells[CELLS_MAX + 1];
		struct etime t;
		rest = text;
		struct str line = str_cut(&rest, '\n');
		uint32_t n = split(line, ' ', cells);
		bool dated = cells[0].n == 10 && etime_parse(str_sub(line, 0, 19), &t, NULL);
		if (dated && (n == 14 || n == 15) && cells[4].n && line.p[cells[4].at] == '/' && cells[3].n && line.p[cells[3].at] >= 'A' &&
			line.p[cells[3].at] <= 'Z') score = 75;
	}
	free(scratch);
	return score;
}

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }

const struct reader_ops read_w3c_ops = {.format = "w3c", .what = "W3C extended log (IIS, HTTP errors, firewall, proxy)",
	.mark = "#Fields: line with names of columns",
	.sniff = sniff, .open = open, TEXT_READER_REST};
