/* sha256: FIPS 180-4's SHA-256, by OpenSSL's block function (SHA-NI where there is). A context belongs to one thread; the one-shot function may
 * be called from any.
 *
 * Rounds of one message wait for each other: SHA-NI is idle half of the time, and so is most of the processor. What need not be done at once can
 * therefore be put off (sha256_add_later) and done in the shade of other work: a block now and then between two steps of it
 * (sha256_some), or beside another message (sha256_beside). See doc/decisions/0175-hashing-in-the-shade.md. */
#pragma once
#include "base/str.h"

#define SHA256_SIZE 32
struct sha256;

struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *h);
void sha256_reset(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *bytes, size_t n);
/* As sha256_add, but the bytes are borrowed, and must stay as they are, until the next call of another function than sha256_some and
 * sha256_beside, sha256_settle at the latest. */
void sha256_add_later(struct sha256 *h, const void *bytes, size_t n);
/* Hashes a block of what was put off, if there is any. */
void sha256_some(struct sha256 *h);
/* Hashes all that was put off. */
void sha256_settle(struct sha256 *h);
/* The digest of other bytes; what h put off gets on as far meanwhile. */
void sha256_beside(struct sha256 *h, const void *bytes, size_t n, uint8_t ret[SHA256_SIZE]);
/* Writes the digest of all that was added; the context must be reset before it is used again. */
void sha256_end(struct sha256 *h, uint8_t ret[SHA256_SIZE]);
/* The digest of what was added so far, without ending. */
void sha256_peek(const struct sha256 *h, uint8_t ret[SHA256_SIZE]);
void sha256_of(const void *bytes, size_t n, uint8_t ret[SHA256_SIZE]);
