/* syslog.c: syslog files of Unix systems and network devices. See doc/formats.md, section syslog; one line: syslog_internal.h.
 *
 * A line is an event, of a shape for each program, so that rules for sshd are looked at in sshd's lines only. Network devices write
 * %FACILITY-SEVERITY-MNEMONIC: (Cisco) or %%01FACILITY/SEVERITY/MNEMONIC: (Huawei) where others have a program: formats of their own. Lines that begin with a
 * blank go on with the message before them and are damage: nothing says whose they are.
 *
 * Services that write files of their own put a time before each message and mostly no host and no program: the format service-log. The two are one
 * reader, since either holds lines of the other: a syslog line in the file of a service (behind a relay) is taken as one when it says
 * its program beyond doubt. In a service's file a line without a time goes on with what stands before it: an event with that time.
 *
 * Years: RFC 3164 writes none. The last line is taken to be no later than a day after the file was last written, in the latest such
 * year; each step from a month to an earlier one of more than six months' distance is a new year. How many there are is counted
 * before reading, over all lines for files up to YEARS_FULL (at a twentieth of what reading them costs), else in pieces of the file, and in between
 * where a piece is not of the month of the one before or the next. What was inferred stands in the report's parameters. */
#include "read/read_internal.h"
#include "read/syslog_internal.h"
#include "read/text_internal.h"
#include "read/audit_internal.h"
#include "read/winevent_internal.h"
#include "base/map.h"
#include "text/stamp.h"
#include "text/utf.h"

enum column_id { S_HOST, S_PROGRAM, S_PID, S_MESSAGE, S_FACILITY, S_SEVERITY, S_MSGID, S_DATA, S_DEVICE, S_MODULE, S_REPEATED, S_COLUMNS,
	/* sudo alone: "anna : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh" */
	S_TTY = S_COLUMNS, S_PWD, S_USER, S_COMMAND, S_ALL };
static const char *const names[S_ALL] = {"host", "program", "pid", "message", "facility", "severity", "msgid", "structured_data", "device_facility", "module", "repeated", "TTY", "PWD", "USER", "COMMAND"};
enum { MAX_PROGRAMS = 512, YEARS_FULL = 1 << 30, YEARS_PIECE = 256 << 10, YEARS_LAST = 64 << 10, YEARS_STEP = 1 << 20, LINE_BEGIN = 1024, NO_YEAR = 2000, PAIRS_MAX = 128, NEAR = 64 };

struct kind { struct str program; const struct shape *shape; };

struct own {
	struct syslog_line line;
	struct syslog_head head; /* of the lines before */
	struct map programs;     /* program -> index in kinds */
	VEC(struct kind) kinds;
	struct kind near[NEAR];  /* met last, by a cheap hash */
	struct shape spec;       /* when the table of shapes is full */
	struct column columns[S_ALL];
	int year;                /* of the line being read */
	unsigned month;          /* of the line before; 0: none yet */
	int first_year, last_year;
	bool any_yearless;
	const char *year_from;   /* "file-time", "unknown" */
	bool noted;
	bool service_file;       /* as "service-log" */
	bool day_first;          /* how it writes 10/06/2013 */
	struct etime before;     /* of the last line with a time */
	uint64_t continued;
	const struct shape *own_file_shape;
	struct shape own_file_spec;
	/* What a line says as name and value: structured data, FortiGate's log, a record of the audit system. */
	struct { struct str name, value; bool escaped, decoded; } pairs[PAIRS_MAX];
	uint32_t n_pairs, first_pair; /* first_pair: its column, UINT32_MAX in shapes without pairs */
	struct buf pair_key, last_pair_key;
	const struct shape *last_pair_shape;
	struct shape pair_spec;
	struct audit_record audit;
	struct win_event win;
	struct win_state win_state;
};

static struct own *own(struct reader *r) { return r->own; }

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* FortiGate: date=2023-03-01 time=10:00:00 devid="x" ... */
static bool is_fortigate(struct str m) { return str_starts(m, STR("date=")) && str_find(m, STR(" devid="), 0) != SIZE_MAX; }

/* A line behind its priority. */
static struct str behind_priority(struct str s)
{
	size_t end = s.n && s.p[0] == '<' ? str_find_byte(str_sub(s, 0, 5), '>', 1) : SIZE_MAX;
	return end == SIZE_MAX ? s : str_sub(s, end + 1, s.n);
}

/* In the file of a service, where any word may stand behind the time: a line of syslog is one that names host and program, and the process or in a form
 * that syslog writes: the classic one, or a time with T. */
static bool is_syslog(const struct syslog_line *l, struct str text)
{
	uint64_t pid;
	return l->priority >= 0 || (l->program.p && l->host.p && (l->yearless || (text.n > 10 && text.p[10] == 'T') || (l->pid.p && str_u64(l->pid, &pid))));
}

static bool parse(struct own *o, struct str text)
{
	if (syslog_parse_next(&o->head, text, o->year, &o->line) && (!o->service_file || is_syslog(&o->line, text))) return true;
	if (service_line_parse(text, o->day_first, o->year, &o->line)) return true;
	/* FortiGate's lines may come without any head. */
	struct str m = behind_priority(text);
	if (is_fortigate(m)) o->line = (struct syslog_line){.priority = -1, .message = m};
	else if (o->service_file) o->line = (struct syslog_line){.priority = -1, .own_file = true, .message = text};
	else return false;
	return true;
}

/* --- years -------------------------------------------------------------------------------------------------------- */

static bool is_new_year(unsigned before, unsigned month) { return before && month < before && before - month > 6; }

/* A step back over the turn of the year: lines that came late. */
static bool is_old_year(unsigned before, unsigned month) { return before == 1 && month == 12; }

struct months { unsigned last, first; int years; bool leap; int leap_years; };

/* The month of a line's time that has no year, 0: none. */
static unsigned line_month(struct str line)
{
	struct stamp t;
	unsigned month = syslog_month(line);
	return month || !line.n || line.p[0] == '<' || !stamp_take(line, false, &t) || t.c.year ? month : t.c.month;
}

static void count_month(struct months *m, struct str line)
{
	unsigned month = line_month(line);
	if (!month) return;
	if (!m->first) m->first = month;
	if (is_new_year(m->last, month)) m->years++;
	if (is_old_year(m->last, month)) m->years--;
	m->last = month;
	if (month == 2 && !m->leap && str_find(str_sub(line, 0, 32), STR("Feb 29 "), 0) != SIZE_MAX) m->leap = true, m->leap_years = m->years;
}

/* Whole lines. One whose month stands in the same letters as in the line counted last changes nothing: the fast way over nearly all. */
static void count_months(struct months *m, const char *p, size_t n)
{
	char last[3] = {0};
	for (const char *end = p + n; p < end;) {
		const char *lf = memchr(p, '\n', (size_t)(end - p)), *at = p;
		size_t rest = (size_t)((lf ? lf : end) - p);
		if (rest > 8 && *p == '<') {
			const char *close = memchr(p, '>', 5);
			if (close) at = close + 1;
		}
		/* (Of February the days are looked at.) */
		if ((size_t)(at - p) + 4 > rest || memcmp(at, last, 3) || at[3] != ' ' || !memcmp(last, "Feb", 3)) {
			count_month(m, (struct str){p, rest});
			if ((size_t)(at - p) + 4 <= rest && stamp_month((struct str){at, 3}) == m->last) memcpy(last, at, 3);
			else last[0] = 0;
		}
		p += rest + 1;
	}
}

/* Bytes of the source at `at` as text: of UTF-16 each character's low byte, which is enough to see times and ends of lines. `at` is even then. */
static size_t look(struct reader *r, char *piece, size_t n, uint64_t at)
{
	int64_t got = input_pread(r->in, piece, n, at, NULL);
	if (got <= 0) return 0;
	if (r->lines.encoding == TEXT_UTF8) return (size_t)got;
	for (size_t i = 0, low = r->lines.encoding == TEXT_UTF16BE; 2 * i + 1 < (size_t)got; i++) piece[i] = piece[2 * i + low];
	return (size_t)got / 2;
}

/* The months of all lines that begin in [from, to); a line is looked at where it begins, whatever its length. */
static void look_at(struct reader *r, uint64_t from, uint64_t to, char *piece, struct months *m)
{
	size_t kept = 0;
	uint64_t begin = r->lines.offset; /* behind a mark */
	bool within = from > begin;       /* of a line that began before */
	if (from < begin) from = begin;
	while (from < to && from < r->in->size) {
		uint64_t want = YEARS_PIECE - kept;
		if (want > to - from) want = to - from;
		want = want > 1 ? want & ~(uint64_t)1 : want;
		size_t n = look(r, piece + kept, (size_t)want, from);
		if (!n) break;
		from += want;
		char *p = piece, *end = piece + kept + n, *last = memrchr(piece, '\n', kept + n);
		char *first = within && last ? memchr(piece, '\n', kept + n) : NULL;
		if (first) p = first + 1;
		if (last && p <= last) count_months(m, p, (size_t)(last + 1 - p));
		within = within && !last;
		if (last) p = last + 1;
		kept = within ? 0 : (size_t)(end - p);
		/* The beginning of a line says it all. */
		if (kept > LINE_BEGIN) {
			count_months(m, p, kept);
			kept = 0;
			within = true;
		}
		memmove(piece, p, kept);
	}
	if (kept) count_months(m, piece, kept);
}

/* The month and day of the last line, as seconds into the year NO_YEAR; -1: none. */
static int64_t last_moment(struct reader *r, char *piece)
{
	uint64_t at = r->in->size > YEARS_LAST ? (r->in->size - YEARS_LAST) & ~(uint64_t)1 : 0;
	struct str text = {piece, look(r, piece, YEARS_LAST, at)};
	int64_t found = -1;
	struct syslog_line l;
	while (text.p) {
		struct str line = str_cut(&text, '\n');
		if ((syslog_parse(line, NO_YEAR, &l) && l.yearless) || (service_line_parse(line, false, NO_YEAR, &l) && l.yearless)) found = l.time.sec;
	}
	return found;
}

/* All months up to YEARS_FULL. Beyond, pieces; and what is between two that a month or more lies between, for a year may. */
static void look_at_all(struct reader *r, char *piece, struct months *m)
{
	uint64_t size = r->in->size;
	if (size <= YEARS_FULL) {
		look_at(r, 0, size, piece, m);
		return;
	}
	for (uint64_t at = 0; at < size; at += YEARS_STEP) {
		struct months next = {0};
		look_at(r, at, at + YEARS_LAST, piece, &next);
		if (at && next.first && m->last && (next.first + 12 - m->last) % 12 > 1) look_at(r, at - YEARS_STEP + YEARS_LAST, at, piece, m);
		look_at(r, at, at + YEARS_LAST, piece, m);
	}
}

static int year_of(int64_t sec) { return civil_from_sec(sec).year; }

/* The year of the first line. */
static void infer_year(struct reader *r)
{
	struct own *o = own(r);
	struct input *in = r->in;
	struct months m = {0};
	char *piece = xmalloc(YEARS_PIECE);
	int64_t last = last_moment(r, piece);
	o->year_from = in->mtime_sec ? "file-time" : "unknown";
	o->year = NO_YEAR;
	if (last >= 0 && in->mtime_sec) {
		look_at_all(r, piece, &m);
		int64_t written = in->mtime_sec + 86400 + r->options->zone_seconds, into = last - civil_to_days(NO_YEAR, 1, 1) * 86400;
		o->year = year_of(written);
		if (civil_to_days(o->year, 1, 1) * 86400 + into > written) o->year--;
		o->year -= m.years;
		/* A 29 February says more than the file's time, which copying may have changed. */
		for (int i = 0; m.leap && civil_days_in_month(o->year + m.leap_years, 2) < 29 && i < 8; i++) o->year--;
	}
	free(piece);
}

static void turn_year(struct own *o, unsigned month)
{
	if (is_new_year(o->month, month)) o->year++;
	if (is_old_year(o->month, month)) o->year--;
	o->month = month;
}

/* The line in its year: read again where the year had turned. */
static void date_line(struct own *o, struct str text)
{
	int before = o->year;
	turn_year(o, o->line.month);
	if (o->year != before) (void)parse(o, text);
	if (!o->any_yearless || o->year < o->first_year) o->first_year = o->year;
	if (!o->any_yearless || o->year > o->last_year) o->last_year = o->year;
	o->any_yearless = true;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

/* What stands behind NAME= in sudo's message. The command is the last and may hold anything; the caller's name, which is first, holds no " : ". */
static struct str sudo_value(struct str message, struct str name)
{
	size_t at = str_find(message, STR(" : "), 0);
	struct str rest = at == SIZE_MAX ? (struct str){NULL, 0} : str_sub(message, at + 3, message.n);
	while (rest.p) {
		if (str_starts(rest, STR("COMMAND="))) return str_eq(name, STR("COMMAND")) ? str_sub(rest, 8, rest.n) : (struct str){NULL, 0};
		size_t end = str_find(rest, STR(" ; "), 0);
		struct str part = str_sub(rest, 0, end == SIZE_MAX ? rest.n : end), key = str_cut(&part, '=');
		if (part.p && str_eq(key, name)) return part;
		rest = end == SIZE_MAX ? (struct str){NULL, 0} : str_sub(rest, end + 3, rest.n);
	}
	return (struct str){NULL, 0};
}

/* \" \\ \] undone (RFC 5424 6.3.3), in the batch. */
static struct str unescape(struct reader *r, struct str s)
{
	if (!s.n || !memchr(s.p, '\\', s.n)) return s;
	char *p = arena_alloc(&r->arena, s.n);
	size_t n = 0;
	for (size_t i = 0; p && i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n && (s.p[i + 1] == '"' || s.p[i + 1] == '\\' || s.p[i + 1] == ']')) i++;
		p[n++] = s.p[i];
	}
	return p ? (struct str){p, n} : STR("");
}

static void decode_pair(struct reader *r, uint32_t i, struct value *ret)
{
	struct own *o = own(r);
	struct str s = o->pairs[i].value;
	*ret = (struct value){.kind = VALUE_NULL};
	if (!s.p) return;
	if (o->pairs[i].escaped) s = unescape(r, s);
	if (o->pairs[i].decoded) {
		s = utf8_clean(&r->arena, s);
		if (!s.p) s = STR("");
	}
	*ret = value_str(text_clean(r, s));
}

/* "message repeated 5 times: [ text]", "last message repeated 5 times": how often; 0: it is none. */
static uint64_t repeated(struct str m)
{
	uint64_t n;
	if (m.n && m.p[0] == ' ') m = str_sub(m, 1, m.n);
	if (!m.n || (m.p[0] != 'l' && m.p[0] != 'm')) return 0;
	if (str_starts(m, STR("last "))) m = str_sub(m, 5, m.n);
	if (!str_starts(m, STR("message repeated "))) return 0;
	m = str_sub(m, 17, m.n);
	return str_u64(str_cut(&m, ' '), &n) && str_starts(m, STR("time")) ? n : 0;
}

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	const struct syslog_line *l = &own(r)->line;
	if (column >= own(r)->first_pair) {
		decode_pair(r, column - own(r)->first_pair, ret);
		return;
	}
	struct str text = {NULL, 0};
	switch (column) {
	case S_HOST: text = l->host; break;
	case S_PROGRAM: text = l->program; break;
	case S_PID: text = l->pid; break;
	case S_MESSAGE: text = l->message; break;
	case S_MSGID: text = l->msgid; break;
	case S_DATA: text = l->data; break;
	case S_MODULE: text = l->part; break;
	case S_DEVICE: break; /* a constant, or not there */
	case S_FACILITY: case S_SEVERITY:
		*ret = l->priority < 0 ? (struct value){.kind = VALUE_ABSENT} : value_int(column == S_FACILITY ? l->priority >> 3 : l->priority & 7);
		return;
	case S_REPEATED: {
		uint64_t n = repeated(l->message);
		*ret = n ? value_uint(n) : (struct value){.kind = VALUE_ABSENT};
		return;
	}
	default: text = sudo_value(l->message, str_of(names[column])); break;
	}
	if (text.p) value_set_str(ret, text_clean(r, text));
	else *ret = (struct value){.kind = VALUE_ABSENT};
}

static const struct event_ops ops = {decode, NULL, NULL};

/* Which format a program's lines are, and for devices which part of them speaks. */
static struct str device_of(struct str program, struct str *ret_facility)
{
	struct str rest = program;
	*ret_facility = (struct str){NULL, 0};
	if (!str_starts(program, STR("%"))) return STR("syslog");
	if (!str_starts(program, STR("%%"))) {
		rest = str_sub(program, 1, program.n);
		*ret_facility = str_cut(&rest, '-');
		return rest.p ? STR("cisco-syslog") : STR("syslog");
	}
	rest = str_sub(program, 4, program.n);
	*ret_facility = str_cut(&rest, '/');
	return rest.p ? STR("huawei-syslog") : STR("syslog");
}

static void constant(struct column *c, struct str value)
{
	if (!value.p) return;
	c->constant = true;
	c->value = value_str(value);
}

static const struct shape *shape_new(struct reader *r, struct str program)
{
	struct own *o = own(r);
	struct buf key = {0};
	buf_lit(&key, "syslog");
	buf_byte(&key, 0);
	buf_str(&key, program);
	const struct shape *found = shape_table_find(r->shapes, buf_view(&key));
	if (!found) {
		uint32_t n = str_eq(program, STR("sudo")) ? S_ALL : S_COLUMNS;
		for (uint32_t i = 0; i < n; i++) o->columns[i] = (struct column){.name = str_of(names[i]), .covered = true};
		struct str facility, name = device_of(program, &facility);
		o->columns[S_DEVICE].hidden = true;
		constant(&o->columns[S_PROGRAM], program);
		constant(&o->columns[S_DEVICE], facility);
		o->spec = (struct shape){.n_columns = n, .columns = o->columns, .format = name, .event_id = -1, .host_column = S_HOST};
		o->spec.bindings = text_bindings(r, name, &o->spec.n_bindings);
		found = text_shape(r, buf_view(&key), &o->spec);
	}
	buf_done(&key);
	return found;
}

/* The shape of a program's lines; from the 512th program on they share one. */
static const struct shape *shape_of(struct reader *r, struct str program)
{
	struct own *o = own(r);
	struct str name = program.p ? text_clean(r, program) : (struct str){"", 0};
	/* The few programs that write most lines are found by three of their bytes. */
	struct kind *near = &o->near[name.n ? (name.n * 7 + (uint8_t)name.p[0] + (uint8_t)name.p[name.n / 2] * 3u + (uint8_t)name.p[name.n - 1] * 5u) % NEAR : 0];
	if (near->shape && str_eq(near->program, name)) return near->shape;
	uint32_t *at = map_get(&o->programs, name);
	if (at) {
		*near = (struct kind){o->programs.entries[*at].key, o->kinds.v[*at].shape};
		return o->kinds.v[*at].shape;
	}
	if (o->kinds.n >= MAX_PROGRAMS) return shape_new(r, (struct str){NULL, 0});
	const struct shape *s = shape_new(r, name);
	if (s == &o->spec) return s;
	map_put(&o->programs, name, (uint32_t)o->kinds.n, NULL);
	vec_push(&o->kinds, (struct kind){name, s});
	return s;
}

/* --- lines of names and values ------------------------------------------------------------------------------------ */

static void add_pair(struct own *o, struct str name, struct str value, bool escaped, bool decoded)
{
	if (o->n_pairs == PAIRS_MAX || !name.n) return;
	o->pairs[o->n_pairs].name = name;
	o->pairs[o->n_pairs].value = value;
	o->pairs[o->n_pairs].escaped = escaped;
	o->pairs[o->n_pairs++].decoded = decoded;
}

/* [id name="value" ...][...]: names as id.name, in the batch. */
static void data_pairs(struct reader *r, struct str s)
{
	struct str id = {"", 0};
	while (s.n) {
		if (s.p[0] == ' ' || s.p[0] == ']') {
			s = str_sub(s, 1, s.n);
			continue;
		}
		if (s.p[0] == '[') {
			size_t end = 1;
			while (end < s.n && s.p[end] != ' ' && s.p[end] != ']') end++;
			id = str_sub(s, 1, end - 1);
			s = str_sub(s, end, s.n);
			continue;
		}
		size_t equals = str_find(s, STR("=\""), 0), end;
		if (equals == SIZE_MAX || equals > 255) return;
		for (end = equals + 2; end < s.n && s.p[end] != '"'; end++) end += s.p[end] == '\\';
		char *name = arena_alloc(&r->arena, id.n + equals + 1);
		if (!name) return;
		memcpy(name, id.p, id.n);
		name[id.n] = '.';
		memcpy(name + id.n + 1, s.p, equals);
		add_pair(own(r), (struct str){name, id.n + equals + 1}, str_sub(s, equals + 2, end - equals - 2), true, false);
		s = str_sub(s, end + 1, s.n);
	}
}

static void fortigate_pairs(struct own *o, struct str s)
{
	while (s.n) {
		size_t equals = str_find_byte(s, '=', 0);
		if (equals == SIZE_MAX) return;
		struct str name = str_trim(str_sub(s, 0, equals)), value;
		s = str_sub(s, equals + 1, s.n);
		size_t end = s.n && s.p[0] == '"' ? str_find_byte(s, '"', 1) : SIZE_MAX;
		if (end != SIZE_MAX) {
			value = str_sub(s, 1, end - 1);
			s = str_sub(s, end + 1, s.n);
		} else {
			value = str_cut(&s, ' ');
		}
		add_pair(o, name, value, false, false);
	}
}

static struct etime fortigate_time(struct reader *r)
{
	struct own *o = own(r);
	struct etime t = {0};
	char text[48];
	size_t n = 0;
	bool zoned = false;
	static const char *const order[] = {"date", "time", "tz"};
	for (size_t k = 0; k < COUNT(order); k++) {
		for (uint32_t i = 0; i < o->n_pairs; i++) {
			struct str v = o->pairs[i].value;
			if (!str_eq(o->pairs[i].name, str_of(order[k])) || v.n > 12) continue;
			if (k == 1) text[n++] = 'T';
			if (v.n) memcpy(text + n, v.p, v.n);
			n += v.n;
			break;
		}
	}
	if (etime_parse((struct str){text, n}, &t, &zoned) && !zoned) t = text_zoned(r, t);
	return t;
}

static void audit_pairs(struct reader *r)
{
	struct own *o = own(r);
	if (!audit_parse(o->line.message, &r->arena, &o->audit)) return;
	if (o->audit.type.n) add_pair(o, STR("type"), o->audit.type, false, false);
	for (uint32_t i = 0; i < o->audit.n; i++) add_pair(o, o->audit.fields[i].name, o->audit.fields[i].value, false, o->audit.fields[i].decoded);
	if (o->audit.limited) r->report.limited++;
}

/* The shape of the line's kind with columns for its pairs. NULL: no memory. */
static const struct shape *pair_shape(struct reader *r, struct str name)
{
	struct own *o = own(r);
	struct buf *key = &o->pair_key;
	key->n = 0;
	buf_lit(key, "syslog pairs\n");
	buf_str(key, name);
	buf_byte(key, '\n');
	buf_str(key, o->line.program);
	for (uint32_t i = 0; i < o->n_pairs; i++) {
		buf_byte(key, o->pairs[i].decoded ? '\1' : '\0');
		buf_str(key, o->pairs[i].name);
	}
	if (o->last_pair_shape && str_eq(buf_view(key), buf_view(&o->last_pair_key))) return o->last_pair_shape;
	const struct shape *found = shape_table_find(r->shapes, buf_view(key));
	if (!found) {
		struct column *columns = arena_calloc(&r->arena, S_COLUMNS + o->n_pairs, sizeof *columns);
		if (!columns) return NULL;
		for (uint32_t i = 0; i < S_COLUMNS; i++) columns[i] = (struct column){.name = str_of(names[i]), .covered = true};
		columns[S_DEVICE].hidden = true;
		columns[S_DATA].hidden = true;
		for (uint32_t i = 0; i < o->n_pairs; i++)
			columns[S_COLUMNS + i] = (struct column){.name = text_clean(r, o->pairs[i].name), .covered = !o->pairs[i].decoded};
		if (o->line.program.n) constant(&columns[S_PROGRAM], text_clean(r, o->line.program));
		o->pair_spec = (struct shape){.n_columns = S_COLUMNS + o->n_pairs, .columns = columns, .format = name, .event_id = -1, .host_column = S_HOST};
		o->pair_spec.bindings = text_bindings(r, name, &o->pair_spec.n_bindings);
		found = text_shape(r, buf_view(key), &o->pair_spec);
	}
	if (found != &o->pair_spec) {
		o->last_pair_key.n = 0;
		buf_str(&o->last_pair_key, buf_view(key));
		o->last_pair_shape = found;
	}
	return found;
}

static bool is_audit(const struct syslog_line *l)
{
	if (!l->program.n || (l->program.p[0] != 'k' && l->program.p[0] != 'a')) return false;
	return (str_eq(l->program, STR("kernel")) || str_starts(l->program, STR("audi"))) && l->message.n > 12 && str_find(str_sub(l->message, 0, 64), STR("audit("), 0) != SIZE_MAX;
}

/* The shape of a line that says names and values, NULL: it does not. */
static const struct shape *shape_with_pairs(struct reader *r)
{
	struct own *o = own(r);
	struct syslog_line *l = &o->line;
	struct str m = l->message;
	bool audit = is_audit(l);
	o->n_pairs = 0;
	if (!l->data.n && !audit && !(m.n && m.p[0] == 'd')) return NULL; /* nearly all */
	if (str_eq(l->program, STR("sudo"))) return NULL; /* has columns of its own */
	if (l->data.n) data_pairs(r, l->data);
	if (audit) audit_pairs(r);
	bool fortigate = m.n && m.p[0] == 'd' && is_fortigate(m);
	if (fortigate) fortigate_pairs(o, m);
	for (uint32_t i = 0; fortigate && !l->host.n && i < o->n_pairs; i++)
		if (str_eq(o->pairs[i].name, STR("devname"))) l->host = o->pairs[i].value;
	if (!o->n_pairs) return NULL;
	const struct shape *s = pair_shape(r, fortigate ? STR("fortigate") : audit ? STR("syslog-audit") : STR("syslog"));
	if (s) o->first_pair = S_COLUMNS;
	return s;
}

/* Sysmon for Linux: the message is an event in Windows' form. */
static bool sysmon(struct reader *r, const struct line *line)
{
	struct own *o = own(r);
	const char *reason = NULL;
	struct str xml = str_trim(o->line.message);
	if (!str_starts(xml, STR("<Event>")) && !str_starts(xml, STR("<Event "))) return false;
	xml = text_clean(r, xml);
	return winxml_read(xml, &r->arena, &o->win, &reason) && win_make(r, &o->win_state, &o->win, line->offset, line->length, line->size, line->number,
		r->lines.encoding == TEXT_UTF8 ? line->text.p : NULL);
}

/* The one shape of a service's own lines: which service it is, the file does not say. */
static const struct shape *own_file_shape(struct reader *r)
{
	struct own *o = own(r);
	static const struct str key = {"service-log", 11};
	if (o->own_file_shape) return o->own_file_shape;
	const struct shape *found = shape_table_find(r->shapes, key);
	if (!found) {
		struct column column = {.name = STR("message"), .covered = true};
		o->own_file_spec = (struct shape){.n_columns = 1, .columns = &column, .format = key, .event_id = -1, .host_column = -1};
		o->own_file_spec.bindings = text_bindings(r, key, &o->own_file_spec.n_bindings);
		found = text_shape(r, key, &o->own_file_spec);
	}
	return o->own_file_shape = found;
}

static void decode_message(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	(void)column;
	*ret = value_str(text_clean(r, own(r)->line.message));
}

static const struct event_ops own_file_ops = {decode_message, NULL, NULL};

static void make_event(struct reader *r, const struct line *line)
{
	struct own *o = own(r);
	if (o->line.yearless) date_line(o, line->text);
	struct etime t = o->line.zoned ? o->line.time : text_zoned(r, o->line.time);
	o->first_pair = UINT32_MAX;
	if (o->line.own_file) {
		o->continued += !t.present && o->before.present;
		if (t.present) o->before = t;
		text_line_event(r, own_file_shape(r), &own_file_ops, t.present ? t : o->before, line);
		return;
	}
	if (o->line.message.n > 16 && o->line.message.p[0] == '<' && sysmon(r, line)) return;
	const struct shape *s = shape_with_pairs(r);
	if (s && !t.present) t = fortigate_time(r);
	text_line_event(r, s ? s : shape_of(r, o->line.program), &ops, t, line);
}

static void note(struct reader *r)
{
	struct own *o = own(r);
	char mtime[ETIME_MAX];
	if (o->noted) return;
	o->noted = true;
	if (o->continued) report_note(&r->report, 0, "%llu lines without a time have that of the line before them", (unsigned long long)o->continued);
	if (!o->any_yearless) return;
	etime_print(etime_from_unix(r->in->mtime_sec, 0, 0), 0, mtime);
	if (r->in->mtime_sec) report_note(&r->report, 0, "year=%d inferred from the file's time %s and the order of its lines", o->first_year, mtime);
	else report_note(&r->report, 0, "the year is not known (no file time): %d is assumed", o->first_year);
}

static bool begin(struct reader *r, struct fault *f)
{
	(void)f;
	infer_year(r);
	return true;
}

static bool begin_service(struct reader *r, struct fault *f)
{
	char *piece = xmalloc(YEARS_PIECE);
	size_t n = look(r, piece, YEARS_LAST, 0);
	own(r)->service_file = true;
	own(r)->day_first = n && stamp_day_first((struct str){piece, n});
	free(piece);
	return begin(r, f);
}

static bool is_blank(struct str line) { return !line.n || ((unsigned char)line.p[0] <= ' ' && !str_trim(line).n); }

static bool next(struct reader *r)
{
	struct own *o = own(r);
	struct line line;
	while (lines_next(&r->lines, &line)) {
		if (is_blank(line.text)) report_slack(&r->report, line.offset, line.size);
		else if (!parse(o, line.text)) text_damage(r, &line, line.ended ? "no line of syslog" : "line cut off");
		else {
			make_event(r, &line);
			return true;
		}
		arena_reset(&r->arena);
	}
	note(r);
	return false;
}

static void end(struct reader *r)
{
	map_done(&own(r)->programs);
	vec_free(&own(r)->kinds);
	buf_done(&own(r)->pair_key);
	buf_done(&own(r)->last_pair_key);
	win_state_done(&own(r)->win_state);
}

static void parameters(struct reader *r, struct buf *out)
{
	const struct own *o = own(r);
	text_put_zone(r, out);
	if (!o->any_yearless) return;
	buf_printf(out, " year=%d", o->first_year);
	if (o->last_year != o->first_year) buf_printf(out, "-%d", o->last_year);
	buf_printf(out, " year_from=%s", o->year_from);
}

static const struct text_format format = {"syslog", sizeof(struct own), begin, next, end, parameters};
static const struct text_format service_format = {"service-log", sizeof(struct own), begin_service, next, end, parameters};

/* Remarks, as samples have them, speak for no format; neither does a line that the head cuts off. */
static bool speaks(struct str line, struct str rest, struct str head, uint64_t size)
{
	return str_trim(line).n && line.p[0] != '#' && (rest.p || head.n >= size);
}

static int sniff(struct str head, uint64_t size, struct str path)
{
	char *scratch;
	struct str rest = lines_head(head, &scratch);
	struct syslog_line l;
	int good = 0, bad = 0;
	(void)path;
	for (int i = 0; i < 200 && good + bad < 30 && rest.p; i++) {
		struct str line = str_cut(&rest, '\n');
		if (!speaks(line, rest, head, size)) continue;
		/* A time alone is in many logs: a program or a priority must be there too. */
		if (syslog_parse(line, NO_YEAR, &l) && (l.priority >= 0 || (l.yearless ? l.program.p || l.host.p : l.program.p && (l.host.p || l.pid.p || line.p[10] == 'T')))) good++;
		else if (is_fortigate(behind_priority(line))) good++;
		else bad++;
	}
	free(scratch);
	return good > 3 * bad ? 75 : good > bad ? 45 : 0;
}

/* Behind every other format that its lines may be: a time alone is in many. */
static int sniff_service(struct str head, uint64_t size, struct str path)
{
	char *scratch;
	struct str rest = lines_head(head, &scratch);
	struct syslog_line l;
	int good = 0, lines = 0;
	(void)path;
	for (int i = 0; i < 400 && lines < 60 && rest.p; i++) {
		struct str line = str_cut(&rest, '\n');
		if (!speaks(line, rest, head, size)) continue;
		lines++;
		good += service_line_parse(line, false, NO_YEAR, &l) || (syslog_parse(line, NO_YEAR, &l) && is_syslog(&l, line));
	}
	free(scratch);
	/* Messages may go on for some lines. */
	return good && good >= (lines + 3) / 4 ? 30 : 0;
}

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }
static struct reader *open_service(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&service_format, in, o, f); }

const struct reader_ops read_syslog_ops = {.format = "syslog", .what = "syslog (RFC 3164, RFC 5424 and their relatives)",
	.mark = "lines that begin with a time, then host and program",
	.sniff = sniff, .open = open, TEXT_READER_REST};

const struct reader_ops read_service_log_ops = {.format = "service-log", .what = "log of a service: a time, then its message",
	.mark = "lines that begin with a time, in any form",
	.sniff = sniff_service, .open = open_service, TEXT_READER_REST};
