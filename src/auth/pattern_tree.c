/* pattern_tree.c: a message held against all patterns of a service at once. See pattern_internal.h; what must come out is what pattern_plain.c says of
 * the patterns one by one. */
#include "auth/address.h"
#include "auth/pattern_part_internal.h"

static inline uint64_t load_8(const char *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

/* The eight bytes before s[at], the last highest; of those there are. */
static inline uint64_t before(struct str s, size_t at)
{
	uint64_t v = 0;
	if (at >= sizeof v) return load_8(s.p + at - sizeof v);
	if (at) memcpy((char *)&v + sizeof v - at, s.p, at);
	return v;
}

/* --- the tree ------------------------------------------------------------------------------------------------------ */

/* A pattern on its way into the tree: what of it is still to come. */
struct item { uint32_t pattern, element, offset; };
struct range { uint32_t first, end; };
struct behind { uint32_t texts, tokens, behind; };
#define TAKEN UINT32_MAX
enum { STEP_WORTH = 5 };
struct grower {
	const struct service *service;
	VEC(struct node) nodes;
	VEC(struct place) places;
	VEC(struct item) items;
	VEC(struct range) of;       /* by node: its items */
	VEC(struct behind) children; /* by node */
};

static const struct element *element_of(const struct grower *g, const struct item *x) { return &g->service->patterns.v[x->pattern].elements[x->element]; }
static struct str text_of(const struct grower *g, const struct item *x) { return str_sub(element_of(g, x)->text, x->offset, SIZE_MAX); }
static struct str beyond_of(const struct grower *g, const struct item *x) { return pattern_text_behind(&g->service->patterns.v[x->pattern], x->element); }

/* A byte of the text that few messages have: the first that is no letter, digit or blank. */
static char rare_byte(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != ' ' && !pattern_in_class(ELEMENT_CONN, text.p[i])) return text.p[i];
	return text.p[0];
}

static struct place place_of(const struct pattern *p, uint32_t number)
{
	const struct element *last = &p->elements[p->n - 1];
	struct place ret = {.pattern = number, .last = ELEMENT_TEXT};
	if (!pattern_is_wild(last) && last->kind != ELEMENT_TEXT && last->right_run) {
		ret.last = last->kind;
		last = p->n > 1 ? last - 1 : last;
	}
	if (last->kind == ELEMENT_TEXT) {
		ret.end = last->end;
		ret.mask = last->end_mask;
	}
	if (p->first_wild != p->last_wild) ret.holds = rare_byte(p->elements[p->first_wild + 1].text);
	return ret;
}

/* The items that have come to their wild element, or end: what they are is a matter of the rest. */
static void take_ended(struct grower *g, struct range of, struct node *n)
{
	n->first = (uint32_t)g->places.n;
	for (uint32_t i = of.first; i < of.end; i++) {
		struct item *x = &g->items.v[i];
		const struct pattern *p = &g->service->patterns.v[x->pattern];
		if (x->element < p->first_wild) continue;
		vec_push(&g->places, place_of(p, x->pattern));
		x->pattern = TAKEN;
	}
	n->end = (uint32_t)g->places.n;
}

static bool same_token(const struct grower *g, const struct item *a, const struct item *b)
{
	const struct element *x = element_of(g, a), *y = element_of(g, b);
	return x->kind == y->kind && x->left_run == y->left_run && (x->left_run || str_eq(beyond_of(g, a), beyond_of(g, b)));
}

/* Whether the item goes the same way as the one that leads: the same token, or a text whose first n bytes are the same. */
static bool goes_with(const struct grower *g, const struct item *leads, const struct item *x, size_t n)
{
	bool text = element_of(g, leads)->kind == ELEMENT_TEXT;
	if (x->pattern == TAKEN || text != (element_of(g, x)->kind == ELEMENT_TEXT)) return false;
	return text ? str_starts(text_of(g, x), str_sub(text_of(g, leads), 0, n)) : same_token(g, leads, x);
}

static size_t common(struct str a, struct str b)
{
	size_t n = 0;
	while (n < a.n && n < b.n && a.p[n] == b.p[n]) n++;
	return n;
}

/* How many bytes of the text of the item at `first` a node is for: what those that begin with n of them have in common. A step for less than `least`
 * bytes is none worth taking unless one of them ends there: then the node is for fewer of them. */
static size_t length_of_node(const struct grower *g, struct range of, uint32_t first, size_t least)
{
	const struct item *leads = &g->items.v[first];
	struct str text = text_of(g, leads);
	for (size_t n = 1;; n++) {
		size_t all = text.n;
		bool ends = false;
		for (uint32_t i = first; i < of.end; i++)
			if (goes_with(g, leads, &g->items.v[i], n)) all = common(str_sub(text, 0, all), text_of(g, &g->items.v[i]));
		for (uint32_t i = first; i < of.end && !ends; i++) ends = goes_with(g, leads, &g->items.v[i], n) && text_of(g, &g->items.v[i]).n == all;
		if (ends || all >= least) return all;
		n = all;
	}
}

/* The node for the item at `first` and all behind it that go with it. No two texts behind a node are there in one message. */
static void add_child(struct grower *g, struct range of, uint32_t first, size_t least)
{
	struct item leads = g->items.v[first];
	const struct element *e = element_of(g, &leads);
	struct node n = {.text = {"", 0}, .token = e, .beyond = beyond_of(g, &leads)};
	struct range to = {(uint32_t)g->items.n, (uint32_t)g->items.n};
	if (e->kind == ELEMENT_TEXT) n.text = str_sub(text_of(g, &leads), 0, length_of_node(g, of, first, least));
	for (uint32_t i = first; i < of.end; i++) {
		struct item x = g->items.v[i];
		if (!goes_with(g, &leads, &x, n.text.n)) continue;
		x.offset += (uint32_t)n.text.n;
		if (x.offset == element_of(g, &x)->text.n) x.element++, x.offset = 0;
		vec_push(&g->items, x);
		g->items.v[i].pattern = TAKEN;
		to.end++;
	}
	size_t front = n.text.n < 8 ? n.text.n : 8;
	if (front) memcpy(&n.bytes, n.text.p, front);
	n.mask = front ? UINT64_MAX >> (64 - 8 * front) : 0;
	vec_push(&g->nodes, n);
	vec_push(&g->of, to);
}

/* The nodes behind a node, behind the first one texts by their first byte (service.by_byte); of all that go the same way in the order of the patterns. */
static void grow(struct grower *g, uint32_t at)
{
	struct range of = g->of.v[at];
	struct node n = g->nodes.v[at];
	take_ended(g, of, &n);
	struct behind c = {.texts = (uint32_t)g->nodes.n};
	for (int tokens = 0; tokens < 2; tokens++) {
		for (uint32_t i = of.first; i < of.end; i++)
			if (g->items.v[i].pattern != TAKEN && (element_of(g, &g->items.v[i])->kind != ELEMENT_TEXT) == tokens) add_child(g, of, i, at ? STEP_WORTH : 1);
		*(tokens ? &c.behind : &c.tokens) = (uint32_t)g->nodes.n;
	}
	vec_push(&g->children, c);
	g->nodes.v[at] = n;
}

bool tree_of_service(struct arena *a, struct service *s)
{
	struct grower g = {.service = s};
	vec_push(&g.nodes, (struct node){.token = NULL});
	vec_push(&g.of, (struct range){0, (uint32_t)s->patterns.n});
	for (uint32_t i = 0; i < s->patterns.n; i++) vec_push(&g.items, (struct item){i, 0, 0});
	for (uint32_t at = 0; at < g.nodes.n; at++) grow(&g, at);
	struct node *nodes = arena_calloc(a, g.nodes.n, sizeof *nodes);
	struct place *places = arena_calloc(a, g.places.n + 1, sizeof *places);
	bool ok = nodes && places && g.nodes.n <= UINT16_MAX;
	if (ok) {
		memcpy(nodes, g.nodes.v, g.nodes.n * sizeof *nodes);
		if (g.places.n) memcpy(places, g.places.v, g.places.n * sizeof *places);
		for (uint32_t i = 0; i < g.nodes.n; i++) {
			nodes[i].texts = nodes + g.children.v[i].texts;
			nodes[i].tokens = nodes + g.children.v[i].tokens;
			nodes[i].behind = nodes + g.children.v[i].behind;
		}
		for (const struct node *n = nodes->texts; n < nodes->tokens; n++) s->by_byte[(uint8_t)n->text.p[0]] = (uint16_t)(n - nodes);
	}
	s->nodes = nodes;
	s->places = places;
	vec_free(&g.nodes);
	vec_free(&g.places);
	vec_free(&g.items);
	vec_free(&g.of);
	vec_free(&g.children);
	return ok;
}

/* --- a message in it ----------------------------------------------------------------------------------------------- */

/* The nodes that a message comes to, of those that are all some pattern begins with. */
enum { REACHED = 32 };
struct token { uint32_t kind, at, n; };
struct reached {
	uint32_t next, end;          /* of the places, those that are left */
	uint32_t n_tokens;           /* on the way, those that say something */
	size_t at;                   /* how far it goes */
	struct token tokens[PATTERN_TOKENS];
};

/* A message on its way through the patterns of a service that it may be, in their order. */
struct search {
	const struct service *service;
	struct str message;
	uint64_t end;                /* its last eight bytes */
	uint32_t runs_known;         /* bits: for which kinds of tokens it is known where one that ends the message would begin */
	char missing;                /* a byte that is not in it; 0: none is known */
	bool more;                   /* nodes than there is room for: then all patterns are looked at, one by one */
	uint32_t one;                /* the next of these */
	uint32_t n;
	struct token tokens[PATTERN_TOKENS]; /* on the way through the tree */
	size_t runs[ELEMENT_KINDS];
	struct reached reached[REACHED];
};

/* Whether the text, longer than eight bytes of which the first are there, is at p, where `left` bytes are. */
static inline bool text_goes_on(struct str text, const char *p, size_t left)
{
	if (left < text.n) return false;
	for (size_t i = 8; i + 8 <= text.n; i += 8)
		if (load_8(p + i) != load_8(text.p + i)) return false;
	return load_8(p + text.n - 8) == load_8(text.p + text.n - 8);
}

static inline bool text_is_here(const struct node *n, const char *p, size_t left)
{
	if (left < 8) return left >= n->text.n && !memcmp(p, n->text.p, n->text.n);
	return (load_8(p) & n->mask) == n->bytes && (n->text.n <= 8 || text_goes_on(n->text, p, left));
}

static void reach(struct search *x, const struct node *n, size_t at, uint32_t n_tokens)
{
	if (x->n == REACHED) {
		x->more = true;
		return;
	}
	struct reached *r = &x->reached[x->n++];
	r->next = n->first;
	r->end = n->end;
	r->at = at;
	r->n_tokens = n_tokens;
	if (n_tokens) memcpy(r->tokens, x->tokens, sizeof r->tokens);
}

/* --- runs of bytes that a token may hold --- */

#if defined(__x86_64__)
#include <immintrin.h>
enum { STEP = 16 };

static inline __m128i between(__m128i v, char first, int n) { __m128i d = _mm_sub_epi8(v, _mm_set1_epi8(first)); return _mm_cmpeq_epi8(_mm_min_epu8(d, _mm_set1_epi8((char)(n - 1))), d); }
static inline __m128i is(__m128i v, char c) { return _mm_cmpeq_epi8(v, _mm_set1_epi8(c)); }

/* Which of 16 bytes a token of the kind may not hold, as pattern_classes says. */
static inline unsigned outside(enum element_kind kind, const char *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p), in;
	switch (kind) {
	case ELEMENT_WORD: return (unsigned)_mm_movemask_epi8(between(v, 0, ' ' + 1));
	case ELEMENT_NAME: return (unsigned)_mm_movemask_epi8(is(v, '|'));
	case ELEMENT_ADDR: in = _mm_or_si128(_mm_or_si128(between(v, '-', 2), is(v, '_')), _mm_or_si128(is(v, ':'), is(v, '%'))); break;
	default: in = _mm_setzero_si128(); break;
	}
	in = _mm_or_si128(in, between(v, '0', 10));
	if (kind == ELEMENT_ADDR || kind == ELEMENT_CONN) in = _mm_or_si128(in, between(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 26));
	return (unsigned)_mm_movemask_epi8(in) ^ 0xffff;
}

static inline size_t first_outside(enum element_kind kind, const char *p)
{
	unsigned out = outside(kind, p);
	return out ? (size_t)__builtin_ctz(out) : STEP;
}

static inline size_t behind_last_outside(enum element_kind kind, const char *p)
{
	unsigned out = outside(kind, p);
	return out ? 32 - (size_t)__builtin_clz(out) : 0;
}

/* Which of the first n of 16 bytes are digits, and which are dots or colons: of an address both. */
static inline void address_marks(const char *p, size_t n, unsigned *digits, unsigned *marks)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	unsigned those = n < STEP ? (1u << n) - 1 : 0xffff;
	*digits |= (unsigned)_mm_movemask_epi8(between(v, '0', 10)) & those;
	*marks |= (unsigned)_mm_movemask_epi8(_mm_or_si128(is(v, '.'), is(v, ':'))) & those;
}
#else
enum { STEP = SIZE_MAX >> 1 };
static inline size_t first_outside(enum element_kind kind, const char *p) { (void)kind, (void)p; return 0; }
static inline size_t behind_last_outside(enum element_kind kind, const char *p) { (void)kind, (void)p; return 0; }
static inline void address_marks(const char *p, size_t n, unsigned *digits, unsigned *marks) { (void)p, (void)n, (void)digits, (void)marks; }
#endif

/* How many bytes from s[at] on a token of the kind may hold. */
static inline size_t run_from(enum element_kind kind, struct str s, size_t at)
{
	const char *p = s.p + at, *end = s.p + s.n;
	for (size_t n; end - p >= STEP; p += n)
		if ((n = first_outside(kind, p)) < STEP) return (size_t)(p - s.p) + n - at;
	for (unsigned bit = 1u << kind; p < end && pattern_classes[(uint8_t)*p] & bit; p++) {}
	return (size_t)(p - s.p) - at;
}

/* Where the bytes before s[end] that a token of the kind may hold begin. */
static inline size_t run_before(enum element_kind kind, struct str s, size_t end)
{
	const char *p = s.p + end;
	for (size_t n; p - s.p >= STEP; p -= STEP)
		if ((n = behind_last_outside(kind, p - STEP))) return (size_t)(p - STEP - s.p) + n;
	for (unsigned bit = 1u << kind; p > s.p && pattern_classes[(uint8_t)p[-1]] & bit; p--) {}
	return (size_t)(p - s.p);
}

/* --- on the way --- */

static inline size_t token_here(const struct node *n, struct str s, size_t at)
{
	const struct element *e = n->token;
	if (!e->left_run || (s.p[at] == '[' && e->kind == ELEMENT_ADDR)) return pattern_left_token(e, n->beyond, s, at);
	return run_from(e->kind, s, at);
}

/* The one of these texts that stands at s[at], NULL: none does. */
static inline const struct node *text_of_these(const struct node *n, const struct node *end, struct str s, size_t at)
{
	for (; n < end; n++)
		if (text_is_here(n, s.p + at, s.n - at)) return n;
	return NULL;
}

/* What stands at s[at], behind what led to the node; `text`: of the texts behind it. As deep as a pattern is long. */
static void walk(struct search *x, const struct node *n, const struct node *text, size_t at, uint32_t n_tokens)
{
	struct str s = x->message;
	for (;;) {
		for (const struct node *child = n->tokens; child < n->behind; child++) {
			size_t length = token_here(child, s, at), to = at + length;
			uint32_t with = n_tokens;
			if (!length) continue;
			if (pattern_says(child->token->kind)) x->tokens[with++] = (struct token){child->token->kind, (uint32_t)at, (uint32_t)length};
			if (child->first < child->end) reach(x, child, to, with);
			if (to < s.n) walk(x, child, text_of_these(child->texts, child->tokens, s, to), to, with);
		}
		if (!text) return;
		n = text;
		at += n->text.n;
		if (n->first < n->end) reach(x, n, at, n_tokens);
		if (at == s.n) return;
		text = text_of_these(n->texts, n->tokens, s, at);
	}
}

static void search_start(struct search *x, const struct service *s, struct str message)
{
	x->service = s;
	x->message = message;
	x->end = before(message, message.n);
	x->runs_known = 0;
	x->missing = 0;
	x->n = x->one = 0;
	x->more = message.n > UINT32_MAX;
	if (x->more) return;
	if (s->nodes->first < s->nodes->end) reach(x, s->nodes, 0, 0);
	if (!message.n) return;
	const struct node *first = s->nodes + s->by_byte[(uint8_t)message.p[0]];
	walk(x, s->nodes, first > s->nodes && text_is_here(first, message.p, message.n) ? first : NULL, 0, 0);
}

/* Where the bytes at the message's end that a token of the kind may hold begin, found once. */
static size_t last_run(struct search *x, enum element_kind kind)
{
	if (!(x->runs_known >> kind & 1)) {
		x->runs[kind] = run_before(kind, x->message, x->message.n);
		x->runs_known |= 1u << kind;
	}
	return x->runs[kind];
}

/* False: the message does not end as the pattern does. */
static inline bool may_end_so(struct search *x, const struct place *p)
{
	if (p->last == ELEMENT_TEXT) return (x->end & p->mask) == p->end;
	struct str s = x->message;
	if (!s.n) return false;
	if (p->last == ELEMENT_ADDR && s.p[s.n - 1] == ']') return true;
	if (!pattern_in_class(p->last, s.p[s.n - 1])) return false;
	return (before(s, last_run(x, p->last)) & p->mask) == p->end;
}

static inline bool text_before_is(const struct element *e, struct str s, size_t end)
{
	if (end < 8) return end >= e->text.n && !memcmp(s.p + end - e->text.n, e->text.p, e->text.n);
	if ((load_8(s.p + end - 8) & e->end_mask) != e->end) return false;
	return e->text.n <= 8 || (end >= e->text.n && !memcmp(s.p + end - e->text.n, e->text.p, e->text.n - 8));
}

/* Where the token e that ends at s[end] begins; `end`: there is none. */
static inline size_t token_before(struct search *x, const struct element *e, struct str text_before, size_t end)
{
	struct str s = x->message;
	if (!e->right_run || (e->kind == ELEMENT_ADDR && end && s.p[end - 1] == ']')) return end - pattern_right_token(e, text_before, s, end);
	return end == s.n ? last_run(x, e->kind) : run_before(e->kind, s, end);
}

/* The elements behind the last wild one, from the message's end on; where they begin, or SIZE_MAX. */
static size_t match_end(struct search *x, const struct pattern *p, struct pattern_match *m)
{
	struct str s = x->message;
	size_t end = s.n;
	for (uint32_t i = p->n; i-- > p->last_wild + 1;) {
		const struct element *e = &p->elements[i];
		if (e->kind == ELEMENT_TEXT) {
			if (!text_before_is(e, s, end)) return SIZE_MAX;
			end -= e->text.n;
			continue;
		}
		size_t begin = token_before(x, e, pattern_text_before(p, i), end);
		if (begin == end || (pattern_says(e->kind) && !pattern_keep(e->kind, (struct str){s.p + begin, end - begin}, m))) return SIZE_MAX;
		end = begin;
	}
	return end;
}

/* The pattern behind its beginning. */
static bool match_behind(struct search *x, const struct pattern *p, const struct reached *begin, struct pattern_match *ret)
{
	*ret = (struct pattern_match){.kind = p->kind, .service = p->service};
	for (const struct token *t = begin->tokens; t < begin->tokens + begin->n_tokens; t++)
		if (!pattern_keep(t->kind, (struct str){x->message.p + t->at, t->n}, ret)) return false;
	if (p->first_wild == p->n) return begin->at == x->message.n;
	size_t to = match_end(x, p, ret);
	if (to == SIZE_MAX || to < begin->at) return false;
	if (p->first_wild != p->last_wild) return pattern_between(p, x->message, begin->at, to, ret);
	if (p->elements[p->first_wild].kind == ELEMENT_USER) ret->user = (struct str){x->message.p + begin->at, to - begin->at};
	return true;
}

static const struct pattern *search_one_by_one(struct search *x, struct pattern_match *ret)
{
	while (x->one < x->service->patterns.n) {
		const struct pattern *p = &x->service->patterns.v[x->one++];
		if (pattern_match(p, x->message, ret)) return p;
	}
	return NULL;
}

/* Whether the message has the byte; 0 is in every one. One that is missing is remembered: patterns beside each other mostly want the same. */
static bool has_byte(struct search *x, char c)
{
	if (!c) return true;
	if (c != x->missing && str_find_byte(x->message, c, 0) != SIZE_MAX) return true;
	x->missing = c;
	return false;
}

/* The next pattern that the message is; NULL: no more. */
static const struct pattern *search_next(struct search *x, struct pattern_match *ret)
{
	const struct place *places = x->service->places;
	if (x->more) return search_one_by_one(x, ret);
	for (;;) {
		struct reached *best = NULL;
		for (struct reached *r = x->reached; r < x->reached + x->n; r++) {
			while (r->next < r->end && !may_end_so(x, &places[r->next])) r->next++;
			if (r->next < r->end && (!best || places[r->next].pattern < places[best->next].pattern)) best = r;
		}
		if (!best) return NULL;
		const struct place *place = &places[best->next++];
		const struct pattern *p = &x->service->patterns.v[place->pattern];
		if (has_byte(x, place->holds) && match_behind(x, p, best, ret)) return p;
	}
}

/* --- what it says -------------------------------------------------------------------------------------------------- */

/* Whether a part of the message may look like an address: it has a digit, and a dot or a colon. */
static bool may_be_address(struct str message, struct str s)
{
	unsigned digits = 0, marks = 0;
	if (!s.n) return false;
	const char *p = s.p, *end = p + s.n;
	for (; p < end && message.p + message.n - p >= STEP; p += STEP) address_marks(p, (size_t)(end - p), &digits, &marks);
	for (; p < end; p++) {
		digits |= *p >= '0' && *p <= '9';
		marks |= *p == '.' || *p == ':';
	}
	return digits && marks;
}

/* Whether a client's words in it may look like an address. */
static bool doubtful(const struct pattern *p, struct str message, const struct pattern_match *m)
{
	return (p->first_wild < p->n && p->first_wild != p->last_wild) || may_be_address(message, m->user);
}

/* Another of the patterns that are left reads the message with another address. */
static bool read_otherwise(struct search *x, struct str addr)
{
	struct pattern_match other;
	char a[ADDRESS_MAX], b[ADDRESS_MAX];
	size_t n = address_canonical(addr, a), m;
	while (n && search_next(x, &other)) {
		if (!other.addr.p || !(m = address_canonical(other.addr, b))) continue;
		if (n != m || memcmp(a, b, n)) return true;
	}
	return false;
}

bool service_match(const struct service *s, struct str message, struct pattern_match *ret)
{
	struct search x;
	search_start(&x, s, message);
	const struct pattern *p = search_next(&x, ret);
	if (p && ret->addr.p && doubtful(p, message, ret) && read_otherwise(&x, ret->addr)) {
		ret->addr = ret->user = (struct str){NULL, 0};
		ret->contested = true;
	}
	return p;
}
