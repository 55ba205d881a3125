/* jsonl.c: a finding as one line of JSON. The form is a promise to other tools: doc/findings.md.
 *
 * Members stand where the form has them, so commas and names are literals here. What findings have in common, rules and sources, is made once where the
 * caller keeps it (report_texts). */
#include "report/report.h"
#include "base/alloc.h"
#include "text/json_write.h"

static void time_or_null(struct buf *b, struct etime t)
{
	char *p = buf_reserve(b, ETIME_MAX + 2);
	size_t n = etime_print(t, t.digits > 6 ? 6 : t.digits, p + 1);
	if (!n) {
		buf_lit(b, "null");
		return;
	}
	p[0] = '"';
	p[n + 1] = '"';
	b->n += n + 2;
}

static void str_or_null(struct buf *b, struct str s)
{
	if (s.n) json_str(b, s);
	else buf_lit(b, "null");
}

static void hex(struct buf *b, const uint8_t hash[SHA256_SIZE])
{
	buf_byte(b, '"');
	buf_hex(b, hash, SHA256_SIZE);
	buf_byte(b, '"');
}

static void put_rule(struct buf *b, const struct rule_info *r)
{
	buf_lit(b, "{\"id\":");
	json_str(b, r->id);
	buf_lit(b, ",\"title\":");
	json_str(b, r->title);
	buf_lit(b, ",\"tags\":[");
	for (uint32_t i = 0; i < r->n_tags; i++) {
		if (i) buf_byte(b, ',');
		json_str(b, r->tags[i]);
	}
	buf_lit(b, "],\"file\":");
	json_str(b, r->file);
	buf_lit(b, ",\"sha256\":");
	hex(b, r->sha256);
	buf_byte(b, '}');
}

static void put_logsource(struct buf *b, const struct logsource *l)
{
	struct json_out o = JSON_OUT(b);
	json_begin_object(&o);
	if (l->product.n) json_key_str(&o, STR("product"), l->product);
	if (l->category.n) json_key_str(&o, STR("category"), l->category);
	if (l->service.n) json_key_str(&o, STR("service"), l->service);
	json_end(&o);
}

/* The members that say which source it is. */
static void put_source(struct buf *b, const struct report_source *s)
{
	buf_lit(b, "{\"source\":");
	str_or_null(b, s ? s->info->path : (struct str){"", 0});
	buf_lit(b, ",\"source_sha256\":");
	if (s && s->hashed) hex(b, s->info->sha256);
	else buf_lit(b, "null");
	if (!s || !s->info->in_container) return;
	buf_lit(b, ",\"container_sha256\":");
	hex(b, s->info->container_sha256);
	buf_lit(b, ",\"member\":");
	buf_u64(b, s->info->member);
}

/* --- texts that are kept --- */

struct rule_text { const struct rule_info *rule; size_t at, n_rule, n_logsource; };
struct source_text { const struct source_info *info; bool hashed; size_t at, n; };
struct report_texts {
	struct buf text;
	struct rule_text *rules;       /* open addressing; rule NULL: free */
	uint32_t n_rules, room;
	VEC(struct source_text) sources;
};

struct report_texts *report_texts_new(void) { return xcalloc(1, sizeof(struct report_texts)); }

void report_texts_free(struct report_texts *t)
{
	if (!t) return;
	buf_done(&t->text);
	free(t->rules);
	vec_free(&t->sources);
	free(t);
}

static struct rule_text *rule_slot(struct report_texts *t, const struct rule_info *r)
{
	uint32_t at = (uint32_t)((uintptr_t)r * 0x9e3779b97f4a7c15 >> 32) & (t->room - 1);
	while (t->rules[at].rule && t->rules[at].rule != r) at = (at + 1) & (t->room - 1);
	return &t->rules[at];
}

static void grow_rules(struct report_texts *t)
{
	struct rule_text *old = t->rules;
	uint32_t n = t->room;
	t->room = n ? n * 2 : 256;
	t->rules = xcalloc(t->room, sizeof *t->rules);
	for (uint32_t i = 0; i < n; i++)
		if (old[i].rule) *rule_slot(t, old[i].rule) = old[i];
	free(old);
}

static const struct rule_text *rule_text(struct report_texts *t, const struct rule_info *r)
{
	if (2 * t->n_rules >= t->room) grow_rules(t);
	struct rule_text *x = rule_slot(t, r);
	if (x->rule) return x;
	x->rule = r;
	x->at = t->text.n;
	put_rule(&t->text, r);
	x->n_rule = t->text.n - x->at;
	put_logsource(&t->text, &r->logsource);
	x->n_logsource = t->text.n - x->at - x->n_rule;
	t->n_rules++;
	return x;
}

static const struct source_text *source_text(struct report_texts *t, const struct report_source *s, uint32_t index)
{
	while (t->sources.n <= index) vec_push(&t->sources, (struct source_text){0});
	struct source_text *x = &t->sources.v[index];
	if (x->info == s->info && x->hashed == s->hashed) return x;
	*x = (struct source_text){s->info, s->hashed, t->text.n, 0};
	put_source(&t->text, s);
	x->n = t->text.n - x->at;
	return x;
}

/* --- a finding --- */

struct line {
	struct buf *b;
	const struct report_sources *sources;
	struct report_texts *texts;  /* may be NULL */
};

static void put_evidence(const struct line *l, const struct evidence_ref *e)
{
	struct buf *b = l->b;
	const struct report_source *s = e->source < l->sources->n ? &l->sources->v[e->source] : NULL;
	if (l->texts && s) {
		const struct source_text *x = source_text(l->texts, s, e->source);
		buf_put(b, l->texts->text.p + x->at, x->n);
	} else {
		put_source(b, s);
	}
	buf_lit(b, ",\"offset\":");
	buf_u64(b, e->offset);
	buf_lit(b, ",\"length\":");
	buf_u64(b, e->length);
	if (e->line) {
		buf_lit(b, ",\"line\":");
		buf_u64(b, e->line);
	}
	buf_lit(b, ",\"sha256\":");
	hex(b, e->sha256);
	if (e->role == EVIDENCE_CONTEXT) buf_lit(b, ",\"role\":\"context\"");
	else buf_lit(b, ",\"role\":\"record\"");
	if (e->recovered) buf_lit(b, ",\"recovered\":true");
	buf_byte(b, '}');
}

static void put_evidences(const struct line *l, const struct evidence_ref *e, uint32_t n)
{
	buf_byte(l->b, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (i) buf_byte(l->b, ',');
		put_evidence(l, &e[i]);
	}
	buf_byte(l->b, ']');
}

static void put_matched(struct buf *b, const struct finding *f)
{
	buf_lit(b, ",\"matched\":[");
	for (uint32_t i = 0; i < f->n_matched; i++) {
		if (i) buf_byte(b, ',');
		buf_lit(b, "{\"field\":");
		str_or_null(b, f->matched[i].field);
		buf_lit(b, ",\"value\":");
		json_str(b, f->matched[i].value);
		buf_lit(b, ",\"pattern\":");
		json_str(b, f->matched[i].pattern);
		buf_byte(b, '}');
	}
	buf_byte(b, ']');
}

static void put_correlation(struct buf *b, const struct finding *f)
{
	buf_lit(b, ",\"group\":{");
	for (uint32_t i = 0; i < f->n_group; i++) {
		if (i) buf_byte(b, ',');
		json_str(b, f->group[i].name);
		buf_byte(b, ':');
		if (f->group[i].value.p) json_str(b, f->group[i].value);
		else buf_lit(b, "null");
	}
	buf_lit(b, "},\"count\":");
	buf_u64(b, f->count);
	buf_lit(b, ",\"first\":");
	time_or_null(b, f->first);
	buf_lit(b, ",\"last\":");
	time_or_null(b, f->last);
	if (!f->has_root) return;
	buf_lit(b, ",\"evidence_total\":");
	buf_u64(b, f->evidence_total);
	buf_lit(b, ",\"evidence_root\":");
	hex(b, f->root);
}

static void put_stages(const struct line *l, const struct finding *f)
{
	buf_lit(l->b, ",\"stages\":[");
	for (uint32_t i = 0; i < f->n_stages; i++) {
		const struct finding_stage *g = &f->stages[i];
		buf_str(l->b, i ? STR(",{") : STR("{"));
		buf_str(l->b, g->json);
		buf_lit(l->b, ",\"evidence\":");
		put_evidences(l, &f->evidence[g->from], g->n);
		buf_byte(l->b, '}');
	}
	buf_byte(l->b, ']');
}

/* Rule, title, host and log source. */
static void put_origin(const struct line *l, const struct finding *f)
{
	struct buf *b = l->b;
	const struct rule_text *x = f->rule && l->texts ? rule_text(l->texts, f->rule) : NULL;
	buf_lit(b, ",\"rule\":");
	if (x) buf_put(b, l->texts->text.p + x->at, x->n_rule);
	else if (f->rule) put_rule(b, f->rule);
	else buf_lit(b, "null");
	if (f->title.n) {
		buf_lit(b, ",\"title\":");
		json_str(b, f->title);
	}
	buf_lit(b, ",\"host\":");
	str_or_null(b, f->host);
	buf_lit(b, ",\"logsource\":");
	if (x) buf_put(b, l->texts->text.p + x->at + x->n_rule, x->n_logsource);
	else if (f->rule) put_logsource(b, &f->rule->logsource);
	else buf_lit(b, "null");
}

void report_jsonl_by(struct report_texts *texts, const struct finding *f, const struct report_sources *sources, struct buf *out)
{
	const struct line l = {out, sources, texts};
	buf_lit(out, "{\"kind\":\"");
	buf_str(out, str_of(finding_kind_word(f->kind)));
	buf_lit(out, "\",\"time\":");
	time_or_null(out, f->time);
	buf_lit(out, ",\"level\":\"");
	buf_str(out, str_of(level_word(f->level)));
	buf_byte(out, '"');
	put_origin(&l, f);
	buf_lit(out, ",\"channel\":");
	str_or_null(out, f->channel);
	buf_lit(out, ",\"event_id\":");
	if (f->event_id >= 0) buf_i64(out, f->event_id);
	else buf_lit(out, "null");
	buf_lit(out, ",\"record_id\":");
	if (f->has_record_id) buf_u64(out, f->record_id);
	else buf_lit(out, "null");
	put_matched(out, f);
	buf_lit(out, ",\"fields\":");
	if (f->fields_json.n) buf_str(out, f->fields_json);
	else buf_lit(out, "null");
	if (f->kind == FINDING_CORRELATION) put_correlation(out, f);
	if (f->extra_json.n) {
		buf_byte(out, ',');
		buf_str(out, f->extra_json);
	}
	if (f->n_stages) put_stages(&l, f);
	buf_lit(out, ",\"evidence\":");
	put_evidences(&l, f->evidence, f->n_evidence);
	buf_lit(out, "}\n");
}

void report_jsonl(const struct finding *f, const struct report_sources *sources, struct buf *out) { report_jsonl_by(NULL, f, sources, out); }
