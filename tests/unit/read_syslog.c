/* Syslog: lines of every kind, years, shapes. */
#include "read_check.h"
#include "read/syslog_internal.h"

static struct syslog_line parsed(const char *text)
{
	struct syslog_line l;
	NEED(syslog_parse(str_of(text), 2023, &l));
	return l;
}

#define IS(view, text) CHECK(str_eq((view), STR(text)))

TEST(lines_of_every_kind)
{
	struct syslog_line l = parsed("Mar  3 06:59:20 web01 sshd[811]: Failed password for x from 192.0.2.1 port 4 ssh2");
	IS(l.host, "web01"), IS(l.program, "sshd"), IS(l.pid, "811"), IS(l.message, "Failed password for x from 192.0.2.1 port 4 ssh2");
	CHECK(l.yearless && l.time.sec == 1677826760 && l.priority == -1 && l.month == 3);
	l = parsed("<38>2023-03-03T06:59:20.123456+01:00 web01 sshd(pam_unix)[811]: x");
	IS(l.program, "sshd"), IS(l.part, "pam_unix"), IS(l.pid, "811");
	CHECK(l.zoned && !l.yearless && l.time.sec == 1677823160 && l.time.nsec == 123456000 && l.priority == 38);
	l = parsed("2023-03-03 06:59:20 web01 dovecot: imap-login: x");
	IS(l.host, "web01"), IS(l.program, "dovecot"), IS(l.message, "imap-login: x"), CHECK(!l.zoned);
	l = parsed("Mar 13 06:59:20.5 kernel: [12345.678] x: y");
	CHECK(!l.host.p && l.time.nsec == 500000000), IS(l.program, "kernel"), IS(l.message, "[12345.678] x: y");
	l = parsed("Mar 13 06:59:20 a last message repeated 2 times");
	IS(l.host, "a"), CHECK(!l.program.p), IS(l.message, "last message repeated 2 times");
	l = parsed("Mar  3 2021 06:59:20: %SYS-5-CONFIG_P: x");
	CHECK(!l.yearless && l.time.sec == 1614754760), IS(l.program, "%SYS-5-CONFIG_P");
	l = parsed("Mar  3 06:59:20 web01 postfix/smtpd[9]: connect from x[1.2.3.4]");
	IS(l.program, "postfix/smtpd");
	l = parsed("Mar  3 06:59:20 web01 no tag here: x");
	CHECK(!l.program.p), IS(l.message, "no tag here: x");
}

TEST(lines_of_other_systems)
{
	struct syslog_line l = parsed("2016 Jan  1 10:00:00 h a: b");
	IS(l.host, "h"), IS(l.program, "a"), CHECK(!l.yearless && l.time.sec == 1451642400);
	l = parsed("Jan  1 10:00:00 2016 h a: b");
	IS(l.host, "h"), IS(l.program, "a"), CHECK(!l.yearless && l.time.sec == 1451642400);
	l = parsed("Mar  1 06:25:31 h <auth.info> sshd[4]: b");
	IS(l.host, "h"), IS(l.program, "sshd"), IS(l.message, "b");
	l = parsed("Mar  1 06:25:31 h sshd[4]: [ID 702911 auth.info] b");
	IS(l.host, "h"), IS(l.program, "sshd"), IS(l.message, "b");
	l = parsed("Mar  1 06:25:31 [sshd]: User root");
	CHECK(!l.host.p), IS(l.program, "sshd"), IS(l.message, "User root");
	CHECK(service_line_parse(STR("[   12.345678] usb 1-1: x"), false, 2023, &l) && !l.own_file && !l.time.present), IS(l.program, "kernel"), IS(l.message, "usb 1-1: x");
	CHECK(service_line_parse(STR("@400000004c91b044077a9e94 imap-login: Info: x"), false, 2023, &l) && !l.own_file), IS(l.program, "imap-login"), IS(l.message, "Info: x");
	CHECK(service_line_parse(STR("[28325:00010-37] 22-06-2014 09:56:12   smtp: x"), true, 2023, &l) && l.own_file && l.time.sec == 1403430972), IS(l.message, "smtp: x");
	CHECK(service_line_parse(STR("78017 -- none -- - 2014-01-13T05:02:22+00:00 WARN x"), true, 2023, &l) && l.time.sec == 1389589342), IS(l.message, "WARN x");
	CHECK(service_line_parse(STR("<co ts=\"2014-06-02T16:06:33.99\" pi=\"x\"/>"), true, 2023, &l) && l.time.sec == 1401725193), IS(l.message, "<co ts=\"2014-06-02T16:06:33.99\" pi=\"x\"/>");
	CHECK(!service_line_parse(STR("<co ts=\"2014-06-02T16:06:33.99"), true, 2023, &l) && !service_line_parse(STR("words before 2014-06-02"), true, 2023, &l));
}

/* Lines that go on, and days and months in one order. */
TEST(a_services_own_file)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "service-log", "03/02/2021 10:00:00 first\n  at java.x\n13/02/2021 10:00:00 second\nMar  3 2021 06:59:20 h sshd[4]: third\n"));
	CHECK(run.n == 4 && run.report.damage.n == 0 && run.report.first.sec == 1612346400 && run.report.last.sec == 1614754760);
	CHECK(read_has(&run, "message=\"  at java.x\"") && read_has(&run, "program=\"sshd\""));
	read_run_done(&run);
}

TEST(rfc_5424)
{
	struct syslog_line l = parsed("<165>1 2003-10-11T22:14:15.003Z mymachine.example evntslog - ID47 [ex@32473 iut=\"3\" q=\"a\\\"]b\"][more x=\"]\"] \xef\xbb\xbf""An event");
	IS(l.host, "mymachine.example"), IS(l.program, "evntslog"), IS(l.msgid, "ID47"), IS(l.message, "An event");
	IS(l.data, "[ex@32473 iut=\"3\" q=\"a\\\"]b\"][more x=\"]\"]");
	CHECK(!l.pid.p && l.zoned && l.time.sec == 1065910455 && l.rfc5424);
	l = parsed("<34>1 - - su - - - text [not data]");
	CHECK(!l.time.present && !l.host.p && !l.data.p), IS(l.program, "su"), IS(l.message, "text [not data]");
}

TEST(what_is_none)
{
	static const char *const none[] = {"", "x", "Mar", "Foo  3 06:59:20 a b: c", "Mar  3 06:59 a b: c", "Mar 32 06:59:20 a b: c", "Mar  3 25:59:20 a b: c", "<999>Mar  3 06:59:20 a b: c",
		"<1", "<13>", "<13>1", "Mar  3 06:59:20x a b: c", " Mar  3 06:59:20 a b: c", "2023-13-03T06:59:20 a b: c", "<13>1 notime h p - - - m"};
	struct syslog_line l;
	for (size_t i = 0; i < COUNT(none); i++)
		if (syslog_parse(str_of(none[i]), 2023, &l)) CHECK_STR(none[i], "none");
}

/* Whatever a stranger puts into the message, what stands before it stays. */
TEST(the_message_moves_nothing)
{
	static const char *const messages[] = {"", ":", "]: x", "[1]: x", " web02 sshd[1]: x", "Mar  3 06:59:21 web02 su: x", "\x01\xff: x"};
	for (size_t i = 0; i < COUNT(messages); i++) {
		char line[200];
		snprintf(line, sizeof line, "Mar  3 06:59:20 web01 sshd[811]: %s", messages[i]);
		struct syslog_line l = parsed(line);
		IS(l.host, "web01"), IS(l.program, "sshd"), IS(l.pid, "811");
		CHECK(str_eq(l.message, str_of(messages[i])));
	}
}

static bool same_view(struct str a, struct str b) { return a.p == b.p && a.n == b.n; }

static bool same_line(const struct syslog_line *a, const struct syslog_line *b)
{
	return a->time.present == b->time.present && a->time.sec == b->time.sec && a->time.nsec == b->time.nsec && a->time.digits == b->time.digits && a->yearless == b->yearless &&
		a->zoned == b->zoned && a->month == b->month && a->priority == b->priority && a->rfc5424 == b->rfc5424 && a->own_file == b->own_file && same_view(a->host, b->host) &&
		same_view(a->program, b->program) && same_view(a->pid, b->pid) && same_view(a->message, b->message) && same_view(a->part, b->part) && same_view(a->msgid, b->msgid) &&
		same_view(a->data, b->data);
}

/* Whatever was read before, and in whatever year: a line is taken apart as it is alone. Lines of pieces, so that each is often like one before it but for a part. */
TEST(what_is_kept_of_a_line_changes_no_other)
{
	static const char *const pieces[][12] = {
		{"", "", "", "", "<38>", "<999>", "<13>1 ", "*", " "},
		{"Mar  3 ", "Mar  3 ", "Mar  3 ", "Mar  4 ", "Mar 03 ", "Mar 3 ", "Feb 29 ", "Feb 30 ", "Dec 31 ", "mar  3 ", "2023-03-03T", "Mar  3 2021 "},
		{"06:59:20", "06:59:20", "23:59:59", "00:00:00", "06:59:60", "24:00:00", "6:59:20", "06:59:20.5", "06:5a:20", "06:59", "06.59.20", "06:59:200"},
		{" ", " ", " ", " ", "", ": ", "  ", " 2021 ", "\t", " [ID 702911 auth.info] "},
		{"web01", "web01", "web02", "w", "last", "a[b", "::1", "[sshd]:", "2021", "sshd:", "x=y", "a-name-of-a-host-that-is-longer-than-what-is-kept-of-one"},
		{" ", " ", " ", "", "  ", ": ", "[1]: ", "\t", " <auth.info> ", "] x]: "},
		{"sshd[811]:", "sshd[811]: ", "message repeated 2 times", "CRON: ", "UTC: %SYS-5-X: ", "123: Mar  3 06:59:20: %SYS-5-X: ", "%ASA-4-1: ", "su(pam_unix)[1]: ", "sshd[", "b]: ", "last message repeated 2 times", ""},
		{"Failed password for x", "", ":", "x", "Mar  3 06:59:20 web01 sshd[1]: y", "\x01\xff", " "}};
	struct syslog_head head = {.month = 0};
	uint64_t random = 88172645463325252ull;
	unsigned read = 0;
	for (unsigned i = 0; i < 200000; i++) {
		char line[400] = "";
		struct syslog_line alone, after;
		for (size_t k = 0; k < COUNT(pieces); k++) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			const char *piece = pieces[k][random % COUNT(pieces[k])];
			/* Two lines of three are of the kind that is kept. */
			if (k < 4 && random >> 40 & 3) piece = pieces[k][0];
			if (piece) strcat(line, piece);
		}
		struct str text = str_of(line);
		if (!(random >> 50 & 7)) text.n /= 2;
		int year = (random >> 44 & 7) == 0 ? 2024 : 2023;
		bool is = syslog_parse(text, year, &alone);
		read += is;
		bool same = syslog_parse_next(&head, text, year, &after) == is && (!is || same_line(&alone, &after));
		CHECK(same);
		if (!same) printf("# %.*s\n", STR_FMT(text));
	}
	CHECK(read > 50000 && head.month);
}

static void read_dated(struct read_run *run, const char *text, int64_t mtime)
{
	struct input in;
	input_of_memory(&in, text, strlen(text), STR("auth.log"));
	in.mtime_sec = mtime;
	NEED(read_run_input(run, read_format("syslog"), NULL, &in, text));
	input_close(&in);
}

TEST(years_from_file_time_and_order)
{
	struct read_run run = {0};
	read_dated(&run, "Dec 31 23:59:59 a b: c\nJan  1 00:00:00 a b: c\nDec 31 23:59:58 a b: late\nMar  1 00:00:00 a b: d\n", 1614600000); /* 2021-03-01T12:00:00Z */
	CHECK(run.report.first.sec == 1609459198 && run.report.last.sec == 1614556800);
	CHECK_STR(run.report.parameters.p, "format=syslog zone=+0 zone_from=default year=2020-2021 year_from=file-time");
	read_run_done(&run);
}

TEST(a_line_after_the_file_time_is_of_the_year_before)
{
	struct read_run run = {0};
	read_dated(&run, "Mar  3 00:00:00 a b: c\n", 1614600000); /* more than a day later than the file */
	CHECK(run.report.last.sec == 1583193600);
	read_run_done(&run);
	run = (struct read_run){0};
	read_dated(&run, "Feb 29 12:00:00 a b: c\nMar  1 00:00:00 a b: d\n", 1583100000); /* 2020-03-01T22:00:00Z */
	CHECK(run.report.first.sec == 1582977600);
	read_run_done(&run);
}

TEST(several_years_in_one_file)
{
	struct read_run run = {0};
	struct buf b = {0};
	static const char *const months[] = {"Jan", "Mar", "May", "Jul", "Sep", "Nov"};
	for (int year = 0; year < 4; year++)
		for (size_t m = 0; m < COUNT(months); m++)
			for (int i = 0; i < 2000; i++) buf_printf(&b, "%s 10 12:00:00 host prog[1]: some message that makes it long %d\n", months[m], i);
	buf_byte(&b, 0);
	read_dated(&run, b.p, 1700000000); /* 2023-11-14 */
	CHECK(run.report.first.sec == 1578657600 && run.report.last.sec == 1699617600 && run.n == 48000); /* 2020-01-10, 2023-11-10 */
	buf_done(&b);
	read_run_done(&run);
}

static void many(struct buf *b, const char *head, size_t bytes)
{
	while (bytes > 200) {
		size_t n = b->n;
		buf_printf(b, "%s 12:00:00 host prog[1]: some message that makes it long, and then longer, until it is some hundred bytes\n", head);
		bytes -= b->n - n;
	}
}

TEST(a_year_within_little_of_a_large_file)
{
	static const char *const months[] = {"Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan"};
	struct buf b = {0};
	struct read_run run = {0};
	many(&b, "Mar 10", 9 << 20);
	for (size_t i = 0; i < COUNT(months); i++) buf_printf(&b, "<13>%s 10 12:00:00 host prog[1]: a quiet month\n", months[i]);
	many(&b, "Feb 10", 9 << 20);
	/* A line over all windows is one line, whatever stands in it. */
	buf_lit(&b, "Feb 11 12:00:00 host prog[1]: ");
	for (int i = 0; i < 80000; i++) buf_lit(&b, "Aug 10 12:00:00 ");
	buf_lit(&b, "\nFeb 12 12:00:00 host prog[1]: end\n");
	buf_byte(&b, 0);
	read_dated(&run, b.p, 1646136000); /* 2022-03-01 */
	CHECK(civil_from_sec(run.report.first.sec).year == 2021 && civil_from_sec(run.report.first.sec).month == 3);
	CHECK(civil_from_sec(run.report.last.sec).year == 2022 && civil_from_sec(run.report.last.sec).month == 2 && civil_from_sec(run.report.last.sec).day == 12);
	CHECK(run.report.damaged == 0);
	buf_done(&b);
	read_run_done(&run);
}

/* The hour that comes twice in autumn and the one that is left out in spring are no steps of a year; the zone is one offset throughout. */
TEST(summer_time_comes_and_goes)
{
	struct reader_options o = {.zone_seconds = 3600};
	const char *text = "Mar 27 01:59:59 h a: 1\nMar 27 03:00:00 h a: 2\nOct 30 02:59:59 h a: 3\nOct 30 02:00:00 h a: 4\nOct 31 23:30:00 h a: 5\nDec 31 23:59:59 h a: 6\nJan  1 00:30:00 h a: 7\n";
	struct input in;
	struct read_run run = {0};
	input_of_memory(&in, text, strlen(text), STR("messages"));
	in.mtime_sec = 1672530000; /* 2022-12-31T23:40:00Z: in the zone it is the new year already */
	NEED(read_run_input(&run, read_format("syslog"), &o, &in, text));
	input_close(&in);
	CHECK(run.report.first.sec == 1648342799 && run.report.last.sec == 1672529400); /* 2022-03-27T00:59:59Z, 2022-12-31T23:30:00Z */
	CHECK_STR(run.report.parameters.p, "format=syslog zone=+3600 zone_from=option year=2022-2023 year_from=file-time");
	read_run_done(&run);
}

TEST(years_of_utf16)
{
	static const char text[] = "\xff\xfe" "D\0e\0c\0 \0" "3\0" "1\0 \0" "1\0" "0\0:\0" "0\0" "0\0:\0" "0\0" "0\0 \0h\0 \0a\0:\0 \0x\0\n\0" "J\0a\0n\0 \0 \0" "1\0 \0" "1\0" "0\0:\0" "0\0" "0\0:\0" "0\0" "0\0 \0h\0 \0a\0:\0 \0y\0\n";
	struct input in;
	struct read_run run = {0};
	input_of_memory(&in, text, sizeof text, STR("messages"));
	in.mtime_sec = 1672660800; /* 2023-01-02 */
	NEED(read_run_input(&run, read_format("syslog"), NULL, &in, text));
	input_close(&in);
	CHECK(run.n == 2 && civil_from_sec(run.report.first.sec).year == 2022 && civil_from_sec(run.report.last.sec).year == 2023);
	read_run_done(&run);
}

TEST(a_program_is_a_shape)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "syslog", "Mar  3 06:59:20 a sudo[1]:     anna : TTY=pts/0 ; PWD=/ ; USER=#-1 ; COMMAND=/bin/x ; USER=root\nMar  3 06:59:21 a %SYS-5-CONFIG_I: y\n\n  more\nMar  3 06:59:22 a b: z"));
	CHECK(read_has(&run, "USER=\"#-1\"") && read_has(&run, "COMMAND=\"/bin/x ; USER=root\"") && read_has(&run, "device_facility=\"SYS\""));
	CHECK(shape_table_count(run.shapes) == 3 && run.n == 3 && run.report.slack == 1 && run.report.damage.n == 1);
	CHECK(str_eq(shape_table_at(run.shapes, 1)->format, STR("cisco-syslog")));
	read_run_done(&run);
}

TEST(told_from_others)
{
	const char *syslog = "Mar  3 06:59:20 a b: c\nMar  3 06:59:21 a d[1]: e\n", *other = "2021-03-03 06:59:20 GET /x 200\n2021-03-03 06:59:21 GET /y 200\n";
	CHECK_STR(read_sniffed(syslog, strlen(syslog), "x"), "syslog");
	CHECK_STR(read_sniffed(other, strlen(other), "x"), "service-log");
	static const struct { const char *text, *format; } t[] = {
		{"2020-04-09T14:04:00.667Z: Failed Login: username=admin ip=192.0.2.1\n", "service-log"}, {"2016-11-07 22:21:20   smtp: x [192.0.2.1] y\n", "service-log"},
		{"[    0.000000] Linux version\n[    0.100000] x\n", "service-log"}, {"<34>1 2003-10-11T22:14:15.003Z m su - - - x\n", "syslog"},
		{"plain words\nof any kind\n", ""}, {"2021-03-03\n2021-03-04\n", ""}, {"[Wed Oct 11 14:32:52 2000] [error] [client 127.0.0.1] x\n", "web-error"},
		{"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 1\n", "ncsa"}, {"{\"time\":\"2021-03-03 06:59:20\"}\n", "json"}};
	for (size_t i = 0; i < COUNT(t); i++) CHECK_STR(read_sniffed(t[i].text, strlen(t[i].text), "x"), t[i].format);
}

TEST(real_logs_in_full)
{
	read_whole("syslog", "logs/Linux/Linux_2k.log", 2000);
	read_whole("syslog", "logs/OpenSSH/OpenSSH_2k.log", 2000);
}

TEST(structured_data_are_fields)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "syslog", "<34>1 2003-10-11T22:14:15.003Z m su 12 ID47 [a@1 iut=\"3\" q=\"x\\\"\\]\"][b z=\"\"] root\n"));
	CHECK(run.n == 1 && read_has(&run, "a@1.iut=\"3\"") && read_has(&run, "a@1.q=\"x\\\"]\"") && read_has(&run, "b.z=\"\"") && read_has(&run, "message=\"root\""));
	read_run_done(&run);
}

TEST(repetitions_are_counted)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "syslog", "Mar  1 00:00:00 h sshd[1]: message repeated 5 times: [ Failed password for x]\nMar  1 00:00:00 h last message repeated 2 times\n"
		"Mar  1 00:00:00 h sshd[1]: Failed password for x\n"));
	CHECK(run.n == 3 && read_has(&run, "repeated=5") && read_has(&run, "repeated=2") && !read_has(&run, "repeated=1"));
	read_run_done(&run);
}

TEST(fortigate_is_names_and_values_with_a_time)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "syslog", "<190>date=2024-01-01 time=10:00:00 devid=\"FG\" tz=\"+0100\" action=\"Add\" cfgpath=\"system.admin\" msg=\"a b\"\n"));
	CHECK(run.n == 1 && read_has(&run, "action=\"Add\"") && read_has(&run, "cfgpath=\"system.admin\"") && read_has(&run, "msg=\"a b\"") && run.report.first.sec == 1704099600);
	read_run_done(&run);
}

TEST(audit_records_in_syslog_have_their_fields)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "syslog", "Mar  1 00:00:00 h kernel: audit: type=1309 audit(1709251200.1:7): a0=\"id\" a1=2D75\n"));
	CHECK(run.n == 1 && read_has(&run, "type=\"EXECVE\"") && read_has(&run, "a0=\"id\"") && read_has(&run, "a1=\"-u\""));
	const struct shape *s = shape_table_at(run.shapes, 0);
	CHECK(s->n_bindings == 2 && str_eq(s->bindings[0].ls.service, STR("auditd")));
	read_run_done(&run);
}

TEST(sysmon_for_linux_is_read_from_its_message)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "syslog", "Mar  1 00:00:00 h sysmon: <Event><System><Provider Name=\"Linux-Sysmon\"/><EventID>1</EventID>"
		"<TimeCreated SystemTime=\"2024-03-01T00:00:00.100000000Z\"/><Channel>Linux-Sysmon/Operational</Channel><Computer>h</Computer></System><EventData>"
		"<Data Name=\"Image\">/usr/bin/id</Data><Data Name=\"CommandLine\">id -u</Data></EventData></Event>\n"));
	CHECK(run.n == 1 && read_has(&run, "Image=\"/usr/bin/id\"") && read_has(&run, "CommandLine=\"id -u\""));
	const struct shape *s = shape_table_at(run.shapes, 0);
	bool process = false;
	for (uint32_t i = 0; i < s->n_bindings; i++) {
		CHECK(!str_eq(s->bindings[i].ls.product, STR("windows")));
		process |= str_eq(s->bindings[i].ls.category, STR("process_creation")) && str_eq(s->bindings[i].when_value, STR("1"));
	}
	CHECK(process);
	read_run_done(&run);
}

TEST(a_leap_day_is_in_a_leap_year)
{
	const char *text = "Feb 29 00:00:00 h a: 1\nDec  1 00:00:00 h a: 2\nJan  1 00:00:00 h a: 3\n";
	struct reader_options o = {0};
	struct input in;
	struct read_run run = {0};
	input_of_memory(&in, text, strlen(text), STR("messages"));
	in.mtime_sec = 1709294400; /* 2024-03-01: a year before would be 2023 */
	NEED(read_run_input(&run, read_format("syslog"), &o, &in, text));
	CHECK(civil_from_sec(run.report.first.sec).year == 2020 && civil_from_sec(run.report.first.sec).day == 29);
	NEED(run.report.notes.n == 1);
	CHECK(str_starts(run.report.notes.v[0].text, STR("year=2020 inferred from the file's time 2024-03-01T12:00:00Z")));
	input_close(&in);
	read_run_done(&run);
}

/* Annotated samples: lines that begin with '#' say what is expected; they are damage of no weight. Every other line is an event or counted. */
TEST(samples_with_remarks_are_told)
{
	static const struct { const char *name, *format; } files[] = {{"sshd", "syslog"}, {"postfix", "syslog"}, {"dovecot", "syslog"}, {"proftpd", "syslog"},
		{"vsftpd", "syslog"}, {"named-refused", "syslog"}, {"pam-generic", "syslog"}, {"sendmail-reject", "syslog"}, {"cyrus-imap", "syslog"},
		{"dropbear", "syslog"}, {"courier-smtp", "syslog"}, {"xinetd-fail", "syslog"}, {"slapd", "syslog"}, {"scanlogd", "syslog"},
		{"selinux-ssh", "auditd"}, {"apache-auth", "web-error"}, {"nginx-http-auth", "web-error"}, {"nginx-botsearch", "ncsa"}};
	const char *corpora = check_corpora();
	if (!corpora) SKIP("no corpora");
	for (size_t i = 0; i < COUNT(files); i++) {
		char path[4200], head[65536];
		struct input in;
		struct fault f = FAULT_INIT;
		struct read_run run = {0};
		snprintf(path, sizeof path, "%s/logs/fail2ban/%s", corpora, files[i].name);
		NEED(input_open(&in, path, str_of(path), &f));
		int64_t n = input_pread(&in, head, sizeof head, 0, &f);
		CHECK_STR(read_sniffed(head, (size_t)n, path), files[i].format);
		NEED(read_run_input(&run, read_format(files[i].format), NULL, &in, NULL));
		CHECK(run.n > 0 && run.report.records > 0);
		input_close(&in);
		read_run_done(&run);
	}
}

TEST(remarks_speak_for_no_format)
{
	const char *text = "# a remark\n# another\n# and one\nMar  1 00:00:00 h sshd[1]: x\n";
	CHECK_STR(read_sniffed(text, strlen(text), "x"), "syslog");
}
TEST_MAIN
