/* The engine gives what the naive reading of Sigma gives, on the rules and logs that others published: every rule of SigmaHQ against every
 * event of the corpora, as routed by log source, and every rule whatever its log source on every n-th event.
 * match_corpus [--stride N | --all]: 1 in N events meets every rule (7 without arguments; --all: each). With every literal engine.
 * Of our own samples, which are many alike, 1 event in 20 is looked at without --all.
 *   build/tests/test_match_corpus --all */
#include "base/base.h"
#include "match/match.h"
#include "read/archive.h"
#include "tests/check.h"
#include "tests/oracle/naive.h"
#include "tests/oracle/read_all.h"
#include "tests/oracle/sift_promise.h"
#include <dirent.h>
#include <sys/stat.h>

enum { ENGINES = 4, SHOWN = 20 };
static unsigned stride = 7;

struct world {
	struct naive_set *naive;
	struct rule_set *rules;
	uint32_t *naive_of;                  /* rule's index -> naive's */
	struct plan *plans[2][ENGINES];      /* routed, any */
	struct matcher *m[2][ENGINES];
	struct taxonomy *taxonomy;
	struct shape_table *shapes;
	struct rule_coverage *wanted;        /* routed */
	uint64_t seen, thin;                 /* 1 in `thin` events is looked at */
	struct map undecoded_seen;
	uint64_t undecoded_events;
	uint64_t sources, unread, sifted, events, pairs[2], hits[2], covered, undecided;
};

static char *slurp(const char *path, size_t *n)
{
	char *text;
	return file_slurp(path, 1 << 26, &text, n, NULL) ? text : NULL;
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

static void load(struct world *w, const char *path)
{
	struct rules_files files;
	NEED(rules_files_list(path, &files, NULL));
	for (size_t i = 0; i < files.n; i++) {
		size_t n;
		char *text = slurp(files.v[i].path, &n);
		NEED(text);
		naive_set_add(w->naive, (struct str){text, n});
		rule_set_add_text(w->rules, (struct str){text, n}, str_of(files.v[i].path));
		free(text);
	}
	rules_files_free(&files);
}

static void join_rules(struct world *w)
{
	struct map ids = {0};
	uint32_t n = rule_set_count(w->rules);
	for (uint32_t i = 0; i < naive_count(w->naive); i++) {
		bool fresh;
		map_put(&ids, naive_id(w->naive, i), i, &fresh);
		CHECK(fresh);
	}
	w->naive_of = xcalloc(n, sizeof *w->naive_of);
	/* The same rules are taken, and the same refused. */
	printf("# %u rules, %u refused; the naive reading: %u, %u refused\n", n, rule_set_refused_count(w->rules), naive_count(w->naive), naive_refused(w->naive));
	CHECK(n == naive_count(w->naive) && rule_set_refused_count(w->rules) == naive_refused(w->naive));
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t *at = map_get(&ids, rule_set_at(w->rules, i)->info.id);
		if (!at) printf("# the naive reading refused %.*s\n", STR_FMT(rule_set_at(w->rules, i)->info.file));
		NEED(at);
		w->naive_of[i] = *at;
	}
	map_done(&ids);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void differ(struct world *w, const struct rule *r, struct event *ev, const char *path, enum naive_verdict v, int engine, bool any)
{
	struct buf b = {0};
	(void)w;
	if (check_failures++ >= SHOWN) return;
	event_fields_json(ev, &b);
	printf("# %s, record at %llu, engine %d%s: the naive reading says %d of %.*s (%.*s)\n#   %.*s\n", path, (unsigned long long)ev->records[0].offset, engine,
		any ? ", any log source" : "", v, STR_FMT(r->info.file), STR_FMT(r->info.title), (int)(b.n < 1500 ? b.n : 1500), b.p);
	fflush(stdout);
	buf_done(&b);
}

static void compare(struct world *w, struct event *ev, const struct naive_event *e, const char *path, bool any)
{
	uint32_t n = rule_set_count(w->rules);
	const struct hit *hits[ENGINES];
	uint32_t n_hits[ENGINES], at[ENGINES] = {0};
	for (int i = 0; i < ENGINES; i++) n_hits[i] = matcher_run(w->m[any][i], ev, &hits[i]);
	for (uint32_t r = 0; r < n; r++) {
		bool covered;
		enum naive_verdict v = naive_match(w->naive, w->naive_of[r], e, any, &covered);
		w->hits[any] += v == NAIVE_YES;
		w->undecided += v == NAIVE_UNDECIDED;
		if (!any) {
			w->wanted[r].events += covered;
			w->wanted[r].hits += v == NAIVE_YES;
			w->covered += covered;
		}
		for (int i = 0; i < ENGINES; i++) {
			bool hit = at[i] < n_hits[i] && hits[i][at[i]].rule->index == r;
			if (hit != (v == NAIVE_YES)) differ(w, rule_set_at(w->rules, r), ev, path, v, i, any);
			at[i] += hit;
		}
	}
	w->pairs[any] += n;
	for (int i = 0; i < ENGINES; i++) CHECK(at[i] == n_hits[i]);
}

static void one_event(struct world *w, struct event *ev, const char *path)
{
	if (w->seen++ % w->thin) return;
	struct naive_event *e = naive_event_new(w->naive, ev);
	compare(w, ev, e, path, false);
	if (w->events++ % stride == 0) compare(w, ev, e, path, true);
	naive_event_free(e);
	enum sift kind;
	struct str lacks = sift_lacks(ev, SIZE_MAX, &kind);
	if (lacks.p) printf("# %s, record at %llu: its sift text lacks something of %.*s\n", path, (unsigned long long)ev->records[0].offset, STR_FMT(lacks));
	CHECK(!lacks.p);
	w->sifted += kind != SIFT_NONE;
	bool undecoded;
	lacks = undecoded_lacks(ev, &w->undecoded_seen, &undecoded);
	if (lacks.p) printf("# %s, record at %llu: its undecoded bytes do not tell %.*s\n", path, (unsigned long long)ev->records[0].offset, STR_FMT(lacks));
	CHECK(!lacks.p);
	w->undecoded_events += undecoded;
	CHECK(fields_agree(ev));
}

struct one_source { struct world *w; const char *path; };

static bool each_event(void *arg, struct event *ev)
{
	struct one_source *s = arg;
	one_event(s->w, ev, s->path);
	return check_failures < SHOWN;
}

static void one_source(struct world *w, struct input *in, const char *path)
{
	if (read_all(in, w->shapes, each_event, &(struct one_source){w, path})) w->sources++;
	else w->unread++;
}

static void one_file(struct world *w, const char *path)
{
	struct input in;
	struct fault f = FAULT_INIT;
	char head[512];
	NEED(input_open(&in, path, str_of(path), &f));
	int64_t n = input_pread(&in, head, sizeof head, 0, NULL);
	if (n > 0 && archive_kind((struct str){head, (size_t)n})) {
		struct archive_walk *walk = archive_walk_new(&in, &(struct archive_limits){.temp_dir = "/tmp"}, &f);
		struct archive_member member;
		struct archive_unread unread;
		NEED(walk);
		for (enum archive_got got; (got = archive_walk_next(walk, &member, &unread)) != ARCHIVE_GOT_END;) {
			if (got != ARCHIVE_GOT_MEMBER) continue;
			one_source(w, &member.input, member.name);
			archive_member_done(&member);
		}
		archive_walk_free(walk);
	} else {
		input_unhashed(&in);
		one_source(w, &in, path);
	}
	input_close(&in);
}

static void walk_folder(struct world *w, const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);
	struct stat st;
	for (int i = 0; i < n; i++) {
		char child[8192];
		snprintf(child, sizeof child, "%s/%s", path, names[i]->d_name);
		bool wanted = names[i]->d_name[0] != '.' && stat(child, &st) == 0 && check_failures < SHOWN;
		if (wanted && S_ISDIR(st.st_mode)) walk_folder(w, child);
		else if (wanted) one_file(w, child);
		free(names[i]);
	}
	if (n >= 0) free(names);
}

/* --- the test ----------------------------------------------------------------------------------------------------- */

static void open_world(struct world *w, const char *corpora)
{
	static const char *const trees[] = {"rules", "rules-emerging-threats", "rules-threat-hunting", "rules-compliance", "rules-placeholder"};
	char path[8192];
	const char *root = getenv("EXHIBIT_SOURCE_ROOT");
	snprintf(path, sizeof path, "%s/src/event/data", root ? root : ".");
	NEED(w->naive = naive_set_new(path));
	w->rules = rule_set_new();
	for (size_t i = 0; i < COUNT(trees); i++) {
		snprintf(path, sizeof path, "%s/sigma/%s", corpora, trees[i]);
		load(w, path);
	}
	rule_set_finish(w->rules);
	naive_set_finish(w->naive);
	join_rules(w);
	w->taxonomy = taxonomy_new(NULL);
	w->shapes = shape_table_new(w->taxonomy, 1u << 30);
	w->wanted = xcalloc(rule_set_count(w->rules), sizeof *w->wanted);
	for (int any = 0; any < 2; any++)
		for (int i = 0; i < ENGINES; i++) {
			w->plans[any][i] = plan_new(w->rules, &(struct plan_options){.any_logsource = any, .engine = i}, NULL);
			w->m[any][i] = matcher_new(w->plans[any][i]);
		}
}

static void check_coverage(struct world *w, int engine)
{
	uint32_t n = rule_set_count(w->rules);
	struct rule_coverage *got = xcalloc(n, sizeof *got);
	matcher_coverage(w->m[0][engine], got);
	for (uint32_t i = 0; i < n && check_failures < SHOWN; i++) {
		if (got[i].events == w->wanted[i].events && got[i].hits == w->wanted[i].hits) continue;
		printf("# %.*s: %llu events, %llu hits; the naive reading: %llu, %llu\n", STR_FMT(rule_set_at(w->rules, i)->info.file), (unsigned long long)got[i].events,
			(unsigned long long)got[i].hits, (unsigned long long)w->wanted[i].events, (unsigned long long)w->wanted[i].hits);
		check_failures++;
	}
	free(got);
}

static void close_world(struct world *w)
{
	for (int any = 0; any < 2; any++)
		for (int i = 0; i < ENGINES; i++) {
			matcher_free(w->m[any][i]);
			plan_free(w->plans[any][i]);
		}
	map_done(&w->undecoded_seen);
	shape_table_free(w->shapes);
	taxonomy_free(w->taxonomy);
	rule_set_free(w->rules);
	naive_set_free(w->naive);
	free(w->naive_of);
	free(w->wanted);
}

TEST(every_rule_on_every_event)
{
	static const char *const folders[] = {"evtx", "exchange", "logs", "sigma/regression_data"};
	const char *corpora = check_corpora();
	struct world w = {.thin = 1};
	char path[8192];
	if (!corpora) SKIP("the corpora are not there");
	open_world(&w, corpora);
	for (size_t i = 0; i < COUNT(folders); i++) {
		snprintf(path, sizeof path, "%s/%s", corpora, folders[i]);
		uint64_t before = w.events;
		walk_folder(&w, path);
		printf("# %s: %llu events\n", folders[i], (unsigned long long)(w.events - before));
	}
	/* And our own: other families of logs, an intrusion. */
	static const char *const own[] = {"tests/conformance/logsources", "samples"};
	for (size_t i = 0; i < COUNT(own); i++) {
		const char *root = getenv("EXHIBIT_SOURCE_ROOT");
		snprintf(path, sizeof path, "%s/%s", root ? root : ".", own[i]);
		uint64_t before = w.events;
		w.thin = stride > 1 && i == 1 ? 20 : 1;
		walk_folder(&w, path);
		printf("# %s: %llu events\n", own[i], (unsigned long long)(w.events - before));
	}
	for (int i = 0; i < ENGINES && check_failures < SHOWN; i++) check_coverage(&w, i);
	printf("# %llu sources (%llu others are no logs), %llu events\n", (unsigned long long)w.sources, (unsigned long long)w.unread, (unsigned long long)w.events);
	printf("# routed: %llu pairs of rule and event, of which %llu are of the rule's log source; %llu matches\n", (unsigned long long)w.pairs[0],
		(unsigned long long)w.covered, (unsigned long long)w.hits[0]);
	printf("# any log source: %llu pairs (1 event in %u); %llu matches; %llu undecided in all\n", (unsigned long long)w.pairs[1], stride, (unsigned long long)w.hits[1],
		(unsigned long long)w.undecided);
	/* Nothing would be proven where nothing matches. */
	printf("# %llu events with a sift text, %llu with undecoded bytes\n", (unsigned long long)w.sifted, (unsigned long long)w.undecoded_events);
	CHECK(w.sifted > 5000 && w.undecoded_events > 5000);
	CHECK(w.events > 9000 && w.hits[0] > 1000 && (w.hits[1] > 100 || stride > 100));
	close_world(&w);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--all")) stride = 1;
		if (!strcmp(argv[i], "--stride") && i + 1 < argc) stride = (unsigned)strtoul(argv[++i], NULL, 10);
	}
	return check_run_all();
}
