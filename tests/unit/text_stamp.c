/* Time stamps as services write them. */
#include "base/alloc.h"
#include "check.h"
#include "text/stamp.h"

/* The stamp as a time in 2020 and what is left of the line. */
static void reads(const char *line, const char *time, const char *rest)
{
	struct stamp s;
	char out[ETIME_MAX];
	struct str text = str_of(line);
	if (!stamp_take(text, stamp_day_first(text), &s)) {
		CHECK_STR(line, "a stamp");
		return;
	}
	struct etime t = stamp_time(&s, 2020);
	out[etime_print(t, t.digits, out)] = '\0';
	CHECK_STR(out, time);
	CHECK_STR(line + s.n, rest);
}

TEST(forms_that_services_write)
{
	reads("2021-03-03 06:59:20,123 +01:00 [WRN] x", "2021-03-03T05:59:20.123Z", "[WRN] x");
	reads("2021-03-03T06:59:20.000667Z: x", "2021-03-03T06:59:20.000667Z", "x");
	reads("2015-10-07  8:25:38 139845235329792 [Warning] x", "2015-10-07T08:25:38Z", "139845235329792 [Warning] x");
	reads("2021-03-03 06:59:20|-1|x", "2021-03-03T06:59:20Z", "|-1|x");
	reads("2021/03/03 06:59:20 [error] x", "2021-03-03T06:59:20Z", "[error] x");
	reads("2014:07:02-00:17:45: '3.2.1.4' x", "2014-07-02T00:17:45Z", "'3.2.1.4' x");
	reads("[20220407-12:11:06] [INFO ] x", "2022-04-07T12:11:06Z", "[INFO ] x");
	reads("130324  0:04:00 [Warning] x", "2013-03-24T00:04:00Z", "[Warning] x");
	reads("[17/Jun/2011 17:00:45] x", "2011-06-17T17:00:45Z", "x");
	reads("[22-Jan-2013 22:28:21 +0200]: x", "2013-01-22T20:28:21Z", "x");
	reads("10/06/2013 15:50:41 [LOGIN_ERROR] x", "2013-10-06T15:50:41Z", "[LOGIN_ERROR] x");
	reads("22-06-2014 09:56:12   smtp: x", "2014-06-22T09:56:12Z", "smtp: x");
	reads("03-07-2005 23:07:20   x", "2005-07-03T23:07:20Z", "x");
	reads("Sat Dec 28 19:03:53 2013 - [72926] x", "2013-12-28T19:03:53Z", "- [72926] x");
	reads("[Jan 18 17:39:50] NOTICE[1]: x", "2020-01-18T17:39:50Z", "NOTICE[1]: x");
	reads("Nov 22, 2013 5:22:09 PM org.x warn", "2013-11-22T17:22:09Z", "org.x warn");
	reads("Wed Jul 17 23:20:45.5 CEST 2013 x", "2013-07-17T23:20:45.5Z", "x");
	reads("[PDT Apr 16 21:05:29] error    : x", "2020-04-16T21:05:29Z", "error    : x");
	reads("2016 Jan  1 10:00:00 host x: y", "2016-01-01T10:00:00Z", "host x: y");
	reads("Jan  1 10:00:00 2016 host x: y", "2016-01-01T10:00:00Z", "host x: y");
	reads("08-03 07:56:53.026292 [WARN] x", "2020-08-03T07:56:53.026292Z", "[WARN] x");
	reads("1386543323.250      4 91.188.124.227 x", "2013-12-08T22:55:23.250Z", "4 91.188.124.227 x");
	reads("@400000004c91b044077a9e94 imap-login: x", "2010-09-16T05:50:50.125476500Z", "imap-login: x");
	reads("t=2020-10-19T17:44:33+0200 lvl=eror x", "2020-10-19T15:44:33Z", "lvl=eror x");
	reads("<W>2015-11-29 16:38:01.818 1 => x", "2015-11-29T16:38:01.818Z", "1 => x");
	reads("[2024-08-31 02:11:28.892+0800][api][ERROR] x", "2024-08-30T18:11:28.892Z", "[api][ERROR] x");
	reads("12:57:32.907 [http-nio] WARN x", "", "[http-nio] WARN x");
	reads("[  12.345678] usb 1-1: x", "", "usb 1-1: x");
	reads("081109 203615 148 INFO dfs.DataNode: x", "2008-11-09T20:36:15Z", "148 INFO dfs.DataNode: x");
	reads("17/06/09 20:10:40 INFO executor: x", "2017-06-09T20:10:40Z", "INFO executor: x");
	reads("20171223-22:15:29:606|Step_LSC|x", "2017-12-23T22:15:29.606Z", "|Step_LSC|x");
	reads("[10.30 16:49:06] chrome.exe - x", "2020-10-30T16:49:06Z", "chrome.exe - x");
	reads("Apr-07-13 07:08:36 [SSL-out] x", "2013-04-07T07:08:36Z", "[SSL-out] x");
	reads("L 01/02/2014 - 01:25:17: Bad Rcon: x", "2014-01-02T01:25:17Z", "Bad Rcon: x");
	reads("2021-03-03 06:59:20", "2021-03-03T06:59:20Z", "");
	reads("Feb 29 10:00:00 x", "2020-02-29T10:00:00Z", "x");
}

TEST(a_day_that_a_year_does_not_have_is_its_months_last)
{
	struct stamp s;
	NEED(stamp_take(STR("Feb 29 10:00:00 x"), false, &s));
	CHECK(civil_from_sec(stamp_time(&s, 2021).sec).day == 28);
}

TEST(day_or_month_first_is_the_files_own)
{
	CHECK(!stamp_day_first(STR("01/02/2021 10:00:00 x\n02/13/2021 10:00:00 x\n")));
	CHECK(stamp_day_first(STR("01/02/2021 10:00:00 x\nno stamp\n13/02/2021 10:00:00 x\n")));
	CHECK(stamp_day_first(STR("01.02.2021 10:00:00 x\n")) && !stamp_day_first(STR("01/02/2021 10:00:00 x\n")) && !stamp_day_first(STR("")));
}

TEST(what_is_none)
{
	static const char *const none[] = {"", "x", "2021-03-03", "2021-13-03 06:59:20 x", "2021-03-03 24:59:20 x", "2021-03-03 06:59:2 x", "2021-03-03 06:59:20x", "[2021-03-03 06:59:20 x", "12345 x",
		"99999999999 x", "Mar 3 x", "192.0.2.1 - - [x", "@400000004c91b044077a9e9", "May be", "123.456 x", "1 2 3", "10:00 x", "[12] x", "t=x", "<W>", "POST 2021-03-03 06:59:20", "-1 x", "2021-03-03/06:59:20 x"};
	struct stamp s;
	for (size_t i = 0; i < COUNT(none); i++)
		if (stamp_take(str_of(none[i]), false, &s)) CHECK_STR(none[i], "none");
}

TEST_MAIN
