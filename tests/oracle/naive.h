/* naive: a second reading of Sigma, from the rule's text to the verdict, that shares nothing with src/rules and src/match.
 *
 * What it has in common with the program: the YAML tree (text/yaml.h), the event's cells and their texts (event/value.h), the steps over
 * UTF-8 and the table of letters that differ in case only, RFC 3339 times (base/etime.h), and the data of log sources, which it reads on
 * its own from src/event/data. Its own are:
 * types of values, modifiers, expansion (windash, base64offset, wide, placeholders), wildcards, conditions, filters, routing and all
 * comparing; regular expressions go to PCRE2. It takes what the specification allows and expects legal rules: it explains no errors.
 * What does not change from pair to pair is made once, a rule's tree and an event's texts; for each pair the tree is walked whole. */
#pragma once
#include "event/event.h"

enum naive_verdict { NAIVE_NO, NAIVE_YES, NAIVE_UNDECIDED };

struct naive_set;
/* `data`: the folder src/event/data. NULL when it cannot be read. */
struct naive_set *naive_set_new(const char *data);
void naive_set_free(struct naive_set *s);
/* A YAML map of placeholders to a value or a list. Before rules are added. */
bool naive_set_placeholders(struct naive_set *s, struct str text);
/* See rule_set_fragments. Before rules are added. */
void naive_set_fragments(struct naive_set *s);
/* The documents of one file. What it cannot take is left out (naive_refused counts it). */
void naive_set_add(struct naive_set *s, struct str text);
/* Filters are joined to their rules. After it, rules and fields are fixed. */
void naive_set_finish(struct naive_set *s);
uint32_t naive_count(const struct naive_set *s);
uint32_t naive_refused(const struct naive_set *s);
/* The rule's id, or its title where it has none. */
struct str naive_id(const struct naive_set *s, uint32_t rule);

struct naive_event;
/* Everything of the event that rules may ask for; it outlives `ev`. Free it with naive_event_free. */
struct naive_event *naive_event_new(const struct naive_set *s, struct event *ev);
void naive_event_free(struct naive_event *e);
/* `any`: whatever the log source. *ret_covered (may be NULL): the event is of the rule's log source. */
enum naive_verdict naive_match(const struct naive_set *s, uint32_t rule, const struct naive_event *e, bool any, bool *ret_covered);
