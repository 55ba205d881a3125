/* journal_export.c: the journal's export format (journalctl -o export). See doc/formats.md, section Journal.
 *
 *	NAME=value LF                     a value without line ends
 *	NAME LF u64 length, value LF      any other value
 *	LF                                the end of an entry */
#include "base/cursor.h"
#include "base/map.h"
#include "read/journal_audit_internal.h"
#include "read/read_internal.h"
#include "read/text_internal.h"

enum { FIELDS = 1024, NAME = 64, KINDS = 1024, ALIASES = 4 };
static const char *const aliases[ALIASES] = {"host", "program", "pid", "message"};
static const char *const alias_fields[ALIASES][2] = {{"_HOSTNAME"}, {"SYSLOG_IDENTIFIER", "_COMM"}, {"SYSLOG_PID", "_PID"}, {"MESSAGE"}};

struct pair { struct str name, value; uint32_t next; };
/* Entries with the same names in the same order. */
struct kind {
	const struct shape *shape;
	uint32_t *first;             /* [n] the pair with a column's value */
	uint32_t n;                  /* columns before those of an audit record */
};

struct own {
	struct pair pairs[FIELDS];
	uint32_t n;
	bool more;                   /* fields beyond FIELDS */
	struct map by_names;
	VEC(struct kind) kinds;
	const struct kind *kind;
	struct kind spare;
	struct shape spec;
	struct buf key;
	struct journal_audit *audit; /* of the entry when it is such a record */
	bool is_audit;
};

static struct own *own(const struct reader *r) { return r->own; }

/* --- one entry -------------------------------------------------------------------------------------------------------------------- */

enum part { PART_OK, PART_END, PART_SHORT, PART_BAD };

static bool name_ok(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((uint8_t)name.p[i] <= ' ' || (uint8_t)name.p[i] >= 0x7f) return false;
	return name.n > 0 && name.n <= NAME;
}

/* The field at *at of the window, which moves behind it. */
static enum part one_field(struct str w, size_t *at, struct pair *ret)
{
	size_t end = str_find_byte(w, '\n', *at);
	if (end == SIZE_MAX) return PART_SHORT;
	struct str line = str_sub(w, *at, end - *at);
	if (!line.n) return *at = end + 1, PART_END;
	ret->name = str_cut(&line, '=');
	ret->value = line;
	if (!name_ok(ret->name)) return PART_BAD;
	if (line.p) return *at = end + 1, PART_OK;
	if (w.n - end - 1 < 8) return PART_SHORT;
	uint64_t n = le64_at(w.p + end + 1);
	if (n >= LINES_MAX) return PART_BAD;
	if (w.n - end - 9 <= n) return PART_SHORT;
	if (w.p[end + 9 + n] != '\n') return PART_BAD;
	ret->value = str_sub(w, end + 9, (size_t)n);
	*at = end + 10 + (size_t)n;
	return PART_OK;
}

/* The whole entry at the window's front. PART_SHORT: more bytes are needed. */
static enum part one_entry(struct own *o, struct str w, size_t *ret_n)
{
	size_t at = 0;
	o->n = 0;
	o->more = false;
	for (;;) {
		struct pair p = {.next = UINT32_MAX};
		enum part part = one_field(w, &at, &p);
		*ret_n = at;
		if (part == PART_END && !o->n) return PART_BAD;
		if (part != PART_OK) return part;
		if (o->n < FIELDS) o->pairs[o->n++] = p;
		else o->more = true;
	}
}

static struct str field(const struct own *o, const char *name)
{
	for (uint32_t i = 0; i < o->n; i++)
		if (str_eq(o->pairs[i].name, str_of(name))) return o->pairs[i].value;
	return (struct str){NULL, 0};
}

/* --- events ----------------------------------------------------------------------------------------------------------------------- */

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	const struct own *o = own(r);
	if (column >= o->kind->n) {
		journal_audit_value(r, o->audit, column - o->kind->n, ret);
		return;
	}
	uint32_t first = o->kind->first[column], n = 0;
	for (uint32_t i = first; i != UINT32_MAX; i = o->pairs[i].next) n++;
	if (n == 1) {
		*ret = value_str(text_clean(r, o->pairs[first].value));
		return;
	}
	struct value *list = arena_calloc(&r->arena, n, sizeof *list);
	*ret = (struct value){.kind = VALUE_LIST, .n = list ? n : 0, .items = list};
	n = 0;
	for (uint32_t i = first; list && i != UINT32_MAX; i = o->pairs[i].next) list[n++] = value_str(text_clean(r, o->pairs[i].value));
}

static const struct event_ops ops = {.decode = decode};

/* Columns: the distinct names in order, and the aliases. */
static uint32_t name_columns(struct reader *r, struct column *columns, uint32_t *first, int32_t *host)
{
	const struct own *o = own(r);
	uint32_t n = 0;
	*host = -1;
	for (uint32_t i = 0; i < o->n; i++) {
		uint32_t k = 0;
		while (k < n && !str_eq(columns[k].name, o->pairs[i].name)) k++;
		if (k < n) continue;
		columns[n].name = arena_str(&r->arena, o->pairs[i].name);
		if (str_eq(o->pairs[i].name, STR("_HOSTNAME"))) *host = (int32_t)n;
		first[n++] = i;
	}
	uint32_t names = n;
	for (uint32_t a = 0; a < ALIASES; a++) {
		uint32_t found = names;
		for (uint32_t f = 0; f < 2 && alias_fields[a][f] && found == names; f++)
			for (found = 0; found < names && !str_eq(columns[found].name, str_of(alias_fields[a][f]));) found++;
		if (found == names) continue;
		columns[n] = (struct column){.name = str_of(aliases[a]), .hidden = true};
		first[n++] = first[found];
	}
	return n;
}

static const struct kind *make_kind(struct reader *r)
{
	struct own *o = own(r);
	uint32_t extra = o->is_audit ? journal_audit_count(o->audit) : 0;
	struct column *columns = arena_calloc(&r->arena, o->n + ALIASES + extra, sizeof *columns);
	uint32_t *first = arena_calloc(o->kinds.n < KINDS ? &r->keep : &r->arena, o->n + ALIASES, sizeof *first);
	if (!columns || !first) return NULL;
	o->spec = (struct shape){.format = extra ? STR("journal-audit") : STR("journal"), .event_id = -1, .columns = columns};
	o->spec.n_columns = name_columns(r, columns, first, &o->spec.host_column);
	uint32_t n = o->spec.n_columns;
	if (extra) journal_audit_columns(r, o->audit, columns + n);
	o->spec.n_columns += extra;
	o->spec.bindings = text_bindings(r, o->spec.format, &o->spec.n_bindings);
	const struct shape *s = shape_table_find(r->shapes, buf_view(&o->key));
	if (!s) s = text_shape(r, buf_view(&o->key), &o->spec);
	o->spare = (struct kind){s, first, n};
	if (s == &o->spec || o->kinds.n >= KINDS) return &o->spare;
	map_put(&o->by_names, buf_view(&o->key), (uint32_t)o->kinds.n, NULL);
	vec_push(&o->kinds, o->spare);
	return &o->kinds.v[o->kinds.n - 1];
}

/* Pairs of one name are chained. Names that come twice make another kind, for their first pairs stand elsewhere. */
static void chain(struct own *o)
{
	uint32_t last_of[64];
	memset(last_of, 0xff, sizeof last_of);
	for (uint32_t i = 0; i < o->n; i++) {
		struct str name = o->pairs[i].name;
		uint32_t h = ((uint8_t)name.p[name.n - 1] * 31u + (uint8_t)name.p[name.n / 2] * 7u + (uint32_t)name.n) % 64;
		/* Rarely another name of the same hash: then look back for it. */
		uint32_t k = last_of[h];
		if (k != UINT32_MAX && !str_eq(o->pairs[k].name, name)) {
			for (k = i; k-- > 0 && !str_eq(o->pairs[k].name, name);) {}
		}
		if (k != UINT32_MAX) o->pairs[k].next = i;
		last_of[h] = i;
	}
}

static struct etime time_of(const struct own *o)
{
	uint64_t us;
	if (!str_u64(field(o, "__REALTIME_TIMESTAMP"), &us) || us >= (uint64_t)INT64_MAX) return (struct etime){0};
	return etime_from_unix((int64_t)(us / 1000000), (uint32_t)(us % 1000000) * 1000, 6);
}

static bool entry_event(struct reader *r, struct str w, size_t n, uint64_t offset, uint64_t size)
{
	struct own *o = own(r);
	uint64_t seqnum;
	chain(o);
	o->key.n = 0;
	buf_lit(&o->key, "journal-export");
	for (uint32_t i = 0; i < o->n; i++) buf_byte(&o->key, 0), buf_str(&o->key, o->pairs[i].name);
	o->is_audit = false;
	struct str transport = field(o, "_TRANSPORT");
	if (transport.n == 5 || transport.n == 6) {
		if (!o->audit) o->audit = xcalloc(1, sizeof *o->audit);
		o->is_audit = journal_audit_parse(transport, field(o, "MESSAGE"), &r->arena, o->audit);
		if (o->is_audit) journal_audit_key(o->audit, &o->key);
	}
	uint32_t *known = map_get(&o->by_names, buf_view(&o->key));
	o->kind = known ? &o->kinds.v[*known] : make_kind(r);
	if (!o->kind) return false;
	/* As with lines, the end of the last one is not of the record. */
	uint64_t last = n && w.p[n - 1] == '\n' ? lines_bytes(&r->lines, n - 1, 1) : 0;
	struct event *ev = text_event(r, o->kind->shape, &ops, time_of(o), offset, size - last, size, (uint32_t)r->lines.number, r->lines.encoding == TEXT_UTF8 ? w.p : NULL);
	if (o->more) {
		ev->flags |= EVENT_LIMITED;
		r->report.limited++;
	}
	ev->has_record_id = str_u64(field(o, "__SEQNUM"), &seqnum);
	ev->record_id = ev->has_record_id ? seqnum : 0;
	return true;
}

/* --- the walk --------------------------------------------------------------------------------------------------------------------- */

/* Up to the next entry that begins as they do: its cursor is the first field. Keeps a few bytes at the end of what is no entry. */
static void skip_damage(struct reader *r, const char *why)
{
	static const char *const begins[] = {"\n__CURSOR=", "\n\n__"};
	enum { KEEP = 16 };
	size_t found = SIZE_MAX;
	while (!r->lines.final && lines_window(&r->lines).n <= KEEP && lines_more(&r->lines)) {}
	struct str w = lines_window(&r->lines);
	for (size_t i = 0; i < COUNT(begins); i++) {
		size_t at = str_find(w, str_of(begins[i]), 0);
		if (at != SIZE_MAX && at + 1 < found) found = at + 1;
	}
	size_t keep = r->lines.final ? 0 : KEEP, n = found != SIZE_MAX ? found : w.n > keep ? w.n - keep : w.n;
	uint64_t at = lines_offset(&r->lines, 0);
	report_damage(&r->report, at, lines_take(&r->lines, n), why);
}

static bool next(struct reader *r)
{
	struct own *o = own(r);
	for (;;) {
		size_t n = 0;
		struct str w = lines_window(&r->lines);
		if (!w.n && !lines_more(&r->lines)) return false;
		w = lines_window(&r->lines);
		if (w.p[0] == '\n') {
			lines_take_slack(&r->lines, 1);
			continue;
		}
		enum part part = one_entry(o, w, &n);
		/* Twice as much each time: an entry is not looked at once for each block it has. */
		for (size_t want = 2 * w.n; part == PART_SHORT && lines_more(&r->lines);) {
			w = lines_window(&r->lines);
			if (w.n >= want || r->lines.final) part = one_entry(o, w, &n), want = 2 * w.n;
		}
		if (part == PART_SHORT) part = one_entry(o, w = lines_window(&r->lines), &n);
		/* The last entry may lack the empty line that ends it. */
		if (part == PART_SHORT && o->n && n == w.n && r->lines.final) part = PART_END;
		if (part == PART_END) {
			uint64_t offset = lines_offset(&r->lines, 0), size = lines_bytes(&r->lines, 0, n);
			bool made = entry_event(r, w, n, offset, size);
			if (!made) report_damage(&r->report, offset, size, "names of an entry beyond all limits");
			lines_take(&r->lines, n);
			if (made) return true;
			arena_reset(&r->arena);
		} else {
			skip_damage(r, part == PART_BAD ? "no entry of a journal export" : "entry cut off");
		}
	}
}

static void end(struct reader *r)
{
	struct own *o = own(r);
	map_done(&o->by_names);
	vec_free(&o->kinds);
	buf_done(&o->key);
	free(o->audit);
}

static const struct text_format format = {.name = "journal-export", .own_size = sizeof(struct own), .next = next, .end = end};

static int sniff(struct str head, uint64_t size, struct str path)
{
	bool cursor = str_starts(head, STR("__CURSOR=")), time = str_find(head, STR("\n__REALTIME_TIMESTAMP="), 0) < 512;
	(void)size;
	(void)path;
	return cursor && time ? 98 : str_starts(head, STR("__REALTIME_TIMESTAMP=")) ? 80 : 0;
}

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }

const struct reader_ops read_journal_export_ops = {.format = "journal-export", .what = "systemd journal, exported", .mark = "fields __CURSOR= and __REALTIME_TIMESTAMP= of a first entry", .sniff = sniff, .open = open, TEXT_READER_REST};
