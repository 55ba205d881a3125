/* reader_internal: what the parts of the reader share: reader.c (the file and its chunks), record.c (a record as an event), recover.c (what has to wait for the whole
 * file), stray.c (records that stand where they do not belong). */
#pragma once
#include "evtx/evtx.h"
#include "evtx/plan_internal.h"
#include <pthread.h>

/* A record that waits for the end of the file: its template is not in its chunk, or it is a stale one that may be live elsewhere. */
struct deferred { uint64_t chunk; uint32_t at, size; bool carved; };
struct known_template { uint64_t chunk; uint32_t def, id; int32_t shift; bool sure; struct fragment *fragment; }; /* as read in the last pass; NULL: not yet */

/* A record that stands in free space, or, when it is `foreign`, among others that it does not belong to. `why`: it is damage where it is not told, else slack. `told`: of another place. */
struct stray { uint64_t chunk, id, hash, time; uint32_t at, size; const char *why; bool foreign, told; };

struct reader {
	struct input *in;
	const struct reader_options *options;
	pthread_mutex_t lock;
	uint64_t next_batch;
	struct source_report report;     /* under the lock, but for strings */
	struct arena notes;
	bool image;                      /* no log, but something that may hold parts of logs: what is no record is none of our business */
	bool failed;                     /* a read error: nothing more comes */
	uint64_t peeked;                 /* a chunk is known to begin here; 0 = nowhere */
	uint8_t *carry;                  /* bytes read ahead, when a chunk begins in the middle of a block */
	uint32_t carry_n;
	uint32_t running;                /* cursors that have not met the end */
	VEC(struct deferred) deferred;
	struct map known;                /* template id -> index in known_at, the first in the file */
	VEC(struct known_template) known_at;
	bool searched;                   /* for templates that no record which could be read has: */
	VEC(struct known_template) candidates;
	VEC(struct stray) strays;        /* without --carve */
	uint64_t more_strays;            /* that found no room, */
	bool foreign_overflow;           /* foreign ones among them */
	VEC(struct span) misnamed;       /* blocks without a header, or of which it names other records than stand behind it: the ids met */
	uint64_t lowest_named, lowest_met; /* ids; UINT64_MAX: none */
	bool unsure;                     /* a block's checksums do not hold */
	const struct reader_cursor *carver; /* --carve: the one cursor that takes the blocks, for what is told first must not depend on threads */
	uint64_t *told;                  /* hashes of the records that were told, for --carve; 0 = free */
	uint32_t n_told;
	uint64_t told_overflow, told_early; /* records that found no room in the table; stale ones told before all live ones were known */
	uint64_t gaps, back, first_gap, first_back; /* of all cursors */
	struct spans spans;              /* of the blocks taken so far */
	uint8_t peeked_head[SPAN_HEAD];  /* what was read of it */
	uint64_t n_copies, first_copy;   /* of all cursors */
};

struct reader_cursor {
	struct reader *r;
	struct shape_table *shapes;
	struct template_store *store;
	struct arena arena;              /* reset for each record batch: one chunk */
	uint8_t *block;
	struct evtx_chunk chunk;
	uint64_t offset, batch;          /* of the chunk in the file */
	struct direct *direct;
	struct record_place *places;            /* records of the chunk */
	uint32_t n_places, next_place;
	bool sure;                       /* the chunk's checksums hold */
	struct { uint64_t chunk, id; struct record_ref record; } tail; /* the last record of the chunk read before, when its header agrees; chunk 0 = none */
	uint64_t gaps, back, first_gap, first_back; /* in record ids and times of events that stand side by side; offsets of the first */
	uint64_t n_copies, first_copy;   /* records that stand elsewhere in the file already, and the first's offset */
	bool has_before;                 /* an event came before in this chunk: */
	uint64_t before_id;
	struct etime before_time;
	struct event_hole hole;
	bool recovered;                  /* the chunk's records were found by search */
	struct event event;
	struct instance root, content;
	const struct leaf *leaves;
	uint32_t n_leaves;
	struct record_ref record;
	struct value *cells;             /* [cells_room]: of the event, when it is asked for any */
	uint32_t cells_room;
	bool bare;                       /* of the record at hand nothing but its head can be read */
	struct { uint32_t at, end; struct record_place place; } inner; /* what is left of bytes that only looked like a record: others may stand in them */
	/* The last pass: records that were deferred. */
	bool last_pass, ended;
	VEC(struct deferred) deferred;
	size_t next_deferred;
	uint8_t *other_block;            /* a chunk from which a template is taken */
	struct evtx_chunk other;
	uint64_t first_written, last_written; /* FILETIME of the records' heads; 0 = none */
	struct source_report local;      /* what this cursor met; joined with the reader's when it ends */
	struct arena local_strings;
};

enum {
	BLOCK = 2 * EVTX_CHUNK,  /* a chunk, and what was put into it */
	ARENA_BUDGET = 16 << 20, ARENA_WARM = 32 << 10,
	STORES_MAX = 16 << 20,   /* bytes of all cursors' templates and what is made of them; more only within a block */
	KNOWN_MAX = 65536,       /* templates of which the first place in the file is kept */
	DEFERRED_MAX = 400000,   /* beyond them records with lost templates are read by the usual layout at once, stale ones compared with what came before them only */
	CANDIDATES_MAX = 200000, /* definitions that are looked at for lost templates */
	TOLD_SLOTS = 1 << 20     /* open addressing, three quarters used at most */
};

/* A block of the file, as it stands there, into `block` [BLOCK + EVTX_PAD]; false when nothing can be read. */
bool reader_load(struct reader *r, uint64_t offset, uint8_t *block, struct evtx_chunk *chunk);

/* Between blocks; `cursors` that run. */
void reader_trim(struct reader_cursor *c, uint32_t cursors);

/* --- stray.c: without --carve --- */

/* A record stands in the free space of the block at hand. It is accounted for when it is told, or by stray_begin: as damage, if that is `why`, or slack. */
void stray_in_slack(struct reader_cursor *c, uint32_t at, uint32_t size, const char *why);
/* The block at hand was read. Of its places those are taken out that do not belong there. */
void stray_block(struct reader_cursor *c);
/* At the end, under the lock: strays that no other place has are put aside for the last pass; the others are slack. */
void stray_begin(struct reader_cursor *c);
void stray_free(struct reader *r);

/* --- record.c --- */

/* The record as the cursor's event; *ret_why: what of it could not be read, NULL = nothing. False: a template is lost and it is not the `final`
 * try, or no event can be made at all. */
bool record_event(struct reader_cursor *c, const struct record_place *place, bool final, const char **ret_why);
extern const struct event_ops record_ops;

/* --- recover.c --- */

/* For --carve, on the cursor that takes the blocks, or the last: whether a record of the same bytes was told; notes that this one is. */
bool recover_was_told(struct reader *r, const uint8_t *record, uint32_t size);
void recover_told(struct reader *r, const uint8_t *record, uint32_t size);
/* Templates of the chunk at hand that were met for the first time are made known to all. */
void recover_publish(struct reader_cursor *c);
/* Puts a record aside for the last pass; false when there is no room or it is the last pass. */
bool recover_defer(struct reader_cursor *c, const struct record_place *place);
/* struct evtx_chunk.find_template that finds none. */
struct fragment *recover_no_template(void *arg, uint32_t id);
/* When this is the last cursor that runs, it takes over what waits. */
bool recover_begin(struct reader_cursor *c);
/* The next record that waited becomes the cursor's only place. False at the end. */
bool recover_next(struct reader_cursor *c);
