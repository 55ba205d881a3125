/* output_case.c: see output_case.h. Where what the scan found becomes rows. */
#include "app/output_case.h"
#include "app/case_tools.h"
#include "base/file.h"
#include "evtx/evtx.h"
#include "verify/pinned.h"
#include <errno.h>
#include <unistd.h>

enum { OPEN_SOURCES = 64 };

struct opened { bool used; uint32_t source; uint64_t last_use; struct input input; };

struct case_output {
	struct finding_sink sink;
	struct case_output_options options;
	struct scan_keeper keeper;
	struct case_writer *w;
	struct fault fault;               /* of a callback */
	const struct scan_results *results;
	const struct scan_config *config;
	uint32_t n_rules;                 /* of the rule set; native ones come behind */
	const struct rule_info *native;
	uint32_t n_native;                /* of them; the detectors' come behind */
	bool run_is_new, restarted;
	struct case_hits *older;
	struct opened open[OPEN_SOURCES]; /* originals that bytes are fetched from */
	uint64_t uses;
	/* The chunk of an event log looked at last, and the evidence of a finding with what its records need. */
	struct buf chunk;
	uint32_t chunk_source;
	uint64_t chunk_at;
	VEC(struct evidence_ref) refs;
};

_Static_assert(SCAN_OLDER_SOURCE == CASE_OLD_SOURCE, "sources of earlier scans have one numbering");

/* --- bytes ---------------------------------------------------------------------------------------------------------- */

static struct opened *open_original(struct case_output *o, uint32_t source, struct fault *f)
{
	struct opened *oldest = &o->open[0];
	for (size_t i = 0; i < OPEN_SOURCES; i++) {
		struct opened *x = &o->open[i];
		if (x->used && x->source == source) return x;
		if (!x->used || (oldest->used && x->last_use < oldest->last_use)) oldest = x;
	}
	const struct source_info *info = &o->results->sources[source].info;
	if (oldest->used) input_close(&oldest->input);
	oldest->used = false;
	const struct case_again *again = o->options.again;
	int64_t member = info->in_container ? (int64_t)info->member : -1;
	bool ok = again ? again->originals->sources.open(again->originals, info->path, member, &oldest->input, f) : case_original_open(NULL, info->path, member, &oldest->input, f);
	if (!ok) {
		if (f) fault_path(f, info->path);
		return NULL;
	}
	oldest->used = true;
	oldest->source = source;
	return oldest;
}

static bool fetch(void *arg, uint32_t source, uint64_t offset, uint64_t length, struct buf *out, struct fault *f)
{
	struct case_output *o = arg;
	struct opened *x = source < o->results->n_sources ? open_original(o, source, f) : NULL;
	if (!x) return false;
	x->last_use = ++o->uses;
	if (length > x->input.size) {
		fault_set(f, FAULT_VERIFY, "the source became shorter during the scan");
		return false;
	}
	int64_t got = input_pread(&x->input, buf_reserve(out, length), length, offset, f);
	if (got > 0) out->n += (size_t)got;
	return got >= 0;
}

/* --- what records need to be read again ------------------------------------------------------------------------------------ */

enum { EVTX_HEADER = 4096, EVTX_CHUNK = 65536, MAX_NEEDS = 256 };

static bool load_chunk(struct case_output *o, uint32_t source, uint64_t at)
{
	const struct source_info *info = &o->results->sources[source].info;
	if (o->chunk.n && o->chunk_source == source && o->chunk_at == at) return true;
	o->chunk.n = 0;
	uint64_t n = at < info->size ? info->size - at : 0;
	if (n > EVTX_CHUNK) n = EVTX_CHUNK;
	if (!n || !fetch(o, source, at, n, &o->chunk, &o->fault)) return false;
	o->chunk_source = source;
	o->chunk_at = at;
	return true;
}

static bool cited_already(const struct case_output *o, uint32_t source, uint64_t offset, uint64_t length)
{
	for (size_t i = o->refs.n; i-- > 0 && o->refs.n - i < 1000;)
		if (o->refs.v[i].source == source && o->refs.v[i].offset == offset && o->refs.v[i].length == length) return true;
	return false;
}

/* Definitions and names of an event log's chunk that the record cannot be read without. */
static bool add_needs(struct case_output *o, const struct evidence_ref *e)
{
	struct range needs[MAX_NEEDS];
	uint64_t at = EVTX_HEADER + (e->offset - EVTX_HEADER) / EVTX_CHUNK * EVTX_CHUNK;
	if (!load_chunk(o, e->source, at)) return false;
	uint32_t n = evtx_needs(o->chunk.p, o->chunk.n, (uint32_t)(e->offset - at), needs, MAX_NEEDS);
	for (uint32_t i = 0; i < n; i++) {
		if (cited_already(o, e->source, at + needs[i].offset, needs[i].length)) continue;
		struct evidence_ref ref = {.source = e->source, .offset = at + needs[i].offset, .length = needs[i].length, .role = EVIDENCE_CONTEXT};
		sha256_of(o->chunk.p + needs[i].offset, needs[i].length, ref.sha256);
		vec_push(&o->refs, ref);
	}
	return true;
}

/* The evidence and behind it what its records need; in o->refs. */
static bool with_needs(struct case_output *o, const struct evidence_ref *e, uint32_t n)
{
	o->refs.n = 0;
	for (uint32_t i = 0; i < n; i++) vec_push(&o->refs, e[i]);
	for (uint32_t i = 0; i < n; i++) {
		if (e[i].role != EVIDENCE_RECORD || e[i].source >= o->results->n_sources || e[i].offset < EVTX_HEADER) continue;
		if (!str_eq(o->results->sources[e[i].source].info.format, STR("evtx"))) continue;
		if (!add_needs(o, &e[i])) return false;
	}
	return true;
}

/* --- the keeper -------------------------------------------------------------------------------------------------------- */

static void *begin_source(void *arg, uint64_t order, struct str path, struct str format)
{
	return case_source_tree(((struct case_output *)arg)->w, format, order, path);
}
static void source_bytes(void *tap, const void *bytes, size_t n) { source_tree_feed(tap, bytes, n); }
static void drop_source(void *tap) { source_tree_free(tap); }

static bool keep_hit(void *arg, const struct corr_event *e)
{
	struct case_output *o = arg;
	if (!with_needs(o, e->evidence, e->n_evidence)) return false;
	struct case_hit h = {.rule = e->rule, .time = e->time, .host = e->host, .values = e->values, .n_values = e->n_values, .evidence = o->refs.v, .n_evidence = (uint32_t)o->refs.n};
	return case_add_hit(o->w, &h, &o->fault);
}

static bool older_hit(void *arg, struct corr_event *ret)
{
	struct case_output *o = arg;
	struct case_hit h;
	if (!o->older && !(o->older = case_old_hits(o->w, &o->fault))) return false;
	if (!case_old_hits_next(o->older, &h, &o->fault)) return false;
	*ret = (struct corr_event){.rule = h.rule, .time = h.time, .host = h.host, .values = h.values, .n_values = h.n_values, .evidence = h.evidence, .n_evidence = h.n_evidence};
	return true;
}

static bool put(struct finding_sink *self, const struct finding *finding, const struct scan_results *results)
{
	struct case_output *o = (struct case_output *)self;
	struct finding x = *finding;
	(void)results;
	/* Native rules stand behind the rule set's. */
	if (x.rule && x.rule_index >= DETECTOR_RULE) x.rule_index = o->n_rules + o->n_native + (x.rule_index - DETECTOR_RULE);
	else if (x.rule && x.rule_index >= o->n_rules && x.rule_index != UINT32_MAX) x.rule_index = o->n_rules + (uint32_t)(x.rule - o->native);
	if (!x.evidence_total) x.evidence_total = x.n_evidence;
	if (!with_needs(o, x.evidence, x.n_evidence)) return false;
	x.evidence = o->refs.v;
	x.n_evidence = (uint32_t)o->refs.n;
	return case_add_finding(o->w, &x, &o->fault);
}

/* --- opening ------------------------------------------------------------------------------------------------------------- */

/* The key given, else the one beside the case, else a fresh one, which is written there first. */
static bool get_key(const struct case_output_options *options, struct salt_key *ret, struct fault *f)
{
	struct buf beside = {0};
	case_key_path(options->path, &beside);
	bool there = access(beside.p, F_OK) == 0, ok;
	if (options->again) return *ret = *options->again->key, buf_done(&beside), true;
	if (options->salt_key) ok = salt_key_read(options->salt_key, ret, f);
	else if (there || options->add) ok = salt_key_read(beside.p, ret, f);
	else salt_key_generate(ret), ok = true;
	if (ok && !there && !options->add) ok = salt_key_write(ret, beside.p, f);
	buf_done(&beside);
	return ok;
}

struct case_output *case_output_new(const struct case_output_options *options, struct fault *f)
{
	struct case_output *o = xcalloc(1, sizeof *o);
	struct salt_key key;
	struct case_step_info info = case_step_now(options->again ? options->again->action : options->add ? "add" : "scan", options->note);
	struct case_fetch how = {fetch, o};
	o->options = *options;
	o->fault = FAULT_INIT;
	o->sink.put = put;
	o->keeper = (struct scan_keeper){o, begin_source, source_bytes, drop_source, keep_hit, options->add ? older_hit : NULL};
	if (!options->add && access(options->path, F_OK) == 0) {
		fault_set(f, FAULT_USAGE, "exists already; to add sources to it: exhibit scan --case");
		fault_path(f, str_of(options->path));
	} else if (options->add && access(options->path, F_OK) != 0) {
		fault_set(f, FAULT_IO, "no case to add to; a new one: exhibit scan -o X.case");
		fault_path(f, str_of(options->path));
	} else if (get_key(options, &key, f)) {
		o->w = options->add ? case_open_for_add(options->path, &key, &info, &how, &o->restarted, f) : case_create(options->path, &key, &info, &how, f);
		explicit_bzero(&key, sizeof key);
	}
	if (o->w) return o;
	free(o);
	return NULL;
}

const struct scan_keeper *case_output_keeper(struct case_output *o) { return &o->keeper; }
struct finding_sink *case_output_sink(struct case_output *o) { return &o->sink; }

/* --- the run and its sources ------------------------------------------------------------------------------------------------ */

static bool add_input(const char *kind, const char *path, struct case_input *v, uint32_t *n, struct fault *f)
{
	char *bytes;
	size_t size;
	if (!path) return true;
	if (!file_slurp(path, 64 << 20, &bytes, &size, f)) return false;
	const char *slash = strrchr(path, '/');
	v[*n] = (struct case_input){.kind = str_of(kind), .name = str_of(slash ? slash + 1 : path), .bytes = {bytes, size}};
	sha256_of(bytes, size, v[(*n)++].sha256);
	return true;
}

static void add_filters(const struct rule_set *rules, struct case_input *v, uint32_t *n)
{
	for (uint32_t i = 0; i < rule_set_filter_count(rules); i++) {
		struct rules_filter x = rule_set_filter(rules, i);
		v[*n] = (struct case_input){.kind = STR("filter"), .name = x.file, .bytes = x.text};
		sha256_of(x.text.p, x.text.n, v[(*n)++].sha256);
	}
}

static bool begin_run(struct case_output *o, const struct scan_config *config, struct str settings, struct fault *f)
{
	uint32_t n_native = 0, n_detectors, n_refused = rule_set_refused_count(config->rules), n_inputs = 0;
	o->n_rules = rule_set_count(config->rules);
	o->native = config->incidents ? incident_plan_rules(config->incidents, &n_native) : NULL;
	o->n_native = n_native;
	const struct rule_info *detectors = detector_rules(&n_detectors);
	n_native += n_detectors;
	struct case_rule *rules = xcalloc(o->n_rules + n_native + 1, sizeof *rules);
	struct case_refused *refused = xcalloc(n_refused + 1, sizeof *refused);
	struct case_input *inputs = xcalloc(5 + rule_set_filter_count(config->rules), sizeof *inputs);
	struct buf *texts = xcalloc(n_native + 1, sizeof *texts);
	for (uint32_t i = 0; i < o->n_rules; i++) {
		const struct rule *r = rule_set_at(config->rules, i);
		rules[i] = (struct case_rule){&r->info, r->pinned, r->correlation != NULL};
	}
	/* Native rules are code: their text says which. */
	for (uint32_t i = 0; i < n_native; i++) {
		const struct rule_info *r = i < o->n_native ? &o->native[i] : &detectors[i - o->n_native];
		pinned_native_text(r, &texts[i]);
		/* A disclosure takes along the rules that a correlation's text names. */
		if (i >= o->n_native) buf_lit(&texts[i], "over the hits of " RULE_OF_ATTEMPTS "\n");
		for (uint32_t k = 0; i >= o->n_native && str_eq(r->id, STR(DETECTOR_OF_ENTRIES)) && k < o->n_rules; k++)
			if (rule_of_deeds(rule_set_at(config->rules, k))) buf_printf(&texts[i], "and of %.*s\n", STR_FMT(rule_set_at(config->rules, k)->info.id));
		rules[o->n_rules + i] = (struct case_rule){r, buf_view(&texts[i]), i >= o->n_native};
	}
	for (uint32_t i = 0; i < n_refused; i++) {
		const struct rules_refused *r = rule_set_refused(config->rules, i);
		refused[i] = (struct case_refused){r->file, r->category, r->reason, r->line, r->column};
	}
	bool ok = add_input("placeholders", o->options.placeholders, inputs, &n_inputs, f) && add_input("baseline", o->options.baseline, inputs, &n_inputs, f) &&
		add_input("known-sources", o->options.known_sources, inputs, &n_inputs, f);
	uint32_t n_read = n_inputs;
	inputs[n_inputs] = (struct case_input){.kind = STR("mapping"), .name = STR("compiled in")};
	taxonomy_sha256(inputs[n_inputs++].sha256);
	inputs[n_inputs] = (struct case_input){.kind = STR("services"), .name = STR("compiled in")};
	if (config->auth) memcpy(inputs[n_inputs++].sha256, auth_sha256(config->auth), SHA256_SIZE);
	add_filters(config->rules, inputs, &n_inputs);
	struct case_run run = {STR("exhibit " EXHIBIT_VERSION), settings, rules, o->n_rules + n_native, refused, n_refused, inputs, n_inputs};
	ok = ok && case_begin_run(o->w, &run, &o->run_is_new, f);
	for (uint32_t i = 0; i < n_read; i++) free((char *)inputs[i].bytes.p);
	free(inputs);
	free(rules);
	free(refused);
	for (uint32_t i = 0; i < n_native; i++) buf_done(&texts[i]);
	free(texts);
	return ok;
}

static bool add_source(struct case_output *o, struct scan *scan, uint32_t i, struct fault *f)
{
	const struct scan_source *s = &o->results->sources[i];
	struct source_tree *tree = s->tap;
	bool known = false;
	/* A tree that cannot be finished (a full disk) is a failure of the case, not of the source. */
	if (tree && !source_tree_finish(tree, f)) {
		source_tree_free(tree);
		return false;
	}
	struct case_source c = {&s->info, &s->report, s->hashed, s->same_as, s->broken ? s->reason : (struct str){0}, s->order, tree};
	bool ok = case_add_source(o->w, &c, &known, f);
	if (known) scan_leave_out(scan, i);
	return ok;
}

static bool add_coverage(struct case_output *o, struct fault *f)
{
	const struct coverage_table *t = o->results->hosts;
	bool ok = true;
	for (size_t i = 0; ok && t && i < t->rows.n; i++) {
		const struct coverage_row *r = &t->rows.v[i];
		struct buf days = {0};
		buf_byte(&days, '[');
		for (size_t d = 0; d < r->days.n; d++) {
			char date[ETIME_MAX];
			etime_print(etime_from_unix((int64_t)r->days.v[d].day * 86400, 0, 0), 0, date);
			buf_printf(&days, "%s[\"%.10s\",%u]", d ? "," : "", date, r->days.v[d].n);
		}
		buf_byte(&days, ']');
		ok = case_add_coverage(o->w, r->host, r->log, r->first, r->last, r->events, buf_view(&days), f);
		buf_done(&days);
	}
	for (uint32_t i = 0; ok && o->results->coverage && i < o->n_rules; i++) {
		const struct rule_coverage *c = &o->results->coverage[i];
		if (c->events || c->hits) ok = case_add_rule_coverage(o->w, i, c->events, c->hits, c->undecided, f);
	}
	return ok;
}

bool case_output_begin(struct case_output *o, struct scan *scan, const struct scan_config *config, struct str settings, struct fault *f)
{
	const struct scan_results *r = o->results = scan_results(scan);
	o->config = config;
	bool ok = begin_run(o, config, settings, f);
	uint32_t added = 0;
	for (; ok && added < r->n_sources; added++) ok = add_source(o, scan, added, f);
	/* Trees of sources that did not get so far are nobody's. */
	for (; added < r->n_sources; added++) source_tree_free(r->sources[added].tap);
	for (uint32_t i = 0; ok && i < r->n_unread; i++) ok = case_add_unread(o->w, r->unread[i].path, r->unread[i].reason, r->unread[i].is_log, f);
	return ok && add_coverage(o, f);
}

static bool add_totals(struct case_output *o, struct fault *f)
{
	const struct scan_results *r = o->results;
	uint64_t hits = 0;
	for (uint32_t i = 0; r->coverage && i < o->n_rules; i++) hits += r->coverage[i].hits;
	return case_add_total(o->w, "events", r->events, f) && case_add_total(o->w, "outside", r->outside, f) && case_add_total(o->w, "hits", hits, f) &&
		case_add_total(o->w, "findings", r->findings, f) && case_add_total(o->w, "correlation_evicted_events", r->correlations.evicted_events, f) &&
		case_add_total(o->w, "correlation_sketched_events", r->correlations.sketched_events, f);
}

bool case_output_close(struct case_output *o, bool ok, struct fault *f)
{
	case_hits_free(o->older);
	if (o->fault.kind) {
		if (f && !f->kind) *f = o->fault;
		ok = false;
	}
	if (ok && o->options.add && !o->restarted && !o->run_is_new) ok = case_supersede_rest(o->w, f);
	struct buf unseen = {0};
	ok = ok && add_totals(o, f);
	if (ok && o->options.add && !o->options.again && !o->restarted && o->run_is_new) ok = case_unseen_words(case_writer_db(o->w), case_writer_run(o->w), &unseen, f);
	if (ok) ok = case_close(o->w, f);
	else case_abort(o->w);
	for (size_t i = 0; i < OPEN_SOURCES; i++)
		if (o->open[i].used) input_close(&o->open[i].input);
	if (ok && unseen.n)
		app_error("%s: other rules, settings or program than before: a new run, which never saw %.*s", o->options.path, (int)unseen.n, unseen.p);
	buf_done(&unseen);
	if (!ok && f && !f->path[0]) fault_path(f, str_of(o->options.path));
	buf_done(&o->chunk);
	vec_free(&o->refs);
	free(o);
	return ok;
}
