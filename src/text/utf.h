/* utf: UTF-16LE to UTF-8; validity, repair and caseless folding of UTF-8; steps over code points.
 *
 * The program's text is UTF-8. Bytes from outside become valid UTF-8 once, here, or are shown escaped (text/escape.h).
 * All functions are pure and may be called by any thread. None allocates but those that take an arena. Output never
 * overlaps input. The fast paths (AVX2, SSE, chosen by base/cpu.h) give the same bytes as the plain ones. */
#pragma once
#include "base/arena.h"

/* What becomes of a surrogate without its other half: U+FFFD (valid UTF-8), or three bytes ED A0..BF xx (WTF-8: not valid
 * UTF-8, but nothing is lost; json_str and the like repair it when it is written). */
enum utf_lone { UTF_LONE_REPLACE, UTF_LONE_WTF8 };

/* Fast paths store whole vectors: every `out` below needs this many bytes behind the largest possible text. */
#define UTF_SLACK 64
/* Room for n UTF-16 units; for the folded form of n bytes of UTF-8; for n repaired bytes. */
#define UTF16_ROOM(n_units) ((n_units) * 3 + UTF_SLACK)
#define UTF8_FOLD_ROOM(n) ((n) + (n) / 2 + UTF_SLACK)
#define UTF8_REPAIR_ROOM(n) ((n) * 3 + UTF_SLACK)

/* Converts n_units little-endian UTF-16 units (at any alignment) into out[UTF16_ROOM(n_units)]; returns the bytes written.
 * *ret_ascii (may be NULL) says whether every unit was below 0x80; then the result has n_units bytes. Units of value 0 are
 * converted like any other. Cannot fail. */
size_t utf16le_to_utf8(const void *units, size_t n_units, enum utf_lone lone, char *out, bool *ret_ascii);
/* Converts while units are ASCII into out[n_units + UTF_SLACK]; returns how many were: n_units when all. For callers that
 * do not want to set aside three bytes a unit for text that is nearly always ASCII. */
size_t utf16le_ascii(const void *units, size_t n_units, char *out);
/* The exact number of bytes utf16le_to_utf8 will write. */
size_t utf16le_utf8_size(const void *units, size_t n_units, enum utf_lone lone);
/* Converted into the arena, where it takes no more than it needs, plus UTF_SLACK. p == NULL when the arena is full. */
struct str utf16le_arena(struct arena *a, const void *units, size_t n_units, enum utf_lone lone, bool *ret_ascii);
/* The plain reference of utf16le_to_utf8. */
size_t utf16le_to_utf8_plain(const void *units, size_t n_units, enum utf_lone lone, char *out, bool *ret_ascii);

/* The number of leading bytes below 0x80. */
size_t utf8_ascii_prefix(struct str s);
/* The number of leading bytes that are valid UTF-8 (Unicode 14 table 3-7: no overlong forms, no surrogates); s.n when all are.
 * *ret_ascii (may be NULL) says whether all of these were below 0x80. */
size_t utf8_valid_prefix(struct str s, bool *ret_ascii);
static inline bool utf8_valid(struct str s) { return utf8_valid_prefix(s, NULL) == s.n; }
/* Copies s into out[UTF8_REPAIR_ROOM(s.n)] with U+FFFD for each maximal invalid part (Unicode 14 section 3.9, the way of
 * the WHATWG decoder); returns the bytes written. Valid text comes out unchanged. */
size_t utf8_repair(struct str s, char *out);
/* s itself when it is valid, else a repaired copy in the arena; p == NULL when the arena is full. */
struct str utf8_clean(struct arena *a, struct str s);

/* Returned by utf8_step for bytes that are no character. */
#define UTF8_BAD UINT32_MAX
/* The code point at *at, which moves behind it; *at < end. For invalid bytes UTF8_BAD, and *at moves behind the maximal
 * invalid part (1 to 3 bytes). */
uint32_t utf8_step(const char **at, const char *end);
/* Writes c as UTF-8, returns 1 to 4. Surrogates and numbers above 0x10FFFF give U+FFFD. */
unsigned utf8_put(uint32_t c, char out[4]);
/* The number of code points, each maximal invalid part counted as one. */
size_t utf8_count(struct str s);

/* The caseless form of s into out[UTF8_FOLD_ROOM(s.n)]; returns the bytes written. Two texts that differ in case only have
 * the same form. It is Unicode simple lower-casing, one code point to one, joined with simple case folding, so that final
 * sigma, long s, the Kelvin sign and their like meet their letters (what (?i) of text/regex.h matches is equal here; so
 * non-ASCII letters may become ASCII). Never one to many: sharp s stays. Invalid bytes are kept as they are.
 * Folding twice is folding once. */
size_t utf8_fold(struct str s, char *out);
/* The plain reference of utf8_fold. */
size_t utf8_fold_plain(struct str s, char *out);
/* The same for one code point. */
uint32_t utf_fold_cp(uint32_t c);
/* Folded into the arena; p == NULL when it is full. */
struct str utf8_fold_arena(struct arena *a, struct str s);
