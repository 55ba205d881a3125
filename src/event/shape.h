/* shape: what events of one kind share: their columns, log sources and constants. What rules can match is decided once a shape.
 *
 * Examples of kinds: (content template, provider, channel, event id) of EVTX; the set of keys of a JSON object; the header
 * line of a CSV or W3C log. A shape belongs to the shape_table of one worker thread and lives as long as the table, which
 * lives for the whole scan; it is immutable but for `memo`, which the matcher keeps there. */
#pragma once
#include "event/logsource.h"
#include "event/value.h"

struct column {
	struct str name;     /* as Sigma rules write it: Image, Provider_Name, cs-uri-query, userIdentity.arn; blanks removed on Windows */
	struct str label;    /* as the source writes it; equal to name when empty */
	int32_t next;        /* next column with the same name, -1 = none (duplicate Data names are all kept) */
	bool constant;       /* every event of the shape has `value` here */
	bool hidden;         /* an alias or derived form: matched by name, but neither keyword text nor shown in output */
	bool again;          /* a column before it has the same name (shape_link) */
	bool covered;        /* its text stands in event.raw too, or in another column: keywords need not look here */
	struct value value;
};
/* Whether keywords look at the column of an event that has, or has not, a raw text. */
static inline bool column_is_keyword(const struct column *c, bool has_raw) { return !c->hidden && !(c->covered && has_raw); }

struct shape {
	uint32_t id;                  /* dense within its table, from 0; UINT32_MAX in a shape outside of any table: the matcher then keeps nothing in it */
	uint32_t n_columns, n_bindings;
	const struct column *columns;
	const struct logsource_binding *bindings;
	struct str format;            /* the reader's: "evtx", "iis-w3c", ... */
	struct str channel, provider; /* Windows only, else empty */
	int64_t event_id;             /* -1 = none */
	int32_t host_column;          /* column that names the host, -1 = none */
	void *memo;                   /* the matcher's, NULL at first */
};

/* The first column of that exact name, or -1. */
int32_t shape_column(const struct shape *s, struct str name);

struct shape_table;
/* `max_bytes`: budget for all shapes of this worker. */
struct shape_table *shape_table_new(const struct taxonomy *taxonomy, size_t max_bytes);
void shape_table_free(struct shape_table *t);
const struct taxonomy *shape_table_taxonomy(const struct shape_table *t);
/* The shape filed under these key bytes (any bytes that tell kinds apart, beginning with the format's name), or NULL. */
const struct shape *shape_table_find(const struct shape_table *t, struct str key);
/* Files a copy of *spec (deep; id, next and memo are set here) under `key`. NULL when the budget is used up: the caller then
 * makes a shape of its own for the event (shape_alone), and the matcher does without the memo (shape->memo stays NULL). */
const struct shape *shape_table_add(struct shape_table *t, struct str key, const struct shape *spec);
/* Makes *spec, of which the columns can be written, a shape outside of any table: its id says so. Returns it. */
const struct shape *shape_alone(struct shape *spec);
/* The number of events of that shape, one of the table's, that name that host; 0: there are too many to give one. */
uint32_t shape_table_alike(struct shape_table *t, const struct shape *s, struct str host);
uint32_t shape_table_count(const struct shape_table *t);
const struct shape *shape_table_at(const struct shape_table *t, uint32_t id);
/* Fills `next` and `again` of all columns; shape_table_add does it, a caller with a shape of its own calls it. */
void shape_link(struct column *columns, uint32_t n);
