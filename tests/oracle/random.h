/* random: rules and events made by chance, to hit the edges of matching: literals at the start, at the end, overlapping, empty,
 * in other case, beyond ASCII, with NUL and newline; long values, lists, duplicate and constant columns, renames, conditions
 * on log sources. The same seed gives the same world. */
#pragma once
#include "event/event.h"
#include "rules/rule.h"

struct random_world {
	struct arena arena;
	uint64_t state;
	struct str literals[48];      /* as written */
	uint32_t n_literals;
	const struct rule **rules;
	uint32_t n_rules;
	struct shape *shapes;
	uint32_t n_shapes;
	bool long_values;             /* some values of up to 64 KiB */
};
uint64_t random_next(struct random_world *w);
/* 0 .. n-1. */
uint32_t random_below(struct random_world *w, uint32_t n);
void random_world_make(struct random_world *w, uint64_t seed, uint32_t n_rules, uint32_t n_shapes, bool long_values);
void random_world_done(struct random_world *w);
/* An event of shape i; its cells are read already or decoded on demand. Lives in `batch`. */
struct event *random_event(struct random_world *w, uint32_t shape, struct arena *batch);
/* The same but for one column. */
struct event *random_event_near(struct random_world *w, const struct event *old, struct arena *batch);
/* Rule and event as text, for a failure's report. */
void random_print_rule(const struct rule *r, struct buf *out);
void random_print_event(struct event *ev, struct buf *out);
