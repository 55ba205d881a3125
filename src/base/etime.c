/* etime.c: calendar arithmetic (days from civil: the 400-year era method), parsing and printing. See etime.h. */
#include "base/etime.h"

int64_t etime_diff_ns(struct etime a, struct etime b)
{
	int64_t d;
	if (!a.present || !b.present) return 0;
	if (__builtin_sub_overflow(a.sec, b.sec, &d) || __builtin_mul_overflow(d, 1000000000, &d) ||
	    __builtin_add_overflow(d, (int64_t)a.nsec - (int64_t)b.nsec, &d))
		return a.sec < b.sec ? INT64_MIN : INT64_MAX;
	return d;
}

struct etime etime_from_filetime(uint64_t filetime)
{
	if (!filetime) return (struct etime){0};
	return (struct etime){(int64_t)(filetime / 10000000) - 11644473600, (uint32_t)(filetime % 10000000) * 100, 7, true};
}

struct etime etime_from_unix(int64_t sec, uint32_t nsec, uint8_t digits)
{
	return (struct etime){sec, nsec, digits, true};
}

int64_t civil_to_days(int year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned year_of_era = (unsigned)(y - era * 400);
	unsigned day_of_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
	unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + (int64_t)day_of_era - 719468;
}

struct civil civil_from_sec(int64_t sec)
{
	int64_t days = sec / 86400, rest = sec % 86400;
	if (rest < 0) rest += 86400, days--;
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned day_of_era = (unsigned)(z - era * 146097);
	unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned mp = (5 * day_of_year + 2) / 153;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;
	return (struct civil){(int)(year_of_era + era * 400) + (month <= 2), month, day_of_year - (153 * mp + 2) / 5 + 1,
		(unsigned)(rest / 3600), (unsigned)(rest / 60 % 60), (unsigned)(rest % 60)};
}

unsigned civil_days_in_month(int year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap);
}

bool etime_from_civil(const struct civil *c, uint32_t nsec, uint8_t digits, struct etime *ret)
{
	unsigned second = c->second;
	if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > civil_days_in_month(c->year, c->month)) return false;
	if (c->hour > 23 || c->minute > 59 || second > 60 || nsec > 999999999) return false;
	if (second == 60) second = 59, nsec = 999999999;
	int64_t days = civil_to_days(c->year, c->month, c->day);
	*ret = (struct etime){days * 86400 + c->hour * 3600 + c->minute * 60 + second, nsec, digits, true};
	return true;
}

/* `n` digits at s[at]; false when one is missing. */
static bool number(struct str s, size_t at, size_t n, unsigned *ret)
{
	unsigned v = 0;
	if (at + n > s.n) return false;
	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned char)s.p[at + i] - '0';
		if (d > 9) return false;
		v = v * 10 + d;
	}
	*ret = v;
	return true;
}

/* The zone at s[at..]: Z, +hh, +hhmm, +hh:mm or nothing; its offset in seconds east of UTC. */
static bool parse_zone(struct str s, size_t at, int *ret_offset, bool *ret_zoned)
{
	unsigned hours, minutes = 0;
	*ret_offset = 0;
	*ret_zoned = at < s.n;
	if (at == s.n) return true;
	char c = s.p[at++];
	if (c == 'Z' || c == 'z') return at == s.n;
	if (c != '+' && c != '-') return false;
	if (!number(s, at, 2, &hours)) return false;
	at += 2;
	if (at < s.n && s.p[at] == ':') at++;
	if (at < s.n) {
		if (!number(s, at, 2, &minutes)) return false;
		at += 2;
	}
	if (at != s.n || hours > 23 || minutes > 59) return false;
	*ret_offset = (int)(hours * 3600 + minutes * 60) * (c == '-' ? -1 : 1);
	return true;
}

/* Two digits; what is none sets bits in *bad. */
static inline unsigned two(const char *p, unsigned *bad)
{
	unsigned high = (unsigned char)p[0] - (unsigned)'0', low = (unsigned char)p[1] - (unsigned)'0';
	*bad |= (high > 9) | (low > 9);
	return high * 10 + low;
}

bool etime_parse(struct str s, struct etime *ret, bool *ret_zoned)
{
	unsigned bad = 0;
	if (s.n < 19) return false;
	unsigned year = two(s.p, &bad) * 100 + two(s.p + 2, &bad), month = two(s.p + 5, &bad), day = two(s.p + 8, &bad);
	unsigned hour = two(s.p + 11, &bad), minute = two(s.p + 14, &bad), second = two(s.p + 17, &bad);
	bad |= (s.p[4] != '-') | (s.p[7] != '-') | (s.p[13] != ':') | (s.p[16] != ':');
	if (bad || (s.p[10] != 'T' && s.p[10] != 't' && s.p[10] != ' ')) return false;
	size_t at = 19;
	uint32_t nsec = 0, scale = 100000000;
	uint8_t digits = 0;
	if (at + 1 < s.n && (s.p[at] == '.' || s.p[at] == ',')) {
		for (at++; at < s.n && s.p[at] >= '0' && s.p[at] <= '9'; at++) {
			nsec += scale * (uint32_t)(s.p[at] - '0');
			scale /= 10;
			if (digits < 9) digits++;
		}
		if (!digits) return false;
	}
	while (at < s.n && s.p[at] == ' ') at++;
	int offset;
	bool zoned;
	if (!parse_zone(s, at, &offset, &zoned)) return false;
	struct civil c = {(int)year, month, day, hour, minute, second};
	struct etime t;
	if (!etime_from_civil(&c, nsec, digits, &t)) return false;
	t.sec -= offset;
	*ret = t;
	if (ret_zoned) *ret_zoned = zoned;
	return true;
}

static char *put(char *out, unsigned v, int digits)
{
	for (int i = digits - 1; i >= 0; i--, v /= 10) out[i] = (char)('0' + v % 10);
	return out + digits;
}

size_t etime_print(struct etime t, unsigned digits, char *out)
{
	char *p = out;
	*out = 0;
	if (!t.present) return 0;
	struct civil c = civil_from_sec(t.sec);
	int year = c.year;
	if (year < 0) *p++ = '-', year = -year;
	if (year > 9999) p = put(p, (unsigned)year, year > 99999999 ? 10 : year > 99999 ? 8 : 5);
	else p = put(p, (unsigned)year, 4);
	*p++ = '-', p = put(p, c.month, 2);
	*p++ = '-', p = put(p, c.day, 2);
	*p++ = 'T', p = put(p, c.hour, 2);
	*p++ = ':', p = put(p, c.minute, 2);
	*p++ = ':', p = put(p, c.second, 2);
	if (digits > 9) digits = 9;
	if (digits) {
		unsigned v = t.nsec;
		for (unsigned i = digits; i < 9; i++) v /= 10;
		*p++ = '.', p = put(p, v, (int)digits);
	}
	*p++ = 'Z';
	*p = 0;
	return (size_t)(p - out);
}
