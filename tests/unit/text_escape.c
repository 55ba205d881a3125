/* text/escape.h: hostile text in HTML, CSV and terminals. */
#include "tests/check.h"
#include "base/alloc.h"
#include "text/escape.h"
#include "text/utf.h"

static const char *of(void (*write)(struct buf *b, struct str s), const char *s)
{
	static struct buf b;
	b.n = 0;
	write(&b, str_of(s));
	NEED(utf8_valid(buf_view(&b)));
	buf_byte(&b, 0);
	return b.p;
}

TEST(html)
{
	CHECK_STR(of(html_str, "<script>alert('x&y')</script>\""), "&lt;script&gt;alert(&#39;x&amp;y&#39;)&lt;/script&gt;&quot;");
	CHECK_STR(of(html_str, "tab\tline\n\xc3\xa9 \x01\x1b\xff"), "tab\tline\n\xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	CHECK_STR(of(html_str, "exe\xe2\x80\xaetxt"), "exe\\u{202e}txt");
}

TEST(csv_cells_are_quoted_and_never_run)
{
	CHECK_STR(of(csv_cell, "plain text"), "plain text");
	CHECK_STR(of(csv_cell, ""), "");
	CHECK_STR(of(csv_cell, "a,b"), "\"a,b\"");
	CHECK_STR(of(csv_cell, "say \"hi\"\r\nthere"), "\"say \"\"hi\"\"\r\nthere\"");
	CHECK_STR(of(csv_cell, " lead"), "\" lead\"");
	CHECK_STR(of(csv_cell, "=cmd|'/c calc'!A1"), "\"'=cmd|'/c calc'!A1\"");
	CHECK_STR(of(csv_cell, "+1+1"), "\"'+1+1\"");
	CHECK_STR(of(csv_cell, "-enc AAAA"), "\"'-enc AAAA\"");
	CHECK_STR(of(csv_cell, "@SUM(1)"), "\"'@SUM(1)\"");
	CHECK_STR(of(csv_cell, "\t=1"), "\"'\t=1\"");
	CHECK_STR(of(csv_cell, "\xef\xbc\x9d" "1"), "\"'\xef\xbc\x9d" "1\"");
	CHECK_STR(of(csv_cell, "-12.5"), "-12.5");
	CHECK_STR(of(csv_cell, "-"), "\"'-\"");
	CHECK_STR(of(csv_cell, "a\x1b[31m\xff"), "a\\e[31m\\xff");
}

TEST(terminals_get_nothing_they_obey)
{
	CHECK_STR(of(term_str, "C:\\new \xc3\xa9\xf0\x9f\x98\x80"), "C:\\new \xc3\xa9\xf0\x9f\x98\x80");
	CHECK_STR(of(term_str, "\x1b]0;title\x07\r\n\t"), "\\e]0;title\\x07\\r\\n\\t");
	CHECK_STR(of(term_str, "\xc2\x9b" "31m\x7f"), "\\u{9b}31m\\x7f");
	CHECK_STR(of(term_str, "a\xe2\x80\xaeg\xef\xbb\xbf\xf3\xa0\x81\x81"), "a\\u{202e}g\\u{feff}\\u{e0041}");
	CHECK_STR(of(term_str, "\xff\xe2\x82z"), "\\xff\\xe2\\x82z");
}

TEST(cut_to_columns)
{
	static const struct { const char *in, *out; size_t columns, used; } cases[] = {
		{"abcdef", "abcdef", 6, 6}, {"abcdefg", "abcde\xe2\x80\xa6", 6, 6}, {"abc", "", 0, 0}, {"abc", "\xe2\x80\xa6", 1, 1},
		{"\xe6\xbc\xa2\xe5\xad\x97", "\xe6\xbc\xa2\xe2\x80\xa6", 3, 3}, {"\xe6\xbc\xa2\xe5\xad\x97", "\xe6\xbc\xa2\xe5\xad\x97", 4, 4},
		{"ab\x01", "ab\xe2\x80\xa6", 5, 3}, {"e\xcc\x81" "f", "e\xcc\x81" "f", 2, 2},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = {0};
		CHECK(term_str_cut(&b, str_of(cases[i].in), cases[i].columns) == cases[i].used);
		buf_byte(&b, 0);
		CHECK_STR(b.p, cases[i].out);
		buf_done(&b);
	}
}

TEST(widths)
{
	CHECK(utf_width('a') == 1 && utf_width(0) == 0 && utf_width(0x1b) == 0 && utf_width(0x9b) == 0);
	CHECK(utf_width(0x301) == 0 && utf_width(0x200b) == 0 && utf_width(0xfe0f) == 0);
	CHECK(utf_width(0x6f22) == 2 && utf_width(0xff21) == 2 && utf_width(0x1f600) == 2 && utf_width(0x1100) == 2);
	CHECK(utf_width(0x410) == 1 && utf_width(0x10ffff) == 1);
	CHECK(utf8_width(STR("a\xcc\x81\xe6\xbc\xa2\xff")) == 4);
}

TEST_MAIN
