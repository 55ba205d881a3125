/* stamp: the time that a line of a log begins with, in the forms that services write.
 *
 *	2021-03-03 06:59:20,123 +01:00   2021/03/03 6:59:20   2021:03:03-06:59:20   2021.03.03 06:59:20   20210303-06:59:20[:123]   ISO and its relatives
 *	210303  6:59:20   210303 065920   MySQL before 5.7; Hadoop's file system
 *	17/06/09 20:10:40 INFO           log4j's short form: year first, where a level stands behind it
 *	03/Mar/2021:06:59:20 +0100       03-Mar-2021 06:59:20   the Common Log Format and its relatives
 *	10/06/2013 15:50:41              22-06-2014 09:56:12    day or month first: stamp_day_first
 *	[Wed ]Mar  3 06:59:20[.1] [CET] [2021]   Mar  3 2021 06:59:20   Mar 3, 2021 6:59:20 PM   2021 Mar  3 06:59:20   ctime, syslog, java.util.logging
 *	CET Mar  3 06:59:20              monit
 *	Apr-07-13 07:08:36               ASSP
 *	03-15 06:59:20.123456            without a year
 *	06:59:20.123                     without a day
 *	1614754760.123                   seconds since 1970
 *	@400000004c91b044077a9e94        TAI64N as multilog writes it (https://cr.yp.to/libtai/tai64.html)
 *	[  12.345678]                    the kernel's: since it booted, so no time of day
 * Each may stand in brackets, behind <X> (Mumble), behind "L " (game servers, which also write " - " before the clock), behind t= ts= time= (logfmt), in quotes there. A zone is Z, UTC, GMT or +hh[:]mm; other names of zones are
 * passed over: they are not unique. Pure; looks at the first 64 bytes; any thread. */
#pragma once
#include "base/etime.h"

enum stamp_order { STAMP_NO_ORDER, STAMP_EITHER, STAMP_DAY_FIRST, STAMP_MONTH_FIRST }; /* of numbers for day and month before a year: what they leave open */

struct stamp {
	struct civil c;        /* year 0: none is written; month 0: no day */
	uint32_t nsec;
	uint8_t digits;
	bool zoned;
	bool uptime;           /* seconds since the kernel booted: no time of day */
	enum stamp_order order;
	char mark;             /* between them */
	int32_t zone;          /* seconds east of UTC */
	size_t n;              /* bytes of the line it takes, with brackets, ':' and blanks behind it */
};

/* `day_first`: how 10/06/2013 is read. False: no stamp begins the line, *ret untouched. */
bool stamp_take(struct str line, bool day_first, struct stamp *ret);
/* In `year` when none is written (a day it does not have is the month's last); UTC when zoned, else as written. Absent when there is no day. */
struct etime stamp_time(const struct stamp *s, int year);
/* Whether ambiguous dates in the text write the day first: the first that can be read in one way decides; else as is the custom: month before day with
 * '/', day before month with '-' and '.'. */
bool stamp_day_first(struct str text);
/* Jan..Dec at the front, in any case: 1..12; 0: none. */
unsigned stamp_month(struct str s);
/* [h]h:mm:ss[.,fraction] at the front, moved behind; false: none, *s untouched. */
bool stamp_clock(struct str *s, struct civil *c, uint32_t *nsec, uint8_t *digits);
