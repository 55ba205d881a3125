/* json_write.c: escaping and the comma-setting writer. See json_write.h.
 *
 * Vectors are stored as they are and looked at: what stands before the first character that needs care is kept, that character
 * is written by itself, and the next vector begins behind it. Windows paths stop them at each backslash, and most strings are
 * short, so both that step and the last vector, which may not be read past the end, are kept cheap. */
#include "text/json_write.h"
#include "base/cpu.h"
#include "base/cursor.h"
#include "text/utf.h"
#include <math.h>
#include <stdio.h>

enum { STRETCH = 4096 }; /* characters for which room is reserved at once: six bytes each */

static inline bool clean(uint32_t c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

/* Bytes below 0x80 that are escaped by a letter; the other ones that are not clean need \u00xx. */
static const char letters[128] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};

static bool hidden(uint32_t c)
{
	return (c >= 0x80 && c < 0xA0) || c == 0x2028 || c == 0x2029 || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/* One character that is not clean, UTF8_BAD as U+FFFD; at most six bytes. Returns where the next goes. */
static char *put_escaped(char *o, uint32_t c)
{
	static const char digits[] = "0123456789abcdef";
	if (c < 0x80 && letters[c]) {
		o[0] = '\\';
		o[1] = letters[c];
		return o + 2;
	}
	if (c >= 0x80 && !hidden(c)) return o + utf8_put(c, o);
	o[0] = '\\';
	o[1] = 'u';
	for (int k = 0; k < 4; k++) o[2 + k] = digits[c >> (12 - 4 * k) & 15];
	return o + 6;
}

/* The character at p, of which n units (`unit` bytes each) are left: returns the units used. */
static inline size_t character(const uint8_t *p, size_t n, unsigned unit, uint32_t *ret)
{
	if (unit == 1) {
		const char *at = (const char *)p;
		*ret = utf8_step(&at, (const char *)p + n);
		return (size_t)(at - (const char *)p);
	}
	uint32_t c = le16_at(p), low = (c & 0xFC00) == 0xD800 && n > 1 ? le16_at(p + 2) : 0;
	bool pair = (low & 0xFC00) == 0xDC00;
	*ret = pair ? 0x10000 + ((c & 0x3FF) << 10 | (low & 0x3FF)) : c;
	return 1 + pair;
}

/* How many of n units may go into one stretch: all, or STRETCH less what would tear a character. */
static inline size_t stretch(const uint8_t *p, size_t n, unsigned unit)
{
	if (n <= STRETCH) return n;
	n = STRETCH;
	if (unit == 2) return n - ((le16_at(p + n * 2) & 0xFC00) == 0xDC00);
	for (int k = 0; k < 3 && (p[n] & 0xC0) == 0x80; k++) n--;
	return n;
}

static inline __attribute__((always_inline)) void write_plain(struct buf *b, const uint8_t *p, size_t n, unsigned unit)
{
	while (n) {
		size_t left = stretch(p, n, unit);
		char *start = buf_reserve(b, left * 6), *o = start;
		n -= left;
		while (left) {
			uint32_t c;
			size_t used = character(p, left, unit, &c);
			if (clean(c)) *o++ = (char)c;
			else o = put_escaped(o, c);
			p += used * unit;
			left -= used;
		}
		b->n += (size_t)(o - start);
	}
}

void json_str_part_plain(struct buf *b, struct str s) { write_plain(b, (const uint8_t *)s.p, s.n, 1); }
void json_part_utf16le_plain(struct buf *b, const void *units, size_t n_units) { write_plain(b, units, n_units, 2); }

#if defined(__x86_64__)
#include <immintrin.h>

/* Bit i set: byte i needs care. Signed comparison: bytes from 0x80 on are below 0x20 too. */
__attribute__((target("sse4.2"))) static inline unsigned dirty_sse4(__m128i v)
{
	__m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)), del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7F));
	__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"')), slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, del), _mm_or_si128(quote, slash)));
}

/* block*: a vector of units from p is stored at o as bytes; bit i set: unit i needs care. Units above 0xFF become 0xFF or, from
 * 0x8000 on, 0 when they are packed: both need care. */
__attribute__((target("sse4.2"))) static inline unsigned block8_sse4(const uint8_t *p, char *o)
{
	__m128i v = _mm_loadu_si128((const __m128i *)p);
	_mm_storeu_si128((__m128i *)o, v);
	return dirty_sse4(v);
}

__attribute__((target("sse4.2"))) static inline unsigned block16_sse4(const uint8_t *p, char *o)
{
	__m128i v = _mm_packus_epi16(_mm_loadu_si128((const __m128i *)p), _mm_loadu_si128((const __m128i *)(p + 16)));
	_mm_storeu_si128((__m128i *)o, v);
	return dirty_sse4(v);
}

__attribute__((target("avx2,bmi"))) static inline unsigned block8_avx2(const uint8_t *p, char *o)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)p);
	_mm256_storeu_si256((__m256i *)o, v);
	__m256i bad = _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v), _mm256_cmpeq_epi8(v, _mm256_set1_epi8(0x7F)));
	__m256i marks = _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')), _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\')));
	return (unsigned)_mm256_movemask_epi8(_mm256_or_si256(bad, marks));
}

__attribute__((target("avx2,bmi"))) static inline unsigned block16_avx2(const uint8_t *p, char *o)
{
	__m256i a = _mm256_loadu_si256((const __m256i *)p);
	__m128i v = _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi16(a, a), 0xD8));
	_mm_storeu_si128((__m128i *)o, v);
	return dirty_sse4(v);
}

typedef unsigned block_function(const uint8_t *p, char *o);

/* n < 64 bytes, by few overlapping pieces. */
static inline void copy_few(uint8_t *to, const uint8_t *from, size_t n)
{
	if (n >= 32) {
		memcpy(to, from, 32);
		memcpy(to + n - 32, from + n - 32, 32);
	} else if (n >= 16) {
		memcpy(to, from, 16);
		memcpy(to + n - 16, from + n - 16, 16);
	} else if (n >= 8) {
		memcpy(to, from, 8);
		memcpy(to + n - 8, from + n - 8, 8);
	} else {
		for (size_t i = 0; i < n; i++) to[i] = from[i];
	}
}

/* `width` units a vector. The units of the last, not whole vector are moved to where a whole one may be read. */
static inline __attribute__((always_inline)) void write_blocks(block_function *block, unsigned width, unsigned unit, struct buf *b,
	const uint8_t *p, size_t n)
{
	uint8_t last[64]; /* less than one vector in front, room to read one from anywhere in it */
	while (n) {
		size_t left = stretch(p, n, unit);
		const uint8_t *next = p + left * unit;
		char *start = buf_reserve(b, left * 6), *o = start;
		bool moved = false;
		n -= left;
		while (left) {
			size_t good = left < width ? left : width;
			if (good < width && !moved) {
				memset(last, 0, sizeof last);
				copy_few(last, p, good * unit);
				p = last;
				moved = true;
			}
			unsigned dirty = block(p, o) & (unsigned)(((uint64_t)1 << good) - 1);
			if (dirty) good = (size_t)__builtin_ctz(dirty);
			o += good;
			p += good * unit;
			left -= good;
			if (!dirty) continue;
			uint32_t c = unit == 1 ? *p : le16_at(p);
			if (c < 0x80 && letters[c]) { /* mostly a backslash */
				o[0] = '\\';
				o[1] = letters[c];
				o += 2;
				p += unit;
				left--;
				continue;
			}
			size_t used = character(p, left, unit, &c);
			o = put_escaped(o, c);
			p += used * unit;
			left -= used;
		}
		b->n += (size_t)(o - start);
		p = next;
	}
}

__attribute__((target("sse4.2"))) static void part8_sse4(struct buf *b, const uint8_t *p, size_t n)
{
	write_blocks(block8_sse4, 16, 1, b, p, n);
}
__attribute__((target("sse4.2"))) static void part16_sse4(struct buf *b, const uint8_t *p, size_t n)
{
	write_blocks(block16_sse4, 16, 2, b, p, n);
}
__attribute__((target("avx2,bmi"))) static void part8_avx2(struct buf *b, const uint8_t *p, size_t n)
{
	write_blocks(block8_avx2, 32, 1, b, p, n);
}
__attribute__((target("avx2,bmi"))) static void part16_avx2(struct buf *b, const uint8_t *p, size_t n)
{
	write_blocks(block16_avx2, 16, 2, b, p, n);
}
/* At most 32 units at a time: wide, each behind a backslash, of which those stay that the unit needs. The last units are read by mask, so nothing is moved. */
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi,bmi2,popcnt"))) static inline __attribute__((always_inline)) void write_expanded(
	unsigned unit, struct buf *b, const uint8_t *p, size_t n)
{
	const __m512i slash = _mm512_set1_epi16('\\'), quote = _mm512_set1_epi16('"');
	while (n) {
		size_t left = stretch(p, n, unit);
		char *start = buf_reserve(b, left * 6), *o = start;
		n -= left;
		while (left) {
			__mmask32 there = left < 32 ? _bzhi_u32(UINT32_MAX, (unsigned)left) : UINT32_MAX;
			__m512i v = unit == 1 ? _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(there, p)) : _mm512_maskz_loadu_epi16(there, p);
			__mmask32 other = there & ~_mm512_cmplt_epu16_mask(_mm512_sub_epi16(v, _mm512_set1_epi16(0x20)), _mm512_set1_epi16(0x7F - 0x20));
			__mmask32 marked = _mm512_cmpeq_epi16_mask(v, slash) | _mm512_cmpeq_epi16_mask(v, quote);
			size_t good = left < 32 ? left : 32;
			if (other) {
				good = _tzcnt_u32(other);
				marked = _bzhi_u32(marked, (unsigned)good);
			}
			if (marked) {
				__m512i pairs = _mm512_or_si512(_mm512_slli_epi16(v, 8), slash);
				uint64_t wanted = _pdep_u64(marked, 0x5555555555555555) | 0xAAAAAAAAAAAAAAAA;
				_mm512_storeu_si512(o, _mm512_maskz_compress_epi8(wanted, pairs));
				o += good + (size_t)_mm_popcnt_u32(marked);
			} else {
				_mm256_storeu_si256((__m256i *)o, _mm512_cvtepi16_epi8(v));
				o += good;
			}
			p += good * unit;
			left -= good;
			for (bool more = other; more;) { /* such units come together */
				uint32_t c;
				size_t used = character(p, left, unit, &c);
				o = put_escaped(o, c);
				p += used * unit;
				left -= used;
				more = left && !clean(unit == 1 ? *p : le16_at(p));
			}
		}
		b->n += (size_t)(o - start);
	}
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi,bmi2,popcnt"))) static void part8_avx512(struct buf *b, const uint8_t *p, size_t n)
{
	write_expanded(1, b, p, n);
}
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi,bmi2,popcnt"))) static void part16_avx512(struct buf *b, const uint8_t *p, size_t n)
{
	write_expanded(2, b, p, n);
}
#endif

void json_str_part(struct buf *b, struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;
#if defined(__x86_64__)
	enum cpu_level level = cpu_level();
	if (level >= CPU_AVX512) part8_avx512(b, p, s.n);
	else if (level >= CPU_AVX2) part8_avx2(b, p, s.n);
	else if (level >= CPU_SSE4) part8_sse4(b, p, s.n);
	else
#endif
		write_plain(b, p, s.n, 1);
}

void json_part_utf16le(struct buf *b, const void *units, size_t n_units)
{
#if defined(__x86_64__)
	enum cpu_level level = cpu_level();
	if (level >= CPU_AVX512) part16_avx512(b, units, n_units);
	else if (level >= CPU_AVX2) part16_avx2(b, units, n_units);
	else if (level >= CPU_SSE4) part16_sse4(b, units, n_units);
	else
#endif
		write_plain(b, units, n_units, 2);
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
