/* case_tools.c: see case_tools.h. */
#include "app/case_tools.h"
#include "base/file.h"
#include "read/archive.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *case_temp_dir(void)
{
	const char *t = getenv("TMPDIR");
	return t && *t ? t : "/tmp";
}

struct case_step_info case_step_now(const char *action, const char *note)
{
	static char host[256], user[256];
	struct timespec now;
	struct passwd *p = getpwuid(getuid());
	clock_gettime(CLOCK_REALTIME, &now);
	if (gethostname(host, sizeof host - 1) != 0) host[0] = 0;
	if (p) snprintf(user, sizeof user, "%s", p->pw_name);
	else snprintf(user, sizeof user, "uid %u", (unsigned)getuid());
	return (struct case_step_info){.action = str_of(action), .time = etime_from_unix(now.tv_sec, (uint32_t)now.tv_nsec / 1000000 * 1000000, 3), .operator = str_of(user),
		.host = str_of(host), .tool = STR("exhibit " EXHIBIT_VERSION), .command = str_of(app_command_line()), .note = str_of(note ? note : "")};
}

bool case_open_shown(const char *path, struct case_file *ret)
{
	struct fault f = FAULT_INIT;
	if (case_open(path, case_temp_dir(), ret, &f)) return true;
	app_fault(&f);
	return false;
}

bool case_slurp_shown(const char *path, char **ret, size_t *ret_n)
{
	struct fault f = FAULT_INIT;
	if (file_slurp(path, (size_t)1 << 30, ret, ret_n, &f)) return true;
	app_fault(&f);
	return false;
}

static bool write_whole(int fd, struct str bytes)
{
	for (size_t at = 0; at < bytes.n;) {
		ssize_t did = write(fd, bytes.p + at, bytes.n - at);
		if (did < 0 && errno == EINTR) continue;
		if (did <= 0) return false;
		at += (size_t)did;
	}
	return true;
}

/* Beside it first, so that the file is whole or as it was. */
static bool write_beside(const char *path, struct str bytes, bool replace)
{
	char part[4200];
	snprintf(part, sizeof part, "%s.part%ld", path, (long)getpid());
	int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) return false;
	bool ok = write_whole(fd, bytes) && fsync(fd) == 0;
	if (close(fd) != 0) ok = false;
	if (ok) ok = replace ? rename(part, path) == 0 : renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0;
	int kept = errno;
	if (!ok && kept == EINVAL && !replace) { /* a file system that cannot promise not to replace */
		ok = link(part, path) == 0;
		kept = errno;
		unlink(part);
	} else if (!ok) {
		unlink(part);
	}
	errno = kept;
	return ok;
}

bool case_write_shown(const char *path, struct str bytes, bool replace)
{
	struct stat st;
	bool standard = !strcmp(path, "-"), there = !standard && stat(path, &st) == 0, ok;
	if (there && !replace) {
		ok = false;
		errno = EEXIST;
	} else if (standard) {
		ok = write_whole(1, bytes);
	} else if (there && !S_ISREG(st.st_mode)) { /* a pipe, a device */
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		ok = fd >= 0 && write_whole(fd, bytes);
		if (fd >= 0 && close(fd) != 0) ok = false;
	} else {
		ok = write_beside(path, bytes, replace);
	}
	if (!ok) app_error("%s: cannot write: %s", standard ? "standard output" : path, strerror(errno));
	return ok;
}

struct to_fd { int fd; uint64_t n; bool ok; };
static bool put_bytes(void *arg, const void *bytes, size_t n)
{
	struct to_fd *t = arg;
	for (size_t at = 0; at < n;) {
		ssize_t did = write(t->fd, (const char *)bytes + at, n - at);
		if (did < 0 && errno == EINTR) continue;
		if (did <= 0) return t->ok = false;
		at += (size_t)did;
	}
	t->n += n;
	return true;
}

/* An unlinked file with the bytes of a member. */
static bool open_member(const char *container, struct str name, int64_t member, struct input *ret, struct fault *f)
{
	struct archive_limits limits = {.temp_dir = case_temp_dir()};
	struct to_fd t = {open(limits.temp_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), 0, true};
	if (t.fd < 0) t.fd = memfd_create("member", MFD_CLOEXEC);
	bool ok = t.fd >= 0 && archive_cat(container, name, member, &limits, put_bytes, &t, f) && t.ok;
	if (ok) input_of_fd(ret, t.fd, t.n, name);
	else if (t.fd >= 0) close(t.fd);
	if (!ok && f && !f->kind) fault_set(f, FAULT_IO, "cannot take it out of its archive");
	return ok;
}

bool case_original_open(const char *folder, struct str path, int64_t member, struct input *ret, struct fault *f)
{
	char full[4096], container[4096];
	int n = folder ? snprintf(full, sizeof full, "%s/%.*s", folder, STR_FMT(path)) : snprintf(full, sizeof full, "%.*s", STR_FMT(path));
	if (n < 0 || (size_t)n >= sizeof full) {
		fault_set(f, FAULT_LIMIT, "its path is too long");
		return false;
	}
	if (access(full, F_OK) == 0) return input_open(ret, full, path, f);
	const char *inside = strstr(full, "!/");
	if (!inside) {
		fault_set(f, FAULT_NOT_FOUND, "the original is not there");
		return false;
	}
	memcpy(container, full, (size_t)(inside - full));
	container[inside - full] = 0;
	if (access(container, F_OK) != 0) {
		fault_set(f, FAULT_NOT_FOUND, "its archive is not there");
		return false;
	}
	/* Members are named with their container as it was given when it was read. */
	struct str name = folder ? str_sub(str_of(full), strlen(folder) + 1, SIZE_MAX) : path;
	return open_member(container, name, member, ret, f);
}

/* The path without its first folder; empty when it has none (a member's name is not looked into). What was cited with an absolute path, or from
 * elsewhere, is looked for by what its path ends in, the longest first. */
static struct str shorter(struct str path)
{
	for (size_t i = 0; i + 1 < path.n && !str_starts(str_sub(path, i, 2), STR("!/")); i++)
		if (path.p[i] == '/') return str_sub(path, i + 1, SIZE_MAX);
	return (struct str){0};
}

static bool open_original(void *arg, struct str path, int64_t member, struct input *ret, struct fault *f)
{
	struct case_originals *o = arg;
	struct fault inner = FAULT_INIT;
	if (case_original_open(o->folder, path, member, ret, f)) return true;
	while ((!f || f->kind == FAULT_NOT_FOUND) && (path = shorter(path)).n)
		if (case_original_open(o->folder, path, member, ret, &inner)) return true;
	return false;
}

bool case_original_path(const struct case_originals *o, struct str path, int64_t member, char out[4096])
{
	for (struct str s = str_sub(path, 0, member >= 0 ? str_find(path, STR("!/"), 0) : SIZE_MAX); s.n; s = shorter(s)) {
		int n = snprintf(out, 4096, "%s/%.*s", o->folder, STR_FMT(s));
		if (n > 0 && n < 4096 && access(out, F_OK) == 0) return true;
	}
	return false;
}

bool case_originals_init(struct case_originals *o, const char *folder, const char *case_path, const char *key_path)
{
	struct fault f = FAULT_INIT;
	struct buf beside = {0};
	*o = (struct case_originals){.folder = folder};
	o->sources = (struct verify_sources){.arg = o, .open = open_original};
	case_key_path(case_path, &beside);
	const char *path = key_path ? key_path : access(beside.p, R_OK) == 0 ? beside.p : NULL;
	bool ok = !path || salt_key_read(path, &o->key, &f);
	if (ok && path) o->sources.key = &o->key;
	if (!ok) app_fault(&f);
	buf_done(&beside);
	return ok;
}
