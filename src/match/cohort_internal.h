/* cohort: inputs of a program whose values come again together, as a program's path, its name and its maker do, so that what the gates find in all
 * of them is looked up at once, by the bytes of their columns undecoded (event_ops.undecoded).
 *
 * Which inputs these are is learnt from a sample of events: in the order of how often each comes again by itself, an input joins when looking up one
 * more at once is worth more than the events it makes new. A cohort that finds too little is given up, and another one is looked for later, each time
 * after twice as many events. It decides how fast an event is matched, never what matches. One thread's, one program's. */
#pragma once
#include "match/program_internal.h"

enum {
	COHORT_MOST_INPUTS = 64,
	COHORT_RECORD = 64 << 10       /* bytes of the largest record whose columns are looked up: decoding it can not run out of memory */
};
enum cohort_stage {
	COHORT_WAITS,
	COHORT_SAMPLES,                /* cohort_note wants the values of all candidates */
	COHORT_SERVES                  /* there are members */
};

struct cohort;
/* NULL: the program has too few columns. `eager`: small samples, at once (tests). The program must outlive it. */
struct cohort *cohort_new(const struct program *g, bool eager);
void cohort_free(struct cohort *c);
/* To be called once an event. */
enum cohort_stage cohort_event(struct cohort *c);
/* The candidates: inputs with gates, but for keywords. */
const uint32_t *cohort_candidates(const struct cohort *c, uint32_t *ret_n);
/* In a sample: what stands for the values of the candidate, by its place; all of an event, then cohort_noted. */
void cohort_note(struct cohort *c, uint32_t candidate, uint64_t hash);
void cohort_noted(struct cohort *c);
/* Whether the input is a member at present. */
bool cohort_has(const struct cohort *c, uint32_t input);
/* The members' columns; the set lives as long as the cohort. No two sets have the same number. */
const struct column_set *cohort_columns(const struct cohort *c, uint64_t *ret_number);
/* An event was looked up, and found or not. */
void cohort_count(struct cohort *c, bool found);
