/* calendar.c: which server has which log on which days, and whose clock is off. See incident_internal.h. */
#include "incident/incident_internal.h"
#include <math.h>

void calendar_init(struct calendar *c, size_t max_bytes)
{
	*c = (struct calendar){0};
	arena_init(&c->arena, max_bytes);
}

void calendar_done(struct calendar *c)
{
	for (size_t i = 0; i < c->v.n; i++) vec_free(&c->v.v[i].days);
	vec_free(&c->v);
	vec_free(&c->shifts);
	map_done(&c->index);
	arena_done(&c->arena);
}

uint32_t calendar_row(struct calendar *c, enum log_kind log, struct str server, uint32_t source)
{
	char key[80];
	bool fresh;
	size_t n = server.n < 70 ? server.n : 70;
	key[0] = (char)('A' + log);
	memcpy(key + 1, server.p, n);
	uint32_t *known = map_get(&c->index, (struct str){key, n + 1});
	if (known) {
		struct calendar_row *e = &c->v.v[*known];
		if (source < e->source) e->source = source; /* the lowest: whichever worker saw it first */
		return *known;
	}
	struct str name = arena_str(&c->arena, server);
	/* The entry and its days are charged to the same budget: 12 KiB cover years of days. */
	if (!name.p || !arena_alloc(&c->arena, 12 << 10)) {
		c->refused++;
		return UINT32_MAX;
	}
	map_put(&c->index, (struct str){key, n + 1}, (uint32_t)c->v.n, &fresh);
	vec_push(&c->v, (struct calendar_row){.log = log, .server = name, .source = source});
	return (uint32_t)c->v.n - 1;
}

enum { DAYS_MAX = 1500 };

static void count_day(struct calendar_row *e, int32_t day, uint64_t n)
{
	size_t at = e->days.n;
	while (at && e->days.v[at - 1].day > day) at--;
	if (at && e->days.v[at - 1].day == day) {
		e->days.v[at - 1].events += (uint32_t)n;
		return;
	}
	if (e->days.n >= DAYS_MAX) return;
	vec_push(&e->days, (struct calendar_day){0});
	memmove(&e->days.v[at + 1], &e->days.v[at], (e->days.n - 1 - at) * sizeof e->days.v[0]);
	e->days.v[at] = (struct calendar_day){day, (uint32_t)n};
}

void calendar_count(struct calendar *c, uint32_t entry, struct etime t, uint64_t n)
{
	struct calendar_row *e = &c->v.v[entry];
	e->events += n;
	if (!t.present) return;
	if (!e->first.present || etime_cmp(t, e->first) < 0) e->first = t;
	if (!e->last.present || etime_cmp(t, e->last) > 0) e->last = t;
	int64_t day = t.sec / 86400 - (t.sec % 86400 < 0);
	if (day > INT32_MIN && day < INT32_MAX) count_day(e, (int32_t)day, n);
}

/* Linear counting: from the share of bits that are still free. */
uint32_t calendar_clients(const struct calendar_row *e)
{
	unsigned used = 0;
	for (size_t i = 0; i < sizeof e->clients; i++) used += (unsigned)__builtin_popcount(e->clients[i]);
	if (used >= SITE_BITS) used = SITE_BITS - 1;
	return (uint32_t)(SITE_BITS * log((double)SITE_BITS / (SITE_BITS - used)) + 0.5);
}

static struct shift *shift_of(struct calendar *c, uint32_t source)
{
	enum { SOURCES_MAX = 4096 };
	for (size_t i = c->shifts.n; i-- > 0;)
		if (c->shifts.v[i].source == source) return &c->shifts.v[i];
	if (c->shifts.n >= SOURCES_MAX) return NULL;
	vec_push(&c->shifts, (struct shift){.source = source});
	return &c->shifts.v[c->shifts.n - 1];
}

void calendar_shift(struct calendar *c, uint32_t source, int64_t minutes, uint64_t n)
{
	struct shift *s = shift_of(c, source);
	if (!s) return;
	if (!s->n || minutes < s->least) s->least = minutes;
	if (!s->n || minutes > s->most) s->most = minutes;
	s->n += n;
}

int64_t calendar_shift_of(const struct calendar *c, uint32_t source)
{
	enum { ENOUGH = 3 };
	for (size_t i = 0; i < c->shifts.n; i++) {
		const struct shift *s = &c->shifts.v[i];
		if (s->source == source) return s->n >= ENOUGH && s->most - s->least <= 1 ? s->least : 0;
	}
	return 0;
}

void calendar_add(struct calendar *to, const struct calendar *from)
{
	for (size_t i = 0; i < from->v.n; i++) {
		const struct calendar_row *e = &from->v.v[i];
		uint32_t at = calendar_row(to, e->log, e->server, e->source);
		if (at == UINT32_MAX) continue;
		struct calendar_row *t = &to->v.v[at];
		t->events += e->events;
		for (size_t k = 0; k < sizeof t->clients; k++) t->clients[k] |= e->clients[k];
		if (e->first.present && (!t->first.present || etime_cmp(e->first, t->first) < 0)) t->first = e->first;
		if (e->last.present && (!t->last.present || etime_cmp(e->last, t->last) > 0)) t->last = e->last;
		for (size_t k = 0; k < e->days.n; k++) count_day(t, e->days.v[k].day, e->days.v[k].events);
		if (e->minor > t->minor || (e->minor == t->minor && e->build > t->build)) t->minor = e->minor, t->build = e->build;
	}
	for (size_t i = 0; i < from->shifts.n; i++) {
		const struct shift *s = &from->shifts.v[i];
		calendar_shift(to, s->source, s->least, s->n);
		calendar_shift(to, s->source, s->most, 0);
	}
	to->refused += from->refused;
}
