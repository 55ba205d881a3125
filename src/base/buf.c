/* buf.c: growing output. See buf.h. */
#include "base/buf.h"
#include <stdarg.h>
#include <stdio.h>

void buf_grow(struct buf *b, size_t extra)
{
	size_t want = b->cap ? b->cap : 256;
	while (want - b->n < extra + 64) {
		verify(want < SIZE_MAX / 2);
		want *= 2;
	}
	b->p = xrealloc(b->p, want);
	b->cap = want;
}

char *u64_print(char *out, uint64_t v)
{
	static const char pairs[] =
		"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
		"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
	static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
		10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000, 10000000000000000000u};
	if (v < 10) {
		*out = (char)('0' + v);
		return out + 1;
	}
	/* How many by how many bits there are; one more from the power of ten on that has as many. */
	unsigned n = (unsigned)(64 - __builtin_clzll(v)) * 1233 >> 12;
	n += v >= powers[n];
	char *end = out + n, *at = end;
	for (; v >= 100; v /= 100) memcpy(at -= 2, pairs + v % 100 * 2, 2);
	if (v >= 10) memcpy(at - 2, pairs + v * 2, 2);
	else at[-1] = (char)('0' + v);
	return end;
}

void buf_u64(struct buf *b, uint64_t v)
{
	char *at = buf_reserve(b, 20);
	b->n += (size_t)(u64_print(at, v) - at);
}

void buf_i64(struct buf *b, int64_t v)
{
	if (v < 0) buf_byte(b, '-');
	buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_grouped(struct buf *b, uint64_t v, unsigned width)
{
	char out[27]; /* 18,446,744,073,709,551,615 */
	size_t at = sizeof out;
	unsigned n = 0;
	do {
		if (n && n % 3 == 0) out[--at] = ',';
		out[--at] = (char)('0' + v % 10);
		n++;
	} while (v /= 10);
	for (size_t i = sizeof out - at; i < width; i++) buf_byte(b, ' ');
	buf_put(b, out + at, sizeof out - at);
}

/* Eight digits from four bytes at once, in the lanes of a word; little-endian, as base/cursor.h asserts. */
static inline uint64_t hex_digits(uint32_t v)
{
	/* Nibbles one a byte, the high one of the first byte first. */
	uint64_t x = v;
	x = (x | x << 16) & 0x0000ffff0000ffff;
	x = (x | x << 8) & 0x00ff00ff00ff00ff;
	x = (x >> 4 & 0x000f000f000f000f) | (x & 0x000f000f000f000f) << 8;
	uint64_t letters = (x + 0x0606060606060606) >> 4 & 0x0101010101010101;
	return x + 0x3030303030303030 + letters * ('a' - '0' - 10);
}

void buf_hex(struct buf *b, const void *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = bytes;
	char *out = buf_reserve(b, n * 2);
	size_t i = 0;
	for (; i + 4 <= n; i += 4) {
		uint32_t v;
		memcpy(&v, p + i, sizeof v);
		uint64_t x = hex_digits(v);
		memcpy(out + i * 2, &x, sizeof x);
	}
	for (; i < n; i++) {
		out[i * 2] = digits[p[i] >> 4];
		out[i * 2 + 1] = digits[p[i] & 15];
	}
	b->n += n * 2;
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(buf_reserve(b, 256), 256, format, ap);
	va_end(ap);
	if (n >= 256) {
		va_start(ap, format);
		vsnprintf(buf_reserve(b, (size_t)n + 1), (size_t)n + 1, format, ap);
		va_end(ap);
	}
	if (n > 0) b->n += (size_t)n;
}

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){0};
}
