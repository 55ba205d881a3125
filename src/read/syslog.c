/* syslog.c: syslog files of Unix systems and network devices. See doc/formats.md, section syslog; one line: syslog_internal.h.
 *
 * A line is an event, of a shape for each program, so that rules for sshd are looked at in sshd's lines only. Network devices write
 * %FACILITY-SEVERITY-MNEMONIC: (Cisco) or %%01FACILITY/SEVERITY/MNEMONIC: (Huawei) where others have a program: formats of their own. Lines that begin with a
 * blank go on with the message before them and are damage: nothing says whose they are.
 *
 * Years: RFC 3164 writes none. The last line is taken to be no later than a day after the file was last written, in the latest such
 * year; each step from a month to an earlier one of more than six months' distance is a new year. How many there are is counted
 * before reading, in full for files up to YEARS_FULL, else in pieces of the file. What was inferred stands in the report's parameters. */
#include "read/read_internal.h"
#include "read/syslog_internal.h"
#include "read/text_internal.h"
#include "base/map.h"

enum column_id { S_HOST, S_PROGRAM, S_PID, S_MESSAGE, S_FACILITY, S_SEVERITY, S_MSGID, S_DATA, S_DEVICE, S_MODULE, S_COLUMNS,
	/* sudo alone: "anna : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh" */
	S_TTY = S_COLUMNS, S_PWD, S_USER, S_COMMAND, S_ALL };
static const char *const names[S_ALL] = {"host", "program", "pid", "message", "facility", "severity", "msgid", "structured_data", "device_facility", "module", "TTY", "PWD", "USER", "COMMAND"};
enum { MAX_PROGRAMS = 512, YEARS_FULL = 16 << 20, YEARS_PIECE = 64 << 10, YEARS_STEP = 1 << 20, NO_YEAR = 2000 };

struct kind { struct str program; const struct shape *shape; };

struct own {
	struct syslog_line line;
	struct map programs;     /* program -> index in kinds */
	VEC(struct kind) kinds;
	struct shape spec;       /* when the table of shapes is full */
	struct column columns[S_ALL];
	int year;                /* of the line being read */
	unsigned month;          /* of the line before; 0: none yet */
	int first_year, last_year;
	bool any_yearless;
	const char *year_from;   /* "file-time", "unknown" */
};

static struct own *own(struct reader *r) { return r->own; }

/* --- years -------------------------------------------------------------------------------------------------------- */

static bool is_new_year(unsigned before, unsigned month) { return before && month < before && before - month > 6; }

/* A step back over the turn of the year: lines that came late. */
static bool is_old_year(unsigned before, unsigned month) { return before && month > before && month - before > 6; }

struct months { unsigned last, first; int years; };

static void count_months(struct months *m, struct str text)
{
	while (text.p) {
		unsigned month = syslog_month(str_cut(&text, '\n'));
		if (!month) continue;
		if (!m->first) m->first = month;
		if (is_new_year(m->last, month)) m->years++;
		if (is_old_year(m->last, month)) m->years--;
		m->last = month;
	}
}

/* The whole lines of a piece of the source. */
static void look_at(struct input *in, uint64_t at, char *piece, struct months *m)
{
	int64_t n = input_pread(in, piece, YEARS_PIECE, at, NULL);
	if (n <= 0) return;
	struct str text = {piece, (size_t)n};
	if (at) {
		size_t lf = str_find_byte(text, '\n', 0);
		if (lf == SIZE_MAX) return;
		text = str_sub(text, lf + 1, text.n);
	}
	count_months(m, text);
}

/* The month and day of the last line, as seconds into the year NO_YEAR; -1: none. */
static int64_t last_moment(struct input *in, char *piece)
{
	uint64_t at = in->size > YEARS_PIECE ? in->size - YEARS_PIECE : 0;
	int64_t n = input_pread(in, piece, YEARS_PIECE, at, NULL), found = -1;
	struct str text = {piece, n > 0 ? (size_t)n : 0};
	struct syslog_line l;
	while (text.p) {
		struct str line = str_cut(&text, '\n');
		if (syslog_parse(line, NO_YEAR, &l) && l.yearless) found = l.time.sec;
	}
	return found;
}

static int year_of(int64_t sec) { return civil_from_sec(sec).year; }

/* The year of the first line. */
static void infer_year(struct reader *r)
{
	struct own *o = own(r);
	struct input *in = r->in;
	struct months m = {0};
	char *piece = xmalloc(YEARS_PIECE);
	int64_t last = last_moment(in, piece);
	o->year_from = in->mtime_sec ? "file-time" : "unknown";
	o->year = NO_YEAR;
	if (last >= 0 && in->mtime_sec) {
		uint64_t step = in->size <= YEARS_FULL ? YEARS_PIECE : YEARS_STEP;
		for (uint64_t at = 0; at < in->size; at += step) look_at(in, at, piece, &m);
		int64_t written = in->mtime_sec + 86400 + r->options->zone_seconds, into = last - civil_to_days(NO_YEAR, 1, 1) * 86400;
		o->year = year_of(written);
		if (civil_to_days(o->year, 1, 1) * 86400 + into > written) o->year--;
		o->year -= m.years;
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
	if (o->year != before) (void)syslog_parse(text, o->year, &o->line);
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

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	const struct syslog_line *l = &own(r)->line;
	const struct str texts[S_COLUMNS] = {[S_HOST] = l->host, [S_PROGRAM] = l->program, [S_PID] = l->pid, [S_MESSAGE] = l->message,
		[S_MSGID] = l->msgid, [S_DATA] = l->data, [S_MODULE] = l->part};
	*ret = (struct value){.kind = VALUE_ABSENT};
	if (column >= S_COLUMNS) {
		struct str s = sudo_value(l->message, str_of(names[column]));
		if (s.p) *ret = value_str(text_clean(r, s));
	} else if (column == S_FACILITY || column == S_SEVERITY) {
		if (l->priority >= 0) *ret = value_int(column == S_FACILITY ? l->priority >> 3 : l->priority & 7);
	} else if (texts[column].p) {
		*ret = value_str(text_clean(r, texts[column]));
	}
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
	uint32_t *at = map_get(&o->programs, name);
	if (at) return o->kinds.v[*at].shape;
	if (o->kinds.n >= MAX_PROGRAMS) return shape_new(r, (struct str){NULL, 0});
	const struct shape *s = shape_new(r, name);
	if (s == &o->spec) return s;
	map_put(&o->programs, name, (uint32_t)o->kinds.n, NULL);
	vec_push(&o->kinds, (struct kind){name, s});
	return s;
}

static bool begin(struct reader *r, struct fault *f)
{
	(void)f;
	infer_year(r);
	return true;
}

static bool next(struct reader *r)
{
	struct own *o = own(r);
	struct line line;
	while (lines_next(&r->lines, &line)) {
		if (!str_trim(line.text).n) r->report.slack += line.size;
		else if (!syslog_parse(line.text, o->year, &o->line)) text_damage(r, &line, "no line of syslog");
		else {
			if (o->line.yearless) date_line(o, line.text);
			struct etime t = o->line.zoned ? o->line.time : text_zoned(r, o->line.time);
			text_line_event(r, shape_of(r, o->line.program), &ops, t, &line);
			return true;
		}
		arena_reset(&r->arena);
	}
	return false;
}

static void end(struct reader *r)
{
	map_done(&own(r)->programs);
	vec_free(&own(r)->kinds);
}

static void parameters(struct reader *r, struct buf *out)
{
	const struct own *o = own(r);
	buf_printf(out, " zone=%+d zone_from=%s", r->options->zone_seconds, r->options->zone_seconds ? "option" : "default");
	if (!o->any_yearless) return;
	buf_printf(out, " year=%d", o->first_year);
	if (o->last_year != o->first_year) buf_printf(out, "-%d", o->last_year);
	buf_printf(out, " year_from=%s", o->year_from);
}

static const struct text_format format = {"syslog", sizeof(struct own), begin, next, end, parameters};

static int sniff(struct str head, uint64_t size, struct str path)
{
	char *scratch;
	struct str rest = lines_head(head, &scratch);
	struct syslog_line l;
	int good = 0, bad = 0;
	(void)path;
	for (int i = 0; i < 30 && rest.p; i++) {
		struct str line = str_cut(&rest, '\n');
		if (!str_trim(line).n || (!rest.p && head.n < size)) continue;
		/* A time alone is in many logs: a program or a priority must be there too. */
		if (syslog_parse(line, NO_YEAR, &l) && (l.program.p || l.priority >= 0 || (l.yearless && l.host.p))) good++;
		else bad++;
	}
	free(scratch);
	return good > 3 * bad ? 75 : good > bad ? 45 : 0;
}

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }

const struct reader_ops read_syslog_ops = {.format = "syslog", .what = "syslog (RFC 3164, RFC 5424 and their relatives)",
	.mark = "lines that begin with a time, then host and program",
	.sniff = sniff, .open = open, TEXT_READER_REST};
