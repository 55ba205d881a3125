/* sight: which rules could have found something at all: whether events of their log source were there, and the fields they need.
 *
 * Asked once a shape, not once an event: a rule can hold on events of a shape when its condition can be true while the columns that the
 * shape lacks are absent. So "nothing was found" can be told from "nothing could be found". A sight_plan is immutable and any thread's;
 * a sight belongs to one worker, and sights are merged in any order. */
#pragma once
#include "event/event.h"
#include "rules/rules.h"

struct sight_plan;
/* Detection rules by log source; `any`: all rules look at everything. Borrows the rules for its life. */
struct sight_plan *sight_plan_new(const struct rule_set *rules, bool any);
void sight_plan_free(struct sight_plan *p);

struct rule_sight {
	bool possible;       /* some event had the fields it needs */
	uint64_t seen;       /* bit i: field i of sight_fields was there; fields beyond 64 count as seen */
};
struct sight;
struct sight *sight_new(const struct sight_plan *p);
void sight_free(struct sight *s);
/* Looks at the shape, when it is new to this worker. Returns whether any rule looks at events of it. */
bool sight_shape(struct sight *s, const struct shape *shape);
/* [rule_set_count] of this worker, added to `into`. */
void sight_merge(const struct sight *s, struct rule_sight *into);
/* The distinct fields of a rule's condition in the order of its text, at most `max`; returns how many. Keywords are none. */
uint32_t sight_fields(const struct rule *r, struct str *ret, uint32_t max);
