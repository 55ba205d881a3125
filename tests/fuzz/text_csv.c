/* Any bytes as CSV: cells lie in order within their record, records follow each other without a gap, values fit. */
#include "base/alloc.h"
#include "text/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1) return 0;
	struct csv_dialect d = {.strict = data[0] & 1, .max_cells = 20, .max_bytes = data[0] & 2 ? 50 : 0, .separator = data[0] & 4 ? ';' : 0,
		.quote = data[0] & 8 ? '\n' : 0};
	struct str text = {(const char *)data + 1, size - 1};
	struct csv_row row = {0};
	struct arena a;
	size_t end = 0;
	arena_init(&a, 1 << 20);
	csv_next(&d, &row, text, 0, false, &end);
	for (size_t at = 0; at < text.n; at = end) {
		enum csv_status status = csv_next(&d, &row, text, at, true, &end);
		verify(status != CSV_MORE && status != CSV_END && end > at && end <= text.n);
		size_t last = at;
		for (uint32_t i = 0; status == CSV_RECORD && i < row.n; i++) {
			const struct csv_cell *c = &row.v[i];
			verify(c->start >= last && c->start + c->length <= end);
			last = c->start + c->length;
			arena_reset(&a);
			verify(csv_value(&d, text, c, &a).n <= c->length);
		}
	}
	csv_row_done(&row);
	arena_done(&a);
	return 0;
}
