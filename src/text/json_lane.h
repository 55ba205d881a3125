/* json_lane: objects whose keys were met before, read by comparing instead of scanning.
 *
 * Objects of one log mostly have the same keys in the same order: all that stands between two values (`,"Image":`) is then the same bytes.
 * A lane keeps such bytes of objects that json_read accepted, as a tree. An object that follows a path of it is read with a comparison for
 * each key and a look at a bitmap for each string, and gives exactly the tokens that json_read gives. Anything else (another key,
 * what is no escape, a broken string, the text's last 63 bytes) is refused, never judged: json_read is asked then.
 *
 * Not of a kind for it: objects without a value, arrays that hold objects, very long keys. Memory is bounded (LANE_BYTES): when it is used
 * up, and objects go on being refused, the tree is forgotten and begins anew. One thread. */
#pragma once
#include "text/json_read.h"

enum { JSON_LANE_BYTES = 2 << 20 };

struct json_lane;
struct json_lane *json_lane_new(void);
void json_lane_free(struct json_lane *l);
/* Remembers the object that json_read has just put on the tape, with n bytes of the caller's about all objects of its kind (of a kind that is
 * known, those given first are kept). False: it is none for a lane, or there is no room; what json_lane_read gave before may be forgotten. */
bool json_lane_add(struct json_lane *l, const struct json_tape *t, struct str text, const void *about, size_t n);
/* Reads the object that begins at text[at]. The caller's bytes about objects of its kind (valid until the next json_lane_add), and the
 * tape and *ret_end as json_read would leave them. NULL: refused; the tape holds nothing, *ret_end is untouched. */
const void *json_lane_read(struct json_lane *l, struct json_tape *t, struct str text, size_t at, size_t *ret_end);
/* Line ends among the bytes that every object of the kind met last has (there are none in values). */
uint32_t json_lane_lines(const struct json_lane *l);
