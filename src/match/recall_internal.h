/* recall: what became of whole events, so that one that says the same again in all that rules ask is neither decoded nor matched.
 *
 * The key is what event_ops.undecoded gives for the columns that a program asks (program.asked); it is compared in full, byte by byte, so that what is
 * given is what matching would give, whoever chooses the bytes. One thread's; bounded: a ring of RECALL_BYTES and where what is in it, of which
 * only what is in use is ever touched. Nothing is allocated for an event. A new one takes the place of the oldest ones; those that are still asked for go round.
 *
 * Of a program whose events hardly ever come again only one in 32 is looked for, until they do. They are chosen by a number that is the same when an event
 * comes again, and which of these numbers are meant changes after turns that become longer: a program may have few of them, and then none may be among the
 * chosen ones. */
#pragma once
#include "match/leaf_internal.h"

enum {
	RECALL_BYTES = 16 << 20,
	RECALL_LONGEST = 16384,          /* bytes of the longest entry: head, outcomes and key */
	RECALL_MOST_OUTCOMES = 24
};

/* What one rule said: of several bindings the one that counts. */
struct outcome { uint32_t rule; int32_t binding; uint32_t verdict; };

struct recall;
struct recall_entry {
	const void *program, *ops;
	uint64_t serial;               /* no two entries of a recall ever have the same; from 1 */
	uint64_t holding;              /* conditional bindings that hold, for coverage */
	uint32_t n, n_outcomes;        /* bytes of key; outcomes */
	/* Then the outcomes, then the key. */
};
static inline const struct outcome *recall_outcomes(const struct recall_entry *e) { return (const struct outcome *)(e + 1); }

/* How it goes with the events of one program. Zero-initialised. */
struct recall_gauge { uint32_t seen; uint16_t asked, found, turns; uint8_t turn; bool rests; };

struct recall *recall_new(void);
void recall_free(struct recall *r);
/* Whether an event of this feature (any number that is the same when it comes again) is to be looked for. */
bool recall_wanted(struct recall_gauge *g, uint64_t feature);
/* Writes zeros behind the key. */
uint64_t recall_hash(const void *program, struct buf *key);
/* What recall_prepare looks at is fetched: it should be called a little later. */
void recall_ahead(const struct recall *r, uint64_t hash);
/* Whether the key may be there; false: recall_find would not find it. It should be called a little later: until then memory is fetched. */
bool recall_prepare(const struct recall *r, uint64_t hash, size_t key_bytes);
/* The entry, until the next recall_find or recall_keep; NULL: it is not known. Counts in the gauge. */
const struct recall_entry *recall_find(struct recall *r, struct recall_gauge *g, const void *program, const void *ops, struct str key, uint64_t hash);
/* The new entry's serial, 0: it was not kept. */
uint64_t recall_keep(struct recall *r, uint64_t hash, const struct recall_entry *head, const struct outcome *outcomes, struct str key);
