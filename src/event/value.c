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

struct str value_text(struct value *v, struct arena *a)
{
	char out[40];
	size_t n = 0;
	if (v->has_text) return v->text;
	switch ((enum value_kind)v->kind) {
	case VALUE_INT: n = (size_t)snprintf(out, sizeof out, "%lld", (long long)v->i); break;
	case VALUE_UINT: n = (size_t)snprintf(out, sizeof out, "%llu", (unsigned long long)v->u); break;
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
