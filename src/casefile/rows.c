/* rows.c: see rows.h. */
#include "casefile/rows.h"
#include "base/alloc.h"
#include <inttypes.h>
#include <stdio.h>

enum { MAX_COLUMNS = 40 };

struct cursor_of_table {
	sqlite3_stmt *stmt;
	bool row;                     /* stmt stands on a row not yet given out */
	int64_t id, step;
	int n;
	int order[MAX_COLUMNS];       /* members by name; -1 is "table" */
	struct buf heads;             /* what stands before each value, ready: {"a":  ,"b": ... */
	size_t head_end[MAX_COLUMNS];
};
struct case_rows {
	sqlite3 *db;
	struct cursor_of_table tables[CASE_TABLES];
	int64_t step;
	int table;                    /* looked at next, within `step` */
	int given;                    /* table whose row was given out last, -1 = none */
	struct buf text;
};

static bool corrupt(struct fault *f, enum case_table t, int64_t id, const char *what)
{
	fault_set(f, FAULT_CORRUPT, "%s %" PRId64 ": %s", case_table_name(t), id, what);
	return false;
}

static bool advance(struct case_rows *r, int t, struct fault *f)
{
	struct cursor_of_table *c = &r->tables[t];
	int code = sqlite3_step(c->stmt);
	c->row = code == SQLITE_ROW;
	if (code == SQLITE_DONE) return true;
	if (!c->row) {
		case_db_fault(r->db, f, case_table_name((enum case_table)t));
		return false;
	}
	int64_t id = sqlite3_column_int64(c->stmt, 0), step = sqlite3_column_int64(c->stmt, 1);
	if (id != c->id + 1) return corrupt(f, (enum case_table)t, id, "its number does not follow the one before");
	if (step < c->step || sqlite3_column_type(c->stmt, 1) != SQLITE_INTEGER) return corrupt(f, (enum case_table)t, id, "its step lies before that of the row before");
	c->id = id;
	c->step = step;
	return true;
}

static struct str member_name(const struct cursor_of_table *c, int column)
{
	return str_of(column < 0 ? "table" : sqlite3_column_name(c->stmt, column));
}

static void sort_members(struct cursor_of_table *c)
{
	int columns = sqlite3_column_count(c->stmt);
	verify(columns + 1 <= MAX_COLUMNS);
	c->n = columns + 1;
	for (int i = 0; i < c->n; i++) {
		int at = i;
		for (; at > 0 && str_cmp(member_name(c, c->order[at - 1]), member_name(c, i - 1)) > 0; at--) c->order[at] = c->order[at - 1];
		c->order[at] = i - 1;
	}
	for (int i = 0; i < c->n; i++) {
		buf_byte(&c->heads, i ? ',' : '{');
		canon_str(&c->heads, member_name(c, c->order[i]));
		buf_byte(&c->heads, ':');
		c->head_end[i] = c->heads.n;
	}
}

/* ids are dense and steps ascend with them: the first id of the step by halving. */
static bool first_id(sqlite3 *db, const char *table, int64_t from_step, int64_t *ret, struct fault *f)
{
	char sql[128];
	int64_t hi, lo = 1;
	snprintf(sql, sizeof sql, "SELECT coalesce(max(id), 0) FROM %s", table);
	if (!case_db_int(db, sql, &hi, f)) return false;
	hi++;
	snprintf(sql, sizeof sql, "SELECT step FROM %s WHERE id = ?", table);
	sqlite3_stmt *s = case_db_prepare(db, sql, f);
	if (!s) return false;
	while (lo < hi) {
		int64_t mid = lo + (hi - lo) / 2;
		sqlite3_bind_int64(s, 1, mid);
		bool before = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) < from_step;
		sqlite3_reset(s);
		if (before) lo = mid + 1;
		else hi = mid;
	}
	sqlite3_finalize(s);
	*ret = lo;
	return true;
}

struct case_rows *case_rows_new(sqlite3 *db, int64_t from_step, struct fault *f)
{
	struct case_rows *r = xcalloc(1, sizeof *r);
	r->db = db;
	r->given = -1;
	r->step = from_step;
	for (int t = 0; t < CASE_TABLES; t++) {
		struct cursor_of_table *c = &r->tables[t];
		char sql[96];
		int64_t first = 1;
		snprintf(sql, sizeof sql, "SELECT * FROM %s WHERE id >= ? ORDER BY id", case_table_name((enum case_table)t));
		bool ok = (from_step <= 1 || first_id(db, case_table_name((enum case_table)t), from_step, &first, f)) &&
			(c->stmt = case_db_prepare(db, sql, f)) != NULL;
		if (ok) {
			sqlite3_bind_int64(c->stmt, 1, from_step <= 1 ? INT64_MIN : first);
			c->id = first - 1;
			c->step = from_step <= 1 ? 1 : from_step;
			ok = advance(r, t, f);
			sort_members(c);
		}
		if (!ok) {
			case_rows_free(r);
			return NULL;
		}
	}
	return r;
}

void case_rows_free(struct case_rows *r)
{
	if (!r) return;
	for (int t = 0; t < CASE_TABLES; t++) {
		sqlite3_finalize(r->tables[t].stmt);
		buf_done(&r->tables[t].heads);
	}
	buf_done(&r->text);
	free(r);
}

static bool put_value(struct case_rows *r, const struct cursor_of_table *c, int column, struct fault *f, enum case_table t)
{
	sqlite3_value *v = sqlite3_column_value(c->stmt, column);
	switch (sqlite3_value_type(v)) {
	case SQLITE_INTEGER: buf_i64(&r->text, sqlite3_column_int64(c->stmt, column)); return true;
	case SQLITE_NULL: buf_lit(&r->text, "null"); return true;
	case SQLITE_BLOB: {
		struct str s = case_column_str(c->stmt, column);
		canon_bytes(&r->text, s.p, s.n);
		return true;
	}
	case SQLITE_TEXT: {
		struct str s = case_column_str(c->stmt, column);
		if (!canon_text_ok(s)) return corrupt(f, t, c->id, "text that is not UTF-8");
		canon_str(&r->text, s);
		return true;
	}
	default: return corrupt(f, t, c->id, "a number with a fraction, which no case has");
	}
}

static bool print_row(struct case_rows *r, int t, struct fault *f)
{
	const struct cursor_of_table *c = &r->tables[t];
	r->text.n = 0;
	for (int i = 0; i < c->n; i++) {
		size_t from = i ? c->head_end[i - 1] : 0;
		buf_put(&r->text, c->heads.p + from, c->head_end[i] - from);
		if (c->order[i] < 0) canon_str(&r->text, str_of(case_table_name((enum case_table)t)));
		else if (!put_value(r, c, c->order[i], f, (enum case_table)t)) return false;
	}
	buf_byte(&r->text, '}');
	return true;
}

bool case_rows_next(struct case_rows *r, struct case_row *ret, struct fault *f)
{
	*f = FAULT_INIT;
	if (r->given >= 0 && !advance(r, r->given, f)) return false;
	r->given = -1;
	for (;;) {
		for (; r->table < CASE_TABLES; r->table++) {
			struct cursor_of_table *c = &r->tables[r->table];
			if (!c->row || c->step != r->step) continue;
			if (!print_row(r, r->table, f)) return false;
			*ret = (struct case_row){(enum case_table)r->table, c->id, c->step, buf_view(&r->text), c->stmt};
			r->given = r->table;
			return true;
		}
		int64_t next = INT64_MAX;
		for (int t = 0; t < CASE_TABLES; t++)
			if (r->tables[t].row && r->tables[t].step < next) next = r->tables[t].step;
		if (next == INT64_MAX) return false;
		r->step = next;
		r->table = 0;
	}
}

bool case_row_print(sqlite3_stmt *row, enum case_table t, struct buf *out)
{
	struct fault f = FAULT_INIT;
	struct case_rows r = {0};
	r.tables[t] = (struct cursor_of_table){.stmt = row, .id = sqlite3_column_int64(row, 0)};
	sort_members(&r.tables[t]);
	bool ok = print_row(&r, (int)t, &f);
	if (ok) buf_str(out, buf_view(&r.text));
	buf_done(&r.text);
	buf_done(&r.tables[t].heads);
	return ok;
}

int case_row_column(const struct case_row *row, const char *name)
{
	for (int i = 0; i < sqlite3_column_count(row->values); i++)
		if (!strcmp(sqlite3_column_name(row->values, i), name)) return i;
	return -1;
}

void case_tree_init(struct case_tree *t, const uint8_t row_key[32])
{
	t->tree = (struct merkle){0};
	memcpy(t->salts.key, row_key, 32);
	t->salts.block = UINT64_MAX;
}

struct hash case_row_hash(const uint8_t salt[SALT_SIZE], struct str row_text) { return source_leaf_hash(salt, row_text.p, row_text.n); }

struct hash case_tree_add(struct case_tree *t, struct str row_text)
{
	struct hash h = case_row_hash(salt_at(&t->salts, t->tree.n), row_text);
	merkle_add(&t->tree, &h);
	return h;
}

bool case_state_read(sqlite3 *db, struct case_state *ret, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(db, "SELECT complete, leaves, root, frontier, row_key FROM state WHERE id = 1", f);
	if (!s) return false;
	struct case_state st = {0};
	bool ok = sqlite3_step(s) == SQLITE_ROW;
	if (ok) {
		struct str root = case_column_str(s, 2), frontier = case_column_str(s, 3), key = case_column_str(s, 4);
		int64_t complete = sqlite3_column_int64(s, 0), leaves = sqlite3_column_int64(s, 1);
		ok = (complete == 0 || complete == 1) && leaves >= 0 && root.n == 32 && key.n == 32 && frontier.n == 32 * (size_t)__builtin_popcountll((uint64_t)leaves);
		st.complete = complete == 1;
		st.leaves = st.frontier.n = (uint64_t)leaves;
		if (ok) {
			memcpy(st.root.b, root.p, 32);
			memcpy(st.row_key, key.p, 32);
			if (frontier.n) memcpy(st.frontier.stack, frontier.p, frontier.n);
			struct hash h = merkle_root(&st.frontier);
			ok = hash_eq(&h, &st.root);
		}
		if (!ok) fault_set(f, FAULT_CORRUPT, "state: the row does not agree with itself");
	} else {
		fault_set(f, FAULT_CORRUPT, "state: its row cannot be read: %s", sqlite3_errmsg(db));
	}
	sqlite3_finalize(s);
	if (ok) *ret = st;
	return ok;
}

bool case_state_write(sqlite3 *db, const struct case_state *st, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(db, "INSERT INTO state (id, complete, leaves, root, frontier, row_key) VALUES (1, ?, ?, ?, ?, ?) ON CONFLICT (id) "
		"DO UPDATE SET complete = excluded.complete, leaves = excluded.leaves, root = excluded.root, frontier = excluded.frontier", f);
	if (!s) return false;
	sqlite3_bind_int(s, 1, st->complete);
	sqlite3_bind_int64(s, 2, (int64_t)st->leaves);
	sqlite3_bind_blob(s, 3, st->root.b, 32, SQLITE_STATIC);
	sqlite3_bind_blob(s, 4, st->frontier.stack, 32 * __builtin_popcountll(st->frontier.n), SQLITE_STATIC);
	sqlite3_bind_blob(s, 5, st->row_key, 32, SQLITE_STATIC);
	bool ok = sqlite3_step(s) == SQLITE_DONE || case_db_fault(db, f, "state");
	sqlite3_finalize(s);
	return ok;
}

/* The sums of a block of leaves; the last block grows. */
static bool write_sums(sqlite3 *db, uint64_t block, const struct buf *sums, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(db, "INSERT INTO row_check (id, sums) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET sums = excluded.sums", f);
	if (!s) return false;
	sqlite3_bind_int64(s, 1, (int64_t)block + 1);
	sqlite3_bind_blob(s, 2, sums->p, (int)sums->n, SQLITE_STATIC);
	bool ok = sqlite3_step(s) == SQLITE_DONE || case_db_fault(db, f, "row_check");
	sqlite3_finalize(s);
	return ok;
}

static bool read_sums(sqlite3 *db, uint64_t leaves, struct buf *sums, struct fault *f)
{
	if (leaves % CASE_SUMS == 0) return true;
	sqlite3_stmt *s = case_db_prepare(db, "SELECT sums FROM row_check WHERE id = ?", f);
	if (!s) return false;
	sqlite3_bind_int64(s, 1, (int64_t)(leaves / CASE_SUMS) + 1);
	bool ok = sqlite3_step(s) == SQLITE_ROW && (size_t)sqlite3_column_bytes(s, 0) == 4 * (leaves % CASE_SUMS);
	if (ok) buf_str(sums, case_column_str(s, 0));
	else fault_set(f, FAULT_CORRUPT, "row_check does not fit the number of leaves");
	sqlite3_finalize(s);
	return ok;
}

bool case_state_grow(sqlite3 *db, int64_t from_step, struct case_state *st, struct fault *f)
{
	struct fault inner = FAULT_INIT;
	struct buf sums = {0};
	struct case_tree t;
	struct case_row row;
	case_tree_init(&t, st->row_key);
	t.tree = st->frontier;
	bool ok = read_sums(db, st->leaves, &sums, f);
	struct case_rows *rows = ok ? case_rows_new(db, from_step, f) : NULL;
	if (!rows) ok = false;
	while (ok && case_rows_next(rows, &row, &inner)) {
		struct hash h = case_tree_add(&t, row.text);
		buf_put(&sums, h.b, 4);
		if (t.tree.n % CASE_SUMS) continue;
		ok = write_sums(db, t.tree.n / CASE_SUMS - 1, &sums, f);
		sums.n = 0;
	}
	if (ok && inner.kind) {
		if (f) *f = inner;
		ok = false;
	}
	if (ok && sums.n) ok = write_sums(db, t.tree.n / CASE_SUMS, &sums, f);
	if (ok) {
		st->frontier = t.tree;
		st->leaves = t.tree.n;
		st->root = merkle_root(&t.tree);
	}
	case_rows_free(rows);
	buf_done(&sums);
	return ok;
}
