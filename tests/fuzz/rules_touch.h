/* rules_touch.h: what holds for every rule set, whatever text it was loaded from. Aborts (verify) when something does not. */
#pragma once
#include "base/base.h"
#include "rules/rules.h"
#include "text/utf.h"

static inline uint64_t touch_str(struct str s)
{
	uint64_t sum = s.n;
	for (size_t i = 0; i < s.n; i++) sum = sum * 31 + (unsigned char)s.p[i];
	return sum;
}

static inline void touch_pieces(const struct leaf *l)
{
	verify(l->n_pieces > 0);
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		const struct piece *p = &l->pieces[i];
		bool first = i == 0;
		verify(p->kind == PIECE_LITERAL ? p->literal.n > 0 : p->literal.n == 0);
		verify(first || !(p->kind == PIECE_LITERAL && p[-1].kind == PIECE_LITERAL));
		verify(first || !(p->kind == PIECE_ANY && p[-1].kind == PIECE_ANY));
		if (p->kind != PIECE_LITERAL || l->cased) continue;
		char *again = xmalloc(UTF8_FOLD_ROOM(p->literal.n));
		verify(str_eq((struct str){again, utf8_fold(p->literal, again)}, p->literal));
		free(again);
	}
	verify(l->field.n || (l->pieces[0].kind == PIECE_ANY && l->pieces[l->n_pieces - 1].kind == PIECE_ANY));
}

static inline uint64_t touch_leaf(const struct rule *r, const struct leaf *l)
{
	uint64_t sum = touch_str(l->field) + touch_str(l->written) + touch_str(l->regex) + touch_str(l->other_field);
	verify(l->search == UINT32_MAX ? r->n_filters > 0 : l->search < r->n_searches);
	verify(l->line && l->column);
	if (l->kind == LEAF_STRING) touch_pieces(l);
	if (l->kind == LEAF_CIDR) verify(l->net_bits <= (l->net_v6 ? 128 : 32));
	if (l->kind == LEAF_FIELDREF) verify(l->field.n && l->other_field.n);
	if (l->kind == LEAF_EXISTS || l->kind == LEAF_TIMEPART || l->kind == LEAF_NULL || l->kind == LEAF_EMPTY) verify(l->field.n);
	for (uint32_t i = 0; i < l->n_pieces; i++) sum += touch_str(l->pieces[i].literal);
	return sum;
}

/* Returns the number of nodes, *sum over what the leaves say. */
static inline uint64_t touch_node(const struct rule *r, const struct node *n, unsigned depth, uint64_t *sum)
{
	uint64_t count = 1;
	verify(depth < 400 && n->item <= r->n_items);
	verify(n->kind == NODE_LEAF ? n->leaf && !n->n : n->kind == NODE_NOT ? n->n == 1 : n->n >= 2);
	if (n->kind == NODE_LEAF) *sum += touch_leaf(r, n->leaf);
	for (uint32_t i = 0; i < n->n; i++) count += touch_node(r, n->children[i], depth + 1, sum);
	*sum = *sum * 7 + n->kind;
	return count;
}

static inline void touch_corr_node(const struct correlation *c, const struct corr_node *n, unsigned depth)
{
	verify(depth < 200 && (n->kind == NODE_LEAF ? n->ref < c->n_refs && !n->n : n->kind == NODE_NOT ? n->n == 1 : n->n >= 2));
	for (uint32_t i = 0; i < n->n; i++) touch_corr_node(c, n->children[i], depth + 1);
}

static inline uint64_t touch_correlation(const struct rule_set *s, const struct rule *r)
{
	const struct correlation *c = r->correlation;
	verify(c->n_refs && c->n_refs <= 64 && c->timespan_ns > 0);
	for (uint32_t i = 0; i < c->n_refs; i++) verify(c->refs[i] < rule_set_count(s) && c->refs[i] != r->index);
	for (uint32_t i = 0; i < c->n_group_by; i++) touch_str(c->group_by[i]);
	for (uint32_t i = 0; i < c->n_fields; i++) touch_str(c->fields[i]);
	for (uint32_t i = 0; i < c->n_aliases; i++)
		for (uint32_t k = 0; k < c->n_refs; k++) touch_str(c->aliases[i].fields[k]);
	if (c->extended) touch_corr_node(c, c->extended, 0);
	return c->n_refs;
}

static inline uint64_t touch_rule(const struct rule_set *s, uint32_t index)
{
	const struct rule *r = rule_set_at(s, index);
	uint64_t sum = touch_str(r->info.title) + touch_str(r->info.id) + touch_str(r->text);
	verify(r->index == index && r->info.title.n && r->info.id.n && r->line && !r->condition == !!r->correlation);
	if (r->condition) verify(touch_node(r, r->condition, 0, &sum) <= 2200000);
	if (r->correlation) sum += touch_correlation(s, r);
	for (uint32_t i = 0; i < r->n_keep; i++) sum += touch_str(r->keep[i]);
	for (uint32_t i = 0; i < r->info.n_tags; i++) sum += touch_str(r->info.tags[i]);
	for (uint32_t i = 0; i < r->n_items; i++) verify(r->items[i].line && (r->items[i].search < r->n_searches));
	return sum;
}

/* Everything that can be reached; a number that is the same for the same set. */
static inline uint64_t touch_set(const struct rule_set *s)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < rule_set_count(s); i++) sum = sum * 131 + touch_rule(s, i);
	for (uint32_t i = 0; i < rule_set_refused_count(s); i++) {
		const struct rules_refused *r = rule_set_refused(s, i);
		verify(r->reason.n && r->category.n && r->source_line.p);
		sum = sum * 131 + touch_str(r->reason) + touch_str(r->source_line) + r->line + r->column;
	}
	for (uint32_t i = 0; i < rule_set_warning_count(s); i++) sum += touch_str(rule_set_warning(s, i)->text);
	return sum;
}
