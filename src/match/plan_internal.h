/* plan: what the matcher knows of the rules. Internal to the room. */
#pragma once
#include <pthread.h>
#include "base/map.h"
#include "match/leaf_internal.h"
#include "match/match.h"
#include "text/regex.h"

/* Detection rules of one log source, by index. */
struct route {
	struct logsource ls;
	VEC(uint32_t) rules;
};

struct plan {
	struct plan_options options;
	const struct rule *const *rules; /* [n_rules], by index */
	uint32_t n_rules;
	VEC(struct route) routes;
	pthread_mutex_t lock;
	/* Under the lock: regexes compiled so far, by flags and pattern. */
	struct map regex_index;
	VEC(struct regex *) regexes;
};

/* The compiled regex of a LEAF_REGEX, made at first use; NULL when it does not compile (the loader refuses such rules). Any thread. */
const struct regex *plan_regex(struct plan *p, const struct leaf *l);
/* VERDICT_UNDECIDED when the work limit was reached, or without a regex. */
enum verdict regex_verdict(const struct regex *re, struct str text);

struct arena *matcher_scratch(struct matcher *m);
struct plan *matcher_plan(struct matcher *m);
