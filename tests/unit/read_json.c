/* JSON logs: every way that objects follow one another, columns, Windows shapes, damage. */
#include "read_check.h"

TEST(one_object_a_line)
{
	struct read_run run = {0};
	NEED(read_run_text(&run, "json", "{\"a\":1,\"b\":{\"c\":\"x\"}}\n{\"a\":null}\n"));
	CHECK_STR(run.out.p, "{\"a\":1,\"b.c\":\"x\"}\n{\"a\":null}\n");
	CHECK(run.report.n_records == 2 && run.report.records == 31 && run.report.slack == 2);
	read_run_done(&run);
}

TEST(every_framing_gives_the_same_events)
{
	static const char *const texts[] = {
		"{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}{\"a\":2}", "[{\"a\":1},{\"a\":2}]", "[\n  {\n    \"a\": 1\n  },\n  {\"a\":\n2}\n]\n", "{\"a\":1}\r\n{\"a\":2}\r\n",
		"{\"Records\":[{\"a\":1},{\"a\":2}]}", "{\"records\": [ {\"a\":1} , {\"a\":2} ] }\n", "{\"value\":[{\"a\":1},{\"a\":2}],\"@odata.nextLink\":\"x\"}",
		"{\"@odata.context\":\"https://x/$metadata\",\"value\":[{\"a\":1},{\"a\":2}]}", "{\"records\":[{\"a\":1}]}\n{\"records\":[{\"a\":2}]}\n",
		"\xef\xbb\xbf{\"a\":1}\n{\"a\":2}", "{\"a\":1}\n\n\n{\"a\":2}\n\n", "\x1e{\"a\":1}\n\x1e{\"a\":2}\n", "{\"a\":1},\n{\"a\":2}\n"};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct read_run run = {0};
		NEED(read_run_text(&run, "json", texts[i]));
		CHECK_STR(run.out.p, "{\"a\":1}\n{\"a\":2}\n");
		CHECK(run.n == 2 && run.report.damaged == 0);
		if (run.n != 2 || run.report.damaged) printf("# text %zu: %s\n", i, texts[i]);
		CHECK_STR(read_sniffed(texts[i], strlen(texts[i]), "x"), "json");
		read_run_done(&run);
	}
}

TEST(utf16_in_both_orders_with_offsets_of_the_source)
{
	const char *text = "{\"a\":\"\xc3\xa9\xf0\x9f\x92\x80\"}\n{\"a\":2}\n";
	for (int big = 0; big < 2; big++) {
		char bytes[200] = {(char)(big ? 0xfe : 0xff), (char)(big ? 0xff : 0xfe)};
		static const uint16_t units[] = {'{', '"', 'a', '"', ':', '"', 0xe9, 0xd83d, 0xdc80, '"', '}', '\n', '{', '"', 'a', '"', ':', '2', '}', '\n'};
		for (size_t i = 0; i < COUNT(units); i++) {
			bytes[2 + 2 * i] = (char)(big ? units[i] >> 8 : units[i]);
			bytes[3 + 2 * i] = (char)(big ? units[i] : units[i] >> 8);
		}
		struct read_run run = {0};
		NEED(read_run_bytes(&run, "json", NULL, bytes, 2 + 2 * COUNT(units), "x"));
		CHECK_STR(run.out.p, "{\"a\":\"\xc3\xa9\xf0\x9f\x92\x80\"}\n{\"a\":2}\n");
		CHECK(run.report.header == 2 && run.report.records == 22 + 14 && run.report.slack == 4);
		CHECK_STR(read_sniffed(bytes, 2 + 2 * COUNT(units), "x"), "json");
		read_run_done(&run);
	}
	(void)text;
}

TEST(arrays_are_lists_and_reach_into_their_members)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "json", "{\"p\":[{\"n\":\"x\",\"v\":[1,2]},{\"n\":\"y\",\"o\":{\"k\":[{\"z\":true}]}}],\"s\":[\"a\",[\"b\"]],\"e\":[],\"o\":{}}\n"));
	CHECK_STR(run.out.p, "{\"p.n\":[\"x\",\"y\"],\"p.v\":[1,2],\"p.o.k.z\":[true],\"s\":[\"a\",\"b\"],\"e\":[],\"o\":\"{}\"}\n");
	CHECK(read_has(&run, "p=[\"{\\\"n\\\":\\\"x\\\""));
	CHECK(read_has(&run, "p.o=[\"{\\\"k\\\":[{\\\"z\\\":true}]}\"]"));
	read_run_done(&run);
}

TEST(duplicate_keys_are_all_kept)
{
	struct read_run run = {0};
	NEED(read_run_text(&run, "json", "{\"a\":1,\"b.c\":2,\"a\":3,\"b\":{\"c\":4}}"));
	CHECK_STR(run.out.p, "{\"a\":[1,3],\"b.c\":[2,4]}\n");
	read_run_done(&run);
}

TEST(escaped_keys_and_invalid_utf8_become_text)
{
	struct read_run run = {0};
	NEED(read_run_text(&run, "json", "{\"\\u0061\\n\":\"\xff\\u00e9\"}"));
	CHECK_STR(run.out.p, "{\"a\\n\":\"\xef\xbf\xbd\xc3\xa9\"}\n");
	read_run_done(&run);
}

TEST(a_windows_event_has_the_same_columns_in_every_export)
{
	static const char *const texts[] = {
		/* evtx_dump */
		"{\"Event\":{\"#attributes\":{\"xmlns\":\"u\"},\"System\":{\"Provider\":{\"#attributes\":{\"Name\":\"Microsoft-Windows-Sysmon\"}},\"EventID\":1,\"Channel\":"
		"\"Microsoft-Windows-Sysmon/Operational\",\"Computer\":\"H\",\"EventRecordID\":7,\"TimeCreated\":{\"#attributes\":{\"SystemTime\":\"2021-03-03T01:02:03.5Z\"}}},"
		"\"EventData\":{\"Image\":\"C:\\\\a.exe\"}}}",
		/* hayabusa, chainsaw */
		"{\"Event\":{\"System\":{\"Provider_attributes\":{\"Name\":\"Microsoft-Windows-Sysmon\"},\"EventID\":1,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\","
		"\"Computer\":\"H\",\"EventRecordID\":7,\"TimeCreated_attributes\":{\"SystemTime\":\"2021-03-03T01:02:03.5Z\"}},\"EventData\":{\"Image\":\"C:\\\\a.exe\"}}}",
		/* event id with qualifiers */
		"{\"Event\":{\"System\":{\"Provider\":{\"#attributes\":{\"Name\":\"Microsoft-Windows-Sysmon\"}},\"EventID\":{\"#attributes\":{\"Qualifiers\":\"\"},\"#text\":1},"
		"\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"Computer\":\"H\",\"EventRecordID\":7,\"TimeCreated\":{\"#attributes\":{\"SystemTime\":"
		"\"2021-03-03T01:02:03.5Z\"}}},\"EventData\":{\"Image\":\"C:\\\\a.exe\"}}}",
		/* Winlogbeat */
		"{\"@timestamp\":\"2021-03-03T01:02:03.5Z\",\"event\":{\"code\":\"1\"},\"winlog\":{\"channel\":\"Microsoft-Windows-Sysmon/Operational\",\"event_id\":1,"
		"\"provider_name\":\"Microsoft-Windows-Sysmon\",\"computer_name\":\"H\",\"record_id\":7,\"event_data\":{\"Image\":\"C:\\\\a.exe\"}}}",
		/* NXLog, Security-Datasets */
		"{\"SourceName\":\"Microsoft-Windows-Sysmon\",\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"Hostname\":\"H\",\"TimeCreated\":\"2021-03-03T01:02:03.5Z\","
		"\"EventID\":1,\"RecordNumber\":7,\"Image\":\"C:\\\\a.exe\"}",
		/* Wazuh */
		"{\"timestamp\":\"2021-03-03T01:02:09Z\",\"data\":{\"win\":{\"system\":{\"providerName\":\"Microsoft-Windows-Sysmon\",\"eventID\":\"1\",\"channel\":"
		"\"Microsoft-Windows-Sysmon/Operational\",\"computer\":\"H\",\"eventRecordID\":\"7\",\"systemTime\":\"2021-03-03T01:02:03.5Z\"},\"eventdata\":{\"image\":"
		"\"C:\\\\a.exe\"}}}}",
		/* a provider without a channel */
		"{\"ProviderName\":\"Microsoft-Windows-Sysmon\",\"EventID\":\"1\",\"Computer\":\"H\",\"RecordNumber\":7,\"UtcTime\":\"2021-03-03 01:02:03.5\",\"Image\":\"C:\\\\a.exe\"}"};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct input in;
		struct fault f = FAULT_INIT;
		struct reader_options none = {0};
		struct taxonomy *taxonomy = taxonomy_new(&f);
		struct shape_table *shapes = shape_table_new(taxonomy, 1 << 20);
		const struct reader_ops *ops = read_format("json");
		char when[ETIME_MAX];
		input_of_memory(&in, texts[i], strlen(texts[i]), STR("x"));
		struct reader *r = ops->open(&in, &none, &f);
		struct event *ev = ops->next(ops->cursor_new(r, shapes));
		NEED(ev);
		CHECK(str_eq(ev->shape->channel, STR("Microsoft-Windows-Sysmon/Operational")));
		CHECK(ev->shape->event_id == 1 && ev->has_record_id && ev->record_id == 7);
		CHECK(str_eq(event_host(ev), STR("H")));
		etime_print(ev->time, 1, when);
		CHECK_STR(when, "2021-03-03T01:02:03.5Z");
		const char *names[] = {"Image", "Provider_Name", "Computer"}, *values[] = {"C:\\a.exe", "Microsoft-Windows-Sysmon", "H"};
		for (size_t k = 0; k < COUNT(names); k++) {
			struct value *v = event_get(ev, str_of(names[k]));
			NEED(v);
			CHECK(str_eq(value_text(v, ev->arena), str_of(values[k])));
		}
		bool process_creation = false;
		for (uint32_t k = 0; k < ev->shape->n_bindings; k++) process_creation |= str_eq(ev->shape->bindings[k].ls.category, STR("process_creation"));
		CHECK(process_creation);
		ops->free(r);
		input_close(&in);
		shape_table_free(shapes);
		taxonomy_free(taxonomy);
	}
}

TEST(paths_of_the_export_stay_as_hidden_aliases)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "json", "{\"Event\":{\"System\":{\"EventID\":5,\"Channel\":\"Application\"},\"EventData\":{\"Threat Name\":\"t\",\"Data\":[\"x\",\"y\"]}}}"));
	CHECK_STR(run.out.p, "{\"EventID\":5,\"Channel\":\"Application\",\"Threat Name\":\"t\",\"Data\":[\"x\",\"y\"]}\n");
	CHECK(read_has(&run, "ThreatName=\"t\"") && read_has(&run, "Event.EventData.Threat Name=\"t\"") && read_has(&run, "EventData=\"{"));
	read_run_done(&run);
}

TEST(exchange_cmdlets_have_message_and_parts_either_way)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "json", "{\"Event\":{\"System\":{\"EventID\":1,\"Channel\":\"MSExchange Management\"},\"EventData\":{\"Data\":[\"Set-X\",\"-A \\\"b\\\"\",\"me\"]}}}\n"
		"{\"EventID\":6,\"Channel\":\"MSExchange Management\",\"Message\":\"Cmdlet failed. Cmdlet Get-Y, parameters -B \\\"c\\\".\"}\n"
		"{\"Event\":{\"System\":{\"EventID\":1,\"Channel\":\"Other\"},\"EventData\":{\"Data\":[\"Set-X\"]}}}\n"));
	CHECK(read_has(&run, "Message=\"Cmdlet suceeded. Cmdlet Set-X, parameters -A \\\"b\\\".\"") && read_has(&run, "Caller=\"me\""));
	CHECK(read_has(&run, "Cmdlet=\"Get-Y\"") && read_has(&run, "Parameters=\"-B \\\"c\\\"\""));
	CHECK(!strstr(strstr(run.out.p, "Other"), "Cmdlet"));
	read_run_done(&run);
}

TEST(an_exporters_wrong_clock_is_noted)
{
	struct read_run run = {0};
	struct buf b = {0};
	for (int i = 0; i < 20; i++)
		buf_printf(&b, "{\"EventID\":1,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"TimeCreated\":\"2021-03-14T01:%02d:33Z\",\"UtcTime\":\"2021-03-14 06:%02d:31.1\"}\n", i, i);
	NEED(read_run_bytes(&run, "json", NULL, b.p, b.n, "x"));
	CHECK(run.report.notes.n == 1 && str_find(run.report.notes.v[0].text, STR("-5:00 h"), 0) != SIZE_MAX);
	CHECK(str_find(run.report.parameters, STR("clock_skew=-5:00"), 0) != SIZE_MAX);
	buf_done(&b);
	read_run_done(&run);
}

TEST(damage_costs_one_object)
{
	struct read_run run = {0};
	NEED(read_run_text(&run, "json", "{\"a\":1}\n{\"a\":broken}\n{\"a\":3}\n"));
	CHECK_STR(run.out.p, "{\"a\":1}\n{\"a\":3}\n");
	CHECK(run.report.damage.n == 1 && run.report.damage.v[0].offset == 8 && run.report.damage.v[0].length == 13);
	read_run_done(&run);
	run = (struct read_run){0};
	NEED(read_run_text(&run, "json", "{\"Records\":[{\"a\":1},{\"a\":\"x,{\"a\":3}],\"z\":}"));
	CHECK(run.n >= 1 && run.report.damaged > 0);
	read_run_done(&run);
	run = (struct read_run){0};
	NEED(read_run_text(&run, "json", "{\"a\":1}\n{\"a\":\"cut of"));
	CHECK_STR(run.out.p, "{\"a\":1}\n");
	CHECK(run.report.damaged == 12);
	read_run_done(&run);
	run = (struct read_run){0};
	NEED(read_run_text(&run, "json", "[1,\"x\",{\"a\":1},[{}]]"));
	CHECK_STR(run.out.p, "{\"a\":1}\n");
	CHECK(run.report.damaged == 1 + 3 + 4);
	read_run_done(&run);
}

TEST(the_log_source_may_be_forced)
{
	struct read_run run = {0};
	struct reader_options o = {.logsource = STR("product=linux,category=process_creation")}, bad = {.logsource = STR("linux")};
	const char *text = "{\"Image\":\"/bin/sh\"}";
	NEED(read_run_bytes(&run, "json", &o, text, strlen(text), "x"));
	const struct shape *s = shape_table_at(run.shapes, 0);
	CHECK(s->n_bindings == 1 && str_eq(s->bindings[0].ls.product, STR("linux")) && str_eq(s->bindings[0].ls.category, STR("process_creation")));
	CHECK(str_find(run.report.parameters, STR("logsource=product=linux"), 0) != SIZE_MAX);
	CHECK(!read_run_bytes(&run, "json", &bad, text, strlen(text), "x"));
	read_run_done(&run);
}

TEST(times_in_all_their_forms)
{
	static const struct { const char *json, *wanted; } cases[] = {
		{"\"2021-03-03T06:59:20.1234567Z\"", "2021-03-03T06:59:20.1234567Z"}, {"\"2021-03-03 07:59:20+01:00\"", "2021-03-03T06:59:20Z"},
		{"1614754760", "2021-03-03T06:59:20Z"}, {"1614754760.25", "2021-03-03T06:59:20.25Z"}, {"1614754760123", "2021-03-03T06:59:20.123Z"},
		{"1614754760123456", "2021-03-03T06:59:20.123456Z"}, {"1614754760123456789", "2021-03-03T06:59:20.123456789Z"}, {"\"1614754760\"", "2021-03-03T06:59:20Z"},
		{"\"/Date(1614754760123)/\"", "2021-03-03T06:59:20.123Z"}, {"\"3/3/2021 7:59:20 AM +01:00\"", "2021-03-03T06:59:20Z"},
		{"\"3/3/2021 12:00:01 PM\"", "2021-03-03T12:00:01Z"}, {"\"3/3/2021 12:00:01 AM\"", "2021-03-03T00:00:01Z"}, {"\"yesterday\"", ""}, {"{}", ""}, {"-5", ""}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[100], when[ETIME_MAX];
		struct read_run run = {0};
		snprintf(text, sizeof text, "{\"timestamp\":%s}", cases[i].json);
		NEED(read_run_text(&run, "json", text));
		etime_print(run.report.first, run.report.first.digits, when);
		CHECK_STR(when, cases[i].wanted);
		read_run_done(&run);
	}
}

TEST(limits_cut_and_are_counted)
{
	struct read_run run = {0};
	struct buf b = {0};
	buf_byte(&b, '{');
	for (int i = 0; i < 3000; i++) buf_printf(&b, "%s\"k%d\":%d", i ? "," : "", i, i);
	buf_lit(&b, "}\n{\"a\":1}\n");
	NEED(read_run_bytes(&run, "json", NULL, b.p, b.n, "x"));
	CHECK(run.n == 2 && run.report.limited == 1);
	buf_done(&b);
	read_run_done(&run);
	run = (struct read_run){0};
	buf_lit(&b, "{\"deep\":");
	for (int i = 0; i < 100; i++) buf_byte(&b, '[');
	buf_lit(&b, "\n{\"a\":1}\n");
	NEED(read_run_bytes(&run, "json", NULL, b.p, b.n, "x"));
	CHECK(run.n == 1 && run.report.damaged > 0);
	buf_done(&b);
	read_run_done(&run);
}

TEST(the_proxylogon_recording_in_full)
{
	const char *corpora = check_corpora();
	if (!corpora) SKIP("no corpora");
	char command[4200];
	snprintf(command, sizeof command, "unzip -p '%s/exchange/proxylogon_ssrf_rce_poc.zip'", corpora);
	FILE *p = popen(command, "r");
	struct buf b = {0};
	for (size_t n; p && (n = fread(buf_reserve(&b, 1 << 20), 1, 1 << 20, p)) > 0;) b.n += n;
	if (!p || pclose(p) || !b.n) SKIP("no unzip");
	struct read_run run = {0};
	NEED(read_run_bytes(&run, "json", NULL, b.p, b.n, "x"));
	CHECK(run.n == 10487 && run.report.damaged == 0 && run.report.slack == 2 * 10487);
	CHECK(run.report.notes.n == 1 && str_find(run.report.notes.v[0].text, STR("-5:00 h"), 0) != SIZE_MAX);
	buf_done(&b);
	read_run_done(&run);
}
/* What an event says, in full. */
static void tell(struct event *ev, struct buf *out)
{
	struct read_run columns = {.all = true};
	read_note_columns(&columns, ev);
	buf_printf(out, "%lld.%u %d ", (long long)ev->time.sec, ev->time.nsec, ev->time.present);
	buf_printf(out, "%.*s %.*s %lld %u %llu ", STR_FMT(ev->shape->format), STR_FMT(ev->shape->channel), (long long)ev->shape->event_id, ev->flags, (unsigned long long)ev->record_id);
	buf_str(out, event_host(ev));
	buf_str(out, buf_view(&columns.columns));
	ev->ops->json(ev, out);
	buf_done(&columns.columns);
}

/* Reads the log; out[i] is what its i-th event says. */
static uint32_t tell_all(struct shape_table *shapes, struct str log, struct buf *out, uint32_t max)
{
	const struct reader_ops *ops = read_format("json");
	static const struct reader_options none = {0};
	struct input in;
	struct fault f = FAULT_INIT;
	struct arena strings;
	uint32_t n = 0, line = 1;
	arena_init(&strings, 1 << 20);
	struct source_report report = {.arena = &strings};
	input_of_memory(&in, log.p, log.n, STR("test"));
	struct reader *r = ops->open(&in, &none, &f);
	NEED(r);
	struct reader_cursor *c = ops->cursor_new(r, shapes);
	uint64_t at = 0;
	for (struct event *ev; (ev = ops->next(c)); n++) {
		for (; at < ev->records[0].offset; at++) line += log.p[at] == '\n';
		CHECK(ev->records[0].line == line);
		CHECK(ev->shape->id == UINT32_MAX || shape_table_at(shapes, ev->shape->id) == ev->shape);
		if (n < max) tell(ev, &out[n]);
	}
	ops->cursor_free(c);
	ops->finish(r, &report);
	ops->free(r);
	report_done(&report);
	input_close(&in);
	arena_done(&strings);
	return n;
}

/* What others keep by a shape's number must not be taken for what is known of another shape. */
TEST(shapes_beyond_the_budget_say_that_they_are_in_no_table)
{
	struct taxonomy *taxonomy = taxonomy_new(NULL);
	struct shape_table *shapes = shape_table_new(taxonomy, 20000);
	struct buf log = {0};
	for (int i = 0; i < 300; i++) buf_printf(&log, "{\"@timestamp\":\"2021-03-01T00:00:00Z\",\"key%d\":\"value\",\"other%d\":1}\n", i, i);
	CHECK(tell_all(shapes, buf_view(&log), NULL, 0) == 300);
	CHECK(shape_table_count(shapes) > 0 && shape_table_count(shapes) < 300);
	buf_done(&log);
	shape_table_free(shapes);
	taxonomy_free(taxonomy);
}

/* A value as it stands in JSON: $ in a pattern. */
static void put_value(struct buf *b, uint32_t k)
{
	static const char *const values[] = {"\"x\"", "\"\"", "12", "-1.5", "true", "null", "\"C:\\\\a\\\"b\\u00e9\"", "\"\xc3\xa4\xff\"", "\"4688\"", "4624", "\"Security\"", "\"2021-03-01T00:00:00Z\"",
		"1614556800", "\"2021-03-01 01:02:03.5\"", "\"syslog\"", "\"audit\"", "[1,\"a\"]", "[]", "{}", "{\"k\":1}", "[{\"k\":\"v\"}]", "\"2021-03-01T01:02:03.1234567+02:00\"", "\"1\""};
	buf_str(b, str_of(values[k % COUNT(values)]));
}

/* Objects that come again are read by comparing with those before (text/json_lane.h): each must say what it says when it stands alone. */
TEST(objects_in_a_stream_say_what_they_say_alone)
{
	static const char *const patterns[] = {
		"{\"EventID\":$,\"Channel\":$,\"SourceName\":$,\"Hostname\":$,\"Image\":$,\"UtcTime\":$}", "{\"Event\":{\"System\":{\"EventID\":$,\"Channel\":$,\"Computer\":$,\"EventRecordID\":$},\"EventData\":{\"A\":$}}}",
		"{\"@timestamp\":$,\n \"winlog\":{\"channel\":$,\"event_id\":$,\"event_data\":{\"B\":$}},\n \"event\":{\"code\":$}}", "{\"eventVersion\":$,\"eventSource\":$,\"eventName\":$,\"eventTime\":$,\"userIdentity\":{\"arn\":$}}",
		"{\"__REALTIME_TIMESTAMP\":$,\"MESSAGE\":$,\"_TRANSPORT\":$,\"_HOSTNAME\":$,\"SYSLOG_IDENTIFIER\":$}", "{\"timestamp\":$,\"host\":$,\"message\":$}", "{\"a\":$,\"a\":$}", "{\"EventID\":$,\"Channel\":$,\"SourceName\":$,\"Hostname\":$,\"UtcTime\":$}",
		"{\"EventID\":$,\"Provider_Name\":$,\"Message\":$,\"Data\":$}"};
	enum { OBJECTS = 3000 };
	static const char *const gaps[] = {"\n", "\n", "\r\n", " \n\n", "", ","};
	struct buf log = {0}, *in_stream = calloc(OBJECTS, sizeof *in_stream), alone = {0};
	size_t *from = calloc(OBJECTS + 1, sizeof *from), *to = calloc(OBJECTS, sizeof *to);
	uint32_t state = 1;
	for (uint32_t i = 0; i < OBJECTS; i++) {
		const char *pattern = patterns[((state = state * 1664525 + 1013904223) >> 16) % COUNT(patterns)];
		from[i] = log.n;
		for (; *pattern; pattern++) {
			state = state * 1664525 + 1013904223;
			if (*pattern == '$') put_value(&log, state >> 24 & 1 ? 8 : state >> 16);
			else buf_byte(&log, *pattern);
		}
		to[i] = log.n;
		buf_str(&log, str_of(gaps[(state >> 20) % COUNT(gaps)]));
	}
	struct taxonomy *taxonomy = taxonomy_new(NULL);
	struct shape_table *shapes = shape_table_new(taxonomy, 64 << 20);
	uint32_t read = tell_all(shapes, buf_view(&log), in_stream, OBJECTS);
	if (read != OBJECTS) printf("# %u events\n", read);
	NEED(read == OBJECTS);
	unsigned different = 0;
	for (uint32_t i = 0; i < OBJECTS; i++) {
		alone.n = 0;
		NEED(tell_all(shapes, (struct str){log.p + from[i], to[i] - from[i]}, &alone, 1) == 1);
		if (str_eq(buf_view(&alone), buf_view(&in_stream[i]))) continue;
		if (!different++) printf("# %.*s\n# alone %.*s\n# stream %.*s\n", (int)(to[i] - from[i]), log.p + from[i], STR_FMT(buf_view(&alone)), STR_FMT(buf_view(&in_stream[i])));
	}
	CHECK(different == 0);
	for (uint32_t i = 0; i < OBJECTS; i++) buf_done(&in_stream[i]);
	free(in_stream);
	free(from);
	free(to);
	buf_done(&log);
	buf_done(&alone);
	shape_table_free(shapes);
	taxonomy_free(taxonomy);
}

TEST_MAIN
