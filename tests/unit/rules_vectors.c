/* Sigma values and conditions as pySigma reads them: 290 vectors made by running it, held against our trees. Where ours differ on
 * purpose, tests/conformance/pysigma-differences.txt says so, with the reason; a line there that is no longer needed fails too. */
#include "unit/rules_show.h"
#include "base/file.h"
#include "text/json_read.h"
#include "text/utf.h"
#include <arpa/inet.h>

struct vector { struct json_tape tape; struct str text; struct arena arena; };

static struct str string_at(struct vector *v, uint32_t at) { return json_decode(&v->arena, v->text, &v->tape.v[at]); }
static uint32_t member(struct vector *v, uint32_t object, const char *key)
{
	const struct json_token *t = json_get(&v->tape, v->text, object, str_of(key));
	return t ? (uint32_t)(t - v->tape.v) : 0;
}
static bool is_true(struct vector *v, uint32_t at) { return at && v->tape.v[at].type == JSON_TRUE; }

static void put_scalar(struct vector *v, uint32_t at, struct buf *b)
{
	int64_t i;
	double d;
	if (json_to_i64(v->text, &v->tape.v[at], &i)) buf_i64(b, i);
	else if (json_to_double(v->text, &v->tape.v[at], &d)) buf_printf(b, "%.15g", d);
	else buf_str(b, json_raw(v->text, &v->tape.v[at]));
}

/* Pieces into pieces of a leaf, so that both sides are shown by the same function. */
static void put_string(struct vector *v, uint32_t value, uint32_t list, bool keyword, struct buf *b)
{
	struct piece pieces[64];
	struct leaf l = {.pieces = pieces, .cased = is_true(v, member(v, value, "cased"))};
	if (keyword) pieces[l.n_pieces++] = (struct piece){PIECE_ANY, {"", 0}};
	for (uint32_t i = list + 1; i < v->tape.v[list].next && l.n_pieces < 60; i = v->tape.v[i].next) {
		uint32_t wild = v->tape.v[i].type == JSON_OBJECT ? member(v, i, "wild") : 0, placeholder = v->tape.v[i].type == JSON_OBJECT ? member(v, i, "placeholder") : 0;
		struct piece p = {PIECE_LITERAL, {"", 0}};
		if (wild) p.kind = str_eq(string_at(v, wild), STR("*")) ? PIECE_ANY : PIECE_ONE;
		else if (placeholder) p.literal = STR("<placeholder>");
		else p.literal = string_at(v, i);
		if (p.kind == PIECE_LITERAL && !l.cased && !placeholder) {
			char *folded = arena_alloc(&v->arena, p.literal.n * 2 + 64);
			p.literal = (struct str){folded, utf8_fold(p.literal, folded)};
		}
		/* Literals in a row are one. */
		if (p.kind == PIECE_LITERAL && l.n_pieces && pieces[l.n_pieces - 1].kind == PIECE_LITERAL) {
			struct str *last = &pieces[l.n_pieces - 1].literal;
			char *joined = arena_alloc(&v->arena, last->n + p.literal.n);
			memcpy(joined, last->p, last->n);
			memcpy(joined + last->n, p.literal.p, p.literal.n);
			*last = (struct str){joined, last->n + p.literal.n};
			continue;
		}
		if (p.kind == PIECE_ANY && l.n_pieces && pieces[l.n_pieces - 1].kind == PIECE_ANY) continue;
		pieces[l.n_pieces++] = p;
	}
	if (keyword && pieces[l.n_pieces - 1].kind != PIECE_ANY) pieces[l.n_pieces++] = (struct piece){PIECE_ANY, {"", 0}};
	buf_byte(b, '=');
	show_pieces(b, &l);
}

static void put_cidr(struct str text, struct buf *b)
{
	char copy[80], *slash;
	unsigned char bytes[16];
	snprintf(copy, sizeof copy, "%.*s", STR_FMT(text));
	slash = strchr(copy, '/');
	if (slash) *slash++ = 0;
	bool v6 = strchr(copy, ':');
	inet_pton(v6 ? AF_INET6 : AF_INET, copy, bytes);
	buf_byte(b, '=');
	buf_hex(b, bytes, v6 ? 16 : 4);
	buf_printf(b, "/%s", slash ? slash : v6 ? "128" : "32");
}

static const char *sign_of(struct str word)
{
	static const char *const words[] = {"GT", ">", "GTE", ">=", "LT", "<", "LTE", "<="};
	for (size_t i = 0; i < COUNT(words); i += 2)
		if (str_eq(word, str_of(words[i]))) return words[i + 1];
	return "?";
}

static void put_value(struct vector *v, struct str field, uint32_t value, bool keyword, struct buf *b);

static void put_one(struct vector *v, uint32_t value, bool keyword, struct buf *b)
{
	uint32_t at;
	if ((at = member(v, value, "string"))) put_string(v, value, at, keyword, b);
	else if ((at = member(v, value, "number"))) {
		/* A numeric keyword is searched as text. */
		if (keyword) buf_lit(b, "=*'"), put_scalar(v, at, b), buf_lit(b, "'*");
		else buf_byte(b, '='), put_scalar(v, at, b);
	} else if ((at = member(v, value, "bool"))) buf_byte(b, '='), put_scalar(v, at, b);
	else if (member(v, value, "null")) buf_lit(b, "=null");
	else if ((at = member(v, value, "regex"))) {
		buf_printf(b, "=/%.*s/", STR_FMT(string_at(v, at)));
		uint32_t flags = member(v, value, "flags");
		static const char *const names[] = {"IGNORECASE", "MULTILINE", "DOTALL"};
		for (size_t k = 0; k < COUNT(names); k++)
			for (uint32_t i = flags + 1; i < v->tape.v[flags].next; i = v->tape.v[i].next)
				if (str_eq(string_at(v, i), str_of(names[k]))) buf_byte(b, "ims"[k]);
	} else if ((at = member(v, value, "cidr"))) put_cidr(string_at(v, at), b);
	else if ((at = member(v, value, "exists"))) buf_lit(b, "=exists "), put_scalar(v, at, b);
	else if ((at = member(v, value, "fieldref"))) {
		bool starts = is_true(v, member(v, value, "starts")), ends = is_true(v, member(v, value, "ends"));
		buf_printf(b, "=ref %s%.*s", starts && ends ? "contains " : starts ? "starts " : ends ? "ends " : "", STR_FMT(string_at(v, at)));
	} else if ((at = member(v, value, "timepart"))) {
		struct str word = string_at(v, at);
		buf_byte(b, '=');
		for (size_t i = 0; i < word.n; i++) buf_byte(b, (char)(word.p[i] | 32));
		uint32_t cmp = member(v, value, "cmp");
		buf_printf(b, "%s", cmp ? sign_of(string_at(v, cmp)) : "=");
		put_scalar(v, cmp ? member(v, value, "value") : member(v, value, "eq"), b);
	} else if ((at = member(v, value, "cmp"))) {
		buf_printf(b, "%s", sign_of(string_at(v, at)));
		put_scalar(v, member(v, value, "value"), b);
	} else buf_lit(b, "=UNKNOWN");
}

static void put_value(struct vector *v, struct str field, uint32_t value, bool keyword, struct buf *b)
{
	uint32_t any = member(v, value, "any");
	if (!any) {
		buf_str(b, field);
		put_one(v, value, keyword, b);
		return;
	}
	for (uint32_t i = any + 1; i < v->tape.v[any].next; i = v->tape.v[i].next) {
		if (i > any + 1) buf_lit(b, " | ");
		put_value(v, field, i, keyword, b);
	}
}

/* How many values stand at this place: `any` in an OR is part of it. */
static uint32_t width(struct vector *v, uint32_t tree)
{
	uint32_t value = member(v, tree, "value"), any;
	if (!value) value = member(v, tree, "keyword");
	if (!value || !(any = member(v, value, "any"))) return 1;
	uint32_t n = 0;
	for (uint32_t i = any + 1; i < v->tape.v[any].next; i = v->tape.v[i].next) n++;
	return n;
}

static void put_tree(struct vector *v, uint32_t tree, struct buf *b);

static void put_list(struct vector *v, uint32_t list, const char *key, const char *sign, bool *first, struct buf *b)
{
	for (uint32_t i = list + 1; i < v->tape.v[list].next; i = v->tape.v[i].next) {
		uint32_t same = member(v, i, key);
		if (same) {
			put_list(v, same, key, sign, first, b);
			continue;
		}
		if (!*first) buf_printf(b, " %s ", sign);
		*first = false;
		bool alone = width(v, i) > 1 && *key == 'a';
		if (alone) buf_byte(b, '(');
		uint32_t value = member(v, i, "value"), keyword = member(v, i, "keyword");
		if (value) put_value(v, string_at(v, member(v, i, "field")), value, false, b);
		else if (keyword) put_value(v, STR(""), keyword, true, b);
		else put_tree(v, i, b);
		if (alone) buf_byte(b, ')');
	}
}

static void put_tree(struct vector *v, uint32_t tree, struct buf *b)
{
	uint32_t list, value = member(v, tree, "value"), keyword = member(v, tree, "keyword");
	bool first = true, many = width(v, tree) > 1;
	if (v->tape.v[tree].type != JSON_OBJECT || v->tape.v[tree].next == tree + 1) {
		buf_lit(b, "nothing");
	} else if (value || keyword) {
		if (many) buf_byte(b, '(');
		put_value(v, value ? string_at(v, member(v, tree, "field")) : STR(""), value ? value : keyword, !value, b);
		if (many) buf_byte(b, ')');
	} else if ((list = member(v, tree, "not"))) {
		uint32_t inner = list + 1, again = member(v, inner, "not");
		if (again) {
			put_tree(v, again + 1, b);
			return;
		}
		buf_byte(b, '!');
		put_tree(v, inner, b);
	} else {
		bool and = (list = member(v, tree, "and")) != 0;
		if (!and) list = member(v, tree, "or");
		bool one = v->tape.v[list + 1].next == v->tape.v[list].next;
		if (one) {
			put_tree(v, list + 1, b);
			return;
		}
		buf_byte(b, '(');
		put_list(v, list, and ? "and" : "or", and ? "&" : "|", &first, b);
		buf_byte(b, ')');
	}
}

/* The rule of a vector; `ret_key` is how the list of differences names it. */
static struct str rule_of(struct vector *v, struct str *ret_key)
{
	uint32_t rule = member(v, 0, "rule"), condition = member(v, 0, "condition");
	struct buf b = {0}, key = {0};
	if (rule) {
		struct str text = string_at(v, rule);
		size_t from = str_find(text, STR("  sel:\n"), 0) + 7, to = str_find(text, STR("  condition:"), 0);
		bool blank = true;
		for (size_t i = from; i < to; i++) {
			bool is_blank = text.p[i] == ' ' || text.p[i] == '\n';
			if (is_blank && !blank) buf_byte(&key, ' ');
			if (!is_blank) buf_byte(&key, text.p[i]);
			blank = is_blank;
		}
		buf_str(&b, text);
	} else {
		uint32_t list = member(v, 0, "identifiers");
		buf_lit(&key, "condition: ");
		buf_str(&key, string_at(v, condition));
		buf_lit(&b, "title: t\nlogsource:\n  category: test\ndetection:\n");
		for (uint32_t i = list + 1; i < v->tape.v[list].next; i = v->tape.v[i].next)
			buf_printf(&b, "  '%.*s':\n  - '%.*s'\n", STR_FMT(string_at(v, i)), STR_FMT(string_at(v, i)));
		buf_lit(&b, "  condition: \"");
		struct str text = string_at(v, condition);
		for (size_t i = 0; i < text.n; i++) buf_printf(&b, text.p[i] == '\n' ? "\\n" : text.p[i] == '\t' ? "\\t" : text.p[i] == '"' ? "\\\"" : "%c", text.p[i]);
		buf_lit(&b, "\"\n");
	}
	struct str key_text = str_trim(buf_view(&key)), result = arena_str(&v->arena, buf_view(&b));
	*ret_key = arena_str(&v->arena, key_text);
	buf_done(&b);
	buf_done(&key);
	return result;
}

/* Our reading, or "refused: ...". Placeholders are given a value, so that the tree is seen. */
static void ours(struct str rule, struct buf *b)
{
	struct rule_set *s = rule_set_new();
	struct fault f = FAULT_INIT;
	const char *path = getenv("PLACEHOLDERS");
	if (path) CHECK(rule_set_placeholders(s, path, &f));
	rule_set_add_text(s, rule, STR("vector.yml"));
	rule_set_finish(s);
	if (rule_set_count(s) == 1) show_node(b, rule_set_at(s, 0)->condition);
	else if (rule_set_refused_count(s)) buf_printf(b, "refused: %.*s", STR_FMT(rule_set_refused(s, 0)->reason));
	rule_set_free(s);
}

struct differences { char *text; size_t n; struct map known; };

static void read_differences(struct differences *d)
{
	char path[4096];
	struct fault f = FAULT_INIT;
	snprintf(path, sizeof path, "%s/tests/conformance/pysigma-differences.txt", getenv("EXHIBIT_SOURCE_ROOT") ? getenv("EXHIBIT_SOURCE_ROOT") : ".");
	NEED(file_slurp(path, 1 << 20, &d->text, &d->n, &f));
	for (struct str rest = {d->text, d->n}; rest.p;) {
		struct str line = str_cut(&rest, '\n'), key = str_cut(&line, '\t');
		if (!key.n || key.p[0] == '#') continue;
		CHECK(line.n > 10); /* a reason */
		map_put(&d->known, key, 0, NULL);
	}
}

static void run(struct vector *v, struct differences *d, unsigned *same, unsigned *listed)
{
	struct buf wanted = {0}, got = {0};
	struct str key, rule = rule_of(v, &key);
	uint32_t error = member(v, 0, "error"), *difference;
	if (error) buf_lit(&wanted, "refused");
	else put_tree(v, member(v, 0, "tree"), &wanted);
	ours(rule, &got);
	bool equal = error ? str_starts(buf_view(&got), STR("refused")) : str_eq(buf_view(&wanted), buf_view(&got));
	difference = map_get(&d->known, key);
	if (difference) ++*difference, ++*listed;
	else *same += equal;
	if (equal == (difference != NULL)) {
		printf("# %.*s\n#   pySigma: %.*s\n#      ours: %.*s\n", STR_FMT(key), STR_FMT(buf_view(&wanted)), STR_FMT(buf_view(&got)));
		check_fail(equal ? "listed as a difference, but it is none" : "differs, and is not listed", __FILE__, __LINE__);
	}
	buf_done(&wanted);
	buf_done(&got);
}

TEST(vectors)
{
	const char *corpora = check_corpora();
	char path[5000], *text, placeholders[] = "/tmp/exhibit-placeholders-XXXXXX";
	size_t n;
	unsigned total = 0, same = 0, listed = 0;
	struct fault f = FAULT_INIT;
	struct vector v = {.arena.budget = 64 << 20};
	struct differences d = {0};
	if (!corpora) SKIP("corpora are not here");
	int fd = mkstemp(placeholders);
	dprintf(fd, "x: <placeholder>\ny: <placeholder>\na: <placeholder>\nb: <placeholder>\nname: <placeholder>\n");
	close(fd);
	setenv("PLACEHOLDERS", placeholders, 1);
	snprintf(path, sizeof path, "%s/conformance/pysigma_value_vectors.jsonl", corpora);
	NEED(file_slurp(path, 64 << 20, &text, &n, &f));
	read_differences(&d);
	for (struct str rest = {text, n}; rest.p;) {
		struct str line = str_cut(&rest, '\n');
		if (!line.n) continue;
		arena_reset(&v.arena);
		v.text = line;
		NEED(json_read_all(&v.tape, line, &f));
		total++;
		run(&v, &d, &same, &listed);
	}
	unlink(placeholders);
	for (uint32_t i = 0; i < d.known.n; i++) {
		if (d.known.entries[i].value) continue;
		printf("# no vector: %s\n", d.known.entries[i].key.p);
		check_fail("listed as a difference, but there is no such vector", __FILE__, __LINE__);
	}
	printf("# %u vectors: %u as pySigma, %u differ on purpose\n", total, same, listed);
	CHECK(total == 290 && same + listed == total);
	map_done(&d.known);
	json_tape_done(&v.tape);
	arena_done(&v.arena);
	free(d.text);
	free(text);
}
TEST_MAIN
