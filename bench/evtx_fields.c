/* Field extraction speed: every event of a log read as an event, and decoded of it every column whose name is in a list (what rules
 * look at); or none, for the cost of the events alone. One thread, CPU time, checksums on, nothing hashed.
 * usage: bench_evtx_fields FILE [rounds] < names      one name a line; prints MB/s with and without the fields */
#include "base/base.h"
#include "event/event.h"
#include "evtx/evtx.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct map names;
struct wanted { uint32_t n, columns[]; };
static uint64_t events, fields, bytes;

static double cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct wanted *wanted_of(const struct shape *s)
{
	struct wanted *w = xmalloc(sizeof *w + s->n_columns * sizeof *w->columns);
	w->n = 0;
	for (uint32_t i = 0; i < s->n_columns; i++)
		if (!s->columns[i].constant && map_get(&names, s->columns[i].name)) w->columns[w->n++] = i;
	return w;
}

static double once(const char *path, bool decode)
{
	static struct wanted *of_shape[1 << 16];
	struct input in;
	struct fault f = FAULT_INIT;
	struct arena strings;
	struct reader_options options = {0};
	struct source_report report = {.arena = &strings};
	struct taxonomy *taxonomy = taxonomy_new(&f);
	struct shape_table *shapes = shape_table_new(taxonomy, 16 << 20);
	double from = cpu();
	arena_init(&strings, 4 << 20);
	verify(input_open(&in, path, str_of(path), &f));
	input_unhashed(&in);
	struct reader *r = evtx_reader_ops.open(&in, &options, &f);
	struct reader_cursor *c = evtx_reader_ops.cursor_new(r, shapes);
	memset(of_shape, 0, sizeof of_shape);
	events = fields = bytes = 0;
	for (struct event *ev; (ev = evtx_reader_ops.next(c)); events++) {
		uint32_t id = ev->shape->id;
		if (!decode || id >= COUNT(of_shape)) continue;
		if (!of_shape[id]) of_shape[id] = wanted_of(ev->shape);
		for (uint32_t i = 0; i < of_shape[id]->n; i++) {
			const struct value *v = event_cell(ev, of_shape[id]->columns[i]);
			fields++;
			bytes += v->text.n;
		}
	}
	evtx_reader_ops.cursor_free(c);
	evtx_reader_ops.finish(r, &report);
	double took = cpu() - from;
	report_done(&report);
	evtx_reader_ops.free(r);
	for (size_t i = 0; i < COUNT(of_shape); i++) free(of_shape[i]);
	shape_table_free(shapes);
	taxonomy_free(taxonomy);
	input_close(&in);
	arena_done(&strings);
	return took;
}

int main(int argc, char **argv)
{
	char line[512];
	double best[2] = {1e9, 1e9};
	int rounds = argc > 2 ? atoi(argv[2]) : 5;
	struct arena keys;
	arena_init(&keys, 16 << 20);
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		map_put(&names, arena_str(&keys, str_of(line)), 1, NULL);
	}
	if (argc < 2) return 2;
	FILE *file = fopen(argv[1], "rb");
	if (!file) return 1;
	fseek(file, 0, SEEK_END);
	double size = (double)ftell(file);
	fclose(file);
	for (int i = 0; i < rounds; i++)
		for (int decode = 0; decode < 2; decode++) {
			double took = once(argv[1], decode != 0);
			if (took < best[decode]) best[decode] = took;
		}
	printf("events alone %.0f MB/s; with %.1f fields of %.0f bytes an event %.0f MB/s (%llu events)\n", size / 1e6 / best[0], (double)fields / (double)events,
		fields ? (double)bytes / (double)fields : 0.0, size / 1e6 / best[1], (unsigned long long)events);
	map_done(&names);
	arena_done(&keys);
	return 0;
}
