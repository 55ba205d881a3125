/* Any bytes as a container: the walk ends, members are within the limits and can be read to their ends. */
#include "base/base.h"
#include "read/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct archive_limits limits = {.depth = 3, .entries = 100, .ratio = 20, .free_bytes = 1 << 20, .memory = 1 << 18};
	struct input in;
	struct fault f = FAULT_INIT;
	struct archive_member m;
	struct archive_unread u;
	uint8_t sha[SHA256_SIZE];
	uint64_t bytes = 0;
	input_of_memory(&in, data, size, STR("x.gz"));
	struct archive_walk *w = archive_walk_new(&in, &limits, &f);
	for (enum archive_got got; w && (got = archive_walk_next(w, &m, &u)) != ARCHIVE_GOT_END;) {
		if (got == ARCHIVE_GOT_UNREAD) {
			verify(u.path.n && u.reason.n);
			continue;
		}
		verify(m.input.path.n > 6 && m.input.size <= 1 << 18);
		bytes += m.input.size;
		verify(bytes <= size * 20 + (1 << 20));
		verify(input_finish(&m.input, sha, &f));
		archive_member_done(&m);
	}
	archive_walk_free(w);
	input_close(&in);
	return 0;
}
