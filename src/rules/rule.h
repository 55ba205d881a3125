/* rule: one Sigma document, checked and reduced to what decides: a boolean tree over typed leaves.
 *
 * All strings, nodes and leaves live in the rule set's arena (lifetime: plan; immutable once loaded; any thread). Everything that
 * the Sigma text says about *how* to compare has been worked into the leaves: modifiers, expansion (windash, base64offset, wide),
 * placeholders, wildcards and escapes, selectors (1 of sel*), filters. Semantics: Sigma specification 2.1.0, and where it leaves
 * a choice, the last column of the table in doc/sigma-conformance.md. */
#pragma once
#include "base/decimal.h"
#include "event/finding.h"

/* A piece of a string pattern: literal bytes (UTF-8), or a wildcard. Adjacent literals are joined, '**' is '*'. */
enum piece_kind { PIECE_LITERAL, PIECE_ANY /* '*': any run, newlines too */, PIECE_ONE /* '?': one code point */ };
struct piece {
	enum piece_kind kind;
	struct str literal; /* as written; folded (utf8_fold) unless the leaf is cased */
};

enum leaf_kind {
	LEAF_STRING,   /* whole value against pieces; contains/startswith/endswith have become PIECE_ANY at the ends */
	LEAF_NUMBER,   /* numeric equality; text that is no strict decimal number is compared as text (VAL-4) */
	LEAF_BOOL,     /* true/false, or that text without case (VAL-6) */
	LEAF_NULL,     /* absent or null (VAL-7) */
	LEAF_EMPTY,    /* present and empty (VAL-8) */
	LEAF_REGEX,    /* unanchored search (MOD-re) */
	LEAF_CIDR,     /* address in net, same family */
	LEAF_COMPARE,  /* gt gte lt lte against number */
	LEAF_EXISTS,   /* field present, even null or empty; `truth` false: absent */
	LEAF_FIELDREF, /* compared with another field of the event: string_op */
	LEAF_TIMEPART, /* minute..year of the field's time, compared by op with number */
	LEAF_NEVER     /* can never hold (kept for explain) */
};
enum compare_op { COMPARE_EQ, COMPARE_GT, COMPARE_GTE, COMPARE_LT, COMPARE_LTE };
enum string_op { STRING_EQUALS, STRING_CONTAINS, STRING_STARTS, STRING_ENDS };
enum time_part { TIME_MINUTE, TIME_HOUR, TIME_DAY, TIME_WEEK, TIME_MONTH, TIME_YEAR };

/* Which members hold something depends on `kind`; the others are zero. */
struct leaf {
	enum leaf_kind kind;
	bool cased;
	bool is_integer;             /* LEAF_NUMBER, LEAF_COMPARE: integer holds, else real */
	bool truth;                  /* LEAF_BOOL, LEAF_EXISTS */
	bool re_i, re_m, re_s;       /* LEAF_REGEX: flags of `regex` */
	bool net_v6;                 /* LEAF_CIDR */
	uint8_t net_bits;
	uint8_t net[16];             /* big-endian, v4 in the first 4 bytes */
	struct str field;            /* empty: keyword, compared with every value of the event and its raw text (KW-1, KW-2) */
	const struct piece *pieces;  /* LEAF_STRING */
	uint32_t n_pieces;
	enum compare_op op;          /* LEAF_COMPARE, LEAF_TIMEPART */
	enum string_op string_op;    /* LEAF_FIELDREF */
	enum time_part part;         /* LEAF_TIMEPART */
	int64_t integer;             /* LEAF_NUMBER, LEAF_COMPARE, LEAF_TIMEPART */
	double real;
	struct str regex;            /* LEAF_REGEX: the pattern */
	struct str other_field;      /* LEAF_FIELDREF */
	struct str written;          /* the value as the rule writes it: what a finding shows as `pattern` */
	uint32_t line, column;       /* where it stands in its file */
	uint32_t search;             /* index of the search identifier it belongs to, for explain; UINT32_MAX: it came with a filter */
};

enum node_kind { NODE_AND, NODE_OR, NODE_NOT, NODE_LEAF };
struct node {
	enum node_kind kind;
	uint32_t n;                         /* children: 1 for NOT, 0 for LEAF */
	const struct node *const *children;
	const struct leaf *leaf;            /* NODE_LEAF */
	uint32_t item;                      /* set on the top of the subtree of one "field|modifiers: values", and on its leaves: rule.items[item - 1];
	                                       0 = several items, or it came with a filter. For explain */
	bool negated_item;                  /* came from `neq` */
};

/* One "field|modifiers: values" of a rule's text, for explain. */
struct rule_item {
	struct str key;                     /* as written; empty for plain keywords */
	struct str field;                   /* empty for keywords */
	uint32_t line, column, search;
	bool all;                           /* its values are joined by AND */
};

/* One word of a rule's text, for explain: a search identifier and its tree. */
struct search {
	struct str name;
	const struct node *tree;
	uint32_t line, column;
};

enum correlation_type {
	CORRELATE_EVENT_COUNT, CORRELATE_VALUE_COUNT, CORRELATE_TEMPORAL, CORRELATE_TEMPORAL_ORDERED,
	CORRELATE_VALUE_SUM, CORRELATE_VALUE_AVG, CORRELATE_VALUE_PERCENTILE, CORRELATE_VALUE_MEDIAN
};
struct threshold {                   /* one operator of the condition map; all must hold */
	enum { THRESHOLD_GT, THRESHOLD_GTE, THRESHOLD_LT, THRESHOLD_LTE, THRESHOLD_EQ, THRESHOLD_NEQ } op;
	struct decimal value;
};
/* Extended condition (COR-15): boolean tree over referenced rules. */
struct corr_node {
	enum node_kind kind;             /* NODE_LEAF: rule `ref` has matched in the window */
	uint32_t n;
	const struct corr_node *const *children;
	uint32_t ref;                    /* index in correlation.refs */
};
struct corr_alias {                  /* group-by name -> field, per referenced rule */
	struct str alias;
	const struct str *fields;        /* [n_refs]; empty str = the alias name itself */
};
struct correlation {
	enum correlation_type type;
	const uint32_t *refs;            /* rule-set indices of the referenced rules (detections or correlations), in written order */
	uint32_t n_refs;
	const struct str *group_by;
	uint32_t n_group_by;
	int64_t timespan_ns;
	const struct threshold *thresholds;
	uint32_t n_thresholds;           /* 0: temporal types want all rules */
	const struct str *fields;        /* condition.field: one, or several for tuples (value_count) */
	uint32_t n_fields;
	struct decimal percentile;       /* CORRELATE_VALUE_PERCENTILE, 0..100 */
	const struct corr_node *extended;/* NULL = none */
	const struct corr_alias *aliases;
	uint32_t n_aliases;
	bool generate;                   /* referenced rules are reported on their own as well */
};

struct rule {
	struct rule_info info;
	uint32_t index;                  /* in the rule set */
	struct str name;                 /* Sigma `name`, empty = none */
	struct str status, description, author;
	const struct str *falsepositives;
	uint32_t n_falsepositives;
	const struct str *fields;        /* Sigma `fields`: what to show; n_fields 0 = all */
	uint32_t n_fields;
	const struct node *condition;    /* detection rule; NULL for a correlation */
	const struct search *searches;
	uint32_t n_searches;
	const struct rule_item *items;
	uint32_t n_items;
	const struct rule_info *const *filters; /* filters that were joined to the condition, in order */
	uint32_t n_filters;
	struct str condition_text;       /* as written; of a list, all of it joined by " or " */
	const struct correlation *correlation; /* NULL for a detection rule */
	bool report;                     /* its hits are findings of their own; false: it only feeds correlations, of which none says `generate: true` */
	const struct str *keep;          /* fields that correlations over this rule need from its events (group-by, fields; aliases resolved) */
	uint32_t n_keep;
	struct str text;                 /* the document as it stands in the file */
	struct str pinned;               /* all that is needed to read it again (rule_set_add_pinned): `text`, for legacy `action` documents behind those
	                                    that it was joined with */
	uint32_t line;                   /* where it begins in the file */
};

/* The rule whose hits are the attempts to log in that the native detectors look at (rules/authentication/login_attempts.yml), and those whose hits
 * are what was done in a session (in the same file: ids that begin so). They are never reported themselves, and never left out for their level. */
#define RULE_OF_ATTEMPTS "0c0e8c0e-6f0b-4bb1-9a8e-5d6f2b6e1b00"
#define RULES_OF_DEEDS "0c0e8c0e-6f0b-4bb1-9a8e-5d6f2b6e1b1"
static inline bool rule_of_deeds(const struct rule *r)
{
	return !r->correlation && r->info.id.n == sizeof RULES_OF_DEEDS && str_starts(r->info.id, STR(RULES_OF_DEEDS));
}
static inline bool rule_feeds_detectors(const struct rule *r) { return rule_of_deeds(r) || (str_eq(r->info.id, STR(RULE_OF_ATTEMPTS)) && !r->correlation); }
