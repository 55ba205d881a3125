/* Any bytes as UTF-16 and as UTF-8: fast equals plain, repaired text is valid, folding is idempotent. */
#include "base/alloc.h"
#include "text/utf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = {(const char *)data, size};
	char *a = xmalloc(UTF16_ROOM(size)), *b = xmalloc(UTF16_ROOM(size * 2));
	bool a_ascii, b_ascii;
	size_t n = utf16le_to_utf8(data, size / 2, UTF_LONE_REPLACE, a, &a_ascii);
	verify(n == utf16le_to_utf8_plain(data, size / 2, UTF_LONE_REPLACE, b, &b_ascii) && (!n || !memcmp(a, b, n)) && a_ascii == b_ascii);
	verify(utf8_valid((struct str){a, n}));
	n = utf8_repair(s, a);
	verify(utf8_valid((struct str){a, n}) && utf8_count(s) == utf8_count((struct str){a, n}));
	verify(!utf8_valid(s) || (n == size && (!n || !memcmp(a, data, n))));
	n = utf8_fold(s, a);
	verify(n == utf8_fold_plain(s, b) && (!n || !memcmp(a, b, n)));
	verify(utf8_fold((struct str){a, n}, b) == n && (!n || !memcmp(a, b, n)));
	free(a);
	free(b);
	return 0;
}
