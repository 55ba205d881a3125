/* output: findings written to files, by the file's ending. */
#pragma once
#include "report/report.h"
#include "scan/scan.h"

/* Before anything is read: whether `path` ('-': standard output) can be written as it is meant to be: its folder takes it, it is not in the way of a log that is
 * to be read (one of `inputs`, or below one), and, of findings, its ending says a form that is known. False and *f: why not. */
bool output_check(const char *path, bool findings, const char *const *inputs, size_t n_inputs, struct fault *f);
/* A sink that writes to `path` ('-': standard output). `path` has passed
 * output_check. NULL and *f when the file cannot be made. */
struct finding_sink *output_new(const char *path, const struct report_sources *sources, struct fault *f);
/* Flushes, closes and frees. False and *f when anything could not be written. */
bool output_close(struct finding_sink *sink, struct fault *f);
/* The run's statistics to a file ('-': standard output). */
bool output_stats(const char *path, const struct report_run *run, struct fault *f);
