/* explain.c: see explain.h. */
#include "rules/explain.h"
#include "text/escape.h"

enum { VALUES_SHOWN = 12, INDENT = 2 };

/* --- leaves ----------------------------------------------------------------------------------------------------------- */

/* A literal in Sigma's own spelling: what would be a wildcard gets its backslash back. */
static void put_literal(struct buf *out, struct str s)
{
	struct buf b = {0};
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '*' || s.p[i] == '?') buf_byte(&b, '\\');
		buf_byte(&b, s.p[i]);
	}
	term_str(out, buf_view(&b));
	buf_done(&b);
}

static void put_number(struct buf *out, const struct leaf *l)
{
	if (l->is_integer) buf_i64(out, l->integer);
	else buf_printf(out, "%.15g", l->real);
}

static void put_net(struct buf *out, const struct leaf *l)
{
	for (unsigned i = 0; i < (l->net_v6 ? 8u : 4u); i++) {
		if (i) buf_byte(out, l->net_v6 ? ':' : '.');
		if (l->net_v6) buf_printf(out, "%x", l->net[2 * i] << 8 | l->net[2 * i + 1]);
		else buf_u64(out, l->net[i]);
	}
	buf_printf(out, "/%u", l->net_bits);
}

static void put_string(struct buf *out, const struct leaf *l)
{
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		if (l->pieces[i].kind == PIECE_ANY) buf_byte(out, '*');
		else if (l->pieces[i].kind == PIECE_ONE) buf_byte(out, '?');
		else put_literal(out, l->pieces[i].literal);
	}
	if (l->cased) buf_lit(out, " (with case)");
}

void explain_leaf(const struct leaf *l, bool with_field, struct buf *out)
{
	static const char *const ops[] = {"=", ">", ">=", "<", "<="}, *const parts[] = {"minute", "hour", "day", "week", "month", "year"};
	static const char *const string_ops[] = {"same as", "contains", "begins with", "ends with"};
	if (with_field) {
		term_str(out, l->field.n ? l->field : STR("(anywhere)"));
		buf_byte(out, ' ');
	}
	switch (l->kind) {
	case LEAF_STRING: put_string(out, l); break;
	case LEAF_EMPTY: buf_lit(out, "(empty)"); break;
	case LEAF_NUMBER: buf_lit(out, "= "); put_number(out, l); break;
	case LEAF_BOOL: buf_printf(out, "= %s", l->truth ? "true" : "false"); break;
	case LEAF_NULL: buf_lit(out, "(null or absent)"); break;
	case LEAF_REGEX: buf_byte(out, '/'); term_str(out, l->regex); buf_printf(out, "/%s%s%s", l->re_i ? "i" : "", l->re_m ? "m" : "", l->re_s ? "s" : ""); break;
	case LEAF_CIDR: buf_lit(out, "in "); put_net(out, l); break;
	case LEAF_COMPARE: buf_printf(out, "%s ", ops[l->op]); put_number(out, l); break;
	case LEAF_EXISTS: buf_printf(out, "(%s)", l->truth ? "present" : "absent"); break;
	case LEAF_FIELDREF: buf_printf(out, "%s field ", string_ops[l->string_op]); term_str(out, l->other_field); break;
	case LEAF_TIMEPART: buf_printf(out, "%s %s %lld", parts[l->part], ops[l->op], (long long)l->integer); break;
	case LEAF_NEVER: buf_lit(out, "(never)"); break;
	}
}

/* --- the tree ----------------------------------------------------------------------------------------------------------- */

struct explaining {
	const struct rule *r;
	const struct explain_marks *marks;
	struct buf *out;
};

static char mark(const struct explaining *x, const struct node *n) { return x->marks ? x->marks->node(x->marks->self, n) : ' '; }

static void begin(const struct explaining *x, const struct node *n, unsigned depth)
{
	if (x->marks) buf_byte(x->out, n ? mark(x, n) : ' ');
	buf_printf(x->out, "%*s", (int)(INDENT * depth) + (x->marks ? 1 : 0), "");
}

static void end(const struct explaining *x, const struct leaf *l)
{
	if (x->marks && l) x->marks->seen(x->marks->self, l, x->out);
	buf_byte(x->out, '\n');
}

static void put_tree(const struct explaining *x, const struct node *n, unsigned depth);

/* Alternatives of one written value (windash, base64offset): one line. */
static bool one_value(const struct node *n)
{
	if (n->kind != NODE_OR) return false;
	for (uint32_t i = 0; i < n->n; i++)
		if (n->children[i]->kind != NODE_LEAF || n->children[i]->leaf->line != n->children[0]->leaf->line || n->children[i]->leaf->column != n->children[0]->leaf->column) return false;
	return true;
}

static const struct leaf *telling(const struct explaining *x, const struct node *n)
{
	for (uint32_t i = 0; x->marks && i < n->n; i++)
		if (mark(x, n->children[i]) == '+') return n->children[i]->leaf;
	return n->children[0]->leaf;
}

static void put_value(const struct explaining *x, const struct node *n, unsigned depth)
{
	const struct leaf *l = n->kind == NODE_LEAF ? n->leaf : telling(x, n);
	begin(x, n, depth);
	explain_leaf(l, false, x->out);
	if (n->kind != NODE_LEAF) buf_printf(x->out, " (one of %u forms)", n->n);
	end(x, l);
}

/* The values of an item. Of many, those that hold, and the first few. */
static void put_values(const struct explaining *x, const struct node *n, unsigned depth)
{
	uint32_t shown = 0, left = 0;
	for (uint32_t i = 0; i < n->n; i++) {
		bool show = shown < VALUES_SHOWN || (x->marks && mark(x, n->children[i]) != '-' && shown < 4 * VALUES_SHOWN);
		if (!show) {
			left++;
			continue;
		}
		put_value(x, n->children[i], depth);
		shown++;
	}
	if (!left) return;
	begin(x, NULL, depth);
	buf_printf(x->out, "... and %u more", left);
	end(x, NULL);
}

/* "field|modifiers, one of:" and its values, on one line where there is one. */
static void put_item(const struct explaining *x, const struct node *n, unsigned depth)
{
	const struct rule_item *item = &x->r->items[n->item - 1];
	const struct node *values = n->negated_item ? n->children[0] : n;
	bool single = values->kind == NODE_LEAF || one_value(values);
	begin(x, n, depth);
	term_str(x->out, item->field.n ? item->key : item->key.n ? item->key : STR("anywhere"));
	if (single) {
		const struct leaf *l = values->kind == NODE_LEAF ? values->leaf : telling(x, values);
		buf_lit(x->out, ": ");
		explain_leaf(l, false, x->out);
		if (values->kind != NODE_LEAF) buf_printf(x->out, " (one of %u forms)", values->n);
		end(x, l);
		return;
	}
	buf_printf(x->out, ", %s%s:", n->negated_item ? "not " : "", values->kind == NODE_AND ? "all of" : "one of");
	end(x, NULL);
	put_values(x, values, depth + 1);
}

static void put_tree(const struct explaining *x, const struct node *n, unsigned depth)
{
	if (n->item) {
		put_item(x, n, depth);
		return;
	}
	if (n->kind == NODE_LEAF) {
		begin(x, n, depth);
		explain_leaf(n->leaf, true, x->out);
		end(x, n->leaf);
		return;
	}
	begin(x, n, depth);
	buf_printf(x->out, "%s:", n->kind == NODE_NOT ? "not" : n->kind == NODE_AND ? "all of" : "one of");
	end(x, NULL);
	for (uint32_t i = 0; i < n->n; i++) put_tree(x, n->children[i], depth + 1);
}

/* --- correlations ------------------------------------------------------------------------------------------------------- */

static void put_list(struct buf *out, const char *what, const struct str *v, uint32_t n)
{
	if (!n) return;
	buf_printf(out, "%s", what);
	for (uint32_t i = 0; i < n; i++) {
		if (i) buf_lit(out, ", ");
		term_str(out, v[i]);
	}
	buf_byte(out, '\n');
}

static void put_span(struct buf *out, int64_t ns)
{
	static const struct { int64_t seconds; const char *word; } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	int64_t s = ns / 1000000000;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (s % units[i].seconds) continue;
		buf_printf(out, "%lld %s%s", (long long)(s / units[i].seconds), units[i].word, s == units[i].seconds ? "" : "s");
		return;
	}
}

static void put_corr_node(const struct rule_set *s, const struct correlation *c, const struct corr_node *n, struct buf *out)
{
	if (n->kind == NODE_LEAF) {
		const struct rule *r = rule_set_at(s, c->refs[n->ref]);
		term_str(out, r->name.n ? r->name : r->info.title);
	}
	if (n->kind == NODE_NOT) buf_lit(out, "not ");
	if (n->n > 1) buf_byte(out, '(');
	for (uint32_t i = 0; i < n->n; i++) {
		if (i) buf_printf(out, "%s", n->kind == NODE_AND ? " and " : " or ");
		put_corr_node(s, c, n->children[i], out);
	}
	if (n->n > 1) buf_byte(out, ')');
}

static void put_thresholds(const struct rule_set *s, const struct correlation *c, struct buf *out)
{
	static const char *const ops[] = {">", ">=", "<", "<=", "=", "!="};
	static const char *const counted[] = {"events", "distinct values", "rules that matched", "rules that matched in order", "sum", "average", "percentile", "median"};
	if (c->extended) {
		buf_lit(out, "condition: ");
		put_corr_node(s, c, c->extended, out);
		buf_byte(out, '\n');
		return;
	}
	if (!c->n_thresholds) {
		buf_printf(out, "condition: all of them%s\n", c->type == CORRELATE_TEMPORAL_ORDERED ? ", in this order" : "");
		return;
	}
	buf_lit(out, "condition: ");
	if (c->type == CORRELATE_VALUE_PERCENTILE) buf_printf(out, "%.15gth ", c->percentile.near);
	buf_printf(out, "%s", counted[c->type]);
	for (uint32_t i = 0; i < c->n_thresholds; i++) buf_printf(out, "%s %s %.15g", i ? " and" : "", ops[c->thresholds[i].op], c->thresholds[i].value.near);
	buf_byte(out, '\n');
}

static void put_correlation(const struct rule_set *s, const struct rule *r, struct buf *out)
{
	const struct correlation *c = r->correlation;
	buf_lit(out, "within ");
	put_span(out, c->timespan_ns);
	buf_byte(out, '\n');
	put_list(out, "for each: ", c->group_by, c->n_group_by);
	put_list(out, "of the field: ", c->fields, c->n_fields);
	put_thresholds(s, c, out);
	for (uint32_t i = 0; i < c->n_refs; i++) {
		const struct rule *of = rule_set_at(s, c->refs[i]);
		buf_printf(out, "  %s ", of->correlation ? "correlation" : "rule");
		term_str(out, of->info.title);
		buf_printf(out, "%s\n", of->report ? "" : " (not reported on its own)");
		for (uint32_t k = 0; k < c->n_aliases; k++) {
			if (!c->aliases[k].fields[i].n) continue;
			buf_lit(out, "    ");
			term_str(out, c->aliases[k].alias);
			buf_lit(out, " is its ");
			term_str(out, c->aliases[k].fields[i]);
			buf_byte(out, '\n');
		}
	}
}

/* --- the whole ------------------------------------------------------------------------------------------------------------ */

static void put_binding(const struct taxonomy *t, const struct logsource *ls, const struct taxonomy_line *event, struct buf *out)
{
	struct taxonomy_line line;
	bool first = true;
	buf_printf(out, "  event id%s ", str_find_byte(event->column[1], ',', 0) == SIZE_MAX ? "" : "s");
	term_str(out, event->column[1]);
	buf_lit(out, " of ");
	for (uint32_t i = 0; taxonomy_line_at(t, i, &line); i++) {
		if (!str_eq(line.word, STR("channel")) || line.n < 2 || !str_eq(line.column[1], event->column[0])) continue;
		if (!first) buf_lit(out, ", ");
		first = false;
		term_str(out, line.column[0]);
	}
	if (event->n > 3) {
		buf_lit(out, " with ");
		term_str(out, event->column[3]);
	}
	buf_byte(out, '\n');
	for (uint32_t i = 0; taxonomy_line_at(t, i, &line); i++) {
		if (!str_eq(line.word, STR("rename")) || line.n < 4 || !str_eq(line.column[0], event->column[0]) || !str_eq(line.column[1], ls->category)) continue;
		buf_lit(out, "    there ");
		term_str(out, line.column[2]);
		buf_lit(out, " is called ");
		term_str(out, line.column[3]);
		buf_byte(out, '\n');
	}
}

/* A column of the taxonomy's data, where '-' is nothing. */
static struct str stated(struct str s) { return str_eq(s, STR("-")) ? (struct str){"", 0} : s; }

/* The formats whose events are of the rule's log source. Returns how many. */
static uint32_t put_formats(const struct logsource *ls, const struct taxonomy *t, struct buf *out)
{
	struct taxonomy_line line;
	struct str last = {"", 0};
	uint32_t n = 0;
	for (uint32_t i = 0; taxonomy_line_at(t, i, &line); i++) {
		bool source = str_eq(line.word, STR("source")), format = str_eq(line.word, STR("format"));
		if ((!source && !format) || line.n < 4 || str_eq(line.column[0], last)) continue;
		const struct logsource have = {stated(line.column[1]), stated(line.column[2]), stated(line.column[3])};
		if (!logsource_covers(ls, &have)) continue;
		last = line.column[0];
		buf_printf(out, "  %s ", source ? "events of the channel" : "events of the format");
		term_str(out, line.column[0]);
		if (format && line.n > 4) {
			buf_lit(out, " with ");
			term_str(out, line.column[4]);
		}
		buf_byte(out, '\n');
		n++;
	}
	return n;
}

static void put_windows(const struct logsource *ls, const struct taxonomy *t, struct buf *out)
{
	struct taxonomy_line line;
	for (uint32_t i = 0; taxonomy_line_at(t, i, &line); i++) {
		if (ls->category.n && str_eq(line.word, STR("event")) && line.n >= 3 && str_eq(line.column[2], ls->category) && (!ls->service.n || str_eq(line.column[0], ls->service)))
			put_binding(t, ls, &line, out);
		if (!ls->category.n && str_eq(line.word, STR("channel")) && line.n >= 2 && str_eq(line.column[1], ls->service)) {
			buf_lit(out, "  all events of ");
			term_str(out, line.column[0]);
			buf_byte(out, '\n');
		}
	}
}

static void put_logs(const struct rule *r, const struct taxonomy *t, struct buf *out)
{
	const struct logsource *ls = &r->info.logsource;
	bool windows = !ls->product.n || str_eq(ls->product, STR("windows"));
	if (!t || (!ls->product.n && !ls->category.n && !ls->service.n)) return;
	if (windows) put_windows(ls, t, out);
	if (!put_formats(ls, t, out) && !windows) buf_lit(out, "  no log of this kind is known: it needs --logsource or --any-logsource\n");
}

void explain_head(const struct rule *r, const struct taxonomy *t, struct buf *out)
{
	term_str(out, r->info.title);
	buf_byte(out, '\n');
	if (!str_eq(r->info.id, r->info.title)) {
		buf_lit(out, "id ");
		term_str(out, r->info.id);
		buf_byte(out, '\n');
	}
	buf_printf(out, "level %s, ", level_word(r->info.level));
	term_str(out, r->info.file);
	buf_printf(out, ":%u\n", r->line);
	if (r->correlation) return;
	buf_lit(out, "log source");
	const struct str v[] = {r->info.logsource.product, r->info.logsource.category, r->info.logsource.service};
	static const char *const words[] = {"product", "category", "service"};
	for (size_t i = 0; i < 3; i++) {
		if (!v[i].n) continue;
		buf_printf(out, " %s ", words[i]);
		term_str(out, v[i]);
	}
	buf_byte(out, '\n');
	put_logs(r, t, out);
}

void explain_tree(const struct rule_set *s, const struct rule *r, const struct explain_marks *marks, struct buf *out)
{
	struct explaining x = {r, marks, out};
	if (r->correlation) {
		put_correlation(s, r, out);
		return;
	}
	begin(&x, r->condition, 0);
	buf_lit(out, "condition: ");
	term_str(out, str_trim(r->condition_text));
	end(&x, NULL);
	for (uint32_t i = 0; i < r->n_searches; i++) {
		begin(&x, r->searches[i].tree, 1);
		term_str(out, r->searches[i].name);
		buf_lit(out, ":");
		end(&x, NULL);
		put_tree(&x, r->searches[i].tree, 2);
	}
	for (uint32_t i = 0; i < r->n_filters; i++) {
		const struct node *filter = r->condition->children[i + 1];
		begin(&x, filter, 0);
		buf_lit(out, "and filter ");
		term_str(out, r->filters[i]->title);
		buf_lit(out, ":");
		end(&x, NULL);
		put_tree(&x, filter, 1);
	}
}
