/* evtx: Windows event logs. The front door of the room.
 *
 * Fulfils the reader contract (event/reader.h) with several cursors: blocks of the file are handed out in order under a lock, each
 * is read by one cursor. Events come with lazy cells; what the reader relies on in the bytes: doc/format-evtx.md. */
#pragma once
#include "event/event.h"

extern const struct reader_ops evtx_reader_ops;

/* What event_ops.json of an EVTX event writes, by walking its trees instead of the compiled plan: the reference for tests. */
void evtx_json_by_walk(struct event *ev, struct buf *out);
/* What else of its chunk the record at `record` cannot be read without: template definitions and names that stand outside of it, as ranges of
 * the chunk (at most 64 KiB at `chunk`). Returns how many, at most `max`; 0 also when there is no sound record. Any thread. */
uint32_t evtx_needs(const void *chunk, size_t n, uint32_t record, struct range *ret, uint32_t max);
