/* rescan: the scans of a case made once more over the originals, into another case, for `exhibit verify --sources`. */
#pragma once
#include "app/case_tools.h"

struct rescan {
	struct verify_rescan hooks;          /* .arg is this struct */
	struct case_originals *originals;
	unsigned jobs;
	struct salt_key key;
	char folder[4096], path[4200];       /* of the other case, while it is there */
};
/* Borrows `originals`. */
void rescan_init(struct rescan *r, struct case_originals *originals, unsigned jobs);
