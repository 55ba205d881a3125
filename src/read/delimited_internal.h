/* delimited_internal: records of CSV and its kin in a source, one by one, with the lines between them that are none.
 *
 * What Exchange's logs, exports and Zeek's tables share. Records may span lines. Lines that begin with '#' are handed out as they are.
 * The caller enters what it gets into the report: `size` source bytes each. */
#pragma once
#include "read/text_internal.h"
#include "text/csv.h"

struct delimited {
	struct csv_dialect dialect;
	struct csv_row row;      /* cells of the record, in `text` */
	struct str text;         /* the record, or the line, without its end; valid until the next call */
	uint64_t offset, length, size;
	uint32_t line;
	bool ended;              /* it has a line end */
	size_t take;             /* window bytes to go over at the next call */
};
enum delimited_got { DELIMITED_RECORD, DELIMITED_COMMENT, DELIMITED_END };

/* The next record or comment. Blank lines are slack; records beyond the limits of text/csv.h are damage. */
enum delimited_got delimited_next(struct reader *r, struct delimited *d);
/* The value of cell i, quotes undone, valid UTF-8; empty when there is no such cell. In the batch. */
struct str delimited_cell(struct reader *r, const struct delimited *d, uint32_t i);
/* The same from the beginning of cell i to the end of the record, as it stands. */
struct str delimited_rest(struct reader *r, const struct delimited *d, uint32_t i);
void delimited_done(struct delimited *d);
/* Takes the record or line out of the report's other counts: damage. */
void delimited_damage(struct reader *r, const struct delimited *d, const char *static_reason);
/* The record as the event r->event. */
void delimited_event(struct reader *r, const struct delimited *d, const struct shape *shape, const struct event_ops *ops,
	struct etime time);
/* For those who only look: the n-th cell of a line (quotes taken off), and how many there are. */
uint32_t delimited_look(struct str line, char separator, struct str *ret, uint32_t max);
