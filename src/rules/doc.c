/* doc.c: one document being read: its memory, its refusal with the place, warnings, suggestions. */
#include "rules/rules_internal.h"
#include <stdarg.h>
#include <stdio.h>

enum { LINE_SHOWN = 400, LINES_SHOWN = 100, REASON_MAX = 600 };

struct doc doc_begin(struct rule_set *s, struct str file, struct str text, uint32_t line)
{
	return (struct doc){.set = s, .file = file, .text = text, .line = line, .plan_start = s->plan.used};
}

/* Correlations that refer to a refused rule can then say so. */
static void note_names(struct rule_set *s, const struct yaml_node *root)
{
	struct str id = text_at(root, "id"), name = text_at(root, "name");
	if (id.n) map_put(&s->refused_names, id, 0, NULL);
	if (name.n) map_put(&s->refused_names, name, 0, NULL);
}

bool doc_end(struct doc *d, const struct yaml_node *root)
{
	vec_free(&d->items);
	if (!d->error.reason.n) return true;
	vec_push(&d->set->refused, d->error);
	note_names(d->set, root);
	return false;
}

struct str doc_line(const struct doc *d, uint32_t line)
{
	struct str rest = d->text;
	if (line < d->line) return (struct str){"", 0};
	for (uint32_t skip = line - d->line; skip && rest.p; skip--) str_cut(&rest, '\n');
	struct str found = rest.p ? str_cut(&rest, '\n') : (struct str){"", 0};
	if (found.n && found.p[found.n - 1] == '\r') found.n--;
	return str_sub(found, 0, LINE_SHOWN);
}

__attribute__((format(printf, 5, 0)))
static bool refuse(struct doc *d, uint32_t line, uint32_t column, const char *category, const char *format, va_list ap)
{
	char text[REASON_MAX];
	if (d->error.reason.n) return false;
	vsnprintf(text, sizeof text, format, ap);
	struct str reason = arena_str(&d->set->plan, str_of(text));
	struct str shown = line ? arena_str(&d->set->plan, doc_line(d, line)) : (struct str){"", 0};
	if (!reason.n) reason = STR("out of memory");
	if (!shown.p) shown = STR("");
	d->error = (struct rules_refused){d->file, line, column, reason, str_of(category), shown};
	return false;
}

bool doc_refuse(struct doc *d, const struct yaml_node *at, const char *category, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	refuse(d, at ? at->line : d->line, at ? at->column : 1, category, format, ap);
	va_end(ap);
	return false;
}

bool doc_refuse_at(struct doc *d, uint32_t line, uint32_t column, const char *category, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	refuse(d, line, column, category, format, ap);
	va_end(ap);
	return false;
}

void doc_warn(struct doc *d, const struct yaml_node *at, const char *format, ...)
{
	char text[REASON_MAX];
	va_list ap;
	if (d->set->warnings.n >= WARNINGS_MAX) return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	uint32_t line = at ? at->line : d->line;
	struct str kept = arena_str(&d->set->plan, str_of(text)), shown = {"", 0};
	if (d->warned++ < LINES_SHOWN) shown = arena_str(&d->set->plan, doc_line(d, line)); /* looking for a line costs the document's length */
	if (kept.p && shown.p) vec_push(&d->set->warnings, (struct rules_warning){d->file, line, at ? at->column : 1, kept, shown});
}

void *doc_limit(struct doc *d)
{
	doc_refuse(d, NULL, "limit", "this rule, or all rules together, need more memory than is set aside for them (%d and %d MiB)",
		DOCUMENT_BUDGET >> 20, RULES_BUDGET >> 20);
	return NULL;
}

void *doc_alloc(struct doc *d, size_t count, size_t size)
{
	if (d->set->plan.used - d->plan_start > DOCUMENT_BUDGET) return doc_limit(d);
	void *p = arena_calloc(&d->set->plan, count, size);
	return p ? p : doc_limit(d);
}

void *doc_scratch(struct doc *d, size_t count, size_t size)
{
	void *p = arena_calloc(&d->set->scratch, count, size);
	return p ? p : doc_limit(d);
}

struct str doc_keep(struct doc *d, struct str s)
{
	struct str kept = {NULL, 0};
	if (d->set->plan.used - d->plan_start <= DOCUMENT_BUDGET) kept = arena_str(&d->set->plan, s);
	if (!kept.p) doc_limit(d);
	return kept;
}

struct str doc_intern(struct doc *d, struct str s)
{
	struct rule_set *set = d->set;
	uint32_t *known = map_get(&set->interned, s);
	if (known) return set->interned_texts.v[*known];
	struct str kept = doc_keep(d, s);
	if (!kept.p) return kept;
	map_put(&set->interned, s, (uint32_t)set->interned_texts.n, NULL);
	vec_push(&set->interned_texts, kept);
	return kept;
}

/* Edit distance without case, at most `least`; words longer than 32 bytes are never near. */
static unsigned distance(struct str s, struct str word)
{
	unsigned row[33];
	for (unsigned j = 0; j <= word.n; j++) row[j] = j;
	for (unsigned i = 1; i <= s.n; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= word.n; j++) {
			unsigned above = row[j], cost = diagonal + ((s.p[i - 1] | 32) != (word.p[j - 1] | 32));
			if (above + 1 < cost) cost = above + 1;
			if (row[j - 1] + 1 < cost) cost = row[j - 1] + 1;
			diagonal = above;
			row[j] = cost;
		}
	}
	return row[word.n];
}

const char *nearest_word(struct str s, const char *const *words)
{
	const char *best = NULL;
	unsigned least = s.n > 5 ? 3 : s.n > 2 ? 2 : 1;
	if (s.n > 32) return NULL;
	for (; *words; words++) {
		struct str word = str_of(*words);
		if (word.n > 32 || word.n + least < s.n || s.n + least < word.n) continue;
		unsigned n = distance(s, word);
		if (n < least || (n == least && !best)) least = n, best = *words;
	}
	return best;
}
