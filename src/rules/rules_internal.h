/* rules_internal: what the files of the room share: the set being built, one document being read, errors with positions. */
#pragma once
#include "base/alloc.h"
#include "base/arena.h"
#include "base/map.h"
#include "rules/rules.h"
#include "text/yaml.h"

enum {
	RULES_BUDGET = 1 << 30, RULES_FILE_MAX = 16 << 20, RULES_MAX = 1000000,
	VARIANTS_MAX = 4096,     /* alternatives that expansion may make of one value */
	CONDITION_MAX = 64 << 10, CONDITION_DEPTH = 64, DETECTION_DEPTH = 32
};

/* A rule before correlations and filters are resolved. */
struct pending {
	struct rule *rule;
	const struct yaml_node *root;    /* correlations and filters are read in rule_set_finish */
	struct str file_text;            /* for caret lines */
};

struct rule_set {
	struct arena arena;
	VEC(struct rule *) rules;
	VEC(struct rules_refused) refused;
	VEC(struct rules_warning) warnings;
	VEC(struct pending) correlations, filters;
	struct map placeholders;         /* name -> index in placeholder_values */
	VEC(const struct yaml_node *) placeholder_values;
	bool finished;
};

/* One document being read. */
struct doc {
	struct rule_set *set;
	struct arena *arena;
	struct str file, file_text;
	struct rules_refused error;      /* reason.n > 0: refused */
	const struct search *searches;   /* while a condition is read */
	uint32_t n_searches;
	uint32_t items;                  /* detection items so far: ids */
};

/* Notes the refusal (the first one stays) and returns false. */
bool doc_refuse(struct doc *d, const struct yaml_node *at, const char *category, const char *format, ...) __attribute__((format(printf, 4, 5)));
bool doc_refuse_at(struct doc *d, uint32_t line, uint32_t column, const char *category, const char *format, ...) __attribute__((format(printf, 5, 6)));
void doc_warn(struct doc *d, const struct yaml_node *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Memory of the plan; aborts never: NULL makes the document refused as "limit". */
void *doc_alloc(struct doc *d, size_t count, size_t size);
/* The word of `words` (ended by NULL) nearest to s, or NULL when none is near. */
const char *nearest_word(struct str s, const char *const *words);

/* pattern.c: Sigma strings. */
enum part_kind { PART_LITERAL, PART_ANY, PART_ONE };
struct part { enum part_kind kind; struct str text; };
struct pattern { const struct part *parts; uint32_t n; };
/* Sigma's escape automaton: \* \? \\ are literal, * and ? wildcards, any other backslash stays. */
bool pattern_parse(struct doc *d, struct str text, struct pattern *ret);
bool pattern_affix(struct doc *d, const struct pattern *p, bool before, bool after, struct pattern *ret);
bool pattern_plain(const struct pattern *p, struct str *ret); /* one literal or empty: its text */

/* detection.c: the value of a search identifier to a tree. NULL when refused. */
const struct node *detection_tree(struct doc *d, const struct yaml_node *value, uint32_t search);
/* modifier.c: one "field|modifiers: values" to a tree. */
const struct node *item_tree(struct doc *d, const struct yaml_node *key, struct str field, struct str modifiers, const struct yaml_node *value, uint32_t search);
const struct node *node_new(struct doc *d, enum node_kind kind, const struct node *const *children, uint32_t n);
/* condition.c: text to a tree over the searches. `at`: where the text stands. */
const struct node *condition_tree(struct doc *d, const struct yaml_node *at, struct str text);
/* correlation.c, filter.c: after all documents are known. */
void correlations_resolve(struct rule_set *s);
void filters_apply(struct rule_set *s);
/* load.c: title, id, level, tags, log source of a document. */
bool read_metadata(struct doc *d, const struct yaml_node *root, struct rule *r);
bool read_logsource(struct doc *d, const struct yaml_node *node, struct logsource *ret);
/* detection section: searches and condition into the rule. */
bool read_detection(struct doc *d, const struct yaml_node *detection, struct rule *r);
void set_refuse(struct rule_set *s, struct doc *d);
/* The index of a rule by id or name, -1 when there is none. */
int64_t set_find(const struct rule_set *s, struct str reference);
