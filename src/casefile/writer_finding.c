/* writer_finding.c: findings and kept hits written; hits of earlier steps read back; correlations that no longer come out so. */
#include "casefile/writer_internal.h"
#include <inttypes.h>

void case_matched_json(const struct match_detail *v, uint32_t n, struct buf *out)
{
	buf_byte(out, '[');
	for (uint32_t i = 0; i < n; i++) {
		const struct match_detail *m = &v[i];
		const struct { const char *name; struct str v; } parts[] = {{"{\"field\":", m->field}, {",\"pattern\":", m->pattern}, {",\"value\":", m->value}};
		if (i) buf_byte(out, ',');
		for (size_t k = 0; k < COUNT(parts); k++) {
			struct buf clean = {0};
			buf_str(out, str_of(parts[k].name));
			canon_repair(&clean, parts[k].v);
			canon_str(out, buf_view(&clean));
			buf_done(&clean);
		}
		buf_byte(out, '}');
	}
	buf_byte(out, ']');
}

static void json_pairs_of_group(const struct finding *x, struct buf *out)
{
	buf_byte(out, '[');
	for (uint32_t i = 0; i < x->n_group; i++) {
		struct buf clean = {0};
		buf_put(out, i ? ",[" : "[", i ? 2 : 1);
		canon_repair(&clean, x->group[i].name);
		canon_str(out, buf_view(&clean));
		buf_byte(out, ',');
		clean.n = 0;
		canon_repair(&clean, x->group[i].value);
		if (x->group[i].value.p) canon_str(out, buf_view(&clean));
		else buf_lit(out, "null");
		buf_byte(out, ']');
		buf_done(&clean);
	}
	buf_byte(out, ']');
}

/* Members of incidents as one object, its stages with their ranges of the evidence; nothing for other findings. */
static void json_extra(const struct finding *x, struct buf *out)
{
	if (!x->extra_json.n && !x->n_stages) return;
	buf_byte(out, '{');
	buf_str(out, x->extra_json);
	if (x->n_stages) buf_printf(out, "%s\"stages\":[", x->extra_json.n ? "," : "");
	for (uint32_t i = 0; i < x->n_stages; i++) {
		const struct finding_stage *s = &x->stages[i];
		buf_printf(out, "%s{%.*s%s\"evidence_from\":%u,\"evidence_n\":%u}", i ? "," : "", STR_FMT(s->json), s->json.n ? "," : "", s->from, s->n);
	}
	if (x->n_stages) buf_byte(out, ']');
	buf_byte(out, '}');
}

/* --- which correlations are there already ------------------------------------------------------------------------ */

/* What makes two correlation findings the same: rule, group, times, count, the records (not the contexts) they rest on. */
static void digest_of(int64_t rule, struct str groups, struct str times, uint64_t count, struct str refs, uint8_t ret[SHA256_SIZE])
{
	struct buf b = {0};
	buf_printf(&b, "%" PRId64 " %" PRIu64 " ", rule, count);
	const struct str parts[] = {groups, times, refs};
	for (size_t i = 0; i < COUNT(parts); i++) {
		buf_str(&b, parts[i]);
		buf_byte(&b, '\n');
	}
	sha256_of(b.p, b.n, ret);
	buf_done(&b);
}

static void times_of(const struct finding *x, struct buf *out)
{
	const struct etime t[] = {x->time, x->first, x->last};
	char text[ETIME_MAX];
	for (size_t i = 0; i < COUNT(t); i++) {
		buf_put(out, text, etime_print(t[i], t[i].digits, text));
		buf_byte(out, ' ');
	}
}

static void refs_of_rows(sqlite3_stmt *evidence, struct buf *out)
{
	while (sqlite3_step(evidence) == SQLITE_ROW)
		buf_printf(out, "%lld:%lld:%lld ", (long long)sqlite3_column_int64(evidence, 0), (long long)sqlite3_column_int64(evidence, 1),
			(long long)sqlite3_column_int64(evidence, 2));
}

static void join_times(sqlite3_stmt *s, int first_column, struct buf *out)
{
	for (int i = 0; i < 3; i++) {
		buf_str(out, case_column_str(s, first_column + i));
		buf_byte(out, ' ');
	}
}

/* The run's correlation findings of earlier steps that stand. */
static bool load_correlations(struct case_writer *w, struct fault *f)
{
	if (w->correlations_loaded) return true;
	w->correlations_loaded = true;
	sqlite3_stmt *s = case_db_prepare(w->db, "SELECT id, coalesce(rule, 0), groups, count, evidence_from, evidence_n, time, first, last FROM finding "
		"WHERE kind = 'correlation' AND run = ?1 AND step < ?2 AND id NOT IN (SELECT finding FROM superseded)", f);
	sqlite3_stmt *e = case_db_prepare(w->db, "SELECT source, offset, length FROM evidence WHERE id >= ?1 AND id < ?1 + ?2 AND role = 'record' ORDER BY id", f);
	if (s) sqlite3_bind_int64(s, 1, w->run), sqlite3_bind_int64(s, 2, w->step);
	while (s && e && sqlite3_step(s) == SQLITE_ROW) {
		struct buf times = {0}, refs = {0};
		uint8_t digest[SHA256_SIZE];
		sqlite3_bind_int64(e, 1, sqlite3_column_int64(s, 4));
		sqlite3_bind_int64(e, 2, sqlite3_column_int64(s, 5));
		refs_of_rows(e, &refs);
		sqlite3_reset(e);
		join_times(s, 6, &times);
		digest_of(sqlite3_column_int64(s, 1), case_column_str(s, 2), buf_view(&times), (uint64_t)sqlite3_column_int64(s, 3), buf_view(&refs), digest);
		map_put(&w->correlations, (struct str){(char *)digest, sizeof digest}, (uint32_t)sqlite3_column_int64(s, 0), NULL);
		buf_done(&times);
		buf_done(&refs);
	}
	bool ok = s && e;
	sqlite3_finalize(s);
	sqlite3_finalize(e);
	w->kept = xcalloc(w->correlations.n + 1, 1);
	return ok;
}

/* True when this very finding is there; it is then noted as standing. */
static bool stands_already(struct case_writer *w, const struct finding *x, int64_t rule, struct str groups, const struct cited *cited)
{
	struct buf times = {0}, refs = {0};
	uint8_t digest[SHA256_SIZE];
	times_of(x, &times);
	for (uint32_t i = 0; i < x->n_evidence; i++)
		if (x->evidence[i].role == EVIDENCE_RECORD) buf_printf(&refs, "%" PRId64 ":%" PRIu64 ":%" PRIu64 " ", cited[i].source, x->evidence[i].offset, x->evidence[i].length);
	digest_of(rule, groups, buf_view(&times), x->count, buf_view(&refs), digest);
	uint32_t *id = map_get(&w->correlations, (struct str){(char *)digest, sizeof digest});
	for (uint32_t i = 0; id && i < w->correlations.n; i++)
		if (&w->correlations.entries[i].value == id) w->kept[i] = 1;
	buf_done(&times);
	buf_done(&refs);
	return id != NULL;
}

bool case_supersede_rest(struct case_writer *w, struct fault *f)
{
	if (!load_correlations(w, f)) return false;
	for (uint32_t i = 0; i < w->correlations.n; i++) {
		if (w->kept[i]) continue;
		if (!row_begin(w, CASE_SUPERSEDED, f)) return false;
		row_int(w, w->correlations.entries[i].value);
		if (!row_end(w, f)) return false;
	}
	return true;
}

/* --- findings --------------------------------------------------------------------------------------------------- */

static bool write_evidence(struct case_writer *w, const struct finding *x, const struct cited *cited, struct fault *f)
{
	for (uint32_t i = 0; i < x->n_evidence; i++) {
		const struct evidence_ref *e = &x->evidence[i];
		if (!row_begin(w, CASE_EVIDENCE, f)) return false;
		row_int(w, w->next_id[CASE_FINDING]);
		row_int(w, cited[i].source);
		row_int(w, (int64_t)e->offset);
		row_int(w, (int64_t)e->length);
		row_int(w, e->line);
		row_blob(w, e->sha256, SHA256_SIZE);
		row_text(w, e->role == EVIDENCE_CONTEXT ? STR("context") : STR("record"));
		row_int(w, e->recovered);
		row_int(w, (int64_t)cited[i].leaf);
		row_int(w, (int64_t)cited[i].leaves);
		if (!row_end(w, f)) return false;
	}
	return true;
}

static bool write_finding(struct case_writer *w, const struct finding *x, int64_t rule, struct str groups, struct fault *f)
{
	if (!row_begin(w, CASE_FINDING, f)) return false;
	row_int(w, w->run);
	row_text(w, str_of(finding_kind_word(x->kind)));
	row_text(w, str_of(level_word(x->level)));
	row_time(w, x->time);
	rule ? row_int(w, rule) : row_null(w);
	row_text(w, x->title);
	row_text(w, x->host);
	row_text(w, x->channel);
	x->event_id >= 0 ? row_int(w, x->event_id) : row_null(w);
	x->has_record_id ? row_int(w, (int64_t)x->record_id) : row_null(w);
	w->text.n = 0;
	case_matched_json(x->matched, x->n_matched, &w->text);
	row_text(w, buf_view(&w->text));
	row_text(w, x->fields_json);
	row_text(w, groups);
	row_int(w, (int64_t)x->count);
	row_time(w, x->first);
	row_time(w, x->last);
	w->text.n = 0;
	json_extra(x, &w->text);
	row_text(w, buf_view(&w->text));
	row_int(w, (int64_t)(x->evidence_total ? x->evidence_total : x->n_evidence));
	x->has_root ? row_blob(w, x->root, SHA256_SIZE) : row_null(w);
	row_int(w, w->next_id[CASE_EVIDENCE] - x->n_evidence);
	row_int(w, x->n_evidence);
	return row_end(w, f);
}

bool case_add_finding(struct case_writer *w, const struct finding *x, struct fault *f)
{
	if (!x->n_evidence) {
		fault_set(f, FAULT_STATE, "a finding without evidence is refused");
		return false;
	}
	if (x->rule && x->rule_index >= w->rules.n) {
		fault_set(f, FAULT_STATE, "a finding names rule %u of %zu", x->rule_index, w->rules.n);
		return false;
	}
	int64_t rule = x->rule ? w->rules.v[x->rule_index].id : 0;
	struct cited *cited = xmalloc(x->n_evidence * sizeof *cited);
	struct buf groups = {0};
	bool ok = true;
	for (uint32_t i = 0; ok && i < x->n_evidence; i++) ok = writer_cite(w, &x->evidence[i], &cited[i], f);
	json_pairs_of_group(x, &groups);
	bool there = ok && x->kind == FINDING_CORRELATION && !w->run_is_new;
	if (there) {
		ok = load_correlations(w, f);
		there = ok && stands_already(w, x, rule, buf_view(&groups), cited);
	}
	if (ok && !there) ok = write_evidence(w, x, cited, f) && write_finding(w, x, rule, buf_view(&groups), f);
	buf_done(&groups);
	free(cited);
	return ok;
}

bool case_add_hit(struct case_writer *w, const struct case_hit *h, struct fault *f)
{
	struct buf fields = {0}, refs = {0}, clean = {0};
	bool ok = h->rule < w->rules.n && h->n_evidence;
	if (!ok) fault_set(f, FAULT_STATE, "a hit without evidence or rule is refused");
	buf_byte(&fields, '[');
	for (uint32_t i = 0; i < h->n_values; i++) {
		if (i) buf_byte(&fields, ',');
		clean.n = 0;
		if (h->values[i].p) canon_repair(&clean, h->values[i]);
		if (h->values[i].p) canon_str(&fields, buf_view(&clean));
		else buf_lit(&fields, "null");
	}
	buf_byte(&fields, ']');
	buf_byte(&refs, '[');
	for (uint32_t i = 0; ok && i < h->n_evidence; i++) {
		struct cited c;
		ok = writer_cite(w, &h->evidence[i], &c, f);
		if (i) buf_byte(&refs, ',');
		if (ok) writer_ref_json(&h->evidence[i], &c, &refs);
	}
	buf_byte(&refs, ']');
	ok = ok && row_begin(w, CASE_HIT, f);
	if (ok) {
		row_int(w, w->run);
		row_int(w, w->rules.v[h->rule].id);
		row_time(w, h->time);
		row_text(w, h->host);
		row_text(w, buf_view(&fields));
		row_text(w, buf_view(&refs));
		ok = row_end(w, f);
	}
	buf_done(&fields);
	buf_done(&refs);
	buf_done(&clean);
	return ok;
}

/* --- hits of earlier steps -------------------------------------------------------------------------------------- */

struct case_hits {
	struct case_writer *w;
	sqlite3_stmt *rows, *values, *refs;
	struct arena arena;
};

struct case_hits *case_old_hits(struct case_writer *w, struct fault *f)
{
	struct case_hits *h = xcalloc(1, sizeof *h);
	h->w = w;
	arena_init(&h->arena, 64 << 20);
	/* SQLite reads back the JSON that this room wrote. */
	h->rows = case_db_prepare(w->db, "SELECT hit.id, rule.n, hit.time, hit.host, hit.fields, hit.evidence FROM hit JOIN rule ON rule.id = hit.rule "
		"WHERE hit.run = ?1 AND hit.step < ?2 ORDER BY hit.time IS NOT NULL, rtrim(hit.time, 'Z'), hit.id", f);
	h->values = case_db_prepare(w->db, "SELECT type, atom FROM json_each(?1)", f);
	h->refs = case_db_prepare(w->db, "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]'), "
		"json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[4]'), json_extract(value, '$[5]') FROM json_each(?1)", f);
	if (h->rows && h->values && h->refs) {
		sqlite3_bind_int64(h->rows, 1, w->run);
		sqlite3_bind_int64(h->rows, 2, w->step);
		return h;
	}
	case_hits_free(h);
	return NULL;
}

void case_hits_free(struct case_hits *h)
{
	if (!h) return;
	sqlite3_finalize(h->rows);
	sqlite3_finalize(h->values);
	sqlite3_finalize(h->refs);
	arena_done(&h->arena);
	free(h);
}

static uint32_t count_of(sqlite3_stmt *s, struct str json)
{
	uint32_t n = 0;
	sqlite3_bind_text64(s, 1, json.p, json.n, SQLITE_TRANSIENT, SQLITE_UTF8);
	while (sqlite3_step(s) == SQLITE_ROW) n++;
	sqlite3_reset(s);
	return n;
}

/* SHA-256 of the referred bytes, from the kept leaves. */
static bool old_digest(struct case_hits *h, int64_t source, uint64_t leaf, uint64_t leaves, struct evidence_ref *e, struct fault *f)
{
	struct buf b = {0};
	uint64_t first = 0, reach = 0;
	sqlite3_stmt *s = case_db_prepare(h->w->db, "SELECT offset, bytes FROM record WHERE source = ?1 AND leaf >= ?2 AND leaf < ?2 + ?3 ORDER BY leaf", f);
	if (!s) return false;
	sqlite3_bind_int64(s, 1, source);
	sqlite3_bind_int64(s, 2, (int64_t)leaf);
	sqlite3_bind_int64(s, 3, (int64_t)leaves);
	for (bool any = false; sqlite3_step(s) == SQLITE_ROW; any = true) {
		uint64_t offset = (uint64_t)sqlite3_column_int64(s, 0);
		if (!any) first = reach = offset;
		if (offset == reach + 1) buf_byte(&b, '\n');
		buf_str(&b, case_column_str(s, 1));
		reach = first + b.n;
	}
	sqlite3_finalize(s);
	bool ok = e->offset >= first && e->offset - first <= b.n && e->length <= b.n - (e->offset - first);
	if (ok) sha256_of(b.p + (e->offset - first), e->length, e->sha256);
	else fault_set(f, FAULT_CORRUPT, "a kept hit names bytes that the case does not hold");
	buf_done(&b);
	return ok;
}

static bool read_refs(struct case_hits *h, struct str json, struct case_hit *ret, struct fault *f)
{
	uint32_t n = count_of(h->refs, json), i = 0;
	struct evidence_ref *v = arena_calloc(&h->arena, n, sizeof *v);
	bool ok = v && n;
	sqlite3_bind_text64(h->refs, 1, json.p, json.n, SQLITE_TRANSIENT, SQLITE_UTF8);
	for (; ok && i < n && sqlite3_step(h->refs) == SQLITE_ROW; i++) {
		int64_t source = sqlite3_column_int64(h->refs, 0);
		v[i].source = CASE_OLD_SOURCE + (uint32_t)source;
		v[i].offset = (uint64_t)sqlite3_column_int64(h->refs, 1);
		v[i].length = (uint64_t)sqlite3_column_int64(h->refs, 2);
		v[i].line = (uint32_t)sqlite3_column_int64(h->refs, 3);
		v[i].role = str_eq(case_column_str(h->refs, 4), STR("context")) ? EVIDENCE_CONTEXT : EVIDENCE_RECORD;
		v[i].recovered = sqlite3_column_int(h->refs, 5) != 0;
		ok = old_digest(h, source, (uint64_t)sqlite3_column_int64(h->refs, 6), (uint64_t)sqlite3_column_int64(h->refs, 7), &v[i], f);
	}
	sqlite3_reset(h->refs);
	ret->evidence = v;
	ret->n_evidence = n;
	if (!ok && f && !f->kind) fault_set(f, FAULT_CORRUPT, "a kept hit cannot be read");
	return ok;
}

static bool read_values(struct case_hits *h, struct str json, struct case_hit *ret)
{
	uint32_t n = count_of(h->values, json), i = 0;
	struct str *v = arena_calloc(&h->arena, n, sizeof *v);
	sqlite3_bind_text64(h->values, 1, json.p, json.n, SQLITE_TRANSIENT, SQLITE_UTF8);
	for (; v && i < n && sqlite3_step(h->values) == SQLITE_ROW; i++)
		if (!str_eq(case_column_str(h->values, 0), STR("null"))) v[i] = arena_str(&h->arena, case_column_str(h->values, 1));
	sqlite3_reset(h->values);
	ret->values = v;
	ret->n_values = n;
	return v != NULL;
}

bool case_old_hits_next(struct case_hits *h, struct case_hit *ret, struct fault *f)
{
	*f = FAULT_INIT;
	arena_reset(&h->arena);
	int code = sqlite3_step(h->rows);
	if (code != SQLITE_ROW) {
		if (code != SQLITE_DONE) case_db_fault(h->w->db, f, "hit");
		return false;
	}
	struct case_hit x = {.rule = (uint32_t)sqlite3_column_int64(h->rows, 1)};
	struct str time = case_column_str(h->rows, 2);
	if (time.n && !etime_parse(time, &x.time, NULL)) {
		fault_set(f, FAULT_CORRUPT, "hit %lld: its time cannot be read", (long long)sqlite3_column_int64(h->rows, 0));
		return false;
	}
	x.host = arena_str(&h->arena, case_column_str(h->rows, 3));
	if (!read_values(h, case_column_str(h->rows, 4), &x) || !read_refs(h, case_column_str(h->rows, 5), &x, f)) return false;
	*ret = x;
	return true;
}
