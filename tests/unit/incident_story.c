/* Stories: what the incident room makes of small sets of events, from phase one to the incident. */
#include "tests/incident_event.h"
#include "tests/check.h"
#include <stdarg.h>

struct got { enum stage stage; enum level level; char title[200], story[12000], extra[60000]; uint32_t n_evidence, n_stages; };
static struct got gots[16];
static uint32_t n_gots;

static void take(void *context, const struct incident *i)
{
	(void)context;
	NEED(n_gots < COUNT(gots));
	const struct finding *f = &i->finding;
	struct got *g = &gots[n_gots++];
	g->stage = i->stage;
	g->level = f->level;
	g->n_evidence = f->n_evidence;
	g->n_stages = f->n_stages;
	snprintf(g->title, sizeof g->title, "%.*s", STR_FMT(f->title));
	snprintf(g->story, sizeof g->story, "%.*s", STR_FMT(i->story));
	snprintf(g->extra, sizeof g->extra, "%.*s", STR_FMT(f->extra_json));
	for (uint32_t k = 0; k < f->n_stages; k++) {
		CHECK(f->stages[k].n > 0); /* each stage cites records of its own */
		CHECK(f->stages[k].from + f->stages[k].n <= f->n_evidence);
	}
}

static void run(const char *const *lines, uint32_t workers)
{
	struct fake_run *r = malloc(sizeof *r);
	fake_run_init(r, workers);
	n_gots = 0;
	uint32_t source = 1;
	struct str path = STR("logs/x.log");
	incidents_source(r->incidents, source, path, STR("x"), NULL);
	for (; *lines; lines++) {
		if (**lines == '@') { /* the next source */
			path = str_of(*lines + 1);
			incidents_source(r->incidents, ++source, path, STR("x"), NULL);
		} else if (!fake_line(r, str_of(*lines), source, path)) {
			printf("# bad line %s\n", *lines);
			CHECK(false);
		}
	}
	fake_finish(r, take, NULL);
	fake_run_done(r);
	free(r);
}
/* Lines made by a format, for runs of many. */
enum { MADE = 400 };
static char made_text[MADE][420];
static const char *made[MADE + 1];
static void make(int i, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void make(int i, const char *format, ...)
{
	va_list args;
	NEED(i < MADE);
	va_start(args, format);
	vsnprintf(made_text[i], sizeof made_text[i], format, args);
	va_end(args);
	made[i] = made_text[i];
	made[i + 1] = NULL;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL}, 1)
static bool story_has(uint32_t i, const char *text) { return i < n_gots && strstr(gots[i].story, text); }
static bool extra_has(uint32_t i, const char *text) { return i < n_gots && strstr(gots[i].extra, text); }

#define PROXY(time, path, status) "httpproxy|2021-03-03T" time "Z|ServerHostName=MX01|UrlStem=/ecp/y.js|Method=POST|HttpStatus=" status \
	"|ClientIpAddress=203.0.113.9|UserAgent=python-requests/2.25.1|RequestId=r" time "|AnchorMailbox=ServerInfo~a]@mx01.x.example:444" path
#define HIT_SCRIPT "|!Virtual directory address set to a script!critical!exhibit.proxylogon.written"
#define HIT_SHELL "|!Web server starts a command interpreter!high!exhibit.any.commands"
#define HONEST "httpproxy|2021-03-03T06:50:00Z|ServerHostName=MX01|UrlStem=/owa/|Method=GET|HttpStatus=200|ClientIpAddress=10.0.0.5|AnchorMailbox=Sid~S-1-5-21-1"

TEST(chain_of_the_known_case)
{
	const char *lines[] = {HONEST, PROXY("06:59:10", "/autodiscover/autodiscover.xml?#", "200"), PROXY("06:59:11", "/mapi/emsmdb/?#", "200"),
		PROXY("06:59:13", "/ecp/proxyLogon.ecp?#", "241"), PROXY("06:59:14", "/ecp/DDI/DDIService.svc/GetObject?msExchEcpCanary=abc&schema=OABVirtualDirectory#", "200"),
		"ecp|2021-03-03T06:59:17Z|ServerName=MX01|EventData=S:CMD=Set-OabVirtualDirectory.ExternalUrl=x S:URL=/ecp/DDI/DDIService.svc/SetObject?msExchEcpCanary=abc&schema" HIT_SCRIPT,
		PROXY("06:59:20", "/ecp/DDI/DDIService.svc/SetObject?msExchEcpCanary=abc&schema=ResetOABVirtualDirectory#", "200"), NULL};
	run(lines, 1);
	NEED(n_gots == 1);
	CHECK_STR(gots[0].title, "ProxyLogon on mx01: a file was written on the server");
	CHECK(gots[0].stage == STAGE_WRITTEN && gots[0].level == LEVEL_CRITICAL);
	CHECK(gots[0].n_stages == 5);
	CHECK(story_has(0, "241 at /ecp/proxyLogon.ecp through a forged routing cookie"));
	CHECK(story_has(0, "(reset of a virtual directory)"));
	CHECK(extra_has(0, "\"campaign\":\"proxylogon\",\"stage\":\"written\""));
	CHECK(extra_has(0, "\"attackers\":[\"203.0.113.9\"]"));
	CHECK(extra_has(0, "No IIS log of mx01 was read"));
	static char one[60000];
	memcpy(one, gots[0].extra, sizeof one);
	run(lines, 2);
	NEED(n_gots == 1);
	CHECK_STR(gots[0].extra, one);
}

TEST(asking_only_is_one_incident_of_probing)
{
	RUN(HONEST, PROXY("06:59:10", "/autodiscover/autodiscover.xml?#", "200"), PROXY("06:59:12", "/autodiscover/autodiscover.xml?#", "401"),
		PROXY("06:59:13", "/ecp/proxyLogon.ecp?#", "500"),
		"httpproxy|2021-03-04T06:59:10Z|ServerHostName=MX01|UrlStem=/owa/auth/x.js|Method=GET|HttpStatus=500|ClientIpAddress=203.0.113.77|AnchorMailbox=ServerInfo~localhost/ecp/default.flt?");
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_PROBE && gots[0].level == LEVEL_INFORMATIONAL);
	CHECK(extra_has(0, "\"203.0.113.9\",\"203.0.113.77\""));
}

TEST(nothing_bad_is_no_incident)
{
	RUN(HONEST, HONEST);
	CHECK(n_gots == 0);
}

TEST(scanners_beside_an_intrusion_are_kept_apart)
{
	RUN(PROXY("06:59:13", "/ecp/proxyLogon.ecp?#", "241"),
		"httpproxy|2021-03-04T06:59:10Z|ServerHostName=MX01|UrlStem=/owa/auth/x.js|Method=GET|HttpStatus=500|ClientIpAddress=203.0.113.77|AnchorMailbox=ServerInfo~localhost/ecp/default.flt?");
	NEED(n_gots == 1);
	CHECK(extra_has(0, "\"attackers\":[\"203.0.113.9\"],\"scanners\":[\"203.0.113.77\"]"));
}

TEST(iis_alone_tells_of_a_session)
{
	RUN("@case/mx01/W3SVC1/u_ex210303.log",
		"iis|2021-03-03T06:59:13Z|s-ip=10.0.0.11|cs-method=POST|cs-uri-stem=/ecp/y.js|cs-uri-query=/ecp/y.js?&cafeReqId=r1;|s-port=443|c-ip=203.0.113.9|sc-status=241"
		"|!POST to a static file of Exchange opened a session!critical!exhibit.proxylogon.session");
	NEED(n_gots == 1);
	CHECK_STR(gots[0].title, "ProxyLogon on 10.0.0.11: a session was opened behind the front end");
	CHECK(extra_has(0, "No HttpProxy log of 10.0.0.11 was read: whether and how sessions were obtained through the front end cannot be known"));
}

#define IIS(time, method, stem, status, ip, more) "iis|2021-03-0" time "Z|s-ip=10.0.0.11|cs-method=" method "|cs-uri-stem=" stem "|cs-uri-query=" stem "|s-port=443|c-ip=" ip \
	"|sc-status=" status more

TEST(httpproxy_says_what_iis_cannot)
{
	/* a POST to a static file was answered, but what it reached was autodiscover: a probe */
	RUN("@case/mx01/HttpProxy/a.log", PROXY("06:59:10", "/autodiscover/autodiscover.xml?#", "200"), "@case/mx01/W3SVC1/u_ex210303.log",
		"iis|2021-03-03T06:59:10Z|s-ip=10.0.0.11|cs-method=POST|cs-uri-stem=/ecp/y.js|cs-uri-query=/ecp/y.js?&cafeReqId=r06:59:10;|s-port=443|c-ip=203.0.113.9|sc-status=200"
		"|!POST to a static file of Exchange was answered!high!exhibit.proxylogon.ssrf");
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_PROBE);
}

TEST(the_folder_names_the_server_of_an_iis_log)
{
	RUN("@case/mx01/HttpProxy/a.log", HONEST, "@case/mx02/HttpProxy/a.log", "httpproxy|2021-03-03T06:50:00Z|ServerHostName=MX02|UrlStem=/owa/|HttpStatus=200",
		"@case/mx02/W3SVC1/u_ex210303.log", IIS("3T08:00:00", "GET", "/aspnet_client/supp0rt.aspx", "200", "203.0.113.9", ""));
	NEED(n_gots == 1);
	CHECK_STR(gots[0].title, "Web shell on mx02: a web shell was used");
}

TEST(shell_that_a_scanner_only_looked_for)
{
	RUN(IIS("3T08:00:00", "GET", "/aspnet_client/a.aspx", "404", "203.0.113.9", ""), IIS("3T08:00:01", "GET", "/aspnet_client/b.aspx", "404", "203.0.113.9", ""),
		IIS("3T08:00:02", "GET", "/owa/auth/c.aspx", "302", "203.0.113.9", ""), IIS("3T08:00:03", "GET", "/owa/auth/typo.aspx", "404", "203.0.113.50", ""));
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_PROBE);
	CHECK(extra_has(0, "\"attackers\":[\"203.0.113.9\"]"));
}

TEST(a_page_the_house_added_is_no_shell)
{
	for (int i = 0; i < 40; i++) make(i, IIS("3T08:%02d:00", "GET", "/owa/auth/welcome.aspx", "200", "10.0.0.%d", "|cs(Referer)=https://mail/owa/|cs(User-Agent)=Mozilla/5.0"), i, i);
	run(made, 1);
	CHECK(n_gots == 0);
}

TEST(a_page_of_the_monitor_is_no_shell)
{
	for (int i = 0; i < 200; i++) make(i, IIS("%dT08:%02d:00", "GET", "/monitor/alive.aspx", "200", "10.0.0.2", "|cs(User-Agent)=HaProxy-check/1.0"), 1 + i / 40, i % 40);
	run(made, 1);
	CHECK(n_gots == 0);
}

TEST(a_tunnel_is_found_on_any_web_server)
{
	for (int i = 0; i < 300; i++)
		make(i, "web|2019-09-03T10:%02d:%02dZ|cs-method=%s|cs-uri-stem=/erp/conn.jsp|cs-uri-query=/erp/conn.jsp?proxy|c-ip=10.0.2.17|sc-status=200", i / 60, i % 60, i % 2 ? "GET" : "POST");
	run(made, 2);
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_USED);
	CHECK(story_has(0, "as a tunnel has"));
	CHECK(gots[0].n_evidence == 32); /* the first and the last of 300 */
}

TEST(rows_of_popular_scripts_are_no_shell)
{
	for (int i = 0; i < 300; i++)
		make(i, "web|2019-09-03T10:%02d:%02dZ|cs-method=POST|cs-uri-stem=/blog/wp-login.php|cs-uri-query=/blog/wp-login.php|c-ip=192.0.2.%d|sc-status=200", i / 60, i % 60, i % 50);
	run(made, 2);
	CHECK(n_gots == 0);
}

TEST(host_logs_alone_with_a_wrong_clock)
{
	RUN("@case/export.json",
		"application|2021-03-14T01:40:11Z|Computer=MXS01.x.example|Message=...]:444/...|!Control panel error for an address that reaches the back end!high!exhibit.proxylogon.session",
		"mgmt|2021-03-14T01:40:12Z|Computer=MXS01.x.example|Message=Set-OabVirtualDirectory" HIT_SCRIPT,
		"sysmon|2021-03-14T01:40:13Z|EventID=11|Computer=MXS01.x.example|UtcTime=2021-03-14 06:40:13.700|Image=System|TargetFilename=C:\\V15\\FrontEnd\\HttpProxy\\owa\\auth\\ohyeah.aspx",
		"sysmon|2021-03-14T01:40:15Z|EventID=11|Computer=MXS01.x.example|UtcTime=2021-03-14 06:40:15.300|Image=w3wp.exe|TargetFilename=C:\\W\\Temporary ASP.NET Files\\owa\\8e\\e1\\ohyeah.aspx.f5db.compiled",
		"sysmon|2021-03-14T01:40:16Z|EventID=1|Computer=MXS01.x.example|UtcTime=2021-03-14 06:40:15.340|ParentImage=C:\\W\\w3wp.exe|Image=C:\\W\\cmd.exe|CommandLine=cmd /c whoami" HIT_SHELL);
	NEED(n_gots == 1);
	CHECK_STR(gots[0].title, "ProxyLogon on mxs01: commands were run on the server");
	CHECK(story_has(0, "2021-03-14 06:40:11 to 2021-03-14 06:40:15 UTC"));
	CHECK(extra_has(0, "labelled 5 h 00 min earlier than the UTC time"));
	CHECK(extra_has(0, "No HttpProxy log of mxs01 was read"));
}

TEST(set_up_and_shipped_pages_are_quiet)
{
	RUN("sysmon|2021-03-14T01:40:13Z|EventID=11|Computer=MX|Image=C:\\W\\msiexec.exe|TargetFilename=C:\\V15\\FrontEnd\\HttpProxy\\owa\\auth\\newpage.aspx",
		"sysmon|2021-03-14T01:40:13Z|EventID=11|Computer=MX|Image=w3wp.exe|TargetFilename=C:\\W\\Temporary ASP.NET Files\\owa\\8e\\e1\\logon.aspx.f5db.compiled",
		"sysmon|2021-03-14T01:40:13Z|EventID=11|Computer=MX|Image=w3wp.exe|TargetFilename=C:\\W\\Temporary ASP.NET Files\\intranet\\8e\\e1\\list.aspx.f5db.compiled");
	CHECK(n_gots == 0);
}

#define AUTODISCOVER(time, query, status, user, hit) "iis|2021-08-20T" time "Z|s-ip=10.0.0.11|cs-method=POST|cs-uri-stem=/autodiscover/autodiscover.json|cs-uri-query=/autodiscover/autodiscover.json?" \
	query "|s-port=443|cs-username=" user "|c-ip=203.0.113.9|sc-status=" status hit
#define HIT_PS "|!Autodiscover request that reaches PowerShell was answered!critical!exhibit.proxyshell.session"

TEST(token_makes_it_proxyshell_and_its_absence_with_a_user_proxynotshell)
{
	RUN(AUTODISCOVER("10:00:00", "@evil.example/powershell/?X-Rps-CAT=VgEAVAdXaW5kb3dzQwBBBUJhc2ljTBVqb25lc0Bjb250b3NvLmV4YW1wbGVVElMtMS01LTIxLTEtMi0zLTUwMEcCAAAABwAAAAdTLTEtMS0wBwAAAAdTLTEtNS0yRQAAAAA=", "200", "-", HIT_PS));
	NEED(n_gots == 1);
	CHECK_STR(gots[0].title, "ProxyShell on 10.0.0.11: a session was opened behind the front end");
	CHECK(extra_has(0, "jones@contoso.example"));
	RUN(AUTODISCOVER("10:00:00", "@evil.example/powershell/", "200", "CONTOSO\\\\bob", HIT_PS));
	NEED(n_gots == 1);
	CHECK(extra_has(0, "\"campaign\":\"proxynotshell\""));
	RUN(AUTODISCOVER("10:00:00", "@evil.example/powershell/?X-Rps-CAT=VgEA", "401", "-", "|!not answered!low!exhibit.proxyshell.probe"));
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_PROBE);
}

TEST(more_encodings_than_a_pattern_allows_for)
{
	RUN(AUTODISCOVER("10:00:00", "a%2540evil.example%252f%2570owershell%252f&x=autodiscover.json", "200", "-", ""));
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_SESSION);
}

TEST(another_web_server_that_answers_everything_is_no_exchange)
{
	RUN("web|2021-08-20T10:00:00Z|cs-method=POST|cs-uri-stem=/autodiscover/autodiscover.json|cs-uri-query=/autodiscover/autodiscover.json?@x.example/powershell/|c-ip=203.0.113.9|sc-status=200" HIT_PS);
	CHECK(n_gots == 0);
}

TEST(logs_with_most_columns_taken_out)
{
	#define BARE(time, path, status) "httpproxy|2021-03-03T" time "Z|UrlStem=/ecp/y.js|RoutingHint=X-BEResource-Cookie|UserAgent=python-requests/2.25.1|AnchorMailbox=ServerInfo~a]@srv:444" path "|HttpStatus=" status
	RUN("@case/mx01/ecp.log", BARE("06:49:10", "/autodiscover/autodiscover.xml?#", "200"), BARE("06:49:11", "/mapi/emsmdb/?#", "200"), BARE("06:49:13", "/ecp/proxyLogon.ecp?#", "241"),
		BARE("06:59:13", "/ecp/proxyLogon.ecp?#", "241"), BARE("06:59:20", "/ecp/DDI/DDIService.svc/SetObject?schema=ResetOABVirtualDirectory#", "200"));
	NEED(n_gots == 1 || n_gots == 2);
	CHECK(gots[n_gots - 1].stage == STAGE_WRITTEN);
	CHECK(strstr(gots[n_gots - 1].title, "case/mx01"));
}

TEST(an_interface_for_programs_is_no_shell)
{
	for (int i = 0; i < 300; i++)
		make(i, "web|2021-03-%02dT10:%02d:00Z|cs-method=POST|cs-uri-stem=/api/status.php|cs-uri-query=/api/status.php?cmd=getStatus&id=%d|c-ip=10.0.0.7|cs-user-agent=curl/7.74|sc-status=200", 1 + i / 20, i % 60, i);
	run(made, 1);
	CHECK(n_gots == 0);
}

TEST(weak_signs_open_nothing_and_join_only_their_own)
{
	#define WEAK "rps-http|2021-03-03T10:00:00Z|ServerHostName=MX01|HttpStatus=200|ClientInfo=Python PSRP Client|AuthenticatedUser=adm|ClientIpAddress=10.0.0.31|!Remote PowerShell used by an unusual client!medium!exhibit.any.session"
	#define TASK "security|2021-03-03T10:00:00Z|EventID=4698|Computer=MX01.x|TaskName=t|!Scheduled task!high!exhibit.any.persistence"
	RUN(WEAK, TASK);
	CHECK(n_gots == 0);
	RUN(PROXY("06:59:13", "/ecp/proxyLogon.ecp?#", "241"), WEAK, TASK);
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_PERSISTENCE);
	CHECK(!story_has(0, "unusual client")); /* another address */
	RUN("security|2021-02-03T10:00:00Z|EventID=4698|Computer=MX01.x|TaskName=t|!Scheduled task!high!exhibit.any.persistence", PROXY("06:59:13", "/ecp/proxyLogon.ecp?#", "241"));
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_SESSION); /* a month before */
}

TEST(two_attackers_are_two_incidents)
{
	RUN(PROXY("06:59:13", "/ecp/proxyLogon.ecp?#", "241"),
		"httpproxy|2021-03-09T06:59:10Z|ServerHostName=MX01|UrlStem=/ecp/z.js|Method=POST|HttpStatus=200|ClientIpAddress=203.0.113.200|AnchorMailbox=ServerInfo~a]@mx01:444/mapi/emsmdb/?#");
	NEED(n_gots == 2);
	CHECK(gots[0].stage == STAGE_SESSION && gots[1].stage == STAGE_SSRF);
}

#define BY(ip, time, path, status) "httpproxy|2021-03-03T" time "Z|ServerHostName=MX01|UrlStem=/ecp/y.js|Method=POST|HttpStatus=" status \
	"|ClientIpAddress=" ip "|UserAgent=python-requests/2.25.1|RequestId=r" ip time "|AnchorMailbox=ServerInfo~a]@mx01.x.example:444" path
#define DDI(verb, canary, schema) "/ecp/DDI/DDIService.svc/" verb "?msExchEcpCanary=" canary "&schema=" schema "OABVirtualDirectory#"
#define ECP_SET(time, canary) "ecp|2021-03-03T" time "Z|ServerName=MX01|EventData=S:CMD=Set-OabVirtualDirectory.ExternalUrl=x S:URL=/ecp/DDI/DDIService.svc/SetObject?msExchEcpCanary=" canary "&schema" HIT_SCRIPT
#define WRITTEN(time, page) "sysmon|2021-03-03T" time "Z|EventID=11|Computer=MX01|Image=System|TargetFilename=C:\\V15\\FrontEnd\\HttpProxy\\owa\\auth\\" page
#define CALL(ip, time, page) "iis|2021-03-03T" time "Z|s-ip=10.0.0.11|cs-method=POST|cs-uri-stem=/owa/auth/" page "|cs-uri-query=/owa/auth/" page "|s-port=443|c-ip=" ip "|sc-status=200"
#define COMMAND(time, line) "sysmon|2021-03-03T" time "Z|EventID=1|Computer=MX01|ParentImage=C:\\W\\w3wp.exe|Image=C:\\W\\cmd.exe|CommandLine=cmd /c " line HIT_SHELL
#define A "203.0.113.9"
#define B "198.51.100.77"

static int by_attacker(const char *ip)
{
	char text[60];
	snprintf(text, sizeof text, "\"attackers\":[\"%s\"]", ip);
	for (uint32_t i = 0; i < n_gots; i++)
		if (extra_has(i, text)) return (int)i;
	return -1;
}

TEST(two_attackers_at_the_same_time_are_two_incidents)
{
	for (uint32_t workers = 1; workers <= 2; workers++) {
		const char *lines[] = {BY(A, "06:59:10", "/autodiscover/autodiscover.xml?#", "200"), BY(B, "06:59:10", "/autodiscover/autodiscover.xml?#", "200"),
			BY(A, "06:59:11", "/mapi/emsmdb/?#", "200"), BY(B, "06:59:12", "/mapi/emsmdb/?#", "200"),
			"application|2021-03-03T06:59:12Z|Computer=MX01|Message=...]:444/...|!Control panel error for an address that reaches the back end!high!exhibit.proxylogon.session",
			BY(A, "06:59:13", "/ecp/proxyLogon.ecp?#", "241"), BY(B, "06:59:13", "/ecp/proxyLogon.ecp?#", "500"), BY(A, "06:59:14", DDI("GetObject", "aaa", ""), "200"),
			BY(B, "06:59:15", "/EWS/Exchange.asmx?#", "200"), ECP_SET("06:59:17", "aaa"), "mgmt|2021-03-03T06:59:17Z|Computer=MX01|Message=Set-OabVirtualDirectory" HIT_SCRIPT,
			BY(B, "06:59:18", "/mapi/emsmdb/?#", "200"), WRITTEN("06:59:19", "one.aspx"), BY(A, "06:59:20", DDI("SetObject", "aaa", "Reset"), "200"), CALL(A, "07:10:00", "one.aspx"),
			BY(B, "07:10:01", "/mapi/emsmdb/?#", "200"), COMMAND("07:10:01", "whoami"), NULL};
		run(lines, workers);
		NEED(n_gots == 2);
		int a = by_attacker(A), b = by_attacker(B);
		NEED(a >= 0 && b >= 0);
		CHECK(gots[a].stage == STAGE_COMMANDS);
		CHECK(gots[b].stage == STAGE_SSRF);
		CHECK(!story_has((uint32_t)b, "Control panel error"));
	}
}

TEST(two_attackers_who_both_have_shells_keep_their_own_commands)
{
	RUN(BY(A, "06:59:13", "/ecp/proxyLogon.ecp?#", "241"), BY(B, "06:59:13", "/ecp/proxyLogon.ecp?#", "241"), BY(B, "06:59:14", DDI("GetObject", "bbb", ""), "200"),
		BY(A, "06:59:14", DDI("GetObject", "aaa", ""), "200"), ECP_SET("06:59:15", "bbb"), WRITTEN("06:59:16", "two.aspx"), BY(B, "06:59:16", DDI("SetObject", "bbb", "Reset"), "200"),
		ECP_SET("06:59:25", "aaa"), WRITTEN("06:59:26", "one.aspx"), BY(A, "06:59:26", DDI("SetObject", "aaa", "Reset"), "200"),
		CALL(A, "07:10:00", "one.aspx"), COMMAND("07:10:00", "whoami"), CALL(B, "07:12:00", "two.aspx"), COMMAND("07:12:01", "ipconfig"), CALL(A, "07:13:00", "one.aspx"), COMMAND("07:13:00", "net user"));
	NEED(n_gots == 2);
	int a = by_attacker(A), b = by_attacker(B);
	NEED(a >= 0 && b >= 0);
	CHECK(gots[a].stage == STAGE_COMMANDS && gots[b].stage == STAGE_COMMANDS);
	CHECK(extra_has((uint32_t)a, "whoami") && extra_has((uint32_t)a, "net user") && !extra_has((uint32_t)a, "ipconfig"));
	CHECK(extra_has((uint32_t)b, "ipconfig") && !extra_has((uint32_t)b, "whoami"));
	CHECK(story_has((uint32_t)a, "one.aspx") && !story_has((uint32_t)a, "two.aspx"));
}

TEST(one_attacker_over_several_addresses_is_one_incident)
{
	RUN(BY("203.0.113.1", "06:59:13", "/ecp/proxyLogon.ecp?#", "241"), BY("203.0.113.2", "06:59:14", DDI("GetObject", "aaa", ""), "200"),
		BY("203.0.113.3", "06:59:18", DDI("SetObject", "aaa", ""), "200"), ECP_SET("06:59:18", "aaa"), BY("203.0.113.4", "06:59:20", DDI("SetObject", "aaa", "Reset"), "200"),
		WRITTEN("06:59:20", "one.aspx"), CALL("203.0.113.5", "07:10:00", "one.aspx"), CALL("203.0.113.6", "07:10:09", "one.aspx"), COMMAND("07:10:10", "whoami"));
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_COMMANDS);
	CHECK(extra_has(0, "\"attackers\":[\"203.0.113.1\",\"203.0.113.2\",\"203.0.113.3\",\"203.0.113.4\",\"203.0.113.5\",\"203.0.113.6\"]"));
}

TEST(a_balancer_in_the_iis_log_does_not_tie_attackers_together)
{
	#define BALANCED(request, time) "iis|2021-03-03T" time "Z|s-ip=10.0.0.11|cs-method=POST|cs-uri-stem=/ecp/y.js|cs-uri-query=/ecp/y.js?&cafeReqId=" request ";|s-port=443|c-ip=10.0.0.2|sc-status=200" \
		"|!POST to a static file of Exchange was answered!high!exhibit.proxylogon.ssrf"
	RUN(BY(A, "06:59:11", "/mapi/emsmdb/?#", "200"), BY(B, "06:59:12", "/mapi/emsmdb/?#", "200"), BALANCED("r" A "06:59:11", "06:59:11"), BALANCED("r" B "06:59:12", "06:59:12"));
	NEED(n_gots == 2);
	CHECK(by_attacker(A) >= 0 && by_attacker(B) >= 0);
}

TEST(a_stolen_account_ties_addresses_together_and_the_administrators_does_not)
{
	#define PS(ip, user) "iis|2022-10-01T10:00:00Z|s-ip=10.0.0.11|cs-method=POST|cs-uri-stem=/autodiscover/autodiscover.json|cs-uri-query=/autodiscover/autodiscover.json?@x.example/powershell/" \
		"|s-port=443|cs-username=" user "|c-ip=" ip "|sc-status=200|!Autodiscover request that reaches PowerShell was answered!critical!exhibit.proxyshell.session"
	RUN(PS(A, "CONTOSO\\bob"), PS(B, "bob@contoso.example"));
	NEED(n_gots == 1);
	RUN(PS(A, "CONTOSO\\Administrator"), PS(B, "CONTOSO\\Administrator"));
	CHECK(n_gots == 2);
}

#define FORWARD(time, user, server) "audit|2022-10-01T" time "Z|UserId=" user "|ClientIP=192.0.2.44:50001|OriginatingServer=" server " (15.01.2507.012)|Operation=Set-Mailbox" \
	"|!Mailbox told to forward its mail (audit log)!medium!exhibit.any.persistence"
#define FORWARD_CMDLET(time) "mgmt|2022-10-01T" time "Z|Computer=MX01|Message=Set-Mailbox|!Mailbox told to forward its mail!medium!exhibit.any.persistence"
#define NAMED "httpproxy|2022-10-01T09:00:00Z|ServerHostName=MX01|UrlStem=/owa/|Method=GET|HttpStatus=200"

TEST(mail_sent_on_by_the_account_of_the_session_is_persistence)
{
	RUN(NAMED, PS(A, "CONTOSO\\bob"), FORWARD("10:30:00", "bob@contoso.example", "MX01"), FORWARD("10:31:00", "carol@contoso.example", "MX01"));
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_PERSISTENCE);
	CHECK(story_has(0, "Mailbox told to forward its mail (audit log)\n")); /* once: carol's is her own affair */
	/* the mailbox may lie in the cloud: the account ties, a server's name would not */
	RUN(NAMED, PS(A, "CONTOSO\\bob"), FORWARD("10:30:00", "bob@contoso.example", "AM6PR05MB1234.eurprd05.example"));
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_PERSISTENCE);
	RUN(NAMED, FORWARD("10:30:00", "bob@contoso.example", "MX01"));
	CHECK(n_gots == 0);
}

TEST(what_administrators_do_too_joins_only_beside)
{
	RUN(NAMED, PS(A, "CONTOSO\\bob"), FORWARD_CMDLET("10:05:00"));
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_PERSISTENCE);
	RUN(NAMED, PS(A, "CONTOSO\\bob"), FORWARD_CMDLET("15:00:00"));
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_SESSION);
}

TEST(mail_read_through_ews_by_an_attackers_address_is_enumeration)
{
	#define EWS(ip) "ews|2021-03-03T07:10:00Z|ServerHostName=MX01|AuthenticatedUser=CONTOSO\\MX01$|SoapAction=FindItem|HttpStatus=200|ClientIpAddress=" ip \
		"|!Mailbox read through EWS by a server's own account!medium!exhibit.any.enumeration"
	RUN(BY(A, "06:59:12", "/mapi/emsmdb/?#", "200"), EWS(A), EWS("10.0.0.44"));
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_ENUMERATION);
	CHECK(story_has(0, "Mailbox read through EWS by a server's own account\n"));
	RUN(BY(A, "06:59:12", "/mapi/emsmdb/?#", "200"), EWS("127.0.0.1"));
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_SSRF); /* eleven minutes later, from nowhere: not his */
	RUN(EWS(A));
	CHECK(n_gots == 0);
}

TEST(a_task_on_the_server_is_not_the_doing_of_who_only_read_a_mailbox)
{
	RUN(BY(A, "06:59:12", "/mapi/emsmdb/?#", "200"), "security|2021-03-03T10:00:00Z|EventID=4698|Computer=MX01|TaskName=t|!Scheduled task!high!exhibit.any.persistence");
	NEED(n_gots == 1);
	CHECK(gots[0].stage == STAGE_SSRF);
}

TEST(missing_days_are_told_when_silence_is_no_chance)
{
	int n = 0;
	for (int day = 1; day <= 9; day++)
		for (int i = 0; i < 10 && (day < 4 || day > 6); i++) make(n++, "httpproxy|2021-03-%02dT0%d:00:00Z|ServerHostName=MX01|UrlStem=/owa/|HttpStatus=200", day, i);
	for (int day = 1; day <= 9; day++)
		if (day % 4 == 1) make(n++, "ecp|2021-03-%02dT00:00:00Z|ServerName=MX01|EventData=x", day);
	make(n++, "%s", PROXY("06:59:13", "/ecp/proxyLogon.ecp?#", "241"));
	make(n++, "%s", "mgmt|2021-03-08T06:59:20Z|Computer=MX01|Message=m" HIT_SCRIPT);
	run(made, 1);
	NEED(n_gots == 1);
	CHECK(extra_has(0, "HttpProxy log of mx01 missing for 2021-03-04 to 2021-03-06"));
	CHECK(!extra_has(0, "ECP server log of mx01 missing")); /* one line every fourth day: silence says nothing */
	CHECK(extra_has(0, "No IIS log of mx01 was read"));
}

TEST(newer_builds_lower_the_confidence)
{
	RUN("httpproxy|2021-03-03T06:50:00Z|ServerHostName=MX01|MajorVersion=15|MinorVersion=2|BuildVersion=1118|UrlStem=/owa/|HttpStatus=200",
		"httpproxy|2021-03-03T06:50:00Z|ServerHostName=MX01|MajorVersion=15|MinorVersion=2|BuildVersion=1118|UrlStem=/owa/auth/x.aspx|Method=POST|HttpStatus=200|ClientIpAddress=203.0.113.9");
	NEED(n_gots == 1);
	CHECK(extra_has(0, "runs build 15.2.1118, newer than the list of shipped scripts"));
}

static void noop(void *context, const struct incident *i) { ++*(uint32_t *)context, (void)i; }

TEST(a_small_budget_drops_and_says_so)
{
	struct fake_run *r = malloc(sizeof *r);
	fake_run_init(r, 1);
	incidents_free(r->incidents);
	r->incidents = incidents_new(r->plan, 64 << 10);
	n_gots = 0;
	for (int i = 0; i < 2000; i++) {
		char line[400];
		int n = snprintf(line, sizeof line, "httpproxy|2021-03-03T06:59:13Z|ServerHostName=MX01|UrlStem=/ecp/y.js|HttpStatus=241|ClientIpAddress=203.0.113.9|RequestId=%d|AnchorMailbox=ServerInfo~a]@x:444/ecp/proxyLogon.ecp?#", i);
		fake_line(r, (struct str){line, (size_t)n}, 1, STR("x"));
	}
	fake_finish(r, take, NULL);
	NEED(n_gots == 1);
	CHECK(extra_has(0, "clues were not kept for lack of memory"));
	fake_run_done(r);
	free(r);
}

TEST(foreign_payloads_are_ignored)
{
	struct fault f = FAULT_INIT;
	uint32_t n = 0;
	struct incident_plan *plan = incident_plan_new(&f);
	struct incidents *s = incidents_new(plan, 1 << 20);
	struct evidence_ref e = {.length = 1};
	incidents_feed(s, &(struct clue_record){.payload = STR("nonsense"), .evidence = &e, .n_evidence = 1});
	incidents_feed(s, &(struct clue_record){.payload = STR(""), .evidence = &e, .n_evidence = 1});
	incidents_finish(s, noop, &n);
	CHECK(n == 0);
	incidents_free(s);
	incident_plan_free(plan);
}

TEST(correlations_join_by_host_and_begin_nothing)
{
	struct fault f = FAULT_INIT;
	struct incident_plan *plan = incident_plan_new(&f);
	struct incidents *s = incidents_new(plan, 1 << 20);
	struct str tags[] = {STR("attack.t1505.003"), STR("exhibit.proxylogon.written")};
	struct rule_info rule = {.title = STR("OAB remade"), .level = LEVEL_HIGH, .tags = tags, .n_tags = 2};
	struct evidence_ref e = {.length = 1};
	struct named group = {STR("Computer"), STR("MX01.x.example")};
	struct finding finding = {.kind = FINDING_CORRELATION, .level = LEVEL_HIGH, .rule = &rule, .time = etime_from_unix(1614754763, 0, 0), .group = &group, .n_group = 1,
		.evidence = &e, .n_evidence = 1};
	incidents_finding(s, &finding);
	n_gots = 0;
	incidents_finish(s, take, NULL);
	CHECK(n_gots == 0);
	incidents_free(s);
	/* beside a session of the same minute it is the next stage */
	s = incidents_new(plan, 1 << 20);
	struct fake f2;
	fake_init(&f2);
	struct analyser *an = analyser_new(plan, 1 << 20);
	struct event *ev = fake_event(&f2, STR(PROXY("06:59:13", "/ecp/proxyLogon.ecp?#", "241")));
	const struct clue *c = analyser_event(an, ev, 0, STR("x"), NULL, 0);
	NEED(c);
	incidents_feed(s, &(struct clue_record){.time = ev->time, .payload = c->payload, .evidence = &e, .n_evidence = 1});
	incidents_finding(s, &finding);
	incidents_finish(s, take, NULL);
	NEED(n_gots == 1);
	CHECK_STR(gots[0].title, "ProxyLogon on mx01: a file was written on the server");
	analyser_free(an);
	fake_done(&f2);
	incidents_free(s);
	incident_plan_free(plan);
}

TEST_MAIN
