/* journal.c: systemd's journal files: objects one behind the other to entries, entries to events. See doc/formats.md, section Journal.
 *
 *	header | object | object | ...    object: u8 type | u8 flags | 6 zero | u64 size | payload, at a multiple of 8
 *	ENTRY: u64 sequence number | u64 microseconds since 1970 | u64 monotonic | boot id | u64 xor of hashes | offsets of DATA objects
 *	DATA: u64 hash | u64 x 5 | FIELD=value, perhaps compressed
 * The walk goes by the objects themselves: no table, no array and no chain of the file is followed, so that none can hide an entry. Where
 * it breaks, the next object that proves itself is looked for in steps of eight bytes, and what lies between is damage. */
#include "read/journal_audit_internal.h"
#include "read/journal_internal.h"
#include "read/read_internal.h"
#include "text/utf.h"

enum { F_REALTIME, F_MONOTONIC, F_SEQNUM, F_FIRST };
enum { LAYOUTS = 2048, LAYOUT_SLOTS = 4096, NO_ITEM = 0xffff, NO_FIELD = 0xffff, VERDICTS = 16 };
static const char *const aliases[] = {"host", "program", "pid", "message"};
/* Where an alias's value stands: the first of these fields that the entry has. */
static const char *const alias_fields[COUNT(aliases)][2] = {{"_HOSTNAME"}, {"SYSLOG_IDENTIFIER", "_COMM"}, {"SYSLOG_PID", "_PID"}, {"MESSAGE"}};
enum { ALIASES = COUNT(aliases) };

/* Entries with the same set of fields. */
struct layout {
	uint64_t mark;               /* sum of the fields' marks */
	uint32_t n, n_map;           /* fields; length of `column` */
	uint16_t *column;            /* of a field's index; 0: not in the set */
	uint16_t *field;             /* [n] of columns F_FIRST.. */
	uint16_t alias[ALIASES];     /* the column an alias stands for, 0: none */
	const struct shape *shape;
	struct shape spec;
	struct column *columns;
	uint32_t n_base;             /* columns before those of an audit record */
	char *names;                 /* of an audit record's columns */
	struct str audit;            /* what tells such records apart; empty: it is none */
	uint16_t transport, message; /* fields whose values say whether it is one; NO_FIELD */
};

struct item { uint64_t offset, size; uint16_t name, next; uint8_t flags; };

struct own {
	struct journal j;
	uint64_t at;                 /* of the next object */
	bool recovering;             /* what comes next was found by search */
	uint64_t hash_budget;        /* bytes that may still be hashed in searches */
	uint64_t n_objects, n_entries, n_tags, wrong_hash, wrong_xor, lost_items;
	uint64_t first_wrong_hash, first_wrong_xor, first_lost;
	struct layout *layouts[LAYOUT_SLOTS];
	uint32_t n_layouts;
	uint64_t *met;               /* per field: number of the entry that had it last */
	uint16_t *item_of;           /* per field: its first item in this entry */
	uint64_t entry_number;
	struct item *items;          /* of the entry */
	uint32_t n_items;
	uint16_t *fields_met;        /* distinct fields of the entry, in order */
	const struct layout *layout;
	struct { uint64_t seqnum, realtime, monotonic; } entry;
	struct journal_audit *audit; /* of the entry when its layout is of such */
	struct buf audit_key;
	/* Whether a _TRANSPORT object, of which there are few, says "audit" or "kernel". */
	struct { uint64_t offset; bool may; } verdicts[VERDICTS];
};

static struct own *own(const struct reader *r) { return r->own; }

/* --- cells ---------------------------------------------------------------------------------------------------------------------- */

static void item_value(struct reader *r, const struct item *it, struct value *ret)
{
	bool cut;
	struct str payload = journal_payload(&own(r)->j, it->offset, it->size, it->flags, &cut);
	if (!payload.p) {
		*ret = (struct value){.kind = VALUE_NULL};
		return;
	}
	struct str kept = arena_str(&r->arena, str_sub(payload, it->name + 1u, payload.n));
	if (cut || !kept.p) {
		if (!(r->event.flags & EVENT_LIMITED)) r->report.limited++;
		r->event.flags |= EVENT_LIMITED;
	}
	*ret = value_str(kept.p ? text_clean(r, kept) : (struct str){"", 0});
}

static void field_value(struct reader *r, uint16_t field, struct value *ret)
{
	struct own *o = own(r);
	uint32_t n = 0, first = o->item_of[field];
	for (uint32_t i = first; i != NO_ITEM; i = o->items[i].next) n++;
	if (n == 1) {
		item_value(r, &o->items[first], ret);
		return;
	}
	struct value *list = arena_calloc(&r->arena, n, sizeof *list);
	*ret = (struct value){.kind = VALUE_LIST, .n = list ? n : 0, .items = list};
	n = 0;
	for (uint32_t i = first; list && i != NO_ITEM; i = o->items[i].next) item_value(r, &o->items[i], &list[n++]);
}

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	struct own *o = own(r);
	const struct layout *l = o->layout;
	if (column >= l->n_base) {
		journal_audit_value(r, o->audit, column - l->n_base, ret);
		return;
	}
	if (column >= F_FIRST + l->n) column = l->alias[column - F_FIRST - l->n];
	else if (column == F_REALTIME) *ret = value_uint(o->entry.realtime);
	else if (column == F_MONOTONIC) *ret = value_uint(o->entry.monotonic);
	else if (column == F_SEQNUM) *ret = value_uint(o->entry.seqnum);
	if (column >= F_FIRST) field_value(r, l->field[column - F_FIRST], ret);
}

/* The file's header, that says how objects are laid out, and the entry's data. */
static uint32_t contexts(const struct event *ev, struct range *ret, uint32_t max)
{
	const struct own *o = own(ev->impl);
	uint32_t n = 0;
	if (n < max) ret[n++] = (struct range){0, o->j.h.size};
	for (uint32_t i = 0; i < o->n_items && n < max; i++) ret[n++] = (struct range){o->items[i].offset, o->items[i].size};
	return n;
}

static const struct event_ops ops = {.decode = decode, .contexts = contexts};

/* --- layouts -------------------------------------------------------------------------------------------------------------------- */

static void layout_free(struct layout *l)
{
	if (!l) return;
	free(l->column);
	free(l->field);
	free(l->columns);
	free((char *)l->audit.p);
	free(l->names);
	free(l);
}

static void forget_layouts(struct own *o)
{
	for (uint32_t i = 0; i < LAYOUT_SLOTS; i++) layout_free(o->layouts[i]), o->layouts[i] = NULL;
	o->n_layouts = 0;
}

/* Fields in the order of their names, so that the shape is the same whatever entry came first. */
static void sort_fields(const struct own *o, uint16_t *v, uint32_t n)
{
	const struct field *f = o->j.data.fields.v;
	for (uint32_t i = 1; i < n; i++) {
		uint16_t x = v[i];
		uint32_t k = i;
		for (; k && str_cmp(f[v[k - 1]].name, f[x].name) > 0; k--) v[k] = v[k - 1];
		v[k] = x;
	}
}

static void name_columns(struct reader *r, struct layout *l)
{
	const struct own *o = own(r);
	uint32_t extra = l->audit.n ? journal_audit_count(o->audit) : 0;
	static const struct str fixed[F_FIRST] = {{"__REALTIME_TIMESTAMP", 20}, {"__MONOTONIC_TIMESTAMP", 21}, {"__SEQNUM", 8}};
	struct shape *s = &l->spec;
	l->columns = xcalloc(F_FIRST + l->n + ALIASES + extra, sizeof *l->columns);
	s->host_column = -1;
	for (uint32_t i = 0; i < F_FIRST; i++) l->columns[s->n_columns++].name = fixed[i];
	for (uint32_t i = 0; i < l->n; i++) {
		struct str name = o->j.data.fields.v[l->field[i]].name;
		if (str_eq(name, STR("_TRANSPORT"))) l->transport = l->field[i];
		if (str_eq(name, STR("MESSAGE"))) l->message = l->field[i];
		if (str_eq(name, STR("_HOSTNAME"))) s->host_column = (int32_t)s->n_columns;
		l->columns[s->n_columns++].name = name;
	}
	uint32_t kept = 0;
	for (uint32_t a = 0; a < ALIASES; a++) {
		uint16_t column = 0;
		for (uint32_t k = 0; k < 2 && alias_fields[a][k] && !column; k++)
			for (uint32_t i = 0; i < l->n && !column; i++)
				if (str_eq(l->columns[F_FIRST + i].name, str_of(alias_fields[a][k]))) column = (uint16_t)(F_FIRST + i);
		if (!column) continue;
		l->alias[kept++] = column;
		l->columns[s->n_columns++] = (struct column){.name = str_of(aliases[a]), .hidden = true};
	}
	l->n_base = s->n_columns;
	s->n_columns += extra;
	if (!extra) return;
	journal_audit_columns(r, o->audit, l->columns + l->n_base);
	/* They outlive the entry. */
	size_t all = 1, at = 0;
	for (uint32_t i = l->n_base; i < s->n_columns; i++) all += l->columns[i].name.n;
	l->names = xmalloc(all);
	for (uint32_t i = l->n_base; i < s->n_columns; i++) {
		struct str *name = &l->columns[i].name;
		if (name->n) memcpy(l->names + at, name->p, name->n);
		name->p = l->names + at;
		at += name->n;
	}
}

static struct layout *make_layout(struct reader *r, uint64_t mark, const uint16_t *fields, uint32_t n, struct str audit)
{
	struct own *o = own(r);
	struct layout *l = xcalloc(1, sizeof *l);
	struct buf key = {0};
	l->mark = mark;
	l->n = n;
	l->n_map = (uint32_t)o->j.data.fields.n;
	l->column = xcalloc(l->n_map + 1, sizeof *l->column);
	l->field = xcalloc(n + 1, sizeof *l->field);
	if (n) memcpy(l->field, fields, n * sizeof *fields);
	sort_fields(o, l->field, n);
	for (uint32_t i = 0; i < n; i++) l->column[l->field[i]] = (uint16_t)(F_FIRST + i);
	l->transport = l->message = NO_FIELD;
	l->spec = (struct shape){.format = audit.n ? STR("journal-audit") : STR("journal"), .event_id = -1};
	if (audit.n) l->audit = (struct str){memcpy(xmalloc(audit.n), audit.p, audit.n), audit.n};
	name_columns(r, l);
	l->spec.columns = l->columns;
	l->spec.bindings = text_bindings(r, l->spec.format, &l->spec.n_bindings);
	buf_lit(&key, "journal");
	for (uint32_t i = 0; i < n; i++) buf_byte(&key, 0), buf_str(&key, o->j.data.fields.v[l->field[i]].name);
	buf_str(&key, audit);
	l->shape = shape_table_find(r->shapes, buf_view(&key));
	if (!l->shape) l->shape = text_shape(r, buf_view(&key), &l->spec);
	buf_done(&key);
	return l;
}

static bool same_fields(const struct layout *l, const uint16_t *fields, uint32_t n)
{
	if (l->n != n) return false;
	for (uint32_t i = 0; i < n; i++)
		if (fields[i] >= l->n_map || !l->column[fields[i]]) return false;
	return true;
}

static const struct layout *layout_of(struct reader *r, uint64_t mark, const uint16_t *fields, uint32_t n, struct str audit)
{
	struct own *o = own(r);
	if (o->n_layouts >= LAYOUTS) forget_layouts(o);
	uint32_t at = (uint32_t)(mark >> 40) % LAYOUT_SLOTS;
	while (o->layouts[at] && (o->layouts[at]->mark != mark || !str_eq(o->layouts[at]->audit, audit) || !same_fields(o->layouts[at], fields, n))) at = (at + 1) % LAYOUT_SLOTS;
	if (!o->layouts[at]) {
		o->layouts[at] = make_layout(r, mark, fields, n, audit);
		o->n_layouts++;
	}
	return o->layouts[at];
}

/* --- entries -------------------------------------------------------------------------------------------------------------------- */

static void count_first(uint64_t *n, uint64_t *first, uint64_t at)
{
	if (!(*n)++) *first = at;
}

/* One DATA object of the entry. */
static void take_item(struct own *o, const struct datum *d, uint64_t *mark, uint32_t *n_fields)
{
	uint32_t f = d->field, i = o->n_items++;
	o->items[i] = (struct item){d->offset, d->size, d->name, NO_ITEM, d->flags};
	if (o->met[f] != o->entry_number) {
		o->met[f] = o->entry_number;
		o->item_of[f] = (uint16_t)i;
		o->fields_met[(*n_fields)++] = (uint16_t)f;
		*mark += o->j.data.fields.v[f].mark;
		return;
	}
	uint32_t last = o->item_of[f];
	while (o->items[last].next != NO_ITEM) last = o->items[last].next;
	o->items[last].next = (uint16_t)i;
}

/* The text of a field that the entry has once; p == NULL: it has not. */
static struct str single(struct reader *r, uint16_t field)
{
	struct own *o = own(r);
	struct value v = {.kind = VALUE_NULL};
	if (field == NO_FIELD || o->items[o->item_of[field]].next != NO_ITEM) return (struct str){NULL, 0};
	item_value(r, &o->items[o->item_of[field]], &v);
	return v.kind == VALUE_STR ? v.text : (struct str){NULL, 0};
}

/* The layout of an entry that is an audit record: o->layout again where it is none. */
static const struct layout *audit_layout(struct reader *r, uint64_t mark, uint32_t n)
{
	struct own *o = own(r);
	const struct layout *l = o->layout;
	if (l->transport == NO_FIELD || l->message == NO_FIELD) return l;
	uint64_t offset = o->items[o->item_of[l->transport]].offset;
	typeof(o->verdicts[0]) *v = &o->verdicts[(offset >> 3) % VERDICTS];
	struct str transport = {NULL, 0};
	if (v->offset != offset) {
		transport = single(r, l->transport);
		*v = (typeof(*v)){offset, str_eq(transport, STR("audit")) || str_eq(transport, STR("kernel"))};
	}
	if (!v->may) return l;
	if (!transport.p) transport = single(r, l->transport);
	if (!o->audit) o->audit = xcalloc(1, sizeof *o->audit);
	if (!journal_audit_parse(transport, single(r, l->message), &r->arena, o->audit)) return l;
	o->audit_key.n = 0;
	journal_audit_key(o->audit, &o->audit_key);
	uint64_t sum = 0;
	for (size_t i = 0; i < o->audit_key.n; i++) sum = (sum ^ (uint8_t)o->audit_key.p[i]) * 0x100000001b3u;
	return layout_of(r, mark + (sum * 0x9e3779b97f4a7c15u | 1), o->fields_met, n, buf_view(&o->audit_key));
}

static struct event *make_event(struct reader *r, uint64_t at, uint64_t size, uint64_t taken)
{
	struct own *o = own(r);
	const struct journal_header *h = &o->j.h;
	uint32_t step = journal_item_size(h), n_fields = 0;
	uint64_t n = (size - J_ENTRY_HEAD) / step, mark = 0, xor = 0;
	bool cut = n > J_ITEMS_MAX, sure = true;
	uint64_t lost = 0;
	if (cut) n = J_ITEMS_MAX;
	o->entry_number++;
	o->n_items = 0;
	const uint8_t *p = journal_at(&o->j.bytes, at, J_ENTRY_HEAD + n * step);
	uint8_t *copy = p ? arena_alloc(&r->arena, J_ENTRY_HEAD + n * step) : NULL; /* what p points to may move */
	if (!copy) return NULL;
	memcpy(copy, p, J_ENTRY_HEAD + n * step);
	o->entry.seqnum = le64_at(copy + 16);
	o->entry.realtime = le64_at(copy + 24);
	o->entry.monotonic = le64_at(copy + 32);
	for (uint64_t i = 0; i < n; i++) {
		const uint8_t *q = copy + J_ENTRY_HEAD + i * step;
		const struct datum *d = journal_datum(&o->j, h->compact ? le32_at(q) : le64_at(q));
		if (d->field == UINT32_MAX) {
			lost++;
			continue;
		}
		sure = sure && d->hashed;
		xor ^= d->xor_hash;
		take_item(o, d, &mark, &n_fields);
	}
	if (lost) count_first(&o->lost_items, &o->first_lost, at);
	else if (!cut && sure && xor != le64_at(copy + 56)) count_first(&o->wrong_xor, &o->first_wrong_xor, at);
	o->layout = layout_of(r, mark, o->fields_met, n_fields, (struct str){"", 0});
	o->layout = audit_layout(r, mark, n_fields);
	uint64_t us = o->entry.realtime;
	struct etime time = us && us < (uint64_t)INT64_MAX ? etime_from_unix((int64_t)(us / 1000000), (uint32_t)(us % 1000000) * 1000, 6) : (struct etime){0};
	struct event *ev = text_event(r, o->layout->shape, &ops, time, at, size, o->recovering ? 0 : taken, 0, NULL);
	if (lost || cut) {
		ev->flags |= EVENT_LIMITED;
		r->report.limited++;
	}
	if (o->recovering) {
		ev->flags |= EVENT_RECOVERED;
		r->report.n_recovered++;
		report_recovered(&r->report, at, taken);
	}
	ev->has_record_id = true;
	ev->record_id = o->entry.seqnum;
	return ev;
}

/* --- the walk ------------------------------------------------------------------------------------------------------------------- */

static uint64_t aligned(uint64_t n) { return (n + 7) & ~(uint64_t)7; }

/* Whether an object may begin at `at`, or zeros, or nothing more comes. */
static bool may_go_on(struct own *o, uint64_t at, uint64_t size)
{
	static const uint8_t zeros[J_HEAD];
	if (at >= size || size - at < J_HEAD) return true;
	const uint8_t *p = journal_at(&o->j.bytes, at, J_HEAD);
	return p && (!memcmp(p, zeros, J_HEAD) || journal_head_ok(&o->j.h, p, at, size));
}

enum proof { WRONG, UNKNOWN, PROVED };

/* A DATA object proves itself by its hash. */
static enum proof prove_data(struct own *o, uint64_t at, uint64_t size)
{
	uint32_t head = journal_data_head(&o->j.h);
	bool cut;
	const uint8_t *p = journal_at(&o->j.bytes, at, head);
	if (!p || size - head > J_HASHED_MAX) return UNKNOWN;
	uint64_t stored = le64_at(p + 16);
	struct str payload = journal_payload(&o->j, at, size, p[1], &cut);
	if (!payload.p) return WRONG;
	return cut ? UNKNOWN : journal_hash(&o->j.h, payload.p, payload.n) == stored ? PROVED : WRONG;
}

/* A FIELD object too. */
static enum proof prove_field(struct own *o, uint64_t at, uint64_t size)
{
	if (size > 40 + J_NAME_MAX) return UNKNOWN;
	const uint8_t *p = journal_at(&o->j.bytes, at, (size_t)size);
	return p && journal_hash(&o->j.h, p + 40, (size_t)size - 40) == le64_at(p + 16) ? PROVED : WRONG;
}

/* An ENTRY proves itself by leading to DATA objects only. */
static enum proof prove_entry(struct own *o, uint64_t at, uint64_t size)
{
	uint32_t step = journal_item_size(&o->j.h);
	uint64_t n = (size - J_ENTRY_HEAD) / step;
	for (uint64_t i = 0; i < n && i < 64; i++) {
		const uint8_t *q = journal_at(&o->j.bytes, at + J_ENTRY_HEAD + i * step, step);
		if (!q || journal_datum(&o->j, o->j.h.compact ? le32_at(q) : le64_at(q))->field == UINT32_MAX) return WRONG;
	}
	return PROVED;
}

/* The object at `at` as search may believe it: true when it proves itself. */
static bool believable(struct own *o, uint64_t at, uint64_t size)
{
	const uint8_t *p = journal_at(&o->j.bytes, at, J_HEAD);
	if (!p || !journal_head_ok(&o->j.h, p, at, size)) return false;
	uint64_t n = le64_at(p + 8);
	uint64_t cost = n < 64 ? 64 : n;
	/* What proves itself by nothing inside is believed when an object follows. */
	if ((p[0] != J_DATA && p[0] != J_ENTRY) || cost > o->hash_budget) return n < size - at && may_go_on(o, at + aligned(n), size);
	o->hash_budget -= cost;
	enum proof proof = p[0] == J_DATA ? prove_data(o, at, n) : prove_entry(o, at, n);
	return proof == PROVED || (proof == UNKNOWN && may_go_on(o, at + aligned(n), size));
}

/* The bytes up to `to` are no objects: zeros are slack, all else is damage. */
static void no_objects(struct reader *r, uint64_t from, uint64_t to, const char *why)
{
	while (from < to) {
		size_t n = to - from < J_AHEAD ? (size_t)(to - from) : J_AHEAD;
		const uint8_t *p = journal_at(&own(r)->j.bytes, from, n);
		size_t zeros = 0;
		while (p && zeros < n && !p[zeros]) zeros++;
		bool all = zeros == n;
		if (all) report_slack(&r->report, from, n);
		else report_damage(&r->report, from, n, p ? why : "read error");
		from += n;
	}
}

/* Looks for the next object that proves itself behind `from`; what lies between is accounted for. */
static void resume(struct reader *r, uint64_t from, const char *why)
{
	struct own *o = own(r);
	uint64_t size = r->in->size, at = aligned(from + 1);
	while (at < size && size - at >= J_HEAD && journal_ahead(&o->j.bytes, at, J_HEAD)) {
		const uint8_t *p = journal_at(&o->j.bytes, at, J_HEAD);
		if (p && p[0] && believable(o, at, size)) break;
		at += 8;
	}
	if (at > size || size - at < J_HEAD || o->j.bytes.failed) at = size;
	while (at == size && journal_ahead(&o->j.bytes, o->j.bytes.offset + o->j.bytes.n, 1)) {}
	no_objects(r, from, at, why);
	o->recovering = true;
	o->at = at;
}

/* A run of zeros at o->at is room set aside: slack, up to the next byte that is not zero (down to its multiple of 8). */
static bool skip_zeros(struct reader *r)
{
	struct own *o = own(r);
	uint64_t from = o->at, size = r->in->size;
	while (o->at < size && journal_ahead(&o->j.bytes, o->at, 1)) {
		size_t n = o->j.bytes.offset + o->j.bytes.n - o->at, i = 0;
		const uint8_t *p = o->j.bytes.window + (o->at - o->j.bytes.offset);
		while (i + 8 <= n && !le64_at(p + i)) i += 8;
		while (i < n && n - i < 8 && !p[i]) i++;
		o->at += i;
		if (i < n) break;
	}
	o->at = o->at < size ? o->at & ~(uint64_t)7 : size;
	if (o->at < from) o->at = from;
	report_slack(&r->report, from, o->at - from);
	return o->at > from;
}

/* Whether an object that proves itself begins within [from, to). */
static bool holds_object(struct own *o, uint64_t from, uint64_t to, uint64_t size)
{
	for (uint64_t at = from; at < to && size - at >= J_HEAD; at += 8) {
		const uint8_t *p = journal_at(&o->j.bytes, at, J_HEAD);
		if (p && p[0] && believable(o, at, size)) return true;
	}
	return false;
}

/* What an object with a sound head is worth; NULL: take it, else why not. */
static const char *doubt(struct own *o, const uint8_t *p, uint64_t at, uint64_t n, uint64_t size)
{
	bool next = may_go_on(o, at + aligned(n), size);
	enum proof proof = UNKNOWN;
	uint8_t type = p[0];
	if (type == J_DATA) proof = prove_data(o, at, n);
	else if (type == J_ENTRY && !next) proof = prove_entry(o, at, n);
	else if (type == J_FIELD) proof = prove_field(o, at, n);
	/* Tables and arrays have no proof: what follows is broken, or their size is. */
	else if (!next && !holds_object(o, at + J_HEAD, at + n, size)) proof = PROVED;
	if (proof == PROVED || next) {
		if (proof == WRONG) count_first(&o->wrong_hash, &o->first_wrong_hash, at);
		return NULL;
	}
	return "journal object damaged";
}

/* One object; an event when it is an ENTRY. */
static struct event *take_object(struct reader *r, uint8_t type, uint64_t at, uint64_t n)
{
	struct own *o = own(r);
	uint64_t size = r->in->size, taken = aligned(n) < size - at ? aligned(n) : size - at;
	struct event *ev = NULL;
	o->n_objects++;
	o->n_tags += type == J_TAG;
	o->at = at + taken;
	switch ((enum journal_type)type) {
	case J_ENTRY:
		o->n_entries++;
		ev = make_event(r, at, n, taken);
		if (!ev) report_damage(&r->report, at, taken, "entry could not be read");
		o->recovering = false;
		return ev;
	case J_DATA: report_records(&r->report, at, taken); break;
	default: report_slack(&r->report, at, taken); break;
	}
	return ev;
}

static void closing_notes(struct reader *r)
{
	struct own *o = own(r);
	const struct journal_header *h = &o->j.h;
	if (!h->sound) return;
	if (h->n_entries != o->n_entries) report_note(&r->report, 0, "the header counts %llu entries, %llu were found", (unsigned long long)h->n_entries,
		(unsigned long long)o->n_entries);
	if (o->wrong_hash) report_note(&r->report, o->first_wrong_hash, "wrong hash of %llu data or field objects, this is the first", (unsigned long long)o->wrong_hash);
	if (o->wrong_xor) report_note(&r->report, o->first_wrong_xor, "%llu entries are not made of the data they were written with, this is the first",
		(unsigned long long)o->wrong_xor);
	if (o->lost_items) report_note(&r->report, o->first_lost, "%llu entries lead to data that cannot be read, this is the first", (unsigned long long)o->lost_items);
	if (h->sealed || o->n_tags) report_note(&r->report, 0, "sealed with %llu tags; they were not checked: that needs the verification key", (unsigned long long)o->n_tags);
}

static bool next(struct reader *r)
{
	struct own *o = own(r);
	uint64_t size = r->in->size;
	while (o->at < size) {
		uint64_t at = o->at;
		arena_reset(&r->arena);
		if (size - at < J_HEAD || !journal_ahead(&o->j.bytes, at, J_HEAD)) {
			while (journal_ahead(&o->j.bytes, o->j.bytes.offset + o->j.bytes.n, 1)) {}
			no_objects(r, at, size, o->j.bytes.failed ? "read error" : "journal cut off");
			o->at = size;
			break;
		}
		const uint8_t *p = journal_at(&o->j.bytes, at, J_HEAD);
		if (!p[0] && skip_zeros(r)) continue;
		uint64_t n = le64_at(p + 8);
		uint8_t type = p[0];
		if (!journal_head_ok(&o->j.h, p, at, size)) {
			bool beyond = type && type < J_TYPES && !(le64_at(p) >> 16) && n > size - at;
			resume(r, at, beyond ? "journal object cut off" : "no journal object");
			continue;
		}
		(void)journal_ahead(&o->j.bytes, at, n < J_AHEAD ? (size_t)n : J_AHEAD);
		const char *why = doubt(o, journal_at(&o->j.bytes, at, J_HEAD), at, n, size);
		if (why) resume(r, at, why);
		else if (take_object(r, type, at, n)) return true;
	}
	if (o->at == size && !o->j.bytes.failed) closing_notes(r);
	o->at = UINT64_MAX;
	return false;
}

static bool begin(struct reader *r, struct fault *f)
{
	struct own *o = own(r);
	(void)f;
	journal_bytes_init(&o->j.bytes, r->in);
	journal_data_init(&o->j.data);
	o->met = xcalloc(J_FIELDS_MAX, sizeof *o->met);
	o->item_of = xcalloc(J_FIELDS_MAX, sizeof *o->item_of);
	o->fields_met = xcalloc(J_FIELDS_MAX, sizeof *o->fields_met);
	o->items = xcalloc(J_ITEMS_MAX, sizeof *o->items);
	o->hash_budget = 4 * r->in->size + (1 << 20);
	(void)journal_ahead(&o->j.bytes, 0, r->in->size < J_HEADER_MAX ? (size_t)r->in->size : J_HEADER_MAX);
	journal_header_read((struct str){(const char *)o->j.bytes.window, o->j.bytes.n}, &o->j.h);
	o->at = o->j.h.size < r->in->size ? o->j.h.size : r->in->size;
	if (o->j.h.sound) report_header(&r->report, 0, o->at);
	else report_damage(&r->report, 0, o->at, "no sound journal header");
	if (o->j.h.incompatible & ~(uint32_t)J_INCOMPATIBLE) report_note(&r->report, 12, "flags of a newer format: %#x", o->j.h.incompatible & ~(uint32_t)J_INCOMPATIBLE);
	if (o->j.h.sound && o->j.h.state == 1) report_note(&r->report, 16, "not closed: it was being written when it was copied, or its writer died");
	return true;
}

static void end(struct reader *r)
{
	struct own *o = own(r);
	forget_layouts(o);
	journal_bytes_done(&o->j.bytes);
	journal_data_done(&o->j.data);
	free(o->met);
	free(o->item_of);
	free(o->fields_met);
	free(o->audit);
	buf_done(&o->audit_key);
	free(o->items);
}

static const struct text_format format = {.name = "journal", .own_size = sizeof(struct own), .begin = begin, .next = next, .end = end, .binary = true};

static int sniff(struct str head, uint64_t size, struct str path)
{
	(void)size;
	(void)path;
	return str_starts(head, STR("LPKSHHRH")) ? 100 : 0;
}

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }

const struct reader_ops read_journal_ops = {.format = "journal", .what = "systemd journal", .mark = "begins with LPKSHHRH", .sniff = sniff, .open = open, TEXT_READER_REST};
