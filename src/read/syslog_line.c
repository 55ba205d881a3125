/* syslog_line.c: see syslog_internal.h. */
#include "read/syslog_internal.h"

static bool digit(char c) { return c >= '0' && c <= '9'; }

/* Exactly two digits at p. */
static bool two(const char *p, unsigned *ret)
{
	if (!digit(p[0]) || !digit(p[1])) return false;
	*ret = (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
	return true;
}

static unsigned month_at(const char *p)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	for (unsigned m = 0; m < 12; m++)
		if (months[3 * m] == p[0] && months[3 * m + 1] == p[1] && months[3 * m + 2] == p[2]) return m + 1;
	return 0;
}

static void skip(struct str *s, size_t n) { *s = str_sub(*s, n, s->n); }

static void skip_blanks(struct str *s)
{
	while (s->n && s->p[0] == ' ') skip(s, 1);
}

/* <PRI>, up to three digits, at most 191 (RFC 3164 4.1.1). */
static bool take_priority(struct str *s, int16_t *ret)
{
	*ret = -1;
	if (!s->n || s->p[0] != '<') return true;
	size_t end = str_find_byte(str_sub(*s, 0, 5), '>', 1);
	uint64_t v;
	if (end == SIZE_MAX || !str_u64(str_sub(*s, 1, end - 1), &v) || v > 191) return false;
	*ret = (int16_t)v;
	skip(s, end + 1);
	return true;
}

/* hh:mm:ss[.fraction] at the front. */
static bool take_clock(struct str *s, struct civil *c, uint32_t *nsec, uint8_t *digits)
{
	if (s->n < 8 || !two(s->p, &c->hour) || s->p[2] != ':' || !two(s->p + 3, &c->minute) || s->p[5] != ':' || !two(s->p + 6, &c->second)) return false;
	skip(s, 8);
	*nsec = 0;
	*digits = 0;
	if (s->n < 2 || s->p[0] != '.' || !digit(s->p[1])) return true;
	skip(s, 1);
	for (uint32_t scale = 100000000; s->n && digit(s->p[0]); skip(s, 1), scale /= 10) {
		if (*digits == 9) continue;
		*nsec += scale * (uint32_t)(s->p[0] - '0');
		++*digits;
	}
	return true;
}

static unsigned days_in(int year, unsigned month)
{
	return (unsigned)(civil_to_days(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1) - civil_to_days(year, month, 1));
}

/* Mmm dd [yyyy] hh:mm:ss */
static bool take_classic_time(struct str *s, int year, struct syslog_line *l)
{
	struct civil c = {.year = year};
	uint32_t nsec;
	uint8_t digits;
	uint64_t written;
	if (s->n < 15 || !(c.month = month_at(s->p)) || s->p[3] != ' ') return false;
	skip(s, 4);
	bool padded = s->p[0] == ' ';
	if (padded) skip(s, 1);
	if (!digit(s->p[0])) return false;
	c.day = (unsigned)(s->p[0] - '0');
	skip(s, 1);
	if (s->n && digit(s->p[0]) && !padded) {
		c.day = c.day * 10 + (unsigned)(s->p[0] - '0');
		skip(s, 1);
	}
	if (!s->n || s->p[0] != ' ') return false;
	skip(s, 1);
	l->yearless = !(s->n > 5 && s->p[4] == ' ' && str_u64(str_sub(*s, 0, 4), &written));
	if (!l->yearless) {
		c.year = (int)written;
		skip(s, 5);
	}
	if (!take_clock(s, &c, &nsec, &digits)) return false;
	l->month = (uint8_t)c.month;
	if (l->yearless && c.month == 2 && c.day == 29 && days_in(c.year, 2) < 29) c.day = 28;
	return etime_from_civil(&c, nsec, digits, &l->time);
}

/* The word at the front, up to a blank. */
static struct str take_word(struct str *s)
{
	struct str word = str_cut(s, ' ');
	if (!s->p) *s = (struct str){word.p + word.n, 0};
	return word;
}

/* yyyy-mm-ddThh:mm:ss or the same with a blank for T, with or without zone. */
static bool take_iso_time(struct str *s, struct syslog_line *l)
{
	if (s->n < 19 || !digit(s->p[0]) || s->p[4] != '-' || s->p[7] != '-') return false;
	size_t end = str_find_byte(*s, ' ', s->p[10] == ' ' ? 11 : 0);
	if (end == SIZE_MAX) end = s->n;
	struct str word = str_sub(*s, 0, end);
	if (word.n && word.p[word.n - 1] == ':') word.n--;
	if (!etime_parse(word, &l->time, &l->zoned)) return false;
	skip(s, end);
	return true;
}

static bool tag_byte(char c)
{
	return (unsigned char)c > ' ' && c != ':' && c != '[' && c != ']' && c != '"' && c != '=' && c != ',' && c != ';' && (unsigned char)c < 0x7f;
}

/* PROGRAM[(part)][[PID]]: at the front; false: something else stands there. */
static bool take_tag(struct str *s, struct syslog_line *l)
{
	size_t n = 0;
	while (n < s->n && n < 128 && tag_byte(s->p[n])) n++;
	if (!n || n == s->n) return false;
	struct str program = str_sub(*s, 0, n), rest = str_sub(*s, n, s->n), pid = {NULL, 0};
	if (rest.p[0] == '[') {
		size_t end = str_find_byte(str_sub(rest, 0, 40), ']', 1);
		if (end == SIZE_MAX) return false;
		pid = str_sub(rest, 1, end - 1);
		skip(&rest, end + 1);
	}
	if (rest.n && rest.p[0] == ':') skip(&rest, 1);
	else if (!pid.p || (rest.n && rest.p[0] != ' ')) return false;
	size_t paren = str_find_byte(program, '(', 1);
	if (paren != SIZE_MAX && program.p[program.n - 1] == ')') {
		l->part = str_sub(program, paren + 1, program.n - paren - 2);
		program.n = paren;
	}
	l->program = program;
	l->pid = pid;
	*s = rest;
	if (s->n && s->p[0] == ' ') skip(s, 1);
	return true;
}

static void take_rest(struct str *s, struct syslog_line *l)
{
	struct str before = *s;
	skip_blanks(s);
	if (take_tag(s, l)) {
		l->message = *s;
		return;
	}
	struct str host = take_word(s);
	if (!host.n || str_starts(before, STR(" last message repeated "))) {
		l->message = before;
		return;
	}
	l->host = host;
	skip_blanks(s);
	take_tag(s, l);
	l->message = *s;
}

/* Behind the element [id name="value"...] that begins at `at`; a quote or "]" within a value is escaped (RFC 5424 6.3.3). */
static size_t element_end(struct str s, size_t at)
{
	bool quoted = false;
	for (; at < s.n; at++) {
		if (quoted && s.p[at] == '\\') at++;
		else if (s.p[at] == '"') quoted = !quoted;
		else if (!quoted && s.p[at] == ']') return at + 1;
	}
	return s.n;
}

/* The structured data at the front: "-", or elements one behind the other. */
static struct str take_data(struct str *s)
{
	size_t at = 0;
	if (s->n && s->p[0] == '-') at = 1;
	else while (at < s->n && s->p[at] == '[') at = element_end(*s, at);
	struct str data = str_sub(*s, 0, at);
	skip(s, at);
	if (s->n && s->p[0] == ' ') skip(s, 1);
	return data;
}

static struct str not_dash(struct str s) { return str_eq(s, STR("-")) ? (struct str){NULL, 0} : s; }

static bool parse_5424(struct str s, struct syslog_line *l)
{
	skip(&s, 2);
	struct str time = take_word(&s);
	if (!str_eq(time, STR("-")) && !etime_parse(time, &l->time, &l->zoned)) return false;
	l->rfc5424 = true;
	l->host = not_dash(take_word(&s));
	l->program = not_dash(take_word(&s));
	l->pid = not_dash(take_word(&s));
	l->msgid = not_dash(take_word(&s));
	l->data = not_dash(take_data(&s));
	if (str_starts(s, STR("\xef\xbb\xbf"))) skip(&s, 3);
	l->message = s;
	return true;
}

/* HOST PROGRAM[PID]: MESSAGE, as journals are written out without their times. */
static bool parse_timeless(struct str s, struct syslog_line *l)
{
	uint64_t pid;
	l->host = take_word(&s);
	return l->host.n && tag_byte(l->host.p[0]) && str_find_byte(l->host, ':', 0) == SIZE_MAX && take_tag(&s, l) && str_u64(l->pid, &pid) && (l->message = s, true);
}

bool syslog_parse(struct str line, int year, struct syslog_line *l)
{
	*l = (struct syslog_line){.priority = -1};
	struct str s = line;
	if (!take_priority(&s, &l->priority)) return false;
	if (l->priority >= 0 && str_starts(s, STR("1 "))) return parse_5424(s, l);
	if (!take_classic_time(&s, year, l) && !take_iso_time(&s, l)) return parse_timeless(s, l);
	if (s.n && s.p[0] == ':') skip(&s, 1);
	if (s.n && s.p[0] != ' ') return false;
	take_rest(&s, l);
	return true;
}

unsigned syslog_month(struct str line)
{
	struct syslog_line l = {.priority = -1};
	struct str s = str_sub(line, 0, 64);
	if (!take_priority(&s, &l.priority) || !take_classic_time(&s, 2000, &l)) return 0;
	return l.yearless ? l.month : 0;
}
