/* sha256.c: OpenSSL's EVP with the digest fetched once. See sha256.h. */
#include "base/sha256.h"
#include "base/alloc.h"
#include <openssl/evp.h>
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

/* One context per thread, so that hashing many small records costs no allocation. */
static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;
static void thread_free(void *h) { sha256_free(h); }
static void make_key(void) { verify(pthread_key_create(&thread_key, thread_free) == 0); }

void sha256_of(const void *bytes, size_t n, uint8_t ret[SHA256_SIZE])
{
	pthread_once(&thread_once, make_key);
	struct sha256 *h = pthread_getspecific(thread_key);
	if (!h) {
		h = sha256_new();
		pthread_setspecific(thread_key, h);
	} else {
		sha256_reset(h);
	}
	sha256_add(h, bytes, n);
	sha256_end(h, ret);
}
