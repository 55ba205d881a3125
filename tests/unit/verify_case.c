/* Cases checked: what holds holds, and every byte that is changed is found and named. EXHIBIT_ROUNDS: how many changes (default 100). */
#include "tests/case_folder.h"
#include "tests/case_maker.h"
#include "verify/verify.h"
#include "base/file.h"
#include <sys/stat.h>

struct heard { struct buf text; int problems; };
static void hear(void *arg, const struct verify_line *l)
{
	struct heard *h = arg;
	static const char *const kinds[] = {"problem", "finding", "seal", "note"};
	h->problems += l->kind == VERIFY_LINE_PROBLEM;
	if (l->kind == VERIFY_LINE_FINDING && l->answer != VERIFY_FAILED) return;
	buf_printf(&h->text, "%s %s %lld: %.*s\n", kinds[l->kind], l->table ? l->table : "-", (long long)l->id, STR_FMT(l->text));
}

static enum verify_verdict look(const char *file, const struct verify_options *base, struct verify_result *r, struct heard *h, struct fault *f)
{
	struct verify_options o = base ? *base : (struct verify_options){0};
	*f = FAULT_INIT;
	*h = (struct heard){0};
	o.temp_dir = dir;
	o.arg = h;
	o.line = hear;
	bool ok = verify_case(file, &o, r, f);
	buf_byte(&h->text, 0);
	return ok ? verify_verdict(r) : VERIFY_FAILS;
}

static struct key_private key_of(const char *name, enum key_type type, int seed)
{
	struct key_private k;
	uint8_t bytes[32] = {(uint8_t)seed};
	NEED(key_from_seed(str_of(name), type, bytes, &k, NULL));
	return k;
}

static struct str vkey_of(const struct key_private *k, struct buf *b)
{
	key_public_print(&k->public, b);
	return buf_view(b);
}

static void seal(const struct key_private *k)
{
	struct fault f = FAULT_INIT;
	struct buf text = {0}, vkey = {0};
	struct checkpoint c;
	struct case_step_info info = maker_step("seal");
	struct case_writer *w = case_open_for_step(path, &info, &f);
	need_ok(w && case_step_checkpoint(w, str_of(k->public.name), &text, &f), &f);
	size_t n = text.n;
	buf_byte(&text, '\n');
	signed_note_sign((struct str){text.p, n}, k, 0, &text);
	NEED(checkpoint_parse((struct str){text.p, n}, &c, &f));
	need_ok(case_add_seal(w, "checkpoint", 0, c.size, vkey_of(k, &vkey), buf_view(&text), &f), &f);
	need_ok(case_close(w, &f), &f);
	buf_done(&text), buf_done(&vkey);
}

static void cosign(const struct key_private *k, int64_t of)
{
	struct fault f = FAULT_INIT;
	struct buf line = {0}, vkey = {0};
	struct signed_note n;
	struct case_step_info info = maker_step("cosign");
	struct case_writer *w = case_open_for_step(path, &info, &f);
	need_ok(w != NULL, &f);
	sqlite3_stmt *s = case_db_prepare(case_writer_db(w), "SELECT bytes FROM seal WHERE id = ?", &f);
	sqlite3_bind_int64(s, 1, of);
	NEED(sqlite3_step(s) == SQLITE_ROW && signed_note_parse(case_column_str(s, 0), &n, &f));
	signed_note_sign(n.text, k, 1700000001, &line);
	sqlite3_finalize(s);
	need_ok(case_add_seal(w, "cosignature", of, 0, vkey_of(k, &vkey), buf_view(&line), &f) && case_close(w, &f), &f);
	buf_done(&line), buf_done(&vkey);
}

static bool open_text(void *arg, struct str name, int64_t member, struct input *ret, struct fault *f)
{
	struct buf *t = arg;
	(void)member;
	unsigned seed;
	char copy[64];
	snprintf(copy, sizeof copy, "%.*s", STR_FMT(name));
	if (sscanf(copy, "logs/auth%u.log", &seed) != 1 || seed == 3) {
		fault_set(f, FAULT_NOT_FOUND, "not there");
		return false;
	}
	t->n = 0;
	maker_text(t, seed, 40);
	input_of_memory(ret, t->p, t->n, name);
	return true;
}

TEST(a_sound_case_holds)
{
	folder_make();
	struct fault f = FAULT_INIT;
	struct verify_result r;
	struct heard h;
	need_ok(maker_case(path, 3, 40, &f), &f);
	CHECK(look(path, NULL, &r, &h, &f) == VERIFY_HOLDS);
	if (h.problems) printf("# %s", h.text.p);
	CHECK(r.findings == 45 && r.records == 42 && r.answers[VERIFY_NOT_TRIED] == 45 && !r.sealed);
	buf_done(&h.text);
	folder_remove();
}

TEST(seals_and_policies)
{
	folder_make();
	struct fault f = FAULT_INIT;
	struct verify_result r;
	struct heard h;
	struct key_private team = key_of("team.example", KEY_NOTE, 1), a = key_of("a.example", KEY_COSIGNER, 2), b = key_of("b.example", KEY_COSIGNER, 3), c = key_of("c.example", KEY_COSIGNER, 4);
	need_ok(maker_case(path, 2, 10, &f), &f);
	seal(&team);
	CHECK(look(path, NULL, &r, &h, &f) == VERIFY_HOLDS && r.sealed && r.seals == 1);
	buf_done(&h.text);
	struct buf p = {0};
	const struct key_private *parties[] = {&a, &b, &c};
	buf_lit(&p, "log ");
	key_public_print(&team.public, &p);
	for (int i = 0; i < 3; i++) {
		buf_printf(&p, "\nwitness %c ", 'A' + i);
		key_public_print(&parties[i]->public, &p);
	}
	buf_lit(&p, "\ngroup two 2 A B C\nquorum two\n");
	struct policy policy;
	need_ok(policy_parse(buf_view(&p), &policy, &f), &f);
	struct verify_options o = {.policy = &policy};
	CHECK(look(path, &o, &r, &h, &f) == VERIFY_FAILS && !r.policy_met && !r.problems);
	buf_done(&h.text);
	cosign(&a, 1);
	CHECK(look(path, &o, &r, &h, &f) == VERIFY_FAILS && !r.policy_met);
	buf_done(&h.text);
	cosign(&c, 1);
	CHECK(look(path, &o, &r, &h, &f) == VERIFY_HOLDS && r.policy_met);
	CHECK(strstr(h.text.p, "cosigned by a.example") && strstr(h.text.p, "cosigned by c.example"));
	buf_done(&h.text);
	/* What is added afterwards is not covered by their signatures. */
	struct maker m = {.fault = FAULT_INIT};
	struct case_fetch fetch = {maker_fetch, &m};
	struct case_step_info info = maker_step("add");
	bool fresh, restarted;
	m.w = case_open_for_add(path, &maker_key, &info, &fetch, &restarted, &m.fault);
	need_ok(m.w && maker_run(&m, "{}", &fresh) && maker_fill(&m, 30, 1, 10) && case_close(m.w, &m.fault), &m.fault);
	maker_done(&m);
	CHECK(look(path, &o, &r, &h, &f) == VERIFY_FAILS && !r.policy_met && !r.sealed && r.seals == 1 && !r.problems);
	buf_done(&h.text);
	seal(&team);
	cosign(&a, 4);
	cosign(&b, 4);
	CHECK(look(path, &o, &r, &h, &f) == VERIFY_HOLDS && r.policy_met && r.seals == 2);
	buf_done(&h.text);
	policy_done(&policy);
	buf_done(&p);
	folder_remove();
}

TEST(originals_are_held_against_the_case)
{
	folder_make();
	struct fault f = FAULT_INIT;
	struct verify_result r;
	struct heard h;
	struct buf text = {0};
	need_ok(maker_case(path, 2, 40, &f), &f);
	struct verify_sources s = {&text, open_text, &maker_key};
	struct verify_options o = {.sources = &s};
	CHECK(look(path, &o, &r, &h, &f) == VERIFY_HOLDS && r.sources_checked == 2 && r.sources_missing == 0);
	buf_done(&h.text);
	s.key = NULL;
	CHECK(look(path, &o, &r, &h, &f) == VERIFY_HOLDS && strstr(h.text.p, "without the salt key"));
	buf_done(&h.text);
	struct salt_key wrong = {{1}};
	s.key = &wrong;
	CHECK(look(path, &o, &r, &h, &f) == VERIFY_FAILS && strstr(h.text.p, "record tree is not the one kept"));
	buf_done(&h.text);
	unlink(path);
	need_ok(maker_case(path, 3, 41, &f), &f);
	s.key = &maker_key;
	CHECK(look(path, &o, &r, &h, &f) == VERIFY_FAILS && r.sources_missing == 1 && strstr(h.text.p, "not the file that was scanned: another size"));
	buf_done(&h.text);
	buf_done(&text);
	folder_remove();
}

static enum verify_answer by_rule(void *arg, const struct verify_finding *x, char why[200])
{
	(void)arg;
	CHECK(x->n_evidence && x->evidence[0].bytes.n && str_find(x->evidence[0].bytes, STR("Failed password"), 0) != SIZE_MAX);
	CHECK(str_eq(x->evidence[0].format, STR("syslog")));
	if (!str_eq(x->kind, STR("correlation"))) return VERIFY_DERIVED;
	snprintf(why, 200, "only the ends are there");
	return VERIFY_PART;
}
static bool any_run(void *arg, sqlite3 *db, int64_t run, struct str settings, const struct verify_rule *rules, uint32_t n_rules)
{
	(void)arg;
	CHECK(db != NULL);
	CHECK(run == 1 && str_eq(settings, STR("{}")) && n_rules == 2 && str_eq(rules[0].text, STR(maker_text_one)) && rules[1].correlation);
	return true;
}

TEST(findings_are_given_to_whoever_derives_them)
{
	folder_make();
	struct fault f = FAULT_INIT;
	struct verify_result r;
	struct heard h;
	need_ok(maker_case(path, 2, 10, &f), &f);
	struct verify_rederiver d = {NULL, any_run, by_rule};
	struct verify_options o = {.rederiver = &d};
	CHECK(look(path, &o, &r, &h, &f) == VERIFY_HOLDS_IN_PART && r.answers[VERIFY_DERIVED] == 8 && r.answers[VERIFY_PART] == 2);
	buf_done(&h.text);
	folder_remove();
}

/* --- every changed byte ----------------------------------------------------------------------------------------------- */

static void put_file(const char *bytes, size_t n)
{
	FILE *o = fopen(path, "w");
	NEED(o && fwrite(bytes, 1, n, o) == n && fclose(o) == 0);
}

static bool integrity(struct buf *out)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	bool ok = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK && sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL) == SQLITE_OK;
	while (ok && sqlite3_step(s) == SQLITE_ROW) buf_printf(out, "%s\n", (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	sqlite3_close(db);
	return ok;
}

TEST(every_changed_byte_is_found_and_named_or_means_nothing)
{
	folder_make();
	struct fault f = FAULT_INIT;
	struct verify_result r;
	struct heard h;
	char *good;
	size_t n;
	const char *set = getenv("EXHIBIT_ROUNDS");
	int rounds = set ? atoi(set) : 100, slack = 0, found = 0;
	struct key_private team = key_of("team.example", KEY_NOTE, 1), a = key_of("a.example", KEY_COSIGNER, 2);
	need_ok(maker_case(path, 3, 40, &f), &f);
	seal(&team);
	cosign(&a, 1);
	struct buf want = maker_dump(path, &f), ok = {0};
	NEED(integrity(&ok));
	need_ok(file_slurp(path, 64 << 20, &good, &n, &f), &f);
	uint64_t seed = 0x9e3779b97f4a7c15;
	for (int i = 0; i < rounds; i++) {
		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		size_t at = (size_t)(seed >> 20) % n;
		/* Most of a small case is empty space: half of the changes go where something stands. */
		if (i & 1) while (!good[at]) at = (at + 1) % n;
		char old = good[at];
		good[at] ^= (char)(1 + seed % 255);
		put_file(good, n);
		bool caught = look(path, NULL, &r, &h, &f) == VERIFY_FAILS;
		if (caught) {
			found++;
			CHECK(h.problems || f.text[0]); /* and named */
		} else {
			struct buf got = maker_dump(path, &f), now = {0};
			bool same = str_eq(buf_view(&got), buf_view(&want)) && integrity(&now) && str_eq(buf_view(&now), buf_view(&ok));
			if (!same) printf("# byte %zu: %02x -> %02x was not noticed\n", at, (unsigned char)old, (unsigned char)good[at]);
			CHECK(same);
			slack++;
			buf_done(&got), buf_done(&now);
		}
		buf_done(&h.text);
		good[at] = old;
	}
	printf("# %d changes: %d found and named, %d mean nothing\n", rounds, found, slack);
	CHECK(found > rounds / 3);
	free(good);
	buf_done(&want), buf_done(&ok);
	folder_remove();
}

/* Someone who knows SQLite: rows changed with the triggers taken away and put back. */
TEST(rows_changed_by_hand_are_named)
{
	static const struct { const char *sql, *named; } changes[] = {
		{"UPDATE finding SET level = 'low' WHERE id = 3", "finding 3: changed"},
		{"UPDATE record SET bytes = zeroblob(length) WHERE id = 2", "record 2: changed"},
		{"UPDATE step SET operator = 'mallory'", "step 1: changed"},
		{"DELETE FROM unread", "rows whose root is not the one kept"},
		{"UPDATE rule_text SET bytes = x'00' WHERE id = 1", "rule_text 1: changed"},
		{"UPDATE evidence SET finding = 2 WHERE id = 1", "finding 1: its evidence belongs to another finding"},
		{"UPDATE proof SET hashes = substr(hashes, 33) WHERE id = 1", "not all in its record tree"},
		{"UPDATE row_check SET sums = zeroblob(length(sums))", "row_check 0: changed itself"},
		{"UPDATE state SET row_key = zeroblob(32)", "changed since it was written"},
	};
	for (size_t i = 0; i < COUNT(changes); i++) {
		folder_make();
		struct fault f = FAULT_INIT;
		struct verify_result r;
		struct heard h;
		need_ok(maker_case(path, 2, 10, &f), &f);
		sqlite3 *db;
		NEED(sqlite3_open(path, &db) == SQLITE_OK);
		struct buf triggers = {0}, sql = {0};
		sqlite3_stmt *s;
		NEED(sqlite3_prepare_v2(db, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid", -1, &s, NULL) == SQLITE_OK);
		while (sqlite3_step(s) == SQLITE_ROW) {
			buf_printf(&sql, "DROP TRIGGER %s;", sqlite3_column_text(s, 0));
			buf_printf(&triggers, "%s;", sqlite3_column_text(s, 1));
		}
		sqlite3_finalize(s);
		buf_printf(&sql, "%s;%.*s", changes[i].sql, (int)triggers.n, triggers.p);
		buf_byte(&sql, 0);
		char *error = NULL;
		if (sqlite3_exec(db, sql.p, NULL, NULL, &error) != SQLITE_OK) printf("# %s\n", error);
		sqlite3_close(db);
		CHECK(look(path, NULL, &r, &h, &f) == VERIFY_FAILS);
		if (!strstr(h.text.p, changes[i].named)) printf("# %s gave:\n%s# fault %s\n", changes[i].sql, h.text.p, f.text);
		CHECK(strstr(h.text.p, changes[i].named) != NULL);
		buf_done(&h.text), buf_done(&triggers), buf_done(&sql);
		folder_remove();
	}
}

TEST_MAIN
