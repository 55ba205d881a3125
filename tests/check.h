/* check.h: the whole test framework. A test program is one file with TEST(name) { ... } blocks and TEST_MAIN at the end.
 *
 * CHECK(x) notes a failure and goes on; NEED(x) ends this test. SKIP("why") ends it as skipped (counted, never hidden).
 * Each test runs in a child process, so that a crash is one failure. Output is TAP, which meson reads. */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct check_test {
	const char *name;
	void (*run)(void);
	struct check_test *next;
};
static struct check_test *check_first, **check_last = &check_first;
static int check_failures;

enum { CHECK_EXIT_FAILED = 1, CHECK_EXIT_SKIPPED = 77 };

#define TEST(id) \
	static void test_##id(void); \
	static struct check_test check_##id = {#id, test_##id, NULL}; \
	__attribute__((constructor)) static void check_add_##id(void) { *check_last = &check_##id; check_last = &check_##id.next; } \
	static void test_##id(void)

#define CHECK(condition) ((condition) ? (void)0 : check_fail(#condition, __FILE__, __LINE__))
#define NEED(condition) ((condition) ? (void)0 : (check_fail(#condition, __FILE__, __LINE__), exit(CHECK_EXIT_FAILED)))
#define SKIP(why) (printf("# skipped: %s\n", why), fflush(stdout), exit(CHECK_EXIT_SKIPPED))
/* Compares two byte strings and shows both when they differ. */
#define CHECK_STR(got, wanted) check_str((got), (wanted), __FILE__, __LINE__)

static inline void check_fail(const char *what, const char *file, int line)
{
	check_failures++;
	printf("# %s:%d: failed: %s\n", file, line, what);
	fflush(stdout);
}

static inline void check_str(const char *got, const char *wanted, const char *file, int line)
{
	if (got && wanted && !strcmp(got, wanted)) return;
	check_fail("strings differ", file, line);
	printf("#    got: %s\n# wanted: %s\n", got ? got : "(null)", wanted ? wanted : "(null)");
	fflush(stdout);
}

/* Folder of logs and rules that others published; NULL when it is not there (tests then SKIP). */
static inline const char *check_corpora(void)
{
	static char path[4096];
	const char *set = getenv("EXHIBIT_CORPORA"), *root = getenv("EXHIBIT_SOURCE_ROOT");
	if (set) snprintf(path, sizeof path, "%s", set);
	else snprintf(path, sizeof path, "%s/../shared/corpora", root ? root : ".");
	return access(path, R_OK) == 0 ? path : NULL;
}

static inline int check_run_all(void)
{
	int n = 0, failed = 0;
	for (struct check_test *t = check_first; t; t = t->next) n++;
	printf("1..%d\n", n);
	n = 0;
	for (struct check_test *t = check_first; t; t = t->next) {
		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			t->run();
			fflush(stdout);
			/* exit, not _exit: the leak checker reports at exit. */
			exit(check_failures ? CHECK_EXIT_FAILED : 0);
		}
		int status = -1;
		waitpid(child, &status, 0);
		int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		if (WIFSIGNALED(status)) printf("# killed by signal %d\n", WTERMSIG(status));
		if (code == CHECK_EXIT_SKIPPED) printf("ok %d - %s # SKIP\n", ++n, t->name);
		else printf("%s %d - %s\n", code == 0 ? "ok" : "not ok", ++n, t->name);
		failed += code != 0 && code != CHECK_EXIT_SKIPPED;
	}
	return failed != 0;
}
#define TEST_MAIN int main(void) { return check_run_all(); }
