/* view: the results of a scan in the form that reports take. */
#pragma once
#include "report/report.h"
#include "scan/scan.h"

struct run_view {
	struct report_source *sources;
	struct report_unread *unread;
	struct report_refused *refused;
	struct report_coverage *coverage;
	struct report_rule *rules;
	struct report_clock *clocks;
	struct str *missing;
	struct report_run run;
};

/* Points into the results, which must outlive it. `rules` may be NULL. After scan_settle. */
void run_view_init(struct run_view *v, const struct scan_results *r, const struct rule_set *rules);
void run_view_done(struct run_view *v);
