/* read_all: the events of one source, by whatever reader takes it, for tests. */
#pragma once
#include "event/event.h"

/* Shows each event to `each` until it says false. False when no reader takes the source. The input stays the caller's. */
bool read_all(struct input *in, struct shape_table *shapes, bool (*each)(void *arg, struct event *ev), void *arg);
