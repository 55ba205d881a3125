/* coverage.c: host x log x days as a table with a small calendar chart, and as JSON. */
#include "report/report.h"
#include "text/escape.h"
#include "text/json_write.h"

enum { CELLS = 40 };

static void date(struct buf *out, struct etime t)
{
	char text[ETIME_MAX];
	size_t n = etime_print(t, 0, text);
	if (n >= 10) buf_put(out, text, 10);
	else buf_lit(out, "-         ");
}

static void cut(struct buf *out, struct str s, size_t width)
{
	struct buf cell = {0};
	term_str_cut(&cell, s.n ? s : STR("(no host)"), width);
	buf_str(out, buf_view(&cell));
	for (size_t n = utf8_width(buf_view(&cell)); n < width; n++) buf_byte(out, ' ');
	buf_done(&cell);
}

static int32_t day_of(struct etime t) { return (int32_t)((t.sec >= 0 ? t.sec : t.sec - 86399) / 86400); }

/* One cell stands for `per` days: shade by how many of them have events. */
static void chart(struct buf *out, const struct report_coverage *r, int32_t from, int32_t per, int cells, bool unicode)
{
	static const char *const shades[] = {"·", "░", "▒", "▓", "█"};
	static const char ascii[] = ".-+*#";
	uint32_t days[CELLS] = {0};
	for (uint32_t i = 0; i < r->n_days; i++) {
		int32_t cell = (r->days[i].day - from) / per;
		if (cell >= 0 && cell < CELLS && r->days[i].n) days[cell]++;
	}
	for (int i = 0; i < cells; i++) {
		uint32_t step = days[i] ? 1 + (days[i] - 1) * 4 / (uint32_t)per : 0;
		if (days[i] >= (uint32_t)per) step = 4;
		if (step > 4) step = 4;
		if (unicode) buf_str(out, str_of(shades[step]));
		else buf_byte(out, ascii[step]);
	}
}

/* Days inside the row's own period without any event. */
static uint32_t missing(const struct report_coverage *r)
{
	if (!r->first.present) return 0;
	int64_t span = (int64_t)day_of(r->last) - day_of(r->first) + 1;
	return span > r->n_days ? (uint32_t)(span - r->n_days) : 0;
}

void report_coverage_table(const struct report_coverage *rows, uint32_t n, bool unicode, struct buf *out)
{
	struct etime first = {0}, last = {0};
	bool inferred = false;
	for (uint32_t i = 0; i < n; i++) {
		if (rows[i].first.present && (!first.present || etime_cmp(rows[i].first, first) < 0)) first = rows[i].first;
		if (etime_cmp(rows[i].last, last) > 0) last = rows[i].last;
	}
	int32_t from = first.present ? day_of(first) : 0;
	int64_t span = first.present ? (int64_t)day_of(last) - from + 1 : 1;
	int32_t per = (int32_t)((span + CELLS - 1) / CELLS);
	int cells = (int)((span + per - 1) / per); /* none beyond the last day of all: a dot there would be no gap */
	buf_printf(out, "%-22s %-30s %-10s %-10s %9s %5s %7s  one cell is %d day%s", "host", "log", "first", "last", "events", "days", "missing", per, per == 1 ? "" : "s");
	if (first.present) buf_lit(out, ", from "), date(out, first);
	buf_byte(out, '\n');
	for (uint32_t i = 0; i < n; i++) {
		inferred |= rows[i].inferred;
		cut(out, rows[i].host, 22 - rows[i].inferred);
		buf_str(out, rows[i].inferred ? STR("* ") : STR(" "));
		struct str log = rows[i].log;
		if (str_starts(log, STR("Microsoft-Windows-"))) log = str_sub(log, 18, log.n);
		cut(out, log, 30);
		buf_byte(out, ' ');
		date(out, rows[i].first);
		buf_byte(out, ' ');
		date(out, rows[i].last);
		buf_printf(out, " %9llu %5u %7u  ", (unsigned long long)rows[i].events, rows[i].n_days, missing(&rows[i]));
		chart(out, &rows[i], from, per, cells, unicode);
		buf_byte(out, '\n');
	}
	if (inferred) buf_lit(out, "* records of this log, or some of them, name no host: it is that of the place where the file lies\n");
}

static void put_date(struct json_out *o, struct str key, struct etime t)
{
	char text[ETIME_MAX];
	size_t n = etime_print(t, t.digits > 6 ? 6 : t.digits, text);
	json_key(o, key);
	if (n) json_put_str(o, (struct str){text, n});
	else json_put_null(o);
}

void report_coverage_json(const struct report_coverage *rows, uint32_t n, struct json_out *o)
{
	json_begin_array(o);
	for (uint32_t i = 0; i < n; i++) {
		json_begin_object(o);
		json_key_str(o, STR("host"), rows[i].host);
		if (rows[i].inferred) json_key_str(o, STR("host_from"), STR("place"));
		json_key_str(o, STR("log"), rows[i].log);
		put_date(o, STR("first"), rows[i].first);
		put_date(o, STR("last"), rows[i].last);
		json_key_u64(o, STR("events"), rows[i].events);
		if (rows[i].no_rule) json_key_u64(o, STR("no_rule"), rows[i].no_rule);
		json_key_u64(o, STR("days"), rows[i].n_days);
		json_key_u64(o, STR("days_missing"), missing(&rows[i]));
		json_key(o, STR("gaps"));
		json_begin_array(o);
		for (uint32_t d = 1; d < rows[i].n_days; d++) {
			if (rows[i].days[d].day == rows[i].days[d - 1].day + 1) continue;
			json_begin_object(o);
			put_date(o, STR("from"), etime_from_unix(((int64_t)rows[i].days[d - 1].day + 1) * 86400, 0, 0));
			put_date(o, STR("to"), etime_from_unix((int64_t)rows[i].days[d].day * 86400 - 1, 0, 0));
			json_end(o);
		}
		json_end(o);
		json_end(o);
	}
	json_end(o);
}
