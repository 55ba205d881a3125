/* pattern.c: Sigma strings to literal and wildcard parts (STR-2, STR-3, STR-5, MOD-expand). */
#include "rules/value_internal.h"

/* Length of "%name%" at s[i], 0 when there is none. */
static size_t placeholder_at(struct str s, size_t i)
{
	if (s.p[i] != '%') return 0;
	size_t end = str_find_byte(s, '%', i + 1);
	return end == SIZE_MAX || end == i + 1 ? 0 : end + 1 - i;
}

static void end_literal(struct part *parts, uint32_t *n, const char *out, size_t start, size_t end)
{
	if (end > start) parts[(*n)++] = (struct part){PART_LITERAL, {out + start, end - start}};
}

/* How many parts there may be: each special sign and what stands between two of them. */
static size_t most_parts(struct str text)
{
	size_t n = 1;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '*' || text.p[i] == '?' || text.p[i] == '%') n += 2;
	return n;
}

bool pattern_parse(struct doc *d, struct str text, bool expand, struct pattern *ret)
{
	struct part *parts = doc_scratch(d, most_parts(text), sizeof *parts);
	char *out = doc_scratch(d, text.n + 1, 1);
	if (!parts || !out) return false;
	uint32_t n = 0;
	size_t start = 0, end = 0, length;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i], after = i + 1 < text.n ? text.p[i + 1] : 0;
		if (c == '\\' && i + 1 < text.n && (after == '*' || after == '?' || after == '\\' || (expand && after == '%'))) {
			out[end++] = text.p[++i];
		} else if (c == '*' || c == '?') {
			end_literal(parts, &n, out, start, end);
			start = end;
			bool doubled = c == '*' && n && parts[n - 1].kind == PART_ANY;
			if (!doubled) parts[n++] = (struct part){c == '*' ? PART_ANY : PART_ONE, {"", 0}};
		} else if (expand && (length = placeholder_at(text, i))) {
			end_literal(parts, &n, out, start, end);
			start = end;
			parts[n++] = (struct part){PART_PLACEHOLDER, str_sub(text, i + 1, length - 2)};
			i += length - 1;
		} else {
			out[end++] = c;
		}
	}
	end_literal(parts, &n, out, start, end);
	*ret = (struct pattern){parts, n};
	return true;
}

bool pattern_join(struct doc *d, const struct part *from, uint32_t n_from, struct pattern *ret)
{
	size_t bytes = 0, used = 0;
	for (uint32_t i = 0; i < n_from; i++) bytes += from[i].text.n;
	struct part *parts = doc_scratch(d, n_from, sizeof *parts);
	char *out = doc_scratch(d, bytes + 1, 1);
	uint32_t n = 0;
	if (!parts || !out) return false;
	for (uint32_t i = 0; i < n_from; i++) {
		if (from[i].kind == PART_LITERAL) {
			if (!from[i].text.n) continue;
			memcpy(out + used, from[i].text.p, from[i].text.n);
			if (n && parts[n - 1].kind == PART_LITERAL) parts[n - 1].text.n += from[i].text.n;
			else parts[n++] = (struct part){PART_LITERAL, {out + used, from[i].text.n}};
			used += from[i].text.n;
		} else if (!(from[i].kind == PART_ANY && n && parts[n - 1].kind == PART_ANY)) {
			parts[n++] = from[i];
		}
	}
	*ret = (struct pattern){parts, n};
	return true;
}

bool pattern_affix(struct doc *d, const struct pattern *p, bool before, bool after, struct pattern *ret)
{
	struct part *parts = doc_scratch(d, p->n + 2, sizeof *parts);
	uint32_t n = 0;
	if (!parts) return false;
	if (before && !(p->n && p->parts[0].kind == PART_ANY)) parts[n++] = (struct part){PART_ANY, {"", 0}};
	for (uint32_t i = 0; i < p->n; i++) parts[n++] = p->parts[i];
	if (after && !(n && parts[n - 1].kind == PART_ANY)) parts[n++] = (struct part){PART_ANY, {"", 0}};
	*ret = (struct pattern){parts, n};
	return true;
}

bool pattern_plain(const struct pattern *p, struct str *ret)
{
	if (p->n > 1 || (p->n && p->parts[0].kind != PART_LITERAL)) return false;
	*ret = p->n ? p->parts[0].text : (struct str){"", 0};
	return true;
}

bool pattern_has(const struct pattern *p, enum part_kind kind)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->parts[i].kind == kind) return true;
	return false;
}
