/* value: one field's content, decoded on demand.
 *
 * Text is UTF-8 (readers repair what is not). A scalar keeps its native form beside the text, so numbers compare as
 * numbers and print as their source prints them. Values live in the batch (an event's arena); constants of a shape live as
 * long as the shape. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"

enum value_kind {
	VALUE_UNREAD, /* the reader has not been asked yet */
	VALUE_ABSENT, /* the event has no such field */
	VALUE_NULL,   /* the field is there and says null */
	VALUE_STR,
	VALUE_INT,    /* signed; text is decimal unless the source writes it otherwise */
	VALUE_UINT,
	VALUE_REAL,
	VALUE_BOOL,
	VALUE_LIST    /* several values under one name; items are never lists themselves */
};

struct value {
	uint8_t kind;
	bool has_text;   /* `text` is filled; always true for VALUE_STR */
	uint32_t n;      /* VALUE_LIST: number of items */
	union {
		int64_t i;
		uint64_t u;
		double r;
		bool b;
		struct value *items;
	};
	struct str text; /* what a pattern is compared with, and what is shown */
};

static inline struct value value_str(struct str s) { return (struct value){.kind = VALUE_STR, .has_text = true, .text = s}; }
/* The same into *ret, member by member: a whole struct put together in narrow pieces and copied in wide ones makes the processor wait. */
static inline void value_set_str(struct value *ret, struct str s)
{
	ret->kind = VALUE_STR;
	ret->has_text = true;
	ret->n = 0;
	ret->u = 0;
	ret->text.p = s.p;
	ret->text.n = s.n;
}
static inline struct value value_int(int64_t i) { return (struct value){.kind = VALUE_INT, .i = i}; }
static inline struct value value_uint(uint64_t u) { return (struct value){.kind = VALUE_UINT, .u = u}; }

/* The text of a scalar, made in `a` on first use (decimal, true/false, shortest decimal that reads back). Empty for absent,
 * null and list, and when the arena is full. */
struct str value_text(struct value *v, struct arena *a);
/* The value as a JSON value: numbers and bools bare, text quoted and escaped, lists as arrays, absent as null. */
void value_json(const struct value *v, struct buf *out);
