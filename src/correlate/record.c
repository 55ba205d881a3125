/* record.c: references to evidence, shared and counted; RFC 6962 root over them. */
#include "correlate/correlate_internal.h"

enum { MAX_LENGTH = (1u << 29) - 1 };

static uint32_t mix32(uint64_t x)
{
	x *= 0x9e3779b97f4a7c15u;
	return (uint32_t)(x >> 32) ^ (uint32_t)x;
}

static uint32_t context_hash(const struct record *r) { return mix32(r->offset ^ ((uint64_t)r->source << 40) ^ ((uint64_t)r->next << 17) ^ r->length); }

static void fill(struct record *r, const struct evidence_ref *e, uint32_t next, uint32_t sequence)
{
	*r = (struct record){.refs = 1, .next = next, .source = e->source, .line = e->line, .offset = e->offset, .sequence = sequence};
	r->length = e->length & MAX_LENGTH;
	r->flags = (e->role == EVIDENCE_CONTEXT ? RECORD_CONTEXT : 0) | (e->recovered ? RECORD_RECOVERED : 0);
	memcpy(r->sha256, e->sha256, SHA256_SIZE);
}

/* Contexts repeat from event to event: one shared entry for each (reference, what follows it). Takes over `next`'s reference. */
static uint32_t context_of(struct correlate *c, const struct evidence_ref *e, uint32_t next)
{
	struct record r;
	fill(&r, e, next, 0);
	uint32_t hash = context_hash(&r);
	for (TABLE_EACH(&c->context_table, hash, i)) {
		struct record *have = record_at(c, i);
		if (have->offset != r.offset || have->source != r.source || have->length != r.length || have->next != next) continue;
		have->refs++;
		record_drop(c, next);
		return i;
	}
	uint32_t i = slab_take(&c->records);
	if (i && table_add(&c->context_table, hash, i)) {
		*record_at(c, i) = r;
		return i;
	}
	if (i) slab_give(&c->records, i);
	return next;
}

static uint32_t record_of(struct correlate *c, const struct evidence_ref *e, uint32_t next)
{
	uint32_t i = e->length <= MAX_LENGTH ? slab_take(&c->records) : 0;
	if (!i) {
		record_drop(c, next);
		return 0;
	}
	fill(record_at(c, i), e, next, c->sequence);
	return i;
}

static uint32_t record_make(struct correlate *c, const struct corr_event *e)
{
	uint32_t chain = 0, first = 0;
	c->sequence++;
	for (uint32_t i = e->n_evidence; i-- > 1;)
		if (e->evidence[i].role == EVIDENCE_CONTEXT) chain = context_of(c, &e->evidence[i], chain);
	for (uint32_t i = e->n_evidence; i-- > 1;)
		if (e->evidence[i].role != EVIDENCE_CONTEXT) chain = record_of(c, &e->evidence[i], chain);
	first = record_of(c, &e->evidence[0], chain);
	return first;
}

uint32_t record_current(struct correlate *c)
{
	if (c->current) return c->current;
	/* Room is made once an event, not for each of its correlations. */
	c->current = record_make(c, c->event);
	if (!c->current && !c->current_made && make_room(c)) c->current = record_make(c, c->event);
	c->current_made = true;
	return c->current;
}

void record_forget_current(struct correlate *c)
{
	record_drop(c, c->current);
	c->current = 0;
	c->current_made = false;
}

void record_drop(struct correlate *c, uint32_t i)
{
	while (i) {
		struct record *r = record_at(c, i);
		if (--r->refs) return;
		uint32_t next = r->next;
		if (r->flags & RECORD_CONTEXT) table_remove(&c->context_table, context_hash(r), i);
		if (r->flags & RECORD_BUNDLE) {
			episode_at(c, (uint32_t)r->offset)->bundle = 0;
			episode_unref(c, (uint32_t)r->offset);
		}
		slab_give(&c->records, i);
		i = next;
	}
}

uint32_t record_bundle(struct correlate *c, uint32_t episode)
{
	struct episode *e = episode_at(c, episode);
	if (e->bundle) {
		record_hold(c, e->bundle);
		return e->bundle;
	}
	uint32_t i = slab_take(&c->records);
	if (!i && make_room(c)) i = slab_take(&c->records);
	if (!i) return 0;
	*record_at(c, i) = (struct record){.refs = 1, .offset = episode, .flags = RECORD_BUNDLE, .sequence = c->sequence};
	e = episode_at(c, episode);
	e->bundle = i;
	e->refs++;
	return i;
}

static void node_of(const uint8_t left[SHA256_SIZE], const uint8_t right[SHA256_SIZE], uint8_t ret[SHA256_SIZE])
{
	uint8_t bytes[1 + 2 * SHA256_SIZE] = {1};
	memcpy(bytes + 1, left, SHA256_SIZE);
	memcpy(bytes + 1 + SHA256_SIZE, right, SHA256_SIZE);
	sha256_of(bytes, sizeof bytes, ret);
}

/* RFC 6962 2.1: leaf = SHA-256(0x00 || data), node = SHA-256(0x01 || left || right). */
void tree_root_add(struct tree_root *t, const uint8_t record[SHA256_SIZE])
{
	uint8_t bytes[1 + SHA256_SIZE] = {0}, hash[SHA256_SIZE];
	unsigned top = (unsigned)__builtin_popcountll(t->n);
	memcpy(bytes + 1, record, SHA256_SIZE);
	sha256_of(bytes, sizeof bytes, hash);
	for (uint64_t n = t->n; n & 1; n >>= 1) node_of(t->stack[--top], hash, hash);
	verify(top < COUNT(t->stack));
	memcpy(t->stack[top], hash, SHA256_SIZE);
	t->n++;
}

void tree_root_get(const struct tree_root *t, uint8_t ret[SHA256_SIZE])
{
	unsigned top = (unsigned)__builtin_popcountll(t->n);
	if (!top) {
		sha256_of("", 0, ret);
		return;
	}
	memcpy(ret, t->stack[--top], SHA256_SIZE);
	while (top) node_of(t->stack[--top], ret, ret);
}
