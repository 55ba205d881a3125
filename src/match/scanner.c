/* scanner.c: literals sorted into hashes and gram sets, and the pass over a text. See scanner_internal.h. */
#include "match/scanner_internal.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/cpu.h"
#include "text/utf.h"

enum { FEW = 8, WIDE_FROM = 64, MOST_OFFSETS = 32, MAX_WORDS_LOG2 = 14 };

struct literal {
	const char *p;
	uint32_t n, id;
};

/* ---- edges ---- */

void edges_add(struct edges *e, enum literal_kind kind, struct str text)
{
	unsigned first = (unsigned char)text.p[0], last = (unsigned char)text.p[text.n - 1];
	if (kind == LITERAL_CONTAINS) e->anywhere = true;
	/* What begins or ends beyond ASCII is not found in a text that does so within. */
	if (kind == LITERAL_PREFIX && first < 0x80) e->begin[first >> 6] |= 1ull << (first & 63);
	if (kind == LITERAL_SUFFIX && last < 0x80) e->end[last >> 6] |= 1ull << (last & 63);
	if (kind == LITERAL_EXACT && (first | last) < 0x80) e->whole |= 1ull << edge_whole(first, last);
}

/* ---- whole texts ---- */

struct exact {
	const struct literal *literals;
	uint32_t *slots; /* literal + 1 */
	uint32_t mask, n;
	uint32_t max_n;
	uint64_t lengths; /* bit n % 64 */
};

static inline uint64_t load64(const char *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}

static inline uint32_t load32(const char *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}

/* Reads only the text. */
static inline uint64_t text_hash(const char *p, size_t n)
{
	uint64_t h = n * 0x9e3779b97f4a7c15, tail = 0;
	size_t i = 0;
	for (; i + 8 <= n; i += 8) h = (h ^ load64(p + i)) * 0xd6e8feb86659fd93, h ^= h >> 32;
	if (n >= 8) tail = load64(p + n - 8);
	else if (n >= 4) tail = load32(p) | (uint64_t)load32(p + n - 4) << 32;
	else if (n) tail = (uint8_t)p[0] | (uint64_t)(uint8_t)p[n / 2] << 8 | (uint64_t)(uint8_t)p[n - 1] << 16;
	h = (h ^ tail) * 0xd6e8feb86659fd93;
	return h ^ h >> 32;
}

static uint32_t slots_for(uint32_t n)
{
	uint32_t size = 4;
	while (size < n * 2) size *= 2;
	return size;
}

static bool exact_make(struct arena *a, struct exact *e, const struct literal *literals, uint32_t n)
{
	uint32_t size = slots_for(n);
	*e = (struct exact){.literals = literals, .n = n, .mask = size - 1};
	if (!n) return true;
	e->slots = arena_calloc(a, size, sizeof *e->slots);
	if (!e->slots) return false;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = (uint32_t)text_hash(literals[i].p, literals[i].n) & e->mask;
		while (e->slots[at]) at = (at + 1) & e->mask;
		e->slots[at] = i + 1;
		e->lengths |= 1ull << (literals[i].n & 63);
		if (literals[i].n > e->max_n) e->max_n = literals[i].n;
	}
	return true;
}

static inline void mark(struct scan_marks *m, uint32_t id)
{
	if (m->seen[id] == m->tag) return;
	m->seen[id] = m->tag;
	m->found[m->n_found++] = id;
}

static void exact_run(const struct exact *e, struct str s, struct scan_marks *m)
{
	if (s.n > e->max_n || !(e->lengths >> (s.n & 63) & 1)) return;
	uint32_t at = (uint32_t)text_hash(s.p, s.n) & e->mask;
	for (; e->slots[at]; at = (at + 1) & e->mask) {
		const struct literal *l = &e->literals[e->slots[at] - 1];
		/* Equal literals may be filed under several ids. */
		if (l->n == s.n && memcmp(l->p, s.p, s.n) == 0) mark(m, l->id);
	}
}

/* ---- beginnings and ends ---- */

/* The bytes at the anchored end, the outermost eight as one number: for ends the last byte is its highest. */
struct affix_slot {
	uint64_t key;
	uint32_t first, n; /* literals [first, first + n); n == 0: free */
	uint32_t length;   /* 1..7, or 8 for 8 and more */
};
struct affix {
	struct literal *literals; /* the short ones, then those of 8 and more in the order of their bytes from the anchored end */
	uint32_t *parent;         /* of the long ones: literal + 1 of the longest other that it begins with, seen from the anchored end */
	struct affix_slot *slots;
	uint32_t shift, mask, n;
	uint32_t lengths;         /* bit 1..8 */
	bool end;
};

/* Byte i of s counted from the anchored end. */
static inline uint8_t byte_at(const struct affix *x, const char *p, size_t n, size_t i) { return (uint8_t)(x->end ? p[n - 1 - i] : p[i]); }

static int affix_cmp(const struct affix *x, const char *a, size_t an, const char *b, size_t bn)
{
	size_t n = an < bn ? an : bn;
	for (size_t i = 0; i < n; i++) {
		int d = byte_at(x, a, an, i) - byte_at(x, b, bn, i);
		if (d) return d;
	}
	return (an > bn) - (an < bn);
}

static int compare_literals(const void *a, const void *b, void *affix)
{
	const struct literal *x = a, *y = b;
	bool long_x = x->n >= 8, long_y = y->n >= 8;
	if (long_x != long_y) return long_x - long_y;
	int d = affix_cmp(affix, x->p, x->n, y->p, y->n);
	return d ? d : (x->id > y->id) - (x->id < y->id);
}

static uint64_t affix_key(const struct affix *x, const char *p, size_t n)
{
	uint64_t key = 0;
	size_t length = n < 8 ? n : 8;
	for (size_t i = 0; i < length; i++) {
		if (x->end) key = key | (uint64_t)byte_at(x, p, n, i) << (8 * (7 - i));
		else key = key | (uint64_t)byte_at(x, p, n, i) << (8 * i);
	}
	return key;
}

static inline struct affix_slot *affix_slot(const struct affix *x, uint64_t key, uint32_t length)
{
	uint32_t at = (uint32_t)((key + length) * 0x9e3779b97f4a7c15 >> x->shift);
	while (x->slots[at].n && (x->slots[at].key != key || x->slots[at].length != length)) at = (at + 1) & x->mask;
	return &x->slots[at];
}

static bool begins(const struct affix *x, const struct literal *part, const char *p, size_t n)
{
	return part->n <= n && memcmp(part->p, x->end ? p + n - part->n : p, part->n) == 0;
}

static void link_parents(struct affix *x, const struct affix_slot *slot)
{
	for (uint32_t i = slot->first; i < slot->first + slot->n; i++) {
		uint32_t up = i > slot->first ? i : 0; /* the one before, as literal + 1 */
		while (up && !begins(x, &x->literals[up - 1], x->literals[i].p, x->literals[i].n)) up = x->parent[up - 1];
		x->parent[i] = up;
	}
}

static bool affix_make(struct arena *a, struct affix *x, struct literal *literals, uint32_t n, bool end)
{
	uint32_t size = slots_for(n);
	*x = (struct affix){.literals = literals, .n = n, .end = end, .mask = size - 1, .shift = 64 - (uint32_t)__builtin_ctz(size)};
	if (!n) return true;
	x->slots = arena_calloc(a, size, sizeof *x->slots);
	x->parent = arena_calloc(a, n, sizeof *x->parent);
	if (!x->slots || !x->parent) return false;
	qsort_r(literals, n, sizeof *literals, compare_literals, x);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t length = literals[i].n < 8 ? literals[i].n : 8;
		uint64_t key = affix_key(x, literals[i].p, literals[i].n);
		struct affix_slot *slot = affix_slot(x, key, length);
		if (!slot->n) *slot = (struct affix_slot){key, i, 0, length};
		slot->n++;
		x->lengths |= 1u << length;
	}
	for (uint32_t i = 0; i < size; i++)
		if (x->slots[i].length == 8) link_parents(x, &x->slots[i]);
	return true;
}

static void affix_range(const struct affix *x, const struct affix_slot *slot, struct str s, struct scan_marks *m)
{
	if (slot->n <= FEW) {
		for (uint32_t i = slot->first; i < slot->first + slot->n; i++)
			if (begins(x, &x->literals[i], s.p, s.n)) mark(m, x->literals[i].id);
		return;
	}
	uint32_t low = slot->first, high = slot->first + slot->n; /* all before low are <= s */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct literal *l = &x->literals[middle];
		if (affix_cmp(x, l->p, l->n, s.p, s.n) <= 0) low = middle + 1;
		else high = middle;
	}
	/* What begins s stands in the chain of the last literal that is not above s. */
	for (uint32_t at = low > slot->first ? low : 0; at; at = x->parent[at - 1])
		if (begins(x, &x->literals[at - 1], s.p, s.n)) mark(m, x->literals[at - 1].id);
}

static void affix_run(const struct affix *x, struct str s, struct scan_marks *m)
{
	if (!s.n) return;
	uint64_t outer = x->end ? (s.n >= 8 ? load64(s.p + s.n - 8) : load64(s.p) << (64 - 8 * s.n)) : load64(s.p);
	for (uint32_t lengths = x->lengths & 0xfe; lengths; lengths &= lengths - 1) {
		uint32_t length = (uint32_t)__builtin_ctz(lengths), drop = 64 - 8 * length;
		if (length > s.n) break;
		uint64_t key = x->end ? outer >> drop << drop : outer << drop >> drop;
		const struct affix_slot *slot = affix_slot(x, key, length);
		for (uint32_t i = slot->first; i < slot->first + slot->n; i++) mark(m, x->literals[i].id);
	}
	if (!(x->lengths & 1u << 8) || s.n < 8) return;
	const struct affix_slot *slot = affix_slot(x, outer, 8);
	if (slot->n) affix_range(x, slot, s, m);
}

/* ---- anywhere ---- */

struct gram_slot {
	uint64_t gram;
	uint32_t first, n; /* entries; n == 0: free */
};
struct gram_entry {
	uint32_t literal, offset; /* where the gram stands in it */
};
struct gram_set {
	struct gram_filter filter;
	struct gram_slot *slots;
	struct gram_entry *entries;
	const struct literal *literals;
	uint32_t mask, n, n_grams;
	gram_find *find;
};
enum { WIDTHS = 5 };
static const uint32_t widths[WIDTHS] = {1, 2, 3, 4, 8};

static inline struct gram_slot *gram_slot(const struct gram_set *g, uint64_t gram, uint32_t hash)
{
	uint32_t at = (hash ^ hash >> 13) & g->mask;
	while (g->slots[at].n && g->slots[at].gram != gram) at = (at + 1) & g->mask;
	return &g->slots[at];
}

static uint64_t gram_of(const char *p, uint32_t width)
{
	uint64_t gram = 0;
	memcpy(&gram, p, width);
	return gram;
}

static float gram_cost(const struct guess *guess, const char *p, uint32_t width)
{
	if (width < 4) return 0;
	float first = guess_gram4(guess, p), second = width == 8 ? guess_gram4(guess, p + 4) : first;
	return first < second ? first : second;
}

/* The offset of the rarest gram; among equals, of one that few literals share. */
static uint32_t choose_offset(const struct gram_set *g, const struct literal *l, const struct guess *guess)
{
	uint32_t width = g->filter.width, best = 0;
	float best_cost = 0;
	for (uint32_t i = 0; i + width <= l->n && i < MOST_OFFSETS; i++) {
		uint64_t gram = gram_of(l->p + i, width);
		float cost = gram_cost(guess, l->p + i, width);
		if (i && cost >= best_cost) continue;
		cost += 0.02f * (float)gram_slot(g, gram, gram_hash(gram, width))->n;
		if (i && cost >= best_cost) continue;
		best = i;
		best_cost = cost;
	}
	return best;
}

/* Grams that stand side by side in the table share a bucket. */
static void filter_few(struct gram_set *g, enum scan_engine engine)
{
	uint32_t at = 0;
	g->filter.few = engine == ENGINE_AVX2 && g->filter.width <= 4 && g->n_grams <= GRAM_FEW;
	for (uint32_t i = 0; g->filter.few && i <= g->mask; i++) {
		if (!g->slots[i].n) continue;
		uint8_t bucket = (uint8_t)(1u << (at++ * 8 / g->n_grams));
		for (uint32_t j = 0; j < g->filter.width; j++) {
			uint8_t byte = (uint8_t)(g->slots[i].gram >> (8 * j));
			g->filter.low[j][byte & 15] |= bucket;
			g->filter.high[j][byte >> 4] |= bucket;
		}
	}
}

static bool filter_make(struct arena *a, struct gram_set *g)
{
	uint32_t log2 = 4;
	while (log2 < MAX_WORDS_LOG2 && 1u << log2 < g->n_grams) log2++;
	uint32_t *words = arena_calloc(a, 1u << log2, sizeof *words);
	if (!words) return false;
	g->filter.words = words;
	g->filter.shift = 32 - log2;
	for (uint32_t i = 0; i <= g->mask; i++) {
		if (!g->slots[i].n) continue;
		uint32_t hash = gram_hash(g->slots[i].gram, g->filter.width);
		words[hash >> g->filter.shift] |= 1u << (hash >> (g->filter.shift - 5) & 31) | 1u << (hash >> (g->filter.shift - 10) & 31);
	}
	return true;
}

static gram_find *find_of(enum scan_engine engine, bool few)
{
	if (engine < ENGINE_AVX2) return engine == ENGINE_SSE4 ? gram_find_sse4 : gram_find_plain;
	if (cpu_level() >= CPU_AVX512) return few ? gram_find_few_avx512 : gram_find_avx512;
	return few ? gram_find_few_avx2 : gram_find_avx2;
}

static bool gram_set_make(struct arena *a, struct gram_set *g, const struct literal *literals, uint32_t n, uint32_t width, const struct guess *guess,
	enum scan_engine engine)
{
	uint32_t size = slots_for(n), total = 0;
	uint32_t *offsets = xcalloc(n, sizeof *offsets);
	*g = (struct gram_set){.literals = literals, .n = n, .mask = size - 1, .filter = {.width = width, .mask = width >= 4 ? UINT32_MAX : (1u << 8 * width) - 1}};
	g->slots = arena_calloc(a, size, sizeof *g->slots);
	g->entries = arena_calloc(a, n, sizeof *g->entries);
	for (uint32_t i = 0; g->slots && g->entries && i < n; i++) {
		offsets[i] = choose_offset(g, &literals[i], guess);
		uint64_t gram = gram_of(literals[i].p + offsets[i], width);
		struct gram_slot *slot = gram_slot(g, gram, gram_hash(gram, width));
		slot->gram = gram;
		g->n_grams += !slot->n;
		slot->n++;
	}
	for (uint32_t i = 0; g->slots && i < size; i++) {
		g->slots[i].first = total;
		total += g->slots[i].n;
	}
	/* Filed from the back, so that `first` ends where the entries begin and literals keep their order. */
	for (uint32_t i = 0; g->slots && i < size; i++) g->slots[i].first += g->slots[i].n;
	for (uint32_t i = n; g->slots && g->entries && i-- > 0;) {
		uint64_t gram = gram_of(literals[i].p + offsets[i], width);
		g->entries[--gram_slot(g, gram, gram_hash(gram, width))->first] = (struct gram_entry){i, offsets[i]};
	}
	free(offsets);
	if (!g->slots || !g->entries || !filter_make(a, g)) return false;
	filter_few(g, engine);
	g->find = find_of(engine, g->filter.few);
	return true;
}

static inline void gram_verify(const struct gram_set *g, struct str s, size_t at, struct scan_marks *m)
{
	uint64_t gram = g->filter.width == 8 ? load64(s.p + at) : load32(s.p + at) & g->filter.mask;
	const struct gram_slot *slot = gram_slot(g, gram, gram_hash(gram, g->filter.width));
	for (uint32_t i = slot->first; i < slot->first + slot->n; i++) {
		const struct gram_entry *e = &g->entries[i];
		const struct literal *l = &g->literals[e->literal];
		if (m->seen[l->id] == m->tag || at < e->offset || l->n > s.n - (at - e->offset)) continue;
		if (memcmp(s.p + at - e->offset, l->p, l->n) == 0) mark(m, l->id);
	}
}

static void gram_set_run(const struct gram_set *g, struct str s, struct scan_marks *m)
{
	uint16_t at[GRAM_BLOCK + 8];
	if (s.n < g->filter.width) return;
	size_t positions = s.n - g->filter.width + 1;
	for (size_t base = 0; base < positions; base += GRAM_BLOCK) {
		size_t rest = positions - base;
		uint32_t n = g->find(&g->filter, s.p + base, rest < GRAM_BLOCK ? (uint32_t)rest : GRAM_BLOCK, at);
		for (uint32_t i = 0; i < n; i++) gram_verify(g, s, base + at[i], m);
	}
}

/* ---- all of it ---- */

struct scanner {
	struct exact exact;
	struct affix prefix, suffix;
	struct gram_set ascii[WIDTHS], other[WIDTHS]; /* n == 0: none */
	uint32_t n_ascii, n_other;                    /* sets in use, at the front */
	bool has_digits;                              /* a literal that an integer's decimal text may have */
	bool joinable;
};

static bool is_integer_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '-' && (s.p[i] < '0' || s.p[i] > '9')) return false;
	return true;
}

bool scanner_has_digits(const struct scanner *s) { return s->has_digits; }
bool scanner_joinable(const struct scanner *s) { return s->joinable; }

static bool is_ascii(struct str s) { return utf8_ascii_prefix(s) == s.n; }

static uint32_t width_of(const struct scan_literal *l)
{
	return l->text.n >= 8 ? 4 : l->text.n >= 4 ? 3 : (uint32_t)l->text.n - 1;
}

/* The literals that `pick` chooses, in the arena; NULL when it is full. */
struct pick { enum literal_kind kind; int ascii; /* -1: both */ uint32_t width; bool wide; };
static bool picked(const struct pick *p, const struct scan_literal *l)
{
	if (l->kind != p->kind) return false;
	if (p->ascii < 0) return true;
	uint32_t width = width_of(l);
	if (width == 4 && !p->wide) width = 3;
	return width == p->width && is_ascii(l->text) == p->ascii;
}

static struct literal *pick_literals(struct arena *a, const struct scan_literal *all, uint32_t n, const struct pick *p, uint32_t *ret_n)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < n; i++) count += picked(p, &all[i]);
	struct literal *out = arena_calloc(a, count, sizeof *out);
	*ret_n = 0;
	for (uint32_t i = 0; out && i < n; i++)
		if (picked(p, &all[i])) out[(*ret_n)++] = (struct literal){all[i].text.p, (uint32_t)all[i].text.n, all[i].id};
	return out;
}

static bool make_gram_sets(struct arena *a, struct gram_set *sets, uint32_t *n_sets, const struct scan_literal *all, uint32_t n, int ascii,
	const struct guess *guess, enum scan_engine engine)
{
	uint32_t count = 0;
	struct pick p = {LITERAL_CONTAINS, ascii, 4, true};
	for (uint32_t i = 0; i < n; i++) count += picked(&p, &all[i]);
	p.wide = count >= WIDE_FROM;
	for (uint32_t w = 0; w < WIDTHS; w++) {
		p.width = w;
		struct literal *literals = pick_literals(a, all, n, &p, &count);
		if (!literals) return false;
		if (count && !gram_set_make(a, &sets[(*n_sets)++], literals, count, widths[w], guess, engine)) return false;
	}
	return true;
}

struct scanner *scanner_new(struct arena *a, const struct scan_literal *all, uint32_t n, const struct guess *guess, enum scan_engine engine)
{
	uint32_t count;
	struct scanner *s = arena_calloc(a, 1, sizeof *s);
	if (!s) return NULL;
	for (uint32_t i = 0; i < n && !s->has_digits; i++) s->has_digits = is_integer_text(all[i].text);
	s->joinable = true;
	for (uint32_t i = 0; i < n && s->joinable; i++) s->joinable = all[i].kind == LITERAL_CONTAINS && !memchr(all[i].text.p, SCAN_JOINT, all[i].text.n);
	struct literal *l = pick_literals(a, all, n, &(struct pick){LITERAL_EXACT, -1, 0, false}, &count);
	if (!l || !exact_make(a, &s->exact, l, count)) return NULL;
	l = pick_literals(a, all, n, &(struct pick){LITERAL_PREFIX, -1, 0, false}, &count);
	if (!l || !affix_make(a, &s->prefix, l, count, false)) return NULL;
	l = pick_literals(a, all, n, &(struct pick){LITERAL_SUFFIX, -1, 0, false}, &count);
	if (!l || !affix_make(a, &s->suffix, l, count, true)) return NULL;
	if (!make_gram_sets(a, s->ascii, &s->n_ascii, all, n, 1, guess, engine) || !make_gram_sets(a, s->other, &s->n_other, all, n, 0, guess, engine)) return NULL;
	return s;
}

void scanner_run(const struct scanner *s, struct str text, struct scan_marks *m)
{
	if (s->exact.n) exact_run(&s->exact, text, m);
	if (s->prefix.n) affix_run(&s->prefix, text, m);
	if (s->suffix.n) affix_run(&s->suffix, text, m);
	for (uint32_t i = 0; i < s->n_ascii; i++) gram_set_run(&s->ascii[i], text, m);
	if (!s->n_other || is_ascii(text)) return;
	for (uint32_t i = 0; i < s->n_other; i++) gram_set_run(&s->other[i], text, m);
}

void scanner_describe(const struct scanner *s, struct buf *out)
{
	const char *between = "";
	static const char *const words[] = {"exact", "prefix", "suffix"};
	uint32_t counts[] = {s->exact.n, s->prefix.n, s->suffix.n};
	for (int i = 0; i < 3; i++) {
		if (!counts[i]) continue;
		buf_printf(out, "%s%u %s", between, counts[i], words[i]);
		between = ", ";
	}
	for (int set = 0; set < 2; set++) {
		for (uint32_t i = 0; i < (set ? s->n_other : s->n_ascii); i++) {
			const struct gram_set *g = set ? &s->other[i] : &s->ascii[i];
			buf_printf(out, "%s%u contains by %u-byte grams%s", between, g->n, g->filter.width, set ? " beyond ASCII" : "");
			between = ", ";
		}
	}
}
