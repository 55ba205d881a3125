/* match: the rule set compiled into a plan, and the plan run over events. The front door of the room.
 *
 * Plan: immutable, shared by all threads (what it builds lazily per kind of event is published under a lock and never
 * changes what matches). Matcher: one thread's working state, no allocation per event. The answers are those of the naive
 * evaluator in tests/oracle, for every rule and event; only faster. */
#pragma once
#include "event/event.h"
#include "rules/rules.h"

struct plan;
struct plan_options {
	bool any_logsource;       /* every rule on every event, whatever its log source */
	enum level min_level;     /* rules below it are left out, unless a correlation needs them */
	bool forgetful;           /* nothing is remembered of one event for the next (tests) */
	bool eager;               /* what comes again together is looked for from the first events on (tests) */
	int engine;               /* literal engine: 0 = by the processor, else force 1 plain, 2 sse, 3 avx2 (tests) */
};
/* The rule set must outlive the plan. NULL and *f when a limit is passed. */
struct plan *plan_new(const struct rule_set *rules, const struct plan_options *options, struct fault *f);
/* The same over an array of `n` rules (copied; the rules must outlive the plan); a rule's place is its index. */
struct plan *plan_of_rules(const struct rule *const *rules, uint32_t n, const struct plan_options *options, struct fault *f);
void plan_free(struct plan *p);
/* Memory held by the plan in bytes. */
size_t plan_bytes(const struct plan *p);

struct matcher;
struct matcher *matcher_new(struct plan *p);
void matcher_free(struct matcher *m);

struct hit {
	const struct rule *rule;
	struct logsource logsource;              /* the binding it matched through */
	const struct logsource_binding *binding; /* for renamed fields; NULL under any_logsource */
};
/* May be called before matcher_run of the same event, with other work between them: what will be needed is then on its way from memory. matcher_soon may
 * follow a little later. Between them and matcher_run of that event the matcher does nothing else, or is called for another event by matcher_run alone. */
void matcher_ahead(struct matcher *m, struct event *ev);
void matcher_soon(struct matcher *m);
/* All rules that match, ordered by rule index, in an array that lives until the next call. */
uint32_t matcher_run(struct matcher *m, struct event *ev, const struct hit **ret);
/* Which leaves made the hit hold: field, value, pattern as the rule writes it; strings live while the event does, at most until the next call. Returns how many
 * (at most `max`). Deterministic: in the order the rule's text has them; one true branch of each OR item. */
uint32_t matcher_details(struct matcher *m, const struct hit *h, struct event *ev, struct match_detail *ret, uint32_t max);

/* Per rule: was there an event of its log source (could it have fired)? How often was a verdict undecided (a regex limit)? */
struct rule_coverage { uint64_t events; uint64_t hits; uint64_t undecided; };
/* Adds this matcher's counts to counts[rule_set_count]. */
void matcher_coverage(const struct matcher *m, struct rule_coverage *counts);
