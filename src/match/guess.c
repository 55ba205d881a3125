/* guess.c: literals counted in a sample of harmless values. See guess_internal.h. */
#include "match/guess_internal.h"
#include "base/alloc.h"
#include "text/utf.h"
#include <math.h>

enum { SLOTS = 1 << 15, MOST_LOOKS = 64 };

struct gram {
	uint32_t bytes, count, last; /* last: its last position + 1 */
};
struct guess {
	char *text;          /* folded lines, each ended by LF; an LF before the first */
	size_t n;
	uint32_t n_lines;
	struct gram *grams;  /* [SLOTS], open addressing */
	uint32_t *before;    /* [n]: the previous position + 1 of the same four bytes */
	uint8_t *bigrams;    /* [65536]: lines that have it, up to 255 */
	float byte_share[256];
};

static struct gram *gram_at(const struct guess *g, uint32_t bytes)
{
	uint32_t at = bytes * 0x9e3779b1u >> 17;
	while (g->grams[at].count && g->grams[at].bytes != bytes) at = (at + 1) & (SLOTS - 1);
	return &g->grams[at];
}

static uint32_t load32(const char *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}

static void add_line(struct guess *g, struct str line)
{
	size_t start = g->n;
	if (g->n / 2 >= SLOTS / 3) return;
	g->n += utf8_fold(line, g->text + g->n);
	g->text[g->n++] = '\n';
	g->n_lines++;
	for (size_t i = start; i + 1 < g->n; i++) {
		uint8_t *c = &g->bigrams[(uint8_t)g->text[i] | (uint8_t)g->text[i + 1] << 8];
		if (*c < 255) ++*c;
	}
}

static void index_text(struct guess *g)
{
	g->before = xcalloc(g->n, sizeof *g->before);
	for (size_t i = 0; i < g->n; i++) g->byte_share[(uint8_t)g->text[i]] += 1.0f / (float)g->n;
	for (size_t i = 0; i + 4 <= g->n; i++) {
		struct gram *gram = gram_at(g, load32(g->text + i));
		gram->bytes = load32(g->text + i);
		gram->count++;
		g->before[i] = gram->last;
		gram->last = (uint32_t)i + 1;
	}
}

struct guess *guess_new(void)
{
	struct guess *g = xcalloc(1, sizeof *g);
	size_t room = 1 + UTF_SLACK;
	for (size_t i = 0; i < match_data_count; i++) room += UTF8_FOLD_ROOM(match_data[i].n) + 1;
	g->text = xmalloc(room);
	g->grams = xcalloc(SLOTS, sizeof *g->grams);
	g->bigrams = xcalloc(65536, 1);
	g->text[g->n++] = '\n';
	for (size_t i = 0; i < match_data_count; i++) {
		struct str rest = {(const char *)match_data[i].bytes, match_data[i].n};
		while (rest.p) {
			struct str line = str_cut(&rest, '\n');
			if (line.n && line.p[0] != '#') add_line(g, line);
		}
	}
	index_text(g);
	return g;
}

void guess_free(struct guess *g)
{
	if (!g) return;
	free(g->text);
	free(g->grams);
	free(g->before);
	free(g->bigrams);
	free(g);
}

float guess_gram4(const struct guess *g, const char *p)
{
	float common = 1e4f;
	for (int i = 0; i < 4; i++) common *= g->byte_share[(uint8_t)p[i]] + 1e-4f;
	return (float)gram_at(g, load32(p))->count + common;
}

static bool stands_so(const struct guess *g, enum literal_kind kind, size_t at, size_t n)
{
	bool first = g->text[at - 1] == '\n', last = g->text[at + n] == '\n';
	switch (kind) {
	case LITERAL_CONTAINS: return true;
	case LITERAL_PREFIX: return first;
	case LITERAL_SUFFIX: return last;
	/* The sample has paths where events have bare file names as well. */
	case LITERAL_EXACT: return last && (first || g->text[at - 1] == '\\' || g->text[at - 1] == '/');
	}
	return true;
}

/* Occurrences of a literal of four bytes or more, by its rarest four. */
static uint32_t occurrences(const struct guess *g, enum literal_kind kind, struct str s)
{
	const struct gram *rarest = NULL;
	size_t offset = 0;
	for (size_t i = 0; i + 4 <= s.n; i++) {
		const struct gram *gram = gram_at(g, load32(s.p + i));
		if (!gram->count) return 0;
		if (rarest && rarest->count <= gram->count) continue;
		rarest = gram;
		offset = i;
	}
	uint32_t count = 0, looks = 0;
	for (uint32_t at = rarest ? rarest->last : 0; at && looks < MOST_LOOKS; at = g->before[at - 1], looks++) {
		size_t start = at - 1;
		if (start < offset + 1 || start - offset + s.n >= g->n) continue;
		start -= offset;
		count += memcmp(g->text + start, s.p, s.n) == 0 && stands_so(g, kind, start, s.n);
	}
	return count;
}

/* Lines that are the short text and nothing else: GET, POST. */
static uint32_t whole_lines(const struct guess *g, struct str s)
{
	uint32_t count = 0;
	for (size_t at = 0; (at = str_find((struct str){g->text, g->n}, s, at)) != SIZE_MAX; at++) count += at && stands_so(g, LITERAL_EXACT, at, s.n);
	return count;
}

static float short_literal(const struct guess *g, enum literal_kind kind, struct str s)
{
	float p;
	if (s.n > 1 && kind == LITERAL_EXACT) return 4 * (float)whole_lines(g, s) / (float)g->n_lines;
	if (s.n == 0) return 0.9f;
	if (s.n == 1) {
		p = g->byte_share[(uint8_t)s.p[0]] * 30;
	} else {
		uint8_t least = 255;
		for (size_t i = 0; i + 1 < s.n; i++) {
			uint8_t c = g->bigrams[(uint8_t)s.p[i] | (uint8_t)s.p[i + 1] << 8];
			if (c < least) least = c;
		}
		p = (float)least / (float)g->n_lines / (s.n == 3 ? 2 : 1);
	}
	if (kind != LITERAL_CONTAINS) p /= 4;
	return p;
}

/* Of requests every other one is one of these: more than lines of the sample can say. */
static bool is_usual_method(struct str s) { return str_eq(s, STR("post")) || str_eq(s, STR("get")); }

float guess_literal(const struct guess *g, enum literal_kind kind, struct str s)
{
	if (kind == LITERAL_EXACT && is_usual_method(s)) return 0.5f;
	/* A kind of field makes up about a quarter of the sample. */
	float p = s.n < 4 ? short_literal(g, kind, s) : 4 * (float)occurrences(g, kind, s) / (float)g->n_lines;
	float unseen = 0.004f * powf(0.8f, s.n < 24 ? (float)s.n : 24.0f);
	p += unseen;
	return p > 0.9f ? 0.9f : p;
}
