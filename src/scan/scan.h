/* scan: the pipeline: paths -> sources -> events -> hits -> findings in order. The front door of the room.
 *
 * It has no threads, clock or output of its own: the driver (the scan command, later the watcher) makes as many workers as it
 * has threads and calls scan_worker_step on each until nothing is left (phase one: read, match, spill); then one thread calls
 * scan_finish (phase two: merge by time, source, offset; correlate; hand out findings). What comes out does not depend on the number of
 * workers. Functions are for one thread unless they say otherwise. */
#pragma once
#include "auth/auth.h"
#include "correlate/correlate.h"
#include "event/event.h"
#include "incident/incident.h"
#include "match/match.h"
#include "scan/coverage.h"
#include "scan/sight.h"
#include "scan/skew.h"

/* What a driver that keeps a case wants to see. A source of an earlier scan has a number of at least SCAN_OLDER_SOURCE. */
#define SCAN_OLDER_SOURCE 0x80000000u
struct scan_keeper {
	void *arg;
	/* Phase one, any worker. A source is about to be read: what its bytes, in file order, are to be shown to (scan_source.tap). */
	void *(*begin)(void *arg, uint64_t order, struct str path, struct str format);
	void (*bytes)(void *tap, const void *bytes, size_t n);
	void (*drop)(void *tap);  /* nothing could be read of it */
	/* Phase two, before findings. A hit that feeds correlations, in order. False stops. */
	bool (*hit)(void *arg, const struct corr_event *e);
	/* The next hit of earlier scans, in order of time; a view until the next call. False at the end. */
	bool (*older)(void *arg, struct corr_event *ret);
};

struct scan_config {
	const struct rule_set *rules;
	struct plan *plan;                       /* NULL: read only, match nothing */
	const struct taxonomy *taxonomy;
	const struct reader_ops *const *formats; /* every format, in order of preference where sniffing ties */
	size_t n_formats;
	struct reader_options reader;
	const char *temp_dir;                    /* for spilled hits */
	size_t state_memory;                     /* of correlations, bytes; 0 = 256 MiB */
	const struct auth *auth;                 /* NULL: events stay as they are, none is an authentication event */
	const struct incident_plan *incidents;   /* NULL: no incidents and no native analysers */
	bool log_sources;                        /* scan_source.log_sources is wanted */
	bool any_logsource;                      /* the plan's option */
	enum level min_level;                    /* correlations and detectors: findings below it are left out; the plan has its own */
	const struct known_sources *known_sources; /* of the detectors; NULL: none */
	bool every;                              /* correlations: a finding at each event at which the condition holds */
	const struct scan_keeper *keeper;        /* NULL: no case is kept */
};

/* Whether a file has the name of a Windows event log: what it holds should be one. */
bool scan_named_like_log(struct str path);
/* The format whose sniff of the first bytes is surest (`as`: that one, whatever the bytes); where these say nothing of a file named like an event log,
 * of those behind. NULL: no known format (f->kind FAULT_NONE), an empty source (FAULT_NOT_FOUND) or a read error (FAULT_IO). Any thread. */
const struct reader_ops *scan_format_of(const struct reader_ops *const *formats, size_t n, struct str as, struct input *in, struct fault *f);

/* A file, or a folder with everything below it, in byte order of names; links to folders below it are not followed. What cannot be listed or
 * opened, and what is no file, goes to `unread` with its reason; is_log: it may have been a log that should have been read. */
struct path_sink {
	void *arg;
	void (*file)(void *arg, const char *path, uint64_t size);
	void (*unread)(void *arg, const char *path, const char *reason, bool is_log);
};
void scan_walk_path(const char *path, const struct path_sink *to);

struct scan;
/* Borrows everything in *config for its life. NULL and *f when the correlations pass a limit. */
struct scan *scan_new(const struct scan_config *config, struct fault *f);
void scan_free(struct scan *s);
/* Everything scan_walk_path finds there; what it cannot read is noted as unread. */
void scan_add_path(struct scan *s, const char *path);
/* One file, to repeat a scan: it is cited as `shown` (copied), takes place `number` among the files (scan_add_path counts from 0; the order of
 * its sources is number << 24), and counts as written at mtime_sec (0: unknown), whatever the copy's own time. */
struct scan_file { const char *path; struct str shown; uint64_t number; int64_t mtime_sec; };
void scan_add_file(struct scan *s, const struct scan_file *file);

/* One thread's share. Steps of different workers may run at the same time. */
struct scan_worker;
struct scan_worker *scan_worker_new(struct scan *s);
/* Does a small piece of work (at most a few thousand events). False when there is nothing left for this worker. */
bool scan_worker_step(struct scan_worker *w);
/* Hands its counts and spilled hits over to the scan. */
void scan_worker_free(struct scan_worker *w);

/* What a finding shows of the event: the fields the rule names, or all, as one JSON object, appended. Any thread. */
void scan_hit_fields(struct event *ev, const struct hit *h, struct buf *out);

struct scan_progress {
	uint64_t bytes, bytes_total; /* of sources: read so far, and known in all */
	uint64_t events, hits;
	uint32_t sources, sources_total;
};
/* Any thread, any time. */
void scan_progress(const struct scan *s, struct scan_progress *ret);

/* What became of a source. Sources are in their final order; `source` of an evidence_ref is an index here. */
struct scan_source {
	struct source_info info;
	struct source_report report;
	uint64_t order;
	int32_t same_as;         /* index of an earlier source with the same SHA-256, or -1 */
	bool broken;             /* a read error ended it early; `reason` says which */
	struct str reason;
	bool hashed;             /* info.sha256 holds */
	struct logsource *log_sources; /* that its events are of, in order of product, service, category; only with scan_config.log_sources */
	uint32_t n_log_sources;
	struct auth_stats logins; /* lines that look like logins, and those of them that were understood */
	void *tap;               /* the keeper's; the driver's to free */
};
struct scan_unread {
	struct str path, reason;
	bool is_log;             /* it should have been read: counts for the exit status */
	uint64_t order;
};
struct scan_results {
	const struct scan_source *sources;
	uint32_t n_sources;
	const struct scan_unread *unread;
	uint32_t n_unread;
	const struct rule_coverage *coverage; /* [rule_set_count]; NULL without a plan */
	const struct rule_sight *sight;       /* the same: had events the fields a rule needs? */
	uint64_t events, outside; /* events read; of them outside --since/--until */
	uint64_t findings;        /* after scan_finish */
	uint64_t by_level[LEVELS];
	uint64_t twins;           /* attempts to log in that a second log of the host told as well: counted once (twins.h); after scan_finish */
	uint32_t copies;          /* sources whose bytes are those of another */
	const struct str *stories;      /* of incidents, for people, the worst first, then what was read of other servers; after scan_finish */
	uint32_t n_stories;
	const struct scope_row *scope;  /* what there was to look at, server x log; after scan_finish */
	uint32_t n_scope;
	const struct skew *skews;           /* clocks that are apart; after scan_settle */
	uint32_t n_skews;
	const struct coverage_table *hosts; /* which host wrote which log when, sorted; after scan_settle */
	struct corr_stats correlations; /* after scan_finish */
	struct detect_stats logins;     /* the same */
	const struct str *notes;        /* what detectors took for normal, and why; the same */
	uint32_t n_notes;
};

/* Receives findings in their final order; the view lives until put returns. False stops (the sink keeps its own fault). */
struct finding_sink {
	bool (*put)(struct finding_sink *self, const struct finding *finding, const struct scan_results *results);
};

/* After all workers are freed. Orders the sources: scan_results are complete but for the finding counts. False and *f when a
 * spill could not be written in phase one. */
bool scan_settle(struct scan *s, struct fault *f);
/* Hits of this source go no further (an earlier scan has them). Between scan_settle and scan_finish. */
void scan_leave_out(struct scan *s, uint32_t source);
/* Phase two. False and *f on failure (also when a sink stopped: then f->kind is FAULT_NONE). */
bool scan_finish(struct scan *s, struct finding_sink *const *sinks, size_t n_sinks, struct fault *f);
const struct scan_results *scan_results(const struct scan *s);
