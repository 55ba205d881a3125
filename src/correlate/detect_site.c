/* detect_site.c: attacks without a loud address: a change in how many new addresses fail, and who belongs to it.
 *
 * What is counted: addresses whose first attempts failed and that never got in (LAG later nobody from there had). People who mistype get in; what
 * is left is passers-by, some lost devices, and attackers. A CUSUM over Poisson counts (log odds of thrice the usual and two an hour more,
 * against the usual) finds the change; its last zero is when it began. Rates are learnt of each hour of the day, never while it alarms. */
#include "correlate/detect_internal.h"
#include <math.h>

/* Rates are an hour. */
static const double RATE_LEAST = 0.5, RATE_FIRST = 1, FACTOR = 3, MORE = 2;
enum { HOURS_KEPT = 168, DAYS_KEPT = 14, WARM_HOURS = 48, CROWD = 50, EACH = 5, KNOWN_NAME = 3, LOST_HOURS = 72 };

static unsigned hour_of_day(int64_t hour) { return (unsigned)((hour % 24 + 24) % 24); }

/* What is usual at that hour; while little is known, more is forgiven. */
static double usual(const struct service *s, int64_t time)
{
	int64_t hour = time / HOUR;
	double rate = s->hours ? s->mean : RATE_FIRST;
	for (int64_t h = hour - 1; h <= hour + 1; h++) rate = fmax(rate, s->profile[hour_of_day(h)]);
	if (s->hours < WARM_HOURS) rate = fmax(rate, RATE_FIRST) * 2;
	return fmax(rate, RATE_LEAST);
}

static double raised(double rate) { return FACTOR * rate + MORE; }

/* An hour is over: learnt, unless it looks like an attack. */
static void learn(struct service *s, double count, int64_t hour)
{
	unsigned h = hour_of_day(hour);
	if (s->crowd || s->sum > CUSUM_ALARM / 2) return;
	if (s->hours < HOURS_KEPT) s->hours++;
	s->mean += (count - s->mean) / s->hours;
	if (s->days[h] < DAYS_KEPT) s->days[h]++;
	s->profile[h] += (count - s->profile[h]) / s->days[h];
}

/* Time passes: the sum drains, hours end. */
static void service_advance(struct service *s, int64_t now)
{
	if (s->sum_at == NEVER) {
		s->sum_at = s->zero_at = now;
		s->hour = now / HOUR;
		return;
	}
	/* A long silence is so many empty hours; a week of them says all. */
	for (unsigned n = 0; s->hour < now / HOUR && n < HOURS_KEPT; n++) {
		learn(s, s->in_hour, s->hour++);
		s->in_hour = 0;
	}
	s->hour = now / HOUR;
	double rate = usual(s, now);
	s->sum -= (raised(rate) - rate) * (double)(now - s->sum_at) / (double)HOUR;
	s->sum_at = now;
	if (s->sum > 0) return;
	s->sum = 0;
	s->zero_at = now;
	s->since_zero = 0;
	s->crowd = 0; /* its members stay its own */
}

/* --- who belongs to it ----------------------------------------------------------------------------------------------------------- */

/* An attack on few names has the same ones everywhere; who tries others only passes by. */
static bool shares_names(const struct detectors *d, const struct attack *f, uint32_t account)
{
	const uint32_t *n = attack_names(d, f, account);
	return n && *n >= KNOWN_NAME;
}

static bool is_focused(const struct attack *f) { return f->origins.total >= CROWD && f->accounts.total && f->tries >= (uint64_t)EACH * f->accounts.total; }

/* From now on it takes only who shares its names, and what it takes is not counted: another attack may begin beside it. */
static void focus(struct detectors *d, struct service *s, uint32_t number)
{
	for (unsigned i = 0; i < FOCUSED; i++) {
		if (attack_at(d, s->focused[i])) continue;
		s->focused[i] = number;
		if (s->crowd != number) return;
		s->crowd = 0;
		s->sum = 0;
		s->zero_at = s->sum_at;
		s->since_zero = 0;
		return;
	}
}

static void enlist(struct detectors *d, struct attack *f, uint32_t number, struct waiting *w)
{
	struct origin *o = origin_at(d, w->origin);
	if (!attack_at(d, o->member)) o->member = number;
	attack_add_waiting(d, f, w);
}

/* Of one that is not forgiven. */
static bool may_join(const struct detectors *d, const struct attack *f, const struct waiting *w)
{
	const struct origin *o = origin_at(d, w->origin);
	return !w->taken && w->service == f->service && !o->entered && !o->open && origin_first(d, o) >= f->begun;
}

static bool may_belong(const struct detectors *d, const struct attack *f, const struct waiting *w) { return may_join(d, f, w) && !waiting_forgiven(d, w); }

/* It is the address's first since then. */
static bool first_of(const struct detectors *d, const struct waiting *w, int64_t begun)
{
	uint32_t before = w->before[0];
	return !before || before - d->tail >= d->head - d->tail || waiting_at(d, before)->time < begun;
}

/* Many addresses that try a name a few times each. A device with an old password that moves about tries many times from each before it is elsewhere, and is at
 * one place at a time: what tries twice or more from each address, and never comes back to one, must have twice as many of them. */
static bool is_siege(struct detectors *d, uint32_t service, int64_t begun, uint32_t account)
{
	enum { TRIES_EACH = 4, PAUSE = 10 };
	struct attack like = {.service = service, .begun = begun};
	uint64_t origins = 0, tries = 0, runs = 0;
	uint32_t last = 0;
	/* The whole queue is looked through: not more often than this, whoever would like to have it so. */
	if (d->siege_at != NEVER && d->now - d->siege_at < PAUSE * SECOND) return false;
	d->siege_at = d->now;
	for (uint32_t q = d->tail; q != d->judged; q++) {
		const struct waiting *w = waiting_at(d, q);
		if (w->time < begun || w->account != account || !may_belong(d, &like, w)) continue;
		origins += first_of(d, w, begun);
		tries += w->attempts;
		runs += w->origin != last;
		last = w->origin;
	}
	bool one_at_a_time = runs <= origins + 1 && tries >= 2 * origins;
	return origins + 1 >= (one_at_a_time ? 2 : 1) * ACCOUNT_ORIGINS && tries <= TRIES_EACH * origins;
}

/* The campaign opens: what was judged since it began and fits is its beginning. `account`: only what tried that name, 0: all. */
static void open_campaign(struct detectors *d, uint32_t service, enum attack_reason reason, int64_t begun, uint32_t account, const struct waiting *last)
{
	uint32_t number;
	struct service *s = &d->services[service];
	if (account && !is_siege(d, service, begun, account)) return;
	struct attack *f = attack_open(d, ATTACK_CAMPAIGN, reason, d->now, last->digits, &number);
	if (!f) return;
	f->service = service;
	f->begun = begun;
	f->expected = usual(s, begun);
	f->seen = (double)s->since_zero / fmax(1.0 / 60, (double)(last->time - begun) / (double)HOUR);
	buf_put(&f->place, s->name, s->name_n);
	for (uint32_t q = d->tail; q != d->judged; q++) {
		struct waiting *w = waiting_at(d, q);
		if (w->time < begun || (account && w->account != account) || !may_belong(d, f, w)) continue;
		enlist(d, f, number, w);
	}
	attack_announce(d, f);
	if (!account) s->crowd = number;
	if (account || is_focused(f)) focus(d, s, number);
}

/* --- names tried from many addresses -------------------------------------------------------------------------------- */

static bool name_is_besieged(struct detectors *d, const struct waiting *w)
{
	struct account *a = account_at(d, w->account);
	uint32_t print = origin_print(d, w->origin), n = 0;
	bool there = false;
	if (!a->name_n) return false;
	if (!a->from && (a->from = detect_pool_take(d, RECENT * sizeof(struct account_origin))))
		memset(pool_at(&d->pool, a->from), 0, RECENT * sizeof(struct account_origin));
	if (!a->from) return false;
	struct account_origin *v = pool_at(&d->pool, a->from);
	for (unsigned i = 0; i < RECENT; i++) {
		if (v[i].print == print && v[i].time) v[i].time = w->time, there = true;
		n += v[i].time && w->time - v[i].time <= DAY;
	}
	if (there) return false;
	v[a->from_n++ % RECENT] = (struct account_origin){w->time, print};
	return n + 1 >= (a->successes ? ACCOUNT_ORIGINS : NAME_ORIGINS);
}

/* --- a judged failure ------------------------------------------------------------------------------------------------------------ */

static void count_first(struct detectors *d, struct service *s, const struct waiting *w)
{
	struct origin *o = origin_at(d, w->origin);
	if (o->counted || o->entered) return;
	double rate = usual(s, w->time);
	o->counted = true;
	s->in_hour++;
	s->since_zero++;
	s->sum = fmin(s->sum + log(raised(rate) / rate), CUSUM_CAP);
	if (s->sum < CUSUM_ALARM || s->since_zero < CUSUM_LEAST || s->crowd) return;
	open_campaign(d, w->service, BY_CHANGE, s->zero_at, 0, w);
}

/* The campaign it is a member of, or may become one of. */
static struct attack *campaign_of(struct detectors *d, struct service *s, const struct waiting *w, uint32_t *ret_number)
{
	struct attack *f = attack_at(d, *ret_number = origin_at(d, w->origin)->member);
	if (f) return f->service == w->service ? f : NULL;
	for (unsigned i = 0; i < FOCUSED; i++) {
		f = attack_at(d, *ret_number = s->focused[i]);
		if (f && may_join(d, f, w) && shares_names(d, f, w->account)) return f;
	}
	return NULL;
}

/* `w` is not forgiven. */
bool site_judge(struct detectors *d, struct waiting *w)
{
	struct service *s = &d->services[w->service];
	struct origin *o = origin_at(d, w->origin);
	uint32_t number;
	service_advance(s, w->time);
	if (o->entered) return false;
	struct attack *f = campaign_of(d, s, w, &number);
	if (f) {
		enlist(d, f, number, w);
		if (number == s->crowd && is_focused(f)) focus(d, s, number);
		return true;
	}
	count_first(d, s, w);
	if (w->taken) return true;
	f = attack_at(d, s->crowd);
	if (f && may_join(d, f, w)) {
		enlist(d, f, s->crowd, w);
		if (is_focused(f)) focus(d, s, s->crowd);
		return true;
	}
	if (!f && name_is_besieged(d, w)) open_campaign(d, w->service, BY_ACCOUNT, w->time - DAY, w->account, w);
	return w->taken;
}

void site_advance(struct detectors *d, int64_t now)
{
	for (uint32_t i = 0; i < d->n_services; i++)
		if (d->services[i].sum_at != NEVER && now > d->services[i].sum_at) service_advance(&d->services[i], now);
}

bool site_success(struct detectors *d, const struct attempt *a, bool was_habit)
{
	const struct origin *o = origin_at(d, a->origin[0]);
	struct attack *f = attack_at(d, o->member);
	if (was_habit) return false;
	if (f) {
		/* A person whose device kept an old password, and who was taken for a member, has one name. */
		bool sure = tried_others(d, a);
		attack_entered(d, f, a, sure);
		return sure;
	}
	/* One failure of a new address, a login right behind it, in the middle of a campaign: a person who mistyped, or a password that was known. */
	const struct service *s = &d->services[a->service];
	if (o->entered || !waiting_since(d, a->origin[0], a->time - LAG, 1)) return false;
	f = attack_at(d, s->crowd);
	if (f && origin_first(d, o) >= f->begun) attack_entered(d, f, a, false);
	for (unsigned i = 0; i < FOCUSED; i++) {
		struct attack *few = attack_at(d, s->focused[i]);
		if (few && few != f && origin_first(d, o) >= few->begun && shares_names(d, few, a->account)) attack_entered(d, few, a, false);
	}
	return false;
}
