/* csv.c: tables with a header: exports of event logs (EvtxECmd, Hayabusa, the event viewer, PowerShell), Microsoft 365's AuditData, Zeek's
 * TSV, and any other table that has a column of times. See doc/formats.md, section tables.
 *
 * Tables of Windows events become Windows events with the EVTX reader's columns; a column of JSON that holds the whole record becomes that
 * record's event; else the columns are the header's names, and the log source is that of the first family whose keys they have. */
#include "read/delimited_internal.h"
#include "read/json_internal.h"
#include "read/read_internal.h"
#include "read/winevent_internal.h"
#include <stdio.h>

enum { COLUMNS_MAX = 512 };
enum table { T_PLAIN, T_ZEEK, T_AUDIT_DATA, T_WINDOWS };

struct own {
	struct delimited csv;
	struct json_events json;       /* of AuditData */
	struct json_tape payload;      /* of EvtxECmd */
	struct win_event windows;
	struct win_state state;
	struct arena names;            /* of the header in force */
	enum table table;
	struct range where;
	struct str fields;
	uint32_t n;
	struct column columns[COLUMNS_MAX];
	int32_t time, json_column;
	int16_t sys[WIN_SYS];          /* T_WINDOWS: columns */
	int32_t payload_column, short_channel, raw_column; /* raw: Splunk's _raw, the record itself */
	uint64_t zeek_from;            /* where its directives begin */
	char zeek_path[40], unset[16], empty[16], set_separator;
	bool list[COLUMNS_MAX];        /* T_ZEEK: sets and vectors */
	bool assumed_zone, is_utc, day_first;
	struct shape spec;
	const struct shape *shape;
};

static struct own *own(struct reader *r) { return r->own; }

/* --- header --- */

/* How exports of Windows events call what the EVTX reader calls by sys_names. */
static const struct { const char *name; enum win_sys sys; } sys_columns[] = {
	{"EventId", WIN_EVENT_ID}, {"EventID", WIN_EVENT_ID}, {"Event ID", WIN_EVENT_ID}, {"Id", WIN_EVENT_ID}, {"EventCode", WIN_EVENT_ID},
	{"Provider", WIN_PROVIDER}, {"ProviderName", WIN_PROVIDER}, {"Source", WIN_PROVIDER}, {"SourceName", WIN_PROVIDER},
	{"Channel", WIN_CHANNEL}, {"LogName", WIN_CHANNEL}, {"Log Name", WIN_CHANNEL}, {"ContainerLog", WIN_CHANNEL}, {"Computer", WIN_COMPUTER},
	{"MachineName", WIN_COMPUTER}, {"ComputerName", WIN_COMPUTER}, {"Hostname", WIN_COMPUTER}, {"EventRecordId", WIN_RECORD_ID},
	{"RecordId", WIN_RECORD_ID},
	{"RecordID", WIN_RECORD_ID}, {"EventRecordID", WIN_RECORD_ID}, {"TimeCreated", WIN_TIME}, {"Timestamp", WIN_TIME},
	{"Date and Time", WIN_TIME}, {"Index", WIN_RECORD_ID},
	{"TimeGenerated", WIN_TIME}, {"ProcessId", WIN_PROCESS}, {"ThreadId", WIN_THREAD}, {"UserId", WIN_USER}, {"Level", WIN_LEVEL},
	{"Keywords", WIN_KEYWORDS},
	{"Version", WIN_VERSION}, {"Task", WIN_TASK}, {"Opcode", WIN_OPCODE}, {"Message", WIN_MESSAGE}, {"signature_id", WIN_EVENT_ID}, {"RecordNumber", WIN_RECORD_ID}, {"_time", WIN_TIME},
	/* Winlogbeat's, as Kibana exports them: since version 7, and before. */
	{"winlog.event_id", WIN_EVENT_ID}, {"winlog.channel", WIN_CHANNEL}, {"winlog.provider_name", WIN_PROVIDER}, {"winlog.computer_name", WIN_COMPUTER}, {"winlog.record_id", WIN_RECORD_ID},
	{"event_id", WIN_EVENT_ID}, {"log_name", WIN_CHANNEL}, {"source_name", WIN_PROVIDER}, {"computer_name", WIN_COMPUTER}, {"record_number", WIN_RECORD_ID}, {"@timestamp", WIN_TIME}};

/* The event's own name of a field that Kibana's columns call by its path. */
static struct str without_path(struct str name)
{
	static const char *const prefixes[] = {"winlog.event_data.", "winlog.user_data.", "event_data.", "user_data."};
	for (size_t i = 0; i < COUNT(prefixes); i++)
		if (str_starts(name, str_of(prefixes[i])) && name.n > strlen(prefixes[i])) return str_sub(name, strlen(prefixes[i]), name.n);
	return name;
}

static const char *const time_columns[] = {"timestamp", "Timestamp", "TimeCreated", "@timestamp", "time", "Time", "datetime", "DateTime",
	"TimeGenerated",
	"CreationTime", "CreationDate", "eventTime", "EventTime", "Date and Time", "date", "Date", "ts", "_time", "createdDateTime",
	"activityDateTime", "published"};

static int32_t column_of(const struct own *o, struct str name)
{
	for (uint32_t i = 0; i < o->n; i++)
		if (str_eq(o->columns[i].name, name)) return (int32_t)i;
	return -1;
}

/* The event viewer's columns in other languages. */
static const struct { const char *date, *source, *id; } viewer_names[] = {
	{"Datum und Uhrzeit", "Quelle", "Ereignis-ID"}, {"Date et heure", "Source", "ID de l’événement"}, {"Date et heure", "Source", "ID de l'événement"},
	{"Fecha y hora", "Origen", "Id. del evento"}, {"Data e ora", "Origine", "ID evento"}, {"Datum en tijd", "Bron", "Gebeurtenis-id"}, {"Data e Hora", "Origem", "ID do Evento"},
	{"Data i godzina", "Źródło", "Identyfikator zdarzenia"}, {"Дата и время", "Источник", "Код события"}, {"Дата та час", "Джерело", "Ідентифікатор події"}};

static int32_t find(const struct own *o, const char *name) { return column_of(o, str_of(name)); }

static bool is_windows(struct own *o)
{
	for (size_t i = 0; i < WIN_SYS; i++) o->sys[i] = -1;
	for (size_t i = 0; i < COUNT(sys_columns); i++) {
		int32_t at = find(o, sys_columns[i].name);
		if (at >= 0 && o->sys[sys_columns[i].sys] < 0) o->sys[sys_columns[i].sys] = (int16_t)at;
	}
	for (size_t i = 0; i < COUNT(viewer_names) && o->sys[WIN_EVENT_ID] < 0; i++) {
		if (find(o, viewer_names[i].id) < 0) continue;
		o->sys[WIN_EVENT_ID] = (int16_t)find(o, viewer_names[i].id);
		o->sys[WIN_PROVIDER] = (int16_t)find(o, viewer_names[i].source);
		o->sys[WIN_TIME] = (int16_t)find(o, viewer_names[i].date);
	}
	/* Splunk's exports name the channel in the event's source, and may name the computer as it does. */
	bool splunk = find(o, "sourcetype") >= 0;
	if (splunk && o->sys[WIN_CHANNEL] < 0) o->sys[WIN_CHANNEL] = (int16_t)find(o, "source");
	if (splunk && o->sys[WIN_COMPUTER] < 0) o->sys[WIN_COMPUTER] = (int16_t)(find(o, "dest") >= 0 ? find(o, "dest") : find(o, "host"));
	return o->sys[WIN_EVENT_ID] >= 0 && (o->sys[WIN_CHANNEL] >= 0 || o->sys[WIN_PROVIDER] >= 0) && o->sys[WIN_TIME] >= 0;
}

static bool family_fits(const struct own *o, const struct family *f)
{
	for (uint32_t i = 0; i < f->n_keys; i++)
		if (f->keys[i].p[0] == '!' || memchr(f->keys[i].p, '=', f->keys[i].n) || column_of(o, f->keys[i]) < 0) return false;
	return f->n_keys > 1;
}

/* What kind of table it is, by its columns. */
static void classify(struct reader *r)
{
	struct own *o = own(r);
	const struct family *families;
	uint32_t n;
	o->spec = (struct shape){.columns = o->columns, .n_columns = o->n, .event_id = -1, .host_column = -1, .format = STR("csv")};
	o->shape = NULL;
	o->json_column = find(o, "AuditData");
	if (o->json_column < 0) o->json_column = find(o, "auditData");
	bool audit = o->json_column >= 0;
	if (!audit) o->json_column = find(o, "_raw");
	o->raw_column = find(o, "_raw");
	o->payload_column = find(o, "Payload");
	o->short_channel = find(o, "Details") >= 0 && find(o, "RuleTitle") >= 0 ? find(o, "Channel") : -1;
	o->time = -1;
	for (size_t i = 0; i < COUNT(time_columns) && o->time < 0; i++) o->time = find(o, time_columns[i]);
	o->is_utc = find(o, "EventRecordId") >= 0; /* EvtxECmd */
	if (o->table == T_ZEEK) {
		o->is_utc = true;
		o->spec.format = STR("zeek");
		char *p = arena_alloc(&o->names, sizeof o->zeek_path + 8);
		if (!p) return;
		struct str format = {p, (size_t)sprintf(p, "zeek-%s", o->zeek_path)};
		if (taxonomy_format(r->taxonomy, format, &n)) o->spec.format = format;
		if (o->zeek_path[0]) return; /* else what its fields say */
	} else {
		o->table = audit ? T_AUDIT_DATA : is_windows(o) ? T_WINDOWS : T_PLAIN;
		if (o->table != T_PLAIN) return;
	}
	families = taxonomy_families(r->taxonomy, &n);
	for (uint32_t i = 0; i < n; i++) {
		if (!family_fits(o, &families[i])) continue;
		o->spec.format = families[i].format;
		for (uint32_t k = families[i].n_time; k-- > 0;)
			if (column_of(o, families[i].time[k]) >= 0) o->time = column_of(o, families[i].time[k]);
		for (uint32_t k = 0; k < families[i].n_host && o->spec.host_column < 0; k++) o->spec.host_column = column_of(o, families[i].host[k]);
		o->is_utc = families[i].time_is_utc;
		break;
	}
	static const char *const hosts[] = {"host", "hostname", "Hostname", "Computer", "ComputerName", "DeviceName"};
	for (size_t i = 0; i < COUNT(hosts) && o->spec.host_column < 0; i++) o->spec.host_column = find(o, hosts[i]);
}

/* The cells of the record at hand are the header's names. */
static void take_header(struct reader *r)
{
	struct own *o = own(r);
	const struct delimited *d = &o->csv;
	arena_reset(&o->names);
	o->where = (struct range){d->offset, d->length};
	o->fields = arena_str(&o->names, text_clean(r, d->text));
	o->n = 0;
	for (uint32_t i = 0; i < d->row.n && i < COLUMNS_MAX; i++) {
		struct str name = arena_str(&o->names, str_trim(delimited_cell(r, d, i)));
		if (name.p && !name.n) {
			char *p = arena_alloc(&o->names, 16);
			name = p ? (struct str){p, (size_t)sprintf(p, "(%u)", i + 1)} : (struct str){NULL, 0};
		}
		if (!name.p || !o->fields.p) {
			o->n = 0;
			return;
		}
		o->columns[o->n++] = (struct column){.name = name};
	}
	report_header(&r->report, d->offset, d->size);
	classify(r);
}

/* --- Zeek's directives --- */

/* "#separator \x09": the byte that stands between names and values in what follows, and between cells. */
static char zeek_separator(struct str line)
{
	unsigned byte;
	struct str v = str_trim(str_sub(line, 11, line.n));
	char text[5] = "";
	if (v.n == 1) return v.p[0];
	if (v.n == 4) memcpy(text, v.p, 4);
	return sscanf(text, "\\x%2x", &byte) == 1 && byte && byte != '\n' && byte != '\r' ? (char)byte : '\t';
}

/* "#name<separator>value" */
static struct str directive(const struct own *o, const char *name)
{
	struct str line = o->csv.text, value = str_sub(line, 1, line.n), word = str_cut(&value, o->csv.dialect.separator);
	return str_eq(word, str_of(name)) ? value : (struct str){NULL, 0};
}

static void take_fields(struct reader *r, struct str names)
{
	struct own *o = own(r);
	arena_reset(&o->names);
	o->fields = arena_str(&o->names, text_clean(r, names));
	/* From #separator on: what stands for nothing, and which log it is. */
	o->where = (struct range){o->zeek_from, o->csv.offset + o->csv.length - o->zeek_from};
	o->n = 0;
	o->table = T_ZEEK;
	struct str rest = o->fields;
	while (rest.p && o->n < COLUMNS_MAX) o->columns[o->n++] = (struct column){.name = str_cut(&rest, o->csv.dialect.separator), .covered = true};
	memset(o->list, 0, sizeof o->list);
	classify(r);
}

static void take_directive(struct reader *r)
{
	struct own *o = own(r);
	struct str v, line = o->csv.text;
	report_header(&r->report, o->csv.offset, o->csv.size);
	if (str_starts(line, STR("#separator "))) {
		o->zeek_from = o->csv.offset;
		o->csv.dialect.separator = zeek_separator(line);
	}
	else if ((v = directive(o, "path")).p) snprintf(o->zeek_path, sizeof o->zeek_path, "%.*s", STR_FMT(v));
	else if ((v = directive(o, "unset_field")).p) snprintf(o->unset, sizeof o->unset, "%.*s", STR_FMT(v));
	else if ((v = directive(o, "empty_field")).p) snprintf(o->empty, sizeof o->empty, "%.*s", STR_FMT(v));
	else if ((v = directive(o, "set_separator")).p && v.n) o->set_separator = v.p[0];
	else if ((v = directive(o, "fields")).p) take_fields(r, v);
	else if ((v = directive(o, "types")).p) {
		o->where.length = o->csv.offset + o->csv.length - o->where.offset;
		for (uint32_t i = 0; v.p && i < COLUMNS_MAX; i++) {
			struct str type = str_cut(&v, o->csv.dialect.separator);
			o->list[i] = str_starts(type, STR("set[")) || str_starts(type, STR("vector["));
		}
	}
}

/* --- plain tables and Zeek's --- */

static void zeek_value(struct reader *r, uint32_t i, struct value *ret)
{
	const struct own *o = own(r);
	struct str s = delimited_cell(r, &o->csv, i);
	*ret = value_str(s);
	if (str_eq(s, str_of(o->unset))) *ret = (struct value){.kind = VALUE_NULL};
	else if (str_eq(s, str_of(o->empty))) *ret = value_str(STR(""));
	else if (o->list[i]) {
		uint32_t n = 1, k = 0;
		for (size_t at = 0; at < s.n; at++) n += s.p[at] == o->set_separator;
		struct value *items = arena_alloc(&r->arena, n * sizeof *items);
		if (!items) return;
		while (s.p) items[k++] = value_str(str_cut(&s, o->set_separator));
		*ret = (struct value){.kind = VALUE_LIST, .n = k, .items = items};
	}
}

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	if (own(r)->table == T_ZEEK) zeek_value(r, column, ret);
	else *ret = value_str(delimited_cell(r, &own(r)->csv, column));
}

static uint32_t contexts(const struct event *ev, struct range *ret, uint32_t max)
{
	const struct own *o = own((struct reader *)ev->impl);
	if (!max || !o->where.length) return 0;
	ret[0] = o->where;
	return 1;
}

static const struct event_ops ops = {decode, contexts, NULL};

static const struct shape *shape_of(struct reader *r)
{
	struct own *o = own(r);
	if (o->shape) return o->shape;
	struct buf key = {0};
	o->spec.bindings = text_bindings(r, o->spec.format, &o->spec.n_bindings);
	buf_lit(&key, "csv");
	buf_byte(&key, o->csv.dialect.separator);
	buf_str(&key, o->spec.format);
	buf_byte(&key, 0);
	buf_str(&key, o->fields);
	o->shape = shape_table_find(r->shapes, buf_view(&key));
	if (!o->shape) o->shape = text_shape(r, buf_view(&key), &o->spec);
	buf_done(&key);
	return o->shape;
}

static struct etime cell_time(struct reader *r, int32_t column)
{
	struct own *o = own(r);
	struct etime t = {0};
	bool zoned;
	if (column < 0 || !json_time_as(delimited_cell(r, &o->csv, (uint32_t)column), o->day_first, &t, &zoned)) return (struct etime){0};
	if (zoned || o->is_utc) return t;
	o->assumed_zone = true;
	return text_zoned(r, t);
}

/* --- records that become other events --- */

static const void *record_bytes(const struct reader *r, const struct delimited *d) { return r->lines.encoding == TEXT_UTF8 ? d->text.p
	: NULL; }

static bool audit_event(struct reader *r)
{
	struct own *o = own(r);
	const struct delimited *d = &o->csv;
	struct str text = delimited_cell(r, d, (uint32_t)o->json_column);
	if (!text.n || text.p[0] != '{' || !json_read_all(&o->json.object.tape, text, NULL)) return false;
	o->json.object.text = text;
	o->json.header = o->where;
	return json_events_make(&o->json, d->offset, d->length, d->size, d->line, record_bytes(r, d));
}

/* Hayabusa's lists of fields; its Details come last, for what the others lack. False: the column is none of these. */
static bool add_named(struct reader *r, struct own *o, struct str column, struct str v, bool last)
{
	bool own_names = str_eq(column, STR("AllFieldInfo")) || str_eq(column, STR("ExtraFieldInfo")), details = o->short_channel >= 0 && str_eq(column, STR("Details"));
	if (own_names && !last && v.n) win_add_listed(&o->windows, r->taxonomy, v, false);
	if (details && last && v.n) win_add_listed(&o->windows, r->taxonomy, v, true);
	return (v.n && own_names) || details;
}

/* What Splunk has as the event's own text, where that is an event: Windows' as XML or as its agent writes it. */
static bool raw_event(struct reader *r)
{
	struct own *o = own(r);
	const struct delimited *d = &o->csv;
	struct str raw = str_trim(delimited_cell(r, d, (uint32_t)o->raw_column));
	const char *reason;
	bool xml = str_starts(raw, STR("<Event"));
	if (!(xml ? winxml_read(raw, &r->arena, &o->windows, &reason) : wintext_read_splunk(raw, &r->arena, &o->windows))) return false;
	o->windows.header = o->where;
	return win_make(r, &o->state, &o->windows, d->offset, d->length, d->size, d->line, record_bytes(r, d));
}

static bool windows_event(struct reader *r)
{
	struct own *o = own(r);
	const struct delimited *d = &o->csv;
	struct win_event *e = &o->windows;
	win_begin(e);
	e->header = o->where;
	e->utc = o->is_utc;
	e->day_first = o->day_first;
	for (size_t i = 0; i < WIN_SYS; i++)
		if (o->sys[i] >= 0) e->sys[i] = delimited_cell(r, d, (uint32_t)o->sys[i]);
	/* The event viewer leaves the message's column without a name. */
	if (!e->sys[WIN_MESSAGE].p && d->row.n > o->n) e->sys[WIN_MESSAGE] = delimited_cell(r, d, o->n);
	if (e->sys[WIN_CHANNEL].p) e->sys[WIN_CHANNEL] = win_splunk_channel(e->sys[WIN_CHANNEL]);
	if (e->sys[WIN_CHANNEL].p || e->sys[WIN_PROVIDER].p)
		e->sys[WIN_CHANNEL] = win_channel(e->sys[WIN_PROVIDER].p ? e->sys[WIN_PROVIDER] : STR(""), e->sys[WIN_CHANNEL].p ? e->sys[WIN_CHANNEL]
			: STR(""));
	for (uint32_t i = 0; i < o->n; i++) {
		bool sys = (int32_t)i == o->payload_column;
		for (size_t k = 0; k < WIN_SYS; k++) sys |= o->sys[k] == (int16_t)i;
		struct str v = sys ? (struct str){"", 0} : delimited_cell(r, d, i);
		/* An empty cell: the event has no such field. All the same a column, so that shapes stay few. */
		struct str name = o->columns[i].name;
		bool splunk = !sys && v.n && name.p[0] != '_' && str_find_byte(name, '_', 0) != SIZE_MAX && str_find_byte(name, '.', 0) == SIZE_MAX;
		struct str own_name = without_path(name);
		if (own_name.n < name.n && str_eq(v, STR("-"))) v.n = 0; /* Kibana: nothing there */
		if (splunk) win_add_splunk(e, r->taxonomy, name, v);
		else if (!sys && !add_named(r, o, name, v, false)) win_add(e, own_name, v.n ? v : (struct str){NULL, 0});
	}
	for (uint32_t i = 0; o->short_channel >= 0 && i < o->n; i++) add_named(r, o, o->columns[i].name, delimited_cell(r, d, i), true);
	uint32_t before = e->n;
	if (o->payload_column >= 0) {
		e->n = 0;
		win_add_payload(e, &o->payload, delimited_cell(r, d, (uint32_t)o->payload_column), &r->arena);
		/* The tool's own digest of the same values is of no use beside them. */
		if (!e->n) e->n = before;
	}
	if (e->sys[WIN_MESSAGE].p) {
		if (str_find(e->sys[WIN_PROVIDER].p ? e->sys[WIN_PROVIDER] : STR(""), STR("Sysmon"), 0) != SIZE_MAX) win_add_message(e, e->sys[WIN_MESSAGE]);
		else win_add_shown(e, e->sys[WIN_MESSAGE]);
	}
	win_add_exchange(e, &r->arena);
	return win_make(r, &o->state, e, d->offset, d->length, d->size, d->line, record_bytes(r, d));
}

/* --- the stream --- */

static const char *misfit(const struct own *o)
{
	const struct delimited *d = &o->csv;
	if (!o->n) return "no header before it";
	if (d->row.n == o->n || (o->table == T_WINDOWS && d->row.n == o->n + 1)) return NULL;
	if (!d->ended && d->row.n < o->n) return "line cut off";
	return d->row.n < o->n ? "fewer cells than the header has" : "more cells than the header has";
}

static bool make_event(struct reader *r)
{
	struct own *o = own(r);
	if (o->raw_column >= 0 && raw_event(r)) return true;
	if ((o->table == T_AUDIT_DATA || o->raw_column >= 0) && audit_event(r)) return true;
	if (o->table == T_WINDOWS) return windows_event(r);
	delimited_event(r, &o->csv, shape_of(r), &ops, cell_time(r, o->time));
	return true;
}

static bool next(struct reader *r)
{
	struct own *o = own(r);
	struct delimited *d = &o->csv;
	for (enum delimited_got got; (got = delimited_next(r, d)) != DELIMITED_END; arena_reset(&r->arena)) {
		const char *why;
		if (got == DELIMITED_COMMENT) take_directive(r);
		else if (!o->n) take_header(r);
		/* The header again: files that were joined. */
		else if (o->table != T_ZEEK && str_eq(d->text, o->fields)) report_header(&r->report, d->offset, d->size);
		else if ((why = misfit(o))) delimited_damage(r, d, why);
		else if (make_event(r)) return true;
		else delimited_damage(r, d, "too large for the memory of one record");
	}
	json_events_note(&o->json);
	return false;
}

/* The separator: of those that occur in the first line, the one that occurs most. */
static char separator_of(struct str line)
{
	static const char all[] = {',', '\t', ';', '|'};
	char best = ',';
	size_t most = 0;
	for (size_t i = 0; i < COUNT(all); i++) {
		size_t n = 0;
		for (size_t k = 0; k < line.n; k++) n += line.p[k] == all[i];
		if (n > most) most = n, best = all[i];
	}
	return best;
}

/* The header: the first line with something in it that is not PowerShell's "#TYPE System...". The rest of the text is moved behind it. */
static struct str take_first_line(struct str *text)
{
	struct str line = {"", 0};
	while (text->p && (!str_trim(line).n || str_starts(line, STR("#TYPE ")))) line = str_cut(text, '\n');
	return line;
}

static struct str first_line(struct str text) { return take_first_line(&text); }

/* What a log of Zeek's begins with; without the first lines where somebody has cut them off. */
static bool is_zeek(struct str line)
{
	static const char *const words[] = {"#separator ", "#set_separator\t", "#empty_field\t", "#unset_field\t", "#path\t", "#fields\tts\t"};
	for (size_t i = 0; i < COUNT(words); i++)
		if (str_starts(line, str_of(words[i]))) return true;
	return false;
}

static bool begin(struct reader *r, struct fault *f)
{
	struct own *o = own(r);
	enum { LOOK = 64 << 10 };
	char *head = xmalloc(LOOK), *scratch = NULL;
	int64_t n = input_pread(r->in, head, LOOK, 0, f);
	arena_init(&o->names, 1 << 20);
	json_events_begin(&o->json, r, 1 << 18);
	o->payload.max_tokens = 1 << 16;
	struct str text = lines_head((struct str){head, n < 0 ? 0 : (size_t)n}, &scratch), line = first_line(text);
	o->day_first = json_day_first(text);
	o->csv.dialect.separator = separator_of(line);
	o->set_separator = ',';
	strcpy(o->unset, "-");
	strcpy(o->empty, "(empty)");
	if (is_zeek(line)) {
		o->csv.dialect.separator = str_starts(line, STR("#separator ")) ? zeek_separator(line) : '\t';
		o->csv.dialect.quote = '\n'; /* Zeek writes no quotes */
	}
	free(scratch);
	free(head);
	return n >= 0;
}

static void end(struct reader *r)
{
	struct own *o = own(r);
	arena_done(&o->names);
	delimited_done(&o->csv);
	json_events_end(&o->json);
	json_tape_done(&o->payload);
	win_state_done(&o->state);
}

static void parameters(struct reader *r, struct buf *out)
{
	struct own *o = own(r);
	static const char *const tables[] = {"plain", "zeek", "audit-data", "windows"};
	buf_printf(out, " table=%s separator=0x%02x", tables[o->table], (unsigned char)o->csv.dialect.separator);
	if (o->day_first) buf_lit(out, " dates=day-first");
	if (o->assumed_zone || o->state.assumed_zone) text_put_zone(r, out);
	if (o->table == T_AUDIT_DATA) json_events_parameters(&o->json, out);
}

static const struct text_format format = {"csv", sizeof(struct own), begin, next, end, parameters};

/* --- the contract --- */

static bool named(const struct str *cells, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++)
		if (str_eq(str_trim(cells[i]), str_of(name))) return true;
	return false;
}

/* The event viewer's own names in the languages that a test of the first cells tells. */
static bool viewer_language(const struct str *cells, uint32_t n)
{
	for (size_t i = 0; i < COUNT(viewer_names); i++)
		if (named(cells, n, viewer_names[i].date) && named(cells, n, viewer_names[i].source) && named(cells, n, viewer_names[i].id)) return true;
	return false;
}

static int sniff(struct str head, uint64_t size, struct str path)
{
	char *scratch;
	struct str rest = lines_head(head, &scratch), cells[64], second[64];
	int score = 0;
	bool zoned;
	struct etime t;
	(void)size;
	(void)path;
	struct str line = take_first_line(&rest);
	char separator = separator_of(line);
	uint32_t n = delimited_look(str_trim(line), separator, cells, COUNT(cells));
	struct str data = rest.p ? first_line(rest) : (struct str){"", 0};
	uint32_t m = delimited_look(str_trim(data), separator, second, COUNT(second));
	if (is_zeek(line) && str_find(str_sub(head, 0, 2000), STR("#fields"), 0) != SIZE_MAX) score = 95;
	else if (n >= 3 && (named(cells, n, "AuditData") || named(cells, n, "auditData"))) score = 90;
	else if (n >= 5 && named(cells, n, "EventRecordId") && named(cells, n, "Payload")) score = 95;
	else if (n >= 5 && named(cells, n, "RuleTitle") && named(cells, n, "Channel")) score = 90;
	else if (n >= 5 && named(cells, n, "Event ID") && named(cells, n, "Source") && named(cells, n, "Date and Time")) score = 90;
	else if (n >= 5 && named(cells, n, "ProviderName") && named(cells, n, "TimeCreated")) score = 90;
	else if (n >= 5 && named(cells, n, "EventID") && named(cells, n, "EntryType") && named(cells, n, "TimeGenerated")) score = 90;
	else if (n >= 5 && viewer_language(cells, n)) score = 90;
	else if (n >= 3 && named(cells, n, "@timestamp") && (named(cells, n, "winlog.event_id") || named(cells, n, "event_id"))) score = 90;
	else if (n >= 3 && named(cells, n, "_time") && (named(cells, n, "_raw") || named(cells, n, "sourcetype"))) score = 90;
	/* Any table with as many cells in its first record, one of them the time that the header names. */
	for (uint32_t i = 0; !score && n >= 3 && n < COUNT(cells) && i < n && i < m; i++)
		for (size_t k = 0; k < COUNT(time_columns); k++)
			if (m >= n && str_eq(str_trim(cells[i]), str_of(time_columns[k])) && json_time(str_trim(second[i]), false, &t, &zoned)) score = 45;
	free(scratch);
	return score;
}

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }

const struct reader_ops read_csv_ops = {.format = "csv", .what = "table of log records (CSV, TSV)",
	.mark = "a header line whose column names are those of logs", .sniff = sniff, .open = open,
	TEXT_READER_REST};
