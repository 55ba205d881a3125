/* ncsa_internal: a line of an access log taken apart, in two ways that tests hold against each other. See ncsa.c. */
#pragma once
#include "base/etime.h"

/* A line taken apart: views of it. p == NULL: not there. */
struct access {
	struct str vhost, port, client, ident, user, time, request, status, bytes, referer, agent, extra;
	struct str method, uri, version;
	bool whole_request; /* method, URI and version could be told */
	struct etime when;
};

/* A whole line; false: it is none of these logs'. */
bool ncsa_part(struct str line, struct access *a);
/* What the line before had, and when that was. Start with a zeroed one. */
struct ncsa_day { bool known; char date[11], zone[6]; int64_t midnight; };
/* The same for lines of the usual form, of a window (see marks_internal.h). False: nothing is said. *ret_plain: there is no backslash in it. */
bool ncsa_part_usual(struct str line, struct ncsa_day *day, struct access *a, bool *ret_plain);
