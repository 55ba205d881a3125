/* compile.c: rules and one kind of event become a program. See program_internal.h. */
#include "match/program_internal.h"
#include "match/walk_internal.h"
#include "text/utf.h"

enum { GROUP_FROM = 4, MAX_WHENS = 63, ARENA_BUDGET = 256 << 20, MOST_TESTS = 1 << 22 };
/* Branches that are no branches: decided already. */
#define BRANCH_TRUE (UINT32_MAX - 1)
#define BRANCH_FALSE (UINT32_MAX - 2)

/* Hash table of ids over things kept elsewhere. A hash of 0 is never looked for. */
#define HASHED (1ull << 63)
struct intern {
	uint32_t *slots; /* id + 1 */
	uint32_t size;
	VEC(uint64_t) hashes;
};

struct compiler {
	struct plan *plan;
	struct program *g;
	const struct shape *shape;
	const struct logsource_binding *bindings;
	uint32_t n_bindings;
	const struct logsource_binding *binding; /* of the rule that is being built */
	uint32_t *input_of_column;               /* id + 1 by first column, when there is a shape */
	struct map generic_inputs;
	uint32_t keywords;
	struct intern tests, branches;
	VEC(uint32_t) branch_of_test;
	VEC(struct str) test_keys;               /* by test: what tells TEST_LEAF and TEST_REFER apart */
	VEC(uint32_t) pending;                   /* children of branches being built, as a stack */
	struct arena scratch;
	struct event blank;                      /* the constants of the shape */
	bool full;
};

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15;
	return h ^ h >> 29;
}

static uint64_t mix_bytes(uint64_t h, struct str s)
{
	size_t i = 0;
	for (; i + 8 <= s.n; i += 8) {
		uint64_t v;
		memcpy(&v, s.p + i, 8);
		h = mix(h, v);
	}
	uint64_t tail = 0;
	if (i < s.n) memcpy(&tail, s.p + i, s.n - i);
	return mix(mix(h, tail), s.n);
}

static void intern_grow(struct intern *t)
{
	if (t->hashes.n * 2 < t->size) return;
	free(t->slots);
	t->size = t->size ? t->size * 2 : 64;
	t->slots = xcalloc(t->size, sizeof *t->slots);
	for (uint32_t i = 0; i < t->hashes.n; i++) {
		if (!t->hashes.v[i]) continue; /* a branch that is a test */
		uint32_t at = (uint32_t)t->hashes.v[i] & (t->size - 1);
		while (t->slots[at]) at = (at + 1) & (t->size - 1);
		t->slots[at] = i + 1;
	}
}

static void intern_done(struct intern *t)
{
	free(t->slots);
	vec_free(&t->hashes);
}

/* ---- tests ---- */

static bool same_test(const struct compiler *c, uint32_t id, const struct test *t, struct str key)
{
	const struct test *have = &c->g->tests.v[id];
	if (have->kind != t->kind || have->input != t->input || have->other != t->other || have->literal_kind != t->literal_kind) return false;
	if (t->kind == TEST_ATOM) return str_eq(have->text, t->text);
	if (t->kind == TEST_NUMBER) return have->number == t->number;
	return str_eq(c->test_keys.v[id], key);
}

static uint32_t new_branch(struct compiler *c, const struct branch *b)
{
	vec_push(&c->g->branches, *b);
	vec_push(&c->branches.hashes, 0);
	return (uint32_t)c->g->branches.n - 1;
}

/* The test, made when it is new; `key` is copied. */
static uint32_t test_of(struct compiler *c, struct test *t, struct str key)
{
	uint64_t h = mix(mix(t->kind | (uint64_t)t->literal_kind << 8 | (uint64_t)t->other << 32, t->input), (uint64_t)t->number);
	h = mix_bytes(mix_bytes(h, t->text), key) | HASHED;
	intern_grow(&c->tests);
	uint32_t at = (uint32_t)h & (c->tests.size - 1);
	for (; c->tests.slots[at]; at = (at + 1) & (c->tests.size - 1)) {
		uint32_t id = c->tests.slots[at] - 1;
		if (c->tests.hashes.v[id] == h && same_test(c, id, t, key)) return id;
	}
	uint32_t id = (uint32_t)c->g->tests.n;
	if (id >= MOST_TESTS) c->full = true;
	if (key.n) key = arena_str(&c->scratch, key);
	if (key.n && !key.p) c->full = true;
	vec_push(&c->g->tests, *t);
	vec_push(&c->test_keys, key);
	vec_push(&c->branch_of_test, NONE);
	vec_push(&c->tests.hashes, h);
	c->tests.slots[at] = id + 1;
	return id;
}

static uint32_t branch_of_test(struct compiler *c, uint32_t test)
{
	if (c->branch_of_test.v[test] == NONE) {
		struct branch b = {BRANCH_TEST, test, 0, c->g->tests.v[test].p, 0};
		c->branch_of_test.v[test] = new_branch(c, &b);
	}
	return c->branch_of_test.v[test];
}

static struct str fold_into(struct compiler *c, struct arena *a, struct str s)
{
	char *p = arena_alloc(a, UTF8_FOLD_ROOM(s.n));
	if (!p) {
		c->full = true;
		return (struct str){"", 0};
	}
	return (struct str){p, utf8_fold(s, p)};
}

static uint32_t atom(struct compiler *c, uint32_t input, enum literal_kind kind, struct str text)
{
	struct test t = {.kind = TEST_ATOM, .literal_kind = (uint8_t)kind, .input = input, .guard = NONE, .text = text};
	t.p = guess_literal(c->plan->guess, kind, text);
	return test_of(c, &t, (struct str){"", 0});
}

static uint32_t present(struct compiler *c, uint32_t input)
{
	struct test t = {.kind = TEST_PRESENT, .input = input, .guard = NONE, .p = 0.8f};
	return branch_of_test(c, test_of(c, &t, (struct str){"", 0}));
}

/* ---- branches ---- */

static uint32_t intern_branch(struct compiler *c, enum branch_kind kind, const uint32_t *children, uint32_t n)
{
	uint64_t h = mix(kind, n);
	for (uint32_t i = 0; i < n; i++) h = mix(h, children[i]);
	h |= HASHED;
	struct program *g = c->g;
	intern_grow(&c->branches);
	uint32_t at = (uint32_t)h & (c->branches.size - 1);
	for (; c->branches.slots[at]; at = (at + 1) & (c->branches.size - 1)) {
		uint32_t id = c->branches.slots[at] - 1;
		const struct branch *b = &g->branches.v[id];
		if (c->branches.hashes.v[id] == h && b->kind == kind && b->n == n && !memcmp(g->refs.v + b->first, children, n * sizeof *children)) return id;
	}
	struct branch b = {kind, (uint32_t)g->refs.n, n, kind == BRANCH_OR ? 0.0f : 1.0f, 0};
	for (uint32_t i = 0; i < n; i++) {
		float p = g->branches.v[children[i]].p;
		if (kind == BRANCH_AND) b.p *= p;
		if (kind == BRANCH_OR) b.p = 1 - (1 - b.p) * (1 - p);
		if (kind == BRANCH_NOT) b.p = 1 - p;
		vec_push(&g->refs, children[i]);
	}
	uint32_t id = new_branch(c, &b);
	c->branches.hashes.v[id] = h;
	c->branches.slots[at] = id + 1;
	return id;
}

static uint32_t negation(struct compiler *c, uint32_t child)
{
	if (child == BRANCH_TRUE) return BRANCH_FALSE;
	if (child == BRANCH_FALSE) return BRANCH_TRUE;
	if (c->g->branches.v[child].kind == BRANCH_NOT) return c->g->refs.v[c->g->branches.v[child].first];
	return intern_branch(c, BRANCH_NOT, &child, 1);
}

/* Test ids of atoms first, by input; others keep their order behind. */
static int compare_atoms(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static uint32_t group_of(struct compiler *c, const uint64_t *atoms, uint32_t n)
{
	struct program *g = c->g;
	struct buf key = {0};
	struct test t = {.kind = TEST_GROUP, .input = (uint32_t)(atoms[0] >> 32), .guard = NONE};
	float none = 1;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = (uint32_t)atoms[i];
		buf_put(&key, &id, sizeof id);
		none *= 1 - g->tests.v[id].p;
	}
	t.p = 1 - none;
	uint32_t before = (uint32_t)g->tests.n, id = test_of(c, &t, buf_view(&key));
	if (id == before) {
		g->tests.v[id].first = (uint32_t)g->refs.n;
		g->tests.v[id].n = n;
		for (uint32_t i = 0; i < n; i++) vec_push(&g->refs, (uint32_t)atoms[i]);
	}
	buf_done(&key);
	return branch_of_test(c, id);
}

/* Many atoms of one input under an OR become one test. children[0..n) is rewritten; returns how many are left. */
static uint32_t make_groups(struct compiler *c, uint32_t *children, uint32_t n)
{
	if (n < GROUP_FROM) return n;
	uint64_t *atoms = xcalloc(n, sizeof *atoms);
	uint32_t n_atoms = 0, kept = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct branch *b = &c->g->branches.v[children[i]];
		const struct test *t = b->kind == BRANCH_TEST ? &c->g->tests.v[b->first] : NULL;
		if (t && (t->kind == TEST_ATOM || t->kind == TEST_NUMBER)) atoms[n_atoms++] = (uint64_t)t->input << 32 | b->first;
		else children[kept++] = children[i];
	}
	qsort(atoms, n_atoms, sizeof *atoms, compare_atoms);
	for (uint32_t i = 0, end; i < n_atoms; i = end) {
		uint32_t distinct = 0;
		for (end = i; end < n_atoms && atoms[end] >> 32 == atoms[i] >> 32; end++)
			if (end == i || atoms[end] != atoms[i + distinct - 1]) atoms[i + distinct++] = atoms[end];
		if (distinct >= GROUP_FROM) {
			children[kept++] = group_of(c, atoms + i, distinct);
			continue;
		}
		for (uint32_t j = i; j < i + distinct; j++) children[kept++] = branch_of_test(c, (uint32_t)atoms[j]);
	}
	free(atoms);
	return kept;
}

/* AND or OR over what was pushed on `pending` since `base`; pops it. */
static uint32_t join(struct compiler *c, enum branch_kind kind, size_t base)
{
	struct program *g = c->g;
	uint32_t decides = kind == BRANCH_AND ? BRANCH_FALSE : BRANCH_TRUE, neutral = kind == BRANCH_AND ? BRANCH_TRUE : BRANCH_FALSE;
	VEC(uint32_t) flat = {0};
	uint32_t result = neutral;
	for (size_t i = base; i < c->pending.n && result != decides; i++) {
		uint32_t child = c->pending.v[i];
		if (child == decides) result = decides;
		if (child == BRANCH_TRUE || child == BRANCH_FALSE) continue;
		const struct branch *b = &g->branches.v[child];
		if (b->kind != kind) {
			vec_push(&flat, child);
			continue;
		}
		for (uint32_t j = 0; j < b->n; j++) vec_push(&flat, g->refs.v[b->first + j]);
	}
	c->pending.n = base;
	if (result != decides && flat.n) {
		uint32_t n = kind == BRANCH_OR ? make_groups(c, flat.v, (uint32_t)flat.n) : (uint32_t)flat.n;
		result = n == 1 ? flat.v[0] : intern_branch(c, kind, flat.v, n);
	}
	vec_free(&flat);
	return result;
}

/* ---- inputs ---- */

static uint32_t new_input(struct compiler *c, bool keywords)
{
	vec_push(&c->g->inputs, (struct feed){.keywords = keywords, .first = (uint32_t)c->g->refs.n});
	return (uint32_t)c->g->inputs.n - 1;
}

static uint32_t keyword_input(struct compiler *c)
{
	if (c->keywords == NONE) c->keywords = new_input(c, true);
	return c->keywords;
}

/* The names under which events may hold the field, best first. */
static uint32_t generic_input(struct compiler *c, struct str field)
{
	struct program *g = c->g;
	struct buf key = {0};
	VEC(uint32_t) names = {0};
	for (uint32_t i = 0; c->binding && i < c->binding->n_renames; i++)
		if (str_eq(c->binding->renames[i].rule_field, field)) vec_push(&names, *map_put(&g->names, c->binding->renames[i].event_field, g->names.n, NULL));
	vec_push(&names, *map_put(&g->names, field, g->names.n, NULL));
	buf_put(&key, names.v, names.n * sizeof *names.v);
	bool fresh;
	uint32_t *at = map_put(&c->generic_inputs, buf_view(&key), 0, &fresh);
	if (fresh) {
		*at = new_input(c, false);
		for (size_t i = 0; i < names.n; i++) vec_push(&g->refs, names.v[i]);
		g->inputs.v[*at].n = (uint32_t)names.n;
	}
	uint32_t input = *at;
	vec_free(&names);
	buf_done(&key);
	return input;
}

/* The input of a rule's field; NONE when the shape lacks it. *ret_constant: all its columns are constants. */
static uint32_t input_of(struct compiler *c, struct str field, bool *ret_constant)
{
	*ret_constant = false;
	if (!c->shape) return generic_input(c, field);
	int32_t first = walk_column(c->shape, c->binding, field);
	if (first < 0) return NONE;
	*ret_constant = true;
	for (int32_t i = first; i >= 0; i = c->shape->columns[i].next) *ret_constant &= c->shape->columns[i].constant;
	if (c->input_of_column[first]) return c->input_of_column[first] - 1;
	uint32_t input = new_input(c, false);
	for (int32_t i = first; i >= 0; i = c->shape->columns[i].next) {
		vec_push(&c->g->refs, (uint32_t)i);
		c->g->inputs.v[input].n++;
	}
	c->input_of_column[first] = input + 1;
	return input;
}

/* ---- leaves ---- */

static void key_str(struct buf *b, struct str s)
{
	buf_put(b, &s.n, sizeof s.n);
	buf_str(b, s);
}

/* All that decides what a leaf compares with. */
static void leaf_key(struct buf *b, const struct leaf *l)
{
	struct { int64_t integer; double real; uint8_t flags[16]; } head = {l->integer, l->real, {(uint8_t)l->kind, l->cased, l->is_integer, l->truth, l->re_i, l->re_m,
		l->re_s, l->net_v6, l->net_bits, (uint8_t)l->op, (uint8_t)l->string_op, (uint8_t)l->part, l->field.n != 0}};
	buf_put(b, &head, sizeof head);
	buf_put(b, l->net, sizeof l->net);
	key_str(b, l->regex);
	if (l->kind == LEAF_NUMBER) key_str(b, l->written);
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		buf_byte(b, (char)l->pieces[i].kind);
		if (l->pieces[i].kind == PIECE_LITERAL) key_str(b, l->pieces[i].literal);
	}
}

static uint32_t leaf_test(struct compiler *c, struct test t)
{
	struct buf key = {0};
	leaf_key(&key, t.leaf);
	if (t.guard != NONE && c->g->tests.v[t.guard].p < t.p) t.p = c->g->tests.v[t.guard].p;
	uint32_t id = test_of(c, &t, buf_view(&key));
	buf_done(&key);
	return branch_of_test(c, id);
}

/* Whether the pieces are one literal with '*' at none, one or both ends; then the kind and the literal. */
static bool simple_pattern(const struct leaf *l, enum literal_kind *kind, struct str *text)
{
	const struct piece *p = l->pieces;
	uint32_t n = l->n_pieces;
	bool front = n && p[0].kind == PIECE_ANY, back = n > 1 && p[n - 1].kind == PIECE_ANY;
	if (n - front - back != 1 || p[front].kind != PIECE_LITERAL || !p[front].literal.n) return false;
	*kind = front && back ? LITERAL_CONTAINS : front ? LITERAL_SUFFIX : back ? LITERAL_PREFIX : LITERAL_EXACT;
	if (!l->field.n) *kind = LITERAL_CONTAINS;
	*text = p[front].literal;
	return true;
}

/* The most telling literal of a pattern with wildcards, as an atom; NONE when it has none. */
static uint32_t pattern_guard(struct compiler *c, const struct leaf *l, uint32_t input)
{
	uint32_t best = NONE;
	float best_p = 2;
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		struct str s = l->pieces[i].literal;
		if (l->pieces[i].kind != PIECE_LITERAL || !s.n) continue;
		bool first = i == 0 && l->field.n, last = i + 1 == l->n_pieces && l->field.n;
		enum literal_kind kind = first && last ? LITERAL_EXACT : first ? LITERAL_PREFIX : last ? LITERAL_SUFFIX : LITERAL_CONTAINS;
		if (l->cased) s = fold_into(c, &c->g->arena, s);
		float p = guess_literal(c->plan->guess, kind, s);
		if (p >= best_p) continue;
		best_p = p;
		best = atom(c, input, kind, s);
	}
	return best;
}

/* The texts that the binding's value renames add, as whole texts; pushed on `pending`. */
static void push_renamed(struct compiler *c, const struct leaf *l, uint32_t input)
{
	static const struct leaf empty_text = {.kind = LEAF_STRING, .field = {"x", 1}};
	struct str other;
	for (uint32_t i = 0; leaf_renamed_value(l, c->binding, &i, &other);) {
		struct str folded = fold_into(c, &c->g->arena, other);
		uint32_t test = folded.n ? branch_of_test(c, atom(c, input, LITERAL_EXACT, folded)) :
			leaf_test(c, (struct test){.kind = TEST_LEAF, .input = input, .guard = NONE, .leaf = &empty_text, .p = 0.1f});
		vec_push(&c->pending, test);
	}
}

static uint32_t pattern_test(struct compiler *c, const struct leaf *l, uint32_t input)
{
	enum literal_kind kind;
	struct str text;
	bool wild = l->n_pieces > 0 || !l->field.n;
	for (uint32_t i = 0; i < l->n_pieces; i++) wild &= l->pieces[i].kind == PIECE_ANY;
	if (wild) return present(c, input);
	if (!l->cased && simple_pattern(l, &kind, &text)) return branch_of_test(c, atom(c, input, kind, text));
	return leaf_test(c, (struct test){.kind = TEST_LEAF, .input = input, .guard = pattern_guard(c, l, input), .leaf = l, .p = 0.1f});
}

static uint32_t string_leaf(struct compiler *c, const struct leaf *l, uint32_t input)
{
	size_t base = c->pending.n;
	uint32_t own = pattern_test(c, l, input);
	vec_push(&c->pending, own);
	push_renamed(c, l, input);
	return join(c, BRANCH_OR, base);
}

static uint32_t number_leaf(struct compiler *c, const struct leaf *l, uint32_t input)
{
	struct number n;
	if (!l->field.n) {
		struct str text = fold_into(c, &c->g->arena, l->written);
		return text.n ? branch_of_test(c, atom(c, input, LITERAL_CONTAINS, text)) : present(c, input);
	}
	if (l->is_integer && number_of_text(l->written, &n)) {
		struct test t = {.kind = TEST_NUMBER, .input = input, .guard = NONE, .number = l->integer, .p = l->integer == 200 ? 0.9f : 0.02f};
		return branch_of_test(c, test_of(c, &t, (struct str){"", 0}));
	}
	return leaf_test(c, (struct test){.kind = TEST_LEAF, .input = input, .guard = NONE, .leaf = l, .p = 0.02f});
}

static uint32_t bool_leaf(struct compiler *c, const struct leaf *l, uint32_t input)
{
	size_t base = c->pending.n;
	uint32_t own = branch_of_test(c, atom(c, input, LITERAL_EXACT, l->truth ? STR("true") : STR("false")));
	vec_push(&c->pending, own);
	push_renamed(c, l, input);
	return join(c, BRANCH_OR, base);
}

static uint32_t regex_leaf(struct compiler *c, const struct leaf *l, uint32_t input)
{
	struct test t = {.kind = TEST_LEAF, .input = input, .guard = NONE, .leaf = l, .regex = plan_regex(c->plan, l), .p = 0.05f};
	struct str literal = t.regex ? regex_literal(t.regex) : (struct str){"", 0};
	if (literal.n) t.guard = atom(c, input, LITERAL_CONTAINS, literal);
	return leaf_test(c, t);
}

static uint32_t refer_leaf(struct compiler *c, const struct leaf *l, uint32_t input)
{
	bool constant;
	struct test t = {.kind = TEST_REFER, .input = input, .guard = NONE, .leaf = l, .p = 0.05f};
	t.other = input_of(c, l->other_field, &constant);
	if (t.other == NONE) return BRANCH_FALSE;
	return leaf_test(c, t);
}

/* What the shape's constants say. */
static uint32_t constant_leaf(struct compiler *c, const struct leaf *l)
{
	struct walk w = {&c->blank, {c->plan, c->binding, &c->g->arena, &c->scratch}};
	struct arena scratch;
	arena_init(&scratch, 1 << 28);
	w.leaf.scratch = &scratch;
	enum verdict v = walk_leaf(&w, l, NULL);
	arena_done(&scratch);
	if (v == VERDICT_UNDECIDED) return NONE;
	return v == VERDICT_YES ? BRANCH_TRUE : BRANCH_FALSE;
}

static uint32_t open_leaf(struct compiler *c, const struct leaf *l, uint32_t input)
{
	struct test t = {.input = input, .guard = NONE, .leaf = l, .p = 0.1f};
	switch (l->kind) {
	case LEAF_STRING: return string_leaf(c, l, input);
	case LEAF_NUMBER: return number_leaf(c, l, input);
	case LEAF_BOOL: return bool_leaf(c, l, input);
	case LEAF_REGEX: return regex_leaf(c, l, input);
	case LEAF_FIELDREF: return refer_leaf(c, l, input);
	case LEAF_NULL: case LEAF_EMPTY: case LEAF_EXISTS:
		t.kind = TEST_CELL;
		t.p = l->kind == LEAF_EXISTS && l->truth ? 0.9f : 0.1f;
		return leaf_test(c, t);
	case LEAF_CIDR: case LEAF_COMPARE: case LEAF_TIMEPART:
		t.kind = TEST_LEAF;
		t.p = 0.3f;
		return leaf_test(c, t);
	case LEAF_NEVER: break;
	}
	return BRANCH_FALSE;
}

static bool refers_to_variable(struct compiler *c, const struct leaf *l)
{
	bool constant = true;
	return l->kind == LEAF_FIELDREF && input_of(c, l->other_field, &constant) != NONE && !constant;
}

static uint32_t build_leaf(struct compiler *c, const struct leaf *l)
{
	bool constant;
	if (l->kind == LEAF_NEVER) return BRANCH_FALSE;
	if (!l->field.n) {
		bool whole = l->kind == LEAF_NULL || l->kind == LEAF_EXISTS || l->kind == LEAF_FIELDREF || l->kind == LEAF_EMPTY;
		return whole ? BRANCH_FALSE : open_leaf(c, l, keyword_input(c));
	}
	uint32_t input = input_of(c, l->field, &constant);
	if (input == NONE) return l->kind == LEAF_NULL || (l->kind == LEAF_EXISTS && !l->truth) ? BRANCH_TRUE : BRANCH_FALSE;
	if (constant && !refers_to_variable(c, l)) {
		uint32_t decided = constant_leaf(c, l);
		if (decided != NONE) return decided;
	}
	return open_leaf(c, l, input);
}

static uint32_t build(struct compiler *c, const struct node *n)
{
	size_t base = c->pending.n;
	uint32_t decides = n->kind == NODE_AND ? BRANCH_FALSE : BRANCH_TRUE;
	switch (n->kind) {
	case NODE_LEAF: return build_leaf(c, n->leaf);
	case NODE_NOT: return negation(c, build(c, n->children[0]));
	case NODE_AND: case NODE_OR: break;
	}
	for (uint32_t i = 0; i < n->n; i++) {
		uint32_t child = build(c, n->children[i]);
		vec_push(&c->pending, child);
		if (child == decides) break;
	}
	return join(c, n->kind == NODE_AND ? BRANCH_AND : BRANCH_OR, base);
}

/* ---- rules ---- */

/* The binding's own condition: an atom on the column as the event names it. */
static uint32_t build_when(struct compiler *c, const struct logsource_binding *b)
{
	if (!b->when_field.n) return BRANCH_TRUE;
	struct str folded = fold_into(c, &c->g->arena, b->when_value);
	struct piece *piece = arena_calloc(&c->g->arena, 1, sizeof *piece);
	struct leaf *l = arena_calloc(&c->g->arena, 1, sizeof *l);
	if (!piece || !l) {
		c->full = true;
		return BRANCH_FALSE;
	}
	*piece = (struct piece){PIECE_LITERAL, folded};
	*l = (struct leaf){.kind = LEAF_STRING, .field = b->when_field, .pieces = piece, .n_pieces = folded.n != 0};
	c->binding = NULL;
	return build_leaf(c, l);
}

static void add_cover(struct program *g, uint32_t rule, uint64_t whens)
{
	size_t i = 0;
	while (i < g->covers.n && g->covers.v[i].whens != whens) i++;
	if (i == g->covers.n) vec_push(&g->covers, (struct cover_class){.whens = whens});
	vec_push(&g->covers.v[i].rules, rule);
}

/* The condition's bit; conditions that are the same branch share it. */
static uint64_t when_bit(struct compiler *c, uint32_t branch)
{
	struct program *g = c->g;
	size_t i = 0;
	while (i < g->whens.n && g->whens.v[i] != branch) i++;
	if (i == MAX_WHENS) {
		c->full = true;
		return 0;
	}
	if (i == g->whens.n) vec_push(&g->whens, branch);
	return 1ull << i;
}

struct built { uint32_t root, rule; int32_t binding; };
static int compare_built(const void *a, const void *b)
{
	const struct built *x = a, *y = b;
	if (x->root != y->root) return x->root < y->root ? -1 : 1;
	if (x->rule != y->rule) return x->rule < y->rule ? -1 : 1;
	return (x->binding > y->binding) - (x->binding < y->binding);
}

struct building {
	VEC(struct built) roots;
	const uint32_t *when_of; /* [n_bindings] */
};

/* A rule through all bindings that fit it. */
static void build_rule(struct compiler *c, struct building *b, uint32_t index, const uint32_t *bindings, uint32_t n)
{
	const struct rule *r = c->plan->rules[index];
	uint64_t whens = 0;
	bool unconditional = false;
	size_t first = b->roots.n;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t when = b->when_of[bindings[i]];
		if (when == BRANCH_FALSE) continue;
		if (when == BRANCH_TRUE) unconditional = true;
		else whens |= when_bit(c, when);
		c->binding = &c->bindings[bindings[i]];
		size_t base = c->pending.n;
		vec_push(&c->pending, when);
		uint32_t body = build(c, r->condition);
		vec_push(&c->pending, body);
		uint32_t root = join(c, BRANCH_AND, base);
		bool known = root == BRANCH_FALSE;
		for (size_t j = first; j < b->roots.n && !known; j++) known = b->roots.v[j].root == root;
		if (!known) vec_push(&b->roots, (struct built){root, index, (int32_t)bindings[i]});
	}
	if (unconditional || whens) add_cover(c->g, index, unconditional ? 0 : whens);
}

static void build_routes(struct compiler *c, struct building *b)
{
	uint32_t *fitting = xcalloc(c->n_bindings ? c->n_bindings : 1, sizeof *fitting);
	for (size_t i = 0; i < c->plan->routes.n; i++) {
		const struct route *route = &c->plan->routes.v[i];
		uint32_t n = 0;
		for (uint32_t j = 0; j < c->n_bindings; j++)
			if (logsource_covers(&route->ls, &c->bindings[j].ls)) fitting[n++] = j;
		for (size_t j = 0; n && j < route->rules.n; j++) build_rule(c, b, route->rules.v[j], fitting, n);
	}
	free(fitting);
}

static void build_any(struct compiler *c, struct building *b)
{
	c->binding = NULL;
	for (size_t i = 0; i < c->plan->routes.n; i++) {
		for (size_t j = 0; j < c->plan->routes.v[i].rules.n; j++) {
			uint32_t index = c->plan->routes.v[i].rules.v[j];
			uint32_t root = build(c, c->plan->rules[index]->condition);
			add_cover(c->g, index, 0);
			if (root != BRANCH_FALSE) vec_push(&b->roots, (struct built){root, index, -1});
		}
	}
}

/* Equal roots become one tree. */
static void make_trees(struct compiler *c, struct building *b)
{
	struct program *g = c->g;
	if (b->roots.n) qsort(b->roots.v, b->roots.n, sizeof *b->roots.v, compare_built);
	for (size_t i = 0; i < b->roots.n; i++) {
		uint32_t root = b->roots.v[i].root == BRANCH_TRUE ? NONE : b->roots.v[i].root;
		if (!g->trees.n || g->trees.v[g->trees.n - 1].root != root)
			vec_push(&g->trees, (struct tree){.root = root, .first = (uint32_t)g->instances.n});
		vec_push(&g->instances, (struct instance){b->roots.v[i].rule, b->roots.v[i].binding});
		g->trees.v[g->trees.n - 1].n++;
	}
}

static void begin(struct compiler *c, struct plan *p, const struct shape *shape, const struct logsource_binding *bindings, uint32_t n_bindings)
{
	*c = (struct compiler){.plan = p, .shape = shape, .bindings = bindings, .n_bindings = n_bindings, .keywords = NONE};
	c->g = xcalloc(1, sizeof *c->g);
	c->g->generic = !shape;
	arena_init(&c->g->arena, ARENA_BUDGET);
	arena_init(&c->scratch, ARENA_BUDGET);
	if (!shape) return;
	c->input_of_column = xcalloc(shape->n_columns + 1, sizeof *c->input_of_column);
	c->blank = (struct event){.shape = shape, .cells = xcalloc(shape->n_columns + 1, sizeof *c->blank.cells), .arena = &c->g->arena};
}

static struct program *end(struct compiler *c, struct building *b)
{
	struct program *g = c->g;
	make_trees(c, b);
	bool ok = !c->full && !c->scratch.refused && program_finish(g, c->plan->guess, c->plan->engine);
	vec_free(&b->roots);
	intern_done(&c->tests);
	intern_done(&c->branches);
	vec_free(&c->branch_of_test);
	vec_free(&c->test_keys);
	vec_free(&c->pending);
	map_done(&c->generic_inputs);
	arena_done(&c->scratch);
	free(c->input_of_column);
	free(c->blank.cells);
	if (ok) return g;
	program_free(g);
	return NULL;
}

struct program *program_new(struct plan *p, const struct shape *shape, const struct logsource_binding *bindings, uint32_t n_bindings)
{
	struct compiler c;
	struct building b = {0};
	begin(&c, p, shape, bindings, n_bindings);
	uint32_t *when_of = xcalloc(n_bindings ? n_bindings : 1, sizeof *when_of);
	for (uint32_t i = 0; i < n_bindings; i++) when_of[i] = build_when(&c, &bindings[i]);
	b.when_of = when_of;
	if (p->options.any_logsource) build_any(&c, &b);
	else build_routes(&c, &b);
	struct program *g = end(&c, &b);
	free(when_of);
	return g;
}

struct program *program_of_rule(struct plan *p, const struct rule *r)
{
	struct compiler c;
	struct building b = {0};
	begin(&c, p, NULL, NULL, 0);
	uint32_t root = build(&c, r->condition);
	if (root != BRANCH_FALSE) vec_push(&b.roots, (struct built){root, r->index, -1});
	return end(&c, &b);
}

void program_free(struct program *g)
{
	if (!g) return;
	for (size_t i = 0; i < g->covers.n; i++) vec_free(&g->covers.v[i].rules);
	vec_free(&g->covers);
	vec_free(&g->inputs);
	vec_free(&g->tests);
	vec_free(&g->branches);
	vec_free(&g->refs);
	vec_free(&g->instances);
	vec_free(&g->trees);
	vec_free(&g->always);
	vec_free(&g->gate_inputs);
	vec_free(&g->whens);
	map_done(&g->names);
	arena_done(&g->arena);
	free(g);
}
