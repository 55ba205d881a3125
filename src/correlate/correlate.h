/* correlate: hits x time -> findings. The front door of the room.
 *
 * A correlator takes the hits of a scan, or of a live log, in order of time, and hands out a finding for every correlation rule
 * of the rule set (and every native detector) whose condition comes to hold. It reads no clock: time is the events' own.
 * One thread. The rule set must outlive it. What comes out depends on the hits alone: not on hashes, threads, or how files were
 * ordered, as long as the hits arrive in order of (time, source, offset, rule).
 *
 * Semantics (Sigma correlation specification 2.1; where it is silent, this):
 * - Windows slide, one per correlation and group; an event whose age equals `timespan` to the nanosecond still counts.
 * - One record is one event for a correlation, however many of its rules the record matches (temporal types: it is seen by each).
 * - A group value that the event lacks: see enum corr_missing. Values are compared byte for byte. null counts as lacking.
 * - event_count counts events; value_count distinct values, or distinct tuples when `field` is a list (events that lack one are not
 *   counted); value_sum, value_avg, value_percentile, value_median take the events whose field is a decimal number, others are
 *   passed over. Sums are exact (no drift as the window slides), of decimals as they are written (base/decimal.h); percentiles interpolate
 *   linearly between closest ranks.
 * - temporal: all rules have matched within the window; with a condition map, the number of distinct rules that have is compared;
 *   with a condition text, it decides, `not x` being "x has not matched in the window up to now".
 * - temporal_ordered: as temporal, and the matches follow the order of `rules`, equal times in any order. With a condition map:
 *   the longest chain in order is compared. With a condition text: it holds, and the rules seen in the window form such a chain.
 * - A condition is looked at when an event arrives; so "fewer than" never fires on silence.
 * - Chaining: an inner correlation is, for a temporal outer one, an event each time its condition holds at an event; for the
 *   others it counts once per finding. It carries its own group values and, for names it does not group by, the values of the
 *   event at hand; its evidence becomes the outer one's.
 *
 * Findings: one per group, opened by the first event at which the condition holds, growing with every further event of the group,
 * closed when the window has emptied (no event for longer than `timespan`) or at correlate_finish. It is handed out when it
 * closes (with `announce` also when it opens); its `time` is that of the event that opened it, `first`/`last` and `count` span
 * what contributed: the events in the window when it opened (of an ordered correlation: those on a complete chain), and all
 * later ones. With `every`, a finding is handed out at each event at which the condition holds, with what contributed so far.
 * Up to CORR_CITE_ALL contributing records are cited, by (time, source, offset); beyond that the first and the last
 * CORR_CITE_END, with `evidence_total` and the RFC 6962 root (leaves: the records' SHA-256, in order of arrival; of a detector's finding in the order they were added).
 *
 * Memory: all state lives in `state_memory`; it is exact while it fits. When it is full, groups whose window emptied go first (no loss).
 * Then the longest silent are evicted (of a sample). For event_count and value_count with a lower bound a sketch goes on counting
 * (corr_stats.error_*): new keys are counted there alone, until the estimate is half of what the condition wants; then the key
 * gets a group again. A finding that counts events which only the sketch knows (by its lower confidence bound) says
 * "approximate" and "uncited" in extra_json. All of it is counted in corr_stats.
 * The detectors, where they run, have a quarter of `state_memory` to themselves.
 * Values of more than 1,024 bytes are told apart by their beginning and SHA-256; distinct values by keyed 64-bit fingerprints (one
 * in ten million windows of a million values may count one too few). */
#pragma once
#include "base/fault.h"
#include "event/finding.h"
#include "correlate/detect.h"
#include "rules/rules.h"

enum { CORR_CITE_ALL = 1000, CORR_CITE_END = 500 };

/* What becomes of an event that lacks a group-by value. */
enum corr_missing {
	CORR_MISSING_AUTO,  /* temporal types: dropped; others: a group of its own, different from every value */
	CORR_MISSING_GROUP, /* a group of its own */
	CORR_MISSING_DROP   /* does not count for this correlation; corr_stats.missing */
};

struct corr_event {
	uint32_t rule;                       /* index of the rule that matched, in the rule set */
	struct etime time;
	const struct evidence_ref *evidence; /* the record first, then further records and contexts; at least one */
	uint32_t n_evidence;
	const struct str *values;            /* [correlate_keep's count], in its order; p == NULL: the event has none (or null) */
	uint32_t n_values;
	struct str host;
};

/* The state of one group after an event, for explanation and tests. Views until the callback returns. */
struct corr_trace {
	uint32_t rule;               /* the correlation, in the rule set */
	struct etime time;
	const struct named *group;
	uint32_t n_group;
	uint64_t events;             /* in the window */
	double value;                /* what the condition compares: count, distinct, sum, average, percentile, rules seen */
	bool holds;
	bool opened;                 /* this event opened a finding */
};

struct correlate_options {
	size_t state_memory;         /* bytes; 0 = 256 MiB. Below 1 MiB is taken as 1 MiB */
	const char *temp_dir;        /* evidence is kept in an unnamed file made there, 64 bytes a reference; NULL: within state_memory */
	bool every;                  /* a finding at each event at which the condition holds */
	bool announce;               /* hand a finding out when it opens (final == false) and again when it closes */
	enum corr_missing missing;
	int64_t lateness_ns;         /* > 0: events may come out of order by so much; they wait for the watermark. 0: they come in order */
	bool detectors;              /* run the native detectors over authentication events (correlate/detect.h) */
	const struct known_sources *known_sources; /* of the detectors; may be NULL */
	/* Takes a finding; a view until it returns. */
	void (*put)(void *arg, const struct finding *finding, bool final);
	void (*trace)(void *arg, const struct corr_trace *trace); /* may be NULL */
	void *arg;
};

struct correlate;
/* NULL and *f when memory or the file in temp_dir cannot be had, or a correlation passes a limit (FAULT_LIMIT: 64 rules in one, chains deeper than 16). */
struct correlate *correlate_new(const struct rule_set *rules, const struct correlate_options *options, struct fault *f);
/* The same over rules made by hand: rules[i]->index == i. */
struct correlate *correlate_new_over(const struct rule *const *rules, uint32_t n_rules, const struct correlate_options *options, struct fault *f);
void correlate_free(struct correlate *c);

/* Whether hits of the rule are wanted at all, and which fields of its events: rule->keep, and what native detectors ask for.
 * Immutable after correlate_new: any thread. The array lives as long as the correlator. */
bool correlate_wants(const struct correlate *c, uint32_t rule);
const struct str *correlate_keep(const struct correlate *c, uint32_t rule, uint32_t *ret_n);

/* One hit. Events without time are counted (corr_stats.untimed) and go no further; so are those that come later than order or
 * watermark allow (corr_stats.late). Everything in *e is copied as needed. */
void correlate_hit(struct correlate *c, const struct corr_event *e);
/* The same for several in order, which is up to twice as fast with many groups: what they touch is fetched ahead. */
void correlate_hits(struct correlate *c, const struct corr_event *events, size_t n);
/* Time has passed without events (live): closes findings whose window has emptied by `now`, moves the watermark. */
void correlate_advance(struct correlate *c, struct etime now);
/* The end: releases what waits for the watermark and closes every open finding, in order of time. */
void correlate_finish(struct correlate *c);

struct corr_stats {
	uint64_t hits;               /* taken */
	uint64_t untimed, late;      /* not taken, see correlate_hit */
	uint64_t missing;            /* (event, correlation) pairs dropped for a missing group value */
	uint64_t not_numbers;        /* values that value_sum and the like passed over */
	uint64_t findings;
	uint64_t groups, groups_peak;
	uint64_t evicted_groups;     /* dropped for memory, with their events */
	uint64_t evicted_events;
	uint64_t sketched_events;    /* counted in sketches only: their records are not cited */
	uint64_t uncited;            /* contributing records whose reference was lost for memory */
	uint64_t forced_early;       /* released before the watermark for memory */
	size_t memory, memory_peak;  /* bytes of state in use */
	/* Of the sketches: a count is never too low, and too high by at most error_count x (sketched events of that rule in the
	 * window) with probability 98 %; a distinct count has the relative standard error error_distinct, and may be too high. */
	double error_count, error_distinct;
};
/* Of the detectors; nothing when they do not run. */
void correlate_detect_stats(const struct correlate *c, struct detect_stats *ret);
/* Sentences for the coverage, after correlate_finish: what the detectors took for normal, and why. Live as long as the correlator. */
const struct str *correlate_notes(const struct correlate *c, uint32_t *ret_n);
void correlate_stats(const struct correlate *c, struct corr_stats *ret);
