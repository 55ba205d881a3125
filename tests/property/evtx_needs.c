/* What evtx_needs names is enough: of each record a file is made that holds nothing but it and what it needs, and the event that is
 * read there is the one of the whole file. Over the samples, and over the corpus where it is. */
#include "tests/check.h"
#include "base/base.h"
#include "event/event.h"
#include "evtx/evtx.h"
#include <dirent.h>
#include <sys/stat.h>

static struct taxonomy *taxonomy;
static int n_files, n_records, n_differ, n_ranges;

/* The first event of a file in memory as JSON; false when there is none. With `wanted` the one at that offset. */
static bool read_one(const void *bytes, size_t n, uint64_t wanted, struct buf *out)
{
	struct input in;
	struct fault f = FAULT_INIT;
	struct reader_options options = {0};
	struct arena arena;
	struct source_report report = {.arena = &arena};
	bool found = false;
	arena_init(&arena, 1 << 20);
	input_of_memory(&in, bytes, n, STR("x.evtx"));
	struct shape_table *shapes = shape_table_new(taxonomy, 1 << 24);
	struct reader *r = evtx_reader_ops.open(&in, &options, &f);
	for (int pass = 0; r && pass < 2 && !found; pass++) {
		struct reader_cursor *c = evtx_reader_ops.cursor_new(r, shapes);
		for (struct event *ev; !found && (ev = evtx_reader_ops.next(c));) {
			if (ev->records[0].offset != wanted) continue;
			out->n = 0;
			ev->ops->json(ev, out);
			found = true;
		}
		evtx_reader_ops.cursor_free(c);
	}
	if (r) {
		evtx_reader_ops.finish(r, &report);
		evtx_reader_ops.free(r);
	}
	report_done(&report);
	shape_table_free(shapes);
	input_close(&in);
	arena_done(&arena);
	return found;
}

static void check_record(const uint8_t *file, uint64_t chunk, size_t n, uint32_t at, struct str want)
{
	static uint8_t sparse[4096 + 65536];
	struct range needs[512];
	struct buf got = {0};
	memset(sparse, 0, sizeof sparse);
	memcpy(sparse, file, 128);
	memcpy(sparse + 4096, file + chunk, 128);
	uint32_t size = le32_at(file + chunk + at + 4), count = evtx_needs(file + chunk, n, at, needs, COUNT(needs));
	memcpy(sparse + 4096 + at, file + chunk + at, size);
	for (uint32_t i = 0; i < count; i++) memcpy(sparse + 4096 + needs[i].offset, file + chunk + needs[i].offset, needs[i].length);
	bool ok = read_one(sparse, sizeof sparse, 4096 + at, &got) && str_eq(buf_view(&got), want);
	n_records++;
	n_ranges += (int)count;
	if (!ok && n_differ++ < 5) printf("# record at %llu+%u needs %u ranges\n# want %.*s\n# got  %.*s\n", (unsigned long long)chunk, at, count, (int)(want.n < 300 ? want.n : 300), want.p,
		(int)(got.n < 300 ? got.n : 300), got.p ? got.p : "");
	buf_done(&got);
}

/* Up to `most` records of a file, read once as a whole. */
static void check_file(const char *path, int most)
{
	struct fault f = FAULT_INIT;
	struct input in;
	struct reader_options options = {0};
	struct arena arena;
	struct source_report report = {.arena = &arena};
	char *bytes;
	size_t n;
	if (!file_slurp(path, 8 << 20, &bytes, &n, &f)) return;
	n_files++;
	arena_init(&arena, 16 << 20);
	input_of_memory(&in, bytes, n, STR("x.evtx"));
	struct shape_table *shapes = shape_table_new(taxonomy, 1 << 26);
	struct reader *r = evtx_reader_ops.open(&in, &options, &f);
	struct reader_cursor *c = r ? evtx_reader_ops.cursor_new(r, shapes) : NULL;
	struct buf want = {0};
	int done = 0;
	for (struct event *ev; c && done < most && (ev = evtx_reader_ops.next(c));) {
		uint64_t at = ev->records[0].offset, chunk = 4096 + (at - 4096) / 65536 * 65536;
		if (ev->flags || chunk + 65536 > n) continue;
		want.n = 0;
		ev->ops->json(ev, &want);
		check_record((const uint8_t *)bytes, chunk, 65536, (uint32_t)(at - chunk), buf_view(&want));
		done++;
	}
	if (c) evtx_reader_ops.cursor_free(c);
	if (r) {
		evtx_reader_ops.finish(r, &report);
		evtx_reader_ops.free(r);
	}
	report_done(&report);
	shape_table_free(shapes);
	input_close(&in);
	arena_done(&arena);
	buf_done(&want);
	free(bytes);
}

static void check_folder(const char *folder, int files, int most)
{
	struct dirent **names;
	char path[4096];
	int n = scandir(folder, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		struct stat st;
		snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
		if (names[i]->d_name[0] != '.' && stat(path, &st) == 0) {
			if (S_ISDIR(st.st_mode)) check_folder(path, files, most);
			else if (str_ends(str_of(path), STR(".evtx")) && n_files < files) check_file(path, most);
		}
		free(names[i]);
	}
	if (n >= 0) free(names);
}

static void report_done_all(void)
{
	printf("# %d files, %d records, %.1f ranges each, %d differ\n", n_files, n_records, n_records ? (double)n_ranges / n_records : 0, n_differ);
	taxonomy_free(taxonomy);
}

TEST(samples)
{
	char path[4096];
	NEED((taxonomy = taxonomy_new(NULL)));
	snprintf(path, sizeof path, "%s/samples", getenv("EXHIBIT_SOURCE_ROOT") ? getenv("EXHIBIT_SOURCE_ROOT") : ".");
	check_folder(path, 20, 40);
	report_done_all();
	CHECK(n_records > 50 && n_differ == 0);
}

TEST(corpus)
{
	char path[8192];
	if (!check_corpora()) SKIP("no corpora");
	NEED((taxonomy = taxonomy_new(NULL)));
	snprintf(path, sizeof path, "%s/evtx", check_corpora());
	check_folder(path, 60, 6);
	report_done_all();
	CHECK(n_records > 50 && n_differ == 0);
}

TEST_MAIN
