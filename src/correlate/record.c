/* record.c: references to evidence: where they are kept, and the RFC 6962 root over them.
 *
 * A record id stands for the references of one event: in memory, counted, each with its followers (contexts shared between events);
 * or, when there is a folder for it, in an unnamed file that is only appended to, so that an id costs no memory at all. Ids with
 * BUNDLE_BIT stand for an inner finding. */
#include "correlate/correlate_internal.h"
#include "base/sha_pair.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_LENGTH = (1u << 29) - 1, SLOT = 64, BUFFER_SLOTS = 32768, WRITE_SLOTS = BUFFER_SLOTS / 2, BLOCK_SLOTS = 16, BLOCKS = 128, NEAR = 64, SOON = 24, MAX_SLOTS = BUNDLE_BIT - BUFFER_SLOTS };

/* --- in a file --- */

struct slot {                    /* 64 bytes */
	uint32_t source, line;
	uint64_t offset, length;
	uint16_t more;           /* slots of the same event behind this one */
	uint8_t flags, pad[5];
	uint8_t sha256[SHA256_SIZE];
};

struct store {
	int fd;
	bool failed;
	uint32_t flushed, n;     /* slots in the file; all slots. Slot 0 is never used */
	struct block { uint32_t first, n; struct slot slot[BLOCK_SLOTS]; } blocks[BLOCKS]; /* some that were read back */
	uint32_t read_at;        /* where that was done last */
	struct slot buffer[BUFFER_SLOTS]; /* a ring of the newest, written by halves: what was written last is still here */
};

struct store *store_new(const char *dir, struct fault *f)
{
	_Static_assert(sizeof(struct slot) == SLOT, "slots are 64 bytes");
	struct store *s = xcalloc(1, sizeof *s);
	char path[4096];
	s->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->fd < 0 && (size_t)snprintf(path, sizeof path, "%s/exhibit-XXXXXX", dir) < sizeof path && (s->fd = mkostemp(path, O_CLOEXEC)) >= 0) unlink(path);
	s->n = 1;
	if (s->fd >= 0) return s;
	fault_set(f, FAULT_IO, "no file for the evidence of correlations can be made there");
	fault_path(f, str_of(dir));
	free(s);
	return NULL;
}

void store_free(struct store *s)
{
	if (!s) return;
	close(s->fd);
	free(s);
}

/* A half of the ring that is full. */
static bool flush(struct store *s)
{
	size_t left = (size_t)WRITE_SLOTS * SLOT, done = 0;
	while (done < left) {
		ssize_t n = pwrite(s->fd, (char *)&s->buffer[s->flushed % BUFFER_SLOTS] + done, left - done, (off_t)((uint64_t)s->flushed * SLOT + done));
		if (n <= 0) {
			s->failed = true;
			return false;
		}
		done += (size_t)n;
	}
	s->flushed += WRITE_SLOTS;
	return true;
}

static bool put_slot(struct store *s, const struct evidence_ref *e, uint32_t more)
{
	if (s->n - s->flushed == BUFFER_SLOTS && !flush(s)) return false;
	__builtin_prefetch(&s->buffer[(s->n + SOON) % BUFFER_SLOTS], 1);
	struct slot *to = &s->buffer[s->n++ % BUFFER_SLOTS];
	*to = (struct slot){.source = e->source, .line = e->line, .offset = e->offset, .length = e->length, .more = (uint16_t)more};
	to->flags = (e->role == EVIDENCE_CONTEXT ? RECORD_CONTEXT : 0) | (e->recovered ? RECORD_RECOVERED : 0);
	memcpy(to->sha256, e->sha256, SHA256_SIZE);
	return true;
}

static uint32_t store_put(struct correlate *c, const struct corr_event *e)
{
	struct store *s = c->store;
	uint32_t first = s->n, n = e->n_evidence < UINT16_MAX ? e->n_evidence : UINT16_MAX;
	if (s->failed || s->n > MAX_SLOTS - UINT16_MAX) return 0;
	for (uint32_t i = 0; i < n; i++)
		if (!put_slot(s, &e->evidence[i], n - 1 - i)) return 0;
	return first;
}

/* A slot of the file. It is read with those behind it where one follows the other: findings cite by the thousand. Others cite from all over, and mapping
 * the file would cost more than reading these. */
static bool slot_of_file(struct store *s, uint32_t at, struct slot *ret)
{
	struct block *b = &s->blocks[at / BLOCK_SLOTS % BLOCKS];
	if (at - b->first >= b->n) {
		bool near = at - s->read_at < NEAR;
		ssize_t n = pread(s->fd, b->slot, near ? (BLOCK_SLOTS - at % BLOCK_SLOTS) * (size_t)SLOT : SLOT, (off_t)((uint64_t)at * SLOT));
		s->read_at = b->first = at;
		b->n = n > 0 ? (uint32_t)n / SLOT : 0;
		if (!b->n) return false;
	}
	*ret = b->slot[at - b->first];
	return true;
}

static bool store_get(struct store *s, uint32_t at, struct slot *ret)
{
	/* Places of the ring from n on are overwritten next; n - BUFFER_SLOTS is the oldest that still stands. */
	if (at >= s->n) return false;
	if (s->n - at > BUFFER_SLOTS) return slot_of_file(s, at, ret);
	*ret = s->buffer[at % BUFFER_SLOTS];
	return true;
}

/* --- in memory --- */

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
	uint32_t chain = 0;
	if (c->store) return store_put(c, e);
	c->sequence++;
	for (uint32_t i = e->n_evidence; i-- > 1;)
		if (e->evidence[i].role == EVIDENCE_CONTEXT) chain = context_of(c, &e->evidence[i], chain);
	for (uint32_t i = e->n_evidence; i-- > 1;)
		if (e->evidence[i].role != EVIDENCE_CONTEXT) chain = record_of(c, &e->evidence[i], chain);
	return record_of(c, &e->evidence[0], chain);
}

uint32_t record_current(struct correlate *c)
{
	if (c->current || c->current_made) return c->current;
	/* Room is made once an event, not for each of its correlations. */
	c->current = record_make(c, c->event);
	if (!c->current && !c->store && make_room(c)) c->current = record_make(c, c->event);
	c->current_made = true;
	return c->current;
}

void record_forget_current(struct correlate *c)
{
	record_drop(c, c->current);
	c->current = 0;
	c->current_made = false;
}

void record_drop_counted(struct correlate *c, uint32_t i)
{
	bool bundle = i & BUNDLE_BIT;
	for (i &= ~BUNDLE_BIT; i;) {
		struct record *r = record_at(c, i);
		if (--r->refs) return;
		uint32_t next = r->next;
		if (r->flags & RECORD_CONTEXT) table_remove(&c->context_table, context_hash(r), i);
		if (bundle) {
			episode_at(c, (uint32_t)r->offset)->bundle = 0;
			episode_unref(c, (uint32_t)r->offset);
		}
		slab_give(&c->records, i);
		i = next;
	}
}

uint32_t record_bundle(struct correlate *c, uint32_t episode)
{
	uint32_t have = episode_at(c, episode)->bundle;
	if (have) {
		record_hold(c, have);
		return have;
	}
	uint32_t i = slab_take(&c->records);
	if (!i && make_room(c)) i = slab_take(&c->records);
	if (!i || i & BUNDLE_BIT) return 0;
	*record_at(c, i) = (struct record){.refs = 1, .offset = episode, .sequence = c->sequence};
	struct episode *e = episode_at(c, episode);
	e->bundle = i | BUNDLE_BIT;
	e->refs++;
	return e->bundle;
}

/* --- reading --- */

static struct evidence_ref ref_of(const uint8_t sha256[SHA256_SIZE], uint32_t source, uint32_t line, uint64_t offset, uint64_t length, unsigned flags)
{
	struct evidence_ref e = {.source = source, .line = line, .offset = offset, .length = length,
		.role = flags & RECORD_CONTEXT ? EVIDENCE_CONTEXT : EVIDENCE_RECORD, .recovered = flags & RECORD_RECOVERED};
	memcpy(e.sha256, sha256, SHA256_SIZE);
	return e;
}

bool record_next(const struct correlate *c, struct record_walk *w, struct evidence_ref *ret)
{
	struct slot s;
	if (!w->at) return false;
	if (c->store) {
		if (!store_get(c->store, w->at, &s)) return false;
		*ret = ref_of(s.sha256, s.source, s.line, s.offset, s.length, s.flags);
		w->at = s.more ? w->at + 1 : 0;
		return true;
	}
	const struct record *r = record_at(c, w->at);
	*ret = ref_of(r->sha256, r->source, r->line, r->offset, r->length, r->flags);
	w->at = r->next;
	return true;
}

/* --- RFC 6962 2.1: leaf = SHA-256(0x00 || data), node = SHA-256(0x01 || left || right) --- */

enum { BLOCK = 64, LEAF_BYTES = 1 + SHA256_SIZE, NODE_BYTES = 1 + 2 * SHA256_SIZE };

static void words_put(const uint32_t words[8], uint8_t ret[SHA256_SIZE])
{
	for (int i = 0; i < 8; i++) {
		uint32_t v = __builtin_bswap32(words[i]);
		memcpy(ret + 4 * i, &v, sizeof v);
	}
}

/* Two messages of n bytes in so many blocks, which have room for what ends them. */
static void hash_two(uint8_t *p, uint8_t *q, size_t n, size_t blocks, uint8_t ret_p[SHA256_SIZE], uint8_t ret_q[SHA256_SIZE])
{
	uint32_t a[8], b[8];
	if (!sha_pair_available()) {
		sha256_of(p, n, ret_p);
		sha256_of(q, n, ret_q);
		return;
	}
	for (uint8_t *m = p;; m = q) {
		m[n] = 0x80;
		memset(m + n + 1, 0, blocks * BLOCK - n - 3);
		m[blocks * BLOCK - 2] = (uint8_t)(n * 8 >> 8);
		m[blocks * BLOCK - 1] = (uint8_t)(n * 8);
		if (m == q) break;
	}
	memcpy(a, sha_pair_begin, sizeof a);
	memcpy(b, sha_pair_begin, sizeof b);
	sha_pair_blocks(a, p, b, q, blocks);
	words_put(a, ret_p);
	words_put(b, ret_q);
}

static void leaf_bytes(const uint8_t record[SHA256_SIZE], uint8_t ret[BLOCK])
{
	ret[0] = 0;
	memcpy(ret + 1, record, SHA256_SIZE);
}

static void node_bytes(const uint8_t *left, const uint8_t *right, uint8_t ret[2 * BLOCK])
{
	ret[0] = 1;
	memcpy(ret + 1, left, SHA256_SIZE);
	memcpy(ret + 1 + SHA256_SIZE, right, SHA256_SIZE);
}

static void node_of(const uint8_t left[SHA256_SIZE], const uint8_t right[SHA256_SIZE], uint8_t ret[SHA256_SIZE])
{
	uint8_t bytes[2 * BLOCK];
	node_bytes(left, right, bytes);
	sha256_of(bytes, NODE_BYTES, ret);
}

/* The root of so many leaves (a power of two), made of what waits, in its place. */
static uint8_t *complete(uint8_t v[][SHA256_SIZE], size_t leaves)
{
	uint8_t p[2 * BLOCK], q[2 * BLOCK];
	for (size_t i = 0; i < leaves; i += 2) {
		leaf_bytes(v[i], p);
		leaf_bytes(v[i + 1], q);
		hash_two(p, q, LEAF_BYTES, 1, v[i], v[i + 1]);
	}
	for (size_t n = leaves / 2; n > 1; n /= 2)
		for (size_t i = 0; i < n; i += 2) {
			node_bytes(v[2 * i], v[2 * i + 1], p);
			node_bytes(v[2 * i + 2], v[2 * i + 3], q);
			hash_two(p, q, NODE_BYTES, 2, v[i], v[i + 1]);
		}
	node_of(v[0], v[1], v[0]);
	return v[0];
}

/* Puts a subtree behind `n` others of its size. */
static unsigned stack_add(uint8_t stack[][SHA256_SIZE], uint64_t n, unsigned top, uint8_t root[SHA256_SIZE])
{
	for (; n & 1; n >>= 1) node_of(stack[--top], root, root);
	memcpy(stack[top], root, SHA256_SIZE);
	return top + 1;
}

void tree_root_add(struct tree_root *t, const uint8_t record[SHA256_SIZE])
{
	memcpy(t->waiting[t->n % TREE_BATCH], record, SHA256_SIZE);
	if (++t->n % TREE_BATCH) return;
	uint64_t before = t->n / TREE_BATCH - 1;
	unsigned top = (unsigned)__builtin_popcountll(before);
	verify(top + 1 < COUNT(t->stack));
	stack_add(t->stack, before, top, complete(t->waiting, TREE_BATCH));
}

void tree_root_get(const struct tree_root *t, uint8_t ret[SHA256_SIZE])
{
	/* What waits is less than a batch: at most four subtrees more, smaller than all others. */
	uint8_t stack[COUNT(t->stack) + 4][SHA256_SIZE], leaf[BLOCK], hash[SHA256_SIZE];
	unsigned whole = (unsigned)__builtin_popcountll(t->n / TREE_BATCH), top = whole;
	memcpy(stack, t->stack, whole * sizeof *stack);
	for (uint64_t i = 0; i < t->n % TREE_BATCH; i++) {
		leaf_bytes(t->waiting[i], leaf);
		sha256_of(leaf, LEAF_BYTES, hash);
		top = stack_add(stack, i, top, hash);
	}
	if (!top) {
		sha256_of("", 0, ret);
		return;
	}
	memcpy(ret, stack[--top], SHA256_SIZE);
	while (top) node_of(stack[--top], ret, ret);
}
