/* walk: a rule's tree evaluated as it is written, leaf by leaf. Slow and complete.
 *
 * Used where speed does not matter: what made a hit hold, explaining an event. The fast engine must agree with it. */
#pragma once
#include "match/leaf_internal.h"

struct walk {
	struct event *ev;
	struct leaf_context leaf; /* its binding resolves field renames too */
};
/* Where a leaf's verdict came from: the column's name as the event has it, and the value that decided (NULL: none). */
struct walk_seen {
	struct str field;
	struct value *value;
};
enum verdict walk_node(struct walk *w, const struct node *n);
/* *ret (may be NULL): the first value that made it hold, else the first value looked at. */
enum verdict walk_leaf(struct walk *w, const struct leaf *l, struct walk_seen *ret);
/* The first column a rule's field means on a shape: the binding's rename when the shape has its target, else the name itself.
 * -1 = none. */
int32_t walk_column(const struct shape *s, const struct logsource_binding *b, struct str field);
/* The binding's own condition on the event (when_field). */
bool walk_binding_holds(struct walk *w, const struct logsource_binding *b);
