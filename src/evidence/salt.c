/* salt.c: see salt.h. */
#include "evidence/salt.h"
#include "base/alloc.h"
#include <sodium.h>

void salt_stream_init(struct salt_stream *s, const struct salt_key *key, const char *label, uint32_t step, uint64_t number, struct str path)
{
	crypto_auth_hmacsha256_state h;
	verify(sodium_init() >= 0); /* picks the vectorised ChaCha20; may be called again and again, from any thread */
	uint8_t numbers[12];
	step = __builtin_bswap32(step);
	number = __builtin_bswap64(number);
	memcpy(numbers, &step, 4);
	memcpy(numbers + 4, &number, 8);
	crypto_auth_hmacsha256_init(&h, key->b, sizeof key->b);
	crypto_auth_hmacsha256_update(&h, (const uint8_t *)label, strlen(label) + 1);
	crypto_auth_hmacsha256_update(&h, numbers, sizeof numbers);
	crypto_auth_hmacsha256_update(&h, (const uint8_t *)path.p, path.n);
	crypto_auth_hmacsha256_final(&h, s->key);
	s->block = UINT64_MAX;
}

const uint8_t *salt_at(struct salt_stream *s, uint64_t index)
{
	enum { SALTS = sizeof s->bytes / SALT_SIZE };
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
	uint64_t block = index / SALTS;
	if (block != s->block) {
		memset(s->bytes, 0, sizeof s->bytes);
		/* The counter counts ChaCha20's own blocks of 64 bytes. */
		crypto_stream_chacha20_xor_ic(s->bytes, s->bytes, sizeof s->bytes, nonce, block * (sizeof s->bytes / 64), s->key);
		s->block = block;
	}
	return s->bytes + index % SALTS * SALT_SIZE;
}
