/* salt: the random-looking bytes that keep a disclosed proof from giving away the neighbours of a record.
 *
 * An audit path hands out hashes of other leaves; a log line is mostly template, so that its unknown part could be found by
 * trying. Therefore leaf data = 0x01 || salt[16] || record bytes, and nobody without the key knows the salt of a leaf that
 * was not disclosed. To any verifier it stays plain RFC 6962.
 *
 * One ChaCha20 keystream a tree: salt i = bytes [16 i, 16 i + 16) of the stream under
 *	K_tree = HMAC-SHA256(K, label || 0x00 || be32(step) || be64(number) || path)
 * (why a stream and not one HMAC a leaf: doc/decisions/0071-salts.md). Nothing here is needed to check a disclosed record:
 * its salt comes with it. */
#pragma once
#include "base/str.h"

enum { SALT_SIZE = 16, SALT_KEY_SIZE = 32 };
#define SALT_LEAF_TAG 0x01

struct salt_key { uint8_t b[SALT_KEY_SIZE]; };

/* One thread a struct. */
struct salt_stream {
	uint8_t key[32];
	uint64_t block;      /* which 1 KiB of the stream is in `bytes`; UINT64_MAX = none */
	uint8_t bytes[1024];
};
/* `label` parts uses of one key: SALT_SOURCE for the tree of a source, SALT_ROWS for the tree of a case. */
#define SALT_SOURCE "exhibit source"
#define SALT_ROWS "exhibit rows"
void salt_stream_init(struct salt_stream *s, const struct salt_key *key, const char *label, uint32_t step, uint64_t number, struct str path);
/* The salt of leaf `index`; valid until the next call. Ascending indices cost about a tenth of a hash. */
const uint8_t *salt_at(struct salt_stream *s, uint64_t index);
