/* scan_internal: what the files of the room share. */
#pragma once
#include "scan/pack.h"
#include "scan/scan.h"
#include "scan/spill.h"
#include "scan/twins.h"
#include "read/archive.h"
#include <pthread.h>
#include <stdatomic.h>

enum { SPILL_BUFFER = 12 << 20, SHAPE_BUDGET = 32 << 20, HEAD_BYTES = 64 << 10, STEP_EVENTS = 2048, ANALYSER_BUDGET = 16 << 20, INCIDENT_BUDGET = 64 << 20 };
#define NATIVE_RULE 0x80000000u

/* What is spilled, by the pass of phase two that wants it (merge.c): what only feeds correlations and incidents, what is only reported, or both. */
enum spill_for { SPILL_FEEDS, SPILL_SHOWN, SPILL_BOTH, SPILLS };

/* A file to be opened, or one that could not even be listed. */
struct scan_item {
	char *path;
	uint64_t size, number;
	char *shown;                  /* NULL: as `path`, and its time is the file's */
	int64_t mtime_sec;
};

/* A source while it is being read. */
struct open_source {
	struct scan_source result;
	uint32_t id;                  /* index in scan.open, the provisional source number in spilled evidence */
	struct input input;
	const struct reader_ops *ops;
	struct reader *reader;
	struct arena strings;         /* path, report texts */
	uint32_t cursors;             /* running now, under the scan's lock */
	bool exhausted;               /* a cursor saw the end, under the scan's lock */
	bool large;                   /* worth reading with others */
	atomic_bool wanted;           /* a worker without work would join */
	bool shared;                  /* others may join, under the scan's lock; until then its worker reads alone */
	bool is_member;               /* of a container: `member` owns the input's bytes */
	struct archive_member member;
	struct coverage_table hosts;  /* of its cursors that are done, under the scan's lock */
};

struct scan {
	struct scan_config config;
	pthread_mutex_t lock;
	VEC(struct scan_item) items;
	size_t next_item;
	VEC(struct open_source *) open;
	VEC(struct scan_unread) unread;
	VEC(struct spill *) spills[SPILLS];
	struct arena strings;
	uint32_t *ranks;              /* [rules, then native rules]: place of the rule by its id */
	struct coverage_table hosts;
	struct correlate *correlate;  /* NULL without a plan */
	struct spill *fired;          /* what correlations and incidents gave, in phase two */
	const struct rule_info *native; /* rules of the incident room's analysers; their rule_index is NATIVE_RULE + their number */
	uint32_t n_native;
	struct rule_info *detectors;  /* detector_rules, with the hashes of their texts */
	VEC(struct analyser *) analysers;
	struct incidents *incidents;
	VEC(struct str) stories;
	struct twins *twins;
	uint32_t twin_source;         /* the record counted last in results.twins */
	uint64_t twin_offset;
	VEC(uint8_t) story_stages;
	bool correlating;             /* at least one rule feeds a correlation */
	struct rule_coverage *coverage;
	struct skew_table *clocks;    /* all workers' */
	struct skew *skews;
	struct sight_plan *sight_plan;
	struct rule_sight *sight;     /* [rules], all workers' */
	struct fault spill_fault;
	struct scan_source *sources;  /* after scan_settle */
	struct str *homes;            /* [sources]: the host of events that name none, empty: unknown */
	uint32_t *final;              /* [open.n]: provisional number -> index in sources */
	uint32_t *provisional;        /* the reverse */
	bool *left_out;               /* [sources] */
	struct corr_event older;      /* the keeper's next, when has_older */
	bool has_older, older_begun;
	struct scan_results results;
	atomic_uint_fast64_t bytes, bytes_total, events, hits;
	atomic_uint sources_done, sources_total;
};

enum { CONTEXT_SLOTS = 64, REREAD_PAGE = 16 << 10, REREAD_MORE = 2 << 10, REREAD_PAGES = 32 };
/* A page of a source that was read again, and what of the next one records may reach into. */
struct reread_page { uint64_t page; uint32_t source, n; char bytes[REREAD_PAGE + REREAD_MORE]; };
/* Where a rule's kept fields stand in events of a shape: column numbers, -1: nowhere. */
enum { KEPT_COLUMNS = 16 };
struct kept_columns { const struct shape *shape; const struct rule *rule; const struct logsource_binding *binding; int32_t column[KEPT_COLUMNS]; };
/* A shape of which source_kinds has nothing more to learn in the source. */
enum { SETTLED_KINDS = 64 };
struct settled_kind { const struct shape *shape; uint32_t source; };

struct scan_worker {
	struct kept_columns kept[8];
	struct scan *scan;
	struct shape_table *shapes;
	struct matcher *matcher;
	struct sight *sight;          /* NULL without a plan */
	struct skew_table *clocks;
	struct spill *spills[SPILLS];
	struct open_source *source;   /* being read by this worker, NULL = none */
	struct reader_cursor *cursor;
	uint64_t outside;
	uint64_t hits;                /* not yet added to scan.hits */
	uint64_t progressed;          /* bytes of the current source already added to scan.bytes */
	struct reread_page *reread;   /* [REREAD_PAGES], by page number; NULL: nothing was read again yet */
	struct buf fields, packed, own_event;
	struct buf event;             /* what the findings of the event at hand have in common, packed */
	uint64_t n_events;            /* of which that was made */
	struct arena scratch;
	struct coverage_table hosts;  /* of the source being read */
	struct archive_walk *walk;    /* the container this worker goes through, NULL = none */
	struct input container;
	struct arena walk_strings;    /* paths of containers */
	uint64_t next_order;          /* of the container's next member */
	struct analyser *analyser;
	struct auth_source *logins;   /* NULL without config.auth */
	struct login_mark login;      /* of the event at hand */
	struct settled_kind settled[SETTLED_KINDS]; /* by the shape's id */
	VEC(const struct rule_info *) infos;  /* of the hits of the current event */
	/* Context ranges hashed before, by place: events of a chunk share their templates. length 0: free. */
	struct { uint64_t offset, length; uint32_t source; uint8_t sha256[SHA256_SIZE]; } contexts[CONTEXT_SLOTS];
};

/* Adds to the list of what was not read. Any thread. */
void scan_note_unread(struct scan *s, uint64_t order, struct str path, const char *reason, bool is_log);
/* Attempts to log in that were put aside until more was known of them; `end`: of the source, all of them. */
void worker_logins_due(struct scan_worker *w, bool end);
/* kinds.c: the event's log sources become the source's; all of them in order. */
void source_kinds(struct scan_worker *w, struct event *ev);
void source_kinds_sort(struct scan_source *r);
/* Spills every hit of the event. */
void worker_event(struct scan_worker *w, struct event *ev);
/* merge.c: makes the correlator; false and *f when the rules pass a limit. */
bool scan_correlate_start(struct scan *s, struct fault *f);
/* A rule by its number in spilled findings; NULL for UINT32_MAX. */
const struct rule_info *scan_rule_info(const struct scan *s, uint32_t rule_index);
/* Its place by id, UINT32_MAX when there is none. */
uint32_t scan_rule_rank(const struct scan *s, uint32_t rule_index);
