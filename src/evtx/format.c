/* format.c: see format.h. */
#include "evtx/format.h"

const char format_pairs[201] =
	"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
	"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static char *two(char *out, unsigned v)
{
	memcpy(out, format_pairs + v * 2, 2);
	return out + 2;
}

char *format_u64(char *out, uint64_t v)
{
	char text[20];
	int at = sizeof text;
	while (v >= 100) {
		at -= 2;
		memcpy(text + at, format_pairs + v % 100 * 2, 2);
		v /= 100;
	}
	if (v >= 10) {
		at -= 2;
		memcpy(text + at, format_pairs + v * 2, 2);
	} else {
		text[--at] = (char)('0' + v);
	}
	memcpy(out, text + at, sizeof text - (size_t)at);
	return out + (sizeof text - (size_t)at);
}

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

static char *hex_byte(char *out, uint8_t v)
{
	static const char digits[] = "0123456789ABCDEF";
	out[0] = digits[v >> 4];
	out[1] = digits[v & 15];
	return out + 2;
}

char *format_guid(char *out, const uint8_t *p)
{
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
		out = hex_byte(out, p[order[i]]);
	}
	return out;
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
	if (n < 8 || n > sizeof cache->sid || n != 8 + 4u * p[1]) return out;
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

size_t utf16_length(const uint8_t *p, size_t units)
{
	size_t i = 0;
	/* Four units at a time: a unit is zero where subtracting one borrows into its top bit and the bit was clear. */
	for (; i + 4 <= units; i += 4) {
		uint64_t w = le64_at(p + i * 2);
		if ((w - 0x0001000100010001u) & ~w & 0x8000800080008000u) break;
	}
	while (i < units && (p[i * 2] | p[i * 2 + 1])) i++;
	return i;
}
