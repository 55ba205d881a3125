/* plan: what the matcher knows of the rules. Internal to the room. */
#pragma once
#include <pthread.h>
#include "match/leaf_internal.h"
#include "match/match.h"

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
};

/* The regex of a LEAF_REGEX over a text. Any thread. */
enum verdict plan_regex_search(struct plan *p, const struct leaf *l, struct str text);

struct arena *matcher_scratch(struct matcher *m);
struct plan *matcher_plan(struct matcher *m);
