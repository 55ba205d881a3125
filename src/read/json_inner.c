/* json_inner.c: objects around the record that matters: what is listed by Search-UnifiedAuditLog, the Graph API and `aws cloudtrail lookup-events`, and what Elasticsearch and
 * Splunk hand out, has it as a member, as JSON or as a text of JSON; then that is the event. See json_internal.h. */
#include "read/json_internal.h"

int32_t json_inner_leaf(const struct json_layout *l)
{
	static const char *const names[] = {"AuditData", "auditData", "CloudTrailEvent", "_source", "result"};
	for (size_t i = 0; i < COUNT(names); i++) {
		int32_t leaf = json_leaf_of(l, str_of(names[i]));
		/* Elasticsearch's documents, Splunk's results: by what stands around them. */
		bool sure = i < 3 || json_leaf_of(l, i == 3 ? STR("_index") : STR("preview")) >= 0;
		if (leaf >= 0 && sure && !l->leaves[leaf].n_sub) return leaf;
	}
	return -1;
}

bool json_inner_make(struct json_events *e, uint64_t offset, uint64_t length, uint64_t size, uint32_t line, const void *bytes)
{
	enum { TOKENS = 1 << 18 };
	struct value v;
	json_leaf_value(&e->object, (uint32_t)e->object.layout->inner, &e->reader->arena, &v);
	struct str text = value_text(&v, &e->reader->arena);
	if (!text.n || text.p[0] != '{') return false;
	if (!e->inner) {
		e->inner = xcalloc(1, sizeof *e->inner);
		json_events_begin(e->inner, e->reader, TOKENS);
		e->inner->is_inner = true;
	}
	if (!json_read_all(&e->inner->object.tape, text, NULL) || e->inner->object.tape.v[0].type != JSON_OBJECT) return false;
	e->inner->object.text = text;
	e->inner->header = e->header;
	e->inner->server = e->server;
	return json_events_make(e->inner, offset, length, size, line, bytes);
}

void json_inner_end(struct json_events *e)
{
	if (!e->inner) return;
	json_events_end(e->inner);
	free(e->inner);
	e->inner = NULL;
}
