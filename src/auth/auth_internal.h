/* auth_internal: what the files of the room share. */
#pragma once
#include "auth/address.h"
#include "auth/auth.h"
#include "auth/pattern_internal.h"

struct auth_data {
	const char *name;
	const unsigned char *bytes;
	size_t n;
};
extern const struct auth_data auth_data[];
extern const size_t auth_data_count;

/* fields.c: a line of data/fields.txt. */
struct condition { struct str field; bool negated; const struct str *values; uint32_t n; };
struct mapping {
	struct str channel, format; /* one of them */
	int64_t event_id;
	enum auth_outcome outcome;
	struct str service;
	const struct str *users, *addresses; /* fields in order of preference */
	uint32_t n_users, n_addresses, n_conditions;
	const struct condition *conditions;
};
struct mappings { struct arena arena; VEC(struct mapping) v; };
bool mappings_add(struct mappings *m, struct str file, struct str name, struct fault *f);
void mappings_done(struct mappings *m);
/* The text of the first of the fields that has a value; empty: none. */
struct str mapping_text(struct event *ev, const struct str *fields, uint32_t n);

struct auth {
	struct patterns patterns;
	struct mappings mappings;
	uint8_t sha256[SHA256_SIZE];
};

enum { AUTH_OUTCOMES = AUTH_PROBE + 1 };
/* What is known of a shape. */
struct auth_kind {
	const struct shape *shape;        /* the key; NULL: free */
	const struct shape *extended[AUTH_OUTCOMES]; /* NULL: not made yet, or no room for it */
	const struct service *service;    /* of its program or format, NULL: none */
	const struct mapping **mappings;  /* [n] */
	uint32_t n_mappings;
	struct str asked;                 /* the field of the first mapping's first condition; empty: it has none */
	int32_t asked_column;             /* -1: there is no such column */
	bool by_event;                    /* the program, and with it the service, is another in each event */
	int32_t message, pid, client, program, repeated; /* columns, -1 = none */
};

/* fields.c: the first of the kind's mappings that holds for the event, or NULL. */
const struct mapping *mapping_of(const struct auth_kind *k, struct event *ev);

/* extend.c: the shape with auth.* behind the base's columns, of attempts that end so; NULL when there is no room. */
const struct shape *extended_shape(struct shape_table *t, const struct shape *base, enum auth_outcome outcome, const struct shape **kept);
enum { AUTH_OUTCOME, AUTH_SRC_IP, AUTH_USER, AUTH_SERVICE, AUTH_ATTEMPTS, AUTH_COLUMNS };
/* The columns. The outcome is a constant: what rules ask of it is then decided once a shape. */
void auth_columns(enum auth_outcome outcome, struct column ret[AUTH_COLUMNS]);
const char *auth_outcome_word(enum auth_outcome o);
/* All but the outcome. */
void auth_values(const struct auth_event *a, struct value ret[AUTH_COLUMNS]);
