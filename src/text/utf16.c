/* utf16.c: UTF-16LE to UTF-8. Runs of ASCII go through vectors, everything else unit by unit. See utf.h.
 *
 * Windows logs are 99.9 % ASCII, so a vector that is not is left at its first other unit, converted plainly up to the
 * next ASCII unit, and the vectors go on from there. */
#include "base/cpu.h"
#include "base/cursor.h"
#include "text/utf.h"

static inline uint32_t unit_at(const uint8_t *in, size_t i) { return le16_at(in + i * 2); }

/* Converts the unit at i, which is not ASCII, and its second half where it has one; returns the number of units used. */
static inline size_t wide_unit(const uint8_t *in, size_t i, size_t n, enum utf_lone lone, char **out)
{
	uint32_t c = unit_at(in, i);
	char *o = *out;
	if (c < 0x800) {
		o[0] = (char)(0xC0 | c >> 6);
		o[1] = (char)(0x80 | (c & 63));
		*out = o + 2;
		return 1;
	}
	if ((c & 0xF800) == 0xD800) {
		uint32_t low = c < 0xDC00 && i + 1 < n ? unit_at(in, i + 1) : 0;
		if ((low & 0xFC00) == 0xDC00) {
			c = 0x10000 + ((c & 0x3FF) << 10 | (low & 0x3FF));
			o[0] = (char)(0xF0 | c >> 18);
			o[1] = (char)(0x80 | (c >> 12 & 63));
			o[2] = (char)(0x80 | (c >> 6 & 63));
			o[3] = (char)(0x80 | (c & 63));
			*out = o + 4;
			return 2;
		}
		if (lone == UTF_LONE_REPLACE) c = 0xFFFD;
	}
	o[0] = (char)(0xE0 | c >> 12);
	o[1] = (char)(0x80 | (c >> 6 & 63));
	o[2] = (char)(0x80 | (c & 63));
	*out = o + 3;
	return 1;
}

/* Each ascii_* copies leading ASCII units and returns how many; it may store up to 32 bytes more than that. */
static size_t ascii_plain(const uint8_t *in, size_t n, char *out)
{
	const uint64_t high = 0xFF80FF80FF80FF80;
	size_t i = 0;
	for (; n - i >= 4; i += 4) {
		uint64_t v = le64_at(in + i * 2);
		if (v & high) break;
		v |= v >> 8;
		v = (v & 0xFFFF) | (v >> 16 & 0xFFFF0000);
		uint32_t four = (uint32_t)v;
		memcpy(out + i, &four, 4);
	}
	for (; i < n && unit_at(in, i) < 0x80; i++) out[i] = (char)in[i * 2];
	return i;
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("sse4.2"))) static size_t ascii_sse4(const uint8_t *in, size_t n, char *out)
{
	const __m128i high = _mm_set1_epi16((short)0xFF80);
	size_t i = 0;
	if (n < 8) return ascii_plain(in, n, out);
	for (;;) {
		__m128i v = _mm_loadu_si128((const __m128i *)(in + i * 2));
		_mm_storel_epi64((__m128i *)(out + i), _mm_packus_epi16(v, v));
		if (!_mm_testz_si128(v, high)) {
			__m128i zero = _mm_cmpeq_epi16(_mm_and_si128(v, high), _mm_setzero_si128());
			return i + (size_t)__builtin_ctz(~(unsigned)_mm_movemask_epi8(zero)) / 2;
		}
		if (i + 8 == n) return n;
		i = n - i >= 16 ? i + 8 : n - 8; /* the last vector overlaps the one before */
	}
}

__attribute__((target("avx2,bmi"))) static size_t ascii_avx2(const uint8_t *in, size_t n, char *out)
{
	const __m256i high = _mm256_set1_epi16((short)0xFF80);
	size_t i = 0;
	if (n < 16) return ascii_sse4(in, n, out);
	for (; n - i >= 32; i += 32) {
		__m256i a = _mm256_loadu_si256((const __m256i *)(in + i * 2)), b = _mm256_loadu_si256((const __m256i *)(in + i * 2 + 32));
		if (!_mm256_testz_si256(_mm256_or_si256(a, b), high)) break;
		_mm256_storeu_si256((__m256i *)(out + i), _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xD8));
	}
	while (i < n) {
		if (n - i < 16) i = n - 16;
		__m256i v = _mm256_loadu_si256((const __m256i *)(in + i * 2));
		__m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi16(v, v), 0xD8);
		_mm_storeu_si128((__m128i *)(out + i), _mm256_castsi256_si128(packed));
		if (!_mm256_testz_si256(v, high)) {
			__m256i zero = _mm256_cmpeq_epi16(_mm256_and_si256(v, high), _mm256_setzero_si256());
			return i + _tzcnt_u32(~(unsigned)_mm256_movemask_epi8(zero)) / 2;
		}
		i += 16;
	}
	return n;
}
#endif

typedef size_t ascii_run(const uint8_t *in, size_t n, char *out);

static inline size_t convert(ascii_run *run, const uint8_t *in, size_t n, enum utf_lone lone, char *out, bool *ret_ascii)
{
	char *o = out;
	size_t i = run(in, n, o);
	o += i;
	if (ret_ascii) *ret_ascii = i == n;
	while (i < n) {
		while (i < n && unit_at(in, i) >= 0x80) i += wide_unit(in, i, n, lone, &o);
		/* A word of one or two ASCII units between others is not worth a vector. */
		for (int k = 0; k < 4 && i < n && unit_at(in, i) < 0x80; k++) *o++ = (char)in[i++ * 2];
		if (i < n && unit_at(in, i) < 0x80) {
			size_t ascii = run(in + i * 2, n - i, o);
			i += ascii;
			o += ascii;
		}
	}
	return (size_t)(o - out);
}

size_t utf16le_to_utf8_plain(const void *units, size_t n_units, enum utf_lone lone, char *out, bool *ret_ascii)
{
	return convert(ascii_plain, units, n_units, lone, out, ret_ascii);
}

size_t utf16le_ascii(const void *units, size_t n_units, char *out)
{
#if defined(__x86_64__)
	enum cpu_level level = cpu_level();
	if (level >= CPU_AVX2) return ascii_avx2(units, n_units, out);
	if (level >= CPU_SSE4) return ascii_sse4(units, n_units, out);
#endif
	return ascii_plain(units, n_units, out);
}

size_t utf16le_to_utf8(const void *units, size_t n_units, enum utf_lone lone, char *out, bool *ret_ascii)
{
#if defined(__x86_64__)
	enum cpu_level level = cpu_level();
	if (level >= CPU_AVX2) return convert(ascii_avx2, units, n_units, lone, out, ret_ascii);
	if (level >= CPU_SSE4) return convert(ascii_sse4, units, n_units, lone, out, ret_ascii);
#endif
	return convert(ascii_plain, units, n_units, lone, out, ret_ascii);
}

size_t utf16le_utf8_size(const void *units, size_t n_units, enum utf_lone lone)
{
	const uint8_t *in = units;
	size_t size = 0;
	(void)lone; /* U+FFFD and a lone surrogate in WTF-8 both take three bytes */
	for (size_t i = 0; i < n_units; i++) {
		uint32_t c = unit_at(in, i);
		size += 1 + (c >= 0x80) + (c >= 0x800);
		bool pair = (c & 0xFC00) == 0xD800 && i + 1 < n_units && (unit_at(in, i + 1) & 0xFC00) == 0xDC00;
		size += pair;
		i += pair;
	}
	return size;
}

struct str utf16le_arena(struct arena *a, const void *units, size_t n_units, enum utf_lone lone, bool *ret_ascii)
{
	if (n_units > SIZE_MAX / 4) return (struct str){NULL, 0};
	char *out = arena_alloc(a, n_units + UTF_SLACK);
	if (!out) return (struct str){NULL, 0};
	size_t ascii = utf16le_ascii(units, n_units, out);
	if (ret_ascii) *ret_ascii = ascii == n_units;
	if (ascii == n_units) return (struct str){out, n_units};
	const uint8_t *rest = (const uint8_t *)units + ascii * 2;
	size_t size = ascii + utf16le_utf8_size(rest, n_units - ascii, lone);
	char *wide = arena_alloc(a, size + UTF_SLACK);
	if (!wide) return (struct str){NULL, 0};
	memcpy(wide, out, ascii);
	utf16le_to_utf8(rest, n_units - ascii, lone, wide + ascii, NULL);
	return (struct str){wide, size};
}
