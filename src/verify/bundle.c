/* bundle.c: a disclosure bundle checked. See verify.h and doc/format-bundle.md.
 *
 * The rows are put into a database in memory with the case's own schema (which refuses what no case can hold), written again
 * and compared with what was hashed; then they are walked by the very code that walks a case. */
#include "verify/verify_internal.h"
#include "base/map.h"
#include "text/base64.h"
#include "text/json_read.h"

enum { MAX_BUNDLE = 1 << 30, MAX_COLUMNS = 40 };

struct bundle_row { uint64_t leaf; struct str text; uint8_t salt[SALT_SIZE]; enum case_table table; int64_t id; };

struct bundle {
	struct verify_walk w;
	struct str text;
	struct json_tape tape, row_tape;
	struct arena arena;           /* decoded strings; for the life of the bundle */
	struct bundle_row *rows;
	size_t n_rows;
	uint64_t size;
	struct hash root;
	struct str case_id;
	sqlite3_stmt *insert[CASE_TABLES];
	struct str columns[CASE_TABLES][MAX_COLUMNS];
	bool is_blob[CASE_TABLES][MAX_COLUMNS];
	int n_columns[CASE_TABLES];
};

static bool broken(struct fault *f, const char *what)
{
	fault_set(f, FAULT_SYNTAX, "not a disclosure bundle: %s", what);
	return false;
}

#define bundle_problem(b, table, id, ...) verify_say((b)->w.o, (b)->w.r, VERIFY_LINE_PROBLEM, (table), (id), __VA_ARGS__)

/* --- reading members ------------------------------------------------------------------------------------------------------ */

static const struct json_token *member(const struct bundle *b, uint32_t object, const char *name, enum json_type type)
{
	const struct json_token *v = json_get(&b->tape, b->text, object, str_of(name));
	return v && v->type == type ? v : NULL;
}
static uint32_t place(const struct bundle *b, const struct json_token *t) { return (uint32_t)(t - b->tape.v); }

static bool number(const struct bundle *b, uint32_t object, const char *name, uint64_t *ret)
{
	const struct json_token *v = member(b, object, name, JSON_NUMBER);
	return v && json_to_u64(b->text, v, ret) && *ret <= INT64_MAX;
}

static bool string(struct bundle *b, uint32_t object, const char *name, struct str *ret)
{
	const struct json_token *v = member(b, object, name, JSON_STRING);
	if (!v) return false;
	*ret = json_decode(&b->arena, b->text, v);
	return ret->p != NULL;
}

static bool unbase64(struct bundle *b, const struct json_token *v, struct str *ret)
{
	struct str s = json_decode(&b->arena, b->text, v);
	char *p = s.p ? arena_alloc(&b->arena, BASE64_BYTES(s.n)) : NULL;
	size_t n;
	if (!p || !base64_decode(s, 0, p, &n)) return false;
	*ret = (struct str){p, n};
	return true;
}

static bool bytes(struct bundle *b, uint32_t object, const char *name, struct str *ret)
{
	const struct json_token *v = member(b, object, name, JSON_STRING);
	return v && unbase64(b, v, ret);
}

/* An array of base64 hashes. */
static bool hashes(struct bundle *b, uint32_t object, const char *name, struct hash **ret, size_t *ret_n)
{
	const struct json_token *v = member(b, object, name, JSON_ARRAY);
	size_t n = 0;
	if (!v) return false;
	uint32_t array = place(b, v);
	struct hash *h = arena_calloc(&b->arena, v->next - array, sizeof *h);
	for (uint32_t i = array + 1; h && i < b->tape.v[array].next; i = b->tape.v[i].next) {
		struct str s;
		if (b->tape.v[i].type != JSON_STRING || !unbase64(b, &b->tape.v[i], &s) || s.n != 32) return false;
		memcpy(h[n++].b, s.p, 32);
	}
	*ret = h;
	*ret_n = n;
	return h != NULL;
}

static bool read_root(struct bundle *b, struct fault *f)
{
	struct str hex, format;
	if (!string(b, 0, "format", &format) || !str_eq(format, STR("exhibit-bundle/1"))) {
		fault_set(f, FAULT_UNSUPPORTED, "no disclosure bundle of version 1");
		return false;
	}
	if (!number(b, 0, "size", &b->size) || !string(b, 0, "root", &hex) || hex.n != 64) return broken(f, "size and root are needed");
	for (size_t i = 0; i < 32; i++) {
		uint64_t v;
		if (!str_hex64(str_sub(hex, 2 * i, 2), &v)) return broken(f, "root is not hex");
		b->root.b[i] = (uint8_t)v;
	}
	return true;
}

static bool read_rows(struct bundle *b, struct fault *f)
{
	const struct json_token *v = member(b, 0, "rows", JSON_ARRAY);
	if (!v) return broken(f, "rows are needed");
	uint32_t array = place(b, v);
	b->rows = arena_calloc(&b->arena, v->next - array, sizeof *b->rows);
	for (uint32_t i = array + 1; b->rows && i < b->tape.v[array].next; i = b->tape.v[i].next) {
		struct bundle_row *r = &b->rows[b->n_rows++];
		struct str salt;
		if (!number(b, i, "leaf", &r->leaf) || !string(b, i, "row", &r->text) || !bytes(b, i, "salt", &salt) || salt.n != SALT_SIZE) return broken(f, "a row without leaf, row or salt");
		memcpy(r->salt, salt.p, SALT_SIZE);
		if (b->n_rows > 1 && r[-1].leaf >= r->leaf) return broken(f, "rows out of order");
	}
	return b->rows || broken(f, "too large");
}

/* --- the proof of the rows ------------------------------------------------------------------------------------------------- */

struct arrays { const struct hash *proof; size_t n_proof, at; const uint64_t *index; const struct hash *leaf; size_t n, mark; };
static bool array_mark(void *arg, uint64_t *index, struct hash *leaf)
{
	struct arrays *a = arg;
	if (a->mark == a->n) return false;
	*index = a->index[a->mark];
	*leaf = a->leaf[a->mark++];
	return true;
}
static bool array_hash(void *arg, struct hash *h)
{
	struct arrays *a = arg;
	if (a->at == a->n_proof) return false;
	*h = a->proof[a->at++];
	return true;
}

static bool gives_root(struct arrays *a, uint64_t n, const struct hash *want)
{
	struct hash root;
	struct multiproof_input in = {a, array_mark, array_hash};
	return multiproof_root(&in, n, &root) && hash_eq(&root, want);
}

static bool check_rows_proof(struct bundle *b, struct fault *f)
{
	struct hash *proof;
	struct arrays a = {.n = b->n_rows};
	uint64_t *index = arena_calloc(&b->arena, b->n_rows + 1, sizeof *index);
	struct hash *leaf = arena_calloc(&b->arena, b->n_rows + 1, sizeof *leaf);
	if (!hashes(b, 0, "proof", &proof, &a.n_proof) || !index || !leaf) return broken(f, "the proof cannot be read");
	for (size_t i = 0; i < b->n_rows; i++) {
		index[i] = b->rows[i].leaf;
		leaf[i] = case_row_hash(b->rows[i].salt, b->rows[i].text);
	}
	a.proof = proof, a.index = index, a.leaf = leaf;
	if (!gives_root(&a, b->size, &b->root)) bundle_problem(b, "rows", 0, "the rows are not in the tree whose root is stated");
	return true;
}

/* --- rows into the database ------------------------------------------------------------------------------------------------- */

static bool learn_columns(struct bundle *b, int t, struct fault *f)
{
	char sql[128];
	struct buf insert = {0};
	snprintf(sql, sizeof sql, "SELECT name, type FROM pragma_table_info('%s') ORDER BY cid", case_table_name((enum case_table)t));
	sqlite3_stmt *s = case_db_prepare(b->w.db, sql, f);
	buf_printf(&insert, "INSERT INTO %s VALUES (", case_table_name((enum case_table)t));
	while (s && sqlite3_step(s) == SQLITE_ROW && b->n_columns[t] < MAX_COLUMNS) {
		int c = b->n_columns[t]++;
		b->columns[t][c] = arena_str(&b->arena, case_column_str(s, 0));
		b->is_blob[t][c] = str_eq(case_column_str(s, 1), STR("BLOB"));
		buf_printf(&insert, "%s?", c ? "," : "");
	}
	sqlite3_finalize(s);
	buf_lit(&insert, ")");
	buf_byte(&insert, 0);
	b->insert[t] = s ? case_db_prepare(b->w.db, insert.p, f) : NULL;
	buf_done(&insert);
	return b->insert[t] != NULL;
}

static int table_of(const struct bundle *b, struct str text)
{
	const struct json_token *v = json_get(&b->row_tape, text, 0, STR("table"));
	for (int t = 0; v && v->type == JSON_STRING && t < CASE_TABLES; t++)
		if (str_eq(json_raw(text, v), str_of(case_table_name((enum case_table)t)))) return t;
	return -1;
}

static bool bind(struct bundle *b, sqlite3_stmt *s, int at, struct str text, const struct json_token *v, bool blob)
{
	int64_t i;
	struct str bytes_of;
	switch (v->type) {
	case JSON_NULL: return sqlite3_bind_null(s, at) == SQLITE_OK;
	case JSON_NUMBER: return json_to_i64(text, v, &i) && sqlite3_bind_int64(s, at, i) == SQLITE_OK;
	case JSON_STRING: {
		struct str value = json_decode(&b->arena, text, v);
		if (!value.p) return false;
		if (!blob) return sqlite3_bind_text64(s, at, value.p, value.n, SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK;
		char *p = arena_alloc(&b->arena, BASE64_BYTES(value.n));
		size_t n;
		if (!p || !base64_decode(value, 0, p, &n)) return false;
		bytes_of = (struct str){p, n};
		return sqlite3_bind_blob64(s, at, bytes_of.p, bytes_of.n, SQLITE_TRANSIENT) == SQLITE_OK;
	}
	default: return false;
	}
}

/* False when the row is nothing that a case could hold; it is named. */
static bool insert_row(struct bundle *b, struct bundle_row *r)
{
	struct fault f = FAULT_INIT;
	int64_t id;
	bool ok = json_read_all(&b->row_tape, r->text, &f);
	int t = ok ? table_of(b, r->text) : -1;
	const struct json_token *id_token = t >= 0 ? json_get(&b->row_tape, r->text, 0, STR("id")) : NULL;
	ok = id_token && json_to_i64(r->text, id_token, &id);
	for (int c = 0; ok && c < b->n_columns[t]; c++) {
		const struct json_token *v = json_get(&b->row_tape, r->text, 0, b->columns[t][c]);
		ok = v && bind(b, b->insert[t], c + 1, r->text, v, b->is_blob[t][c]);
	}
	if (ok) ok = sqlite3_step(b->insert[t]) == SQLITE_DONE;
	if (!ok) bundle_problem(b, t >= 0 ? case_table_name((enum case_table)t) : "rows", id_token ? id : (int64_t)r->leaf, "no row of a case: %s",
		t >= 0 ? sqlite3_errmsg(b->w.db) : "unknown table");
	if (t >= 0) sqlite3_reset(b->insert[t]);
	r->table = t >= 0 ? (enum case_table)t : CASE_TABLES;
	r->id = ok ? id : 0;
	return ok;
}

static bool open_database(struct bundle *b, struct fault *f)
{
	b->w.db = case_db_open(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, f);
	if (!b->w.db || !schema_create(b->w.db, f)) return false;
	for (int t = 0; t < CASE_TABLES; t++)
		if (!learn_columns(b, t, f)) return false;
	return true;
}

/* The row of the database, written again, walked. */
static void walk_again(struct bundle *b, const struct bundle_row *r, struct fault *f)
{
	char sql[96];
	struct buf again = {0};
	snprintf(sql, sizeof sql, "SELECT * FROM %s WHERE id = %" PRId64, case_table_name(r->table), r->id);
	sqlite3_stmt *s = case_db_prepare(b->w.db, sql, f);
	struct case_row row = {r->table, r->id, 0, r->text, s};
	if (s && sqlite3_step(s) == SQLITE_ROW) {
		row.step = sqlite3_column_int64(s, 1);
		if (!case_row_print(s, r->table, &again) || !str_eq(buf_view(&again), r->text)) bundle_problem(b, case_table_name(r->table), r->id, "its text is not canonical");
		if (r->table == CASE_INFO) b->case_id = arena_str(&b->arena, case_column_str(s, 4));
		if (r->table != CASE_PROOF) walk_row(&b->w, &row, NULL);
	}
	sqlite3_finalize(s);
	buf_done(&again);
}

/* --- sources ------------------------------------------------------------------------------------------------------------------ */

struct shown { uint64_t leaf, offset, end; struct hash hash; };
static int by_shown_leaf(const void *x, const void *y)
{
	const struct shown *a = x, *b = y;
	return (a->leaf > b->leaf) - (a->leaf < b->leaf);
}

/* Leaves of a source that are no record rows. */
static bool extra_leaves(struct bundle *b, uint32_t source, struct shown **v, size_t *n, size_t *cap)
{
	const struct json_token *list = member(b, source, "leaves", JSON_ARRAY);
	if (!list) return false;
	uint32_t array = place(b, list);
	for (uint32_t i = array + 1; i < b->tape.v[array].next; i = b->tape.v[i].next) {
		struct shown x = {0};
		struct str salt, data;
		if (!number(b, i, "leaf", &x.leaf) || !number(b, i, "offset", &x.offset) || !bytes(b, i, "salt", &salt) || salt.n != SALT_SIZE || !bytes(b, i, "bytes", &data)) return false;
		x.hash = source_leaf_hash((const uint8_t *)salt.p, data.p, data.n);
		x.end = x.offset + data.n;
		if (*n == *cap) *v = vec_grow(*v, cap, sizeof **v);
		(*v)[(*n)++] = x;
	}
	return true;
}

static void record_leaves(struct bundle *b, int64_t source, struct shown **v, size_t *n, size_t *cap)
{
	sqlite3_stmt *s = case_db_prepare(b->w.db, "SELECT leaf, offset, salt, bytes FROM record WHERE source = ?", NULL);
	if (!s) return;
	sqlite3_bind_int64(s, 1, source);
	while (sqlite3_step(s) == SQLITE_ROW) {
		struct str salt = case_column_str(s, 2), data = case_column_str(s, 3);
		struct shown x = {(uint64_t)sqlite3_column_int64(s, 0), (uint64_t)sqlite3_column_int64(s, 1), 0, {{0}}};
		if (salt.n != SALT_SIZE) continue;
		x.end = x.offset + data.n;
		x.hash = source_leaf_hash((const uint8_t *)salt.p, data.p, data.n);
		if (*n == *cap) *v = vec_grow(*v, cap, sizeof **v);
		(*v)[(*n)++] = x;
	}
	sqlite3_finalize(s);
}

static void check_ranges(struct bundle *b, uint32_t source, const struct source_seen *s, const struct shown *v, size_t n)
{
	const struct json_token *list = member(b, source, "ranges", JSON_ARRAY);
	if (!list) {
		bundle_problem(b, "source", s->id, "its ranges are needed, if only an empty array");
		return;
	}
	uint32_t array = place(b, list);
	bool lines = str_eq(s->framing, STR("lines/1")), nested = str_eq(s->framing, STR("evtx/1"));
	for (uint32_t i = array + 1; i < b->tape.v[array].next; i = b->tape.v[i].next) {
		uint64_t first, count;
		bool ok = number(b, i, "first", &first) && number(b, i, "n", &count) && count;
		size_t at = 0;
		while (ok && at < n && v[at].leaf < first) at++;
		for (uint64_t k = 0; ok && k < count; k++) {
			ok = at + k < n && v[at + k].leaf == first + k;
			if (ok && k && !nested) ok = v[at + k].offset == v[at + k - 1].end + lines;
		}
		if (ok) verify_say(b->w.o, b->w.r, VERIFY_LINE_SEAL, "source", s->id, "leaves %" PRIu64 " to %" PRIu64 " of %" PRIu64 " are all shown: nothing lies between them",
			first, first + count - 1, s->leaves);
		else bundle_problem(b, "source", s->id, "the range said to be complete is not");
	}
}

static void check_bundle_source(struct bundle *b, uint32_t at)
{
	uint64_t id = 0;
	struct hash *proof;
	struct arrays a = {0};
	struct shown *v = NULL;
	size_t n = 0, cap = 0;
	const struct source_seen *s = number(b, at, "source", &id) ? seen_by_id(&b->w.sources, (int64_t)id) : NULL;
	bool ok = s && s->has_root && hashes(b, at, "proof", &proof, &a.n_proof) && extra_leaves(b, at, &v, &n, &cap);
	if (ok) {
		record_leaves(b, s->id, &v, &n, &cap);
		if (n) qsort(v, n, sizeof *v, by_shown_leaf);
		uint64_t *index = arena_calloc(&b->arena, n + 1, sizeof *index);
		struct hash *leaf = arena_calloc(&b->arena, n + 1, sizeof *leaf);
		for (size_t i = 0; index && leaf && i < n; i++) index[i] = v[i].leaf, leaf[i] = v[i].hash;
		a.proof = proof, a.index = index, a.leaf = leaf, a.n = n;
		ok = index && leaf && gives_root(&a, s->leaves, &s->root);
	}
	if (!ok) bundle_problem(b, "source", (int64_t)id, "the records shown are not all in its record tree");
	else check_ranges(b, at, s, v, n);
	free(v);
}

/* Every source with records must have been checked. */
static void check_bundle_sources(struct bundle *b)
{
	const struct json_token *list = member(b, 0, "sources", JSON_ARRAY);
	struct map seen = {0};
	if (list) {
		uint32_t array = place(b, list);
		for (uint32_t i = array + 1; i < b->tape.v[array].next; i = b->tape.v[i].next) {
			uint64_t id = 0;
			bool fresh = false;
			(void)number(b, i, "source", &id);
			map_put(&seen, (struct str){(char *)&id, sizeof id}, 0, &fresh);
			if (!fresh) bundle_problem(b, "source", (int64_t)id, "it is listed twice");
			check_bundle_source(b, i);
		}
	}
	sqlite3_stmt *s = case_db_prepare(b->w.db, "SELECT DISTINCT source FROM record", NULL);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		uint64_t id = (uint64_t)sqlite3_column_int64(s, 0);
		if (!map_get(&seen, (struct str){(char *)&id, sizeof id})) bundle_problem(b, "source", (int64_t)id, "its records are shown without a proof");
	}
	sqlite3_finalize(s);
	map_done(&seen);
}

/* --- seal and statements -------------------------------------------------------------------------------------------------------- */

static bool read_seal(struct bundle *b, uint32_t at, struct seal_parts *ret, struct buf *lines)
{
	const struct json_token *cosignatures = member(b, at, "cosignatures", JSON_ARRAY), *stamps = member(b, at, "timestamps", JSON_ARRAY);
	if (!string(b, at, "checkpoint", &ret->checkpoint) || !cosignatures || !stamps) return false;
	uint32_t array = place(b, cosignatures);
	for (uint32_t i = array + 1; i < b->tape.v[array].next; i = b->tape.v[i].next) {
		struct str line, vkey;
		struct key_public key;
		struct signed_note n;
		struct buf note = {0};
		if (!string(b, i, "line", &line) || !string(b, i, "vkey", &vkey)) return false;
		buf_str(&note, ret->checkpoint);
		buf_str(&note, line);
		bool good = key_public_parse(vkey, &key, NULL) && signed_note_parse(buf_view(&note), &n, NULL) && n.n_lines == 2 && signed_note_check(&n, &key, NULL) == NOTE_GOOD;
		if (good) verify_say(b->w.o, b->w.r, VERIFY_LINE_SEAL, "seal", 0, "cosigned by %s (key %08x)", key.name, key.id);
		else bundle_problem(b, "seal", 0, "a cosignature that does not hold");
		if (good) buf_str(lines, line);
		buf_done(&note);
	}
	array = place(b, stamps);
	for (uint32_t i = array + 1; i < b->tape.v[array].next && ret->n_stamps < COUNT(ret->stamps); i = b->tape.v[i].next) {
		const struct json_token *request = json_get(&b->tape, b->text, i, STR("request"));
		if (!request || (request->type != JSON_NULL && !bytes(b, i, "request", &ret->stamps[ret->n_stamps].request))) return false;
		if (!bytes(b, i, "response", &ret->stamps[ret->n_stamps].response)) return false;
		ret->n_stamps++;
	}
	ret->cosignatures = buf_view(lines);
	return true;
}

static void check_bundle_seal(struct bundle *b)
{
	const struct json_token *v = member(b, 0, "seal", JSON_OBJECT);
	struct seal_parts parts = {0};
	struct buf lines = {0};
	struct checkpoint c;
	struct key_public key;
	struct str vkey;
	bool met = false;
	if (!v) {
		const struct json_token *none = json_get(&b->tape, b->text, 0, STR("seal"));
		if (!none || none->type != JSON_NULL) bundle_problem(b, "seal", 0, "cannot be read");
		verify_say(b->w.o, b->w.r, VERIFY_LINE_NOTE, NULL, 0, "not sealed: it only proves that its parts belong together");
	} else if (!read_seal(b, place(b, v), &parts, &lines) || !string(b, place(b, v), "vkey", &vkey)) {
		bundle_problem(b, "seal", 0, "cannot be read");
	} else {
		bool known = key_public_parse(vkey, &key, NULL);
		if (!known) bundle_problem(b, "seal", 0, "its key cannot be read");
		if (check_seal(b->w.o, b->w.r, "seal", 0, &parts, known ? &key : NULL, &c, &met)) {
			struct str id = b->case_id;
			bool origin = id.n && c.origin.n > id.n && str_ends(c.origin, id) && c.origin.p[c.origin.n - id.n - 1] == '/';
			if (c.size != b->size || !hash_eq(&c.root, &b->root)) bundle_problem(b, "seal", 0, "it seals another tree");
			else if (!origin) bundle_problem(b, "seal", 0, "it seals another case");
			else b->w.r->seals++, b->w.r->sealed = true;
		}
	}
	if (b->w.o->policy) b->w.r->policy_met = met && b->w.r->sealed;
	if (b->w.o->policy && !b->w.r->policy_met) verify_say(b->w.o, b->w.r, VERIFY_LINE_NOTE, NULL, 0, "the policy is not met");
	buf_done(&lines);
}

static void check_subject(struct bundle *b, const struct statement_subject *s)
{
	uint64_t id;
	uint8_t digest[32];
	if (!str_starts(s->name, STR("finding/")) || !str_u64(str_sub(s->name, 8, SIZE_MAX), &id)) return;
	for (size_t i = 0; i < b->n_rows; i++) {
		if (b->rows[i].table != CASE_FINDING || b->rows[i].id != (int64_t)id) continue;
		sha256_of(b->rows[i].text.p, b->rows[i].text.n, digest);
		if (memcmp(digest, s->sha256, 32)) bundle_problem(b, "statement", 0, "it speaks of another finding %" PRIu64 " than the one shown", id);
	}
}

static void check_bundle_statements(struct bundle *b)
{
	const struct json_token *list = member(b, 0, "statements", JSON_ARRAY);
	if (!list) {
		bundle_problem(b, "statement", 0, "statements are needed, if only an empty array");
		return;
	}
	uint32_t array = place(b, list);
	for (uint32_t i = array + 1; i < b->tape.v[array].next; i = b->tape.v[i].next) {
		struct dsse d;
		struct fault f = FAULT_INIT;
		struct statement_subject *v;
		struct str type, predicate;
		size_t n;
		if (!dsse_parse(json_raw(b->text, &b->tape.v[i]), &b->arena, &d, &f) || !statement_parse(d.payload, &b->arena, &v, &n, &type, &predicate, &f)) {
			bundle_problem(b, "statement", 0, "%s", f.text);
			continue;
		}
		for (size_t k = 0; k < n; k++) check_subject(b, &v[k]);
		for (uint32_t k = 0; k < d.n; k++) {
			struct key_public key;
			struct dsse one = d;
			one.v[0] = d.v[k];
			one.n = 1;
			if (key_public_parse(d.v[k].keyid, &key, NULL) && dsse_signed_by(&one, &key))
				verify_say(b->w.o, b->w.r, VERIFY_LINE_SEAL, "statement", 0, "signed by %s (key %08x)", key.name, key.id);
			else bundle_problem(b, "statement", 0, "a signature that does not hold");
		}
	}
}

/* --- the whole ------------------------------------------------------------------------------------------------------------------- */

static bool check_bundle(struct bundle *b, struct fault *f)
{
	b->tape.max_depth = 16;
	if (b->text.n > MAX_BUNDLE) return broken(f, "too large");
	if (!json_read_all(&b->tape, b->text, f) || !read_root(b, f) || !read_rows(b, f) || !open_database(b, f) || !walk_findings_begin(&b->w, f) ||
		!check_rows_proof(b, f)) return false;
	for (size_t i = 0; i < b->n_rows; i++) (void)insert_row(b, &b->rows[i]);
	if (!walk_superseded(&b->w, f)) return false;
	for (size_t i = 0; i < b->n_rows; i++)
		if (b->rows[i].id) walk_again(b, &b->rows[i], f);
	b->w.r->rows = b->n_rows;
	if (!b->case_id.n) bundle_problem(b, "case_info", 1, "it is not shown");
	check_bundle_sources(b);
	check_bundle_seal(b);
	check_bundle_statements(b);
	return true;
}

static void check_bundle_originals(struct verify_walk *w)
{
	struct verify_original *v;
	size_t n;
	check_sources(w, &v, &n);
	free(v);
}

bool verify_bundle(struct str text, const struct verify_options *o, struct verify_result *ret, struct fault *f)
{
	*ret = (struct verify_result){.policy_met = o->policy == NULL};
	struct bundle *b = xcalloc(1, sizeof *b);
	b->text = text;
	b->w.o = o;
	b->w.r = ret;
	b->w.partial = true;
	arena_init(&b->arena, (size_t)4 << 30);
	arena_init(&b->w.arena, (size_t)2 << 30);
	bool ok = check_bundle(b, f);
	if (ok && o->sources && b->w.db) check_bundle_originals(&b->w);
	walk_free(&b->w);
	for (int t = 0; t < CASE_TABLES; t++) sqlite3_finalize(b->insert[t]);
	sqlite3_close(b->w.db);
	json_tape_done(&b->tape);
	json_tape_done(&b->row_tape);
	arena_done(&b->arena);
	free(b);
	return ok;
}

bool verify_is_bundle(struct str head)
{
	struct str s = str_trim(head);
	return str_starts(s, STR("{")) && str_find(str_sub(s, 0, 4096), STR("\"exhibit-bundle/"), 0) != SIZE_MAX;
}
