/* alloc: bookkeeping memory, and growable arrays over it.
 *
 * For small things whose number the program itself decides. They abort with a message when memory ends, because on
 * Linux a small malloc does not fail. Whatever is sized by input comes from a budgeted arena instead (base/arena.h). */
#pragma once
#include <stddef.h>
#include <stdlib.h>

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));

/* Growable array of any element type: struct { T *v; size_t n, cap; } with VEC(T).
 * vec_push(&a, x) appends; vec_free(&a) releases. Not for counts an attacker can drive without bound. */
#define VEC(T) struct { T *v; size_t n, cap; }
#define vec_push(a, ...) do { \
	if ((a)->n == (a)->cap) (a)->v = vec_grow((a)->v, &(a)->cap, sizeof *(a)->v); \
	(a)->v[(a)->n++] = __VA_ARGS__; \
} while (0)
#define vec_free(a) do { free((a)->v); (a)->v = NULL; (a)->n = (a)->cap = 0; } while (0)
void *vec_grow(void *v, size_t *cap, size_t size);

/* verify: a broken invariant where wrong memory could be touched; always on, aborts with file and line. */
#define verify(condition) ((condition) ? (void)0 : verify_failed(#condition, __FILE__, __LINE__))
_Noreturn void verify_failed(const char *condition, const char *file, int line);

/* The number of elements of an array whose size the compiler knows. */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])
