/* json_internal: JSON objects as events: which keys they have, what columns these become, and where each value stands.
 *
 * Per object (json_trace): one pass over the tokens gives its skeleton (all keys with their nesting, as bytes) and the places of
 * its values. Objects with the same skeleton share a layout, made once: names of columns, what kind of log it is, where time and
 * host stand. Cells are decoded out of the tokens when asked.
 *
 * Arrays: an array of plain values is a list. Of an array of objects every key path of any member is a column that lists the
 * values of all members; so targetResources.modifiedProperties.newValue finds any of them. Objects and such arrays also are
 * hidden columns of their own JSON text, for rules that search them as text. */
#pragma once
#include "base/map.h"
#include "read/text_internal.h"
#include "text/json_lane.h"

enum {
	JSON_PLACES_MAX = 2048,   /* values of an object that become columns; what is beyond is cut, and counted */
	JSON_ENTRIES_MAX = 256,   /* different key paths within arrays, of one object */
	JSON_PATH_MAX = 1024,     /* bytes of a path */
	JSON_LAYOUT_SHAPES = 64,
	JSON_LAYOUTS_MAX = 20000
};

/* Where a value stands: its token; within an array the array's token and the entry (key path). */
struct json_place { uint32_t token, entry; };
#define JSON_NO_ENTRY UINT32_MAX
/* A key path within an array: its last key, and the entry before it. */
struct json_entry {
	uint32_t parent;          /* JSON_NO_ENTRY: a key of the array's members */
	struct str key;           /* raw, in the text */
	bool container;           /* its first value is an object or an array of objects */
};

struct json_trace {
	struct buf skeleton;
	struct json_place *places; /* [JSON_PLACES_MAX] */
	uint32_t n;
	struct json_entry entries[JSON_ENTRIES_MAX];
	uint32_t n_entries;
	bool limited;
};
void json_trace(struct json_trace *t, const struct json_tape *tape, struct str text);
void json_trace_done(struct json_trace *t);

enum json_kind { JSON_PLAIN, JSON_CONTAINER };
/* A value that objects of a layout have. */
struct json_leaf {
	struct str path;          /* keys joined by dots, decoded; p == NULL: too long, no column */
	const struct str *sub;    /* within an array: the raw keys from its members on */
	uint32_t n_sub;
	uint8_t kind;             /* enum json_kind */
};

/* How a column's value is made. */
enum json_how {
	JSON_OF_LEAF,             /* the leaf's value */
	JSON_JOINED_MESSAGE, JSON_CMDLET, JSON_PARAMETERS, JSON_CALLER, /* MSExchange Management, see json_windows.c */
	JSON_DERIVED              /* and above: derived_value of how - JSON_DERIVED */
};
struct json_column { uint32_t leaf; uint8_t how; };

enum { JSON_TIMES = 8, JSON_CONDITIONS = 4, JSON_FAMILIES = 8, JSON_DECIDING = 8, JSON_DECIDING_BYTES = 256 };
/* A kind of log that a layout's objects may be, and where time and host stand then. */
struct json_family {
	const struct family *family;     /* NULL: none known, or Windows */
	struct { int32_t leaf; struct str values; } conditions[JSON_CONDITIONS]; /* values joined by '|' */
	uint32_t n_conditions;
	int32_t time[JSON_TIMES], host;  /* leaves, in order of preference; -1 ends */
	bool time_is_utc;                /* a time without zone is UTC */
};

struct json_layout {
	struct str skeleton;
	const struct json_leaf *leaves;
	uint32_t n_leaves;
	struct column *columns;          /* names; constants are filled in for each shape */
	const struct json_column *plan;  /* [n_columns] */
	uint32_t n_columns;
	struct json_family families[JSON_FAMILIES]; /* that its keys fit, in order; the last asks for no values */
	uint32_t n_families;
	uint32_t n_exchange;             /* the last columns, only for shapes of the channel MSExchange Management */
	bool windows;
	struct derived_set derived;
	bool bytes_as_arrays;            /* journalctl: an array of numbers is a text */
	int32_t transport, message;      /* journalctl: leaves that say whether it is an audit record, -1 = none */
	int32_t channel, event_id, provider, record_id; /* leaves, -1 = none; Windows */
	int32_t channel_column, event_id_column, provider_column; /* columns that become constants */
	bool short_channels;             /* Hayabusa's Sec, Sysmon, .. */
	int32_t inner;                   /* leaf that holds the record that is the event, -1 = none */
	bool evtxecmd;                   /* the event's data are JSON in Payload */
	bool shown;                      /* the event is a message with a few members around it */
	bool shortened;                  /* Hayabusa's: the event's data have short names, in Details */
	struct str channel_text;         /* Windows without a channel: what the layout or provider implies */
	int32_t utc_time;                /* Sysmon's own time, to compare clocks */
	const struct shape *shapes[JSON_LAYOUT_SHAPES]; /* met last first */
	uint32_t n_shapes;
	/* The leaves whose values decide on family and shape, and their tokens and bytes in the object met last: where they are the same again, so
	 * are family and shape. */
	struct {
		const struct json_family *family; /* NULL: nothing is kept */
		uint32_t leaves[JSON_DECIDING], n;
		uint16_t lengths[JSON_DECIDING], kinds[JSON_DECIDING];
		char bytes[JSON_DECIDING_BYTES];
	} last;
};

/* Makes the layout of the traced object in `a`; NULL when it is full. */
struct json_layout *json_layout_new(const struct json_trace *t, const struct json_tape *tape, struct str text,
	const struct taxonomy *taxonomy,
	struct arena *a);
/* json_windows.c: whether the paths are those of a Windows event as some tool exports it; then names the columns after Sigma and
 * tells where channel, event id, provider, time and host stand. `room`: columns that fit; columns beyond the leaves are aliases. */
bool json_windows(struct json_layout *l, struct json_column *plan, uint32_t room, struct arena *a);
/* The channel that a provider writes to; empty when it is not known. */
struct str json_channel_of(struct str provider);
/* A column that is made of others: MSExchange Management. */
void json_exchange_value(struct event *ev, enum json_how how, struct value *ret);
/* "Cmdlet suceeded. Cmdlet X, parameters Y." -> X or Y; empty: it is no such message. */
struct str json_exchange_part(struct str message, bool parameters);
/* A column over a leaf. False when there is no room. */
bool json_add_column(struct json_layout *l, struct json_column *plan, uint32_t room, struct column column, struct json_column how);
int32_t json_leaf_of(const struct json_layout *l, struct str path);
enum { JSON_COLUMNS_PER_LEAF = 2, JSON_EXTRA_COLUMNS = 12 + 2 * DERIVED_COLUMNS };

/* The object being read, and its layout: what decoding needs. */
struct json_object {
	struct json_tape tape;
	struct str text;
	struct json_trace trace;
	const struct json_place *places; /* of its leaves: the trace's, or those of an object like it */
	struct json_layout *layout;
};
/* What is kept of objects that a lane (text/json_lane.h) reads. */
struct json_like {
	struct json_layout *layout;
	struct json_place places[];
};
/* How the exporter's clock differs from Sysmon's own, in quarters of an hour: exporters label local time as UTC. */
struct json_clock { int32_t quarters; uint64_t agree, other, looked, first_offset; };
enum { JSON_CACHE = 256 };
/* The objects of one source as events: what is kept from one to the next. Part of a format's state. */
struct json_events {
	struct reader *reader;
	struct json_object object;          /* the one being made an event; the caller fills its tape and text */
	struct arena layouts;
	struct map by_skeleton;             /* -> index in layout */
	VEC(struct json_layout *) layout;
	struct json_layout *cache[JSON_CACHE]; /* by a cheap sum over the skeleton; verified */
	struct range header;                /* of the table that the object stands in; length 0: none */
	bool assumed_zone;                  /* a time without zone was met */
	struct json_clock clock;
	struct json_lane *lane;             /* NULL: every object is read by json_read */
	const struct json_like *like;       /* what the lane said of the object on the tape; NULL: it was read by json_read */
	struct json_events *inner;          /* of records within objects */
	bool is_inner;                      /* this is such a one: it has none of its own */
	struct json_evtxecmd *evtxecmd;     /* what its events are made with */
	struct str server;                  /* that the table around the object names as its host: then a column behind the others; p == NULL: none */
	struct journal_audit *audit;        /* the record that the object is, where its shape has columns for it */
};
void json_events_begin(struct json_events *e, struct reader *r, uint32_t max_tokens);
void json_events_end(struct json_events *e);
/* The object in e->object as the event r->event, of a record as text_event takes it. False: no memory for so large a one. */
bool json_events_make(struct json_events *e, uint64_t offset, uint64_t length, uint64_t size, uint32_t line, const void *bytes);
/* At the end of the source: what was noticed about clocks into the report; appends what is needed to read it again. */
void json_events_note(struct json_events *e);
void json_events_parameters(const struct json_events *e, struct buf *out);

/* json_audit.c: the shape of a journal's object that is an audit record, NULL: it is none. Its columns are those of `shape`, and the record's behind them. */
const struct shape *json_audit_shape(struct json_events *e, const struct json_layout *l, const struct shape *shape);
void json_audit_value(const struct json_events *e, uint32_t column, struct value *ret);
void json_audit_end(struct json_events *e);
/* json_inner.c: the leaf that may hold the record itself; the event of it, false: it is none, the object is. */
int32_t json_inner_leaf(const struct json_layout *l);
bool json_inner_make(struct json_events *e, uint64_t offset, uint64_t length, uint64_t size, uint32_t line, const void *bytes);
void json_inner_end(struct json_events *e);
/* json_evtxecmd.c: an event as EvtxECmd exports it, or as PowerShell shows it, as json_events_make makes it. */
struct json_evtxecmd;
bool json_is_evtxecmd(const struct json_layout *l);
bool json_is_shown(const struct json_layout *l);
bool json_is_short(const struct json_layout *l);
bool json_evtxecmd_make(struct json_events *e, uint64_t offset, uint64_t length, uint64_t size, uint32_t line, const void *bytes);
void json_evtxecmd_end(struct json_events *e);

/* A token as a value. */
void json_value(const struct json_tape *tape, struct str text, uint32_t token, struct arena *a, struct value *ret);
void json_leaf_value(const struct json_object *o, uint32_t leaf, struct arena *a, struct value *ret);
/* A time in any of the forms that logs use: RFC 3339, seconds, milli-, micro- or nanoseconds since 1970, /Date(ms)/,
 * 1/9/2007 9:41:00 AM +01:00. False when it is none. *ret_zoned: it says its zone. */
bool json_time(struct str text, bool number, struct etime *ret, bool *ret_zoned);
/* The same of a text; `day_first`: 3/4/2021 is in April, as json_day_first says of a table of which some dates can be read in one way only. */
bool json_time_as(struct str text, bool day_first, struct etime *ret, bool *ret_zoned);
bool json_day_first(struct str table);
/* The object on one line as it stands, without blanks between tokens; what could act on a terminal is escaped. */
void json_compact(const struct json_tape *tape, struct str text, struct arena *a, struct buf *out);
