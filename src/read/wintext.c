/* wintext.c: Windows events as text: what `wevtutil qe /f:text` prints, what Splunk's agent writes of an event (WinEventLog), and PowerShell's lists
 * (`Get-WinEvent | Format-List`). See doc/formats.md, section Windows events as text.
 *
 *	Event[0]:                          03/03/2021 06:59:20 AM                TimeCreated  : 3/3/2021 6:59:20 AM
 *	  Log Name: Security               LogName=Security                      ProviderName : Microsoft-Windows-Security-Auditing
 *	  Event ID: 4625                   EventCode=4625                        Id           : 4625
 *	  Description:                     Message=An account failed to log on.  Message      : An account failed to log on.
 *	An account failed to log on.
 * A record reaches to the next one's beginning, blank lines before it not counted. Columns are those of the EVTX reader as far as the English
 * message tells them (winmessage.c). */
#include "read/read_internal.h"
#include "read/winevent_internal.h"

enum form { NO_FORM, WEVTUTIL, SPLUNK, POWERSHELL };

struct own {
	struct win_event event;
	struct win_state state;
	size_t take;             /* window bytes of the event handed out last */
	size_t looked;           /* window bytes of the record at hand in which no other begins */
};

static struct own *own(struct reader *r) { return r->own; }

/* What the forms call the parts of System. */
static const struct { enum form form; const char *name; enum win_sys sys; } names[] = {
	{WEVTUTIL, "Log Name", WIN_CHANNEL}, {WEVTUTIL, "Source", WIN_PROVIDER}, {WEVTUTIL, "Date", WIN_TIME}, {WEVTUTIL, "Event ID", WIN_EVENT_ID}, {WEVTUTIL, "Task", WIN_TASK},
	{WEVTUTIL, "Level", WIN_LEVEL}, {WEVTUTIL, "Opcode", WIN_OPCODE}, {WEVTUTIL, "Keyword", WIN_KEYWORDS}, {WEVTUTIL, "User", WIN_USER}, {WEVTUTIL, "Computer", WIN_COMPUTER},
	{WEVTUTIL, "Description", WIN_MESSAGE},
	{SPLUNK, "LogName", WIN_CHANNEL}, {SPLUNK, "SourceName", WIN_PROVIDER}, {SPLUNK, "EventCode", WIN_EVENT_ID}, {SPLUNK, "TaskCategory", WIN_TASK}, {SPLUNK, "Type", WIN_LEVEL},
	{SPLUNK, "OpCode", WIN_OPCODE}, {SPLUNK, "Keywords", WIN_KEYWORDS}, {SPLUNK, "Sid", WIN_USER}, {SPLUNK, "ComputerName", WIN_COMPUTER}, {SPLUNK, "RecordNumber", WIN_RECORD_ID},
	{SPLUNK, "Message", WIN_MESSAGE},
	{POWERSHELL, "LogName", WIN_CHANNEL}, {POWERSHELL, "ProviderName", WIN_PROVIDER}, {POWERSHELL, "TimeCreated", WIN_TIME}, {POWERSHELL, "Id", WIN_EVENT_ID},
	{POWERSHELL, "LevelDisplayName", WIN_LEVEL}, {POWERSHELL, "OpcodeDisplayName", WIN_OPCODE}, {POWERSHELL, "TaskDisplayName", WIN_TASK}, {POWERSHELL, "MachineName", WIN_COMPUTER},
	{POWERSHELL, "RecordId", WIN_RECORD_ID}, {POWERSHELL, "UserId", WIN_USER}, {POWERSHELL, "ProcessId", WIN_PROCESS}, {POWERSHELL, "ThreadId", WIN_THREAD},
	{POWERSHELL, "Message", WIN_MESSAGE},
};

static struct str *sys_of(struct win_event *e, enum form form, struct str name)
{
	for (size_t i = 0; i < COUNT(names); i++)
		if (names[i].form == form && str_eq(name, str_of(names[i].name))) return &e->sys[names[i].sys];
	return NULL;
}

static struct str line_of(struct str *rest)
{
	struct str line = str_cut(rest, '\n');
	if (line.n && line.p[line.n - 1] == '\r') line.n--;
	return line;
}

/* --- where records begin --- */

static bool is_digit(struct str s, size_t at) { return at < s.n && s.p[at] >= '0' && s.p[at] <= '9'; }

/* What begins at the line that `s` begins with; the line behind it is looked at as well. PowerShell's lists begin behind an empty line, but for
 * what shows itself by its first two lines. */
static enum form begins(struct str s, bool after_blank)
{
	struct str next = s, line = line_of(&next);
	if (str_starts(line, STR("Event[")) && line.n < 20) {
		size_t at = 6;
		while (is_digit(line, at)) at++;
		return at > 6 && at < line.n && line.p[at] == ']' && (at + 1 == line.n || (at + 2 == line.n && line.p[at + 1] == ':')) ? WEVTUTIL : NO_FORM;
	}
	if (is_digit(line, 0) && line.n < 40 && str_find_byte(line, ':', 0) != SIZE_MAX && next.p && str_starts(next, STR("LogName="))) return SPLUNK;
	/* Format-List shows the message last, with an asterisk first. */
	struct str name = str_cut(&line, ':');
	if (!line.p || !name.n || name.p[name.n - 1] != ' ' || name.n > 30) return NO_FORM;
	struct str label = str_trim(name);
	bool time = str_eq(label, STR("TimeCreated")), sure = time && next.p && str_starts(next, STR("ProviderName "));
	return name.p[0] != ' ' && (sure || (after_blank && (time || str_eq(label, STR("Message"))))) ? POWERSHELL : NO_FORM;
}

/* The first line from window byte `at` (the beginning of one) on that begins a record, w.n: none. */
static size_t find_begin(struct str w, size_t at, bool after_blank, enum form *ret)
{
	while (at < w.n) {
		struct str rest = str_sub(w, at, w.n);
		*ret = begins(rest, after_blank);
		if (*ret) return at;
		size_t lf = str_find_byte(w, '\n', at);
		if (lf == SIZE_MAX) break;
		after_blank = lf == at || (lf == at + 1 && w.p[at] == '\r');
		at = lf + 1;
	}
	*ret = NO_FORM;
	return w.n;
}

/* --- one record --- */

/* Format-List: the value's further lines stand below its first one; they are joined, and moved to the left. */
static struct str listed_value(struct str first, size_t indent, struct str *rest, struct arena *a)
{
	struct buf joined = {0};
	buf_str(&joined, first);
	while (rest->p && rest->n) {
		struct str before = *rest, line = line_of(rest);
		if (line.n && line.p[0] != ' ') {
			*rest = before;
			break;
		}
		buf_byte(&joined, '\n');
		buf_str(&joined, str_sub(line, line.n < indent ? line.n : indent, line.n));
	}
	struct str all = arena_str(a, buf_view(&joined));
	buf_done(&joined);
	return all.p ? all : first;
}

static void read_listed(struct win_event *e, struct str rest, struct arena *a)
{
	while (rest.p && rest.n) {
		struct str line = line_of(&rest);
		size_t colon = str_find(line, STR(": "), 0);
		if (colon == SIZE_MAX && line.n && line.p[line.n - 1] == ':') colon = line.n - 1;
		if (colon == SIZE_MAX) continue;
		struct str *sys = sys_of(e, POWERSHELL, str_trim(str_sub(line, 0, colon))), value = str_sub(line, colon + 2 < line.n ? colon + 2 : line.n, line.n);
		value = listed_value(value, colon + 2, &rest, a);
		if (sys && !sys->p) *sys = str_trim(value);
	}
}

static void read_lines(struct win_event *e, enum form form, struct str rest)
{
	struct str line = line_of(&rest);
	if (form == SPLUNK) e->sys[WIN_TIME] = str_trim(line);
	while (rest.p && rest.n && !e->sys[WIN_MESSAGE].p) {
		struct str before = rest, value;
		line = value = line_of(&rest);
		struct str *sys = sys_of(e, form, str_trim(str_cut(&value, form == SPLUNK ? '=' : ':')));
		if (!sys || sys->p || !value.p) continue;
		/* The message is the rest, this line's too. */
		if (sys == &e->sys[WIN_MESSAGE]) value = str_sub(before, (size_t)(value.p - before.p), before.n);
		*sys = str_trim(value);
	}
}

static bool read_record(struct win_event *e, enum form form, struct str text, struct arena *a)
{
	win_begin(e);
	if (form == POWERSHELL) read_listed(e, text, a);
	else read_lines(e, form, text);
	struct str *provider = &e->sys[WIN_PROVIDER], *channel = &e->sys[WIN_CHANNEL], *user = &e->sys[WIN_USER];
	if (!e->sys[WIN_EVENT_ID].n || (!provider->n && !channel->n)) return false;
	/* Splunk's agent shows the provider by its display name, Windows says N/A where there is none. */
	if (str_starts(*provider, STR("Microsoft Windows security auditing"))) *provider = STR("Microsoft-Windows-Security-Auditing");
	if (str_eq(*user, STR("N/A"))) *user = (struct str){NULL, 0};
	*channel = win_channel(provider->p ? *provider : STR(""), channel->p ? *channel : STR(""));
	if (e->sys[WIN_MESSAGE].p) {
		if (provider->p && str_find(*provider, STR("Sysmon"), 0) != SIZE_MAX) win_add_message(e, e->sys[WIN_MESSAGE]);
		else win_add_shown(e, e->sys[WIN_MESSAGE]);
	}
	win_add_exchange(e, a);
	return true;
}

bool wintext_read_splunk(struct str text, struct arena *a, struct win_event *e) { return begins(text, true) == SPLUNK && read_record(e, SPLUNK, text, a); }

struct str win_splunk_channel(struct str source)
{
	static const char *const prefixes[] = {"WinEventLog:", "XmlWinEventLog:"};
	for (size_t i = 0; i < COUNT(prefixes); i++)
		if (str_starts(source, str_of(prefixes[i]))) return str_sub(source, strlen(prefixes[i]), source.n);
	return source;
}

/* --- the stream --- */

/* Window bytes before a record: blanks are slack, all else is damage. */
static void take_between(struct reader *r, size_t n)
{
	n = text_take_blanks(r, n);
	if (!n) return;
	uint64_t from = r->lines.offset;
	report_damage(&r->report, from, lines_take(&r->lines, n), "no event");
}

/* The record of n window bytes, which are taken with the next call; false: they were damage. */
static bool make_event(struct reader *r, enum form form, size_t n)
{
	struct own *o = own(r);
	struct lines *l = &r->lines;
	size_t end = n;
	struct str w = str_sub(lines_window(l), 0, n);
	while (end && (uint8_t)w.p[end - 1] <= ' ') end--;
	struct str text = str_sub(w, 0, end), clean = text_clean(r, text);
	uint64_t bytes = lines_bytes(l, 0, end);
	bool fits = clean.n || !end, event = fits && read_record(&o->event, form, clean, &r->arena);
	if (event && win_make(r, &o->state, &o->event, l->offset, bytes, bytes, l->number, l->encoding == TEXT_UTF8 ? text.p : NULL)) {
		o->take = n;
		report_slack(&r->report, lines_offset(l, end), lines_bytes(l, end, n - end));
		return true;
	}
	uint64_t from = l->offset;
	report_damage(&r->report, from, lines_take(l, end), fits && !event ? "an event without id, or without log and source" : "too large for the memory of one record");
	return false;
}

/* More of the source, before what cannot be said without it. False: there is no more, or the record is too large, and gone. */
static bool more(struct reader *r, size_t looked)
{
	struct lines *l = &r->lines;
	own(r)->looked = looked;
	if (lines_more(l)) return true;
	if (l->final) return false;
	uint64_t from = l->offset;
	report_damage(&r->report, from, lines_take(l, lines_window(l).n), "an event larger than 16 MiB");
	own(r)->looked = 0;
	return true;
}

/* Behind the last line end but two: a beginning of a record may still be cut there. */
static size_t sure(struct str w, size_t least)
{
	size_t at = w.n;
	for (int ends = 0; at > least; at--)
		if (w.p[at - 1] == '\n' && ++ends == 3) return at;
	return least;
}

static bool next(struct reader *r)
{
	struct own *o = own(r);
	struct lines *l = &r->lines;
	lines_take(l, o->take);
	o->take = o->looked = 0;
	for (;; arena_reset(&r->arena)) {
		lines_skip_marks(l);
		struct str w = lines_window(l);
		enum form form, behind;
		size_t at = find_begin(w, 0, true, &form);
		if (!form) {
			if (!l->final) {
				take_between(r, sure(w, 0));
				more(r, 0);
				continue;
			}
			take_between(r, w.n);
			return false;
		}
		if (at) {
			take_between(r, at);
			continue;
		}
		size_t first = str_find_byte(w, '\n', 0), from = o->looked ? o->looked : first == SIZE_MAX ? w.n : first + 1;
		size_t end = find_begin(w, from, false, &behind);
		size_t looked = behind ? end : sure(w, first == SIZE_MAX ? 0 : first + 1);
		if ((!behind || w.n - end < 64) && !l->final && more(r, looked)) continue;
		o->looked = 0;
		if (make_event(r, form, end)) return true;
	}
}

static void end(struct reader *r) { win_state_done(&own(r)->state); }

static void parameters(struct reader *r, struct buf *out)
{
	if (own(r)->state.assumed_zone) text_put_zone(r, out);
}

static const struct text_format format = {"wintext", sizeof(struct own), NULL, next, end, parameters};

static int sniff(struct str head, uint64_t size, struct str path)
{
	char *scratch;
	struct str text = lines_head(head, &scratch);
	static const char *const marks[][2] = {{"", ""}, {"\n  Log Name:", "\n  Event ID:"}, {"\nLogName=", "\nEventCode="}, {"\nProviderName", "\nId "}};
	enum form form;
	int score = 0;
	(void)size;
	(void)path;
	while (text.n && (uint8_t)text.p[0] <= ' ') text = str_sub(text, 1, text.n);
	size_t at = find_begin(str_sub(text, 0, 4096), 0, true, &form);
	struct str look = str_sub(text, at < text.n ? at : text.n, text.n);
	if (form && str_find(look, str_of(marks[form][0]), 0) != SIZE_MAX && str_find(look, str_of(marks[form][1]), 0) != SIZE_MAX) score = at ? 60 : 92;
	free(scratch);
	return score;
}

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }

const struct reader_ops read_wintext_ops = {.format = "wintext", .what = "Windows events as text (wevtutil, Splunk, PowerShell)",
	.mark = "events as wevtutil, Splunk's agent or PowerShell's Format-List print them", .sniff = sniff, .open = open,
	TEXT_READER_REST};
