/* arena.c: blocks in a list, a bump pointer in the current one. See arena.h. */
#include "base/arena.h"
#include "base/alloc.h"
#include <stdlib.h>

#if defined(EXHIBIT_ASAN)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { FIRST_BLOCK = 64 << 10, SMALL_BLOCK = 512, KEEP = 1 << 20, RED_ZONE = 16 };

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(16) char bytes[];
};

void arena_init(struct arena *a, size_t budget)
{
	*a = (struct arena){.budget = budget, .first_size = FIRST_BLOCK};
}

void arena_init_small(struct arena *a, size_t budget)
{
	*a = (struct arena){.budget = budget, .first_size = SMALL_BLOCK};
}

void arena_done(struct arena *a)
{
	for (struct arena_block *b = a->first, *next; b; b = next) {
		next = b->next;
		ASAN_UNPOISON_MEMORY_REGION(b->bytes, b->size);
		free(b);
	}
	*a = (struct arena){.budget = a->budget, .first_size = a->first_size};
}

static void use_block(struct arena *a, struct arena_block *b)
{
	a->current = b;
	a->at = b->bytes;
	a->end = b->bytes + b->size;
	ASAN_POISON_MEMORY_REGION(b->bytes, b->size);
}

void arena_reset(struct arena *a)
{
	size_t kept = 0;
	struct arena_block **link = &a->first;
	while (*link) {
		struct arena_block *b = *link;
		if (kept && kept + b->size > KEEP) {
			*link = b->next;
			ASAN_UNPOISON_MEMORY_REGION(b->bytes, b->size);
			free(b);
			continue;
		}
		kept += b->size;
		ASAN_POISON_MEMORY_REGION(b->bytes, b->size);
		link = &b->next;
	}
	a->used = 0;
	if (a->first) use_block(a, a->first);
	else a->current = NULL, a->at = a->end = NULL;
}

/* Makes a block of at least n bytes current: the next kept one when it is large enough, else a new one put before it. */
static bool next_block(struct arena *a, size_t n)
{
	struct arena_block *next = a->current ? a->current->next : a->first;
	if (next && next->size >= n) {
		use_block(a, next);
		return true;
	}
	size_t size = a->current ? a->current->size * 2 : a->first_size;
	if (size > 4u << 20) size = 4u << 20;
	if (size < n) size = n;
	struct arena_block *b = malloc(sizeof *b + size);
	if (!b) return false;
	b->size = size;
	b->next = next;
	if (a->current) a->current->next = b;
	else a->first = b;
	use_block(a, b);
	return true;
}

void *arena_alloc_slow(struct arena *a, size_t n)
{
	size_t need = (n + 15) & ~(size_t)15, zone = 0;
#if defined(EXHIBIT_ASAN)
	zone = RED_ZONE;
#endif
	if (!need) need = 16;
	if (need < n || need > a->budget - a->used) goto refused;
	if (need + zone < need) goto refused;
	if (need + zone > (size_t)(a->end - a->at) && !next_block(a, need + zone)) goto refused;
	char *p = a->at;
	a->at += need + zone;
	a->used += need;
	ASAN_UNPOISON_MEMORY_REGION(p, n ? n : 1);
	return p;
refused:
	a->refused++;
	return NULL;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
	size_t n;
	if (__builtin_mul_overflow(count, size, &n)) {
		a->refused++;
		return NULL;
	}
	void *p = arena_alloc(a, n);
	if (p && n) memset(p, 0, n);
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = s.n == SIZE_MAX ? NULL : arena_alloc(a, s.n + 1);
	if (!p) return (struct str){NULL, 0};
	if (s.n) memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return (struct str){p, s.n};
}
