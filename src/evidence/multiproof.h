/* multiproof: one proof for many leaves of one tree: the fewest hashes from which, with the marked leaves, the root follows.
 *
 * The proof is a sequence of hashes in the order in which this walk meets them, left before right:
 *
 *	root(lo, hi):  no marked leaf in [lo, hi)      -> the next hash of the proof
 *	               hi - lo == 1                     -> the marked leaf
 *	               k = largest power of two < hi-lo -> node(root(lo, lo+k), root(lo+k, hi))
 *
 * With one marked leaf it holds the hashes of its RFC 6962 audit path, in another order; with many it is far smaller than
 * their paths: k leaves of n take about k log2(n/k) hashes. Each node is hashed once when it is checked.
 * An empty tree or a tree without marks is proven by its root alone. One thread a struct; budget: O(log n) memory, the
 * proof goes to the caller's `emit`. */
#pragma once
#include "evidence/merkle.h"

/* Takes one hash of the proof; false stops the work (a write failed). */
typedef bool multiproof_emit(void *arg, const struct hash *h);

struct multiproof_node { struct hash hash; bool dirty /* a mark below, or part of the proof */, emitted; };
/* Makes a proof while the leaves go by. {.emit = ..., .arg = ...} starts it. */
struct multiproof {
	multiproof_emit *emit;
	void *arg;
	uint64_t n;
	bool any_marked, failed;
	struct multiproof_node stack[64];
};
/* The next leaf, and whether the proof is to show it. */
void multiproof_add(struct multiproof *p, const struct hash *leaf, bool marked);
/* A complete subtree of 2^level leaves without marks; false, and nothing changes, where n is no multiple of 2^level. */
bool multiproof_add_subtree(struct multiproof *p, const struct hash *root, unsigned level);
/* Ends the proof: emits what is left, fills the root. False when an emit failed. */
bool multiproof_end(struct multiproof *p, struct hash *ret_root);

/* Checking. `marked` gives the marked leaves in ascending order of index, `proof` the hashes; both return false at their end. */
struct multiproof_input {
	void *arg;
	bool (*marked)(void *arg, uint64_t *index, struct hash *leaf);
	bool (*proof)(void *arg, struct hash *h);
};
/* The root that follows. False when there are too few or too many hashes or marks, an index is not ascending or not below n:
 * then the proof proves nothing. */
bool multiproof_root(const struct multiproof_input *in, uint64_t n, struct hash *ret_root);

/* The audit path (sibling first) of the i-th marked leaf, when the proof and marks are arrays; returns its length, -1 when the
 * proof is malformed. indices ascending. */
int multiproof_path(const uint64_t *indices, const struct hash *leaves, size_t n_marked, const struct hash *proof, size_t n_proof,
	uint64_t n, size_t i, struct hash path[MERKLE_MAX_PATH]);

/* A smaller proof out of a larger one: for those marked leaves whose index `wanted` gives (ascending, each one of in->marked).
 * *ret_root as multiproof_root. False also when a wanted leaf is not marked, or an emit failed. */
bool multiproof_narrow(const struct multiproof_input *in, uint64_t n, bool (*wanted)(void *arg, uint64_t *index), void *wanted_arg,
	multiproof_emit *emit, void *emit_arg, struct hash *ret_root);
