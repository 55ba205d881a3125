/* csv.c: a finding as one CSV line: what a spreadsheet user needs to sort, filter and look the record up. */
#include "report/report.h"
#include "text/escape.h"

void report_csv_header(struct buf *out)
{
	buf_lit(out, "time,level,kind,rule,rule_id,tags,host,channel,event_id,record_id,matched,count,source,offset,length,line,sha256,source_sha256,recovered\r\n");
}

static void cell(struct buf *out, struct str s)
{
	csv_cell(out, s);
	buf_byte(out, ',');
}

static void number(struct buf *out, bool present, uint64_t v)
{
	if (present) buf_u64(out, v);
	buf_byte(out, ',');
}

static void joined(struct buf *out, struct buf *text)
{
	cell(out, buf_view(text));
	text->n = 0;
}

void report_csv(const struct finding *f, const struct report_sources *sources, struct buf *out)
{
	struct buf text = {0};
	char time[ETIME_MAX];
	const struct evidence_ref *e = &f->evidence[0];
	const struct report_source *s = e->source < sources->n ? &sources->v[e->source] : NULL;
	cell(out, (struct str){time, etime_print(f->time, f->time.digits > 6 ? 6 : f->time.digits, time)});
	cell(out, str_of(level_word(f->level)));
	cell(out, str_of(finding_kind_word(f->kind)));
	cell(out, f->rule ? f->rule->title : f->title);
	cell(out, f->rule ? f->rule->id : (struct str){"", 0});
	for (uint32_t i = 0; f->rule && i < f->rule->n_tags; i++) buf_printf(&text, "%s%.*s", i ? " " : "", STR_FMT(f->rule->tags[i]));
	joined(out, &text);
	cell(out, f->host);
	cell(out, f->channel);
	number(out, f->event_id >= 0, (uint64_t)f->event_id);
	number(out, f->has_record_id, f->record_id);
	for (uint32_t i = 0; i < f->n_matched; i++) {
		if (i) buf_lit(&text, "; ");
		buf_str(&text, f->matched[i].field);
		buf_byte(&text, '=');
		buf_str(&text, f->matched[i].value);
	}
	for (uint32_t i = 0; i < f->n_group; i++) { /* a value that the events lack has no '=' */
		const struct named *g = &f->group[i];
		buf_printf(&text, "%s%.*s%s%.*s", text.n ? "; " : "", STR_FMT(g->name), g->value.p ? "=" : "", STR_FMT(g->value));
	}
	joined(out, &text);
	number(out, true, f->count);
	cell(out, s ? s->info->path : (struct str){"", 0});
	number(out, true, e->offset);
	number(out, true, e->length);
	number(out, e->line, e->line);
	buf_hex(out, e->sha256, SHA256_SIZE);
	buf_byte(out, ',');
	if (s && s->hashed) buf_hex(out, s->info->sha256, SHA256_SIZE);
	/* Whether any record it rests on was found by recovery. */
	bool recovered = false;
	for (uint32_t i = 0; i < f->n_evidence; i++) recovered |= f->evidence[i].recovered;
	buf_str(out, recovered ? STR(",true\r\n") : STR(",\r\n"));
	buf_done(&text);
}
