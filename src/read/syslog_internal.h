/* syslog_internal: one line of syslog taken apart: RFC 3164 as it is found in files, RFC 5424, and their relatives.
 *
 *	[<PRI>]Mmm dd [yyyy] hh:mm:ss[.fraction] [HOST] [PROGRAM[(part)][[PID]]:] MESSAGE      the classic file; the year is mostly missing
 *	[<PRI>]yyyy-mm-ddThh:mm:ss[.fraction][zone] HOST PROGRAM[PID]: MESSAGE                 rsyslog's and syslog-ng's ISO times
 *	<PRI>1 TIME HOST APP-NAME PROCID MSGID [SD-ID NAME="VALUE"...] MESSAGE                 RFC 5424; "-" is nothing
 *	[HEAD] [N:] [*|.]Mmm dd hh:mm:ss[ ZONE]: %FACILITY-SEVERITY-MNEMONIC: MESSAGE          Cisco; HEAD: a relay's time and host
 *	HOST PROGRAM[PID]: MESSAGE                                                             a journal written out without times
 *	TIME MESSAGE                                                                           the file of one service, in any form of text/stamp.h
 * Pure: views into the line, any thread. Nothing in MESSAGE, which strangers write, can move what stands before it: the parts are
 * taken from the left, and none of them holds a blank. */
#pragma once
#include "base/etime.h"

struct syslog_line {
	struct etime time;     /* as written, zone applied where there is one; in the year `yearless_in` when it has none */
	bool yearless, zoned;
	uint8_t month;         /* of a time without year */
	int16_t priority;      /* facility * 8 + severity, -1: none */
	bool rfc5424;
	bool own_file;         /* a line of a service's own file: a time, and the rest is `message` */
	struct str host, program, pid, message; /* p == NULL: not there */
	struct str part;       /* "pam_unix" of sshd(pam_unix)[1] */
	struct str msgid, data;/* RFC 5424 */
};
/* False: no line of syslog. `year`: what a time without one is taken to be in; a day it does not have (February 29) is its last. */
bool syslog_parse(struct str line, int year, struct syslog_line *ret);
/* What lines of the classic file began with, kept for the next ones, which mostly are of the same day and of the same few hosts. All zeros: nothing is kept. */
enum { SYSLOG_HOSTS = 16, SYSLOG_HOST_MAX = 47, SYSLOG_FRONT_MAX = 80 };
struct syslog_head {
	char date[7];            /* "Mar  3 " */
	uint8_t month;           /* 0: no date is kept */
	int year;
	int64_t midnight;        /* of the day, in seconds since 1970 */
	struct { uint8_t n; char name[SYSLOG_HOST_MAX]; } hosts[SYSLOG_HOSTS]; /* by a cheap hash; n == 0: free */
	char clock[16];          /* "Mar  3 06:59:20 " of the line before; all zeros: none is kept */
	struct etime clock_time;
	char front[SYSLOG_FRONT_MAX]; /* "web01 sshd[" of it */
	uint8_t front_n, front_host, front_program; /* bytes; of the host, of the program; 0: none is kept */
};
/* The same as syslog_parse, whatever *head holds: only faster where the line begins like one that was given before. NULL: nothing is kept. */
bool syslog_parse_next(struct syslog_head *head, struct str line, int year, struct syslog_line *ret);
/* The last of the forms alone. */
bool service_line_parse(struct str line, bool day_first, int year, struct syslog_line *ret);
/* Only the month of a line's time when it has no year, 0 otherwise: for counting years. */
unsigned syslog_month(struct str line);
