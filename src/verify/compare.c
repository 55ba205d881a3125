/* compare.c: the rows of a case against those of a rescan of its originals, as sets: each difference is named, however the rows are numbered.
 *
 * A row is reduced to a digest of what it says: its own number, the numbers of its evidence rows and, without the salt key, what depends on
 * that key left out; numbers of sources as the case has them. Rows with the same digest are the same; of the others those with the same key
 * (what they are about) are told as a change, the rest as lacking or new. */
#include "verify/verify_internal.h"

enum { NAMED_A_TABLE = 40, NO_COLUMN = -1 };
#define BIT(c) (1u << (c))

struct spec {
	enum case_table table;
	uint32_t ignored, salted, key; /* columns, by bit */
	int source;                    /* column that names a source, NO_COLUMN = none */
	const char *label;             /* SQL: what the row is about, for people */
};
static const struct spec specs[] = {
	{CASE_SOURCE, BIT(0), BIT(11), BIT(1) | BIT(9), 0, "SELECT path FROM source WHERE id = ?"},
	{CASE_DAMAGE, BIT(0), 0, BIT(1) | BIT(2) | BIT(3), 2, "SELECT 'offset ' || offset || ' of ' || path FROM damage d JOIN source s ON s.id = d.source WHERE d.id = ?"},
	{CASE_REMARK, BIT(0), 0, BIT(1) | BIT(2) | BIT(3), 2, "SELECT 'offset ' || offset || ' of ' || path FROM remark d JOIN source s ON s.id = d.source WHERE d.id = ?"},
	{CASE_COVERAGE, BIT(0), 0, BIT(1) | BIT(2) | BIT(3) | BIT(4), NO_COLUMN, "SELECT logsource || ' of ' || host FROM coverage WHERE id = ?"},
	{CASE_RULE_COVERAGE, BIT(0), 0, BIT(1) | BIT(2) | BIT(3), NO_COLUMN, "SELECT title FROM rule_coverage c JOIN rule r ON r.id = c.rule WHERE c.id = ?"},
	{CASE_TOTAL, BIT(0), 0, BIT(1) | BIT(2) | BIT(3), NO_COLUMN, "SELECT name FROM total WHERE id = ?"},
	{CASE_RECORD, BIT(0), BIT(7), BIT(2) | BIT(3), 2, "SELECT 'offset ' || offset || ' of ' || path FROM record r JOIN source s ON s.id = r.source WHERE r.id = ?"},
	{CASE_HIT, BIT(0), 0, BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(7), NO_COLUMN, "SELECT title || coalesce(' at ' || time, '') FROM hit h JOIN rule r ON r.id = h.rule WHERE h.id = ?"},
	{CASE_FINDING, BIT(0) | BIT(21), 0, BIT(1) | BIT(2) | BIT(3) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) | BIT(14), NO_COLUMN,
		"SELECT coalesce((SELECT title FROM rule WHERE rule.id = finding.rule), title) || coalesce(' at ' || time, '') FROM finding WHERE id = ?"},
	{CASE_SUPERSEDED, BIT(0), 0, BIT(1) | BIT(2), NO_COLUMN, "SELECT 'finding ' || finding FROM superseded WHERE id = ?"},
};

struct row_sum { uint8_t digest[SHA256_SIZE]; uint64_t key; int64_t id; bool part; };
struct row_sums { struct row_sum *v; size_t n, cap; };
struct id_pair { int64_t from, to; };

struct comparison {
	struct verify_walk *w;
	sqlite3 *again;
	const enum verify_again *steps;
	size_t n_steps;
	bool salted, other;            /* other: the rescan is another program's */
	const struct verify_original *originals;
	size_t n_originals;
	VEC(struct id_pair) sources;   /* of the rescan -> of the case */
	VEC(struct id_pair) findings;  /* the same, those that are equal; by `from` */
	VEC(int64_t) confirmed;        /* findings of the case, ascending */
	uint64_t differences;
	struct buf text;
};

/* --- numbers ------------------------------------------------------------------------------------------------------------------- */

static int by_from(const void *x, const void *y)
{
	const struct id_pair *a = x, *b = y;
	return (a->from > b->from) - (a->from < b->from);
}

static int by_number(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
	return (a > b) - (a < b);
}

/* What the rescan calls `id`, as the case calls it; 0 = it has none. */
static int64_t translate(const struct id_pair *v, size_t n, int64_t id)
{
	struct id_pair wanted = {id, 0};
	const struct id_pair *p = n ? bsearch(&wanted, v, n, sizeof *v, by_from) : NULL;
	return p ? p->to : 0;
}

bool verify_original_same(const struct verify_original *v, size_t n, int64_t id)
{
	for (size_t lo = 0, hi = n; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;
		if (v[mid].id == id) return v[mid].is == ORIGINAL_SAME;
		if (v[mid].id < id) lo = mid + 1;
		else hi = mid;
	}
	return false;
}

static bool is_there(const struct comparison *c, int64_t source) { return verify_original_same(c->originals, c->n_originals, source); }

/* The original is there, and what it repeats, too. */
static bool is_good(const struct comparison *c, int64_t source)
{
	const struct source_seen *s = seen_by_id(&c->w->sources, source);
	while (s && is_there(c, s->id) && s->same_as && s->same_as < s->id) s = seen_by_id(&c->w->sources, s->same_as);
	return s && !s->same_as && is_there(c, s->id);
}

static bool pair_sources(struct comparison *c)
{
	sqlite3_stmt *theirs = case_db_prepare(c->again, "SELECT id, step, number FROM source ORDER BY id", NULL);
	sqlite3_stmt *ours = case_db_prepare(c->w->db, "SELECT id FROM source WHERE step = ? AND number = ?", NULL);
	while (theirs && ours && sqlite3_step(theirs) == SQLITE_ROW) {
		sqlite3_bind_int64(ours, 1, sqlite3_column_int64(theirs, 1));
		sqlite3_bind_int64(ours, 2, sqlite3_column_int64(theirs, 2));
		int64_t id = sqlite3_step(ours) == SQLITE_ROW ? sqlite3_column_int64(ours, 0) : 0;
		vec_push(&c->sources, (struct id_pair){sqlite3_column_int64(theirs, 0), id});
		sqlite3_reset(ours);
	}
	bool ok = theirs && ours;
	sqlite3_finalize(theirs);
	sqlite3_finalize(ours);
	return ok;
}

/* --- what a row says ------------------------------------------------------------------------------------------------------------- */

static void put_value(struct buf *out, sqlite3_stmt *s, int column)
{
	int type = sqlite3_column_type(s, column);
	struct str v = type == SQLITE_INTEGER || type == SQLITE_NULL ? (struct str){0} : case_column_str(s, column);
	int64_t n = type == SQLITE_INTEGER ? sqlite3_column_int64(s, column) : (int64_t)v.n;
	buf_byte(out, (char)('0' + type));
	buf_put(out, &n, sizeof n);
	buf_str(out, v);
}

static void put_id(struct buf *out, int64_t id)
{
	buf_byte(out, (char)('0' + SQLITE_INTEGER));
	buf_put(out, &id, sizeof id);
}

/* [[source, ...], ...]: with the case's numbers. */
static void put_references(struct comparison *c, struct str refs, struct buf *out)
{
	for (size_t i = 0; i < refs.n; i++) {
		buf_byte(out, refs.p[i]);
		if (refs.p[i] != '[' || i + 1 >= refs.n || refs.p[i + 1] < '0' || refs.p[i + 1] > '9') continue;
		int64_t id = 0;
		while (i + 1 < refs.n && refs.p[i + 1] >= '0' && refs.p[i + 1] <= '9' && id < INT32_MAX) id = 10 * id + (refs.p[++i] - '0');
		buf_i64(out, translate(c->sources.v, c->sources.n, id));
	}
}

/* One column; numbers of sources and findings as the case has them. */
static void put_column(struct comparison *c, const struct spec *spec, sqlite3_stmt *s, int column, bool theirs, struct buf *out)
{
	bool source = column && (column == spec->source || (spec->table == CASE_SOURCE && column == 25));
	bool finding = spec->table == CASE_SUPERSEDED && column == 2, refs = spec->table == CASE_HIT && column == 7;
	if (sqlite3_column_type(s, column) == SQLITE_NULL || !(theirs || refs)) put_value(out, s, column);
	else if (source) put_id(out, translate(c->sources.v, c->sources.n, sqlite3_column_int64(s, column)));
	else if (finding) put_id(out, translate(c->findings.v, c->findings.n, sqlite3_column_int64(s, column)));
	else if (refs && theirs) put_references(c, case_column_str(s, column), out);
	else if (refs) buf_str(out, case_column_str(s, column));
	else put_value(out, s, column);
}

/* A finding's evidence; *ret_good: all of it lies in originals that are there. */
static void put_evidence(struct comparison *c, sqlite3_stmt *evidence, int64_t from, int64_t n, bool theirs, struct buf *out, bool *ret_good)
{
	*ret_good = true;
	sqlite3_bind_int64(evidence, 1, from);
	sqlite3_bind_int64(evidence, 2, n);
	while (sqlite3_step(evidence) == SQLITE_ROW) {
		int64_t source = sqlite3_column_int64(evidence, 0);
		if (theirs) source = translate(c->sources.v, c->sources.n, source);
		put_id(out, source);
		for (int column = 1; column < 8; column++) put_value(out, evidence, column);
		*ret_good = *ret_good && is_good(c, source);
	}
	sqlite3_reset(evidence);
}

static bool wanted(const struct comparison *c, const struct spec *spec, sqlite3_stmt *s, bool theirs, bool evidence_good, bool *ret_part)
{
	int64_t step = sqlite3_column_int64(s, 1);
	enum verify_again again = step > 0 && (uint64_t)step <= c->n_steps ? c->steps[step] : AGAIN_NOTHING;
	*ret_part = again == AGAIN_PART;
	if (again != AGAIN_PART) return again == AGAIN_WHOLE;
	if (spec->table == CASE_FINDING) return theirs || (evidence_good && str_eq(case_column_str(s, 3), STR("hit")));
	if (spec->source == NO_COLUMN || spec->table == CASE_RECORD) return false;
	int64_t source = sqlite3_column_int64(s, spec->source);
	return is_good(c, theirs ? translate(c->sources.v, c->sources.n, source) : source);
}

static void sum_row(struct comparison *c, const struct spec *spec, sqlite3_stmt *s, sqlite3_stmt *evidence, bool theirs, struct row_sums *out)
{
	struct row_sum sum = {.id = sqlite3_column_int64(s, 0)};
	uint8_t digest[SHA256_SIZE];
	uint32_t left_out = spec->ignored | (c->salted ? 0 : spec->salted);
	bool good = true;
	c->text.n = 0;
	for (int column = 0; column < sqlite3_column_count(s); column++)
		if (spec->key & BIT(column)) put_column(c, spec, s, column, theirs, &c->text);
	sha256_of(c->text.p, c->text.n, digest);
	memcpy(&sum.key, digest, sizeof sum.key);
	for (int column = 0; column < sqlite3_column_count(s); column++)
		if (!((left_out | spec->key) & BIT(column))) put_column(c, spec, s, column, theirs, &c->text);
	if (spec->table == CASE_FINDING) put_evidence(c, evidence, sqlite3_column_int64(s, 21), sqlite3_column_int64(s, 22), theirs, &c->text, &good);
	if (!wanted(c, spec, s, theirs, good, &sum.part)) return;
	sha256_of(c->text.p, c->text.n, sum.digest);
	vec_push(out, sum);
}

static bool sum_table(struct comparison *c, const struct spec *spec, bool theirs, struct row_sums *out)
{
	char sql[80];
	sqlite3 *db = theirs ? c->again : c->w->db;
	snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY id", case_table_name(spec->table));
	sqlite3_stmt *s = case_db_prepare(db, sql, NULL);
	sqlite3_stmt *evidence = case_db_prepare(db, "SELECT source, offset, length, line, sha256, role, recovered, leaf FROM evidence WHERE id >= ?1 AND id < ?1 + ?2 ORDER BY id", NULL);
	while (s && evidence && sqlite3_step(s) == SQLITE_ROW) sum_row(c, spec, s, evidence, theirs, out);
	bool ok = s && evidence;
	sqlite3_finalize(s);
	sqlite3_finalize(evidence);
	return ok;
}

/* --- differences told -------------------------------------------------------------------------------------------------------------- */

static sqlite3_stmt *one_row(sqlite3 *db, const char *sql, int64_t id)
{
	sqlite3_stmt *s = case_db_prepare(db, sql, NULL);
	if (!s) return NULL;
	sqlite3_bind_int64(s, 1, id);
	if (sqlite3_step(s) == SQLITE_ROW) return s;
	sqlite3_finalize(s);
	return NULL;
}

static void label_of(sqlite3 *db, const struct spec *spec, int64_t id, char out[160])
{
	sqlite3_stmt *s = one_row(db, spec->label, id);
	struct str text = s ? case_column_str(s, 0) : (struct str){0};
	snprintf(out, 160, "%.*s", STR_FMT(str_sub(text, 0, 150)));
	sqlite3_finalize(s);
}

static void say_difference(struct comparison *c, const struct spec *spec, int64_t id, const char *text)
{
	c->differences++;
	c->w->r->differences += c->other;
	verify_say(c->w->o, c->w->r, c->other ? VERIFY_LINE_NOTE : VERIFY_LINE_PROBLEM, case_table_name(spec->table), id, "%s", text);
}

static void print_value(sqlite3_stmt *s, int column, char out[64])
{
	struct str v = case_column_str(s, column);
	switch (sqlite3_column_type(s, column)) {
	case SQLITE_NULL: snprintf(out, 64, "nothing"); return;
	case SQLITE_INTEGER: snprintf(out, 64, "%lld", (long long)sqlite3_column_int64(s, column)); return;
	case SQLITE_BLOB: snprintf(out, 64, "other bytes"); return;
	default: snprintf(out, 64, v.n > 48 ? "%.*s..." : "%.*s", (int)(v.n > 48 ? 45 : v.n), v.p); return;
	}
}

/* Two rows about the same: the first column in which they differ. */
static void say_change(struct comparison *c, const struct spec *spec, int64_t ours, int64_t theirs)
{
	char sql[80], label[160], text[480], was[64], is[64];
	snprintf(sql, sizeof sql, "SELECT * FROM %s WHERE id = ?", case_table_name(spec->table));
	sqlite3_stmt *a = one_row(c->w->db, sql, ours), *b = one_row(c->again, sql, theirs);
	struct buf x = {0}, y = {0};
	uint32_t left_out = spec->ignored | (c->salted ? 0 : spec->salted);
	label_of(c->w->db, spec, ours, label);
	snprintf(text, sizeof text, "%s: a rescan cites other records for it", label);
	for (int column = 1; a && b && column < sqlite3_column_count(a); column++) {
		if (left_out & BIT(column)) continue;
		x.n = y.n = 0;
		put_column(c, spec, a, column, false, &x);
		put_column(c, spec, b, column, true, &y);
		if (str_eq(buf_view(&x), buf_view(&y))) continue;
		print_value(a, column, was);
		print_value(b, column, is);
		snprintf(text, sizeof text, "%s: %s: the case says %s, a rescan gives %s", label, sqlite3_column_name(a, column), was, is);
		break;
	}
	sqlite3_finalize(a);
	sqlite3_finalize(b);
	buf_done(&x);
	buf_done(&y);
	say_difference(c, spec, ours, text);
}

static void say_alone(struct comparison *c, const struct spec *spec, int64_t id, bool theirs)
{
	char label[160], text[320];
	label_of(theirs ? c->again : c->w->db, spec, id, label);
	snprintf(text, sizeof text, theirs ? "%s: a rescan gives it, the case does not have it" : "%s: a rescan does not give it", label);
	say_difference(c, spec, theirs ? 0 : id, text);
}

/* --- sets ---------------------------------------------------------------------------------------------------------------------------- */

static int by_digest(const void *x, const void *y)
{
	const struct row_sum *a = x, *b = y;
	int d = memcmp(a->digest, b->digest, sizeof a->digest);
	return d ? d : (a->id > b->id) - (a->id < b->id);
}

static int by_key(const void *x, const void *y)
{
	const struct row_sum *a = x, *b = y;
	if (a->key != b->key) return a->key < b->key ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

/* Leaves in both what the other does not have. */
static void take_equal(struct comparison *c, const struct spec *spec, struct row_sums *ours, struct row_sums *theirs)
{
	size_t i = 0, k = 0, left = 0, right = 0;
	if (ours->n) qsort(ours->v, ours->n, sizeof *ours->v, by_digest);
	if (theirs->n) qsort(theirs->v, theirs->n, sizeof *theirs->v, by_digest);
	while (i < ours->n || k < theirs->n) {
		int d = i == ours->n ? 1 : k == theirs->n ? -1 : memcmp(ours->v[i].digest, theirs->v[k].digest, SHA256_SIZE);
		if (d < 0) {
			ours->v[left++] = ours->v[i++];
		} else if (d > 0) {
			theirs->v[right++] = theirs->v[k++];
		} else {
			if (spec->table == CASE_FINDING) {
				vec_push(&c->confirmed, ours->v[i].id);
				vec_push(&c->findings, (struct id_pair){theirs->v[k].id, ours->v[i].id});
			}
			i++, k++;
		}
	}
	ours->n = left;
	theirs->n = right;
}

static void tell_differences(struct comparison *c, const struct spec *spec, struct row_sums *ours, struct row_sums *theirs)
{
	uint64_t told = 0, more = 0;
	size_t i = 0, k = 0;
	if (ours->n) qsort(ours->v, ours->n, sizeof *ours->v, by_key);
	if (theirs->n) qsort(theirs->v, theirs->n, sizeof *theirs->v, by_key);
	while (i < ours->n || k < theirs->n) {
		const struct row_sum *a = i < ours->n ? &ours->v[i] : NULL, *b = k < theirs->n ? &theirs->v[k] : NULL;
		int d = !a ? 1 : !b ? -1 : a->key < b->key ? -1 : a->key > b->key;
		i += d <= 0;
		k += d >= 0;
		/* Where sources are missing, findings that cite them too come out otherwise. */
		if (d > 0 && b->part) continue;
		if (told >= NAMED_A_TABLE) more++;
		else if (d == 0) say_change(c, spec, a->id, b->id), told++;
		else say_alone(c, spec, d < 0 ? a->id : b->id, d > 0), told++;
	}
	if (!more) return;
	char text[80];
	snprintf(text, sizeof text, "%" PRIu64 " more rows differ from what a rescan gives", more);
	say_difference(c, spec, 0, text);
}

static bool compare_table(struct comparison *c, const struct spec *spec)
{
	struct row_sums ours = {0}, theirs = {0};
	bool ok = sum_table(c, spec, false, &ours) && sum_table(c, spec, true, &theirs);
	if (ok) {
		take_equal(c, spec, &ours, &theirs);
		if (spec->table == CASE_FINDING && c->findings.n) {
			qsort(c->findings.v, c->findings.n, sizeof *c->findings.v, by_from);
			qsort(c->confirmed.v, c->confirmed.n, sizeof *c->confirmed.v, by_number);
		}
		tell_differences(c, spec, &ours, &theirs);
	}
	free(ours.v);
	free(theirs.v);
	return ok;
}

/* --- the whole -------------------------------------------------------------------------------------------------------------------------- */

/* Whether the rescan was made by the program, mappings and patterns that made the case. */
static bool same_program(struct comparison *c)
{
	static const char sql[] = "SELECT group_concat(kind || ' ' || hex(sha256)) FROM (SELECT run, kind, sha256 FROM input WHERE kind IN ('mapping', 'services') ORDER BY id)";
	sqlite3_stmt *a = case_db_prepare(c->w->db, sql, NULL), *b = case_db_prepare(c->again, sql, NULL);
	bool same = a && b && sqlite3_step(a) == SQLITE_ROW && sqlite3_step(b) == SQLITE_ROW && str_eq(case_column_str(a, 0), case_column_str(b, 0));
	sqlite3_finalize(a);
	sqlite3_finalize(b);
	sqlite3_stmt *tool = case_db_prepare(c->w->db, "SELECT tool FROM run", NULL);
	while (tool && sqlite3_step(tool) == SQLITE_ROW) same = same && str_eq(case_column_str(tool, 0), c->w->o->rescan->tool);
	sqlite3_finalize(tool);
	return same;
}

static void compare(struct comparison *c)
{
	bool ok = pair_sources(c), whole = true;
	c->other = !same_program(c);
	if (c->other) verify_say(c->w->o, c->w->r, VERIFY_LINE_NOTE, NULL, 0, "the case was made by another program or with other mappings than the rescan: where they differ, both may be right");
	for (size_t i = 0; ok && i < COUNT(specs); i++) ok = compare_table(c, &specs[i]);
	for (size_t i = 1; i <= c->n_steps; i++) whole = whole && c->steps[i] != AGAIN_PART;
	if (!ok) verify_say(c->w->o, c->w->r, VERIFY_LINE_PROBLEM, "database", 0, "it cannot be compared with a rescan");
	else if (!whole) verify_say(c->w->o, c->w->r, VERIFY_LINE_NOTE, NULL, 0, "scanned again without the sources that are missing or changed: totals, correlations and incidents are not compared");
	c->w->r->rescanned = ok && whole && !c->differences;
}

static void tell_put_off(struct verify_walk *w, const struct comparison *c)
{
	for (size_t i = 0; i < w->put_off.n; i++) {
		const struct put_off *p = &w->put_off.v[i];
		bool confirmed = c->confirmed.n && bsearch(&p->id, c->confirmed.v, c->confirmed.n, sizeof p->id, by_number);
		if (confirmed) tell_answer(w, p->id, VERIFY_DERIVED, STR("by a rescan of the originals"), p->about);
		else tell_answer(w, p->id, p->answer, p->why, p->about);
	}
	w->put_off.n = 0;
}

void check_again(struct verify_walk *w, const struct verify_original *v, size_t n)
{
	struct comparison c = {.w = w, .originals = v, .n_originals = n};
	struct case_file again;
	enum verify_again *steps = NULL;
	struct fault f = FAULT_INIT;
	const struct verify_rescan *r = w->o->rescan;
	if (r->run(r->arg, w->c, v, n, &again, &steps, &c.n_steps, &c.salted, &f)) {
		c.again = again.db;
		c.steps = steps;
		compare(&c);
		r->done(r->arg, &again);
	} else {
		verify_say(w->o, w->r, VERIFY_LINE_NOTE, NULL, 0, "the originals could not be scanned again: %s", f.text);
		w->r->not_rescanned = true;
		if (w->left_to_rescan) verify_say(w->o, w->r, VERIFY_LINE_NOTE, NULL, 0, "%" PRIu64 " members of archives were therefore not looked at; their archives are those that were scanned", w->left_to_rescan);
	}
	tell_put_off(w, &c);
	free(steps);
	vec_free(&c.sources);
	vec_free(&c.findings);
	vec_free(&c.confirmed);
	buf_done(&c.text);
}
