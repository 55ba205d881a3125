/* resolve.c: which server a clue belongs to, when its log does not name one. See incident_internal.h.
 *
 * In this order: the name in the log; a folder of the source's path that bears the name of a server known from other logs; a
 * request that a named server's HttpProxy also logged; the only server there is; else the address (or the folder) stands for it. */
#include "incident/incident_internal.h"

struct str path_of_source(const struct incidents *s, uint32_t source)
{
	for (size_t i = 0; i < s->sources.n; i++)
		if (s->sources.v[i].id == source) return s->sources.v[i].path;
	return (struct str){"", 0};
}

static uint32_t server_named(struct incidents *s, struct str name, bool named)
{
	for (uint32_t i = 0; i < s->servers.n; i++)
		if (str_eq(s->servers.v[i].name, name)) return i;
	vec_push(&s->servers, (struct server){tell_str(s, name), named});
	return (uint32_t)s->servers.n - 1;
}

static bool is_named(struct str raw) { return raw.n && raw.p[0] != '@' && raw.p[0] != '#' && raw.p[0] != '~'; }

/* A server known by name whose name is a folder of the path; UINT32_MAX. */
static uint32_t server_by_folder(const struct incidents *s, struct str path)
{
	size_t from = 0;
	for (size_t i = 0; i <= path.n; i++) {
		if (i < path.n && path.p[i] != '/' && path.p[i] != '!' && path.p[i] != '\\') continue;
		struct str part = str_sub(path, from, i - from);
		from = i + 1;
		for (uint32_t k = 0; k < s->servers.n; k++)
			if (s->servers.v[k].named && (str_eq_nocase(part, s->servers.v[k].name) ||
				(part.n > s->servers.v[k].name.n && part.p[s->servers.v[k].name.n] == '.' && starts_nocase(part, s->servers.v[k].name.p)))) return k;
	}
	return UINT32_MAX;
}

/* A request that this raw name's clues share with a named server's. */
static uint32_t server_by_request(struct incidents *s, struct str raw)
{
	for (size_t i = 0; i < s->marks.n; i++) {
		const struct trace *t = &s->marks.v[i].trace;
		if (!str_eq(t->server, raw) || !t->request.n) continue;
		uint32_t *mark = map_get(&s->request_index, t->request);
		if (mark) return server_named(s, s->marks.v[*mark].trace.server, true);
	}
	return UINT32_MAX;
}

static uint32_t resolve(struct incidents *s, struct str raw, uint32_t source)
{
	if (is_named(raw)) return server_named(s, raw, true);
	if (raw.n && raw.p[0] == '~') { /* an audit record's: one that other logs know, or none of them */
		for (uint32_t i = 0; i < s->servers.n; i++)
			if (s->servers.v[i].named && str_eq(s->servers.v[i].name, str_sub(raw, 1, SIZE_MAX))) return i;
		return server_named(s, raw.n > 1 ? str_sub(raw, 1, SIZE_MAX) : STR("(mailbox audit)"), false);
	}
	uint32_t at = server_by_folder(s, path_of_source(s, source));
	if (at == UINT32_MAX) at = server_by_request(s, raw);
	if (at != UINT32_MAX) return at;
	uint32_t named = 0, only = 0;
	for (uint32_t i = 0; i < s->servers.n; i++)
		if (s->servers.v[i].named) named++, only = i;
	if (named == 1) return only;
	return server_named(s, raw.n ? str_sub(raw, 1, SIZE_MAX) : STR("(server not named)"), false);
}

uint32_t alias_server(const struct incidents *s, struct str raw)
{
	const uint32_t *at = map_get(&s->alias_index, raw);
	return at ? s->aliases.v[*at].server : 0;
}

static int by_server(const void *a, const void *b)
{
	const struct calendar_row *x = a, *y = b;
	int c = str_cmp(x->server, y->server);
	return c ? c : (int)x->log - (int)y->log;
}

void resolve_servers(struct incidents *s)
{
	/* Workers met the logs in any order; from here on the order is fixed. The index is not asked any more. */
	if (s->calendar.v.n > 1) qsort(s->calendar.v.v, s->calendar.v.n, sizeof s->calendar.v.v[0], by_server);
	for (size_t i = 0; i < s->calendar.v.n; i++) add_alias(s, s->calendar.v.v[i].server, s->calendar.v.v[i].source);
	for (size_t i = 0; i < s->calendar.v.n; i++)
		if (is_named(s->calendar.v.v[i].server)) server_named(s, s->calendar.v.v[i].server, true);
	for (size_t i = 0; i < s->aliases.n; i++)
		if (is_named(s->aliases.v[i].raw)) server_named(s, s->aliases.v[i].raw, true);
	for (uint32_t i = 0; i < s->marks.n; i++) {
		const struct trace *t = &s->marks.v[i].trace;
		if (t->request.n && is_named(t->server)) map_put(&s->request_index, t->request, i, NULL);
	}
	for (size_t i = 0; i < s->aliases.n; i++) s->aliases.v[i].server = resolve(s, s->aliases.v[i].raw, s->aliases.v[i].source);
	for (size_t i = 0; i < s->marks.n; i++) s->marks.v[i].server = alias_server(s, s->marks.v[i].trace.server);
	for (size_t i = 0; i < s->probers.n; i++) s->probers.v[i].resolved = alias_server(s, s->probers.v[i].server);
	for (size_t i = 0; i < s->pages.n; i++) s->pages.v[i].resolved = alias_server(s, s->pages.v[i].server);
}
