/* hit.c: one event through the matcher; each hit becomes a packed finding in the worker's spill. */
#include "scan/scan_internal.h"

enum { MAX_DETAILS = 64, MAX_CONTEXTS = 64, MAX_RECORDS = 1000, SCRATCH = 16 << 20 };

/* What all hits of one event share; made at the first. */
struct shared_parts {
	bool made;
	struct str host;
	struct evidence_ref *evidence;
	uint32_t n_evidence;
	struct str all_fields; /* in worker.event, where all of it is packed; empty until make_fields */
};

/* Bytes of the source that its reader has left behind: records of attempts that had to wait. They are not far behind, so pages that were read again are kept: each
 * has a place, and holds a little of the next. NULL when the bytes cannot be had. */
static const void *reread(struct scan_worker *w, uint64_t offset, uint64_t length)
{
	uint64_t page = offset / REREAD_PAGE, from = page * REREAD_PAGE;
	if (length > REREAD_MORE) {
		char *copy = length <= SCRATCH ? arena_alloc(&w->scratch, length) : NULL;
		return copy && input_pread(&w->source->input, copy, length, offset, NULL) == (int64_t)length ? copy : NULL;
	}
	if (!w->reread) w->reread = xcalloc(REREAD_PAGES, sizeof *w->reread);
	struct reread_page *r = &w->reread[page % REREAD_PAGES];
	if (!r->n || r->page != page || r->source != w->source->id) {
		int64_t n = input_pread(&w->source->input, r->bytes, sizeof r->bytes, from, NULL);
		r->page = page;
		r->source = w->source->id;
		r->n = n > 0 ? (uint32_t)n : 0;
	}
	return offset - from + length <= r->n ? r->bytes + (offset - from) : NULL;
}

static bool hash_range(struct scan_worker *w, const void *bytes, uint64_t offset, uint64_t length, uint8_t ret[SHA256_SIZE])
{
	if (!bytes) bytes = reread(w, offset, length);
	if (!bytes) return false;
	input_hash_beside(&w->source->input, bytes, length, ret);
	return true;
}

static void add_evidence(struct scan_worker *w, struct shared_parts *p, struct evidence_ref e, const void *bytes)
{
	e.source = w->source->id;
	if (!hash_range(w, bytes, e.offset, e.length, e.sha256)) return;
	p->evidence[p->n_evidence++] = e;
}

/* A context; mostly it was hashed for another event. */
static void add_context(struct scan_worker *w, struct shared_parts *p, struct range range)
{
	struct evidence_ref e = {.source = w->source->id, .offset = range.offset, .length = range.length, .role = EVIDENCE_CONTEXT};
	uint32_t slot = (uint32_t)(range.offset * 0x9e3779b97f4a7c15 >> 58) % CONTEXT_SLOTS;
	bool known = range.length && w->contexts[slot].length == range.length && w->contexts[slot].offset == range.offset && w->contexts[slot].source == e.source;
	if (known) {
		memcpy(e.sha256, w->contexts[slot].sha256, SHA256_SIZE);
		p->evidence[p->n_evidence++] = e;
		return;
	}
	if (!hash_range(w, range.bytes, e.offset, e.length, e.sha256)) return;
	w->contexts[slot].offset = e.offset;
	w->contexts[slot].length = e.length;
	w->contexts[slot].source = e.source;
	memcpy(w->contexts[slot].sha256, e.sha256, SHA256_SIZE);
	p->evidence[p->n_evidence++] = e;
}

static void make_shared(struct scan_worker *w, struct event *ev, struct shared_parts *p)
{
	uint32_t records = ev->n_records < MAX_RECORDS ? ev->n_records : MAX_RECORDS;
	struct range contexts[MAX_CONTEXTS];
	p->made = true;
	p->host = event_host(ev);
	p->evidence = arena_alloc(&w->scratch, (records + MAX_CONTEXTS) * sizeof *p->evidence);
	verify(p->evidence);
	for (uint32_t i = 0; i < records; i++) {
		const struct record_ref *r = &ev->records[i];
		add_evidence(w, p, (struct evidence_ref){.offset = r->offset, .length = r->length, .line = r->line,
			.recovered = ev->flags & (EVENT_RECOVERED | EVENT_CARVED)}, r->bytes);
	}
	uint32_t n = ev->ops->contexts ? ev->ops->contexts(ev, contexts, MAX_CONTEXTS) : 0;
	for (uint32_t i = 0; i < n; i++) add_context(w, p, contexts[i]);
}

/* A hit that only feeds correlations shows nothing: its fields are wanted only where they tell whether two sources hold the same record (merge.c). */
static bool is_shown(const struct event *ev, const struct hit *h) { return h->rule->report || (ev->has_record_id && !rule_of_deeds(h->rule)); }

void scan_hit_fields(struct event *ev, const struct hit *h, struct buf *out)
{
	bool any = false;
	if (!h->rule->n_fields) {
		event_fields_json(ev, out);
		return;
	}
	buf_byte(out, '{');
	for (uint32_t i = 0; i < h->rule->n_fields; i++) {
		struct value *v = event_rule_field(ev, h->binding, h->rule->fields[i]);
		if (!v || v->kind == VALUE_ABSENT) continue;
		if (any) buf_byte(out, ',');
		any = true;
		struct value name = value_str(h->rule->fields[i]);
		value_json(&name, out);
		buf_byte(out, ':');
		value_json(v, out);
	}
	buf_byte(out, '}');
}

/* The fields the rule asks to show, under the rule's names. */
static struct str chosen_fields(struct scan_worker *w, struct event *ev, const struct hit *h)
{
	w->fields.n = 0;
	scan_hit_fields(ev, h, &w->fields);
	return buf_view(&w->fields);
}

/* The columns of the shape that rules' fields stand in; found once, for the shapes and rules met last. */
static const struct kept_columns *kept_columns(struct scan_worker *w, const struct event *ev, const struct hit *h, const struct str *fields, uint32_t n)
{
	struct kept_columns *k = &w->kept[((uintptr_t)ev->shape ^ (uintptr_t)h->rule) / 64 % COUNT(w->kept)];
	if (k->shape == ev->shape && k->rule == h->rule && k->binding == h->binding && ev->shape->id != UINT32_MAX) return k;
	*k = (struct kept_columns){.shape = ev->shape, .rule = h->rule, .binding = h->binding};
	for (uint32_t i = 0; i < n && i < KEPT_COLUMNS; i++) k->column[i] = event_rule_column(ev->shape, h->binding, fields[i]);
	return k;
}

/* What correlations over the rule need, in the order correlate_keep gives; a value the event lacks has an empty name. */
static void keep_values(struct scan_worker *w, struct event *ev, const struct hit *h, struct finding *f)
{
	uint32_t n;
	const struct str *fields = correlate_keep(w->scan->correlate, h->rule->index, &n);
	struct named *keep = n ? arena_calloc(&w->scratch, n, sizeof *keep) : NULL;
	if (!keep) return;
	const struct kept_columns *k = kept_columns(w, ev, h, fields, n);
	f->keep = keep;
	f->n_keep = n;
	for (uint32_t i = 0; i < n; i++) {
		int32_t column = i < KEPT_COLUMNS ? k->column[i] : event_rule_column(ev->shape, h->binding, fields[i]);
		struct value *v = column >= 0 ? event_cell(ev, (uint32_t)column) : NULL;
		if (v && v->kind == VALUE_LIST && v->n) v = &v->items[0];
		if (v && v->kind != VALUE_ABSENT && v->kind != VALUE_NULL && v->kind != VALUE_LIST) keep[i] = (struct named){fields[i], value_text(v, ev->arena)};
	}
}

/* `p`: what it has in common with others, fields included; NULL: it has an evidence of its own. */
static void spill(struct scan_worker *w, struct event *ev, const struct finding *f, const struct shared_parts *p, enum spill_for what_for, bool shown)
{
	struct fault fault = FAULT_INIT;
	struct spill_key key = {.sec = ev->time.sec, .order = w->source->result.order, .offset = ev->records[0].offset, .nsec = ev->time.nsec,
		.rank = scan_rule_rank(w->scan, f->rule_index), .present = ev->time.present, .kind = f->kind};
	struct spill_payload payload = {{"", 0}, {"", 0}};
	w->packed.n = w->own_event.n = 0;
	if (shown && !p) finding_pack_event(f, &w->own_event);
	if (shown) payload.shared = buf_view(p ? &w->event : &w->own_event);
	if (shown) finding_pack(f, !p || f->fields_json.p != p->all_fields.p, &w->packed);
	else finding_pack_feed(f, &w->packed);
	payload.own = buf_view(&w->packed);
	if (spill_add(w->spills[what_for], &key, payload, shown && p ? w->n_events : 0, &fault)) return;
	pthread_mutex_lock(&w->scan->lock);
	w->scan->spill_fault = fault;
	pthread_mutex_unlock(&w->scan->lock);
}

/* What every finding of an event has in common. */
static struct finding finding_of(const struct event *ev, const struct shared_parts *p)
{
	return (struct finding){.kind = FINDING_HIT, .time = ev->time, .rule_index = UINT32_MAX, .host = p->host, .channel = ev->shape->channel,
		.event_id = ev->shape->event_id, .has_record_id = ev->has_record_id, .record_id = ev->record_id, .fields_json = p->all_fields,
		.evidence = p->evidence, .n_evidence = p->n_evidence, .evidence_total = p->n_evidence, .count = 1};
}

/* What all findings of the event share is packed once, and its fields are written where they are packed. */
static void make_fields(struct scan_worker *w, struct event *ev, struct shared_parts *p)
{
	const struct finding f = finding_of(ev, p);
	w->event.n = 0;
	w->n_events++;
	finding_pack_event(&f, &w->event);
	size_t at = w->event.n;
	event_fields_json(ev, &w->event);
	p->all_fields = str_sub(buf_view(&w->event), at, w->event.n);
}

static void spill_hit(struct scan_worker *w, struct event *ev, const struct hit *h, const struct shared_parts *p)
{
	bool fed = correlate_wants(w->scan->correlate, h->rule->index), shown = h->rule->report;
	if (!fed && !shown) return;
	struct match_detail details[MAX_DETAILS];
	struct finding f = finding_of(ev, p);
	f.level = h->rule->info.level;
	f.rule_index = h->rule->index;
	f.login = w->login;
	f.matched = details;
	if (is_shown(ev, h)) f.n_matched = matcher_details(w->matcher, h, ev, details, MAX_DETAILS);
	if (is_shown(ev, h) && h->rule->n_fields) f.fields_json = chosen_fields(w, ev, h);
	if (fed) keep_values(w, ev, h, &f);
	spill(w, ev, &f, p, !fed ? SPILL_SHOWN : shown ? SPILL_BOTH : SPILL_FEEDS, is_shown(ev, h));
}

/* The clue of a native analyser, and the hit that comes with it when it names a rule. */
static void spill_clue(struct scan_worker *w, struct event *ev, const struct clue *c, const struct shared_parts *p)
{
	struct finding f = finding_of(ev, p);
	f.kind = (enum finding_kind)PACKED_CLUE;
	f.fields_json = (struct str){"", 0};
	f.extra_json = c->payload;
	if (c->payload.n) spill(w, ev, &f, p, SPILL_FEEDS, true);
	if (!c->rule) return;
	f = finding_of(ev, p);
	f.level = c->rule->level;
	f.rule_index = NATIVE_RULE + (uint32_t)(c->rule - w->scan->native);
	f.matched = c->matched;
	f.n_matched = c->n_matched;
	spill(w, ev, &f, p, SPILL_SHOWN, true);
	w->hits++;
}

/* --- integrity: the log itself was tampered with --- */

static void spill_integrity(struct scan_worker *w, struct event *ev, struct finding *f, const struct shared_parts *p, const char *title, enum level level)
{
	f->kind = FINDING_INTEGRITY;
	f->title = str_of(title);
	f->level = level;
	spill(w, ev, f, p, SPILL_SHOWN, true);
	w->hits++;
}

/* Record ids that are missing: rests on the records on both sides. */
static void spill_hole(struct scan_worker *w, struct event *ev, const struct shared_parts *p)
{
	const struct event_hole *h = ev->hole;
	struct evidence_ref *e = arena_alloc(&w->scratch, (p->n_evidence + 1) * sizeof *e);
	struct evidence_ref before = {.source = w->source->id, .offset = h->before.offset, .length = h->before.length};
	if (!e || !hash_range(w, h->before.bytes, before.offset, before.length, before.sha256)) return;
	e[0] = before;
	memcpy(e + 1, p->evidence, p->n_evidence * sizeof *e);
	struct finding f = finding_of(ev, p);
	f.evidence = e;
	f.n_evidence = p->n_evidence + 1;
	f.evidence_total = f.n_evidence;
	w->fields.n = 0;
	buf_printf(&w->fields, "{\"MissingFirst\":%llu,\"MissingLast\":%llu,\"Missing\":%llu}", (unsigned long long)h->first, (unsigned long long)h->last,
		(unsigned long long)(h->last - h->first + 1));
	f.fields_json = buf_view(&w->fields);
	spill_integrity(w, ev, &f, NULL, FINDING_MISSING, LEVEL_HIGH);
}

static void look_at_integrity(struct scan_worker *w, struct event *ev, const struct shared_parts *p)
{
	if (event_says_cleared(ev)) {
		struct finding f = finding_of(ev, p);
		spill_integrity(w, ev, &f, p, FINDING_CLEARED, LEVEL_HIGH);
	}
	if (ev->hole) spill_hole(w, ev, p);
}

static const struct clue *look_for_clue(struct scan_worker *w, struct event *ev, const struct hit *hits, uint32_t n)
{
	if (!w->analyser) return NULL;
	w->infos.n = 0;
	for (uint32_t i = 0; i < n; i++) vec_push(&w->infos, &hits[i].rule->info);
	return analyser_event(w->analyser, ev, w->source->id, w->source->input.path, w->infos.v, n);
}

static void match_event(struct scan_worker *w, struct event *ev)
{
	const struct hit *hits;
	uint32_t n = matcher_run(w->matcher, ev, &hits);
	input_hash_some(&w->source->input);
	const struct clue *clue = look_for_clue(w, ev, hits, n);
	bool integrity = ev->hole || event_says_cleared(ev);
	if (!n && !clue && !integrity) return;
	struct shared_parts parts = {0};
	arena_reset(&w->scratch);
	make_shared(w, ev, &parts);
	/* No bytes to cite: a finding without evidence is none. It can only be a read error, which the source reports. */
	if (!parts.n_evidence) return;
	bool shown = clue || integrity;
	for (uint32_t i = 0; i < n; i++) shown |= is_shown(ev, &hits[i]);
	if (shown) make_fields(w, ev, &parts);
	for (uint32_t i = 0; i < n; i++) spill_hit(w, ev, &hits[i], &parts);
	if (clue) spill_clue(w, ev, clue, &parts);
	if (integrity) look_at_integrity(w, ev, &parts);
	w->hits += n;
}

static void match_login(struct scan_worker *w, struct event *ev, const struct auth_event *said)
{
	w->login = login_mark_of(said, str_of(w->source->ops->format), ev->shape->format);
	match_event(w, ev);
	w->login = (struct login_mark){0};
}

void worker_logins_due(struct scan_worker *w, bool end)
{
	struct auth_event said;
	for (struct event *ev; w->logins && (ev = auth_source_due(w->logins, end, &said));) {
		(void)sight_shape(w->sight, ev->shape);
		match_login(w, ev, &said);
	}
}

void worker_event(struct scan_worker *w, struct event *ev)
{
	const struct reader_options *o = &w->scan->config.reader;
	if ((o->since.present && etime_cmp(ev->time, o->since) < 0) || (o->until.present && etime_cmp(ev->time, o->until) > 0)) {
		w->outside++;
		return;
	}
	const struct shape *shape = ev->shape;
	struct input *in = &w->source->input;
	input_hash_some(in);
	if (w->matcher) matcher_ahead(w->matcher, ev);
	input_hash_some(in);
	if (!ev->alike) coverage_add(&w->hosts, shape, shape->channel.n ? shape->channel : shape->format, event_host(ev), ev->time);
	else if (!coverage_add_known(&w->hosts, ev->alike, ev->time))
		coverage_add_alike(&w->hosts, ev->alike, shape, shape->channel.n ? shape->channel : shape->format, event_host(ev), ev->time);
	if (w->matcher) matcher_soon(w->matcher);
	input_hash_some(in);
	skew_event(w->clocks, ev, w->source->result.order);
	if (w->scan->config.log_sources) source_kinds(w, ev);
	input_hash_some(in);
	if (!w->matcher) return;
	bool any_rule = sight_shape(w->sight, shape);
	struct auth_event said;
	bool is_login = false;
	struct event *login = w->logins ? auth_source_take(w->logins, ev, &said, &is_login) : NULL;
	if (is_login) any_rule |= sight_shape(w->sight, login->shape);
	if (!any_rule) coverage_no_rule(&w->hosts);
	if (is_login) match_login(w, login, &said);
	else match_event(w, ev);
	worker_logins_due(w, false);
}
