/* reader: the contract every format fulfils: the bytes of one source in, events out, every byte accounted for.
 *
 * A reader is one source being read. One or more cursors pull events from it; a cursor belongs to one thread, cursors of one
 * reader may run at once (EVTX hands out blocks of chunks under a lock; most formats allow one cursor). What the events are and
 * what the report says never depends on how many cursors there were. Readers read through `struct input`, which hashes. */
#pragma once
#include "base/etime.h"
#include "base/fault.h"
#include "base/sha256.h"
#include "base/alloc.h"
#include "base/zone.h"

struct event;
struct shape_table;

/* input: the bytes of one source: a file, or a member of an archive spilled to memory or to an unlinked file.
 * input_next must be called by one thread at a time (readers with several cursors hold a lock); input_pread by any. */
struct input {
	struct str path;        /* as shown and cited: "dir/a.evtx", "evidence.zip!/logs/u_ex210302.log" */
	uint64_t size;
	int64_t mtime_sec;      /* file time, for year inference; 0 = unknown */
	int fd;                 /* -1 when the bytes are in memory */
	const void *memory;
	struct sha256 *sha;     /* made with the first bytes of the pass; NULL until then */
	bool unhashed;          /* no SHA-256 is wanted */
	bool alone;             /* the driver's promise: one thread alone reads this input and makes its events; input_settle before it is taken back */
	uint64_t at;            /* next byte of the hashing pass */
	void (*tap)(void *arg, const void *bytes, size_t n); /* NULL, or: is shown the bytes of the pass, in order */
	void *tap_arg;
};
/* A file. False and *f on failure. */
bool input_open(struct input *in, const char *path, struct str shown_as, struct fault *f);
/* Bytes in memory or in an open descriptor that the input then owns (fd) or borrows (memory). */
void input_of_memory(struct input *in, const void *bytes, size_t n, struct str shown_as);
void input_of_fd(struct input *in, int fd, uint64_t size, struct str shown_as);
/* No SHA-256 is wanted: input_next only reads, input_finish is not called. Before the first input_next. */
void input_unhashed(struct input *in);
/* The next n bytes of the pass, hashed; short only at the end; -1 and *f on a read error. */
int64_t input_next(struct input *in, void *out, size_t n, struct fault *f);
/* As input_next; but when one thread reads alone, hashing waits for moments between other work (base/sha256.h). The bytes must stay as they are
 * until the next call of input_next, input_next_kept, input_settle or input_finish. */
int64_t input_next_kept(struct input *in, void *out, size_t n, struct fault *f);
/* Before kept bytes are moved, changed or freed. */
void input_settle(struct input *in);
/* Between two steps of other work: hashes a block of what waits, if anything does. For those who work on the input's events. */
static inline void input_hash_some(struct input *in) { if (in->alone && in->sha) sha256_some(in->sha); }
/* The SHA-256 of other bytes, sooner where something waits that can be hashed beside them. */
static inline void input_hash_beside(struct input *in, const void *bytes, size_t n, uint8_t ret[SHA256_SIZE])
{
	if (in->alone && in->sha) sha256_beside(in->sha, bytes, n, ret);
	else sha256_of(bytes, n, ret);
}
/* Any bytes, not hashed; short only at the end; -1 and *f on a read error. */
int64_t input_pread(struct input *in, void *out, size_t n, uint64_t offset, struct fault *f);
/* Reads and hashes what the pass has left, gives the SHA-256 of the whole source. False and *f on a read error, or when the
 * source is not the size it was when opened (it changed under us). */
bool input_finish(struct input *in, uint8_t ret[SHA256_SIZE], struct fault *f);
void input_close(struct input *in);

/* Bytes of a source that could not be read as records. */
struct damage {
	uint64_t offset, length;
	struct str reason;      /* a static string or one in the report's arena: short, lower case: "record size out of bounds" */
};
/* Something a reader noticed that is not damage: a wrong checksum, a gap in record ids, an inferred year. */
struct note {
	uint64_t offset;
	struct str text;
};

/* Bytes that are no damage, where a table of them is kept. */
enum range_kind { RANGE_HEADER, RANGE_RECORDS, RANGE_RECOVERED, RANGE_SLACK, RANGE_DAMAGE /* damage that `damage` had no room for */ };
struct byte_range { uint64_t offset, length : 56, kind : 8; };

enum { REPORT_MAX_DAMAGE = 10000, REPORT_MAX_NOTES = 1000, REPORT_MAX_RANGES = 1 << 20 };

/* What became of every byte of a source. The five counts sum to its size. */
struct source_report {
	struct arena *arena;    /* owned by the caller; strings of the report live here */
	uint64_t header, records, recovered, slack, damaged; /* bytes */
	uint64_t n_records;     /* records read, recovered ones included */
	uint64_t n_recovered;
	uint64_t n_events;
	struct etime first, last;  /* of the records but those with odd times (etime_is_odd); absent when none */
	uint64_t n_odd, odd_at;    /* how many these are, and where the first stands */
	VEC(struct damage) damage; /* by offset, at most REPORT_MAX_DAMAGE; more_damage counts the rest */
	VEC(struct note) notes;    /* by offset */
	uint64_t more_damage, more_notes;
	uint64_t limited;       /* events of which a limit cut something */
	bool keep_ranges;       /* reader_options.ranges: then, with `damage`, every byte of the source stands in exactly one range: */
	VEC(struct byte_range) ranges; /* by offset after report_sort, at most REPORT_MAX_RANGES; more_ranges counts the rest */
	uint64_t more_ranges;
	struct str parameters;  /* what is needed to read it again: "format=iis-w3c zone=UTC year=2021", space-separated */
};
/* Bytes of a kind. */
void report_range(struct source_report *r, enum range_kind kind, uint64_t offset, uint64_t length);
static inline void report_as(struct source_report *r, uint64_t *sum, enum range_kind kind, uint64_t offset, uint64_t n)
{
	*sum += n;
	if (r->keep_ranges) report_range(r, kind, offset, n);
}
static inline void report_header(struct source_report *r, uint64_t offset, uint64_t n) { report_as(r, &r->header, RANGE_HEADER, offset, n); }
static inline void report_records(struct source_report *r, uint64_t offset, uint64_t n) { report_as(r, &r->records, RANGE_RECORDS, offset, n); }
static inline void report_recovered(struct source_report *r, uint64_t offset, uint64_t n) { report_as(r, &r->recovered, RANGE_RECOVERED, offset, n); }
static inline void report_slack(struct source_report *r, uint64_t offset, uint64_t n) { report_as(r, &r->slack, RANGE_SLACK, offset, n); }
/* Add an entry; `damage` also adds length to `damaged`. `reason` is copied into the report's arena when it is not static. */
void report_damage(struct source_report *r, uint64_t offset, uint64_t length, const char *static_reason);
void report_note(struct source_report *r, uint64_t offset, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* At the end: what is to be said of records with odd times. */
void report_note_odd(struct source_report *r);
/* Adds `from` to `into`: counts, times, entries (texts are copied). For readers whose cursors each keep an account of their own;
 * the bounds on entries then hold after report_sort, which keeps the first ones by offset. */
void report_join(struct source_report *into, const struct source_report *from);
/* Sorts entries by offset; joins damage entries that touch and have the same reason, and ranges that touch and are of one kind. */
void report_sort(struct source_report *r);
void report_done(struct source_report *r);

struct buf;
struct reader_options {
	struct etime since, until;  /* absent = no limit; a reader may skip what is surely outside, the driver checks again */
	bool has_ids;               /* only events with a record id from first_id to last_id; as for since */
	uint64_t first_id, last_id;
	/* How events are shown as JSON where the format has more to say than the shape that other tools agree on: */
	bool exact_times;           /* times with all digits the source keeps */
	bool omit_absent;           /* elements that depend on a value which is not there are left out */
	bool whole_text;            /* text behind a NUL is kept */
	bool lone_surrogates;       /* halves of UTF-16 pairs are kept, as \ud8xx */
	bool carve;                 /* also read stale records in slack */
	bool ranges;                /* source_report.ranges are kept */
	int32_t zone_seconds;       /* east of UTC, for sources that carry no zone */
	struct zone zone;           /* the same with summer time; its text is empty: none. zone_seconds is then its standard time */
	struct str format;          /* --as: empty, or the format's name */
	struct str logsource;       /* --logsource product=..,category=..: empty, or overrides what the content says */
};

struct reader;
struct reader_cursor;
enum { LINES_PART = 1 << 20 }; /* bytes: see next_lines */
struct reader_ops {
	const char *format;         /* "evtx"; also the word in --as, --stats and log-source data */
	const char *what;           /* one line for people: "Windows event log (EVTX)" */
	const char *mark;           /* what in its bytes tells it from others, for people: "begins with ElfFile"; may be NULL */
	uint32_t max_cursors;       /* how many may run at once on one source; 1 for most */
	/* How surely the first bytes are this format: 0 = no .. 100 = certain. `head` is up to 64 KiB, `size` the source's. */
	int (*sniff)(struct str head, uint64_t size, struct str path);
	/* NULL and *f when nothing can be read at all. The reader borrows `in` and `options` until free. */
	struct reader *(*open)(struct input *in, const struct reader_options *options, struct fault *f);
	/* `shapes` may be NULL when only next_lines will be called. */
	struct reader_cursor *(*cursor_new)(struct reader *r, struct shape_table *shapes);
	/* The next event, or NULL at the end of what this cursor gets. The event dies at the next call. Records that exist but
	 * cannot become events are damage. Events of one cursor come in file order. */
	struct event *(*next)(struct reader_cursor *c);
	/* NULL, or: the events of the next block as lines of JSON, what next and event_ops.json would give, appended to `out`; those that
	 * the options leave out are left out. False at the end. *ret_batch is the block's event.batch. Not to be mixed with next. A block that has more than
	 * LINES_PART bytes of them comes in several parts: when a call appends that many, more of the same block may follow. */
	bool (*next_lines)(struct reader_cursor *c, struct buf *out, uint64_t *ret_batch);
	void (*cursor_free)(struct reader_cursor *c);
	/* After all cursors are freed: completes and hands over the report (rest of the file, deferred records are events of a
	 * last cursor before that). *ret must be zeroed but for `arena`. */
	void (*finish)(struct reader *r, struct source_report *ret);
	void (*free)(struct reader *r);
};
