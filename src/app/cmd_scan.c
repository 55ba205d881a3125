/* cmd_scan.c: `exhibit scan`: the main command. Arguments, rules, threads, progress, outputs, summary, exit status. */
#include "app/app.h"
#include "app/crew.h"
#include "app/formats.h"
#include "app/output.h"
#include "app/output_case.h"
#include "app/rules_load.h"
#include "app/view.h"
#include "base/file.h"
#include "evidence/canon.h"
#include "match/match.h"
#include "report/report.h"
#include "scan/scan.h"
#include <errno.h>
#include <langinfo.h>
#include <unistd.h>

enum {
	OPT_RULES, OPT_OUTPUT, OPT_JOBS, OPT_MIN_LEVEL, OPT_SINCE, OPT_UNTIL, OPT_FAIL_ON, OPT_PLACEHOLDERS, OPT_STATS,
	OPT_AS, OPT_LOGSOURCE, OPT_ANY, OPT_TIMEZONE, OPT_CARVE, OPT_STATE_MEMORY, OPT_EVERY, OPT_BASELINE, OPT_KNOWN_SOURCES, OPT_QUIET,
	OPT_CASE, OPT_SALT_KEY, OPT_NOTE
};
static const struct option_row rows[] = {
	[OPT_RULES] = {'r', "rules", "PATH", "Sigma rules: a file or folder; again for more. Replaces Exhibit's own\nrules, unless one of them is the word 'default'"},
	[OPT_OUTPUT] = {'o', "output", "FILE", "write findings; the ending says how: .jsonl .csv .case; '-' is JSON\nLines on standard output; again for more. A case holds the evidence too,\nand is never overwritten"},
	[OPT_JOBS] = {'j', "jobs", "N", "threads (default: one per processor)"},
	[OPT_MIN_LEVEL] = {0, "min-level", "LEVEL", "leave out rules below: informational low medium high critical"},
	[OPT_SINCE] = {0, "since", "TIME", "only events from this time on (2021-03-01 or 2021-03-01T06:00:00Z)"},
	[OPT_UNTIL] = {0, "until", "TIME", "only events up to this time"},
	[OPT_FAIL_ON] = {0, "fail-on", "LEVEL", "exit status 1 when a finding has this level or more"},
	[OPT_PLACEHOLDERS] = {0, "placeholders", "FILE", "values for placeholders in rules: YAML, name: [value, ...]"},
	[OPT_STATS] = {0, "stats", "FILE", "write what was read, byte by byte accounted for, as JSON ('-': stdout)"},
	[OPT_AS] = {0, "as", "FORMAT", "read every file as this format instead of looking at its bytes"},
	[OPT_LOGSOURCE] = {0, "logsource", "SPEC", "log source of all events: product=windows,category=process_creation"},
	[OPT_ANY] = {0, "any-logsource", NULL, "try every rule on every event"},
	[OPT_TIMEZONE] = APP_ZONE_ROW,
	[OPT_CARVE] = {0, "carve", NULL, "also read stale records in unused space of event logs, and those in any other file or disk image"},
	[OPT_STATE_MEMORY] = {0, "state-memory", "SIZE", "memory for correlations, e.g. 256M (the default) or 1G"},
	[OPT_EVERY] = {0, "every", NULL, "correlations: a finding at each event that meets the condition"},
	[OPT_BASELINE] = {0, "baseline", "FILE", "script paths of your web servers that are legitimate, one a line"},
	[OPT_KNOWN_SOURCES] = {0, "known-sources", "FILE", "addresses whose failed logins are normal (your scanners, gateways): ADDRESS or\nNETWORK/BITS and the reason, one a line; told in the summary"},
	[OPT_QUIET] = {'q', "quiet", NULL, "no summary and no progress"},
	[OPT_CASE] = {0, "case", "X.case", "add these logs to a case, without reading its old ones again"},
	[OPT_SALT_KEY] = {0, "salt-key", "FILE", "the salt key of the case (default: X.case.key, made when it is new); the key\nof a case repeats its run exactly; never use it for other evidence"},
	[OPT_NOTE] = {0, "note", "TEXT", "why, for the custody log of the case"},
	{0},
};

struct settings {
	const struct command *self;
	struct rules_wanted rules;
	VEC(const char *) outputs;
	VEC(const char *) paths;
	const char *stats;
	struct reader_options reader;
	struct plan_options plan;
	size_t state_memory;
	const char *baseline, *known_sources;
	bool every;
	const char *add_to, *new_case, *salt_key, *note;
	unsigned jobs;
	int fail_on; /* level, -1 = none */
	bool quiet;
};

static bool parse_level(const struct settings *s, const char *word, enum level *ret)
{
	if (level_parse(str_of(word), ret)) return true;
	app_usage(s->self, "'%s' is no level: informational, low, medium, high, critical", word);
	return false;
}

/* A day alone means its first, or with `end` its last, moment. */
static bool parse_time(const struct settings *s, const char *word, bool end, struct etime *ret)
{
	char full[48];
	if (strlen(word) == 10) {
		snprintf(full, sizeof full, "%sT%s", word, end ? "23:59:59.999999999Z" : "00:00:00Z");
		word = full;
	}
	if (etime_parse(str_of(word), ret, NULL)) return true;
	app_usage(s->self, "'%s' is no time; write 2021-03-01 or 2021-03-01T06:00:00Z", word);
	return false;
}

static bool parse_size(const struct settings *s, const char *word, size_t *ret)
{
	struct str digits = str_of(word);
	uint64_t n, unit = 1;
	char last = digits.n ? digits.p[digits.n - 1] : 0;
	if (last == 'K' || last == 'k') unit = 1 << 10;
	if (last == 'M' || last == 'm') unit = 1 << 20;
	if (last == 'G' || last == 'g') unit = 1 << 30;
	if (unit > 1) digits.n--;
	if (str_u64(digits, &n) && n > 0 && n < (1ull << 44) / unit) {
		*ret = n * unit;
		return true;
	}
	app_usage(s->self, "'%s' is no size; write 64M or 1G", word);
	return false;
}

static bool take_option(struct settings *s, int which, const char *argument)
{
	enum level level;
	uint64_t n;
	switch (which) {
	case OPT_RULES: vec_push(&s->rules.paths, argument); return true;
	case OPT_CASE: s->add_to = argument; return true;
	case OPT_SALT_KEY: s->salt_key = argument; return true;
	case OPT_NOTE: s->note = argument; return true;
	case OPT_OUTPUT:
		if (!str_ends(str_of(argument), STR(".case"))) {
			vec_push(&s->outputs, argument);
			return true;
		}
		if (s->new_case) return app_usage(s->self, "one case at a time"), false;
		s->new_case = argument;
		return true;
	case OPT_STATS: s->stats = argument; return true;
	case OPT_PLACEHOLDERS: s->rules.placeholders = argument; return true;
	case OPT_ANY: s->plan.any_logsource = s->rules.fragments = true; return true;
	case OPT_CARVE: s->reader.carve = true; return true;
	case OPT_QUIET: s->quiet = true; return true;
	case OPT_BASELINE: s->baseline = argument; return true;
	case OPT_KNOWN_SOURCES: s->known_sources = argument; return true;
	case OPT_EVERY: s->every = true; return true;
	case OPT_STATE_MEMORY: return parse_size(s, argument, &s->state_memory);
	case OPT_MIN_LEVEL: return parse_level(s, argument, &s->plan.min_level);
	case OPT_FAIL_ON:
		if (!parse_level(s, argument, &level)) return false;
		s->fail_on = (int)level;
		return true;
	case OPT_SINCE: return parse_time(s, argument, false, &s->reader.since);
	case OPT_UNTIL: return parse_time(s, argument, true, &s->reader.until);
	case OPT_TIMEZONE: return app_zone(s->self, argument, &s->reader);
	case OPT_LOGSOURCE: s->reader.logsource = str_of(argument); return true;
	case OPT_AS:
		s->reader.format = str_of(argument);
		if (formats_known(s->reader.format)) return true;
		app_usage(s->self, "there is no format '%s'; known are: %s", argument, formats_words());
		return false;
	case OPT_JOBS:
		if (str_u64(str_of(argument), &n) && n >= 1 && n <= 256) {
			s->jobs = (unsigned)n;
			return true;
		}
		app_usage(s->self, "-j takes a number from 1 to 256");
		return false;
	}
	return false;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static int parse(struct settings *s, int argc, char **argv)
{
	struct options o;
	const char *argument;
	options_begin(&o, s->self, argc, argv);
	for (int which; (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) return EXIT_DONE;
		if (which == OPTION_BAD) return EXIT_USAGE;
		if (which == OPTION_POSITIONAL) vec_push(&s->paths, argument);
		else if (!take_option(s, which, argument)) return EXIT_USAGE;
	}
	if (!s->paths.n) return app_usage(s->self, "which logs? Name files or folders");
	/* Events of equal times stand in the order of their files: of the files' names, not of how they were listed. */
	qsort(s->paths.v, s->paths.n, sizeof *s->paths.v, by_bytes);
	if (s->add_to && (s->new_case || s->outputs.n)) return app_usage(s->self, "--case takes no -o: its findings may rest on logs that are not read now");
	if ((s->salt_key || s->note) && !s->add_to && !s->new_case) return app_usage(s->self, "--salt-key and --note are for a case: -o X.case or --case X.case");
	return app_paths_exist(s->self, (const char *const *)s->paths.v, s->paths.n) ? -1 : EXIT_USAGE;
}

/* --- phase two: outputs ------------------------------------------------------------------------------------ */

struct tally_sink {
	struct finding_sink sink;
	struct tally *tally;
	int worst; /* level, -1 = none */
};

static bool tally_put(struct finding_sink *self, const struct finding *f, const struct scan_results *results)
{
	struct tally_sink *t = (struct tally_sink *)self;
	(void)results;
	tally_add(t->tally, f);
	if ((int)f->level > t->worst) t->worst = (int)f->level;
	return true;
}

static bool incomplete(const struct scan_results *r)
{
	for (uint32_t i = 0; i < r->n_sources; i++)
		if (r->sources[i].report.damaged || r->sources[i].report.limited || r->sources[i].broken) return true;
	for (uint32_t i = 0; i < r->n_unread; i++)
		if (r->unread[i].is_log) return true;
	return false;
}

static void print_summary(const struct settings *s, const struct run_view *v, const struct tally *t)
{
	FILE *to = stdout;
	for (size_t i = 0; i < s->outputs.n; i++)
		if (!strcmp(s->outputs.v[i], "-")) to = stderr;
	if (s->stats && !strcmp(s->stats, "-")) to = stderr;
	if (s->quiet || (to == stderr && !app_terminal(stderr))) return;
	struct buf out = {0};
	struct summary_options o = {.colour = app_colour(to), .unicode = !strcmp(nl_langinfo(CODESET), "UTF-8"), .width = app_width(to)};
	if (!v->run.findings) o.next = STR("nothing was found in what could be read: see 'Not read' and 'Not logged' above");
	else if (!s->outputs.n) o.next = STR("the same with -o findings.jsonl to see every finding and the bytes it rests on");
	report_summary(&v->run, t, &o, &out);
	fwrite(out.p, 1, out.n, to);
	fflush(to);
	buf_done(&out);
}

/* What decides the outcome besides rules and logs, in canonical JSON; nothing of this machine. */
static void print_settings(const struct settings *s, bool native, struct buf *out)
{
	char since[ETIME_MAX], until[ETIME_MAX];
	etime_print(s->reader.since, s->reader.since.digits, since);
	etime_print(s->reader.until, s->reader.until.digits, until);
	buf_printf(out, "{\"any_logsource\":%s,\"carve\":%s,\"every\":%s,\"format\":", s->plan.any_logsource ? "true" : "false", s->reader.carve ? "true" : "false", s->every ? "true" : "false");
	canon_str(out, s->reader.format);
	buf_lit(out, ",\"logsource\":");
	canon_str(out, s->reader.logsource);
	char zone[ZONE_TEXT + 16] = "";
	if (s->reader.zone.text[0]) snprintf(zone, sizeof zone, "\"zone\":\"%s\",", s->reader.zone.text);
	buf_printf(out, ",\"min_level\":\"%s\",\"native\":%s,\"since\":\"%s\",\"state_memory\":%zu,\"until\":\"%s\",%s\"zone_seconds\":%d}", level_word(s->plan.min_level),
		native ? "true" : "false", since, s->state_memory, until, zone, s->reader.zone_seconds);
}

static bool begin_case(const struct settings *s, struct case_output *c, struct scan *scan, const struct scan_config *config, struct fault *f)
{
	struct buf settings = {0};
	uint32_t native = 0;
	if (config->incidents) incident_plan_rules(config->incidents, &native);
	print_settings(s, native > 0, &settings);
	bool ok = case_output_begin(c, scan, config, buf_view(&settings), f);
	buf_done(&settings);
	return ok;
}

static int finish(const struct settings *s, struct scan *scan, const struct scan_config *config, struct case_output *kept, double started)
{
	const struct rule_set *rules = config->rules;
	struct fault f = FAULT_INIT;
	struct tally_sink tally = {.sink = {tally_put}, .tally = tally_new(), .worst = -1};
	VEC(struct finding_sink *) sinks = {0};
	struct run_view view;
	int status = EXIT_DONE;
	bool ok = scan_settle(scan, &f);
	const struct scan_results *r = scan_results(scan);
	run_view_init(&view, r, rules);
	vec_push(&sinks, &tally.sink);
	if (ok && kept) ok = begin_case(s, kept, scan, config, &f);
	for (size_t i = 0; ok && i < s->outputs.n; i++) {
		struct finding_sink *sink = output_new(s->outputs.v[i], &view.run.sources, &f);
		if (sink) vec_push(&sinks, sink);
		else ok = false;
	}
	size_t n_files = sinks.n;
	if (kept) vec_push(&sinks, case_output_sink(kept));
	if (ok) ok = scan_finish(scan, sinks.v, sinks.n, &f);
	for (size_t i = 1; i < n_files; i++)
		if (!output_close(sinks.v[i], &f)) ok = false;
	if (kept && !case_output_close(kept, ok, &f)) ok = false;
	view.run.findings = r->findings;
	view.run.twins = r->twins;
	view.run.stories = r->stories;
	view.run.n_stories = r->n_stories;
	view.run.notes = r->notes;
	view.run.n_notes = r->n_notes;
	view.run.seconds = app_seconds() - started;
	if (ok && s->stats) ok = output_stats(s->stats, &view.run, &f);
	if (ok) print_summary(s, &view, tally.tally);
	else app_fault(&f), status = EXIT_FAILED;
	if (ok && incomplete(r)) status = EXIT_INCOMPLETE;
	if (ok && status == EXIT_DONE && s->fail_on >= 0 && tally.worst >= s->fail_on) status = EXIT_FOUND;
	tally_free(tally.tally);
	run_view_done(&view);
	vec_free(&sinks);
	return status;
}

/* The native analysers belong to Exhibit's own rules: `-r` alone replaces them too. */
static struct incident_plan *load_incidents(const struct settings *s, struct fault *f)
{
	struct incident_plan *p = incident_plan_new(f);
	bool native = !s->rules.paths.n;
	for (size_t i = 0; i < s->rules.paths.n; i++) native |= !strcmp(s->rules.paths.v[i], "default");
	if (p) incident_plan_native(p, native);
	bool ok = p && (!s->baseline || incident_plan_baseline(p, s->baseline, f));
	if (ok) return p;
	incident_plan_free(p);
	return NULL;
}

/* NULL without the option; false when it cannot be read. */
static bool load_known(const struct settings *s, struct known_sources **ret, struct fault *f)
{
	char *text;
	size_t n;
	*ret = NULL;
	if (!s->known_sources) return true;
	if (!file_slurp(s->known_sources, 16 << 20, &text, &n, f)) return false;
	*ret = known_sources_new((struct str){text, n}, str_of(s->known_sources), f);
	free(text);
	return *ret != NULL;
}

/* What will be written, looked at before anything is read. */
static bool check_outputs(const struct settings *s, struct fault *f)
{
	for (size_t i = 0; i < s->outputs.n; i++)
		if (!output_check(s->outputs.v[i], true, s->paths.v, s->paths.n, f)) return false;
	return !s->stats || output_check(s->stats, false, s->paths.v, s->paths.n, f);
}

static int scan_all(struct settings *s)
{
	struct fault f = FAULT_INIT;
	double started = app_seconds();
	const char *temp = getenv("TMPDIR");
	struct rule_set *rules = check_outputs(s, &f) ? rules_load(&s->rules, &f) : NULL;
	struct taxonomy *taxonomy = rules ? taxonomy_new(&f) : NULL;
	struct auth *auth = taxonomy ? auth_new(&f) : NULL;
	struct plan *plan = auth ? plan_new(rules, &s->plan, &f) : NULL;
	struct incident_plan *incidents = plan ? load_incidents(s, &f) : NULL;
	struct known_sources *known = NULL;
	bool ready = incidents && load_known(s, &known, &f);
	int status = EXIT_FAILED;
	const char *case_path = s->new_case ? s->new_case : s->add_to;
	struct case_output_options keep = {case_path, s->add_to != NULL, s->salt_key, s->note, s->rules.placeholders, s->baseline, s->known_sources, temp && *temp ? temp : "/tmp"};
	struct case_output *kept = ready && case_path ? case_output_new(&keep, &f) : NULL;
	if (!ready || (case_path && !kept)) {
		app_fault(&f);
		if (f.kind == FAULT_USAGE) status = EXIT_USAGE;
	} else {
		struct scan_config config = {.rules = rules, .plan = plan, .taxonomy = taxonomy, .auth = auth, .reader = s->reader, .temp_dir = temp && *temp ? temp : "/tmp",
			.state_memory = s->state_memory, .min_level = s->plan.min_level, .known_sources = known, .every = s->every, .any_logsource = s->plan.any_logsource, .incidents = incidents, .keeper = kept ? case_output_keeper(kept) : NULL};
		config.formats = formats_all(&config.n_formats);
		struct scan *scan = scan_new(&config, &f);
		for (size_t i = 0; scan && i < s->paths.n; i++) scan_add_path(scan, s->paths.v[i]);
		if (scan) crew_run(scan, s->jobs, !s->quiet && app_terminal(stderr), started);
		if (scan) {
			status = finish(s, scan, &config, kept, started);
		} else {
			app_fault(&f);
			if (kept) case_output_close(kept, false, NULL);
		}
		scan_free(scan);
	}
	known_sources_free(known);
	incident_plan_free(incidents);
	plan_free(plan);
	auth_free(auth);
	taxonomy_free(taxonomy);
	rule_set_free(rules);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct settings s = {.self = self, .fail_on = -1};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	s.jobs = processors > 0 && processors <= 256 ? (unsigned)processors : 1;
	int status = parse(&s, argc, argv);
	if (status < 0) status = scan_all(&s);
	vec_free(&s.rules.paths);
	vec_free(&s.outputs);
	vec_free(&s.paths);
	return status;
}

const struct command command_scan = {
	.name = "scan",
	.synopsis = "[OPTION]... PATH...",
	.summary = "find attacks in logs, and show the bytes each finding rests on",
	.group = "Look",
	.options = rows,
	.run = run,
	.help = "PATH is a file or a folder (with everything below it). What a file is, is decided by its bytes, not its name.\n"
		"Sources are opened read-only and never changed.\n\n"
		"Besides the rules, detectors look at logins of every service: guessing from one address or network, spraying,\n"
		"stuffing, slow and distributed guessing, and logins that came of it. They belong to Exhibit's own rules.\n\n"
		"examples:\n"
		"  exhibit scan samples/first-look\n"
		"  exhibit scan /mnt/server1/Windows/System32/winevt/Logs -o findings.jsonl --stats read.json\n"
		"  exhibit scan logs -r ~/sigma/rules -r default --min-level high -o findings.csv\n"
		"  exhibit scan logs --since 2021-02-26 --until 2021-03-31 -o -\n"
		"  exhibit scan logs -o incident.case          then: exhibit verify incident.case\n"
		"  exhibit scan --case incident.case more-logs\n\n"
		"to check a finding by hand (SOURCE, OFFSET, LENGTH stand in its evidence):\n"
		"  dd if=SOURCE bs=1 skip=OFFSET count=LENGTH | sha256sum\n\n"
		"exit status: 0 done; 1 --fail-on is met; 2 usage; 3 a log was not read in full; 4 failure",
};
