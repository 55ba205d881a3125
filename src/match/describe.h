/* describe: what the optimiser decided, as text: for `rules explain --plan` and tests. Slow; one thread at a time.
 *
 * Chances are guesses from a sample of harmless values, costs are guesses in instructions; both only choose the order. Shown is the
 * plan for any columns; for one kind of event less is left of it, since its constants and absent fields decide more. */
#pragma once
#include "base/buf.h"
#include "match/match.h"

/* The whole set: log sources, how many trees they come to, what is scanned for every event, how many trees have no gate. */
void describe_plan(struct plan *p, struct buf *out);
/* One detection rule of the plan: its gate, and its tests in the order in which they are asked. */
void describe_rule(struct plan *p, const struct rule *r, struct buf *out);
