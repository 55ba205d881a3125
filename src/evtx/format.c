/* format.c: see format.h. */
#include "evtx/format.h"
#include "base/buf.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

const char format_pairs[201] =
	"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
	"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static char *two(char *out, unsigned v)
{
	memcpy(out, format_pairs + v * 2, 2);
	return out + 2;
}

char *format_u64(char *out, uint64_t v) { return u64_print(out, v); }

char *format_i64(char *out, int64_t v)
{
	if (v >= 0) return format_u64(out, (uint64_t)v);
	*out++ = '-';
	return format_u64(out, 0 - (uint64_t)v);
}

char *format_hex(char *out, uint64_t v)
{
	static const char digits[] = "0123456789abcdef";
	unsigned n = v ? (unsigned)(67 - __builtin_clzll(v)) / 4 : 1;
	out[0] = '0';
	out[1] = 'x';
	for (unsigned i = n; i; v >>= 4) out[1 + i--] = digits[v & 15];
	return out + 2 + n;
}

/* The n lowest bytes of v, 2 or 4, the highest first. Eight bytes are written. */
static inline char *hex_upper(char *out, uint32_t v, unsigned n)
{
	uint64_t x = v;
	x = (x | x << 16) & 0x0000ffff0000ffff;
	x = (x | x << 8) & 0x00ff00ff00ff00ff;
	x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
	uint64_t letters = (x + 0x0606060606060606) >> 4 & 0x0101010101010101;
	x = __builtin_bswap64(x + 0x3030303030303030 + letters * ('A' - '0' - 10)) >> (64 - 16 * n);
	memcpy(out, &x, sizeof x);
	return out + 2 * n;
}

char *format_guid(char *out, const uint8_t *p)
{
	out = hex_upper(out, le32_at(p), 4);
	*out++ = '-';
	out = hex_upper(out, le16_at(p + 4), 2);
	*out++ = '-';
	out = hex_upper(out, le16_at(p + 6), 2);
	*out++ = '-';
	out = hex_upper(out, (uint32_t)p[8] << 8 | p[9], 2);
	*out++ = '-';
	out = hex_upper(out, (uint32_t)p[10] << 8 | p[11], 2);
	return hex_upper(out, __builtin_bswap32(le32_at(p + 12)), 4);
}

char *format_filetime(char *out, uint64_t filetime, struct evtx_format_cache *cache)
{
	uint64_t seconds = filetime / 10000000, micro = filetime % 10000000 / 10;
	int64_t day = (int64_t)(seconds / 86400);
	unsigned rest = (unsigned)(seconds % 86400);
	if (!cache->day_known || cache->day != day) {
		char full[ETIME_MAX];
		size_t n = etime_print((struct etime){day * 86400 - 11644473600, 0, 0, true}, 0, full);
		/* Years beyond 9999 make the date longer: not worth a cache. */
		if (n != 20) {
			struct etime t = {(int64_t)seconds - 11644473600, (uint32_t)micro * 1000, 6, true};
			return out + etime_print(t, 6, out);
		}
		memcpy(cache->date, full, 11);
		cache->day = day;
		cache->day_known = true;
	}
	memcpy(out, cache->date, 11);
	out = two(out + 11, rest / 3600);
	*out++ = ':';
	out = two(out, rest / 60 % 60);
	*out++ = ':';
	out = two(out, rest % 60);
	*out++ = '.';
	out = two(out, (unsigned)(micro / 10000));
	out = two(out, (unsigned)(micro / 100 % 100));
	out = two(out, (unsigned)(micro % 100));
	*out++ = 'Z';
	return out;
}

char *format_sid(char *out, const uint8_t *p, size_t n, struct evtx_format_cache *cache)
{
	if (n < 8 || n != 8 + 4u * p[1]) {
		static const char digits[] = "0123456789ABCDEF";
		for (size_t i = 0; i < n; i++) *out++ = digits[p[i] >> 4], *out++ = digits[p[i] & 15];
		return out;
	}
	if (cache->sid_n != n || memcmp(cache->sid, p, n)) {
		uint64_t authority = 0;
		char *o = cache->sid_text;
		for (int i = 2; i < 8; i++) authority = authority << 8 | p[i];
		*o++ = 'S';
		*o++ = '-';
		o = format_u64(o, p[0]);
		*o++ = '-';
		o = format_u64(o, authority);
		for (unsigned i = 0; i < p[1]; i++) {
			*o++ = '-';
			o = format_u64(o, le32_at(p + 8 + 4 * i));
		}
		memcpy(cache->sid, p, n);
		cache->sid_n = (uint8_t)n;
		cache->sid_text_n = (uint8_t)(o - cache->sid_text);
	}
	memcpy(out, cache->sid_text, cache->sid_text_n);
	return out + cache->sid_text_n;
}

/* The first NUL of eight units, 16 when there is none: bytes of them in front. */
#if defined(__SSE2__)
static inline unsigned nul_of_eight(const uint8_t *p)
{
	__m128i zeros = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)p), _mm_setzero_si128());
	return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(zeros) | 1u << 16);
}
#else
static inline unsigned nul_of_eight(const uint8_t *p)
{
	unsigned i = 0;
	while (i < 16 && (p[i] | p[i + 1])) i += 2;
	return i;
}
#endif

size_t utf16_length(const uint8_t *p, size_t units)
{
	size_t i = 0;
	for (; i + 8 <= units; i += 8) {
		unsigned at = nul_of_eight(p + i * 2);
		if (at < 16) return i + at / 2;
	}
	if (units >= 8 && i < units) { /* the last eight again: those of them that were looked at have none */
		unsigned at = nul_of_eight(p + (units - 8) * 2);
		return units - 8 + at / 2;
	}
	while (i < units && (p[i * 2] | p[i * 2 + 1])) i++;
	return i;
}
