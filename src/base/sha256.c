/* sha256.c: OpenSSL's own contexts, without its EVP: records and nodes of trees are a block or three, and a fetch of the digest would cost more
 * than their hashing. See sha256.h. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_Transform is the block function; it picks SHA-NI as EVP does */
#include "base/sha256.h"
#include "base/alloc.h"
#include "base/sha_pair.h"
#include <openssl/sha.h>

enum { BLOCK = 64, LENGTH = 8 };

struct sha256 {
	SHA256_CTX c;
	const uint8_t *waits; /* [n_waits] put off */
	size_t n_waits;
};

struct sha256 *sha256_new(void)
{
	struct sha256 *h = xcalloc(1, sizeof *h);
	SHA256_Init(&h->c);
	return h;
}

void sha256_free(struct sha256 *h) { free(h); }

void sha256_reset(struct sha256 *h)
{
	h->n_waits = 0;
	SHA256_Init(&h->c);
}

void sha256_settle(struct sha256 *h)
{
	if (h->n_waits) SHA256_Update(&h->c, h->waits, h->n_waits);
	h->n_waits = 0;
}

void sha256_add(struct sha256 *h, const void *bytes, size_t n)
{
	sha256_settle(h);
	if (n) SHA256_Update(&h->c, bytes, n);
}

void sha256_add_later(struct sha256 *h, const void *bytes, size_t n)
{
	sha256_settle(h);
	/* What waits begins with a block. */
	size_t before = h->c.num ? BLOCK - h->c.num : 0;
	if (before > n) before = n;
	if (before) SHA256_Update(&h->c, bytes, before);
	h->waits = (const uint8_t *)bytes + before;
	h->n_waits = n - before;
}

/* The block function was called for so many of what waits: as SHA256_Update keeps its account. */
static void took(struct sha256 *h, size_t blocks)
{
	uint64_t bits = ((uint64_t)h->c.Nh << 32 | h->c.Nl) + (uint64_t)blocks * BLOCK * 8;
	h->c.Nl = (SHA_LONG)bits;
	h->c.Nh = (SHA_LONG)(bits >> 32);
	h->waits += blocks * BLOCK;
	h->n_waits -= blocks * BLOCK;
}

void sha256_some(struct sha256 *h)
{
	if (h->n_waits < BLOCK) return;
	SHA256_Transform(&h->c, h->waits);
	took(h, 1);
}

void sha256_end(struct sha256 *h, uint8_t ret[SHA256_SIZE])
{
	sha256_settle(h);
	SHA256_Final(ret, &h->c);
}

void sha256_peek(const struct sha256 *h, uint8_t ret[SHA256_SIZE])
{
	struct sha256 copy = *h;
	sha256_end(&copy, ret);
}

/* The end of a message of n bytes: what is left behind its whole blocks, the bit that ends it, its length. How many blocks that is. */
static size_t put_end(const uint8_t *bytes, size_t n, uint8_t ret[2 * BLOCK])
{
	size_t rest = n % BLOCK, end = rest < BLOCK - LENGTH ? BLOCK : 2 * BLOCK;
	if (rest) memcpy(ret, bytes + (n - rest), rest);
	ret[rest] = 0x80;
	memset(ret + rest + 1, 0, end - rest - 1);
	uint64_t bits = __builtin_bswap64((uint64_t)n * 8);
	memcpy(ret + end - LENGTH, &bits, LENGTH);
	return end / BLOCK;
}

/* Blocks of c, as far as they go in pairs with what h put off. */
static void add_blocks(SHA256_CTX *c, const uint8_t *p, size_t blocks, struct sha256 *h)
{
	enum { FEW = 16 };
	size_t pairs = h && sha_pair_available() ? h->n_waits / BLOCK : 0;
	if (pairs > blocks) pairs = blocks;
	if (pairs) {
		sha_pair_blocks(c->h, p, h->c.h, h->waits, pairs);
		took(h, pairs);
	}
	if (blocks - pairs > FEW) SHA256_Update(c, p + pairs * BLOCK, (blocks - pairs) * BLOCK);
	else for (size_t i = pairs; i < blocks; i++) SHA256_Transform(c, p + i * BLOCK);
}

static void digest(const void *bytes, size_t n, struct sha256 *h, uint8_t ret[SHA256_SIZE])
{
	SHA256_CTX c;
	uint8_t last[2 * BLOCK];
	size_t n_last = put_end(bytes, n, last);
	SHA256_Init(&c);
	add_blocks(&c, bytes, n / BLOCK, h);
	add_blocks(&c, last, n_last, h);
	for (int i = 0; i < 8; i++) {
		uint32_t word = __builtin_bswap32((uint32_t)c.h[i]);
		memcpy(ret + 4 * i, &word, sizeof word);
	}
}

void sha256_of(const void *bytes, size_t n, uint8_t ret[SHA256_SIZE]) { digest(bytes, n, NULL, ret); }
void sha256_beside(struct sha256 *h, const void *bytes, size_t n, uint8_t ret[SHA256_SIZE]) { digest(bytes, n, h, ret); }
