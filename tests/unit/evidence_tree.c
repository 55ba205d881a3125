/* Trees and proofs: RFC 6962 vectors, and every way of proving held against every other. */
#include "tests/check.h"
#include "base/base.h"
#include "evidence/evidence.h"

static struct hash from_hex(const char *hex)
{
	struct hash h;
	for (int i = 0; i < 32; i++) {
		uint64_t v = 0;
		NEED(str_hex64(str_sub(str_of(hex), (size_t)i * 2, 2), &v));
		h.b[i] = (uint8_t)v;
	}
	return h;
}

static void check_hash(struct hash h, const char *hex)
{
	struct buf b = {0};
	buf_hex(&b, h.b, 32);
	buf_byte(&b, 0);
	CHECK_STR(b.p, hex);
	buf_done(&b);
}

static const char *const roots[] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"db3426e878068d28d269b6c87172322ce5372b65756d0789001d34835f601c03",
	"cb00989d94a569c0a678ae042b63dcd4625db96440517f37a6eb7976ea24ed4b",
	"725d5230db68f557470dc35f1d8865813acd7ebb07ad152774141decbae71327",
	"9f4a3fc20d4162dc37d4e23d907848731a76043ffff6d69288bf1abfbcff478e",
	"b6748f6ed7a99de7da84fd97e1a3bac6fab8999f4a43695cab9528a2de431147",
	"32805cc5e94134743d0aa580ef2ee332687b687fc2e4e2f72fee1cc712e0ba0c",
	"a3e23b32ccb6bf96d092d165d8aa546e09829de8f03b0e8957581d1e16b92bdf",
};

TEST(roots_of_the_records_0_to_6)
{
	struct merkle m = {0};
	check_hash(merkle_leaf("", 0), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
	for (int i = 0; i < 8; i++) {
		check_hash(merkle_root(&m), roots[i]);
		char c = (char)('0' + i);
		struct hash leaf = merkle_leaf(&c, 1);
		merkle_add(&m, &leaf);
	}
}

TEST(path_of_record_4_of_7)
{
	struct hash leaves[7], path[MERKLE_MAX_PATH];
	for (int i = 0; i < 7; i++) leaves[i] = merkle_leaf(&(char){(char)('0' + i)}, 1);
	NEED(merkle_path(leaves, 7, 4, path) == 3);
	check_hash(path[0], "53304f5e3fd4bcd20b39abdef2fe118031cc5ae8217bcea008dea7e27869348a");
	check_hash(path[1], "3bf9c81c231cae70b678d3f3038f9f4f6d6b9d7adcf9b378f25919ae53d17686");
	check_hash(path[2], roots[4]);
	struct hash root = from_hex(roots[7]);
	CHECK(merkle_path_ok(&leaves[4], 4, 7, path, 3, &root));
	CHECK(!merkle_path_ok(&leaves[4], 5, 7, path, 3, &root));
	CHECK(!merkle_path_ok(&leaves[4], 7, 7, path, 3, &root));
	CHECK(!merkle_path_ok(&leaves[4], 4, 7, path, 2, &root));
}

enum { MANY = 70 };
static void some_leaves(struct hash leaves[MANY])
{
	for (int i = 0; i < MANY; i++) leaves[i] = merkle_leaf(&i, sizeof i);
}

TEST(every_path_up_to_70_leaves_proves_its_leaf_and_no_other)
{
	struct hash leaves[MANY], path[MERKLE_MAX_PATH];
	some_leaves(leaves);
	for (uint64_t n = 1; n <= MANY; n++) {
		struct hash root = merkle_root_of(leaves, n);
		for (uint64_t i = 0; i < n; i++) {
			unsigned len = merkle_path(leaves, n, i, path);
			CHECK(merkle_path_ok(&leaves[i], i, n, path, len, &root));
			CHECK(!merkle_path_ok(&leaves[(i + 1) % MANY], i, n, path, len, &root));
			if (n > 1) CHECK(!merkle_path_ok(&leaves[i], (i + 1) % n, n, path, len, &root));
			if (len) path[len - 1].b[0] ^= 1;
			if (len) CHECK(!merkle_path_ok(&leaves[i], i, n, path, len, &root));
		}
	}
}

TEST(every_consistency_proof_up_to_70_leaves_holds_and_breaks_when_touched)
{
	struct hash leaves[MANY], proof[MERKLE_MAX_PATH + 1];
	some_leaves(leaves);
	for (uint64_t n = 1; n <= MANY; n++) {
		struct hash newer = merkle_root_of(leaves, n);
		for (uint64_t m = 1; m <= n; m++) {
			struct hash older = merkle_root_of(leaves, m);
			unsigned len = merkle_consistency(leaves, m, n, proof);
			CHECK(merkle_consistency_ok(m, &older, n, &newer, proof, len));
			if (m < n) CHECK(!merkle_consistency_ok(m, &newer, n, &newer, proof, len));
			if (len) proof[len / 2].b[31] ^= 0x80;
			if (len) CHECK(!merkle_consistency_ok(m, &older, n, &newer, proof, len));
			if (len) CHECK(!merkle_consistency_ok(m, &older, n, &newer, proof, len - 1));
		}
	}
	struct hash none = merkle_empty(), any = merkle_root_of(leaves, 5);
	CHECK(merkle_consistency_ok(0, &none, 5, &any, NULL, 0));
	CHECK(!merkle_consistency_ok(6, &any, 5, &any, NULL, 0));
}

struct collected { struct hash h[256]; size_t n, at; };
static bool collect(void *arg, const struct hash *h)
{
	struct collected *c = arg;
	if (c->n == COUNT(c->h)) return false;
	c->h[c->n++] = *h;
	return true;
}
struct marks { uint64_t index[MANY]; struct hash leaf[MANY]; size_t n, at; };
struct check_input { struct marks m; struct collected c; };
static bool give_mark(void *arg, uint64_t *index, struct hash *leaf)
{
	struct check_input *in = arg;
	if (in->m.at == in->m.n) return false;
	*index = in->m.index[in->m.at];
	*leaf = in->m.leaf[in->m.at++];
	return true;
}
static bool give_hash(void *arg, struct hash *h)
{
	struct check_input *in = arg;
	if (in->c.at == in->c.n) return false;
	*h = in->c.h[in->c.at++];
	return true;
}
static bool check_multi(struct check_input *in, uint64_t n, struct hash *root)
{
	in->m.at = in->c.at = 0;
	struct multiproof_input mi = {in, give_mark, give_hash};
	return multiproof_root(&mi, n, root);
}

/* The walk of multiproof.h, taken literally. */
static struct hash literal(const struct hash *leaves, uint64_t lo, uint64_t hi, uint64_t marks, struct collected *out)
{
	bool any = false;
	for (uint64_t i = lo; i < hi; i++) any |= marks >> (i % 64) & 1;
	struct hash h = merkle_root_of(leaves + lo, hi - lo);
	if (!any) collect(out, &h);
	else if (hi - lo > 1) {
		uint64_t k = merkle_split(hi - lo);
		literal(leaves, lo, lo + k, marks, out);
		literal(leaves, lo + k, hi, marks, out);
	}
	return h;
}

TEST(multiproofs_follow_their_definition_for_all_sets_of_marks)
{
	struct hash leaves[MANY];
	some_leaves(leaves);
	uint64_t seed = 88172645463325252ULL;
	for (uint64_t n = 0; n <= 40; n++) {
		struct hash root = merkle_root_of(leaves, n), got;
		for (int round = 0; round < (n <= 8 ? 1 << n : 60); round++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			uint64_t marks = n <= 8 ? (uint64_t)round : round % 3 ? seed & seed >> 9 & seed >> 23 : seed;
			struct check_input in = {0};
			struct collected made = {0};
			struct multiproof p = {.emit = collect, .arg = &made};
			for (uint64_t i = 0; i < n; i++) {
				bool marked = marks >> i & 1;
				multiproof_add(&p, &leaves[i], marked);
				if (marked) in.m.index[in.m.n] = i, in.m.leaf[in.m.n++] = leaves[i];
			}
			CHECK(multiproof_end(&p, &got) && hash_eq(&got, &root));
			if (n) literal(leaves, 0, n, marks, &in.c);
			else collect(&in.c, &root);
			CHECK(made.n == in.c.n && !memcmp(made.h, in.c.h, made.n * 32));
			CHECK(check_multi(&in, n, &got) && hash_eq(&got, &root));
			for (size_t i = 0; i < in.m.n; i++) {
				struct hash path[MERKLE_MAX_PATH], reference[MERKLE_MAX_PATH];
				int len = multiproof_path(in.m.index, in.m.leaf, in.m.n, made.h, made.n, n, i, path);
				NEED(len == (int)merkle_path(leaves, n, in.m.index[i], reference));
				CHECK(!memcmp(path, reference, (size_t)len * 32));
			}
		}
	}
}

struct wanted { uint64_t marks, n, at; };
static bool next_wanted(void *arg, uint64_t *index)
{
	struct wanted *w = arg;
	while (w->at < w->n && !(w->marks >> w->at & 1)) w->at++;
	if (w->at == w->n) return false;
	*index = w->at++;
	return true;
}

TEST(a_narrowed_proof_is_the_one_made_for_fewer_marks)
{
	struct hash leaves[MANY], root, want;
	some_leaves(leaves);
	uint64_t seed = 1234567;
	for (uint64_t n = 1; n <= 40; n++) {
		for (int round = 0; round < 30; round++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			uint64_t all = (seed | 1) & ((1ULL << n) - 1), few = all & seed >> 11;
			struct check_input in = {0};
			struct multiproof p = {.emit = collect, .arg = &in.c};
			for (uint64_t i = 0; i < n; i++) {
				bool marked = all >> i & 1;
				multiproof_add(&p, &leaves[i], marked);
				if (marked) in.m.index[in.m.n] = i, in.m.leaf[in.m.n++] = leaves[i];
			}
			NEED(multiproof_end(&p, &want));
			struct collected got = {0}, made = {0};
			struct wanted w = {few, n, 0};
			struct multiproof_input mi = {&in, give_mark, give_hash};
			CHECK(multiproof_narrow(&mi, n, next_wanted, &w, collect, &got, &root) && hash_eq(&root, &want));
			literal(leaves, 0, n, few, &made);
			CHECK(got.n == made.n && !memcmp(got.h, made.h, made.n * 32));
			/* What was not marked cannot be wanted. */
			if (all == (1ULL << n) - 1) continue;
			struct wanted other = {~all & ((1ULL << n) - 1), n, 0};
			in.m.at = in.c.at = 0;
			got.n = 0;
			CHECK(!multiproof_narrow(&mi, n, next_wanted, &other, collect, &got, &root));
		}
	}
}

TEST(multiproofs_with_too_much_or_too_little_prove_nothing)
{
	struct hash leaves[MANY], root = {0}, got;
	some_leaves(leaves);
	struct check_input good = {0};
	struct multiproof p = {.emit = collect, .arg = &good.c};
	for (uint64_t i = 0; i < 21; i++) {
		bool marked = i == 3 || i == 4 || i == 20;
		multiproof_add(&p, &leaves[i], marked);
		if (marked) good.m.index[good.m.n] = i, good.m.leaf[good.m.n++] = leaves[i];
	}
	NEED(multiproof_end(&p, &root));
	struct check_input in = good;
	CHECK(check_multi(&in, 21, &got) && hash_eq(&got, &root));
	in = good, in.c.n--;
	CHECK(!check_multi(&in, 21, &got));
	in = good, in.c.n++;
	CHECK(!check_multi(&in, 21, &got));
	in = good, in.m.n--;
	CHECK(!check_multi(&in, 21, &got) || !hash_eq(&got, &root));
	in = good, in.m.index[1] = 3;
	CHECK(!check_multi(&in, 21, &got));
	in = good, in.m.index[2] = 21;
	CHECK(!check_multi(&in, 21, &got));
	in = good, in.m.leaf[0].b[7] ^= 1;
	CHECK(check_multi(&in, 21, &got) && !hash_eq(&got, &root));
}

TEST(subtrees_stand_for_their_leaves)
{
	struct hash leaves[MANY];
	some_leaves(leaves);
	struct merkle m = {0};
	struct hash four = merkle_root_of(leaves, 4), two = merkle_root_of(leaves + 4, 2), root, want = merkle_root_of(leaves, 7);
	CHECK(merkle_add_subtree(&m, &four, 2));
	CHECK(!merkle_add_subtree(&m, &four, 3));
	CHECK(merkle_add_subtree(&m, &two, 1));
	merkle_add(&m, &leaves[6]);
	root = merkle_root(&m);
	CHECK(hash_eq(&root, &want));
}

/* --- record trees --- */

struct seen { uint64_t offset[4096], length[4096]; size_t n; };

static struct source_tree *tree_of(struct leaf_store *store, enum framing framing, const void *bytes, size_t n, size_t step)
{
	struct salt_key key = {{1, 2, 3}};
	struct salt_stream salts;
	salt_stream_init(&salts, &key, SALT_SOURCE, 1, 7, STR("a/b.log"));
	struct source_tree *t = source_tree_new(store, framing, &salts);
	for (size_t at = 0; at < n; at += step) source_tree_feed(t, (const char *)bytes + at, n - at < step ? n - at : step);
	struct fault f = FAULT_INIT;
	NEED(source_tree_finish(t, &f));
	return t;
}

TEST(lines_are_leaves_without_their_lf)
{
	static const char text[] = "one\r\n\ntwo\nlast without lf";
	struct leaf_store *store = leaf_store_new(NULL, NULL);
	static const uint64_t offsets[] = {0, 5, 6, 10}, lengths[] = {4, 0, 3, 15};
	struct hash roots_seen[3];
	for (size_t step = 1, k = 0; k < 3; step *= 5, k++) {
		struct source_tree *t = tree_of(store, FRAMING_LINES, text, sizeof text - 1, step);
		NEED(source_tree_count(t) == 4);
		struct hash leaves[4];
		for (uint64_t i = 0; i < 4; i++) {
			struct source_leaf l;
			NEED(source_tree_leaf(t, i, &l, NULL));
			CHECK(l.offset == offsets[i] && l.length == lengths[i]);
			leaves[i] = source_leaf_hash(l.salt, text + l.offset, l.length);
		}
		struct hash want = merkle_root_of(leaves, 4), got = source_tree_root(t);
		CHECK(hash_eq(&got, &want));
		roots_seen[k] = got;
		uint64_t first, n;
		CHECK(source_tree_cover(t, 6, 3, &first, &n, NULL) && first == 2 && n == 1);
		CHECK(source_tree_cover(t, 7, 1, &first, &n, NULL) && first == 2 && n == 1);
		CHECK(source_tree_cover(t, 6, 6, &first, &n, NULL) && first == 2 && n == 2);
		CHECK(source_tree_cover(t, 0, 25, &first, &n, NULL) && first == 0 && n == 4);
		struct fault f = FAULT_INIT;
		CHECK(!source_tree_cover(t, 10, 16, &first, &n, &f) && f.kind == FAULT_NOT_FOUND);
		source_tree_free(t);
	}
	CHECK(hash_eq(&roots_seen[0], &roots_seen[1]) && hash_eq(&roots_seen[0], &roots_seen[2]));
	leaf_store_free(store);
}

TEST(salts_differ_by_leaf_source_and_key_and_repeat_exactly)
{
	struct salt_key key = {{9}}, other = {{8}};
	struct salt_stream a, b, c, d;
	salt_stream_init(&a, &key, SALT_SOURCE, 1, 1, STR("x"));
	salt_stream_init(&b, &key, SALT_SOURCE, 1, 1, STR("x"));
	salt_stream_init(&c, &key, SALT_SOURCE, 1, 2, STR("x"));
	salt_stream_init(&d, &other, SALT_SOURCE, 1, 1, STR("x"));
	for (uint64_t i = 0; i < 300; i += 7) {
		uint8_t want[16];
		memcpy(want, salt_at(&a, i), 16);
		CHECK(!memcmp(want, salt_at(&b, 300 - i), 16) == (i == 150));
		CHECK(!memcmp(want, salt_at(&b, i), 16));
		CHECK(memcmp(want, salt_at(&c, i), 16));
		CHECK(memcmp(want, salt_at(&d, i), 16));
		CHECK(memcmp(want, salt_at(&a, i + 1), 16));
	}
	/* Neighbours across the stream's pieces are one run of the keystream. */
	uint8_t first[16];
	memcpy(first, salt_at(&a, 64), 16);
	salt_at(&a, 0);
	CHECK(!memcmp(first, salt_at(&a, 64), 16));
}

struct mark_list { const uint64_t *v; size_t n, at; };
static bool next_of_list(void *arg, uint64_t *index)
{
	struct mark_list *l = arg;
	if (l->at == l->n) return false;
	*index = l->v[l->at++];
	return true;
}

TEST(a_long_source_proves_single_lines_from_its_store)
{
	enum { N = 5000 };
	struct buf text = {0};
	for (int i = 0; i < N; i++) buf_printf(&text, "line %d of a log\n", i);
	struct leaf_store *store = leaf_store_new("/tmp", NULL);
	struct source_tree *t = tree_of(store, FRAMING_LINES, text.p, text.n, 777);
	NEED(source_tree_count(t) == N);
	static const uint64_t marks[] = {0, 1, 1023, 1024, 4999};
	struct mark_list list = {marks, COUNT(marks), 0};
	static struct check_input in;
	struct hash root, want = source_tree_root(t);
	NEED(source_tree_prove(t, next_of_list, &list, collect, &in.c, &root, NULL));
	CHECK(hash_eq(&root, &want));
	for (size_t i = 0; i < COUNT(marks); i++) {
		struct source_leaf l;
		NEED(source_tree_leaf(t, marks[i], &l, NULL));
		in.m.index[in.m.n] = marks[i];
		in.m.leaf[in.m.n++] = source_leaf_hash(l.salt, text.p + l.offset, l.length);
		uint64_t first, n;
		CHECK(source_tree_cover(t, l.offset, l.length, &first, &n, NULL) && first == marks[i] && n == 1);
	}
	CHECK(check_multi(&in, N, &root) && hash_eq(&root, &want));
	CHECK(in.c.n < 60);
	struct mark_list wrong = {(const uint64_t[]){5, 5}, 2, 0};
	CHECK(!source_tree_prove(t, next_of_list, &wrong, collect, &in.c, &root, NULL));
	source_tree_free(t);
	leaf_store_free(store);
	buf_done(&text);
}

static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }

TEST(evtx_leaves_cover_the_file_and_name_what_lies_inside_records)
{
	static uint8_t file[4096 + 65536 + 100];
	memcpy(file, "ElfFile", 8);
	uint8_t *c = file + 4096;
	memcpy(c, "ElfChnk", 8);
	put32(c + 512, 0x2a2a), put32(c + 516, 320), put32(c + 512 + 316, 320);
	put32(c + 832, 0x2a2a), put32(c + 836, 64), put32(c + 832 + 60, 64);
	/* A name (3 units) and a template (40 bytes of data) inside the first record, in chains that come back to themselves. */
	put32(c + 128, 560), put32(c + 560, 560), c[566] = 3;
	put32(c + 384, 600), put32(c + 600, 600), put32(c + 620, 40);
	/* A name that crosses the end of its record is no leaf. */
	put32(c + 132, 820), c[826] = 30;
	struct leaf_store *store = leaf_store_new(NULL, NULL);
	struct hash roots_seen[2];
	for (int k = 0; k < 2; k++) {
		struct source_tree *t = tree_of(store, FRAMING_EVTX, file, sizeof file, k ? 4097 : 65536);
		static const uint64_t want[][2] = {{0, 4096}, {4096, 512}, {4608, 320}, {4656, 16}, {4696, 64}, {4928, 64}, {4992, 64640}, {69632, 100}};
		NEED(source_tree_count(t) == COUNT(want));
		for (size_t i = 0; i < COUNT(want); i++) {
			struct source_leaf l;
			NEED(source_tree_leaf(t, i, &l, NULL));
			CHECK(l.offset == want[i][0] && l.length == want[i][1]);
		}
		uint64_t first, n;
		CHECK(source_tree_cover(t, 4608, 320, &first, &n, NULL) && first == 2 && n == 1);
		CHECK(source_tree_cover(t, 4696, 64, &first, &n, NULL) && first == 4);
		CHECK(source_tree_cover(t, 4700, 8, &first, &n, NULL) && first == 4);
		CHECK(source_tree_cover(t, 4890, 8, &first, &n, NULL) && first == 2);
		CHECK(source_tree_cover(t, 6000, 32, &first, &n, NULL) && first == 6);
		CHECK(!source_tree_cover(t, 4900, 64, &first, &n, NULL));
		roots_seen[k] = source_tree_root(t);
		source_tree_free(t);
	}
	CHECK(hash_eq(&roots_seen[0], &roots_seen[1]));
	leaf_store_free(store);
}

TEST(blocks_cover_anything)
{
	static uint8_t file[10000];
	struct leaf_store *store = leaf_store_new(NULL, NULL);
	struct source_tree *t = tree_of(store, FRAMING_BLOCKS, file, sizeof file, 3000);
	uint64_t first, n;
	CHECK(source_tree_count(t) == 3);
	CHECK(source_tree_cover(t, 4000, 200, &first, &n, NULL) && first == 0 && n == 2);
	CHECK(source_tree_cover(t, 8192, 1808, &first, &n, NULL) && first == 2 && n == 1);
	CHECK(!source_tree_cover(t, 9999, 2, &first, &n, NULL));
	source_tree_free(t);
	struct salt_stream salts;
	salt_stream_init(&salts, &(struct salt_key){{1}}, SALT_SOURCE, 1, 1, STR(""));
	t = source_tree_new(store, FRAMING_RECORDS, &salts);
	CHECK(source_tree_add(t, 10, "abcdef", 6) && source_tree_add(t, 10, "abc", 3) && source_tree_add(t, 30, "x", 1));
	CHECK(!source_tree_add(t, 30, "xy", 2) && !source_tree_add(t, 29, "x", 1));
	CHECK(source_tree_finish(t, NULL));
	CHECK(source_tree_cover(t, 10, 2, &first, &n, NULL) && first == 1);
	CHECK(source_tree_cover(t, 10, 5, &first, &n, NULL) && first == 0);
	source_tree_free(t);
	leaf_store_free(store);
}

/* By EVP, one message at a time, and by the definition: what the tree's own, two at a time, must equal. */
static struct hash slow_root(const struct hash *leaves, uint64_t n)
{
	struct hash h = leaves[0];
	if (n < 2) return h;
	uint64_t k = merkle_split(n);
	uint8_t node[65] = {1};
	struct hash l = slow_root(leaves, k), r = slow_root(leaves + k, n - k);
	memcpy(node + 1, l.b, 32);
	memcpy(node + 33, r.b, 32);
	sha256_of(node, sizeof node, h.b);
	return h;
}

TEST(leaves_of_every_length_hash_as_the_plain_way_does)
{
	enum { LINES = 3 * 1024 + 7 };
	struct buf text = {0};
	for (uint32_t i = 0; i < LINES; i++) {
		/* Neighbours of equal and of unequal numbers of blocks, empty ones, and some too long to be gathered. */
		size_t length = i % 97 == 0 ? 900 + i % 700 : i < 1024 ? i / 2 : i * 2654435761u >> 25;
		for (size_t b = 0; b < length; b++) buf_byte(&text, (char)('a' + (i * 31 + b * 7) % 26));
		buf_byte(&text, '\n');
	}
	struct leaf_store *store = leaf_store_new(NULL, NULL);
	struct hash *leaves = xcalloc(LINES, sizeof *leaves);
	struct buf one = {0};
	for (uint64_t n = LINES; n >= LINES - 1; n--) {
		struct source_tree *t = tree_of(store, FRAMING_LINES, text.p, text.n, 4093);
		NEED(source_tree_count(t) == n);
		for (uint64_t i = 0; i < n; i++) {
			struct source_leaf l;
			NEED(source_tree_leaf(t, i, &l, NULL));
			one.n = 0;
			buf_byte(&one, 0);
			buf_byte(&one, 1);
			buf_put(&one, l.salt, sizeof l.salt);
			buf_put(&one, text.p + l.offset, l.length);
			sha256_of(one.p, one.n, leaves[i].b);
		}
		struct hash want = slow_root(leaves, n), got = source_tree_root(t);
		CHECK(hash_eq(&got, &want));
		source_tree_free(t);
		/* Once more without the last line: an even number of leaves. */
		for (text.n--; text.n && text.p[text.n - 1] != '\n';) text.n--;
	}
	free(leaves);
	buf_done(&one);
	buf_done(&text);
	leaf_store_free(store);
}

TEST(an_empty_source_has_the_empty_root)
{
	struct leaf_store *store = leaf_store_new(NULL, NULL);
	for (int framing = FRAMING_LINES; framing <= FRAMING_BLOCKS; framing++) {
		struct source_tree *t = tree_of(store, framing, "", 0, 1);
		CHECK(source_tree_count(t) == 0);
		check_hash(source_tree_root(t), roots[0]);
		uint64_t first, n;
		CHECK(!source_tree_cover(t, 0, 0, &first, &n, NULL));
		source_tree_free(t);
	}
	leaf_store_free(store);
}

TEST_MAIN
