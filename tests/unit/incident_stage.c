/* Stages: words and order. */
#include "incident/incident.h"
#include "tests/check.h"

TEST(words_go_both_ways_and_rise)
{
	enum stage s, last = STAGE_NONE;
	const char *order[] = {"probe", "ssrf", "session", "enumeration", "written", "used", "commands", "persistence", "cleanup"};
	for (size_t i = 0; i < COUNT(order); i++) {
		NEED(stage_parse(str_of(order[i]), &s));
		CHECK_STR(stage_word(s), order[i]);
		CHECK(s > last);
		last = s;
	}
	CHECK(!stage_parse(STR("none"), &s));
	CHECK(!stage_parse(STR("Probe"), &s));
	CHECK(!stage_parse(STR(""), &s));
}

TEST_MAIN
