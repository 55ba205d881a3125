/* merge.c: phase two. Spilled hits come back in order; the same record seen in two sources becomes one finding that cites both;
 * correlations see what is left; everything goes to the sinks in its final order. */
#include "scan/scan_internal.h"

enum { GROUP_MAX = 4096, GROUP_BUDGET = 64 << 20, BATCH_MAX = 64, BATCH_BYTES = 1 << 20 };

/* Hits of one moment, waiting to be joined. */
struct group {
	struct arena arena;
	VEC(struct finding) findings;
	VEC(bool) joined; /* swallowed by an earlier one */
	bool several;     /* of more than one source */
};

static const struct scan_source *source_of(const struct scan *s, const struct finding *f)
{
	return &s->sources[f->evidence[0].source];
}

/* The same Windows record in two sources, or the same place in two sources with the same bytes. */
static bool same_record(const struct scan *s, const struct finding *a, const struct finding *b)
{
	if (a->rule_index != b->rule_index || a->kind != b->kind || a->evidence[0].source == b->evidence[0].source) return false;
	if (a->has_record_id && b->has_record_id && a->channel.n)
		return a->record_id == b->record_id && str_eq(a->channel, b->channel) && str_eq(a->host, b->host) && str_eq(a->fields_json, b->fields_json);
	if (a->evidence[0].source >= s->results.n_sources || b->evidence[0].source >= s->results.n_sources) return false;
	const struct scan_source *x = source_of(s, a), *y = source_of(s, b);
	if (a->evidence[0].offset != b->evidence[0].offset) return false;
	if (x->hashed && y->hashed && !memcmp(x->info.sha256, y->info.sha256, SHA256_SIZE)) return true;
	/* A copy made earlier or later, of a log that was written on. */
	return !memcmp(a->evidence[0].sha256, b->evidence[0].sha256, SHA256_SIZE) && str_eq(x->info.format, y->info.format) && str_eq(a->host, b->host) &&
		str_eq(s->homes[a->evidence[0].source], s->homes[b->evidence[0].source]);
}

static void join(struct group *g, struct finding *into, const struct finding *from)
{
	uint32_t n = into->n_evidence + from->n_evidence;
	struct evidence_ref *e = arena_alloc(&g->arena, n * sizeof *e);
	if (!e) return;
	memcpy(e, into->evidence, into->n_evidence * sizeof *e);
	memcpy(e + into->n_evidence, from->evidence, from->n_evidence * sizeof *e);
	into->evidence = e;
	into->n_evidence = n;
	into->evidence_total = n;
}

/* Where the joined hits of a pass go. */
struct pass {
	struct scan *scan;
	bool (*take)(struct pass *p, struct finding *f);
	bool stopped;
	struct group group;
	/* of the first: hits on their way to the correlator, which takes many at once faster; they live in group.arena */
	struct corr_event batch[BATCH_MAX];
	uint32_t n_batch;
	/* of the last pass */
	struct finding_sink *const *sinks;
	size_t n_sinks;
};

/* --- the pass that correlates and joins: hits and clues in, fired correlations and incidents spilled --- */

static void spill_fired(struct scan *s, const struct finding *f)
{
	struct buf packed = {0}, event = {0};
	struct fault fault = FAULT_INIT;
	if (!f->n_evidence) return;
	uint32_t source = f->evidence[0].source;
	struct spill_key key = {.sec = f->time.sec, .order = source < s->results.n_sources ? s->sources[source].order : 0, .offset = f->evidence[0].offset, .nsec = f->time.nsec,
		.rank = scan_rule_rank(s, f->rule_index), .present = f->time.present, .kind = f->kind};
	finding_pack_event(f, &event);
	buf_str(&event, f->fields_json);
	finding_pack(f, false, &packed);
	if (!spill_add(s->fired, &key, (struct spill_payload){buf_view(&event), buf_view(&packed)}, 0, &fault)) s->spill_fault = fault;
	buf_done(&event);
	buf_done(&packed);
}

/* Incidents are stories of what this scan read. */
static bool cites_older(const struct finding *f)
{
	for (uint32_t i = 0; i < f->n_evidence; i++)
		if (f->evidence[i].source >= SCAN_OLDER_SOURCE) return true;
	return false;
}

static void fired(void *arg, const struct finding *f, bool final)
{
	struct scan *s = arg;
	if (!final || f->level < s->config.min_level) return;
	if (s->incidents && !cites_older(f)) incidents_finding(s->incidents, f);
	spill_fired(s, f);
}

static void incident_found(void *arg, const struct incident *i)
{
	struct scan *s = arg;
	struct str story = arena_str(&s->strings, i->story);
	size_t at = s->stories.n;
	if (story.p) { /* the worst first; of those that got as far the earlier */
		vec_push(&s->stories, story);
		vec_push(&s->story_stages, (uint8_t)i->stage);
		for (; at && s->story_stages.v[at - 1] < i->stage; at--) {
			s->stories.v[at] = s->stories.v[at - 1];
			s->story_stages.v[at] = s->story_stages.v[at - 1];
		}
		s->stories.v[at] = story;
		s->story_stages.v[at] = (uint8_t)i->stage;
	}
	struct finding f = i->finding;
	f.rule_index = UINT32_MAX;
	spill_fired(s, &f);
}

bool scan_correlate_start(struct scan *s, struct fault *f)
{
	struct correlate_options o = {.state_memory = s->config.state_memory, .temp_dir = s->config.temp_dir, .every = s->config.every, .detectors = true,
		.known_sources = s->config.known_sources, .put = fired, .arg = s};
	s->correlate = correlate_new(s->config.rules, &o, f);
	if (!s->correlate) return false;
	for (uint32_t i = 0; i < rule_set_count(s->config.rules) && !s->correlating; i++) s->correlating = correlate_wants(s->correlate, i);
	s->fired = spill_new(s->config.temp_dir, SPILL_BUFFER);
	s->twins = twins_new();
	s->twin_source = UINT32_MAX;
	return true;
}

static void flush_batch(struct pass *p)
{
	if (p->n_batch) correlate_hits(p->scan->correlate, p->batch, p->n_batch);
	p->n_batch = 0;
}

/* Hits of earlier scans up to a time (absent: all), in their place among this scan's. */
static void feed_older(struct pass *p, struct etime until)
{
	struct scan *s = p->scan;
	const struct scan_keeper *k = s->config.keeper;
	if (!k || !k->older) return;
	if (!s->older_begun) s->has_older = k->older(k->arg, &s->older);
	s->older_begun = true;
	while (s->has_older && (!until.present || etime_cmp(s->older.time, until) <= 0)) {
		flush_batch(p);
		correlate_hit(s->correlate, &s->older);
		s->has_older = k->older(k->arg, &s->older);
	}
}

static bool take_for_correlation(struct pass *p, struct finding *f)
{
	struct scan *s = p->scan;
	if (f->kind == (enum finding_kind)PACKED_CLUE) {
		flush_batch(p); /* incidents hear of findings and clues in the order of time */
		incidents_feed(s->incidents, &(struct clue_record){.time = f->time, .source = s->provisional[f->evidence[0].source], .payload = f->extra_json,
			.evidence = f->evidence, .n_evidence = f->n_evidence});
		return true;
	}
	if (f->kind != FINDING_HIT || f->rule_index >= NATIVE_RULE || !correlate_wants(s->correlate, f->rule_index)) return true;
	struct str host = f->host.n || f->evidence[0].source >= s->results.n_sources ? f->host : s->homes[f->evidence[0].source];
	if (s->results.n_sources > 1 && str_eq(rule_set_at(s->config.rules, f->rule_index)->info.logsource.category, STR("authentication")) &&
		twins_told(s->twins, &f->login, host, f->rule_index, f->evidence[0].source, f->time)) {
		/* The hits of a record come one behind the other. */
		s->results.twins += s->twin_source != f->evidence[0].source || s->twin_offset != f->evidence[0].offset;
		s->twin_source = f->evidence[0].source;
		s->twin_offset = f->evidence[0].offset;
		return true;
	}
	struct str *values = arena_alloc(&p->group.arena, f->n_keep * sizeof *values);
	if (!values) {
		fault_set(&s->spill_fault, FAULT_LIMIT, "no memory for a hit on its way to its correlations");
		return false;
	}
	for (uint32_t i = 0; i < f->n_keep; i++) values[i] = f->keep[i].name.n ? f->keep[i].value : (struct str){NULL, 0};
	struct corr_event e = {.rule = f->rule_index, .time = f->time, .evidence = f->evidence, .n_evidence = f->n_evidence, .values = values, .n_values = f->n_keep,
		.host = f->host};
	if (s->config.keeper && !s->config.keeper->hit(s->config.keeper->arg, &e)) return false;
	if (f->time.present) feed_older(p, f->time);
	p->batch[p->n_batch++] = e;
	if (p->n_batch == BATCH_MAX) flush_batch(p);
	return !s->spill_fault.kind;
}

/* --- the pass that reports --- */

static bool take_for_report(struct pass *p, struct finding *f)
{
	struct scan *s = p->scan;
	verify(f->n_evidence); /* a finding that rests on nothing is none */
	f->rule = scan_rule_info(s, f->rule_index);
	s->results.findings++;
	s->results.by_level[f->level]++;
	for (size_t i = 0; i < p->n_sinks; i++)
		if (!p->sinks[i]->put(p->sinks[i], f, &s->results)) return false;
	return true;
}

/* --- both --- */

static void flush_group(struct pass *p)
{
	struct group *g = &p->group;
	for (size_t i = 0; i < g->findings.n && g->several; i++)
		for (size_t j = i + 1; !g->joined.v[i] && j < g->findings.n; j++) {
			if (g->joined.v[j] || !same_record(p->scan, &g->findings.v[i], &g->findings.v[j])) continue;
			join(g, &g->findings.v[i], &g->findings.v[j]);
			g->joined.v[j] = true;
		}
	for (size_t i = 0; i < g->findings.n && !p->stopped; i++)
		if (!g->joined.v[i]) p->stopped = !p->take(p, &g->findings.v[i]);
	g->findings.n = 0;
	g->joined.n = 0;
	g->several = false;
	if (g->arena.used > BATCH_BYTES) flush_batch(p);
	if (!p->n_batch) arena_reset(&g->arena);
}

static bool add(const struct scan *s, struct group *g, struct spill_payload payload, struct fault *f)
{
	struct str event = arena_str(&g->arena, payload.shared), rest = arena_str(&g->arena, payload.own);
	struct finding finding;
	if (!event.p || !rest.p || !finding_unpack(event, rest, &g->arena, &finding) || !finding.n_evidence) {
		fault_set(f, FAULT_CORRUPT, "a spilled finding does not read back");
		return false;
	}
	/* Hits were spilled before the final order of sources was known. */
	struct evidence_ref *e = (struct evidence_ref *)finding.evidence;
	bool hit = finding.kind == FINDING_HIT || finding.kind == FINDING_INTEGRITY || finding.kind == (enum finding_kind)PACKED_CLUE;
	for (uint32_t i = 0; hit && i < finding.n_evidence; i++) {
		verify(e[i].source < s->open.n);
		e[i].source = s->final[e[i].source];
	}
	if (hit && s->left_out && s->left_out[e[0].source]) return true;
	g->several |= g->findings.n && g->findings.v[0].evidence[0].source != e[0].source;
	vec_push(&g->findings, finding);
	vec_push(&g->joined, false);
	return true;
}

/* One pass over the spills in order; hits of one moment are gathered, joined and handed to p->take. */
static bool run_pass(struct pass *p, enum spill_for alone, struct fault *f)
{
	struct scan *s = p->scan;
	VEC(struct spill *) spills = {0};
	struct fault local = FAULT_INIT;
	struct group *g = &p->group;
	struct spill_key key, moment = {0};
	struct spill_payload payload;
	bool single = s->results.n_sources < 2; /* then nothing is joined, and what was just read need not wait */
	arena_init(&g->arena, GROUP_BUDGET);
	for (size_t i = 0; i < s->spills[alone].n; i++) vec_push(&spills, s->spills[alone].v[i]);
	for (size_t i = 0; i < s->spills[SPILL_BOTH].n; i++) vec_push(&spills, s->spills[SPILL_BOTH].v[i]);
	struct spill_merge *m = spill_merge_new(spills.v, spills.n, &local);
	while (m && !p->stopped && spill_merge_next(m, &key, &payload, &local)) {
		bool same = key.present == moment.present && key.sec == moment.sec && key.nsec == moment.nsec;
		if (g->findings.n && (!same || g->findings.n >= GROUP_MAX || g->arena.used + (payload.shared.n + payload.own.n) * 2 > GROUP_BUDGET / 2)) flush_group(p);
		moment = key;
		if (!add(s, g, payload, &local)) break;
		if (single) flush_group(p);
	}
	if (!local.kind && !p->stopped) flush_group(p);
	flush_batch(p);
	spill_merge_free(m);
	vec_free(&spills);
	vec_free(&g->findings);
	vec_free(&g->joined);
	arena_done(&g->arena);
	if (f && local.kind) *f = local;
	return !local.kind && !p->stopped;
}

/* The incident room gets what the workers counted and what was read, in the final order of sources. */
static void start_incidents(struct scan *s)
{
	if (!s->config.incidents) return;
	s->incidents = incidents_new(s->config.incidents, INCIDENT_BUDGET);
	for (size_t i = 0; i < s->analysers.n; i++) incidents_merge(s->incidents, s->analysers.v[i]);
	for (uint32_t i = 0; i < s->results.n_sources; i++)
		incidents_source(s->incidents, s->provisional[i], s->sources[i].info.path, s->sources[i].info.format, &s->sources[i].report);
}

bool scan_finish(struct scan *s, struct finding_sink *const *sinks, size_t n_sinks, struct fault *f)
{
	start_incidents(s);
	if (s->correlating || s->incidents) {
		struct pass first = {.scan = s, .take = take_for_correlation};
		if (!run_pass(&first, SPILL_FEEDS, f)) {
			if (f && s->spill_fault.kind) *f = s->spill_fault;
			return false;
		}
		feed_older(&first, (struct etime){0});
		correlate_finish(s->correlate);
		correlate_stats(s->correlate, &s->results.correlations);
		correlate_detect_stats(s->correlate, &s->results.logins);
		s->results.notes = correlate_notes(s->correlate, &s->results.n_notes);
		if (s->incidents) incidents_finish(s->incidents, incident_found, s);
		if (s->incidents) s->results.scope = incidents_scope(s->incidents, &s->results.n_scope);
		struct str rest = s->incidents ? incidents_rest(s->incidents) : (struct str){"", 0};
		if (rest.n) vec_push(&s->stories, rest);
		s->results.stories = s->stories.v;
		s->results.n_stories = (uint32_t)s->stories.n;
		if (s->spill_fault.kind) {
			if (f) *f = s->spill_fault;
			return false;
		}
		vec_push(&s->spills[SPILL_SHOWN], s->fired);
		s->fired = NULL;
	}
	struct pass last = {.scan = s, .take = take_for_report, .sinks = sinks, .n_sinks = n_sinks};
	return run_pass(&last, SPILL_SHOWN, f);
}
