/* key.c: see key.h. */
#include "evidence/key.h"
#include "evidence/b64_internal.h"
#include <sodium.h>
#include "base/file.h"
#include "base/sha256.h"
#include "text/utf.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char private_prefix[] = "PRIVATE+KEY+";
static const char salt_prefix[] = "exhibit-salt-key-v1 ";

/* Unicode White_Space. */
static bool is_space(uint32_t c)
{
	return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
		c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool key_name_ok(struct str name)
{
	if (!name.n || name.n > KEY_NAME_MAX) return false;
	for (const char *at = name.p, *end = name.p + name.n; at < end;) {
		uint32_t c = utf8_step(&at, end);
		if (c == UTF8_BAD || c < 0x20 || c == '+' || is_space(c)) return false;
	}
	return true;
}

uint32_t key_id(struct str name, uint8_t type, const uint8_t *key, size_t n)
{
	uint8_t digest[SHA256_SIZE];
	struct buf b = {0};
	buf_str(&b, name);
	buf_byte(&b, '\n');
	buf_byte(&b, (char)type);
	buf_put(&b, key, n);
	sha256_of(b.p, b.n, digest);
	buf_done(&b);
	return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 | digest[3];
}

bool key_from_seed(struct str name, enum key_type type, const uint8_t seed[KEY_SEED_SIZE], struct key_private *ret, struct fault *f)
{
	if (!key_name_ok(name)) {
		fault_set(f, FAULT_USAGE, "'%.*s' cannot name a key: no blanks, no '+', at most %d bytes; like cert.example/team", STR_FMT(name), KEY_NAME_MAX);
		return false;
	}
	if (type != KEY_NOTE && type != KEY_COSIGNER) {
		fault_set(f, FAULT_UNSUPPORTED, "keys of type %02x are not handled", (unsigned)type);
		return false;
	}
	memset(ret, 0, sizeof *ret);
	memcpy(ret->public.name, name.p, name.n);
	ret->public.type = type;
	crypto_sign_seed_keypair(ret->public.key, ret->secret, seed);
	ret->public.id = key_id(name, (uint8_t)type, ret->public.key, KEY_PUBLIC_SIZE);
	return true;
}

bool key_generate(struct str name, enum key_type type, struct key_private *ret, struct fault *f)
{
	uint8_t seed[KEY_SEED_SIZE];
	randombytes_buf(seed, sizeof seed);
	bool ok = key_from_seed(name, type, seed, ret, f);
	sodium_memzero(seed, sizeof seed);
	return ok;
}

void key_forget(struct key_private *k) { sodium_memzero(k, sizeof *k); }

/* NAME+KEYID+base64(type || 32 bytes). */
static bool parse_parts(struct str line, struct str *ret_name, uint32_t *ret_id, uint8_t bytes[33], struct fault *f)
{
	struct str rest = str_trim(line), name = str_cut(&rest, '+');
	struct str id = rest.p ? str_cut(&rest, '+') : rest;
	uint64_t id_value;
	size_t n;
	uint8_t wide[2048 + 6];
	if (!rest.p || !key_name_ok(name) || id.n != 8 || !str_hex64(id, &id_value) || !b64_decode(rest, wide, 2048, &n) || n < 2) {
		fault_set(f, FAULT_SYNTAX, "not a key: NAME+8 hex digits+base64 expected");
		return false;
	}
	if ((wide[0] != KEY_NOTE && wide[0] != KEY_COSIGNER) || n != 33) {
		fault_set(f, FAULT_UNSUPPORTED, "keys of type %02x with %zu bytes are not handled; Ed25519 (01, 04) is", wide[0], n - 1);
		return false;
	}
	memcpy(bytes, wide, 33);
	*ret_name = name;
	*ret_id = (uint32_t)id_value;
	return true;
}

static bool wrong_id(struct fault *f)
{
	fault_set(f, FAULT_VERIFY, "the key's id does not belong to its name and bytes");
	return false;
}

bool key_public_parse(struct str line, struct key_public *ret, struct fault *f)
{
	struct str name;
	uint32_t id;
	uint8_t bytes[33];
	if (!parse_parts(line, &name, &id, bytes, f)) return false;
	if (key_id(name, bytes[0], bytes + 1, KEY_PUBLIC_SIZE) != id) return wrong_id(f);
	memset(ret, 0, sizeof *ret);
	memcpy(ret->name, name.p, name.n);
	ret->id = id;
	ret->type = bytes[0];
	memcpy(ret->key, bytes + 1, KEY_PUBLIC_SIZE);
	return true;
}

static void print_parts(const struct key_public *k, const uint8_t *bytes, struct buf *out)
{
	uint8_t all[33] = {(uint8_t)k->type};
	memcpy(all + 1, bytes, 32);
	buf_printf(out, "%s+%08x+", k->name, k->id);
	buf_b64(out, all, sizeof all);
	sodium_memzero(all, sizeof all);
}

void key_public_print(const struct key_public *k, struct buf *out) { print_parts(k, k->key, out); }

bool key_private_parse(struct str line, struct key_private *ret, struct fault *f)
{
	struct str s = str_trim(line), name;
	uint32_t id;
	uint8_t bytes[33];
	if (!str_starts(s, STR(private_prefix))) {
		fault_set(f, FAULT_SYNTAX, "not a private key: it begins with %s", private_prefix);
		return false;
	}
	bool ok = parse_parts(str_sub(s, sizeof private_prefix - 1, SIZE_MAX), &name, &id, bytes, f) &&
		key_from_seed(name, bytes[0], bytes + 1, ret, f);
	sodium_memzero(bytes, sizeof bytes);
	if (ok && ret->public.id != id) return wrong_id(f);
	return ok;
}

void key_private_print(const struct key_private *k, struct buf *out)
{
	buf_put(out, private_prefix, sizeof private_prefix - 1);
	print_parts(&k->public, k->secret, out);
}

static bool write_line(const char *path, struct buf *line, mode_t mode, struct fault *f)
{
	buf_byte(line, '\n');
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	bool ok = fd >= 0 && fchmod(fd, mode) == 0;
	for (size_t at = 0; ok && at < line->n;) {
		ssize_t did = write(fd, line->p + at, line->n - at);
		if (did < 0 && errno == EINTR) continue;
		ok = did > 0;
		if (ok) at += (size_t)did;
	}
	ok = ok && fsync(fd) == 0;
	if (!ok) {
		fault_set(f, FAULT_IO, "cannot write the key");
		if (f) fault_path(f, str_of(path));
		if (fd >= 0) unlink(path);
	}
	if (fd >= 0) close(fd);
	sodium_memzero(line->p, line->n);
	buf_done(line);
	return ok;
}

/* The file's text, when only its owner may read it (secret) and it is small. */
static bool read_line(const char *path, bool secret, char **ret, size_t *ret_n, struct fault *f)
{
	struct stat st;
	if (!file_slurp(path, 8192, ret, ret_n, f)) return false;
	if (!secret || (stat(path, &st) == 0 && !(st.st_mode & 077))) return true;
	sodium_memzero(*ret, *ret_n);
	free(*ret);
	fault_set(f, FAULT_STATE, "others may read this secret key (mode %03o): chmod 600", st.st_mode & 0777);
	if (f) fault_path(f, str_of(path));
	return false;
}

bool key_private_write(const struct key_private *k, const char *path, struct fault *f)
{
	struct buf b = {0};
	key_private_print(k, &b);
	return write_line(path, &b, 0600, f);
}

bool key_private_read(const char *path, struct key_private *ret, struct fault *f)
{
	char *text;
	size_t n;
	if (!read_line(path, true, &text, &n, f)) return false;
	bool ok = key_private_parse((struct str){text, n}, ret, f);
	sodium_memzero(text, n);
	free(text);
	if (!ok && f) fault_path(f, str_of(path));
	return ok;
}

bool key_public_write(const struct key_public *k, const char *path, struct fault *f)
{
	struct buf b = {0};
	key_public_print(k, &b);
	return write_line(path, &b, 0644, f);
}

bool key_public_read(const char *text, struct key_public *ret, struct fault *f)
{
	char *bytes;
	size_t n;
	if (key_public_parse(str_of(text), ret, NULL)) return true;
	if (access(text, F_OK) != 0) return key_public_parse(str_of(text), ret, f);
	if (!read_line(text, false, &bytes, &n, f)) return false;
	bool ok = key_public_parse((struct str){bytes, n}, ret, f);
	free(bytes);
	if (!ok && f) fault_path(f, str_of(text));
	return ok;
}

void key_sign(const struct key_private *k, const void *message, size_t n, uint8_t ret[KEY_SIGNATURE_SIZE])
{
	crypto_sign_detached(ret, NULL, message, n, k->secret);
}

bool key_verify(const struct key_public *k, const void *message, size_t n, const uint8_t signature[KEY_SIGNATURE_SIZE])
{
	return crypto_sign_verify_detached(signature, message, n, k->key) == 0;
}

void salt_key_generate(struct salt_key *ret) { randombytes_buf(ret->b, sizeof ret->b); }

bool salt_key_write(const struct salt_key *k, const char *path, struct fault *f)
{
	struct buf b = {0};
	buf_put(&b, salt_prefix, sizeof salt_prefix - 1);
	buf_hex(&b, k->b, sizeof k->b);
	return write_line(path, &b, 0600, f);
}

bool salt_key_read(const char *path, struct salt_key *ret, struct fault *f)
{
	char *text;
	size_t n, got = 0;
	const char *end;
	if (!read_line(path, true, &text, &n, f)) return false;
	struct str s = str_trim((struct str){text, n}), hex = str_sub(s, sizeof salt_prefix - 1, SIZE_MAX);
	bool ok = str_starts(s, STR(salt_prefix)) && hex.n == 2 * sizeof ret->b &&
		sodium_hex2bin(ret->b, sizeof ret->b, hex.p, hex.n, NULL, &got, &end) == 0 && got == sizeof ret->b && end == hex.p + hex.n;
	sodium_memzero(text, n);
	free(text);
	if (!ok) {
		fault_set(f, FAULT_SYNTAX, "not a salt key: '%s' and 64 hex digits expected", salt_prefix);
		if (f) fault_path(f, str_of(path));
	}
	return ok;
}
