/* text_internal: what the readers of this room share. A format is one file with one text_format and one line in read.c.
 *
 * The common part opens the source, keeps the report, makes the event and answers the reader contract (event/reader.h) with one
 * cursor; the format pulls lines or bytes out of `lines`, finds the shape of each record and decodes cells when asked. */
#pragma once
#include "event/event.h"
#include "read/lines_internal.h"

struct reader;
/* What a format adds. All functions get the reader; `own` of it is the format's state. */
struct text_format {
	const char *name;                              /* as in reader_ops.format */
	size_t own_size;                               /* of the state, zeroed; 0: none */
	bool (*begin)(struct reader *r, struct fault *f); /* after opening; NULL: nothing to do */
	bool (*next)(struct reader *r);                /* the next event into r->event (text_event); false at the end */
	void (*end)(struct reader *r);                 /* frees what the state holds; NULL: nothing to do */
	void (*parameters)(struct reader *r, struct buf *out); /* appends " key=value"...; NULL: nothing but format and zone */
	bool binary;                                   /* not text: `lines` is not used, the format reads the source itself */
};

enum { TEXT_BATCH = 48 << 20, TEXT_NOTES = 1 << 20, TEXT_KEEP = 8 << 20 };

struct reader {
	const struct text_format *format;
	struct input *in;
	const struct reader_options *options;
	struct lines lines;
	struct source_report report;
	struct arena notes;                   /* of the report, until it is handed over */
	struct arena arena;                   /* the batch: reset before each event */
	struct arena keep;                    /* lives as long as the reader */
	struct shape_table *shapes;
	const struct taxonomy *taxonomy;
	struct logsource_binding forced;      /* --logsource */
	bool is_forced;
	int64_t twice_at;                     /* the last local time of an hour that the clock shows twice */
	bool twice_second;                    /* it is shown the second time */
	uint64_t n_twice;
	struct event event;
	struct record_ref record;
	struct value *cells;
	uint32_t cells_cap;
	void *own;
};

struct reader *text_open(const struct text_format *format, struct input *in, const struct reader_options *options, struct fault *f);
struct reader_cursor *text_cursor_new(struct reader *r, struct shape_table *shapes);
struct event *text_next(struct reader_cursor *c);
void text_cursor_free(struct reader_cursor *c);
void text_finish(struct reader *r, struct source_report *ret);
void text_free(struct reader *r);
/* The rest of a reader_ops. */
#define TEXT_READER_REST .max_cursors = 1, .cursor_new = text_cursor_new, .next = text_next, .cursor_free = text_cursor_free, \
	.finish = text_finish, .free = text_free

/* Begins the event of one record of `length` bytes at `offset`: shape, unread cells, time; enters it into the report as a record of
 * `size` bytes (with its line end; 0: they are entered otherwise). `bytes`: the record as it stands in the source, or NULL. */
struct event *text_event(struct reader *r, const struct shape *shape, const struct event_ops *ops, struct etime time, uint64_t offset,
	uint64_t length, uint64_t size, uint32_t line, const void *bytes);
/* The same for a line. */
struct event *text_line_event(struct reader *r, const struct shape *shape, const struct event_ops *ops, struct etime time,
	const struct line *line);
/* The bindings of a format: what --logsource says, else what the data says. */
const struct logsource_binding *text_bindings(const struct reader *r, struct str format, uint32_t *ret_n);
/* Files the shape, or gives it as it is when the table is full: then it lives as long as *spec. */
const struct shape *text_shape(struct reader *r, struct str key, struct shape *spec);
/* s as valid UTF-8, in the batch when it had to be repaired; empty when the batch is full. */
struct str text_repair(struct reader *r, struct str s);
static inline struct str text_clean(struct reader *r, struct str s) { return r->lines.valid ? s : text_repair(r, s); }
/* A time without zone as the options say; t is taken as UTC. Of an hour that the clock shows twice the second begins where the time goes back by more than
 * half an hour. */
struct etime text_zoned(struct reader *r, struct etime t);
/* Appends " zone=.. zone_from=.." to the parameters: what text_zoned did. */
void text_put_zone(const struct reader *r, struct buf *out);
/* Of n window bytes the blanks at the front are taken as slack; returns how many of the n are left. */
static inline size_t text_take_blanks(struct reader *r, size_t n)
{
	struct str w = str_sub(lines_window(&r->lines), 0, n);
	size_t front = 0;
	while (front < w.n && (uint8_t)w.p[front] <= ' ') front++;
	lines_take_slack(&r->lines, front);
	return n - front;
}
/* Bytes that are no record. */
static inline void text_damage(struct reader *r, const struct line *line, const char *static_reason)
{
	report_damage(&r->report, line->offset, line->size, static_reason);
}
