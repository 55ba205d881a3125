/* list.c: see list.h. */
#include "rules/list.h"
#include "base/map.h"
#include "text/escape.h"
#include "text/json_write.h"
#include <stdlib.h>

enum { TECHNIQUE_SIZE = 16 };

static bool is_digits(struct str s, size_t n)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return s.n == n;
}

bool list_technique(struct str tag, char *ret)
{
	struct str id = str_sub(tag, 7, SIZE_MAX);
	if (!str_starts(tag, STR("attack.")) || (id.n != 5 && id.n != 9) || (id.p[0] != 't' && id.p[0] != 'T') || !is_digits(str_sub(id, 1, 4), 4)) return false;
	if (id.n == 9 && (id.p[5] != '.' || !is_digits(str_sub(id, 6, 3), 3))) return false;
	memcpy(ret, id.p, id.n);
	ret[0] = 'T';
	ret[id.n] = 0;
	return true;
}

/* The technique of the k-th tag; false when it is none, or one of an earlier tag. */
static bool technique_at(const struct rule *r, uint32_t k, char *ret)
{
	if (!list_technique(r->info.tags[k], ret)) return false;
	for (uint32_t i = 0; i < k; i++)
		if (str_eq_nocase(r->info.tags[i], r->info.tags[k])) return false;
	return true;
}

static bool has_technique(const struct rule *r, struct str wanted)
{
	char id[TECHNIQUE_SIZE];
	for (uint32_t i = 0; i < r->info.n_tags; i++) {
		if (!list_technique(r->info.tags[i], id)) continue;
		struct str have = str_of(id);
		if (str_eq_nocase(have, wanted)) return true;
		if (wanted.n == 5 && have.n == 9 && str_eq_nocase(str_sub(have, 0, 5), wanted)) return true;
	}
	return false;
}

bool list_fits(const struct list_filter *f, const struct rule *r)
{
	const struct logsource *ls = &r->info.logsource;
	if (f->product.n && !str_eq(f->product, ls->product)) return false;
	if (f->category.n && !str_eq(f->category, ls->category)) return false;
	if (f->service.n && !str_eq(f->service, ls->service)) return false;
	if (f->by_level && r->info.level < f->least) return false;
	return !f->technique.n || has_technique(r, f->technique);
}

/* "windows/process_creation/-"; correlations have none of their own. */
static void put_logsource(const struct rule *r, struct buf *out)
{
	const struct logsource *ls = &r->info.logsource;
	if (r->correlation) {
		buf_lit(out, "correlation");
		return;
	}
	buf_str(out, ls->product.n ? ls->product : STR("-"));
	buf_byte(out, '/');
	buf_str(out, ls->category.n ? ls->category : STR("-"));
	if (ls->service.n) buf_byte(out, '/');
	buf_str(out, ls->service);
}

/* --- groups ---------------------------------------------------------------------------------------------------------- */

struct group { struct str name; uint32_t total, levels[LEVELS]; };
struct groups { struct map index; struct group *v; size_t n, cap; };

static void count(struct groups *g, struct str name, enum level level)
{
	bool fresh;
	uint32_t at = *map_put(&g->index, name, (uint32_t)g->n, &fresh);
	if (fresh) vec_push(g, (struct group){0});
	g->v[at].total++;
	g->v[at].levels[level]++;
}

static void count_rule(struct groups *g, const struct rule *r, enum list_by by, struct buf *scratch)
{
	char id[TECHNIQUE_SIZE];
	bool any = false;
	scratch->n = 0;
	if (by == LIST_BY_LEVEL) {
		count(g, str_of(level_word(r->info.level)), r->info.level);
	} else if (by == LIST_BY_LOGSOURCE) {
		put_logsource(r, scratch);
		count(g, buf_view(scratch), r->info.level);
	} else {
		for (uint32_t i = 0; i < r->info.n_tags; i++) {
			if (!technique_at(r, i, id)) continue;
			count(g, str_of(id), r->info.level);
			any = true;
		}
		if (!any) count(g, STR("(none)"), r->info.level);
	}
}

static int larger_first(const void *x, const void *y)
{
	const struct group *a = x, *b = y;
	return a->total != b->total ? (a->total < b->total ? 1 : -1) : str_cmp(a->name, b->name);
}

static int by_level(const void *x, const void *y)
{
	const struct group *a = x, *b = y;
	enum level p = LEVEL_INFORMATIONAL, q = LEVEL_INFORMATIONAL;
	level_parse(a->name, &p);
	level_parse(b->name, &q);
	return (int)q - (int)p;
}

static void pad(struct buf *out, size_t have, size_t want)
{
	for (; have < want; have++) buf_byte(out, ' ');
}

static void put_count(struct buf *out, uint32_t n, int width)
{
	if (n) buf_printf(out, "%*u", width, n);
	else buf_printf(out, "%*s", width, "-");
}

static void put_groups(const struct groups *g, const char *heading, struct buf *out)
{
	static const char *const heads[] = {"critical", "high", "medium", "low", "info"};
	size_t widest = strlen(heading);
	for (size_t i = 0; i < g->n; i++)
		if (g->v[i].name.n > widest) widest = g->v[i].name.n;
	buf_printf(out, "%s", heading);
	pad(out, strlen(heading), widest);
	buf_lit(out, "   rules");
	for (int k = 0; k < LEVELS; k++) buf_printf(out, "%10s", heads[k]);
	buf_byte(out, '\n');
	for (size_t i = 0; i < g->n; i++) {
		size_t before = out->n;
		term_str(out, g->v[i].name);
		pad(out, utf8_width((struct str){out->p + before, out->n - before}), widest);
		put_count(out, g->v[i].total, 8);
		for (int k = 0; k < LEVELS; k++) put_count(out, g->v[i].levels[LEVELS - 1 - k], 10);
		buf_byte(out, '\n');
	}
}

static void table_of_groups(const struct rule_set *s, const struct list_filter *f, enum list_by by, struct buf *out)
{
	static const char *const headings[] = {"", "log source", "level", "technique"};
	struct groups g = {0};
	struct buf scratch = {0};
	for (uint32_t i = 0; i < rule_set_count(s); i++)
		if (list_fits(f, rule_set_at(s, i))) count_rule(&g, rule_set_at(s, i), by, &scratch);
	for (size_t i = 0; i < g.n; i++) g.v[i].name = g.index.entries[i].key;
	if (g.n) qsort(g.v, g.n, sizeof *g.v, by == LIST_BY_LEVEL ? by_level : larger_first);
	put_groups(&g, headings[by], out);
	vec_free(&g);
	map_done(&g.index);
	buf_done(&scratch);
}

/* --- rules ------------------------------------------------------------------------------------------------------------ */

void list_table(const struct rule_set *s, const struct list_filter *f, enum list_by by, size_t width, struct buf *out)
{
	enum { LEVEL_WIDTH = 14, SOURCE_WIDTH = 34 };
	if (by != LIST_RULES) {
		table_of_groups(s, f, by, out);
		return;
	}
	for (uint32_t i = 0; i < rule_set_count(s); i++) {
		const struct rule *r = rule_set_at(s, i);
		struct buf source = {0};
		if (!list_fits(f, r)) continue;
		const char *level = level_word(r->info.level);
		buf_printf(out, "%s", level);
		pad(out, strlen(level), LEVEL_WIDTH);
		put_logsource(r, &source);
		pad(out, term_str_cut(out, buf_view(&source), SOURCE_WIDTH - 2), SOURCE_WIDTH);
		buf_done(&source);
		if (width > LEVEL_WIDTH + SOURCE_WIDTH + 10) term_str_cut(out, r->info.title, width - LEVEL_WIDTH - SOURCE_WIDTH);
		else term_str(out, r->info.title);
		buf_byte(out, '\n');
	}
}

static void put_texts(struct json_out *o, struct str key, const struct str *v, uint32_t n)
{
	json_key(o, key);
	json_begin_array(o);
	for (uint32_t i = 0; i < n; i++) json_put_str(o, v[i]);
	json_end(o);
}

static void put_attribute(struct json_out *o, struct str key, struct str value)
{
	if (value.n) json_key_str(o, key, value);
}

static void put_rule(const struct rule *r, struct buf *out)
{
	struct json_out o = JSON_OUT(out);
	char id[TECHNIQUE_SIZE], hash[2 * SHA256_SIZE + 1];
	json_begin_object(&o);
	json_key_str(&o, STR("id"), r->info.id);
	json_key_str(&o, STR("title"), r->info.title);
	put_attribute(&o, STR("name"), r->name);
	json_key_str(&o, STR("level"), str_of(level_word(r->info.level)));
	put_attribute(&o, STR("status"), r->status);
	json_key_str(&o, STR("kind"), r->correlation ? STR("correlation") : STR("detection"));
	json_key(&o, STR("logsource"));
	json_begin_object(&o);
	put_attribute(&o, STR("product"), r->info.logsource.product);
	put_attribute(&o, STR("category"), r->info.logsource.category);
	put_attribute(&o, STR("service"), r->info.logsource.service);
	json_end(&o);
	put_texts(&o, STR("tags"), r->info.tags, r->info.n_tags);
	json_key(&o, STR("techniques"));
	json_begin_array(&o);
	for (uint32_t i = 0; i < r->info.n_tags; i++)
		if (technique_at(r, i, id)) json_put_str(&o, str_of(id));
	json_end(&o);
	json_key_bool(&o, STR("reported"), r->report);
	json_key_str(&o, STR("file"), r->info.file);
	json_key_u64(&o, STR("line"), r->line);
	for (size_t i = 0; i < SHA256_SIZE; i++) {
		static const char digits[] = "0123456789abcdef";
		hash[2 * i] = digits[r->info.sha256[i] >> 4];
		hash[2 * i + 1] = digits[r->info.sha256[i] & 15];
	}
	json_key_str(&o, STR("sha256"), ((struct str){hash, 2 * SHA256_SIZE}));
	json_end(&o);
	buf_byte(out, '\n');
}

void list_json(const struct rule_set *s, const struct list_filter *f, struct buf *out)
{
	for (uint32_t i = 0; i < rule_set_count(s); i++)
		if (list_fits(f, rule_set_at(s, i))) put_rule(rule_set_at(s, i), out);
}

/* --- the Navigator ------------------------------------------------------------------------------------------------------ */

struct use { uint32_t technique, rule; };

static int by_technique(const void *x, const void *y)
{
	const struct use *a = x, *b = y;
	return a->technique != b->technique ? (a->technique < b->technique ? -1 : 1) : (int)(a->rule > b->rule) - (int)(a->rule < b->rule);
}

static int by_name(const void *x, const void *y) { return str_cmp(((const struct map_entry *)x)->key, ((const struct map_entry *)y)->key); }

static void put_technique(struct json_out *o, const struct rule_set *s, struct str id, const struct use *uses, size_t n)
{
	enum { TITLES = 20 };
	struct buf comment = {0};
	for (size_t i = 0; i < n && i < TITLES; i++) {
		if (i) buf_byte(&comment, '\n');
		buf_str(&comment, rule_set_at(s, uses[i].rule)->info.title);
	}
	if (n > TITLES) buf_printf(&comment, "\nand %zu more", n - TITLES);
	json_begin_object(o);
	json_key_str(o, STR("techniqueID"), id);
	json_key_u64(o, STR("score"), n);
	json_key_str(o, STR("comment"), buf_view(&comment));
	json_end(o);
	buf_done(&comment);
}

/* Every (technique, rule) pair once; techniques in order of their id. */
static void put_techniques(struct json_out *o, const struct rule_set *s, const struct list_filter *f, size_t *ret_most)
{
	struct map ids = {0};
	VEC(struct use) uses = {0};
	char id[TECHNIQUE_SIZE];
	for (uint32_t i = 0; i < rule_set_count(s); i++) {
		const struct rule *r = rule_set_at(s, i);
		for (uint32_t k = 0; list_fits(f, r) && k < r->info.n_tags; k++)
			if (technique_at(r, k, id)) vec_push(&uses, (struct use){*map_put(&ids, str_of(id), ids.n, NULL), i});
	}
	struct map_entry *order = xcalloc(ids.n + 1, sizeof *order);
	if (ids.n) memcpy(order, ids.entries, ids.n * sizeof *order);
	if (ids.n) qsort(order, ids.n, sizeof *order, by_name);
	if (uses.n) qsort(uses.v, uses.n, sizeof *uses.v, by_technique);
	size_t *from = xcalloc(ids.n + 1, sizeof *from);
	for (size_t i = uses.n; i-- > 0;) from[uses.v[i].technique] = i;
	from[ids.n] = uses.n;
	for (uint32_t i = 0; i < ids.n; i++) {
		size_t at = from[order[i].value], n = from[order[i].value + 1] - at;
		if (n > *ret_most) *ret_most = n;
		put_technique(o, s, order[i].key, &uses.v[at], n);
	}
	free(from);
	free(order);
	vec_free(&uses);
	map_done(&ids);
}

void list_navigator(const struct rule_set *s, const struct list_filter *f, struct str name, struct buf *out)
{
	struct json_out o = JSON_OUT(out);
	size_t most = 1;
	json_begin_object(&o);
	json_key_str(&o, STR("name"), name);
	json_key(&o, STR("versions"));
	json_begin_object(&o);
	json_key_str(&o, STR("layer"), STR("4.5"));
	json_key_str(&o, STR("navigator"), STR("5.1.0"));
	json_end(&o);
	json_key_str(&o, STR("domain"), STR("enterprise-attack"));
	json_key_str(&o, STR("description"), STR("Score: the number of rules for the technique"));
	json_key(&o, STR("techniques"));
	json_begin_array(&o);
	put_techniques(&o, s, f, &most);
	json_end(&o);
	json_key(&o, STR("gradient"));
	json_begin_object(&o);
	json_key(&o, STR("colors"));
	json_begin_array(&o);
	json_put_str(&o, STR("#ffe8d6"));
	json_put_str(&o, STR("#b5301c"));
	json_end(&o);
	json_key_u64(&o, STR("minValue"), 0);
	json_key_u64(&o, STR("maxValue"), most);
	json_end(&o);
	json_end(&o);
	buf_byte(out, '\n');
}
