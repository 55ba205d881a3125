/* Tables with headers, and Windows events as XML. */
#include "read_check.h"

static const struct shape *first_shape(const struct read_run *run) { return shape_table_at(run->shapes, 0); }

TEST(a_plain_table)
{
	const char *text = "timestamp,user,action\r\n2021-03-03T06:59:17Z,\"a, b\",\"say \"\"x\"\"\nmore\"\r\n2021-03-03 06:59:18,c,d\r\ntoo,few\r\n1,2,3,4\r\ntimestamp,user,action\r\n2021-03-03T0";
	struct read_run run = {0};
	NEED(read_run_text(&run, "csv", text));
	CHECK_STR(run.out.p, "{\"timestamp\":\"2021-03-03T06:59:17Z\",\"user\":\"a, b\",\"action\":\"say \\\"x\\\"\\nmore\"}\n{\"timestamp\":\"2021-03-03 06:59:18\",\"user\":\"c\",\"action\":\"d\"}\n");
	CHECK(run.report.damage.n == 3 && run.report.header == 2 * 23);
	CHECK(str_find(run.report.parameters, STR("zone=+0 zone_from=default"), 0) != SIZE_MAX);
	CHECK_STR(read_sniffed(text, strlen(text), "x"), "csv");
	read_run_done(&run);
	CHECK_STR(read_sniffed("a,b,c\n1,2,3\n", 12, "x"), "");
}

TEST(other_separators)
{
	static const char *const texts[] = {"time;user;x\n2021-03-03T06:59:17Z;a,b;c\n", "time\tuser\tx\n2021-03-03T06:59:17Z\ta,b\tc\n"};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct read_run run = {0};
		NEED(read_run_text(&run, "csv", texts[i]));
		CHECK_STR(run.out.p, "{\"time\":\"2021-03-03T06:59:17Z\",\"user\":\"a,b\",\"x\":\"c\"}\n");
		read_run_done(&run);
	}
}

TEST(exports_of_windows_events_have_the_evtx_columns)
{
	static const char *const texts[] = {
		/* EvtxECmd */
		"RecordNumber,EventRecordId,TimeCreated,EventId,Level,Provider,Channel,ProcessId,ThreadId,Computer,PayloadData1,Payload\n"
		"1,7,2021-03-03 01:02:03.5000000,1,Info,Microsoft-Windows-Sysmon,Microsoft-Windows-Sysmon/Operational,1,2,H,x,"
		"\"{\"\"EventData\"\":{\"\"Data\"\":[{\"\"@Name\"\":\"\"Image\"\",\"\"#text\"\":\"\"C:\\\\a.exe\"\"},{\"\"@Name\"\":\"\"CommandLine\"\",\"\"#text\"\":\"\"a -b\"\"}]}}\"\n",
		/* Get-WinEvent | Export-Csv */
		"\"Message\",\"Id\",\"Level\",\"RecordId\",\"ProviderName\",\"LogName\",\"MachineName\",\"TimeCreated\"\n"
		"\"Process Create:\r\nUtcTime: x\r\nImage: C:\\a.exe\r\nCommandLine: a -b\",1,4,7,Microsoft-Windows-Sysmon,Microsoft-Windows-Sysmon/Operational,H,2021-03-03T01:02:03.5Z\n",
		/* the event viewer: no channel, and the message without a name */
		"Level,Date and Time,Source,Event ID,Task Category\nInformation,3/3/2021 1:02:03 AM,Microsoft-Windows-Sysmon,1,Process Create,\"Process Create:\r\nImage: C:\\a.exe\r\nCommandLine: a -b\"\n",
		/* Hayabusa */
		"\"Timestamp\",\"RuleTitle\",\"Level\",\"Computer\",\"Channel\",\"EventID\",\"RecordID\",\"Details\",\"Image\",\"CommandLine\"\n"
		"\"2021-03-03 01:02:03.500 +00:00\",\"r\",\"info\",\"H\",\"Sysmon\",1,7,\"d\",\"C:\\a.exe\",\"a -b\"\n"};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct read_run run = {.all = true};
		struct reader_options zone = {.zone_seconds = i == 0 ? 3600 : 0};
		NEED(read_run_bytes(&run, "csv", &zone, texts[i], strlen(texts[i]), "x"));
		CHECK(run.n == 1 && run.report.damaged == 0);
		CHECK(read_has(&run, "Image=\"C:\\\\a.exe\"") && read_has(&run, "CommandLine=\"a -b\"") && read_has(&run, "EventID=1\n"));
		CHECK(str_eq(first_shape(&run)->channel, STR("Microsoft-Windows-Sysmon/Operational")) && first_shape(&run)->event_id == 1);
		CHECK(run.report.first.sec == 1614733323);
		bool process_creation = false;
		for (uint32_t k = 0; k < first_shape(&run)->n_bindings; k++) process_creation |= str_eq(first_shape(&run)->bindings[k].ls.category, STR("process_creation"));
		CHECK(process_creation);
		CHECK_STR(read_sniffed(texts[i], strlen(texts[i]), "x"), "csv");
		if (run.n != 1 || !process_creation) printf("# table %zu\n%s\n", i, run.columns.p);
		read_run_done(&run);
	}
}

TEST(audit_data_is_the_record)
{
	const char *text = "RecordId,CreationDate,RecordType,Operation,UserId,AuditData\n"
		"1,2021-03-03T06:59:17Z,1,New-InboxRule,u,\"{\"\"CreationTime\"\":\"\"2021-03-03T06:59:16\"\",\"\"Operation\"\":\"\"New-InboxRule\"\",\"\"Workload\"\":\"\"Exchange\"\",\"\"Parameters\"\":[{\"\"Name\"\":\"\"N\"\",\"\"Value\"\":\"\"V\"\"}]}\"\n"
		"2,2021-03-03T06:59:17Z,1,X,u,none\n";
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "csv", text));
	CHECK(run.n == 2 && run.report.damaged == 0 && read_has(&run, "Parameters.Value=[\"V\"]") && read_has(&run, "AuditData=\"none\"") && run.report.first.sec == 1614754756);
	CHECK(str_eq(first_shape(&run)->format, STR("m365")) && str_eq(first_shape(&run)->bindings[0].ls.product, STR("m365")));
	CHECK_STR(read_sniffed(text, strlen(text), "x"), "csv");
	read_run_done(&run);
}

TEST(zeek_tables)
{
	const char *text = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n#open\t2021-03-03-06-59-17\n"
		"#fields\tts\tuid\tid.orig_h\tquery\tanswers\tqtype_name\n#types\ttime\tstring\taddr\tstring\tvector[string]\tstring\n"
		"1614754757.250000\tC1\t10.0.0.1\tx.example\t1.1.1.1,2.2.2.2\tA\n1614754758.250000\tC2\t10.0.0.1\t\"q\"\t-\t(empty)\n#close\t2021\n";
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "csv", text));
	CHECK(run.n == 2 && run.report.damaged == 0 && read_has(&run, "answers=[\"1.1.1.1\",\"2.2.2.2\"]") && read_has(&run, "answers=null") && read_has(&run, "query=\"\\\"q\\\"\"") && read_has(&run, "qtype_name=\"\"\n"));
	CHECK(str_eq(first_shape(&run)->format, STR("zeek-dns")) && first_shape(&run)->n_bindings == 2 && run.report.first.sec == 1614754757 && run.report.first.nsec == 250000000);
	CHECK_STR(read_sniffed(text, strlen(text), "x"), "csv");
	read_run_done(&run);
}

TEST(a_table_may_be_of_a_known_family)
{
	struct read_run run = {0};
	NEED(read_run_text(&run, "csv", "TimeGenerated,OperationNameValue,CategoryValue,ResourceGroup\n2021-03-03T06:59:17Z,MICROSOFT.NETWORK/DNSZONES/WRITE,Administrative,g\n"));
	CHECK(str_eq(first_shape(&run)->format, STR("azure-activity-table")) && str_eq(first_shape(&run)->bindings[0].ls.service, STR("activitylogs")));
	read_run_done(&run);
}

#define SYSTEM "<System><Provider Name=\"Microsoft-Windows-Sysmon\" Guid=\"{5}\"/><EventID Qualifiers=\"\">1</EventID><Level>4</Level>" \
	"<TimeCreated SystemTime=\"2021-03-03T01:02:03.5Z\"/><EventRecordID>7</EventRecordID><Channel>Microsoft-Windows-Sysmon/Operational</Channel>" \
	"<Computer>H</Computer><Security UserID=\"S-1-5-18\"/></System>"

TEST(windows_event_xml)
{
	const char *text = "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\n<Events>"
		"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>" SYSTEM "<EventData><Data Name='Image'>C:\\a.exe</Data><Data Name='CommandLine'>a &lt;b&gt; "
		"<![CDATA[&c]]></Data><Data Name='Threat Name'/><Data>one</Data><Data>two</Data></EventData><RenderingInfo Culture='en-US'><Message>Process Create:</Message></RenderingInfo></Event>\n"
		"<Event xmlns='x'>" SYSTEM "<UserData><Log xmlns='y'><SubjectUserName>u</SubjectUserName><Deep><Leaf>l</Leaf></Deep></Log></UserData></Event></Events>\n";
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "winxml", text));
	CHECK(run.n == 2 && run.report.damaged == 0);
	CHECK(strstr(run.out.p, "{\"Provider_Name\":\"Microsoft-Windows-Sysmon\",\"Provider_Guid\":\"{5}\",\"EventID\":1,\"EventID_Qualifiers\":\"\",\"Level\":\"4\",\"TimeCreated_SystemTime\":"
		"\"2021-03-03T01:02:03.5Z\",\"EventRecordID\":\"7\",\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"Computer\":\"H\",\"Security_UserID\":\"S-1-5-18\","
		"\"Message\":\"Process Create:\",\"Image\":\"C:\\\\a.exe\",\"CommandLine\":\"a <b> &c\",\"Threat Name\":\"\",\"Data\":[\"one\",\"two\"]}\n") == run.out.p);
	CHECK(read_has(&run, "ThreatName=\"\"") && read_has(&run, "SubjectUserName=\"u\"") && read_has(&run, "Leaf=\"l\"") && read_has(&run, "SystemTime=\"2021"));
	CHECK(run.report.first.sec == 1614733323 && run.report.first.nsec == 500000000 && first_shape(&run)->event_id == 1);
	CHECK_STR(read_sniffed(text, strlen(text), "x"), "winxml");
	read_run_done(&run);
}

TEST(broken_xml_costs_one_event)
{
	struct read_run run = {0};
	NEED(read_run_text(&run, "winxml", "<Events>stray<Event>" SYSTEM "</Event><Event><System><EventID>1</System></Event><Event>" SYSTEM "</Event><Event><EventData/></Event><Event>" SYSTEM));
	CHECK(run.n == 2 && run.report.damaged > 0 && run.report.header > 0);
	if (run.n != 2) printf("# %u events\n", run.n);
	read_run_done(&run);
}

TEST(events_one_after_the_other_without_a_root)
{
	struct read_run run = {0};
	NEED(read_run_text(&run, "winxml", "<Event>" SYSTEM "</Event>\r\n<Event>" SYSTEM "</Event>\r\n"));
	CHECK(run.n == 2 && run.report.damaged == 0 && run.report.slack == 4);
	read_run_done(&run);
}
TEST_MAIN
