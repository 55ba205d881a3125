/* Fuzz target: bytes as an event log: every event read, every cell decoded, JSON in all ways. Whatever the bytes, the account sums to
 * the size, range by range, records do not overlap, JSON by plan equals JSON by walking the trees, and the lines that are written without events are
 * the events' JSON.
 * Read as they are; with record sizes repaired and stale records wanted; and with everything repaired, checksums too, so that damage gets
 * past them, once as other tools show events and once with all that a record holds. */
#include "evtx/evtx.h"
#include "base/base.h"
#include "tests/account_check.h"
#include "tests/oracle/sift_promise.h"
#include <stdlib.h>

static const struct taxonomy *taxonomy;

static void repair(uint8_t *p, size_t n)
{
	for (size_t c = 4096; c + 512 <= n; c += 65536) {
		size_t left = n - c < 65536 ? n - c : 65536, at = 512;
		memcpy(p + c, "ElfChnk", 8);
		/* Sizes that run out of the chunk are cut, their copies written. */
		while (at + 32 <= left && le32_at(p + c + at) == 0x2a2a) {
			uint32_t size = le32_at(p + c + at + 4) & ~7u;
			if (size < 32) size = 32;
			if (size > left - at) size = (uint32_t)(left - at) & ~7u;
			memcpy(p + c + at + 4, &size, 4);
			memcpy(p + c + at + size - 4, &size, 4);
			at += size;
		}
	}
}

enum { HEADER = 4096, CHUNK = 65536, PADDED_MAX = 1 << 20 };

static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static void put64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }

/* Chunks filled up to their size, with headers that tell the truth about the records. NULL: too large. */
static uint8_t *sound(const uint8_t *data, size_t size, size_t *ret_n)
{
	size_t chunks = size > HEADER ? (size - HEADER + CHUNK - 1) / CHUNK : 0, n = HEADER + chunks * CHUNK;
	if (n > PADDED_MAX) return NULL;
	uint8_t *p = calloc(1, n);
	verify(p);
	if (size) memcpy(p, data, size);
	repair(p, n);
	memcpy(p, "ElfFile", 8);
	put32(p + 120, 0);
	put32(p + 124, crc32_of(0, p, 120));
	for (size_t c = HEADER; c < n; c += CHUNK) {
		uint8_t *h = p + c;
		uint32_t at = 512, last = 512;
		while (at + 32 <= CHUNK && le32_at(h + at) == 0x2a2a) last = at, at += le32_at(h + at + 4);
		put32(h + 44, last);
		put32(h + 48, at);
		put32(h + 120, 1);
		put64(h + 24, le64_at(h + 520));
		put64(h + 32, le64_at(h + last + 8));
		put32(h + 52, crc32_of(0, h + 512, at - 512));
		put32(h + 124, crc32_of(crc32_of(0, h, 120), h + 128, 384));
	}
	*ret_n = n;
	return p;
}

/* The lines of the whole log, written block by block; they must be `wanted`. */
static void lines_equal(const uint8_t *bytes, size_t size, const struct reader_options *options, const struct buf *wanted)
{
	struct input in;
	struct fault f = FAULT_INIT;
	struct arena strings;
	struct source_report report = {.arena = &strings};
	struct buf lines = {0};
	uint64_t batch;
	arena_init(&strings, 64 << 20);
	input_of_memory(&in, bytes, size, STR("x.evtx"));
	input_unhashed(&in);
	struct reader *r = evtx_reader_ops.open(&in, options, &f);
	verify(r);
	for (int pass = 0; pass < 2; pass++) {
		struct reader_cursor *c = evtx_reader_ops.cursor_new(r, NULL);
		while (evtx_reader_ops.next_lines(c, &lines, &batch)) continue;
		evtx_reader_ops.cursor_free(c);
	}
	verify(str_eq(buf_view(&lines), buf_view(wanted)));
	evtx_reader_ops.finish(r, &report);
	verify(account_holds(&report, size));
	report_done(&report);
	evtx_reader_ops.free(r);
	input_close(&in);
	buf_done(&lines);
	arena_done(&strings);
}

static void read_all(const uint8_t *bytes, size_t size, const struct reader_options *options)
{
	struct input in;
	struct fault f = FAULT_INIT;
	struct arena strings;
	struct source_report report = {.arena = &strings};
	struct buf json = {0}, walked = {0}, all = {0};
	struct map seen = {0};
	uint64_t last_end = 0;
	arena_init(&strings, 64 << 20);
	input_of_memory(&in, bytes, size, STR("x.evtx"));
	struct reader *r = evtx_reader_ops.open(&in, options, &f);
	verify(r);
	struct shape_table *shapes = shape_table_new(taxonomy, 4 << 20);
	for (int pass = 0; pass < 2; pass++) {
		struct reader_cursor *c = evtx_reader_ops.cursor_new(r, shapes);
		for (struct event *ev; (ev = evtx_reader_ops.next(c));) {
			struct range contexts[8];
			verify(ev->records[0].offset + ev->records[0].length <= size);
			verify(ev->shape->id == UINT32_MAX || shape_table_at(shapes, ev->shape->id) == ev->shape);
			if (!(ev->flags & (EVENT_RECOVERED | EVENT_CARVED))) {
				verify(ev->records[0].offset >= last_end || pass);
				last_end = ev->records[0].offset + ev->records[0].length;
			}
			verify(!memcmp(ev->records[0].bytes, bytes + ev->records[0].offset, ev->records[0].length));
			for (uint32_t i = 0; i < ev->shape->n_columns; i++) verify(event_cell(ev, i)->kind != VALUE_UNREAD);
			enum sift kind;
			verify(!sift_lacks(ev, 8192, &kind).p);
			bool undecoded;
			verify(fields_agree(ev));
			verify(!undecoded_lacks(ev, &seen, &undecoded).p);
			uint32_t n = ev->ops->contexts(ev, contexts, 8);
			for (uint32_t i = 0; i < n; i++) verify(contexts[i].offset + contexts[i].length <= size);
			json.n = walked.n = 0;
			ev->ops->json(ev, &json);
			evtx_json_by_walk(ev, &walked);
			verify(str_eq(buf_view(&json), buf_view(&walked)));
			if (event_wanted(ev, options)) {
				buf_str(&all, buf_view(&json));
				event_mark_json(ev, &all);
				buf_byte(&all, '\n');
			}
			ev->ops->xml(ev, &json);
			event_fields_json(ev, &json);
		}
		evtx_reader_ops.cursor_free(c);
	}
	evtx_reader_ops.finish(r, &report);
	verify(account_holds(&report, size));
	lines_equal(bytes, size, options, &all);
	buf_done(&all);
	report_done(&report);
	evtx_reader_ops.free(r);
	shape_table_free(shapes);
	input_close(&in);
	buf_done(&json);
	buf_done(&walked);
	map_done(&seen);
	arena_done(&strings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct reader_options plain = {.ranges = true}, carve = {.carve = true, .ranges = true},
		some = {.has_ids = true, .first_id = 3, .last_id = 1u << 20, .since = {0, 0, 0, true}, .until = {1u << 31, 0, 0, true}},
		exact = {.exact_times = true, .omit_absent = true, .whole_text = true, .lone_surrogates = true};
	if (!taxonomy) taxonomy = taxonomy_new(NULL);
	verify(evtx_reader_ops.sniff((struct str){(const char *)data, size}, size, STR("x")) <= 100);
	read_all(data, size, &plain);
	uint8_t *copy = malloc(size ? size : 1);
	if (size) memcpy(copy, data, size);
	repair(copy, size);
	read_all(copy, size, &carve);
	free(copy);
	size_t n;
	copy = sound(data, size, &n);
	if (!copy) return 0;
	read_all(copy, n, &plain);
	read_all(copy, n, size & 1 ? &exact : &some);
	free(copy);
	return 0;
}
