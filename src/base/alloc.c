/* alloc.c: memory for bookkeeping; ends the process when there is none. See alloc.h. */
#include "base/alloc.h"
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
	(void)!write(2, what, strlen(what));
	(void)!write(2, "\n", 1);
	abort();
}

static void *must(void *p)
{
	if (!p) die("exhibit: out of memory");
	return p;
}

void *xmalloc(size_t n) { return must(malloc(n ? n : 1)); }
void *xcalloc(size_t count, size_t size) { return must(calloc(count ? count : 1, size ? size : 1)); }
void *xrealloc(void *p, size_t n) { return must(realloc(p, n ? n : 1)); }
char *xstrdup(const char *s) { return must(strdup(s)); }

void *vec_grow(void *v, size_t *cap, size_t size)
{
	size_t bytes;
	*cap = *cap ? *cap * 2 : 8;
	if (__builtin_mul_overflow(*cap, size, &bytes)) die("exhibit: array too large");
	return xrealloc(v, bytes);
}

void verify_failed(const char *condition, const char *file, int line)
{
	char number[12];
	int at = sizeof number;
	number[--at] = 0;
	do number[--at] = (char)('0' + line % 10); while ((line /= 10) && at);
	(void)!write(2, file, strlen(file));
	(void)!write(2, ":", 1);
	(void)!write(2, number + at, strlen(number + at));
	(void)!write(2, ": broken invariant: ", 20);
	die(condition);
}
