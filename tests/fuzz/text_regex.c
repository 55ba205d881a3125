/* Flags, a pattern, LF, a text: nothing breaks, and a match contains the required literal. */
#include "base/alloc.h"
#include "text/regex.h"
#include "text/utf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 600) return 0;
	struct str rest = {(const char *)data + 1, size - 1};
	struct str pattern = str_cut(&rest, '\n');
	struct regex *re = regex_compile(pattern, data[0] & 15, NULL);
	if (!re) return 0;
	if (regex_match(re, rest) == MATCH_YES) {
		char *folded = xmalloc(UTF8_FOLD_ROOM(rest.n));
		struct str f = {folded, rest.n ? utf8_fold(rest, folded) : 0};
		verify(str_find(f, regex_literal(re), 0) != SIZE_MAX);
		free(folded);
	}
	regex_free(re);
	return 0;
}
