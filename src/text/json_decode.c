/* json_decode.c: what tokens stand for: strings unescaped, numbers read, members found. See json_read.h. */
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/cursor.h"
#include "text/json_read.h"
#include "text/utf.h"

static unsigned hex4(const char *p)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)p[i];
		v = v << 4 | (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
	}
	return v & 0xFFFF;
}

/* What a letter behind a backslash stands for; 0: a number follows. */
static const char letters[256] = {['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};

/* \u at p. Returns the bytes used, *ret_n those written. */
static __attribute__((noinline)) size_t unescape_number(const char *p, const char *end, char *out, size_t *ret_n)
{
	*ret_n = 1;
	if (p[1] != 'u' || end - p < 6) {
		*out = 0;
		return 2;
	}
	uint32_t c = hex4(p + 2);
	size_t used = 6;
	if ((c & 0xFC00) == 0xD800 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
		uint32_t low = hex4(p + 8);
		if ((low & 0xFC00) == 0xDC00) {
			c = 0x10000 + ((c & 0x3FF) << 10 | (low & 0x3FF));
			used = 12;
		}
	}
	*ret_n = utf8_put(c, out);
	return used;
}

/* The escape at p, where at least two bytes are. Returns the bytes used, *ret_n those written. */
static inline size_t unescape_one(const char *p, const char *end, char *out, size_t *ret_n)
{
	char letter = letters[(unsigned char)p[1]];
	*out = letter;
	*ret_n = 1;
	if (letter) return 2;
	return unescape_number(p, end, out, ret_n);
}

size_t json_unescape_plain(struct str raw, char *out)
{
	const char *p = raw.p, *end = raw.n ? p + raw.n : p;
	char *o = out;
	while (p < end) {
		size_t n = 1;
		if (*p != '\\' || end - p < 2) *o = *p++;
		else p += unescape_one(p, end, o, &n);
		o += n;
	}
	return (size_t)(o - out);
}

/* Less than a vector, eight bytes at a time: out has room for more than is written. */
static size_t unescape_short(const char *p, const char *end, char *out)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7f, slash = 0x5c5c5c5c5c5c5c5c;
	char *o = out;
	while (end - p >= 8) {
		uint64_t v = le64_at(p), x = v ^ slash, found = ~(((x & low) + low) | x | low);
		memcpy(o, &v, 8);
		size_t run = found ? (size_t)__builtin_ctzll(found) / 8 : 8, n = 1;
		p += run;
		o += run;
		if (!found) continue;
		if (end - p < 2) break;
		p += unescape_one(p, end, o, &n);
		o += n;
	}
	while (p < end && *p != '\\') *o++ = *p++;
	return (size_t)(o - out) + json_unescape_plain((struct str){p, (size_t)(end - p)}, o);
}

#if defined(__x86_64__)
#include <immintrin.h>

static size_t unescape_sse(struct str raw, char *out)
{
	const char *p = raw.p, *end = raw.n ? p + raw.n : p;
	char *o = out;
	while (end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		_mm_storeu_si128((__m128i *)(void *)o, v);
		unsigned slashes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
		if (!slashes) {
			p += 16;
			o += 16;
			continue;
		}
		size_t run = (size_t)__builtin_ctz(slashes), n = 1;
		p += run;
		o += run;
		if (end - p < 2) break;
		p += unescape_one(p, end, o, &n);
		o += n;
	}
	return (size_t)(o - out) + unescape_short(p, end, o);
}

/* While escapes are of \" \\ and \/ only, their backslashes are left out, 64 bytes at a time; from the first other one on it is done as above.
 * A backslash that is escaped stays: those at odd places of a row go. */
__attribute__((target("avx512f,avx512bw,avx512vbmi2,bmi,bmi2,popcnt"))) static size_t unescape_avx512(struct str raw, char *out)
{
	const uint64_t even = 0x5555555555555555;
	size_t at = 0, n = 0;
	bool carry = false; /* the byte at `at` is escaped, and its backslash gone */
	while (at < raw.n) {
		size_t left = raw.n - at;
		uint64_t within = left >= 64 ? UINT64_MAX : ((uint64_t)1 << left) - 1;
		__m512i v = left >= 64 ? _mm512_loadu_si512(raw.p + at) : _mm512_maskz_loadu_epi8(within, raw.p + at);
		uint64_t slashes = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\')), escaped = 0, rows;
		if (slashes | carry) {
			uint64_t quotes = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"')) | _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('/'));
			uint64_t before = slashes, behind = (slashes & ~(uint64_t)carry) << 1 | carry, starts = slashes & ~(uint64_t)carry & ~even & ~behind;
			bool over = __builtin_add_overflow(starts, slashes & ~(uint64_t)carry, &rows);
			escaped = (even ^ rows << 1) & behind;
			if (escaped & within & ~(before | quotes)) break;
			carry = over;
		}
		uint64_t kept = within & ~(slashes & ~escaped);
		if (left <= 64) kept |= slashes & ~escaped & (uint64_t)1 << (left - 1); /* nothing behind it: no escape */
		_mm512_storeu_si512(out + n, _mm512_maskz_compress_epi8(kept, v));
		n += (size_t)__builtin_popcountll(kept);
		at += 64;
	}
	if (at >= raw.n) return n;
	/* What is left begins at an escape that is whole: the last block's backslash, when it was cut off, stands before. */
	size_t from = carry ? at - 1 : at;
	return n + unescape_sse(str_sub(raw, from, raw.n), out + n);
}

size_t json_unescape(struct str raw, char *out)
{
	return raw.n && cpu_level() >= CPU_AVX512 ? unescape_avx512(raw, out) : unescape_sse(raw, out);
}
#else
size_t json_unescape(struct str raw, char *out) { return json_unescape_plain(raw, out); }
#endif

struct str json_decode(struct arena *a, struct str text, const struct json_token *token)
{
	struct str raw = json_raw(text, token);
	if (token->type != JSON_STRING && token->type != JSON_KEY) return raw;
	if (token->flags & JSON_ESCAPED) {
		char *out = arena_alloc(a, raw.n + UTF_SLACK);
		if (!out) return (struct str){NULL, 0};
		raw = (struct str){out, json_unescape(raw, out)};
	}
	return token->flags & JSON_NON_ASCII ? utf8_clean(a, raw) : raw;
}

bool json_to_i64(struct str text, const struct json_token *token, int64_t *ret)
{
	return token->type == JSON_NUMBER && str_i64(json_raw(text, token), ret);
}

bool json_to_u64(struct str text, const struct json_token *token, uint64_t *ret)
{
	return token->type == JSON_NUMBER && str_u64(json_raw(text, token), ret);
}

bool json_to_double(struct str text, const struct json_token *token, double *ret)
{
	char copy[1001];
	if (token->type != JSON_NUMBER || token->length >= sizeof copy) return false;
	memcpy(copy, text.p + token->start, token->length);
	copy[token->length] = 0;
	*ret = strtod(copy, NULL);
	return true;
}

static bool key_is(struct str text, const struct json_token *key, struct str wanted)
{
	struct str raw = json_raw(text, key);
	if (!(key->flags & JSON_ESCAPED)) return str_eq(raw, wanted);
	/* Unescaped text is at most as long, and at least a sixth. */
	if (wanted.n > raw.n || wanted.n < raw.n / 6) return false;
	char *out = xmalloc(raw.n + UTF_SLACK);
	bool same = str_eq((struct str){out, json_unescape(raw, out)}, wanted);
	free(out);
	return same;
}

const struct json_token *json_get(const struct json_tape *t, struct str text, uint32_t object, struct str key)
{
	for (struct json_member m = {0}; json_member_next(t, object, &m);)
		if (key_is(text, &t->v[m.key], key)) return &t->v[m.value];
	return NULL;
}
