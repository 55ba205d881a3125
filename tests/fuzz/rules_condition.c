/* Any bytes as a condition, of a rule and of a correlation, over a dozen names. */
#include "fuzz/rules_touch.h"

static void put_quoted(struct buf *b, struct str s)
{
	buf_byte(b, '\'');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\'') buf_byte(b, '\'');
		buf_byte(b, s.p[i]);
	}
	buf_lit(b, "'\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"a", "b", "c", "selection_1", "selection_2", "_x", "all", "not", "1", "filter_main.x", "sel-1", "\xc3\xa4"};
	struct str condition = {(const char *)data, size};
	struct buf b = {0};
	buf_lit(&b, "title: t\nlogsource: {category: c}\ndetection:\n");
	for (size_t i = 0; i < COUNT(names); i++) buf_printf(&b, "  '%s': {f: [%zu, x]}\n", names[i], i);
	buf_lit(&b, "  condition: ");
	put_quoted(&b, condition);
	for (size_t i = 0; i < 4; i++) buf_printf(&b, "---\ntitle: t\nname: %s\nlogsource: {category: c}\ndetection: {s: {f: 1}, condition: s}\n", names[i]);
	buf_lit(&b, "---\ntitle: t\ncorrelation:\n  type: temporal\n  timespan: 1m\n  condition: ");
	put_quoted(&b, condition);
	struct rule_set *s = rule_set_new();
	rule_set_add_text(s, buf_view(&b), STR("fuzz.yml"));
	rule_set_finish(s);
	touch_set(s);
	rule_set_free(s);
	buf_done(&b);
	return 0;
}
