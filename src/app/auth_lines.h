/* auth_lines: authentication events of a source as JSON Lines (exhibit events --auth). */
#pragma once
#include "auth/auth.h"

/* Reads the source to its end with one cursor; `put` takes each line (false stops). `path`: as cited. False when it stopped. */
bool auth_lines(const struct auth *auth, const struct taxonomy *taxonomy, const struct reader_ops *ops, struct reader *r, const struct reader_options *options, struct str path,
	bool (*put)(void *arg, struct buf *line), void *arg);
