/* text/csv.h: records, quotes, damage, pieces, limits. */
#include "tests/check.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "text/csv.h"

static uint64_t seed = 88172645463325252;
static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % below;
}

/* Every record: cells as (value), records joined by /, a repaired one with ~, broken ones as !. */
static const char *records(const char *text, const struct csv_dialect *d)
{
	static struct buf b;
	static struct arena a = {.budget = 1 << 20};
	struct csv_row row = {0};
	struct str s = str_of(text);
	size_t at = 0, end = 0;
	b.n = 0;
	for (enum csv_status status; (status = csv_next(d, &row, s, at, true, &end)) != CSV_END; at = end) {
		NEED(end > at);
		if (at) buf_byte(&b, '/');
		if (row.repaired) buf_byte(&b, '~');
		for (uint32_t i = 0; status == CSV_RECORD && i < row.n; i++) {
			buf_byte(&b, '(');
			buf_str(&b, csv_value(d, s, &row.v[i], &a));
			buf_byte(&b, ')');
		}
		if (status != CSV_RECORD) buf_printf(&b, "!%zu", row.at);
	}
	buf_byte(&b, 0);
	csv_row_done(&row);
	return b.p;
}

TEST(rfc_4180)
{
	struct csv_dialect d = {.strict = true};
	CHECK_STR(records("a,b,c\r\nd,,f\r\n", &d), "(a)(b)(c)/(d)()(f)");
	CHECK_STR(records("a,b\nc", &d), "(a)(b)/(c)");
	CHECK_STR(records("\"a\",\"b \"\"c\"\"\",\"d,e\"\r\n\"two\r\nlines\",x", &d), "(a)(b \"c\")(d,e)/(two\r\nlines)(x)");
	CHECK_STR(records(",\n\n\"\"\n", &d), "()()//()");
	CHECK_STR(records("a\rb,c\r", &d), "(a\rb)(c)");
	CHECK_STR(records("", &d), "");
}

TEST(other_dialects)
{
	CHECK_STR(records("a;b,c;'d''e;'\n", &(struct csv_dialect){.separator = ';', .quote = '\''}), "(a)(b,c)(d'e;)");
	CHECK_STR(records("a \"b\" -\n", &(struct csv_dialect){.separator = ' ', .quote = '\n'}), "(a)(\"b\")(-)");
}

TEST(strict_refuses_and_goes_on_with_the_next_line)
{
	struct csv_dialect d = {.strict = true};
	CHECK_STR(records("a\"b,c\nd\n", &d), "!1/(d)");
	CHECK_STR(records("\"a\"b,c\nd\n", &d), "!3/(d)");
	CHECK_STR(records("x,\"a\nd\n", &d), "!2/(d)");
}

TEST(tolerant_loses_nothing)
{
	struct csv_dialect d = {0};
	CHECK_STR(records("a\"b,c\"\nd\n", &d), "(a\"b)(c\")/(d)");
	CHECK_STR(records("\"a\"b\"\",c\nd\n", &d), "(ab\"\")(c)/(d)");
	CHECK_STR(records("x,\"a,b\nd,e\n", &d), "~(x)(\"a)(b)/(d)(e)");
	CHECK_STR(records("\"", &d), "~(\")");
	d.max_bytes = 20;
	CHECK_STR(records("\"lost,1\nx,2\ny,3\nz,4\nmany more,5\nq,\"6\"\n", &d), "~(\"lost)(1)/(x)(2)/(y)(3)/(z)(4)/(many more)(5)/(q)(6)");
}

TEST(limits)
{
	CHECK_STR(records("a,b,c\nd\n", &(struct csv_dialect){.max_cells = 2}), "!4/(d)");
	CHECK_STR(records("0123456789012345678901234\nd\n", &(struct csv_dialect){.max_bytes = 10}), "!10/(d)");
}

TEST(cells_know_their_place)
{
	struct csv_dialect d = {0};
	struct csv_row row = {0};
	struct str s = STR("x\n\"a\"\"\",bc\n");
	size_t end;
	NEED(csv_next(&d, &row, s, 2, true, &end) == CSV_RECORD && end == s.n && row.n == 2);
	CHECK(row.v[0].start == 3 && row.v[0].length == 3 && row.v[0].flags == (CSV_QUOTED | CSV_DOUBLED));
	CHECK(row.v[1].start == 8 && row.v[1].length == 2 && row.v[1].flags == 0);
	CHECK(csv_value(&d, s, &row.v[1], NULL).p == s.p + 8);
	csv_row_done(&row);
}

/* Random cells written and read back, the text given in pieces of any size. */
TEST(written_cells_read_back_in_pieces)
{
	struct arena a;
	arena_init(&a, 1 << 20);
	struct csv_row row = {0};
	struct csv_dialect d = {.strict = true};
	for (int round = 0; round < 3000; round++) {
		struct buf text = {0};
		char cells[40][40];
		size_t sizes[40], n = 0;
		for (unsigned r = 1 + rnd(4); r-- > 0;) {
			unsigned columns = 1 + rnd(5);
			for (unsigned c = 0; c < columns; c++, n++) {
				bool quoted = rnd(2);
				sizes[n] = 1 + rnd(rnd(5) ? 8 : 38);
				if (c) buf_byte(&text, ',');
				if (quoted) buf_byte(&text, '"');
				for (size_t i = 0; i < sizes[n]; i++) {
					cells[n][i] = quoted ? "ab,\"\n\r"[rnd(6)] : "abc "[rnd(4)];
					if (cells[n][i] == '"') buf_byte(&text, '"');
					buf_byte(&text, cells[n][i]);
				}
				if (quoted) buf_byte(&text, '"');
			}
			buf_str(&text, rnd(2) ? STR("\r\n") : STR("\n"));
		}
		size_t step = 1 + rnd(30), from = 0, to = 0, seen = 0, end;
		for (enum csv_status status = CSV_MORE; status != CSV_END;) {
			char *piece = malloc(to - from + 1); /* ends where its memory ends */
			memcpy(piece, text.p + from, to - from);
			struct str s = {piece, to - from};
			status = csv_next(&d, &row, s, 0, to == text.n, &end);
			NEED(status == CSV_RECORD || status == CSV_MORE || status == CSV_END);
			arena_reset(&a);
			for (uint32_t i = 0; status == CSV_RECORD && i < row.n; i++, seen++)
				NEED(seen < n && str_eq(csv_value(&d, s, &row.v[i], &a), (struct str){cells[seen], sizes[seen]}));
			if (status == CSV_RECORD) from += end;
			if (status == CSV_MORE) to = to + step < text.n ? to + step : text.n;
			free(piece);
		}
		CHECK(seen == n && from == text.n);
		buf_done(&text);
	}
	csv_row_done(&row);
	arena_done(&a);
}

TEST_MAIN
