/* cmd_disclose.c: `exhibit disclose`: a bundle that proves some findings and shows nothing else. */
#include "app/case_tools.h"

enum { OPT_FINDING, OPT_RANGE, OPT_SOURCES, OPT_KEY, OPT_OUTPUT };
static const struct option_row rows[] = {
	[OPT_FINDING] = {'f', "finding", "N", "this finding, by its number (exhibit show); again for more"},
	[OPT_RANGE] = {0, "range", "SOURCE:FIRST-LAST", "all records of a source from leaf FIRST to LAST: proves that nothing\nlies between; needs --sources and the salt key"},
	[OPT_SOURCES] = {0, "sources", "DIR", "the original logs lie below this folder"},
	[OPT_KEY] = {0, "salt-key", "FILE", "the case's salt key (default: CASE.key)"},
	[OPT_OUTPUT] = {'o', "output", "FILE", "the bundle; '-' is standard output"},
	{0},
};

static bool parse_range(const char *word, struct disclose_range *ret)
{
	struct str rest = str_of(word), source = str_cut(&rest, ':');
	struct str first = rest.p ? str_cut(&rest, '-') : rest;
	uint64_t s, a, b;
	if (!rest.p || !str_u64(source, &s) || !str_u64(first, &a) || !str_u64(rest, &b) || b < a || s > INT64_MAX) return false;
	*ret = (struct disclose_range){(int64_t)s, a, b - a + 1};
	return true;
}

static int make(const char *path, const struct disclose_options *d, const char *output)
{
	struct fault f = FAULT_INIT;
	struct case_file c;
	struct buf out = {0};
	if (!case_open_shown(path, &c)) return EXIT_FAILED;
	bool ok = disclose(&c, d, &out, &f);
	if (!ok) app_fault(&f);
	case_done(&c);
	ok = ok && case_write_shown(output, buf_view(&out), false);
	if (ok && strcmp(output, "-")) fprintf(stderr, "%zu bytes; to check it: exhibit verify %s\n", out.n, output);
	buf_done(&out);
	return ok ? EXIT_DONE : EXIT_FAILED;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o;
	const char *argument, *path = NULL, *given[5] = {0};
	VEC(int64_t) findings = {0};
	VEC(struct disclose_range) ranges = {0};
	struct case_originals originals;
	uint64_t n;
	int status = -1;
	options_begin(&o, self, argc, argv);
	for (int which; status < 0 && (which = options_next(&o, &argument)) != OPTION_END;) {
		struct disclose_range r;
		if (which == OPTION_HELP) status = EXIT_DONE;
		else if (which == OPTION_BAD) status = EXIT_USAGE;
		else if (which == OPT_FINDING) {
			for (struct str rest = str_of(argument); rest.p && status < 0;) {
				if (str_u64(str_cut(&rest, ','), &n) && n && n <= INT64_MAX) vec_push(&findings, (int64_t)n);
				else status = app_usage(self, "'%s' is no finding's number", argument);
			}
		} else if (which == OPT_RANGE) {
			if (parse_range(argument, &r)) vec_push(&ranges, r);
			else status = app_usage(self, "a range is SOURCE:FIRST-LAST, as in 1:100-120");
		} else if (which >= 0) given[which] = argument;
		else if (path) status = app_usage(self, "one case at a time");
		else path = argument;
	}
	if (status < 0 && (!path || !given[OPT_OUTPUT] || (!findings.n && !ranges.n))) status = app_usage(self, "name a case, what to disclose (--finding, --range) and -o FILE");
	if (status < 0 && ranges.n && !given[OPT_SOURCES]) status = app_usage(self, "a range needs --sources: the case does not have the other records");
	if (status < 0 && given[OPT_SOURCES] && !case_originals_init(&originals, given[OPT_SOURCES], path, given[OPT_KEY])) status = EXIT_FAILED;
	struct disclose_options d = {findings.v, findings.n, ranges.v, ranges.n, given[OPT_SOURCES] ? &originals.sources : NULL};
	if (status < 0) status = make(path, &d, given[OPT_OUTPUT]);
	vec_free(&findings);
	vec_free(&ranges);
	return status;
}

const struct command command_disclose = {
	.name = "disclose",
	.synopsis = "CASE --finding N... -o BUNDLE",
	.summary = "prove single findings to others without showing them the case",
	.group = "Prove",
	.options = rows,
	.run = run,
	.help = "The bundle holds the findings, their records, rules and proofs, and the newest seal that covers them. Records are disclosed whole or not\n"
		"at all; of everything else only hashes of salted leaves are in it, which tell nothing.\n\n"
		"examples:\n"
		"  exhibit disclose incident.case --finding 17 --finding 23 -o two.bundle\n"
		"  exhibit disclose incident.case --range 3:1200-1450 --sources /mnt/copy -o hour.bundle",
};
