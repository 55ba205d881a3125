/* Keys, notes, cosignatures, policies, proofs as text, timestamps: the published vectors, and what must be refused. */
#include "tests/check.h"
#include "base/base.h"
#include "evidence/evidence.h"
#include <fcntl.h>
#include <sys/stat.h>

static const char log_vkey[] = "example.org/logs/host1+9b7f1286+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
static const char party_vkey[] = "cert.example/party1+9a531bf4+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
static const char body[] = "example.org/logs/host1\n7\no+I7Msy2v5bQktFl2KpUbgmCnejwOw6JV1gdHha5K98=\n";
static const char log_line[] =
	"\xe2\x80\x94 example.org/logs/host1 m38ShhIq/O+9CxUcO6S6yNocu9s9hcxBIAQsXA5ju/tQhS6mH+G6leTMOoguCwBi7tYOBxucZa2Obj8cckEtfIAs7ww=\n";
static const char party_line[] =
	"\xe2\x80\x94 cert.example/party1 "
	"mlMb9AAAAABlU/EAARHP3Q/WZt6gGJGwj3aiT/Y5+NK9mK7kS2gkMiSxTZjP6qz/XmNkgdwWEP42eX++GHrRrgYTWmMKoqw+u2rwDA==\n";

static struct key_private seeded(const char *name, enum key_type type, int first)
{
	struct key_private k;
	uint8_t seed[32];
	for (int i = 0; i < 32; i++) seed[i] = (uint8_t)(first + i);
	NEED(key_from_seed(str_of(name), type, seed, &k, NULL));
	return k;
}

static void check_buf(struct buf *b, const char *want)
{
	buf_byte(b, 0);
	CHECK_STR(b->p, want);
	buf_done(b);
}

static struct str whole_note(char out[1024])
{
	return (struct str){out, (size_t)snprintf(out, 1024, "%s\n%s%s", body, log_line, party_line)};
}

TEST(keys_of_the_vector)
{
	struct key_private log = seeded("example.org/logs/host1", KEY_NOTE, 0), party = seeded("cert.example/party1", KEY_COSIGNER, 0x20);
	struct buf b = {0};
	key_public_print(&log.public, &b);
	check_buf(&b, log_vkey);
	b = (struct buf){0};
	key_public_print(&party.public, &b);
	check_buf(&b, party_vkey);
	struct key_public p;
	CHECK(key_public_parse(STR(log_vkey), &p, NULL) && !memcmp(&p, &log.public, sizeof p));
	struct key_private q;
	b = (struct buf){0};
	key_private_print(&party, &b);
	CHECK(key_private_parse(buf_view(&b), &q, NULL) && !memcmp(&q, &party, sizeof q));
	b.p[b.n - 3] ^= 2;
	CHECK(!key_private_parse(buf_view(&b), &q, NULL));
	buf_done(&b);
	struct fault f = FAULT_INIT;
	char wrong[sizeof log_vkey];
	memcpy(wrong, log_vkey, sizeof wrong);
	wrong[24] ^= 1;
	CHECK(!key_public_parse(str_of(wrong), &p, &f) && f.kind == FAULT_VERIFY);
	CHECK(!key_public_parse(STR("a+b"), &p, &f) && f.kind == FAULT_SYNTAX);
	CHECK(!key_public_parse(STR("a+00000000+Ag=="), &p, &f) && f.kind == FAULT_SYNTAX);
	CHECK(!key_public_parse(STR("a+00000000+AgEC"), &p, &f) && f.kind == FAULT_UNSUPPORTED);
}

TEST(names_of_keys)
{
	static const char *const good[] = {"a", "cert.example/team", "\xd0\xbf\xd1\x80", "oid/1.2.3"};
	static const char *const bad[] = {"", "a b", "a+b", "a\tb", "a\xc2\xa0" "b", "a\xe3\x80\x80", "\xff", "a\nb"};
	for (size_t i = 0; i < COUNT(good); i++) CHECK(key_name_ok(str_of(good[i])));
	for (size_t i = 0; i < COUNT(bad); i++) CHECK(!key_name_ok(str_of(bad[i])));
}

TEST(the_checkpoint_vector_is_made_and_read)
{
	struct key_private log = seeded("example.org/logs/host1", KEY_NOTE, 0), party = seeded("cert.example/party1", KEY_COSIGNER, 0x20);
	struct buf b = {0};
	signed_note_sign(STR(body), &log, 0, &b);
	check_buf(&b, log_line);
	b = (struct buf){0};
	signed_note_sign(STR(body), &party, 1700000000, &b);
	check_buf(&b, party_line);

	char text[1024];
	struct signed_note n;
	NEED(signed_note_parse(whole_note(text), &n, NULL));
	CHECK(str_eq(n.text, STR(body)) && n.n_lines == 2);
	CHECK(n.signed_part.n == sizeof body - 1 + 1 + sizeof log_line - 1);
	uint64_t time = 1;
	CHECK(signed_note_check(&n, &log.public, &time) == NOTE_GOOD && time == 0);
	CHECK(signed_note_check(&n, &party.public, &time) == NOTE_GOOD && time == 1700000000);
	struct key_private stranger = seeded("cert.example/party2", KEY_COSIGNER, 0x20);
	CHECK(signed_note_check(&n, &stranger.public, &time) == NOTE_UNKNOWN);

	struct checkpoint c;
	NEED(checkpoint_parse(n.text, &c, NULL));
	CHECK(c.size == 7 && str_eq(c.origin, STR("example.org/logs/host1")) && c.extensions.n == 0);
	b = (struct buf){0};
	checkpoint_print(&c, &b);
	check_buf(&b, body);
}

TEST(every_changed_bit_of_a_note_is_noticed)
{
	struct key_private log = seeded("example.org/logs/host1", KEY_NOTE, 0), party = seeded("cert.example/party1", KEY_COSIGNER, 0x20);
	char text[1024];
	struct str s = whole_note(text);
	for (size_t i = 0; i < s.n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			struct signed_note n;
			text[i] ^= (char)(1 << bit);
			bool both = signed_note_parse(s, &n, NULL) && signed_note_check(&n, &log.public, NULL) == NOTE_GOOD && signed_note_check(&n, &party.public, NULL) == NOTE_GOOD;
			CHECK(!both);
			text[i] ^= (char)(1 << bit);
		}
	}
}

TEST(the_c2sp_example_holds)
{
	static const char note[] = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
		"\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
	struct key_public key;
	struct signed_note n;
	NEED(key_public_parse(STR("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"), &key, NULL));
	NEED(signed_note_parse(STR(note), &n, NULL));
	CHECK(signed_note_check(&n, &key, NULL) == NOTE_GOOD);
}

TEST(what_is_no_note)
{
	static const char *const bad[] = {"", "\n", "text\n", "text\n\n", "text\n\nno dash\n", "text\n\n\xe2\x80\x94 name\n", "text\n\n\xe2\x80\x94 name AAAA\n",
		"te\rxt\n\n\xe2\x80\x94 name AAAAAAAA\n", "text\n\n\xe2\x80\x94 name AAAAAAAA", "te\xff\n\n\xe2\x80\x94 name AAAAAAAA\n",
		"text\n\n\xe2\x80\x94 na+me AAAAAAAA\n", "text\n\n\xe2\x80\x94 name AAAAAAAA more\n"};
	struct signed_note n;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct fault f = FAULT_INIT;
		bool parsed = signed_note_parse(str_of(bad[i]), &n, &f);
		/* Text and an empty line, nothing below: no signature, so nothing can hold. */
		CHECK(!parsed || (i == 3 && n.n_lines == 0));
	}
	struct checkpoint c;
	static const char *const no_checkpoint[] = {"", "o\n", "o\n07\no+I7Msy2v5bQktFl2KpUbgmCnejwOw6JV1gdHha5K98=\n", "o\n7\nAAAA\n", "o\n7\n",
		"o\n7\no+I7Msy2v5bQktFl2KpUbgmCnejwOw6JV1gdHha5K98=\n\nx\n", "\n7\no+I7Msy2v5bQktFl2KpUbgmCnejwOw6JV1gdHha5K98=\n"};
	for (size_t i = 0; i < COUNT(no_checkpoint); i++) CHECK(!checkpoint_parse(str_of(no_checkpoint[i]), &c, NULL));
	struct buf many = {0};
	buf_lit(&many, "t\n\n");
	for (int i = 0; i < 16; i++) buf_lit(&many, "\xe2\x80\x94 name AAAAAAAA\n");
	CHECK(signed_note_parse(buf_view(&many), &n, NULL) && n.n_lines == 16);
	for (int i = 0; i < 50; i++) buf_lit(&many, "\xe2\x80\x94 name AAAAAAAA\n");
	CHECK(!signed_note_parse(buf_view(&many), &n, NULL));
	buf_done(&many);
}

static bool parses(const char *text)
{
	struct policy p;
	struct fault f = FAULT_INIT;
	bool ok = policy_parse(str_of(text), &p, &f);
	if (ok) policy_done(&p);
	return ok;
}

TEST(policies_two_of_three_and_groups_of_groups)
{
	char text[4096], note[4096];
	struct key_private log = seeded("example.org/logs/host1", KEY_NOTE, 0), w[3];
	struct buf b = {0};
	for (int i = 0; i < 3; i++) {
		w[i] = seeded((const char *[]){"w1", "w2", "w3"}[i], KEY_COSIGNER, 0x30 + i);
		buf_printf(&b, "witness X%d ", i);
		key_public_print(&w[i].public, &b);
		buf_byte(&b, '\n');
	}
	buf_byte(&b, 0);
	snprintf(text, sizeof text, "# who\nlog %s https://example.org/\n%sgroup two 2 X0 X1\n \t \ngroup all all two X2\nquorum all\n", log_vkey, b.p);
	struct policy p;
	NEED(policy_parse(str_of(text), &p, NULL));
	for (int set = 0; set < 8; set++) {
		struct buf n = {0};
		buf_put(&n, body, sizeof body - 1);
		buf_byte(&n, '\n');
		signed_note_sign(STR(body), &log, 0, &n);
		for (int i = 0; i < 3; i++)
			if (set >> i & 1) signed_note_sign(STR(body), &w[i], 1700000000, &n);
		struct signed_note parsed;
		struct policy_result r;
		NEED(signed_note_parse(buf_view(&n), &parsed, NULL));
		CHECK(policy_check_note(&p, &parsed, &r) == (set == 7));
		CHECK(r.log_ok && r.quorum_ok == (set == 7) && !r.bad);
		buf_done(&n);
	}
	policy_done(&p);
	/* Without the log's own signature nothing helps. */
	snprintf(note, sizeof note, "log %s\nquorum none\n", log_vkey);
	NEED(policy_parse(str_of(note), &p, NULL));
	struct buf n = {0};
	buf_put(&n, body, sizeof body - 1);
	buf_byte(&n, '\n');
	signed_note_sign(STR(body), &w[0], 5, &n);
	struct signed_note parsed;
	struct policy_result r;
	NEED(signed_note_parse(buf_view(&n), &parsed, NULL));
	CHECK(!policy_check_note(&p, &parsed, &r) && !r.log_ok);
	policy_done(&p);
	buf_done(&n);
	buf_done(&b);
}

TEST(what_is_no_policy)
{
	char text[2048];
	CHECK(parses("quorum none\n"));
	CHECK(parses("# c\n\n quorum\tnone "));
	CHECK(!parses("") && !parses("quorum none\nquorum none\n") && !parses("quorum X\n") && !parses("nonsense\n") && !parses("quorum none\r\n"));
	snprintf(text, sizeof text, "witness A %s\ngroup g 2 A\nquorum g\n", party_vkey);
	CHECK(!parses(text));
	snprintf(text, sizeof text, "witness A %s\ngroup g any A A\nquorum g\n", party_vkey);
	CHECK(!parses(text));
	snprintf(text, sizeof text, "witness A %s\nwitness B %s\nquorum A\n", party_vkey, party_vkey);
	CHECK(!parses(text));
	snprintf(text, sizeof text, "group g any A\nwitness A %s\nquorum g\n", party_vkey);
	CHECK(!parses(text));
	snprintf(text, sizeof text, "witness none %s\nquorum none\n", party_vkey);
	CHECK(!parses(text));
	snprintf(text, sizeof text, "witness A %s\ngroup g any A\ngroup h any A\nquorum h\n", party_vkey);
	CHECK(!parses(text));
	struct policy p;
	struct fault f = FAULT_INIT;
	CHECK(!policy_parse(STR("quorum none\nwat x\n"), &p, &f) && f.line == 2);
}

TEST(a_proof_as_text_goes_there_and_back)
{
	struct hash leaves[7];
	for (int i = 0; i < 7; i++) leaves[i] = merkle_leaf(&(char){(char)('0' + i)}, 1);
	char note[1024];
	struct tlog_proof p = {.index = 4, .note = whole_note(note), .extra = (uint8_t *)"4", .extra_n = 1}, q;
	p.n_path = merkle_path(leaves, 7, 4, p.path);
	struct buf b = {0};
	tlog_proof_print(&p, &b);
	NEED(tlog_proof_parse(buf_view(&b), &q, NULL));
	CHECK(q.index == 4 && q.n_path == 3 && q.extra_n == 1 && q.extra[0] == '4' && str_eq(q.note, p.note));
	struct checkpoint c;
	CHECK(tlog_proof_holds(&q, &leaves[4], &c, NULL) && c.size == 7);
	struct fault f = FAULT_INIT;
	CHECK(!tlog_proof_holds(&q, &leaves[3], &c, &f) && f.kind == FAULT_VERIFY);
	tlog_proof_done(&q);
	for (size_t n = 0; n < b.n - p.note.n; n++) {
		bool ok = tlog_proof_parse((struct str){b.p, n}, &q, NULL);
		CHECK(!ok);
	}
	buf_done(&b);
}

TEST(dsse_encodes_signs_and_reads_back)
{
	struct buf b = {0};
	dsse_pae(STR("http://example.com/HelloWorld"), STR("hello world"), &b);
	check_buf(&b, "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
	struct key_private a = seeded("a", KEY_NOTE, 1), c = seeded("c", KEY_COSIGNER, 2), stranger = seeded("d", KEY_NOTE, 3);
	struct dsse d = {STR(DSSE_STATEMENT_TYPE), STR("{\"x\":\"\xc3\xa4\"}"), .v = {{.ed25519 = true}, {.ed25519 = true}}, .n = 2}, e;
	dsse_sign(d.payload_type, d.payload, &a, d.v[0].sig);
	dsse_sign(d.payload_type, d.payload, &c, d.v[1].sig);
	d.v[0].keyid = STR("hint \"1\"");
	b = (struct buf){0};
	dsse_print(&d, &b);
	struct arena arena;
	arena_init(&arena, 1 << 20);
	NEED(dsse_parse(buf_view(&b), &arena, &e, NULL));
	CHECK(str_eq(e.payload, d.payload) && str_eq(e.payload_type, d.payload_type) && e.n == 2 && str_eq(e.v[0].keyid, d.v[0].keyid));
	CHECK(dsse_signed_by(&e, &a.public) && dsse_signed_by(&e, &c.public) && !dsse_signed_by(&e, &stranger.public));
	/* The other alphabet, no padding. */
	static const char url[] = "{\"payloadType\":\"t\",\"payload\":\"-_8\",\"signatures\":[{\"sig\":\"AA\"}],\"more\":1}";
	CHECK(dsse_parse(STR(url), &arena, &e, NULL) && e.payload.n == 2 && !e.v[0].ed25519);
	static const char *const no[] = {"", "{}", "[]", "{\"payload\":\"\",\"payloadType\":\"\",\"signatures\":[]}",
		"{\"payload\":\"!\",\"payloadType\":\"\",\"signatures\":[{\"sig\":\"AA==\"}]}", "{\"payload\":1,\"payloadType\":\"\",\"signatures\":[{\"sig\":\"AA==\"}]}"};
	for (size_t i = 0; i < COUNT(no); i++) CHECK(!dsse_parse(str_of(no[i]), &arena, &e, NULL));
	/* Two of three, each key counted once however often it signed. */
	char text[1024];
	struct buf keys = {0};
	const struct key_private *all[] = {&a, &c, &stranger};
	for (int i = 0; i < 3; i++) {
		buf_printf(&keys, "witness P%d ", i);
		key_public_print(&all[i]->public, &keys);
		buf_byte(&keys, '\n');
	}
	snprintf(text, sizeof text, "%.*sgroup two 2 P0 P1 P2\nquorum two\n", (int)keys.n, keys.p);
	struct policy p;
	struct policy_result r;
	NEED(policy_parse(str_of(text), &p, NULL));
	CHECK(policy_check_dsse(&p, &d, &r) && r.holds[0] && r.holds[1] && !r.holds[2]);
	d.v[1] = d.v[0];
	CHECK(!policy_check_dsse(&p, &d, &r));
	policy_done(&p);
	buf_done(&keys);
	buf_done(&b);
	arena_done(&arena);
}

TEST(statements_name_their_subjects)
{
	struct statement_subject s[2] = {{STR("finding/1"), {0xab}}, {STR("a \"b\""), {0}}}, *back;
	struct buf b = {0};
	struct arena arena;
	struct str type, predicate;
	size_t n;
	arena_init(&arena, 1 << 20);
	statement_print(s, 2, STR("https://example.org/x/v1"), STR("{\"a\":1}"), &b);
	NEED(statement_parse(buf_view(&b), &arena, &back, &n, &type, &predicate, NULL));
	CHECK(n == 2 && str_eq(back[0].name, s[0].name) && back[0].sha256[0] == 0xab && str_eq(back[1].name, s[1].name));
	CHECK(str_eq(type, STR("https://example.org/x/v1")) && str_eq(predicate, STR("{\"a\":1}")));
	CHECK(!statement_parse(STR("{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[],\"predicateType\":\"\",\"predicate\":{}}"), &arena, &back, &n, &type, &predicate, NULL));
	CHECK(!statement_parse(STR("{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"x\"}],\"predicateType\":\"\",\"predicate\":{}}"), &arena, &back, &n, &type, &predicate, NULL));
	buf_done(&b);
	arena_done(&arena);
}

TEST(private_keys_are_private)
{
	char dir[] = "/tmp/exhibit-key-XXXXXX", path[64], salt_path[64];
	NEED(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/k", dir);
	snprintf(salt_path, sizeof salt_path, "%s/s", dir);
	struct key_private k, back;
	struct fault f = FAULT_INIT;
	NEED(key_generate(STR("team.example"), KEY_NOTE, &k, NULL));
	umask(0);
	CHECK(key_private_write(&k, path, NULL));
	struct stat st;
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK(!key_private_write(&k, path, &f) && f.kind == FAULT_IO);
	CHECK(key_private_read(path, &back, NULL) && !memcmp(&k, &back, sizeof k));
	chmod(path, 0640);
	CHECK(!key_private_read(path, &back, &f) && f.kind == FAULT_STATE);
	struct salt_key a, c;
	salt_key_generate(&a);
	CHECK(salt_key_write(&a, salt_path, NULL) && salt_key_read(salt_path, &c, NULL) && !memcmp(&a, &c, sizeof a));
	CHECK(!salt_key_read("/dev/null", &c, &f));
	unlink(path), unlink(salt_path), rmdir(dir);
}

TEST(timestamp_requests_are_the_bytes_openssl_reads)
{
	uint8_t digest[32], nonce[8] = {0xff, 1, 2, 3, 4, 5, 6, 7}, request[TSP_REQUEST_SIZE], back[32], back_nonce[8];
	sha256_of("abc", 3, digest);
	tsp_request(digest, nonce, request);
	struct buf b = {0};
	buf_hex(&b, request, sizeof request);
	check_buf(&b, "30430201013031300d060960864801650304020105000420"
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad02087f010203040506070101ff");
	CHECK(tsp_request_parse((struct str){(char *)request, sizeof request}, back, back_nonce) && !memcmp(back, digest, 32) && back_nonce[0] == 0x7f);
	memset(nonce, 0, 8);
	tsp_request(digest, nonce, request);
	CHECK(request[58] == 1);
	CHECK(!tsp_request_parse((struct str){(char *)request, 68}, back, back_nonce));
}

TEST_MAIN
