/* condition.c: the condition's text to a tree over the search identifiers (CON-1 .. CON-11).
 *
 *	or      := and ("or" and)*
 *	and     := not ("and" not)*
 *	not     := "not" not | primary
 *	primary := "(" or ")" | ("1" | "any" | "all") "of" (pattern | "them") | identifier
 * Keywords are lower case and whole words. */
#include "rules/rules_internal.h"
#include <stdarg.h>
#include <stdio.h>

enum { NEAR_LEAST = 3 }; /* a shorter word is near to everything */

struct lexer {
	struct doc *d;
	const struct yaml_node *at;
	struct str text;
	size_t position;
	struct str token;    /* empty at the end */
	size_t token_at;
	unsigned depth;
	uint64_t nodes;      /* of the trees referred to, so far */
};

/* Wider than the grammar of identifiers: names of search identifiers are arbitrary keys. */
static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' || c == '.' || (unsigned char)c >= 0x80;
}

/* The place of the token in the file, as far as the text stands there as it is. */
static void token_place(const struct lexer *l, uint32_t *ret_line, uint32_t *ret_column)
{
	uint32_t line = l->at->line, column = l->at->column;
	size_t line_at = 0;
	*ret_line = line;
	*ret_column = column;
	if (l->at->style == YAML_BLOCK) {
		line++;
		for (size_t i = 0; i < l->token_at; i++)
			if (l->text.p[i] == '\n') line++, line_at = i + 1;
		struct str shown = doc_line(l->d, line);
		size_t indent = 0;
		while (indent < shown.n && shown.p[indent] == ' ') indent++;
		if (!str_starts(str_sub(shown, indent + (l->token_at - line_at), shown.n), l->token)) return;
		*ret_line = line;
		*ret_column = (uint32_t)(indent + (l->token_at - line_at)) + 1;
		return;
	}
	size_t at = column - 1 + (l->at->style == YAML_QUOTED) + l->token_at;
	if (str_starts(str_sub(doc_line(l->d, line), at, SIZE_MAX), l->token)) *ret_column = (uint32_t)at + 1;
}

static const struct node *bad(struct lexer *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const struct node *bad(struct lexer *l, const char *format, ...)
{
	char text[300];
	uint32_t line, column;
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	token_place(l, &line, &column);
	doc_refuse_at(l->d, line, column, "condition", "condition: %s", text);
	return NULL;
}

static void next(struct lexer *l)
{
	struct str s = l->text;
	while (l->position < s.n && s.p[l->position] && strchr(" \t\r\n", s.p[l->position])) l->position++;
	size_t from = l->token_at = l->position;
	if (from < s.n && word_char(s.p[from]))
		while (l->position < s.n && word_char(s.p[l->position])) l->position++;
	else if (from < s.n)
		l->position++;
	l->token = str_sub(s, from, l->position - from);
}

static bool is(const struct lexer *l, const char *word) { return str_eq(l->token, str_of(word)); }

/* What a reference costs: conditions share trees, evaluation does not. */
static const struct node *refer(struct lexer *l, uint32_t search)
{
	l->nodes += l->d->sizes[search];
	if (l->nodes > NODES_MAX) return bad(l, "with what it refers to, the rule has more than %d parts", NODES_MAX);
	return l->d->searches[search].tree;
}

/* Glob over names: '*' is any run, at any place; nothing else is special. */
static bool fits(struct str pattern, struct str name)
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

/* What people write instead of keywords: why it is wrong, or NULL. */
static const char *other_spelling(struct lexer *l)
{
	static const char *const keywords[] = {"and", "or", "not", "of", "all", "any", "them"};
	struct str rest = str_sub(l->text, l->token_at, 2);
	for (size_t i = 0; i < COUNT(keywords); i++)
		if (str_eq_nocase(l->token, str_of(keywords[i])) && !is(l, keywords[i])) return "keywords are written in lower case";
	if (is(l, "&")) return "'and' is written as a word";
	if (str_eq(rest, STR("||"))) return "'or' is written as a word";
	if (is(l, "!") || is(l, "~")) return "'not' is written as a word";
	return NULL;
}

/* A pattern that fits nothing: what it may have meant. */
static const struct node *fits_nothing(struct lexer *l)
{
	struct doc *d = l->d;
	struct str base = l->token;
	const char *why = other_spelling(l);
	if (why) return bad(l, "%s, not '%.*s'", why, STR_FMT(l->token));
	while (base.n && base.p[base.n - 1] == '*') base.n--;
	for (uint32_t i = 0; i < d->n_searches; i++)
		if (base.n == l->token.n && base.n && str_starts(d->searches[i].name, base)) return bad(l, "'%.*s' fits no search identifier; did you mean '%.*s*'?", STR_FMT(base), STR_FMT(base));
	/* The names, and what stands before their last underscore. */
	const char **names = doc_scratch(d, 2 * (size_t)d->n_searches + 1, sizeof *names);
	uint32_t n = 0;
	for (uint32_t i = 0; names && i < d->n_searches; i++) {
		struct str name = d->searches[i].name;
		size_t end = name.n;
		while (end && name.p[end - 1] != '_') end--;
		char *prefix = end ? doc_scratch(d, end + 1, 1) : NULL;
		if (prefix) memcpy(prefix, name.p, end), prefix[end] = 0, names[n++] = prefix;
		names[n++] = name.p;
	}
	if (names) names[n] = NULL;
	const char *near = names && base.n >= NEAR_LEAST ? nearest_word(base, names) : NULL;
	if (near) return bad(l, "'%.*s' fits no search identifier; did you mean '%s%s'?", STR_FMT(l->token), near, near[strlen(near) - 1] == '_' ? "*" : "");
	return bad(l, "'%.*s' fits no search identifier", STR_FMT(l->token));
}

static const struct node *selector(struct lexer *l, bool all)
{
	struct doc *d = l->d;
	next(l);
	if (str_eq(l->token, STR("OF"))) return bad(l, "keywords are written in lower case, not 'OF'");
	if (!is(l, "of")) return bad(l, "'of' must follow '%s', as in '%s of selection_*'", all ? "all" : "1", all ? "all" : "1");
	next(l);
	if (!l->token.n || !word_char(l->token.p[0])) return bad(l, "behind 'of' stands a pattern or 'them', without brackets");
	bool them = is(l, "them");
	const struct node **children = doc_alloc(d, d->n_searches, sizeof *children);
	uint32_t n = 0;
	if (!children) return NULL;
	for (uint32_t i = 0; i < d->n_searches; i++) {
		struct str name = d->searches[i].name;
		/* Names with _ are left out unless the pattern begins with it (CON-6). */
		if (name.n && name.p[0] == '_' && (them || l->token.p[0] != '_')) continue;
		if (!them && !fits(l->token, name)) continue;
		if (!(children[n++] = refer(l, i))) return NULL;
	}
	if (!n) return fits_nothing(l);
	next(l);
	return n == 1 ? children[0] : node_new(d, all ? NODE_AND : NODE_OR, children, n);
}

static const struct node *unknown(struct lexer *l)
{
	struct doc *d = l->d;
	const char *why = other_spelling(l);
	if (why) return bad(l, "%s, not '%.*s'", why, STR_FMT(l->token));
	if (str_find_byte(l->token, '*', 0) != SIZE_MAX) return bad(l, "a pattern stands behind 'of': 1 of %.*s, or all of %.*s", STR_FMT(l->token), STR_FMT(l->token));
	const char **names = doc_scratch(d, d->n_searches + 1, sizeof *names);
	for (uint32_t i = 0; names && i < d->n_searches; i++) names[i] = d->searches[i].name.p; /* kept with a NUL behind it */
	const char *near = names && l->token.n >= NEAR_LEAST ? nearest_word(l->token, names) : NULL;
	if (near) return bad(l, "there is no search identifier '%.*s'; did you mean '%s'?", STR_FMT(l->token), near);
	return bad(l, "there is no search identifier '%.*s'", STR_FMT(l->token));
}

static const struct node *identifier(struct lexer *l)
{
	struct doc *d = l->d;
	for (uint32_t i = 0; i < d->n_searches; i++) {
		if (!str_eq(d->searches[i].name, l->token)) continue;
		const struct node *tree = refer(l, i);
		if (tree) next(l);
		return tree;
	}
	return unknown(l);
}

static const struct node *either(struct lexer *l);

static const struct node *in_brackets(struct lexer *l)
{
	if (++l->depth > CONDITION_DEPTH) return bad(l, "nested deeper than %d", CONDITION_DEPTH);
	next(l);
	const struct node *inner = either(l);
	if (!inner) return NULL;
	const char *why = is(l, ")") ? NULL : other_spelling(l);
	if (why) return bad(l, "%s, not '%.*s'", why, STR_FMT(l->token));
	if (!is(l, ")")) return l->token.n ? bad(l, "'and', 'or' or a closing ')' is expected, not '%.*s'", STR_FMT(l->token)) : bad(l, "a closing ')' is missing");
	l->depth--;
	next(l);
	return inner;
}

/* 'OF' too: then the place of the mistake is there. */
static bool followed_by_of(const struct lexer *l)
{
	struct lexer ahead = *l;
	next(&ahead);
	return str_eq_nocase(ahead.token, STR("of"));
}

static const struct node *primary(struct lexer *l)
{
	uint64_t number;
	if (is(l, "(")) return in_brackets(l);
	if (!l->token.n) return bad(l, "it ends where a search identifier is expected");
	const char *why = is(l, "and") || is(l, "or") || word_char(l->token.p[0]) ? NULL : other_spelling(l);
	if (why) return bad(l, "%s, not '%.*s'", why, STR_FMT(l->token));
	if (is(l, "|")) return bad(l, "aggregations with '|' are deprecated; write a correlation rule: type event_count or value_count, group-by, timespan");
	if ((is(l, "1") || is(l, "any")) && followed_by_of(l)) return selector(l, false);
	if (is(l, "all") && followed_by_of(l)) return selector(l, true);
	if (str_u64(l->token, &number) && followed_by_of(l)) return bad(l, "only '1 of', 'any of' and 'all of' exist, not '%.*s of'", STR_FMT(l->token));
	if (is(l, "and") || is(l, "or")) return bad(l, "a search identifier is expected, not '%.*s'", STR_FMT(l->token));
	if (!word_char(l->token.p[0])) return bad(l, "'%.*s' is not expected here", STR_FMT(l->token));
	return identifier(l);
}

static const struct node *negation(struct lexer *l)
{
	unsigned count = 0;
	while (is(l, "not")) {
		if (++count > CONDITION_DEPTH) return bad(l, "more than %d times 'not'", CONDITION_DEPTH);
		next(l);
	}
	const struct node *inner = primary(l);
	if (!inner || count % 2 == 0) return inner;
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

const struct node *condition_tree(struct doc *d, const struct yaml_node *at, uint64_t *nodes)
{
	struct lexer l = {.d = d, .at = at, .text = at->text, .nodes = *nodes};
	if (at->text.n > CONDITION_MAX) return doc_refuse(d, at, "limit", "the condition is longer than %d bytes", CONDITION_MAX), NULL;
	next(&l);
	if (!l.token.n) return bad(&l, "it is empty");
	const struct node *tree = either(&l);
	if (!tree) return NULL;
	const char *why = other_spelling(&l);
	if (why && l.token.n) return bad(&l, "%s, not '%.*s'", why, STR_FMT(l.token));
	if (is(&l, "|")) return bad(&l, "aggregations with '|' are deprecated; write a correlation rule: type event_count or value_count, group-by, timespan");
	if (l.token.n) return bad(&l, "'and' or 'or' is expected, not '%.*s'", STR_FMT(l.token));
	*nodes = l.nodes;
	return tree;
}
