/* Any bytes written as JSON (from UTF-8 and from UTF-16), HTML, CSV, terminal text: valid UTF-8, nothing raw that must not be. */
#include "text/escape.h"
#include "text/json_write.h"
#include "text/utf.h"

static void check_json(struct str out)
{
	verify(utf8_valid(out));
	for (size_t i = 0; i < out.n; i++) {
		verify((unsigned char)out.p[i] >= 0x20 && out.p[i] != 0x7f && out.p[i] != '"');
		if (out.p[i] != '\\') continue;
		verify(i + 1 < out.n && strchr("bfnrtu\"\\", out.p[i + 1]));
		i++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = {(const char *)data, size};
	struct buf a = {0}, b = {0};
	json_str_part(&a, s);
	json_str_part_plain(&b, s);
	verify(str_eq(buf_view(&a), buf_view(&b)));
	check_json(buf_view(&a));
	a.n = b.n = 0;
	json_part_utf16le(&a, data, size / 2);
	json_part_utf16le_plain(&b, data, size / 2);
	verify(str_eq(buf_view(&a), buf_view(&b)));
	check_json(buf_view(&a));
	a.n = 0;
	html_str(&a, s);
	verify(utf8_valid(buf_view(&a)) && str_find_byte(buf_view(&a), '<', 0) == SIZE_MAX && str_find_byte(buf_view(&a), 0x1b, 0) == SIZE_MAX);
	a.n = 0;
	csv_cell(&a, s);
	verify(utf8_valid(buf_view(&a)) && (!a.n || !memchr("=@\t\r\n", a.p[0], 5)));
	a.n = b.n = 0;
	term_str(&a, s);
	verify(utf8_valid(buf_view(&a)));
	for (size_t i = 0; i < a.n; i++) verify((unsigned char)a.p[i] >= 0x20 && a.p[i] != 0x7f);
	size_t used = term_str_cut(&b, s, size % 50);
	verify(used <= size % 50 && used == utf8_width(buf_view(&b)));
	buf_done(&a);
	buf_done(&b);
	return 0;
}
