/* incident_event: events made from text, for tests of the incident room; and a run of its three steps over them.
 *
 * An event is a line of pieces between '|': log kind, time, then NAME=VALUE pieces. Log kinds: see kinds below.
 * A piece "!TITLE!LEVEL!TAG,TAG" is a hit of a rule. Everything lives until fake_done. */
#pragma once
#include "incident/incident.h"
#include "base/sha256.h"

enum { FAKE_COLUMNS = 100, FAKE_HITS = 4 };
struct fake {
	struct arena arena;
	struct taxonomy *taxonomy;
	struct shape_table *shapes;
	struct event ev;
	struct record_ref record;
	struct value cells[FAKE_COLUMNS];
	struct rule_info rules[FAKE_HITS];
	const struct rule_info *hits[FAKE_HITS];
	struct str tags[FAKE_HITS][8];
	uint32_t n_hits;
	struct str separator;
};

static inline void fake_init(struct fake *f)
{
	struct fault fault = FAULT_INIT;
	*f = (struct fake){.separator = STR("|")};
	arena_init(&f->arena, 64 << 20);
	f->taxonomy = taxonomy_new(&fault);
	f->shapes = shape_table_new(f->taxonomy, 32 << 20);
}

static inline void fake_done(struct fake *f)
{
	shape_table_free(f->shapes);
	taxonomy_free(f->taxonomy);
	arena_done(&f->arena);
}

struct fake_kind { const char *word, *format, *product, *category, *service, *channel; };
static const struct fake_kind fake_kinds[] = {
	{"iis", "iis-w3c", "windows", "webserver", "iis", ""}, {"web", "apache", "", "webserver", "", ""},
	{"httpproxy", "exchange-csv", "exchange", "", "httpproxy", ""}, {"ecp", "exchange-csv", "exchange", "", "ecp-server", ""},
	{"rps-http", "exchange-csv", "exchange", "", "rps-http", ""}, {"rps-cmdlet", "exchange-csv", "exchange", "", "rps-cmdlet", ""},
	{"oab", "exchange-csv", "exchange", "", "oabgenerator", ""}, {"ews", "exchange-csv", "exchange", "", "ews", ""}, {"audit", "json", "m365", "", "audit", ""}, {"mgmt", "evtx", "windows", "", "msexchange-management", "MSExchange Management"},
	{"security", "evtx", "windows", "", "security", "Security"}, {"sysmon", "evtx", "windows", "", "sysmon", "Microsoft-Windows-Sysmon/Operational"},
	{"application", "evtx", "windows", "", "application", "Application"}, {"other", "syslog", "linux", "", "", ""}
};

static inline void fake_decode(struct event *ev, uint32_t column, struct value *ret)
{
	(void)ev, (void)column;
	*ret = (struct value){.kind = VALUE_ABSENT};
}
static const struct event_ops fake_ops = {.decode = fake_decode};

static inline void fake_hit(struct fake *f, struct str text)
{
	struct rule_info *r = &f->rules[f->n_hits];
	*r = (struct rule_info){.title = str_cut(&text, '!')};
	level_parse(str_cut(&text, '!'), &r->level);
	while (text.p && r->n_tags < 8) f->tags[f->n_hits][r->n_tags++] = str_cut(&text, ',');
	r->tags = f->tags[f->n_hits];
	f->hits[f->n_hits++] = r;
}

static inline const struct shape *fake_shape(struct fake *f, const struct fake_kind *k, const struct str *names, uint32_t n, int64_t event_id)
{
	struct column *columns = arena_calloc(&f->arena, n + 1, sizeof *columns);
	struct logsource_binding *binding = arena_calloc(&f->arena, 1, sizeof *binding);
	binding->ls = (struct logsource){str_of(k->product), str_of(k->category), str_of(k->service)};
	struct buf key = {0};
	buf_printf(&key, "%s %s %lld", k->format, k->service, (long long)event_id);
	int32_t host = -1;
	for (uint32_t i = 0; i < n; i++) {
		columns[i].name = names[i];
		if (str_eq(names[i], STR("Computer"))) host = (int32_t)i;
		buf_byte(&key, ' ');
		buf_str(&key, names[i]);
	}
	const struct shape *s = shape_table_find(f->shapes, buf_view(&key));
	if (!s) s = shape_table_add(f->shapes, buf_view(&key), &(struct shape){.n_columns = n, .n_bindings = 1, .columns = columns, .bindings = binding,
		.format = str_of(k->format), .channel = str_of(k->channel), .event_id = event_id, .host_column = host});
	buf_done(&key);
	return s;
}

/* The event of a line; valid until the next one. NULL when the line cannot be read. */
static inline struct event *fake_event(struct fake *f, struct str line)
{
	const struct fake_kind *kind = NULL;
	struct str names[FAKE_COLUMNS], rest = arena_str(&f->arena, line), word = str_cut(&rest, f->separator.p[0]), time = str_cut(&rest, f->separator.p[0]);
	uint32_t n = 0;
	int64_t event_id = -1;
	f->n_hits = 0;
	for (size_t i = 0; i < COUNT(fake_kinds); i++)
		if (str_eq(word, str_of(fake_kinds[i].word))) kind = &fake_kinds[i];
	f->ev = (struct event){.cells = f->cells, .arena = &f->arena, .ops = &fake_ops, .records = &f->record, .n_records = 1};
	if (!kind || (time.n && !etime_parse(time, &f->ev.time, NULL))) return NULL;
	while (rest.p && n < FAKE_COLUMNS) {
		struct str piece = str_cut(&rest, f->separator.p[0]);
		if (piece.n && piece.p[0] == '!') {
			if (f->n_hits < FAKE_HITS) fake_hit(f, str_sub(piece, 1, SIZE_MAX));
			continue;
		}
		size_t equals = str_find_byte(piece, '=', 0);
		if (equals == SIZE_MAX) continue;
		names[n] = str_sub(piece, 0, equals);
		f->cells[n++] = value_str(str_sub(piece, equals + 1, SIZE_MAX));
		if (str_eq(names[n - 1], STR("EventID"))) str_i64(f->cells[n - 1].text, &event_id);
	}
	f->ev.shape = fake_shape(f, kind, names, n, event_id);
	return &f->ev;
}

/* --- a run over lines: workers, spill and merge as the pipeline does them, with a source a line --- */

struct fake_spilled { struct etime time; uint32_t source; uint64_t offset; struct str payload; };
struct fake_run {
	struct fake fake;
	struct incident_plan *plan;
	struct analyser *analyser[2];
	struct incidents *incidents;
	VEC(struct fake_spilled) spilled;
	uint32_t n_hits, n_lines;
	struct str hit_titles[64];
	uint32_t workers;
};

static inline void fake_run_init(struct fake_run *r, uint32_t workers)
{
	struct fault fault = FAULT_INIT;
	memset(r, 0, sizeof *r);
	fake_init(&r->fake);
	r->workers = workers;
	r->plan = incident_plan_new(&fault);
	for (uint32_t i = 0; i < workers; i++) r->analyser[i] = analyser_new(r->plan, 8 << 20);
	r->incidents = incidents_new(r->plan, 32 << 20);
}

static inline bool fake_line(struct fake_run *r, struct str line, uint32_t source, struct str path)
{
	struct event *ev = fake_event(&r->fake, line);
	if (!ev) return false;
	uint32_t number = r->n_lines++;
	const struct clue *c = analyser_event(r->analyser[number % r->workers], ev, source, path, r->fake.hits, r->fake.n_hits);
	if (!c) return true;
	if (c->rule) r->hit_titles[r->n_hits++ % COUNT(r->hit_titles)] = c->rule->title;
	if (c->payload.n) vec_push(&r->spilled, (struct fake_spilled){ev->time, source, number, arena_str(&r->fake.arena, c->payload)});
	return true;
}

static inline int fake_order(const void *a, const void *b)
{
	const struct fake_spilled *x = a, *y = b;
	int c = etime_cmp(x->time, y->time);
	return c ? c : x->offset < y->offset ? -1 : x->offset > y->offset;
}

static inline void fake_finish(struct fake_run *r, void (*report)(void *, const struct incident *), void *context)
{
	for (uint32_t i = 0; i < r->workers; i++) incidents_merge(r->incidents, r->analyser[i]);
	if (r->spilled.n > 1) qsort(r->spilled.v, r->spilled.n, sizeof r->spilled.v[0], fake_order);
	for (size_t i = 0; i < r->spilled.n; i++) {
		const struct fake_spilled *s = &r->spilled.v[i];
		struct evidence_ref e = {.source = s->source, .offset = s->offset, .length = 1, .line = (uint32_t)s->offset + 1};
		incidents_feed(r->incidents, &(struct clue_record){.time = s->time, .source = s->source, .payload = s->payload, .evidence = &e, .n_evidence = 1});
	}
	incidents_finish(r->incidents, report, context);
}

static inline void fake_run_done(struct fake_run *r)
{
	incidents_free(r->incidents);
	for (uint32_t i = 0; i < r->workers; i++) analyser_free(r->analyser[i]);
	incident_plan_free(r->plan);
	vec_free(&r->spilled);
	fake_done(&r->fake);
}
