/* rules: Sigma text in, a checked rule set out. The front door of the room.
 *
 * Reads files and folders (recursively, *.yml and *.yaml, in byte order of their paths), several documents a file, detections,
 * correlations, filters, the legacy `action` documents. A rule that cannot be used is refused, with the reason, never skipped
 * in silence. Loading is one thread's work on the rule set; afterwards it is immutable and shared. */
#pragma once
#include "base/fault.h"
#include "rules/rule.h"

struct rules_refused {
	struct str file;
	uint32_t line, column;
	struct str reason;      /* a sentence, with what to do: "unknown modifier 'endwith'; did you mean 'endswith'?" */
	struct str category;    /* for counting: "placeholder", "syntax", "modifier", "condition", "logsource", "correlation", "limit", ... */
	struct str source_line; /* the line of the file it points into, for the caret; may be empty */
};
struct rules_warning { struct str file; uint32_t line, column; struct str text, source_line; };

struct rule_set;
struct rule_set *rule_set_new(void);
void rule_set_free(struct rule_set *s);
/* Also takes fragments: documents with neither title nor log source, whose condition may be missing when they have one search
 * identifier. For rules that are tried on events by hand (--any-logsource), and test cases of other engines. What has a title or
 * a log source is held to the rules as ever. Before rules are added. */
void rule_set_fragments(struct rule_set *s);
/* Values for placeholders (`%name%` under `expand`): YAML map name -> value or list. Before rules are added. */
bool rule_set_placeholders(struct rule_set *s, const char *path, struct fault *f);
/* Adds a file or a folder. False and *f only when the path itself cannot be read; bad rules are in rule_set_refused. */
bool rule_set_add_path(struct rule_set *s, const char *path, struct fault *f);
/* The rule files at a path, in the order in which rule_set_add_path adds them, for callers that read them in parallel and then
 * use rule_set_add_text with the path as the name. `reason` not NULL: it cannot be used, and why (rule_set_refuse_file). */
struct rules_file { char *path; const char *reason; };
struct rules_files { struct rules_file *v; size_t n, cap; };
bool rules_files_list(const char *path, struct rules_files *ret, struct fault *f);
void rules_files_free(struct rules_files *files);
/* Records that a file cannot be used. */
void rule_set_refuse_file(struct rule_set *s, struct str name, struct str reason);
/* Adds rules from memory, shown as `name` (compiled-in rules). */
void rule_set_add_text(struct rule_set *s, struct str text, struct str name);
/* Adds the one rule whose `pinned` text this is: its last document; those before it only serve to be joined with. */
void rule_set_add_pinned(struct rule_set *s, struct str pinned, struct str name);
/* Resolves correlations and filters, decides `report` and `keep`, sorts. After it the set is immutable. */
void rule_set_finish(struct rule_set *s);

/* The filters that are on at least one rule, in the order in which they were added: what a rule's text alone does not say. */
struct rules_filter { struct str file, text; };
uint32_t rule_set_filter_count(const struct rule_set *s);
struct rules_filter rule_set_filter(const struct rule_set *s, uint32_t i);

uint32_t rule_set_count(const struct rule_set *s);
const struct rule *rule_set_at(const struct rule_set *s, uint32_t index);
uint32_t rule_set_refused_count(const struct rule_set *s);
const struct rules_refused *rule_set_refused(const struct rule_set *s, uint32_t i);
uint32_t rule_set_warning_count(const struct rule_set *s);
const struct rules_warning *rule_set_warning(const struct rule_set *s, uint32_t i);
