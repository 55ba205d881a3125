/* sha_pair.c: FIPS 180-4 6.2.2 twice, interleaved. See sha_pair.h and doc/decisions/0073-two-hashes-at-once.md. */
#include "base/sha_pair.h"
#include "base/base.h"
#include "base/cpu.h"

const uint32_t sha_pair_begin[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* FIPS 180-4 4.2.2 */
static const _Alignas(16) uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74,
	0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d,
	0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e,
	0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static bool has_sha;
__attribute__((constructor)) static void look(void)
{
	unsigned a, b = 0, c, d;
	/* CPUID leaf 7: EBX bit 29, SHA */
	has_sha = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
}

bool sha_pair_available(void) { return has_sha && cpu_level() >= CPU_SSE4; }

#define SHA_TARGET __attribute__((target("sha,sse4.1,ssse3")))

/* One message: the state as the instructions want it, and the sixteen words of the schedule now in use. */
struct lane { __m128i abef, cdgh, w[4]; };

SHA_TARGET static inline void lane_begin(struct lane *l, const uint32_t s[8])
{
	__m128i dcba = _mm_loadu_si128((const __m128i *)s), hgfe = _mm_loadu_si128((const __m128i *)(s + 4));
	__m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
	l->abef = _mm_alignr_epi8(cdab, efgh, 8);
	l->cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
}

SHA_TARGET static inline void lane_end(const struct lane *l, uint32_t s[8])
{
	__m128i feba = _mm_shuffle_epi32(l->abef, 0x1b), dchg = _mm_shuffle_epi32(l->cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)s, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((__m128i *)(s + 4), _mm_alignr_epi8(dchg, feba, 8));
}

SHA_TARGET static inline void lane_load(struct lane *l, const uint8_t *in)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	for (int i = 0; i < 4; i++) l->w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(in + 16 * i)), swap);
}

/* Rounds 4i..4i+3, and the four words that come 16 rounds later. */
SHA_TARGET static inline void lane_rounds(struct lane *l, int i)
{
	__m128i *w = &l->w[i & 3], wk = _mm_add_epi32(*w, _mm_load_si128((const __m128i *)(k + 4 * i)));
	l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, wk);
	l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(wk, 0x0e));
	if (i >= 12) return;
	__m128i last = l->w[(i + 3) & 3], next = _mm_sha256msg1_epu32(*w, l->w[(i + 1) & 3]);
	next = _mm_add_epi32(next, _mm_alignr_epi8(last, l->w[(i + 2) & 3], 4));
	*w = _mm_sha256msg2_epu32(next, last);
}

SHA_TARGET void sha_pair_blocks(uint32_t a[8], const uint8_t *in_a, uint32_t b[8], const uint8_t *in_b, size_t blocks)
{
	struct lane x, y;
	lane_begin(&x, a);
	lane_begin(&y, b);
	for (; blocks; blocks--, in_a += 64, in_b += 64) {
		__m128i x_abef = x.abef, x_cdgh = x.cdgh, y_abef = y.abef, y_cdgh = y.cdgh;
		lane_load(&x, in_a);
		lane_load(&y, in_b);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			lane_rounds(&x, i);
			lane_rounds(&y, i);
		}
		x.abef = _mm_add_epi32(x.abef, x_abef);
		x.cdgh = _mm_add_epi32(x.cdgh, x_cdgh);
		y.abef = _mm_add_epi32(y.abef, y_abef);
		y.cdgh = _mm_add_epi32(y.cdgh, y_cdgh);
	}
	lane_end(&x, a);
	lane_end(&y, b);
}

#else

bool sha_pair_available(void) { return false; }
void sha_pair_blocks(uint32_t a[8], const uint8_t *in_a, uint32_t b[8], const uint8_t *in_b, size_t blocks)
{
	(void)a, (void)in_a, (void)b, (void)in_b, (void)blocks;
	verify(!"without SHA instructions there are no pairs");
}

#endif
