/* csv: records of RFC 4180 CSV and its relatives, one after the other, out of any part of a file.
 *
 * A cell is a place in the text; its value is made when somebody asks (csv_value). A quoted cell may hold separators, line ends
 * and doubled quotes; a record may span lines. Records end with LF, CRLF or the end of the text; a CR alone is data.
 *
 * A row belongs to one thread and keeps its memory from record to record. Everything else is pure. */
#pragma once
#include "base/arena.h"

struct csv_dialect {
	char separator;      /* 0: comma */
	char quote;          /* 0: '"'; '\n': there are no quotes */
	bool strict;         /* else see csv_next */
	uint32_t max_cells;  /* of a record; 0: 4,096 */
	uint32_t max_bytes;  /* of a record; 0: 1 MiB */
};

enum csv_cell_flags {
	CSV_QUOTED = 1,  /* its place is within the quotes */
	CSV_DOUBLED = 2, /* has doubled quotes */
	CSV_ODD = 4      /* something stands behind its closing quote: its place begins at the opening one and holds all of it */
};
struct csv_cell {
	uint32_t start, length; /* in the text given */
	uint32_t flags;
};

/* Start with a zeroed one; csv_row_done frees it. */
struct csv_row {
	struct csv_cell *v; /* [n] */
	uint32_t n, cap;
	bool repaired;      /* a quote that never closes was taken as a character: the record ends with its line */
	const char *reason; /* CSV_BAD, CSV_LIMIT: why, a static string; `at` where */
	size_t at;
};
void csv_row_done(struct csv_row *row);

enum csv_status {
	CSV_RECORD,
	CSV_END,   /* nothing is left */
	CSV_MORE,  /* the text ends within the record, and is not final: give it again with more behind it */
	CSV_BAD,   /* strict only: text behind a closing quote, a quote within a plain cell, or no closing quote */
	CSV_LIMIT  /* too many cells, or a record without quotes that is too long */
};
/* The record at text[at]; *ret_end is behind its line end. `final`: no bytes come after text. text.n < 4 GiB. An empty line is a
 * record of no cells. On CSV_BAD and CSV_LIMIT *ret_end is behind the line in which the record began, so that reading can go on.
 *
 * Unless strict: a quote within a plain cell is a character; what stands behind a closing quote belongs to the cell (CSV_ODD); a
 * quoted cell that does not close within max_bytes, or before the text ends, is read again as a plain one, so that one lost quote
 * does not swallow the rest of a log (`repaired`). */
enum csv_status csv_next(const struct csv_dialect *dialect, struct csv_row *row, struct str text, size_t at, bool final,
	size_t *ret_end);
/* The cell's value, quotes undone: a view where nothing had to be undone, else a copy in the arena (p == NULL when it is full).
 * Bytes as they are: no UTF-8 repair. */
struct str csv_value(const struct csv_dialect *dialect, struct str text, const struct csv_cell *cell, struct arena *a);
