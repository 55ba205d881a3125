/* json_windows.c: Windows events in the shapes that tools export them in, named as Sigma names them. See json_internal.h.
 *
 *	nested   {"Event":{"System":{...},"EventData":{...}}}: evtx_dump ("#attributes"), Hayabusa and Chainsaw ("Provider_attributes"), xml2json
 *	ECS      {"winlog":{"channel":..,"event_id":..,"event_data":{...}},"event":{"code":..}}: Winlogbeat, Elastic Agent
 *	Wazuh    {"data":{"win":{"system":{...},"eventdata":{...}}}}
 *	Hayabusa {"RuleTitle":..,"Channel":"Sec",..,"AllFieldInfo":{...}}
 *	flat     {"EventID":..,"Channel":..,"SourceName":..,"Hostname":..,"Image":..}: NXLog, Security-Datasets, SIEM exports; also
 *	         {"Id":..,"LogName":..,"ProviderName":..} of PowerShell's ConvertTo-Json
 * Columns get the names that the EVTX reader gives; where that is not the path, the path stays a hidden alias. */
#include "read/json_internal.h"
#include <stdio.h>

/* Names of flat exports: the field as Sigma has it. */
static const char *const flat_names[][2] = {
	{"SourceName", "Provider_Name"}, {"ProviderName", "Provider_Name"}, {"Provider", "Provider_Name"}, {"EventSource", "Provider_Name"},
	{"ProviderGuid", "Provider_Guid"}, {"Hostname", "Computer"}, {"MachineName", "Computer"}, {"ComputerName", "Computer"},
	{"LogName", "Channel"},
	{"EventCode", "EventID"}, {"Id", "EventID"}, {"RecordNumber", "EventRecordID"}, {"RecordId", "EventRecordID"},
	{"RecordID", "EventRecordID"},
	{"ExecutionProcessID", "Execution_ProcessID"}, {"ExecutionThreadID", "Execution_ThreadID"}, {"ActivityID", "Correlation_ActivityID"},
	{"UserID", "Security_UserID"}, {"OpcodeValue", "Opcode"}, {"TaskValue", "Task"}, {"LevelValue", "Level"},
	{"TimeCreated", "TimeCreated_SystemTime"},
};
static const char *const ecs_names[][2] = {
	{"winlog.channel", "Channel"}, {"winlog.event_id", "EventID"}, {"winlog.provider_name", "Provider_Name"},
	{"winlog.provider_guid", "Provider_Guid"},
	{"winlog.computer_name", "Computer"}, {"winlog.record_id", "EventRecordID"}, {"winlog.process.pid", "Execution_ProcessID"},
	{"winlog.process.thread.id", "Execution_ThreadID"}, {"winlog.user.identifier", "Security_UserID"},
	{"winlog.activity_id", "Correlation_ActivityID"},
	{"message", "Message"}, {"event.code", "EventID"}, /* task, opcode, level and keywords are words here, and keep their names */
	/* Winlogbeat before 7 */
	{"log_name", "Channel"}, {"event_id", "EventID"}, {"source_name", "Provider_Name"}, {"computer_name", "Computer"},
	{"record_number", "EventRecordID"},
	{"process_id", "Execution_ProcessID"}, {"thread_id", "Execution_ThreadID"},
};
static const char *const wazuh_names[][2] = {
	{"channel", "Channel"}, {"eventID", "EventID"}, {"providerName", "Provider_Name"}, {"providerGuid", "Provider_Guid"},
	{"computer", "Computer"},
	{"eventRecordID", "EventRecordID"}, {"processID", "Execution_ProcessID"}, {"threadID", "Execution_ThreadID"}, {"level", "Level"},
	{"task", "Task"},
	{"opcode", "Opcode"}, {"keywords", "Keywords"}, {"version", "Version"}, {"systemTime", "TimeCreated_SystemTime"}, {"message", "Message"},
};
/* The channel that a provider writes to, where an export does not say it. */
static const char *const channels[][2] = {
	{"Microsoft-Windows-Sysmon", "Microsoft-Windows-Sysmon/Operational"}, {"Microsoft-Windows-Security-Auditing", "Security"},
	{"Microsoft-Windows-PowerShell", "Microsoft-Windows-PowerShell/Operational"}, {"PowerShell", "Windows PowerShell"},
	{"MSExchange CmdletLogs", "MSExchange Management"}, {"Service Control Manager", "System"},
	{"Microsoft-Windows-Windows Defender", "Microsoft-Windows-Windows Defender/Operational"},
	{"Microsoft-Windows-TaskScheduler", "Microsoft-Windows-TaskScheduler/Operational"},
	{"Microsoft-Windows-WMI-Activity", "Microsoft-Windows-WMI-Activity/Operational"},
};

enum style { STYLE_NONE, STYLE_NESTED, STYLE_ECS, STYLE_WAZUH, STYLE_FLAT };

#define MAPPED(table, name) mapped(table, COUNT(table), (name))
static struct str mapped(const char *const (*pairs)[2], size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(name, str_of(pairs[i][0]))) return str_of(pairs[i][1]);
	return (struct str){NULL, 0};
}

struct str json_channel_of(struct str provider)
{
	struct str channel = MAPPED(channels, provider);
	return channel.p ? channel : (struct str){"", 0};
}

static bool has(const struct json_layout *l, const char *path) { return json_leaf_of(l, str_of(path)) >= 0; }

static enum style style_of(const struct json_layout *l, struct str *ret_prefix)
{
	static const char *const nested[] = {"Event.", "", "document.data.Event.", "_source.Event."};
	*ret_prefix = (struct str){"", 0};
	for (size_t i = 0; i < COUNT(nested); i++) {
		char path[64];
		snprintf(path, sizeof path, "%sSystem.EventID", nested[i]);
		if (!has(l, path)) continue;
		*ret_prefix = str_of(nested[i]);
		return STYLE_NESTED;
	}
	if (has(l, "winlog.event_id") || (has(l, "winlog.channel") && has(l, "event.code"))) return STYLE_ECS;
	if (has(l, "event_id") && has(l, "log_name")) return STYLE_ECS;
	if (has(l, "data.win.system.eventID")) return *ret_prefix = STR("data.win."), STYLE_WAZUH;
	if (has(l, "win.system.eventID")) return *ret_prefix = STR("win."), STYLE_WAZUH;
	bool id = has(l, "EventID") || has(l, "EventCode");
	if (id && (has(l, "Channel") || has(l, "SourceName") || has(l, "LogName") || has(l, "Provider_Name") ||
		has(l, "ProviderName"))) return STYLE_FLAT;
	if (has(l, "Id") && has(l, "LogName") && has(l, "ProviderName")) return STYLE_FLAT;
	/* Sysmon's fields with nothing around them. */
	if (id && (has(l, "UtcTime") || has(l, "ProcessGuid") || has(l, "SourceProcessGUID") || has(l, "SourceProcessGuid"))) return STYLE_FLAT;
	return STYLE_NONE;
}

/* Part of s behind its last dot. */
static struct str last_key(struct str s)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == '.') return str_sub(s, i, s.n);
	return s;
}

static struct str without_blanks(struct str s, struct arena *a)
{
	if (str_find_byte(s, ' ', 0) == SIZE_MAX) return s;
	char *p = arena_alloc(a, s.n);
	size_t n = 0;
	for (size_t i = 0; p && i < s.n; i++)
		if (s.p[i] != ' ') p[n++] = s.p[i];
	return p ? (struct str){p, n} : s;
}

static struct str concat(struct arena *a, struct str x, char middle, struct str y)
{
	char *p = arena_alloc(a, x.n + y.n + 1);
	if (!p) return y;
	memcpy(p, x.p, x.n);
	p[x.n] = middle;
	memcpy(p + x.n + 1, y.p, y.n);
	return (struct str){p, x.n + y.n + 1};
}

/* Below System: Provider.#attributes.Name and Provider_attributes.Name are Provider_Name; EventID.#text is EventID. */
static struct str system_name(struct str path, struct arena *a)
{
	struct str rest = path, first = str_cut(&rest, '.');
	if (!rest.p) return first;
	if (str_eq(rest, STR("#text")) || (str_eq(rest, STR("Value")) && str_eq(first, STR("EventID")))) return first;
	if (str_starts(rest, STR("#attributes."))) return concat(a, first, '_', str_sub(rest, 12, rest.n));
	if (str_ends(first, STR("_attributes"))) return concat(a, str_sub(first, 0, first.n - 11), '_', rest);
	if (rest.n && rest.p[0] == '@') return concat(a, first, '_', str_sub(rest, 1, rest.n));
	return concat(a, first, '_', rest);
}

static struct str nested_name(struct str path, struct str prefix, struct arena *a)
{
	if (!str_starts(path, prefix)) return path;
	path = str_sub(path, prefix.n, path.n);
	if (str_starts(path, STR("System."))) return system_name(str_sub(path, 7, path.n), a);
	bool data = str_starts(path, STR("EventData.")), user = str_starts(path, STR("UserData."));
	if (!data && !user) return path;
	struct str rest = str_sub(path, data ? 10 : 9, path.n);
	if (str_ends(rest, STR(".#text"))) rest.n -= 6;
	if (str_starts(rest, STR("#attributes."))) return concat(a, data ? STR("EventData") : STR("UserData"), '_', str_sub(rest, 12, rest.n));
	return data ? rest : last_key(rest);
}

static struct str flat_name(struct str path)
{
	/* Hayabusa's profiles; Details has names of its own. */
	if (str_starts(path, STR("AllFieldInfo."))) return str_sub(path, 13, path.n);
	if (str_starts(path, STR("ExtraFieldInfo."))) return str_sub(path, 15, path.n);
	/* Velociraptor's */
	if (str_starts(path, STR("EventData."))) return str_sub(path, 10, path.n);
	if (str_starts(path, STR("UserData."))) return last_key(path);
	struct str name = MAPPED(flat_names, path);
	return name.p ? name : path;
}

static struct str ecs_name(struct str path)
{
	static const char *const data[] = {"winlog.event_data.", "winlog.user_data.", "event_data.", "user_data."};
	struct str name = MAPPED(ecs_names, path);
	for (size_t i = 0; !name.p && i < COUNT(data); i++)
		if (str_starts(path, str_of(data[i]))) name = str_sub(path, strlen(data[i]), path.n);
	return name.p ? name : path;
}

/* Wazuh writes commandLine for CommandLine. */
static struct str wazuh_name(struct str path, struct str prefix, struct arena *a)
{
	if (!str_starts(path, prefix)) return path;
	struct str rest = str_sub(path, prefix.n, path.n);
	if (str_starts(rest, STR("system."))) {
		struct str name = MAPPED(wazuh_names, str_sub(rest, 7, rest.n));
		return name.p ? name : path;
	}
	if (!str_starts(rest, STR("eventdata."))) return path;
	rest = arena_str(a, str_sub(rest, 10, rest.n));
	if (rest.n && rest.p[0] >= 'a' && rest.p[0] <= 'z') ((char *)rest.p)[0] -= 'a' - 'A';
	return rest.p ? rest : path;
}

static struct str windows_name(enum style style, struct str path, struct str prefix, struct arena *a)
{
	switch (style) {
	case STYLE_NESTED: return nested_name(path, prefix, a);
	case STYLE_ECS: return ecs_name(path);
	case STYLE_WAZUH: return wazuh_name(path, prefix, a);
	default: return flat_name(path);
	}
}

/* Whether `name` is taken by an earlier column that is shown: {"ProviderName":..,"SourceName":..} are both the provider's name. */
static bool taken(const struct json_layout *l, struct str name)
{
	static const char *const once[] = {"Channel", "EventID", "Provider_Name"};
	bool single = false;
	for (size_t i = 0; i < COUNT(once); i++) single |= str_eq(name, str_of(once[i]));
	for (uint32_t i = 0; single && i < l->n_columns; i++)
		if (!l->columns[i].hidden && str_eq(l->columns[i].name, name)) return true;
	return false;
}

static void note_role(struct json_layout *l, struct str name, uint32_t leaf)
{
	int32_t column = (int32_t)l->n_columns, at = (int32_t)leaf;
	if (str_eq(name, STR("Channel"))) l->channel = at, l->channel_column = column;
	else if (str_eq(name, STR("EventID"))) l->event_id = at, l->event_id_column = column;
	else if (str_eq(name, STR("Provider_Name"))) l->provider = at, l->provider_column = column;
	else if (str_eq(name, STR("EventRecordID"))) l->record_id = at;
	else if (str_eq(name, STR("Computer")) && l->families[0].host < 0) l->families[0].host = at;
	else if (str_eq(name, STR("UtcTime"))) l->utc_time = at;
}

static void alias(struct json_layout *l, struct json_column *plan, uint32_t room, const char *name, const char *of)
{
	for (uint32_t i = 0; i < l->n_columns; i++) {
		if (l->columns[i].hidden || !str_eq(l->columns[i].name, str_of(of))) continue;
		json_add_column(l, plan, room, (struct column){.name = str_of(name), .hidden = true}, plan[i]);
		return;
	}
}

static void windows_time(struct json_layout *l)
{
	static const char *const names[] = {"TimeCreated_SystemTime", "@timestamp", "EventTime", "TimeGenerated", "UtcTime", "timestamp", "Timestamp",
		"EventReceivedTime", "_time"};
	for (size_t i = 0, n = 0; i < COUNT(names) && n + 1 < JSON_TIMES; i++)
		for (uint32_t k = 0; k < l->n_columns; k++) {
			if (l->columns[k].hidden || !str_eq(l->columns[k].name, str_of(names[i]))) continue;
			l->families[0].time[n++] = (int32_t)l->plan[k].leaf;
			break;
		}
}

/* Agents that take Sysmon's hashes apart themselves. */
static void ecs_hash_columns(struct json_layout *l, struct json_column *plan, uint32_t room)
{
	static const char *const before[] = {"process.", "dll.", "file.", ""};
	static const char *const names[][2] = {{"md5", "hash.md5"}, {"sha1", "hash.sha1"}, {"sha256", "hash.sha256"}, {"Imphash", "pe.imphash"}};
	for (size_t i = 0; i < COUNT(names); i++) {
		int32_t leaf = -1;
		for (size_t b = 0; b < COUNT(before) && leaf < 0; b++) {
			char path[64];
			snprintf(path, sizeof path, "%s%s", before[b], names[i][1]);
			leaf = json_leaf_of(l, str_of(path));
		}
		if (leaf >= 0) json_add_column(l, plan, room, (struct column){.name = str_of(names[i][0]), .hidden = true}, (struct json_column){(uint32_t)leaf, JSON_OF_LEAF});
	}
}

static struct str column_name(const void *layout, uint32_t i)
{
	const struct column *c = &((const struct json_layout *)layout)->columns[i];
	return c->hidden ? (struct str){"", 0} : c->name;
}

static void derived_columns(struct json_layout *l, struct json_column *plan, uint32_t room)
{
	l->derived = derived_of(l->n_columns, column_name, l);
	for (uint32_t i = 0; i < l->derived.n; i++) json_add_column(l, plan, room, derived_column(l->derived, i), (struct json_column){0, (uint8_t)(JSON_DERIVED + i)});
}

/* Columns at the end that only shapes of the channel MSExchange Management have: exports hold EventData's unnamed values without a message,
 * or the message without values; the other is made of it. */
static void exchange_columns(struct json_layout *l, struct json_column *plan, uint32_t room)
{
	static const char *const names[] = {"Message", "Cmdlet", "Parameters", "Caller"};
	bool data = false, message = false;
	for (uint32_t i = 0; i < l->n_columns; i++) {
		data |= str_eq(l->columns[i].name, STR("Data"));
		message |= str_eq(l->columns[i].name, STR("Message"));
	}
	for (size_t i = 0; i < COUNT(names); i++) {
		if ((i == 0 && (message || !data)) || (i == 3 && !data)) continue;
		l->n_exchange += json_add_column(l, plan, room, (struct column){.name = str_of(names[i])},
			(struct json_column){0, (uint8_t)(JSON_JOINED_MESSAGE + i)});
	}
}

bool json_windows(struct json_layout *l, struct json_column *plan, uint32_t room, struct arena *a)
{
	struct str prefix;
	enum style style = style_of(l, &prefix);
	if (style == STYLE_NONE) return false;
	for (uint32_t i = 0; i < l->n_leaves; i++) {
		const struct json_leaf *x = &l->leaves[i];
		if (!x->path.p) continue;
		struct str name = windows_name(style, x->path, prefix, a);
		bool hidden = x->kind == JSON_CONTAINER || taken(l, without_blanks(name, a));
		/* EventID as {"#attributes":..,"#text":1}: the object itself is no event id. */
		if (x->kind == JSON_CONTAINER && style == STYLE_NESTED && str_starts(x->path, prefix)) name = str_sub(x->path, prefix.n, x->path.n);
		struct column c = {.name = without_blanks(name, a), .label = name, .hidden = hidden};
		if (!hidden) note_role(l, c.name, i);
		json_add_column(l, plan, room, c, (struct json_column){i, JSON_OF_LEAF});
		if (!str_eq(c.name, x->path)) json_add_column(l, plan, room, (struct column){.name = x->path, .hidden = true},
			(struct json_column){i, JSON_OF_LEAF});
	}
	if (l->channel < 0 && l->provider < 0 && l->utc_time >= 0) l->channel_text = STR("Microsoft-Windows-Sysmon/Operational");
	l->short_channels = style == STYLE_FLAT && has(l, "RuleTitle");
	l->n_families = 1;
	windows_time(l);
	alias(l, plan, room, "ProviderName", "Provider_Name");
	alias(l, plan, room, "SystemTime", "TimeCreated_SystemTime");
	derived_columns(l, plan, room);
	if (style == STYLE_ECS) ecs_hash_columns(l, plan, room);
	exchange_columns(l, plan, room);
	return true;
}

/* --- MSExchange Management: Microsoft's message, misspelling included, and its parts --- */

static struct str item(struct event *ev, const char *name, uint32_t i)
{
	struct value *v = event_get(ev, str_of(name));
	if (!v || (v->kind != VALUE_LIST && i > 0) || (v->kind == VALUE_LIST && i >= v->n)) return (struct str){"", 0};
	return value_text(v->kind == VALUE_LIST ? &v->items[i] : v, ev->arena);
}

struct str json_exchange_part(struct str message, bool parameters)
{
	static const char before[] = ". Cmdlet ", between[] = ", parameters ";
	size_t from = str_find(message, STR(before), 0);
	if (from == SIZE_MAX) return (struct str){"", 0};
	from += sizeof before - 1;
	size_t middle = str_find(message, STR(between), from), to = message.n;
	if (!parameters) return str_sub(message, from, (middle == SIZE_MAX ? to : middle) - from);
	if (middle == SIZE_MAX) return (struct str){"", 0};
	from = middle + sizeof between - 1;
	if (to > from && message.p[to - 1] == '.') to--;
	return str_sub(message, from, to - from);
}

void json_exchange_value(struct event *ev, enum json_how how, struct value *ret)
{
	bool data = item(ev, "Data", 0).n > 0;
	if (how == JSON_CALLER) {
		*ret = value_str(item(ev, "Data", 2));
	} else if (how != JSON_JOINED_MESSAGE) {
		bool parameters = how == JSON_PARAMETERS;
		*ret = value_str(data ? item(ev, "Data", parameters) : json_exchange_part(item(ev, "Message", 0), parameters));
	} else {
		struct buf b = {0};
		buf_str(&b, ev->shape->event_id == 1 ? STR("Cmdlet suceeded. Cmdlet ") : STR("Cmdlet failed. Cmdlet "));
		buf_str(&b, item(ev, "Data", 0));
		buf_lit(&b, ", parameters ");
		buf_str(&b, item(ev, "Data", 1));
		buf_byte(&b, '.');
		struct str kept = arena_str(ev->arena, buf_view(&b));
		buf_done(&b);
		*ret = kept.p ? value_str(kept) : (struct value){.kind = VALUE_ABSENT};
	}
}
