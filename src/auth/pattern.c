/* pattern.c: see pattern_internal.h. */
#include "auth/address.h"
#include "auth/pattern_internal.h"

enum { ELEMENTS = 32, LINE = 1000, OCCURRENCES = 64, PATTERNS = 2000 };

/* --- the language --- */

static const struct { const char *word; enum element_kind kind; } elements[] = {
	{"<addr>", ELEMENT_ADDR}, {"<int>", ELEMENT_INT}, {"<attempts>", ELEMENT_ATTEMPTS}, {"<word>", ELEMENT_WORD}, {"<name>", ELEMENT_NAME}, {"<conn>", ELEMENT_CONN}, {"<user>", ELEMENT_USER}, {"<any>", ELEMENT_ANY},
};
static const struct { const char *word; enum pattern_kind kind; } kinds[] = {
	{"failure", PATTERN_FAILURE}, {"success", PATTERN_SUCCESS}, {"probe", PATTERN_PROBE}, {"announce", PATTERN_ANNOUNCE}, {"restate", PATTERN_RESTATE}, {"close", PATTERN_CLOSE}, {"peer", PATTERN_PEER},
};

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

static const char *add_one(struct patterns *p, enum pattern_kind kind, struct str text)
{
	struct element v[ELEMENTS];
	struct pattern x = {.kind = kind};
	uint32_t wild = 0, addresses = 0;
	while (text.n) {
		if (x.n == ELEMENTS) return "more than 32 elements";
		v[x.n] = take_element(&p->arena, &text);
		addresses += v[x.n].kind == ELEMENT_ADDR;
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
	if (!wild) x.first_wild = x.last_wild = x.n;
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

static bool index_words(struct arena *a, struct words *w)
{
	if (w->v.n && !(w->pairs = arena_calloc(a, PAIRS, sizeof *w->pairs))) return false;
	for (size_t i = 0; i < w->v.n; i++) w->pairs[pair_at(w->v.v[i].p) / 64] |= (uint64_t)1 << pair_at(w->v.v[i].p) % 64;
	return true;
}

bool words_in(const struct words *w, struct str text)
{
	if (!w->v.n) return false;
	for (size_t at = 0; at + 1 < text.n; at++) {
		unsigned pair = pair_at(text.p + at);
		if (!(w->pairs[pair / 64] >> pair % 64 & 1)) continue;
		struct str rest = str_sub(text, at, text.n);
		for (size_t i = 0; i < w->v.n; i++)
			if (str_starts(rest, w->v.v[i])) return true;
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

static struct pattern_front front_of(const struct pattern *p, uint32_t number)
{
	const struct element *e = p->elements, *last = &e[p->n - 1];
	struct pattern_front f = {.pattern = number};
	if (e->kind == ELEMENT_TEXT) {
		f.bytes = front(e->text);
		f.mask = e->text.n >= 8 ? UINT64_MAX : ((uint64_t)1 << 8 * e->text.n) - 1;
		f.lead = e->text;
	}
	if (last->kind == ELEMENT_TEXT) {
		f.end = back(last->text);
		f.end_mask = last->text.n >= 8 ? UINT64_MAX : ~(UINT64_MAX >> 8 * last->text.n);
	}
	return f;
}

/* The patterns that a message with this first byte may be, in their order; and the words. */
static bool index_service(struct arena *a, struct service *s)
{
	if (!index_words(a, &s->words)) return false;
	for (unsigned byte = 0; byte < 256; byte++) {
		struct pattern_list *l = &s->by_byte[byte];
		for (int fill = 0; fill < 2; fill++) {
			l->n = 0;
			for (uint32_t i = 0; i < s->patterns.n; i++) {
				const struct element *e = s->patterns.v[i].elements;
				if (e->kind == ELEMENT_TEXT && (uint8_t)e->text.p[0] != byte) continue;
				if (fill) l->v[l->n] = front_of(&s->patterns.v[i], i);
				l->n++;
			}
			if (!fill && l->n && !(l->v = arena_calloc(a, l->n, sizeof *l->v))) return false;
		}
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
	}
	vec_free(&p->files.patterns);
	vec_free(&p->files.words.v);
	vec_free(&p->any_words.v);
	vec_free(&p->services);
	vec_free(&p->any);
	map_done(&p->programs);
	map_done(&p->formats);
	arena_done(&p->arena);
}

/* --- a message --- */

static bool address_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == ':' || c == '%' || c == '_' || c == '-';
}

static bool in_class(enum element_kind kind, char c)
{
	if (kind == ELEMENT_ADDR) return address_byte(c);
	if (kind == ELEMENT_WORD) return (unsigned char)c > ' ';
	if (kind == ELEMENT_NAME) return c != '|';
	return (c >= '0' && c <= '9') || (kind == ELEMENT_CONN && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')));
}

static bool keep(const struct element *e, struct str token, struct pattern_match *m)
{
	if (e->kind == ELEMENT_ADDR) m->addr = token;
	if (e->kind == ELEMENT_CONN) m->conn = token;
	if (e->kind == ELEMENT_NAME) m->user = token;
	return e->kind != ELEMENT_ATTEMPTS || (str_u64(token, &m->attempts) && m->attempts <= 100000);
}

/* The text that must follow element i, so that a class does not swallow it: "1.2.3.4:" is an address and a colon. */
static size_t left_token(const struct pattern *p, uint32_t i, struct str s, size_t at)
{
	const struct element *e = &p->elements[i];
	size_t n = 0;
	if (e->kind == ELEMENT_ADDR && at < s.n && s.p[at] == '[') {
		size_t end = str_find_byte(s, ']', at);
		return end == SIZE_MAX ? 0 : end + 1 - at;
	}
	while (at + n < s.n && in_class(e->kind, s.p[at + n])) n++;
	if (i + 1 == p->n || p->elements[i + 1].kind != ELEMENT_TEXT) return n;
	struct str next = p->elements[i + 1].text;
	if (e->kind == ELEMENT_WORD) {
		/* The shortest: what follows may be the client's, and hold the text again. */
		size_t end = str_find(str_sub(s, 0, at + n + next.n), next, at + 1);
		return end == SIZE_MAX ? 0 : end - at;
	}
	while (n && !str_starts(str_sub(s, at + n, s.n), next)) n--;
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
			n = left_token(p, i, s, at);
			if (!n || !keep(e, str_sub(s, at, n), m)) return SIZE_MAX;
		}
		at += n;
	}
	return at;
}

static size_t right_token(const struct pattern *p, uint32_t i, struct str s, size_t end)
{
	const struct element *e = &p->elements[i];
	size_t n = 0;
	if (e->kind == ELEMENT_ADDR && end && s.p[end - 1] == ']') {
		while (n < end && s.p[end - 1 - n] != '[') n++;
		return n == end ? 0 : n + 1;
	}
	while (n < end && in_class(e->kind, s.p[end - 1 - n])) n++;
	if (!i || p->elements[i - 1].kind != ELEMENT_TEXT) return n;
	struct str before = p->elements[i - 1].text;
	for (size_t k = 1; e->kind == ELEMENT_WORD && k <= n; k++)
		if (str_ends(str_sub(s, 0, end - k), before)) return k;
	if (e->kind == ELEMENT_WORD) return 0;
	while (n && !str_ends(str_sub(s, 0, end - n), before)) n--;
	return n;
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
			n = right_token(p, i, s, end);
			if (!n || !keep(e, str_sub(s, end - n, n), m)) return SIZE_MAX;
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

bool pattern_match(const struct pattern *p, struct str s, struct pattern_match *m)
{
	*m = (struct pattern_match){.kind = p->kind, .service = p->service};
	size_t from = match_left(p, 0, p->first_wild, s, 0, m);
	if (from == SIZE_MAX) return false;
	if (p->first_wild == p->n) return from == s.n;
	size_t to = match_right(p, p->last_wild + 1, p->n, s, s.n, m);
	if (to == SIZE_MAX || to < from) return false;
	return match_between(p, s, from, to, m);
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

/* Another pattern of the list from the i-th on reads the message with another address. */
static bool read_otherwise(const struct service *s, const struct pattern_list *l, uint32_t i, struct str message, struct str addr)
{
	struct pattern_match other;
	char a[ADDRESS_MAX], b[ADDRESS_MAX];
	size_t n = address_canonical(addr, a), m;
	uint64_t begin = front(message), end = back(message);
	for (; n && i < l->n; i++) {
		if ((begin & l->v[i].mask) != l->v[i].bytes || (end & l->v[i].end_mask) != l->v[i].end) continue;
		if (!pattern_match(&s->patterns.v[l->v[i].pattern], message, &other) || !other.addr.p || !(m = address_canonical(other.addr, b))) continue;
		if (n != m || memcmp(a, b, n)) return true;
	}
	return false;
}

bool service_match(const struct service *s, struct str message, struct pattern_match *ret)
{
	const struct pattern_list *l = &s->by_byte[message.n ? (uint8_t)message.p[0] : 0];
	uint64_t begin = front(message), end = back(message);
	for (uint32_t i = 0; i < l->n; i++) {
		const struct pattern_front *f = &l->v[i];
		const struct pattern *p = &s->patterns.v[f->pattern];
		if ((begin & f->mask) != f->bytes || (end & f->end_mask) != f->end || !str_starts(message, f->lead) || !pattern_match(p, message, ret)) continue;
		if (ret->addr.p && doubtful(p, ret) && read_otherwise(s, l, i + 1, message, ret->addr)) {
			ret->addr = ret->user = (struct str){NULL, 0};
			ret->contested = true;
		}
		return true;
	}
	return false;
}
