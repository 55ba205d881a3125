/* plan.c: the rule set sorted by log source; the programs made of it, shared by threads. See match.h. */
#include "base/cpu.h"
#include "match/program_internal.h"
#include <stdatomic.h>

/* The level that decides whether a rule is used: its own, or that of a correlation that needs it. Marks `wanted`. */
static void want(const struct plan *p, bool *wanted, uint32_t index)
{
	/* Correlations may refer to correlations; the loader refuses cycles, `wanted` stops at what was seen. */
	const struct rule *r = p->rules[index];
	if (wanted[index]) return;
	wanted[index] = true;
	for (uint32_t i = 0; r->correlation && i < r->correlation->n_refs; i++)
		if (r->correlation->refs[i] < p->n_rules) want(p, wanted, r->correlation->refs[i]);
}

static struct route *route_of(struct plan *p, const struct logsource *ls)
{
	for (size_t i = 0; i < p->routes.n; i++) {
		const struct logsource *have = &p->routes.v[i].ls;
		if (str_eq(have->product, ls->product) && str_eq(have->category, ls->category) && str_eq(have->service, ls->service))
			return &p->routes.v[i];
	}
	vec_push(&p->routes, (struct route){.ls = *ls});
	return &p->routes.v[p->routes.n - 1];
}

static enum scan_engine engine_of(int wanted)
{
	enum cpu_level level = cpu_level();
	enum scan_engine best = level >= CPU_AVX2 ? ENGINE_AVX2 : level >= CPU_SSE4 ? ENGINE_SSE4 : ENGINE_PLAIN;
	if (wanted == 1) return ENGINE_PLAIN;
	if (wanted == 2 && best == ENGINE_AVX2) return ENGINE_SSE4;
	return wanted == 3 && best == ENGINE_AVX2 ? ENGINE_AVX2_HASH : best;
}

static void add_fields(struct plan *p, const struct node *n)
{
	if (n->kind != NODE_LEAF) {
		for (uint32_t i = 0; i < n->n; i++) add_fields(p, n->children[i]);
		return;
	}
	map_put(&p->fields, n->leaf->field, p->fields.n, NULL);
	if (n->leaf->kind == LEAF_FIELDREF) map_put(&p->fields, n->leaf->other_field, p->fields.n, NULL);
}

/* The only thing plans have in common: no two of a process get the same serial, so that what a shape remembers of one that
 * is gone is never taken for another's. */
static _Atomic uint64_t serials;

struct plan *plan_of_rules(const struct rule *const *rules, uint32_t n, const struct plan_options *options, struct fault *f)
{
	(void)f;
	struct plan *p = xcalloc(1, sizeof *p);
	p->options = *options;
	p->n_rules = n;
	const struct rule **copy = xcalloc(n ? n : 1, sizeof *copy);
	bool *wanted = xcalloc(n ? n : 1, sizeof *wanted);
	for (uint32_t i = 0; i < n; i++) copy[i] = rules[i];
	p->rules = copy;
	for (uint32_t i = 0; i < n; i++)
		if (rules[i]->info.level >= options->min_level || rule_feeds_detectors(rules[i])) want(p, wanted, i);
	for (uint32_t i = 0; i < n; i++)
		if ((wanted[i] &= rules[i]->condition != NULL)) vec_push(&route_of(p, &rules[i]->info.logsource)->rules, i);
	p->used = wanted;
	for (size_t i = 0; i < p->routes.n; i++)
		for (size_t j = 0; j < p->routes.v[i].rules.n; j++) add_fields(p, rules[p->routes.v[i].rules.v[j]]->condition);
	p->guess = guess_new();
	p->engine = engine_of(options->engine);
	p->serial = atomic_fetch_add(&serials, 1) + 1;
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->regex_lock, NULL);
	return p;
}

void plan_free(struct plan *p)
{
	if (!p) return;
	for (size_t i = 0; i < p->routes.n; i++) vec_free(&p->routes.v[i].rules);
	vec_free(&p->routes);
	for (uint32_t i = 0; i < p->n_programs; i++) program_free(p->programs[i]);
	for (size_t i = 0; i < p->regexes.n; i++) regex_free(p->regexes.v[i]);
	vec_free(&p->regexes);
	map_done(&p->regex_index);
	map_done(&p->program_index);
	map_done(&p->fields);
	guess_free(p->guess);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->regex_lock);
	free((void *)p->rules);
	free(p->used);
	free(p);
}

size_t plan_bytes(const struct plan *p)
{
	return sizeof *p + p->n_rules * (sizeof *p->rules + sizeof(uint32_t)) + p->fields.bytes + p->program_index.bytes + p->program_bytes;
}

/* ---- programs ---- */

static void key_part(struct buf *b, struct str s)
{
	uint32_t n = (uint32_t)s.n;
	buf_put(b, &n, sizeof n);
	buf_str(b, s);
}

static void key_bindings(struct plan *p, struct buf *b, const struct shape *s)
{
	uint32_t n = p->options.any_logsource ? 0 : s->n_bindings;
	buf_put(b, &n, sizeof n);
	for (uint32_t i = 0; i < n; i++) {
		const struct logsource_binding *x = &s->bindings[i];
		key_part(b, x->ls.product), key_part(b, x->ls.category), key_part(b, x->ls.service);
		key_part(b, x->when_field), key_part(b, x->when_value);
		buf_put(b, &x->n_renames, sizeof x->n_renames);
		for (uint32_t j = 0; j < x->n_renames; j++) key_part(b, x->renames[j].rule_field), key_part(b, x->renames[j].event_field);
		buf_put(b, &x->n_values, sizeof x->n_values);
		for (uint32_t j = 0; j < x->n_values; j++)
			key_part(b, x->values[j].rule_field), key_part(b, x->values[j].rule_value), key_part(b, x->values[j].event_value);
		if (x->when_field.n) map_put(&p->fields, x->when_field, p->fields.n, NULL);
		for (uint32_t j = 0; j < x->n_renames; j++) map_put(&p->fields, x->renames[j].event_field, p->fields.n, NULL);
	}
}

static void key_value(struct buf *b, const struct value *v)
{
	buf_put(b, &v->kind, sizeof v->kind);
	buf_put(b, &v->n, sizeof v->n);
	if (v->kind == VALUE_LIST) {
		for (uint32_t i = 0; i < v->n; i++) key_value(b, &v->items[i]);
		return;
	}
	if (v->kind == VALUE_BOOL) buf_byte(b, v->b);
	if (v->kind == VALUE_INT || v->kind == VALUE_UINT || v->kind == VALUE_REAL) buf_put(b, &v->u, sizeof v->u);
	buf_byte(b, v->has_text);
	if (v->has_text) key_part(b, v->text);
}

/* The columns that rules or bindings name: which, where, and what is constant in them. */
static void key_columns(struct plan *p, struct buf *b, const struct shape *s)
{
	buf_byte(b, 'c');
	for (uint32_t i = 0; i < s->n_columns; i++) {
		const struct column *c = &s->columns[i];
		uint32_t *field = map_get(&p->fields, c->name);
		if (!field) continue;
		buf_put(b, &i, sizeof i);
		buf_put(b, field, sizeof *field);
		buf_byte(b, c->constant);
		if (c->constant) key_value(b, &c->value);
	}
}

/* Makes and files a program under the key; NULL is filed as well. */
static uint32_t add_program(struct plan *p, struct str key, const struct shape *s, bool generic)
{
	uint32_t id = p->n_programs;
	struct program *g = program_new(p, generic ? NULL : s, s->bindings, p->options.any_logsource ? 0 : s->n_bindings);
	p->programs[id] = g;
	p->program_bytes += g ? g->bytes : 0;
	map_put(&p->program_index, key, id, NULL);
	p->n_programs++;
	return id;
}

/* Under the lock. NONE: no more programs. */
static uint32_t find_program(struct plan *p, const struct shape *s, bool keep)
{
	struct buf key = {0};
	uint32_t id = NONE;
	key_bindings(p, &key, s);
	size_t bindings = key.n;
	key_columns(p, &key, s);
	uint32_t *known = map_get(&p->program_index, buf_view(&key));
	if (known) id = *known;
	else if (keep && p->n_programs < PLAN_MAX_SHAPED && p->program_bytes < PLAN_PROGRAM_BYTES) id = add_program(p, buf_view(&key), s, false);
	if (id == NONE || !p->programs[id]) {
		key.n = bindings;
		buf_byte(&key, 'g');
		known = map_get(&p->program_index, buf_view(&key));
		if (known) id = *known;
		else if (p->n_programs < PLAN_MAX_PROGRAMS) id = add_program(p, buf_view(&key), s, true);
	}
	buf_done(&key);
	return id;
}

/* What a shape remembers: the plan's serial, what SHAPE_ASKED stands for, and the program's number + 1. */
enum { MEMO_BITS = 20, MEMO_PROGRAM = SHAPE_ASKED - 1 };

const struct program *plan_program(struct plan *p, const struct shape *s, bool keep, uint32_t *ret_id)
{
	uint64_t memo = (uintptr_t)s->memo;
	if (p->options.engine == PLAN_ENGINE_WALK) return NULL;
	if (keep && memo >> MEMO_BITS == p->serial) {
		*ret_id = (uint32_t)(memo & MEMO_PROGRAM) - 1;
		return p->programs[*ret_id];
	}
	pthread_mutex_lock(&p->lock);
	*ret_id = find_program(p, s, keep);
	const struct program *g = *ret_id == NONE ? NULL : p->programs[*ret_id];
	pthread_mutex_unlock(&p->lock);
	/* The memo is the one part of a shape that changes, and only its own thread comes here. */
	if (keep && g) ((struct shape *)s)->memo = (void *)(uintptr_t)(p->serial << MEMO_BITS | (*ret_id + 1));
	return g;
}

static struct str regex_key(const struct leaf *l, struct buf *b)
{
	buf_byte(b, (char)((l->re_i ? REGEX_NOCASE : 0) | (l->re_m ? REGEX_MULTILINE : 0) | (l->re_s ? REGEX_DOTALL : 0)));
	buf_str(b, l->regex);
	return buf_view(b);
}

const struct regex *plan_regex(struct plan *p, const struct leaf *l)
{
	struct buf b = {0};
	struct str key = regex_key(l, &b);
	bool fresh;
	pthread_mutex_lock(&p->regex_lock);
	uint32_t at = *map_put(&p->regex_index, key, (uint32_t)p->regexes.n, &fresh);
	if (fresh) vec_push(&p->regexes, regex_compile(l->regex, (unsigned char)key.p[0], NULL));
	const struct regex *re = p->regexes.v[at];
	pthread_mutex_unlock(&p->regex_lock);
	buf_done(&b);
	return re;
}

enum verdict regex_verdict(const struct regex *re, struct str text)
{
	if (!re) return VERDICT_UNDECIDED;
	switch (regex_match(re, text)) {
	case MATCH_NO: return VERDICT_NO;
	case MATCH_YES: return VERDICT_YES;
	case MATCH_UNDECIDED: break;
	}
	return VERDICT_UNDECIDED;
}
