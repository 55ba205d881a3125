/* read_fuzz.h: one source of any bytes through a reader. Must hold: the five counts sum up to the size; records lie in the source, in
 * order, and are the bytes the event says they are; the text for keywords and undecoded bytes keep their promises; every cell decodes; the fields and the format's own JSON can be written; what was
 * read twice is the same. */
#pragma once
#include "base/base.h"
#include "read/read.h"
#include "tests/account_check.h"
#include "tests/oracle/sift_promise.h"
#include "text/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_fuzz_event(struct event *ev, const uint8_t *data, size_t size, uint64_t *last, struct map *undecoded, struct buf *out)
{
	verify(ev->n_records >= 1);
	for (uint32_t i = 0; i < ev->n_records; i++) {
		const struct record_ref *r = &ev->records[i];
		verify(r->offset <= size && r->length <= size - r->offset);
		if (r->bytes) verify(!memcmp(r->bytes, data + r->offset, r->length));
		if (i == 0) {
			verify(r->offset >= *last);
			*last = r->offset;
		}
	}
	for (uint32_t i = 0; i < ev->shape->n_columns; i++) verify(event_cell(ev, i)->kind != VALUE_UNREAD);
	enum sift kind;
	bool any;
	verify(!sift_lacks(ev, 8192, &kind).p);
	verify(!undecoded_lacks(ev, undecoded, &any).p);
	size_t from = out->n;
	event_fields_json(ev, out);
	struct json_tape tape = {.max_depth = 200};
	verify(json_read_all(&tape, (struct str){out->p + from, out->n - from}, NULL));
	if (ev->ops->json) {
		from = out->n;
		ev->ops->json(ev, out);
		verify(json_read_all(&tape, (struct str){out->p + from, out->n - from}, NULL));
	}
	json_tape_done(&tape);
	if (ev->ops->contexts) {
		struct range ranges[8];
		uint32_t n = ev->ops->contexts(ev, ranges, 8);
		for (uint32_t i = 0; i < n; i++) verify(ranges[i].offset <= size && ranges[i].length <= size - ranges[i].offset);
	}
}

static inline int read_fuzz(const char *format, const uint8_t *data, size_t size)
{
	static struct taxonomy *taxonomy; /* the data does not change: parsed once a process */
	size_t n;
	const struct reader_ops *const *all = read_formats(&n), *ops = NULL;
	struct reader_options none = {.zone_seconds = 3600, .ranges = true};
	if (!taxonomy) taxonomy = taxonomy_new(NULL);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i]->format, format)) ops = all[i];
	verify(ops && taxonomy);
	(void)ops->sniff((struct str){(const char *)data, size < 65536 ? size : 65536}, size, STR("fuzz"));
	struct shape_table *shapes = shape_table_new(taxonomy, 4 << 20);
	struct arena strings;
	struct source_report report = {.arena = &strings};
	struct input in;
	struct fault f = FAULT_INIT;
	struct buf out = {0};
	struct map undecoded = {0};
	uint8_t sha[SHA256_SIZE];
	uint64_t last = 0, events = 0;
	arena_init(&strings, 1 << 20);
	input_of_memory(&in, data, size, STR("fuzz"));
	struct reader *r = ops->open(&in, &none, &f);
	verify(r);
	struct reader_cursor *c = ops->cursor_new(r, shapes);
	for (struct event *ev; (ev = ops->next(c)); events++) {
		out.n = 0;
		read_fuzz_event(ev, data, size, &last, &undecoded, &out);
	}
	ops->cursor_free(c);
	ops->finish(r, &report);
	verify(input_finish(&in, sha, &f));
	verify(account_holds(&report, size));
	verify(report.n_events == events);
	ops->free(r);
	input_close(&in);
	report_done(&report);
	buf_done(&out);
	map_done(&undecoded);
	shape_table_free(shapes);
	arena_done(&strings);
	return 0;
}
