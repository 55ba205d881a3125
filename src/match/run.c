/* run.c: one thread's matcher: an event through its program. See match.h and program_internal.h.
 *
 * Everything remembered about an event is tagged with its number (epoch), so that nothing has to be cleared between events.
 * Nothing is allocated per event but folded copies, in an arena that keeps its memory. */
#include "match/cohort_internal.h"
#include "match/memo_internal.h"
#include "match/program_internal.h"
#include "match/recall_internal.h"
#include "match/walk_internal.h"
#include "text/utf.h"

enum { SCRATCH_BUDGET = 1 << 30, EPOCH_LAST = (1 << 30) - 1 };

/* One scalar that is not null. */
struct member {
	struct value *value;
	struct str text;      /* VALUE_STR at once, others when asked */
	struct str folded;
	bool has_text, has_folded;
};
/* What is known of an input in this event. */
struct slot {
	uint32_t epoch;
	uint32_t n, room;
	bool present, has_null, has_empty;
	bool rest_done;
	bool serial_known;
	uint64_t serial;      /* of the memo's entry of its one text; 0 = none */
	struct member first;
	struct member *more;  /* [room]: the second and later ones */
};

struct matcher {
	struct plan *plan;
	struct arena scratch; /* folded copies, further members; reset per event */
	struct arena walked;  /* for slow_run and details */
	struct memo *memo;    /* texts that were scanned before */
	struct recall *recall;/* whole events that were met before; NULL: none is remembered */
	struct details_memo *details; /* what made rules hold in such events */
	uint64_t met;         /* of the event: the serial of its entry in `recall`; 0 = none */
	struct buf raw;       /* what the event says in the columns that rules ask, undecoded */
	struct buf joined;    /* what keywords look at */
	struct buf shared;    /* what the event says in the columns of the cohort, undecoded */
	struct cohort *cohort;/* of the program; NULL: none, or not for this event */
	uint64_t cohort_serial; /* of the memo's entry of the cohort's columns; 0 = none */
	/* What matcher_ahead found: the event, NULL when it found nothing; its program, and the hash of its key, 0 when it is not looked for. */
	const struct event *ahead;
	uint32_t program;
	uint64_t hash;
	bool sifted;          /* the sieve ruled this event's keywords out */
	struct event *ev;
	const struct program *g;
	uint32_t epoch;
	bool failed;          /* a value could not be folded: the event is walked instead */
	/* By test, input, tree of the largest program met so far; by epoch. */
	uint32_t *tests;      /* epoch << 2 | verdict */
	struct slot *slots;
	uint32_t *trees;
	uint32_t *found, *candidates;
	uint32_t n_tests, n_inputs, n_trees, n_candidates;
	int32_t *name_column; /* generic: first column of each name, -1 = none */
	uint32_t n_names;
	VEC(struct outcome) outcomes;
	struct hit *hits;
	/* Coverage: per program events and per cover class; hits and undecided per rule. */
	VEC(uint64_t) events;
	VEC(struct recall_gauge) gauges; /* by program */
	VEC(struct cohort *) cohorts;    /* by program; NULL: none */
	VEC(struct idle { bool known; uint64_t holding; }) idle; /* by program that asks nothing but keywords: that without them nothing is found */
	VEC(struct class_counts { uint64_t *v; }) classes;
	struct rule_coverage *coverage;
};

struct matcher *matcher_new(struct plan *p)
{
	struct matcher *m = xcalloc(1, sizeof *m);
	m->plan = p;
	arena_init(&m->scratch, SCRATCH_BUDGET);
	arena_init(&m->walked, SCRATCH_BUDGET);
	m->memo = memo_new(p->options.forgetful);
	if (!p->options.forgetful) m->recall = recall_new();
	m->details = details_memo_new();
	m->hits = xcalloc(p->n_rules + 1, sizeof *m->hits);
	m->coverage = xcalloc(p->n_rules + 1, sizeof *m->coverage);
	return m;
}

void matcher_free(struct matcher *m)
{
	if (!m) return;
	arena_done(&m->scratch);
	arena_done(&m->walked);
	memo_free(m->memo);
	recall_free(m->recall);
	details_memo_free(m->details);
	buf_done(&m->raw);
	buf_done(&m->joined);
	buf_done(&m->shared);
	vec_free(&m->gauges);
	vec_free(&m->idle);
	for (size_t i = 0; i < m->cohorts.n; i++) cohort_free(m->cohorts.v[i]);
	vec_free(&m->cohorts);
	free(m->tests);
	free(m->slots);
	free(m->trees);
	free(m->found);
	free(m->candidates);
	free(m->name_column);
	vec_free(&m->outcomes);
	free(m->hits);
	for (size_t i = 0; i < m->classes.n; i++) free(m->classes.v[i].v);
	vec_free(&m->classes);
	vec_free(&m->events);
	free(m->coverage);
	free(m);
}

struct arena *matcher_scratch(struct matcher *m) { return &m->walked; }
struct plan *matcher_plan(struct matcher *m) { return m->plan; }
struct details_memo *matcher_met(struct matcher *m, const struct column_set **ret_asked, uint64_t *ret_serial)
{
	*ret_serial = m->met;
	*ret_asked = m->met ? &m->g->asked : NULL;
	return m->details;
}

/* ---- room ---- */

static void *grow(void *old, uint32_t *have, uint32_t want, size_t size)
{
	char *p = xrealloc(old, want * size);
	memset(p + *have * size, 0, (want - *have) * size);
	*have = want;
	return p;
}

/* Room for the program's numbers; only when a larger program is met. */
static void make_room(struct matcher *m, const struct program *g)
{
	if (g->tests.n > m->n_tests) {
		m->tests = grow(m->tests, &m->n_tests, (uint32_t)g->tests.n, sizeof *m->tests);
		m->found = xrealloc(m->found, m->n_tests * sizeof *m->found);
	}
	if (g->inputs.n > m->n_inputs) m->slots = grow(m->slots, &m->n_inputs, (uint32_t)g->inputs.n, sizeof *m->slots);
	if (g->trees.n > m->n_trees) {
		m->trees = grow(m->trees, &m->n_trees, (uint32_t)g->trees.n, sizeof *m->trees);
		m->candidates = xrealloc(m->candidates, m->n_trees * sizeof *m->candidates);
	}
	if (g->names.n > m->n_names) m->name_column = grow(m->name_column, &m->n_names, g->names.n, sizeof *m->name_column);
}

static void count_room(struct matcher *m, uint32_t program)
{
	while (m->events.n <= program) {
		vec_push(&m->events, 0);
		vec_push(&m->gauges, (struct recall_gauge){0});
		vec_push(&m->cohorts, NULL);
		vec_push(&m->idle, (struct idle){0});
		vec_push(&m->classes, (struct class_counts){NULL});
	}
	if (m->classes.v[program].v) return;
	m->classes.v[program].v = xcalloc(m->g->covers.n + 1, sizeof(uint64_t));
	if (!m->plan->options.forgetful) m->cohorts.v[program] = cohort_new(m->g, m->plan->options.eager);
}

static void next_epoch(struct matcher *m)
{
	if (m->epoch == EPOCH_LAST) {
		if (m->n_tests) memset(m->tests, 0, m->n_tests * sizeof *m->tests);
		if (m->n_trees) memset(m->trees, 0, m->n_trees * sizeof *m->trees);
		for (uint32_t i = 0; i < m->n_inputs; i++) m->slots[i].epoch = 0;
		m->epoch = 0;
	}
	m->epoch++;
	m->n_candidates = 0;
	m->outcomes.n = 0;
	if (m->scratch.used) arena_reset(&m->scratch);
	memo_event(m->memo);
}

/* ---- inputs ---- */

static inline struct member *member_at(struct slot *s, uint32_t i) { return i ? &s->more[i - 1] : &s->first; }

static struct member *new_member(struct matcher *m, struct slot *s)
{
	if (!s->n) return &s->first;
	if (s->n - 1 == s->room) {
		uint32_t room = s->room ? s->room * 2 : 4;
		struct member *more = arena_alloc(&m->scratch, room * sizeof *more);
		if (!more) {
			m->failed = true;
			return NULL;
		}
		if (s->room) memcpy(more, s->more, s->room * sizeof *more);
		s->more = more;
		s->room = room;
	}
	return &s->more[s->n - 1];
}

static void add_scalar(struct matcher *m, struct slot *s, struct value *v)
{
	if (v->kind == VALUE_NULL) s->has_null = true;
	if (v->kind == VALUE_NULL || v->kind == VALUE_ABSENT || v->kind == VALUE_LIST) return;
	struct member *x = new_member(m, s);
	if (!x) return;
	x->value = v;
	x->has_text = v->kind == VALUE_STR;
	x->has_folded = false;
	if (x->has_text) x->text = v->text;
	s->has_empty |= x->has_text && !v->text.n;
	s->n++;
}

static void add_cell(struct matcher *m, struct slot *s, struct value *cell)
{
	if (cell->kind == VALUE_ABSENT) return;
	s->present = true;
	if (cell->kind != VALUE_LIST) {
		add_scalar(m, s, cell);
		return;
	}
	for (uint32_t i = 0; i < cell->n; i++) add_scalar(m, s, &cell->items[i]);
}

static void add_keywords(struct matcher *m, struct slot *s)
{
	const struct shape *shape = m->ev->shape;
	for (uint32_t i = 0; i < shape->n_columns; i++)
		if (column_is_keyword(&shape->columns[i], m->ev->raw.p != NULL)) add_cell(m, s, event_cell(m->ev, i));
	if (!m->ev->raw.p) return;
	struct value *raw = arena_alloc(&m->scratch, sizeof *raw);
	if (!raw) {
		m->failed = true;
		return;
	}
	*raw = value_str(m->ev->raw);
	add_cell(m, s, raw);
}

static void add_generic(struct matcher *m, struct slot *s, const struct feed *in)
{
	for (uint32_t i = 0; i < in->n; i++) {
		int32_t column = m->name_column[m->g->refs.v[in->first + i]];
		if (column < 0) continue;
		for (; column >= 0; column = m->ev->shape->columns[column].next) add_cell(m, s, event_cell(m->ev, (uint32_t)column));
		return;
	}
}

static struct slot *load_new(struct matcher *m, struct slot *s, uint32_t input)
{
	const struct feed *in = &m->g->inputs.v[input];
	s->epoch = m->epoch;
	s->n = s->room = 0;
	s->present = s->has_null = s->has_empty = s->rest_done = s->serial_known = false;
	if (in->keywords) add_keywords(m, s);
	else if (m->g->generic) add_generic(m, s, in);
	else
		for (uint32_t i = 0; i < in->n; i++) {
			struct value *cell = event_cell(m->ev, m->g->refs.v[in->first + i]);
			if (cell->kind == VALUE_STR && !s->n) { /* mostly */
				s->present = true;
				s->has_empty = !cell->text.n;
				s->first = (struct member){cell, cell->text, {NULL, 0}, true, false};
				s->n = 1;
			} else {
				add_cell(m, s, cell);
			}
		}
	return s;
}

static inline struct slot *load(struct matcher *m, uint32_t input)
{
	struct slot *s = &m->slots[input];
	return s->epoch == m->epoch ? s : load_new(m, s, input);
}

static inline struct str text_of(struct matcher *m, struct member *x)
{
	if (!x->has_text) {
		x->text = value_text(x->value, m->ev->arena);
		x->has_text = true;
	}
	return x->text;
}

/* With UTF_SLACK bytes to read behind it. */
static struct str folded_of(struct matcher *m, struct member *x)
{
	if (x->has_folded) return x->folded;
	struct str text = text_of(m, x);
	char *p = arena_alloc(&m->scratch, UTF8_FOLD_ROOM(text.n));
	x->has_folded = true;
	x->folded = (struct str){p, p ? utf8_fold(text, p) : 0};
	if (!p) m->failed = true, x->folded = (struct str){"", 0};
	return x->folded;
}

/* For generic programs: where the event has the names that rules know. */
static void find_names(struct matcher *m)
{
	const struct shape *s = m->ev->shape;
	for (uint32_t i = 0; i < m->g->names.n; i++) m->name_column[i] = -1;
	for (uint32_t i = s->n_columns; i-- > 0;) {
		uint32_t *name = map_get(&m->g->names, s->columns[i].name);
		if (name) m->name_column[*name] = (int32_t)i;
	}
}

/* ---- scans ---- */

static inline uint32_t yes_of(const struct matcher *m) { return m->epoch << 2 | VERDICT_YES; }

/* What was found opens groups and trees. */
static void open_posts(struct matcher *m, const uint32_t *found, uint32_t n)
{
	const struct program *g = m->g;
	for (uint32_t i = 0; i < n; i++) {
		const struct test *t = &g->tests.v[found[i]];
		for (uint32_t j = t->first_post; j < t->first_post + t->n_posts; j++) {
			uint32_t what = g->refs.v[j];
			if (!(what & POST_TREE)) {
				m->tests[what] = yes_of(m);
				continue;
			}
			what &= ~POST_TREE;
			if (m->trees[what] == m->epoch) continue;
			m->trees[what] = m->epoch;
			m->candidates[m->n_candidates++] = what;
		}
	}
}

static void scan_number(struct matcher *m, const struct number_set *set, const struct value *v, struct scan_marks *marks)
{
	struct number n;
	if (!number_of_value(v, &n)) return;
	if (n.kind == NUMBER_REAL) {
		if (!(n.r >= -9223372036854775808.0 && n.r < 9223372036854775808.0) || (double)(int64_t)n.r != n.r) return;
		n = (struct number){NUMBER_INT, .i = (int64_t)n.r};
	}
	uint32_t id = n.kind == NUMBER_INT ? set->slots[number_slot(set, n.i)].id : 0;
	if (!id || m->tests[id - 1] == marks->tag) return;
	m->tests[id - 1] = marks->tag;
	marks->found[marks->n_found++] = id - 1;
}

/* A number without a text of its own, in decimal, has none of the scanner's literals. */
static inline bool is_bare_number(const struct member *x)
{
	return !x->has_text && (x->value->kind == VALUE_INT || x->value->kind == VALUE_UINT) && !x->value->has_text;
}

/* One text, remembered where nothing of this scanner was found in the event before, so that what is found is all. Returns the serial of the
 * memo's entry, 0 for none. */
static uint64_t scan_text(struct matcher *m, struct member *x, const struct scanner *scanner, struct scan_marks *marks, bool *found_before)
{
	struct str text = text_of(m, x);
	uint64_t hash;
	const struct memo_entry *e = memo_find(m->memo, scanner, text, &hash);
	uint32_t base = marks->n_found;
	if (e) {
		if (!x->has_folded) x->folded = e->folded, x->has_folded = true;
		for (uint32_t i = 0; i < e->n_found; i++) {
			if (marks->seen[e->found[i]] == marks->tag) continue;
			marks->seen[e->found[i]] = marks->tag;
			marks->found[marks->n_found++] = e->found[i];
		}
		*found_before |= e->n_found > 0;
		return e->serial;
	}
	struct str folded = folded_of(m, x);
	scanner_run(scanner, folded, marks);
	if (hash && !*found_before && !m->failed) e = memo_keep(m->memo, scanner, text, hash, folded, marks->found + base, marks->n_found - base);
	*found_before |= marks->n_found > base;
	return e ? e->serial : 0;
}

/* `edges`: of the gates; NULL: of the rest. */
static void scan(struct matcher *m, struct slot *s, const struct scanner *scanner, const struct number_set *numbers, const struct edges *edges, struct scan_marks *marks)
{
	bool found_before = false, numbers_matter = scanner && scanner_has_digits(scanner);
	for (uint32_t i = 0; i < s->n; i++) {
		struct member *x = member_at(s, i);
		if (numbers) scan_number(m, numbers, x->value, marks);
		if (!scanner || (!numbers_matter && is_bare_number(x))) continue;
		if (edges && x->has_text && !edges_may_have(edges, x->text)) continue;
		uint64_t serial = scan_text(m, x, scanner, marks, &found_before);
		if (edges && s->n == 1 && x->value->kind == VALUE_STR) s->serial = serial, s->serial_known = true;
	}
}

static void join_text(struct matcher *m, struct value *v, bool numbers_matter)
{
	if (v->kind == VALUE_NULL || v->kind == VALUE_ABSENT || v->kind == VALUE_LIST) return;
	if (!numbers_matter && !v->has_text && (v->kind == VALUE_INT || v->kind == VALUE_UINT)) return;
	buf_str(&m->joined, value_text(v, m->ev->arena));
	buf_byte(&m->joined, SCAN_JOINT);
}

static void join_cell(struct matcher *m, struct value *cell, bool numbers_matter)
{
	if (cell->kind != VALUE_LIST) join_text(m, cell, numbers_matter);
	else
		for (uint32_t i = 0; i < cell->n; i++) join_text(m, &cell->items[i], numbers_matter);
}

/* What the event's shape says of its keywords, asked once; 0 when it remembers nothing. */
static uintptr_t shape_says(struct matcher *m, const struct sieve *sieve)
{
	const struct shape *s = m->ev->shape;
	uintptr_t memo = (uintptr_t)s->memo, says = SHAPE_ASKED | SHAPE_SIFTED | SHAPE_RAW_ONLY;
	if (!memo || memo & SHAPE_ASKED) return memo;
	m->joined.n = 0;
	for (uint32_t i = 0; i < s->n_columns; i++) {
		const struct column *c = &s->columns[i];
		if (column_is_keyword(c, true)) says &= ~(uintptr_t)SHAPE_RAW_ONLY;
		if (c->constant && !c->hidden) join_cell(m, event_cell(m->ev, i), false);
	}
	if (sieve_may_have(sieve, buf_view(&m->joined))) says &= ~(uintptr_t)SHAPE_SIFTED;
	/* As in plan_program: only the shape's own thread comes here. */
	((struct shape *)s)->memo = (void *)(memo | says);
	return memo | says;
}

/* Whether it is plain from a text that none of the keywords is there. */
static bool sifted_out(struct matcher *m, const struct sieve *sieve)
{
	struct event *ev = m->ev;
	struct str text;
	uintptr_t says = shape_says(m, sieve);
	if (ev->raw.p && says & SHAPE_RAW_ONLY) return !sieve_may_have(sieve, ev->raw);
	if (!ev->ops->sift || !(says & SHAPE_SIFTED)) return false;
	m->joined.n = 0;
	enum sift kind = ev->ops->sift(ev, &m->joined, &text);
	return kind != SIFT_NONE && (kind == SIFT_WHOLE || sieve_tells(sieve)) && !sieve_may_have(sieve, text);
}

/* The gates of keywords: all that they look at as one text, folded and scanned at once. The slot is not loaded for it. Folding does not look
 * across the joint, and no literal reaches over it. */
static void scan_keywords(struct matcher *m, const struct scanner *scanner, const struct sieve *sieve, struct scan_marks *marks)
{
	const struct shape *shape = m->ev->shape;
	bool has_raw = m->ev->raw.p != NULL, numbers_matter = scanner_has_digits(scanner);
	if (sieve && sifted_out(m, sieve)) {
		m->sifted = true;
		return;
	}
	m->joined.n = 0;
	for (uint32_t i = 0; i < shape->n_columns; i++)
		if (column_is_keyword(&shape->columns[i], has_raw)) join_cell(m, event_cell(m->ev, i), numbers_matter);
	if (has_raw) buf_str(&m->joined, m->ev->raw);
	if (!m->joined.n || (sieve && !sieve_may_have(sieve, buf_view(&m->joined)))) return;
	char *p = arena_alloc(&m->scratch, UTF8_FOLD_ROOM(m->joined.n));
	if (!p) {
		m->failed = true;
		return;
	}
	struct str folded = {p, utf8_fold(buf_view(&m->joined), p)};
	scanner_run(scanner, folded, marks);
}

/* ---- tests ---- */

static bool atom_holds(struct matcher *m, const struct test *t)
{
	struct slot *s = load(m, t->input);
	for (uint32_t i = 0; i < s->n; i++) {
		struct str text = folded_of(m, member_at(s, i));
		switch ((enum literal_kind)t->literal_kind) {
		case LITERAL_EXACT: if (str_eq(text, t->text)) return true; break;
		case LITERAL_PREFIX: if (str_starts(text, t->text)) return true; break;
		case LITERAL_SUFFIX: if (str_ends(text, t->text)) return true; break;
		case LITERAL_CONTAINS: if (str_find(text, t->text, 0) != SIZE_MAX) return true; break;
		}
	}
	return false;
}

static bool number_test_holds(struct matcher *m, const struct test *t)
{
	const struct leaf wanted = {.kind = LEAF_NUMBER, .is_integer = true, .integer = t->number};
	struct slot *s = load(m, t->input);
	struct number n;
	for (uint32_t i = 0; i < s->n; i++)
		if (number_of_value(member_at(s, i)->value, &n) && number_holds(&n, COMPARE_EQ, &wanted)) return true;
	return false;
}

static bool cell_test_holds(struct matcher *m, const struct test *t)
{
	const struct slot *s = load(m, t->input);
	if (t->leaf->kind == LEAF_EXISTS) return s->present == t->leaf->truth;
	if (t->leaf->kind == LEAF_EMPTY) return s->has_empty;
	return !s->present || s->has_null;
}

static inline enum verdict test_verdict(struct matcher *m, uint32_t id);

static enum verdict leaf_on(struct matcher *m, const struct test *t, struct member *x)
{
	const struct leaf *l = t->leaf;
	if (l->kind == LEAF_STRING) return verdict_of(pattern_holds(l->pieces, l->n_pieces, !l->field.n, l->cased ? text_of(m, x) : folded_of(m, x)));
	if (l->kind == LEAF_REGEX) return regex_verdict(t->regex, text_of(m, x));
	const struct leaf_context c = {m->plan, NULL, m->ev->arena, &m->walked};
	return leaf_holds(&c, l, x->value);
}

static enum verdict leaf_test_holds(struct matcher *m, const struct test *t)
{
	if (t->guard != NONE && test_verdict(m, t->guard) == VERDICT_NO) return VERDICT_NO;
	struct slot *s = load(m, t->input);
	enum verdict all = VERDICT_NO;
	for (uint32_t i = 0; i < s->n; i++) {
		enum verdict one = leaf_on(m, t, member_at(s, i));
		if (one == VERDICT_YES) return one;
		if (one == VERDICT_UNDECIDED) all = one;
	}
	return all;
}

static bool refer_holds(struct matcher *m, const struct test *t)
{
	struct slot *a = load(m, t->input), *b = load(m, t->other);
	bool cased = t->leaf->cased;
	for (uint32_t i = 0; i < a->n; i++) {
		for (uint32_t j = 0; j < b->n; j++) {
			struct member *x = member_at(a, i), *y = member_at(b, j);
			struct str left = cased ? text_of(m, x) : folded_of(m, x), right = cased ? text_of(m, y) : folded_of(m, y);
			if (string_op_holds(t->leaf->string_op, left, right)) return true;
		}
	}
	return false;
}

static bool group_holds(struct matcher *m, uint32_t id, const struct test *t)
{
	struct slot *s = load(m, t->input);
	if (!s->rest_done) {
		struct scan_marks marks = {m->tests, yes_of(m), m->found, 0};
		s->rest_done = true;
		scan(m, s, m->g->inputs.v[t->input].rest, m->g->inputs.v[t->input].rest_numbers, NULL, &marks);
		open_posts(m, marks.found, marks.n_found);
	}
	return m->tests[id] == yes_of(m);
}

/* The serial of the memo's entry for the input's text, when it is one string and comes again; 0 = none. */
static uint64_t serial_of(struct matcher *m, uint32_t input, struct slot *s)
{
	uint64_t hash;
	if (s->n != 1 || s->first.value->kind != VALUE_STR) return 0;
	if (s->serial_known) return s->serial;
	const struct feed *in = &m->g->inputs.v[input];
	const struct memo_entry *e = memo_find(m->memo, in, s->first.text, &hash);
	if (e && !s->first.has_folded) s->first.folded = e->folded, s->first.has_folded = true;
	if (!e && hash) {
		struct str folded = folded_of(m, &s->first);
		if (!m->failed) e = memo_keep(m->memo, in, s->first.text, hash, folded, NULL, 0);
	}
	s->serial_known = true;
	return s->serial = e ? e->serial : 0;
}

/* Whether the input was looked up with others at once, and need not be loaded. */
static inline bool is_shared(const struct matcher *m, uint32_t input) { return m->cohort_serial && cohort_has(m->cohort, input); }

/* Whether the ends of the input's texts rule all the test's literals out. */
static inline bool is_ruled_out(struct matcher *m, const struct test *t)
{
	struct slot *s = load(m, t->input);
	for (uint32_t i = 0; i < s->n; i++) {
		const struct member *x = member_at(s, i);
		if (!x->has_text || edges_may_have(&t->edges, x->text)) return false;
	}
	return true;
}

/* Tests that depend on nothing but the input's text; t->tells has been asked unless the input is of the cohort. */
static enum verdict text_verdict(struct matcher *m, uint32_t id, const struct test *t)
{
	enum verdict v;
	uint64_t serial = is_shared(m, t->input) ? m->cohort_serial : serial_of(m, t->input, load(m, t->input));
	if (serial && memo_verdict(m->memo, serial, id, &v)) return v;
	if (t->kind == TEST_ATOM) v = verdict_of(atom_holds(m, t));
	else if (t->kind == TEST_GROUP) v = verdict_of(group_holds(m, id, t));
	else v = leaf_test_holds(m, t);
	if (serial && !m->failed) memo_keep_verdict(m->memo, serial, id, v);
	return v;
}

static enum verdict ask_test(struct matcher *m, uint32_t id, const struct test *t)
{
	enum verdict v = VERDICT_NO;
	switch ((enum test_kind)t->kind) {
	case TEST_ATOM: case TEST_GROUP: v = text_verdict(m, id, t); break;
	case TEST_NUMBER: v = verdict_of(number_test_holds(m, t)); break;
	case TEST_PRESENT: v = verdict_of(load(m, t->input)->n > 0); break;
	case TEST_CELL: v = verdict_of(cell_test_holds(m, t)); break;
	case TEST_LEAF: v = text_verdict(m, id, t); break;
	case TEST_REFER: v = verdict_of(refer_holds(m, t)); break;
	}
	m->tests[id] = m->epoch << 2 | (uint32_t)v;
	/* The scan of the rest passes over what is known already. */
	if (v == VERDICT_YES && t->rest) open_posts(m, &id, 1);
	return v;
}

static inline enum verdict test_verdict(struct matcher *m, uint32_t id)
{
	if (m->tests[id] >> 2 == m->epoch) return (enum verdict)(m->tests[id] & 3);
	const struct test *t = &m->g->tests.v[id];
	bool is_no = t->gate || (t->tells && !is_shared(m, t->input) && is_ruled_out(m, t)); /* what is a gate was not found */
	if (!is_no) return ask_test(m, id, t);
	m->tests[id] = m->epoch << 2 | VERDICT_NO;
	return VERDICT_NO;
}

static inline enum verdict opposite(enum verdict v) { return v == VERDICT_UNDECIDED ? v : verdict_of(v == VERDICT_NO); }

/* Trees are as deep as rules are written, which the loader bounds. */
static enum verdict branch_verdict(struct matcher *m, uint32_t id)
{
	const struct branch *branches = m->g->branches.v, *b = &branches[id];
	const uint32_t *children = m->g->refs.v + b->first;
	if (b->kind == BRANCH_TEST) return test_verdict(m, b->first);
	if (b->kind == BRANCH_NOT) return opposite(branch_verdict(m, children[0]));
	enum verdict stop = b->kind == BRANCH_AND ? VERDICT_NO : VERDICT_YES, all = b->kind == BRANCH_AND ? VERDICT_YES : VERDICT_NO;
	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t at = children[i];
		bool negated = branches[at].kind == BRANCH_NOT;
		if (negated) at = m->g->refs.v[branches[at].first];
		enum verdict one = branches[at].kind == BRANCH_TEST ? test_verdict(m, branches[at].first) : branch_verdict(m, at);
		if (negated) one = opposite(one);
		if (one == stop) return one;
		if (one == VERDICT_UNDECIDED) all = one;
	}
	return all;
}

/* ---- an event ---- */

static void try_tree(struct matcher *m, uint32_t id)
{
	const struct tree *t = &m->g->trees.v[id];
	enum verdict v = t->root == NONE ? VERDICT_YES : branch_verdict(m, t->root);
	if (v == VERDICT_NO) return;
	for (uint32_t i = t->first; i < t->first + t->n; i++) {
		const struct instance *x = &m->g->instances.v[i];
		vec_push(&m->outcomes, (struct outcome){x->rule, x->binding, v == VERDICT_YES ? 0 : 1});
	}
}

static int compare_outcomes(const void *a, const void *b)
{
	const struct outcome *x = a, *y = b;
	if (x->rule != y->rule) return x->rule < y->rule ? -1 : 1;
	if (x->verdict != y->verdict) return x->verdict < y->verdict ? -1 : 1;
	return (x->binding > y->binding) - (x->binding < y->binding);
}

/* Of each rule's outcomes the first counts: matches before undecided ones, in order of bindings. */
static void settle(struct matcher *m)
{
	size_t n = 0;
	if (m->outcomes.n > 1) qsort(m->outcomes.v, m->outcomes.n, sizeof *m->outcomes.v, compare_outcomes);
	for (size_t i = 0; i < m->outcomes.n; i++)
		if (!i || m->outcomes.v[n - 1].rule != m->outcomes.v[i].rule) m->outcomes.v[n++] = m->outcomes.v[i];
	m->outcomes.n = n;
}

/* The settled outcomes are counted and become hits. */
static uint32_t report(struct matcher *m, const struct outcome *outcomes, size_t n_outcomes)
{
	uint32_t n = 0;
	for (size_t i = 0; i < n_outcomes; i++) {
		const struct outcome *o = &outcomes[i];
		m->coverage[o->rule].hits += o->verdict == 0;
		m->coverage[o->rule].undecided += o->verdict != 0;
		if (o->verdict) continue;
		const struct rule *r = m->plan->rules[o->rule];
		const struct logsource_binding *b = o->binding < 0 ? NULL : &m->ev->shape->bindings[o->binding];
		m->hits[n++] = (struct hit){r, b ? b->ls : r->info.logsource, b};
	}
	return n;
}

/* Which conditional bindings hold. */
static uint64_t find_holding(struct matcher *m)
{
	const struct program *g = m->g;
	uint64_t holding = 0;
	for (size_t i = 0; i < g->whens.n; i++) holding |= (uint64_t)(branch_verdict(m, g->whens.v[i]) == VERDICT_YES) << i;
	return holding;
}

static void count_event(struct matcher *m, uint32_t program, uint64_t holding)
{
	const struct program *g = m->g;
	m->events.v[program]++;
	for (size_t i = 0; i < g->covers.n && g->whens.n; i++) m->classes.v[program].v[i] += (g->covers.v[i].whens & holding) != 0;
}

/* ---- gates ---- */

/* Whether the one text of the input begins and ends with nothing that the gates look for. */
static inline bool is_passed_over(const struct feed *in, const struct slot *s)
{
	return !in->gate_numbers && s->n == 1 && s->first.has_text && !edges_may_have(&in->gate_edges, s->first.text);
}

/* The gates of the cohort's members, or of all other inputs. */
static void scan_gates(struct matcher *m, bool members, struct scan_marks *marks)
{
	const struct program *g = m->g;
	for (size_t i = 0; i < g->gate_inputs.n; i++) {
		uint32_t input = g->gate_inputs.v[i];
		const struct feed *in = &g->inputs.v[input];
		if (members != (m->cohort && cohort_has(m->cohort, input))) continue;
		if (in->keywords && !in->gate_numbers && scanner_joinable(in->gates)) scan_keywords(m, in->gates, in->sieve, marks);
		else if (!is_passed_over(in, load(m, input))) scan(m, load(m, input), in->gates, in->gate_numbers, &in->gate_edges, marks);
	}
}

/* The bytes of the cohort's columns, with what must be the same beside them; false: there are none. */
static bool read_shared(struct matcher *m)
{
	struct event *ev = m->ev;
	uint64_t number;
	const struct column_set *columns = cohort_columns(m->cohort, &number);
	m->shared.n = 0;
	buf_put(&m->shared, &ev->ops, sizeof ev->ops);
	buf_put(&m->shared, &number, sizeof number);
	return ev->records[0].length <= COHORT_RECORD && ev->ops->undecoded(ev, columns, &m->shared, NULL) != SIFT_NONE;
}

/* The gates of the cohort's members: as they were when the same stood in all of them, or looked for. */
static void scan_cohort(struct matcher *m, struct scan_marks *marks)
{
	uint64_t hash = 0;
	const struct memo_entry *e = read_shared(m) ? memo_find(m->memo, m->cohort, buf_view(&m->shared), &hash) : NULL;
	cohort_count(m->cohort, e);
	if (e) {
		for (uint32_t i = 0; i < e->n_found; i++) {
			marks->seen[e->found[i]] = marks->tag;
			marks->found[marks->n_found++] = e->found[i];
		}
	} else {
		scan_gates(m, true, marks);
		if (hash && !m->failed) e = memo_keep(m->memo, m->cohort, buf_view(&m->shared), hash, (struct str){"", 0}, marks->found, marks->n_found);
	}
	m->cohort_serial = e ? e->serial : 0;
}

static uint64_t slot_hash(struct matcher *m, struct slot *s)
{
	uint64_t hash = s->n;
	for (uint32_t i = 0; i < s->n; i++) {
		struct str text = text_of(m, member_at(s, i));
		hash = (hash ^ hash_bytes(text.p, text.n)) * 0x9e3779b97f4a7c15;
	}
	return hash;
}

static void sample_cohort(struct matcher *m)
{
	uint32_t n;
	const uint32_t *inputs = cohort_candidates(m->cohort, &n);
	for (uint32_t i = 0; i < n; i++) cohort_note(m->cohort, i, slot_hash(m, &m->slots[inputs[i]]));
	cohort_noted(m->cohort);
}

static void run_program(struct matcher *m, struct cohort *cohort)
{
	const struct program *g = m->g;
	next_epoch(m);
	struct scan_marks marks = {m->tests, yes_of(m), m->found, 0};
	enum cohort_stage stage = cohort && m->ev->ops->undecoded ? cohort_event(cohort) : COHORT_WAITS;
	m->cohort = stage == COHORT_WAITS ? NULL : cohort;
	m->cohort_serial = 0;
	if (g->generic) find_names(m);
	if (stage == COHORT_SERVES) scan_cohort(m, &marks);
	scan_gates(m, false, &marks);
	if (stage == COHORT_SAMPLES) sample_cohort(m);
	open_posts(m, marks.found, marks.n_found);
	for (uint32_t i = 0; i < m->n_candidates; i++) try_tree(m, m->candidates[i]);
	for (size_t i = 0; i < g->always.n; i++) try_tree(m, g->always.v[i]);
}

/* ---- events that were met before ---- */

/* Whether it is plain that keywords find nothing in the columns that are not part of the key, nor in the constants. */
static bool rest_is_sifted(struct matcher *m)
{
	const struct sieve *sieve = m->g->keywords;
	enum sift kind = m->ev->ops->undecoded(m->ev, &m->g->asked, NULL, &m->joined);
	return kind != SIFT_NONE && (kind == SIFT_WHOLE || sieve_tells(sieve)) && !sieve_may_have(sieve, buf_view(&m->joined));
}

/* Whether what became of the event may be known from another; of one whose keywords are asked only where the sieve does not rule them out. */
static bool is_recallable(struct matcher *m)
{
	const struct event *ev = m->ev;
	if (!m->g->recallable || !m->recall || !ev->ops->undecoded || ev->raw.p) return false;
	return !m->g->keywords || (shape_says(m, m->g->keywords) & SHAPE_SIFTED);
}

/* The hash of the event's key, which is then in `raw`; 0: it is not looked for. */
static uint64_t make_key(struct matcher *m)
{
	const struct program *g = m->g;
	if (!g->asked.n || !is_recallable(m) || !recall_wanted(&m->gauges.v[m->program], m->ev->records[0].length)) return 0;
	m->raw.n = 0;
	if (m->ev->ops->undecoded(m->ev, &g->asked, &m->raw, NULL) == SIFT_NONE) return 0;
	return recall_hash(g, &m->raw);
}

/* What became of the event when it was met before; NULL: not known. */
static const struct recall_entry *recall(struct matcher *m)
{
	const struct program *g = m->g;
	m->joined.n = 0;
	bool sifted = recall_prepare(m->recall, m->hash, m->raw.n) && (!g->keywords || rest_is_sifted(m));
	const struct recall_entry *e = recall_find(m->recall, &m->gauges.v[m->program], g, m->ev->ops, buf_view(&m->raw), m->hash);
	if (e) m->hash = 0;
	return sifted ? e : NULL;
}

/* Whether the program asks nothing but keywords, of which the event has none, and is known to find nothing then. */
static bool is_idle(struct matcher *m)
{
	if (m->g->asked.n || !m->idle.v[m->program].known || !is_recallable(m)) return false;
	m->joined.n = 0;
	return !m->g->keywords || rest_is_sifted(m);
}

static void remember(struct matcher *m, uint64_t hash, uint64_t holding)
{
	/* Where keywords had to be looked for, what was found may stand in columns that are not part of the key. */
	if (m->g->keywords && !m->sifted) return;
	struct recall_entry head = {.program = m->g, .ops = m->ev->ops, .holding = holding, .n_outcomes = (uint32_t)m->outcomes.n};
	m->met = recall_keep(m->recall, hash, &head, m->outcomes.v, buf_view(&m->raw));
}

void matcher_ahead(struct matcher *m, struct event *ev)
{
	m->ahead = m->ev = ev;
	m->hash = 0;
	m->g = plan_program(m->plan, ev->shape, ev->shape->id != UINT32_MAX, &m->program);
	if (!m->g) return;
	if (m->program >= m->events.n || !m->classes.v[m->program].v) {
		make_room(m, m->g);
		count_room(m, m->program);
	}
	if (!m->g->trees.n && !m->g->whens.n) return;
	m->hash = make_key(m);
	if (m->hash) recall_ahead(m->recall, m->hash);
}

void matcher_soon(struct matcher *m)
{
	if (m->ahead && m->hash) recall_prepare(m->recall, m->hash, m->raw.n);
}

uint32_t matcher_run(struct matcher *m, struct event *ev, const struct hit **ret)
{
	*ret = m->hits;
	if (m->ahead != ev) matcher_ahead(m, ev);
	m->ahead = NULL;
	m->met = 0;
	if (!m->g) return slow_run(m->plan, ev, &m->walked, m->hits, m->coverage);
	uint32_t program = m->program;
	if (!m->g->trees.n && !m->g->whens.n) {
		m->events.v[program]++;
		return 0;
	}
	const struct recall_entry *e = m->hash ? recall(m) : NULL;
	if (e) {
		m->met = e->serial;
		count_event(m, program, e->holding);
		return report(m, recall_outcomes(e), e->n_outcomes);
	}
	if (is_idle(m)) {
		count_event(m, program, m->idle.v[program].holding);
		return 0;
	}
	m->failed = m->sifted = false;
	run_program(m, m->cohorts.v[program]);
	uint64_t holding = find_holding(m);
	if (m->failed) return slow_run(m->plan, ev, &m->walked, m->hits, m->coverage);
	settle(m);
	if (m->hash) remember(m, m->hash, holding);
	if (m->sifted && !m->g->asked.n && !m->outcomes.n) m->idle.v[program] = (struct idle){true, holding};
	count_event(m, program, holding);
	return report(m, m->outcomes.v, m->outcomes.n);
}

void matcher_coverage(const struct matcher *m, struct rule_coverage *counts)
{
	for (uint32_t i = 0; i < m->plan->n_rules; i++) {
		counts[i].events += m->coverage[i].events;
		counts[i].hits += m->coverage[i].hits;
		counts[i].undecided += m->coverage[i].undecided;
	}
	for (size_t i = 0; i < m->events.n; i++) {
		const struct program *g = m->classes.v[i].v ? m->plan->programs[i] : NULL;
		for (size_t j = 0; g && j < g->covers.n; j++) {
			const struct cover_class *c = &g->covers.v[j];
			uint64_t n = c->whens ? m->classes.v[i].v[j] : m->events.v[i];
			for (size_t k = 0; k < c->rules.n; k++) counts[c->rules.v[k]].events += n;
		}
	}
}
