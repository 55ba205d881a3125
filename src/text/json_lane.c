/* json_lane.c: see json_lane.h.
 *
 * A path of the tree is a row of steps: bytes that must stand there, then a value; the last step has the bytes to the closing brace. Steps
 * that may come at the same place are a list, met last first. Quotes, controls, backslashes and bytes from 0x80 on are found for 64 bytes at
 * a time, from the object's beginning on. */
#include "text/json_lane.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "text/json_internal.h"

enum { HEAD = 32, BLOCK = 64, TOKENS_MAX = 2048, SIBLINGS_MAX = 24, LITERAL_MAX = 4096, MISSES_MAX = 4096, TRIES = 64, PAUSE = 1024 };

/* A token that stands in a literal: keys, containers, what is in arrays. */
struct lane_fixed { uint32_t token, step, offset, length; uint64_t rest; };
/* An object that a literal closes. */
struct lane_close { uint32_t token, step, offset; };
struct lane_end {
	struct lane_fixed *fixed;
	struct lane_close *closes;
	uint32_t n_fixed, n_closes, n_tokens, lines;
	bool numbered;           /* an escape of the form \u1234 stands in what every such object has: nobody looks at all bytes of literals again */
	void *about;
};
struct lane_step {
	uint8_t head[HEAD];      /* the literal's first bytes, filled up with zeros */
	uint32_t mask;           /* bit i: head[i] is of the literal */
	uint32_t n;              /* bytes of the literal, at least 1 */
	uint32_t value;          /* token of the value behind it; 0: the object ends */
	uint64_t rest;           /* second half of its token, but for type and flags */
	const uint8_t *tail;     /* what does not fit into head */
	struct lane_step *other; /* at the same place */
	union {
		struct lane_step *then; /* behind the value */
		struct lane_end *end;
	};
};
struct json_lane {
	struct arena arena;
	struct lane_step *first;
	uint32_t lines;          /* of the kind met last */
	uint32_t misses;         /* objects that could not be added, since the tree began */
	int32_t tries;           /* TRIES: all goes well; 0: mostly refused */
	uint32_t pause;          /* objects to refuse at once */
	struct lane_fixed fixed[TOKENS_MAX]; /* of the object being added */
	struct lane_close closes[TOKENS_MAX];
};

struct json_lane *json_lane_new(void)
{
	struct json_lane *l = xcalloc(1, sizeof *l);
	arena_init_small(&l->arena, JSON_LANE_BYTES);
	l->tries = TRIES;
	return l;
}

void json_lane_free(struct json_lane *l)
{
	if (!l) return;
	arena_done(&l->arena);
	free(l);
}

uint32_t json_lane_lines(const struct json_lane *l) { return l->lines; }

/* --- remembering -------------------------------------------------------------------------------------------------------------------- */

/* An object taken apart. */
struct parts {
	const struct json_token *v;
	struct str text;
	struct lane_fixed *fixed;
	struct lane_close *closes;
	uint32_t n_fixed, n_closes;
	uint32_t step, from;     /* the literal being gathered: its number, its first byte in the text */
};

static uint64_t rest_of(const struct json_token *x) { return x->next | (uint64_t)(x->type | (uint32_t)x->flags << 8 | (uint32_t)x->depth << 16) << 32; }

static void fix(struct parts *p, uint32_t token)
{
	const struct json_token *x = &p->v[token];
	p->fixed[p->n_fixed++] = (struct lane_fixed){token, p->step, x->start - p->from, x->length, rest_of(x)};
}

/* Where a scalar's bytes begin and end in the text, quotes included. */
static uint32_t scalar_from(const struct json_token *x) { return x->start - (x->type == JSON_STRING); }
static uint32_t scalar_to(const struct json_token *x) { return x->start + x->length + (x->type == JSON_STRING); }

static bool holds_objects(const struct json_token *v, uint32_t array)
{
	for (uint32_t i = array + 1; i < v[array].next; i++)
		if (v[i].type == JSON_OBJECT) return true;
	return false;
}

static struct lane_step *step_new(struct json_lane *l, struct str literal)
{
	struct lane_step *s = arena_calloc(&l->arena, 1, sizeof *s);
	if (!s) return NULL;
	s->n = (uint32_t)literal.n;
	s->mask = literal.n < HEAD ? (1u << literal.n) - 1 : UINT32_MAX;
	memcpy(s->head, literal.p, literal.n < HEAD ? literal.n : HEAD);
	if (literal.n <= HEAD) return s;
	struct str tail = arena_str(&l->arena, str_sub(literal, HEAD, literal.n));
	s->tail = (const uint8_t *)tail.p;
	return tail.p ? s : NULL;
}

/* The step with that literal among those at *first, made when there is none; NULL: no room. */
static struct lane_step *step_at(struct json_lane *l, struct lane_step **first, struct str literal, uint32_t value)
{
	uint32_t n = 0;
	size_t head = literal.n < HEAD ? literal.n : HEAD;
	if (!literal.n || literal.n > LITERAL_MAX) return NULL;
	for (struct lane_step *s = *first; s; s = s->other, n++)
		if (s->n == literal.n && s->value == value && !memcmp(s->head, literal.p, head) && (literal.n <= HEAD || !memcmp(s->tail, literal.p + HEAD, literal.n - HEAD))) return s;
	struct lane_step *s = n < SIBLINGS_MAX ? step_new(l, literal) : NULL;
	if (!s) return NULL;
	s->value = value;
	s->other = *first;
	return *first = s;
}

/* Goes along the object's tokens; the last step, NULL when it is not for a lane. */
static struct lane_step *lay(struct json_lane *l, const struct json_tape *t, struct parts *p)
{
	struct lane_step **first = &l->first, *s;
	const struct json_token *v = p->v;
	uint32_t open[256], depth = 0; /* objects not yet closed */
	uint32_t at = v[0].start;      /* behind the token met last */
	for (uint32_t i = 0; i < t->n; i++) {
		for (; depth && v[open[depth - 1]].next == i; depth--) {
			const struct json_token *x = &v[open[depth - 1]];
			p->closes[p->n_closes++] = (struct lane_close){open[depth - 1], p->step, x->start + x->length - p->from};
		}
		if (v[i].type == JSON_OBJECT) {
			open[depth++] = i;
			fix(p, i);
		} else if (v[i].type == JSON_KEY) {
			fix(p, i);
		} else if (v[i].type == JSON_ARRAY) {
			if (holds_objects(v, i)) return NULL;
			for (uint32_t k = i; k < v[i].next; k++) fix(p, k);
			i = v[i].next - 1;
		} else {
			s = step_at(l, first, str_sub(p->text, p->from, scalar_from(&v[i]) - p->from), i);
			if (!s) return NULL;
			s->rest = (uint64_t)(i + 1) | (uint64_t)((uint32_t)v[i].depth << 16) << 32;
			first = &s->then;
			at = p->from = scalar_to(&v[i]);
			p->step++;
		}
	}
	for (; depth; depth--) {
		const struct json_token *x = &v[open[depth - 1]];
		p->closes[p->n_closes++] = (struct lane_close){open[depth - 1], p->step, x->start + x->length - p->from};
	}
	if (!p->step) return NULL;
	return step_at(l, first, str_sub(p->text, at, v[0].start + v[0].length - at), 0);
}

static bool has_numbered(struct str s)
{
	for (size_t i = 0; i + 1 < s.n; i++)
		if (s.p[i] == '\\' && s.p[++i] == 'u') return true;
	return false;
}

static bool copy(struct arena *a, const void *from, size_t n, void *ret)
{
	void *to = arena_alloc(a, n);
	if (to && n) memcpy(to, from, n);
	memcpy(ret, &to, sizeof to);
	return to != NULL;
}

static bool remember(struct json_lane *l, const struct json_tape *t, struct str text, const void *about, size_t n)
{
	struct parts p = {.v = t->v, .text = text, .fixed = l->fixed, .closes = l->closes, .from = t->v[0].start};
	struct lane_step *last = lay(l, t, &p);
	if (!last) return false;
	if (last->end) return true;
	struct lane_end *end = arena_calloc(&l->arena, 1, sizeof *end);
	if (!end || !copy(&l->arena, p.fixed, p.n_fixed * sizeof *p.fixed, &end->fixed) || !copy(&l->arena, p.closes, p.n_closes * sizeof *p.closes, &end->closes)) return false;
	if (!copy(&l->arena, about, n, &end->about)) return false;
	end->n_fixed = p.n_fixed;
	end->n_closes = p.n_closes;
	end->n_tokens = t->n;
	struct str whole = json_raw(text, &t->v[0]);
	for (size_t i = 0; i < whole.n; i++) end->lines += whole.p[i] == '\n';
	for (uint32_t i = 0; i < p.n_fixed && !end->numbered; i++) {
		const struct json_token *x = &t->v[p.fixed[i].token];
		end->numbered = (x->flags & JSON_ESCAPED) && has_numbered(str_sub(text, x->start, x->length));
	}
	last->end = end;
	return true;
}

bool json_lane_add(struct json_lane *l, const struct json_tape *t, struct str text, const void *about, size_t n)
{
	/* What one object needs is small against the rest. */
	bool room = l->arena.used < JSON_LANE_BYTES / 3 * 2 && n < JSON_LANE_BYTES / 16;
	if (l->pause || !t->n || t->v[0].type != JSON_OBJECT) return false;
	if (room && t->n <= TOKENS_MAX && remember(l, t, text, about, n)) return true;
	if (++l->misses < MISSES_MAX) return false;
	arena_reset(&l->arena);
	l->first = NULL;
	l->misses = 0;
	return false;
}

/* --- reading ------------------------------------------------------------------------------------------------------------------------ */

/* What stands in 64 bytes: bit i is byte p[i]. */
struct bits {
	const uint8_t *p;
	uint64_t stops;          /* quotes that no backslash escapes, and controls */
	uint64_t slashes, high;
	uint64_t carry;          /* 1: the next block's first byte is escaped */
	const uint8_t *numbered; /* the first escape of the form \u1234; NULL: none yet */
};
struct found { uint64_t quotes, slashes, controls, high; };

typedef void find_function(const uint8_t *p, struct found *ret);
typedef bool same_function(const uint8_t *p, const struct lane_step *s);

/* Bytes of v that are zero, as their highest bits. */
static inline uint64_t zero_bytes(uint64_t v)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7f;
	return ~(((v & low) + low) | v | low);
}
/* The highest bits of eight bytes as eight bits. */
static inline uint64_t gather_bits(uint64_t v) { return (v >> 7) * 0x0102040810204080 >> 56; }

static inline void find_plain(const uint8_t *p, struct found *ret)
{
	const uint64_t ones = 0x0101010101010101;
	*ret = (struct found){0};
	for (unsigned i = 0; i < BLOCK; i += 8) {
		uint64_t v = le64_at(p + i);
		ret->quotes |= gather_bits(zero_bytes(v ^ '"' * ones)) << i;
		ret->slashes |= gather_bits(zero_bytes(v ^ '\\' * ones)) << i;
		ret->controls |= gather_bits(zero_bytes(v & 0xe0 * ones)) << i;
		ret->high |= gather_bits(v & 0x80 * ones) << i;
	}
}

/* same_*: whether the literal's first HEAD bytes stand at p, where HEAD bytes can be read. */
static inline bool same_plain(const uint8_t *p, const struct lane_step *s) { return !memcmp(p, s->head, s->n < HEAD ? s->n : HEAD); }

/* The escaped bytes whose bits are set: false when one of them makes no escape. *ret_numbered: the first \u, if it is NULL. Apart, so that the
 * rest stays in registers. */
static __attribute__((noinline)) bool are_escapes(const uint8_t *p, const uint8_t *end, uint64_t places, const uint8_t **ret_numbered)
{
	for (; places; places &= places - 1) {
		const uint8_t *c = p + __builtin_ctzll(places);
		if (simple_escape[*c]) continue;
		if (*c != 'u' || end - c < 5 || !hex(c[1]) || !hex(c[2]) || !hex(c[3]) || !hex(c[4])) return false;
		if (!*ret_numbered) *ret_numbered = c;
	}
	return true;
}

/* Fills b from b->p; false when something is there that is no escape, in the object or behind it. */
static inline __attribute__((always_inline)) bool fill(struct bits *b, const uint8_t *end, find_function *find)
{
	const uint64_t even = 0x5555555555555555;
	struct found f;
	uint64_t escaped = 0;
	find(b->p, &f);
	if (f.slashes | b->carry) {
		/* Every second of a row of backslashes is escaped, and what follows one of odd length: an addition carries through rows that begin
		 * at odd places. */
		uint64_t slashes = f.slashes & ~b->carry, follows = slashes << 1 | b->carry, starts = slashes & ~even & ~follows, rows;
		b->carry = __builtin_add_overflow(starts, slashes, &rows);
		escaped = (even ^ rows << 1) & follows;
		uint64_t others = escaped & ~(f.slashes | f.quotes);
		if (__builtin_expect(others != 0, 0)) {
			const uint8_t *numbered = b->numbered;
			if (!are_escapes(b->p, end, others, &numbered)) return false;
			b->numbered = numbered;
		}
	}
	b->stops = (f.quotes & ~escaped) | f.controls;
	b->slashes = f.slashes;
	b->high = f.high;
	return true;
}

static bool grow_tape(struct json_tape *t, uint32_t n)
{
	if (n <= t->cap) return true;
	if (n > (t->max_tokens ? t->max_tokens : 4000000)) return false;
	t->v = xrealloc(t->v, n * sizeof *t->v);
	t->cap = n;
	return true;
}

static inline void put_halves(struct json_token *v, uint32_t start, uint32_t length, uint64_t rest)
{
	uint64_t place = start | (uint64_t)length << 32;
	memcpy(v, &place, 8);
	memcpy((char *)v + 8, &rest, 8);
}

/* Keys, containers and their ends: known from where the literals stand. */
static inline void settle(const struct lane_end *e, struct json_token *v, const uint32_t *starts)
{
	for (uint32_t i = 0; i < e->n_fixed; i++) {
		const struct lane_fixed *f = &e->fixed[i];
		put_halves(&v[f->token], starts[f->step] + f->offset, f->length, f->rest);
	}
	for (uint32_t i = 0; i < e->n_closes; i++) {
		const struct lane_close *c = &e->closes[i];
		v[c->token].length = starts[c->step] + c->offset - v[c->token].start;
	}
}

/* A number or word at p: what stands behind it, NULL when it is none. */
static inline const uint8_t *pass_bare(const uint8_t *p, const uint8_t *end, uint64_t *ret_kind)
{
	uint8_t flags = 0, type = JSON_NUMBER;
	const uint8_t *fault, *to;
	bool cut;
	if (*p == '-' || digit(*p)) {
		to = pass_number(p, end, &flags, &fault);
	} else {
		unsigned n = *p == 't' || *p == 'f' || *p == 'n' ? pass_word(p, end, &type, &cut) : 0;
		to = n ? p + n : NULL;
	}
	*ret_kind = type | (unsigned)flags << 8;
	return to;
}

/* Whether the rest of a long literal stands there, and enough behind it. */
static __attribute__((noinline)) bool same_tail(const uint8_t *p, const uint8_t *last, const struct lane_step *s)
{
	return last - p >= (ptrdiff_t)s->n && !memcmp(p + HEAD, s->tail, s->n - HEAD);
}

/* The step moves to the front of those at its place. */
static __attribute__((noinline)) void move_up(struct lane_step **first, struct lane_step *before, struct lane_step *s)
{
	before->other = s->other;
	s->other = *first;
	*first = s;
}

/* Goes along the object: values into v, which has room for TOKENS_MAX, where literals begin into starts. NULL: refused. */
static inline __attribute__((always_inline)) const struct lane_end *follow(struct json_lane *l, struct json_token *v, struct str text, size_t at, uint32_t *starts, bool *ret_numbered,
	find_function *find, same_function *same)
{
	const uint8_t *base = (const uint8_t *)text.p, *p = base + at, *end = base + text.n, *last = end - BLOCK;
	struct lane_step **first = &l->first;
	struct bits b = {.p = p};
	if (text.n - at < BLOCK || !fill(&b, end, find)) return NULL;
	for (;; starts++) {
		struct lane_step *s = *first, *before = NULL;
		if (p > last) return NULL;
		for (; s; before = s, s = s->other)
			if (same(p, s) && (!s->tail || same_tail(p, last, s))) break;
		if (!s) return NULL;
		if (__builtin_expect(before != NULL, 0)) move_up(first, before, s);
		*starts = (uint32_t)(p - base);
		p += s->n;
		if (!s->value) {
			*ret_numbered = (s->end && s->end->numbered) || (b.numbered && b.numbered < p);
			return s->end;
		}
		first = &s->then;
		const uint8_t *from = p;
		uint64_t kind = JSON_STRING, marks = 0, high = 0, inside;
		if (*p != '"') {
			p = pass_bare(p, end, &kind);
			if (!p) return NULL;
			put_halves(&v[s->value], (uint32_t)(from - base), (uint32_t)(p - from), s->rest | kind << 32);
			continue;
		}
		from++;
		size_t offset = (size_t)(from - b.p);
		for (; offset >= BLOCK; offset -= BLOCK) {
			b.p += BLOCK;
			if (b.p > last || !fill(&b, end, find)) return NULL;
		}
		for (inside = UINT64_MAX << offset; !(b.stops & inside); inside = UINT64_MAX) {
			marks |= b.slashes & inside;
			high |= b.high & inside;
			b.p += BLOCK;
			if (b.p > last || !fill(&b, end, find)) return NULL;
		}
		uint64_t stop = b.stops & inside;
		inside &= stop ^ (stop - 1);
		marks |= b.slashes & inside;
		high |= b.high & inside;
		p = b.p + __builtin_ctzll(stop);
		if (*p != '"') return NULL;
		kind |= (uint64_t)(marks != 0) << 8 | (uint64_t)(high != 0) << 9;
		put_halves(&v[s->value], (uint32_t)(from - base), (uint32_t)(p - from), s->rest | kind << 32);
		p++;
	}
}

static const struct lane_end *follow_plain(struct json_lane *l, struct json_token *v, struct str text, size_t at, uint32_t *starts, bool *ret_numbered)
{
	return follow(l, v, text, at, starts, ret_numbered, find_plain, same_plain);
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("sse4.2"))) static inline void find_sse4(const uint8_t *p, struct found *ret)
{
	*ret = (struct found){0};
	for (unsigned i = 0; i < BLOCK; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		ret->quotes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('"'))) << i;
		ret->slashes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))) << i;
		ret->controls |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v)) << i;
		ret->high |= (uint64_t)(uint32_t)_mm_movemask_epi8(v) << i;
	}
}

__attribute__((target("sse4.2"))) static inline bool same_sse4(const uint8_t *p, const struct lane_step *s)
{
	__m128i a = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), _mm_loadu_si128((const __m128i *)(const void *)s->head));
	__m128i b = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + 16)), _mm_loadu_si128((const __m128i *)(const void *)(s->head + 16)));
	uint32_t same = (uint32_t)_mm_movemask_epi8(a) | (uint32_t)_mm_movemask_epi8(b) << 16;
	return !(~same & s->mask);
}

__attribute__((target("sse4.2"))) static const struct lane_end *follow_sse4(struct json_lane *l, struct json_token *v, struct str text, size_t at, uint32_t *starts, bool *ret_numbered)
{
	return follow(l, v, text, at, starts, ret_numbered, find_sse4, same_sse4);
}

__attribute__((target("avx2,bmi,bmi2"))) static inline void find_avx2(const uint8_t *p, struct found *ret)
{
	*ret = (struct found){0};
#pragma GCC unroll 2
	for (unsigned i = 0; i < BLOCK; i += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
		ret->quotes |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"'))) << i;
		ret->slashes |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'))) << i;
		ret->controls |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(0x1f)), v)) << i;
		ret->high |= (uint64_t)(uint32_t)_mm256_movemask_epi8(v) << i;
	}
}

__attribute__((target("avx2,bmi,bmi2"))) static inline bool same_avx2(const uint8_t *p, const struct lane_step *s)
{
	__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p), b = _mm256_loadu_si256((const __m256i *)(const void *)s->head);
	uint32_t same = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b));
	return !(~same & s->mask);
}

__attribute__((target("avx2,bmi,bmi2"))) static const struct lane_end *follow_avx2(struct json_lane *l, struct json_token *v, struct str text, size_t at, uint32_t *starts, bool *ret_numbered)
{
	return follow(l, v, text, at, starts, ret_numbered, find_avx2, same_avx2);
}

__attribute__((target("avx512f,avx512bw,bmi,bmi2"))) static inline void find_avx512(const uint8_t *p, struct found *ret)
{
	__m512i v = _mm512_loadu_si512(p);
	ret->quotes = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"'));
	ret->slashes = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\'));
	ret->controls = _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20));
	ret->high = _mm512_movepi8_mask(v);
}

__attribute__((target("avx512f,avx512bw,bmi,bmi2"))) static inline bool same_avx512(const uint8_t *p, const struct lane_step *s)
{
	__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p), b = _mm256_loadu_si256((const __m256i *)(const void *)s->head);
	uint32_t same = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b));
	return !(~same & s->mask);
}

__attribute__((target("avx512f,avx512bw,bmi,bmi2"))) static const struct lane_end *follow_avx512(struct json_lane *l, struct json_token *v, struct str text, size_t at, uint32_t *starts, bool *ret_numbered)
{
	return follow(l, v, text, at, starts, ret_numbered, find_avx512, same_avx512);
}
#endif

static const struct lane_end *follow_any(struct json_lane *l, struct json_token *v, struct str text, size_t at, uint32_t *starts, bool *ret_numbered)
{
#if defined(__x86_64__)
	enum cpu_level level = cpu_level();
	if (level >= CPU_AVX512) return follow_avx512(l, v, text, at, starts, ret_numbered);
	if (level >= CPU_AVX2) return follow_avx2(l, v, text, at, starts, ret_numbered);
	if (level >= CPU_SSE4) return follow_sse4(l, v, text, at, starts, ret_numbered);
#endif
	return follow_plain(l, v, text, at, starts, ret_numbered);
}

const void *json_lane_read(struct json_lane *l, struct json_tape *t, struct str text, size_t at, size_t *ret_end)
{
	uint32_t starts[TOKENS_MAX];
	t->n = 0;
	t->has_numbered = false;
	if (!l->first || at >= text.n || text.n >= UINT32_MAX || (l->pause && l->pause--) || !grow_tape(t, TOKENS_MAX)) return NULL;
	const struct lane_end *e = follow_any(l, t->v, text, at, starts, &t->has_numbered);
	if (!e) {
		/* Where keys hardly ever come again, trying costs more than it brings. */
		if (--l->tries < 0) {
			l->tries = TRIES;
			l->pause = PAUSE;
		}
		return NULL;
	}
	if (l->tries < TRIES) l->tries++;
	settle(e, t->v, starts);
	t->n = e->n_tokens;
	l->lines = e->lines;
	*ret_end = (size_t)t->v[0].start + t->v[0].length;
	return e->about;
}
