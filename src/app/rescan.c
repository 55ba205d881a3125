/* rescan.c: see rescan.h. Each step that scanned is made again with the rules and settings of its run, steps that only sealed or signed are
 * made empty, so that steps, runs and salts are numbered alike. */
#include "app/rescan.h"
#include "app/crew.h"
#include "app/formats.h"
#include "app/output_case.h"
#include "verify/pinned.h"
#include <stdio.h>
#include <unistd.h>

struct repeat {
	struct rescan *r;
	sqlite3 *db;
	const struct verify_original *originals;
	size_t n_originals;
	enum verify_again *steps;
	VEC(int64_t) parted;                 /* runs of which a step was not whole: what follows in them is not, either */
	struct taxonomy *taxonomy;
	struct auth *auth;
	struct fault *f;
};

/* --- what is there to be read ------------------------------------------------------------------------------------------------ */

/* The time that years were inferred from, as the reader remarked; 0 = none. */
static int64_t time_remarked(const struct repeat *x, int64_t source)
{
	static const char before[] = "inferred from the file's time ", behind[] = " and the order";
	sqlite3_stmt *s = case_db_prepare(x->db, "SELECT text FROM remark WHERE source = ? AND text LIKE 'year=% inferred from the file''s time %'", NULL);
	struct etime t = {0};
	if (s) sqlite3_bind_int64(s, 1, source);
	if (s && sqlite3_step(s) == SQLITE_ROW) {
		struct str text = case_column_str(s, 0);
		size_t from = str_find(text, str_of(before), 0), to = from == SIZE_MAX ? from : str_find(text, str_of(behind), from);
		if (to != SIZE_MAX) (void)etime_parse(str_sub(text, from + sizeof before - 1, to - from - (sizeof before - 1)), &t, NULL);
	}
	sqlite3_finalize(s);
	return t.present ? t.sec : 0;
}

/* Adds the step's originals to the scan, each file and container once, at the places that they had. *ret_whole: all of them. */
static bool add_originals(struct repeat *x, struct scan *scan, int64_t step, bool *ret_whole)
{
	sqlite3_stmt *s = case_db_prepare(x->db, "SELECT id, path, number, coalesce(member, -1), coalesce(same_as, 0) FROM source WHERE step = ? ORDER BY number", x->f);
	int64_t last = -1;
	char file[4096];
	if (!s) return false;
	sqlite3_bind_int64(s, 1, step);
	*ret_whole = true;
	while (sqlite3_step(s) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(s, 0), place = sqlite3_column_int64(s, 2) >> 24, member = sqlite3_column_int64(s, 3), same_as = sqlite3_column_int64(s, 4);
		struct str path = case_column_str(s, 1);
		bool good = verify_original_same(x->originals, x->n_originals, id) && (!same_as || verify_original_same(x->originals, x->n_originals, same_as));
		*ret_whole = *ret_whole && good;
		if (!good || place == last || !case_original_path(x->r->originals, path, member, file)) continue;
		struct str shown = member >= 0 ? str_sub(path, 0, str_find(path, STR("!/"), 0)) : path;
		scan_add_file(scan, &(struct scan_file){file, shown, (uint64_t)place, member >= 0 ? 0 : time_remarked(x, id)});
		last = place;
	}
	sqlite3_finalize(s);
	return true;
}

/* --- what it was read with ----------------------------------------------------------------------------------------------------- */

struct run_rules { struct verify_rule *v; size_t n, cap; struct arena arena; struct str settings; };

static bool read_run(struct repeat *x, int64_t run, struct run_rules *ret)
{
	sqlite3_stmt *s = case_db_prepare(x->db, "SELECT settings FROM run WHERE id = ?", x->f);
	sqlite3_stmt *q = case_db_prepare(x->db, "SELECT r.id, r.n, r.rule_id, t.bytes, r.correlation, r.file FROM rule r JOIN rule_text t ON t.id = r.text WHERE r.run = ? ORDER BY r.n", x->f);
	bool ok = s && q;
	if (ok) sqlite3_bind_int64(s, 1, run), sqlite3_bind_int64(q, 1, run);
	ok = ok && sqlite3_step(s) == SQLITE_ROW;
	if (ok) ret->settings = arena_str(&ret->arena, case_column_str(s, 0));
	while (ok && sqlite3_step(q) == SQLITE_ROW) {
		struct verify_rule r = {sqlite3_column_int64(q, 0), (uint32_t)sqlite3_column_int(q, 1), arena_str(&ret->arena, case_column_str(q, 2)),
			arena_str(&ret->arena, case_column_str(q, 3)), sqlite3_column_int(q, 4) != 0, arena_str(&ret->arena, case_column_str(q, 5))};
		if (ret->n == ret->cap) ret->v = vec_grow(ret->v, &ret->cap, sizeof *ret->v);
		ret->v[ret->n++] = r;
	}
	sqlite3_finalize(s);
	sqlite3_finalize(q);
	return ok;
}

static struct incident_plan *read_incidents(struct repeat *x, int64_t run, const struct pinned_run *p)
{
	struct incident_plan *plan = incident_plan_new(x->f);
	int fd = plan ? pinned_input(x->db, run, "baseline") : -1;
	char path[48];
	bool ok = plan != NULL;
	if (plan) incident_plan_native(plan, p->native);
	if (fd >= 0) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ok = incident_plan_baseline(plan, path, x->f);
		close(fd);
	}
	if (ok) return plan;
	incident_plan_free(plan);
	return NULL;
}

/* --- a step ----------------------------------------------------------------------------------------------------------------------- */

static bool run_scan(struct repeat *x, int64_t step, const struct scan_config *config, struct case_output *out, struct str settings, bool *ret_whole)
{
	struct scan *scan = scan_new(config, x->f);
	struct finding_sink *sink = case_output_sink(out);
	bool ok = scan && add_originals(x, scan, step, ret_whole);
	if (ok) crew_run(scan, x->r->jobs, false, app_seconds());
	ok = ok && scan_settle(scan, x->f) && case_output_begin(out, scan, config, settings, x->f) && scan_finish(scan, &sink, 1, x->f);
	ok = case_output_close(out, ok, x->f) && ok;
	scan_free(scan);
	return ok;
}

static bool repeat_scan(struct repeat *x, int64_t step, int64_t run, const char *action, bool *ret_whole)
{
	struct run_rules rules = {0};
	struct pinned_run p = {0};
	struct plan *plan = NULL;
	struct incident_plan *incidents = NULL;
	struct case_again again = {&x->r->key, x->r->originals, action};
	struct case_output_options options = {.path = x->r->path, .add = step > 1, .temp_dir = case_temp_dir(), .again = &again};
	arena_init(&rules.arena, (size_t)1 << 30);
	bool ok = read_run(x, run, &rules) && pinned_run_load(x->db, run, rules.settings, rules.v, (uint32_t)rules.n, &p, x->f);
	if (ok && !p.exact) fault_set(x->f, FAULT_UNSUPPORTED, "the texts of run %lld give other rules with this program", (long long)run), ok = false;
	if (ok) ok = (plan = plan_new(p.rules, &p.plan, x->f)) && (incidents = read_incidents(x, run, &p));
	struct case_output *out = ok ? case_output_new(&options, x->f) : NULL;
	if (out) {
		struct scan_config config = {.rules = p.rules, .plan = plan, .taxonomy = x->taxonomy, .auth = x->auth, .reader = p.reader, .temp_dir = options.temp_dir,
			.state_memory = p.state_memory, .every = p.every, .min_level = p.plan.min_level, .known_sources = p.known, .any_logsource = p.plan.any_logsource, .incidents = incidents, .keeper = case_output_keeper(out)};
		config.formats = formats_all(&config.n_formats);
		ok = run_scan(x, step, &config, out, rules.settings, ret_whole);
	}
	incident_plan_free(incidents);
	plan_free(plan);
	pinned_run_done(&p);
	free(rules.v);
	arena_done(&rules.arena);
	return out && ok;
}

static bool empty_step(struct repeat *x, const char *action)
{
	struct case_step_info info = case_step_now(action, NULL);
	struct case_writer *w = case_open_for_step(x->r->path, &info, x->f);
	return w && case_close(w, x->f);
}

static bool repeat_step(struct repeat *x, int64_t step, const char *action)
{
	sqlite3_stmt *s = case_db_prepare(x->db, "SELECT run FROM total WHERE step = ? LIMIT 1", x->f);
	if (!s) return false;
	sqlite3_bind_int64(s, 1, step);
	int64_t run = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	bool whole = true;
	sqlite3_finalize(s);
	if (!run) return empty_step(x, action);
	if (!repeat_scan(x, step, run, action, &whole)) return false;
	for (size_t i = 0; i < x->parted.n; i++) whole = whole && x->parted.v[i] != run;
	if (!whole) vec_push(&x->parted, run);
	x->steps[step] = whole ? AGAIN_WHOLE : AGAIN_PART;
	return true;
}

static bool repeat_steps(struct repeat *x, size_t *ret_n)
{
	int64_t n = 0;
	sqlite3_stmt *s = case_db_prepare(x->db, "SELECT id, action FROM step ORDER BY id", x->f);
	bool ok = s && case_db_int(x->db, "SELECT count(*) FROM step", &n, x->f);
	x->steps = xcalloc((size_t)n + 1, sizeof *x->steps);
	*ret_n = (size_t)n;
	while (ok && sqlite3_step(s) == SQLITE_ROW) {
		char action[64];
		int64_t step = sqlite3_column_int64(s, 0);
		snprintf(action, sizeof action, "%.*s", STR_FMT(case_column_str(s, 1)));
		ok = step >= 1 && step <= n && repeat_step(x, step, action);
	}
	sqlite3_finalize(s);
	return ok;
}

/* --- the whole ----------------------------------------------------------------------------------------------------------------------- */

static void remove_again(struct rescan *r)
{
	static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
	char name[4300];
	for (size_t i = 0; i < COUNT(endings); i++) {
		snprintf(name, sizeof name, "%s%s", r->path, endings[i]);
		unlink(name);
	}
	rmdir(r->folder);
}

static bool run_again(void *arg, struct case_file *c, const struct verify_original *v, size_t n, struct case_file *ret_again, enum verify_again **ret_steps,
	size_t *ret_n_steps, bool *ret_salted, struct fault *f)
{
	struct rescan *r = arg;
	struct repeat x = {.r = r, .db = c->db, .originals = v, .n_originals = n, .f = f};
	*ret_salted = r->originals->sources.key != NULL;
	if (*ret_salted) r->key = *r->originals->sources.key;
	else salt_key_generate(&r->key);
	snprintf(r->folder, sizeof r->folder, "%s/exhibit-again-XXXXXX", case_temp_dir());
	if (!mkdtemp(r->folder)) {
		fault_set(f, FAULT_IO, "no room for it in %s", case_temp_dir());
		return false;
	}
	snprintf(r->path, sizeof r->path, "%s/again.case", r->folder);
	x.taxonomy = taxonomy_new(f);
	x.auth = x.taxonomy ? auth_new(f) : NULL;
	bool ok = x.auth && repeat_steps(&x, ret_n_steps) && case_open(r->path, case_temp_dir(), ret_again, f);
	*ret_steps = x.steps;
	auth_free(x.auth);
	taxonomy_free(x.taxonomy);
	vec_free(&x.parted);
	explicit_bzero(&r->key, sizeof r->key);
	if (!ok) remove_again(r);
	return ok;
}

static void done_again(void *arg, struct case_file *again)
{
	case_done(again);
	remove_again(arg);
}

void rescan_init(struct rescan *r, struct case_originals *originals, unsigned jobs)
{
	*r = (struct rescan){.hooks = {r, run_again, done_again, STR("exhibit " EXHIBIT_VERSION)}, .originals = originals, .jobs = jobs};
}
