/* json_evtxecmd.c: flat objects of which each is a Windows event: EvtxECmd's, whose data are JSON text in Payload, and those of PowerShell's ConvertTo-Json, which hold the
 * message and nothing else. The same events as from their CSV. See json_internal.h. */
#include "read/json_internal.h"
#include "read/winevent_internal.h"

struct shown_column { const char *name; enum win_sys sys; };

struct json_evtxecmd {
	struct win_event event;
	struct win_state state;
	struct json_tape payload;
};

bool json_is_evtxecmd(const struct json_layout *l)
{
	return json_leaf_of(l, STR("Payload")) >= 0 && json_leaf_of(l, STR("EventId")) >= 0 && json_leaf_of(l, STR("Channel")) >= 0 && json_leaf_of(l, STR("Provider")) >= 0;
}

bool json_is_shown(const struct json_layout *l)
{
	return json_leaf_of(l, STR("Id")) >= 0 && json_leaf_of(l, STR("LogName")) >= 0 && json_leaf_of(l, STR("ProviderName")) >= 0 && json_leaf_of(l, STR("Message")) >= 0;
}

/* Splunk's fields of a Windows event. */
static bool is_splunk(const struct json_layout *l)
{
	static const char *const names[] = {"Account_Name", "New_Process_Name", "Process_Command_Line", "Logon_Type", "Source_Network_Address", "Service_File_Name"};
	bool any = false;
	for (size_t i = 0; i < COUNT(names) && !any; i++) any = json_leaf_of(l, str_of(names[i])) >= 0;
	return any && json_leaf_of(l, STR("EventCode")) >= 0 && (json_leaf_of(l, STR("LogName")) >= 0 || json_leaf_of(l, STR("source")) >= 0);
}

bool json_is_short(const struct json_layout *l)
{
	bool details = false;
	if (is_splunk(l)) return true;
	for (uint32_t i = 0; i < l->n_leaves && !details; i++) details = str_eq(l->leaves[i].path, STR("Details")) || str_starts(l->leaves[i].path, STR("Details."));
	return details && json_leaf_of(l, STR("RuleTitle")) >= 0 && json_leaf_of(l, STR("Channel")) >= 0 && json_leaf_of(l, STR("EventID")) >= 0;
}

/* Every other plain member as a field. */
static void add_others(struct json_events *e, struct win_event *w, const struct shown_column *columns, size_t n)
{
	const struct json_layout *l = e->object.layout;
	for (uint32_t i = 0; i < l->n_leaves; i++) {
		struct value v;
		bool known = !l->leaves[i].path.p || l->leaves[i].kind != JSON_PLAIN || l->leaves[i].n_sub;
		for (size_t k = 0; k < n && !known; k++) known = str_eq(l->leaves[i].path, str_of(columns[k].name));
		if (known) continue;
		json_leaf_value(&e->object, i, &e->reader->arena, &v);
		if (v.kind != VALUE_NULL && v.kind != VALUE_LIST) win_add(w, l->leaves[i].path, value_text(&v, &e->reader->arena));
	}
}

static struct str text_of(struct json_events *e, const char *name)
{
	struct value v;
	int32_t leaf = json_leaf_of(e->object.layout, str_of(name));
	if (leaf < 0) return (struct str){NULL, 0};
	json_leaf_value(&e->object, (uint32_t)leaf, &e->reader->arena, &v);
	return v.kind == VALUE_NULL ? (struct str){NULL, 0} : value_text(&v, &e->reader->arena);
}

/* Hayabusa's timeline: what AllFieldInfo and ExtraFieldInfo say, then what is only in Details, by the fields' own names. */
static void make_short(struct json_events *e, struct win_event *w)
{
	static const struct shown_column columns[] = {{"EventID", WIN_EVENT_ID}, {"Channel", WIN_CHANNEL}, {"Computer", WIN_COMPUTER}, {"RecordID", WIN_RECORD_ID}, {"Timestamp", WIN_TIME},
		{"Provider", WIN_PROVIDER}};
	const struct json_layout *l = e->object.layout;
	const struct taxonomy *t = e->reader->taxonomy;
	struct arena *a = &e->reader->arena;
	for (size_t i = 0; i < COUNT(columns); i++) w->sys[columns[i].sys] = text_of(e, columns[i].name);
	w->sys[WIN_CHANNEL] = win_channel(STR(""), w->sys[WIN_CHANNEL]);
	for (int last = 0; last < 2; last++) {
		for (uint32_t i = 0; i < l->n_leaves; i++) {
			struct value v;
			struct str path = l->leaves[i].path, rest = path, first = path.p ? str_cut(&rest, '.') : path;
			bool own_names = str_eq(first, STR("AllFieldInfo")) || str_eq(first, STR("ExtraFieldInfo")), details = str_eq(first, STR("Details")), sys = false;
			if (!path.p || l->leaves[i].kind != JSON_PLAIN || details != last) continue;
			for (size_t k = 0; k < COUNT(columns); k++) sys |= str_eq(path, str_of(columns[k].name));
			if (sys) continue;
			json_leaf_value(&e->object, i, a, &v);
			if (v.kind == VALUE_NULL || v.kind == VALUE_LIST) continue;
			struct str text = value_text(&v, a);
			if (details && rest.p) win_add_short(w, t, rest, text);
			else if (details || (own_names && !rest.p)) win_add_listed(w, t, text, details);
			else win_add(w, own_names ? rest : path, text);
		}
	}
}

/* Several values of a field, one a line, as Splunk's tables have them. */
static struct str lines_of(const struct value *v, struct arena *a)
{
	struct buf b = {0};
	for (uint32_t i = 0; i < v->n; i++) {
		if (i) buf_byte(&b, '\n');
		buf_str(&b, value_text(&v->items[i], a));
	}
	struct str all = arena_str(a, buf_view(&b));
	buf_done(&b);
	return all.p ? all : STR("");
}

static void make_splunk(struct json_events *e, struct win_event *w)
{
	static const struct shown_column columns[] = {{"EventCode", WIN_EVENT_ID}, {"LogName", WIN_CHANNEL}, {"ComputerName", WIN_COMPUTER}, {"RecordNumber", WIN_RECORD_ID}, {"_time", WIN_TIME},
		{"SourceName", WIN_PROVIDER}, {"Message", WIN_MESSAGE}};
	const struct json_layout *l = e->object.layout;
	struct arena *a = &e->reader->arena;
	for (size_t i = 0; i < COUNT(columns); i++) w->sys[columns[i].sys] = text_of(e, columns[i].name);
	if (!w->sys[WIN_CHANNEL].n) w->sys[WIN_CHANNEL] = text_of(e, "source");
	if (!w->sys[WIN_COMPUTER].n) w->sys[WIN_COMPUTER] = text_of(e, "host");
	if (w->sys[WIN_CHANNEL].p) w->sys[WIN_CHANNEL] = win_splunk_channel(w->sys[WIN_CHANNEL]);
	for (uint32_t i = 0; i < l->n_leaves; i++) {
		struct value v;
		struct str path = l->leaves[i].path;
		bool known = !path.p || l->leaves[i].kind != JSON_PLAIN || l->leaves[i].n_sub;
		for (size_t k = 0; k < COUNT(columns) && !known; k++) known = str_eq(path, str_of(columns[k].name));
		if (known) continue;
		json_leaf_value(&e->object, i, a, &v);
		if (v.kind == VALUE_NULL) continue;
		struct str text = v.kind == VALUE_LIST ? lines_of(&v, a) : value_text(&v, a);
		bool named = path.p[0] != '_' && str_find_byte(path, '_', 0) != SIZE_MAX && str_find_byte(path, '.', 0) == SIZE_MAX;
		if (named) win_add_splunk(w, e->reader->taxonomy, path, text);
		else win_add(w, path, text);
	}
	if (w->sys[WIN_MESSAGE].p) win_add_shown(w, w->sys[WIN_MESSAGE]);
}

bool json_evtxecmd_make(struct json_events *e, uint64_t offset, uint64_t length, uint64_t size, uint32_t line, const void *bytes)
{
	static const struct shown_column shown[] = {{"Id", WIN_EVENT_ID}, {"ProviderName", WIN_PROVIDER}, {"ProviderId", WIN_PROVIDER_GUID}, {"LogName", WIN_CHANNEL}, {"MachineName", WIN_COMPUTER},
		{"RecordId", WIN_RECORD_ID}, {"TimeCreated", WIN_TIME}, {"Level", WIN_LEVEL}, {"Keywords", WIN_KEYWORDS}, {"ProcessId", WIN_PROCESS}, {"ThreadId", WIN_THREAD},
		{"Message", WIN_MESSAGE}, {"Task", WIN_TASK}, {"Version", WIN_VERSION}, {"Opcode", WIN_OPCODE}};
	static const struct shown_column columns[] = {{"EventId", WIN_EVENT_ID}, {"Provider", WIN_PROVIDER}, {"Channel", WIN_CHANNEL},
		{"Computer", WIN_COMPUTER}, {"EventRecordId", WIN_RECORD_ID}, {"TimeCreated", WIN_TIME}, {"Level", WIN_LEVEL}, {"Keywords", WIN_KEYWORDS},
		{"ProcessId", WIN_PROCESS}, {"ThreadId", WIN_THREAD}, {"UserId", WIN_USER}};
	if (!e->evtxecmd) {
		e->evtxecmd = xcalloc(1, sizeof *e->evtxecmd);
		e->evtxecmd->payload.max_tokens = 1 << 16;
	}
	struct win_event *w = &e->evtxecmd->event;
	win_begin(w);
	if (e->object.layout->shortened) {
		if (is_splunk(e->object.layout)) make_splunk(e, w);
		else make_short(e, w);
		return win_make(e->reader, &e->evtxecmd->state, w, offset, length, size, line, bytes);
	}
	if (!e->object.layout->evtxecmd) {
		for (size_t i = 0; i < COUNT(shown); i++) w->sys[shown[i].sys] = text_of(e, shown[i].name);
		add_others(e, w, shown, COUNT(shown));
		if (w->sys[WIN_MESSAGE].p && str_find(w->sys[WIN_PROVIDER].p ? w->sys[WIN_PROVIDER] : STR(""), STR("Sysmon"), 0) != SIZE_MAX) win_add_message(w, w->sys[WIN_MESSAGE]);
		else if (w->sys[WIN_MESSAGE].p) win_add_shown(w, w->sys[WIN_MESSAGE]);
		win_add_exchange(w, &e->reader->arena);
		return win_make(e->reader, &e->evtxecmd->state, w, offset, length, size, line, bytes);
	}
	w->utc = true;
	for (size_t i = 0; i < COUNT(columns); i++) w->sys[columns[i].sys] = text_of(e, columns[i].name);
	win_add_payload(w, &e->evtxecmd->payload, text_of(e, "Payload"), &e->reader->arena);
	return win_make(e->reader, &e->evtxecmd->state, w, offset, length, size, line, bytes);
}

void json_evtxecmd_end(struct json_events *e)
{
	if (!e->evtxecmd) return;
	json_tape_done(&e->evtxecmd->payload);
	win_state_done(&e->evtxecmd->state);
	free(e->evtxecmd);
	e->evtxecmd = NULL;
}
