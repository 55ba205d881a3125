/* case_folder: a folder of its own for each test of cases, and the path of a case in it. */
#pragma once
#include "base/fault.h"
#include "tests/check.h"

static char dir[64], path[128];

static inline void folder_make(void)
{
	snprintf(dir, sizeof dir, "/tmp/exhibit-case-XXXXXX");
	NEED(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/x.case", dir);
}

static inline void folder_remove(void)
{
	char command[160];
	snprintf(command, sizeof command, "rm -rf %s", dir);
	CHECK(system(command) == 0);
}

static inline void need_ok(bool ok, const struct fault *f)
{
	if (!ok) printf("# fault: %s\n", f->text);
	NEED(ok);
}
