/* event: what one or more records say after parsing. The front door of the room: includes all of its headers.
 *
 * Lazy: a reader hands out an event with its cells unread; event_cell decodes one when somebody asks, once. An event is a
 * view into its batch: it and everything reached through it die at the next reader_ops.next on the same cursor. One thread. */
#pragma once
#include "base/etime.h"
#include "event/derived.h"
#include "event/finding.h"
#include "event/logsource.h"
#include "event/reader.h"
#include "event/shape.h"
#include "event/sift.h"
#include "event/value.h"

/* The bytes of one log entry in its source. */
struct record_ref {
	uint64_t offset, length;
	uint32_t line;      /* 1-based line number in text sources, 0 elsewhere */
	const void *bytes;  /* `length` bytes, while the event lives; NULL when they are not in memory as they are in the source */
};

/* Numbers that the log gives its records without a gap, and that are missing before a record. */
struct event_hole {
	uint64_t first, last;     /* the missing ones */
	struct record_ref before; /* the record in front of them */
};

enum event_flags {
	EVENT_RECOVERED = 1, /* found by recovery, not by walking an intact structure */
	EVENT_CARVED = 2,    /* stale: from slack or a disk image */
	EVENT_LIMITED = 4    /* a limit cut something of it; counted in the source's report */
};

struct event {
	const struct shape *shape;
	struct value *cells;             /* [shape->n_columns]; VALUE_UNREAD until decoded; constants are copied in by the reader or left unread. NULL: ops->cells makes
	                                  * them when the first is asked for */
	struct arena *arena;             /* the batch; decoded text goes here */
	const struct event_ops *ops;
	const void *impl;                /* the reader's own */
	struct etime time;               /* of the event itself (System/TimeCreated), else of the record; may be absent */
	const struct record_ref *records;/* at least one; several when a format spreads one event over records (auditd) */
	uint32_t n_records;
	uint32_t flags;                  /* enum event_flags */
	uint64_t batch;                  /* readers with several cursors: number of the block it came from. A block's events come from one cursor, in
	                                  * order; all events sorted by batch are in the order one cursor alone would give. 0 elsewhere */
	bool has_record_id;
	uint64_t record_id;              /* Windows EventRecordID, journald __SEQNUM, ... */
	const struct event_hole *hole;   /* NULL: nothing is known to be missing before it */
	uint32_t alike;                  /* not 0: events with the same number, of one shape table, have the same shape and name the same host (shape_table_alike) */
	struct str raw;                  /* the entry as text, where the format is text (keywords search it); p == NULL elsewhere */
};

/* `bytes`: as of record_ref, where they are in memory anyway. */
struct range { uint64_t offset, length; const void *bytes; };

/* Columns by number, ascending; and has[column] for all below n_has, others are not of it. */
struct column_set {
	const uint32_t *v;
	uint32_t n;
	const uint8_t *has;
	uint32_t n_has;
};

struct event_ops {
	/* Fills *ret (never leaves it VALUE_UNREAD; VALUE_ABSENT when the event lacks it). Not called for constant columns. */
	void (*decode)(struct event *ev, uint32_t column, struct value *ret);
	/* Byte ranges that are needed to read the records again: template definitions, header lines. Up to `max`; returns how many. */
	uint32_t (*contexts)(const struct event *ev, struct range *ret, uint32_t max);
	/* NULL, or: the whole event as one JSON object in the format's own shape (what `exhibit events` prints). */
	void (*json)(struct event *ev, struct buf *out);
	/* NULL, or: the whole event as one line of XML, as its own system shows it. */
	void (*xml)(struct event *ev, struct buf *out);
	/* NULL, or: a text that stands for what keywords look at (event/sift.h), in *ret until the event dies or `room`, which it may use, changes.
	 * SIFT_NONE: there is none for this event. */
	enum sift (*sift)(struct event *ev, struct buf *room, struct str *ret);
	/* NULL, or: what tells the event from others, not decoded. Appends to `raw` bytes that stand for the columns of the set but for constant ones: where
	 * two events with the same ops, read with the same options, give the same bytes for the same set of columns with the same names, their cells in these
	 * columns are the same. Appends to `rest` what sift gives for the other columns. Either may be NULL. SIFT_NONE: there are no such bytes for this event.
	 * The set is to outlive the cursor. */
	enum sift (*undecoded)(struct event *ev, const struct column_set *set, struct buf *raw, struct buf *rest);
	/* NULL, or: appends what event_fields_json writes, in a shorter way. False: not this event, and nothing was written. */
	bool (*fields)(struct event *ev, struct buf *out);
	/* NULL where events have their cells from the beginning, or: sets event.cells, all of them unread. */
	void (*cells)(struct event *ev);
};

/* The cell of a column, decoded. Valid while the event lives. */
static inline struct value *event_cell(struct event *ev, uint32_t column)
{
	if (__builtin_expect(!ev->cells, 0)) ev->ops->cells(ev);
	struct value *v = &ev->cells[column];
	if (v->kind == VALUE_UNREAD) {
		if (ev->shape->columns[column].constant) *v = ev->shape->columns[column].value;
		else ev->ops->decode(ev, column, v);
	}
	return v;
}
/* Whether the reader's options (since, until, ids) want the event. */
bool event_wanted(const struct event *ev, const struct reader_options *o);
/* Whether it is Windows' own record that a log was cleared: 1102 in Security, 104 for the other logs. */
bool event_says_cleared(const struct event *ev);
/* Puts what is not as it should be (recovered, carved, incomplete) into the JSON object that ends `out`. */
void event_mark_json(const struct event *ev, struct buf *out);
/* The first cell of that name, or NULL. */
struct value *event_get(struct event *ev, struct str name);
/* The column of a field as a rule names it, through the renames of the binding it matched by (may be NULL); -1: none. */
int32_t event_rule_column(const struct shape *shape, const struct logsource_binding *binding, struct str name);
/* The cell of a field as a rule names it, through the renames of the binding it matched by (may be NULL); NULL: none. */
struct value *event_rule_field(struct event *ev, const struct logsource_binding *binding, struct str name);
/* The host the event names, empty when none. */
struct str event_host(struct event *ev);
/* All columns that are neither hidden nor absent as one flat JSON object, in column order; duplicate names become one array. */
void event_fields_json(struct event *ev, struct buf *out);
