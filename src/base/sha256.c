/* sha256.c: OpenSSL's EVP with the digest fetched once; short texts by its block function. See sha256.h. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_Transform is the block function; it picks SHA-NI as EVP does */
#include "base/sha256.h"
#include "base/alloc.h"
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>

static EVP_MD *md;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void fetch(void) { md = EVP_MD_fetch(NULL, "SHA256", NULL); verify(md); }

struct sha256 *sha256_new(void)
{
	pthread_once(&once, fetch);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	verify(c);
	verify(EVP_DigestInit_ex2(c, md, NULL) == 1);
	return (struct sha256 *)c;
}

void sha256_free(struct sha256 *h) { EVP_MD_CTX_free((EVP_MD_CTX *)h); }
void sha256_reset(struct sha256 *h) { verify(EVP_DigestInit_ex2((EVP_MD_CTX *)h, md, NULL) == 1); }
void sha256_add(struct sha256 *h, const void *bytes, size_t n) { if (n) verify(EVP_DigestUpdate((EVP_MD_CTX *)h, bytes, n) == 1); }
void sha256_end(struct sha256 *h, uint8_t ret[SHA256_SIZE]) { verify(EVP_DigestFinal_ex((EVP_MD_CTX *)h, ret, NULL) == 1); }

void sha256_peek(const struct sha256 *h, uint8_t ret[SHA256_SIZE])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	verify(c && EVP_MD_CTX_copy_ex(c, (const EVP_MD_CTX *)h) == 1);
	verify(EVP_DigestFinal_ex(c, ret, NULL) == 1);
	EVP_MD_CTX_free(c);
}

/* Records and nodes of trees are a block or three: OpenSSL's contexts would cost more than the hashing. */
void sha256_of(const void *bytes, size_t n, uint8_t ret[SHA256_SIZE])
{
	enum { BLOCK = 64, LENGTH = 8 };
	SHA256_CTX c;
	uint8_t last[2 * BLOCK];
	const uint8_t *p = bytes;
	size_t whole = n / BLOCK * BLOCK, rest = n - whole, end = rest < BLOCK - LENGTH ? BLOCK : 2 * BLOCK;
	SHA256_Init(&c);
	if (whole > 16 * BLOCK) {
		SHA256_Update(&c, p, whole);
	} else {
		for (size_t at = 0; at < whole; at += BLOCK) SHA256_Transform(&c, p + at);
	}
	if (rest) memcpy(last, p + whole, rest);
	last[rest] = 0x80;
	memset(last + rest + 1, 0, end - rest - 1);
	uint64_t bits = __builtin_bswap64((uint64_t)n * 8);
	memcpy(last + end - LENGTH, &bits, LENGTH);
	SHA256_Transform(&c, last);
	if (end > BLOCK) SHA256_Transform(&c, last + BLOCK);
	for (int i = 0; i < 8; i++) {
		uint32_t word = __builtin_bswap32((uint32_t)c.h[i]);
		memcpy(ret + 4 * i, &word, sizeof word);
	}
}
