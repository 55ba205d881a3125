/* lint_internal: what the files of the lint share. */
#pragma once
#include "base/map.h"
#include "rules/lint.h"

/* One line of src/rules/data/fields.txt. */
struct field_line { struct logsource ls; struct map names; };

struct linting {
	struct lint *out;
	const struct rule_set *set;
	const struct taxonomy *taxonomy;
	VEC(struct field_line) fields, common;
	struct map ids, names, titles;  /* -> index of the first rule that has it */
};

void lint_say(struct lint *l, const struct rule *r, uint32_t line, uint32_t column, enum lint_level level, const char *check, const char *format, ...)
	__attribute__((format(printf, 7, 8)));
/* The line of the rule's file, and the column, where this key stands; without one, its section, or where the rule begins. */
uint32_t lint_key(const struct rule *r, struct str key, uint32_t *ret_column);
/* lint_values.c */
void lint_values(struct linting *l, const struct rule *r);
/* lint_fields.c */
void lint_fields_load(struct linting *l);
void lint_fields_done(struct linting *l);
void lint_fields(struct linting *l, const struct rule *r);
void lint_logsource(struct linting *l, const struct rule *r);
/* lint_tree.c */
/* One holds exactly when the other does. */
bool lint_same_leaf(const struct leaf *a, const struct leaf *b);
void lint_tree(struct linting *l, const struct rule *r);
/* lint_metadata.c */
void lint_metadata(struct linting *l, const struct rule *r);
void lint_twice(struct linting *l, const struct rule *r, uint32_t index);
