/* record.c: one record as an event: its System fields, its shape, its columns. See evtx.h. */
#include "evtx/reader_internal.h"

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
	return kept ? kept : shape_alone(spec);
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
	c->chunk.shift = c->chunk.shift_shown;
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
	c->chunk.shift = c->chunk.shift_shown;
	if (c->chunk.format.special) evtx_json(&c->chunk, &c->root, out);
	else evtx_json_fast(&c->chunk, &c->root, &c->content, out);
}

static void xml(struct event *ev, struct buf *out)
{
	struct reader_cursor *c = (struct reader_cursor *)ev->impl;
	c->chunk.shift = c->chunk.shift_shown;
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

const struct event_ops record_ops = {decode, contexts, json, xml, sift, undecoded, fields, make_cells};

void evtx_json_by_walk(struct event *ev, struct buf *out)
{
	struct reader_cursor *c = (struct reader_cursor *)ev->impl;
	c->chunk.shift = c->chunk.shift_shown;
	evtx_json(&c->chunk, &c->root, out);
}

/* As record_event. */
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
	c->chunk.shift_shown = c->chunk.shift;
	if (!find_content(c)) {
		if (c->chunk.lost && !final) return false;
		*ret_why = c->chunk.why ? c->chunk.why : "content cannot be read";
		content_is_root(c);
		c->n_leaves = 0;
	}
	c->chunk.shift_kept = c->chunk.shift;
	c->chunk.showing = true;
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

bool record_event(struct reader_cursor *c, const struct record_place *place, bool final, const char **ret_why)
{
	c->chunk.shift = c->chunk.shift_kept;
	c->chunk.showing = false;
	return make_event(c, place, final, ret_why);
}
