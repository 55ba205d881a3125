/* Login records: utmp, wtmp, btmp, lastlog. */
#include "read_check.h"

static void put32(char *p, uint32_t v) { memcpy(p, &v, 4); }

static void login(char *p, int type, const char *line, const char *user, const char *host, uint32_t sec, uint32_t usec)
{
	memset(p, 0, 384);
	p[0] = (char)type;
	put32(p + 4, 4711);
	memcpy(p + 8, line, strlen(line));
	memcpy(p + 40, "ts/1", 4);
	memcpy(p + 44, user, strlen(user));
	memcpy(p + 76, host, strlen(host));
	put32(p + 340, sec);
	put32(p + 344, usec);
	memcpy(p + 348, "\xc0\0\2\7", 4);
}

TEST(a_login_has_all_its_fields)
{
	char b[384 * 2];
	struct read_run run = {0};
	login(b, 7, "pts/1", "anna", "h.example", 1678000000, 250000);
	login(b + 384, 8, "pts/1", "", "", 1678000060, 0);
	memset(b + 384 + 348, 0, 16);
	b[384 + 332] = 15;
	NEED(read_run_bytes(&run, "utmp", NULL, b, sizeof b, "var/log/wtmp.1"));
	CHECK_STR(run.out.p, "{\"time\":\"2023-03-05T07:06:40.250000Z\",\"type\":\"USER_PROCESS\",\"pid\":4711,\"line\":\"pts/1\",\"id\":\"ts/1\",\"user\":\"anna\",\"host\":\"h.example\","
		"\"exit_termination\":0,\"exit_status\":0,\"session\":0,\"addr\":\"192.0.2.7\",\"outcome\":\"success\"}\n"
		"{\"time\":\"2023-03-05T07:07:40.000000Z\",\"type\":\"DEAD_PROCESS\",\"pid\":4711,\"line\":\"pts/1\",\"id\":\"ts/1\",\"user\":null,\"host\":null,"
		"\"exit_termination\":15,\"exit_status\":0,\"session\":0,\"addr\":null,\"outcome\":\"logout\"}\n");
	CHECK(run.report.damaged == 0 && run.report.n_records == 2 && str_eq(run.report.parameters, STR("format=utmp kind=wtmp")));
	read_run_done(&run);
}

TEST(failures_are_told_by_name_or_by_content)
{
	char b[384 * 2];
	login(b, 6, "ssh:notty", "root", "192.0.2.7", 1678000000, 0);
	login(b + 384, 6, "ssh:notty", "a\nb\x1b[2J", "192.0.2.7", 1678000001, 0);
	for (int i = 0; i < 2; i++) {
		struct read_run run = {.all = true};
		CHECK_STR(read_sniffed(b, sizeof b, i ? "btmp-20230301" : "unnamed"), "utmp");
		NEED(read_run_bytes(&run, "utmp", NULL, b, sizeof b, i ? "btmp-20230301" : "unnamed"));
		CHECK(run.n == 2 && run.report.damaged == 0 && read_has(&run, "outcome=\"failure\"") && read_has(&run, "user=\"a\\nb\\u001b[2J\""));
		read_run_done(&run);
	}
}

TEST(wiped_records_and_times_that_go_back_are_noted)
{
	char b[384 * 4];
	struct read_run run = {0};
	login(b, 7, "pts/1", "anna", "h", 1678000000, 0);
	memset(b + 384, 0, 384);
	login(b + 768, 7, "pts/1", "ben", "h", 1678000900, 0);
	login(b + 1152, 7, "pts/1", "carl", "h", 1678000500, 0);
	NEED(read_run_bytes(&run, "utmp", NULL, b, sizeof b, "wtmp"));
	CHECK(run.n == 3 && run.report.slack == 384 && run.report.notes.n == 2);
	CHECK(run.report.notes.n == 2 && run.report.notes.v[0].offset == 384 && run.report.notes.v[1].offset == 1152);
	read_run_done(&run);
}

TEST(reading_goes_on_where_bytes_were_lost)
{
	char b[384 * 5];
	struct read_run run = {0};
	for (int i = 0; i < 5; i++) login(b + 384 * i, 7, "pts/1", "anna", "h", 1678000000 + (uint32_t)i, 0);
	memmove(b + 400, b + 500, sizeof b - 500);
	NEED(read_run_bytes(&run, "utmp", NULL, b, sizeof b - 100, "wtmp"));
	CHECK(run.n == 4 && run.report.damage.n == 1 && run.report.damage.v[0].offset == 384 && run.report.damaged == 284);
	read_run_done(&run);
	run = (struct read_run){0};
	NEED(read_run_bytes(&run, "utmp", NULL, b, 384 + 90, "wtmp"));
	CHECK(run.n == 1 && run.report.damaged == 90 && str_eq(run.report.damage.v[0].reason, STR("record cut off")));
	read_run_done(&run);
}

TEST(last_logins_are_numbered_by_user_and_holes_are_slack)
{
	char *b = calloc(1, 292 * 1001);
	struct read_run run = {0};
	put32(b, 1678000000);
	memcpy(b + 4, "pts/0", 5);
	put32(b + 292 * 1000, 1678000100);
	memcpy(b + 292 * 1000 + 36, "192.0.2.7", 9);
	CHECK_STR(read_sniffed(b, 292 * 1001, "lastlog"), "lastlog");
	NEED(read_run_bytes(&run, "lastlog", NULL, b, 292 * 1001, "lastlog"));
	CHECK_STR(run.out.p, "{\"time\":\"2023-03-05T07:06:40Z\",\"uid\":0,\"line\":\"pts/0\",\"host\":null}\n{\"time\":\"2023-03-05T07:08:20Z\",\"uid\":1000,\"line\":null,\"host\":\"192.0.2.7\"}\n");
	CHECK(run.report.slack == 292 * 999 && run.report.damaged == 0);
	read_run_done(&run);
	free(b);
}

TEST(what_is_no_login_record_is_not_taken_for_one)
{
	char zeros[384 * 3] = {0}, text[1200];
	memset(text, 'a', sizeof text);
	CHECK_STR(read_sniffed(zeros, sizeof zeros, "x"), "");
	CHECK_STR(read_sniffed(text, sizeof text, "wtmp"), "");
}

TEST_MAIN
