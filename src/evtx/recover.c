/* recover.c: what has to wait for the whole file: records with templates that are not in their chunk, stale records that may be live elsewhere. See evtx.h. */
#include "evtx/reader_internal.h"

enum { TRIES = 64, /* definitions with the id of a lost template that are read */ GROUP = 64 };

/* Where the record stands in the table, or the free slot where it belongs. By a hash with a secret: nobody can make a record that passes for another. */
static uint64_t *told_slot(struct reader *r, const uint8_t *record, uint32_t size, uint64_t *ret_key)
{
	uint64_t key = hash_bytes(record, size);
	if (!key) key = 1;
	if (!r->told) r->told = xcalloc(TOLD_SLOTS, sizeof *r->told);
	uint32_t at = (uint32_t)(key >> 40) & (TOLD_SLOTS - 1);
	while (r->told[at] && r->told[at] != key) at = (at + 1) & (TOLD_SLOTS - 1);
	*ret_key = key;
	return &r->told[at];
}

bool recover_was_told(struct reader *r, const uint8_t *record, uint32_t size)
{
	uint64_t key;
	return *told_slot(r, record, size, &key) != 0;
}

void recover_told(struct reader *r, const uint8_t *record, uint32_t size)
{
	uint64_t key, *slot = told_slot(r, record, size, &key);
	if (*slot) return;
	if (r->n_told >= TOLD_SLOTS / 4 * 3) {
		r->told_overflow++;
		return;
	}
	*slot = key;
	r->n_told++;
}

/* Templates that this cursor read for the first time are known to all: of places whose checksums hold, or if there is none of all, the first in the file
 * counts. */
void recover_publish(struct reader_cursor *c)
{
	struct reader *r = c->r;
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < c->chunk.fresh.n && r->known_at.n < KNOWN_MAX; i++) {
		struct str id = {(const char *)&c->chunk.fresh.v[i].id, sizeof c->chunk.fresh.v[i].id};
		bool fresh;
		uint32_t *place = map_put(&r->known, id, (uint32_t)r->known_at.n, &fresh), at = *place;
		if (at == UINT32_MAX) { /* it was looked for before, in vain */
			*place = (uint32_t)r->known_at.n;
			fresh = true;
		}
		const struct fresh_template *t = &c->chunk.fresh.v[i];
		struct known_template k = {t->chunk, t->def, t->id, t->shift, t->sure, NULL};
		if (fresh) vec_push(&r->known_at, k);
		else if (k.sure != r->known_at.v[at].sure ? k.sure : k.chunk < r->known_at.v[at].chunk) r->known_at.v[at] = k;
	}
	pthread_mutex_unlock(&r->lock);
	c->chunk.fresh.n = 0;
}

bool recover_defer(struct reader_cursor *c, const struct record_place *place)
{
	struct reader *r = c->r;
	if (c->last_pass) return false;
	pthread_mutex_lock(&r->lock);
	bool room = r->deferred.n < DEFERRED_MAX;
	if (room) vec_push(&r->deferred, (struct deferred){c->offset, place->at, place->size, place->carved});
	pthread_mutex_unlock(&r->lock);
	return room;
}

static int by_place(const void *a, const void *b)
{
	const struct deferred *x = a, *y = b;
	if (x->chunk != y->chunk) return x->chunk < y->chunk ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int by_id(const void *a, const void *b)
{
	const struct known_template *x = a, *y = b;
	if (x->id != y->id) return x->id < y->id ? -1 : 1;
	if (x->chunk != y->chunk) return x->chunk < y->chunk ? -1 : 1;
	return (x->def > y->def) - (x->def < y->def);
}

static uint32_t chunk_after(const uint8_t *p, uint32_t at, uint32_t end)
{
	const uint8_t *hit = end - at > 1 ? memmem(p + at + 1, end - at - 1, "ElfChnk\0", 8) : NULL;
	return hit ? (uint32_t)(hit - p) : end;
}

/* Whatever looks like a template's definition in a block, of which offsets count from the chunk's beginning: the last one before it. Where the last chunk in the
 * block begins, which goes on in the next: that many bytes are done. */
static uint32_t search_block(struct reader *r, const struct evtx_chunk *block)
{
	const uint8_t *p = block->p;
	uint32_t n = block->n < EVTX_CHUNK ? block->n : EVTX_CHUNK, begin = 0, last = 0;
	for (uint32_t next = chunk_after(p, 0, n); next < n; next = chunk_after(p, next, n)) last = next;
	uint32_t end = last ? last : n, next = chunk_after(p, 0, n);
	for (uint32_t at = 0; (at = seek_definition(p, block->n, at)) < end; at++) {
		for (; next <= at; next = chunk_after(p, next, n)) begin = next;
		if (r->candidates.n < CANDIDATES_MAX) vec_push(&r->candidates, (struct known_template){block->offset + begin, at - begin, le32_at(p + at + 4), 0, false, NULL});
	}
	return end;
}

/* The definitions in the file, in records that could not be read or are stale too, by id. */
static void search_file(struct reader_cursor *c)
{
	struct reader *r = c->r;
	uint64_t base = r->in->size % EVTX_CHUNK % EVTX_FILE_HEADER || r->in->size < EVTX_FILE_HEADER ? 0 : EVTX_FILE_HEADER;
	r->searched = true;
	while (base < r->in->size && reader_load(r, base, c->other_block, &c->other)) base += search_block(r, &c->other);
	if (r->candidates.n) qsort(r->candidates.v, r->candidates.n, sizeof *r->candidates.v, by_id);
}

/* The first of the candidates with that id, or where it would be. */
static size_t first_candidate(const struct reader *r, uint32_t id)
{
	size_t low = 0, high = r->candidates.n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (r->candidates.v[middle].id < id) low = middle + 1;
		else high = middle;
	}
	return low;
}

static struct fragment *template_at(struct reader_cursor *c, const struct known_template *k)
{
	if (c->other.p && c->other.offset == k->chunk ? false : !reader_load(c->r, k->chunk, c->other_block, &c->other)) return NULL;
	c->other.store = c->store;
	c->other.arena = &c->arena;
	c->other.nodes = c->other.n_contexts = 0;
	c->other.shift = k->shift;
	return binxml_template(&c->other, k->def, k->id);
}

/* struct evtx_chunk.find_template: from the first place in the file where the id was met. */
static struct fragment *find_template(void *arg, uint32_t id)
{
	struct reader_cursor *c = arg;
	struct reader *r = c->r;
	struct str key = {(const char *)&id, sizeof id};
	uint32_t *at = map_get(&r->known, key);
	struct fragment *f = NULL;
	if (!c->other_block) c->other_block = xcalloc(1, BLOCK + EVTX_PAD);
	if (at && *at == UINT32_MAX) return NULL;
	if (at && (f = r->known_at.v[*at].fragment)) return f;
	if (at && (f = template_at(c, &r->known_at.v[*at]))) return r->known_at.v[*at].fragment = f;
	if (!r->searched) search_file(c);
	for (size_t first = first_candidate(r, id), i = first; !f && i < first + TRIES && i < r->candidates.n && r->candidates.v[i].id == id; i++) {
		if (!(f = template_at(c, &r->candidates.v[i]))) continue;
		*map_put(&r->known, key, 0, NULL) = (uint32_t)r->known_at.n;
		vec_push(&r->known_at, r->candidates.v[i]);
	}
	if (!f) *map_put(&r->known, key, 0, NULL) = UINT32_MAX; /* nowhere */
	return f;
}

struct fragment *recover_no_template(void *arg, uint32_t id)
{
	(void)arg;
	(void)id;
	return NULL;
}

bool recover_begin(struct reader_cursor *c)
{
	struct reader *r = c->r;
	pthread_mutex_lock(&r->lock);
	if (!c->ended) r->running--;
	c->ended = true;
	if (r->running == 0) stray_begin(c);
	bool mine = r->running == 0 && r->deferred.n;
	if (mine) {
		memcpy(&c->deferred, &r->deferred, sizeof c->deferred);
		memset(&r->deferred, 0, sizeof r->deferred);
	}
	pthread_mutex_unlock(&r->lock);
	if (!mine) return false;
	input_settle(r->in);
	qsort(c->deferred.v, c->deferred.n, sizeof *c->deferred.v, by_place);
	c->last_pass = true;
	c->chunk.find_template = find_template;
	c->chunk.find_arg = c;
	return true;
}

bool recover_next(struct reader_cursor *c)
{
	while (c->next_deferred < c->deferred.n) {
		const struct deferred *d = &c->deferred.v[c->next_deferred++];
		bool same = c->chunk.offset == d->chunk && c->chunk.n && c->next_deferred > 1 && c->deferred.v[c->next_deferred - 2].chunk == d->chunk;
		if (!same) reader_trim(c, 1);
		if (!same && !reader_load(c->r, d->chunk, c->block, &c->chunk)) {
			report_damage(&c->local, d->chunk + d->at, d->size, "read error");
			continue;
		}
		if (d->at + d->size > c->chunk.n) {
			report_damage(&c->local, d->chunk + d->at, d->size, "the file changed while it was read");
			continue;
		}
		c->offset = d->chunk;
		c->batch = (1ull << 62) + c->next_deferred / GROUP; /* blocks of their own, so that their lines need not be kept */
		c->places[0] = (struct record_place){d->at, d->size, d->carved, false};
		c->n_places = 1;
		c->next_place = 0;
		return true;
	}
	return false;
}
