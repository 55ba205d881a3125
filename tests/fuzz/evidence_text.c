/* Any bytes as what parties exchange: the first byte chooses a signed note, a policy, a key, a proof as text, a DSSE envelope, a timestamp
 * response, a statement, a source to be framed. What is accepted prints back to what reads the same. */
#include "base/alloc.h"
#include "evidence/evidence.h"

static void notes(struct str s)
{
	struct signed_note n;
	struct checkpoint c;
	if (!signed_note_parse(s, &n, NULL)) return;
	verify(n.text.n < s.n && n.n_lines <= NOTE_MAX_SIGNATURES);
	if (!checkpoint_parse(n.text, &c, NULL)) return;
	struct buf b = {0};
	checkpoint_print(&c, &b);
	verify(str_eq(buf_view(&b), n.text));
	buf_done(&b);
}

static void policies(struct str s)
{
	struct policy p;
	bool holds[POLICY_MAX_NAMES] = {0};
	if (!policy_parse(s, &p, NULL)) return;
	(void)policy_quorum(&p, holds);
	policy_done(&p);
}

static void keys(struct str s)
{
	struct key_public k, again;
	struct buf b = {0};
	if (!key_public_parse(s, &k, NULL)) return;
	key_public_print(&k, &b);
	verify(key_public_parse(buf_view(&b), &again, NULL) && !memcmp(&k, &again, sizeof k));
	buf_done(&b);
}

static void proofs(struct str s)
{
	struct tlog_proof p;
	if (!tlog_proof_parse(s, &p, NULL)) return;
	struct hash leaf = merkle_leaf(p.extra, p.extra_n);
	(void)tlog_proof_holds(&p, &leaf, NULL, NULL);
	struct buf b = {0};
	tlog_proof_print(&p, &b);
	verify(str_eq(buf_view(&b), s));
	buf_done(&b);
	tlog_proof_done(&p);
}

static void envelopes(struct str s, struct arena *a)
{
	struct dsse d, again;
	if (!dsse_parse(s, a, &d, NULL)) return;
	struct buf b = {0};
	dsse_print(&d, &b);
	verify(dsse_parse(buf_view(&b), a, &again, NULL) && str_eq(d.payload, again.payload) && d.n == again.n);
	buf_done(&b);
}

static void framed(struct str s)
{
	struct salt_stream salts;
	struct leaf_store *store = leaf_store_new(NULL, NULL);
	salt_stream_init(&salts, &(struct salt_key){{1}}, SALT_SOURCE, 1, 1, STR("x"));
	for (int framing = FRAMING_LINES; framing <= FRAMING_BLOCKS; framing++) {
		struct hash roots[2];
		for (int k = 0; k < 2; k++) {
			struct source_tree *t = source_tree_new(store, framing, &salts);
			size_t step = k ? 4099 : s.n + 1;
			for (size_t at = 0; at < s.n; at += step) source_tree_feed(t, s.p + at, s.n - at < step ? s.n - at : step);
			verify(source_tree_finish(t, NULL));
			roots[k] = source_tree_root(t);
			source_tree_free(t);
		}
		verify(hash_eq(&roots[0], &roots[1]));
	}
	leaf_store_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size) return 0;
	struct str s = {(const char *)data + 1, size - 1}, type, predicate;
	struct arena a;
	struct statement_subject *v;
	struct tsp_result r;
	uint8_t digest[32] = {0};
	size_t n;
	arena_init(&a, 16 << 20);
	switch (data[0] % 8) {
	case 0: notes(s); break;
	case 1: policies(s); break;
	case 2: keys(s); break;
	case 3: proofs(s); break;
	case 4: envelopes(s, &a); break;
	case 5: (void)tsp_check(s, (struct str){0}, digest, NULL, &r, NULL); break;
	case 6: (void)statement_parse(s, &a, &v, &n, &type, &predicate, NULL); break;
	case 7: framed(s); break;
	}
	arena_done(&a);
	return 0;
}
