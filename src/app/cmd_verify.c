/* cmd_verify.c: `exhibit verify`: a case or a bundle checked again, from its first byte. */
#include "app/case_tools.h"
#include "app/formats.h"
#include "app/rescan.h"
#include "verify/rederive.h"
#include "text/escape.h"
#include <unistd.h>

enum { OPT_SOURCES, OPT_POLICY, OPT_AUTHORITIES, OPT_KEY, OPT_NO_RESCAN, OPT_JOBS, OPT_QUIET, OPTIONS };
static const struct option_row rows[] = {
	[OPT_SOURCES] = {0, "sources", "DIR", "the original logs lie below this folder: check them too"},
	[OPT_POLICY] = {0, "policy", "FILE", "demand signatures: C2SP tlog-policy (log, witness, group, quorum)"},
	[OPT_AUTHORITIES] = {0, "authorities", "PEM", "trace timestamps to these certificates"},
	[OPT_KEY] = {0, "salt-key", "FILE", "with --sources: build the record trees again (default: CASE.key, if there)"},
	[OPT_NO_RESCAN] = {0, "no-rescan", NULL, "with --sources: their hashes, trees and cited bytes only, no scan again"},
	[OPT_JOBS] = {'j', "jobs", "N", "threads of that scan (default: one per processor)"},
	[OPT_QUIET] = {'q', "quiet", NULL, "only problems and the verdict"},
	{0},
};

struct shown { bool quiet; struct buf line; };

static void show(void *arg, const struct verify_line *l)
{
	struct shown *s = arg;
	bool bad = l->kind == VERIFY_LINE_PROBLEM || (l->kind == VERIFY_LINE_FINDING && l->answer == VERIFY_FAILED);
	if (s->quiet && !bad) return;
	s->line.n = 0;
	switch (l->kind) {
	case VERIFY_LINE_PROBLEM: buf_lit(&s->line, "PROBLEM "); break;
	case VERIFY_LINE_FINDING: buf_printf(&s->line, "finding %lld: %s", (long long)l->id, verify_answer_word(l->answer)); break;
	case VERIFY_LINE_SEAL: buf_lit(&s->line, "holds: "); break;
	case VERIFY_LINE_NOTE: buf_lit(&s->line, "note: "); break;
	}
	if (l->kind == VERIFY_LINE_FINDING) {
		if (l->text.n) buf_lit(&s->line, ": ");
	} else if (l->table && l->id) {
		buf_printf(&s->line, "%s %lld: ", l->table, (long long)l->id);
	} else if (l->table) {
		buf_printf(&s->line, "%s: ", l->table);
	}
	term_str(&s->line, l->text);
	if (l->about.n) {
		buf_lit(&s->line, "; ");
		term_str(&s->line, l->about);
	}
	buf_byte(&s->line, '\n');
	fwrite(s->line.p, 1, s->line.n, stdout);
}

static void summary(const struct verify_result *r, bool bundle)
{
	printf("%llu rows, %llu records, %llu findings", (unsigned long long)r->rows, (unsigned long long)r->records, (unsigned long long)r->findings);
	for (int a = 0; a < VERIFY_ANSWERS; a++)
		if (r->answers[a]) printf("; %s: %llu", verify_answer_word((enum verify_answer)a), (unsigned long long)r->answers[a]);
	printf("\n%s%s\n", r->sealed ? "sealed" : bundle ? "not sealed" : "not sealed, or findings came after the seal",
		r->rescanned ? "; originals checked and scanned again: everything comes out as recorded" : r->sources_checked ? "; originals checked" : r->sources_missing ? "; originals are missing" : "; without the originals");
	printf("verdict: %s\n", verify_verdict_word(verify_verdict(r)));
}

static int check(const char *path, struct verify_options *o)
{
	struct fault f = FAULT_INIT;
	struct verify_result r;
	struct shown s = *(struct shown *)o->arg;
	char *bytes;
	size_t n;
	FILE *in = fopen(path, "rb");
	char head[4096];
	size_t got = in ? fread(head, 1, sizeof head, in) : 0;
	if (in) fclose(in);
	bool bundle = verify_is_bundle((struct str){head, got}), ok;
	o->arg = &s;
	o->line = show;
	if (bundle) {
		if (!case_slurp_shown(path, &bytes, &n)) return EXIT_FAILED;
		ok = verify_bundle((struct str){bytes, n}, o, &r, &f);
		free(bytes);
	} else {
		ok = verify_case(path, o, &r, &f);
	}
	buf_done(&s.line);
	if (!ok) {
		app_fault(&f);
		printf("verdict: %s\n", f.kind == FAULT_STATE ? "incomplete" : "failed");
		return f.kind == FAULT_CORRUPT || f.kind == FAULT_SYNTAX ? EXIT_FOUND : EXIT_FAILED;
	}
	summary(&r, bundle);
	return verify_verdict(&r) == VERIFY_FAILS ? EXIT_FOUND : verify_verdict(&r) == VERIFY_HOLDS_IN_PART ? EXIT_INCOMPLETE : EXIT_DONE;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o;
	struct fault f = FAULT_INIT;
	struct policy policy = {0};
	struct case_originals originals;
	struct rescan rescan;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t jobs = processors > 0 && processors <= 256 ? (uint64_t)processors : 1;
	bool again_too = true;
	struct shown s = {0};
	struct verify_options v = {.temp_dir = case_temp_dir(), .arg = &s};
	const char *argument, *path = NULL, *given[OPTIONS] = {0};
	char *text;
	size_t n;
	options_begin(&o, self, argc, argv);
	for (int which; (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) return EXIT_DONE;
		if (which == OPTION_BAD) return EXIT_USAGE;
		if (which == OPT_QUIET) s.quiet = true;
		else if (which == OPT_NO_RESCAN) again_too = false;
		else if (which >= 0) given[which] = argument;
		else if (path) return app_usage(self, "one case or bundle at a time");
		else path = argument;
	}
	if (given[OPT_JOBS] && (!str_u64(str_of(given[OPT_JOBS]), &jobs) || jobs < 1 || jobs > 256)) return app_usage(self, "-j takes a number from 1 to 256");
	if (!path) return app_usage(self, "verify what? Name a case or a bundle");
	if (given[OPT_POLICY]) {
		if (!case_slurp_shown(given[OPT_POLICY], &text, &n)) return EXIT_FAILED;
		fault_path(&f, str_of(given[OPT_POLICY]));
		if (!policy_parse((struct str){text, n}, &policy, &f)) return app_fault(&f), EXIT_USAGE;
		v.policy = &policy; /* views into `text`, which lives as long */
	}
	if (given[OPT_SOURCES]) {
		if (!case_originals_init(&originals, given[OPT_SOURCES], path, given[OPT_KEY])) return EXIT_FAILED;
		v.sources = &originals.sources;
		rescan_init(&rescan, &originals, (unsigned)jobs);
		if (again_too) v.rescan = &rescan.hooks;
	}
	v.authorities = given[OPT_AUTHORITIES];
	size_t n_formats;
	const struct reader_ops *const *formats = formats_all(&n_formats);
	struct rederive *again = rederive_new(formats, n_formats, &f);
	if (!again) return app_fault(&f), EXIT_FAILED;
	v.rederiver = rederive_hooks(again);
	int status = check(path, &v);
	rederive_free(again);
	policy_done(&policy);
	if (given[OPT_POLICY]) free(text);
	return status;
}

const struct command command_verify = {
	.name = "verify",
	.synopsis = "CASE|BUNDLE [--sources DIR] [--policy FILE]",
	.summary = "check a case or a bundle: every row, proof, signature and finding",
	.group = "Prove",
	.options = rows,
	.run = run,
	.help = "Believes nothing: each row against the tree, each cited record against its source's root, each finding against its evidence, each\n"
		"signature against its key. With the original logs also their hashes, with the salt key their record trees, and a scan of them with the\n"
		"rules and settings in the case must give the same findings and totals. Changes nothing.\n"
		"tools/verify.py is a second, independent implementation.\n\n"
		"examples:\n"
		"  exhibit verify incident.case\n"
		"  exhibit verify incident.case --sources /mnt/copy --policy who-must-sign.policy\n"
		"  exhibit verify finding.bundle\n\n"
		"exit status: 0 holds; 1 failed; 2 usage; 3 holds in part (originals missing, totals unproven); 4 could not be checked\n"
		"(no case, incomplete, unreadable)",
};
