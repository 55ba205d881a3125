/* Any bytes as a disclosure bundle: a verdict or a fault, never more. */
#include "base/alloc.h"
#include "verify/verify.h"

static void count(void *arg, const struct verify_line *line)
{
	verify(line->text.n < 512);
	++*(int *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int lines = 0;
	struct verify_options o = {.arg = &lines, .line = count};
	struct verify_result r;
	struct fault f = FAULT_INIT;
	bool ok = verify_bundle((struct str){(const char *)data, size}, &o, &r, &f);
	verify(ok || f.kind);
	verify(!ok || verify_verdict(&r) == VERIFY_FAILS || r.rows);
	return 0;
}
