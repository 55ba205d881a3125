/* merkle.c: RFC 6962 trees. See merkle.h.
 *
 * Leaves and nodes are 2 to 20 blocks long, so that what surrounds the block function decides the speed: OpenSSL's low-level
 * SHA-256 (the same code, with SHA-NI where there is) is called directly, nodes by whole blocks, and where the processor
 * can, two messages at once; see doc/decisions/0070-small-hashes.md and 0073-two-hashes-at-once.md. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "evidence/merkle.h"
#include "base/sha_pair.h"
#include "base/alloc.h"
#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof ((struct merkle_leaf_state *)0)->opaque, "the state must hold OpenSSL's");

struct hash merkle_empty(void)
{
	struct hash h;
	sha256_of("", 0, h.b);
	return h;
}

static void be64_put(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, 8);
}

/* Pads the n bytes at p, which has room for it: 72 bytes and what is missing to a whole block. Returns the blocks. */
static size_t pad(uint8_t *p, size_t n)
{
	size_t whole = (n + 9 + 63) & ~(size_t)63;
	p[n] = 0x80;
	memset(p + n + 1, 0, whole - n - 9);
	be64_put(p + whole - 8, n * 8);
	return whole / 64;
}

static struct hash words_hash(const uint32_t words[8])
{
	struct hash h;
	for (int i = 0; i < 8; i++) {
		uint32_t v = __builtin_bswap32(words[i]);
		memcpy(h.b + 4 * i, &v, 4);
	}
	return h;
}

/* `blocks` more blocks, hashed where they lie. */
static void add_blocks(uint32_t words[8], const uint8_t *p, size_t blocks)
{
	SHA256_CTX c;
	SHA256_Init(&c);
	for (int i = 0; i < 8; i++) c.h[i] = words[i];
	SHA256_Update(&c, p, 64 * blocks);
	for (int i = 0; i < 8; i++) words[i] = (uint32_t)c.h[i];
}

/* The digest of the n bytes at p, with room as pad wants it. */
static struct hash digest_padded(uint8_t *p, size_t n)
{
	uint32_t words[8];
	size_t blocks = pad(p, n);
	memcpy(words, sha_pair_begin, sizeof words);
	add_blocks(words, p, blocks);
	return words_hash(words);
}

static void digest_two(uint8_t *p, size_t n, struct hash *ret_p, uint8_t *q, size_t m, struct hash *ret_q)
{
	uint32_t a[8], b[8];
	size_t blocks_p = pad(p, n), blocks_q = pad(q, m), both = blocks_p < blocks_q ? blocks_p : blocks_q;
	memcpy(a, sha_pair_begin, sizeof a);
	memcpy(b, sha_pair_begin, sizeof b);
	sha_pair_blocks(a, p, b, q, both);
	if (blocks_p > both) add_blocks(a, p + 64 * both, blocks_p - both);
	if (blocks_q > both) add_blocks(b, q + 64 * both, blocks_q - both);
	*ret_p = words_hash(a);
	*ret_q = words_hash(b);
}

void merkle_leaf_begin(struct merkle_leaf_state *s)
{
	s->gathered[0] = 0;
	s->n = 1;
	s->streaming = false;
}

void merkle_leaf_add(struct merkle_leaf_state *s, const void *data, size_t n)
{
	if (!n) return;
	SHA256_CTX *c = (SHA256_CTX *)s->opaque;
	if (!s->streaming && n <= sizeof s->gathered - 128 - s->n) {
		memcpy(s->gathered + s->n, data, n);
		s->n += n;
		return;
	}
	if (!s->streaming) {
		SHA256_Init(c);
		SHA256_Update(c, s->gathered, s->n);
		s->streaming = true;
	}
	SHA256_Update(c, data, n);
}

struct hash merkle_leaf_end(struct merkle_leaf_state *s)
{
	struct hash h;
	if (!s->streaming) return digest_padded(s->gathered, s->n);
	SHA256_Final(h.b, (SHA256_CTX *)s->opaque);
	return h;
}

void merkle_leaf_end_two(struct merkle_leaf_state *a, struct hash *ret_a, struct merkle_leaf_state *b, struct hash *ret_b)
{
	if (!a->streaming && !b->streaming && sha_pair_available()) {
		digest_two(a->gathered, a->n, ret_a, b->gathered, b->n, ret_b);
		return;
	}
	*ret_a = merkle_leaf_end(a);
	*ret_b = merkle_leaf_end(b);
}

struct hash merkle_leaf(const void *data, size_t n)
{
	struct merkle_leaf_state s;
	merkle_leaf_begin(&s);
	merkle_leaf_add(&s, data, n);
	return merkle_leaf_end(&s);
}

enum { NODE = 65 };

static void node_bytes(uint8_t block[128], const struct hash *left, const struct hash *right)
{
	block[0] = 1;
	memcpy(block + 1, left->b, 32);
	memcpy(block + 33, right->b, 32);
}

struct hash merkle_node(const struct hash *left, const struct hash *right)
{
	_Alignas(64) uint8_t block[128];
	node_bytes(block, left, right);
	return digest_padded(block, NODE);
}

struct hash merkle_root_complete(struct hash *nodes, unsigned level)
{
	_Alignas(64) uint8_t block[2][128];
	for (size_t n = (size_t)1 << level; n > 1; n /= 2) {
		size_t i = 0;
		for (; i + 1 < n / 2 && sha_pair_available(); i += 2) {
			node_bytes(block[0], &nodes[2 * i], &nodes[2 * i + 1]);
			node_bytes(block[1], &nodes[2 * i + 2], &nodes[2 * i + 3]);
			digest_two(block[0], NODE, &nodes[i], block[1], NODE, &nodes[i + 1]);
		}
		for (; i < n / 2; i++) nodes[i] = merkle_node(&nodes[2 * i], &nodes[2 * i + 1]);
	}
	return nodes[0];
}

bool merkle_add_subtree(struct merkle *m, const struct hash *root, unsigned level)
{
	if (level > 62 || (m->n & ((1ULL << level) - 1))) return false;
	unsigned top = (unsigned)__builtin_popcountll(m->n);
	struct hash h = *root;
	for (uint64_t bit = 1ULL << level; m->n & bit; bit <<= 1) h = merkle_node(&m->stack[--top], &h);
	m->stack[top] = h;
	m->n += 1ULL << level;
	return true;
}

void merkle_add(struct merkle *m, const struct hash *leaf) { (void)merkle_add_subtree(m, leaf, 0); }

struct hash merkle_root(const struct merkle *m)
{
	unsigned top = (unsigned)__builtin_popcountll(m->n);
	if (!top) return merkle_empty();
	struct hash h = m->stack[--top];
	while (top) h = merkle_node(&m->stack[--top], &h);
	return h;
}

struct hash merkle_root_of(const struct hash *leaves, uint64_t n)
{
	struct merkle m = {0};
	for (uint64_t i = 0; i < n; i++) merkle_add(&m, &leaves[i]);
	return merkle_root(&m);
}

unsigned merkle_path(const struct hash *leaves, uint64_t n, uint64_t index, struct hash path[MERKLE_MAX_PATH])
{
	/* From the root down the siblings come last first. */
	struct hash down[MERKLE_MAX_PATH];
	unsigned depth = 0;
	while (n > 1) {
		uint64_t k = merkle_split(n);
		if (index < k) {
			down[depth++] = merkle_root_of(leaves + k, n - k);
			n = k;
		} else {
			down[depth++] = merkle_root_of(leaves, k);
			leaves += k;
			index -= k;
			n -= k;
		}
	}
	for (unsigned i = 0; i < depth; i++) path[i] = down[depth - 1 - i];
	return depth;
}

/* RFC 6962 2.1.2 SUBPROOF(m, D[n], whole); bounded by the tree's height. */
static unsigned subproof(const struct hash *leaves, uint64_t m, uint64_t n, bool whole, struct hash *out)
{
	if (m == n) {
		if (whole) return 0;
		out[0] = merkle_root_of(leaves, n);
		return 1;
	}
	uint64_t k = merkle_split(n);
	unsigned count;
	if (m <= k) {
		count = subproof(leaves, m, k, whole, out);
		out[count] = merkle_root_of(leaves + k, n - k);
	} else {
		count = subproof(leaves + k, m - k, n - k, false, out);
		out[count] = merkle_root_of(leaves, k);
	}
	return count + 1;
}

unsigned merkle_consistency(const struct hash *leaves, uint64_t m, uint64_t n, struct hash proof[MERKLE_MAX_PATH + 1])
{
	return subproof(leaves, m, n, true, proof);
}

bool merkle_path_ok(const struct hash *leaf, uint64_t index, uint64_t n, const struct hash *path, size_t n_path, const struct hash *root)
{
	if (index >= n) return false;
	uint64_t fn = index, sn = n - 1;
	struct hash r = *leaf;
	for (size_t i = 0; i < n_path; i++) {
		if (sn == 0) return false;
		if ((fn & 1) || fn == sn) {
			r = merkle_node(&path[i], &r);
			while (!(fn & 1) && fn) fn >>= 1, sn >>= 1;
		} else {
			r = merkle_node(&r, &path[i]);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && hash_eq(&r, root);
}

bool merkle_consistency_ok(uint64_t m, const struct hash *older, uint64_t n, const struct hash *newer, const struct hash *proof, size_t n_proof)
{
	if (m > n) return false;
	if (m == 0) {
		struct hash none = merkle_empty();
		return n_proof == 0 && hash_eq(older, &none);
	}
	if (m == n) return n_proof == 0 && hash_eq(older, newer);
	uint64_t fn = m - 1, sn = n - 1;
	while (fn & 1) fn >>= 1, sn >>= 1;
	size_t at = 0;
	/* When m is a power of two the older root itself begins the proof and is left out. */
	bool power = (m & (m - 1)) == 0;
	if (!power && n_proof == 0) return false;
	struct hash fr = power ? *older : proof[at++], sr = fr;
	for (; at < n_proof; at++) {
		if (sn == 0) return false;
		if ((fn & 1) || fn == sn) {
			fr = merkle_node(&proof[at], &fr);
			sr = merkle_node(&proof[at], &sr);
			while (!(fn & 1) && fn) fn >>= 1, sn >>= 1;
		} else {
			sr = merkle_node(&sr, &proof[at]);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && hash_eq(&fr, older) && hash_eq(&sr, newer);
}
