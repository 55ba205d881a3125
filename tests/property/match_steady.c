/* The engine in steady state and under hostile values: no allocation per event once it has seen its kinds of events, and a time per byte that
 * neither text nor rule makes long. The rules are SigmaHQ's where they are there, else Exhibit's own.
 *
 * Times are the process's own CPU seconds, and bounds are loose: what they are for is the difference between linear and not. */
#include "match/match.h"
#include "tests/check.h"
#include "text/utf.h"
#include <stdatomic.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__) || defined(EXHIBIT_ASAN) || defined(__SANITIZE_THREAD__)
#define COUNTED 0
#else
#define COUNTED 1
/* glibc's own, under the names that everything calls. */
extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t size), *__libc_realloc(void *p, size_t n);
static _Atomic uint64_t allocations;
void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t n);
void *malloc(size_t n) { allocations++; return __libc_malloc(n); }
void *calloc(size_t n, size_t size) { allocations++; return __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { allocations++; return __libc_realloc(p, n); }
#endif

enum { FIELDS = 8 };
static const char *const names[FIELDS] = {"Image", "CommandLine", "ParentImage", "OriginalFileName", "User", "Description", "Hashes", "CurrentDirectory"};

struct bench {
	struct rule_set *rules;
	struct plan *plan;
	struct matcher *m;
	struct column columns[FIELDS];
	struct logsource_binding binding;
	struct shape shape;
	struct value given[FIELDS], cells[FIELDS];
	struct record_ref record;
	struct arena arena;
	struct event ev;
};

static void decode(struct event *ev, uint32_t column, struct value *ret) { *ret = ((const struct bench *)ev->impl)->given[column]; }
static const struct event_ops ops = {.decode = decode};

/* `text`: the rules; NULL: all there are. */
static void bench_open_as(struct bench *b, const char *text, bool forgetful)
{
	char path[8192];
	const char *corpora = check_corpora(), *root = getenv("EXHIBIT_SOURCE_ROOT");
	*b = (struct bench){.rules = rule_set_new()};
	if (text) rule_set_add_text(b->rules, str_of(text), STR("text"));
	else if (corpora) snprintf(path, sizeof path, "%s/sigma/rules", corpora);
	else snprintf(path, sizeof path, "%s/rules", root ? root : ".");
	if (!text) NEED(rule_set_add_path(b->rules, path, NULL));
	rule_set_finish(b->rules);
	b->plan = plan_new(b->rules, &(struct plan_options){.forgetful = forgetful}, NULL);
	b->m = matcher_new(b->plan);
	for (int i = 0; i < FIELDS; i++) b->columns[i] = (struct column){.name = str_of(names[i]), .next = -1};
	b->binding.ls = (struct logsource){STR("windows"), STR("process_creation"), {"", 0}};
	b->shape = (struct shape){.columns = b->columns, .n_columns = FIELDS, .bindings = &b->binding, .n_bindings = 1, .format = STR("test"), .event_id = 1, .host_column = -1};
	arena_init(&b->arena, 1u << 30);
	b->ev = (struct event){.shape = &b->shape, .cells = b->cells, .arena = &b->arena, .ops = &ops, .impl = b, .records = &b->record, .n_records = 1};
}

static void bench_open(struct bench *b, const char *text) { bench_open_as(b, text, false); }

static void bench_close(struct bench *b)
{
	matcher_free(b->m);
	plan_free(b->plan);
	rule_set_free(b->rules);
	arena_done(&b->arena);
}

static uint32_t run(struct bench *b)
{
	const struct hit *hits;
	for (int i = 0; i < FIELDS; i++) b->cells[i].kind = VALUE_UNREAD;
	arena_reset(&b->arena);
	return matcher_run(b->m, &b->ev, &hits);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

TEST(no_allocation_per_event)
{
#if COUNTED
	struct bench b;
	static char lines[300][400];
	bench_open(&b, NULL);
	for (int i = 0; i < 300; i++)
		snprintf(lines[i], sizeof lines[i], "\"C:\\Program Files\\Contoso\\agent.exe\" --poll --id=%x %s caf\xc3\xa9 %d", i * 7919, i % 50 ? "" : "powershell -nop -w hidden -enc SQBFAFgA", i);
	uint64_t hits = 0, before = 0;
	for (int round = 0; round < 8; round++) {
		if (round == 4) before = allocations;
		for (int i = 0; i < 300; i++) {
			for (int k = 0; k < FIELDS; k++) b.given[k] = value_str(str_of(k == 1 ? lines[i] : k % 2 ? "NT AUTHORITY\\SYSTEM" : "C:\\Windows\\System32\\svchost.exe"));
			hits += run(&b);
		}
	}
	printf("# %llu allocations in 1,200 events, %llu hits\n", (unsigned long long)(allocations - before), (unsigned long long)hits);
	CHECK(allocations == before);
	CHECK(hits > 0);
	bench_close(&b);
#else
	SKIP("allocations are the sanitizer's here");
#endif
}

/* Texts that look much like what rules look for, or are made to be walked over again and again. */
enum { KINDS = 10 };
static void fill(char *p, size_t n, int kind)
{
	static const char *const units[KINDS + 1] = {"a", "C:\\Windows\\System32\\", "powershell -enc ", "\xc3\x89\xc5\xbf", "mimikat", "    -e  ^", "rundll32.exe javascript:", "(((((((", "1.2.3.4 ", "", "a"};
	size_t unit = strlen(units[kind]), at = 0;
	uint64_t x = 88172645463325252;
	for (; unit && at + unit <= n; at += unit) memcpy(p + at, units[kind], unit);
	for (; at < n; at++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		p[at] = unit ? 'x' : (char)(' ' + x % 95);
	}
	/* Many of one letter, and at the end what regexes wait for. */
	if (kind == KINDS) memcpy(p + n - 3, "c!b", 3);
}

static double per_byte(struct bench *b, size_t n, int kind, int field)
{
	char *text = malloc(n);
	fill(text, n, kind);
	for (int k = 0; k < FIELDS; k++) b->given[k] = value_str(k == field || field < 0 ? (struct str){text, n} : STR("C:\\Windows\\System32\\svchost.exe"));
	(void)run(b); /* programs and regexes are made */
	double from = seconds();
	int runs = n > 1 << 20 ? 1 : 20;
	for (int i = 0; i < runs; i++) (void)run(b);
	double took = (seconds() - from) / runs;
	free(text);
	return took / (double)n * 1e9;
}

/* Nanoseconds a byte of one value; a harmless one takes about ten. */
TEST(hostile_values_cost_no_more_than_their_length)
{
	enum { BOUND = 400 };
	static const size_t sizes[] = {64 << 10, 1 << 20};
	struct bench b;
	bench_open(&b, NULL);
	for (size_t s = 0; s < COUNT(sizes); s++)
		for (int kind = 0; kind < KINDS; kind++) {
			double one = per_byte(&b, sizes[s], kind, 1), all = s == 0 ? per_byte(&b, sizes[s], kind, -1) : 0;
			printf("# %zu KiB of kind %d: %.0f ns a byte in CommandLine%s", sizes[s] >> 10, kind, one, s == 0 ? "" : "\n");
			if (s == 0) printf(", %.0f in every field\n", all / FIELDS);
			CHECK(one < BOUND && all / FIELDS < BOUND);
		}
	bench_close(&b);
}

TEST(a_value_of_sixteen_mebibytes)
{
	struct bench b;
	bench_open(&b, NULL);
	double took = per_byte(&b, 16 << 20, 2, 1);
	printf("# 16 MiB: %.0f ns a byte\n", took);
	CHECK(took < 400);
	bench_close(&b);
}

/* CPU seconds for events of which no text ever comes again. */
static double never_again(struct bench *b, unsigned events, uint64_t *x)
{
	static char texts[FIELDS][120];
	double from = seconds();
	for (unsigned i = 0; i < events; i++) {
		for (int k = 0; k < FIELDS; k++) {
			size_t n = 20 + (*x >> 40) % 90;
			for (size_t at = 0; at < n; at++) {
				*x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
				texts[k][at] = (char)(at % 8 ? 'a' + *x % 26 : '\\');
			}
			b->given[k] = value_str((struct str){texts[k], n});
		}
		(void)run(b);
	}
	return seconds() - from;
}

/* What is remembered costs little where it is of no use. */
TEST(texts_that_never_come_again_are_not_slower)
{
	enum { ROUNDS = 9, EVENTS = 3000 };
	struct bench b[2];
	uint64_t x = 88172645463325252;
	double ratios[ROUNDS];
	for (int i = 0; i < 2; i++) bench_open_as(&b[i], NULL, i == 1);
	for (int i = 0; i < 2; i++) (void)never_again(&b[i], EVENTS, &x);
	for (int r = 0; r < ROUNDS; r++) {
		double with = never_again(&b[0], EVENTS, &x), without = never_again(&b[1], EVENTS, &x);
		ratios[r] = with / without;
		for (int at = r; at > 0 && ratios[at - 1] > ratios[at]; at--) {
			double swap = ratios[at];
			ratios[at] = ratios[at - 1];
			ratios[at - 1] = swap;
		}
	}
	printf("# remembering takes %.3f of the time without\n", ratios[ROUNDS / 2]);
	CHECK(ratios[ROUNDS / 2] < 1.15);
	for (int i = 0; i < 2; i++) bench_close(&b[i]);
}

/* Regexes that make engines which go back over a text take forever: either an automaton answers, or the limit does, and that is counted. */
TEST(regexes_that_never_end_elsewhere)
{
	static const struct { const char *pattern; bool limited; } cases[] = {
		{"(a+)+$b", false}, {"^(a|aa)+$!", false}, {"(.*a){12}b", false}, {"(a?){40}a{40}!", false}, {"^(a+)+\\1!$", true}, {"(?=(a+)+!)(a|aa)+!", true}, {"(a|a)*(?<!a)!", true}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[600];
		struct bench b;
		snprintf(text, sizeof text, "title: t\nid: 6f3e2987-db24-4c78-a860-b4f4095a7095\nlogsource: {product: windows, category: process_creation}\n"
			"detection:\n  s:\n    CommandLine|re: '%s'\n  condition: s\n", cases[i].pattern);
		bench_open(&b, text);
		NEED(rule_set_count(b.rules) == 1);
		struct rule_coverage got = {0};
		double took = per_byte(&b, 64 << 10, KINDS, 1) * (64 << 10) / 1e9;
		matcher_coverage(b.m, &got);
		printf("# %s: %.4f s for 64 KiB, undecided %llu of %llu\n", cases[i].pattern, took, (unsigned long long)got.undecided, (unsigned long long)got.events);
		CHECK(took < 2);
		CHECK(!got.hits && (cases[i].limited || !got.undecided));
		bench_close(&b);
	}
}

TEST_MAIN
