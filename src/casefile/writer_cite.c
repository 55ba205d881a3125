/* writer_cite.c: from an evidence reference to leaves of a record tree, their bytes kept, and the proofs for them.
 *
 * References of this step are resolved by the trees of its sources; references to sources of earlier steps (CASE_OLD_SOURCE) rest
 * on records that are kept already, and are resolved among them. */
#include "casefile/writer_internal.h"
#include <inttypes.h>

static bool wrong_bytes(struct case_writer *w, const struct evidence_ref *e, struct fault *f)
{
	(void)w;
	fault_set(f, FAULT_VERIFY, "the %" PRIu64 " bytes at offset %" PRIu64 " are not those that were read: the source changed during the scan", e->length, e->offset);
	return false;
}

static bool prepare_once(struct case_writer *w, sqlite3_stmt **s, const char *sql, struct fault *f)
{
	if (*s) return true;
	*s = case_db_prepare(w->db, sql, f);
	return *s != NULL;
}

/* SQLITE_ROW: the leaf is kept, its bytes are appended to `out` when that is not NULL. */
static int kept_leaf(struct case_writer *w, int64_t source, uint64_t leaf, struct buf *out, struct fault *f)
{
	if (!prepare_once(w, &w->find_record, "SELECT id FROM record WHERE source = ? AND leaf = ?", f) ||
		!prepare_once(w, &w->record_bytes, "SELECT bytes FROM record WHERE source = ? AND leaf = ?", f)) return SQLITE_ERROR;
	sqlite3_stmt *s = out ? w->record_bytes : w->find_record;
	sqlite3_bind_int64(s, 1, source);
	sqlite3_bind_int64(s, 2, (int64_t)leaf);
	int code = sqlite3_step(s);
	if (code == SQLITE_ROW && out) buf_str(out, case_column_str(s, 0));
	else if (code != SQLITE_ROW && code != SQLITE_DONE) case_db_fault(w->db, f, "record");
	sqlite3_reset(s);
	return code;
}

/* Keeps a leaf of this step's source, unless it is; its bytes are appended to w->scratch. */
static bool keep_leaf(struct case_writer *w, uint32_t number, struct written_source *src, uint64_t leaf, struct source_leaf *ret, struct fault *f)
{
	if (!source_tree_leaf(src->tree, leaf, ret, f)) return false;
	int code = kept_leaf(w, src->id, leaf, &w->scratch, f);
	if (code != SQLITE_DONE) return code == SQLITE_ROW;
	size_t from = w->scratch.n;
	if (!w->fetch.bytes || !w->fetch.bytes(w->fetch.arg, number, ret->offset, ret->length, &w->scratch, f)) return false;
	if (w->scratch.n - from != ret->length) {
		fault_set(f, FAULT_VERIFY, "the source became shorter during the scan");
		return false;
	}
	uint8_t digest[SHA256_SIZE];
	sha256_of(w->scratch.p + from, ret->length, digest);
	if (!row_begin(w, CASE_RECORD, f)) return false;
	row_int(w, src->id);
	row_int(w, (int64_t)leaf);
	row_int(w, (int64_t)ret->offset);
	row_int(w, (int64_t)ret->length);
	row_blob(w, digest, sizeof digest);
	row_blob(w, ret->salt, SALT_SIZE);
	row_blob(w, w->scratch.p + from, ret->length);
	return row_end(w, f);
}

/* The reference's bytes, put together from its leaves (for lines with the LFs between), are the ones that were read. */
static bool check_slice(struct case_writer *w, const struct evidence_ref *e, uint64_t first_offset, struct fault *f)
{
	uint8_t digest[SHA256_SIZE];
	uint64_t skip = e->offset - first_offset;
	if (e->offset < first_offset || skip > w->scratch.n || e->length > w->scratch.n - skip) return wrong_bytes(w, e, f);
	sha256_of(w->scratch.p + skip, e->length, digest);
	return !memcmp(digest, e->sha256, sizeof digest) || wrong_bytes(w, e, f);
}

static bool cite_new(struct case_writer *w, const struct evidence_ref *e, struct cited *ret, struct fault *f)
{
	struct written_source *src = e->source < w->sources.n ? &w->sources.v[e->source] : NULL;
	if (!src || !src->tree || src->known) {
		fault_set(f, FAULT_STATE, "evidence names source %u, which was not read in this step", e->source);
		return false;
	}
	uint64_t first, n, first_offset = 0, gap = source_tree_framing(src->tree) == FRAMING_LINES;
	if (!source_tree_cover(src->tree, e->offset, e->length, &first, &n, f)) return false;
	w->scratch.n = 0;
	for (uint64_t i = 0; i < n; i++) {
		struct source_leaf l;
		if (i && gap) buf_byte(&w->scratch, '\n');
		if (!keep_leaf(w, e->source, src, first + i, &l, f)) return false;
		if (!i) first_offset = l.offset;
	}
	*ret = (struct cited){src->id, first, n};
	return check_slice(w, e, first_offset, f);
}

struct kept { uint64_t leaf, offset, length; };
/* The kept record of the source with the smallest leaf >= `leaf`; false when there is none. */
static bool kept_from(struct case_writer *w, int64_t source, uint64_t leaf, bool backwards, struct kept *ret)
{
	static const char forward[] = "SELECT leaf, offset, length FROM record WHERE source = ?1 AND leaf >= ?2 ORDER BY leaf LIMIT 1";
	static const char backward[] = "SELECT leaf, offset, length FROM record WHERE source = ?1 AND leaf <= ?2 ORDER BY leaf DESC LIMIT 1";
	sqlite3_stmt *s = case_db_prepare(w->db, backwards ? backward : forward, NULL);
	if (!s) return false;
	sqlite3_bind_int64(s, 1, source);
	sqlite3_bind_int64(s, 2, (int64_t)leaf);
	bool ok = sqlite3_step(s) == SQLITE_ROW;
	if (ok) *ret = (struct kept){(uint64_t)sqlite3_column_int64(s, 0), (uint64_t)sqlite3_column_int64(s, 1), (uint64_t)sqlite3_column_int64(s, 2)};
	sqlite3_finalize(s);
	return ok;
}

/* Among the kept records of an older source, in order of leaf and so of offset: the last that begins at or before `offset`. */
static bool last_kept(struct case_writer *w, int64_t source, uint64_t offset, struct kept *ret)
{
	uint64_t lo = 0, hi = INT64_MAX;
	bool found = false;
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;
		struct kept k;
		if (kept_from(w, source, mid, false, &k) && k.offset <= offset) {
			*ret = k;
			found = true;
			lo = k.leaf + 1;
		} else {
			hi = mid;
		}
	}
	return found;
}

static bool cite_old(struct case_writer *w, const struct evidence_ref *e, struct cited *ret, struct fault *f)
{
	int64_t source = e->source - CASE_OLD_SOURCE;
	struct kept k = {0};
	bool any = last_kept(w, source, e->offset, &k), found = any;
	uint64_t start = k.leaf, end = e->offset + e->length;
	/* A leaf that holds all of it: this one, or one around it. */
	for (struct kept k2 = k; found; found = kept_from(w, source, k2.leaf - 1, true, &k2)) {
		if (k2.offset + k2.length >= end) {
			w->scratch.n = 0;
			*ret = (struct cited){source, k2.leaf, 1};
			return kept_leaf(w, source, k2.leaf, &w->scratch, f) == SQLITE_ROW && check_slice(w, e, k2.offset, f);
		}
		if (!k2.leaf || start - k2.leaf > 8192) break;
	}
	/* Or a run of lines from here on. */
	uint64_t reach = k.offset, first_offset = k.offset;
	w->scratch.n = 0;
	for (uint64_t leaf = start; any; leaf++) {
		if (!kept_from(w, source, leaf, false, &k) || k.leaf != leaf || k.offset > reach + (leaf > start)) break;
		if (k.offset > reach) buf_byte(&w->scratch, '\n');
		if (kept_leaf(w, source, leaf, &w->scratch, f) != SQLITE_ROW) return false;
		reach = k.offset + k.length;
		if (reach < end) continue;
		*ret = (struct cited){source, start, leaf - start + 1};
		return check_slice(w, e, first_offset, f);
	}
	fault_set(f, FAULT_STATE, "evidence names bytes of source %" PRId64 " that the case does not hold", source);
	return false;
}

bool writer_cite(struct case_writer *w, const struct evidence_ref *e, struct cited *ret, struct fault *f)
{
	return e->source >= CASE_OLD_SOURCE ? cite_old(w, e, ret, f) : cite_new(w, e, ret, f);
}

void writer_ref_json(const struct evidence_ref *e, const struct cited *c, struct buf *out)
{
	buf_printf(out, "[%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%u,%" PRIu64 ",%" PRIu64 ",\"%s\",%d]", c->source, e->offset, e->length, e->line, c->leaf, c->leaves,
		e->role == EVIDENCE_CONTEXT ? "context" : "record", e->recovered);
}

/* --- proofs ----------------------------------------------------------------------------------------------------- */

enum { PART = 64 << 10 };
struct proof_writer {
	struct case_writer *w;
	sqlite3_stmt *marks;
	int64_t source, part;
	struct buf hashes;
	struct fault *f;
};

static bool next_mark(void *arg, uint64_t *index)
{
	struct proof_writer *p = arg;
	if (sqlite3_step(p->marks) != SQLITE_ROW) return false;
	*index = (uint64_t)sqlite3_column_int64(p->marks, 0);
	return true;
}

static bool flush(struct proof_writer *p)
{
	if (!row_begin(p->w, CASE_PROOF, p->f)) return false;
	row_int(p->w, p->source);
	row_int(p->w, p->part++);
	row_blob(p->w, p->hashes.p, p->hashes.n);
	p->hashes.n = 0;
	return row_end(p->w, p->f);
}

static bool take_hash(void *arg, const struct hash *h)
{
	struct proof_writer *p = arg;
	buf_put(&p->hashes, h->b, sizeof h->b);
	return p->hashes.n < PART || flush(p);
}

static bool prove_source(struct case_writer *w, const struct written_source *src, sqlite3_stmt *marks, struct fault *f)
{
	struct proof_writer p = {w, marks, src->id, 0, {0}, f};
	struct hash root, want = source_tree_root(src->tree);
	sqlite3_reset(marks);
	sqlite3_bind_int64(marks, 1, src->id);
	/* A source without cited records needs no proof. */
	bool any = sqlite3_step(marks) == SQLITE_ROW;
	sqlite3_reset(marks);
	if (!any) return true;
	bool ok = source_tree_prove(src->tree, next_mark, &p, take_hash, &p, &root, f) && (p.part && !p.hashes.n ? true : flush(&p));
	if (ok && !hash_eq(&root, &want)) {
		fault_set(f, FAULT_STATE, "the proof of source %" PRId64 " does not give its root", src->id);
		ok = false;
	}
	sqlite3_reset(marks);
	buf_done(&p.hashes);
	return ok;
}

bool writer_proofs(struct case_writer *w, struct fault *f)
{
	sqlite3_stmt *marks = case_db_prepare(w->db, "SELECT leaf FROM record WHERE source = ? ORDER BY leaf", f);
	bool ok = marks != NULL;
	for (size_t i = 0; ok && i < w->sources.n; i++)
		if (w->sources.v[i].tree && !w->sources.v[i].known) ok = prove_source(w, &w->sources.v[i], marks, f);
	sqlite3_finalize(marks);
	return ok;
}
