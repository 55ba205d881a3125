/* lint: what there is to say about a rule set beyond "it loads": what can never match, what no event has, what is missing.
 *
 * It says nothing about rules that are right: on the published rules most checks are silent. What loading refused and warned about
 * is among the messages, so that one list holds everything. Messages live until lint_done; the rule set must outlive them.
 * One thread; pure otherwise. */
#pragma once
#include "base/buf.h"
#include "event/logsource.h"
#include "rules/rules.h"

enum lint_level {
	LINT_ERROR,   /* the rule is not used, or cannot be told from another */
	LINT_WARNING, /* it will surely not do what it says */
	LINT_NOTE     /* worth a look */
};
struct lint_message {
	struct str file;
	uint32_t line, column; /* 0: the file as a whole */
	enum lint_level level;
	struct str check;      /* which one: "field-unknown"; stable, for --ignore */
	struct str text;       /* a sentence without full stop */
	struct str source_line;/* empty when it is not at hand */
};
struct lint {
	struct arena arena;
	struct lint_message *v; /* by file, line, column */
	size_t n, cap;
	uint32_t counts[3];     /* by level */
};
/* Start with a zeroed one. `taxonomy` NULL: log sources are not checked. */
void lint_rules(struct lint *l, const struct rule_set *s, const struct taxonomy *t);
void lint_done(struct lint *l);
/* "error", "warning", "note"; lint_level_parse is false on other words. */
const char *lint_level_word(enum lint_level level);
bool lint_level_parse(struct str word, enum lint_level *ret);
/* "file:line:column: warning: text [check]", the line, a caret under its place; safe for a terminal. */
void lint_show(const struct lint_message *m, struct buf *out);
/* All checks by name, for help: name and what it is about, until name is NULL. */
struct lint_check { const char *name, *about; };
extern const struct lint_check lint_checks[];
