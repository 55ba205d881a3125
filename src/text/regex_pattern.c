/* regex_pattern.c: patterns read token by token: rewritten into RE2's dialect, and searched for a required literal.
 * See regex_internal.h.
 *
 * The reading need not know all of the syntax: a pattern with something it does not know goes to RE2 as it is (which mostly
 * refuses it), and the search for a literal gives up. */
#include "text/regex.h"
#include "text/regex_internal.h"
#include "text/utf.h"

enum token_kind {
	TOKEN_END,
	TOKEN_CHAR,    /* `c` */
	TOKEN_ANY,     /* dot, or an escape for a set of characters or sequences: \d \w \s \p{..} \h \R */
	TOKEN_CLASS,   /* [..]; `c` when all its members fold to one letter, else UTF8_BAD */
	TOKEN_EMPTY,   /* matches no characters: ^ $ \b \B \A \z \Z */
	TOKEN_FLAGS,   /* flags for what follows; also, within `group` and `next` only, a comment, which is passed over */
	TOKEN_OPEN,    /* a group whose content counts */
	TOKEN_LOOK,    /* a look-around group */
	TOKEN_CLOSE,
	TOKEN_OR,
	TOKEN_REPEAT,  /* min..max, UINT32_MAX = no end */
	TOKEN_UNKNOWN  /* anything else: back-references, conditions, recursion, verbs, mistakes */
};
struct token {
	enum token_kind kind;
	const char *at;   /* where it begins; it ends where the scan stands */
	uint32_t c;
	uint32_t min, max;
	bool escaped;     /* TOKEN_CHAR, TOKEN_ANY, TOKEN_EMPTY: written with a backslash, `letter` behind it */
	uint32_t letter;
	bool named;       /* TOKEN_OPEN: (?<name> or (?'name' */
	bool comment;     /* TOKEN_FLAGS: (?#..) */
	bool line_flag;   /* flags that set or clear m */
};
struct scan {
	const char *p, *end;
};

static bool at(const struct scan *s, const char *text)
{
	size_t n = strlen(text);
	return (size_t)(s->end - s->p) >= n && !memcmp(s->p, text, n);
}

static bool take(struct scan *s, const char *text)
{
	if (!at(s, text)) return false;
	s->p += strlen(text);
	return true;
}

static bool hex_digits(struct scan *s, size_t n, uint32_t *ret)
{
	uint64_t v;
	if ((size_t)(s->end - s->p) < n || !str_hex64((struct str){s->p, n}, &v) || v > 0x10FFFF) return false;
	*ret = (uint32_t)v;
	s->p += n;
	return true;
}

/* \xhh and \x{h..}; any other form is unknown. */
static bool hex_escape(struct scan *s, uint32_t *ret)
{
	if (!take(s, "{")) return hex_digits(s, 2, ret);
	struct str rest = {s->p, (size_t)(s->end - s->p)};
	size_t n = str_find_byte(rest, '}', 0);
	if (n == SIZE_MAX || n > 6 || !hex_digits(s, n, ret)) return false;
	s->p++;
	return true;
}

static bool alnum(uint32_t c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* What follows a backslash outside of classes. */
static enum token_kind escape(struct scan *s, struct token *t)
{
	if (s->p == s->end) return TOKEN_UNKNOWN;
	uint32_t c = utf8_step(&s->p, s->end);
	t->escaped = true;
	t->letter = t->c = c;
	if (c >= 0x80 || !alnum(c)) return TOKEN_CHAR;
	switch (c) {
	case 'd': case 'D': case 'w': case 'W': case 's': case 'S': case 'h': case 'H': case 'v': case 'V': case 'R': case 'N': return TOKEN_ANY;
	case 'b': case 'B': case 'A': case 'z': case 'Z': return TOKEN_EMPTY;
	case 'a': t->c = 7; return TOKEN_CHAR;
	case 'f': t->c = '\f'; return TOKEN_CHAR;
	case 'n': t->c = '\n'; return TOKEN_CHAR;
	case 'r': t->c = '\r'; return TOKEN_CHAR;
	case 't': t->c = '\t'; return TOKEN_CHAR;
	case 'e': t->c = 0x1B; return TOKEN_CHAR;
	case 'x': return hex_escape(s, &t->c) ? TOKEN_CHAR : TOKEN_UNKNOWN;
	case 'u': return hex_digits(s, 4, &t->c) ? TOKEN_CHAR : TOKEN_UNKNOWN;
	case 'p': case 'P':
		if (s->p < s->end && *s->p != '{') {
			s->p++;
			return TOKEN_ANY;
		}
		while (s->p < s->end && *s->p != '}') s->p++;
		return take(s, "}") ? TOKEN_ANY : TOKEN_UNKNOWN;
	default: return TOKEN_UNKNOWN;
	}
}

/* One member of a class at s->p: a character (*ret), or something else (UTF8_BAD). False when the reading is unsure. */
static bool class_member(struct scan *s, uint32_t *ret)
{
	*ret = UTF8_BAD;
	if (at(s, "[:")) {
		const char *p = s->p + 2;
		while (p < s->end && (*p == '^' || (*p >= 'a' && *p <= 'z'))) p++;
		if (s->end - p < 2 || p[0] != ':' || p[1] != ']') return false;
		s->p = p + 2;
		return true;
	}
	if (at(s, "[.") || at(s, "[=")) return false;
	if (!take(s, "\\")) {
		*ret = utf8_step(&s->p, s->end);
		return true;
	}
	struct token t = {0};
	enum token_kind kind = escape(s, &t);
	if (kind == TOKEN_CHAR) *ret = t.c;
	return kind == TOKEN_CHAR || kind == TOKEN_ANY || (kind == TOKEN_EMPTY && t.letter == 'b');
}

/* Behind "[". */
static enum token_kind class(struct scan *s, struct token *t)
{
	bool negated = take(s, "^"), plain = !negated;
	t->c = UTF8_BAD;
	for (bool first = true;; first = false) {
		uint32_t c;
		if (s->p == s->end) return TOKEN_UNKNOWN;
		if (!first && take(s, "]")) break;
		bool dash = *s->p == '-';
		if (!class_member(s, &c)) return TOKEN_UNKNOWN;
		if (c == UTF8_BAD || dash) {
			plain = false;
			continue;
		}
		if (t->c == UTF8_BAD) t->c = utf_fold_cp(c);
		plain = plain && t->c == utf_fold_cp(c);
	}
	if (!plain) t->c = UTF8_BAD;
	return TOKEN_CLASS;
}

/* Behind "(". */
static enum token_kind group(struct scan *s, struct token *t)
{
	if (at(s, "*")) return TOKEN_UNKNOWN;
	if (!take(s, "?")) return TOKEN_OPEN;
	if (take(s, ":") || take(s, ">")) return TOKEN_OPEN;
	if (take(s, "=") || take(s, "!") || take(s, "<=") || take(s, "<!")) return TOKEN_LOOK;
	if (take(s, "#")) {
		while (s->p < s->end && *s->p != ')') s->p++;
		t->comment = true;
		return take(s, ")") ? TOKEN_FLAGS : TOKEN_UNKNOWN;
	}
	bool re2_name = at(s, "P<");
	if (take(s, "P<") || take(s, "<") || take(s, "'")) {
		char close = s->p[-1] == '<' ? '>' : '\'';
		while (s->p < s->end && (alnum((unsigned char)*s->p) || *s->p == '_')) s->p++;
		if (s->p == s->end || *s->p != close) return TOKEN_UNKNOWN;
		s->p++;
		t->named = !re2_name;
		return TOKEN_OPEN;
	}
	for (; s->p < s->end; s->p++) {
		if (take(s, ":")) return TOKEN_OPEN;
		if (take(s, ")")) return TOKEN_FLAGS;
		if (*s->p == 'm') t->line_flag = true;
		if (!strchr("ims-", *s->p) || !*s->p) return TOKEN_UNKNOWN;
	}
	return TOKEN_UNKNOWN;
}

static bool number(struct scan *s, uint32_t *ret)
{
	uint32_t v = 0;
	const char *p = s->p;
	for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++) v = v > 100000 ? v : v * 10 + (uint32_t)(*s->p - '0');
	*ret = v;
	return s->p > p;
}

/* Behind "{": a quantifier, or a brace that is itself. */
static enum token_kind brace(struct scan *s, struct token *t)
{
	struct scan start = *s;
	t->c = '{';
	if (!number(s, &t->min)) return at(s, ",") ? TOKEN_UNKNOWN : TOKEN_CHAR;
	t->max = t->min;
	if (take(s, ",") && !number(s, &t->max)) t->max = UINT32_MAX;
	if (take(s, "}")) return TOKEN_REPEAT;
	*s = start;
	return TOKEN_CHAR;
}

static enum token_kind next_or_comment(struct scan *s, struct token *t)
{
	*t = (struct token){.at = s->p};
	if (s->p == s->end) return t->kind = TOKEN_END;
	t->c = utf8_step(&s->p, s->end);
	switch (t->c) {
	case '\\': t->kind = escape(s, t); break;
	case '[': t->kind = class(s, t); break;
	case '(': t->kind = group(s, t); break;
	case '{': t->kind = brace(s, t); break;
	case ')': t->kind = TOKEN_CLOSE; break;
	case '|': t->kind = TOKEN_OR; break;
	case '.': t->kind = TOKEN_ANY; break;
	case '^': case '$': t->kind = TOKEN_EMPTY; break;
	case '*': t->kind = TOKEN_REPEAT, t->min = 0, t->max = UINT32_MAX; break;
	case '+': t->kind = TOKEN_REPEAT, t->min = 1, t->max = UINT32_MAX; break;
	case '?': t->kind = TOKEN_REPEAT, t->min = 0, t->max = 1; break;
	default: t->kind = TOKEN_CHAR;
	}
	if (t->kind == TOKEN_REPEAT && !take(s, "?")) take(s, "+"); /* lazy, possessive: the same for what is asked here */
	return t->kind;
}

/* Comments are as if they were not there: a quantifier behind one belongs to what stands before it. */
static enum token_kind next(struct scan *s, struct token *t)
{
	while (next_or_comment(s, t) == TOKEN_FLAGS && t->comment) {}
	return t->kind;
}

/* The translation */

static void copy(struct buf *b, const struct token *t, const struct scan *s) { buf_put(b, t->at, (size_t)(s->p - t->at)); }

#define VERTICAL "\\n-\\r\\x{85}\\x{2028}\\x{2029}"
#define HORIZONTAL "\\t \\x{a0}\\x{1680}\\x{180e}\\x{2000}-\\x{200a}\\x{202f}\\x{205f}\\x{3000}"

static void put_char(struct buf *b, const struct token *t, const struct scan *s)
{
	if (t->escaped && (t->letter >= 0x80 || t->letter == 'u' || t->letter == 'e')) buf_printf(b, "\\x{%x}", t->c);
	else copy(b, t, s);
}

static void put_class(struct buf *b, const struct token *t, const struct scan *whole)
{
	struct scan s = {t->at + 1, whole->p - 1};
	buf_byte(b, '[');
	if (take(&s, "^")) buf_byte(b, '^');
	while (s.p < s.end) {
		struct token m = {.at = s.p};
		uint32_t c;
		if (*s.p != '\\') {
			class_member(&s, &c);
			copy(b, &m, &s);
			continue;
		}
		s.p++;
		enum token_kind kind = escape(&s, &m);
		if (kind == TOKEN_EMPTY) buf_lit(b, "\\x08");
		else if (m.letter == 's') buf_lit(b, "\\s\\v");
		else if (m.letter == 'h') buf_lit(b, HORIZONTAL);
		else if (m.letter == 'v') buf_lit(b, VERTICAL);
		else if (kind == TOKEN_CHAR) put_char(b, &m, &s);
		else copy(b, &m, &s);
	}
	buf_byte(b, ']');
}

static void put_token(struct buf *b, const struct token *t, const struct scan *s, bool lines)
{
	if (t->kind == TOKEN_CHAR) put_char(b, t, s);
	else if (t->kind == TOKEN_CLASS) put_class(b, t, s);
	else if (t->kind == TOKEN_ANY && t->letter == 's') buf_lit(b, "[\\s\\v]");
	else if (t->kind == TOKEN_ANY && t->letter == 'S') buf_lit(b, "[^\\s\\v]");
	else if (t->kind == TOKEN_ANY && t->letter == 'h') buf_lit(b, "[" HORIZONTAL "]");
	else if (t->kind == TOKEN_ANY && t->letter == 'v') buf_lit(b, "[" VERTICAL "]");
	else if (t->kind == TOKEN_ANY && t->letter == 'R') buf_lit(b, "(?:\\r\\n|[" VERTICAL "])");
	else if (t->kind == TOKEN_EMPTY && (t->letter == 'Z' || (*t->at == '$' && !lines))) buf_lit(b, "(?:\\n?\\z)");
	else if (t->kind == TOKEN_OPEN && t->named) buf_byte(b, '(');
	else copy(b, t, s);
}

bool regex_translate(struct str pattern, unsigned flags, struct buf *out)
{
	struct scan s = {pattern.p, pattern.n ? pattern.p + pattern.n : pattern.p};
	struct token t;
	bool lines = flags & REGEX_MULTILINE, known = true;
	unsigned depth = 0;
	for (struct scan look = s; next(&look, &t) != TOKEN_END;) {
		lines = lines || t.line_flag;
		known = known && t.kind != TOKEN_UNKNOWN;
		if (t.kind == TOKEN_OPEN || t.kind == TOKEN_LOOK || (t.kind == TOKEN_UNKNOWN && *t.at == '(')) depth++;
		if (t.kind == TOKEN_CLOSE && depth) depth--;
		if (depth > REGEX_MAX_NESTING) return false;
	}
	if (flags & REGEX_NOCASE) buf_lit(out, "(?i)");
	if (flags & REGEX_MULTILINE) buf_lit(out, "(?m)");
	if (flags & REGEX_DOTALL) buf_lit(out, "(?s)");
	if (!known) buf_str(out, pattern);
	while (known && next(&s, &t) != TOKEN_END) put_token(out, &t, &s, lines);
	return true;
}

/* The required literal
 *
 * For each part of a pattern: what every match of it begins with, ends with and contains, and how long it is at least; `exact`
 * when it matches one text only (which is then all three). Everything is folded, so case does not matter. Texts are cut at MAX
 * bytes: a part that is longer is no longer exact, but what is kept still holds. */

enum { MAX = REGEX_LITERAL_MAX };
_Static_assert(sizeof((struct regex_facts *)0)->literal == MAX, "a literal fits");
struct text {
	size_t n;
	char p[MAX];
};
struct known {
	bool exact;
	uint32_t min; /* characters; a byte each at least */
	struct text prefix, suffix, best;
};

static const struct known nothing; /* matches who knows what */

static uint32_t sum(uint32_t a, uint32_t b) { return a + b < a ? UINT32_MAX : a + b; }

static struct text text_of(const char *p, size_t n)
{
	struct text t = {.n = n};
	memcpy(t.p, p, n);
	return t;
}

/* Cuts to whole characters: the front or the back of x and y joined. */
static struct text joined_front(const struct text *x, const struct text *y)
{
	struct text t = *x;
	size_t n = y->n < MAX - t.n ? y->n : MAX - t.n;
	while (n < y->n && n && (y->p[n] & 0xC0) == 0x80) n--;
	memcpy(t.p + t.n, y->p, n);
	t.n += n;
	return t;
}

static struct text joined_back(const struct text *x, const struct text *y)
{
	size_t n = x->n < MAX - y->n ? x->n : MAX - y->n;
	while (n < x->n && n && (x->p[x->n - n] & 0xC0) == 0x80) n--;
	struct text t = text_of(x->p + x->n - n, n);
	memcpy(t.p + t.n, y->p, y->n);
	t.n += y->n;
	return t;
}

static void keep_longer(struct text *best, const struct text *other)
{
	if (other->n > best->n) *best = *other;
}

static void append(struct known *a, const struct known *b)
{
	struct text seam = a->suffix.n + b->prefix.n <= MAX ? joined_front(&a->suffix, &b->prefix) : (struct text){0};
	struct known k = {.exact = a->exact && b->exact && a->prefix.n + b->prefix.n <= MAX, .min = sum(a->min, b->min)};
	k.prefix = a->exact ? joined_front(&a->prefix, &b->prefix) : a->prefix;
	k.suffix = b->exact ? joined_back(&a->suffix, &b->suffix) : b->suffix;
	k.best = a->best;
	keep_longer(&k.best, &b->best);
	keep_longer(&k.best, &seam);
	keep_longer(&k.best, &k.prefix);
	keep_longer(&k.best, &k.suffix);
	*a = k;
}

static struct text common_front(const struct text *x, const struct text *y)
{
	size_t n = 0;
	while (n < x->n && n < y->n && x->p[n] == y->p[n]) n++;
	while (n && n < x->n && (x->p[n] & 0xC0) == 0x80) n--;
	return text_of(x->p, n);
}

static struct text common_back(const struct text *x, const struct text *y)
{
	size_t n = 0;
	while (n < x->n && n < y->n && x->p[x->n - 1 - n] == y->p[y->n - 1 - n]) n++;
	while (n && (x->p[x->n - n] & 0xC0) == 0x80) n--;
	return text_of(x->p + x->n - n, n);
}

static bool contains(const struct text *x, const struct text *y) { return memmem(x->p, x->n, y->p, y->n) != NULL; }

static void either(struct known *a, const struct known *b)
{
	struct known k = {.exact = a->exact && b->exact && a->prefix.n == b->prefix.n && !memcmp(a->prefix.p, b->prefix.p, a->prefix.n)};
	k.min = a->min < b->min ? a->min : b->min;
	k.prefix = common_front(&a->prefix, &b->prefix);
	k.suffix = common_back(&a->suffix, &b->suffix);
	if (contains(&a->best, &b->best)) k.best = b->best;
	else if (contains(&b->best, &a->best)) k.best = a->best;
	keep_longer(&k.best, &k.prefix);
	keep_longer(&k.best, &k.suffix);
	*a = k;
}

static void repeat(struct known *a, uint32_t min, uint32_t max)
{
	if (min == 0 || max == 0) *a = nothing;
	struct known once = *a;
	uint64_t chars = (uint64_t)once.min * min;
	bool exact = min == max;
	for (uint32_t i = 1; i < min && i < MAX && once.exact && once.prefix.n; i++) {
		append(a, &once);
		exact = exact && a->exact;
	}
	a->min = chars > UINT32_MAX ? UINT32_MAX : (uint32_t)chars;
	a->exact = a->exact && exact && (min == 1 || once.exact) && (once.prefix.n == 0 || min <= MAX);
}

static bool alternation(struct scan *s, unsigned depth, struct known *ret);

/* One atom with its quantifier. False when the reading is unsure. */
static bool atom(struct scan *s, struct token *t, unsigned depth, struct known *ret)
{
	*ret = nothing;
	if (t->kind == TOKEN_CHAR || (t->kind == TOKEN_CLASS && t->c != UTF8_BAD)) {
		ret->exact = true;
		ret->prefix.n = utf8_put(utf_fold_cp(t->c), ret->prefix.p);
		ret->suffix = ret->best = ret->prefix;
		ret->min = 1;
	} else if (t->kind == TOKEN_EMPTY || t->kind == TOKEN_FLAGS) {
		ret->exact = true;
	} else if (t->kind == TOKEN_OPEN || t->kind == TOKEN_LOOK) {
		bool look = t->kind == TOKEN_LOOK;
		if (depth >= REGEX_MAX_NESTING || !alternation(s, depth + 1, ret) || next(s, t) != TOKEN_CLOSE) return false;
		if (look) *ret = (struct known){.exact = true}; /* takes no text */
	} else if (t->kind == TOKEN_ANY || t->kind == TOKEN_CLASS) {
		ret->min = 1;
	} else {
		return false;
	}
	for (bool flags = t->kind == TOKEN_FLAGS;;) {
		struct scan before = *s;
		if (next(s, t) != TOKEN_REPEAT) {
			*s = before;
			return true;
		}
		if (flags) return false; /* a mistake, or it belongs to what stands before: engines differ */
		repeat(ret, t->min, t->max);
	}
}

static bool sequence(struct scan *s, unsigned depth, struct known *ret)
{
	*ret = (struct known){.exact = true};
	for (;;) {
		struct scan before = *s;
		struct token t;
		struct known k;
		enum token_kind kind = next(s, &t);
		if (kind == TOKEN_END || kind == TOKEN_CLOSE || kind == TOKEN_OR) {
			*s = before;
			return true;
		}
		if (!atom(s, &t, depth, &k)) return false;
		append(ret, &k);
	}
}

static bool alternation(struct scan *s, unsigned depth, struct known *ret)
{
	if (!sequence(s, depth, ret)) return false;
	for (;;) {
		struct scan before = *s;
		struct token t;
		struct known k;
		if (next(s, &t) != TOKEN_OR) {
			*s = before;
			return true;
		}
		if (!sequence(s, depth, &k)) return false;
		either(ret, &k);
	}
}

/* .{n,} in any number of plain groups, the quantifier within or behind them: n, or 0. */
static uint32_t dot_run(struct scan s)
{
	struct token t;
	unsigned groups = 0;
	uint32_t times = 0;
	for (; next(&s, &t) == TOKEN_OPEN && (s.p - t.at == 1 || (s.p - t.at == 3 && t.at[2] == ':')); groups++) {}
	if (t.kind != TOKEN_ANY || *t.at != '.') return 0;
	while (next(&s, &t) != TOKEN_END) {
		if (t.kind == TOKEN_CLOSE && groups) {
			groups--;
		} else if (t.kind == TOKEN_REPEAT && !times && t.min) {
			times = t.min;
		} else {
			return 0;
		}
	}
	return groups ? 0 : times;
}

void regex_study(struct str pattern, struct regex_facts *ret)
{
	struct scan s = {pattern.p, pattern.n ? pattern.p + pattern.n : pattern.p};
	struct known k;
	*ret = (struct regex_facts){.run = dot_run(s)};
	if (!alternation(&s, 0, &k) || s.p != s.end) return;
	ret->min_chars = k.min;
	ret->n_literal = k.best.n;
	memcpy(ret->literal, k.best.p, k.best.n);
}
