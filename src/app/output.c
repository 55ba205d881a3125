/* output.c: see output.h. */
#include "app/output.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { FLUSH_AT = 1 << 20 };

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

struct finding_sink *output_new(const char *path, const struct report_sources *sources, struct fault *f)
{
	struct str p = str_of(path);
	bool standard = !strcmp(path, "-"), csv = str_ends(p, STR(".csv"));
	if (!standard && !csv && !str_ends(p, STR(".jsonl")) && !str_ends(p, STR(".json")) && !str_ends(p, STR(".ndjson"))) {
		fault_set(f, FAULT_USAGE, "-o: the ending says the form; known are .jsonl and .csv");
		fault_path(f, p);
		return NULL;
	}
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
