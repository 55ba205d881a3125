/* schema: the tables of a case file, and doors to the database that trust nothing. What the tables mean: doc/format-case.md.
 * For the rooms casefile and verify. A connection belongs to one thread. */
#pragma once
#include "base/buf.h"
#include "base/fault.h"
#include <sqlite3.h>

enum { CASE_APPLICATION_ID = 0x45584243, CASE_VERSION = 1, CASE_PAGE_SIZE = 8192 };

/* The tables whose rows are leaves, in the order of the case's tree. */
enum case_table {
	CASE_STEP, CASE_INFO, CASE_RUN, CASE_INPUT, CASE_RULE_TEXT, CASE_RULE, CASE_REFUSED, CASE_SOURCE, CASE_SEEN, CASE_UNREAD, CASE_DAMAGE,
	CASE_REMARK, CASE_COVERAGE, CASE_RULE_COVERAGE, CASE_TOTAL, CASE_RECORD, CASE_PROOF, CASE_EVIDENCE, CASE_FINDING, CASE_HIT,
	CASE_SUPERSEDED, CASE_SEAL, CASE_STATEMENT, CASE_SIGNATURE, CASE_TABLES
};
const char *case_table_name(enum case_table t);

/* Makes all tables and triggers in an empty database. False and *f. */
bool schema_create(sqlite3 *db, struct fault *f);
/* The database has exactly this schema, ids and flags. FAULT_UNSUPPORTED (another version, not a case) or FAULT_CORRUPT. */
bool schema_check(sqlite3 *db, struct fault *f);
/* SHA-256 over the schema's rows, for verifiers in other languages; hex into out. */
void schema_digest(struct buf *out);

/* A connection with everything hostile switched off: no extensions, DEFENSIVE, untrusted schema, limits on what SQL may do.
 * uri: a file: URI. NULL and *f. */
sqlite3 *case_db_open(const char *uri, int flags, struct fault *f);
/* Fills *f from the connection's error; always false, for `return`. */
bool case_db_fault(sqlite3 *db, struct fault *f, const char *doing);
bool case_db_run(sqlite3 *db, const char *sql, struct fault *f);
/* The one integer a query gives. */
bool case_db_int(sqlite3 *db, const char *sql, int64_t *ret, struct fault *f);
sqlite3_stmt *case_db_prepare(sqlite3 *db, const char *sql, struct fault *f);
/* Views of a row's columns, valid until the next step. */
struct str case_column_str(sqlite3_stmt *s, int column);
/* file: URI for a path, with every byte that means something in a URI escaped. */
void case_uri(const char *path, const char *query, struct buf *out);
