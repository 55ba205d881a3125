/* read: every log format but EVTX, one file each; which format a source is, by its content; archives. The front door of the room.
 *
 * A format is a struct reader_ops (event/reader.h) in a file of its own and one line in the table of read.c; what each relies on in
 * its bytes, and the traps, stand in doc/formats.md. Nothing here knows rules. Any thread may call the functions of this header. */
#pragma once
#include "event/event.h"

/* All formats of this room, in the order in which they win where sniffing ties. Lives for ever. */
const struct reader_ops *const *read_formats(size_t *ret_n);

/* What a source is. */
struct read_guess {
	const struct reader_ops *ops;  /* NULL: no log that any of the tables knows */
	int score;                     /* of 100; 0 when ops is NULL */
	const struct reader_ops *next; /* the second best, NULL when there is none */
	int next_score;
	const char *what;              /* for people, static: "IIS web server log (W3C extended)", "PNG picture", "no known log format" */
	bool container;                /* an archive or compressed file: read/archive.h */
};
/* By the first bytes (up to 64 KiB), the size and, where content alone does not decide, the path. `tables`: more formats from other rooms
 * (evtx), each list ending with NULL; the list of lists too; NULL: none. `as` not empty: that format, whatever the bytes. */
struct read_guess read_identify(struct str head, uint64_t size, struct str path, struct str as,
	const struct reader_ops *const *const *tables);
