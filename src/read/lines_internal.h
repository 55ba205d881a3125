/* lines_internal: the bytes of a text source as UTF-8: a window that slides over the source, taken line by line or in any pieces.
 *
 * Reads through input_next, so that everything is hashed on the way. UTF-8 is handed out as it stands (a BOM is header; whether a
 * window is valid UTF-8 is told, so that readers need not look again); UTF-16 of either order is converted. Offsets and lengths are
 * always of the source's own bytes. A line ends with LF or CRLF, with the source, or before a run of zeros (a web server sets aside room
 * for its log and leaves zeros there when it dies): such runs are slack.
 *
 * Accounting: what the window skips by itself (BOM, zeros, lines that are too long, read errors) it enters into the report; what
 * it hands out, the reader must enter: line.size or what lines_take returns. One thread. */
#pragma once
#include "event/reader.h"

enum text_encoding { TEXT_UTF8, TEXT_UTF16LE, TEXT_UTF16BE };
enum { LINES_BLOCK = 256 << 10, LINES_MAX = 16 << 20 };

struct lines {
	struct input *in;
	struct source_report *report;
	enum text_encoding encoding;
	char *buf;
	size_t cap, at, end;     /* the window is buf[at, end); `buf` has LINES_PAD readable bytes behind `end` */
	uint64_t offset;         /* in the source, of buf[at] */
	uint32_t number;         /* 1-based number of the line that buf[at] is in */
	bool final;              /* no bytes come behind the window */
	bool valid;              /* the window is valid UTF-8 */
	bool zeros;              /* there may be NUL bytes in the window */
	bool failed;             /* a read error; it is in the report */
	uint8_t *raw;            /* UTF-16: bytes as read; the first `n_raw` are left over from the block before */
	size_t n_raw;
};
enum { LINES_PAD = 64 };

struct line {
	struct str text;         /* without its end; UTF-8 when lines.valid, else any bytes; until the next call */
	uint64_t offset, length; /* of the text in the source */
	uint64_t size;           /* of it with its end: to be entered into the report */
	uint32_t number;         /* 1-based */
	bool ended;              /* it has a line end: a last line without one may be cut off */
};

/* Starts at the source's first byte. False and *f when not even that can be read. */
bool lines_open(struct lines *l, struct input *in, struct source_report *report, struct fault *f);
void lines_close(struct lines *l);
/* The next line; false at the end. */
bool lines_next(struct lines *l, struct line *ret);

/* For formats whose records are no lines. What is in the window now; a view until the next lines_more or lines_take. */
static inline struct str lines_window(const struct lines *l) { return (struct str){l->buf ? l->buf + l->at : l->buf, l->end - l->at}; }
/* Brings more bytes behind the window. False when there are none, or the window has LINES_MAX already. */
bool lines_more(struct lines *l);
/* Where a record may begin: drops zeros at the window's front, however many follow (slack), and a byte order mark, as logs that were
 * joined have in their middle (header). */
void lines_skip_marks(struct lines *l);
/* Offset in the source of window byte `at`; the number of source bytes that the first `n` are. */
uint64_t lines_offset(const struct lines *l, size_t at);
uint64_t lines_bytes(const struct lines *l, size_t from, size_t n);
/* Takes n bytes off the window's front; returns how many source bytes they are, for the report. */
uint64_t lines_take(struct lines *l, size_t n);
/* Takes them and enters them into the report. */
void lines_take_slack(struct lines *l, size_t n);
void lines_take_header(struct lines *l, size_t n);
/* The same as lines_take when it is known that `ends` line ends are among them. */
uint64_t lines_take_counted(struct lines *l, size_t n, uint32_t ends);

/* The beginning of a source as UTF-8 for those who only look: without BOM, converted when it is UTF-16 (into *scratch, which the
 * caller frees; else NULL). */
struct str lines_head(struct str head, char **scratch);
