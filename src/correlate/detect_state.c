/* detect_state.c: origins, accounts, habits, services: tables of the detectors, within their budget. */
#include "correlate/detect_internal.h"
#include <math.h>
#include <arpa/inet.h>

enum { SAMPLE = 32, MOST_LOOKED = 256, OLD_DAYS = 60, STRANGER_DAYS = 16 };

/* --- room ------------------------------------------------------------------------------------------------------------------------ */

/* Two words folded into one by a product; with a secret in them nobody can aim at a place. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t print_of(const struct detectors *d, const uint8_t address[16], uint8_t bits)
{
	uint64_t half[2];
	memcpy(half, address, sizeof half);
	return fold(fold(half[0] ^ d->key[0], half[1] ^ d->key[1]) ^ bits, d->key[1] ^ 0x9e3779b97f4a7c15);
}

static void history_free(struct detectors *d, struct origin *o)
{
	struct history *h = history_at(d, o);
	if (h->tried) pool_give(&d->pool, h->tried, h->tried_room * sizeof(struct tried));
	slab_give(&d->histories, o->history);
	o->history = 0;
}

static void origin_free(struct detectors *d, uint32_t i)
{
	struct origin *o = origin_at(d, i);
	table_remove(&d->origin_table, o->print, i);
	if (o->parent) origin_at(d, o->parent)->refs--;
	if (o->history) history_free(d, o);
	o->live = false;
	slab_give(&d->origins, i);
}

static void account_free(struct detectors *d, uint32_t i)
{
	struct account *a = account_at(d, i);
	table_remove(&d->account_table, a->hash, i);
	if (a->name) pool_give(&d->pool, a->name, a->name_n);
	if (a->from) pool_give(&d->pool, a->from, RECENT * sizeof(struct account_origin));
	a->live = false;
	slab_give(&d->accounts, i);
}

static void habit_free(struct detectors *d, uint32_t i)
{
	struct habit *h = slab_at(&d->habits, i);
	table_remove(&d->habit_table, (uint32_t)h->print, i);
	h->live = false;
	d->habits_lost = true;
	slab_give(&d->habits, i);
}

/* Who comes once, and names that are tried, must not take the room of those who come again, nor these that of habits: what is left of the budget below so
 * much is for others. */
static uint32_t take_but(struct detectors *d, struct slab *s, size_t left)
{
	return s->free || d->budget.used + left <= d->budget.limit - budget_spared(&d->budget) ? slab_take(s) : 0;
}

static uint32_t origin_take(struct detectors *d) { return take_but(d, &d->origins, d->budget.limit / 12); }
static uint32_t account_take(struct detectors *d) { return take_but(d, &d->accounts, d->budget.limit / 12); }
static uint32_t history_take(struct detectors *d) { return take_but(d, &d->histories, d->budget.limit / 32); }

static bool is_idle(const struct origin *o) { return o->live && !o->refs && !o->open; }

static int64_t days_ago(const struct detectors *d, int n) { return d->now - n * DAY; }

static uint32_t step(uint32_t *hand, uint32_t n)
{
	if (++*hand >= n) *hand = 1;
	return *hand;
}

/* What nobody has heard of for long goes. Those who have got in before are remembered longer. */
void detect_sweep(struct detectors *d, uint32_t n)
{
	if (d->begun >= days_ago(d, STRANGER_DAYS)) return; /* the logs are not that long yet */
	for (uint32_t k = 0; k < n && d->origins.n > 1; k++) {
		uint32_t i = step(&d->hand_origin, d->origins.n);
		const struct origin *o = origin_at(d, i);
		if (is_idle(o) && o->last < days_ago(d, o->entered ? OLD_DAYS : STRANGER_DAYS)) origin_free(d, i);
	}
	for (uint32_t k = 0; k < n && d->accounts.n > 1; k++) {
		uint32_t i = step(&d->hand_account, d->accounts.n);
		const struct account *a = account_at(d, i);
		if (a->live && !a->refs && a->last < days_ago(d, a->successes ? OLD_DAYS : STRANGER_DAYS)) account_free(d, i);
	}
	for (uint32_t k = 0; k < n && d->habits.n > 1; k++) {
		uint32_t i = step(&d->hand_habit, d->habits.n);
		const struct habit *h = slab_at(&d->habits, i);
		if (h->live && h->last < days_ago(d, OLD_DAYS)) habit_free(d, i);
	}
}

/* Strangers go before those who have got in, then the longest silent. */
static bool goes_before(const struct origin *a, const struct origin *b) { return a->entered != b->entered ? !a->entered : a->last < b->last; }

/* The VICTIMS of a sample that go first, the first of them last. */
static void choose_victims(struct detectors *d, struct victims *v, bool with_history)
{
	uint32_t seen = 0;
	v->n = 0;
	for (uint32_t k = 0; k < MOST_LOOKED && k < d->origins.n && d->origins.n > 1 && seen < SAMPLE; k++) {
		uint32_t i = step(&d->hand_origin, d->origins.n);
		const struct origin *o = origin_at(d, i);
		__builtin_prefetch(o + 8);
		if (!is_idle(o) || (with_history && !o->history)) continue;
		seen++;
		uint32_t at = 0;
		while (at < v->n && goes_before(o, origin_at(d, v->origin[at]))) at++;
		if (v->n == VICTIMS && !at) continue;
		if (v->n == VICTIMS) memmove(v->origin, v->origin + 1, --at * sizeof *v->origin);
		else memmove(v->origin + at + 1, v->origin + at, (v->n++ - at) * sizeof *v->origin);
		v->origin[at] = i;
	}
	v->since = d->now;
}

static bool evict_origin(struct detectors *d, bool with_history)
{
	struct victims *v = &d->victims[with_history];
	for (unsigned tries = 0; tries < 2; tries++) {
		while (v->n) {
			uint32_t i = v->origin[--v->n];
			const struct origin *o = origin_at(d, i);
			/* It may be another one by now, or have been heard of. */
			if (!is_idle(o) || (with_history && !o->history) || o->last > v->since) continue;
			origin_free(d, i);
			d->stats.evicted++;
			return true;
		}
		if (!tries) choose_victims(d, v, with_history);
	}
	return false;
}

static bool evict_account(struct detectors *d)
{
	uint32_t worst = 0;
	for (uint32_t k = 0; k < SAMPLE && d->accounts.n > 1; k++) {
		uint32_t i = step(&d->hand_account, d->accounts.n);
		const struct account *a = account_at(d, i), *w = account_at(d, worst);
		if (!a->live || a->refs) continue;
		if (!worst || (!a->successes && w->successes) || (!a->successes == !w->successes && a->last < w->last)) worst = i;
	}
	if (worst) account_free(d, worst);
	d->stats.evicted += worst != 0;
	return worst != 0;
}

static bool evict_habit(struct detectors *d)
{
	uint32_t worst = 0;
	for (uint32_t k = 0; k < SAMPLE && d->habits.n > 1; k++) {
		uint32_t i = step(&d->hand_habit, d->habits.n);
		const struct habit *h = slab_at(&d->habits, i);
		if (h->live && (!worst || h->last < ((const struct habit *)slab_at(&d->habits, worst))->last)) worst = i;
	}
	if (worst) habit_free(d, worst);
	d->stats.evicted += worst != 0;
	return worst != 0;
}

static bool evict(struct detectors *d, enum room what)
{
	switch (what) {
	case ROOM_ORIGIN: return evict_origin(d, false);
	case ROOM_HISTORY: return evict_origin(d, true);
	case ROOM_ACCOUNT: return evict_account(d);
	case ROOM_HABIT: return evict_habit(d);
	case ROOM_POOL: break;
	}
	/* Names of accounts, and what origins tried. */
	bool origin = evict_origin(d, true);
	return evict_account(d) || origin;
}

bool detect_make_room(struct detectors *d, enum room what)
{
	bool any = evict(d, what);
	/* What waits holds on to its address and name. */
	for (unsigned n = 0; !any && what != ROOM_HABIT && n < SAMPLE && queue_drop(d); n++) any = evict(d, what);
	return any;
}

uint32_t detect_pool_take(struct detectors *d, size_t bytes)
{
	uint32_t i = pool_take(&d->pool, bytes);
	return i || !detect_make_room(d, ROOM_POOL) ? i : pool_take(&d->pool, bytes);
}

/* --- addresses ------------------------------------------------------------------------------------------------------------------- */

static bool parse(struct str text, uint8_t ret[16])
{
	char copy[64];
	memset(ret, 0, 10);
	ret[10] = ret[11] = 0xff;
	if (str_ipv4(text, ret + 12)) return true;
	if (!text.n || text.n >= sizeof copy) return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = 0;
	return inet_pton(AF_INET, copy, ret + 12) == 1 || inet_pton(AF_INET6, copy, ret) == 1;
}

static bool is_four(const uint8_t a[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return !memcmp(a, mapped, 12);
}

/* Addresses of the house: RFC 1918, 6598 (shared, so not of the house), 4193, link-local. */
static bool is_inside(const uint8_t a[16])
{
	if (!is_four(a)) return (a[0] & 0xfe) == 0xfc || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80);
	const uint8_t *v = a + 12;
	return v[0] == 10 || (v[0] == 172 && (v[1] & 0xf0) == 16) || (v[0] == 192 && v[1] == 168) || (v[0] == 169 && v[1] == 254);
}

static void mask(uint8_t a[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++)
		if (bits < (i + 1) * 8) a[i] &= bits <= i * 8 ? 0 : (uint8_t)(0xff << (8 - (bits - i * 8)));
}

static uint64_t *sign_of(const struct detectors *d, uint64_t print, bool of_origin, uint64_t *ret_bit)
{
	*ret_bit = (uint64_t)1 << (print >> 32 & 63);
	return &d->habit_signs[(of_origin ? d->n_signs : 0) + (print >> 38 & (d->n_signs - 1))];
}

static bool is_signed(const struct detectors *d, uint64_t print, bool of_origin)
{
	uint64_t bit;
	return *sign_of(d, print, of_origin, &bit) & bit;
}

static void sign(struct detectors *d, uint64_t print, bool of_origin)
{
	uint64_t bit, *word = sign_of(d, print, of_origin, &bit);
	*word |= bit;
}

static bool is_origin(const struct origin *o, const uint8_t address[16], uint8_t bits) { return o->bits == bits && !memcmp(o->address, address, 16); }

static uint32_t origin_make(struct detectors *d, const uint8_t address[16], uint8_t bits, uint32_t print, uint32_t parent, int64_t time)
{
	if (parent) origin_at(d, parent)->refs++; /* not to be evicted for its own child */
	uint32_t i = origin_take(d);
	if (!i && detect_make_room(d, ROOM_ORIGIN)) i = origin_take(d);
	bool placed = i && (table_add(&d->origin_table, print, i) || (detect_make_room(d, ROOM_ORIGIN) && table_add(&d->origin_table, print, i)));
	if (!placed) {
		if (i) origin_at(d, i)->live = false, slab_give(&d->origins, i);
		if (parent) origin_at(d, parent)->refs--;
		return 0;
	}
	struct origin *o = origin_at(d, i);
	*o = (struct origin){.bits = bits, .print = print, .live = true, .parent = parent, .last = time, .inside = is_inside(address)};
	memcpy(o->address, address, 16);
	o->habits = is_signed(d, print_of(d, address, bits), true);
	o->child_bit = bits == 128 ? sketch_hash(d->c, (struct str){(const char *)address, 16}) & 63 : 0;
	o->listed = bits == 128 && d->known && known_of(d->known, address);
	return i;
}

/* What its one failure, judged or not, would have left there. */
static void history_begin(struct detectors *d, struct origin *o, struct history *h)
{
	h->failures = 1;
	h->burst = 1;
	if (o->bits == 128) h->gap = h->last_failure = o->last;
	else h->children = 1ull << o->child_bit;
	o->once = false;
	if (!o->judged) return;
	h->streak = 1;
	h->streak_from = h->streak_last = o->last;
	h->daily = 1;
	if (!(h->tried = detect_pool_take(d, TRIED_FEW * sizeof(struct tried)))) return;
	h->tried_room = TRIED_FEW;
	struct tried *t = pool_at(&d->pool, h->tried);
	memset(t, 0, TRIED_FEW * sizeof *t);
	*t = (struct tried){o->last, o->tried_once, 1};
}

struct history *history_of(struct detectors *d, uint32_t origin)
{
	struct origin *o = origin_at(d, origin);
	if (o->history) return history_at(d, o);
	o->refs++; /* not to be evicted for its own history */
	uint32_t i = history_take(d);
	if (!i && detect_make_room(d, ROOM_HISTORY)) i = history_take(d);
	struct history *h = i ? slab_at(&d->histories, i) : NULL;
	if (h) {
		*h = (struct history){.first = o->last, .burst_at = o->last, .daily_at = o->last, .streak_last = NEVER};
		if (o->bits < 128) h->children_from = o->last;
		o->history = i;
		if (o->once) history_begin(d, o, h);
	}
	o->refs--;
	return h;
}

/* One that is met again gets its history, while it still says when it was met first. */
static uint32_t origin_find(struct detectors *d, const uint8_t address[16], uint8_t bits, uint32_t print, uint32_t hint, uint32_t parent, int64_t time)
{
	uint32_t found = hint && origin_at(d, hint)->live && is_origin(origin_at(d, hint), address, bits) ? hint : 0;
	if (!found) {
		for (TABLE_EACH(&d->origin_table, print, i))
			if (is_origin(origin_at(d, i), address, bits)) {
				found = i;
				break;
			}
		if (!found) return origin_make(d, address, bits, print, parent, time);
	}
	if (!origin_at(d, found)->history) (void)history_of(d, found);
	origin_at(d, found)->last = time;
	return found;
}

bool place_of(const struct detectors *d, struct str address, struct place *p)
{
	static const uint8_t four[] = {128, 120}, six[] = {128, 64, 48};
	if (!parse(address, p->address[0])) return false;
	bool is_old = is_four(p->address[0]);
	p->n = is_old ? COUNT(four) : COUNT(six);
	memcpy(p->bits, is_old ? four : six, p->n);
	for (unsigned k = 0; k < p->n; k++) {
		if (k) memcpy(p->address[k], p->address[0], 16);
		if (k) mask(p->address[k], p->bits[k]);
		p->print[k] = print_of(d, p->address[k], p->bits[k]);
	}
	return true;
}

bool origins_of(struct detectors *d, const struct place *p, const uint32_t hint[LEVELS_OF_NET], int64_t time, uint32_t ret[LEVELS_OF_NET])
{
	uint32_t parent = 0;
	memset(ret, 0, LEVELS_OF_NET * sizeof *ret);
	for (unsigned k = p->n; k-- > 0;) {
		ret[k] = parent = origin_find(d, p->address[k], p->bits[k], (uint32_t)p->print[k], hint[k], parent, time);
		if (!parent) return false;
	}
	return true;
}

static void put_ipv4(const uint8_t *a, struct buf *out)
{
	for (int i = 0; i < 4; i++) {
		if (i) buf_byte(out, '.');
		if (a[i] >= 100) buf_byte(out, (char)('0' + a[i] / 100));
		if (a[i] >= 10) buf_byte(out, (char)('0' + a[i] / 10 % 10));
		buf_byte(out, (char)('0' + a[i] % 10));
	}
}

void origin_text(const struct detectors *d, uint32_t origin, struct buf *out)
{
	const struct origin *o = origin_at(d, origin);
	char text[INET6_ADDRSTRLEN];
	bool four = is_four(o->address);
	if (four) put_ipv4(o->address + 12, out);
	else buf_str(out, str_of(inet_ntop(AF_INET6, o->address, text, sizeof text)));
	if (o->bits < 128) buf_printf(out, "/%u", four ? o->bits - 96u : o->bits);
}

/* --- accounts -------------------------------------------------------------------------------------------------------------------- */

static bool same_folded(const char *kept, struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char x = kept[i], y = name.p[i];
		if (x >= 'A' && x <= 'Z') x = (char)(x + 32);
		if (y >= 'A' && y <= 'Z') y = (char)(y + 32);
		if (x != y) return false;
	}
	return true;
}

/* CORP\anna is anna: the same person at a service that wants the domain and at one that does not. */
static struct str bare(struct str name)
{
	size_t slash = str_find_byte(name, '\\', 0);
	if (slash != SIZE_MAX && slash && slash + 1 < name.n) name = str_sub(name, slash + 1, name.n);
	return str_sub(name, 0, NAME_MAX_BYTES);
}

uint32_t account_hash(struct str name)
{
	char folded[NAME_MAX_BYTES];
	name = bare(name);
	for (size_t i = 0; i < name.n; i++) folded[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
	return (uint32_t)hash_bytes(folded, name.n);
}

static bool is_account(const struct detectors *d, uint32_t i, uint32_t hash, struct str name)
{
	const struct account *a = account_at(d, i);
	return a->hash == hash && a->name_n == name.n && (!name.n || same_folded(pool_at(&d->pool, a->name), name));
}

static uint32_t account_make(struct detectors *d, struct str name, uint32_t hash, int64_t time)
{
	uint32_t i = account_take(d);
	if (!i && detect_make_room(d, ROOM_ACCOUNT)) i = account_take(d);
	if (!i) return 0;
	struct account *a = account_at(d, i);
	*a = (struct account){.hash = hash, .last = time, .last_success = NEVER, .name_n = (uint8_t)name.n};
	if ((name.n && !(a->name = detect_pool_take(d, name.n))) || !table_add(&d->account_table, hash, i)) {
		if (a->name) pool_give(&d->pool, a->name, a->name_n);
		slab_give(&d->accounts, i);
		return 0;
	}
	if (name.n) memcpy(pool_at(&d->pool, a->name), name.p, name.n);
	a->live = true;
	return i;
}

uint32_t account_of(struct detectors *d, struct str name, uint32_t hash, uint32_t hint, int64_t time)
{
	name = bare(name);
	uint32_t found = hint && account_at(d, hint)->live && is_account(d, hint, hash, name) ? hint : 0;
	if (!found) {
		for (TABLE_EACH(&d->account_table, hash, i))
			if (is_account(d, i, hash, name)) {
				found = i;
				break;
			}
		if (!found) return account_make(d, name, hash, time);
	}
	account_at(d, found)->last = time;
	return found;
}

struct str account_name(const struct detectors *d, uint32_t account)
{
	const struct account *a = account_at(d, account);
	return a->name_n ? (struct str){pool_at(&d->pool, a->name), a->name_n} : (struct str){"", 0};
}

/* --- habits: prints of (name, origin), so that they outlive both --- */

static uint64_t origin_print_whole(const struct detectors *d, const struct origin *o) { return print_of(d, o->address, o->bits); }

static uint64_t habit_print(const struct detectors *d, uint32_t account, uint64_t origin) { return fold(account_at(d, account)->hash ^ d->key[0], origin); }

/* Most failures are of nobody who ever got in: then no bit is set, and the table is not looked at. */
static struct habit *habit_find(const struct detectors *d, uint64_t print)
{
	if (!is_signed(d, print, false)) return NULL;
	for (TABLE_EACH(&d->habit_table, (uint32_t)print, i)) {
		struct habit *h = slab_at(&d->habits, i);
		if (h->print == print) return h;
	}
	return NULL;
}

uint64_t habit_ahead(const struct detectors *d, uint32_t account_hash, uint64_t origin_print)
{
	uint64_t print = fold(account_hash ^ d->key[0], origin_print);
	return is_signed(d, print, false) ? print : 0;
}

bool habit_has(const struct detectors *d, uint32_t account, uint32_t origin)
{
	const struct origin *o = origin_at(d, origin);
	return o->habits && habit_find(d, habit_print(d, account, origin_print_whole(d, o)));
}

bool habit_add(struct detectors *d, uint32_t account, uint32_t origin, int64_t time)
{
	uint64_t whole = origin_print_whole(d, origin_at(d, origin)), print = habit_print(d, account, whole);
	struct habit *have = habit_find(d, print);
	if (have) {
		have->last = time;
		return false;
	}
	uint32_t i = slab_take(&d->habits);
	if (!i && detect_make_room(d, ROOM_HABIT)) i = slab_take(&d->habits);
	if (!i) return true;
	if (!table_add(&d->habit_table, (uint32_t)print, i)) {
		slab_give(&d->habits, i);
		return true;
	}
	*(struct habit *)slab_at(&d->habits, i) = (struct habit){print, time, true};
	sign(d, print, false);
	sign(d, whole, true);
	origin_at(d, origin)->habits = true;
	return true;
}

bool is_forgiven(const struct detectors *d, uint32_t account, uint32_t address)
{
	uint32_t net = origin_at(d, address)->parent;
	return habit_has(d, account, address) || (net && habit_has(d, account, net));
}

/* --- what an origin has failed for ----------------------------------------------------------------------------------------------- */

static struct tried *tried_of(const struct detectors *d, const struct history *h) { return h->tried ? pool_at(&d->pool, h->tried) : NULL; }

uint32_t tried_since(const struct detectors *d, const struct origin *o, int64_t since)
{
	uint32_t n = 0;
	if (!o->history) return o->judged && o->last >= since;
	const struct history *h = history_at(d, o);
	const struct tried *t = tried_of(d, h);
	for (unsigned i = 0; i < h->tried_room; i++) n += t[i].n && t[i].last >= since;
	return n;
}

/* Most addresses try few names: room for more is made when they do. False without memory: then the oldest is forgotten. */
static bool tried_grow(struct detectors *d, struct history *h)
{
	unsigned room = h->tried_room ? TRIED : TRIED_FEW, had = h->tried_room;
	if (had == TRIED) return false;
	uint32_t fresh = detect_pool_take(d, room * sizeof(struct tried));
	if (!fresh) return false;
	struct tried *t = pool_at(&d->pool, fresh);
	memset(t, 0, room * sizeof *t);
	if (had) {
		memcpy(t, tried_of(d, h), had * sizeof *t);
		pool_give(&d->pool, h->tried, had * sizeof *t);
	}
	h->tried = fresh;
	h->tried_room = (uint8_t)room;
	return true;
}

static void tried_add(struct detectors *d, struct history *h, uint32_t print, uint32_t n, int64_t time)
{
	struct tried *t = tried_of(d, h), *to = t;
	for (unsigned i = 0; i < h->tried_room; i++) {
		if (t[i].n && t[i].account == print) { /* times do not go back */
			double left = (double)t[i].n - (double)(time - t[i].last) / (double)SECOND * DAILY_DRAIN;
			t[i].n = (float)fmax(left, 0) + (float)n;
			t[i].last = time;
			return;
		}
		if (!t[i].n || (to->n && t[i].last < to->last)) to = &t[i];
	}
	unsigned had = h->tried_room;
	if ((!t || to->n) && tried_grow(d, h)) to = tried_of(d, h) + had;
	if (to) *to = (struct tried){time, print, (float)n};
}

/* What the origin has tried the account for: NULL when it has not, or has no history. */
static struct tried *tried_find(const struct detectors *d, const struct origin *o, uint32_t account)
{
	if (!o->history) return NULL;
	const struct history *h = history_at(d, o);
	struct tried *t = tried_of(d, h);
	uint32_t print = account_at(d, account)->hash;
	for (unsigned i = 0; i < h->tried_room; i++)
		if (t[i].n && t[i].account == print) return &t[i];
	return NULL;
}

static bool tried_it_once(const struct detectors *d, const struct origin *o, uint32_t account)
{
	return !o->history && o->judged && o->tried_once == account_at(d, account)->hash;
}

double tried_level(const struct detectors *d, const struct origin *o, uint32_t account)
{
	const struct tried *t = tried_find(d, o, account);
	return t ? (double)t->n : tried_it_once(d, o, account);
}

uint32_t tried_for(const struct detectors *d, const struct origin *o, uint32_t account)
{
	return tried_find(d, o, account) || tried_it_once(d, o, account);
}

void tried_drop(struct detectors *d, struct origin *o, uint32_t account)
{
	/* Every place of it: accounts' prints may be the same. */
	for (struct tried *t; (t = tried_find(d, o, account));) t->n = 0;
}

bool origin_note_judged(struct detectors *d, struct origin *o, const struct waiting *w)
{
	uint32_t print = account_at(d, w->account)->hash; /* accounts may be evicted and their numbers used again */
	if (!o->history) {
		o->judged = true;
		o->tried_once = print;
		return false;
	}
	struct history *h = history_at(d, o);
	if (h->streak_last == NEVER || w->time - h->streak_last > STREAK_GAP) h->streak = 0, h->streak_from = w->time;
	h->streak = h->streak < UINT32_MAX - w->attempts ? h->streak + w->attempts : UINT32_MAX;
	h->streak_last = w->time;
	level_leak(&h->daily, &h->daily_at, w->time, DAILY_DRAIN);
	h->daily += w->attempts;
	tried_add(d, h, print, w->attempts, w->time);
	return true;
}

/* --- services -------------------------------------------------------------------------------------------------------------------- */

/* More than there is room for share the last place. */
uint32_t service_of(struct detectors *d, struct str name)
{
	struct service *s = d->services;
	name = str_sub(name, 0, sizeof s->name);
	for (uint32_t i = 0; i < d->n_services; i++)
		if (str_eq((struct str){s[i].name, s[i].name_n}, name)) return i;
	if (d->n_services == SERVICES) return SERVICES - 1;
	s += d->n_services;
	*s = (struct service){.name_n = (uint8_t)name.n, .hour = NEVER, .sum_at = NEVER};
	if (name.n) memcpy(s->name, name.p, name.n);
	return d->n_services++;
}

void services_text(const struct detectors *d, uint64_t services, struct buf *out)
{
	bool any = false;
	for (uint32_t i = 0; i < d->n_services; i++) {
		if (!(services >> i & 1)) continue;
		if (any) buf_lit(out, ", ");
		buf_put(out, d->services[i].name, d->services[i].name_n);
		any = true;
	}
}
