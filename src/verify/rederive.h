/* rederive: findings derived again from the bytes a case or bundle holds and the rule texts pinned in it, by the readers, the matcher and
 * the correlator that made them. What is not in the case is not there: records are read in files of our own that hold nothing else.
 *
 * All records of a source are read in one go when the first finding that cites it comes by, so that a case costs about what scanning its
 * cited bytes costs. One thread. */
#pragma once
#include "verify/verify.h"

struct rederive;
/* The formats table must outlive it. NULL and *f. */
struct rederive *rederive_new(const struct reader_ops *const *formats, size_t n_formats, struct fault *f);
void rederive_free(struct rederive *d);
/* For verify_options.rederiver; lives as long as *d. */
const struct verify_rederiver *rederive_hooks(struct rederive *d);
