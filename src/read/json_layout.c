/* json_layout.c: what objects with the same keys share: paths, columns, the kind of log. See json_internal.h. */
#include "read/json_internal.h"

bool json_add_column(struct json_layout *l, struct json_column *plan, uint32_t room, struct column column, struct json_column how)
{
	if (l->n_columns == room) return false;
	plan[l->n_columns] = how;
	l->columns[l->n_columns++] = column;
	return true;
}

int32_t json_leaf_of(const struct json_layout *l, struct str path)
{
	for (uint32_t i = 0; i < l->n_leaves; i++)
		if (l->leaves[i].path.p && str_eq(l->leaves[i].path, path)) return (int32_t)i;
	return -1;
}

/* "parent.key"; p == NULL when it is too long or the arena is full. `key` is decoded. */
static struct str join(struct arena *a, struct str parent, struct str key)
{
	struct str none = {NULL, 0};
	if (!key.p || parent.n + key.n + 1 > JSON_PATH_MAX) return none;
	if (!parent.n) return key;
	char *p = arena_alloc(a, parent.n + key.n + 1);
	if (!p) return none;
	memcpy(p, parent.p, parent.n);
	p[parent.n] = '.';
	memcpy(p + parent.n + 1, key.p, key.n);
	return (struct str){p, parent.n + key.n + 1};
}

/* A key decoded, in `a` in any case: the text it stands in goes away. */
static struct str key_name(struct arena *a, struct str raw)
{
	struct json_token token = {.start = 0, .length = (uint32_t)raw.n, .type = JSON_KEY, .flags = JSON_ESCAPED | JSON_NON_ASCII};
	struct str name = json_decode(a, raw, &token);
	return name.p == raw.p ? arena_str(a, name) : name;
}

/* The path of an entry within the array at `path`, and its raw keys. */
static bool entry_leaf(const struct json_trace *t, uint32_t entry, struct str path, struct arena *a, struct json_leaf *ret)
{
	uint32_t chain[256], n = 0;
	for (uint32_t e = entry; e != JSON_NO_ENTRY && n < COUNT(chain); e = t->entries[e].parent) chain[n++] = e;
	struct str *sub = arena_alloc(a, n * sizeof *sub);
	if (!sub) return false;
	for (uint32_t i = 0; i < n; i++) {
		struct str raw = t->entries[chain[n - 1 - i]].key;
		sub[i] = arena_str(a, raw);
		if (!sub[i].p) return false;
		if (path.p) path = join(a, path, key_name(a, raw));
	}
	*ret = (struct json_leaf){.path = path, .sub = sub, .n_sub = n, .kind = t->entries[entry].container ? JSON_CONTAINER : JSON_PLAIN};
	return true;
}

static bool make_leaves(struct json_layout *l, const struct json_trace *t, const struct json_tape *tape, struct str text, struct arena *a)
{
	const struct json_token *v = tape->v;
	struct str at_depth[256] = {{"", 0}}; /* path of the object whose keys have that depth */
	struct str last = {"", 0};            /* path of the key met last */
	struct json_leaf *leaves = arena_calloc(a, t->n, sizeof *leaves);
	if (!leaves) return false;
	at_depth[1] = (struct str){"", 0};
	for (uint32_t i = 0; i < t->n; i++) {
		const struct json_place *p = &t->places[i];
		if (p->entry != JSON_NO_ENTRY) {
			if (!entry_leaf(t, p->entry, last, a, &leaves[i])) return false;
			continue;
		}
		const struct json_token *key = &v[p->token - 1], *value = &v[p->token];
		struct str name = key_name(a, json_raw(text, key));
		if (!name.p) return false;
		last = at_depth[key->depth].p ? join(a, at_depth[key->depth], name) : (struct str){NULL, 0};
		leaves[i] = (struct json_leaf){.path = last, .kind = JSON_PLAIN};
		bool object = value->type == JSON_OBJECT && value->next > p->token + 1;
		if (object) at_depth[key->depth + 1] = last;
		bool members = i + 1 < t->n && t->places[i + 1].entry != JSON_NO_ENTRY && t->places[i + 1].token == p->token;
		if (object || members) leaves[i].kind = JSON_CONTAINER;
	}
	l->leaves = leaves;
	l->n_leaves = t->n;
	return true;
}

/* Whether the keys are there; conditions on values are left for each object. */
static bool family_fits(const struct json_layout *l, const struct family *f, struct json_family *ret)
{
	*ret = (struct json_family){.family = f};
	for (uint32_t i = 0; i < f->n_keys; i++) {
		struct str values = f->keys[i], path = str_cut(&values, '=');
		bool absent = path.p[0] == '!';
		int32_t leaf = json_leaf_of(l, str_sub(path, absent, SIZE_MAX));
		if ((leaf >= 0) == absent) return false;
		if (!values.p) continue;
		if (ret->n_conditions == JSON_CONDITIONS) return false;
		ret->conditions[ret->n_conditions].leaf = leaf;
		ret->conditions[ret->n_conditions++].values = values;
	}
	return f->n_keys > 0;
}

/* Fields that mean the time, or the host, in logs of no known family. */
static const char *const time_names[] = {"@timestamp", "timestamp", "eventTime", "EventTime", "event_time", "TimeCreated", "CreationTime",
	"createdDateTime",
	"time", "ts", "datetime", "date", "utctime", "UtcTime", "published", "calendarTime", "unixTime", "Timestamp", "TimeGenerated",
	"event.created",
	"created_at", "_time"};
static const char *const host_names[] = {"host.name", "hostname", "Hostname", "Computer", "host.hostname", "agent.hostname", "agent.name",
	"host", "computer_name",
	"ComputerName", "DeviceName", "beat.hostname", "hostIdentifier", "node_id"};

static void add_time(const struct json_layout *l, struct json_family *f, struct str path)
{
	int32_t leaf = json_leaf_of(l, path);
	for (uint32_t i = 0; leaf >= 0 && i + 1 < JSON_TIMES; i++) {
		if (f->time[i] >= 0) continue;
		f->time[i] = leaf;
		return;
	}
}

static void no_roles(struct json_family *f)
{
	for (size_t i = 0; i < JSON_TIMES; i++) f->time[i] = -1;
	f->host = -1;
}

static void find_roles(const struct json_layout *l, struct json_family *ret)
{
	const struct family *f = ret->family;
	no_roles(ret);
	for (uint32_t i = 0; f && i < f->n_time; i++) add_time(l, ret, f->time[i]);
	for (uint32_t i = 0; f && i < f->n_host && ret->host < 0; i++) ret->host = json_leaf_of(l, f->host[i]);
	for (size_t i = 0; i < COUNT(time_names) && !(f && ret->time[0] >= 0); i++) add_time(l, ret, str_of(time_names[i]));
	/* A family that says where its host stands has it there or nowhere: `host` of Zeek's http is the client's word. */
	for (size_t i = 0; i < COUNT(host_names) && ret->host < 0 && !(f && f->n_host); i++) {
		ret->host = json_leaf_of(l, str_of(host_names[i]));
		if (ret->host >= 0 && l->leaves[ret->host].kind == JSON_CONTAINER) ret->host = -1;
	}
	ret->time_is_utc = f && f->time_is_utc;
}

/* All families whose keys fit, up to the first that asks for no values; then the unknown one stands at the end. */
static void find_families(struct json_layout *l, const struct taxonomy *taxonomy)
{
	uint32_t n;
	const struct family *all = taxonomy_families(taxonomy, &n);
	bool sure = false;
	for (uint32_t i = 0; i < n && !sure && l->n_families + 1 < JSON_FAMILIES; i++) {
		struct json_family *f = &l->families[l->n_families];
		if (!family_fits(l, &all[i], f)) continue;
		sure = !f->n_conditions;
		find_roles(l, f);
		if (str_eq(f->family->format, STR("journal-json"))) {
			l->bytes_as_arrays = true;
			l->message = json_leaf_of(l, STR("MESSAGE"));
			l->transport = l->message < 0 ? -1 : json_leaf_of(l, STR("_TRANSPORT"));
		}
		l->n_families++;
	}
	if (sure) return;
	l->families[l->n_families] = (struct json_family){.family = NULL};
	find_roles(l, &l->families[l->n_families++]);
}

static void name_columns(struct json_layout *l, struct json_column *plan, uint32_t room)
{
	for (uint32_t i = 0; i < l->n_leaves; i++) {
		const struct json_leaf *x = &l->leaves[i];
		if (x->path.p) json_add_column(l, plan, room, (struct column){.name = x->path, .hidden = x->kind == JSON_CONTAINER},
			(struct json_column){i, JSON_OF_LEAF});
	}
}

/* A journal's entries: what they call host, program, pid and message under these names, as its other forms have them. */
static void name_journal(struct json_layout *l, struct json_column *plan, uint32_t room)
{
	static const char *const names[][3] = {{"host", "_HOSTNAME"}, {"program", "SYSLOG_IDENTIFIER", "_COMM"}, {"pid", "SYSLOG_PID", "_PID"}, {"message", "MESSAGE"}};
	for (size_t i = 0; i < COUNT(names); i++) {
		int32_t leaf = json_leaf_of(l, str_of(names[i][1]));
		if (leaf < 0 && names[i][2]) leaf = json_leaf_of(l, str_of(names[i][2]));
		if (leaf >= 0) json_add_column(l, plan, room, (struct column){.name = str_of(names[i][0]), .hidden = true}, (struct json_column){(uint32_t)leaf, JSON_OF_LEAF});
	}
}

struct json_layout *json_layout_new(const struct json_trace *t, const struct json_tape *tape, struct str text,
	const struct taxonomy *taxonomy,
	struct arena *a)
{
	uint32_t room = t->n * JSON_COLUMNS_PER_LEAF + JSON_EXTRA_COLUMNS;
	struct json_layout *l = arena_calloc(a, 1, sizeof *l);
	struct json_column *plan = arena_calloc(a, room, sizeof *plan);
	if (!l || !plan) return NULL;
	l->columns = arena_calloc(a, room, sizeof *l->columns);
	l->skeleton = arena_str(a, buf_view(&t->skeleton));
	l->plan = plan;
	l->channel = l->event_id = l->provider = l->record_id = l->utc_time = l->transport = l->message = -1;
	l->channel_column = l->event_id_column = l->provider_column = -1;
	if (!l->columns || !l->skeleton.p || !make_leaves(l, t, tape, text, a)) return NULL;
	no_roles(&l->families[0]);
	l->inner = json_inner_leaf(l);
	l->evtxecmd = json_is_evtxecmd(l);
	l->shown = !l->evtxecmd && json_is_shown(l);
	l->shortened = !l->evtxecmd && json_is_short(l);
	if (l->evtxecmd || l->shown || l->shortened) return l;
	l->windows = json_windows(l, plan, room, a);
	if (l->windows) return l;
	find_families(l, taxonomy);
	name_columns(l, plan, room);
	if (l->bytes_as_arrays) name_journal(l, plan, room);
	return l;
}
