/* rules_show.h: for the tests of the room rules: texts loaded, trees and refusals as one line of text.
 *
 *	f='a'*?'b'      text with wildcards; cased: f=cased 'A'       f=''          empty
 *	f=5 f=1.5       number          f=true f=null                 f=/a.b/ims    regex
 *	f>=5            comparison      f=exists true                 f=ref g       f=ref contains g
 *	f=hour>5        part of a time  f=0a000000/8                  network, its bytes in hex
 *	(x & y) (x | y) !x              nested ANDs and ORs are one, double negation is none
 * Keywords have no field before the sign. */
#pragma once
#include "tests/check.h"
#include "base/base.h"
#include "rules/rules.h"

static inline void show_number(struct buf *b, bool is_integer, int64_t integer, double real)
{
	if (is_integer) buf_i64(b, integer);
	else buf_printf(b, "%.15g", real);
}

static inline void show_pieces(struct buf *b, const struct leaf *l)
{
	if (l->cased) buf_lit(b, "cased ");
	if (!l->n_pieces) buf_lit(b, "''");
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		if (l->pieces[i].kind == PIECE_ANY) buf_byte(b, '*');
		else if (l->pieces[i].kind == PIECE_ONE) buf_byte(b, '?');
		else buf_printf(b, "'%.*s'", STR_FMT(l->pieces[i].literal));
	}
}

static inline void show_leaf(struct buf *b, const struct leaf *l)
{
	static const char *const ops[] = {"=", ">", ">=", "<", "<="}, *const parts[] = {"minute", "hour", "day", "week", "month", "year"};
	static const char *const string_ops[] = {"", "contains ", "starts ", "ends "};
	buf_str(b, l->field);
	switch (l->kind) {
	case LEAF_STRING: case LEAF_EMPTY: buf_byte(b, '='); show_pieces(b, l); break;
	case LEAF_NUMBER: buf_byte(b, '='); show_number(b, l->is_integer, l->integer, l->real); break;
	case LEAF_BOOL: buf_printf(b, "=%s", l->truth ? "true" : "false"); break;
	case LEAF_NULL: buf_lit(b, "=null"); break;
	case LEAF_REGEX: buf_printf(b, "=/%.*s/%s%s%s", STR_FMT(l->regex), l->re_i ? "i" : "", l->re_m ? "m" : "", l->re_s ? "s" : ""); break;
	case LEAF_CIDR: buf_byte(b, '='); buf_hex(b, l->net, l->net_v6 ? 16 : 4); buf_printf(b, "/%u", l->net_bits); break;
	case LEAF_COMPARE: buf_printf(b, "%s", ops[l->op]); show_number(b, l->is_integer, l->integer, l->real); break;
	case LEAF_EXISTS: buf_printf(b, "=exists %s", l->truth ? "true" : "false"); break;
	case LEAF_FIELDREF: buf_printf(b, "=ref %s%.*s", string_ops[l->string_op], STR_FMT(l->other_field)); break;
	case LEAF_TIMEPART: buf_printf(b, "=%s%s%lld", parts[l->part], ops[l->op], (long long)l->integer); break;
	case LEAF_NEVER: buf_lit(b, "=never"); break;
	}
}

/* Children of children of the same kind are listed with them. */
static inline void show_children(struct buf *b, const struct node *n, enum node_kind kind, const char *sign, bool *first)
{
	void show_node(struct buf *, const struct node *);
	if (n->kind == kind) {
		for (uint32_t i = 0; i < n->n; i++) show_children(b, n->children[i], kind, sign, first);
		return;
	}
	if (!*first) buf_printf(b, " %s ", sign);
	*first = false;
	show_node(b, n);
}

void show_node(struct buf *b, const struct node *n);
void show_node(struct buf *b, const struct node *n)
{
	bool first = true;
	while (n->kind == NODE_NOT && n->children[0]->kind == NODE_NOT) n = n->children[0]->children[0];
	switch (n->kind) {
	case NODE_LEAF: show_leaf(b, n->leaf); return;
	case NODE_NOT: buf_byte(b, '!'); show_node(b, n->children[0]); return;
	case NODE_AND: case NODE_OR:
		buf_byte(b, '(');
		show_children(b, n, n->kind, n->kind == NODE_AND ? "&" : "|", &first);
		buf_byte(b, ')');
		return;
	}
}

/* Everything that became of a text: "TREE; TREE; !category:line:column reason", correlations as "(correlation)". */
static inline void show_set(struct buf *b, const struct rule_set *s)
{
	for (uint32_t i = 0; i < rule_set_count(s); i++) {
		const struct rule *r = rule_set_at(s, i);
		if (b->n) buf_lit(b, "; ");
		if (r->condition) show_node(b, r->condition);
		else buf_lit(b, "(correlation)");
	}
	for (uint32_t i = 0; i < rule_set_refused_count(s); i++) {
		const struct rules_refused *r = rule_set_refused(s, i);
		if (b->n) buf_lit(b, "; ");
		buf_printf(b, "!%.*s:%u:%u %.*s", STR_FMT(r->category), r->line, r->column, STR_FMT(r->reason));
	}
	buf_byte(b, 0);
}

static inline struct rule_set *show_load(const char *text)
{
	struct rule_set *s = rule_set_new();
	rule_set_add_text(s, str_of(text), STR("test.yml"));
	rule_set_finish(s);
	return s;
}

/* The text of a whole rule set; lives until the next call. */
static inline const char *show_text(const char *text)
{
	static struct buf b;
	b.n = 0;
	struct rule_set *s = show_load(text);
	show_set(&b, s);
	rule_set_free(s);
	return b.p;
}

/* A rule around a detection section: "sel:\n  f: 1\ncondition: sel", indented by this function. */
static inline const char *show_detection(const char *section)
{
	static struct buf b;
	b.n = 0;
	buf_lit(&b, "title: t\nlevel: low\nlogsource: {category: test}\ndetection:\n");
	for (struct str rest = str_of(section); rest.p;) {
		struct str line = str_cut(&rest, '\n');
		buf_printf(&b, "    %.*s\n", STR_FMT(line));
	}
	buf_byte(&b, 0);
	return show_text(b.p);
}

/* One item: "f|contains: a". */
static inline const char *show_item(const char *item)
{
	static char text[4096];
	snprintf(text, sizeof text, "sel:\n    %s\ncondition: sel", item);
	return show_detection(text);
}

/* The texts of all warnings, joined by "; ". */
static inline const char *show_warnings(const char *text)
{
	static struct buf b;
	b.n = 0;
	struct rule_set *s = show_load(text);
	for (uint32_t i = 0; i < rule_set_warning_count(s); i++) {
		const struct rules_warning *w = rule_set_warning(s, i);
		if (b.n) buf_lit(&b, "; ");
		buf_printf(&b, "%u:%u %.*s", w->line, w->column, STR_FMT(w->text));
	}
	buf_byte(&b, 0);
	rule_set_free(s);
	return b.p;
}
