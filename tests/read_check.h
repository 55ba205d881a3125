/* read_check.h: for tests of readers: a source of bytes in, events and the account of its bytes out; what holds for every reader is
 * checked on the way: records lie in the source and are the bytes the event says, the five counts sum up to the size. */
#pragma once
#include "account_check.h"
#include "check.h"
#include "base/base.h"
#include "read/read.h"

struct read_run {
	struct taxonomy *taxonomy;
	struct shape_table *shapes;
	struct arena strings;
	struct source_report report;
	struct buf out;       /* one line of JSON an event: its fields */
	struct buf columns;   /* hidden columns too, `name=value` a line, when `all` */
	uint32_t n;
	bool all;
	uint64_t record_bytes;
};

static inline const struct reader_ops *read_format(const char *name)
{
	size_t n;
	const struct reader_ops *const *all = read_formats(&n);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i]->format, name)) return all[i];
	return NULL;
}

static inline void read_note_columns(struct read_run *run, struct event *ev)
{
	for (uint32_t i = 0; run->all && i < ev->shape->n_columns; i++) {
		struct value *v = event_cell(ev, i);
		if (v->kind == VALUE_ABSENT) continue;
		buf_str(&run->columns, ev->shape->columns[i].name);
		buf_byte(&run->columns, '=');
		value_json(v, &run->columns);
		buf_byte(&run->columns, '\n');
	}
}

static inline void read_check_event(struct read_run *run, struct event *ev, struct input *in, const char *bytes)
{
	CHECK(ev->n_records >= 1);
	for (uint32_t i = 0; i < ev->n_records; i++) {
		const struct record_ref *r = &ev->records[i];
		CHECK(r->offset <= in->size && r->length <= in->size - r->offset);
		if (bytes && r->bytes) CHECK(!memcmp(r->bytes, bytes + r->offset, r->length));
		run->record_bytes += r->length;
	}
	event_fields_json(ev, &run->out);
	buf_byte(&run->out, '\n');
	read_note_columns(run, ev);
	/* Every cell decodes, and the format's own JSON can be written. */
	for (uint32_t i = 0; i < ev->shape->n_columns; i++) CHECK(event_cell(ev, i)->kind != VALUE_UNREAD);
	if (ev->ops->json) {
		struct buf own = {0};
		ev->ops->json(ev, &own);
		CHECK(own.n > 1);
		buf_done(&own);
	}
	run->n++;
}

/* Reads it all. The caller calls read_run_done. `bytes` may be NULL (a file). False when it could not be opened. */
static inline bool read_run_input(struct read_run *run, const struct reader_ops *ops, const struct reader_options *options, struct input *in, const char *bytes)
{
	static const struct reader_options none = {0};
	struct fault f = FAULT_INIT;
	uint8_t sha[SHA256_SIZE];
	if (!run->taxonomy) run->taxonomy = taxonomy_new(&f);
	NEED(run->taxonomy);
	if (!run->shapes) {
		run->shapes = shape_table_new(run->taxonomy, 16 << 20);
		arena_init(&run->strings, 16 << 20);
	}
	report_done(&run->report); /* of the run before */
	run->report = (struct source_report){.arena = &run->strings};
	struct reader_options with_ranges = options ? *options : none;
	with_ranges.ranges = true;
	struct reader *r = ops->open(in, &with_ranges, &f);
	if (!r) return false;
	struct reader_cursor *c = ops->cursor_new(r, run->shapes);
	for (struct event *ev; (ev = ops->next(c));) read_check_event(run, ev, in, bytes);
	ops->cursor_free(c);
	ops->finish(r, &run->report);
	ops->free(r);
	struct source_report *p = &run->report;
	CHECK(input_finish(in, sha, &f));
	bool holds = account_holds(p, in->size);
	CHECK(holds);
	if (!holds)
		printf("# header %llu records %llu recovered %llu slack %llu damaged %llu size %llu\n", (unsigned long long)p->header, (unsigned long long)p->records,
			(unsigned long long)p->recovered, (unsigned long long)p->slack, (unsigned long long)p->damaged, (unsigned long long)in->size);
	return true;
}

static inline bool read_run_bytes(struct read_run *run, const char *format, const struct reader_options *options, const char *bytes, size_t n, const char *path)
{
	struct input in;
	const struct reader_ops *ops = read_format(format);
	NEED(ops);
	char *exact = malloc(n ? n : 1); /* a read past the end is caught */
	memcpy(exact, bytes, n);
	input_of_memory(&in, exact, n, str_of(path));
	bool ok = read_run_input(run, ops, options, &in, exact);
	input_close(&in);
	buf_byte(&run->out, 0);
	run->out.n--;
	buf_byte(&run->columns, 0);
	run->columns.n--;
	free(exact);
	return ok;
}

static inline bool read_run_text(struct read_run *run, const char *format, const char *text) { return read_run_bytes(run, format, NULL, text, strlen(text), "test"); }

static inline bool read_has(const struct read_run *run, const char *line) { return strstr(run->columns.p ? run->columns.p : "", line) != NULL; }

static inline void read_run_done(struct read_run *run)
{
	report_done(&run->report);
	arena_done(&run->strings);
	buf_done(&run->out);
	buf_done(&run->columns);
	shape_table_free(run->shapes);
	taxonomy_free(run->taxonomy);
}

/* A log of the corpora: told by its bytes, read in full. Skips the test without corpora. */
static inline void read_whole(const char *format, const char *file, uint32_t events)
{
	const char *corpora = check_corpora();
	char path[4200];
	struct input in;
	struct fault f = FAULT_INIT;
	struct read_run run = {0};
	if (!corpora) SKIP("no corpora");
	snprintf(path, sizeof path, "%s/%s", corpora, file);
	NEED(input_open(&in, path, str_of(path), &f));
	char head[65536];
	int64_t n = input_pread(&in, head, sizeof head, 0, &f);
	CHECK_STR(read_identify((struct str){head, (size_t)n}, in.size, in.path, (struct str){"", 0}, NULL).ops->format, format);
	NEED(read_run_input(&run, read_format(format), NULL, &in, NULL));
	CHECK(run.n == events && run.report.damaged == 0);
	if (run.n != events || run.report.damaged) printf("# %s: %u events, %llu bytes damaged\n", file, run.n, (unsigned long long)run.report.damaged);
	input_close(&in);
	read_run_done(&run);
}

/* The surest format of these bytes, "" for none. */
static inline const char *read_sniffed(const char *bytes, size_t n, const char *path)
{
	struct read_guess g = read_identify((struct str){bytes, n}, n, str_of(path), (struct str){"", 0}, NULL);
	return g.ops ? g.ops->format : "";
}
