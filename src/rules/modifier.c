/* modifier.c: the modifiers of "field|modifier|modifier: values", applied from left to right (Sigma 2.1, modifiers appendix).
 *
 * Each acts on every value, `all` and `neq` on the item. Which chains are legal is decided by what a value has become when a
 * modifier meets it: doc/sigma-conformance.md lists them. What makes other texts of a text stands in transform.c. */
#include "rules/value_internal.h"
#include <stdarg.h>
#include <stdio.h>

static const char *kind_word(enum val_kind k)
{
	static const char *const words[] = {"text", "a number", "a boolean", "null", "a regular expression", "a network", "a comparison", "exists",
		"a field reference", "a part of a time"};
	return words[k];
}

bool modifier_wrong(struct item *it, const char *format, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	/* The modifier's place in the key, where the key stands as it is in the text. */
	const struct yaml_node *key = it->key;
	uint32_t column = key->column + (key->style == YAML_QUOTED) + (uint32_t)(it->modifier.p - key->text.p);
	bool inside = it->modifier.p >= key->text.p && it->modifier.p <= key->text.p + key->text.n;
	return doc_refuse_at(it->d, key->line, inside ? column : key->column, "modifier", "modifier '%.*s' %s", STR_FMT(it->modifier), text);
}

bool modifier_wrong_type(struct item *it, const struct val *v)
{
	if (it->previous.n) return modifier_wrong(it, "does not apply to %s, behind '%.*s'", kind_word(v->kind), STR_FMT(it->previous));
	return modifier_wrong(it, "does not apply to %s", kind_word(v->kind));
}

bool modifier_replace(struct item *it, struct alternatives *a, struct val *v, const struct val *by, uint32_t n)
{
	size_t at = (size_t)(v - a->v), total = (size_t)a->n - 1 + n;
	if (total > VARIANTS_MAX) return doc_refuse(it->d, a->node, "limit", "'%.*s' makes more than %d alternatives of one value", STR_FMT(it->modifier), VARIANTS_MAX);
	struct val *grown = doc_scratch(it->d, total, sizeof *grown);
	if (!grown) return false;
	memcpy(grown, a->v, at * sizeof *grown);
	if (n) memcpy(grown + at, by, n * sizeof *grown);
	memcpy(grown + at + n, a->v + at + 1, (a->n - at - 1) * sizeof *grown);
	a->v = grown;
	a->n = (uint32_t)total;
	return true;
}

bool modifier_stringify(struct item *it, struct val *v)
{
	if (v->kind != VAL_NUM) return true;
	if (!it->warned) doc_warn(it->d, it->key, "modifier '%.*s' on a number: it is compared as text", STR_FMT(it->modifier));
	it->warned = true;
	v->kind = VAL_STR;
	return pattern_parse(it->d, v->text, false, &v->pattern);
}

bool modifier_literal(struct item *it, const struct alternatives *a, const struct val *v, struct str *ret)
{
	if (v->kind != VAL_STR) return modifier_wrong_type(it, v);
	if (it->affixed) return modifier_wrong(it, "must stand before contains, startswith and endswith");
	if (pattern_plain(&v->pattern, ret)) return true;
	if (pattern_has(&v->pattern, PART_PLACEHOLDER)) return modifier_wrong(it, "must stand behind expand");
	return doc_refuse(it->d, a->node, "modifier", "modifier '%.*s': the value must not hold wildcards (write \\* for a star)", STR_FMT(it->modifier));
}

/* --- comparing texts ------------------------------------------------------------------------------------------ */

/* On a regex these would put .* at its ends, which an unanchored search has anyway, unless ^ or $ stand there. */
static bool affix(struct item *it, struct val *v, bool before, bool after)
{
	if (!modifier_stringify(it, v)) return false;
	if (v->kind == VAL_FIELDREF) {
		v->string_op = before && after ? STRING_CONTAINS : before ? STRING_ENDS : STRING_STARTS;
		return true;
	}
	if (v->kind == VAL_REGEX) return true;
	if (v->kind != VAL_STR) return modifier_wrong_type(it, v);
	it->affixed = true;
	return pattern_affix(it->d, &v->pattern, before, after, &v->pattern);
}
static bool mod_contains(struct item *it, struct alternatives *a, struct val *v) { (void)a; return affix(it, v, true, true); }
static bool mod_startswith(struct item *it, struct alternatives *a, struct val *v) { (void)a; return affix(it, v, false, true); }
static bool mod_endswith(struct item *it, struct alternatives *a, struct val *v) { (void)a; return affix(it, v, true, false); }

static bool mod_cased(struct item *it, struct alternatives *a, struct val *v)
{
	(void)a;
	if (!modifier_stringify(it, v)) return false;
	if (v->kind != VAL_STR) return modifier_wrong_type(it, v);
	it->cased = true;
	return true;
}

/* --- regular expressions --------------------------------------------------------------------------------------- */

static bool mod_re(struct item *it, struct alternatives *a, struct val *v)
{
	if (it->position) return modifier_wrong(it, "must come first");
	if (v->kind == VAL_NULL) return modifier_wrong_type(it, v);
	v->kind = VAL_REGEX;
	v->text = a->written;
	return true;
}

static bool flag(struct item *it, const struct val *v, bool *which)
{
	if (v->kind != VAL_REGEX) return modifier_wrong(it, "only stands behind 're'");
	*which = true;
	return true;
}
static bool mod_i(struct item *it, struct alternatives *a, struct val *v) { (void)a; return flag(it, v, &v->re_i); }
static bool mod_m(struct item *it, struct alternatives *a, struct val *v) { (void)a; return flag(it, v, &v->re_m); }
static bool mod_s(struct item *it, struct alternatives *a, struct val *v) { (void)a; return flag(it, v, &v->re_s); }

/* --- numbers, networks, times ------------------------------------------------------------------------------------ */

/* First, or behind expand alone: the networks of an estate are kept as placeholders. */
static bool mod_cidr(struct item *it, struct alternatives *a, struct val *v)
{
	struct str text = a->written;
	if (it->position > 1 || (it->position == 1 && !str_eq(it->previous, STR("expand")))) return modifier_wrong(it, "must come first, or behind 'expand'");
	if (v->kind != VAL_STR) return modifier_wrong_type(it, v);
	if (it->position && !modifier_literal(it, a, v, &text)) return false;
	const char *reason = net_parse(text, v);
	if (reason) return doc_refuse(it->d, a->node, "modifier", "'%.*s' %s", STR_FMT(text), reason);
	v->kind = VAL_CIDR;
	return true;
}

static bool compare(struct item *it, struct alternatives *a, struct val *v, enum compare_op op)
{
	if (v->kind == VAL_TIMEPART && !v->compared) {
		v->op = op;
		v->compared = true;
		return true;
	}
	if (v->kind == VAL_COMPARE || v->kind == VAL_TIMEPART) return modifier_wrong(it, "is a second comparison");
	if (v->kind == VAL_STR && it->affixed) return modifier_wrong_type(it, v);
	if (v->kind != VAL_NUM && !(v->kind == VAL_STR && value_number(a->written, v)))
		return doc_refuse(it->d, a->node, "modifier", "modifier '%.*s' needs a number, not '%.*s'", STR_FMT(it->modifier), STR_FMT(a->written));
	v->kind = VAL_COMPARE;
	v->op = op;
	return true;
}
static bool mod_gt(struct item *it, struct alternatives *a, struct val *v) { return compare(it, a, v, COMPARE_GT); }
static bool mod_gte(struct item *it, struct alternatives *a, struct val *v) { return compare(it, a, v, COMPARE_GTE); }
static bool mod_lt(struct item *it, struct alternatives *a, struct val *v) { return compare(it, a, v, COMPARE_LT); }
static bool mod_lte(struct item *it, struct alternatives *a, struct val *v) { return compare(it, a, v, COMPARE_LTE); }

static bool time_part(struct item *it, struct alternatives *a, struct val *v, enum time_part part, int64_t least, int64_t most)
{
	if (!it->field.n) return modifier_wrong(it, "needs a field");
	if (v->kind == VAL_COMPARE) return modifier_wrong(it, "must stand before the comparison");
	if (v->kind != VAL_NUM || !v->is_integer)
		return doc_refuse(it->d, a->node, "modifier", "modifier '%.*s' takes a whole number, not '%.*s'", STR_FMT(it->modifier), STR_FMT(a->written));
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

/* --- fields ------------------------------------------------------------------------------------------------------ */

static bool mod_exists(struct item *it, struct alternatives *a, struct val *v)
{
	if (it->position) return modifier_wrong(it, "must come first");
	if (!it->field.n) return modifier_wrong(it, "needs a field");
	if (v->kind != VAL_BOOL) return doc_refuse(it->d, a->node, "modifier", "exists takes true or false (without quotes), not '%.*s'", STR_FMT(a->written));
	v->kind = VAL_EXISTS;
	return true;
}

static bool mod_fieldref(struct item *it, struct alternatives *a, struct val *v)
{
	struct str s;
	if (!it->field.n) return modifier_wrong(it, "needs a field");
	if (!modifier_literal(it, a, v, &s)) return false;
	if (!s.n) return doc_refuse(it->d, a->node, "modifier", "fieldref needs the name of a field");
	v->kind = VAL_FIELDREF;
	v->text = doc_intern(it->d, s);
	v->string_op = STRING_EQUALS;
	return v->text.p != NULL;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static const struct { const char *name; modify *apply; /* NULL: acts on the item */ } table[] = {
	{"contains", mod_contains}, {"startswith", mod_startswith}, {"endswith", mod_endswith}, {"all", NULL}, {"neq", NULL}, {"cased", mod_cased},
	{"windash", transform_windash}, {"re", mod_re}, {"i", mod_i}, {"ignorecase", mod_i}, {"m", mod_m}, {"multiline", mod_m}, {"s", mod_s},
	{"dotall", mod_s}, {"base64", transform_base64}, {"base64offset", transform_base64offset}, {"wide", transform_wide}, {"utf16le", transform_wide},
	{"utf16be", transform_utf16be}, {"utf16", transform_utf16}, {"cidr", mod_cidr}, {"gt", mod_gt}, {"gte", mod_gte}, {"lt", mod_lt},
	{"lte", mod_lte}, {"exists", mod_exists}, {"fieldref", mod_fieldref}, {"expand", transform_expand}, {"minute", mod_minute}, {"hour", mod_hour},
	{"day", mod_day}, {"week", mod_week}, {"month", mod_month}, {"year", mod_year},
};

/* What other engines and people call them, too far from ours for nearest_word. */
static const struct { const char *word, *ours; } other_words[] = {
	{"equalsfield", "fieldref"}, {"endswithfield", "fieldref|endswith"}, {"startswithfield", "fieldref|startswith"}, {"containsfield", "fieldref|contains"},
	{"regex", "re"}, {"regexp", "re"}, {"match", "re"}, {"not", "neq"}, {"ne", "neq"}, {"and", "all"}, {"ip", "cidr"}, {"subnet", "cidr"}, {"network", "cidr"},
	{"casesensitive", "cased"}, {"case_sensitive", "cased"}, {"greater", "gt"}, {"less", "lt"}, {"min", "gte"}, {"max", "lte"}, {"placeholder", "expand"},
	{"utf16lebase64", "wide|base64"}, {"present", "exists"},
};

static bool unknown(struct item *it)
{
	for (size_t i = 0; i < COUNT(other_words); i++)
		if (str_eq_nocase(it->modifier, str_of(other_words[i].word))) return modifier_wrong(it, "does not exist; in Sigma it is '%s'", other_words[i].ours);
	const char *names[COUNT(table) + 1];
	for (size_t i = 0; i < COUNT(table); i++) names[i] = table[i].name;
	names[COUNT(table)] = NULL;
	if (!it->modifier.n) return modifier_wrong(it, "is empty: a '|' too much");
	const char *near = nearest_word(it->modifier, names);
	if (near) return modifier_wrong(it, "does not exist; did you mean '%s'?", near);
	return modifier_wrong(it, "does not exist");
}

static bool apply(struct item *it)
{
	size_t which = 0;
	while (which < COUNT(table) && !str_eq(it->modifier, str_of(table[which].name))) which++;
	if (which == COUNT(table)) return unknown(it);
	if (!table[which].apply) {
		if (it->modifier.p[0] == 'a') it->all = true;
		else it->neq = true;
		return true;
	}
	for (uint32_t i = 0; i < it->n_values; i++) {
		struct alternatives *a = &it->values[i];
		/* From the end, so that what replaces one alternative does not move those still to come. */
		for (uint32_t k = a->n; k-- > 0;)
			if (!table[which].apply(it, a, &a->v[k])) return false;
	}
	return true;
}

bool modifiers_apply(struct item *it, struct str modifiers)
{
	while (modifiers.p) {
		it->modifier = str_cut(&modifiers, '|');
		if (!apply(it)) return false;
		it->previous = it->modifier;
		it->position++;
	}
	return true;
}
