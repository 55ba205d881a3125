/* coverage: which host wrote which log on which days, so that "not found" is never confused with "not logged".
 *
 * A table belongs to one worker; coverage_merge adds one into another (order does not matter). Bounded: what no longer fits is
 * counted in `more`. Days are UTC. */
#pragma once
#include "base/base.h"
#include "scan/near.h"

struct coverage_day { int32_t day; uint32_t n; };  /* days since 1970-01-01; events */
struct coverage_row {
	struct str host, log;         /* log: the Windows channel, else the format */
	struct etime first, last;     /* of dated events */
	uint64_t events, undated; /* undated: without a time, or with an odd one (etime_is_odd) */
	uint64_t no_rule;             /* events that no loaded rule looks at */
	VEC(struct coverage_day) days;/* by day after coverage_sort */
	uint32_t last_index;          /* of the day met last */
	bool inferred;                /* the host is not from the records */
};
struct coverage_table {
	struct map keys;              /* host NUL log -> row */
	VEC(struct coverage_row) rows;
	uint64_t more;                /* events of hosts or days beyond the limits */
	struct coverage_near { const void *shape; uint32_t row; } *near; /* [NEAR_SLOTS] rows met before; made by the first coverage_add */
	VEC(uint32_t) alike;          /* by event.alike: row + 1, 0 where none is known yet */
	uint32_t last_row;            /* the row met last */
	bool last_added;              /* the event added last is in last_row */
};
enum { COVERAGE_MAX_ROWS = 20000, COVERAGE_MAX_DAYS = 20000 };

/* `shape`: any pointer that stands for `log`; saves the look-up when shape and host repeat. */
void coverage_add(struct coverage_table *t, const void *shape, struct str log, struct str host, struct etime time);
/* The same for an event of a number (event.alike, not 0). The first answers false where nothing is known of the number in this table; then the second is due. */
bool coverage_add_known(struct coverage_table *t, uint32_t alike, struct etime time);
void coverage_add_alike(struct coverage_table *t, uint32_t alike, const void *shape, struct str log, struct str host, struct etime time);
/* The event added last is one that no rule looks at. */
void coverage_no_rule(struct coverage_table *t);
/* `home`: the host of rows that name none, empty: they stay so. */
void coverage_merge(struct coverage_table *into, const struct coverage_table *from, struct str home);
/* Rows by host, then log; days ascending. */
void coverage_sort(struct coverage_table *t);
/* Empty again. */
void coverage_clear(struct coverage_table *t);
void coverage_done(struct coverage_table *t);
