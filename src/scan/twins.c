/* twins.c: see twins.h. */
#include "scan/twins.h"
#include "base/alloc.h"
#include "scan/homes.h"

enum { SECONDS = 8 /* a power of two above TWINS_SECONDS */, SOURCES = 4, SETS = 4096, WAYS = 4, NAME = 32 /* bytes of a name in login records */ };

/* An attempt by somebody at a host, as sources tell it, second by second. */
struct one {
	uint64_t key;
	int64_t second[SECONDS];           /* which second a slot is of */
	uint32_t source[SOURCES];
	uint32_t service[SOURCES];         /* of what the source says; 0: any */
	uint16_t counted[SOURCES][SECONDS];/* handed on */
	uint16_t matched[SOURCES][SECONDS];/* of what others handed on, what this source told as well */
	uint32_t n;
	int64_t last;
};
struct twins { struct one v[SETS][WAYS]; };

/* The same in every run: which attempts are forgotten must not depend on a key. Names that are made to collide cost one attempt of the count, of one host within
 * seconds, in two of its logs; that is not worth more. */
static uint64_t mix(uint64_t h, struct str s)
{
	for (size_t i = 0; i < s.n; i += 8) {
		uint64_t v = 0;
		memcpy(&v, s.p + i, s.n - i < 8 ? s.n - i : 8);
		h = (h ^ v) * 0x9e3779b97f4a7c15;
		h ^= h >> 29;
	}
	return (h ^ s.n) * 0xd6e8feb86659fd93 ^ h >> 32;
}

struct login_mark login_mark_of(const struct auth_event *a, struct str source_format, struct str event_format)
{
	static const char *const formats[] = {"syslog", "service-log", "journal", "journal-export", "auditd", "utmp"};
	static const char *const silent[] = {"login", "auditd"};
	struct login_mark m = {0};
	bool told = str_starts(event_format, STR("journal-json"));
	for (size_t i = 0; i < COUNT(formats); i++) told |= str_eq(source_format, str_of(formats[i]));
	if (!told || a->outcome == AUTH_PROBE || (!a->src_ip.n && !a->user.n)) return m;
	m.who = mix(mix((uint64_t)a->outcome + 1, a->src_ip), str_sub(a->user, 0, NAME)) | 1;
	for (size_t i = 0; i < COUNT(silent); i++)
		if (str_eq(a->service, str_of(silent[i]))) return m;
	m.service = 0x811c9dc5; /* FNV-1a: services are words of ours */
	for (size_t i = 0; i < a->service.n; i++) m.service = (m.service ^ (uint8_t)a->service.p[i]) * 0x01000193;
	m.service |= 1;
	return m;
}

struct twins *twins_new(void) { return xcalloc(1, sizeof(struct twins)); }
void twins_free(struct twins *t) { free(t); }

static uint64_t key_of(const struct login_mark *m, struct str host, uint32_t rule)
{
	char label[64];
	struct str name = home_label(host, label);
	uint64_t h = m->who ^ rule * 0x9e3779b97f4a7c15;
	for (size_t i = 0; i < name.n; i++) h = (h ^ (uint8_t)name.p[i]) * 0x100000001b3;
	return h ^ h >> 29;
}

static struct one *one_of(struct twins *t, uint64_t key, int64_t now)
{
	struct one *set = t->v[key * 0x9e3779b97f4a7c15 >> 52], *oldest = set;
	for (int i = 0; i < WAYS; i++) {
		if (set[i].n && set[i].key == key) return &set[i];
		if (!set[i].n || (oldest->n && set[i].last < oldest->last)) oldest = &set[i];
	}
	*oldest = (struct one){.key = key, .last = now};
	return oldest;
}

static uint32_t source_in(struct one *x, uint32_t source, uint32_t service)
{
	uint32_t i = 0;
	while (i < x->n && (x->source[i] != source || x->service[i] != service)) i++;
	if (i == x->n && x->n < SOURCES) {
		x->source[x->n] = source;
		x->service[x->n++] = service;
	}
	return i;
}

/* The slot of a second, emptied when it was of an older one. */
static uint32_t slot_of(struct one *x, int64_t second)
{
	uint32_t s = (uint32_t)second & (SECONDS - 1);
	if (x->second[s] == second) return s;
	x->second[s] = second;
	for (uint32_t i = 0; i < SOURCES; i++) x->counted[i][s] = x->matched[i][s] = 0;
	return s;
}

static bool agree(uint32_t a, uint32_t b) { return !a || !b || a == b; }

bool twins_told(struct twins *t, const struct login_mark *m, struct str host, uint32_t rule, uint32_t source, struct etime time)
{
	if (!m->who || !host.n || !time.present) return false;
	struct one *x = one_of(t, key_of(m, host, rule), time.sec);
	uint32_t me = source_in(x, source, m->service), now = slot_of(x, time.sec);
	x->last = time.sec;
	if (me == SOURCES) return false;
	for (int64_t second = time.sec - TWINS_SECONDS; second <= time.sec; second++) {
		uint32_t s = (uint32_t)second & (SECONDS - 1), others = 0;
		if (x->second[s] != second) continue;
		for (uint32_t i = 0; i < x->n; i++)
			if (x->source[i] != source && agree(x->service[i], m->service)) others += x->counted[i][s];
		if (others <= x->matched[me][s]) continue;
		x->matched[me][s]++;
		return true;
	}
	if (x->counted[me][now] < UINT16_MAX) x->counted[me][now]++;
	return false;
}
