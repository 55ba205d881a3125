/* systemd journals: the hashes, damage, what cannot hide an entry. Whole files against journalctl and the generator: tests/samples/journal.py. */
#include "read_check.h"
#include "read/journal_internal.h"

struct file { char *p; size_t n; };

static struct file sample(const char *name)
{
	char path[4096];
	const char *root = getenv("EXHIBIT_SOURCE_ROOT");
	struct file f = {NULL, 0};
	snprintf(path, sizeof path, "%s/tests/fuzz/corpus/read_journal/%s", root ? root : ".", name);
	FILE *in = fopen(path, "rb");
	NEED(in);
	f.p = malloc(1 << 20);
	f.n = fread(f.p, 1, 1 << 20, in);
	fclose(in);
	return f;
}

/* Offset of the nth object of that type. */
static size_t object(const struct file *f, int type, int nth)
{
	size_t at = le64_at(f->p + 88);
	while (at + 16 <= f->n) {
		if (f->p[at] == type && nth-- == 0) return at;
		at += (le64_at(f->p + at + 8) + 7) & ~(size_t)7;
	}
	return 0;
}

TEST(hashes_have_their_known_values)
{
	struct journal_header h = {.keyed = true};
	for (int i = 0; i < 16; i++) h.file_id[i] = (uint8_t)i;
	uint8_t in[15];
	for (int i = 0; i < 15; i++) in[i] = (uint8_t)i;
	CHECK(journal_hash(&h, in, 15) == 0xa129ca6149be45e5u); /* the SipHash paper's example */
	CHECK(journal_lookup3("", 0) == 0xdeadbeefdeadbeefu);   /* lookup3.c's driver5 */
	CHECK(journal_lookup3("Four score and seven years ago", 30) == 0x17770551ce7226e6u);
}

TEST(entries_are_events_with_the_names_that_syslog_has)
{
	struct file f = sample("keyed.journal");
	struct read_run run = {.all = true};
	CHECK_STR(read_sniffed(f.p, f.n, "x"), "journal");
	NEED(read_run_bytes(&run, "journal", NULL, f.p, f.n, "x"));
	CHECK(run.n == 4 && run.report.damaged == 0 && run.report.notes.n == 0 && run.report.header == 264);
	CHECK(read_has(&run, "_HOSTNAME=\"shell01\"") && read_has(&run, "host=\"shell01\"") && read_has(&run, "program=\"sshd\"") && read_has(&run, "message=\""));
	CHECK(read_has(&run, "__SEQNUM=4"));
	read_run_done(&run);
	free(f.p);
}

TEST(no_table_and_no_array_can_hide_an_entry)
{
	struct file f = sample("keyed.journal");
	struct read_run run = {0};
	size_t array = object(&f, J_ENTRY_ARRAY, 0), table = object(&f, J_DATA_HASH_TABLE, 0);
	memset(f.p + array + 16, 0xff, 16);
	memset(f.p + table + 16, 0, 512);
	memset(f.p + 104, 0, 104); /* the header's offsets of them, and its counts */
	NEED(read_run_bytes(&run, "journal", NULL, f.p, f.n, "x"));
	CHECK(run.n == 4 && run.report.damaged == 0);
	CHECK(run.report.notes.n == 1 && str_eq(run.report.notes.v[0].text, STR("the header counts 0 entries, 4 were found")));
	read_run_done(&run);
	free(f.p);
}

TEST(a_changed_value_is_told_by_its_hash)
{
	struct file f = sample("keyed.journal");
	struct read_run run = {0};
	size_t entry = object(&f, J_ENTRY, 1), data = le64_at(f.p + entry + 64 + 16 * 3);
	f.p[data + le64_at(f.p + data + 8) - 1] ^= 1;
	NEED(read_run_bytes(&run, "journal", NULL, f.p, f.n, "x"));
	CHECK(run.n == 4 && run.report.damaged == 0 && run.report.notes.n == 2);
	CHECK(run.report.notes.n == 2 && run.report.notes.v[0].offset == data);
	read_run_done(&run);
	free(f.p);
}

TEST(reading_goes_on_behind_a_broken_object)
{
	for (int type = J_DATA; type <= J_ENTRY_ARRAY; type++) {
		struct file f = sample("keyed.journal");
		struct read_run run = {0};
		size_t at = object(&f, type, type == J_ENTRY ? 1 : 0), n = (le64_at(f.p + at + 8) + 7) & ~(size_t)7;
		memset(f.p + at, 0xee, 16);
		NEED(read_run_bytes(&run, "journal", NULL, f.p, f.n, "x"));
		CHECK(run.n == (type == J_ENTRY ? 3u : 4u));
		CHECK(run.report.damage.n == 1 && run.report.damage.v[0].offset == at && run.report.damage.v[0].length == n);
		CHECK(type == J_ENTRY_ARRAY || type == J_DATA_HASH_TABLE || type == J_FIELD_HASH_TABLE || run.report.n_recovered == 1);
		read_run_done(&run);
		free(f.p);
	}
}

TEST(a_size_that_lies_does_not_swallow_what_follows)
{
	struct file f = sample("keyed.journal");
	struct read_run run = {0};
	size_t at = object(&f, J_FIELD, 0);
	f.p[at + 9] = 4; /* 1 KiB more */
	NEED(read_run_bytes(&run, "journal", NULL, f.p, f.n, "x"));
	CHECK(run.n == 4 && run.report.damage.n == 1 && run.report.damage.v[0].offset == at && run.report.damage.v[0].length < 100);
	read_run_done(&run);
	free(f.p);
}

TEST(a_cut_file_gives_what_is_whole)
{
	struct file f = sample("keyed.journal");
	size_t third = object(&f, J_ENTRY, 2);
	for (size_t n = third; n < third + 300; n += 7) {
		struct read_run run = {0};
		NEED(read_run_bytes(&run, "journal", NULL, f.p, n, "x"));
		CHECK(run.n == (n >= third + le64_at(f.p + third + 8) ? 3u : 2u));
		read_run_done(&run);
	}
	free(f.p);
}

TEST(without_a_header_objects_are_still_found)
{
	struct file f = sample("keyed.journal");
	struct read_run run = {0};
	memset(f.p, 0xcc, 24); /* not what says how objects are laid out */
	memset(f.p + 8, 0, 8);
	f.p[12] = 4;
	NEED(read_run_bytes(&run, "journal", NULL, f.p, f.n, "x"));
	CHECK(run.n == 4 && run.report.damaged == 264);
	read_run_done(&run);
	free(f.p);
}


TEST_MAIN
