/* pinned: what a run of a case scanned with, as the case holds it: its rules read again from their pinned texts, and its settings. One thread. */
#pragma once
#include "correlate/detect.h"
#include "match/match.h"
#include "verify/verify.h"

struct pinned_run {
	struct rule_set *rules;       /* finished; its rule i is the run's rule i, if `exact` */
	struct plan_options plan;
	struct reader_options reader;
	bool every, native;
	size_t state_memory;
	bool exact;                   /* every pinned text gave its one rule: indices are those of the run. Native rules stand behind them */
	uint32_t n_rules;             /* of the rule set, native ones not counted */
	struct known_sources *known;  /* NULL: the run had none */
	struct arena strings;
};
/* `rules`: those of the run, in order. False and *f when the settings cannot be read. pinned_run_done in any case. */
bool pinned_run_load(sqlite3 *db, int64_t run, struct str settings, const struct verify_rule *rules, uint32_t n_rules, struct pinned_run *ret, struct fault *f);
void pinned_run_done(struct pinned_run *p);
/* A rule that is code, not text. */
bool pinned_is_native(struct str text);
/* What stands for its text: which code it is, of which version. *out is emptied first. */
void pinned_native_text(const struct rule_info *info, struct buf *out);
/* A file that shaped the run (input.kind), as an open descriptor without a name; -1: the run had none, or no memory. */
int pinned_input(sqlite3 *db, int64_t run, const char *kind);
