/* track.c: what message tracking adds to a story: mail that left with an attacker's address, and mail that is sent on as the attacker had set it.
 * See incident_internal.h.
 *
 * Every mail server's users send mail from outside, and mailboxes are forwarded for good reasons: neither begins a story nor is told without
 * one. So rows are only counted, by address or by mailbox and target, with the first and last of them to cite; when the chains are known those
 * that belong to one join it. A mail sent shows a session, one sent on that the setting works. */
#include "incident/incident_internal.h"
#include <stdio.h>

bool track_look(const struct lens *l, struct event *ev, struct str client, struct trace *n)
{
	struct str event = lens_text(l, ev, F_EVENT), source = lens_text(l, ev, F_SOURCE);
	bool rule = str_eq_nocase(source, STR("MAILBOXRULE")), sent_on = str_eq_nocase(event, STR("REDIRECT")) || rule;
	if (!sent_on && !str_eq_nocase(event, STR("RECEIVE")) && !str_eq_nocase(event, STR("SUBMIT"))) return false;
	struct str mailbox = lens_text(l, ev, sent_on && !rule ? F_RELATED : F_SENDER), target = lens_text(l, ev, F_RECIPIENT);
	if (!mailbox.n) mailbox = lens_text(l, ev, F_SENDER);
	if (sent_on ? !target.n || !mailbox.n : !client.n || !str_eq_nocase(lens_text(l, ev, F_DIRECTION), STR("Originating"))) return false;
	n->kind = TRACE_MAIL;
	n->stage = sent_on ? STAGE_PERSISTENCE : STAGE_SESSION;
	n->campaign = STR("any");
	n->user = mailbox;
	n->shown = target;
	n->ip = sent_on ? (struct str){"", 0} : client;
	return true;
}

void track_feed(struct incidents *s, const struct trace *t, const struct clue_record *r)
{
	enum { MAILS_MAX = 1 << 16 };
	char key[400];
	bool fresh, sent_on = t->stage == STAGE_PERSISTENCE;
	int n = sent_on ? snprintf(key, sizeof key, "%.*s\n%.*s", STR_FMT(str_sub(t->user, 0, 180)), STR_FMT(str_sub(t->shown, 0, 180))) : snprintf(key, sizeof key, "%.*s", STR_FMT(str_sub(t->ip, 0, 64)));
	uint32_t *known = map_get(&s->mail_index, (struct str){key, (size_t)n});
	if (!known && (s->mails.n >= MAILS_MAX || !arena_alloc(&s->arena, sizeof(struct mail) + 100))) {
		s->mails_left++;
		return;
	}
	uint32_t at = *map_put(&s->mail_index, (struct str){key, (size_t)n}, (uint32_t)s->mails.n, &fresh);
	if (fresh) vec_push(&s->mails, (struct mail){.sent_on = sent_on, .server = keep_str(s, t->server), .ip = keep_str(s, t->ip), .user = keep_str(s, t->user), .target = keep_str(s, t->shown),
		.source = r->source, .first = t->time});
	struct mail *m = &s->mails.v[at];
	m->n++;
	m->last = t->time;
	uint32_t slot = m->n_evidence < MAIL_EVIDENCE ? m->n_evidence++ : MAIL_EVIDENCE - 1; /* the first ones, and the last */
	m->evidence[slot] = r->evidence[0];
	m->context = r->n_evidence > 1 ? r->evidence[1] : r->evidence[0];
}

/* The setting that makes mail go there is part of the chain: it names the target. */
static bool was_set(const struct incidents *s, const struct chain *c, const struct mail *m)
{
	char target[200];
	snprintf(target, sizeof target, "%.*s", STR_FMT(str_sub(m->target, 0, 180)));
	for (size_t i = 0; i < c->marks.n; i++) {
		const struct trace *t = &s->marks.v[c->marks.v[i]].trace;
		if (t->stage == STAGE_PERSISTENCE && t->log != LOG_TRACKING && has_nocase(t->shown, target)) return true;
	}
	return false;
}

static bool of_attacker(const struct chain *c, const struct mail *m)
{
	for (size_t i = 0; i < c->attackers.n; i++)
		if (str_eq(c->attackers.v[i], m->ip)) return true;
	return false;
}

static void add_mark(struct incidents *s, struct chain *c, const struct mail *m)
{
	char text[500];
	int n = m->sent_on ? snprintf(text, sizeof text, "%llu message%s of %.*s sent on to %.*s", (unsigned long long)m->n, m->n == 1 ? "" : "s", STR_FMT(str_sub(m->user, 0, 150)), STR_FMT(str_sub(m->target, 0, 150)))
		: snprintf(text, sizeof text, "%llu message%s sent by %.*s from an attacker's address", (unsigned long long)m->n, m->n == 1 ? "" : "s", STR_FMT(str_sub(m->user, 0, 150)));
	struct mark k = {.trace = {.kind = TRACE_MARK, .stage = m->sent_on ? STAGE_PERSISTENCE : STAGE_SESSION, .log = LOG_TRACKING, .level = LEVEL_MEDIUM, .time = m->first, .server = m->server,
		.campaign = STR("any"), .ip = m->ip, .user = m->user, .shown = m->sent_on ? m->target : STR(""), .agent = STR(""), .request = STR(""), .canary = STR(""), .page = STR(""),
		.reason = tell_str(s, (struct str){text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1})}, .evidence = (uint32_t)s->pool.n, .source = m->source, .server = c->server};
	for (uint32_t i = 0; i < m->n_evidence; i++) vec_push(&s->pool, m->evidence[i]);
	if (!same_evidence(&m->context, &m->evidence[m->n_evidence - 1])) vec_push(&s->pool, m->context);
	k.n_evidence = (uint32_t)s->pool.n - k.evidence;
	vec_push(&c->marks, (uint32_t)s->marks.n);
	vec_push(&s->marks, k);
	if (k.trace.stage > c->stage) c->stage = k.trace.stage;
	if (etime_cmp(m->last, c->last) > 0) c->last = m->last;
}

void track_join(struct incidents *s, struct chain *c)
{
	for (size_t i = 0; i < s->mails.n && !c->probes_only; i++) {
		const struct mail *m = &s->mails.v[i];
		if (m->sent_on ? was_set(s, c, m) : of_attacker(c, m)) add_mark(s, c, m);
	}
}
