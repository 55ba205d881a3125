/* multiproof.c: proofs for many leaves at once. See multiproof.h.
 *
 * Making one: the stack holds the complete subtrees to the left, as in merkle.c. A subtree is clean (no mark below, its hash
 * not yet given out) or dirty. When a marked leaf comes, every clean subtree on the stack is a sibling on its path, and stands
 * left of it: they are given out, largest first. When a clean right half meets a dirty left half it is given out then. That is
 * the order of the walk in the header. */
#include "evidence/multiproof.h"

static void give(struct multiproof *p, struct multiproof_node *node)
{
	if (node->dirty || node->emitted) return;
	node->emitted = true;
	if (!p->failed && !p->emit(p->arg, &node->hash)) p->failed = true;
}

static struct multiproof_node join(struct multiproof *p, struct multiproof_node *left, struct multiproof_node *right)
{
	bool left_out = left->dirty || left->emitted, right_out = right->dirty || right->emitted;
	if (left_out && !right_out) give(p, right);
	/* A clean left half beside a dirty right half was given out when the mark came. */
	return (struct multiproof_node){.hash = merkle_node(&left->hash, &right->hash), .dirty = left_out || right_out};
}

static void push(struct multiproof *p, struct multiproof_node node, unsigned level)
{
	unsigned top = (unsigned)__builtin_popcountll(p->n);
	for (uint64_t bit = 1ULL << level; p->n & bit; bit <<= 1) node = join(p, &p->stack[--top], &node);
	p->stack[top] = node;
	p->n += 1ULL << level;
}

void multiproof_add(struct multiproof *p, const struct hash *leaf, bool marked)
{
	if (marked) {
		p->any_marked = true;
		unsigned top = (unsigned)__builtin_popcountll(p->n);
		for (unsigned i = 0; i < top; i++) give(p, &p->stack[i]);
	}
	push(p, (struct multiproof_node){.hash = *leaf, .dirty = marked}, 0);
}

bool multiproof_add_subtree(struct multiproof *p, const struct hash *root, unsigned level)
{
	if (level > 62 || (p->n & ((1ULL << level) - 1))) return false;
	push(p, (struct multiproof_node){.hash = *root}, level);
	return true;
}

bool multiproof_end(struct multiproof *p, struct hash *ret_root)
{
	unsigned top = (unsigned)__builtin_popcountll(p->n);
	struct multiproof_node node = {.hash = merkle_empty()};
	if (top) node = p->stack[--top];
	while (top) {
		struct multiproof_node *left = &p->stack[--top];
		node = join(p, left, &node);
	}
	if (!p->any_marked) {
		node.dirty = node.emitted = false;
		give(p, &node);
	}
	*ret_root = node.hash;
	return !p->failed;
}

struct checker {
	const struct multiproof_input *in;
	bool more;           /* `index` and `leaf` are the next mark */
	uint64_t index;
	struct hash leaf;
};

static bool next_mark(struct checker *c)
{
	uint64_t before = c->index;
	bool first = !c->more;
	c->more = c->in->marked(c->in->arg, &c->index, &c->leaf);
	return !c->more || first || c->index > before;
}

/* The walk of the header; as deep as the tree is high (64 at most). */
static bool walk(struct checker *c, uint64_t lo, uint64_t hi, struct hash *ret)
{
	if (!c->more || c->index >= hi) return c->in->proof(c->in->arg, ret);
	if (hi - lo == 1) {
		*ret = c->leaf;
		return next_mark(c);
	}
	uint64_t k = merkle_split(hi - lo);
	struct hash left, right;
	if (!walk(c, lo, lo + k, &left) || !walk(c, lo + k, hi, &right)) return false;
	*ret = merkle_node(&left, &right);
	return true;
}

bool multiproof_root(const struct multiproof_input *in, uint64_t n, struct hash *ret_root)
{
	struct checker c = {.in = in};
	struct hash root, extra;
	if (!next_mark(&c)) return false;
	if (n == 0) {
		if (c.more || !in->proof(in->arg, &root)) return false;
		struct hash none = merkle_empty();
		if (!hash_eq(&root, &none)) return false;
	} else if (!walk(&c, 0, n, &root)) {
		return false;
	}
	if (c.more || in->proof(in->arg, &extra)) return false;
	*ret_root = root;
	return true;
}

struct narrower {
	struct checker c;
	bool (*wanted)(void *arg, uint64_t *index);
	void *wanted_arg;
	uint64_t next;       /* wanted next; UINT64_MAX = no more */
	multiproof_emit *emit;
	void *emit_arg;
};

static void next_wanted(struct narrower *k)
{
	if (!k->wanted(k->wanted_arg, &k->next)) k->next = UINT64_MAX;
}

/* As walk; what holds nothing wanted becomes one hash of the new proof. */
static bool narrow(struct narrower *k, uint64_t lo, uint64_t hi, struct hash *ret)
{
	if (k->next >= hi) return walk(&k->c, lo, hi, ret) && k->emit(k->emit_arg, ret);
	if (!k->c.more || k->c.index >= hi || k->next < lo) return false;
	if (hi - lo == 1) {
		*ret = k->c.leaf;
		next_wanted(k);
		return next_mark(&k->c);
	}
	uint64_t half = merkle_split(hi - lo);
	struct hash left, right;
	if (!narrow(k, lo, lo + half, &left) || !narrow(k, lo + half, hi, &right)) return false;
	*ret = merkle_node(&left, &right);
	return true;
}

bool multiproof_narrow(const struct multiproof_input *in, uint64_t n, bool (*wanted)(void *arg, uint64_t *index), void *wanted_arg,
	multiproof_emit *emit, void *emit_arg, struct hash *ret_root)
{
	struct narrower k = {.c = {.in = in}, .wanted = wanted, .wanted_arg = wanted_arg, .emit = emit, .emit_arg = emit_arg};
	struct hash extra;
	next_wanted(&k);
	if (!n || !next_mark(&k.c) || !narrow(&k, 0, n, ret_root)) return false;
	return !k.c.more && k.next == UINT64_MAX && !in->proof(in->arg, &extra);
}

struct arrays {
	const uint64_t *indices;
	const struct hash *leaves, *proof;
	size_t n_marked, n_proof, mark, at;
	uint64_t wanted;
	struct hash *path;
	unsigned depth;
};

/* Like walk, over arrays, noting the siblings on the way back from the wanted leaf. */
static bool trace(struct arrays *a, uint64_t lo, uint64_t hi, struct hash *ret)
{
	if (a->mark == a->n_marked || a->indices[a->mark] >= hi) {
		if (a->at == a->n_proof) return false;
		*ret = a->proof[a->at++];
		return true;
	}
	if (a->indices[a->mark] < lo) return false;
	if (hi - lo == 1) {
		*ret = a->leaves[a->mark++];
		return true;
	}
	uint64_t k = merkle_split(hi - lo);
	struct hash left, right;
	if (!trace(a, lo, lo + k, &left) || !trace(a, lo + k, hi, &right)) return false;
	if (a->wanted >= lo && a->wanted < hi) a->path[a->depth++] = a->wanted < lo + k ? right : left;
	*ret = merkle_node(&left, &right);
	return true;
}

int multiproof_path(const uint64_t *indices, const struct hash *leaves, size_t n_marked, const struct hash *proof, size_t n_proof,
	uint64_t n, size_t i, struct hash path[MERKLE_MAX_PATH])
{
	struct hash root;
	if (i >= n_marked || indices[n_marked - 1] >= n) return -1;
	struct arrays a = {indices, leaves, proof, n_marked, n_proof, 0, 0, indices[i], path, 0};
	if (!trace(&a, 0, n, &root) || a.mark != n_marked || a.at != n_proof) return -1;
	return (int)a.depth;
}
