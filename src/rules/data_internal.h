/* data_internal: the files of src/rules/data, compiled in by tools/embed. */
#pragma once
#include <stddef.h>

struct rules_field_data {
	const char *name;
	const unsigned char *bytes;
	size_t n;
};
extern const struct rules_field_data rules_field_data[];
extern const size_t rules_field_data_count;
