/* derived.c: see derived.h. */
#include "event/derived.h"
#include "base/alloc.h"
#include "event/event.h"
#include "event/web.h"

enum derived_how { D_HASH, D_CELL, D_URI, D_AGENT, D_EXTENSION };
struct derived { const char *name; enum derived_how how; const char *of; };

static const struct derived hashes[] = {{"md5", D_HASH, "md5"}, {"sha1", D_HASH, "sha1"}, {"sha256", D_HASH, "sha256"}, {"Imphash", D_HASH, "imphash"}, {"MD5", D_HASH, "md5"},
	{"SHA1", D_HASH, "sha1"}, {"SHA256", D_HASH, "sha256"}, {"IMPHASH", D_HASH, "imphash"}, {"imphash", D_HASH, "imphash"}};
static const struct derived iis[] = {{"cs-uri-query", D_URI, NULL}, {"cs-uri", D_URI, NULL}, {"c-uri", D_URI, NULL}, {"c-uri-query", D_CELL, "cs-uri-query"},
	{"c-uri-extension", D_EXTENSION, NULL}, {"cs-user-agent", D_CELL, "csUser-Agent"}, {"cs-user-agent", D_AGENT, "csUser-Agent"}, {"c-useragent", D_CELL, "csUser-Agent"},
	{"c-useragent", D_AGENT, "csUser-Agent"}, {"cs-referer", D_CELL, "csReferer"}, {"cs-cookie", D_CELL, "csCookie"}};

static const char *const sources[] = {"Hashes", "Hash", "cs-uri-stem", "cs-uri-query", "csUser-Agent", "csReferer", "csCookie"};

int derived_source(struct str column)
{
	for (size_t i = 0; i < COUNT(sources); i++)
		if (str_eq(column, str_of(sources[i]))) return (int)i;
	return -1;
}

static bool is_whole(struct str column) { return str_eq(column, STR("Hashes")) || str_eq(column, STR("Hash")); }

struct derived_set derived_of(uint32_t n, struct str (*name)(const void *arg, uint32_t i), const void *arg)
{
	unsigned web = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct str s = name(arg, i);
		if (is_whole(s)) return (struct derived_set){hashes, COUNT(hashes)};
		web |= str_eq(s, STR("cs-uri-stem")) | str_eq(s, STR("csUser-Agent")) << 1;
	}
	return web == 3 ? (struct derived_set){iis, COUNT(iis)} : (struct derived_set){NULL, 0};
}

struct column derived_column(struct derived_set s, uint32_t which) { return (struct column){.name = str_of(s.v[which].name), .hidden = true}; }

static struct str text_of(struct event *ev, const char *name)
{
	struct value *v = event_get(ev, str_of(name));
	return v && v->kind == VALUE_STR ? v->text : (struct str){NULL, 0};
}

static void hash_part(struct event *ev, struct str algorithm, struct value *ret)
{
	struct str rest = text_of(ev, "Hashes");
	if (!rest.p) rest = text_of(ev, "Hash");
	while (rest.p) {
		struct str value = str_trim(str_cut(&rest, ',')), name = str_cut(&value, '=');
		if (value.p && str_eq_nocase(name, algorithm)) {
			*ret = value_str(value);
			return;
		}
	}
}

void derived_value(struct derived_set s, uint32_t which, struct event *ev, struct value *ret)
{
	const struct derived *d = &s.v[which];
	struct str cell = d->how == D_HASH ? (struct str){NULL, 0} : text_of(ev, d->of ? d->of : "cs-uri-stem"), made = {NULL, 0};
	*ret = (struct value){.kind = VALUE_ABSENT};
	switch (d->how) {
	case D_HASH: hash_part(ev, str_of(d->of), ret); return;
	case D_CELL:
		if (cell.p) *ret = str_eq(cell, STR("-")) ? (struct value){.kind = VALUE_NULL} : value_str(cell);
		return;
	case D_URI: if (cell.p) made = web_uri(ev->arena, cell, text_of(ev, "cs-uri-query")); break;
	case D_AGENT: if (cell.p) made = web_agent(ev->arena, cell); break;
	case D_EXTENSION: if (cell.p) made = web_extension(cell); break;
	}
	if (made.p) *ret = value_str(made);
}
