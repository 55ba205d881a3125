/* sha_pair: SHA-256's block function over two independent messages at once, for processors with SHA instructions: their
 * latency is twice what one message can use. Not a hash of its own: no padding, no lengths; evidence/merkle.c has those, and goes through
 * OpenSSL where this is not available. Pure functions, any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The eight words a message begins with: FIPS 180-4 5.3.3. */
extern const uint32_t sha_pair_begin[8];
/* Whether sha_pair_blocks may be called here. EXHIBIT_CPU=plain says no. */
bool sha_pair_available(void);
/* Both states moved on by `blocks` blocks of 64 bytes each. */
void sha_pair_blocks(uint32_t a[8], const uint8_t *in_a, uint32_t b[8], const uint8_t *in_b, size_t blocks);
