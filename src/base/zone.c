/* zone.c: POSIX's rules of local time (POSIX.1-2017, Base Definitions 8.3, TZ; hours beyond a day as RFC 8536 has them). */
#include "base/zone.h"
#include "base/etime.h"

/* --- reading ----------------------------------------------------------------------------------------------------------- */

struct text { struct str s; bool bad; };

static bool take(struct text *t, char c)
{
	if (!t->s.n || t->s.p[0] != c) return false;
	t->s = str_sub(t->s, 1, t->s.n);
	return true;
}

static int number(struct text *t, int least, int most)
{
	int v = 0, n = 0;
	while (t->s.n && t->s.p[0] >= '0' && t->s.p[0] <= '9' && n++ < 4) v = v * 10 + (t->s.p[0] - '0'), t->s = str_sub(t->s, 1, t->s.n);
	t->bad |= !n || v < least || v > most;
	return v;
}

/* Three letters or more, or anything in <>. */
static void name(struct text *t)
{
	size_t n = 0;
	bool quoted = take(t, '<');
	while (n < t->s.n) {
		char c = t->s.p[n];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter && !(quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-'))) break;
		n++;
	}
	t->s = str_sub(t->s, n, t->s.n);
	t->bad |= n < 3 || (quoted && !take(t, '>'));
}

/* [+-]h[h][:mm[:ss]] in seconds. */
static int32_t span(struct text *t, int hours)
{
	bool negative = take(t, '-');
	if (!negative) take(t, '+');
	int32_t v = number(t, 0, hours) * 3600;
	if (take(t, ':')) v += number(t, 0, 59) * 60;
	if (take(t, ':')) v += number(t, 0, 59);
	return negative ? -v : v;
}

static void day(struct text *t, struct zone_day *d)
{
	*d = (struct zone_day){.kind = ZONE_MONTH_WEEK, .at = 7200};
	if (take(t, 'M')) {
		d->month = number(t, 1, 12);
		t->bad |= !take(t, '.');
		d->week = number(t, 1, 5);
		t->bad |= !take(t, '.');
		d->day = number(t, 0, 6);
	} else if (take(t, 'J')) {
		d->kind = ZONE_JULIAN;
		d->day = number(t, 1, 365);
	} else {
		d->kind = ZONE_DAY_OF_YEAR;
		d->day = number(t, 0, 365);
	}
	if (take(t, '/')) d->at = span(t, 167);
}

bool zone_parse(struct str text, struct zone *ret)
{
	struct zone z = {0};
	struct text t = {text, false};
	if (!text.n || text.n >= ZONE_TEXT) return false;
	memcpy(z.text, text.p, text.n);
	name(&t);
	z.standard = z.summer = -span(&t, 24);
	if (t.s.n) {
		name(&t);
		z.summer = t.s.n && t.s.p[0] != ',' ? -span(&t, 24) : z.standard + 3600;
		t.bad |= !take(&t, ',');
		day(&t, &z.from);
		t.bad |= !take(&t, ',');
		day(&t, &z.to);
	}
	if (t.bad || t.s.n) return false;
	*ret = z;
	return true;
}

/* --- asking ------------------------------------------------------------------------------------------------------------ */

/* When the clock is set in that year, as it shows before. */
static int64_t set_at(const struct zone_day *d, int year)
{
	int64_t first = civil_to_days(year, 1, 1), days = first + d->day;
	if (d->kind == ZONE_JULIAN) days -= d->day < 60 || civil_days_in_month(year, 2) < 29;
	if (d->kind == ZONE_MONTH_WEEK) {
		int64_t begin = civil_to_days(year, (unsigned)d->month, 1);
		int weekday = (int)((begin % 7 + 11) % 7); /* 1970-01-01 was a Thursday */
		int in = (d->day - weekday + 7) % 7 + 7 * (d->week - 1);
		while (in >= (int)civil_days_in_month(year, (unsigned)d->month)) in -= 7;
		days = begin + in;
	}
	return days * 86400 + d->at;
}

int32_t zone_offset(const struct zone *z, int64_t local, int32_t *ret_twice)
{
	*ret_twice = 0;
	if (!z->from.kind) return z->standard;
	int year = civil_from_sec(local).year;
	int32_t ahead = z->summer - z->standard;
	/* Summer begins, as the clock shows it afterwards; ends, as it shows before. */
	int64_t from = set_at(&z->from, year) + ahead, to = set_at(&z->to, year);
	bool summer = from < to ? local >= from && local < to : local >= from || local < to;
	if (summer && local >= to - ahead && local < to) *ret_twice = ahead;
	return summer ? z->summer : z->standard;
}
