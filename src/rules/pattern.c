/* pattern.c: Sigma strings to literal and wildcard parts (STR-2, STR-3, STR-5). */
#include "rules/rules_internal.h"

bool pattern_parse(struct doc *d, struct str text, struct pattern *ret)
{
	struct part *parts = doc_alloc(d, text.n + 1, sizeof *parts);
	char *out = doc_alloc(d, text.n + 1, 1);
	if (!parts || !out) return false;
	uint32_t n = 0;
	size_t start = 0, end = 0;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == '\\' && i + 1 < text.n && (text.p[i + 1] == '*' || text.p[i + 1] == '?' || text.p[i + 1] == '\\')) {
			out[end++] = text.p[++i];
		} else if (c == '*' || c == '?') {
			if (end > start) parts[n++] = (struct part){PART_LITERAL, {out + start, end - start}};
			start = end;
			bool doubled = c == '*' && n && parts[n - 1].kind == PART_ANY;
			if (!doubled) parts[n++] = (struct part){c == '*' ? PART_ANY : PART_ONE, {"", 0}};
		} else {
			out[end++] = c;
		}
	}
	if (end > start) parts[n++] = (struct part){PART_LITERAL, {out + start, end - start}};
	*ret = (struct pattern){parts, n};
	return true;
}

bool pattern_affix(struct doc *d, const struct pattern *p, bool before, bool after, struct pattern *ret)
{
	struct part *parts = doc_alloc(d, p->n + 2, sizeof *parts);
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
