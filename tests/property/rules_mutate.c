/* Rules damaged at random: whatever comes out is well formed or refused with a reason. Bytes flipped, cut, doubled; lines swapped,
 * taken from other rules. --seed N, --rounds N. */
#include "tests/check.h"
#include "fuzz/rules_touch.h"
#include "base/file.h"
#include <dirent.h>

static uint64_t state = 1;
static unsigned rounds = 1500;

static uint64_t draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? state % below : 0;
}

static VEC(struct str) texts;

static void add_folder(const char *folder, unsigned most)
{
	DIR *d = opendir(folder);
	for (struct dirent *e; d && most && (e = readdir(d));) {
		char path[5000], *text;
		size_t n;
		struct fault f = FAULT_INIT;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (e->d_name[0] == '.' || !file_slurp(path, 64 << 10, &text, &n, &f)) continue;
		vec_push(&texts, (struct str){text, n});
		most--;
	}
	if (d) closedir(d);
}

static void put_line(struct buf *b, struct str from)
{
	size_t at = draw(from.n + 1), end;
	while (at && from.p[at - 1] != '\n') at--;
	end = str_find_byte(from, '\n', at);
	buf_str(b, str_sub(from, at, end == SIZE_MAX ? from.n : end + 1 - at));
}

/* One damage at a random place of `from`. */
static void damage(struct buf *b, struct str from)
{
	static const char *const words[] = {"|contains", "|all", "|neq", "|re", "|windash", "|base64offset", "|wide", "|expand", "|cidr", "|fieldref", "|exists", "|gt", "|hour", "|cased", "|", "*", "?", "\\",
		"%x%", "null", "true", "[]", "{}", "- ", ": ", "\n", "\n---\n", " or ", " and ", " not ", "1 of ", "all of ", "(", ")", "&a ", "*a", "!!str ", "'", "\"", "#", "\t", "\xff", "\xe2\x80\x93", "-", "/"};
	size_t at = draw(from.n + 1), n = draw(20);
	buf_str(b, str_sub(from, 0, at));
	switch (draw(6)) {
	case 0: buf_printf(b, "%s", words[draw(COUNT(words))]); n = 0; break;
	case 1: buf_byte(b, (char)draw(256)); n = 1; break;
	case 2: break; /* cut */
	case 3: buf_str(b, str_sub(from, at, n)); buf_str(b, str_sub(from, at, n)); break;
	case 4: put_line(b, texts.v[draw(texts.n)]); n = 0; break;
	case 5: put_line(b, from); break;
	}
	buf_str(b, str_sub(from, at + n, SIZE_MAX));
}

TEST(damaged_rules)
{
	char folder[5000];
	struct buf a = {0}, b = {0};
	unsigned loaded = 0, refused = 0;
	const char *root = getenv("EXHIBIT_SOURCE_ROOT"), *corpora = check_corpora();
	snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/rules_document", root ? root : ".");
	add_folder(folder, 100);
	NEED(texts.n);
	if (corpora) {
		snprintf(folder, sizeof folder, "%s/sigma/rules/windows/process_creation", corpora);
		add_folder(folder, 100);
	}
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t seed = state;
		a.n = 0;
		buf_str(&a, texts.v[draw(texts.n)]);
		for (unsigned k = 1 + (unsigned)draw(3); k--;) {
			b.n = 0;
			damage(&b, buf_view(&a));
			struct buf swap = a;
			a = b;
			b = swap;
		}
		struct rule_set *s = rule_set_new();
		rule_set_add_text(s, buf_view(&a), STR("damaged.yml"));
		rule_set_finish(s);
		touch_set(s);
		loaded += rule_set_count(s) > 0;
		refused += rule_set_refused_count(s) > 0;
		if (!rule_set_count(s) && !rule_set_refused_count(s) && str_find(buf_view(&a), STR("filter"), 0) == SIZE_MAX && str_find(buf_view(&a), STR("action"), 0) == SIZE_MAX)
			printf("# neither loaded nor refused, state %llu\n", (unsigned long long)seed);
		rule_set_free(s);
	}
	printf("# %u rounds: %u with rules, %u with refusals\n", rounds, loaded, refused);
	CHECK(loaded > rounds / 20 && refused > rounds / 5);
	for (size_t i = 0; i < texts.n; i++) free((char *)texts.v[i].p);
	vec_free(&texts);
	buf_done(&a);
	buf_done(&b);
}

int main(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--seed")) state = strtoull(argv[i + 1], NULL, 10) * 2 + 1;
		if (!strcmp(argv[i], "--rounds")) rounds = (unsigned)strtoul(argv[i + 1], NULL, 10);
	}
	return check_run_all();
}
