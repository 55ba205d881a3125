/* seals.c: signatures over the tree, timestamps, statements and opinions; and what a policy demands. */
#include "verify/verify_internal.h"

/* The note a policy sees: checkpoint and all cosignature lines. */
static void whole_note(const struct seal_parts *s, struct buf *out)
{
	buf_str(out, s->checkpoint);
	buf_str(out, s->cosignatures);
}

static void say_signatures(const struct verify_options *o, struct verify_result *r, const char *table, int64_t id, const struct signed_note *n, const struct policy *p)
{
	for (uint32_t i = 0; p && i < p->n_names; i++) {
		uint64_t time = 0;
		char text[ETIME_MAX] = "";
		if (p->names[i].is_group) continue;
		enum signed_note_verdict v = signed_note_check(n, &p->names[i].key, &time);
		if (v == NOTE_GOOD && time) etime_print(etime_from_unix((int64_t)time, 0, 0), 0, text);
		if (v == NOTE_GOOD) verify_say(o, r, VERIFY_LINE_SEAL, table, id, "%.*s signed%s%s", STR_FMT(p->names[i].name), time ? " at " : "", text);
		if (v == NOTE_BAD) verify_say(o, r, VERIFY_LINE_PROBLEM, table, id, "the signature of %.*s does not hold", STR_FMT(p->names[i].name));
	}
}

static void check_stamps(const struct verify_options *o, struct verify_result *r, const char *table, int64_t id, const struct seal_parts *s)
{
	uint8_t digest[32];
	sha256_of(s->checkpoint.p, s->checkpoint.n, digest);
	for (uint32_t i = 0; i < s->n_stamps; i++) {
		struct tsp_result t;
		struct fault f = FAULT_INIT;
		char text[ETIME_MAX];
		if (!tsp_check(s->stamps[i].response, s->stamps[i].request, digest, o->authorities, &t, &f)) {
			verify_say(o, r, VERIFY_LINE_PROBLEM, table, id, "%s", f.text);
			continue;
		}
		etime_print(t.time, 0, text);
		verify_say(o, r, VERIFY_LINE_SEAL, table, id, "existed at %s, says %s%s", text, t.authority, t.chain_checked ? "" : " (no authorities given: its certificate was not traced)");
	}
}

bool check_seal(const struct verify_options *o, struct verify_result *r, const char *table, int64_t id, const struct seal_parts *s, const struct key_public *hint,
	struct checkpoint *ret, bool *ret_policy_met)
{
	struct signed_note alone, n;
	struct buf whole = {0};
	struct fault f = FAULT_INIT;
	*ret_policy_met = o->policy == NULL;
	if (!signed_note_parse(s->checkpoint, &alone, &f) || !checkpoint_parse(alone.text, ret, &f) || alone.n_lines != 1) {
		verify_say(o, r, VERIFY_LINE_PROBLEM, table, id, "%s", f.kind ? f.text : "a checkpoint has one signature of its own");
		return false;
	}
	whole_note(s, &whole);
	bool ok = signed_note_parse(buf_view(&whole), &n, &f);
	if (!ok) verify_say(o, r, VERIFY_LINE_PROBLEM, table, id, "its cosignatures: %s", f.text);
	if (ok && hint && signed_note_check(&alone, hint, NULL) != NOTE_GOOD) {
		verify_say(o, r, VERIFY_LINE_PROBLEM, table, id, "the signature of %s does not hold", hint->name);
		ok = false;
	} else if (ok && hint) {
		verify_say(o, r, VERIFY_LINE_SEAL, table, id, "%" PRIu64 " rows sealed by %s (key %08x); whether that key is theirs is for you to know", ret->size, hint->name, hint->id);
	}
	if (ok && o->policy) {
		struct policy_result pr;
		*ret_policy_met = policy_check_note(o->policy, &n, &pr);
		say_signatures(o, r, table, id, &n, o->policy);
		if (pr.bad) ok = false;
	}
	if (ok) check_stamps(o, r, table, id, s);
	buf_done(&whole);
	return ok;
}

/* --- seals of a case ------------------------------------------------------------------------------------------------- */

/* Cosignatures and timestamps that belong to a checkpoint, in order; strings in the walk's arena. */
static bool gather(struct verify_walk *w, int64_t id, struct seal_parts *s, struct buf *lines, struct fault *f)
{
	sqlite3_stmt *q = case_db_prepare(w->db, "SELECT id, kind, bytes, vkey FROM seal WHERE of = ? ORDER BY id", f);
	struct str request = {0};
	if (!q) return false;
	sqlite3_bind_int64(q, 1, id);
	while (sqlite3_step(q) == SQLITE_ROW) {
		struct str kind = case_column_str(q, 1), bytes = arena_str(&w->arena, case_column_str(q, 2));
		if (str_eq(kind, STR("cosignature"))) {
			/* A line of its own, under the vkey it comes with; checked here, so that a bad one is named. */
			struct buf note = {0};
			struct signed_note n;
			struct key_public key;
			buf_str(&note, s->checkpoint);
			buf_str(&note, bytes);
			bool good = key_public_parse(case_column_str(q, 3), &key, NULL) && signed_note_parse(buf_view(&note), &n, NULL) && n.n_lines == 2 &&
				signed_note_check(&n, &key, NULL) == NOTE_GOOD;
			if (good) verify_say(w->o, w->r, VERIFY_LINE_SEAL, "seal", sqlite3_column_int64(q, 0), "cosigned by %s (key %08x)", key.name, key.id);
			else verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "seal", sqlite3_column_int64(q, 0), "a cosignature that does not hold");
			if (good) buf_str(lines, bytes);
			buf_done(&note);
		} else if (str_eq(kind, STR("timestamp-request"))) {
			request = bytes;
		} else if (s->n_stamps < COUNT(s->stamps)) {
			s->stamps[s->n_stamps].request = request;
			s->stamps[s->n_stamps++].response = bytes;
		}
	}
	sqlite3_finalize(q);
	s->cosignatures = buf_view(lines);
	return true;
}

static const struct prefix *prefix_of(const struct verify_walk *w, uint64_t size)
{
	for (size_t i = 0; i < w->prefixes.n; i++)
		if (w->prefixes.v[i].size == size) return &w->prefixes.v[i];
	return NULL;
}

static bool origin_names_case(struct verify_walk *w, struct str origin)
{
	sqlite3_stmt *q = case_db_prepare(w->db, "SELECT case_id FROM case_info WHERE id = 1", NULL);
	bool ok = false;
	if (q && sqlite3_step(q) == SQLITE_ROW) {
		struct str id = case_column_str(q, 0);
		ok = origin.n > id.n && str_ends(origin, id) && origin.p[origin.n - id.n - 1] == '/';
	}
	sqlite3_finalize(q);
	return ok;
}

static bool check_one(struct verify_walk *w, int64_t id, uint64_t stated, struct str bytes, struct str vkey, bool *ret_policy, struct fault *f)
{
	struct seal_parts s = {.checkpoint = bytes};
	struct buf lines = {0};
	struct key_public key;
	struct checkpoint c;
	bool met, known = key_public_parse(vkey, &key, NULL);
	if (!gather(w, id, &s, &lines, f)) return false;
	if (!known) verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "seal", id, "its key cannot be read");
	if (check_seal(w->o, w->r, "seal", id, &s, known ? &key : NULL, &c, &met)) {
		const struct prefix *p = prefix_of(w, c.size);
		bool tree = p && c.size == stated && hash_eq(&p->root, &c.root);
		if (!tree) verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "seal", id, "it seals %" PRIu64 " rows with another root: rows were changed since", c.size);
		else if (!origin_names_case(w, c.origin)) verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "seal", id, "it seals another case: %.*s", STR_FMT(c.origin));
		else {
			bool covers = c.size >= w->content_end;
			w->r->seals++;
			w->r->sealed |= covers;
			*ret_policy |= met && covers;
			if (!covers) verify_say(w->o, w->r, VERIFY_LINE_NOTE, "seal", id, "%" PRIu64 " rows came after it and are not covered", w->tree.tree.n - c.size);
		}
	}
	buf_done(&lines);
	return true;
}

static bool check_checkpoints(struct verify_walk *w, bool *ret_policy, struct fault *f)
{
	sqlite3_stmt *q = case_db_prepare(w->db, "SELECT id, size, bytes, vkey FROM seal WHERE kind = 'checkpoint' ORDER BY id", f);
	bool ok = q != NULL;
	while (ok && sqlite3_step(q) == SQLITE_ROW)
		ok = check_one(w, sqlite3_column_int64(q, 0), (uint64_t)sqlite3_column_int64(q, 1), arena_str(&w->arena, case_column_str(q, 2)), case_column_str(q, 3), ret_policy, f);
	sqlite3_finalize(q);
	return ok;
}

/* --- statements -------------------------------------------------------------------------------------------------------- */

/* Canonical text of a row, hashed as subjects name it; false when there is no such row. */
static bool row_digest(struct verify_walk *w, const char *table, int64_t id, uint8_t ret[32])
{
	struct case_rows *rows;
	struct case_row row;
	struct fault f = FAULT_INIT;
	char sql[96];
	int64_t step;
	bool found = false;
	snprintf(sql, sizeof sql, "SELECT step FROM %s WHERE id = %" PRId64, table, id);
	if (!case_db_int(w->db, sql, &step, &f) || !(rows = case_rows_new(w->db, step, &f))) return false;
	while (!found && case_rows_next(rows, &row, &f)) {
		found = row.id == id && !strcmp(case_table_name(row.table), table);
		if (found) sha256_of(row.text.p, row.text.n, ret);
	}
	case_rows_free(rows);
	return found;
}

/* Subjects named "finding/N" must have the digest of that row. */
static void check_subjects(struct verify_walk *w, int64_t id, struct str payload)
{
	struct statement_subject *v;
	struct str type, predicate;
	struct fault f = FAULT_INIT;
	size_t n;
	if (!statement_parse(payload, &w->arena, &v, &n, &type, &predicate, &f)) {
		verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "statement", id, "%s", f.text);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t finding;
		uint8_t digest[32];
		if (!str_starts(v[i].name, STR("finding/")) || !str_u64(str_sub(v[i].name, 8, SIZE_MAX), &finding)) continue;
		if (!row_digest(w, "finding", (int64_t)finding, digest) || memcmp(digest, v[i].sha256, 32))
			verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "statement", id, "it speaks of another finding %" PRIu64 " than the one in this case", finding);
	}
}

static bool check_signatures(struct verify_walk *w, int64_t id, struct str kind, struct str type, struct str payload, struct fault *f)
{
	sqlite3_stmt *q = case_db_prepare(w->db, "SELECT id, vkey, sig FROM signature WHERE statement = ? ORDER BY id", f);
	if (!q) return false;
	struct buf pae = {0};
	dsse_pae(type, payload, &pae);
	sqlite3_bind_int64(q, 1, id);
	while (sqlite3_step(q) == SQLITE_ROW) {
		struct key_public key;
		struct str sig = case_column_str(q, 2);
		bool good = key_public_parse(case_column_str(q, 1), &key, NULL) && sig.n == 64 && key_verify(&key, pae.p, pae.n, (const uint8_t *)sig.p);
		if (good) verify_say(w->o, w->r, VERIFY_LINE_SEAL, "statement", id, "%.*s signed by %s (key %08x)", STR_FMT(kind), key.name, key.id);
		else verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "signature", sqlite3_column_int64(q, 0), "a signature that does not hold");
	}
	sqlite3_finalize(q);
	buf_done(&pae);
	return true;
}

static bool check_statements(struct verify_walk *w, struct fault *f)
{
	sqlite3_stmt *q = case_db_prepare(w->db, "SELECT id, kind, payload_type, payload FROM statement ORDER BY id", f);
	bool ok = q != NULL;
	while (ok && sqlite3_step(q) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(q, 0);
		struct str payload = arena_str(&w->arena, case_column_str(q, 3));
		check_subjects(w, id, payload);
		ok = check_signatures(w, id, case_column_str(q, 1), case_column_str(q, 2), payload, f);
	}
	sqlite3_finalize(q);
	return ok;
}

bool check_seals(struct verify_walk *w, struct fault *f)
{
	bool policy = false;
	if (!check_checkpoints(w, &policy, f) || !check_statements(w, f)) return false;
	if (w->o->policy) {
		w->r->policy_met = policy;
		if (!policy) verify_say(w->o, w->r, VERIFY_LINE_NOTE, NULL, 0, "the policy is not met: no checkpoint that covers all findings has the signatures it demands");
	}
	if (!w->r->seals) verify_say(w->o, w->r, VERIFY_LINE_NOTE, NULL, 0, "nobody sealed this case: whoever could write it could have changed all of it");
	return true;
}
