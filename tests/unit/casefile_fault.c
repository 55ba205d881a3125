/* What killed writers and full disks leave of a case: the state before, the state after, or a file that says it is
 * incomplete; and a repetition comes out as if nothing had happened. EXHIBIT_ROUNDS sets how often (default 8 kills a test). */
#include "tests/case_folder.h"
#include "tests/case_maker.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

enum { SOURCES = 3, LINES = 300 };
static char before_path[128], after_path[128];

static int rounds(void)
{
	const char *set = getenv("EXHIBIT_ROUNDS");
	return set ? atoi(set) : 8;
}

static bool do_scan(const char *file, struct fault *f) { return maker_case(file, SOURCES, LINES, f); }

static bool do_add(const char *file, struct fault *f)
{
	struct maker m = {.fault = FAULT_INIT};
	struct case_fetch fetch = {maker_fetch, &m};
	struct case_step_info info = maker_step("add");
	bool fresh, restarted;
	m.w = case_open_for_add(file, &maker_key, &info, &fetch, &restarted, &m.fault);
	bool ok = m.w && maker_run(&m, "{}", &fresh) && maker_fill(&m, restarted ? 1 : 50, SOURCES, LINES);
	if (ok) ok = case_close(m.w, &m.fault);
	else case_abort(m.w);
	maker_done(&m);
	*f = m.fault;
	return ok;
}

static bool do_seal(const char *file, struct fault *f)
{
	struct key_private key;
	uint8_t seed[32] = {1};
	struct buf text = {0};
	struct case_step_info info = maker_step("seal");
	struct case_writer *w = case_open_for_step(file, &info, f);
	bool ok = w && key_from_seed(STR("team.example"), KEY_NOTE, seed, &key, f) && case_step_checkpoint(w, STR("team.example"), &text, f);
	if (ok) {
		size_t n = text.n;
		buf_byte(&text, '\n');
		signed_note_sign((struct str){text.p, n}, &key, 0, &text);
		ok = case_add_seal(w, "checkpoint", 0, 1, STR("vkey"), buf_view(&text), f);
	}
	if (ok) ok = case_close(w, f);
	else case_abort(w);
	buf_done(&text);
	return ok;
}

static void copy(const char *from, const char *to)
{
	char command[300];
	snprintf(command, sizeof command, "cp %s %s", from, to);
	NEED(system(command) == 0);
}

static void remove_case(void)
{
	char name[160];
	for (const char *const *e = (const char *const[]){"", "-wal", "-shm", "-journal", NULL}; *e; e++) {
		snprintf(name, sizeof name, "%s%s", path, *e);
		unlink(name);
	}
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct str next_row(struct str *rest)
{
	struct str row;
	do row = str_cut(rest, '\n');
	while (rest->p && str_find(row, STR("\"table\":\"step\""), 0) != SIZE_MAX);
	return row;
}

/* The same rows but for those of `step`: another command, another time. */
static bool same_but_custody(const struct buf *a, const struct buf *b)
{
	struct str x = buf_view(a), y = buf_view(b);
	while (x.p && y.p)
		if (!str_eq(next_row(&x), next_row(&y))) return false;
	return !x.p && !y.p;
}

/* `before` == NULL: there is no file before the work. */
static void kill_at_random(bool (*work)(const char *, struct fault *), const char *before)
{
	struct fault f = FAULT_INIT;
	struct buf old = {0}, want;
	int was_before = 0, was_after = 0, incomplete = 0, nothing = 0;
	if (before) copy(before, path), old = maker_dump(before, &f);
	double t0 = seconds();
	need_ok(work(path, &f), &f);
	double whole = seconds() - t0;
	want = maker_dump(path, &f);
	for (int round = 0; round < rounds(); round++) {
		remove_case();
		if (before) copy(before, path);
		pid_t child = fork();
		if (child == 0) {
			struct fault inner = FAULT_INIT;
			_exit(work(path, &inner) ? 0 : 1);
		}
		usleep((useconds_t)(whole * 1.1e6 * ((double)((unsigned)round * 2654435761u >> 8) / (1 << 24))));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		struct buf got = maker_dump(path, &f);
		if (got.n && str_eq(buf_view(&got), buf_view(&want))) was_after++;
		else if (got.n) CHECK(str_eq(buf_view(&got), buf_view(&old))), was_before++;
		else if (access(path, F_OK) != 0) CHECK(!before), nothing++;
		else CHECK(!before && f.kind == FAULT_STATE), incomplete++;
		if (got.n != want.n) {
			need_ok(before || access(path, F_OK) != 0 ? work(path, &f) : do_add(path, &f), &f);
			buf_done(&got);
			got = maker_dump(path, &f);
			CHECK(same_but_custody(&got, &want));
		}
		buf_done(&got);
	}
	printf("# killed %d times: before %d, after %d, incomplete %d, no file %d\n", rounds(), was_before, was_after, incomplete, nothing);
	buf_done(&old);
	buf_done(&want);
}

static void begin(void)
{
	struct fault f = FAULT_INIT;
	folder_make();
	snprintf(before_path, sizeof before_path, "%s/before.case", dir);
	snprintf(after_path, sizeof after_path, "%s/after.case", dir);
	need_ok(do_scan(before_path, &f), &f);
}

TEST(a_scan_killed)
{
	begin();
	kill_at_random(do_scan, NULL);
	folder_remove();
}

TEST(an_addition_killed)
{
	begin();
	kill_at_random(do_add, before_path);
	folder_remove();
}

TEST(a_seal_killed)
{
	begin();
	kill_at_random(do_seal, before_path);
	folder_remove();
}

/* No file may grow beyond a limit that rises from run to run: sooner or later each write is the one that fails. */
static void fill_the_disk(bool (*work)(const char *, struct fault *), const char *before)
{
	struct fault f = FAULT_INIT;
	int failed = 0;
	struct buf old = {0}, want;
	struct stat st = {0};
	if (before) copy(before, path), old = maker_dump(before, &f);
	need_ok(work(path, &f), &f);
	want = maker_dump(path, &f);
	NEED(stat(path, &st) == 0);
	signal(SIGXFSZ, SIG_IGN);
	rlim_t top = (rlim_t)st.st_size * 2, step = top / (rlim_t)(rounds() * 3) + 1;
	for (rlim_t limit = 0; limit < top; limit += step) {
		remove_case();
		if (before) copy(before, path);
		pid_t child = fork();
		if (child == 0) {
			struct rlimit r = {limit, RLIM_INFINITY};
			setrlimit(RLIMIT_FSIZE, &r);
			struct fault inner = FAULT_INIT;
			_exit(work(path, &inner) ? 0 : inner.kind && inner.text[0] ? 1 : 2);
		}
		int status;
		waitpid(child, &status, 0);
		NEED(WIFEXITED(status) && WEXITSTATUS(status) != 2);
		failed += WEXITSTATUS(status) == 1;
		struct buf got = maker_dump(path, &f);
		bool is_want = got.n && str_eq(buf_view(&got), buf_view(&want)), is_old = got.n && str_eq(buf_view(&got), buf_view(&old));
		if (WEXITSTATUS(status) == 0) CHECK(is_want);
		else if (before) CHECK(is_want || is_old);
		else CHECK(is_want || (!got.n && f.kind == (access(path, F_OK) == 0 ? FAULT_STATE : FAULT_IO)));
		buf_done(&got);
	}
	printf("# %d of about %d limits were hit\n", failed, rounds() * 3);
	CHECK(failed > 3);
	buf_done(&old);
	buf_done(&want);
}

TEST(a_scan_on_a_full_disk)
{
	begin();
	fill_the_disk(do_scan, NULL);
	folder_remove();
}

TEST(an_addition_on_a_full_disk)
{
	begin();
	fill_the_disk(do_add, before_path);
	folder_remove();
}

TEST_MAIN
