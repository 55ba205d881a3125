/* sieve.c: see sieve_internal.h. Grams of four or three bytes out of the runs, in up to eight buckets a set; a text is looked through 32 or 64 places at
 * a time, by tables of nibbles or of whole characters; what passes is looked up and compared. Capitals are not made small for it: 0x20 is set in both,
 * which takes a few marks for each other but overlooks nothing. */
#include "match/sieve_internal.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "event/sift.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { SET_GRAMS = 40, SETS = 6, GRAMS_MAX = SET_GRAMS * SETS, SHORTEST = 3, LONGEST = 4 };
#define SMALL 0x20202020u

struct sieve_entry {
	const char *run;
	uint32_t n, at;      /* bytes of the run; where the gram stands in it */
	uint32_t gram, width;/* the gram with SMALL set, masked to its width */
};
struct sieve_set {
	uint32_t width, first, n; /* entries */
	uint8_t low[LONGEST][16], high[LONGEST][16]; /* buckets by nibbles */
	uint8_t exact[LONGEST][64];                  /* buckets by what is left of a character without 0x20 and 0x80 */
};
struct sieve {
	struct sieve_set sets[SETS];
	uint32_t n_sets;
	struct sieve_entry *entries; /* by width, then gram */
	uint32_t n;
	uint32_t *slots;     /* by gram: entry + 1, of several the first */
	uint32_t mask;
	uint64_t present[64];/* by hash: a gram is there */
	uint32_t lane;       /* bytes of a vector; 0: without vectors */
	bool tells;
};

static inline uint32_t load_gram(const char *p, uint32_t width)
{
	uint32_t v = 0;
	memcpy(&v, p, width);
	v |= SMALL;
	return width == LONGEST ? v : v & 0xffffff;
}

static inline uint32_t gram_mix(uint32_t gram) { return (gram ^ gram >> 15) * 0x9e3779b1u; }

/* ---- making one ---- */

/* The rarest gram of the runs, or of those that tell; false when there is none. */
static bool choose(struct str s, const struct guess *guess, bool telling, struct sieve_entry *ret)
{
	float best = 0;
	ret->width = 0;
	for (size_t from = 0, to; from < s.n; from = to + 1) {
		bool tells = !telling;
		for (to = from; to < s.n && sift_plain(s.p[to]); to++) tells |= sift_tells(s.p[to]);
		uint32_t n = (uint32_t)(to - from), width = n >= LONGEST ? LONGEST : SHORTEST;
		if (!tells || n < SHORTEST || width < ret->width) continue;
		for (uint32_t i = 0; i + width <= n; i++) {
			float cost = width == LONGEST ? guess_gram4(guess, s.p + from + i) : 1;
			if (width == ret->width && cost >= best) continue;
			best = cost;
			*ret = (struct sieve_entry){s.p + from, n, i, load_gram(s.p + from + i, width), width};
		}
	}
	return ret->width > 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct sieve_entry *x = a, *y = b;
	if (x->width != y->width) return x->width < y->width ? -1 : 1;
	return (x->gram > y->gram) - (x->gram < y->gram);
}

static void fill_set(struct sieve_set *set, const struct sieve_entry *entries)
{
	for (uint32_t i = 0; i < set->n; i++) {
		uint8_t bucket = (uint8_t)(1u << (i * 8 / set->n));
		for (uint32_t j = 0; j < set->width; j++) {
			uint8_t byte = (uint8_t)(entries[set->first + i].gram >> (8 * j));
			set->low[j][byte & 15] |= bucket;
			/* As it is and without 0x20, which 0x20 set makes the same. */
			set->high[j][byte >> 4] |= bucket;
			set->high[j][(byte >> 4) & ~2] |= bucket;
			set->exact[j][(byte & 0x1f) | (byte & 0x40) >> 1] |= bucket;
		}
	}
}

/* Sets of one width each, of about the same size. False when there are too many. */
static bool make_sets(struct sieve *s)
{
	for (uint32_t from = 0, to; from < s->n; from = to) {
		for (to = from; to < s->n && s->entries[to].width == s->entries[from].width; to++) {}
		uint32_t sets = (to - from + SET_GRAMS - 1) / SET_GRAMS, size = (to - from + sets - 1) / sets;
		for (uint32_t at = from; at < to; at += size) {
			if (s->n_sets == SETS) return false;
			struct sieve_set *set = &s->sets[s->n_sets++];
			*set = (struct sieve_set){.width = s->entries[at].width, .first = at, .n = to - at < size ? to - at : size};
			fill_set(set, s->entries);
		}
	}
	return true;
}

static inline uint32_t slot_of(const struct sieve *s, uint32_t gram, uint32_t width)
{
	uint32_t at = (gram_mix(gram) >> 16) & s->mask;
	for (; s->slots[at]; at = (at + 1) & s->mask) {
		const struct sieve_entry *e = &s->entries[s->slots[at] - 1];
		if (e->gram == gram && e->width == width) break;
	}
	return at;
}

static uint32_t lane_of(enum scan_engine engine)
{
	if (engine < ENGINE_AVX2) return 0;
	return engine == ENGINE_AVX2 && cpu_level() >= CPU_AVX512 ? 64 : 32;
}

const struct sieve *sieve_new(struct arena *a, const struct scan_literal *literals, uint32_t n, const struct guess *guess, enum scan_engine engine)
{
	struct sieve *s = n && n <= GRAMS_MAX ? arena_calloc(a, 1, sizeof *s) : NULL;
	uint32_t size = 4;
	while (size < n * 2) size *= 2;
	if (!s || !(s->entries = arena_calloc(a, n, sizeof *s->entries)) || !(s->slots = arena_calloc(a, size, sizeof *s->slots))) return NULL;
	s->n = n;
	s->mask = size - 1;
	s->lane = lane_of(engine);
	s->tells = true;
	for (uint32_t i = 0; i < n; i++) {
		if (choose(literals[i].text, guess, true, &s->entries[i])) continue;
		s->tells = false;
		if (!choose(literals[i].text, guess, false, &s->entries[i])) return NULL;
	}
	qsort(s->entries, n, sizeof *s->entries, compare_entries);
	if (!make_sets(s)) return NULL;
	for (uint32_t i = 0; i < n; i++) {
		const struct sieve_entry *e = &s->entries[i];
		uint32_t at = slot_of(s, e->gram, e->width), hash = gram_mix(e->gram) >> 20;
		if (!s->slots[at]) s->slots[at] = i + 1;
		s->present[hash >> 6] |= 1ull << (hash & 63);
	}
	return s;
}

bool sieve_tells(const struct sieve *s) { return s->tells; }

/* ---- asking it ---- */

/* Whether a run stands around the gram at p[at]. */
static bool stands(const struct sieve *s, const char *p, size_t n, size_t at, uint32_t width)
{
	uint32_t gram = load_gram(p + at, width), hash = gram_mix(gram) >> 20;
	if (!(s->present[hash >> 6] >> (hash & 63) & 1)) return false;
	uint32_t first = s->slots[slot_of(s, gram, width)];
	for (uint32_t i = first; i && i <= s->n && s->entries[i - 1].gram == gram && s->entries[i - 1].width == width; i++) {
		const struct sieve_entry *e = &s->entries[i - 1];
		if (at < e->at || e->n > n - (at - e->at)) continue;
		const char *text = p + at - e->at;
		uint32_t same = 0;
		while (same < e->n && (text[same] | 0x20) == (e->run[same] | 0x20)) same++;
		if (same == e->n) return true;
	}
	return false;
}

/* U+0130, U+017F and U+212A fold to i, s and k. */
static bool has_disguised(struct str text)
{
	static const char forms[][4] = {"\xc4\xb0", "\xc5\xbf", "\xe2\x84\xaa"};
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct str form = str_of(forms[i]);
		for (size_t at = 0; (at = str_find_byte(text, form.p[0], at)) != SIZE_MAX; at++)
			if (str_starts(str_sub(text, at, text.n), form)) return true;
	}
	return false;
}

static bool may_have_plain(const struct sieve *s, struct str text)
{
	if (has_disguised(text)) return true;
	for (uint32_t set = 0; set < s->n_sets; set++) {
		uint32_t width = s->sets[set].width;
		for (size_t i = 0; i + width <= text.n; i++)
			if (stands(s, text.p, text.n, i, width)) return true;
	}
	return false;
}

#if defined(__x86_64__)
#define INLINE static inline __attribute__((always_inline))

/* Whether a run stands at one of the places whose bits are set, counted from `from`. */
INLINE bool any_stands(const struct sieve *s, uint32_t width, struct str text, size_t from, uint64_t places)
{
	for (; places; places &= places - 1) {
		size_t at = from + (uint32_t)__builtin_ctzll(places);
		if (at + width > text.n) return false;
		if (stands(s, text.p, text.n, at, width)) return true;
	}
	return false;
}

enum { LANE2 = 32, LANE5 = 64, CHUNK2 = 1024 };
/* The nibbles of a part of the text, split once for all sets. */
struct nibbles { uint8_t low[CHUNK2 + LANE2], high[CHUNK2 + LANE2]; };

/* Splits n bytes, at most CHUNK2 + LANE2, and fills up with zeros to a whole vector and one more where there is room; *all: which bits are set in any. */
__attribute__((target("avx2,bmi"))) INLINE void split_one(__m256i bytes, size_t i, struct nibbles *ret)
{
	const __m256i nibble = _mm256_set1_epi8(15);
	_mm256_storeu_si256((__m256i *)(ret->low + i), _mm256_and_si256(bytes, nibble));
	_mm256_storeu_si256((__m256i *)(ret->high + i), _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
}

__attribute__((target("avx2,bmi"))) INLINE void split2(const char *p, size_t n, struct nibbles *ret, __m256i *all)
{
	size_t i = 0;
	for (; n - i >= LANE2; i += LANE2) {
		__m256i bytes = _mm256_loadu_si256((const __m256i *)(p + i));
		split_one(bytes, i, ret);
		*all = _mm256_or_si256(*all, bytes);
	}
	if (i < n) {
		char rest[LANE2] = {0};
		memcpy(rest, p + i, n - i);
		__m256i bytes = _mm256_loadu_si256((const __m256i *)rest);
		split_one(bytes, i, ret);
		*all = _mm256_or_si256(*all, bytes);
		i += LANE2;
	}
	if (i < CHUNK2 + LANE2) split_one(_mm256_setzero_si256(), i, ret);
}

/* One set at the first n places of a part of the text that begins at `from`. */
__attribute__((target("avx2,bmi"))) INLINE bool pass2(const struct sieve *s, const struct sieve_set *set, uint32_t width, struct str text, size_t from, size_t n,
	const struct nibbles *split)
{
	__m256i low[LONGEST], high[LONGEST];
#pragma GCC unroll 4
	for (uint32_t j = 0; j < width; j++) {
		low[j] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)set->low[j]));
		high[j] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)set->high[j]));
	}
	for (size_t i = 0; i < n; i += LANE2) {
		__m256i buckets = _mm256_set1_epi8(-1);
#pragma GCC unroll 4
		for (uint32_t j = 0; j < width; j++) {
			__m256i a = _mm256_shuffle_epi8(low[j], _mm256_loadu_si256((const __m256i *)(split->low + i + j)));
			__m256i b = _mm256_shuffle_epi8(high[j], _mm256_loadu_si256((const __m256i *)(split->high + i + j)));
			buckets = _mm256_and_si256(buckets, _mm256_and_si256(a, b));
		}
		uint32_t places = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(buckets, _mm256_setzero_si256()));
		if (__builtin_expect(places != 0, 0) && any_stands(s, width, text, from + i, places)) return true;
	}
	return false;
}

__attribute__((target("avx2,bmi"))) static bool pass_sets2(const struct sieve *s, struct str text, bool *ret_high)
{
	struct nibbles split;
	__m256i all = _mm256_setzero_si256();
	for (size_t from = 0; from < text.n; from += CHUNK2) {
		size_t left = text.n - from, n = left < CHUNK2 ? left : CHUNK2;
		split2(text.p + from, left < CHUNK2 + LANE2 ? left : CHUNK2 + LANE2, &split, &all);
		for (uint32_t i = 0; i < s->n_sets; i++) {
			const struct sieve_set *set = &s->sets[i];
			if (set->width == LONGEST ? pass2(s, set, LONGEST, text, from, n, &split) : pass2(s, set, SHORTEST, text, from, n, &split)) return true;
		}
	}
	*ret_high = _mm256_movemask_epi8(all) != 0;
	return false;
}

/* Which of 64 places a gram of the set may stand at. */
__attribute__((target("avx512f,avx512bw,avx512vbmi,bmi"))) INLINE uint64_t places5(const struct sieve_set *set, uint32_t width, const __m512i *index)
{
	__m512i a = _mm512_permutexvar_epi8(index[0], _mm512_loadu_si512(set->exact[0])), b = _mm512_permutexvar_epi8(index[1], _mm512_loadu_si512(set->exact[1]));
	__m512i c = _mm512_permutexvar_epi8(index[2], _mm512_loadu_si512(set->exact[2]));
	if (width == SHORTEST) return _mm512_test_epi8_mask(_mm512_and_si512(a, b), c);
	return _mm512_test_epi8_mask(_mm512_ternarylogic_epi64(a, b, c, 0x80), _mm512_permutexvar_epi8(index[3], _mm512_loadu_si512(set->exact[3])));
}

__attribute__((target("avx512f,avx512bw,avx512vbmi,bmi"))) static bool pass_sets5(const struct sieve *s, struct str text, bool *ret_high)
{
	const __m512i low = _mm512_set1_epi8(0x1f);
	__m512i all = _mm512_setzero_si512();
	for (size_t from = 0; from < text.n; from += LANE5) {
		__m512i index[LONGEST];
		size_t left = text.n - from;
#pragma GCC unroll 4
		for (uint32_t j = 0; j < LONGEST; j++) {
			/* Nothing behind the text is read. */
			size_t n = left > j ? left - j : 0;
			__m512i bytes = n >= LANE5 ? _mm512_loadu_si512(text.p + from + j) : _mm512_maskz_loadu_epi8((1ull << n) - 1, text.p + from + j);
			if (!j) all = _mm512_or_si512(all, bytes);
			/* The lower five bits as they are, the sixth for the seventh. */
			index[j] = _mm512_ternarylogic_epi64(low, bytes, _mm512_srli_epi16(bytes, 1), 0xca);
		}
		for (uint32_t i = 0; i < s->n_sets; i++) {
			uint32_t width = s->sets[i].width;
			uint64_t places = places5(&s->sets[i], width, index);
			if (__builtin_expect(places != 0, 0) && any_stands(s, width, text, from, places)) return true;
		}
	}
	*ret_high = _mm512_movepi8_mask(all) != 0;
	return false;
}

static bool may_have_vectors(const struct sieve *s, struct str text)
{
	bool high;
	if (s->lane == LANE5 ? pass_sets5(s, text, &high) : pass_sets2(s, text, &high)) return true;
	return high && has_disguised(text);
}
#else
static bool may_have_vectors(const struct sieve *s, struct str text) { return may_have_plain(s, text); }
#endif

bool sieve_may_have(const struct sieve *s, struct str text)
{
	if (text.n < SHORTEST) return text.n && has_disguised(text);
	return s->lane ? may_have_vectors(s, text) : may_have_plain(s, text);
}
