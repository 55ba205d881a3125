/* sift_promise: whether an event keeps what event/sift.h says, told by its columns one by one. For tests and fuzz targets. */
#pragma once
#include "base/map.h"
#include "event/event.h"
#include <stdio.h>

static inline bool sift_has(struct str text, struct str run, bool any_case)
{
	if (!any_case) return str_find(text, run, 0) != SIZE_MAX;
	for (size_t i = 0; i + run.n <= text.n; i++)
		if ((text.p[i] | 32) == (run.p[0] | 32) && str_eq_nocase(str_sub(text, i, run.n), run)) return true;
	return false;
}

/* All that the promise names in one text of a column. */
static inline bool sift_keeps(struct str text, struct str sift, bool whole)
{
	static const char *const disguised[] = {"\xc4\xb0", "\xc5\xbf", "\xe2\x84\xaa"};
	for (size_t from = 0, to; from < text.n; from = to + 1) {
		bool tells = whole;
		for (to = from; to < text.n && sift_plain(text.p[to]); to++) tells |= sift_tells(text.p[to]);
		if (to > from && tells && !sift_has(sift, str_sub(text, from, to - from), true)) return false;
	}
	for (size_t i = 0; i < COUNT(disguised); i++)
		if (sift_has(text, str_of(disguised[i]), false) && !sift_has(sift, str_of(disguised[i]), false)) return false;
	return true;
}

/* The name of the first column of which the sift text lacks something, p == NULL when there is none. Texts of more than `most` bytes are not compared.
 * *ret_kind: what sort of text the event has. */
static inline struct str sift_lacks(struct event *ev, size_t most, enum sift *ret_kind)
{
	struct buf room = {0};
	struct str sift = {"", 0}, lacks = {NULL, 0};
	*ret_kind = ev->ops->sift ? ev->ops->sift(ev, &room, &sift) : SIFT_NONE;
	for (uint32_t i = 0; *ret_kind != SIFT_NONE && sift.n <= most && !lacks.p && i < ev->shape->n_columns; i++) {
		const struct column *c = &ev->shape->columns[i];
		if (c->constant || !column_is_keyword(c, ev->raw.p != NULL)) continue;
		struct value *v = event_cell(ev, i), *items = v->kind == VALUE_LIST ? v->items : v;
		for (uint32_t k = 0; k < (v->kind == VALUE_LIST ? v->n : 1); k++)
			if (!sift_keeps(value_text(&items[k], ev->arena), sift, *ret_kind == SIFT_WHOLE)) lacks = c->name.p ? c->name : STR("?");
	}
	if (*ret_kind != SIFT_NONE && sift.n <= most && ev->raw.p && !sift_keeps(ev->raw, sift, *ret_kind == SIFT_WHOLE)) lacks = STR("the raw text");
	buf_done(&room);
	return lacks;
}

/* The same of event_ops.undecoded, for sets of one column each and one of every other column: `seen` holds what bytes of a column stood for so far (on the same
 * ops and options). The sets are static, so that they outlive every cursor. */
enum { UNDECODED_TRIED = 64 };
static inline struct str undecoded_lacks(struct event *ev, struct map *seen, bool *ret_any)
{
	static uint32_t numbers[UNDECODED_TRIED], odd[UNDECODED_TRIED / 2];
	static uint8_t ones[UNDECODED_TRIED][UNDECODED_TRIED], is_odd[UNDECODED_TRIED];
	static struct column_set single[UNDECODED_TRIED];
	static const struct column_set others = {odd, UNDECODED_TRIED / 2, is_odd, UNDECODED_TRIED};
	struct buf key = {0}, rest = {0}, value = {0};
	struct str lacks = {NULL, 0};
	enum sift kind = SIFT_NONE;
	*ret_any = false;
	for (uint32_t i = 0; i < UNDECODED_TRIED; i++) {
		numbers[i] = i;
		ones[i][i] = 1;
		is_odd[i] = i % 2;
		if (i % 2) odd[i / 2] = i;
		single[i] = (struct column_set){&numbers[i], 1, ones[i], UNDECODED_TRIED};
	}
	if (ev->ops->undecoded) kind = ev->ops->undecoded(ev, &others, &key, &rest);
	for (uint32_t i = 0; kind != SIFT_NONE && i < ev->shape->n_columns && !lacks.p; i++) {
		const struct column *c = &ev->shape->columns[i];
		if (c->constant) continue;
		struct value *v = event_cell(ev, i), *items = v->kind == VALUE_LIST ? v->items : v;
		bool left = column_is_keyword(c, false) && !(i < UNDECODED_TRIED && i % 2);
		for (uint32_t k = 0; left && k < (v->kind == VALUE_LIST ? v->n : 1); k++)
			if (!sift_keeps(value_text(&items[k], ev->arena), buf_view(&rest), kind == SIFT_WHOLE)) lacks = c->name.p ? c->name : STR("?");
		if (i >= UNDECODED_TRIED || lacks.p) continue;
		key.n = value.n = 0;
		buf_put(&key, &ev->ops, sizeof ev->ops);
		buf_byte(&key, (char)i);
		buf_str(&key, c->name);
		buf_byte(&key, 0);
		if (ev->ops->undecoded(ev, &single[i], &key, NULL) == SIFT_NONE) continue;
		*ret_any = true;
		buf_put(&value, &v->kind, sizeof v->kind);
		value_json(v, &value);
		uint32_t hash = (uint32_t)hash_bytes(value.p, value.n);
		bool fresh;
		if (*map_put(seen, buf_view(&key), hash, &fresh) != hash) lacks = c->name.p ? c->name : STR("?");
	}
	buf_done(&key);
	buf_done(&rest);
	buf_done(&value);
	return lacks;
}

/* Whether event_ops.fields writes what is written without it. */
static inline bool fields_agree(struct event *ev)
{
	struct event_ops plain = *ev->ops;
	struct event copy = *ev;
	struct buf a = {0}, b = {0};
	plain.fields = NULL;
	copy.ops = &plain;
	event_fields_json(ev, &a);
	event_fields_json(&copy, &b);
	bool agree = str_eq(buf_view(&a), buf_view(&b));
	if (!agree) printf("# %.*s\n# %.*s\n", (int)a.n, a.p, (int)b.n, b.p);
	buf_done(&a);
	buf_done(&b);
	return agree;
}
