/* page.c: web shells by behaviour: pages off the shipped list, scored and explained. See incident_internal.h.
 *
 * A page counts as a shell when its file was seen being written or compiled, or when its points reach SHELL. Points, from what was
 * measured on real logs: scripts that few clients use, without ever a referer, are the strongest sign; POST alone and rarity
 * alone are weak; a health page of a monitor is rare too, but only ever read, without a query, day after day. */
#include "incident/incident_internal.h"
#include <stdarg.h>
#include <stdio.h>

enum { SHELL = 5, TUNNEL_RATE = 20 /* requests a minute; programs that poll an interface are slower */ };

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

static void score_clients(struct page *p, const struct page_log *l)
{
	int64_t minutes = (l->last.sec - l->first.sec) / 60 + 1;
	if (l->posts >= 100 && l->gets >= 100 && l->n_clients <= 2 && !l->referer && (int64_t)l->answered / minutes >= TUNNEL_RATE) because(p, 3, "%llu GET and POST mixed, as a tunnel has", (unsigned long long)(l->gets + l->posts));
	if (l->n_clients <= 2) because(p, 1, "%u client%s", l->n_clients, l->n_clients == 1 ? "" : "s");
	if (!l->referer) because(p, 1, "never a referer");
	if (l->posts) because(p, 1, "%llu POST", (unsigned long long)l->posts);
	if (l->tool_agent) because(p, 1, l->browser_agent ? "also by a tool" : "only by a tool or without user agent");
	if (l->code) because(p, 3, "code or commands in the query");
	if (!l->posts && !l->query && l->answered >= 20 && l->n_days >= 3) because(p, -3, "only read, without a query, day after day");
	if (l->user) because(p, -1, "by users who had logged on");
	if (l->n_clients > PAGE_CLIENTS) because(p, -2, "many clients");
}

static void judge(struct incidents *s, struct page *p)
{
	const struct page_log *l = p->iis.answered ? &p->iis : &p->proxy;
	if (!l->answered) return;
	p->written = file_seen(s, p);
	if (p->written) because(p, SHELL, "its file was seen being written or compiled");
	if (p->exchange) because(p, 3, "in Exchange's folders, which ship no such script");
	struct script_path path;
	if (p->exchange && path_script(p->path, &path) && path_near_shipped(s->plan, &path)) because(p, 1, "named almost like a shipped one");
	if (follows_attack(s, p, l->first)) because(p, p->exchange ? 3 : 2, "first answered within a day of an attack");
	if (l->gone.present) because(p, 1, "gone since");
	score_clients(p, l);
	p->shell = p->score >= SHELL;
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
			if (str_eq(to->clients[k], from->clients[c.client])) at = k;
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
	to->referer |= from->referer;
	to->tool_agent |= from->tool_agent;
	to->browser_agent |= from->browser_agent;
	to->code |= from->code;
	to->user |= from->user;
	to->query |= from->query;
	if (from->first.present && (!to->first.present || etime_cmp(from->first, to->first) < 0)) to->first = from->first;
	if (etime_cmp(from->last, to->last) > 0) to->last = from->last;
	for (uint32_t i = 0; i < from->n_clients && i < PAGE_CLIENTS; i++) {
		bool known = false;
		for (uint32_t k = 0; k < to->n_clients && k < PAGE_CLIENTS; k++) known |= str_eq(to->clients[k], from->clients[i]);
		if (!known && to->n_clients < PAGE_CLIENTS) to->clients[to->n_clients] = from->clients[i];
		if (!known && to->n_clients <= PAGE_CLIENTS) to->n_clients++;
	}
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
	for (size_t i = 0; i < s->pages.n; i++) judge(s, &s->pages.v[i]);
}
