/* The account of a source's bytes (event/reader.h): ranges in any order become a table without gaps, and what finds no room in it is counted. */
#include "account_check.h"
#include "base/base.h"
#include "check.h"

TEST(ranges_in_any_order_stand_side_by_side)
{
	struct source_report r = {.keep_ranges = true};
	report_records(&r, 612, 100);
	report_slack(&r, 512, 0);
	report_damage(&r, 712, 8, "no record");
	report_header(&r, 0, 512);
	report_recovered(&r, 720, 24);
	report_records(&r, 512, 100);
	report_slack(&r, 744, 56);
	CHECK(account_holds(&r, 800));
	NEED(r.ranges.n == 4);
	CHECK(r.ranges.v[1].offset == 512 && r.ranges.v[1].length == 200 && r.ranges.v[1].kind == RANGE_RECORDS);
	report_done(&r);
}

TEST(a_gap_or_what_is_there_twice_is_seen)
{
	struct source_report gap = {.keep_ranges = true}, twice = {.keep_ranges = true};
	report_header(&gap, 0, 512);
	report_records(&gap, 520, 100);
	gap.slack += 8;
	CHECK(!account_holds(&gap, 620));
	report_done(&gap);
	report_records(&twice, 0, 100);
	report_records(&twice, 50, 50);
	CHECK(!account_holds(&twice, 150));
	report_done(&twice);
}

TEST(no_ranges_are_kept_unless_asked_for)
{
	struct source_report r = {0};
	report_header(&r, 0, 512);
	report_records(&r, 512, 100);
	CHECK(account_holds(&r, 612) && r.ranges.n == 0);
	report_done(&r);
}

/* Damage without room for its reason still stands in the table: of one account, and of several that are joined. */
TEST(damage_beyond_its_list_is_a_range)
{
	enum { MANY = REPORT_MAX_DAMAGE + 500 };
	struct source_report r = {.keep_ranges = true}, half[2] = {{.keep_ranges = true}, {.keep_ranges = true}}, joined = {.keep_ranges = true};
	for (uint64_t i = 0; i < MANY; i++) {
		struct source_report *each[] = {&r, &half[i & 1]};
		for (int k = 0; k < 2; k++) report_records(each[k], 16 * i, 8), report_damage(each[k], 16 * i + 8, 8, "no record");
	}
	CHECK(account_holds(&r, 16 * MANY) && r.more_damage == MANY - REPORT_MAX_DAMAGE && r.damage.n == REPORT_MAX_DAMAGE);
	for (int k = 0; k < 2; k++) report_join(&joined, &half[k]);
	CHECK(account_holds(&joined, 16 * MANY) && joined.more_damage == MANY - REPORT_MAX_DAMAGE && joined.damage.n == REPORT_MAX_DAMAGE);
	for (int k = 0; k < 2; k++) report_done(&half[k]);
	report_done(&joined);
	report_done(&r);
}

TEST(ranges_beyond_the_room_are_counted)
{
	struct source_report r = {.keep_ranges = true};
	for (uint64_t i = 0; i < REPORT_MAX_RANGES / 2 + 3; i++) {
		report_records(&r, 16 * i, 8);
		report_slack(&r, 16 * i + 8, 8);
	}
	report_sort(&r);
	CHECK(r.ranges.n == REPORT_MAX_RANGES && r.more_ranges == 6);
	CHECK(r.records + r.slack == 16 * (REPORT_MAX_RANGES / 2 + 3));
	report_done(&r);
}

TEST_MAIN
