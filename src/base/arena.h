/* arena: memory with one lifetime, released all at once; the home of everything sized by input.
 *
 * An arena belongs to one thread at a time. It has a budget: an allocation that would pass it fails softly (NULL) and is
 * counted, so that hostile input ends as a limit, not as an empty machine. After arena_reset the blocks are kept and
 * poisoned for AddressSanitizer: a view that outlived its batch is caught. */
#pragma once
#include "base/str.h"

struct arena_block;
struct arena {
	struct arena_block *first, *current;
	char *at, *end;      /* free part of the current block */
	size_t first_size;   /* of the first block; each further one is twice as large as the one before, up to 4 MiB */
	size_t used, budget; /* bytes handed out since the last reset, and their limit */
	uint64_t refused;    /* allocations that failed, since arena_init */
};

void arena_init(struct arena *a, size_t budget);
/* The same for what there are thousands of and what mostly holds little: begins with 512 bytes instead of 64 KiB. */
void arena_init_small(struct arena *a, size_t budget);
void arena_done(struct arena *a);
/* Forgets everything handed out; memory stays for the next round (blocks beyond the first 1 MiB are given back). */
void arena_reset(struct arena *a);
void *arena_alloc_slow(struct arena *a, size_t n);

/* n bytes aligned to 16, not zeroed; NULL when the budget is used up. n == 0 gives a valid pointer. */
static inline void *arena_alloc(struct arena *a, size_t n)
{
#if !defined(EXHIBIT_ASAN) /* set by the build with -Db_sanitize=address */
	size_t need = (n + 15) & ~(size_t)15;
	if (need >= n && need <= (size_t)(a->end - a->at) && need <= a->budget - a->used) {
		void *p = a->at;
		a->at += need;
		a->used += need;
		return p;
	}
#endif
	return arena_alloc_slow(a, n);
}
/* count * size bytes, zeroed; NULL also when the product overflows. */
void *arena_calloc(struct arena *a, size_t count, size_t size);
/* A copy of s, with a NUL behind it (not counted in n); p == NULL on failure. */
struct str arena_str(struct arena *a, struct str s);
