/* glob.c: see glob.h. Two positions, and a way back to the last star: an earlier star need never take more. */
#include "text/glob.h"
#include "text/utf.h"

/* Beside code points. */
#define RUN (UTF8_BAD - 1)
#define ONE (UTF8_BAD - 2)

/* The next element of a pattern; *at < end. Bytes that are no character give UTF8_BAD, and are compared as bytes. */
static uint32_t element(const char **at, const char *end, unsigned flags)
{
	const char *p = *at;
	if (*p == '\\' && !(flags & GLOB_PLAIN) && end - p > 1 && (p[1] == '*' || p[1] == '?' || p[1] == '\\')) {
		*at = p + 2;
		return (unsigned char)p[1];
	}
	uint32_t c = utf8_step(at, end);
	return c == '*' ? RUN : c == '?' ? ONE : c;
}

static bool same(uint32_t a, const char *a_from, const char *a_to, uint32_t b, const char *b_from, const char *b_to, unsigned flags)
{
	if (a == UTF8_BAD || b == UTF8_BAD) return a == b && a_to - a_from == b_to - b_from && !memcmp(a_from, b_from, (size_t)(a_to - a_from));
	return a == b || (flags & GLOB_NOCASE && utf_fold_cp(a) == utf_fold_cp(b));
}

bool glob_match(struct str pattern, struct str text, unsigned flags)
{
	const char *p = pattern.p, *p_end = pattern.n ? p + pattern.n : p, *t = text.p, *t_end = text.n ? t + text.n : t;
	const char *behind_star = NULL, *retry = NULL; /* where the pattern goes on behind its last star, and the text then */
	while (t < t_end) {
		const char *p_next = p, *t_next = t;
		uint32_t want = p < p_end ? element(&p_next, p_end, flags) : UTF8_BAD;
		if (p < p_end && want == RUN) {
			behind_star = p = p_next;
			retry = t;
			continue;
		}
		uint32_t got = utf8_step(&t_next, t_end);
		if (p < p_end && (want == ONE || same(want, p, p_next, got, t, t_next, flags))) {
			p = p_next;
			t = t_next;
			continue;
		}
		if (!behind_star) return false;
		utf8_step(&retry, t_end);
		t = retry;
		p = behind_star;
	}
	while (p < p_end)
		if (element(&p, p_end, flags) != RUN) return false;
	return true;
}

bool glob_has_wildcard(struct str pattern, unsigned flags)
{
	const char *p = pattern.p, *end = pattern.n ? p + pattern.n : p;
	while (p < end) {
		uint32_t c = element(&p, end, flags);
		if (c == RUN || c == ONE) return true;
	}
	return false;
}
