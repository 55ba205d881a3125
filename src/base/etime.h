/* etime: the one time type of the program: UTC, nanoseconds, possibly absent.
 *
 * Seconds since 1970-01-01T00:00:00Z and nanoseconds within the second (0..999999999; also for times before 1970).
 * `digits` is how many fractional digits the source had (0..9): that many are printed. Nothing here reads a clock. */
#pragma once
#include "base/str.h"

struct etime {
	int64_t sec;
	uint32_t nsec;
	uint8_t digits;
	bool present; /* false: the source carries no time (FILETIME 0 occurs); such events sort first */
};

struct civil {
	int year;
	unsigned month, day, hour, minute, second; /* month and day 1-based */
};

/* <0, 0, >0; absent before everything. */
static inline int etime_cmp(struct etime a, struct etime b)
{
	if (a.present != b.present) return a.present - b.present;
	if (!a.present) return 0;
	if (a.sec != b.sec) return a.sec < b.sec ? -1 : 1;
	return (a.nsec > b.nsec) - (a.nsec < b.nsec);
}
/* No log is of that time: before 1980 or after 2099. Clocks that were never set, fields of zeros (0000-01-01, 1601-01-01, 1970-01-01), 9999-12-31. */
static inline bool etime_is_odd(struct etime t) { return t.present && (t.sec < 315532800 || t.sec >= 4102444800); }
/* a - b in nanoseconds, clipped to the int64 range; 0 when one is absent. */
int64_t etime_diff_ns(struct etime a, struct etime b);
/* Windows FILETIME: 100 ns since 1601-01-01 UTC; 0 gives an absent time. digits = 7. */
struct etime etime_from_filetime(uint64_t filetime);
struct etime etime_from_unix(int64_t sec, uint32_t nsec, uint8_t digits);
int64_t civil_to_days(int year, unsigned month, unsigned day); /* days since 1970-01-01, proleptic Gregorian */
struct civil civil_from_sec(int64_t sec);
unsigned civil_days_in_month(int year, unsigned month); /* month 1-based */
/* False when a part is out of range (second 60 is taken as 59.999999999). */
bool etime_from_civil(const struct civil *c, uint32_t nsec, uint8_t digits, struct etime *ret);
/* RFC 3339 / ISO 8601: 2021-03-03T06:59:20[.fraction][Z|+hh:mm|+hhmm], a blank for T allowed; without zone it is taken as
 * UTC and *ret_zoned (may be NULL) is false. Digits past nine are dropped. On failure false, *ret untouched. */
bool etime_parse(struct str s, struct etime *ret, bool *ret_zoned);
/* YYYY-MM-DDTHH:MM:SS[.fraction]Z with `digits` digits into out[ETIME_MAX]; returns its length; "" for an absent time. */
#define ETIME_MAX 40
size_t etime_print(struct etime t, unsigned digits, char *out);
