/* compile.c: the correlations of a rule set, resolved: who feeds whom, and where every value comes from. */
#include "correlate/correlate_internal.h"
#include <math.h>

static uint32_t corr_of_rule(const struct correlate *c, uint32_t rule)
{
	for (uint32_t i = 0; i < c->corrs.n; i++)
		if (c->corrs.v[i].rule->index == rule) return i;
	return UINT32_MAX;
}

static bool is_temporal(enum correlation_type t) { return t == CORRELATE_TEMPORAL || t == CORRELATE_TEMPORAL_ORDERED; }
static bool is_numeric(enum correlation_type t) { return !is_temporal(t) && t != CORRELATE_EVENT_COUNT && t != CORRELATE_VALUE_COUNT; }

/* The least whole number that satisfies all operators, when they are all lower bounds. */
static bool lower_bound(const struct correlation *k, double *ret)
{
	double least = 0;
	for (uint32_t i = 0; i < k->n_thresholds; i++) {
		double v = k->thresholds[i].value.near, at;
		if (k->thresholds[i].op == THRESHOLD_GTE) at = ceil(v);
		else if (k->thresholds[i].op == THRESHOLD_GT) at = floor(v) + 1;
		else return false;
		if (at > least) least = at;
	}
	*ret = least;
	return k->n_thresholds > 0;
}

static uint32_t distinct_refs(const struct correlation *n)
{
	uint32_t distinct = 0;
	for (uint32_t i = 0; i < n->n_refs; i++) distinct += !is_repeated(n, i);
	return distinct;
}

static void settle_kind(struct correlate *c, struct corr *k)
{
	const struct correlation *n = k->c;
	k->span = n->timespan_ns;
	k->distinct_refs = distinct_refs(n);
	k->temporal = is_temporal(n->type);
	k->ordered = n->type == CORRELATE_TEMPORAL_ORDERED;
	k->chains = k->ordered && (n->extended || n->n_thresholds);
	k->numeric = is_numeric(n->type);
	k->stride = k->numeric || n->type == CORRELATE_VALUE_COUNT ? 24 : 16;
	k->missing_groups = c->options.missing == CORR_MISSING_GROUP || (c->options.missing == CORR_MISSING_AUTO && !k->temporal);
	k->by_count = (n->type == CORRELATE_EVENT_COUNT || n->type == CORRELATE_VALUE_COUNT) && lower_bound(n, &k->lower);
}

/* Depth of a correlation over correlations; more than MAX_DEPTH also for a cycle. */
static uint32_t depth_of(const struct correlate *c, uint32_t corr, uint32_t level)
{
	uint32_t deepest = 0;
	const struct correlation *n = c->corrs.v[corr].c;
	for (uint32_t i = 0; i < n->n_refs && level <= MAX_DEPTH; i++) {
		uint32_t inner = corr_of_rule(c, n->refs[i]);
		if (inner == UINT32_MAX) continue;
		uint32_t d = 1 + depth_of(c, inner, level + 1);
		if (d > deepest) deepest = d;
	}
	return level > MAX_DEPTH ? MAX_DEPTH + 1 : deepest;
}

static bool check_limits(struct correlate *c, struct fault *f)
{
	for (uint32_t i = 0; i < c->corrs.n; i++) {
		struct corr *k = &c->corrs.v[i];
		uint32_t most = k->chains ? MAX_CHAIN_REFS : MAX_REFS;
		bool wide = k->c->n_refs > most || k->c->n_group_by > MAX_REFS;
		k->depth = wide ? 0 : depth_of(c, i, 0);
		if (!wide && k->depth <= MAX_DEPTH) continue;
		fault_set(f, FAULT_LIMIT, "correlation '%.*s' %s", STR_FMT(k->rule->info.title), wide ? "refers to too many rules or fields; split it"
			: "refers to itself, or to a chain of more than 16 correlations");
		return false;
	}
	return true;
}

/* The field's place in the keep list of a detection rule; added when it is not there. */
static uint32_t keep_index(struct correlate *c, uint32_t rule, struct str name)
{
	struct subscribers *s = &c->subscribers[rule];
	for (uint32_t i = 0; i < s->keep.n; i++)
		if (str_eq(s->keep.v[i], name)) return i;
	vec_push(&s->keep, name);
	return (uint32_t)s->keep.n - 1;
}

/* All detections below a correlation keep this field, for outer correlations to ask for. */
static void keep_below(struct correlate *c, uint32_t corr, struct str name)
{
	const struct correlation *n = c->corrs.v[corr].c;
	for (uint32_t i = 0; i < n->n_refs; i++) {
		uint32_t inner = corr_of_rule(c, n->refs[i]);
		if (inner == UINT32_MAX) keep_index(c, n->refs[i], name);
		else keep_below(c, inner, name);
	}
}

static struct field_source source_of(struct correlate *c, uint32_t rule, struct str name)
{
	uint32_t inner = corr_of_rule(c, rule);
	if (inner == UINT32_MAX) return (struct field_source){FROM_EVENT, keep_index(c, rule, name), name};
	const struct correlation *n = c->corrs.v[inner].c;
	for (uint32_t i = 0; i < n->n_group_by; i++)
		if (str_eq(n->group_by[i], name)) return (struct field_source){FROM_INNER, i, name};
	keep_below(c, inner, name);
	return (struct field_source){FROM_EVENT_BY_NAME, 0, name};
}

static struct str alias_of(const struct correlation *n, uint32_t ref, struct str name)
{
	for (uint32_t i = 0; i < n->n_aliases; i++)
		if (str_eq(n->aliases[i].alias, name) && n->aliases[i].fields[ref].n) return n->aliases[i].fields[ref];
	return name;
}

static const struct field_source *sources_of(struct correlate *c, const struct correlation *n, uint32_t ref, const struct str *names, uint32_t count)
{
	struct field_source *s = arena_calloc(&c->plan, count, sizeof *s);
	verify(s || !count);
	for (uint32_t i = 0; i < count; i++) s[i] = source_of(c, n->refs[ref], alias_of(n, ref, names[i]));
	return s;
}

static void subscribe(struct correlate *c, uint32_t corr)
{
	struct corr *k = &c->corrs.v[corr];
	const struct correlation *n = k->c;
	/* Last first: a rule that is listed twice does not follow itself by one event. */
	for (uint32_t i = n->n_refs; i-- > 0;) {
		struct corr_ref r = {corr, i, sources_of(c, n, i, n->group_by, n->n_group_by), sources_of(c, n, i, n->fields, n->n_fields)};
		uint32_t inner = corr_of_rule(c, n->refs[i]);
		if (inner == UINT32_MAX) {
			vec_push(&c->subscribers[n->refs[i]].refs, r);
			c->subscribers[n->refs[i]].wanted = true;
			continue;
		}
		struct corr *in = &c->corrs.v[inner];
		vec_push(&in->outer, r);
		in->is_inner = true;
		in->inner_of_temporal |= k->temporal;
		k->over_findings = true;
	}
}

bool correlate_compile(struct correlate *c, struct fault *f)
{
	c->subscribers = xcalloc(c->n_rules ? c->n_rules : 1, sizeof *c->subscribers);
	for (uint32_t i = 0; i < c->n_rules; i++) {
		if (!c->rules[i]->correlation) continue;
		uint32_t index = (uint32_t)c->corrs.n;
		vec_push(&c->corrs, (struct corr){.rule = c->rules[i], .c = c->rules[i]->correlation, .index = index});
		if (c->corrs.n > UINT16_MAX) {
			fault_set(f, FAULT_LIMIT, "more than 65535 correlations");
			return false;
		}
	}
	for (uint32_t i = 0; i < c->corrs.n; i++) settle_kind(c, &c->corrs.v[i]);
	if (!check_limits(c, f)) return false;
	for (uint32_t i = 0; i < c->n_rules; i++)
		for (uint32_t j = 0; j < c->rules[i]->n_keep; j++) keep_index(c, i, c->rules[i]->keep[j]);
	for (uint32_t i = 0; i < c->corrs.n; i++) subscribe(c, i);
	for (uint32_t i = 0; i < c->n_rules && c->options.detectors; i++) {
		struct subscribers *s = &c->subscribers[i];
		if (!rule_feeds_detectors(c->rules[i])) continue;
		bool deed = rule_of_deeds(c->rules[i]);
		s->wanted = true;
		*(deed ? &s->deed : &s->detector) = true;
		for (unsigned k = 0; !deed && detect_field(k); k++) keep_index(c, i, str_of(detect_field(k)));
		for (unsigned k = 0; deed && deed_field(k); k++) keep_index(c, i, str_of(deed_field(k)));
		for (uint32_t k = 0; deed && k < c->rules[i]->n_fields; k++) keep_index(c, i, c->rules[i]->fields[k]);
	}
	for (uint32_t i = 0; i < c->corrs.n; i++) {
		struct corr *k = &c->corrs.v[i];
		k->full_list = k->is_inner || k->over_findings;
		k->needs_window = c->options.every || c->options.trace || k->inner_of_temporal;
	}
	return true;
}

void correlate_compile_done(struct correlate *c)
{
	for (uint32_t i = 0; c->subscribers && i < c->n_rules; i++) {
		vec_free(&c->subscribers[i].refs);
		vec_free(&c->subscribers[i].keep);
	}
	for (uint32_t i = 0; i < c->corrs.n; i++) vec_free(&c->corrs.v[i].outer);
	free(c->subscribers);
	vec_free(&c->corrs);
}
