/* files.c: paths to rule files, in the byte order of their paths (rules_files_list in rules.h). */
#include "rules/rules_internal.h"
#include "base/file.h"
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FOLDER_DEPTH = 64 };

/* The folders that we are in: a link to one of them would be a loop. */
struct folder {
	const struct folder *outer;
	dev_t device;
	ino_t inode;
	unsigned depth;
};

static bool is_rule_file(const char *name)
{
	struct str s = str_of(name);
	return str_ends(s, STR(".yml")) || str_ends(s, STR(".yaml"));
}

static void add(struct rules_files *files, char *path, const char *reason) { vec_push(files, (struct rules_file){path, reason}); }

static bool in_loop(const struct folder *f)
{
	for (const struct folder *o = f->outer; o; o = o->outer)
		if (o->device == f->device && o->inode == f->inode) return true;
	return false;
}

static char *joined(const char *folder, const char *name)
{
	size_t length = strlen(folder), size = length + strlen(name) + 2;
	while (length > 1 && folder[length - 1] == '/') length--;
	char *path = xmalloc(size);
	snprintf(path, size, "%.*s%s%s", (int)length, folder, length == 1 && folder[0] == '/' ? "" : "/", name);
	return path;
}

static void walk(struct rules_files *files, const char *path, const struct folder *here);

static void entry(struct rules_files *files, char *path, const struct folder *here)
{
	struct stat st;
	if (stat(path, &st) < 0) {
		if (is_rule_file(path)) add(files, path, "cannot open: a link to nothing, or no permission");
		else free(path);
		return;
	}
	if (S_ISDIR(st.st_mode)) {
		struct folder inner = {here, st.st_dev, st.st_ino, here->depth + 1};
		if (in_loop(&inner)) add(files, path, "a link back to a folder that it is in");
		else if (inner.depth > FOLDER_DEPTH) add(files, path, "folders nested deeper than 64");
		else walk(files, path, &inner), free(path);
		return;
	}
	if (is_rule_file(path)) add(files, path, S_ISREG(st.st_mode) ? NULL : "not a regular file");
	else free(path);
}

static void walk(struct rules_files *files, const char *path, const struct folder *here)
{
	DIR *d = opendir(path);
	if (!d) {
		add(files, xstrdup(path), "cannot list the folder");
		return;
	}
	for (struct dirent *e; (e = readdir(d)) && files->n < RULES_FILES_MAX;)
		if (e->d_name[0] != '.') entry(files, joined(path, e->d_name), here);
	closedir(d);
}

static int by_path(const void *a, const void *b) { return strcmp(((const struct rules_file *)a)->path, ((const struct rules_file *)b)->path); }

bool rules_files_list(const char *path, struct rules_files *ret, struct fault *f)
{
	struct stat st;
	*ret = (struct rules_files){0};
	if (stat(path, &st) < 0) {
		fault_set(f, FAULT_IO, "cannot open the rules");
		fault_path(f, str_of(path));
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		add(ret, xstrdup(path), NULL); /* whatever its name: it was asked for */
		return true;
	}
	walk(ret, path, &(struct folder){NULL, st.st_dev, st.st_ino, 0});
	if (ret->n) qsort(ret->v, ret->n, sizeof *ret->v, by_path);
	return true;
}

void rules_files_free(struct rules_files *files)
{
	for (size_t i = 0; i < files->n; i++) free(files->v[i].path);
	vec_free(files);
}
