/* random.c: see random.h. */
#include "tests/oracle/random.h"
#include "base/alloc.h"
#include "text/json_write.h"
#include "text/utf.h"
#include <stdio.h>

enum { FIELDS = 9, SERVICES = 3 };
static const char *const field_names[FIELDS] = {"Image", "CommandLine", "ParentImage", "Data", "EventID", "DestinationIp", "UtcTime", "a.b", "User"};

uint64_t random_next(struct random_world *w)
{
	/* splitmix64 */
	uint64_t z = w->state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t random_below(struct random_world *w, uint32_t n) { return (uint32_t)(random_next(w) >> 33) % n; }
static bool chance(struct random_world *w, uint32_t percent) { return random_below(w, 100) < percent; }

static void *take(struct random_world *w, size_t count, size_t size)
{
	void *p = arena_calloc(&w->arena, count ? count : 1, size);
	verify(p);
	return p;
}

static struct str keep(struct random_world *w, struct str s)
{
	struct str copy = arena_str(&w->arena, s);
	verify(copy.p);
	return copy;
}

/* One "letter" of an alphabet. */
static struct str letter(struct random_world *w, int alphabet)
{
	static const char *const sets[][16] = {
		{"a", "b"},
		{"a", "A", "b", "B", "\\", ".", " ", "-", "/", "e", "x", "s", "h", "l", "1", "0"},
		{"k", "K", "\xe2\x84\xaa" /* Kelvin */, "s", "\xc5\xbf" /* long s */, "\xc3\xa9", "\xc3\x89", "\xcf\x83", "\xcf\x82", "\xce\xa3",
			"\xc4\xb0", "\xc3\x9f", "\xe1\xba\x9e", "\xf0\x9f\x98\x80", "\xe6\x97\xa5", "\xd0\x96"},
		{"\n", "\r", "\t", "a", "*", "?", "\"", "\x01", "{", "}", "|", "=", "&", "\x7f", "\xc2\x80", "\xef\xbf\xbd"},
		{"a", "bc", "de", "f", "abc", "x", "\\cmd", ".exe", "\\system32", "powershell", " -e", "http", "c:", "win", "dows", "\\"},
	};
	uint32_t n = alphabet == 0 ? 2 : 16;
	if (alphabet == 3 && chance(w, 6)) return (struct str){"\0", 1};
	return str_of(sets[alphabet][random_below(w, n)]);
}

static struct str word(struct random_world *w, uint32_t max)
{
	struct buf b = {0};
	int alphabet = (int)random_below(w, 5);
	uint32_t n = random_below(w, max + 1);
	for (uint32_t i = 0; i < n; i++) buf_str(&b, letter(w, alphabet));
	struct str s = keep(w, buf_view(&b));
	buf_done(&b);
	return s;
}

static void make_literals(struct random_world *w)
{
	while (w->n_literals < COUNT(w->literals)) {
		uint32_t kind = random_below(w, 10);
		struct str s = word(w, kind < 4 ? 4 : kind < 9 ? 12 : 150);
		/* Related literals: parts of and around earlier ones. */
		if (w->n_literals && chance(w, 30)) {
			struct str other = w->literals[random_below(w, w->n_literals)];
			struct buf b = {0};
			if (chance(w, 50)) buf_str(&b, str_sub(other, random_below(w, (uint32_t)other.n + 1), SIZE_MAX));
			else buf_str(&b, other), buf_str(&b, s);
			char clean[UTF8_REPAIR_ROOM(4096)];
			s = keep(w, (struct str){clean, utf8_repair(str_sub(buf_view(&b), 0, 4096), clean)});
			buf_done(&b);
		}
		if (s.n) w->literals[w->n_literals++] = s;
	}
}

static struct str literal(struct random_world *w) { return w->literals[random_below(w, w->n_literals)]; }

/* The same text with the case of ASCII letters turned at random. */
static void other_case(struct random_world *w, struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool alpha = (c | 32) >= 'a' && (c | 32) <= 'z';
		buf_byte(out, (char)(alpha && chance(w, 30) ? c ^ 32 : c));
	}
}

static struct str number_text(struct random_world *w)
{
	static const char *const texts[] = {"0", "-0", "1", "4625", "4625.0", "4625.5", "0x10", "16", "007", "-7", "9223372036854775807",
		"9223372036854775808", "-9223372036854775808", "18446744073709551615", "18446744073709551616", "1e3", "1000", "", ".5", "5.", "0.1", "+5", " 5",
		"9007199254740993", "9007199254740992.0", "NaN", "inf"};
	return str_of(texts[random_below(w, COUNT(texts))]);
}

static struct str address_text(struct random_world *w)
{
	static const char *const texts[] = {"10.0.0.1", "10.1.2.3", "192.168.1.255", "192.168.01.1", "256.1.1.1", "::1", "fe80::1", "FE80::abcd:1", "::ffff:10.0.0.1",
		"2001:db8::", "2001:db8:0:0:0:0:0:1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::2::3", "12345::", ":1::", "1:", "fe80::1%2",
		"1.2.3", "1.2.3.4.5", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "10.0.0.1 ", "::", "1:2:3:4:5:6:7:8:9", "0:0:0:0:0:0:0:0::"};
	return str_of(texts[random_below(w, COUNT(texts))]);
}

static struct str time_text(struct random_world *w)
{
	static const char *const texts[] = {"2021-03-03 06:59:20.359", "2021-01-01T00:00:00Z", "2020-12-31", "2016-01-03T23:59:59+02:00", "1609459200", "1609459200000",
		"2021-13-01", "yesterday", "2024-02-29T12:30:00.5-0730", "-1", "2021-03-03T06:59", "0", "2018-12-31"};
	return str_of(texts[random_below(w, COUNT(texts))]);
}

/* ---- rules ---- */

static void set_pieces(struct random_world *w, struct leaf *l)
{
	uint32_t form = random_below(w, 10), n = 0;
	struct piece *p = take(w, 12, sizeof *p);
	uint32_t runs = form < 8 ? 1 : 1 + random_below(w, 3);
	bool front = form == 1 || form == 2 || form == 3 || chance(w, 20), back = form == 0 || form == 2 || form == 3 || chance(w, 20);
	if (form == 4) front = back = false;
	if (front) p[n++].kind = PIECE_ANY;
	for (uint32_t i = 0; i < runs; i++) {
		if (i) p[n++].kind = PIECE_ANY;
		if (form >= 7 && chance(w, 40)) p[n++].kind = PIECE_ONE;
		struct str s = literal(w);
		l->written = s;
		if (!l->cased) {
			char *folded = take(w, UTF8_FOLD_ROOM(s.n), 1);
			s = (struct str){folded, utf8_fold(s, folded)};
		}
		p[n++] = (struct piece){PIECE_LITERAL, s};
		if (form >= 7 && chance(w, 40)) p[n++].kind = PIECE_ONE;
	}
	if (back) p[n++].kind = PIECE_ANY;
	if (chance(w, 2)) n = front; /* nothing, or '*' alone */
	l->pieces = p;
	l->n_pieces = n;
}

static void set_number(struct random_world *w, struct leaf *l)
{
	static const int64_t ints[] = {0, 1, 16, 7, -7, 4625, 1000, INT64_MAX, INT64_MIN, 9007199254740993};
	static const double reals[] = {4625.5, 0.1, 9007199254740992.0, 18446744073709551616.0, -0.0, 5.0, 1e300};
	char text[64];
	l->is_integer = chance(w, 75);
	l->integer = ints[random_below(w, COUNT(ints))];
	l->real = reals[random_below(w, COUNT(reals))];
	if (l->is_integer) snprintf(text, sizeof text, "%lld", (long long)l->integer);
	else snprintf(text, sizeof text, "%.17g", l->real);
	l->written = keep(w, l->is_integer && l->integer == 16 && chance(w, 50) ? STR("0x10") : str_of(text));
}

static void set_net(struct random_world *w, struct leaf *l)
{
	static const struct { uint8_t net[16]; uint8_t bits; bool v6; } nets[] = {{{10}, 8, false}, {{192, 168}, 16, false}, {{192, 168, 1, 255}, 32, false}, {{0}, 0, false},
		{{10, 0, 0, 0}, 30, false}, {{0}, 0, true}, {{[15] = 1}, 128, true}, {{0xfe, 0x80}, 10, true}, {{0x20, 1, 0x0d, 0xb8}, 32, true},
		{{0, 1, 0, 2}, 31, true}};
	uint32_t i = random_below(w, COUNT(nets));
	memcpy(l->net, nets[i].net, 16);
	l->net_bits = nets[i].bits;
	l->net_v6 = nets[i].v6;
	l->written = STR("a net");
}

static const char *const regexes[] = {"a+b", "(?i)POWER", "^a", "b$", "\\\\cmd\\.exe", "[a-f]{3}", "a.b", "(ab|ba)x", "s", "\\d+", "\xc3\xa9|k", "(?i)\xc3\x89|\xc3\x9f", "^$", "x*",
	"a\\nb", "sh.*l"};

static enum leaf_kind any_kind(struct random_world *w)
{
	static const enum leaf_kind rare[] = {LEAF_NUMBER, LEAF_BOOL, LEAF_NULL, LEAF_EMPTY, LEAF_CIDR, LEAF_COMPARE, LEAF_EXISTS, LEAF_FIELDREF, LEAF_TIMEPART, LEAF_NEVER, LEAF_REGEX,
		LEAF_NUMBER, LEAF_REGEX};
	return chance(w, 65) ? LEAF_STRING : rare[random_below(w, COUNT(rare))];
}

static const char *field_for(struct random_world *w, enum leaf_kind kind)
{
	if (chance(w, 5)) return "Nowhere";
	if (chance(w, 60)) {
		if (kind == LEAF_NUMBER || kind == LEAF_COMPARE) return "EventID";
		if (kind == LEAF_CIDR) return "DestinationIp";
		if (kind == LEAF_TIMEPART) return "UtcTime";
	}
	return field_names[random_below(w, FIELDS)];
}

static const struct node *leaf_node(struct random_world *w, const char *field, enum leaf_kind kind)
{
	struct leaf *l = take(w, 1, sizeof *l);
	struct node *n = take(w, 1, sizeof *n);
	*n = (struct node){.kind = NODE_LEAF, .leaf = l};
	l->kind = kind;
	if (field) l->field = str_of(field);
	l->cased = chance(w, 10);
	l->truth = chance(w, 50);
	l->written = l->truth ? STR("true") : STR("false");
	l->op = (enum compare_op)(kind == LEAF_COMPARE ? 1 + random_below(w, 4) : random_below(w, 5));
	l->part = (enum time_part)random_below(w, 6);
	if (kind == LEAF_STRING) set_pieces(w, l);
	if (kind == LEAF_NUMBER || kind == LEAF_COMPARE) set_number(w, l);
	if (kind == LEAF_CIDR) set_net(w, l);
	if (kind == LEAF_TIMEPART) {
		static const int64_t some[] = {0, 1, 3, 6, 12, 20, 23, 31, 53, 59, 2020, 2021};
		l->is_integer = true;
		l->integer = some[random_below(w, COUNT(some))];
	}
	if (kind == LEAF_REGEX) {
		l->regex = str_of(regexes[random_below(w, COUNT(regexes))]);
		l->written = l->regex;
		l->re_i = chance(w, 30), l->re_m = chance(w, 20), l->re_s = chance(w, 20);
	}
	if (kind == LEAF_FIELDREF) {
		l->other_field = str_of(field_names[random_below(w, FIELDS)]);
		l->string_op = (enum string_op)random_below(w, 4);
	}
	return n;
}

/* An item: one field, one to many values, all of one kind mostly. */
static const struct node *item(struct random_world *w)
{
	enum leaf_kind kind = any_kind(w);
	bool is_keyword = chance(w, 6);
	const char *field = is_keyword ? NULL : field_for(w, kind);
	uint32_t n = chance(w, 50) ? 1 : chance(w, 80) ? 1 + random_below(w, 5) : 1 + random_below(w, 30);
	if (n == 1) return leaf_node(w, field, kind);
	struct node *all = take(w, 1, sizeof *all);
	const struct node **children = take(w, n, sizeof *children);
	for (uint32_t i = 0; i < n; i++) children[i] = leaf_node(w, field, chance(w, 90) ? kind : any_kind(w));
	*all = (struct node){.kind = chance(w, 75) ? NODE_OR : NODE_AND, .n = n, .children = children};
	return all;
}

static const struct node *tree(struct random_world *w, uint32_t depth)
{
	uint32_t what = random_below(w, 100);
	if (!depth || what < 30) return item(w);
	struct node *n = take(w, 1, sizeof *n);
	n->kind = what < 65 ? NODE_AND : what < 85 ? NODE_OR : NODE_NOT;
	n->n = n->kind == NODE_NOT ? 1 : 1 + random_below(w, 4);
	const struct node **children = take(w, n->n, sizeof *children);
	for (uint32_t i = 0; i < n->n; i++) children[i] = tree(w, depth - 1);
	n->children = children;
	return n;
}

static const char *const services[SERVICES] = {"s1", "s2", "s3"};
static const char *const categories[SERVICES] = {"c1", "c2", "c3"};

static struct logsource some_logsource(struct random_world *w, bool full)
{
	struct logsource ls = {.product = STR("windows")};
	if (!full && chance(w, 10)) ls.product = (struct str){"", 0};
	if (full || chance(w, 60)) ls.category = chance(w, 80) ? str_of(categories[random_below(w, SERVICES)]) : (struct str){"", 0};
	if (full || chance(w, 30)) ls.service = str_of(services[random_below(w, SERVICES)]);
	return ls;
}

static void make_rules(struct random_world *w, uint32_t n)
{
	w->rules = take(w, n, sizeof *w->rules);
	w->n_rules = n;
	for (uint32_t i = 0; i < n; i++) {
		struct rule *r = take(w, 1, sizeof *r);
		r->index = i;
		r->info.level = (enum level)random_below(w, LEVELS);
		r->info.logsource = some_logsource(w, false);
		r->info.title = STR("random");
		r->condition = tree(w, 3);
		r->report = true;
		w->rules[i] = r;
	}
}

/* ---- events ---- */

static void fragment(struct random_world *w, struct buf *b)
{
	struct str s = literal(w);
	uint32_t form = random_below(w, 8);
	if (form == 0) s = str_sub(s, 1, SIZE_MAX);
	if (form == 1 && s.n) s.n--;
	if (form == 2) s = letter(w, (int)random_below(w, 5));
	other_case(w, s, b);
}

static struct str text_value(struct random_world *w, struct arena *a)
{
	struct buf b = {0};
	uint32_t n = chance(w, 5) ? 0 : 1 + random_below(w, chance(w, 80) ? 3 : 12);
	if (w->long_values && chance(w, 1)) {
		struct str unit = chance(w, 50) ? str_sub(literal(w), 0, 1) : literal(w);
		while (b.n < 65536 - 200) buf_str(&b, unit);
	}
	for (uint32_t i = 0; i < n; i++) fragment(w, &b);
	struct str s;
	if (chance(w, 97)) { /* what readers give is valid */
		char *clean = xmalloc(UTF8_REPAIR_ROOM(b.n));
		s = arena_str(a, (struct str){clean, utf8_repair(buf_view(&b), clean)});
		free(clean);
	} else {
		s = arena_str(a, buf_view(&b));
	}
	verify(s.p);
	buf_done(&b);
	return s;
}

static struct value scalar(struct random_world *w, const char *field, struct arena *a)
{
	static const int64_t ints[] = {0, 1, 7, -7, 16, 4625, 1000, INT64_MAX, INT64_MIN, 1609459200};
	static const double reals[] = {4625.0, 4625.5, 0.1, 1e300, 9007199254740992.0, -0.0};
	uint32_t kind = random_below(w, 100);
	bool special = chance(w, 60);
	if (kind < 4) return (struct value){.kind = VALUE_NULL};
	if (kind < 8) return value_int(ints[random_below(w, COUNT(ints))]);
	if (kind < 10) return value_uint(chance(w, 50) ? UINT64_MAX : 4625);
	if (kind < 12) return (struct value){.kind = VALUE_REAL, .r = chance(w, 5) ? __builtin_nan("") : reals[random_below(w, COUNT(reals))]};
	if (kind < 14) return (struct value){.kind = VALUE_BOOL, .b = chance(w, 50)};
	if (special && !strcmp(field, "EventID")) return chance(w, 50) ? value_int(ints[random_below(w, COUNT(ints))]) : value_str(number_text(w));
	if (special && !strcmp(field, "DestinationIp")) return value_str(address_text(w));
	if (special && !strcmp(field, "UtcTime")) return value_str(time_text(w));
	if (kind < 17) return value_str(chance(w, 50) ? STR("TRUE") : STR("false"));
	return value_str(text_value(w, a));
}

static struct value any_value(struct random_world *w, const char *field, struct arena *a)
{
	if (chance(w, 4)) return (struct value){.kind = VALUE_ABSENT};
	if (!chance(w, 6)) return scalar(w, field, a);
	uint32_t n = random_below(w, 4);
	struct value *items = arena_calloc(a, n ? n : 1, sizeof *items);
	for (uint32_t i = 0; i < n; i++) items[i] = scalar(w, field, a);
	return (struct value){.kind = VALUE_LIST, .n = n, .items = items};
}

static void decode_random(struct event *ev, uint32_t column, struct value *ret) { *ret = ((const struct value *)ev->impl)[column]; }
/* What the promise of event/sift.h is kept with at least: nothing that is not plain, letters in another case. */
static void sift_text(struct str s, struct buf *room)
{
	for (size_t at = 0; at < s.n; at++) {
		bool letter = (s.p[at] | 32) >= 'a' && (s.p[at] | 32) <= 'z';
		buf_byte(room, letter && at % 3 == 0 ? s.p[at] ^ 32 : sift_plain(s.p[at]) || s.p[at] & (char)0x80 ? s.p[at] : 1);
	}
	buf_byte(room, 1);
}

static void sift_column(struct event *ev, uint32_t i, struct buf *room)
{
	const struct column *c = &ev->shape->columns[i];
	if (c->constant || !column_is_keyword(c, ev->raw.p != NULL)) return;
	struct value *v = event_cell(ev, i), *items = v->kind == VALUE_LIST ? v->items : v;
	for (uint32_t k = 0; k < (v->kind == VALUE_LIST ? v->n : 1); k++) sift_text(value_text(&items[k], ev->arena), room);
}

static enum sift sift_random(struct event *ev, struct buf *room, struct str *ret)
{
	if (ev->raw.p && ev->raw.n % 3 == 0) return SIFT_NONE;
	for (uint32_t i = 0; i < ev->shape->n_columns; i++) sift_column(ev, i, room);
	if (ev->raw.p) sift_text(ev->raw, room);
	*ret = buf_view(room);
	return SIFT_WHOLE;
}

static void put_value(const struct value *v, struct buf *out)
{
	uint32_t n = (uint32_t)v->text.n;
	buf_put(out, &v->kind, sizeof v->kind);
	buf_put(out, &v->n, sizeof v->n);
	if (v->kind == VALUE_BOOL) buf_byte(out, v->b);
	if (v->kind == VALUE_INT || v->kind == VALUE_UINT || v->kind == VALUE_REAL) buf_put(out, &v->u, sizeof v->u);
	buf_byte(out, v->has_text);
	if (v->has_text) buf_put(out, &n, sizeof n), buf_str(out, v->text);
	for (uint32_t i = 0; v->kind == VALUE_LIST && i < v->n; i++) put_value(&v->items[i], out);
}

static enum sift undecoded_random(struct event *ev, const struct column_set *set, struct buf *raw, struct buf *rest)
{
	const struct value *stored = ev->impl;
	if (ev->raw.p) return SIFT_NONE;
	for (uint32_t i = 0; raw && i < set->n; i++) {
		uint32_t c = set->v[i];
		if (i && c <= set->v[i - 1]) abort();
		if (c < ev->shape->n_columns && !ev->shape->columns[c].constant) put_value(&stored[c], raw);
	}
	for (uint32_t i = 0; rest && i < ev->shape->n_columns; i++)
		if (!(i < set->n_has && set->has[i])) sift_column(ev, i, rest);
	return SIFT_WHOLE;
}

static const struct event_ops random_ops = {.decode = decode_random, .sift = sift_random, .undecoded = undecoded_random};

static void make_binding(struct random_world *w, struct logsource_binding *b)
{
	static const char *const event_names[] = {"NewProcessName", "User", "Image", "Nowhere"};
	*b = (struct logsource_binding){.ls = some_logsource(w, true)};
	if (chance(w, 20)) {
		b->when_field = str_of(field_names[random_below(w, FIELDS)]);
		b->when_value = str_sub(literal(w), 0, 60);
	}
	if (chance(w, 40)) {
		struct field_rename *r = take(w, 3, sizeof *r);
		b->n_renames = 1 + random_below(w, 3);
		b->renames = r;
		for (uint32_t i = 0; i < b->n_renames; i++)
			r[i] = (struct field_rename){str_of(field_names[random_below(w, FIELDS)]), str_of(event_names[random_below(w, COUNT(event_names))])};
	}
	if (chance(w, 40)) {
		struct value_rename *v = take(w, 4, sizeof *v);
		b->n_values = 1 + random_below(w, 4);
		b->values = v;
		for (uint32_t i = 0; i < b->n_values; i++) {
			v[i] = (struct value_rename){str_of(field_names[random_below(w, FIELDS)]), chance(w, 40) ? STR("true") : literal(w), literal(w)};
			/* Words of the mapping data are ASCII. */
			if (utf8_ascii_prefix(v[i].rule_value) < v[i].rule_value.n) v[i].rule_value = STR("false");
		}
	}
}

static void make_shape(struct random_world *w, struct shape *s, uint32_t id)
{
	uint32_t n = 1 + random_below(w, FIELDS + 3);
	struct column *c = take(w, n, sizeof *c);
	struct logsource_binding *b = take(w, 4, sizeof *b);
	for (uint32_t i = 0; i < n; i++) {
		const char *name = chance(w, 8) ? "NewProcessName" : field_names[random_below(w, FIELDS)];
		c[i].name = str_of(name);
		c[i].hidden = chance(w, 8);
		c[i].covered = chance(w, 8);
		c[i].constant = chance(w, 15);
		if (!c[i].constant) continue;
		c[i].value = any_value(w, name, &w->arena);
		value_text(&c[i].value, &w->arena);
		for (uint32_t k = 0; c[i].value.kind == VALUE_LIST && k < c[i].value.n; k++) value_text(&c[i].value.items[k], &w->arena);
	}
	shape_link(c, n);
	*s = (struct shape){.id = id, .n_columns = n, .columns = c, .n_bindings = random_below(w, 5), .bindings = b, .event_id = -1, .host_column = -1, .format = STR("test")};
	for (uint32_t i = 0; i < s->n_bindings; i++) make_binding(w, &b[i]);
}

void random_world_make(struct random_world *w, uint64_t seed, uint32_t n_rules, uint32_t n_shapes, bool long_values)
{
	*w = (struct random_world){.state = seed * 0x2545f4914f6cdd1d + 1, .long_values = long_values};
	arena_init(&w->arena, 1u << 30);
	make_literals(w);
	make_rules(w, n_rules);
	w->n_shapes = n_shapes;
	w->shapes = take(w, n_shapes, sizeof *w->shapes);
	/* A third are outside of any table: the matcher then runs generic programs. */
	for (uint32_t i = 0; i < n_shapes; i++) make_shape(w, &w->shapes[i], i % 3 == 2 ? UINT32_MAX : i);
}

void random_world_done(struct random_world *w) { arena_done(&w->arena); }

struct event *random_event(struct random_world *w, uint32_t shape, struct arena *batch)
{
	const struct shape *s = &w->shapes[shape];
	static const struct record_ref record;
	struct event *ev = arena_calloc(batch, 1, sizeof *ev);
	struct value *stored = arena_calloc(batch, s->n_columns, sizeof *stored), *cells = arena_calloc(batch, s->n_columns, sizeof *cells);
	verify(ev && stored && cells);
	for (uint32_t i = 0; i < s->n_columns; i++) {
		char name[64] = {0};
		memcpy(name, s->columns[i].name.p, s->columns[i].name.n);
		stored[i] = any_value(w, name, batch);
	}
	*ev = (struct event){.shape = s, .cells = cells, .arena = batch, .ops = &random_ops, .impl = stored, .records = &record, .n_records = 1};
	if (chance(w, 20)) ev->raw = text_value(w, batch);
	return ev;
}

struct event *random_event_near(struct random_world *w, const struct event *old, struct arena *batch)
{
	const struct shape *s = old->shape;
	struct event *ev = arena_calloc(batch, 1, sizeof *ev);
	struct value *stored = arena_calloc(batch, s->n_columns, sizeof *stored), *cells = arena_calloc(batch, s->n_columns, sizeof *cells);
	verify(ev && stored && cells);
	uint32_t changed = random_below(w, s->n_columns);
	char name[64] = {0};
	memcpy(stored, old->impl, s->n_columns * sizeof *stored);
	memcpy(name, s->columns[changed].name.p, s->columns[changed].name.n);
	stored[changed] = any_value(w, name, batch);
	/* Items get their text where the event lives. */
	for (uint32_t i = 0; i < s->n_columns; i++) {
		struct value *v = &stored[i];
		if (i == changed || v->kind != VALUE_LIST || !v->n) continue;
		struct value *items = arena_alloc(batch, v->n * sizeof *items);
		verify(items);
		memcpy(items, v->items, v->n * sizeof *items);
		v->items = items;
	}
	*ev = *old;
	ev->cells = cells;
	ev->arena = batch;
	ev->impl = stored;
	return ev;
}

/* ---- reports ---- */

static void print_leaf(const struct leaf *l, struct buf *out)
{
	static const char *const kinds[] = {"string", "number", "bool", "null", "empty", "regex", "cidr", "compare", "exists", "fieldref", "timepart", "never"};
	buf_printf(out, "%s %.*s%s", kinds[l->kind], STR_FMT(l->field), l->cased ? " cased" : "");
	for (uint32_t i = 0; l->kind == LEAF_STRING && i < l->n_pieces; i++) {
		buf_byte(out, ' ');
		if (l->pieces[i].kind == PIECE_LITERAL) json_str(out, l->pieces[i].literal);
		else buf_byte(out, l->pieces[i].kind == PIECE_ANY ? '*' : '?');
	}
	if (l->kind == LEAF_NUMBER || l->kind == LEAF_COMPARE || l->kind == LEAF_TIMEPART)
		buf_printf(out, " op %d part %d %s %lld %.17g written %.*s", l->op, l->part, l->is_integer ? "int" : "real", (long long)l->integer, l->real, STR_FMT(l->written));
	if (l->kind == LEAF_REGEX) buf_printf(out, " /%.*s/ i%d m%d s%d", STR_FMT(l->regex), l->re_i, l->re_m, l->re_s);
	if (l->kind == LEAF_BOOL || l->kind == LEAF_EXISTS) buf_printf(out, " %d", l->truth);
	if (l->kind == LEAF_FIELDREF) buf_printf(out, " op %d %.*s", l->string_op, STR_FMT(l->other_field));
	if (l->kind == LEAF_CIDR) buf_printf(out, " %d.%d.%d.%d.. /%d v6 %d", l->net[0], l->net[1], l->net[2], l->net[3], l->net_bits, l->net_v6);
	buf_byte(out, '\n');
}

static void print_node(const struct node *n, int depth, struct buf *out)
{
	static const char *const words[] = {"and", "or", "not"};
	buf_printf(out, "#   %*s", depth * 2, "");
	if (n->kind == NODE_LEAF) {
		print_leaf(n->leaf, out);
		return;
	}
	buf_printf(out, "%s\n", words[n->kind]);
	for (uint32_t i = 0; i < n->n; i++) print_node(n->children[i], depth + 1, out);
}

void random_print_rule(const struct rule *r, struct buf *out)
{
	const struct logsource *ls = &r->info.logsource;
	buf_printf(out, "# rule %u log source %.*s/%.*s/%.*s\n", r->index, STR_FMT(ls->product), STR_FMT(ls->category), STR_FMT(ls->service));
	print_node(r->condition, 0, out);
}

void random_print_event(struct event *ev, struct buf *out)
{
	buf_printf(out, "# event\n");
	for (uint32_t i = 0; i < ev->shape->n_columns; i++) {
		const struct column *c = &ev->shape->columns[i];
		struct value *v = event_cell(ev, i);
		buf_printf(out, "#   %.*s%s%s kind %d ", STR_FMT(c->name), c->hidden ? " hidden" : "", c->constant ? " constant" : "", v->kind);
		if (v->has_text && v->text.n > 300) buf_printf(out, "%zu bytes", v->text.n);
		else value_json(v, out);
		buf_byte(out, '\n');
	}
	for (uint32_t i = 0; i < ev->shape->n_bindings; i++) {
		const struct logsource_binding *b = &ev->shape->bindings[i];
		buf_printf(out, "#   binding %.*s/%.*s when %.*s=", STR_FMT(b->ls.category), STR_FMT(b->ls.service), STR_FMT(b->when_field));
		json_str(out, b->when_value);
		for (uint32_t j = 0; j < b->n_renames; j++)
			buf_printf(out, " %.*s->%.*s", STR_FMT(b->renames[j].rule_field), STR_FMT(b->renames[j].event_field));
		for (uint32_t j = 0; j < b->n_values; j++) {
			buf_printf(out, " %.*s:", STR_FMT(b->values[j].rule_field));
			json_str(out, b->values[j].rule_value);
			buf_byte(out, '=');
			json_str(out, b->values[j].event_value);
		}
		buf_byte(out, '\n');
	}
	buf_printf(out, "#   raw ");
	json_str(out, ev->raw.p && ev->raw.n < 300 ? ev->raw : (struct str){"", 0});
	buf_printf(out, "%s\n", ev->raw.p ? "" : " (none)");
}
