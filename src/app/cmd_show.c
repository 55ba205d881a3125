/* cmd_show.c: `exhibit show`: what is in a case: its findings, one of them with its records, all rows as they are hashed. */
#include "app/case_tools.h"
#include "text/escape.h"

enum { OPT_DUMP, OPT_FINDING, OPT_FROM, OPT_COUNT };
static const struct option_row rows[] = {
	[OPT_DUMP] = {0, "dump", NULL, "every row as canonical JSON, in the order of the case's tree: its leaves"},
	[OPT_FINDING] = {'f', "finding", "N", "one finding with its rule, evidence and records"},
	[OPT_FROM] = {0, "from", "N", "list from this finding on (default: 1)"},
	[OPT_COUNT] = {'n', "count", "N", "how many (default: 50)"},
	{0},
};

static bool dump(struct case_file *c)
{
	struct fault f = FAULT_INIT;
	struct case_row row;
	struct case_rows *r = case_rows_new(c->db, 1, &f);
	while (r && case_rows_next(r, &row, &f)) {
		fwrite(row.text.p, 1, row.text.n, stdout);
		fputc('\n', stdout);
	}
	case_rows_free(r);
	if (f.kind) app_fault(&f);
	return !f.kind;
}

static void cell(struct buf *b, struct str s, size_t width)
{
	size_t used = term_str_cut(b, s, width);
	for (; used <= width; used++) buf_byte(b, ' ');
}

/* What the runs, where there are several, have not looked at. */
static void unseen(struct case_file *c, struct buf *b)
{
	struct buf paths = {0};
	sqlite3_stmt *s = case_db_prepare(c->db, "SELECT id FROM run WHERE (SELECT count(*) FROM run) > 1 ORDER BY id", NULL);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		paths.n = 0;
		if (!case_unseen_words(c->db, sqlite3_column_int64(s, 0), &paths, NULL) || !paths.n) continue;
		buf_printf(b, "run %lld never saw ", (long long)sqlite3_column_int64(s, 0));
		term_str(b, buf_view(&paths));
		buf_byte(b, '\n');
	}
	sqlite3_finalize(s);
	buf_done(&paths);
}

static bool list(struct case_file *c, int64_t from, int64_t count)
{
	struct fault f = FAULT_INIT;
	struct buf b = {0};
	int64_t all = 0;
	sqlite3_stmt *s = case_db_prepare(c->db, "SELECT f.id, f.time, f.level, coalesce(r.title, f.title), f.host, f.evidence_total, "
		"EXISTS (SELECT 1 FROM superseded x WHERE x.finding = f.id) FROM finding f LEFT JOIN rule r ON r.id = f.rule WHERE f.id >= ?1 ORDER BY f.id LIMIT ?2", &f);
	if (!s || !case_db_int(c->db, "SELECT coalesce(max(id), 0) FROM finding", &all, &f)) return app_fault(&f), false;
	sqlite3_bind_int64(s, 1, from);
	sqlite3_bind_int64(s, 2, count);
	int64_t shown = 0;
	for (; sqlite3_step(s) == SQLITE_ROW; shown++) {
		buf_printf(&b, "%6lld  ", (long long)sqlite3_column_int64(s, 0));
		cell(&b, case_column_str(s, 1), 20);
		cell(&b, case_column_str(s, 2), 13);
		cell(&b, case_column_str(s, 4), 16);
		term_str(&b, case_column_str(s, 3));
		if (sqlite3_column_int64(s, 5) > 1) buf_printf(&b, " (%lld records)", (long long)sqlite3_column_int64(s, 5));
		if (sqlite3_column_int(s, 6)) buf_lit(&b, " (superseded)");
		buf_byte(&b, '\n');
	}
	sqlite3_finalize(s);
	buf_printf(&b, "%lld of %lld findings\n", (long long)shown, (long long)all);
	unseen(c, &b);
	fwrite(b.p, 1, b.n, stdout);
	buf_done(&b);
	return true;
}

static void one_evidence(struct case_file *c, sqlite3_stmt *e, struct buf *b)
{
	sqlite3_stmt *r = case_db_prepare(c->db, "SELECT bytes FROM record WHERE source = ?1 AND leaf >= ?2 AND leaf < ?2 + ?3 ORDER BY leaf", NULL);
	if (!r) return;
	term_str(b, case_column_str(e, 0));
	buf_printf(b, "  offset %lld length %lld  %s\n    sha256 ", (long long)sqlite3_column_int64(e, 1), (long long)sqlite3_column_int64(e, 2),
		(const char *)sqlite3_column_text(e, 3));
	buf_hex(b, case_column_str(e, 4).p, case_column_str(e, 4).n);
	buf_byte(b, '\n');
	sqlite3_bind_int64(r, 1, sqlite3_column_int64(e, 5));
	sqlite3_bind_int64(r, 2, sqlite3_column_int64(e, 6));
	sqlite3_bind_int64(r, 3, sqlite3_column_int64(e, 7));
	for (int n = 0; sqlite3_step(r) == SQLITE_ROW && n < 20; n++) {
		buf_lit(b, "    ");
		term_str_cut(b, case_column_str(r, 0), 400);
		buf_byte(b, '\n');
	}
	sqlite3_finalize(r);
}

static bool one(struct case_file *c, int64_t id)
{
	static const char *const names[] = {"kind", "level", "time", "rule", "rule id", "rule file", "host", "channel", "matched", "fields", "group", "first", "last", "extra", "replaced"};
	struct fault f = FAULT_INIT;
	struct buf b = {0};
	sqlite3_stmt *s = case_db_prepare(c->db, "SELECT f.kind, f.level, f.time, coalesce(r.title, f.title), r.rule_id, r.file, f.host, f.channel, f.matched, f.fields, f.groups, "
		"f.first, f.last, f.extra, (SELECT 'in step ' || x.step FROM superseded x WHERE x.finding = f.id), f.evidence_from, f.evidence_n FROM finding f LEFT JOIN rule r ON r.id = f.rule WHERE f.id = ?", &f);
	sqlite3_stmt *e = case_db_prepare(c->db, "SELECT s.path, e.offset, e.length, e.role, e.sha256, e.source, e.leaf, e.leaves FROM evidence e JOIN source s ON s.id = e.source "
		"WHERE e.id >= ?1 AND e.id < ?1 + ?2 ORDER BY e.id", &f);
	if (!s || !e) return app_fault(&f), false;
	sqlite3_bind_int64(s, 1, id);
	bool found = sqlite3_step(s) == SQLITE_ROW;
	for (int i = 0; found && i < (int)COUNT(names); i++) {
		struct str v = case_column_str(s, i);
		if (!v.n || str_eq(v, STR("[]"))) continue;
		buf_printf(&b, "%-10s", names[i]);
		term_str(&b, v);
		buf_byte(&b, '\n');
	}
	if (found) {
		sqlite3_bind_int64(e, 1, sqlite3_column_int64(s, 15));
		sqlite3_bind_int64(e, 2, sqlite3_column_int64(s, 16));
		buf_lit(&b, "evidence\n");
		while (sqlite3_step(e) == SQLITE_ROW) one_evidence(c, e, &b);
	} else {
		app_error("the case has no finding %lld", (long long)id);
	}
	sqlite3_finalize(s);
	sqlite3_finalize(e);
	fwrite(b.p, 1, b.n, stdout);
	buf_done(&b);
	return found;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o;
	struct case_file c;
	const char *argument, *path = NULL;
	uint64_t numbers[4] = {[OPT_FROM] = 1, [OPT_COUNT] = 50};
	bool all = false;
	options_begin(&o, self, argc, argv);
	for (int which; (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) return EXIT_DONE;
		if (which == OPTION_BAD) return EXIT_USAGE;
		if (which == OPT_DUMP) all = true;
		else if (which >= 0 && (!str_u64(str_of(argument), &numbers[which]) || !numbers[which] || numbers[which] > INT64_MAX)) return app_usage(self, "'%s' is no number", argument);
		else if (which == OPTION_POSITIONAL && path) return app_usage(self, "one case at a time");
		else if (which == OPTION_POSITIONAL) path = argument;
	}
	if (!path) return app_usage(self, "which case?");
	if (!case_open_shown(path, &c)) return EXIT_FAILED;
	bool ok = all ? dump(&c) : numbers[OPT_FINDING] ? one(&c, (int64_t)numbers[OPT_FINDING]) : list(&c, (int64_t)numbers[OPT_FROM], (int64_t)numbers[OPT_COUNT]);
	case_done(&c);
	return ok ? EXIT_DONE : EXIT_FAILED;
}

const struct command command_show = {
	.name = "show",
	.synopsis = "CASE [--finding N | --dump]",
	.summary = "what is in a case",
	.group = "Prove",
	.options = rows,
	.run = run,
	.help = "Lists findings by number, or shows one with its records. Does not verify: that is exhibit verify.\n\n"
		"examples:\n"
		"  exhibit show incident.case\n"
		"  exhibit show incident.case --finding 17\n"
		"  exhibit show incident.case --dump | jq 'select(.table == \"source\")'",
};
