/* join.c: marks to chains: what one attacker did on one server. See incident_internal.h.
 *
 * Marks that may open a story and web shells are nodes. Nodes of one server are one chain when they share an address, a
 * request, a canary, an account that is no built-in one, or a page. What has no address (an event of the host) then goes to the one
 * attacker it fits best: who called a shell in the seconds before, who was doing at that moment what leads to it, who had got far
 * enough before. It never ties two attackers together. A use of the control panel without a session of its own belongs to the
 * session just before; a shell that nobody was seen writing, to the last who wrote something. Then the weak marks join what
 * they stand beside, and the probing addresses what they did besides; who only probed is told apart: as a scanner of the
 * server's worst chain, or in an incident of stage probe. */
#include "incident/incident_internal.h"
#include <stdio.h>

enum { NEAR = 600, AFTER = 30 * 86400, WEAK_AFTER = 7 * 86400, CALLED = 30, SAME_USER = 86400, LOOK_BACK = 4096, DAY = 86400 };

struct node {
	uint32_t server, parent;
	bool page;
	uint32_t index;            /* of the mark or page */
	struct etime time;
	bool keyed;                /* has an address */
	uint8_t stage;
};
enum set_flags { SET_KEYED = 1, SET_SESSION = 2, SET_LATER = 4, SET_PAGE = 8, SET_MARK = 16 /* a mark with an address */ };
struct joiner {
	struct incidents *s;
	VEC(struct node) nodes;    /* by time */
	struct map keys;           /* key -> node */
	uint8_t *sets;             /* by root: set_flags of its nodes */
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

static void make_nodes(struct joiner *j)
{
	struct incidents *s = j->s;
	for (uint32_t i = 0; i < s->marks.n; i++) {
		const struct mark *m = &s->marks.v[i];
		if (m->trace.flags & TRACE_OPENS) vec_push(&j->nodes, (struct node){m->server, 0, false, i, m->trace.time, !is_local(m->trace.ip), m->trace.stage});
	}
	for (uint32_t i = 0; i < s->pages.n; i++)
		if (s->pages.v[i].shell) vec_push(&j->nodes, (struct node){s->pages.v[i].resolved, 0, true, i, log_of_page(&s->pages.v[i])->first, true, STAGE_USED});
	if (j->nodes.n > 1) qsort(j->nodes.v, j->nodes.n, sizeof j->nodes.v[0], by_time);
	for (uint32_t i = 0; i < j->nodes.n; i++) j->nodes.v[i].parent = i;
}

/* --- what nodes share --- */

static struct str local_part(struct str name)
{
	size_t slash = str_find_byte(name, '\\', 0);
	if (slash != SIZE_MAX) name = str_sub(name, slash + 1, SIZE_MAX);
	return str_sub(name, 0, str_find_byte(name, '@', 0));
}

/* An account says who it is only when it is not one that everybody's tools act as, or the server itself does. */
static bool own_account(const struct trace *t)
{
	static const char *const everybody[] = {"administrator", "system", "healthmailbox", "anonymous", "exchange"};
	struct str name = local_part(t->user);
	if (!name.n || name.p[name.n - 1] == '$' || t->stage < STAGE_SSRF || starts_nocase(name, "S-1-5-")) return false;
	for (size_t i = 0; i < COUNT(everybody); i++)
		if (starts_nocase(name, everybody[i])) return false;
	return t->log == LOG_IIS || t->log == LOG_HTTPPROXY || t->log == LOG_RPS_HTTP || t->log == LOG_RPS_CMDLET || t->log == LOG_EWS || t->log == LOG_AUDIT;
}

/* The same account again within a day. */
static void key_user(struct joiner *j, uint32_t node, const struct trace *t)
{
	char text[200];
	bool fresh;
	if (!own_account(t)) return;
	struct str name = str_sub(local_part(t->user), 0, 100);
	int n = snprintf(text, sizeof text, "%uu%.*s", j->nodes.v[node].server, STR_FMT(name));
	for (int i = 0; i < n; i++) text[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
	uint32_t *last = map_put(&j->keys, (struct str){text, (size_t)n}, node, &fresh);
	if (!fresh && j->nodes.v[node].time.sec - j->nodes.v[*last].time.sec <= SAME_USER) unite(j, node, *last);
	*last = node;
}

static void unite_by_keys(struct joiner *j)
{
	struct incidents *s = j->s;
	for (uint32_t i = 0; i < j->nodes.n; i++) {
		const struct node *n = &j->nodes.v[i];
		if (n->page) {
			const struct page_log *l = log_of_page(&s->pages.v[n->index]);
			key(j, i, 'p', s->pages.v[n->index].path);
			for (uint32_t k = 0; k < l->n_clients && k < PAGE_CLIENTS; k++)
				if (!is_local(l->clients[k].ip)) key(j, i, 'i', l->clients[k].ip);
		} else {
			const struct trace *t = &s->marks.v[n->index].trace;
			if (n->keyed) key(j, i, 'i', t->ip);
			key(j, i, 'c', t->canary);
			key(j, i, 'r', t->request);
			key_user(j, i, t);
			if (memchr(t->page.p, '/', t->page.n)) key(j, i, 'p', t->page);
		}
	}
}

/* Files known by their last name only (compiled pages), or under another folder than the address: to the page of that name. */
static void unite_by_base(struct joiner *j)
{
	struct incidents *s = j->s;
	for (unsigned pass = 0; pass < 3; pass++) /* pages and whole paths offer their names, then the others take them */
		for (uint32_t i = 0; i < j->nodes.n; i++) {
			const struct node *n = &j->nodes.v[i];
			struct str page = n->page ? s->pages.v[n->index].path : s->marks.v[n->index].trace.page, base = base_of(page);
			bool fresh, whole = base.n < page.n, file = !n->page && (s->marks.v[n->index].trace.flags & TRACE_FILE);
			char text[700];
			if (!base.n || pass != (n->page ? 0u : whole ? 1u : 2u)) continue;
			int k = snprintf(text, sizeof text, "%ub%.*s", n->server, STR_FMT(str_sub(base, 0, 600)));
			uint32_t other = *map_put(&j->keys, (struct str){text, (size_t)k}, i, &fresh);
			if (!fresh && (pass == 2 || (pass == 1 && file && !(j->sets[root_of(j, i)] & SET_PAGE)))) unite(j, i, other);
		}
}

static void describe_sets(struct joiner *j)
{
	memset(j->sets, 0, j->nodes.n + 1);
	for (uint32_t i = 0; i < j->nodes.n; i++) {
		const struct node *n = &j->nodes.v[i];
		j->sets[root_of(j, i)] |= (uint8_t)((n->keyed ? SET_KEYED : 0) | (n->page ? SET_PAGE : n->keyed ? SET_MARK : 0) | (n->stage == STAGE_SESSION ? SET_SESSION : 0) |
			(n->stage >= STAGE_ENUMERATION ? SET_LATER : 0));
	}
}

/* --- what has no address --- */

/* A shell of this server that was answered in the seconds before, or at the same moment: its node. */
static uint32_t caller_of(const struct joiner *j, const struct node *n)
{
	uint32_t best = UINT32_MAX;
	int64_t nearest = CALLED + 1;
	for (uint32_t i = 0; i < j->nodes.n; i++) {
		const struct node *p = &j->nodes.v[i];
		if (!p->page || p->server != n->server) continue;
		const struct page_log *l = log_of_page(&j->s->pages.v[p->index]);
		for (size_t k = 0; k < l->calls.n; k++) {
			int64_t ago = n->time.sec - l->calls.v[k].sec;
			if (ago < -2 || ago > CALLED) continue;
			int64_t distance = ago < 0 ? -ago * 8 : ago; /* before rather than after */
			if (distance < nearest) nearest = distance, best = i;
		}
	}
	return best;
}

/* How well the node with an address fits one without at that distance; 0: not at all. */
static int64_t fitness(const struct node *other, int64_t ago, enum stage stage)
{
	bool entry = other->page || other->stage >= STAGE_SESSION, wrote = other->stage == STAGE_WRITTEN || other->page;
	if (ago < -60 || ago > AFTER) return 0;
	if (ago <= NEAR && stage < STAGE_USED && (entry || stage <= STAGE_SESSION)) return (entry ? 5000000000 : 4000000000) - (ago < 0 ? -ago * 8 : ago);
	if (ago < 0) return 0;
	if (wrote) return 3000000000 - ago;
	if (entry) return 2000000000 - ago;
	return ago <= NEAR ? 1000000000 - ago : 0;
}

/* The addressed node that the set of node `at` belongs to, which has no address of its own; UINT32_MAX: none. */
static uint32_t owner_of(struct joiner *j, uint32_t at)
{
	const struct node *n = &j->nodes.v[at];
	uint32_t set = root_of(j, at), best = n->stage >= STAGE_WRITTEN ? caller_of(j, n) : UINT32_MAX;
	int64_t top = 0;
	if (best != UINT32_MAX && root_of(j, best) != set) return best;
	best = UINT32_MAX;
	for (uint32_t i = at; i-- > 0 && at - i < LOOK_BACK && n->time.sec - j->nodes.v[i].time.sec <= AFTER;) {
		if (j->nodes.v[i].server != n->server || !j->nodes.v[i].keyed || root_of(j, i) == set) continue;
		int64_t fit = fitness(&j->nodes.v[i], n->time.sec - j->nodes.v[i].time.sec, n->stage);
		if (fit > top) top = fit, best = i;
	}
	for (uint32_t i = at + 1; i < j->nodes.n && i - at < LOOK_BACK && j->nodes.v[i].time.sec - n->time.sec <= NEAR; i++) {
		if (j->nodes.v[i].server != n->server || !j->nodes.v[i].keyed || root_of(j, i) == set) continue;
		int64_t fit = fitness(&j->nodes.v[i], n->time.sec - j->nodes.v[i].time.sec, n->stage);
		if (fit > top) top = fit, best = i;
		else if (best == UINT32_MAX && !j->nodes.v[i].page) best = i; /* logs of one moment do not come in the order in which things happened */
	}
	return best;
}

/* Where no addresses are known at all: the event of the host before it that tells of an entry, or any beside it. */
static uint32_t host_neighbour(const struct joiner *j, uint32_t at)
{
	const struct node *n = &j->nodes.v[at];
	for (uint32_t i = at; i-- > 0 && at - i < LOOK_BACK && n->time.sec - j->nodes.v[i].time.sec <= AFTER;)
		if (j->nodes.v[i].server == n->server && !j->nodes.v[i].keyed && (j->nodes.v[i].stage >= STAGE_SESSION || n->time.sec - j->nodes.v[i].time.sec <= NEAR)) return i;
	return UINT32_MAX;
}

/* The node by which a set without an address finds its owner: the first that saw a file written, else its first; UINT32_MAX: a page's set
 * whose writing was not seen. A set's earliest node is its root. */
static void find_guides(struct joiner *j, uint32_t *guide)
{
	for (uint32_t i = 0; i < j->nodes.n; i++) guide[i] = UINT32_MAX;
	for (uint32_t i = 0; i < j->nodes.n; i++) {
		uint32_t root = root_of(j, i);
		const struct node *n = &j->nodes.v[i];
		if (j->sets[root] & SET_MARK) continue;
		if (guide[root] == UINT32_MAX ? !(j->sets[root] & SET_PAGE) || n->stage == STAGE_WRITTEN : n->stage == STAGE_WRITTEN && j->nodes.v[guide[root]].stage != STAGE_WRITTEN) guide[root] = i;
	}
}

/* Owners are looked up before anything is united, so that each set goes to one. */
static void unite_hosts(struct joiner *j)
{
	uint32_t *guide = xcalloc(j->nodes.n + 1, sizeof *guide), *owner = xcalloc(j->nodes.n + 1, sizeof *owner);
	find_guides(j, guide);
	for (uint32_t i = 0; i < j->nodes.n; i++) owner[i] = guide[i] == UINT32_MAX ? UINT32_MAX : owner_of(j, guide[i]);
	for (uint32_t i = 0; i < j->nodes.n; i++)
		if (guide[i] != UINT32_MAX && owner[i] == UINT32_MAX && !(j->sets[i] & SET_KEYED)) owner[i] = host_neighbour(j, i);
	for (uint32_t i = 0; i < j->nodes.n; i++)
		if (owner[i] != UINT32_MAX) unite(j, i, owner[i]);
	free(guide);
	free(owner);
}

/* --- who used another's session or file --- */

/* The control panel was used by an address that opened no session: one was opened just before, by an address that did nothing with it. */
static void unite_sessions(struct joiner *j)
{
	for (uint32_t i = 0; i < j->nodes.n; i++) {
		const struct node *n = &j->nodes.v[i];
		uint8_t set = j->sets[root_of(j, i)];
		if (!n->keyed || n->page || (set & SET_SESSION) || (n->stage != STAGE_ENUMERATION && n->stage != STAGE_WRITTEN)) continue;
		for (uint32_t k = i; k-- > 0 && i - k < LOOK_BACK && n->time.sec - j->nodes.v[k].time.sec <= NEAR;) {
			const struct node *o = &j->nodes.v[k];
			uint32_t root = root_of(j, k);
			if (o->server != n->server || !o->keyed || o->stage != STAGE_SESSION || (j->sets[root] & SET_LATER)) continue;
			uint8_t both = (uint8_t)(j->sets[root] | set);
			unite(j, i, k);
			j->sets[root_of(j, i)] = both;
			break;
		}
	}
}

/* The last mark before a shell's first call that saw a file written of which no other page came; where all have their page, the only attacker who
 * wrote. */
static uint32_t writer_before(struct joiner *j, uint32_t at)
{
	uint32_t only = UINT32_MAX;
	bool several = false;
	for (uint32_t i = at; i-- > 0 && at - i < LOOK_BACK;) {
		const struct node *n = &j->nodes.v[i];
		if (n->server != j->nodes.v[at].server || n->page || n->stage != STAGE_WRITTEN) continue;
		if (!(j->sets[root_of(j, i)] & SET_PAGE)) return i;
		several |= only != UINT32_MAX && root_of(j, only) != root_of(j, i);
		if (only == UINT32_MAX) only = i;
	}
	return several ? UINT32_MAX : only;
}

static void unite_writers(struct joiner *j)
{
	for (uint32_t i = 0; i < j->nodes.n; i++) {
		uint8_t set = j->sets[root_of(j, i)];
		if (!j->nodes.v[i].page || (set & SET_MARK)) continue;
		uint32_t other = writer_before(j, i);
		if (other == UINT32_MAX) continue;
		uint8_t both = (uint8_t)(set | j->sets[root_of(j, other)]);
		unite(j, i, other);
		j->sets[root_of(j, i)] = both;
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
	for (uint32_t i = 0; i < l->n_clients && i < PAGE_CLIENTS; i++) add_attacker(c, l->clients[i].ip);
}

static void make_chains(struct joiner *j, struct chains *ret, uint32_t *number)
{
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
	for (uint32_t i = 0; i < j->nodes.n; i++) number[i] = number[root_of(j, i)];
}

static bool has_attacker(const struct chain *c, struct str ip)
{
	for (size_t i = 0; i < c->attackers.n; i++)
		if (str_eq(c->attackers.v[i], ip)) return true;
	return false;
}

static bool has_account(const struct incidents *s, const struct chain *c, const struct trace *t)
{
	if (!own_account(t)) return false;
	for (size_t i = 0; i < c->marks.n; i++) {
		const struct trace *other = &s->marks.v[c->marks.v[i]].trace;
		if (own_account(other) && str_eq_nocase(local_part(other->user), local_part(t->user))) return true;
	}
	return false;
}

/* What administrators do too is only told where it is tied to the story, or goes on at the same moment. */
static bool of_cmdlets(const struct trace *t)
{
	return t->log == LOG_MANAGEMENT || t->log == LOG_RPS_CMDLET || t->log == LOG_ECP || t->log == LOG_EWS || t->log == LOG_AUDIT;
}

/* A weak mark joins a chain of its server: with the account of a session or with an attacker's address; without either only what goes on beside
 * or after, and nothing that takes a session where none was had. `beside`: something else of the chain happened within minutes. Mail in the cloud
 * has no server of ours: account or address decide. */
static bool joins(const struct incidents *s, const struct chain *c, const struct mark *m, bool beside)
{
	const struct trace *t = &m->trace;
	int64_t before = c->first.sec - t->time.sec, after = t->time.sec - c->last.sec;
	bool here = c->server == m->server, tied = has_account(s, c, t);
	if (c->probes_only || (!here && t->log != LOG_AUDIT)) return false;
	if (tied) return before <= NEAR && after <= WEAK_AFTER;
	if (!is_local(t->ip)) return has_attacker(c, t->ip);
	if (!here || (t->stage >= STAGE_COMMANDS && c->stage < STAGE_SESSION)) return false;
	if (of_cmdlets(t) && t->stage != STAGE_WRITTEN) return beside;
	return before <= NEAR && after <= (t->stage <= STAGE_ENUMERATION ? NEAR : WEAK_AFTER);
}

/* The first node behind `time`. */
static size_t first_after(const struct joiner *j, struct etime time)
{
	size_t low = 0, high = j->nodes.n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (etime_cmp(j->nodes.v[mid].time, time) <= 0) low = mid + 1;
		else high = mid;
	}
	return low;
}

static bool is_beside(const struct joiner *j, const uint32_t *number, uint32_t chain, struct etime time)
{
	size_t at = first_after(j, time);
	for (size_t i = at; i-- > 0 && at - i < LOOK_BACK && time.sec - j->nodes.v[i].time.sec <= NEAR;)
		if (number[i] == chain) return true;
	for (size_t i = at; i < j->nodes.n && i - at < LOOK_BACK && j->nodes.v[i].time.sec - time.sec <= NEAR; i++)
		if (number[i] == chain) return true;
	return false;
}

/* The chain of the page that was called in the seconds before; else of the last node before that tells of an entry; else any that fits. */
static struct chain *home_of(const struct joiner *j, struct chains *ret, const uint32_t *number, const struct mark *m)
{
	struct node n = {.server = m->server, .time = m->trace.time, .stage = m->trace.stage};
	bool local = is_local(m->trace.ip);
	uint32_t called = local && n.stage >= STAGE_WRITTEN ? caller_of(j, &n) : UINT32_MAX;
	if (called != UINT32_MAX && joins(j->s, &ret->v.v[number[called]], m, true)) return &ret->v.v[number[called]];
	size_t at = first_after(j, n.time);
	for (size_t i = at; local && i-- > 0 && at - i < LOOK_BACK;) {
		if (!j->nodes.v[i].page && j->nodes.v[i].stage < STAGE_SESSION) continue;
		if (joins(j->s, &ret->v.v[number[i]], m, n.time.sec - j->nodes.v[i].time.sec <= NEAR)) return &ret->v.v[number[i]];
	}
	for (size_t k = ret->v.n; k-- > 0;)
		if (joins(j->s, &ret->v.v[k], m, is_beside(j, number, (uint32_t)k, n.time))) return &ret->v.v[k];
	return NULL;
}

static void add_weak_marks(const struct joiner *j, struct chains *ret, const uint32_t *number)
{
	struct incidents *s = j->s;
	struct chain **home = xcalloc(s->marks.n + 1, sizeof(struct chain *));
	for (uint32_t i = 0; i < s->marks.n; i++)
		if (!(s->marks.v[i].trace.flags & TRACE_OPENS)) home[i] = home_of(j, ret, number, &s->marks.v[i]);
	for (uint32_t i = 0; i < s->marks.n; i++)
		if (home[i]) take_mark(s, home[i], i);
	free(home);
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
			int n = snprintf(text, sizeof text, "%u %.*s", p->resolved, STR_FMT(str_sub(l->clients[k].ip, 0, 100)));
			uint32_t at = *map_put(&seen, (struct str){text, (size_t)n}, (uint32_t)s->probers.n, &fresh);
			if (fresh) vec_push(&s->probers, (struct prober){.server = p->server, .resolved = p->resolved, .ip = l->clients[k].ip, .campaign = STR("any"), .log = p->iis.refused ? LOG_IIS : LOG_HTTPPROXY,
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
	struct map seen = {0};
	for (uint32_t i = 0; i < s->probers.n; i++) {
		const struct prober *p = &s->probers.v[i];
		struct chain *c = NULL;
		for (size_t k = 0; k < ret->v.n && !c; k++)
			if (ret->v.v[k].server == p->resolved && !ret->v.v[k].probes_only && has_attacker(&ret->v.v[k], p->ip)) c = &ret->v.v[k];
		struct chain *worst = c ? NULL : worst_of(ret, p->resolved);
		if (worst && !p->ip.n && p->first.sec >= worst->first.sec - DAY && p->last.sec <= worst->last.sec + DAY) { /* an event of the host: no scanner can be named */
			c = worst;
			worst = NULL;
		}
		if (worst) {
			vec_push(&worst->scanners, i);
			continue;
		}
		if (!c) c = probes_of(ret, p->resolved);
		vec_push(&c->probers, i);
		widen(c, p->first, p->last);
		if (!c->probes_only) continue;
		char text[160];
		bool fresh;
		int n = snprintf(text, sizeof text, "%u %.*s", c->server, STR_FMT(str_sub(p->ip, 0, 100)));
		map_put(&seen, (struct str){text, (size_t)n}, 0, &fresh);
		if (!fresh) continue; /* in two logs, or for two campaigns */
		size_t before = c->attackers.n;
		add_attacker(c, p->ip);
		c->more_attackers += c->attackers.n == before && !is_local(p->ip);
	}
	map_done(&seen);
}

/* --- the campaign's name --- */

/* The one campaign that all probes belong to which tell; "any" when there are several. */
static struct str campaign_of_probes(const struct incidents *s, const struct chain *c)
{
	struct str one = STR("any");
	for (size_t i = 0; i < c->probers.n; i++) {
		struct str other = s->probers.v[c->probers.v[i]].campaign;
		if (str_eq(other, STR("any")) || str_eq(other, one)) continue;
		if (!str_eq(one, STR("any"))) return STR("any");
		one = other;
	}
	return one;
}

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
	if (c->probes_only) c->campaign = campaign_of_probes(s, c);
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
	j.sets = xcalloc(j.nodes.n + 1, 1);
	uint32_t *number = xcalloc(j.nodes.n + 1, sizeof *number);
	unite_by_keys(&j);
	describe_sets(&j);
	unite_by_base(&j);
	describe_sets(&j);
	unite_sessions(&j);
	describe_sets(&j);
	unite_hosts(&j);
	describe_sets(&j);
	unite_writers(&j);
	make_chains(&j, ret, number);
	add_weak_marks(&j, ret, number);
	vec_free(&j.nodes);
	map_done(&j.keys);
	free(j.sets);
	free(number);
	find_shell_seekers(s);
	add_probers(s, ret);
	for (size_t i = 0; i < ret->v.n; i++) {
		struct chain *c = &ret->v.v[i];
		track_join(s, c);
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
