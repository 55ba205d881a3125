/* weberror.c: error logs of Apache and nginx. See doc/formats.md, section web server errors.
 *
 *	[Wed Oct 11 14:32:52.123456 2000] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187:1234] AH00126: text      Apache
 *	2013/09/25 07:10:00 [error] 1234#0: *1 text, client: 1.2.3.4, server: x, request: "GET / HTTP/1.1", host: "x"           nginx
 * Times are local and carry no zone: --timezone. A line that does not begin so goes on with the message before it. */
#include "read/read_internal.h"
#include "read/syslog_internal.h"
#include "read/text_internal.h"
#include "text/stamp.h"
#include "text/utf.h"
#include <arpa/inet.h>

enum column_id { E_LEVEL, E_MODULE, E_PID, E_TID, E_CLIENT, E_PORT, E_MESSAGE, E_REQUEST, E_HOST, E_COLUMNS };
static const char *const names[E_COLUMNS] = {"level", "module", "pid", "tid", "c-ip", "c-port", "message", "request", "cs-host"};

struct parts {
	struct str at[E_COLUMNS]; /* p == NULL: not there */
	struct etime when;
	bool nginx;
};

struct own {
	struct parts parts;
	const struct shape *shapes[2];
	struct shape specs[2];
};

static struct own *own(struct reader *r) { return r->own; }

/* [...] at the front of *rest, up to the first "]" that a blank or the end follows, since an IPv6 address has brackets of its own; moves behind it and the blank. */
static bool bracket(struct str *rest, struct str *ret)
{
	if (!rest->n || rest->p[0] != '[') return false;
	size_t end = str_find(*rest, STR("] "), 1);
	if (end == SIZE_MAX && rest->p[rest->n - 1] == ']') end = rest->n - 1;
	if (end == SIZE_MAX) return false;
	*ret = str_sub(*rest, 1, end - 1);
	*rest = str_sub(*rest, end + 1, rest->n);
	while (rest->n && rest->p[0] == ' ') *rest = str_sub(*rest, 1, rest->n);
	return true;
}

static bool is_number(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return s.n > 0;
}

static bool is_ip6(struct str s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr six;
	if (!s.n || s.n >= sizeof text) return false;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	return inet_pton(AF_INET6, text, &six) == 1;
}

/* 203.0.113.7, 203.0.113.7:50100, 2001:db8::1, and, since Apache 2.4 (which names a module), 2001:db8::1:50100 with the port behind it. */
static void part_client(struct str s, bool has_port, struct parts *p)
{
	size_t colon = s.n;
	while (colon && s.p[colon - 1] != ':') colon--;
	bool v6 = colon && str_find_byte(s, ':', 0) != colon - 1;
	p->at[E_CLIENT] = s;
	if (!colon || !is_number(str_sub(s, colon, s.n)) || (v6 && !(has_port && is_ip6(str_sub(s, 0, colon - 1))))) return;
	p->at[E_CLIENT] = str_sub(s, 0, colon - 1);
	p->at[E_PORT] = str_sub(s, colon, s.n);
}

/* Process and thread. */
static void part_pid(struct str s, struct str between, struct parts *p)
{
	size_t at = str_find(s, between, 0);
	p->at[E_PID] = str_sub(s, 0, at);
	if (at != SIZE_MAX) p->at[E_TID] = str_sub(s, at + between.n, s.n);
}

static bool part_apache(struct str line, struct parts *p)
{
	struct stamp t;
	struct str rest, in;
	if (!stamp_take(line, false, &t) || !t.c.year || !stamp_month(str_sub(line, 5, line.n))) return false;
	p->when = stamp_time(&t, 0);
	rest = str_sub(line, t.n, line.n);
	if (!bracket(&rest, &in)) return false;
	struct str level = in, module = str_cut(&level, ':');
	p->at[E_LEVEL] = level.p ? level : in;
	if (level.p) p->at[E_MODULE] = module;
	while (rest.n && rest.p[0] == '[') {
		struct str before = rest;
		if (!bracket(&rest, &in)) break;
		if (str_starts(in, STR("pid "))) part_pid(str_sub(in, 4, in.n), STR(":tid "), p);
		else if (str_starts(in, STR("client ")) || str_starts(in, STR("remote "))) part_client(str_sub(in, 7, in.n), level.p, p);
		else if (!str_starts(in, STR("tid "))) {
			rest = before; /* the message itself begins with a bracket */
			break;
		}
	}
	p->at[E_MESSAGE] = rest;
	return true;
}

/* ", name: value" or ", name: "value"" in nginx's tail. */
static struct str tail_value(struct str s, const char *mark)
{
	size_t at = str_find(s, str_of(mark), 0);
	if (at == SIZE_MAX) return (struct str){NULL, 0};
	struct str v = str_sub(s, at + strlen(mark), s.n);
	bool quotes = v.n && v.p[0] == '"';
	if (quotes) v = str_sub(v, 1, v.n);
	size_t end = str_find_byte(v, quotes ? '"' : ',', 0);
	return end == SIZE_MAX ? v : str_sub(v, 0, end);
}

static bool part_nginx(struct str line, struct parts *p)
{
	struct stamp t;
	struct str rest, in;
	if (line.n < 5 || line.p[4] != '/' || !stamp_take(line, false, &t)) return false;
	p->when = stamp_time(&t, 0);
	rest = str_sub(line, t.n, line.n);
	if (!bracket(&rest, &in)) return false;
	p->at[E_LEVEL] = in;
	p->at[E_PID] = str_cut(&rest, ' ');
	if (!rest.p || !p->at[E_PID].n || p->at[E_PID].p[p->at[E_PID].n - 1] != ':') return false;
	p->at[E_PID].n--;
	part_pid(p->at[E_PID], STR("#"), p);
	p->at[E_MESSAGE] = rest;
	/* A name before it, or the request behind it, may hold another one, which the client chose: then nobody can say. */
	size_t client = str_find(rest, STR(", client: "), 0);
	if (client != SIZE_MAX && str_find(rest, STR(", client: "), client + 1) == SIZE_MAX) p->at[E_CLIENT] = tail_value(rest, ", client: ");
	p->at[E_REQUEST] = tail_value(rest, ", request: ");
	p->at[E_HOST] = tail_value(rest, ", host: ");
	p->nginx = true;
	return p->when.present;
}

static bool part(struct str line, struct parts *p)
{
	struct syslog_line l;
	*p = (struct parts){.nginx = false};
	if (line.n && line.p[0] == '[' ? part_apache(line, p) : part_nginx(line, p)) return true;
	/* A relay's head before nginx's own. */
	return syslog_parse(line, 2000, &l) && l.program.p && part_nginx(l.message, p);
}

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	struct str s = own(r)->parts.at[column];
	*ret = s.p ? value_str(text_clean(r, s)) : (struct value){.kind = VALUE_ABSENT};
}

static const struct event_ops ops = {decode, NULL, NULL};

static const struct shape *shape_of(struct reader *r, bool nginx)
{
	struct own *o = own(r);
	struct str name = nginx ? STR("nginx-error") : STR("apache-error");
	if (o->shapes[nginx]) return o->shapes[nginx];
	o->shapes[nginx] = shape_table_find(r->shapes, name);
	if (o->shapes[nginx]) return o->shapes[nginx];
	struct column *columns = arena_calloc(&r->keep, E_COLUMNS, sizeof *columns);
	verify(columns);
	for (size_t i = 0; i < E_COLUMNS; i++) columns[i] = (struct column){.name = str_of(names[i]), .covered = true};
	o->specs[nginx] = (struct shape){.n_columns = E_COLUMNS, .columns = columns, .format = name, .event_id = -1, .host_column = -1};
	o->specs[nginx].bindings = text_bindings(r, name, &o->specs[nginx].n_bindings);
	return o->shapes[nginx] = text_shape(r, name, &o->specs[nginx]);
}

static bool next(struct reader *r)
{
	struct own *o = own(r);
	struct line line;
	while (lines_next(&r->lines, &line)) {
		if (!str_trim(line.text).n) report_slack(&r->report, line.offset, line.size);
		else if (!part(line.text, &o->parts)) text_damage(r, &line, "no line of a web server's error log");
		else {
			text_line_event(r, shape_of(r, o->parts.nginx), &ops, text_zoned(r, o->parts.when), &line);
			return true;
		}
		arena_reset(&r->arena);
	}
	return false;
}

static void parameters(struct reader *r, struct buf *out)
{
	text_put_zone(r, out);
}

static const struct text_format format = {"web-error", sizeof(struct own), NULL, next, NULL, parameters};

static int sniff(struct str head, uint64_t size, struct str path)
{
	char *scratch;
	struct str rest = lines_head(head, &scratch);
	struct parts p;
	int good = 0, bad = 0;
	(void)path;
	for (int i = 0; i < 20 && rest.p; i++) {
		struct str line = str_trim(str_cut(&rest, '\n'));
		if (!line.n || (!rest.p && head.n < size)) continue;
		if (part(line, &p)) good++;
		else bad++;
	}
	free(scratch);
	return good > bad ? 80 : good && good * 4 > bad ? 40 : 0;
}

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }

const struct reader_ops read_web_error_ops = {.format = "web-error", .what = "web server error log (Apache, nginx)",
	.mark = "lines that begin with a time and [level] as Apache and nginx write them",
	.sniff = sniff, .open = open, TEXT_READER_REST};
