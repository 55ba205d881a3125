/* cmd_seal.c: `exhibit seal`: a signature over all rows of a case; and timestamps of it by any RFC 3161 authority. */
#include "app/case_tools.h"

enum { OPT_KEY, OPT_TSQ, OPT_TSR, OPT_AUTHORITIES, OPT_NOTE };
static const struct option_row rows[] = {
	[OPT_KEY] = {'k', "key", "FILE", "sign with this private key (exhibit keygen)"},
	[OPT_TSQ] = {0, "tsq", "FILE", "write a timestamp request for the newest seal, to be sent to an authority"},
	[OPT_TSR] = {0, "tsr", "FILE", "take an authority's response into the case"},
	[OPT_AUTHORITIES] = {0, "authorities", "PEM", "with --tsr: trace the response to these certificates"},
	[OPT_NOTE] = {0, "note", "TEXT", "why, for the custody log"},
	{0},
};

static bool write_seal(struct case_writer *w, const struct key_private *key, struct fault *f)
{
	struct buf text = {0}, vkey = {0};
	struct checkpoint c;
	bool ok = case_step_checkpoint(w, str_of(key->public.name), &text, f) && checkpoint_parse(buf_view(&text), &c, f);
	if (ok) {
		size_t n = text.n;
		uint64_t size = c.size;
		buf_byte(&text, '\n');
		signed_note_sign((struct str){text.p, n}, key, 0, &text);
		key_public_print(&key->public, &vkey);
		ok = case_add_seal(w, "checkpoint", 0, size, buf_view(&vkey), buf_view(&text), f);
		if (ok) printf("%.*s", STR_FMT(buf_view(&text)));
	}
	buf_done(&text);
	buf_done(&vkey);
	return ok;
}

static int seal(const char *path, const char *key_path, const char *note)
{
	struct fault f = FAULT_INIT;
	struct key_private key;
	struct case_step_info info = case_step_now("seal", note);
	if (!key_private_read(key_path, &key, &f)) return app_fault(&f), EXIT_FAILED;
	if (key.public.type != KEY_NOTE) {
		app_error("%s: a cosigner's key cannot seal; exhibit cosign takes it", key_path);
		return EXIT_USAGE;
	}
	struct case_writer *w = case_open_for_step(path, &info, &f);
	bool ok = w && write_seal(w, &key, &f);
	if (ok) ok = case_close(w, &f);
	else case_abort(w);
	key_forget(&key);
	if (!ok) app_fault(&f);
	return ok ? EXIT_DONE : EXIT_FAILED;
}

/* The newest checkpoint: its row and its note's bytes. */
static bool newest(sqlite3 *db, int64_t *ret_id, struct buf *ret_note, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(db, "SELECT id, bytes FROM seal WHERE kind = 'checkpoint' ORDER BY id DESC LIMIT 1", f);
	bool ok = s && sqlite3_step(s) == SQLITE_ROW;
	if (ok) {
		*ret_id = sqlite3_column_int64(s, 0);
		buf_str(ret_note, case_column_str(s, 1));
	} else if (s) {
		fault_set(f, FAULT_STATE, "not sealed yet: exhibit seal CASE --key FILE");
	}
	sqlite3_finalize(s);
	return ok;
}

static int request(const char *path, const char *tsq, const char *note)
{
	struct fault f = FAULT_INIT;
	struct case_step_info info = case_step_now("timestamp", note);
	struct case_writer *w = case_open_for_step(path, &info, &f);
	struct buf text = {0};
	int64_t id;
	uint8_t digest[32], nonce[TSP_NONCE_SIZE], bytes[TSP_REQUEST_SIZE];
	struct salt_key random;
	bool ok = w && newest(case_writer_db(w), &id, &text, &f);
	if (ok) {
		sha256_of(text.p, text.n, digest);
		salt_key_generate(&random);
		memcpy(nonce, random.b, sizeof nonce);
		tsp_request(digest, nonce, bytes);
		ok = case_write_shown(tsq, (struct str){(char *)bytes, sizeof bytes}, false);
	}
	ok = ok && case_add_seal(w, "timestamp-request", id, 0, STR(""), (struct str){(char *)bytes, sizeof bytes}, &f);
	if (ok) ok = case_close(w, &f);
	else case_abort(w);
	if (f.kind) app_fault(&f);
	if (ok) fprintf(stderr, "request written; an authority answers it, for example:\n"
		"  curl -H 'Content-Type: application/timestamp-query' --data-binary @%s https://AUTHORITY -o answer.tsr\n"
		"then: exhibit seal %s --tsr answer.tsr\n", tsq, path);
	buf_done(&text);
	return ok ? EXIT_DONE : EXIT_FAILED;
}

/* The request made last for that checkpoint; empty when there is none. */
static void last_request(sqlite3 *db, int64_t of, struct buf *ret)
{
	sqlite3_stmt *s = case_db_prepare(db, "SELECT bytes FROM seal WHERE kind = 'timestamp-request' AND of = ? ORDER BY id DESC LIMIT 1", NULL);
	sqlite3_bind_int64(s, 1, of);
	if (s && sqlite3_step(s) == SQLITE_ROW) buf_str(ret, case_column_str(s, 0));
	sqlite3_finalize(s);
}

static int response(const char *path, const char *tsr, const char *authorities, const char *note)
{
	struct fault f = FAULT_INIT;
	struct case_step_info info = case_step_now("timestamp", note);
	struct buf text = {0}, asked = {0};
	struct tsp_result r;
	char *bytes, time[ETIME_MAX];
	size_t n;
	int64_t id;
	uint8_t digest[32];
	if (!case_slurp_shown(tsr, &bytes, &n)) return EXIT_FAILED;
	struct case_writer *w = case_open_for_step(path, &info, &f);
	bool ok = w && newest(case_writer_db(w), &id, &text, &f);
	if (ok) {
		last_request(case_writer_db(w), id, &asked);
		sha256_of(text.p, text.n, digest);
		ok = tsp_check((struct str){bytes, n}, buf_view(&asked), digest, authorities, &r, &f) &&
			case_add_seal(w, "timestamp", id, 0, STR(""), (struct str){bytes, n}, &f);
	}
	if (ok) ok = case_close(w, &f);
	else case_abort(w);
	if (ok) {
		etime_print(r.time, 0, time);
		printf("existed at %s, says %s%s\n", time, r.authority, r.chain_checked ? "" : " (not traced: no --authorities given)");
	} else {
		app_fault(&f);
	}
	buf_done(&text);
	buf_done(&asked);
	free(bytes);
	return ok ? EXIT_DONE : EXIT_FAILED;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o;
	const char *argument, *path = NULL, *given[5] = {0};
	options_begin(&o, self, argc, argv);
	for (int which; (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) return EXIT_DONE;
		if (which == OPTION_BAD) return EXIT_USAGE;
		if (which >= 0) given[which] = argument;
		else if (path) return app_usage(self, "one case at a time");
		else path = argument;
	}
	int chosen = (given[OPT_KEY] != NULL) + (given[OPT_TSQ] != NULL) + (given[OPT_TSR] != NULL);
	if (!path || chosen != 1) return app_usage(self, "name a case, and one of --key, --tsq, --tsr");
	if (given[OPT_KEY]) return seal(path, given[OPT_KEY], given[OPT_NOTE]);
	if (given[OPT_TSQ]) return request(path, given[OPT_TSQ], given[OPT_NOTE]);
	return response(path, given[OPT_TSR], given[OPT_AUTHORITIES], given[OPT_NOTE]);
}

const struct command command_seal = {
	.name = "seal",
	.synopsis = "CASE --key FILE | --tsq FILE | --tsr FILE",
	.summary = "sign a case as it is now, or have the seal timestamped",
	.group = "Prove",
	.options = rows,
	.run = run,
	.help = "A seal is a signed note (C2SP checkpoint) over every row of the case. What is added later is not covered by it, and is seen to be so.\n"
		"A timestamp by an authority (RFC 3161) proves that the seal existed at that time; exhibit itself uses no network.\n\n"
		"examples:\n"
		"  exhibit seal incident.case --key team.key\n"
		"  exhibit seal incident.case --tsq ask.tsq\n"
		"  exhibit seal incident.case --tsr answer.tsr --authorities ca.pem",
};
