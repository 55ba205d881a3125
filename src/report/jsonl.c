/* jsonl.c: a finding as one line of JSON. The form is a promise to other tools: doc/findings.md. */
#include "report/report.h"
#include "text/json_write.h"

static void time_or_null(struct json_out *o, struct etime t)
{
	char text[ETIME_MAX];
	size_t n = etime_print(t, t.digits > 6 ? 6 : t.digits, text);
	if (n) json_put_str(o, (struct str){text, n});
	else json_put_null(o);
}

static void str_or_null(struct json_out *o, struct str s)
{
	if (s.n) json_put_str(o, s);
	else json_put_null(o);
}

static void hex(struct json_out *o, const uint8_t hash[SHA256_SIZE])
{
	json_put_begin(o);
	buf_byte(o->b, '"');
	buf_hex(o->b, hash, SHA256_SIZE);
	buf_byte(o->b, '"');
}

static void put_rule(struct json_out *o, const struct rule_info *r)
{
	json_begin_object(o);
	json_key_str(o, STR("id"), r->id);
	json_key_str(o, STR("title"), r->title);
	json_key(o, STR("tags"));
	json_begin_array(o);
	for (uint32_t i = 0; i < r->n_tags; i++) json_put_str(o, r->tags[i]);
	json_end(o);
	json_key_str(o, STR("file"), r->file);
	json_key(o, STR("sha256"));
	hex(o, r->sha256);
	json_end(o);
}

static void put_logsource(struct json_out *o, const struct logsource *l)
{
	json_begin_object(o);
	if (l->product.n) json_key_str(o, STR("product"), l->product);
	if (l->category.n) json_key_str(o, STR("category"), l->category);
	if (l->service.n) json_key_str(o, STR("service"), l->service);
	json_end(o);
}

static void put_evidence(struct json_out *o, const struct evidence_ref *e, const struct report_sources *sources)
{
	const struct report_source *s = e->source < sources->n ? &sources->v[e->source] : NULL;
	json_begin_object(o);
	json_key(o, STR("source"));
	str_or_null(o, s ? s->info->path : (struct str){"", 0});
	json_key(o, STR("source_sha256"));
	if (s && s->hashed) hex(o, s->info->sha256);
	else json_put_null(o);
	if (s && s->info->in_container) {
		json_key(o, STR("container_sha256"));
		hex(o, s->info->container_sha256);
		json_key_u64(o, STR("member"), s->info->member);
	}
	json_key_u64(o, STR("offset"), e->offset);
	json_key_u64(o, STR("length"), e->length);
	if (e->line) json_key_u64(o, STR("line"), e->line);
	json_key(o, STR("sha256"));
	hex(o, e->sha256);
	json_key_str(o, STR("role"), e->role == EVIDENCE_CONTEXT ? STR("context") : STR("record"));
	if (e->recovered) json_key_bool(o, STR("recovered"), true);
	json_end(o);
}

static void put_matched(struct json_out *o, const struct finding *f)
{
	json_begin_array(o);
	for (uint32_t i = 0; i < f->n_matched; i++) {
		json_begin_object(o);
		json_key(o, STR("field"));
		str_or_null(o, f->matched[i].field);
		json_key_str(o, STR("value"), f->matched[i].value);
		json_key_str(o, STR("pattern"), f->matched[i].pattern);
		json_end(o);
	}
	json_end(o);
}

static void put_correlation(struct json_out *o, const struct finding *f)
{
	json_key(o, STR("group"));
	json_begin_object(o);
	for (uint32_t i = 0; i < f->n_group; i++) json_key_str(o, f->group[i].name, f->group[i].value);
	json_end(o);
	json_key_u64(o, STR("count"), f->count);
	json_key(o, STR("first"));
	time_or_null(o, f->first);
	json_key(o, STR("last"));
	time_or_null(o, f->last);
	if (f->has_root) {
		json_key_u64(o, STR("evidence_total"), f->evidence_total);
		json_key(o, STR("evidence_root"));
		hex(o, f->root);
	}
}

static void put_stages(struct json_out *o, const struct finding *f, const struct report_sources *sources)
{
	json_key(o, STR("stages"));
	json_begin_array(o);
	for (uint32_t i = 0; i < f->n_stages; i++) {
		const struct finding_stage *g = &f->stages[i];
		json_begin_object(o);
		buf_str(o->b, g->json);
		o->comma = true; /* members stand before the next one */
		json_key(o, STR("evidence"));
		json_begin_array(o);
		for (uint32_t k = 0; k < g->n; k++) put_evidence(o, &f->evidence[g->from + k], sources);
		json_end(o);
		json_end(o);
	}
	json_end(o);
}

void report_jsonl(const struct finding *f, const struct report_sources *sources, struct buf *out)
{
	struct json_out o = JSON_OUT(out);
	json_begin_object(&o);
	json_key_str(&o, STR("kind"), str_of(finding_kind_word(f->kind)));
	json_key(&o, STR("time"));
	time_or_null(&o, f->time);
	json_key_str(&o, STR("level"), str_of(level_word(f->level)));
	json_key(&o, STR("rule"));
	if (f->rule) put_rule(&o, f->rule);
	else json_put_null(&o);
	if (f->title.n) json_key_str(&o, STR("title"), f->title);
	json_key(&o, STR("host"));
	str_or_null(&o, f->host);
	json_key(&o, STR("logsource"));
	if (f->rule) put_logsource(&o, &f->rule->logsource);
	else json_put_null(&o);
	json_key(&o, STR("channel"));
	str_or_null(&o, f->channel);
	json_key(&o, STR("event_id"));
	if (f->event_id >= 0) json_put_i64(&o, f->event_id);
	else json_put_null(&o);
	json_key(&o, STR("record_id"));
	if (f->has_record_id) json_put_u64(&o, f->record_id);
	else json_put_null(&o);
	json_key(&o, STR("matched"));
	put_matched(&o, f);
	json_key(&o, STR("fields"));
	if (f->fields_json.n) json_put_raw(&o, f->fields_json);
	else json_put_null(&o);
	if (f->kind == FINDING_CORRELATION) put_correlation(&o, f);
	if (f->extra_json.n) {
		buf_byte(out, ','); /* members stand before it, and one after */
		buf_str(out, f->extra_json);
	}
	if (f->n_stages) put_stages(&o, f, sources);
	json_key(&o, STR("evidence"));
	json_begin_array(&o);
	for (uint32_t i = 0; i < f->n_evidence; i++) put_evidence(&o, &f->evidence[i], sources);
	json_end(&o);
	json_end(&o);
	buf_byte(out, '\n');
}
