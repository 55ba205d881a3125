/* pattern.c: wildcard patterns. See leaf_internal.h.
 *
 * A pattern is runs of literals and '?' with '*' between them. Runs in the middle are placed leftmost, which leaves most room
 * for the rest; so the time is bounded by text times pattern, whatever both are. */
#include "match/leaf_internal.h"
#include "text/utf.h"

/* The run's pieces at text[at..]; *ret_end is where they end. */
static bool run_at(const struct piece *run, uint32_t n, struct str text, size_t at, size_t *ret_end)
{
	for (uint32_t i = 0; i < n; i++) {
		if (run[i].kind == PIECE_LITERAL) {
			if (!str_starts(str_sub(text, at, SIZE_MAX), run[i].literal)) return false;
			at += run[i].literal.n;
			continue;
		}
		if (at == text.n) return false;
		const char *p = text.p + at;
		utf8_step(&p, text.p + text.n);
		at = (size_t)(p - text.p);
	}
	*ret_end = at;
	return true;
}

/* The first place at or after `from` where the run may begin: where its literal stands, or any character. */
static size_t next_place(const struct piece *run, struct str text, size_t from)
{
	if (run[0].kind == PIECE_LITERAL) return str_find(text, run[0].literal, from);
	return from < text.n ? from : SIZE_MAX;
}

static size_t after(struct str text, size_t at)
{
	const char *p = text.p + at;
	if (at >= text.n) return text.n + 1;
	utf8_step(&p, text.p + text.n);
	return (size_t)(p - text.p);
}

/* The leftmost place of the run at or after `from`, or, with `to_end`, one where it ends with the text. */
static bool run_find(const struct piece *run, uint32_t n, struct str text, size_t from, bool to_end, size_t *ret_end)
{
	if (to_end && n == 1 && run[0].kind == PIECE_LITERAL) {
		*ret_end = text.n;
		return text.n - from >= run[0].literal.n && str_ends(text, run[0].literal);
	}
	for (size_t at = next_place(run, text, from); at != SIZE_MAX; at = next_place(run, text, after(text, at)))
		if (run_at(run, n, text, at, ret_end) && (!to_end || *ret_end == text.n)) return true;
	return false;
}

bool pattern_holds(const struct piece *pieces, uint32_t n, bool floating, struct str text)
{
	bool open = floating; /* a '*' stands before the next run */
	size_t at = 0;
	for (uint32_t i = 0; i < n;) {
		uint32_t first = i;
		if (pieces[i].kind == PIECE_ANY) {
			open = true;
			i++;
			continue;
		}
		while (i < n && pieces[i].kind != PIECE_ANY) i++;
		bool last = i == n && !floating;
		bool found = open ? run_find(pieces + first, i - first, text, at, last, &at) :
			run_at(pieces + first, i - first, text, at, &at) && (!last || at == text.n);
		if (!found) return false;
		if (last) return true;
		open = false;
	}
	return n > 0 || floating || text.n == 0;
}
