/* view.c: see view.h. */
#include "app/view.h"

enum { MISSING = 8 };

/* The state of every detection rule. */
static void view_rules(struct run_view *v, const struct scan_results *r, const struct rule_set *rules)
{
	uint32_t n = rule_set_count(rules);
	v->rules = xcalloc(n + 1, sizeof *v->rules);
	v->missing = xcalloc((size_t)n * MISSING + 1, sizeof *v->missing);
	v->run.rules = v->rules;
	for (uint32_t i = 0; i < n; i++) {
		const struct rule *rule = rule_set_at(rules, i);
		const struct rule_coverage *c = &r->coverage[i];
		struct str fields[64], *missing = v->missing + (size_t)i * MISSING;
		if (!rule->condition || rule_of_deeds(rule)) continue;
		struct report_rule *x = &v->rules[v->run.n_rules++];
		*x = (struct report_rule){.rule = &rule->info, .events = c->events, .hits = c->hits, .missing = missing};
		x->state = c->hits ? RULE_FOUND : !c->events ? RULE_NOT_LOGGED : r->sight[i].possible ? RULE_NOT_FOUND : RULE_NO_FIELDS;
		uint32_t n_fields = x->state == RULE_NO_FIELDS ? sight_fields(rule, fields, COUNT(fields)) : 0;
		for (uint32_t k = 0; k < n_fields && x->n_missing < MISSING; k++)
			if (!(r->sight[i].seen >> k & 1)) missing[x->n_missing++] = fields[k];
	}
}

void run_view_init(struct run_view *v, const struct scan_results *r, const struct rule_set *rules)
{
	v->sources = xcalloc(r->n_sources, sizeof *v->sources);
	v->unread = xcalloc(r->n_unread, sizeof *v->unread);
	uint32_t n_rules = rules ? rule_set_count(rules) : 0, n_refused = rules ? rule_set_refused_count(rules) : 0;
	v->refused = xcalloc(n_refused, sizeof *v->refused);
	for (uint32_t i = 0; i < r->n_sources; i++) {
		const struct scan_source *s = &r->sources[i];
		v->sources[i] = (struct report_source){&s->info, &s->report, s->hashed, s->reason, s->same_as, s->logins.looking, s->logins.understood};
	}
	for (uint32_t i = 0; i < r->n_unread; i++) v->unread[i] = (struct report_unread){r->unread[i].path, r->unread[i].reason};
	v->run = (struct report_run){.sources = {v->sources, r->n_sources}, .unread = v->unread, .n_unread = r->n_unread, .refused = v->refused,
		.rules_loaded = n_rules, .n_refused = n_refused, .events = r->events, .outside = r->outside, .twins = r->twins, .copies = r->copies};
	_Static_assert(sizeof(struct report_day) == sizeof(struct coverage_day), "the same two numbers");
	v->coverage = xcalloc(r->hosts->rows.n, sizeof *v->coverage);
	v->run.coverage = v->coverage;
	v->run.n_coverage = (uint32_t)r->hosts->rows.n;
	for (size_t i = 0; i < r->hosts->rows.n; i++) {
		const struct coverage_row *x = &r->hosts->rows.v[i];
		v->coverage[i] = (struct report_coverage){x->host, x->log, x->first, x->last, x->events, x->no_rule, (const struct report_day *)x->days.v, (uint32_t)x->days.n,
			x->inferred};
	}
	for (uint32_t i = 0; i < v->run.n_refused; i++) {
		const struct rules_refused *x = rule_set_refused(rules, i);
		v->refused[i] = (struct report_refused){x->file, x->reason, x->category, x->line, x->column};
	}
	uint32_t deeds = 0;
	for (uint32_t i = 0; i < v->run.rules_loaded; i++) {
		deeds += rule_of_deeds(rule_set_at(rules, i));
		v->run.rules_no_log_source += !rule_set_at(rules, i)->correlation && !rule_of_deeds(rule_set_at(rules, i)) && r->coverage && !r->coverage[i].events;
		v->run.undecided += r->coverage ? r->coverage[i].undecided : 0;
	}
	v->run.rules_loaded -= deeds; /* they are the detectors' */
	v->clocks = xcalloc(r->n_skews + 1, sizeof *v->clocks);
	v->run.clocks = v->clocks;
	v->run.n_clocks = r->n_skews;
	for (uint32_t i = 0; i < r->n_skews; i++) {
		const struct skew *x = &r->skews[i];
		v->clocks[i] = (struct report_clock){x->host, x->log, x->against, x->against_host, x->basis, x->seconds, x->n, x->agree};
	}
	v->rules = NULL;
	v->missing = NULL;
	if (rules && r->coverage && r->sight) view_rules(v, r, rules);
}

void run_view_done(struct run_view *v)
{
	free(v->sources);
	free(v->unread);
	free(v->refused);
	free(v->coverage);
	free(v->rules);
	free(v->clocks);
	free(v->missing);
}
