/* Web logs: W3C (IIS and its kin), access logs, error logs. */
#include "read_check.h"
#include "read/ncsa_internal.h"

#define IIS_FIELDS "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status time-taken\n"

TEST(iis_lines_have_sigma_names)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "w3c", "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2019-09-03 10:04:35\n" IIS_FIELDS
		"2019-09-03 10:13:36 10.0.2.15 POST /a/x.aspx q=1 443 - fe80::1%3 Mozilla/5.0+(X) - 200 7\r\n"));
	CHECK_STR(run.out.p, "{\"date\":\"2019-09-03\",\"time\":\"10:13:36\",\"s-ip\":\"10.0.2.15\",\"cs-method\":\"POST\",\"cs-uri-stem\":\"/a/x.aspx\",\"cs-uri-query\":\"q=1\","
		"\"s-port\":\"443\",\"cs-username\":null,\"c-ip\":\"fe80::1%3\",\"cs(User-Agent)\":\"Mozilla/5.0+(X)\",\"cs(Referer)\":null,\"sc-status\":\"200\","
		"\"time-taken\":\"7\",\"cs-uri\":\"/a/x.aspx?q=1\"}\n");
	CHECK(read_has(&run, "cs-uri-query=\"/a/x.aspx?q=1\"") && read_has(&run, "cs-uri-query=\"q=1\"") && read_has(&run, "c-uri=\"/a/x.aspx?q=1\"") && read_has(&run, "c-uri-extension=\"aspx\""));
	CHECK(read_has(&run, "cs-user-agent=\"Mozilla/5.0 (X)\"") && read_has(&run, "cs-user-agent=\"Mozilla/5.0+(X)\"") && read_has(&run, "cs-referer=null"));
	CHECK(run.report.damaged == 0 && run.report.n_records == 1 && run.report.first.sec == 1567505616);
	const struct shape *s = shape_table_at(run.shapes, 0);
	CHECK(s->n_bindings == 2 && str_eq(s->bindings[0].ls.category, STR("webserver")) && str_eq(s->bindings[1].ls.service, STR("iis")));
	read_run_done(&run);
}

TEST(fields_may_change_within_a_file)
{
	struct read_run run = {0};
	NEED(read_run_text(&run, "w3c", "#Fields: date time c-ip\n2021-01-01 00:00:00 1.1.1.1\n#Software: x\n#Fields: time date cs-host\n00:00:01 2021-01-01 h\n"
		"#Fields: time date cs-host\n00:00:02 2021-01-01 i\n"));
	CHECK_STR(run.out.p, "{\"date\":\"2021-01-01\",\"time\":\"00:00:00\",\"c-ip\":\"1.1.1.1\"}\n{\"time\":\"00:00:01\",\"date\":\"2021-01-01\",\"cs-host\":\"h\"}\n"
		"{\"time\":\"00:00:02\",\"date\":\"2021-01-01\",\"cs-host\":\"i\"}\n");
	CHECK(shape_table_count(run.shapes) == 2);
	read_run_done(&run);
}

TEST(the_header_in_force_is_the_context)
{
	struct input in;
	struct fault f = FAULT_INIT;
	struct reader_options none = {0};
	const char *text = "#Version: 1.0\n#Fields: date time\n2021-01-01 00:00:00\n";
	struct taxonomy *taxonomy = taxonomy_new(&f);
	struct shape_table *shapes = shape_table_new(taxonomy, 1 << 20);
	const struct reader_ops *ops = read_format("w3c");
	struct range range;
	input_of_memory(&in, text, strlen(text), STR("x"));
	struct reader *r = ops->open(&in, &none, &f);
	struct event *ev = ops->next(ops->cursor_new(r, shapes));
	NEED(ev);
	CHECK(ev->ops->contexts(ev, &range, 1) == 1 && range.offset == 14 && range.length == 18);
	CHECK(ev->records[0].line == 3 && ev->records[0].offset == 33 && ev->records[0].length == 19);
	ops->free(r);
	input_close(&in);
	shape_table_free(shapes);
	taxonomy_free(taxonomy);
}

TEST(what_does_not_fit_is_damage_with_its_reason)
{
	struct read_run run = {0};
	NEED(read_run_text(&run, "w3c", "nothing yet\n#Fields: date time c-ip\n2021-01-01 00:00:00 1.1.1.1 extra\n2021-01-01 xx 1.1.1.1\n\n# a remark\n2021-01-01 00:00:01 1.1.1.1\n2021-01-01 00:0"));
	CHECK(run.n == 1 && run.report.damage.n == 4 && run.report.slack == 1);
	CHECK(str_eq(run.report.damage.v[0].reason, STR("no #Fields line before it")));
	CHECK(str_eq(run.report.damage.v[1].reason, STR("does not have the fields of the header")));
	CHECK(str_eq(run.report.damage.v[2].reason, STR("no date and time")));
	CHECK(str_eq(run.report.damage.v[3].reason, STR("line cut off")));
	read_run_done(&run);
}

TEST(zeros_that_a_dying_server_left_are_slack)
{
	static const char text[] = "#Fields: date time c-ip\n2021-01-01 00:00:00 1.1.1.1\n2021-01-01 00:00:0\0\0\0\0\0\0\0\0\0\0#Fields: date time c-ip\n2021-01-01 00:00:02 1.1.1.1\n"
		"\0\0\0\0\0\0\0\0\0\0\0\0";
	struct read_run run = {0};
	NEED(read_run_bytes(&run, "w3c", NULL, text, sizeof text - 1, "x"));
	CHECK(run.n == 2 && run.report.slack == 22 && run.report.damaged == 18);
	read_run_done(&run);
}

TEST(a_piece_without_header_is_read_by_the_usual_one)
{
	const char *text = "2019-09-03 10:13:36 10.0.2.15 GET /erp/conn.aspx proxy 80 - 10.0.2.17 - - 200 0 0 7\n";
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "w3c", text));
	CHECK(run.n == 1 && run.report.notes.n == 1 && read_has(&run, "cs-uri-query=\"/erp/conn.aspx?proxy\""));
	CHECK(str_find(run.report.parameters, STR("fields=assumed"), 0) != SIZE_MAX);
	CHECK_STR(read_sniffed(text, strlen(text), "x"), "w3c");
	read_run_done(&run);
}

TEST(http_errors_firewalls_and_proxies)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "w3c", "#Software: Microsoft HTTP API 2.0\n#Fields: date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status s-siteid s-reason s-queuename\n"
		"2021-01-01 00:00:00 1.1.1.1 5 2.2.2.2 80 HTTP/1.1 GET /x?y=../ 400 - URL -\n"));
	CHECK(read_has(&run, "cs-uri-query=\"/x?y=../\"") && read_has(&run, "cs-uri-stem=\"/x\"") && str_eq(shape_table_at(run.shapes, 0)->format, STR("httperr")));
	read_run_done(&run);
	struct reader_options zone = {.zone_seconds = 3600};
	const char *firewall = "#Version: 1.5\n#Software: Microsoft Windows Firewall\n#Time Format: Local\n#Fields: date time action protocol src-ip dst-ip src-port dst-port\n\n"
		"2021-01-01 01:00:00 DROP TCP 1.1.1.1 2.2.2.2 5 445\n";
	run = (struct read_run){.all = true};
	NEED(read_run_bytes(&run, "w3c", &zone, firewall, strlen(firewall), "x"));
	CHECK(read_has(&run, "dst_port=\"445\"") && run.report.first.sec == 1609459200);
	CHECK(str_eq(shape_table_at(run.shapes, 0)->bindings[0].ls.category, STR("firewall")));
	read_run_done(&run);
	run = (struct read_run){.all = true};
	NEED(read_run_text(&run, "w3c", "#Software: SGOS 6\n#Fields: date time c-ip cs-method cs-host cs-uri-path cs-uri-query cs(User-Agent) rs(Content-Type)\n"
		"2021-01-01 00:00:00 1.1.1.1 GET h /p ?q \"Mozilla/5.0 (X)\" text/html\n"));
	CHECK(read_has(&run, "c-uri=\"/p?q\"") && read_has(&run, "c-useragent=\"Mozilla/5.0 (X)\"") && str_eq(shape_table_at(run.shapes, 0)->bindings[0].ls.category, STR("proxy")));
	read_run_done(&run);
}

TEST(bytes_that_are_no_utf8_are_repaired_in_cells_and_kept_in_records)
{
	struct read_run run = {0};
	NEED(read_run_text(&run, "w3c", "#Fields: date time cs-uri-stem cs-uri-query\n2021-01-01 00:00:00 /\xe9 \xff=1\n"));
	CHECK(strstr(run.out.p, "\"cs-uri\":\"/\xef\xbf\xbd?\xef\xbf\xbd=1\"") && run.report.damaged == 0);
	read_run_done(&run);
}

TEST(access_logs_in_their_forms)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "ncsa", "1.2.3.4 - frank [10/Oct/2000:13:55:36 -0700] \"GET /a.php?b=\\\"c\\x22 HTTP/1.0\" 200 2326\n"
		"www.x:80 1.2.3.4 - - [10/Oct/2000:20:55:36 +0000] \"POST /a b HTTP/1.1\" 404 - \"http://r/\" \"Mozilla/5.0 (X)\" 12 \"more\"\n"
		"1.2.3.4 - - [10/Oct/2000:20:55:36 +0000] \"\\x16\\x03\\x01\" 400 -\n1.2.3.4 - John Doe [10/Oct/2000:20:55:36 +0000] \"-\" 408 - \"-\" \"-\"\n"));
	CHECK(strstr(run.out.p, "{\"c-ip\":\"1.2.3.4\",\"ident\":null,\"cs-username\":\"frank\",\"time\":\"10/Oct/2000:13:55:36 -0700\",\"cs-method\":\"GET\",\"cs-uri-stem\":\"/a.php\","
		"\"cs-uri-query\":\"b=\\\"c\\\"\",\"cs-uri\":\"/a.php?b=\\\"c\\\"\",\"cs-version\":\"HTTP/1.0\",\"sc-status\":\"200\",\"sc-bytes\":\"2326\"}\n") == run.out.p);
	CHECK(run.n == 4 && run.report.first.sec == 971211336 && run.report.last.sec == 971211336 && run.report.damaged == 0);
	CHECK(read_has(&run, "cs-host=\"www.x\"") && read_has(&run, "s-port=\"80\"") && read_has(&run, "cs-uri=\"/a b\"") && read_has(&run, "c-useragent=\"Mozilla/5.0 (X)\"") && read_has(&run, "extra=\"12 \\\"more\\\"\""));
	CHECK(read_has(&run, "request=\"\\u0016\\u0003\\u0001\"") && read_has(&run, "cs-username=\"John Doe\"") && read_has(&run, "cs-user-agent=null"));
	CHECK(read_has(&run, "cs-uri-query=\"/a.php?b=\\\"c\\\"\"") && read_has(&run, "c-uri-extension=\"php\""));
	read_run_done(&run);
}

TEST(access_logs_damage_and_detection)
{
	struct read_run run = {0};
	const char *text = "1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 2326\nhello\n1.2.3.4 - - [40/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 2326\n";
	NEED(read_run_text(&run, "ncsa", text));
	CHECK(run.n == 1 && run.report.damaged == 6 + 67);
	read_run_done(&run);
	CHECK_STR(read_sniffed(text, 67, "x"), "ncsa");
	CHECK_STR(read_sniffed("hello world\nthis is text\n", 25, "x"), "");
}

TEST(error_logs)
{
	struct read_run run = {.all = true};
	struct reader_options zone = {.zone_seconds = 7200};
	const char *text = "[Wed Oct 11 14:32:52.123456 2000] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187:1234] AH00126: Invalid URI\n"
		"[Sun Dec  4 04:47:44 2005] [notice] workerEnv.init() ok\n[Sun Dec  4 04:47:44 2005] [error] [x] y\n"
		"2013/09/25 07:10:00 [error] 1234#0: *1 open() failed, client: 1.2.3.4, server: x, request: \"GET /a, b HTTP/1.1\", host: \"h\"\nPHP noise\n";
	NEED(read_run_bytes(&run, "web-error", &zone, text, strlen(text), "x"));
	CHECK(run.n == 4 && run.report.damaged == 10);
	CHECK(read_has(&run, "module=\"core\"") && read_has(&run, "pid=\"35708\"") && read_has(&run, "tid=\"4328636416\"") && read_has(&run, "c-ip=\"72.15.99.187\"") && read_has(&run, "c-port=\"1234\"") && read_has(&run, "message=\"[x] y\""));
	CHECK(read_has(&run, "request=\"GET /a, b HTTP/1.1\"") && read_has(&run, "cs-host=\"h\"") && read_has(&run, "pid=\"1234\"") && read_has(&run, "tid=\"0\""));
	CHECK(run.report.first.sec == 971274772 - 7200 && run.report.first.nsec == 123456000);
	CHECK(str_find(run.report.parameters, STR("zone=+7200 zone_from=option"), 0) != SIZE_MAX);
	CHECK_STR(read_sniffed(text, strlen(text), "x"), "web-error");
	read_run_done(&run);
}

TEST(a_client_that_stands_twice_is_none)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "web-error", "2013/09/25 07:10:00 [error] 1234#0: *1 user \"x\" was not found in \"/a\", client: 192.0.2.1, server: s, request: \"GET / HTTP/1.1\"\n"
		"2013/09/25 07:10:01 [error] 1234#0: *2 user \"x, client: 192.0.2.66, server: y\" was not found in \"/a\", client: 192.0.2.2, server: s, request: \"GET / HTTP/1.1\"\n"));
	CHECK(run.n == 2 && read_has(&run, "c-ip=\"192.0.2.1\"") && !read_has(&run, "c-ip=\"192.0.2.66\"") && !read_has(&run, "c-ip=\"192.0.2.2\""));
	read_run_done(&run);
}

TEST(real_logs_in_full)
{
	read_whole("w3c", "evtx/attack-samples/Command and Control/Tunna_rdp_tunnel_IIS.log", 4298);
	read_whole("ncsa", "evtx/attack-samples/Command and Control/web_attack_and_isp_webshell_localhost_access_log.txt", 2661);
	read_whole("web-error", "logs/Apache/Apache_2k.log", 2000);
}
/* --- the usual form of access logs against the general one --- */

static bool same_text(struct str a, struct str b) { return (a.p == NULL) == (b.p == NULL) && a.n == b.n && (!a.n || a.p == b.p); }

static bool same_access(const struct access *a, const struct access *b)
{
	return same_text(a->vhost, b->vhost) && same_text(a->port, b->port) && same_text(a->client, b->client) && same_text(a->ident, b->ident) && same_text(a->user, b->user) &&
		same_text(a->time, b->time) && same_text(a->request, b->request) && same_text(a->status, b->status) && same_text(a->bytes, b->bytes) && same_text(a->referer, b->referer) &&
		same_text(a->agent, b->agent) && same_text(a->extra, b->extra) && same_text(a->method, b->method) && same_text(a->uri, b->uri) && same_text(a->version, b->version) &&
		a->whole_request == b->whole_request && a->when.sec == b->when.sec && a->when.nsec == b->when.nsec && a->when.digits == b->when.digits && a->when.present == b->when.present;
}

/* Lines of every sort, whole and with bytes changed: what ncsa_part_usual takes, ncsa_part takes, and says the same of. */
TEST(the_usual_form_says_what_the_general_one_says)
{
	static const char *const hosts[] = {"192.0.2.7", "::1", "web.example.org:80 192.0.2.7", "a"}, *const users[] = {"- -", "- frank", "- a b", "- ", "x -", "- [x", "-  -"},
		*const days[] = {"01/Mar/2021", "01/Mar/2021", "28/Feb/2020", "30/Feb/2020", "01/mar/2021", "02/sep./2015"}, *const zones[] = {" +0000", " +0000", " -0730", "", " 0000", "]+0000"},
		*const requests[] = {"GET / HTTP/1.1", "POST /a b?c=d HTTP/1.0", "-", "", "GET", " GET /", "get / HTTP/1.1", "HEAD /x", "GET / HTTP/1.1 ", "\\x16\\x03", "GET /a\" b HTTP/1.1", "GET  HTTP/1.1"},
		*const ends[] = {"", " \"-\" \"curl/7\"", " \"http://a/\" \"Mozilla/5.0 (X11; Linux)\"", " \"-\" \"x\" 0.001 \"y\"", " \"-\"", " \"a\\\"b\" \"c\"", " \"-\" \"x\" ", " \"-\" \"x"};
	uint32_t state = 7, usual = 0, spoilt = 0, refused = 0;
	struct ncsa_day day = {0};
	char line[4096];
	for (uint32_t i = 0; i < 60000; i++) {
		uint32_t r[12];
		for (size_t k = 0; k < COUNT(r); k++) r[k] = (state = state * 1664525 + 1013904223) >> 8;
		bool plain = i % 3 == 0; /* a third as servers write them */
		int n = snprintf(line, sizeof line, "%s %s [%s:%02u:%02u:%02u%s] \"%s\" %s %s%s", hosts[plain ? 0 : r[0] % COUNT(hosts)], users[plain ? r[1] % 2 : r[1] % COUNT(users)],
			days[r[2] % (plain ? 3 : COUNT(days))], r[3] % (plain ? 24 : 26), r[4] % (plain ? 60 : 62), r[5] % 61, zones[plain ? r[6] % 3 : r[6] % COUNT(zones)],
			requests[plain ? r[7] % 2 : r[7] % COUNT(requests)], r[8] % 9 ? "200" : r[8] % 2 ? "-" : "2x", r[9] % 5 ? "1234" : r[9] % 2 ? "-" : "", ends[plain ? 1 + r[10] % 3 : r[10] % COUNT(ends)]);
		NEED(n > 0 && n < 1000);
		if (r[11] % 4 == 0) {
			line[(state >> 9) % (uint32_t)n] = " \"[]\\x0:\x1f\x80"[(state >> 20) % 10];
			spoilt++;
		}
		struct access fast = {.port = {"", 0}}, slow;
		bool no_backslash = false;
		/* As much behind it as a window has. */
		memset(line + n, i % 2 ? '"' : ' ', 64);
		bool taken = ncsa_part_usual((struct str){line, (size_t)n}, &day, &fast, &no_backslash), is_line = ncsa_part((struct str){line, (size_t)n}, &slow);
		usual += taken;
		refused += is_line && !taken;
		bool right = !taken || (is_line && same_access(&fast, &slow) && no_backslash == !memchr(line, '\\', (size_t)n));
		CHECK(right);
		if (!right) printf("# %.*s\n", n, line);
	}
	printf("# usual %u, left to the general form %u, of 60000, %u spoilt\n", usual, refused, spoilt);
	CHECK(usual > 15000 && refused > 5000);
}

/* The day of the line before is not asked again: lines of many days and hours, alone and one behind the other. */
TEST(w3c_times_are_the_same_in_any_company)
{
	static const char *const dates[] = {"2021-03-01", "2021-03-01", "2020-02-29", "2021-02-29", "1999-12-31", "2021-3-001", "1980-01-01"},
		*const times[] = {"00:00:00", "23:59:59", "23:59:60", "24:00:00", "12:34:56", "12:34:56.5", "12:34:5x", "12-34:56", "12:60:00"};
	struct buf log = {0}, alone = {0};
	static const char head[] = "#Fields: date time cs-method cs-uri-stem\n";
	buf_put(&log, head, sizeof head - 1);
	for (uint32_t i = 0; i < 500; i++) {
		char line[100];
		int n = snprintf(line, sizeof line, "%s %s GET /%u\n", dates[i * 7919 % 13 % COUNT(dates)], times[i * 104729 % 31 % COUNT(times)], i);
		struct read_run one = {0};
		struct buf text = {0};
		buf_put(&text, head, sizeof head - 1);
		buf_put(&text, line, (size_t)n);
		buf_put(&log, line, (size_t)n);
		NEED(read_run_bytes(&one, "w3c", NULL, text.p, text.n, "x"));
		buf_printf(&alone, "%lld.%u ", one.n ? (long long)one.report.first.sec : -1, one.report.first.nsec);
		read_run_done(&one);
		buf_done(&text);
	}
	/* Behind one another: what the report says of the first i lines is the same for every i, so each is read anew with all before it. */
	const struct reader_ops *ops = read_format("w3c");
	struct taxonomy *taxonomy = taxonomy_new(NULL);
	struct shape_table *shapes = shape_table_new(taxonomy, 1 << 20);
	struct arena strings;
	struct source_report report = {.arena = &strings};
	static const struct reader_options none = {0};
	struct input in;
	struct fault f = FAULT_INIT;
	struct buf together = {0};
	uint32_t next = 0;
	arena_init(&strings, 1 << 20);
	input_of_memory(&in, log.p, log.n, STR("x"));
	struct reader *r = ops->open(&in, &none, &f);
	NEED(r);
	struct reader_cursor *c = ops->cursor_new(r, shapes);
	for (struct event *ev; (ev = ops->next(c)); next++) {
		for (; next + 2 < ev->records[0].line; next++) buf_lit(&together, "-1.0 ");
		buf_printf(&together, "%lld.%u ", (long long)ev->time.sec, ev->time.nsec);
	}
	for (; next < 500; next++) buf_lit(&together, "-1.0 ");
	CHECK(str_eq(buf_view(&together), buf_view(&alone)));
	ops->cursor_free(c);
	ops->finish(r, &report);
	ops->free(r);
	report_done(&report);
	input_close(&in);
	arena_done(&strings);
	shape_table_free(shapes);
	taxonomy_free(taxonomy);
	buf_done(&log);
	buf_done(&alone);
	buf_done(&together);
}

TEST_MAIN
