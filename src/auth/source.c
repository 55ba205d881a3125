/* source.c: the events of one source: which are attempts, and which lines belong to one. See auth.h. */
#include "auth/auth_internal.h"
#include "base/buf.h"
#include "text/stamp.h"
#include <stdio.h>

enum { KINDS = 4096, CONNECTIONS = 1024, RECORDS = 8, TEXT_MAX = 512, WAIT_SECONDS = 120, SCRATCH = 32 << 20,
	LATER_ADDRESS = 6 * TEXT_MAX, LATER_USER = 7 * TEXT_MAX /* in attempt.text, behind what the first line said */ };

/* An attempt that waits for what else is said about it. */
struct attempt {
	struct auth_event auth;     /* its texts lie in `text` */
	uint32_t n_records;
	struct str program, pid, message;
	struct attempt *next;       /* among the spare ones */
	struct record_ref records[RECORDS];
	char text[8 * TEXT_MAX];
};
struct connection {
	uint64_t key;               /* program, process id; 0 = free */
	struct attempt *waits;      /* NULL = none */
	int64_t since;              /* the second of its time */
	bool entered;               /* somebody logged in */
	bool closed;                /* what comes now is another connection, but for what PAM says in the end */
	uint64_t counted;           /* failures that were handed out */
	char peer[ADDRESS_MAX];     /* whose it is, when a line has said so */
	uint8_t peer_n;
	struct record_ref peer_line;
};

/* A name of a program that was looked up. */
enum { PROGRAMS = 64, PROGRAM_MAX = 46 };
struct known_program { const struct service *service; uint8_t n; bool known; char name[PROGRAM_MAX]; };

struct auth_source {
	const struct auth *auth;
	struct shape_table *shapes;
	struct auth_kind *kinds;    /* [KINDS], by hash of the shape */
	struct connection *connections; /* [CONNECTIONS], made when the first is met */
	uint32_t looked_at;         /* the connection whose time is looked at next */
	struct known_program programs[PROGRAMS]; /* by their beginning and length */
	uint64_t host_hash;         /* of `host`, the one of the line before */
	uint32_t host_n;
	char host[64];
	VEC(struct attempt *) due;
	size_t due_at;
	bool ended;                 /* all that waited is due */
	struct attempt *current;    /* what auth_source_due gave last, or what was joined; may be NULL */
	struct attempt *spare;
	struct auth_stats stats;
	/* the event handed out */
	struct event event;
	struct event *base;
	struct auth_event said;
	struct value *cells;
	uint32_t cells_cap;
	struct record_ref records[RECORDS + 2];
	const struct record_ref *said_by; /* the line that named the address, when it is an earlier one */
	char address[ADDRESS_MAX];
	struct arena arena;
	const struct shape *line_shapes[AUTH_OUTCOMES]; /* of attempts that come by themselves */
};

/* --- making and freeing ------------------------------------------------------------------------------------------- */

struct auth *auth_new(struct fault *f)
{
	struct auth *a = xcalloc(1, sizeof *a);
	struct sha256 *sha = sha256_new();
	bool ok = true;
	arena_init(&a->patterns.arena, 16 << 20);
	arena_init(&a->mappings.arena, 4 << 20);
	for (size_t i = 0; ok && i < auth_data_count; i++) {
		struct str bytes = {(const char *)auth_data[i].bytes, auth_data[i].n}, name = str_of(auth_data[i].name);
		sha256_add(sha, bytes.p, bytes.n);
		ok = str_eq(name, STR("fields.txt")) ? mappings_add(&a->mappings, bytes, name, f) : patterns_add(&a->patterns, bytes, name, f);
	}
	sha256_end(sha, a->sha256);
	sha256_free(sha);
	if (ok && patterns_end(&a->patterns, f)) return a;
	auth_free(a);
	return NULL;
}

void auth_free(struct auth *a)
{
	if (!a) return;
	patterns_done(&a->patterns);
	mappings_done(&a->mappings);
	free(a);
}

const uint8_t *auth_sha256(const struct auth *a) { return a->sha256; }

struct auth_source *auth_source_new(const struct auth *a, struct shape_table *shapes)
{
	struct auth_source *s = xcalloc(1, sizeof *s);
	s->auth = a;
	s->shapes = shapes;
	s->kinds = xcalloc(KINDS, sizeof *s->kinds);
	arena_init(&s->arena, SCRATCH);
	return s;
}

void auth_source_free(struct auth_source *s)
{
	if (!s) return;
	auth_source_reset(s);
	for (size_t i = 0; i < KINDS; i++) free(s->kinds[i].mappings);
	for (struct attempt *next; s->spare; s->spare = next) next = s->spare->next, free(s->spare);
	free(s->current);
	vec_free(&s->due);
	free(s->kinds);
	free(s->cells);
	arena_done(&s->arena);
	free(s);
}

/* What is not needed any more is kept for the next; NULL is nothing. */
static void attempt_give(struct auth_source *s, struct attempt *a)
{
	if (!a) return;
	a->next = s->spare;
	s->spare = a;
}

static struct attempt *attempt_take(struct auth_source *s)
{
	struct attempt *a = s->spare;
	if (a) s->spare = a->next;
	return a ? a : xmalloc(sizeof *a);
}

void auth_source_reset(struct auth_source *s)
{
	for (size_t i = 0; s->connections && i < CONNECTIONS; i++) attempt_give(s, s->connections[i].waits);
	for (size_t i = s->due_at; i < s->due.n; i++) attempt_give(s, s->due.v[i]);
	free(s->connections);
	s->connections = NULL;
	s->due.n = s->due_at = 0;
	s->ended = false;
	s->looked_at = 0;
	s->stats = (struct auth_stats){0};
}

void auth_source_stats(const struct auth_source *s, struct auth_stats *ret) { *ret = s->stats; }

/* --- what is known of a shape -------------------------------------------------------------------------------------- */

static const struct service *service_of(const struct auth_source *s, const struct map *names, struct str name)
{
	const uint32_t *at = map_get(names, name);
	return at ? &s->auth->patterns.services.v[*at] : NULL;
}

/* postfix/smtpd as such; "httpd/backend1" as httpd; "postfix-relay/submission/smtpd" as /smtpd. What no program says is as in a service's own file. */
static const struct service *service_of_program(const struct auth_source *s, struct str name)
{
	const struct map *names = &s->auth->patterns.programs;
	size_t slash = str_find_byte(name, '/', 0), last = name.n;
	if (!name.n) return &s->auth->patterns.files;
	const struct service *found = service_of(s, names, name);
	if (found || slash == SIZE_MAX) return found;
	while (name.p[last - 1] != '/') last--;
	found = service_of(s, names, str_sub(name, 0, slash));
	return found ? found : service_of(s, names, str_sub(name, last - 1, name.n));
}

/* The same, remembered. */
static const struct service *service_of_line(struct auth_source *s, struct str name)
{
	uint64_t begin = 0;
	if (!name.n || name.n > PROGRAM_MAX) return service_of_program(s, name);
	memcpy(&begin, name.p, name.n < 8 ? name.n : 8);
	struct known_program *k = &s->programs[(begin ^ name.n) * 0x9e3779b97f4a7c15 >> 58];
	if (k->known && k->n == name.n && !memcmp(k->name, name.p, name.n)) return k->service;
	*k = (struct known_program){.service = service_of_program(s, name), .n = (uint8_t)name.n, .known = true};
	memcpy(k->name, name.p, name.n);
	return k->service;
}

static void learn(struct auth_source *s, struct auth_kind *k, const struct shape *shape)
{
	const struct mappings *all = &s->auth->mappings;
	free(k->mappings);
	*k = (struct auth_kind){.shape = shape};
	k->message = shape_column(shape, STR("message"));
	k->pid = shape_column(shape, STR("pid"));
	k->client = shape_column(shape, STR("c-ip"));
	k->program = shape_column(shape, STR("program"));
	k->repeated = shape_column(shape, STR("repeated"));
	if (k->message >= 0) k->service = service_of(s, &s->auth->patterns.formats, shape->format);
	if (k->message >= 0 && str_eq(shape->format, STR("service-log"))) k->service = &s->auth->patterns.files;
	if (k->program >= 0 && shape->columns[k->program].constant) k->service = service_of_program(s, shape->columns[k->program].value.text);
	else k->by_event = k->program >= 0;
	for (size_t i = 0; i < all->v.n; i++) {
		const struct mapping *m = &all->v.v[i];
		if (m->format.n ? !str_eq(m->format, shape->format) : shape->event_id != m->event_id || !str_eq(m->channel, shape->channel)) continue;
		if (!k->mappings) k->mappings = xcalloc(all->v.n, sizeof *k->mappings);
		k->mappings[k->n_mappings++] = m;
	}
	k->asked = k->n_mappings && k->mappings[0]->n_conditions ? k->mappings[0]->conditions[0].field : (struct str){"", 0};
	k->asked_column = k->asked.n ? shape_column(shape, k->asked) : -1;
}

static struct auth_kind *kind_of(struct auth_source *s, const struct shape *shape)
{
	struct auth_kind *k = &s->kinds[(uint64_t)(uintptr_t)shape * 0x9e3779b97f4a7c15 >> 52];
	if (k->shape != shape || shape->id == UINT32_MAX) learn(s, k, shape);
	return k;
}

/* --- the event handed out ------------------------------------------------------------------------------------------ */

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct auth_source *s = (struct auth_source *)ev->impl;
	verify(column < s->base->shape->n_columns); /* the others are filled, or constant */
	*ret = *event_cell(s->base, column);
}

static uint32_t contexts(const struct event *ev, struct range *ret, uint32_t max)
{
	const struct auth_source *s = ev->impl;
	return s->base->ops->contexts ? s->base->ops->contexts(s->base, ret, max) : 0;
}

static const struct event_ops extended_ops = {decode, contexts, NULL, NULL};

static struct value *fresh_cells(struct auth_source *s, uint32_t n)
{
	if (n > s->cells_cap) {
		free(s->cells);
		s->cells = xcalloc(n, sizeof *s->cells);
		s->cells_cap = n;
	}
	for (uint32_t i = 0; i < n; i++) s->cells[i].kind = VALUE_UNREAD;
	return s->cells;
}

/* What every attempt is asked for, and what the base has said already. */
static void fill_cells(struct auth_source *s, const struct auth_kind *k, const struct event *base, const struct auth_event *said)
{
	const int32_t known[] = {k->message, base->shape->host_column};
	for (size_t i = 0; i < COUNT(known); i++)
		if (known[i] >= 0 && base->cells[known[i]].kind == VALUE_STR) value_set_str(&s->cells[known[i]], base->cells[known[i]].text);
	auth_values(said, s->cells + base->shape->n_columns);
}

/* The base event with what it says of an attempt. Without room for its shape it stays as it is. */
static struct event *extend(struct auth_source *s, struct auth_kind *k, struct event *ev, const struct attempt *before)
{
	const struct shape *shape = k->extended[s->said.outcome];
	uint32_t n = 0;
	if (!shape) shape = extended_shape(s->shapes, ev->shape, s->said.outcome, &k->extended[s->said.outcome]);
	if (!shape) return ev;
	s->base = ev;
	s->event = *ev;
	s->event.shape = shape;
	s->event.cells = fresh_cells(s, shape->n_columns);
	s->event.ops = &extended_ops;
	s->event.impl = s;
	fill_cells(s, k, ev, &s->said);
	if (!before && !s->said_by) return &s->event;
	if (s->said_by) s->records[n++] = *s->said_by;
	for (uint32_t i = 0; before && i < before->n_records; i++)
		if (!s->said_by || before->records[i].offset != s->said_by->offset) s->records[n++] = before->records[i];
	s->records[n++] = ev->records[0];
	s->event.records = s->records;
	s->event.n_records = n;
	return &s->event;
}

/* --- connections --------------------------------------------------------------------------------------------------- */

static struct str take_text(char **at, struct str s)
{
	struct str kept = {*at, s.n < TEXT_MAX ? s.n : TEXT_MAX};
	if (kept.n) memcpy(*at, s.p, kept.n);
	*at += kept.n;
	return kept;
}

static struct str cell_text(struct event *ev, int32_t column)
{
	if (column < 0) return (struct str){"", 0};
	struct value *v = event_cell(ev, (uint32_t)column);
	if (v->has_text) return v->text;
	return v->kind == VALUE_ABSENT || v->kind == VALUE_NULL ? (struct str){"", 0} : value_text(v, ev->arena);
}

static struct record_ref record_of(const struct event *ev)
{
	struct record_ref r = ev->records[0];
	r.bytes = NULL;
	return r;
}

static struct attempt *put_aside(struct auth_source *s, const struct auth_kind *k, struct event *ev, const struct auth_event *said, const struct record_ref *said_by)
{
	struct attempt *a = attempt_take(s);
	char *at = a->text;
	a->auth = *said;
	a->n_records = 0;
	a->auth.src_ip = take_text(&at, said->src_ip);
	a->auth.user = take_text(&at, said->user);
	a->auth.host = take_text(&at, said->host);
	a->program = take_text(&at, cell_text(ev, k->program));
	a->pid = take_text(&at, cell_text(ev, k->pid));
	a->message = take_text(&at, cell_text(ev, k->message));
	if (said_by) a->records[a->n_records++] = *said_by;
	a->records[a->n_records++] = record_of(ev);
	return a;
}

/* One more line about an attempt. What it says of user and address counts where nothing was said before. */
static void join(struct attempt *a, struct event *ev, const struct auth_event *said)
{
	if (a->n_records < RECORDS) a->records[a->n_records++] = record_of(ev);
	/* A place of its own for each: they may come with different lines. */
	char *address = a->text + LATER_ADDRESS, *user = a->text + LATER_USER;
	if (!a->auth.src_ip.n && said->src_ip.n) a->auth.src_ip = take_text(&address, said->src_ip);
	if (!a->auth.user.n && said->user.n) a->auth.user = take_text(&user, said->user);
}

static void make_due(struct auth_source *s, struct connection *c)
{
	if (c->waits) vec_push(&s->due, c->waits);
	c->waits = NULL;
}

static uint64_t hash_of_host(struct auth_source *s, struct str host)
{
	if (host.n > sizeof s->host) return hash_bytes(host.p, host.n);
	if (host.n == s->host_n && s->host_hash && (!host.n || !memcmp(host.p, s->host, host.n))) return s->host_hash;
	if (host.n) memcpy(s->host, host.p, host.n);
	s->host_n = (uint32_t)host.n;
	return s->host_hash = hash_bytes(host.p, host.n);
}

/* A number stands for itself, so that no two are taken for one; other names by their hash. *ret_place: by the bytes alone, so that it does not depend on the
 * process key of the hash. */
static uint64_t hash_of_conn(struct str id, uint32_t *ret_place)
{
	enum { SHORT = 18 };
	uint64_t n = 0;
	uint32_t place = 0;
	unsigned other = id.n > SHORT;
	for (size_t i = 0; i < id.n; i++) {
		unsigned c = (uint8_t)id.p[i], digit = c - '0';
		place = place * 31 + c;
		other |= digit > 9;
		n = n * 10 + digit;
	}
	*ret_place = place;
	return !other || str_u64(id, &n) ? (n + 1) * 0xd6e8feb86659fd93 : hash_bytes(id.p, id.n);
}

/* Who a line is about, as far as its name goes. n == 0: nobody. */
struct whom { size_t n; uint64_t hash; uint32_t place; };

static struct whom whom(struct str id)
{
	struct whom w = {.n = id.n};
	if (id.n) w.hash = hash_of_conn(id, &w.place);
	return w;
}

/* The process, for services of which one serves one connection, on its way into the cache. A web server's process serves many clients: only where syslog names
 * the program is a process a connection. */
static struct whom process_of(struct auth_source *s, const struct auth_kind *k, struct event *ev)
{
	struct whom w = {.n = 0};
	if (k->program >= 0 && k->service && k->service->forks) w = whom(cell_text(ev, k->pid));
	if (w.n && s->connections) __builtin_prefetch(&s->connections[w.place % CONNECTIONS]);
	return w;
}

/* The connection that a line is about. */
static struct connection *connection_of(struct auth_source *s, const struct auth_kind *k, const struct whom *w, struct str host)
{
	if (!w->n) return NULL;
	uint64_t key = w->hash ^ (uint64_t)(uintptr_t)k->service * 0x9e3779b97f4a7c15;
	key = (key ^ hash_of_host(s, host)) | 1;
	if (!s->connections) s->connections = xcalloc(CONNECTIONS, sizeof *s->connections);
	struct connection *c = &s->connections[w->place % CONNECTIONS];
	if (c->key != key) {
		make_due(s, c);
		*c = (struct connection){.key = key};
	}
	return c;
}

/* One connection an event is looked at, so that none waits for ever. */
static void look_for_old(struct auth_source *s, struct etime now)
{
	if (!s->connections || !now.present) return;
	struct connection *c = &s->connections[s->looked_at++ % CONNECTIONS];
	__builtin_prefetch(&s->connections[s->looked_at % CONNECTIONS]);
	if (c->waits && now.sec - c->since > WAIT_SECONDS) make_due(s, c);
}

/* --- lines --------------------------------------------------------------------------------------------------------- */

/* "message repeated 5 times: [ Failed password ...]": what it stands for. */
static struct str unrepeated(struct str s, uint32_t *times)
{
	static const struct str begin = {"message repeated ", 17}, middle = {" times: [ ", 10};
	size_t at;
	uint64_t n;
	*times = 1;
	if (!str_starts(s, begin) || s.p[s.n - 1] != ']' || (at = str_find(s, middle, begin.n)) == SIZE_MAX) return s;
	if (!str_u64(str_sub(s, begin.n, at - begin.n), &n) || n < 1 || n > 1000000) return s;
	*times = (uint32_t)n;
	return str_sub(s, at + middle.n, s.n - at - middle.n - 1);
}

/* The same as the reader tells it, of messages that begin so or with "last message repeated". */
static uint32_t repeated(struct event *ev, const struct auth_kind *k, char first)
{
	uint64_t n;
	if (first != 'm' && first != 'l' && first != ' ') return 1;
	return k->repeated >= 0 && str_u64(cell_text(ev, k->repeated), &n) && n >= 1 && n <= 1000000 ? (uint32_t)n : 1;
}

/* sshd of sshd(pam_unix). */
static struct str program_of(struct event *ev, const struct auth_kind *k)
{
	struct str program = cell_text(ev, k->program);
	size_t paren = str_find_byte(program, '(', 0);
	return paren == SIZE_MAX ? program : str_sub(program, 0, paren);
}

/* "130916 21:30:26 [Warning] Access denied ...": a service that writes a time of its own, behind that of syslog. */
static struct str without_stamp(struct str s)
{
	struct stamp t;
	return s.n && stamp_take(s, false, &t) && t.c.month ? str_sub(s, t.n, s.n) : s;
}

static void say(struct auth_source *s, const struct auth_kind *k, struct event *ev, const struct pattern_match *m, struct str host, struct str service, uint32_t times)
{
	struct str client = !m->addr.p && !m->contested && k->client >= 0 ? cell_text(ev, k->client) : m->addr;
	size_t n = client.p ? address_canonical(client, s->address) : 0;
	s->said_by = NULL;
	uint64_t attempts = (m->attempts ? m->attempts : 1) * (uint64_t)times;
	s->said = (struct auth_event){.time = ev->time, .outcome = m->kind == PATTERN_SUCCESS ? AUTH_SUCCESS : m->kind == PATTERN_FAILURE || m->kind == PATTERN_ANNOUNCE ? AUTH_FAILURE : AUTH_PROBE,
		.src_ip = {s->address, n}, .user = m->user.p ? m->user : (struct str){"", 0}, .service = service, .host = host,
		.attempts = attempts < UINT32_MAX ? (uint32_t)attempts : UINT32_MAX};
}

/* The service whose pattern the message is: the program's own, then those of any program. NULL: none. */
static const struct service *understand(struct auth_source *s, const struct auth_kind *k, struct str message, struct pattern_match *m)
{
	const struct patterns *p = &s->auth->patterns;
	if (k->service && service_match(k->service, message, m)) {
		s->stats.looking++, s->stats.understood++;
		return k->service;
	}
	bool looks = k->program >= 0 && words_in(&p->any_words, message);
	for (size_t i = 0; looks && i < p->any.n; i++) {
		const struct service *any = &p->services.v[p->any.v[i]];
		if (!service_match(any, message, m)) continue;
		s->stats.looking++, s->stats.understood++;
		return any;
	}
	s->stats.looking += looks || (k->service && words_in(&k->service->words, message));
	return NULL;
}

static struct event *hand_out(struct auth_source *s, struct auth_kind *k, struct event *ev, const struct attempt *before, struct auth_event *ret, bool *ret_is)
{
	struct event *out = extend(s, k, ev, before);
	*ret_is = out != ev;
	*ret = s->said;
	return out;
}

static bool same_text(struct str a, struct str b) { return !a.n || !b.n || str_eq(a, b); }

/* A line that decides an attempt. */
static struct event *decide(struct auth_source *s, struct auth_kind *k, struct event *ev, struct connection *c, struct auth_event *ret, bool *ret_is)
{
	struct auth_event *said = &s->said;
	bool joined = c && c->waits && said->outcome != AUTH_PROBE && same_text(c->waits->auth.src_ip, said->src_ip);
	/* What states no outcome does not decide what waits. */
	if (c && c->waits && said->outcome == AUTH_PROBE && same_text(c->waits->auth.src_ip, said->src_ip)) return join(c->waits, ev, said), NULL;
	if (c && c->waits && !joined) make_due(s, c);
	if (c) c->counted += said->outcome == AUTH_FAILURE ? said->attempts : 0;
	if (c && said->outcome == AUTH_SUCCESS) c->entered = true;
	if (!joined) return hand_out(s, k, ev, NULL, ret, ret_is);
	attempt_give(s, s->current);
	s->current = c->waits;
	c->waits = NULL;
	if (!said->src_ip.n) said->src_ip = s->current->auth.src_ip;
	if (!said->user.n) said->user = s->current->auth.user;
	return hand_out(s, k, ev, s->current, ret, ret_is);
}

static const struct service *understand_joined(struct auth_source *s, const struct auth_kind *k, struct str message, bool looked, struct pattern_match *m)
{
	if (!message.n || !service_match(k->service, message, m)) return NULL;
	s->stats.looking += !looked;
	s->stats.understood++;
	return k->service;
}

/* A line that names no address is about the connection's. */
static void know_peer(struct auth_source *s, struct connection *c, const struct event *ev)
{
	if (s->said.src_ip.n) {
		c->peer_line = record_of(ev);
		memcpy(c->peer, s->address, s->said.src_ip.n);
		c->peer_n = (uint8_t)s->said.src_ip.n;
	} else if (c->peer_n) {
		memcpy(s->address, c->peer, c->peer_n);
		s->said.src_ip.n = c->peer_n;
		s->said_by = &c->peer_line;
	}
}

/* "pop3-login: Info: ..." of a line whose first word was taken for its program; empty when that cannot be told. */
static struct str with_program(const struct event *ev, struct str message)
{
	struct str raw = ev->raw;
	if (!raw.p || message.p < raw.p || message.p + message.n != raw.p + raw.n) return (struct str){"", 0};
	size_t at = raw.n - message.n;
	while (at && raw.p[at - 1] == ' ') at--;
	while (at && raw.p[at - 1] != ' ') at--;
	return str_sub(raw, at, raw.n);
}

static struct event *take_line(struct auth_source *s, struct auth_kind *k, struct event *ev, struct auth_event *ret, bool *ret_is)
{
	struct pattern_match m;
	uint32_t times;
	struct str text = cell_text(ev, k->message), message = without_stamp(text);
	if (!message.n) return ev;
	if (k->by_event) k->service = service_of_line(s, program_of(ev, k));
	message = unrepeated(message, &times);
	if (times == 1) times = repeated(ev, k, text.p[0]);
	struct whom process = process_of(s, k, ev);
	uint64_t looking = s->stats.looking;
	const struct service *service = understand(s, k, message, &m);
	if (!service && k->service && times == 1) service = understand_joined(s, k, with_program(ev, message), s->stats.looking > looking, &m);
	if (!service) return ev;
	struct str host = event_host(ev);
	if (m.conn.n) process = whom(m.conn); /* what the line itself says */
	struct connection *c = connection_of(s, k, &process, host);
	if (m.kind == PATTERN_PEER) {
		if (!c) return ev;
		make_due(s, c);
		*c = (struct connection){.key = c->key};
		if (m.addr.p) c->peer_n = (uint8_t)address_canonical(m.addr, c->peer);
		c->peer_line = record_of(ev);
		return ev;
	}
	say(s, k, ev, &m, host, k->service && k->service != &s->auth->patterns.files ? k->service->name : m.service, times);
	bool summary = service->any_program && m.attempts;
	if (c && c->closed && !summary && (m.kind <= PATTERN_ANNOUNCE)) *c = (struct connection){.key = c->key};
	if (c) know_peer(s, c, ev);
	/* "PAM 2 more authentication failures" says in the end what its connection's lines have said one by one. */
	if (c && summary && c->counted >= m.attempts) s->said.outcome = AUTH_PROBE;
	if (m.kind <= PATTERN_PROBE) return decide(s, k, ev, c, ret, ret_is);
	bool same = c && c->waits && same_text(c->waits->auth.src_ip, s->said.src_ip) && same_text(c->waits->auth.user, s->said.user);
	if (m.kind == PATTERN_ANNOUNCE) {
		if (!c) return hand_out(s, k, ev, NULL, ret, ret_is);
		if (same) return join(c->waits, ev, &s->said), NULL;
		make_due(s, c);
		c->waits = put_aside(s, k, ev, &s->said, s->said_by);
		c->since = s->said.time.sec;
		return NULL;
	}
	if (c && c->waits) {
		join(c->waits, ev, &s->said);
		if (m.kind != PATTERN_CLOSE) return NULL;
		c->counted += c->waits->auth.attempts;
		c->closed = true;
		make_due(s, c);
		return NULL;
	}
	/* The end of what has been told already, or of a session, is no news. */
	bool told = c && (c->entered || c->counted) && (m.kind == PATTERN_CLOSE || !m.addr.p);
	if (m.kind == PATTERN_CLOSE && c) c->closed = true;
	return told || !s->said.src_ip.n ? ev : hand_out(s, k, ev, NULL, ret, ret_is);
}

/* --- the door ------------------------------------------------------------------------------------------------------ */

static struct event *take_fields(struct auth_source *s, struct auth_kind *k, struct event *ev, struct auth_event *ret, bool *ret_is)
{
	const struct mapping *m = mapping_of(k, ev);
	if (!m) return ev;
	size_t n = address_canonical(mapping_text(ev, m->addresses, m->n_addresses), s->address);
	s->stats.looking++, s->stats.understood++;
	s->said_by = NULL;
	s->said = (struct auth_event){.time = ev->time, .outcome = m->outcome, .src_ip = {s->address, n}, .user = mapping_text(ev, m->users, m->n_users), .service = m->service,
		.host = event_host(ev), .attempts = 1};
	return hand_out(s, k, ev, NULL, ret, ret_is);
}

struct event *auth_source_take(struct auth_source *s, struct event *ev, struct auth_event *ret, bool *ret_is)
{
	struct auth_kind *k = kind_of(s, ev->shape);
	*ret_is = false;
	if (k->n_mappings) return take_fields(s, k, ev, ret, ret_is);
	if (k->message < 0 || (!k->service && k->program < 0)) return ev; /* no text, or of nobody's */
	look_for_old(s, ev->time);
	return take_line(s, k, ev, ret, ret_is);
}

/* --- attempts by themselves ---------------------------------------------------------------------------------------- */

enum { LINE_HOST, LINE_PROGRAM, LINE_PID, LINE_MESSAGE, LINE_COLUMNS };

static void decode_line(struct event *ev, uint32_t column, struct value *ret)
{
	struct auth_source *s = (struct auth_source *)ev->impl;
	const struct attempt *a = s->current;
	const struct str texts[LINE_COLUMNS] = {a->auth.host, a->program, a->pid, a->message};
	verify(column < LINE_COLUMNS);
	*ret = texts[column].n ? value_str(texts[column]) : (struct value){.kind = VALUE_ABSENT};
}

static const struct event_ops line_ops = {decode_line, NULL, NULL, NULL};

static const struct shape *line_shape(struct auth_source *s, enum auth_outcome outcome)
{
	static const char *const names[] = {"host", "program", "pid", "message"};
	/* Other rules have seen the lines themselves. */
	static const struct logsource_binding bindings[] = {{.ls = {.product = {"linux", 5}, .category = {"authentication", 14}}}};
	const struct shape **kept = &s->line_shapes[outcome];
	if (*kept) return *kept;
	struct column columns[LINE_COLUMNS + AUTH_COLUMNS] = {0};
	char key[32];
	int n = snprintf(key, sizeof key, "authentication %s", auth_outcome_word(outcome));
	for (unsigned i = 0; i < LINE_COLUMNS; i++) columns[i].name = str_of(names[i]);
	auth_columns(outcome, columns + LINE_COLUMNS);
	const struct shape spec = {.n_columns = COUNT(columns), .columns = columns, .format = STR("syslog"), .event_id = -1, .host_column = LINE_HOST, .n_bindings = COUNT(bindings),
		.bindings = bindings};
	*kept = shape_table_find(s->shapes, (struct str){key, (size_t)n});
	if (!*kept) *kept = shape_table_add(s->shapes, (struct str){key, (size_t)n}, &spec);
	return *kept;
}

struct event *auth_source_due(struct auth_source *s, bool end, struct auth_event *ret)
{
	for (size_t i = 0; end && !s->ended && s->connections && i < CONNECTIONS; i++) make_due(s, &s->connections[i]);
	s->ended = end;
	if (s->due_at == s->due.n) {
		s->due.n = s->due_at = 0;
		return NULL;
	}
	attempt_give(s, s->current);
	s->current = s->due.v[s->due_at++];
	const struct shape *shape = line_shape(s, s->current->auth.outcome);
	if (!shape) return NULL;
	arena_reset(&s->arena);
	s->event = (struct event){.shape = shape, .cells = fresh_cells(s, shape->n_columns), .arena = &s->arena, .ops = &line_ops, .impl = s, .time = s->current->auth.time,
		.records = s->current->records, .n_records = s->current->n_records};
	auth_values(&s->current->auth, s->cells + LINE_COLUMNS);
	*ret = s->current->auth;
	return &s->event;
}
