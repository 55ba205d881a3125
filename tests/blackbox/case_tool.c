/* case_tool: cases, seals and bundles made and checked at a command line, for tests in other languages. For tests only. */
#include "tests/check.h"
#include "tests/case_maker.h"
#include "verify/verify.h"
#include "base/file.h"
#include <time.h>

static int fail(const struct fault *f)
{
	printf("problem: file 0: %s\nverdict: failed\n", f->text);
	return 1;
}

static void say(void *arg, const struct verify_line *l)
{
	static const char *const kinds[] = {"problem", "finding", "good", "note"};
	(void)arg;
	if (l->kind == VERIFY_LINE_FINDING) return;
	printf("%s: %s %lld: %.*s\n", kinds[l->kind], l->table ? l->table : "-", (long long)l->id, STR_FMT(l->text));
}

static bool open_file(void *arg, struct str name, int64_t member, struct input *ret, struct fault *f)
{
	static char path[4096];
	(void)member;
	snprintf(path, sizeof path, "%s/%.*s", (const char *)arg, STR_FMT(name));
	return input_open(ret, path, name, f);
}

/* make CASE SOURCES LINES FOLDER: also writes the sources there, and CASE.key */
static int make(char **a)
{
	struct fault f = FAULT_INIT;
	uint32_t n = (uint32_t)atoi(a[1]), lines = (uint32_t)atoi(a[2]);
	char path[4096];
	if (!maker_case(a[0], n, lines, &f)) return fail(&f);
	for (uint32_t i = 0; i < n; i++) {
		struct buf t = {0};
		maker_text(&t, i + 1, lines);
		snprintf(path, sizeof path, "%s/logs/auth%u.log", a[3], i + 1);
		FILE *o = fopen(path, "w");
		if (!o || fwrite(t.p, 1, t.n, o) != t.n || fclose(o)) return 1;
		buf_done(&t);
	}
	snprintf(path, sizeof path, "%s.key", a[0]);
	return salt_key_write(&maker_key, path, &f) ? 0 : fail(&f);
}

static double cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* big CASE FINDINGS: one source of 250-byte lines, every second one a finding; prints what it cost and weighs */
static int big(char **a)
{
	uint32_t n = (uint32_t)atoi(a[1]);
	struct maker m = {.fault = FAULT_INIT};
	struct case_fetch fetch = {maker_fetch, &m};
	struct case_step_info info = maker_step("scan");
	bool fresh, known;
	struct buf t = {0};
	VEC(struct evidence_ref) refs = {0};
	for (uint32_t i = 0; i < 2 * n; i++) {
		struct evidence_ref e = {.offset = t.n, .line = i + 1};
		buf_printf(&t, "2024-01-01T00:00:%02u.%06uZ host sshd[%u]: %s password for user%u from 198.51.100.%u port %u ssh2 and so on, to make a line as long as lines are in a log "
			"that somebody really wrote, which is about 250 bytes or a little less than that", i % 60, i % 1000000, i, i & 1 ? "Accepted" : "Failed", i % 977, i % 250, i % 60000);
		e.length = t.n - e.offset;
		buf_byte(&t, '\n');
		if (!(i & 1)) vec_push(&refs, e);
	}
	double t0 = cpu();
	m.w = case_create(a[0], &maker_key, &info, &fetch, &m.fault);
	if (!m.w || !maker_run(&m, "{}", &fresh)) return fail(&m.fault);
	struct source_tree *tree = case_source_tree(m.w, STR("syslog"), 0, STR("big.log"));
	source_tree_feed(tree, t.p, t.n);
	if (!source_tree_finish(tree, &m.fault)) return fail(&m.fault);
	double t1 = cpu();
	struct source_info si = {.path = STR("big.log"), .format = STR("syslog"), .size = t.n};
	sha256_of(t.p, t.n, si.sha256);
	struct source_report report = {.records = t.n, .n_records = 2 * n};
	struct case_source src = {.info = &si, .report = &report, .hashed = true, .same_as = -1, .tree = tree};
	m.texts = &t, m.n_sources = 1;
	bool ok = case_add_source(m.w, &src, &known, &m.fault);
	for (size_t i = 0; ok && i < refs.n; i++) {
		struct evidence_ref *e = &refs.v[i];
		sha256_of(t.p + e->offset, e->length, e->sha256);
		struct match_detail matched = {.value = STR("Failed password for user from somewhere"), .pattern = STR("Failed password")};
		struct finding x = {.kind = FINDING_HIT, .level = LEVEL_HIGH, .time = etime_from_unix(1704067200 + (int64_t)i, 0, 0), .rule = &maker_rule_infos[0], .host = STR("host"),
			.event_id = -1, .matched = &matched, .n_matched = 1, .fields_json = STR("{\"program\":\"sshd\",\"pid\":4711,\"message\":\"Failed password for user from 198.51.100.7 port 4711 ssh2\"}"),
			.evidence = e, .n_evidence = 1};
		ok = case_add_finding(m.w, &x, &m.fault);
	}
	double t2 = cpu();
	if (!ok || !case_close(m.w, &m.fault)) return fail(&m.fault);
	double t3 = cpu();
	struct file_id id;
	int fd = file_open(a[0], &id, &m.fault);
	close(fd);
	printf("%u findings: tree %.2f s, findings %.2f s (%.1f us each), close %.2f s; %.0f bytes a finding (%.0f of record)\n", n, t1 - t0, t2 - t1, (t2 - t1) * 1e6 / n, t3 - t2,
		(double)id.size / n, (double)t.n / 2 / n);
	t0 = cpu();
	struct verify_result r;
	struct verify_options o = {0};
	ok = verify_case(a[0], &o, &r, &m.fault);
	printf("verified in %.2f s: %s\n", cpu() - t0, ok ? verify_verdict_word(verify_verdict(&r)) : m.fault.text);
	t0 = cpu();
	struct case_file c;
	if (!case_open(a[0], "/tmp", &c, &m.fault)) return fail(&m.fault);
	sqlite3_stmt *s = case_db_prepare(c.db, "SELECT f.id, f.time, f.level, r.title, f.host FROM finding f JOIN rule r ON r.id = f.rule ORDER BY f.id LIMIT 50", &m.fault);
	int rows = 0;
	while (sqlite3_step(s) == SQLITE_ROW) rows++;
	sqlite3_finalize(s);
	case_done(&c);
	printf("opened, first %d listed in %.4f s\n", rows, cpu() - t0);
	return 0;
}

/* seal CASE NAME SEEDBYTE; cosign CASE NAME SEEDBYTE: the newest checkpoint */
static int sign(char **a, enum key_type type)
{
	struct fault f = FAULT_INIT;
	struct key_private k;
	uint8_t seed[32];
	struct buf text = {0}, vkey = {0}, line = {0};
	struct case_step_info info = maker_step(type == KEY_NOTE ? "seal" : "cosign");
	memset(seed, atoi(a[2]), sizeof seed);
	struct case_writer *w = case_open_for_step(a[0], &info, &f);
	bool ok = w && key_from_seed(str_of(a[1]), type, seed, &k, &f);
	if (ok) key_public_print(&k.public, &vkey);
	if (ok && type == KEY_NOTE) {
		struct checkpoint c;
		ok = case_step_checkpoint(w, str_of(a[1]), &text, &f) && checkpoint_parse(buf_view(&text), &c, &f);
		signed_note_sign(buf_view(&text), &k, 0, &line);
		uint64_t size = c.size;
		buf_byte(&text, '\n');
		buf_str(&text, buf_view(&line));
		ok = ok && case_add_seal(w, "checkpoint", 0, size, buf_view(&vkey), buf_view(&text), &f);
	} else if (ok) {
		int64_t of;
		struct signed_note n;
		ok = case_db_int(case_writer_db(w), "SELECT max(id) FROM seal WHERE kind = 'checkpoint'", &of, &f);
		sqlite3_stmt *s = case_db_prepare(case_writer_db(w), "SELECT bytes FROM seal WHERE id = ?", &f);
		sqlite3_bind_int64(s, 1, of);
		ok = ok && sqlite3_step(s) == SQLITE_ROW && signed_note_parse(case_column_str(s, 0), &n, &f);
		if (ok) signed_note_sign(n.text, &k, 1700000000, &line);
		sqlite3_finalize(s);
		ok = ok && case_add_seal(w, "cosignature", of, 0, buf_view(&vkey), buf_view(&line), &f);
	}
	if (ok) ok = case_close(w, &f);
	else case_abort(w);
	printf("%.*s\n", (int)vkey.n, vkey.p);
	buf_done(&text);
	buf_done(&vkey);
	buf_done(&line);
	return ok ? 0 : fail(&f);
}
static int seal(char **a) { return sign(a, KEY_NOTE); }
static int cosign(char **a) { return sign(a, KEY_COSIGNER); }

/* checkpoint CASE: the newest checkpoint's note; stamp CASE TSQ TSR: a timestamp added to it */
static int newest(const char *path, struct buf *out)
{
	struct fault f = FAULT_INIT;
	struct case_file c;
	if (!case_open(path, "/tmp", &c, &f)) return fail(&f);
	sqlite3_stmt *s = case_db_prepare(c.db, "SELECT bytes FROM seal WHERE kind = 'checkpoint' ORDER BY id DESC LIMIT 1", &f);
	if (s && sqlite3_step(s) == SQLITE_ROW) buf_str(out, case_column_str(s, 0));
	sqlite3_finalize(s);
	case_done(&c);
	return 0;
}
static int checkpoint(char **a)
{
	struct buf b = {0};
	int status = newest(a[0], &b);
	fwrite(b.p, 1, b.n, stdout);
	buf_done(&b);
	return status;
}
static int stamp(char **a)
{
	struct fault f = FAULT_INIT;
	struct case_step_info info = maker_step("timestamp");
	char *bytes;
	size_t n;
	int64_t of;
	struct case_writer *w = case_open_for_step(a[0], &info, &f);
	bool ok = w && case_db_int(case_writer_db(w), "SELECT max(id) FROM seal WHERE kind = 'checkpoint'", &of, &f);
	for (int i = 1; ok && i < 3; i++) {
		ok = file_slurp(a[i], 1 << 20, &bytes, &n, &f) && case_add_seal(w, i == 1 ? "timestamp-request" : "timestamp", of, 0, STR(""), (struct str){bytes, n}, &f);
		free(bytes);
	}
	if (ok) ok = case_close(w, &f);
	else case_abort(w);
	return ok ? 0 : fail(&f);
}

/* verify FILE POLICY|- AUTHORITIES|- SOURCES|- KEY|- */
static int check_with(char **a, char **policy_text, struct policy *policy)
{
	struct fault f = FAULT_INIT;
	struct verify_result r;
	struct salt_key key;
	struct verify_sources sources = {a[3], open_file, NULL};
	struct verify_options o = {.line = say};
	char *text;
	size_t n;
	if (strcmp(a[1], "-")) {
		if (!file_slurp(a[1], 1 << 20, policy_text, &n, &f) || !policy_parse((struct str){*policy_text, n}, policy, &f)) return fail(&f);
		o.policy = policy;
	}
	if (strcmp(a[2], "-")) o.authorities = a[2];
	if (strcmp(a[3], "-")) o.sources = &sources;
	if (strcmp(a[4], "-")) {
		if (!salt_key_read(a[4], &key, &f)) return fail(&f);
		sources.key = &key;
	}
	if (!file_slurp(a[0], (size_t)1 << 30, &text, &n, &f)) return fail(&f);
	bool bundle = n && (text[0] == '{' || text[0] == ' '), ok;
	ok = bundle ? verify_bundle((struct str){text, n}, &o, &r, &f) : verify_case(a[0], &o, &r, &f);
	free(text);
	if (!ok) return fail(&f);
	printf("verdict: %s\n", verify_verdict_word(verify_verdict(&r)));
	return verify_verdict(&r) != VERIFY_HOLDS;
}
static int check(char **a)
{
	char *policy_text = NULL; /* the policy points into it */
	struct policy policy = {0};
	int status = check_with(a, &policy_text, &policy);
	policy_done(&policy);
	free(policy_text);
	return status;
}

/* disclose CASE FINDING SOURCES|- KEY|- SOURCE FIRST N (N 0: no range) */
static int bundle(char **a)
{
	struct fault f = FAULT_INIT;
	struct case_file c;
	struct salt_key key;
	struct buf out = {0};
	int64_t finding = atoll(a[1]);
	struct verify_sources sources = {a[2], open_file, &key};
	struct disclose_range range = {atoll(a[4]), (uint64_t)atoll(a[5]), (uint64_t)atoll(a[6])};
	struct disclose_options o = {&finding, 1, &range, range.n > 0, &sources};
	if (strcmp(a[3], "-") && !salt_key_read(a[3], &key, &f)) return fail(&f);
	if (!case_open(a[0], "/tmp", &c, &f) || !disclose(&c, &o, &out, &f)) return fail(&f);
	fwrite(out.p, 1, out.n, stdout);
	buf_done(&out);
	case_done(&c);
	return 0;
}

static int schema(char **a)
{
	struct buf b = {0};
	(void)a;
	schema_digest(&b);
	printf("%.*s\n", (int)b.n, b.p);
	buf_done(&b);
	return 0;
}

int main(int argc, char **argv)
{
	(void)check_last;
	static const struct { const char *name; int (*run)(char **); int args; } commands[] = {{"make", make, 4}, {"big", big, 2}, {"seal", seal, 3}, {"cosign", cosign, 3},
		{"checkpoint", checkpoint, 1}, {"stamp", stamp, 3}, {"verify", check, 5}, {"disclose", bundle, 7}, {"schema", schema, 0}};
	for (size_t i = 0; argc > 1 && i < COUNT(commands); i++)
		if (!strcmp(argv[1], commands[i].name) && argc - 2 == commands[i].args) return commands[i].run(argv + 2);
	fprintf(stderr, "usage: case_tool make|seal|cosign|checkpoint|stamp|verify|disclose|schema ...\n");
	return 2;
}
