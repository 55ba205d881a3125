/* scope.c: what there was to look at, and what therefore cannot be known. See incident_internal.h. */
#include "incident/incident_internal.h"
#include <stdarg.h>
#include <stdio.h>

enum { BASELINE_MINOR = 2, BASELINE_BUILD = 858 }; /* data/scripts.txt ends with 15.2.858.5 */

static int32_t day_of(struct etime t) { return (int32_t)(t.sec / 86400 - (t.sec % 86400 < 0)); }

/* First and last day that any log covers. */
static bool whole_case(const struct incidents *s, int32_t *ret_first, int32_t *ret_last)
{
	bool any = false;
	for (size_t i = 0; i < s->calendar.v.n; i++) {
		const struct calendar_row *c = &s->calendar.v.v[i];
		if (!c->days.n) continue;
		int32_t first = c->days.v[0].day, last = c->days.v[c->days.n - 1].day;
		if (!any || first < *ret_first) *ret_first = first;
		if (!any || last > *ret_last) *ret_last = last;
		any = true;
	}
	return any;
}

static bool has_day(const struct calendar_row *c, int32_t day)
{
	size_t low = 0, high = c->days.n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (c->days.v[mid].day < day) low = mid + 1;
		else high = mid;
	}
	return low < c->days.n && c->days.v[low].day == day;
}

/* Coverage of a log of a server, several raw names joined; false when there is none, else the caller ends it. */
static bool cover_of(const struct incidents *s, uint32_t server, enum log_kind log, struct calendar *ret)
{
	calendar_init(ret, 1 << 20);
	for (size_t i = 0; i < s->calendar.v.n; i++) {
		const struct calendar_row *c = &s->calendar.v.v[i];
		if (c->log != log || alias_server(s, c->server) != server) continue;
		struct calendar_row copy = *c;
		struct calendar one = {0};
		copy.server = STR("x"); /* one name, so that they add up */
		one.v.v = &copy;
		one.v.n = 1;
		calendar_add(ret, &one);
	}
	if (ret->v.n) return true;
	calendar_done(ret);
	return false;
}

static uint64_t clues_in(const struct incidents *s, uint32_t server, enum log_kind log)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s->marks.n; i++) n += s->marks.v[i].server == server && s->marks.v[i].trace.log == log;
	for (size_t i = 0; i < s->probers.n; i++)
		if (s->probers.v[i].resolved == server && s->probers.v[i].log == log) n += s->probers.v[i].evidence.n;
	for (size_t i = 0; i < s->pages.n; i++) {
		const struct page *p = &s->pages.v[i];
		if (p->shell && p->resolved == server) n += log == LOG_HTTPPROXY ? p->proxy.answered : log == LOG_IIS || log == LOG_WEB ? p->iis.answered : 0;
	}
	return n;
}

void make_scope(struct incidents *s)
{
	int32_t first = 0, last = 0;
	if (!whole_case(s, &first, &last)) return;
	for (uint32_t server = 0; server < s->servers.n; server++)
		for (unsigned log = 1; log < LOG_OTHER; log++) {
			struct calendar c;
			if (!cover_of(s, server, (enum log_kind)log, &c)) continue;
			struct scope_row row = {.server = s->servers.v[server].name, .log = str_of(log_word((enum log_kind)log)), .first = c.v.v[0].first, .last = c.v.v[0].last,
				.days = (uint32_t)c.v.v[0].days.n, .days_missing = (uint32_t)(last - first + 1) - (uint32_t)c.v.v[0].days.n, .events = c.v.v[0].events};
			row.clues = clues_in(s, server, (enum log_kind)log);
			vec_push(&s->scope, row);
			calendar_done(&c);
		}
}

static void say(struct incidents *s, struct sentences *ret, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(struct incidents *s, struct sentences *ret, const char *format, ...)
{
	char text[600];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n > 0) vec_push(&ret->v, tell_str(s, (struct str){text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1}));
}

static void day_text(int32_t day, char out[11])
{
	char whole[ETIME_MAX];
	etime_print(etime_from_unix((int64_t)day * 86400, 0, 0), 0, whole);
	memcpy(out, whole, 10);
	out[10] = 0;
}

/* Days without an event between two days. One is told when so long a silence is no chance: at the log's usual rate fewer than one
 * silence in 150 would be as long. */
static void find_gaps(struct incidents *s, const struct calendar_row *c, const struct server *server, int32_t from, int32_t to, struct sentences *ret)
{
	const struct log_text *t = &s->plan->logs[c->log];
	double rate = c->days.n ? (double)c->events / (double)c->days.n : 0;
	for (int32_t day = from; day <= to; day++) {
		if (has_day(c, day)) continue;
		int32_t end = day;
		while (end < to && !has_day(c, end + 1)) end++;
		if (rate * (end - day + 1) >= 5) {
			char a[11], b[11];
			day_text(day, a);
			day_text(end, b);
			if (day == end) say(s, ret, "%.*s of %.*s missing for %s: %.*s on that day cannot be known", STR_FMT(t->name), STR_FMT(server->name), a, STR_FMT(t->unknown));
			else say(s, ret, "%.*s of %.*s missing for %s to %s: %.*s in that time cannot be known", STR_FMT(t->name), STR_FMT(server->name), a, b, STR_FMT(t->unknown));
		}
		day = end;
	}
}

bool server_is_exchange(const struct incidents *s, uint32_t server)
{
	static const enum log_kind kinds[] = {LOG_HTTPPROXY, LOG_ECP, LOG_MANAGEMENT, LOG_RPS_HTTP, LOG_RPS_CMDLET, LOG_EWS};
	for (size_t i = 0; i < s->calendar.v.n; i++)
		for (size_t k = 0; k < COUNT(kinds); k++)
			if (s->calendar.v.v[i].log == kinds[k] && alias_server(s, s->calendar.v.v[i].server) == server) return true;
	return false;
}

bool exchange_server(const struct incidents *s, const struct chain *c)
{
	return (!str_eq(c->campaign, STR("webshell")) && !c->probes_only) || server_is_exchange(s, c->server);
}

static void look_at_log(struct incidents *s, const struct chain *c, enum log_kind log, struct sentences *ret)
{
	const struct log_text *t = &s->plan->logs[log];
	const struct server *server = &s->servers.v[c->server];
	struct calendar cover;
	int32_t first = 0, last = 0;
	if (!t->name.n || !c->first.present || !whole_case(s, &first, &last)) return;
	if (!cover_of(s, c->server, log, &cover)) {
		say(s, ret, "No %.*s of %.*s was read: %.*s cannot be known", STR_FMT(t->name), STR_FMT(server->name), STR_FMT(t->unknown));
		return;
	}
	int32_t from = day_of(c->first) - 1, to = day_of(c->last) + 1;
	find_gaps(s, &cover.v.v[0], server, from < first ? first : from, to > last ? last : to, ret);
	calendar_done(&cover);
}

static bool source_used(const struct incidents *s, const struct chain *c, uint32_t source)
{
	for (size_t i = 0; i < c->marks.n; i++)
		if (s->marks.v[c->marks.v[i]].source == source) return true;
	return false;
}

static void look_at_clocks(struct incidents *s, const struct chain *c, struct sentences *ret)
{
	for (size_t i = 0; i < s->calendar.shifts.n; i++) {
		const struct shift *e = &s->calendar.shifts.v[i];
		struct str path = path_of_source(s, e->source);
		if (!source_used(s, c, e->source)) continue;
		int64_t m = e->least < 0 ? -e->least : e->least;
		if (calendar_shift_of(&s->calendar, e->source)) say(s, ret, "Clock: the events of %.*s are labelled %lld h %02lld min %s than the UTC time that those of Sysmon "
			"among them carry; they were set right by that here", STR_FMT(path), (long long)(m / 60), (long long)(m % 60), e->least < 0 ? "earlier" : "later");
		else say(s, ret, "Clock: %llu events of %.*s are labelled with another time than the UTC time they carry, not all by the same difference; times of other events "
			"in it may be wrong", (unsigned long long)e->n, STR_FMT(path));
	}
}

static void look_at_version(struct incidents *s, const struct chain *c, struct sentences *ret)
{
	for (size_t i = 0; i < s->calendar.v.n; i++) {
		const struct calendar_row *e = &s->calendar.v.v[i];
		if (alias_server(s, e->server) != c->server || !(e->minor > BASELINE_MINOR || (e->minor == BASELINE_MINOR && e->build > BASELINE_BUILD))) continue;
		say(s, ret, "%.*s runs build 15.%u.%u, newer than the list of shipped scripts (15.2.858.5): a script called foreign here may be shipped with it",
			STR_FMT(s->servers.v[c->server].name), e->minor, e->build);
		return;
	}
}

/* A log that only Windows has. An Apache may run on it too, but of that nothing tells. */
static bool windows_server(const struct incidents *s, uint32_t server)
{
	for (size_t i = 0; i < s->calendar.v.n; i++)
		if (s->calendar.v.v[i].log != LOG_WEB && alias_server(s, s->calendar.v.v[i].server) == server) return true;
	return false;
}

void find_unknowns(struct incidents *s, const struct chain *c, struct sentences *ret)
{
	static const enum log_kind exchange[] = {LOG_HTTPPROXY, LOG_IIS, LOG_ECP, LOG_MANAGEMENT, LOG_SECURITY, LOG_SYSMON};
	if (!c->probes_only) {
		bool all = exchange_server(s, c), windows = all || windows_server(s, c->server);
		for (size_t i = 0; i < COUNT(exchange); i++)
			if (all || (windows && exchange[i] >= LOG_SECURITY)) look_at_log(s, c, exchange[i], ret);
		if (str_eq(c->campaign, STR("cve-2020-0688"))) look_at_log(s, c, LOG_APPLICATION, ret);
		if (c->pages.n) look_at_version(s, c, ret);
	} else if (exchange_server(s, c)) {
		look_at_log(s, c, LOG_HTTPPROXY, ret);
		look_at_log(s, c, LOG_IIS, ret);
	}
	look_at_clocks(s, c, ret);
	if (s->mails_left && !c->probes_only) say(s, ret, "%llu rows of message tracking were not counted for lack of memory", (unsigned long long)s->mails_left);
	if (s->dropped) say(s, ret, "%llu clues were not kept for lack of memory: there may be more attackers and more evidence", (unsigned long long)s->dropped);
	if (s->calendar.refused) say(s, ret, "The days of %llu logs were not counted for lack of memory", (unsigned long long)s->calendar.refused);
}
