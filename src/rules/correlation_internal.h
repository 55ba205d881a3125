/* correlation_internal: a correlation document while it is read. */
#pragma once
#include "rules/rules_internal.h"

/* What the document calls its rules, and which they are. */
struct references {
	const struct str *names;  /* as written */
	uint32_t *refs;           /* indices in the set as long as no rule is taken out of it */
	uint32_t n;
};
/* The place of a rule among the references: by the text written there, or by another name of the same rule. -1 = none. */
int64_t reference_of(const struct rule_set *s, const struct references *r, struct str name);
bool references_resolve(struct doc *d, const struct yaml_node *at, struct references *r);

/* corr_condition.c: "a and not (b or c)" over the references; r->n == 0: they are what occurs in it (COR-15). */
const struct corr_node *extended_condition(struct doc *d, const struct yaml_node *at, struct references *r);
/* corr_condition.c: {gte: 10, field: x} into c (COR-7, COR-8, COR-12). */
bool threshold_condition(struct doc *d, const struct yaml_node *condition, struct correlation *c);
/* A text or a list of texts, kept; NULL with *ret_n 0 when there is no node, or when it is refused. */
const struct str *names_at(struct doc *d, const struct yaml_node *node, const char *what, uint32_t *ret_n);
static inline bool is_temporal(enum correlation_type t) { return t == CORRELATE_TEMPORAL || t == CORRELATE_TEMPORAL_ORDERED; }
