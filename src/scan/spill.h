/* spill: findings put aside in any order, given back sorted, in bounded memory.
 *
 * A spill belongs to one writer thread; it sorts what its buffer holds and writes it as a run to a file of its own that has no
 * name (it vanishes with the process). The merge reads the runs of all spills in order of their keys. What comes out depends on
 * the set of entries alone, never on who wrote them or when. */
#pragma once
#include "base/base.h"

/* The order of all output: time (absent first), source, offset, rule, kind. */
struct spill_key {
	int64_t sec;
	uint64_t order;   /* of the source */
	uint64_t offset;
	uint32_t nsec;
	uint32_t rank;    /* of the rule by its id; UINT32_MAX without */
	uint8_t present;
	uint8_t kind;
};
int spill_key_cmp(const struct spill_key *a, const struct spill_key *b);

struct spill;
/* `dir`: where unnamed files may be made; borrowed. `buffer_bytes`: memory before a run is written. */
struct spill *spill_new(const char *dir, size_t buffer_bytes);
void spill_free(struct spill *s);
/* What an entry says: what it has in common with others, and what is its own. */
struct spill_payload { struct str shared, own; };
/* Copies the payload. `same`: a number that goes up with each new shared part, or 0; where it is that of the entry added before, so is what they share,
 * which is then held once. False and *f when the disk refuses. */
bool spill_add(struct spill *s, const struct spill_key *key, struct spill_payload payload, uint64_t same, struct fault *f);
uint64_t spill_count(const struct spill *s);

struct spill_merge;
/* The spills must not be written any more and must outlive the merge; NULL entries are allowed. May be made several times in
 * turn. NULL and *f on failure. */
struct spill_merge *spill_merge_new(struct spill *const *spills, size_t n, struct fault *f);
/* The next entry; its payload lives until the next call. False at the end, or with f->kind set on a read error. */
bool spill_merge_next(struct spill_merge *m, struct spill_key *ret_key, struct spill_payload *ret_payload, struct fault *f);
void spill_merge_free(struct spill_merge *m);
