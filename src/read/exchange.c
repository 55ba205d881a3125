/* exchange.c: Exchange's own logs, CSV with a header: HttpProxy, ECP, EWS, remote PowerShell, audit queue, SMTP, message tracking, agents,
 * OAB generator, and whatever else has their form. See doc/formats.md, section Exchange.
 *
 *	DateTime,RequestId,...                  a bare header, in many builds
 *	#Software: Microsoft Exchange Server
 *	#Log-type: HttpProxy Logs
 *	#Fields: DateTime,RequestId,...
 *	2021-03-03T06:47:52.387Z,5f01...
 * The header says what kind of log it is. In some kinds the last column is free text with commas and quotes of its own: it reaches to the
 * end of the line. Columns made of "T:key=value;" lists give their values as hidden columns: EventData.CMD. */
#include "read/delimited_internal.h"
#include "read/json_internal.h"
#include "read/read_internal.h"
#include "event/web.h"
#include <stdio.h>

enum { COLUMNS_MAX = 256, DERIVED_MAX = 32 };

enum how { H_CELL, H_REST, H_LIST, H_URI, H_QUERY, H_FIRST, H_KEY, H_SERVER };
/* A column of an event: of which cell, and how it is made. */
struct plan { uint8_t how; uint16_t cell; struct str key; };

/* The kinds of logs: told by column names that only they have. */
struct kind {
	const char *format;
	const char *has[3];          /* all of these columns */
	const char *type;            /* part of #Log-type that decides where columns do not; NULL: columns do */
	bool rest;                   /* the last column reaches to the end of the line; of protocol logs the one before it: what peers say has commas */
	const char *keys_of;         /* a column of "T:key=value;", and the keys worth a column */
	const char *keys;
	bool by_type;                /* other kinds have its columns, too: without the type it could be one of them */
};
static const struct kind kinds[] = {
	{"httpproxy", {"AnchorMailbox", "HttpStatus"}, NULL, false, NULL, NULL, false}, /* extracts have a few of its columns */
	{"ecp-activity", {"TimeStamp", "EventId", "EventData"}, "Activity", true, "EventData", "PSA URL REFERRER SID USID CMD", true},
	{"ecp-server", {"TimeStamp", "EventId", "EventData"}, NULL, true, "EventData", "CMD URL REFERRER SID USID EX REQID ACTID TIME BLD", false},
	{"rps-cmdlet", {"Cmdlet", "Parameters", "ExecutingUserSid"}, NULL, false, "GenericInfo", "PSSenderInfo", false},
	{"rps-http", {"ClientInfo", "ShellId"}, NULL, false, NULL, NULL, false},
	{"ews", {"SoapAction", "RequestId"}, NULL, false, NULL, NULL, false},
	{"audit-queue", {"RecordType", "Data", "Workload"}, NULL, false, NULL, NULL, false},
	{"message-tracking", {"internal-message-id", "event-id", "source-context"}, NULL, false, NULL, NULL, false},
	{"smtp-send", {"connector-id", "session-id", "remote-endpoint"}, "Send", true, NULL, NULL, true},
	{"smtp-receive", {"connector-id", "session-id", "remote-endpoint"}, NULL, true, NULL, NULL, false},
	{"agent", {"P1FromAddress", "Agent"}, NULL, false, NULL, NULL, false},
	{"oabgenerator", {NULL}, "OAB", true, NULL, NULL, true},
	{"exchange", {NULL}, NULL, false, NULL, NULL, false},
};

/* The columns of lines without any header, as a search over many files leaves them: by how many there are. */
static const struct usual { uint32_t n; const char *third; /* what the third cell begins with; NULL: a number */ const char *names; } usual[] = {
	{74, NULL,
		"DateTime,RequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,ClientRequestId,Protocol,UrlHost,UrlStem,"
		"ProtocolAction,AuthenticationType,IsAuthenticated,AuthenticatedUser,Organization,AnchorMailbox,UserAgent,"
		"ClientIpAddress,ServerHostName,HttpStatus,BackEndStatus,ErrorCode,Method,ProxyAction,TargetServer,TargetServerVersion,"
		"RoutingType,RoutingHint,BackEndCookie,ServerLocatorHost,ServerLocatorLatency,RequestBytes,ResponseBytes,"
		"TargetOutstandingRequests,AuthModulePerfContext,HttpPipelineLatency,CalculateTargetBackEndLatency,GlsLatencyBreakup,"
		"TotalGlsLatency,AccountForestLatencyBreakup,TotalAccountForestLatency,ResourceForestLatencyBreakup,"
		"TotalResourceForestLatency,ADLatency,SharedCacheLatencyBreakup,TotalSharedCacheLatency,ActivityContextLifeTime,"
		"ModuleToHandlerSwitchingLatency,ClientReqStreamLatency,BackendReqInitLatency,BackendReqStreamLatency,"
		"BackendProcessingLatency,BackendRespInitLatency,BackendRespStreamLatency,ClientRespStreamLatency,"
		"KerberosAuthHeaderLatency,HandlerCompletionLatency,RequestHandlerLatency,HandlerToModuleSwitchingLatency,ProxyTime,"
		"CoreLatency,RoutingLatency,HttpProxyOverhead,TotalRequestTime,RouteRefresherLatency,UrlQuery,BackEndGenericInfo,"
		"GenericInfo,GenericErrors,EdgeTraceId,DatabaseGuid,UserADObjectGuid,PartitionEndpointLookupLatency,RoutingStatus"},
	{54, NULL,
		"DateTime,RequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,ClientRequestId,Protocol,UrlStem,"
		"ProtocolAction,AuthenticationType,IsAuthenticated,AuthenticatedUser,Organization,AnchorMailbox,UserAgent,"
		"ClientIpAddress,ServerHostName,HttpStatus,BackEndStatus,ErrorCode,Method,ProxyAction,TargetServer,,"
		"TargetServerVersion,RoutingHint,BackEndCookie,ServerLocatorHost,ServerLocatorLatency,RequestBytes,ResponseBytes,"
		"TargetOutstandingRequests,AuthModulePerfContext,HttpPipelineLatency,CalculateTargetBackEndLatency,GlsLatencyBreakup,"
		"TotalGlsLatency,AccountForestLatencyBreakup,TotalAccountForestLatency,ResourceForestLatencyBreakup,"
		"TotalResourceForestLatency,ADLatency,ActivityContextLifeTime,ModuleToHandlerSwitching,FirstResponseByteReceived,"
		"ProxyTime,RequestHandlerLatency,HandlerToModuleSwitching,HttpProxyOverhead,TotalRequestTime,UrlQuery,GenericInfo,"
		"GenericErrors"},
	{4, "ECP.", "TimeStamp,ServerName,EventId,EventData"},
};

struct own {
	bool assumed;                /* the columns, for there was no header, or none that a line fits */
	bool fitted;                 /* a record had the cells of the header in force */
	struct delimited csv;
	struct json_events audit;    /* JSON in the audit queue's Data column */
	struct arena names;          /* of the header in force */
	const struct kind *kind;
	char type[64], version[24];  /* of #Log-type, #Version */
	struct range where;          /* of the header line; length 0: none yet */
	struct range type_at;        /* of the line that says the type */
	struct str fields;
	uint32_t n;                  /* cells of a record */
	int32_t time, data, query;   /* columns; -1 = none */
	uint32_t wide;               /* the column that reaches over commas, where the kind has one */
	struct plan plan[COLUMNS_MAX + DERIVED_MAX];
	struct column columns[COLUMNS_MAX + DERIVED_MAX];
	struct shape spec;
	const struct shape *shape;   /* of the header; NULL until its first record */
};

static struct own *own(struct reader *r) { return r->own; }

/* --- header --- */

static int32_t column_of(const struct own *o, const char *name)
{
	for (uint32_t i = 0; i < o->n; i++)
		if (str_eq(o->columns[i].name, str_of(name))) return (int32_t)i;
	return -1;
}

static bool first_present(const struct own *o, const char *const *names, size_t n, int32_t *ret)
{
	*ret = -1;
	for (size_t i = 0; i < n && *ret < 0; i++) *ret = column_of(o, names[i]);
	return *ret >= 0;
}

static void add(struct own *o, struct str name, enum how how, int32_t cell, struct str key)
{
	if (cell < 0 || o->spec.n_columns == COUNT(o->columns)) return;
	o->plan[o->spec.n_columns] = (struct plan){(uint8_t)how, (uint16_t)cell, key};
	o->columns[o->spec.n_columns++] = (struct column){.name = name, .hidden = true};
}

/* What rules ask for that no single cell is. */
static void add_derived(struct own *o)
{
	struct str none = {"", 0};
	int32_t stem = column_of(o, "UrlStem");
	o->query = column_of(o, "UrlQuery");
	if (str_eq(str_of(o->kind->format), STR("httpproxy")) && stem >= 0) {
		add(o, STR("cs-uri-query"), H_QUERY, o->query, none);
		add(o, STR("c-uri-query"), H_QUERY, o->query, none);
		add(o, STR("cs-uri-query"), H_URI, stem, none);
		add(o, STR("cs-uri"), H_URI, stem, none);
		add(o, STR("c-uri"), H_URI, stem, none);
		add(o, STR("c-ip"), H_FIRST, column_of(o, "ClientIpAddress"), none);
	}
	struct str keys = str_of(o->kind->keys ? o->kind->keys : "");
	int32_t cell = o->kind->keys_of ? column_of(o, o->kind->keys_of) : -1;
	while (cell >= 0 && keys.p) {
		struct str key = str_cut(&keys, ' ');
		char *p = arena_alloc(&o->names, strlen(o->kind->keys_of) + key.n + 2);
		if (!p) return;
		int n = sprintf(p, "%s.%.*s", o->kind->keys_of, STR_FMT(key));
		add(o, (struct str){p, (size_t)n}, H_KEY, cell, key);
	}
}

static bool has_all(const struct own *o, const struct kind *k)
{
	for (size_t i = 0; i < COUNT(k->has) && k->has[i]; i++)
		if (column_of(o, k->has[i]) < 0) return false;
	return !k->type || strstr(o->type, k->type);
}

static void find_kind(struct reader *r)
{
	struct own *o = own(r);
	size_t i = 0;
	/* Without a #Log-type the folder says it: Logging/ECP/Activity, OABGeneratorLog. */
	if (!o->type[0] && str_find(r->in->path, STR("Activity"), 0) != SIZE_MAX) strcpy(o->type, "Activity");
	if (!o->type[0] && str_find(r->in->path, STR("OABGen"), 0) != SIZE_MAX) strcpy(o->type, "OAB");
	while (i + 1 < COUNT(kinds) && !has_all(o, &kinds[i])) i++;
	o->kind = &kinds[i];
}

/* Takes over a header's names. False: none, or too many. */
static bool set_header(struct reader *r, struct str fields, struct range where)
{
	static const char *const times[] = {"DateTime", "TimeStamp", "Timestamp", "date-time", "dateTime", "StartTime"};
	static const char *const hosts[] = {"ServerHostName", "ServerName", "Server", "server-hostname", "Server-Name"};
	struct own *o = own(r);
	int32_t host;
	arena_reset(&o->names);
	o->n = 0;
	o->shape = NULL;
	o->where = where;
	o->fitted = false;
	o->fields = arena_str(&o->names, text_clean(r, fields));
	struct str rest = o->fields;
	while (rest.p) {
		if (o->n == COLUMNS_MAX) return o->n = 0, false;
		struct str name = str_trim(str_cut(&rest, ','));
		if (name.n > 1 && name.p[0] == '"' && name.p[name.n - 1] == '"') name = str_sub(name, 1, name.n - 2);
		/* A column without name occurs between named ones. */
		if (!name.n) {
			char *p = arena_alloc(&o->names, 16);
			if (!p) return o->n = 0, false;
			name = (struct str){p, (size_t)sprintf(p, "(%u)", o->n + 1)};
		}
		o->plan[o->n] = (struct plan){H_CELL, (uint16_t)o->n, {"", 0}};
		o->columns[o->n++] = (struct column){.name = name};
	}
	if (o->n < 2) return o->n = 0, false;
	o->spec = (struct shape){.columns = o->columns, .n_columns = o->n, .event_id = -1, .host_column = -1};
	find_kind(r);
	o->wide = o->n - 1;
	if (o->n > 2 && column_of(o, "data") == (int32_t)o->n - 2) o->wide--;
	if (o->kind->rest) o->plan[o->wide].how = H_REST;
	/* These are written without quotes, and there are many: keywords look at the line. */
	for (uint32_t i = 0; i < o->n; i++) o->columns[i].covered = str_eq(str_of(o->kind->format), STR("httpproxy"));
	if (first_present(o, hosts, COUNT(hosts), &host)) o->spec.host_column = host;
	int32_t connector = str_eq(str_of(o->kind->format), STR("smtp-receive")) ? column_of(o, "connector-id") : -1;
	first_present(o, times, COUNT(times), &o->time);
	int32_t to = column_of(o, "recipient-address");
	if (to >= 0) o->plan[to].how = H_LIST;
	o->data = str_eq(str_of(o->kind->format), STR("audit-queue")) ? column_of(o, "Data") : -1;
	add_derived(o);
	/* Receive connectors bear their server's name: MX01\Default Frontend MX01. */
	if (connector >= 0) o->spec.host_column = (int32_t)o->spec.n_columns, add(o, STR("server"), H_SERVER, connector, (struct str){"", 0});
	return true;
}

static const struct shape *shape_of(struct reader *r)
{
	struct own *o = own(r);
	if (o->shape) return o->shape;
	struct buf key = {0};
	o->spec.format = str_of(o->kind->format);
	o->spec.bindings = text_bindings(r, o->spec.format, &o->spec.n_bindings);
	buf_printf(&key, "exchange %s ", o->kind->format);
	buf_str(&key, o->fields);
	o->shape = shape_table_find(r->shapes, buf_view(&key));
	if (!o->shape) o->shape = text_shape(r, buf_view(&key), &o->spec);
	buf_done(&key);
	return o->shape;
}

/* --- cells --- */

/* The free text at a line's end: in quotes as a whole it is a cell like others; else as it stands, doubled quotes made single, for the
 * writer doubles them without putting the cell in quotes. */
static struct str rest_of(struct reader *r, uint32_t cell)
{
	const struct delimited *d = &own(r)->csv;
	if (cell >= d->row.n) return (struct str){"", 0};
	if (d->row.n == cell + 1 && d->row.v[cell].flags & CSV_QUOTED && !(d->row.v[cell].flags & CSV_ODD)) return delimited_cell(r, d, cell);
	struct str s = delimited_rest(r, d, cell);
	uint32_t behind = own(r)->n - 1 - cell; /* columns that follow */
	if (behind && d->row.n > cell + behind) {
		const struct csv_cell *last = &d->row.v[d->row.n - 1 - behind], *first = &d->row.v[cell];
		if (last == first) return delimited_cell(r, d, cell);
		size_t from = first->start - (first->flags & CSV_QUOTED && !(first->flags & CSV_ODD)), to = last->start + last->length + (last->flags & CSV_QUOTED && !(last->flags & CSV_ODD));
		s = text_clean(r, str_sub(d->text, from, to - from));
	}
	if (str_find(s, STR("\"\""), 0) == SIZE_MAX) return s;
	char *p = arena_alloc(&r->arena, s.n);
	size_t n = 0;
	if (!p) return (struct str){"", 0};
	for (size_t i = 0; i < s.n; i++) {
		p[n++] = s.p[i];
		if (s.p[i] == '"' && i + 1 < s.n && s.p[i + 1] == '"') i++;
	}
	return (struct str){p, n};
}

static struct str cell_of(struct reader *r, const struct plan *p)
{
	const struct own *o = own(r);
	if (o->kind->rest && p->cell == o->wide) return rest_of(r, p->cell);
	uint32_t more = o->csv.row.n > o->n && p->cell > o->wide ? o->csv.row.n - o->n : 0;
	return delimited_cell(r, &o->csv, p->cell + more);
}

/* The value of `key` in "S:TIME=13;S:SID=..;'S:CMD=a;b''c';Dbl:X=1": a pair with ; or ' in it stands in single quotes, with '' for a
 * quote. Also "key=value;" without types. p == NULL: not there. */
static struct str key_value(struct str s, struct str key, struct arena *a)
{
	struct str none = {NULL, 0};
	for (size_t at = 0; at < s.n;) {
		bool quoted = s.p[at] == '\'';
		size_t from = at + quoted, end = from;
		while (end < s.n && (quoted ? !(s.p[end] == '\'' && (end + 1 >= s.n || s.p[end + 1] == ';')) : s.p[end] != ';'))
			end += quoted && s.p[end] == '\'' && end + 1 < s.n && s.p[end + 1] == '\'' ? 2 : 1;
		if (end > s.n) end = s.n;
		struct str pair = str_sub(s, from, end - from), name = str_cut(&pair, '=');
		size_t colon = str_find_byte(name, ':', 0);
		if (colon != SIZE_MAX && colon <= 4) name = str_sub(name, colon + 1, name.n);
		at = end + quoted + 1;
		if (!pair.p || !str_eq(name, key)) continue;
		if (!quoted || str_find(pair, STR("''"), 0) == SIZE_MAX) return pair;
		char *p = arena_alloc(a, pair.n);
		size_t n = 0;
		if (!p) return none;
		for (size_t i = 0; i < pair.n; i++) {
			p[n++] = pair.p[i];
			if (pair.p[i] == '\'' && i + 1 < pair.n && pair.p[i + 1] == '\'') i++;
		}
		return (struct str){p, n};
	}
	return none;
}

static void list_value(struct str s, char separator, struct arena *a, struct value *ret)
{
	uint32_t n = 1, i = 0;
	value_set_str(ret, s);
	if (!s.n || !memchr(s.p, separator, s.n)) return;
	for (size_t k = 0; k < s.n; k++) n += s.p[k] == separator;
	struct value *items = arena_alloc(a, n * sizeof *items);
	if (!items) return;
	while (s.p) items[i++] = value_str(str_cut(&s, separator));
	*ret = (struct value){.kind = VALUE_LIST, .n = i, .items = items};
}

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	const struct own *o = own(r);
	const struct plan *p = &o->plan[column];
	struct str s = cell_of(r, p);
	switch ((enum how)p->how) {
	case H_CELL: case H_REST: break;
	case H_LIST: list_value(s, ';', ev->arena, ret); return;
	case H_URI: s = web_uri(ev->arena, s, o->query >= 0 ? delimited_cell(r, &o->csv, (uint32_t)o->query) : (struct str){"", 0}); break;
	case H_QUERY: s = s.n && s.p[0] == '?' ? str_sub(s, 1, s.n) : s; break;
	case H_FIRST: s = str_cut(&s, ' '); break;
	case H_SERVER: s = str_find_byte(s, '\\', 0) == SIZE_MAX ? (struct str){NULL, 0} : str_cut(&s, '\\'); break;
	case H_KEY: s = key_value(s, p->key, ev->arena); break;
	}
	*ret = s.p ? value_str(s) : (struct value){.kind = VALUE_ABSENT};
	/* An empty cell says nothing: rules write null for it. */
	if (s.p && !s.n) *ret = (struct value){.kind = VALUE_NULL};
}

static uint32_t contexts(const struct event *ev, struct range *ret, uint32_t max)
{
	const struct own *o = own((struct reader *)ev->impl);
	uint32_t n = 0;
	if (n < max && o->where.length) ret[n++] = o->where;
	/* Where columns alone do not say what kind of log it is. */
	if (n < max && o->kind->by_type && o->type_at.length) ret[n++] = o->type_at;
	return n;
}

/* What stands before a cell's bytes in what undecoded gives: what is made of it, how it stands there (NO_CELL: it is not there), and its length; or which
 * of the cells before it is the same. */
struct raw_head { uint8_t how, flags; uint16_t again; /* that cell's place + 1, or 0 */ uint32_t n; };
struct raw_cells { struct buf *out; uint16_t met[COLUMNS_MAX]; /* place + 1 */ uint16_t n; };
enum { NO_CELL = UINT8_MAX };

static void put_cell(const struct own *o, uint8_t how, uint32_t i, struct raw_cells *cells)
{
	const struct csv_cell *c = i < o->csv.row.n ? &o->csv.row.v[i] : NULL;
	struct raw_head head = {how, c ? (uint8_t)c->flags : NO_CELL, cells->met[i], c ? c->length : 0};
	buf_put(cells->out, &head, sizeof head);
	if (cells->met[i]) return;
	if (c) buf_str(cells->out, str_sub(o->csv.text, c->start, c->length));
	cells->met[i] = ++cells->n;
}

static enum sift undecoded(struct event *ev, const struct column_set *set, struct buf *raw, struct buf *rest)
{
	const struct own *o = own((struct reader *)ev->impl);
	struct raw_cells cells = {.out = raw};
	if (o->kind->rest || !ev->raw.p) return SIFT_NONE;
	for (uint32_t i = 0; raw && i < set->n && set->v[i] < ev->shape->n_columns; i++) {
		const struct plan *p = &o->plan[set->v[i]];
		put_cell(o, p->how, p->cell, &cells);
		if (p->how == H_URI && o->query >= 0) put_cell(o, p->how, (uint32_t)o->query, &cells);
	}
	/* What stands around a closing quote in the middle of a cell stands side by side in the value. Of other cells all that is plain stands in the line. */
	for (uint32_t i = 0; rest && i < o->csv.row.n; i++)
		if (o->csv.row.v[i].flags & CSV_ODD) return SIFT_NONE;
	if (rest) buf_str(rest, ev->raw);
	return SIFT_WHOLE;
}

static const struct event_ops ops = {.decode = decode, .contexts = contexts, .undecoded = undecoded};

/* --- records --- */

static struct str directive(struct str line, const char *name)
{
	size_t n = strlen(name);
	if (!str_eq_nocase(str_sub(line, 1, n), str_of(name)) || line.n <= n + 1 || line.p[n + 1] != ':') return (struct str){NULL, 0};
	return str_trim(str_sub(line, n + 2, line.n));
}

static void take_directive(struct reader *r)
{
	struct own *o = own(r);
	const struct delimited *d = &o->csv;
	struct str v;
	report_header(&r->report, d->offset, d->size);
	if ((v = directive(d->text, "Log-type")).p) {
		snprintf(o->type, sizeof o->type, "%.*s", STR_FMT(v));
		o->type_at = (struct range){d->offset, d->length};
		/* A bare header came before it: what kind it is may be another. */
		struct str fields = o->n ? arena_str(&r->arena, o->fields) : (struct str){NULL, 0};
		if (fields.p) set_header(r, fields, o->where);
	} else if ((v = directive(d->text, "Version")).p) {
		snprintf(o->version, sizeof o->version, "%.*s", STR_FMT(v));
	} else if ((v = directive(d->text, "Fields")).p) {
		if (!set_header(r, v, (struct range){d->offset, d->length})) report_note(&r->report, d->offset,
			"a #Fields line without names or with too many");
	}
}

/* A header without '#': first cell is the name of a time column; in an export all names are in quotes. */
static bool is_header(struct str line)
{
	static const char *const firsts[] = {"DateTime", "TimeStamp", "Timestamp", "date-time", "dateTime"};
	bool quoted = line.n && line.p[0] == '"';
	struct str first = str_cut(&line, ',');
	if (!line.p || (quoted && (first.n < 3 || first.p[first.n - 1] != '"'))) return false;
	if (quoted) first = str_sub(first, 1, first.n - 2);
	for (size_t i = 0; i < COUNT(firsts); i++)
		if (str_eq(first, str_of(firsts[i]))) return true;
	return false;
}

/* Which of the usual logs a line is of, by the number of its cells, its time, and what stands in its third; NULL: none. */
static const struct usual *usual_of(struct str line, uint32_t cells)
{
	struct str rest = line, first = str_cut(&rest, ',');
	struct etime t;
	if (first.n < 20 || first.p[10] != 'T' || !etime_parse(first, &t, NULL)) return NULL;
	str_cut(&rest, ',');
	struct str third = str_cut(&rest, ',');
	for (size_t i = 0; i < COUNT(usual); i++) {
		const struct usual *u = &usual[i];
		if (u->third ? cells >= u->n && str_starts(third, str_of(u->third)) : cells == u->n && third.n && third.p[0] >= '0' && third.p[0] <= '9') return u;
	}
	return NULL;
}

static bool assume_header(struct reader *r)
{
	struct own *o = own(r);
	const struct usual *u = usual_of(o->csv.text, (uint32_t)o->csv.row.n);
	if (o->fitted || !u || !set_header(r, str_of(u->names), (struct range){0, 0})) return false;
	o->assumed = true;
	report_note(&r->report, o->csv.offset, "no header that fits: the usual columns were assumed");
	return true;
}

static bool record_time(struct reader *r, struct etime *ret)
{
	struct own *o = own(r);
	bool zoned;
	*ret = (struct etime){0};
	if (o->time < 0) return true;
	return etime_parse(delimited_cell(r, &o->csv, (uint32_t)o->time), ret, &zoned);
}

/* The audit queue's Data: the unified audit record itself is the event. */
static bool audit_event(struct reader *r)
{
	struct own *o = own(r);
	const struct delimited *d = &o->csv;
	struct str text = o->data >= 0 ? delimited_cell(r, d, (uint32_t)o->data) : (struct str){"", 0};
	if (!text.n || text.p[0] != '{' || !json_read_all(&o->audit.object.tape, text, NULL)) return false;
	o->audit.object.text = text;
	o->audit.header = o->where;
	o->audit.server = o->spec.host_column >= 0 ? delimited_cell(r, d, (uint32_t)o->spec.host_column) : (struct str){NULL, 0};
	return json_events_make(&o->audit, d->offset, d->length, d->size, d->line, r->lines.encoding == TEXT_UTF8 ? d->text.p : NULL);
}

/* Why the record does not fit the header; NULL: it does. */
static const char *misfit(const struct own *o)
{
	const struct delimited *d = &o->csv;
	if (!o->n) return "no header before it";
	if (d->row.n == o->n || (d->row.n > o->n && o->kind->rest)) return NULL;
	if (!d->ended && d->row.n < o->n) return "line cut off";
	return d->row.n < o->n ? "fewer cells than the header has" : "more cells than the header has";
}

static bool next(struct reader *r)
{
	struct own *o = own(r);
	struct delimited *d = &o->csv;
	struct etime t;
	for (enum delimited_got got; (got = delimited_next(r, d)) != DELIMITED_END; arena_reset(&r->arena)) {
		const char *why;
		if (got == DELIMITED_COMMENT) {
			take_directive(r);
		} else if (is_header(d->text)) {
			report_header(&r->report, d->offset, d->size);
			if (!set_header(r, d->text, (struct range){d->offset, d->length})) report_note(&r->report, d->offset,
				"a header without names or with too many");
		} else if (((why = misfit(o)) && !assume_header(r)) || (why = record_time(r, &t) ? NULL : "no time where the header says")) {
			delimited_damage(r, d, why);
		} else if (audit_event(r)) {
			return true;
		} else {
			o->fitted = true;
			delimited_event(r, d, shape_of(r), &ops, t);
			return true;
		}
	}
	json_events_note(&o->audit);
	return false;
}

static bool begin(struct reader *r, struct fault *f)
{
	(void)f;
	arena_init(&own(r)->names, 1 << 20);
	json_events_begin(&own(r)->audit, r, 1 << 18);
	return true;
}

static void end(struct reader *r)
{
	arena_done(&own(r)->names);
	delimited_done(&own(r)->csv);
	json_events_end(&own(r)->audit);
}

static void parameters(struct reader *r, struct buf *out)
{
	struct own *o = own(r);
	buf_printf(out, " kind=%s zone=UTC", o->kind ? o->kind->format : "exchange");
	if (o->version[0]) buf_printf(out, " version=%s", o->version);
	if (o->assumed) buf_lit(out, " fields=assumed");
	if (o->kind && o->data >= 0) json_events_parameters(&o->audit, out);
}

static const struct text_format format = {"exchange", sizeof(struct own), begin, next, end, parameters};

/* --- the contract --- */

static uint32_t commas(struct str line)
{
	uint32_t n = 0;
	for (size_t i = 0; i < line.n; i++) n += line.p[i] == ',';
	return n;
}

static int sniff(struct str head, uint64_t size, struct str path)
{
	char *scratch;
	struct str rest = lines_head(head, &scratch);
	int score = 0;
	(void)size;
	(void)path;
	for (int i = 0; i < 8 && rest.p && !score; i++) {
		struct str line = str_trim(str_cut(&rest, '\n'));
		if (str_starts(line, STR("#Software: Microsoft Exchange"))) score = 97;
		else if (str_starts(line, STR("#Fields:")) && str_find_byte(line, ',', 0) != SIZE_MAX) score = 90;
		else if (i == 0 && usual_of(line, commas(line) + 1)) score = 80;
		else if (i == 0 && str_starts(line, STR("#TYPE "))) i = -1; /* written by an export; the header comes next */
		else if (i == 0 && is_header(line)) {
			static const char *const marks[] = {"AnchorMailbox", "EventData", "ExecutingUserSid", "ClientInfo", "SoapAction", "internal-message-id",
				"session-id",
				"P1FromAddress", "Workload"};
			for (size_t k = 0; k < COUNT(marks); k++)
				if (str_find(line, str_of(marks[k]), 0) != SIZE_MAX) score = 93;
		}
	}
	free(scratch);
	return score;
}

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }

const struct reader_ops read_exchange_ops = {.format = "exchange", .what = "Exchange server log (CSV)",
	.mark = "#Software: Microsoft Exchange Server, or a header line with columns of Exchange", .sniff = sniff, .open = open,
	TEXT_READER_REST};
