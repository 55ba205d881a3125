/* json_read: JSON (RFC 8259) read in one pass into a flat tape of tokens. The hot path for JSON logs.
 *
 * No tree and no copies: a token says where a value stands in the text, and how to step over it. Strings are unescaped when
 * somebody asks (json_decode), numbers stay text. The whole grammar is checked: what is accepted is JSON, but that bytes inside
 * of strings need not be UTF-8 (they are repaired when decoded, so nothing is lost). Duplicate keys are kept, in order.
 *
 * A tape belongs to one thread; it keeps its memory from text to text, so that a steady stream of records allocates nothing.
 * Everything else is pure. The fast paths (AVX2, SSE) give the same tokens as the plain one. */
#pragma once
#include "base/arena.h"
#include "base/fault.h"

enum json_type { JSON_OBJECT, JSON_ARRAY, JSON_KEY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };
enum json_flags {
	JSON_ESCAPED = 1,   /* a string with backslashes */
	JSON_NON_ASCII = 2, /* a string with bytes from 0x80 on, not yet known to be UTF-8 */
	JSON_REAL = 4,      /* a number with a fraction or an exponent; without it, an integer of any size */
	JSON_NEGATIVE = 8   /* a number with a minus */
};

/* Sixteen bytes. Objects: key, value, key, value, ... behind them, each value followed by what is in it. */
struct json_token {
	uint32_t start;  /* offset in the text given: of a string's first byte behind the quote, else of the value's first byte */
	uint32_t length; /* without a string's quotes, with an object's or array's brackets */
	uint32_t next;   /* index of the token behind this value and all that is in it */
	uint8_t type;    /* enum json_type */
	uint8_t flags;   /* enum json_flags */
	uint8_t depth;   /* 0: the outermost value */
	uint8_t unused;
};

enum json_status {
	JSON_OK,
	JSON_END,   /* json_next only: no more values */
	JSON_MORE,  /* the text ends within the value, and is not final */
	JSON_BAD,   /* no JSON: see `at` and `reason` */
	JSON_LIMIT  /* too deep or too many tokens: see `at` and `reason` */
};

/* Start with a zeroed one (limits 0 mean the defaults); json_tape_done frees it. */
struct json_tape {
	struct json_token *v; /* [n]; v[0] is the outermost value */
	uint32_t n, cap;
	uint32_t max_tokens;  /* 0: 4,000,000 (64 MB) */
	uint8_t max_depth;    /* 0: 64; at most 250 containers in one another */
	bool has_numbered;    /* an escape of the form \u1234 was met in the value */
	size_t at;            /* JSON_BAD, JSON_LIMIT: offset of the byte that is wrong */
	const char *reason;   /*   and why: a static string such as "a value is missing" */
};
void json_tape_done(struct json_tape *t);

/* Reads the value that begins at text[at] (blanks before it are skipped) and stops right behind it: *ret_end. What follows is the
 * caller's affair, but a number or word must end there. `final`: no bytes come after text; else a value that text cuts off is
 * JSON_MORE (call again with at least twice as much: reading starts anew). text.n < 4 GiB. On failure *ret_end is untouched, and
 * the tokens are those before the fault. */
enum json_status json_read(struct json_tape *t, struct str text, size_t at, bool final, size_t *ret_end);
/* The plain reference. */
enum json_status json_read_plain(struct json_tape *t, struct str text, size_t at, bool final, size_t *ret_end);
/* The whole text as one value, a BOM before and blanks around it allowed. False and *f (line, column, offset) on failure. */
bool json_read_all(struct json_tape *t, struct str text, struct fault *f);

/* Streams of values: JSON Lines, values one behind the other with or without anything between, text sequences (RFC 7464), and
 * arrays, whose elements come one by one. Start with a zeroed one. Offsets are of the text given, which may be another part of
 * the file in each call, as long as it begins at or before the value to read next. */
struct json_stream {
	bool started, in_array;
	uint32_t column;        /* of the value read last: bytes before it in its line */
	bool mid_line;          /* something but blanks stands before it there */
	uint8_t n_first;        /* the beginning of the first object: brace to the end of its first key, cut */
	char first[40];
};
struct json_span { size_t start, end; };
/* The next value at or behind text[at]: tokens in t, its place in *ret. JSON_OK: go on at ret->end. JSON_END: nothing but
 * blanks is left. JSON_MORE: only when not final; ret->start is where the bytes begin that must be given again. JSON_BAD or
 * JSON_LIMIT: ret->start is where the broken value begins; go on where json_resync says. */
enum json_status json_next(struct json_stream *s, struct json_tape *t, struct str text, size_t at, bool final, struct json_span *ret);
/* Where a value may begin behind the broken one at text[at]: the next line that begins, at the same column, with an opening
 * bracket; when the broken value stood within a line, the next object with the first key of the stream's first object. text.n
 * when there is none. */
size_t json_resync(const struct json_stream *s, struct str text, size_t at);

/* A token's text as it stands. */
static inline struct str json_raw(struct str text, const struct json_token *token)
{
	return (struct str){text.p + token->start, token->length};
}
/* A string or key: a view of the text when it is plain, else unescaped and repaired in the arena; valid UTF-8 in any case. Other
 * tokens: as json_raw. p == NULL when the arena is full. */
struct str json_decode(struct arena *a, struct str text, const struct json_token *token);
/* Unescapes the inside of a string that json_read accepted, into out[raw.n + UTF_SLACK]; returns the bytes written. \u escapes
 * that are half a surrogate pair become U+FFFD; bytes that are no UTF-8 are kept. */
size_t json_unescape(struct str raw, char *out);
/* The plain reference. */
size_t json_unescape_plain(struct str raw, char *out);
/* Number tokens. False, *ret untouched, when it is no number, no integer, or out of range. */
bool json_to_i64(struct str text, const struct json_token *token, int64_t *ret);
bool json_to_u64(struct str text, const struct json_token *token, uint64_t *ret);
/* The nearest double, infinite when it is out of range; false when it is no number or longer than 1,000 digits. */
bool json_to_double(struct str text, const struct json_token *token, double *ret);
/* The value of the first member `key` of the object at index `object`; NULL when there is none or it is no object. */
const struct json_token *json_get(const struct json_tape *t, struct str text, uint32_t object, struct str key);

/* Walking an object: for (struct json_member m = {0}; json_member_next(t, object, &m);) ... m.key, m.value
 * Walking an array:  for (uint32_t i = array + 1; i < t->v[array].next; i = t->v[i].next) ... t->v[i] */
struct json_member { uint32_t key, value; /* indices */ };
static inline bool json_member_next(const struct json_tape *t, uint32_t object, struct json_member *m)
{
	uint32_t key = m->value ? t->v[m->value].next : object + 1;
	if (t->v[object].type != JSON_OBJECT || key >= t->v[object].next) return false;
	*m = (struct json_member){key, key + 1};
	return true;
}
