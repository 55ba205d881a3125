/* oracle: the naive evaluator that the engine must agree with, for every rule and event.
 *
 * It shares the rule tree, the event's cells and nothing else with src/match: texts become arrays of code points, patterns
 * are matched by a table, numbers are long doubles, addresses go through inet_pton, times through the C library. It knows
 * no shapes, no routing tables, no memory of anything. Slow on purpose. */
#pragma once
#include "event/event.h"
#include "rules/rule.h"

enum oracle_verdict { ORACLE_NO, ORACLE_YES, ORACLE_UNDECIDED };
struct oracle_answer {
	enum oracle_verdict verdict;
	int32_t binding; /* the first of the shape's bindings through which it matched; -1 = none */
	bool covered;    /* some binding of the event fits the rule's log source */
};
struct oracle_answer oracle_rule(const struct rule *r, struct event *ev, bool any_logsource);
/* For tests of single parts. */
enum oracle_verdict oracle_tree(const struct node *n, struct event *ev, const struct logsource_binding *b);
