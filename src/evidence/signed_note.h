/* signed_note: text with signatures of known keys below it (C2SP signed-note); checkpoints (C2SP tlog-checkpoint) and cosignatures
 * (C2SP tlog-cosignature, cosignature/v1).
 *
 *	text, ends with LF
 *	(empty line)
 *	— NAME base64(be32(key id) || signature)        one line a signature; the dash is U+2014
 *
 * Type 01 signs the text. Type 04 signs "cosignature/v1\n" "time SECONDS\n" and the text, its signature is be64(SECONDS) and 64
 * bytes. Signatures of keys nobody named are ignored; a named key whose signature does not hold spoils the whole note.
 * Parsed structures are views into the bytes given. Pure functions, any thread. */
#pragma once
#include "evidence/key.h"
#include "evidence/merkle.h"

enum { NOTE_MAX_SIGNATURES = 64, NOTE_MAX_SIZE = 1 << 20 };

struct signed_note_line { struct str name, base64; uint32_t id; };
struct signed_note {
	struct str text;         /* with its last LF */
	struct str signed_part;  /* text and the first signature line, without the others: what a timestamp is asked for */
	struct signed_note_line lines[NOTE_MAX_SIGNATURES];
	uint32_t n_lines;
};
/* FAULT_SYNTAX, with line, when the bytes are no signed note; FAULT_LIMIT beyond the limits above. */
bool signed_note_parse(struct str bytes, struct signed_note *ret, struct fault *f);

enum signed_note_verdict { NOTE_UNKNOWN /* no line of this key */, NOTE_GOOD, NOTE_BAD };
/* What the note says for one key. *ret_time (may be NULL) is the cosignature's, 0 for type 01. */
enum signed_note_verdict signed_note_check(const struct signed_note *n, const struct key_public *key, uint64_t *ret_time);

/* Appends the signature line of `key` over `text` (which ends in LF). `time` is for type 04: seconds since 1970, below 2^63. */
void signed_note_sign(struct str text, const struct key_private *key, uint64_t time, struct buf *out);

struct checkpoint {
	struct str origin;
	uint64_t size;
	struct hash root;
	struct str extensions;   /* further lines, with their LFs; normally empty */
};
/* The text of a note as a checkpoint. FAULT_SYNTAX and line otherwise. */
bool checkpoint_parse(struct str text, struct checkpoint *ret, struct fault *f);
/* The text, with its last LF. */
void checkpoint_print(const struct checkpoint *c, struct buf *out);
