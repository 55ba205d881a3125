/* buf: bytes that grow, for output. One owner, one thread. Aborts when memory ends: writers flush before it gets large. */
#pragma once
#include "base/str.h"
#include "base/alloc.h"

struct buf {
	char *p;
	size_t n, cap;
};

/* After it at least `extra` bytes may be written at p + n. Always leaves 64 bytes of slack behind them, so that one
 * unaligned 64-byte store past the end of the text is safe. */
void buf_grow(struct buf *b, size_t extra);
static inline char *buf_reserve(struct buf *b, size_t extra)
{
	if (__builtin_expect(b->cap - b->n < extra + 64 || b->cap < 64, 0)) buf_grow(b, extra);
	return b->p + b->n;
}
static inline void buf_put(struct buf *b, const void *bytes, size_t n)
{
	if (n) memcpy(buf_reserve(b, n), bytes, n);
	b->n += n;
}
static inline void buf_byte(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->n++;
}
static inline void buf_str(struct buf *b, struct str s) { buf_put(b, s.p, s.n); }
#define buf_lit(b, literal) buf_put(b, "" literal, sizeof(literal) - 1)
void buf_u64(struct buf *b, uint64_t v);
/* The same at `out`, at most 20 bytes; returns what is behind them. */
char *u64_print(char *out, uint64_t v);
void buf_i64(struct buf *b, int64_t v);
/* 1,234,567, at least `width` wide, blanks before it. */
void buf_grouped(struct buf *b, uint64_t v, unsigned width);
/* Lower-case hex of bytes, two digits each. */
void buf_hex(struct buf *b, const void *bytes, size_t n);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline struct str buf_view(const struct buf *b) { return (struct str){b->p, b->n}; }
void buf_done(struct buf *b);
