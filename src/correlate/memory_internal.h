/* memory_internal: the budgeted memory all state of a correlator lives in.
 *
 * One budget, drawn on by slabs (fixed-size entries by a dense 32-bit index), a pool (blocks of any size by index) and hash
 * tables. Addresses never move: each slab and pool is a reserved address range that is made usable piece by piece. Index 0 is
 * "none". What is freed is used again by the same slab, or within the pool; it stays charged to the budget. Everything fails
 * softly when the budget is used up. One thread. */
#pragma once
#include "base/alloc.h"
#include "base/str.h"

struct budget {
	size_t limit, used, peak;
	size_t reserve;          /* the last part of the limit, for what is taken while `privileged` */
	bool privileged;
	size_t held;             /* of what is used, what was taken while privileged, where that is known: the reserve is smaller by it */
};
/* What of the limit is spared for the privileged. */
static inline size_t budget_spared(const struct budget *b) { return b->held < b->reserve ? b->reserve - b->held : 0; }
bool budget_take(struct budget *b, size_t n);
void budget_give(struct budget *b, size_t n);

/* Reserved address space, usable up to `committed`. */
struct range_memory {
	char *base;
	size_t reserved, committed;
};

struct slab {
	struct range_memory memory;
	struct budget *budget;
	uint32_t stride, n, free, live; /* n: entries ever handed out, slot 0 included */
};
/* False when address space cannot be had. */
bool slab_init(struct slab *s, struct budget *b, uint32_t stride);
void slab_done(struct slab *s);
/* 0 when the budget is used up. The entry is not cleared. */
uint32_t slab_take(struct slab *s);
void slab_give(struct slab *s, uint32_t index);
static inline void *slab_at(const struct slab *s, uint32_t index) { return s->memory.base + (size_t)index * s->stride; }

static inline uint32_t slab_index(const struct slab *s, const void *entry) { return (uint32_t)((size_t)((const char *)entry - s->memory.base) / s->stride); }

/* Blocks in units of 16 bytes, four size classes to a doubling. */
enum { POOL_UNIT = 16, POOL_CLASSES = 120 };
struct pool {
	struct range_memory memory;
	struct budget *budget;
	uint32_t n;                    /* units handed out, unit 0 included */
	uint32_t free[POOL_CLASSES];
	size_t free_bytes;
};
bool pool_init(struct pool *p, struct budget *b);
void pool_done(struct pool *p);
uint32_t pool_take(struct pool *p, size_t bytes);
/* `bytes` as given to pool_take. */
void pool_give(struct pool *p, uint32_t index, size_t bytes);
static inline void *pool_at(const struct pool *p, uint32_t index) { return p->memory.base + (size_t)index * POOL_UNIT; }

/* Hash table of indices: open addressing, the caller compares. The 32 bits of hash kept in a slot place it. */
struct table_slot { uint32_t hash, index; };
struct table {
	struct table_slot *slots;
	uint32_t mask, n;              /* slots is NULL at first */
	struct budget *budget;
};
void table_done(struct table *t);
/* False when the budget does not let it grow and it is full. */
bool table_add(struct table *t, uint32_t hash, uint32_t index);
/* Removes the entry; it must be there. */
void table_remove(struct table *t, uint32_t hash, uint32_t index);
/* for (TABLE_EACH(t, hash, i)) visits the indices filed under `hash`. */
static inline uint32_t table_next(const struct table *t, uint32_t hash, uint32_t *at)
{
	while (t->slots[*at].index) {
		struct table_slot s = t->slots[*at];
		*at = (*at + 1) & t->mask;
		if (s.hash == hash) return s.index;
	}
	return 0;
}
#define TABLE_EACH(t, h, i) uint32_t at_ = (t)->slots ? (h) & (t)->mask : 0, i = (t)->slots ? table_next((t), (h), &at_) : 0; i; i = table_next((t), (h), &at_)
