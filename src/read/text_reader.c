/* text_reader.c: the reader contract for text formats. See text_internal.h. */
#include "read/text_internal.h"
#include "text/utf.h"

/* --logsource product=windows,category=process_creation: one binding for every event. */
static bool parse_logsource(struct reader *r, struct fault *f)
{
	struct str rest = r->options->logsource;
	r->is_forced = rest.n > 0;
	while (rest.n) {
		struct str part = str_cut(&rest, ','), key = str_trim(str_cut(&part, '='));
		struct logsource *ls = &r->forced.ls;
		struct str *to = str_eq(key, STR("product")) ? &ls->product : str_eq(key, STR("category")) ? &ls->category
			: str_eq(key, STR("service")) ? &ls->service : NULL;
		if (!to || !part.n) {
			fault_set(f, FAULT_USAGE, "log source: write product=windows,category=process_creation (product, category, service)");
			return false;
		}
		*to = str_trim(part);
	}
	return true;
}

struct reader *text_open(const struct text_format *format, struct input *in, const struct reader_options *options, struct fault *f)
{
	struct reader *r = xcalloc(1, sizeof *r);
	r->format = format;
	r->in = in;
	r->options = options;
	arena_init(&r->notes, TEXT_NOTES);
	arena_init(&r->arena, TEXT_BATCH);
	arena_init(&r->keep, TEXT_KEEP);
	r->report.arena = &r->notes;
	r->report.keep_ranges = options->ranges;
	r->own = xcalloc(1, format->own_size + 1);
	if (parse_logsource(r, f) && (format->binary || lines_open(&r->lines, in, &r->report, f)) && (!format->begin || format->begin(r, f))) return r;
	text_free(r);
	return NULL;
}

struct reader_cursor *text_cursor_new(struct reader *r, struct shape_table *shapes)
{
	r->shapes = shapes;
	r->taxonomy = shape_table_taxonomy(shapes);
	return (struct reader_cursor *)(void *)r;
}

struct event *text_next(struct reader_cursor *c)
{
	struct reader *r = (struct reader *)(void *)c;
	arena_reset(&r->arena);
	input_hash_some(r->in);
	return r->format->next(r) ? &r->event : NULL;
}

void text_cursor_free(struct reader_cursor *c) { (void)c; }

static struct str text_parameters(struct reader *r, struct arena *a)
{
	static const char *const encodings[] = {"utf-8", "utf-16le", "utf-16be"};
	struct buf b = {0};
	buf_printf(&b, "format=%s", r->format->name);
	if (r->lines.encoding != TEXT_UTF8) buf_printf(&b, " encoding=%s", encodings[r->lines.encoding]);
	if (r->is_forced) {
		buf_lit(&b, " logsource=");
		buf_str(&b, r->options->logsource);
	}
	if (r->format->parameters) r->format->parameters(r, &b);
	struct str kept = arena_str(a, buf_view(&b));
	buf_done(&b);
	return kept.p ? kept : (struct str){"", 0};
}

void text_finish(struct reader *r, struct source_report *ret)
{
	struct arena *arena = ret->arena;
	report_note_odd(&r->report);
	if (r->n_twice) report_note(&r->report, 0, "%llu times are of an hour that the clock shows twice: the second begins where they go back", (unsigned long long)r->n_twice);
	for (size_t i = 0; i < r->report.notes.n; i++) {
		struct str kept = arena_str(arena, r->report.notes.v[i].text);
		r->report.notes.v[i].text = kept.p ? kept : STR("");
	}
	*ret = r->report;
	ret->arena = arena;
	ret->parameters = text_parameters(r, arena);
	r->report = (struct source_report){.arena = &r->notes};
}

void text_free(struct reader *r)
{
	if (r->format->end) r->format->end(r);
	lines_close(&r->lines);
	report_done(&r->report);
	arena_done(&r->notes);
	arena_done(&r->arena);
	arena_done(&r->keep);
	free(r->cells);
	free(r->own);
	free(r);
}

static inline void count_time(struct source_report *report, struct etime t, uint64_t offset)
{
	if (etime_is_odd(t)) {
		if (!report->n_odd++) report->odd_at = offset;
		return;
	}
	if (!t.present || (report->first.present && t.sec > report->first.sec && t.sec < report->last.sec)) return;
	if (!report->first.present || etime_cmp(t, report->first) < 0) report->first = t;
	if (!report->last.present || etime_cmp(t, report->last) > 0) report->last = t;
}

struct event *text_event(struct reader *r, const struct shape *shape, const struct event_ops *ops, struct etime time, uint64_t offset,
	uint64_t length, uint64_t size, uint32_t line, const void *bytes)
{
	if (r->cells_cap < shape->n_columns) {
		free(r->cells);
		r->cells_cap = shape->n_columns;
		r->cells = xmalloc(r->cells_cap * sizeof *r->cells);
	}
	struct value *cells = r->cells;
	for (uint32_t n = shape->n_columns; n; n--) (cells++)->kind = VALUE_UNREAD;
	r->record = (struct record_ref){.offset = offset, .length = length, .line = line, .bytes = bytes};
	r->event = (struct event){.shape = shape, .cells = r->cells, .arena = &r->arena, .ops = ops, .impl = r, .time = time,
		.records = &r->record, .n_records = 1};
	report_records(&r->report, offset, size);
	r->report.n_records++;
	r->report.n_events++;
	count_time(&r->report, time, offset);
	return &r->event;
}

struct event *text_line_event(struct reader *r, const struct shape *shape, const struct event_ops *ops, struct etime time,
	const struct line *line)
{
	const void *bytes = r->lines.encoding == TEXT_UTF8 ? line->text.p : NULL;
	text_event(r, shape, ops, time, line->offset, line->length, line->size, line->number, bytes);
	r->event.raw = text_clean(r, line->text);
	return &r->event;
}

const struct logsource_binding *text_bindings(const struct reader *r, struct str format, uint32_t *ret_n)
{
	*ret_n = 1;
	return r->is_forced ? &r->forced : taxonomy_format(r->taxonomy, format, ret_n);
}

const struct shape *text_shape(struct reader *r, struct str key, struct shape *spec)
{
	const struct shape *kept = shape_table_add(r->shapes, key, spec);
	return kept ? kept : shape_alone(spec);
}

struct str text_repair(struct reader *r, struct str s)
{
	s = utf8_clean(&r->arena, s);
	return s.p ? s : (struct str){"", 0};
}

struct etime text_zoned(struct reader *r, struct etime t)
{
	enum { BACK = 1800 };
	int32_t twice = 0, offset = r->options->zone_seconds;
	if (!t.present) return t;
	if (r->options->zone.text[0]) offset = zone_offset(&r->options->zone, t.sec, &twice);
	if (twice) {
		bool again = r->twice_at && t.sec < r->twice_at - BACK && r->twice_at - t.sec < 2 * twice;
		r->twice_second = again || (r->twice_second && r->twice_at && t.sec - r->twice_at < twice && r->twice_at - t.sec < twice);
		r->twice_at = t.sec;
		r->n_twice++;
		if (r->twice_second) offset -= twice;
	}
	t.sec -= offset;
	return t;
}

void text_put_zone(const struct reader *r, struct buf *out)
{
	if (r->options->zone.text[0]) buf_printf(out, " zone=%s zone_from=option", r->options->zone.text);
	else buf_printf(out, " zone=%+d zone_from=%s", r->options->zone_seconds, r->options->zone_seconds ? "option" : "default");
}
