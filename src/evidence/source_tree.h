/* source_tree: the record tree of one source: an RFC 6962 tree whose leaves are its records, salted.
 *
 * The bytes of the source are fed in file order while they are read for other reasons; a framing says where leaves begin and
 * end. It depends on the bytes alone, so that anyone with the file and the key gets the same tree (doc/format-case.md):
 *
 *	lines/1   a leaf a line: the bytes up to, without, LF; CR stays; a last line without LF is a leaf as well
 *	evtx/1    the file header, chunk headers, records and whatever lies between them, each a leaf, so that they cover the file;
 *	          and, as leaves of their own, the template definitions and name strings that lie inside records
 *	blocks/1  a leaf every 4,096 bytes: for formats whose records no framing knows
 *	records/1 what the caller says, by source_tree_add
 *
 * Leaves are in order of offset, a longer one before a shorter one inside it. Leaf hashes go to a leaf_store, so that proofs
 * can be made for records that turn out to matter long after they went by; memory is 48 bytes per 1,024 leaves.
 * A tree belongs to one thread at a time; several trees may be fed into one store at once, but after source_tree_finish
 * only one thread at a time may ask the trees of a store. */
#pragma once
#include "base/fault.h"
#include "evidence/multiproof.h"
#include "evidence/salt.h"

enum framing { FRAMING_LINES, FRAMING_EVTX, FRAMING_BLOCKS, FRAMING_RECORDS };
/* "lines/1" and so on; framing_parse is false on other words. */
const char *framing_word(enum framing f);
bool framing_parse(struct str word, enum framing *ret);
/* The framing for a reader's format name: evtx -> evtx/1, known binary formats -> blocks/1, else lines/1. */
enum framing framing_of_format(struct str format);

/* Where leaf hashes go: an unlinked file in `folder` (NULL: in memory only, for tests). Any thread. NULL and *f on failure. */
struct leaf_store;
struct leaf_store *leaf_store_new(const char *folder, struct fault *f);
void leaf_store_free(struct leaf_store *s);

struct source_tree;
/* `store` must outlive the tree. `salts` is copied. */
struct source_tree *source_tree_new(struct leaf_store *store, enum framing framing, const struct salt_stream *salts);
void source_tree_free(struct source_tree *t);
/* The next bytes of the source, cut into leaves by the framing (not for records/1). Never fails: a full disk shows at the end. */
void source_tree_feed(struct source_tree *t, const void *bytes, size_t n);
/* One leaf (records/1). offset must not decrease; at one offset length must decrease. False, nothing added, otherwise. */
bool source_tree_add(struct source_tree *t, uint64_t offset, const void *bytes, size_t n);
/* Ends the source; afterwards the questions below may be asked. False and *f when the store could not be written. */
bool source_tree_finish(struct source_tree *t, struct fault *f);

uint64_t source_tree_count(const struct source_tree *t);
struct hash source_tree_root(const struct source_tree *t);
enum framing source_tree_framing(const struct source_tree *t);

struct source_leaf {
	uint64_t index, offset, length;
	uint8_t salt[SALT_SIZE];
};
/* Leaf `index`. False and *f when the store cannot be read or there is no such leaf. */
bool source_tree_leaf(struct source_tree *t, uint64_t index, struct source_leaf *ret, struct fault *f);
/* The leaves that hold the bytes [offset, offset + length): the smallest single leaf, or the run *ret_first, *ret_n that covers
 * them (lines: but for the LFs between). FAULT_NOT_FOUND in *f when there are none, FAULT_IO when the store cannot be read. */
bool source_tree_cover(struct source_tree *t, uint64_t offset, uint64_t length, uint64_t *ret_first, uint64_t *ret_n, struct fault *f);

/* One multiproof for all leaves that `next_mark` gives (ascending, false at the end). *ret_root must equal source_tree_root. */
bool source_tree_prove(struct source_tree *t, bool (*next_mark)(void *arg, uint64_t *index), void *mark_arg,
	multiproof_emit *emit, void *emit_arg, struct hash *ret_root, struct fault *f);

/* The leaf hash of a record with its salt: merkle_leaf(0x01 || salt || bytes). */
struct hash source_leaf_hash(const uint8_t salt[SALT_SIZE], const void *bytes, size_t n);
