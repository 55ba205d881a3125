/* gate.c: what is scanned for every event, and in which order trees are asked. See program_internal.h.
 *
 * A gate of a tree is a set of atoms of which one must be found when the tree holds: of an AND the gate of any one part will do,
 * of an OR it takes those of all parts together, a NOT has none. Chosen is the gate that opens seldom and stands in inputs
 * that are scanned anyway: a first round chooses by rarity alone, a second one charges each scan to those that want it. */
#include "match/program_internal.h"
#include "base/alloc.h"

enum { CLASSES = 64 };
static const float OPENED = 150;                                         /* instructions that an opened gate costs */
static const float SCAN_CONTAINS = 500, SCAN_ENDS = 150, SCAN_KEYWORDS = 1000; /* and a scan, by what is looked for */

struct gate {
	bool possible;
	float p;
	uint64_t classes;   /* scans it needs: bits of class_of */
	uint32_t first, n;  /* atoms in gating.atoms */
};
struct gating {
	struct program *g;
	struct gate *gates; /* by branch */
	VEC(uint32_t) atoms;
	float cost[CLASSES];
};

static uint32_t class_of(const struct test *t)
{
	uint32_t c = t->input * 2 + (t->kind == TEST_ATOM && t->literal_kind == LITERAL_CONTAINS);
	return c < CLASSES - 1 ? c : CLASSES - 1;
}

static float gate_score(const struct gating *s, const struct gate *gate)
{
	float score = gate->p * OPENED;
	for (uint64_t c = gate->classes; c; c &= c - 1) score += s->cost[__builtin_ctzll(c)];
	return score;
}

static void add_atom(struct gating *s, struct gate *gate, uint32_t id)
{
	const struct test *t = &s->g->tests.v[id];
	vec_push(&s->atoms, id);
	gate->n++;
	gate->p += t->p;
	gate->classes |= 1ull << class_of(t);
}

static struct gate gate_of_test(struct gating *s, uint32_t id)
{
	struct gate gate = {.first = (uint32_t)s->atoms.n};
	const struct test *t = &s->g->tests.v[id];
	if (t->kind == TEST_ATOM || t->kind == TEST_NUMBER) add_atom(s, &gate, id);
	else if (t->kind == TEST_GROUP)
		for (uint32_t i = 0; i < t->n; i++) add_atom(s, &gate, s->g->refs.v[t->first + i]);
	else if (t->guard != NONE) add_atom(s, &gate, t->guard);
	gate.possible = gate.n > 0;
	return gate;
}

static struct gate gate_of_or(struct gating *s, const struct branch *b)
{
	struct gate gate = {.first = (uint32_t)s->atoms.n, .possible = true};
	for (uint32_t i = 0; i < b->n; i++)
		if (!s->gates[s->g->refs.v[b->first + i]].possible) return (struct gate){0};
	for (uint32_t i = 0; i < b->n; i++) {
		const struct gate *part = &s->gates[s->g->refs.v[b->first + i]];
		for (uint32_t j = 0; j < part->n; j++) {
			uint32_t id = s->atoms.v[part->first + j];
			add_atom(s, &gate, id);
		}
	}
	return gate;
}

static struct gate gate_of_and(const struct gating *s, const struct branch *b)
{
	struct gate best = {0};
	for (uint32_t i = 0; i < b->n; i++) {
		const struct gate *part = &s->gates[s->g->refs.v[b->first + i]];
		if (part->possible && (!best.possible || gate_score(s, part) < gate_score(s, &best))) best = *part;
	}
	return best;
}

/* Children come before their parents. */
static void choose(struct gating *s)
{
	s->atoms.n = 0;
	for (uint32_t i = 0; i < s->g->branches.n; i++) {
		const struct branch *b = &s->g->branches.v[i];
		switch ((enum branch_kind)b->kind) {
		case BRANCH_TEST: s->gates[i] = gate_of_test(s, b->first); break;
		case BRANCH_AND: s->gates[i] = gate_of_and(s, b); break;
		case BRANCH_OR: s->gates[i] = gate_of_or(s, b); break;
		case BRANCH_NOT: s->gates[i] = (struct gate){0}; break;
		}
	}
}

/* What each scan costs when those that want it share it. */
static void share_costs(struct gating *s)
{
	uint32_t users[CLASSES] = {0};
	for (size_t i = 0; i < s->g->trees.n; i++) {
		uint32_t root = s->g->trees.v[i].root;
		for (uint64_t c = root == NONE ? 0 : s->gates[root].classes; c; c &= c - 1) users[__builtin_ctzll(c)]++;
	}
	for (uint32_t c = 0; c < CLASSES; c++) {
		bool keywords = c / 2 < s->g->inputs.n && s->g->inputs.v[c / 2].keywords;
		s->cost[c] = (keywords ? SCAN_KEYWORDS : c % 2 ? SCAN_CONTAINS : SCAN_ENDS) / (float)(users[c] ? users[c] : 1);
	}
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static void keep_gates(struct gating *s)
{
	struct program *g = s->g;
	for (uint32_t i = 0; i < g->trees.n; i++) {
		struct tree *t = &g->trees.v[i];
		const struct gate *gate = t->root == NONE ? NULL : &s->gates[t->root];
		t->first_gate = (uint32_t)g->refs.n;
		if (!gate || !gate->possible) {
			vec_push(&g->always, i);
			continue;
		}
		uint32_t *atoms = s->atoms.v + gate->first;
		qsort(atoms, gate->n, sizeof *atoms, compare_ids);
		for (uint32_t j = 0; j < gate->n; j++) {
			if (j && atoms[j] == atoms[j - 1]) continue;
			vec_push(&g->refs, atoms[j]);
			t->n_gates++;
			g->tests.v[atoms[j]].gate = true;
		}
	}
}

/* ---- what is reachable, what is scanned ---- */

/* Whether nothing of the tree is asked where the gates of keywords found nothing. */
static bool needs_keywords(const struct program *g, const struct tree *t)
{
	for (uint32_t i = 0; i < t->n_gates; i++)
		if (!g->inputs.v[g->tests.v[g->refs.v[t->first_gate + i]].input].keywords) return false;
	return t->n_gates > 0;
}

/* Which branches and tests may be asked; `no_keywords`: of an event in which the gates of keywords found nothing. */
static void reach(const struct program *g, bool no_keywords, bool *branches, bool *tests)
{
	for (size_t i = 0; i < g->trees.n; i++) {
		const struct tree *t = &g->trees.v[i];
		if (t->root != NONE && !(no_keywords && needs_keywords(g, t))) branches[t->root] = true;
	}
	for (size_t i = 0; i < g->whens.n; i++) branches[g->whens.v[i]] = true;
	for (size_t i = g->branches.n; i-- > 0;) {
		const struct branch *b = &g->branches.v[i];
		if (!branches[i]) continue;
		if (b->kind == BRANCH_TEST) tests[b->first] = true;
		else
			for (uint32_t j = 0; j < b->n; j++) branches[g->refs.v[b->first + j]] = true;
	}
}

static void mark_rest(struct program *g, const bool *used)
{
	for (size_t i = 0; i < g->tests.n; i++) {
		struct test *t = &g->tests.v[i];
		if (!used[i] || t->kind != TEST_GROUP) continue;
		t->gate = true;
		for (uint32_t j = 0; j < t->n; j++) t->gate &= g->tests.v[g->refs.v[t->first + j]].gate;
		for (uint32_t j = 0; j < t->n && !t->gate; j++) {
			struct test *atom = &g->tests.v[g->refs.v[t->first + j]];
			atom->rest = !atom->gate;
		}
	}
}

static void post(struct program *g, uint32_t atom, uint32_t what, bool count_only)
{
	struct test *t = &g->tests.v[atom];
	if (!count_only) g->refs.v[t->first_post + t->n_posts] = what;
	t->n_posts++;
}

/* Each scanned atom's list of what it opens: first counted, then filled. */
static void make_posts(struct program *g, const bool *used)
{
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < g->tests.n; i++) {
			const struct test *t = &g->tests.v[i];
			for (uint32_t j = 0; used[i] && t->kind == TEST_GROUP && j < t->n; j++) post(g, g->refs.v[t->first + j], i, round == 0);
		}
		for (uint32_t i = 0; i < g->trees.n; i++)
			for (uint32_t j = 0; j < g->trees.v[i].n_gates; j++) post(g, g->refs.v[g->trees.v[i].first_gate + j], i | POST_TREE, round == 0);
		for (size_t i = 0; i < g->tests.n && round == 0; i++) {
			struct test *t = &g->tests.v[i];
			t->first_post = (uint32_t)g->refs.n;
			for (; t->n_posts; t->n_posts--) vec_push(&g->refs, NONE);
		}
	}
}

static const struct number_set *numbers_new(struct program *g, const uint32_t *ids, uint32_t n)
{
	struct number_set *s = arena_calloc(&g->arena, 1, sizeof *s);
	uint32_t size = 4;
	while (size < n * 2) size *= 2;
	if (!s || !(s->slots = arena_calloc(&g->arena, size, sizeof *s->slots))) return NULL;
	s->mask = size - 1;
	for (uint32_t i = 0; i < n; i++) {
		int64_t number = g->tests.v[ids[i]].number;
		uint32_t at = number_slot(s, number);
		s->slots[at].number = number;
		s->slots[at].id = ids[i] + 1;
	}
	return s;
}

struct scan_maker {
	struct program *g;
	const struct guess *guess;
	enum scan_engine engine;
	const uint32_t *by_input, *starts; /* tests sorted by input */
	struct scan_literal *literals;     /* room for all tests */
	uint32_t *numbers;
};

/* The scanner and the numbers of one input, of gates or of the rest. */
static bool make_scan(struct scan_maker *s, uint32_t input, bool gates)
{
	struct program *g = s->g;
	uint32_t n = 0, n_numbers = 0;
	for (uint32_t i = s->starts[input]; i < s->starts[input + 1]; i++) {
		uint32_t id = s->by_input[i];
		const struct test *t = &g->tests.v[id];
		if (gates ? !t->gate : !t->rest) continue;
		if (t->kind == TEST_ATOM) s->literals[n++] = (struct scan_literal){t->text, id, t->literal_kind};
		if (t->kind == TEST_NUMBER) s->numbers[n_numbers++] = id;
	}
	for (uint32_t i = 0; i < n && gates; i++) edges_add(&g->inputs.v[input].gate_edges, s->literals[i].kind, s->literals[i].text);
	const struct scanner *scanner = n ? scanner_new(&g->arena, s->literals, n, s->guess, s->engine) : NULL;
	const struct number_set *numbers = n_numbers ? numbers_new(g, s->numbers, n_numbers) : NULL;
	*(gates ? &g->inputs.v[input].gates : &g->inputs.v[input].rest) = scanner;
	*(gates ? &g->inputs.v[input].gate_numbers : &g->inputs.v[input].rest_numbers) = numbers;
	if (gates && g->inputs.v[input].keywords && scanner && !numbers && scanner_joinable(scanner))
		g->inputs.v[input].sieve = sieve_new(&g->arena, s->literals, n, s->guess, s->engine);
	if (gates && n + n_numbers) vec_push(&g->gate_inputs, input);
	return (!n || scanner) && (!n_numbers || numbers);
}

static bool make_scans(struct program *g, const struct guess *guess, enum scan_engine engine)
{
	uint32_t n = (uint32_t)g->tests.n, n_inputs = (uint32_t)g->inputs.n;
	uint32_t *starts = xcalloc(n_inputs + 2, sizeof *starts), *by_input = xcalloc(n + 1, sizeof *by_input);
	for (uint32_t i = 0; i < n; i++) starts[g->tests.v[i].input + 2]++;
	for (uint32_t i = 2; i < n_inputs + 2; i++) starts[i] += starts[i - 1];
	for (uint32_t i = 0; i < n; i++) by_input[starts[g->tests.v[i].input + 1]++] = i;
	struct scan_maker s = {g, guess, engine, by_input, starts, xcalloc(n + 1, sizeof *s.literals), xcalloc(n + 1, sizeof *s.numbers)};
	bool ok = true;
	for (uint32_t i = 0; i < n_inputs && ok; i++) ok = make_scan(&s, i, true) && make_scan(&s, i, false);
	free(starts);
	free(by_input);
	free(s.literals);
	free(s.numbers);
	return ok;
}

/* ---- what the ends of a text rule out ---- */

static bool add_edges(const struct program *g, struct edges *to, const struct test *t)
{
	if (t->kind == TEST_ATOM) edges_add(to, t->literal_kind, t->text);
	else if (t->kind != TEST_GROUP) return false;
	for (uint32_t i = 0; t->kind == TEST_GROUP && i < t->n; i++)
		if (!add_edges(g, to, &g->tests.v[g->refs.v[t->first + i]])) return false;
	return !to->anywhere;
}

static void find_edges(struct program *g)
{
	for (size_t i = 0; i < g->tests.n; i++) {
		struct test *t = &g->tests.v[i];
		t->tells = add_edges(g, &t->edges, t);
	}
}

/* ---- what an event's outcome depends on ---- */

/* Whether a test of keywords says no where the gates of keywords found nothing. */
static bool is_gated(const struct program *g, const struct test *t)
{
	if (t->kind == TEST_ATOM || t->kind == TEST_GROUP) return t->gate;
	return t->kind == TEST_LEAF && t->guard != NONE && g->tests.v[t->guard].gate;
}

static void add_asked(const struct program *g, uint8_t *has, uint32_t n, uint32_t input)
{
	const struct feed *in = &g->inputs.v[input];
	for (uint32_t i = 0; !in->keywords && i < in->n; i++) {
		verify(g->refs.v[in->first + i] < n);
		has[g->refs.v[in->first + i]] = 1;
	}
}

/* `used`: tests that may be asked of any event. Columns, and keywords beyond the gates, count where they may be asked of an event that the sieve has looked at. */
static bool find_asked(struct program *g, const bool *used)
{
	uint32_t n = 0, most = 0;
	if (g->generic || (!g->trees.n && !g->whens.n)) return true;
	for (size_t i = 0; i < g->inputs.n; i++)
		for (uint32_t k = 0; !g->inputs.v[i].keywords && k < g->inputs.v[i].n; k++)
			if (g->refs.v[g->inputs.v[i].first + k] >= most) most = g->refs.v[g->inputs.v[i].first + k] + 1;
	uint8_t *has = arena_calloc(&g->arena, most + 1, 1);
	uint32_t *v = arena_calloc(&g->arena, most + 1, sizeof *v);
	if (!has || !v) return false;
	bool *branches = xcalloc(g->branches.n + 1, 1), *tests = xcalloc(g->tests.n + 1, 1);
	reach(g, true, branches, tests);
	g->recallable = true;
	for (size_t i = 0; i < g->tests.n; i++) {
		const struct test *t = &g->tests.v[i];
		const struct feed *in = &g->inputs.v[t->input];
		if (used[i] && in->keywords) g->keywords = in->sieve;
		if (used[i] && in->keywords && !in->sieve) g->recallable = false;
		if (!tests[i]) continue;
		add_asked(g, has, most, t->input);
		if (in->keywords && !is_gated(g, t)) g->recallable = false;
		if (t->kind != TEST_REFER) continue;
		add_asked(g, has, most, t->other);
		if (g->inputs.v[t->other].keywords) g->recallable = false;
	}
	for (uint32_t i = 0; i < most; i++)
		if (has[i]) v[n++] = i;
	g->asked = (struct column_set){v, n, has, most};
	free(branches);
	free(tests);
	return true;
}

/* ---- order ---- */

static float test_cost(const struct program *g, const struct test *t)
{
	const struct feed *in = &g->inputs.v[t->input];
	float load = in->gates || in->gate_numbers ? 0 : in->keywords ? 1000 : 80;
	if (t->gate) return 4;
	switch ((enum test_kind)t->kind) {
	case TEST_ATOM: return load + (t->literal_kind == LITERAL_CONTAINS ? in->keywords ? 1000 : 60 : 20);
	case TEST_NUMBER: return load + 20;
	case TEST_GROUP: return load + (in->keywords ? 3000 : 250);
	case TEST_PRESENT: case TEST_CELL: return load + 15;
	case TEST_LEAF: return load + (t->regex ? t->guard != NONE ? 60 + 1500 * t->p : 1500 : 100);
	case TEST_REFER: return load + 150;
	}
	return load;
}

struct ranked { float rank; uint32_t place, id; };
static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

/* Children by cost over the chance that they decide; then the cost expected of all. */
static void order_children(struct program *g, struct branch *b, struct ranked *room)
{
	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t id = g->refs.v[b->first + i];
		const struct branch *child = &g->branches.v[id];
		float decides = b->kind == BRANCH_AND ? 1 - child->p : child->p;
		room[i] = (struct ranked){child->cost / (decides + 1e-6f), i, id};
	}
	qsort(room, b->n, sizeof *room, compare_ranked);
	float reached = 1;
	b->cost = 5;
	for (uint32_t i = 0; i < b->n; i++) {
		const struct branch *child = &g->branches.v[room[i].id];
		g->refs.v[b->first + i] = room[i].id;
		b->cost += reached * child->cost;
		reached *= b->kind == BRANCH_AND ? child->p : 1 - child->p;
	}
}

static void order(struct program *g)
{
	uint32_t most = 1;
	for (size_t i = 0; i < g->branches.n; i++)
		if (g->branches.v[i].n > most) most = g->branches.v[i].n;
	struct ranked *room = xcalloc(most, sizeof *room);
	for (size_t i = 0; i < g->tests.n; i++) g->tests.v[i].cost = test_cost(g, &g->tests.v[i]);
	for (size_t i = 0; i < g->branches.n; i++) {
		struct branch *b = &g->branches.v[i];
		if (b->kind == BRANCH_TEST) b->cost = g->tests.v[b->first].cost;
		else if (b->kind == BRANCH_NOT) b->cost = g->branches.v[g->refs.v[b->first]].cost + 3;
		else order_children(g, b, room);
	}
	free(room);
}

static size_t program_size(const struct program *g)
{
	return sizeof *g + g->arena.used + g->inputs.cap * sizeof *g->inputs.v + g->tests.cap * sizeof *g->tests.v + g->branches.cap * sizeof *g->branches.v +
	       g->refs.cap * sizeof *g->refs.v + g->instances.cap * sizeof *g->instances.v + g->trees.cap * sizeof *g->trees.v + g->names.bytes;
}

bool program_finish(struct program *g, const struct guess *guess, enum scan_engine engine)
{
	struct gating s = {.g = g, .gates = xcalloc(g->branches.n + 1, sizeof *s.gates)};
	bool *branches = xcalloc(g->branches.n + 1, 1), *tests = xcalloc(g->tests.n + 1, 1);
	choose(&s);
	share_costs(&s);
	choose(&s);
	keep_gates(&s);
	reach(g, false, branches, tests);
	mark_rest(g, tests);
	make_posts(g, tests);
	find_edges(g);
	bool ok = make_scans(g, guess, engine) && find_asked(g, tests);
	order(g);
	g->bytes = program_size(g);
	free(s.gates);
	vec_free(&s.atoms);
	free(branches);
	free(tests);
	return ok;
}
