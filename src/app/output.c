/* output.c: see output.h. */
#include "app/output.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLUSH_AT = 1 << 18 };

struct output {
	struct finding_sink sink;
	const char *path;
	int fd;
	struct buf out;
	const struct report_sources *sources;
	struct report_texts *texts;
	struct fault fault;
};

static bool write_out(int fd, const char *path, struct buf *b, struct fault *f)
{
	size_t done = 0;
	while (done < b->n) {
		ssize_t n = write(fd, b->p + done, b->n - done);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) {
			fault_set(f, FAULT_IO, "cannot write");
			fault_path(f, str_of(path));
			return false;
		}
		done += (size_t)n;
	}
	b->n = 0;
	return true;
}

static bool put_jsonl(struct finding_sink *self, const struct finding *f, const struct scan_results *results)
{
	struct output *o = (struct output *)self;
	(void)results;
	report_jsonl_by(o->texts, f, o->sources, &o->out);
	return o->out.n < FLUSH_AT || write_out(o->fd, o->path, &o->out, &o->fault);
}

static bool put_csv(struct finding_sink *self, const struct finding *f, const struct scan_results *results)
{
	struct output *o = (struct output *)self;
	(void)results;
	report_csv(f, o->sources, &o->out);
	return o->out.n < FLUSH_AT || write_out(o->fd, o->path, &o->out, &o->fault);
}

static int create(const char *path, struct fault *f)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd >= 0) return fd;
	fault_set(f, FAULT_IO, "cannot create");
	fault_path(f, str_of(path));
	return -1;
}

enum form { FORM_UNKNOWN, FORM_JSONL, FORM_CSV };

static enum form form_of(const char *path)
{
	static const struct { const char *ending; enum form form; } forms[] = {{".jsonl", FORM_JSONL}, {".json", FORM_JSONL}, {".ndjson", FORM_JSONL}, {".csv", FORM_CSV}};
	if (!strcmp(path, "-")) return FORM_JSONL;
	for (size_t i = 0; i < COUNT(forms); i++)
		if (str_ends(str_of(path), str_of(forms[i].ending))) return forms[i].form;
	return FORM_UNKNOWN;
}

static bool refuse(struct fault *f, enum fault_kind kind, const char *path, const char *why)
{
	fault_set(f, kind, "%s", why);
	fault_path(f, str_of(path));
	return false;
}

/* Whether a file is the input, or below it. */
static bool is_among(const char *file, const struct stat *st, const char *input)
{
	char real[PATH_MAX];
	struct stat at;
	size_t n = realpath(input, real) ? strlen(real) : 0;
	if (n && !strncmp(file, real, n) && (!file[n] || file[n] == '/' || real[n - 1] == '/')) return true;
	return n && stat(real, &at) == 0 && at.st_dev == st->st_dev && at.st_ino == st->st_ino; /* by another name */
}

/* A file that is there already. */
static bool check_present(const char *path, const char *real, const char *const *inputs, size_t n_inputs, struct fault *f)
{
	struct stat st;
	if (stat(real, &st) < 0 || access(real, W_OK) < 0) return refuse(f, FAULT_IO, path, "cannot write");
	if (S_ISDIR(st.st_mode)) return refuse(f, FAULT_USAGE, path, "is a folder; name a file");
	for (size_t i = 0; i < n_inputs && S_ISREG(st.st_mode); i++)
		if (is_among(real, &st, inputs[i])) return refuse(f, FAULT_USAGE, path, "is among the logs to be read, and would be overwritten; name a file elsewhere");
	return true;
}

bool output_check(const char *path, bool findings, const char *const *inputs, size_t n_inputs, struct fault *f)
{
	char real[PATH_MAX], folder[PATH_MAX] = ".";
	const char *slash = strrchr(path, '/');
	if (findings && form_of(path) == FORM_UNKNOWN) return refuse(f, FAULT_USAGE, path, "the ending says the form; known are .jsonl, .csv and .case");
	if (!strcmp(path, "-")) return true;
	if (realpath(path, real)) return check_present(path, real, inputs, n_inputs, f);
	if (slash && (size_t)(slash - path) + 2 <= sizeof folder) snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1, path);
	return access(folder, W_OK | X_OK) == 0 || refuse(f, FAULT_IO, path, "cannot create");
}

struct finding_sink *output_new(const char *path, const struct report_sources *sources, struct fault *f)
{
	bool standard = !strcmp(path, "-"), csv = form_of(path) == FORM_CSV;
	int fd = standard ? 1 : create(path, f);
	if (fd < 0) return NULL;
	struct output *o = xcalloc(1, sizeof *o);
	o->sink.put = csv ? put_csv : put_jsonl;
	o->path = path;
	o->fd = fd;
	o->sources = sources;
	o->texts = report_texts_new();
	o->fault = FAULT_INIT;
	if (csv) report_csv_header(&o->out);
	return &o->sink;
}

bool output_close(struct finding_sink *sink, struct fault *f)
{
	struct output *o = (struct output *)sink;
	if (!o->fault.kind) write_out(o->fd, o->path, &o->out, &o->fault);
	if (o->fd != 1 && close(o->fd) < 0 && !o->fault.kind) {
		fault_set(&o->fault, FAULT_IO, "cannot write");
		fault_path(&o->fault, str_of(o->path));
	}
	bool ok = !o->fault.kind;
	if (!ok && f) *f = o->fault;
	report_texts_free(o->texts);
	buf_done(&o->out);
	free(o);
	return ok;
}

bool output_stats(const char *path, const struct report_run *run, struct fault *f)
{
	struct buf out = {0};
	bool standard = !strcmp(path, "-");
	int fd = standard ? 1 : create(path, f);
	if (fd < 0) return false;
	report_stats(run, &out);
	bool ok = write_out(fd, path, &out, f);
	if (!standard && close(fd) < 0 && ok) {
		fault_set(f, FAULT_IO, "cannot write");
		fault_path(f, str_of(path));
		ok = false;
	}
	buf_done(&out);
	return ok;
}
