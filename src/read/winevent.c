/* winevent.c: see winevent_internal.h. */
#include "read/winevent_internal.h"
#include "read/json_internal.h"
#include "text/utf.h"

static const char *const sys_names[WIN_SYS] = {
	"Provider_Name", "Provider_Guid", "Provider_EventSourceName", "EventID", "EventID_Qualifiers", "Version", "Level", "Task", "Opcode",
	"Keywords",
	"TimeCreated_SystemTime", "EventRecordID", "Correlation_ActivityID", "Correlation_RelatedActivityID", "Execution_ProcessID",
	"Execution_ThreadID",
	"Channel", "Computer", "Security_UserID", "Message"};
enum { ALIAS_PROVIDER = WIN_SYS, ALIAS_TIME, FIRST_FIELD };

void win_add(struct win_event *e, struct str name, struct str value)
{
	if (e->n == WIN_FIELDS_MAX) e->limited = true;
	else e->fields[e->n++] = (struct win_field){name, value};
}

void win_add_message(struct win_event *e, struct str message)
{
	while (message.p) {
		struct str line = str_cut(&message, '\n');
		size_t colon = str_find_byte(line, ':', 0);
		if (colon == SIZE_MAX || colon == 0 || colon > 64) continue;
		bool word = true;
		for (size_t i = 0; i < colon; i++) word &= (line.p[i] | 32) >= 'a' && (line.p[i] | 32) <= 'z';
		if (word) win_add(e, str_sub(line, 0, colon), str_trim(str_sub(line, colon + 1, line.n)));
	}
}

void win_add_exchange(struct win_event *e, struct arena *a)
{
	struct str data[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
	uint32_t n = 0;
	if (!str_eq(e->sys[WIN_CHANNEL].p ? e->sys[WIN_CHANNEL] : STR(""), STR("MSExchange Management"))) return;
	for (uint32_t i = 0; i < e->n && n < COUNT(data); i++)
		if (!e->fields[i].name.n) data[n++] = e->fields[i].value;
	if (n < 2 && e->sys[WIN_MESSAGE].n) {
		data[0] = json_exchange_part(e->sys[WIN_MESSAGE], false);
		data[1] = json_exchange_part(e->sys[WIN_MESSAGE], true);
		n = data[0].n ? 2 : 0;
	}
	static const char *const names[COUNT(data)] = {"Cmdlet", "Parameters", "Caller"};
	for (uint32_t i = 0; i < n; i++) win_add(e, str_of(names[i]), data[i]);
	if (n < 2 || e->sys[WIN_MESSAGE].p) return;
	struct buf b = {0};
	buf_str(&b, str_eq(e->sys[WIN_EVENT_ID].p ? e->sys[WIN_EVENT_ID] : STR(""), STR("1")) ? STR("Cmdlet suceeded. Cmdlet ") : STR("Cmdlet failed. Cmdlet "));
	buf_str(&b, data[0]);
	buf_lit(&b, ", parameters ");
	buf_str(&b, data[1]);
	buf_byte(&b, '.');
	e->sys[WIN_MESSAGE] = arena_str(a, buf_view(&b));
	buf_done(&b);
}

void win_add_payload(struct win_event *e, struct json_tape *t, struct str text, struct arena *a)
{
	if (!text.n || text.p[0] != '{' || !json_read_all(t, text, NULL)) return;
	uint32_t before = e->n;
	for (uint32_t i = 1; i < t->n; i++) {
		if (t->v[i].type != JSON_OBJECT) continue;
		const struct json_token *name = json_get(t, text, i, STR("@Name")), *value = json_get(t, text, i, STR("#text"));
		if (!name || !value || value->type == JSON_OBJECT || value->type == JSON_ARRAY) continue;
		win_add(e, json_decode(a, text, name), json_decode(a, text, value));
	}
	/* UserData, and Data without names: every plain member by its key. */
	bool named = e->n > before;
	for (uint32_t i = 1; !named && i + 1 < t->n; i++) {
		const struct json_token *value = &t->v[i + 1];
		if (t->v[i].type != JSON_KEY || value->type == JSON_OBJECT || value->type == JSON_ARRAY) continue;
		struct str key = json_decode(a, text, &t->v[i]);
		if (key.p && key.n && key.p[0] != '@') win_add(e, key, json_decode(a, text, value));
	}
}

static bool has_field(const struct win_event *e, struct str name)
{
	for (uint32_t i = 0; i < e->n; i++)
		if (str_eq(e->fields[i].name, name)) return true;
	return false;
}

void win_add_short(struct win_event *e, const struct taxonomy *t, struct str name, struct str value)
{
	bool number;
	struct str none = {"", 0}, field = taxonomy_short(t, e->sys[WIN_CHANNEL].p ? e->sys[WIN_CHANNEL] : none, e->sys[WIN_EVENT_ID].p ? e->sys[WIN_EVENT_ID] : none, name, &number);
	size_t dash = number ? str_find(value, STR(" - "), 0) : SIZE_MAX;
	if (field.n ? has_field(e, field) : has_field(e, name)) return;
	win_add(e, field.n ? field : name, dash == SIZE_MAX ? value : str_sub(value, 0, dash));
}

void win_add_splunk(struct win_event *e, const struct taxonomy *t, struct str name, struct str value)
{
	bool number;
	struct str none = {"", 0}, field = taxonomy_short(t, e->sys[WIN_CHANNEL].p ? e->sys[WIN_CHANNEL] : none, e->sys[WIN_EVENT_ID].p ? e->sys[WIN_EVENT_ID] : none, name, &number);
	size_t first = field.n ? str_find_byte(value, '\n', 0) : SIZE_MAX, last = value.n;
	while (last > 0 && value.p[last - 1] != '\n') last--;
	if (first != SIZE_MAX) value = str_trim(str_starts(field, STR("Target")) ? str_sub(value, last, value.n) : str_sub(value, 0, first));
	win_add_short(e, t, name, value);
}

void win_add_listed(struct win_event *e, const struct taxonomy *t, struct str list, bool short_names)
{
	bool any = false;
	struct str whole = list;
	while (list.p) {
		size_t end = str_find(list, STR(" \xc2\xa6 "), 0);
		struct str part = str_sub(list, 0, end), name = str_cut(&part, ':');
		bool named = part.p && name.n && str_find_byte(name, ' ', 0) == SIZE_MAX;
		any |= named;
		if (named && short_names) win_add_short(e, t, name, str_trim(part));
		else if (named && !has_field(e, name)) win_add(e, name, str_trim(part));
		list = end == SIZE_MAX ? (struct str){NULL, 0} : str_sub(list, end + 4, list.n);
	}
	/* A rule's own words. */
	if (short_names && !any && whole.n) win_add(e, STR("Details"), whole);
}

struct str win_channel(struct str provider, struct str short_name)
{
	static const char *const shorts[][2] = {
		{"Sec", "Security"}, {"Sys", "System"}, {"App", "Application"}, {"Sysmon", "Microsoft-Windows-Sysmon/Operational"},
		{"PwSh", "Microsoft-Windows-PowerShell/Operational"}, {"PwShClassic", "Windows PowerShell"},
		{"Defender", "Microsoft-Windows-Windows Defender/Operational"},
		{"TaskSch", "Microsoft-Windows-TaskScheduler/Operational"}, {"WMI", "Microsoft-Windows-WMI-Activity/Operational"},
		{"BitsCli", "Microsoft-Windows-Bits-Client/Operational"}, {"Exchange", "MSExchange Management"}};
	for (size_t i = 0; i < COUNT(shorts); i++)
		if (str_eq(short_name, str_of(shorts[i][0]))) return str_of(shorts[i][1]);
	return short_name.n ? short_name : json_channel_of(provider);
}

static struct str without_blanks(struct arena *a, struct str s)
{
	if (!s.n) return STR("Data");
	if (!memchr(s.p, ' ', s.n)) return s;
	char *p = arena_alloc(a, s.n);
	size_t n = 0;
	for (size_t i = 0; p && i < s.n; i++)
		if (s.p[i] != ' ') p[n++] = s.p[i];
	return p ? (struct str){p, n} : s;
}

static uint32_t event_id(const struct win_event *e)
{
	uint64_t id = 0;
	return str_u64(e->sys[WIN_EVENT_ID], &id) && id <= UINT32_MAX ? (uint32_t)id : 0;
}

static void constant(struct column *c, struct value v)
{
	c->constant = true;
	c->value = v;
}

static struct str field_name(const void *event, uint32_t i) { return ((const struct win_event *)event)->fields[i].name; }

static struct shape *spec_of(struct reader *r, const struct win_event *e, struct str channel)
{
	struct derived_set derived = derived_of(e->n, field_name, e);
	uint32_t n = FIRST_FIELD + e->n + derived.n;
	struct shape *s = arena_calloc(&r->arena, 1, sizeof *s);
	struct column *columns = arena_calloc(&r->arena, n, sizeof *columns);
	if (!s || !columns) return NULL;
	for (uint32_t i = 0; i < WIN_SYS; i++) columns[i].name = str_of(sys_names[i]);
	constant(&columns[WIN_PROVIDER], e->sys[WIN_PROVIDER].p ? value_str(e->sys[WIN_PROVIDER]) : (struct value){.kind = VALUE_ABSENT});
	constant(&columns[WIN_CHANNEL], channel.n ? value_str(channel) : (struct value){.kind = VALUE_ABSENT});
	constant(&columns[WIN_EVENT_ID], value_uint(event_id(e)));
	columns[ALIAS_PROVIDER] = (struct column){.name = STR("ProviderName"), .hidden = true};
	columns[ALIAS_TIME] = (struct column){.name = STR("SystemTime"), .hidden = true};
	for (uint32_t i = 0; i < e->n; i++) columns[FIRST_FIELD + i] = (struct column){.name = without_blanks(&r->arena, e->fields[i].name),
		.label = e->fields[i].name};
	for (uint32_t i = 0; i < derived.n; i++) columns[FIRST_FIELD + e->n + i] = derived_column(derived, i);
	*s = (struct shape){.n_columns = n, .columns = columns, .format = str_of(r->format->name), .channel = channel, .provider = e->sys[WIN_PROVIDER],
		.event_id = e->sys[WIN_EVENT_ID].p ? (int64_t)event_id(e) : -1, .host_column = WIN_COMPUTER};
	if (!s->provider.p) s->provider = (struct str){"", 0};
	if (r->is_forced) s->bindings = text_bindings(r, s->format, &s->n_bindings);
	else s->bindings = taxonomy_windows(r->taxonomy, channel, event_id(e), &r->arena, &s->n_bindings);
	return s;
}

static void put_key(struct buf *key, struct str s)
{
	uint32_t n = (uint32_t)s.n;
	buf_put(key, &n, sizeof n);
	buf_str(key, s);
}

static const struct shape *shape_of(struct reader *r, struct win_state *s, const struct win_event *e)
{
	struct str channel = e->sys[WIN_CHANNEL].n ? e->sys[WIN_CHANNEL] : json_channel_of(e->sys[WIN_PROVIDER]);
	s->key.n = 0;
	buf_lit(&s->key, "winevent");
	put_key(&s->key, str_of(r->format->name));
	put_key(&s->key, channel);
	put_key(&s->key, e->sys[WIN_PROVIDER]);
	put_key(&s->key, e->sys[WIN_EVENT_ID]);
	for (uint32_t i = 0; i < e->n; i++) put_key(&s->key, e->fields[i].name);
	if (s->shape && str_eq(buf_view(&s->key), buf_view(&s->last))) return s->shape;
	const struct shape *found = shape_table_find(r->shapes, buf_view(&s->key));
	struct shape *spec = found ? NULL : spec_of(r, e, channel);
	if (spec) found = text_shape(r, buf_view(&s->key), spec);
	s->shape = found == spec ? NULL : found; /* one of its own lives no longer than the event */
	s->last.n = 0;
	buf_str(&s->last, buf_view(&s->key));
	return found;
}

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	const struct win_event *e = ev->impl;
	if (column >= FIRST_FIELD + e->n) {
		derived_value(derived_of(e->n, field_name, e), column - FIRST_FIELD - e->n, ev, ret);
		return;
	}
	struct str s = column == ALIAS_PROVIDER ? e->sys[WIN_PROVIDER] : column == ALIAS_TIME ? e->sys[WIN_TIME] : column < WIN_SYS
		? e->sys[column]
		: e->fields[column - FIRST_FIELD].value;
	*ret = s.p ? value_str(s) : (struct value){.kind = VALUE_ABSENT};
}

static uint32_t contexts(const struct event *ev, struct range *ret, uint32_t max)
{
	const struct win_event *e = ev->impl;
	if (!max || !e->header.length) return 0;
	ret[0] = e->header;
	return 1;
}

static const struct event_ops ops = {decode, contexts, NULL};

bool win_make(struct reader *r, struct win_state *s, const struct win_event *e, uint64_t offset, uint64_t length, uint64_t size,
	uint32_t line, const void *bytes)
{
	struct etime t = {0};
	bool zoned;
	const struct shape *shape = shape_of(r, s, e);
	if (!shape) return false;
	if (e->sys[WIN_TIME].n && json_time_as(e->sys[WIN_TIME], e->day_first, &t, &zoned) && !zoned && !e->utc) t = text_zoned(r, t), s->assumed_zone = true;
	text_event(r, shape, &ops, t, offset, length, size, line, bytes);
	r->event.impl = e;
	r->event.has_record_id = str_u64(e->sys[WIN_RECORD_ID], &r->event.record_id);
	if (e->limited) {
		r->event.flags |= EVENT_LIMITED;
		r->report.limited++;
	}
	return true;
}

void win_state_done(struct win_state *s)
{
	buf_done(&s->key);
	buf_done(&s->last);
}
