/* case_tool: cases, seals and bundles made and checked at a command line, for tests in other languages. For tests only. */
#include "tests/check.h"
#include "tests/case_maker.h"
#include "verify/verify.h"
#include "base/file.h"

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

static bool open_file(void *arg, struct str name, struct input *ret, struct fault *f)
{
	static char path[4096];
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
static int check(char **a)
{
	struct fault f = FAULT_INIT;
	struct verify_result r;
	struct policy policy;
	struct salt_key key;
	struct verify_sources sources = {a[3], open_file, NULL};
	struct verify_options o = {.line = say};
	char *text;
	size_t n;
	if (strcmp(a[1], "-")) {
		if (!file_slurp(a[1], 1 << 20, &text, &n, &f) || !policy_parse((struct str){text, n}, &policy, &f)) return fail(&f);
		o.policy = &policy;
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
	static const struct { const char *name; int (*run)(char **); int args; } commands[] = {{"make", make, 4}, {"seal", seal, 3}, {"cosign", cosign, 3},
		{"checkpoint", checkpoint, 1}, {"stamp", stamp, 3}, {"verify", check, 5}, {"disclose", bundle, 7}, {"schema", schema, 0}};
	for (size_t i = 0; argc > 1 && i < COUNT(commands); i++)
		if (!strcmp(argv[1], commands[i].name) && argc - 2 == commands[i].args) return commands[i].run(argv + 2);
	fprintf(stderr, "usage: case_tool make|seal|cosign|checkpoint|stamp|verify|disclose|schema ...\n");
	return 2;
}
