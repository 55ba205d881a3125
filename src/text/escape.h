/* escape: text from logs made safe for where it is shown: HTML, spreadsheets, terminals; and how wide it is there.
 *
 * Text from logs is the attacker's. Each function appends to a buf, takes any bytes, and gives valid UTF-8. Pure; any thread.
 * These forms are for showing. What must be read back exactly is written as JSON (text/json_write.h). */
#pragma once
#include "base/buf.h"

/* For HTML text and for attribute values in either kind of quotes: & < > " ' are escaped; invalid UTF-8 and controls other
 * than tab, LF and CR become U+FFFD; bidi controls are shown as \u{202e}, for they would reorder the page around them. */
void html_str(struct buf *b, struct str s);

/* One cell of RFC 4180 CSV, in quotes where it needs them (separator , or ; or tab, quote, line end, blank at either end).
 * A cell that a spreadsheet would take for a formula (it begins with = + - @, their full-width forms, tab, CR or LF) gets an
 * apostrophe before it, unless it is a plain decimal number. Controls and invalid bytes are shown as term_str shows them,
 * line ends and tabs stay. */
void csv_cell(struct buf *b, struct str s);

/* For a terminal or a log line: printable characters stay. \n \r \t and \e are shown so, other controls and invalid bytes as
 * \xNN; C1, line separators, bidi and other invisible format characters as \u{202e}. A backslash that stands in the text is
 * not doubled (Windows paths stay readable), so the text cannot be read back from this form with certainty. */
void term_str(struct buf *b, struct str s);
/* The same, cut to at most `columns` display columns with a horizontal ellipsis (one column, within the count) where something was
 * cut; returns the columns used. columns == 0 writes nothing. */
size_t term_str_cut(struct buf *b, struct str s, size_t columns);

/* Columns a terminal gives the code point: 0 for combining, format and control characters, 2 for wide ones, else 1. */
unsigned utf_width(uint32_t c);
/* Columns of UTF-8 text as it is; each maximal invalid part counts 1. */
size_t utf8_width(struct str s);
