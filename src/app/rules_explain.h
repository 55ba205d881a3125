/* rules_explain: `exhibit rules explain` on the events of a file. */
#pragma once
#include "app/app.h"
#include "event/logsource.h"
#include "rules/rules.h"

struct explain_wanted {
	const struct rule_set *set;
	const struct rule *rule;       /* a detection rule */
	const struct taxonomy *taxonomy;
	const char *path;              /* of the events */
	struct str format;             /* --as */
	bool any_logsource;
	uint64_t only;                 /* this event of the file (from 1), 0 = the first ones */
	uint64_t most;                 /* events shown at most */
};
/* Writes the tree with its verdicts for each event, appended to out. An exit status. */
int rules_explain_events(const struct explain_wanted *w, struct buf *out);
