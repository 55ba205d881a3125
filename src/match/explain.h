/* explain: a rule's tree on one event, leaf by leaf, as it is written: for `rules explain` and tests. Slow.
 *
 * One thread; what it gives lives as long as the event. */
#pragma once
#include "event/event.h"
#include "match/match.h"

enum match_verdict { MATCH_FALSE, MATCH_TRUE, MATCH_OPEN /* undecided: a regex ran into its limit */ };
struct match_seen {
	struct str field;      /* the column as the event names it; the rule's name where there is none */
	bool present;
	struct str value;      /* the value that decided */
};

struct match_explain;
/* `binding`: one of ev->shape->bindings, whose renames apply; NULL: none, as under any_logsource. The plan must hold the rule. */
struct match_explain *match_explain_new(struct plan *p, struct event *ev, const struct logsource_binding *binding);
void match_explain_free(struct match_explain *x);
enum match_verdict match_explain_node(struct match_explain *x, const struct node *n);
enum match_verdict match_explain_leaf(struct match_explain *x, const struct leaf *l, struct match_seen *ret);
/* Whether events of this binding are the rule's at all: its log source, and the binding's own condition. */
bool match_explain_covers(struct match_explain *x, const struct rule *r);
