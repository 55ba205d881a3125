/* The incident room's decodings: script paths, forged routing cookies, tokens, EBCDIC, clue payloads. */
#include "incident/incident_internal.h"
#include "tests/check.h"

static const char *script(const char *stem)
{
	static struct script_path p;
	if (!path_script(str_of(stem), &p)) return NULL;
	p.text[p.n] = 0;
	return p.text;
}

TEST(search_without_case)
{
	CHECK(find_nocase(STR("abcX-rps-CAT=z"), "x-Rps-cat=") == 3);
	CHECK(find_nocase(STR("--x-rps-ca-x-rps-cat="), "X-Rps-CAT=") == 11);
	CHECK(find_nocase(STR("x-rps-cat"), "x-rps-cat=") == SIZE_MAX);
	CHECK(find_nocase(STR("=x"), "x=") == SIZE_MAX);
	CHECK(find_nocase(STR("AutoDISCOVER"), "autodiscover") == 0);
	CHECK(find_nocase(STR("xxautodiscove"), "autodiscover") == SIZE_MAX);
	CHECK(find_nocase(STR(""), "a") == SIZE_MAX);
	CHECK(find_nocase(STR("%c2%"), "%C2%") == 0);
}

TEST(script_paths)
{
	CHECK_STR(script("/owa/auth/X.ASPX"), "/owa/auth/x.aspx");
	CHECK_STR(script("/owa/auth/x.aspx/y/z"), "/owa/auth/x.aspx");
	CHECK_STR(script("/owa/auth/x.aspx;a=1"), "/owa/auth/x.aspx");
	CHECK_STR(script("/owa//auth/./%78.aspx"), "/owa/auth/x.aspx");
	CHECK_STR(script("/owa/%U0061uth/%u0078%u002Easpx"), "/owa/auth/x.aspx");
	CHECK(!script("/owa/auth/x%u002") && !script("/owa/auth/x%u012easpx"));
	CHECK_STR(script("\\owa\\auth\\x.aspx"), "/owa/auth/x.aspx");
	CHECK_STR(script("/owa/auth/15.1.2106/x.aspx"), "/owa/auth/x.aspx");
	CHECK_STR(script("/a.b/c.d/e.php"), "/a.b/c.d/e.php");
	CHECK_STR(script("/x.asp.jpg/y.aspx"), "/x.asp.jpg/y.aspx");
	CHECK(!script("/owa/auth/x.aspxx"));
	CHECK(!script("/ecp/y.js"));
	CHECK(!script("/owa/"));
	CHECK(!script(""));
	CHECK(!script(".aspx"));
}

TEST(long_paths_are_cut_not_overrun)
{
	char text[4000];
	memset(text, '/', sizeof text);
	struct script_path p;
	CHECK(!path_script((struct str){text, sizeof text}, &p));
	memset(text, 'a', sizeof text);
	memcpy(text + 3000, ".aspx", 5);
	CHECK(!path_script((struct str){text, sizeof text}, &p));
	for (size_t i = 0; i + 1 < sizeof text; i += 2) memcpy(text + i, "a/", 2);
	memcpy(text + 200, ".aspx/", 6);
	CHECK(path_script((struct str){text, sizeof text}, &p));
}

TEST(files_become_paths)
{
	struct script_path p;
	NEED(path_of_file(STR("C:\\Program Files\\Microsoft\\Exchange Server\\V15\\FrontEnd\\HttpProxy\\owa\\auth\\Ohyeah.aspx"), &p));
	CHECK(str_eq(path_str(&p), STR("/owa/auth/ohyeah.aspx")));
	CHECK(str_eq(path_base(&p), STR("ohyeah.aspx")));
	NEED(path_of_file(STR("inetpub\\wwwroot\\aspnet_client\\a.aspx"), &p));
	CHECK(str_eq(path_str(&p), STR("/aspnet_client/a.aspx")));
	CHECK(!path_of_file(STR("C:\\Windows\\Temp\\a.aspx"), &p));
	CHECK(!path_of_file(STR("C:\\inetpub\\wwwroot\\a.txt"), &p));
}

static bool shipped(const struct incident_plan *plan, const char *stem)
{
	struct script_path p;
	NEED(path_script(str_of(stem), &p));
	return path_shipped(plan, &p);
}

TEST(baseline)
{
	struct fault f = FAULT_INIT;
	struct incident_plan *plan = incident_plan_new(&f);
	NEED(plan);
	CHECK(plan->scripts.n > 800);
	CHECK(shipped(plan, "/owa/auth/logon.aspx"));
	CHECK(shipped(plan, "/OWA/AUTH/15.1.2106/Logon.aspx"));
	CHECK(shipped(plan, "/ecp/DDI/DDIService.svc/GetObject"));
	CHECK(shipped(plan, "/EWS/Exchange.asmx"));
	CHECK(shipped(plan, "/ecp/auth/TimeoutLogout.aspx"));
	CHECK(!shipped(plan, "/owa/auth/TimeoutLogout.aspx"));
	CHECK(!shipped(plan, "/aspnet_client/logon.aspx"));
	struct script_path p;
	NEED(path_script(STR("/owa/auth/RedirSuiteServerProxy.aspx"), &p));
	CHECK(path_near_shipped(plan, &p));
	NEED(path_script(STR("/owa/auth/wholeothername.aspx"), &p));
	CHECK(!path_near_shipped(plan, &p));
	uint32_t n;
	const struct rule_info *rules = incident_plan_rules(plan, &n);
	CHECK(n == NATIVE_RULES);
	for (uint32_t i = 0; i < n; i++) CHECK(rules[i].id.n == 36 && rules[i].title.n && rules[i].n_tags && str_eq(rules[i].file, STR("native")));
	incident_plan_native(plan, false);
	incident_plan_rules(plan, &n);
	CHECK(n == 0);
	incident_plan_free(plan);
}

TEST(users_additions_to_the_baseline)
{
	struct fault f = FAULT_INIT;
	char name[] = "/tmp/exhibit-baseline-XXXXXX";
	int fd = mkstemp(name);
	const char text[] = "# ours\n/owa/auth/Ours.aspx\n";
	NEED(fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
	struct incident_plan *plan = incident_plan_new(&f);
	uint8_t before[SHA256_SIZE];
	memcpy(before, incident_plan_sha256(plan), sizeof before);
	CHECK(incident_plan_baseline(plan, name, &f));
	CHECK(shipped(plan, "/owa/auth/ours.aspx"));
	CHECK(memcmp(before, incident_plan_sha256(plan), sizeof before));
	NEED(write(fd, "no script\n", 10) == 10);
	CHECK(!incident_plan_baseline(plan, name, &f));
	CHECK(f.kind == FAULT_SYNTAX && strstr(f.text, "no script"));
	CHECK(!incident_plan_baseline(plan, "/nonexistent", &f));
	incident_plan_free(plan);
	close(fd);
	unlink(name);
}

static enum stage tier(const char *mailbox, uint32_t status)
{
	struct anchor a;
	return anchor_look(str_of(mailbox), STR(""), status, &a) ? a.stage : STAGE_NONE;
}

TEST(tiers_of_forged_cookies)
{
	CHECK(tier("ServerInfo~a]@srv.x:444/autodiscover/autodiscover.xml?#", 200) == STAGE_PROBE);
	CHECK(tier("ServerInfo~localhost/ecp/default.flt?", 500) == STAGE_PROBE);
	CHECK(tier("ServerInfo~a]@srv.x:444/mapi/emsmdb/?#", 200) == STAGE_SSRF);
	CHECK(tier("ServerInfo~a]@srv.x:444/mapi/emsmdb/?#", 401) == STAGE_PROBE);
	CHECK(tier("ServerInfo~a]@srv.x:444/EWS/exchange.asmx?#", 200) == STAGE_SSRF);
	CHECK(tier("ServerInfo~a]@srv.x:444/ecp/proxyLogon.ecp?#", 241) == STAGE_SESSION);
	CHECK(tier("ServerInfo~a]@srv.x:444/ecp/proxyLogon.ecp?#", 200) == STAGE_PROBE);
	CHECK(tier("ServerInfo~localhost:444/ecp/proxyLogon.ecp?#", 241) == STAGE_SESSION);
	CHECK(tier("ServerInfo~a]@srv.x:444/ecp/%70roxyLogon.ecp?#", 241) == STAGE_SESSION);
	CHECK(tier("ServerInfo~a]@s:444/ecp/DDI/DDIService.svc/GetObject?msExchEcpCanary=x&schema=OABVirtualDirectory#", 200) == STAGE_ENUMERATION);
	CHECK(tier("ServerInfo~a]@s:444/ecp/DDI/DDIService.svc/SetObject?msExchEcpCanary=x&schema=OABVirtualDirectory#", 200) == STAGE_ENUMERATION);
	CHECK(tier("ServerInfo~a]@s:444/ecp/DDI/DDIService.svc/SetObject?msExchEcpCanary=x&schema=ResetOABVirtualDirectory#", 200) == STAGE_WRITTEN);
	CHECK(tier("ServerInfo~a]@s:444/ecp/DDI/DDIService.svc/SetObject?schema=ResetEcpVirtualDirectory#", 200) == STAGE_WRITTEN);
	CHECK(tier("ServerInfo~a]@s:444/ecp/DDI/DDIService.svc/SetObject?schema=ResetOABVirtualDirectory#", 500) == STAGE_PROBE);
	/* honest rows */
	CHECK(tier("Sid~S-1-5-21-1-2-3-1104", 200) == STAGE_NONE);
	CHECK(tier("MailboxGuid~0a1b", 200) == STAGE_NONE);
	CHECK(tier("ServerVersion~Version 15.1 (Build 2374.0)", 200) == STAGE_NONE);
	CHECK(tier("ServerInfo~nothing", 200) == STAGE_NONE);
	CHECK(tier("", 200) == STAGE_NONE);
	struct anchor a;
	CHECK(!anchor_look(STR(""), STR("Server~srv.x.local~1942062522"), 200, &a));
	NEED(anchor_look(STR(""), STR("Server~a]@srv.x:444/ecp/proxyLogon.ecp?#~1942062522"), 241, &a));
	CHECK(a.stage == STAGE_SESSION);
	CHECK_STR(a.reason, "241 at /ecp/proxyLogon.ecp through a forged routing cookie");
}

TEST(tokens)
{
	struct cat_token t;
	NEED(token_look(STR("a=x@y/powershell/?X-Rps-CAT=VgEAVAdXaW5kb3dzQwBBBUJhc2ljTBVqb25lc0Bjb250b3NvLmV4YW1wbGVVElMtMS01LTIxLTEtMi0zLTUwMEcCAAAABwAAAAdTLTEtMS0wBwAAAAdTLTEtNS0yRQAAAAA=&Email=z"), &t));
	CHECK_STR(t.name, "jones@contoso.example");
	CHECK_STR(t.sid, "S-1-5-21-1-2-3-500");
	CHECK(t.groups == 2 && t.forged);
	NEED(token_look(STR("x-rps-cat=VgEAVAdXaW5kb3dzQwBBBUJhc2ljTBVDT05UT1NPXEFkbWluaXN0cmF0b3JVElMtMS01LTIxLTEtMi0zLTUwMEcBAAAABwAAAAdTLTEtMS0wRQAAAAA%3D"), &t));
	CHECK_STR(t.name, "CONTOSO\\Administrator");
	CHECK(!t.forged);
	NEED(token_look(STR("X-Rps-CAT=VgEAVAdXaW5kb3dzQwBBBUJhc2ljTANib2JVE1MtMS01LTIxLTEtMi0zLTExMDRHAQAAAAcAAAAHUy0xLTEtMEUAAAAA"), &t));
	CHECK(!t.forged);
	/* cut by the log: the name and number are there, the groups are not */
	NEED(token_look(STR("X-Rps-CAT=VgEAVAdXaW5kb3dzQwBBBUJhc2ljTBVqb25lc0Bjb250b3NvLmV4YW1wbGVVElMtMS01LTIxLTEtMi0zLTUwMEcCA"), &t));
	CHECK(t.forged);
	CHECK(!token_look(STR("X-Rps-CAT=VgEA"), &t));
	CHECK(!token_look(STR("X-Rps-CAT=!!!!"), &t));
	CHECK(!token_look(STR("X-Rps-CAT="), &t));
	CHECK(!token_look(STR("Email=a@b"), &t));
}

TEST(ebcdic)
{
	char out[300];
	size_t n = ebcdic_look(STR("%0A%C2%91%04%C3%A1_/%C3%91%25%0A%C2%91%C2%95%C2%A0%C3%8D%C3%88%3F%C3%80%C3%91%C3%8B%C3%84%3F%C3%8E%C3%81%C3%8A%07/"
		"%C3%8D%C3%88%3F%C3%80%C3%91%C3%8B%C3%84%3F%C3%8E%C3%81%C3%8A%06%C2%A6%C3%8B%3F%3E%1A%C3%8D%C3%8B%C3%81%C3%8A%20%C3%80%3F_/%C3%91%3E&CorrelationID=<empty>;"), out, sizeof out);
	CHECK(n == strlen("%17Email%15Autodiscover/autodiscover.json?user@domain"));
	CHECK(!memcmp(out, "%17Email%15Autodiscover/autodiscover.json?user@domain", n));
	CHECK(!ebcdic_look(STR("q=%C3%BCber%20alles"), out, sizeof out));
	CHECK(!ebcdic_look(STR("Email=a%40b.example&Protocol=Ews"), out, sizeof out));
	CHECK(!ebcdic_look(STR("%E2%82%AC%C2%91"), out, sizeof out));
	CHECK(!ebcdic_look(STR(""), out, sizeof out));
}

TEST(payloads_come_back_and_broken_ones_do_not)
{
	struct trace t = {.kind = TRACE_MARK, .stage = STAGE_WRITTEN, .log = LOG_ECP, .level = LEVEL_CRITICAL, .flags = TRACE_OPENS, .status = 241,
		.time = {.sec = -5, .nsec = 7, .digits = 3, .present = true}, .server = STR("mx01"), .shown = STR("x"), .reason = STR("because")}, back;
	struct buf b = {0};
	trace_pack(&t, &b);
	NEED(trace_unpack(buf_view(&b), &back));
	CHECK(back.stage == STAGE_WRITTEN && back.status == 241 && back.flags == TRACE_OPENS && back.time.sec == -5 && back.time.digits == 3);
	CHECK(str_eq(back.server, t.server) && str_eq(back.reason, t.reason) && str_eq(back.shown, t.shown) && !back.ip.n);
	for (size_t n = 0; n < b.n; n++) CHECK(!trace_unpack((struct str){b.p, n}, &back));
	b.p[1] = 99;
	CHECK(!trace_unpack(buf_view(&b), &back));
	buf_done(&b);
}

TEST(crowd_is_the_same_however_it_was_split)
{
	struct crowd *one = crowd_new(FEW_CLIENTS), *a = crowd_new(FEW_CLIENTS), *b = crowd_new(FEW_CLIENTS);
	uint64_t many = crowd_hash(STR("/many.php")), few = crowd_hash(STR("/few.php"));
	for (int i = 0; i < 100; i++) {
		char ip[20];
		snprintf(ip, sizeof ip, "10.0.0.%d", i % 30);
		crowd_add(one, many, crowd_hash(str_of(ip)));
		crowd_add(i % 2 ? a : b, many, crowd_hash(str_of(ip)));
	}
	for (int i = 0; i < 50; i++) CHECK(crowd_add(i % 2 ? a : b, few, crowd_hash(i % 3 ? STR("10.0.0.1") : STR("10.0.0.2"))));
	crowd_merge(a, b);
	CHECK(crowd_count(one, many) == FEW_CLIENTS + 1 && crowd_count(a, many) == FEW_CLIENTS + 1);
	CHECK(crowd_count(a, few) == 2);
	CHECK(crowd_count(a, crowd_hash(STR("/never.php"))) == 0);
	crowd_free(one), crowd_free(a), crowd_free(b);
}

TEST_MAIN
