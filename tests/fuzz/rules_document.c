/* Any bytes as a file of rules: what loads is well formed, what does not is refused with a reason; twice the same. */
#include "fuzz/rules_touch.h"

static uint64_t load(struct str text)
{
	struct rule_set *s = rule_set_new();
	rule_set_add_text(s, text, STR("fuzz.yml"));
	rule_set_finish(s);
	uint64_t sum = touch_set(s);
	rule_set_free(s);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	verify(load(text) == load(text));
	return 0;
}
