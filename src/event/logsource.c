/* logsource.c: the mapping data, parsed into tables. See logsource.h for the language. */
#include "event/logsource.h"
#include "base/alloc.h"
#include "base/map.h"
#include "base/sha256.h"
#include "event/event_internal.h"
#include <stdio.h>

enum { MAX_LINES = 20000, DATA_BUDGET = 8 << 20 };

struct group {              /* bindings filed under one key */
	VEC(struct logsource_binding) bindings;
};
struct taxonomy {
	struct arena arena;
	VEC(struct taxonomy_line) lines;
	struct map channels;        /* channel -> index of its first line in `services_of`; several services are chained by lines */
	struct map formats;         /* format -> index in groups */
	struct map events;          /* "service\tid" -> index in groups: bindings of that event */
	struct map sources;         /* channel -> index in groups: bindings beyond windows */
	struct map shorts;          /* "channel\tid\tname" -> index in short_fields */
	VEC(struct str) short_fields;
	struct map services;        /* service -> index in groups: the single plain binding {windows,,service} */
	VEC(struct group) groups;
	VEC(struct family) families;
	VEC(struct { struct str service; int32_t next; }) services_of;
};

static struct str key2(struct arena *a, struct str x, struct str y)
{
	char *p = arena_alloc(a, x.n + y.n + 1);
	if (!p) return (struct str){"", 0};
	memcpy(p, x.p, x.n);
	p[x.n] = '\t';
	memcpy(p + x.n + 1, y.p, y.n);
	return (struct str){p, x.n + y.n + 1};
}

static struct group *group_of(struct taxonomy *t, struct map *m, struct str key)
{
	bool fresh;
	uint32_t at = *map_put(m, key, (uint32_t)t->groups.n, &fresh);
	if (fresh) vec_push(&t->groups, (struct group){0});
	return &t->groups.v[at];
}

/* Splits a line at tabs; false for blank lines and comments. */
static bool split(struct str text, struct taxonomy_line *ret)
{
	*ret = (struct taxonomy_line){0};
	if (!str_trim(text).n || text.p[0] == '#') return false;
	if (text.n && text.p[text.n - 1] == '\r') text.n--;
	ret->word = str_trim(str_cut(&text, '\t'));
	while (text.p && ret->n < COUNT(ret->column)) {
		struct str cell = str_trim(str_cut(&text, '\t'));
		if (cell.n) ret->column[ret->n++] = cell;
	}
	return true;
}

static struct str dash(struct str s) { return str_eq(s, STR("-")) ? (struct str){"", 0} : s; }

static void condition(struct str cell, struct logsource_binding *b)
{
	size_t at = str_find_byte(cell, '=', 0);
	if (at == SIZE_MAX) return;
	b->when_field = str_sub(cell, 0, at);
	b->when_value = str_sub(cell, at + 1, cell.n);
}

static void add_channel(struct taxonomy *t, const struct taxonomy_line *l)
{
	bool fresh;
	uint32_t *first = map_put(&t->channels, l->column[0], (uint32_t)t->services_of.n, &fresh);
	int32_t next = fresh ? -1 : (int32_t)*first;
	*first = (uint32_t)t->services_of.n;
	vec_push(&t->services_of, (typeof(*t->services_of.v)){l->column[1], next});
	struct group *g = group_of(t, &t->services, l->column[1]);
	if (!g->bindings.n) vec_push(&g->bindings, (struct logsource_binding){.ls = {STR("windows"), {"", 0}, l->column[1]}});
}

static void add_event(struct taxonomy *t, const struct taxonomy_line *l)
{
	struct str ids = l->column[1];
	while (ids.p) {
		struct group *g = group_of(t, &t->events, key2(&t->arena, l->column[0], str_cut(&ids, ',')));
		struct logsource_binding b = {.ls = {STR("windows"), l->column[2], l->column[0]}};
		if (l->n > 3) condition(l->column[3], &b);
		vec_push(&g->bindings, b);
	}
}

static void add_format(struct taxonomy *t, const struct taxonomy_line *l)
{
	struct group *g = group_of(t, &t->formats, l->column[0]);
	struct logsource_binding b = {.ls = {dash(l->column[1]), dash(l->column[2]), dash(l->column[3])}};
	if (l->n > 4) condition(l->column[4], &b);
	vec_push(&g->bindings, b);
}

static void add_source(struct taxonomy *t, const struct taxonomy_line *l)
{
	struct group *g = group_of(t, &t->sources, l->column[0]);
	struct logsource_binding b = {.ls = {dash(l->column[1]), dash(l->column[2]), dash(l->column[3])}};
	if (l->n > 4) condition(l->column[4], &b);
	vec_push(&g->bindings, b);
}

/* Appends to an array of `size`-byte entries in the arena; mappings are small, so it is copied whole each time. */
static const void *append(struct arena *a, const void *old, uint32_t n, const void *entry, size_t size)
{
	char *p = arena_alloc(a, (n + 1) * size);
	verify(p);
	if (n) memcpy(p, old, n * size);
	memcpy(p + n * size, entry, size);
	return p;
}

static void rename_in(struct taxonomy *t, struct logsource_binding *b, struct str rule_field, struct str event_field)
{
	struct field_rename r = {rule_field, event_field};
	b->renames = append(&t->arena, b->renames, b->n_renames++, &r, sizeof r);
}

/* rename, value and alias lines: after all bindings are known. */
static void apply(struct taxonomy *t, const struct taxonomy_line *l)
{
	bool alias = str_eq(l->word, STR("alias")), value = str_eq(l->word, STR("value"));
	for (size_t g = 0; g < t->groups.n; g++) {
		for (size_t i = 0; i < t->groups.v[g].bindings.n; i++) {
			struct logsource_binding *b = &t->groups.v[g].bindings.v[i];
			if (alias || !str_eq(b->ls.service, dash(l->column[0])) || !str_eq(b->ls.category, dash(l->column[1]))) continue;
			if (value) {
				struct value_rename r = {l->column[2], l->column[3], l->column[4]};
				b->values = append(&t->arena, b->values, b->n_values++, &r, sizeof r);
			} else {
				rename_in(t, b, l->column[2], l->column[3]);
			}
		}
	}
	uint32_t *at = alias ? map_get(&t->formats, l->column[0]) : NULL;
	for (size_t i = 0; at && i < t->groups.v[*at].bindings.n; i++)
		rename_in(t, &t->groups.v[*at].bindings.v[i], l->column[1], l->column[2]);
}

/* The parts of a list joined by commas. */
static const struct str *parts(struct taxonomy *t, struct str list, uint32_t *ret_n)
{
	const struct str *out = NULL;
	*ret_n = 0;
	while (list.p) {
		struct str one = str_trim(str_cut(&list, ','));
		if (one.n) out = append(&t->arena, out, (*ret_n)++, &one, sizeof one);
	}
	return out;
}

static void add_family(struct taxonomy *t, const struct taxonomy_line *l)
{
	struct family f = {.format = l->column[0]};
	f.keys = parts(t, l->column[1], &f.n_keys);
	vec_push(&t->families, f);
}

/* time and host lines: after all families are known. */
static void complete_families(struct taxonomy *t, const struct taxonomy_line *l)
{
	bool time = str_eq(l->word, STR("time"));
	uint32_t n;
	if (!time && !str_eq(l->word, STR("host"))) return;
	const struct str *fields = parts(t, l->column[1], &n);
	for (size_t i = 0; i < t->families.n; i++) {
		struct family *f = &t->families.v[i];
		if (!str_eq(f->format, l->column[0])) continue;
		if (time) f->time = fields, f->n_time = n, f->time_is_utc = l->n > 2 && str_eq(l->column[2], STR("utc"));
		else f->host = fields, f->n_host = n;
	}
}

static void add_short(struct taxonomy *t, const struct taxonomy_line *l)
{
	for (struct str ids = l->column[1]; ids.p;) {
		struct str of = key2(&t->arena, l->column[0], str_cut(&ids, ','));
		for (struct str pairs = l->column[2]; pairs.p;) {
			struct str field = str_cut(&pairs, ','), name = str_cut(&field, '=');
			if (!field.p) continue;
			*map_put(&t->shorts, key2(&t->arena, of, name), (uint32_t)t->short_fields.n, NULL) = (uint32_t)t->short_fields.n;
			vec_push(&t->short_fields, field);
		}
	}
}

struct str taxonomy_short(const struct taxonomy *t, struct str channel, struct str event_id, struct str name, bool *ret_number)
{
	char key[400];
	uint32_t *at = NULL;
	for (int any = 0; any < 2 && !at; any++) {
		int n = snprintf(key, sizeof key, "%.*s\t%.*s\t%.*s", STR_FMT(channel), STR_FMT(any ? STR("-") : event_id), STR_FMT(name));
		if (n > 0 && (size_t)n < sizeof key) at = map_get(&t->shorts, (struct str){key, (size_t)n});
	}
	struct str field = at ? t->short_fields.v[*at] : (struct str){"", 0};
	*ret_number = field.n && field.p[field.n - 1] == '#';
	return str_sub(field, 0, field.n - *ret_number);
}

static bool read_data(struct taxonomy *t, const struct event_data *data, struct fault *f)
{
	static const struct { const char *word; uint32_t least; } words[] = {
		{"channel", 2}, {"event", 3}, {"rename", 4}, {"value", 5}, {"format", 4}, {"alias", 3}, {"family", 2}, {"time", 2}, {"host", 2}, {"source", 4}, {"short", 3}};
	struct str rest = {(const char *)data->bytes, data->n};
	for (uint32_t number = 1; rest.p; number++) {
		struct taxonomy_line l;
		if (!split(str_cut(&rest, '\n'), &l)) continue;
		size_t w = 0;
		while (w < COUNT(words) && !str_eq(l.word, str_of(words[w].word))) w++;
		if (w == COUNT(words) || l.n < words[w].least || t->lines.n >= MAX_LINES) {
			fault_at(f, FAULT_SYNTAX, number, 1, "log source data: not a line of this language");
			fault_path(f, str_of(data->name));
			return false;
		}
		vec_push(&t->lines, l);
		if (w == 0) add_channel(t, &l);
		if (w == 1) add_event(t, &l);
		if (w == 4) add_format(t, &l);
		if (w == 6) add_family(t, &l);
		if (w == 9) add_source(t, &l);
		if (w == 10) add_short(t, &l);
	}
	return true;
}

struct taxonomy *taxonomy_new(struct fault *f)
{
	struct taxonomy *t = xcalloc(1, sizeof *t);
	arena_init(&t->arena, DATA_BUDGET);
	bool ok = true;
	for (size_t i = 0; i < event_data_count && ok; i++) ok = read_data(t, &event_data[i], f);
	for (size_t i = 0; i < t->lines.n; i++) {
		char c = t->lines.v[i].word.p[0];
		if (c == 'r' || c == 'v' || c == 'a') apply(t, &t->lines.v[i]);
		else complete_families(t, &t->lines.v[i]);
	}
	if (ok) return t;
	taxonomy_free(t);
	return NULL;
}

void taxonomy_free(struct taxonomy *t)
{
	if (!t) return;
	for (size_t i = 0; i < t->groups.n; i++) vec_free(&t->groups.v[i].bindings);
	vec_free(&t->groups);
	vec_free(&t->families);
	vec_free(&t->lines);
	vec_free(&t->services_of);
	map_done(&t->channels);
	map_done(&t->formats);
	map_done(&t->sources);
	map_done(&t->events);
	map_done(&t->services);
	map_done(&t->shorts);
	vec_free(&t->short_fields);
	arena_done(&t->arena);
	free(t);
}

void taxonomy_sha256(uint8_t ret[SHA256_SIZE])
{
	struct sha256 *h = sha256_new();
	for (size_t i = 0; i < event_data_count; i++) sha256_add(h, event_data[i].bytes, event_data[i].n);
	sha256_end(h, ret);
	sha256_free(h);
}

static const struct group *find(const struct taxonomy *t, const struct map *m, struct str key)
{
	uint32_t *at = map_get(m, key);
	return at ? &t->groups.v[*at] : NULL;
}

/* The bindings of one service for one event id: those of the event, then the service's plain one. */
static void service_groups(const struct taxonomy *t, struct str service, uint32_t event_id, const struct group *ret[2])
{
	char key[272];
	size_t end = sizeof key, at = end;
	do key[--at] = (char)('0' + event_id % 10); while ((event_id /= 10));
	ret[0] = ret[1] = NULL;
	if (service.n + 1 > at) return;
	key[--at] = '\t';
	at -= service.n;
	memcpy(key + at, service.p, service.n);
	ret[0] = find(t, &t->events, (struct str){key + at, end - at});
	ret[1] = find(t, &t->services, service);
}

const struct logsource_binding *taxonomy_windows(const struct taxonomy *t, struct str channel, uint32_t event_id, struct arena *a, uint32_t *ret_n)
{
	static const struct logsource_binding plain = {.ls = {{"windows", 7}, {"", 0}, {"", 0}}};
	enum { MAX = 64 };
	struct logsource_binding *out = NULL;
	uint32_t *first = map_get(&t->channels, channel), n = 0;
	for (int32_t s = first ? (int32_t)*first : -1; s >= 0; s = t->services_of.v[s].next) {
		const struct group *groups[2];
		service_groups(t, t->services_of.v[s].service, event_id, groups);
		if (!out) out = arena_alloc(a, MAX * sizeof *out);
		for (int g = 0; out && g < 2; g++)
			for (size_t i = 0; groups[g] && i < groups[g]->bindings.n && n < MAX; i++) out[n++] = groups[g]->bindings.v[i];
	}
	const struct group *others = find(t, &t->sources, channel);
	if (others && !out) out = arena_alloc(a, MAX * sizeof *out);
	/* Sysmon for Linux writes Windows' form on another system. */
	bool elsewhere = others && others->bindings.n && str_eq(others->bindings.v[0].ls.product, STR("linux"));
	if (others && out && !n && !elsewhere) out[n++] = plain;
	for (size_t i = 0; others && out && i < others->bindings.n && n < MAX; i++) out[n++] = others->bindings.v[i];
	*ret_n = n || (!first && !others) ? (n ? n : 1) : 0;
	return n ? out : &plain;
}

const struct logsource_binding *taxonomy_format(const struct taxonomy *t, struct str format, uint32_t *ret_n)
{
	const struct group *g = find(t, &t->formats, format);
	*ret_n = g ? (uint32_t)g->bindings.n : 0;
	return g ? g->bindings.v : NULL;
}

const struct family *taxonomy_families(const struct taxonomy *t, uint32_t *ret_n)
{
	*ret_n = (uint32_t)t->families.n;
	return t->families.v;
}

bool taxonomy_line_at(const struct taxonomy *t, uint32_t index, struct taxonomy_line *ret)
{
	if (index >= t->lines.n) return false;
	*ret = t->lines.v[index];
	return true;
}

bool logsource_covers(const struct logsource *rule, const struct logsource *event)
{
	return (!rule->product.n || str_eq(rule->product, event->product)) && (!rule->category.n || str_eq(rule->category, event->category)) &&
	       (!rule->service.n || str_eq(rule->service, event->service));
}
