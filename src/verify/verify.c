/* verify.c: a case walked from its first row to its last, everything checked that the case alone can answer. See verify.h.
 *
 * One pass in the order of the tree: sources come before their records, records before the proofs of their step, proofs before
 * evidence, evidence before findings, so that each thing is checked against what has been checked. */
#include "verify/verify_internal.h"
#include <stdarg.h>
#include <stdio.h>

static const char *const answers[VERIFY_ANSWERS] = {"derived again", "holds on the cited part", "needs the sources", "failed", "not derived"};
const char *verify_answer_word(enum verify_answer a) { return (unsigned)a < VERIFY_ANSWERS ? answers[a] : "?"; }

enum verify_verdict verify_verdict(const struct verify_result *r)
{
	if (r->problems || r->answers[VERIFY_FAILED] || !r->policy_met) return VERIFY_FAILS;
	return r->answers[VERIFY_PART] || r->answers[VERIFY_NEEDS_SOURCES] || r->sources_missing || r->not_rescanned || r->differences ? VERIFY_HOLDS_IN_PART : VERIFY_HOLDS;
}

const char *verify_verdict_word(enum verify_verdict v)
{
	static const char *const words[] = {"holds", "holds in part", "failed"};
	return (unsigned)v < COUNT(words) ? words[v] : "?";
}

void verify_say(const struct verify_options *o, struct verify_result *r, enum verify_kind kind, const char *table, int64_t id, const char *format, ...)
{
	char text[512];
	va_list ap;
	r->problems += kind == VERIFY_LINE_PROBLEM;
	if (!o->line) return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	o->line(o->arg, &(struct verify_line){.kind = kind, .table = table, .id = id, .text = str_of(text)});
}

void *seen_find(const void *v, size_t n, size_t size, size_t id_at, int64_t id)
{
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const char *element = (const char *)v + mid * size;
		int64_t got;
		memcpy(&got, element + id_at, sizeof got);
		if (got == id) return (void *)(uintptr_t)element;
		if (got < id) lo = mid + 1;
		else hi = mid;
	}
	return NULL;
}

/* --- SQLite's own opinion ------------------------------------------------------------------------------------------ */

static bool check_integrity(struct verify_walk *w, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(w->db, "PRAGMA integrity_check(20)", f);
	if (!s) return false;
	int code;
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		struct str text = case_column_str(s, 0);
		if (!str_eq(text, STR("ok"))) verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "database", 0, "%.*s", STR_FMT(text));
	}
	if (code != SQLITE_DONE) verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "database", 0, "%s", sqlite3_errmsg(w->db));
	sqlite3_finalize(s);
	return true;
}

/* --- rows whose meaning is checked as they come ----------------------------------------------------------------------- */

static void walk_step(struct verify_walk *w, const struct case_row *row, const struct prefix *before)
{
	if (row->id != row->step) walk_problem(w, row, "its number is not its step's");
	if (!before) return;
	struct str root = row_str_at(row, 10);
	if ((uint64_t)row_int_at(row, 9) != before->size || root.n != 32 || memcmp(root.p, before->root.b, 32))
		walk_problem(w, row, "the step does not follow the tree before it: %" PRId64 " rows stated, %" PRIu64 " there", row_int_at(row, 9), before->size);
	vec_push(&w->prefixes, (struct prefix){w->tree.tree.n, merkle_root(&w->tree.tree)});
}

static struct str keep(struct verify_walk *w, struct str s) { return arena_str(&w->arena, s); }

static void walk_run(struct verify_walk *w, const struct case_row *row)
{
	struct run_seen r = {.id = row->id, .rules = row_int_at(row, 4), .settings = keep(w, row_str_at(row, 3))};
	struct str root = row_str_at(row, 5);
	if (root.n == 32) memcpy(r.root.b, root.p, 32);
	vec_push(&w->runs, r);
}

static void walk_text(struct verify_walk *w, const struct case_row *row)
{
	uint8_t digest[32];
	struct str stated = row_str_at(row, 2), bytes = keep(w, row_str_at(row, 3));
	sha256_of(bytes.p, bytes.n, digest);
	if (stated.n != 32 || memcmp(stated.p, digest, 32)) walk_problem(w, row, "the rule's text does not have the SHA-256 stated");
	vec_push(&w->texts, (struct text_seen){row->id, bytes});
}

static void walk_rule(struct verify_walk *w, const struct case_row *row)
{
	struct rule_seen r = {row->id, row_int_at(row, 2), row_int_at(row, 3), row_int_at(row, 4), keep(w, row_str_at(row, 5)), row_int_at(row, 9) != 0, keep(w, row_str_at(row, 6))};
	vec_push(&w->rules, r);
	struct run_seen *run = seen_by_id(&w->runs, r.run);
	struct text_seen *seen = seen_by_id(&w->texts, r.text);
	if (!run || !seen) {
		walk_problem(w, row, "it names a run or text that is not there");
		return;
	}
	struct str text = seen->bytes;
	struct hash h = merkle_leaf(text.p, text.n);
	if (!w->partial && (r.n < 0 || (uint64_t)r.n != run->texts.n)) walk_problem(w, row, "rules of its run are missing or out of order");
	merkle_add(&run->texts, &h);
	vec_push(&run->rule_list, (struct verify_rule){row->id, (uint32_t)r.n, r.rule_id, text, r.correlation, keep(w, row_str_at(row, 8))});
}

static void walk_source(struct verify_walk *w, const struct case_row *row)
{
	struct source_seen s = {.id = row->id, .path = keep(w, row_str_at(row, 2)), .format = keep(w, row_str_at(row, 3)), .framing = keep(w, row_str_at(row, 4)),
		.size = (uint64_t)row_int_at(row, 5), .number = (uint64_t)row_int_at(row, 9), .leaves = (uint64_t)row_int_at(row, 10), .step = row->step,
		.parameters = keep(w, row_str_at(row, 24)), .same_as = row_int_at(row, 25), .member = row_null_at(row, 8) ? -1 : row_int_at(row, 8)};
	struct str sha = row_str_at(row, 6), container = row_str_at(row, 7), root = row_str_at(row, 11);
	if (container.n == 32) memcpy(s.container_sha256, container.p, 32);
	s.has_sha256 = sha.n == 32;
	if (s.has_sha256) memcpy(s.sha256, sha.p, 32);
	s.has_root = root.n == 32;
	if (s.has_root) memcpy(s.root.b, root.p, 32);
	uint64_t sum = 0;
	for (int c = 15; c < 20; c++) sum += (uint64_t)row_int_at(row, c);
	bool read = s.same_as == 0 && row_null_at(row, 26);
	if (read && sum != s.size) walk_problem(w, row, "its bytes by kind sum to %" PRIu64 ", not to its size of %" PRIu64, sum, s.size);
	if (s.same_as && !w->partial && !seen_by_id(&w->sources, s.same_as)) walk_problem(w, row, "it is said to equal a source that is not there");
	vec_push(&w->sources, s);
}

static void walk_source_reference(struct verify_walk *w, const struct case_row *row, int column)
{
	if (!seen_by_id(&w->sources, row_int_at(row, column))) walk_problem(w, row, "it names a source that is not there");
}

void walk_row(struct verify_walk *w, const struct case_row *row, const struct prefix *before)
{
	if (row->table != CASE_STEP && row->table < CASE_SEAL) w->content_end = w->tree.tree.n;
	if (!w->partial && (row->table > CASE_PROOF || row->step != w->step)) walk_proofs_done(w);
	w->step = row->step;
	switch (row->table) {
	case CASE_STEP: walk_step(w, row, before); break;
	case CASE_RUN: walk_run(w, row); break;
	case CASE_RULE_TEXT: walk_text(w, row); break;
	case CASE_RULE: walk_rule(w, row); break;
	case CASE_SOURCE: walk_source(w, row); break;
	case CASE_SEEN: walk_source_reference(w, row, 3); break;
	case CASE_DAMAGE:
	case CASE_REMARK: walk_source_reference(w, row, 2); break;
	case CASE_RECORD: walk_record(w, row); break;
	case CASE_PROOF: walk_proof(w, row); break;
	case CASE_FINDING: walk_finding(w, row); break;
	case CASE_HIT: walk_hit(w, row); break;
	case CASE_INFO: case CASE_INPUT: case CASE_REFUSED: case CASE_UNREAD: case CASE_COVERAGE: case CASE_RULE_COVERAGE: case CASE_TOTAL: case CASE_EVIDENCE:
	case CASE_SUPERSEDED: case CASE_SEAL: case CASE_STATEMENT: case CASE_SIGNATURE: case CASE_TABLES: break;
	}
}

/* --- the tree ------------------------------------------------------------------------------------------------------ */

struct sums { sqlite3_stmt *s; struct str now; bool bad; };

/* The four bytes kept of leaf `index`; NULL when the row is missing or too short. */
static const char *sum_of(struct sums *k, uint64_t index)
{
	if (index % CASE_SUMS == 0) {
		k->now = (struct str){0};
		if (sqlite3_step(k->s) == SQLITE_ROW && sqlite3_column_int64(k->s, 0) == (int64_t)(index / CASE_SUMS) + 1) k->now = case_column_str(k->s, 1);
	}
	size_t at = 4 * (size_t)(index % CASE_SUMS);
	return at + 4 <= k->now.n ? k->now.p + at : NULL;
}

static bool check_rows(struct verify_walk *w, struct fault *f)
{
	struct case_row row;
	struct fault inner = FAULT_INIT;
	struct sums sums = {.s = case_db_prepare(w->db, "SELECT id, sums FROM row_check ORDER BY id", f)};
	struct case_rows *rows = sums.s ? case_rows_new(w->db, 1, &inner) : NULL;
	uint64_t named = 0;
	while (rows && case_rows_next(rows, &row, &inner)) {
		struct prefix before = {w->tree.tree.n, {{0}}};
		if (row.table == CASE_STEP) before.root = merkle_root(&w->tree.tree);
		struct hash h = case_tree_add(&w->tree, row.text);
		const char *sum = sum_of(&sums, before.size);
		if (!sum) sums.bad = true;
		else if (memcmp(sum, h.b, 4)) walk_problem(w, &row, "changed since it was written"), named++;
		w->r->rows++;
		walk_row(w, &row, &before);
	}
	if (inner.kind) verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "database", 0, "%s", inner.text);
	else walk_proofs_done(w);
	struct hash root = merkle_root(&w->tree.tree);
	bool same = hash_eq(&root, &w->c->state.root) && w->tree.tree.n == w->c->state.leaves;
	if (sqlite3_step(sums.s) == SQLITE_ROW || (sums.now.n != 4 * ((w->tree.tree.n - 1) % CASE_SUMS + 1) && w->tree.tree.n)) sums.bad = true;
	if (!same) verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "state", 1, "%" PRIu64 " rows whose root is not the one kept: rows were changed, removed or added", w->tree.tree.n);
	if (sums.bad) verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "row_check", 0, "it does not fit the rows");
	if (same && named) verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "row_check", 0, "changed itself: the root of all rows is the one kept");
	case_rows_free(rows);
	sqlite3_finalize(sums.s);
	return sums.s != NULL;
}

/* A run that did not see all sources says nothing about the others. */
static void note_unseen(struct verify_walk *w, int64_t run)
{
	struct buf b = {0};
	if (case_unseen_words(w->db, run, &b, NULL) && b.n) verify_say(w->o, w->r, VERIFY_LINE_NOTE, "run", run, "it never saw %.*s", (int)b.n, b.p);
	buf_done(&b);
}

static void check_runs(struct verify_walk *w)
{
	for (size_t i = 0; i < w->runs.n && w->runs.n > 1; i++) note_unseen(w, w->runs.v[i].id);
	for (size_t i = 0; i < w->runs.n; i++) {
		struct run_seen *r = &w->runs.v[i];
		struct hash root = merkle_root(&r->texts);
		if (r->rules < 0 || r->texts.n != (uint64_t)r->rules || !hash_eq(&root, &r->root))
			verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "run", r->id, "its rules are not those it was sealed with");
	}
}

void walk_free(struct verify_walk *w)
{
	for (size_t i = 0; i < w->runs.n; i++) vec_free(&w->runs.v[i].rule_list);
	vec_free(&w->prefixes);
	vec_free(&w->sources);
	vec_free(&w->runs);
	vec_free(&w->rules);
	vec_free(&w->texts);
	vec_free(&w->leaves);
	vec_free(&w->put_off);
	map_done(&w->superseded);
	sqlite3_finalize(w->evidence);
	sqlite3_finalize(w->record);
	buf_done(&w->proof);
	buf_done(&w->scratch);
	arena_done(&w->arena);
}

/* The originals by themselves, then what a rescan of them gives. */
static void check_originals(struct verify_walk *w)
{
	struct verify_original *v;
	size_t n;
	uint64_t before = w->r->problems;
	check_sources(w, &v, &n);
	if (w->o->rescan && before) verify_say(w->o, w->r, VERIFY_LINE_NOTE, NULL, 0, "nothing is scanned again: the case itself does not check out");
	if (w->o->rescan && !before) check_again(w, v, n);
	for (size_t i = 0; i < w->put_off.n && before; i++) tell_answer(w, w->put_off.v[i].id, w->put_off.v[i].answer, w->put_off.v[i].why, w->put_off.v[i].about);
	free(v);
}

bool verify_case(const char *path, const struct verify_options *o, struct verify_result *ret, struct fault *f)
{
	struct case_file c;
	*ret = (struct verify_result){.policy_met = o->policy == NULL};
	if (!case_open(path, o->temp_dir ? o->temp_dir : "/tmp", &c, f)) return false;
	if (c.recovered) verify_say(o, ret, VERIFY_LINE_NOTE, NULL, 0, "a writer was interrupted: this is the state before it, or after it if it had come to its end");
	struct verify_walk w = {.o = o, .r = ret, .c = &c, .db = c.db};
	arena_init(&w.arena, (size_t)2 << 30);
	case_tree_init(&w.tree, c.state.row_key);
	bool ok = check_integrity(&w, f) && walk_findings_begin(&w, f) && walk_superseded(&w, f) && check_rows(&w, f);
	if (ok) {
		check_runs(&w);
		ok = check_seals(&w, f);
	}
	if (ok && o->sources) check_originals(&w);
	walk_free(&w);
	case_done(&c);
	return ok;
}
