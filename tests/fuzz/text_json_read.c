/* Any bytes as a stream of JSON values: fast equals plain, tokens nest within the text, strings decode to valid UTF-8, reading goes on
 * behind damage and ends. What a lane that learned the text's objects reads of the text, written twice, is what json_read reads. The first byte chooses where the text is cut for a reading that is not final. */
#include "base/alloc.h"
#include "text/json_lane.h"
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

/* The text twice, with enough behind it for the lane to look at: whatever it reads must be what json_read_plain reads. */
static void check_lane(struct str once)
{
	enum { BEHIND = 64 };
	size_t n = once.n * 2 + BEHIND, end = 0, end_slow = 0;
	char *twice = xmalloc(n);
	struct json_lane *lane = json_lane_new();
	struct json_tape fast = {0}, slow = {0};
	if (once.n) memcpy(twice, once.p, once.n), memcpy(twice + once.n, once.p, once.n);
	memset(twice + once.n * 2, '\n', BEHIND);
	struct str text = {twice, n};
	for (size_t at = 0, tries = 0; (at = str_find_byte(text, '{', at)) != SIZE_MAX && tries < 200; tries++) {
		const char *known = json_lane_read(lane, &fast, text, at, &end);
		enum json_status status = json_read_plain(&slow, text, at, false, &end_slow);
		if (known) {
			verify(status == JSON_OK && end == end_slow && fast.n == slow.n && *known == 'x' && fast.has_numbered == slow.has_numbered);
			verify(!memcmp(fast.v, slow.v, slow.n * sizeof *slow.v));
		} else if (status == JSON_OK) {
			json_lane_add(lane, &slow, text, "x", 1);
		}
		at = status == JSON_OK ? end_slow : at + 1;
	}
	json_lane_free(lane);
	json_tape_done(&fast);
	json_tape_done(&slow);
	free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size) return 0;
	struct str text = {(const char *)data + 1, size - 1};
	struct arena a;
	struct json_tape t = {0}, plain = {0};
	struct json_stream s = {0};
	check_lane(text);
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
