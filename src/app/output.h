/* output: findings written to files, by the file's ending. */
#pragma once
#include "report/report.h"
#include "scan/scan.h"

/* A sink that writes to `path` ('-': standard output). NULL and *f when the ending is not known or the file cannot be made. */
struct finding_sink *output_new(const char *path, const struct report_sources *sources, struct fault *f);
/* Flushes, closes and frees. False and *f when anything could not be written. */
bool output_close(struct finding_sink *sink, struct fault *f);
/* The run's statistics to a file ('-': standard output). */
bool output_stats(const char *path, const struct report_run *run, struct fault *f);
