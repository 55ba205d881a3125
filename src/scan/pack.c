/* pack.c: findings to bytes and back. See pack.h. */
#include "scan/pack.h"
#include "scan/varint.h"

static void put32(struct buf *b, uint32_t v) { buf_put(b, &v, sizeof v); }
static void put64(struct buf *b, uint64_t v) { buf_put(b, &v, sizeof v); }

static void put_str(struct buf *b, struct str s)
{
	put32(b, (uint32_t)s.n);
	buf_str(b, s);
}

static void put_time(struct buf *b, struct etime t)
{
	put64(b, (uint64_t)t.sec);
	put32(b, t.nsec);
	buf_byte(b, (char)t.digits);
	buf_byte(b, (char)t.present);
}

/* A value that is missing is not an empty one. */
static void put_named(struct buf *b, const struct named *v, uint32_t n)
{
	put32(b, n);
	for (uint32_t i = 0; i < n; i++) {
		put_str(b, v[i].name);
		if (v[i].value.p) put_str(b, v[i].value);
		else put32(b, UINT32_MAX);
	}
}

enum { PACKED_FEED = 5 };

/* --- hits that only feed correlations: there are as many of them as lines, where a server is being guessed at, so numbers take the bytes they need --- */

enum { FEED_DIGITS = 15, FEED_PRESENT = 16, FEED_LOGIN = 32 }; /* in its second byte */
enum { REF_CONTEXT = 1, REF_RECOVERED = 2, REF_MOST = 1 + 4 * VARINT_MAX + SHA256_SIZE };

static char *put_bytes(char *at, const void *bytes, size_t n)
{
	if (n) memcpy(at, bytes, n);
	return at + n;
}

static char *put_ref(char *at, const struct evidence_ref *e)
{
	*at++ = (char)((e->role == EVIDENCE_CONTEXT ? REF_CONTEXT : 0) | (e->recovered ? REF_RECOVERED : 0));
	at = varint_put(at, e->source);
	at = varint_put(at, e->offset);
	at = varint_put(at, e->length);
	at = varint_put(at, e->line);
	return put_bytes(at, e->sha256, SHA256_SIZE);
}

void finding_pack_feed(const struct finding *f, struct buf *b)
{
	enum { HEAD_MOST = 18 + 6 * VARINT_MAX };
	size_t most = HEAD_MOST + f->host.n + f->n_keep * VARINT_MAX + f->n_evidence * REF_MOST;
	for (uint32_t i = 0; i < f->n_keep; i++) most += f->keep[i].value.n;
	char *start = buf_reserve(b, most), *at = start;
	*at++ = PACKED_FEED;
	*at++ = (char)((f->time.digits & FEED_DIGITS) | (f->time.present ? FEED_PRESENT : 0) | (f->login.who ? FEED_LOGIN : 0));
	at = put_bytes(at, &f->rule_index, sizeof f->rule_index);
	at = varint_put(at, varint_fold(f->time.sec));
	at = varint_put(at, f->time.nsec);
	if (f->login.who) {
		at = put_bytes(at, &f->login.who, sizeof f->login.who);
		at = varint_put(at, f->login.service);
	}
	at = varint_put(at, f->host.n);
	at = put_bytes(at, f->host.p, f->host.n);
	at = varint_put(at, f->n_keep);
	for (uint32_t i = 0; i < f->n_keep; i++) { /* 0: the event has none */
		at = varint_put(at, f->keep[i].name.n ? f->keep[i].value.n + 1 : 0);
		if (f->keep[i].name.n) at = put_bytes(at, f->keep[i].value.p, f->keep[i].value.n);
	}
	at = varint_put(at, f->n_evidence);
	for (uint32_t i = 0; i < f->n_evidence; i++) at = put_ref(at, &f->evidence[i]);
	b->n += (size_t)(at - start);
}

enum { EVENT_PRESENT = 16, EVENT_RECORD_ID = 32 }; /* with the digits of the time */

void finding_pack_event(const struct finding *f, struct buf *b)
{
	size_t most = 1 + 8 * VARINT_MAX + f->host.n + f->channel.n + f->n_evidence * REF_MOST;
	char *start = buf_reserve(b, most), *at = start;
	*at++ = (char)((f->time.digits & FEED_DIGITS) | (f->time.present ? EVENT_PRESENT : 0) | (f->has_record_id ? EVENT_RECORD_ID : 0));
	at = varint_put(at, varint_fold(f->time.sec));
	at = varint_put(at, f->time.nsec);
	at = varint_put(at, varint_fold(f->event_id));
	at = varint_put(at, f->record_id);
	at = varint_put(at, f->evidence_total);
	at = varint_put(at, f->host.n);
	at = put_bytes(at, f->host.p, f->host.n);
	at = varint_put(at, f->channel.n);
	at = put_bytes(at, f->channel.p, f->channel.n);
	at = varint_put(at, f->n_evidence);
	for (uint32_t i = 0; i < f->n_evidence; i++) at = put_ref(at, &f->evidence[i]);
	b->n += (size_t)(at - start);
}

/* What only findings have that rest on several events. */
static void pack_joined(const struct finding *f, struct buf *b)
{
	put_time(b, f->first);
	put_time(b, f->last);
	put64(b, f->count);
	buf_byte(b, (char)f->has_root);
	if (f->has_root) buf_put(b, f->root, SHA256_SIZE);
	put_named(b, f->group, f->n_group);
	put32(b, f->n_stages);
	for (uint32_t i = 0; i < f->n_stages; i++) put_str(b, f->stages[i].json), put32(b, f->stages[i].from), put32(b, f->stages[i].n);
}

enum { OWN_FIELDS = 1, OWN_LOGIN = 2, OWN_JOINED = 4 };

void finding_pack(const struct finding *f, bool fields, struct buf *b)
{
	bool joined = f->kind == FINDING_CORRELATION || f->kind == FINDING_INCIDENT;
	buf_byte(b, (char)f->kind);
	buf_byte(b, (char)f->level);
	buf_byte(b, (char)((fields ? OWN_FIELDS : 0) | (f->login.who ? OWN_LOGIN : 0) | (joined ? OWN_JOINED : 0)));
	put32(b, f->rule_index);
	if (fields) put_str(b, f->fields_json);
	if (f->login.who) put64(b, f->login.who), put32(b, f->login.service);
	put_str(b, f->extra_json);
	put_str(b, f->title);
	put32(b, f->n_matched);
	for (uint32_t i = 0; i < f->n_matched; i++) put_str(b, f->matched[i].field), put_str(b, f->matched[i].value), put_str(b, f->matched[i].pattern);
	put_named(b, f->keep, f->n_keep);
	if (joined) pack_joined(f, b);
}

/* Reading: one flag gathers failure, so that the order of fields can be read straight down. */
struct take {
	struct cursor c;
	struct arena *a;
	bool bad;
};

static uint8_t take8(struct take *t)
{
	uint8_t v = 0;
	t->bad |= !cursor_u8(&t->c, &v);
	return v;
}
static uint32_t take32(struct take *t)
{
	uint32_t v = 0;
	t->bad |= !cursor_u32(&t->c, &v);
	return v;
}
static uint64_t take64(struct take *t)
{
	uint64_t v = 0;
	t->bad |= !cursor_u64(&t->c, &v);
	return v;
}
static struct str take_str(struct take *t)
{
	struct str s = {"", 0};
	uint32_t n = take32(t);
	t->bad |= !cursor_bytes(&t->c, n, &s);
	return s;
}
/* A named value; p == NULL: missing. */
static struct str take_value(struct take *t)
{
	struct cursor before = t->c;
	if (take32(t) == UINT32_MAX) return (struct str){NULL, 0};
	t->c = before;
	return take_str(t);
}
static struct etime take_time(struct take *t)
{
	struct etime v = {0};
	v.sec = (int64_t)take64(t);
	v.nsec = take32(t);
	v.digits = take8(t);
	v.present = take8(t);
	return v;
}
/* Room for n elements whose packed form takes at least `least` bytes each, so that a wrong count cannot ask for too much. */
static void *take_array(struct take *t, uint32_t n, size_t least, size_t size)
{
	if (t->bad || n > cursor_left(&t->c) / least) {
		t->bad = true;
		return NULL;
	}
	void *p = arena_alloc(t->a, n * size);
	t->bad |= !p;
	return p;
}
static const struct named *take_named(struct take *t, uint32_t *ret_n)
{
	uint32_t n = take32(t);
	struct named *v = take_array(t, n, 8, sizeof *v);
	for (uint32_t i = 0; !t->bad && i < n; i++) v[i].name = take_str(t), v[i].value = take_value(t);
	*ret_n = t->bad ? 0 : n;
	return v;
}

static uint64_t take_varint(struct take *t)
{
	uint64_t v = 0;
	t->bad |= !varint_take(&t->c, &v);
	return v;
}

static void take_ref(struct take *t, struct evidence_ref *e)
{
	uint8_t flags = take8(t);
	struct str hash = {0};
	*e = (struct evidence_ref){.role = flags & REF_CONTEXT ? EVIDENCE_CONTEXT : EVIDENCE_RECORD, .recovered = flags & REF_RECOVERED};
	e->source = (uint32_t)take_varint(t);
	e->offset = take_varint(t);
	e->length = take_varint(t);
	e->line = (uint32_t)take_varint(t);
	t->bad |= !cursor_bytes(&t->c, SHA256_SIZE, &hash);
	if (hash.p) memcpy(e->sha256, hash.p, SHA256_SIZE);
}

static const struct evidence_ref *take_refs(struct take *t, uint32_t *ret_n)
{
	uint64_t n = take_varint(t);
	struct evidence_ref *e = take_array(t, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX, 5 + SHA256_SIZE, sizeof *e);
	for (uint64_t i = 0; !t->bad && i < n; i++) take_ref(t, &e[i]);
	*ret_n = t->bad ? 0 : (uint32_t)n;
	return e;
}

static bool unpack_feed(struct take *t, struct finding *f)
{
	uint8_t flags;
	*f = (struct finding){.kind = FINDING_HIT, .event_id = -1, .count = 1};
	take8(t); /* PACKED_FEED */
	flags = take8(t);
	f->rule_index = take32(t);
	f->time.digits = flags & FEED_DIGITS;
	f->time.present = flags & FEED_PRESENT;
	f->time.sec = varint_unfold(take_varint(t));
	f->time.nsec = (uint32_t)take_varint(t);
	if (flags & FEED_LOGIN) f->login.who = take64(t), f->login.service = (uint32_t)take_varint(t);
	t->bad |= !cursor_bytes(&t->c, take_varint(t), &f->host);
	uint64_t n = take_varint(t);
	struct named *keep = take_array(t, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX, 1, sizeof *keep);
	for (uint64_t i = 0; !t->bad && i < n; i++) {
		uint64_t length = take_varint(t);
		keep[i] = (struct named){length ? STR("kept") : STR(""), STR("")};
		if (length) t->bad |= !cursor_bytes(&t->c, length - 1, &keep[i].value);
	}
	f->keep = keep;
	f->n_keep = (uint32_t)n;
	f->evidence = take_refs(t, &f->n_evidence);
	f->evidence_total = f->n_evidence;
	return !t->bad;
}

static bool unpack_event(struct take *t, struct finding *f)
{
	uint8_t flags = take8(t);
	f->time.digits = flags & FEED_DIGITS;
	f->time.present = flags & EVENT_PRESENT;
	f->has_record_id = flags & EVENT_RECORD_ID;
	f->time.sec = varint_unfold(take_varint(t));
	f->time.nsec = (uint32_t)take_varint(t);
	f->event_id = varint_unfold(take_varint(t));
	f->record_id = take_varint(t);
	f->evidence_total = take_varint(t);
	t->bad |= !cursor_bytes(&t->c, take_varint(t), &f->host);
	t->bad |= !cursor_bytes(&t->c, take_varint(t), &f->channel);
	f->evidence = take_refs(t, &f->n_evidence);
	t->bad |= !cursor_bytes(&t->c, cursor_left(&t->c), &f->fields_json);
	return !t->bad;
}

static void take_joined(struct take *t, struct finding *f)
{
	struct str root = {0};
	f->first = take_time(t);
	f->last = take_time(t);
	f->count = take64(t);
	f->has_root = take8(t);
	if (f->has_root) t->bad |= !cursor_bytes(&t->c, SHA256_SIZE, &root);
	if (root.p) memcpy(f->root, root.p, SHA256_SIZE);
	f->group = take_named(t, &f->n_group);
	uint32_t n = take32(t);
	struct finding_stage *stages = take_array(t, n, 12, sizeof *stages);
	for (uint32_t i = 0; !t->bad && i < n; i++) {
		stages[i].json = take_str(t), stages[i].from = take32(t), stages[i].n = take32(t);
		t->bad |= stages[i].from > f->n_evidence || stages[i].n > f->n_evidence - stages[i].from;
	}
	f->stages = stages;
	f->n_stages = n;
}

bool finding_unpack(struct str event, struct str rest, struct arena *a, struct finding *f)
{
	struct take t = {cursor_of(rest.p, rest.n), a, false};
	if (rest.n && rest.p[0] == PACKED_FEED) return unpack_feed(&t, f);
	*f = (struct finding){.count = 1};
	if (!unpack_event(&(struct take){cursor_of(event.p, event.n), a, false}, f)) return false;
	f->kind = take8(&t) & 7;
	f->level = take8(&t) % LEVELS;
	uint8_t own = take8(&t);
	f->rule_index = take32(&t);
	if (own & OWN_FIELDS) f->fields_json = take_str(&t);
	if (own & OWN_LOGIN) f->login.who = take64(&t), f->login.service = take32(&t);
	f->extra_json = take_str(&t);
	f->title = take_str(&t);
	uint32_t n = take32(&t);
	struct match_detail *m = take_array(&t, n, 12, sizeof *m);
	for (uint32_t i = 0; !t.bad && i < n; i++) m[i].field = take_str(&t), m[i].value = take_str(&t), m[i].pattern = take_str(&t);
	f->matched = m;
	f->n_matched = n;
	f->keep = take_named(&t, &f->n_keep);
	if (own & OWN_JOINED) take_joined(&t, f);
	return !t.bad;
}
