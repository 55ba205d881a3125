/* disclose.c: a bundle made from a case. See verify.h and doc/format-bundle.md.
 *
 * First which rows belong to it (by id, per table), then one walk over all rows for their places, salts and the proof, then for
 * each source a proof narrowed to the records shown; a source with a range is read again, because the case does not have its
 * other leaves. */
#include "verify/verify_internal.h"

struct ids { int64_t *v; size_t n, cap; };

struct disclosure {
	struct case_file *c;
	const struct disclose_options *o;
	struct ids rows[CASE_TABLES];
	uint64_t size;            /* of the tree the proof is for */
	int64_t seal;             /* its row; 0 = none */
	struct hash root;
	struct buf rows_json, proof, out;
	VEC(struct hash) hashes;
	struct fault *f;
};

static bool has(const struct ids *v, int64_t id)
{
	for (size_t i = v->n; i-- > 0;)
		if (v->v[i] == id) return true;
	return false;
}
static void take(struct disclosure *d, enum case_table t, int64_t id)
{
	if (id) vec_push(&d->rows[t], id);
}

static int by_id(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
	return (a > b) - (a < b);
}
/* Ascending, each once. */
static void sort_ids(struct ids *v)
{
	size_t n = 0;
	if (v->n) qsort(v->v, v->n, sizeof *v->v, by_id);
	for (size_t i = 0; i < v->n; i++)
		if (!n || v->v[n - 1] != v->v[i]) v->v[n++] = v->v[i];
	v->n = n;
}
static bool has_sorted(const struct ids *v, int64_t id) { return v->n && bsearch(&id, v->v, v->n, sizeof id, by_id); }

/* Runs `sql` with one number bound and takes the first column of each row as ids of `t`. */
static bool take_all(struct disclosure *d, enum case_table t, const char *sql, int64_t value)
{
	sqlite3_stmt *s = case_db_prepare(d->c->db, sql, d->f);
	if (!s) return false;
	sqlite3_bind_int64(s, 1, value);
	while (sqlite3_step(s) == SQLITE_ROW) take(d, t, sqlite3_column_int64(s, 0));
	sqlite3_finalize(s);
	return true;
}

/* The value behind "name:" at the start of a line. */
static struct str yaml_name(struct str text)
{
	for (struct str rest = text; rest.p;) {
		struct str line = str_cut(&rest, '\n');
		if (str_starts(line, STR("name:"))) return str_trim(str_sub(line, 5, SIZE_MAX));
	}
	return (struct str){0};
}

/* Rules that the text of a correlation names, by id or name; and what those name. Bounded by the number of rules. */
static bool take_rules(struct disclosure *d, int64_t rule)
{
	if (has(&d->rows[CASE_RULE], rule)) return true;
	take(d, CASE_RULE, rule);
	sqlite3_stmt *s = case_db_prepare(d->c->db, "SELECT r.run, r.text, r.correlation, t.bytes FROM rule r JOIN rule_text t ON t.id = r.text WHERE r.id = ?", d->f);
	sqlite3_stmt *o = case_db_prepare(d->c->db, "SELECT r.id, r.rule_id, t.bytes FROM rule r JOIN rule_text t ON t.id = r.text WHERE r.run = ? AND r.id <> ?", d->f);
	bool ok = s && o;
	if (ok) sqlite3_bind_int64(s, 1, rule);
	if (ok && sqlite3_step(s) == SQLITE_ROW) {
		struct str text = case_column_str(s, 3);
		take(d, CASE_RUN, sqlite3_column_int64(s, 0));
		take(d, CASE_RULE_TEXT, sqlite3_column_int64(s, 1));
		sqlite3_bind_int64(o, 1, sqlite3_column_int64(s, 0));
		sqlite3_bind_int64(o, 2, rule);
		while (ok && sqlite3_column_int(s, 2) && sqlite3_step(o) == SQLITE_ROW) {
			struct str id = case_column_str(o, 1), name = yaml_name(case_column_str(o, 2));
			bool named = (id.n && str_find(text, id, 0) != SIZE_MAX) || (name.n && str_find(text, name, 0) != SIZE_MAX);
			if (named) ok = take_rules(d, sqlite3_column_int64(o, 0));
		}
	}
	sqlite3_finalize(s);
	sqlite3_finalize(o);
	return ok;
}

static bool take_records(struct disclosure *d, int64_t finding)
{
	sqlite3_stmt *s = case_db_prepare(d->c->db, "SELECT e.id, e.source, r.id FROM finding f JOIN evidence e ON e.id >= f.evidence_from AND e.id < f.evidence_from + f.evidence_n "
		"JOIN record r ON r.source = e.source AND r.leaf >= e.leaf AND r.leaf < e.leaf + e.leaves WHERE f.id = ?", d->f);
	if (!s) return false;
	sqlite3_bind_int64(s, 1, finding);
	while (sqlite3_step(s) == SQLITE_ROW) {
		take(d, CASE_EVIDENCE, sqlite3_column_int64(s, 0));
		take(d, CASE_SOURCE, sqlite3_column_int64(s, 1));
		take(d, CASE_RECORD, sqlite3_column_int64(s, 2));
	}
	sqlite3_finalize(s);
	return true;
}

static bool take_finding(struct disclosure *d, int64_t id)
{
	sqlite3_stmt *s = case_db_prepare(d->c->db, "SELECT step, run, rule FROM finding WHERE id = ?", d->f);
	if (!s) return false;
	sqlite3_bind_int64(s, 1, id);
	bool ok = sqlite3_step(s) == SQLITE_ROW;
	if (ok) {
		take(d, CASE_FINDING, id);
		take(d, CASE_STEP, sqlite3_column_int64(s, 0));
		take(d, CASE_RUN, sqlite3_column_int64(s, 1));
		int64_t rule = sqlite3_column_int64(s, 2);
		ok = take_records(d, id) && take_all(d, CASE_SUPERSEDED, "SELECT id FROM superseded WHERE finding = ?", id) && (!rule || take_rules(d, rule));
	} else {
		fault_set(d->f, FAULT_NOT_FOUND, "the case has no finding %" PRId64, id);
	}
	sqlite3_finalize(s);
	return ok;
}

static bool take_everything(struct disclosure *d)
{
	bool ok = true;
	take(d, CASE_INFO, 1);
	for (size_t i = 0; ok && i < d->o->n_findings; i++) ok = take_finding(d, d->o->findings[i]);
	for (size_t i = 0; ok && i < d->o->n_ranges; i++) {
		int64_t n = 0;
		char sql[96];
		snprintf(sql, sizeof sql, "SELECT count(*) FROM source WHERE id = %" PRId64 " AND root IS NOT NULL", d->o->ranges[i].source);
		ok = case_db_int(d->c->db, sql, &n, d->f);
		if (ok && !n) ok = false, fault_set(d->f, FAULT_NOT_FOUND, "the case has no source %" PRId64 " with a record tree", d->o->ranges[i].source);
		take(d, CASE_SOURCE, d->o->ranges[i].source);
	}
	sort_ids(&d->rows[CASE_SOURCE]);
	for (size_t i = 0; ok && i < d->rows[CASE_SOURCE].n; i++) ok = take_all(d, CASE_STEP, "SELECT step FROM source WHERE id = ?", d->rows[CASE_SOURCE].v[i]);
	for (int t = 0; t < CASE_TABLES; t++) sort_ids(&d->rows[t]);
	return ok;
}

/* --- rows and their proof ---------------------------------------------------------------------------------------------- */

static bool keep_hash(void *arg, const struct hash *h)
{
	struct disclosure *d = arg;
	vec_push(&d->hashes, *h);
	return true;
}

static void print_hashes(struct disclosure *d, struct buf *out)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < d->hashes.n; i++) {
		if (i) buf_byte(out, ',');
		canon_bytes(out, d->hashes.v[i].b, 32);
	}
	buf_byte(out, ']');
	d->hashes.n = 0;
}

/* The tree of `size` leaves (0: all), walked: rows that are shown are printed, the proof is made. The last leaf shown in *ret_last. */
static bool walk_tree(struct disclosure *d, uint64_t size, uint64_t *ret_last)
{
	struct case_row row;
	struct fault inner = FAULT_INIT;
	struct multiproof p = {.emit = keep_hash, .arg = d};
	struct salt_stream salts = {.block = UINT64_MAX};
	memcpy(salts.key, d->c->state.row_key, sizeof salts.key);
	struct case_rows *rows = case_rows_new(d->c->db, 1, d->f);
	if (!rows) return false;
	d->rows_json.n = d->hashes.n = 0;
	while ((!size || p.n < size) && case_rows_next(rows, &row, &inner)) {
		const uint8_t *salt = salt_at(&salts, p.n);
		struct hash h = case_row_hash(salt, row.text);
		bool shown = has_sorted(&d->rows[row.table], row.id);
		if (shown) {
			*ret_last = p.n;
			buf_printf(&d->rows_json, "%s{\"leaf\":%" PRIu64 ",\"row\":", d->rows_json.n ? "," : "", p.n);
			canon_str(&d->rows_json, row.text);
			buf_lit(&d->rows_json, ",\"salt\":");
			canon_bytes(&d->rows_json, salt, SALT_SIZE);
			buf_byte(&d->rows_json, '}');
		}
		multiproof_add(&p, &h, shown);
	}
	case_rows_free(rows);
	if (inner.kind) {
		if (d->f) *d->f = inner;
		return false;
	}
	d->size = p.n;
	(void)multiproof_end(&p, &d->root);
	d->proof.n = 0;
	print_hashes(d, &d->proof);
	return true;
}

/* Against the newest seal if it covers what is shown, else against all rows, unsealed. */
static bool prove_rows(struct disclosure *d)
{
	sqlite3_stmt *s = case_db_prepare(d->c->db, "SELECT id, size FROM seal WHERE kind = 'checkpoint' ORDER BY size DESC LIMIT 1", d->f);
	uint64_t last = 0, sealed = 0;
	if (!s) return false;
	if (sqlite3_step(s) == SQLITE_ROW) {
		d->seal = sqlite3_column_int64(s, 0);
		sealed = (uint64_t)sqlite3_column_int64(s, 1);
	}
	sqlite3_finalize(s);
	if (!walk_tree(d, 0, &last)) return false;
	if (d->seal && last < sealed) return walk_tree(d, sealed, &last);
	d->seal = 0;
	return true;
}

/* --- sources ------------------------------------------------------------------------------------------------------------ */

struct source_input {
	sqlite3_stmt *records, *proof; /* of the case, in order */
	struct str part;
	const struct ids *shown;              /* record rows shown */
	sqlite3_stmt *wanted;
};

static bool case_leaf(void *arg, uint64_t *index, struct hash *leaf)
{
	struct source_input *in = arg;
	if (sqlite3_step(in->records) != SQLITE_ROW) return false;
	struct str salt = case_column_str(in->records, 1), bytes = case_column_str(in->records, 2);
	if (salt.n != SALT_SIZE) return false;
	*index = (uint64_t)sqlite3_column_int64(in->records, 0);
	*leaf = source_leaf_hash((const uint8_t *)salt.p, bytes.p, bytes.n);
	return true;
}

static bool case_hash(void *arg, struct hash *h)
{
	struct source_input *in = arg;
	while (in->part.n < 32) {
		if (sqlite3_step(in->proof) != SQLITE_ROW) return false;
		in->part = case_column_str(in->proof, 0);
	}
	memcpy(h->b, in->part.p, 32);
	in->part = str_sub(in->part, 32, SIZE_MAX);
	return true;
}

static bool shown_leaf(void *arg, uint64_t *index)
{
	struct source_input *in = arg;
	while (sqlite3_step(in->wanted) == SQLITE_ROW) {
		if (!has_sorted(in->shown, sqlite3_column_int64(in->wanted, 1))) continue;
		*index = (uint64_t)sqlite3_column_int64(in->wanted, 0);
		return true;
	}
	return false;
}

struct source_facts { uint64_t leaves, number; int64_t member; /* -1: in no container */ struct hash root; int64_t step; struct buf path, framing; };

static bool read_facts(struct disclosure *d, int64_t id, struct source_facts *ret)
{
	sqlite3_stmt *s = case_db_prepare(d->c->db, "SELECT leaves, root, step, number, path, framing, coalesce(member, -1) FROM source WHERE id = ? AND length(root) = 32", d->f);
	if (!s) return false;
	sqlite3_bind_int64(s, 1, id);
	bool ok = sqlite3_step(s) == SQLITE_ROW;
	if (ok) {
		ret->leaves = (uint64_t)sqlite3_column_int64(s, 0);
		memcpy(ret->root.b, case_column_str(s, 1).p, 32);
		ret->step = sqlite3_column_int64(s, 2);
		ret->number = (uint64_t)sqlite3_column_int64(s, 3);
		buf_str(&ret->path, case_column_str(s, 4));
		buf_str(&ret->framing, case_column_str(s, 5));
		ret->member = sqlite3_column_int64(s, 6);
	} else {
		fault_set(d->f, FAULT_CORRUPT, "source %" PRId64 " has no record tree", id);
	}
	sqlite3_finalize(s);
	return ok;
}

static bool narrow_proof(struct disclosure *d, int64_t id, const struct source_facts *facts)
{
	static const char records[] = "SELECT leaf, salt, bytes FROM record WHERE source = ? ORDER BY leaf", proof[] = "SELECT hashes FROM proof WHERE source = ? ORDER BY part",
		wanted[] = "SELECT leaf, id FROM record WHERE source = ? ORDER BY leaf";
	struct source_input in = {.records = case_db_prepare(d->c->db, records, d->f), .proof = case_db_prepare(d->c->db, proof, d->f),
		.wanted = case_db_prepare(d->c->db, wanted, d->f), .shown = &d->rows[CASE_RECORD]};
	bool ok = in.records && in.proof && in.wanted;
	struct hash root;
	if (ok) {
		sqlite3_bind_int64(in.records, 1, id);
		sqlite3_bind_int64(in.proof, 1, id);
		sqlite3_bind_int64(in.wanted, 1, id);
		struct multiproof_input mi = {&in, case_leaf, case_hash};
		ok = multiproof_narrow(&mi, facts->leaves, shown_leaf, &in, keep_hash, d, &root) && hash_eq(&root, &facts->root);
		if (!ok) fault_set(d->f, FAULT_VERIFY, "the records of source %" PRId64 " are not in its record tree: verify the case", id);
	}
	sqlite3_finalize(in.records);
	sqlite3_finalize(in.proof);
	sqlite3_finalize(in.wanted);
	return ok;
}

/* --- ranges -------------------------------------------------------------------------------------------------------------- */

static bool feed_all(struct input *in, struct source_tree *tree, struct fault *f)
{
	enum { BLOCK = 256 << 10 };
	char *block = xmalloc(BLOCK);
	int64_t got;
	while ((got = input_next(in, block, BLOCK, f)) > 0) source_tree_feed(tree, block, (size_t)got);
	free(block);
	return got == 0 && source_tree_finish(tree, f);
}

static struct source_tree *rebuild(struct disclosure *d, const struct source_facts *facts, struct leaf_store *store, struct input *in)
{
	enum framing framing;
	struct salt_stream salts;
	const struct verify_sources *src = d->o->sources;
	if (!src || !src->key || !framing_parse(buf_view(&facts->framing), &framing) || framing == FRAMING_RECORDS) {
		fault_set(d->f, FAULT_STATE, "a range needs the originals (--sources) and the salt key");
		return NULL;
	}
	if (!src->open(src->arg, buf_view(&facts->path), facts->member, in, d->f)) return NULL;
	salt_stream_init(&salts, src->key, SALT_SOURCE, (uint32_t)facts->step, facts->number, buf_view(&facts->path));
	struct source_tree *t = source_tree_new(store, framing, &salts);
	struct hash root;
	if (feed_all(in, t, d->f)) {
		root = source_tree_root(t);
		if (source_tree_count(t) == facts->leaves && hash_eq(&root, &facts->root)) return t;
		fault_set(d->f, FAULT_VERIFY, "the original or the salt key is not the one of this case");
	}
	source_tree_free(t);
	input_close(in);
	return NULL;
}

struct marks { uint64_t *v; size_t n, at; };
static bool next_of_marks(void *arg, uint64_t *index)
{
	struct marks *m = arg;
	if (m->at == m->n) return false;
	*index = m->v[m->at++];
	return true;
}

static int by_leaf(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
	return (a > b) - (a < b);
}

static bool in_records(struct disclosure *d, int64_t source, uint64_t leaf)
{
	char sql[128];
	int64_t id;
	snprintf(sql, sizeof sql, "SELECT coalesce(max(id), 0) FROM record WHERE source = %" PRId64 " AND leaf = %" PRIu64, source, leaf);
	return case_db_int(d->c->db, sql, &id, NULL) && id && has_sorted(&d->rows[CASE_RECORD], id);
}

static bool print_leaf(struct disclosure *d, struct source_tree *t, struct input *in, uint64_t leaf, bool first)
{
	struct source_leaf l;
	struct buf bytes = {0};
	bool ok = source_tree_leaf(t, leaf, &l, d->f);
	if (ok) {
		buf_reserve(&bytes, l.length);
		ok = input_pread(in, bytes.p, l.length, l.offset, d->f) == (int64_t)l.length;
	}
	if (ok) {
		if (!first) buf_byte(&d->out, ',');
		buf_lit(&d->out, "{\"bytes\":");
		canon_bytes(&d->out, bytes.p, l.length);
		buf_printf(&d->out, ",\"leaf\":%" PRIu64 ",\"offset\":%" PRIu64 ",\"salt\":", leaf, l.offset);
		canon_bytes(&d->out, l.salt, SALT_SIZE);
		buf_byte(&d->out, '}');
	}
	buf_done(&bytes);
	return ok;
}

/* All leaves to be shown of a source with ranges, ascending, each once. False when a range passes the end. */
static bool gather_marks(struct disclosure *d, int64_t id, uint64_t leaves, struct marks *m)
{
	VEC(uint64_t) v = {0};
	for (size_t i = 0; i < d->o->n_ranges; i++) {
		const struct disclose_range *r = &d->o->ranges[i];
		if (r->source != id) continue;
		if (r->first >= leaves || r->n > leaves - r->first || !r->n || r->n > 1 << 22) {
			fault_set(d->f, FAULT_NOT_FOUND, "source %" PRId64 " has %" PRIu64 " leaves; the range does not fit", id, leaves);
			vec_free(&v);
			return false;
		}
		for (uint64_t k = 0; k < r->n; k++) vec_push(&v, r->first + k);
	}
	sqlite3_stmt *s = case_db_prepare(d->c->db, "SELECT leaf, id FROM record WHERE source = ?", NULL);
	sqlite3_bind_int64(s, 1, id);
	while (s && sqlite3_step(s) == SQLITE_ROW)
		if (has_sorted(&d->rows[CASE_RECORD], sqlite3_column_int64(s, 1))) vec_push(&v, (uint64_t)sqlite3_column_int64(s, 0));
	sqlite3_finalize(s);
	qsort(v.v, v.n, sizeof *v.v, by_leaf);
	size_t n = 0;
	for (size_t i = 0; i < v.n; i++)
		if (!n || v.v[n - 1] != v.v[i]) v.v[n++] = v.v[i];
	*m = (struct marks){v.v, n, 0};
	return true;
}

static bool range_proof(struct disclosure *d, int64_t id, const struct source_facts *facts)
{
	struct leaf_store *store = leaf_store_new(NULL, d->f);
	struct input in;
	struct marks m = {0};
	struct hash root;
	struct source_tree *t = store ? rebuild(d, facts, store, &in) : NULL;
	bool ok = t && gather_marks(d, id, facts->leaves, &m) && source_tree_prove(t, next_of_marks, &m, keep_hash, d, &root, d->f);
	buf_lit(&d->out, "\"leaves\":[");
	bool first = true;
	for (size_t i = 0; ok && i < m.n; i++) {
		if (in_records(d, id, m.v[i])) continue;
		ok = print_leaf(d, t, &in, m.v[i], first);
		first = false;
	}
	buf_byte(&d->out, ']');
	if (t) input_close(&in);
	source_tree_free(t);
	leaf_store_free(store);
	free(m.v);
	return ok;
}

static bool print_source(struct disclosure *d, int64_t id)
{
	struct source_facts facts = {0};
	bool ranged = false, ok = read_facts(d, id, &facts), first = true;
	for (size_t i = 0; i < d->o->n_ranges; i++) ranged |= d->o->ranges[i].source == id;
	buf_byte(&d->out, '{');
	if (ok && ranged) ok = range_proof(d, id, &facts);
	else if (ok) ok = narrow_proof(d, id, &facts), buf_lit(&d->out, "\"leaves\":[]");
	buf_lit(&d->out, ",\"proof\":");
	print_hashes(d, &d->out);
	buf_lit(&d->out, ",\"ranges\":[");
	for (size_t i = 0; i < d->o->n_ranges; i++) {
		const struct disclose_range *r = &d->o->ranges[i];
		if (r->source != id) continue;
		buf_printf(&d->out, "%s{\"first\":%" PRIu64 ",\"n\":%" PRIu64 "}", first ? "" : ",", r->first, r->n);
		first = false;
	}
	buf_printf(&d->out, "],\"source\":%" PRId64 "}", id);
	buf_done(&facts.path);
	buf_done(&facts.framing);
	return ok;
}

/* --- the whole ----------------------------------------------------------------------------------------------------------- */

static bool print_seal(struct disclosure *d)
{
	if (!d->seal) {
		buf_lit(&d->out, "null");
		return true;
	}
	sqlite3_stmt *s = case_db_prepare(d->c->db, "SELECT kind, vkey, bytes FROM seal WHERE id = ?1 OR of = ?1 ORDER BY id", d->f);
	if (!s) return false;
	struct buf checkpoint = {0}, cosignatures = {0}, stamps = {0}, vkey = {0}, request = {0};
	sqlite3_bind_int64(s, 1, d->seal);
	while (sqlite3_step(s) == SQLITE_ROW) {
		struct str kind = case_column_str(s, 0), bytes = case_column_str(s, 2);
		if (str_eq(kind, STR("checkpoint"))) buf_str(&checkpoint, bytes), buf_str(&vkey, case_column_str(s, 1));
		else if (str_eq(kind, STR("cosignature"))) {
			buf_printf(&cosignatures, "%s{\"line\":", cosignatures.n ? "," : "");
			canon_str(&cosignatures, bytes);
			buf_lit(&cosignatures, ",\"vkey\":");
			canon_str(&cosignatures, case_column_str(s, 1));
			buf_byte(&cosignatures, '}');
		} else if (str_eq(kind, STR("timestamp-request"))) request.n = 0, canon_bytes(&request, bytes.p, bytes.n);
		else {
			buf_printf(&stamps, "%s{\"request\":", stamps.n ? "," : "");
			request.n ? buf_str(&stamps, buf_view(&request)) : buf_lit(&stamps, "null");
			buf_lit(&stamps, ",\"response\":");
			canon_bytes(&stamps, bytes.p, bytes.n);
			buf_byte(&stamps, '}');
		}
	}
	sqlite3_finalize(s);
	buf_lit(&d->out, "{\"checkpoint\":");
	canon_str(&d->out, buf_view(&checkpoint));
	buf_lit(&d->out, ",\"cosignatures\":[");
	buf_str(&d->out, buf_view(&cosignatures));
	buf_lit(&d->out, "],\"timestamps\":[");
	buf_str(&d->out, buf_view(&stamps));
	buf_lit(&d->out, "],\"vkey\":");
	canon_str(&d->out, buf_view(&vkey));
	buf_byte(&d->out, '}');
	buf_done(&checkpoint), buf_done(&cosignatures), buf_done(&stamps), buf_done(&vkey), buf_done(&request);
	return true;
}

static bool speaks_of(struct disclosure *d, struct str payload)
{
	for (size_t i = 0; i < d->rows[CASE_FINDING].n; i++) {
		char name[48];
		snprintf(name, sizeof name, "\"finding/%" PRId64 "\"", d->rows[CASE_FINDING].v[i]);
		if (str_find(payload, str_of(name), 0) != SIZE_MAX) return true;
	}
	return false;
}

static bool print_statements(struct disclosure *d)
{
	sqlite3_stmt *s = case_db_prepare(d->c->db, "SELECT id, payload_type, payload FROM statement ORDER BY id", d->f);
	sqlite3_stmt *g = case_db_prepare(d->c->db, "SELECT vkey, sig FROM signature WHERE statement = ? ORDER BY id", d->f);
	bool ok = s && g, first = true;
	while (ok && sqlite3_step(s) == SQLITE_ROW) {
		struct dsse e = {.payload_type = case_column_str(s, 1), .payload = case_column_str(s, 2)};
		struct buf keys[DSSE_MAX_SIGNATURES] = {0};
		if (!speaks_of(d, e.payload)) continue;
		sqlite3_bind_int64(g, 1, sqlite3_column_int64(s, 0));
		for (; sqlite3_step(g) == SQLITE_ROW && e.n < DSSE_MAX_SIGNATURES; e.n++) {
			buf_str(&keys[e.n], case_column_str(g, 0));
			e.v[e.n].keyid = buf_view(&keys[e.n]);
			if (case_column_str(g, 1).n == 64) memcpy(e.v[e.n].sig, case_column_str(g, 1).p, 64);
		}
		sqlite3_reset(g);
		if (!first) buf_byte(&d->out, ',');
		dsse_print(&e, &d->out);
		first = false;
		for (uint32_t i = 0; i < e.n; i++) buf_done(&keys[i]);
	}
	sqlite3_finalize(s);
	sqlite3_finalize(g);
	return ok;
}

static bool print_bundle(struct disclosure *d)
{
	bool ok = true;
	buf_lit(&d->out, "{\"format\":\"exhibit-bundle/1\",\n\"proof\":");
	buf_str(&d->out, buf_view(&d->proof));
	buf_lit(&d->out, ",\n\"root\":\"");
	buf_hex(&d->out, d->root.b, 32);
	buf_lit(&d->out, "\",\n\"rows\":[");
	buf_str(&d->out, buf_view(&d->rows_json));
	buf_lit(&d->out, "],\n\"seal\":");
	ok = print_seal(d);
	buf_printf(&d->out, ",\n\"size\":%" PRIu64 ",\n\"sources\":[", d->size);
	for (size_t i = 0; ok && i < d->rows[CASE_SOURCE].n; i++) {
		if (i) buf_byte(&d->out, ',');
		ok = print_source(d, d->rows[CASE_SOURCE].v[i]);
	}
	buf_lit(&d->out, "],\n\"statements\":[");
	ok = ok && print_statements(d);
	buf_lit(&d->out, "]}\n");
	return ok;
}

bool disclose(struct case_file *c, const struct disclose_options *o, struct buf *ret, struct fault *f)
{
	struct disclosure d = {.c = c, .o = o, .f = f};
	bool ok = take_everything(&d) && prove_rows(&d) && print_bundle(&d);
	if (ok) *ret = d.out;
	else buf_done(&d.out);
	for (int t = 0; t < CASE_TABLES; t++) vec_free(&d.rows[t]);
	vec_free(&d.hashes);
	buf_done(&d.rows_json);
	buf_done(&d.proof);
	return ok;
}
