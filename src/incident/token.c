/* token.c: decodings that Sigma cannot say: the token of remote PowerShell, and queries in EBCDIC. See incident_internal.h. */
#include "incident/incident_internal.h"
#include "base/cursor.h"
#include "text/base64.h"

/* --- X-Rps-CAT: a serialised access token in base64: letters that name a part, then the part. Strings have one length byte. --- */

static bool take_string(struct cursor *c, char *out, size_t max)
{
	uint8_t n;
	struct str s;
	if (!cursor_u8(c, &n) || !cursor_bytes(c, n, &s)) return false;
	if (!out) return true;
	if (s.n >= max) s.n = max - 1;
	memcpy(out, s.p, s.n);
	out[s.n] = 0;
	return true;
}

/* One part; false at the end or where the text is no token. */
static bool take_part(struct cursor *c, struct cat_token *ret)
{
	uint8_t letter;
	if (!cursor_u8(c, &letter)) return false;
	switch (letter) {
	case 'V': return cursor_skip(c, 2);
	case 'T': case 'A': return take_string(c, NULL, 0);
	case 'C': return cursor_u8(c, &letter) && letter == 0; /* the rest is compressed: not read */
	case 'L': return take_string(c, ret->name, sizeof ret->name);
	case 'U': return take_string(c, ret->sid, sizeof ret->sid);
	case 'G': return cursor_u32(c, &ret->groups) && false;  /* nothing behind it matters here */
	default: return false;
	}
}

/* The part of a name that a person logs on with: "EXAMPLE\\bob", "bob@example.org" -> "bob". */
static struct str local_part(struct str name)
{
	size_t slash = str_find_byte(name, '\\', 0);
	if (slash != SIZE_MAX) name = str_sub(name, slash + 1, SIZE_MAX);
	return str_sub(name, 0, str_find_byte(name, '@', 0));
}

bool token_look(struct str query, struct cat_token *ret)
{
	size_t at = find_nocase(query, "X-Rps-CAT=");
	if (at == SIZE_MAX) return false;
	struct str text = str_sub(query, at + strlen("X-Rps-CAT="), SIZE_MAX);
	size_t end = 0;
	while (end < text.n && text.p[end] != '&' && text.p[end] != ';' && text.p[end] != ' ') end++;
	char plain[2048], bytes[BASE64_BYTES(sizeof plain)];
	size_t n_plain = path_decode(str_sub(text, 0, end), plain, sizeof plain), n = 0;
	n_plain -= n_plain % 4; /* a token cut by the log's own limit: what is there of it */
	if (!base64_decode((struct str){plain, n_plain}, BASE64_LENIENT, bytes, &n)) return false;
	struct cursor c = cursor_of(bytes, n);
	*ret = (struct cat_token){0};
	while (take_part(&c, ret)) continue;
	if (!ret->name[0] || !ret->sid[0]) return false;
	ret->forged = ends_nocase(str_of(ret->sid), "-500") && !str_eq_nocase(local_part(str_of(ret->name)), STR("administrator"));
	return true;
}

/* --- IBM037. A query in it is logged as UTF-8 of the characters that its bytes stand for, percent-encoded. --- */

/* The byte that a Latin-1 character has in code page 037. */
static const uint8_t to_037[256] = {
	0, 1, 2, 3, 55, 45, 46, 47, 22, 5, 37, 11, 12, 13, 14, 15, 16, 17, 18, 19,
	60, 61, 50, 38, 24, 25, 63, 39, 28, 29, 30, 31, 64, 90, 127, 123, 91, 108, 80, 125,
	77, 93, 92, 78, 107, 96, 75, 97, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 122, 94,
	76, 126, 110, 111, 124, 193, 194, 195, 196, 197, 198, 199, 200, 201, 209, 210, 211, 212, 213, 214,
	215, 216, 217, 226, 227, 228, 229, 230, 231, 232, 233, 186, 224, 187, 176, 109, 121, 129, 130, 131,
	132, 133, 134, 135, 136, 137, 145, 146, 147, 148, 149, 150, 151, 152, 153, 162, 163, 164, 165, 166,
	167, 168, 169, 192, 79, 208, 161, 7, 32, 33, 34, 35, 36, 21, 6, 23, 40, 41, 42, 43,
	44, 9, 10, 27, 48, 49, 26, 51, 52, 53, 54, 8, 56, 57, 58, 59, 4, 20, 62, 255,
	65, 170, 74, 177, 159, 178, 106, 181, 189, 180, 154, 138, 95, 202, 175, 188, 144, 143, 234, 250,
	190, 160, 182, 179, 157, 218, 155, 139, 183, 184, 185, 171, 100, 101, 98, 102, 99, 103, 158, 104,
	116, 113, 114, 115, 120, 117, 118, 119, 172, 105, 237, 238, 235, 239, 236, 191, 128, 253, 254, 251,
	252, 173, 174, 89, 68, 69, 66, 70, 67, 71, 156, 72, 84, 81, 82, 83, 88, 85, 86, 87,
	140, 73, 205, 206, 203, 207, 204, 225, 112, 221, 222, 219, 220, 141, 142, 223,
};

/* UTF-8 of Latin-1 characters back to bytes of code page 037; 0 when it is no such text. */
static size_t encode_037(const char *s, size_t n, char *out)
{
	size_t k = 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)s[i];
		if (c >= 0x80) {
			if ((c & 0xfe) != 0xc2 || i + 1 >= n || ((uint8_t)s[i + 1] & 0xc0) != 0x80) return 0;
			c = (uint8_t)((c & 3) << 6 | ((uint8_t)s[++i] & 0x3f));
		}
		out[k++] = (char)to_037[c];
	}
	return k;
}

size_t ebcdic_look(struct str query, char *out, size_t max)
{
	char decoded[600], text[600];
	if (!query.n || !(has_nocase(query, "%C2%") || has_nocase(query, "%C3%"))) return 0;
	if (query.p[0] == '?') query = str_sub(query, 1, SIZE_MAX);
	size_t stop = find_nocase(query, "&CorrelationID="); /* Exchange's own tail is plain */
	size_t n = path_decode(str_sub(query, 0, stop), decoded, sizeof decoded);
	size_t k = encode_037(decoded, n, text);
	struct str plain = {text, k};
	if (!k || !(has_nocase(plain, "autodiscover") || has_nocase(plain, "powershell"))) return 0;
	if (k > max) k = max;
	memcpy(out, text, k);
	return k;
}
