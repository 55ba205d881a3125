/* tlog_proof: one record's evidence as text (c2sp.org/tlog-proof@v1): index, audit path, the checkpoint with its signatures.
 *
 *	c2sp.org/tlog-proof@v1
 *	extra BASE64          optional, not authenticated: here the leaf's data (0x01 || salt || bytes)
 *	index DECIMAL
 *	BASE64...             sibling first
 *	(empty line)
 *	checkpoint, verbatim
 * Pure functions, any thread. */
#pragma once
#include "evidence/signed_note.h"

struct tlog_proof {
	uint8_t *extra;       /* malloc'd by the parser; NULL = none */
	size_t extra_n;
	uint64_t index;
	struct hash path[MERKLE_MAX_PATH];
	unsigned n_path;
	struct str note;      /* a view into the bytes parsed */
};
/* FAULT_SYNTAX with line. On failure nothing is held. */
bool tlog_proof_parse(struct str bytes, struct tlog_proof *ret, struct fault *f);
void tlog_proof_done(struct tlog_proof *p);
void tlog_proof_print(const struct tlog_proof *p, struct buf *out);
/* The leaf with this hash lies at proof->index under the checkpoint. Signatures are the caller's to check. *ret (may be NULL). */
bool tlog_proof_holds(const struct tlog_proof *p, const struct hash *leaf, struct checkpoint *ret, struct fault *f);
