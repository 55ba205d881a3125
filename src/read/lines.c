/* lines.c: see lines_internal.h. */
#include "read/lines_internal.h"
#include "text/utf.h"

enum { ZERO_RUN = 8 };

static enum text_encoding encoding_of(struct str head, size_t *ret_mark)
{
	*ret_mark = 0;
	if (str_starts(head, STR("\xef\xbb\xbf"))) return *ret_mark = 3, TEXT_UTF8;
	if (str_starts(head, STR("\xff\xfe"))) return *ret_mark = 2, TEXT_UTF16LE;
	if (str_starts(head, STR("\xfe\xff"))) return *ret_mark = 2, TEXT_UTF16BE;
	/* Without a mark: log text is mostly ASCII, so half of UTF-16's bytes are zero, all on one side. */
	size_t even = 0, odd = 0, n = head.n < 512 ? head.n / 2 : 256;
	for (size_t i = 0; i < n; i++) {
		even += head.p[2 * i] == 0;
		odd += head.p[2 * i + 1] == 0;
	}
	if (n >= 4 && !even && odd * 10 > n * 8) return TEXT_UTF16LE;
	if (n >= 4 && !odd && even * 10 > n * 8) return TEXT_UTF16BE;
	return TEXT_UTF8;
}

static void swap_units(uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2) {
		uint8_t c = p[i];
		p[i] = p[i + 1];
		p[i + 1] = c;
	}
}

bool lines_open(struct lines *l, struct input *in, struct source_report *report, struct fault *f)
{
	char head[512];
	size_t mark;
	*l = (struct lines){.in = in, .report = report, .number = 1, .valid = true};
	int64_t n = input_pread(in, head, sizeof head, 0, f);
	if (n < 0) return false;
	l->encoding = encoding_of((struct str){head, (size_t)n}, &mark);
	if (mark && input_next(in, head, mark, f) != (int64_t)mark) return false;
	report_header(report, 0, mark);
	l->offset = mark;
	if (l->encoding != TEXT_UTF8) l->raw = xmalloc(LINES_BLOCK + 4);
	return true;
}

void lines_close(struct lines *l)
{
	if (l->in) input_settle(l->in);
	free(l->buf);
	free(l->raw);
	l->buf = NULL;
	l->raw = NULL;
}

static void read_failed(struct lines *l, uint64_t from)
{
	l->failed = l->final = true;
	if (from < l->in->size) report_damage(l->report, from, l->in->size - from, "read error");
}

/* Room for n more bytes behind the window, which moves to the front. */
static void make_room(struct lines *l, size_t n)
{
	input_settle(l->in);
	if (l->at) memmove(l->buf, l->buf + l->at, l->end - l->at);
	l->end -= l->at;
	l->at = 0;
	if (l->cap - l->end >= n + LINES_PAD && l->buf) return;
	l->cap = l->end + n + LINES_PAD;
	l->buf = xrealloc(l->buf, l->cap);
}

/* The source ended before its size: input_finish will refuse it; here it is damage, so that the counts still sum up. */
static void became_shorter(struct lines *l)
{
	if (l->in->at < l->in->size) report_damage(l->report, l->in->at, l->in->size - l->in->at, "the file became shorter while it was read");
}

static void fill_utf8(struct lines *l)
{
	struct fault f = FAULT_INIT;
	/* As much again as is there, so that a long line is not looked through more than twice. */
	size_t want = l->end - l->at > LINES_BLOCK ? l->end - l->at : LINES_BLOCK;
	make_room(l, want);
	int64_t n = input_next_kept(l->in, l->buf + l->end, want, &f);
	if (n < 0) {
		read_failed(l, l->offset + l->end);
		return;
	}
	l->end += (size_t)n;
	if (n == 0 || l->in->at >= l->in->size) l->final = true;
	if (n == 0) became_shorter(l);
}

static void fill_utf16(struct lines *l)
{
	struct fault f = FAULT_INIT;
	int64_t n = input_next(l->in, l->raw + l->n_raw, LINES_BLOCK, &f);
	if (n < 0) {
		read_failed(l, l->in->at - l->n_raw);
		return;
	}
	size_t all = l->n_raw + (size_t)n, use = all & ~(size_t)1;
	if (l->encoding == TEXT_UTF16BE) swap_units(l->raw + (l->n_raw & ~(size_t)1), all - (l->n_raw & ~(size_t)1));
	l->final = n == 0 || l->in->at >= l->in->size;
	if (n == 0) became_shorter(l);
	/* A pair's first half waits for the second. */
	if (!l->final && use >= 2 && (l->raw[use - 1] & 0xfc) == 0xd8) use -= 2;
	make_room(l, UTF16_ROOM(use / 2));
	l->end += utf16le_to_utf8(l->raw, use / 2, UTF_LONE_REPLACE, l->buf + l->end, NULL);
	l->n_raw = all - use;
	if (l->final && l->n_raw) report_damage(l->report, l->in->at - 1, 1, "half a character of UTF-16 at the end");
	if (!l->final) memmove(l->raw, l->raw + use, l->n_raw);
}

/* Whether the window is valid UTF-8; a character cut off by the window's end counts, for it is looked at again. */
static bool window_valid(const struct lines *l)
{
	struct str w = lines_window(l);
	size_t good = utf8_valid_prefix(w, NULL);
	if (good == w.n) return true;
	if (l->final || w.n - good > 3) return false;
	for (size_t i = good; i < w.n; i++)
		if (!(w.p[i] & 0x80)) return false;
	return true;
}

static void fill(struct lines *l)
{
	if (l->encoding == TEXT_UTF8) fill_utf8(l);
	else fill_utf16(l);
	struct str w = lines_window(l);
	l->valid = window_valid(l);
	l->zeros = w.n && memchr(w.p, 0, w.n);
}

bool lines_more(struct lines *l)
{
	size_t had = l->end - l->at;
	if (had >= LINES_MAX) return false;
	while (!l->final && l->end - l->at == had) fill(l);
	return l->end - l->at > had;
}

/* UTF-16 bytes that n bytes of the window came from: two for a character, four for one beyond the first plane. */
static uint64_t utf16_bytes(const char *p, size_t n)
{
	uint64_t units = 0;
	for (size_t i = 0; i < n; i++) units += ((uint8_t)p[i] & 0xc0) != 0x80 ? 1 + ((uint8_t)p[i] >= 0xf0) : 0;
	return units * 2;
}

uint64_t lines_bytes(const struct lines *l, size_t from, size_t n)
{
	return l->encoding == TEXT_UTF8 || !n ? n : utf16_bytes(l->buf + l->at + from, n);
}

uint64_t lines_offset(const struct lines *l, size_t at) { return l->offset + lines_bytes(l, 0, at); }

static uint32_t count_ends(const char *p, size_t n)
{
	uint32_t ends = 0;
	for (const char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))); p++) ends++;
	return ends;
}

uint64_t lines_take_counted(struct lines *l, size_t n, uint32_t ends)
{
	uint64_t bytes = lines_bytes(l, 0, n);
	l->number += ends;
	l->at += n;
	l->offset += bytes;
	return bytes;
}

uint64_t lines_take(struct lines *l, size_t n) { return lines_take_counted(l, n, n ? count_ends(l->buf + l->at, n) : 0); }

void lines_take_slack(struct lines *l, size_t n)
{
	uint64_t from = l->offset;
	report_slack(l->report, from, lines_take(l, n));
}

void lines_take_header(struct lines *l, size_t n)
{
	uint64_t from = l->offset;
	report_header(l->report, from, lines_take(l, n));
}

static void skip_zeros(struct lines *l)
{
	do {
		size_t n = 0;
		while (l->at + n < l->end && l->buf[l->at + n] == 0) n++;
		lines_take_slack(l, n);
		if (l->at < l->end) return;
	} while (lines_more(l));
}

void lines_skip_marks(struct lines *l)
{
	static const char bom[] = "\xef\xbb\xbf";
	while (l->at < l->end) {
		if (l->buf[l->at] == 0) {
			skip_zeros(l);
		} else if (l->buf[l->at] == bom[0] && (l->end - l->at >= 3 || lines_more(l)) && str_starts(lines_window(l), STR(bom))) {
			lines_take_header(l, 3);
		} else {
			return;
		}
	}
}

/* A line without end within LINES_MAX: all of it is damage. */
static void skip_long(struct lines *l)
{
	uint64_t from = l->offset, bytes = 0;
	for (;;) {
		struct str w = lines_window(l);
		const char *lf = w.n ? memchr(w.p, '\n', w.n) : NULL;
		bytes += lines_take(l, lf ? (size_t)(lf - w.p) + 1 : w.n);
		if (lf || !lines_more(l)) break;
	}
	report_damage(l->report, from, bytes, "line longer than 16 MiB");
}

static void hand_out(struct lines *l, size_t n, size_t with_end, bool ended, struct line *ret)
{
	struct str text = {l->buf + l->at, n};
	*ret = (struct line){.text = text, .offset = l->offset, .length = lines_bytes(l, 0, n), .number = l->number, .ended = ended};
	ret->size = l->encoding == TEXT_UTF8 ? with_end : lines_bytes(l, 0, with_end);
	l->at += with_end;
	l->offset += ret->size;
	l->number += ended;
}

/* Where a line of n bytes ends because room that was set aside begins: a run of zeros, or any zeros at its end. Single ones within a line are
 * text that somebody sent. */
static size_t before_zeros(const char *p, size_t n, bool whole)
{
	for (size_t at = 0; at < n;) {
		const char *zero = memchr(p + at, 0, n - at);
		if (!zero) return n;
		size_t from = (size_t)(zero - p), to = from;
		while (to < n && !p[to]) to++;
		if (to - from >= ZERO_RUN || (to == n && whole)) return from;
		at = to;
	}
	return n;
}

bool lines_next(struct lines *l, struct line *ret)
{
	for (size_t looked = 0;;) {
		if (l->at < l->end && !looked && (l->buf[l->at] == 0 || l->buf[l->at] == '\xef')) lines_skip_marks(l);
		struct str w = lines_window(l);
		const char *lf = w.n > looked ? memchr(w.p + looked, '\n', w.n - looked) : NULL;
		size_t n = lf ? (size_t)(lf - w.p) : w.n;
		size_t text_end = l->zeros ? before_zeros(w.p, n, lf || l->final) : n;
		if (text_end < n) {
			hand_out(l, text_end, text_end, false, ret);
			return true;
		}
		if (lf) {
			size_t text = n && w.p[n - 1] == '\r' ? n - 1 : n;
			hand_out(l, text, n + 1, true, ret);
			return true;
		}
		looked = w.n;
		if (!l->final && w.n < LINES_MAX) {
			lines_more(l);
			continue;
		}
		if (!l->final) {
			skip_long(l);
			looked = 0;
			continue;
		}
		if (!w.n) return false;
		hand_out(l, w.n && w.p[w.n - 1] == '\r' ? w.n - 1 : w.n, w.n, false, ret);
		return true;
	}
}

struct str lines_head(struct str head, char **scratch)
{
	size_t mark;
	enum text_encoding encoding = encoding_of(head, &mark);
	*scratch = NULL;
	head = str_sub(head, mark, head.n);
	if (encoding == TEXT_UTF8) return head;
	char *units = xmalloc(head.n + 2), *out = xmalloc(UTF16_ROOM(head.n / 2));
	memcpy(units, head.p, head.n);
	if (encoding == TEXT_UTF16BE) swap_units((uint8_t *)units, head.n);
	size_t n = utf16le_to_utf8(units, head.n / 2, UTF_LONE_REPLACE, out, NULL);
	free(units);
	*scratch = out;
	return (struct str){out, n};
}
