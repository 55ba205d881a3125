/* cmd_coverage.c: `exhibit coverage`: which host wrote which log on which days, and which rules had nothing to look at. */
#include "app/app.h"
#include "app/crew.h"
#include "app/formats.h"
#include "app/rules_load.h"
#include "app/view.h"
#include "text/escape.h"
#include "text/json_write.h"
#include <langinfo.h>
#include <unistd.h>

enum { OPT_RULES, OPT_TIMEZONE, OPT_JSON };
static const struct option_row rows[] = {
	[OPT_RULES] = {'r', "rules", "PATH", "Sigma rules: a file or folder; again for more (default: Exhibit's own)"},
	[OPT_TIMEZONE] = APP_ZONE_ROW,
	[OPT_JSON] = {0, "json", NULL, "one JSON object"},
	{0},
};


static int by_rules(const void *a, const void *b)
{
	const struct map_entry *x = a, *y = b;
	if (x->value != y->value) return x->value < y->value ? 1 : -1;
	return str_cmp(x->key, y->key);
}

static void count_blind(const struct scan_results *r, const struct rule_set *rules, struct map *m)
{
	struct buf key = {0};
	for (uint32_t i = 0; i < rule_set_count(rules); i++) {
		const struct rule *rule = rule_set_at(rules, i);
		if (rule->correlation || rule_of_deeds(rule) || r->coverage[i].events) continue;
		const struct logsource *l = &rule->info.logsource;
		key.n = 0;
		buf_printf(&key, "%.*s/%.*s/%.*s", STR_FMT(l->product.n ? l->product : STR("-")), STR_FMT(l->category.n ? l->category : STR("-")),
			STR_FMT(l->service.n ? l->service : STR("-")));
		++*map_put(m, buf_view(&key), 0, NULL);
	}
	buf_done(&key);
}

static void print_blind(const struct map *m, uint32_t total, struct buf *out)
{
	enum { SHOWN = 20 };
	struct map_entry *sorted = xcalloc(m->n, sizeof *sorted);
	uint32_t blind = 0;
	for (uint32_t i = 0; i < m->n; i++) sorted[i] = m->entries[i], blind += sorted[i].value;
	qsort(sorted, m->n, sizeof *sorted, by_rules);
	buf_printf(out, "\n%u of %u rules had no event of their log source (product/category/service):\n", blind, total);
	for (uint32_t i = 0; i < m->n && i < SHOWN; i++) {
		buf_printf(out, "%7u  ", sorted[i].value);
		term_str(out, sorted[i].key);
		buf_byte(out, '\n');
	}
	if (m->n > SHOWN) buf_printf(out, "         and %u more log sources\n", m->n - SHOWN);
	free(sorted);
}

/* Four ways in which nothing is found, and what of each there was. */
static void print_sight(const struct report_run *r, struct buf *out)
{
	struct buf text = {0};
	uint64_t damaged = 0;
	uint32_t sources = 0;
	for (uint32_t i = 0; i < r->sources.n; i++) {
		damaged += r->sources.v[i].account->damaged;
		sources += r->sources.v[i].account->damaged > 0;
	}
	for (uint32_t i = 0; i < r->n_clocks; i++) {
		struct buf line = {0};
		report_clock_text(&r->clocks[i], &line);
		buf_printf(out, "%s%-13s", i ? "" : "\n", i ? "" : "Clocks");
		term_str(out, buf_view(&line));
		buf_byte(out, '\n');
		buf_done(&line);
	}
	buf_byte(out, '\n');
	if (r->rules) report_sight(r, &text);
	struct str rest = buf_view(&text);
	while (rest.n) {
		struct str line = str_cut(&rest, '\n'), word = str_cut(&line, '\t');
		buf_printf(out, "%-13.*s", STR_FMT(word));
		term_str(out, line);
		buf_byte(out, '\n');
	}
	if (r->n_unread || damaged)
		buf_printf(out, "Not readable %u file%s (exhibit identify says why); %llu bytes of damage in %u logs\n", r->n_unread, r->n_unread == 1 ? "" : "s",
			(unsigned long long)damaged, sources);
	buf_done(&text);
}

static void print_json(const struct run_view *v, const struct map *blind, struct buf *out)
{
	struct json_out o = JSON_OUT(out);
	json_begin_object(&o);
	json_key(&o, STR("coverage"));
	report_coverage_json(v->run.coverage, v->run.n_coverage, &o);
	json_key(&o, STR("unread"));
	json_begin_array(&o);
	for (uint32_t i = 0; i < v->run.n_unread; i++) {
		json_begin_object(&o);
		json_key_str(&o, STR("path"), v->run.unread[i].path);
		json_key_str(&o, STR("reason"), v->run.unread[i].reason);
		json_end(&o);
	}
	json_end(&o);
	json_key(&o, STR("rules_without_log"));
	json_begin_object(&o);
	for (uint32_t i = 0; i < blind->n; i++) json_key_u64(&o, blind->entries[i].key, blind->entries[i].value);
	json_end(&o);
	json_key(&o, STR("clocks"));
	report_clocks_json(&v->run, &o);
	if (v->run.rules) {
		json_key(&o, STR("rule_states"));
		report_rule_states_json(&v->run, &o);
		json_key(&o, STR("rules"));
		report_rules_json(&v->run, &o);
	}
	json_end(&o);
	buf_byte(out, '\n');
}

static int coverage(char **paths, size_t n, const struct rules_wanted *wanted, const struct reader_options *zone, bool json)
{
	struct fault f = FAULT_INIT;
	const char *temp = getenv("TMPDIR");
	struct rule_set *rules = rules_load(wanted, &f);
	struct taxonomy *taxonomy = rules ? taxonomy_new(&f) : NULL;
	struct auth *auth = taxonomy ? auth_new(&f) : NULL;
	struct plan *plan = auth ? plan_new(rules, &(struct plan_options){0}, &f) : NULL;
	struct scan_config config = {.rules = rules, .plan = plan, .taxonomy = taxonomy, .auth = auth, .temp_dir = temp && *temp ? temp : "/tmp"};
	config.formats = formats_all(&config.n_formats);
	config.reader.zone_seconds = zone->zone_seconds;
	config.reader.zone = zone->zone;
	struct scan *scan = plan ? scan_new(&config, &f) : NULL;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	bool ok = scan != NULL;
	for (size_t i = 0; ok && i < n; i++) scan_add_path(scan, paths[i]);
	if (ok) crew_run(scan, processors > 0 ? (unsigned)processors : 1, app_terminal(stderr), app_seconds());
	ok = ok && scan_settle(scan, &f);
	if (ok) {
		struct run_view view;
		struct buf out = {0};
		struct map blind = {0};
		run_view_init(&view, scan_results(scan), rules);
		count_blind(scan_results(scan), rules, &blind);
		if (json) {
			print_json(&view, &blind, &out);
		} else {
			report_coverage_table(view.run.coverage, view.run.n_coverage, !strcmp(nl_langinfo(CODESET), "UTF-8"), &out);
			print_sight(&view.run, &out);
			print_blind(&blind, view.run.n_rules, &out);
		}
		fwrite(out.p, 1, out.n, stdout);
		buf_done(&out);
		map_done(&blind);
		run_view_done(&view);
	} else {
		app_fault(&f);
	}
	scan_free(scan);
	plan_free(plan);
	auth_free(auth);
	taxonomy_free(taxonomy);
	rule_set_free(rules);
	return ok && !fflush(stdout) ? EXIT_DONE : EXIT_FAILED;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o;
	struct rules_wanted rules = {0};
	const char *argument;
	bool json = false;
	struct reader_options zone = {0};
	VEC(char *) paths = {0};
	int status = -1;
	options_begin(&o, self, argc, argv);
	for (int which; status < 0 && (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) status = EXIT_DONE;
		else if (which == OPTION_BAD) status = EXIT_USAGE;
		else if (which == OPT_RULES) vec_push(&rules.paths, argument);
		else if (which == OPT_TIMEZONE) status = app_zone(self, argument, &zone) ? -1 : EXIT_USAGE;
		else if (which == OPT_JSON) json = true;
		else vec_push(&paths, (char *)argument);
	}
	if (status < 0 && !paths.n) status = app_usage(self, "which logs? Name files or folders");
	if (status < 0 && !app_paths_exist(self, (const char *const *)paths.v, paths.n)) status = EXIT_USAGE;
	if (status < 0) status = coverage(paths.v, paths.n, &rules, &zone, json);
	vec_free(&paths);
	vec_free(&rules.paths);
	return status;
}

const struct command command_coverage = {
	.name = "coverage", .synopsis = "[OPTION]... PATH...", .summary = "show which host wrote which log on which days, and what rules were blind",
	.group = "Look", .options = rows, .run = run,
	.help = "\"Not found\" means little where nothing was logged: this is the table to read beside the findings.\n"
		"The chart shows each log over the whole period; a dot is a time without events.\n\n"
		"examples:\n"
		"  exhibit coverage /mnt/evidence\n"
		"  exhibit coverage --json logs | jq '.coverage[] | select(.days_missing > 0)'",
};
