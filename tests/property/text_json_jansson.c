/* text_json_jansson.c: jansson as the oracle of text_json.c; apart, because its header and ours use the same names. */
#include <stdbool.h>
#include <stddef.h>

char *jansson_canonical(const char *text, size_t n);
bool jansson_is_there(void);

#if defined(WITH_JANSSON)
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static void put(FILE *f, const json_t *v)
{
	const char *key;
	json_t *value;
	size_t n;
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		fputc('{', f);
		json_object_foreach((json_t *)v, key, value) {
			fputc('"', f);
			for (const char *p = key; *p; p++) fprintf(f, "%02x", (unsigned char)*p);
			fputc('"', f);
			put(f, value);
		}
		fputc('}', f);
		break;
	case JSON_ARRAY:
		fputc('[', f);
		json_array_foreach((json_t *)v, n, value) put(f, value);
		fputc(']', f);
		break;
	case JSON_STRING:
		fputc('"', f);
		for (n = 0; n < json_string_length(v); n++) fprintf(f, "%02x", (unsigned char)json_string_value(v)[n]);
		fputc('"', f);
		break;
	case JSON_INTEGER:
	case JSON_REAL: fprintf(f, "%.17g ", json_number_value(v)); break;
	case JSON_TRUE: fputs("t ", f); break;
	case JSON_FALSE: fputs("f ", f); break;
	case JSON_NULL: fputs("n ", f); break;
	}
}

char *jansson_canonical(const char *text, size_t n)
{
	char *out = NULL;
	size_t size;
	json_t *v = json_loadb(text, n, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
	if (!v) return NULL;
	FILE *f = open_memstream(&out, &size);
	if (f) {
		put(f, v);
		fclose(f);
	}
	json_decref(v);
	return out;
}
bool jansson_is_there(void) { return true; }
#else
char *jansson_canonical(const char *text, size_t n)
{
	(void)text, (void)n;
	return NULL;
}
bool jansson_is_there(void) { return false; }
#endif
