/* detect_state.c: origins, accounts, habits, services: tables of the detectors, within their budget. */
#include "correlate/detect_internal.h"
#include <math.h>
#include <arpa/inet.h>

enum { SAMPLE = 32, OLD_DAYS = 60, STRANGER_DAYS = 16 };

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

static void origin_free(struct detectors *d, uint32_t i)
{
	struct origin *o = origin_at(d, i);
	table_remove(&d->origin_table, (uint32_t)o->print, i);
	if (o->parent) origin_at(d, o->parent)->refs--;
	if (o->tried) pool_give(&d->pool, o->tried, o->tried_room * sizeof(struct tried));
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
	slab_give(&d->habits, i);
}

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
		if (is_idle(o) && o->last < days_ago(d, o->successes ? OLD_DAYS : STRANGER_DAYS)) origin_free(d, i);
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

/* The longest silent of a sample goes; strangers before those who have got in. */
static bool evict_origin(struct detectors *d)
{
	uint32_t worst = 0;
	for (uint32_t k = 0; k < SAMPLE && d->origins.n > 1; k++) {
		uint32_t i = step(&d->hand_origin, d->origins.n);
		const struct origin *o = origin_at(d, i), *w = origin_at(d, worst);
		if (!is_idle(o)) continue;
		if (!worst || (!o->successes && w->successes) || (!o->successes == !w->successes && o->last < w->last)) worst = i;
	}
	if (worst) origin_free(d, worst);
	return worst != 0;
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
	return worst != 0;
}

bool detect_make_room(struct detectors *d)
{
	bool any = evict_origin(d);
	d->stats.evicted += any;
	if (evict_account(d)) any = true, d->stats.evicted++;
	/* What waits holds on to its address and name. */
	for (unsigned n = 0; !any && n < SAMPLE && queue_drop(d); n++) {
		any = evict_origin(d);
		d->stats.evicted += any;
		if (evict_account(d)) any = true, d->stats.evicted++;
	}
	return any;
}

uint32_t detect_pool_take(struct detectors *d, size_t bytes)
{
	uint32_t i = pool_take(&d->pool, bytes);
	return i || !detect_make_room(d) ? i : pool_take(&d->pool, bytes);
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

static uint32_t origin_find(struct detectors *d, const uint8_t address[16], uint8_t bits, uint64_t print, uint32_t parent, int64_t time)
{
	uint32_t hash = (uint32_t)print;
	for (TABLE_EACH(&d->origin_table, hash, i))
		if (origin_at(d, i)->bits == bits && !memcmp(origin_at(d, i)->address, address, 16)) return i;
	if (parent) origin_at(d, parent)->refs++; /* not to be evicted for its own child */
	uint32_t i = slab_take(&d->origins);
	if (!i && detect_make_room(d)) i = slab_take(&d->origins);
	if (!i || !table_add(&d->origin_table, hash, i)) {
		if (i) origin_at(d, i)->live = false, slab_give(&d->origins, i);
		if (parent) origin_at(d, parent)->refs--;
		return 0;
	}
	struct origin *o = origin_at(d, i);
	*o = (struct origin){.bits = bits, .print = print, .live = true, .parent = parent, .first = time, .last = time, .last_success = NEVER, .burst_at = time, .daily_at = time,
		.children_from = time, .streak_last = NEVER, .inside = is_inside(address)};
	memcpy(o->address, address, 16);
	o->child_bit = bits == 128 ? sketch_hash(d->c, (struct str){(const char *)address, 16}) & 63 : 0;
	if (bits == 128 && d->known) o->listed = known_of(d->known, address);
	return i;
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

bool origins_of(struct detectors *d, const struct place *p, int64_t time, uint32_t ret[LEVELS_OF_NET])
{
	uint32_t parent = 0;
	memset(ret, 0, LEVELS_OF_NET * sizeof *ret);
	for (unsigned k = p->n; k-- > 0;) {
		ret[k] = parent = origin_find(d, p->address[k], p->bits[k], p->print[k], parent, time);
		if (!parent) return false;
		origin_at(d, parent)->last = time;
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

uint32_t account_of(struct detectors *d, struct str name, int64_t time)
{
	uint32_t hash = account_hash(name);
	name = bare(name);
	for (TABLE_EACH(&d->account_table, hash, i)) {
		struct account *a = account_at(d, i);
		if (a->name_n != name.n || (name.n && !same_folded(pool_at(&d->pool, a->name), name))) continue;
		a->last = time;
		return i;
	}
	uint32_t i = slab_take(&d->accounts);
	if (!i && detect_make_room(d)) i = slab_take(&d->accounts);
	if (!i) return 0;
	struct account *a = account_at(d, i);
	*a = (struct account){.hash = hash, .last = time, .last_success = NEVER, .name_n = (uint32_t)name.n};
	if ((name.n && !(a->name = detect_pool_take(d, name.n))) || !table_add(&d->account_table, hash, i)) {
		if (a->name) pool_give(&d->pool, a->name, a->name_n);
		slab_give(&d->accounts, i);
		return 0;
	}
	if (name.n) memcpy(pool_at(&d->pool, a->name), name.p, name.n);
	a->live = true;
	return i;
}

struct str account_name(const struct detectors *d, uint32_t account)
{
	const struct account *a = account_at(d, account);
	return a->name_n ? (struct str){pool_at(&d->pool, a->name), a->name_n} : (struct str){"", 0};
}

/* --- habits: prints of (name, origin), so that they outlive both --- */

static uint64_t habit_print(const struct detectors *d, uint32_t account, uint32_t origin)
{
	return fold(account_at(d, account)->hash ^ d->key[0], origin_at(d, origin)->print);
}

static uint64_t *habit_sign(const struct detectors *d, uint64_t print, uint64_t *ret_bit)
{
	*ret_bit = (uint64_t)1 << (print >> 32 & 63);
	return &d->habit_signs[print >> 38 & (HABIT_SIGNS - 1)];
}

/* Most failures are of nobody who ever got in: then no bit is set, and the table is not looked at. */
static struct habit *habit_find(const struct detectors *d, uint64_t print)
{
	uint64_t bit;
	if (!(*habit_sign(d, print, &bit) & bit)) return NULL;
	for (TABLE_EACH(&d->habit_table, (uint32_t)print, i)) {
		struct habit *h = slab_at(&d->habits, i);
		if (h->print == print) return h;
	}
	return NULL;
}

bool habit_has(const struct detectors *d, uint32_t account, uint32_t origin) { return habit_find(d, habit_print(d, account, origin)) != NULL; }

bool habit_add(struct detectors *d, uint32_t account, uint32_t origin, int64_t time)
{
	uint64_t print = habit_print(d, account, origin);
	struct habit *have = habit_find(d, print);
	if (have) {
		have->last = time;
		return false;
	}
	uint32_t i = slab_take(&d->habits);
	if (!i && detect_make_room(d)) i = slab_take(&d->habits);
	if (!i) return true;
	if (!table_add(&d->habit_table, (uint32_t)print, i)) {
		slab_give(&d->habits, i);
		return true;
	}
	*(struct habit *)slab_at(&d->habits, i) = (struct habit){print, time, true};
	uint64_t bit;
	*habit_sign(d, print, &bit) |= bit;
	return true;
}

bool is_forgiven(const struct detectors *d, uint32_t account, uint32_t address)
{
	uint32_t net = origin_at(d, address)->parent;
	return habit_has(d, account, address) || (net && habit_has(d, account, net));
}

/* --- what an origin has failed for ----------------------------------------------------------------------------------------------- */

static struct tried *tried_of(const struct detectors *d, const struct origin *o) { return o->tried ? pool_at(&d->pool, o->tried) : NULL; }

uint32_t tried_since(const struct detectors *d, const struct origin *o, int64_t since)
{
	const struct tried *t = tried_of(d, o);
	uint32_t n = 0;
	for (unsigned i = 0; i < o->tried_room; i++) n += t[i].n && t[i].last >= since;
	return n;
}

/* Most addresses try few names: room for more is made when they do. False without memory: then the oldest is forgotten. */
static bool tried_grow(struct detectors *d, struct origin *o)
{
	unsigned room = o->tried_room ? TRIED : TRIED_FEW, had = o->tried_room;
	if (had == TRIED) return false;
	uint32_t fresh = detect_pool_take(d, room * sizeof(struct tried));
	if (!fresh) return false;
	struct tried *t = pool_at(&d->pool, fresh);
	memset(t, 0, room * sizeof *t);
	if (had) {
		memcpy(t, tried_of(d, o), had * sizeof *t);
		pool_give(&d->pool, o->tried, had * sizeof *t);
	}
	o->tried = fresh;
	o->tried_room = (uint8_t)room;
	return true;
}

void tried_add(struct detectors *d, struct origin *o, uint32_t account, uint32_t n, int64_t time)
{
	uint32_t print = account_at(d, account)->hash; /* accounts may be evicted and their numbers used again */
	struct tried *t = tried_of(d, o), *to = t;
	for (unsigned i = 0; i < o->tried_room; i++) {
		if (t[i].n && t[i].account == print) { /* times do not go back */
			double left = (double)t[i].n - (double)(time - t[i].last) / (double)SECOND * DAILY_DRAIN;
			t[i].n = (float)fmax(left, 0) + (float)n;
			t[i].last = time;
			return;
		}
		if (!t[i].n || (to->n && t[i].last < to->last)) to = &t[i];
	}
	unsigned had = o->tried_room;
	if ((!t || to->n) && tried_grow(d, o)) to = tried_of(d, o) + had;
	if (to) *to = (struct tried){time, print, (float)n};
}

double tried_level(const struct detectors *d, const struct origin *o, uint32_t account)
{
	const struct tried *t = tried_of(d, o);
	uint32_t print = account_at(d, account)->hash;
	for (unsigned i = 0; i < o->tried_room; i++)
		if (t[i].n && t[i].account == print) return (double)t[i].n;
	return 0;
}

uint32_t tried_for(const struct detectors *d, const struct origin *o, uint32_t account)
{
	const struct tried *t = tried_of(d, o);
	uint32_t print = account_at(d, account)->hash;
	for (unsigned i = 0; i < o->tried_room; i++)
		if (t[i].n && t[i].account == print) return 1;
	return 0;
}

void tried_drop(struct detectors *d, struct origin *o, uint32_t account)
{
	struct tried *t = tried_of(d, o);
	uint32_t print = account_at(d, account)->hash;
	for (unsigned i = 0; i < o->tried_room; i++)
		if (t[i].n && t[i].account == print) t[i].n = 0;
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
