/* walk.c: paths to files, in byte order of names, links to folders not followed. See scan_walk_path. */
#include "scan/scan_internal.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 64 };

static void note_errno(const struct path_sink *to, const char *path, const char *what)
{
	char reason[200];
	snprintf(reason, sizeof reason, "%s: %s", what, strerror(errno));
	to->unread(to->arg, path, reason, true);
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int not_dots(const struct dirent *e) { return strcmp(e->d_name, ".") && strcmp(e->d_name, ".."); }

static void walk(const struct path_sink *to, const char *path, unsigned depth);

static void walk_folder(const struct path_sink *to, const char *path, unsigned depth)
{
	struct dirent **names;
	if (depth > MAX_DEPTH) {
		to->unread(to->arg, path, "folders nested too deep (limit 64)", true);
		return;
	}
	int n = scandir(path, &names, not_dots, by_name);
	if (n < 0) {
		note_errno(to, path, "cannot list the folder");
		return;
	}
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/') length--;
	for (int i = 0; i < n; i++) {
		char *child = xmalloc(length + strlen(names[i]->d_name) + 2);
		sprintf(child, "%.*s%s%s", (int)length, path, length == 1 && path[0] == '/' ? "" : "/", names[i]->d_name);
		walk(to, child, depth + 1);
		free(child);
		free(names[i]);
	}
	free(names);
}

static void walk(const struct path_sink *to, const char *path, unsigned depth)
{
	struct stat st, link;
	if (lstat(path, &link) < 0) {
		note_errno(to, path, "cannot open");
		return;
	}
	bool is_link = S_ISLNK(link.st_mode);
	if (stat(path, &st) < 0) note_errno(to, path, is_link ? "the link leads nowhere" : "cannot open");
	else if (S_ISDIR(st.st_mode) && is_link && depth) to->unread(to->arg, path, "link to a folder, not followed", false);
	else if (S_ISDIR(st.st_mode)) walk_folder(to, path, depth);
	else if (S_ISREG(st.st_mode)) to->file(to->arg, path, (uint64_t)st.st_size);
	else to->unread(to->arg, path, "not a regular file", depth == 0); /* of those that were asked for it matters */
}

void scan_walk_path(const char *path, const struct path_sink *to) { walk(to, path, 0); }

static void add_file(void *arg, const char *path, uint64_t size)
{
	struct scan *s = arg;
	vec_push(&s->items, (struct scan_item){.path = xstrdup(path), .size = size, .number = s->items.n});
	s->bytes_total += size;
	s->sources_total++;
}

static void note_path(void *arg, const char *path, const char *reason, bool is_log)
{
	struct scan *s = arg;
	scan_note_unread(s, (uint64_t)s->items.n << 24, str_of(path), reason, is_log);
}

void scan_add_path(struct scan *s, const char *path) { scan_walk_path(path, &(struct path_sink){s, add_file, note_path}); }

void scan_add_file(struct scan *s, const struct scan_file *file)
{
	struct stat st;
	uint64_t size = stat(file->path, &st) == 0 ? (uint64_t)st.st_size : 0;
	vec_push(&s->items, (struct scan_item){xstrdup(file->path), size, file->number, xmalloc(file->shown.n + 1), file->mtime_sec});
	char *shown = s->items.v[s->items.n - 1].shown;
	if (file->shown.n) memcpy(shown, file->shown.p, file->shown.n);
	shown[file->shown.n] = 0;
	s->bytes_total += size;
	s->sources_total++;
}
