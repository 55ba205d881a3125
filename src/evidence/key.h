/* key: Ed25519 keys (RFC 8032, by libsodium), their names, and the files they live in.
 *
 * Public, one line (C2SP signed-note, "vkey"):      NAME+KEYID+base64(type || public key)
 * Private, one line (as Go's x/mod/sumdb/note):     PRIVATE+KEY+NAME+KEYID+base64(type || seed)
 * KEYID = first four bytes of SHA-256(NAME || 0x0A || type || public key), eight hex digits. Type 01 signs notes (seals), type
 * 04 makes timestamped cosignatures; a party that does both has two keys, because a cosignature does not name its maker.
 * Both types sign DSSE envelopes. Private files are made with mode 0600 and refused when others may read them. */
#pragma once
#include "base/buf.h"
#include "base/fault.h"
#include "evidence/salt.h"

enum key_type { KEY_NOTE = 0x01, KEY_COSIGNER = 0x04 };
enum { KEY_NAME_MAX = 255, KEY_PUBLIC_SIZE = 32, KEY_SEED_SIZE = 32, KEY_SIGNATURE_SIZE = 64 };

struct key_public {
	char name[KEY_NAME_MAX + 1];
	uint32_t id;
	enum key_type type;
	uint8_t key[KEY_PUBLIC_SIZE];
};
struct key_private {
	struct key_public public;
	uint8_t secret[64]; /* seed and public key, as libsodium wants it */
};

/* Not empty, valid UTF-8, no control bytes, no Unicode space, no '+', at most KEY_NAME_MAX bytes. */
bool key_name_ok(struct str name);
uint32_t key_id(struct str name, uint8_t type, const uint8_t *key, size_t n);
/* False and *f: the name is not ok, the type is neither. */
bool key_from_seed(struct str name, enum key_type type, const uint8_t seed[KEY_SEED_SIZE], struct key_private *ret, struct fault *f);
/* A fresh key from the system's random numbers. */
bool key_generate(struct str name, enum key_type type, struct key_private *ret, struct fault *f);
/* Overwrites the secret. */
void key_forget(struct key_private *k);

/* One line, with or without LF. FAULT_SYNTAX: not a key; FAULT_UNSUPPORTED: a type other than 01 and 04 (ECDSA, ML-DSA). */
bool key_public_parse(struct str line, struct key_public *ret, struct fault *f);
void key_public_print(const struct key_public *k, struct buf *out); /* without LF */
bool key_private_parse(struct str line, struct key_private *ret, struct fault *f);
void key_private_print(const struct key_private *k, struct buf *out);

/* Files of one line and LF. Writing never replaces a file (FAULT_IO); reading a private one refuses modes that let others in. */
bool key_private_write(const struct key_private *k, const char *path, struct fault *f);
bool key_private_read(const char *path, struct key_private *ret, struct fault *f);
bool key_public_write(const struct key_public *k, const char *path, struct fault *f);
/* `text` is a vkey, or the path of a file with one. */
bool key_public_read(const char *text, struct key_public *ret, struct fault *f);

void key_sign(const struct key_private *k, const void *message, size_t n, uint8_t ret[KEY_SIGNATURE_SIZE]);
bool key_verify(const struct key_public *k, const void *message, size_t n, const uint8_t signature[KEY_SIGNATURE_SIZE]);

/* The salt key of a case: "exhibit-salt-key-v1 " and 64 hex digits, mode 0600, the same rules. */
void salt_key_generate(struct salt_key *ret);
bool salt_key_write(const struct salt_key *k, const char *path, struct fault *f);
bool salt_key_read(const char *path, struct salt_key *ret, struct fault *f);
