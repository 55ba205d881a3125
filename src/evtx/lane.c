/* lane.c: whole records to JSON lines without an event in between.
 *
 * Records of one kind differ in little: the time, ids, the process, the user, and their content. So for each kind met, a variant is
 * learned from the third record that went the ordinary way: the bytes by which such a record is recognised (the number of root values, their
 * sizes and types, and those values that seldom differ) as one masked comparison, and the JSON as literals between the few values
 * that do differ. What is not recognised, or has something in it that a variant cannot say, goes the ordinary way; the bytes are the
 * same always, and tests hold one against the other. lane_body.h is the inner part, compiled for each level of the processor. */
#include "base/cpu.h"
#include "evtx/plan_internal.h"
#include "text/json_write.h"
#include "text/utf.h"

enum {
	BUCKETS = 64, VARIANTS_MAX = 512, /* of one root template */
	AREA_MAX = 4096, ROOT_SLOTS_MAX = 64, CONTENT_SLOTS_MAX = 256,
	VALUE_ROOM = 64                   /* the longest number, time or GUID with quotes, and what vectors store behind them */
};

enum lane_kind {
	LANE_END,
	LANE_TIME, LANE_U64, LANE_U32, LANE_SID, LANE_GUID, /* root values, at a fixed place of the area */
	LANE_STRING, LANE_VALUE,                            /* content values by slot, "" when empty; LANE_STRING: it was a string when it was learned */
	LANE_TEXT,                                          /* null when empty */
	LANE_PLAN                                           /* by the plan's operation of that index */
};

/* `literal` bytes, then a value. */
struct lane_op {
	uint16_t literal;
	uint16_t at;         /* offset in the area, slot, or index of the plan's operation */
	uint8_t kind, n;     /* n: LANE_SID: bytes */
};

/* The area of a record: from the number of its root values to the end of those that are not the content. */
struct variant {
	struct variant *next;
	const struct json_plan *plan;
	struct fragment *content;      /* NULL: none */
	const uint8_t *expected, *mask;/* of the area, padded to whole vectors with zeros */
	uint32_t area;
	uint32_t content_size_at;      /* in the area, where the size of the content stands */
	const struct lane_op *ops;
	const char *literals;          /* padded by a vector */
	uint32_t room, per_byte;       /* output: at most room + per_byte times the bytes of the content's values */
	uint32_t slots;                /* content values that must be there */
	int32_t time_at, id_at;        /* in the area, -1: not there as they usually are */
};

struct lane_table {
	struct variant *bucket[BUCKETS];
	uint32_t tried;
};

static inline uint32_t bucket_of(const uint8_t *area, uint32_t n)
{
	/* The first values hold level, opcode, task and event id; activity, process and user say by their sizes whether they are there. */
	uint64_t h = le64_at(area + 4 + 4 * n) * 0x9e3779b97f4a7c15u;
	if (n >= 14) h += (le32_at(area + 4 + 28) ^ (uint64_t)le32_at(area + 4 + 48) << 20) * 0xc2b2ae3d27d4eb4fu;
	return (uint32_t)(h >> 58);
}

/* --- what does not depend on the processor --- */

/* A day since 1601 as text, kept. False when it is too long for that (years beyond 9999). */
static bool keep_day(struct evtx_chunk *c, uint64_t day)
{
	char text[64];
	char *end = format_filetime(text, day * 864000000000, &c->format);
	if (end - text != 27) return false;
	c->lane.days[day & 7].text[0] = '"';
	memcpy(c->lane.days[day & 7].text + 1, text, 11);
	c->lane.days[day & 7].day = day;
	return true;
}

static char *quoted_filetime(struct evtx_chunk *c, char *o, uint64_t v)
{
	*o++ = '"';
	o = format_filetime(o, v, &c->format);
	*o++ = '"';
	return o;
}

static inline uint32_t sid_place(const uint8_t *p, uint32_t n) { return (le32_at(p + n - 4) ^ n) * 0x9e3779b1u >> 28; }

static char *quoted_sid(struct evtx_chunk *c, char *o, const uint8_t *p, uint32_t n)
{
	uint32_t place = sid_place(p, n);
	if (c->lane.sids[place].n != n || memcmp(c->lane.sids[place].sid, p, n)) {
		char *text = c->lane.sids[place].text, *end = text;
		*end++ = '"';
		end = format_sid(end, p, n, &c->format);
		*end++ = '"';
		memcpy(c->lane.sids[place].sid, p, n);
		c->lane.sids[place].n = (uint8_t)n;
		c->lane.sids[place].text_n = (uint8_t)(end - text);
	}
	uint32_t text_n = c->lane.sids[place].text_n;
	memcpy(o, c->lane.sids[place].text, 64);
	if (text_n > 64) memcpy(o + 64, c->lane.sids[place].text + 64, text_n - 64);
	return o + text_n;
}

/* Units that are letters beyond ASCII and are written as they are, in UTF-8; returns how many, *o moves. */
static uint32_t wide_units(char **o, const uint8_t *p, uint32_t n)
{
	uint32_t i = 0;
	for (; i < n; i++) {
		uint32_t unit = le16_at(p + 2 * i);
		if (unit < 0xa0 || (unit >= 0x2000 && unit < 0x2070) || (unit >= 0xd800 && unit < 0xe000)) break;
		*o += utf8_put(unit, *o);
	}
	return i;
}

/* The rest of a text from a unit that no fast path writes; with the closing quote. */
static char *rest_of_string(struct buf *out, size_t room, char *o, const uint8_t *p, uint32_t units)
{
	out->n = (size_t)(o - out->p);
	json_part_utf16le(out, p, utf16_length(p, units));
	buf_byte(out, '"');
	return buf_reserve(out, room);
}

/* A value that is none of the usual ones. NULL: it is XML, and the record must go the ordinary way. */
static char *other_value(struct evtx_chunk *c, struct buf *out, size_t room, char *o, const struct slot *s, bool text)
{
	if (s->type == EVTX_XML && s->n) return NULL;
	out->n = (size_t)(o - out->p);
	if (slot_empty(s)) {
		buf_str(out, text ? STR("null") : STR("\"\""));
	} else {
		buf_reserve(out, EVTX_TEXT_MAX);
		plan_put_slot(c, s, out);
	}
	return buf_reserve(out, room);
}

/* The content as an instance, for what walks it. */
static char *by_plan(struct evtx_chunk *c, struct buf *out, size_t room, char *o, const struct variant *v, uint32_t index, const uint8_t *descriptors, uint32_t n)
{
	struct slot *slots = arena_alloc(c->arena, (n ? n : 1) * sizeof *slots);
	const uint8_t *p = descriptors + 4 * n;
	if (!slots) return NULL;
	for (uint32_t i = 0; i < n; i++) {
		slots[i] = (struct slot){p, le16_at(descriptors + 4 * i), descriptors[4 * i + 2]};
		if (slots[i].type == EVTX_XML && slots[i].n) return NULL;
		p += slots[i].n;
	}
	struct instance in = {v->content, slots, n};
	const struct jop *op = &v->plan->ops[index];
	out->n = (size_t)(o - out->p);
	if (op->kind == JOP_ELEMENT) plan_put_element(c, op, &in, out);
	else if (op->kind == JOP_UNNAMED) plan_put_unnamed(c, op, &in, out);
	else evtx_json_element(c, &in, op->element, out);
	return buf_reserve(out, room);
}

/* Whether the options leave the record out; *ret_known false: the variant cannot tell. */
static bool left_out(const struct variant *v, const uint8_t *area, const struct reader_options *o, bool *ret_known)
{
	*ret_known = v->id_at >= 0 && v->time_at >= 0;
	if (!*ret_known) return false;
	uint64_t id = le64_at(area + v->id_at);
	if (o->has_ids && (id < o->first_id || id > o->last_id)) return true;
	struct etime t = etime_from_filetime(le64_at(area + v->time_at));
	if (!t.present) return *ret_known = false;
	if (o->since.present && etime_cmp(t, o->since) < 0) return true;
	return o->until.present && etime_cmp(t, o->until) > 0;
}

/* --- one body for each level --- */

#define LEVEL_PLAIN 0
#define LEVEL_SSE4 1
#define LEVEL_AVX2 2
#define LEVEL_AVX512 3

#define LEVEL LEVEL_PLAIN
#define AT(name) name##_plain
#define TARGET
#include "evtx/lane_body.h"
#undef LEVEL
#undef AT
#undef TARGET

#if defined(__x86_64__)
#include <immintrin.h>

/* For each set of eight units that take a backslash before them: where the bytes come from when it is put in; 0x80: the backslash.
 * Made before main, like the choice of the level, and never changed. */
static struct { uint8_t from[256][16]; } escapes;

__attribute__((constructor)) static void make_escapes(void)
{
	for (unsigned set = 0; set < 256; set++) {
		unsigned at = 0;
		for (unsigned i = 0; i < 8; i++) {
			if (set >> i & 1) escapes.from[set][at++] = 0x80;
			escapes.from[set][at++] = (uint8_t)i;
		}
		while (at < 16) escapes.from[set][at++] = 7;
	}
}

#define LEVEL LEVEL_SSE4
#define AT(name) name##_sse4
#define TARGET __attribute__((target("sse4.2")))
#include "evtx/lane_body.h"
#undef LEVEL
#undef AT
#undef TARGET

#define LEVEL LEVEL_AVX2
#define AT(name) name##_avx2
#define TARGET __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))
#include "evtx/lane_body.h"
#undef LEVEL
#undef AT
#undef TARGET

#define LEVEL LEVEL_AVX512
#define AT(name) name##_avx512
#define TARGET __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt,avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2")))
#include "evtx/lane_body.h"
#undef LEVEL
#undef AT
#undef TARGET
#endif

enum lane_answer lane_write(struct evtx_chunk *c, uint32_t at, uint32_t size, const struct reader_options *options, struct buf *out)
{
#if defined(__x86_64__)
	switch (cpu_level()) {
	case CPU_AVX512: return record_avx512(c, at, size, options, out);
	case CPU_AVX2: return record_avx2(c, at, size, options, out);
	case CPU_SSE4: return record_sse4(c, at, size, options, out);
	case CPU_PLAIN: break;
	}
#endif
	return record_plain(c, at, size, options, out);
}

/* --- learning a variant --- */

struct learn {
	struct evtx_chunk *c;
	struct arena *arena;
	const struct instance *root, *content;
	const uint8_t *area;
	uint8_t *mask;
	struct buf literals;
	uint32_t flushed;    /* literals up to here belong to operations */
	VEC(struct lane_op) ops;
	struct variant *v;
};

static void add_op(struct learn *l, enum lane_kind kind, uint32_t at, uint32_t n)
{
	vec_push(&l->ops, (struct lane_op){(uint16_t)(l->literals.n - l->flushed), (uint16_t)at, (uint8_t)kind, (uint8_t)n});
	l->flushed = (uint32_t)l->literals.n;
}

/* How a root value that differs from record to record is written, LANE_END: it is part of what the variant is recognised by. */
static enum lane_kind changing(const struct fragment *f, uint32_t slot, const struct slot *s)
{
	static const enum sys_field fields[] = {SYS_TIME, SYS_RECORD_ID, SYS_PROCESS, SYS_THREAD, SYS_ACTIVITY, SYS_RELATED, SYS_USER};
	for (size_t i = 0; i < COUNT(fields); i++) {
		const struct leaf *l = f->sys[fields[i]];
		if (!l || l->n_parts != 1 || l->parts[0]->kind != X_SLOT || l->parts[0]->slot != slot) continue;
		if (s->type == EVTX_FILETIME && s->n == 8) return LANE_TIME;
		if (s->type == EVTX_UINT64 && s->n == 8) return LANE_U64;
		if (s->type == EVTX_UINT32 && s->n == 4) return LANE_U32;
		if (s->type == EVTX_GUID && s->n == 16) return LANE_GUID;
		if (s->type == EVTX_SID && s->n >= 8 && s->n <= EVTX_SID_MAX) return LANE_SID;
	}
	return LANE_END;
}

static void root_value(struct learn *l, uint32_t slot)
{
	const struct slot *s = &l->root->slots[slot];
	uint32_t at = (uint32_t)(s->p - l->area);
	enum lane_kind kind = changing(l->root->fragment, slot, s);
	if (kind != LANE_END) {
		add_op(l, kind, at, s->n);
		return;
	}
	buf_reserve(&l->literals, EVTX_TEXT_MAX);
	plan_put_slot(l->c, s, &l->literals);
}

/* Whether a root value shows nothing. What says so is part of what the variant is recognised by. */
static bool root_empty(struct learn *l, uint32_t slot)
{
	if (slot >= l->root->n_slots) return true;
	const struct slot *s = &l->root->slots[slot];
	if (changing(l->root->fragment, slot, s) == LANE_END) memset(l->mask + (s->p - l->area), 0xff, s->n);
	return slot_empty(s);
}

static void root_element(struct learn *l, const struct jop *o)
{
	bool any = false, text = o->has_text && !o->literal.p && !root_empty(l, o->slot);
	for (uint32_t i = 0; i < o->n_attrs; i++) {
		const struct jattr *a = &o->attrs[i];
		if (!a->literal.p && root_empty(l, a->slot)) continue;
		buf_str(&l->literals, any ? STR(",") : STR("{\"#attributes\":{"));
		any = true;
		buf_str(&l->literals, a->key);
		if (a->literal.p) buf_str(&l->literals, a->literal);
		else root_value(l, a->slot);
	}
	if (any) buf_byte(&l->literals, '}');
	if (o->literal.p || text) {
		if (any) buf_lit(&l->literals, ",\"#text\":");
		if (text) root_value(l, o->slot);
		else buf_str(&l->literals, o->literal);
	} else if (!any) {
		buf_lit(&l->literals, "null");
	}
	if (any) buf_byte(&l->literals, '}');
}

/* False when a variant cannot say it. */
static bool learn_op(struct learn *l, const struct jop *o, uint32_t index)
{
	if (o->kind == JOP_LITERAL) {
		buf_str(&l->literals, o->literal);
	} else if (o->content) {
		bool value = o->kind == JOP_DATA || o->kind == JOP_TEXT;
		if (value && o->slot >= l->v->slots) l->v->slots = o->slot + 1u;
		bool string = o->kind == JOP_DATA && o->slot < l->content->n_slots && l->content->slots[o->slot].type == EVTX_STRING;
		add_op(l, string ? LANE_STRING : o->kind == JOP_DATA ? LANE_VALUE : o->kind == JOP_TEXT ? LANE_TEXT : LANE_PLAN, value ? o->slot : index, 0);
	} else if (o->kind == JOP_WALK || o->kind == JOP_UNNAMED) {
		return false;
	} else if (o->kind == JOP_ELEMENT) {
		root_element(l, o);
	} else if (root_empty(l, o->slot)) {
		buf_str(&l->literals, o->kind == JOP_DATA ? STR("\"\"") : STR("null"));
	} else {
		root_value(l, o->slot);
	}
	return true;
}

/* The area's extent and the mask over its descriptors. False when something stands where a variant cannot have it. */
static bool learn_area(struct learn *l, bool has_content)
{
	const struct instance *root = l->root;
	uint32_t content = l->v->plan->nested, n = root->n_slots;
	const uint8_t *end = l->area + 4 + 4 * n;
	memset(l->mask, 0xff, 4);
	for (uint32_t i = 0; i < n; i++) {
		const struct slot *s = &root->slots[i];
		bool is_content = has_content && i == content;
		if (has_content && i > content && s->n) return false;
		if (!is_content && s->type == EVTX_XML && s->n) return false;
		memset(l->mask + 4 + 4 * i, 0xff, 3);
		if (is_content) memset(l->mask + 4 + 4 * i, 0, 2);
		else end += s->n;
	}
	l->v->area = (uint32_t)(end - l->area);
	l->v->content_size_at = 4 + 4 * content;
	return l->v->area <= AREA_MAX && n == le32_at(l->area);
}

static int32_t place_of(const struct learn *l, enum sys_field f, enum evtx_type type)
{
	const struct leaf *x = l->root->fragment->sys[f];
	if (!x || x->n_parts != 1 || x->parts[0]->kind != X_SLOT || x->parts[0]->slot >= l->root->n_slots) return -1;
	const struct slot *s = &l->root->slots[x->parts[0]->slot];
	return s->type == type && s->n == 8 ? (int32_t)(s->p - l->area) : -1;
}

/* Copies into memory that lives as long as the templates, padded by a vector of zeros. */
static void *keep(struct arena *a, const void *p, size_t n)
{
	char *kept = arena_alloc(a, n + 64);
	if (!kept) return NULL;
	if (n) memcpy(kept, p, n);
	memset(kept + n, 0, 64);
	return kept;
}

static bool learn_variant(struct learn *l, struct fragment *content)
{
	struct variant *v = l->v;
	const struct json_plan *plan = v->plan;
	if (!learn_area(l, content != NULL)) return false;
	for (uint32_t i = 0; i < plan->n; i++)
		if (!learn_op(l, &plan->ops[i], i)) return false;
	add_op(l, LANE_END, 0, 0);
	if (l->literals.n > UINT16_MAX || plan->n > UINT16_MAX) return false;
	uint32_t refs = content ? content->max_refs : 0;
	v->content = content;
	v->per_byte = 4 * (refs ? refs : 1);
	v->room = (uint32_t)l->literals.n + EVTX_TEXT_MAX;
	for (size_t i = 0; i < l->ops.n; i++) v->room += l->ops.v[i].kind == LANE_SID ? EVTX_TEXT_MAX : VALUE_ROOM;
	v->time_at = place_of(l, SYS_TIME, EVTX_FILETIME);
	v->id_at = place_of(l, SYS_RECORD_ID, EVTX_UINT64);
	v->expected = keep(l->arena, l->area, v->area);
	v->mask = keep(l->arena, l->mask, v->area);
	v->literals = keep(l->arena, l->literals.p, l->literals.n);
	v->ops = keep(l->arena, l->ops.v, l->ops.n * sizeof *l->ops.v);
	return v->expected && v->mask && v->literals && v->ops;
}

void lane_learn(struct evtx_chunk *c, const struct instance *root, const struct instance *content)
{
	struct fragment *f = root->fragment;
	struct arena *arena = template_store_arena(c->store);
	bool has_content = content->fragment != f;
	/* What is met once or twice is not worth it: most files are small. */
	if (content->fragment->unlearned++ < 2) return;
	if (!f->is_template || root->n_slots < 3 || root->n_slots > ROOT_SLOTS_MAX) return;
	if (!f->lane && !(f->lane = arena_calloc(arena, 1, sizeof *f->lane))) return;
	if (f->lane->tried++ >= VARIANTS_MAX) return;
	struct learn l = {.c = c, .arena = arena, .root = root, .content = content, .area = root->slots[0].p - 4 * root->n_slots - 4,
		.v = arena_calloc(arena, 1, sizeof *l.v), .mask = arena_calloc(c->arena, 1, AREA_MAX + EVTX_SLOTS_MAX)};
	/* A slot that holds the content, but is not read as such, makes the plan's shape wrong. */
	const struct json_plan *plan = plan_of(c, f, content->fragment);
	if (plan && l.v && l.mask) {
		l.v->plan = plan;
		if (learn_variant(&l, has_content ? content->fragment : NULL)) {
			struct variant **bucket = &f->lane->bucket[bucket_of(l.area, root->n_slots)];
			l.v->next = *bucket;
			*bucket = l.v;
		}
	}
	buf_done(&l.literals);
	vec_free(&l.ops);
}
