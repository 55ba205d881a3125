/* program: the rules that can match events of one kind, reduced to what is still open about them.
 *
 * Made by compile.c from the rules whose log source fits (instances: rule and binding), for one kind of event (columns,
 * constants, bindings) or, generic, for any columns. Fields have become feeds (columns), leaves have become tests, equal
 * tests and equal subtrees are one. What the kind decides is gone: constants, absent columns, renames. A tree that holds always or
 * never is no tree any more. gate.c then chooses for every tree a gate: atoms of which one must be found for the tree to
 * hold. An event costs the scan of the inputs that gates stand in, and the evaluation of the trees whose gates open.
 * Immutable once made; any thread. */
#pragma once
#include "match/plan_internal.h"
#include "match/scanner_internal.h"
#include "match/sieve_internal.h"

enum { NONE = UINT32_MAX };

/* Where values come from: the columns of one field (all of that name), or every value and the raw text (keywords). */
struct feed {
	bool keywords;
	uint32_t first, n;             /* columns in `refs`; in a generic program names in `names`, the first that the event has */
	const struct scanner *gates;   /* run for every event; NULL = none */
	const struct scanner *rest;    /* run when a group of it is asked */
	struct edges gate_edges;       /* of the literals of `gates` */
	const struct number_set *gate_numbers, *rest_numbers;
	const struct sieve *sieve;     /* of keywords whose gates are joinable; NULL = none */
};

enum test_kind {
	TEST_ATOM,    /* a literal stands in one of the input's texts */
	TEST_NUMBER,  /* one of its values is this number */
	TEST_GROUP,   /* any of several atoms of the input */
	TEST_PRESENT, /* it has a value that is not null */
	TEST_CELL,    /* null, empty, exists */
	TEST_LEAF,    /* everything else, value by value */
	TEST_REFER    /* against another input */
};
struct test {
	uint8_t kind, literal_kind;
	bool gate;                     /* atoms: found by the scan of gates. Groups: all members are */
	bool rest;                     /* atoms: found by the scan of the rest */
	uint32_t input, other;         /* other: TEST_REFER */
	uint32_t guard;                /* an atom that holds when this holds; NONE */
	uint32_t first, n;             /* TEST_GROUP: its atoms, in `refs` */
	uint32_t first_post, n_posts;  /* atoms: what opens when it is found, in `refs`: groups, and trees with POST_TREE set */
	struct str text;               /* TEST_ATOM: folded */
	bool tells;                    /* atoms, and groups of nothing else: `edges` is filled */
	struct edges edges;
	int64_t number;
	const struct leaf *leaf;
	const struct regex *regex;
	float p, cost;                 /* guessed: how often it holds; what asking costs, in instructions */
};
#define POST_TREE 0x80000000u

enum branch_kind { BRANCH_TEST, BRANCH_AND, BRANCH_OR, BRANCH_NOT };
struct branch {
	uint32_t kind;
	uint32_t first, n;             /* children in `refs`; BRANCH_TEST: first is the test */
	float p, cost;
};

struct instance { uint32_t rule; int32_t binding; /* index in the shape's bindings, -1 = any log source */ };
struct tree {
	uint32_t root;                 /* branch; NONE: holds always */
	uint32_t first, n;             /* instances */
	uint32_t first_gate, n_gates;  /* atoms in `refs`; n_gates == 0: always evaluated */
};

/* Rules counted together: those that are covered by the same set of conditional bindings. */
struct cover_class {
	uint64_t whens;                /* bit i: program.whens[i]; 0: by a binding without condition */
	VEC(uint32_t) rules;
};

struct program {
	/* What every event asks for comes first. */
	bool generic;
	/* Whether what becomes of an event depends on nothing but the columns of `asked` and keywords that the sieve may rule out: recall_internal.h. */
	bool recallable;
	struct column_set asked;
	const struct sieve *keywords;  /* of the input that is keywords; NULL: no rule has any */
	VEC(struct tree) trees;
	VEC(uint32_t) whens;           /* branches of conditional bindings, for coverage */
	VEC(struct cover_class) covers;
	VEC(struct feed) inputs;
	VEC(struct test) tests;
	VEC(struct branch) branches;
	VEC(uint32_t) refs;
	VEC(struct instance) instances;
	VEC(uint32_t) always;          /* trees without a gate */
	VEC(uint32_t) gate_inputs;
	/* Generic: names of columns, by place in `names`. */
	struct map names;
	struct arena arena;
	size_t bytes;
};

struct number_set {
	struct { int64_t number; uint32_t id; } *slots; /* id + 1; 0 = free */
	uint32_t mask;
};
static inline uint32_t number_slot(const struct number_set *s, int64_t n)
{
	uint32_t at = (uint32_t)((uint64_t)n * 0x9e3779b97f4a7c15 >> 32) & s->mask;
	while (s->slots[at].id && s->slots[at].number != n) at = (at + 1) & s->mask;
	return at;
}

/* compile.c: `shape` NULL makes a generic program over `bindings`. NULL when a limit is passed. */
struct program *program_new(struct plan *p, const struct shape *shape, const struct logsource_binding *bindings, uint32_t n_bindings);
/* For explain: one rule, whatever its log source, generic. */
struct program *program_of_rule(struct plan *p, const struct rule *r);
void program_free(struct program *g);

/* gate.c: gates, order, scanners. False when the arena is full. */
bool program_finish(struct program *g, const struct guess *guess, enum scan_engine engine);

/* plan.c: the program for an event's shape, made when it is the first of its kind; *ret_id counts programs from 0. NULL: none
 * can be had, the rules are walked. `keep` false: the shape does not last, nothing is made for it alone. */
const struct program *plan_program(struct plan *p, const struct shape *s, bool keep, uint32_t *ret_id);
