/* utf8.c: validity, repair, steps and caseless folding of UTF-8. See utf.h.
 *
 * Logs are mostly ASCII: vectors skip or fold runs of it, everything else goes code point by code point. */
#include "base/cpu.h"
#include "base/cursor.h"
#include "text/utf.h"
#include "text/utf_internal.h"

/* Unicode 14 table 3-7: for each lead byte the number of bytes that follow, and the range of the first of these. */
static inline int tail_of(uint8_t lead, uint8_t *low, uint8_t *high)
{
	*low = 0x80;
	*high = 0xBF;
	if (lead < 0xC2) return -1;
	if (lead < 0xE0) return 1;
	if (lead < 0xF0) {
		if (lead == 0xE0) *low = 0xA0;
		if (lead == 0xED) *high = 0x9F;
		return 2;
	}
	if (lead > 0xF4) return -1;
	if (lead == 0xF0) *low = 0x90;
	if (lead == 0xF4) *high = 0x8F;
	return 3;
}

static inline uint32_t step(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *p = *at;
	uint8_t lead = *p++, low, high;
	*at = p;
	if (lead < 0x80) return lead;
	int tail = tail_of(lead, &low, &high);
	if (tail < 0) return UTF8_BAD;
	uint32_t c = lead & (0x3Fu >> tail);
	for (; tail > 0; tail--, p++) {
		if (p == end || *p < low || *p > high) {
			*at = p;
			return UTF8_BAD;
		}
		c = c << 6 | (*p & 63);
		low = 0x80;
		high = 0xBF;
	}
	*at = p;
	return c;
}

uint32_t utf8_step(const char **at, const char *end)
{
	const uint8_t *p = (const uint8_t *)*at;
	uint32_t c = step(&p, (const uint8_t *)end);
	*at = (const char *)p;
	return c;
}

static inline unsigned put(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if ((c & 0xFFFFF800) == 0xD800 || c > 0x10FFFF) c = 0xFFFD;
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xF0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

unsigned utf8_put(uint32_t c, char out[4]) { return put(c, out); }

/* ascii_*: the number of leading ASCII bytes. Short texts and the rest of long ones are read by two words that may overlap. */
static size_t ascii_plain(const uint8_t *p, size_t n)
{
	size_t i = 0;
	for (; n - i >= 8; i += 8) {
		uint64_t high = le64_at(p + i) & 0x8080808080808080;
		if (high) return i + (size_t)__builtin_ctzll(high) / 8;
	}
	if (n >= 8 && !(le64_at(p + n - 8) & 0x8080808080808080)) return n;
	while (i < n && p[i] < 0x80) i++;
	return i;
}

static inline uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? c | 32 : c; }

/* Eight ASCII bytes lower-cased: bit 7 of (c + 0x3F) is set from 'A' on, of (c + 0x25) from behind 'Z' on. */
static inline uint64_t lower8(uint64_t v)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t upper = (v + ones * 0x3F) & ~(v + ones * 0x25) & ones * 0x80;
	return v | upper >> 2;
}

/* fold_*: leading ASCII bytes lower-cased into out; returns how many. May store up to 32 bytes more. */
static size_t fold_plain(const uint8_t *p, size_t n, char *out)
{
	size_t i = 0;
	for (; n - i >= 8; i += 8) {
		uint64_t v = le64_at(p + i);
		if (v & 0x8080808080808080) break;
		v = lower8(v);
		memcpy(out + i, &v, 8);
	}
	if (n >= 8 && n - i < 8) {
		uint64_t v = le64_at(p + n - 8);
		if (!(v & 0x8080808080808080)) {
			v = lower8(v);
			memcpy(out + n - 8, &v, 8);
			return n;
		}
	}
	for (; i < n && p[i] < 0x80; i++) out[i] = (char)lower(p[i]);
	return i;
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("sse4.2"))) static size_t ascii_sse4(const uint8_t *p, size_t n)
{
	size_t i = 0;
	if (n < 16) return ascii_plain(p, n);
	for (;;) {
		unsigned high = (unsigned)_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(p + i)));
		if (high) return i + (size_t)__builtin_ctz(high);
		if (i + 16 == n) return n;
		i = n - i >= 32 ? i + 16 : n - 16;
	}
}

__attribute__((target("avx2,bmi"))) static size_t ascii_avx2(const uint8_t *p, size_t n)
{
	size_t i = 0;
	if (n < 32) return ascii_sse4(p, n);
	for (;;) {
		unsigned high = (unsigned)_mm256_movemask_epi8(_mm256_loadu_si256((const __m256i *)(p + i)));
		if (high) return i + _tzcnt_u32(high);
		if (i + 32 == n) return n;
		i = n - i >= 64 ? i + 32 : n - 32;
	}
}

/* The comparisons are signed: bytes from 0x80 on are negative and stay as they are. */
__attribute__((target("sse4.2"))) static size_t fold_sse4(const uint8_t *p, size_t n, char *out)
{
	const __m128i before = _mm_set1_epi8('A' - 1), behind = _mm_set1_epi8('Z' + 1), bit = _mm_set1_epi8(0x20);
	size_t i = 0;
	if (n < 16) return fold_plain(p, n, out);
	for (;;) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + i));
		__m128i upper = _mm_and_si128(_mm_cmpgt_epi8(v, before), _mm_cmplt_epi8(v, behind));
		_mm_storeu_si128((__m128i *)(out + i), _mm_or_si128(v, _mm_and_si128(upper, bit)));
		unsigned high = (unsigned)_mm_movemask_epi8(v);
		if (high) return i + (size_t)__builtin_ctz(high);
		if (i + 16 == n) return n;
		i = n - i >= 32 ? i + 16 : n - 16;
	}
}

__attribute__((target("avx2,bmi"))) static size_t fold_avx2(const uint8_t *p, size_t n, char *out)
{
	const __m256i before = _mm256_set1_epi8('A' - 1), behind = _mm256_set1_epi8('Z' + 1), bit = _mm256_set1_epi8(0x20);
	size_t i = 0;
	if (n < 32) return fold_sse4(p, n, out);
	for (;;) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(p + i));
		__m256i upper = _mm256_and_si256(_mm256_cmpgt_epi8(v, before), _mm256_cmpgt_epi8(behind, v));
		_mm256_storeu_si256((__m256i *)(out + i), _mm256_or_si256(v, _mm256_and_si256(upper, bit)));
		unsigned high = (unsigned)_mm256_movemask_epi8(v);
		if (high) return i + _tzcnt_u32(high);
		if (i + 32 == n) return n;
		i = n - i >= 64 ? i + 32 : n - 32;
	}
}
#endif

size_t utf8_ascii_prefix(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;
#if defined(__x86_64__)
	enum cpu_level level = cpu_level();
	if (level >= CPU_AVX2) return ascii_avx2(p, s.n);
	if (level >= CPU_SSE4) return ascii_sse4(p, s.n);
#endif
	return ascii_plain(p, s.n);
}

size_t utf8_valid_prefix(struct str s, bool *ret_ascii)
{
	size_t ascii = utf8_ascii_prefix(s);
	if (ret_ascii) *ret_ascii = ascii == s.n;
	if (ascii == s.n) return s.n;
	const uint8_t *start = (const uint8_t *)s.p, *p = start + ascii, *end = start + s.n;
	for (unsigned run = 0; p < end;) {
		const uint8_t *before = p;
		run = *p < 0x80 ? run + 1 : 0;
		if (run == 16) { /* a longer stretch of ASCII between others */
			p += utf8_ascii_prefix((struct str){(const char *)p, (size_t)(end - p)});
			run = 0;
		} else if (step(&p, end) == UTF8_BAD) {
			if (ret_ascii) *ret_ascii = (size_t)(before - start) == ascii;
			return (size_t)(before - start);
		}
	}
	return s.n;
}

size_t utf8_repair(struct str s, char *out)
{
	char *o = out;
	while (s.n) {
		size_t good = utf8_valid_prefix(s, NULL);
		memcpy(o, s.p, good);
		o += good;
		s = str_sub(s, good, s.n);
		if (!s.n) break;
		const char *p = s.p;
		utf8_step(&p, s.p + s.n);
		o += put(0xFFFD, o);
		s = str_sub(s, (size_t)(p - s.p), s.n);
	}
	return (size_t)(o - out);
}

struct str utf8_clean(struct arena *a, struct str s)
{
	if (utf8_valid(s)) return s;
	size_t room;
	if (__builtin_mul_overflow(s.n, 3u, &room) || room > SIZE_MAX - UTF_SLACK) return (struct str){NULL, 0};
	char *out = arena_alloc(a, room + UTF_SLACK);
	return out ? (struct str){out, utf8_repair(s, out)} : (struct str){NULL, 0};
}

size_t utf8_count(struct str s)
{
	size_t n = utf8_ascii_prefix(s);
	if (n == s.n) return n;
	const uint8_t *p = (const uint8_t *)s.p + n, *end = (const uint8_t *)s.p + s.n;
	for (; p < end; n++) step(&p, end);
	return n;
}

uint32_t utf_fold_cp(uint32_t c)
{
	if (c < 0x80) return lower((uint8_t)c);
	if (c >= utf_fold_end) return c;
	return c + (uint32_t)utf_fold_delta[utf_fold_delta_index[utf_fold_block[c >> 6]][c & 63]];
}

typedef size_t fold_run(const uint8_t *p, size_t n, char *out);

static inline size_t fold_all(fold_run *run, struct str s, char *out)
{
	size_t ascii = run((const uint8_t *)s.p, s.n, out);
	if (ascii == s.n) return ascii;
	const uint8_t *p = (const uint8_t *)s.p + ascii, *end = (const uint8_t *)s.p + s.n;
	char *o = out + ascii;
	while (p < end) {
		for (int in_row = 0; p < end && in_row < 16;) {
			in_row = *p < 0x80 ? in_row + 1 : 0;
			const uint8_t *before = p;
			uint32_t c = step(&p, end);
			if (c != UTF8_BAD) o += put(utf_fold_cp(c), o);
			else while (before < p) *o++ = (char)*before++;
		}
		ascii = run(p, (size_t)(end - p), o);
		o += ascii;
		p += ascii;
	}
	return (size_t)(o - out);
}

size_t utf8_fold_plain(struct str s, char *out) { return fold_all(fold_plain, s, out); }

size_t utf8_fold(struct str s, char *out)
{
#if defined(__x86_64__)
	enum cpu_level level = cpu_level();
	if (level >= CPU_AVX2) return fold_all(fold_avx2, s, out);
	if (level >= CPU_SSE4) return fold_all(fold_sse4, s, out);
#endif
	return fold_all(fold_plain, s, out);
}

struct str utf8_fold_arena(struct arena *a, struct str s)
{
	if (s.n > SIZE_MAX / 2 - UTF_SLACK) return (struct str){NULL, 0};
	char *out = arena_alloc(a, UTF8_FOLD_ROOM(s.n));
	return out ? (struct str){out, utf8_fold(s, out)} : (struct str){NULL, 0};
}
