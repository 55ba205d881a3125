/* Case files: written, read, added to, refused. What killed writers and full disks leave: casefile_fault.c. */
#include "tests/case_folder.h"
#include "tests/case_maker.h"
#include <fcntl.h>
#include <sys/stat.h>

static int64_t count(const char *file, const char *sql)
{
	struct case_file c;
	struct fault f = FAULT_INIT;
	int64_t n = -1;
	need_ok(case_open(file, "/tmp", &c, &f), &f);
	NEED(case_db_int(c.db, sql, &n, &f));
	case_done(&c);
	return n;
}

TEST(a_case_is_one_file_and_repeats_exactly)
{
	folder_make();
	struct fault f = FAULT_INIT;
	need_ok(maker_case(path, 3, 40, &f), &f);
	char name[160];
	snprintf(name, sizeof name, "%s-wal", path);
	CHECK(access(name, F_OK) != 0);
	struct buf a = maker_dump(path, &f);
	CHECK(a.n > 10000);
	unlink(path);
	need_ok(maker_case(path, 3, 40, &f), &f);
	struct buf b = maker_dump(path, &f);
	CHECK(str_eq(buf_view(&a), buf_view(&b)));
	CHECK(count(path, "SELECT count(*) FROM finding") == 3 * 14 + 3);
	CHECK(count(path, "SELECT count(*) FROM record") == 3 * 14);
	CHECK(count(path, "SELECT count(*) FROM finding WHERE evidence_n < 1") == 0);
	CHECK(count(path, "SELECT journal_mode = 'delete' FROM pragma_journal_mode") == 1);
	buf_done(&a), buf_done(&b);
	folder_remove();
}

TEST(an_existing_file_is_refused)
{
	folder_make();
	struct fault f = FAULT_INIT;
	need_ok(maker_case(path, 1, 4, &f), &f);
	CHECK(!maker_case(path, 1, 4, &f) && f.kind == FAULT_USAGE);
	folder_remove();
}

TEST(the_schema_refuses_findings_without_evidence_changes_and_deletions)
{
	folder_make();
	struct fault f = FAULT_INIT;
	need_ok(maker_case(path, 1, 4, &f), &f);
	struct case_step_info info = maker_step("seal");
	struct case_writer *w = case_open_for_step(path, &info, &f);
	need_ok(w != NULL, &f);
	static const char *const refused[] = {
		"INSERT INTO finding SELECT id + 100, step, run, kind, level, time, rule, title, host, channel, event_id, record_id, matched, fields, groups, count, "
			"first, last, extra, evidence_total, evidence_root, 1000, 1 FROM finding WHERE id = 1",
		"INSERT INTO finding SELECT id + 100, step, run, kind, level, time, rule, title, host, channel, event_id, record_id, matched, fields, groups, count, "
			"first, last, extra, evidence_total, evidence_root, evidence_from, evidence_n FROM finding WHERE id = 1",
		"INSERT INTO finding SELECT id + 100, step, run, kind, level, time, rule, title, host, channel, event_id, record_id, matched, fields, groups, count, "
			"first, last, extra, evidence_total, evidence_root, 1, 0 FROM finding WHERE id = 1",
		"UPDATE step SET operator = 'mallory'", "DELETE FROM step", "DELETE FROM evidence WHERE finding = 1", "UPDATE finding SET level = 'low'",
		"UPDATE record SET bytes = x'00', length = 1"};
	for (size_t i = 0; i < COUNT(refused); i++) CHECK(!case_db_run(case_writer_db(w), refused[i], &f));
	case_abort(w);
	/* And the writer's own door. */
	struct maker m = {.fault = FAULT_INIT};
	struct case_fetch fetch = {maker_fetch, &m};
	bool fresh, restarted;
	info = maker_step("add");
	m.w = case_open_for_add(path, &maker_key, &info, &fetch, &restarted, &m.fault);
	need_ok(m.w != NULL && maker_run(&m, "{}", &fresh), &m.fault);
	CHECK(!maker_correlation(&m, NULL, 0) && m.fault.kind == FAULT_STATE);
	case_abort(m.w);
	folder_remove();
}

TEST(evidence_that_is_not_in_the_source_is_refused)
{
	folder_make();
	struct maker m = {.fault = FAULT_INIT};
	struct case_fetch fetch = {maker_fetch, &m};
	struct case_step_info info = maker_step("scan");
	bool fresh, known;
	m.w = case_create(path, &maker_key, &info, &fetch, &m.fault);
	need_ok(m.w && maker_run(&m, "{}", &fresh) && maker_source(&m, 1, 10, &known), &m.fault);
	struct evidence_ref e = maker_ref(&m, 0, 1);
	e.sha256[3] ^= 1;
	CHECK(!maker_correlation(&m, &e, 1) && m.fault.kind == FAULT_VERIFY);
	e = maker_ref(&m, 0, 2);
	e.length += 100000;
	CHECK(!maker_correlation(&m, &e, 1) && m.fault.kind == FAULT_NOT_FOUND);
	e = maker_ref(&m, 0, 2);
	e.source = 5;
	CHECK(!maker_correlation(&m, &e, 1) && m.fault.kind == FAULT_STATE);
	/* Bytes that changed between the scan and the fetch. */
	e = maker_ref(&m, 0, 5);
	m.texts[0].p[e.offset] ^= 1;
	CHECK(!maker_correlation(&m, &e, 1) && m.fault.kind == FAULT_VERIFY);
	case_abort(m.w);
	maker_done(&m);
	folder_remove();
}

TEST(ranges_inside_and_across_lines_are_kept_by_whole_lines)
{
	folder_make();
	struct maker m = {.fault = FAULT_INIT};
	struct case_fetch fetch = {maker_fetch, &m};
	struct case_step_info info = maker_step("scan");
	bool fresh, known;
	m.w = case_create(path, &maker_key, &info, &fetch, &m.fault);
	need_ok(m.w && maker_run(&m, "{}", &fresh) && maker_source(&m, 1, 10, &known), &m.fault);
	struct evidence_ref e = maker_ref(&m, 0, 1), next = maker_ref(&m, 0, 2);
	e.offset += 5;
	e.length = next.offset + 3 - e.offset;
	sha256_of(m.texts[0].p + e.offset, e.length, e.sha256);
	need_ok(maker_correlation(&m, &e, 1), &m.fault);
	need_ok(case_close(m.w, &m.fault), &m.fault);
	CHECK(count(path, "SELECT leaves FROM evidence") == 2);
	CHECK(count(path, "SELECT count(*) FROM record") == 2);
	maker_done(&m);
	folder_remove();
}

static void add(uint32_t first_seed, uint32_t sources, uint32_t lines, const struct salt_key *key, const char *settings)
{
	struct maker m = {.fault = FAULT_INIT};
	struct case_fetch fetch = {maker_fetch, &m};
	struct case_step_info info = maker_step("add");
	bool fresh, restarted;
	m.w = case_open_for_add(path, key, &info, &fetch, &restarted, &m.fault);
	need_ok(m.w != NULL, &m.fault);
	CHECK(!restarted);
	need_ok(maker_run(&m, settings, &fresh), &m.fault);
	CHECK(fresh == (settings[1] != '}'));
	need_ok(maker_fill(&m, first_seed, sources, lines), &m.fault);
	need_ok(case_close(m.w, &m.fault), &m.fault);
	maker_done(&m);
}

TEST(sources_are_added_and_the_tree_only_grows)
{
	folder_make();
	struct fault f = FAULT_INIT;
	need_ok(maker_case(path, 2, 10, &f), &f);
	struct buf before = maker_dump(path, &f);
	add(10, 2, 10, &maker_key, "{}");
	struct buf after = maker_dump(path, &f);
	CHECK(str_starts(buf_view(&after), buf_view(&before)) && after.n > before.n);
	CHECK(count(path, "SELECT count(*) FROM run") == 1);
	add(20, 1, 10, &maker_key, "{\"x\":1}");
	CHECK(count(path, "SELECT count(*) FROM run") == 2);
	CHECK(count(path, "SELECT count(*) FROM rule_text") == 2);
	CHECK(count(path, "SELECT count(*) FROM step") == 3);
	CHECK(count(path, "SELECT leaves FROM step WHERE id = 2") > 0);
	struct salt_key wrong = {{1}};
	struct case_step_info info = maker_step("add");
	bool restarted;
	CHECK(!case_open_for_add(path, &wrong, &info, &(struct case_fetch){0}, &restarted, &f) && f.kind == FAULT_VERIFY);
	buf_done(&before), buf_done(&after);
	folder_remove();
}

TEST(known_sources_kept_hits_and_superseded_correlations)
{
	folder_make();
	struct fault f = FAULT_INIT;
	need_ok(maker_case(path, 2, 10, &f), &f);
	struct maker m = {.fault = FAULT_INIT};
	struct case_fetch fetch = {maker_fetch, &m};
	struct case_step_info info = maker_step("add");
	bool fresh, restarted, known;
	m.w = case_open_for_add(path, &maker_key, &info, &fetch, &restarted, &m.fault);
	need_ok(m.w && maker_run(&m, "{}", &fresh), &m.fault);
	need_ok(maker_source(&m, 1, 10, &known), &m.fault);
	CHECK(known);
	need_ok(maker_source(&m, 3, 10, &known), &m.fault);
	CHECK(!known);
	/* Old hits come back with what is needed to cite them again. */
	struct case_hits *hits = case_old_hits(m.w, &m.fault);
	NEED(hits);
	struct case_hit h;
	struct evidence_ref refs[2][4];
	uint32_t n = 0, of[2] = {0};
	struct etime last = {0};
	while (case_old_hits_next(hits, &h, &m.fault)) {
		CHECK(h.rule == 0 && h.n_values == 1 && str_eq(h.values[0], STR("host")) && h.n_evidence == 1);
		CHECK(etime_cmp(last, h.time) <= 0);
		last = h.time;
		uint32_t source = h.evidence[0].source - CASE_OLD_SOURCE - 1;
		NEED(source < 2 && of[source] < 4);
		refs[source][of[source]++] = h.evidence[0];
		n++;
	}
	CHECK(m.fault.kind == FAULT_NONE && n == 8);
	case_hits_free(hits);
	CHECK(refs[0][0].source == CASE_OLD_SOURCE + 1 && refs[0][0].offset == 0 && refs[0][0].line == 1);
	/* The correlation of source 1 comes out as before; that of source 2 has grown by a record of the new source. */
	struct evidence_ref same[2] = {refs[0][0], refs[0][1]};
	need_ok(maker_correlation(&m, same, 2), &m.fault);
	struct evidence_ref grown[3] = {refs[1][0], refs[1][1], maker_ref(&m, 1, 0)};
	need_ok(maker_hit(&m, 1, 0) && maker_correlation(&m, grown, 3), &m.fault);
	need_ok(case_supersede_rest(m.w, &m.fault), &m.fault);
	need_ok(case_close(m.w, &m.fault), &m.fault);
	CHECK(count(path, "SELECT count(*) FROM finding WHERE kind = 'correlation'") == 3);
	CHECK(count(path, "SELECT count(*) FROM superseded") == 1);
	CHECK(count(path, "SELECT same_as FROM source WHERE id = 3") == 1);
	struct buf d = maker_dump(path, &f);
	buf_done(&d);
	maker_done(&m);
	folder_remove();
}

TEST(a_log_left_behind_is_read_from_a_private_copy)
{
	folder_make();
	struct fault f = FAULT_INIT;
	need_ok(maker_case(path, 1, 10, &f), &f);
	struct buf want = maker_dump(path, &f);
	char wal[160];
	snprintf(wal, sizeof wal, "%s-wal", path);
	FILE *junk = fopen(wal, "w");
	fputs("left behind by somebody", junk);
	fclose(junk);
	struct case_file c;
	need_ok(case_open(path, dir, &c, &f), &f);
	CHECK(c.recovered);
	case_done(&c);
	struct buf got = maker_dump(path, &f);
	CHECK(str_eq(buf_view(&got), buf_view(&want)));
	CHECK(access(wal, F_OK) == 0);
	buf_done(&want), buf_done(&got);
	folder_remove();
}

TEST(what_is_no_case)
{
	folder_make();
	struct fault f = FAULT_INIT;
	struct case_file c;
	FILE *o = fopen(path, "w");
	for (int i = 0; i < 8192; i++) fputc('x', o);
	fclose(o);
	CHECK(!case_open(path, "/tmp", &c, &f) && f.kind == FAULT_CORRUPT && f.offset == 0);
	unlink(path);
	CHECK(!case_open(path, "/tmp", &c, &f) && f.kind == FAULT_IO);
	need_ok(maker_case(path, 1, 4, &f), &f);
	CHECK(truncate(path, 8192 * 3 + 100) == 0);
	CHECK(!case_open(path, "/tmp", &c, &f) && f.kind == FAULT_CORRUPT);
	folder_remove();
}

TEST_MAIN
