/* Any bytes as XML, by events and by records: everything lies within the text, decoded text is valid, reading ends. */
#include "base/alloc.h"
#include "text/utf.h"
#include "text/xml.h"

static void within(struct str part, struct str text)
{
	verify(part.p >= text.p && part.p + part.n <= text.p + text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1) return 0;
	struct str text = {(const char *)data + 1, size - 1};
	struct xml x = {.text = text, .final = data[0] & 1};
	struct arena a;
	enum xml_next got;
	arena_init(&a, 1 << 20);
	while ((got = xml_next(&x)) == XML_OPEN || got == XML_TEXT || got == XML_CLOSE) {
		arena_reset(&a);
		within(got == XML_TEXT ? x.chars : x.name, text);
		if (got == XML_TEXT) verify(utf8_valid(xml_decode(&a, x.chars)));
		for (unsigned i = 0; got == XML_OPEN && i < x.n_attributes; i++) {
			within(x.attributes[i].value, text);
			verify(utf8_valid(xml_decode(&a, x.attributes[i].value)));
		}
		verify(x.depth <= XML_MAX_DEPTH);
	}
	verify(got == XML_MORE ? !x.final : x.start <= text.n);
	x = (struct xml){.text = text, .final = data[0] & 1};
	struct xml_span span;
	for (size_t last = 0; (got = xml_find(&x, STR("E"), &span)) != XML_END && got != XML_MORE; last = span.end)
		verify(span.start >= last && span.end > span.start && span.end <= text.n && x.at == span.end);
	arena_done(&a);
	return 0;
}
