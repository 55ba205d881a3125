/* source_tree.c: leaves hashed as they pass, their hashes kept in blocks. See source_tree.h.
 *
 * A block is 1,024 leaves: hashes, then offsets, then lengths, as they stand in memory (the store is private to the process).
 * Of each full block the tree keeps its place, its first offset and the root of its subtree, so that a proof reads only the
 * blocks in which something is marked. */
#include "evidence/source_tree.h"
#include "evidence/framing.h"
#include "base/alloc.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LEVEL = 10, BLOCK = 1 << LEVEL };

struct block {
	struct hash hash[BLOCK];
	uint64_t offset[BLOCK], length[BLOCK];
};

enum { CACHE = 32 };
struct leaf_store {
	int fd;
	_Atomic uint64_t end;
	/* Blocks read lately, by place; for the one thread that asks. */
	struct block *cache[CACHE];
	uint64_t cached[CACHE]; /* place + 1; 0 = none */
};

struct block_info {
	uint64_t place, first_offset;
	struct hash root;
	uint32_t n;
};

/* What is needed only while leaves come; thousands of finished trees may wait for the end of a scan. */
struct work {
	struct salt_stream salts;
	struct framing_cutter cutter;
	struct merkle tree; /* of whole blocks */
	struct block block;
	struct hash nodes[BLOCK];
	uint32_t block_n;
	/* Leaf i of a block gathers in leaf[i % 2]; even ones wait for the odd one behind them, so that two are hashed at once. */
	struct merkle_leaf_state leaf[2];
	uint64_t leaf_offset, leaf_length;
};
struct source_tree {
	struct leaf_store *store;
	uint8_t salt_key[sizeof ((struct salt_stream *)0)->key];
	enum framing framing;
	VEC(struct block_info) blocks;
	uint64_t n;
	uint64_t last_offset, last_length;
	struct hash root;
	int write_errno;
	struct work *work; /* NULL once finished */
};

struct leaf_store *leaf_store_new(const char *folder, struct fault *f)
{
	int fd = folder ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : memfd_create("leaves", MFD_CLOEXEC);
	if (fd < 0 && folder && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		/* A file system without O_TMPFILE: make a named one and take its name away. */
		char path[4096];
		snprintf(path, sizeof path, "%s/.exhibit-leaves-XXXXXX", folder);
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0) unlink(path);
	}
	if (fd < 0) {
		fault_set(f, FAULT_IO, "cannot make a file for leaf hashes");
		if (f && folder) fault_path(f, str_of(folder));
		return NULL;
	}
	struct leaf_store *s = xcalloc(1, sizeof *s);
	s->fd = fd;
	return s;
}

void leaf_store_free(struct leaf_store *s)
{
	if (!s) return;
	for (size_t i = 0; i < CACHE; i++) free(s->cache[i]);
	close(s->fd);
	free(s);
}

static void begin_leaf(void *arg, uint64_t offset)
{
	struct source_tree *t = arg;
	struct work *w = t->work;
	uint8_t tag = SALT_LEAF_TAG;
	w->leaf_offset = offset;
	w->leaf_length = 0;
	struct merkle_leaf_state *leaf = &w->leaf[w->block_n % 2];
	merkle_leaf_begin(leaf);
	merkle_leaf_add(leaf, &tag, 1);
	merkle_leaf_add(leaf, salt_at(&w->salts, t->n), SALT_SIZE);
}

static void leaf_bytes(void *arg, const void *p, size_t n)
{
	struct work *w = ((struct source_tree *)arg)->work;
	merkle_leaf_add(&w->leaf[w->block_n % 2], p, n);
	w->leaf_length += n;
}

/* pwrite of all, into space that is only ours. */
static int store_write(struct leaf_store *s, const void *p, size_t n, uint64_t place)
{
	while (n) {
		ssize_t did = pwrite(s->fd, p, n, (off_t)place);
		if (did < 0 && errno == EINTR) continue;
		if (did <= 0) return did < 0 ? errno : ENOSPC;
		p = (const char *)p + did;
		n -= (size_t)did;
		place += (uint64_t)did;
	}
	return 0;
}

/* A block on disk: n hashes, n offsets, n lengths. */
static size_t block_bytes(uint32_t n) { return n * (sizeof(struct hash) + 2 * sizeof(uint64_t)); }

static struct hash block_root(struct work *w)
{
	if (w->block_n < BLOCK) return merkle_root_of(w->block.hash, w->block_n);
	memcpy(w->nodes, w->block.hash, sizeof w->nodes);
	return merkle_root_complete(w->nodes, LEVEL);
}

static void flush_block(struct source_tree *t)
{
	struct work *w = t->work;
	uint32_t n = w->block_n;
	if (!n) return;
	if (n % 2) w->block.hash[n - 1] = merkle_leaf_end(&w->leaf[0]);
	struct block_info info = {.place = atomic_fetch_add(&t->store->end, block_bytes(n)), .first_offset = w->block.offset[0],
		.root = block_root(w), .n = n};
	int e = store_write(t->store, w->block.hash, n * sizeof(struct hash), info.place);
	if (!e) e = store_write(t->store, w->block.offset, n * sizeof(uint64_t), info.place + n * sizeof(struct hash));
	if (!e) e = store_write(t->store, w->block.length, n * sizeof(uint64_t), info.place + n * (sizeof(struct hash) + sizeof(uint64_t)));
	if (e && !t->write_errno) t->write_errno = e;
	vec_push(&t->blocks, info);
	if (n == BLOCK) (void)merkle_add_subtree(&w->tree, &info.root, LEVEL);
	else for (uint32_t i = 0; i < n; i++) merkle_add(&w->tree, &w->block.hash[i]);
	w->block_n = 0;
}

static void end_leaf(void *arg)
{
	struct source_tree *t = arg;
	struct work *w = t->work;
	uint32_t i = w->block_n++;
	if (i % 2) merkle_leaf_end_two(&w->leaf[0], &w->block.hash[i - 1], &w->leaf[1], &w->block.hash[i]);
	w->block.offset[i] = t->last_offset = w->leaf_offset;
	w->block.length[i] = t->last_length = w->leaf_length;
	t->n++;
	if (w->block_n == BLOCK) flush_block(t);
}

struct source_tree *source_tree_new(struct leaf_store *store, enum framing framing, const struct salt_stream *salts)
{
	struct source_tree *t = xcalloc(1, sizeof *t);
	struct work *w = t->work = xcalloc(1, sizeof *w);
	t->store = store;
	t->framing = framing;
	w->salts = *salts;
	memcpy(t->salt_key, salts->key, sizeof t->salt_key);
	if (framing != FRAMING_RECORDS)
		framing_init(&w->cutter, framing, (struct framing_sink){t, begin_leaf, leaf_bytes, end_leaf});
	return t;
}

void source_tree_free(struct source_tree *t)
{
	if (!t) return;
	if (t->work) free(t->work->cutter.chunk);
	free(t->work);
	vec_free(&t->blocks);
	free(t);
}

void source_tree_feed(struct source_tree *t, const void *bytes, size_t n)
{
	verify(t->framing != FRAMING_RECORDS && t->work);
	framing_feed(&t->work->cutter, bytes, n);
}

bool source_tree_add(struct source_tree *t, uint64_t offset, const void *bytes, size_t n)
{
	verify(t->framing == FRAMING_RECORDS && t->work);
	if (t->n && (offset < t->last_offset || (offset == t->last_offset && n >= t->last_length))) return false;
	begin_leaf(t, offset);
	leaf_bytes(t, bytes, n);
	end_leaf(t);
	return true;
}

bool source_tree_finish(struct source_tree *t, struct fault *f)
{
	if (t->framing != FRAMING_RECORDS) framing_done(&t->work->cutter);
	flush_block(t);
	t->root = merkle_root(&t->work->tree);
	free(t->work);
	t->work = NULL;
	if (!t->write_errno) return true;
	errno = t->write_errno;
	fault_set(f, FAULT_IO, "cannot keep the leaf hashes of a source");
	return false;
}

uint64_t source_tree_count(const struct source_tree *t) { return t->n; }
struct hash source_tree_root(const struct source_tree *t) { return t->root; }
enum framing source_tree_framing(const struct source_tree *t) { return t->framing; }

/* Block `which` of the tree, in the store's cache until the next calls; NULL and *f when it cannot be read. */
static const struct block *load(struct source_tree *t, uint64_t which, struct fault *f)
{
	const struct block_info *info = &t->blocks.v[which];
	struct leaf_store *s = t->store;
	size_t slot = (size_t)(info->place / block_bytes(BLOCK)) % CACHE, n = info->n;
	if (s->cached[slot] == info->place + 1) return s->cache[slot];
	if (!s->cache[slot]) s->cache[slot] = xmalloc(sizeof *s->cache[slot]);
	struct block *b = s->cache[slot];
	s->cached[slot] = 0;
	struct { void *to; size_t size; } parts[] = {{b->hash, n * 32}, {b->offset, n * 8}, {b->length, n * 8}};
	uint64_t at = info->place;
	for (size_t i = 0; i < COUNT(parts); i++) {
		int64_t got = file_pread(s->fd, parts[i].to, parts[i].size, at, f);
		if (got < 0) return NULL;
		if ((size_t)got < parts[i].size) {
			fault_set(f, FAULT_CORRUPT, "the file with leaf hashes ends early");
			return NULL;
		}
		at += parts[i].size;
	}
	s->cached[slot] = info->place + 1;
	return b;
}

static bool leaf_at(struct source_tree *t, uint64_t index, struct source_leaf *ret, struct fault *f)
{
	const struct block *b = load(t, index / BLOCK, f);
	if (!b) return false;
	*ret = (struct source_leaf){.index = index, .offset = b->offset[index % BLOCK], .length = b->length[index % BLOCK]};
	return true;
}

bool source_tree_leaf(struct source_tree *t, uint64_t index, struct source_leaf *ret, struct fault *f)
{
	if (index >= t->n) {
		fault_set(f, FAULT_NOT_FOUND, "the source has no leaf %llu", (unsigned long long)index);
		return false;
	}
	if (!leaf_at(t, index, ret, f)) return false;
	struct salt_stream salts = {.block = UINT64_MAX};
	memcpy(salts.key, t->salt_key, sizeof salts.key);
	memcpy(ret->salt, salt_at(&salts, index), SALT_SIZE);
	return true;
}

/* The last leaf that begins at or before `offset`; -1 none, -2 and *f when the store fails. */
static int64_t last_at_or_before(struct source_tree *t, uint64_t offset, struct fault *f)
{
	size_t lo = 0, hi = t->blocks.n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (t->blocks.v[mid].first_offset <= offset) lo = mid + 1;
		else hi = mid;
	}
	if (!lo) return -1;
	size_t block = lo - 1, n = t->blocks.v[block].n;
	const struct block *b = load(t, block, f);
	if (!b) return -2;
	for (lo = 0, hi = n; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;
		if (b->offset[mid] <= offset) lo = mid + 1;
		else hi = mid;
	}
	return (int64_t)(block * BLOCK + lo - 1);
}

static bool not_covered(uint64_t offset, uint64_t length, struct fault *f)
{
	fault_set(f, FAULT_NOT_FOUND, "the record tree has no leaves that hold %llu bytes at offset %llu", (unsigned long long)length, (unsigned long long)offset);
	return false;
}

/* A run of leaves, one behind the other (for lines: one LF between), from the one that holds `offset`. */
static bool cover_run(struct source_tree *t, int64_t first, uint64_t offset, uint64_t length, uint64_t *ret_n, struct fault *f)
{
	uint64_t gap = t->framing == FRAMING_LINES, reach = 0, end = offset + length;
	for (uint64_t i = (uint64_t)first; i < t->n; i++) {
		struct source_leaf l;
		if (!leaf_at(t, i, &l, f)) return false;
		if (i > (uint64_t)first && l.offset != reach + gap) break;
		reach = l.offset + l.length;
		if (reach >= end) {
			*ret_n = i - (uint64_t)first + 1;
			return true;
		}
	}
	return not_covered(offset, length, f);
}

bool source_tree_cover(struct source_tree *t, uint64_t offset, uint64_t length, uint64_t *ret_first, uint64_t *ret_n, struct fault *f)
{
	if (offset + length < offset) return not_covered(offset, length, f);
	int64_t last = last_at_or_before(t, offset, f);
	if (last == -2) return false;
	/* Nested leaves lie behind the one that holds them, a few hundred at most. */
	uint64_t best = UINT64_MAX, best_length = UINT64_MAX;
	int64_t outer = t->framing == FRAMING_LINES || t->framing == FRAMING_BLOCKS ? last : -1;
	for (int64_t i = last, steps = 0; i >= 0 && steps < 8192; i--, steps++) {
		struct source_leaf l;
		if (!leaf_at(t, (uint64_t)i, &l, f)) return false;
		if (l.offset + l.length >= offset + length && l.length < best_length) best = (uint64_t)i, best_length = l.length;
		if (t->framing == FRAMING_EVTX && l.offset + l.length > offset) outer = i; /* the one that holds the others is met last */
		if (best != UINT64_MAX || t->framing == FRAMING_LINES || t->framing == FRAMING_BLOCKS) break;
	}
	*ret_n = 1;
	/* A record that reaches over the end of a block (in a disk image, or a log of which bytes were lost) has a run too. */
	if (best == UINT64_MAX && outer >= 0) {
		if (!cover_run(t, outer, offset, length, ret_n, f)) return false;
		best = (uint64_t)outer;
	}
	if (best == UINT64_MAX) return not_covered(offset, length, f);
	*ret_first = best;
	return true;
}

bool source_tree_prove(struct source_tree *t, bool (*next_mark)(void *arg, uint64_t *index), void *mark_arg,
	multiproof_emit *emit, void *emit_arg, struct hash *ret_root, struct fault *f)
{
	struct multiproof p = {.emit = emit, .arg = emit_arg};
	uint64_t mark = 0;
	bool more = next_mark(mark_arg, &mark);
	for (size_t b = 0; b < t->blocks.n; b++) {
		const struct block_info *info = &t->blocks.v[b];
		uint64_t base = (uint64_t)b * BLOCK;
		if (info->n == BLOCK && (!more || mark >= base + BLOCK)) {
			(void)multiproof_add_subtree(&p, &info->root, LEVEL);
			continue;
		}
		const struct block *block = load(t, b, f);
		if (!block) return false;
		for (uint32_t i = 0; i < info->n; i++) {
			bool marked = more && mark == base + i;
			multiproof_add(&p, &block->hash[i], marked);
			if (marked) more = next_mark(mark_arg, &mark);
		}
	}
	if (more) {
		fault_set(f, FAULT_STATE, "a proof was asked for leaf %llu, which does not exist or is out of order", (unsigned long long)mark);
		return false;
	}
	if (multiproof_end(&p, ret_root)) return true;
	fault_set(f, FAULT_IO, "cannot write a proof");
	return false;
}

struct hash source_leaf_hash(const uint8_t salt[SALT_SIZE], const void *bytes, size_t n)
{
	struct merkle_leaf_state s;
	uint8_t tag = SALT_LEAF_TAG;
	merkle_leaf_begin(&s);
	merkle_leaf_add(&s, &tag, 1);
	merkle_leaf_add(&s, salt, SALT_SIZE);
	merkle_leaf_add(&s, bytes, n);
	return merkle_leaf_end(&s);
}
