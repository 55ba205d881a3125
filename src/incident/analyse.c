/* analyse.c: phase one: does this event matter for a story, and what of it is needed later. See incident.h. */
#include <stdio.h>
#include "incident/incident_internal.h"

struct analyser *analyser_new(const struct incident_plan *p, size_t max_bytes)
{
	struct analyser *a = xcalloc(1, sizeof *a);
	a->plan = p;
	calendar_init(&a->calendar, max_bytes);
	return a;
}

void analyser_free(struct analyser *a)
{
	if (!a) return;
	for (size_t i = 0; i < a->lenses.n; i++) free(a->lenses.v[i]);
	vec_free(&a->lenses);
	calendar_done(&a->calendar);
	crowds_done(&a->crowds);
	buf_done(&a->payload);
	free(a);
}

enum { LENSES_MAX = 1 << 16 };

static struct lens *lens_of(struct analyser *a, const struct shape *s)
{
	if (s->id >= LENSES_MAX) goto spare;
	while (a->lenses.n <= s->id) vec_push(&a->lenses, NULL);
	struct lens *l = a->lenses.v[s->id];
	if (!l) {
		l = a->lenses.v[s->id] = xmalloc(sizeof *l);
		lens_make(s, l);
	}
	if (l->shape == s) return l;
spare: /* a shape outside the table: its id says nothing */
	lens_make(s, &a->spare);
	return &a->spare;
}

/* --- the server an event belongs to --- */

static struct str host_of(const struct lens *l, struct event *ev)
{
	struct str host = lens_text(l, ev, F_HOST);
	return host.n || l->log == LOG_AUDIT ? host : event_host(ev); /* an audit record's host is its organisation */
}

/* Short name, or "@address" where the log tells no more, or "#folder" where not even that. "~name" by an audit record, which may come from a server
 * in the cloud. */
static struct str server_of(const struct lens *l, struct event *ev, struct str path, char out[64])
{
	struct str host = host_of(l, ev);
	if (l->log == LOG_AUDIT) {
		char name[64];
		size_t n = server_short(str_sub(host, 0, 60), name).n;
		out[0] = '~';
		memcpy(out + 1, name, n);
		return (struct str){out, n + 1};
	}
	if (host.n) return server_short(host, out);
	host = lens_text(l, ev, F_ADDRESS);
	out[0] = '@';
	if (!host.n || host.n > 62) {
		size_t folder = path.n;
		while (folder && path.p[folder - 1] != '/') folder--;
		host = str_sub(path, folder > 63 ? folder - 63 : 0, folder > 63 ? 62 : folder ? folder - 1 : 0);
		out[0] = '#';
	}
	memcpy(out + 1, host.p, host.n);
	return (struct str){out, host.n + 1};
}

/* Sysmon says in UTC when a thing happened; the event's own time may have gone through a collector with a wrong clock. */
static struct etime time_of(const struct lens *l, struct event *ev, int64_t *ret_minutes)
{
	struct etime utc;
	*ret_minutes = 0;
	if (l->log != LOG_SYSMON || l->column[F_UTC] < 0 || !ev->time.present) return ev->time;
	if (!etime_parse(lens_text(l, ev, F_UTC), &utc, NULL)) return ev->time;
	int64_t seconds = ev->time.sec - utc.sec;
	if (seconds > -120 && seconds < 120) return ev->time;
	*ret_minutes = (seconds + (seconds < 0 ? -30 : 30)) / 60;
	return utc;
}

/* Whether F_UTC is plainly within the two minutes in which time_of has the event's own time: of the same minute as that which was read last. */
static bool utc_is_near(struct lens *l, struct event *ev)
{
	enum { TEXT = sizeof "2021-03-03 06:59:20.000" - 1, HEAD = sizeof l->minute };
	struct str s = lens_text(l, ev, F_UTC);
	struct etime t;
	if (s.n != TEXT) return false;
	unsigned ten = (unsigned)s.p[HEAD] - '0', one = (unsigned)s.p[HEAD + 1] - '0', bad = (ten > 5) | (one > 9) | (s.p[HEAD + 2] != '.');
	for (size_t i = HEAD + 3; i < TEXT; i++) bad |= (unsigned)s.p[i] - '0' > 9;
	if (bad) return false;
	if (!l->minute_sec || memcmp(s.p, l->minute, HEAD)) {
		if (!etime_parse(s, &t, NULL)) return false;
		l->minute_sec = t.sec - ten * 10 - one;
		memcpy(l->minute, s.p, HEAD);
	}
	int64_t seconds = ev->time.sec - (l->minute_sec + ten * 10 + one);
	return seconds > -120 && seconds < 120;
}

static void note_version(struct calendar_row *e, const struct lens *l, struct event *ev)
{
	uint64_t minor, build;
	if (!str_u64(lens_text(l, ev, F_MINOR), &minor) || !str_u64(lens_text(l, ev, F_BUILD), &build) || minor > 99 || build > 99999) return;
	if (minor < e->minor || (minor == e->minor && build <= e->build)) return;
	e->minor = (uint32_t)minor;
	e->build = (uint32_t)build;
}

static void count_coverage(struct analyser *a, struct lens *l, struct event *ev, uint32_t source, struct str path)
{
	char name[64];
	if (l->log == LOG_OTHER || l->log == LOG_AUDIT) return;
	bool alike = ev->alike && ev->alike == l->cover_alike && source == l->cover_source && l->cover != UINT32_MAX;
	struct str host = alike ? (struct str){"", 0} : host_of(l, ev);
	if (!alike && !host.n) host = lens_text(l, ev, F_ADDRESS);
	bool same = alike || (l->cover != UINT32_MAX && source == l->cover_source && host.n == l->cover_host_n && !memcmp(host.p, l->cover_host, host.n));
	if (!same) {
		l->cover = calendar_row(&a->calendar, l->log, server_of(l, ev, path, name), source);
		l->cover_host_n = host.n < sizeof l->cover_host ? host.n : 0;
		memcpy(l->cover_host, host.p, l->cover_host_n);
		l->cover_source = source;
		if (l->cover != UINT32_MAX && l->column[F_BUILD] >= 0) note_version(&a->calendar.v.v[l->cover], l, ev);
	}
	/* The number speaks of the shape's own column. */
	l->cover_alike = l->cover_host_n && l->column[F_HOST] == ev->shape->host_column ? ev->alike : 0;
	if (l->cover == UINT32_MAX) return;
	int64_t minutes = 0;
	bool near = l->log == LOG_SYSMON && l->column[F_UTC] >= 0 && ev->time.present && utc_is_near(l, ev);
	calendar_count(&a->calendar, l->cover, near ? ev->time : time_of(l, ev, &minutes), 1);
	if (minutes) calendar_shift(&a->calendar, source, minutes, 1);
}

/* --- pieces of text that tie events together --- */

static struct str piece_after(struct str s, const char *key, const char *stops)
{
	size_t at = find_nocase(s, key);
	if (at == SIZE_MAX) return (struct str){"", 0};
	s = str_sub(s, at + strlen(key), SIZE_MAX);
	size_t n = 0;
	while (n < s.n && n < 80 && !strchr(stops, s.p[n])) n++;
	return str_sub(s, 0, n);
}

static bool tool_agent(struct str agent)
{
	static const char *const tools[] = {"python", "curl", "wget", "go-http", "java/", "antsword", "powershell", "libwww", "exchangeservicesclient/0.0", "winhttp", "ruby",
		"UP Mozilla", "UP+Mozilla"};
	if (!agent.n) return true;
	for (size_t i = 0; i < COUNT(tools); i++)
		if (starts_nocase(agent, tools[i])) return true;
	return false;
}

static bool code_in_query(struct str query)
{
	static const char *const words[] = {"response.write", "response.end", "exec(", "eval(", "whoami", "cmd.exe", "ipconfig", "net+user", "net%20user", "wscript.shell",
		"system(", "base64_decode", "powershell"};
	for (size_t i = 0; i < COUNT(words); i++)
		if (has_nocase(query, words[i])) return true;
	return false;
}

/* --- what native analysers see --- */

struct look {
	struct analyser *a;
	const struct lens *lens;
	struct event *ev;
	struct trace trace;
	int rule;                 /* enum native_rule, or -1 */
	struct match_detail matched[CLUE_DETAILS];
	uint32_t n_matched;
};

static struct str kept(struct look *k, const char *text, size_t n)
{
	return arena_str(k->ev->arena, (struct str){text, n});
}

static void matched(struct look *k, struct str field, struct str value, struct str pattern)
{
	if (k->n_matched < CLUE_DETAILS) k->matched[k->n_matched++] = (struct match_detail){field, value, pattern};
}

/* A stage found natively; the highest stands. */
static void found(struct look *k, enum stage stage, int rule, const char *campaign, struct str reason)
{
	/* Of two at the same stage the one that may begin a story. */
	if (stage < k->trace.stage || (stage == k->trace.stage && ((k->trace.flags & TRACE_OPENS) || stage == STAGE_PROBE))) return;
	k->trace.stage = (uint8_t)stage;
	k->trace.kind = stage == STAGE_PROBE ? TRACE_PROBE : TRACE_MARK;
	k->trace.campaign = str_of(campaign);
	k->trace.reason = reason;
	k->trace.flags |= stage > STAGE_PROBE ? TRACE_OPENS : 0;
	k->trace.level = rule >= 0 ? (uint8_t)k->a->plan->rules[rule].level : LEVEL_INFORMATIONAL;
	k->rule = rule;
}

static bool look_at_anchor(struct look *k)
{
	static const int rules[STAGES] = {[STAGE_SSRF] = NATIVE_SSRF + 1, [STAGE_SESSION] = NATIVE_SESSION + 1, [STAGE_ENUMERATION] = NATIVE_ENUMERATION + 1,
		[STAGE_WRITTEN] = NATIVE_WRITTEN + 1};
	struct str mailbox = lens_text(k->lens, k->ev, F_ANCHOR), cookie = mailbox;
	if (!starts_nocase(mailbox, "ServerInfo~")) {
		cookie = lens_text(k->lens, k->ev, F_COOKIE);
		if (!starts_nocase(cookie, "Server~")) return false;
	}
	struct anchor found_anchor;
	if (!anchor_look(mailbox, cookie, lens_status(k->lens, k->ev), &found_anchor)) return false;
	/* The row shows what was reached; a rule that sees only method and status knows less. */
	k->trace.stage = STAGE_NONE;
	k->trace.flags &= (uint16_t)~TRACE_OPENS;
	found(k, found_anchor.stage, rules[found_anchor.stage] - 1, "proxylogon", kept(k, found_anchor.reason, strlen(found_anchor.reason)));
	k->trace.canary = piece_after(mailbox, "msExchEcpCanary=", "&#;'\" ");
	matched(k, STR("AnchorMailbox"), mailbox, STR("ServerInfo~*/*"));
	matched(k, STR("HttpStatus"), lens_text(k->lens, k->ev, F_STATUS), STR("by path"));
	return true;
}

/* "X-Rps-CAT=": looked for at every request, so by its rarest character. */
static bool has_token(struct str query)
{
	static const char name[] = "X-Rps-CAT";
	enum { N = sizeof name - 1 };
	const char *end = query.p + query.n;
	for (const char *at = query.p; (at = memchr(at, '=', (size_t)(end - at))); at++)
		if (at - query.p >= N && (at[-1] | 32) == 't' && starts_nocase((struct str){at - N, N}, name)) return true;
	return false;
}

/* A token of remote PowerShell in the address: only forged requests have it there, Exchange itself sends it in a header. */
static void look_at_token(struct look *k, struct str stem, struct str query)
{
	struct cat_token t = {0};
	char text[320];
	if (!has_token(query)) return;
	k->trace.flags |= TRACE_TOKEN;
	bool answered = lens_status(k->lens, k->ev) == 200, shell = answered && (has_nocase(stem, "powershell") || has_nocase(query, "powershell"));
	if (!token_look(query, &t)) {
		if (shell) found(k, STAGE_SESSION, NATIVE_TOKEN, "proxyshell", STR("remote PowerShell answered to a token in the address"));
		else found(k, STAGE_PROBE, -1, "proxyshell", STR("token of remote PowerShell in the address, not answered"));
		return;
	}
	int n = snprintf(text, sizeof text, "%s token of %s (%s)%s", answered ? "answered" : "refused", t.name, t.sid,
		t.forged ? ", which is the built-in administrator's number under another name" : "");
	struct str shown = kept(k, text, (size_t)n);
	k->trace.user = kept(k, t.name, strlen(t.name));
	if (shell) found(k, STAGE_SESSION, NATIVE_TOKEN, "proxyshell", shown);
	else if (t.forged) found(k, answered ? STAGE_SSRF : STAGE_PROBE, answered ? NATIVE_TOKEN : -1, "proxyshell", shown);
	else found(k, STAGE_PROBE, -1, "proxyshell", shown);
	k->trace.shown = shown;
	matched(k, STR("X-Rps-CAT"), shown, STR("*-500"));
}

static void look_at_ebcdic(struct look *k, struct str query)
{
	char text[300];
	size_t n = ebcdic_look(query, text, sizeof text);
	if (!n) return;
	struct str shown = kept(k, text, n);
	bool answered = lens_status(k->lens, k->ev) == 200;
	enum stage stage = answered ? STAGE_SESSION : STAGE_PROBE;
	if (k->trace.stage == stage) k->trace.stage = STAGE_NONE; /* what the request hid says more than a rule's title */
	found(k, stage, answered ? NATIVE_HIDDEN : -1, "proxynotshell", shown);
	matched(k, STR("decoded"), shown, STR("*autodiscover*"));
	matched(k, STR("cs-user-agent"), lens_text(k->lens, k->ev, F_AGENT), STR("UP *"));
}

/* Which service an address reaches that stands behind a mailbox in it: "...@host/powershell". NONE: none. */
static enum stage service_reached(struct str plain)
{
	static const struct { const char *path; enum stage stage; } services[] = {
		{"/powershell", STAGE_SESSION}, {"/mapi/nspi", STAGE_SSRF}, {"/mapi/emsmdb", STAGE_SSRF}, {"/ews/", STAGE_SSRF}, {"/autodiscover/autodiscover.xml", STAGE_SSRF},
		{"/oab/", STAGE_SSRF}, {"/rpc/", STAGE_SSRF}, {"/ecp/", STAGE_SSRF}, {"/owa/", STAGE_PROBE}
	};
	enum { NAME_MAX = 80 };
	enum stage best = STAGE_NONE;
	for (size_t at = str_find_byte(plain, '@', 0); at != SIZE_MAX; at = str_find_byte(plain, '@', at + 1)) {
		size_t slash = at + 1;
		while (slash < plain.n && slash - at <= NAME_MAX && !strchr("/&? @", plain.p[slash])) slash++;
		struct str rest = str_sub(plain, slash, SIZE_MAX);
		for (size_t i = 0; i < COUNT(services); i++)
			if (starts_nocase(rest, services[i].path) && services[i].stage > best) best = services[i].stage;
	}
	return best;
}

static bool is_static(struct str path)
{
	static const char *const endings[] = {".js", ".css", ".flt", ".gif", ".png", ".ico", ".eot", ".ttf", ".woff", ".woff2", ".svg", ".jpg"};
	size_t dot = path.n > 6 ? path.n - 6 : 0;
	while (dot < path.n && path.p[dot] != '.') dot++;
	for (size_t i = 0; dot < path.n && i < COUNT(endings); i++)
		if (ends_nocase(path, endings[i])) return true;
	return false;
}

/* What the rules for static files, autodiscover and OWA say, for addresses in more encodings than a pattern allows for. */
static void look_at_reach(struct look *k, struct str stem, struct str query)
{
	char joined[1000], text[1000];
	struct script_path script;
	bool post = str_eq_nocase(lens_text(k->lens, k->ev, F_METHOD), STR("POST"));
	size_t n = stem.n < 500 ? stem.n : 500, more = query.n < 490 ? query.n : 490;
	memcpy(joined, stem.p, n);
	joined[n] = '?';
	if (more) memcpy(joined + n + 1, query.p, more);
	struct str plain = {text, uri_plain((struct str){joined, n + 1 + more}, text, sizeof text)}, path = str_sub(plain, 0, str_find_byte(plain, '?', 0));
	uint32_t status = lens_status(k->lens, k->ev);
	struct str shown = str_sub(plain, 0, 200);
	if (starts_nocase(path, "/autodiscover")) {
		enum stage stage = service_reached(plain);
		if (stage) found(k, status == 200 ? stage : STAGE_PROBE, status == 200 && stage > STAGE_PROBE ? NATIVE_ENCODED : -1, "proxyshell", kept(k, shown.p, shown.n));
	} else if (starts_nocase(path, "/owa/") && service_reached(path) == STAGE_SESSION) {
		bool answered = post && status == 200;
		found(k, answered ? STAGE_SESSION : STAGE_PROBE, answered ? NATIVE_ENCODED : -1, "owassrf", kept(k, shown.p, shown.n));
	} else if (post && (starts_nocase(path, "/ecp/") || starts_nocase(path, "/owa/auth/")) && is_static(path) && !path_script(path, &script)) {
		bool answered = status == 200 || status == 241;
		found(k, !answered ? STAGE_PROBE : status == 241 ? STAGE_SESSION : STAGE_SSRF, answered ? NATIVE_ENCODED : -1, "proxylogon", kept(k, shown.p, shown.n));
	}
}

/* Whether look_at_reach could find something: of most requests their first letters say no. */
static bool may_reach(struct str stem, struct str query)
{
	if (stem.n < 5) return false;
	if (memchr(stem.p, '%', stem.n)) return true;
	size_t slash = 0;
	while (slash < stem.n && (stem.p[slash] == '/' || stem.p[slash] == '\\' || stem.p[slash] == '.')) slash++;
	struct str first = str_sub(stem, slash, SIZE_MAX);
	if (starts_nocase(first, "autodiscover")) return memchr(stem.p, '@', stem.n) || memchr(query.p, '@', query.n) || memchr(query.p, '%', query.n);
	if (starts_nocase(first, "owa")) return memchr(stem.p, '@', stem.n) || is_static(stem);
	return starts_nocase(first, "ecp") && is_static(stem);
}

/* "203.0.113.9:52311", "[2001:db8::1]:443", "::ffff:203.0.113.9" -> the address alone. */
static struct str clean_ip(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] < ' ') return (struct str){"", 0}; /* damaged: no address to go by */
	size_t colon = str_find_byte(s, ':', 0);
	s = str_cut(&s, ' ');
	if (starts_nocase(s, "::ffff:") && memchr(s.p, '.', s.n)) s = str_sub(s, 7, SIZE_MAX), colon = str_find_byte(s, ':', 0);
	if (s.n && s.p[0] == '[') return str_sub(s, 1, str_find_byte(s, ']', 0) == SIZE_MAX ? SIZE_MAX : str_find_byte(s, ']', 0) - 1);
	return colon != SIZE_MAX && str_find_byte(s, ':', colon + 1) == SIZE_MAX ? str_sub(s, 0, colon) : s;
}

/* An address of the own net, as balancers have: private, of the link, of this host. */
static bool is_private(struct str ip)
{
	static const char *const starts[] = {"10.", "192.168.", "127.", "169.254.", "fe80:", "fc", "fd", "::1"};
	for (size_t i = 0; i < COUNT(starts); i++)
		if (starts_nocase(ip, starts[i])) return true;
	uint64_t second = 0;
	struct str rest = ip;
	return str_eq(str_cut(&rest, '.'), STR("172")) && rest.p && str_u64(str_cut(&rest, '.'), &second) && second >= 16 && second < 32;
}

static bool hex_or_mark(char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f') || c == '.' || c == ':'; }

/* Who asks. Behind a balancer, whose address is a private one, the last public address that it or those before it passed on: the first ones are
 * whatever the client wrote. */
static struct str client_of(const struct look *k)
{
	struct str ip = clean_ip(lens_text(k->lens, k->ev, F_CLIENT));
	if (k->lens->column[F_FORWARDED] < 0 || !is_private(ip)) return ip;
	struct str list = lens_text(k->lens, k->ev, F_FORWARDED), best = ip;
	while (list.p) {
		struct str one = str_cut(&list, ',');
		while (one.n && (one.p[0] == '+' || one.p[0] == ' ')) one = str_sub(one, 1, SIZE_MAX);
		one = clean_ip(one);
		bool address = one.n > 1;
		for (size_t i = 0; i < one.n; i++) address &= hex_or_mark(one.p[i]);
		if (address && !is_private(one)) best = one;
	}
	return best;
}

/* The request's part in what is known of the whole site: who its clients are, and what each asked for. */
static uint64_t count_client(struct look *k, struct str stem)
{
	struct crowds *c = &k->a->crowds;
	crowds_make(c);
	uint64_t client = crowd_hash(client_of(k));
	if (k->lens->cover != UINT32_MAX) k->a->calendar.v.v[k->lens->cover].clients[client % SITE_BITS / 8] |= (uint8_t)(1 << client % 8);
	crowd_add(c->paths, client, crowd_hash(stem));
	return client;
}

static uint16_t page_flags(struct look *k, struct str query, struct str agent, struct str method, bool answered)
{
	struct trace *n = &k->trace;
	bool post = str_eq_nocase(method, STR("POST")), put = str_eq_nocase(method, STR("PUT")) || str_eq_nocase(method, STR("MOVE")) || str_eq_nocase(method, STR("COPY"));
	return (uint16_t)((n->flags & TRACE_TOKEN) | (post ? TRACE_POST : 0) | (put ? TRACE_PUT : 0) | (lens_text(k->lens, k->ev, F_REFERER).n ? TRACE_REFERER : 0) |
		(tool_agent(agent) ? TRACE_TOOL_AGENT : 0) | (starts_nocase(agent, "Mozilla/") || starts_nocase(agent, "Opera/") ? TRACE_BROWSER : 0) | (query.n ? TRACE_QUERY : 0) |
		(n->stage == STAGE_USED || code_in_query(query) ? TRACE_CODE : 0) | (lens_text(k->lens, k->ev, F_USER).n ? TRACE_USER : 0) | (answered ? TRACE_ANSWERED : 0));
}

/* A script that is not shipped: kept for the judgement of pages. */
static void look_at_page(struct look *k, struct str stem, struct str query)
{
	struct script_path path;
	struct trace *n = &k->trace;
	bool proxy = k->lens->log == LOG_HTTPPROXY;
	uint64_t client = proxy ? 0 : count_client(k, stem);
	if (!path_script(stem, &path) || path_shipped(k->a->plan, &path)) return;
	struct str method = lens_text(k->lens, k->ev, F_METHOD);
	bool exchange = k->lens->log != LOG_WEB && path_in_exchange(&path);
	uint32_t status = lens_status(k->lens, k->ev);
	bool answered = (status >= 200 && status < 207) || (status == 500 && str_eq_nocase(method, STR("POST")));
	if (!answered && !proxy) crowd_add(k->a->crowds.refused, client, crowd_hash(path_str(&path)));
	if (!exchange && (!answered || proxy)) return; /* HttpProxy has Exchange's folders only */
	if (!exchange && !crowd_add(k->a->crowds.clients, crowd_hash(path_str(&path)), client)) return;
	if (n->stage && n->stage != STAGE_USED) return; /* the row says more than that */
	uint64_t bytes;
	n->flags = (uint16_t)(page_flags(k, query, lens_text(k->lens, k->ev, F_AGENT), method, answered) | (exchange ? TRACE_EXCHANGE : 0));
	n->kind = TRACE_PAGE;
	n->stage = STAGE_USED;
	n->page = kept(k, path.text, path.n);
	n->bytes = str_u64(lens_text(k->lens, k->ev, F_BYTES), &bytes) && bytes < UINT32_MAX ? (uint32_t)bytes : 0;
	/* A finding of its own only where the row looks like a tool's: a page that a house has added for its users is called by browsers. */
	bool tool = (n->flags & (TRACE_POST | TRACE_TOOL_AGENT | TRACE_CODE)) && !(n->flags & (TRACE_REFERER | TRACE_USER));
	if (exchange && answered && tool) {
		k->rule = NATIVE_PAGE;
		matched(k, STR("cs-uri-stem"), stem, STR("not among the scripts that Exchange ships"));
		matched(k, STR("sc-status"), lens_text(k->lens, k->ev, F_STATUS), STR("answered"));
	}
}

/* The query behind the '?' (readers join stem and query for rules), without Exchange's own tail, which IIS has. */
static struct str own_query(struct str stem, struct str query, bool tailed)
{
	if (stem.n && str_starts(query, stem)) query = str_sub(query, stem.n, SIZE_MAX);
	if (query.n && query.p[0] == '?') query = str_sub(query, 1, SIZE_MAX);
	if (!tailed) return query;
	static const char before[] = "&CorrelationID=";
	size_t tail = find_nocase(query, "<empty>;"); /* '<' is rare: quickly looked for */
	if (tail == SIZE_MAX || tail < strlen(before) || !ends_nocase(str_sub(query, 0, tail), before)) return query;
	return str_sub(query, 0, tail - strlen(before));
}

static void look_at_request(struct look *k)
{
	enum log_kind log = k->lens->log;
	struct str stem = lens_text(k->lens, k->ev, F_STEM), query = lens_text(k->lens, k->ev, F_QUERY);
	bool cookie = log == LOG_HTTPPROXY && look_at_anchor(k);
	if (query.n) {
		query = own_query(stem, query, log != LOG_HTTPPROXY);
		look_at_token(k, stem, query);
		if (memchr(query.p, '%', query.n)) look_at_ebcdic(k, query);
	}
	if (!cookie && log != LOG_WEB && may_reach(stem, query)) look_at_reach(k, stem, query);
	/* Port 444 is Exchange's back end: the same request again. */
	if (log != LOG_RPS_HTTP && !str_eq(lens_text(k->lens, k->ev, F_PORT), STR("444"))) look_at_page(k, stem, query);
}

/* Mail that somebody outside sent, or that was sent on. */
static void look_at_mail(struct look *k)
{
	struct str client = client_of(k);
	if (memchr(client.p, ':', client.n)) client = lower_str(k->ev->arena, client);
	track_look(k->lens, k->ev, is_private(client) ? (struct str){"", 0} : client, &k->trace);
}

/* "C:\...\Temporary ASP.NET Files\owa\8e05\e164\x.aspx.f5db.compiled": the application and the page. */
static bool compiled_page(struct str file, char *out, size_t max, struct str *ret_base)
{
	static const char folder[] = "\\Temporary ASP.NET Files\\";
	size_t at = find_nocase(file, folder);
	if (at == SIZE_MAX || !ends_nocase(file, ".compiled")) return false;
	struct str app = str_sub(file, at + strlen(folder), SIZE_MAX), base = file;
	app = str_sub(app, 0, str_find_byte(app, '\\', 0));
	for (size_t slash; (slash = str_find_byte(base, '\\', 0)) != SIZE_MAX;) base = str_sub(base, slash + 1, SIZE_MAX);
	size_t end = SIZE_MAX;
	for (size_t i = 0; i + 5 <= base.n; i++)
		if (base.p[i] == '.' && (starts_nocase(str_sub(base, i, SIZE_MAX), ".aspx.") || starts_nocase(str_sub(base, i, SIZE_MAX), ".ashx."))) end = i + 5;
	if (end == SIZE_MAX) return false;
	int n = snprintf(out, max, "%.*s/%.*s", STR_FMT(app), STR_FMT(str_sub(base, 0, end)));
	for (int i = 0; i < n && (size_t)i < max; i++) out[i] = out[i] >= 'A' && out[i] <= 'Z' ? (char)(out[i] + 32) : out[i];
	*ret_base = (struct str){out + app.n + 1, (size_t)n - app.n - 1};
	return (size_t)n < max;
}

static bool by_setup(struct str image)
{
	static const char *const programs[] = {"\\msiexec.exe", "\\setup.exe", "\\ExSetupUI.exe", "\\ExSetup.exe", "\\TiWorker.exe", "\\poqexec.exe", "\\robocopy.exe"};
	for (size_t i = 0; i < COUNT(programs); i++)
		if (ends_nocase(image, programs[i])) return true;
	return false;
}

static void look_at_file(struct look *k)
{
	struct str file = lens_text(k->lens, k->ev, F_FILE), base = {0};
	char app[PATH_MAX_BYTES], text[400];
	struct script_path path;
	if (!file.n || !(ends_nocase(file, ".compiled") || memchr(file.p, '.', file.n))) return;
	if (compiled_page(file, app, sizeof app, &base)) {
		struct str key = {app, (size_t)(base.p - app) + base.n};
		bool exchange = starts_nocase(key, "owa/") || starts_nocase(key, "ecp/") || starts_nocase(key, "oab/") || starts_nocase(key, "ews/") || starts_nocase(key, "autodiscover/");
		if (!exchange || map_get(&k->a->plan->pages, key)) return;
		int n = snprintf(text, sizeof text, "page %.*s compiled, so it had been called", STR_FMT(base));
		k->trace.page = kept(k, base.p, base.n);
		k->trace.flags |= TRACE_FILE;
		found(k, STAGE_USED, NATIVE_COMPILED, "any", kept(k, text, (size_t)n));
		matched(k, STR("TargetFilename"), file, STR("not among the pages that Exchange ships"));
		return;
	}
	if (k->lens->log != LOG_SYSMON || k->ev->shape->event_id != 11 || !path_of_file(file, &path) || !path_in_exchange(&path)) return;
	if (path_shipped(k->a->plan, &path) || by_setup(lens_text(k->lens, k->ev, F_IMAGE))) return;
	int n = snprintf(text, sizeof text, "file %.*s written by %.*s", STR_FMT(str_sub(path_str(&path), 0, 200)), STR_FMT(str_sub(lens_text(k->lens, k->ev, F_IMAGE), 0, 100)));
	k->trace.page = kept(k, path.text, path.n);
	found(k, STAGE_WRITTEN, NATIVE_DROPPED, "any", kept(k, text, (size_t)n));
	matched(k, STR("TargetFilename"), file, STR("not among the scripts that Exchange ships"));
}

/* --- what rules say by their tags --- */

static bool parent_is_web_server(const struct look *k)
{
	static const char *const servers[] = {"\\w3wp.exe", "\\httpd.exe", "\\nginx.exe", "\\php-cgi.exe", "\\UMWorkerProcess.exe"};
	struct str parent = lens_text(k->lens, k->ev, F_PARENT);
	for (size_t i = 0; i < COUNT(servers); i++)
		if (ends_nocase(parent, servers[i])) return true;
	return false;
}

/* May this clue begin a story? A campaign's own rule may, on IIS and Exchange's logs; a rule for any campaign only when it shows a file written, a shell in use or
 * a web server that starts commands, and is of level high. */
static bool opens(const struct look *k, struct str campaign, enum stage stage, enum level level)
{
	if (stage == STAGE_PROBE) return false;
	/* Exchange runs on IIS: what another web server answers with 200 may be its page for everything it does not know. */
	if (k->lens->log == LOG_WEB && !str_eq(campaign, STR("any"))) return false;
	if (!str_eq(campaign, STR("any"))) return level >= LEVEL_MEDIUM;
	if (level < LEVEL_HIGH) return false;
	return stage == STAGE_WRITTEN || stage == STAGE_USED || (stage == STAGE_COMMANDS && parent_is_web_server(k));
}

static struct str text_of_event(const struct look *k)
{
	static const enum lens_field order[] = {F_COMMAND, F_FILE, F_TEXT};
	for (size_t i = 0; i < COUNT(order); i++) {
		struct str s = lens_text(k->lens, k->ev, order[i]);
		if (s.n) return str_sub(s, 0, 300);
	}
	return (struct str){"", 0};
}

static void look_at_tag(struct look *k, const struct rule_info *r, struct str tag)
{
	enum stage stage;
	if (!str_starts(tag, STR("exhibit."))) return;
	struct str rest = str_sub(tag, 8, SIZE_MAX), campaign = str_cut(&rest, '.');
	if (!rest.p || !stage_parse(rest, &stage) || stage <= k->trace.stage) return;
	bool own = k->rule >= 0; /* a native rule of a lower stage keeps its finding */
	k->trace.stage = (uint8_t)stage;
	k->trace.kind = stage == STAGE_PROBE ? TRACE_PROBE : TRACE_MARK;
	k->trace.campaign = campaign;
	k->trace.level = (uint8_t)r->level;
	k->trace.reason = r->title;
	k->trace.flags = (uint16_t)((k->trace.flags & ~TRACE_OPENS) | (opens(k, campaign, stage, r->level) ? TRACE_OPENS : 0));
	if (!own && !k->trace.shown.n) k->trace.shown = text_of_event(k);
}

/* --- the fields that tie a clue to others --- */

static struct str page_of_file(struct look *k)
{
	struct script_path path;
	struct str file = lens_text(k->lens, k->ev, F_FILE);
	if (!file.n || !path_of_file(file, &path)) return (struct str){"", 0};
	return kept(k, path.text, path.n);
}

/* A script under a web root that a cmdlet's parameters name, as the file of an export or a certificate request. */
static struct str page_in_text(struct look *k, struct str text)
{
	static const char *const roots[] = {"\\inetpub\\wwwroot\\", "\\FrontEnd\\HttpProxy\\"};
	struct script_path path;
	for (size_t i = 0; i < COUNT(roots); i++) {
		size_t at = find_nocase(text, roots[i]);
		if (at == SIZE_MAX) continue;
		struct str rest = str_sub(text, at, SIZE_MAX);
		if (path_of_file(str_sub(rest, 0, str_find_byte(rest, '"', 0)), &path)) return kept(k, path.text, path.n);
	}
	return (struct str){"", 0};
}

static void fill_keys(struct look *k, struct str path)
{
	struct trace *n = &k->trace;
	char server[64];
	int64_t minutes;
	struct str name = server_of(k->lens, k->ev, path, server);
	n->server = kept(k, name.p, name.n);
	n->time = time_of(k->lens, k->ev, &minutes);
	n->log = (uint8_t)k->lens->log;
	bool web = k->lens->log == LOG_IIS || k->lens->log == LOG_WEB || k->lens->log == LOG_HTTPPROXY || k->lens->log == LOG_RPS_HTTP ||
		k->lens->log == LOG_EWS || k->lens->log == LOG_AUDIT;
	if (web) {
		n->ip = client_of(k);
		if (memchr(n->ip.p, ':', n->ip.n)) n->ip = lower_str(k->ev->arena, n->ip);
		/* On the back end the front end is the client: that is no address of an attacker. */
		if (str_eq(lens_text(k->lens, k->ev, F_PORT), STR("444"))) n->ip = (struct str){"", 0};
		n->agent = lens_text(k->lens, k->ev, F_AGENT);
		n->status = (uint16_t)lens_status(k->lens, k->ev);
		struct str query = lens_text(k->lens, k->ev, F_QUERY);
		n->request = k->lens->log == LOG_IIS ? piece_after(query, "cafeReqId=", ";& ") : lens_text(k->lens, k->ev, F_REQUEST);
		if (!n->canary.n) n->canary = piece_after(query, "msExchEcpCanary=", "&#;'\" ");
	} else {
		struct str text = lens_text(k->lens, k->ev, F_TEXT);
		if (!n->canary.n) n->canary = piece_after(text, "msExchEcpCanary=", "&#;'\" ");
		if (!n->page.n) n->page = page_of_file(k);
		if (!n->page.n && n->stage == STAGE_WRITTEN && (k->lens->log == LOG_MANAGEMENT || k->lens->log == LOG_RPS_CMDLET)) n->page = page_in_text(k, text);
		if (n->page.n) n->flags |= TRACE_FILE;
	}
	/* Remote PowerShell tells as whom a cmdlet ran and, apart from that, who sent it. */
	if (!n->user.n && k->lens->log == LOG_RPS_CMDLET) n->user = piece_after(lens_text(k->lens, k->ev, F_GENERIC), "PSSenderInfo=", "; \"");
	if (!n->user.n) n->user = lens_text(k->lens, k->ev, F_USER);
}

const struct clue *analyser_event(struct analyser *a, struct event *ev, uint32_t source, struct str path,
	const struct rule_info *const *hits, uint32_t n_hits)
{
	struct lens *l = lens_of(a, ev->shape);
	count_coverage(a, l, ev, source, path);
	if (l->log == LOG_OTHER && !n_hits) return NULL;
	struct look k; /* member by member: `matched` is large, and mostly stays empty */
	k.a = a;
	k.lens = l;
	k.ev = ev;
	k.trace = (struct trace){0};
	k.rule = -1;
	k.n_matched = 0;
	for (uint32_t i = 0; i < n_hits; i++)
		for (uint32_t t = 0; t < hits[i]->n_tags; t++) look_at_tag(&k, hits[i], hits[i]->tags[t]);
	if (a->plan->native) {
		if (l->log == LOG_IIS || l->log == LOG_WEB || l->log == LOG_HTTPPROXY || l->log == LOG_RPS_HTTP) look_at_request(&k);
		else if (l->log == LOG_TRACKING) look_at_mail(&k);
		else if (l->log == LOG_SYSMON || l->log == LOG_SECURITY) look_at_file(&k);
	}
	if (!k.trace.stage) return NULL;
	fill_keys(&k, path);
	a->payload.n = 0;
	trace_pack(&k.trace, &a->payload);
	a->clue = (struct clue){.payload = arena_str(ev->arena, buf_view(&a->payload)), .rule = k.rule >= 0 ? &a->plan->rules[k.rule] : NULL, .n_matched = k.n_matched};
	memcpy(a->clue.matched, k.matched, k.n_matched * sizeof *k.matched);
	return a->clue.payload.p ? &a->clue : NULL;
}
