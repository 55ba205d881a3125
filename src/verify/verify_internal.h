/* verify_internal: what the files of the room share. */
#pragma once
#include "base/alloc.h"
#include "base/map.h"
#include "verify/verify.h"
#include <inttypes.h>
#include <stdio.h>

struct prefix { uint64_t size; struct hash root; };

/* A record's leaf hash, kept until the proofs of its step come by. */
struct leaf_of { int64_t source; uint64_t leaf; struct hash hash; };

struct source_seen {
	int64_t id;
	uint64_t leaves, size;
	struct hash root;
	bool has_root, has_sha256;
	uint8_t sha256[32];
	struct str path, format, framing, parameters; /* in the walk's arena */
	int64_t step;
	uint64_t number;
	int64_t same_as;
	int64_t member;                               /* -1: in no container, whose SHA-256 else is */
	uint8_t container_sha256[32];
};
struct rule_seen { int64_t id, run, n, text; struct str rule_id; bool correlation; struct str title; };
struct run_seen { int64_t id; struct hash root; int64_t rules; struct str settings; bool begun, can_derive; struct merkle texts; VEC(struct verify_rule) rule_list; };
struct text_seen { int64_t id; struct str bytes; };

/* A finding's answer that is told after the rescan. */
struct put_off { int64_t id; enum verify_answer answer; struct str why, about; };

/* The element of an array with ascending ids; NULL when it is not there. */
#define seen_by_id(array, wanted) ((__typeof__((array)->v))seen_find((array)->v, (array)->n, sizeof *(array)->v, offsetof(__typeof__(*(array)->v), id), (wanted)))
void *seen_find(const void *v, size_t n, size_t size, size_t id_at, int64_t id);

struct verify_walk {
	const struct verify_options *o;
	struct verify_result *r;
	struct case_file *c;
	struct arena arena;
	sqlite3 *db;
	bool partial;                     /* a bundle: not all rows are there */
	struct case_tree tree;
	VEC(struct prefix) prefixes;      /* the tree up to and including each step row */
	uint64_t content_end;             /* leaves up to the last row that is neither custody nor signature */
	VEC(struct source_seen) sources;  /* these four: by id, ascending; see seen_by_id */
	VEC(struct run_seen) runs;
	VEC(struct rule_seen) rules;
	VEC(struct text_seen) texts;
	VEC(struct leaf_of) leaves;       /* of the step at hand */
	size_t leaf_at;                   /* proven so far */
	bool leaves_sorted;
	int64_t proof_source, proof_part;
	struct buf proof;
	int64_t step;
	sqlite3_stmt *evidence, *record;
	struct map superseded;            /* id of a finding -> step that replaced it */
	struct buf scratch;
	struct str container;             /* looked at last, in check_sources */
	enum verify_original_is container_is;
	uint64_t left_to_rescan;          /* members of archives that only the rescan looks at */
	VEC(struct put_off) put_off;      /* answers that a rescan may better, when there will be one */
};

/* Reports; counts problems. */
void verify_say(const struct verify_options *o, struct verify_result *r, enum verify_kind kind, const char *table, int64_t id, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
#define walk_problem(w, row, ...) verify_say((w)->o, (w)->r, VERIFY_LINE_PROBLEM, case_table_name((row)->table), (row)->id, __VA_ARGS__)

/* Columns of a row by their place in the schema (0 id, 1 step). */
static inline int64_t row_int_at(const struct case_row *row, int column) { return sqlite3_column_int64(row->values, column); }
static inline struct str row_str_at(const struct case_row *row, int column) { return case_column_str(row->values, column); }
static inline bool row_null_at(const struct case_row *row, int column) { return sqlite3_column_type(row->values, column) == SQLITE_NULL; }

/* verify.c: a row whose tree position has been dealt with. `before`: the tree before it, for steps (NULL in a bundle). */
void walk_row(struct verify_walk *w, const struct case_row *row, const struct prefix *before);
void walk_free(struct verify_walk *w);
/* walk_records.c */
void walk_record(struct verify_walk *w, const struct case_row *row);
void walk_proof(struct verify_walk *w, const struct case_row *row);
/* All proofs of the step have been seen. */
void walk_proofs_done(struct verify_walk *w);
/* walk_findings.c */
bool walk_findings_begin(struct verify_walk *w, struct fault *f);
/* Before the rows are walked: which findings later steps replaced. */
bool walk_superseded(struct verify_walk *w, struct fault *f);
void walk_finding(struct verify_walk *w, const struct case_row *row);
void walk_hit(struct verify_walk *w, const struct case_row *row);
/* seals.c */
bool check_seals(struct verify_walk *w, struct fault *f);
/* One checkpoint with its cosignatures and timestamps. */
struct seal_parts {
	struct str checkpoint;             /* a whole note: text and the log's line */
	struct str cosignatures;           /* lines */
	struct { struct str request, response; } stamps[16];
	uint32_t n_stamps;
};
/* Reports everything the seal says that does not need the tree; *ret_text is what was signed. False when it is no sound checkpoint. */
bool check_seal(const struct verify_options *o, struct verify_result *r, const char *table, int64_t id, const struct seal_parts *s, const struct key_public *hint,
	struct checkpoint *ret, bool *ret_policy_met);
/* sources.c: *ret_v [*ret_n]: what each original is, by id; to be freed by the caller. */
void check_sources(struct verify_walk *w, struct verify_original **ret_v, size_t *ret_n);
/* compare.c: scans again and compares; then tells the answers that were put off. */
void check_again(struct verify_walk *w, const struct verify_original *v, size_t n);
/* walk_findings.c */
void tell_answer(struct verify_walk *w, int64_t finding, enum verify_answer a, struct str why, struct str about);

/* The bytes of [offset, offset + length) from a run of leaves; false when they do not hold them. gap: one LF between. */
bool slice_of(const struct buf *joined, uint64_t first_offset, uint64_t offset, uint64_t length, struct str *ret);
