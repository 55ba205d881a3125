/* cmd_rules.c: `exhibit rules check | list | explain`: what a rule set holds, what is wrong with it, why a rule matches or not. */
#include "app/app.h"
#include "app/formats.h"
#include "app/rules_chart.h"
#include "app/rules_explain.h"
#include "app/rules_load.h"
#include "match/describe.h"
#include "rules/explain.h"
#include "rules/lint.h"
#include "rules/list.h"
#include "text/escape.h"
#include "text/json_write.h"
#include <errno.h>
#include <unistd.h>

enum { OPT_RULES, OPT_PLACEHOLDERS, OPT_FORMAT, OPT_BY, OPT_LOGSOURCE, OPT_LEVEL, OPT_TECHNIQUE, OPT_FAIL, OPT_IGNORE, OPT_AS, OPT_ANY, OPT_EVENT, OPT_PLAN };
static const struct option_row rows[] = {
	[OPT_RULES] = {'r', "rules", "RULES", "explain: look the rule up in these (file or folder; may be repeated; default: Exhibit's own)"},
	[OPT_PLACEHOLDERS] = {0, "placeholders", "FILE", "values for %placeholders% (YAML: name: value or list)"},
	[OPT_FORMAT] = {'f', "format", "FORMAT", "list: table, json or navigator (a layer for the ATT&CK Navigator); check: table or json"},
	[OPT_BY] = {0, "by", "WHAT", "list: count by logsource, level or technique"},
	[OPT_LOGSOURCE] = {0, "logsource", "SOURCE", "list: only rules of this log source (product=P,category=C,service=S)"},
	[OPT_LEVEL] = {0, "min-level", "LEVEL", "list: only rules of this level and above"},
	[OPT_TECHNIQUE] = {0, "technique", "ID", "list: only rules for this ATT&CK technique (T1059 takes T1059.001 in)"},
	[OPT_FAIL] = {0, "fail-on", "LEVEL", "check: exit with 1 from this on: error (default), warning or note"},
	[OPT_IGNORE] = {0, "ignore", "CHECK,...", "check: leave out what these checks say"},
	[OPT_AS] = {0, "as", "FORMAT", "explain: read the events as this format"},
	[OPT_ANY] = {0, "any-logsource", NULL, "explain: whatever log source the event is of"},
	[OPT_EVENT] = {0, "event", "N", "explain: only the N-th event of the file"},
	[OPT_PLAN] = {0, "plan", NULL, "explain: what the optimiser made of the rules: gates, order, scans; without a RULE of the whole set"},
	{0},
};

enum format { AS_TABLE, AS_JSON, AS_NAVIGATOR };

struct settings {
	const struct command *self;
	struct rules_wanted rules;
	VEC(const char *) words;       /* behind the name of what is to be done */
	struct list_filter filter;
	enum format format;
	enum list_by by;
	enum lint_level fail_on;
	struct str ignore;
	struct str as;
	bool any_logsource, plan;
	uint64_t event;
};

/* --- options ------------------------------------------------------------------------------------------------------------ */

static bool one_of(const char *word, const char *const *words, int *ret)
{
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], word)) continue;
		*ret = i;
		return true;
	}
	return false;
}

static bool take_logsource(struct settings *s, struct str rest)
{
	while (rest.p) {
		struct str value = str_cut(&rest, ','), key = str_cut(&value, '=');
		if (str_eq(key, STR("product"))) s->filter.product = value;
		else if (str_eq(key, STR("category"))) s->filter.category = value;
		else if (str_eq(key, STR("service"))) s->filter.service = value;
		else return app_usage(s->self, "a log source is product=P,category=C,service=S; not '%.*s'", STR_FMT(key)), false;
	}
	return true;
}

static bool take_technique(struct settings *s, const char *argument)
{
	char tag[32], id[16];
	snprintf(tag, sizeof tag, "attack.%s", argument);
	s->filter.technique = str_of(argument);
	return list_technique(str_of(tag), id) || (app_usage(s->self, "'%s' is no technique; write T1059 or T1059.001", argument), false);
}

static bool take_option(struct settings *s, int which, const char *argument)
{
	static const char *const formats[] = {"table", "json", "navigator", NULL}, *const by[] = {"rules", "logsource", "level", "technique", NULL};
	int at = 0;
	switch (which) {
	case OPT_RULES: vec_push(&s->rules.paths, argument); return true;
	case OPT_PLACEHOLDERS: s->rules.placeholders = argument; return true;
	case OPT_FORMAT:
		if (!one_of(argument, formats, &at)) return app_usage(s->self, "--format is table, json or navigator, not '%s'", argument), false;
		s->format = (enum format)at;
		return true;
	case OPT_BY:
		if (!one_of(argument, by, &at)) return app_usage(s->self, "--by is logsource, level or technique, not '%s'", argument), false;
		s->by = (enum list_by)at;
		return true;
	case OPT_LOGSOURCE: return take_logsource(s, str_of(argument));
	case OPT_LEVEL:
		s->filter.by_level = true;
		return level_parse(str_of(argument), &s->filter.least) || (app_usage(s->self, "there is no level '%s'", argument), false);
	case OPT_TECHNIQUE: return take_technique(s, argument);
	case OPT_FAIL: return lint_level_parse(str_of(argument), &s->fail_on) || (app_usage(s->self, "--fail-on is error, warning or note, not '%s'", argument), false);
	case OPT_IGNORE: s->ignore = str_of(argument); return true;
	case OPT_AS:
		s->as = str_of(argument);
		return formats_known(s->as) || (app_usage(s->self, "there is no format '%s'; known are: %s", argument, formats_words()), false);
	case OPT_ANY: s->any_logsource = s->rules.fragments = true; return true;
	case OPT_PLAN: s->plan = true; return true;
	case OPT_EVENT: return (str_u64(str_of(argument), &s->event) && s->event) || (app_usage(s->self, "--event takes a number from 1"), false);
	}
	return false;
}

/* --- output ------------------------------------------------------------------------------------------------------------- */

static int print(struct buf *b, int status)
{
	size_t done = 0;
	while (done < b->n) {
		ssize_t n = write(1, b->p + done, b->n - done);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) {
			if (errno != EPIPE) app_error("cannot write to standard output: %s", strerror(errno));
			return EXIT_FAILED;
		}
		done += (size_t)n;
	}
	return status;
}

/* --- check -------------------------------------------------------------------------------------------------------------- */

static bool ignored(const struct settings *s, struct str check)
{
	for (struct str rest = s->ignore; rest.p;)
		if (str_eq(str_cut(&rest, ','), check)) return true;
	return false;
}

static void put_json(const struct lint_message *m, struct buf *out)
{
	struct json_out o = JSON_OUT(out);
	json_begin_object(&o);
	json_key_str(&o, STR("level"), str_of(lint_level_word(m->level)));
	json_key_str(&o, STR("check"), m->check);
	json_key_str(&o, STR("text"), m->text);
	json_key_str(&o, STR("file"), m->file);
	json_key_u64(&o, STR("line"), m->line);
	json_key_u64(&o, STR("column"), m->column);
	json_end(&o);
	buf_byte(out, '\n');
}

static bool known_checks(const struct settings *s)
{
	for (struct str rest = s->ignore; rest.p;) {
		struct str word = str_cut(&rest, ',');
		bool known = false;
		for (size_t i = 0; lint_checks[i].name; i++) known |= str_eq(word, str_of(lint_checks[i].name));
		if (!known) return app_usage(s->self, "there is no check '%.*s'", STR_FMT(word)), false;
	}
	return true;
}

static const char *plural(uint32_t n) { return n == 1 ? "" : "s"; }

static void put_summary(const struct rule_set *set, const uint32_t counts[3], struct buf *out)
{
	buf_printf(out, "%u rule%s, %u refused: ", rule_set_count(set), plural(rule_set_count(set)), rule_set_refused_count(set));
	for (int i = 0; i < 3; i++) buf_printf(out, "%s%u %s%s", i ? ", " : "", counts[i], lint_level_word((enum lint_level)i), plural(counts[i]));
	buf_byte(out, '\n');
}

static int check(struct settings *s, const struct rule_set *set, const struct taxonomy *t)
{
	struct lint l = {0};
	struct buf out = {0};
	uint32_t counts[3] = {0};
	if (!known_checks(s)) return EXIT_USAGE;
	lint_rules(&l, set, t);
	for (size_t i = 0; i < l.n; i++) {
		if (ignored(s, l.v[i].check)) continue;
		counts[l.v[i].level]++;
		if (s->format == AS_JSON) put_json(&l.v[i], &out);
		else lint_show(&l.v[i], &out);
	}
	bool failed = false;
	for (int level = 0; level <= (int)s->fail_on; level++) failed |= counts[level] > 0;
	if (s->format != AS_JSON) put_summary(set, counts, &out);
	int status = print(&out, failed ? EXIT_FOUND : EXIT_DONE);
	buf_done(&out);
	lint_done(&l);
	return status;
}

/* --- list --------------------------------------------------------------------------------------------------------------- */

static int list(struct settings *s, const struct rule_set *set)
{
	struct buf out = {0};
	if (s->format == AS_JSON) list_json(set, &s->filter, &out);
	else if (s->format == AS_NAVIGATOR) list_navigator(set, &s->filter, STR("Exhibit rules"), &out);
	else list_table(set, &s->filter, s->by, app_terminal(stdout) ? app_width(stdout) : 0, &out);
	int status = print(&out, EXIT_DONE);
	buf_done(&out);
	uint32_t refused = rule_set_refused_count(set);
	if (refused) app_error("%u rule%s refused and not listed; exhibit rules check says why", refused, refused == 1 ? " is" : "s are");
	return status;
}

/* --- explain ------------------------------------------------------------------------------------------------------------ */

static const struct rule *find(const struct rule_set *set, struct str wanted)
{
	for (uint32_t i = 0; i < rule_set_count(set); i++) {
		const struct rule *r = rule_set_at(set, i);
		if (str_eq(r->info.id, wanted) || (r->name.n && str_eq(r->name, wanted))) return r;
	}
	for (uint32_t i = 0; i < rule_set_count(set); i++)
		if (str_eq_nocase(rule_set_at(set, i)->info.title, wanted)) return rule_set_at(set, i);
	return NULL;
}

static void put_refused(const struct rule_set *set, struct buf *out)
{
	for (uint32_t i = 0; i < rule_set_refused_count(set); i++) {
		const struct rules_refused *r = rule_set_refused(set, i);
		const struct lint_message m = {r->file, r->line, r->column, LINT_ERROR, r->category, r->reason, r->source_line};
		lint_show(&m, out);
	}
}

static int explain_rule(struct settings *s, const struct rule_set *set, const struct rule *r, const struct taxonomy *t, struct buf *out)
{
	explain_head(r, t, out);
	if (s->words.n < 2 || r->correlation) explain_tree(set, r, NULL, out);
	if (s->words.n < 2) return EXIT_DONE;
	enum { SHOWN = 10 };
	const struct explain_wanted w = {set, r, t, s->words.v[1], s->as, s->any_logsource, s->event, SHOWN};
	return r->correlation ? rules_explain_correlation(&w, out) : rules_explain_events(&w, out);
}

static bool has_words(struct str title, struct str words)
{
	while (words.p) {
		struct str one = str_cut(&words, ' ');
		size_t at = 0;
		while (at + one.n <= title.n && !str_eq_nocase(str_sub(title, at, one.n), one)) at++;
		if (at + one.n > title.n) return false;
	}
	return true;
}

/* The first few titles that have all of these words, or else the first of them. */
static void suggest(const struct rule_set *set, struct str wanted)
{
	enum { MOST = 5 };
	struct str first = wanted;
	const struct str tries[] = {wanted, str_cut(&first, ' ')};
	uint32_t n = 0;
	for (size_t k = 0; k < COUNT(tries) && !n; k++)
		for (uint32_t i = 0; tries[k].n > 2 && i < rule_set_count(set) && n < MOST; i++) {
			struct str title = rule_set_at(set, i)->info.title;
			struct buf b = {0};
			if (rule_of_deeds(rule_set_at(set, i)) || !has_words(title, tries[k])) continue;
			term_str(&b, title);
			app_error("did you mean '%.*s'?", STR_FMT(buf_view(&b)));
			n++;
			buf_done(&b);
		}
}

/* A file with several rules is explained one by one; a word is looked up. */
static int explain(struct settings *s, const struct rule_set *set, const struct taxonomy *t, bool is_file)
{
	struct buf out = {0};
	int status = EXIT_DONE;
	const struct rule *one = is_file ? NULL : find(set, str_of(s->words.v[0]));
	if (!is_file && !one) {
		app_error("there is no rule with the id, name or title '%s'", s->words.v[0]);
		suggest(set, str_of(s->words.v[0]));
		return EXIT_USAGE;
	}
	for (uint32_t i = 0; i < rule_set_count(set); i++) {
		const struct rule *r = rule_set_at(set, i);
		if (one && r != one) continue;
		if (out.n) buf_byte(&out, '\n');
		int this = explain_rule(s, set, r, t, &out);
		if (this > status) status = this;
	}
	if (is_file) put_refused(set, &out);
	if (is_file && rule_set_refused_count(set) && status < EXIT_FOUND) status = EXIT_FOUND;
	status = print(&out, status);
	buf_done(&out);
	return status;
}

/* The set as a whole, or every rule that was named, or the rules of the files that were. */
static int explain_plan(struct settings *s, const struct rule_set *set)
{
	struct fault f = FAULT_INIT;
	struct buf out = {0};
	int status = EXIT_DONE;
	struct plan *p = plan_new(set, &(struct plan_options){.any_logsource = s->any_logsource}, &f);
	if (!p) return app_fault(&f), EXIT_FAILED;
	if (!s->words.n) describe_plan(p, &out);
	for (size_t i = 0; i < s->words.n; i++) {
		bool is_file = access(s->words.v[i], R_OK) == 0;
		const struct rule *one = is_file ? NULL : find(set, str_of(s->words.v[i]));
		if (!is_file && (!one || one->correlation)) {
			app_error(one ? "'%s' is a correlation: it is made of the findings of its rules" : "there is no rule with the id, name or title '%s'", s->words.v[i]);
			status = EXIT_USAGE;
		}
		for (uint32_t j = 0; j < rule_set_count(set); j++) {
			const struct rule *r = rule_set_at(set, j);
			if (r->correlation || (is_file ? !str_eq(r->info.file, str_of(s->words.v[i])) : r != one)) continue;
			if (out.n) buf_byte(&out, '\n');
			describe_rule(p, r, &out);
		}
	}
	plan_free(p);
	status = print(&out, status);
	buf_done(&out);
	return status;
}

/* --- the command ---------------------------------------------------------------------------------------------------------- */

static int act(struct settings *s, const char *what)
{
	struct fault f = FAULT_INIT;
	bool checks = !strcmp(what, "check"), explains = !strcmp(what, "explain"), is_file = explains && s->words.n && access(s->words.v[0], R_OK) == 0;
	if (!explains)
		for (size_t i = 0; i < s->words.n; i++) vec_push(&s->rules.paths, s->words.v[i]);
	if (is_file && !s->plan) vec_push(&s->rules.paths, s->words.v[0]);
	for (size_t i = 0; explains && s->plan && i < s->words.n; i++)
		if (access(s->words.v[i], R_OK) == 0) vec_push(&s->rules.paths, s->words.v[i]);
	struct taxonomy *t = taxonomy_new(&f);
	struct rule_set *set = t ? rules_load(&s->rules, &f) : NULL;
	int status = EXIT_FAILED;
	if (!set) app_fault(&f);
	else status = checks ? check(s, set, t) : explains && s->plan ? explain_plan(s, set) : explains ? explain(s, set, t, is_file) : list(s, set);
	rule_set_free(set);
	taxonomy_free(t);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const char *const actions[] = {"check", "list", "explain", NULL};
	struct settings s = {.self = self};
	struct options o;
	const char *argument, *what = NULL;
	int status = EXIT_DONE, at;
	options_begin(&o, self, argc, argv);
	for (int which; status == EXIT_DONE && (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) goto done;
		if (which == OPTION_POSITIONAL && !what) what = argument;
		else if (which == OPTION_POSITIONAL) vec_push(&s.words, argument);
		else if (which == OPTION_BAD || !take_option(&s, which, argument)) status = EXIT_USAGE;
	}
	if (status != EXIT_DONE) goto done;
	if (!what || !one_of(what, actions, &at)) status = app_usage(self, what ? "there is no 'rules %s'; check, list and explain exist" : "what is to be done? check, list or explain", what);
	else if (at == 2 && !s.plan && (s.words.n < 1 || s.words.n > 2)) status = app_usage(self, "explain takes a rule (file, id, name or title) and perhaps a file of events");
	else status = act(&s, what);
done:
	vec_free(&s.words);
	vec_free(&s.rules.paths);
	return status;
}

const struct command command_rules = {
	.name = "rules",
	.synopsis = "check [PATH]... | list [PATH]... | explain RULE [EVENTS] | explain --plan [RULE]...",
	.summary = "check, list and explain rules",
	.group = "Look",
	.options = rows,
	.run = run,
	.help = "check    says what is wrong with rules: what cannot be used, what can never match, what events do not have,\n"
		"         what is missing or there twice. Without a path: Exhibit's own rules.\n"
		"list     shows which rules there are, one by one or counted.\n"
		"explain  shows what a rule looks for and in which logs; with a file of events also, for each of the first ten,\n"
		"         what of it holds (+), does not (-) or is undecided (?), and the value it saw. A correlation is drawn over\n"
		"         all events of the file: for each group what its condition compares, and where it holds.\n"
		"         With --plan what the optimiser decided: which literals gate a rule, in which order its tests are asked\n"
		"         (chance and cost are guesses; they choose the order, never the answer), which regexes run by which engine.\n\n"
		"examples:\n"
		"  exhibit rules check my-rules/ --ignore tag-attack\n"
		"  exhibit rules list --by technique sigma/rules\n"
		"  exhibit rules list --format navigator > layer.json\n"
		"  exhibit rules explain my-rule.yml event.jsonl\n"
		"  exhibit rules explain 'Whoami Utility Execution' -r sigma/rules Security.evtx --event 3\n"
		"  exhibit rules explain five-failures.yml auth.log\n"
		"  exhibit rules explain --plan 'Whoami Utility Execution' -r sigma/rules\n\n"
		"exit status: 0 done; 1 rules with errors (check: see --fail-on); 2 usage; 3 the events were not read; 4 failure",
};
