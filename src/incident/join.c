/* join.c: marks to chains: what one attacker did on one server. See incident_internal.h.
 *
 * Marks that may open a story and web shells are nodes. Nodes of one server are one chain when they share an address, a
 * request, a canary or a page; when one has no address (an event of the host) and comes after another; and when a shell was first
 * called after a file had been written. Then the weak marks join what they stand beside, and the probing addresses what they
 * did besides; who only probed is told apart: as a scanner of the server's worst chain, or in an incident of stage probe. */
#include "incident/incident_internal.h"
#include <stdio.h>

enum { NEAR = 600, AFTER = 30 * 86400, WEAK_AFTER = 7 * 86400 };

struct node {
	uint32_t server, parent;
	bool page;
	uint32_t index;            /* of the mark or page */
	struct etime time;
	bool keyed;                /* has an address */
};
struct joiner {
	struct incidents *s;
	VEC(struct node) nodes;    /* by time */
	struct map keys;           /* key -> node */
};

static uint32_t root_of(struct joiner *j, uint32_t i)
{
	while (j->nodes.v[i].parent != i) {
		j->nodes.v[i].parent = j->nodes.v[j->nodes.v[i].parent].parent;
		i = j->nodes.v[i].parent;
	}
	return i;
}

/* The earlier root stays, so that chains keep the order of their first node. */
static void unite(struct joiner *j, uint32_t a, uint32_t b)
{
	a = root_of(j, a);
	b = root_of(j, b);
	if (a < b) j->nodes.v[b].parent = a;
	else j->nodes.v[a].parent = b;
}

static void key(struct joiner *j, uint32_t node, char kind, struct str value)
{
	char text[700];
	bool fresh;
	if (!value.n) return;
	int n = snprintf(text, sizeof text, "%u%c%.*s", j->nodes.v[node].server, kind, STR_FMT(str_sub(value, 0, 600)));
	uint32_t other = *map_put(&j->keys, (struct str){text, (size_t)n}, node, &fresh);
	if (!fresh) unite(j, node, other);
}

static struct str base_of(struct str path)
{
	for (size_t slash; (slash = str_find_byte(path, '/', 0)) != SIZE_MAX;) path = str_sub(path, slash + 1, SIZE_MAX);
	return path;
}

static bool is_local(struct str ip)
{
	return !ip.n || str_eq(ip, STR("::1")) || str_starts(ip, STR("127."));
}

static int by_time(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	int c = etime_cmp(x->time, y->time);
	return c ? c : x->page != y->page ? (int)x->page - (int)y->page : x->index < y->index ? -1 : x->index > y->index;
}

static const struct page_log *log_of_page(const struct page *p) { return p->iis.answered ? &p->iis : &p->proxy; }

static void make_nodes(struct joiner *j)
{
	struct incidents *s = j->s;
	for (uint32_t i = 0; i < s->marks.n; i++) {
		const struct mark *m = &s->marks.v[i];
		if (m->trace.flags & TRACE_OPENS) vec_push(&j->nodes, (struct node){m->server, 0, false, i, m->trace.time, !is_local(m->trace.ip)});
	}
	for (uint32_t i = 0; i < s->pages.n; i++)
		if (s->pages.v[i].shell) vec_push(&j->nodes, (struct node){s->pages.v[i].resolved, 0, true, i, log_of_page(&s->pages.v[i])->first, true});
	if (j->nodes.n > 1) qsort(j->nodes.v, j->nodes.n, sizeof j->nodes.v[0], by_time);
	for (uint32_t i = 0; i < j->nodes.n; i++) j->nodes.v[i].parent = i;
}

static void unite_by_keys(struct joiner *j)
{
	struct incidents *s = j->s;
	for (uint32_t i = 0; i < j->nodes.n; i++) {
		const struct node *n = &j->nodes.v[i];
		if (n->page) {
			const struct page_log *l = log_of_page(&s->pages.v[n->index]);
			key(j, i, 'p', s->pages.v[n->index].base);
			for (uint32_t k = 0; k < l->n_clients && k < PAGE_CLIENTS; k++)
				if (!is_local(l->clients[k])) key(j, i, 'i', l->clients[k]);
		} else {
			const struct trace *t = &s->marks.v[n->index].trace;
			if (n->keyed) key(j, i, 'i', t->ip);
			key(j, i, 'c', t->canary);
			key(j, i, 'r', t->request);
			key(j, i, 'p', base_of(t->page));
		}
	}
}

static bool tells_of_entry(const struct joiner *j, uint32_t i)
{
	const struct node *n = &j->nodes.v[i];
	return n->page || j->s->marks.v[n->index].trace.stage >= STAGE_SESSION;
}

/* The node an event of the host belongs to: the last one before it that tells of an entry, else any just before, else the next
 * just after (logs of one second do not come in the order in which things happened). */
static uint32_t neighbour(const struct joiner *j, uint32_t at)
{
	const struct node *n = &j->nodes.v[at];
	uint32_t beside = UINT32_MAX;
	for (uint32_t i = at; i-- > 0 && n->time.sec - j->nodes.v[i].time.sec <= AFTER;) {
		if (j->nodes.v[i].server != n->server) continue;
		if (tells_of_entry(j, i)) return i;
		if (beside == UINT32_MAX && n->time.sec - j->nodes.v[i].time.sec <= NEAR) beside = i;
	}
	for (uint32_t i = at + 1; beside == UINT32_MAX && i < j->nodes.n && j->nodes.v[i].time.sec - n->time.sec <= NEAR; i++)
		if (j->nodes.v[i].server == n->server) beside = i;
	return beside;
}

/* The last mark before a shell's first call that saw a file written. */
static uint32_t writer_before(const struct joiner *j, uint32_t at)
{
	for (uint32_t i = at; i-- > 0;) {
		const struct node *n = &j->nodes.v[i];
		if (n->server == j->nodes.v[at].server && !n->page && j->s->marks.v[n->index].trace.stage == STAGE_WRITTEN) return i;
	}
	return UINT32_MAX;
}

static void unite_by_time(struct joiner *j)
{
	for (uint32_t i = 0; i < j->nodes.n; i++) {
		uint32_t other = j->nodes.v[i].page ? writer_before(j, i) : j->nodes.v[i].keyed ? UINT32_MAX : neighbour(j, i);
		if (other != UINT32_MAX) unite(j, i, other);
	}
}

/* --- chains --- */

static void widen(struct chain *c, struct etime first, struct etime last)
{
	if (first.present && (!c->first.present || etime_cmp(first, c->first) < 0)) c->first = first;
	if (last.present && (!c->last.present || etime_cmp(last, c->last) > 0)) c->last = last;
}

static void add_attacker(struct chain *c, struct str ip)
{
	enum { ATTACKERS_MAX = 64 };
	if (is_local(ip) || c->attackers.n >= ATTACKERS_MAX) return;
	for (size_t i = 0; i < c->attackers.n; i++)
		if (str_eq(c->attackers.v[i], ip)) return;
	vec_push(&c->attackers, ip);
}

static void take_mark(struct incidents *s, struct chain *c, uint32_t at)
{
	const struct trace *t = &s->marks.v[at].trace;
	vec_push(&c->marks, at);
	widen(c, t->time, t->time);
	if (t->stage > c->stage) c->stage = t->stage;
	add_attacker(c, t->ip);
}

static void take_page(struct incidents *s, struct chain *c, uint32_t at)
{
	const struct page_log *l = log_of_page(&s->pages.v[at]);
	vec_push(&c->pages, at);
	widen(c, l->first, l->last);
	if (STAGE_USED > c->stage) c->stage = STAGE_USED;
	for (uint32_t i = 0; i < l->n_clients && i < PAGE_CLIENTS; i++) add_attacker(c, l->clients[i]);
}

static void make_chains(struct joiner *j, struct chains *ret)
{
	uint32_t *number = xcalloc(j->nodes.n + 1, sizeof *number);
	for (uint32_t i = 0; i < j->nodes.n; i++) {
		uint32_t root = root_of(j, i);
		if (root == i) {
			number[i] = (uint32_t)ret->v.n;
			vec_push(&ret->v, (struct chain){.server = j->nodes.v[i].server});
		}
		struct chain *c = &ret->v.v[number[root]];
		if (j->nodes.v[i].page) take_page(j->s, c, j->nodes.v[i].index);
		else take_mark(j->s, c, j->nodes.v[i].index);
	}
	free(number);
}

static bool has_attacker(const struct chain *c, struct str ip)
{
	for (size_t i = 0; i < c->attackers.n; i++)
		if (str_eq(c->attackers.v[i], ip)) return true;
	return false;
}

/* A weak mark joins a chain of its server: with an address only that attacker's, without one only what goes on beside or after;
 * what is said to be a session only right beside. */
static bool joins(const struct chain *c, const struct mark *m)
{
	const struct trace *t = &m->trace;
	int64_t before = c->first.sec - t->time.sec, after = t->time.sec - c->last.sec;
	if (c->server != m->server || c->probes_only) return false;
	if (!is_local(t->ip)) return has_attacker(c, t->ip);
	return before <= NEAR && after <= (t->stage <= STAGE_ENUMERATION ? NEAR : WEAK_AFTER);
}

static void add_weak_marks(struct incidents *s, struct chains *ret)
{
	for (uint32_t i = 0; i < s->marks.n; i++) {
		if (s->marks.v[i].trace.flags & TRACE_OPENS) continue;
		for (size_t k = ret->v.n; k-- > 0;) {
			if (!joins(&ret->v.v[k], &s->marks.v[i])) continue;
			take_mark(s, &ret->v.v[k], i);
			break;
		}
	}
}

/* --- probing --- */

static struct chain *probes_of(struct chains *ret, uint32_t server)
{
	for (size_t i = 0; i < ret->v.n; i++)
		if (ret->v.v[i].server == server && ret->v.v[i].probes_only) return &ret->v.v[i];
	vec_push(&ret->v, (struct chain){.server = server, .probes_only = true, .stage = STAGE_PROBE, .campaign = STR("any")});
	return &ret->v.v[ret->v.n - 1];
}

/* The chain of a server that got farthest; NULL when nobody did more than probe. */
static struct chain *worst_of(struct chains *ret, uint32_t server)
{
	struct chain *worst = NULL;
	for (size_t i = 0; i < ret->v.n; i++) {
		struct chain *c = &ret->v.v[i];
		if (c->server == server && !c->probes_only && (!worst || c->stage > worst->stage)) worst = c;
	}
	return worst;
}

/* Addresses that asked for pages others leave behind and got none: three names or more are a search for shells. */
static void find_shell_seekers(struct incidents *s)
{
	enum { ENOUGH = 3 };
	struct map seen = {0};
	size_t known = s->probers.n;
	for (uint32_t i = 0; i < s->pages.n; i++) {
		struct page *p = &s->pages.v[i];
		struct page_log *l = p->iis.refused ? &p->iis : &p->proxy;
		if (p->iis.answered || p->proxy.answered || !p->exchange) continue;
		for (uint32_t k = 0; k < l->n_clients && k < PAGE_CLIENTS; k++) {
			char text[160];
			bool fresh;
			int n = snprintf(text, sizeof text, "%u %.*s", p->resolved, STR_FMT(str_sub(l->clients[k], 0, 100)));
			uint32_t at = *map_put(&seen, (struct str){text, (size_t)n}, (uint32_t)s->probers.n, &fresh);
			if (fresh) vec_push(&s->probers, (struct prober){.server = p->server, .resolved = p->resolved, .ip = l->clients[k], .campaign = STR("any"),
				.reason = STR("asked for scripts that intruders leave behind, none was there")});
			struct prober *b = &s->probers.v[at];
			b->names++;
			if (!b->first.present || etime_cmp(l->first, b->first) < 0) b->first = l->first;
			if (etime_cmp(l->last, b->last) > 0) b->last = l->last;
			if (l->evidence.first.n) row_add(&b->evidence, l->evidence.first.v, (uint32_t)l->evidence.first.n);
		}
	}
	size_t kept = known;
	for (size_t i = known; i < s->probers.n; i++) {
		if (s->probers.v[i].names >= ENOUGH) s->probers.v[kept++] = s->probers.v[i];
		else row_done(&s->probers.v[i].evidence);
	}
	s->probers.n = kept;
	map_done(&seen);
}

static void add_probers(struct incidents *s, struct chains *ret)
{
	for (uint32_t i = 0; i < s->probers.n; i++) {
		const struct prober *p = &s->probers.v[i];
		struct chain *c = NULL;
		for (size_t k = 0; k < ret->v.n && !c; k++)
			if (ret->v.v[k].server == p->resolved && !ret->v.v[k].probes_only && has_attacker(&ret->v.v[k], p->ip)) c = &ret->v.v[k];
		struct chain *worst = c ? NULL : worst_of(ret, p->resolved);
		if (worst) {
			vec_push(&worst->scanners, i);
			continue;
		}
		if (!c) c = probes_of(ret, p->resolved);
		vec_push(&c->probers, i);
		widen(c, p->first, p->last);
		if (c->probes_only) add_attacker(c, p->ip);
	}
}

/* --- the campaign's name --- */

static void name_campaign(struct incidents *s, struct chain *c)
{
	enum stage best = STAGE_NONE;
	bool token = false, user = false;
	for (size_t i = 0; i < c->marks.n; i++) {
		const struct trace *t = &s->marks.v[c->marks.v[i]].trace;
		token |= (t->flags & TRACE_TOKEN) != 0;
		user |= t->stage == STAGE_SESSION && t->user.n && (t->log == LOG_IIS || t->log == LOG_HTTPPROXY);
		if (str_eq(t->campaign, STR("any")) || !(t->flags & TRACE_OPENS)) continue;
		if (best == STAGE_NONE) c->campaign = t->campaign; /* the first that tells: later stages are alike in all of them */
		best = t->stage;
	}
	for (size_t i = 0; i < c->probers.n && !c->campaign.n; i++) c->campaign = s->probers.v[c->probers.v[i]].campaign;
	if (!c->campaign.n || (str_eq(c->campaign, STR("any")) && !c->probes_only)) c->campaign = c->probes_only ? STR("any") : STR("webshell");
	if (str_eq(c->campaign, STR("proxyshell")) && user && !token) c->campaign = STR("proxynotshell"); /* logged on, no forged token */
}

static int by_first(const void *a, const void *b)
{
	const struct chain *x = a, *y = b;
	int c = etime_cmp(x->first, y->first);
	return c ? c : x->server != y->server ? (x->server < y->server ? -1 : 1) : (int)x->probes_only - (int)y->probes_only;
}

static int marks_by_time(const void *a, const void *b, void *state)
{
	const struct incidents *s = state;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int c = etime_cmp(s->marks.v[x].trace.time, s->marks.v[y].trace.time);
	return c ? c : x < y ? -1 : x > y;
}

void join_chains(struct incidents *s, struct chains *ret)
{
	struct joiner j = {.s = s};
	make_nodes(&j);
	unite_by_keys(&j);
	unite_by_time(&j);
	make_chains(&j, ret);
	vec_free(&j.nodes);
	map_done(&j.keys);
	add_weak_marks(s, ret);
	find_shell_seekers(s);
	add_probers(s, ret);
	for (size_t i = 0; i < ret->v.n; i++) {
		struct chain *c = &ret->v.v[i];
		name_campaign(s, c);
		if (c->marks.n > 1) qsort_r(c->marks.v, c->marks.n, sizeof c->marks.v[0], marks_by_time, s);
	}
	if (ret->v.n > 1) qsort(ret->v.v, ret->v.n, sizeof ret->v.v[0], by_first);
}

void chains_done(struct chains *c)
{
	for (size_t i = 0; i < c->v.n; i++) {
		vec_free(&c->v.v[i].marks);
		vec_free(&c->v.v[i].pages);
		vec_free(&c->v.v[i].probers);
		vec_free(&c->v.v[i].scanners);
		vec_free(&c->v.v[i].attackers);
	}
	vec_free(&c->v);
}
