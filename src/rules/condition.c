/* condition.c: the condition's text to a tree over the search identifiers (CON-1 .. CON-11).
 *
 *	or    := and ("or" and)*
 *	and   := not ("and" not)*
 *	not   := "not" not | primary
 *	primary := "(" or ")" | ("1" | "any" | "all") "of" (pattern | "them") | identifier
 * Keywords are lower case and whole words. */
#include "rules/rules_internal.h"
#include <stdarg.h>
#include <stdio.h>

struct lexer {
	struct doc *d;
	const struct yaml_node *at;
	struct str text;
	size_t position;
	struct str token;    /* empty at the end */
	size_t token_at;
	unsigned depth;
};

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' || c == '.' || (unsigned char)c >= 0x80;
}

static const struct node *bad(struct lexer *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const struct node *bad(struct lexer *l, const char *format, ...)
{
	char text[300];
	uint32_t line = l->at->line, column = l->at->column + (l->at->style == YAML_QUOTED);
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	/* The place inside the text is known only where the text stands on one line. */
	if (l->at->style == YAML_PLAIN && str_find_byte(l->text, '\n', 0) == SIZE_MAX) column += (uint32_t)l->token_at;
	doc_refuse_at(l->d, line, column, "condition", "condition: %s", text);
	return NULL;
}

static void next(struct lexer *l)
{
	struct str s = l->text;
	while (l->position < s.n && strchr(" \t\r\n", s.p[l->position])) l->position++;
	size_t from = l->token_at = l->position;
	if (from < s.n && word_char(s.p[from]))
		while (l->position < s.n && word_char(s.p[l->position])) l->position++;
	else if (from < s.n)
		l->position++;
	l->token = str_sub(s, from, l->position - from);
}

static bool is(const struct lexer *l, const char *word) { return str_eq(l->token, str_of(word)); }

/* Glob over identifier names: '*' is any run. Iterative: linear but for the last star. */
static bool glob(struct str pattern, struct str name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, mark = 0;
	while (n < name.n) {
		if (p < pattern.n && pattern.p[p] == '*') star = p++, mark = n;
		else if (p < pattern.n && pattern.p[p] == name.p[n]) p++, n++;
		else if (star != SIZE_MAX) p = star + 1, n = ++mark;
		else return false;
	}
	while (p < pattern.n && pattern.p[p] == '*') p++;
	return p == pattern.n;
}

static const struct node *selector(struct lexer *l, bool all)
{
	struct doc *d = l->d;
	next(l);
	if (!is(l, "of")) return bad(l, "'of' must follow '%s', as in '%s of selection_*'", all ? "all" : "1", all ? "all" : "1");
	next(l);
	if (!l->token.n || !word_char(l->token.p[0])) return bad(l, "'of' needs a pattern or 'them'");
	bool them = is(l, "them");
	const struct node **children = doc_alloc(d, d->n_searches, sizeof *children);
	uint32_t n = 0;
	if (!children) return NULL;
	for (uint32_t i = 0; i < d->n_searches; i++) {
		struct str name = d->searches[i].name;
		/* Names with _ are left out unless the pattern begins with it (CON-6). */
		if (name.n && name.p[0] == '_' && (them || l->token.p[0] != '_')) continue;
		if (them || glob(l->token, name)) children[n++] = d->searches[i].tree;
	}
	if (!n) return bad(l, "'%.*s' fits no search identifier", STR_FMT(l->token));
	next(l);
	return n == 1 ? children[0] : node_new(d, all ? NODE_AND : NODE_OR, children, n);
}

static const struct node *identifier(struct lexer *l)
{
	struct doc *d = l->d;
	for (uint32_t i = 0; i < d->n_searches; i++) {
		if (!str_eq(d->searches[i].name, l->token)) continue;
		next(l);
		return d->searches[i].tree;
	}
	const char **names = doc_alloc(d, d->n_searches + 1, sizeof *names);
	for (uint32_t i = 0; names && i < d->n_searches; i++) names[i] = d->searches[i].name.p; /* NUL-terminated by the YAML layer */
	const char *near = names ? nearest_word(l->token, names) : NULL;
	if (is(l, "AND") || is(l, "OR") || is(l, "NOT") || is(l, "OF") || is(l, "ALL") || is(l, "ANY")) return bad(l, "keywords are written in lower case: '%.*s'", STR_FMT(l->token));
	if (near) return bad(l, "there is no search identifier '%.*s'; did you mean '%s'?", STR_FMT(l->token), near);
	return bad(l, "there is no search identifier '%.*s'", STR_FMT(l->token));
}

static const struct node *either(struct lexer *l);

static const struct node *primary(struct lexer *l)
{
	if (is(l, "(")) {
		if (++l->depth > CONDITION_DEPTH) return bad(l, "nested deeper than %d", CONDITION_DEPTH);
		next(l);
		const struct node *inner = either(l);
		if (!inner) return NULL;
		if (!is(l, ")")) return bad(l, "a closing ')' is missing");
		l->depth--;
		next(l);
		return inner;
	}
	if (!l->token.n) return bad(l, "it ends where a search identifier is expected");
	if (is(l, "1") || is(l, "any")) return selector(l, false);
	if (is(l, "all")) return selector(l, true);
	if (is(l, "|")) return bad(l, "aggregations with '|' are deprecated; write a correlation rule");
	uint64_t number;
	if (str_u64(l->token, &number)) {
		struct lexer ahead = *l;
		next(&ahead);
		if (is(&ahead, "of")) return bad(l, "only '1 of', 'any of' and 'all of' exist");
	}
	if (!word_char(l->token.p[0])) return bad(l, "'%.*s' is not expected here", STR_FMT(l->token));
	return identifier(l);
}

static const struct node *negation(struct lexer *l)
{
	bool negated = false, any = false;
	unsigned count = 0;
	while (is(l, "not")) {
		if (++count > CONDITION_DEPTH) return bad(l, "more than %d times 'not'", CONDITION_DEPTH);
		negated = !negated;
		any = true;
		next(l);
	}
	const struct node *inner = primary(l);
	if (!inner || !any || !negated) return inner;
	const struct node **one = doc_alloc(l->d, 1, sizeof *one);
	if (!one) return NULL;
	one[0] = inner;
	return node_new(l->d, NODE_NOT, one, 1);
}

/* A chain of operands joined by one word. */
static const struct node *chain(struct lexer *l, const char *word, enum node_kind kind, const struct node *(*operand)(struct lexer *))
{
	VEC(const struct node *) parts = {0};
	const struct node *result = operand(l);
	while (result && is(l, word)) {
		if (!parts.n) vec_push(&parts, result);
		next(l);
		if ((result = operand(l))) vec_push(&parts, result);
	}
	if (result && parts.n) {
		const struct node **children = doc_alloc(l->d, parts.n, sizeof *children);
		if (children) memcpy(children, parts.v, parts.n * sizeof *children);
		result = children ? node_new(l->d, kind, children, (uint32_t)parts.n) : NULL;
	}
	vec_free(&parts);
	return result;
}

static const struct node *both(struct lexer *l) { return chain(l, "and", NODE_AND, negation); }
static const struct node *either(struct lexer *l) { return chain(l, "or", NODE_OR, both); }

const struct node *condition_tree(struct doc *d, const struct yaml_node *at, struct str text)
{
	struct lexer l = {.d = d, .at = at, .text = text};
	if (text.n > CONDITION_MAX) return doc_refuse(d, at, "limit", "the condition is longer than %d bytes", CONDITION_MAX), NULL;
	next(&l);
	if (!l.token.n) return bad(&l, "it is empty");
	const struct node *tree = either(&l);
	if (!tree) return NULL;
	if (is(&l, "|")) return bad(&l, "aggregations with '|' are deprecated; write a correlation rule");
	if (l.token.n) return bad(&l, "'%.*s' is not expected here", STR_FMT(l.token));
	return tree;
}
