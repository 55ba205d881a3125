/* Any bytes as a file of rules: what loads is well formed, what does not is refused with a reason; twice the same. What is said about
 * it, lint, explanation and lists, is made too. With values for a few placeholders; again as fragments. */
#include "fuzz/rules_touch.h"
#include "rules/explain.h"
#include "rules/lint.h"
#include "rules/list.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static struct taxonomy *taxonomy;
static char placeholders[40];

static void prepare(void)
{
	static const char values[] = "p: [a*, b]\nx: one\nnone: []\n'%name%': [1, 'C:\\\\x']\nnet: [10.0.0.0/8, '::1']\n";
	int fd = memfd_create("placeholders", 0);
	verify(fd >= 0 && write(fd, values, sizeof values - 1) == (ssize_t)sizeof values - 1);
	snprintf(placeholders, sizeof placeholders, "/proc/self/fd/%d", fd);
	verify(taxonomy = taxonomy_new(NULL));
}

static char any_mark(void *self, const struct node *n) { (void)self; return "+-?"[n->n % 3]; }
static void any_seen(void *self, const struct leaf *l, struct buf *out) { (void)self, (void)l; buf_lit(out, "  <- value"); }

static void tell(const struct rule_set *s)
{
	static const struct explain_marks marks = {NULL, any_mark, any_seen};
	static const struct list_filter filter = {0};
	struct buf b = {0};
	struct lint l = {0};
	lint_rules(&l, s, taxonomy);
	for (size_t i = 0; i < l.n; i++) lint_show(&l.v[i], &b);
	lint_done(&l);
	for (uint32_t i = 0; i < rule_set_count(s) && i < 20; i++) {
		explain_head(rule_set_at(s, i), taxonomy, &b);
		explain_tree(s, rule_set_at(s, i), NULL, &b);
		explain_tree(s, rule_set_at(s, i), &marks, &b);
	}
	list_json(s, &filter, &b);
	list_navigator(s, &filter, STR("rules"), &b);
	for (int by = 0; by < 4; by++) list_table(s, &filter, (enum list_by)by, 80, &b);
	buf_done(&b);
}

static uint64_t load(struct str text, bool fragments, bool told)
{
	struct rule_set *s = rule_set_new();
	if (fragments) rule_set_fragments(s);
	verify(rule_set_placeholders(s, placeholders, NULL));
	rule_set_add_text(s, text, STR("fuzz.yml"));
	rule_set_finish(s);
	uint64_t sum = touch_set(s);
	if (told) tell(s);
	rule_set_free(s);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	if (!taxonomy) prepare();
	verify(load(text, false, true) == load(text, false, false));
	load(text, true, false);
	return 0;
}
