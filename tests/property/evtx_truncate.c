/* A log cut off after every possible number of bytes: each record that is still whole comes out, once, as it came out of the whole log;
 * every byte that is left is accounted for. */
#include "check.h"
#include "base/base.h"
#include "event/event.h"
#include "evtx/evtx.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_HEADER = 4096, CHUNK = 65536, RECORDS_MAX = 2048 };

static const struct taxonomy *taxonomy;
static uint8_t whole[FILE_HEADER + CHUNK];
static uint32_t ends[RECORDS_MAX], n_ends; /* where the records of the whole file end, by their own headers */

static void load(void)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/samples/first-look/Security.evtx", getenv("EXHIBIT_SOURCE_ROOT"));
	int fd = open(path, O_RDONLY);
	NEED(fd >= 0);
	NEED(read(fd, whole, sizeof whole) == sizeof whole);
	close(fd);
	for (uint32_t at = FILE_HEADER + 512; at + 32 <= sizeof whole && le32_at(whole + at) == 0x2a2a;) {
		at += le32_at(whole + at + 4);
		NEED(n_ends < RECORDS_MAX);
		ends[n_ends++] = at;
	}
	NEED(n_ends > 10);
}

/* Reads the first n bytes; false when something is lost, invented or not accounted for. */
static bool holds(size_t n)
{
	struct input in;
	struct fault f = FAULT_INIT;
	struct arena strings;
	struct reader_options options = {0};
	struct source_report report = {.arena = &strings};
	uint32_t seen = 0, want = 0;
	bool ok = true;
	while (want < n_ends && ends[want] <= n) want++;
	arena_init(&strings, 4 << 20);
	input_of_memory(&in, whole, n, STR("cut.evtx"));
	input_unhashed(&in);
	struct reader *r = evtx_reader_ops.open(&in, &options, &f);
	if (!r) return false;
	struct shape_table *shapes = shape_table_new(taxonomy, 1 << 20);
	struct reader_cursor *c = evtx_reader_ops.cursor_new(r, shapes);
	for (struct event *ev; (ev = evtx_reader_ops.next(c)); seen++) {
		ok = ok && seen < want && ev->records[0].offset + ev->records[0].length == ends[seen];
		ok = ok && !(ev->flags & EVENT_LIMITED);
	}
	evtx_reader_ops.cursor_free(c);
	evtx_reader_ops.finish(r, &report);
	ok = ok && seen == want && report.n_records == want && report.header + report.records + report.recovered + report.slack + report.damaged == n;
	/* What was cut off in the middle of a record is damage, not slack. */
	uint64_t complete = want ? ends[want - 1] : FILE_HEADER + 512;
	ok = ok && (n <= complete || want == n_ends || report.damaged == n - complete);
	report_done(&report);
	evtx_reader_ops.free(r);
	shape_table_free(shapes);
	input_close(&in);
	arena_done(&strings);
	return ok;
}

TEST(every_length)
{
	const char *step_text = getenv("EXHIBIT_STEP");
	size_t step = step_text ? (size_t)atoi(step_text) : 61, bad = 0;
	taxonomy = taxonomy_new(NULL);
	NEED(taxonomy);
	load();
	for (size_t n = 0; n <= sizeof whole; n += step)
		if (!holds(n) && !bad++) printf("# first at length %zu\n", n);
	CHECK(bad == 0);
}

TEST_MAIN
