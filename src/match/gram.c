/* gram.c: the filter asked at every position, plainly and with vectors; the three that hash give the same positions. See scanner_internal.h. */
#include "match/scanner_internal.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define MIX 0x9e3779b1u
#define MIX_LOW 0x85ebca6bu
#define MIX_HIGH 0xc2b2ae35u

uint32_t gram_hash(uint64_t gram, uint32_t width)
{
	uint32_t low = (uint32_t)gram;
	if (width == 8) return (low * MIX_LOW) ^ ((uint32_t)(gram >> 32) * MIX_HIGH);
	return (low ^ low >> 15) * MIX;
}

static inline uint32_t bits_of(uint32_t hash, uint32_t shift)
{
	return 1u << (hash >> (shift - 5) & 31) | 1u << (hash >> (shift - 10) & 31);
}

static inline bool may_be(const struct gram_filter *f, uint32_t hash)
{
	uint32_t bits = bits_of(hash, f->shift);
	return (f->words[hash >> f->shift] & bits) == bits;
}

uint32_t gram_find_plain(const struct gram_filter *f, const char *p, uint32_t n, uint16_t *out)
{
	uint32_t found = 0;
	if (f->width == 8) {
		for (uint32_t i = 0; i < n; i++) {
			uint64_t gram;
			memcpy(&gram, p + i, 8);
			out[found] = (uint16_t)i;
			found += may_be(f, gram_hash(gram, 8));
		}
		return found;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t gram;
		memcpy(&gram, p + i, 4);
		out[found] = (uint16_t)i;
		found += may_be(f, gram_hash(gram & f->mask, 4));
	}
	return found;
}

#if defined(__x86_64__)
/* Four hashes at once, looked up one by one. */
__attribute__((target("sse4.1"))) uint32_t gram_find_sse4(const struct gram_filter *f, const char *p, uint32_t n, uint16_t *out)
{
	const __m128i low_at = _mm_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6);
	const __m128i high_at = _mm_add_epi8(low_at, _mm_set1_epi8(4));
	const __m128i mask = _mm_set1_epi32((int)f->mask);
	uint32_t found = 0;
	for (uint32_t i = 0; i < n; i += 4) {
		_Alignas(16) uint32_t hash[4];
		__m128i bytes = _mm_loadu_si128((const __m128i *)(p + i)), h;
		__m128i low = _mm_shuffle_epi8(bytes, low_at);
		if (f->width == 8) {
			__m128i high = _mm_shuffle_epi8(bytes, high_at);
			h = _mm_xor_si128(_mm_mullo_epi32(low, _mm_set1_epi32((int)MIX_LOW)), _mm_mullo_epi32(high, _mm_set1_epi32((int)MIX_HIGH)));
		} else {
			low = _mm_and_si128(low, mask);
			h = _mm_mullo_epi32(_mm_xor_si128(low, _mm_srli_epi32(low, 15)), _mm_set1_epi32((int)MIX));
		}
		_mm_store_si128((__m128i *)hash, h);
		for (uint32_t j = 0; j < 4; j++) {
			out[found] = (uint16_t)(i + j);
			found += may_be(f, hash[j]) & (i + j < n);
		}
	}
	return found;
}

/* Eight positions at once; the filter's words are gathered. */
__attribute__((target("avx2,bmi"))) uint32_t gram_find_avx2(const struct gram_filter *f, const char *p, uint32_t n, uint16_t *out)
{
	const __m256i low_at = _mm256_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10);
	const __m256i high_at = _mm256_add_epi8(low_at, _mm256_set1_epi8(4));
	const __m256i mask = _mm256_set1_epi32((int)f->mask), one = _mm256_set1_epi32(1), low5 = _mm256_set1_epi32(31);
	const __m128i shift = _mm_cvtsi32_si128((int)f->shift), shift5 = _mm_cvtsi32_si128((int)f->shift - 5), shift10 = _mm_cvtsi32_si128((int)f->shift - 10);
	uint32_t found = 0;
	for (uint32_t i = 0; i < n; i += 8) {
		__m256i bytes = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(p + i))), h;
		__m256i low = _mm256_shuffle_epi8(bytes, low_at);
		if (f->width == 8) {
			__m256i high = _mm256_shuffle_epi8(bytes, high_at);
			h = _mm256_xor_si256(_mm256_mullo_epi32(low, _mm256_set1_epi32((int)MIX_LOW)), _mm256_mullo_epi32(high, _mm256_set1_epi32((int)MIX_HIGH)));
		} else {
			low = _mm256_and_si256(low, mask);
			h = _mm256_mullo_epi32(_mm256_xor_si256(low, _mm256_srli_epi32(low, 15)), _mm256_set1_epi32((int)MIX));
		}
		__m256i words = _mm256_i32gather_epi32((const int *)f->words, _mm256_srl_epi32(h, shift), 4);
		__m256i bits = _mm256_or_si256(_mm256_sllv_epi32(one, _mm256_and_si256(_mm256_srl_epi32(h, shift5), low5)),
			_mm256_sllv_epi32(one, _mm256_and_si256(_mm256_srl_epi32(h, shift10), low5)));
		__m256i hit = _mm256_cmpeq_epi32(_mm256_and_si256(words, bits), bits);
		uint32_t hits = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(hit));
		if (n - i < 8) hits &= (1u << (n - i)) - 1;
		for (; hits; hits &= hits - 1) out[found++] = (uint16_t)(i + (uint32_t)__builtin_ctz(hits));
	}
	return found;
}

/* Thirty-two positions at once: which buckets have the first byte, and the second, and so on; no table in memory is asked. */
__attribute__((target("avx2,bmi"))) uint32_t gram_find_few_avx2(const struct gram_filter *f, const char *p, uint32_t n, uint16_t *out)
{
	const __m256i nibble = _mm256_set1_epi8(15), none = _mm256_setzero_si256();
	__m256i low[4], high[4];
	uint32_t found = 0;
	for (uint32_t j = 0; j < 4; j++) {
		low[j] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)f->low[j]));
		high[j] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)f->high[j]));
	}
	for (uint32_t i = 0; i < n; i += 32) {
		__m256i buckets = _mm256_set1_epi8(-1);
		for (uint32_t j = 0; j < f->width; j++) {
			__m256i bytes = _mm256_loadu_si256((const __m256i *)(p + i + j));
			__m256i in = _mm256_shuffle_epi8(low[j], _mm256_and_si256(bytes, nibble));
			buckets = _mm256_and_si256(buckets, _mm256_and_si256(in, _mm256_shuffle_epi8(high[j], _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble))));
		}
		uint32_t hits = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(buckets, none));
		if (n - i < 32) hits &= (1u << (n - i)) - 1;
		for (; hits; hits &= hits - 1) out[found++] = (uint16_t)(i + (uint32_t)__builtin_ctz(hits));
	}
	return found;
}

/* Sixteen positions at once. */
__attribute__((target("avx512f,avx512bw,bmi"))) uint32_t gram_find_avx512(const struct gram_filter *f, const char *p, uint32_t n, uint16_t *out)
{
	const __m512i low_at = _mm512_broadcast_i64x4(_mm256_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10));
	const __m512i high_at = _mm512_add_epi8(low_at, _mm512_set1_epi8(4));
	const __m512i mask = _mm512_set1_epi32((int)f->mask), one = _mm512_set1_epi32(1), low5 = _mm512_set1_epi32(31);
	const __m128i shift = _mm_cvtsi32_si128((int)f->shift), shift5 = _mm_cvtsi32_si128((int)f->shift - 5), shift10 = _mm_cvtsi32_si128((int)f->shift - 10);
	uint32_t found = 0;
	for (uint32_t i = 0; i < n; i += 16) {
		__m256i first = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(p + i)));
		__m512i bytes = _mm512_inserti64x4(_mm512_castsi256_si512(first), _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(p + i + 8))), 1), h;
		__m512i low = _mm512_shuffle_epi8(bytes, low_at);
		if (f->width == 8) {
			__m512i high = _mm512_shuffle_epi8(bytes, high_at);
			h = _mm512_xor_si512(_mm512_mullo_epi32(low, _mm512_set1_epi32((int)MIX_LOW)), _mm512_mullo_epi32(high, _mm512_set1_epi32((int)MIX_HIGH)));
		} else {
			low = _mm512_and_si512(low, mask);
			h = _mm512_mullo_epi32(_mm512_xor_si512(low, _mm512_srli_epi32(low, 15)), _mm512_set1_epi32((int)MIX));
		}
		__m512i words = _mm512_i32gather_epi32(_mm512_srl_epi32(h, shift), f->words, 4);
		__m512i bits = _mm512_or_si512(_mm512_sllv_epi32(one, _mm512_and_si512(_mm512_srl_epi32(h, shift5), low5)),
			_mm512_sllv_epi32(one, _mm512_and_si512(_mm512_srl_epi32(h, shift10), low5)));
		uint32_t hits = _mm512_cmpeq_epi32_mask(_mm512_and_si512(words, bits), bits);
		if (n - i < 16) hits &= (1u << (n - i)) - 1;
		for (; hits; hits &= hits - 1) out[found++] = (uint16_t)(i + (uint32_t)__builtin_ctz(hits));
	}
	return found;
}

/* Sixty-four positions at once. */
__attribute__((target("avx512f,avx512bw,bmi"))) uint32_t gram_find_few_avx512(const struct gram_filter *f, const char *p, uint32_t n, uint16_t *out)
{
	const __m512i nibble = _mm512_set1_epi8(15);
	__m512i low[4], high[4];
	uint32_t found = 0;
	for (uint32_t j = 0; j < 4; j++) {
		low[j] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)f->low[j]));
		high[j] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)f->high[j]));
	}
	for (uint32_t i = 0; i < n; i += 64) {
		__m512i buckets = _mm512_set1_epi8(-1);
		uint64_t within = n - i < 64 ? (1ull << (n - i)) - 1 : UINT64_MAX;
		for (uint32_t j = 0; j < f->width; j++) {
			__m512i bytes = _mm512_maskz_loadu_epi8(within, p + i + j);
			__m512i in = _mm512_shuffle_epi8(low[j], _mm512_and_si512(bytes, nibble));
			buckets = _mm512_ternarylogic_epi64(buckets, in, _mm512_shuffle_epi8(high[j], _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble)), 0x80);
		}
		uint64_t hits = _mm512_test_epi8_mask(buckets, buckets) & within;
		for (; hits; hits &= hits - 1) out[found++] = (uint16_t)(i + (uint32_t)__builtin_ctzll(hits));
	}
	return found;
}
#else
uint32_t gram_find_avx512(const struct gram_filter *f, const char *p, uint32_t n, uint16_t *out) { return gram_find_plain(f, p, n, out); }
uint32_t gram_find_few_avx512(const struct gram_filter *f, const char *p, uint32_t n, uint16_t *out) { return gram_find_plain(f, p, n, out); }
uint32_t gram_find_few_avx2(const struct gram_filter *f, const char *p, uint32_t n, uint16_t *out) { return gram_find_plain(f, p, n, out); }
uint32_t gram_find_sse4(const struct gram_filter *f, const char *p, uint32_t n, uint16_t *out) { return gram_find_plain(f, p, n, out); }
uint32_t gram_find_avx2(const struct gram_filter *f, const char *p, uint32_t n, uint16_t *out) { return gram_find_plain(f, p, n, out); }
#endif
