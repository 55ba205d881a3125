/* csv.c: see csv.h. */
#include "text/csv.h"
#include "base/alloc.h"

void csv_row_done(struct csv_row *row)
{
	free(row->v);
	row->v = NULL;
	row->n = row->cap = 0;
}

/* One record being read: the text up to `end`, which is also as far as the record may reach. */
struct record {
	const char *base, *p, *end;
	char separator, quote;
	bool strict, quotes; /* quotes: false when they are taken as characters */
	bool cut;            /* `end` is not the end of the file: what it cuts off is unknown */
	uint32_t max_cells;
};

static enum csv_status refuse(struct csv_row *row, const struct record *r, enum csv_status status, const char *reason)
{
	row->at = (size_t)(r->p - r->base);
	row->reason = reason;
	return status;
}

static bool put_cell(struct csv_row *row, const struct record *r, const char *from, const char *to, uint32_t flags)
{
	if (row->n == r->max_cells) return false;
	if (row->n == row->cap) {
		row->cap = row->cap ? row->cap * 2 : 64;
		row->v = xrealloc(row->v, row->cap * sizeof *row->v);
	}
	row->v[row->n++] = (struct csv_cell){(uint32_t)(from - r->base), (uint32_t)(to - from), flags};
	return true;
}

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

/* The first separator or LF from p on, or end. */
static const char *plain_end(const struct record *r, const char *p)
{
#if defined(__x86_64__)
	for (; r->end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(r->separator)), _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
		unsigned mask = (unsigned)_mm_movemask_epi8(hit);
		if (mask) return p + __builtin_ctz(mask);
	}
#endif
	while (p < r->end && *p != r->separator && *p != '\n') p++;
	return p;
}

enum { RUN = 64 };

/* A bit for each of RUN bytes at p: separators and LFs. */
static uint64_t stops_of(const struct record *r, const char *p)
{
	uint64_t stops = 0;
#if defined(__x86_64__)
	const __m128i separator = _mm_set1_epi8(r->separator), lf = _mm_set1_epi8('\n');
	for (int i = 0; i < RUN; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		__m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, separator), _mm_cmpeq_epi8(v, lf));
		stops |= (uint64_t)(unsigned)_mm_movemask_epi8(hit) << i;
	}
#else
	for (int i = 0; i < RUN; i++) stops |= (uint64_t)(p[i] == r->separator || p[i] == '\n') << i;
#endif
	return stops;
}

/* As many plain cells from r->p on as lie in whole runs of bytes: most of a log, without a call a cell. True: the record has ended. False: the
 * cell at r->p is quoted, or near the end of the text, or one too many for here. */
static bool plain_cells(struct csv_row *row, struct record *r)
{
	const char *const base = r->base, *const end = r->end, *from = r->p;
	const char quote = r->quotes ? r->quote : '\n'; /* no cell begins with LF here */
	for (const char *run = from; end - run >= RUN; run += RUN) {
		if (row->n + RUN > r->max_cells) break;
		if (row->n + RUN > row->cap) {
			row->cap = row->cap ? row->cap * 2 : 2 * RUN;
			row->v = xrealloc(row->v, row->cap * sizeof *row->v);
		}
		struct csv_cell *cell = row->v + row->n;
		bool ended = false, quoted = false;
		for (uint64_t stops = stops_of(r, run); stops && !ended && !quoted; stops &= stops - 1) {
			const char *to = run + __builtin_ctzll(stops);
			*cell++ = (struct csv_cell){(uint32_t)(from - base), (uint32_t)(to - from), 0};
			from = to + 1;
			ended = *to == '\n';
			quoted = from < end && *from == quote;
		}
		row->n = (uint32_t)(cell - row->v);
		r->p = from;
		if (ended) {
			cell--;
			cell->length -= cell->length && base[cell->start + cell->length - 1] == '\r';
			return true;
		}
		if (quoted) return false;
	}
	return false;
}

/* A cell that ends with a separator or a line end; without the CR of a CRLF. */
static const char *trim_cr(const struct record *r, const char *from, const char *to)
{
	bool line_end = to == r->end || *to == '\n';
	return line_end && to > from && to[-1] == '\r' ? to - 1 : to;
}

/* The quoted cell at r->p. CSV_MORE: its quote does not close before `end`. */
static enum csv_status quoted_cell(struct csv_row *row, struct record *r)
{
	const char *open = r->p, *p = open + 1, *close;
	uint32_t flags = CSV_QUOTED;
	for (;; p += 2) {
		close = memchr(p, r->quote, (size_t)(r->end - p));
		if (!close) return CSV_MORE;
		p = close;
		if (r->end - p < 2 || p[1] != r->quote) break;
		flags |= CSV_DOUBLED;
	}
	if (r->cut && r->end - p < 3) return CSV_MORE; /* a second quote, or the LF of a CRLF, may follow */
	const char *end = plain_end(r, close + 1), *text_end = trim_cr(r, close + 1, end);
	if (text_end != close + 1) {
		r->p = close + 1;
		if (r->strict) return refuse(row, r, CSV_BAD, "text behind a closing quote");
		flags = CSV_ODD;
		open--;
		close = text_end;
	}
	if (!put_cell(row, r, open + 1, close, flags)) return refuse(row, r, CSV_LIMIT, "more cells than the limit");
	r->p = end;
	return CSV_RECORD;
}

static enum csv_status plain_cell(struct csv_row *row, struct record *r)
{
	const char *from = r->p, *end = plain_end(r, from), *to = trim_cr(r, from, end);
	const char *quote = r->strict && r->quotes && to > from ? memchr(from, r->quote, (size_t)(to - from)) : NULL;
	if (quote) {
		r->p = quote;
		return refuse(row, r, CSV_BAD, "a quote within a plain cell");
	}
	if (!put_cell(row, r, from, to, 0)) return refuse(row, r, CSV_LIMIT, "more cells than the limit");
	r->p = end;
	return CSV_RECORD;
}

static enum csv_status read_cells(struct csv_row *row, struct record *r)
{
	row->n = 0;
	for (;;) {
		bool quoted = r->quotes && r->p < r->end && *r->p == r->quote;
		if (!quoted && !r->strict) {
			if (plain_cells(row, r)) return CSV_RECORD;
			quoted = r->quotes && r->p < r->end && *r->p == r->quote;
		}
		enum csv_status status = quoted ? quoted_cell(row, r) : plain_cell(row, r);
		if (status != CSV_RECORD) return status;
		if (r->p == r->end) return r->cut ? CSV_MORE : CSV_RECORD;
		if (*r->p++ == '\n') return CSV_RECORD;
	}
}

static size_t line_end(struct str text, size_t at)
{
	size_t lf = str_find_byte(text, '\n', at);
	return lf == SIZE_MAX ? text.n : lf + 1;
}

enum csv_status csv_next(const struct csv_dialect *d, struct csv_row *row, struct str text, size_t at, bool final, size_t *ret_end)
{
	size_t max = d->max_bytes ? d->max_bytes : 1u << 20, left = at < text.n ? text.n - at : 0;
	bool too_long = left > max;
	row->n = 0;
	row->repaired = false;
	if (text.n >= UINT32_MAX) {
		*ret_end = text.n;
		return CSV_LIMIT;
	}
	if (!left) return final ? CSV_END : CSV_MORE;
	struct record r = {
		.base = text.p, .p = text.p + at, .end = text.p + at + (too_long ? max : left), .separator = d->separator ? d->separator : ',',
		.quote = d->quote ? d->quote : '"', .strict = d->strict, .quotes = d->quote != '\n', .cut = too_long || !final,
		.max_cells = d->max_cells ? d->max_cells : 4096,
	};
	struct record again = r;
	enum csv_status status = read_cells(row, &r);
	bool unclosed = status == CSV_MORE && (too_long || final);
	if (unclosed && d->strict) status = refuse(row, &r, final && !too_long ? CSV_BAD : CSV_LIMIT, "a record that does not end");
	if (unclosed && !d->strict) {
		again.quotes = false;
		status = read_cells(row, &again);
		r = again;
		row->repaired = status == CSV_RECORD;
		if (status == CSV_MORE) status = refuse(row, &r, CSV_LIMIT, "a line longer than the limit");
	}
	if (status == CSV_MORE) return status;
	*ret_end = status == CSV_RECORD ? (size_t)(r.p - text.p) : line_end(text, at);
	/* An empty line has one plain cell without text. */
	if (status == CSV_RECORD && row->n == 1 && !row->v[0].length && !row->v[0].flags) row->n = 0;
	return status;
}

struct str csv_value(const struct csv_dialect *d, struct str text, const struct csv_cell *cell, struct arena *a)
{
	struct str s = str_sub(text, cell->start, cell->length);
	char quote = d->quote ? d->quote : '"';
	if (!(cell->flags & (CSV_DOUBLED | CSV_ODD))) return s;
	char *out = arena_alloc(a, s.n), *o = out;
	if (!out) return (struct str){NULL, 0};
	/* CSV_ODD: quoted up to the first single quote, the rest as it stands. */
	size_t i = cell->flags & CSV_ODD ? 1 : 0;
	for (bool inside = true; i < s.n; i++) {
		if (inside && s.p[i] == quote) {
			if (i + 1 < s.n && s.p[i + 1] == quote) i++;
			else if (cell->flags & CSV_ODD) {
				inside = false;
				continue;
			}
		}
		*o++ = s.p[i];
	}
	return (struct str){out, (size_t)(o - out)};
}
