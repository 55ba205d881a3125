/* value.c: YAML scalars to Sigma's types (VAL-1, VAL-2, VAL-4); networks. */
#include "rules/value_internal.h"
#include <math.h>

static bool real_number(struct str s, double *ret)
{
	char copy[64], *end;
	if (!s.n || s.n >= sizeof copy) return false;
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("0123456789+-.eE", s.p[i])) return false;
	memcpy(copy, s.p, s.n);
	copy[s.n] = 0;
	*ret = strtod(copy, &end);
	return *end == 0 && end != copy && isfinite(*ret);
}

static bool hex_number(struct str s, int64_t *ret)
{
	uint64_t n;
	bool prefixed = s.n > 2 && s.p[0] == '0' && (s.p[1] == 'x' || s.p[1] == 'X');
	if (!prefixed || !str_hex64(str_sub(s, 2, s.n), &n) || n > INT64_MAX) return false;
	*ret = (int64_t)n;
	return true;
}

bool value_number(struct str s, struct val *v)
{
	struct str digits = s.n > 1 && s.p[0] == '+' ? str_sub(s, 1, s.n) : s;
	v->is_integer = str_i64(digits, &v->integer) || hex_number(digits, &v->integer);
	if (v->is_integer) {
		v->real = (double)v->integer;
		return true;
	}
	if (!real_number(s, &v->real)) return false;
	/* 1.0 is 1 (VAL-4). */
	if (fabs(v->real) < 9e15 && v->real == floor(v->real)) v->is_integer = true, v->integer = (int64_t)v->real;
	return true;
}

/* Only what can be nothing else is a number: without a point, 12e345 is more likely part of a hash (VAL-2), and what 64 bits do
 * not hold is compared exactly as text. */
static bool is_number(struct str s, enum yaml_type type, struct val *v)
{
	bool pointed = str_find_byte(s, '.', 0) != SIZE_MAX;
	if ((type == YAML_IS_FLOAT) != pointed) return false;
	return value_number(s, v) && (pointed || v->is_integer);
}

bool value_start(struct item *it, const struct yaml_node *node, struct alternatives *a)
{
	struct val *v = doc_scratch(it->d, 1, sizeof *v);
	struct str written = doc_keep(it->d, node->text);
	enum yaml_type type = yaml_type(node);
	if (!v || !written.p) return false;
	*a = (struct alternatives){node, written, v, 1};
	*v = (struct val){.text = written};
	if (type == YAML_IS_NULL) v->kind = VAL_NULL;
	else if (type == YAML_IS_BOOL) v->kind = VAL_BOOL, v->truth = node->text.p[0] == 't' || node->text.p[0] == 'T';
	else if (type != YAML_IS_STR && is_number(node->text, type, v)) v->kind = VAL_NUM;
	else return pattern_parse(it->d, written, it->expands, &v->pattern);
	return true;
}

/* --- networks ------------------------------------------------------------------------------------------------- */

/* Dotted quad, as in RFC 4632; no leading zeros, which some read as octal. */
static bool parse_v4(struct str s, uint8_t ret[4])
{
	for (int i = 0; i < 4; i++) {
		uint64_t n;
		struct str piece = str_cut(&s, '.');
		if (!str_u64(piece, &n) || n > 255 || (piece.n > 1 && piece.p[0] == '0') || (i < 3) != (s.p != NULL)) return false;
		ret[i] = (uint8_t)n;
	}
	return true;
}

/* The words before the gap, the words in all, and where the gap stands. */
struct v6 { uint16_t words[8]; int n, gap; };

static bool v6_words(struct str s, struct v6 *a)
{
	while (s.n) {
		uint64_t w;
		uint8_t quad[4];
		size_t colon = str_find_byte(s, ':', 0);
		struct str piece = str_sub(s, 0, colon == SIZE_MAX ? s.n : colon);
		if (colon == SIZE_MAX && a->n <= 6 && parse_v4(piece, quad)) {
			a->words[a->n++] = (uint16_t)(quad[0] << 8 | quad[1]);
			a->words[a->n++] = (uint16_t)(quad[2] << 8 | quad[3]);
			return true;
		}
		if (a->n == 8 || piece.n > 4 || !str_hex64(piece, &w)) return false;
		a->words[a->n++] = (uint16_t)w;
		if (colon == SIZE_MAX) return true;
		s = str_sub(s, colon + 1, s.n);
		if (!s.n) return false;
		if (s.p[0] != ':') continue;
		if (a->gap >= 0) return false;
		a->gap = a->n;
		s = str_sub(s, 1, s.n);
	}
	return true;
}

/* RFC 4291 section 2.2, without zone. */
static bool parse_v6(struct str s, uint8_t ret[16])
{
	struct v6 a = {.gap = -1};
	memset(ret, 0, 16);
	if (str_starts(s, STR("::"))) a.gap = 0, s = str_sub(s, 2, s.n);
	if (!v6_words(s, &a) || (a.gap < 0 ? a.n != 8 : a.n > 7)) return false;
	for (int i = 0; i < a.n; i++) {
		int at = a.gap >= 0 && i >= a.gap ? 8 - (a.n - i) : i;
		ret[at * 2] = (uint8_t)(a.words[i] >> 8);
		ret[at * 2 + 1] = (uint8_t)a.words[i];
	}
	return true;
}

const char *net_parse(struct str s, struct val *v)
{
	size_t slash = str_find_byte(s, '/', 0);
	struct str address = str_sub(s, 0, slash == SIZE_MAX ? s.n : slash), prefix = str_sub(s, slash == SIZE_MAX ? s.n : slash + 1, s.n);
	v->net_v6 = str_find_byte(address, ':', 0) != SIZE_MAX;
	uint64_t max = v->net_v6 ? 128 : 32, bits = max;
	if (!(v->net_v6 ? parse_v6(address, v->net) : parse_v4(address, v->net))) return "is no address or network; write 10.0.0.0/8 or fe80::/10";
	if (slash != SIZE_MAX && (!str_u64(prefix, &bits) || bits > max)) return v->net_v6 ? "has no prefix from 0 to 128" : "has no prefix from 0 to 32";
	for (uint64_t b = bits; b < max; b++)
		if (v->net[b / 8] & 0x80 >> b % 8) return "has bits set behind its prefix; write the address of the network";
	v->net_bits = (uint8_t)bits;
	return NULL;
}
