/* rows: the rows of a case as canonical text, in the order of its tree, and the tree over them (doc/format-case.md, section 2).
 * For the rooms casefile and verify. One thread. */
#pragma once
#include "casefile/schema.h"
#include "evidence/evidence.h"

struct case_row {
	enum case_table table;
	int64_t id, step;
	struct str text;      /* canonical JSON; until the next call */
	sqlite3_stmt *values; /* the row itself: SELECT * in schema order; until the next call */
};
struct case_rows;
/* Rows of all steps >= from_step. NULL and *f. */
struct case_rows *case_rows_new(sqlite3 *db, int64_t from_step, struct fault *f);
void case_rows_free(struct case_rows *r);
/* The next row. False at the end (f->kind is FAULT_NONE) or when the file cannot be read, ids have gaps, steps go back, a value
 * is of no type a case has, or text is not UTF-8 (FAULT_CORRUPT). f must not be NULL; it is reset. */
bool case_rows_next(struct case_rows *r, struct case_row *ret, struct fault *f);
/* The canonical text of the row that a SELECT * of table t stands on, appended. False: a value that no case has. */
bool case_row_print(sqlite3_stmt *row, enum case_table t, struct buf *out);
/* Column of that name of the row's table, for case_row.values; -1 = none. */
int case_row_column(const struct case_row *row, const char *name);

enum { CASE_SUMS = 1024 }; /* leaves a row of row_check */

/* The tree while rows are added. */
struct case_tree {
	struct merkle tree;
	struct salt_stream salts;
};
/* An empty tree under the case's row key. */
void case_tree_init(struct case_tree *t, const uint8_t row_key[32]);
/* The hash of the next leaf, which is added. */
struct hash case_tree_add(struct case_tree *t, struct str row_text);
/* Hash of a row with its salt: merkle_leaf(0x01 || salt || text). */
struct hash case_row_hash(const uint8_t salt[SALT_SIZE], struct str row_text);

/* The row of `state`. */
struct case_state {
	bool complete;
	uint64_t leaves;
	struct hash root;
	struct merkle frontier;
	uint8_t row_key[32];
};
bool case_state_read(sqlite3 *db, struct case_state *ret, struct fault *f);
bool case_state_write(sqlite3 *db, const struct case_state *s, struct fault *f);
/* Adds the rows of all steps >= from_step to the tree in *s and to row_check; *s is not written. */
bool case_state_grow(sqlite3 *db, int64_t from_step, struct case_state *s, struct fault *f);
