/* lens.c: which kind of log a shape belongs to, and which of its columns holds what. See incident_internal.h. */
#include "incident/incident_internal.h"

static const char *const words[LOGS] = {
	"none", "iis", "httpproxy", "ecp-server", "management", "rps-cmdlet", "rps-http", "security", "sysmon", "application", "oabgenerator", "ews", "messagetracking", "audit",
	"webserver", "other"
};
const char *log_word(enum log_kind k) { return (unsigned)k < LOGS ? words[k] : "?"; }

/* Names a field goes by, best first; separated by blanks. The first that a shape has is taken. */
static const char *const names[LENS_FIELDS] = {
	[F_METHOD] = "cs-method csMethod Method",
	[F_STEM] = "cs-uri-stem csUriStem UrlStem",
	[F_QUERY] = "cs-uri-query csUriQuery UrlQuery",
	[F_STATUS] = "sc-status scStatus HttpStatus",
	[F_AGENT] = "cs(User-Agent) cs-user-agent csUser-Agent csUserAgent c-useragent UserAgent ClientInfo",
	[F_CLIENT] = "c-ip cIP ClientIpAddress ClientIPAddress ClientIP original-client-ip client-ip",
	[F_USER] = "cs-username csUserName AuthenticatedUser SubjectUserName UserId User",
	[F_REFERER] = "cs(Referer) cs-referer csReferer",
	[F_HOST] = "OriginatingServer ServerHostName server-hostname s-computername ServerName Computer Hostname",
	[F_PORT] = "s-port sPort",
	[F_ADDRESS] = "s-ip sIP",
	[F_ANCHOR] = "AnchorMailbox",
	[F_COOKIE] = "BackEndCookie",
	[F_REQUEST] = "RequestId RequestID",
	[F_FILE] = "TargetFilename RelativeTargetName",
	[F_IMAGE] = "Image NewProcessName",
	[F_PARENT] = "ParentImage ParentProcessName",
	[F_COMMAND] = "CommandLine",
	[F_UTC] = "UtcTime",
	[F_TEXT] = "EventData Parameters Message Data",
	[F_MINOR] = "MinorVersion",
	[F_BUILD] = "BuildVersion",
	[F_GENERIC] = "GenericInfo",
	[F_BYTES] = "sc-bytes scBytes ResponseBytes",
	[F_EVENT] = "event-id",
	[F_SOURCE] = "source",
	[F_SENDER] = "sender-address",
	[F_RECIPIENT] = "recipient-address",
	[F_RELATED] = "related-recipient-address",
	[F_DIRECTION] = "directionality",
	[F_FORWARDED] = "X-Forwarded-For x-forwarded-for X-FORWARDED-FOR OriginalIP"
};

static int32_t first_of(const struct shape *s, const char *list)
{
	struct str rest = str_of(list);
	while (rest.p) {
		int32_t column = shape_column(s, str_cut(&rest, ' '));
		if (column >= 0) return column;
	}
	return -1;
}

static enum log_kind log_of_service(struct str product, struct str service)
{
	static const struct { const char *product, *service; enum log_kind log; } known[] = {
		{"exchange", "httpproxy", LOG_HTTPPROXY}, {"exchange", "ecp-server", LOG_ECP}, {"exchange", "rps-http", LOG_RPS_HTTP},
		{"exchange", "rps-cmdlet", LOG_RPS_CMDLET}, {"exchange", "oabgenerator", LOG_OAB}, {"exchange", "ews", LOG_EWS},
		{"exchange", "message-tracking", LOG_TRACKING}, {"m365", "audit", LOG_AUDIT}, {"windows", "msexchange-management", LOG_MANAGEMENT},
		{"windows", "security", LOG_SECURITY}, {"windows", "sysmon", LOG_SYSMON}, {"windows", "application", LOG_APPLICATION}
	};
	for (size_t i = 0; i < COUNT(known); i++)
		if (str_eq(product, str_of(known[i].product)) && str_eq(service, str_of(known[i].service))) return known[i].log;
	return LOG_NONE;
}

/* An extract or an export of such a log, as JSON or CSV that says nothing of where it comes from: by columns that only these have together. */
static enum log_kind log_of_columns(const struct shape *s)
{
	static const struct { const char *has[3]; enum log_kind log; } known[] = {
		{{"AnchorMailbox", "HttpStatus", "UrlStem"}, LOG_HTTPPROXY}, {{"Cmdlet", "Parameters", "ExecutingUserSid"}, LOG_RPS_CMDLET}, {{"ClientInfo", "ShellId", "HttpStatus"}, LOG_RPS_HTTP},
		{{"cs-uri-stem", "sc-status", "s-port"}, LOG_IIS}, {{"csUriStem", "scStatus", "sPort"}, LOG_IIS}
	};
	for (size_t i = 0; i < COUNT(known); i++) {
		unsigned has = 0;
		for (size_t k = 0; k < 3; k++) has += shape_column(s, str_of(known[i].has[k])) >= 0;
		if (has == 3) return known[i].log;
	}
	return LOG_OTHER;
}

static enum log_kind log_of(const struct shape *s)
{
	bool web = starts_nocase(s->format, "iis") || str_eq(s->channel, STR("Microsoft-IIS-Logging/Logs")), iis = web;
	for (uint32_t i = 0; i < s->n_bindings; i++) {
		const struct logsource *ls = &s->bindings[i].ls;
		enum log_kind k = log_of_service(ls->product, ls->service);
		if (k) return k;
		web |= str_eq(ls->category, STR("webserver"));
	}
	if (!web) return log_of_columns(s);
	return iis || (shape_column(s, STR("s-port")) >= 0 && !str_eq(s->format, STR("ncsa"))) ? LOG_IIS : LOG_WEB;
}

void lens_make(const struct shape *s, struct lens *ret)
{
	*ret = (struct lens){.shape = s, .log = log_of(s), .cover = UINT32_MAX};
	for (unsigned f = 0; f < LENS_FIELDS; f++) ret->column[f] = first_of(s, names[f]);
	if (ret->column[F_HOST] < 0) ret->column[F_HOST] = s->host_column;
}

struct str lens_text(const struct lens *l, struct event *ev, enum lens_field f)
{
	if (l->column[f] < 0) return (struct str){"", 0};
	struct value *v = event_cell(ev, (uint32_t)l->column[f]);
	if (v->kind == VALUE_STR) return v->text.n == 1 && v->text.p[0] == '-' ? (struct str){"", 0} : v->text;
	if (v->kind == VALUE_LIST) v = v->n ? &v->items[0] : NULL;
	if (!v || v->kind == VALUE_ABSENT || v->kind == VALUE_NULL) return (struct str){"", 0};
	struct str s = value_text(v, ev->arena);
	return s.n == 1 && s.p[0] == '-' ? (struct str){"", 0} : s;
}

uint32_t lens_status(const struct lens *l, struct event *ev)
{
	uint64_t v;
	return str_u64(lens_text(l, ev, F_STATUS), &v) && v < 1000 ? (uint32_t)v : 0;
}

struct str server_short(struct str host, char out[64])
{
	size_t n = 0, letters = 0;
	for (size_t i = 0; i < host.n; i++) letters += (host.p[i] | 32) >= 'a' && (host.p[i] | 32) <= 'z';
	for (size_t i = 0; i < host.n && n < 64; i++) {
		char c = host.p[i];
		if ((c == '.' && letters && !memchr(host.p, ':', host.n)) || c == ' ') break;
		out[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	return (struct str){out, n};
}
