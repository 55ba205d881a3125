/* walk_findings.c: each finding against its evidence, the evidence against its records; then derived again by whoever can. */
#include "verify/verify_internal.h"

bool walk_findings_begin(struct verify_walk *w, struct fault *f)
{
	w->evidence = case_db_prepare(w->db, "SELECT id, finding, source, offset, length, line, sha256, role, leaf, leaves, recovered FROM evidence "
		"WHERE id >= ?1 AND id < ?1 + ?2 ORDER BY id", f);
	w->record = case_db_prepare(w->db, "SELECT leaf, offset, bytes FROM record WHERE source = ?1 AND leaf >= ?2 AND leaf < ?2 + ?3 ORDER BY leaf", f);
	return w->evidence && w->record;
}

bool walk_superseded(struct verify_walk *w, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(w->db, "SELECT finding, step FROM superseded", f);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(s, 0);
		map_put(&w->superseded, (struct str){(const char *)&id, sizeof id}, (uint32_t)sqlite3_column_int64(s, 1), NULL);
	}
	sqlite3_finalize(s);
	return s != NULL;
}

/* The leaves [leaf, leaf + leaves) of a source joined in w->scratch behind what is there; false when one is missing. */
static bool join_leaves(struct verify_walk *w, int64_t source, int64_t leaf, int64_t leaves, uint64_t *ret_first)
{
	const struct source_seen *seen = seen_by_id(&w->sources, source);
	bool lines = seen && str_eq(seen->framing, STR("lines/1")), ok = leaves > 0;
	int64_t want = leaf;
	uint64_t reach = 0;
	sqlite3_bind_int64(w->record, 1, source);
	sqlite3_bind_int64(w->record, 2, leaf);
	sqlite3_bind_int64(w->record, 3, leaves);
	while (ok && sqlite3_step(w->record) == SQLITE_ROW) {
		uint64_t offset = (uint64_t)sqlite3_column_int64(w->record, 1);
		struct str bytes = case_column_str(w->record, 2);
		if (want == leaf) *ret_first = reach = offset;
		else if (lines) buf_byte(&w->scratch, '\n'), reach++;
		ok = sqlite3_column_int64(w->record, 0) == want && offset == reach;
		buf_str(&w->scratch, bytes);
		reach += bytes.n;
		want++;
	}
	sqlite3_reset(w->record);
	return ok && want == leaf + leaves;
}

struct evidence_row { struct verify_evidence e; size_t at; /* of its bytes in w->scratch */ };

/* One evidence row; its bytes lie in w->scratch at ret->at. False and a reason when it does not check out. */
static bool check_evidence(struct verify_walk *w, int64_t finding, struct evidence_row *ret, const char **why)
{
	sqlite3_stmt *s = w->evidence;
	int64_t source = sqlite3_column_int64(s, 2);
	uint64_t first = 0, offset = (uint64_t)sqlite3_column_int64(s, 3), length = (uint64_t)sqlite3_column_int64(s, 4);
	struct str sha = case_column_str(s, 6), bytes;
	uint8_t digest[32];
	size_t before = w->scratch.n;
	*why = "its evidence belongs to another finding";
	if (sqlite3_column_int64(s, 1) != finding) return false;
	*why = "its evidence names a source that is not there";
	const struct source_seen *src = seen_by_id(&w->sources, source);
	if (!src) return false;
	*why = "records it rests on are missing";
	if (!join_leaves(w, source, sqlite3_column_int64(s, 8), sqlite3_column_int64(s, 9), &first)) return false;
	struct buf joined = {.p = w->scratch.p + before, .n = w->scratch.n - before};
	*why = "its evidence lies outside of the records it names";
	if (!slice_of(&joined, first, offset, length, &bytes)) return false;
	sha256_of(bytes.p, bytes.n, digest);
	*why = "its evidence does not have the SHA-256 stated";
	if (sha.n != 32 || memcmp(sha.p, digest, 32)) return false;
	ret->at = (size_t)(bytes.p - w->scratch.p);
	ret->e = (struct verify_evidence){source, src->path, src->format, src->parameters, offset, length, (uint32_t)sqlite3_column_int64(s, 5),
		str_eq(case_column_str(s, 7), STR("context")) ? EVIDENCE_CONTEXT : EVIDENCE_RECORD, {0}, sqlite3_column_int64(s, 10) != 0};
	return true;
}

static bool begin_run(struct verify_walk *w, int64_t run)
{
	struct run_seen *r = seen_by_id(&w->runs, run);
	if (!r->begun) {
		r->begun = true;
		r->can_derive = w->o->rederiver->run(w->o->rederiver->arg, w->db, run, r->settings, r->rule_list.v, (uint32_t)r->rule_list.n);
	}
	return r->can_derive;
}

static enum verify_answer derive(struct verify_walk *w, const struct case_row *row, const struct verify_evidence *e, uint32_t n, char why[200])
{
	if (!w->o->rederiver || !begin_run(w, row_int_at(row, 2))) return VERIFY_NOT_TRIED;
	struct verify_finding x = {.id = row->id, .run = row_int_at(row, 2), .rule = row_int_at(row, 6), .kind = row_str_at(row, 3), .level = row_str_at(row, 4),
		.time = row_str_at(row, 5), .title = row_str_at(row, 7), .host = row_str_at(row, 8), .channel = row_str_at(row, 9),
		.event_id = row_null_at(row, 10) ? -1 : row_int_at(row, 10), .record_id = row_null_at(row, 11) ? -1 : row_int_at(row, 11), .matched = row_str_at(row, 12), .fields = row_str_at(row, 13),
		.groups = row_str_at(row, 14), .count = (uint64_t)row_int_at(row, 15), .first = row_str_at(row, 16), .last = row_str_at(row, 17),
		.extra = row_str_at(row, 18), .evidence_total = (uint64_t)row_int_at(row, 19), .has_root = !row_null_at(row, 20), .evidence = e, .n_evidence = n};
	return w->o->rederiver->finding(w->o->rederiver->arg, &x, why);
}

void tell_answer(struct verify_walk *w, int64_t finding, enum verify_answer a, struct str why, struct str about)
{
	const uint32_t *step = map_get(&w->superseded, (struct str){(const char *)&finding, sizeof finding});
	char text[300];
	w->r->answers[a]++;
	if (step) why = (struct str){text, (size_t)snprintf(text, sizeof text, "%.*s%ssuperseded in step %u", STR_FMT(str_sub(why, 0, 200)), why.n ? "; " : "", *step)};
	if (w->o->line) w->o->line(w->o->arg, &(struct verify_line){VERIFY_LINE_FINDING, "finding", finding, a, why, about});
}

/* What only the originals can better is told when they have been scanned again. */
static void answer(struct verify_walk *w, const struct case_row *row, enum verify_answer a, const char *why)
{
	bool later = w->o->rescan && w->o->sources && !w->partial && (a == VERIFY_PART || a == VERIFY_NEEDS_SOURCES);
	const struct rule_seen *rule = seen_by_id(&w->rules, row_int_at(row, 6));
	struct str title = rule ? rule->title : row_str_at(row, 7), time = row_str_at(row, 5);
	char about[300];
	int n = snprintf(about, sizeof about, "%.*s%s%.*s", STR_FMT(str_sub(title, 0, 200)), time.n ? ", " : "", STR_FMT(str_sub(time, 0, 40)));
	struct str text = {about, (size_t)n};
	if (later) vec_push(&w->put_off, (struct put_off){row->id, a, arena_str(&w->arena, str_of(why)), arena_str(&w->arena, text)});
	else tell_answer(w, row->id, a, str_of(why), text);
}

void walk_finding(struct verify_walk *w, const struct case_row *row)
{
	int64_t run = row_int_at(row, 2), rule = row_int_at(row, 6), n = row_int_at(row, 22), seen = 0;
	const char *why = NULL;
	char text[200] = "";
	w->r->findings++;
	const struct rule_seen *seen_rule = seen_by_id(&w->rules, rule);
	if (!seen_by_id(&w->runs, run)) why = "it names a run that is not there";
	else if (!row_null_at(row, 6) && (!seen_rule || seen_rule->run != run)) why = "it names a rule that its run does not have";
	else if (n < 1 || n > 1 << 20) why = "it has no evidence";
	if (why) {
		walk_problem(w, row, "%s", why);
		answer(w, row, VERIFY_FAILED, why);
		return;
	}
	struct evidence_row *rows = xcalloc((size_t)n, sizeof *rows);
	w->scratch.n = 0;
	sqlite3_bind_int64(w->evidence, 1, row_int_at(row, 21));
	sqlite3_bind_int64(w->evidence, 2, n);
	while (!why && sqlite3_step(w->evidence) == SQLITE_ROW && seen < n)
		if (check_evidence(w, row->id, &rows[seen], &why)) why = NULL, seen++;
	sqlite3_reset(w->evidence);
	if (!why && seen != n) why = "evidence it names is missing";
	enum verify_answer a = VERIFY_FAILED;
	if (why) {
		walk_problem(w, row, "%s", why);
	} else {
		struct verify_evidence *e = xmalloc((size_t)n * sizeof *e);
		for (int64_t i = 0; i < n; i++) {
			e[i] = rows[i].e;
			e[i].bytes = (struct str){w->scratch.p + rows[i].at, e[i].length};
		}
		a = derive(w, row, e, (uint32_t)n, text);
		free(e);
	}
	answer(w, row, a, why ? why : text);
	free(rows);
}

/* [[source, offset, length, line, leaf, leaves, role, recovered], ...]: the leaves must be there. */
void walk_hit(struct verify_walk *w, const struct case_row *row)
{
	struct str rest = row_str_at(row, 7);
	int64_t rule = row_int_at(row, 3);
	bool ok = seen_by_id(&w->rules, rule) != NULL;
	if (!ok) walk_problem(w, row, "it names a rule that is not there");
	for (size_t at = 1; ok && (at = str_find_byte(rest, '[', at)) != SIZE_MAX; at++) {
		struct str body = str_sub(rest, at + 1, SIZE_MAX);
		uint64_t v[6], first = 0;
		for (int i = 0; ok && i < 6; i++) ok = body.p && str_u64(str_cut(&body, ','), &v[i]);
		struct str slice;
		w->scratch.n = 0;
		ok = ok && join_leaves(w, (int64_t)v[0], (int64_t)v[4], (int64_t)v[5], &first) && slice_of(&w->scratch, first, v[1], v[2], &slice);
		if (!ok) walk_problem(w, row, "records it rests on are missing");
	}
}
