/* zone: local time of a place that has summer time, as a rule of POSIX says it: CET-1CEST,M3.5.0,M10.5.0/3. For logs that carry no zone.
 *
 * One rule for all years: that of Europe holds since 1996, that of the United States since 2007; what was before is not known here. Pure, any thread. */
#pragma once
#include "base/str.h"

enum { ZONE_TEXT = 64 };
struct zone_day {            /* when the clock is set */
	enum { ZONE_NO_DAY, ZONE_MONTH_WEEK, ZONE_JULIAN /* 1..365, no 29 February */, ZONE_DAY_OF_YEAR /* 0..365 */ } kind;
	int month, week, day; /* week 5: the last; day: of the week (0 is Sunday), or of the year */
	int32_t at;              /* seconds from midnight, in the time before */
};
struct zone {
	char text[ZONE_TEXT];    /* as written; empty: none, all is as zone_seconds says */
	int32_t standard, summer; /* seconds east of UTC */
	struct zone_day from, to;
};

/* Name offset [name [offset] ,from[/time],to[/time]]. False: it is none, or longer than ZONE_TEXT - 1; *ret untouched. */
bool zone_parse(struct str text, struct zone *ret);
/* Seconds east of UTC at that local time (seconds since 1970 as the clock on the wall shows them). A time that the clock leaves out in spring is taken as standard
 * time. *ret_twice: the clock shows it twice, in summer time (what is returned), and again *ret_twice seconds later in standard time; else 0. */
int32_t zone_offset(const struct zone *z, int64_t local, int32_t *ret_twice);
