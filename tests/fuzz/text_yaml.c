/* Any bytes as YAML: what comes out is within its limits and inside the text; a second reading gives the same. */
#include "base/alloc.h"
#include "text/utf.h"
#include "text/yaml.h"

static void walk(const struct yaml_node *n, unsigned depth, size_t size)
{
	verify(depth <= 17 && n->line && n->column && n->column <= size + 1);
	if (n->kind == YAML_SCALAR) {
		verify(utf8_valid(n->text) && n->text.p[n->text.n] == 0);
		yaml_type(n);
	}
	for (uint32_t i = 0; n->kind == YAML_SEQ && i < n->n; i++) walk(n->items[i], depth + 1, size);
	for (uint32_t i = 0; n->kind == YAML_MAP && i < n->n; i++) {
		verify(n->pairs[i].key->kind == YAML_SCALAR);
		walk(n->pairs[i].value, depth + 1, size);
	}
}

static size_t documents(struct str text, uint32_t *ret_line)
{
	struct arena a;
	struct fault f = FAULT_INIT;
	struct yaml_document d;
	size_t n = 0;
	arena_init(&a, 1 << 20);
	struct yaml_reader *r = yaml_reader_new(text, &a, &(struct yaml_limits){.max_depth = 16, .max_nodes = 1000}, &f);
	for (enum yaml_next got; r && (got = yaml_next(r, &d, &f)) != YAML_END; n++) {
		verify(!d.text.n || (d.text.p >= text.p && d.text.p + d.text.n <= text.p + text.n));
		if (got == YAML_DOCUMENT) walk(d.root, 1, text.n);
		else verify(f.kind != FAULT_NONE && f.text[0]);
		*ret_line = *ret_line * 31 + f.line + d.line;
	}
	yaml_reader_free(r);
	arena_done(&a);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t first = 0, again = 0;
	struct str text = {(const char *)data, size};
	verify(documents(text, &first) == documents(text, &again) && first == again);
	return 0;
}
