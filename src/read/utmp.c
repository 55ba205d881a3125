/* utmp.c: who logged in on a Linux host: utmp, wtmp, btmp, and lastlog. See doc/formats.md, section utmp.
 *
 *	utmp, wtmp, btmp: records of 384 bytes (utmp(5), the layout of x86-64 and of arm64 with the same sizes):
 *	i16 type | 2 | i32 pid | line 32 | id 4 | user 32 | host 256 | i16 termination | i16 exit | i32 session | i32 sec | i32 usec | addr 16 | 20
 *	lastlog: a record of 292 bytes for each user id, a hole where there was no login: i32 sec | line 32 | host 256 */
#include "base/cursor.h"
#include "read/read_internal.h"
#include "read/text_internal.h"
#include "text/utf.h"
#include <arpa/inet.h>

enum { UTMP = 384, LASTLOG = 292, BLOCK = 384 * 292, USEC = 1000000 };
enum ut_type { UT_EMPTY, UT_RUN_LVL, UT_BOOT, UT_NEW_TIME, UT_OLD_TIME, UT_INIT, UT_LOGIN, UT_USER, UT_DEAD, UT_ACCOUNTING, UT_TYPES };
static const char *const types[UT_TYPES] = {"EMPTY", "RUN_LVL", "BOOT_TIME", "NEW_TIME", "OLD_TIME", "INIT_PROCESS", "LOGIN_PROCESS", "USER_PROCESS",
	"DEAD_PROCESS", "ACCOUNTING"};

enum { U_TIME, U_TYPE, U_PID, U_LINE, U_ID, U_USER, U_HOST, U_TERMINATION, U_EXIT, U_SESSION, U_ADDRESS, U_OUTCOME, U_COLUMNS };
enum { L_TIME, L_UID, L_LINE, L_HOST, L_COLUMNS };
static const char *const utmp_names[U_COLUMNS] = {"time", "type", "pid", "line", "id", "user", "host", "exit_termination", "exit_status", "session", "addr", "outcome"};
static const char *const lastlog_names[L_COLUMNS] = {"time", "uid", "line", "host"};

struct own {
	uint8_t *block;
	size_t at, n;
	uint64_t offset;             /* of block[0] */
	uint32_t size;               /* of a record */
	const char *kind;            /* "utmp", "wtmp", "btmp", "lastlog" */
	bool failed, final;
	const uint8_t *record;
	uint64_t index, empty, first_empty, back, first_back;
	struct etime last;
	const struct shape *shape;
	struct shape spec;
	struct column columns[U_COLUMNS];
};

static struct own *own(const struct reader *r) { return r->own; }

/* --- what a record looks like ----------------------------------------------------------------------------------------------------- */

static bool zeros(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i]) return false;
	return true;
}

/* Text up to the first NUL, no control bytes in it. */
static bool plain(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n && p[i]; i++)
		if (p[i] < ' ' || p[i] == 0x7f) return false;
	return true;
}

/* What every writer keeps to. Names may be any bytes: an attacker chooses the user's. */
static bool utmp_plausible(const uint8_t *p)
{
	uint16_t type = le16_at(p);
	return type < UT_TYPES && le32_at(p + 344) < USEC && le32_at(p + 4) <= 1 << 30 && (type == UT_EMPTY || le32_at(p + 340) >= 315532800); /* 1980 */
}

/* Bytes that can hardly be anything else. */
static bool utmp_sure(const uint8_t *p)
{
	return utmp_plausible(p) && le16_at(p) && !le16_at(p + 2) && plain(p + 8, 32) && plain(p + 76, 256) && zeros(p + 364, 20);
}

static bool lastlog_plausible(const uint8_t *p)
{
	return plain(p + 4, 32) && plain(p + 36, 256) && (p[4] || p[36] || !le32_at(p)) && (!le32_at(p) || le32_at(p) >= 315532800);
}

static bool plausible(const struct own *o, const uint8_t *p) { return o->size == UTMP ? utmp_plausible(p) : lastlog_plausible(p); }

static struct str text_of(const uint8_t *p, size_t n)
{
	const uint8_t *end = memchr(p, 0, n);
	return (struct str){(const char *)p, end ? (size_t)(end - p) : n};
}

/* --- events ----------------------------------------------------------------------------------------------------------------------- */

static void put_text(struct reader *r, const uint8_t *p, size_t n, struct value *ret)
{
	struct str s = text_of(p, n);
	*ret = s.n ? value_str(text_clean(r, s)) : (struct value){.kind = VALUE_NULL};
}

/* The 16 bytes of ut_addr_v6: an IPv4 address stands in the first four. */
static void put_address(struct reader *r, const uint8_t *p, struct value *ret)
{
	char text[INET6_ADDRSTRLEN] = "";
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	*ret = (struct value){.kind = VALUE_NULL};
	if (zeros(p, 16)) return;
	if (zeros(p + 4, 12)) inet_ntop(AF_INET, p, text, sizeof text);
	else if (!memcmp(p, mapped, sizeof mapped)) inet_ntop(AF_INET, p + 12, text, sizeof text);
	else inet_ntop(AF_INET6, p, text, sizeof text);
	struct str kept = arena_str(&r->arena, str_of(text));
	if (kept.p) *ret = value_str(kept);
}

static const char *outcome(const struct own *o, uint16_t type)
{
	if (!strcmp(o->kind, "btmp")) return "failure";
	return type == UT_USER ? "success" : type == UT_DEAD ? "logout" : NULL;
}

static void put_time(struct event *ev, struct value *ret)
{
	char text[ETIME_MAX];
	struct str kept = arena_str(ev->arena, (struct str){text, etime_print(ev->time, ev->time.digits, text)});
	*ret = kept.p && kept.n ? value_str(kept) : (struct value){.kind = VALUE_NULL};
}

static void decode_utmp(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	const struct own *o = own(r);
	const uint8_t *p = o->record;
	const char *word;
	switch (column) {
	case U_TIME: put_time(ev, ret); return;
	case U_TYPE: *ret = value_str(str_of(types[le16_at(p)])); return;
	case U_PID: *ret = value_int((int32_t)le32_at(p + 4)); return;
	case U_LINE: put_text(r, p + 8, 32, ret); return;
	case U_ID: put_text(r, p + 40, 4, ret); return;
	case U_USER: put_text(r, p + 44, 32, ret); return;
	case U_HOST: put_text(r, p + 76, 256, ret); return;
	case U_TERMINATION: *ret = value_int((int16_t)le16_at(p + 332)); return;
	case U_EXIT: *ret = value_int((int16_t)le16_at(p + 334)); return;
	case U_SESSION: *ret = value_int((int32_t)le32_at(p + 336)); return;
	case U_ADDRESS: put_address(r, p + 348, ret); return;
	default:
		word = outcome(o, le16_at(p));
		*ret = word ? value_str(str_of(word)) : (struct value){.kind = VALUE_ABSENT};
	}
}

static void decode_lastlog(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	const struct own *o = own(r);
	if (column == L_TIME) put_time(ev, ret);
	else if (column == L_UID) *ret = value_uint(o->index);
	else if (column == L_LINE) put_text(r, o->record + 4, 32, ret);
	else put_text(r, o->record + 36, 256, ret);
}

static const struct event_ops utmp_ops = {.decode = decode_utmp}, lastlog_ops = {.decode = decode_lastlog};

static const struct shape *shape_of(struct reader *r)
{
	struct own *o = own(r);
	if (o->shape) return o->shape;
	bool utmp = o->size == UTMP;
	o->shape = shape_table_find(r->shapes, str_of(o->kind));
	if (o->shape) return o->shape;
	o->spec = (struct shape){.n_columns = utmp ? U_COLUMNS : L_COLUMNS, .columns = o->columns, .format = str_of(o->kind), .event_id = -1, .host_column = -1};
	for (uint32_t i = 0; i < o->spec.n_columns; i++) o->columns[i].name = str_of(utmp ? utmp_names[i] : lastlog_names[i]);
	o->spec.bindings = text_bindings(r, o->spec.format, &o->spec.n_bindings);
	o->shape = text_shape(r, str_of(o->kind), &o->spec);
	return o->shape;
}

/* --- the walk --------------------------------------------------------------------------------------------------------------------- */

/* Brings the block to hold at least one record at `at`, unless the source ends. */
static void fill(struct reader *r)
{
	struct own *o = own(r);
	if (o->n - o->at >= 2 * UTMP || o->final) return;
	memmove(o->block, o->block + o->at, o->n - o->at);
	o->offset += o->at;
	o->n -= o->at;
	o->at = 0;
	int64_t got = input_next(r->in, o->block + o->n, BLOCK - o->n, NULL);
	o->failed = got < 0;
	o->final = got <= 0;
	if (got > 0) o->n += (size_t)got;
}

static void skip(struct reader *r, size_t n, const char *why)
{
	struct own *o = own(r);
	if (why) report_damage(&r->report, o->offset + o->at, n, why);
	else report_slack(&r->report, o->offset + o->at, n);
	o->at += n;
}

/* Bytes were lost or put in: the next place, in steps of four, where two records stand one behind the other. */
static size_t next_place(const struct own *o)
{
	for (size_t k = 4; k < UTMP && o->size == UTMP; k += 4) {
		if (o->n - o->at < k + 2 * UTMP) break;
		const uint8_t *p = o->block + o->at + k;
		if (utmp_sure(p) && utmp_sure(p + UTMP)) return k;
	}
	return o->size;
}

static void count_first(uint64_t *n, uint64_t *first, uint64_t at)
{
	if (!(*n)++) *first = at;
}

static void make_event(struct reader *r, const uint8_t *p)
{
	struct own *o = own(r);
	bool utmp = o->size == UTMP;
	uint64_t at = o->offset + o->at;
	uint32_t sec = le32_at(p + (utmp ? 340 : 0)), usec = utmp ? le32_at(p + 344) : 0;
	struct etime t = sec ? etime_from_unix(sec, usec * 1000, utmp ? 6 : 0) : (struct etime){0};
	o->record = p;
	o->index = at / o->size;
	if (utmp && t.present && o->last.present && etime_cmp(t, o->last) < 0) count_first(&o->back, &o->first_back, at);
	if (utmp && t.present) o->last = t;
	text_event(r, shape_of(r), utmp ? &utmp_ops : &lastlog_ops, t, at, o->size, o->size, 0, p);
	o->at += o->size;
}

static void closing_notes(struct reader *r)
{
	struct own *o = own(r);
	if (o->empty) report_note(&r->report, o->first_empty, "%llu records of zeros, this is the first: overwritten, or never written", (unsigned long long)o->empty);
	if (o->back) report_note(&r->report, o->first_back, "times go back %llu times, this is the first", (unsigned long long)o->back);
	o->empty = o->back = 0;
}

static bool next(struct reader *r)
{
	struct own *o = own(r);
	for (;;) {
		fill(r);
		size_t left = o->n - o->at;
		const uint8_t *p = o->block + o->at;
		if (left < o->size) break;
		if (zeros(p, o->size)) {
			if (o->size == UTMP) count_first(&o->empty, &o->first_empty, o->offset + o->at);
			skip(r, o->size, NULL);
		} else if (!plausible(o, p)) {
			skip(r, next_place(o), "no login record");
		} else {
			make_event(r, p);
			return true;
		}
	}
	if (o->n > o->at) skip(r, o->n - o->at, zeros(o->block + o->at, o->n - o->at) ? NULL : "record cut off");
	if (o->failed && o->offset + o->at < r->in->size) report_damage(&r->report, o->offset + o->at, r->in->size - o->offset - o->at, "read error");
	o->failed = false;
	closing_notes(r);
	return false;
}

/* --- which of them ---------------------------------------------------------------------------------------------------------------- */

/* The last part of a path, without what rotation adds. */
static bool named(struct str path, const char *word)
{
	size_t at = path.n;
	while (at && path.p[at - 1] != '/' && path.p[at - 1] != '\\' && path.p[at - 1] != '!') at--;
	return str_find(str_sub(path, at, path.n), str_of(word), 0) != SIZE_MAX;
}

/* Without a name that says so: failed logins stand alone, as login processes with a user or on sshd's "ssh:notty". */
static const char *kind_of(struct str path, const uint8_t *p, size_t n)
{
	size_t records = 0, failed = 0;
	if (named(path, "btmp")) return "btmp";
	if (named(path, "wtmp")) return "wtmp";
	if (named(path, "utmp")) return "utmp";
	for (; n >= UTMP; p += UTMP, n -= UTMP) {
		if (!le16_at(p)) continue;
		records++;
		failed += le16_at(p) == UT_LOGIN && p[44] && !str_eq(text_of(p + 44, 32), STR("LOGIN"));
		failed += le16_at(p) == UT_USER && str_eq(text_of(p + 8, 32), STR("ssh:notty"));
	}
	return records && failed == records ? "btmp" : "wtmp";
}

static bool begin_with(struct reader *r, uint32_t size)
{
	struct own *o = own(r);
	o->size = size;
	o->block = xmalloc(BLOCK);
	fill(r);
	o->kind = size == LASTLOG ? "lastlog" : kind_of(r->in->path, o->block, o->n);
	return true;
}
static bool begin_utmp(struct reader *r, struct fault *f) { (void)f; return begin_with(r, UTMP); }
static bool begin_lastlog(struct reader *r, struct fault *f) { (void)f; return begin_with(r, LASTLOG); }
static void end(struct reader *r) { free(own(r)->block); }
static void parameters(struct reader *r, struct buf *out) { buf_printf(out, " kind=%s", own(r)->kind); }

static const struct text_format utmp_format = {"utmp", sizeof(struct own), begin_utmp, next, end, parameters, true},
	lastlog_format = {"lastlog", sizeof(struct own), begin_lastlog, next, end, NULL, true};

static int sniff_utmp(struct str head, uint64_t size, struct str path)
{
	int good = 0, bad = 0, empty = 0;
	for (size_t at = 0; at + UTMP <= head.n; at += UTMP) {
		const uint8_t *p = (const uint8_t *)head.p + at;
		if (zeros(p, UTMP)) empty++;
		else if (utmp_sure(p)) good++;
		else bad++;
	}
	bool name = named(path, "utmp") || named(path, "wtmp") || named(path, "btmp");
	if (good > 2 * bad) return name || size % UTMP == 0 ? 95 : 60;
	return good && name ? 50 : empty && !bad && name ? 40 : 0;
}

static int sniff_lastlog(struct str head, uint64_t size, struct str path)
{
	int good = 0, bad = 0;
	bool name = named(path, "lastlog");
	if (!name && size % LASTLOG) return 0;
	for (size_t at = 0; at + LASTLOG <= head.n; at += LASTLOG) {
		const uint8_t *p = (const uint8_t *)head.p + at;
		if (zeros(p, LASTLOG)) continue;
		if (lastlog_plausible(p) && le32_at(p)) good++;
		else if (!name) return 0;
		else bad++;
	}
	if (bad > good || (!name && (bad || !good || size % LASTLOG))) return 0;
	return good ? (name ? 96 : 70) : size >= LASTLOG ? 50 : 0;
}

static struct reader *open_utmp(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&utmp_format, in, o, f); }
static struct reader *open_lastlog(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&lastlog_format, in, o, f); }

const struct reader_ops read_utmp_ops = {.format = "utmp", .what = "login records (utmp, wtmp, btmp)", .mark = "records of 384 bytes with type, names and time in their places", .sniff = sniff_utmp, .open = open_utmp, TEXT_READER_REST};
const struct reader_ops read_lastlog_ops = {.format = "lastlog", .what = "last logins (lastlog)", .mark = "records of 292 bytes, a time and two names, in between zeros", .sniff = sniff_lastlog, .open = open_lastlog, TEXT_READER_REST};
