/* detect_attack.c: open findings of the detectors: what they cite, whom they name, and how they read when they are over. */
#include "correlate/detect_internal.h"
#include "event/value.h"
#include <math.h>

enum { RULE_GUESSING, RULE_SPRAY, RULE_STUFFING, RULE_SLOW, RULE_DISTRIBUTED, RULE_GUESSED, RULES };
static const struct str t1110_001[] = {STR("attack.credential-access"), STR("attack.t1110.001")};
static const struct str t1110_003[] = {STR("attack.credential-access"), STR("attack.t1110.003")};
static const struct str t1110_004[] = {STR("attack.credential-access"), STR("attack.t1110.004")};
static const struct str t1078[] = {STR("attack.credential-access"), STR("attack.t1110.001"), STR("attack.initial-access"), STR("attack.t1078")};
#define NATIVE(id_, title_, level_, tags_) {.id = STR(id_), .title = STR(title_), .file = STR("native"), .level = level_, .tags = tags_, .n_tags = COUNT(tags_), \
	.logsource = {.category = STR("authentication")}}
static const struct rule_info rules[RULES] = {
	[RULE_GUESSING] = NATIVE("0c0e8c0e-6f0b-4bb1-9a8e-5d6f2b6e1b01", "Password guessing", LEVEL_MEDIUM, t1110_001),
	[RULE_SPRAY] = NATIVE("0c0e8c0e-6f0b-4bb1-9a8e-5d6f2b6e1b02", "Password spraying", LEVEL_HIGH, t1110_003),
	[RULE_STUFFING] = NATIVE("0c0e8c0e-6f0b-4bb1-9a8e-5d6f2b6e1b03", "Credential stuffing", LEVEL_HIGH, t1110_004),
	[RULE_SLOW] = NATIVE("0c0e8c0e-6f0b-4bb1-9a8e-5d6f2b6e1b04", "Slow password guessing", LEVEL_MEDIUM, t1110_001),
	[RULE_DISTRIBUTED] = NATIVE("0c0e8c0e-6f0b-4bb1-9a8e-5d6f2b6e1b05", "Distributed password guessing", LEVEL_HIGH, t1110_001),
	[RULE_GUESSED] = NATIVE(DETECTOR_OF_ENTRIES, "Password guessed - login after failures", LEVEL_CRITICAL, t1078),
};

const struct rule_info *detector_rules(uint32_t *ret_n)
{
	*ret_n = RULES;
	return rules;
}

/* --- names ----------------------------------------------------------------------------------------------------------------------- */

bool detect_take_reserved(struct detectors *d, size_t n)
{
	d->budget.privileged = true;
	bool taken = budget_take(&d->budget, n);
	d->budget.privileged = false;
	if (taken) d->budget.held += n;
	return taken;
}

static void give_reserved(struct detectors *d, size_t n)
{
	budget_give(&d->budget, n);
	d->budget.held -= n;
}

static bool cell_add(const struct detectors *d, struct names *n, struct str name)
{
	uint64_t hash = sketch_hash(d->c, name), rest = hash / NAME_CELLS;
	uint8_t *cell = &n->cells[hash % NAME_CELLS], rank = rest ? (uint8_t)(__builtin_clzll(rest) - 8) : 56; /* nine bits chose the cell */
	if (rank <= *cell) return false;
	*cell = rank;
	return true;
}

/* A name there is no room for. Without room for cells either, only the first such one counts: "at least". */
static void estimate_name(struct detectors *d, struct names *n, struct str name)
{
	double sum = 0, m = NAME_CELLS;
	unsigned zeros = 0;
	if (n->total == n->map.n) n->total++;
	if (!n->cells || !cell_add(d, n, name)) return;
	for (unsigned i = 0; i < NAME_CELLS; i++) sum += ldexp(1, -n->cells[i]), zeros += !n->cells[i];
	double about = 0.7213 / (1 + 1.079 / m) * m * m / sum;
	if (about <= 2.5 * m && zeros) about = m * log(m / zeros);
	if (about > (double)n->total) n->total = (uint64_t)about;
}

enum { NAMES_FULL = UINT32_MAX, NAMED_NOWHERE = INT32_MAX };
/* Its place among the names, or NAMES_FULL: it is only counted. */
static uint32_t names_add(struct detectors *d, struct names *n, struct str name)
{
	bool fresh = false;
	uint32_t *have = map_get(&n->map, name);
	if (have) {
		(*have)++;
		return (uint32_t)((char *)have - (char *)&n->map.entries[0].value) / (uint32_t)sizeof *n->map.entries;
	}
	if (n->full) {
		estimate_name(d, n, name);
		return NAMES_FULL;
	}
	/* The map's own arithmetic is its business: a name is charged with what it and its places take at most. */
	size_t charge = name.n + 96;
	if (n->map.n == NAMES_MAX || d->named + charge > d->budget.limit / 4 || !detect_take_reserved(d, charge)) {
		n->full = true;
		n->cells = detect_take_reserved(d, NAME_CELLS) ? xcalloc(NAME_CELLS, 1) : NULL;
		for (uint32_t i = 0; n->cells && i < n->map.n; i++) cell_add(d, n, n->map.entries[i].key);
		estimate_name(d, n, name);
		return NAMES_FULL;
	}
	n->charged += charge;
	d->named += charge;
	map_put(&n->map, name, 1, &fresh);
	n->total = n->map.n;
	return n->map.n - 1;
}

static void names_done(struct detectors *d, struct names *n)
{
	give_reserved(d, n->charged + (n->cells ? NAME_CELLS : 0));
	free(n->cells);
	d->named -= n->charged;
	map_done(&n->map);
}

/* --- opening, adding ------------------------------------------------------------------------------------------------------------- */

/* What an open finding takes beside its names. Where there is no room, the one that is open for longest is handed out as it is. */
enum { ATTACK_BYTES = sizeof(struct attack) + 1024 };
static bool take_room(struct detectors *d)
{
	for (size_t i = 0; !detect_take_reserved(d, ATTACK_BYTES); i++) {
		while (i < d->live.n && !attack_at(d, d->live.v[i])) i++;
		if (i == d->live.n) return false;
		attack_close(d, d->live.v[i]);
		d->stats.early_closed++;
	}
	return true;
}

struct attack *attack_open(struct detectors *d, enum attack_kind kind, enum attack_reason reason, int64_t time, uint8_t digits, uint32_t *ret_number)
{
	uint32_t episode = take_room(d) ? episode_open_at(d->c, &d->corr, time, digits) : 0;
	*ret_number = 0;
	if (!episode) {
		d->stats.unopened++;
		return NULL;
	}
	struct attack *f = xcalloc(1, sizeof *f);
	*f = (struct attack){.kind = kind, .reason = reason, .episode = episode, .opened = time, .opened_digits = digits, .last = time, .burst_began = NEVER, .begun = time};
	vec_push(&d->attacks, f);
	*ret_number = f->number = (uint32_t)d->attacks.n;
	vec_push(&d->live, *ret_number);
	const struct corr_event *e = d->c->event;
	if (e && e->host.n) buf_str(&f->host, str_sub(e->host, 0, 255));
	return f;
}

/* Bursts of activity, an hour of silence between; how alike the times between their beginnings are tells a timer. */
static void note_burst(struct attack *f, int64_t time)
{
	bool goes_on = f->bursts && time - f->burst_last < HOUR;
	if (!f->bursts || time > f->burst_last) f->burst_last = time;
	if (goes_on) return;
	if (f->bursts++) {
		int64_t spacing = time - f->burst_began, apart = spacing > f->spacing ? spacing - f->spacing : f->spacing - spacing;
		f->regular += f->spacing && apart < spacing / 20;
		f->spacing = spacing;
	}
	f->burst_began = time;
}

static void name_origin(struct detectors *d, struct attack *f, uint32_t origin)
{
	struct origin *o = origin_at(d, origin);
	if (o->named_in == f->number) return;
	d->text.n = 0;
	origin_text(d, origin, &d->text);
	/* How often is of no interest here; and what the full list has is among the estimated, too. */
	if (f->origins.full) estimate_name(d, &f->origins, buf_view(&d->text));
	else names_add(d, &f->origins, buf_view(&d->text));
	o->named_in = f->number;
}

/* How often it was is asked by campaigns: they take who shares names. */
static void name_account(struct detectors *d, struct attack *f, uint32_t account)
{
	struct account *a = account_at(d, account);
	unsigned i = 0;
	if (!a->name_n) return;
	while (i < NAMED && a->named[i].in != f->number) i++;
	if (i == NAMED) {
		i = a->named_n++ % NAMED;
		a->named[i].at = names_add(d, &f->accounts, account_name(d, account)) & NAMED_NOWHERE;
		a->named[i].in = f->number;
		a->named[i].own = false;
	} else if (a->named[i].at != NAMED_NOWHERE) {
		f->accounts.map.entries[a->named[i].at].value++;
	}
	if (!a->successes || a->named[i].own) return;
	names_add(d, &f->own, account_name(d, account));
	a->named[i].own = true;
}

const uint32_t *attack_names(const struct detectors *d, const struct attack *f, uint32_t account)
{
	const struct account *a = account_at(d, account);
	for (unsigned i = 0; i < NAMED; i++)
		if (a->named[i].in == f->number && a->named[i].at != NAMED_NOWHERE) return &f->accounts.map.entries[a->named[i].at].value;
	return map_get(&f->accounts.map, account_name(d, account));
}

void attack_cite(struct detectors *d, struct attack *f, int64_t time, uint8_t digits, uint32_t record)
{
	episode_append(d->c, &d->corr, episode_at(d->c, f->episode), time, digits, record);
	if (time > f->last) f->last = time;
}

void attack_add(struct detectors *d, struct attack *f, int64_t time, uint8_t digits, uint32_t record, uint32_t origin, uint32_t account, uint32_t attempts)
{
	attack_cite(d, f, time, digits, record);
	note_burst(f, time);
	f->tries += attempts;
	name_origin(d, f, origin);
	name_account(d, f, account);
}

void attack_add_waiting(struct detectors *d, struct attack *f, struct waiting *w)
{
	attack_add(d, f, w->time, w->digits, w->record, w->origin, w->account, w->attempts);
	w->taken = true;
}

static void put_text(struct buf *b, struct str s)
{
	struct value v = value_str(s);
	value_json(&v, b);
}

static void put_time(struct buf *b, int64_t time, uint8_t digits)
{
	char text[ETIME_MAX];
	etime_print(corr_time(time, digits), digits, text);
	buf_printf(b, "\"%s\"", text);
}

enum { ENTERED_MAX = 1000 };
void attack_entered(struct detectors *d, struct attack *f, const struct attempt *a, bool sure)
{
	f->sure_entered |= sure;
	if (f->n_entered++ >= ENTERED_MAX) return;
	struct buf *b = &f->entered;
	buf_put(b, b->n ? ",{\"user\":" : "{\"user\":", b->n ? 9 : 8);
	put_text(b, account_name(d, a->account));
	buf_lit(b, ",\"source\":");
	d->text.n = 0;
	origin_text(d, a->origin[0], &d->text);
	put_text(b, buf_view(&d->text));
	buf_lit(b, ",\"time\":");
	put_time(b, a->time, a->digits);
	buf_printf(b, ",\"likely\":%s}", sure ? "true" : "false");
}

/* --- how it reads ---------------------------------------------------------------------------------------------------------------- */

static double hours_of(const struct episode *e) { return e->count ? (double)(e->last - e->first) / (double)HOUR : 0; }

static unsigned rule_of(const struct attack *f, const struct episode *e)
{
	uint64_t origins = f->origins.total, accounts = f->accounts.total ? f->accounts.total : 1;
	double each = (double)f->tries / (double)accounts;
	if (f->kind == ATTACK_ENTRY) return RULE_GUESSED;
	if (f->kind == ATTACK_CAMPAIGN) {
		if ((double)f->tries <= 1.5 * (double)origins && each <= 2) return RULE_STUFFING;
		return each <= 4 && accounts >= 10 ? RULE_SPRAY : RULE_DISTRIBUTED;
	}
	if (accounts >= SPRAY_DAY && each <= 6) return RULE_SPRAY;
	return f->reason == BY_STREAK || (hours_of(e) >= 48 && (double)f->tries / hours_of(e) <= 6) ? RULE_SLOW : RULE_GUESSING;
}

/* A scanner of the house: inside, on a timer, and after names that nobody has. */
static bool is_scanner(const struct detectors *d, const struct attack *f)
{
	return f->kind == ATTACK_ORIGIN && origin_at(d, f->origin)->inside && !f->own.total && f->bursts >= 3 && f->regular >= f->bursts - 2;
}

static void say_span(struct buf *b, double hours)
{
	if (hours >= 48) buf_printf(b, "%.0f days", hours / 24);
	else if (hours >= 2) buf_printf(b, "%.0f hours", hours);
	else buf_printf(b, "%.0f minutes", hours * 60 < 1 ? 1 : hours * 60);
}

static void say_counts(struct buf *b, const struct attack *f, const struct episode *e)
{
	buf_printf(b, "%llu tries from %s%llu address%s for %s%llu name%s", (unsigned long long)f->tries, f->origins.full ? "about " : "",
		(unsigned long long)f->origins.total, f->origins.total == 1 ? "" : "es", f->accounts.full ? "about " : "", (unsigned long long)f->accounts.total,
		f->accounts.total == 1 ? "" : "s");
	if (f->own.total) buf_printf(b, " (%llu of them in use here)", (unsigned long long)f->own.total);
	buf_lit(b, " within ");
	say_span(b, hours_of(e));
}

static void say_why(struct buf *b, const struct detectors *d, const struct attack *f)
{
	switch (f->reason) {
	case BY_BURST: buf_lit(b, "; more than 12 failures beyond one a minute, with no login between that would explain them"); break;
	case BY_ACCOUNTS: buf_lit(b, "; none of these names ever got in from there"); break;
	case BY_TRIES: buf_lit(b, "; more than 60 a day, and none of these names ever got in from there"); break;
	case BY_STREAK: buf_lit(b, "; it goes on for more than two days without a login. A device that keeps an old password looks the same: then the name is always one, and its owner knows"); break;
	case BY_CHANGE:
		buf_printf(b, "; %.1f new addresses an hour failed at ", f->seen);
		services_text(d, f->services, b);
		buf_printf(b, " without ever getting in, where %.1f are usual%s", f->expected, f->service == ANY ? " at all services together" : "");
		break;
	case BY_ACCOUNT: buf_printf(b, "; within a day a name was tried from %d addresses that never got in", f->own.total ? ACCOUNT_ORIGINS : NAME_ORIGINS); break;
	case BY_ENTRY: break;
	case BY_FEW: buf_printf(b, "; %d of them within ten minutes, and nobody ever got in from there", FEW); break;
	}
	if (f->kind == ATTACK_CAMPAIGN) buf_lit(b, ". Each address stays below any threshold; they were taken together because they began after the change and share service, time and names");
	if (f->n_entered) buf_printf(b, ". %u login%s from its addresses %s listed under entered", f->n_entered, f->n_entered == 1 ? "" : "s", f->n_entered == 1 ? "is" : "are");
	if (is_scanner(d, f)) buf_printf(b, ". Taken for a scanner of your own: from inside, %u times at equal intervals, for names that nobody has; list it with --known-sources, with the reason", f->bursts);
}

static void say_entry(struct buf *b, const struct attack *f)
{
	buf_printf(b, "%.*s logged in from %.*s", STR_FMT(buf_view(&f->account)), STR_FMT(buf_view(&f->place)));
	if (f->entry_rank == 2) buf_lit(b, ", an address of which passwords were being guessed, and from where this name had never logged in");
	else buf_lit(b, " right after a run of failures there for this name; it had never logged in from there. Its owner may have forgotten the password: ask");
	if (f->n_entered > 1) buf_printf(b, "; %u more logins of the name or the address followed within a day", f->n_entered - 1);
	session_say(f, b);
	buf_lit(b, ". Until the owner explains it, treat the account as taken: disable it, end its sessions, look at everything done with it since");
}

static void put_names(struct buf *b, const char *key, const struct names *n)
{
	buf_printf(b, ",\"%s\":[", key);
	for (uint32_t i = 0; i < n->map.n; i++) {
		if (i) buf_byte(b, ',');
		put_text(b, n->map.entries[i].key);
	}
	buf_printf(b, "],\"n_%s\":%llu", key, (unsigned long long)n->total);
}

static void put_services(const struct detectors *d, const struct attack *f, struct buf *b)
{
	bool any = false;
	buf_lit(b, ",\"services\":[");
	for (uint32_t i = 0; i < d->n_services; i++) {
		if (!(f->services >> i & 1)) continue;
		if (any) buf_byte(b, ',');
		put_text(b, (struct str){d->services[i].name, d->services[i].name_n});
		any = true;
	}
	buf_byte(b, ']');
}

static void put_extra(struct detectors *d, const struct attack *f, const struct episode *e, struct buf *b)
{
	static const char *const reasons[] = {"burst", "many names", "many tries", "slow streak", "change in the number of failing sources", "name tried from many addresses", "login after failures", "few failures"};
	struct buf say = {0};
	if (f->kind == ATTACK_ENTRY) {
		say_entry(&say, f);
	} else {
		say_counts(&say, f, e);
		say_why(&say, d, f);
	}
	buf_printf(b, "\"detector\":\"%s\",\"tries\":%llu", reasons[f->reason], (unsigned long long)f->tries);
	put_names(b, "sources", &f->origins);
	put_names(b, "targets", &f->accounts);
	if (f->service == ANY) put_services(d, f, b);
	if (f->n_entered) {
		buf_lit(b, ",\"entered\":[");
		buf_str(b, buf_view(&f->entered));
		buf_byte(b, ']');
	}
	if (f->origins.full || f->accounts.full) buf_lit(b, ",\"approximate\":true");
	session_put(f, b);
	if (e->uncited) buf_printf(b, ",\"uncited\":%llu", (unsigned long long)e->uncited);
	buf_lit(b, ",\"reason\":");
	put_text(b, buf_view(&say));
	buf_done(&say);
}

static void put_group(struct attack *f, struct named group[2], uint32_t *ret_n, struct buf *json)
{
	group[0] = (struct named){f->kind == ATTACK_CAMPAIGN ? STR("auth.service") : STR("auth.src_ip"), buf_view(&f->place)};
	group[1] = (struct named){STR("auth.user"), buf_view(&f->account)};
	*ret_n = f->kind == ATTACK_ENTRY ? 2 : 1;
	buf_byte(json, '{');
	for (uint32_t i = 0; i < *ret_n; i++) {
		if (i) buf_byte(json, ',');
		put_text(json, group[i].name);
		buf_byte(json, ':');
		put_text(json, group[i].value);
	}
	buf_byte(json, '}');
}

static enum level level_of(const struct detectors *d, const struct attack *f, unsigned rule)
{
	if (f->kind == ATTACK_ENTRY) return f->entry_rank == 2 ? LEVEL_CRITICAL : LEVEL_HIGH;
	if (is_scanner(d, f)) return LEVEL_LOW;
	/* Names that exist nowhere are tried all over the Internet. */
	if (f->kind == ATTACK_CAMPAIGN && f->reason == BY_ACCOUNT && !f->own.total) return LEVEL_MEDIUM;
	if (f->reason == BY_FEW && rule == RULE_GUESSING && (double)f->tries <= BURST) return LEVEL_LOW;
	return rule == RULE_GUESSING && f->accounts.total >= SPRAY_WEEK ? LEVEL_HIGH : rules[rule].level;
}

static void attack_put(struct detectors *d, struct attack *f, bool final)
{
	struct correlate *c = d->c;
	struct episode *e = episode_at(c, f->episode);
	struct named group[2];
	unsigned rule = rule_of(f, e);
	if (!e->count) return; /* memory left it nothing to rest on */
	struct finding x = {.kind = FINDING_CORRELATION, .level = level_of(d, f, rule), .rule = &rules[rule], .rule_index = DETECTOR_RULE + rule, .event_id = -1,
		.time = corr_time(f->opened, f->opened_digits), .first = corr_time(e->first, e->first_digits), .last = corr_time(e->last, e->last_digits),
		.count = e->count, .host = buf_view(&f->host), .group = group};
	struct buf fields = {0}, extra = {0};
	if (f->kind == ATTACK_CAMPAIGN) {
		f->place.n = 0;
		services_text(d, f->services, &f->place);
	}
	put_group(f, group, &x.n_group, &fields);
	put_extra(d, f, e, &extra);
	x.fields_json = buf_view(&fields);
	x.extra_json = buf_view(&extra);
	episode_evidence(c, &d->corr, e, &x);
	c->stats.findings += final;
	if (x.n_evidence && c->options.put) c->options.put(c->options.arg, &x, final);
	buf_done(&fields);
	buf_done(&extra);
}

void attack_announce(struct detectors *d, struct attack *f)
{
	if (d->c->options.announce) attack_put(d, f, false);
}

void attack_close(struct detectors *d, uint32_t number)
{
	if (!attack_at(d, number)) return;
	attack_put(d, attack_at(d, number), true);
	attack_drop(d, number);
}

void attack_drop(struct detectors *d, uint32_t number)
{
	struct attack *f = attack_at(d, number);
	if (!f) return;
	if (f->kind == ATTACK_ORIGIN) {
		struct origin *o = origin_at(d, f->origin);
		o->open = 0;
		o->refs--;
	}
	if (f->kind == ATTACK_CAMPAIGN && d->services[f->service].crowd == number) d->services[f->service].crowd = 0;
	episode_unref(d->c, f->episode);
	session_free(d, f);
	names_done(d, &f->origins);
	names_done(d, &f->accounts);
	names_done(d, &f->own);
	buf_done(&f->entered);
	buf_done(&f->host);
	buf_done(&f->place);
	buf_done(&f->account);
	give_reserved(d, ATTACK_BYTES);
	free(f);
	d->attacks.v[number - 1] = NULL;
}
