/* Inputs: what event/reader.h promises of their bytes and digests. */
#include "tests/check.h"
#include "event/reader.h"

TEST(an_input_that_is_read_alone_has_the_same_digest)
{
	enum { SIZE = 100000 };
	uint8_t *text = malloc(SIZE), block[5000], a[SHA256_SIZE], want[SHA256_SIZE], want_part[SHA256_SIZE];
	NEED(text);
	for (size_t i = 0; i < SIZE; i++) text[i] = (uint8_t)(i * 7 + i / 251);
	sha256_of(text, SIZE, want);
	sha256_of(text, 700, want_part);
	for (int alone = 0; alone < 2; alone++) {
		struct input in;
		struct fault f = FAULT_INIT;
		int64_t n = 0;
		input_of_memory(&in, text, SIZE, STR("x"));
		in.alone = alone;
		for (int i = 0; (n = i % 3 ? input_next_kept(&in, block, (size_t)i * 37 % sizeof block + 1, &f) : input_next(&in, block, 100, &f)) > 0; i++) {
			for (int k = i % 5; k; k--) input_hash_some(&in);
			input_hash_beside(&in, text, 700, a);
			CHECK(!memcmp(a, want_part, sizeof a));
			if (i % 7) continue;
			input_settle(&in);
			memset(block, 0, sizeof block);
		}
		CHECK(n == 0);
		CHECK(input_finish(&in, a, &f));
		CHECK(!memcmp(a, want, sizeof a));
		input_close(&in);
	}
	free(text);
}

TEST_MAIN
