/* rules_data: Exhibit's own rules (the folder rules/), compiled in by tools/embed. */
#pragma once
#include <stddef.h>

struct rules_data {
	const char *name; /* "rules/windows/x.yml" */
	const unsigned char *bytes;
	size_t n;
};
extern const struct rules_data rules_data[];
extern const size_t rules_data_count;
