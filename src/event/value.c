/* value.c: a value as text and as JSON. See value.h. */
#include "event/value.h"
#include <math.h>
#include <stdio.h>

/* The shortest decimal that reads back as the same double. */
static size_t real_print(double r, char out[40])
{
	if (isnan(r)) return (size_t)snprintf(out, 40, "NaN");
	if (isinf(r)) return (size_t)snprintf(out, 40, r < 0 ? "-Infinity" : "Infinity");
	if (r == floor(r) && fabs(r) < 1e15) return (size_t)snprintf(out, 40, "%.0f", r);
	for (int digits = 6; digits < 17; digits++) {
		size_t n = (size_t)snprintf(out, 40, "%.*g", digits, r);
		if (strtod(out, NULL) == r) return n;
	}
	return (size_t)snprintf(out, 40, "%.17g", r);
}

static size_t digits(char *out, uint64_t v, bool negative)
{
	char text[20];
	size_t at = sizeof text, n = 0;
	do text[--at] = (char)('0' + v % 10); while ((v /= 10));
	if (negative) out[n++] = '-';
	memcpy(out + n, text + at, sizeof text - at);
	return n + sizeof text - at;
}

struct str value_text(struct value *v, struct arena *a)
{
	char out[40];
	size_t n = 0;
	if (v->has_text) return v->text;
	switch ((enum value_kind)v->kind) {
	case VALUE_INT: n = digits(out, v->i < 0 ? 0 - (uint64_t)v->i : (uint64_t)v->i, v->i < 0); break;
	case VALUE_UINT: n = digits(out, v->u, false); break;
	case VALUE_REAL: n = real_print(v->r, out); break;
	case VALUE_BOOL: v->text = v->b ? STR("true") : STR("false"); v->has_text = true; return v->text;
	case VALUE_UNREAD: case VALUE_ABSENT: case VALUE_NULL: case VALUE_LIST: return (struct str){"", 0};
	case VALUE_STR: return v->text;
	}
	struct str kept = arena_str(a, (struct str){out, n});
	if (!kept.p) return (struct str){"", 0};
	v->text = kept;
	v->has_text = true;
	return kept;
}
