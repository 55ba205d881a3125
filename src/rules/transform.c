/* transform.c: modifiers that make other texts of a text: windash, base64, UTF-16, placeholders (MOD-windash, MOD-base64*,
 * MOD-wide, MOD-expand). Several alternatives stay joined by OR inside their value. */
#include "rules/value_internal.h"
#include "text/base64.h"
#include "text/utf.h"

/* --- windash ---------------------------------------------------------------------------------------------------- */

static const struct str dashes[] = {{"-", 1}, {"/", 1}, {"\xe2\x80\x93", 3} /* en dash */, {"\xe2\x80\x94", 3} /* em dash */,
	{"\xe2\x80\x95", 3} /* horizontal bar */};
enum { DASHES = COUNT(dashes), DASH_PLACES = 5 /* 5^5 alternatives */ };

static size_t dash_at(struct str s, size_t i)
{
	for (size_t k = 0; k < DASHES; k++)
		if (str_starts(str_sub(s, i, s.n), dashes[k])) return dashes[k].n;
	return 0;
}

/* A letter, digit or underscore, near enough to \w of Unicode: of what is not ASCII, punctuation and spaces are none. */
static bool is_word(uint32_t c)
{
	if (c < 0x80) return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
	if (c < 0xc0) return c == 0xaa || c == 0xb2 || c == 0xb3 || c == 0xb5 || c == 0xb9 || c == 0xba || (c >= 0xbc && c <= 0xbe);
	bool signs = (c >= 0x2000 && c < 0x2070) || (c >= 0x20a0 && c < 0x20f1) || (c >= 0x2190 && c < 0x2460) || (c >= 0x2500 && c < 0x2c00) ||
		(c >= 0x3000 && c < 0x3005) || (c >= 0x3008 && c < 0x3021) || (c >= 0xe000 && c < 0xf900) || (c >= 0x1f000 && c < 0x20000);
	return c != 0xd7 && c != 0xf7 && c != UTF8_BAD && !signs;
}

/* A place where the alternatives go: a dash that does not follow a word character, and is followed by one. */
struct dash_place { uint32_t part; size_t at, n; };

static bool find_dashes(const struct pattern *p, struct dash_place *ret, uint32_t *ret_n)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->n; i++) {
		struct str s = p->parts[i].text;
		bool after_word = false;
		if (p->parts[i].kind != PART_LITERAL) continue;
		for (const char *at = s.p, *end = s.p + s.n; at < end;) {
			size_t offset = (size_t)(at - s.p), length = dash_at(s, offset);
			uint32_t c = utf8_step(&at, end);
			const char *ahead = at;
			if (length && !after_word && at < end && is_word(utf8_step(&ahead, end))) {
				if (n == DASH_PLACES) return false;
				ret[n++] = (struct dash_place){i, offset, length};
			}
			after_word = is_word(c);
		}
	}
	*ret_n = n;
	return true;
}

/* The k-th alternative of `variants`: k in the base of DASHES says which dash stands at which place, the first place first. */
static bool with_dashes(struct doc *d, const struct pattern *p, const struct dash_place *places, uint32_t n, uint32_t k, uint32_t variants, struct pattern *ret)
{
	struct part *parts = doc_scratch(d, p->n + 2 * n, sizeof *parts);
	uint32_t m = 0, place = 0;
	if (!parts) return false;
	for (uint32_t i = 0; i < p->n; i++) {
		struct str rest = p->parts[i].text;
		size_t from = 0;
		for (; place < n && places[place].part == i; place++) {
			variants /= DASHES;
			parts[m++] = (struct part){PART_LITERAL, str_sub(rest, from, places[place].at - from)};
			parts[m++] = (struct part){PART_LITERAL, dashes[k / variants % DASHES]};
			from = places[place].at + places[place].n;
		}
		parts[m++] = (struct part){p->parts[i].kind, str_sub(rest, from, rest.n)};
	}
	return pattern_join(d, parts, m, ret);
}

bool transform_windash(struct item *it, struct alternatives *a, struct val *v)
{
	struct dash_place places[DASH_PLACES];
	uint32_t n = 0, variants = 1;
	if (!modifier_stringify(it, v)) return false;
	if (v->kind != VAL_STR) return modifier_wrong_type(it, v);
	if (!find_dashes(&v->pattern, places, &n)) return doc_refuse(it->d, a->node, "limit", "windash on a value with more than %d options; split the value", DASH_PLACES);
	if (!n) return true;
	for (uint32_t i = 0; i < n; i++) variants *= DASHES;
	struct val *made = doc_scratch(it->d, variants, sizeof *made);
	for (uint32_t k = 0; made && k < variants; k++) {
		made[k] = *v;
		if (!with_dashes(it->d, &v->pattern, places, n, k, variants, &made[k].pattern)) return false;
	}
	return made && modifier_replace(it, a, v, made, variants);
}

/* --- encodings ---------------------------------------------------------------------------------------------------- */

static bool set_literal(struct item *it, struct val *v, const char *bytes, size_t n)
{
	return pattern_join(it->d, &(struct part){PART_LITERAL, {bytes, n}}, 1, &v->pattern);
}

bool transform_base64(struct item *it, struct alternatives *a, struct val *v)
{
	struct str s;
	if (!modifier_literal(it, a, v, &s)) return false;
	char *out = doc_scratch(it->d, BASE64_CHARS(s.n), 1);
	return out && set_literal(it, v, out, base64_encode(s.p, s.n, 0, out));
}

/* What of the encoding does not depend on the bytes before and behind the value, for each of three alignments. */
bool transform_base64offset(struct item *it, struct alternatives *a, struct val *v)
{
	static const size_t starts[] = {0, 2, 3}, cuts[] = {0, 3, 2};
	struct str s;
	struct val made[3];
	uint32_t n = 0;
	if (!modifier_literal(it, a, v, &s)) return false;
	char *shifted = doc_scratch(it->d, s.n + 2, 1), *out = doc_scratch(it->d, BASE64_CHARS(s.n + 2), 1);
	if (!shifted || !out) return false;
	for (size_t offset = 0; offset < 3; offset++) {
		memset(shifted, 0, offset);
		memcpy(shifted + offset, s.p, s.n);
		size_t length = base64_encode(shifted, s.n + offset, 0, out), cut = cuts[(s.n + offset) % 3];
		if (length <= starts[offset] + cut) continue; /* an empty variant would match everything */
		made[n] = *v;
		if (!set_literal(it, &made[n], out + starts[offset], length - cut - starts[offset])) return false;
		n++;
	}
	if (!n) return doc_refuse(it->d, a->node, "modifier", "base64offset: the value is too short to leave anything fixed");
	return modifier_replace(it, a, v, made, n);
}

static size_t put_unit(char *out, uint32_t unit, bool big)
{
	out[0] = (char)(big ? unit >> 8 : unit);
	out[1] = (char)(big ? unit : unit >> 8);
	return 2;
}

/* A literal as UTF-16, into scratch memory; *ret->p NULL and the rule refused when it is no text. */
static bool utf16_text(struct item *it, struct str s, bool big, bool bom, struct str *ret)
{
	char *out = doc_scratch(it->d, s.n * 2 + 2, 1);
	size_t n = 0;
	if (!out) return false;
	if (bom) n += put_unit(out, 0xfeff, false);
	for (const char *at = s.p, *end = s.p + s.n; at < end;) {
		uint32_t c = utf8_step(&at, end);
		/* Behind another encoding there may be bytes that are no text. */
		if (c == UTF8_BAD) return modifier_wrong(it, "needs text; it must stand before other encodings");
		if (c >= 0x10000) n += put_unit(out + n, 0xd800 + ((c - 0x10000) >> 10), big);
		n += put_unit(out + n, c >= 0x10000 ? 0xdc00 + ((c - 0x10000) & 0x3ff) : c, big);
	}
	*ret = (struct str){out, n};
	return true;
}

/* Wildcards stay where they are, as in pySigma. */
static bool utf16(struct item *it, struct val *v, bool big)
{
	if (v->kind != VAL_STR) return modifier_wrong_type(it, v);
	if (pattern_has(&v->pattern, PART_PLACEHOLDER)) return modifier_wrong(it, "must stand behind expand");
	struct part *parts = doc_scratch(it->d, v->pattern.n, sizeof *parts);
	if (!parts) return false;
	for (uint32_t i = 0; i < v->pattern.n; i++) {
		parts[i] = v->pattern.parts[i];
		if (parts[i].kind == PART_LITERAL && !utf16_text(it, parts[i].text, big, false, &parts[i].text)) return false;
	}
	return pattern_join(it->d, parts, v->pattern.n, &v->pattern);
}
bool transform_wide(struct item *it, struct alternatives *a, struct val *v) { (void)a; return utf16(it, v, false); }
bool transform_utf16be(struct item *it, struct alternatives *a, struct val *v) { (void)a; return utf16(it, v, true); }
/* The mark is the first thing in the encoded text: what stands before it cannot be said. */
bool transform_utf16(struct item *it, struct alternatives *a, struct val *v)
{
	struct str s;
	return modifier_literal(it, a, v, &s) && utf16_text(it, s, false, true, &s) && set_literal(it, v, s.p, s.n);
}

/* --- placeholders --------------------------------------------------------------------------------------------------- */

/* What a name stands for, or NULL and the rule is refused. */
static const struct yaml_node *values_of(struct item *it, const struct alternatives *a, struct str name, uint32_t *ret_n)
{
	struct rule_set *set = it->d->set;
	const uint32_t *index = map_get(&set->placeholders, name);
	if (!index) {
		doc_refuse(it->d, a->node, "placeholder", "placeholder %%%.*s%% has no value; give one with --placeholders FILE.yml", STR_FMT(name));
		return NULL;
	}
	const struct yaml_node *values = set->placeholder_values.v[*index];
	*ret_n = values->kind == YAML_SEQ ? values->n : 1;
	if (*ret_n) return values;
	doc_refuse(it->d, a->node, "placeholder", "placeholder %%%.*s%% has an empty list of values", STR_FMT(name));
	return NULL;
}

static struct str value_at(const struct yaml_node *values, uint32_t i) { return values->kind == YAML_SEQ ? values->items[i]->text : values->text; }

/* v's pattern with its part `at` replaced by the pattern that a placeholder's value is. */
static bool with_value(struct item *it, const struct val *v, uint32_t at, struct str value, struct val *ret)
{
	struct pattern inner;
	if (!pattern_parse(it->d, value, false, &inner)) return false;
	struct part *parts = doc_scratch(it->d, (size_t)v->pattern.n + inner.n, sizeof *parts);
	if (!parts) return false;
	memcpy(parts, v->pattern.parts, at * sizeof *parts);
	memcpy(parts + at, inner.parts, inner.n * sizeof *parts);
	memcpy(parts + at + inner.n, v->pattern.parts + at + 1, (v->pattern.n - at - 1) * sizeof *parts);
	*ret = *v;
	return pattern_join(it->d, parts, v->pattern.n - 1 + inner.n, &ret->pattern);
}

/* Replaces the first placeholder of the alternative; the values' own text is not expanded again. */
static bool expand_string(struct item *it, struct alternatives *a, struct val *v)
{
	uint32_t at = 0, n;
	while (v->pattern.parts[at].kind != PART_PLACEHOLDER) at++;
	const struct yaml_node *values = values_of(it, a, v->pattern.parts[at].text, &n);
	if (!values) return false;
	if (n > VARIANTS_MAX) return doc_refuse(it->d, a->node, "limit", "placeholder %%%.*s%% has more than %d values", STR_FMT(v->pattern.parts[at].text), VARIANTS_MAX);
	struct val *made = doc_scratch(it->d, n, sizeof *made);
	for (uint32_t i = 0; made && i < n; i++)
		if (!with_value(it, v, at, value_at(values, i), &made[i])) return false;
	return made && modifier_replace(it, a, v, made, n);
}

/* A value inside of a regular expression is itself, with * and ? as wildcards; everything else loses its meaning there. */
static struct str quoted(struct item *it, struct str value)
{
	struct pattern p;
	struct str none = {NULL, 0};
	char *out = doc_scratch(it->d, value.n * 2 + 1, 1);
	size_t n = 0;
	if (!out || !pattern_parse(it->d, value, false, &p)) return none;
	for (uint32_t i = 0; i < p.n; i++) {
		if (p.parts[i].kind != PART_LITERAL) {
			out[n++] = '.';
			if (p.parts[i].kind == PART_ANY) out[n++] = '*';
		}
		for (size_t k = 0; k < p.parts[i].text.n; k++) {
			char c = p.parts[i].text.p[k];
			if (strchr("\\^$.|?*+()[]{}-/", c)) out[n++] = '\\';
			out[n++] = c;
		}
	}
	return (struct str){out, n};
}

static bool find_placeholder(struct str s, size_t from, size_t *ret_at, size_t *ret_n)
{
	for (size_t i = from; i < s.n; i++) {
		if (s.p[i] == '\\') {
			i++;
			continue;
		}
		size_t end = s.p[i] == '%' ? str_find_byte(s, '%', i + 1) : SIZE_MAX;
		if (end == SIZE_MAX || end == i + 1) continue;
		*ret_at = i;
		*ret_n = end + 1 - i;
		return true;
	}
	return false;
}

static bool expand_regex_at(struct item *it, struct alternatives *a, struct val *v, size_t from, unsigned depth);

static bool expand_regex_by(struct item *it, struct alternatives *a, struct val *v, const struct yaml_node *values, uint32_t n, size_t at, size_t length,
	unsigned depth)
{
	struct val *made = doc_scratch(it->d, n, sizeof *made);
	size_t *behind = doc_scratch(it->d, n, sizeof *behind), place = (size_t)(v - a->v);
	if (!made || !behind) return false;
	for (uint32_t i = 0; i < n; i++) {
		struct str value = quoted(it, value_at(values, i)), old = v->text;
		char *text = value.p ? doc_scratch(it->d, old.n + value.n + 1, 1) : NULL;
		if (!text) return false;
		memcpy(text, old.p, at);
		memcpy(text + at, value.p, value.n);
		memcpy(text + at + value.n, old.p + at + length, old.n - at - length);
		made[i] = *v;
		made[i].text = (struct str){text, old.n - length + value.n};
		behind[i] = at + value.n;
	}
	if (!modifier_replace(it, a, v, made, n)) return false;
	for (uint32_t i = n; i-- > 0;)
		if (!expand_regex_at(it, a, &a->v[place + i], behind[i], depth + 1)) return false;
	return true;
}

static bool expand_regex_at(struct item *it, struct alternatives *a, struct val *v, size_t from, unsigned depth)
{
	enum { MOST = 16 };
	size_t at, length;
	uint32_t n;
	if (!find_placeholder(v->text, from, &at, &length)) return true;
	if (depth == MOST) return doc_refuse(it->d, a->node, "limit", "more than %d placeholders in one regular expression", MOST);
	const struct yaml_node *values = values_of(it, a, str_sub(v->text, at + 1, length - 2), &n);
	if (!values) return false;
	if (n > VARIANTS_MAX) return doc_refuse(it->d, a->node, "limit", "a placeholder has more than %d values", VARIANTS_MAX);
	return expand_regex_by(it, a, v, values, n, at, length, depth);
}

bool transform_expand(struct item *it, struct alternatives *a, struct val *v)
{
	if (v->kind == VAL_REGEX) return expand_regex_at(it, a, v, 0, 0);
	if (v->kind != VAL_STR) return modifier_wrong_type(it, v);
	/* Each round takes one placeholder out of one alternative; VARIANTS_MAX and the scratch budget end it. */
	size_t i = (size_t)(v - a->v), behind = a->n - i - 1;
	while (i < a->n - behind) {
		if (!pattern_has(&a->v[i].pattern, PART_PLACEHOLDER)) i++;
		else if (!expand_string(it, a, &a->v[i])) return false;
	}
	return true;
}
