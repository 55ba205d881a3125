/* naive_internal: rules as the naive reading holds them. See naive.h. */
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/base.h"
#include "tests/oracle/naive.h"
#include "text/utf.h"
#include "text/yaml.h"
#include <pcre2.h>

/* A text as numbers: code points; bytes that are no character as themselves from BAD_BYTE on; in patterns also ONE and ANY, and
 * placeholders, PLACE + their number. */
enum { BAD_BYTE = 0x20000000, PLACE = 0x40000000, ONE = 0x7ffffffe, ANY = 0x7fffffff };
struct points { int32_t *v; size_t n, cap; };

struct points points_of(struct str s);
void points_fold(struct points *p);

enum test_kind { T_TEXT, T_NUMBER, T_BOOL, T_NULL, T_EMPTY, T_REGEX, T_NET, T_COMPARE, T_EXISTS, T_REF, T_PART, T_NEVER };
enum test_op { OP_EQ, OP_GT, OP_GTE, OP_LT, OP_LTE };
enum ref_op { REF_SAME, REF_STARTS, REF_ENDS, REF_CONTAINS };
struct test {
	enum test_kind kind;
	int32_t field;             /* in set.fields; -1: keyword */
	int32_t other;             /* T_REF */
	bool cased, truth, v6;
	struct points pattern;     /* T_TEXT; folded unless cased */
	struct points written;     /* the value's text, folded: T_NUMBER on text, renamed values */
	bool plain;                /* `written` is the whole meaning: no wildcard, no other modifier */
	long double number;
	enum test_op op;
	enum ref_op ref;
	int part;                  /* T_PART: 0 minute .. 5 year */
	unsigned bits;
	unsigned char net[16];
	pcre2_code *re;
};

enum tree_kind { TREE_AND, TREE_OR, TREE_NOT, TREE_TEST };
struct tree {
	enum tree_kind kind;
	struct tree **v;
	size_t n, cap;
	struct test test;
};

/* `ids` number the three among all that rules state: 0 not stated, -1 stated by no rule. */
struct source { struct str product, category, service; int32_t ids[3]; };
struct naive_rule {
	struct str id, name, title;
	struct source source;
	struct tree *tree;
};
struct naive_filter {
	struct source source;
	struct tree *tree;
	bool all_rules;
	VEC(struct str) rules;
};

struct data_line { struct str word, v[6]; uint32_t n; };

struct naive_set {
	struct arena arena;                 /* YAML trees and everything made of them */
	VEC(struct naive_rule) rules;
	VEC(struct naive_filter) filters;
	VEC(struct str) fields;
	VEC(struct str) source_words;
	VEC(struct str) places;             /* placeholders that rules name */
	VEC(pcre2_code *) regexes;
	VEC(struct tree *) trees;
	VEC(int32_t *) kept;
	const struct yaml_node *place_values;
	VEC(struct data_line) lines;
	uint32_t refused;
	bool fragments;
	bool failed;                        /* of the document being read */
};

int32_t naive_field(struct naive_set *s, struct str name);
void naive_number(const struct naive_set *s, struct source *source);
