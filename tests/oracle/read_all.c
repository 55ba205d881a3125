/* read_all.c: see read_all.h. */
#include "tests/oracle/read_all.h"
#include "evtx/evtx.h"
#include "read/read.h"

static const struct reader_ops *format_of(struct input *in)
{
	static char head[64 << 10];
	size_t n;
	const struct reader_ops *const *others = read_formats(&n), *best = NULL;
	int64_t got = input_pread(in, head, sizeof head, 0, NULL);
	int score = 0;
	for (size_t i = 0; got > 0 && i <= n; i++) {
		const struct reader_ops *ops = i < n ? others[i] : &evtx_reader_ops;
		int s = ops->sniff((struct str){head, (size_t)got}, in->size, in->path);
		if (s > score) score = s, best = ops;
	}
	return best;
}

bool read_all(struct input *in, struct shape_table *shapes, bool (*each)(void *arg, struct event *ev), void *arg)
{
	struct reader_options options = {0};
	struct fault f = FAULT_INIT;
	const struct reader_ops *ops = format_of(in);
	struct reader *r = ops ? ops->open(in, &options, &f) : NULL;
	bool more = true;
	if (!r) return false;
	/* The last cursor also gets what the first deferred. */
	for (int pass = 0; pass < 2; pass++) {
		struct reader_cursor *c = ops->cursor_new(r, shapes);
		for (struct event *ev; more && (ev = ops->next(c));) more = each(arg, ev);
		ops->cursor_free(c);
	}
	struct arena strings;
	arena_init(&strings, 1 << 26);
	struct source_report report = {.arena = &strings};
	ops->finish(r, &report);
	ops->free(r);
	report_done(&report);
	arena_done(&strings);
	return true;
}
