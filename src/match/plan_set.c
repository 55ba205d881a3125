/* plan_set.c: a plan over a loaded rule set. See match.h. */
#include "match/plan_internal.h"

struct plan *plan_new(const struct rule_set *rules, const struct plan_options *options, struct fault *f)
{
	uint32_t n = rule_set_count(rules);
	const struct rule **list = xcalloc(n ? n : 1, sizeof *list);
	for (uint32_t i = 0; i < n; i++) list[i] = rule_set_at(rules, i);
	struct plan *p = plan_of_rules(list, n, options, f);
	free(list);
	return p;
}
