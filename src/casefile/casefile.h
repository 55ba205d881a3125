/* casefile: the case: one SQLite file that holds findings, the bytes they rest on, rules, what was not read, and who did what.
 * The front door of the room. The format: doc/format-case.md. Below: writing (a scan, further scans, small steps such as seals), reading.
 *
 * Nothing here reads a clock or the environment: times and names come in. A writer or reader belongs to one thread; the one
 * exception is case_source_tree and what is done with the trees it gives, while sources are being read. */
#pragma once
#include "casefile/rows.h"
#include "event/finding.h"
#include "event/reader.h"

/* --- writing ---------------------------------------------------------------------------------------------------- */

/* Who does what: a row of the custody log. */
struct case_step_info {
	struct str action;            /* scan, add, seal, cosign, timestamp, statement, opinion */
	struct etime time;
	struct str operator, host;    /* login name, machine */
	struct str tool;              /* "exhibit 0.1.0 (build)" */
	struct str command;           /* as typed */
	struct str note;              /* --note: why; may be empty */
};

/* How a writer gets bytes of a source that it wants to keep. False and *f when they cannot be had. */
struct case_fetch {
	bool (*bytes)(void *arg, uint32_t source, uint64_t offset, uint64_t length, struct buf *out, struct fault *f);
	void *arg;
};

struct case_writer;
/* A new case: refuses an existing file (FAULT_USAGE). `key`: the salt key (the caller has written it beside the case). The file
 * appears at once and says that it is incomplete until case_close. NULL and *f. */
struct case_writer *case_create(const char *path, const struct salt_key *key, const struct case_step_info *info, const struct case_fetch *fetch, struct fault *f);
/* An existing case, to add sources; also one whose first scan was cut off (then as if new; *ret_restarted). FAULT_VERIFY when `key` is
 * not the case's. */
struct case_writer *case_open_for_add(const char *path, const struct salt_key *key, const struct case_step_info *info, const struct case_fetch *fetch,
	bool *ret_restarted, struct fault *f);
/* An existing, complete case, for a small step. */
struct case_writer *case_open_for_step(const char *path, const struct case_step_info *info, struct fault *f);
/* Gives up: the file stays as it was (a new one: incomplete). After any failed call this is all that is left to do. */
void case_abort(struct case_writer *w);
/* Makes proofs, the tree, commits, folds the log in. Frees the writer, whatever happens. False and *f. */
bool case_close(struct case_writer *w, struct fault *f);

struct case_rule { const struct rule_info *info; struct str text; bool correlation; };
struct case_refused { struct str file, category, reason; uint32_t line, column; };
struct case_input { struct str kind, name; uint8_t sha256[SHA256_SIZE]; struct str bytes; /* p == NULL: compiled in */ };
struct case_run {
	struct str tool;
	struct str settings;          /* one JSON object, canonical, without paths of this machine */
	const struct case_rule *rules;
	uint32_t n_rules;
	const struct case_refused *refused;
	uint32_t n_refused;
	const struct case_input *inputs;
	uint32_t n_inputs;
};
/* The run that everything below belongs to: a run of the case with the same tool, settings and rules, else a new one
 * (*ret_new). Once a writer, before sources and findings. */
bool case_begin_run(struct case_writer *w, const struct case_run *run, bool *ret_new, struct fault *f);

/* The record tree for a source about to be read: feed it in the pass that hashes the source, finish it, hand it to
 * case_add_source. `number`: any number that no other source of this step has, the same in every repetition (the order
 * of sources). Any thread. */
struct source_tree *case_source_tree(struct case_writer *w, struct str format, uint64_t number, struct str path);

struct case_source {
	const struct source_info *info;
	const struct source_report *report;
	bool hashed;
	int32_t same_as;              /* index (order of case_add_source calls) of an earlier source of this step with the same bytes; -1 */
	struct str broken;            /* why reading ended early; empty */
	uint64_t number;              /* as given to case_source_tree */
	struct source_tree *tree;     /* finished; taken over; NULL: no tree (same_as, broken before the first byte) */
};
/* In the order of the scan's list: evidence_ref.source counts these calls from 0. A source whose bytes an earlier step of the
 * same run has read is listed as such: *ret_known is true, and its findings and hits need not be handed over again. */
bool case_add_source(struct case_writer *w, const struct case_source *s, bool *ret_known, struct fault *f);
bool case_add_unread(struct case_writer *w, struct str path, struct str reason, bool is_log, struct fault *f);
bool case_add_coverage(struct case_writer *w, struct str host, struct str logsource, struct etime first, struct etime last, uint64_t records, struct str detail_json,
	struct fault *f);
bool case_add_rule_coverage(struct case_writer *w, uint32_t rule, uint64_t events, uint64_t hits, uint64_t undecided, struct fault *f);
/* A count of the run: "events", "outside", "suppressed", "filtered", ... */
bool case_add_total(struct case_writer *w, const char *name, uint64_t value, struct fault *f);

/* A hit that feeds correlations, kept so that sources can be added later. */
struct case_hit {
	uint32_t rule;                /* index in the run's rules */
	struct etime time;
	struct str host;
	const struct str *values;     /* what correlations need of its event; p == NULL: absent */
	uint32_t n_values;
	const struct evidence_ref *evidence;
	uint32_t n_evidence;
};
bool case_add_hit(struct case_writer *w, const struct case_hit *h, struct fault *f);
/* A finding with its evidence; the bytes of every leaf it rests on are fetched and checked against evidence.sha256. Refused without
 * evidence (FAULT_STATE). A correlation that the same run already holds, unchanged, is not added again. */
bool case_add_finding(struct case_writer *w, const struct finding *x, struct fault *f);

/* Hits that earlier steps of this run kept, in order of time; evidence.source is offset by CASE_OLD_SOURCE: such references may be handed to
 * case_add_finding. *f as in case_rows_next. Strings live until the next call. */
enum { CASE_OLD_SOURCE = 0x80000000u };
struct case_hits;
struct case_hits *case_old_hits(struct case_writer *w, struct fault *f);
bool case_old_hits_next(struct case_hits *h, struct case_hit *ret, struct fault *f);
void case_hits_free(struct case_hits *h);
/* Says which of the run's earlier correlation findings were not handed over again in this step: they are marked superseded. To
 * be called when all findings have been added, if correlations were computed over all hits. */
bool case_supersede_rest(struct case_writer *w, struct fault *f);

/* Small steps. Ids are those of the rows; 0 = none. */
/* The checkpoint of the tree up to and including this step's own row, to be signed; origin is NAME/case id. */
bool case_step_checkpoint(struct case_writer *w, struct str key_name, struct buf *ret_text, struct fault *f);
bool case_add_seal(struct case_writer *w, const char *kind, int64_t of, uint64_t size, struct str vkey, struct str bytes, struct fault *f);
bool case_add_statement(struct case_writer *w, const char *kind, int64_t of, struct str payload_type, struct str payload, int64_t *ret_id, struct fault *f);
bool case_add_signature(struct case_writer *w, int64_t statement, struct str vkey, const uint8_t sig[64], struct fault *f);
/* The connection, to look at the case while a step is open. */
sqlite3 *case_writer_db(struct case_writer *w);
/* The run begun; 0 = none. */
int64_t case_writer_run(const struct case_writer *w);

/* --- reading ---------------------------------------------------------------------------------------------------- */

struct case_file {
	sqlite3 *db;
	struct case_state state;
	bool recovered;               /* a -wal file was left behind: this is a private copy, as SQLite recovers it */
	int lock;                     /* descriptor that holds the lock */
	char *copy;                   /* its folder, removed by case_done; NULL */
};
/* Read-only; writes nothing but, where a writer was interrupted, a private copy below temp_dir. Checks the header, flags and schema, not the
 * content (room verify does). FAULT_STATE: incomplete, or being written. */
bool case_open(const char *path, const char *temp_dir, struct case_file *ret, struct fault *f);
void case_done(struct case_file *c);
/* The chain of custody as CASE/UCO JSON-LD, appended. False and *f. */
bool case_custody_jsonld(struct case_file *c, struct buf *out, struct fault *f);
/* Sources of the case whose bytes a run never read (another run did): each path in order, and how many. False and *f. */
bool case_unseen(sqlite3 *db, int64_t run, void (*each)(void *arg, struct str path), void *arg, uint64_t *ret_n, struct fault *f);
/* The same in words, appended: "1 source: a.log", "3 sources: a.log, b.log, ..." (ten are named); nothing when it saw all. */
bool case_unseen_words(sqlite3 *db, int64_t run, struct buf *out, struct fault *f);
/* The column `matched` of a finding, appended. */
void case_matched_json(const struct match_detail *v, uint32_t n, struct buf *out);
/* X.case -> X.case.key */
void case_key_path(const char *path, struct buf *ret);
