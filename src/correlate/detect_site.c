/* detect_site.c: attacks without a loud address: a change in how many new addresses fail, and who belongs to it.
 *
 * What is counted: addresses whose first attempts failed and that never got in (LAG later nobody from there had). People who mistype get in; what
 * is left is passers-by, some lost devices, and attackers. A CUSUM over Poisson counts (log odds of thrice the usual and two an hour more,
 * against the usual) finds the change; its last zero is when it began. Rates are learnt of each hour of the day, never while it alarms.
 *
 * The same is counted over all services together, for attacks that come to several of them and stay small at each. */
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
static void learn(struct service *s, double count, int64_t hour, bool attacked)
{
	unsigned h = hour_of_day(hour);
	if (attacked || s->crowd || s->sum > CUSUM_ALARM / 2) return;
	if (s->hours < HOURS_KEPT) s->hours++;
	s->mean += (count - s->mean) / s->hours;
	if (s->days[h] < DAYS_KEPT) s->days[h]++;
	s->profile[h] += (count - s->profile[h]) / s->days[h];
}

static void to_zero(struct service *s, int64_t now)
{
	s->sum = 0;
	s->zero_at = now;
	s->since_zero = 0;
}

/* Time passes: the sum drains, hours end. `attacked`: by a campaign over several services. */
static void service_advance(struct service *s, int64_t now, bool attacked)
{
	if (s->sum_at == NEVER) {
		s->sum_at = s->zero_at = now;
		s->hour = now / HOUR;
		return;
	}
	/* A long silence is so many empty hours; a week of them says all. */
	for (unsigned n = 0; s->hour < now / HOUR && n < HOURS_KEPT; n++) {
		learn(s, s->in_hour, s->hour++, attacked);
		s->in_hour = 0;
	}
	s->hour = now / HOUR;
	double rate = usual(s, now);
	s->sum -= (raised(rate) - rate) * (double)(now - s->sum_at) / (double)HOUR;
	s->sum_at = now;
	if (s->sum > 0) return;
	to_zero(s, now);
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
		to_zero(s, s->sum_at);
		return;
	}
}

static void enlist(struct detectors *d, struct attack *f, uint32_t number, struct waiting *w)
{
	struct origin *o = origin_at(d, w->origin);
	if (!attack_at(d, o->member)) o->member = number;
	f->services |= 1ull << w->service;
	attack_add_waiting(d, f, w);
}

static bool is_at(const struct attack *f, const struct waiting *w) { return f->service == ANY || f->service == w->service; }

/* Of one that is not forgiven. */
static bool may_join(const struct detectors *d, const struct attack *f, const struct waiting *w)
{
	const struct origin *o = origin_at(d, w->origin);
	return !w->taken && is_at(f, w) && !o->entered && !o->open && origin_first(d, o) >= f->begun;
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

/* The campaign opens, unless there is no memory for it: what was judged since it began and fits is its beginning. `account`: only what tried that name, 0: all. */
static bool open_campaign(struct detectors *d, uint32_t service, enum attack_reason reason, int64_t begun, uint32_t account, const struct waiting *last)
{
	uint32_t number;
	struct service *s = &d->services[service];
	if (account && !is_siege(d, service, begun, account)) return false;
	struct attack *f = attack_open(d, ATTACK_CAMPAIGN, reason, d->now, last->digits, &number);
	if (!f) return false;
	f->service = service;
	f->begun = begun;
	f->expected = usual(s, begun);
	f->seen = (double)s->since_zero / fmax(1.0 / 60, (double)(last->time - begun) / (double)HOUR);
	for (uint32_t q = d->tail; q != d->judged; q++) {
		struct waiting *w = waiting_at(d, q);
		if (w->time < begun || (account && w->account != account) || !may_belong(d, f, w)) continue;
		enlist(d, f, number, w);
	}
	if (service != ANY) f->services |= 1ull << service;
	attack_announce(d, f);
	if (!account) s->crowd = number;
	if (account || is_focused(f)) focus(d, s, number);
	return true;
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

static bool count(struct service *s, int64_t time)
{
	double rate = usual(s, time);
	s->in_hour++;
	s->since_zero++;
	s->sum = fmin(s->sum + log(raised(rate) / rate), CUSUM_CAP);
	return s->sum >= CUSUM_ALARM && s->since_zero >= CUSUM_LEAST && !s->crowd;
}

/* All services together: for attacks that come to several, and are too small for each alone. */
static bool count_any(struct detectors *d, const struct waiting *w)
{
	struct service *any = &d->services[ANY];
	uint32_t most = 0;
	if (!any->since_zero) memset(d->apart, 0, sizeof d->apart);
	d->apart[w->service]++;
	bool alarm = count(any, w->time);
	for (uint32_t i = 0; alarm && i < d->n_services; i++) most = d->apart[i] > most ? d->apart[i] : most;
	return alarm && most * 4ull <= any->since_zero * 3ull;
}

/* Each first contact is in one campaign only: a service's own comes first, and while there is one over several, the services do not count for themselves. */
static void count_first(struct detectors *d, struct service *s, const struct waiting *w)
{
	struct origin *o = origin_at(d, w->origin);
	struct service *any = &d->services[ANY];
	if (o->counted || o->entered) return;
	o->counted = true;
	if (!any->crowd && count(s, w->time)) {
		uint32_t its = s->since_zero < any->in_hour ? s->since_zero : any->in_hour;
		if (!open_campaign(d, w->service, BY_CHANGE, s->zero_at, 0, w)) return;
		any->in_hour -= its;
		to_zero(any, w->time);
	} else if (!s->crowd && count_any(d, w) && open_campaign(d, ANY, BY_CHANGE, any->zero_at, 0, w)) {
		for (uint32_t i = 0; i < d->n_services; i++)
			if (!d->services[i].crowd) to_zero(&d->services[i], w->time);
	}
}

/* The campaign it is a member of, or may become one of. */
static struct attack *campaign_of(struct detectors *d, const struct waiting *w, uint32_t *ret_number)
{
	struct attack *f = attack_at(d, *ret_number = origin_at(d, w->origin)->member);
	if (f) return is_at(f, w) ? f : NULL;
	for (unsigned i = 0; i < 2 * FOCUSED; i++) {
		const struct service *s = &d->services[i < FOCUSED ? w->service : ANY];
		f = attack_at(d, *ret_number = s->focused[i % FOCUSED]);
		if (f && may_join(d, f, w) && shares_names(d, f, w->account)) return f;
	}
	return NULL;
}

static void enlist_here(struct detectors *d, struct attack *f, uint32_t number, struct waiting *w)
{
	struct service *s = &d->services[f->service];
	enlist(d, f, number, w);
	if (number == s->crowd && is_focused(f)) focus(d, s, number);
}

/* `w` is not forgiven. */
bool site_judge(struct detectors *d, struct waiting *w)
{
	struct service *s = &d->services[w->service], *any = &d->services[ANY];
	struct origin *o = origin_at(d, w->origin);
	uint32_t number;
	service_advance(s, w->time, any->crowd);
	service_advance(any, w->time, false);
	if (o->entered) return false;
	struct attack *f = campaign_of(d, w, &number);
	if (f) {
		enlist_here(d, f, number, w);
		return true;
	}
	count_first(d, s, w);
	if (w->taken) return true;
	for (unsigned i = 0; i < 2; i++) {
		number = i ? any->crowd : s->crowd;
		f = attack_at(d, number);
		if (!f || !may_join(d, f, w)) continue;
		enlist_here(d, f, number, w);
		return true;
	}
	if (!attack_at(d, s->crowd) && !attack_at(d, any->crowd) && name_is_besieged(d, w)) (void)open_campaign(d, w->service, BY_ACCOUNT, w->time - DAY, w->account, w);
	return w->taken;
}

void site_advance(struct detectors *d, int64_t now)
{
	bool attacked = d->services[ANY].crowd;
	for (uint32_t i = 0; i <= ANY; i++)
		if (d->services[i].sum_at != NEVER && now > d->services[i].sum_at) service_advance(&d->services[i], now, attacked && i != ANY);
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
	if (o->entered || !waiting_since(d, a->origin[0], a->time - LAG, 1)) return false;
	for (unsigned k = 0; k < 2; k++) {
		const struct service *s = &d->services[k ? ANY : a->service];
		f = attack_at(d, s->crowd);
		if (f && origin_first(d, o) >= f->begun) attack_entered(d, f, a, false);
		for (unsigned i = 0; i < FOCUSED; i++) {
			struct attack *few = attack_at(d, s->focused[i]);
			if (few && few != f && origin_first(d, o) >= few->begun && shares_names(d, few, a->account)) attack_entered(d, few, a, false);
		}
	}
	return false;
}
