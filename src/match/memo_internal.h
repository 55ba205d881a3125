/* memo: what a scanner found in texts that come again and again: image paths, users, levels.
 *
 * One thread's, bounded (MEMO_BYTES and two tables), remembered from a text's second coming on, so that texts that come once
 * cost a hash and no copy. An entry is used only when scanner and text are the same, byte by byte: what it gives is what
 * the scan would give. When the memory is full everything is forgotten, between two events. */
#pragma once
#include "base/arena.h"
#include "match/scanner_internal.h"

enum { MEMO_BYTES = 1 << 20, MEMO_SLOTS = 4096, MEMO_LONGEST = 512, MEMO_MOST_FOUND = 256 };

struct memo_entry {
	const struct scanner *scanner; /* NULL: free */
	uint64_t hash;
	const char *text;              /* as it was before folding */
	struct str folded;             /* with UTF_SLACK bytes to read behind it; until the next memo_event */
	const uint32_t *found;
	uint32_t n, n_found;           /* bytes of text; ids */
};

struct memo;
struct memo *memo_new(void);
void memo_free(struct memo *m);
/* To be called between events. */
void memo_event(struct memo *m);
/* The entry, or NULL; then *ret_hash is for memo_keep, 0 when it should not be called. */
const struct memo_entry *memo_find(struct memo *m, const struct scanner *scanner, struct str text, uint64_t *ret_hash);
void memo_keep(struct memo *m, const struct scanner *scanner, struct str text, uint64_t hash, struct str folded, const uint32_t *found, uint32_t n_found);
