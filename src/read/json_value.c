/* json_value.c: tokens as values, times in the forms that JSON logs use. See json_internal.h. */
#include "read/json_internal.h"
#include "text/stamp.h"
#include <stdio.h>
#include "text/json_write.h"
#include "text/utf.h"

static void number_value(struct str text, const struct json_token *token, struct value *ret)
{
	/* The text as the source writes it: a view will do, the window moves on only with the next event. */
	struct str raw = json_raw(text, token);
	value_set_str(ret, raw);
	enum { SURE = 18 }; /* digits that cannot overflow */
	if (!token->flags && raw.n <= SURE) {
		for (size_t i = 0; i < raw.n; i++) ret->i = ret->i * 10 + (raw.p[i] - '0');
		ret->kind = VALUE_INT;
	} else if (token->flags & JSON_REAL) {
		if (json_to_double(text, token, &ret->r)) ret->kind = VALUE_REAL;
	} else if (json_to_i64(text, token, &ret->i)) {
		ret->kind = VALUE_INT;
	} else if (json_to_u64(text, token, &ret->u)) {
		ret->kind = VALUE_UINT;
	} else if (json_to_double(text, token, &ret->r)) {
		ret->kind = VALUE_REAL;
	}
}

static void no_value(struct value *ret, enum value_kind kind)
{
	value_set_str(ret, (struct str){NULL, 0});
	ret->kind = (uint8_t)kind;
	ret->has_text = false;
}

static void scalar_value(struct str text, const struct json_token *token, struct arena *a, struct value *ret)
{
	switch (token->type) {
	case JSON_STRING: value_set_str(ret, json_decode(a, text, token)); break;
	case JSON_NUMBER: number_value(text, token, ret); return;
	case JSON_TRUE: case JSON_FALSE:
		value_set_str(ret, token->type == JSON_TRUE ? STR("true") : STR("false"));
		ret->kind = VALUE_BOOL;
		ret->b = token->type == JSON_TRUE;
		return;
	case JSON_NULL: no_value(ret, VALUE_NULL); return;
	default: value_set_str(ret, utf8_clean(a, json_raw(text, token))); break; /* an object as its own text */
	}
	if (!ret->text.p) no_value(ret, VALUE_ABSENT); /* the batch is full */
}

/* Collects the values at the end of a path, through arrays, or counts them when items is NULL. */
struct gather {
	const struct json_tape *tape;
	struct str text;
	struct arena *a;
	const struct str *sub;
	uint32_t n_sub;
	struct value *items;
	uint32_t n;
};

static void gather(struct gather *g, uint32_t i, uint32_t step)
{
	const struct json_token *v = g->tape->v;
	if (v[i].type == JSON_ARRAY) {
		for (uint32_t k = i + 1; k < v[i].next; k = v[k].next) gather(g, k, step);
		return;
	}
	if (step == g->n_sub) {
		if (g->items) scalar_value(g->text, &v[i], g->a, &g->items[g->n]);
		g->n++;
		return;
	}
	for (struct json_member m = {0}; v[i].type == JSON_OBJECT && json_member_next(g->tape, i, &m);)
		if (str_eq(json_raw(g->text, &v[m.key]), g->sub[step])) gather(g, m.value, step + 1);
}

static void list_value(struct gather *g, uint32_t token, struct value *ret)
{
	*ret = (struct value){.kind = VALUE_ABSENT};
	gather(g, token, 0);
	uint32_t n = g->n;
	if (n == 0 && g->n_sub) return;
	g->items = arena_alloc(g->a, n * sizeof *g->items);
	if (!g->items) return;
	g->n = 0;
	gather(g, token, 0);
	*ret = (struct value){.kind = VALUE_LIST, .n = n, .items = g->items};
}

void json_value(const struct json_tape *tape, struct str text, uint32_t token, struct arena *a, struct value *ret)
{
	if (tape->v[token].type != JSON_ARRAY) {
		scalar_value(text, &tape->v[token], a, ret);
		return;
	}
	struct gather g = {.tape = tape, .text = text, .a = a};
	list_value(&g, token, ret);
}

/* journalctl writes a value that is no text as an array of its bytes; numbers there are written as strings. */
static void bytes_value(struct arena *a, struct value *v)
{
	if (v->kind != VALUE_LIST || !v->n) return;
	for (uint32_t i = 0; i < v->n; i++)
		if (v->items[i].kind != VALUE_INT || v->items[i].i < 0 || v->items[i].i > 255) return;
	char *bytes = arena_alloc(a, v->n);
	if (!bytes) return;
	for (uint32_t i = 0; i < v->n; i++) bytes[i] = (char)v->items[i].i;
	struct str text = utf8_clean(a, (struct str){bytes, v->n});
	if (text.p) *v = value_str(text);
}

void json_leaf_value(const struct json_object *o, uint32_t leaf, struct arena *a, struct value *ret)
{
	const struct json_leaf *l = &o->layout->leaves[leaf];
	uint32_t token = o->places[leaf].token;
	const struct json_token *x = &o->tape.v[token];
	if (x->type == JSON_STRING && !x->flags) {
		value_set_str(ret, json_raw(o->text, x));
		return;
	}
	if (l->n_sub) {
		struct gather g = {.tape = &o->tape, .text = o->text, .a = a, .sub = l->sub, .n_sub = l->n_sub};
		list_value(&g, token, ret);
	} else {
		json_value(&o->tape, o->text, token, a, ret);
	}
	if (o->layout->bytes_as_arrays) bytes_value(a, ret);
}

/* A string or key: as it stands when nothing in it could act on a terminal, else decoded and written anew. */
static void compact_string(struct str text, const struct json_token *token, struct arena *a, struct buf *out)
{
	struct str raw = json_raw(text, token), decoded;
	if (!(token->flags & JSON_NON_ASCII) && !(raw.n && memchr(raw.p, 0x7f, raw.n))) {
		buf_byte(out, '"');
		buf_str(out, raw);
		buf_byte(out, '"');
		return;
	}
	decoded = json_decode(a, text, token);
	json_str(out, decoded.p ? decoded : STR(""));
}

void json_compact(const struct json_tape *tape, struct str text, struct arena *a, struct buf *out)
{
	const struct json_token *v = tape->v;
	struct { uint32_t end; bool object, any; } open[256];
	unsigned depth = 0;
	bool keyed = false; /* the token before is a key */
	for (uint32_t i = 0; i < tape->n; i++) {
		while (depth && open[depth - 1].end == i) buf_byte(out, open[--depth].object ? '}' : ']');
		if (depth && !keyed && open[depth - 1].any) buf_byte(out, ',');
		if (depth) open[depth - 1].any = true;
		keyed = v[i].type == JSON_KEY;
		if (v[i].type == JSON_OBJECT || v[i].type == JSON_ARRAY) {
			buf_byte(out, v[i].type == JSON_OBJECT ? '{' : '[');
			open[depth].end = v[i].next;
			open[depth].object = v[i].type == JSON_OBJECT;
			open[depth++].any = false;
		} else if (keyed || v[i].type == JSON_STRING) {
			compact_string(text, &v[i], a, out);
			if (keyed) buf_byte(out, ':');
		} else {
			buf_str(out, json_raw(text, &v[i]));
		}
	}
	while (depth) buf_byte(out, open[--depth].object ? '}' : ']');
}

/* --- time --- */

static struct etime from_number(uint64_t whole, uint32_t nsec, uint8_t digits)
{
	/* Seconds until the year 5138, then milli-, micro- and nanoseconds: each range begins where the one before ends its use. */
	if (whole < 100000000000ull) return etime_from_unix((int64_t)whole, nsec, digits);
	if (whole < 100000000000000ull) return etime_from_unix((int64_t)(whole / 1000), (uint32_t)(whole % 1000) * 1000000, 3);
	if (whole < 100000000000000000ull) return etime_from_unix((int64_t)(whole / 1000000), (uint32_t)(whole % 1000000) * 1000, 6);
	return etime_from_unix((int64_t)(whole / 1000000000), (uint32_t)(whole % 1000000000), 9);
}

/* The number that eight digits are, at p; false: they are not eight. */
static inline bool take_eight(const char *p, uint64_t *ret)
{
	uint64_t v;
	memcpy(&v, p, 8);
	if (((v & 0xf0f0f0f0f0f0f0f0) | ((v + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4) != 0x3333333333333333) return false;
	/* Pairs, then fours, then all: the first digit is the lowest byte. */
	v = (v & 0x0f0f0f0f0f0f0f0f) * 2561 >> 8;
	v = (v & 0x00ff00ff00ff00ff) * 6553601 >> 16;
	*ret = (v & 0x0000ffff0000ffff) * 42949672960001 >> 32;
	return true;
}

static bool number_time(struct str s, struct etime *ret)
{
	enum { SURE = 18 }; /* digits that cannot overflow */
	uint64_t whole = 0;
	uint32_t nsec = 0, scale = 100000000;
	uint8_t digits = 0;
	size_t plain = s.n >= 8 && take_eight(s.p, &whole) ? 8 : 0;
	for (; plain < s.n && plain < SURE && s.p[plain] >= '0' && s.p[plain] <= '9'; plain++) whole = whole * 10 + (uint64_t)(s.p[plain] - '0');
	if (plain && plain == s.n) {
		if (whole) *ret = from_number(whole, 0, 0);
		return whole != 0;
	}
	size_t dot = str_find_byte(s, '.', 0);
	struct str fraction = dot == SIZE_MAX ? (struct str){"", 0} : str_sub(s, dot + 1, s.n);
	if (!str_u64(str_sub(s, 0, dot), &whole) || whole == 0) return false;
	for (size_t i = 0; i < fraction.n && i < 9; i++, scale /= 10, digits++) {
		if (fraction.p[i] < '0' || fraction.p[i] > '9') return false;
		nsec += scale * (uint32_t)(fraction.p[i] - '0');
	}
	*ret = from_number(whole, nsec, digits);
	return true;
}

/* Number of one or two digits, up to `stop`. */
static bool piece(struct str *s, char stop, unsigned *ret)
{
	uint64_t n;
	struct str part = str_cut(s, stop);
	if (part.n < 1 || part.n > 4 || !str_u64(part, &n)) return false;
	*ret = (unsigned)n;
	return true;
}

/* 1/9/2007 9:41:00 AM +01:00: month first, as the American form has it. */
static bool us_time(struct str s, struct etime *ret, bool *ret_zoned)
{
	char iso[64];
	unsigned month, day, year, hour, minute, second;
	if (!piece(&s, '/', &month) || !piece(&s, '/', &day) || !piece(&s, ' ', &year)) return false;
	struct str clock = str_cut(&s, ' '), half = str_cut(&s, ' ');
	if (!piece(&clock, ':', &hour) || !piece(&clock, ':', &minute) || !piece(&clock, 0, &second)) return false;
	bool pm = str_eq_nocase(half, STR("PM")), am = str_eq_nocase(half, STR("AM"));
	if ((am || pm) && hour == 12) hour = 0;
	if (pm) hour += 12;
	struct str zone = am || pm ? str_trim(s) : half;
	int n = snprintf(iso, sizeof iso, "%04u-%02u-%02uT%02u:%02u:%02u%.*s", year, month, day, hour, minute, second,
		(int)(zone.n < 8 ? zone.n : 8), zone.p ? zone.p : "");
	return n > 0 && etime_parse((struct str){iso, (size_t)n}, ret, ret_zoned);
}

/* Any other form that lines of logs begin with, when it has a year and is all there is. */
static bool stamp_whole(struct str s, struct etime *ret, bool *ret_zoned)
{
	struct stamp t;
	if (s.n < 12 || !stamp_take(s, stamp_day_first(s), &t) || t.n != s.n || !t.c.year || !t.c.month) return false;
	*ret = stamp_time(&t, 0);
	*ret_zoned = t.zoned;
	return ret->present;
}

/* "Mar 3, 2021 @ 06:59:20.123", "March 3rd 2019, 06:59:20.123": what Kibana shows and exports, since version 7 and before; in the browser's zone. */
static bool kibana_time(struct str s, struct etime *ret, bool *ret_zoned)
{
	struct civil c = {.month = stamp_month(s)};
	uint64_t d, y;
	uint32_t nsec = 0;
	uint8_t digits = 0;
	struct str month = str_cut(&s, ' '), day = str_cut(&s, ' '), year = str_cut(&s, ' ');
	size_t n = 0;
	while (n < day.n && day.p[n] >= '0' && day.p[n] <= '9') n++;
	if (year.n == 5 && year.p[4] == ',') year.n--;
	if (str_starts(s, STR("@ "))) s = str_sub(s, 2, s.n);
	if (!c.month || month.n < 3 || !s.p || year.n != 4 || !str_u64(str_sub(day, 0, n), &d) || d > 31 || day.n > n + 3 || !str_u64(year, &y)) return false;
	if (!stamp_clock(&s, &c, &nsec, &digits) || s.n) return false;
	c.year = (int)y;
	c.day = (unsigned)d;
	*ret_zoned = false;
	return etime_from_civil(&c, nsec, digits, ret);
}

bool json_time_as(struct str s, bool day_first, struct etime *ret, bool *ret_zoned)
{
	struct stamp t;
	if (!day_first || !stamp_take(s, true, &t) || t.n != s.n || !t.c.year || t.order == STAMP_NO_ORDER) return json_time(s, false, ret, ret_zoned);
	*ret = stamp_time(&t, 0);
	*ret_zoned = t.zoned;
	return ret->present;
}

bool json_day_first(struct str text)
{
	bool day = false;
	for (size_t at = 0; (at = str_find_byte(text, '/', at)) != SIZE_MAX; at++) {
		size_t from = at >= 2 ? at - 2 : 0;
		while (from < at && (text.p[from] < '0' || text.p[from] > '9')) from++;
		unsigned v[2];
		struct str s = str_sub(text, from, 10), rest = s;
		if (!piece(&rest, '/', &v[0]) || !piece(&rest, '/', &v[1]) || rest.n < 4 || rest.p[0] != '1' + (rest.p[0] == '2')) continue;
		if (v[1] > 12) return false;
		day |= v[0] > 12;
	}
	return day;
}

bool json_time(struct str s, bool number, struct etime *ret, bool *ret_zoned)
{
	*ret_zoned = true;
	if (number) return number_time(s, ret);
	if (etime_parse(s, ret, ret_zoned)) return true;
	*ret_zoned = true;
	if (str_starts(s, STR("/Date("))) {
		struct str inner = str_sub(s, 6, SIZE_MAX);
		return number_time(str_cut(&inner, ')'), ret);
	}
	if (s.n && s.p[0] >= '0' && s.p[0] <= '9' && s.n < 24 && number_time(s, ret)) return true;
	return us_time(s, ret, ret_zoned) || stamp_whole(s, ret, ret_zoned) || kibana_time(s, ret, ret_zoned);
}
