/* cmd_cat.c: `exhibit cat`: the bytes of a source as findings cite it, members of archives too, so that anyone can cut and hash. */
#include "app/app.h"
#include "base/file.h"
#include "read/archive.h"
#include <errno.h>
#include <unistd.h>

enum { OPT_MEMBER };
static const struct option_row rows[] = {
	[OPT_MEMBER] = {0, "member", "N", "which member, when the name repeats: its number in the finding's evidence"},
	{0},
};

static bool put(void *arg, const void *bytes, size_t n)
{
	const char *p = bytes;
	(void)arg;
	while (n) {
		ssize_t done = write(1, p, n);
		if (done < 0 && errno == EINTR) continue;
		if (done < 0) return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

static bool cat_file(const char *path, struct fault *f)
{
	enum { BLOCK = 256 << 10 };
	struct input in;
	if (!input_open(&in, path, str_of(path), f)) return false;
	input_unhashed(&in);
	char *block = xmalloc(BLOCK);
	int64_t n;
	bool ok = true;
	while (ok && (n = input_next(&in, block, BLOCK, f)) > 0) ok = put(NULL, block, (size_t)n);
	free(block);
	input_close(&in);
	if (!ok) fault_set(f, FAULT_IO, "cannot write to standard output");
	return ok && n >= 0;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o;
	struct fault f = FAULT_INIT;
	const char *argument, *source = NULL, *temp = getenv("TMPDIR");
	uint64_t member = UINT64_MAX;
	options_begin(&o, self, argc, argv);
	for (int which; (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) return EXIT_DONE;
		if (which == OPTION_BAD) return EXIT_USAGE;
		if (which == OPT_MEMBER && (!str_u64(str_of(argument), &member) || member > INT64_MAX)) return app_usage(self, "--member takes a number");
		if (which == OPT_MEMBER) continue;
		if (source) return app_usage(self, "one source at a time");
		source = argument;
	}
	if (!source) return app_usage(self, "which source? As findings name it: file, or archive!/member");
	/* The container is what stands before the first "!/" that names a file. */
	char *path = xstrdup(source);
	bool ok, in_archive = false;
	for (char *bang = strstr(path, "!/"); bang && !in_archive; bang = strstr(bang + 1, "!/")) {
		*bang = 0;
		in_archive = access(path, F_OK) == 0;
		if (!in_archive) *bang = '!';
	}
	struct archive_limits limits = {.temp_dir = temp && *temp ? temp : "/tmp"};
	if (in_archive && access(source, F_OK) != 0) ok = archive_cat(path, str_of(source), member == UINT64_MAX ? -1 : (int64_t)member, &limits, put, NULL, &f);
	else ok = cat_file(source, &f);
	free(path);
	if (ok) return EXIT_DONE;
	app_fault(&f);
	return EXIT_FAILED;
}

const struct command command_cat = {
	.name = "cat", .synopsis = "[--member N] SOURCE", .summary = "write the bytes of a source, members of archives too",
	.group = "Prove", .options = rows, .run = run,
	.help = "SOURCE is what stands in a finding's evidence.\n\n"
		"example, checking a record inside an archive by hand:\n"
		"  exhibit cat 'evidence.zip!/logs/u_ex210302.log' | dd bs=1 skip=OFFSET count=LENGTH | sha256sum",
};
