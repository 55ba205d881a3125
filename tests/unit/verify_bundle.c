/* Disclosure bundles: made from a case, checked alone; every changed byte is found. EXHIBIT_ROUNDS: how many changes (default 100). */
#include "tests/case_folder.h"
#include "tests/case_maker.h"
#include "verify/verify.h"

static struct fault fault;

struct heard { struct buf text; int problems; };
static void hear(void *arg, const struct verify_line *l)
{
	struct heard *h = arg;
	static const char *const kinds[] = {"problem", "finding", "seal", "note"};
	h->problems += l->kind == VERIFY_LINE_PROBLEM;
	buf_printf(&h->text, "%s %s %lld: %.*s\n", kinds[l->kind], l->table ? l->table : "-", (long long)l->id, STR_FMT(l->text));
}

static enum verify_verdict look(struct str bundle, const struct verify_options *base, struct verify_result *r, struct heard *h)
{
	struct verify_options o = base ? *base : (struct verify_options){0};
	fault = FAULT_INIT;
	*h = (struct heard){0};
	o.arg = h;
	o.line = hear;
	bool ok = verify_bundle(bundle, &o, r, &fault);
	buf_byte(&h->text, 0);
	return ok ? verify_verdict(r) : VERIFY_FAILS;
}

static struct key_private team_key(void)
{
	struct key_private k;
	uint8_t seed[32] = {5};
	NEED(key_from_seed(STR("team.example"), KEY_NOTE, seed, &k, NULL));
	return k;
}

static void seal(void)
{
	struct key_private k = team_key();
	struct buf text = {0}, vkey = {0};
	struct checkpoint c;
	struct case_step_info info = maker_step("seal");
	struct case_writer *w = case_open_for_step(path, &info, &fault);
	need_ok(w && case_step_checkpoint(w, STR("team.example"), &text, &fault), &fault);
	size_t n = text.n;
	buf_byte(&text, '\n');
	signed_note_sign((struct str){text.p, n}, &k, 0, &text);
	NEED(checkpoint_parse((struct str){text.p, n}, &c, NULL));
	key_public_print(&k.public, &vkey);
	need_ok(case_add_seal(w, "checkpoint", 0, c.size, buf_view(&vkey), buf_view(&text), &fault) && case_close(w, &fault), &fault);
	buf_done(&text), buf_done(&vkey);
}

/* A signed statement about finding 2. */
static void state(void)
{
	struct key_private k = team_key();
	struct statement_subject s = {.name = STR("finding/2")};
	struct buf payload = {0}, vkey = {0};
	struct case_step_info info = maker_step("statement");
	struct case_writer *w = case_open_for_step(path, &info, &fault);
	struct case_row row;
	int64_t id;
	uint8_t sig[64];
	need_ok(w != NULL, &fault);
	struct case_rows *rows = case_rows_new(case_writer_db(w), 1, &fault);
	while (case_rows_next(rows, &row, &fault))
		if (row.table == CASE_FINDING && row.id == 2) sha256_of(row.text.p, row.text.n, s.sha256);
	case_rows_free(rows);
	statement_print(&s, 1, STR("https://example.org/x"), STR("{}"), &payload);
	dsse_sign(STR(DSSE_STATEMENT_TYPE), buf_view(&payload), &k, sig);
	key_public_print(&k.public, &vkey);
	need_ok(case_add_statement(w, "statement", 0, STR(DSSE_STATEMENT_TYPE), buf_view(&payload), &id, &fault) && case_add_signature(w, id, buf_view(&vkey), sig, &fault) &&
		case_close(w, &fault), &fault);
	buf_done(&payload), buf_done(&vkey);
}

static void begin(bool sealed)
{
	folder_make();
	need_ok(maker_case(path, 3, 60, &fault), &fault);
	if (sealed) seal(), state();
}

static bool open_text(void *arg, struct str name, int64_t member, struct input *ret, struct fault *f)
{
	struct buf *t = arg;
	(void)member;
	unsigned seed;
	char copy[64];
	(void)f;
	snprintf(copy, sizeof copy, "%.*s", STR_FMT(name));
	NEED(sscanf(copy, "logs/auth%u.log", &seed) == 1);
	t->n = 0;
	maker_text(t, seed, 60);
	input_of_memory(ret, t->p, t->n, name);
	return true;
}

static struct buf make(const int64_t *findings, size_t n, const struct disclose_range *ranges, size_t n_ranges, const struct verify_sources *sources)
{
	struct case_file c;
	struct buf out = {0};
	need_ok(case_open(path, dir, &c, &fault), &fault);
	struct disclose_options o = {findings, n, ranges, n_ranges, sources};
	need_ok(disclose(&c, &o, &out, &fault), &fault);
	case_done(&c);
	return out;
}

TEST(one_finding_is_proven_without_the_others)
{
	begin(true);
	struct verify_result r;
	struct heard h;
	int64_t ids[] = {2};
	struct buf b = make(ids, 1, NULL, 0, NULL);
	CHECK(look(buf_view(&b), NULL, &r, &h) == VERIFY_HOLDS && r.findings == 1 && r.records == 1 && r.sealed && r.answers[VERIFY_NOT_TRIED] == 1);
	if (h.problems || fault.text[0]) printf("# %s %s", fault.text, h.text.p);
	CHECK(strstr(h.text.p, "sealed by team.example") && strstr(h.text.p, "signed by team.example"));
	CHECK(verify_is_bundle(str_sub(buf_view(&b), 0, 4096)));
	CHECK(b.n < 12000);
	/* Nothing of other lines is in it. */
	CHECK(str_find(buf_view(&b), STR("sshd[6]"), 0) == SIZE_MAX);
	buf_done(&b), buf_done(&h.text);
	folder_remove();
}

TEST(correlations_come_with_the_rules_they_name)
{
	begin(true);
	struct verify_result r;
	struct heard h;
	struct case_file c;
	int64_t id = 0;
	need_ok(case_open(path, dir, &c, &fault) && case_db_int(c.db, "SELECT max(id) FROM finding WHERE kind = 'correlation'", &id, &fault), &fault);
	case_done(&c);
	int64_t ids[] = {1, id, 1};
	struct buf b = make(ids, 3, NULL, 0, NULL);
	CHECK(look(buf_view(&b), NULL, &r, &h) == VERIFY_HOLDS && r.findings == 2 && r.records == 3);
	CHECK(str_find(buf_view(&b), STR("rule-one"), 0) != SIZE_MAX && str_find(buf_view(&b), STR("rule-two"), 0) != SIZE_MAX);
	if (h.problems) printf("# %s", h.text.p);
	buf_done(&b), buf_done(&h.text);
	folder_remove();
}

TEST(ranges_are_complete_or_refused)
{
	begin(true);
	struct verify_result r;
	struct heard h;
	struct buf text = {0};
	int64_t ids[] = {3};
	struct disclose_range range[] = {{1, 4, 9}, {2, 0, 60}};
	struct verify_sources s = {&text, open_text, &maker_key};
	struct buf b = make(ids, 1, range, 2, &s);
	CHECK(look(buf_view(&b), NULL, &r, &h) == VERIFY_HOLDS);
	if (h.problems) printf("# %s", h.text.p);
	CHECK(strstr(h.text.p, "leaves 4 to 12 of 60 are all shown") && strstr(h.text.p, "leaves 0 to 59 of 60"));
	buf_done(&h.text);
	/* A claim that goes further than what is shown. */
	char *claim = memmem(b.p, b.n, "{\"first\":4,\"n\":9}", 17);
	NEED(claim);
	claim[15] = '8';
	CHECK(look(buf_view(&b), NULL, &r, &h) == VERIFY_HOLDS);
	buf_done(&h.text);
	claim[9] = '3';
	CHECK(look(buf_view(&b), NULL, &r, &h) == VERIFY_FAILS && strstr(h.text.p, "said to be complete is not"));
	buf_done(&h.text), buf_done(&b);
	/* Without the key, or beyond the end, or with another original, there is none. */
	struct case_file c;
	need_ok(case_open(path, dir, &c, &fault), &fault);
	struct disclose_options o = {NULL, 0, range, 1, NULL};
	CHECK(!disclose(&c, &o, &b, &fault) && fault.kind == FAULT_STATE);
	o.sources = &s;
	range[0].n = 57;
	CHECK(!disclose(&c, &o, &b, &fault) && fault.kind == FAULT_NOT_FOUND);
	struct salt_key wrong = {{9}};
	s.key = &wrong;
	range[0].n = 5;
	CHECK(!disclose(&c, &o, &b, &fault) && fault.kind == FAULT_VERIFY);
	case_done(&c);
	buf_done(&text);
	folder_remove();
}

TEST(an_unsealed_bundle_says_so_and_a_missing_finding_is_refused)
{
	begin(false);
	struct verify_result r;
	struct heard h;
	int64_t ids[] = {2, 4000};
	struct buf b = make(ids, 1, NULL, 0, NULL), none = {0};
	CHECK(look(buf_view(&b), NULL, &r, &h) == VERIFY_HOLDS && !r.sealed && strstr(h.text.p, "not sealed"));
	buf_done(&h.text), buf_done(&b);
	struct case_file c;
	need_ok(case_open(path, dir, &c, &fault), &fault);
	struct disclose_options o = {ids, 2, NULL, 0, NULL};
	CHECK(!disclose(&c, &o, &none, &fault) && fault.kind == FAULT_NOT_FOUND);
	case_done(&c);
	folder_remove();
}

/* What a bundle says, without how it is written: blanks between members mean nothing. */
TEST(every_changed_byte_of_a_bundle_is_found)
{
	begin(true);
	struct verify_result r;
	struct heard h;
	int64_t ids[] = {1, 2};
	const char *set = getenv("EXHIBIT_ROUNDS");
	int rounds = set ? atoi(set) : 100, found = 0, slack = 0;
	struct buf b = make(ids, 2, NULL, 0, NULL);
	CHECK(look(buf_view(&b), NULL, &r, &h) == VERIFY_HOLDS);
	buf_done(&h.text);
	uint64_t seed = 0x123456789abcdef;
	for (int i = 0; i < rounds; i++) {
		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		size_t at = (size_t)(seed >> 20) % b.n;
		char old = b.p[at];
		b.p[at] ^= (char)(1 + seed % 255);
		bool caught = look(buf_view(&b), NULL, &r, &h) == VERIFY_FAILS || !r.sealed;
		bool blank = (old == '\n' || old == ' ') && strchr(" \t\r\n", b.p[at]);
		if (caught) found++;
		else if (blank) slack++;
		else printf("# byte %zu: '%c' -> %02x was not noticed: %.60s\n", at, old, (unsigned char)b.p[at], b.p + (at > 30 ? at - 30 : 0));
		CHECK(caught || blank);
		CHECK(!caught || h.problems || fault.text[0] || !r.sealed);
		buf_done(&h.text);
		b.p[at] = old;
	}
	printf("# %d changes: %d found, %d mean nothing\n", rounds, found, slack);
	buf_done(&b);
	folder_remove();
}

TEST_MAIN
