/* rederive.c: see rederive.h.
 *
 * A record is found again by its place in its source: the files made here hold the kept leaves, for event logs at their places in their
 * chunks (chunks without kept leaves are left out), for lines one behind the other; a table leads back from there. */
#include "verify/verify_internal.h"
#include "verify/pinned.h"
#include "verify/rederive.h"
#include "base/cursor.h"
#include "auth/auth.h"
#include "base/map.h"
#include "correlate/correlate.h"
#include "incident/incident.h"
#include "match/match.h"
#include "scan/scan.h"
#include <fcntl.h>
#include <unistd.h>

enum { HEADER = 4096, CHUNK = 65536, CHUNKS_A_FILE = 256, LINES_A_FILE = 32 << 20, BLOCKS_A_FILE = 256 << 20, SHAPES = 64 << 20, STATE = 64 << 20, ANALYSER = 16 << 20 };
#define NO_RULE UINT32_MAX
#define NATIVE 0x80000000u /* and above: rules of the incident room's analysers */

/* An event that was read (rule == NO_RULE), or a hit on it. */
struct rehit {
	uint64_t offset;
	uint32_t rule;            /* in the rule set, or NATIVE and up */
	struct etime time;
	bool cleared;             /* it says that a log was cleared */
	uint64_t number;          /* that the event log gave the record; 0 = none */
	struct str host;
	uint8_t says[16];         /* digest of what a finding of it says; see digest_of */
	const struct str *values; /* correlate_keep's, where correlations want the rule */
	uint32_t n_values;
};
struct reread { int64_t source; struct rehit *v; size_t n, cap; bool done; };
/* Where a piece of the made file stands in the source. */
struct reread_piece { uint64_t made, original, length, leaf; };

struct rederive {
	struct verify_rederiver hooks;
	const struct reader_ops *const *formats;
	size_t n_formats;
	struct taxonomy *taxonomy;
	struct auth *auth;
	/* the run at hand */
	int64_t run;
	sqlite3 *db;
	struct pinned_run pinned;
	struct rule_set *rules;        /* pinned.rules */
	struct plan *plan;
	struct matcher *matcher;
	struct shape_table *shapes;
	struct auth_source *logins;
	struct incident_plan *incidents;
	struct analyser *analyser;
	const struct rule_info *native;
	uint32_t n_native;
	struct str path;               /* of the source that is read again */
	VEC(const struct rule_info *) infos;
	struct correlate *correlate;   /* tells what correlations want; never fed */
	struct map by_text;            /* SHA-256 of a rule's text -> index in the set; empty when pinned.exact */
	struct map by_row;             /* id of a rule row -> index + 1, 0 = not derivable */
	struct reader_options options;
	struct arena strings, scratch;
	struct buf said, raw, host, channel, matched, fields;
	VEC(struct reread) sources;
	struct map by_source;          /* id -> index in sources */
	bool usable;
	/* while a correlation is tried */
	const struct verify_finding *tried;
	uint32_t tried_rule;
	uint64_t best_count;
	bool fired, same_group, same, noticed, told;
	const char *other;             /* of the count stated: what else comes out otherwise */
};

/* --- the run: rules, settings ------------------------------------------------------------------------------------------------- */

static void forget_run(struct rederive *d)
{
	for (size_t i = 0; i < d->sources.n; i++) free(d->sources.v[i].v);
	vec_free(&d->sources);
	correlate_free(d->correlate);
	if (d->matcher) matcher_free(d->matcher);
	auth_source_free(d->logins);
	analyser_free(d->analyser);
	incident_plan_free(d->incidents);
	if (d->shapes) shape_table_free(d->shapes);
	if (d->plan) plan_free(d->plan);
	pinned_run_done(&d->pinned);
	map_done(&d->by_text);
	map_done(&d->by_row);
	map_done(&d->by_source);
	d->correlate = NULL, d->matcher = NULL, d->shapes = NULL, d->logins = NULL, d->analyser = NULL, d->incidents = NULL, d->plan = NULL, d->rules = NULL;
	arena_reset(&d->strings);
	d->usable = false;
}

static void put_nothing(void *arg, const struct finding *f, bool final) { (void)arg, (void)f, (void)final; }

/* The place of a rule that is code, where the text that the run kept is what this program would write: then it is this program's code. */
static uint32_t place_among(const struct rule_info *v, uint32_t n, uint32_t first, const struct verify_rule *r)
{
	struct buf text = {0};
	uint32_t found = 0;
	for (uint32_t i = 0; i < n && !found; i++) {
		if (!str_eq(v[i].id, r->rule_id)) continue;
		pinned_native_text(&v[i], &text);
		if (str_starts(r->text, buf_view(&text))) found = first + i + 1;
	}
	buf_done(&text);
	return found;
}

/* Of analysers and detectors: number + 1; 0: another version's. */
static uint32_t native_place(struct rederive *d, const struct verify_rule *r)
{
	uint32_t n, found = place_among(d->native, d->n_native, NATIVE, r);
	const struct rule_info *detectors = detector_rules(&n);
	return found ? found : place_among(detectors, n, DETECTOR_RULE, r);
}

static void load_natives(struct rederive *d, struct fault *f)
{
	char path[48];
	int fd = pinned_input(d->db, d->run, "baseline");
	bool ok = (d->incidents = incident_plan_new(f)) != NULL;
	if (ok) incident_plan_native(d->incidents, d->pinned.native);
	if (fd >= 0) snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (ok && fd >= 0) ok = incident_plan_baseline(d->incidents, path, f);
	if (fd >= 0) close(fd);
	d->n_native = 0;
	d->native = ok ? incident_plan_rules(d->incidents, &d->n_native) : NULL;
	d->analyser = ok ? analyser_new(d->incidents, ANALYSER) : NULL;
}

/* Which rule of the set each row of the run is: by its place, else by its text. */
static void place_rules(struct rederive *d, const struct verify_rule *rules, uint32_t n)
{
	uint8_t digest[SHA256_SIZE];
	for (uint32_t i = 0; !d->pinned.exact && i < rule_set_count(d->rules); i++) {
		struct str text = rule_set_at(d->rules, i)->pinned;
		sha256_of(text.p, text.n, digest);
		map_put(&d->by_text, (struct str){(char *)digest, sizeof digest}, i, NULL);
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t place = d->pinned.exact && i < d->pinned.n_rules ? i + 1 : 0;
		sha256_of(rules[i].text.p, rules[i].text.n, digest);
		if (pinned_is_native(rules[i].text)) place = native_place(d, &rules[i]);
		uint32_t *index = d->pinned.exact ? NULL : map_get(&d->by_text, (struct str){(char *)digest, sizeof digest});
		map_put(&d->by_row, (struct str){(const char *)&rules[i].id, sizeof rules[i].id}, index ? *index + 1 : place, NULL);
	}
}

static bool begin_run(void *arg, sqlite3 *db, int64_t run, struct str settings, const struct verify_rule *rules, uint32_t n_rules)
{
	struct rederive *d = arg;
	struct fault f = FAULT_INIT;
	struct correlate_options co = {.state_memory = STATE, .detectors = true, .put = put_nothing};
	forget_run(d);
	d->run = run;
	d->db = db;
	arena_reset(&d->scratch);
	if (!pinned_run_load(db, run, settings, rules, n_rules, &d->pinned, &f)) return false;
	d->rules = d->pinned.rules;
	d->options = d->pinned.reader;
	/* The record was within them, or it would not be cited. */
	d->options.since = d->options.until = (struct etime){0};
	load_natives(d, &f);
	place_rules(d, rules, n_rules);
	d->plan = plan_new(d->rules, &d->pinned.plan, &f);
	d->matcher = d->plan ? matcher_new(d->plan) : NULL;
	d->shapes = shape_table_new(d->taxonomy, SHAPES);
	d->logins = auth_source_new(d->auth, d->shapes);
	d->correlate = correlate_new(d->rules, &co, &f);
	return d->usable = d->matcher && d->shapes && d->correlate;
}

/* --- records read again --------------------------------------------------------------------------------------------------------- */

struct made {
	struct buf bytes;
	struct reread_piece *v;
	size_t n, cap;
};

static void add_piece(struct made *m, uint64_t made, uint64_t original, uint64_t length)
{
	if (m->n == m->cap) m->v = vec_grow(m->v, &m->cap, sizeof *m->v);
	m->v[m->n++] = (struct reread_piece){made, original, length, 0};
}

/* Pieces ascend by their place in the made file. */
static bool original_of(const struct made *m, uint64_t made, uint64_t *ret)
{
	size_t lo = 0, hi = m->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (m->v[mid].made <= made) lo = mid + 1;
		else hi = mid;
	}
	if (!lo || made - m->v[lo - 1].made >= m->v[lo - 1].length) return false;
	*ret = m->v[lo - 1].original + (made - m->v[lo - 1].made);
	return true;
}

static struct value *rule_field(struct event *ev, const struct logsource_binding *binding, struct str name)
{
	for (uint32_t i = 0; binding && i < binding->n_renames; i++) {
		if (!str_eq(binding->renames[i].rule_field, name)) continue;
		struct value *v = event_get(ev, binding->renames[i].event_field);
		if (v) return v;
	}
	return event_get(ev, name);
}

/* What correlations want of the event, kept. */
static void keep_values(struct rederive *d, struct event *ev, const struct hit *h, struct rehit *ret)
{
	uint32_t n;
	if (!correlate_wants(d->correlate, h->rule->index)) return;
	const struct str *fields = correlate_keep(d->correlate, h->rule->index, &n);
	struct str *values = n ? arena_calloc(&d->strings, n, sizeof *values) : NULL;
	for (uint32_t i = 0; values && i < n; i++) {
		struct value *v = rule_field(ev, h->binding, fields[i]);
		if (v && v->kind == VALUE_LIST && v->n) v = &v->items[0];
		if (v && v->kind != VALUE_ABSENT && v->kind != VALUE_NULL && v->kind != VALUE_LIST) values[i] = arena_str(&d->strings, value_text(v, ev->arena));
	}
	ret->values = values;
	ret->n_values = values ? n : 0;
}

static void push(struct reread *r, struct rehit h)
{
	if (r->n == r->cap) r->v = vec_grow(r->v, &r->cap, sizeof *r->v);
	r->v[r->n++] = h;
}

/* What a finding says beside its rule, time and evidence. */
struct says { enum level level; struct str host, channel, matched, fields; int64_t event_id, record_id; };

static void digest_of(struct rederive *d, const struct says *x, uint8_t ret[16])
{
	uint8_t digest[SHA256_SIZE];
	const struct str parts[] = {x->host, x->channel, x->matched, x->fields};
	d->said.n = 0;
	buf_printf(&d->said, "%d %lld %lld", (int)x->level, (long long)x->event_id, (long long)x->record_id);
	for (size_t i = 0; i < COUNT(parts); i++) {
		buf_printf(&d->said, " %zu ", parts[i].n);
		buf_str(&d->said, parts[i]);
	}
	sha256_of(d->said.p, d->said.n, digest);
	memcpy(ret, digest, 16);
}

/* As a scan would say it, and a case keep it. */
static void says_of_event(struct rederive *d, struct event *ev, enum level level, const struct match_detail *details, uint32_t n, const struct hit *h, uint8_t ret[16])
{
	const struct str raw[] = {event_host(ev), ev->shape->channel};
	struct buf *out[] = {&d->host, &d->channel, &d->matched, &d->fields};
	for (size_t i = 0; i < COUNT(out); i++) out[i]->n = 0;
	for (size_t i = 0; i < COUNT(raw); i++) canon_repair(out[i], raw[i]);
	case_matched_json(details, n, &d->matched);
	d->raw.n = 0;
	if (h) scan_hit_fields(ev, h, &d->raw);
	else event_fields_json(ev, &d->raw);
	canon_repair(&d->fields, buf_view(&d->raw));
	digest_of(d, &(struct says){level, buf_view(&d->host), buf_view(&d->channel), buf_view(&d->matched), buf_view(&d->fields),
		ev->shape->event_id, ev->has_record_id ? (int64_t)ev->record_id : -1}, ret);
}

static void says_of_hit(struct rederive *d, struct event *ev, const struct hit *h, uint8_t ret[16])
{
	enum { MAX_DETAILS = 64 }; /* as in scan/hit.c */
	struct match_detail details[MAX_DETAILS];
	says_of_event(d, ev, h->rule->info.level, details, matcher_details(d->matcher, h, ev, details, MAX_DETAILS), h, ret);
}

/* A native analyser's hit on the event. */
static void take_native(struct rederive *d, struct reread *r, struct event *ev, struct rehit h, const struct hit *hits, uint32_t n)
{
	d->infos.n = 0;
	for (uint32_t i = 0; i < n; i++) vec_push(&d->infos, &hits[i].rule->info);
	const struct clue *c = d->analyser ? analyser_event(d->analyser, ev, 0, d->path, d->infos.v, n) : NULL;
	if (!c || !c->rule) return;
	h.time = ev->time;
	h.rule = NATIVE + (uint32_t)(c->rule - d->native);
	h.host = arena_str(&d->strings, event_host(ev));
	h.values = NULL, h.n_values = 0;
	says_of_event(d, ev, c->rule->level, c->matched, c->n_matched, NULL, h.says);
	push(r, h);
}

/* The hits of an event, filed under its first record. */
static void take_hits(struct rederive *d, const struct made *m, struct reread *r, struct event *ev, struct rehit h)
{
	const struct hit *hits;
	if (!original_of(m, ev->records[0].offset, &h.offset)) return;
	uint32_t n = matcher_run(d->matcher, ev, &hits);
	for (uint32_t i = 0; i < n; i++) {
		h.time = ev->time;
		h.rule = hits[i].rule->index;
		h.host = arena_str(&d->strings, event_host(ev));
		keep_values(d, ev, &hits[i], &h);
		if (hits[i].rule->report) says_of_hit(d, ev, &hits[i], h.says);
		push(r, h);
	}
	take_native(d, r, ev, h, hits, n);
}

static void take_logins_due(struct rederive *d, const struct made *m, struct reread *r, bool end)
{
	struct auth_event said;
	for (struct event *ev; (ev = auth_source_due(d->logins, end, &said));) take_hits(d, m, r, ev, (struct rehit){.rule = NO_RULE});
}

static void take_event(struct rederive *d, const struct made *m, struct reread *r, struct event *ev)
{
	struct rehit h = {.rule = NO_RULE, .time = ev->time, .cleared = event_says_cleared(ev)};
	struct auth_event said;
	bool is_login;
	if (str_eq(ev->shape->format, STR("evtx")) && ev->records[0].bytes && ev->records[0].length >= 16) h.number = le64_at((const uint8_t *)ev->records[0].bytes + 8);
	if (!original_of(m, ev->records[0].offset, &h.offset)) return;
	push(r, h);
	struct event *login = auth_source_take(d->logins, ev, &said, &is_login);
	take_hits(d, m, r, is_login ? login : ev, h);
	take_logins_due(d, m, r, false);
}

static const struct reader_ops *format_of(const struct rederive *d, struct str name)
{
	for (size_t i = 0; i < d->n_formats; i++)
		if (str_eq(name, str_of(d->formats[i]->format))) return d->formats[i];
	return NULL;
}

static void read_made(struct rederive *d, const struct reader_ops *ops, const struct made *m, struct str path, int64_t mtime, struct reread *r)
{
	struct input in;
	struct fault f = FAULT_INIT;
	struct arena arena;
	struct source_report report = {.arena = &arena};
	input_of_memory(&in, m->bytes.p, m->bytes.n, path);
	in.mtime_sec = mtime;
	d->path = path;
	arena_init(&arena, 16 << 20);
	struct reader *reader = ops->open(&in, &d->options, &f);
	for (int pass = 0; reader && pass < (ops->max_cursors > 1 ? 2 : 1); pass++) {
		struct reader_cursor *c = ops->cursor_new(reader, d->shapes);
		for (struct event *ev; (ev = ops->next(c));) take_event(d, m, r, ev);
		take_logins_due(d, m, r, true);
		auth_source_reset(d->logins);
		ops->cursor_free(c);
	}
	if (reader) {
		ops->finish(reader, &report);
		ops->free(reader);
	}
	report_done(&report);
	input_close(&in);
	arena_done(&arena);
}

/* The header of a file or chunk, enough for a reader; checksums are left wrong, which readers only note. */
static void put_head(char *p, const char *magic)
{
	memcpy(p, magic, 8);
	if (p[3] == 'F') p[32] = (char)128, p[36] = 1, p[38] = 3, p[41] = 16;
	else p[40] = (char)128;
}

static void evtx_file(struct made *m)
{
	m->bytes.n = m->n = 0;
	memset(buf_reserve(&m->bytes, HEADER), 0, HEADER);
	put_head(m->bytes.p, "ElfFile");
	m->bytes.n = HEADER;
}

static void read_evtx(struct rederive *d, const struct reader_ops *ops, sqlite3_stmt *rows, struct str path, int64_t mtime, struct reread *r)
{
	struct made m = {0};
	uint64_t chunk = UINT64_MAX;
	evtx_file(&m);
	while (sqlite3_step(rows) == SQLITE_ROW) {
		uint64_t offset = (uint64_t)sqlite3_column_int64(rows, 0), at = offset < HEADER ? 0 : (offset - HEADER) / CHUNK;
		struct str bytes = case_column_str(rows, 1);
		uint64_t within = offset - HEADER - at * CHUNK;
		if (offset < HEADER || bytes.n > CHUNK - within) continue;
		if (at != chunk) {
			if (m.n == CHUNKS_A_FILE) read_made(d, ops, &m, path, mtime, r), evtx_file(&m);
			chunk = at;
			add_piece(&m, m.bytes.n, HEADER + at * CHUNK, CHUNK);
			memset(buf_reserve(&m.bytes, CHUNK), 0, CHUNK);
			put_head(m.bytes.p + m.bytes.n, "ElfChnk");
			m.bytes.n += CHUNK;
		}
		memcpy(m.bytes.p + m.bytes.n - CHUNK + within, bytes.p, bytes.n);
	}
	if (m.n) read_made(d, ops, &m, path, mtime, r);
	buf_done(&m.bytes);
	free(m.v);
}

static void add_line(struct made *m, uint64_t offset, struct str bytes)
{
	add_piece(m, m->bytes.n, offset, bytes.n + 1);
	buf_str(&m->bytes, bytes);
	buf_byte(&m->bytes, '\n');
}

/* Leaves of UTF-16 end before each byte 0x0a, also within a character. Those that follow one another are joined again; where they do not, the first loses
 * what is left of the line end before it (offsets of characters are even), and the last gets a line end of its own. */
struct wide_lines { bool wide, big; uint64_t next_leaf, length; };

static void end_wide(struct made *m, struct wide_lines *w)
{
	static const char ends[2][2] = {{'\n', 0}, {0, '\n'}};
	if (!w->length) return;
	unsigned odd = w->length & 1; /* half of a line end stands there */
	buf_put(&m->bytes, ends[w->big] + odd, 2 - odd);
	m->v[m->n - 1].length += 2 - odd;
	w->length = 0;
}

static void add_wide(struct made *m, struct wide_lines *w, uint64_t leaf, uint64_t offset, struct str bytes)
{
	if (w->length && leaf == w->next_leaf) {
		buf_byte(&m->bytes, '\n');
		m->v[m->n - 1].length++;
		w->length++;
	} else {
		end_wide(m, w);
		size_t skip = offset & 1 && bytes.n ? 1 : 0;
		if (!m->bytes.n) buf_put(&m->bytes, w->big ? "\xfe\xff" : "\xff\xfe", 2);
		offset += skip;
		bytes = str_sub(bytes, skip, bytes.n);
	}
	add_piece(m, m->bytes.n, offset, bytes.n);
	buf_str(&m->bytes, bytes);
	w->length += bytes.n;
	w->next_leaf = leaf + 1;
}

/* Lines that findings cite as context (headers) stand at the beginning of each file that is made. */
static void read_lines(struct rederive *d, const struct reader_ops *ops, sqlite3_stmt *rows, struct str path, int64_t mtime, struct wide_lines w, struct reread *r)
{
	struct made m = {0};
	VEC(struct reread_piece) contexts = {0};
	struct buf context_bytes = {0};
	while (sqlite3_step(rows) == SQLITE_ROW) {
		uint64_t offset = (uint64_t)sqlite3_column_int64(rows, 0);
		struct str bytes = case_column_str(rows, 1);
		uint64_t leaf = (uint64_t)sqlite3_column_int64(rows, 3);
		if (m.bytes.n > LINES_A_FILE && (!w.wide || leaf != w.next_leaf)) {
			if (w.wide) end_wide(&m, &w);
			read_made(d, ops, &m, path, mtime, r);
			m.bytes.n = m.n = 0;
			for (size_t i = 0; i < contexts.n; i++) {
				struct str again = {context_bytes.p + contexts.v[i].made, contexts.v[i].length};
				if (w.wide) add_wide(&m, &w, contexts.v[i].leaf, contexts.v[i].original, again);
				else add_line(&m, contexts.v[i].original, again);
			}
		}
		if (sqlite3_column_int(rows, 2)) {
			vec_push(&contexts, (struct reread_piece){context_bytes.n, offset, bytes.n, leaf});
			buf_str(&context_bytes, bytes);
		}
		if (w.wide) add_wide(&m, &w, leaf, offset, bytes);
		else add_line(&m, offset, bytes);
	}
	if (w.wide) end_wide(&m, &w);
	if (m.n) read_made(d, ops, &m, path, mtime, r);
	buf_done(&m.bytes);
	buf_done(&context_bytes);
	vec_free(&contexts);
	free(m.v);
}

/* Blocks at their places, zeros between them: entries of a journal lead to their data by offset. */
static void read_blocks(struct rederive *d, const struct reader_ops *ops, sqlite3_stmt *rows, struct str path, int64_t mtime, struct reread *r)
{
	struct made m = {0};
	while (sqlite3_step(rows) == SQLITE_ROW) {
		uint64_t offset = (uint64_t)sqlite3_column_int64(rows, 0);
		struct str bytes = case_column_str(rows, 1);
		if (offset < m.bytes.n || offset > BLOCKS_A_FILE || bytes.n > BLOCKS_A_FILE - offset) continue;
		size_t gap = (size_t)offset - m.bytes.n;
		memset(buf_reserve(&m.bytes, gap), 0, gap);
		m.bytes.n += gap;
		add_piece(&m, offset, offset, bytes.n);
		buf_str(&m.bytes, bytes);
	}
	if (m.n) read_made(d, ops, &m, path, mtime, r);
	buf_done(&m.bytes);
	free(m.v);
}

static int by_offset(const void *x, const void *y)
{
	const struct rehit *a = x, *b = y;
	if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
	return (a->rule > b->rule) - (a->rule < b->rule);
}

static void read_again(struct rederive *d, struct reread *r)
{
	sqlite3_stmt *s = case_db_prepare(d->db, "SELECT path, format, framing, last, parameters FROM source WHERE id = ?", NULL);
	sqlite3_stmt *rows = case_db_prepare(d->db, "SELECT r.offset, r.bytes, EXISTS (SELECT 1 FROM temp.context c WHERE c.source = r.source AND c.leaf = r.leaf), "
		"r.leaf FROM record r WHERE r.source = ? ORDER BY r.leaf", NULL);
	if (s && rows) {
		sqlite3_bind_int64(s, 1, r->source);
		sqlite3_bind_int64(rows, 1, r->source);
	}
	if (s && rows && sqlite3_step(s) == SQLITE_ROW) {
		const struct reader_ops *ops = format_of(d, case_column_str(s, 1));
		struct str path = arena_str(&d->strings, case_column_str(s, 0)), framing = case_column_str(s, 2), parameters = case_column_str(s, 4);
		struct etime last = {0};
		struct wide_lines w = {.big = str_find(parameters, STR(" encoding=utf-16be"), 0) != SIZE_MAX};
		w.wide = w.big || str_find(parameters, STR(" encoding=utf-16le"), 0) != SIZE_MAX;
		(void)etime_parse(case_column_str(s, 3), &last, NULL);
		/* Readers infer years from the file's time: that of its last record is near enough. */
		if (ops && str_eq(framing, STR("evtx/1"))) read_evtx(d, ops, rows, path, last.sec, r);
		else if (ops && str_eq(framing, STR("lines/1"))) read_lines(d, ops, rows, path, last.sec, w, r);
		else if (ops && str_eq(framing, STR("blocks/1"))) read_blocks(d, ops, rows, path, last.sec, r);
	}
	sqlite3_finalize(s);
	sqlite3_finalize(rows);
	if (r->n) qsort(r->v, r->n, sizeof *r->v, by_offset);
	r->done = true;
}

/* Which leaves are contexts: evidence has no index by source, so it is gathered once. */
static void gather_contexts(struct rederive *d)
{
	sqlite3_exec(d->db, "PRAGMA query_only = OFF; CREATE TEMP TABLE IF NOT EXISTS context (source INTEGER, leaf INTEGER, PRIMARY KEY (source, leaf)) WITHOUT ROWID; "
		"INSERT OR IGNORE INTO temp.context SELECT e.source, e.leaf FROM evidence e JOIN source s ON s.id = e.source WHERE e.role = 'context' AND s.framing = 'lines/1'; "
		"PRAGMA query_only = ON", NULL, NULL, NULL);
}

static struct reread *reread_of(struct rederive *d, int64_t source)
{
	bool fresh;
	uint32_t at = *map_put(&d->by_source, (struct str){(const char *)&source, sizeof source}, (uint32_t)d->sources.n, &fresh);
	if (!fresh) return &d->sources.v[at];
	if (!d->sources.n) gather_contexts(d);
	vec_push(&d->sources, (struct reread){.source = source});
	struct reread *r = &d->sources.v[d->sources.n - 1];
	read_again(d, r);
	return r;
}

/* The hits on the record at that offset: [*ret_n] from the one returned; NULL when it could not be read. The first is the event. */
static const struct rehit *hits_at(struct rederive *d, const struct verify_evidence *e, size_t *ret_n)
{
	struct reread *r = reread_of(d, e->source);
	size_t lo = 0, hi = r->n, n = 0;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (r->v[mid].offset < e->offset) lo = mid + 1;
		else hi = mid;
	}
	while (lo + n < r->n && r->v[lo + n].offset == e->offset) n++;
	*ret_n = n;
	return n ? &r->v[lo] : NULL;
}

/* --- findings -------------------------------------------------------------------------------------------------------------------- */

static bool same_time(struct str stated, struct etime t)
{
	char text[ETIME_MAX];
	return str_eq(stated, (struct str){text, etime_print(t, t.digits, text)});
}

/* Whether what a record says is all in the record (and its contexts), not in lines around it. */
static bool stands_alone(struct str format) { return str_eq(format, STR("evtx")) || str_eq(format, STR("json")); }

static enum verify_answer derive_hit(struct rederive *d, const struct verify_finding *x, uint32_t rule, char why[200])
{
	struct says stated = {LEVEL_INFORMATIONAL, x->host, x->channel, x->matched, x->fields, x->event_id, x->record_id};
	bool any = false, time = false, same = false, alone = true;
	uint8_t says[16];
	enum level level = rule >= NATIVE ? d->native[rule - NATIVE].level : rule_set_at(d->rules, rule)->info.level;
	if (!level_parse(x->level, &stated.level) || stated.level != level) return snprintf(why, 200, "its level is not the rule's"), VERIFY_FAILED;
	digest_of(d, &stated, says);
	for (uint32_t i = 0; i < x->n_evidence; i++) {
		size_t n;
		if (x->evidence[i].role != EVIDENCE_RECORD) continue;
		const struct rehit *h = hits_at(d, &x->evidence[i], &n);
		if (!h) {
			snprintf(why, 200, "its record cannot be read by itself");
			return VERIFY_NEEDS_SOURCES;
		}
		bool hit = false;
		alone = alone && stands_alone(x->evidence[i].format) && !x->evidence[i].recovered;
		for (size_t k = 0; k < n; k++) {
			if (h[k].rule != rule) continue;
			hit = true;
			time |= same_time(x->time, h[k].time);
			same |= !memcmp(h[k].says, says, sizeof says);
		}
		/* Of an event spread over several records the first is where it is read. */
		if (!hit && !any && x->evidence[i].recovered) {
			snprintf(why, 200, "the rule does not match what can be read of its record by itself");
			return VERIFY_NEEDS_SOURCES;
		}
		if (!hit && !any) {
			snprintf(why, 200, "the rule does not match the record");
			return VERIFY_FAILED;
		}
		any = true;
	}
	if (any && time && same) return VERIFY_DERIVED;
	if (!any) return snprintf(why, 200, "it cites no record"), VERIFY_FAILED;
	if (alone) return snprintf(why, 200, time ? "the rule matches, but the record says other things than the finding" : "the record has another time"), VERIFY_FAILED;
	snprintf(why, 200, "the rule matches; %s on the rest of the source", time ? "what else it says depends" : "its time depends");
	return VERIFY_NEEDS_SOURCES;
}

static bool groups_equal(struct str stated, const struct finding *f)
{
	struct buf b = {0};
	buf_byte(&b, '[');
	for (uint32_t i = 0; i < f->n_group; i++) {
		struct buf clean = {0};
		buf_put(&b, i ? ",[" : "[", i ? 2 : 1);
		canon_repair(&clean, f->group[i].name);
		canon_str(&b, buf_view(&clean));
		buf_byte(&b, ',');
		clean.n = 0;
		canon_repair(&clean, f->group[i].value);
		if (f->group[i].value.p) canon_str(&b, buf_view(&clean));
		else buf_lit(&b, "null");
		buf_byte(&b, ']');
		buf_done(&clean);
	}
	buf_byte(&b, ']');
	bool same = str_eq(buf_view(&b), stated);
	buf_done(&b);
	return same;
}

/* Of a detector's description what its records alone say: how many tries, from where, for whom. */
static struct str tried_what(struct str extra)
{
	size_t from = str_find(extra, STR(",\"tries\":"), 0), to = str_find(extra, STR(",\"n_targets\":"), 0);
	size_t end = to == SIZE_MAX ? to : str_find_byte(extra, ',', to + 1);
	return from == SIZE_MAX || to == SIZE_MAX || to < from ? (struct str){0} : str_sub(extra, from, end == SIZE_MAX ? SIZE_MAX : end - from);
}

/* What else a correlation's finding says that does not come out so; NULL: nothing. */
static const char *said_otherwise(struct rederive *d, const struct finding *f)
{
	const struct verify_finding *x = d->tried;
	if (!str_eq(x->level, str_of(level_word(f->level)))) return "level";
	/* When a detector noticed depends on what else happened at the site. */
	bool noticed = same_time(x->time, f->time);
	if (!noticed && d->tried_rule < DETECTOR_RULE) return "time";
	if (!same_time(x->first, f->first) || !same_time(x->last, f->last)) return "period";
	d->raw.n = d->fields.n = 0;
	if (f->extra_json.n) buf_byte(&d->raw, '{'), buf_str(&d->raw, f->extra_json), buf_byte(&d->raw, '}'); /* as the case writes it */
	canon_repair(&d->fields, buf_view(&d->raw));
	bool told = str_eq(buf_view(&d->fields), x->extra);
	if (!told && (d->tried_rule < DETECTOR_RULE || !str_eq(tried_what(buf_view(&d->fields)), tried_what(x->extra)))) return "description";
	d->host.n = d->fields.n = 0;
	canon_repair(&d->host, f->host);
	canon_repair(&d->fields, f->fields_json);
	if (!str_eq(buf_view(&d->fields), x->fields)) return "set of fields";
	if (!str_eq(buf_view(&d->host), x->host)) {
		if (d->tried_rule < DETECTOR_RULE || d->host.n) return "host";
		noticed = false; /* it names that of the event at which it noticed */
	}
	d->noticed = d->noticed || noticed;
	d->told = d->told || told;
	return NULL;
}

static void take_fired(void *arg, const struct finding *f, bool final)
{
	struct rederive *d = arg;
	bool mine = d->tried_rule != NO_RULE ? f->rule && f->rule_index == d->tried_rule : !f->rule && str_eq(f->title, d->tried->title);
	if (!final || !mine) return;
	d->fired = true;
	if (!groups_equal(d->tried->groups, f)) return;
	d->same_group = true;
	if (f->count > d->best_count) d->best_count = f->count;
	if (f->count != d->tried->count) return;
	const char *other = said_otherwise(d, f);
	if (other) d->other = other;
	else d->same = true;
}

struct fed { const struct rehit *hit; uint32_t evidence; };
static int by_time(const void *x, const void *y)
{
	const struct fed *a = x, *b = y;
	int c = etime_cmp(a->hit->time, b->hit->time);
	if (c) return c;
	if (a->evidence != b->evidence) return a->evidence < b->evidence ? -1 : 1;
	return (a->hit->rule > b->hit->rule) - (a->hit->rule < b->hit->rule);
}

/* A record that a copy of its source has as well is one hit, as in the scan that joined them (scan/merge.c). `v`: in order of time. */
static bool seen_in_copy(const struct verify_finding *x, const struct fed *v, size_t i)
{
	const struct rehit *h = v[i].hit;
	const struct verify_evidence *e = &x->evidence[v[i].evidence];
	for (size_t k = i; k-- > 0 && !etime_cmp(v[k].hit->time, h->time);) {
		const struct rehit *other = v[k].hit;
		const struct verify_evidence *o = &x->evidence[v[k].evidence];
		if (other->rule != h->rule || o->source == e->source || !str_eq(other->host, h->host)) continue;
		if ((h->number && h->number == other->number) || (o->offset == e->offset && str_eq(o->bytes, e->bytes))) return true;
	}
	return false;
}

/* The cited records' hits once more through a correlator that has seen nothing else. */
static bool feed(struct rederive *d, const struct verify_finding *x, bool *ret_unread)
{
	struct fault f = FAULT_INIT;
	struct correlate_options o = {.state_memory = STATE, .detectors = true, .known_sources = d->pinned.known, .put = take_fired, .arg = d};
	struct correlate *c = correlate_new(d->rules, &o, &f);
	VEC(struct fed) v = {0};
	if (!c) return false;
	for (uint32_t i = 0; i < x->n_evidence; i++) {
		size_t n;
		if (x->evidence[i].role != EVIDENCE_RECORD) continue;
		const struct rehit *h = hits_at(d, &x->evidence[i], &n);
		if (!h) *ret_unread = true;
		for (size_t k = 0; h && k < n; k++)
			if (h[k].rule < NATIVE && correlate_wants(c, h[k].rule)) vec_push(&v, (struct fed){&h[k], i});
	}
	if (v.n) qsort(v.v, v.n, sizeof *v.v, by_time);
	for (size_t i = 0; i < v.n; i++) {
		const struct rehit *h = v.v[i].hit;
		const struct verify_evidence *e = &x->evidence[v.v[i].evidence];
		if (seen_in_copy(x, v.v, i)) continue;
		struct evidence_ref ref = {.source = (uint32_t)e->source, .offset = e->offset, .length = e->length};
		correlate_hit(c, &(struct corr_event){.rule = h->rule, .time = h->time, .evidence = &ref, .n_evidence = 1, .values = h->values, .n_values = h->n_values, .host = h->host});
	}
	correlate_finish(c);
	correlate_free(c);
	vec_free(&v);
	return true;
}

static enum verify_answer derive_correlation(struct rederive *d, const struct verify_finding *x, uint32_t rule, char why[200])
{
	bool unread = false;
	uint64_t records = 0;
	for (uint32_t i = 0; i < x->n_evidence; i++) records += x->evidence[i].role == EVIDENCE_RECORD;
	d->tried = x;
	d->tried_rule = rule;
	d->best_count = 0;
	d->fired = d->same_group = d->same = d->noticed = d->told = false;
	d->other = NULL;
	if (!feed(d, x, &unread)) return VERIFY_NOT_TRIED;
	if (d->same && d->best_count == x->count) {
		if (!d->told) snprintf(why, 200, "its reason, and the logins it lists, are also from the rest of the log");
		else if (!d->noticed) snprintf(why, 200, "at which event it was noticed is from the rest of the log");
		/* What a detector states beyond its records is believed of nobody: a rescan of the sources shows it. */
		return d->told && d->noticed ? VERIFY_DERIVED : VERIFY_PART;
	}
	if (unread) {
		snprintf(why, 200, "a record cannot be read by itself");
		return VERIFY_NEEDS_SOURCES;
	}
	if (x->has_root || x->evidence_total > records) {
		snprintf(why, 200, "%llu of %llu records are in the case; on them the condition %s", (unsigned long long)records, (unsigned long long)x->evidence_total,
			d->same_group ? "holds" : "alone does not hold");
		return d->same_group ? VERIFY_PART : VERIFY_NEEDS_SOURCES;
	}
	if (rule >= DETECTOR_RULE && rule != NO_RULE) {
		snprintf(why, 200, "what is usual at the site, which it is measured against, is in the logs, not in its evidence");
		return VERIFY_NEEDS_SOURCES;
	}
	if (d->same_group && d->best_count == x->count) snprintf(why, 200, "it comes out with another %s", d->other);
	else if (d->same_group) snprintf(why, 200, "it comes out with a count of %llu, not %llu", (unsigned long long)d->best_count, (unsigned long long)x->count);
	else snprintf(why, 200, d->fired ? "it comes out for another group" : "the condition does not hold on its records");
	return VERIFY_FAILED;
}

static enum verify_answer derive_cleared(struct rederive *d, const struct verify_finding *x, char why[200])
{
	bool any = false;
	for (uint32_t i = 0; i < x->n_evidence; i++) {
		size_t n;
		if (x->evidence[i].role != EVIDENCE_RECORD) continue;
		const struct rehit *h = hits_at(d, &x->evidence[i], &n);
		if (!h) return snprintf(why, 200, "its record cannot be read by itself"), VERIFY_NEEDS_SOURCES;
		if (!h->cleared) return snprintf(why, 200, "the record does not say that a log was cleared"), VERIFY_FAILED;
		any = any || same_time(x->time, h->time);
	}
	if (!any) snprintf(why, 200, "no record of that time is cited");
	return any ? VERIFY_DERIVED : VERIFY_FAILED;
}

/* Records in pairs: the one before the missing numbers, and the one behind them. Side by side they prove it. */
static enum verify_answer derive_missing(struct rederive *d, const struct verify_finding *x, char why[200])
{
	const struct verify_evidence *before = NULL;
	uint64_t first = 0, last = 0;
	bool apart = false, any = false;
	for (uint32_t i = 0; i < x->n_evidence; i++) {
		const struct verify_evidence *e = &x->evidence[i];
		size_t n;
		if (e->role != EVIDENCE_RECORD) continue;
		const struct rehit *h = hits_at(d, e, &n);
		if (!h || !h->number) return snprintf(why, 200, "its record cannot be read by itself"), VERIFY_NEEDS_SOURCES;
		if (!before) {
			before = e;
			first = h->number + 1;
			continue;
		}
		last = h->number - 1;
		char wanted[128];
		snprintf(wanted, sizeof wanted, "{\"MissingFirst\":%llu,\"MissingLast\":%llu,\"Missing\":%llu}", (unsigned long long)first, (unsigned long long)last,
			(unsigned long long)(last - first + 1)); /* as scan/hit.c writes it */
		if (last < first || !str_eq(x->fields, str_of(wanted))) return snprintf(why, 200, "the records around it have other numbers"), VERIFY_FAILED;
		apart |= before->offset + before->length != e->offset;
		any = true;
		before = NULL;
	}
	if (!any) return snprintf(why, 200, "it cites no two records"), VERIFY_FAILED;
	if (apart) snprintf(why, 200, "that the first record ends its chunk is drawn from the whole log");
	return apart ? VERIFY_PART : VERIFY_DERIVED;
}

static enum verify_answer derive_finding(void *arg, const struct verify_finding *x, char why[200])
{
	struct rederive *d = arg;
	uint32_t *index = x->rule ? map_get(&d->by_row, (struct str){(const char *)&x->rule, sizeof x->rule}) : NULL;
	arena_reset(&d->scratch);
	if (x->rule && (!index || !*index)) {
		snprintf(why, 200, "a native analyser's finding, by another version of the program");
		return VERIFY_NEEDS_SOURCES;
	}
	if (index && *index > DETECTOR_RULE) return derive_correlation(d, x, *index - 1, why);
	if (str_eq(x->kind, STR("hit")) && index) return derive_hit(d, x, *index - 1, why);
	if (str_eq(x->kind, STR("integrity")) && str_eq(x->title, STR(FINDING_CLEARED))) return derive_cleared(d, x, why);
	if (str_eq(x->kind, STR("integrity")) && str_eq(x->title, STR(FINDING_MISSING))) return derive_missing(d, x, why);
	if (str_eq(x->kind, STR("correlation"))) return derive_correlation(d, x, index ? *index - 1 : NO_RULE, why);
	snprintf(why, 200, "it is drawn from whole logs");
	return VERIFY_NEEDS_SOURCES;
}

struct rederive *rederive_new(const struct reader_ops *const *formats, size_t n_formats, struct fault *f)
{
	struct rederive *d = xcalloc(1, sizeof *d);
	d->formats = formats;
	d->n_formats = n_formats;
	d->hooks = (struct verify_rederiver){d, begin_run, derive_finding};
	arena_init(&d->strings, (size_t)2 << 30);
	arena_init(&d->scratch, 64 << 20);
	d->taxonomy = taxonomy_new(f);
	d->auth = auth_new(f);
	if (d->taxonomy && d->auth) return d;
	rederive_free(d);
	return NULL;
}

void rederive_free(struct rederive *d)
{
	if (!d) return;
	forget_run(d);
	vec_free(&d->infos);
	struct buf *const bufs[] = {&d->said, &d->raw, &d->host, &d->channel, &d->matched, &d->fields};
	for (size_t i = 0; i < COUNT(bufs); i++) buf_done(bufs[i]);
	auth_free(d->auth);
	taxonomy_free(d->taxonomy);
	arena_done(&d->strings);
	arena_done(&d->scratch);
	free(d);
}

const struct verify_rederiver *rederive_hooks(struct rederive *d) { return &d->hooks; }
