/* scan.c: sources opened, shared between workers, closed and settled. See scan.h. */
#include "scan/scan_internal.h"
#include "scan/homes.h"
#include <stdio.h>

enum { STRINGS_BUDGET = 256 << 20, SOURCE_STRINGS = 16 << 20, SCRATCH_BUDGET = 64 << 20, SHARE_ABOVE = 4 << 20 };

const struct rule_info *scan_rule_info(const struct scan *s, uint32_t rule_index)
{
	if (rule_index == UINT32_MAX) return NULL;
	if (rule_index >= DETECTOR_RULE) return &s->detectors[rule_index - DETECTOR_RULE];
	return rule_index >= NATIVE_RULE ? &s->native[rule_index - NATIVE_RULE] : &rule_set_at(s->config.rules, rule_index)->info;
}

/* Rules of the set, native ones of analysers, those of the detectors. */
static uint32_t rank_place(const struct scan *s, uint32_t rule_index)
{
	uint32_t rules = s->config.rules ? rule_set_count(s->config.rules) : 0;
	if (rule_index >= DETECTOR_RULE) return rules + s->n_native + (rule_index - DETECTOR_RULE);
	return rule_index >= NATIVE_RULE ? rules + (rule_index - NATIVE_RULE) : rule_index;
}

uint32_t scan_rule_rank(const struct scan *s, uint32_t rule_index)
{
	if (rule_index == UINT32_MAX) return UINT32_MAX;
	return s->ranks[rank_place(s, rule_index)];
}

static int by_id(const void *a, const void *b, void *scan)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int c = str_cmp(scan_rule_info(scan, x)->id, scan_rule_info(scan, y)->id);
	return c ? c : (x > y) - (x < y);
}

static void rank_rules(struct scan *s)
{
	uint32_t detectors, rules = s->config.rules ? rule_set_count(s->config.rules) : 0;
	const struct rule_info *known = detector_rules(&detectors);
	s->detectors = xcalloc(detectors, sizeof *s->detectors);
	for (uint32_t i = 0; i < detectors; i++) {
		struct buf text = {0};
		s->detectors[i] = known[i];
		buf_printf(&text, "%.*s: %.*s", STR_FMT(known[i].id), STR_FMT(known[i].title));
		sha256_of(text.p, text.n, s->detectors[i].sha256);
		buf_done(&text);
	}
	uint32_t native = rules + s->n_native, n = native + detectors;
	uint32_t *order = xcalloc(n, sizeof *order);
	s->ranks = xcalloc(n, sizeof *s->ranks);
	for (uint32_t i = 0; i < n; i++) order[i] = i < rules ? i : i < native ? NATIVE_RULE + (i - rules) : DETECTOR_RULE + (i - native);
	qsort_r(order, n, sizeof *order, by_id, s);
	for (uint32_t i = 0; i < n; i++) s->ranks[rank_place(s, order[i])] = i;
	free(order);
}

struct scan *scan_new(const struct scan_config *config, struct fault *f)
{
	struct scan *s = xcalloc(1, sizeof *s);
	s->config = *config;
	pthread_mutex_init(&s->lock, NULL);
	arena_init(&s->strings, STRINGS_BUDGET);
	if (config->incidents) s->native = incident_plan_rules(config->incidents, &s->n_native);
	rank_rules(s);
	if (config->plan) s->coverage = xcalloc(rule_set_count(config->rules), sizeof *s->coverage);
	s->results.coverage = s->coverage;
	s->clocks = skew_table_new();
	if (config->plan) s->sight_plan = sight_plan_new(config->rules, config->any_logsource);
	if (config->plan) s->sight = xcalloc(rule_set_count(config->rules) + 1, sizeof *s->sight);
	s->results.sight = s->sight;
	s->spill_fault = FAULT_INIT;
	if (config->plan && !scan_correlate_start(s, f)) {
		scan_free(s);
		return NULL;
	}
	return s;
}

static void source_free(struct open_source *o)
{
	report_done(&o->result.report);
	coverage_done(&o->hosts);
	arena_done(&o->strings);
	free(o->result.log_sources);
	free(o);
}

void scan_free(struct scan *s)
{
	if (!s) return;
	for (size_t i = 0; i < s->items.n; i++) free(s->items.v[i].path), free(s->items.v[i].shown);
	for (size_t i = 0; i < s->open.n; i++) source_free(s->open.v[i]);
	for (unsigned k = 0; k < SPILLS; k++) {
		for (size_t i = 0; i < s->spills[k].n; i++) spill_free(s->spills[k].v[i]);
		vec_free(&s->spills[k]);
	}
	for (size_t i = 0; i < s->analysers.n; i++) analyser_free(s->analysers.v[i]);
	vec_free(&s->analysers);
	vec_free(&s->stories);
	vec_free(&s->story_stages);
	incidents_free(s->incidents);
	spill_free(s->fired);
	correlate_free(s->correlate);
	vec_free(&s->items);
	vec_free(&s->open);
	vec_free(&s->unread);
	coverage_done(&s->hosts);
	arena_done(&s->strings);
	free(s->ranks);
	free(s->detectors);
	free(s->coverage);
	free(s->sight);
	free(s->skews);
	skew_table_free(s->clocks);
	sight_plan_free(s->sight_plan);
	free(s->sources);
	free(s->homes);
	twins_free(s->twins);
	free(s->final);
	free(s->provisional);
	free(s->left_out);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void scan_note_unread(struct scan *s, uint64_t order, struct str path, const char *reason, bool is_log)
{
	pthread_mutex_lock(&s->lock);
	struct str p = arena_str(&s->strings, path), r = arena_str(&s->strings, str_of(reason));
	if (p.p && r.p) vec_push(&s->unread, (struct scan_unread){p, r, is_log, order});
	pthread_mutex_unlock(&s->lock);
}

bool scan_named_like_log(struct str path) { return path.n > 5 && str_eq_nocase(str_sub(path, path.n - 5, path.n), STR(".evtx")); }

/* The reader of event logs, when a log begins behind the first bytes of a file that is named like one: they were wiped, or something was put before it. */
static const struct reader_ops *log_behind(const struct reader_ops *const *formats, size_t n_formats, struct input *in, char *window)
{
	enum { FAR = 64 << 20, STEP = HEAD_BYTES - 4096 };
	const struct reader_ops *evtx = NULL;
	for (size_t i = 0; i < n_formats; i++)
		if (str_eq(str_of(formats[i]->format), STR("evtx"))) evtx = formats[i];
	for (uint64_t at = STEP; evtx && at < in->size && at < FAR; at += STEP) {
		int64_t n = input_pread(in, window, HEAD_BYTES, at, NULL);
		if (n <= 0) break;
		if (evtx->sniff((struct str){window, (size_t)n}, in->size, in->path)) return evtx;
	}
	return NULL;
}

const struct reader_ops *scan_format_of(const struct reader_ops *const *formats, size_t n_formats, struct str as, struct input *in, struct fault *f)
{
	const struct reader_ops *best = NULL;
	int best_score = 0;
	char *head = xmalloc(HEAD_BYTES);
	int64_t n = input_pread(in, head, HEAD_BYTES, 0, f);
	if (n == 0) fault_set(f, FAULT_NOT_FOUND, "empty file");
	for (size_t i = 0; n > 0 && i < n_formats; i++) {
		const struct reader_ops *ops = formats[i];
		if (as.n && !str_eq(as, str_of(ops->format))) continue;
		int score = as.n ? 100 : ops->sniff((struct str){head, (size_t)n}, in->size, in->path);
		if (score > best_score) best_score = score, best = ops;
		if (best_score >= 100) break; /* certain, and ties go to the first */
	}
	if (n == HEAD_BYTES && !best && !as.n && scan_named_like_log(in->path)) best = log_behind(formats, n_formats, in, head);
	free(head);
	return best;
}

/* Opens the reader of an input; on failure notes the source as unread. */
static bool open_reader(struct scan_worker *w, struct open_source *o)
{
	const struct scan_config *c = &w->scan->config;
	struct fault f = FAULT_INIT;
	bool named_log = scan_named_like_log(o->input.path);
	o->ops = scan_format_of(c->formats, c->n_formats, c->reader.format, &o->input, &f);
	if (!o->ops && !f.kind && c->reader.carve) o->ops = scan_format_of(c->formats, c->n_formats, STR("evtx"), &o->input, &f); /* parts of logs, wherever they are */
	if (o->ops && c->keeper) {
		o->result.tap = c->keeper->begin(c->keeper->arg, o->result.order, o->input.path, str_of(o->ops->format));
		o->input.tap = o->result.tap ? c->keeper->bytes : NULL;
		o->input.tap_arg = o->result.tap;
	}
	/* A member lives no longer than this worker's walk through its container. */
	o->large = o->ops && !o->is_member && o->ops->max_cursors > 1 && o->input.size > SHARE_ABOVE;
	o->input.alone = true;
	if (o->ops) o->reader = o->ops->open(&o->input, &c->reader, &f);
	if (o->reader) return true;
	if (o->result.tap) c->keeper->drop(o->result.tap);
	o->result.tap = NULL;
	o->input.tap = NULL;
	if (f.kind) scan_note_unread(w->scan, o->result.order, o->input.path, f.text, f.kind != FAULT_NOT_FOUND || named_log);
	else scan_note_unread(w->scan, o->result.order, o->input.path,
		named_log ? "named like an event log, but its bytes are no known log format" : "no known log format", named_log);
	return false;
}

static struct open_source *source_new(uint64_t order)
{
	struct open_source *o = xcalloc(1, sizeof *o);
	arena_init_small(&o->strings, SOURCE_STRINGS);
	o->result.order = order;
	o->result.report.arena = &o->strings;
	return o;
}

/* The bytes of the source are given back. */
static void close_input(struct open_source *o)
{
	if (o->is_member) archive_member_done(&o->member);
	else input_close(&o->input);
}

/* Makes an open input a source that this worker reads; on failure it is noted and given back. */
static bool start_source(struct scan_worker *w, struct open_source *o)
{
	struct scan *s = w->scan;
	if (!open_reader(w, o)) {
		close_input(o);
		source_free(o);
		return false;
	}
	o->cursors = 1;
	pthread_mutex_lock(&s->lock);
	o->id = (uint32_t)s->open.n;
	vec_push(&s->open, o);
	pthread_mutex_unlock(&s->lock);
	w->source = o;
	w->cursor = o->ops->cursor_new(o->reader, w->shapes);
	return true;
}

/* Whether the input is a container; then the worker begins to walk through it and owns the input. */
static bool start_walk(struct scan_worker *w, struct open_source *o)
{
	struct scan *s = w->scan;
	struct fault f = FAULT_INIT;
	char head[ARCHIVE_HEAD];
	if (s->config.reader.format.n) return false;
	int64_t n = input_pread(&o->input, head, sizeof head, 0, NULL);
	if (n <= 0 || !archive_kind((struct str){head, (size_t)n})) return false;
	struct archive_limits limits = {.temp_dir = s->config.temp_dir};
	w->container = o->input;
	w->container.path = arena_str(&w->walk_strings, o->input.path);
	w->walk = archive_walk_new(&w->container, &limits, &f);
	w->next_order = o->result.order + 1;
	if (!w->walk) {
		scan_note_unread(s, o->result.order, o->input.path, f.text, true);
		input_close(&w->container);
	}
	source_free(o);
	return true;
}

/* The next member of the container becomes the worker's source, or is noted. */
static void step_walk(struct scan_worker *w)
{
	struct scan *s = w->scan;
	struct archive_unread unread;
	struct open_source *o = source_new(w->next_order++);
	o->is_member = true;
	enum archive_got got = archive_walk_next(w->walk, &o->member, &unread);
	if (got == ARCHIVE_GOT_MEMBER) {
		o->input = o->member.input;
		o->input.path = arena_str(&o->strings, o->member.input.path);
		o->result.info.in_container = true;
		o->result.info.member = o->member.index;
		memcpy(o->result.info.container_sha256, archive_walk_sha256(w->walk), SHA256_SIZE);
		atomic_fetch_add(&s->bytes_total, o->input.size);
		atomic_fetch_add(&s->sources_total, 1);
		start_source(w, o);
		return;
	}
	if (got == ARCHIVE_GOT_UNREAD) scan_note_unread(s, o->result.order, unread.path, unread.reason.p ? unread.reason.p : "cannot be read", unread.is_log);
	source_free(o);
	if (got != ARCHIVE_GOT_END) return;
	archive_walk_free(w->walk);
	w->walk = NULL;
	atomic_fetch_add(&s->bytes, w->container.size);
	atomic_fetch_add(&s->sources_done, 1);
	input_close(&w->container);
}

/* Opens the item at `index`: the worker then has a cursor, a container to walk through, or a note was made. */
static void open_item(struct scan_worker *w, size_t index)
{
	struct scan *s = w->scan;
	struct fault f = FAULT_INIT;
	const struct scan_item *item = &s->items.v[index];
	struct open_source *o = source_new(item->number << 24);
	struct str path = arena_str(&o->strings, str_of(item->shown ? item->shown : item->path));
	bool opened = input_open(&o->input, item->path, path, &f);
	if (opened && item->shown) o->input.mtime_sec = item->mtime_sec;
	if (!opened) {
		scan_note_unread(s, o->result.order, path, f.text, true);
		source_free(o);
	} else if (start_walk(w, o)) {
		if (w->walk) return;
	} else if (start_source(w, o)) {
		return;
	}
	atomic_fetch_add(&s->bytes, s->items.v[index].size);
	atomic_fetch_add(&s->sources_done, 1);
}

/* Takes part in a source that another worker opened. Of those that are read alone it only asks. */
static bool join_shared(struct scan_worker *w)
{
	struct scan *s = w->scan;
	struct open_source *found = NULL;
	pthread_mutex_lock(&s->lock);
	for (size_t i = s->open.n; i-- > 0 && !found;) {
		struct open_source *o = s->open.v[i];
		if (!o->large || !o->cursors || o->exhausted || o->cursors >= o->ops->max_cursors) continue;
		if (o->shared) found = o;
		else atomic_store(&o->wanted, true);
	}
	if (found) found->cursors++;
	pthread_mutex_unlock(&s->lock);
	if (!found) return false;
	w->source = found;
	w->cursor = found->ops->cursor_new(found->reader, w->shapes);
	return true;
}

/* The worker that reads its source alone lets others in. */
static void share(struct scan_worker *w)
{
	struct open_source *o = w->source;
	input_settle(&o->input);
	o->input.alone = false;
	pthread_mutex_lock(&w->scan->lock);
	o->shared = true;
	pthread_mutex_unlock(&w->scan->lock);
}

/* What was understood of the source's logins is added up; what its connections were is forgotten. */
static void leave_logins(struct scan_worker *w, struct open_source *o)
{
	struct auth_stats n;
	if (!w->logins) return;
	auth_source_stats(w->logins, &n);
	pthread_mutex_lock(&w->scan->lock);
	o->result.logins.looking += n.looking;
	o->result.logins.understood += n.understood;
	pthread_mutex_unlock(&w->scan->lock);
	auth_source_reset(w->logins);
}

/* What the worker saw of the source, day by day, is the source's. */
static void leave_hosts(struct scan_worker *w, struct open_source *o)
{
	pthread_mutex_lock(&w->scan->lock);
	coverage_merge(&o->hosts, &w->hosts, (struct str){"", 0});
	pthread_mutex_unlock(&w->scan->lock);
	coverage_clear(&w->hosts);
}

/* After the last cursor: records that had to wait for the whole source, then hash, report, close. */
static void close_source(struct scan_worker *w, struct open_source *o)
{
	struct scan *s = w->scan;
	struct fault f = FAULT_INIT;
	if (o->ops->max_cursors > 1) {
		w->cursor = o->ops->cursor_new(o->reader, w->shapes);
		for (struct event *ev; (ev = o->ops->next(w->cursor));) {
			worker_event(w, ev);
			atomic_fetch_add(&s->events, 1);
		}
		worker_logins_due(w, true);
		leave_logins(w, o);
		leave_hosts(w, o);
		o->ops->cursor_free(w->cursor);
		w->cursor = NULL;
	}
	o->ops->finish(o->reader, &o->result.report);
	report_sort(&o->result.report);
	struct source_info *info = &o->result.info;
	info->path = o->input.path;
	info->format = str_of(o->ops->format);
	info->size = o->input.size;
	o->result.hashed = input_finish(&o->input, info->sha256, &f);
	if (!o->result.hashed) {
		o->result.broken = true;
		o->result.reason = arena_str(&o->strings, str_of(f.text));
	}
	o->ops->free(o->reader);
	uint64_t size = o->input.size;
	/* The member's input is the one that was read: its hash and descriptor go with it. */
	if (o->is_member) o->member.input = o->input;
	close_input(o);
	atomic_fetch_add(&s->bytes, size);
	atomic_fetch_add(&s->sources_done, 1);
}

static void leave_source(struct scan_worker *w)
{
	struct scan *s = w->scan;
	struct open_source *o = w->source;
	worker_logins_due(w, true);
	leave_logins(w, o);
	leave_hosts(w, o);
	o->ops->cursor_free(w->cursor);
	w->cursor = NULL;
	pthread_mutex_lock(&s->lock);
	o->exhausted = true;
	bool last = --o->cursors == 0;
	pthread_mutex_unlock(&s->lock);
	if (last) close_source(w, o);
	w->source = NULL;
}

struct scan_worker *scan_worker_new(struct scan *s)
{
	struct scan_worker *w = xcalloc(1, sizeof *w);
	w->scan = s;
	w->shapes = shape_table_new(s->config.taxonomy, SHAPE_BUDGET);
	w->matcher = s->config.plan ? matcher_new(s->config.plan) : NULL;
	w->clocks = skew_table_new();
	if (s->sight_plan) w->sight = sight_new(s->sight_plan);
	if (s->config.incidents) w->analyser = analyser_new(s->config.incidents, ANALYSER_BUDGET);
	if (s->config.auth) w->logins = auth_source_new(s->config.auth, w->shapes);
	for (unsigned k = 0; k < SPILLS; k++) w->spills[k] = spill_new(s->config.temp_dir, SPILL_BUFFER);
	arena_init(&w->scratch, SCRATCH_BUDGET);
	arena_init(&w->walk_strings, SCRATCH_BUDGET);
	return w;
}

bool scan_worker_step(struct scan_worker *w)
{
	struct scan *s = w->scan;
	if (!w->cursor && w->walk) {
		step_walk(w);
		return true;
	}
	if (!w->cursor) {
		pthread_mutex_lock(&s->lock);
		size_t item = s->next_item < s->items.n ? s->next_item++ : SIZE_MAX;
		pthread_mutex_unlock(&s->lock);
		if (item != SIZE_MAX) {
			open_item(w, item);
			return true;
		}
		return join_shared(w);
	}
	if (atomic_load(&w->source->wanted) && w->source->input.alone) share(w);
	uint32_t n = 0;
	struct event *ev = NULL;
	while (n < STEP_EVENTS && (ev = w->source->ops->next(w->cursor))) {
		worker_event(w, ev);
		n++;
	}
	atomic_fetch_add(&s->events, n);
	if (!ev) leave_source(w);
	atomic_fetch_add(&s->hits, w->hits);
	w->hits = 0;
	return true;
}

void scan_worker_free(struct scan_worker *w)
{
	struct scan *s = w->scan;
	pthread_mutex_lock(&s->lock);
	for (unsigned k = 0; k < SPILLS; k++) vec_push(&s->spills[k], w->spills[k]);
	if (w->analyser) vec_push(&s->analysers, w->analyser);
	s->results.outside += w->outside;
	skew_merge(s->clocks, w->clocks);
	if (w->matcher) matcher_coverage(w->matcher, s->coverage);
	if (w->sight) sight_merge(w->sight, s->sight);
	pthread_mutex_unlock(&s->lock);
	matcher_free(w->matcher);
	sight_free(w->sight);
	skew_table_free(w->clocks);
	auth_source_free(w->logins);
	shape_table_free(w->shapes);
	buf_done(&w->fields);
	buf_done(&w->packed);
	buf_done(&w->own_event);
	buf_done(&w->event);
	free(w->reread);
	arena_done(&w->scratch);
	arena_done(&w->walk_strings);
	coverage_done(&w->hosts);
	vec_free(&w->infos);
	free(w);
}

void scan_progress(const struct scan *s, struct scan_progress *ret)
{
	*ret = (struct scan_progress){.bytes = s->bytes, .bytes_total = s->bytes_total, .events = s->events, .hits = s->hits,
		.sources = s->sources_done, .sources_total = s->sources_total};
	struct scan *mutable = (struct scan *)s;
	/* The sources being read now: how far their hashing pass is. A torn read only shows a wrong percentage for a moment. */
	pthread_mutex_lock(&mutable->lock);
	for (size_t i = s->open.n; i-- > 0 && i + 16 > s->open.n;)
		if (s->open.v[i]->cursors) ret->bytes += __atomic_load_n(&s->open.v[i]->input.at, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&mutable->lock);
}

static int source_by_order(const void *a, const void *b)
{
	const struct open_source *x = *(struct open_source *const *)a, *y = *(struct open_source *const *)b;
	return (x->result.order > y->result.order) - (x->result.order < y->result.order);
}

static int unread_by_order(const void *a, const void *b)
{
	const struct scan_unread *x = a, *y = b;
	if (x->order != y->order) return x->order < y->order ? -1 : 1;
	return str_cmp(x->path, y->path);
}

static void find_same(struct scan *s)
{
	struct map seen = {0};
	for (uint32_t i = 0; i < s->results.n_sources; i++) {
		struct scan_source *x = &s->sources[i];
		bool fresh = true;
		x->same_as = -1;
		if (!x->hashed) continue;
		uint32_t *at = map_put(&seen, (struct str){(const char *)x->info.sha256, SHA256_SIZE}, i, &fresh);
		if (!fresh) x->same_as = (int32_t)*at;
		s->results.copies += !fresh;
	}
	map_done(&seen);
}

/* Which host wrote which log when: what copies of a source hold is counted once, and what names no host is given to that of the place it lies at. */
static void add_up_hosts(struct scan *s)
{
	uint32_t n = s->results.n_sources;
	struct home_source *v = xcalloc(n + 1, sizeof *v);
	s->homes = xcalloc(n + 1, sizeof *s->homes);
	for (uint32_t i = 0; i < n; i++)
		v[i] = (struct home_source){s->sources[i].info.path, s->sources[i].info.format, &s->open.v[s->provisional[i]]->hosts};
	homes_find(v, n, s->config.taxonomy, s->homes);
	for (uint32_t i = 0; i < n; i++)
		if (s->sources[i].same_as < 0) coverage_merge(&s->hosts, v[i].rows, s->homes[i]);
	coverage_sort(&s->hosts);
	free(v);
}

bool scan_settle(struct scan *s, struct fault *f)
{
	size_t n = s->open.n;
	struct open_source **sorted = xcalloc(n, sizeof *sorted);
	if (n) memcpy(sorted, s->open.v, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, source_by_order);
	s->sources = xcalloc(n, sizeof *s->sources);
	s->final = xcalloc(n, sizeof *s->final);
	s->provisional = xcalloc(n, sizeof *s->provisional);
	for (size_t i = 0; i < n; i++) {
		source_kinds_sort(&sorted[i]->result);
		s->sources[i] = sorted[i]->result;
		s->final[sorted[i]->id] = (uint32_t)i;
		s->provisional[i] = sorted[i]->id;
	}
	free(sorted);
	if (s->unread.n) qsort(s->unread.v, s->unread.n, sizeof *s->unread.v, unread_by_order);
	s->results.sources = s->sources;
	s->results.n_sources = (uint32_t)n;
	s->results.unread = s->unread.v;
	s->results.n_unread = (uint32_t)s->unread.n;
	s->results.events = s->events;
	find_same(s);
	add_up_hosts(s);
	s->results.hosts = &s->hosts;
	s->results.skews = s->skews = skew_results(s->clocks, &s->results.n_skews);
	if (!s->spill_fault.kind) return true;
	if (f) *f = s->spill_fault;
	return false;
}

const struct scan_results *scan_results(const struct scan *s) { return &s->results; }

void scan_leave_out(struct scan *s, uint32_t source)
{
	verify(source < s->results.n_sources);
	if (!s->left_out) s->left_out = xcalloc(s->results.n_sources, sizeof *s->left_out);
	s->left_out[source] = true;
}
