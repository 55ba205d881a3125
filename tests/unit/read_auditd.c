/* Audit log of Linux: records, hex, enriched fields, joining, accounting. */
#include "read_check.h"

#define CALL "type=SYSCALL msg=audit(1709274331.123:4711): arch=c000003e syscall=59 success=yes a0=55d1 ppid=100 pid=101 auid=1000 uid=0 tty=pts0 ses=3 comm=\"id\" exe=\"/usr/bin/id\" key=(null)\n"
#define ARGS "type=EXECVE msg=audit(1709274331.123:4711): argc=2 a0=\"id\" a1=2D7520C3A4\n"
#define CWD "type=CWD msg=audit(1709274331.123:4711): cwd=\"/root\"\n"

static bool bound(const struct read_run *run, uint32_t shape, const char *category, const char *service)
{
	const struct shape *s = shape_table_at(run->shapes, shape);
	return s && s->n_bindings == 1 && str_eq(s->bindings[0].ls.product, STR("linux")) && str_eq(s->bindings[0].ls.category, str_of(category)) &&
		str_eq(s->bindings[0].ls.service, str_of(service));
}

TEST(every_record_is_an_event)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "auditd", CALL));
	CHECK_STR(run.out.p, "{\"type\":\"SYSCALL\",\"serial\":4711,\"arch\":\"c000003e\",\"syscall\":\"59\",\"success\":\"yes\",\"a0\":\"55d1\",\"ppid\":\"100\",\"pid\":\"101\",\"auid\":\"1000\","
		"\"uid\":\"0\",\"tty\":\"pts0\",\"ses\":\"3\",\"comm\":\"id\",\"exe\":\"/usr/bin/id\",\"key\":null}\n");
	CHECK(read_has(&run, "SYSCALL=\"execve\"") && bound(&run, 0, "", "auditd"));
	CHECK(run.report.first.sec == 1709274331 && run.report.first.nsec == 123000000 && run.report.first.digits == 3 && run.report.damaged == 0);
	read_run_done(&run);
}

TEST(hex_is_decoded_where_the_kernel_writes_it)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "auditd", "type=PROCTITLE msg=audit(1.000:1): proctitle=6964002D75\n" "type=EXECVE msg=audit(1.000:2): a0=\"41\" a1=2D7520C3A4 a2[0]=4142 a2[1]=43 a3=ff00\n"
		"type=PATH msg=audit(1.000:3): name=2F746D702F612062 inode=4142\n" "type=USER_CMD msg=audit(1.000:4): pid=1 msg='cwd=\"/\" cmd=6C73202D6C res=success'\x1dUID=\"root\"\n"));
	CHECK(read_has(&run, "proctitle=\"id -u\"") && read_has(&run, "a0=\"41\"") && read_has(&run, "a1=\"-u \xc3\xa4\"") && read_has(&run, "a2=\"ABC\""));
	CHECK(read_has(&run, "name=\"/tmp/a b\"") && read_has(&run, "inode=\"4142\"") && read_has(&run, "cmd=\"ls -l\"") && read_has(&run, "UID=\"root\"") && read_has(&run, "res=\"success\""));
	read_run_done(&run);
}

TEST(a_program_start_is_joined_and_cites_its_records)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "auditd", CALL ARGS CWD));
	CHECK(run.n == 4 && run.report.n_records == 3 && run.report.n_events == 4 && bound(&run, 3, "process_creation", ""));
	CHECK(read_has(&run, "Image=\"/usr/bin/id\"") && read_has(&run, "CommandLine=\"id -u \xc3\xa4\"") && read_has(&run, "CurrentDirectory=\"/root\"") && read_has(&run, "User=\"0\""));
	CHECK(run.record_bytes == 2 * strlen(CALL ARGS CWD) - 6);
	read_run_done(&run);
}

static void address(const char *rest, const char *want)
{
	struct read_run run = {.all = true};
	char line[1024];
	snprintf(line, sizeof line, "type=SOCKADDR msg=audit(1.000:1): %s\n", rest);
	NEED(read_run_text(&run, "auditd", line));
	CHECK(read_has(&run, want));
	CHECK(!strcmp(want, "type=\"SOCKADDR\"") == !strstr(run.out.p, "saddr_fam"));
	read_run_done(&run);
}

TEST(addresses_of_sockets_are_told)
{
	address("saddr=0200115CCB0071070000000000000000", "laddr=\"203.0.113.7\"");
	address("saddr=0200115CCB0071070000000000000000", "lport=\"4444\"");
	address("saddr=000201BBCB007107", "lport=\"443\"");
	address("saddr=0A0001BB0000000020010DB800000000000000000000000700000000", "laddr=\"2001:db8::7\"");
	address("saddr=01002F62696E2F7300", "path=\"/bin/s\"");
	address("saddr=010000612F62", "path=\"@a/b\"");
	/* What auditd adds is said once. */
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "auditd", "type=SOCKADDR msg=audit(1.000:1): saddr=0200115CCB007107\x1dSADDR={ saddr_fam=inet laddr=203.0.113.7 lport=4444 }\n"));
	CHECK_STR(run.out.p, "{\"type\":\"SOCKADDR\",\"serial\":1,\"saddr\":\"0200115CCB007107\",\"saddr_fam\":\"inet\",\"laddr\":\"203.0.113.7\",\"lport\":\"4444\",\"SADDR\":\"{\"}\n");
	read_run_done(&run);
	/* What is none. */
	static const char *const none[] = {"saddr=0200115CCB0071", "saddr=0200115CCB007", "saddr=0202115CCB007107", "saddr=100000000000000000000000", "saddr=02", "saddr=", "saddr=(null)",
		"saddr=0A0001BB0000000020010DB80000000000000000000000", "saddr=0200ZZ5CCB007107", "saddr=0100"};
	for (size_t i = 0; i < COUNT(none); i++) address(none[i], "type=\"SOCKADDR\"");
}

TEST(a_connection_is_joined)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "auditd", "type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=42 exe=\"/bin/nc\" uid=33\n" "type=SYSCALL msg=audit(1.000:2): arch=c000003e syscall=288 exe=\"/bin/sshd\"\n"
		"type=SYSCALL msg=audit(1.000:3): arch=c000003e syscall=49 exe=\"/bin/binds\"\n" "type=SOCKADDR msg=audit(1.000:2): saddr=0200C350CB007108\n"
		"type=SOCKADDR msg=audit(1.000:1): saddr=0200115CCB007107\n" "type=SOCKADDR msg=audit(1.000:3): saddr=02000050CB007109\n"
		"type=SYSCALL msg=audit(1.000:4): SYSCALL=connect exe=\"/bin/local\"\n" "type=SOCKADDR msg=audit(1.000:4): saddr=01002F62\n"));
	CHECK(run.n == 8 + 2 && run.report.damaged == 0);
	const char *in = strstr(run.out.p, "\"Image\":\"/bin/sshd\""), *out = strstr(run.out.p, "\"Image\":\"/bin/nc\"");
	CHECK(in && strstr(in, "\"Initiated\":\"false\",\"SourceIp\":\"203.0.113.8\",\"SourcePort\":\"50000\"}"));
	CHECK(out && strstr(out, "\"Initiated\":\"true\",\"DestinationIp\":\"203.0.113.7\",\"DestinationPort\":\"4444\"}"));
	CHECK(in < out);
	read_run_done(&run);
}

TEST(interleaved_serials_and_nodes_are_kept_apart)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "auditd", "node=a type=SYSCALL msg=audit(1.000:1): syscall=59 exe=\"/bin/one\"\nnode=b type=SYSCALL msg=audit(1.000:1): syscall=59 exe=\"/bin/two\"\n"
		"node=b type=EXECVE msg=audit(1.000:1): a0=\"two\"\nnode=a type=EXECVE msg=audit(1.000:1): a0=\"one\"\nnode=a type=CWD msg=audit(1.000:1): cwd=\"/\"\n"
		"node=b type=CWD msg=audit(1.000:1): cwd=\"/\"\n"));
	const char *one = strstr(run.out.p, "\"Image\":\"/bin/one\",\"CommandLine\":\"one\""), *two = strstr(run.out.p, "\"Image\":\"/bin/two\",\"CommandLine\":\"two\"");
	CHECK(run.n == 8 && one && two && one < two);
	read_run_done(&run);
}

TEST(a_created_file_is_joined_with_its_directory)
{
	struct read_run run = {.all = true};
	NEED(read_run_text(&run, "auditd", "type=SYSCALL msg=audit(1.000:1): syscall=257 exe=\"/bin/cp\"\ntype=CWD msg=audit(1.000:1): cwd=\"/etc\"\n"
		"type=PATH msg=audit(1.000:1): item=0 name=\"cron.d/\" nametype=PARENT\ntype=PATH msg=audit(1.000:1): item=1 name=\"cron.d/x\" nametype=CREATE\n"));
	CHECK(run.n == 5 && read_has(&run, "TargetFilename=\"/etc/cron.d/x\"") && read_has(&run, "Image=\"/bin/cp\""));
	read_run_done(&run);
}

TEST(what_was_not_joined_is_said)
{
	struct read_run run = {0};
	NEED(read_run_text(&run, "auditd", CALL ARGS "noise\ntype=CWD msg=aud"));
	CHECK(run.n == 2 && run.report.damage.n == 2 && run.report.notes.n == 1 && str_starts(run.report.notes.v[0].text, STR("1 program starts lack")));
	CHECK(str_eq(run.report.damage.v[0].reason, STR("no record of the audit system")) && str_eq(run.report.damage.v[1].reason, STR("line cut off")));
	read_run_done(&run);
}

TEST(told_by_its_lines)
{
	CHECK_STR(read_sniffed(CALL, strlen(CALL), "x"), "auditd");
	CHECK_STR(read_sniffed("node=h " CALL, strlen(CALL) + 7, "x"), "auditd");
	CHECK(strcmp(read_sniffed("Mar  1 00:00:00 h audit: type=1400 audit(1.2:3): a=b\n", 54, "x"), "auditd"));
}
TEST_MAIN
