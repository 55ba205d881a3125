/* detect_internal: the native detectors of password guessing: what their files share. doc/brute-force.md says what they do and why.
 *
 * origin    an address, or a network of addresses (/24; /64 and /48), that attempts came from
 * account   a name that was tried
 * habit     an account has logged in from an origin: its failures there are forgiven
 * waiting   a failure, put aside for LAG: by then it is known whether the person got in after all. What is older is judged, and stays for
 *           KEEP while there is room, so that a finding that opens can cite what led up to it
 * attack    an open finding: what is cited, and who is named
 * service   what was to be entered (sshd, rdp, owa, ...): the stage of attacks without a loud address
 *
 * Time is the events' own, in nanoseconds. All state is charged to a budget of its own, a quarter of state_memory; what does not fit is
 * dropped, the longest silent first, and counted. Nothing depends on hashes. */
#pragma once
#include "correlate/correlate_internal.h"
#include "correlate/detect.h"

#define SECOND ((int64_t)1000000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* Thresholds; where they come from stands in doc/brute-force.md. */
#define LAG (15 * MINUTE)        /* within it a person who mistyped has got in */
#define KEEP (8 * DAY)
#define QUIET (8 * DAY)          /* a finding is over when its origin was silent for so long: what comes weekly is one finding */
#define BURST 12.0               /* failures above BURST_DRAIN that are fast guessing */
#define BURST_DRAIN (1.0 / 60)   /* a second */
#define DAILY_DRAIN (60.0 / 86400)
#define STREAK_GAP (26 * HOUR)   /* silence that ends a slow streak: who only comes by night, or by day, comes again within it */
#define SLOW_SPAN (48 * HOUR)
#define FEW_SPAN (10 * MINUTE)
#define FOLLOW_UP (24 * HOUR)    /* logins that belong to the one that was guessed */
enum {
	FEW = 5,                         /* failures within FEW_SPAN of an address that nobody ever got in from: at level low */
	SPRAY_DAY = 5, SPRAY_WEEK = 8,   /* accounts one address failed for, that never got in from there */
	NET_SPRAY = 8, NET_CHILDREN = 3, /* the same for a network, and the addresses of it there must be */
	MANY_TRIES = 60, MANY_ONE = 100, /* above DAILY_DRAIN: for several accounts; for one, whoever else logs in from there */
	GATEWAY = 10,                    /* names that have logged in from an address of many */
	SLOW_TRIES = 30, SLOW_NET = 60,
	ACCOUNT_ORIGINS = 8,             /* new addresses in a day that failed for an account of the house */
	NAME_ORIGINS = 10,               /* the same for a name nobody has got in with */
	GUESSED_RUN = 10,                /* unforgiven failures in half an hour before a login that are a guess */
	TRIED = 16, TRIED_FEW = 4, RECENT = 16, LEVELS_OF_NET = 3, SERVICES = 64, ANY = SERVICES, FOCUSED = 4, NAMES_MAX = 20000, NAMED = 3, VICTIMS = 8, NAME_MAX_BYTES = 200
};
#define CUSUM_ALARM 14.0         /* log odds */
#define CUSUM_CAP 28.0
enum { CUSUM_LEAST = 8 };        /* first contacts */

struct tried { int64_t last; uint32_t account; float n; }; /* n: failures beyond DAILY_DRAIN; 0: free */
/* A line of 64 bytes: all there is of an origin that failed once, and what every attempt and the sweep look at of the others. Whoever floods a server
 * with addresses mostly uses each once. */
struct origin {
	uint8_t address[16];     /* IPv4 as ::ffff:a.b.c.d */
	int64_t last;
	uint32_t print;          /* keyed, of address and bits: the lower half */
	uint8_t bits;
	uint8_t child_bit;       /* of an address: its place in `children` of its networks; of a network that failed once: that of who did */
	bool live : 1, inside : 1, counted : 1, noted : 1; /* counted: as a first contact */
	bool entered : 1;        /* somebody got in from there */
	bool habits : 1;         /* there may be habits of it */
	bool once : 1, judged : 1; /* no history yet: has failed, once, at `last`; has been judged for it */
	bool listed : 1;         /* in the list of known sources */
	uint32_t parent, refs;
	uint32_t open;           /* the number of its attack, 0: none */
	uint32_t newest;         /* its last entry of the queue: sequence number */
	uint32_t history;        /* struct history, 0: none yet */
	uint32_t named_in;       /* the number of the attack that named it last */
	union {
		uint32_t member;     /* of an address: the number of the campaign it belongs to */
		uint32_t child_open; /* of a network: the number of the attack that opened last below it */
	};
	uint32_t tried_once;     /* no history yet, and judged: print of the account */
};
/* What becomes of an origin from its second attempt on, or from its first when that is no single failure. */
struct history {
	uint64_t failures;
	double burst;
	int64_t burst_at;
	int64_t first;
	union {
		struct { int64_t gap, last_failure; };         /* of an address: between its last failures */
		struct { uint64_t children; int64_t children_from; }; /* of a network: linear counting of addresses that failed, since then */
	};
	uint32_t regular;        /* how many gaps in a row were alike */
	uint32_t success_accounts;

	double daily;
	int64_t daily_at;
	int64_t streak_from, streak_last;
	uint32_t streak;
	uint32_t tried;          /* struct tried[tried_room] in the pool: TRIED_FEW, then TRIED of them */
	uint8_t tried_room;
};
struct account_origin { int64_t time; uint32_t print; };
/* In a line of 64 bytes. */
struct account {
	uint32_t name, hash;
	uint32_t refs;
	uint32_t successes;
	int64_t last, last_success;
	uint32_t from;           /* struct account_origin[RECENT] in the pool, a ring */
	uint8_t name_n, from_n;
	bool live;
	uint8_t named_n;
	/* The attacks that named it last: their numbers; its place among that one's names, and whether it is among its own names, too. Whoever is tried
	 * everywhere is in several findings that go on at the same time. */
	struct { uint32_t in, at : 31, own : 1; } named[NAMED];
};
struct habit { uint64_t print; int64_t last; bool live; };

struct waiting {
	int64_t time;
	uint32_t origin, account, record, attempts;
	uint32_t before[LEVELS_OF_NET]; /* sequence number of the entry before of the address, its network, the wider one; 0: none */
	uint32_t other;          /* that of the address's last one before that was not forgiven when it came, */
	uint16_t steps;          /* and how many entries of the address back that is */
	uint16_t service;
	uint8_t digits;
	bool taken : 1;          /* cited by a finding, or forgiven */
	bool forgiven : 1;       /* when it came */
};

/* Distinct names: the first by name; beyond what there is room for they are estimated (HyperLogLog of NAME_CELLS, standard error 4.6 %). */
enum { NAME_CELLS = 512 };
struct names { struct map map; uint64_t total; size_t charged; bool full; uint8_t *cells; };
enum attack_kind { ATTACK_ORIGIN, ATTACK_CAMPAIGN, ATTACK_ENTRY };
enum attack_reason { BY_BURST, BY_ACCOUNTS, BY_TRIES, BY_STREAK, BY_CHANGE, BY_ACCOUNT, BY_ENTRY, BY_FEW };
/* What one login became (detect_session.c). Texts that are longer are left out. */
enum { SESSIONS = 16 };
struct session_text { uint8_t n; char v[63]; };
struct session {
	int64_t from, until;
	struct session_text host, user, pid, ses, logon, address;
};
struct attack {
	enum attack_kind kind;
	enum attack_reason reason;
	uint32_t number, episode;
	uint32_t origin, service;
	int64_t opened, last;
	uint8_t opened_digits;
	struct names origins, accounts, own; /* own: accounts of them that belong to the house: have logged in from somewhere before */
	uint64_t tries;
	uint32_t bursts;         /* of activity, with an hour of silence between */
	int64_t burst_began, burst_last, spacing; uint32_t regular; /* how alike the times between them are */
	struct buf entered;      /* JSON of logins that came out of it */
	uint32_t n_entered;
	bool sure_entered;
	struct buf host, place, account; /* place: the group's value */
	uint32_t entry_rank;     /* ATTACK_ENTRY: how sure; 2 is critical */
	uint32_t print;          /* ATTACK_ENTRY: of its address */
	uint64_t services;       /* of a campaign: a bit for each it was seen at */
	double expected, seen;   /* BY_CHANGE: first contacts an hour */
	int64_t begun;           /* of a campaign: when the change began */
	/* ATTACK_ENTRY: what was done in its sessions */
	struct session *sessions;
	uint32_t n_sessions, n_deeds, n_told, n_first;
	bool told_paid;
	struct map deeds;        /* what -> how often */
	struct buf told, first_deeds; /* JSON; for the sentence */
};

struct service {
	char name[32];
	uint8_t name_n;
	/* first contacts that failed and never got in: learnt rates an hour, of all hours and of each hour of the day */
	double mean, profile[24];
	uint32_t hours, days[24];
	int64_t hour;            /* the one being counted */
	uint32_t in_hour;
	double sum;              /* CUSUM */
	int64_t sum_at, zero_at;
	uint32_t since_zero;
	uint32_t crowd;          /* the number of the campaign that takes whoever comes while the sum is up, 0: none */
	uint32_t focused[FOCUSED]; /* campaigns on few names, that take who tries those, and are not counted any more */
};

struct detectors {
	struct correlate *c;
	uint64_t key[2];         /* of prints; drawn once a process */
	struct corr corr;        /* stands for the detectors where episodes want a correlation */
	const struct known_sources *known;
	struct budget budget;
	size_t named;            /* of it, names of open findings: at most a quarter */
	struct slab origins, histories, accounts, habits;
	struct pool pool;
	struct table origin_table, account_table, habit_table;
	uint64_t *habit_signs;   /* [n_signs] a bit for each habit there is or was, by its print; then [n_signs] for their origins, by theirs */
	uint32_t n_signs;
	bool habits_lost;        /* some were forgotten */
	uint32_t keep[5];        /* places of the auth.* fields in the kept values of the rule */
	uint32_t rule;
	struct waiting *queue;   /* a ring of `queue_size` (a power of two); entry of sequence s at s % queue_size */
	uint32_t queue_size, head, judged, tail; /* sequence numbers: next to be made; next to be judged; oldest kept */
	struct service services[SERVICES + 1]; /* [ANY]: all of them together */
	uint32_t n_services;
	uint32_t apart[SERVICES]; /* first contacts of services[ANY] since its zero, by service */
	VEC(struct attack *) attacks; /* by number; NULL: over. Numbers are not used again */
	VEC(uint32_t) live;      /* numbers of the open ones, in order of opening */
	VEC(uint32_t) entries;   /* of them, logins that were guessed */
	VEC(uint32_t) entry_prints; /* of their addresses */
	VEC(uint32_t) scratch;
	int64_t begun, now, swept, siege_at; /* begun: the first event's time */
	VEC(uint64_t) listed_counts;
	struct buf text;
	VEC(struct str) notes;
	struct arena note_texts;
	uint32_t hand_origin, hand_account, hand_habit;
	struct victims { uint32_t n, origin[VICTIMS]; int64_t since; } victims[2]; /* origins to be evicted next, chosen at that time; [1]: with history */
	struct detect_stats stats;
};

/* An attempt as detectors see it. */
struct attempt {
	int64_t time;
	uint8_t digits;
	uint32_t origin[LEVELS_OF_NET]; /* the address, its network, the wider network (IPv6); 0: none */
	uint32_t account, record, attempts;
	uint16_t service;
};

/* detect.c: a sentence for the coverage: what was taken for normal. */
void detect_note(struct detectors *d, struct str text);
/* The entry is still there. */
static inline bool waiting_is_kept(const struct detectors *d, uint32_t sequence) { return sequence && sequence - d->tail < d->head - d->tail; }
/* Forgets the oldest of the queue, judged or not. False when it is empty. */
bool queue_drop(struct detectors *d);

/* An address and its networks, as origins are filed: the address, its network, the wider one. */
struct place { uint8_t n, bits[LEVELS_OF_NET], address[LEVELS_OF_NET][16]; uint64_t print[LEVELS_OF_NET]; };
/* What is known of an attempt before its turn, so that what it will touch can be fetched: detectors_ahead, then detectors_fetch, for several of them. */
struct detect_ahead {
	bool made;
	struct place place;
	uint32_t account_hash;
	uint32_t origin[LEVELS_OF_NET], account; /* probably; 0: not known */
	uint64_t habit[2];       /* prints of habits there may be, of the address and its network; 0: there is none */
};
/* In three steps, each for several events before the next. */
void detectors_ahead(struct detectors *d, const struct corr_event *e, struct detect_ahead *ret);
void detectors_fetch(const struct detectors *d, struct detect_ahead *a);
void detectors_fetch_more(const struct detectors *d, const struct detect_ahead *a);
/* `ahead`: made of this event, or NULL. */
void detectors_take(struct detectors *d, const struct corr_event *e, int64_t time, const struct detect_ahead *ahead);

/* detect_state.c */
static inline struct origin *origin_at(const struct detectors *d, uint32_t i) { return slab_at(&d->origins, i); }
/* Of an origin that has one. */
static inline struct history *history_at(const struct detectors *d, const struct origin *o) { return slab_at(&d->histories, o->history); }
/* Its history, made when it has none yet. NULL without memory: what it does is then not counted. */
struct history *history_of(struct detectors *d, uint32_t origin);
static inline int64_t origin_first(const struct detectors *d, const struct origin *o) { return o->history ? history_at(d, o)->first : o->last; }
static inline uint32_t success_accounts(const struct detectors *d, const struct origin *o) { return o->history ? history_at(d, o)->success_accounts : 0; }
static inline struct account *account_at(const struct detectors *d, uint32_t i) { return slab_at(&d->accounts, i); }
static inline struct waiting *waiting_at(const struct detectors *d, uint32_t sequence) { return &d->queue[sequence & (d->queue_size - 1)]; }
/* False when the text is no address. */
bool place_of(const struct detectors *d, struct str address, struct place *ret);
/* Their origins, made where they are new; false without memory. `hint`: probably they. */
bool origins_of(struct detectors *d, const struct place *p, const uint32_t hint[LEVELS_OF_NET], int64_t time, uint32_t ret[LEVELS_OF_NET]);
/* The hash that names are filed under. */
uint32_t account_hash(struct str name);
/* `hash`: the name's; `hint`: probably it, or 0. */
uint32_t account_of(struct detectors *d, struct str name, uint32_t hash, uint32_t hint, int64_t time);
struct str account_name(const struct detectors *d, uint32_t account);
/* Whether the account has logged in from the origin; habit_add notes it and says whether that is new. */
bool habit_has(const struct detectors *d, uint32_t account, uint32_t origin);
/* The print a habit would have, of an account's hash and an origin's whole print; 0 when there is none. */
uint64_t habit_ahead(const struct detectors *d, uint32_t account_hash, uint64_t origin_print);
bool habit_add(struct detectors *d, uint32_t account, uint32_t origin, int64_t time);
/* The account has logged in from the address, or from its narrowest network. */
bool is_forgiven(const struct detectors *d, uint32_t account, uint32_t address);
/* The same of an entry of the queue. A habit that was there then still is, unless any was lost. */
static inline bool waiting_forgiven(const struct detectors *d, const struct waiting *w)
{
	return w->forgiven && !d->habits_lost ? true : is_forgiven(d, w->account, w->origin);
}
void origin_text(const struct detectors *d, uint32_t origin, struct buf *out);
/* Frees what has been silent for long; `hard`: something, whatever it costs. */
void detect_sweep(struct detectors *d, uint32_t n);
enum room { ROOM_ORIGIN, ROOM_HISTORY, ROOM_ACCOUNT, ROOM_HABIT, ROOM_POOL };
bool detect_make_room(struct detectors *d, enum room what);
uint32_t detect_pool_take(struct detectors *d, size_t bytes);
/* A level that has drained by so much a second until now. */
static inline void level_leak(double *level, int64_t *at, int64_t now, double per_second)
{
	*level -= (double)(now - *at) / (double)SECOND * per_second;
	if (*level < 0) *level = 0;
	*at = now;
}
/* What judging an attempt adds to an origin: true when it is one of several, so that the origin may be loud. */
bool origin_note_judged(struct detectors *d, struct origin *o, const struct waiting *w);
/* Accounts the origin has failed for since then, without ever getting in with them. */
uint32_t tried_since(const struct detectors *d, const struct origin *o, int64_t since);
/* How many of them were for the account, beyond DAILY_DRAIN. */
double tried_level(const struct detectors *d, const struct origin *o, uint32_t account);
/* 1 when the account is one of them. */
uint32_t tried_for(const struct detectors *d, const struct origin *o, uint32_t account);
void tried_drop(struct detectors *d, struct origin *o, uint32_t account);
uint32_t service_of(struct detectors *d, struct str name);
/* The names of a campaign's services. */
void services_text(const struct detectors *d, uint64_t services, struct buf *out);
/* The list of known sources: the number, from 1, of the entry an address falls under; 0: none. */
uint32_t known_of(const struct known_sources *k, const uint8_t address[16]);
uint32_t known_count(const struct known_sources *k);
void known_text(const struct known_sources *k, uint32_t number, struct str *ret_net, struct str *ret_reason);
static inline uint32_t origin_print(const struct detectors *d, uint32_t origin) { return origin_at(d, origin)->print; }

/* detect_origin.c: loud addresses and networks. */
/* The address of a waiting entry and its networks. */
void origins_above(const struct detectors *d, uint32_t address, uint32_t ret[LEVELS_OF_NET]);
/* How many unforgiven failures of the address wait from `since` on; counts up to `most`. */
uint32_t waiting_since(const struct detectors *d, uint32_t address, int64_t since, uint32_t most);
/* The open finding of the address or of a network over it, NULL when there is none. */
struct attack *open_of(struct detectors *d, const uint32_t origin[LEVELS_OF_NET]);
/* A failure as it comes: true when it was added to an open finding. */
bool origin_failure(struct detectors *d, const struct attempt *a, bool forgiven);
/* After it was queued: does it make a burst? */
void origin_burst(struct detectors *d, const struct attempt *a);
/* LAG later, unforgiven: what the address, and then its networks, are made of it. True when it belongs to a finding now. */
bool address_judge(struct detectors *d, struct waiting *w, const uint32_t origin[LEVELS_OF_NET]);
bool few_judge(struct detectors *d, struct waiting *w, const uint32_t origin[LEVELS_OF_NET]);
bool network_judge(struct detectors *d, struct waiting *w, const uint32_t origin[LEVELS_OF_NET]);
/* The address has failed for another account than the one at hand, as far as is remembered. */
bool tried_others(struct detectors *d, const struct attempt *a);
/* A login: what it explains is forgotten, and what it may be the end of becomes a finding. Before the habit is noted. */
void origin_success(struct detectors *d, const struct attempt *a, bool was_habit, bool member);

/* detect_site.c: attacks without a loud address. */
/* Between the two. True when a campaign has it. */
bool site_judge(struct detectors *d, struct waiting *w);
void site_advance(struct detectors *d, int64_t now);
/* A login of an address that a campaign may have come from. */
/* True when the address is a member of an open one. */
bool site_success(struct detectors *d, const struct attempt *a, bool was_habit);

/* detect_attack.c: open findings. */
struct attack *attack_open(struct detectors *d, enum attack_kind kind, enum attack_reason reason, int64_t time, uint8_t digits, uint32_t *ret_number);
static inline struct attack *attack_at(const struct detectors *d, uint32_t number) { return number ? d->attacks.v[number - 1] : NULL; }
void attack_add(struct detectors *d, struct attack *f, int64_t time, uint8_t digits, uint32_t record, uint32_t origin, uint32_t account, uint32_t attempts);
/* How often it named the account; NULL when it never did, or only counts it. */
const uint32_t *attack_names(const struct detectors *d, const struct attack *f, uint32_t account);
void attack_add_waiting(struct detectors *d, struct attack *f, struct waiting *w);
void attack_entered(struct detectors *d, struct attack *f, const struct attempt *a, bool sure);
/* Hands it out as it is so far, where the correlator's options ask for that. */
void attack_announce(struct detectors *d, struct attack *f);
/* Hands it out and forgets it; attack_drop only forgets. */
void attack_close(struct detectors *d, uint32_t number);
void attack_drop(struct detectors *d, uint32_t number);
/* Adds a record to what it rests on, and nothing else. */
void attack_cite(struct detectors *d, struct attack *f, int64_t time, uint8_t digits, uint32_t record);
/* Budget for what open findings hold. */
bool detect_take_reserved(struct detectors *d, size_t n);

/* detect_session.c: what was done in the sessions of guessed logins. */
void session_open(struct detectors *d, struct attack *f, const struct attempt *a);
/* JSON member, with the comma before it; nothing when nothing was done. Then as a sentence. */
void session_put(const struct attack *f, struct buf *out);
void session_say(const struct attack *f, struct buf *out);
void session_free(struct detectors *d, struct attack *f);
