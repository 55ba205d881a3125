/* Where a reader's window ends is of no matter: the same records behind a first one that is longer by one byte each time, so that every byte of them comes to
 * lie before, on and behind the end of a window; as UTF-8 and, where a format may be, as UTF-16. Every time the same events, fields, lines and account of bytes. */
#include "tests/read_check.h"
#include "read/lines_internal.h"

struct sample {
	const char *format;
	const char *head, *first;  /* before the first record; the record, with %s where it grows */
	const char *rest;          /* "\1": eight bytes with the length 5 of what follows, as the journal's export has it */
	uint32_t n;                /* events in all */
	bool utf16;
};

static const struct sample samples[] = {
	{"syslog", "", "Mar  1 10:00:00 h p[1]: %s\n", "Mar  1 10:00:01 h sshd[2]: Failed password for root from 192.0.2.1 port 1 ssh2\r\n\n"
		"<34>1 2023-03-01T10:00:02Z h su 3 ID [a@1 x=\"1\"] \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\nno syslog\n2023-03-01T10:00:03Z h x: y\n", 4, true},
	{"w3c", "#Software: x\n#Fields: date time cs-uri-stem\n", "2021-01-01 00:00:00 /%s\n", "2021-01-01 00:00:01 /a\r\n#Fields: time date c-ip cs-host\n00:00:02 2021-01-01 1.1.1.1 h\n"
		"\n# remark\n00:00:03 2021-01-01 short\n00:00:04 2021-01-01 ::1 \xc3\xa4\n", 4, true},
	{"ncsa", "", "192.0.2.1 - - [10/Oct/2020:13:55:36 +0000] \"GET /%s HTTP/1.1\" 200 1\n", "192.0.2.2 - u [10/Oct/2020:13:55:37 +0000] \"GET /\\\"a?b HTTP/1.1\" 404 - \"r\" \"a g\"\n"
		"none\nv:80 192.0.2.3 - - [10/Oct/2020:13:55:38 +0000] \"-\" 408 0\n", 3, true},
	{"json", "", "{\"time\":\"2021-03-01T00:00:00Z\",\"a\":\"%s\"}\n", "{\"time\":\"2021-03-01T00:00:01Z\",\"b\":{\"c\":[1,2,{\"d\":\"\\u00e4\xc3\xa4\xf0\x9f\x98\x80\\\\\"}]}}\n{\"broken\": tru}\n"
		"{\n  \"time\": \"2021-03-01T00:00:02Z\",\r\n  \"e\": -1.5e3\n}\n{\"time\":\"2021-03-01T00:00:03Z\"}{\"time\":\"2021-03-01T00:00:04Z\"}\n", 5, true},
	{"json", "{\"Records\":[", "{\"eventTime\":\"2021-03-01T00:00:00Z\",\"a\":\"%s\"}", ",\n {\"eventTime\":\"2021-03-01T00:00:01Z\",\"b\":\"}\"} , {\"eventTime\":\"2021-03-01T00:00:02Z\"}],\"x\":{\"y\":1}}\n", 3, true},
	{"auditd", "", "type=USER_CMD msg=audit(1.000:1): cmd=\"%s\"\n", "type=SYSCALL msg=audit(2.000:2): arch=c000003e syscall=59 exe=\"/bin/id\"\ntype=EXECVE msg=audit(2.000:2): a0=\"id\" a1=2D7520C3A4\n----\n"
		"type=CWD msg=audit(2.000:2): cwd=\"/\"\nnode=n type=SYSCALL msg=audit(3.000:3): SYSCALL=connect\nnode=n type=SOCKADDR msg=audit(3.000:3): saddr=0200115CCB007107\n", 8, true},
	{"csv", "Time,Host,Text\r\n", "2021-03-01T00:00:00Z,h,\"%s\"\r\n", "2021-03-01T00:00:01Z,h,\"two\r\nlines, and \"\"quotes\"\"\"\r\nshort\r\n2021-03-01T00:00:02Z,\xc3\xa4,x\n", 3, true},
	{"exchange", "#Software: Microsoft Exchange Server\r\n#Log-type: ECP Server Log\r\n#Fields: TimeStamp,ServerName,EventId,EventData\r\n", "2021-03-01T00:00:00.000Z,MX,E,S:CMD=%s;\r\n",
		"2021-03-01T00:00:01.000Z,MX,E,\"S:CMD='a;b';S:URL=/x?y,z\"\r\n2021-03-01T00:00:02.000Z,MX,E,S:EX=a \"\"q\"\", b\r\n", 3, true},
	{"winxml", "<Events>", "<Event><System><EventID>1</EventID></System><EventData><Data>%s</Data></EventData></Event>", "\r\n<Event><System><EventID>2</EventID></System><EventData><Data Name='a'>x &amp; \xc3\xa4</Data></EventData></Event>\n"
		"<Event><System></Event>\n<Event><System><EventID>3</EventID></System></Event></Events>\n", 3, true},
	{"wintext", "", "Event[0]:\n  Log Name: System\n  Source: a\n  Event ID: 1\n  Description:\n%s\n", "\nEvent[1]\r\n  Source: b\r\n  Event ID: 2\r\n\r\nEvent[2]:\n  Event ID: 3\n\n"
		"03/03/2021 06:59:20 AM\nLogName=Security\nEventCode=4688\nMessage=x\n\n03/03/2021 06:59:21 AM\n\n", 3, true},
	{"web-error", "", "[Sun Dec 04 04:47:44 2005] [error] %s\n", "[Sun Dec 04 04:47:45 2005] [error] [client 192.0.2.1] x\nno line\n2021/03/01 10:00:00 [error] 1#2: *3 y, client: 192.0.2.2\n", 3, true},
	{"service-log", "", "2021-03-01 00:00:00 %s\n", "2021-03-01 00:00:01 [x] y\r\nbehind it\n2021-03-01 00:00:02,123 z\n", 4, true},
	{"journal-export", "", "__CURSOR=a\n__REALTIME_TIMESTAMP=1\nMESSAGE=%s\n\n", "__CURSOR=b\n__REALTIME_TIMESTAMP=2\nMESSAGE\n\1a\n\nb=\n_PID=1\n\nno field\n\n__CURSOR=c\n__REALTIME_TIMESTAMP=3\nMESSAGE=x\n\n", 3, false},
};

static size_t put(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '\1') buf_put(b, "\5\0\0\0\0\0\0\0", 8);
		else buf_byte(b, *text);
	}
	return b->n;
}

static void file_of(const struct sample *s, size_t grow, struct buf *b)
{
	const char *at = strstr(s->first, "%s");
	b->n = 0;
	put(b, s->head);
	buf_put(b, s->first, (size_t)(at - s->first));
	memset(buf_reserve(b, grow), 'x', grow);
	b->n += grow;
	put(b, at + 2);
	put(b, s->rest);
}

/* UTF-8 that is valid as UTF-16 of either order, with its mark. */
static void widen(const struct buf *from, bool big, struct buf *to)
{
	to->n = 0;
	buf_put(to, big ? "\xfe\xff" : "\xff\xfe", 2);
	for (size_t i = 0; i < from->n;) {
		uint8_t c = (uint8_t)from->p[i];
		uint32_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4, point = n == 1 ? c : c & (0x7fu >> n), units[2], count = 1;
		for (uint32_t k = 1; k < n; k++) point = point << 6 | ((uint8_t)from->p[i + k] & 0x3f);
		units[0] = point;
		if (point > 0xffff) units[0] = 0xd800 + ((point - 0x10000) >> 10), units[1] = 0xdc00 + ((point - 0x10000) & 0x3ff), count = 2;
		for (uint32_t k = 0; k < count; k++) {
			buf_byte(to, (char)(big ? units[k] >> 8 : units[k]));
			buf_byte(to, (char)(big ? units[k] : units[k] >> 8));
		}
		i += n;
	}
}

struct seen { struct buf out; uint64_t damaged, slack, header; uint32_t n, n_damage; };

/* All but the first record's own text. False: it could not be opened. */
static bool see(const char *format, const struct buf *bytes, struct seen *ret)
{
	struct read_run run = {0};
	if (!read_run_bytes(&run, format, NULL, bytes->p, bytes->n, "x")) return false;
	const char *second = run.out.n ? memchr(run.out.p, '\n', run.out.n) : NULL;
	ret->out.n = 0;
	if (second) buf_put(&ret->out, second, run.out.n - (size_t)(second - run.out.p));
	ret->n = run.n;
	ret->damaged = run.report.damaged;
	ret->slack = run.report.slack;
	ret->header = run.report.header;
	ret->n_damage = (uint32_t)run.report.damage.n;
	read_run_done(&run);
	return true;
}

static bool same(const struct seen *a, const struct seen *b)
{
	return a->n == b->n && a->damaged == b->damaged && a->slack == b->slack && a->header == b->header && a->n_damage == b->n_damage && str_eq(buf_view(&a->out), buf_view(&b->out));
}

/* Every `step`th place of the records over the window's end. */
static void shift(const struct sample *s, int encoding, size_t step)
{
	struct buf text = {0}, wide = {0};
	struct seen want = {0}, got = {0};
	size_t window = encoding ? LINES_BLOCK / 2 : LINES_BLOCK, behind = strlen(s->rest) + 24;
	int differ = 0;
	file_of(s, 3, &text);
	if (encoding) widen(&text, encoding == 2, &wide);
	NEED(see(s->format, encoding ? &wide : &text, &want));
	if (want.n != s->n) printf("# %s: %u events, not %u:%.*s\n", s->format, want.n, s->n, STR_FMT(buf_view(&want.out)));
	CHECK(want.n == s->n);
	for (size_t grow = window - behind - strlen(s->first) - strlen(s->head); grow <= window + 8; grow += step) {
		file_of(s, grow, &text);
		if (encoding) widen(&text, encoding == 2, &wide);
		NEED(see(s->format, encoding ? &wide : &text, &got));
		if (!same(&want, &got) && !differ++) printf("# %s, encoding %d, first record longer by %zu: %u events, %llu damaged:%.*s\n", s->format, encoding, grow, got.n,
			(unsigned long long)got.damaged, STR_FMT(buf_view(&got.out)));
	}
	CHECK(!differ);
	buf_done(&text);
	buf_done(&wide);
	buf_done(&want.out);
	buf_done(&got.out);
}

static void all(int encoding)
{
	const char *step = getenv("EXHIBIT_STEP");
	for (size_t i = 0; i < COUNT(samples); i++)
		if (!encoding || samples[i].utf16) shift(&samples[i], encoding, step ? (size_t)atoi(step) : 11);
}

TEST(utf8) { all(0); }
TEST(utf16_little) { all(1); }
TEST(utf16_big) { all(2); }
TEST_MAIN
