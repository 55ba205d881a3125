/* lint_tree.c: checks of the tree: contradictions, values nothing can have, regular expressions, searches left out. */
#include "rules/lint_internal.h"
#include "rules/value_internal.h"
#include "text/regex.h"

enum { PAIRS_MAX = 64, OPTIONS_MAX = 32 }; /* items of one AND that are compared with each other; alternatives of one */

/* --- contradictions --------------------------------------------------------------------------------------------------- */

/* The literal a text must be, begin or end with; false when the leaf demands no such thing. */
static bool fixed(const struct leaf *l, bool at_end, struct str *ret, bool *ret_whole)
{
	if (l->kind != LEAF_STRING || !l->field.n) return false;
	const struct piece *p = &l->pieces[at_end ? l->n_pieces - 1 : 0];
	*ret = p->literal;
	*ret_whole = l->n_pieces == 1;
	return p->kind == PIECE_LITERAL;
}

static bool texts_clash(const struct leaf *a, const struct leaf *b)
{
	struct str x, y;
	bool x_whole, y_whole;
	if (a->cased != b->cased) return false;
	for (int end = 0; end < 2; end++) {
		if (!fixed(a, end, &x, &x_whole) || !fixed(b, end, &y, &y_whole)) continue;
		size_t n = x.n < y.n ? x.n : y.n;
		if (end ? !str_ends(x, str_sub(y, y.n - n, n)) : !str_starts(x, str_sub(y, 0, n))) return true;
		if ((x_whole && x.n < y.n) || (y_whole && y.n < x.n)) return true;
	}
	return false;
}

static double bound(const struct leaf *l) { return l->is_integer ? (double)l->integer : l->real; }
static bool is_lower(const struct leaf *l) { return l->kind == LEAF_COMPARE && (l->op == COMPARE_GT || l->op == COMPARE_GTE); }
static bool is_upper(const struct leaf *l) { return l->kind == LEAF_COMPARE && (l->op == COMPARE_LT || l->op == COMPARE_LTE); }

static bool numbers_clash(const struct leaf *a, const struct leaf *b)
{
	if (a->kind == LEAF_NUMBER && b->kind == LEAF_NUMBER) return bound(a) != bound(b);
	if (a->kind == LEAF_COMPARE && b->kind == LEAF_NUMBER) return numbers_clash(b, a);
	if (a->kind == LEAF_NUMBER && is_lower(b)) return b->op == COMPARE_GT ? bound(a) <= bound(b) : bound(a) < bound(b);
	if (a->kind == LEAF_NUMBER && is_upper(b)) return b->op == COMPARE_LT ? bound(a) >= bound(b) : bound(a) > bound(b);
	if (is_lower(b) && is_upper(a)) return numbers_clash(b, a);
	if (!is_lower(a) || !is_upper(b)) return false;
	return bound(a) > bound(b) || (bound(a) == bound(b) && (a->op == COMPARE_GT || b->op == COMPARE_LT));
}

static bool nothing(const struct leaf *l) { return l->kind == LEAF_NULL || (l->kind == LEAF_EXISTS && !l->truth); }

/* A whole text as an address. */
static bool address_of(const struct leaf *l, struct val *ret)
{
	return l->kind == LEAF_STRING && l->n_pieces == 1 && l->pieces[0].kind == PIECE_LITERAL && !net_parse(l->pieces[0].literal, ret) && ret->net_bits == (ret->net_v6 ? 128 : 32);
}

static bool nets_clash(const struct leaf *a, const struct leaf *b)
{
	struct val v = {.net_v6 = b->net_v6, .net_bits = b->net_bits};
	if (a->kind != LEAF_CIDR) return b->kind == LEAF_CIDR && nets_clash(b, a);
	memcpy(v.net, b->net, sizeof v.net);
	if (b->kind != LEAF_CIDR && !address_of(b, &v)) return b->kind == LEAF_STRING && b->n_pieces == 1 && b->pieces[0].kind == PIECE_LITERAL;
	if (a->net_v6 != v.net_v6) return true;
	for (unsigned bit = 0; bit < a->net_bits && bit < v.net_bits; bit++)
		if ((a->net[bit / 8] ^ v.net[bit / 8]) & (0x80 >> bit % 8)) return true;
	return false;
}

/* Empty, and some text in it. */
static bool empty_clash(const struct leaf *a, const struct leaf *b)
{
	if (a->kind != LEAF_EMPTY) return b->kind == LEAF_EMPTY && empty_clash(b, a);
	for (uint32_t i = 0; b->kind == LEAF_STRING && i < b->n_pieces; i++)
		if (b->pieces[i].kind != PIECE_ANY) return true;
	return b->kind == LEAF_NUMBER || b->kind == LEAF_BOOL || b->kind == LEAF_CIDR || b->kind == LEAF_COMPARE || b->kind == LEAF_TIMEPART;
}

static bool clash(const struct leaf *a, const struct leaf *b)
{
	if (!a->field.n || !str_eq(a->field, b->field)) return false;
	if (nothing(a) != nothing(b)) return !(a->kind == LEAF_EXISTS && b->kind == LEAF_EXISTS) || a->truth != b->truth;
	return texts_clash(a, b) || numbers_clash(a, b) || nets_clash(a, b) || empty_clash(a, b);
}

/* What must hold: one of these leaves, which ask the same field. */
struct demand { const struct leaf *v[OPTIONS_MAX]; uint32_t n; };

static bool options_of(const struct node *n, struct demand *ret)
{
	if (n->kind == NODE_LEAF) {
		if (ret->n == OPTIONS_MAX || (ret->n && !str_eq(ret->v[0]->field, n->leaf->field))) return false;
		ret->v[ret->n++] = n->leaf;
		return true;
	}
	if (n->kind != NODE_OR) return false;
	for (uint32_t i = 0; i < n->n; i++)
		if (!options_of(n->children[i], ret)) return false;
	return true;
}

static void demands_of(const struct node *n, struct demand *ret, uint32_t *ret_n)
{
	for (uint32_t i = 0; i < n->n && *ret_n < PAIRS_MAX; i++) {
		ret[*ret_n].n = 0;
		if (n->children[i]->kind == NODE_AND) demands_of(n->children[i], ret, ret_n);
		else if (options_of(n->children[i], &ret[*ret_n])) ++*ret_n;
	}
}

static bool demands_clash(const struct demand *a, const struct demand *b)
{
	for (uint32_t i = 0; i < a->n; i++)
		for (uint32_t k = 0; k < b->n; k++)
			if (!clash(a->v[i], b->v[k])) return false;
	return a->n && b->n;
}

static void check_and(struct linting *l, const struct rule *r, const struct node *n)
{
	struct demand *demands = xcalloc(PAIRS_MAX, sizeof *demands);
	uint32_t count = 0;
	demands_of(n, demands, &count);
	for (uint32_t k = 1; k < count; k++)
		for (uint32_t i = 0; i < k; i++) {
			const struct leaf *a = demands[i].v[0], *b = demands[k].v[0];
			if (!demands_clash(&demands[i], &demands[k])) continue;
			lint_say(l->out, r, b->line, b->column, LINT_WARNING, "never-matches", "no single value of '%.*s' is %s and what line %u says", STR_FMT(str_sub(a->field, 0, 100)),
				demands[k].n > 1 ? "one of these" : "this", a->line);
			break;
		}
	free(demands);
}

/* The leaves that must all hold: of an AND, and of ANDs right inside of it. */
static void demanded(const struct node *n, const struct leaf **ret, uint32_t *ret_n)
{
	for (uint32_t i = 0; i < n->n && *ret_n < PAIRS_MAX; i++) {
		if (n->children[i]->kind == NODE_LEAF) ret[(*ret_n)++] = n->children[i]->leaf;
		else if (n->children[i]->kind == NODE_AND) demanded(n->children[i], ret, ret_n);
	}
}

/* --- the condition against itself ------------------------------------------------------------------------------------------ */

static bool same_pieces(const struct leaf *a, const struct leaf *b)
{
	if (a->n_pieces != b->n_pieces) return false;
	for (uint32_t i = 0; i < a->n_pieces; i++)
		if (a->pieces[i].kind != b->pieces[i].kind || !str_eq(a->pieces[i].literal, b->pieces[i].literal)) return false;
	return true;
}

bool lint_same_leaf(const struct leaf *a, const struct leaf *b)
{
	return a->kind == b->kind && a->cased == b->cased && str_eq(a->field, b->field) && same_pieces(a, b) && a->is_integer == b->is_integer && a->truth == b->truth &&
		a->integer == b->integer && a->real == b->real && a->op == b->op && a->string_op == b->string_op && a->part == b->part && str_eq(a->regex, b->regex) &&
		a->re_i == b->re_i && a->re_m == b->re_m && a->re_s == b->re_s && str_eq(a->other_field, b->other_field) && a->net_v6 == b->net_v6 &&
		a->net_bits == b->net_bits && !memcmp(a->net, b->net, sizeof a->net);
}

/* Whether the negated tree holds whenever all of `leaves` do: then nothing is left. */
static bool implied(const struct node *n, const struct leaf *const *leaves, uint32_t count, unsigned depth)
{
	if (n->kind == NODE_LEAF) {
		for (uint32_t i = 0; i < count; i++)
			if (lint_same_leaf(leaves[i], n->leaf)) return true;
		return false;
	}
	if (n->kind == NODE_NOT || depth > 8) return false;
	for (uint32_t i = 0; i < n->n; i++)
		if (implied(n->children[i], leaves, count, depth + 1) == (n->kind == NODE_OR)) return n->kind == NODE_OR;
	return n->kind == NODE_AND && n->n;
}

/* "a and not b" where b holds whenever a does. */
static bool excludes_itself(const struct node *n)
{
	const struct leaf *leaves[PAIRS_MAX];
	uint32_t count = 0;
	if (n->kind != NODE_AND) return false;
	demanded(n, leaves, &count);
	for (uint32_t i = 0; i < n->n; i++) {
		const struct node *child = n->children[i];
		if (child->kind != NODE_NOT) continue;
		for (uint32_t k = 0; k < n->n; k++)
			if (n->children[k] == child->children[0]) return true;
		if (count < PAIRS_MAX && implied(child->children[0], leaves, count, 0)) return true;
	}
	return false;
}

/* --- leaves -------------------------------------------------------------------------------------------------------------- */

/* A backslash before a star makes it a plain star; before a wildcard at the end of a path it has to be doubled. */
static bool star_by_mistake(const struct leaf *l)
{
	struct str w = l->written;
	if (l->kind != LEAF_STRING || w.n < 2 || !str_ends(w, STR("\\*"))) return false;
	size_t slashes = 0;
	while (slashes < w.n - 1 && w.p[w.n - 2 - slashes] == '\\') slashes++;
	return slashes == 1 && l->pieces[l->n_pieces - 1].kind == PIECE_LITERAL;
}

static void check_regex(struct linting *l, const struct rule *r, const struct leaf *leaf)
{
	unsigned flags = (leaf->re_i ? REGEX_NOCASE : 0) | (leaf->re_m ? REGEX_MULTILINE : 0) | (leaf->re_s ? REGEX_DOTALL : 0);
	struct regex *re = regex_compile(leaf->regex, flags, NULL);
	if (!re) return;
	if (regex_engine(re) == REGEX_PCRE2)
		lint_say(l->out, r, leaf->line, leaf->column, LINT_WARNING, "regex-backtracking",
			"this regular expression needs backtracking: on long values it may reach the work limit and stay undecided");
	else if (!regex_literal(re).n)
		lint_say(l->out, r, leaf->line, leaf->column, LINT_NOTE, "regex-slow", "this regular expression holds no fixed text: only other conditions of the rule narrow down where it is tried");
	regex_free(re);
}

static bool could_be_number(const struct leaf *l)
{
	for (uint32_t i = 0; i < l->n_pieces; i++)
		for (size_t k = 0; k < l->pieces[i].literal.n; k++)
			if (l->pieces[i].literal.p[k] < '0' || l->pieces[i].literal.p[k] > '9') return false;
	return true;
}

/* Words of Sysmon's schema that are true or false, and numbers that are ports. */
static void check_range(struct linting *l, const struct rule *r, const struct leaf *leaf)
{
	static const char *const truths[] = {"Initiated", "Signed", "SourceIsIpv6", "DestinationIsIpv6", "IsExecutable"};
	static const int64_t least[] = {0, 0, 1, 1, 1, INT64_MIN}, most[] = {59, 23, 31, 53, 12, INT64_MAX};
	bool whole = leaf->kind == LEAF_STRING && leaf->n_pieces == 1 && leaf->pieces[0].kind == PIECE_LITERAL;
	for (size_t i = 0; whole && i < COUNT(truths); i++)
		if (str_eq(leaf->field, str_of(truths[i])) && !str_eq(leaf->pieces[0].literal, STR("-")) && !str_eq_nocase(leaf->pieces[0].literal, STR("true")) && !str_eq_nocase(leaf->pieces[0].literal, STR("false")))
			lint_say(l->out, r, leaf->line, leaf->column, LINT_WARNING, "never-matches", "%s is true or false", truths[i]);
	bool port = str_eq(leaf->field, STR("DestinationPort")) || str_eq(leaf->field, STR("SourcePort")) || str_eq(leaf->field, STR("dst_port")) || str_eq(leaf->field, STR("src_port"));
	if (port && leaf->kind == LEAF_NUMBER && (leaf->real < 0 || leaf->real > 65535))
		lint_say(l->out, r, leaf->line, leaf->column, LINT_WARNING, "never-matches", "ports go from 0 to 65535");
	if (leaf->kind == LEAF_TIMEPART && ((leaf->op == COMPARE_GT && leaf->integer >= most[leaf->part]) || (leaf->op == COMPARE_LT && leaf->integer <= least[leaf->part])))
		lint_say(l->out, r, leaf->line, leaf->column, LINT_WARNING, "never-matches", "no time is beyond %lld", (long long)leaf->integer);
}

static void check_leaf(struct linting *l, const struct rule *r, const struct leaf *leaf)
{
	check_range(l, r, leaf);
	if (leaf->kind == LEAF_NEVER) lint_say(l->out, r, leaf->line, leaf->column, LINT_WARNING, "never-matches", "this never matches");
	if (leaf->kind == LEAF_REGEX) check_regex(l, r, leaf);
	if (star_by_mistake(leaf)) lint_say(l->out, r, leaf->line, leaf->column, LINT_NOTE, "literal-star", "the star behind a backslash is a plain star; a wildcard behind a backslash is written \\\\*");
	if (leaf->kind == LEAF_STRING && str_eq(leaf->field, STR("EventID")) && !could_be_number(leaf))
		lint_say(l->out, r, leaf->line, leaf->column, LINT_WARNING, "never-matches", "an event id is a number");
}

static void check_node(struct linting *l, const struct rule *r, const struct node *n, bool in_and)
{
	if (n->kind == NODE_AND && !in_and) check_and(l, r, n);
	if (n->kind == NODE_LEAF) check_leaf(l, r, n->leaf);
	for (uint32_t i = 0; i < n->n; i++) check_node(l, r, n->children[i], n->kind == NODE_AND);
}

/* --- the condition -------------------------------------------------------------------------------------------------------- */

/* Does the tree of a search occur in the condition? Searches are referred to, never copied, and conditions are flat. */
static bool occurs(const struct rule *r, const struct node *in, const struct node *wanted)
{
	if (in == wanted) return true;
	for (uint32_t i = 0; i < r->n_searches; i++)
		if (in == r->searches[i].tree) return false; /* another one: nothing of ours is in it */
	for (uint32_t i = 0; i < in->n; i++)
		if (occurs(r, in->children[i], wanted)) return true;
	return false;
}

/* Whether the rule matches an event about which no leaf is true. */
static bool holds_on_nothing(const struct node *n)
{
	switch (n->kind) {
	case NODE_LEAF: return n->leaf->kind == LEAF_NULL || (n->leaf->kind == LEAF_EXISTS && !n->leaf->truth);
	case NODE_NOT: return !holds_on_nothing(n->children[0]);
	case NODE_AND: case NODE_OR:
		for (uint32_t i = 0; i < n->n; i++)
			if (holds_on_nothing(n->children[i]) == (n->kind == NODE_OR)) return n->kind == NODE_OR;
		return n->kind == NODE_AND;
	}
	return false;
}

void lint_tree(struct linting *l, const struct rule *r)
{
	enum { SEARCHES = 256 }; /* beyond, the check for unused ones is left out */
	for (uint32_t i = 0; i < r->n_searches; i++) {
		const struct search *s = &r->searches[i];
		check_node(l, r, s->tree, false);
		if (r->n_searches <= SEARCHES && !occurs(r, r->condition, s->tree))
			lint_say(l->out, r, s->line, s->column, LINT_WARNING, "search-unused", "the condition does not use '%.*s'", STR_FMT(str_sub(s->name, 0, 100)));
	}
	uint32_t column, line = lint_key(r, STR("condition"), &column);
	if (excludes_itself(r->condition))
		lint_say(l->out, r, line, column, LINT_WARNING, "never-matches", "what is excluded here holds whenever the rest does: nothing is left");
	if (holds_on_nothing(r->condition))
		lint_say(l->out, r, r->line, 1, LINT_NOTE, "negative", "this matches every event of its log source that is not excluded; begin with what must be there");
}
