/* reader.c: a case opened for reading. See casefile.h.
 *
 * The file's first 100 bytes are checked before SQLite sees them: they decide how it reads all the rest, and most of them
 * have one right value in a case. */
#include "casefile/casefile.h"
#include "base/alloc.h"
#include "base/file.h"
#include <stdio.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool bad_header(struct fault *f, size_t at)
{
	fault_set(f, FAULT_CORRUPT, "not a case: byte %zu of its header is not what SQLite and a case have there", at);
	if (f) f->offset = at;
	return false;
}

/* https://www.sqlite.org/fileformat2.html section 1.3. Counters are left to SQLite. */
static bool check_header(int fd, struct fault *f)
{
	uint8_t h[100];
	static const char magic[16] = "SQLite format 3";
	if (file_pread(fd, h, sizeof h, 0, f) != sizeof h) {
		fault_set(f, FAULT_STATE, "incomplete: its first scan was cut off before anything was written; run the scan again with --case");
		return false;
	}
	for (size_t i = 0; i < 16; i++)
		if (h[i] != (uint8_t)magic[i]) return bad_header(f, i);
	static const struct { size_t at; uint8_t low, high; } fixed[] = {
		{16, CASE_PAGE_SIZE >> 8, CASE_PAGE_SIZE >> 8}, {17, 0, 0}, /* page size, big-endian */
		{18, 1, 2}, {19, 1, 2},                                     /* rollback, or WAL of a writer that was cut off */
		{20, 0, 0}, {21, 64, 64}, {22, 32, 32}, {23, 32, 32},
		{44, 0, 0}, {45, 0, 0}, {46, 0, 0}, {47, 4, 4},             /* schema format 4 */
		{52, 0, 0}, {53, 0, 0}, {54, 0, 0}, {55, 0, 0},             /* no auto-vacuum */
		{56, 0, 0}, {57, 0, 0}, {58, 0, 0}, {59, 1, 1},             /* UTF-8 */
		{64, 0, 0}, {65, 0, 0}, {66, 0, 0}, {67, 0, 0},             /* no incremental vacuum */
	};
	for (size_t i = 0; i < COUNT(fixed); i++)
		if (h[fixed[i].at] < fixed[i].low || h[fixed[i].at] > fixed[i].high) return bad_header(f, fixed[i].at);
	if (h[18] != h[19]) return bad_header(f, 19);
	for (size_t i = 72; i < 92; i++)
		if (h[i]) return bad_header(f, i);
	return true;
}

static bool copy_file(const char *from, const char *to, struct fault *f)
{
	struct file_id id;
	int in = file_open(from, &id, f), out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = in >= 0 && out >= 0;
	if (in >= 0 && out < 0) fault_set(f, FAULT_IO, "cannot make a private copy");
	char *block = ok ? xmalloc(1 << 20) : NULL;
	for (uint64_t at = 0; ok && at < id.size;) {
		int64_t got = file_pread(in, block, 1 << 20, at, f);
		if (got <= 0) ok = got == 0, id.size = at;
		else if (write(out, block, (size_t)got) != got) ok = false, fault_set(f, FAULT_IO, "cannot write a private copy");
		else at += (uint64_t)got;
	}
	free(block);
	if (in >= 0) close(in);
	if (out >= 0) close(out);
	return ok;
}

static void name_in(const struct case_file *c, const char *ending, char out[4200]) { snprintf(out, 4200, "%s/case%s", c->copy, ending); }

/* The file and its left-over log in a folder of our own, where SQLite may recover it. */
static bool open_copy(struct case_file *c, const char *path, const char *wal, const char *temp_dir, struct fault *f)
{
	char folder[4096], to[4200];
	snprintf(folder, sizeof folder, "%s/exhibit-case-XXXXXX", temp_dir);
	if (!mkdtemp(folder)) {
		fault_set(f, FAULT_IO, "a writer was cut off here; to read what it left, a private copy is needed, which cannot be made in %s", temp_dir);
		return false;
	}
	c->copy = xstrdup(folder);
	c->recovered = true;
	name_in(c, "", to);
	if (!copy_file(path, to, f)) return false;
	name_in(c, "-wal", to);
	if (!copy_file(wal, to, f)) return false;
	struct buf uri = {0};
	name_in(c, "", to);
	case_uri(to, "?mode=rw", &uri);
	c->db = case_db_open(uri.p, SQLITE_OPEN_READWRITE, f);
	buf_done(&uri);
	return c->db && case_db_run(c->db, "PRAGMA locking_mode = EXCLUSIVE", f);
}

static bool open_plain(struct case_file *c, const char *path, struct fault *f)
{
	struct buf uri = {0};
	case_uri(path, "?mode=ro&immutable=1", &uri);
	c->db = case_db_open(uri.p, SQLITE_OPEN_READONLY, f);
	buf_done(&uri);
	return c->db != NULL;
}

static bool open_checked(struct case_file *c, const char *path, const char *temp_dir, struct fault *f)
{
	struct file_id id;
	char wal[4200];
	struct stat st;
	c->lock = file_open(path, &id, f);
	if (c->lock < 0) return false;
	if (flock(c->lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
		fault_set(f, FAULT_STATE, "being written by another process");
		return false;
	}
	if (!check_header(c->lock, f)) return false;
	snprintf(wal, sizeof wal, "%s-wal", path);
	bool left_over = stat(wal, &st) == 0 && st.st_size > 0;
	if (!left_over && id.size % CASE_PAGE_SIZE) {
		fault_set(f, FAULT_CORRUPT, "its length is no multiple of its page size: cut off");
		return false;
	}
	if (!(left_over ? open_copy(c, path, wal, temp_dir, f) : open_plain(c, path, f))) return false;
	return case_db_run(c->db, "PRAGMA query_only = ON; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON", f) &&
		schema_check(c->db, f) && case_state_read(c->db, &c->state, f);
}

bool case_open(const char *path, const char *temp_dir, struct case_file *ret, struct fault *f)
{
	struct case_file c = {.lock = -1};
	bool ok = open_checked(&c, path, temp_dir, f);
	if (ok && !c.state.complete) {
		fault_set(f, FAULT_STATE, "incomplete: its first scan was cut off; run the scan again with --case");
		ok = false;
	}
	if (ok) {
		*ret = c;
		return true;
	}
	if (f) fault_path(f, str_of(path));
	case_done(&c);
	return false;
}

void case_done(struct case_file *c)
{
	sqlite3_close(c->db);
	c->db = NULL;
	if (c->lock >= 0) close(c->lock);
	c->lock = -1;
	static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
	for (size_t i = 0; c->copy && i < COUNT(endings); i++) {
		char name[4200];
		name_in(c, endings[i], name);
		unlink(name);
	}
	if (c->copy) rmdir(c->copy);
	free(c->copy);
	c->copy = NULL;
}

void case_key_path(const char *path, struct buf *ret)
{
	buf_printf(ret, "%s.key", path);
	buf_byte(ret, 0);
}

bool case_unseen(sqlite3 *db, int64_t run, void (*each)(void *arg, struct str path), void *arg, uint64_t *ret_n, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(db, "SELECT path FROM source WHERE same_as IS NULL AND id NOT IN (SELECT source FROM seen WHERE run = ?1) AND (sha256 IS NULL OR "
		"sha256 NOT IN (SELECT t.sha256 FROM seen JOIN source t ON t.id = seen.source WHERE seen.run = ?1 AND t.sha256 IS NOT NULL)) ORDER BY id", f);
	int code = SQLITE_ERROR;
	*ret_n = 0;
	if (s) sqlite3_bind_int64(s, 1, run);
	for (; s && (code = sqlite3_step(s)) == SQLITE_ROW; (*ret_n)++) each(arg, case_column_str(s, 0));
	bool ok = code == SQLITE_DONE;
	if (s && !ok) case_db_fault(db, f, "source");
	sqlite3_finalize(s);
	return ok;
}

enum { NAMED = 10 };
struct words { struct buf text; unsigned n; };

static void put_word(void *arg, struct str path)
{
	struct words *w = arg;
	if (w->n < NAMED && w->n) buf_lit(&w->text, ", ");
	if (w->n < NAMED) buf_str(&w->text, path);
	if (w->n++ == NAMED) buf_lit(&w->text, ", ...");
}

bool case_unseen_words(sqlite3 *db, int64_t run, struct buf *out, struct fault *f)
{
	struct words w = {0};
	uint64_t n;
	bool ok = case_unseen(db, run, put_word, &w, &n, f);
	if (ok && n) {
		buf_printf(out, "%llu source%s: ", (unsigned long long)n, n == 1 ? "" : "s");
		buf_str(out, buf_view(&w.text));
	}
	buf_done(&w.text);
	return ok;
}
