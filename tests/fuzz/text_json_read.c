/* Any bytes as a stream of JSON values: fast equals plain, tokens nest within the text, strings decode to valid UTF-8, reading goes on
 * behind damage and ends. The first byte chooses where the text is cut for a reading that is not final. */
#include "base/alloc.h"
#include "text/json_read.h"
#include "text/utf.h"

static void check_tape(const struct json_tape *t, struct str text, struct arena *a)
{
	for (uint32_t i = 0; i < t->n; i++) {
		const struct json_token *k = &t->v[i];
		verify(k->next > i && k->next <= t->n && (size_t)k->start + k->length <= text.n && k->depth < 64);
		if (k->type != JSON_STRING && k->type != JSON_KEY) continue;
		arena_reset(a);
		struct str s = json_decode(a, text, k);
		verify(s.p && utf8_valid(s));
	}
	struct str key = STR("a");
	if (t->n) json_get(t, text, 0, key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size) return 0;
	struct str text = {(const char *)data + 1, size - 1};
	struct arena a;
	struct json_tape t = {0}, plain = {0};
	struct json_stream s = {0};
	struct json_span span;
	enum json_status status;
	size_t at = 0, end = 0, end_plain = 0, cut = text.n ? data[0] % text.n : 0;
	arena_init(&a, 16 << 20);
	enum json_status one = json_read(&t, str_sub(text, 0, cut), 0, false, &end);
	verify(one == json_read_plain(&plain, str_sub(text, 0, cut), 0, false, &end_plain) && end == end_plain && t.n == plain.n);
	while ((status = json_next(&s, &t, text, at, true, &span)) != JSON_END) {
		verify(status != JSON_MORE && span.start >= at && span.end <= text.n);
		enum json_status again = json_read_plain(&plain, text, span.start, true, &end_plain);
		verify(again == status && plain.n == t.n && (!t.n || !memcmp(t.v, plain.v, t.n * sizeof *t.v)));
		verify(status != JSON_OK || end_plain == span.end);
		if (status == JSON_OK) check_tape(&t, text, &a);
		else verify(t.at <= text.n && t.reason);
		size_t next = status == JSON_OK ? span.end : json_resync(&s, text, span.start);
		verify(next > at);
		at = next;
	}
	json_tape_done(&t);
	json_tape_done(&plain);
	arena_done(&a);
	return 0;
}
