/* incident: findings joined into stories: what happened on this server, stage by stage, on which evidence, and what the logs
 * cannot say. The front door of the room.
 *
 * Three steps, as the pipeline runs:
 *   phase one   analyser_event sees every event of a worker, in no order. It decides whether the event matters and hands out at
 *               most one clue: the few fields that are needed later, as opaque bytes. The pipeline spills the clue with the event's
 *               evidence, exactly as it spills a hit. A clue may name a native rule: then the event is also a finding of
 *               its own (FINDING_HIT), with that rule_info and those match details.
 *   between     incidents_merge adds each worker's counters (coverage, popularity of paths). Order does not matter.
 *   phase two   incidents_feed gets the clues in the order time, source, offset, merged with the hits; incidents_finding gets
 *               correlations as they fire. incidents_finish then gives the incidents.
 * What comes out does not depend on the number of workers or the order of files.
 *
 * Which hits of Sigma rules belong to a story is said by the rules: a tag exhibit.<campaign>.<stage> (exhibit.proxylogon.written,
 * exhibit.any.cleanup) makes the hit's event a clue. Native analysers do what Sigma cannot say: tiers of AnchorMailbox by path
 * and status, decoding of X-Rps-CAT and IBM037, script paths off the shipped list, web shells by behaviour.
 *
 * Not here: reading logs, matching rules, printing. Nothing here reads a clock. Data files in src/incident/data are compiled in. */
#pragma once
#include "base/fault.h"
#include "event/event.h"

/* In the order an attacker goes; a later stage is the higher one. */
enum stage {
	STAGE_NONE, STAGE_PROBE, STAGE_SSRF, STAGE_SESSION, STAGE_ENUMERATION, STAGE_WRITTEN, STAGE_USED, STAGE_COMMANDS,
	STAGE_PERSISTENCE, STAGE_CLEANUP
};
enum { STAGES = STAGE_CLEANUP + 1 };
/* "probe" .. "cleanup"; "none". stage_parse is false on other words. */
const char *stage_word(enum stage s);
bool stage_parse(struct str word, enum stage *ret);

/* --- plan: immutable once built, shared by all workers --- */

struct incident_plan;
/* The compiled-in baselines and native rules. NULL and *f when the data cannot be read (a defect of the build). */
struct incident_plan *incident_plan_new(struct fault *f);
void incident_plan_free(struct incident_plan *p);
/* Adds the user's own script paths, one a line, '#' comments; before workers start. False and *f on failure. */
bool incident_plan_baseline(struct incident_plan *p, const char *path, struct fault *f);
/* Leaves out the native rules and analysers (`-r` without `default`): only tagged Sigma hits make clues. */
void incident_plan_native(struct incident_plan *p, bool enabled);
/* The native rules, for the rule counts and the manifest; they live as long as the plan. info.file is "native". */
const struct rule_info *incident_plan_rules(const struct incident_plan *p, uint32_t *ret_n);
/* SHA-256 over all data that decides (baselines, the user's too), for the manifest. */
const uint8_t *incident_plan_sha256(const struct incident_plan *p);

/* --- phase one: one analyser a worker thread --- */

enum { CLUE_DETAILS = 4 };
/* What is kept of one event. A view: dies with the event. */
struct clue {
	struct str payload;                    /* opaque, at most CLUE_MAX bytes; spilled by the pipeline and fed back unchanged */
	const struct rule_info *rule;          /* NULL, or: also report the event as a hit of this native rule */
	struct match_detail matched[CLUE_DETAILS];
	uint32_t n_matched;
};
enum { CLUE_MAX = 8192 };

struct analyser;
/* The plan must outlive it. `max_bytes`: budget of its counters; what no longer fits is counted, and said in `unknown`. */
struct analyser *analyser_new(const struct incident_plan *p, size_t max_bytes);
void analyser_free(struct analyser *a);
/* Looks at one event. `source`: its index in the scan's list; `path`: the source's, as shown (folders name servers where the
 * log does not). hits: the rules that matched the event. NULL when it is no clue. Costs a table look-up for kinds of events
 * that nothing here cares about. The clue's strings live in ev->arena or the plan. */
const struct clue *analyser_event(struct analyser *a, struct event *ev, uint32_t source, struct str path,
	const struct rule_info *const *hits, uint32_t n_hits);

/* --- phase two: one thread --- */

/* A clue as it comes back from the spill. Views, valid during the call. */
struct clue_record {
	struct etime time;                     /* of the event */
	uint32_t source;
	struct str payload;
	const struct evidence_ref *evidence;
	uint32_t n_evidence;
};

struct incidents;
/* `max_bytes`: budget of the state; when it is used up further clues are dropped, counted, and the incidents say so. */
struct incidents *incidents_new(const struct incident_plan *p, size_t max_bytes);
void incidents_free(struct incidents *s);
/* Adds a worker's counters; once for each, before the first feed. */
void incidents_merge(struct incidents *s, const struct analyser *a);
/* One call a source, before the first feed, in the order in which evidence counts sources: what was read of it. `source` is the
 * number that analyser_event was given and clue_record.source has. Paths are copied. `report` may be NULL (unread source). */
void incidents_source(struct incidents *s, uint32_t source, struct str path, struct str format, const struct source_report *report);
void incidents_feed(struct incidents *s, const struct clue_record *r);
/* A correlation that fired (its rule's tags decide whether it matters). */
void incidents_finding(struct incidents *s, const struct finding *f);

/* One incident. All views, valid during the callback. */
struct incident {
	struct finding finding;                /* FINDING_INCIDENT: time = first; extra_json: campaign, stage, first, last, attackers, scanners,
	                                        * unknown, logs, indicators, timeline, actions; stages cite ranges of the evidence */
	enum stage stage;
	struct str story;                      /* for people: plain lines, UTF-8, not escaped for any output */
};
/* Judges, and calls `report` for each incident in order of finding_cmp. Call once. */
void incidents_finish(struct incidents *s, void (*report)(void *context, const struct incident *i), void *context);

/* For people: what was read of the servers that no incident tells of, so that nothing found differs from nothing read. Empty when there is no incident, or no
 * such server. After incidents_finish; lives as long as `s`. */
struct str incidents_rest(struct incidents *s);

/* The scope table: what there was to look at. After incidents_finish; lives as long as `s`. Ordered by server, then log. */
struct scope_row {
	struct str server, log;                /* "mx01", "httpproxy" */
	struct etime first, last;              /* of its events; absent when the log is expected beside the others but was not there */
	uint32_t days, days_missing;           /* days with events; days between first and last of the whole case without any */
	uint64_t events, clues;
};
const struct scope_row *incidents_scope(const struct incidents *s, uint32_t *ret_n);
