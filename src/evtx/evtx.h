/* evtx: Windows event logs. The front door of the room.
 *
 * Fulfils the reader contract (event/reader.h) with several cursors: blocks of the file are handed out in order under a lock, each
 * is read by one cursor. Events come with lazy cells; what the reader relies on in the bytes: doc/format-evtx.md. */
#pragma once
#include "event/event.h"

extern const struct reader_ops evtx_reader_ops;

/* What event_ops.json of an EVTX event writes, by walking its trees instead of the compiled plan: the reference for tests. */
void evtx_json_by_walk(struct event *ev, struct buf *out);
