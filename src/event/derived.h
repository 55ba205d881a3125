/* derived: columns that Windows events get behind their own, made of these: what rules ask for under a name that no event writes.
 *
 *	Sysmon's Hashes, Hash ("SHA1=..,MD5=..,IMPHASH=..")    its parts: md5, sha1, sha256, Imphash (Sigma's taxonomy), and other spellings of them
 *	IIS to ETW (Microsoft-IIS-Logging/Logs, 6200)          the names that the same log has as a file, the joined URI, both forms of user agents (event/web.h)
 *
 * They are hidden and cost nothing until a rule asks. Immutable; any thread. */
#pragma once
#include "event/shape.h"

struct event;
struct derived;
struct derived_set { const struct derived *v; uint32_t n; };
enum { DERIVED_COLUMNS = 16 };
/* The set of an event by the names of its columns, of which name(arg, i) is the i-th of n. */
struct derived_set derived_of(uint32_t n, struct str (*name)(const void *arg, uint32_t i), const void *arg);
/* The column `which` of a set, without value. */
struct column derived_column(struct derived_set s, uint32_t which);
/* Its value for an event of a shape that has them. */
void derived_value(struct derived_set s, uint32_t which, struct event *ev, struct value *ret);
/* The number, from 0, of a name of which the first column is what values are made of; -1: no value is made of it. */
int derived_source(struct str column);
