/* spill.c: external merge sort. A run is a sequence of entries sorted by key: a byte that says what is as in the entry before (enum as_before), the rest of
 * the key, the lengths of what the payload shares and of its own, and both. See spill.h.
 *
 * In memory there is room for the head before each entry, so that runs are written from where the entries stand. */
#include "scan/spill.h"
#include "scan/varint.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEADER_MAX = 1 + 13 + VARINT_MAX + VARINT_MAX + 5 + 2 * VARINT_MAX, HEADER_ROOM = 64, PIECES = 1024, READ_BUFFER = 64 << 10, MAX_FAN_IN = 128, LATE = 3 };

struct entry {
	struct spill_key key;
	size_t shared_at, at; /* the first with its shared part stands directly behind it; before the one or the other are HEADER_ROOM bytes */
	uint32_t n_shared, n;
};
struct run {
	int fd;
	uint64_t start, end;
};
struct spill {
	const char *dir;
	size_t limit;
	struct buf bytes;
	VEC(struct entry) entries;
	bool sorted;
	int fd;
	uint64_t written, count;
	uint64_t same;        /* of the entry added last; 0: no other can share with it */
	VEC(struct run) runs;
};

int spill_key_cmp(const struct spill_key *a, const struct spill_key *b)
{
#define ORDER(field) if (a->field != b->field) return a->field < b->field ? -1 : 1
	ORDER(present);
	ORDER(sec);
	ORDER(nsec);
	ORDER(order);
	ORDER(offset);
	ORDER(rank);
	ORDER(kind);
#undef ORDER
	return 0;
}

struct spill *spill_new(const char *dir, size_t buffer_bytes)
{
	struct spill *s = xcalloc(1, sizeof *s);
	s->dir = dir;
	s->limit = buffer_bytes;
	s->fd = -1;
	return s;
}

void spill_free(struct spill *s)
{
	if (!s) return;
	if (s->fd >= 0) close(s->fd);
	buf_done(&s->bytes);
	vec_free(&s->entries);
	vec_free(&s->runs);
	free(s);
}

uint64_t spill_count(const struct spill *s) { return s->count; }

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = spill_key_cmp(&x->key, &y->key);
	/* Equal keys keep the order in which one writer added them. */
	return c ? c : (x->at > y->at) - (x->at < y->at);
}

/* Mostly they came in order, but for some that had waited: those alone are sorted, then put among the others. */
static void sort_entries(struct spill *s)
{
	VEC(struct entry) late = {0};
	size_t n = 0;
	if (s->sorted) return;
	s->sorted = true;
	s->same = 0;
	for (size_t i = 0; i < s->entries.n; i++) {
		const struct entry *e = &s->entries.v[i];
		/* What comes before the last three of those in order is late; else they are. */
		while (n && by_key(e, &s->entries.v[n - 1]) < 0 && (n < LATE || by_key(e, &s->entries.v[n - LATE]) >= 0)) vec_push(&late, s->entries.v[--n]);
		if (n && by_key(e, &s->entries.v[n - 1]) < 0) vec_push(&late, *e);
		else s->entries.v[n++] = *e;
	}
	if (late.n) qsort(late.v, late.n, sizeof *late.v, by_key);
	for (size_t to = s->entries.n, i = late.n; i;) {
		bool is_late = !n || by_key(&late.v[i - 1], &s->entries.v[n - 1]) > 0;
		s->entries.v[--to] = is_late ? late.v[--i] : s->entries.v[--n];
	}
	vec_free(&late);
}

static int unnamed_file(const char *dir, struct fault *f)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		char name[4096];
		if ((size_t)snprintf(name, sizeof name, "%s/.exhibit-XXXXXX", dir) < sizeof name) {
			fd = mkostemp(name, O_CLOEXEC);
			if (fd >= 0) unlink(name);
		}
	}
	if (fd < 0) {
		fault_set(f, FAULT_IO, "cannot make a temporary file (set TMPDIR to a folder that can be written)");
		if (f) fault_path(f, str_of(dir));
	}
	return fd;
}

/* Uses up `v`. */
static bool write_pieces(int fd, struct iovec *v, size_t n, uint64_t offset, struct fault *f)
{
	while (n) {
		ssize_t done = pwritev(fd, v, (int)n, (off_t)offset);
		if (done < 0 && errno == EINTR) continue;
		if (done <= 0) {
			fault_set(f, FAULT_IO, "cannot write a temporary file (set TMPDIR to a folder with more room)");
			return false;
		}
		offset += (uint64_t)done;
		size_t left = (size_t)done;
		for (; n && left >= v->iov_len; v++, n--) left -= v->iov_len;
		if (n) v->iov_base = (char *)v->iov_base + left, v->iov_len -= left;
	}
	return true;
}

static bool write_all(int fd, char *p, size_t n, uint64_t offset, struct fault *f) { return write_pieces(fd, &(struct iovec){p, n}, n > 0, offset, f); }

/* What an entry has in common with the one before it in its run (the first: with a key of zeros). */
enum as_before { SAME_TIME = 1, SAME_ORDER = 2, SAME_RANK = 4, SAME_SHARED = 8 };

/* At most HEADER_MAX bytes at `head`; how many. `n_shared`: UINT32_MAX: as before. */
static size_t put_header(char *head, struct spill_key *before, const struct spill_key *key, size_t n_shared, size_t n)
{
	char *at = head + 1;
	unsigned same = 0;
	if (key->present == before->present && key->sec == before->sec && key->nsec == before->nsec) {
		same |= SAME_TIME;
	} else {
		*at++ = (char)key->present;
		memcpy(at, &key->sec, sizeof key->sec), at += sizeof key->sec;
		memcpy(at, &key->nsec, sizeof key->nsec), at += sizeof key->nsec;
	}
	if (key->order == before->order) same |= SAME_ORDER;
	else at = varint_put(at, key->order);
	at = varint_put(at, varint_fold((int64_t)(key->offset - before->offset)));
	if (key->rank == before->rank && key->kind == before->kind) {
		same |= SAME_RANK;
	} else {
		memcpy(at, &key->rank, sizeof key->rank), at += sizeof key->rank;
		*at++ = (char)key->kind;
	}
	if (n_shared == UINT32_MAX) same |= SAME_SHARED;
	else at = varint_put(at, n_shared);
	at = varint_put(at, n);
	*head = (char)same;
	*before = *key;
	return (size_t)(at - head);
}

/* The reverse: *key is the one before and becomes the next. *ret_shared: UINT64_MAX: as before. */
static bool take_header(struct cursor *c, struct spill_key *key, uint64_t *ret_shared, uint64_t *ret_n)
{
	uint8_t same;
	uint64_t seconds, folded;
	if (!cursor_u8(c, &same)) return false;
	if (!(same & SAME_TIME)) {
		if (!cursor_u8(c, &key->present) || !cursor_u64(c, &seconds) || !cursor_u32(c, &key->nsec)) return false;
		key->sec = (int64_t)seconds;
	}
	if (!(same & SAME_ORDER) && !varint_take(c, &key->order)) return false;
	if (!varint_take(c, &folded)) return false;
	key->offset += (uint64_t)varint_unfold(folded);
	if (!(same & SAME_RANK) && !(cursor_u32(c, &key->rank) && cursor_u8(c, &key->kind))) return false;
	*ret_shared = UINT64_MAX;
	if (!(same & SAME_SHARED) && (!varint_take(c, ret_shared) || *ret_shared >= UINT32_MAX)) return false;
	return varint_take(c, ret_n) && *ret_n < UINT32_MAX;
}

/* One after the other in memory they are one piece. */
static size_t add_piece(struct iovec *v, size_t n, char *p, size_t bytes)
{
	if (n && (char *)v[n - 1].iov_base + v[n - 1].iov_len == p) {
		v[n - 1].iov_len += bytes;
		return n;
	}
	v[n] = (struct iovec){p, bytes};
	return n + 1;
}

/* Writes what the buffer holds as one sorted run. */
static bool flush(struct spill *s, struct fault *f)
{
	struct iovec v[PIECES];
	struct spill_key before = {0};
	const struct entry *last = NULL;
	size_t n = 0, bytes = 0;
	if (s->fd < 0 && (s->fd = unnamed_file(s->dir, f)) < 0) return false;
	sort_entries(s);
	uint64_t start = s->written;
	for (size_t i = 0; i < s->entries.n; i++) {
		const struct entry *e = &s->entries.v[i];
		bool same = last && last->shared_at == e->shared_at && last->n_shared == e->n_shared, first = e->shared_at + e->n_shared == e->at;
		char head[HEADER_MAX], *room = s->bytes.p + (first ? e->shared_at : e->at);
		size_t n_head = put_header(head, &before, &e->key, same ? UINT32_MAX : e->n_shared, e->n);
		memcpy(room - n_head, head, n_head);
		n = add_piece(v, n, room - n_head, n_head);
		if (!same) n = add_piece(v, n, s->bytes.p + e->shared_at, e->n_shared);
		n = add_piece(v, n, s->bytes.p + e->at, e->n);
		bytes += n_head + (same ? 0 : e->n_shared) + e->n;
		last = e;
		if (n + 3 <= PIECES && i + 1 < s->entries.n) continue;
		if (!write_pieces(s->fd, v, n, s->written, f)) return false;
		s->written += bytes;
		n = bytes = 0;
	}
	vec_push(&s->runs, (struct run){s->fd, start, s->written});
	s->entries.n = 0;
	s->bytes.n = 0;
	s->same = 0;
	return true;
}

bool spill_add(struct spill *s, const struct spill_key *key, struct spill_payload p, uint64_t same, struct fault *f)
{
	verify(p.shared.n < UINT32_MAX && p.own.n < UINT32_MAX);
	size_t more = p.shared.n + p.own.n + HEADER_ROOM + sizeof(struct entry);
	if (s->entries.n && s->bytes.n + more + s->entries.n * sizeof(struct entry) > s->limit && !flush(s, f)) return false;
	struct entry e = {.key = *key, .shared_at = s->bytes.n + HEADER_ROOM, .n_shared = (uint32_t)p.shared.n, .n = (uint32_t)p.own.n};
	buf_reserve(&s->bytes, more);
	s->bytes.n += HEADER_ROOM;
	if (same && same == s->same) e.shared_at = s->entries.v[s->entries.n - 1].shared_at;
	else buf_str(&s->bytes, p.shared);
	e.at = s->bytes.n;
	buf_str(&s->bytes, p.own);
	vec_push(&s->entries, e);
	s->same = same;
	s->sorted = false;
	s->count++;
	return true;
}

/* One input of a merge: a run on disk with a window over it, or the sorted rest in memory. */
struct feed {
	struct run run;
	struct spill *memory; /* not NULL: entries from memory */
	size_t next;
	struct buf window;
	size_t at;
	size_t shared_at, n_shared; /* in the window: of the current entry */
	struct spill_key key;
	struct spill_payload payload;
};
struct spill_merge {
	struct feed *feeds;
	size_t n;
	uint32_t *heap; /* indices of feeds, least key first */
	size_t heap_n;
	bool started;
	VEC(int) files; /* of runs that a first round of merging wrote */
};

/* Makes at least n bytes available at window.p + at; what is shared stays. */
static bool fill(struct feed *d, size_t n, struct fault *f)
{
	if (d->window.n - d->at >= n) return true;
	size_t from = d->n_shared ? d->shared_at : d->at, want = n > READ_BUFFER ? n : READ_BUFFER;
	if (from) memmove(d->window.p, d->window.p + from, d->window.n - from);
	d->window.n -= from;
	d->at -= from;
	d->shared_at = 0;
	want -= d->window.n - d->at;
	if (want > d->run.end - d->run.start) want = (size_t)(d->run.end - d->run.start);
	buf_reserve(&d->window, want);
	int64_t got = file_pread(d->run.fd, d->window.p + d->window.n, want, d->run.start, f);
	if (got < 0) return false;
	d->window.n += (size_t)got;
	d->run.start += (uint64_t)got;
	if (d->window.n - d->at >= n) return true;
	fault_set(f, FAULT_CORRUPT, "a temporary file became shorter");
	return false;
}

/* Moves to the next entry; false at the end or on error (f->kind). */
static bool advance(struct feed *d, struct fault *f)
{
	if (d->memory) {
		if (d->next >= d->memory->entries.n) return false;
		const struct entry *e = &d->memory->entries.v[d->next++];
		const char *p = d->memory->bytes.p;
		d->key = e->key;
		d->payload = (struct spill_payload){{p + e->shared_at, e->n_shared}, {p + e->at, e->n}};
		return true;
	}
	uint64_t left = d->window.n - d->at + (d->run.end - d->run.start), n_shared, n;
	if (!left) return false;
	if (!d->window.p) buf_reserve(&d->window, READ_BUFFER);
	if (!fill(d, left < HEADER_MAX ? (size_t)left : HEADER_MAX, f)) return false;
	struct cursor c = cursor_of(d->window.p + d->at, d->window.n - d->at);
	if (!take_header(&c, &d->key, &n_shared, &n)) {
		fault_set(f, FAULT_CORRUPT, "a temporary file does not read back");
		return false;
	}
	d->at = d->window.n - cursor_left(&c);
	if (n_shared != UINT64_MAX) {
		d->n_shared = 0;
		if (!fill(d, (size_t)(n_shared + n), f)) return false;
		d->shared_at = d->at;
		d->n_shared = (size_t)n_shared;
		d->at += (size_t)n_shared;
	} else if (!fill(d, (size_t)n, f)) {
		return false;
	}
	d->payload = (struct spill_payload){{d->window.p + d->shared_at, d->n_shared}, {d->window.p + d->at, (size_t)n}};
	d->at += (size_t)n;
	return true;
}

static bool before(const struct spill_merge *m, uint32_t a, uint32_t b)
{
	int c = spill_key_cmp(&m->feeds[a].key, &m->feeds[b].key);
	if (c) return c < 0;
	/* The same key twice: order by content, so that it does not depend on the writers. */
	c = str_cmp(m->feeds[a].payload.own, m->feeds[b].payload.own);
	if (!c) c = str_cmp(m->feeds[a].payload.shared, m->feeds[b].payload.shared);
	return c ? c < 0 : a < b;
}

static void sift(struct spill_merge *m, size_t i)
{
	for (size_t child; (child = 2 * i + 1) < m->heap_n; i = child) {
		if (child + 1 < m->heap_n && before(m, m->heap[child + 1], m->heap[child])) child++;
		if (!before(m, m->heap[child], m->heap[i])) return;
		uint32_t t = m->heap[i];
		m->heap[i] = m->heap[child];
		m->heap[child] = t;
	}
}

static void merge_done(struct spill_merge *m)
{
	for (size_t i = 0; i < m->n; i++) buf_done(&m->feeds[i].window);
	free(m->feeds);
	free(m->heap);
	m->feeds = NULL;
	m->heap = NULL;
	m->n = m->heap_n = 0;
	m->started = false;
}

/* Takes over `feeds` (malloc'd). */
static bool merge_start(struct spill_merge *m, struct feed *feeds, size_t n, struct fault *f)
{
	m->feeds = feeds;
	m->n = n;
	m->heap = xcalloc(n, sizeof *m->heap);
	m->heap_n = 0;
	m->started = false;
	for (size_t i = 0; i < n; i++) {
		if (advance(&feeds[i], f)) m->heap[m->heap_n++] = (uint32_t)i;
		else if (f->kind) return false;
	}
	for (size_t i = m->heap_n; i-- > 0;) sift(m, i);
	return true;
}

bool spill_merge_next(struct spill_merge *m, struct spill_key *ret_key, struct spill_payload *ret_payload, struct fault *f)
{
	if (m->started && m->heap_n) {
		if (!advance(&m->feeds[m->heap[0]], f)) {
			if (f->kind) return false;
			m->heap[0] = m->heap[--m->heap_n];
		}
		sift(m, 0);
	}
	m->started = true;
	if (!m->heap_n) return false;
	*ret_key = m->feeds[m->heap[0]].key;
	*ret_payload = m->feeds[m->heap[0]].payload;
	return true;
}

/* Merges feeds into one run in a new file. */
static bool merge_to_run(struct spill_merge *m, const char *dir, struct feed *feeds, size_t n, struct run *ret, struct fault *f)
{
	struct spill_key key;
	struct spill_payload payload;
	struct buf out = {0};
	struct spill_key before = {0};
	int fd = unnamed_file(dir, f);
	bool ok = fd >= 0;
	uint64_t at = 0;
	if (ok) vec_push(&m->files, fd);
	if (!merge_start(m, feeds, n, f)) ok = false;
	while (ok && spill_merge_next(m, &key, &payload, f)) {
		out.n += put_header(buf_reserve(&out, HEADER_MAX), &before, &key, payload.shared.n, payload.own.n);
		buf_str(&out, payload.shared);
		buf_str(&out, payload.own);
		if (out.n < 1 << 20) continue;
		ok = write_all(fd, out.p, out.n, at, f);
		at += out.n;
		out.n = 0;
	}
	ok = ok && !f->kind && write_all(fd, out.p, out.n, at, f);
	*ret = (struct run){fd, 0, at + out.n};
	buf_done(&out);
	merge_done(m);
	return ok;
}

struct spill_merge *spill_merge_new(struct spill *const *spills, size_t n, struct fault *f)
{
	struct spill_merge *m = xcalloc(1, sizeof *m);
	struct fault local = FAULT_INIT;
	VEC(struct feed) feeds = {0};
	const char *dir = "/tmp";
	for (size_t i = 0; i < n; i++) {
		if (!spills[i]) continue;
		dir = spills[i]->dir;
		for (size_t r = 0; r < spills[i]->runs.n; r++) vec_push(&feeds, (struct feed){.run = spills[i]->runs.v[r]});
		sort_entries(spills[i]);
		if (spills[i]->entries.n) vec_push(&feeds, (struct feed){.memory = spills[i]});
	}
	bool ok = true;
	while (ok && feeds.n > MAX_FAN_IN) {
		struct feed *group = xmalloc(MAX_FAN_IN * sizeof *group);
		memcpy(group, feeds.v, MAX_FAN_IN * sizeof *group);
		memmove(feeds.v, feeds.v + MAX_FAN_IN, (feeds.n - MAX_FAN_IN) * sizeof *group);
		feeds.n -= MAX_FAN_IN;
		struct run merged;
		ok = merge_to_run(m, dir, group, MAX_FAN_IN, &merged, &local);
		vec_push(&feeds, (struct feed){.run = merged});
	}
	if (ok && merge_start(m, feeds.v, feeds.n, &local)) return m;
	if (!m->feeds) vec_free(&feeds);
	if (f) *f = local;
	spill_merge_free(m);
	return NULL;
}

void spill_merge_free(struct spill_merge *m)
{
	if (!m) return;
	merge_done(m);
	for (size_t i = 0; i < m->files.n; i++) close(m->files.v[i]);
	vec_free(&m->files);
	free(m);
}
