/* state.c: phase two: clues come in order of time and are kept, rows of pages and of probing addresses gathered. See incident.h. */
#include <stdio.h>
#include "incident/incident_internal.h"

struct incidents *incidents_new(const struct incident_plan *p, size_t max_bytes)
{
	struct incidents *s = xcalloc(1, sizeof *s);
	s->plan = p;
	arena_init(&s->arena, max_bytes);
	arena_init(&s->words, 8 << 20);
	calendar_init(&s->calendar, max_bytes / 4);
	return s;
}

void row_done(struct row_evidence *r) { vec_free(&r->first); }

void page_log_done(struct page_log *l)
{
	row_done(&l->evidence);
	vec_free(&l->calls);
}

void incidents_free(struct incidents *s)
{
	if (!s) return;
	for (size_t i = 0; i < s->probers.n; i++) row_done(&s->probers.v[i].evidence);
	for (size_t i = 0; i < s->pages.n; i++) page_log_done(&s->pages.v[i].iis), page_log_done(&s->pages.v[i].proxy);
	map_done(&s->prober_index);
	map_done(&s->page_index);
	map_done(&s->alias_index);
	map_done(&s->request_index);
	map_done(&s->visits);
	map_done(&s->request_rows);
	vec_free(&s->proxy_rows);
	vec_free(&s->refusals);
	vec_free(&s->mails);
	map_done(&s->mail_index);
	vec_free(&s->sources);
	vec_free(&s->marks);
	vec_free(&s->pool);
	vec_free(&s->probers);
	vec_free(&s->pages);
	vec_free(&s->aliases);
	vec_free(&s->servers);
	vec_free(&s->scope);
	calendar_done(&s->calendar);
	crowds_done(&s->crowds);
	arena_done(&s->arena);
	arena_done(&s->words);
	free(s);
}

struct str keep_str(struct incidents *s, struct str t)
{
	struct str out = t.n ? arena_str(&s->arena, t) : (struct str){"", 0};
	return out.p ? out : (struct str){"", 0};
}

struct str tell_str(struct incidents *s, struct str t)
{
	struct str out = arena_str(&s->words, t);
	return out.p ? out : (struct str){"", 0};
}

void incidents_merge(struct incidents *s, const struct analyser *a)
{
	calendar_add(&s->calendar, &a->calendar);
	crowds_merge(&s->crowds, &a->crowds);
}

void incidents_source(struct incidents *s, uint32_t source, struct str path, struct str format, const struct source_report *report)
{
	(void)report;
	vec_push(&s->sources, (struct source_line){source, keep_str(s, path), keep_str(s, format)});
}

void row_add(struct row_evidence *r, const struct evidence_ref *e, uint32_t n)
{
	r->n++;
	for (uint32_t i = 0; i < n; i++) {
		if (r->first.n < SOME) {
			vec_push(&r->first, e[i]);
			continue;
		}
		memmove(r->last, r->last + 1, sizeof r->last - sizeof r->last[0]);
		r->last[COUNT(r->last) - 1] = e[i];
		if (r->n_last < COUNT(r->last)) r->n_last++;
	}
}

/* Charges `n` bytes that live outside the arena to its budget. */
static bool charge(struct incidents *s, size_t n)
{
	if (arena_alloc(&s->arena, n)) return true;
	s->dropped++;
	return false;
}

/* A raw server name as it came, with a source to name it by. */
void add_alias(struct incidents *s, struct str raw, uint32_t source)
{
	bool fresh;
	map_put(&s->alias_index, raw, (uint32_t)s->aliases.n, &fresh);
	if (fresh) vec_push(&s->aliases, (struct alias){keep_str(s, raw), source, 0});
}

static void note_refusal(struct incidents *s, struct str server, int64_t sec)
{
	const struct refusal *last = s->refusals.n ? &s->refusals.v[s->refusals.n - 1] : NULL;
	if (last && last->sec == sec && str_eq(last->server, server)) return;
	if (charge(s, sizeof *last)) vec_push(&s->refusals, (struct refusal){server, sec});
}

static void feed_prober(struct incidents *s, const struct trace *t, const struct clue_record *r)
{
	char key[700];
	bool fresh;
	int n = snprintf(key, sizeof key, "%.*s\n%.*s\n%.*s", STR_FMT(str_sub(t->server, 0, 64)), STR_FMT(str_sub(t->ip, 0, 64)), STR_FMT(str_sub(t->campaign, 0, 64)));
	uint32_t *known = map_get(&s->prober_index, (struct str){key, (size_t)n});
	if (!known && !charge(s, sizeof(struct prober) + SOME * sizeof(struct evidence_ref))) return;
	uint32_t at = *map_put(&s->prober_index, (struct str){key, (size_t)n}, (uint32_t)s->probers.n, &fresh);
	if (fresh) vec_push(&s->probers, (struct prober){.server = keep_str(s, t->server), .ip = keep_str(s, t->ip), .agent = keep_str(s, t->agent), .source = r->source,
		.reason = keep_str(s, t->reason), .campaign = keep_str(s, t->campaign), .first = t->time, .log = (enum log_kind)t->log});
	struct prober *p = &s->probers.v[at];
	p->last = t->time;
	if (t->log == LOG_APPLICATION && str_eq(t->campaign, STR("cve-2020-0688"))) note_refusal(s, p->server, t->time.sec);
	row_add(&p->evidence, r->evidence, r->n_evidence);
}

/* The client's number, made when new; PAGE_CLIENTS when there are too many. */
static uint32_t add_client(struct incidents *s, struct page_log *l, const struct trace *t)
{
	uint32_t at = 0;
	while (at < l->n_clients && at < PAGE_CLIENTS && !str_eq(l->clients[at].ip, t->ip)) at++;
	if (at == l->n_clients && at < PAGE_CLIENTS) l->clients[l->n_clients++] = (struct page_client){.ip = keep_str(s, t->ip)};
	else if (at == PAGE_CLIENTS) l->n_clients = PAGE_CLIENTS + 1;
	if (at == PAGE_CLIENTS) return at;
	struct page_client *c = &l->clients[at];
	c->answered += (t->flags & TRACE_ANSWERED) != 0;
	c->posts += (t->flags & TRACE_POST) != 0;
	c->flags |= t->flags;
	return at;
}

static void add_size(struct page_log *l, const struct trace *t)
{
	if (!t->bytes || !(t->flags & TRACE_POST)) return;
	for (uint32_t i = 0; i < l->n_sizes; i++)
		if (l->sizes[i] == t->bytes) return;
	if (l->n_sizes < PAGE_SIZES) l->sizes[l->n_sizes++] = t->bytes;
}

static void add_day(struct page_log *l, struct etime t)
{
	int32_t day = (int32_t)(t.sec / 86400);
	if (l->n_days < COUNT(l->days) && (!l->n_days || l->days[l->n_days - 1] != day)) l->days[l->n_days++] = day;
}

static void feed_page(struct incidents *s, const struct trace *t, const struct clue_record *r)
{
	char key[700];
	bool fresh;
	if (!(t->flags & TRACE_EXCHANGE) && s->crowds.clients && crowd_count(s->crowds.clients, crowd_hash(t->page)) > FEW_CLIENTS) return;
	int n = snprintf(key, sizeof key, "%.*s\n%.*s", STR_FMT(str_sub(t->server, 0, 64)), STR_FMT(str_sub(t->page, 0, 400)));
	uint32_t *known = map_get(&s->page_index, (struct str){key, (size_t)n});
	if (!known && !charge(s, sizeof(struct page) + 2 * SOME * sizeof(struct evidence_ref) + PAGE_CALLS / 8 * sizeof(struct page_call))) return;
	uint32_t at = *map_put(&s->page_index, (struct str){key, (size_t)n}, (uint32_t)s->pages.n, &fresh);
	if (fresh) {
		struct str path = keep_str(s, t->page), base = path;
		for (size_t slash; (slash = str_find_byte(base, '/', 0)) != SIZE_MAX;) base = str_sub(base, slash + 1, SIZE_MAX);
		vec_push(&s->pages, (struct page){.server = keep_str(s, t->server), .path = path, .base = base, .source = r->source});
	}
	struct page *p = &s->pages.v[at];
	struct page_log *l = t->log == LOG_HTTPPROXY ? &p->proxy : &p->iis;
	p->exchange |= (t->flags & TRACE_EXCHANGE) != 0;
	if (!(t->flags & TRACE_ANSWERED)) {
		l->refused++;
		if (l->answered && !l->gone.present) l->gone = t->time;
		if (!l->answered) {
			add_client(s, l, t);
			if (!l->first.present) l->first = t->time;
			l->last = t->time;
		}
		if (l->refused > 4 && l->evidence.n > 4) return; /* enough of refusals to cite */
	} else {
		if (!l->answered) l->n_clients = 0, l->first.present = false; /* those before only asked */
		l->answered++;
		if (!l->first.present) l->first = t->time;
		l->last = t->time;
		l->gone.present = false;
		uint32_t client = add_client(s, l, t);
		if (l->calls.n < PAGE_CALLS) vec_push(&l->calls, (struct page_call){t->time.sec, client});
		add_day(l, t->time);
		add_size(l, t);
		l->posts += (t->flags & TRACE_POST) != 0;
		l->gets += !(t->flags & TRACE_POST);
		l->flags |= t->flags;
		l->plain |= !(t->flags & TRACE_TOOL_AGENT);
	}
	row_add(&l->evidence, r->evidence, r->n_evidence);
}

static void feed_mark(struct incidents *s, const struct trace *t, const struct clue_record *r)
{
	if (!charge(s, sizeof(struct mark) + r->n_evidence * sizeof(struct evidence_ref))) return;
	struct mark m = {.trace = *t, .evidence = (uint32_t)s->pool.n, .n_evidence = r->n_evidence, .source = r->source};
	struct str *strings[] = {&m.trace.server, &m.trace.campaign, &m.trace.ip, &m.trace.agent, &m.trace.request, &m.trace.canary, &m.trace.page,
		&m.trace.user, &m.trace.reason, &m.trace.shown};
	for (size_t i = 0; i < COUNT(strings); i++) *strings[i] = keep_str(s, *strings[i]);
	for (uint32_t i = 0; i < r->n_evidence; i++) vec_push(&s->pool, r->evidence[i]);
	vec_push(&s->marks, m);
}

static void note_row(struct incidents *s, const struct trace *t)
{
	bool fresh;
	if (!charge(s, 100 + sizeof(struct proxy_row))) return;
	map_put(&s->request_rows, t->request, (uint32_t)s->proxy_rows.n, &fresh);
	if (fresh) vec_push(&s->proxy_rows, (struct proxy_row){t->stage, keep_str(s, t->ip)});
}

void incidents_feed(struct incidents *s, const struct clue_record *r)
{
	struct trace t;
	if (!trace_unpack(r->payload, &t)) return;
	/* A collector that labels times wrongly does so with all logs of its file; Sysmon's are right already. */
	if (t.log != LOG_SYSMON) t.time.sec -= 60 * calendar_shift_of(&s->calendar, r->source);
	add_alias(s, t.server, r->source);
	if (t.log == LOG_HTTPPROXY && t.kind != TRACE_PAGE && t.request.n) note_row(s, &t);
	if (t.kind == TRACE_MAIL) track_feed(s, &t, r);
	else if (t.kind == TRACE_PAGE) feed_page(s, &t, r);
	else if (t.kind == TRACE_PROBE) feed_prober(s, &t, r);
	else feed_mark(s, &t, r);
}

/* Evidence counts sources in the order in which incidents_source told them; clues by the number it gave. */
static uint32_t source_of(const struct incidents *s, const struct finding *f)
{
	uint32_t at = f->n_evidence ? f->evidence[0].source : 0;
	return at < s->sources.n ? s->sources.v[at].id : at;
}

/* A correlation joins a story and never begins one: honest events can come in its order by chance. Its group tells host and
 * address, as far as the rule groups by them. */
void incidents_finding(struct incidents *s, const struct finding *f)
{
	struct trace t = {.kind = TRACE_MARK, .log = LOG_OTHER, .level = (uint8_t)f->level, .time = f->time, .reason = f->rule ? f->rule->title : f->title};
	char server[64];
	struct str host = f->host;
	for (uint32_t i = 0; f->rule && i < f->rule->n_tags; i++) {
		struct str rest = f->rule->tags[i];
		enum stage stage;
		if (!str_starts(rest, STR("exhibit."))) continue;
		rest = str_sub(rest, 8, SIZE_MAX);
		struct str campaign = str_cut(&rest, '.');
		if (!rest.p || !stage_parse(rest, &stage) || stage <= t.stage) continue;
		t.stage = (uint8_t)stage;
		t.campaign = campaign;
	}
	if (!t.stage) return;
	for (uint32_t i = 0; i < f->n_group; i++) {
		if (str_eq(f->group[i].name, STR("Computer")) && !host.n) host = f->group[i].value;
		if (str_eq(f->group[i].name, STR("c-ip")) || str_eq(f->group[i].name, STR("IpAddress")) || str_eq(f->group[i].name, STR("ClientIPAddress"))) t.ip = f->group[i].value;
		if (!str_eq(f->group[i].name, STR("UserId"))) continue;
		t.user = f->group[i].value; /* of an audit record: its host is an organisation */
		t.log = LOG_AUDIT;
	}
	t.server = t.log == LOG_AUDIT ? STR("~") : server_short(host, server);
	if (f->first.present) t.time = f->first;
	uint32_t source = source_of(s, f);
	t.time.sec -= 60 * calendar_shift_of(&s->calendar, source);
	add_alias(s, t.server, source);
	feed_mark(s, &t, &(struct clue_record){.time = t.time, .source = source, .evidence = f->evidence, .n_evidence = f->n_evidence});
}

/* IIS tells that a static file took a POST; what that reached, and who asked when a balancer stands before the server, HttpProxy's row of the
 * same request tells better. */
static void use_tiers(struct incidents *s)
{
	for (size_t i = 0; i < s->marks.n; i++) {
		struct trace *t = &s->marks.v[i].trace;
		const uint32_t *row = t->log == LOG_IIS && t->request.n ? map_get(&s->request_rows, t->request) : NULL;
		if (!row) continue;
		const struct proxy_row *p = &s->proxy_rows.v[*row];
		if (p->ip.n) t->ip = p->ip;
		if (!str_eq(t->campaign, STR("proxylogon"))) continue;
		t->stage = p->stage;
		t->reason = STR("the same requests in the IIS log");
		t->flags |= TRACE_ECHO;
		if (t->stage <= STAGE_PROBE) t->flags &= (uint16_t)~TRACE_OPENS;
	}
}

static struct str refusal_key(uint32_t server, int64_t sec, char room[40])
{
	return (struct str){room, (size_t)snprintf(room, 40, "%u %lld", server, (long long)sec)};
}

/* A view state that the panel's own error calls wrongly signed was only tried, whatever the web log's 500 could mean. */
static void use_refusals(struct incidents *s)
{
	enum { SAME_REQUEST = 5 };
	struct map refused = {0};
	char room[40];
	for (size_t i = 0; i < s->refusals.n; i++) map_put(&refused, refusal_key(alias_server(s, s->refusals.v[i].server), s->refusals.v[i].sec, room), 0, NULL);
	for (size_t i = 0; i < s->marks.n && refused.n; i++) {
		struct mark *m = &s->marks.v[i];
		struct trace *t = &m->trace;
		bool found = false;
		if (!str_eq(t->campaign, STR("cve-2020-0688")) || t->log == LOG_APPLICATION || !(t->flags & TRACE_OPENS)) continue;
		for (int64_t apart = -SAME_REQUEST; apart <= SAME_REQUEST && !found; apart++) found = map_get(&refused, refusal_key(m->server, t->time.sec + apart, room));
		if (!found) continue;
		t->stage = STAGE_PROBE;
		t->flags &= (uint16_t)~TRACE_OPENS;
		feed_prober(s, t, &(struct clue_record){.time = t->time, .source = m->source, .evidence = s->pool.v + m->evidence, .n_evidence = m->n_evidence});
	}
	for (size_t i = 0; i < s->probers.n && refused.n; i++) s->probers.v[i].resolved = alias_server(s, s->probers.v[i].server);
	map_done(&refused);
}

void incidents_finish(struct incidents *s, void (*report)(void *context, const struct incident *i), void *context)
{
	struct chains chains = {0};
	use_tiers(s);
	resolve_servers(s);
	use_refusals(s);
	judge_pages(s);
	join_chains(s, &chains);
	make_scope(s);
	for (size_t i = 0; i < chains.v.n; i++) tell_chain(s, &chains.v.v[i], report, context);
	chains_done(&chains);
}

const struct scope_row *incidents_scope(const struct incidents *s, uint32_t *ret_n)
{
	*ret_n = (uint32_t)s->scope.n;
	return s->scope.v;
}
