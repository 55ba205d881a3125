/* scanner: which of many literals a text has, in one pass over it.
 *
 * Whole texts and beginnings and ends by hash. Literals anywhere: of each the rarest few bytes (a gram) go into a filter that is
 * asked at every position; what passes is looked up and compared. Text and literals are both folded. Immutable once made, in
 * the arena of a program; any thread. */
#pragma once
#include "base/buf.h"
#include "match/guess_internal.h"

enum scan_engine { ENGINE_PLAIN, ENGINE_SSE4, ENGINE_AVX2, ENGINE_AVX2_HASH /* without the buckets for few grams: for tests */ };

struct scan_literal {
	struct str text;         /* not empty; outlives the scanner */
	uint32_t id;
	enum literal_kind kind;
};

/* By which bytes literals that are whole texts, beginnings or ends are ruled out before anything is folded. Zero-initialised: of no literal. */
struct edges {
	uint64_t begin[2], end[2]; /* bits of the ASCII bytes that beginnings begin with, and ends end with */
	uint64_t whole;            /* whole texts: of both together */
	bool anywhere;             /* a literal may stand anywhere: nothing is told */
};
void edges_add(struct edges *e, enum literal_kind kind, struct str text);
static inline unsigned edge_lower(char c) { return (unsigned char)c + ((unsigned)((unsigned char)c - 'A') < 26 ? 32u : 0u); }
static inline unsigned edge_whole(unsigned first, unsigned last) { return (first * 7 + last) & 63; }
/* False: the text, not folded, has none of the literals. What lies beyond ASCII may be folded to anything. */
static inline bool edges_may_have(const struct edges *e, struct str text)
{
	if (e->anywhere) return true;
	if (!text.n) return false; /* no literal is empty */
	unsigned first = edge_lower(text.p[0]), last = edge_lower(text.p[text.n - 1]);
	if ((first | last) & 0x80) return true;
	return (e->begin[first >> 6] >> (first & 63) | e->end[last >> 6] >> (last & 63) | e->whole >> edge_whole(first, last)) & 1;
}

/* What a run fills: `seen[id] == tag` for literals that are there, each new one also appended to `found` (room for all). */
struct scan_marks {
	uint32_t *seen, tag;
	uint32_t *found, n_found;
};

struct scanner;
/* NULL when the arena is full. */
struct scanner *scanner_new(struct arena *a, const struct scan_literal *literals, uint32_t n, const struct guess *guess, enum scan_engine engine);
/* At least UTF_SLACK readable bytes must follow the text. */
void scanner_run(const struct scanner *s, struct str text, struct scan_marks *marks);
/* Whether an integer written in decimal can have any of the literals. */
bool scanner_has_digits(const struct scanner *s);
/* Whether several texts may be run as one, joined by SCAN_JOINT: literals are looked for anywhere only, and none has that byte. */
enum { SCAN_JOINT = 1 };
bool scanner_joinable(const struct scanner *s);
/* For explain: literals by kind, and the grams' widths: "3 exact, 12 suffix, 40 contains (8-byte grams 31, 4-byte grams 9)". */
void scanner_describe(const struct scanner *s, struct buf *out);

/* The filter of one gram width: 2 bits per gram in one 32-bit word. */
struct gram_filter {
	const uint32_t *words;
	uint32_t shift;          /* 32 - log2(words) */
	uint32_t mask;           /* bytes of a narrow gram */
	uint32_t width;          /* 1, 2, 3, 4 or 8 bytes */
	/* Few grams of up to four bytes, in eight buckets: bit b of low[j][x] & high[j][y] is set when a gram of bucket b has the byte y << 4 | x
	 * at its place j. */
	bool few;
	uint8_t low[4][16], high[4][16];
};
enum { GRAM_FEW = 48 };
enum { GRAM_BLOCK = 512 };
/* Positions 0 .. n-1 (n <= GRAM_BLOCK) of p whose gram may be in the set, ascending, into out[GRAM_BLOCK + 8]; returns how many.
 * Reads up to 32 bytes past p + n. */
typedef uint32_t gram_find(const struct gram_filter *f, const char *p, uint32_t n, uint16_t *out);
gram_find gram_find_plain, gram_find_sse4, gram_find_avx2, gram_find_avx512;
/* By the buckets, of a filter that has them; other positions than the others give, but all at which a gram stands. */
gram_find gram_find_few_avx2, gram_find_few_avx512;
uint32_t gram_hash(uint64_t gram, uint32_t width);
