/* sift_promise: whether an event keeps what event/sift.h says, told by its columns one by one. For tests. */
#pragma once
#include "event/event.h"
#include "tests/check.h"

static inline bool sift_has(struct str text, struct str run, bool any_case)
{
	if (!any_case) return str_find(text, run, 0) != SIZE_MAX;
	for (size_t i = 0; i + run.n <= text.n; i++)
		if (str_eq_nocase(str_sub(text, i, run.n), run)) return true;
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

/* False: the event has no sift text. */
static inline bool check_sift(struct event *ev, const char *path)
{
	struct buf room = {0};
	struct str sift;
	enum sift kind = ev->ops->sift ? ev->ops->sift(ev, &room, &sift) : SIFT_NONE;
	for (uint32_t i = 0; kind != SIFT_NONE && i < ev->shape->n_columns; i++) {
		const struct column *c = &ev->shape->columns[i];
		if (c->constant || !column_is_keyword(c, ev->raw.p != NULL)) continue;
		struct value *v = event_cell(ev, i), *items = v->kind == VALUE_LIST ? v->items : v;
		for (uint32_t k = 0; k < (v->kind == VALUE_LIST ? v->n : 1); k++) {
			struct str text = value_text(&items[k], ev->arena);
			if (sift_keeps(text, sift, kind == SIFT_WHOLE)) continue;
			printf("# %s, record at %llu: %.*s is not in its sift text: %.*s\n", path, (unsigned long long)ev->records[0].offset, STR_FMT(c->name), STR_FMT(text));
			check_failures++;
		}
	}
	buf_done(&room);
	return kind != SIFT_NONE;
}
