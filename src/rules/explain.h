/* explain: a rule in words: where it applies, what it looks for, what of it holds on an event. Appends text that is safe for a
 * terminal. Pure; any thread. */
#pragma once
#include "base/buf.h"
#include "event/logsource.h"
#include "rules/rules.h"

/* What is known about an event; the caller evaluates. `node`: '+' holds, '-' does not, '?' undecided. `seen` appends the field and
 * value that decided a leaf, or nothing. */
struct explain_marks {
	void *self;
	char (*node)(void *self, const struct node *n);
	void (*seen)(void *self, const struct leaf *l, struct buf *out);
};

/* Title, id, level, place, log source and the logs it is read from (`t` may be NULL). */
void explain_head(const struct rule *r, const struct taxonomy *t, struct buf *out);
/* The condition and the tree of each search identifier, or the correlation in words. `marks` may be NULL. Long lists of values are
 * cut: with marks those that hold stay. */
void explain_tree(const struct rule_set *s, const struct rule *r, const struct explain_marks *marks, struct buf *out);
/* One leaf: "Image is *\cmd.exe", "f > 5". Without the field: "*\cmd.exe". */
void explain_leaf(const struct leaf *l, bool with_field, struct buf *out);
