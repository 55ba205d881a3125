/* crew: the threads that work on a scan. */
#pragma once
#include "scan/scan.h"

/* Runs `jobs` workers to the end (phase one). The calling thread is one of them, so that one job makes no thread. With `progress` a
 * line on stderr says how far it is; `started`: app_seconds() when the command began. */
void crew_run(struct scan *scan, unsigned jobs, bool progress, double started);
