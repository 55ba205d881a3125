/* Readers alone: every event of a log made, nothing matched and nothing hashed; and every column decoded besides. One thread, CPU time, the best of the rounds.
 * usage: bench_readers ROUNDS FILE...      prints format, MB/s and records/s, MB/s with all columns */
#include "base/base.h"
#include "event/event.h"
#include "read/read.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const struct reader_ops *format_of(struct input *in)
{
	static char head[64 << 10];
	struct fault f = FAULT_INIT;
	int64_t n = input_pread(in, head, sizeof head, 0, &f);
	return read_identify((struct str){head, n > 0 ? (size_t)n : 0}, in->size, in->path, (struct str){"", 0}, NULL).ops;
}

struct seen { uint64_t records, size, cells; const char *format; };

static double once(const char *path, bool decode, struct seen *ret)
{
	struct input in;
	struct fault f = FAULT_INIT;
	struct arena strings;
	struct reader_options options = {0};
	struct source_report report = {.arena = &strings};
	struct taxonomy *taxonomy = taxonomy_new(&f);
	struct shape_table *shapes = shape_table_new(taxonomy, 16 << 20);
	arena_init(&strings, 4 << 20);
	verify(input_open(&in, path, str_of(path), &f));
	input_unhashed(&in);
	const struct reader_ops *ops = format_of(&in);
	verify(ops);
	double from = cpu();
	struct reader *r = ops->open(&in, &options, &f);
	verify(r);
	struct reader_cursor *c = ops->cursor_new(r, shapes);
	*ret = (struct seen){.format = ops->format, .size = in.size};
	for (struct event *ev; (ev = ops->next(c));)
		for (uint32_t i = 0; decode && i < ev->shape->n_columns; i++) ret->cells += event_cell(ev, i)->kind == VALUE_STR;
	double took = cpu() - from;
	ops->cursor_free(c);
	ops->finish(r, &report);
	ret->records = report.n_records;
	ops->free(r);
	report_done(&report);
	arena_done(&strings);
	input_close(&in);
	shape_table_free(shapes);
	taxonomy_free(taxonomy);
	return took;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 3;
	for (int i = 2; i < argc; i++) {
		double plain = 1e9, whole = 1e9, t;
		struct seen s;
		for (int k = 0; k < rounds; k++) {
			if ((t = once(argv[i], false, &s)) < plain) plain = t;
			if ((t = once(argv[i], true, &s)) < whole) whole = t;
		}
		const char *name = strrchr(argv[i], '/');
		printf("%-16s %-12s %6.0f MB %7.0f MB/s %9.0f records/s %7.0f MB/s with all columns\n", name ? name + 1 : argv[i], s.format, (double)s.size / 1e6, (double)s.size / plain / 1e6,
			(double)s.records / plain, (double)s.size / whole / 1e6);
	}
	return 0;
}
