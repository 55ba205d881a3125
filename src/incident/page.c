/* page.c: web shells by behaviour: pages off the shipped list, scored and explained. See incident_internal.h.
 *
 * A page counts as a shell when its file was seen being written or compiled, or when its points reach SHELL and it has a sign that honest
 * pages do not have: code in the query, a folder of pictures, a tunnel's rhythm, browsers that load nothing but it. Interfaces for
 * programs are rare, take POST and have no referer too: those points alone never make a shell. Points, from what was measured on real
 * logs: scripts that few clients of the site use, without ever a referer, are the strongest of the weak signs; POST alone and rarity
 * alone say little; a health page of a monitor is rare too, but only ever read, without a query, day after day. Addresses that try out
 * names are taken out first. */
#include "incident/incident_internal.h"
#include <stdarg.h>
#include <stdio.h>

enum { SHELL = 5, TUNNEL_RATE = 20 /* requests a minute; programs that poll an interface are slower */, SCANNED_PAGES = 12, DAY = 86400 };

static void because(struct page *p, int points, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void because(struct page *p, int points, const char *format, ...)
{
	size_t n = strlen(p->why);
	va_list args;
	p->score += points;
	if (n && n + 3 < sizeof p->why) n += (size_t)snprintf(p->why + n, sizeof p->why - n, "; ");
	va_start(args, format);
	vsnprintf(p->why + n, sizeof p->why - n, format, args);
	va_end(args);
}

/* A mark that saw this page's file written or compiled on the same server. */
static bool file_seen(const struct incidents *s, const struct page *p)
{
	for (size_t i = 0; i < s->marks.n; i++) {
		const struct mark *m = &s->marks.v[i];
		struct str page = m->trace.page;
		if (m->server != p->resolved || !page.n || !(m->trace.flags & TRACE_FILE)) continue;
		if (str_eq(page, p->path) || (!memchr(page.p, '/', page.n) && str_eq(page, p->base))) return true;
	}
	return false;
}

/* First answered within a day after an attacker had a session or wrote something there. */
static bool follows_attack(const struct incidents *s, const struct page *p, struct etime first)
{
	for (size_t i = 0; i < s->marks.n; i++) {
		const struct mark *m = &s->marks.v[i];
		int64_t after = first.sec - m->trace.time.sec;
		if (m->server == p->resolved && (m->trace.flags & TRACE_OPENS) && m->trace.stage >= STAGE_SESSION && m->trace.stage <= STAGE_WRITTEN &&
			after >= -60 && after < 86400) return true;
	}
	return false;
}

/* --- who asks --- */

/* Counts, of each address, the pages outside Exchange's folders that it asked for once or twice. */
static void count_visits(struct incidents *s)
{
	for (size_t i = 0; i < s->pages.n; i++) {
		const struct page *p = &s->pages.v[i];
		const struct page_log *l = log_of_page(p);
		if (p->exchange) continue;
		for (uint32_t k = 0; k < l->n_clients && k < PAGE_CLIENTS; k++)
			if (l->clients[k].answered <= 2) ++*map_put(&s->visits, l->clients[k].ip, 0, NULL);
	}
}

static bool tries_out_names(const struct incidents *s, const struct page_client *c)
{
	if (c->answered > 2) return false;
	const uint32_t *visits = map_get(&s->visits, c->ip);
	return (visits && *visits >= SCANNED_PAGES) || (s->crowds.refused && crowd_count(s->crowds.refused, crowd_hash(c->ip)) > FEW_REFUSED);
}

/* Scanners' requests are taken out; what is left decides. Where nobody is left the page was only found by scanners. */
static void take_scanners_out(const struct incidents *s, struct page_log *l)
{
	uint32_t kept = 0;
	if (l->n_clients > PAGE_CLIENTS) return;
	for (uint32_t k = 0; k < l->n_clients; k++)
		if (!tries_out_names(s, &l->clients[k])) l->clients[kept++] = l->clients[k];
	if (kept == l->n_clients) return;
	l->n_clients = kept;
	l->answered = l->posts = 0;
	l->flags = 0;
	for (uint32_t k = 0; k < kept; k++) {
		l->answered += l->clients[k].answered;
		l->posts += l->clients[k].posts;
		l->flags |= l->clients[k].flags;
	}
	l->gets = l->answered > l->posts ? l->answered - l->posts : 0;
	l->calls.n = 0; /* they are numbered by client */
}

/* Clients of a server's web logs, and when those begin. */
static uint32_t clients_of_site(const struct incidents *s, uint32_t server, struct etime *ret_first)
{
	uint32_t n = 0;
	*ret_first = (struct etime){0};
	for (size_t i = 0; i < s->calendar.v.n; i++) {
		const struct calendar_row *c = &s->calendar.v.v[i];
		if ((c->log != LOG_IIS && c->log != LOG_WEB) || alias_server(s, c->server) != server) continue;
		uint32_t clients = calendar_clients(c);
		if (clients > n) n = clients;
		if (c->first.present && (!ret_first->present || etime_cmp(c->first, *ret_first) < 0)) *ret_first = c->first;
	}
	return n;
}

/* Clients that say they are browsers and asked the site for hardly anything but this. */
static uint32_t lonely_browsers(const struct incidents *s, const struct page_log *l)
{
	uint32_t n = 0;
	for (uint32_t k = 0; k < l->n_clients && k < PAGE_CLIENTS && s->crowds.paths; k++)
		n += (l->clients[k].flags & TRACE_BROWSER) && !(l->clients[k].flags & TRACE_REFERER) && crowd_count(s->crowds.paths, crowd_hash(l->clients[k].ip)) <= FEW_PATHS;
	return n;
}

/* How often the next request came from another address than the one before. */
static uint32_t handovers(const struct page_log *l)
{
	uint32_t n = 0;
	for (size_t i = 1; i < l->calls.n; i++) n += l->calls.v[i].client != l->calls.v[i - 1].client;
	return n;
}

/* --- points --- */

static void peculiar(struct page *p) { p->peculiar = true; }

/* A folder that holds pictures, styles or what users send, on most sites. */
static void score_place(struct page *p)
{
	static const char *const folders[] = {"/upload/", "/uploads/", "/uploadfiles/", "/userfiles/", "/images/", "/image/", "/img/", "/css/", "/js/", "/fonts/", "/font/", "/static/",
		"/assets/", "/tmp/", "/temp/", "/cache/", "/media/", "/attachments/", "/thumbnails/", "/icons/", "/.well-known/"};
	static const char *const names[] = {"cmd", "shell", "webshell", "cmdshell", "cmdasp", "cmdaspx", "jspshell", "aspxspy", "aspxshell", "wso", "chopper", "antsword", "behinder", "godzilla",
		"regeorg", "neoregeorg", "backdoor", "webacoo", "weevely", "filesman", "tunna"};
	static const char *const numbered[] = {"c99", "r57", "b374k", "c100"};
	/* What bots and programs ask on any site. */
	static const char *const usual[] = {"index", "default", "home", "main", "login", "logon", "signin", "wp-login", "xmlrpc", "wp-cron", "admin-ajax", "wp-comments-post", "api", "cron",
		"callback", "webhook", "hook", "notify", "health", "ping", "status", "contact", "search", "rpc", "service", "autodiscover"};
	for (size_t i = 0; i < COUNT(folders); i++)
		if (has_nocase(p->path, folders[i])) {
			because(p, 2, "in a folder that holds no scripts elsewhere");
			peculiar(p);
			break;
		}
	char letters[64];
	size_t n = 0;
	struct str stem = str_sub(p->base, 0, str_find_byte(p->base, '.', 0));
	for (size_t i = 0; i < stem.n && n < sizeof letters; i++)
		if (stem.p[i] >= 'a' && stem.p[i] <= 'z') letters[n++] = stem.p[i];
	bool known = false;
	for (size_t i = 0; i < COUNT(names); i++) known |= str_eq((struct str){letters, n}, str_of(names[i]));
	for (size_t i = 0; i < COUNT(numbered); i++) known |= starts_nocase(stem, numbered[i]);
	if (known) {
		because(p, 2, "named as web shells are");
		peculiar(p);
	}
	for (size_t i = 0; i < COUNT(usual); i++)
		if (str_eq(stem, str_of(usual[i]))) {
			because(p, -2, "with a name that many sites have");
			break;
		}
}

static void score_crowd(const struct incidents *s, struct page *p, const struct page_log *l, uint32_t site)
{
	uint32_t lonely = lonely_browsers(s, l);
	if (l->n_clients > PAGE_CLIENTS) because(p, -2, "many clients");
	else if (l->n_clients <= 2) because(p, 1, "%u client%s", l->n_clients, l->n_clients == 1 ? "" : "s");
	else if ((uint64_t)l->n_clients * 40 <= site) because(p, 1, "%u of about %u clients of the site", l->n_clients, site);
	if (lonely && l->answered >= 4 && lonely * 10 >= l->n_clients * 8 && l->n_clients <= PAGE_CLIENTS && !(l->flags & TRACE_USER) && site > 3 * l->n_clients) {
		because(p, 2, lonely == 1 ? "asked by a browser that loaded nothing else" : "asked by %u browsers that loaded nothing else", lonely);
		peculiar(p);
	}
	if (l->n_clients >= 3 && l->n_clients <= PAGE_CLIENTS && l->calls.n >= 3 * l->n_clients && l->calls.n < PAGE_CALLS && handovers(l) <= l->n_clients) {
		because(p, 1, "its addresses took turns, one after another");
		peculiar(p);
	}
}

static bool is_tunnel(const struct page_log *l, uint32_t site)
{
	int64_t minutes = (l->last.sec - l->first.sec) / 60 + 1, busy = 0, last = INT64_MIN;
	for (size_t i = 0; i < l->calls.n; i++)
		if (l->calls.v[i].sec / 60 != last) busy++, last = l->calls.v[i].sec / 60;
	bool fast = (int64_t)l->answered / minutes >= TUNNEL_RATE || (l->calls.n == PAGE_CALLS && (int64_t)l->calls.n / busy >= TUNNEL_RATE);
	bool few = l->n_clients <= 2 || (l->n_clients <= PAGE_CLIENTS && (uint64_t)l->n_clients * 40 <= site);
	return l->posts >= 100 && l->gets >= 100 && few && !(l->flags & TRACE_REFERER) && fast;
}

static void score_requests(const struct incidents *s, struct page *p, const struct page_log *l, uint32_t site, struct etime begin)
{
	int64_t span = (l->last.sec - l->first.sec) / DAY + 1;
	if (is_tunnel(l, site)) {
		because(p, 3, "%llu GET and POST mixed, as a tunnel has", (unsigned long long)(l->gets + l->posts));
		peculiar(p);
	}
	score_crowd(s, p, l, site);
	if (!(l->flags & TRACE_REFERER)) because(p, 1, "never a referer");
	if (l->posts) because(p, 1, "%llu POST", (unsigned long long)l->posts);
	if (l->flags & TRACE_TOOL_AGENT) because(p, 1, l->plain ? "also by a tool" : "only by a tool or without user agent");
	if (l->flags & TRACE_CODE) because(p, 3, "code or commands in the query"), peculiar(p);
	if (l->flags & TRACE_PUT) because(p, 3, "put there by a request"), peculiar(p);
	if (l->n_sizes >= 4 && !(l->flags & TRACE_QUERY)) because(p, 1, "answers of %u%s lengths to the same address", l->n_sizes, l->n_sizes == PAGE_SIZES ? " and more" : "");
	if (begin.present && l->first.sec - begin.sec >= 7 * DAY) because(p, 1, "first answered %lld days after the log begins", (long long)((l->first.sec - begin.sec) / DAY));
	if (!l->posts && !(l->flags & TRACE_QUERY) && l->answered >= 20 && l->n_days >= 3) because(p, -3, "only read, without a query, day after day");
	else if (l->answered >= 20 && l->n_days >= 5 && (int64_t)l->n_days * 10 >= span * 6) because(p, -2, "used day after day, as an interface is");
	if (l->flags & TRACE_USER) because(p, -1, "by users who had logged on");
}

static void judge(struct incidents *s, struct page *p)
{
	struct page_log *l = p->iis.answered ? &p->iis : &p->proxy;
	struct etime begin;
	if (!l->answered) return;
	p->written = file_seen(s, p);
	if (!p->exchange && !p->written) take_scanners_out(s, l);
	if (!l->answered) return;
	uint32_t site = clients_of_site(s, p->resolved, &begin);
	if (p->written) because(p, SHELL, "its file was seen being written or compiled");
	if (p->exchange) because(p, 3, "in Exchange's folders, which ship no such script");
	else if (server_is_exchange(s, p->resolved) && p->base.n + 1 == p->path.n) because(p, 2, "at the root of an Exchange server, which ships no script there"), peculiar(p);
	struct script_path path;
	if (p->exchange && path_script(p->path, &path) && path_near_shipped(s->plan, &path)) because(p, 1, "named almost like a shipped one");
	if (follows_attack(s, p, l->first)) because(p, p->exchange ? 3 : 2, "first answered within a day of an attack"), peculiar(p);
	if (l->gone.present) because(p, 1, "gone since");
	if (!p->exchange) score_place(p);
	score_requests(s, p, l, site, begin);
	p->shell = p->score >= SHELL && (p->peculiar || p->exchange || p->written);
}

static void join_clients(struct page_log *to, const struct page_log *from)
{
	for (uint32_t i = 0; i < from->n_clients && i < PAGE_CLIENTS; i++) {
		const struct page_client *c = &from->clients[i];
		uint32_t at = 0;
		while (at < to->n_clients && at < PAGE_CLIENTS && !str_eq(to->clients[at].ip, c->ip)) at++;
		if (at == PAGE_CLIENTS) to->n_clients = PAGE_CLIENTS + 1;
		else if (at == to->n_clients) to->clients[to->n_clients++] = *c;
		else {
			to->clients[at].answered += c->answered;
			to->clients[at].posts += c->posts;
			to->clients[at].flags |= c->flags;
		}
	}
	if (from->n_clients > PAGE_CLIENTS) to->n_clients = PAGE_CLIENTS + 1;
	for (uint32_t i = 0; i < from->n_days && to->n_days < COUNT(to->days); i++) {
		bool known = false;
		for (uint32_t k = 0; k < to->n_days; k++) known |= to->days[k] == from->days[i];
		if (!known) to->days[to->n_days++] = from->days[i];
	}
}

static int calls_by_time(const void *a, const void *b)
{
	const struct page_call *x = a, *y = b;
	return x->sec != y->sec ? (x->sec < y->sec ? -1 : 1) : x->client < y->client ? -1 : x->client > y->client;
}

/* Clients have been joined before. */
static void join_calls(struct page_log *to, const struct page_log *from)
{
	for (size_t i = 0; i < from->calls.n; i++) {
		struct page_call c = from->calls.v[i];
		uint32_t at = PAGE_CLIENTS;
		for (uint32_t k = 0; c.client < PAGE_CLIENTS && k < to->n_clients && k < PAGE_CLIENTS; k++)
			if (str_eq(to->clients[k].ip, from->clients[c.client].ip)) at = k;
		c.client = at;
		vec_push(&to->calls, c);
	}
	if (to->calls.n > 1) qsort(to->calls.v, to->calls.n, sizeof to->calls.v[0], calls_by_time);
	if (to->calls.n > PAGE_CALLS) to->calls.n = PAGE_CALLS;
}

static void log_add(struct page_log *to, const struct page_log *from)
{
	if (!to->evidence.n) {
		page_log_done(to);
		*to = *from;
		return;
	}
	to->answered += from->answered;
	to->refused += from->refused;
	to->posts += from->posts;
	to->gets += from->gets;
	to->flags |= from->flags;
	to->plain |= from->plain;
	if (from->first.present && (!to->first.present || etime_cmp(from->first, to->first) < 0)) to->first = from->first;
	if (etime_cmp(from->last, to->last) > 0) to->last = from->last;
	join_clients(to, from);
	join_calls(to, from);
	row_add(&to->evidence, from->evidence.first.v, (uint32_t)from->evidence.first.n);
	struct page_log gone = *from;
	page_log_done(&gone);
}

/* Pages that came under several names of one server (IIS knows its address, HttpProxy its name) become one. */
static void join_pages(struct incidents *s)
{
	struct map seen = {0};
	size_t kept = 0;
	for (size_t i = 0; i < s->pages.n; i++) {
		char text[420];
		bool fresh;
		struct page p = s->pages.v[i];
		int n = snprintf(text, sizeof text, "%u %.*s", p.resolved, STR_FMT(str_sub(p.path, 0, 400)));
		uint32_t at = *map_put(&seen, (struct str){text, (size_t)n}, (uint32_t)kept, &fresh);
		if (fresh) {
			s->pages.v[kept++] = p;
			continue;
		}
		struct page *to = &s->pages.v[at];
		log_add(&to->iis, &p.iis);
		log_add(&to->proxy, &p.proxy);
		to->exchange |= p.exchange;
	}
	s->pages.n = kept;
	map_done(&seen);
}

void judge_pages(struct incidents *s)
{
	join_pages(s);
	count_visits(s);
	for (size_t i = 0; i < s->pages.n; i++) judge(s, &s->pages.v[i]);
}
