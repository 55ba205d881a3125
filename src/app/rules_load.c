/* rules_load.c: see rules_load.h. */
#include "app/rules_load.h"
#include "app/rules_data.h"

static void add_default(struct rule_set *s)
{
	for (size_t i = 0; i < rules_data_count; i++)
		rule_set_add_text(s, (struct str){(const char *)rules_data[i].bytes, rules_data[i].n}, str_of(rules_data[i].name));
}

struct rule_set *rules_load(const struct rules_wanted *w, struct fault *f)
{
	struct rule_set *s = rule_set_new();
	if (w->fragments) rule_set_fragments(s);
	bool ok = !w->placeholders || rule_set_placeholders(s, w->placeholders, f);
	if (!w->paths.n) add_default(s);
	for (size_t i = 0; ok && i < w->paths.n; i++) {
		if (!strcmp(w->paths.v[i], "default")) add_default(s);
		else ok = rule_set_add_path(s, w->paths.v[i], f);
	}
	if (!ok) {
		rule_set_free(s);
		return NULL;
	}
	rule_set_finish(s);
	return s;
}
