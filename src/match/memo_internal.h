/* memo: what a scanner found in texts that come again and again, and what tests said of them: image paths, users, levels.
 *
 * One thread's, bounded (MEMO_BYTES and two tables), remembered from a text's second coming on, so that texts that come once
 * cost a hash and no copy. An entry is used only when scanner and text are the same, byte by byte: what it gives is what
 * the scan would give. Of a scanner whose texts hardly ever come again most are not looked for. When the memory is full everything is forgotten, between two events. */
#pragma once
#include "base/arena.h"
#include "match/leaf_internal.h"
#include "match/scanner_internal.h"

enum { MEMO_BYTES = 1 << 20, MEMO_SLOTS = 4096, MEMO_LONGEST = 1024, MEMO_MOST_FOUND = 256 };

struct memo_entry {
	const void *scanner;           /* or an input that has none; NULL: free */
	uint64_t serial;               /* no two entries ever have the same; from 1 */
	uint64_t hash;
	const char *text;              /* as it was before folding */
	struct str folded;             /* with UTF_SLACK bytes to read behind it; until the next memo_event */
	const uint32_t *found;
	uint32_t n, n_found;           /* bytes of text; ids */
};

struct memo;
/* `forgetful`: nothing is ever found. */
struct memo *memo_new(bool forgetful);
void memo_free(struct memo *m);
/* To be called between events. */
void memo_event(struct memo *m);
/* The entry, or NULL; then *ret_hash is for memo_keep, 0 when it should not be called. */
const struct memo_entry *memo_find(struct memo *m, const void *scanner, struct str text, uint64_t *ret_hash);
/* The new entry, NULL when it was not kept. */
const struct memo_entry *memo_keep(struct memo *m, const void *scanner, struct str text, uint64_t hash, struct str folded, const uint32_t *found, uint32_t n_found);

/* What a test that depends on nothing but an entry's text said of it: at most MEMO_VERDICTS of them, a new one in the place of an old one. */
enum { MEMO_VERDICTS = 1 << 14, MEMO_TEST_BITS = 22 };
/* False: it is not known. */
bool memo_verdict(const struct memo *m, uint64_t serial, uint32_t test, enum verdict *ret);
void memo_keep_verdict(struct memo *m, uint64_t serial, uint32_t test, enum verdict v);
