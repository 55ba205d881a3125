/* cmd_cosign.c: `exhibit cosign`: another party's signature under a seal. */
#include "app/case_tools.h"
#include <time.h>

enum { OPT_KEY, OPT_ADD, OPT_PRINT, OPT_NOTE };
static const struct option_row rows[] = {
	[OPT_KEY] = {'k', "key", "FILE", "cosign with this private key (exhibit keygen --cosigner)"},
	[OPT_ADD] = {0, "add", "FILE", "take in a line that --print made elsewhere; needs --vkey"},
	[OPT_PRINT] = {0, "print", NULL, "print the signature line instead of writing it into the case"},
	[OPT_NOTE] = {0, "note", "TEXT", "why, for the custody log"},
	{0},
};

/* The newest checkpoint's note, its row. */
static bool newest(sqlite3 *db, int64_t *ret_id, struct buf *ret, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(db, "SELECT id, bytes FROM seal WHERE kind = 'checkpoint' ORDER BY id DESC LIMIT 1", f);
	bool ok = s && sqlite3_step(s) == SQLITE_ROW;
	if (ok) *ret_id = sqlite3_column_int64(s, 0), buf_str(ret, case_column_str(s, 1));
	else if (s) fault_set(f, FAULT_STATE, "not sealed yet: there is nothing to cosign");
	sqlite3_finalize(s);
	return ok;
}

/* A cosigner says that it saw this tree: so it looks at it first. */
static bool sound(const char *path)
{
	struct verify_options o = {.temp_dir = case_temp_dir()};
	struct verify_result r;
	struct fault f = FAULT_INIT;
	if (!verify_case(path, &o, &r, &f)) return app_fault(&f), false;
	if (verify_verdict(&r) != VERIFY_FAILS) return true;
	app_error("%s does not hold: exhibit verify %s says why. Not cosigned", path, path);
	return false;
}

static bool print_line(const char *path, const struct key_private *key, uint64_t now)
{
	struct fault f = FAULT_INIT;
	struct case_file c;
	struct signed_note n;
	struct buf note = {0}, line = {0};
	int64_t id;
	if (!case_open_shown(path, &c)) return false;
	bool ok = newest(c.db, &id, &note, &f) && signed_note_parse(buf_view(&note), &n, &f);
	if (ok) {
		signed_note_sign(n.text, key, now, &line);
		key_public_print(&key->public, &line);
		printf("%.*s\n", STR_FMT(buf_view(&line)));
	} else {
		app_fault(&f);
	}
	case_done(&c);
	buf_done(&note);
	buf_done(&line);
	return ok;
}

static bool write_line(const char *path, const struct key_private *key, uint64_t now, const char *why)
{
	struct fault f = FAULT_INIT;
	struct signed_note n;
	struct buf note = {0}, line = {0}, vkey = {0};
	struct case_step_info info = case_step_now("cosign", why);
	int64_t id;
	struct case_writer *w = case_open_for_step(path, &info, &f);
	bool ok = w && newest(case_writer_db(w), &id, &note, &f) && signed_note_parse(buf_view(&note), &n, &f);
	if (ok) {
		signed_note_sign(n.text, key, now, &line);
		key_public_print(&key->public, &vkey);
		ok = case_add_seal(w, "cosignature", id, 0, buf_view(&vkey), buf_view(&line), &f);
	}
	if (ok) ok = case_close(w, &f);
	else case_abort(w);
	if (ok) printf("%.*s", STR_FMT(buf_view(&line)));
	else app_fault(&f);
	buf_done(&note), buf_done(&line), buf_done(&vkey);
	return ok;
}

/* Two lines as --print gives them: the signature, the vkey. */
static bool add_line(const char *path, const char *file, const char *why)
{
	struct fault f = FAULT_INIT;
	struct signed_note n;
	struct key_public key;
	struct buf note = {0};
	struct case_step_info info = case_step_now("cosign", why);
	char *bytes;
	size_t size, lf;
	int64_t id;
	if (!case_slurp_shown(file, &bytes, &size)) return false;
	struct str all = {bytes, size}, line;
	lf = str_find_byte(all, '\n', 0);
	line = str_sub(all, 0, lf == SIZE_MAX ? size : lf + 1);
	struct case_writer *w = case_open_for_step(path, &info, &f);
	bool ok = w && newest(case_writer_db(w), &id, &note, &f) && key_public_parse(str_sub(all, line.n, SIZE_MAX), &key, &f);
	buf_str(&note, line);
	ok = ok && signed_note_parse(buf_view(&note), &n, &f);
	if (ok && signed_note_check(&n, &key, NULL) != NOTE_GOOD) ok = false, fault_set(&f, FAULT_VERIFY, "this signature is not one of the newest seal");
	struct buf vkey = {0};
	if (ok) key_public_print(&key, &vkey);
	ok = ok && case_add_seal(w, "cosignature", id, 0, buf_view(&vkey), line, &f);
	if (ok) ok = case_close(w, &f);
	else case_abort(w);
	if (!ok) app_fault(&f);
	buf_done(&note), buf_done(&vkey);
	free(bytes);
	return ok;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o;
	struct fault f = FAULT_INIT;
	struct key_private key;
	const char *argument, *path = NULL, *given[4] = {0};
	bool print = false;
	options_begin(&o, self, argc, argv);
	for (int which; (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) return EXIT_DONE;
		if (which == OPTION_BAD) return EXIT_USAGE;
		if (which == OPT_PRINT) print = true;
		else if (which >= 0) given[which] = argument;
		else if (path) return app_usage(self, "one case at a time");
		else path = argument;
	}
	if (!path || !given[OPT_KEY] == !given[OPT_ADD]) return app_usage(self, "name a case, and --key or --add");
	if (given[OPT_ADD]) return add_line(path, given[OPT_ADD], given[OPT_NOTE]) ? EXIT_DONE : EXIT_FAILED;
	if (!key_private_read(given[OPT_KEY], &key, &f)) return app_fault(&f), EXIT_FAILED;
	if (key.public.type != KEY_COSIGNER) {
		app_error("%s: not a cosigner's key: exhibit keygen --cosigner makes one", given[OPT_KEY]);
		return EXIT_USAGE;
	}
	uint64_t now = (uint64_t)time(NULL);
	bool ok = sound(path) && (print ? print_line(path, &key, now) : write_line(path, &key, now, given[OPT_NOTE]));
	key_forget(&key);
	return ok ? EXIT_DONE : EXIT_FAILED;
}

const struct command command_cosign = {
	.name = "cosign",
	.synopsis = "CASE --key FILE [--print] | --add FILE",
	.summary = "add another party's signature to the newest seal",
	.group = "Prove",
	.options = rows,
	.run = run,
	.help = "A cosignature says: at this time I saw this case, sealed so, and it only ever grew. It does not say that its findings are right: for\n"
		"that, sign a statement (exhibit statement). The case is verified before it is cosigned.\n\n"
		"examples:\n"
		"  exhibit cosign incident.case --key witness.key\n"
		"  exhibit cosign incident.case --key witness.key --print > witness.line     (the case is not changed)\n"
		"  exhibit cosign incident.case --add witness.line",
};
