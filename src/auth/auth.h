/* auth: authentication events: attempts to log in, in the same words whatever log they stand in. The front door of the room.
 *
 * Text logs are understood by service patterns: data files (src/auth/data, the language in pattern_internal.h), compiled when an
 * `auth` is made. Windows events and logs with fields are mapped by src/auth/data/fields.txt. An event that is an attempt is handed
 * out again as an event of a derived shape: all of its own columns, those of event/auth.h behind them, and the log source category
 * authentication beside its own.
 *
 * Who may say what: a client chooses its name, its key's comment and what it says when it leaves. A pattern is anchored at both ends of the
 * message; of bytes between, the address is read at a fixed distance from the end that no client reaches. Where two readings differ, there
 * is no address (bruteforce.md 1.1 lists the attacks; tests/property/auth_user.c holds every pattern to it).
 *
 * Lines of one attempt are joined, for services of which a process is a connection: what one announces waits for the line that decides, the end of
 * the connection, its place being taken, or two minutes of the log's time (looked at once in 1,024 lines); then it is an event of its own. An `auth` is immutable, any thread; an
 * auth_source belongs to one cursor. */
#pragma once
#include "event/auth.h"
#include "event/event.h"

struct auth;
/* NULL and *f when the compiled-in data does not parse (a defect). */
struct auth *auth_new(struct fault *f);
void auth_free(struct auth *a);
/* SHA-256 over all data files, for the manifest. */
const uint8_t *auth_sha256(const struct auth *a);

struct auth_stats {
	uint64_t looking;  /* lines of a service that look like logins: they hold one of its words for it */
	uint64_t understood;
};

struct auth_source;
/* `shapes`: of the worker that reads the source. */
struct auth_source *auth_source_new(const struct auth *a, struct shape_table *shapes);
void auth_source_free(struct auth_source *s);
/* Looks at an event. Returns it, or the extended event when it decides an attempt (*ret_is true, *ret filled); NULL when it was put aside,
 * to come back with another or from auth_source_due. What is returned lives as long as *ev and until the next call. */
struct event *auth_source_take(struct auth_source *s, struct event *ev, struct auth_event *ret, bool *ret_is);
/* Attempts that were put aside and are decided by now (`end`: all of them), one a call; NULL: no more. Call after each auth_source_take. They have
 * the columns host, program, pid, message and those of event/auth.h; their records are in the source, not in memory. */
struct event *auth_source_due(struct auth_source *s, bool end, struct auth_event *ret);
/* For the next source of the same worker: what was put aside is dropped, the stats begin anew. */
void auth_source_reset(struct auth_source *s);
void auth_source_stats(const struct auth_source *s, struct auth_stats *ret);
