/* Archives: members of every kind, nested, damaged, encrypted, beyond the limits. The archives are made here by libarchive's writers. */
#include "check.h"
#include "base/base.h"
#include "read/archive.h"
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>

static la_ssize_t append(struct archive *a, void *arg, const void *bytes, size_t n)
{
	(void)a;
	buf_put(arg, bytes, n);
	return (la_ssize_t)n;
}

struct file { const char *name; const void *bytes; size_t n; };

static struct buf made(const char *format, const char *filter, const char *options, const struct file *files, size_t n)
{
	struct buf out = {0};
	struct archive *a = archive_write_new();
	setlocale(LC_ALL, "C.UTF-8"); /* for names; reading must not need it */
	NEED(archive_write_set_format_by_name(a, format) == ARCHIVE_OK);
	if (filter) NEED(archive_write_add_filter_by_name(a, filter) == ARCHIVE_OK);
	if (options) NEED(archive_write_set_options(a, options) == ARCHIVE_OK && archive_write_set_passphrase(a, "secret") == ARCHIVE_OK);
	archive_write_set_bytes_in_last_block(a, 1);
	NEED(archive_write_open(a, &out, NULL, append, NULL) == ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		struct archive_entry *e = archive_entry_new();
		archive_entry_set_pathname(e, files[i].name);
		archive_entry_set_mtime(e, 1614754760, 0);
		archive_entry_set_perm(e, 0644);
		if (files[i].bytes) {
			archive_entry_set_filetype(e, AE_IFREG);
			archive_entry_set_size(e, (la_int64_t)files[i].n);
		} else {
			archive_entry_set_filetype(e, AE_IFLNK);
			archive_entry_set_symlink(e, "/etc/passwd");
		}
		NEED(archive_write_header(a, e) == ARCHIVE_OK);
		if (files[i].n) NEED(archive_write_data(a, files[i].bytes, files[i].n) == (la_ssize_t)files[i].n);
		archive_entry_free(e);
	}
	archive_write_close(a);
	archive_write_free(a);
	setlocale(LC_ALL, "C");
	return out;
}

/* The walk as lines: "path [index] content" and "path: reason". */
static struct buf walked(const struct buf *container, const char *name, const struct archive_limits *limits)
{
	struct buf out = {0};
	struct input in;
	struct archive_member m;
	struct archive_unread u;
	struct fault f = FAULT_INIT;
	uint8_t sha[SHA256_SIZE];
	input_of_memory(&in, container->p, container->n, str_of(name));
	struct archive_walk *w = archive_walk_new(&in, limits, &f);
	if (!w) {
		buf_printf(&out, "fault %s: %s\n", fault_word(f.kind), f.text);
	} else {
		sha256_of(container->p, container->n, sha);
		CHECK(!memcmp(sha, archive_walk_sha256(w), SHA256_SIZE));
		for (enum archive_got got; (got = archive_walk_next(w, &m, &u)) != ARCHIVE_GOT_END;) {
			if (got == ARCHIVE_GOT_UNREAD) {
				buf_printf(&out, "%.*s: %.*s%s\n", STR_FMT(u.path), STR_FMT(u.reason), u.is_log ? "" : " (no log)");
				continue;
			}
			char text[64] = "";
			int64_t n = input_next(&m.input, text, sizeof text - 1, &f);
			CHECK(n >= 0 && m.input.mtime_sec >= 0);
			buf_printf(&out, "%.*s [%u] %.*s\n", STR_FMT(m.input.path), m.index, (int)n, text);
			CHECK(input_finish(&m.input, sha, &f));
			archive_member_done(&m);
		}
		archive_walk_free(w);
	}
	input_close(&in);
	buf_byte(&out, 0);
	return out;
}

static void expect(const struct buf *container, const char *name, const struct archive_limits *limits, const char *wanted)
{
	static const struct archive_limits none = {0};
	struct buf got = walked(container, name, limits ? limits : &none);
	CHECK_STR(got.p, wanted);
	buf_done(&got);
}

static const struct file two[] = {{"dir/a.log", "first", 5}, {"dir/\xc3\xa9.log", "second", 6}};

TEST(every_kind_gives_its_members)
{
	static const struct { const char *format, *filter, *kind, *name; } kinds[] = {{"zip", NULL, "zip", "x.zip"}, {"7zip", NULL, "7z", "x.7z"},
		{"pax", NULL, "tar", "x.tar"}, {"gnutar", "gzip", "gzip", "x.tgz"}, {"ustar", "bzip2", "bzip2", "x.tar.bz2"}, {"pax", "xz", "xz", "x.txz"},
		{"pax", "zstd", "zstd", "x.tar.zst"}};
	for (size_t i = 0; i < COUNT(kinds); i++) {
		char wanted[200];
		struct buf b = made(kinds[i].format, kinds[i].filter, NULL, two, 2);
		CHECK_STR(archive_kind(buf_view(&b)), kinds[i].kind);
		snprintf(wanted, sizeof wanted, "%s!/dir/a.log [0] first\n%s!/dir/\xc3\xa9.log [1] second\n", kinds[i].name, kinds[i].name);
		expect(&b, kinds[i].name, NULL, wanted);
		buf_done(&b);
	}
}

TEST(a_compressed_file_is_one_member)
{
	static const struct { const char *filter, *name, *wanted; } kinds[] = {{"gzip", "d/u.log.gz", "d/u.log.gz!/u.log [0] text\n"},
		{"xz", "u.LOG.XZ", "u.LOG.XZ!/u.LOG [0] text\n"}, {"zstd", "u.zst", "u.zst!/u [0] text\n"}, {"bzip2", "noname", "noname!/data [0] text\n"}};
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct buf b = made("raw", kinds[i].filter, NULL, &(struct file){"u", "text", 4}, 1);
		expect(&b, kinds[i].name, NULL, kinds[i].wanted);
		buf_done(&b);
	}
}

TEST(archives_within_archives_to_a_depth)
{
	struct buf inner = made("raw", "gzip", NULL, &(struct file){"c", "deep", 4}, 1);
	struct buf zip = made("zip", NULL, NULL, (struct file[]){{"c.log.gz", inner.p, inner.n}, {"d.log", "flat", 4}}, 2);
	struct buf tar = made("pax", "gzip", NULL, (struct file[]){{"a.log", "first", 5}, {"b.zip", zip.p, zip.n}, {"e.log", "last", 4}}, 3);
	expect(&tar, "x.tar.gz", NULL, "x.tar.gz!/a.log [0] first\nx.tar.gz!/b.zip!/c.log.gz!/c.log [3] deep\nx.tar.gz!/b.zip!/d.log [4] flat\nx.tar.gz!/e.log [5] last\n");
	expect(&tar, "x.tar.gz", &(struct archive_limits){.depth = 2}, "x.tar.gz!/a.log [0] first\nx.tar.gz!/b.zip!/c.log.gz: archives within archives deeper than 2\n"
		"x.tar.gz!/b.zip!/d.log [3] flat\nx.tar.gz!/e.log [4] last\n");
	buf_done(&inner);
	buf_done(&zip);
	buf_done(&tar);
}

TEST(members_of_one_name_have_their_own_index)
{
	struct buf b = made("zip", NULL, NULL, (struct file[]){{"a", "1", 1}, {"a", "2", 1}}, 2);
	expect(&b, "x.zip", NULL, "x.zip!/a [0] 1\nx.zip!/a [1] 2\n");
	buf_done(&b);
}

TEST(members_of_one_name_deep_in_an_archive_have_their_own_index)
{
	struct buf zip = made("zip", NULL, NULL, (struct file[]){{"a", "1", 1}, {"a", "2", 1}}, 2);
	struct buf b = made("pax", NULL, NULL, (struct file[]){{"z.zip", zip.p, zip.n}, {"z.zip", zip.p, zip.n}}, 2);
	expect(&b, "x.tar", NULL, "x.tar!/z.zip!/a [1] 1\nx.tar!/z.zip!/a [2] 2\nx.tar!/z.zip!/a [4] 1\nx.tar!/z.zip!/a [5] 2\n");
	buf_done(&zip);
	buf_done(&b);
}

TEST(links_are_named_and_never_followed)
{
	struct buf b = made("pax", NULL, NULL, (struct file[]){{"a", "1", 1}, {"link", NULL, 0}}, 2);
	expect(&b, "x.tar", NULL, "x.tar!/a [0] 1\nx.tar!/link: a link or device, not a file (no log)\n");
	buf_done(&b);
}

TEST(encrypted_members_are_named)
{
	struct buf b = made("zip", NULL, "zip:encryption=zipcrypt", two, 2);
	expect(&b, "x.zip", NULL, "x.zip!/dir/a.log: encrypted\nx.zip!/dir/\xc3\xa9.log: encrypted\n");
	buf_done(&b);
}

TEST(damage_costs_what_it_covers)
{
	char many[100000];
	for (size_t i = 0; i < sizeof many; i++) many[i] = (char)(i * 2654435761u >> 13);
	struct buf b = made("pax", NULL, NULL, (struct file[]){{"a", "1", 1}, {"b", many, sizeof many}, {"c", "3", 1}}, 3), got;
	b.n = 40000;
	got = walked(&b, "x.tar", &(struct archive_limits){0});
	CHECK(strstr(got.p, "x.tar!/a [0] 1\n") && strstr(got.p, "x.tar!/b [1] ") && strstr(got.p, "x.tar!/b: damaged behind byte 3"));
	buf_done(&got);
	buf_done(&b);
	static char more[1 << 20];
	for (size_t i = 0; i < sizeof more; i++) more[i] = many[i % sizeof many] ^ (char)(i >> 16);
	b = made("raw", "gzip", NULL, &(struct file){"c", more, sizeof more}, 1);
	b.n = b.n / 2;
	got = walked(&b, "x.gz", &(struct archive_limits){0});
	CHECK(strstr(got.p, "x.gz!/x [0]") && strstr(got.p, "x.gz!/x: damaged behind byte "));
	buf_done(&got);
	buf_done(&b);
	b = made("zip", NULL, NULL, two, 2);
	for (size_t i = 4; i < b.n; i++) b.p[i] = (char)0xa5;
	got = walked(&b, "x.zip", &(struct archive_limits){0});
	CHECK(strstr(got.p, "x.zip: ") || strstr(got.p, "fault"));
	buf_done(&got);
	buf_done(&b);
}

TEST(a_compressed_file_of_zeros_is_no_empty_tar)
{
	struct buf b = made("raw", "gzip", NULL, &(struct file){"c", (char[2000]){0}, 2000}, 1), got;
	got = walked(&b, "x.gz", &(struct archive_limits){0});
	CHECK(str_starts(str_of(got.p), STR("x.gz!/x [0] ")));
	buf_done(&got);
	buf_done(&b);
}

TEST(bombs_stop_at_the_limits)
{
	static char zeros[1 << 20];
	struct buf b = made("raw", "gzip", NULL, &(struct file){"c", zeros, sizeof zeros}, 1), got;
	got = walked(&b, "x.gz", &(struct archive_limits){.ratio = 10, .free_bytes = 1000});
	CHECK(strstr(got.p, "x.gz!/x: stopped: the archive expands to more than 10 times its size and 1000 bytes"));
	buf_done(&got);
	buf_done(&b);
	b = made("zip", NULL, NULL, (struct file[]){{"a", "1", 1}, {"b", "2", 1}, {"c", "3", 1}}, 3);
	expect(&b, "x.zip", &(struct archive_limits){.entries = 2}, "x.zip!/a [0] 1\nx.zip!/b [1] 2\nx.zip: stopped: more than 2 names in the archive\n");
	buf_done(&b);
}

TEST(large_members_go_to_files_within_a_budget)
{
	struct buf b = made("zip", NULL, NULL, (struct file[]){{"a", "0123456789", 10}, {"b", "x", 1}}, 2);
	expect(&b, "x.zip", &(struct archive_limits){.memory = 4, .temp_dir = "/tmp"}, "x.zip!/a [0] 0123456789\nx.zip!/b [1] x\n");
	expect(&b, "x.zip", &(struct archive_limits){.memory = 4}, "x.zip!/a: larger than what may be kept in memory, and no folder for temporary files\nx.zip!/b [1] x\n");
	expect(&b, "x.zip", &(struct archive_limits){.memory = 4, .spill = 5, .temp_dir = "/tmp"}, "x.zip!/a: stopped: more in temporary files than the limit allows\nx.zip!/b [1] x\n");
	buf_done(&b);
}

TEST(documents_and_other_files_are_no_archives)
{
	struct buf b = made("zip", NULL, NULL, &(struct file){"[Content_Types].xml", "x", 1}, 1);
	CHECK(!archive_kind(buf_view(&b)) && !archive_kind(STR("hello")) && !archive_kind(STR("")));
	buf_done(&b);
	b = (struct buf){0};
	buf_lit(&b, "hello");
	expect(&b, "x", NULL, "fault corrupt: no archive\n");
	buf_done(&b);
}

static bool collect(void *arg, const void *bytes, size_t n)
{
	buf_put(arg, bytes, n);
	return true;
}

TEST(one_member_by_its_name)
{
	char path[] = "/tmp/exhibit-test-XXXXXX";
	int fd = mkstemp(path);
	struct fault f = FAULT_INIT;
	struct archive_limits none = {0};
	struct buf b = made("zip", NULL, NULL, (struct file[]){{"a", "1", 1}, {"a", "2", 1}}, 2), got = {0};
	NEED(fd >= 0 && write(fd, b.p, b.n) == (ssize_t)b.n);
	CHECK(archive_cat(path, STR("evidence.zip!/a"), 1, &none, collect, &got, &f) && got.n == 1 && got.p[0] == '2');
	got.n = 0;
	CHECK(archive_cat(path, STR("evidence.zip!/a"), -1, &none, collect, &got, &f) && got.n == 1 && got.p[0] == '1');
	CHECK(!archive_cat(path, STR("evidence.zip!/b"), -1, &none, collect, &got, &f) && f.kind == FAULT_NOT_FOUND);
	unlink(path);
	close(fd);
	buf_done(&b);
	buf_done(&got);
}
TEST_MAIN
