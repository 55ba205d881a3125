/* pattern.c: see pattern_internal.h. */
#include "auth/address.h"
#include "auth/pattern_internal.h"

enum { ELEMENTS = 32, TOKENS = 4, WORD_STEP = 4, LINE = 1000, OCCURRENCES = 64, PATTERNS = 2000 };

/* --- the language --- */

static const struct { const char *word; enum element_kind kind; } elements[] = {
	{"<addr>", ELEMENT_ADDR}, {"<int>", ELEMENT_INT}, {"<attempts>", ELEMENT_ATTEMPTS}, {"<word>", ELEMENT_WORD}, {"<name>", ELEMENT_NAME}, {"<conn>", ELEMENT_CONN}, {"<user>", ELEMENT_USER}, {"<any>", ELEMENT_ANY},
};
static const struct { const char *word; enum pattern_kind kind; } kinds[] = {
	{"failure", PATTERN_FAILURE}, {"success", PATTERN_SUCCESS}, {"probe", PATTERN_PROBE}, {"announce", PATTERN_ANNOUNCE}, {"restate", PATTERN_RESTATE}, {"close", PATTERN_CLOSE}, {"peer", PATTERN_PEER},
};

/* Which bytes a token may hold, a bit for each kind of element. */
enum { IN_WORD = 1 << ELEMENT_WORD | 1 << ELEMENT_NAME, IN_ADDR = IN_WORD | 1 << ELEMENT_ADDR, IN_CONN = IN_ADDR | 1 << ELEMENT_CONN,
	IN_INT = IN_CONN | 1 << ELEMENT_INT | 1 << ELEMENT_ATTEMPTS };
static const uint16_t classes[256] = {
	[0 ... ' '] = 1 << ELEMENT_NAME, ['!' ... '$'] = IN_WORD, ['%'] = IN_ADDR, ['&' ... ','] = IN_WORD, ['-' ... '.'] = IN_ADDR, ['/'] = IN_WORD, ['0' ... '9'] = IN_INT,
	[':'] = IN_ADDR, [';' ... '@'] = IN_WORD, ['A' ... 'Z'] = IN_CONN, ['[' ... '^'] = IN_WORD, ['_'] = IN_ADDR, ['`'] = IN_WORD, ['a' ... 'z'] = IN_CONN,
	['{'] = IN_WORD, ['|'] = 1 << ELEMENT_WORD, ['}' ... 255] = IN_WORD};

static bool in_class(enum element_kind kind, char c) { return classes[(uint8_t)c] >> kind & 1; }

/* A token that is kept. */
static bool says(enum element_kind kind) { return kind == ELEMENT_ADDR || kind == ELEMENT_CONN || kind == ELEMENT_NAME || kind == ELEMENT_ATTEMPTS; }

static bool is_wild(const struct element *e) { return e->kind == ELEMENT_USER || e->kind == ELEMENT_ANY; }

/* The element at the front of *rest. */
static struct element take_element(struct arena *a, struct str *rest)
{
	size_t n = 0;
	for (size_t i = 0; i < COUNT(elements); i++) {
		struct str word = str_of(elements[i].word);
		if (!str_starts(*rest, word)) continue;
		*rest = str_sub(*rest, word.n, rest->n);
		return (struct element){elements[i].kind, {"", 0}};
	}
	for (bool next = false; n < rest->n && !next; n += !next)
		for (size_t i = 0; i < COUNT(elements); i++) next |= n > 0 && str_starts(str_sub(*rest, n, rest->n), str_of(elements[i].word));
	struct element e = {ELEMENT_TEXT, arena_str(a, str_sub(*rest, 0, n))};
	*rest = str_sub(*rest, n, rest->n);
	return e;
}

/* Which tokens are runs: see struct element. */
static void find_runs(struct element *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		v[i].left_run = i + 1 == n || !v[i + 1].text.n || !in_class(v[i].kind, v[i + 1].text.p[0]);
		v[i].right_run = !i || !v[i - 1].text.n || !in_class(v[i].kind, v[i - 1].text.p[v[i - 1].text.n - 1]);
	}
}

static const char *add_one(struct patterns *p, enum pattern_kind kind, struct str text)
{
	struct element v[ELEMENTS];
	struct pattern x = {.kind = kind};
	uint32_t wild = 0, addresses = 0, tokens = 0;
	while (text.n) {
		if (x.n == ELEMENTS) return "more than 32 elements";
		v[x.n] = take_element(&p->arena, &text);
		addresses += v[x.n].kind == ELEMENT_ADDR;
		tokens += says(v[x.n].kind);
		if (is_wild(&v[x.n])) {
			if (wild && v[x.last_wild + 1].kind != ELEMENT_TEXT) return "text must follow a wild element that is not the last";
			if (!wild++) x.first_wild = x.n;
			if (wild > 1 && x.last_wild + 1 == x.n) return "two wild elements side by side";
			x.last_wild = x.n;
		}
		x.n++;
	}
	if (!x.n) return "an empty pattern";
	if (addresses > 1) return "more than one address";
	if (tokens > TOKENS) return "more than four tokens that say something";
	if (!wild) x.first_wild = x.last_wild = x.n;
	find_runs(v, x.n);
	struct element *kept = arena_calloc(&p->arena, x.n, sizeof *kept);
	if (!kept) return "too many patterns";
	memcpy(kept, v, x.n * sizeof *v);
	x.elements = kept;
	x.service = p->services.v[p->services.n - 1].name;
	vec_push(&p->services.v[p->services.n - 1].patterns, x);
	return NULL;
}

/* A pattern for each way through its {{a|b}}; the first of them counts first. */
static const char *add_pattern(struct patterns *p, enum pattern_kind kind, struct str text)
{
	if (!p->services.n) return "a pattern before the first service";
	if (p->services.v[p->services.n - 1].patterns.n >= PATTERNS) return "too many patterns in a service";
	size_t open = str_find(text, STR("{{"), 0), close = open == SIZE_MAX ? SIZE_MAX : str_find(text, STR("}}"), open);
	if (open == SIZE_MAX) return add_one(p, kind, text);
	if (close == SIZE_MAX) return "{{ without }}";
	struct str ways = str_sub(text, open + 2, close - open - 2), before = str_sub(text, 0, open), behind = str_sub(text, close + 2, text.n);
	const char *wrong = NULL;
	while (ways.p && !wrong) {
		struct str way = str_cut(&ways, '|');
		char *one = arena_alloc(&p->arena, text.n + 1), *end = one;
		if (!one) return "too many patterns";
		const struct str parts[] = {before, way, behind};
		for (size_t i = 0; i < COUNT(parts); i++) {
			if (parts[i].n) memcpy(end, parts[i].p, parts[i].n);
			end += parts[i].n;
		}
		wrong = add_pattern(p, kind, (struct str){one, (size_t)(end - one)});
	}
	return wrong;
}

static const char *add_names(struct patterns *p, struct map *to, struct str rest)
{
	if (!p->services.n) return "no service before";
	while (rest.p) {
		struct str name = str_cut(&rest, ' ');
		bool fresh;
		if (str_eq(name, STR("*"))) {
			p->services.v[p->services.n - 1].any_program = true;
			vec_push(&p->any, (uint32_t)p->services.n - 1);
		} else if (name.n) {
			map_put(to, name, (uint32_t)p->services.n - 1, &fresh);
			if (!fresh) return "another service has this name";
		}
	}
	return NULL;
}

static const char *add_line(void *arg, struct str line)
{
	struct patterns *p = arg;
	struct str rest = line, word = str_cut(&rest, ' ');
	if (!rest.p) rest = (struct str){"", 0};
	if (str_eq(word, STR("service"))) {
		vec_push(&p->services, (struct service){.name = arena_str(&p->arena, rest)});
		return rest.n ? NULL : "a service has a name";
	}
	if (str_eq(word, STR("program"))) return add_names(p, &p->programs, rest);
	if (str_eq(word, STR("format"))) return add_names(p, &p->formats, rest);
	if (str_eq(word, STR("file")) && p->services.n) return p->services.v[p->services.n - 1].file = true, NULL;
	if (str_eq(word, STR("forks")) && p->services.n) return p->services.v[p->services.n - 1].forks = true, NULL;
	if (str_eq(word, STR("word")) && p->services.n) {
		vec_push(&p->services.v[p->services.n - 1].words.v, arena_str(&p->arena, rest));
		return rest.n > 1 ? NULL : "a word has two letters at least";
	}
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (str_eq(word, str_of(kinds[i].word))) return add_pattern(p, kinds[i].kind, rest);
	return "no word of the language";
}

bool data_lines(struct str file, struct str name, const char *(*add)(void *arg, struct str line), void *arg, struct fault *f)
{
	uint32_t number = 0;
	while (file.p) {
		struct str line = str_cut(&file, '\n');
		number++;
		if (!str_trim(line).n || line.p[0] == '#') continue;
		const char *wrong = add(arg, line);
		if (!wrong) continue;
		fault_set(f, FAULT_SYNTAX, "%s: '%.*s'", wrong, STR_FMT(line));
		fault_path(f, name);
		if (f) f->line = number;
		return false;
	}
	return true;
}

bool patterns_add(struct patterns *p, struct str file, struct str name, struct fault *f) { return data_lines(file, name, add_line, p, f); }

enum { PAIRS = 65536 / 64 };

static unsigned pair_at(const char *p) { return (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1]; }

/* Every step-th pair of bytes of a text is looked at: a word that is there has one of its first `step` pairs at such a place. */
static bool index_words(struct arena *a, struct words *w)
{
	if (w->v.n && !(w->pairs = arena_calloc(a, PAIRS, sizeof *w->pairs))) return false;
	w->step = WORD_STEP;
	for (size_t i = 0; i < w->v.n; i++) w->step = w->v.v[i].n - 1 < w->step ? w->v.v[i].n - 1 : w->step;
	for (size_t i = 0; i < w->v.n; i++)
		for (size_t k = 0; k < w->step; k++) w->pairs[pair_at(w->v.v[i].p + k) / 64] |= (uint64_t)1 << pair_at(w->v.v[i].p + k) % 64;
	return true;
}

/* Whether a word is in the text that has one of its first pairs at s[at]. */
static bool word_around(const struct words *w, struct str s, size_t at)
{
	for (size_t k = 0; k < w->step && k <= at; k++)
		for (size_t i = 0; i < w->v.n; i++)
			if (s.p[at - k] == w->v.v[i].p[0] && str_starts(str_sub(s, at - k, s.n), w->v.v[i])) return true;
	return false;
}

bool words_in(const struct words *w, struct str text)
{
	if (!w->v.n) return false;
	for (size_t at = 0; at + 1 < text.n; at += w->step) {
		unsigned pair = pair_at(text.p + at);
		if (w->pairs[pair / 64] >> pair % 64 & 1 && word_around(w, text, at)) return true;
	}
	return false;
}

/* Up to eight bytes at the front, the first lowest. */
static uint64_t front(struct str s)
{
	uint64_t v = 0;
	if (s.n) memcpy(&v, s.p, s.n < 8 ? s.n : 8);
	return v;
}

/* Up to eight bytes at the end, the last highest. */
static uint64_t back(struct str s)
{
	uint64_t v = 0;
	size_t n = s.n < 8 ? s.n : 8;
	if (n) memcpy((char *)&v + 8 - n, s.p + s.n - n, n);
	return v;
}

static struct str text_before(const struct pattern *p, uint32_t i) { return i ? p->elements[i - 1].text : (struct str){"", 0}; }
static struct str text_behind(const struct pattern *p, uint32_t i) { return i + 1 < p->n ? p->elements[i + 1].text : (struct str){"", 0}; }

static bool same_step(const struct node *n, const struct element *e, struct str beyond)
{
	if (n->e.kind != e->kind) return false;
	return e->kind == ELEMENT_TEXT ? str_eq(n->e.text, e->text) : e->left_run ? n->e.left_run : !n->e.left_run && str_eq(n->beyond, beyond);
}

/* The node for an element beside the first one, which is made when there is none. */
static uint32_t node_for(struct service *s, uint32_t first, const struct element *e, struct str beyond)
{
	for (uint32_t at = first; at; at = s->nodes.v[at].next)
		if (same_step(&s->nodes.v[at], e, beyond)) return at;
	struct node n = {.e = *e, .beyond = beyond, .next = first};
	if (e->kind == ELEMENT_TEXT) {
		n.bytes = front(e->text);
		n.mask = e->text.n >= 8 ? UINT64_MAX : ((uint64_t)1 << 8 * e->text.n) - 1;
	}
	vec_push(&s->nodes, n);
	return (uint32_t)s->nodes.n - 1;
}

/* The node of all that a pattern begins with. */
static uint32_t add_to_tree(struct service *s, const struct pattern *p)
{
	uint32_t at = 0;
	for (uint32_t i = 0; i < p->first_wild; i++) {
		const struct element *e = &p->elements[i];
		uint32_t *first = e->kind == ELEMENT_TEXT ? &s->by_byte[(uint8_t)e->text.p[0]] : &s->tokens, made = (uint32_t)s->nodes.n;
		uint32_t next = node_for(s, i ? s->nodes.v[at].child : *first, e, text_behind(p, i));
		if (next == made) *(i ? &s->nodes.v[at].child : first) = next;
		at = next;
	}
	return at;
}

/* A byte of the text that few messages have: the first that is no letter, digit or blank. */
static char rare_byte(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != ' ' && !in_class(ELEMENT_CONN, text.p[i])) return text.p[i];
	return text.p[0];
}

static struct place place_of(const struct pattern *p)
{
	const struct element *last = &p->elements[p->n - 1];
	struct place ret = {.next = 0};
	if (last->kind == ELEMENT_TEXT) {
		ret.end = back(last->text);
		ret.mask = last->text.n >= 8 ? UINT64_MAX : ~(UINT64_MAX >> 8 * last->text.n);
	}
	if (p->first_wild != p->last_wild) ret.holds = rare_byte(p->elements[p->first_wild + 1].text);
	return ret;
}

/* The tree of the patterns, and the words. */
static bool index_service(struct arena *a, struct service *s)
{
	if (!index_words(a, &s->words) || !(s->places = arena_calloc(a, s->patterns.n + 1, sizeof *s->places))) return false;
	vec_push(&s->nodes, (struct node){.child = 0});
	for (uint32_t i = 0; i < s->patterns.n; i++) {
		uint32_t at = add_to_tree(s, &s->patterns.v[i]);
		struct node *n = &s->nodes.v[at];
		if (n->last) s->places[n->last - 1].next = i + 1;
		else n->first = i + 1;
		n->last = i + 1;
		s->places[i] = place_of(&s->patterns.v[i]);
	}
	return true;
}

bool patterns_end(struct patterns *p, struct fault *f)
{
	p->files.name = STR("files");
	for (size_t i = 0; i < p->services.n; i++) {
		struct service *s = &p->services.v[i];
		for (size_t k = 0; s->file && k < s->patterns.n; k++) vec_push(&p->files.patterns, s->patterns.v[k]);
		for (size_t k = 0; s->file && k < s->words.v.n; k++) vec_push(&p->files.words.v, s->words.v.v[k]);
		for (size_t k = 0; s->any_program && k < s->words.v.n; k++) vec_push(&p->any_words.v, s->words.v.v[k]);
	}
	bool ok = index_service(&p->arena, &p->files) && index_words(&p->arena, &p->any_words);
	for (size_t i = 0; ok && i < p->services.n; i++) ok = index_service(&p->arena, &p->services.v[i]);
	if (!ok) fault_set(f, FAULT_LIMIT, "too many service patterns");
	return ok;
}

void patterns_done(struct patterns *p)
{
	for (size_t i = 0; i < p->services.n; i++) {
		vec_free(&p->services.v[i].patterns);
		vec_free(&p->services.v[i].words.v);
		vec_free(&p->services.v[i].nodes);
	}
	vec_free(&p->files.patterns);
	vec_free(&p->files.words.v);
	vec_free(&p->files.nodes);
	vec_free(&p->any_words.v);
	vec_free(&p->services);
	vec_free(&p->any);
	map_done(&p->programs);
	map_done(&p->formats);
	arena_done(&p->arena);
}

/* --- a message --- */

static bool keep(enum element_kind kind, struct str token, struct pattern_match *m)
{
	if (kind == ELEMENT_ADDR) m->addr = token;
	if (kind == ELEMENT_CONN) m->conn = token;
	if (kind == ELEMENT_NAME) m->user = token;
	return kind != ELEMENT_ATTEMPTS || (str_u64(token, &m->attempts) && m->attempts <= 100000);
}

/* How long the token e at s[at] is, 0: there is none. `behind`: the text that must follow it, so that a class does not swallow it: "1.2.3.4:" is an
 * address and a colon. */
static size_t left_token(const struct element *e, struct str behind, struct str s, size_t at)
{
	if (e->kind == ELEMENT_ADDR && at < s.n && s.p[at] == '[') {
		size_t end = str_find_byte(s, ']', at);
		return end == SIZE_MAX ? 0 : end + 1 - at;
	}
	const char *p = s.p + at, *to = s.p + s.n;
	for (unsigned bit = 1u << e->kind; p < to && classes[(uint8_t)*p] & bit; p++) {}
	size_t n = (size_t)(p - s.p) - at;
	if (e->left_run) return n;
	if (e->kind == ELEMENT_WORD) {
		/* The shortest: what follows may be the client's, and hold the text again. */
		size_t end = str_find(str_sub(s, 0, at + n + behind.n), behind, at + 1);
		return end == SIZE_MAX ? 0 : end - at;
	}
	while (n && !str_starts(str_sub(s, at + n, s.n), behind)) n--;
	return n;
}

/* The same for a token that ends at s[end]. */
static size_t right_token(const struct element *e, struct str before, struct str s, size_t end)
{
	size_t n = 0;
	if (e->kind == ELEMENT_ADDR && end && s.p[end - 1] == ']') {
		while (n < end && s.p[end - 1 - n] != '[') n++;
		return n == end ? 0 : n + 1;
	}
	const char *p = s.p + end;
	for (unsigned bit = 1u << e->kind; p > s.p && classes[(uint8_t)p[-1]] & bit; p--) {}
	n = end - (size_t)(p - s.p);
	if (e->right_run) return n;
	for (size_t k = 1; e->kind == ELEMENT_WORD && k <= n; k++)
		if (str_ends(str_sub(s, 0, end - k), before)) return k;
	if (e->kind == ELEMENT_WORD) return 0;
	while (n && !str_ends(str_sub(s, 0, end - n), before)) n--;
	return n;
}

/* Elements [from, to) at s[at]; the place behind them, or SIZE_MAX. */
static size_t match_left(const struct pattern *p, uint32_t from, uint32_t to, struct str s, size_t at, struct pattern_match *m)
{
	for (uint32_t i = from; i < to; i++) {
		const struct element *e = &p->elements[i];
		size_t n = e->text.n;
		if (e->kind == ELEMENT_TEXT) {
			if (!str_starts(str_sub(s, at, s.n), e->text)) return SIZE_MAX;
		} else {
			n = left_token(e, text_behind(p, i), s, at);
			if (!n || !keep(e->kind, str_sub(s, at, n), m)) return SIZE_MAX;
		}
		at += n;
	}
	return at;
}

/* Elements [from, to) that end at s[end]; where they begin, or SIZE_MAX. */
static size_t match_right(const struct pattern *p, uint32_t from, uint32_t to, struct str s, size_t end, struct pattern_match *m)
{
	for (uint32_t i = to; i-- > from;) {
		const struct element *e = &p->elements[i];
		size_t n = e->text.n;
		if (e->kind == ELEMENT_TEXT) {
			if (!str_ends(str_sub(s, 0, end), e->text)) return SIZE_MAX;
		} else {
			n = right_token(e, text_before(p, i), s, end);
			if (!n || !keep(e->kind, str_sub(s, end - n, n), m)) return SIZE_MAX;
		}
		end -= n;
	}
	return end;
}

static void keep_user(const struct pattern *p, uint32_t element, struct str s, size_t from, size_t to, struct pattern_match *m)
{
	if (p->elements[element].kind == ELEMENT_USER) m->user = str_sub(s, from, to - from);
}

static uint32_t next_wild(const struct pattern *p, uint32_t from)
{
	while (from < p->n && !is_wild(&p->elements[from])) from++;
	return from;
}

/* The block of elements [first, last) at its first place in s from `at` on; where it begins and ends. */
static bool find_block(const struct pattern *p, uint32_t first, uint32_t last, struct str s, size_t at, size_t ret[2], struct pattern_match *m)
{
	uint32_t tried = 0;
	for (at = str_find(s, p->elements[first].text, at); at != SIZE_MAX && tried++ < OCCURRENCES; at = str_find(s, p->elements[first].text, at + 1)) {
		struct pattern_match one = *m;
		size_t end = match_left(p, first, last, s, at, &one);
		if (end == SIZE_MAX) continue;
		*m = one;
		ret[0] = at;
		ret[1] = end;
		return true;
	}
	return false;
}

/* Whether the block with the address stands somewhere else too, with another one. */
static bool contradicted(const struct pattern *p, uint32_t first, uint32_t last, struct str s, size_t at, struct str addr)
{
	size_t place[2];
	for (uint32_t i = 0; i < OCCURRENCES; i++) {
		struct pattern_match one = {.addr = {NULL, 0}};
		if (!find_block(p, first, last, s, at, place, &one)) return false;
		if (!str_eq(one.addr, addr)) return true;
		at = place[0] + 1;
	}
	return true;
}

/* What stands between the wild elements, each at its first place; what the wild ones hold is between. */
static bool match_between(const struct pattern *p, struct str s, size_t from, size_t to, struct pattern_match *m)
{
	struct str within = str_sub(s, 0, to);
	bool differ = false;
	uint32_t wild = p->first_wild;
	for (; wild != p->last_wild;) {
		uint32_t first = wild + 1, next = next_wild(p, first);
		struct str before = m->addr;
		size_t place[2];
		m->addr = (struct str){NULL, 0};
		if (!find_block(p, first, next, within, from, place, m)) return false;
		keep_user(p, wild, s, from, place[0], m);
		if (m->addr.p) differ = contradicted(p, first, next, within, place[0] + 1, m->addr);
		else m->addr = before;
		from = place[1];
		wild = next;
	}
	keep_user(p, wild, s, from, to, m);
	if (differ) {
		m->addr = m->user = (struct str){NULL, 0};
		m->contested = true;
	}
	return true;
}

/* What stands behind the beginning, which goes to s[from]. */
static bool match_rest(const struct pattern *p, struct str s, size_t from, struct pattern_match *m)
{
	if (p->first_wild == p->n) return from == s.n;
	size_t to = match_right(p, p->last_wild + 1, p->n, s, s.n, m);
	if (to == SIZE_MAX || to < from) return false;
	return match_between(p, s, from, to, m);
}

bool pattern_match(const struct pattern *p, struct str s, struct pattern_match *m)
{
	*m = (struct pattern_match){.kind = p->kind, .service = p->service};
	size_t from = match_left(p, 0, p->first_wild, s, 0, m);
	return from != SIZE_MAX && match_rest(p, s, from, m);
}

/* Whether a client's words in it may look like an address. */
static bool doubtful(const struct pattern *p, const struct pattern_match *m)
{
	bool digit = false, mark = false;
	if (p->first_wild < p->n && p->first_wild != p->last_wild) return true;
	for (size_t i = 0; i < m->user.n; i++) {
		digit |= m->user.p[i] >= '0' && m->user.p[i] <= '9';
		mark |= m->user.p[i] == '.' || m->user.p[i] == ':';
	}
	return digit && mark;
}

/* --- all patterns of a service --- */

/* The nodes that a message comes to, of those that are all some pattern begins with. */
enum { REACHED = 32 };
struct token { enum element_kind kind; struct str text; };
struct reached {
	uint32_t next;               /* of the patterns that begin so, from 1; 0: none is left */
	uint32_t n_tokens;           /* on the way, those that say something */
	size_t at;                   /* how far it goes */
	struct token tokens[TOKENS];
};

/* A message on its way through the patterns of a service that it may be, in their order. */
struct search {
	const struct service *service;
	struct str message;
	uint64_t end;                /* its last eight bytes */
	char missing;                /* a byte that is not in it; 0: none is known */
	struct token tokens[TOKENS]; /* on the way through the tree */
	uint32_t n;
	bool more;                   /* nodes than there is room for: then all patterns are looked at, one by one */
	uint32_t one;                /* the next of these */
	struct reached reached[REACHED];
};

static bool text_here(const struct node *n, struct str s, size_t at)
{
	uint64_t v;
	if (s.n - at < sizeof v) return str_starts(str_sub(s, at, s.n), n->e.text);
	memcpy(&v, s.p + at, sizeof v);
	return (v & n->mask) == n->bytes && (n->e.text.n <= sizeof v || str_starts(str_sub(s, at, s.n), n->e.text));
}

static void reach(struct search *x, uint32_t first, size_t at, uint32_t n_tokens)
{
	if (x->n == REACHED) {
		x->more = true;
		return;
	}
	struct reached *r = &x->reached[x->n++];
	r->next = first;
	r->at = at;
	r->n_tokens = n_tokens;
	for (uint32_t i = 0; i < n_tokens; i++) r->tokens[i] = x->tokens[i];
}

/* The nodes from i on beside each other that stand at [at] of the message, and what is behind them. As deep as a pattern is long. */
static void walk(struct search *x, uint32_t i, size_t at, uint32_t n_tokens)
{
	while (i) {
		const struct node *n = &x->service->nodes.v[i];
		bool is_text = n->e.kind == ELEMENT_TEXT;
		size_t length = !is_text ? left_token(&n->e, n->beyond, x->message, at) : text_here(n, x->message, at) ? n->e.text.n : 0;
		uint32_t with = n_tokens;
		i = n->next;
		if (!length) continue;
		if (says(n->e.kind)) x->tokens[with++] = (struct token){n->e.kind, str_sub(x->message, at, length)};
		if (n->first) reach(x, n->first, at + length, with);
		if (i && n->child) walk(x, n->child, at + length, with);
		else if (n->child) i = n->child, at += length, n_tokens = with;
	}
}

static void search_start(struct search *x, const struct service *s, struct str message)
{
	x->service = s;
	x->message = message;
	x->end = back(message);
	x->missing = 0;
	x->n = x->one = 0;
	x->more = false;
	if (s->nodes.v[0].first) reach(x, s->nodes.v[0].first, 0, 0);
	if (!message.n) return;
	walk(x, s->by_byte[(uint8_t)message.p[0]], 0, 0);
	walk(x, s->tokens, 0, 0);
}

/* The pattern behind its beginning. */
static bool match_behind(const struct search *x, const struct pattern *p, const struct reached *begin, struct pattern_match *ret)
{
	*ret = (struct pattern_match){.kind = p->kind, .service = p->service};
	for (uint32_t i = 0; i < begin->n_tokens; i++)
		if (!keep(begin->tokens[i].kind, begin->tokens[i].text, ret)) return false;
	return match_rest(p, x->message, begin->at, ret);
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
			while (r->next && (x->end & places[r->next - 1].mask) != places[r->next - 1].end) r->next = places[r->next - 1].next;
			if (r->next && (!best || r->next < best->next)) best = r;
		}
		if (!best) return NULL;
		const struct pattern *p = &x->service->patterns.v[best->next - 1];
		const struct place *place = &places[best->next - 1];
		best->next = place->next;
		if (has_byte(x, place->holds) && match_behind(x, p, best, ret)) return p;
	}
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
	if (p && ret->addr.p && doubtful(p, ret) && read_otherwise(&x, ret->addr)) {
		ret->addr = ret->user = (struct str){NULL, 0};
		ret->contested = true;
	}
	return p;
}
