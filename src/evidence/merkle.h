/* merkle: RFC 6962 section 2.1 hash trees with SHA-256 (the same as RFC 9162 section 2.1), grown leaf by leaf.
 *
 *	root of nothing = SHA-256("")     leaf(d) = SHA-256(0x00 || d)     node(l, r) = SHA-256(0x01 || l || r)
 * A tree of n leaves splits at the largest power of two below n; an odd last leaf is never doubled.
 *
 * A `struct merkle` holds what the next leaf needs and no more: one hash per bit of the number of leaves. Many proofs at once
 * are in evidence/multiproof.h; what the leaves of a log file are is in evidence/source_tree.h. Pure functions, any thread;
 * a struct belongs to one thread at a time. */
#pragma once
#include "base/sha256.h"

struct hash { uint8_t b[SHA256_SIZE]; };
static inline bool hash_eq(const struct hash *a, const struct hash *b) { return memcmp(a->b, b->b, SHA256_SIZE) == 0; }

struct hash merkle_empty(void);
struct hash merkle_leaf(const void *data, size_t n);
struct hash merkle_node(const struct hash *left, const struct hash *right);

/* A leaf whose data come in pieces: begin, add..., end. Short ones are gathered and hashed at once. */
struct merkle_leaf_state {
	_Alignas(64) uint8_t gathered[1024];
	size_t n;
	bool streaming;                     /* too long to gather: the rest goes through `opaque` */
	_Alignas(16) uint8_t opaque[128];
};
void merkle_leaf_begin(struct merkle_leaf_state *s);
void merkle_leaf_add(struct merkle_leaf_state *s, const void *data, size_t n);
struct hash merkle_leaf_end(struct merkle_leaf_state *s);
/* Two leaves ended together: the same hashes, in less time where the processor can. */
void merkle_leaf_end_two(struct merkle_leaf_state *a, struct hash *ret_a, struct merkle_leaf_state *b, struct hash *ret_b);
/* The root of a complete tree of 2^level leaves, which are overwritten. */
struct hash merkle_root_complete(struct hash *nodes, unsigned level);

/* Roots of the complete subtrees the leaves so far fall into, largest first: one for each 1 bit of n. {0} is the empty tree. */
struct merkle {
	uint64_t n;
	struct hash stack[64];
};
void merkle_add(struct merkle *m, const struct hash *leaf);
/* Adds a complete subtree of 2^level leaves by its root. Only where n is a multiple of 2^level: false otherwise, nothing changes. */
bool merkle_add_subtree(struct merkle *m, const struct hash *root, unsigned level);
/* The root of what was added so far; more may be added afterwards. */
struct hash merkle_root(const struct merkle *m);
/* The largest power of two below n (n >= 2). */
static inline uint64_t merkle_split(uint64_t n) { return 1ULL << (63 - __builtin_clzll(n - 1)); }

/* Proofs over an array of leaf hashes: for small trees, and the reference the other ways are tested against.
 * A path has at most 64 hashes; sibling of the leaf first. */
enum { MERKLE_MAX_PATH = 64 };
struct hash merkle_root_of(const struct hash *leaves, uint64_t n);
/* RFC 6962 2.1.1 PATH(index, D[n]); returns how many hashes were written. index < n. */
unsigned merkle_path(const struct hash *leaves, uint64_t n, uint64_t index, struct hash path[MERKLE_MAX_PATH]);
/* RFC 6962 2.1.2 PROOF(m, D[n]), 0 < m <= n; at most MERKLE_MAX_PATH + 1 hashes. */
unsigned merkle_consistency(const struct hash *leaves, uint64_t m, uint64_t n, struct hash proof[MERKLE_MAX_PATH + 1]);
/* RFC 9162 2.1.3.2: this leaf is at `index` in the tree of n leaves with this root. */
bool merkle_path_ok(const struct hash *leaf, uint64_t index, uint64_t n, const struct hash *path, size_t n_path, const struct hash *root);
/* RFC 9162 2.1.4.2: the tree of n leaves with root `newer` begins with the m leaves under `older`. An empty older tree (m == 0)
 * is consistent with anything, by an empty proof. */
bool merkle_consistency_ok(uint64_t m, const struct hash *older, uint64_t n, const struct hash *newer, const struct hash *proof, size_t n_proof);
