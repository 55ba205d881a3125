/* list: a rule set as a table, as JSON Lines, as a layer of the ATT&CK Navigator. Appends to a buf; pure; any thread. */
#pragma once
#include "base/buf.h"
#include "rules/rules.h"

/* Which rules: every condition that is set must hold. */
struct list_filter {
	struct str product, category, service; /* empty = any */
	bool by_level;
	enum level least;                      /* with by_level: this and above */
	struct str technique;                  /* "T1059" takes its sub-techniques too; "T1059.001"; any case; empty = any */
};
bool list_fits(const struct list_filter *f, const struct rule *r);

enum list_by { LIST_RULES, LIST_BY_LOGSOURCE, LIST_BY_LEVEL, LIST_BY_TECHNIQUE };
/* LIST_RULES: a line for each rule: level, log source, title. Others: a line for each group with its rules by level; rules with
 * several techniques count in each. `width`: columns of the terminal, 0 = lines are not cut. */
void list_table(const struct rule_set *s, const struct list_filter *f, enum list_by by, size_t width, struct buf *out);
/* One object a line, in the order of the set. */
void list_json(const struct rule_set *s, const struct list_filter *f, struct buf *out);
/* A layer (format 4.5): each technique with the number of its rules as score, and their titles. */
void list_navigator(const struct rule_set *s, const struct list_filter *f, struct str name, struct buf *out);

/* "T1059.001" from the tag "attack.t1059.001", into ret[16]; false for other tags. */
bool list_technique(struct str tag, char *ret);
