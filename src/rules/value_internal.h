/* value_internal: a written value on its way through the modifiers. Everything here lives in the scratch arena. */
#pragma once
#include "rules/rules_internal.h"

/* --- pattern.c: Sigma strings ---------------------------------------------------------------------------------- */
enum part_kind { PART_LITERAL, PART_ANY, PART_ONE, PART_PLACEHOLDER /* text: its name */ };
struct part { enum part_kind kind; struct str text; };
struct pattern { const struct part *parts; uint32_t n; };

/* Sigma's escape automaton: \* \? \\ are literal, * and ? wildcards, any other backslash stays. `expand`: also %name%, where \%
 * is a literal percent sign; a % without another behind it, and %%, are literal. */
bool pattern_parse(struct doc *d, struct str text, bool expand, struct pattern *ret);
/* Parts in a row to a pattern: neighbouring literals are joined, stars collapsed, empty literals dropped. */
bool pattern_join(struct doc *d, const struct part *parts, uint32_t n, struct pattern *ret);
/* With a star before or behind it, unless one is there. */
bool pattern_affix(struct doc *d, const struct pattern *p, bool before, bool after, struct pattern *ret);
bool pattern_plain(const struct pattern *p, struct str *ret); /* one literal or empty: its text */
bool pattern_has(const struct pattern *p, enum part_kind kind);

/* --- values ----------------------------------------------------------------------------------------------------- */
enum val_kind { VAL_STR, VAL_NUM, VAL_BOOL, VAL_NULL, VAL_REGEX, VAL_CIDR, VAL_COMPARE, VAL_EXISTS, VAL_FIELDREF, VAL_TIMEPART };

struct val {
	enum val_kind kind;
	struct pattern pattern;      /* VAL_STR */
	struct str text;             /* VAL_REGEX: the pattern; VAL_FIELDREF: the field; VAL_NUM, VAL_BOOL: as written */
	bool is_integer, truth, re_i, re_m, re_s, compared /* a comparison followed the part of a time */;
	int64_t integer;
	double real;
	bool net_v6;
	uint8_t net[16], net_bits;
	enum compare_op op;
	enum string_op string_op;
	enum time_part part;
};

/* One written value and what it has become: one or several alternatives, joined by OR also under `all`. */
struct alternatives {
	const struct yaml_node *node;
	struct str written;          /* in the plan */
	struct val *v;
	uint32_t n;
};

/* "field|modifiers: values" */
struct item {
	struct doc *d;
	const struct yaml_node *key;
	struct str field;            /* in the plan; empty for keywords */
	struct alternatives *values;
	uint32_t n_values;
	bool expands;                /* `expand` is among the modifiers */
	bool all, neq, cased, affixed;
	bool warned;                 /* about numbers taken as text */
	uint32_t position;           /* of the modifier at hand, from 0 */
	struct str modifier, previous; /* the one at hand, the one before it */
};

/* What YAML says a scalar is (VAL-1, VAL-2). */
bool value_start(struct item *it, const struct yaml_node *node, struct alternatives *a);
/* Decimal or 0x number; text beyond 64 bits is none. */
bool value_number(struct str s, struct val *ret);
/* Address or network to v->net; the reason why not, or NULL. */
const char *net_parse(struct str s, struct val *v);

/* --- modifier.c --------------------------------------------------------------------------------------------------- */
/* Applies the modifiers, from left to right. */
bool modifiers_apply(struct item *it, struct str modifiers);
bool modifier_wrong(struct item *it, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool modifier_wrong_type(struct item *it, const struct val *v);
/* The text of a value without wildcards, as encodings and field references need it. */
bool modifier_literal(struct item *it, const struct alternatives *a, const struct val *v, struct str *ret);
/* Numbers become text, with a warning. */
bool modifier_stringify(struct item *it, struct val *v);
/* Replaces an alternative by several. */
bool modifier_replace(struct item *it, struct alternatives *a, struct val *v, const struct val *by, uint32_t n);

/* --- transform.c: modifiers that make other texts of a text --------------------------------------------------------- */
typedef bool modify(struct item *it, struct alternatives *a, struct val *v);
modify transform_windash, transform_base64, transform_base64offset, transform_wide, transform_utf16be, transform_utf16, transform_expand;
