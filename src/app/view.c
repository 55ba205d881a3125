/* view.c: see view.h. */
#include "app/view.h"

void run_view_init(struct run_view *v, const struct scan_results *r, const struct rule_set *rules)
{
	v->sources = xcalloc(r->n_sources, sizeof *v->sources);
	v->unread = xcalloc(r->n_unread, sizeof *v->unread);
	uint32_t n_rules = rules ? rule_set_count(rules) : 0, n_refused = rules ? rule_set_refused_count(rules) : 0;
	v->refused = xcalloc(n_refused, sizeof *v->refused);
	for (uint32_t i = 0; i < r->n_sources; i++) {
		const struct scan_source *s = &r->sources[i];
		v->sources[i] = (struct report_source){&s->info, &s->report, s->hashed, s->reason, s->same_as};
	}
	for (uint32_t i = 0; i < r->n_unread; i++) v->unread[i] = (struct report_unread){r->unread[i].path, r->unread[i].reason};
	v->run = (struct report_run){.sources = {v->sources, r->n_sources}, .unread = v->unread, .n_unread = r->n_unread, .refused = v->refused,
		.rules_loaded = n_rules, .n_refused = n_refused, .events = r->events, .outside = r->outside};
	_Static_assert(sizeof(struct report_day) == sizeof(struct coverage_day), "the same two numbers");
	v->coverage = xcalloc(r->hosts->rows.n, sizeof *v->coverage);
	v->run.coverage = v->coverage;
	v->run.n_coverage = (uint32_t)r->hosts->rows.n;
	for (size_t i = 0; i < r->hosts->rows.n; i++) {
		const struct coverage_row *x = &r->hosts->rows.v[i];
		v->coverage[i] = (struct report_coverage){x->host, x->log, x->first, x->last, x->events, (const struct report_day *)x->days.v, (uint32_t)x->days.n};
	}
	for (uint32_t i = 0; i < v->run.n_refused; i++) {
		const struct rules_refused *x = rule_set_refused(rules, i);
		v->refused[i] = (struct report_refused){x->file, x->reason, x->category, x->line, x->column};
	}
	for (uint32_t i = 0; i < v->run.rules_loaded; i++) {
		v->run.rules_no_log_source += !rule_set_at(rules, i)->correlation && r->coverage && !r->coverage[i].events;
		v->run.undecided += r->coverage ? r->coverage[i].undecided : 0;
	}
}

void run_view_done(struct run_view *v)
{
	free(v->sources);
	free(v->unread);
	free(v->refused);
	free(v->coverage);
}
