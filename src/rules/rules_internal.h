/* rules_internal: what the files of the room share: the set being built, one document being read, errors with positions.
 *
 * Two arenas: `plan` holds what outlives loading (struct rule and all it points to), `scratch` the YAML tree and intermediate
 * values of one file, forgotten with it. Strings from the YAML tree enter a rule only through doc_keep or doc_intern. */
#pragma once
#include "base/alloc.h"
#include "base/arena.h"
#include "base/map.h"
#include "rules/rules.h"
#include "text/yaml.h"

enum {
	RULES_BUDGET = 1 << 30,       /* of all rules together */
	DOCUMENT_BUDGET = 64 << 20,   /* of one document's rule: a hostile one must not take the room of the others */
	SCRATCH_BUDGET = 512 << 20,
	RULES_FILE_MAX = 16 << 20, RULES_FILES_MAX = 1000000, RULES_MAX = 1000000, WARNINGS_MAX = 100000,
	REFUSED_PER_FILE = 1000,
	VARIANTS_MAX = 4096,          /* alternatives that expansion may make of one value */
	SEARCHES_MAX = 4096,          /* search identifiers of a rule */
	NODES_MAX = 1000000,          /* nodes of a rule's tree, shared ones counted as often as they occur: what evaluation may cost */
	CONDITION_MAX = 64 << 10, CONDITION_DEPTH = 64, DETECTION_DEPTH = 32, CHAIN_MAX = 16, REFS_MAX = 64
};

/* A correlation or filter: read when all rules are known. Its YAML tree lives in the plan arena. */
struct pending {
	struct rule *rule;
	const struct yaml_node *root;
	struct str text;                 /* of the document, for caret lines */
};

struct rule_set {
	struct arena plan, scratch;
	VEC(struct rule *) rules;
	VEC(struct rules_refused) refused;
	VEC(struct rules_warning) warnings;
	VEC(struct pending) correlations, filters;
	VEC(struct rules_filter) used_filters;
	struct map placeholders;         /* name -> index in placeholder_values */
	VEC(const struct yaml_node *) placeholder_values;
	struct map interned;             /* -> index in interned_texts: field names and the like, one copy each */
	VEC(struct str) interned_texts;
	struct map refused_names;        /* ids and names of refused rules, to say so where they are referred to */
	struct map names, ambiguous;     /* id or name -> index of the first rule that has it; those that several have */
	uint32_t files;
	bool fragments, finished;
};

/* One document being read. */
struct doc {
	struct rule_set *set;
	struct str file;
	struct str text;                 /* the document, */
	uint32_t line;                   /*   and the line of its file where it begins */
	struct str before;               /* documents that it is joined with, as a text that goes before it; empty */
	struct rules_refused error;      /* reason.n > 0: refused */
	size_t plan_start;               /* plan.used when it began */
	const struct search *searches;   /* while a condition is read, */
	const uint32_t *sizes;           /*   the nodes in their trees, */
	uint32_t n_searches;             /*   their number */
	bool in_filter;
	bool fragment;                   /* see rule_set_fragments */
	uint32_t warned;                 /* warnings so far */
	VEC(struct rule_item) items;     /* freed by doc_end */
};

/* --- doc.c ---------------------------------------------------------------------------------------------------- */
struct doc doc_begin(struct rule_set *s, struct str file, struct str text, uint32_t line);
/* Records the refusal, if there is one, under the names of `root` (may be NULL); true when there was none. */
bool doc_end(struct doc *d, const struct yaml_node *root);
/* Notes the refusal (the first one stays) and returns false. `at` NULL: the document as a whole. */
bool doc_refuse(struct doc *d, const struct yaml_node *at, const char *category, const char *format, ...) __attribute__((format(printf, 4, 5)));
bool doc_refuse_at(struct doc *d, uint32_t line, uint32_t column, const char *category, const char *format, ...) __attribute__((format(printf, 5, 6)));
void doc_warn(struct doc *d, const struct yaml_node *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Zeroed memory of the plan, or for the time of this file. NULL: the document is refused as "limit". */
void *doc_alloc(struct doc *d, size_t count, size_t size);
void *doc_scratch(struct doc *d, size_t count, size_t size);
/* Refuses the document as one that needs too much; NULL. */
void *doc_limit(struct doc *d);
/* A copy in the plan, NUL behind it. p == NULL: refused as "limit". Interned: equal texts share one copy. */
struct str doc_keep(struct doc *d, struct str s);
struct str doc_intern(struct doc *d, struct str s);
/* The line of the document, without its end, cut to a few hundred bytes; empty when it has no such line. */
struct str doc_line(const struct doc *d, uint32_t line);
/* The word of `words` (ended by NULL) nearest to s, or NULL when none is near. */
const char *nearest_word(struct str s, const char *const *words);

/* --- metadata.c ----------------------------------------------------------------------------------------------- */
/* Title, id, level, tags and so on. `levelled`: a level is expected (not in filters). */
bool read_metadata(struct doc *d, const struct yaml_node *root, bool levelled, struct rule *r);
bool read_logsource(struct doc *d, const struct yaml_node *root, struct logsource *ret);
/* The text of a scalar child, empty when there is none. */
struct str text_at(const struct yaml_node *root, const char *key);

/* --- detection.c, item.c, condition.c ------------------------------------------------------------------------- */
/* Detection section: searches, items and condition into the rule. */
bool read_detection(struct doc *d, const struct yaml_node *detection, struct rule *r);
/* One "field|modifiers: values" to a tree, NULL when refused. `key` is the map's key, or the value itself for plain keywords. */
const struct node *item_tree(struct doc *d, const struct yaml_node *key, const struct yaml_node *value, uint32_t search);
const struct node *node_new(struct doc *d, enum node_kind kind, const struct node *const *children, uint32_t n);
/* A condition's text to a tree over d->searches; adds the nodes it stands for to *nodes. `at`: where the text stands. */
const struct node *condition_tree(struct doc *d, const struct yaml_node *at, uint64_t *nodes);

/* --- correlation.c, filter.c: after all documents are known ---------------------------------------------------- */
void correlations_resolve(struct rule_set *s);
bool correlation_read(struct rule_set *s, const struct pending *p);
void filters_apply(struct rule_set *s);
/* The index of a rule by id or name, -1 when there is none. */
int64_t set_find(const struct rule_set *s, struct str reference);
