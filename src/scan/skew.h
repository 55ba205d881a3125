/* skew: how far clocks are apart where a log says so itself: an estimate with its basis, shown, never applied.
 *
 * Two bases, both exact pairs of times of one and the same thing:
 *	own time: an event states, besides the time that it was filed under, one of its source's own in UTC (Sysmon's UtcTime, the journal's
 *	          _SOURCE_REALTIME_TIMESTAMP)
 *	pairs:    two logs have an event of the same thing, told by what hardly comes twice: a request's id (Exchange's HttpProxy RequestId, IIS's
 *	          cafeReqId), or the start of a process (Security 4688 and Sysmon 1: host, process id and image)
 * The estimate is the median difference over a sample chosen by hashes, so that it does not depend on threads or order. One that fewer than
 * SKEW_MIN times carry, that is below SKEW_SECONDS, or that most of the sample contradict, is none.
 * A skew_table belongs to one worker; merging is in any order. Bounded: see the limits in skew.c. */
#pragma once
#include "base/base.h"
#include "event/event.h"

enum { SKEW_MIN = 5, SKEW_SECONDS = 60 };

struct skew {
	struct str host, log;        /* whose times are off */
	struct str against;          /* "its own UtcTime", or the other log */
	struct str against_host;     /* of the other log; may be empty */
	const char *basis;           /* static: "own time", "request ids", "process starts" */
	int64_t seconds;             /* log's time minus the other; the median */
	uint32_t n, agree;           /* times compared; of them those within two seconds of the median */
};

struct skew_table;
struct skew_table *skew_table_new(void);
void skew_table_free(struct skew_table *t);
/* `order`: of the source among all; with the record's offset it decides whether the event is in the sample. */
void skew_event(struct skew_table *t, struct event *ev, uint64_t order);
void skew_merge(struct skew_table *into, struct skew_table *from);
/* What can be said, by host, log and what it is compared with. Texts live as long as the table; the array is the caller's to free. */
struct skew *skew_results(const struct skew_table *t, uint32_t *ret_n);
