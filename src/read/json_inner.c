/* json_inner.c: objects around the record that matters: what is listed by Search-UnifiedAuditLog, the Graph API and `aws cloudtrail lookup-events`, and what Elasticsearch and
 * Splunk hand out, has it as a member, as JSON or as a text of JSON; then that is the event. See json_internal.h. */
#include "read/json_internal.h"

int32_t json_inner_leaf(const struct json_layout *l)
{
	/* The member, and what stands beside it where its name alone does not tell: Elasticsearch's documents, Splunk's results, CloudWatch's messages
	 * (as they are fetched, filtered or exported, and as subscriptions get them). */
	static const char *const names[][2] = {{"AuditData", NULL}, {"auditData", NULL}, {"CloudTrailEvent", NULL}, {"_source", "_index"}, {"result", "preview"}, {"_raw", "_time"},
		{"message", "ingestionTime"}, {"message", "eventId"}, {"message", "id"}};
	for (size_t i = 0; i < COUNT(names); i++) {
		int32_t leaf = json_leaf_of(l, str_of(names[i][0]));
		bool sure = !names[i][1] || json_leaf_of(l, str_of(names[i][1])) >= 0;
		if (i >= 6) sure = sure && l->n_leaves <= 5 && json_leaf_of(l, STR("timestamp")) >= 0;
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
