/* merge.c: phase two. Spilled hits come back in order; the same record seen in two sources becomes one finding that cites both;
 * correlations see what is left; everything goes to the sinks in its final order. */
#include "scan/scan_internal.h"

enum { GROUP_MAX = 4096, GROUP_BUDGET = 64 << 20 };

/* Hits of one moment, waiting to be joined. */
struct group {
	struct arena arena;
	VEC(struct finding) findings;
	VEC(bool) joined; /* swallowed by an earlier one */
};

static const struct scan_source *source_of(const struct scan *s, const struct finding *f)
{
	return &s->sources[f->evidence[0].source];
}

/* The same Windows record in two sources, or the same place in two sources with the same bytes. */
static bool same_record(const struct scan *s, const struct finding *a, const struct finding *b)
{
	if (a->rule_index != b->rule_index || a->evidence[0].source == b->evidence[0].source) return false;
	if (a->has_record_id && b->has_record_id && a->channel.n)
		return a->record_id == b->record_id && str_eq(a->channel, b->channel) && str_eq(a->host, b->host) && str_eq(a->fields_json, b->fields_json);
	const struct scan_source *x = source_of(s, a), *y = source_of(s, b);
	return x->hashed && y->hashed && !memcmp(x->info.sha256, y->info.sha256, SHA256_SIZE) && a->evidence[0].offset == b->evidence[0].offset;
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

struct output {
	struct scan *scan;
	struct finding_sink *const *sinks;
	size_t n_sinks;
	bool stopped;
};

static void put(struct output *o, struct finding *f)
{
	const struct rule *rule = f->rule_index == UINT32_MAX ? NULL : rule_set_at(o->scan->config.rules, f->rule_index);
	f->rule = rule ? &rule->info : NULL;
	if (f->kind == FINDING_HIT && rule && !rule->report) return;
	o->scan->results.findings++;
	o->scan->results.by_level[f->level]++;
	for (size_t i = 0; i < o->n_sinks && !o->stopped; i++) o->stopped = !o->sinks[i]->put(o->sinks[i], f, &o->scan->results);
}

static void flush_group(struct output *o, struct group *g)
{
	for (size_t i = 0; i < g->findings.n && g->findings.n > 1; i++)
		for (size_t j = i + 1; !g->joined.v[i] && j < g->findings.n; j++) {
			if (g->joined.v[j] || !same_record(o->scan, &g->findings.v[i], &g->findings.v[j])) continue;
			join(g, &g->findings.v[i], &g->findings.v[j]);
			g->joined.v[j] = true;
		}
	for (size_t i = 0; i < g->findings.n && !o->stopped; i++)
		if (!g->joined.v[i]) put(o, &g->findings.v[i]);
	g->findings.n = 0;
	g->joined.n = 0;
	arena_reset(&g->arena);
}

static bool add(struct output *o, struct group *g, struct str payload, struct fault *f)
{
	struct str copy = arena_str(&g->arena, payload);
	struct finding finding;
	if (!copy.p || !finding_unpack(copy, &g->arena, &finding) || !finding.n_evidence) {
		fault_set(f, FAULT_CORRUPT, "a spilled finding does not read back");
		return false;
	}
	struct evidence_ref *e = (struct evidence_ref *)finding.evidence;
	for (uint32_t i = 0; i < finding.n_evidence; i++) {
		verify(e[i].source < o->scan->open.n);
		e[i].source = o->scan->final[e[i].source];
	}
	vec_push(&g->findings, finding);
	vec_push(&g->joined, false);
	return true;
}

bool scan_finish(struct scan *s, struct finding_sink *const *sinks, size_t n_sinks, struct fault *f)
{
	struct fault local = FAULT_INIT;
	struct output o = {s, sinks, n_sinks, false};
	struct group g = {0};
	struct spill_key key, moment = {0};
	struct str payload;
	arena_init(&g.arena, GROUP_BUDGET);
	struct spill_merge *m = spill_merge_new(s->spills.v, s->spills.n, &local);
	while (m && !o.stopped && spill_merge_next(m, &key, &payload, &local)) {
		bool same = key.present == moment.present && key.sec == moment.sec && key.nsec == moment.nsec;
		if (g.findings.n && (!same || g.findings.n >= GROUP_MAX || g.arena.used + payload.n * 2 > GROUP_BUDGET / 2)) flush_group(&o, &g);
		moment = key;
		if (!add(&o, &g, payload, &local)) break;
	}
	if (!local.kind && !o.stopped) flush_group(&o, &g);
	spill_merge_free(m);
	vec_free(&g.findings);
	vec_free(&g.joined);
	arena_done(&g.arena);
	if (f && local.kind) *f = local;
	return !local.kind && !o.stopped;
}
