/* verify: cases, bundles and sources checked again, by somebody who believes nothing. The front door of the room.
 *
 * Nothing is printed: what is found goes to a sink, line by line, in the order in which it is met; the result counts it. A wrong
 * byte is data here, not a fault: faults are for what keeps verification from being done at all. One thread. */
#pragma once
#include "casefile/casefile.h"
#include "event/reader.h"

/* What became of a finding when it was derived again from the cited bytes and the pinned rule text. */
enum verify_answer {
	VERIFY_DERIVED,       /* it comes out again */
	VERIFY_PART,          /* the condition holds on the cited part; the total is unproven */
	VERIFY_NEEDS_SOURCES, /* cannot be said without the sources: absence, baselines */
	VERIFY_FAILED,        /* it does not follow, or what it rests on does not check out */
	VERIFY_NOT_TRIED      /* nobody was there to derive it (no rederiver); what it rests on checks out */
};
enum { VERIFY_ANSWERS = 5 };
const char *verify_answer_word(enum verify_answer a);

/* --- deriving again: given by whoever has readers and a matcher --------------------------------------------------------- */

struct verify_rule { int64_t id; uint32_t n; struct str rule_id, text; bool correlation; struct str file; };
/* One cited range with its bytes (whole, as in its source). */
struct verify_evidence {
	int64_t source;                   /* id of its row */
	struct str path, format, parameters;
	uint64_t offset, length;
	uint32_t line;
	enum evidence_role role;
	struct str bytes;
	bool recovered;                   /* what it says may have been read with parts of the source that are not cited */
};
struct verify_finding {
	int64_t id, run;
	int64_t rule;                     /* id of its row; 0 = none */
	struct str kind, level, time, title, host, channel, matched, fields, groups, first, last, extra; /* as in doc/format-case.md */
	int64_t event_id, record_id;      /* -1: null */
	uint64_t count, evidence_total;
	bool has_root;
	const struct verify_evidence *evidence;
	uint32_t n_evidence;
};
struct verify_rederiver {
	void *arg;
	/* A run and its rules, before its first finding. `db`: the case, or the bundle's rows in a database of the same form. Views live until
	 * verification ends. False: findings of it are NOT_TRIED. */
	bool (*run)(void *arg, sqlite3 *db, int64_t run, struct str settings, const struct verify_rule *rules, uint32_t n_rules);
	/* `why`: a sentence for PART, NEEDS_SOURCES and FAILED, may stay empty. */
	enum verify_answer (*finding)(void *arg, const struct verify_finding *x, char why[200]);
};

/* --- the originals: given by whoever can open files and members of archives ------------------------------------------------ */

struct verify_sources {
	void *arg;
	/* Opens the original of a source, hashed in one pass. `member`: its place in its container, where names may repeat; -1: in none. False
	 * and *f (FAULT_NOT_FOUND: not there). */
	bool (*open)(void *arg, struct str path, int64_t member, struct input *ret, struct fault *f);
	const struct salt_key *key;       /* NULL: hashes and slices are checked, roots are not */
};

/* What an original turned out to be. */
enum verify_original_is { ORIGINAL_SAME, ORIGINAL_OTHER, ORIGINAL_MISSING, ORIGINAL_UNHASHED /* the scan could not read it to its end */ };
struct verify_original { int64_t id; enum verify_original_is is; };
/* Whether the source's original is there and unchanged; v by ascending id. */
bool verify_original_same(const struct verify_original *v, size_t n, int64_t id);
/* How much of a step was scanned again: nothing (it scanned nothing either); what is still there; all. */
enum verify_again { AGAIN_NOTHING, AGAIN_PART, AGAIN_WHOLE };
/* Whoever can scan, to find out whether the totals are what a rescan gives (only of whole cases). */
struct verify_rescan {
	void *arg;
	/* Repeats the case's scans, with the rules and settings of their runs, over the originals that are the SAME, into another case with the
	 * same steps and runs, in which a source has the `number` that it has in the case. steps[step]: [*n_steps + 1], to be freed by the
	 * caller. With the salt key of the case, if there is one, else any (*ret_salted: false). False and *f when it cannot be done. */
	bool (*run)(void *arg, struct case_file *c, const struct verify_original *v, size_t n, struct case_file *ret_again, enum verify_again **ret_steps,
		size_t *ret_n_steps, bool *ret_salted, struct fault *f);
	/* Closes it and takes it away. */
	void (*done)(void *arg, struct case_file *again);
	struct str tool;                  /* as a run of this program would name itself */
};

/* --- what comes out -------------------------------------------------------------------------------------------------- */

enum verify_kind {
	VERIFY_LINE_PROBLEM,   /* something does not check out: table and id say what (id 0: the file as a whole) */
	VERIFY_LINE_FINDING,   /* a finding's answer */
	VERIFY_LINE_SEAL,      /* a seal, statement or signature that holds */
	VERIFY_LINE_NOTE       /* what was not checked, and why */
};
struct verify_line {
	enum verify_kind kind;
	const char *table;         /* of the case; NULL where there is none */
	int64_t id;
	enum verify_answer answer; /* VERIFY_LINE_FINDING */
	struct str text;           /* a sentence without full stop; may be empty for findings */
	struct str about;          /* VERIFY_LINE_FINDING: its title and time, for people */
};
struct verify_options {
	const struct policy *policy;          /* NULL: none demanded */
	const char *authorities;              /* PEM file of timestamp authorities; NULL: chains are not checked */
	const struct verify_rederiver *rederiver;
	const struct verify_sources *sources; /* NULL: without the originals */
	const struct verify_rescan *rescan;   /* with sources; NULL: nothing is scanned again */
	const char *temp_dir;
	void *arg;
	void (*line)(void *arg, const struct verify_line *line); /* may be NULL */
};
struct verify_result {
	uint64_t rows, records, findings, seals;
	uint64_t problems;
	uint64_t answers[VERIFY_ANSWERS];
	bool sealed;                          /* a checkpoint covers all findings */
	bool policy_met;                      /* what the policy demands is there; true without policy */
	uint64_t sources_checked, sources_missing;
	bool rescanned;                       /* all of the sources, and everything came out as recorded */
	bool not_rescanned;                   /* it was wanted and could not be done */
	uint64_t differences;                 /* of a rescan by another program than the one that scanned: no problems, but not the same either */
};
/* The verdict in a word and what an exit status is made of: "holds", "holds in part" (answers PART, NEEDS_SOURCES, sources missing, or
 * another program's rescan differs), "failed" (problems, FAILED answers, policy not met). */
enum verify_verdict { VERIFY_HOLDS, VERIFY_HOLDS_IN_PART, VERIFY_FAILS };
enum verify_verdict verify_verdict(const struct verify_result *r);
const char *verify_verdict_word(enum verify_verdict v);

/* False and *f when it cannot be verified at all: not a case (FAULT_UNSUPPORTED), incomplete or being written (FAULT_STATE), unreadable;
 * FAULT_CORRUPT: changed so badly that SQLite or the header check refuse it. *ret is filled as far as it got. */
bool verify_case(const char *path, const struct verify_options *o, struct verify_result *ret, struct fault *f);

/* --- disclosure ------------------------------------------------------------------------------------------------------ */

/* A run of leaves of one source, for a proof that nothing lies between. */
struct disclose_range { int64_t source; uint64_t first, n; };
struct disclose_options {
	const int64_t *findings;
	size_t n_findings;
	const struct disclose_range *ranges;  /* need `sources` with a key */
	size_t n_ranges;
	const struct verify_sources *sources;
};
/* A bundle (doc/format-bundle.md) with these findings, everything they rest on, proofs, the newest seal that covers them. The case is
 * believed: verify it before. False and *f (FAULT_NOT_FOUND: no such finding; FAULT_STATE: a range without key or source). */
bool disclose(struct case_file *c, const struct disclose_options *o, struct buf *ret, struct fault *f);
/* As verify_case. `bytes`: the bundle. */
bool verify_bundle(struct str bytes, const struct verify_options *o, struct verify_result *ret, struct fault *f);
/* Whether a file looks like a bundle rather than a case. */
bool verify_is_bundle(struct str head);
