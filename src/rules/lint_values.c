/* lint_values.c: checks of single values: what stands twice, what no log writes so, what adds nothing. */
#include "base/buf.h"
#include "rules/lint_internal.h"
#include "text/utf.h"

/* --- values twice ------------------------------------------------------------------------------------------------------- */

/* The leaves of one item's alternatives; those that expansion made of one value share its place. */
struct seen { struct map values; VEC(const struct leaf *) leaves; };

static void check_twice(struct linting *l, const struct rule *r, const struct node *n, struct seen *seen, struct buf *key)
{
	struct leaf said = {0};
	for (uint32_t i = 0; i < n->n; i++) {
		const struct node *child = n->children[i];
		bool fresh;
		if (child->kind == NODE_OR) check_twice(l, r, child, seen, key);
		if (child->kind != NODE_LEAF || child->leaf->kind != LEAF_STRING) continue;
		struct str w = child->leaf->written;
		key->n = 0;
		char *out = buf_reserve(key, UTF8_FOLD_ROOM(w.n));
		size_t length = utf8_fold(w, out);
		uint32_t at = *map_put(&seen->values, (struct str){out, length}, (uint32_t)seen->leaves.n, &fresh);
		if (fresh) vec_push(&seen->leaves, child->leaf);
		const struct leaf *first = seen->leaves.v[at], *last = child->leaf;
		/* Under cased, and encoded, case makes another value of it: the first alternative shows. */
		if ((last->line == first->line && last->column == first->column) || !lint_same_leaf(first, last) || (last->line == said.line && last->column == said.column)) continue;
		said = *last;
		lint_say(l->out, r, last->line, last->column, LINT_NOTE, "value-twice", "this value stands already in line %u, column %u", first->line, first->column);
	}
}

/* --- what no log writes so ------------------------------------------------------------------------------------------------ */

static bool is_one_of(struct str s, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		if (str_eq(s, str_of(words[i]))) return true;
	return false;
}

static bool has_byte(const struct leaf *leaf, char c)
{
	for (uint32_t i = 0; i < leaf->n_pieces; i++)
		if (leaf->pieces[i].kind == PIECE_LITERAL && str_find_byte(leaf->pieces[i].literal, c, 0) != SIZE_MAX) return true;
	return false;
}

static bool begins(const struct leaf *leaf, struct str folded)
{
	const struct piece *p = leaf->pieces;
	return leaf->n_pieces && p->kind == PIECE_LITERAL && str_eq_nocase(str_sub(p->literal, 0, folded.n), folded);
}

static void check_path(struct linting *l, const struct rule *r, const struct leaf *leaf)
{
	static const char *const paths[] = {"Image", "ParentImage", "SourceImage", "TargetImage", "ImageLoaded", "TargetFilename", NULL};
	static const char *const images[] = {"Image", "ParentImage", "SourceImage", "TargetImage", NULL};
	struct str product = r->info.logsource.product;
	if (!is_one_of(leaf->field, paths)) return;
	if ((str_eq(product, STR("linux")) || str_eq(product, STR("macos"))) && has_byte(leaf, '\\'))
		lint_say(l->out, r, leaf->line, leaf->column, LINT_WARNING, "path-form", "paths of %.*s have no backslashes", STR_FMT(product));
	if (!str_eq(product, STR("windows"))) return;
	if (has_byte(leaf, '/') && !str_eq(leaf->field, STR("TargetFilename")))
		lint_say(l->out, r, leaf->line, leaf->column, LINT_WARNING, "path-form", "Windows writes this path with backslashes");
	const struct piece *first = leaf->pieces;
	if (is_one_of(leaf->field, images) && leaf->n_pieces == 1 && first->kind == PIECE_LITERAL && str_ends(first->literal, STR(".exe")) && !has_byte(leaf, '\\'))
		lint_say(l->out, r, leaf->line, leaf->column, LINT_WARNING, "path-form", "a whole path stands in %.*s; write '\\%.*s' under endswith", STR_FMT(leaf->field),
			STR_FMT(str_sub(leaf->written, 0, 100)));
}

/* Sysmon writes HKLM, HKU and HKCR; Security 4657 writes \REGISTRY\MACHINE and \REGISTRY\USER. */
static void check_hive(struct linting *l, const struct rule *r, const struct leaf *leaf)
{
	if (!str_eq(leaf->field, STR("TargetObject")) || !str_eq(r->info.logsource.product, STR("windows"))) return;
	if (begins(leaf, STR("hkey_")))
		lint_say(l->out, r, leaf->line, leaf->column, LINT_WARNING, "never-matches", "events write HKLM, HKU and HKCR, never HKEY_...");
	else if (begins(leaf, STR("hkcu\\")))
		lint_say(l->out, r, leaf->line, leaf->column, LINT_WARNING, "never-matches", "events name the hive of a user HKU\\SID, never HKCU");
}

/* --- what adds nothing ------------------------------------------------------------------------------------------------------ */

static bool item_has(const struct rule *r, uint32_t item, struct str modifier)
{
	struct str rest = item && item <= r->n_items ? r->items[item - 1].key : (struct str){NULL, 0};
	while (rest.p)
		if (str_eq(str_cut(&rest, '|'), modifier)) return true;
	return false;
}

static void check_idle(struct linting *l, const struct rule *r, const struct node *n)
{
	const struct leaf *leaf = n->leaf;
	bool dash = str_find_byte(leaf->written, '-', 0) != SIZE_MAX || str_find_byte(leaf->written, '/', 0) != SIZE_MAX || str_find(leaf->written, STR("\xe2\x80"), 0) != SIZE_MAX;
	if (leaf->kind == LEAF_STRING && !dash && item_has(r, n->item, STR("windash")) && !item_has(r, n->item, STR("expand")))
		lint_say(l->out, r, leaf->line, leaf->column, LINT_NOTE, "windash-idle", "windash changes nothing here: there is no dash before a word");
	if (leaf->kind != LEAF_REGEX) return;
	struct str re = leaf->regex;
	bool front = str_starts(re, STR(".*")) && !str_starts(re, STR(".*?")), end = re.n > 2 && str_ends(re, STR(".*")) && re.p[re.n - 3] != '\\';
	if (front || end) lint_say(l->out, r, leaf->line, leaf->column, LINT_NOTE, "regex-idle", "the .* at its %s adds nothing: the expression is searched for anywhere", front ? "beginning" : "end");
}

static void walk(struct linting *l, const struct rule *r, const struct node *n, struct buf *key)
{
	if (n->kind == NODE_LEAF) {
		check_idle(l, r, n);
		if (n->leaf->kind != LEAF_STRING) return;
		check_path(l, r, n->leaf);
		check_hive(l, r, n->leaf);
		return;
	}
	if (n->item && n->kind == NODE_OR) {
		struct seen seen = {0};
		check_twice(l, r, n, &seen, key);
		map_done(&seen.values);
		vec_free(&seen.leaves);
	}
	for (uint32_t i = 0; i < n->n; i++) walk(l, r, n->children[i], key);
}

void lint_values(struct linting *l, const struct rule *r)
{
	struct buf key = {0};
	for (uint32_t i = 0; i < r->n_searches; i++) walk(l, r, r->searches[i].tree, &key);
	buf_done(&key);
}
