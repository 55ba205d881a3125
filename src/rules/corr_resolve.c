/* corr_resolve.c: correlations joined to the rules they refer to: refused ones and circles out, inner before outer, what each
 * rule's events must bring along, and which rules are reported on their own (COR-2, COR-16 .. COR-19). */
#include "rules/correlation_internal.h"

enum { KEEP_MAX = 1024 };

/* The correlations as a graph: place = index in set.correlations. Edges go from a correlation to those that refer to it. */
struct graph {
	struct rule_set *s;
	uint32_t n;
	uint32_t *place_of;      /* [rules]: place + 1 of the correlation that this rule is, 0 = a detection */
	uint32_t *edge_from;     /* [n + 1]: where the users of each begin in edges */
	uint32_t *edges;
	uint32_t *waits;         /* [n]: inner correlations not settled yet */
	uint8_t *depth;          /* [n]: correlations below it, itself included */
	uint32_t *order;         /* settled places, inner before outer */
	uint32_t n_order;
};

static struct rule *rule_at(const struct graph *g, uint32_t place) { return g->s->correlations.v[place].rule; }

static void refuse(struct graph *g, uint32_t place, const char *reason)
{
	const struct pending *p = &g->s->correlations.v[place];
	struct doc d = doc_begin(g->s, p->rule->info.file, p->text, p->rule->line);
	doc_refuse(&d, yaml_get(yaml_get(p->root, STR("correlation")), STR("rules")), "correlation", "%s", reason);
	doc_end(&d, p->root);
	p->rule->correlation = NULL;
}

/* --- numbers and names ------------------------------------------------------------------------------------------------ */

static void add_name(struct rule_set *s, struct str name, uint32_t index)
{
	bool is_new;
	if (!name.n) return;
	uint32_t *known = map_put(&s->names, name, index, &is_new);
	if (!is_new && *known != index) map_put(&s->ambiguous, name, 0, NULL);
}

/* All correlations get their place behind the detections before any is read: they may refer to later ones. Those without
 * readable metadata are refused and leave the list. */
static void number_all(struct rule_set *s)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->correlations.n; i++) {
		struct pending *p = &s->correlations.v[i];
		struct doc d = doc_begin(s, p->rule->info.file, p->text, p->rule->line);
		bool room = s->rules.n < RULES_MAX || doc_refuse(&d, p->root, "limit", "more than %d rules", RULES_MAX);
		if (room && read_metadata(&d, p->root, true, p->rule)) {
			p->rule->index = (uint32_t)s->rules.n;
			vec_push(&s->rules, p->rule);
			s->correlations.v[kept++] = *p;
		}
		doc_end(&d, p->root);
	}
	s->correlations.n = kept;
	for (size_t i = 0; i < s->rules.n; i++) add_name(s, s->rules.v[i]->info.id, (uint32_t)i);
	for (size_t i = 0; i < s->rules.n; i++) add_name(s, s->rules.v[i]->name, (uint32_t)i);
}

/* --- order -------------------------------------------------------------------------------------------------------------- */

static uint32_t n_refs(const struct graph *g, uint32_t place)
{
	const struct correlation *c = rule_at(g, place)->correlation;
	return c ? c->n_refs : 0;
}

/* The place + 1 of the correlation that a reference means, 0 when it is a detection. */
static uint32_t inner_at(const struct graph *g, uint32_t place, uint32_t ref) { return g->place_of[rule_at(g, place)->correlation->refs[ref]]; }

static void graph_make(struct graph *g, struct rule_set *s)
{
	*g = (struct graph){.s = s, .n = (uint32_t)s->correlations.n};
	g->place_of = xcalloc(s->rules.n + 1, sizeof *g->place_of);
	g->edge_from = xcalloc(g->n + 2, sizeof *g->edge_from);
	g->waits = xcalloc(g->n + 1, sizeof *g->waits);
	g->depth = xcalloc(g->n + 1, 1);
	g->order = xcalloc(g->n + 1, sizeof *g->order);
	for (uint32_t i = 0; i < g->n; i++) g->place_of[rule_at(g, i)->index] = i + 1;
	/* Counting sort: counts two places up, sums, and filling moves each beginning to where the next one begins. */
	for (uint32_t i = 0; i < g->n; i++)
		for (uint32_t k = 0; k < n_refs(g, i); k++)
			if (inner_at(g, i, k)) g->edge_from[inner_at(g, i, k) + 1]++, g->waits[i]++;
	for (uint32_t i = 0; i <= g->n; i++) g->edge_from[i + 1] += g->edge_from[i];
	g->edges = xcalloc((size_t)g->edge_from[g->n + 1] + 1, sizeof *g->edges);
	for (uint32_t i = 0; i < g->n; i++)
		for (uint32_t k = 0; k < n_refs(g, i); k++)
			if (inner_at(g, i, k)) g->edges[g->edge_from[inner_at(g, i, k)]++] = i;
}

static void graph_free(struct graph *g)
{
	free(g->place_of);
	free(g->edge_from);
	free(g->edges);
	free(g->waits);
	free(g->depth);
	free(g->order);
}

/* All that a correlation refers to is settled: so can it be. */
static void settle(struct graph *g, uint32_t place)
{
	bool refused_below = false;
	unsigned deepest = 0;
	for (uint32_t k = 0; k < n_refs(g, place); k++) {
		uint32_t inner = inner_at(g, place, k);
		if (!inner) continue;
		refused_below |= !rule_at(g, inner - 1)->correlation;
		if (g->depth[inner - 1] > deepest) deepest = g->depth[inner - 1];
	}
	g->depth[place] = (uint8_t)(deepest + 1);
	if (refused_below) refuse(g, place, "a correlation that it refers to is refused itself");
	else if (rule_at(g, place)->correlation && deepest >= CHAIN_MAX) refuse(g, place, "a chain of more than 16 correlations");
	if (g->depth[place] > CHAIN_MAX) g->depth[place] = CHAIN_MAX;
}

static void sort_and_settle(struct graph *g)
{
	for (uint32_t i = 0; i < g->n; i++)
		if (!g->waits[i]) g->order[g->n_order++] = i;
	for (uint32_t k = 0; k < g->n_order; k++) {
		uint32_t place = g->order[k];
		settle(g, place);
		for (uint32_t e = g->edge_from[place]; e < g->edge_from[place + 1]; e++)
			if (!--g->waits[g->edges[e]]) g->order[g->n_order++] = g->edges[e];
	}
	for (uint32_t i = 0; i < g->n; i++)
		if (g->waits[i]) refuse(g, i, "it refers, by way of others, to itself or to a circle of correlations");
}

/* --- what the events must bring along ------------------------------------------------------------------------------------ */

static void add_keep(struct doc *d, struct rule *r, struct str field)
{
	for (uint32_t i = 0; i < r->n_keep; i++)
		if (str_eq(r->keep[i], field)) return;
	if (r->n_keep == KEEP_MAX) {
		doc_warn(d, NULL, "correlations ask for more than %d fields of rule '%.*s'; the others are taken as missing", KEEP_MAX, STR_FMT(r->info.title));
		return;
	}
	if (!(r->n_keep & (r->n_keep - 1))) { /* full: room for twice as many */
		struct str *grown = doc_alloc(d, r->n_keep ? 2 * r->n_keep : 1, sizeof *grown);
		if (!grown) return;
		if (r->n_keep) memcpy(grown, r->keep, r->n_keep * sizeof *grown);
		r->keep = grown;
	}
	((struct str *)r->keep)[r->n_keep++] = field;
}

static struct str field_for(const struct correlation *c, uint32_t ref, struct str name)
{
	for (uint32_t i = 0; i < c->n_aliases; i++)
		if (str_eq(c->aliases[i].alias, name) && c->aliases[i].fields[ref].n) return c->aliases[i].fields[ref];
	return name;
}

/* Outer correlations come first, so that what they ask for is known when the inner ones pass it on. */
static void pass_down(struct rule_set *s, const struct pending *p)
{
	const struct correlation *c = p->rule->correlation;
	struct doc d = doc_begin(s, p->rule->info.file, p->text, p->rule->line);
	for (uint32_t k = 0; k < c->n_refs; k++) {
		struct rule *r = s->rules.v[c->refs[k]];
		for (uint32_t i = 0; i < c->n_group_by; i++) add_keep(&d, r, field_for(c, k, c->group_by[i]));
		for (uint32_t i = 0; i < c->n_fields; i++) add_keep(&d, r, field_for(c, k, c->fields[i]));
		for (uint32_t i = 0; i < p->rule->n_keep; i++) add_keep(&d, r, field_for(c, k, p->rule->keep[i]));
	}
	doc_end(&d, NULL);
}

/* A rule that only feeds correlations is not reported, unless one of them asks for it. */
static void decide_reports(struct rule_set *s)
{
	for (size_t i = 0; i < s->correlations.n; i++) {
		const struct correlation *c = s->correlations.v[i].rule->correlation;
		for (uint32_t k = 0; c && k < c->n_refs; k++) s->rules.v[c->refs[k]]->report = false;
	}
	for (size_t i = 0; i < s->correlations.n; i++) {
		const struct correlation *c = s->correlations.v[i].rule->correlation;
		for (uint32_t k = 0; c && c->generate && k < c->n_refs; k++) s->rules.v[c->refs[k]]->report = true;
	}
}

/* Refused correlations leave the set; indices and references close up. */
static void compact(struct rule_set *s, const struct graph *g)
{
	uint32_t *moved = xcalloc(s->rules.n + 1, sizeof *moved), n = 0;
	for (size_t i = 0; i < s->rules.n; i++) {
		bool out = g->place_of[i] && !s->rules.v[i]->correlation;
		moved[i] = n;
		if (out) continue;
		s->rules.v[i]->index = n;
		s->rules.v[n++] = s->rules.v[i];
	}
	s->rules.n = n;
	for (uint32_t i = 0; i < g->n; i++) {
		const struct correlation *c = rule_at(g, i)->correlation;
		for (uint32_t k = 0; c && k < c->n_refs; k++) ((uint32_t *)c->refs)[k] = moved[c->refs[k]];
	}
	free(moved);
}

void correlations_resolve(struct rule_set *s)
{
	struct graph g;
	if (!s->correlations.n) return;
	number_all(s);
	for (size_t i = 0; i < s->correlations.n; i++) correlation_read(s, &s->correlations.v[i]);
	graph_make(&g, s);
	sort_and_settle(&g);
	for (uint32_t k = g.n_order; k-- > 0;)
		if (rule_at(&g, g.order[k])->correlation) pass_down(s, &s->correlations.v[g.order[k]]);
	decide_reports(s);
	compact(s, &g);
	graph_free(&g);
}
