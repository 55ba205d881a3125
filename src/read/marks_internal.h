/* marks_internal: where a character stands in a line, as bits: bit i % 64 of word i / 64 is byte i. So that a line is looked through once by
 * vectors, not once a cell. Pure.
 *
 * Only for lines of a window (lines_internal.h): up to 63 bytes behind the line are read. */
#pragma once
#include "base/str.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { MARKS_BYTES = 1024, MARKS_WORDS = MARKS_BYTES / 64 + 1 };

/* The bytes among p[0, 64) that are c. */
static inline uint64_t marks_of(const char *p, char c)
{
	uint64_t ret = 0;
#if defined(__SSE2__)
	const __m128i wanted = _mm_set1_epi8(c);
#pragma GCC unroll 4
	for (unsigned i = 0; i < 64; i += 16)
		ret |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + i)), wanted)) << i;
#else
	for (unsigned i = 0; i < 64; i++) ret |= (uint64_t)(p[i] == c) << i;
#endif
	return ret;
}
/* Bits of a line's last word that are of the line. */
static inline uint64_t marks_within(size_t n, size_t from) { return n - from >= 64 ? UINT64_MAX : ((uint64_t)1 << (n - from)) - 1; }

/* The first bit from `from` on, and the last one before `before`; SIZE_MAX: none. `n` as given when the words were filled. */
static inline size_t marks_next(const uint64_t *words, size_t n, size_t from)
{
	if (from >= n) return SIZE_MAX;
	uint64_t w = words[from / 64] >> (from % 64);
	if (w) return from + (size_t)__builtin_ctzll(w);
	for (size_t i = from / 64 + 1; i * 64 < n; i++)
		if (words[i]) return i * 64 + (size_t)__builtin_ctzll(words[i]);
	return SIZE_MAX;
}
static inline size_t marks_last(const uint64_t *words, size_t before)
{
	if (!before) return SIZE_MAX;
	size_t i = (before - 1) / 64;
	uint64_t w = words[i] << (63 - (before - 1) % 64);
	if (w) return before - 1 - (size_t)__builtin_clzll(w);
	while (i-- > 0)
		if (words[i]) return i * 64 + 63 - (size_t)__builtin_clzll(words[i]);
	return SIZE_MAX;
}
