/* utf_internal: the generated Unicode tables (utf_table.c), for utf8.c and escape.c only. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Caseless letters: for c < utf_fold_end, c + utf_fold_delta[utf_fold_delta_index[utf_fold_block[c >> 6]][c & 63]]. */
extern const uint32_t utf_fold_end;
extern const uint8_t utf_fold_block[];
extern const uint8_t utf_fold_delta_index[][64];
extern const int32_t utf_fold_delta[];

/* Code points from 0x80 on whose display width is not 1, in order. */
struct utf_width_range {
	uint32_t first, last;
	uint8_t width;
};
extern const size_t utf_width_count;
extern const struct utf_width_range utf_width_ranges[];
