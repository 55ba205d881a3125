/* correlate_internal: what the files of the room share: the compiled correlations and the state of their groups.
 *
 * record    an event's reference to its bytes, shared by every window and finding that holds it (counted)
 * window    the events of one group that are not older than the timespan, as chunks of entries
 * group     one correlation x one tuple of group values
 * episode   an open finding of a group: from the event at which the condition came to hold until the window empties */
#pragma once
#include "base/buf.h"
#include "base/map.h"
#include "base/sha256.h"
#include "correlate/correlate.h"
#include "correlate/memory_internal.h"

enum {
	MAX_REFS = 64, MAX_DEPTH = 16, MAX_CHAIN_REFS = 32, /* rules of an ordered correlation whose longest chain is compared */
	MAX_VALUE = 1024, /* longer group and counted values are replaced by their beginning and their SHA-256 */
	CHUNK_MIN = 32, CHUNK_CLASSES = 6
};
static const int64_t NEVER = INT64_MIN;

/* --- short texts --- */
/* As memcpy and memcmp == 0, without a call for the few bytes that keys are. */
static inline void bytes_copy(char *to, const char *from, size_t n)
{
	char *last = to + n;
	const char *from_last = from + n;
	if (n > 64) memcpy(to, from, n);
	else if (n >= 16) {
		for (; n > 16; n -= 16, to += 16, from += 16) memcpy(to, from, 16);
		memcpy(last - 16, from_last - 16, 16);
	} else if (n >= 8) memcpy(to, from, 8), memcpy(last - 8, from_last - 8, 8);
	else if (n >= 4) memcpy(to, from, 4), memcpy(last - 4, from_last - 4, 4);
	else
		while (to < last) *to++ = *from++;
}
static inline bool bytes_eq(const char *a, const char *b, size_t n)
{
	uint64_t x[2], y[2];
	if (n >= 8 && n <= 32) {
		for (; n > 16; n -= 8, a += 8, b += 8) {
			memcpy(x, a, 8), memcpy(y, b, 8);
			if (*x != *y) return false;
		}
		memcpy(x, a, 8), memcpy(y, b, 8), memcpy(x + 1, a + n - 8, 8), memcpy(y + 1, b + n - 8, 8);
		return x[0] == y[0] && x[1] == y[1];
	}
	return n == 0 || memcmp(a, b, n) == 0;
}

/* --- records --- */
enum record_flags { RECORD_CONTEXT = 1, RECORD_RECOVERED = 2 };
#define BUNDLE_BIT 0x80000000u   /* of a record id: stands for an inner finding's evidence; `offset` is then its episode */
struct record {                  /* 64 bytes */
	uint32_t refs, next;     /* next: further records of the event, then its contexts (shared chains) */
	uint32_t source, line;
	uint64_t offset;
	uint32_t length : 29, flags : 2;
	uint32_t sequence;       /* order of arrival */
	uint8_t sha256[SHA256_SIZE];
};

/* RFC 6962 tree hash over records' SHA-256, grown sixteen leaves at a time: their hashes, and those of the nodes over them, are made in pairs, which
 * costs half. */
enum { TREE_BATCH = 16 };
struct tree_root {
	uint64_t n;              /* leaves */
	uint8_t stack[48][SHA256_SIZE]; /* one subtree for each 1 bit of n / TREE_BATCH, largest first */
	uint8_t waiting[TREE_BATCH][SHA256_SIZE]; /* n % TREE_BATCH records that are no leaves yet */
};
void tree_root_add(struct tree_root *t, const uint8_t record[SHA256_SIZE]);
void tree_root_get(const struct tree_root *t, uint8_t ret[SHA256_SIZE]);

/* --- compiled correlations --- */
enum source_kind { FROM_EVENT, FROM_INNER, FROM_EVENT_BY_NAME };
struct field_source {            /* where a field's value comes from when a given rule fires */
	enum source_kind kind;
	uint32_t index;          /* in correlate_keep of the rule, or in the inner correlation's group-by */
	struct str name;
};
struct corr_ref {                /* one referenced rule of a correlation, as seen from that rule */
	uint32_t corr, ref;      /* correlation (index in correlate.corrs), place in its `rules` */
	const struct field_source *group, *fields;
};
struct corr {
	const struct rule *rule;
	const struct correlation *c;
	int64_t span;
	uint32_t distinct_refs;
	uint32_t index, depth;   /* depth: 0 = over detections only */
	uint8_t stride;          /* of a window entry */
	bool temporal, ordered;
	bool numeric;            /* sums, means, percentiles */
	bool chains;             /* ordered, and the longest chain is compared (thresholds or text) */
	bool missing_groups;     /* a missing group value is a group, not a reason to drop */
	bool needs_window;       /* the window is kept up while a finding is open */
	bool over_findings;      /* some referenced rule is a correlation */
	bool is_inner, inner_of_temporal;
	bool full_list;          /* every contributing record is remembered */
	bool by_count;           /* event_count or value_count whose condition is a lower bound alone: sketches can stand in */
	double lower;            /* that bound: the least integer that satisfies */
	struct sketch *sketch;
	VEC(struct corr_ref) outer; /* who refers to this correlation */
};
struct subscribers {             /* of one rule */
	VEC(struct corr_ref) refs;
	VEC(struct str) keep;
	bool wanted, detector, deed; /* detector: of attempts; deed: of what was done in sessions */
};

/* --- windows --- */
struct entry {
	int64_t time;
	uint32_t record;         /* 0: reference lost for memory */
	uint32_t extra;          /* value_count: pair, once the group has them; temporal: place of the rule in `rules`; sums: see packed_number */
	union {                  /* stride 24 only */
		double number;   /* value_percentile, value_median */
		uint64_t value;  /* value_count: fingerprint; sums: the whole part, or the bits of a double */
	};
};
struct chunk {
	uint32_t next;
	uint8_t class;
	uint8_t pad[3];
	/* entries follow */
};
enum group_life { GROUP_FREE, GROUP_LIVE, GROUP_PINNED /* being worked on: not to be freed */ };
struct group {                   /* 64 bytes */
	int64_t last;            /* time of the last event */
	uint32_t head, tail;     /* chunks */
	uint8_t head_at, tail_at; /* entries taken from the head chunk; entries in the tail chunk */
	uint8_t tail_class;      /* of the tail chunk, which is only written to, never waited for */
	uint8_t spare;
	uint32_t oldest;         /* no entry is older than this second since 1970; 0: not known */
	uint32_t n;              /* entries in the window */
	uint32_t episode;        /* open finding, 0 = none */
	uint32_t aux;            /* type's own state, in the pool; event_count: struct base; value_count: of its values, see value.c */
	uint32_t distinct;       /* value_count: values in the window */
	uint16_t corr;
	uint8_t live, key_n;     /* live: enum group_life; key_n: bytes of the key kept here; KEY_FAR: in the pool */
	union {
		char key[20];
		struct { uint32_t at, n; } far;
	};
};
struct base {                    /* events of the key that only the sketch knows of, at least */
	int64_t time;            /* when it got a group of its own */
	uint32_t n;
};
struct pair {                    /* a value that occurs in a group's window */
	uint64_t value;          /* keyed 64-bit fingerprint of the value or tuple */
	uint32_t group, count;
};
enum { KEY_INLINE = 20, KEY_FAR = UINT8_MAX };

/* --- episodes --- */
/* Record indices in chained blocks: no block is large, nothing is copied. Holds a reference on each. */
struct list {
	uint32_t first, last;    /* blocks in the pool */
	uint16_t skip, last_n;   /* taken from the first block; used in the last */
	uint32_t n;
};
struct episode {                 /* in the pool */
	uint32_t group;          /* 0 once closed */
	uint32_t refs;           /* 1 while open, and 1 while a bundle stands for it */
	uint32_t corr;
	uint8_t digits, first_digits, last_digits;
	bool approximate;
	int64_t opened, first, last;
	uint64_t count, uncited; /* events; of them without reference, for memory */
	struct list head, tail;  /* the first CORR_CITE_END and the last; everything is in head under corr.full_list */
	uint32_t tree;           /* struct tree_root in the pool, once more than CORR_CITE_ALL */
	uint32_t last_record;
	uint32_t host, host_n;
	uint32_t bundle;         /* the record that stands for it in outer windows, 0 = none */
	double value;            /* what the condition compared when it opened */
};

struct store;
struct ahead;
struct firing;                   /* one thing that happened to a correlation: a hit, or an inner finding */
struct detectors;
struct reorder;

struct correlate {
	struct correlate_options options;
	const struct rule *const *rules;
	const struct rule **owned_rules;
	uint32_t n_rules;
	struct arena plan;       /* field sources, keep lists */
	struct subscribers *subscribers; /* [n_rules] */
	VEC(struct corr) corrs;
	struct budget budget;
	struct slab groups, records, pairs;
	struct pool pool;
	struct table group_table, pair_table, context_table;
	unsigned char value_key[16];
	int64_t now, latest;     /* latest: newest time fed, under a watermark */
	bool started, latest_known;
	bool current_made;       /* not beside `current`: both would be read at once, which waits for all that was written before */
	struct evidence_ref previous; /* first reference of the event before */
	uint32_t hand;           /* the sweep's place in groups */
	uint32_t sequence;
	uint32_t current;        /* record of the event at hand (one reference held) */
	const struct corr_event *event;
	const struct ahead *ahead; /* of the event at hand, in correlate_hits */
	int64_t event_time;
	size_t sketch_bytes;     /* set aside for sketches */
	struct buf key, scratch, json;
	struct str key_view;     /* the key at hand: in `key`, or made ahead */
	uint32_t key_hash;       /* its hash */
	struct buf ahead_keys;   /* of the events at hand in correlate_hits */
	VEC(struct evidence_ref) evidence;
	VEC(struct evidence_ref) contexts;
	size_t n_contexts;       /* of them in `evidence` */
	struct index_vec { uint32_t *v; size_t n, cap; } cited;
	VEC(struct named) group_view;
	struct reorder *reorder;
	struct store *store;     /* evidence in a file; NULL: in memory */
	struct detectors *detectors;
	struct corr_stats stats;
};

/* A group's key that was made before the event's turn. */
struct ahead_key {
	uint32_t at, n;          /* in correlate.ahead_keys */
	uint32_t hash;
	uint32_t group;          /* probably its group, 0: not known */
	bool made, valued;
	uint64_t value;          /* valued: what value_count counts of it */
};

struct firing {
	uint32_t ref;            /* place in the correlation's `rules` */
	uint32_t record;         /* the bundle of an inner finding; 0 for a hit: record_current has it */
	uint32_t inner;          /* episode of the inner correlation, 0 = a plain hit */
	bool again;              /* the inner finding was already open: its condition holds once more */
	const struct corr_ref *source;
	const struct group *inner_group;
	const struct ahead_key *ahead; /* its group's key, made ahead; NULL: not made yet */
};

/* compile.c: rules -> corrs and subscribers. */
bool correlate_compile(struct correlate *c, struct fault *f);
void correlate_compile_done(struct correlate *c);

/* record.c: the references. */
struct store *store_new(const char *dir, struct fault *f);
void store_free(struct store *s);
uint32_t record_current(struct correlate *c);    /* the record of the event at hand; 0 for memory */
void record_forget_current(struct correlate *c);
static inline struct record *record_at(const struct correlate *c, uint32_t i) { return slab_at(&c->records, i & ~BUNDLE_BIT); }
static inline bool record_counted(const struct correlate *c, uint32_t i) { return i && (!c->store || i & BUNDLE_BIT); }
static inline void record_hold(const struct correlate *c, uint32_t i)
{
	if (record_counted(c, i)) record_at(c, i)->refs++;
}
void record_drop_counted(struct correlate *c, uint32_t i);
static inline void record_drop(struct correlate *c, uint32_t i)
{
	if (record_counted(c, i)) record_drop_counted(c, i);
}
uint32_t record_bundle(struct correlate *c, uint32_t episode);
/* The inner finding a record stands for, 0 when it is an event's. */
static inline uint32_t record_inner(const struct correlate *c, uint32_t i) { return i & BUNDLE_BIT ? (uint32_t)record_at(c, i)->offset : 0; }
/* Order of arrival. */
static inline uint32_t record_order(const struct correlate *c, uint32_t i) { return c->store && !(i & BUNDLE_BIT) ? i : record_at(c, i)->sequence; }
/* Walks the references of an event's record: struct record_walk w = {id}; while (record_next(c, &w, &ref)) ... */
struct record_walk { uint32_t at; };
bool record_next(const struct correlate *c, struct record_walk *w, struct evidence_ref *ret);

/* window.c */
static inline struct group *group_at(const struct correlate *c, uint32_t i) { return slab_at(&c->groups, i); }
struct str group_key(const struct correlate *c, const struct group *g);
/* Groups' keys: one table serves all correlations, so that the correlation's number is part of what is hashed. */
#define GROUP_HASH_OF(k) ((k)->index * 0x9e3779b9u)
static inline uint32_t group_hash_add(uint32_t hash, struct str value) { return (hash << 5 | hash >> 27) ^ (uint32_t)hash_bytes(value.p ? value.p : "", value.n); }
/* The group of the key in c->key_view, whose hash is `hash`; made when it is new and wanted. 0: not there, or no memory for it. */
uint32_t group_find(struct correlate *c, struct corr *k, uint32_t hash, bool make);
void group_free(struct correlate *c, uint32_t index);
/* Not older than the timespan at `now`: the edge is inside. */
static inline bool within(const struct corr *k, int64_t time, int64_t now)
{
	return time != NEVER && (uint64_t)now - (uint64_t)time <= (uint64_t)k->span;
}
/* Whether nothing in the window can have grown too old; false also says that it is not known without looking. */
static inline bool window_is_fresh(const struct corr *k, const struct group *g, int64_t now)
{
	return g->oldest && now >= (int64_t)g->oldest * 1000000000 && within(k, (int64_t)g->oldest * 1000000000, now);
}
/* Drops what has grown too old at `now`. */
void window_drop_old(struct correlate *c, struct corr *k, struct group *g, int64_t now);
static inline void window_expire(struct correlate *c, struct corr *k, struct group *g, int64_t now)
{
	if (g->n && !window_is_fresh(k, g, now)) window_drop_old(c, k, g, now);
}
void window_clear(struct correlate *c, struct corr *k, struct group *g);
/* Appends; takes a reference on the record. NULL when there is no memory: the caller counts. */
struct entry *window_push(struct correlate *c, struct corr *k, struct group *g, int64_t time, uint32_t record, uint32_t extra);
static inline struct entry *window_entry(const struct correlate *c, const struct corr *k, uint32_t chunk, uint32_t at)
{
	return (struct entry *)((char *)pool_at(&c->pool, chunk) + sizeof(struct chunk) + (size_t)at * k->stride);
}
struct window_walk { uint32_t chunk, at, left; };
struct window_walk window_walk(const struct group *g);
struct entry *window_walk_next(const struct correlate *c, const struct corr *k, struct window_walk *w);
/* Frees groups whose window has emptied: looks at `n` groups. Closes their findings. */
void sweep(struct correlate *c, uint32_t n);
/* Frees memory at any price: emptied groups first, then the longest silent of a sample. False when nothing could be freed. */
bool make_room(struct correlate *c);

/* value.c: distinct values, numbers. */
bool value_fingerprint(struct correlate *c, const struct field_source *fields, uint32_t n, const struct firing *f, uint64_t *ret);
/* A value entered the window of a value_count group (its entry is the last one), or its first entry is about to leave. Small windows
 * are searched; larger ones have a pair for each value. False: no memory for a pair. */
bool distinct_enter(struct correlate *c, struct corr *k, struct group *g, uint32_t group, struct entry *e);
void distinct_leave(struct correlate *c, struct corr *k, struct group *g, const struct entry *e);
/* A number enters: it is added up, and written into the window's entry; or the entry is about to leave. False: no memory. */
bool numbers_add(struct correlate *c, struct corr *k, struct group *g, const struct decimal *x);
void numbers_keep(const struct corr *k, const struct decimal *x, struct entry *e);
void numbers_drop(struct correlate *c, struct corr *k, struct group *g, const struct entry *e);
/* What conditions compare: `value`; where `exact`, it is units / (n x 10^9), compared as that; else what differs by no more than `slack` is equal. */
struct measure {
	double value, slack;
	__int128 units;
	uint32_t n;
	bool exact;
};
struct measure numbers_value(struct correlate *c, struct corr *k, struct group *g);
void numbers_free(struct correlate *c, struct corr *k, struct group *g);

/* temporal.c */
/* The rule at `ref` stands earlier in the list as well. */
static inline bool is_repeated(const struct correlation *n, uint32_t ref)
{
	for (uint32_t i = 0; i < ref; i++)
		if (n->refs[i] == n->refs[ref]) return true;
	return false;
}
bool temporal_init(struct correlate *c, struct corr *k, struct group *g);
void temporal_free(struct correlate *c, struct corr *k, struct group *g);
/* Notes that rule `ref` matched at `time`; returns whether the condition holds, *ret_value = what was compared. */
bool temporal_step(struct correlate *c, struct corr *k, struct group *g, uint32_t ref, int64_t time, double *ret_value);
/* Appends what contributed to the episode that opens. */
void temporal_collect(struct correlate *c, struct corr *k, struct group *g, struct episode *e);
/* An inner finding's condition holds again: moves its entry in the window to `time`. False when it is not there. */
bool temporal_again(struct correlate *c, struct corr *k, struct group *g, const struct firing *f, int64_t time);
/* The inner finding is among what the open episode cites: noted, asked. */
void temporal_cite(struct correlate *c, struct corr *k, struct group *g, const struct firing *f);
bool temporal_cited(struct correlate *c, struct corr *k, struct group *g, const struct firing *f);
/* Remembers where the last entry of the window stands, for temporal_again. */
void temporal_place(struct correlate *c, struct corr *k, struct group *g, uint32_t ref);

/* evaluate.c: one firing of one correlation. */
struct str source_value(const struct correlate *c, const struct field_source *s, const struct firing *f);
void correlate_fire(struct correlate *c, struct corr *k, const struct firing *f);
/* What a value_count will count of the event at hand, for its hit by the rule of `source`. False: it counts no values, or the event has none. */
bool value_ahead(struct correlate *c, const struct corr *k, const struct corr_ref *source, uint64_t *ret);
bool thresholds_hold(const struct correlation *k, const struct measure *m);
static inline struct measure measure_count(double n) { return (struct measure){.value = n}; }
/* Appends the group's key. False: a value is missing and the policy says drop. */
bool put_key(struct correlate *c, const struct corr *k, const struct firing *f, struct buf *to, uint32_t *ret_hash);
/* The group's key into c->key, c->key_view and c->key_hash; false as put_key. */
bool make_key(struct correlate *c, const struct corr *k, const struct firing *f);
/* Group values of a key: views into it; p == NULL for a missing one. Returns how many. */
uint32_t key_values(struct str key, struct str *ret, uint32_t max);

/* episode.c: findings. */
static inline struct episode *episode_at(const struct correlate *c, uint32_t i) { return pool_at(&c->pool, i); }
/* 0 when there is no memory: the caller then uses episode_put_alone. */
uint32_t episode_open(struct correlate *c, struct corr *k, uint32_t group, double value);
/* The same for the detectors, whose episodes belong to no group and may open at another time than the event at hand. */
uint32_t episode_open_at(struct correlate *c, const struct corr *k, int64_t time, uint8_t digits);
/* What another one rests on so far. */
void episode_copy(struct correlate *c, struct episode *to, const struct episode *from);
/* What it cites, into *f: the evidence, its total, the root. A view until the next call. */
void episode_evidence(struct correlate *c, const struct corr *k, const struct episode *e, struct finding *f);
/* An event that contributed, or an inner finding (then `record` is its bundle). */
void episode_append(struct correlate *c, struct corr *k, struct episode *e, int64_t time, uint8_t digits, uint32_t record);
void episode_put(struct correlate *c, struct corr *k, const struct group *g, struct episode *e, bool final);
/* A finding that rests on the event at hand alone, for want of memory. */
void episode_put_alone(struct correlate *c, struct corr *k, const struct group *g, double value);
void episode_close(struct correlate *c, struct corr *k, struct group *g);
void episode_unref(struct correlate *c, uint32_t episode);
struct etime corr_time(int64_t ns, uint8_t digits);

/* sketch.c: what stands in for groups that memory has no room for. */
struct sketch;
void sketch_free(struct sketch *s);
/* Adds one event (its value, for value_count) of the key and returns the estimate over the window. */
double sketch_add(struct correlate *c, struct corr *k, uint64_t key_hash, uint64_t value_hash, int64_t time);
double sketch_estimate(struct correlate *c, struct corr *k, uint64_t key_hash, int64_t time);
/* What a count may be too high by, with probability 98 %. */
double sketch_noise(const struct corr *k);
/* The correlation's sketch, made on first need. False when its threshold is beyond what sketches can tell. */
bool sketch_ready(struct correlate *c, struct corr *k);
/* Bytes to set aside for all sketches. */
size_t sketch_share(const struct correlate *c);
void sketch_errors(const struct correlate *c, double *ret_count, double *ret_distinct);

/* detect.c: the native detectors. `keep`: where in the rule's kept values the fields of detect_field stand. NULL without address space. */
const char *detect_field(unsigned i);
struct detectors *detectors_new(struct correlate *c, uint32_t rule, const uint32_t *keep, const struct known_sources *known);
void detectors_free(struct detectors *d);
/* detect_session.c: something that was done, by whomever. */
const char *deed_field(unsigned i);
void session_deed(struct detectors *d, const struct corr_event *e, int64_t time);
/* detect.c: the same, after time has passed. */
void detectors_deed(struct detectors *d, const struct corr_event *e, int64_t time);
void detectors_advance(struct detectors *d, int64_t now);
void detectors_finish(struct detectors *d);

/* reorder.c: events out of order, until the watermark has passed them. */
struct reorder *reorder_new(struct correlate *c);
void reorder_free(struct reorder *r);
void reorder_push(struct correlate *c, const struct corr_event *e, int64_t time);
/* Releases everything before `watermark`. */
void reorder_release(struct correlate *c, int64_t watermark);
/* correlate.c: an event in order. */
void correlate_take(struct correlate *c, const struct corr_event *e, int64_t time);
/* value.c: the hash by which sketches file a group's key; the same in every run. */
uint64_t sketch_hash(const struct correlate *c, struct str key);
