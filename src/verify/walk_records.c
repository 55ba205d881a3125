/* walk_records.c: records against their hashes, and against the roots of their sources by the proofs of their step. */
#include "verify/verify_internal.h"

void walk_record(struct verify_walk *w, const struct case_row *row)
{
	int64_t source = row_int_at(row, 2);
	struct str sha = row_str_at(row, 6), salt = row_str_at(row, 7), bytes = row_str_at(row, 8);
	uint8_t digest[32];
	w->r->records++;
	const struct source_seen *seen = seen_by_id(&w->sources, source);
	if (!seen || !seen->has_root || salt.n != SALT_SIZE) {
		walk_problem(w, row, "it names a source that is not there, or has no salt");
		return;
	}
	sha256_of(bytes.p, bytes.n, digest);
	if (sha.n != 32 || memcmp(sha.p, digest, 32)) walk_problem(w, row, "its bytes do not have the SHA-256 stated");
	if ((uint64_t)row_int_at(row, 5) != bytes.n) walk_problem(w, row, "its bytes do not have the length stated");
	if (w->partial) return; /* a bundle proves a source's leaves all at once */
	vec_push(&w->leaves, (struct leaf_of){source, (uint64_t)row_int_at(row, 3), source_leaf_hash((const uint8_t *)salt.p, bytes.p, bytes.n)});
	w->leaves_sorted = false;
}

static int by_place(const void *x, const void *y)
{
	const struct leaf_of *a = x, *b = y;
	if (a->source != b->source) return a->source < b->source ? -1 : 1;
	return (a->leaf > b->leaf) - (a->leaf < b->leaf);
}

struct proof_input {
	struct verify_walk *w;
	size_t at, end;      /* of the leaves */
	size_t proof_at;     /* of the proof's bytes */
};

static bool next_leaf(void *arg, uint64_t *index, struct hash *leaf)
{
	struct proof_input *in = arg;
	if (in->at == in->end) return false;
	*index = in->w->leaves.v[in->at].leaf;
	*leaf = in->w->leaves.v[in->at++].hash;
	return true;
}

static bool next_hash(void *arg, struct hash *h)
{
	struct proof_input *in = arg;
	if (in->w->proof.n - in->proof_at < sizeof h->b) return false;
	memcpy(h->b, in->w->proof.p + in->proof_at, sizeof h->b);
	in->proof_at += sizeof h->b;
	return true;
}

/* The proof gathered for one source, checked against its records of this step. */
static void check_proof(struct verify_walk *w)
{
	if (!w->proof_source) return;
	int64_t source = w->proof_source;
	struct hash root;
	struct proof_input in = {w, w->leaf_at, w->leaf_at, 0};
	while (in.end < w->leaves.n && w->leaves.v[in.end].source == source) in.end++;
	w->leaf_at = in.end;
	const struct source_seen *s = seen_by_id(&w->sources, source);
	struct multiproof_input mi = {&in, next_leaf, next_hash};
	bool any = in.end > in.at;
	if (!s || !s->has_root || !any || !multiproof_root(&mi, s->leaves, &root) || !hash_eq(&root, &s->root))
		verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "source", source, "the records cited in step %" PRId64 " are not all in its record tree", w->step);
	w->proof_source = 0;
	w->proof.n = 0;
}

void walk_proof(struct verify_walk *w, const struct case_row *row)
{
	int64_t source = row_int_at(row, 2), part = row_int_at(row, 3);
	if (!w->leaves_sorted) {
		if (w->leaves.n) qsort(w->leaves.v, w->leaves.n, sizeof *w->leaves.v, by_place);
		w->leaves_sorted = true;
		w->leaf_at = 0;
	}
	if (source != w->proof_source) {
		check_proof(w);
		w->proof_source = source;
		w->proof_part = 0;
	}
	if (source < 1 || part != w->proof_part++) walk_problem(w, row, "parts of a proof are missing or out of order");
	if (w->leaf_at < w->leaves.n && w->leaves.v[w->leaf_at].source != source) walk_problem(w, row, "the proofs do not follow the sources of the records");
	buf_str(&w->proof, row_str_at(row, 4));
}

void walk_proofs_done(struct verify_walk *w)
{
	check_proof(w);
	if (!w->leaves.n) return;
	if (!w->leaves_sorted || w->leaf_at < w->leaves.n)
		verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "source", w->leaves.v[w->leaves_sorted ? w->leaf_at : 0].source, "records cited in step %" PRId64 " have no proof", w->step);
	w->leaves.n = 0;
	w->leaf_at = 0;
	w->leaves_sorted = false;
}

bool slice_of(const struct buf *joined, uint64_t first_offset, uint64_t offset, uint64_t length, struct str *ret)
{
	if (offset < first_offset || offset - first_offset > joined->n || length > joined->n - (offset - first_offset)) return false;
	*ret = (struct str){joined->p + (offset - first_offset), length};
	return true;
}
