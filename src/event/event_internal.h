/* event_internal: the mapping data compiled in by tools/embed. */
#pragma once
#include <stddef.h>

struct event_data {
	const char *name;
	const unsigned char *bytes;
	size_t n;
};
extern const struct event_data event_data[];
extern const size_t event_data_count;
