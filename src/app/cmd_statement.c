/* cmd_statement.c: `exhibit statement`: what several parties say together about findings: an in-toto Statement in a DSSE envelope. */
#include "app/case_tools.h"

enum { OPT_FINDINGS, OPT_TEXT, OPT_KEY, OPT_OUTPUT, OPT_SIGN, OPT_ADD, OPT_OPINION, OPT_POLICY, OPT_NOTE };
static const struct option_row rows[] = {
	[OPT_FINDINGS] = {'f', "findings", "N,N...", "what it is about"},
	[OPT_TEXT] = {'t', "text", "TEXT", "what is said"},
	[OPT_KEY] = {'k', "key", "FILE", "sign with this private key"},
	[OPT_OUTPUT] = {'o', "output", "FILE", "the envelope (default: standard output)"},
	[OPT_SIGN] = {0, "sign", "ENVELOPE", "sign an envelope that another party made, over the same bytes"},
	[OPT_ADD] = {0, "add", "ENVELOPE", "take the envelope and its signatures into the case"},
	[OPT_OPINION] = {0, "opinion", "N", "with --add: it is an opinion on statement N of the case, by a party that disagrees"},
	[OPT_POLICY] = {0, "policy", "FILE", "with --add: demand these parties' signatures"},
	[OPT_NOTE] = {0, "note", "TEXT", "why, for the custody log"},
	{0},
};

#define PREDICATE_TYPE "https://exhibit.invalid/finding-statement/v1"

static bool read_envelope(const char *path, struct arena *a, struct dsse *ret)
{
	struct fault f = FAULT_INIT;
	char *bytes;
	size_t n;
	if (!case_slurp_shown(path, &bytes, &n)) return false;
	struct str copy = arena_str(a, (struct str){bytes, n});
	free(bytes);
	fault_path(&f, str_of(path));
	if (copy.p && dsse_parse(copy, a, ret, &f)) return true;
	app_fault(&f);
	return false;
}

static bool sign_with(const char *key_path, struct dsse *d, struct buf *vkey)
{
	struct fault f = FAULT_INIT;
	struct key_private key;
	if (d->n == DSSE_MAX_SIGNATURES) return app_error("it has the most signatures an envelope can have"), false;
	if (!key_private_read(key_path, &key, &f)) return app_fault(&f), false;
	struct dsse_signature *s = &d->v[d->n++];
	dsse_sign(d->payload_type, d->payload, &key, s->sig);
	s->ed25519 = true;
	key_public_print(&key.public, vkey);
	s->keyid = buf_view(vkey);
	key_forget(&key);
	return true;
}

static bool write_envelope(const struct dsse *d, const char *output, bool replace)
{
	struct buf out = {0};
	dsse_print(d, &out);
	buf_byte(&out, '\n');
	bool ok = case_write_shown(output, buf_view(&out), replace);
	buf_done(&out);
	return ok;
}

/* The rows' digests and the checkpoint's, in one walk. */
static bool gather(struct case_file *c, struct str list, struct arena *a, struct statement_subject **ret, size_t *ret_n, struct fault *f)
{
	VEC(struct statement_subject) v = {0};
	VEC(uint64_t) wanted = {0};
	bool ok = true;
	for (struct str rest = list; rest.p && ok;) {
		uint64_t id;
		ok = str_u64(str_cut(&rest, ','), &id);
		if (ok) vec_push(&wanted, id);
		else fault_set(f, FAULT_USAGE, "--findings takes numbers with commas between");
	}
	struct case_row row;
	struct fault inner = FAULT_INIT;
	struct case_rows *rows_of = ok ? case_rows_new(c->db, 1, f) : NULL;
	while (rows_of && case_rows_next(rows_of, &row, &inner)) {
		for (size_t i = 0; row.table == CASE_FINDING && i < wanted.n; i++) {
			if ((uint64_t)row.id != wanted.v[i]) continue;
			char name[32];
			struct statement_subject s;
			snprintf(name, sizeof name, "finding/%llu", (unsigned long long)wanted.v[i]);
			s.name = arena_str(a, str_of(name));
			sha256_of(row.text.p, row.text.n, s.sha256);
			vec_push(&v, s);
		}
	}
	case_rows_free(rows_of);
	if (ok && v.n != wanted.n) ok = false, fault_set(f, FAULT_NOT_FOUND, "the case does not have all of these findings");
	*ret = ok && v.n ? arena_alloc(a, v.n * sizeof *v.v) : NULL;
	if (*ret) memcpy(*ret, v.v, v.n * sizeof *v.v);
	*ret_n = v.n;
	vec_free(&v);
	vec_free(&wanted);
	return ok && *ret;
}

/* {"case":..,"root":..,"rows":..,"text":..}: names in order, as canonical JSON wants them. */
static void predicate(struct case_file *c, const char *text, struct buf *out)
{
	sqlite3_stmt *s = case_db_prepare(c->db, "SELECT case_id FROM case_info WHERE id = 1", NULL);
	buf_lit(out, "{\"case\":");
	canon_str(out, s && sqlite3_step(s) == SQLITE_ROW ? case_column_str(s, 0) : STR(""));
	sqlite3_finalize(s);
	buf_lit(out, ",\"root\":\"");
	buf_hex(out, c->state.root.b, 32);
	buf_printf(out, "\",\"rows\":%llu,\"text\":", (unsigned long long)c->state.leaves);
	struct buf clean = {0};
	canon_repair(&clean, str_of(text));
	canon_str(out, buf_view(&clean));
	buf_byte(out, '}');
	buf_done(&clean);
}

static int make(const char *path, const char *const *given, struct arena *a)
{
	struct fault f = FAULT_INIT;
	struct case_file c;
	struct statement_subject *subjects;
	struct buf about = {0}, payload = {0}, vkey = {0};
	size_t n;
	if (!case_open_shown(path, &c)) return EXIT_FAILED;
	bool ok = gather(&c, str_of(given[OPT_FINDINGS]), a, &subjects, &n, &f);
	if (ok) {
		predicate(&c, given[OPT_TEXT], &about);
		statement_print(subjects, n, STR(PREDICATE_TYPE), buf_view(&about), &payload);
		struct dsse d = {.payload_type = STR(DSSE_STATEMENT_TYPE), .payload = buf_view(&payload)};
		ok = sign_with(given[OPT_KEY], &d, &vkey) && write_envelope(&d, given[OPT_OUTPUT] ? given[OPT_OUTPUT] : "-", false);
	} else {
		app_fault(&f);
	}
	case_done(&c);
	buf_done(&about), buf_done(&payload), buf_done(&vkey);
	return ok ? EXIT_DONE : f.kind == FAULT_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

static int sign(const char *const *given, struct arena *a)
{
	struct dsse d;
	struct buf vkey = {0};
	bool ok = read_envelope(given[OPT_SIGN], a, &d) && sign_with(given[OPT_KEY], &d, &vkey) &&
		write_envelope(&d, given[OPT_OUTPUT] ? given[OPT_OUTPUT] : "-", given[OPT_OUTPUT] && !strcmp(given[OPT_OUTPUT], given[OPT_SIGN]));
	buf_done(&vkey);
	return ok ? EXIT_DONE : EXIT_FAILED;
}

static bool policy_allows(const char *path, const struct dsse *d)
{
	struct fault f = FAULT_INIT;
	struct policy p;
	struct policy_result r;
	char *text;
	size_t n;
	if (!case_slurp_shown(path, &text, &n)) return false;
	fault_path(&f, str_of(path));
	bool ok = policy_parse((struct str){text, n}, &p, &f);
	if (!ok) app_fault(&f);
	if (ok && !(ok = policy_check_dsse(&p, d, &r))) app_error("%s: not enough of these parties have signed", path);
	policy_done(&p);
	free(text);
	return ok;
}

static int add(const char *path, const char *const *given, struct arena *a)
{
	struct fault f = FAULT_INIT;
	struct dsse d;
	uint64_t of = 0;
	int64_t id;
	if (given[OPT_OPINION] && !str_u64(str_of(given[OPT_OPINION]), &of)) return app_error("--opinion takes a statement's number"), EXIT_USAGE;
	if (!read_envelope(given[OPT_ADD], a, &d) || (given[OPT_POLICY] && !policy_allows(given[OPT_POLICY], &d))) return EXIT_FAILED;
	struct case_step_info info = case_step_now(of ? "opinion" : "statement", given[OPT_NOTE]);
	struct case_writer *w = case_open_for_step(path, &info, &f);
	bool ok = w && case_add_statement(w, of ? "opinion" : "statement", (int64_t)of, d.payload_type, d.payload, &id, &f);
	for (uint32_t i = 0; ok && i < d.n; i++) {
		struct key_public key;
		struct dsse one = d;
		one.v[0] = d.v[i];
		one.n = 1;
		ok = key_public_parse(d.v[i].keyid, &key, &f) && d.v[i].ed25519;
		if (ok && !dsse_signed_by(&one, &key)) ok = false, fault_set(&f, FAULT_VERIFY, "the signature of %s does not hold", key.name);
		ok = ok && case_add_signature(w, id, d.v[i].keyid, d.v[i].sig, &f);
	}
	if (ok) ok = case_close(w, &f);
	else case_abort(w);
	if (ok) printf("statement %lld, %u signatures\n", (long long)id, d.n);
	else app_fault(&f);
	return ok ? EXIT_DONE : EXIT_FAILED;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o;
	const char *argument, *path = NULL, *given[9] = {0};
	struct arena a;
	options_begin(&o, self, argc, argv);
	for (int which; (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) return EXIT_DONE;
		if (which == OPTION_BAD) return EXIT_USAGE;
		if (which >= 0) given[which] = argument;
		else if (path) return app_usage(self, "one case at a time");
		else path = argument;
	}
	arena_init(&a, 64 << 20);
	int status;
	if (given[OPT_SIGN] && given[OPT_KEY] && !path) status = sign(given, &a);
	else if (given[OPT_ADD] && path) status = add(path, given, &a);
	else if (path && given[OPT_FINDINGS] && given[OPT_TEXT] && given[OPT_KEY]) status = make(path, given, &a);
	else status = app_usage(self, "make one (CASE --findings --text --key), sign one (--sign ENVELOPE --key) or take one in (CASE --add ENVELOPE)");
	arena_done(&a);
	return status;
}

const struct command command_statement = {
	.name = "statement",
	.synopsis = "CASE --findings N,N --text TEXT --key FILE | --sign ENVELOPE --key FILE | CASE --add ENVELOPE",
	.summary = "let several parties sign one statement about findings",
	.group = "Prove",
	.options = rows,
	.run = run,
	.help = "All parties sign identical bytes: an in-toto Statement in a DSSE envelope that names each finding by its SHA-256. A party that agrees\n"
		"only in part does not sign it with a footnote, but makes a statement of its own, which is taken in as an opinion.\n\n"
		"examples:\n"
		"  exhibit statement incident.case --findings 3,7 --text 'Both hosts were entered by the same actor' --key a.key -o joint.json\n"
		"  exhibit statement --sign joint.json --key b.key -o joint.json\n"
		"  exhibit statement incident.case --add joint.json --policy two-of-three.policy",
};
