/* reader.c: the file as blocks of one chunk, chunks as records, records as events; every byte accounted for. See evtx.h.
 *
 *	file header 4096 | chunk 65536 | chunk | ...        chunk: header 512 | record | record | ... | free space
 *	record: 2a2a0000 | u32 size | u64 id | u64 FILETIME | binary XML | u32 size
 * Header counts and offsets are not trusted: the walk goes by the records themselves. Where it breaks, the next whole record is
 * looked for in steps of eight bytes, and what lies between is damage. */
#include "evtx/evtx.h"
#include "evtx/plan_internal.h"
#include <pthread.h>

/* A record that waits for the end of the file: its template is not in its chunk, or it is a stale one that may be live elsewhere. */
struct deferred { uint64_t chunk; uint32_t at, size; bool carved; };
struct known_template { uint64_t chunk; uint32_t def, id; int32_t shift; bool sure; };

struct reader {
	struct input *in;
	const struct reader_options *options;
	pthread_mutex_t lock;
	uint64_t next_batch;
	struct source_report report;     /* under the lock, but for strings */
	struct arena notes;
	bool image;                      /* no log, but something that may hold parts of logs: what is no record is none of our business */
	bool failed;                     /* a read error: nothing more comes */
	uint64_t peeked;                 /* a chunk is known to begin here; 0 = nowhere */
	uint8_t *carry;                  /* bytes read ahead, when a chunk begins in the middle of a block */
	uint32_t carry_n;
	uint32_t running;                /* cursors that have not met the end */
	VEC(struct deferred) deferred;
	struct map known;                /* template id -> index in known_at, the first in the file */
	VEC(struct known_template) known_at;
	bool searched;                   /* for templates that no record which could be read has: */
	VEC(struct known_template) candidates;
	uint64_t *live;                  /* keys of live records, for --carve; 0 = free */
	uint32_t n_live;
	uint64_t live_overflow;
	uint64_t gaps, back, first_gap, first_back; /* of all cursors */
	struct spans spans;              /* of the blocks taken so far */
	uint8_t peeked_head[SPAN_HEAD];  /* what was read of it */
	uint64_t n_copies, first_copy;   /* of all cursors */
};

struct reader_cursor {
	struct reader *r;
	struct shape_table *shapes;
	struct template_store *store;
	struct arena arena;              /* reset for each record batch: one chunk */
	uint8_t *block;
	struct evtx_chunk chunk;
	uint64_t offset, batch;          /* of the chunk in the file */
	struct direct *direct;
	struct record_place *places;            /* records of the chunk */
	uint32_t n_places, next_place;
	bool sure;                       /* the chunk's checksums hold */
	struct { uint64_t chunk, id; struct record_ref record; } tail; /* the last record of the chunk read before, when its header agrees; chunk 0 = none */
	uint64_t gaps, back, first_gap, first_back; /* in record ids and times of events that stand side by side; offsets of the first */
	uint64_t n_copies, first_copy;   /* records that stand elsewhere in the file already, and the first's offset */
	bool has_before;                 /* an event came before in this chunk: */
	uint64_t before_id;
	struct etime before_time;
	struct event_hole hole;
	bool recovered;                  /* the chunk's records were found by search */
	struct event event;
	struct instance root, content;
	const struct leaf *leaves;
	uint32_t n_leaves;
	struct record_ref record;
	struct value *cells;             /* [cells_room]: of the event, when it is asked for any */
	uint32_t cells_room;
	bool bare;                       /* of the record at hand nothing but its head can be read */
	/* The last pass: records that were deferred. */
	bool last_pass, ended;
	VEC(struct deferred) deferred;
	size_t next_deferred;
	uint8_t *other_block;            /* a chunk from which a template is taken */
	struct evtx_chunk other;
	uint64_t first_written, last_written; /* FILETIME of the records' heads; 0 = none */
	struct source_report local;      /* what this cursor met; joined with the reader's when it ends */
	struct arena local_strings;
};

enum {
	BLOCK = 2 * EVTX_CHUNK,  /* a chunk, and what was put into it */
	ARENA_BUDGET = 16 << 20, ARENA_WARM = 32 << 10,
	DEFERRED_MAX = 400000,   /* beyond them records with lost templates are read by the usual layout at once, stale ones left */
	CANDIDATES_MAX = 200000, /* definitions that are looked at for lost templates */
	LIVE_SLOTS = 1 << 20     /* open addressing, three quarters used at most */
};

static bool all_zero(const uint8_t *p, size_t n) { return !n || (!p[0] && !memcmp(p, p + 1, n - 1)); }

/* --- accounting --- */

/* Checks a chunk's checksums. True when they are there and hold: then its header says truly where its records end. */
static bool checksums_hold(struct source_report *r, const uint8_t *p, uint32_t n, uint64_t offset)
{
	uint32_t flags = le32_at(p + 120), free = le32_at(p + 48);
	bool header, records = false;
	if (flags & 4 || n < EVTX_CHUNK) return false;
	header = crc32_of(crc32_of(0, p, 120), p + 128, 384) == le32_at(p + 124);
	if (!header) report_note(r, offset, "wrong checksum of the chunk header");
	if (free < EVTX_CHUNK_HEADER || free > EVTX_CHUNK) report_note(r, offset, "free-space offset out of bounds");
	else if (!(records = crc32_of(0, p + 512, free - 512) == le32_at(p + 52))) report_note(r, offset, "wrong checksum of the records");
	return header && records;
}

static void add_place(struct reader_cursor *c, uint32_t at, uint32_t size, bool carved)
{
	if (c->n_places < EVTX_PLACES_MAX) c->places[c->n_places++] = (struct record_place){at, size, carved, false};
}

/* Free space: stale records in it are places too when they are wanted; what remains is slack, or damage when there is a reason. */
static void walk_slack(struct reader_cursor *c, uint32_t at, uint32_t end, const char *why)
{
	while (at < end) {
		uint32_t next = c->r->options->carve ? seek_record(c->chunk.p, at, end) : end;
		if (!why) c->local.slack += next - at;
		else if (next > at) report_damage(&c->local, c->offset + at, next - at, why);
		if (next == end) return;
		uint32_t size = record_size(c->chunk.p + next, end - next);
		add_place(c, next, size, true);
		at = next + size;
	}
}

static void no_records(struct reader_cursor *c, uint32_t from, uint32_t to, const char *why)
{
	if (from >= to) return;
	if (c->r->image || all_zero(c->chunk.p + from, to - from)) c->local.slack += to - from;
	else report_damage(&c->local, c->offset + from, to - from, why);
}

/* What stands between a whole chunk and the next one: records, as they are found. */
static void walk_between(struct reader_cursor *c, uint32_t at, uint32_t end)
{
	while (at < end) {
		uint32_t next = seek_record(c->chunk.p, at, end);
		no_records(c, at, next, "no chunk header and no record");
		if (next == end) return;
		uint32_t size = record_size(c->chunk.p + next, end - next);
		c->recovered = true;
		add_place(c, next, size, false);
		if (c->n_places) c->places[c->n_places - 1].loose = true;
		at = next + size;
	}
}

/* The first whole record from `at` on that the chunk's header names, by its ids, and that was not met before the end of records which it gives: bytes that were put
 * in have moved it. 0: there is none. */
static uint32_t find_named(const struct reader_cursor *c, uint32_t at, uint32_t n)
{
	const uint8_t *p = c->chunk.p;
	if (n < EVTX_CHUNK_HEADER || memcmp(p, "ElfChnk", 8) || c->sure) return 0;
	uint64_t first = le64_at(p + 24), last = le64_at(p + 32), met = first - 1;
	if (last < first || last - first >= EVTX_CHUNK / EVTX_RECORD_MIN) return 0;
	if (c->n_places) met = le64_at(p + c->places[c->n_places - 1].at + 8);
	for (; met < last && (at = seek_record(p, at, n)) < n; at++) {
		uint64_t id = le64_at(p + at + 8);
		if (id > met && id >= first && id <= last) return at;
	}
	return 0;
}

/* Walks the records of one chunk; fills c->places and the account. */
static void walk_chunk(struct reader_cursor *c)
{
	struct source_report *r = &c->local;
	const uint8_t *p = c->chunk.p;
	uint32_t n = c->chunk.n, at = 0;
	bool has_header = n >= EVTX_CHUNK_HEADER && !memcmp(p, "ElfChnk", 8), cut = has_header && n < EVTX_CHUNK;
	c->n_places = c->next_place = 0;
	c->sure = c->chunk.sure = false;
	c->recovered = !has_header;
	if (all_zero(p, n)) {
		r->slack += n;
		return;
	}
	if (has_header) {
		c->sure = c->chunk.sure = checksums_hold(r, p, n, c->offset);
		at = c->sure ? EVTX_CHUNK_HEADER : seek_record(p, 56, n);
		if (at > EVTX_CHUNK_HEADER) at = EVTX_CHUNK_HEADER; /* before it: bytes of the header were lost */
		else if (at < EVTX_CHUNK_HEADER) c->recovered = true;
		r->header += at;
	}
	uint32_t free = has_header ? le32_at(p + 48) : 0;
	/* What moved the next chunk was put in behind the records when their checksums hold. */
	bool behind = c->sure && n > EVTX_CHUNK;
	uint32_t limit = free >= EVTX_CHUNK_HEADER && free <= n && (n <= EVTX_CHUNK || behind) ? free : n;
	uint32_t gap = at; /* where bytes that belong to no record began */
	for (;;) {
		uint32_t size = at < n ? record_size(p + at, n - at) : 0;
		/* Whole records may follow at once behind the end that the header names, as in a log that was not closed, or of which the header was
		 * written by another tool: they are records like the others. */
		if (!size) {
			/* Behind the end of the records lies free space, as the chunk's header says. */
			uint32_t next = at < limit ? seek_record(p, at + 1, n) : n;
			if (next >= limit && !(next = find_named(c, at, n))) break;
			at = next;
			continue;
		}
		if (at > gap) {
			uint32_t end = at < limit || gap > limit ? at : limit;
			no_records(c, gap, end, has_header ? "no record" : "no chunk header and no record");
			walk_slack(c, end, at, NULL);
			c->recovered = true;
		}
		add_place(c, at, size, false);
		at += size;
		gap = at;
	}
	if (gap < limit) {
		no_records(c, gap, limit, cut ? "chunk cut off" : has_header ? "no record" : "no chunk header and no record");
		gap = limit;
	}
	walk_slack(c, gap, behind && gap < EVTX_CHUNK ? EVTX_CHUNK : n, cut && !c->r->image ? "chunk cut off" : NULL);
	if (behind && gap < EVTX_CHUNK) walk_between(c, EVTX_CHUNK, n);
}

static void count_record(struct reader_cursor *c, const struct record_place *place, const char *why)
{
	struct source_report *r = &c->local;
	const uint8_t *p = c->chunk.p + place->at;
	uint64_t written = le64_at(p + 16);
	/* A whole record of which the content cannot be read is still a record; that it could not is said and counted. */
	if (why) {
		report_note(r, c->offset + place->at, "record %llu: %s", (unsigned long long)le64_at(p + 8), why);
		r->limited++;
	}
	if (c->recovered || place->carved || c->last_pass || c->r->image || why) r->recovered += place->size, r->n_recovered++;
	else r->records += place->size;
	r->n_records++;
	if (c->first_written && written >= c->first_written && written <= c->last_written) return;
	if (!written) return; /* none */
	if (etime_is_odd(etime_from_filetime(written))) {
		if (!r->n_odd++ || c->offset + place->at < r->odd_at) r->odd_at = c->offset + place->at;
		return;
	}
	if (!c->first_written || written < c->first_written) c->first_written = written;
	if (written > c->last_written) c->last_written = written;
}

/* --- events --- */

static const struct str sys_names[SYS_COUNT] = {
	{"Provider_Name", 13}, {"Provider_Guid", 13}, {"Provider_EventSourceName", 24}, {"EventID", 7}, {"EventID_Qualifiers", 18}, {"Version", 7}, {"Level", 5},
	{"Task", 4}, {"Opcode", 6}, {"Keywords", 8}, {"TimeCreated_SystemTime", 22}, {"EventRecordID", 13}, {"Correlation_ActivityID", 22},
	{"Correlation_RelatedActivityID", 29}, {"Execution_ProcessID", 19}, {"Execution_ThreadID", 18}, {"Channel", 7}, {"Computer", 8}, {"Security_UserID", 15}};
enum { ALIAS_PROVIDER = DIRECT_ALIAS_PROVIDER, ALIAS_TIME = DIRECT_ALIAS_TIME, FIRST_LEAF = DIRECT_FIRST_LEAF };

static void sys_value(struct reader_cursor *c, enum sys_field f, struct value *ret)
{
	const struct leaf *l = c->root.fragment->sys[f];
	*ret = (struct value){.kind = VALUE_ABSENT};
	if (!l) return;
	const struct slot *s = l->slot < c->root.n_slots ? &c->root.slots[l->slot] : NULL;
	if (s && slot_empty(s)) return;
	if (s && s->type != EVTX_XML) slot_value(s, &c->arena, &c->chunk.format, ret);
	else parts_value(&c->chunk, &c->root, l->parts, l->n_parts, ret);
}

static struct str sys_text(struct reader_cursor *c, enum sys_field f)
{
	struct value v;
	sys_value(c, f, &v);
	return value_text(&v, &c->arena);
}

static uint64_t sys_number(struct reader_cursor *c, enum sys_field f, bool *ret_has)
{
	struct value v;
	uint64_t n = 0;
	sys_value(c, f, &v);
	*ret_has = true;
	if (v.kind == VALUE_UINT) return v.u;
	if (v.kind == VALUE_INT && v.i >= 0) return (uint64_t)v.i;
	*ret_has = v.kind == VALUE_STR && str_u64(v.text, &n);
	return n;
}

/* The bytes behind a System field that is one slot; NULL when it is something else. */
static const struct slot *sys_slot(const struct reader_cursor *c, enum sys_field f)
{
	uint32_t at = c->root.fragment->sys_at[f];
	return at < c->root.n_slots ? &c->root.slots[at] : NULL;
}

static void filetime_to(uint64_t filetime, struct etime *ret)
{
	ret->sec = filetime ? (int64_t)(filetime / 10000000) - 11644473600 : 0;
	ret->nsec = (uint32_t)(filetime % 10000000) * 100;
	ret->digits = filetime ? 7 : 0;
	ret->present = filetime != 0;
}

static void event_time(struct reader_cursor *c, const uint8_t *record, struct etime *ret)
{
	const struct slot *s = sys_slot(c, SYS_TIME);
	if (s && s->type == EVTX_FILETIME && s->n == 8) {
		filetime_to(le64_at(s->p), ret);
		return;
	}
	struct str text = sys_text(c, SYS_TIME);
	if (!text.n || !etime_parse(text, ret, NULL)) filetime_to(le64_at(record + 16), ret);
}

static void content_is_root(struct reader_cursor *c)
{
	c->content.fragment = c->root.fragment;
	c->content.slots = c->root.slots;
	c->content.n_slots = c->root.n_slots;
}

/* Finds the content: a nested fragment, or a part of the root itself. */
static bool find_content(struct reader_cursor *c)
{
	const struct xnode *x = c->root.fragment->content;
	c->leaves = NULL;
	c->n_leaves = 0;
	bool nested = x && x->kind == X_SLOT && x->slot < c->root.n_slots && c->root.slots[x->slot].type == EVTX_XML && c->root.slots[x->slot].n;
	if (!nested) content_is_root(c);
	if (x && x->kind == X_ELEMENT) {
		c->leaves = c->root.fragment->leaves;
		c->n_leaves = c->root.fragment->n_leaves;
		return true;
	}
	if (!nested) return true;
	const struct slot *s = &c->root.slots[x->slot];
	uint32_t at = (uint32_t)(s->p - c->chunk.p);
	if (!binxml_instance(&c->chunk, at, at + s->n, 1, &c->content)) return false;
	c->leaves = c->content.fragment->leaves;
	c->n_leaves = c->content.fragment->n_leaves;
	return true;
}

static const char *const exchange_names[] = {"Message", "Cmdlet", "Parameters", "Caller"};
enum { EXCHANGE_EXTRA = COUNT(exchange_names) };

static bool is_exchange(struct str channel, uint32_t n_leaves) { return n_leaves && str_eq(channel, STR("MSExchange Management")); }

static struct str leaf_name(const void *cursor, uint32_t i) { return ((const struct reader_cursor *)cursor)->leaves[i].name; }

static const struct shape *make_shape(struct reader_cursor *c, struct str key, struct str provider, struct str channel, uint32_t event_id)
{
	struct derived_set derived = derived_of(c->n_leaves, leaf_name, c);
	uint32_t extra = !derived.n && is_exchange(channel, c->n_leaves) ? EXCHANGE_EXTRA : 0, n = FIRST_LEAF + c->n_leaves + extra + derived.n;
	struct column *columns = arena_calloc(&c->arena, n, sizeof *columns);
	struct shape *spec = arena_calloc(&c->arena, 1, sizeof *spec);
	if (!columns || !spec) return NULL;
	for (uint32_t i = 0; i < SYS_COUNT; i++) columns[i].name = sys_names[i];
	columns[SYS_PROVIDER].constant = columns[SYS_CHANNEL].constant = columns[SYS_EVENT_ID].constant = true;
	columns[SYS_PROVIDER].value = value_str(provider);
	columns[SYS_CHANNEL].value = value_str(channel);
	columns[SYS_EVENT_ID].value = value_uint(event_id);
	columns[ALIAS_PROVIDER] = (struct column){.name = STR("ProviderName"), .hidden = true, .constant = true, .value = value_str(provider)};
	columns[ALIAS_TIME] = (struct column){.name = STR("SystemTime"), .hidden = true};
	for (uint32_t i = 0; i < c->n_leaves; i++) columns[FIRST_LEAF + i] = (struct column){.name = c->leaves[i].name, .label = c->leaves[i].label};
	for (uint32_t i = 0; i < extra; i++) columns[FIRST_LEAF + c->n_leaves + i].name = str_of(exchange_names[i]);
	for (uint32_t i = 0; i < derived.n; i++) columns[FIRST_LEAF + c->n_leaves + i] = derived_column(derived, i);
	spec->n_columns = n;
	spec->columns = columns;
	spec->format = STR("evtx");
	spec->channel = channel;
	spec->provider = provider;
	spec->event_id = event_id;
	spec->host_column = SYS_COMPUTER;
	spec->bindings = taxonomy_windows(shape_table_taxonomy(c->shapes), channel, event_id, &c->arena, &spec->n_bindings);
	const struct shape *kept = shape_table_add(c->shapes, key, spec);
	if (kept) return kept;
	shape_link(columns, n);
	return spec;
}

/* Whether the bytes that name the kind of event are those met last with this content. A literal is part of the root template. */
static bool same_as_last(const struct reader_cursor *c, const struct fragment *f)
{
	const struct slot *id = sys_slot(c, SYS_EVENT_ID), *provider = sys_slot(c, SYS_PROVIDER), *channel = sys_slot(c, SYS_CHANNEL);
	if (!f->last_shape || f->last_root != c->root.fragment || !id || id->n != 2 || le16_at(id->p) != f->last_event_id) return false;
	if (provider ? provider->n != f->last_provider_n || memcmp(provider->p, f->last_provider, provider->n) : f->last_provider_n) return false;
	return channel ? channel->n == f->last_channel_n && !memcmp(channel->p, f->last_channel, channel->n) : !f->last_channel_n;
}

/* Whether a System field is the same in all events of the root template, or one slot. */
static bool is_plain(const struct reader_cursor *c, enum sys_field f)
{
	const struct leaf *l = c->root.fragment->sys[f];
	for (uint32_t i = 0; l && l->slot == UINT32_MAX && i < l->n_parts; i++)
		if (l->parts[i]->kind != X_TEXT) return false;
	return true;
}

/* The number of events like this one, which is of the shape met last with this content; 0: there is none. */
static uint32_t alike(struct reader_cursor *c, struct fragment *f)
{
	const struct slot *computer = sys_slot(c, SYS_COMPUTER);
	uint16_t n = computer ? computer->n : 0;
	uint8_t type = computer ? computer->type : 0;
	if (f->last_alike && n == f->last_computer_n && type == f->last_computer_type && (!n || !memcmp(computer->p, f->last_computer, n))) return f->last_alike;
	if (n > sizeof f->last_computer || type == EVTX_XML || !is_plain(c, SYS_COMPUTER)) return 0;
	f->last_computer_type = type;
	f->last_computer_n = n;
	if (n) memcpy(f->last_computer, computer->p, n);
	return f->last_alike = shape_table_alike(c->shapes, f->last_shape, sys_text(c, SYS_COMPUTER));
}

static void remember(const struct reader_cursor *c, struct fragment *f, const struct shape *s)
{
	const struct slot *id = sys_slot(c, SYS_EVENT_ID), *provider = sys_slot(c, SYS_PROVIDER), *channel = sys_slot(c, SYS_CHANNEL);
	if (!id || id->n != 2 || !is_plain(c, SYS_PROVIDER) || !is_plain(c, SYS_CHANNEL) || (provider && provider->n > sizeof f->last_provider) || (channel && channel->n > sizeof f->last_channel)) return;
	f->last_shape = s;
	f->last_alike = 0;
	f->last_root = c->root.fragment;
	f->last_event_id = le16_at(id->p);
	f->last_provider_n = provider ? provider->n : 0;
	f->last_channel_n = channel ? channel->n : 0;
	if (provider) memcpy(f->last_provider, provider->p, provider->n);
	if (channel) memcpy(f->last_channel, channel->p, channel->n);
}

static const struct shape *shape_of(struct reader_cursor *c)
{
	bool has;
	struct fragment *f = c->content.fragment;
	if (same_as_last(c, f)) {
		c->event.alike = alike(c, f);
		return f->last_shape;
	}
	c->event.alike = 0;
	struct str provider = sys_text(c, SYS_PROVIDER), channel = sys_text(c, SYS_CHANNEL);
	uint32_t event_id = (uint32_t)sys_number(c, SYS_EVENT_ID, &has);
	struct buf key = {0};
	buf_lit(&key, "evtx");
	buf_put(&key, f->guid, 16);
	buf_put(&key, &f->hash, sizeof f->hash);
	buf_put(&key, &event_id, sizeof event_id);
	buf_str(&key, provider);
	buf_byte(&key, 0);
	buf_str(&key, channel);
	if (!f->is_template || c->content.fragment == c->root.fragment)
		for (uint32_t i = 0; i < c->n_leaves; i++) buf_byte(&key, 0), buf_str(&key, c->leaves[i].label);
	const struct shape *s = shape_table_find(c->shapes, buf_view(&key));
	bool in_table = s != NULL;
	if (!s) {
		s = make_shape(c, buf_view(&key), provider, channel, event_id);
		in_table = s && shape_table_find(c->shapes, buf_view(&key)) == s;
	}
	buf_done(&key);
	if (in_table && f->is_template && c->root.fragment->is_template) remember(c, f, s);
	return s;
}

/* Item i of the unnamed Data, whether they are leaves of their own or one list. */
static struct str exchange_item(struct event *ev, uint32_t i)
{
	struct value *v = event_cell(ev, FIRST_LEAF);
	if (v->kind == VALUE_LIST) return i < v->n ? value_text(&v->items[i], ev->arena) : (struct str){"", 0};
	return FIRST_LEAF + i + EXCHANGE_EXTRA < ev->shape->n_columns ? value_text(event_cell(ev, FIRST_LEAF + i), ev->arena) : (struct str){"", 0};
}

/* What the event viewer shows for a cmdlet event; the misspelling is Microsoft's. */
static void exchange_value(struct event *ev, uint32_t which, struct value *ret)
{
	struct str cmdlet = exchange_item(ev, 0), parameters = exchange_item(ev, 1);
	if (which == 1) *ret = value_str(cmdlet);
	if (which == 2) *ret = value_str(parameters);
	if (which == 3) *ret = value_str(exchange_item(ev, 2));
	if (which) return;
	struct buf b = {0};
	buf_str(&b, ev->shape->event_id == 1 ? STR("Cmdlet suceeded. Cmdlet ") : STR("Cmdlet failed. Cmdlet "));
	buf_str(&b, cmdlet);
	buf_lit(&b, ", parameters ");
	buf_str(&b, parameters);
	buf_byte(&b, '.');
	struct str kept = arena_str(ev->arena, buf_view(&b));
	*ret = value_str(kept.p ? kept : (struct str){"", 0});
	buf_done(&b);
}

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader_cursor *c = (struct reader_cursor *)ev->impl;
	c->chunk.expanded = c->chunk.nodes = 0;
	if (column < SYS_COUNT) sys_value(c, (enum sys_field)column, ret);
	else if (column == ALIAS_TIME) sys_value(c, SYS_TIME, ret);
	else if (column - FIRST_LEAF < c->n_leaves) {
		const struct leaf *l = &c->leaves[column - FIRST_LEAF];
		if (l->slot < c->content.n_slots && c->content.slots[l->slot].type != EVTX_XML) slot_value(&c->content.slots[l->slot], &c->arena, &c->chunk.format, ret);
		else parts_value(&c->chunk, &c->content, l->parts, l->n_parts, ret);
	} else if (ev->shape->columns[column].hidden) {
		derived_value(derived_of(c->n_leaves, leaf_name, c), column - FIRST_LEAF - c->n_leaves, ev, ret);
	} else {
		exchange_value(ev, column - FIRST_LEAF - c->n_leaves, ret);
	}
}

static uint32_t contexts(const struct event *ev, struct range *ret, uint32_t max)
{
	const struct reader_cursor *c = ev->impl;
	uint64_t from = ev->records[0].offset, to = from + ev->records[0].length;
	uint32_t n = 0;
	for (uint32_t i = 0; i < c->chunk.n_contexts && n < max; i++) {
		uint64_t at = c->offset + c->chunk.contexts[i].offset;
		/* Definitions inside the record itself are cited with it. */
		if (at < from || at >= to) ret[n++] = (struct range){at, c->chunk.contexts[i].length, c->chunk.p + c->chunk.contexts[i].offset};
	}
	return n;
}

static void json(struct event *ev, struct buf *out)
{
	struct reader_cursor *c = (struct reader_cursor *)ev->impl;
	if (c->chunk.format.special) evtx_json(&c->chunk, &c->root, out);
	else evtx_json_fast(&c->chunk, &c->root, &c->content, out);
}

static void xml(struct event *ev, struct buf *out)
{
	struct reader_cursor *c = (struct reader_cursor *)ev->impl;
	evtx_xml(&c->chunk, &c->root, out);
}

static enum sift sift(struct event *ev, struct buf *room, struct str *ret)
{
	const struct reader_cursor *c = ev->impl;
	uint32_t at = 0;
	/* Columns that are put together of others. */
	if (ev->shape->n_columns != FIRST_LEAF + c->n_leaves && !ev->shape->columns[FIRST_LEAF + c->n_leaves].hidden) return SIFT_NONE;
	while ((at = instance_sift(&c->root, c->root.fragment->sys, NULL, at, SYS_COUNT, room)) < SYS_COUNT) direct_sift_cell(ev, at++, room);
	if (at == SIFT_NOT) return SIFT_NONE;
	for (at = 0; (at = instance_sift(&c->content, NULL, c->leaves, at, c->n_leaves, room)) < c->n_leaves; at++) direct_sift_cell(ev, FIRST_LEAF + at, room);
	if (at == SIFT_NOT) return SIFT_NONE;
	*ret = buf_view(room);
	return SIFT_TELLING;
}

static struct direct_view view_of(struct event *ev)
{
	struct reader_cursor *c = (struct reader_cursor *)ev->impl;
	return (struct direct_view){ev, &c->chunk, &c->root, &c->content, c->leaves, c->n_leaves};
}

static enum sift undecoded(struct event *ev, const struct column_set *set, struct buf *raw, struct buf *rest)
{
	const struct direct_view v = view_of(ev);
	return direct_undecoded(((const struct reader_cursor *)ev->impl)->direct, &v, set, raw, rest);
}

static bool fields(struct event *ev, struct buf *out)
{
	const struct direct_view v = view_of(ev);
	return direct_fields(((const struct reader_cursor *)ev->impl)->direct, &v, out);
}

/* What else stands in a cell is nobody's business until it is decoded. */
static void unread_cells(struct value *cells, uint32_t n)
{
#pragma GCC unroll 8
	for (uint32_t i = 0; i < n; i++) cells[i].kind = VALUE_UNREAD;
}

/* Of most events no cell is ever asked for. */
static void make_cells(struct event *ev)
{
	struct reader_cursor *c = (struct reader_cursor *)ev->impl;
	unread_cells(c->cells, ev->shape->n_columns);
	ev->cells = c->cells;
}

/* Sees to the room for the cells of an event of n columns, which are made at once where they are very many. False: there is none. */
static bool cells_for(struct reader_cursor *c, uint32_t n)
{
	enum { LATER = 4096 };
	c->event.cells = NULL;
	if (n <= c->cells_room) return true;
	if (n <= LATER) {
		free(c->cells);
		c->cells_room = n < 64 ? 64 : n;
		c->cells = xmalloc(c->cells_room * sizeof *c->cells);
		return true;
	}
	if (!(c->event.cells = arena_alloc(&c->arena, n * sizeof *c->event.cells))) return false;
	unread_cells(c->event.cells, n);
	return true;
}

static const struct event_ops ops = {decode, contexts, json, xml, sift, undecoded, fields, make_cells};

void evtx_json_by_walk(struct event *ev, struct buf *out)
{
	struct reader_cursor *c = (struct reader_cursor *)ev->impl;
	evtx_json(&c->chunk, &c->root, out);
}

/* The record as an event; *ret_why: what of it could not be read, NULL = nothing. False: a template is lost and it is not the `final`
 * try, or no event can be made at all. */
static bool make_event(struct reader_cursor *c, const struct record_place *place, bool final, const char **ret_why)
{
	const uint8_t *p = c->chunk.p + place->at;
	bool has;
	input_hash_some(c->r->in);
	c->chunk.sure = c->sure && !place->loose && !c->last_pass;
	c->chunk.nodes = 0;
	c->chunk.expanded = 0;
	c->chunk.n_contexts = 0;
	c->chunk.why = NULL;
	c->chunk.lost = false;
	c->bare = false;
	*ret_why = NULL;
	if (!binxml_instance(&c->chunk, place->at + EVTX_RECORD_HEAD, place->at + place->size - 4, 0, &c->root)) {
		if (c->chunk.lost && !final) return false;
		/* Nothing but the head of the record can be read: that much is an event still. */
		*ret_why = c->chunk.why ? c->chunk.why : "cannot be read";
		c->bare = true;
		c->root = (struct instance){.fragment = bare_fragment(&c->chunk, le64_at(p + 8), le64_at(p + 16))};
		if (!c->root.fragment) return false;
	}
	input_hash_some(c->r->in);
	if (!find_content(c)) {
		if (c->chunk.lost && !final) return false;
		*ret_why = c->chunk.why ? c->chunk.why : "content cannot be read";
		content_is_root(c);
		c->n_leaves = 0;
	}
	input_hash_some(c->r->in);
	const struct shape *shape = c->shapes ? shape_of(c) : NULL;
	input_hash_some(c->r->in);
	if (c->shapes && !(shape && cells_for(c, shape->n_columns))) {
		*ret_why = "out of the memory set aside for one block";
		return false;
	}
	c->record.offset = c->offset + place->at;
	c->record.length = place->size;
	c->record.bytes = p;
	input_hash_some(c->r->in);
	/* Member by member: a whole struct put together in narrow pieces and copied in wide ones makes the processor wait. */
	c->event.shape = shape;
	c->event.flags = place->carved || c->r->image ? EVENT_CARVED : c->recovered || c->last_pass ? EVENT_RECOVERED : 0;
	c->event.batch = c->batch;
	event_time(c, p, &c->event.time);
	const struct slot *id = sys_slot(c, SYS_RECORD_ID);
	if (id && id->type == EVTX_UINT64 && id->n == 8) {
		c->event.record_id = le64_at(id->p);
		return true;
	}
	c->event.record_id = sys_number(c, SYS_RECORD_ID, &has);
	if (!has) c->event.record_id = le64_at(p + 8);
	return true;
}

/* --- the contract --- */

static int sniff(struct str head, uint64_t size, struct str path)
{
	(void)size;
	(void)path;
	if (str_starts(head, (struct str){"ElfFile\0", 8})) return 100;
	if (str_starts(head, (struct str){"ElfChnk\0", 8})) return 90;
	if (head.n > EVTX_FILE_HEADER + 8 && !memcmp(head.p + EVTX_FILE_HEADER, "ElfChnk\0", 8)) return 90;
	/* Whatever stands in the header's place now: text, or the head of another file. */
	return seek_log_in(head) ? 88 : 0;
}

static void reader_free(struct reader *r)
{
	report_done(&r->report);
	vec_free(&r->deferred);
	vec_free(&r->known_at);
	vec_free(&r->candidates);
	vec_free(&r->spans.v);
	map_done(&r->known);
	free(r->live);
	free(r->carry);
	arena_done(&r->notes);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static struct reader *reader_open(struct input *in, const struct reader_options *options, struct fault *f)
{
	struct reader *r = xcalloc(1, sizeof *r);
	uint8_t head[EVTX_FILE_HEADER + EVTX_CHUNK_HEADER];
	r->in = in;
	r->options = options;
	pthread_mutex_init(&r->lock, NULL);
	arena_init(&r->notes, 4 << 20);
	r->report.arena = &r->notes;
	int64_t n = input_pread(in, head, 8, 0, f);
	bool no_header = n < 8 || memcmp(head, "ElfFile", 8);
	/* A file that does not begin with the file's header: chunks are looked for from the first byte on. */
	if (n >= 0 && no_header) {
		uint8_t second[8] = {0};
		bool chunk = n == 8 && !memcmp(head, "ElfChnk", 8);
		chunk = chunk || (input_pread(in, second, 8, EVTX_FILE_HEADER, NULL) == 8 && !memcmp(second, "ElfChnk", 8));
		r->image = options->carve && !chunk;
		return r;
	}
	/* A header of which bytes were lost ends where the first chunk begins. */
	uint32_t ends = EVTX_FILE_HEADER;
	if (n >= 0) n = input_pread(in, head, sizeof head, 0, f);
	if (n > EVTX_FILE_HEADER) ends = seek_chunk(head, 8, (uint32_t)n);
	if (ends > EVTX_FILE_HEADER) ends = EVTX_FILE_HEADER;
	if (n >= 0) n = input_next(in, head, ends, f);
	if (n < 0) {
		reader_free(r);
		return NULL;
	}
	if (n < EVTX_FILE_HEADER && ends == EVTX_FILE_HEADER) report_damage(&r->report, 0, (uint64_t)n, "file cut off in its header");
	else r->report.header += (uint64_t)n;
	if (ends < EVTX_FILE_HEADER) report_note(&r->report, 0, "the file header is %u bytes short", EVTX_FILE_HEADER - ends);
	if (n == EVTX_FILE_HEADER) {
		uint32_t flags = le32_at(head + 120);
		if (!(flags & 4) && crc32_of(0, head, 120) != le32_at(head + 124)) report_note(&r->report, 0, "wrong checksum of the file header");
		if (flags & 1) report_note(&r->report, 0, "the file was not closed properly (dirty)");
	}
	return r;
}

static struct reader_cursor *cursor_new(struct reader *r, struct shape_table *shapes)
{
	struct reader_cursor *c = xcalloc(1, sizeof *c);
	c->r = r;
	c->shapes = shapes;
	c->store = template_store_new();
	c->direct = direct_new();
	arena_init(&c->arena, ARENA_BUDGET);
	arena_init(&c->local_strings, 4 << 20);
	c->local.arena = &c->local_strings;
	c->block = xmalloc(BLOCK + EVTX_PAD);
	c->places = xmalloc(EVTX_PLACES_MAX * sizeof *c->places);
	c->event = (struct event){.arena = &c->arena, .ops = &ops, .impl = c, .records = &c->record, .n_records = 1, .has_record_id = true};
	c->chunk = (struct evtx_chunk){.p = c->block, .store = c->store, .arena = &c->arena};
	const struct reader_options *o = r->options;
	c->chunk.format.exact_times = o->exact_times;
	c->chunk.format.omit_absent = o->omit_absent;
	c->chunk.format.whole_text = o->whole_text;
	c->chunk.format.lone_surrogates = o->lone_surrogates;
	c->chunk.format.special = o->exact_times || o->omit_absent || o->whole_text || o->lone_surrogates;
	pthread_mutex_lock(&r->lock);
	r->running++;
	pthread_mutex_unlock(&r->lock);
	return c;
}

/* Where a block that begins with a chunk ends. Behind a whole chunk comes the next one, or zeros. Otherwise the next one may stand in it, for bytes of it were lost; or
 * further on, for something was put in. */
static uint32_t block_end(struct reader *r, const uint8_t *block, uint32_t n)
{
	uint8_t head[8], *ahead;
	if (n < EVTX_CHUNK || input_pread(r->in, head, sizeof head, r->in->at, NULL) != sizeof head || !memcmp(head, "ElfChnk", 8) || all_zero(head, sizeof head)) return n;
	uint8_t edge[EVTX_CHUNK_HEADER];
	uint32_t half = sizeof edge / 2, within = seek_chunk(block, EVTX_CHUNK_HEADER, n);
	if (within < n) return within;
	int64_t some = input_pread(r->in, edge, sizeof edge, r->in->at - half, NULL); /* its head may lie on both sides of the end */
	if (some > half && (within = seek_chunk(edge, 0, (uint32_t)some)) < half) return n - half + within;
	ahead = xmalloc(EVTX_CHUNK);
	int64_t got = input_pread(r->in, ahead, EVTX_CHUNK, r->in->at, NULL);
	const uint8_t *chunk = got > 0 ? memmem(ahead, (size_t)got, "ElfChnk\0", 8) : NULL;
	if (chunk) n += (uint32_t)(chunk - ahead);
	free(ahead);
	return n;
}

/* Where a chunk begins of which the end of the block tears the first eight bytes; n: there is none. */
static uint32_t torn_chunk(struct reader *r, const uint8_t *p, uint32_t n)
{
	static const char magic[8] = "ElfChnk";
	uint8_t rest[sizeof magic];
	for (uint32_t k = sizeof magic - 1; k; k--) {
		size_t more = sizeof magic - k;
		if (n <= k || memcmp(p + n - k, magic, k)) continue;
		if (input_pread(r->in, rest, more, r->in->at, NULL) == (int64_t)more && !memcmp(rest, magic + k, more)) return n - k;
	}
	return n;
}

/* The next block, under the lock: a chunk of 64 KiB, with what moved its end. A block that does not begin with a chunk ends where one
 * begins in it; the rest is carried over, so that chunks which were moved are read as chunks. */
static int64_t take_block(struct reader *r, uint8_t *block, uint64_t *ret_offset, struct fault *f)
{
	uint32_t have = r->carry_n;
	if (have) {
		input_settle(r->in);
		memcpy(block, r->carry, have);
	}
	r->carry_n = 0;
	*ret_offset = r->in->at - have;
	int64_t got = input_next_kept(r->in, block + have, EVTX_CHUNK - have, f);
	if (got < 0) return -1;
	uint32_t n = have + (uint32_t)got;
	if (n < 16) return n;
	bool whole = !memcmp(block, "ElfChnk", 8);
	uint32_t end = whole ? block_end(r, block, n) : n;
	if (whole && end >= n) {
		got = end > n ? input_next_kept(r->in, block + n, end - n, f) : 0;
		return got < 0 ? -1 : n + got;
	}
	if (all_zero(block, n)) return n; /* set aside for later: the rule in most logs */
	if (!whole) {
		const uint8_t *chunk = memmem(block + 1, n - 1, "ElfChnk\0", 8);
		if (chunk) end = (uint32_t)(chunk - block);
		else if (n == EVTX_CHUNK && (end = torn_chunk(r, block, n)) == n) end = seek_torn(block, n);
	}
	if (end == n) return n;
	if (!r->carry) r->carry = xmalloc(EVTX_CHUNK);
	r->carry_n = n - end;
	memcpy(r->carry, block + end, r->carry_n);
	input_settle(r->in);
	memset(block + end, 0, n - end);
	return end;
}

/* Under the lock: takes a chunk that stands where it should and ends where the next begins, without reading it: that may then be
 * done beside other threads. False when it must be looked at in turn, or when the bytes are hashed as they pass. */
static bool claim(struct reader *r, uint64_t *ret_offset, bool *ret_overlaps)
{
	struct input *in = r->in;
	uint8_t *head = r->peeked_head, next[SPAN_HEAD];
	if (!in->unhashed || in->tap || r->carry_n || r->failed || in->size < in->at + EVTX_CHUNK) return false;
	if ((!r->peeked || r->peeked != in->at) && (input_pread(in, head, SPAN_HEAD, in->at, NULL) != SPAN_HEAD || memcmp(head, "ElfChnk", 8))) return false;
	r->peeked = 0;
	struct span span = {in->at, 0, 0, EVTX_CHUNK};
	if (!span_in_head(head, &span)) return false;
	if (input_pread(in, next, sizeof next, in->at + EVTX_CHUNK, NULL) == sizeof next) {
		if (!memcmp(next, "ElfChnk", 8)) r->peeked = in->at + EVTX_CHUNK;
		else if (!all_zero(next, 8)) return false;
	}
	memcpy(head, next, sizeof next);
	*ret_overlaps = spans_add(&r->spans, span);
	*ret_offset = in->at;
	in->at += EVTX_CHUNK;
	return true;
}

static bool load_block(struct reader *r, uint64_t offset, uint8_t *block, struct evtx_chunk *chunk)
{
	int64_t n = input_pread(r->in, block, BLOCK, offset, NULL);
	if (n <= 0) return false;
	memset(block + n, 0, BLOCK + EVTX_PAD - (size_t)n);
	chunk->p = block;
	chunk->n = (uint32_t)n;
	chunk->offset = offset;
	chunk->sure = false;
	chunk_forget(chunk);
	return true;
}

/* Leaves out records that stand elsewhere in the file already. Only where something hints at them: ids that another block has, or others than the chunk's header
 * names, or no header. */
static void drop_copies(struct reader_cursor *c, bool overlaps)
{
	struct reader *r = c->r;
	const uint8_t *p = c->chunk.p;
	struct span all = {c->offset, UINT64_MAX, 0, c->chunk.n}, named = all, others[SPANS_LOOKED_AT];
	if (!c->n_places) return;
	bool ordinary = !overlaps && !c->recovered && span_in_head(p, &named);
	if (ordinary && le64_at(p + c->places[0].at + 8) == named.low && le64_at(p + c->places[c->n_places - 1].at + 8) == named.high) return;
	for (uint32_t i = 0; i < c->n_places; i++) {
		uint64_t id = le64_at(p + c->places[i].at + 8);
		if (id < all.low) all.low = id;
		if (id > all.high) all.high = id;
	}
	pthread_mutex_lock(&r->lock);
	uint32_t n = spans_before(&r->spans, all, others), kept = 0;
	pthread_mutex_unlock(&r->lock);
	if (!n && ordinary) return;
	struct copies *copies = copies_new(p, c->places, c->n_places);
	if (!c->other_block) c->other_block = xcalloc(1, BLOCK + EVTX_PAD);
	for (uint32_t i = 0; i < n; i++)
		if (load_block(r, others[i].offset, c->other_block, &c->other)) copies_compare(copies, c->other.p, others[i].n < c->other.n ? others[i].n : c->other.n);
	for (uint32_t i = 0; i < c->n_places; i++) {
		if (!copies_has(copies, i)) {
			c->places[kept++] = c->places[i];
			continue;
		}
		c->local.slack += c->places[i].size;
		if (!c->n_copies++ || c->offset + c->places[i].at < c->first_copy) c->first_copy = c->offset + c->places[i].at;
	}
	c->n_places = kept;
	free(copies);
}

/* Takes the next block of the file. False at the end. */
static bool next_chunk(struct reader_cursor *c)
{
	struct reader *r = c->r;
	struct fault f = FAULT_INIT;
	pthread_mutex_lock(&r->lock);
	bool overlaps = false, claimed = claim(r, &c->offset, &overlaps);
	int64_t n = claimed || r->failed ? 0 : take_block(r, c->block, &c->offset, &f);
	if (n >= EVTX_RECORD_MIN && !all_zero(c->block, (size_t)n)) overlaps = spans_add(&r->spans, span_of(c->block, (uint32_t)n, c->offset));
	c->batch = r->next_batch++;
	if (claimed) {
		pthread_mutex_unlock(&r->lock);
		n = input_pread(r->in, c->block, EVTX_CHUNK, c->offset, &f);
		if (n < 0) pthread_mutex_lock(&r->lock);
	}
	if (n < 0) {
		/* This chunk, and whatever no cursor has taken yet. */
		if (claimed) report_damage(&r->report, c->offset, EVTX_CHUNK, "read error");
		if (!r->failed) report_damage(&r->report, claimed ? r->in->at : c->offset, r->in->size - (claimed ? r->in->at : c->offset), "read error");
		r->failed = true;
	}
	if (!claimed || n < 0) pthread_mutex_unlock(&r->lock);
	c->chunk.n = n > 0 ? (uint32_t)n : 0;
	c->chunk.offset = c->offset;
	chunk_forget(&c->chunk);
	if (n > 0) {
		walk_chunk(c);
		drop_copies(c, overlaps);
	}
	return n > 0;
}

/* --- recovery: what had to wait for the whole file --- */

static uint64_t live_key(const uint8_t *record)
{
	uint64_t key = (le64_at(record + 8) * 0x9e3779b97f4a7c15u) ^ (le64_at(record + 16) * 0xc2b2ae3d27d4eb4fu);
	return key ? key : 1;
}

/* The slot of a key, or the free one where it belongs. */
static uint32_t live_slot(const struct reader *r, uint64_t key)
{
	uint32_t at = (uint32_t)(key >> 40) & (LIVE_SLOTS - 1);
	while (r->live[at] && r->live[at] != key) at = (at + 1) & (LIVE_SLOTS - 1);
	return at;
}

/* Notes a record as seen; false when it was before. Under the lock. */
static bool live_add(struct reader *r, uint64_t key)
{
	if (!r->live) r->live = xcalloc(LIVE_SLOTS, sizeof *r->live);
	uint32_t at = live_slot(r, key);
	if (r->live[at]) return false;
	if (r->n_live >= LIVE_SLOTS / 4 * 3) {
		r->live_overflow++;
		return true;
	}
	r->live[at] = key;
	r->n_live++;
	return true;
}

/* Templates that this cursor read for the first time are known to all: of places whose checksums hold, or if there is none of all, the first in the file
 * counts. */
static void publish_templates(struct reader_cursor *c)
{
	struct reader *r = c->r;
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < c->chunk.fresh.n; i++) {
		struct str id = {(const char *)&c->chunk.fresh.v[i].id, sizeof c->chunk.fresh.v[i].id};
		bool fresh;
		uint32_t *place = map_put(&r->known, id, (uint32_t)r->known_at.n, &fresh), at = *place;
		if (at == UINT32_MAX) { /* it was looked for before, in vain */
			*place = (uint32_t)r->known_at.n;
			fresh = true;
		}
		const struct fresh_template *t = &c->chunk.fresh.v[i];
		struct known_template k = {t->chunk, t->def, t->id, t->shift, t->sure};
		if (fresh) vec_push(&r->known_at, k);
		else if (k.sure != r->known_at.v[at].sure ? k.sure : k.chunk < r->known_at.v[at].chunk) r->known_at.v[at] = k;
	}
	pthread_mutex_unlock(&r->lock);
	c->chunk.fresh.n = 0;
}

/* Puts a record aside for the last pass; false when there is no room or it is the last pass. */
static bool defer(struct reader_cursor *c, const struct record_place *place)
{
	struct reader *r = c->r;
	if (c->last_pass) return false;
	pthread_mutex_lock(&r->lock);
	bool room = r->deferred.n < DEFERRED_MAX;
	if (room) vec_push(&r->deferred, (struct deferred){c->offset, place->at, place->size, place->carved});
	pthread_mutex_unlock(&r->lock);
	return room;
}

static int by_place(const void *a, const void *b)
{
	const struct deferred *x = a, *y = b;
	if (x->chunk != y->chunk) return x->chunk < y->chunk ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

/* Whatever looks like a template's definition, in records that could not be read or are stale: offsets in it count from the chunk's beginning. */
static void search_file(struct reader_cursor *c)
{
	struct reader *r = c->r;
	r->searched = true;
	for (uint64_t base = r->in->size % EVTX_CHUNK % EVTX_FILE_HEADER || r->in->size < EVTX_FILE_HEADER ? 0 : EVTX_FILE_HEADER; base < r->in->size;) {
		if (!load_block(r, base, c->other_block, &c->other)) return;
		const uint8_t *p = c->other.p;
		uint32_t n = c->other.n < EVTX_CHUNK ? c->other.n : EVTX_CHUNK;
		const uint8_t *chunk = n > 16 ? memmem(p + 1, n - 1, "ElfChnk\0", 8) : NULL;
		uint32_t end = chunk ? (uint32_t)(chunk - p) : n;
		for (uint32_t at = 0; (at = seek_definition(p, c->other.n, at)) < end; at++)
			if (r->candidates.n < CANDIDATES_MAX) vec_push(&r->candidates, (struct known_template){base, at, le32_at(p + at + 4), 0, false});
		base += end;
	}
}

static struct fragment *template_at(struct reader_cursor *c, const struct known_template *k)
{
	if (c->other.p && c->other.offset == k->chunk ? false : !load_block(c->r, k->chunk, c->other_block, &c->other)) return NULL;
	c->other.store = c->store;
	c->other.arena = &c->arena;
	c->other.nodes = c->other.n_contexts = 0;
	c->other.shift = k->shift;
	return binxml_template(&c->other, k->def, k->id);
}

/* struct evtx_chunk.find_template: from the first place in the file where the id was met. */
static struct fragment *find_template(void *arg, uint32_t id)
{
	struct reader_cursor *c = arg;
	struct reader *r = c->r;
	struct str key = {(const char *)&id, sizeof id};
	uint32_t *at = map_get(&r->known, key);
	struct fragment *f = NULL;
	if (!c->other_block) c->other_block = xcalloc(1, BLOCK + EVTX_PAD);
	if (at && *at == UINT32_MAX) return NULL;
	if (at && (f = template_at(c, &r->known_at.v[*at]))) return f;
	if (!r->searched) search_file(c);
	for (size_t i = 0, tries = 0; !f && tries < 64 && i < r->candidates.n; i++) {
		if (r->candidates.v[i].id != id || !++tries || !(f = template_at(c, &r->candidates.v[i]))) continue;
		*map_put(&r->known, key, 0, NULL) = (uint32_t)r->known_at.n;
		vec_push(&r->known_at, r->candidates.v[i]);
	}
	if (!f) *map_put(&r->known, key, 0, NULL) = UINT32_MAX; /* nowhere */
	return f;
}

static struct fragment *no_template(void *arg, uint32_t id)
{
	(void)arg;
	(void)id;
	return NULL;
}

/* When this is the last cursor that runs, it takes over what waits. */
static bool begin_last_pass(struct reader_cursor *c)
{
	struct reader *r = c->r;
	pthread_mutex_lock(&r->lock);
	if (!c->ended) r->running--;
	c->ended = true;
	bool mine = r->running == 0 && r->deferred.n;
	if (mine) {
		memcpy(&c->deferred, &r->deferred, sizeof c->deferred);
		memset(&r->deferred, 0, sizeof r->deferred);
	}
	pthread_mutex_unlock(&r->lock);
	if (!mine) return false;
	input_settle(r->in);
	qsort(c->deferred.v, c->deferred.n, sizeof *c->deferred.v, by_place);
	c->last_pass = true;
	c->chunk.find_template = find_template;
	c->chunk.find_arg = c;
	return true;
}

/* The next record that waited becomes the cursor's only place. False at the end. */
static bool next_deferred(struct reader_cursor *c)
{
	while (c->next_deferred < c->deferred.n) {
		const struct deferred *d = &c->deferred.v[c->next_deferred++];
		bool same = c->chunk.offset == d->chunk && c->chunk.n && c->next_deferred > 1 && c->deferred.v[c->next_deferred - 2].chunk == d->chunk;
		if (!same && !load_block(c->r, d->chunk, c->block, &c->chunk)) {
			report_damage(&c->local, d->chunk + d->at, d->size, "read error");
			continue;
		}
		if (d->at + d->size > c->chunk.n) {
			report_damage(&c->local, d->chunk + d->at, d->size, "the file changed while it was read");
			continue;
		}
		c->offset = d->chunk;
		c->batch = 1ull << 62;
		if (d->carved) {
			pthread_mutex_lock(&c->r->lock);
			bool fresh = live_add(c->r, live_key(c->chunk.p + d->at));
			pthread_mutex_unlock(&c->r->lock);
			if (!fresh) {
				c->local.slack += d->size; /* a copy of a record that is live, or was carved already */
				continue;
			}
		}
		c->places[0] = (struct record_place){d->at, d->size, d->carved, false};
		c->n_places = 1;
		c->next_place = 0;
		return true;
	}
	return false;
}

/* --- holes in the record ids that the log itself gives --- */

static uint64_t id_at(const struct reader_cursor *c, const struct record_place *p) { return le64_at(c->chunk.p + p->at + 8); }

static bool follows(const struct record_place *a, const struct record_place *b)
{
	return !a->carved && !b->carved && a->at + a->size == b->at;
}

/* Ids on both sides of a jump that go on one by one: then it is no id that was damaged. */
static bool steady(const struct reader_cursor *c, const struct record_place *place)
{
	const struct record_place *first = c->places, *end = c->places + c->n_places;
	if (place - 1 > first && follows(place - 2, place - 1) && id_at(c, place - 1) != id_at(c, place - 2) + 1) return false;
	return place + 1 == end || !follows(place, place + 1) || id_at(c, place + 1) == id_at(c, place) + 1;
}

/* The last record of the chunk before, when that chunk's header, its last record and its free space agree on which that is. */
static bool last_of_chunk_before(const struct reader_cursor *c, struct record_ref *ret, uint64_t *ret_id)
{
	uint8_t head[56], tail[4 + EVTX_RECORD_HEAD] = {0}, record[EVTX_RECORD_HEAD];
	struct input *in = c->r->in;
	if (c->offset < EVTX_FILE_HEADER + EVTX_CHUNK) return false;
	uint64_t chunk = c->offset - EVTX_CHUNK;
	if (input_pread(in, head, sizeof head, chunk, NULL) != sizeof head || memcmp(head, "ElfChnk", 8)) return false;
	uint32_t last = le32_at(head + 44), free = le32_at(head + 48);
	if (free > EVTX_CHUNK || last < EVTX_CHUNK_HEADER || last + EVTX_RECORD_MIN > free) return false;
	if (input_pread(in, tail, sizeof tail, chunk + free - 4, NULL) < 4 || input_pread(in, record, sizeof record, chunk + last, NULL) != sizeof record) return false;
	*ret_id = le64_at(record + 8);
	bool agree = le32_at(record) == 0x2a2a && le32_at(record + 4) == free - last && le32_at(tail) == free - last && le64_at(head + 32) == *ret_id;
	/* In a log that was not closed, newer records may follow. */
	if (free < EVTX_CHUNK && le32_at(tail + 4) == 0x2a2a && le64_at(tail + 12) == *ret_id + 1) return false;
	ret->offset = chunk + last;
	ret->length = free - last;
	ret->line = 0;
	ret->bytes = NULL;
	return agree;
}

/* Keeps what last_of_chunk_before would find in the chunk at hand, for the next one. */
static void keep_tail(struct reader_cursor *c)
{
	const uint8_t *p = c->chunk.p;
	const struct record_place *last = c->n_places ? &c->places[c->n_places - 1] : NULL;
	while (last && last > c->places && last->carved) last--;
	c->tail.chunk = 0;
	if (!last || last->carved || !c->sure || c->last_pass || last->at + last->size != le32_at(p + 48) || le32_at(p + 44) != last->at || le64_at(p + 32) != id_at(c, last)) return;
	c->tail.chunk = c->offset;
	c->tail.id = id_at(c, last);
	c->tail.record.offset = c->offset + last->at;
	c->tail.record.length = last->size;
}

/* What stands side by side in a chunk: gaps in the ids of events and times that go back are common in honest logs, and told as notes. */
static void compare_with_before(struct reader_cursor *c, const struct record_place *place)
{
	const struct event *ev = &c->event;
	uint64_t at = c->offset + place->at;
	if (place->carved || c->last_pass) return;
	if (place > c->places && c->has_before) {
		if (ev->record_id > c->before_id + 1 && ++c->gaps && (c->first_gap == 0 || at < c->first_gap)) c->first_gap = at;
		if (ev->time.present && c->before_time.present && etime_cmp(ev->time, c->before_time) < 0 && ++c->back && (c->first_back == 0 || at < c->first_back)) c->first_back = at;
	}
	c->has_before = true;
	c->before_id = ev->record_id;
	c->before_time.sec = ev->time.sec;
	c->before_time.nsec = ev->time.nsec;
	c->before_time.present = ev->time.present;
}

/* Whether ids are missing right before the record at a place, where no damage explains it. A jump back is none: logs turn over. */
static const struct event_hole *hole_before(struct reader_cursor *c, const struct record_place *place)
{
	uint64_t id = id_at(c, place), before;
	if (place->carved || c->last_pass) return NULL;
	if (place > c->places) {
		if (!follows(place - 1, place)) return NULL;
		before = id_at(c, place - 1);
		if (id <= before || id == before + 1) return NULL;
		if (!c->sure && !steady(c, place)) return NULL;
		c->hole.before.offset = c->offset + place[-1].at;
		c->hole.before.length = place[-1].size;
		c->hole.before.bytes = c->chunk.p + place[-1].at;
	} else {
		if (place->at != EVTX_CHUNK_HEADER || !c->sure) return NULL;
		if (c->tail.chunk && c->tail.chunk + EVTX_CHUNK == c->offset) {
			before = c->tail.id;
			c->hole.before = c->tail.record;
		} else if (!last_of_chunk_before(c, &c->hole.before, &before)) {
			return NULL;
		}
		if (id <= before || id == before + 1) return NULL;
	}
	c->hole.first = before + 1;
	c->hole.last = id - 1;
	return &c->hole;
}

/* The record at a place as an event; NULL: it was put aside, or is none. */
static struct event *take_place(struct reader_cursor *c, const struct record_place *place)
{
	if (c->arena.used > ARENA_WARM) arena_reset(&c->arena); /* no event lives any more; memory that is still in the cache is used again */
	if (place->carved && !c->last_pass) {
		if (!defer(c, place)) c->local.slack += place->size;
		return NULL;
	}
	if (c->r->options->carve && !place->carved && !c->last_pass) {
		pthread_mutex_lock(&c->r->lock);
		live_add(c->r, live_key(c->chunk.p + place->at));
		pthread_mutex_unlock(&c->r->lock);
	}
	const char *why;
	bool ok = make_event(c, place, c->last_pass, &why);
	if (c->chunk.fresh.n) publish_templates(c);
	if (!ok && c->chunk.lost && !c->last_pass) {
		if (defer(c, place)) return NULL;
		c->chunk.find_template = no_template; /* no room to wait: by the usual layout, at once */
		ok = make_event(c, place, true, &why);
		c->chunk.find_template = NULL;
	}
	/* Outside a log's own records a head alone is none: any bytes may look like one. */
	if ((place->carved || c->r->image) && (!ok || c->bare)) {
		c->local.slack += place->size;
		return NULL;
	}
	count_record(c, place, ok ? why : why ? why : "cannot be read");
	if (ok && why) c->event.flags |= EVENT_LIMITED;
	if (ok && c->shapes) {
		c->event.hole = hole_before(c, place);
		compare_with_before(c, place);
	}
	input_hash_some(c->r->in);
	c->local.n_events += ok;
	return ok ? &c->event : NULL;
}

/* The places of the next block, or of the next record that waited. False at the end. */
static bool next_places(struct reader_cursor *c)
{
	for (;;) {
		arena_reset(&c->arena);
		if (c->shapes) keep_tail(c);
		c->has_before = false;
		if (c->last_pass ? next_deferred(c) : next_chunk(c)) return true;
		if (c->last_pass || !begin_last_pass(c)) return false;
		c->n_places = c->next_place = 0;
	}
}

static struct event *cursor_next(struct reader_cursor *c)
{
	do {
		while (c->next_place < c->n_places) {
			struct event *ev = take_place(c, &c->places[c->next_place++]);
			if (ev) return ev;
		}
	} while (next_places(c));
	return NULL;
}

/* One record as a line, by the lane where it can. */
static void line_of_place(struct reader_cursor *c, const struct record_place *place, struct buf *out)
{
	const struct reader_options *o = c->r->options;
	bool ordinary = o->carve || c->r->image || c->last_pass || c->recovered || c->chunk.format.special;
	enum lane_answer answer = ordinary ? LANE_IRREGULAR : lane_write(&c->chunk, place->at, place->size, o, out);
	if (answer == LANE_WRITTEN || answer == LANE_LEFT_OUT) {
		count_record(c, place, NULL);
		c->local.n_events++;
		return;
	}
	struct event *ev = take_place(c, place);
	if (!ev) return;
	if (answer == LANE_UNKNOWN && !(ev->flags & EVENT_LIMITED)) lane_learn(&c->chunk, &c->root, &c->content);
	if (!event_wanted(ev, o)) return;
	json(ev, out);
	event_mark_json(ev, out);
	buf_byte(out, '\n');
}

static bool cursor_lines(struct reader_cursor *c, struct buf *out, uint64_t *ret_batch)
{
	if (!next_places(c)) return false;
	*ret_batch = c->batch;
	while (c->next_place < c->n_places) line_of_place(c, &c->places[c->next_place++], out);
	if (c->chunk.fresh.n) publish_templates(c);
	return true;
}

static void cursor_free(struct reader_cursor *c)
{
	if (c->first_written) {
		c->local.first = etime_from_filetime(c->first_written);
		c->local.last = etime_from_filetime(c->last_written);
	}
	input_settle(c->r->in);
	pthread_mutex_lock(&c->r->lock);
	report_join(&c->r->report, &c->local);
	c->r->gaps += c->gaps;
	if (c->n_copies && (!c->r->n_copies || c->first_copy < c->r->first_copy)) c->r->first_copy = c->first_copy;
	c->r->n_copies += c->n_copies;
	c->r->back += c->back;
	if (c->gaps && (!c->r->first_gap || c->first_gap < c->r->first_gap)) c->r->first_gap = c->first_gap;
	if (c->back && (!c->r->first_back || c->first_back < c->r->first_back)) c->r->first_back = c->first_back;
	if (!c->ended) c->r->running--; /* left before the end */
	pthread_mutex_unlock(&c->r->lock);
	report_done(&c->local);
	arena_done(&c->local_strings);
	vec_free(&c->deferred);
	vec_free(&c->chunk.fresh);
	vec_free(&c->other.fresh);
	direct_free(c->direct);
	free(c->other_block);
	template_store_free(c->store);
	arena_done(&c->arena);
	free(c->block);
	free(c->places);
	free(c->cells);
	free(c);
}

static void finish(struct reader *r, struct source_report *ret)
{
	struct arena *arena = ret->arena;
	if (r->live_overflow) report_note(&r->report, 0, "%llu stale records could not be compared with the live ones: some may be copies", (unsigned long long)r->live_overflow);
	report_note_odd(&r->report);
	if (r->n_copies) report_note(&r->report, r->first_copy, "%llu records stand in the file already, byte for byte: told once, the first copy is here", (unsigned long long)r->n_copies);
	if (r->gaps) report_note(&r->report, r->first_gap, "%llu gaps in the record ids of neighbouring events, the first here", (unsigned long long)r->gaps);
	if (r->back) report_note(&r->report, r->first_back, "%llu events are earlier than the one before them, the first here", (unsigned long long)r->back);
	/* Notes move to the caller's arena. */
	for (size_t i = 0; i < r->report.notes.n; i++) {
		struct str kept = arena_str(arena, r->report.notes.v[i].text);
		r->report.notes.v[i].text = kept.p ? kept : STR("");
	}
	*ret = r->report;
	ret->arena = arena;
	ret->parameters = STR("format=evtx");
	r->report = (struct source_report){.arena = &r->notes};
}

const struct reader_ops evtx_reader_ops = {
	.format = "evtx", .what = "Windows event log (EVTX)", .mark = "file header ElfFile, chunks ElfChnk", .max_cursors = 64, .sniff = sniff, .open = reader_open, .cursor_new = cursor_new,
	.next = cursor_next, .next_lines = cursor_lines, .cursor_free = cursor_free, .finish = finish, .free = reader_free,
};
