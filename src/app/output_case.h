/* output_case: a scan written into a case: a new one (-o X.case), or one that is added to (--case X.case). */
#pragma once
#include "app/app.h"
#include "app/case_tools.h"
#include "scan/scan.h"

struct case_output;
/* A step of a case repeated elsewhere: no key beside the case, bytes of sources from where their copies lie. */
struct case_again {
	const struct salt_key *key;
	struct case_originals *originals;
	const char *action;
};
struct case_output_options {
	const char *path;
	bool add;                  /* --case: the case is there */
	const char *salt_key;      /* --salt-key; NULL: the key beside the case, made when there is none */
	const char *note;          /* for the custody log; NULL */
	const char *placeholders;  /* files that shape the run; NULL */
	const char *baseline;
	const char *known_sources;
	const char *temp_dir;
	const struct case_again *again; /* NULL: no repetition */
};
/* Before the scan is made: its keeper goes into scan_config. NULL and *f. */
struct case_output *case_output_new(const struct case_output_options *options, struct fault *f);
const struct scan_keeper *case_output_keeper(struct case_output *o);
/* After scan_settle: the run (settings: canonical JSON), its rules, sources, what was not read. False and *f. */
bool case_output_begin(struct case_output *o, struct scan *scan, const struct scan_config *config, struct str settings, struct fault *f);
struct finding_sink *case_output_sink(struct case_output *o);
/* After scan_finish: totals, proofs, the tree. `ok`: the scan came to its end. Frees. False and *f when anything failed. */
bool case_output_close(struct case_output *o, bool ok, struct fault *f);
