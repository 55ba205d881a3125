/* twins: one attempt to log in that stands in two logs of one host: in auth.log and btmp, in the journal and in syslog, in the audit log, in a copy of a log
 * made earlier. Correlations are to count it once.
 *
 * Two hits are twins when they are of one rule, of two sources, of one host (homes.h counts), with the same outcome, address and name; of the same service, or one of
 * a kind of log that does not say which (login records, audit log); and at most TWINS_SECONDS apart. One is only ever the twin of one other: of each source of its own
 * as many as there are in the fullest of them are counted. Hits come in order of time. Bounded: where more attempts are made at once than there is room for,
 * the oldest are forgotten, and count twice at worst. What it says depends on the hits alone. One thread. */
#pragma once
#include "base/etime.h"
#include "base/sha256.h"
#include "event/auth.h"
#include "event/finding.h"

enum { TWINS_SECONDS = 5 };

/* What tells an attempt from others; `who` 0: it has no twins. A log in which two lines are two attempts whatever they say, as those of web servers, has none. */
struct login_mark login_mark_of(const struct auth_event *a, struct str source_format, struct str event_format);

struct twins;
struct twins *twins_new(void);
void twins_free(struct twins *t);
/* Whether another source told of this attempt already. */
bool twins_told(struct twins *t, const struct login_mark *m, struct str host, uint32_t rule, uint32_t source, struct etime time);
