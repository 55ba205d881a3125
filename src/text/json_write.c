/* json_write.c: escaping and the comma-setting writer. See json_write.h.
 *
 * Clean stretches (printable ASCII but quote and backslash) are copied by vectors; what stops them is handled character by
 * character, then the vectors go on. Windows paths stop them at each backslash: that step is kept short. */
#include "text/json_write.h"
#include "base/cpu.h"
#include "base/cursor.h"
#include "text/utf.h"
#include <math.h>
#include <stdio.h>

enum { STRETCH = 16384 }; /* room reserved at once for clean text */

static inline bool clean(uint32_t c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

/* clean8_*, clean16_*: copy leading clean characters, return how many. They may store up to 32 bytes more (buf keeps 64). */
static size_t clean8_plain(const uint8_t *p, size_t n, char *out)
{
	size_t i = 0;
	for (; i < n && clean(p[i]); i++) out[i] = (char)p[i];
	return i;
}

static size_t clean16_plain(const uint8_t *p, size_t n, char *out)
{
	size_t i = 0;
	for (; i < n && clean(le16_at(p + i * 2)); i++) out[i] = (char)p[i * 2];
	return i;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Bit i set: byte i needs care. Signed comparison: bytes from 0x80 on are below 0x20 too. */
__attribute__((target("sse4.2"))) static inline unsigned dirty_sse4(__m128i v)
{
	__m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)), del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7F));
	__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"')), slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, del), _mm_or_si128(quote, slash)));
}

__attribute__((target("sse4.2"))) static size_t clean8_sse4(const uint8_t *p, size_t n, char *out)
{
	size_t i = 0;
	for (; n - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + i));
		_mm_storeu_si128((__m128i *)(out + i), v);
		unsigned dirty = dirty_sse4(v);
		if (dirty) return i + (size_t)__builtin_ctz(dirty);
	}
	return i + clean8_plain(p + i, n - i, out + i);
}

__attribute__((target("sse4.2"))) static size_t clean16_sse4(const uint8_t *p, size_t n, char *out)
{
	size_t i = 0;
	for (; n - i >= 8; i += 8) {
		/* packus: units above 0xFF become 0xFF, those from 0x8000 on 0: both dirty. */
		__m128i v = _mm_loadu_si128((const __m128i *)(p + i * 2));
		v = _mm_packus_epi16(v, v);
		_mm_storel_epi64((__m128i *)(out + i), v);
		unsigned dirty = dirty_sse4(v);
		if (dirty) return i + (size_t)__builtin_ctz(dirty);
	}
	return i + clean16_plain(p + i * 2, n - i, out + i);
}

__attribute__((target("avx2,bmi"))) static size_t clean8_avx2(const uint8_t *p, size_t n, char *out)
{
	const __m256i blank = _mm256_set1_epi8(0x20), quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\'), del = _mm256_set1_epi8(0x7F);
	size_t i = 0;
	for (; n - i >= 32; i += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(p + i));
		_mm256_storeu_si256((__m256i *)(out + i), v);
		__m256i bad = _mm256_or_si256(_mm256_cmpgt_epi8(blank, v), _mm256_cmpeq_epi8(v, del));
		bad = _mm256_or_si256(bad, _mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, slash)));
		unsigned dirty = (unsigned)_mm256_movemask_epi8(bad);
		if (dirty) return i + _tzcnt_u32(dirty);
	}
	return i + clean8_sse4(p + i, n - i, out + i);
}

__attribute__((target("avx2,bmi"))) static size_t clean16_avx2(const uint8_t *p, size_t n, char *out)
{
	size_t i = 0;
	for (; n - i >= 16; i += 16) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(p + i * 2));
		v = _mm256_permute4x64_epi64(_mm256_packus_epi16(v, v), 0xD8);
		__m128i packed = _mm256_castsi256_si128(v);
		_mm_storeu_si128((__m128i *)(out + i), packed);
		unsigned dirty = dirty_sse4(packed);
		if (dirty) return i + _tzcnt_u32(dirty);
	}
	return i + clean16_sse4(p + i * 2, n - i, out + i);
}
#endif

typedef size_t clean_run(const uint8_t *p, size_t n, char *out);

static bool hidden(uint32_t c)
{
	return (c >= 0x80 && c < 0xA0) || c == 0x2028 || c == 0x2029 || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/* One character that is not clean; UTF8_BAD becomes U+FFFD. */
static void put_escaped(struct buf *b, uint32_t c)
{
	/* Bytes below 0x80 that are not clean: 0 means \u00xx. */
	static const char letters[128] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
	static const char digits[] = "0123456789abcdef";
	char *o = buf_reserve(b, 6);
	if (c < 0x80 && letters[c]) {
		o[0] = '\\';
		o[1] = letters[c];
		b->n += 2;
	} else if (c < 0x80 || hidden(c)) {
		o[0] = '\\';
		o[1] = 'u';
		for (int k = 0; k < 4; k++) o[2 + k] = digits[c >> (12 - 4 * k) & 15];
		b->n += 6;
	} else {
		b->n += utf8_put(c, o);
	}
}

static inline void part8(clean_run *run, struct buf *b, struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p, *end = s.n ? p + s.n : p;
	while (p < end) {
		size_t m = (size_t)(end - p) < STRETCH ? (size_t)(end - p) : STRETCH;
		size_t k = run(p, m, buf_reserve(b, m));
		b->n += k;
		p += k;
		while (p < end && !clean(*p)) {
			if (*p < 0x80) {
				put_escaped(b, *p++);
				continue;
			}
			const char *at = (const char *)p;
			put_escaped(b, utf8_step(&at, (const char *)end));
			p = (const uint8_t *)at;
		}
	}
}

static inline void part16(clean_run *run, struct buf *b, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t m = n - i < STRETCH ? n - i : STRETCH;
		size_t k = run(p + i * 2, m, buf_reserve(b, m));
		b->n += k;
		i += k;
		for (uint32_t c; i < n && !clean(c = le16_at(p + i * 2)); i++) {
			if ((c & 0xFC00) == 0xD800 && i + 1 < n) {
				uint32_t low = le16_at(p + i * 2 + 2);
				if ((low & 0xFC00) == 0xDC00) {
					c = 0x10000 + ((c & 0x3FF) << 10 | (low & 0x3FF));
					i++;
				}
			}
			put_escaped(b, c);
		}
	}
}

void json_str_part_plain(struct buf *b, struct str s) { part8(clean8_plain, b, s); }
void json_part_utf16le_plain(struct buf *b, const void *units, size_t n_units) { part16(clean16_plain, b, units, n_units); }

void json_str_part(struct buf *b, struct str s)
{
#if defined(__x86_64__)
	enum cpu_level level = cpu_level();
	if (level >= CPU_AVX2) {
		part8(clean8_avx2, b, s);
		return;
	}
	if (level >= CPU_SSE4) {
		part8(clean8_sse4, b, s);
		return;
	}
#endif
	part8(clean8_plain, b, s);
}

void json_part_utf16le(struct buf *b, const void *units, size_t n_units)
{
#if defined(__x86_64__)
	enum cpu_level level = cpu_level();
	if (level >= CPU_AVX2) {
		part16(clean16_avx2, b, units, n_units);
		return;
	}
	if (level >= CPU_SSE4) {
		part16(clean16_sse4, b, units, n_units);
		return;
	}
#endif
	part16(clean16_plain, b, units, n_units);
}

void json_str(struct buf *b, struct str s)
{
	buf_byte(b, '"');
	json_str_part(b, s);
	buf_byte(b, '"');
}

void json_str_utf16le(struct buf *b, const void *units, size_t n_units)
{
	buf_byte(b, '"');
	json_part_utf16le(b, units, n_units);
	buf_byte(b, '"');
}

void json_double(struct buf *b, double v)
{
	char text[32];
	if (!isfinite(v)) {
		json_null(b);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (digits == 17 || strtod(text, NULL) == v) break;
	}
	buf_str(b, str_of(text));
}

static bool in_object(const struct json_out *o) { return o->depth && o->objects >> (o->depth - 1) & 1; }

void json_put_begin(struct json_out *o)
{
	verify(in_object(o) == o->keyed);
	if (o->comma && !o->keyed) buf_byte(o->b, ',');
	o->keyed = false;
	o->comma = true;
}

static void begin(struct json_out *o, char bracket)
{
	json_put_begin(o);
	verify(o->depth < JSON_OUT_DEPTH);
	uint64_t bit = (uint64_t)1 << o->depth++;
	o->objects = bracket == '{' ? o->objects | bit : o->objects & ~bit;
	o->comma = false;
	buf_byte(o->b, bracket);
}

void json_begin_object(struct json_out *o) { begin(o, '{'); }
void json_begin_array(struct json_out *o) { begin(o, '['); }

void json_end(struct json_out *o)
{
	verify(o->depth && !o->keyed);
	buf_byte(o->b, in_object(o) ? '}' : ']');
	o->depth--;
	o->comma = true;
}

void json_key(struct json_out *o, struct str key)
{
	verify(in_object(o) && !o->keyed);
	if (o->comma) buf_byte(o->b, ',');
	json_str(o->b, key);
	buf_byte(o->b, ':');
	o->keyed = true;
}

void json_put_str(struct json_out *o, struct str s)
{
	json_put_begin(o);
	json_str(o->b, s);
}

void json_put_u64(struct json_out *o, uint64_t v)
{
	json_put_begin(o);
	buf_u64(o->b, v);
}

void json_put_i64(struct json_out *o, int64_t v)
{
	json_put_begin(o);
	buf_i64(o->b, v);
}

void json_put_double(struct json_out *o, double v)
{
	json_put_begin(o);
	json_double(o->b, v);
}

void json_put_bool(struct json_out *o, bool v)
{
	json_put_begin(o);
	json_bool(o->b, v);
}

void json_put_null(struct json_out *o)
{
	json_put_begin(o);
	json_null(o->b);
}

void json_put_raw(struct json_out *o, struct str json)
{
	json_put_begin(o);
	buf_str(o->b, json);
}
