/* json_read.c: the scanner, and streams of values. See json_read.h; unescaping is in json_decode.c.
 *
 * One loop with an explicit stack; strings and runs of blanks are passed by vectors. Each read of a byte is bounded by `end`:
 * the text is any part of a larger buffer, with nothing promised behind it. */
#include "text/json_internal.h"
#include "base/alloc.h"
#include "base/cpu.h"

enum { MAX_DEPTH = 250 };

/* What stop_* have passed over in a string. */
struct passed {
	unsigned high;    /* nonzero: bytes from 0x80 on */
	unsigned escaped; /* nonzero: escapes */
};

/* stop_*: from p on, the first quote or control, or a backslash that needs a closer look (all but \" \\ \/ \b \f \n \r \t may be
 * left to the caller, near a vector's end also these), or end. */
static inline const uint8_t *stop_plain(const uint8_t *p, const uint8_t *end, struct passed *passed)
{
	for (; p < end && *p >= 0x20 && *p != '"' && *p != '\\'; p++) passed->high |= *p & 0x80u;
	return p;
}

/* skip_*: the first byte from p on that is no blank, or end. */
static inline const uint8_t *skip_plain(const uint8_t *p, const uint8_t *end)
{
	while (p < end && blank(*p)) p++;
	return p;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* The quotes, backslashes and controls of a vector of `width` bytes at p are the bits of `stops` (not 0): goes over escapes to the
 * first that is none. Returns its index, or `width` when all were passed. */
static inline __attribute__((always_inline)) unsigned pass_escapes(const uint8_t *p, unsigned stops, unsigned width, struct passed *passed)
{
	do {
		unsigned i = (unsigned)__builtin_ctz(stops);
		if (p[i] != '\\' || i == width - 1 || !simple_escape[p[i + 1]]) return i;
		passed->escaped = 1;
		stops &= ~(3u << i);
	} while (stops);
	return width;
}

__attribute__((target("sse4.2"))) static inline const uint8_t *stop_sse4(const uint8_t *p, const uint8_t *end, struct passed *passed)
{
	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)p);
		__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);
		__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"')), slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
		unsigned stops = (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, slash)));
		unsigned wide = (unsigned)_mm_movemask_epi8(v);
		unsigned i = stops ? pass_escapes(p, stops, 16, passed) : 16;
		passed->high |= wide & ((1u << i) - 1);
		if (i < 16) return p + i;
	}
	return stop_plain(p, end, passed);
}

__attribute__((target("sse4.2"))) static inline const uint8_t *skip_sse4(const uint8_t *p, const uint8_t *end)
{
	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)p);
		__m128i a = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
		__m128i b = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\t')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\r')));
		unsigned other = (unsigned)_mm_movemask_epi8(_mm_or_si128(a, b)) ^ 0xFFFF;
		if (other) return p + __builtin_ctz(other);
	}
	return skip_plain(p, end);
}

__attribute__((target("avx2,bmi,bmi2"))) static inline const uint8_t *stop_avx2(const uint8_t *p, const uint8_t *end, struct passed *passed)
{
	for (; end - p >= 32; p += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)p);
		__m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(0x1F)), v);
		__m256i quote = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')), slash = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'));
		unsigned stops = (unsigned)_mm256_movemask_epi8(_mm256_or_si256(control, _mm256_or_si256(quote, slash)));
		unsigned wide = (unsigned)_mm256_movemask_epi8(v);
		unsigned i = stops ? pass_escapes(p, stops, 32, passed) : 32;
		passed->high |= _bzhi_u32(wide, i);
		if (i < 32) return p + i;
	}
	return stop_sse4(p, end, passed);
}
#endif

typedef const uint8_t *stop_function(const uint8_t *p, const uint8_t *end, struct passed *passed);
typedef const uint8_t *skip_function(const uint8_t *p, const uint8_t *end);

static bool grow(struct json_tape *t)
{
	uint32_t max = t->max_tokens ? t->max_tokens : 4000000;
	if (t->n >= max) return false;
	size_t cap = t->cap ? (size_t)t->cap * 2 : 256;
	if (cap > max) cap = max;
	t->v = xrealloc(t->v, cap * sizeof *t->v);
	t->cap = (uint32_t)cap;
	return true;
}

void json_tape_done(struct json_tape *t)
{
	free(t->v);
	t->v = NULL;
	t->n = t->cap = 0;
}

/* One escape at the backslash p. What stands behind it, end when it is cut off, NULL when it is none. */
static inline const uint8_t *pass_escape(const uint8_t *p, const uint8_t *end)
{
	if (end - p < 2) return end;
	switch (p[1]) {
	case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't': return p + 2;
	case 'u':
		for (int i = 2; i < 6; i++) {
			if (p + i >= end) return end;
			if (!hex(p[i])) return NULL;
		}
		return p + 6;
	default: return NULL;
	}
}

/* Ends of the scan: tokens counted so far go back to the tape. */
#define STOP(status_, place, why) do { t->n = n; t->at = (size_t)((place) - base); t->reason = (why); return (status_); } while (0)
#define FAIL(place, why) STOP(JSON_BAD, place, why)
#define CUT_OFF() do { if (final) FAIL(end, "the text ends within a value"); STOP(JSON_MORE, end, "more bytes are needed"); } while (0)
/* One blank, as behind a colon, needs no vector. */
#define SKIP_BLANKS() do { \
	if (p < end && *p <= ' ' && blank(*p) && ++p < end && *p <= ' ') p = skip(p, end); \
	if (p == end) CUT_OFF(); \
} while (0)
#define PUSH(type_, flags_, from, to) do { \
	if (__builtin_expect(n == t->cap, 0)) { \
		t->n = n; \
		if (!grow(t)) STOP(JSON_LIMIT, from, "more tokens than the limit"); \
		v = t->v; \
	} \
	put_token(&v[n], (uint32_t)((from) - base), (uint32_t)((to) - (from)), n + 1, (type_), (flags_), depth); \
	n++; \
} while (0)

static inline __attribute__((always_inline)) enum json_status scan(struct json_tape *t, struct str text, size_t at, bool final,
	size_t *ret_end, stop_function *stop, skip_function *skip)
{
	const uint8_t *base = (const uint8_t *)text.p, *p = base + at, *end = base + text.n, *from, *fault;
	struct json_token *v = t->v;
	uint32_t n = 0, stack[MAX_DEPTH]; /* indices of the open containers */
	unsigned depth = 0, max_depth = t->max_depth ? t->max_depth : 64;
	bool in_object = false;
	uint8_t flags, type;
	if (max_depth > MAX_DEPTH) max_depth = MAX_DEPTH;
	SKIP_BLANKS();
value:
	switch (*p) {
	case '"': type = JSON_STRING; goto string;
	case '{': case '[':
		if (depth == max_depth) STOP(JSON_LIMIT, p, "nested deeper than the limit");
		in_object = *p == '{';
		PUSH(in_object ? JSON_OBJECT : JSON_ARRAY, 0, p, p);
		stack[depth++] = n - 1;
		p++;
		SKIP_BLANKS();
		if (*p == (in_object ? '}' : ']')) goto close;
		if (in_object) goto key;
		goto value;
	case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
		from = p;
		p = pass_number(p, end, &flags, &fault);
		if (!p && fault == end) CUT_OFF();
		if (!p) FAIL(fault, "no number");
		if (p == end && !final) CUT_OFF(); /* more digits may come */
		PUSH(JSON_NUMBER, flags, from, p);
		goto after;
	case 't': case 'f': case 'n': {
		bool cut;
		unsigned length = pass_word(p, end, &type, &cut);
		if (!length) FAIL(p, "neither true nor false nor null");
		if (cut) CUT_OFF();
		if (p + length < end && word(p[length])) FAIL(p, "neither true nor false nor null");
		from = p;
		p += length;
		PUSH(type, 0, from, p);
		goto after;
	}
	default: FAIL(p, "a value is missing");
	}
key:
	if (*p != '"') FAIL(p, "a key in quotes is missing");
	type = JSON_KEY;
string:
	from = ++p;
	{
		struct passed passed = {0, 0};
		while ((p = stop(p, end, &passed)) < end && *p == '\\') {
			passed.escaped = 1;
			if (end - p > 1 && p[1] == 'u') t->has_numbered = true;
			fault = p;
			p = pass_escape(p, end);
			if (!p) FAIL(fault, "no escape");
		}
		if (p == end) CUT_OFF();
		if (*p != '"') FAIL(p, "a control character in a string");
		flags = (uint8_t)((passed.escaped ? JSON_ESCAPED : 0) | (passed.high ? JSON_NON_ASCII : 0));
		PUSH(type, flags, from, p);
		p++;
	}
	if (type == JSON_KEY) {
		SKIP_BLANKS();
		if (*p != ':') FAIL(p, "a colon is missing behind a key");
		p++;
		SKIP_BLANKS();
		goto value;
	}
after:
	if (!depth) {
		t->n = n;
		*ret_end = (size_t)(p - base);
		return JSON_OK;
	}
	SKIP_BLANKS();
	if (*p == ',') {
		p++;
		SKIP_BLANKS();
		if (in_object) goto key;
		goto value;
	}
	if (*p != (in_object ? '}' : ']')) FAIL(p, in_object ? "a comma or } is missing" : "a comma or ] is missing");
close:
	p++;
	depth--;
	v[stack[depth]].length = (uint32_t)(p - base) - v[stack[depth]].start;
	v[stack[depth]].next = n;
	in_object = depth && v[stack[depth - 1]].type == JSON_OBJECT;
	goto after;
}

static bool readable(struct json_tape *t, struct str text, size_t at)
{
	t->n = 0;
	t->has_numbered = false;
	t->at = at;
	t->reason = "the text is larger than 4 GiB";
	return text.n < UINT32_MAX && at <= text.n && text.p;
}

enum json_status json_read_plain(struct json_tape *t, struct str text, size_t at, bool final, size_t *ret_end)
{
	if (!text.p) text.p = "";
	if (!readable(t, text, at)) return JSON_LIMIT;
	return scan(t, text, at, final, ret_end, stop_plain, skip_plain);
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static enum json_status read_sse4(struct json_tape *t, struct str text, size_t at, bool final,
	size_t *ret_end)
{
	return scan(t, text, at, final, ret_end, stop_sse4, skip_sse4);
}

__attribute__((target("avx2,bmi,bmi2"))) static enum json_status read_avx2(struct json_tape *t, struct str text, size_t at, bool final,
	size_t *ret_end)
{
	return scan(t, text, at, final, ret_end, stop_avx2, skip_sse4);
}
#endif

enum json_status json_read(struct json_tape *t, struct str text, size_t at, bool final, size_t *ret_end)
{
#if defined(__x86_64__)
	enum cpu_level level = cpu_level();
	if (level >= CPU_SSE4) {
		if (!text.p) text.p = "";
		if (!readable(t, text, at)) return JSON_LIMIT;
		if (level >= CPU_AVX2) return read_avx2(t, text, at, final, ret_end);
		return read_sse4(t, text, at, final, ret_end);
	}
#endif
	return json_read_plain(t, text, at, final, ret_end);
}

bool json_read_all(struct json_tape *t, struct str text, struct fault *f)
{
	size_t end, at = str_starts(text, STR("\xef\xbb\xbf")) ? 3 : 0;
	enum json_status status = json_read(t, text, at, true, &end);
	if (status == JSON_OK) {
		while (end < text.n && blank((uint8_t)text.p[end])) end++;
		if (end == text.n) return true;
		t->at = end;
		t->reason = "something stands behind the value";
	}
	uint32_t line = 1;
	size_t begin = 0;
	for (size_t i = 0; i < t->at; i++)
		if (text.p[i] == '\n') line++, begin = i + 1;
	fault_at(f, status == JSON_LIMIT ? FAULT_LIMIT : FAULT_SYNTAX, line, (uint32_t)(t->at - begin) + 1, "no JSON: %s", t->reason);
	if (f) f->offset = t->at;
	return false;
}

/* Streams */

/* Blanks, commas and record separators between values; tells brackets of an outermost array. */
static size_t between(struct json_stream *s, struct str text, size_t at)
{
	for (; at < text.n; at++) {
		char c = text.p[at];
		if (c == '[' && !s->in_array) s->in_array = true;
		else if (c == ']' && s->in_array) s->in_array = false;
		else if (!blank((uint8_t)c) && c != ',' && c != 0x1E) break;
	}
	return at;
}

static void note_place(struct json_stream *s, struct str text, size_t start)
{
	enum { FAR = 4096 }; /* blanks before a value that are looked at */
	size_t line = start;
	while (line > 0 && start - line < FAR && text.p[line - 1] != '\n' && blank((uint8_t)text.p[line - 1])) line--;
	s->mid_line = line > 0 && text.p[line - 1] != '\n';
	s->column = (uint32_t)(start - line);
}

static void note_first(struct json_stream *s, struct str text, const struct json_tape *t)
{
	if (s->n_first || t->n < 2 || t->v[0].type != JSON_OBJECT) return;
	size_t n = t->v[1].start + t->v[1].length + 1 - t->v[0].start;
	s->n_first = (uint8_t)(n < sizeof s->first ? n : sizeof s->first);
	memcpy(s->first, text.p + t->v[0].start, s->n_first);
}

enum json_status json_next(struct json_stream *s, struct json_tape *t, struct str text, size_t at, bool final, struct json_span *ret)
{
	size_t end;
	t->n = 0;
	if (!s->started) {
		struct str mark = STR("\xef\xbb\xbf"), head = str_sub(text, at, 3);
		if (head.n < 3 && !final && str_starts(mark, head)) {
			ret->start = ret->end = at;
			return JSON_MORE;
		}
		if (str_eq(head, mark)) at += 3;
		s->started = true;
	}
	at = between(s, text, at);
	ret->start = ret->end = at;
	if (at >= text.n) return final ? JSON_END : JSON_MORE;
	enum json_status status = json_read(t, text, at, final, &end);
	if (status == JSON_OK) {
		ret->end = end;
		note_first(s, text, t);
	} else if (status != JSON_MORE) {
		note_place(s, text, at);
	}
	return status;
}

size_t json_resync(const struct json_stream *s, struct str text, size_t at)
{
	size_t line = SIZE_MAX;
	for (size_t i = at + 1; i < text.n; i++) {
		char c = text.p[i];
		if (c == '\n') line = i + 1;
		if (c != '{' && c != '[') continue;
		bool starts_line = line != SIZE_MAX && i - line == s->column && !s->mid_line;
		for (size_t k = line; starts_line && k < i; k++) starts_line = blank((uint8_t)text.p[k]);
		bool like_first = s->mid_line && s->n_first && str_starts(str_sub(text, i, s->n_first), (struct str){s->first, s->n_first});
		if (starts_line || like_first) return i;
	}
	return text.n;
}
