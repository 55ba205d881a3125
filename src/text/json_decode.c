/* json_decode.c: what tokens stand for: strings unescaped, numbers read, members found. See json_read.h. */
#include "base/alloc.h"
#include "base/cursor.h"
#include "text/json_read.h"
#include "text/utf.h"

static unsigned hex4(const char *p)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)p[i];
		v = v << 4 | (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
	}
	return v & 0xFFFF;
}

/* What a letter behind a backslash stands for; 0: a number follows. */
static const char letters[256] = {['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};

/* \u at p. Returns the bytes used, *ret_n those written. */
static __attribute__((noinline)) size_t unescape_number(const char *p, const char *end, char *out, size_t *ret_n)
{
	*ret_n = 1;
	if (p[1] != 'u' || end - p < 6) {
		*out = 0;
		return 2;
	}
	uint32_t c = hex4(p + 2);
	size_t used = 6;
	if ((c & 0xFC00) == 0xD800 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
		uint32_t low = hex4(p + 8);
		if ((low & 0xFC00) == 0xDC00) {
			c = 0x10000 + ((c & 0x3FF) << 10 | (low & 0x3FF));
			used = 12;
		}
	}
	*ret_n = utf8_put(c, out);
	return used;
}

/* The escape at p, where at least two bytes are. Returns the bytes used, *ret_n those written. */
static inline size_t unescape_one(const char *p, const char *end, char *out, size_t *ret_n)
{
	char letter = letters[(unsigned char)p[1]];
	*out = letter;
	*ret_n = 1;
	if (letter) return 2;
	return unescape_number(p, end, out, ret_n);
}

size_t json_unescape_plain(struct str raw, char *out)
{
	const char *p = raw.p, *end = raw.n ? p + raw.n : p;
	char *o = out;
	while (p < end) {
		size_t n = 1;
		if (*p != '\\' || end - p < 2) *o = *p++;
		else p += unescape_one(p, end, o, &n);
		o += n;
	}
	return (size_t)(o - out);
}

/* Less than a vector, eight bytes at a time: out has room for more than is written. */
static size_t unescape_short(const char *p, const char *end, char *out)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7f, slash = 0x5c5c5c5c5c5c5c5c;
	char *o = out;
	while (end - p >= 8) {
		uint64_t v = le64_at(p), x = v ^ slash, found = ~(((x & low) + low) | x | low);
		memcpy(o, &v, 8);
		size_t run = found ? (size_t)__builtin_ctzll(found) / 8 : 8, n = 1;
		p += run;
		o += run;
		if (!found) continue;
		if (end - p < 2) break;
		p += unescape_one(p, end, o, &n);
		o += n;
	}
	while (p < end && *p != '\\') *o++ = *p++;
	return (size_t)(o - out) + json_unescape_plain((struct str){p, (size_t)(end - p)}, o);
}

#if defined(__x86_64__)
#include <emmintrin.h>

size_t json_unescape(struct str raw, char *out)
{
	const char *p = raw.p, *end = raw.n ? p + raw.n : p;
	char *o = out;
	while (end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		_mm_storeu_si128((__m128i *)(void *)o, v);
		unsigned slashes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
		if (!slashes) {
			p += 16;
			o += 16;
			continue;
		}
		size_t run = (size_t)__builtin_ctz(slashes), n = 1;
		p += run;
		o += run;
		if (end - p < 2) break;
		p += unescape_one(p, end, o, &n);
		o += n;
	}
	return (size_t)(o - out) + unescape_short(p, end, o);
}
#else
size_t json_unescape(struct str raw, char *out) { return json_unescape_plain(raw, out); }
#endif

struct str json_decode(struct arena *a, struct str text, const struct json_token *token)
{
	struct str raw = json_raw(text, token);
	if (token->type != JSON_STRING && token->type != JSON_KEY) return raw;
	if (token->flags & JSON_ESCAPED) {
		char *out = arena_alloc(a, raw.n + UTF_SLACK);
		if (!out) return (struct str){NULL, 0};
		raw = (struct str){out, json_unescape(raw, out)};
	}
	return token->flags & JSON_NON_ASCII ? utf8_clean(a, raw) : raw;
}

bool json_to_i64(struct str text, const struct json_token *token, int64_t *ret)
{
	return token->type == JSON_NUMBER && str_i64(json_raw(text, token), ret);
}

bool json_to_u64(struct str text, const struct json_token *token, uint64_t *ret)
{
	return token->type == JSON_NUMBER && str_u64(json_raw(text, token), ret);
}

bool json_to_double(struct str text, const struct json_token *token, double *ret)
{
	char copy[1001];
	if (token->type != JSON_NUMBER || token->length >= sizeof copy) return false;
	memcpy(copy, text.p + token->start, token->length);
	copy[token->length] = 0;
	*ret = strtod(copy, NULL);
	return true;
}

static bool key_is(struct str text, const struct json_token *key, struct str wanted)
{
	struct str raw = json_raw(text, key);
	if (!(key->flags & JSON_ESCAPED)) return str_eq(raw, wanted);
	/* Unescaped text is at most as long, and at least a sixth. */
	if (wanted.n > raw.n || wanted.n < raw.n / 6) return false;
	char *out = xmalloc(raw.n + UTF_SLACK);
	bool same = str_eq((struct str){out, json_unescape(raw, out)}, wanted);
	free(out);
	return same;
}

const struct json_token *json_get(const struct json_tape *t, struct str text, uint32_t object, struct str key)
{
	for (struct json_member m = {0}; json_member_next(t, object, &m);)
		if (key_is(text, &t->v[m.key], key)) return &t->v[m.value];
	return NULL;
}
