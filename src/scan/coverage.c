/* coverage.c: see coverage.h. */
#include "scan/coverage.h"

static struct coverage_row *row_of(struct coverage_table *t, struct str host, struct str log)
{
	char small[512], *key = small;
	size_t n = host.n + 1 + log.n;
	bool fresh;
	if (n > sizeof small) key = xmalloc(n);
	if (host.n) memcpy(key, host.p, host.n);
	key[host.n] = 0;
	if (log.n) memcpy(key + host.n + 1, log.p, log.n);
	uint32_t *at = map_get(&t->keys, (struct str){key, n});
	if (!at && t->rows.n < COVERAGE_MAX_ROWS) at = map_put(&t->keys, (struct str){key, n}, (uint32_t)t->rows.n, &fresh);
	if (at && *at == t->rows.n) {
		struct str kept = t->keys.entries[t->rows.n].key;
		vec_push(&t->rows, (struct coverage_row){.host = {kept.p, host.n}, .log = {kept.p + host.n + 1, log.n}});
	}
	if (key != small) free(key);
	return at ? &t->rows.v[*at] : NULL;
}

/* Adds n events to a day; false when the row has too many days. */
static bool add_day(struct coverage_row *r, int32_t day, uint32_t n)
{
	if (r->last_index < r->days.n && r->days.v[r->last_index].day == day) goto found;
	for (size_t i = r->days.n; i-- > 0;) {
		if (r->days.v[i].day != day) continue;
		r->last_index = (uint32_t)i;
		goto found;
	}
	if (r->days.n >= COVERAGE_MAX_DAYS) return false;
	r->last_index = (uint32_t)r->days.n;
	vec_push(&r->days, (struct coverage_day){day, 0});
found:
	if (__builtin_add_overflow(r->days.v[r->last_index].n, n, &r->days.v[r->last_index].n)) r->days.v[r->last_index].n = UINT32_MAX;
	return true;
}

static void widen(struct coverage_row *r, struct etime first, struct etime last)
{
	if (first.present && (!r->first.present || etime_cmp(first, r->first) < 0)) r->first = first;
	if (last.present && etime_cmp(last, r->last) > 0) r->last = last;
}

/* The row that the slot holds, NULL when it is not the wanted one. */
static inline struct coverage_row *near_row(const struct coverage_table *t, uint32_t slot, const void *shape, struct str log, struct str host)
{
	struct coverage_row *r = t->near[slot].shape == shape ? &t->rows.v[t->near[slot].row] : NULL;
	return r && str_eq(r->host, host) && str_eq(r->log, log) ? r : NULL;
}

static void count_event(struct coverage_table *t, uint32_t row, struct etime time)
{
	struct coverage_row *r = &t->rows.v[row];
	t->last_row = row;
	t->last_added = true;
	r->events++;
	if (!time.present || etime_is_odd(time)) {
		r->undated++;
		return;
	}
	int64_t day = (time.sec >= 0 ? time.sec : time.sec - 86399) / 86400;
	widen(r, time, time);
	if (day < INT32_MIN || day > INT32_MAX || !add_day(r, (int32_t)day, 1)) t->more++;
}

void coverage_add(struct coverage_table *t, const void *shape, struct str log, struct str host, struct etime time)
{
	uint32_t slot = near_slot(shape, host);
	if (!t->near) t->near = xcalloc(NEAR_SLOTS, sizeof *t->near);
	struct coverage_row *r = near_row(t, slot, shape, log, host);
	if (!r) {
		uint32_t other = near_other(slot);
		r = near_row(t, other, shape, log, host);
		if (!r) r = row_of(t, host, log);
		if (!r) {
			t->more++;
			t->last_added = false;
			return;
		}
		t->near[other] = t->near[slot];
		t->near[slot].shape = shape;
		t->near[slot].row = (uint32_t)(r - t->rows.v);
	}
	count_event(t, (uint32_t)(r - t->rows.v), time);
}

bool coverage_add_known(struct coverage_table *t, uint32_t alike, struct etime time)
{
	if (alike >= t->alike.n || !t->alike.v[alike]) return false;
	count_event(t, t->alike.v[alike] - 1, time);
	return true;
}

void coverage_add_alike(struct coverage_table *t, uint32_t alike, const void *shape, struct str log, struct str host, struct etime time)
{
	coverage_add(t, shape, log, host, time);
	if (!t->last_added) return;
	while (t->alike.n <= alike) vec_push(&t->alike, 0);
	t->alike.v[alike] = t->last_row + 1;
}

void coverage_no_rule(struct coverage_table *t)
{
	if (t->last_added) t->rows.v[t->last_row].no_rule++;
}

void coverage_merge(struct coverage_table *into, const struct coverage_table *from, struct str home)
{
	into->more += from->more;
	for (size_t i = 0; i < from->rows.n; i++) {
		const struct coverage_row *x = &from->rows.v[i];
		bool inferred = !x->host.n && home.n;
		struct coverage_row *r = row_of(into, inferred ? home : x->host, x->log);
		if (!r) {
			into->more += x->events;
			continue;
		}
		r->events += x->events;
		r->inferred |= inferred || x->inferred;
		r->undated += x->undated;
		r->no_rule += x->no_rule;
		widen(r, x->first, x->last);
		for (size_t d = 0; d < x->days.n; d++)
			if (!add_day(r, x->days.v[d].day, x->days.v[d].n)) into->more += x->days.v[d].n;
	}
}

static int by_day(const void *a, const void *b)
{
	const struct coverage_day *x = a, *y = b;
	return (x->day > y->day) - (x->day < y->day);
}

static int by_name(const void *a, const void *b)
{
	const struct coverage_row *x = a, *y = b;
	int c = str_cmp(x->host, y->host);
	return c ? c : str_cmp(x->log, y->log);
}

void coverage_sort(struct coverage_table *t)
{
	for (size_t i = 0; i < t->rows.n; i++)
		if (t->rows.v[i].days.n) qsort(t->rows.v[i].days.v, t->rows.v[i].days.n, sizeof(struct coverage_day), by_day);
	if (t->rows.n) qsort(t->rows.v, t->rows.n, sizeof *t->rows.v, by_name);
	/* Rows moved: the keys no longer lead to them. The table is only read from here on. */
	free(t->near);
	t->near = NULL;
	vec_free(&t->alike);
}

void coverage_clear(struct coverage_table *t)
{
	struct coverage_near *near = t->near;
	t->near = NULL;
	coverage_done(t);
	if (near) memset(near, 0, NEAR_SLOTS * sizeof *near);
	t->near = near;
}

void coverage_done(struct coverage_table *t)
{
	for (size_t i = 0; i < t->rows.n; i++) vec_free(&t->rows.v[i].days);
	vec_free(&t->rows);
	map_done(&t->keys);
	vec_free(&t->alike);
	free(t->near);
	*t = (struct coverage_table){0};
}
