/* read.c: the table of formats, and which of them a source is. See read.h. */
#include "read/read.h"
#include "read/read_internal.h"

/* A new format: its line here. */
static const struct reader_ops *const formats[] = {
	&read_json_ops,
	&read_exchange_ops,
	&read_w3c_ops,
	&read_ncsa_ops,
	&read_web_error_ops,
	&read_winxml_ops,
	&read_wintext_ops,
	&read_auditd_ops,
	&read_syslog_ops,
	&read_csv_ops,
	&read_journal_ops,
	&read_journal_export_ops,
	&read_utmp_ops,
	&read_lastlog_ops,
	&read_service_log_ops,
};

const struct reader_ops *const *read_formats(size_t *ret_n)
{
	*ret_n = COUNT(formats);
	return formats;
}

/* What is no log: beginnings that files of other kinds have. */
static const struct { const char *bytes; uint8_t n, at; bool container; const char *what; } others[] = {
	{"PK\3\4", 4, 0, true, "zip archive"}, {"PK\5\6", 4, 0, true, "empty zip archive"}, {"7z\xbc\xaf\x27\x1c", 6, 0, true, "7z archive"},
	{"\x1f\x8b", 2, 0, true, "gzip"}, {"BZh", 3, 0, true, "bzip2"}, {"\xfd" "7zXZ\0", 6, 0, true, "xz"},
	{"\x28\xb5\x2f\xfd", 4, 0, true, "zstd"},
	{"ustar", 5, 0xff, true, "tar archive"}, /* at 257 */
	{"Rar!\x1a\x07", 6, 0, false, "rar archive (not read)"}, {"MSCF", 4, 0, false, "cabinet archive (not read)"},
	{"\x7f" "ELF", 4, 0, false, "ELF program"}, {"MZ", 2, 0, false, "Windows program"}, {"\x89PNG\r\n", 6, 0, false, "PNG picture"},
	{"\xff\xd8\xff", 3, 0, false, "JPEG picture"}, {"GIF8", 4, 0, false, "GIF picture"}, {"%PDF-", 5, 0, false, "PDF document"},
	{"SQLite format 3", 15, 0, false, "SQLite database"}, {"regf", 4, 0, false, "Windows registry hive"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8, 0, false, "OLE document"},
	{"PMDL", 4, 0, false, "memory dump"}, {"PAGEDU", 6, 0, false, "Windows memory dump"}, {"\xd4\xc3\xb2\xa1", 4, 0, false, "packet capture"},
	{"\x0a\x0d\x0d\x0a", 4, 0, false, "packet capture (pcapng)"}, {"SCCA", 4, 4, false, "Windows prefetch file"},
	{"#!", 2, 0, false, "script"},
};

static void offer(struct read_guess *g, const struct reader_ops *ops, int score)
{
	if (score <= 0) return;
	if (score > g->score) {
		g->next = g->ops;
		g->next_score = g->score;
		g->ops = ops;
		g->score = score;
	} else if (score > g->next_score) {
		g->next = ops;
		g->next_score = score;
	}
}

static void try_table(struct read_guess *g, const struct reader_ops *ops, struct str head, uint64_t size, struct str path, struct str as)
{
	if (!as.n) offer(g, ops, ops->sniff(head, size, path));
	else if (str_eq(as, str_of(ops->format))) offer(g, ops, 100);
}

struct read_guess read_identify(struct str head, uint64_t size, struct str path, struct str as,
	const struct reader_ops *const *const *tables)
{
	struct read_guess g = {.what = "no known log format"};
	for (size_t i = 0; tables && tables[i]; i++)
		for (size_t k = 0; tables[i][k]; k++) try_table(&g, tables[i][k], head, size, path, as);
	for (size_t i = 0; i < COUNT(formats); i++) try_table(&g, formats[i], head, size, path, as);
	if (g.ops) {
		g.what = g.ops->what;
		return g;
	}
	if (!size) g.what = "empty";
	for (size_t i = 0; i < COUNT(others) && size; i++) {
		size_t at = others[i].at == 0xff ? 257 : others[i].at;
		if (!str_eq(str_sub(head, at, others[i].n), (struct str){others[i].bytes, others[i].n})) continue;
		g.what = others[i].what;
		g.container = others[i].container;
		break;
	}
	return g;
}
