/* pack: a finding as bytes for the spill, and back. The form is internal to one run of the program. */
#pragma once
#include "event/finding.h"
#include "base/arena.h"
#include "base/buf.h"

/* A packed clue of the incident room: a finding of this kind whose extra_json is the clue's payload (opaque bytes). */
enum { PACKED_CLUE = 4 };

/* A hit that is shown to nobody and only feeds correlations: what those need (rule_index, the event's time, host, keep, evidence), shorter and faster. It
 * unpacks as a finding of kind FINDING_HIT that has nothing else; kept values get a name that says nothing, those that are absent none. */
void finding_pack_feed(const struct finding *f, struct buf *out);

/* In two parts. What the findings of an event have in common: time, host, channel, ids, evidence, and behind it whatever the caller appends, up to the end,
 * as fields_json. */
void finding_pack_event(const struct finding *f, struct buf *out);
/* The rest; with fields_json when `fields`, which then stands for that of the event. */
void finding_pack(const struct finding *f, bool fields, struct buf *out);
/* Strings point into the bytes, arrays live in `a`; `rule` is left NULL (rule_index tells). False when the bytes are not whole
 * or `a` is full. */
bool finding_unpack(struct str event, struct str rest, struct arena *a, struct finding *ret);
