/* base64, hex, glob over any bytes: strict base64 has one text per decoding; a glob made of escapes matches its own text. */
#include "base/alloc.h"
#include "text/base64.h"
#include "text/glob.h"
#include "text/hex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 4096) return 0;
	struct str s = {(const char *)data + 1, size - 1}, rest = s;
	unsigned flags = data[0];
	uint8_t *bytes = xmalloc(BASE64_BYTES(s.n));
	char *again = xmalloc(BASE64_CHARS(BASE64_BYTES(s.n)));
	size_t n;
	if (base64_decode(s, flags & 7, bytes, &n)) {
		verify(n <= BASE64_BYTES(s.n));
		size_t chars = base64_encode(bytes, n, flags & 3, again);
		verify(flags & BASE64_LENIENT || str_eq((struct str){again, chars}, s));
	}
	uint8_t *raw = xmalloc(s.n / 2 + 1);
	hex_decode(s, raw);
	struct str pattern = str_cut(&rest, '\n');
	glob_match(pattern, rest, flags & 3);
	verify(glob_match(STR("*"), rest, 0));
	if (!glob_has_wildcard(s, GLOB_PLAIN)) verify(glob_match(s, s, GLOB_PLAIN | (flags & GLOB_NOCASE)));
	free(raw), free(again), free(bytes);
	return 0;
}
