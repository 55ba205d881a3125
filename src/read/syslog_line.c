/* syslog_line.c: see syslog_internal.h. */
#include "read/syslog_internal.h"
#include "text/stamp.h"

static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool alnum(char c) { return digit(c) || alpha(c); }

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

/* Mmm dd [yyyy] hh:mm:ss [yyyy] */
static bool take_classic_time(struct str *s, int year, struct syslog_line *l)
{
	struct civil c = {.year = year};
	uint32_t nsec;
	uint8_t digits;
	uint64_t written;
	if (s->n < 15 || !(c.month = stamp_month(*s)) || s->p[3] != ' ') return false;
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
	if (!stamp_clock(s, &c, &nsec, &digits)) return false;
	if (l->yearless && s->n > 6 && s->p[0] == ' ' && s->p[5] == ' ' && str_u64(str_sub(*s, 1, 4), &written) && written >= 1970) {
		l->yearless = false;
		c.year = (int)written;
		skip(s, 5);
	}
	l->month = (uint8_t)c.month;
	if (l->yearless && c.month == 2 && c.day == 29 && civil_days_in_month(c.year, 2) < 29) c.day = 28;
	return etime_from_civil(&c, nsec, digits, &l->time);
}

/* Mmm dd hh:mm:ss yyyy, yyyy Mmm dd hh:mm:ss; with the day of the week before or without. */
static bool take_other_time(struct str *s, struct syslog_line *l)
{
	struct stamp t;
	if (!s->n || s->p[0] == '[' || !stamp_take(*s, false, &t) || !t.c.year || t.order != STAMP_NO_ORDER || t.nsec) return false;
	size_t month = 0;
	while (month < t.n && !stamp_month(str_sub(*s, month, t.n - month))) month++;
	if (month == t.n) return false;
	l->time = stamp_time(&t, t.c.year);
	l->zoned = t.zoned;
	skip(s, t.n);
	return true;
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
	skip(s, word.n);
	return true;
}

/* 1: part of a program's name: printable, none of : [ ] " = , ; */
static const unsigned char tag_bytes[256] = {
	['!'] = 1, ['#' ... '+'] = 1, ['-' ... '9'] = 1, ['<'] = 1, ['>' ... 'Z'] = 1, ['\\'] = 1, ['^' ... '~'] = 1};
static bool tag_byte(char c) { return tag_bytes[(unsigned char)c]; }

enum { TAG_PID = 40 };

/* PROGRAM[(part)][[PID]]: at the front; false: something else stands there. */
static bool take_tag(struct str *s, struct syslog_line *l)
{
	enum { PROGRAM = 128 };
	const char *p = s->p, *end = p + s->n, *at = p, *far = s->n < PROGRAM ? end : p + PROGRAM;
	while (at < far && tag_byte(*at)) at++;
	if (at == p || at == end || (*p == '(' && *at != '[')) return false;
	struct str program = {p, (size_t)(at - p)}, pid = {NULL, 0};
	if (*at == '[') {
		pid.p = ++at;
		far = end - at < TAG_PID ? end : at + TAG_PID - 1;
		while (at < far && *at != ']') at++;
		if (at == far) return false;
		pid.n = (size_t)(at++ - pid.p);
	}
	if (at < end && *at == ':') at++;
	else if (!pid.p || (at < end && *at != ' ')) return false;
	size_t paren = program.p[program.n - 1] == ')' ? str_find_byte(program, '(', 1) : SIZE_MAX;
	if (paren != SIZE_MAX) {
		l->part = str_sub(program, paren + 1, program.n - paren - 2);
		program.n = paren;
	}
	l->program = program;
	l->pid = pid;
	if (at < end && *at == ' ') at++;
	*s = (struct str){at, (size_t)(end - at)};
	return true;
}

/* [ID 702911 auth.info] of Solaris, <auth.info> of FreeBSD's and BusyBox's daemons: passed over. */
static void skip_priority_words(struct str *s)
{
	char close = str_starts(*s, STR("[ID ")) ? ']' : s->n && s->p[0] == '<' ? '>' : '\0';
	size_t end = close ? str_find_byte(str_sub(*s, 0, 48), close, 1) : SIZE_MAX;
	if (end == SIZE_MAX || str_find_byte(str_sub(*s, 0, end), '.', 0) == SIZE_MAX || str_find_byte(str_sub(*s, 0, end), '=', 0) != SIZE_MAX) return;
	skip(s, end + 1);
	skip_blanks(s);
}

/* PROGRAM[PID]: MESSAGE, without a host. */
static void take_said(struct str *s, struct syslog_line *l)
{
	skip_blanks(s);
	if (take_tag(s, l) && str_starts(*s, STR("[ID "))) skip_priority_words(s);
	l->message = *s;
}

static void take_behind_host(struct str *s, struct syslog_line *l)
{
	skip_blanks(s);
	skip_priority_words(s);
	take_said(s, l);
}

/* A name, an address (of IPv6 too), or what Android and others write for it; none of what begins a message in parentheses, brackets or quotes. */
static bool is_host(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x80 && !alnum(s.p[i]) && !strchr(".-_:%@/+*[]", s.p[i])) return false;
	return s.n && s.n < 256 && (alnum(s.p[0]) || s.p[0] == '_' || s.p[0] == ':' || s.p[0] == '*' || (unsigned char)s.p[0] >= 0x80);
}

/* [sshd]: or [sshd] in the place of host and tag, behind a classic time. */
static bool take_bracket_tag(struct str *s, struct syslog_line *l)
{
	size_t n = 1;
	if (!s->n || s->p[0] != '[') return false;
	while (n < s->n && n < 64 && (alnum(s->p[n]) || s->p[n] == '-' || s->p[n] == '_')) n++;
	if (n < 3 || n >= s->n || s->p[n] != ']' || (n + 1 < s->n && s->p[n + 1] != ':' && s->p[n + 1] != ' ') || !alpha(s->p[1])) return false;
	l->program = str_sub(*s, 1, n - 1);
	skip(s, n + 1);
	if (s->n && s->p[0] == ':') skip(s, 1);
	if (s->n && s->p[0] == ' ') skip(s, 1);
	return true;
}

/* False: a time, and then no host and no program. */
static bool take_rest(struct str *s, struct syslog_line *l)
{
	struct str before = *s;
	skip_blanks(s);
	skip_priority_words(s);
	bool again = str_starts(*s, STR("last message repeated "));
	if (!again) take_said(s, l);
	if (!again && !l->program.p && l->yearless && take_bracket_tag(s, l)) l->message = *s;
	if (l->program.p) return true;
	if (again) {
		l->message = before;
		return true;
	}
	struct str host = take_word(s);
	if (!is_host(host)) return false;
	l->host = host;
	take_behind_host(s, l);
	return true;
}

static bool all_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!digit(s.p[i])) return false;
	return s.n > 0;
}

static bool is_zone(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 'A' || s.p[i] > 'Z') return false;
	return s.n > 1 && s.n < 6;
}

static bool is_utc(struct str s) { return str_eq(s, STR("UTC")) || str_eq(s, STR("GMT")); }

/* What Cisco puts before %FACILITY-SEVERITY-MNEMONIC: [*|.]Mmm dd [yyyy] hh:mm:ss[.fraction][ ZONE]: ; *: its clock was never set. */
static bool take_device_time(struct str *s, int year, struct syslog_line *l)
{
	if (s->n && (s->p[0] == '*' || s->p[0] == '.')) skip(s, 1);
	if (!take_classic_time(s, year, l)) return false;
	if (s->n && s->p[0] == ' ') {
		struct str rest = str_sub(*s, 1, s->n), zone = str_cut(&rest, ':');
		if (!is_zone(zone) || !rest.p) return false;
		l->zoned = is_utc(zone);
		*s = rest;
	} else if (s->n && s->p[0] == ':') {
		skip(s, 1);
	} else {
		return false;
	}
	skip_blanks(s);
	return true;
}

/* %FACILITY-SEVERITY-MNEMONIC: at the front; no tag of a program begins so. */
static bool take_mnemonic(struct str *s, struct syslog_line *l)
{
	struct str rest = *s, tag;
	if (!s->n || s->p[0] != '%') return false;
	tag = str_cut(&rest, ':');
	size_t dash = str_find_byte(tag, '-', 0);
	while (dash != SIZE_MAX && !(dash + 2 < tag.n && digit(tag.p[dash + 1]) && tag.p[dash + 2] == '-')) dash = str_find_byte(tag, '-', dash + 1);
	if (!rest.p || tag.n > 80 || dash == SIZE_MAX || str_find_byte(tag, ' ', 0) != SIZE_MAX) return false;
	l->program = tag;
	*s = rest;
	skip_blanks(s);
	return true;
}

/* Few programs are named by digits, or by two to five capitals. */
static bool may_be_device(const struct syslog_line *l) { return !l->program.n || digit(l->program.p[0]) || (l->program.n < 6 && is_zone(l->program)); }

/* A network device behind the head that a relay or the device itself wrote: a number of its own for the line, its own time. Strangers write neither: both stand
 * before any word of the message. */
static void find_device(int year, struct syslog_line *l)
{
	struct syslog_line own = *l;
	struct str s = l->message;
	bool number = l->program.n && !l->pid.p && all_digits(l->program), zone = l->program.n && !l->host.p && is_zone(l->program);
	if ((l->program.n && !number && !zone) || !s.n) return;
	if (s.p[0] == ':') skip(&s, 1), skip_blanks(&s);
	if (!s.n || (s.p[0] != '%' && !take_device_time(&s, year, &own)) || !take_mnemonic(&s, l)) return;
	if (zone && is_utc(own.program)) l->zoned = true;
	l->message = s;
}

/* The same without a head: [N: ][HOST: ]TIME: %FACILITY-... */
static bool parse_device(struct str s, int year, struct syslog_line *l)
{
	for (int word = 0; word < 2 && s.n && s.p[0] != '*' && s.p[0] != '.'; word++) {
		struct str rest = s, front = str_cut(&rest, ':');
		if (!front.n || !rest.n || rest.p[0] != ' ' || str_find_byte(front, ' ', 0) != SIZE_MAX) break;
		if (!all_digits(front)) l->host = front;
		s = rest;
		skip_blanks(&s);
	}
	if (!take_device_time(&s, year, l) || !take_mnemonic(&s, l)) return false;
	l->message = s;
	return true;
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

/* Two digits; what is none sets *bad. */
static unsigned two(const char *p, unsigned *bad)
{
	unsigned high = (unsigned char)p[0] - (unsigned)'0', low = (unsigned char)p[1] - (unsigned)'0';
	*bad |= (high > 9) | (low > 9);
	return high * 10 + low;
}

enum { HEAD_CLOCK = 7, HEAD_HOST = 16 }; /* in "Mar  3 06:59:20 web01 " */

/* The time of "Mmm dd hh:mm:ss " at p when its date is the one that is kept. Such bytes are read in one way, whatever stands behind them. */
static bool kept_time(const struct syslog_head *h, const char *p, int year, struct etime *ret)
{
	unsigned bad = 0;
	if (!h->month || year != h->year || memcmp(p, h->date, sizeof h->date)) return false;
	unsigned hour = two(p + HEAD_CLOCK, &bad), minute = two(p + HEAD_CLOCK + 3, &bad), second = two(p + HEAD_CLOCK + 6, &bad);
	if (bad || hour > 23 || minute > 59 || second > 59 || p[HEAD_CLOCK + 2] != ':' || p[HEAD_CLOCK + 5] != ':' || p[HEAD_HOST - 1] != ' ') return false;
	*ret = (struct etime){h->midnight + hour * 3600 + minute * 60 + second, 0, 0, true};
	return true;
}

/* The same, mostly of the very second of the line before. */
static bool kept_clock(struct syslog_head *h, const char *p, int year, struct etime *ret)
{
	if (year == h->year && !memcmp(p, h->clock, sizeof h->clock)) return *ret = h->clock_time, true;
	if (!kept_time(h, p, year, ret)) return false;
	memcpy(h->clock, p, sizeof h->clock);
	h->clock_time = *ret;
	return true;
}

static size_t host_slot(const char *p, size_t n) { return (n * 7 + (uint8_t)p[0] + (uint8_t)p[n / 2] * 3u + (uint8_t)p[n - 1] * 5u) % SYSLOG_HOSTS; }

/* "Mmm dd hh:mm:ss HOST PROGRAM[PID]: MESSAGE" of the day, host and program of the line before. */
static bool take_kept_front(struct syslog_head *h, struct str s, int year, struct syslog_line *l)
{
	size_t pid = HEAD_HOST + h->front_n;
	struct etime t;
	if (!h->front_n || s.n <= pid || memcmp(s.p + HEAD_HOST, h->front, h->front_n) || !kept_clock(h, s.p, year, &t)) return false;
	size_t at = pid, far = s.n - pid < TAG_PID ? s.n : pid + TAG_PID - 1;
	while (at < far && s.p[at] != ']') at++;
	if (at >= far || at + 1 >= s.n || s.p[at + 1] != ':') return false;
	struct str rest = str_sub(s, at + 2, s.n);
	if (rest.n && rest.p[0] == ' ') rest.p++, rest.n--;
	if (str_starts(rest, STR("[ID "))) return false;
	l->time = t;
	l->yearless = true;
	l->month = h->month;
	l->host = (struct str){s.p + HEAD_HOST, h->front_host};
	l->program = (struct str){s.p + HEAD_HOST + h->front_host + 1, h->front_program};
	l->pid = (struct str){s.p + pid, at - pid};
	l->message = rest;
	return true;
}

/* Keeps host and program of a line whose host is kept. Not of a program that what follows could have a part in, or that may be a device's time. */
static void keep_front(struct syslog_head *h, const struct syslog_line *l)
{
	const char *program = l->program.p;
	size_t n = l->pid.p && program ? (size_t)(l->pid.p - l->host.p) : 0;
	h->front_n = 0;
	if (!n || n > SYSLOG_FRONT_MAX || program != l->host.p + l->host.n + 1 || l->pid.p != program + l->program.n + 1) return;
	if (!alnum(program[0]) || l->pid.p[-1] != '[' || program[l->program.n - 1] == ')' || l->part.p || may_be_device(l)) return;
	memcpy(h->front, l->host.p, n);
	h->front_n = (uint8_t)n;
	h->front_host = (uint8_t)l->host.n;
	h->front_program = (uint8_t)l->program.n;
}

/* "Mmm dd hh:mm:ss HOST " of a day and a host that are kept. */
static bool take_kept_head(struct syslog_head *h, struct str *s, int year, struct syslog_line *l)
{
	struct etime t;
	const char *host = s->p + HEAD_HOST;
	size_t n = 0, room = s->n > HEAD_HOST ? s->n - HEAD_HOST : 0;
	if (!room || !kept_clock(h, s->p, year, &t)) return false;
	while (n < room && n <= SYSLOG_HOST_MAX && host[n] != ' ') n++;
	if (!n || n >= room || n > SYSLOG_HOST_MAX) return false;
	size_t slot = host_slot(host, n);
	if (h->hosts[slot].n != n || memcmp(h->hosts[slot].name, host, n)) return false;
	l->time = t;
	l->yearless = true;
	l->month = h->month;
	l->host = (struct str){host, n};
	skip(s, HEAD_HOST + n);
	return true;
}

/* Keeps the head of a line that was read at length: s from its time on. Not where what follows the host could have been read together with it: a host with a
 * bracket may begin a program's name, "last" a message, four digits may be the year. */
static void keep_head(struct syslog_head *h, struct str s, int year, const struct syslog_line *l)
{
	struct str host = l->host;
	unsigned bad = 0;
	if (!l->yearless || !host.n || host.p != s.p + HEAD_HOST || host.n > SYSLOG_HOST_MAX || HEAD_HOST + host.n >= s.n) return;
	if (str_find_byte(host, '[', 0) != SIZE_MAX || str_eq(host, STR("last")) || all_digits(host)) return;
	unsigned clock = two(s.p + HEAD_CLOCK, &bad) * 3600 + two(s.p + HEAD_CLOCK + 3, &bad) * 60 + two(s.p + HEAD_CLOCK + 6, &bad);
	if (bad || s.p[HEAD_CLOCK + 2] != ':' || l->time.nsec || l->time.digits) return;
	memset(h->clock, 0, sizeof h->clock);
	memcpy(h->date, s.p, sizeof h->date);
	h->month = l->month;
	h->year = year;
	h->midnight = l->time.sec - clock;
	size_t slot = host_slot(host.p, host.n);
	h->hosts[slot].n = (uint8_t)host.n;
	memcpy(h->hosts[slot].name, host.p, host.n);
}

bool syslog_parse_next(struct syslog_head *head, struct str line, int year, struct syslog_line *l)
{
	*l = (struct syslog_line){.priority = -1};
	struct str s = line;
	if (!take_priority(&s, &l->priority)) return false;
	if (head && take_kept_front(head, s, year, l)) return true;
	if (head && take_kept_head(head, &s, year, l)) {
		take_behind_host(&s, l);
		keep_front(head, l);
		if (may_be_device(l)) find_device(year, l);
		return true;
	}
	if (l->priority >= 0 && str_starts(s, STR("1 "))) return parse_5424(s, l);
	struct str at_time = s;
	if (!take_classic_time(&s, year, l) && !take_iso_time(&s, l)) {
		s = at_time;
		if (take_other_time(&s, l)) return take_rest(&s, l);
		if (s.n && (s.p[0] == '*' || s.p[0] == '.' || l->priority >= 0 || digit(s.p[0]))) {
			struct syslog_line device = {.priority = l->priority};
			if (parse_device(s, year, &device)) return *l = device, true;
		}
		return parse_timeless(s, l);
	}
	if (s.n && s.p[0] == ':') {
		skip(&s, 1);
		return take_said(&s, l), true;
	}
	if (s.n && s.p[0] != ' ') return false;
	if (!take_rest(&s, l)) return false;
	if (head) keep_head(head, at_time, year, l);
	if (may_be_device(l)) find_device(year, l);
	return true;
}

bool syslog_parse(struct str line, int year, struct syslog_line *ret)
{
	return syslog_parse_next(NULL, line, year, ret);
}

/* Where a service puts something before the time: a bracket (Domino), a few words (Tine), <co ts=" (Oracle's mail server). 0: nowhere. */
static size_t behind_prefix(struct str line)
{
	enum { WORDS = 8, FAR = 56 };
	struct stamp t;
	if (str_starts(line, STR("<co ts=\""))) return 8;
	for (size_t at = 0, words = 0; words < WORDS && at < FAR; words++) {
		at = str_find_byte(str_sub(line, 0, FAR), ' ', at);
		if (at++ == SIZE_MAX) return 0;
		if (at + 10 > line.n || !digit(line.p[at]) || !stamp_take(str_sub(line, at, line.n), false, &t) || !t.c.year) continue;
		return words == 0 || line.p[at + 4] == '-' ? at : 0;
	}
	return 0;
}

bool service_line_parse(struct str line, bool day_first, int year, struct syslog_line *l)
{
	struct stamp t;
	size_t before = 0;
	if (!stamp_take(line, day_first, &t)) {
		struct str rest = str_sub(line, before = behind_prefix(line), line.n);
		size_t quote = before && line.p[0] == '<' ? str_find_byte(str_sub(rest, 0, 40), '"', 0) : rest.n;
		if (!before || quote == SIZE_MAX || !stamp_take(str_sub(rest, 0, quote), day_first, &t)) return false;
		if (line.p[0] == '<') before = t.n = 0; /* the element is the message */
	}
	*l = (struct syslog_line){.priority = -1, .own_file = true, .message = str_sub(line, before + t.n, line.n), .time = stamp_time(&t, year), .zoned = t.zoned,
		.yearless = t.c.month && !t.c.year, .month = t.c.year ? 0 : (uint8_t)t.c.month};
	/* What the kernel says, and what a supervisor's log holds: the program's words, its name before them. */
	if (t.uptime) l->program = STR("kernel");
	else if (line.p[0] == '@') take_tag(&l->message, l);
	l->own_file = !l->program.p;
	return true;
}

unsigned syslog_month(struct str line)
{
	struct syslog_line l = {.priority = -1};
	struct str s = str_sub(line, 0, 64);
	if (!take_priority(&s, &l.priority) || !take_classic_time(&s, 2000, &l)) return 0;
	return l.yearless ? l.month : 0;
}
