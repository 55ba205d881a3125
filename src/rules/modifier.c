/* modifier.c: "field|modifier|modifier: values" to a tree of leaves.
 *
 * Every value starts as what YAML says it is and is changed by each modifier from left to right (Sigma 2.1, modifiers appendix). A
 * modifier may make several alternatives of a value (windash, base64offset, expand): they stay joined by OR inside the value, also under
 * `all` (MOD-all+expansion). Which chains are legal: sigma-conformance.md; what is not is refused with the reason. */
#include "rules/rules_internal.h"
#include "text/regex.h"
#include "text/utf.h"
#include <stdarg.h>
#include <stdio.h>

enum val_kind { VAL_STR, VAL_NUM, VAL_BOOL, VAL_NULL, VAL_REGEX, VAL_CIDR, VAL_COMPARE, VAL_EXISTS, VAL_FIELDREF, VAL_TIMEPART };
static const char *const kind_words[] = {"text", "a number", "a boolean", "null", "a regular expression", "a network", "a comparison", "exists", "a field reference", "a part of a time"};

struct val {
	enum val_kind kind;
	struct pattern pattern;      /* VAL_STR */
	struct str text;             /* as written, raw: VAL_REGEX's pattern, VAL_FIELDREF's field */
	bool is_integer, truth, re_i, re_m, re_s, net_v6, encoded; /* encoded: went through base64 */
	int64_t integer;
	double real;
	uint8_t net[16], net_bits;
	enum compare_op op;
	enum string_op string_op;
	enum time_part part;
};

/* One written value and what it has become. */
struct alternatives {
	const struct yaml_node *node;
	struct str written;
	struct val *v;
	uint32_t n;
};

struct item {
	struct doc *d;
	const struct yaml_node *key;
	struct str field;
	struct alternatives *values;
	uint32_t n_values;
	bool all, neq, cased, affixed;
	bool has_op;                 /* contains, startswith, endswith on text */
	uint32_t position;           /* of the modifier at hand */
	struct str modifier;         /* at hand */
};

static bool wrong(struct item *it, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(struct item *it, const char *format, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	return doc_refuse(it->d, it->key, "modifier", "modifier '%.*s': %s", STR_FMT(it->modifier), text);
}

static bool wrong_type(struct item *it, const struct val *v) { return wrong(it, "does not apply to %s", kind_words[v->kind]); }

/* --- values as YAML says --------------------------------------------------------------------------------- */

static bool parse_real(struct str s, double *ret)
{
	char copy[64], *end;
	if (!s.n || s.n >= sizeof copy) return false;
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("0123456789+-.eE", s.p[i])) return false;
	memcpy(copy, s.p, s.n);
	copy[s.n] = 0;
	*ret = strtod(copy, &end);
	return *end == 0 && end != copy;
}

static bool parse_number(struct str s, struct val *v)
{
	struct str digits = s.n && s.p[0] == '+' ? str_sub(s, 1, s.n) : s;
	uint64_t hex;
	v->is_integer = str_i64(digits, &v->integer);
	if (!v->is_integer && digits.n > 2 && digits.p[0] == '0' && (digits.p[1] == 'x' || digits.p[1] == 'X') && str_hex64(str_sub(digits, 2, digits.n), &hex) && hex <= INT64_MAX) {
		v->is_integer = true;
		v->integer = (int64_t)hex;
	}
	if (v->is_integer) {
		v->real = (double)v->integer;
		return true;
	}
	if (!parse_real(s, &v->real)) return false;
	/* 1.0 is 1 (VAL-4). */
	if (v->real > -9e15 && v->real < 9e15 && v->real == (double)(int64_t)v->real) v->is_integer = true, v->integer = (int64_t)v->real;
	return true;
}

static bool start_value(struct item *it, const struct yaml_node *node, struct alternatives *a)
{
	struct val *v = doc_alloc(it->d, 1, sizeof *v);
	if (!v) return false;
	*a = (struct alternatives){node, node->text, v, 1};
	*v = (struct val){.text = node->text};
	switch (yaml_type(node)) {
	case YAML_IS_NULL: v->kind = VAL_NULL; return true;
	case YAML_IS_BOOL: v->kind = VAL_BOOL; v->truth = node->text.p[0] == 't' || node->text.p[0] == 'T'; return true;
	case YAML_IS_INT: case YAML_IS_FLOAT:
		v->kind = VAL_NUM;
		if (parse_number(node->text, v)) return true;
		/* Too large for a number here: compared as text. */
		/* fallthrough */
	case YAML_IS_STR: v->kind = VAL_STR; return pattern_parse(it->d, node->text, &v->pattern);
	}
	return false;
}

/* --- modifiers --------------------------------------------------------------------------------------------- */

typedef bool modify(struct item *it, struct alternatives *a, struct val *v);

/* Replaces an alternative by several. */
static bool replace(struct item *it, struct alternatives *a, struct val *v, const struct val *by, uint32_t n)
{
	uint32_t at = (uint32_t)(v - a->v);
	if (a->n - 1 + n > VARIANTS_MAX) return doc_refuse(it->d, a->node, "limit", "more than %d alternatives from one value", VARIANTS_MAX);
	struct val *grown = doc_alloc(it->d, a->n - 1 + n, sizeof *grown);
	if (!grown) return false;
	memcpy(grown, a->v, at * sizeof *grown);
	if (n) memcpy(grown + at, by, n * sizeof *grown);
	memcpy(grown + at + n, a->v + at + 1, (a->n - at - 1) * sizeof *grown);
	a->v = grown;
	a->n = a->n - 1 + n;
	return true;
}

static bool stringify(struct item *it, struct val *v)
{
	if (v->kind != VAL_NUM) return true;
	doc_warn(it->d, it->key, "modifier '%.*s' on a number: it is compared as text", STR_FMT(it->modifier));
	v->kind = VAL_STR;
	return pattern_parse(it->d, v->text, &v->pattern);
}

/* contains, startswith, endswith on a regex: .* at the open ends, which an unanchored search has anyway unless ^ or $ stand there. */
static bool affix(struct item *it, struct alternatives *a, struct val *v, bool before, bool after)
{
	(void)a;
	enum string_op op = before && after ? STRING_CONTAINS : before ? STRING_ENDS : STRING_STARTS;
	if (!stringify(it, v)) return false;
	if (v->kind == VAL_FIELDREF) {
		v->string_op = op;
		return true;
	}
	if (v->kind == VAL_REGEX) return true;
	if (v->kind != VAL_STR) return wrong_type(it, v);
	it->affixed = true;
	return pattern_affix(it->d, &v->pattern, before, after, &v->pattern);
}
static bool mod_contains(struct item *it, struct alternatives *a, struct val *v) { return affix(it, a, v, true, true); }
static bool mod_startswith(struct item *it, struct alternatives *a, struct val *v) { return affix(it, a, v, false, true); }
static bool mod_endswith(struct item *it, struct alternatives *a, struct val *v) { return affix(it, a, v, true, false); }

static bool mod_cased(struct item *it, struct alternatives *a, struct val *v)
{
	(void)a;
	if (v->kind == VAL_REGEX || v->kind == VAL_FIELDREF || v->kind == VAL_CIDR || v->kind == VAL_EXISTS) return wrong_type(it, v);
	it->cased = true;
	return true;
}

static bool word_at(struct str s, size_t i)
{
	unsigned char c = i < s.n ? (unsigned char)s.p[i] : 0;
	return i < s.n && (c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80);
}

/* Length of a dash or slash at s[i]: - / en dash, em dash, horizontal bar; 0 when there is none. */
static size_t dash_at(struct str s, size_t i)
{
	if (s.p[i] == '-' || s.p[i] == '/') return 1;
	if (i + 3 <= s.n && !memcmp(s.p + i, "\xe2\x80", 2) && (unsigned char)s.p[i + 2] >= 0x93 && (unsigned char)s.p[i + 2] <= 0x95) return 3;
	return 0;
}

/* Where in a literal the windash alternatives go: a dash not behind a word character, before one. */
static uint32_t dash_places(struct str s, size_t *places, uint32_t max)
{
	uint32_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		size_t len = dash_at(s, i);
		if (!len) continue;
		bool after_word = i > 0 && word_at(s, i - 1) && !(i >= 3 && dash_at(s, i - 3) == 3);
		bool before_word = word_at(s, i + len) && !(i + len < s.n && dash_at(s, i + len));
		if (!after_word && before_word && n < max) places[n++] = i;
		i += len - 1;
	}
	return n;
}

static bool mod_windash(struct item *it, struct alternatives *a, struct val *v)
{
	static const struct str dashes[] = {{"-", 1}, {"/", 1}, {"\xe2\x80\x93", 3}, {"\xe2\x80\x94", 3}, {"\xe2\x80\x95", 3}};
	enum { PLACES = 6 };
	size_t places[PLACES];
	if (!stringify(it, v)) return false;
	if (v->kind != VAL_STR) return wrong_type(it, v);
	for (uint32_t part = 0; part < v->pattern.n; part++) {
		if (v->pattern.parts[part].kind != PART_LITERAL) continue;
		struct str literal = v->pattern.parts[part].text;
		uint32_t n = dash_places(literal, places, PLACES), variants = 1;
		if (!n) continue;
		for (uint32_t i = 0; i < n; i++) variants *= COUNT(dashes);
		if (variants > VARIANTS_MAX) return doc_refuse(it->d, a->node, "limit", "windash on a value with more than five dashes makes too many alternatives");
		struct val *made = doc_alloc(it->d, variants, sizeof *made);
		if (!made) return false;
		for (uint32_t k = 0; k < variants; k++) {
			struct part *parts = doc_alloc(it->d, v->pattern.n, sizeof *parts);
			char *text = doc_alloc(it->d, literal.n + n * 3, 1);
			if (!parts || !text) return false;
			memcpy(parts, v->pattern.parts, v->pattern.n * sizeof *parts);
			size_t from = 0, to = 0;
			for (uint32_t i = 0, rest = k; i < n; i++, rest /= COUNT(dashes)) {
				memcpy(text + to, literal.p + from, places[i] - from);
				to += places[i] - from;
				struct str dash = dashes[rest % COUNT(dashes)];
				memcpy(text + to, dash.p, dash.n);
				to += dash.n;
				from = places[i] + dash_at(literal, places[i]);
			}
			memcpy(text + to, literal.p + from, literal.n - from);
			parts[part].text = (struct str){text, to + literal.n - from};
			made[k] = *v;
			made[k].pattern.parts = parts;
		}
		/* Later literals of the pattern: each alternative goes on from here. */
		uint32_t at = (uint32_t)(v - a->v);
		if (!replace(it, a, v, made, variants)) return false;
		if (part + 1 == v->pattern.n) return true;
		v = &a->v[at];
		bool more = false;
		for (uint32_t later = part + 1; later < v->pattern.n; later++)
			more |= v->pattern.parts[later].kind == PART_LITERAL && dash_places(v->pattern.parts[later].text, places, PLACES) > 0;
		if (more) return doc_refuse(it->d, a->node, "modifier", "windash on dashes at both sides of a wildcard is not supported; split the value");
		return true;
	}
	return true;
}

static bool mod_re(struct item *it, struct alternatives *a, struct val *v)
{
	if (it->position) return wrong(it, "must come first");
	if (!it->field.n && v->kind == VAL_NULL) return wrong(it, "needs a pattern");
	v->kind = VAL_REGEX;
	v->text = a->written;
	return true;
}

static bool flag(struct item *it, struct val *v, bool *which)
{
	if (v->kind != VAL_REGEX) return wrong(it, "only stands behind 're'");
	*which = true;
	return true;
}
static bool mod_i(struct item *it, struct alternatives *a, struct val *v) { (void)a; return flag(it, v, &v->re_i); }
static bool mod_m(struct item *it, struct alternatives *a, struct val *v) { (void)a; return flag(it, v, &v->re_m); }
static bool mod_s(struct item *it, struct alternatives *a, struct val *v) { (void)a; return flag(it, v, &v->re_s); }

/* The literal of a value that may hold no wildcard. */
static bool literal_of(struct item *it, const struct alternatives *a, const struct val *v, struct str *ret)
{
	if (v->kind != VAL_STR) return wrong_type(it, v);
	if (it->affixed) return wrong(it, "must come before contains, startswith and endswith");
	if (pattern_plain(&v->pattern, ret)) return true;
	return doc_refuse(it->d, a->node, "modifier", "modifier '%.*s': the value must not hold wildcards (write \\* for a star)", STR_FMT(it->modifier));
}

static bool set_literal(struct item *it, struct val *v, const char *bytes, size_t n)
{
	struct part *part = doc_alloc(it->d, 1, sizeof *part);
	char *copy = doc_alloc(it->d, n + 1, 1);
	if (!part || !copy) return false;
	memcpy(copy, bytes, n);
	*part = (struct part){PART_LITERAL, {copy, n}};
	v->kind = VAL_STR;
	v->pattern = (struct pattern){part, n ? 1 : 0};
	return true;
}

/* Standard alphabet with padding. */
static size_t base64(const unsigned char *in, size_t n, char *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t o = 0;
	for (size_t i = 0; i < n; i += 3) {
		unsigned long w = (unsigned long)in[i] << 16 | (i + 1 < n ? (unsigned long)in[i + 1] << 8 : 0) | (i + 2 < n ? in[i + 2] : 0);
		out[o++] = alphabet[w >> 18];
		out[o++] = alphabet[w >> 12 & 63];
		out[o++] = i + 1 < n ? alphabet[w >> 6 & 63] : '=';
		out[o++] = i + 2 < n ? alphabet[w & 63] : '=';
	}
	return o;
}

static bool mod_base64(struct item *it, struct alternatives *a, struct val *v)
{
	struct str s;
	if (!literal_of(it, a, v, &s)) return false;
	char *out = doc_alloc(it->d, s.n / 3 * 4 + 8, 1);
	v->encoded = true;
	return out && set_literal(it, v, out, base64((const unsigned char *)s.p, s.n, out));
}

static bool mod_base64offset(struct item *it, struct alternatives *a, struct val *v)
{
	static const size_t starts[] = {0, 2, 3}, ends[] = {0, 3, 2}; /* cut at the end, by (length + offset) mod 3 */
	struct str s;
	struct val made[3];
	uint32_t n = 0;
	if (!literal_of(it, a, v, &s)) return false;
	unsigned char *shifted = doc_alloc(it->d, s.n + 3, 1);
	char *out = doc_alloc(it->d, (s.n + 3) / 3 * 4 + 8, 1);
	if (!shifted || !out) return false;
	for (size_t offset = 0; offset < 3; offset++) {
		memset(shifted, 0, offset);
		memcpy(shifted + offset, s.p, s.n);
		size_t length = base64(shifted, s.n + offset, out), end = length - ends[(s.n + offset) % 3];
		if (length < ends[(s.n + offset) % 3] || end <= starts[offset]) continue; /* an empty variant would match everything */
		made[n] = *v;
		made[n].encoded = true;
		if (!set_literal(it, &made[n], out + starts[offset], end - starts[offset])) return false;
		n++;
	}
	if (!n) return doc_refuse(it->d, a->node, "modifier", "base64offset: the value is too short to have a fixed part");
	return replace(it, a, v, made, n);
}

static bool utf16(struct item *it, struct alternatives *a, struct val *v, bool big, bool bom)
{
	struct str s;
	if (!literal_of(it, a, v, &s)) return false;
	char *out = doc_alloc(it->d, s.n * 2 + 4, 1);
	size_t o = 0;
	if (!out) return false;
	if (bom) out[o++] = (char)0xff, out[o++] = (char)0xfe;
	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		if (len > s.n - i) return doc_refuse(it->d, a->node, "modifier", "the value is not valid UTF-8");
		uint32_t cp = len == 1 ? c : c & (0xffu >> (len + 1));
		for (size_t k = 1; k < len; k++) cp = cp << 6 | ((unsigned char)s.p[i + k] & 63);
		i += len;
		uint16_t units[2] = {(uint16_t)cp, 0};
		if (cp >= 0x10000) units[0] = (uint16_t)(0xd800 + ((cp - 0x10000) >> 10)), units[1] = (uint16_t)(0xdc00 + ((cp - 0x10000) & 0x3ff));
		for (int u = 0; u < (cp >= 0x10000 ? 2 : 1); u++) {
			out[o++] = (char)(big ? units[u] >> 8 : units[u]);
			out[o++] = (char)(big ? units[u] : units[u] >> 8);
		}
	}
	return set_literal(it, v, out, o);
}
static bool mod_wide(struct item *it, struct alternatives *a, struct val *v) { return utf16(it, a, v, false, false); }
static bool mod_utf16be(struct item *it, struct alternatives *a, struct val *v) { return utf16(it, a, v, true, false); }
static bool mod_utf16(struct item *it, struct alternatives *a, struct val *v) { return utf16(it, a, v, false, true); }

static bool parse_v4(struct str s, uint8_t ret[4])
{
	for (int i = 0; i < 4; i++) {
		uint64_t n;
		struct str piece = str_cut(&s, '.');
		if (!str_u64(piece, &n) || n > 255 || piece.n > 3 || (i < 3) != (s.p != NULL)) return false;
		ret[i] = (uint8_t)n;
	}
	return true;
}

static bool parse_v6(struct str s, uint8_t ret[16])
{
	uint16_t words[8];
	int n = 0, gap = -1;
	memset(ret, 0, 16);
	if (str_starts(s, STR("::"))) gap = 0, s = str_sub(s, 2, s.n);
	while (s.n) {
		uint64_t w;
		uint8_t v4[4];
		size_t colon = str_find_byte(s, ':', 0);
		struct str piece = str_sub(s, 0, colon == SIZE_MAX ? s.n : colon);
		if (colon == SIZE_MAX && n <= 6 && parse_v4(piece, v4)) {
			words[n++] = (uint16_t)(v4[0] << 8 | v4[1]);
			words[n++] = (uint16_t)(v4[2] << 8 | v4[3]);
			break;
		}
		if (n == 8 || piece.n > 4 || !str_hex64(piece, &w)) return false;
		words[n++] = (uint16_t)w;
		if (colon == SIZE_MAX) break;
		s = str_sub(s, colon + 1, s.n);
		if (s.n && s.p[0] == ':') {
			if (gap >= 0) return false;
			gap = n;
			s = str_sub(s, 1, s.n);
		} else if (!s.n) {
			return false;
		}
	}
	if (gap < 0 ? n != 8 : n > 7) return false;
	for (int i = 0; i < n; i++) {
		int at = gap >= 0 && i >= gap ? 8 - (n - i) : i;
		ret[at * 2] = (uint8_t)(words[i] >> 8);
		ret[at * 2 + 1] = (uint8_t)words[i];
	}
	return true;
}

static bool mod_cidr(struct item *it, struct alternatives *a, struct val *v)
{
	struct str s = a->written;
	size_t slash = str_find_byte(s, '/', 0);
	struct str address = str_sub(s, 0, slash == SIZE_MAX ? s.n : slash);
	uint64_t bits;
	if (it->position) return wrong(it, "must come first");
	if (v->kind != VAL_STR) return wrong_type(it, v);
	v->net_v6 = str_find_byte(address, ':', 0) != SIZE_MAX;
	unsigned max = v->net_v6 ? 128 : 32;
	bits = max;
	if (!(v->net_v6 ? parse_v6(address, v->net) : parse_v4(address, v->net)) || (slash != SIZE_MAX && (!str_u64(str_sub(s, slash + 1, s.n), &bits) || bits > max)))
		return doc_refuse(it->d, a->node, "modifier", "'%.*s' is no network; write 10.0.0.0/8 or fe80::/10", STR_FMT(s));
	for (unsigned b = (unsigned)bits; b < max; b++)
		if (v->net[b / 8] & 0x80 >> b % 8) return doc_refuse(it->d, a->node, "modifier", "'%.*s' has bits set behind its prefix; write the network's address", STR_FMT(s));
	v->kind = VAL_CIDR;
	v->net_bits = (uint8_t)bits;
	return true;
}

static bool compare(struct item *it, struct alternatives *a, struct val *v, enum compare_op op)
{
	if (v->kind == VAL_TIMEPART) {
		v->op = op;
		return true;
	}
	if (v->kind == VAL_COMPARE) return wrong(it, "a second comparison");
	if (v->kind == VAL_STR && it->affixed) return wrong_type(it, v);
	if (v->kind != VAL_NUM && !(v->kind == VAL_STR && parse_number(a->written, v)))
		return doc_refuse(it->d, a->node, "modifier", "modifier '%.*s' needs a number, not '%.*s'", STR_FMT(it->modifier), STR_FMT(a->written));
	v->kind = VAL_COMPARE;
	v->op = op;
	return true;
}
static bool mod_gt(struct item *it, struct alternatives *a, struct val *v) { return compare(it, a, v, COMPARE_GT); }
static bool mod_gte(struct item *it, struct alternatives *a, struct val *v) { return compare(it, a, v, COMPARE_GTE); }
static bool mod_lt(struct item *it, struct alternatives *a, struct val *v) { return compare(it, a, v, COMPARE_LT); }
static bool mod_lte(struct item *it, struct alternatives *a, struct val *v) { return compare(it, a, v, COMPARE_LTE); }

static bool mod_exists(struct item *it, struct alternatives *a, struct val *v)
{
	if (it->position) return wrong(it, "must stand alone");
	if (!it->field.n) return wrong(it, "needs a field");
	if (v->kind != VAL_BOOL) return doc_refuse(it->d, a->node, "modifier", "exists takes true or false, not '%.*s'", STR_FMT(a->written));
	v->kind = VAL_EXISTS;
	return true;
}

static bool mod_fieldref(struct item *it, struct alternatives *a, struct val *v)
{
	struct str s;
	if (!it->field.n) return wrong(it, "needs a field");
	if (!literal_of(it, a, v, &s)) return false;
	if (!s.n) return doc_refuse(it->d, a->node, "modifier", "fieldref needs the name of a field");
	v->kind = VAL_FIELDREF;
	v->text = s;
	v->string_op = STRING_EQUALS;
	return true;
}

static bool time_part(struct item *it, struct alternatives *a, struct val *v, enum time_part part, int64_t least, int64_t most)
{
	if (!it->field.n) return wrong(it, "needs a field");
	if (v->kind != VAL_NUM || !v->is_integer) return doc_refuse(it->d, a->node, "modifier", "modifier '%.*s' takes a whole number; comparisons come behind it", STR_FMT(it->modifier));
	if (v->integer < least || v->integer > most)
		return doc_refuse(it->d, a->node, "modifier", "modifier '%.*s' takes %lld to %lld", STR_FMT(it->modifier), (long long)least, (long long)most);
	v->kind = VAL_TIMEPART;
	v->part = part;
	v->op = COMPARE_EQ;
	return true;
}
static bool mod_minute(struct item *it, struct alternatives *a, struct val *v) { return time_part(it, a, v, TIME_MINUTE, 0, 59); }
static bool mod_hour(struct item *it, struct alternatives *a, struct val *v) { return time_part(it, a, v, TIME_HOUR, 0, 23); }
static bool mod_day(struct item *it, struct alternatives *a, struct val *v) { return time_part(it, a, v, TIME_DAY, 1, 31); }
static bool mod_week(struct item *it, struct alternatives *a, struct val *v) { return time_part(it, a, v, TIME_WEEK, 1, 53); }
static bool mod_month(struct item *it, struct alternatives *a, struct val *v) { return time_part(it, a, v, TIME_MONTH, 1, 12); }
static bool mod_year(struct item *it, struct alternatives *a, struct val *v) { return time_part(it, a, v, TIME_YEAR, -9999, 9999); }

/* --- expand: %name% by the values given for it --- */

/* The first %name% in s at or after `from` (\% is a literal percent): its place and length with both signs; false when none. */
static bool find_placeholder(struct str s, size_t from, size_t *ret_at, size_t *ret_n)
{
	for (size_t i = from; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] == '%') {
			i++;
			continue;
		}
		if (s.p[i] != '%') continue;
		size_t end = str_find_byte(s, '%', i + 1);
		if (end == SIZE_MAX || end == i + 1) return false;
		*ret_at = i;
		*ret_n = end + 1 - i;
		return true;
	}
	return false;
}

static struct str without_escaped_percent(struct doc *d, struct str s)
{
	char *out = doc_alloc(d, s.n + 1, 1);
	size_t n = 0;
	for (size_t i = 0; out && i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] == '%') continue;
		out[n++] = s.p[i];
	}
	return (struct str){out, n};
}

static bool expand_text(struct item *it, struct alternatives *a, struct val base, struct str text, struct val *out, uint32_t *n)
{
	size_t at, length;
	if (!find_placeholder(text, 0, &at, &length)) {
		if (*n >= VARIANTS_MAX) return doc_refuse(it->d, a->node, "limit", "placeholders make more than %d alternatives", VARIANTS_MAX);
		struct str plain = without_escaped_percent(it->d, text);
		if (!plain.p) return false;
		out[*n] = base;
		out[*n].text = plain;
		if (base.kind == VAL_STR && !pattern_parse(it->d, plain, &out[*n].pattern)) return false;
		++*n;
		return true;
	}
	struct str name = str_sub(text, at + 1, length - 2);
	uint32_t *index = map_get(&it->d->set->placeholders, name);
	if (!index)
		return doc_refuse(it->d, a->node, "placeholder", "placeholder %%%.*s%% has no value; give one with --placeholders FILE.yml", STR_FMT(name));
	const struct yaml_node *values = it->d->set->placeholder_values.v[*index];
	uint32_t count = values->kind == YAML_SEQ ? values->n : 1;
	for (uint32_t i = 0; i < count; i++) {
		struct str value = values->kind == YAML_SEQ ? values->items[i]->text : values->text;
		char *joined = doc_alloc(it->d, text.n - length + value.n + 1, 1);
		if (!joined) return false;
		memcpy(joined, text.p, at);
		memcpy(joined + at, value.p, value.n);
		memcpy(joined + at + value.n, text.p + at + length, text.n - at - length);
		/* What a value says is not expanded again: only the rest is looked at further, by moving behind it. */
		struct str whole = {joined, text.n - length + value.n};
		size_t next_at, next_n;
		if (!find_placeholder(whole, at + value.n, &next_at, &next_n)) {
			if (*n >= VARIANTS_MAX) return doc_refuse(it->d, a->node, "limit", "placeholders make more than %d alternatives", VARIANTS_MAX);
			out[*n] = base;
			out[*n].text = without_escaped_percent(it->d, whole);
			if (base.kind == VAL_STR && !pattern_parse(it->d, out[*n].text, &out[*n].pattern)) return false;
			++*n;
		} else if (!expand_text(it, a, base, whole, out, n)) {
			return false;
		}
	}
	return true;
}

static bool mod_expand(struct item *it, struct alternatives *a, struct val *v)
{
	if (v->kind != VAL_STR && v->kind != VAL_REGEX) return wrong_type(it, v);
	bool before = v->kind == VAL_STR && it->affixed && v->pattern.n && v->pattern.parts[0].kind == PART_ANY;
	bool after = v->kind == VAL_STR && it->affixed && v->pattern.n && v->pattern.parts[v->pattern.n - 1].kind == PART_ANY;
	struct val *made = doc_alloc(it->d, VARIANTS_MAX, sizeof *made);
	uint32_t n = 0;
	if (!made || !expand_text(it, a, *v, v->text, made, &n)) return false;
	if (!n) return doc_refuse(it->d, a->node, "placeholder", "the placeholder has an empty list of values");
	for (uint32_t i = 0; i < n; i++)
		if ((before || after) && !pattern_affix(it->d, &made[i].pattern, before, after, &made[i].pattern)) return false;
	return replace(it, a, v, made, n);
}

static bool mod_all(struct item *it, struct alternatives *a, struct val *v) { (void)a; (void)v; it->all = true; return true; }
static bool mod_neq(struct item *it, struct alternatives *a, struct val *v) { (void)a; (void)v; it->neq = true; return true; }

static const struct { const char *name; modify *apply; bool once; /* acts on the item: called for the first alternative only */ } table[] = {
	{"contains", mod_contains, false}, {"startswith", mod_startswith, false}, {"endswith", mod_endswith, false}, {"all", mod_all, true},
	{"neq", mod_neq, true}, {"cased", mod_cased, false}, {"windash", mod_windash, false}, {"re", mod_re, false}, {"i", mod_i, false},
	{"ignorecase", mod_i, false}, {"m", mod_m, false}, {"multiline", mod_m, false}, {"s", mod_s, false}, {"dotall", mod_s, false},
	{"base64", mod_base64, false}, {"base64offset", mod_base64offset, false}, {"wide", mod_wide, false}, {"utf16le", mod_wide, false},
	{"utf16be", mod_utf16be, false}, {"utf16", mod_utf16, false}, {"cidr", mod_cidr, false}, {"gt", mod_gt, false}, {"gte", mod_gte, false},
	{"lt", mod_lt, false}, {"lte", mod_lte, false}, {"exists", mod_exists, false}, {"fieldref", mod_fieldref, false}, {"expand", mod_expand, false},
	{"minute", mod_minute, false}, {"hour", mod_hour, false}, {"day", mod_day, false}, {"week", mod_week, false}, {"month", mod_month, false},
	{"year", mod_year, false},
};

static bool apply(struct item *it)
{
	static const char *names[COUNT(table) + 1];
	size_t which = 0;
	while (which < COUNT(table) && !str_eq(it->modifier, str_of(table[which].name))) which++;
	if (which == COUNT(table)) {
		for (size_t i = 0; i < COUNT(table); i++) names[i] = table[i].name;
		const char *near = nearest_word(it->modifier, names);
		if (!it->modifier.n) return doc_refuse(it->d, it->key, "modifier", "empty modifier: a '|' too much");
		if (near) return doc_refuse(it->d, it->key, "modifier", "unknown modifier '%.*s'; did you mean '%s'?", STR_FMT(it->modifier), near);
		return doc_refuse(it->d, it->key, "modifier", "unknown modifier '%.*s'", STR_FMT(it->modifier));
	}
	for (uint32_t i = 0; i < it->n_values; i++) {
		struct alternatives *a = &it->values[i];
		uint32_t n = a->n;
		/* From the end, so that what replaces one alternative does not move those still to come. */
		for (uint32_t k = table[which].once ? 1 : n; k-- > 0;)
			if (!table[which].apply(it, a, &a->v[k])) return false;
		if (table[which].once) break;
	}
	return true;
}

/* --- leaves ------------------------------------------------------------------------------------------------ */

static bool set_pieces(struct item *it, struct leaf *l, const struct val *v)
{
	struct pattern p = v->pattern;
	/* A keyword is searched in the text (KW-2). */
	if (!it->field.n && !pattern_affix(it->d, &p, true, true, &p)) return false;
	if (!p.n) {
		l->kind = LEAF_EMPTY;
		return true;
	}
	struct piece *pieces = doc_alloc(it->d, p.n, sizeof *pieces);
	if (!pieces) return false;
	for (uint32_t i = 0; i < p.n; i++) {
		pieces[i] = (struct piece){(enum piece_kind)p.parts[i].kind, p.parts[i].text};
		if (p.parts[i].kind == PART_LITERAL && !it->cased) {
			pieces[i].literal = utf8_fold_arena(it->d->arena, p.parts[i].text);
			if (!pieces[i].literal.p) return doc_refuse(it->d, it->key, "limit", "out of the memory set aside for rules");
		}
	}
	l->kind = LEAF_STRING;
	l->pieces = pieces;
	l->n_pieces = p.n;
	return true;
}
_Static_assert((int)PIECE_LITERAL == (int)PART_LITERAL && (int)PIECE_ANY == (int)PART_ANY && (int)PIECE_ONE == (int)PART_ONE, "the same three");

static bool check_regex(struct item *it, const struct alternatives *a, const struct val *v)
{
	struct fault f = FAULT_INIT;
	unsigned flags = (v->re_i ? REGEX_NOCASE : 0) | (v->re_m ? REGEX_MULTILINE : 0) | (v->re_s ? REGEX_DOTALL : 0);
	struct regex *re = regex_compile(v->text, flags, &f);
	regex_free(re);
	return re || doc_refuse(it->d, a->node, "regex", "%s", f.text);
}

static const struct node *leaf_node(struct item *it, const struct alternatives *a, const struct val *v, uint32_t search)
{
	struct leaf *l = doc_alloc(it->d, 1, sizeof *l);
	struct node *n = doc_alloc(it->d, 1, sizeof *n);
	if (!l || !n) return NULL;
	*l = (struct leaf){.field = it->field, .cased = it->cased, .is_integer = v->is_integer, .integer = v->integer, .real = v->real, .truth = v->truth,
		.regex = v->text, .re_i = v->re_i, .re_m = v->re_m, .re_s = v->re_s, .net_v6 = v->net_v6, .net_bits = v->net_bits, .op = v->op,
		.string_op = v->string_op, .part = v->part, .written = a->written, .line = a->node->line, .column = a->node->column, .search = search};
	memcpy(l->net, v->net, sizeof l->net);
	*n = (struct node){.kind = NODE_LEAF, .leaf = l, .item = it->d->items};
	switch (v->kind) {
	case VAL_STR: return set_pieces(it, l, v) ? n : NULL;
	case VAL_NUM:
		l->kind = LEAF_NUMBER;
		if (it->field.n) return n;
		/* A numeric keyword is searched as text (KW-3). */
		struct val text = *v;
		return pattern_parse(it->d, a->written, &text.pattern) && set_pieces(it, l, &text) ? n : NULL;
	case VAL_BOOL: l->kind = LEAF_BOOL; return n;
	case VAL_NULL:
		l->kind = it->field.n ? LEAF_NULL : LEAF_NEVER;
		if (!it->field.n) doc_warn(it->d, a->node, "null as a keyword never matches");
		return n;
	case VAL_REGEX: l->kind = LEAF_REGEX; return check_regex(it, a, v) ? n : NULL;
	case VAL_CIDR: l->kind = LEAF_CIDR; return n;
	case VAL_COMPARE: l->kind = LEAF_COMPARE; return n;
	case VAL_EXISTS: l->kind = LEAF_EXISTS; return n;
	case VAL_FIELDREF: l->kind = LEAF_FIELDREF; l->other_field = v->text; return n;
	case VAL_TIMEPART: l->kind = LEAF_TIMEPART; return n;
	}
	return NULL;
}

static const struct node *value_tree(struct item *it, const struct alternatives *a, uint32_t search)
{
	if (a->n == 1) return leaf_node(it, a, &a->v[0], search);
	const struct node **children = doc_alloc(it->d, a->n, sizeof *children);
	for (uint32_t i = 0; children && i < a->n; i++)
		if (!(children[i] = leaf_node(it, a, &a->v[i], search))) return NULL;
	return children ? node_new(it->d, NODE_OR, children, a->n) : NULL;
}

static const struct node *join(struct item *it, uint32_t search)
{
	const struct node **children = doc_alloc(it->d, it->n_values, sizeof *children);
	const struct node *tree = NULL;
	for (uint32_t i = 0; children && i < it->n_values; i++)
		if (!(children[i] = value_tree(it, &it->values[i], search))) return NULL;
	if (!children) return NULL;
	tree = it->n_values == 1 ? children[0] : node_new(it->d, it->all ? NODE_AND : NODE_OR, children, it->n_values);
	if (!tree || !it->neq) return tree;
	const struct node **one = doc_alloc(it->d, 1, sizeof *one);
	if (!one) return NULL;
	one[0] = tree;
	struct node *negated = (struct node *)node_new(it->d, NODE_NOT, one, 1);
	if (negated) negated->negated_item = true;
	return negated;
}

const struct node *item_tree(struct doc *d, const struct yaml_node *key, struct str field, struct str modifiers, const struct yaml_node *value, uint32_t search)
{
	struct item it = {.d = d, .key = key, .field = field};
	static const struct yaml_node null_node = {.kind = YAML_SCALAR, .style = YAML_PLAIN, .text = {"", 0}};
	const struct yaml_node *const one[] = {value};
	const struct yaml_node *const *nodes = value->kind == YAML_SEQ ? value->items : one;
	d->items++;
	it.n_values = value->kind == YAML_SEQ ? value->n : 1;
	if (value->kind == YAML_SEQ && !value->n) {
		if (!field.n) return doc_refuse(d, key, "detection", "an empty list of keywords"), NULL;
		/* Field: [] means null (DET-8). */
		static const struct yaml_node *const null_nodes[] = {&null_node};
		nodes = null_nodes;
		it.n_values = 1;
	}
	it.values = doc_alloc(d, it.n_values, sizeof *it.values);
	if (!it.values) return NULL;
	for (uint32_t i = 0; i < it.n_values; i++) {
		if (nodes[i]->kind != YAML_SCALAR) return doc_refuse(d, nodes[i], "detection", "a value must be a scalar, not a %s", nodes[i]->kind == YAML_MAP ? "map" : "list"), NULL;
		if (!start_value(&it, nodes[i], &it.values[i])) return NULL;
		if (it.n_values > 1 && it.values[i].v[0].kind == VAL_NULL) doc_warn(d, nodes[i], "null in a list of values: the specification does not allow it; it is taken as an alternative");
	}
	while (modifiers.p) {
		it.modifier = str_cut(&modifiers, '|');
		if (!apply(&it)) return NULL;
		it.position++;
	}
	if (it.all && it.n_values == 1) doc_warn(d, key, "'all' with a single value has no effect");
	return join(&it, search);
}
