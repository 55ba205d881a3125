/* json_evtxecmd.c: EvtxECmd's JSON: a flat object a Windows event, whose data are JSON text in Payload. The same event as from its CSV. See json_internal.h. */
#include "read/json_internal.h"
#include "read/winevent_internal.h"

struct json_evtxecmd {
	struct win_event event;
	struct win_state state;
	struct json_tape payload;
};

bool json_is_evtxecmd(const struct json_layout *l)
{
	return json_leaf_of(l, STR("Payload")) >= 0 && json_leaf_of(l, STR("EventId")) >= 0 && json_leaf_of(l, STR("Channel")) >= 0 && json_leaf_of(l, STR("Provider")) >= 0;
}

static struct str text_of(struct json_events *e, const char *name)
{
	struct value v;
	int32_t leaf = json_leaf_of(e->object.layout, str_of(name));
	if (leaf < 0) return (struct str){NULL, 0};
	json_leaf_value(&e->object, (uint32_t)leaf, &e->reader->arena, &v);
	return v.kind == VALUE_NULL ? (struct str){NULL, 0} : value_text(&v, &e->reader->arena);
}

bool json_evtxecmd_make(struct json_events *e, uint64_t offset, uint64_t length, uint64_t size, uint32_t line, const void *bytes)
{
	static const struct { const char *name; enum win_sys sys; } columns[] = {{"EventId", WIN_EVENT_ID}, {"Provider", WIN_PROVIDER}, {"Channel", WIN_CHANNEL},
		{"Computer", WIN_COMPUTER}, {"EventRecordId", WIN_RECORD_ID}, {"TimeCreated", WIN_TIME}, {"Level", WIN_LEVEL}, {"Keywords", WIN_KEYWORDS},
		{"ProcessId", WIN_PROCESS}, {"ThreadId", WIN_THREAD}, {"UserId", WIN_USER}};
	if (!e->evtxecmd) {
		e->evtxecmd = xcalloc(1, sizeof *e->evtxecmd);
		e->evtxecmd->payload.max_tokens = 1 << 16;
	}
	struct win_event *w = &e->evtxecmd->event;
	win_begin(w);
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
