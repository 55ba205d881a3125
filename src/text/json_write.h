/* json_write: JSON appended to a buf. Always valid JSON (RFC 8259) in valid UTF-8, whatever the bytes were.
 *
 * Two layers: single values (json_str, json_u64, ...), for hot paths that know where their commas go, and struct json_out,
 * which sets commas and checks nesting. One buf, one thread. Nothing fails: a buf aborts when memory ends (base/buf.h).
 *
 * Escaped are: quote, backslash, controls (\b \f \n \r \t, else \u00xx), DEL and C1 (terminals obey them), U+2028 and U+2029
 * (old JavaScript ends a line there), U+202A..U+202E and U+2066..U+2069 (they reorder what a person sees). Invalid UTF-8 and
 * lone surrogates become U+FFFD, one for each maximal invalid part. Everything else stays as it is. */
#pragma once
#include "base/buf.h"

/* s in quotes. */
void json_str(struct buf *b, struct str s);
/* The same without the quotes, for a string put together from parts. No character may span two parts. */
void json_str_part(struct buf *b, struct str s);
/* UTF-16LE units, at any alignment, straight to an escaped string: in quotes; without. */
void json_str_utf16le(struct buf *b, const void *units, size_t n_units);
void json_part_utf16le(struct buf *b, const void *units, size_t n_units);
/* The plain references of json_str_part and json_part_utf16le. */
void json_str_part_plain(struct buf *b, struct str s);
void json_part_utf16le_plain(struct buf *b, const void *units, size_t n_units);
static inline void json_u64(struct buf *b, uint64_t v) { buf_u64(b, v); }
static inline void json_i64(struct buf *b, int64_t v) { buf_i64(b, v); }
/* The shortest decimal that reads back as v; null for NaN and the infinities, which JSON does not have. */
void json_double(struct buf *b, double v);
static inline void json_bool(struct buf *b, bool v) { v ? buf_lit(b, "true") : buf_lit(b, "false"); }
#define json_null(b) buf_lit(b, "null")

/* A writer that sets commas. A wrong nesting, a value without key in an object or a depth above JSON_OUT_DEPTH is a mistake
 * of the program and aborts. Start with JSON_OUT(&buf); the text is complete when everything that was begun is ended. */
enum { JSON_OUT_DEPTH = 64 };
struct json_out {
	struct buf *b;
	uint64_t objects; /* bit d: level d is an object */
	uint8_t depth;
	bool comma;       /* the next element needs one before it */
	bool keyed;       /* a key stands there without value */
};
#define JSON_OUT(buffer) ((struct json_out){.b = (buffer)})
void json_begin_object(struct json_out *o);
void json_begin_array(struct json_out *o);
void json_end(struct json_out *o);
void json_key(struct json_out *o, struct str key);
void json_put_str(struct json_out *o, struct str s);
void json_put_u64(struct json_out *o, uint64_t v);
void json_put_i64(struct json_out *o, int64_t v);
void json_put_double(struct json_out *o, double v);
void json_put_bool(struct json_out *o, bool v);
void json_put_null(struct json_out *o);
/* A value that is JSON already; taken as it is. */
void json_put_raw(struct json_out *o, struct str json);
/* For a value the caller writes into o->b itself right after: sets the comma. */
void json_put_begin(struct json_out *o);
/* key and value in one. */
#define json_key_str(o, key, s) (json_key(o, key), json_put_str(o, s))
#define json_key_u64(o, key, v) (json_key(o, key), json_put_u64(o, v))
#define json_key_i64(o, key, v) (json_key(o, key), json_put_i64(o, v))
#define json_key_bool(o, key, v) (json_key(o, key), json_put_bool(o, v))
