/* hashes: the parts of what Sysmon writes as one field (Hashes, Hash: "SHA1=..,MD5=..,SHA256=..,IMPHASH=..") under the names rules have for them.
 *
 * A reader whose shape has such a column adds these names behind the event's own as hidden columns: they cost nothing until a rule asks. Any thread. */
#pragma once
#include "event/value.h"

enum { HASH_NAMES = 9 };
/* md5, sha1, sha256, Imphash (Sigma's taxonomy), and the spellings that rules elsewhere use. */
extern const char *const hash_names[HASH_NAMES];
/* Whether a column of this name may hold them. */
bool hash_is_whole(struct str column);
/* The part that hash_names[which] means; VALUE_ABSENT when `whole` has none, or is no such text. A view into `whole`. */
void hash_part(const struct value *whole, unsigned which, struct value *ret);
