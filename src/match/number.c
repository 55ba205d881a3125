/* number.c: what texts mean as numbers, addresses and times. See leaf_internal.h. */
#include "match/leaf_internal.h"
#include <math.h>
#include <stdlib.h>

static bool digit(char c) { return c >= '0' && c <= '9'; }

/* [-]digits[.digits]; *ret_whole: no point in it. */
static bool strict_decimal(struct str s, bool *ret_whole)
{
	size_t i = s.n && s.p[0] == '-', first = i;
	while (i < s.n && digit(s.p[i])) i++;
	if (i == first) return false;
	*ret_whole = i == s.n;
	if (*ret_whole) return true;
	if (s.p[i++] != '.' || i == s.n) return false;
	while (i < s.n && digit(s.p[i])) i++;
	return i == s.n;
}

bool number_of_text(struct str s, struct number *ret)
{
	char copy[NUMBER_MAX_TEXT + 1];
	bool whole;
	if (s.n > NUMBER_MAX_TEXT || !strict_decimal(s, &whole)) return false;
	if (whole && str_i64(s, &ret->i)) {
		ret->kind = NUMBER_INT;
		return true;
	}
	if (whole && str_u64(s, &ret->u)) {
		ret->kind = NUMBER_UINT;
		return true;
	}
	memcpy(copy, s.p, s.n);
	copy[s.n] = 0;
	*ret = (struct number){NUMBER_REAL, .r = strtod(copy, NULL)};
	return true;
}

bool number_of_value(const struct value *v, struct number *ret)
{
	if (v->kind == VALUE_STR) return number_of_text(v->text, ret);
	if (v->kind == VALUE_INT || (v->kind == VALUE_UINT && v->u <= INT64_MAX)) *ret = (struct number){NUMBER_INT, .i = v->i};
	else if (v->kind == VALUE_UINT) *ret = (struct number){NUMBER_UINT, .u = v->u};
	else if (v->kind == VALUE_REAL) *ret = (struct number){NUMBER_REAL, .r = v->r};
	else return false;
	return true;
}

/* <0, 0, >0 of an integer against a real that is not NaN, exactly. */
static int int_cmp_real(int64_t i, double r)
{
	if (r >= 9223372036854775808.0) return -1;
	if (r < -9223372036854775808.0) return 1;
	double floor_r = floor(r);
	int64_t whole = (int64_t)floor_r;
	if (i != whole) return i < whole ? -1 : 1;
	return r > floor_r ? -1 : 0;
}

static int uint_cmp_real(uint64_t u, double r)
{
	/* u is above INT64_MAX: every double here is whole. */
	if (r >= 18446744073709551616.0) return -1;
	if (r < 9223372036854775808.0) return 1;
	uint64_t whole = (uint64_t)r;
	return (u > whole) - (u < whole);
}

static int number_cmp(const struct number *n, const struct leaf *l)
{
	if (n->kind == NUMBER_REAL) {
		if (l->is_integer) return -int_cmp_real(l->integer, n->r);
		return (n->r > l->real) - (n->r < l->real);
	}
	if (n->kind == NUMBER_UINT) return l->is_integer ? 1 : uint_cmp_real(n->u, l->real);
	if (!l->is_integer) return int_cmp_real(n->i, l->real);
	return (n->i > l->integer) - (n->i < l->integer);
}

bool number_holds(const struct number *n, enum compare_op op, const struct leaf *l)
{
	if ((n->kind == NUMBER_REAL && isnan(n->r)) || (!l->is_integer && l->kind != LEAF_TIMEPART && isnan(l->real))) return false;
	int c = l->kind == LEAF_TIMEPART ? (n->i > l->integer) - (n->i < l->integer) : number_cmp(n, l);
	switch (op) {
	case COMPARE_EQ: return c == 0;
	case COMPARE_GT: return c > 0;
	case COMPARE_GTE: return c >= 0;
	case COMPARE_LT: return c < 0;
	case COMPARE_LTE: return c <= 0;
	}
	return false;
}

/* Dotted quad: exactly the whole of s. */
static bool parse_quad(struct str s, uint8_t out[4])
{
	size_t at = 0;
	for (int i = 0; i < 4; i++) {
		unsigned v = 0;
		size_t first = at;
		if (i && (at >= s.n || s.p[at++] != '.')) return false;
		first = at;
		while (at < s.n && digit(s.p[at]) && at - first < 3) v = v * 10 + (unsigned)(s.p[at++] - '0');
		if (at == first || v > 255 || (at - first > 1 && s.p[first] == '0')) return false;
		out[i] = (uint8_t)v;
	}
	return at == s.n;
}

static int hex_digit(char c)
{
	if (digit(c)) return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to four hex digits at s[*at]; false when there is none or a fifth. */
static bool parse_group(struct str s, size_t *at, unsigned *ret)
{
	size_t first = *at;
	*ret = 0;
	while (*at < s.n && hex_digit(s.p[*at]) >= 0) {
		if (*at - first == 4) return false;
		*ret = *ret << 4 | (unsigned)hex_digit(s.p[(*at)++]);
	}
	return *at > first;
}

/* Groups of s into out[16]; *ret_gap is the byte where '::' stood, or -1. Returns the bytes written, -1 when it is no address. */
static int parse_groups(struct str s, uint8_t out[16], int *ret_gap)
{
	int n = 0;
	size_t at = 0;
	*ret_gap = -1;
	if (s.n >= 2 && s.p[0] == ':' && s.p[1] == ':') *ret_gap = 0, at = 2;
	while (at < s.n) {
		unsigned group;
		size_t first = at;
		if (n == 16 || !parse_group(s, &at, &group)) return -1;
		if (at < s.n && s.p[at] == '.') {
			if (n > 12 || !parse_quad(str_sub(s, first, SIZE_MAX), out + n)) return -1;
			return n + 4;
		}
		out[n++] = (uint8_t)(group >> 8);
		out[n++] = (uint8_t)group;
		if (at == s.n) return n;
		if (s.p[at++] != ':' || at == s.n) return -1;
		if (s.p[at] != ':') continue;
		if (*ret_gap >= 0) return -1;
		*ret_gap = n;
		at++;
	}
	return n;
}

bool address_parse(struct str s, struct address *ret)
{
	*ret = (struct address){0};
	if (s.n < 2 || s.n > 45) return false;
	if (parse_quad(s, ret->bytes)) return true;
	memset(ret->bytes, 0, sizeof ret->bytes);
	ret->v6 = true;
	int gap, n = parse_groups(s, ret->bytes, &gap);
	if (n < 0 || (gap < 0 && n != 16) || (gap >= 0 && n == 16)) return false;
	if (gap < 0) return true;
	memmove(ret->bytes + 16 - (n - gap), ret->bytes + gap, (size_t)(n - gap));
	memset(ret->bytes + gap, 0, (size_t)(16 - n));
	return true;
}

bool address_in(const struct address *a, const struct leaf *l)
{
	unsigned bits = l->net_bits, size = l->net_v6 ? 128 : 32;
	if (a->v6 != l->net_v6) return false;
	if (bits > size) bits = size;
	if (memcmp(a->bytes, l->net, bits / 8)) return false;
	return bits % 8 == 0 || ((a->bytes[bits / 8] ^ l->net[bits / 8]) & (0xff00 >> bits % 8) & 0xff) == 0;
}

/* Seconds since 1970 of a value, for its parts. */
static bool seconds_of(const struct value *v, int64_t *ret)
{
	struct number n;
	struct etime t;
	if (number_of_value(v, &n)) {
		double r = n.kind == NUMBER_INT ? (double)n.i : n.kind == NUMBER_UINT ? (double)n.u : n.r;
		if (isnan(r) || fabs(r) > 1e15) return false;
		*ret = (int64_t)floor(fabs(r) > 1e12 ? r / 1000 : r);
		return true;
	}
	if (v->kind != VALUE_STR) return false;
	if (etime_parse(v->text, &t, NULL)) {
		*ret = t.sec;
		return true;
	}
	char day[] = "2000-01-01T00:00:00";
	if (v->text.n != 10) return false;
	memcpy(day, v->text.p, 10);
	if (!etime_parse(STR(day), &t, NULL)) return false;
	*ret = t.sec;
	return true;
}

/* ISO 8601: the week of a day is the week of its Thursday in that Thursday's year. */
static int64_t iso_week(int64_t sec)
{
	int64_t days = sec / 86400 - (sec % 86400 < 0);
	int64_t weekday = ((days + 3) % 7 + 7) % 7, thursday = days - weekday + 3;
	return (thursday - civil_to_days(civil_from_sec(thursday * 86400).year, 1, 1)) / 7 + 1;
}

bool time_part_of(const struct value *v, enum time_part part, int64_t *ret)
{
	int64_t sec;
	if (!seconds_of(v, &sec)) return false;
	struct civil c = civil_from_sec(sec);
	switch (part) {
	case TIME_MINUTE: *ret = c.minute; break;
	case TIME_HOUR: *ret = c.hour; break;
	case TIME_DAY: *ret = c.day; break;
	case TIME_WEEK: *ret = iso_week(sec); break;
	case TIME_MONTH: *ret = c.month; break;
	case TIME_YEAR: *ret = c.year; break;
	}
	return true;
}
