/* delimited.c: see delimited_internal.h. */
#include "read/delimited_internal.h"

static void place(struct reader *r, struct delimited *d, size_t n, size_t with_end)
{
	struct lines *l = &r->lines;
	d->text = str_sub(lines_window(l), 0, n);
	d->offset = l->offset;
	d->line = l->number;
	d->length = lines_bytes(l, 0, n);
	d->size = l->encoding == TEXT_UTF8 ? with_end : lines_bytes(l, 0, with_end);
	d->ended = with_end > n;
	d->take = with_end;
}

/* The line at the window's front: its length, with its end in *ret_end. SIZE_MAX: longer than what may be. */
static size_t front_line(struct lines *l, size_t *ret_end)
{
	for (;;) {
		struct str w = lines_window(l);
		size_t lf = str_find_byte(w, '\n', 0);
		if (lf == SIZE_MAX && lines_more(l)) continue;
		if (lf == SIZE_MAX && !l->final) return SIZE_MAX;
		size_t n = lf == SIZE_MAX ? w.n : lf;
		*ret_end = lf == SIZE_MAX ? w.n : lf + 1;
		return n && w.p[n - 1] == '\r' ? n - 1 : n;
	}
}

static void drop(struct reader *r, size_t n, const char *reason)
{
	uint64_t from = r->lines.offset;
	report_damage(&r->report, from, lines_take(&r->lines, n), reason);
}

/* The CSV record at the window's front into d; false: there was something else, which was dealt with. */
static bool front_record(struct reader *r, struct delimited *d)
{
	struct lines *l = &r->lines;
	size_t end;
	for (;;) {
		struct str w = lines_window(l);
		enum csv_status status = csv_next(&d->dialect, &d->row, w, 0, l->final, &end);
		if (status == CSV_MORE && (lines_more(l) || l->final)) continue;
		if (status == CSV_MORE) {
			drop(r, w.n, "a record larger than 16 MiB");
			return false;
		}
		if (status != CSV_RECORD) {
			drop(r, status == CSV_END ? w.n : end, d->row.reason ? d->row.reason : "no record");
			return false;
		}
		size_t n = end;
		if (n && w.p[n - 1] == '\n') n--;
		if (n < end && n && w.p[n - 1] == '\r') n--;
		place(r, d, n, end);
		return true;
	}
}

enum delimited_got delimited_next(struct reader *r, struct delimited *d)
{
	struct lines *l = &r->lines;
	lines_take(l, d->take);
	d->take = 0;
	for (;;) {
		if (!lines_window(l).n && !lines_more(l)) return DELIMITED_END;
		lines_skip_marks(l);
		struct str w = lines_window(l);
		if (!w.n) continue;
		if (w.p[0] == '\n' || (w.p[0] == '\r' && w.n > 1 && w.p[1] == '\n')) {
			lines_take_slack(l, w.p[0] == '\n' ? 1 : 2);
			continue;
		}
		if (w.p[0] != '#') {
			if (front_record(r, d)) return DELIMITED_RECORD;
			continue;
		}
		size_t end, n = front_line(l, &end);
		if (n != SIZE_MAX) {
			place(r, d, n, end);
			return DELIMITED_COMMENT;
		}
		drop(r, lines_window(l).n, "line longer than 16 MiB");
	}
}

struct str delimited_cell(struct reader *r, const struct delimited *d, uint32_t i)
{
	if (i >= d->row.n) return (struct str){"", 0};
	struct str s = csv_value(&d->dialect, d->text, &d->row.v[i], &r->arena);
	return s.p ? text_clean(r, s) : (struct str){"", 0};
}

struct str delimited_rest(struct reader *r, const struct delimited *d, uint32_t i)
{
	if (i >= d->row.n) return (struct str){"", 0};
	return text_clean(r, str_sub(d->text, d->row.v[i].start, d->text.n));
}

void delimited_done(struct delimited *d) { csv_row_done(&d->row); }

void delimited_damage(struct reader *r, const struct delimited *d, const char *static_reason)
{
	report_damage(&r->report, d->offset, d->size, static_reason);
}

void delimited_event(struct reader *r, const struct delimited *d, const struct shape *shape, const struct event_ops *ops, struct etime time)
{
	text_event(r, shape, ops, time, d->offset, d->length, d->size, d->line, r->lines.encoding == TEXT_UTF8 ? d->text.p : NULL);
	r->event.raw = text_clean(r, d->text);
}

uint32_t delimited_look(struct str line, char separator, struct str *ret, uint32_t max)
{
	uint32_t n = 0;
	while (line.p && n < max) {
		struct str cell = str_cut(&line, separator);
		if (cell.n >= 2 && cell.p[0] == '"' && cell.p[cell.n - 1] == '"') cell = str_sub(cell, 1, cell.n - 2);
		ret[n++] = cell;
	}
	return n;
}
