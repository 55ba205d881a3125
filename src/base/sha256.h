/* sha256: SHA-256 by OpenSSL (SHA-NI where there is), with the digest fetched once per process (a fetch per call costs
 * a tenth of the speed). A context belongs to one thread; the one-shot function may be called from any. */
#pragma once
#include "base/str.h"

#define SHA256_SIZE 32
struct sha256;

struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *h);
void sha256_reset(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *bytes, size_t n);
/* Writes the digest of all that was added; the context must be reset before it is used again. */
void sha256_end(struct sha256 *h, uint8_t ret[SHA256_SIZE]);
/* The digest of what was added so far, without ending. */
void sha256_peek(const struct sha256 *h, uint8_t ret[SHA256_SIZE]);
void sha256_of(const void *bytes, size_t n, uint8_t ret[SHA256_SIZE]);
