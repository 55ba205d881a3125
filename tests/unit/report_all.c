/* Reports: whatever a log says comes out inert, in every form; the stable JSON has the members it promises. */
#include "tests/check.h"
#include "report/report.h"

static const char evil[] = "a\033[31mred\nline\r\"q\",=cmd|' /C calc'!A0<script>alert(1)</script>\xc2\x9b\xe2\x80\xae\xff";

static struct rule_info rule = {.id = {"=1+1", 4}, .title = {evil, sizeof evil - 1}, .file = {"rules/x.yml", 11}, .level = LEVEL_CRITICAL};
static struct source_info source = {.path = {evil, sizeof evil - 1}, .format = {"evtx", 4}, .size = 100};

static struct finding make(void)
{
	static struct match_detail details[1];
	static struct evidence_ref evidence[1];
	static struct named group[1];
	struct str e = {evil, sizeof evil - 1};
	details[0] = (struct match_detail){e, e, e};
	evidence[0] = (struct evidence_ref){.offset = 1, .length = 2};
	group[0] = (struct named){e, e};
	return (struct finding){.kind = FINDING_HIT, .level = LEVEL_CRITICAL, .time = {1614754760, 359000000, 7, true}, .rule = &rule, .host = e, .channel = e,
		.event_id = 1, .matched = details, .n_matched = 1, .fields_json = STR("{}"), .evidence = evidence, .n_evidence = 1, .group = group, .n_group = 1, .count = 1};
}

static struct report_sources sources_of(struct report_source *one, struct source_report *account)
{
	*one = (struct report_source){.info = &source, .account = account, .hashed = true, .same_as = -1};
	return (struct report_sources){one, 1};
}

/* No control characters, no C1 controls, no bidi overrides. */
static void check_inert(const struct buf *b, bool lines)
{
	for (size_t i = 0; i < b->n; i++) {
		unsigned char c = (unsigned char)b->p[i], d = i + 1 < b->n ? (unsigned char)b->p[i + 1] : 0;
		CHECK(c >= 0x20 || (lines && (c == '\n' || c == '\r')));
		CHECK(!(c == 0xc2 && d >= 0x80 && d < 0xa0));
		CHECK(!(c == 0xe2 && d == 0x80 && i + 2 < b->n && (unsigned char)b->p[i + 2] >= 0xaa && (unsigned char)b->p[i + 2] <= 0xae));
		CHECK(c != 0xff);
	}
}

TEST(json_lines_are_one_line_and_inert)
{
	struct source_report account = {0};
	struct report_source one;
	struct report_sources s = sources_of(&one, &account);
	struct finding f = make();
	struct buf b = {0};
	report_jsonl(&f, &s, &b);
	NEED(b.n > 0 && b.p[b.n - 1] == '\n');
	b.n--;
	check_inert(&b, false);
	buf_byte(&b, 0);
	CHECK(strstr(b.p, "{\"kind\":\"hit\",\"time\":\"2021-03-03T06:59:20.359000Z\",\"level\":\"critical\",\"rule\":{\"id\":\"=1+1\"") == b.p);
	CHECK(strstr(b.p, "\"record_id\":null") && strstr(b.p, "\"offset\":1,\"length\":2,\"sha256\":\"00"));
	CHECK(!strstr(b.p, "\"group\""));
	buf_done(&b);
}

TEST(a_correlation_has_its_members)
{
	struct source_report account = {0};
	struct report_source one;
	struct report_sources s = sources_of(&one, &account);
	struct finding f = make();
	struct buf b = {0};
	f.kind = FINDING_CORRELATION;
	f.count = 40;
	f.first = f.last = f.time;
	report_jsonl(&f, &s, &b);
	buf_byte(&b, 0);
	CHECK(strstr(b.p, "\"kind\":\"correlation\"") && strstr(b.p, "\"group\":{") && strstr(b.p, "\"count\":40") && strstr(b.p, "\"first\":\"2021-03-03T"));
	buf_done(&b);
}

TEST(csv_executes_nothing)
{
	struct source_report account = {0};
	struct report_source one;
	struct report_sources s = sources_of(&one, &account);
	struct finding f = make();
	struct buf b = {0};
	report_csv_header(&b);
	size_t header = b.n;
	report_csv(&f, &s, &b);
	buf_byte(&b, 0);
	CHECK(!strstr(b.p + header, ",=1+1"));
	CHECK(!strstr(b.p + header, "\033"));
	buf_done(&b);
}

TEST(the_summary_is_inert_in_colour_and_without)
{
	struct source_report account = {.first = {1614754760, 0, 0, true}, .last = {1614764760, 0, 0, true}, .damaged = 5};
	struct report_source one;
	struct report_unread unread = {{evil, sizeof evil - 1}, {evil, sizeof evil - 1}};
	struct report_refused refused = {.file = unread.path, .reason = unread.path, .category = unread.path};
	struct report_run run = {.sources = sources_of(&one, &account), .unread = &unread, .n_unread = 1, .refused = &refused, .n_refused = 1,
		.rules_loaded = 3, .events = 1234567, .findings = 2, .seconds = 1};
	struct tally *t = tally_new();
	struct finding f = make(), g = make();
	struct buf b = {0};
	g.time.sec += 5000;
	tally_add(t, &f);
	tally_add(t, &g);
	report_summary(&run, t, &(struct summary_options){.width = 80}, &b);
	check_inert(&b, true);
	buf_byte(&b, 0);
	CHECK(strstr(b.p, "2021-03-03 06:59 to 2021-03-03 09:46 UTC"));
	CHECK(strstr(b.p, "1,234,567 events"));
	CHECK(strstr(b.p, "2 critical"));
	buf_done(&b);
	tally_free(t);
}

TEST_MAIN
