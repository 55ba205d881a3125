/* naive_rule.c: Sigma text to trees of tests, as the specification has it. See naive.h. */
#include "tests/oracle/naive_internal.h"
#include <math.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <wctype.h>
#include <locale.h>
#include <stdio.h>

/* --- texts -------------------------------------------------------------------------------------------------------- */

static void put(struct points *p, int32_t c) { vec_push(p, c); }

struct points points_of(struct str s)
{
	struct points p = {0};
	const char *end = s.n ? s.p + s.n : s.p;
	for (const char *at = s.p; at < end;) {
		const char *from = at;
		uint32_t c = utf8_step(&at, end);
		if (c != UTF8_BAD) put(&p, (int32_t)c);
		else for (; from < at; from++) put(&p, BAD_BYTE + (unsigned char)*from);
	}
	return p;
}

void points_fold(struct points *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i] < BAD_BYTE) p->v[i] = (int32_t)utf_fold_cp((uint32_t)p->v[i]);
}

/* What vec_push grew is remembered, to be freed with the set. */
static struct points keep(struct naive_set *s, struct points p)
{
	vec_push(&s->kept, p.v);
	return p;
}

static struct tree *tree_new(struct naive_set *s, enum tree_kind kind)
{
	struct tree *t = xcalloc(1, sizeof *t);
	t->kind = kind;
	vec_push(&s->trees, t);
	return t;
}

static struct tree *fail(struct naive_set *s)
{
	s->failed = true;
	return tree_new(s, TREE_OR);
}

int32_t naive_field(struct naive_set *s, struct str name)
{
	for (size_t i = 0; i < s->fields.n; i++)
		if (str_eq(s->fields.v[i], name)) return (int32_t)i;
	vec_push(&s->fields, name);
	return (int32_t)s->fields.n - 1;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

enum kind { TEXT, NUMBER, BOOL, NUL, REGEX, NET, COMPARE, EXISTS, REF, PART };
struct val {
	enum kind kind;
	struct points u;        /* TEXT */
	bool bytes;             /* u holds bytes, not characters */
	struct str text;        /* as written; the pattern of REGEX */
	bool truth, i, m, s;
	long double number;
	bool compared;
	enum test_op op;
	enum ref_op ref;
	int part;
};
struct vals { struct val *v; size_t n, cap; };

static bool digits(const char *p) { return *p && strspn(p, "0123456789") == strlen(p); }

/* Whole numbers without leading zeros, 0x, and numbers with a point: everything else is text (VAL-2). */
static bool rule_number(const char *p, bool quoted_too, long double *ret)
{
	const char *d = p + (*p == '+' || *p == '-');
	char *end;
	(void)quoted_too;
	if (digits(d) && (d[0] != '0' || !d[1])) {
		*ret = strtold(p, NULL);
		return *ret >= -9223372036854775808.0L && *ret <= 9223372036854775807.0L;
	}
	if (*d == '0' && (d[1] == 'x' || d[1] == 'X') && d[2] && strspn(d + 2, "0123456789abcdefABCDEF") == strlen(d + 2) && *p != '-') {
		*ret = (long double)strtoull(d + 2, NULL, 16);
		return strlen(d + 2) <= 16 && *ret <= 9223372036854775807.0L;
	}
	if (!strchr(d, '.') || strspn(d, "0123456789.eE+-") != strlen(d)) return false;
	*ret = strtod(p, &end);
	return !*end && end != p && isfinite((double)*ret);
}

/* Escapes and wildcards (STR-2, STR-3); with `expand`, %name%. */
static struct points pattern_of(struct naive_set *s, struct str text, bool expand)
{
	struct points in = points_of(text), out = {0};
	for (size_t i = 0; i < in.n; i++) {
		int32_t c = in.v[i], next = i + 1 < in.n ? in.v[i + 1] : 0;
		if (c == '\\' && (next == '*' || next == '?' || next == '\\' || (next == '%' && expand))) put(&out, next), i++;
		else if (c == '*') put(&out, ANY);
		else if (c == '?') put(&out, ONE);
		else if (c == '%' && expand) {
			size_t end = i + 1;
			while (end < in.n && in.v[end] != '%') end++;
			if (end >= in.n || end == i + 1) {
				put(&out, c);
				continue;
			}
			/* The same bytes in the text: count the characters. */
			const char *a = text.p;
			for (size_t k = 0; k <= i; k++) utf8_step(&a, text.p + text.n);
			const char *b = a;
			for (size_t k = i + 1; k < end; k++) utf8_step(&b, text.p + text.n);
			vec_push(&s->places, (struct str){a, (size_t)(b - a)});
			put(&out, PLACE + (int32_t)s->places.n - 1);
			i = end;
		} else put(&out, c);
	}
	free(in.v);
	return keep(s, out);
}

static struct val value_of(struct naive_set *s, const struct yaml_node *n, bool expand)
{
	struct val v = {.text = n->text};
	const char *p = n->text.p;
	bool plain = n->style == YAML_PLAIN && !n->tag.n;
	if (plain && (!*p || !strcmp(p, "~") || !strcmp(p, "null") || !strcmp(p, "Null") || !strcmp(p, "NULL"))) v.kind = NUL;
	else if (plain && (!strcmp(p, "true") || !strcmp(p, "True") || !strcmp(p, "TRUE"))) v.kind = BOOL, v.truth = true;
	else if (plain && (!strcmp(p, "false") || !strcmp(p, "False") || !strcmp(p, "FALSE"))) v.kind = BOOL;
	else if (plain && strlen(p) == n->text.n && rule_number(p, false, &v.number)) v.kind = NUMBER;
	else v.kind = TEXT, v.u = pattern_of(s, n->text, expand);
	return v;
}

static void as_text(struct naive_set *s, struct val *v)
{
	if (v->kind != NUMBER) return;
	v->kind = TEXT;
	v->u = pattern_of(s, v->text, false);
}

/* --- modifiers ---------------------------------------------------------------------------------------------------- */

static bool word(int32_t c) { return c == '_' || (c < BAD_BYTE && iswalnum((wint_t)c)); }
static const int32_t dashes[] = {'-', '/', 0x2013, 0x2014, 0x2015};
static bool is_dash(int32_t c)
{
	for (size_t i = 0; i < COUNT(dashes); i++)
		if (c == dashes[i]) return true;
	return false;
}

static void windash(struct naive_set *s, struct points u, size_t from, struct points made, struct val like, struct vals *out)
{
	for (size_t i = from; i < u.n; i++) {
		bool place = is_dash(u.v[i]) && !(i && word(u.v[i - 1])) && i + 1 < u.n && word(u.v[i + 1]);
		for (size_t k = 0; place && k < COUNT(dashes); k++) {
			struct points copy = {0};
			for (size_t j = 0; j < made.n; j++) put(&copy, made.v[j]);
			put(&copy, dashes[k]);
			windash(s, u, i + 1, copy, like, out);
		}
		if (place) {
			free(made.v);
			return;
		}
		put(&made, u.v[i]);
	}
	like.u = keep(s, made);
	vec_push(out, like);
}

static bool has_wild(struct points u)
{
	for (size_t i = 0; i < u.n; i++)
		if (u.v[i] >= PLACE) return true;
	return false;
}

/* The value's bytes: UTF-8, or what an encoding made. */
static struct points bytes_of(const struct val *v)
{
	struct points out = {0};
	for (size_t i = 0; i < v->u.n; i++) {
		char b[4];
		unsigned n = v->bytes ? 0 : utf8_put((uint32_t)v->u.v[i], b);
		if (v->bytes) put(&out, v->u.v[i]);
		for (unsigned k = 0; k < n; k++) put(&out, (unsigned char)b[k]);
	}
	return out;
}

/* Bits, six at a time. */
static struct points base64_of(struct points in)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct points out = {0};
	for (size_t bit = 0; bit < in.n * 8; bit += 6) {
		unsigned six = 0;
		for (size_t k = bit; k < bit + 6; k++) six = six << 1 | (k / 8 < in.n ? (unsigned)in.v[k / 8] >> (7 - k % 8) & 1 : 0);
		put(&out, alphabet[six]);
	}
	while (out.n % 4) put(&out, '=');
	return out;
}

static void base64offset(struct naive_set *s, struct val v, struct vals *out)
{
	static const size_t start[] = {0, 2, 3}, tail[] = {0, 3, 2};
	struct points bytes = bytes_of(&v);
	for (size_t shift = 0; shift < 3; shift++) {
		struct points moved = {0}, made = {0};
		for (size_t i = 0; i < shift; i++) put(&moved, 0);
		for (size_t i = 0; i < bytes.n; i++) put(&moved, bytes.v[i]);
		struct points whole = base64_of(moved);
		for (size_t i = start[shift]; i + tail[moved.n % 3] < whole.n; i++) put(&made, whole.v[i]);
		free(moved.v);
		free(whole.v);
		v.u = keep(s, made);
		v.bytes = false;
		if (made.n) vec_push(out, v);
	}
	free(bytes.v);
}

/* What bytes say as UTF-8; wildcards stay where they are. */
static struct points characters_of(struct naive_set *s, struct points u)
{
	struct points out = {0};
	struct buf b = {0};
	for (size_t i = 0; i <= u.n; i++) {
		if (i < u.n && u.v[i] < PLACE) {
			buf_byte(&b, (char)u.v[i]);
			continue;
		}
		struct points run = points_of(buf_view(&b));
		for (size_t k = 0; k < run.n; k++) put(&out, run.v[k]);
		free(run.v);
		b.n = 0;
		if (i < u.n) put(&out, u.v[i]);
	}
	buf_done(&b);
	return keep(s, out);
}

static void wide(struct naive_set *s, struct val *v, bool big, bool bom)
{
	struct points out = {0};
	if (v->bytes) v->u = characters_of(s, v->u);
	for (size_t i = 0; i < v->u.n; i++) s->failed = s->failed || (v->u.v[i] >= BAD_BYTE && v->u.v[i] < PLACE);
	if (bom) put(&out, 0xff), put(&out, 0xfe);
	for (size_t i = 0; i < v->u.n; i++) {
		uint32_t c = (uint32_t)v->u.v[i], unit[2] = {c, 0};
		if (v->u.v[i] >= PLACE) {
			put(&out, v->u.v[i]);
			continue;
		}
		if (c >= 0x10000) unit[0] = 0xd800 + ((c - 0x10000) >> 10), unit[1] = 0xdc00 + ((c - 0x10000) & 0x3ff);
		for (int k = 0; k < (c >= 0x10000 ? 2 : 1); k++) {
			put(&out, (int32_t)(big ? unit[k] >> 8 : unit[k] & 0xff));
			put(&out, (int32_t)(big ? unit[k] & 0xff : unit[k] >> 8));
		}
	}
	v->u = keep(s, out);
	v->bytes = true;
}

static void affix(struct naive_set *s, struct val *v, bool before, bool after)
{
	as_text(s, v);
	if (v->kind == REF) {
		v->ref = before && after ? REF_CONTAINS : before ? REF_ENDS : REF_STARTS;
		return;
	}
	if (v->kind == REGEX) return;
	if (v->kind != TEXT) {
		s->failed = true;
		return;
	}
	struct points out = {0};
	if (before) put(&out, ANY);
	for (size_t i = 0; i < v->u.n; i++) put(&out, v->u.v[i]);
	if (after) put(&out, ANY);
	v->u = keep(s, out);
}

/* The value of placeholder `name`: a scalar or a sequence, NULL when there is none. */
static const struct yaml_node *place_value(const struct naive_set *s, struct str name)
{
	for (uint32_t i = 0; s->place_values && i < s->place_values->n; i++) {
		struct str key = s->place_values->pairs[i].key->text;
		if (key.n > 2 && key.p[0] == '%' && key.p[key.n - 1] == '%') key = str_sub(key, 1, key.n - 2);
		if (str_eq(key, name)) return s->place_values->pairs[i].value;
	}
	return NULL;
}

/* All ways to fill the placeholders from `from` on. */
static void expand(struct naive_set *s, struct val v, size_t from, struct vals *out)
{
	while (from < v.u.n && (v.u.v[from] < PLACE || v.u.v[from] >= ONE)) from++;
	if (from >= v.u.n) {
		vec_push(out, v);
		return;
	}
	const struct yaml_node *value = place_value(s, s->places.v[v.u.v[from] - PLACE]);
	uint32_t n = value ? value->kind == YAML_SEQ ? value->n : 1 : 0;
	if (!n) s->failed = true;
	for (uint32_t i = 0; i < n; i++) {
		struct points inner = pattern_of(s, value->kind == YAML_SEQ ? value->items[i]->text : value->text, false), made = {0};
		for (size_t k = 0; k < from; k++) put(&made, v.u.v[k]);
		for (size_t k = 0; k < inner.n; k++) put(&made, inner.v[k]);
		for (size_t k = from + 1; k < v.u.n; k++) put(&made, v.u.v[k]);
		struct val one = v;
		one.u = keep(s, made);
		expand(s, one, from + inner.n, out);
	}
}

/* %name% in a regular expression: the value's characters, quoted; its wildcards as . and .* */
static void expand_regex(struct naive_set *s, struct val v, size_t from, struct vals *out)
{
	struct str t = v.text;
	for (size_t i = from; i < t.n; i++) {
		if (t.p[i] == '\\') {
			i++;
			continue;
		}
		size_t end = t.p[i] == '%' ? str_find_byte(t, '%', i + 1) : SIZE_MAX;
		if (end == SIZE_MAX || end == i + 1) continue;
		const struct yaml_node *value = place_value(s, str_sub(t, i + 1, end - i - 1));
		uint32_t n = value ? value->kind == YAML_SEQ ? value->n : 1 : 0;
		if (!n) s->failed = true;
		for (uint32_t k = 0; k < n; k++) {
			struct points u = pattern_of(s, value->kind == YAML_SEQ ? value->items[k]->text : value->text, false);
			struct buf b = {0};
			struct val one = v;
			buf_str(&b, str_sub(t, 0, i));
			for (size_t c = 0; c < u.n; c++) {
				char utf[4];
				if (u.v[c] == ANY) buf_lit(&b, ".*");
				else if (u.v[c] == ONE) buf_lit(&b, ".");
				else {
					if (u.v[c] < 0x80 && !iswalnum((wint_t)u.v[c])) buf_byte(&b, '\\');
					unsigned bytes = utf8_put((uint32_t)u.v[c], utf);
					buf_str(&b, (struct str){utf, bytes});
				}
			}
			size_t behind = b.n;
			buf_str(&b, str_sub(t, end + 1, t.n));
			one.text = arena_str(&s->arena, buf_view(&b));
			buf_done(&b);
			expand_regex(s, one, behind, out);
		}
		return;
	}
	vec_push(out, v);
}

static bool net_of(struct str text, struct test *t)
{
	char copy[80] = {0}, *slash;
	if (text.n >= sizeof copy) return false;
	memcpy(copy, text.p, text.n);
	if ((slash = strchr(copy, '/'))) *slash++ = 0;
	t->v6 = strchr(copy, ':') != NULL;
	if (inet_pton(t->v6 ? AF_INET6 : AF_INET, copy, t->net) != 1) return false;
	if (slash && !digits(slash)) return false;
	t->bits = slash ? (unsigned)atoi(slash) : t->v6 ? 128 : 32;
	return t->bits <= (t->v6 ? 128u : 32u);
}

static const char *const parts[] = {"minute", "hour", "day", "week", "month", "year"};

/* One modifier on one value; several values may come of it. */
static void apply(struct naive_set *s, struct str m, struct val v, bool *cased, struct vals *out)
{
	bool alone = true;
	if (str_eq(m, STR("contains"))) affix(s, &v, true, true);
	else if (str_eq(m, STR("startswith"))) affix(s, &v, false, true);
	else if (str_eq(m, STR("endswith"))) affix(s, &v, true, false);
	else if (str_eq(m, STR("cased"))) as_text(s, &v), *cased = true;
	else if (str_eq(m, STR("re"))) v.kind = REGEX;
	else if (str_eq(m, STR("i")) || str_eq(m, STR("ignorecase"))) v.i = true;
	else if (str_eq(m, STR("m")) || str_eq(m, STR("multiline"))) v.m = true;
	else if (str_eq(m, STR("s")) || str_eq(m, STR("dotall"))) v.s = true;
	else if (str_eq(m, STR("exists"))) v.kind = EXISTS;
	else if (str_eq(m, STR("fieldref"))) v.kind = REF;
	else if (str_eq(m, STR("cidr"))) v.kind = NET;
	else if (str_eq(m, STR("wide")) || str_eq(m, STR("utf16le"))) wide(s, &v, false, false);
	else if (str_eq(m, STR("utf16be"))) wide(s, &v, true, false);
	else if (str_eq(m, STR("utf16"))) wide(s, &v, false, true);
	else if (str_eq(m, STR("base64"))) {
		struct points bytes = bytes_of(&v);
		v.u = keep(s, base64_of(bytes));
		v.bytes = false;
		free(bytes.v);
	} else if (str_eq(m, STR("gt")) || str_eq(m, STR("gte")) || str_eq(m, STR("lt")) || str_eq(m, STR("lte"))) {
		v.op = m.p[0] == 'g' ? m.n == 2 ? OP_GT : OP_GTE : m.n == 2 ? OP_LT : OP_LTE;
		if (v.kind == TEXT && !rule_number(v.text.p, true, &v.number)) s->failed = true;
		if (v.kind != PART) v.kind = COMPARE;
	} else if (str_eq(m, STR("windash"))) {
		as_text(s, &v);
		if (v.kind != TEXT) s->failed = true;
		else windash(s, v.u, 0, (struct points){0}, v, out);
		alone = false;
	} else if (str_eq(m, STR("base64offset"))) {
		base64offset(s, v, out);
		alone = false;
	} else if (str_eq(m, STR("expand"))) {
		if (v.kind == REGEX) expand_regex(s, v, 0, out);
		else expand(s, v, 0, out);
		alone = false;
	} else {
		int part = -1;
		for (int i = 0; i < 6; i++)
			if (str_eq(m, str_of(parts[i]))) part = i;
		if (part < 0) s->failed = true;
		v.kind = PART;
		v.part = part;
	}
	if (alone) vec_push(out, v);
}

/* --- items -------------------------------------------------------------------------------------------------------- */

static void text_test(struct naive_set *s, struct test *t, struct points u, bool bytes)
{
	if (bytes) u = characters_of(s, u);
	if (t->field >= 0 && !u.n) {
		t->kind = T_EMPTY;
		return;
	}
	t->kind = T_TEXT;
	struct points copy = {0};
	if (t->field < 0) put(&copy, ANY);
	for (size_t i = 0; i < u.n; i++) put(&copy, u.v[i]);
	if (t->field < 0) put(&copy, ANY);
	if (!t->cased) points_fold(&copy);
	t->pattern = keep(s, copy);
	t->plain = t->field >= 0 && !has_wild(copy);
}

static pcre2_code *regex_of(struct naive_set *s, const struct val *v)
{
	int error;
	PCRE2_SIZE at;
	uint32_t flags = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_ALT_CIRCUMFLEX | (v->i ? PCRE2_CASELESS : 0) | (v->m ? PCRE2_MULTILINE : 0) | (v->s ? PCRE2_DOTALL : 0);
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)v->text.p, v->text.n, flags, &error, &at, NULL);
	if (re) vec_push(&s->regexes, re);
	else s->failed = true;
	return re;
}

static struct tree *test_of(struct naive_set *s, int32_t field, bool cased, const struct val *v)
{
	struct tree *t = tree_new(s, TREE_TEST);
	struct test *x = &t->test;
	*x = (struct test){.field = field, .cased = cased, .number = v->number, .op = v->op, .part = v->part, .truth = v->truth, .ref = v->ref};
	x->written = points_of(v->text);
	points_fold(&x->written);
	keep(s, x->written);
	switch (v->kind) {
	case TEXT: text_test(s, x, v->u, v->bytes); break;
	case NUMBER: case BOOL: case NUL:
		if (field < 0 && v->kind == NUL) x->kind = T_NEVER;
		else if (field < 0) text_test(s, x, pattern_of(s, v->text, false), false);
		else x->kind = v->kind == NUMBER ? T_NUMBER : v->kind == BOOL ? T_BOOL : T_NULL;
		break;
	case REGEX: x->kind = T_REGEX, x->re = regex_of(s, v); break;
	case NET: {
		/* Behind expand the network is the placeholder's value. */
		char copy[80] = {0};
		for (size_t i = 0; i < v->u.n && i < sizeof copy - 1; i++) copy[i] = (char)v->u.v[i];
		x->kind = T_NET;
		if (!net_of(str_of(copy), x)) s->failed = true;
		break;
	}
	case COMPARE: x->kind = T_COMPARE; break;
	case EXISTS: x->kind = T_EXISTS; break;
	case PART: x->kind = T_PART; break;
	case REF: {
		struct buf b = {0};
		for (size_t i = 0; i < v->u.n; i++) {
			char utf[4];
			unsigned n = utf8_put((uint32_t)v->u.v[i], utf);
			buf_str(&b, (struct str){utf, n});
		}
		x->kind = T_REF;
		x->other = naive_field(s, arena_str(&s->arena, buf_view(&b)));
		buf_done(&b);
		break;
	}
	}
	return t;
}

static bool has_modifier(struct str modifiers, struct str m)
{
	while (modifiers.p)
		if (str_eq(str_cut(&modifiers, '|'), m)) return true;
	return false;
}

static struct tree *alternatives(struct naive_set *s, int32_t field, struct str modifiers, const struct yaml_node *node)
{
	struct vals now = {0};
	bool expands = has_modifier(modifiers, STR("expand")), cased = false;
	vec_push(&now, value_of(s, node, expands));
	while (modifiers.p) {
		struct str m = str_cut(&modifiers, '|');
		struct vals next = {0};
		if (str_eq(m, STR("all")) || str_eq(m, STR("neq"))) continue;
		for (size_t i = 0; i < now.n; i++) apply(s, m, now.v[i], &cased, &next);
		vec_free(&now);
		now = next;
	}
	struct tree *any = tree_new(s, TREE_OR);
	for (size_t i = 0; i < now.n && !s->failed; i++) vec_push(any, test_of(s, field, cased, &now.v[i]));
	vec_free(&now);
	return any;
}

static struct tree *item(struct naive_set *s, struct str key, const struct yaml_node *value)
{
	static const struct yaml_node nothing = {.kind = YAML_SCALAR, .style = YAML_PLAIN, .text = {"", 0}};
	struct str modifiers = key, name = str_cut(&modifiers, '|');
	int32_t field = name.n ? naive_field(s, name) : -1;
	struct tree *all = tree_new(s, has_modifier(modifiers, STR("all")) ? TREE_AND : TREE_OR);
	const struct yaml_node *const one[] = {value->kind == YAML_SEQ && !value->n ? &nothing : value};
	bool list = value->kind == YAML_SEQ && value->n;
	for (uint32_t i = 0; i < (list ? value->n : 1) && !s->failed; i++) {
		const struct yaml_node *v = list ? value->items[i] : one[0];
		if (v->kind != YAML_SCALAR) return fail(s);
		vec_push(all, alternatives(s, field, modifiers, v));
	}
	if (!has_modifier(modifiers, STR("neq"))) return all;
	struct tree *not = tree_new(s, TREE_NOT);
	vec_push(not, all);
	return not;
}

static struct tree *search(struct naive_set *s, const struct yaml_node *n)
{
	struct tree *t = tree_new(s, n->kind == YAML_MAP ? TREE_AND : TREE_OR);
	if (n->kind == YAML_SCALAR) return item(s, STR(""), n);
	if (!n->n) return fail(s);
	for (uint32_t i = 0; i < n->n && !s->failed; i++)
		vec_push(t, n->kind == YAML_MAP ? item(s, n->pairs[i].key->text, n->pairs[i].value) : search(s, n->items[i]));
	return t;
}

/* --- conditions --------------------------------------------------------------------------------------------------- */

struct searches { struct { struct str name; struct tree *tree; } *v; size_t n, cap; };
struct condition { struct naive_set *s; const struct searches *all; VEC(struct str) tokens; size_t at; };

static bool glob_name(const char *p, const char *pe, const char *t, const char *te)
{
	if (p == pe) return t == te;
	if (*p == '*') return glob_name(p + 1, pe, t, te) || (t < te && glob_name(p, pe, t + 1, te));
	return t < te && *p == *t && glob_name(p + 1, pe, t + 1, te);
}

static bool take(struct condition *c, const char *word)
{
	if (c->at >= c->tokens.n || !str_eq(c->tokens.v[c->at], str_of(word))) return false;
	c->at++;
	return true;
}

static struct tree *either(struct condition *c);

static struct tree *primary(struct condition *c)
{
	struct naive_set *s = c->s;
	if (take(c, "(")) {
		struct tree *t = either(c);
		return take(c, ")") ? t : fail(s);
	}
	if (c->at >= c->tokens.n) return fail(s);
	struct str word = c->tokens.v[c->at++];
	bool quantifier = str_eq(word, STR("1")) || str_eq(word, STR("any")) || str_eq(word, STR("all"));
	if (quantifier && take(c, "of")) {
		if (c->at >= c->tokens.n) return fail(s);
		struct str target = c->tokens.v[c->at++];
		struct tree *t = tree_new(s, str_eq(word, STR("all")) ? TREE_AND : TREE_OR);
		if (str_eq(target, STR("them"))) target = STR("*");
		for (size_t i = 0; i < c->all->n; i++) {
			struct str name = c->all->v[i].name;
			if (name.n && name.p[0] == '_' && target.p[0] != '_') continue;
			if (glob_name(target.p, target.p + target.n, name.p, name.p + name.n)) vec_push(t, c->all->v[i].tree);
		}
		return t->n ? t : fail(s);
	}
	for (size_t i = 0; i < c->all->n; i++)
		if (str_eq(c->all->v[i].name, word)) return c->all->v[i].tree;
	return fail(s);
}

static struct tree *negation(struct condition *c)
{
	if (!take(c, "not")) return primary(c);
	struct tree *t = tree_new(c->s, TREE_NOT);
	vec_push(t, negation(c));
	return t;
}

static struct tree *both(struct condition *c)
{
	struct tree *t = tree_new(c->s, TREE_AND);
	do vec_push(t, negation(c)); while (take(c, "and") && !c->s->failed);
	return t;
}

static struct tree *either(struct condition *c)
{
	struct tree *t = tree_new(c->s, TREE_OR);
	do vec_push(t, both(c)); while (take(c, "or") && !c->s->failed);
	return t;
}

static struct tree *condition_of(struct naive_set *s, struct str text, const struct searches *all)
{
	struct condition c = {.s = s, .all = all};
	for (size_t i = 0; i < text.n;) {
		size_t from = i;
		if (strchr(" \t\r\n", text.p[i])) {
			i++;
			continue;
		}
		if (strchr("()|", text.p[i])) i++;
		else while (i < text.n && !strchr(" \t\r\n()|", text.p[i])) i++;
		vec_push(&c.tokens, str_sub(text, from, i - from));
	}
	struct tree *t = either(&c);
	if (c.at != c.tokens.n) fail(s);
	vec_free(&c.tokens);
	return t;
}

/* A detection section, or a filter's. */
static struct tree *detection(struct naive_set *s, const struct yaml_node *map)
{
	const struct yaml_node *condition = yaml_get(map, STR("condition"));
	struct searches all = {0};
	if (!map || map->kind != YAML_MAP || (!condition && !s->fragments)) return fail(s);
	for (uint32_t i = 0; i < map->n && !s->failed; i++) {
		struct str name = map->pairs[i].key->text;
		if (str_eq(name, STR("condition")) || str_eq(name, STR("timeframe")) || str_eq(name, STR("rules"))) continue;
		struct tree *t = search(s, map->pairs[i].value);
		vec_push(&all, (typeof(*all.v)){name, t});
	}
	struct tree *any = tree_new(s, TREE_OR);
	if (!condition && all.n == 1) vec_push(any, all.v[0].tree);
	else if (!condition) s->failed = true;
	else if (condition->kind == YAML_SCALAR) vec_push(any, condition_of(s, condition->text, &all));
	for (uint32_t i = 0; condition && condition->kind == YAML_SEQ && i < condition->n && !s->failed; i++)
		vec_push(any, condition_of(s, condition->items[i]->text, &all));
	vec_free(&all);
	return any;
}

/* --- documents ---------------------------------------------------------------------------------------------------- */

static struct str text_at(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *n = yaml_get(map, str_of(key));
	return n && n->kind == YAML_SCALAR ? n->text : (struct str){"", 0};
}

/* One of the three at least (LS-1). */
static struct source source_of(struct naive_set *s, const struct yaml_node *root)
{
	const struct yaml_node *l = yaml_get(root, STR("logsource"));
	if (!text_at(l, "product").n && !text_at(l, "category").n && !text_at(l, "service").n) s->failed = s->failed || !s->fragments;
	return (struct source){text_at(l, "product"), text_at(l, "category"), text_at(l, "service"), {0}};
}

static const struct yaml_node *merged(struct naive_set *s, const struct yaml_node *into, const struct yaml_node *from)
{
	if (!into || into->kind != YAML_MAP || from->kind != YAML_MAP) return from;
	struct yaml_node *m = arena_alloc(&s->arena, sizeof *m);
	struct yaml_pair *pairs = arena_calloc(&s->arena, into->n + from->n, sizeof *pairs);
	*m = *into;
	memcpy(pairs, into->pairs, into->n * sizeof *pairs);
	for (uint32_t i = 0; i < from->n; i++) {
		uint32_t k = 0;
		while (k < m->n && !str_eq(pairs[k].key->text, from->pairs[i].key->text)) k++;
		pairs[k] = (struct yaml_pair){from->pairs[i].key, k < m->n ? merged(s, pairs[k].value, from->pairs[i].value) : from->pairs[i].value};
		if (k == m->n) m->n++;
	}
	m->pairs = pairs;
	return m;
}

static void add_rule(struct naive_set *s, const struct yaml_node *root)
{
	struct naive_rule r = {text_at(root, "id"), text_at(root, "name"), text_at(root, "title"), source_of(s, root), NULL};
	r.tree = detection(s, yaml_get(root, STR("detection")));
	if (!r.id.n) r.id = r.title;
	if (!s->failed) vec_push(&s->rules, r);
}

static void add_filter(struct naive_set *s, const struct yaml_node *root)
{
	const struct yaml_node *section = yaml_get(root, STR("filter")), *rules = yaml_get(section, STR("rules"));
	struct naive_filter f = {.source = source_of(s, root), .tree = detection(s, section)};
	const struct yaml_node *condition = yaml_get(section, STR("condition"));
	if (!rules || !condition || condition->kind != YAML_SCALAR) s->failed = true;
	if (s->failed) return;
	f.all_rules = rules->kind == YAML_SEQ ? !rules->n : str_eq(rules->text, STR("any"));
	for (uint32_t i = 0; i < (rules->kind == YAML_SEQ ? rules->n : 1); i++) vec_push(&f.rules, rules->kind == YAML_SEQ ? rules->items[i]->text : rules->text);
	vec_push(&s->filters, f);
}

void naive_set_add(struct naive_set *s, struct str text)
{
	struct fault f = FAULT_INIT;
	struct str copy = arena_str(&s->arena, text);
	struct yaml_reader *reader = yaml_reader_new(copy, &s->arena, NULL, &f);
	struct yaml_document d;
	const struct yaml_node *global = NULL, *previous = NULL;
	s->refused += !reader;
	for (enum yaml_next what; reader && (what = yaml_next(reader, &d, &f)) != YAML_END;) {
		s->failed = what == YAML_REFUSED || d.root->kind != YAML_MAP;
		const struct yaml_node *root = d.root;
		struct str action = s->failed ? (struct str){"", 0} : text_at(root, "action");
		if (s->failed) ;
		else if (str_eq(action, STR("global"))) global = merged(s, global, root);
		else if (str_eq(action, STR("reset"))) global = NULL;
		else if (yaml_get(root, STR("correlation"))) continue;
		else if (yaml_get(root, STR("filter"))) add_filter(s, root);
		else {
			if (str_eq(action, STR("repeat"))) root = merged(s, previous, root);
			previous = root = merged(s, global, root);
			add_rule(s, root);
		}
		s->refused += s->failed;
	}
	yaml_reader_free(reader);
}

void naive_set_fragments(struct naive_set *s) { s->fragments = true; }

bool naive_set_placeholders(struct naive_set *s, struct str text)
{
	s->place_values = yaml_parse_one(arena_str(&s->arena, text), &s->arena, NULL, NULL);
	return s->place_values && s->place_values->kind == YAML_MAP;
}

static bool contained(struct str filter, struct str rule) { return !filter.n || str_eq(filter, rule); }

static bool filtered(const struct naive_filter *f, const struct naive_rule *r)
{
	bool named = f->all_rules;
	for (size_t i = 0; i < f->rules.n; i++) named = named || str_eq(f->rules.v[i], r->id) || str_eq(f->rules.v[i], r->name) || str_eq(f->rules.v[i], r->title);
	return named && contained(f->source.product, r->source.product) && contained(f->source.category, r->source.category) && contained(f->source.service, r->source.service);
}

void naive_number(const struct naive_set *s, struct source *source)
{
	const struct str words[] = {source->product, source->category, source->service};
	for (int i = 0; i < 3; i++) {
		source->ids[i] = words[i].n ? -1 : 0;
		for (size_t k = 0; k < s->source_words.n; k++)
			if (words[i].n && str_eq(s->source_words.v[k], words[i])) source->ids[i] = (int32_t)k + 1;
	}
}

static void number_rules(struct naive_set *s)
{
	for (size_t i = 0; i < s->rules.n; i++) {
		struct source *source = &s->rules.v[i].source;
		const struct str words[] = {source->product, source->category, source->service};
		naive_number(s, source);
		for (int k = 0; k < 3; k++)
			if (source->ids[k] < 0) vec_push(&s->source_words, words[k]);
		naive_number(s, source);
	}
}

void naive_set_finish(struct naive_set *s)
{
	number_rules(s);
	for (size_t i = 0; i < s->rules.n; i++)
		for (size_t k = 0; k < s->filters.n; k++) {
			if (!filtered(&s->filters.v[k], &s->rules.v[i])) continue;
			struct tree *t = tree_new(s, TREE_AND);
			vec_push(t, s->rules.v[i].tree);
			vec_push(t, s->filters.v[k].tree);
			s->rules.v[i].tree = t;
		}
}

/* --- the set ------------------------------------------------------------------------------------------------------ */

static bool read_lines(struct naive_set *s, const char *data, const char *file)
{
	char path[8192], *text;
	size_t n;
	snprintf(path, sizeof path, "%s/%s", data, file);
	if (!file_slurp(path, 1 << 24, &text, &n, NULL)) return false;
	struct str rest = arena_str(&s->arena, (struct str){text, n});
	free(text);
	while (rest.p) {
		struct str line = str_cut(&rest, '\n');
		struct data_line l = {0};
		if (!str_trim(line).n || line.p[0] == '#') continue;
		l.word = str_cut(&line, '\t');
		while (line.p && l.n < COUNT(l.v)) {
			struct str cell = str_trim(str_cut(&line, '\t'));
			if (cell.n) l.v[l.n++] = str_eq(cell, STR("-")) ? (struct str){"", 0} : cell;
		}
		vec_push(&s->lines, l);
	}
	return true;
}

static int is_data(const struct dirent *d) { return str_ends(str_of(d->d_name), STR(".txt")); }

struct naive_set *naive_set_new(const char *data)
{
	struct naive_set *s = xcalloc(1, sizeof *s);
	struct dirent **names;
	int n = scandir(data, &names, is_data, alphasort);
	bool ok = n > 0;
	arena_init(&s->arena, (size_t)4 << 30);
	setlocale(LC_CTYPE, "C.UTF-8"); /* for iswalnum */
	for (int i = 0; i < n; i++) {
		ok = read_lines(s, data, names[i]->d_name) && ok;
		free(names[i]);
	}
	if (n >= 0) free(names);
	if (ok) return s;
	naive_set_free(s);
	return NULL;
}

void naive_set_free(struct naive_set *s)
{
	for (size_t i = 0; i < s->regexes.n; i++) pcre2_code_free(s->regexes.v[i]);
	for (size_t i = 0; i < s->trees.n; i++) {
		free(s->trees.v[i]->v);
		free(s->trees.v[i]);
	}
	for (size_t i = 0; i < s->kept.n; i++) free(s->kept.v[i]);
	for (size_t i = 0; i < s->filters.n; i++) vec_free(&s->filters.v[i].rules);
	vec_free(&s->rules);
	vec_free(&s->filters);
	vec_free(&s->fields);
	vec_free(&s->source_words);
	vec_free(&s->places);
	vec_free(&s->regexes);
	vec_free(&s->trees);
	vec_free(&s->kept);
	vec_free(&s->lines);
	arena_done(&s->arena);
	free(s);
}

uint32_t naive_count(const struct naive_set *s) { return (uint32_t)s->rules.n; }
uint32_t naive_refused(const struct naive_set *s) { return s->refused; }
struct str naive_id(const struct naive_set *s, uint32_t rule) { return s->rules.v[rule].id; }
