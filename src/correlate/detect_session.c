/* detect_session.c: what was done in the sessions of guessed logins.
 *
 * A session is what one login became: its process of sshd, the number the audit log gives it, the logon id of Windows, as far as the logs say so.
 * Hits of the rules `rule_of_deeds` knows are joined to it by these; else by name, while the session is open; else, what says neither, by host. The
 * first DEEDS_SHOWN are told and cited, all are counted. Nothing is kept of anybody else's session. */
#include "correlate/detect_internal.h"
#include "event/value.h"

enum { DEEDS_SHOWN = 50, DEEDS_BYTES = 48 << 10, DETAIL = 300, TOLD = 3, TOLD_BYTES = 80 };

static const char *const join_fields[] = {"pid", "ses", "SubjectLogonId", "LogonId", "TargetLogonId", "addr", "acct", "program", "message"};

const char *deed_field(unsigned i) { return i < COUNT(join_fields) ? join_fields[i] : NULL; }

static struct str field_of(const struct detectors *d, const struct corr_event *e, struct str name)
{
	const struct subscribers *s = &d->c->subscribers[e->rule];
	for (uint32_t i = 0; i < s->keep.n && i < e->n_values; i++)
		if (str_eq(s->keep.v[i], name)) return e->values[i].p ? e->values[i] : (struct str){"", 0};
	return (struct str){"", 0};
}

static struct session_text keep_text(struct str s)
{
	struct session_text t = {.n = (uint8_t)(s.n < sizeof t.v ? s.n : 0)}; /* what is longer is none of ours */
	if (t.n) memcpy(t.v, s.p, t.n);
	return t;
}

static struct str text_of(const struct session_text *t) { return (struct str){t->v, t->n}; }
static bool same(const struct session_text *t, struct str s) { return t->n && str_eq(text_of(t), s); }

/* web01 and web01.example.org; a log that names no host may be of any. */
static bool same_host(const struct session_text *t, struct str host)
{
	struct str a = text_of(t), b = host;
	if (!a.n || !b.n) return true;
	a = str_cut(&a, '.');
	b = str_cut(&b, '.');
	return str_eq_nocase(a, b);
}

/* A logon id that stands for somebody: not 0x0. */
static struct str logon_of(struct str id) { return str_eq(id, STR("0x0")) ? (struct str){"", 0} : id; }

void session_open(struct detectors *d, struct attack *f, const struct attempt *a)
{
	const struct corr_event *e = d->c->event;
	if (f->n_sessions == SESSIONS || !e || (!f->sessions && !detect_take_reserved(d, SESSIONS * sizeof *f->sessions))) return;
	if (!f->sessions) f->sessions = xcalloc(SESSIONS, sizeof *f->sessions);
	struct session *s = &f->sessions[f->n_sessions++];
	*s = (struct session){.from = a->time, .until = INT64_MAX, .host = keep_text(str_sub(e->host, 0, sizeof s->host.v - 1)), .user = keep_text(account_name(d, a->account))};
	s->pid = keep_text(field_of(d, e, STR("pid")));
	s->ses = keep_text(field_of(d, e, STR("ses")));
	s->logon = keep_text(logon_of(field_of(d, e, STR("TargetLogonId"))));
	s->address = keep_text(field_of(d, e, STR("auth.src_ip")));
}

/* --- whose deed it is ------------------------------------------------------------------------------------------------------------ */

static bool is_number(struct str s, size_t from)
{
	return from < s.n && s.p[from] >= '0' && s.p[from] <= '9';
}

/* The name a message gives to who does it: "anna : TTY=" of sudo, "by anna(uid=" of PAM, "(anna) REPLACE" of crontab, "(to root) anna on" of su. */
static struct str actor_of(struct str program, struct str message)
{
	size_t by = str_find(message, STR(" by "), 0), end;
	if (str_eq(program, STR("sudo"))) return (end = str_find(message, STR(" : "), 0)) == SIZE_MAX ? (struct str){"", 0} : str_trim(str_sub(message, 0, end));
	if (str_eq(program, STR("crontab"))) return str_starts(message, STR("(")) && (end = str_find_byte(message, ')', 0)) != SIZE_MAX ? str_sub(message, 1, end - 1) : (struct str){"", 0};
	if (str_starts(message, STR("(to ")) && (end = str_find(message, STR(") "), 0)) != SIZE_MAX) {
		struct str rest = str_sub(message, end + 2, message.n);
		return str_cut(&rest, ' ');
	}
	if (by == SIZE_MAX) return (struct str){"", 0};
	struct str rest = str_sub(message, by + 4, message.n);
	return str_cut(&rest, '(');
}

static bool is_sshd(struct str program) { return str_starts(program, STR("sshd")); }

/* "New session 12 of user anna." within seconds of her login: the number is the audit log's as well. */
static bool is_logind(const struct session *s, struct str program, struct str message, int64_t time)
{
	struct str rest = message, number;
	if (!str_eq(program, STR("systemd-logind")) || time - s->from > 5 * SECOND || !str_starts(rest, STR("New session "))) return false;
	rest = str_sub(rest, 12, rest.n);
	number = str_cut(&rest, ' ');
	if (!is_number(number, 0) || !str_starts(rest, STR("of user "))) return false;
	rest = str_sub(rest, 8, rest.n);
	return same(&s->user, str_cut(&rest, '.'));
}

/* By what the deed belongs to the session; NULL: it does not. */
static const char *joined_by(const struct detectors *d, const struct session *s, const struct corr_event *e, int64_t time)
{
	struct str program = field_of(d, e, STR("program")), message = field_of(d, e, STR("message")), pid = field_of(d, e, STR("pid")), ses = field_of(d, e, STR("ses"));
	if (time < s->from || !same_host(&s->host, e->host)) return NULL;
	if (same(&s->logon, field_of(d, e, STR("SubjectLogonId"))) || same(&s->logon, field_of(d, e, STR("LogonId"))) || same(&s->logon, field_of(d, e, STR("TargetLogonId")))) return "session";
	if (s->until < time) return NULL;
	if (same(&s->ses, ses)) return "session";
	/* The first records of the audit log say which session the process became. */
	if (!s->ses.n && ses.n && same(&s->pid, pid) && (same(&s->address, field_of(d, e, STR("addr"))) || same(&s->user, field_of(d, e, STR("acct"))))) return "process";
	if (is_sshd(program)) return same(&s->pid, pid) ? "process" : NULL;
	if (is_logind(s, program, message, time)) return "name";
	struct str actor = actor_of(program, message);
	if (actor.n) return same(&s->user, actor) ? "name" : NULL;
	bool says_session = ses.n || field_of(d, e, STR("SubjectLogonId")).n || field_of(d, e, STR("LogonId")).n || field_of(d, e, STR("TargetLogonId")).n;
	return says_session || str_eq(program, STR("systemd-logind")) ? NULL : "host";
}

/* --- telling --------------------------------------------------------------------------------------------------------------------- */

static void put_text(struct buf *b, struct str s)
{
	struct value v = value_str(s);
	value_json(&v, b);
}

/* The fields the rule names, those that are there, in a line. */
static void detail_of(const struct detectors *d, const struct rule *r, const struct corr_event *e, struct buf *out)
{
	for (uint32_t i = 0; i < r->n_fields && out->n < DETAIL; i++) {
		struct str v = str_trim(field_of(d, e, r->fields[i]));
		if (!v.n) continue;
		if (out->n) buf_byte(out, ' ');
		buf_str(out, str_sub(v, 0, DETAIL - out->n));
	}
}

static void count(struct attack *f, struct str title)
{
	bool fresh;
	uint32_t *n = map_put(&f->deeds, title, 0, &fresh);
	++*n;
	f->n_deeds++;
}

static void tell(struct detectors *d, struct attack *f, const struct rule *r, const struct corr_event *e, int64_t time, const char *by)
{
	struct buf *b = &f->told, one = {0};
	char text[ETIME_MAX];
	d->text.n = 0;
	detail_of(d, r, e, &d->text);
	etime_print(e->time, e->time.digits, text);
	buf_printf(&one, "{\"time\":\"%s\",\"what\":", text);
	put_text(&one, r->info.title);
	buf_lit(&one, ",\"detail\":");
	put_text(&one, buf_view(&d->text));
	buf_printf(&one, ",\"by\":\"%s\"}", by);
	/* A record that stands in two sources is one deed. */
	bool again = str_find(buf_view(b), buf_view(&one), 0) != SIZE_MAX;
	bool room = f->n_told < DEEDS_SHOWN && (f->told_paid || (f->told_paid = detect_take_reserved(d, DEEDS_BYTES)));
	if (!again) count(f, r->info.title);
	if (!again && room && b->n + one.n < DEEDS_BYTES) {
		if (b->n) buf_byte(b, ',');
		buf_str(b, buf_view(&one));
		bool plain = str_starts(r->info.title, STR("Session ")); /* that it was opened and closed is no news */
		f->n_told++;
		if (!plain && f->n_first++ < TOLD) {
			buf_str(&f->first_deeds, str_of(f->first_deeds.n ? "; " : " ("));
			for (size_t i = 0; i < d->text.n && i < TOLD_BYTES; i++) buf_byte(&f->first_deeds, (unsigned char)d->text.p[i] < ' ' ? ' ' : d->text.p[i]);
		}
		attack_cite(d, f, time, e->time.digits, record_current(d->c));
	}
	buf_done(&one);
}

void session_deed(struct detectors *d, const struct corr_event *e, int64_t time)
{
	const struct rule *r = d->c->rules[e->rule];
	for (size_t i = 0; i < d->entries.n; i++) {
		struct attack *f = attack_at(d, d->entries.v[i]);
		const char *by = NULL;
		struct session *s = NULL;
		if (!f || time - f->opened > FOLLOW_UP) continue;
		for (uint32_t k = f->n_sessions; k-- > 0 && !by;) by = joined_by(d, s = &f->sessions[k], e, time);
		if (!by) continue;
		tell(d, f, r, e, time, by);
		struct str ses = field_of(d, e, STR("ses")), message = field_of(d, e, STR("message"));
		if (!s->ses.n && *by == 'p' && ses.n) s->ses = keep_text(ses);
		if (!s->ses.n && is_logind(s, field_of(d, e, STR("program")), message, time)) {
			struct str rest = str_sub(message, 12, message.n);
			s->ses = keep_text(str_cut(&rest, ' '));
		}
		bool closed = is_sshd(field_of(d, e, STR("program"))) && str_find(message, STR("session closed"), 0) != SIZE_MAX;
		if (closed || str_eq(r->info.title, STR("Session closed"))) s->until = time;
		return;
	}
}

void session_put(const struct attack *f, struct buf *out)
{
	if (!f->n_deeds) return;
	buf_printf(out, ",\"session\":{\"n\":%u,\"counts\":{", f->n_deeds);
	for (uint32_t i = 0; i < f->deeds.n; i++) {
		if (i) buf_byte(out, ',');
		put_text(out, f->deeds.entries[i].key);
		buf_printf(out, ":%u", f->deeds.entries[i].value);
	}
	buf_lit(out, "},\"events\":[");
	buf_str(out, buf_view(&f->told));
	buf_lit(out, "]}");
}

void session_say(const struct attack *f, struct buf *out)
{
	if (!f->n_deeds) return;
	buf_lit(out, ". Then, in the session: ");
	for (uint32_t i = 0; i < f->deeds.n; i++) {
		struct str title = f->deeds.entries[i].key;
		if (i) buf_lit(out, ", ");
		buf_printf(out, "%.*s %u", STR_FMT(title), f->deeds.entries[i].value);
	}
	if (!f->first_deeds.n) return;
	buf_str(out, buf_view(&f->first_deeds));
	buf_str(out, str_of(f->n_first > TOLD ? "; ...)" : ")"));
}

void session_free(struct detectors *d, struct attack *f)
{
	budget_give(&d->budget, (f->told_paid ? DEEDS_BYTES : 0) + (f->sessions ? SESSIONS * sizeof *f->sessions : 0));
	free(f->sessions);
	map_done(&f->deeds);
	buf_done(&f->told);
	buf_done(&f->first_deeds);
}
