/* rules_chart: `exhibit rules explain` for a correlation on the events of a file: for each group how the number that the condition compares rises and
 * falls over time, and where the condition holds. */
#pragma once
#include "app/rules_explain.h"

/* `w->rule` is a correlation; `only` and `most` do not count. Appends to out. An exit status. */
int rules_explain_correlation(const struct explain_wanted *w, struct buf *out);
