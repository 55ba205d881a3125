/* plan_internal: what a pair of templates compiles to (plan.c), and the lane that writes whole records by it (lane.c). */
#pragma once
#include "evtx/evtx_internal.h"

enum jop_kind {
	JOP_LITERAL,  /* bytes */
	JOP_DATA,     /* slot's value, "" when empty */
	JOP_TEXT,     /* slot's value, null when empty */
	JOP_ELEMENT,  /* attributes from slots, and text */
	JOP_UNNAMED,  /* Data without names: null, {"#text":value} or {"#text":[value,...]} */
	JOP_WALK      /* element by the tree walker */
};

struct jattr {
	struct str key;      /* "Name": escaped, with quotes and colon */
	struct str literal;  /* value as JSON; p NULL: from the slot */
	uint16_t slot;
};
struct jop {
	uint8_t kind;
	bool content;        /* slots are the content's */
	bool has_text;       /* JOP_ELEMENT: a text slot or literal */
	uint16_t slot;
	uint32_t n_attrs;
	struct str literal;  /* JOP_LITERAL; JOP_ELEMENT: literal text as JSON, p NULL: from the slot */
	const struct jattr *attrs;
	const struct xnode *element; /* JOP_WALK; JOP_UNNAMED: whose children the Data are */
};
struct json_plan {
	const struct jop *ops;
	uint32_t n;
	size_t literals;     /* bytes of all literals */
	uint16_t nested;     /* the root's slot that holds the content, UINT16_MAX = none */
};

/* The plan of a pair of templates, compiled at its first use; NULL where there can be none. */
const struct json_plan *plan_of(struct evtx_chunk *c, const struct fragment *root, struct fragment *content);
/* A slot's value as JSON; EVTX_TEXT_MAX bytes must have been reserved. */
void plan_put_slot(struct evtx_chunk *c, const struct slot *s, struct buf *out);
/* Attributes and text of an element; the Data of one. */
void plan_put_unnamed(struct evtx_chunk *c, const struct jop *o, const struct instance *in, struct buf *out);
void plan_put_element(struct evtx_chunk *c, const struct jop *o, const struct instance *in, struct buf *out);

/* lane.c: a record as a line of JSON in one go. LANE_WRITTEN: it stands in `out`, with its line end. LANE_LEFT_OUT: the options do not want
 * it. Else nothing was written and it goes the ordinary way; after LANE_UNKNOWN lane_learn may be shown what came of it. */
enum lane_answer { LANE_WRITTEN, LANE_LEFT_OUT, LANE_UNKNOWN, LANE_IRREGULAR };
enum lane_answer lane_write(struct evtx_chunk *c, uint32_t at, uint32_t size, const struct reader_options *options, struct buf *out);
/* A record that was read without complaint: its kind is known from then on. `content` is `root` when it has none of its own. */
void lane_learn(struct evtx_chunk *c, const struct instance *root, const struct instance *content);
