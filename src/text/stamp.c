/* stamp.c: see stamp.h. */
#include "base/alloc.h"
#include "text/stamp.h"

enum { LOOK = 64, TAI_OFFSET = 10 /* what multilog and tai64n add to the system's clock: no leap seconds */ };

static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
static void skip(struct str *s, size_t n) { *s = str_sub(*s, n, s->n); }
static char at(struct str s, size_t i) { return i < s.n ? s.p[i] : '\0'; }

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static size_t count_digits(struct str s)
{
	size_t n = 0;
	while (n < s.n && digit(s.p[n])) n++;
	return n;
}

/* Exactly n digits at s[from]. */
static bool number(struct str s, size_t from, size_t n, unsigned *ret)
{
	*ret = 0;
	for (size_t i = from; i < from + n; i++) {
		if (!digit(at(s, i))) return false;
		*ret = *ret * 10 + (unsigned)(s.p[i] - '0');
	}
	return true;
}

static size_t skip_blanks(struct str *s)
{
	size_t n = 0;
	while (n < s->n && s->p[n] == ' ') n++;
	skip(s, n);
	return n;
}

static bool take_byte(struct str *s, char c)
{
	if (at(*s, 0) != c || !s->n) return false;
	skip(s, 1);
	return true;
}

/* Three bytes as a number, the first lowest. */
static uint32_t three(const char *p) { return (uint32_t)(uint8_t)p[0] | (uint32_t)(uint8_t)p[1] << 8 | (uint32_t)(uint8_t)p[2] << 16; }
#define THREE(a, b, c) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16)

unsigned stamp_month(struct str s)
{
	static const uint32_t months[] = {THREE('j', 'a', 'n'), THREE('f', 'e', 'b'), THREE('m', 'a', 'r'), THREE('a', 'p', 'r'), THREE('m', 'a', 'y'), THREE('j', 'u', 'n'),
		THREE('j', 'u', 'l'), THREE('a', 'u', 'g'), THREE('s', 'e', 'p'), THREE('o', 'c', 't'), THREE('n', 'o', 'v'), THREE('d', 'e', 'c')};
	uint32_t word = s.n >= 3 ? three(s.p) | THREE(0x20, 0x20, 0x20) : 0;
	for (unsigned m = 0; m < 12; m++)
		if (word == months[m]) return m + 1;
	return 0;
}

static bool is_weekday(struct str s)
{
	static const uint32_t days[] = {THREE('M', 'o', 'n'), THREE('T', 'u', 'e'), THREE('W', 'e', 'd'), THREE('T', 'h', 'u'), THREE('F', 'r', 'i'), THREE('S', 'a', 't'), THREE('S', 'u', 'n')};
	if (s.n < 4 || (s.p[3] != ' ' && s.p[3] != ',')) return false;
	for (unsigned d = 0; d < 7; d++)
		if (three(s.p) == days[d]) return true;
	return false;
}

bool stamp_clock(struct str *s, struct civil *c, uint32_t *nsec, uint8_t *digits)
{
	struct str r = *s;
	size_t n = count_digits(r);
	unsigned hour, minute, second;
	if (n < 1 || n > 2 || !number(r, 0, n, &hour) || at(r, n) != ':' || !number(r, n + 1, 2, &minute) || at(r, n + 3) != ':' || !number(r, n + 4, 2, &second)) return false;
	if (hour > 23 || minute > 59 || second > 60 || digit(at(r, n + 6))) return false;
	c->hour = hour;
	c->minute = minute;
	c->second = second;
	*nsec = 0;
	*digits = 0;
	skip(&r, n + 6);
	if ((at(r, 0) == '.' || at(r, 0) == ',') && digit(at(r, 1))) {
		skip(&r, 1);
		for (uint32_t scale = 100000000; digit(at(r, 0)); skip(&r, 1), scale /= 10) {
			if (*digits == 9) continue;
			*nsec += scale * (uint32_t)(r.p[0] - '0');
			++*digits;
		}
	}
	*s = r;
	return true;
}

/* The clock, and "PM" behind it. */
static bool take_clock(struct str *s, struct stamp *t)
{
	if (!stamp_clock(s, &t->c, &t->nsec, &t->digits)) return false;
	unsigned ms;
	if (!t->digits && at(*s, 0) == ':' && number(*s, 1, 3, &ms) && at(*s, 4) == '|') {
		t->nsec = ms * 1000000;
		t->digits = 3;
		skip(s, 4);
	}
	bool pm = str_starts(*s, STR(" PM")), am = str_starts(*s, STR(" AM"));
	if ((!pm && !am) || t->c.hour > 12) return true;
	t->c.hour = t->c.hour % 12 + (pm ? 12 : 0);
	skip(s, 3);
	return true;
}

/* Z, UTC, GMT, +hh[:]mm, with a blank before it or not. */
static void take_zone(struct str *s, struct stamp *t)
{
	struct str r = *s;
	unsigned h, m = 0;
	bool blank = take_byte(&r, ' ');
	if (str_starts(r, STR("UTC")) || str_starts(r, STR("GMT"))) {
		skip(&r, 3);
	} else if (at(r, 0) == 'Z' && !blank) {
		skip(&r, 1);
	} else if ((at(r, 0) == '+' || at(r, 0) == '-') && number(r, 1, 2, &h)) {
		bool west = r.p[0] == '-';
		skip(&r, 3);
		bool colon = take_byte(&r, ':');
		if (number(r, 0, 2, &m)) skip(&r, 2);
		else if (blank || colon) return;
		if (h > 14 || m > 59 || digit(at(r, 0))) return;
		t->zone = (int32_t)(h * 3600 + m * 60) * (west ? -1 : 1);
	} else {
		return;
	}
	t->zoned = true;
	*s = r;
}

static bool is_date(const struct civil *c) { return c->month >= 1 && c->month <= 12 && c->day >= 1 && c->day <= 31; }

/* Between date and clock. */
static bool take_separator(struct str *s)
{
	if (at(*s, 0) == 'T' || at(*s, 0) == '-' || at(*s, 0) == ':') return skip(s, 1), true;
	take_byte(s, ',');
	if (str_starts(*s, STR(" - "))) return skip(s, 3), true;
	return skip_blanks(s) > 0;
}

/* yyyy-mm-dd, or with / . : between, all three alike. */
static bool take_year_first(struct str *s, struct stamp *t)
{
	unsigned year;
	char mark = at(*s, 4);
	if (!number(*s, 0, 4, &year) || (mark != '-' && mark != '/' && mark != '.' && mark != ':') || at(*s, 7) != mark) return false;
	if (!number(*s, 5, 2, &t->c.month) || !number(*s, 8, 2, &t->c.day) || !is_date(&t->c)) return false;
	t->c.year = (int)year;
	skip(s, 10);
	if (!take_separator(s) || !take_clock(s, t)) return false;
	take_zone(s, t);
	return true;
}

/* hhmmss and a blank, behind yymmdd. */
static bool take_packed_clock(struct str *s, struct stamp *t)
{
	if (!number(*s, 0, 2, &t->c.hour) || !number(*s, 2, 2, &t->c.minute) || !number(*s, 4, 2, &t->c.second) || at(*s, 6) != ' ' ||
		t->c.hour > 23 || t->c.minute > 59 || t->c.second > 60) return false;
	skip(s, 6);
	return true;
}

/* yyyymmdd or yymmdd. */
static bool take_packed(struct str *s, size_t n, struct stamp *t)
{
	unsigned year;
	if (!number(*s, 0, n - 4, &year) || !number(*s, n - 4, 2, &t->c.month) || !number(*s, n - 2, 2, &t->c.day) || !is_date(&t->c)) return false;
	t->c.year = n == 8 ? (int)year : (int)(year < 70 ? 2000 + year : 1900 + year);
	skip(s, n);
	if (!take_separator(s)) return false;
	if (n == 6 && take_packed_clock(s, t)) return true;
	if (!take_clock(s, t)) return false;
	take_zone(s, t);
	return true;
}

/* yy/mm/dd clock LEVEL */
static bool take_short_year(struct str *s, struct stamp *t)
{
	static const char *const levels[] = {" INFO ", " WARN ", " ERROR ", " DEBUG ", " FATAL ", " TRACE "};
	unsigned year;
	struct str r = str_sub(*s, 8, s->n);
	if (at(*s, 2) != '/' || at(*s, 5) != '/' || at(*s, 8) != ' ' || !number(*s, 0, 2, &year) || !number(*s, 3, 2, &t->c.month) || !number(*s, 6, 2, &t->c.day) || !is_date(&t->c)) return false;
	if (!take_separator(&r) || !take_clock(&r, t)) return false;
	bool level = false;
	for (size_t i = 0; i < COUNT(levels); i++) level |= str_starts(r, str_of(levels[i]));
	if (!level) return false;
	t->c.year = (int)(year < 70 ? 2000 + year : 1900 + year);
	*s = r;
	return true;
}

/* dd/Mon/yyyy, dd-mm-yyyy, mm/dd/yyyy; or mm-dd without a year. */
static bool take_day_or_month(struct str *s, bool day_first, struct stamp *t)
{
	size_t n = count_digits(*s), m;
	unsigned first, second, year;
	char mark = at(*s, n);
	if (n < 1 || n > 2 || !number(*s, 0, n, &first) || (mark != '/' && mark != '-' && mark != '.' && mark != ' ')) return false;
	struct str r = str_sub(*s, n + 1, s->n);
	if ((t->c.month = stamp_month(r))) {
		/* Other languages write "sept." */
		t->c.day = first;
		for (int i = 0; i < 6 && (i < 3 || is_letter(at(r, 0)) || at(r, 0) == '.'); i++) skip(&r, 1);
	} else {
		m = count_digits(r);
		if (mark == ' ' || m < 1 || m > 2 || !number(r, 0, m, &second)) return false;
		skip(&r, m);
		bool is_year = at(r, 0) == mark;
		if (first > 12) day_first = true;
		if (second > 12 || !is_year) day_first = false;
		if (is_year) t->order = first > 12 ? STAMP_DAY_FIRST : second > 12 ? STAMP_MONTH_FIRST : STAMP_EITHER;
		t->mark = mark;
		t->c.day = day_first ? first : second;
		t->c.month = day_first ? second : first;
	}
	if (at(r, 0) == mark && number(r, 1, 4, &year)) {
		t->c.year = (int)year;
		skip(&r, 5);
	}
	if (!is_date(&t->c) || !take_separator(&r) || !take_clock(&r, t)) return false;
	take_zone(&r, t);
	*s = r;
	return true;
}

/* A year at the front that is no part of a longer number or clock. */
static bool take_year(struct str *s, struct stamp *t)
{
	unsigned year;
	char after = at(*s, 4);
	if (t->c.year || !number(*s, 0, 4, &year) || year < 1970 || (after != ' ' && after != ',' && after != ']' && after != ':' && s->n > 4)) return false;
	t->c.year = (int)year;
	skip(s, 4);
	return true;
}

/* -dd-yy clock, behind the month. */
static bool take_dashes(struct str *s, struct str r, struct stamp *t)
{
	unsigned year;
	if (!number(r, 1, 2, &t->c.day) || !number(r, 4, 2, &year) || !is_date(&t->c)) return false;
	t->c.year = (int)(year < 70 ? 2000 + year : 1900 + year);
	skip(&r, 6);
	if (!skip_blanks(&r) || !take_clock(&r, t)) return false;
	*s = r;
	return true;
}

/* [Wed ][yyyy ]Mon dd[, yyyy] clock[ CET][ yyyy]; one word of capitals may stand first. */
static bool take_month_first(struct str *s, struct stamp *t)
{
	struct str r = *s;
	if (is_weekday(r)) {
		skip(&r, 4);
		skip_blanks(&r);
	} else if (!stamp_month(r)) {
		size_t n = 0;
		while (n < 5 && at(r, n) >= 'A' && at(r, n) <= 'Z') n++;
		if (n) {
			if (at(r, n) != ' ') return false;
			skip(&r, n + 1);
		}
	}
	if (take_year(&r, t)) skip_blanks(&r);
	if (!(t->c.month = stamp_month(r))) return false;
	skip(&r, 3);
	if (at(r, 0) == '-' && at(r, 3) == '-') return take_dashes(s, r, t);
	if (!skip_blanks(&r)) return false;
	size_t n = count_digits(r);
	if (n < 1 || n > 2 || !number(r, 0, n, &t->c.day) || !is_date(&t->c)) return false;
	skip(&r, n);
	take_byte(&r, ',');
	if (!skip_blanks(&r)) return false;
	if (take_year(&r, t) && !skip_blanks(&r)) return false;
	if (!take_clock(&r, t)) return false;
	take_zone(&r, t);
	/* "CET 2021", "2021" */
	struct str behind = r;
	size_t word = 0;
	if (take_byte(&behind, ' ')) {
		while (word < 5 && at(behind, word) >= 'A' && at(behind, word) <= 'Z') word++;
		if (word && at(behind, word) == ' ') skip(&behind, word + 1);
		if (take_year(&behind, t)) r = behind;
	}
	*s = r;
	return true;
}

/* Seconds since 1970, in a time when logs were written. */
static bool take_seconds(struct str *s, struct stamp *t)
{
	unsigned sec;
	if (!number(*s, 0, 10, &sec) || sec < 100000000) return false;
	struct str r = str_sub(*s, 10, s->n);
	if (take_byte(&r, '.')) {
		size_t n = count_digits(r);
		unsigned part;
		if (n < 1 || n > 9 || !number(r, 0, n, &part)) return false;
		t->digits = (uint8_t)n;
		for (t->nsec = part; n < 9; n++) t->nsec *= 10;
		skip(&r, count_digits(r));
	}
	if (r.n && at(r, 0) != ' ' && at(r, 0) != '\t' && at(r, 0) != ']' && at(r, 0) != ':') return false;
	t->c = civil_from_sec(sec);
	t->zoned = true;
	*s = r;
	return true;
}

/* Big-endian 64 bits of seconds, 32 of nanoseconds, in hexadecimal. */
static bool take_tai64n(struct str *s, struct stamp *t)
{
	uint64_t sec = 0, nsec = 0;
	for (size_t i = 0; i < 24; i++) {
		char c = at(*s, i);
		if (!digit(c) && !(c >= 'a' && c <= 'f')) return false;
		uint64_t v = (uint64_t)(digit(c) ? c - '0' : c - 'a' + 10);
		if (i < 16) sec = sec << 4 | v;
		else nsec = nsec << 4 | v;
	}
	if (sec < (1ull << 62) || sec - (1ull << 62) > 1ull << 33 || nsec > 999999999) return false;
	skip(s, 24);
	t->c = civil_from_sec((int64_t)(sec - (1ull << 62)) - TAI_OFFSET);
	t->nsec = (uint32_t)nsec;
	t->digits = 9;
	t->zoned = true;
	return true;
}

/* 12345.678901 within brackets. */
static bool take_uptime(struct str *s)
{
	struct str r = *s;
	skip_blanks(&r);
	size_t n = count_digits(r), m;
	if (!n || at(r, n) != '.' || !(m = count_digits(str_sub(r, n + 1, r.n))) || at(r, n + 1 + m) != ']') return false;
	*s = str_sub(r, n + 1 + m, r.n);
	return true;
}

static bool take_bare(struct str *s, bool day_first, struct stamp *t)
{
	size_t n = count_digits(*s);
	if (take_byte(s, '@')) return take_tai64n(s, t);
	if (!n) return take_month_first(s, t);
	if (n == 10) return take_seconds(s, t);
	if (n == 8 || n == 6) return take_packed(s, n, t);
	if (n == 4 && at(*s, 4) == ' ') return take_month_first(s, t);
	if (n == 4) return take_year_first(s, t);
	if (n <= 2 && at(*s, n) == ':') return take_clock(s, t) && at(*s, 0) != ':';
	struct stamp before = *t;
	if (n == 2 && take_short_year(s, t)) return true;
	*t = before;
	return take_day_or_month(s, day_first, t);
}

/* t=, ts=, time= */
static bool take_name(struct str *s)
{
	static const char *const names[] = {"t=", "ts=", "time="};
	for (size_t i = 0; at(*s, 0) == 't' && i < COUNT(names); i++)
		if (str_starts(*s, str_of(names[i]))) return skip(s, strlen(names[i])), true;
	return false;
}

/* Mostly it does: with one longer than the names of months and days, and not with "time=". */
static bool begins_with_word(struct str s)
{
	return s.n > 3 && letter(s.p[0]) && s.p[0] != 't' && s.p[1] >= 'a' && s.p[1] <= 'z' && letter(s.p[3]);
}

bool stamp_take(struct str line, bool day_first, struct stamp *ret)
{
	if (begins_with_word(line)) return false;
	struct stamp t = {.n = 0};
	struct str s = str_sub(line, 0, LOOK);
	if (at(s, 0) == '<' && at(s, 2) == '>') skip(&s, 3);
	if (at(s, 0) == 'L' && at(s, 1) == ' ' && digit(at(s, 2))) skip(&s, 2);
	bool bracket = take_byte(&s, '['), quote = take_name(&s) && take_byte(&s, '"');
	t.uptime = bracket && take_uptime(&s);
	if (!t.uptime && !take_bare(&s, day_first, &t)) return false;
	if ((bracket && !take_byte(&s, ']')) || (quote && !take_byte(&s, '"'))) return false;
	char after = at(s, 0);
	if (s.n && !bracket && after != ' ' && after != '\t' && after != ':' && after != '|' && after != ',' && after != ';') return false;
	take_byte(&s, ':');
	skip_blanks(&s);
	take_byte(&s, '\t');
	t.n = (size_t)(s.p - line.p);
	*ret = t;
	return true;
}

struct etime stamp_time(const struct stamp *s, int year)
{
	struct etime t = {.present = false};
	struct civil c = s->c;
	if (!c.month) return t;
	if (!c.year) {
		c.year = year;
		if (c.day > civil_days_in_month(year, c.month)) c.day = civil_days_in_month(year, c.month);
	}
	if (etime_from_civil(&c, s->nsec, s->digits, &t)) t.sec -= s->zone;
	return t;
}

bool stamp_day_first(struct str text)
{
	struct stamp t;
	char mark = '\0';
	while (text.p) {
		if (!stamp_take(str_cut(&text, '\n'), false, &t) || t.order == STAMP_NO_ORDER) continue;
		if (t.order != STAMP_EITHER) return t.order == STAMP_DAY_FIRST;
		if (!mark) mark = t.mark;
	}
	return mark == '-' || mark == '.';
}
