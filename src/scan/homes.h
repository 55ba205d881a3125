/* homes: the host of a source whose records name none, taken from where it lies. Cautious: where two hosts could be meant, or none is known, there is none.
 *
 * 1. The nearest folder (or archive, its name without what stands behind the dot) of its path that bears the name of a host which records of other sources name.
 * 2. The one host that records of the sources beside it name. Beside it: in the same folder; where the path shows a collected file system (var/log, Windows,
 *    inetpub, ...), anywhere in that file system.
 * 3. For a member of an archive: the one host that the sources beside the archive name.
 * Hosts are those of machines' own logs: a cloud tenant is none. A name and its form with a domain are one host. Called once, by one thread. */
#pragma once
#include "scan/coverage.h"

struct home_source {
	struct str path, format;
	const struct coverage_table *rows;
};
struct taxonomy;
/* ret[i]: a view into names of the rows; empty: none. */
void homes_find(const struct home_source *v, uint32_t n, const struct taxonomy *taxonomy, struct str *ret);
/* The name without domain, in small letters, cut to what fits; for comparing. */
struct str home_label(struct str host, char room[64]);
