/* cmd_custody.c: `exhibit custody`: who did what with a case, as a list or as CASE/UCO. */
#include "app/case_tools.h"
#include "text/escape.h"

enum { OPT_OUTPUT };
static const struct option_row rows[] = {
	[OPT_OUTPUT] = {'o', "output", "FILE.jsonld", "write the chain of custody as CASE/UCO JSON-LD"},
	{0},
};

static bool print_steps(struct case_file *c)
{
	struct fault f = FAULT_INIT;
	struct buf b = {0};
	sqlite3_stmt *s = case_db_prepare(c->db, "SELECT id, time, action, operator, host, tool, command, note, leaves FROM step ORDER BY id", &f);
	if (!s) return app_fault(&f), false;
	while (sqlite3_step(s) == SQLITE_ROW) {
		buf_printf(&b, "%lld  ", (long long)sqlite3_column_int64(s, 0));
		for (int i = 1; i < 5; i++) {
			term_str(&b, case_column_str(s, i));
			buf_put(&b, i == 3 ? "@" : "  ", i == 3 ? 1 : 2);
		}
		term_str(&b, case_column_str(s, 5));
		buf_lit(&b, "\n   ");
		term_str(&b, case_column_str(s, 6));
		if (case_column_str(s, 7).n) {
			buf_lit(&b, "\n   ");
			term_str(&b, case_column_str(s, 7));
		}
		buf_printf(&b, "\n   on %lld rows\n", (long long)sqlite3_column_int64(s, 8));
	}
	sqlite3_finalize(s);
	fwrite(b.p, 1, b.n, stdout);
	buf_done(&b);
	return true;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o;
	struct fault f = FAULT_INIT;
	struct case_file c;
	struct buf out = {0};
	const char *argument, *path = NULL, *output = NULL;
	options_begin(&o, self, argc, argv);
	for (int which; (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) return EXIT_DONE;
		if (which == OPTION_BAD) return EXIT_USAGE;
		if (which == OPT_OUTPUT) output = argument;
		else if (path) return app_usage(self, "one case at a time");
		else path = argument;
	}
	if (!path) return app_usage(self, "which case?");
	if (!case_open_shown(path, &c)) return EXIT_FAILED;
	bool ok = output ? case_custody_jsonld(&c, &out, &f) : print_steps(&c);
	if (output && !ok) app_fault(&f);
	if (output && ok) ok = case_write_shown(output, buf_view(&out), true);
	case_done(&c);
	buf_done(&out);
	return ok ? EXIT_DONE : EXIT_FAILED;
}

const struct command command_custody = {
	.name = "custody",
	.synopsis = "CASE [-o FILE.jsonld]",
	.summary = "who did what with a case, and when",
	.group = "Prove",
	.options = rows,
	.run = run,
	.help = "Every command that wrote to the case is a row of it, in the same tree as the findings: none can be taken out or changed without\n"
		"its root changing. Commands that only read leave no trace.\n\n"
		"examples:\n"
		"  exhibit custody incident.case\n"
		"  exhibit custody incident.case -o custody.jsonld",
};
