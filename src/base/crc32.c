/* crc32.c: CRC-32 (reflected polynomial 0xEDB88320): slicing by 8, and folding with PCLMULQDQ, 64, 128 or 256 bytes at a time.
 *
 * The folding constants are x^n mod P for the distances named beside them, in reflected form; the method is the one of
 * V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel, 2009). */
#include "base/crc32.h"
#include "base/cpu.h"
#include "base/cursor.h"
#include <pthread.h>

static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
		table[0][i] = c;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int k = 1; k < 8; k++) table[k][i] = table[0][table[k - 1][i] & 255] ^ (table[k - 1][i] >> 8);
}

static uint32_t sliced(uint32_t c, const uint8_t *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint32_t a = c ^ le32_at(p), b = le32_at(p + 4);
		c = table[7][a & 255] ^ table[6][a >> 8 & 255] ^ table[5][a >> 16 & 255] ^ table[4][a >> 24] ^
		    table[3][b & 255] ^ table[2][b >> 8 & 255] ^ table[1][b >> 16 & 255] ^ table[0][b >> 24];
	}
	while (n--) c = table[0][(c ^ *p++) & 255] ^ (c >> 8);
	return c;
}

uint32_t crc32_plain(uint32_t crc, const void *bytes, size_t n)
{
	pthread_once(&once, fill);
	return ~sliced(~crc, bytes, n);
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("pclmul,sse4.2"))) static __m128i fold(__m128i x, __m128i k, __m128i next)
{
	return _mm_xor_si128(next, _mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)));
}

/* n accumulators are folded into one, what is left is folded in 16 bytes at a time; then 128 -> 64 bits and Barrett reduction to 32. */
__attribute__((target("pclmul,sse4.2"))) static uint32_t finish(const __m128i *x, int n, const uint8_t *p, const uint8_t *end, const uint8_t **ret_at)
{
	const __m128i by16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0); /* x^(128-32), x^(128+32) */
	const __m128i k5 = _mm_set_epi64x(0, 0x0163cd6124);              /* x^64 */
	const __m128i poly = _mm_set_epi64x(0x01f7011641, 0x01db710641); /* mu, P' */
	const __m128i low32 = _mm_setr_epi32(-1, 0, -1, 0);
	__m128i a = x[0];
	for (int i = 1; i < n; i++) a = fold(a, by16, x[i]);
	for (; end - p >= 16; p += 16) a = fold(a, by16, _mm_loadu_si128((const __m128i *)p));
	*ret_at = p;
	__m128i t = _mm_clmulepi64_si128(a, by16, 0x10);
	a = _mm_xor_si128(_mm_srli_si128(a, 8), t);
	t = _mm_srli_si128(a, 4);
	a = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low32), k5, 0x00), t);
	t = _mm_clmulepi64_si128(_mm_and_si128(a, low32), poly, 0x10);
	t = _mm_clmulepi64_si128(_mm_and_si128(t, low32), poly, 0x00);
	return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, t), 1);
}

/* n >= 64; returns the state after the largest multiple of 16 bytes, *ret_done says how many. */
__attribute__((target("pclmul,sse4.2"))) static uint32_t folded(uint32_t c, const uint8_t *p, size_t n, size_t *ret_done)
{
	const __m128i by64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4); /* x^(512-32), x^(512+32) */
	const uint8_t *start = p, *end = p + n, *at;
	__m128i x[4];
	for (int i = 0; i < 4; i++) x[i] = _mm_loadu_si128((const __m128i *)(p + 16 * i));
	x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)c));
	for (p += 64; end - p >= 64; p += 64)
		for (int i = 0; i < 4; i++) x[i] = fold(x[i], by64, _mm_loadu_si128((const __m128i *)(p + 16 * i)));
	c = finish(x, 4, p, end, &at);
	*ret_done = (size_t)(at - start);
	return c;
}

__attribute__((target("vpclmulqdq,pclmul,avx2"))) static inline __m256i fold256(__m256i x, __m256i k, __m256i next)
{
	return _mm256_xor_si256(next, _mm256_xor_si256(_mm256_clmulepi64_epi128(x, k, 0x00), _mm256_clmulepi64_epi128(x, k, 0x11)));
}

/* As folded, 128 bytes at a time; n >= 128. */
__attribute__((target("vpclmulqdq,pclmul,avx2"))) static uint32_t folded256(uint32_t c, const uint8_t *p, size_t n, size_t *ret_done)
{
	const __m256i by128 = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x014a7fe880, 0x01e88ef372)); /* x^(1024-32), x^(1024+32) */
	const __m256i by32 = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x015a546366, 0x00f1da05aa));  /* x^(256-32), x^(256+32) */
	const uint8_t *start = p, *end = p + n, *at;
	__m256i x[4];
	__m128i last[2];
	for (int i = 0; i < 4; i++) x[i] = _mm256_loadu_si256((const __m256i *)(p + 32 * i));
	x[0] = _mm256_xor_si256(x[0], _mm256_zextsi128_si256(_mm_cvtsi32_si128((int)c)));
	for (p += 128; end - p >= 128; p += 128)
		for (int i = 0; i < 4; i++) x[i] = fold256(x[i], by128, _mm256_loadu_si256((const __m256i *)(p + 32 * i)));
	x[0] = fold256(fold256(fold256(x[0], by32, x[1]), by32, x[2]), by32, x[3]);
	_mm256_storeu_si256((__m256i *)last, x[0]);
	c = finish(last, 2, p, end, &at);
	*ret_done = (size_t)(at - start);
	return c;
}

__attribute__((target("vpclmulqdq,pclmul,avx512f,avx512bw,avx512dq,avx512vl"))) static inline __m512i fold512(__m512i x, __m512i k, __m512i next)
{
	return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(x, k, 0x00), _mm512_clmulepi64_epi128(x, k, 0x11), next, 0x96);
}

/* As folded, 256 bytes at a time; n >= 256. */
__attribute__((target("vpclmulqdq,pclmul,avx512f,avx512bw,avx512dq,avx512vl"))) static uint32_t folded512(uint32_t c, const uint8_t *p, size_t n, size_t *ret_done)
{
	const __m512i by256 = _mm512_broadcast_i32x4(_mm_set_epi64x(0x01322d1430, 0x011542778a)); /* x^(2048-32), x^(2048+32) */
	const __m512i by64 = _mm512_broadcast_i32x4(_mm_set_epi64x(0x01c6e41596, 0x0154442bd4));  /* x^(512-32), x^(512+32) */
	const uint8_t *start = p, *end = p + n, *at;
	__m512i x[4];
	__m128i last[4];
	for (int i = 0; i < 4; i++) x[i] = _mm512_loadu_si512(p + 64 * i);
	x[0] = _mm512_xor_si512(x[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)c)));
	for (p += 256; end - p >= 256; p += 256)
		for (int i = 0; i < 4; i++) x[i] = fold512(x[i], by256, _mm512_loadu_si512(p + 64 * i));
	x[0] = fold512(fold512(fold512(x[0], by64, x[1]), by64, x[2]), by64, x[3]);
	for (; end - p >= 64; p += 64) x[0] = fold512(x[0], by64, _mm512_loadu_si512(p));
	_mm512_storeu_si512(last, x[0]);
	c = finish(last, 4, p, end, &at);
	*ret_done = (size_t)(at - start);
	return c;
}
#endif

uint32_t crc32_of(uint32_t crc, const void *bytes, size_t n)
{
	pthread_once(&once, fill);
	uint32_t c = ~crc;
	const uint8_t *p = bytes;
#if defined(__x86_64__)
	if (n >= 64 && cpu_level() >= CPU_SSE4) {
		size_t done;
		c = n >= 256 && cpu_level() >= CPU_AVX512 ? folded512(c, p, n, &done) : n >= 128 && cpu_vpclmul_in_force ? folded256(c, p, n, &done) : folded(c, p, n, &done);
		p += done;
		n -= done;
	}
#endif
	return ~sliced(c, p, n);
}
