/* writer.c: a case written: opened, its run, its sources, closed. Findings are in writer_finding.c, proofs in writer_cite.c. */
#include "casefile/writer_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- rows ------------------------------------------------------------------------------------------------------- */

bool row_begin(struct case_writer *w, enum case_table t, struct fault *f)
{
	if (!w->insert[t]) {
		char sql[160] = "";
		int columns = 0;
		snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s')", case_table_name(t));
		int64_t n;
		if (!case_db_int(w->db, sql, &n, f)) return false;
		int at = snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (?", case_table_name(t));
		for (columns = 1; columns < n; columns++) at += snprintf(sql + at, sizeof sql - (size_t)at, ",?");
		snprintf(sql + at, sizeof sql - (size_t)at, ")");
		w->insert[t] = case_db_prepare(w->db, sql, f);
		if (!w->insert[t]) return false;
	}
	w->table = t;
	w->column = 1;
	row_int(w, w->next_id[t]++);
	row_int(w, w->step);
	return true;
}

void row_int(struct case_writer *w, int64_t v) { sqlite3_bind_int64(w->insert[w->table], w->column++, v); }
void row_null(struct case_writer *w) { sqlite3_bind_null(w->insert[w->table], w->column++); }

void row_text(struct case_writer *w, struct str s)
{
	if (canon_text_ok(s)) {
		sqlite3_bind_text64(w->insert[w->table], w->column++, s.n ? s.p : "", s.n, SQLITE_TRANSIENT, SQLITE_UTF8);
		return;
	}
	struct buf b = {0};
	canon_repair(&b, s);
	sqlite3_bind_text64(w->insert[w->table], w->column++, b.p, b.n, SQLITE_TRANSIENT, SQLITE_UTF8);
	buf_done(&b);
}

void row_str_or_null(struct case_writer *w, struct str s) { s.n ? row_text(w, s) : row_null(w); }

void row_time(struct case_writer *w, struct etime t)
{
	char out[ETIME_MAX];
	if (!t.present) row_null(w);
	else row_text(w, (struct str){out, etime_print(t, t.digits, out)});
}

void row_blob(struct case_writer *w, const void *p, size_t n)
{
	sqlite3_bind_blob64(w->insert[w->table], w->column++, n ? p : "", n, SQLITE_TRANSIENT);
}

bool row_end(struct case_writer *w, struct fault *f)
{
	sqlite3_stmt *s = w->insert[w->table];
	verify(w->column == sqlite3_bind_parameter_count(s) + 1);
	bool ok = sqlite3_step(s) == SQLITE_DONE || case_db_fault(w->db, f, case_table_name(w->table));
	sqlite3_reset(s);
	return ok;
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

static bool case_fault(struct fault *f, const char *path)
{
	if (f) fault_path(f, str_of(path));
	return false;
}

/* Waits half a second for readers to go. */
static int lock_file(const char *path, struct fault *f)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fault_set(f, FAULT_IO, "cannot open the case for writing");
		return -1;
	}
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
		if (errno == EWOULDBLOCK && tries < 50) {
			usleep(10000);
			continue;
		}
		fault_set(f, errno == EWOULDBLOCK ? FAULT_STATE : FAULT_IO, "another process is using this case");
		close(fd);
		return -1;
	}
	return fd;
}

static struct case_writer *writer_new(const char *path, const struct salt_key *key, const struct case_fetch *fetch)
{
	struct case_writer *w = xcalloc(1, sizeof *w);
	w->path = xstrdup(path);
	w->lock = -1;
	if (key) w->key = *key;
	if (fetch) w->fetch = *fetch;
	w->leaves_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	w->leaves_fault = FAULT_INIT;
	return w;
}

static void writer_free(struct case_writer *w)
{
	for (int t = 0; t < CASE_TABLES; t++) sqlite3_finalize(w->insert[t]);
	sqlite3_finalize(w->find_record);
	sqlite3_finalize(w->record_bytes);
	sqlite3_finalize(w->next_record);
	sqlite3_close(w->db);
	if (w->lock >= 0) close(w->lock);
	for (size_t i = 0; i < w->sources.n; i++) source_tree_free(w->sources.v[i].tree);
	leaf_store_free(w->leaves);
	map_done(&w->known_sources);
	map_done(&w->correlations);
	free(w->kept);
	vec_free(&w->rules);
	vec_free(&w->sources);
	buf_done(&w->scratch);
	buf_done(&w->text);
	free(w->path);
	explicit_bzero(&w->key, sizeof w->key);
	free(w);
}

static void row_key_of(const struct salt_key *key, uint8_t ret[32])
{
	struct salt_stream s;
	salt_stream_init(&s, key, SALT_ROWS, 0, 0, (struct str){0});
	memcpy(ret, s.key, 32);
}

static void case_id_of(const struct salt_key *key, char ret[17])
{
	struct salt_stream s;
	salt_stream_init(&s, key, "exhibit case id", 0, 0, (struct str){0});
	for (int i = 0; i < 8; i++) snprintf(ret + 2 * i, 3, "%02x", s.key[i]);
}

static bool open_db(struct case_writer *w, struct fault *f)
{
	struct buf uri = {0};
	case_uri(w->path, "?mode=rw", &uri);
	w->db = case_db_open(uri.p, SQLITE_OPEN_READWRITE, f);
	buf_done(&uri);
	return w->db && case_db_run(w->db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -32768; PRAGMA foreign_keys = ON; "
		"PRAGMA temp_store = MEMORY; PRAGMA synchronous = NORMAL", f);
}

/* The next ids, the step's number; opens the transaction that the whole step is. */
static bool begin_step(struct case_writer *w, const struct case_step_info *info, struct fault *f)
{
	if (!case_db_run(w->db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; BEGIN IMMEDIATE", f)) return false;
	for (int t = 0; t < CASE_TABLES; t++) {
		char sql[96];
		snprintf(sql, sizeof sql, "SELECT coalesce(max(id), 0) + 1 FROM %s", case_table_name((enum case_table)t));
		if (!case_db_int(w->db, sql, &w->next_id[t], f)) return false;
	}
	w->step = w->next_id[CASE_STEP];
	if (!row_begin(w, CASE_STEP, f)) return false;
	row_text(w, info->action);
	char time[ETIME_MAX];
	row_text(w, (struct str){time, etime_print(info->time, info->time.digits, time)});
	row_text(w, info->operator);
	row_text(w, info->host);
	row_text(w, info->tool);
	row_text(w, info->command);
	row_text(w, info->note);
	row_int(w, (int64_t)w->state.leaves);
	row_blob(w, w->state.root.b, 32);
	return row_end(w, f);
}

/* An empty case that says it is incomplete, as the bytes of a database; sqlite3_free them. */
static unsigned char *empty_case(const struct salt_key *key, sqlite3_int64 *ret_n, struct fault *f)
{
	sqlite3 *db = case_db_open(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, f);
	struct case_state state = {.root = merkle_empty()};
	unsigned char *bytes = NULL;
	char sql[160];
	row_key_of(key, state.row_key);
	snprintf(sql, sizeof sql, "PRAGMA page_size = %d; PRAGMA encoding = 'UTF-8'; PRAGMA application_id = %d; PRAGMA user_version = %d", CASE_PAGE_SIZE,
		CASE_APPLICATION_ID, CASE_VERSION);
	if (db && case_db_run(db, sql, f) && schema_create(db, f) && case_state_write(db, &state, f)) {
		bytes = sqlite3_serialize(db, "main", ret_n, 0);
		if (!bytes) fault_set(f, FAULT_LIMIT, "out of memory");
	}
	sqlite3_close(db);
	return bytes;
}

static bool write_all(int fd, const void *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t did = write(fd, (const char *)p + at, n - at);
		if (did < 0 && errno == EINTR) continue;
		if (did <= 0) return false;
		at += (size_t)did;
	}
	return fsync(fd) == 0;
}

/* The file gets its name only when it is whole; never takes the name of another. */
static bool make_file(const char *path, const void *bytes, size_t n, struct fault *f)
{
	char *folder = xstrdup(path), *slash = strrchr(folder, '/'), link[64];
	if (slash) slash[slash == folder] = 0;
	int fd = open(slash ? folder : ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
	bool named = fd < 0 && access(path, F_OK) != 0;
	if (named) fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); /* a file system without O_TMPFILE */
	bool ok = fd >= 0 && write_all(fd, bytes, n);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (ok && !named) ok = linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
	if (!ok && (errno == EEXIST || (fd < 0 && access(path, F_OK) == 0))) fault_set(f, FAULT_USAGE, "exists already; to add sources to it: exhibit scan --case");
	else if (!ok) fault_set(f, FAULT_IO, "cannot make the case");
	if (!ok && named && fd >= 0) unlink(path);
	if (fd >= 0) close(fd);
	free(folder);
	return ok;
}

static bool start_new(struct case_writer *w, const struct case_step_info *info, struct fault *f)
{
	char id[17];
	if ((w->lock = lock_file(w->path, f)) < 0 || !open_db(w, f) || !case_state_read(w->db, &w->state, f) || !begin_step(w, info, f) ||
		!row_begin(w, CASE_INFO, f)) return false;
	case_id_of(&w->key, id);
	row_text(w, STR("exhibit-case"));
	row_int(w, CASE_VERSION);
	row_text(w, str_of(id));
	return row_end(w, f);
}

struct case_writer *case_create(const char *path, const struct salt_key *key, const struct case_step_info *info, const struct case_fetch *fetch, struct fault *f)
{
	sqlite3_int64 n = 0;
	unsigned char *bytes = empty_case(key, &n, f);
	bool made = bytes && make_file(path, bytes, (size_t)n, f);
	sqlite3_free(bytes);
	struct case_writer *w = made ? writer_new(path, key, fetch) : NULL;
	if (w && start_new(w, info, f)) return w;
	if (w) writer_free(w);
	case_fault(f, path);
	return NULL;
}

static bool check_key(struct case_writer *w, const struct salt_key *key, struct fault *f)
{
	uint8_t want[32];
	row_key_of(key, want);
	if (!memcmp(want, w->state.row_key, 32)) return true;
	fault_set(f, FAULT_VERIFY, "the salt key is not the one of this case");
	return false;
}

static bool open_existing(struct case_writer *w, struct fault *f)
{
	struct stat st;
	if (stat(w->path, &st) != 0 || !S_ISREG(st.st_mode)) {
		fault_set(f, stat(w->path, &st) ? FAULT_IO : FAULT_UNSUPPORTED, "no case file");
		return false;
	}
	return (w->lock = lock_file(w->path, f)) >= 0 && open_db(w, f) && schema_check(w->db, f) && case_state_read(w->db, &w->state, f);
}

static void unlink_beside(const char *path, const char *ending)
{
	char name[4200];
	snprintf(name, sizeof name, "%s%s", path, ending);
	unlink(name);
}

struct case_writer *case_open_for_add(const char *path, const struct salt_key *key, const struct case_step_info *info, const struct case_fetch *fetch,
	bool *ret_restarted, struct fault *f)
{
	struct case_writer *w = writer_new(path, key, fetch);
	struct stat st;
	/* A file of no bytes, or without schema, is what a kill in the first moment leaves. */
	bool empty = stat(path, &st) == 0 && st.st_size == 0;
	bool ok = empty || open_existing(w, f);
	*ret_restarted = empty || (ok && !w->state.complete);
	if (ok && *ret_restarted) {
		writer_free(w);
		unlink(path);
		unlink_beside(path, "-wal");
		unlink_beside(path, "-shm");
		return case_create(path, key, info, fetch, f);
	}
	if (ok && check_key(w, key, f) && begin_step(w, info, f)) return w;
	writer_free(w);
	case_fault(f, path);
	return NULL;
}

struct case_writer *case_open_for_step(const char *path, const struct case_step_info *info, struct fault *f)
{
	struct case_writer *w = writer_new(path, NULL, NULL);
	bool ok = open_existing(w, f);
	if (ok && !w->state.complete) {
		fault_set(f, FAULT_STATE, "incomplete: its first scan was cut off; run the scan again with --case");
		ok = false;
	}
	w->small = true;
	if (ok && begin_step(w, info, f)) return w;
	writer_free(w);
	case_fault(f, path);
	return NULL;
}

sqlite3 *case_writer_db(struct case_writer *w) { return w->db; }
int64_t case_writer_run(const struct case_writer *w) { return w->run; }

/* --- closing ---------------------------------------------------------------------------------------------------- */

void case_abort(struct case_writer *w)
{
	if (!w) return;
	if (w->db) sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
	writer_free(w);
}

bool case_close(struct case_writer *w, struct fault *f)
{
	bool ok = true;
	for (int t = 0; t < CASE_TABLES; t++) {
		sqlite3_finalize(w->insert[t]);
		w->insert[t] = NULL;
	}
	if (!w->small) ok = writer_proofs(w, f);
	struct case_state state = w->state;
	ok = ok && case_state_grow(w->db, w->step, &state, f);
	state.complete = true;
	ok = ok && case_state_write(w->db, &state, f) && case_db_run(w->db, "COMMIT", f);
	if (!ok) {
		case_fault(f, w->path);
		case_abort(w);
		return false;
	}
	/* Committed. What follows only folds the log in; when it fails, the next writer or a reader's copy does it. */
	ok = case_db_run(w->db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE", f) || case_fault(f, w->path);
	writer_free(w);
	return ok;
}

/* --- the run ---------------------------------------------------------------------------------------------------- */

static struct hash rules_root(const struct case_run *run)
{
	struct merkle m = {0};
	for (uint32_t i = 0; i < run->n_rules; i++) {
		struct hash h = merkle_leaf(run->rules[i].text.p, run->rules[i].text.n);
		merkle_add(&m, &h);
	}
	return merkle_root(&m);
}

/* The run of the case that is this one, 0 = none, -1 on failure. */
static int64_t find_run(struct case_writer *w, const struct case_run *run, const struct hash *root, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(w->db, "SELECT id FROM run WHERE tool = ? AND settings = ? AND rules = ? AND rules_root = ? ORDER BY id LIMIT 1", f);
	if (!s) return -1;
	sqlite3_bind_text64(s, 1, run->tool.p, run->tool.n, SQLITE_STATIC, SQLITE_UTF8);
	sqlite3_bind_text64(s, 2, run->settings.p, run->settings.n, SQLITE_STATIC, SQLITE_UTF8);
	sqlite3_bind_int64(s, 3, run->n_rules);
	sqlite3_bind_blob(s, 4, root->b, 32, SQLITE_STATIC);
	int code = sqlite3_step(s);
	int64_t id = code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : code == SQLITE_DONE ? 0 : -1;
	if (id < 0) case_db_fault(w->db, f, "run");
	sqlite3_finalize(s);
	return id;
}

static bool old_rules(struct case_writer *w, uint32_t n_rules, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(w->db, "SELECT id FROM rule WHERE run = ? ORDER BY n", f);
	if (!s) return false;
	sqlite3_bind_int64(s, 1, w->run);
	while (sqlite3_step(s) == SQLITE_ROW) vec_push(&w->rules, (struct written_rule){sqlite3_column_int64(s, 0)});
	sqlite3_finalize(s);
	if (w->rules.n == n_rules) return true;
	fault_set(f, FAULT_CORRUPT, "run %" PRId64 " does not have the rules it says", w->run);
	return false;
}

/* What the run has read in earlier steps: the same bytes need not be looked at again. */
static bool old_sources(struct case_writer *w, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(w->db, "SELECT source.sha256, source.id FROM seen JOIN source ON source.id = seen.source "
		"WHERE seen.run = ? AND source.sha256 IS NOT NULL AND source.broken IS NULL ORDER BY source.id", f);
	if (!s) return false;
	sqlite3_bind_int64(s, 1, w->run);
	while (sqlite3_step(s) == SQLITE_ROW) map_put(&w->known_sources, case_column_str(s, 0), (uint32_t)sqlite3_column_int64(s, 1), NULL);
	sqlite3_finalize(s);
	return true;
}

/* Rule texts are kept once a case. */
static bool text_id(struct case_writer *w, struct map *texts, const struct case_rule *r, int64_t *ret, struct fault *f)
{
	bool fresh;
	struct str digest = {(const char *)r->info->sha256, SHA256_SIZE};
	uint8_t own[SHA256_SIZE];
	sha256_of(r->text.p, r->text.n, own);
	digest.p = (const char *)own;
	uint32_t *id = map_put(texts, digest, 0, &fresh);
	if (fresh) {
		if (!row_begin(w, CASE_RULE_TEXT, f)) return false;
		row_blob(w, own, sizeof own);
		row_blob(w, r->text.p, r->text.n);
		if (!row_end(w, f)) return false;
		*id = (uint32_t)row_id(w, CASE_RULE_TEXT);
	}
	*ret = *id;
	return true;
}

static bool old_texts(struct case_writer *w, struct map *texts, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(w->db, "SELECT sha256, id FROM rule_text", f);
	if (!s) return false;
	while (sqlite3_step(s) == SQLITE_ROW) map_put(texts, case_column_str(s, 0), (uint32_t)sqlite3_column_int64(s, 1), NULL);
	sqlite3_finalize(s);
	return true;
}

static bool write_rules(struct case_writer *w, const struct case_run *run, struct fault *f)
{
	struct map texts = {0};
	bool ok = old_texts(w, &texts, f);
	for (uint32_t i = 0; ok && i < run->n_rules; i++) {
		const struct case_rule *r = &run->rules[i];
		int64_t text;
		ok = text_id(w, &texts, r, &text, f) && row_begin(w, CASE_RULE, f);
		if (!ok) break;
		row_int(w, w->run);
		row_int(w, i);
		row_int(w, text);
		row_text(w, r->info->id);
		row_text(w, r->info->title);
		row_text(w, str_of(level_word(r->info->level)));
		row_text(w, r->info->file);
		row_int(w, r->correlation);
		ok = row_end(w, f);
		vec_push(&w->rules, (struct written_rule){row_id(w, CASE_RULE)});
	}
	map_done(&texts);
	return ok;
}

static bool write_refused_and_inputs(struct case_writer *w, const struct case_run *run, struct fault *f)
{
	bool ok = true;
	for (uint32_t i = 0; ok && i < run->n_refused; i++) {
		const struct case_refused *r = &run->refused[i];
		if (!row_begin(w, CASE_REFUSED, f)) return false;
		row_int(w, w->run);
		row_text(w, r->file);
		row_int(w, r->line);
		row_int(w, r->column);
		row_text(w, r->category);
		row_text(w, r->reason);
		ok = row_end(w, f);
	}
	for (uint32_t i = 0; ok && i < run->n_inputs; i++) {
		const struct case_input *in = &run->inputs[i];
		if (!row_begin(w, CASE_INPUT, f)) return false;
		row_int(w, w->run);
		row_text(w, in->kind);
		row_text(w, in->name);
		row_blob(w, in->sha256, SHA256_SIZE);
		in->bytes.p ? row_blob(w, in->bytes.p, in->bytes.n) : row_null(w);
		ok = row_end(w, f);
	}
	return ok;
}

bool case_begin_run(struct case_writer *w, const struct case_run *run, bool *ret_new, struct fault *f)
{
	verify(!w->small && !w->run);
	struct hash root = rules_root(run);
	int64_t found = find_run(w, run, &root, f);
	if (found < 0) return false;
	*ret_new = w->run_is_new = found == 0;
	if (found) {
		w->run = found;
		return old_rules(w, run->n_rules, f) && old_sources(w, f);
	}
	if (!row_begin(w, CASE_RUN, f)) return false;
	w->run = row_id(w, CASE_RUN);
	row_text(w, run->tool);
	row_text(w, run->settings);
	row_int(w, run->n_rules);
	row_blob(w, root.b, 32);
	return row_end(w, f) && write_rules(w, run, f) && write_refused_and_inputs(w, run, f);
}

/* --- sources ---------------------------------------------------------------------------------------------------- */

struct source_tree *case_source_tree(struct case_writer *w, struct str format, uint64_t number, struct str path)
{
	struct salt_stream salts;
	pthread_mutex_lock(&w->leaves_lock);
	if (!w->leaves && !w->leaves_fault.kind) {
		/* Beside the case: where there is room for the case there is room for its leaves. */
		char *folder = xstrdup(w->path), *slash = strrchr(folder, '/');
		if (slash) slash[slash == folder] = 0;
		w->leaves = leaf_store_new(slash ? folder : ".", &w->leaves_fault);
		if (!w->leaves) w->leaves = leaf_store_new(NULL, NULL);
		free(folder);
	}
	pthread_mutex_unlock(&w->leaves_lock);
	struct buf clean = {0};
	canon_repair(&clean, path); /* as the row will have it */
	salt_stream_init(&salts, &w->key, SALT_SOURCE, (uint32_t)w->step, number, buf_view(&clean));
	buf_done(&clean);
	return source_tree_new(w->leaves, framing_of_format(format), &salts);
}

static void put_report(struct case_writer *w, const struct source_report *r)
{
	row_int(w, (int64_t)r->n_records);
	row_int(w, (int64_t)r->n_recovered);
	row_int(w, (int64_t)r->n_events);
	row_int(w, (int64_t)r->header);
	row_int(w, (int64_t)r->records);
	row_int(w, (int64_t)r->recovered);
	row_int(w, (int64_t)r->slack);
	row_int(w, (int64_t)r->damaged);
	row_int(w, (int64_t)r->more_damage);
	row_int(w, (int64_t)r->more_notes);
	row_time(w, r->first);
	row_time(w, r->last);
	row_text(w, r->parameters);
}

static bool put_damage(struct case_writer *w, int64_t source, const struct source_report *r, struct fault *f)
{
	bool ok = true;
	for (size_t i = 0; ok && i < r->damage.n; i++) {
		if (!row_begin(w, CASE_DAMAGE, f)) return false;
		row_int(w, source);
		row_int(w, (int64_t)r->damage.v[i].offset);
		row_int(w, (int64_t)r->damage.v[i].length);
		row_text(w, r->damage.v[i].reason);
		ok = row_end(w, f);
	}
	for (size_t i = 0; ok && i < r->notes.n; i++) {
		if (!row_begin(w, CASE_REMARK, f)) return false;
		row_int(w, source);
		row_int(w, (int64_t)r->notes.v[i].offset);
		row_text(w, r->notes.v[i].text);
		ok = row_end(w, f);
	}
	return ok;
}

bool case_add_source(struct case_writer *w, const struct case_source *s, bool *ret_known, struct fault *f)
{
	const struct source_info *in = s->info;
	uint32_t *known = s->hashed ? map_get(&w->known_sources, (struct str){(const char *)in->sha256, SHA256_SIZE}) : NULL;
	*ret_known = known != NULL;
	struct written_source ws = {.known = known != NULL, .tree = s->tree};
	vec_push(&w->sources, ws); /* the tree is ours from here on */
	if (!row_begin(w, CASE_SOURCE, f)) return false;
	int64_t id = w->sources.v[w->sources.n - 1].id = row_id(w, CASE_SOURCE);
	row_text(w, in->path);
	row_text(w, in->format);
	row_text(w, str_of(framing_word(s->tree ? source_tree_framing(s->tree) : framing_of_format(in->format))));
	row_int(w, (int64_t)in->size);
	s->hashed ? row_blob(w, in->sha256, SHA256_SIZE) : row_null(w);
	in->in_container ? row_blob(w, in->container_sha256, SHA256_SIZE) : row_null(w);
	in->in_container ? row_int(w, in->member) : row_null(w);
	row_int(w, (int64_t)s->number);
	bool tree = s->tree && !known;
	row_int(w, tree ? (int64_t)source_tree_count(s->tree) : 0);
	struct hash root = tree ? source_tree_root(s->tree) : (struct hash){{0}};
	tree ? row_blob(w, root.b, 32) : row_null(w);
	put_report(w, s->report);
	if (known) row_int(w, *known);
	else if (s->same_as >= 0 && (size_t)s->same_as < w->sources.n - 1) row_int(w, w->sources.v[s->same_as].id);
	else row_null(w);
	row_str_or_null(w, s->broken);
	if (!row_end(w, f) || !row_begin(w, CASE_SEEN, f)) return false;
	row_int(w, w->run);
	row_int(w, id);
	return row_end(w, f) && put_damage(w, id, s->report, f);
}

bool case_add_unread(struct case_writer *w, struct str path, struct str reason, bool is_log, struct fault *f)
{
	if (!row_begin(w, CASE_UNREAD, f)) return false;
	row_int(w, w->run);
	row_text(w, path);
	row_text(w, reason);
	row_int(w, is_log);
	return row_end(w, f);
}

bool case_add_coverage(struct case_writer *w, struct str host, struct str logsource, struct etime first, struct etime last, uint64_t records, struct str detail_json,
	struct fault *f)
{
	if (!row_begin(w, CASE_COVERAGE, f)) return false;
	row_int(w, w->run);
	row_text(w, host);
	row_text(w, logsource);
	row_time(w, first);
	row_time(w, last);
	row_int(w, (int64_t)records);
	row_text(w, detail_json);
	return row_end(w, f);
}

bool case_add_rule_coverage(struct case_writer *w, uint32_t rule, uint64_t events, uint64_t hits, uint64_t undecided, struct fault *f)
{
	verify(rule < w->rules.n);
	if (!row_begin(w, CASE_RULE_COVERAGE, f)) return false;
	row_int(w, w->run);
	row_int(w, w->rules.v[rule].id);
	row_int(w, (int64_t)events);
	row_int(w, (int64_t)hits);
	row_int(w, (int64_t)undecided);
	return row_end(w, f);
}

bool case_add_total(struct case_writer *w, const char *name, uint64_t value, struct fault *f)
{
	if (!row_begin(w, CASE_TOTAL, f)) return false;
	row_int(w, w->run);
	row_text(w, str_of(name));
	row_int(w, (int64_t)value);
	return row_end(w, f);
}

/* --- small steps ------------------------------------------------------------------------------------------------ */

bool case_step_checkpoint(struct case_writer *w, struct str key_name, struct buf *ret_text, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(w->db, "SELECT case_id FROM case_info WHERE id = 1", f);
	struct buf origin = {0};
	bool ok = s && sqlite3_step(s) == SQLITE_ROW;
	if (ok) {
		buf_str(&origin, key_name);
		buf_byte(&origin, '/');
		buf_str(&origin, case_column_str(s, 0));
	} else if (s) {
		case_db_fault(w->db, f, "case_info");
	}
	sqlite3_finalize(s);
	/* The step's own row is the next leaf: what has been written so far in this step must be that row alone. */
	struct fault inner = FAULT_INIT;
	struct case_row row;
	struct case_rows *rows = ok ? case_rows_new(w->db, w->step, f) : NULL;
	ok = ok && rows && case_rows_next(rows, &row, &inner) && row.table == CASE_STEP;
	if (ok) {
		struct case_tree t;
		case_tree_init(&t, w->state.row_key);
		t.tree = w->state.frontier;
		(void)case_tree_add(&t, row.text);
		checkpoint_print(&(struct checkpoint){.origin = buf_view(&origin), .size = t.tree.n, .root = merkle_root(&t.tree)}, ret_text);
	} else if (f && !f->kind) {
		*f = inner;
	}
	case_rows_free(rows);
	buf_done(&origin);
	return ok;
}

bool case_add_seal(struct case_writer *w, const char *kind, int64_t of, uint64_t size, struct str vkey, struct str bytes, struct fault *f)
{
	if (!row_begin(w, CASE_SEAL, f)) return false;
	row_text(w, str_of(kind));
	of ? row_int(w, of) : row_null(w);
	row_int(w, (int64_t)size);
	row_text(w, vkey);
	row_blob(w, bytes.p, bytes.n);
	return row_end(w, f);
}

bool case_add_statement(struct case_writer *w, const char *kind, int64_t of, struct str payload_type, struct str payload, int64_t *ret_id, struct fault *f)
{
	if (!row_begin(w, CASE_STATEMENT, f)) return false;
	*ret_id = row_id(w, CASE_STATEMENT);
	row_text(w, str_of(kind));
	of ? row_int(w, of) : row_null(w);
	row_text(w, payload_type);
	row_blob(w, payload.p, payload.n);
	return row_end(w, f);
}

bool case_add_signature(struct case_writer *w, int64_t statement, struct str vkey, const uint8_t sig[64], struct fault *f)
{
	if (!row_begin(w, CASE_SIGNATURE, f)) return false;
	row_int(w, statement);
	row_text(w, vkey);
	row_blob(w, sig, 64);
	return row_end(w, f);
}
