/* homes.c: see homes.h. */
#include "scan/homes.h"
#include "event/logsource.h"

enum { AMBIGUOUS = UINT32_MAX };

struct str home_label(struct str host, char room[64])
{
	size_t n = 0;
	bool address = true; /* 192.0.2.1 is no name with a domain */
	for (size_t i = 0; i < host.n; i++) address &= (host.p[i] >= '0' && host.p[i] <= '9') || host.p[i] == '.';
	for (; n < host.n && n < 64 && (address || host.p[n] != '.'); n++) room[n] = host.p[n] >= 'A' && host.p[n] <= 'Z' ? (char)(host.p[n] + 32) : host.p[n];
	return (struct str){room, n};
}

struct homes {
	const struct taxonomy *taxonomy;
	VEC(struct str) hosts;     /* as records name them, by number; with the domain where one does */
	struct map by_label;       /* -> number */
	struct map by_place;       /* folder or file system -> number, AMBIGUOUS */
};

static bool is_machine(const struct homes *h, const struct home_source *s, struct str log)
{
	static const char *const formats[] = {"evtx", "winxml", "syslog", "auditd", "journal", "journal-export", "exchange", "w3c"};
	uint32_t n;
	for (size_t i = 0; i < COUNT(formats); i++)
		if (str_eq(s->format, str_of(formats[i]))) return true;
	/* Of exports in JSON and tables only those of Windows: there the log is a channel. */
	return (str_eq(s->format, STR("json")) || str_eq(s->format, STR("csv"))) && !taxonomy_format(h->taxonomy, log, &n) && !str_eq(log, s->format);
}

/* Where the folder of `path` lies: the file system it was collected with, where the path shows one, else the folder. */
static struct str place_of(struct str path, struct buf *room)
{
	static const char *const tops[] = {"/var/", "/etc/", "/home/", "/root/", "/windows/", "/inetpub/", "/program files/", "/programdata/", "/users/"};
	size_t dir = path.n;
	while (dir && path.p[dir - 1] != '/') dir--;
	room->n = 0;
	buf_byte(room, '/');
	for (size_t i = 0; i < dir; i++) buf_byte(room, path.p[i] >= 'A' && path.p[i] <= 'Z' ? (char)(path.p[i] + 32) : path.p[i] == '\\' ? '/' : path.p[i]);
	struct str low = buf_view(room);
	size_t top = SIZE_MAX;
	for (size_t i = 0; i < COUNT(tops); i++) {
		size_t at = str_find(low, str_of(tops[i]), 0);
		if (at < top) top = at;
	}
	room->n = top != SIZE_MAX ? top : low.n;
	buf_byte(room, top != SIZE_MAX ? '*' : '.'); /* a file system and a folder of that name are two things */
	return buf_view(room);
}

/* The container that `path` lies in; p == NULL: in none. */
static struct str container_of(struct str path)
{
	for (size_t i = path.n; i > 1; i--)
		if (path.p[i - 1] == '/' && path.p[i - 2] == '!') return str_sub(path, 0, i - 2);
	return (struct str){NULL, 0};
}

/* The host's number; AMBIGUOUS: it is none, or there are two of that name in two domains. */
static uint32_t number_of(struct homes *h, struct str host)
{
	static const char *const none[] = {"localhost", "-", "(none)", "unknown"};
	char label[64];
	bool fresh;
	struct str name = home_label(host, label);
	for (size_t i = 0; i < COUNT(none); i++)
		if (str_eq(name, str_of(none[i]))) return AMBIGUOUS;
	uint32_t *at = map_put(&h->by_label, name, (uint32_t)h->hosts.n, &fresh);
	if (fresh) vec_push(&h->hosts, host);
	if (fresh || *at == AMBIGUOUS || host.n == name.n) return *at;
	struct str *known = &h->hosts.v[*at];
	if (known->n == name.n) *known = host;
	else if (!str_eq_nocase(*known, host)) *at = AMBIGUOUS;
	return *at;
}

static void learn(struct homes *h, const struct home_source *s)
{
	struct buf room = {0};
	for (size_t i = 0; i < s->rows->rows.n; i++) {
		const struct coverage_row *r = &s->rows->rows.v[i];
		bool fresh;
		if (!r->host.n || !is_machine(h, s, r->log)) continue;
		uint32_t number = number_of(h, r->host);
		uint32_t *at = map_put(&h->by_place, place_of(s->path, &room), number, &fresh);
		if (*at != number) *at = AMBIGUOUS;
	}
	buf_done(&room);
}

/* A folder of the path, the nearest first, that is the name of a host. */
static uint32_t by_name(const struct homes *h, struct str path)
{
	size_t end = path.n;
	while (end && path.p[end - 1] != '/') end--;
	while (end) {
		size_t from = --end;
		char label[64];
		while (from && path.p[from - 1] != '/') from--;
		struct str part = str_sub(path, from, end - from);
		if (part.n && part.p[part.n - 1] == '!') part.n--;
		uint32_t *at = part.n ? map_get(&h->by_label, home_label(part, label)) : NULL;
		if (at) return *at;
		end = from;
	}
	return AMBIGUOUS;
}

static uint32_t home_of(const struct homes *h, struct str path, struct buf *room)
{
	uint32_t number = by_name(h, path);
	for (struct str at = path; number == AMBIGUOUS && at.p; at = container_of(at)) {
		uint32_t *found = map_get(&h->by_place, place_of(at, room));
		if (found) return *found;
	}
	return number;
}

void homes_find(const struct home_source *v, uint32_t n, const struct taxonomy *taxonomy, struct str *ret)
{
	struct homes h = {.taxonomy = taxonomy};
	struct buf room = {0};
	for (uint32_t i = 0; i < n; i++) learn(&h, &v[i]);
	for (uint32_t i = 0; i < n; i++) {
		bool needs = false;
		for (size_t k = 0; k < v[i].rows->rows.n; k++) needs |= !v[i].rows->rows.v[k].host.n;
		uint32_t number = needs ? home_of(&h, v[i].path, &room) : AMBIGUOUS;
		ret[i] = number == AMBIGUOUS ? (struct str){"", 0} : h.hosts.v[number];
	}
	buf_done(&room);
	map_done(&h.by_label);
	map_done(&h.by_place);
	vec_free(&h.hosts);
}
