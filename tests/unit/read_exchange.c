/* Exchange's CSV logs: headers of both styles, kinds, free text at the end, key=value lists, JSON in the audit queue. */
#include "read_check.h"
#include "text/json_read.h"

TEST(a_bare_header_and_a_directive_are_both_header)
{
	const char *text = "\xef\xbb\xbf" "DateTime,RequestId,Protocol,UrlHost,UrlStem,AnchorMailbox,UserAgent,ClientIpAddress,ServerHostName,HttpStatus,Method,ProxyAction,,UrlQuery\r\n"
		"#Software: Microsoft Exchange Server\r\n#Version: 15.01.2106.002\r\n#Log-type: HttpProxy Logs\r\n#Date: 2021-03-03T06:47:52.387Z\r\n"
		"#Fields: DateTime,RequestId,Protocol,UrlHost,UrlStem,AnchorMailbox,UserAgent,ClientIpAddress,ServerHostName,HttpStatus,Method,ProxyAction,,UrlQuery\r\n"
		"2021-03-03T06:59:13.030Z,r,Ecp,mail,/ecp/y.js,ServerInfo~a]@x:444/ecp/p?#,python,1.2.3.4 5.6.7.8,MX01,241,POST,Proxy,,?a=b\r\n";
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "exchange", text));
	CHECK(run.n == 1 && run.report.damaged == 0 && run.report.slack == 0 && run.report.n_records == 1);
	CHECK(read_has(&run, "AnchorMailbox=\"ServerInfo~a]@x:444/ecp/p?#\"") && read_has(&run, "cs-uri-query=\"/ecp/y.js?a=b\"") && read_has(&run, "c-ip=\"1.2.3.4\"") && read_has(&run, "(13)=null"));
	const struct shape *s = shape_table_at(run.shapes, 0);
	CHECK(str_eq(s->format, STR("httpproxy")) && s->n_bindings == 3 && s->host_column >= 0);
	bool alias = false;
	for (uint32_t i = 0; i < s->bindings[1].n_renames; i++) alias |= str_eq(s->bindings[1].renames[i].rule_field, STR("sc-status")) && str_eq(s->bindings[1].renames[i].event_field, STR("HttpStatus"));
	CHECK(alias && str_eq(s->bindings[1].ls.category, STR("webserver")));
	CHECK(str_find(run.report.parameters, STR("kind=httpproxy zone=UTC version=15.01.2106.002"), 0) != SIZE_MAX);
	CHECK_STR(read_sniffed(text, strlen(text), "x"), "exchange");
	read_run_done(&run);
}

TEST(event_data_reaches_to_the_end_of_the_line)
{
	const char *text = "#Software: Microsoft Exchange Server\n#Log-type: ECP Server Log\n#Fields: TimeStamp,ServerName,EventId,EventData\n"
		"2021-03-03T06:59:17.960Z,MX01,ECP.Request,S:TIME=411;'S:CMD=Set-OabVirtualDirectory.ExternalUrl=''http://f/<script language=\"\"JScript\"\">a;b(1,2)</script>''.Identity=''x''';S:REQID=;S:URL=/ecp/y?z=1,2\n"
		"2021-03-03T06:59:18Z,MX01,ECP.Request,\"S:CMD=Get-X;S:URL=\"\"q\"\"\"\n2021-03-03T06:59:19Z,MX01,ECP.Short\n2021-03-03T06:59:2";
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "exchange", text));
	CHECK(run.n == 2 && run.report.damage.n == 2);
	CHECK(read_has(&run, "EventData.CMD=\"Set-OabVirtualDirectory.ExternalUrl='http://f/<script language=\\\"JScript\\\">a;b(1,2)</script>'.Identity='x'\"\n"));
	CHECK(read_has(&run, "EventData.URL=\"/ecp/y?z=1,2\"\n") && read_has(&run, "EventData.TIME=\"411\"\n") && read_has(&run, "EventData.URL=\"\\\"q\\\"\"\n") && read_has(&run, "EventData.REQID=null"));
	CHECK(str_eq(shape_table_at(run.shapes, 0)->format, STR("ecp-server")));
	read_run_done(&run);
}

TEST(the_same_columns_may_be_another_kind_by_type_or_folder)
{
	static const char body[] = "TimeStamp,ServerName,EventId,EventData\n2021-03-03T06:59:17.960Z,MX01,X,S:PSA=p\n";
	struct read_run run = {.all = true};
	NEED(read_run_bytes(&run, "exchange", NULL, body, sizeof body - 1, "Logging/ECP/Activity/ECPActivity_1_20210303-1.LOG"));
	CHECK(read_has(&run, "EventData.PSA=\"p\"") && str_eq(shape_table_at(run.shapes, 0)->format, STR("ecp-activity")));
	read_run_done(&run);
	run = (struct read_run){.all = true};
	NEED(read_run_text(&run, "exchange", "TimeStamp,ServerName,EventId,EventData\n#Log-type: ECP Activity Context Log\n2021-03-03T06:59:17.960Z,MX01,X,S:PSA=p\n"));
	CHECK(str_eq(shape_table_at(run.shapes, 0)->format, STR("ecp-activity")));
	read_run_done(&run);
	run = (struct read_run){0};
	NEED(read_run_text(&run, "exchange", "DateTime,Thread,Message\n#Software: Microsoft Exchange Server\n#Log-type: OAB Generator Log\n#Fields: DateTime,Thread,Message\n"
		"2021-03-03T06:59:17Z,12,\"Download failed and temporary file 'C:\\x, y.aspx' needs to be removed\"\n2021-03-03T06:59:18Z,12,a, b \"c\"\n"));
	CHECK(strstr(run.out.p, "C:\\\\x, y.aspx") && strstr(run.out.p, "\"Message\":\"a, b \\\"c\\\"\"") && str_eq(shape_table_at(run.shapes, 0)->format, STR("oabgenerator")));
	read_run_done(&run);
}

TEST(records_may_span_lines_and_lists_are_lists)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "exchange", "#Software: Microsoft Exchange Server\n#Fields: DateTime,Cmdlet,Parameters,ExecutingUserSid,GenericInfo\n"
		"2021-03-03T06:59:17Z,New-X,\"-Name \"\"a\nb\"\"\",S-1-5-500,PSSenderInfo=jones@x;y=1\n"
		"#Log-type: Message Tracking Log\n#Fields: date-time,source-context,event-id,internal-message-id,recipient-address\n2021-03-03T06:59:17Z,c,SEND,1,a@x;b@x\n"));
	CHECK(run.n == 2 && run.report.damaged == 0 && read_has(&run, "Parameters=\"-Name \\\"a\\nb\\\"\"") && read_has(&run, "GenericInfo.PSSenderInfo=\"jones@x\""));
	CHECK(read_has(&run, "recipient-address=[\"a@x\",\"b@x\"]"));
	read_run_done(&run);
}

TEST(the_audit_queue_holds_audit_records)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "exchange", "#Software: Microsoft Exchange\n#Fields: Timestamp,Server,TenantId,RecordType,Data,UserKey,Workload\n"
		"2021-03-03T06:59:17Z,S,,1,\"{\"\"CreationTime\"\":\"\"2021-03-03T06:59:16\"\",\"\"Operation\"\":\"\"Set-Mailbox\"\",\"\"Workload\"\":\"\"Exchange\"\",\"\"RecordType\"\":1,"
		"\"\"Parameters\"\":[{\"\"Name\"\":\"\"Identity\"\",\"\"Value\"\":\"\"x\"\"}]}\",u,Exchange\n2021-03-03T06:59:18Z,S,,1,no json,u,Exchange\n"));
	CHECK(run.n == 2 && run.report.damaged == 0 && read_has(&run, "Parameters.Name=[\"Identity\"]") && read_has(&run, "Data=\"no json\""));
	CHECK(run.report.first.sec == 1614754756);
	read_run_done(&run);
}

TEST(damage_by_its_reason)
{
	struct read_run run = {0};
	NEED(read_run_text(&run, "exchange", "1,2\n#Software: Microsoft Exchange Server\n#Fields: DateTime,a,b\nx,y,z\n2021-03-03T06:59:17Z,1,2,3\n2021-03-03T06:59:17Z,1,2\n"));
	CHECK(run.n == 1 && run.report.damage.n == 3);
	CHECK(str_eq(run.report.damage.v[0].reason, STR("no header before it")) && str_eq(run.report.damage.v[1].reason, STR("no time where the header says")) &&
		str_eq(run.report.damage.v[2].reason, STR("more cells than the header has")));
	read_run_done(&run);
}

/* A log of one record for every true header that is known. */
TEST(every_true_header_is_known)
{
	static const struct { const char *type, *format; } wanted[] = {{"Agent Log", "agent"}, {"HttpProxy Logs", "httpproxy"}, {"audit", "audit-queue"},
		{"ECP Activity Context Log", "ecp-activity"}, {"ECP Server Log", "ecp-server"}, {"EWS Logs", "ews"}, {"Message Tracking Log", "message-tracking"},
		{"Rps Cmdlet Logs", "rps-cmdlet"}, {"Rps Http Logs", "rps-http"}, {"SMTP Receive Protocol Log", "smtp-receive"}};
	const char *corpora = check_corpora();
	char path[4200], *json;
	size_t n;
	unsigned tried = 0;
	struct fault f = FAULT_INIT;
	struct json_tape tape = {0};
	if (!corpora) SKIP("no corpora");
	snprintf(path, sizeof path, "%s/exchange/headers.json", corpora);
	NEED(file_slurp(path, 1 << 20, &json, &n, &f) && json_read_all(&tape, (struct str){json, n}, &f));
	struct str all = {json, n};
	for (struct json_member m = {0}; json_member_next(&tape, 0, &m);) {
		for (struct json_member v = {0}; json_member_next(&tape, m.value, &v);) {
			struct buf b = {0};
			struct read_run run = {0};
			struct str type = json_raw(all, &tape.v[m.key]);
			unsigned cells = 0;
			buf_printf(&b, "#Software: Microsoft Exchange Server\n#Log-type: %.*s\n#Fields: ", STR_FMT(type));
			for (uint32_t i = v.value + 1; i < tape.v[v.value].next; i++, cells++) buf_printf(&b, "%s%.*s", cells ? "," : "", STR_FMT(json_raw(all, &tape.v[i])));
			buf_byte(&b, '\n');
			for (unsigned i = 0; i < cells; i++) buf_printf(&b, "%s", i ? ",x" : "2021-03-03T06:59:17Z");
			NEED(read_run_bytes(&run, "exchange", NULL, b.p, b.n, "x"));
			for (size_t i = 0; i < COUNT(wanted); i++) {
				if (!str_eq(type, str_of(wanted[i].type))) continue;
				tried++;
				/* A StartTime behind the first column, and the like, are texts here; the first column is the time. */
				CHECK(run.n == 1 && str_eq(shape_table_at(run.shapes, 0)->format, str_of(wanted[i].format)));
				if (run.n != 1 || !str_eq(shape_table_at(run.shapes, 0)->format, str_of(wanted[i].format))) printf("# %s\n", wanted[i].type);
			}
			read_run_done(&run);
			buf_done(&b);
		}
	}
	CHECK(tried >= COUNT(wanted));
	json_tape_done(&tape);
	free(json);
}
TEST_MAIN
