/* pattern.c: the language of the service files, and the words that lines which look like logins have. See pattern_internal.h. */
#include "auth/pattern_part_internal.h"

enum { MOST_ELEMENTS = 32, WORD_STEP = 4, PATTERNS = 2000 };

/* --- the language --- */

static const struct { const char *word; enum element_kind kind; } elements[] = {
	{"<addr>", ELEMENT_ADDR}, {"<int>", ELEMENT_INT}, {"<attempts>", ELEMENT_ATTEMPTS}, {"<word>", ELEMENT_WORD}, {"<name>", ELEMENT_NAME}, {"<conn>", ELEMENT_CONN}, {"<user>", ELEMENT_USER}, {"<any>", ELEMENT_ANY},
};
static const struct { const char *word; enum pattern_kind kind; } kinds[] = {
	{"failure", PATTERN_FAILURE}, {"success", PATTERN_SUCCESS}, {"probe", PATTERN_PROBE}, {"announce", PATTERN_ANNOUNCE}, {"restate", PATTERN_RESTATE}, {"close", PATTERN_CLOSE}, {"peer", PATTERN_PEER},
};

/* The element at the front of *rest. */
static struct element take_element(struct arena *a, struct str *rest)
{
	size_t n = 0;
	for (size_t i = 0; i < COUNT(elements); i++) {
		struct str word = str_of(elements[i].word);
		if (!str_starts(*rest, word)) continue;
		*rest = str_sub(*rest, word.n, rest->n);
		return (struct element){.kind = elements[i].kind, .text = {"", 0}};
	}
	for (bool next = false; n < rest->n && !next; n += !next)
		for (size_t i = 0; i < COUNT(elements); i++) next |= n > 0 && str_starts(str_sub(*rest, n, rest->n), str_of(elements[i].word));
	struct element e = {ELEMENT_TEXT, arena_str(a, str_sub(*rest, 0, n))};
	size_t back = n < 8 ? n : 8;
	if (e.text.p) memcpy((char *)&e.end + 8 - back, e.text.p + n - back, back);
	e.end_mask = UINT64_MAX << (64 - 8 * back);
	*rest = str_sub(*rest, n, rest->n);
	return e;
}

/* Which tokens are runs: see struct element. */
static void find_runs(struct element *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		v[i].left_run = i + 1 == n || !v[i + 1].text.n || !pattern_in_class(v[i].kind, v[i + 1].text.p[0]);
		v[i].right_run = !i || !v[i - 1].text.n || !pattern_in_class(v[i].kind, v[i - 1].text.p[v[i - 1].text.n - 1]);
	}
}

static const char *add_one(struct patterns *p, enum pattern_kind kind, struct str text)
{
	struct element v[MOST_ELEMENTS];
	struct pattern x = {.kind = kind};
	uint32_t wild = 0, addresses = 0, tokens = 0;
	while (text.n) {
		if (x.n == MOST_ELEMENTS) return "more than 32 elements";
		v[x.n] = take_element(&p->arena, &text);
		addresses += v[x.n].kind == ELEMENT_ADDR;
		tokens += pattern_says(v[x.n].kind);
		if (pattern_is_wild(&v[x.n])) {
			if (wild && v[x.last_wild + 1].kind != ELEMENT_TEXT) return "text must follow a wild element that is not the last";
			if (!wild++) x.first_wild = x.n;
			if (wild > 1 && x.last_wild + 1 == x.n) return "two wild elements side by side";
			x.last_wild = x.n;
		}
		x.n++;
	}
	if (!x.n) return "an empty pattern";
	if (addresses > 1) return "more than one address";
	if (tokens > PATTERN_TOKENS) return "more than four tokens that say something";
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

bool patterns_end(struct patterns *p, struct fault *f)
{
	p->files.name = STR("files");
	for (size_t i = 0; i < p->services.n; i++) {
		struct service *s = &p->services.v[i];
		for (size_t k = 0; s->file && k < s->patterns.n; k++) vec_push(&p->files.patterns, s->patterns.v[k]);
		for (size_t k = 0; s->file && k < s->words.v.n; k++) vec_push(&p->files.words.v, s->words.v.v[k]);
		for (size_t k = 0; s->any_program && k < s->words.v.n; k++) vec_push(&p->any_words.v, s->words.v.v[k]);
	}
	bool ok = tree_of_service(&p->arena, &p->files) && index_words(&p->arena, &p->files.words) && index_words(&p->arena, &p->any_words);
	for (size_t i = 0; ok && i < p->services.n; i++) ok = tree_of_service(&p->arena, &p->services.v[i]) && index_words(&p->arena, &p->services.v[i].words);
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
