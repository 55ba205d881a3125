/* pattern_plain.c: a message held against one pattern, element by element. See pattern_internal.h. */
#include "auth/pattern_part_internal.h"

enum { OCCURRENCES = 64 };

const uint16_t pattern_classes[256] = {
	[0 ... ' '] = 1 << ELEMENT_NAME, ['!' ... '$'] = IN_WORD, ['%'] = IN_ADDR, ['&' ... ','] = IN_WORD, ['-' ... '.'] = IN_ADDR, ['/'] = IN_WORD, ['0' ... '9'] = IN_INT,
	[':'] = IN_ADDR, [';' ... '@'] = IN_WORD, ['A' ... 'Z'] = IN_CONN, ['[' ... '^'] = IN_WORD, ['_'] = IN_ADDR, ['`'] = IN_WORD, ['a' ... 'z'] = IN_CONN,
	['{'] = IN_WORD, ['|'] = 1 << ELEMENT_WORD, ['}' ... 255] = IN_WORD};

size_t pattern_left_token(const struct element *e, struct str behind, struct str s, size_t at)
{
	if (e->kind == ELEMENT_ADDR && at < s.n && s.p[at] == '[') {
		size_t end = str_find_byte(s, ']', at);
		return end == SIZE_MAX ? 0 : end + 1 - at;
	}
	const char *p = s.p + at, *to = s.p + s.n;
	for (unsigned bit = 1u << e->kind; p < to && pattern_classes[(uint8_t)*p] & bit; p++) {}
	size_t n = (size_t)(p - s.p) - at;
	if (e->left_run) return n;
	if (e->kind == ELEMENT_WORD) {
		/* The shortest: what follows may be the client's, and hold the text again. */
		size_t end = str_find(str_sub(s, 0, at + n + behind.n), behind, at + 1);
		return end == SIZE_MAX ? 0 : end - at;
	}
	while (n && !str_starts(str_sub(s, at + n, s.n), behind)) n--;
	return n;
}

size_t pattern_right_token(const struct element *e, struct str before, struct str s, size_t end)
{
	size_t n = 0;
	if (e->kind == ELEMENT_ADDR && end && s.p[end - 1] == ']') {
		while (n < end && s.p[end - 1 - n] != '[') n++;
		return n == end ? 0 : n + 1;
	}
	const char *p = s.p + end;
	for (unsigned bit = 1u << e->kind; p > s.p && pattern_classes[(uint8_t)p[-1]] & bit; p--) {}
	n = end - (size_t)(p - s.p);
	if (e->right_run) return n;
	for (size_t k = 1; e->kind == ELEMENT_WORD && k <= n; k++)
		if (str_ends(str_sub(s, 0, end - k), before)) return k;
	if (e->kind == ELEMENT_WORD) return 0;
	while (n && !str_ends(str_sub(s, 0, end - n), before)) n--;
	return n;
}

/* Elements [from, to) at s[at]; the place behind them, or SIZE_MAX. */
static size_t match_left(const struct pattern *p, uint32_t from, uint32_t to, struct str s, size_t at, struct pattern_match *m)
{
	for (uint32_t i = from; i < to; i++) {
		const struct element *e = &p->elements[i];
		size_t n = e->text.n;
		if (e->kind == ELEMENT_TEXT) {
			if (!str_starts(str_sub(s, at, s.n), e->text)) return SIZE_MAX;
		} else {
			n = pattern_left_token(e, pattern_text_behind(p, i), s, at);
			if (!n || !pattern_keep(e->kind, str_sub(s, at, n), m)) return SIZE_MAX;
		}
		at += n;
	}
	return at;
}

/* Elements [from, to) that end at s[end]; where they begin, or SIZE_MAX. */
static size_t match_right(const struct pattern *p, uint32_t from, uint32_t to, struct str s, size_t end, struct pattern_match *m)
{
	for (uint32_t i = to; i-- > from;) {
		const struct element *e = &p->elements[i];
		size_t n = e->text.n;
		if (e->kind == ELEMENT_TEXT) {
			if (!str_ends(str_sub(s, 0, end), e->text)) return SIZE_MAX;
		} else {
			n = pattern_right_token(e, pattern_text_before(p, i), s, end);
			if (!n || !pattern_keep(e->kind, str_sub(s, end - n, n), m)) return SIZE_MAX;
		}
		end -= n;
	}
	return end;
}

static void keep_user(const struct pattern *p, uint32_t element, struct str s, size_t from, size_t to, struct pattern_match *m)
{
	if (p->elements[element].kind == ELEMENT_USER) m->user = str_sub(s, from, to - from);
}

static uint32_t next_wild(const struct pattern *p, uint32_t from)
{
	while (from < p->n && !pattern_is_wild(&p->elements[from])) from++;
	return from;
}

/* The block of elements [first, last) at its first place in s from `at` on; where it begins and ends. */
static bool find_block(const struct pattern *p, uint32_t first, uint32_t last, struct str s, size_t at, size_t ret[2], struct pattern_match *m)
{
	uint32_t tried = 0;
	for (at = str_find(s, p->elements[first].text, at); at != SIZE_MAX && tried++ < OCCURRENCES; at = str_find(s, p->elements[first].text, at + 1)) {
		struct pattern_match one = *m;
		size_t end = match_left(p, first, last, s, at, &one);
		if (end == SIZE_MAX) continue;
		*m = one;
		ret[0] = at;
		ret[1] = end;
		return true;
	}
	return false;
}

/* Whether the block with the address stands somewhere else too, with another one. */
static bool contradicted(const struct pattern *p, uint32_t first, uint32_t last, struct str s, size_t at, struct str addr)
{
	size_t place[2];
	for (uint32_t i = 0; i < OCCURRENCES; i++) {
		struct pattern_match one = {.addr = {NULL, 0}};
		if (!find_block(p, first, last, s, at, place, &one)) return false;
		if (!str_eq(one.addr, addr)) return true;
		at = place[0] + 1;
	}
	return true;
}

bool pattern_between(const struct pattern *p, struct str s, size_t from, size_t to, struct pattern_match *m)
{
	struct str within = str_sub(s, 0, to);
	bool differ = false;
	uint32_t wild = p->first_wild;
	for (; wild != p->last_wild;) {
		uint32_t first = wild + 1, next = next_wild(p, first);
		struct str before = m->addr;
		size_t place[2];
		m->addr = (struct str){NULL, 0};
		if (!find_block(p, first, next, within, from, place, m)) return false;
		keep_user(p, wild, s, from, place[0], m);
		if (m->addr.p) differ = contradicted(p, first, next, within, place[0] + 1, m->addr);
		else m->addr = before;
		from = place[1];
		wild = next;
	}
	keep_user(p, wild, s, from, to, m);
	if (differ) {
		m->addr = m->user = (struct str){NULL, 0};
		m->contested = true;
	}
	return true;
}

/* What stands behind the beginning, which goes to s[from]. */
static bool match_rest(const struct pattern *p, struct str s, size_t from, struct pattern_match *m)
{
	if (p->first_wild == p->n) return from == s.n;
	size_t to = match_right(p, p->last_wild + 1, p->n, s, s.n, m);
	if (to == SIZE_MAX || to < from) return false;
	return pattern_between(p, s, from, to, m);
}

bool pattern_match(const struct pattern *p, struct str s, struct pattern_match *m)
{
	*m = (struct pattern_match){.kind = p->kind, .service = p->service};
	size_t from = match_left(p, 0, p->first_wild, s, 0, m);
	return from != SIZE_MAX && match_rest(p, s, from, m);
}
