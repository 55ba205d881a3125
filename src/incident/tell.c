/* tell.c: a chain as an incident: stages with their reasons and evidence, indicators, timeline, advice. See incident.h. */
#include "incident/incident_internal.h"
#include "text/json_write.h"
#include <stdio.h>

enum { STAGE_EVIDENCE = 40, TIMELINE_MAX = 200, INDICATORS_MAX = 100 };

static void widen(struct told *t, struct etime first, struct etime last)
{
	if (first.present && (!t->first.present || etime_cmp(first, t->first) < 0)) t->first = first;
	if (last.present && (!t->last.present || etime_cmp(last, t->last) > 0)) t->last = last;
}

static void add_reason(struct told *t, struct str text, uint64_t n, bool echo)
{
	t->n += n;
	for (uint32_t i = 0; i < t->n_reasons; i++) {
		if (!str_eq(t->reasons[i].text, text)) continue;
		t->reasons[i].n += n;
		return;
	}
	if (t->n_reasons < REASONS) t->reasons[t->n_reasons++] = (struct reason){text, n, echo};
	else t->more++;
}

static void add_row(struct told *t, const struct row_evidence *r)
{
	if (r->first.n) row_add(&t->evidence, r->first.v, (uint32_t)r->first.n);
	row_add(&t->evidence, r->last + COUNT(r->last) - r->n_last, r->n_last);
}

static void gather_page(struct teller *w, const struct page *p)
{
	char text[700];
	const struct page_log *l = p->iis.answered ? &p->iis : &p->proxy;
	struct told *t = &w->stage[STAGE_USED];
	int n = snprintf(text, sizeof text, "%.*s answered %llu requests (%s)", STR_FMT(p->path), (unsigned long long)l->answered, p->why);
	add_reason(t, tell_str(w->s, (struct str){text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1}), 1, false);
	widen(t, l->first, l->last);
	add_row(t, &p->iis.evidence);
	add_row(t, &p->proxy.evidence);
}

static void gather(struct teller *w)
{
	const struct chain *c = w->c;
	for (size_t i = 0; i < c->probers.n; i++) {
		const struct prober *p = &w->s->probers.v[c->probers.v[i]];
		struct told *t = &w->stage[STAGE_PROBE];
		add_reason(t, p->reason, p->evidence.n, false);
		widen(t, p->first, p->last);
		add_row(t, &p->evidence);
	}
	for (unsigned echo = 0; echo < 2; echo++) /* what only repeats another log comes last */
		for (size_t i = 0; i < c->marks.n; i++) {
			const struct mark *m = &w->s->marks.v[c->marks.v[i]];
			struct told *t = &w->stage[m->trace.stage];
			if (((m->trace.flags & TRACE_ECHO) != 0) != echo) continue;
			add_reason(t, m->trace.reason, 1, echo);
			widen(t, m->trace.time, m->trace.time);
			row_add(&t->evidence, w->s->pool.v + m->evidence, m->n_evidence);
		}
	for (size_t i = 0; i < c->pages.n; i++) gather_page(w, &w->s->pages.v[c->pages.v[i]]);
}

static void list_scanners(struct teller *w)
{
	for (size_t i = 0; i < w->c->scanners.n; i++) {
		struct str ip = w->s->probers.v[w->c->scanners.v[i]].ip;
		bool known = !ip.n;
		for (size_t k = 0; k < w->scanners.n && !known; k++) known = str_eq(w->scanners.v[k], ip);
		if (!known) vec_push(&w->scanners, ip);
	}
}

bool same_evidence(const struct evidence_ref *a, const struct evidence_ref *b)
{
	return a->source == b->source && a->offset == b->offset && a->length == b->length && a->role == b->role;
}

/* Appends a stage's evidence without repeating a record within the stage. Context (header lines) is cited once a stage. */
static uint32_t cite(struct teller *w, const struct evidence_ref *e, size_t n, uint32_t from)
{
	for (size_t i = 0; i < n; i++) {
		bool known = w->evidence.n - from >= STAGE_EVIDENCE;
		for (size_t k = from; k < w->evidence.n && !known; k++) known = same_evidence(&w->evidence.v[k], &e[i]);
		if (!known) vec_push(&w->evidence, e[i]);
	}
	return (uint32_t)w->evidence.n - from;
}

static void put_time(struct json_out *o, struct etime t)
{
	char text[ETIME_MAX];
	size_t n = etime_print(t, t.digits > 6 ? 6 : t.digits, text);
	if (n) json_put_str(o, (struct str){text, n});
	else json_put_null(o);
}

static void put_reason(struct buf *b, const struct told *t)
{
	for (uint32_t i = 0; i < t->n_reasons; i++) {
		if (i) buf_lit(b, "; ");
		buf_str(b, t->reasons[i].text);
		if (t->reasons[i].n > 1) buf_printf(b, " (%llu times)", (unsigned long long)t->reasons[i].n);
	}
	if (t->more) buf_printf(b, "; and %llu more", (unsigned long long)t->more);
}

static void make_stage(struct teller *w, enum stage s)
{
	struct told *t = &w->stage[s];
	if (!t->n) return;
	struct buf *b = &w->json[s], reason = {0};
	struct json_out o = JSON_OUT(b);
	uint32_t from = (uint32_t)w->evidence.n;
	put_reason(&reason, t);
	json_begin_object(&o);
	json_key_str(&o, STR("stage"), str_of(stage_word(s)));
	json_key(&o, STR("first"));
	put_time(&o, t->first);
	json_key(&o, STR("last"));
	put_time(&o, t->last);
	json_key_str(&o, STR("reason"), buf_view(&reason));
	json_key_u64(&o, STR("clues"), t->n);
	json_end(&o);
	buf_done(&reason);
	cite(w, t->evidence.first.v, t->evidence.first.n, from);
	uint32_t n = cite(w, t->evidence.last + COUNT(t->evidence.last) - t->evidence.n_last, t->evidence.n_last, from);
	/* Without the braces: the report adds the evidence. */
	w->stages[w->n_stages++] = (struct finding_stage){.json = str_sub(buf_view(b), 1, b->n - 2), .from = from, .n = n};
}

/* --- members of the incident --- */

static void put_strings(struct json_out *o, struct str name, const struct str *v, size_t n)
{
	json_key(o, name);
	json_begin_array(o);
	for (size_t i = 0; i < n; i++) json_put_str(o, v[i]);
	json_end(o);
}

/* Gathers an indicator once; the first stage that names it is the highest. */
static void indicator(struct teller *w, const char *type, struct str value, enum stage s)
{
	char text[700];
	bool fresh;
	if (!value.n || w->indicators.n >= INDICATORS_MAX) return;
	int n = snprintf(text, sizeof text, "%s %.*s", type, STR_FMT(str_sub(value, 0, 600)));
	map_put(&w->seen, (struct str){text, (size_t)n}, 0, &fresh);
	if (fresh) vec_push(&w->indicators, (struct indicator){type, value, s});
}

const char *indicator_confidence(const struct indicator *x)
{
	return x->stage >= STAGE_SESSION ? "high" : x->stage >= STAGE_SSRF ? "medium" : "low";
}

static bool honest_user(struct str user)
{
	return !user.n || user.p[user.n - 1] == '$' || str_eq_nocase(user, STR("SYSTEM")) || ends_nocase(user, "\\SYSTEM");
}

/* "C:\\Windows\\x.log": what was deleted, not a command that deletes. */
static bool is_file(struct str s)
{
	return s.n > 3 && s.p[1] == ':' && s.p[2] == '\\' && !memchr(s.p, '"', s.n) && str_find(s, STR(" /"), 0) == SIZE_MAX;
}

/* The highest stage first, so that an address gets the confidence of the worst it did. */
static void gather_indicators(struct teller *w)
{
	const struct chain *c = w->c;
	for (unsigned s = STAGES; s-- > 1;) {
		for (size_t i = 0; i < c->marks.n; i++) {
			const struct trace *t = &w->s->marks.v[c->marks.v[i]].trace;
			if (t->stage != s) continue;
			indicator(w, "ip", t->ip, (enum stage)s);
			indicator(w, "user-agent", t->agent, (enum stage)s);
			indicator(w, t->flags & TRACE_FILE ? "file" : "path", t->page, (enum stage)s);
			if (t->log == LOG_TRACKING) indicator(w, "email", t->shown, (enum stage)s);
			else if (s >= STAGE_COMMANDS) indicator(w, s == STAGE_CLEANUP && is_file(t->shown) ? "file" : "command", t->shown, (enum stage)s);
			if (!honest_user(t->user) && s <= STAGE_SESSION) indicator(w, "account", t->user, (enum stage)s);
		}
		for (size_t i = 0; i < c->pages.n && s == STAGE_USED; i++) {
			const struct page *p = &w->s->pages.v[c->pages.v[i]];
			const struct page_log *l = p->iis.answered ? &p->iis : &p->proxy;
			indicator(w, "path", p->path, STAGE_USED);
			for (uint32_t k = 0; k < l->n_clients && k < PAGE_CLIENTS; k++) indicator(w, "ip", l->clients[k].ip, STAGE_USED);
		}
		for (size_t i = 0; i < c->scanners.n && s == STAGE_PROBE; i++) indicator(w, "scanner-ip", w->s->probers.v[c->scanners.v[i]].ip, STAGE_PROBE);
		for (size_t i = 0; i < c->probers.n && s == STAGE_PROBE; i++) {
			const struct prober *p = &w->s->probers.v[c->probers.v[i]];
			indicator(w, c->probes_only ? "scanner-ip" : "ip", p->ip, STAGE_PROBE);
		}
	}
}

static void put_indicators(struct teller *w, struct json_out *o)
{
	json_key(o, STR("indicators"));
	json_begin_array(o);
	for (size_t i = 0; i < w->indicators.n; i++) {
		const struct indicator *x = &w->indicators.v[i];
		json_begin_object(o);
		json_key_str(o, STR("type"), str_of(x->type));
		json_key_str(o, STR("value"), x->value);
		json_key_str(o, STR("stage"), str_of(stage_word(x->stage)));
		json_key_str(o, STR("confidence"), str_of(indicator_confidence(x)));
		json_end(o);
	}
	json_end(o);
}

/* --- the timeline: clues, calls of pages, probes --- */

static void happened(struct teller *w, struct etime time, enum stage s, enum log_kind log, struct str what, struct str ip, struct str detail, uint64_t n, bool echo)
{
	vec_push(&w->timeline, (struct happening){time, s, log, what, ip, detail, n, echo, (uint32_t)w->timeline.n});
}

/* A page is called hundreds of times: its calls by address, first come first told, with the time of the first. */
static void page_happened(struct teller *w, const struct page *p)
{
	char text[400];
	const struct page_log *l = log_of_page(p);
	uint64_t by_client[PAGE_CLIENTS + 1] = {0};
	for (size_t i = 0; i < l->calls.n; i++) by_client[l->calls.v[i].client]++;
	for (size_t i = 0; i < l->calls.n; i++) {
		uint32_t k = l->calls.v[i].client;
		if (!by_client[k]) continue;
		int n = snprintf(text, sizeof text, "%.*s called", STR_FMT(str_sub(p->path, 0, 300)));
		happened(w, etime_from_unix(l->calls.v[i].sec, 0, 0), STAGE_USED, p->iis.answered ? LOG_IIS : LOG_HTTPPROXY, tell_str(w->s, (struct str){text, (size_t)n}),
			k < PAGE_CLIENTS ? l->clients[k].ip : STR(""), STR(""), by_client[k], false);
		by_client[k] = 0;
	}
	if (!l->gone.present) return;
	int n = snprintf(text, sizeof text, "%.*s gone", STR_FMT(str_sub(p->path, 0, 300)));
	happened(w, l->gone, STAGE_USED, p->iis.answered ? LOG_IIS : LOG_HTTPPROXY, tell_str(w->s, (struct str){text, (size_t)n}), STR(""), STR(""), 1, false);
}

static int by_moment(const void *a, const void *b)
{
	const struct happening *x = a, *y = b;
	int c = etime_cmp(x->time, y->time);
	return c ? c : x->order < y->order ? -1 : x->order > y->order;
}

static void gather_timeline(struct teller *w)
{
	const struct chain *c = w->c;
	for (size_t i = 0; i < c->probers.n; i++) {
		const struct prober *p = &w->s->probers.v[c->probers.v[i]];
		happened(w, p->first, STAGE_PROBE, p->log, p->reason, p->ip, STR(""), p->evidence.n, false);
	}
	for (size_t i = 0; i < c->marks.n; i++) {
		const struct trace *t = &w->s->marks.v[c->marks.v[i]].trace;
		happened(w, t->time, (enum stage)t->stage, (enum log_kind)t->log, t->reason, t->ip, t->shown, 1, (t->flags & TRACE_ECHO) != 0);
	}
	for (size_t i = 0; i < c->pages.n; i++) page_happened(w, &w->s->pages.v[c->pages.v[i]]);
	if (w->timeline.n > 1) qsort(w->timeline.v, w->timeline.n, sizeof w->timeline.v[0], by_moment);
}

static void put_timeline(struct teller *w, struct json_out *o)
{
	json_key(o, STR("timeline"));
	json_begin_array(o);
	for (size_t i = 0; i < w->timeline.n && i < TIMELINE_MAX; i++) {
		const struct happening *h = &w->timeline.v[i];
		json_begin_object(o);
		json_key(o, STR("time"));
		put_time(o, h->time);
		json_key_str(o, STR("stage"), str_of(stage_word(h->stage)));
		json_key_str(o, STR("log"), str_of(log_word(h->log)));
		json_key_str(o, STR("what"), h->what);
		if (h->n > 1) json_key_u64(o, STR("times"), h->n);
		if (h->ip.n) json_key_str(o, STR("ip"), h->ip);
		if (h->detail.n) json_key_str(o, STR("detail"), h->detail);
		json_end(o);
	}
	json_end(o);
	if (w->timeline.n > TIMELINE_MAX) json_key_u64(o, STR("timeline_more"), w->timeline.n - TIMELINE_MAX);
}

static void put_scope(struct teller *w, struct json_out *o)
{
	struct str name = w->s->servers.v[w->c->server].name;
	json_key(o, STR("logs"));
	json_begin_array(o);
	for (size_t i = 0; i < w->s->scope.n; i++) {
		const struct scope_row *r = &w->s->scope.v[i];
		if (!str_eq(r->server, name)) continue;
		json_begin_object(o);
		json_key_str(o, STR("log"), r->log);
		json_key(o, STR("first"));
		put_time(o, r->first);
		json_key(o, STR("last"));
		put_time(o, r->last);
		json_key_u64(o, STR("days"), r->days);
		json_key_u64(o, STR("days_missing"), r->days_missing);
		json_key_u64(o, STR("events"), r->events);
		json_key_u64(o, STR("clues"), r->clues);
		json_end(o);
	}
	json_end(o);
}

/* Advice by the stage reached and the kind of server. For probing there is one of its own. */
bool advised(const struct teller *w, const struct action_text *a)
{
	bool exchange = exchange_server(w->s, w->c);
	if (str_eq(a->server, STR("exchange")) ? !exchange : str_eq(a->server, STR("other")) && exchange) return false;
	return w->c->stage == STAGE_PROBE ? a->from == STAGE_PROBE : a->from != STAGE_PROBE && a->from <= w->c->stage;
}

static void make_extra(struct teller *w)
{
	const struct chain *c = w->c;
	struct json_out o = JSON_OUT(&w->extra);
	json_begin_object(&o);
	json_key_str(&o, STR("campaign"), c->campaign);
	json_key_str(&o, STR("stage"), str_of(stage_word(c->stage)));
	json_key(&o, STR("first"));
	put_time(&o, c->first);
	json_key(&o, STR("last"));
	put_time(&o, c->last);
	put_strings(&o, STR("attackers"), c->attackers.v, c->attackers.n);
	if (c->more_attackers) json_key_u64(&o, STR("attackers_more"), c->more_attackers);
	put_strings(&o, STR("scanners"), w->scanners.v, w->scanners.n);
	put_strings(&o, STR("unknown"), w->unknown.v.v, w->unknown.v.n);
	put_scope(w, &o);
	put_indicators(w, &o);
	put_timeline(w, &o);
	json_key(&o, STR("actions"));
	json_begin_array(&o);
	for (size_t i = 0; i < w->s->plan->actions.n; i++)
		if (advised(w, &w->s->plan->actions.v[i])) json_put_str(&o, w->s->plan->actions.v[i].text);
	json_end(&o);
	json_end(&o);
}

/* --- for people --- */

static struct str campaign_name(struct str campaign)
{
	static const struct { const char *word, *name; } known[] = {
		{"proxylogon", "ProxyLogon"}, {"proxyshell", "ProxyShell"}, {"proxynotshell", "ProxyNotShell"}, {"owassrf", "OWASSRF"}, {"proxytoken", "ProxyToken"},
		{"cve-2020-0688", "CVE-2020-0688"}, {"webshell", "Web shell"}, {"any", "Exchange campaigns"}
	};
	for (size_t i = 0; i < COUNT(known); i++)
		if (str_eq(campaign, str_of(known[i].word))) return str_of(known[i].name);
	return campaign;
}

static struct str title_of(struct teller *w)
{
	static const char *const reached[STAGES] = {
		"", "probed only", "a mailbox service was reached", "a session was opened behind the front end", "mail or the configuration was read", "a file was written on the server",
		"a web shell was used", "commands were run on the server", "the intruder settled in", "traces were removed afterwards"
	};
	const struct chain *c = w->c;
	char text[300];
	int n = snprintf(text, sizeof text, "%.*s on %.*s: %s", STR_FMT(campaign_name(c->campaign)), STR_FMT(w->s->servers.v[c->server].name), reached[c->stage]);
	return tell_str(w->s, (struct str){text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1});
}

static enum level level_of(enum stage s)
{
	return s <= STAGE_PROBE ? LEVEL_INFORMATIONAL : s < STAGE_WRITTEN ? LEVEL_HIGH : LEVEL_CRITICAL;
}

void tell_chain(struct incidents *s, const struct chain *c, void (*report)(void *, const struct incident *), void *context)
{
	struct teller w = {.s = s, .c = c};
	gather(&w);
	for (unsigned g = 1; g < STAGES; g++) make_stage(&w, (enum stage)g);
	list_scanners(&w);
	find_unknowns(s, c, &w.unknown);
	gather_indicators(&w);
	gather_timeline(&w);
	make_extra(&w);
	struct str title = title_of(&w);
	story_make(&w, title);
	struct incident i = {.stage = c->stage, .story = buf_view(&w.story), .finding = {
		.kind = FINDING_INCIDENT, .level = level_of(c->stage), .time = c->first, .rule_index = UINT32_MAX, .host = s->servers.v[c->server].name, .event_id = -1,
		.evidence = w.evidence.v, .n_evidence = (uint32_t)w.evidence.n, .evidence_total = w.evidence.n, .first = c->first, .last = c->last,
		.extra_json = str_sub(buf_view(&w.extra), 1, w.extra.n - 2), .stages = w.stages, .n_stages = w.n_stages, .title = title}};
	if (w.evidence.n) {
		s->servers.v[c->server].told = true;
		report(context, &i);
	}
	for (unsigned g = 0; g < STAGES; g++) {
		row_done(&w.stage[g].evidence);
		buf_done(&w.json[g]);
	}
	vec_free(&w.evidence);
	vec_free(&w.unknown.v);
	vec_free(&w.scanners);
	vec_free(&w.indicators);
	vec_free(&w.timeline);
	map_done(&w.seen);
	buf_done(&w.extra);
	buf_done(&w.story);
}
