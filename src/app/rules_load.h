/* rules_load: the rule set a command asked for: files and folders, or Exhibit's own rules compiled in. */
#pragma once
#include "base/alloc.h"
#include "rules/rules.h"

struct rules_wanted {
	VEC(const char *) paths;   /* none: Exhibit's own; the word "default" adds them */
	const char *placeholders;  /* NULL = none */
	bool fragments;            /* see rule_set_fragments */
};
/* A finished set, or NULL and *f when a path cannot be read. */
struct rule_set *rules_load(const struct rules_wanted *w, struct fault *f);
