/* detect.c: the native detectors: attempts taken from hits, put aside, judged; the passing of time. See detect_internal.h. */
#include "correlate/detect_internal.h"

enum { LEAST_QUEUE = 256, MOST_QUEUE = 1 << 16, LEAST_SIGNS = 64, MOST_SIGNS = 1 << 13, SWEEP = 2 };
enum { KEEP_OUTCOME, KEEP_SRC_IP, KEEP_USER, KEEP_SERVICE, KEEP_ATTEMPTS, KEPT_AUTH, KEPT = KEPT_AUTH + 3 };
static const char *const fields[KEPT] = {"auth.outcome", "auth.src_ip", "auth.user", "auth.service", "auth.attempts", "pid", "ses", "TargetLogonId"}; /* the last: of sessions */

const char *detect_field(unsigned i) { return i < KEPT ? fields[i] : NULL; }

struct detectors *detectors_new(struct correlate *c, uint32_t rule, const uint32_t *keep, const struct known_sources *known)
{
	_Static_assert(sizeof(struct origin) == 64 && sizeof(struct account) == 64, "a cache line each");
	struct detectors *d = xcalloc(1, sizeof *d);
	d->c = c;
	d->rule = rule;
	for (uint64_t i = 0; i < COUNT(d->key); i++) d->key[i] = hash_bytes(&i, sizeof i);
	d->known = known;
	memcpy(d->keep, keep, sizeof d->keep);
	d->corr.over_findings = true; /* what is cited is sorted by arrival: findings take up what came before them */
	d->budget.limit = c->options.state_memory / 4;
	d->budget.reserve = d->budget.limit / 4; /* for what is open: findings and their names */
	d->origin_table.budget = d->account_table.budget = d->habit_table.budget = &d->budget;
	d->now = d->swept = d->siege_at = NEVER;
	d->services[ANY] = (struct service){.hour = NEVER, .sum_at = NEVER};
	if (known)
		for (uint32_t i = 0; i < known_count(known); i++) vec_push(&d->listed_counts, 0);
	arena_init(&d->note_texts, 1 << 20);
	d->head = d->judged = d->tail = 1;
	d->queue_size = LEAST_QUEUE;
	while (d->queue_size < MOST_QUEUE && 2 * d->queue_size * sizeof *d->queue <= d->budget.limit / 8) d->queue_size *= 2;
	d->n_signs = LEAST_SIGNS;
	while (d->n_signs < MOST_SIGNS && 2 * d->n_signs * sizeof *d->habit_signs <= d->budget.limit / 512) d->n_signs *= 2;
	(void)budget_take(&d->budget, d->queue_size * sizeof *d->queue + 2 * d->n_signs * sizeof *d->habit_signs);
	d->queue = xcalloc(d->queue_size, sizeof *d->queue);
	d->habit_signs = xcalloc(2 * (size_t)d->n_signs, sizeof *d->habit_signs);
	if (slab_init(&d->origins, &d->budget, sizeof(struct origin)) && slab_init(&d->histories, &d->budget, sizeof(struct history)) &&
		slab_init(&d->accounts, &d->budget, sizeof(struct account)) &&
		slab_init(&d->habits, &d->budget, sizeof(struct habit)) && pool_init(&d->pool, &d->budget)) return d;
	detectors_free(d);
	return NULL;
}

void detectors_free(struct detectors *d)
{
	if (!d) return;
	for (size_t i = 0; i < d->attacks.n; i++) attack_drop(d, (uint32_t)i + 1);
	slab_done(&d->origins);
	slab_done(&d->histories);
	slab_done(&d->accounts);
	slab_done(&d->habits);
	pool_done(&d->pool);
	table_done(&d->origin_table);
	table_done(&d->account_table);
	table_done(&d->habit_table);
	arena_done(&d->note_texts);
	buf_done(&d->text);
	vec_free(&d->attacks);
	vec_free(&d->live);
	vec_free(&d->entries);
	vec_free(&d->entry_prints);
	vec_free(&d->scratch);
	vec_free(&d->notes);
	vec_free(&d->listed_counts);
	free(d->queue);
	free(d->habit_signs);
	free(d);
}

void detect_note(struct detectors *d, struct str text)
{
	struct str kept = arena_str(&d->note_texts, text);
	if (kept.p) vec_push(&d->notes, kept);
}

/* --- the queue ------------------------------------------------------------------------------------------------------------------- */

static void judge(struct detectors *d, uint32_t sequence)
{
	struct waiting *w = waiting_at(d, sequence);
	uint32_t origin[LEVELS_OF_NET];
	if (w->taken || waiting_forgiven(d, w)) return;
	origins_above(d, w->origin, origin);
	if (!address_judge(d, w, origin) && !site_judge(d, w) && !few_judge(d, w, origin)) network_judge(d, w, origin);
}

bool queue_drop(struct detectors *d)
{
	struct waiting *w = waiting_at(d, d->tail);
	if (d->tail == d->head) return false;
	if (d->judged == d->tail) {
		d->stats.unjudged++;
		d->judged++;
	}
	record_drop(d->c, w->record);
	origin_at(d, w->origin)->refs--;
	account_at(d, w->account)->refs--;
	d->tail++;
	return true;
}

static void drop_oldest(struct detectors *d)
{
	if (d->judged == d->tail) {
		d->stats.early++;
		judge(d, d->judged++);
	}
	queue_drop(d);
}

static void fetch_history(const struct detectors *d, const struct origin *o)
{
	const char *h = (const char *)history_at(d, o);
	__builtin_prefetch(h, 1);
	__builtin_prefetch(h + 64, 1);
}

/* What judging will touch some steps from now: first what is looked for, then what that points to. */
static void fetch_judged(const struct detectors *d, uint32_t sequence)
{
	enum { FAR = 16, NEAR = 8, NEXT = 3 };
	if (d->head - sequence <= FAR) return;
	const struct waiting *w = waiting_at(d, sequence + FAR);
	__builtin_prefetch(origin_at(d, w->origin), 1);
	__builtin_prefetch(account_at(d, w->account), 1);
	const struct origin *o = origin_at(d, waiting_at(d, sequence + NEAR)->origin);
	if (o->history) fetch_history(d, o);
	if (o->parent) __builtin_prefetch(origin_at(d, o->parent), 1);
	o = origin_at(d, waiting_at(d, sequence + NEXT)->origin);
	if (o->history && history_at(d, o)->tried) __builtin_prefetch(pool_at(&d->pool, history_at(d, o)->tried), 1);
	if (o->parent && origin_at(d, o->parent)->history) fetch_history(d, origin_at(d, o->parent));
}

static void judge_due(struct detectors *d, int64_t now)
{
	while (d->judged != d->head && now - waiting_at(d, d->judged)->time >= LAG) {
		fetch_judged(d, d->judged);
		judge(d, d->judged++);
	}
	while (d->tail != d->judged && now - waiting_at(d, d->tail)->time > KEEP) drop_oldest(d);
}

static void enqueue(struct detectors *d, const struct attempt *a, bool taken, bool forgiven)
{
	if (d->head - d->tail == d->queue_size) {
		enum { FAR = 8 };
		const struct waiting *later = waiting_at(d, d->tail + FAR);
		__builtin_prefetch(origin_at(d, later->origin), 1);
		__builtin_prefetch(account_at(d, later->account), 1);
		drop_oldest(d);
	}
	uint32_t sequence = d->head++;
	struct waiting *w = waiting_at(d, sequence);
	*w = (struct waiting){.time = a->time, .origin = a->origin[0], .account = a->account, .record = a->record, .attempts = a->attempts, .service = a->service,
		.digits = a->digits, .taken = taken || forgiven, .forgiven = forgiven};
	record_hold(d->c, w->record);
	origin_at(d, w->origin)->refs++;
	account_at(d, w->account)->refs++;
	uint32_t last = origin_at(d, a->origin[0])->newest;
	const struct waiting *l = waiting_at(d, last);
	bool passed = waiting_is_kept(d, last) && l->forgiven && l->steps < UINT16_MAX;
	w->other = passed ? l->other : last;
	w->steps = passed ? l->steps + 1 : 1;
	for (int k = 0; k < LEVELS_OF_NET && a->origin[k]; k++) {
		w->before[k] = origin_at(d, a->origin[k])->newest;
		origin_at(d, a->origin[k])->newest = sequence;
	}
}

/* --- attempts -------------------------------------------------------------------------------------------------------------------- */

static void take_failure(struct detectors *d, const struct attempt *a)
{
	enum { CITED_LATER = 64 };
	bool forgiven = is_forgiven(d, a->account, a->origin[0]);
	bool taken = origin_failure(d, a, forgiven);
	/* What a finding has already is kept for one about a login only, and not without end. */
	const struct origin *o = origin_at(d, a->origin[0]);
	uint32_t queued = o->refs - 1 - (o->open != 0); /* what else holds it: this attempt, and its finding */
	if (taken && queued >= CITED_LATER) return;
	enqueue(d, a, taken, forgiven);
	if (!taken) origin_burst(d, a);
}

static void take_success(struct detectors *d, const struct attempt *a)
{
	bool habit = is_forgiven(d, a->account, a->origin[0]);
	bool member = site_success(d, a, habit);
	origin_success(d, a, habit, member);
	struct account *x = account_at(d, a->account);
	x->successes++;
	x->last_success = a->time;
}

/* Findings whose origins are silent are over; so are campaigns that nobody joins. Once an hour. */
static void close_quiet(struct detectors *d, bool all)
{
	size_t n = 0;
	for (size_t i = 0; i < d->live.n; i++) {
		uint32_t number = d->live.v[i];
		const struct attack *f = attack_at(d, number);
		if (!f) continue;
		int64_t quiet = f->kind == ATTACK_CAMPAIGN ? 3 * DAY : QUIET, silent = d->now - f->last;
		bool over = all || silent > quiet || (f->kind == ATTACK_ENTRY && d->now - f->opened > FOLLOW_UP);
		if (over) attack_close(d, number);
		else d->live.v[n++] = number;
	}
	d->live.n = n;
	for (size_t i = n = 0; i < d->entries.n; i++)
		if (attack_at(d, d->entries.v[i])) {
			d->entries.v[n] = d->entries.v[i];
			d->entry_prints.v[n++] = d->entry_prints.v[i];
		}
	d->entries.n = d->entry_prints.n = n;
}

void detectors_advance(struct detectors *d, int64_t now)
{
	if (d->now == NEVER) d->swept = d->begun = now;
	d->now = now;
	judge_due(d, now);
	if (now - d->swept < HOUR) return;
	d->swept = now;
	site_advance(d, now - LAG);
	close_quiet(d, false);
}

/* The user's list: counted, with its reason, and nothing else. */
static bool is_listed(struct detectors *d, uint32_t address, bool failed)
{
	const struct origin *o = origin_at(d, address);
	if (!o->listed) return false;
	d->stats.listed++;
	d->listed_counts.v[known_of(d->known, o->address) - 1] += failed;
	return true;
}

static struct str value_of(const struct detectors *d, const struct corr_event *e, unsigned field)
{
	return d->keep[field] < e->n_values && e->values[d->keep[field]].p ? e->values[d->keep[field]] : (struct str){"", 0};
}

static void fetch_slot(const struct table *t, uint32_t hash)
{
	if (t->slots) __builtin_prefetch(&t->slots[hash & t->mask]);
}

void detectors_ahead(struct detectors *d, const struct corr_event *e, struct detect_ahead *a)
{
	a->made = place_of(d, value_of(d, e, KEEP_SRC_IP), &a->place);
	if (!a->made) return;
	for (unsigned k = 0; k < a->place.n; k++) fetch_slot(&d->origin_table, (uint32_t)a->place.print[k]);
	a->account_hash = account_hash(value_of(d, e, KEEP_USER));
	fetch_slot(&d->account_table, a->account_hash);
	for (unsigned k = 0; k < COUNT(a->habit); k++) {
		a->habit[k] = habit_ahead(d, a->account_hash, a->place.print[k]);
		if (a->habit[k]) fetch_slot(&d->habit_table, (uint32_t)a->habit[k]);
	}
}

static uint32_t first_of(const struct table *t, uint32_t hash)
{
	uint32_t at = hash & t->mask;
	return t->slots ? table_next(t, hash, &at) : 0;
}

void detectors_fetch(const struct detectors *d, struct detect_ahead *a)
{
	if (!a->made) return;
	for (unsigned k = 0; k < a->place.n; k++) {
		a->origin[k] = first_of(&d->origin_table, (uint32_t)a->place.print[k]);
		__builtin_prefetch(origin_at(d, a->origin[k]), 1);
	}
	a->account = first_of(&d->account_table, a->account_hash);
	__builtin_prefetch(account_at(d, a->account), 1);
	for (unsigned k = 0; k < COUNT(a->habit); k++)
		if (a->habit[k]) __builtin_prefetch(slab_at(&d->habits, first_of(&d->habit_table, (uint32_t)a->habit[k])));
}

void detectors_fetch_more(const struct detectors *d, const struct detect_ahead *a)
{
	if (!a->made) return;
	for (unsigned k = 0; k < a->place.n; k++)
		if (origin_at(d, a->origin[k])->history) fetch_history(d, origin_at(d, a->origin[k]));
	if (origin_at(d, a->origin[0])->refs) __builtin_prefetch(waiting_at(d, origin_at(d, a->origin[0])->newest));
	if (a->account) __builtin_prefetch(pool_at(&d->pool, account_at(d, a->account)->name));
}

void detectors_take(struct detectors *d, const struct corr_event *e, int64_t time, const struct detect_ahead *ahead)
{
	struct attempt a = {.time = time, .digits = e->time.digits, .attempts = 1};
	uint64_t attempts;
	struct str outcome = value_of(d, e, KEEP_OUTCOME);
	bool failed = str_eq(outcome, STR("failure"));
	detectors_advance(d, time);
	detect_sweep(d, SWEEP);
	if (!failed && !str_eq(outcome, STR("success"))) return;
	d->stats.attempts++;
	if (str_u64(value_of(d, e, KEEP_ATTEMPTS), &attempts) && attempts) a.attempts = attempts < 1000000 ? (uint32_t)attempts : 1000000;
	struct detect_ahead now = {0};
	struct str user = value_of(d, e, KEEP_USER);
	if (!ahead && (now.made = place_of(d, value_of(d, e, KEEP_SRC_IP), &now.place))) now.account_hash = account_hash(user);
	if (!ahead) ahead = &now;
	if (!ahead->made || !origins_of(d, &ahead->place, ahead->origin, time, a.origin)) {
		d->stats.nowhere++;
		return;
	}
	if (is_listed(d, a.origin[0], failed)) return;
	/* Held while it is being worked on: making room must not take it. */
	origin_at(d, a.origin[0])->refs++;
	a.account = account_of(d, user, ahead->account_hash, ahead->account, time);
	if (a.account) {
		account_at(d, a.account)->refs++;
		a.record = record_current(d->c);
		a.service = (uint16_t)service_of(d, value_of(d, e, KEEP_SERVICE));
		if (failed) take_failure(d, &a);
		else take_success(d, &a);
		account_at(d, a.account)->refs--;
	}
	origin_at(d, a.origin[0])->refs--;
}

void detectors_deed(struct detectors *d, const struct corr_event *e, int64_t time)
{
	detectors_advance(d, time);
	if (d->entries.n) session_deed(d, e, time);
}

struct gateway { uint64_t failures; const struct origin *origin; };
static int by_failures(const void *a, const void *b)
{
	const struct gateway *x = a, *y = b;
	if (x->failures != y->failures) return x->failures > y->failures ? -1 : 1;
	return memcmp(x->origin->address, y->origin->address, 16);
}

/* Addresses that many people log in from: why their failures are nobody's. */
static void note_gateways(struct detectors *d)
{
	enum { PEOPLE = 10, FAILURES = 50, SHOWN = 20 };
	VEC(struct gateway) v = {0};
	for (uint32_t i = 1; i < d->origins.n; i++) {
		const struct origin *o = origin_at(d, i);
		if (o->live && o->bits == 128 && o->history && history_at(d, o)->success_accounts >= PEOPLE && history_at(d, o)->failures >= FAILURES)
			vec_push(&v, (struct gateway){history_at(d, o)->failures, o});
	}
	if (v.n) qsort(v.v, v.n, sizeof *v.v, by_failures);
	for (size_t i = 0; i < v.n && i < SHOWN; i++) {
		d->text.n = 0;
		origin_text(d, slab_index(&d->origins, v.v[i].origin), &d->text);
		buf_printf(&d->text, " was taken for a gateway: %u names logged in from it, so that most of its %llu failures are theirs", success_accounts(d, v.v[i].origin),
			(unsigned long long)v.v[i].failures);
		detect_note(d, buf_view(&d->text));
	}
	vec_free(&v);
}

void detectors_finish(struct detectors *d)
{
	if (d->now == NEVER) return;
	while (d->judged != d->head) judge(d, d->judged++);
	close_quiet(d, true);
	note_gateways(d);
	while (d->tail != d->head) drop_oldest(d);
	for (uint32_t i = 0; i < d->listed_counts.n; i++) {
		struct str net, reason;
		if (!d->listed_counts.v[i]) continue;
		known_text(d->known, i + 1, &net, &reason);
		d->text.n = 0;
		buf_printf(&d->text, "%llu failed logins of %.*s were left out: listed as \"%.*s\"", (unsigned long long)d->listed_counts.v[i], STR_FMT(net), STR_FMT(reason));
		detect_note(d, buf_view(&d->text));
	}
}
