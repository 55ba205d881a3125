/* archive.c: members of archives, over libarchive. See archive.h. */
#include "read/archive.h"
#include "base/arena.h"
#include "base/buf.h"
#include "text/utf.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { BLOCK = 256 << 10, MAX_LEVELS = 16, NAME_MAX_BYTES = 4096 };

/* One archive being walked: the outermost, or one that lies in the level above. */
struct level {
	struct archive *archive;
	struct input *in;
	struct archive_member member;  /* what `in` belongs to; not of the outermost */
	struct str path;               /* in the walk's names */
	uint64_t at;                   /* next byte libarchive reads */
	uint64_t entry;                /* entries met */
	char *block;
	bool raw;                      /* a compressed file: one, or a tar */
	bool no_tar;                   /* it is no tar: libarchive takes zeros for the end of one */
};

struct archive_walk {
	struct archive_limits limits;
	struct level levels[MAX_LEVELS];
	unsigned depth;                /* levels in use */
	uint8_t sha256[SHA256_SIZE];
	uint64_t may_take, entries;    /* bytes that may still be taken out; names met */
	_Atomic uint64_t spilled;
	locale_t utf8;                 /* names come as UTF-8 whatever the environment says */
	struct arena names;            /* of the entry looked at; reset with each entry of the outermost container */
	struct buf unread_path, unread_reason;
	bool pending;                  /* the member handed out last was cut: its reason comes next */
	bool ended;
};

/* --- kinds --- */

static const struct { const char *name, *magic; uint8_t n; } kinds[] = {
	{"zip", "PK\3\4", 4}, {"zip", "PK\5\6", 4}, {"7z", "7z\xbc\xaf\x27\x1c", 6}, {"gzip", "\x1f\x8b\x08", 3}, {"bzip2", "BZh", 3},
	{"xz", "\xfd" "7zXZ\0", 6}, {"zstd", "\x28\xb5\x2f\xfd", 4}};

/* Office documents, programs in Java: zip files by their bytes, but of no interest. */
static bool is_document(struct str head)
{
	static const char *const first[] = {"[Content_Types].xml", "mimetype", "META-INF/", "AndroidManifest.xml"};
	for (size_t i = 0; i < COUNT(first); i++)
		if (head.n > 30 && str_starts(str_sub(head, 30, SIZE_MAX), str_of(first[i]))) return true;
	return false;
}

/* A Windows event log of which the header was overwritten: its first chunk stands where it always does. */
static bool is_event_log(struct str head)
{
	struct str chunk = str_sub(head, 4096, SIZE_MAX);
	return chunk.n >= 44 && !memcmp(chunk.p, "ElfChnk\0", 8) && !memcmp(chunk.p + 40, "\x80\0\0\0", 4);
}

const char *archive_kind(struct str head)
{
	if (is_event_log(head)) return NULL;
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (str_starts(head, (struct str){kinds[i].magic, kinds[i].n})) return i == 0 && is_document(head) ? NULL : kinds[i].name;
	return str_eq(str_sub(head, 257, 5), STR("ustar")) ? "tar" : NULL;
}

/* Enables what this kind needs, and nothing else. A filter that libarchive would run a program for is refused. */
static bool enable(struct level *l, const char *kind)
{
	struct archive *a = l->archive;
	int ok = ARCHIVE_OK;
	if (!strcmp(kind, "zip")) return archive_read_support_format_zip(a) == ARCHIVE_OK;
	if (!strcmp(kind, "7z")) return archive_read_support_format_7zip(a) == ARCHIVE_OK;
	if (!strcmp(kind, "gzip")) ok = archive_read_support_filter_gzip(a);
	if (!strcmp(kind, "bzip2")) ok = archive_read_support_filter_bzip2(a);
	if (!strcmp(kind, "xz")) ok = archive_read_support_filter_xz(a);
	if (!strcmp(kind, "zstd")) ok = archive_read_support_filter_zstd(a);
	l->raw = strcmp(kind, "tar") != 0;
	if (ok == ARCHIVE_OK && !l->no_tar) ok = archive_read_support_format_tar(a);
	return ok == ARCHIVE_OK && (!l->raw || archive_read_support_format_raw(a) == ARCHIVE_OK);
}

/* --- libarchive's questions --- */

static la_ssize_t on_read(struct archive *a, void *level, const void **ret)
{
	struct level *l = level;
	struct fault f = FAULT_INIT;
	int64_t n = input_pread(l->in, l->block, BLOCK, l->at, &f);
	*ret = l->block;
	if (n < 0) {
		archive_set_error(a, f.os_errno ? f.os_errno : EIO, "%s", f.text);
		return ARCHIVE_FATAL;
	}
	l->at += (uint64_t)n;
	return n;
}

static la_int64_t on_skip(struct archive *a, void *level, la_int64_t request)
{
	struct level *l = level;
	(void)a;
	if (request <= 0 || l->at >= l->in->size) return 0;
	uint64_t left = l->in->size - l->at, n = (uint64_t)request < left ? (uint64_t)request : left;
	l->at += n;
	return (la_int64_t)n;
}

static la_int64_t on_seek(struct archive *a, void *level, la_int64_t offset, int whence)
{
	struct level *l = level;
	(void)a;
	int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t)l->at : (int64_t)l->in->size, to;
	if (__builtin_add_overflow(base, offset, &to) || to < 0 || (uint64_t)to > l->in->size) return ARCHIVE_FATAL;
	l->at = (uint64_t)to;
	return to;
}

static const char *why(struct archive *a)
{
	const char *text = archive_error_string(a);
	return text ? text : "cannot be read";
}

static void level_close(struct level *l)
{
	archive_read_free(l->archive);
	free(l->block);
	if (l->in == &l->member.input) archive_member_done(&l->member);
	*l = (struct level){0};
}

/* Opens the archive in l->in. False: *ret_reason says why (until the level is closed). */
static bool level_open(struct level *l, const char **ret_reason)
{
	char head[ARCHIVE_HEAD];
	int64_t n = input_pread(l->in, head, sizeof head, 0, NULL);
	const char *kind = n > 0 ? archive_kind((struct str){head, (size_t)n}) : NULL;
	*ret_reason = "no archive";
	if (!kind) return false;
	l->archive = archive_read_new();
	if (!l->block) l->block = xmalloc(BLOCK);
	verify(l->archive);
	*ret_reason = "this kind of compression is not built into libarchive here";
	if (!enable(l, kind)) return false;
	archive_read_set_callback_data(l->archive, l);
	archive_read_set_read_callback(l->archive, on_read);
	archive_read_set_skip_callback(l->archive, on_skip);
	archive_read_set_seek_callback(l->archive, on_seek);
	if (archive_read_open1(l->archive) >= ARCHIVE_WARN) return true;
	*ret_reason = why(l->archive);
	return false;
}

/* --- the walk --- */

static void set_unread(struct archive_walk *w, struct str path, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void set_unread(struct archive_walk *w, struct str path, const char *format, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	w->unread_path.n = w->unread_reason.n = 0;
	buf_str(&w->unread_path, path);
	buf_str(&w->unread_reason, str_of(text));
	buf_byte(&w->unread_reason, 0); /* also given as a C string */
	w->unread_reason.n--;
}

static enum archive_got give_unread(struct archive_walk *w, struct archive_unread *ret, bool is_log)
{
	*ret = (struct archive_unread){buf_view(&w->unread_path), buf_view(&w->unread_reason), is_log};
	return ARCHIVE_GOT_UNREAD;
}

struct archive_walk *archive_walk_new(struct input *container, const struct archive_limits *limits, struct fault *f)
{
	struct archive_walk *w = xcalloc(1, sizeof *w);
	const char *reason;
	w->limits = *limits;
	if (!w->limits.depth) w->limits.depth = 4;
	if (w->limits.depth > MAX_LEVELS) w->limits.depth = MAX_LEVELS;
	if (!w->limits.entries) w->limits.entries = 1000000;
	if (!w->limits.ratio) w->limits.ratio = 1000;
	if (!w->limits.free_bytes) w->limits.free_bytes = 4ull << 30;
	if (!w->limits.spill) w->limits.spill = 64ull << 30;
	if (!w->limits.memory) w->limits.memory = 4 << 20;
	arena_init(&w->names, 256 << 20);
	w->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (__builtin_mul_overflow(container->size, (uint64_t)w->limits.ratio, &w->may_take) ||
	    __builtin_add_overflow(w->may_take, w->limits.free_bytes, &w->may_take)) w->may_take = UINT64_MAX;
	w->levels[0].in = container;
	w->levels[0].path = container->path;
	w->depth = 1;
	if (!input_finish(container, w->sha256, f)) goto failed;
	if (level_open(&w->levels[0], &reason)) return w;
	fault_set(f, FAULT_CORRUPT, "%s", reason);
failed:
	archive_walk_free(w);
	return NULL;
}

void archive_walk_free(struct archive_walk *w)
{
	if (!w) return;
	while (w->depth) level_close(&w->levels[--w->depth]);
	arena_done(&w->names);
	buf_done(&w->unread_path);
	buf_done(&w->unread_reason);
	if (w->utf8) freelocale(w->utf8);
	free(w);
}

const uint8_t *archive_walk_sha256(const struct archive_walk *w) { return w->sha256; }
uint64_t archive_walk_entries(const struct archive_walk *w) { return w->entries; }

void archive_member_done(struct archive_member *m)
{
	input_close(&m->input);
	free(m->memory);
	free(m->name);
	if (m->walk) atomic_fetch_sub(&m->walk->spilled, m->spilled);
	m->memory = NULL;
	m->name = NULL;
	m->spilled = 0;
}

/* The name of the one file that a compressed file is: its own without the ending. */
static struct str raw_name(struct str path)
{
	static const char *const endings[] = {".gz", ".bz2", ".xz", ".zst", ".gzip", ".Z"};
	for (size_t i = path.n; i > 0; i--)
		if (path.p[i - 1] == '/') {
			path = str_sub(path, i, path.n);
			break;
		}
	for (size_t i = 0; i < COUNT(endings); i++) {
		size_t n = strlen(endings[i]);
		if (path.n > n && str_eq_nocase(str_sub(path, path.n - n, n), str_of(endings[i]))) return str_sub(path, 0, path.n - n);
	}
	return STR("data");
}

static struct str entry_path(struct archive_walk *w, const struct level *l, struct archive_entry *e)
{
	const char *raw = archive_entry_pathname_utf8(e);
	if (!raw) raw = archive_entry_pathname(e);
	struct str name = l->raw && archive_format(l->archive) == ARCHIVE_FORMAT_RAW ? raw_name(l->path) : raw &&
		*raw ? str_of(raw) : STR("(no name)");
	name = utf8_clean(&w->names, str_sub(name, 0, NAME_MAX_BYTES));
	char *p = name.p ? arena_alloc(&w->names, l->path.n + name.n + 3) : NULL;
	if (!p) return (struct str){NULL, 0};
	memcpy(p, l->path.p, l->path.n);
	memcpy(p + l->path.n, "!/", 2);
	memcpy(p + l->path.n + 2, name.p, name.n);
	p[l->path.n + 2 + name.n] = 0;
	return (struct str){p, l->path.n + 2 + name.n};
}

/* --- taking a member out --- */

struct sink {
	struct archive_walk *w;
	struct buf bytes;
	int fd;                 /* -1: still in memory */
	uint64_t size, spilled; /* spilled: what it holds of the budget */
	const char *reason;     /* why it ended early; NULL: it did not */
	char text[300];
};

static int temp_file(const char *folder)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)) return fd;
	char name[4096];
	if (snprintf(name, sizeof name, "%s/exhibit-XXXXXX", folder) >= (int)sizeof name) return -1;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0) unlink(name);
	return fd;
}

static bool sink_fail(struct sink *s, const char *reason)
{
	s->reason = reason;
	return false;
}

static bool write_all(struct sink *s, const void *bytes, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = write(s->fd, (const char *)bytes + done, n - done);
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) {
			snprintf(s->text, sizeof s->text, "cannot write to the folder for temporary files: %s", strerror(errno));
			return sink_fail(s, s->text);
		}
		done += (size_t)got;
	}
	return true;
}

static bool to_file(struct sink *s)
{
	if (!s->w->limits.temp_dir) return sink_fail(s, "larger than what may be kept in memory, and no folder for temporary files");
	s->fd = temp_file(s->w->limits.temp_dir);
	if (s->fd < 0) {
		snprintf(s->text, sizeof s->text, "cannot make a temporary file in %.200s: %s", s->w->limits.temp_dir, strerror(errno));
		return sink_fail(s, s->text);
	}
	bool ok = write_all(s, s->bytes.p, s->bytes.n);
	buf_done(&s->bytes);
	return ok;
}

/* Whether n more bytes may lie in temporary files. */
static bool may_spill(struct sink *s, uint64_t n)
{
	if (atomic_fetch_add(&s->w->spilled, n) + n <= s->w->limits.spill) {
		s->spilled += n;
		return true;
	}
	atomic_fetch_sub(&s->w->spilled, n);
	return sink_fail(s, "stopped: more in temporary files than the limit allows");
}

static bool sink_put(struct sink *s, const void *bytes, size_t n)
{
	struct archive_walk *w = s->w;
	if (n > w->may_take) {
		snprintf(s->text, sizeof s->text, "stopped: the archive expands to more than %u times its size and %llu bytes", w->limits.ratio,
			(unsigned long long)w->limits.free_bytes);
		w->ended = true;
		return sink_fail(s, s->text);
	}
	w->may_take -= n;
	if (s->fd < 0 && s->bytes.n + n <= w->limits.memory) {
		buf_put(&s->bytes, bytes, n);
	} else {
		if (!may_spill(s, s->fd < 0 ? s->bytes.n + n : n) || (s->fd < 0 && !to_file(s)) || !write_all(s, bytes, n)) return false;
	}
	s->size += n;
	return true;
}

/* All data of the entry. Sparse parts are zeros. */
static void take_data(struct level *l, struct sink *s)
{
	static const char zeros[4096];
	const void *bytes;
	size_t n;
	la_int64_t offset;
	for (;;) {
		int status = archive_read_data_block(l->archive, &bytes, &n, &offset);
		if (status == ARCHIVE_EOF) return;
		if (status < ARCHIVE_WARN) {
			snprintf(s->text, sizeof s->text, "damaged behind byte %llu: %s", (unsigned long long)s->size, why(l->archive));
			sink_fail(s, s->text);
			return;
		}
		while (offset > 0 && s->size < (uint64_t)offset) {
			uint64_t gap = (uint64_t)offset - s->size;
			if (!sink_put(s, zeros, gap < sizeof zeros ? (size_t)gap : sizeof zeros)) return;
		}
		if (n && !sink_put(s, bytes, n)) return;
	}
}

static void sink_to_member(struct archive_walk *w, struct sink *s, struct str path, uint32_t index, int64_t mtime, struct archive_member *m)
{
	*m = (struct archive_member){.index = index, .walk = w, .spilled = s->spilled, .name = xmalloc(path.n + 1)};
	memcpy(m->name, path.p, path.n);
	path.p = m->name;
	if (s->fd >= 0) {
		input_of_fd(&m->input, s->fd, s->size, path);
	} else {
		m->memory = s->bytes.p;
		input_of_memory(&m->input, s->bytes.p ? s->bytes.p : "", s->bytes.n, path);
	}
	m->input.mtime_sec = mtime;
}

/* Goes into the archive that a member is; it then belongs to the new level. False: it is none, or damaged: unread. */
static bool descend(struct archive_walk *w, struct archive_member *m, const char **ret_reason)
{
	struct level *l = &w->levels[w->depth];
	l->member = *m;
	l->in = &l->member.input;
	l->path = m->input.path;
	if (level_open(l, ret_reason)) {
		w->depth++;
		return true;
	}
	return false;
}

static bool is_container(const struct archive_member *m)
{
	char head[ARCHIVE_HEAD];
	int64_t n = input_pread((struct input *)&m->input, head, sizeof head, 0, NULL);
	return n > 0 && archive_kind((struct str){head, (size_t)n});
}

/* A regular, readable entry: its bytes as a member, or the archive it is entered, or why not. ARCHIVE_GOT_END: go on. */
static enum archive_got take_entry(struct archive_walk *w, struct level *l, struct archive_entry *e, struct str path,
	struct archive_member *member,
	struct archive_unread *unread)
{
	struct sink s = {.w = w, .fd = -1};
	uint32_t index = (uint32_t)(w->entries - 1);
	const char *reason;
	take_data(l, &s);
	if (s.reason) set_unread(w, path, "%s", s.reason);
	if (s.reason && !s.size) {
		buf_done(&s.bytes);
		if (s.fd >= 0) close(s.fd);
		atomic_fetch_sub(&w->spilled, s.spilled);
		return give_unread(w, unread, true);
	}
	sink_to_member(w, &s, path, index, archive_entry_mtime_is_set(e) ? archive_entry_mtime(e) : 0, member);
	if (!is_container(member)) {
		w->pending = s.reason != NULL;
		return ARCHIVE_GOT_MEMBER;
	}
	if (w->depth >= w->limits.depth) {
		set_unread(w, path, "archives within archives deeper than %u", w->limits.depth);
	} else if (descend(w, member, &reason)) {
		w->pending = s.reason != NULL;
		return ARCHIVE_GOT_END;
	} else {
		set_unread(w, path, "%s", reason);
		struct level *failed = &w->levels[w->depth];
		level_close(failed);
		return give_unread(w, unread, true);
	}
	archive_member_done(member);
	return give_unread(w, unread, true);
}

static bool is_encrypted(struct archive_entry *e) { return archive_entry_is_data_encrypted(e) == 1 ||
	archive_entry_is_metadata_encrypted(e) == 1; }

/* The entry that libarchive stands at. */
static enum archive_got look_at(struct archive_walk *w, struct level *l, struct archive_entry *e, struct archive_member *member,
	struct archive_unread *unread)
{
	if (w->depth == 1) arena_reset(&w->names);
	struct str path = entry_path(w, l, e);
	if (!path.p) path = l->path;
	if (archive_entry_filetype(e) == AE_IFDIR) return ARCHIVE_GOT_END;
	if (archive_entry_hardlink(e) || archive_entry_filetype(e) != AE_IFREG) {
		set_unread(w, path, "a link or device, not a file");
		return give_unread(w, unread, false);
	}
	if (is_encrypted(e)) {
		set_unread(w, path, "encrypted");
		return give_unread(w, unread, true);
	}
	return take_entry(w, l, e, path, member, unread);
}

/* A compressed file that begins with zeros was taken for an empty tar: once more, as a file. */
static bool again_as_file(struct level *l, int status)
{
	const char *reason;
	if (status != ARCHIVE_EOF || l->entry || !l->raw || l->no_tar) return false;
	archive_read_free(l->archive);
	l->no_tar = true;
	l->at = 0;
	return level_open(l, &reason);
}

/* Leaves the level. True: its archive broke before its end; *unread says so. */
static bool leave(struct archive_walk *w, int status, struct archive_unread *unread)
{
	struct level *l = &w->levels[w->depth - 1];
	bool broke = status != ARCHIVE_EOF && !w->ended;
	if (broke) {
		set_unread(w, l->path, "damaged behind entry %llu: %s", (unsigned long long)l->entry, why(l->archive));
		if (archive_read_has_encrypted_entries(l->archive) == 1) set_unread(w, l->path, "encrypted: %s", why(l->archive));
	}
	level_close(l);
	w->depth--;
	if (broke) give_unread(w, unread, true);
	return broke;
}

static enum archive_got step(struct archive_walk *w, struct archive_member *member, struct archive_unread *unread)
{
	while (w->depth) {
		struct level *l = &w->levels[w->depth - 1];
		struct archive_entry *e;
		if (w->pending) {
			w->pending = false;
			return give_unread(w, unread, true);
		}
		int status = w->ended ? ARCHIVE_EOF : archive_read_next_header(l->archive, &e);
		if (status == ARCHIVE_RETRY) continue;
		if (status < ARCHIVE_WARN || status == ARCHIVE_EOF) {
			if (!w->ended && again_as_file(l, status)) continue;
			if (leave(w, status, unread)) return ARCHIVE_GOT_UNREAD;
			continue;
		}
		l->entry++;
		if (++w->entries > w->limits.entries) {
			set_unread(w, l->path, "stopped: more than %u names in the archive", w->limits.entries);
			w->ended = true;
			return give_unread(w, unread, true);
		}
		enum archive_got got = look_at(w, l, e, member, unread);
		if (got != ARCHIVE_GOT_END) return got;
	}
	return ARCHIVE_GOT_END;
}

enum archive_got archive_walk_next(struct archive_walk *w, struct archive_member *member, struct archive_unread *unread)
{
	locale_t before = w->utf8 ? uselocale(w->utf8) : (locale_t)0;
	enum archive_got got = step(w, member, unread);
	if (w->utf8) uselocale(before);
	return got;
}

bool archive_cat(const char *container_path, struct str member_path, int64_t index, const struct archive_limits *limits,
	bool (*put)(void *arg, const void *bytes, size_t n), void *arg, struct fault *f)
{
	struct input in;
	struct archive_member m;
	struct archive_unread unread;
	bool found = false, ok = false;
	char *block = xmalloc(BLOCK);
	/* Members are named as in findings, so the container must be shown as there: what stands before the first "!/". */
	size_t mark = str_find(member_path, STR("!/"), 0);
	struct str shown = mark == SIZE_MAX ? str_of(container_path) : str_sub(member_path, 0, mark);
	struct archive_walk *w = NULL;
	if (!input_open(&in, container_path, shown, f)) {
		free(block);
		return false;
	}
	w = archive_walk_new(&in, limits, f);
	for (enum archive_got got; w && !found && (got = archive_walk_next(w, &m, &unread)) != ARCHIVE_GOT_END;) {
		if (got == ARCHIVE_GOT_UNREAD) {
			if (!str_eq(unread.path, member_path)) continue;
			found = true;
			fault_set(f, FAULT_UNSUPPORTED, "%.*s", STR_FMT(unread.reason));
			continue;
		}
		if (str_eq(m.input.path, member_path) && (index < 0 || m.index == (uint64_t)index)) {
			found = ok = true;
			int64_t n;
			while (ok && (n = input_next(&m.input, block, BLOCK, f)) != 0) ok = n > 0 && put(arg, block, (size_t)n);
		}
		archive_member_done(&m);
	}
	if (w && !found) fault_set(f, FAULT_NOT_FOUND, "no such member: %.*s", STR_FMT(member_path));
	archive_walk_free(w);
	input_close(&in);
	free(block);
	return ok;
}
