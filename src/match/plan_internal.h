/* plan: what the matcher knows of the rules. Internal to the room. */
#pragma once
#include <pthread.h>
#include "base/map.h"
#include "match/leaf_internal.h"
#include "match/match.h"
#include "match/scanner_internal.h"
#include "text/regex.h"

/* Programs for single shapes are made until these are reached; what comes later runs generic programs, which are right as well. */
enum { PLAN_MAX_PROGRAMS = 8192, PLAN_MAX_SHAPED = 4096, PLAN_PROGRAM_BYTES = 64 << 20 };
/* plan_options.engine: no programs at all, rules are walked as they are written. For tests. */
enum { PLAN_ENGINE_WALK = 4 };

/* Detection rules of one log source, by index. */
struct route {
	struct logsource ls;
	VEC(uint32_t) rules;
};

struct program;
struct plan {
	struct plan_options options;
	const struct rule *const *rules; /* [n_rules], by index */
	uint32_t n_rules;
	bool *used;                      /* [n_rules]: in a route */
	VEC(struct route) routes;
	struct guess *guess;
	enum scan_engine engine;
	uint64_t serial;                 /* tells plans apart, also those that are gone */
	/* Under `lock`: programs, by the content of what they were made for. A published program is read without the lock. */
	pthread_mutex_t lock;
	struct map fields;               /* names that rules and bindings know; other columns do not matter to a program */
	struct map program_index;        /* key -> index in `programs` */
	struct program *programs[PLAN_MAX_PROGRAMS]; /* NULL: could not be made */
	uint32_t n_programs;
	size_t program_bytes;
	/* Under `regex_lock`: regexes compiled so far, by flags and pattern. */
	pthread_mutex_t regex_lock;
	struct map regex_index;
	VEC(struct regex *) regexes;
};

/* What a shape's memo also says once it is asked, for the program that it names: whether the sift text stands for all keywords (its constants have
 * none of them), and whether there is nothing but the raw text that keywords look at. */
enum { SHAPE_ASKED = 1 << 17, SHAPE_SIFTED = 1 << 18, SHAPE_RAW_ONLY = 1 << 19 };

/* The compiled regex of a LEAF_REGEX, made at first use; NULL when it does not compile (the loader refuses such rules). Any thread. */
const struct regex *plan_regex(struct plan *p, const struct leaf *l);
/* VERDICT_UNDECIDED when the work limit was reached, or without a regex. */
enum verdict regex_verdict(const struct regex *re, struct str text);


/* slow.c: the event against all rules as they are written; where no program can be had, and to check programs against.
 * Appends to `ret` (room for all rules) and counts; ordered by rule. */
uint32_t slow_run(struct plan *p, struct event *ev, struct arena *scratch, struct hit *ret, struct rule_coverage *coverage);
struct arena *matcher_scratch(struct matcher *m);
struct plan *matcher_plan(struct matcher *m);
/* details.c: what made rules hold in events that are remembered (recall_internal.h). */
struct details_memo;
struct details_memo *details_memo_new(void);
void details_memo_free(struct details_memo *m);
/* *ret_serial: of what is remembered of the event that was run last, 0 when nothing is; *ret_asked: the columns it says all of. */
struct details_memo *matcher_met(struct matcher *m, const struct column_set **ret_asked, uint64_t *ret_serial);
