/* incident_internal: what the files of the room share. Outside it, see incident.h. */
#pragma once
#include "incident/incident.h"

struct incident_data {
	const char *name;
	const unsigned char *bytes;
	size_t n;
};
/* Compiled in by tools/embed. */
extern const struct incident_data incident_data[];
extern const size_t incident_data_count;
