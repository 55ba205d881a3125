/* memory.c: budget, slabs, pool and tables. See memory_internal.h. */
#include "correlate/memory_internal.h"
#include <sys/mman.h>

enum { SMALL_PAGES = 2 << 20 };

bool budget_take(struct budget *b, size_t n)
{
	size_t limit = b->limit - (b->privileged ? 0 : budget_spared(b));
	if (n > limit || b->used > limit - n) return false;
	b->used += n;
	if (b->used > b->peak) b->peak = b->used;
	return true;
}

void budget_give(struct budget *b, size_t n) { b->used -= n; }

static bool range_init(struct range_memory *m, size_t bytes)
{
	*m = (struct range_memory){.reserved = bytes};
	void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) return false;
	m->base = p;
	/* Random access over hundreds of megabytes: large pages save most of the TLB misses. The beginning, which is all that most scans use, has small ones: a
	 * large one is cleared whole at the first touch. */
	if (bytes >= 64u << 20) madvise(m->base + SMALL_PAGES, bytes - SMALL_PAGES, MADV_HUGEPAGE);
	return true;
}

static void range_done(struct range_memory *m)
{
	if (m->base) munmap(m->base, m->reserved);
	*m = (struct range_memory){0};
}

/* Makes the first n bytes usable. */
static bool range_commit(struct range_memory *m, size_t n)
{
	if (n <= m->committed) return true;
	if (n > m->reserved) return false;
	size_t step = m->reserved >= 64u << 20 ? 2u << 20 : 64u << 10, to = (n + step - 1) / step * step;
	if (to > m->reserved) to = m->reserved;
	if (mprotect(m->base + m->committed, to - m->committed, PROT_READ | PROT_WRITE) != 0) return false;
	m->committed = to;
	return true;
}

/* The address space to reserve for a part that could, at most, use the whole budget. */
static size_t reserve_for(const struct budget *b) { return (b->limit + (4u << 20)) & ~((size_t)(2u << 20) - 1); }

bool slab_init(struct slab *s, struct budget *b, uint32_t stride)
{
	*s = (struct slab){.budget = b, .stride = stride, .n = 1};
	return range_init(&s->memory, reserve_for(b)) && range_commit(&s->memory, stride);
}

void slab_done(struct slab *s) { range_done(&s->memory); }

uint32_t slab_take(struct slab *s)
{
	uint32_t index = s->free;
	if (index) {
		memcpy(&s->free, slab_at(s, index), sizeof s->free);
	} else {
		if (s->n == UINT32_MAX || !budget_take(s->budget, s->stride)) return 0;
		if (!range_commit(&s->memory, ((size_t)s->n + 1) * s->stride)) {
			budget_give(s->budget, s->stride);
			return 0;
		}
		index = s->n++;
	}
	s->live++;
	return index;
}

void slab_give(struct slab *s, uint32_t index)
{
	memcpy(slab_at(s, index), &s->free, sizeof s->free);
	s->free = index;
	s->live--;
}

/* Class of a size in units, and the size all blocks of a class have. */
static unsigned class_of(uint32_t units)
{
	if (units <= 8) return units - 1;
	unsigned log = 31 - (unsigned)__builtin_clz(units - 1), shift = log - 2;
	return 8 + (log - 3) * 4 + ((units - 1) >> shift) - 4;
}

static uint32_t class_units(unsigned class)
{
	if (class < 8) return class + 1;
	unsigned log = (class - 8) / 4 + 3, part = (class - 8) % 4;
	return (uint32_t)(5 + part) << (log - 2);
}

bool pool_init(struct pool *p, struct budget *b)
{
	*p = (struct pool){.budget = b, .n = 1};
	return range_init(&p->memory, reserve_for(b)) && range_commit(&p->memory, POOL_UNIT);
}

void pool_done(struct pool *p) { range_done(&p->memory); }

static uint32_t pop(struct pool *p, unsigned class)
{
	uint32_t index = p->free[class];
	memcpy(&p->free[class], pool_at(p, index), sizeof p->free[class]);
	p->free_bytes -= (size_t)class_units(class) * POOL_UNIT;
	return index;
}

static void push(struct pool *p, unsigned class, uint32_t index)
{
	memcpy(pool_at(p, index), &p->free[class], sizeof p->free[class]);
	p->free[class] = index;
	p->free_bytes += (size_t)class_units(class) * POOL_UNIT;
}

/* Cuts a larger free block: the rest becomes free blocks of whole classes. */
static uint32_t split(struct pool *p, unsigned class)
{
	unsigned larger = class + 1;
	while (larger < POOL_CLASSES && !p->free[larger]) larger++;
	if (larger >= POOL_CLASSES) return 0;
	uint32_t index = pop(p, larger), units = class_units(class), at = index + units, left = class_units(larger) - units;
	while (left) {
		unsigned c = class_of(left);
		if (class_units(c) > left) c--;
		push(p, c, at);
		at += class_units(c);
		left -= class_units(c);
	}
	return index;
}

uint32_t pool_take(struct pool *p, size_t bytes)
{
	if (bytes == 0 || bytes > (size_t)1 << 30) return 0;
	unsigned class = class_of((uint32_t)((bytes + POOL_UNIT - 1) / POOL_UNIT));
	size_t units = class_units(class);
	if (p->free[class]) return pop(p, class);
	if (p->n + units < UINT32_MAX && budget_take(p->budget, units * POOL_UNIT)) {
		if (range_commit(&p->memory, (p->n + units) * POOL_UNIT)) {
			p->n += (uint32_t)units;
			return p->n - (uint32_t)units;
		}
		budget_give(p->budget, units * POOL_UNIT);
	}
	return split(p, class);
}

void pool_give(struct pool *p, uint32_t index, size_t bytes)
{
	push(p, class_of((uint32_t)((bytes + POOL_UNIT - 1) / POOL_UNIT)), index);
}

static size_t slots_bytes(uint64_t n) { return n * sizeof(struct table_slot); }

void table_done(struct table *t)
{
	if (t->slots) munmap(t->slots, slots_bytes((uint64_t)t->mask + 1));
	t->slots = NULL;
}

static struct table_slot *slots_new(uint64_t n)
{
	void *p = mmap(NULL, slots_bytes(n), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) return NULL;
	if (slots_bytes(n) >= 4u << 20) madvise(p, slots_bytes(n), MADV_HUGEPAGE);
	return p;
}

static void place(struct table_slot *slots, uint32_t mask, struct table_slot s)
{
	uint32_t at = s.hash & mask;
	while (slots[at].index) at = (at + 1) & mask;
	slots[at] = s;
}

static bool grow(struct table *t)
{
	uint64_t old = t->slots ? (uint64_t)t->mask + 1 : 0, n = old ? old * 2 : 512;
	if (n > 1u << 31 || !budget_take(t->budget, slots_bytes(n))) return false;
	struct table_slot *slots = slots_new(n);
	if (!slots) {
		budget_give(t->budget, slots_bytes(n));
		return false;
	}
	for (uint64_t i = 0; i < old; i++)
		if (t->slots[i].index) place(slots, (uint32_t)n - 1, t->slots[i]);
	table_done(t);
	budget_give(t->budget, slots_bytes(old));
	t->slots = slots;
	t->mask = (uint32_t)n - 1;
	return true;
}

bool table_add(struct table *t, uint32_t hash, uint32_t index)
{
	uint64_t size = t->slots ? (uint64_t)t->mask + 1 : 0;
	/* Grows at three quarters; when the budget forbids, it fills up further before it refuses. */
	if ((t->n + 1) * 4ull > size * 3 && !grow(t) && (t->n + 1) * 16ull > size * 15) return false;
	place(t->slots, t->mask, (struct table_slot){hash, index});
	t->n++;
	return true;
}

void table_remove(struct table *t, uint32_t hash, uint32_t index)
{
	uint32_t hole = hash & t->mask;
	while (t->slots[hole].index != index) {
		verify(t->slots[hole].index);
		hole = (hole + 1) & t->mask;
	}
	/* Backward shift: moves up what the hole would cut off from its home. */
	for (uint32_t at = (hole + 1) & t->mask; t->slots[at].index; at = (at + 1) & t->mask) {
		uint32_t home = t->slots[at].hash & t->mask;
		if (((at - home) & t->mask) < ((at - hole) & t->mask)) continue;
		t->slots[hole] = t->slots[at];
		hole = at;
	}
	t->slots[hole] = (struct table_slot){0, 0};
	t->n--;
}
