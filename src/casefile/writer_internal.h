/* writer_internal: what the files of a case's writer share. */
#pragma once
#include "casefile/casefile.h"
#include "base/alloc.h"
#include "base/map.h"
#include <pthread.h>

struct written_source {
	int64_t id;
	bool known;              /* an earlier step of this run has read the same bytes */
	struct source_tree *tree;
};
struct written_rule { int64_t id; };

struct case_writer {
	sqlite3 *db;
	char *path;
	int lock;
	bool small;              /* a small step: no run, no sources */
	struct salt_key key;
	struct case_state state; /* as the last step left it */
	int64_t step;
	struct case_fetch fetch;
	sqlite3_stmt *insert[CASE_TABLES];
	int64_t next_id[CASE_TABLES];
	int column;              /* of the row being put together */
	enum case_table table;
	struct buf scratch, text;
	/* the run */
	int64_t run;
	bool run_is_new;
	VEC(struct written_rule) rules;
	VEC(struct written_source) sources;
	struct leaf_store *leaves;
	pthread_mutex_t leaves_lock;
	struct fault leaves_fault;
	struct map known_sources;   /* sha256 -> source id: read by this run before */
	struct map correlations;    /* digest -> finding id: of this run, from earlier steps */
	uint8_t *kept;              /* [correlations.n]: handed over again */
	bool correlations_loaded;
	sqlite3_stmt *find_record, *record_bytes, *next_record;
};

/* A row: begin, put its columns in the schema's order, end. row_end is false and fills *f when the database refuses. */
bool row_begin(struct case_writer *w, enum case_table t, struct fault *f);
void row_int(struct case_writer *w, int64_t v);
void row_null(struct case_writer *w);
void row_text(struct case_writer *w, struct str s);
void row_str_or_null(struct case_writer *w, struct str s);
void row_time(struct case_writer *w, struct etime t);
void row_blob(struct case_writer *w, const void *p, size_t n);
bool row_end(struct case_writer *w, struct fault *f);
/* The id of the row begun last. */
static inline int64_t row_id(const struct case_writer *w, enum case_table t) { return w->next_id[t] - 1; }

/* An evidence reference resolved: which source row, which leaves; their rows are in `record`. */
struct cited { int64_t source; uint64_t leaf, leaves; };
bool writer_cite(struct case_writer *w, const struct evidence_ref *e, struct cited *ret, struct fault *f);
/* Canonical JSON array [source, offset, length, line, leaf, leaves, role, recovered]. */
void writer_ref_json(const struct evidence_ref *e, const struct cited *c, struct buf *out);
/* One multiproof a source with new records. */
bool writer_proofs(struct case_writer *w, struct fault *f);
