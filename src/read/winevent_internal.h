/* winevent_internal: a Windows event put together of texts: from XML, and from tables that other tools exported. Its columns and log
 * sources are those that the EVTX reader gives the same event. */
#pragma once
#include "read/text_internal.h"

enum win_sys {
	WIN_PROVIDER, WIN_PROVIDER_GUID, WIN_SOURCE_NAME, WIN_EVENT_ID, WIN_QUALIFIERS, WIN_VERSION, WIN_LEVEL, WIN_TASK, WIN_OPCODE, WIN_KEYWORDS,
		WIN_TIME,
	WIN_RECORD_ID, WIN_ACTIVITY, WIN_RELATED, WIN_PROCESS, WIN_THREAD, WIN_CHANNEL, WIN_COMPUTER, WIN_USER, WIN_MESSAGE, WIN_SYS
};
enum { WIN_FIELDS_MAX = 512 };
/* A value of EventData or UserData. */
struct win_field {
	struct str name;   /* as the event has it; empty: an unnamed Data */
	struct str value;
};
/* win_begin for each event. All texts live until the event dies. */
struct win_event {
	struct str sys[WIN_SYS];   /* p == NULL: not there */
	uint32_t n;
	bool limited;
	struct range header;       /* of a table, without which the record cannot be read; length 0: none */
	bool day_first;            /* 3/4/2021 is in April */
	bool utc;                  /* a time without zone is UTC, whatever the options say */
	struct win_field fields[WIN_FIELDS_MAX];
};
static inline void win_begin(struct win_event *e)
{
	memset(e->sys, 0, sizeof e->sys);
	e->n = 0;
	e->limited = e->utc = e->day_first = false;
}
struct win_state {             /* of a reader: the shape met last */
	const struct shape *shape;
	struct buf key, last;
	bool assumed_zone;         /* a time without zone was met */
};
/* Adds a field; what is beyond the limit is cut, and counted with the event. */
void win_add(struct win_event *e, struct str name, struct str value);
/* Lines "Name: value" of a message as fields, as Sysmon writes its messages. */
void win_add_message(struct win_event *e, struct str message);
/* A field by the short name that Hayabusa gives it in Details; the event's channel and id are known. Fields it has already are left as they are. */
void win_add_short(struct win_event *e, const struct taxonomy *t, struct str name, struct str value);
/* The same of Splunk's names. Of several values, one a line, the last is the target's, the first anything else's: Account_Name is of the subject, then of the target. */
void win_add_splunk(struct win_event *e, const struct taxonomy *t, struct str name, struct str value);
/* Hayabusa's "Name: value \xa6 Name: value" (U+00A6); `short_names`: of Details, else of the event's own. */
void win_add_listed(struct win_event *e, const struct taxonomy *t, struct str list, bool short_names);
/* winmessage.c: what the English messages of Security and System say, under the names of the fields they were made of. */
void win_add_shown(struct win_event *e, struct str message);
/* Of MSExchange Management, once all fields are there: Cmdlet, Parameters and Caller, of the unnamed Data or of the message; and the message where it is missing. */
void win_add_exchange(struct win_event *e, struct arena *a);
/* EvtxECmd's Payload, in any of its exports: {"EventData":{"Data":[{"@Name":"Image","#text":"x"},...]}} or a text, or UserData of any form. Read into `t`. */
struct json_tape;
void win_add_payload(struct win_event *e, struct json_tape *t, struct str text, struct arena *a);
/* The event as r->event; size and so on as text_event takes them. The event's own time, absent when it has none that can be read;
 * a time without zone is as the options say. False: no memory for so large a one. */
bool win_make(struct reader *r, struct win_state *s, const struct win_event *e, uint64_t offset, uint64_t length, uint64_t size,
	uint32_t line, const void *bytes);
void win_state_done(struct win_state *s);
/* A channel by its provider, or by what Hayabusa calls it; empty when unknown. */
struct str win_channel(struct str provider, struct str short_name);
/* wintext.c: an event as Splunk's agent writes it (a time, LogName=.., Message=..), begun anew. False: it is none. */
bool wintext_read_splunk(struct str text, struct arena *a, struct win_event *e);
/* "WinEventLog:Security", "XmlWinEventLog:Security": Splunk's source of an event, the channel. */
struct str win_splunk_channel(struct str source);
/* winxml.c: the element <Event> that is all of `text`, begun anew. False, with a reason: it is not well-formed, or has no System. */
bool winxml_read(struct str text, struct arena *a, struct win_event *e, const char **ret_reason);
