/* lint.c: the list of messages: refusals, warnings of loading, what the checks say. See lint.h. */
#include "rules/lint_internal.h"
#include "text/escape.h"
#include <stdarg.h>
#include <stdio.h>

enum { LINT_BUDGET = 256 << 20, MESSAGES_MAX = 200000 };

const struct lint_check lint_checks[] = {
	{"refused", "the rule cannot be used"},
	{"placeholder", "a placeholder has no value"},
	{"load", "loading had a doubt"},
	{"id-twice", "two rules have the same id"},
	{"name-twice", "two rules have the same name"},
	{"title-twice", "two rules have the same title"},
	{"id-missing", "no id"},
	{"level-missing", "no level"},
	{"status-missing", "no status"},
	{"status-retired", "deprecated or unsupported"},
	{"tag-form", "a tag that is none"},
	{"tag-attack", "no ATT&CK tactic or technique among the tags"},
	{"tag-tactic", "an ATT&CK tactic that does not exist"},
	{"date", "a date that is none"},
	{"related", "related rules without id or with an unknown relation"},
	{"key-unknown", "a key that looks misspelt"},
	{"title-long", "a title of more than 256 characters"},
	{"description-missing", "no description"},
	{"false-positives-missing", "high or critical, and no word on false positives"},
	{"logsource-unknown", "no log of this product, category or service is known"},
	{"field-unknown", "events of this log source do not have the field"},
	{"event-id", "events of this log source do not have this event id"},
	{"never-matches", "no event can have this"},
	{"negative", "it matches everything that is not excluded"},
	{"literal-star", "a star that is no wildcard"},
	{"value-twice", "a value that stands twice in its list"},
	{"path-form", "a path as this system does not write it"},
	{"windash-idle", "windash without a dash"},
	{"regex-idle", ".* at an end of a regular expression"},
	{"search-unused", "a search identifier that the condition does not use"},
	{"regex-backtracking", "a regular expression that no linear engine can run"},
	{"regex-slow", "a regular expression without any fixed text"},
	{NULL, NULL},
};

static const char *const level_words[] = {"error", "warning", "note"};
const char *lint_level_word(enum lint_level level) { return level_words[level]; }

bool lint_level_parse(struct str word, enum lint_level *ret)
{
	for (size_t i = 0; i < COUNT(level_words); i++) {
		if (!str_eq(word, str_of(level_words[i]))) continue;
		*ret = (enum lint_level)i;
		return true;
	}
	return false;
}

static void put(struct lint *l, struct lint_message m)
{
	if (l->n >= MESSAGES_MAX) return;
	l->counts[m.level]++;
	vec_push(l, m);
}

/* The line of a rule's document. */
static struct str line_of(const struct rule *r, uint32_t line)
{
	struct str rest = r->text;
	if (line < r->line) return (struct str){"", 0};
	for (uint32_t skip = line - r->line; skip && rest.p; skip--) str_cut(&rest, '\n');
	return rest.p ? str_cut(&rest, '\n') : (struct str){"", 0};
}

uint32_t lint_key(const struct rule *r, struct str key, uint32_t *ret_column)
{
	struct str rest = r->text;
	for (uint32_t line = r->line; rest.p; line++) {
		struct str whole = str_cut(&rest, '\n'), text = whole;
		while (text.n && text.p[0] == ' ') text = str_sub(text, 1, text.n);
		if (!str_starts(text, key) || text.n == key.n || text.p[key.n] != ':') continue;
		*ret_column = (uint32_t)(whole.n - text.n) + 1;
		return line;
	}
	/* In braces the key is not at the beginning of a line: then its section will do. */
	if (str_eq(key, STR("product")) || str_eq(key, STR("category")) || str_eq(key, STR("service"))) return lint_key(r, STR("logsource"), ret_column);
	*ret_column = 1;
	return r->line;
}

void lint_say(struct lint *l, const struct rule *r, uint32_t line, uint32_t column, enum lint_level level, const char *check, const char *format, ...)
{
	char text[600];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	struct str kept = arena_str(&l->arena, str_of(text));
	if (kept.p) put(l, (struct lint_message){r->info.file, line, column, level, str_of(check), kept, line_of(r, line)});
}

static void take_loading(struct lint *l, const struct rule_set *s)
{
	for (uint32_t i = 0; i < rule_set_refused_count(s); i++) {
		const struct rules_refused *r = rule_set_refused(s, i);
		bool placeholder = str_eq(r->category, STR("placeholder"));
		put(l, (struct lint_message){r->file, r->line, r->column, placeholder ? LINT_WARNING : LINT_ERROR, placeholder ? STR("placeholder") : STR("refused"), r->reason, r->source_line});
	}
	for (uint32_t i = 0; i < rule_set_warning_count(s); i++) {
		const struct rules_warning *w = rule_set_warning(s, i);
		put(l, (struct lint_message){w->file, w->line, w->column, LINT_WARNING, STR("load"), w->text, w->source_line});
	}
}

static int by_place(const void *x, const void *y)
{
	const struct lint_message *a = x, *b = y;
	int order = str_cmp(a->file, b->file);
	if (order) return order;
	if (a->line != b->line) return a->line < b->line ? -1 : 1;
	if (a->column != b->column) return a->column < b->column ? -1 : 1;
	if (a->level != b->level) return (int)a->level - (int)b->level;
	order = str_cmp(a->check, b->check);
	return order ? order : str_cmp(a->text, b->text);
}

void lint_rules(struct lint *out, const struct rule_set *s, const struct taxonomy *t)
{
	struct linting l = {.out = out, .set = s, .taxonomy = t};
	arena_init(&out->arena, LINT_BUDGET);
	take_loading(out, s);
	lint_fields_load(&l);
	for (uint32_t i = 0; i < rule_set_count(s); i++) {
		const struct rule *r = rule_set_at(s, i);
		lint_metadata(&l, r);
		lint_twice(&l, r, i);
		if (!r->condition) continue;
		lint_logsource(&l, r);
		lint_fields(&l, r);
		lint_tree(&l, r);
		lint_values(&l, r);
	}
	lint_fields_done(&l);
	map_done(&l.ids);
	map_done(&l.names);
	map_done(&l.titles);
	if (out->n) qsort(out->v, out->n, sizeof *out->v, by_place);
}

void lint_done(struct lint *l)
{
	vec_free(l);
	arena_done(&l->arena);
}

void lint_show(const struct lint_message *m, struct buf *out)
{
	enum { LINE_MAX_SHOWN = 400 };
	term_str(out, m->file);
	if (m->line) buf_printf(out, ":%u:%u", m->line, m->column);
	buf_printf(out, ": %s: ", lint_level_word(m->level));
	term_str(out, m->text);
	buf_lit(out, " [");
	buf_str(out, m->check);
	buf_lit(out, "]\n");
	struct str line = str_sub(m->source_line, 0, LINE_MAX_SHOWN);
	if (!line.n || !m->column || m->column > line.n + 1) return;
	buf_lit(out, "    ");
	term_str(out, line);
	buf_lit(out, "\n    ");
	/* As wide as what stands before the place, as it is shown. */
	struct buf before = {0};
	term_str(&before, str_sub(line, 0, m->column - 1));
	for (size_t i = utf8_width(buf_view(&before)); i; i--) buf_byte(out, ' ');
	buf_done(&before);
	buf_lit(out, "^\n");
}
