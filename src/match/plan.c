/* plan.c: the rule set sorted by log source; what is built lazily and shared. See match.h. */
#include "match/plan_internal.h"

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
		if (rules[i]->info.level >= options->min_level) want(p, wanted, i);
	for (uint32_t i = 0; i < n; i++)
		if (wanted[i] && rules[i]->condition) vec_push(&route_of(p, &rules[i]->info.logsource)->rules, i);
	free(wanted);
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void plan_free(struct plan *p)
{
	if (!p) return;
	for (size_t i = 0; i < p->routes.n; i++) vec_free(&p->routes.v[i].rules);
	vec_free(&p->routes);
	for (size_t i = 0; i < p->regexes.n; i++) regex_free(p->regexes.v[i]);
	vec_free(&p->regexes);
	map_done(&p->regex_index);
	pthread_mutex_destroy(&p->lock);
	free((void *)p->rules);
	free(p);
}

size_t plan_bytes(const struct plan *p)
{
	return sizeof *p + p->n_rules * sizeof *p->rules;
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
	pthread_mutex_lock(&p->lock);
	uint32_t at = *map_put(&p->regex_index, key, (uint32_t)p->regexes.n, &fresh);
	if (fresh) vec_push(&p->regexes, regex_compile(l->regex, (unsigned char)key.p[0], NULL));
	const struct regex *re = p->regexes.v[at];
	pthread_mutex_unlock(&p->lock);
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
