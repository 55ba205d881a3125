/* describe.c: see describe.h. */
#include "match/describe.h"
#include "match/program_internal.h"
#include "text/escape.h"

static const char *const engines[] = {[ENGINE_PLAIN] = "plain", [ENGINE_SSE4] = "SSE4", [ENGINE_AVX2] = "AVX2", [ENGINE_AVX2_HASH] = "AVX2 (hash only)"};

static void put_logsource(const struct logsource *ls, struct buf *out)
{
	const struct { const char *word; struct str value; } parts[] = {{"product", ls->product}, {"category", ls->category}, {"service", ls->service}};
	const char *between = "";
	for (size_t i = 0; i < COUNT(parts); i++) {
		if (!parts[i].value.n) continue;
		buf_printf(out, "%s%s=", between, parts[i].word);
		term_str(out, parts[i].value);
		between = " ";
	}
	if (!*between) buf_lit(out, "any log source");
}

static void put_input(const struct program *g, uint32_t input, struct buf *out)
{
	const struct feed *in = &g->inputs.v[input];
	if (in->keywords) buf_lit(out, "any field");
	for (uint32_t i = 0; i < in->n; i++) {
		if (i) buf_lit(out, " or ");
		term_str(out, g->names.entries[g->refs.v[in->first + i]].key);
	}
}

static void put_text(struct str s, struct buf *out)
{
	buf_byte(out, '\'');
	term_str(out, s);
	buf_byte(out, '\'');
}

static void put_pattern(const struct leaf *l, struct buf *out)
{
	buf_printf(out, "is like '");
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		if (l->pieces[i].kind == PIECE_LITERAL) term_str(out, l->pieces[i].literal);
		else buf_byte(out, l->pieces[i].kind == PIECE_ANY ? '*' : '?');
	}
	buf_printf(out, "'%s", l->cased ? " (case matters)" : "");
}

static void put_leaf(const struct test *t, struct buf *out)
{
	static const char *const words[] = {[LEAF_NUMBER] = "is the number", [LEAF_BOOL] = "is", [LEAF_NULL] = "is null or absent", [LEAF_EMPTY] = "is empty",
		[LEAF_EXISTS] = "exists", [LEAF_CIDR] = "is in a network", [LEAF_COMPARE] = "is compared as a number", [LEAF_TIMEPART] = "is compared as a time"};
	const struct leaf *l = t->leaf;
	if (l->kind == LEAF_STRING) {
		put_pattern(l, out);
	} else if (l->kind == LEAF_REGEX) {
		static const char *const by[] = {[REGEX_RE2] = "RE2", [REGEX_PCRE2] = "PCRE2", [REGEX_RUN] = "counting"};
		buf_printf(out, "matches by %s /", t->regex ? by[regex_engine(t->regex)] : "no engine");
		term_str(out, l->regex);
		buf_byte(out, '/');
	} else if (l->kind == LEAF_EXISTS && !l->truth) {
		buf_lit(out, "does not exist");
	} else {
		buf_printf(out, "%s", (size_t)l->kind < COUNT(words) && words[l->kind] ? words[l->kind] : "is compared");
		if (l->kind == LEAF_NUMBER) buf_printf(out, " "), term_str(out, l->written);
	}
}

static const char *verb(const struct test *t)
{
	static const char *const words[] = {[LITERAL_EXACT] = "is", [LITERAL_PREFIX] = "starts with", [LITERAL_SUFFIX] = "ends with", [LITERAL_CONTAINS] = "contains"};
	return words[t->literal_kind];
}

static void put_test(const struct program *g, uint32_t id, struct buf *out)
{
	enum { SHOWN = 6 };
	const struct test *t = &g->tests.v[id];
	put_input(g, t->input, out);
	buf_byte(out, ' ');
	switch ((enum test_kind)t->kind) {
	case TEST_ATOM: buf_printf(out, "%s ", verb(t)), put_text(t->text, out); break;
	case TEST_NUMBER: buf_printf(out, "is the number %lld", (long long)t->number); break;
	case TEST_GROUP:
		buf_printf(out, "has one of %u", t->n);
		for (uint32_t i = 0; i < t->n && i < SHOWN; i++) {
			const struct test *atom = &g->tests.v[g->refs.v[t->first + i]];
			buf_printf(out, "%s ", i ? "," : ":");
			if (atom->kind == TEST_NUMBER) buf_printf(out, "%lld", (long long)atom->number);
			else buf_printf(out, "%s ", verb(atom)), put_text(atom->text, out);
		}
		if (t->n > SHOWN) buf_lit(out, ", ...");
		break;
	case TEST_PRESENT: buf_lit(out, "has a value"); break;
	case TEST_CELL: case TEST_LEAF: put_leaf(t, out); break;
	case TEST_REFER: buf_lit(out, "is compared with "), put_input(g, t->other, out); break;
	}
	if (t->guard != NONE && t->kind == TEST_LEAF) {
		buf_printf(out, ", only where it %s ", verb(&g->tests.v[t->guard]));
		put_text(g->tests.v[t->guard].text, out);
	}
}

/* Trees are as deep as rules are written, which the loader bounds. */
static void put_branch(const struct program *g, uint32_t id, uint32_t depth, struct buf *out)
{
	static const char *const words[] = {[BRANCH_AND] = "all of, in this order", [BRANCH_OR] = "any of, in this order", [BRANCH_NOT] = "not"};
	const struct branch *b = &g->branches.v[id];
	buf_printf(out, "  %8.2g  %6.0f  %*s", (double)b->p, (double)b->cost, (int)(depth * 2), "");
	if (b->kind == BRANCH_TEST) {
		put_test(g, b->first, out);
		buf_byte(out, '\n');
		return;
	}
	buf_printf(out, "%s\n", words[b->kind]);
	for (uint32_t i = 0; i < b->n; i++) put_branch(g, g->refs.v[b->first + i], depth + 1, out);
}

static void put_gate(const struct program *g, const struct tree *t, struct buf *out)
{
	enum { SHOWN = 10 };
	if (!t->n_gates) buf_lit(out, "gate        none: asked for every event of its log source\n");
	for (uint32_t i = 0; i < t->n_gates && i < SHOWN; i++) {
		buf_printf(out, "%s", i ? "         or " : "gate        ");
		put_test(g, g->refs.v[t->first_gate + i], out);
		buf_printf(out, " (%.2g)\n", (double)g->tests.v[g->refs.v[t->first_gate + i]].p);
	}
	if (t->n_gates > SHOWN) buf_printf(out, "         or one of %u more\n", t->n_gates - SHOWN);
}

void describe_rule(struct plan *p, const struct rule *r, struct buf *out)
{
	term_str(out, r->info.title);
	buf_lit(out, "\nlog source  ");
	put_logsource(&r->info.logsource, out);
	buf_byte(out, '\n');
	struct program *g = program_of_rule(p, r);
	if (!g) buf_lit(out, "plan        too large: the rule is walked as it is written\n");
	else if (!g->trees.n) buf_lit(out, "plan        never holds\n");
	else if (g->trees.v[0].root == NONE) buf_lit(out, "plan        always holds\n");
	else {
		put_gate(g, &g->trees.v[0], out);
		buf_lit(out, "    chance    cost  asked when the gate opens\n");
		put_branch(g, g->trees.v[0].root, 0, out);
	}
	program_free(g);
}

static void put_program(const struct program *g, struct buf *out)
{
	buf_printf(out, "  %zu trees after equal ones were joined, %zu of them asked for every event; %zu kB\n", (size_t)g->trees.n, (size_t)g->always.n, g->bytes / 1000);
	for (size_t i = 0; i < g->gate_inputs.n; i++) {
		uint32_t input = g->gate_inputs.v[i];
		buf_lit(out, "  scanned   ");
		put_input(g, input, out);
		buf_lit(out, ": ");
		if (g->inputs.v[input].gates) scanner_describe(g->inputs.v[input].gates, out);
		if (g->inputs.v[input].gate_numbers) buf_printf(out, "%snumbers", g->inputs.v[input].gates ? ", " : "");
		buf_byte(out, '\n');
	}
}

void describe_plan(struct plan *p, struct buf *out)
{
	uint32_t used = 0;
	for (uint32_t i = 0; i < p->n_rules; i++) used += p->used[i];
	buf_printf(out, "%u rules of %zu log sources; literals are looked for by the %s engine\n", used, (size_t)p->routes.n, engines[p->engine]);
	for (size_t i = 0; i < p->routes.n; i++) {
		const struct route *route = &p->routes.v[i];
		const struct logsource_binding b = {.ls = route->ls};
		buf_byte(out, '\n');
		put_logsource(&route->ls, out);
		/* What other log sources' rules say of the same events (a product's without category) is in it. */
		buf_printf(out, "\n  %zu rules of its own\n", (size_t)route->rules.n);
		struct program *g = program_new(p, NULL, &b, p->options.any_logsource ? 0 : 1);
		if (g) put_program(g, out);
		else buf_lit(out, "  too large: the rules are walked as they are written\n");
		program_free(g);
	}
}
