/* stats.c: the run as one JSON object: every source with its bytes accounted for, what was not read, the rules. doc/findings.md. */
#include "report/report.h"
#include "text/json_write.h"

static void put_time(struct json_out *o, struct str key, struct etime t)
{
	char text[ETIME_MAX];
	size_t n = etime_print(t, t.digits > 6 ? 6 : t.digits, text);
	json_key(o, key);
	if (n) json_put_str(o, (struct str){text, n});
	else json_put_null(o);
}

static void put_hash(struct json_out *o, struct str key, const uint8_t hash[SHA256_SIZE])
{
	json_key(o, key);
	json_put_begin(o);
	buf_byte(o->b, '"');
	buf_hex(o->b, hash, SHA256_SIZE);
	buf_byte(o->b, '"');
}

static void put_account(struct json_out *o, const struct source_report *a)
{
	json_key(o, STR("bytes"));
	json_begin_object(o);
	json_key_u64(o, STR("header"), a->header);
	json_key_u64(o, STR("records"), a->records);
	json_key_u64(o, STR("recovered"), a->recovered);
	json_key_u64(o, STR("slack"), a->slack);
	json_key_u64(o, STR("damage"), a->damaged);
	json_end(o);
	json_key(o, STR("damage"));
	json_begin_array(o);
	for (size_t i = 0; i < a->damage.n; i++) {
		json_begin_object(o);
		json_key_u64(o, STR("offset"), a->damage.v[i].offset);
		json_key_u64(o, STR("length"), a->damage.v[i].length);
		json_key_str(o, STR("reason"), a->damage.v[i].reason);
		json_end(o);
	}
	json_end(o);
	if (a->more_damage) json_key_u64(o, STR("more_damage"), a->more_damage);
	json_key(o, STR("notes"));
	json_begin_array(o);
	for (size_t i = 0; i < a->notes.n; i++) {
		json_begin_object(o);
		json_key_u64(o, STR("offset"), a->notes.v[i].offset);
		json_key_str(o, STR("text"), a->notes.v[i].text);
		json_end(o);
	}
	json_end(o);
	if (a->more_notes) json_key_u64(o, STR("more_notes"), a->more_notes);
	if (a->limited) json_key_u64(o, STR("limited"), a->limited);
}

static void put_source(struct json_out *o, const struct report_sources *all, const struct report_source *s)
{
	json_begin_object(o);
	json_key_str(o, STR("path"), s->info->path);
	json_key_str(o, STR("format"), s->info->format);
	json_key_u64(o, STR("size"), s->info->size);
	if (s->hashed) put_hash(o, STR("sha256"), s->info->sha256);
	else json_key(o, STR("sha256")), json_put_null(o);
	if (s->info->in_container) {
		put_hash(o, STR("container_sha256"), s->info->container_sha256);
		json_key_u64(o, STR("member"), s->info->member);
	}
	json_key_u64(o, STR("records"), s->account->n_records);
	if (s->account->n_recovered) json_key_u64(o, STR("recovered_records"), s->account->n_recovered);
	put_time(o, STR("first"), s->account->first);
	put_time(o, STR("last"), s->account->last);
	put_account(o, s->account);
	if (s->account->parameters.n) json_key_str(o, STR("parameters"), s->account->parameters);
	if (s->logins) {
		json_key(o, STR("logins"));
		json_begin_object(o);
		json_key_u64(o, STR("looking"), s->logins);
		json_key_u64(o, STR("understood"), s->logins_understood);
		json_end(o);
	}
	if (s->reason.n) json_key_str(o, STR("broken"), s->reason);
	if (s->same_as >= 0) json_key_str(o, STR("same_as"), all->v[s->same_as].info->path);
	json_end(o);
}

static void put_rules(struct json_out *o, const struct report_run *r)
{
	json_begin_object(o);
	json_key_u64(o, STR("loaded"), r->rules_loaded);
	json_key(o, STR("refused"));
	json_begin_array(o);
	for (uint32_t i = 0; i < r->n_refused; i++) {
		json_begin_object(o);
		json_key_str(o, STR("file"), r->refused[i].file);
		json_key_u64(o, STR("line"), r->refused[i].line);
		json_key_str(o, STR("reason"), r->refused[i].reason);
		json_key_str(o, STR("category"), r->refused[i].category);
		json_end(o);
	}
	json_end(o);
	json_key_u64(o, STR("no_log_source"), r->rules_no_log_source);
	if (r->rules) {
		json_key(o, STR("states"));
		report_rule_states_json(r, o);
	}
	json_key_u64(o, STR("undecided"), r->undecided);
	json_end(o);
}

void report_stats(const struct report_run *r, struct buf *out)
{
	struct json_out o = JSON_OUT(out);
	json_begin_object(&o);
	json_key(&o, STR("sources"));
	json_begin_array(&o);
	for (uint32_t i = 0; i < r->sources.n; i++) put_source(&o, &r->sources, &r->sources.v[i]);
	json_end(&o);
	json_key(&o, STR("unread"));
	json_begin_array(&o);
	for (uint32_t i = 0; i < r->n_unread; i++) {
		json_begin_object(&o);
		json_key_str(&o, STR("path"), r->unread[i].path);
		json_key_str(&o, STR("reason"), r->unread[i].reason);
		json_end(&o);
	}
	json_end(&o);
	json_key(&o, STR("rules"));
	put_rules(&o, r);
	json_key(&o, STR("clocks"));
	report_clocks_json(r, &o);
	json_key(&o, STR("coverage"));
	report_coverage_json(r->coverage, r->n_coverage, &o);
	if (r->n_notes) {
		json_key(&o, STR("normal"));
		json_begin_array(&o);
		for (uint32_t i = 0; i < r->n_notes; i++) json_put_str(&o, r->notes[i]);
		json_end(&o);
	}
	json_key_u64(&o, STR("events"), r->events);
	json_key_u64(&o, STR("outside_period"), r->outside);
	if (r->copies) json_key_u64(&o, STR("copies"), r->copies);
	if (r->twins) json_key_u64(&o, STR("logins_told_twice"), r->twins);
	json_key_u64(&o, STR("findings"), r->findings);
	json_key(&o, STR("seconds"));
	json_put_begin(&o);
	buf_printf(out, "%.3f", r->seconds);
	json_end(&o);
	buf_byte(out, '\n');
}
