/* value.c: substitution values to values with text, in the forms of the common EVTX tools (doc/format-evtx.md). */
#include "evtx/narrow_internal.h"
#include "base/cpu.h"
#include "text/utf.h"
#include <math.h>
#include <stdio.h>

static struct str keep(struct arena *a, const char *p, size_t n)
{
	struct str s = arena_str(a, (struct str){p, n});
	return s.p ? s : (struct str){"", 0};
}

/* UTF-16 up to the first NUL. */
static struct str string_text(const uint8_t *p, size_t bytes, struct arena *a, const struct evtx_format_cache *cache)
{
	if (cache->whole_text || cache->lone_surrogates) {
		size_t units = cache->whole_text ? bytes / 2 : utf16_length(p, bytes / 2);
		while (units && !le16_at(p + 2 * (units - 1))) units--; /* those at the end belong to no text */
		struct str whole = utf16le_arena(a, p, units, cache->lone_surrogates ? UTF_LONE_WTF8 : UTF_LONE_REPLACE, NULL);
		return whole.p ? whole : (struct str){"", 0};
	}
	if (cpu_level() > CPU_PLAIN) {
		size_t n = bytes / 2;
		char *out = arena_alloc(a, n + UTF_SLACK);
		if (!out) return (struct str){"", 0};
		size_t good = plain_units(p, n, out);
		if (good == n || !le16_at(p + 2 * good)) return (struct str){out, good};
	}
	struct str s = utf16le_arena(a, p, utf16_length(p, bytes / 2), UTF_LONE_REPLACE, NULL);
	return s.p ? s : (struct str){"", 0};
}

/* Windows-1252 without NULs. */
static struct str ansi_text(const uint8_t *p, size_t n, struct arena *a)
{
	static const uint16_t high[32] = {0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
		0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178};
	char *out = arena_alloc(a, n * 3 + 4);
	size_t o = 0;
	for (size_t i = 0; out && i < n; i++)
		if (p[i]) o += utf8_put(p[i] >= 0x80 && p[i] < 0xa0 ? high[p[i] - 0x80] : p[i], out + o);
	return out ? (struct str){out, o} : (struct str){"", 0};
}

static struct str binary_text(const uint8_t *p, size_t n, struct arena *a)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = arena_alloc(a, n * 2 + 1);
	if (!out) return (struct str){"", 0};
	for (size_t i = 0; i < n; i++) out[i * 2] = digits[p[i] >> 4], out[i * 2 + 1] = digits[p[i] & 15];
	return (struct str){out, n * 2};
}

/* Room for a formatted text in the batch; NULL when it is full. */
static char *text_room(struct arena *a) { return arena_alloc(a, EVTX_TEXT_MAX); }

static struct str between(const char *from, const char *to) { return from ? (struct str){from, (size_t)(to - from)} : (struct str){"", 0}; }

static struct str hex_text(uint64_t v, struct arena *a)
{
	char *p = text_room(a);
	return between(p, p ? format_hex(p, v) : NULL);
}

static struct str guid_text(const uint8_t *g, struct arena *a)
{
	char *p = text_room(a);
	return between(p, p ? format_guid(p, g) : NULL);
}

static struct str sid_text(const uint8_t *s, size_t n, struct arena *a, struct evtx_format_cache *cache)
{
	if (n > EVTX_SID_MAX) return binary_text(s, n, a);
	char *p = text_room(a);
	return between(p, p ? format_sid(p, s, n, cache) : NULL);
}

static struct str filetime_text(uint64_t v, struct arena *a, struct evtx_format_cache *cache)
{
	char *p = text_room(a);
	if (!p || !cache->exact_times) return between(p, p ? format_filetime(p, v, cache) : NULL);
	struct etime t = etime_from_filetime(v);
	if (!t.present) t = (struct etime){-11644473600, 0, 7, true};
	return (struct str){p, etime_print(t, 7, p)};
}

static struct str systemtime_text(const uint8_t *p, struct arena *a, bool exact)
{
	char out[ETIME_MAX];
	struct civil c = {le16_at(p), le16_at(p + 2), le16_at(p + 6), le16_at(p + 8), le16_at(p + 10), le16_at(p + 12)};
	struct etime t;
	if (!etime_from_civil(&c, le16_at(p + 14) % 1000u * 1000000u, 3, &t)) t = (struct etime){-11644473600, 0, 3, true};
	return keep(a, out, etime_print(t, exact ? 7 : 6, out));
}

/* The shortest decimal that reads back as the same float. */
static struct str float_text(float f, struct arena *a)
{
	char out[40];
	struct value v = {.kind = VALUE_REAL, .r = (double)f};
	if (!isfinite(f) || (f == floorf(f) && fabsf(f) < 1e15f)) return value_text(&v, a);
	int digits = 1;
	while (snprintf(out, sizeof out, "%.*g", digits, (double)f), digits < 9 && strtof(out, NULL) != f) digits++;
	return keep(a, out, strlen(out));
}

bool slot_empty(const struct slot *s)
{
	if (s->type == EVTX_NULL || !s->n) return true;
	return s->type == EVTX_STRING && s->n >= 2 && !(s->p[0] | s->p[1]);
}

/* One item of a fixed-width array. */
static uint32_t item_size(uint8_t type)
{
	switch (type) {
	case EVTX_INT8: case EVTX_UINT8: return 1;
	case EVTX_INT16: case EVTX_UINT16: return 2;
	case EVTX_INT32: case EVTX_UINT32: case EVTX_FLOAT: case EVTX_BOOL: case EVTX_HEX32: return 4;
	case EVTX_INT64: case EVTX_UINT64: case EVTX_DOUBLE: case EVTX_FILETIME: case EVTX_HEX64: case EVTX_SIZE: return 8;
	case EVTX_GUID: case EVTX_SYSTEMTIME: return 16;
	default: return 0;
	}
}

bool slot_next_item(struct slot *rest, struct slot *item)
{
	uint8_t type = rest->type & 0x7f;
	uint32_t n = 0, skip;
	if (!rest->n) return false;
	if (type == EVTX_STRING) {
		while (n + 1 < rest->n && (rest->p[n] | rest->p[n + 1])) n += 2;
		skip = n + 2;
	} else if (type == EVTX_ANSI) {
		while (n < rest->n && rest->p[n]) n++;
		skip = n + 1;
	} else if (type == EVTX_SID) {
		n = skip = rest->n >= 8 ? 8 + 4u * rest->p[1] : rest->n;
	} else {
		n = skip = item_size(type) ? item_size(type) : rest->n;
	}
	if (n > rest->n) n = rest->n;
	if (skip > rest->n) skip = rest->n;
	*item = (struct slot){rest->p, (uint16_t)n, type == EVTX_XML ? EVTX_BINARY : type}; /* nobody has seen arrays of XML */
	rest->p += skip;
	rest->n = (uint16_t)(rest->n - skip);
	return true;
}

static void array_value(const struct slot *s, struct arena *a, struct evtx_format_cache *cache, struct value *ret)
{
	struct slot rest = *s, item;
	uint32_t n = 0;
	while (slot_next_item(&rest, &item)) n++;
	struct value *items = arena_calloc(a, n ? n : 1, sizeof *items);
	if (!items) {
		*ret = (struct value){.kind = VALUE_ABSENT};
		return;
	}
	rest = *s;
	for (uint32_t i = 0; i < n && slot_next_item(&rest, &item); i++) slot_value(&item, a, cache, &items[i]);
	if (!n) *ret = value_str((struct str){"", 0});
	else if (n == 1) *ret = items[0];
	else *ret = (struct value){.kind = VALUE_LIST, .n = n, .items = items};
}

void slot_value(const struct slot *s, struct arena *a, struct evtx_format_cache *cache, struct value *ret)
{
	const uint8_t *p = s->p;
	uint32_t need = item_size(s->type);
	/* Member by member: a whole struct put together in narrow pieces and copied in wide ones makes the processor wait. */
	ret->kind = VALUE_STR;
	ret->has_text = true;
	ret->n = 0;
	ret->u = 0;
	ret->text.p = "";
	ret->text.n = 0;
	if (s->type == EVTX_STRING) {
		ret->text = string_text(p, s->n, a, cache);
		return;
	}
	if (s->type & EVTX_ARRAY) {
		array_value(s, a, cache, ret);
		return;
	}
	if (s->type == EVTX_BOOL && s->n == 1) need = 1; /* as [MS-EVEN6] has it; Windows writes four */
	/* Too short for its type: its bytes. */
	if (s->type == EVTX_SIZE ? s->n != 4 && s->n != 8 : need && s->n < need) {
		ret->text = binary_text(p, s->n, a);
		return;
	}
	switch (s->type) {
	case EVTX_ANSI: ret->text = ansi_text(p, s->n, a); return;
	case EVTX_INT8: ret->kind = VALUE_INT; ret->has_text = false; ret->i = (int8_t)p[0]; return;
	case EVTX_UINT8: ret->kind = VALUE_UINT; ret->has_text = false; ret->u = p[0]; return;
	case EVTX_INT16: ret->kind = VALUE_INT; ret->has_text = false; ret->i = (int16_t)le16_at(p); return;
	case EVTX_UINT16: ret->kind = VALUE_UINT; ret->has_text = false; ret->u = le16_at(p); return;
	case EVTX_INT32: ret->kind = VALUE_INT; ret->has_text = false; ret->i = (int32_t)le32_at(p); return;
	case EVTX_UINT32: ret->kind = VALUE_UINT; ret->has_text = false; ret->u = le32_at(p); return;
	case EVTX_INT64: ret->kind = VALUE_INT; ret->has_text = false; ret->i = (int64_t)le64_at(p); return;
	case EVTX_UINT64: ret->kind = VALUE_UINT; ret->has_text = false; ret->u = le64_at(p); return;
	case EVTX_FLOAT: { uint32_t bits = le32_at(p); float f; memcpy(&f, &bits, 4); ret->text = float_text(f, a); return; }
	case EVTX_DOUBLE: { uint64_t bits = le64_at(p); double f; memcpy(&f, &bits, 8); struct value v = {.kind = VALUE_REAL, .r = f}; ret->text = value_text(&v, a); return; }
	case EVTX_BOOL: ret->kind = VALUE_BOOL; ret->has_text = false; ret->b = (s->n < 4 ? p[0] : le32_at(p)) != 0; return;
	case EVTX_BINARY: ret->text = binary_text(p, s->n, a); return;
	case EVTX_GUID: ret->text = guid_text(p, a); return;
	case EVTX_SIZE: ret->text = hex_text(s->n == 4 ? le32_at(p) : le64_at(p), a); return;
	case EVTX_FILETIME: ret->text = filetime_text(le64_at(p), a, cache); return;
	case EVTX_SYSTEMTIME: ret->text = systemtime_text(p, a, cache->exact_times); return;
	case EVTX_SID: ret->text = sid_text(p, s->n, a, cache); return;
	case EVTX_HEX32: ret->text = hex_text(le32_at(p), a); return;
	case EVTX_HEX64: ret->text = hex_text(le64_at(p), a); return;
	case EVTX_NULL: case EVTX_XML: return;
	default: ret->text = binary_text(p, s->n, a); return; /* a type that nobody has seen (handles, EvtXml): its bytes */
	}
}
