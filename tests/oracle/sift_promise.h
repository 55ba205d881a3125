/* sift_promise: whether an event keeps what event/sift.h says, told by its columns one by one. For tests and fuzz targets. */
#pragma once
#include "event/event.h"

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
