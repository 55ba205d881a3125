/* cmd_events.c: `exhibit events`: every event of the given logs as JSON Lines, in file order whatever the number of threads.
 *
 * Order with several cursors: each thread gathers a block's lines and files them under the block's number. A block may be written
 * when every thread is known to be at a later one. */
#include "app/app.h"
#include "app/auth_lines.h"
#include "app/formats.h"
#include "event/event.h"
#include "read/archive.h"
#include "report/report.h"
#include "scan/scan.h"
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

enum { OPT_JOBS, OPT_SINCE, OPT_UNTIL, OPT_IDS, OPT_AS, OPT_TIMEZONE, OPT_XML, OPT_AUTH, OPT_RANGES, OPT_CARVE, OPT_DIGITS, OPT_ABSENT, OPT_WHOLE, OPT_HALVES, OPT_EXACT };
static const struct option_row rows[] = {
	[OPT_JOBS] = {'j', "jobs", "N", "threads (default: one per processor)"},
	[OPT_SINCE] = {0, "since", "TIME", "only events from this time on (RFC 3339, UTC)"},
	[OPT_UNTIL] = {0, "until", "TIME", "only events up to this time"},
	[OPT_IDS] = {0, "record-ids", "A-B", "only events with a record id from A to B; one number for one id"},
	[OPT_AS] = {0, "as", "FORMAT", "read every file as this format instead of looking at its bytes"},
	[OPT_TIMEZONE] = APP_ZONE_ROW,
	[OPT_XML] = {0, "xml", NULL, "Windows events as XML, as Windows shows them, one a line"},
	[OPT_AUTH] = {0, "auth", NULL, "attempts to log in instead of events, each in the same words whatever log it\nstands in, with the lines it rests on"},
	[OPT_RANGES] = {0, "ranges", NULL, "what became of every byte of a log instead of its events: header, records, recovered, slack,\ndamage and why, a range a line"},
	[OPT_CARVE] = {0, "carve", NULL, "also read stale records in unused space of event logs, and those in any other file or disk image"},
	[OPT_DIGITS] = {0, "time-digits", "6|7", "digits of Windows times behind the point: 6 as other tools write them (the default), 7 as they are kept"},
	[OPT_ABSENT] = {0, "omit-absent", NULL, "leave out elements that depend on a value which is not there, as Windows does"},
	[OPT_WHOLE] = {0, "whole-text", NULL, "keep the text behind a NUL character in a value"},
	[OPT_HALVES] = {0, "lone-surrogates", NULL, "keep halves of UTF-16 pairs, as \\ud8xx, instead of U+FFFD"},
	[OPT_EXACT] = {0, "exact", NULL, "all of these four: everything that the record holds"},
	{0},
};

enum { FLUSH_AT = 256 << 10, WRITE_UNIT = 32 << 10, AHEAD = 16, WAITING_MAX = 8 << 20, SHAPE_BUDGET = 16 << 20 };

/* Lines of one block that wait for their turn. */
struct waiting { uint64_t batch; struct buf lines; };

/* The ordered way out, shared by the threads of one source. */
struct lane {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	VEC(struct waiting) waiting;
	size_t waiting_bytes;
	VEC(struct buf) spare;
	bool writing;      /* a thread is: what else may be written is left to it */
	uint64_t *at;      /* [threads]: block each is at; UINT64_MAX when it is through */
	unsigned threads;
	bool failed;       /* output is gone */
};

struct settings {
	const struct command *self;
	struct reader_options reader;
	struct taxonomy *taxonomy; /* made when a source needs it */
	unsigned jobs;
	bool output_failed;
	bool xml;
	struct auth *auth;    /* with --auth */
	const char *argument; /* the path given, as against those below it */
	int status;           /* enum exit_status so far */
};

/* Writes `n` bytes from the front of the buffer; what is behind them moves there. Says why it failed, unless the reader has enough. */
static bool write_some(struct buf *b, size_t n)
{
	size_t done = 0;
	while (done < n) {
		ssize_t wrote = write(1, b->p + done, n - done);
		if (wrote < 0 && errno == EINTR) continue;
		if (wrote < 0) {
			if (errno != EPIPE) app_error("cannot write to standard output: %s", strerror(errno));
			return false;
		}
		done += (size_t)wrote;
	}
	if (b->n > n) memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
	return true;
}
static bool write_out(struct buf *b) { return write_some(b, b->n); }
/* All but what makes no whole unit: files take whole pages in a third less time. */
static bool write_units(struct buf *b) { return write_some(b, b->n - b->n % WRITE_UNIT); }

static void line(const struct settings *s, struct event *ev, struct buf *out)
{
	if (!event_wanted(ev, &s->reader)) return;
	if (s->xml && ev->ops->xml) {
		ev->ops->xml(ev, out);
		if (ev->flags & EVENT_RECOVERED) buf_lit(out, "<!-- recovered -->");
		if (ev->flags & EVENT_CARVED) buf_lit(out, "<!-- carved -->");
		if (ev->flags & EVENT_LIMITED) buf_lit(out, "<!-- incomplete -->");
	} else if (ev->ops->json) {
		ev->ops->json(ev, out);
		event_mark_json(ev, out);
	} else {
		event_fields_json(ev, out);
	}
	buf_byte(out, '\n');
}

static uint64_t least_at(const struct lane *l)
{
	uint64_t least = UINT64_MAX;
	for (unsigned i = 0; i < l->threads; i++)
		if (l->at[i] < least) least = l->at[i];
	return least;
}

/* The waiting lines that are next, when no thread can get a block before theirs any more. Parts of one block wait in order. Under the lock. */
static bool next_waiting(struct lane *l, struct buf *ret)
{
	uint64_t least = least_at(l);
	struct waiting *first = NULL;
	for (size_t i = 0; i < l->waiting.n; i++)
		if (!first || l->waiting.v[i].batch < first->batch) first = &l->waiting.v[i];
	if (!first || first->batch > least) return false;
	*ret = first->lines;
	l->waiting_bytes -= ret->n;
	memmove(first, first + 1, (size_t)(l->waiting.v + --l->waiting.n - first) * sizeof *first);
	return true;
}

/* Writes what may be written, unless another thread is at it: then that one goes on with it. Under the lock, which is given up while
 * writing. Buffers are kept: fresh memory costs more than what is put into it. */
static void drain(struct lane *l)
{
	struct buf lines;
	if (l->writing) return;
	l->writing = true;
	while (next_waiting(l, &lines)) {
		bool failed = l->failed;
		pthread_mutex_unlock(&l->lock);
		failed = failed || !write_out(&lines);
		pthread_mutex_lock(&l->lock);
		l->failed |= failed;
		lines.n = 0;
		if (lines.cap <= 2 * LINES_PART) vec_push(&l->spare, lines);
		else buf_done(&lines);
	}
	l->writing = false;
}

struct thread_arg { struct settings *settings; const struct reader_ops *ops; struct reader *reader; struct lane *lane; unsigned index; };

/* Whether this thread, at block `to`, must wait for others: it is far ahead, or much waits that cannot be written yet. Under the lock. */
static bool must_wait(const struct lane *l, uint64_t to)
{
	uint64_t least = least_at(l);
	if (to == UINT64_MAX || l->failed) return false;
	if (l->writing && l->waiting.n >= AHEAD + l->threads) return true;
	return to - least >= AHEAD + l->threads || (l->waiting_bytes > WAITING_MAX && (to > least || l->writing));
}

/* Files what was gathered and says where this thread is now: at a block of which more may come, or behind it. */
static bool move_on(struct thread_arg *a, struct buf *lines, uint64_t from, uint64_t to)
{
	struct lane *l = a->lane;
	pthread_mutex_lock(&l->lock);
	if (lines->n) {
		vec_push(&l->waiting, (struct waiting){from, *lines});
		l->waiting_bytes += lines->n;
		*lines = l->spare.n ? l->spare.v[--l->spare.n] : (struct buf){0};
		buf_reserve(lines, FLUSH_AT / 2); /* about a block's lines */
	}
	l->at[a->index] = to;
	drain(l);
	pthread_cond_broadcast(&l->moved);
	while (must_wait(l, to)) pthread_cond_wait(&l->moved, &l->lock);
	bool ok = !l->failed;
	pthread_mutex_unlock(&l->lock);
	return ok;
}

static void *read_blocks(void *argument)
{
	struct thread_arg *a = argument;
	struct shape_table *shapes = a->settings->taxonomy ? shape_table_new(a->settings->taxonomy, SHAPE_BUDGET) : NULL;
	struct reader_cursor *c = a->ops->cursor_new(a->reader, shapes);
	struct buf lines = {0};
	uint64_t batch = 0;
	buf_reserve(&lines, FLUSH_AT / 2);
	bool ok = true;
	if (a->ops->next_lines && !a->settings->xml) {
		uint64_t at;
		while (ok && a->ops->next_lines(c, &lines, &at)) ok = move_on(a, &lines, at, lines.n < LINES_PART ? at + 1 : at);
	}
	else for (struct event *ev; ok && (ev = a->ops->next(c));) {
		if (ev->batch != batch) {
			ok = move_on(a, &lines, batch, ev->batch);
			batch = ev->batch;
		}
		line(a->settings, ev, &lines);
		if (ok && lines.n >= LINES_PART) ok = move_on(a, &lines, batch, batch);
	}
	move_on(a, &lines, batch, UINT64_MAX);
	buf_done(&lines);
	a->ops->cursor_free(c);
	if (shapes) shape_table_free(shapes);
	return NULL;
}

static bool read_parallel(struct settings *s, const struct reader_ops *ops, struct reader *r)
{
	unsigned n = s->jobs < ops->max_cursors ? s->jobs : ops->max_cursors, made = 1;
	struct lane lane = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER, .at = xcalloc(n, sizeof(uint64_t)), .threads = n};
	struct thread_arg *args = xcalloc(n, sizeof *args);
	pthread_t *threads = xcalloc(n, sizeof *threads);
	for (unsigned i = 0; i < n; i++) args[i] = (struct thread_arg){s, ops, r, &lane, i};
	for (; made < n; made++)
		if (pthread_create(&threads[made], NULL, read_blocks, &args[made])) break;
	pthread_mutex_lock(&lane.lock);
	for (unsigned i = made; i < n; i++) lane.at[i] = UINT64_MAX;
	pthread_mutex_unlock(&lane.lock);
	read_blocks(&args[0]);
	for (unsigned i = 1; i < made; i++) pthread_join(threads[i], NULL);
	vec_free(&lane.waiting);
	for (size_t i = 0; i < lane.spare.n; i++) buf_done(&lane.spare.v[i]);
	vec_free(&lane.spare);
	free(lane.at);
	free(args);
	free(threads);
	return !lane.failed;
}

/* One cursor to the end, straight to the output. Also the last pass after several, for what had to wait. */
static bool read_straight(struct settings *s, const struct reader_ops *ops, struct reader *r)
{
	struct shape_table *shapes = s->taxonomy ? shape_table_new(s->taxonomy, SHAPE_BUDGET) : NULL;
	struct reader_cursor *c = ops->cursor_new(r, shapes);
	struct buf out = {0};
	bool ok = true;
	uint64_t batch;
	while (ops->next_lines && !s->xml && ok && ops->next_lines(c, &out, &batch))
		if (out.n >= FLUSH_AT) ok = write_units(&out);
	for (struct event *ev; ok && (!ops->next_lines || s->xml) && (ev = ops->next(c));) {
		line(s, ev, &out);
		if (out.n >= FLUSH_AT) ok = write_units(&out);
	}
	ok = ok && write_out(&out);
	buf_done(&out);
	ops->cursor_free(c);
	if (shapes) shape_table_free(shapes);
	return ok;
}

static bool put_auth(void *arg, struct buf *lines)
{
	(void)arg;
	return write_out(lines);
}

/* Attempts to log in, with one cursor: lines of one attempt are joined in file order. */
static bool read_auth(struct settings *s, const struct reader_ops *ops, struct reader *r, struct str path)
{
	return auth_lines(s->auth, s->taxonomy, ops, r, &s->reader, path, put_auth, s);
}

/* Reads to the end with one cursor, for its account alone. */
static void read_account(struct settings *s, const struct reader_ops *ops, struct reader *r)
{
	struct shape_table *shapes = s->taxonomy ? shape_table_new(s->taxonomy, SHAPE_BUDGET) : NULL;
	struct reader_cursor *c = ops->cursor_new(r, shapes);
	while (ops->next(c)) {}
	ops->cursor_free(c);
	if (shapes) shape_table_free(shapes);
}

/* What became of every byte, from the account. */
static bool write_ranges(const struct source_report *account, struct str path)
{
	struct report_ranges_at at = {0};
	struct buf out = {0};
	bool ok = true;
	for (bool more = true; ok && more; ok = write_out(&out)) more = report_ranges(account, path, &at, &out);
	buf_done(&out);
	if (account->more_ranges) app_error("%.*s: %llu more ranges found no room in the table", STR_FMT(path), (unsigned long long)account->more_ranges);
	return ok;
}

/* Says on stderr what of the source was not read. */
static bool tell(const char *path, const struct source_report *r)
{
	for (size_t i = 0; i < r->damage.n && i < 20; i++)
		app_error("%s: %llu bytes at offset %llu not read: %.*s", path, (unsigned long long)r->damage.v[i].length,
			(unsigned long long)r->damage.v[i].offset, STR_FMT(r->damage.v[i].reason));
	if (r->damage.n > 20) app_error("%s: and %llu more damaged ranges", path, (unsigned long long)(r->damage.n - 20 + r->more_damage));
	if (r->limited) app_error("%s: %llu records could be read only in part or not at all (exhibit scan --stats says which)", path, (unsigned long long)r->limited);
	return r->damaged == 0 && r->limited == 0;
}

static void worse(struct settings *s, int status)
{
	if (status > s->status) s->status = status;
}

/* What the events of one source are: all of them, in order, then what of it was not read. Gives the input back. */
static void read_input(struct settings *s, struct input *in, bool named)
{
	struct fault f = FAULT_INIT;
	struct arena strings;
	size_t n;
	char path[4096];
	snprintf(path, sizeof path, "%.*s", STR_FMT(in->path));
	const struct reader_ops *const *formats = formats_all(&n);
	const struct reader_ops *ops = scan_format_of(formats, n, s->reader.format, in, &f);
	if (!ops && !f.kind && s->reader.carve) ops = scan_format_of(formats, n, STR("evtx"), in, &f); /* parts of logs, wherever they are */
	if (ops && !s->taxonomy && (s->xml || s->auth || s->reader.ranges || !ops->next_lines)) s->taxonomy = taxonomy_new(&f);
	struct reader *r = ops && (s->taxonomy || !f.kind) ? ops->open(in, &s->reader, &f) : NULL;
	if (!r) {
		bool like_log = scan_named_like_log(in->path);
		app_error("%s: %s", path, f.kind ? f.text : like_log ? "named like an event log, but its bytes are no known log format" : "no known log format");
		/* As in a scan: what is no log, or empty, is no failure unless it was asked for or has an event log's name. */
		if (named || like_log || (f.kind && f.kind != FAULT_NOT_FOUND)) worse(s, EXIT_INCOMPLETE);
		return;
	}
	struct source_report report = {.arena = &strings};
	arena_init(&strings, 64 << 20);
	bool several = s->jobs > 1 && ops->max_cursors > 1 && in->size > 1 << 20;
	bool ok = true;
	if (s->reader.ranges) read_account(s, ops, r);
	else ok = s->auth ? read_auth(s, ops, r, in->path) : several ? read_parallel(s, ops, r) && read_straight(s, ops, r) : read_straight(s, ops, r);
	ops->finish(r, &report);
	report_sort(&report);
	ok = ok && (!s->reader.ranges || write_ranges(&report, in->path));
	s->output_failed |= !ok;
	if (!tell(path, &report)) worse(s, EXIT_INCOMPLETE);
	report_done(&report);
	ops->free(r);
	arena_done(&strings);
}

static void not_read(void *arg, const char *path, const char *reason, bool is_log)
{
	app_error("%s: %s", path, reason);
	if (is_log) worse(arg, EXIT_INCOMPLETE);
}

/* The members of a container, one after the other. */
static void read_members(struct settings *s, struct input *container)
{
	struct fault f = FAULT_INIT;
	const char *temp = getenv("TMPDIR");
	struct archive_limits limits = {.temp_dir = temp && *temp ? temp : "/tmp"};
	struct archive_walk *w = archive_walk_new(container, &limits, &f);
	if (!w) {
		app_fault(&f);
		worse(s, EXIT_INCOMPLETE);
		return;
	}
	struct archive_member m;
	struct archive_unread unread;
	for (enum archive_got got; !s->output_failed && (got = archive_walk_next(w, &m, &unread)) != ARCHIVE_GOT_END;) {
		if (got == ARCHIVE_GOT_UNREAD) {
			app_error("%.*s: %s", STR_FMT(unread.path), unread.reason.p ? unread.reason.p : "cannot be read");
			if (unread.is_log) worse(s, EXIT_INCOMPLETE);
			continue;
		}
		input_unhashed(&m.input);
		read_input(s, &m.input, false);
		archive_member_done(&m);
	}
	archive_walk_free(w);
}

static void read_file(void *arg, const char *path, uint64_t size)
{
	struct settings *s = arg;
	struct fault f = FAULT_INIT;
	struct input in;
	char head[ARCHIVE_HEAD];
	(void)size;
	if (s->output_failed) return;
	if (!input_open(&in, path, str_of(path), &f)) {
		app_fault(&f);
		worse(s, EXIT_INCOMPLETE);
		return;
	}
	int64_t n = s->reader.format.n ? 0 : input_pread(&in, head, sizeof head, 0, NULL);
	if (n > 0 && archive_kind((struct str){head, (size_t)n})) read_members(s, &in);
	else {
		input_unhashed(&in);
		read_input(s, &in, !strcmp(path, s->argument));
	}
	input_close(&in);
}

static bool take_ids(struct reader_options *o, struct str text)
{
	size_t dash = str_find_byte(text, '-', 0);
	struct str last = dash == SIZE_MAX ? text : str_sub(text, dash + 1, text.n);
	o->has_ids = true;
	return str_u64(str_sub(text, 0, dash == SIZE_MAX ? text.n : dash), &o->first_id) && str_u64(last, &o->last_id) && o->first_id <= o->last_id;
}

static bool take_option(struct settings *s, int which, const char *argument)
{
	struct fault f = FAULT_INIT;
	uint64_t n;
	switch (which) {
	case OPT_JOBS:
		if (!str_u64(str_of(argument), &n) || n < 1 || n > 256) return app_usage(s->self, "-j takes a number from 1 to 256"), false;
		s->jobs = (unsigned)n;
		return true;
	case OPT_SINCE: case OPT_UNTIL:
		if (etime_parse(str_of(argument), which == OPT_SINCE ? &s->reader.since : &s->reader.until, NULL)) return true;
		return app_usage(s->self, "'%s' is no time; write 2021-03-01T06:00:00Z", argument), false;
	case OPT_IDS:
		if (take_ids(&s->reader, str_of(argument))) return true;
		return app_usage(s->self, "'%s' is no range of record ids; write 1200-1300", argument), false;
	case OPT_AS:
		s->reader.format = str_of(argument);
		if (formats_known(s->reader.format)) return true;
		return app_usage(s->self, "there is no format '%s'; known are: %s", argument, formats_words()), false;
	case OPT_TIMEZONE: return app_zone(s->self, argument, &s->reader);
	case OPT_DIGITS:
		if (strcmp(argument, "6") && strcmp(argument, "7")) return app_usage(s->self, "--time-digits takes 6 or 7"), false;
		s->reader.exact_times = argument[0] == '7';
		return true;
	case OPT_ABSENT: s->reader.omit_absent = true; return true;
	case OPT_WHOLE: s->reader.whole_text = true; return true;
	case OPT_HALVES: s->reader.lone_surrogates = true; return true;
	case OPT_EXACT: s->reader.exact_times = s->reader.omit_absent = s->reader.whole_text = s->reader.lone_surrogates = true; return true;
	case OPT_RANGES: return s->reader.ranges = true;
	case OPT_CARVE: s->reader.carve = true; return true;
	case OPT_XML: s->xml = true; return true;
	case OPT_AUTH: return s->auth = auth_new(&f), s->auth || (app_fault(&f), false);
	}
	return false;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct settings s = {.self = self};
	struct options o;
	VEC(const char *) paths = {0};
	const char *argument;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int status = EXIT_DONE;
	s.jobs = processors > 0 && processors <= 256 ? (unsigned)processors : 1;
	options_begin(&o, self, argc, argv);
	for (int which; status == EXIT_DONE && (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) {
			vec_free(&paths);
			return EXIT_DONE;
		}
		if (which == OPTION_POSITIONAL) vec_push(&paths, argument);
		else if (which == OPTION_BAD || !take_option(&s, which, argument)) status = EXIT_USAGE;
	}
	if (status == EXIT_DONE && s.reader.ranges && (s.auth || s.xml)) status = app_usage(self, "--ranges writes no events: leave out --auth and --xml");
	if (status == EXIT_DONE && !paths.n) status = app_usage(self, "which logs? Name files or folders");
	if (status == EXIT_DONE && !app_paths_exist(self, paths.v, paths.n)) status = EXIT_USAGE;
	for (size_t i = 0; status == EXIT_DONE && i < paths.n && !s.output_failed; i++) {
		s.argument = paths.v[i];
		scan_walk_path(s.argument, &(struct path_sink){&s, read_file, not_read});
	}
	if (s.status > status) status = s.status;
	if (s.output_failed) status = EXIT_FAILED;
	taxonomy_free(s.taxonomy);
	auth_free(s.auth);
	vec_free(&paths);
	return status;
}

const struct command command_events = {
	.name = "events",
	.synopsis = "[OPTION]... PATH...",
	.summary = "write all events of logs as JSON Lines",
	.group = "Look",
	.options = rows,
	.run = run,
	.help = "Windows events come out in the shape that the common EVTX tools agree on; other formats as flat objects.\n"
		"A folder stands for every log below it, an archive for every log in it, one after the other in the order of names.\n"
		"What could not be read is said on standard error, with offset, length and reason. Windows events that were\n"
		"found by recovery have \"recovered\":true beside their Event, stale ones \"carved\":true, those of which a part\n"
		"could not be read \"incomplete\":true.\n\n"
		"examples:\n"
		"  exhibit events Security.evtx > security.jsonl\n"
		"  exhibit events --auth /var/log | jq -r '.\"auth.src_ip\"' | sort | uniq -c | sort -n\n"
		"  exhibit events evidence.zip > all.jsonl\n"
		"  exhibit events --record-ids 1200-1300 Security.evtx\n"
		"  exhibit events --ranges Security.evtx | jq -c 'select(.kind == \"damage\")'\n"
		"  exhibit events --since 2021-03-01T00:00:00Z -j 4 *.evtx | jq .Event.System.EventID\n\n"
		"exit status: 0 done; 2 usage; 3 a log was not read in full; 4 failure",
};
