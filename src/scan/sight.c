/* sight.c: see sight.h. */
#include "scan/sight.h"
#include "base/map.h"

enum { FIELDS = 64, SHAPES = 1 << 16, DEPTH = 200 };

/* Rules that state the same log source. */
struct group {
	struct logsource ls;
	VEC(uint32_t) rules;
};
struct sight_plan {
	const struct rule_set *rules;
	uint32_t n_rules;
	bool any;
	struct map keys;             /* product NUL category NUL service -> group */
	VEC(struct group) groups;
};
struct sight {
	const struct sight_plan *plan;
	struct rule_sight *rules;    /* [n_rules] */
	uint8_t *met;                /* [SHAPES]: bit 0: looked at, bit 1: a rule looks at it */
};

struct sight_plan *sight_plan_new(const struct rule_set *rules, bool any)
{
	struct sight_plan *p = xcalloc(1, sizeof *p);
	struct buf key = {0};
	p->rules = rules;
	p->any = any;
	p->n_rules = rule_set_count(rules);
	for (uint32_t i = 0; i < p->n_rules; i++) {
		const struct rule *r = rule_set_at(rules, i);
		const struct logsource *ls = &r->info.logsource;
		bool fresh;
		if (!r->condition || rule_of_deeds(r)) continue; /* what only tells of a session looks for nothing */
		key.n = 0;
		buf_str(&key, ls->product), buf_byte(&key, 0);
		buf_str(&key, ls->category), buf_byte(&key, 0);
		buf_str(&key, ls->service);
		uint32_t at = *map_put(&p->keys, buf_view(&key), (uint32_t)p->groups.n, &fresh);
		if (fresh) vec_push(&p->groups, (struct group){.ls = *ls});
		vec_push(&p->groups.v[at].rules, i);
	}
	buf_done(&key);
	return p;
}

void sight_plan_free(struct sight_plan *p)
{
	if (!p) return;
	for (size_t i = 0; i < p->groups.n; i++) vec_free(&p->groups.v[i].rules);
	vec_free(&p->groups);
	map_done(&p->keys);
	free(p);
}

struct sight *sight_new(const struct sight_plan *p)
{
	struct sight *s = xcalloc(1, sizeof *s);
	s->plan = p;
	s->rules = xcalloc(p->n_rules + 1, sizeof *s->rules);
	s->met = xcalloc(SHAPES, 1);
	return s;
}

void sight_free(struct sight *s)
{
	if (!s) return;
	free(s->rules);
	free(s->met);
	free(s);
}

/* --- a rule on a shape ----------------------------------------------------------------------------------------------------------- */

struct look { const struct shape *shape; const struct logsource_binding *binding; };

static bool has_field(const struct look *l, struct str field)
{
	for (uint32_t i = 0; i < l->binding->n_renames; i++)
		if (str_eq(l->binding->renames[i].rule_field, field) && shape_column(l->shape, l->binding->renames[i].event_field) >= 0) return true;
	return shape_column(l->shape, field) >= 0;
}

enum { CAN_HOLD = 1, CAN_FAIL = 2 };

/* What a leaf can be when the columns that there are have any values, and all others are absent. */
static unsigned leaf_can(const struct look *l, const struct leaf *leaf)
{
	if (leaf->kind == LEAF_NEVER) return CAN_FAIL;
	if (!leaf->field.n) return CAN_HOLD | CAN_FAIL;
	if (has_field(l, leaf->field)) return CAN_HOLD | CAN_FAIL;
	return leaf->kind == LEAF_NULL || (leaf->kind == LEAF_EXISTS && !leaf->truth) ? CAN_HOLD : CAN_FAIL;
}

static unsigned tree_can(const struct look *l, const struct node *n, unsigned depth)
{
	if (depth > DEPTH) return CAN_HOLD | CAN_FAIL;
	if (n->kind == NODE_LEAF) return leaf_can(l, n->leaf);
	if (n->kind == NODE_NOT) {
		unsigned can = tree_can(l, n->children[0], depth + 1);
		return (can & CAN_HOLD ? CAN_FAIL : 0) | (can & CAN_FAIL ? CAN_HOLD : 0);
	}
	bool all = n->kind == NODE_AND;
	unsigned every = all ? CAN_HOLD : CAN_FAIL, any = CAN_HOLD | CAN_FAIL, can = every;
	for (uint32_t i = 0; i < n->n; i++) {
		unsigned c = tree_can(l, n->children[i], depth + 1);
		if (!(c & every)) can &= ~every;
		can |= c & any & ~every;
	}
	return can;
}

static void add_field(struct str field, struct str *ret, uint32_t *n, uint32_t max)
{
	if (!field.n || *n >= max) return;
	for (uint32_t i = 0; i < *n; i++)
		if (str_eq(ret[i], field)) return;
	ret[(*n)++] = field;
}

static void walk_fields(const struct node *n, unsigned depth, struct str *ret, uint32_t *count, uint32_t max)
{
	if (depth > DEPTH) return;
	if (n->kind == NODE_LEAF) add_field(n->leaf->field, ret, count, max);
	for (uint32_t i = 0; i < n->n && n->kind != NODE_LEAF; i++) walk_fields(n->children[i], depth + 1, ret, count, max);
}

uint32_t sight_fields(const struct rule *r, struct str *ret, uint32_t max)
{
	uint32_t n = 0;
	if (r->condition) walk_fields(r->condition, 0, ret, &n, max);
	return n;
}

static void look_at(struct rule_sight *s, const struct rule *r, const struct look *l)
{
	struct str fields[FIELDS];
	if (s->possible) return;
	if (tree_can(l, r->condition, 0) & CAN_HOLD) {
		s->possible = true;
		return;
	}
	uint32_t n = sight_fields(r, fields, FIELDS);
	for (uint32_t i = 0; i < n; i++)
		if (has_field(l, fields[i])) s->seen |= (uint64_t)1 << i;
}

bool sight_shape(struct sight *s, const struct shape *shape)
{
	const struct sight_plan *p = s->plan;
	static const struct logsource_binding none;
	bool any = false, kept = shape->id < SHAPES;
	if (kept && s->met[shape->id]) return s->met[shape->id] & 2;
	for (size_t g = 0; g < p->groups.n; g++) {
		const struct group *group = &p->groups.v[g];
		for (uint32_t b = 0; b < (p->any ? 1 : shape->n_bindings); b++) {
			struct look l = {shape, p->any ? &none : &shape->bindings[b]};
			if (!p->any && !logsource_covers(&group->ls, &l.binding->ls)) continue;
			any = true;
			/* A shape that is in no table is of many: what each of them has is not asked. */
			for (size_t i = 0; i < group->rules.n && kept; i++) look_at(&s->rules[group->rules.v[i]], rule_set_at(p->rules, group->rules.v[i]), &l);
			for (size_t i = 0; i < group->rules.n && !kept; i++) s->rules[group->rules.v[i]].possible = true;
		}
	}
	if (kept) s->met[shape->id] = any ? 3 : 1;
	return any;
}

void sight_merge(const struct sight *s, struct rule_sight *into)
{
	for (uint32_t i = 0; i < s->plan->n_rules; i++) {
		into[i].possible |= s->rules[i].possible;
		into[i].seen |= s->rules[i].seen;
	}
}
