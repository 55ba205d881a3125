/* detect_origin.c: loud addresses and networks: bursts, many names, many tries, slow streaks; and logins that come out of them.
 *
 * A finding belongs to the narrowest origin that is loud by itself. When a second one opens within the same network, the finding is the
 * network's from then on: a botnet in a /24, or a client that hops through a /48, is one finding. */
#include "correlate/detect_internal.h"

enum { LOOK_BACK = 1024, REGULAR = 10, GUESSED_ACCOUNTS = 3 };

void origins_above(const struct detectors *d, uint32_t address, uint32_t ret[LEVELS_OF_NET])
{
	ret[0] = address;
	ret[1] = origin_at(d, address)->parent;
	ret[2] = ret[1] ? origin_at(d, ret[1])->parent : 0;
}

struct attack *open_of(struct detectors *d, const uint32_t origin[LEVELS_OF_NET])
{
	for (int k = 0; k < LEVELS_OF_NET && origin[k]; k++) {
		struct attack *f = attack_at(d, origin_at(d, origin[k])->open);
		if (f && d->now - f->last > QUIET) attack_close(d, origin_at(d, origin[k])->open), f = NULL;
		if (f) return f;
	}
	return NULL;
}

static unsigned children_of(const struct history *h)
{
	/* Linear counting: -64 ln(free / 64), in whole numbers; exact enough for "at least three". */
	return (unsigned)__builtin_popcountll(h->children);
}

static void count_child(struct history *h, uint8_t bit, int64_t now)
{
	if (now - h->children_from > DAY) h->children = 0, h->children_from = now;
	h->children |= 1ull << bit;
}

static void note_gap(struct history *h, int64_t now)
{
	int64_t gap = now - h->last_failure, apart = gap > h->gap ? gap - h->gap : h->gap - gap;
	h->regular = h->failures && gap && apart <= gap / 10 ? h->regular + 1 : 0;
	h->gap = gap;
	h->last_failure = now;
}

static bool is_kept(const struct detectors *d, uint32_t sequence) { return waiting_is_kept(d, sequence); }

/* One account of an inside machine, tried like clockwork: a service that nobody told of the new password. */
static bool is_stale(struct detectors *d, uint32_t address)
{
	struct origin *o = origin_at(d, address);
	bool stale = o->inside && o->bits == 128 && o->history && history_at(d, o)->regular >= REGULAR && tried_since(d, o, d->now - DAY) <= 1;
	if (!stale) return false;
	uint32_t account = is_kept(d, o->newest) ? waiting_at(d, o->newest)->account : 0, n = 0;
	for (uint32_t s = o->newest; n++ < REGULAR && is_kept(d, s); s = waiting_at(d, s)->before[0])
		if (waiting_at(d, s)->account != account) return false;
	if (stale && !o->noted) {
		o->noted = true;
		d->text.n = 0;
		origin_text(d, address, &d->text);
		buf_lit(&d->text, " keeps failing for one account at equal intervals, from inside: taken for a service with an old password, not reported");
		detect_note(d, buf_view(&d->text));
	}
	return stale;
}

bool origin_failure(struct detectors *d, const struct attempt *a, bool forgiven)
{
	struct attack *f = forgiven ? NULL : open_of(d, a->origin);
	double weight = forgiven ? a->attempts * 0.1 : a->attempts;
	uint8_t bit = origin_at(d, a->origin[0])->child_bit;
	for (int k = 0; k < LEVELS_OF_NET && a->origin[k]; k++) {
		struct origin *o = origin_at(d, a->origin[k]);
		if (!o->history && !o->once && !forgiven && a->attempts == 1) {
			o->once = true; /* and that is all there is to say of it */
			if (k) o->child_bit = bit;
			continue;
		}
		struct history *h = history_of(d, a->origin[k]);
		if (!h) continue;
		if (!k) note_gap(h, a->time);
		else if (!forgiven) count_child(h, bit, a->time);
		h->failures += a->attempts;
		level_leak(&h->burst, &h->burst_at, a->time, BURST_DRAIN);
		h->burst += weight;
	}
	if (f) attack_add(d, f, a->time, a->digits, a->record, a->origin[0], a->account, a->attempts);
	return f != NULL;
}

/* --- opening --------------------------------------------------------------------------------------------------------------------- */

/* What waits of the origin, in order, into the finding. */
static void gather(struct detectors *d, struct attack *f, uint32_t origin, int level)
{
	d->scratch.n = 0;
	for (uint32_t s = origin_at(d, origin)->newest; is_kept(d, s); s = waiting_at(d, s)->before[level]) {
		const struct waiting *w = waiting_at(d, s);
		if (!w->taken && !waiting_forgiven(d, w)) vec_push(&d->scratch, s);
	}
	for (size_t i = d->scratch.n; i-- > 0;) attack_add_waiting(d, f, waiting_at(d, d->scratch.v[i]));
}

uint32_t waiting_since(const struct detectors *d, uint32_t address, int64_t since, uint32_t most)
{
	uint32_t n = 0, steps = 0;
	bool each = d->habits_lost; /* else what was forgiven still is, and need not be looked at */
	for (uint32_t s = origin_at(d, address)->newest; n < most && steps < LOOK_BACK && is_kept(d, s);) {
		const struct waiting *w = waiting_at(d, s);
		if (w->time < since) break;
		if (!waiting_forgiven(d, w)) n += w->attempts;
		s = each ? w->before[0] : w->other;
		steps += each ? 1 : w->steps;
	}
	return n;
}

/* The finding is now that of `origin`. */
static void belong(struct detectors *d, struct attack *f, uint32_t number, uint32_t origin)
{
	struct origin *o = origin_at(d, origin);
	if (f->origin) {
		origin_at(d, f->origin)->open = 0;
		origin_at(d, f->origin)->refs--;
	}
	f->origin = origin;
	o->open = number;
	o->refs++;
	f->place.n = 0;
	origin_text(d, origin, &f->place);
	for (uint32_t p = o->parent; p; p = origin_at(d, p)->parent) origin_at(d, p)->child_open = number;
}

static void open_origin(struct detectors *d, const uint32_t origin[LEVELS_OF_NET], int level, enum attack_reason reason, uint8_t digits)
{
	uint32_t number;
	struct attack *f;
	if (open_of(d, origin)) return; /* told already; a failure that is forgiven opens no second one */
	/* One that is open below this network, or beside this origin in the next wider one, grows to hold both. */
	for (int up = level ? level : 1; up <= level + 1 && up < LEVELS_OF_NET && origin[up]; up++) {
		number = origin_at(d, origin[up])->child_open;
		f = attack_at(d, number);
		if (!f || d->now - f->last > QUIET) continue;
		belong(d, f, number, origin[up]);
		gather(d, f, origin[up], up);
		return;
	}
	f = attack_open(d, ATTACK_ORIGIN, reason, d->now, digits, &number);
	if (!f) return;
	belong(d, f, number, origin[level]);
	gather(d, f, origin[level], level);
	attack_announce(d, f);
}

void origin_burst(struct detectors *d, const struct attempt *a)
{
	for (int k = 0; k < LEVELS_OF_NET && a->origin[k]; k++) {
		const struct origin *o = origin_at(d, a->origin[k]);
		const struct history *h = o->history ? history_at(d, o) : NULL;
		if (!h || h->burst <= BURST || (k && children_of(h) < NET_CHILDREN) || (!k && is_stale(d, a->origin[0]))) continue;
		open_origin(d, a->origin, k, BY_BURST, a->digits);
		return;
	}
}

/* --- judging --------------------------------------------------------------------------------------------------------------------- */

/* These two: of origins with history. */
static bool address_is_loud(struct detectors *d, const struct origin *o, uint32_t address, uint32_t account, int64_t time, enum attack_reason *ret)
{
	const struct history *h = history_at(d, o);
	uint32_t day = tried_since(d, o, time - DAY), week = tried_since(d, o, time - 7 * DAY), normal = h->success_accounts / 2;
	if (day >= SPRAY_DAY + normal || week >= SPRAY_WEEK + normal) *ret = BY_ACCOUNTS;
	else if (h->daily > (day > 1 ? MANY_TRIES : MANY_ONE) + 10 * h->success_accounts && !is_stale(d, address)) *ret = BY_TRIES;
	else if (tried_level(d, o, account) > MANY_ONE && !is_stale(d, address)) *ret = BY_TRIES;
	else if (h->streak >= SLOW_TRIES && time - h->streak_from >= SLOW_SPAN && !is_stale(d, address)) *ret = BY_STREAK;
	else return false;
	return true;
}

static bool network_is_loud(struct detectors *d, const struct origin *o, int64_t time, enum attack_reason *ret)
{
	const struct history *h = history_at(d, o);
	uint32_t normal = h->success_accounts;
	if (children_of(h) < NET_CHILDREN) return false;
	if (tried_since(d, o, time - DAY) >= NET_SPRAY + normal / 2) *ret = BY_ACCOUNTS;
	else if (h->daily > MANY_TRIES + 10 * normal) *ret = BY_TRIES;
	else if (h->streak >= SLOW_NET + 10 * normal && time - h->streak_from >= SLOW_SPAN) *ret = BY_STREAK;
	else return false;
	return true;
}

bool address_judge(struct detectors *d, struct waiting *w, const uint32_t origin[LEVELS_OF_NET])
{
	struct attack *f = open_of(d, origin);
	if (f) {
		attack_add_waiting(d, f, w);
		return true;
	}
	enum attack_reason reason;
	struct origin *o = origin_at(d, origin[0]);
	/* Members of an open campaign are told there. */
	if (!origin_note_judged(d, o, w) || attack_at(d, o->member) || !address_is_loud(d, o, origin[0], w->account, w->time, &reason)) return false;
	open_origin(d, origin, 0, reason, w->digits);
	return true;
}

/* What every ban list knows: a handful of failures in a row. Here it must be certain that nobody got in in the end. */
bool few_judge(struct detectors *d, struct waiting *w, const uint32_t origin[LEVELS_OF_NET])
{
	const struct origin *o = origin_at(d, origin[0]);
	uint32_t n = 0, steps = 0;
	if (o->entered || o->inside) return false;
	for (uint32_t s = o->newest; steps++ < LOOK_BACK && is_kept(d, s) && waiting_at(d, s)->time >= w->time; s = waiting_at(d, s)->before[0])
		if (waiting_at(d, s)->time - w->time <= FEW_SPAN && !waiting_at(d, s)->taken) n += waiting_at(d, s)->attempts;
	if (n < FEW) return false;
	open_origin(d, origin, 0, BY_FEW, w->digits);
	return true;
}

bool network_judge(struct detectors *d, struct waiting *w, const uint32_t origin[LEVELS_OF_NET])
{
	bool several[LEVELS_OF_NET] = {false};
	for (int k = 1; k < LEVELS_OF_NET && origin[k]; k++) several[k] = origin_note_judged(d, origin_at(d, origin[k]), w);
	for (int k = 1; k < LEVELS_OF_NET && origin[k]; k++) {
		enum attack_reason reason;
		if (!several[k] || !network_is_loud(d, origin_at(d, origin[k]), w->time, &reason)) continue;
		open_origin(d, origin, k, reason, w->digits);
		return true;
	}
	return false;
}

/* --- logins ---------------------------------------------------------------------------------------------------------------------- */

/* The failures of this address that waited, as far as they are kept, and the login itself. */
static void open_entry(struct detectors *d, const struct attempt *a, uint32_t rank)
{
	uint32_t number;
	struct attack *f = attack_open(d, ATTACK_ENTRY, BY_ENTRY, a->time, a->digits, &number);
	if (!f) return;
	f->entry_rank = rank;
	f->print = origin_print(d, a->origin[0]);
	origin_text(d, a->origin[0], &f->place);
	buf_str(&f->account, account_name(d, a->account));
	struct attack *over = open_of(d, a->origin);
	if (over) {
		/* All that the guessing rests on, where it is this address's own finding. */
		if (over->origin == a->origin[0]) episode_copy(d->c, episode_at(d->c, f->episode), episode_at(d->c, over->episode));
		attack_entered(d, over, a, true);
	}
	bool copied = over && over->origin == a->origin[0];
	d->scratch.n = 0;
	for (uint32_t s = origin_at(d, a->origin[0])->newest; is_kept(d, s); s = waiting_at(d, s)->before[0])
		if (!copied || !waiting_at(d, s)->taken) vec_push(&d->scratch, s);
	for (size_t i = d->scratch.n; i-- > 0;) {
		const struct waiting *w = waiting_at(d, d->scratch.v[i]);
		attack_add(d, f, w->time, w->digits, w->record, w->origin, w->account, w->attempts);
	}
	attack_add(d, f, a->time, a->digits, a->record, a->origin[0], a->account, 0);
	attack_entered(d, f, a, true);
	session_open(d, f, a);
	vec_push(&d->entries, number);
	vec_push(&d->entry_prints, f->print);
	attack_announce(d, f);
}

/* Logins from the address within a day after: what the intruder did next. */
static void follow_up(struct detectors *d, const struct attempt *a)
{
	if (!d->entries.n) return;
	uint32_t print = origin_print(d, a->origin[0]);
	for (size_t i = 0; i < d->entries.n; i++) {
		if (d->entry_prints.v[i] != print) continue;
		struct attack *f = attack_at(d, d->entries.v[i]);
		if (!f || a->time - f->opened > FOLLOW_UP) continue;
		attack_add(d, f, a->time, a->digits, a->record, a->origin[0], a->account, 0);
		attack_entered(d, f, a, true);
		session_open(d, f, a);
		break;
	}
}

bool tried_others(struct detectors *d, const struct attempt *a)
{
	const struct origin *o = origin_at(d, a->origin[0]);
	if (tried_since(d, o, a->time - KEEP) > tried_for(d, o, a->account)) return true;
	uint32_t steps = 0;
	for (uint32_t s = o->newest; steps++ < LOOK_BACK && is_kept(d, s); s = waiting_at(d, s)->before[0])
		if (waiting_at(d, s)->account != a->account) return true;
	return false;
}

static bool is_entry(struct detectors *d, const struct attempt *a, uint32_t *ret_rank)
{
	const struct origin *o = origin_at(d, a->origin[0]);
	struct attack *f = open_of(d, a->origin);
	*ret_rank = 2;
	/* Somebody who forgot the password, and remembered. */
	if (f && f->reason == BY_FEW && (double)f->tries < 2 * BURST && f->accounts.total == 1 && !tried_others(d, a) &&
		waiting_since(d, a->origin[0], a->time - HOUR / 2, GUESSED_RUN) < GUESSED_RUN) {
		attack_entered(d, f, a, false);
		return false;
	}
	/* Behind a gateway many are who they say: only the names that were tried there. */
	if (f && success_accounts(d, o) >= GATEWAY && !map_get(&f->accounts.map, account_name(d, a->account))) f = NULL;
	/* A network many log in from is only accused for addresses that failed themselves. */
	bool sure = f && !(f->reason == BY_FEW && f->accounts.total == 1 && !tried_others(d, a));
	if (sure && (f->origin == a->origin[0] || success_accounts(d, origin_at(d, f->origin)) < 3 || waiting_since(d, a->origin[0], a->time - KEEP, 1))) return true;
	if (tried_since(d, o, a->time - 7 * DAY) >= GUESSED_ACCOUNTS + success_accounts(d, o) / 2) return true;
	if (waiting_since(d, a->origin[0], a->time - HOUR / 2, GUESSED_RUN) < GUESSED_RUN) return false;
	*ret_rank = 1;
	return true;
}

void origin_success(struct detectors *d, const struct attempt *a, bool was_habit, bool member)
{
	uint32_t rank = 2;
	struct origin *o = origin_at(d, a->origin[0]);
	if (was_habit || !(member || is_entry(d, a, &rank))) follow_up(d, a);
	else open_entry(d, a, rank);
	for (int k = 0; k < LEVELS_OF_NET && a->origin[k]; k++) {
		struct origin *x = origin_at(d, a->origin[k]);
		struct history *h = history_of(d, a->origin[k]);
		x->entered = true;
		tried_drop(d, x, a->account);
		if (h) level_leak(&h->burst, &h->burst_at, a->time, BURST_DRAIN);
		if (h) h->burst = h->burst > 5 ? h->burst - 5 : 0;
		if (habit_add(d, a->account, a->origin[k], a->time) && h) h->success_accounts++;
	}
	if (tried_since(d, o, a->time - KEEP) || !o->history) return;
	history_at(d, o)->streak_last = NEVER;
	history_at(d, o)->daily = 0;
}
