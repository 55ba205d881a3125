/* web.c: see web.h. */
#include "event/web.h"

struct str web_uri(struct arena *a, struct str stem, struct str query)
{
	if (!query.n || str_eq(query, STR("-"))) return stem;
	bool own = query.p[0] == '?';
	char *p = arena_alloc(a, stem.n + query.n + 1);
	if (!p) return (struct str){"", 0};
	if (stem.n) memcpy(p, stem.p, stem.n);
	p[stem.n] = '?';
	memcpy(p + stem.n + !own, query.p, query.n);
	return (struct str){p, stem.n + !own + query.n};
}

struct str web_agent(struct arena *a, struct str agent)
{
	struct str none = {NULL, 0};
	if (!agent.n || !memchr(agent.p, '+', agent.n)) return none;
	char *p = arena_alloc(a, agent.n);
	if (!p) return none;
	for (size_t i = 0; i < agent.n; i++) p[i] = agent.p[i] == '+' ? ' ' : agent.p[i];
	return (struct str){p, agent.n};
}

struct str web_extension(struct str stem)
{
	for (size_t i = stem.n; i > 0 && stem.p[i - 1] != '/'; i--)
		if (stem.p[i - 1] == '.') return i < stem.n ? str_sub(stem, i, stem.n) : (struct str){NULL, 0};
	return (struct str){NULL, 0};
}

struct str web_stem(struct str uri)
{
	size_t at = str_find_byte(uri, '?', 0);
	return at == SIZE_MAX ? uri : str_sub(uri, 0, at);
}

struct str web_query(struct str uri)
{
	size_t at = str_find_byte(uri, '?', 0);
	return at == SIZE_MAX ? (struct str){NULL, 0} : str_sub(uri, at + 1, uri.n);
}
