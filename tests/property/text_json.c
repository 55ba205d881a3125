/* text/json_read.h against jansson: over random texts, whole and broken, both take or refuse the same, and read the same values.
 * Known differences, where jansson refuses: bytes that are no UTF-8, half surrogate pairs, NUL in keys, numbers out of range. */
#include "tests/check.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "text/escape.h"
#include "text/json_read.h"
#include "text/json_write.h"
#include "text/utf.h"
#include <dirent.h>
#include <math.h>

/* text_json_jansson.c: the value as one canonical line (free() it), NULL when jansson refuses. Apart, for the names collide. */
char *jansson_canonical(const char *text, size_t n);
bool jansson_is_there(void);

static uint64_t seed = 88172645463325252;
static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % below;
}

static bool out_of_range;

/* Strings as hex, numbers as doubles, members in order; a later member of the same key takes the place of an earlier one. */
static void canonical(struct buf *b, const struct json_tape *t, struct str text, uint32_t i, struct arena *a)
{
	const struct json_token *v = &t->v[i];
	double d = 0;
	struct str s;
	switch ((enum json_type)v->type) {
	case JSON_NUMBER:
		json_to_double(text, v, &d);
		out_of_range = out_of_range || isinf(d);
		buf_printf(b, "%.17g ", d);
		break;
	case JSON_KEY: case JSON_STRING:
		s = json_decode(a, text, v);
		buf_byte(b, '"');
		buf_hex(b, s.p, s.n);
		buf_byte(b, '"');
		break;
	case JSON_TRUE: buf_lit(b, "t "); break;
	case JSON_FALSE: buf_lit(b, "f "); break;
	case JSON_NULL: buf_lit(b, "n "); break;
	case JSON_ARRAY:
		buf_byte(b, '[');
		for (uint32_t k = i + 1; k < v->next; k = t->v[k].next) canonical(b, t, text, k, a);
		buf_byte(b, ']');
		break;
	case JSON_OBJECT:
		buf_byte(b, '{');
		for (struct json_member m = {0}; json_member_next(t, i, &m);) {
			canonical(b, t, text, m.key, a);
			canonical(b, t, text, m.value, a);
		}
		buf_byte(b, '}');
	}
}

static void random_string(struct buf *b)
{
	char text[120];
	size_t n = 0, want = rnd(rnd(4) ? 12 : 100);
	while (n < want) n += utf8_put(rnd(4) ? 0x20 + rnd(0x5f) : rnd(2) ? 1 + rnd(0x7f) : 0x80 + rnd(0x10f000), text + n);
	json_str(b, (struct str){text, n});
}

static void random_json(struct buf *b, unsigned depth)
{
	unsigned kind = rnd(depth ? 9 : 5);
	if (kind < 2) {
		random_string(b);
	} else if (kind == 2) {
		buf_printf(b, "%s%u", rnd(3) ? "" : "-", rnd(100000));
		if (rnd(2)) buf_printf(b, ".%u", rnd(1000));
		if (!rnd(3)) buf_printf(b, "%c%s%u", "eE"[rnd(2)], (const char *[]){"", "+", "-"}[rnd(3)], rnd(30));
	} else if (kind < 5) {
		buf_str(b, str_of((const char *[]){"true", "false", "null"}[rnd(3)]));
	} else {
		bool object = rnd(3);
		buf_byte(b, object ? '{' : '[');
		for (unsigned i = 0, n = rnd(5); i < n; i++) {
			if (i) buf_lit(b, ", ");
			if (object) buf_printf(b, "\"k%u%s\" :\n", i, rnd(4) ? "" : "\\u00e9\\ud83d\\ude00");
			random_json(b, depth - 1);
		}
		buf_byte(b, object ? '}' : ']');
	}
}

/* May jansson refuse what we take? */
static bool excused(struct str s)
{
	if (!utf8_valid(s) || out_of_range) return true;
	static const char *const marks[] = {"\\ud", "\\uD", "\\u0000"};
	for (size_t i = 0; i < COUNT(marks); i++)
		if (str_find(s, str_of(marks[i]), 0) != SIZE_MAX) return true;
	return false;
}

static unsigned both, neither, excuses;

static void compare(struct str s)
{
	struct json_tape t = {0};
	struct arena a;
	struct buf ours = {0};
	arena_init(&a, 64 << 20);
	out_of_range = false;
	bool taken = json_read_all(&t, s, NULL);
	if (taken) canonical(&ours, &t, s, 0, &a);
	buf_byte(&ours, 0);
	char *theirs = str_starts(s, STR("\xef\xbb\xbf")) ? NULL : jansson_canonical(s.p, s.n);
	bool same = taken ? theirs ? !strcmp(ours.p, theirs) : excused(s) || str_starts(s, STR("\xef\xbb\xbf")) : !theirs;
	if (!same) {
		struct buf shown = {0};
		term_str(&shown, s);
		printf("# differ on: %.*s\n#   ours: %s\n# theirs: %s\n", STR_FMT(buf_view(&shown)), taken ? ours.p : t.reason, theirs ? theirs : "(no)");
		buf_done(&shown);
	}
	CHECK(same);
	both += taken && theirs;
	neither += !taken && !theirs;
	excuses += taken && !theirs;
	free(theirs);
	buf_done(&ours);
	json_tape_done(&t);
	arena_done(&a);
}

TEST(random_texts)
{
	if (!jansson_is_there()) SKIP("built without jansson");
	for (int round = 0; round < 20000; round++) {
		struct buf b = {0};
		random_json(&b, 5);
		unsigned k = rnd(2) ? 0 : 1 + rnd(3);
		while (k-- > 0) {
			size_t at = rnd((uint32_t)b.n);
			static const char odd[] = "\"\\{}[],:0e.-+x\n\x01\xff tu/";
			if (rnd(3)) b.p[at] = odd[rnd(sizeof odd - 1)];
			else memmove(b.p + at, b.p + at + 1, --b.n - at);
			if (!b.n) buf_byte(&b, '1');
		}
		compare(buf_view(&b));
		buf_done(&b);
	}
	printf("# both take %u, both refuse %u, excused %u\n", both, neither, excuses);
	CHECK(both > 10000 && neither > 3000 && excuses < 2000);
}

TEST(conformance_set)
{
	if (!jansson_is_there()) SKIP("built without jansson");
	const char *root = getenv("EXHIBIT_SOURCE_ROOT");
	for (int i = 0; i < 2; i++) {
		char folder[4096], path[5000], *text;
		size_t n;
		snprintf(folder, sizeof folder, "%s/tests/conformance/json/%s", root ? root : ".", i ? "reject" : "accept");
		DIR *d = opendir(folder);
		NEED(d);
		for (struct dirent *e; (e = readdir(d));) {
			/* Where they differ: our limit of 64 levels; the later of two equal keys; jansson takes a NUL for the end. */
			static const char *const known[] = {"depth-65.json", "keys-twice.json", "nul-behind.json", "utf16.json"};
			bool skip = e->d_name[0] == '.';
			for (size_t k = 0; k < COUNT(known); k++) skip = skip || !strcmp(e->d_name, known[k]);
			if (skip) continue;
			snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
			NEED(file_slurp(path, 1 << 20, &text, &n, NULL));
			compare((struct str){text, n});
			free(text);
		}
		closedir(d);
	}
}

static void compare_folder(const char *folder, unsigned *files)
{
	DIR *d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[6000], *text;
		size_t n, len = strlen(e->d_name);
		if (e->d_name[0] == '.') continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (e->d_type == DT_DIR) compare_folder(path, files);
		if (e->d_type != DT_REG || len < 5 || strcmp(e->d_name + len - 5, ".json")) continue;
		NEED(file_slurp(path, 4 << 20, &text, &n, NULL));
		struct json_tape t = {0};
		struct json_stream s = {0};
		struct json_span span;
		enum json_status status;
		for (size_t at = 0; (status = json_next(&s, &t, (struct str){text, n}, at, true, &span)) == JSON_OK; at = span.end)
			compare(str_sub((struct str){text, n}, span.start, span.end - span.start));
		CHECK(status == JSON_END);
		json_tape_done(&t);
		free(text);
		++*files;
	}
	if (d) closedir(d);
}

TEST(published_events)
{
	const char *corpora = check_corpora();
	if (!corpora) SKIP("no corpora");
	if (!jansson_is_there()) SKIP("built without jansson");
	char path[5000];
	unsigned files = 0;
	snprintf(path, sizeof path, "%s/sigma/regression_data", corpora);
	compare_folder(path, &files);
	printf("# %u files, %u values\n", files, both);
	CHECK(files >= 200 && both >= 200 && !excuses);
}

TEST_MAIN
