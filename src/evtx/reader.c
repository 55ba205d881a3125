/* reader.c: the file as blocks of one chunk, chunks as records, records as events; every byte accounted for. See evtx.h.
 *
 *	file header 4096 | chunk 65536 | chunk | ...        chunk: header 512 | record | record | ... | free space
 *	record: 2a2a0000 | u32 size | u64 id | u64 FILETIME | binary XML | u32 size
 * Header counts and offsets are not trusted: the walk goes by the records themselves. Where it breaks, the next whole record is
 * looked for in steps of eight bytes, and what lies between is damage. */
#include "evtx/reader_internal.h"

static bool all_zero(const uint8_t *p, size_t n) { return !n || (!p[0] && !memcmp(p, p + 1, n - 1)); }

/* --- accounting --- */

/* Checks a chunk's checksums. True when they are there and hold: then its header says truly where its records end. */
static bool checksums_hold(struct source_report *r, const uint8_t *p, uint32_t n, uint64_t offset)
{
	uint32_t flags = le32_at(p + 120), free = le32_at(p + 48);
	if (flags & 4 || n < EVTX_CHUNK) return false;
	bool header = chunk_header_holds(p), records = chunk_records_hold(p);
	if (!header) report_note(r, offset, "wrong checksum of the chunk header");
	if (free < EVTX_CHUNK_HEADER || free > EVTX_CHUNK) report_note(r, offset, "free-space offset out of bounds");
	else if (!records) report_note(r, offset, "wrong checksum of the records");
	return header && records;
}

static void add_place(struct reader_cursor *c, uint32_t at, uint32_t size, bool carved)
{
	if (c->n_places < EVTX_PLACES_MAX) c->places[c->n_places++] = (struct record_place){at, size, carved, false};
}

/* Free space: stale records in it are places too when they are wanted, else they wait for what is missing at the end; what remains is slack, or damage when there is a
 * reason. Returns where it ended: behind `end`, up to `n`, where a record reaches over it. */
static uint32_t walk_slack(struct reader_cursor *c, uint32_t at, uint32_t end, uint32_t n, const char *why)
{
	while (at < end) {
		bool carve = c->r->options->carve;
		uint32_t next = all_zero(c->chunk.p + at, end - at) ? end : seek_record(c->chunk.p, at, n);
		if (next > end) next = end;
		if (!why) report_slack(&c->local, c->offset + at, next - at);
		else if (next > at) report_damage(&c->local, c->offset + at, next - at, why);
		if (next == end) return end;
		uint32_t size = record_size(c->chunk.p + next, n - next);
		if (carve) add_place(c, next, size, true);
		else stray_in_slack(c, next, size, why);
		at = next + size;
	}
	return at;
}

static void no_records(struct reader_cursor *c, uint32_t from, uint32_t to, const char *why)
{
	if (from >= to) return;
	if (c->r->image || all_zero(c->chunk.p + from, to - from)) report_slack(&c->local, c->offset + from, to - from);
	else report_damage(&c->local, c->offset + from, to - from, why);
}

/* What stands between a whole chunk and the next one: records, as they are found. */
static void walk_between(struct reader_cursor *c, uint32_t at, uint32_t end)
{
	while (at < end) {
		uint32_t next = seek_record(c->chunk.p, at, end);
		no_records(c, at, next, "no chunk header and no record");
		if (next == end) return;
		uint32_t size = record_size(c->chunk.p + next, end - next);
		c->recovered = true;
		add_place(c, next, size, false);
		if (c->n_places) c->places[c->n_places - 1].loose = true;
		at = next + size;
	}
}

/* The first whole record in p[at..n) that begins as records' content does; n: there is none. */
static uint32_t seek_xml(const uint8_t *p, uint32_t at, uint32_t n)
{
	while ((at = seek_record(p, at, n)) < n && (le32_at(p + at + 4) % 8 || !begins_xml(p + at))) at++;
	return at;
}

/* How far a record goes that is whole by its size and the copy of it, where checksums do not hold: to where another begins. Whoever enlarges a record hides those behind it; and
 * a page that was overwritten may end, by chance, as the record before it would. But what lies within one of its values is data: whoever causes an event may write there what looks like a
 * record. 0: it is none, for it begins with nothing that records begin with. *first: the first record of seek_xml behind `at`, kept from one call to the next, so that heads by the thousand
 * do not each look for it. */
static uint32_t reaches(const struct evtx_chunk *c, uint32_t at, uint32_t size, uint32_t n, uint32_t *first)
{
	enum { TRIES = 64 }; /* of data that looks like a record; nobody's record has more */
	const uint8_t *p = c->p;
	uint32_t end = at + size;
	if (*first <= at) *first = seek_xml(p, at + 1, n);
	if (*first >= end) return size;
	if (!begins_xml(p + at)) return 0;
	for (uint32_t in = *first, tries = 0; in < end && tries < TRIES; in = seek_xml(p, in + 1, end), tries++) {
		uint32_t inner = le32_at(p + in + 4);
		if (in - at < EVTX_RECORD_MIN || inner > end - in) continue;
		if (!binxml_value_holds(c, at + EVTX_RECORD_HEAD, end - 4, in, in + inner, 0)) return in - at;
	}
	return size;
}

/* Walks the records of one chunk; fills c->places and the account. */
static void walk_chunk(struct reader_cursor *c)
{
	struct source_report *r = &c->local;
	const uint8_t *p = c->chunk.p;
	uint32_t n = c->chunk.n, at = 0;
	bool has_header = n >= EVTX_CHUNK_HEADER && !memcmp(p, "ElfChnk", 8), cut = has_header && n < EVTX_CHUNK;
	c->n_places = c->next_place = 0;
	c->sure = c->chunk.sure = false;
	c->recovered = !has_header;
	if (all_zero(p, n)) {
		report_slack(r, c->offset, n);
		return;
	}
	if (has_header) {
		c->sure = c->chunk.sure = checksums_hold(r, p, n, c->offset);
		at = c->sure ? EVTX_CHUNK_HEADER : seek_record(p, 56, n);
		if (at > EVTX_CHUNK_HEADER) at = EVTX_CHUNK_HEADER; /* before it: bytes of the header were lost */
		else if (at < EVTX_CHUNK_HEADER) c->recovered = true;
		report_header(r, c->offset, at);
	}
	/* What moved the next chunk was put in behind the records when their checksums hold. */
	bool behind = c->sure && n > EVTX_CHUNK;
	uint32_t limit = records_end(p, n, c->sure);
	uint32_t gap = at, first_xml = 0; /* gap: where bytes that belong to no record began */
	/* Where checksums hold, a record may still have been enlarged to hide those behind it: then there are fewer than the header names. */
	struct span named = {c->offset, 0, 0, n};
	bool counts = c->sure && span_in_head(p, &named), look = !c->sure && !c->r->image;
	for (;;) {
		uint32_t size = at < n ? record_size(p + at, n - at) : 0;
		if (size && look) {
			uint32_t claimed = size;
			size = reaches(&c->chunk, at, size, n, &first_xml);
			if (size && size < claimed) report_note(r, c->offset + at, "record %llu reaches over those behind it", (unsigned long long)le64_at(p + at + 8));
			c->recovered |= size && size < claimed;
		}
		/* Whole records may follow at once behind the end that the header names, as in a log that was not closed, or of which the header was
		 * written by another tool: they are records like the others. */
		if (!size) {
			/* Behind the end of the records lies free space, as the chunk's header says. */
			if (counts && !look && !c->recovered && c->n_places <= named.high - named.low) {
				look = true;
				c->n_places = 0;
				gap = at = EVTX_CHUNK_HEADER;
				continue;
			}
			if (at < limit) at = seek_record(p, at + 1, n);
			if (at >= limit) break;
			continue;
		}
		if (at > gap) {
			no_records(c, gap, at, has_header ? "no record" : "no chunk header and no record");
			c->recovered = true;
		}
		add_place(c, at, size, false);
		at += size;
		gap = at;
	}
	if (gap < limit) {
		no_records(c, gap, limit, cut ? "chunk cut off" : has_header ? "no record" : "no chunk header and no record");
		gap = limit;
	}
	gap = walk_slack(c, gap, behind && gap < EVTX_CHUNK ? EVTX_CHUNK : n, n, cut && !c->r->image ? "chunk cut off" : NULL);
	if (behind) walk_between(c, gap, n);
}

static void count_record(struct reader_cursor *c, const struct record_place *place, const char *why)
{
	struct source_report *r = &c->local;
	const uint8_t *p = c->chunk.p + place->at;
	uint64_t written = le64_at(p + 16);
	/* A whole record of which the content cannot be read is still a record; that it could not is said and counted. */
	if (why) {
		report_note(r, c->offset + place->at, "record %llu: %s", (unsigned long long)le64_at(p + 8), why);
		r->limited++;
	}
	bool recovered = c->recovered || place->carved || c->last_pass || c->r->image || why;
	if (recovered) report_recovered(r, c->offset + place->at, place->size);
	else report_records(r, c->offset + place->at, place->size);
	r->n_recovered += recovered;
	r->n_records++;
	if (c->first_written && written >= c->first_written && written <= c->last_written) return;
	if (!written) return; /* none */
	if (etime_is_odd(etime_from_filetime(written))) {
		if (!r->n_odd++ || c->offset + place->at < r->odd_at) r->odd_at = c->offset + place->at;
		return;
	}
	if (!c->first_written || written < c->first_written) c->first_written = written;
	if (written > c->last_written) c->last_written = written;
}
/* --- the contract --- */

static int sniff(struct str head, uint64_t size, struct str path)
{
	(void)size;
	(void)path;
	if (str_starts(head, (struct str){"ElfFile\0", 8})) return 100;
	if (str_starts(head, (struct str){"ElfChnk\0", 8})) return 90;
	/* Whatever stands in the header's place now: text, or the head of another file. */
	if (seek_whole_chunk(head)) return 100;
	if (head.n > EVTX_FILE_HEADER + 8 && !memcmp(head.p + EVTX_FILE_HEADER, "ElfChnk\0", 8)) return 90;
	return seek_log_in(head) ? 88 : 0;
}

static void reader_free(struct reader *r)
{
	report_done(&r->report);
	vec_free(&r->deferred);
	stray_free(r);
	vec_free(&r->known_at);
	vec_free(&r->candidates);
	vec_free(&r->spans.v);
	map_done(&r->known);
	free(r->told);
	free(r->carry);
	arena_done(&r->notes);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* Where the file's header ends: when bytes of it were lost, where the first chunk begins; when a page of records was written over it, where the first of them begins. */
static uint32_t header_ends(const uint8_t *head, uint32_t n)
{
	uint32_t chunk = seek_chunk(head, 8, n), ends = chunk < EVTX_FILE_HEADER ? chunk : EVTX_FILE_HEADER;
	for (uint32_t at = EVTX_FILE_HEADER_USED; at + EVTX_RECORD_MIN <= ends; at++) {
		const uint8_t *hit = memmem(head + at, ends - at, "\x2a\x2a\0", 4);
		if (!hit || n - (uint32_t)(hit - head) < EVTX_RECORD_MIN) break;
		at = (uint32_t)(hit - head);
		if (le32_at(hit + 4) >= EVTX_RECORD_MIN && le32_at(hit + 4) <= EVTX_CHUNK && begins_xml(hit)) return at;
	}
	return ends;
}

static struct reader *reader_open(struct input *in, const struct reader_options *options, struct fault *f)
{
	struct reader *r = xcalloc(1, sizeof *r);
	uint8_t head[EVTX_FILE_HEADER + EVTX_CHUNK_HEADER];
	r->in = in;
	r->options = options;
	r->lowest_named = r->lowest_met = UINT64_MAX;
	pthread_mutex_init(&r->lock, NULL);
	arena_init(&r->notes, 4 << 20);
	r->report.arena = &r->notes;
	r->report.keep_ranges = options->ranges;
	int64_t n = input_pread(in, head, 8, 0, f);
	bool no_header = n < 8 || memcmp(head, "ElfFile", 8);
	/* A file that does not begin with the file's header: chunks are looked for from the first byte on. */
	if (n >= 0 && no_header) {
		uint8_t second[8] = {0};
		bool chunk = n == 8 && !memcmp(head, "ElfChnk", 8);
		chunk = chunk || (input_pread(in, second, 8, EVTX_FILE_HEADER, NULL) == 8 && !memcmp(second, "ElfChnk", 8));
		r->image = options->carve && !chunk;
		return r;
	}
	if (n >= 0) n = input_pread(in, head, sizeof head, 0, f);
	uint32_t ends = n > EVTX_FILE_HEADER ? header_ends(head, (uint32_t)n) : EVTX_FILE_HEADER;
	if (n >= 0) n = input_next(in, head, ends, f);
	if (n < 0) {
		reader_free(r);
		return NULL;
	}
	if (n < EVTX_FILE_HEADER && ends == EVTX_FILE_HEADER) report_damage(&r->report, 0, (uint64_t)n, "file cut off in its header");
	else report_header(&r->report, 0, (uint64_t)n);
	if (ends < EVTX_FILE_HEADER) report_note(&r->report, 0, "the file header ends %u bytes early", EVTX_FILE_HEADER - ends);
	if (n == EVTX_FILE_HEADER) {
		uint32_t flags = le32_at(head + 120);
		if (!(flags & 4) && crc32_of(0, head, 120) != le32_at(head + 124)) report_note(&r->report, 0, "wrong checksum of the file header");
		if (flags & 1) report_note(&r->report, 0, "the file was not closed properly (dirty)");
	}
	return r;
}

static struct reader_cursor *cursor_new(struct reader *r, struct shape_table *shapes)
{
	struct reader_cursor *c = xcalloc(1, sizeof *c);
	c->r = r;
	c->shapes = shapes;
	c->store = template_store_new();
	c->direct = direct_new();
	arena_init(&c->arena, ARENA_BUDGET);
	arena_init(&c->local_strings, 4 << 20);
	c->local.arena = &c->local_strings;
	c->local.keep_ranges = r->options->ranges;
	c->block = xmalloc(BLOCK + EVTX_PAD);
	c->places = xmalloc(EVTX_PLACES_MAX * sizeof *c->places);
	c->event = (struct event){.arena = &c->arena, .ops = &record_ops, .impl = c, .records = &c->record, .n_records = 1, .has_record_id = true};
	c->chunk = (struct evtx_chunk){.p = c->block, .store = c->store, .arena = &c->arena};
	const struct reader_options *o = r->options;
	c->chunk.format.exact_times = o->exact_times;
	c->chunk.format.omit_absent = o->omit_absent;
	c->chunk.format.whole_text = o->whole_text;
	c->chunk.format.lone_surrogates = o->lone_surrogates;
	c->chunk.format.special = o->exact_times || o->omit_absent || o->whole_text || o->lone_surrogates;
	pthread_mutex_lock(&r->lock);
	r->running++;
	pthread_mutex_unlock(&r->lock);
	return c;
}

/* Where the first chunk from `at` on begins in p[..total): by its magic alone, before `n` also by the size that it gives for its header when it must be `sane`. total: nowhere. */
static uint32_t find_head(const uint8_t *p, uint32_t at, uint32_t n, uint32_t total, bool sane)
{
	for (const uint8_t *hit; at < total && (hit = memmem(p + at, total - at, "ElfChnk\0", 8)); at++) {
		at = (uint32_t)(hit - p);
		if (at >= n || !sane || (total - at >= EVTX_CHUNK_HEADER / 4 && le32_at(hit + 40) == 128)) return at;
	}
	return total;
}

/* What ends a block of n bytes, of which `total` with those behind it are looked at, from `at` on. What lies within a whole record is data, and begins nothing. */
struct edge {
	uint32_t chunk;          /* where the next chunk begins; total: nowhere */
	uint32_t over, over_end; /* the whole record that lies over the end; over_end 0: there is none */
};
static struct edge find_edge(const uint8_t *p, uint32_t at, uint32_t n, uint32_t total, bool sane)
{
	struct edge e = {find_head(p, at, n, total, sane), 0, 0};
	while (at < total) {
		uint32_t record = seek_record(p, at, total);
		if (e.chunk < record || record == total) break;
		at = record + record_size(p + record, total - record);
		if (record < n && at > n) e.over = record, e.over_end = at;
		if (e.chunk < at) e.chunk = find_head(p, at, n, total, sane);
	}
	return e;
}

/* The same with what stands behind the block, which is not taken yet. */
static struct edge find_edge_behind(struct reader *r, const uint8_t *block, uint32_t at, uint32_t n, bool sane, uint32_t *ret_total)
{
	uint8_t *copy = xmalloc(BLOCK);
	memcpy(copy, block, n);
	int64_t got = input_pread(r->in, copy + n, EVTX_CHUNK, r->in->at, NULL);
	*ret_total = n + (got > 0 ? (uint32_t)got : 0);
	struct edge e = find_edge(copy, at, n, *ret_total, sane);
	free(copy);
	return e;
}

/* Where a block that begins with a chunk ends. Behind a whole chunk comes the next one, or zeros. Otherwise the next one may stand in it, for bytes of it were lost; or
 * further on, for something was put in. Behind the end of records, and in a chunk of which something is wrong, a record may reach over its end. */
static uint32_t block_end(struct reader *r, const uint8_t *block, uint32_t n)
{
	uint8_t head[EVTX_CHUNK_HEADER];
	int64_t behind = n < EVTX_CHUNK ? 0 : input_pread(r->in, head, sizeof head, r->in->at, NULL);
	if (behind >= 8 && !memcmp(head, "ElfChnk", 8)) return n;
	/* Zeros may be the free space of a chunk that begins in this one. */
	bool ends = behind < 8 || all_zero(head, (size_t)behind);
	if (ends) return chunk_holds(block, n) ? n : find_edge(block, EVTX_CHUNK_HEADER, n, n, true).chunk;
	uint32_t total;
	struct edge e = find_edge_behind(r, block, EVTX_CHUNK_HEADER, n, true, &total);
	return e.chunk < total ? e.chunk : e.over_end ? e.over_end : n;
}

/* Where a chunk begins of which the end of the block tears the first eight bytes; n: there is none. */
static uint32_t torn_chunk(struct reader *r, const uint8_t *p, uint32_t n)
{
	static const char magic[8] = "ElfChnk";
	uint8_t rest[sizeof magic];
	for (uint32_t k = sizeof magic - 1; k; k--) {
		size_t more = sizeof magic - k;
		if (n <= k || memcmp(p + n - k, magic, k)) continue;
		if (input_pread(r->in, rest, more, r->in->at, NULL) == (int64_t)more && !memcmp(rest, magic + k, more)) return n - k;
	}
	return n;
}

/* Where a block that does not begin with a chunk ends: where one begins, or a record that the end would tear. */
static uint32_t loose_end(struct reader *r, const uint8_t *block, uint32_t n)
{
	uint32_t total = n;
	bool torn = n == EVTX_CHUNK && seek_torn(block, n) < n;
	struct edge e = torn ? find_edge_behind(r, block, 0, n, false, &total) : find_edge(block, 0, n, n, false);
	if (e.chunk < n) return e.chunk;
	if (e.over_end && e.over) return e.over;
	return n == EVTX_CHUNK ? torn_chunk(r, block, n) : n;
}

/* The next block, under the lock: a chunk of 64 KiB, with what moved its end. A block that does not begin with a chunk ends where one
 * begins in it; the rest is carried over, so that chunks which were moved are read as chunks. */
static int64_t take_block(struct reader *r, uint8_t *block, uint64_t *ret_offset, struct fault *f)
{
	uint32_t have = r->carry_n;
	if (have) {
		input_settle(r->in);
		memcpy(block, r->carry, have);
	}
	r->carry_n = 0;
	*ret_offset = r->in->at - have;
	int64_t got = input_next_kept(r->in, block + have, EVTX_CHUNK - have, f);
	if (got < 0) return -1;
	uint32_t n = have + (uint32_t)got;
	if (n < 16) return n;
	bool whole = !memcmp(block, "ElfChnk", 8);
	uint32_t end = whole ? block_end(r, block, n) : n;
	if (whole && end >= n) {
		got = end > n ? input_next_kept(r->in, block + n, end - n, f) : 0;
		return got < 0 ? -1 : n + got;
	}
	if (all_zero(block, n)) return n; /* set aside for later: the rule in most logs */
	if (!whole) end = loose_end(r, block, n);
	if (end == n) return n;
	if (!r->carry) r->carry = xmalloc(EVTX_CHUNK);
	r->carry_n = n - end;
	memcpy(r->carry, block + end, r->carry_n);
	input_settle(r->in);
	memset(block + end, 0, n - end);
	return end;
}

/* Under the lock: takes a chunk that stands where it should and ends where the next begins, without reading it: that may then be
 * done beside other threads. False when it must be looked at in turn, or when the bytes are hashed as they pass. */
static bool claim(struct reader *r, uint64_t *ret_offset, bool *ret_overlaps)
{
	struct input *in = r->in;
	uint8_t *head = r->peeked_head, next[SPAN_HEAD];
	if (!in->unhashed || in->tap || r->carry_n || r->failed || in->size < in->at + EVTX_CHUNK) return false;
	if ((!r->peeked || r->peeked != in->at) && (input_pread(in, head, SPAN_HEAD, in->at, NULL) != SPAN_HEAD || memcmp(head, "ElfChnk", 8))) return false;
	r->peeked = 0;
	struct span span = {in->at, 0, 0, EVTX_CHUNK};
	if (!span_in_head(head, &span)) return false;
	int64_t got = input_pread(in, next, sizeof next, in->at + EVTX_CHUNK, NULL);
	bool chunk_behind = got >= 8 && !memcmp(next, "ElfChnk", 8);
	if (!chunk_behind) return false; /* block_end looks further */
	if (got == sizeof next) {
		r->peeked = in->at + EVTX_CHUNK;
		memcpy(head, next, sizeof next);
	}
	*ret_overlaps = spans_add(&r->spans, span);
	*ret_offset = in->at;
	in->at += EVTX_CHUNK;
	return true;
}

bool reader_load(struct reader *r, uint64_t offset, uint8_t *block, struct evtx_chunk *chunk)
{
	int64_t n = input_pread(r->in, block, BLOCK, offset, NULL);
	if (n <= 0) return false;
	memset(block + n, 0, BLOCK + EVTX_PAD - (size_t)n);
	chunk->p = block;
	chunk->n = (uint32_t)n;
	chunk->offset = offset;
	chunk->sure = false;
	chunk_forget(chunk);
	return true;
}

/* A record that was told is not told again. Of stale ones that is the rule, and nothing to note. */
static void leave_copy(struct reader_cursor *c, const struct record_place *place)
{
	report_slack(&c->local, c->offset + place->at, place->size);
	if (!place->carved && (!c->n_copies++ || c->offset + place->at < c->first_copy)) c->first_copy = c->offset + place->at;
}

/* Leaves out records that stand elsewhere in the file already. Only where something hints at them: ids that another block has, or others than the chunk's header
 * names, or no header. */
static void drop_copies(struct reader_cursor *c, bool overlaps)
{
	struct reader *r = c->r;
	const uint8_t *p = c->chunk.p;
	struct span named = {c->offset, UINT64_MAX, 0, c->chunk.n}, others[SPANS_LOOKED_AT];
	if (!c->n_places) return;
	uint32_t last = c->n_places - 1;
	while (last && c->places[last].carved) last--;
	bool has_head = c->chunk.n >= EVTX_CHUNK_HEADER && span_in_head(p, &named), ordinary = !overlaps && !c->recovered && has_head;
	if (ordinary && le64_at(p + c->places[0].at + 8) == named.low && le64_at(p + c->places[last].at + 8) == named.high) return;
	uint64_t *ids = xmalloc(c->n_places * sizeof *ids);
	uint32_t n_ids = places_ids(p, c->places, c->n_places, ids), kept = 0;
	bool foreign = n_ids && (!has_head || ids[0] < named.low || ids[n_ids - 1] > named.high);
	pthread_mutex_lock(&r->lock);
	uint32_t n = spans_before(&r->spans, c->offset, ids, n_ids, foreign, others);
	pthread_mutex_unlock(&r->lock);
	free(ids);
	struct copies *copies = copies_new(p, c->places, c->n_places);
	if (!c->other_block) c->other_block = xcalloc(1, BLOCK + EVTX_PAD);
	for (uint32_t i = 0; i < n; i++)
		if (reader_load(r, others[i].offset, c->other_block, &c->other)) copies_compare(copies, c->other.p, others[i].n < c->other.n ? others[i].n : c->other.n);
	for (uint32_t i = 0; i < c->n_places; i++) {
		if (copies_has(copies, i)) leave_copy(c, &c->places[i]);
		else c->places[kept++] = c->places[i];
	}
	c->n_places = kept;
	free(copies);
}

/* Between blocks: templates are forgotten when there are so many that all cursors' would not fit, and read again where they are used. */
void reader_trim(struct reader_cursor *c, uint32_t cursors)
{
	if (template_store_arena(c->store)->used <= STORES_MAX / (cursors ? cursors : 1)) return;
	template_store_free(c->store);
	direct_free(c->direct);
	c->chunk.store = c->store = template_store_new();
	c->direct = direct_new();
	c->other.p = NULL;
	chunk_forget(&c->chunk);
	chunk_forget(&c->other);
	for (size_t i = 0; c->last_pass && i < c->r->known_at.n; i++) c->r->known_at.v[i].fragment = NULL; /* the last pass is one cursor's */
}

/* Takes the next block of the file. False at the end. */
static bool next_chunk(struct reader_cursor *c)
{
	struct reader *r = c->r;
	struct fault f = FAULT_INIT;
	pthread_mutex_lock(&r->lock);
	if (r->options->carve && !r->carver) r->carver = c;
	if (r->options->carve && r->carver != c) {
		pthread_mutex_unlock(&r->lock);
		return false;
	}
	uint32_t cursors = r->running;
	bool overlaps = false, claimed = claim(r, &c->offset, &overlaps);
	int64_t n = claimed || r->failed ? 0 : take_block(r, c->block, &c->offset, &f);
	if (n >= EVTX_RECORD_MIN && !all_zero(c->block, (size_t)n)) overlaps = spans_add(&r->spans, span_of(c->block, (uint32_t)n, c->offset));
	c->batch = r->next_batch++;
	if (claimed) {
		pthread_mutex_unlock(&r->lock);
		n = input_pread(r->in, c->block, EVTX_CHUNK, c->offset, &f);
		if (n < 0) pthread_mutex_lock(&r->lock);
	}
	if (n < 0) {
		/* This chunk, and whatever no cursor has taken yet. */
		if (claimed) report_damage(&r->report, c->offset, EVTX_CHUNK, "read error");
		if (!r->failed) report_damage(&r->report, claimed ? r->in->at : c->offset, r->in->size - (claimed ? r->in->at : c->offset), "read error");
		r->failed = true;
	}
	if (!claimed || n < 0) pthread_mutex_unlock(&r->lock);
	c->chunk.n = n > 0 ? (uint32_t)n : 0;
	c->chunk.offset = c->offset;
	chunk_forget(&c->chunk);
	reader_trim(c, cursors);
	if (n > 0) {
		walk_chunk(c);
		if (!r->options->carve) { /* else all are compared with all */
			stray_block(c);
			drop_copies(c, overlaps);
		}
	}
	return n > 0;
}
/* --- holes in the record ids that the log itself gives --- */

static uint64_t id_at(const struct reader_cursor *c, const struct record_place *p) { return le64_at(c->chunk.p + p->at + 8); }

static bool follows(const struct record_place *a, const struct record_place *b)
{
	return !a->carved && !b->carved && a->at + a->size == b->at;
}

/* Ids on both sides of a jump that go on one by one: then it is no id that was damaged. */
static bool steady(const struct reader_cursor *c, const struct record_place *place)
{
	const struct record_place *first = c->places, *end = c->places + c->n_places;
	if (place - 1 > first && follows(place - 2, place - 1) && id_at(c, place - 1) != id_at(c, place - 2) + 1) return false;
	return place + 1 == end || !follows(place, place + 1) || id_at(c, place + 1) == id_at(c, place) + 1;
}

/* The last record of the chunk before, when that chunk's header, its last record and its free space agree on which that is. */
static bool last_of_chunk_before(const struct reader_cursor *c, struct record_ref *ret, uint64_t *ret_id)
{
	uint8_t head[56], tail[4 + EVTX_RECORD_HEAD] = {0}, record[EVTX_RECORD_HEAD];
	struct input *in = c->r->in;
	if (c->offset < EVTX_FILE_HEADER + EVTX_CHUNK) return false;
	uint64_t chunk = c->offset - EVTX_CHUNK;
	if (input_pread(in, head, sizeof head, chunk, NULL) != sizeof head || memcmp(head, "ElfChnk", 8)) return false;
	uint32_t last = le32_at(head + 44), free = le32_at(head + 48);
	if (free > EVTX_CHUNK || last < EVTX_CHUNK_HEADER || last + EVTX_RECORD_MIN > free) return false;
	if (input_pread(in, tail, sizeof tail, chunk + free - 4, NULL) < 4 || input_pread(in, record, sizeof record, chunk + last, NULL) != sizeof record) return false;
	*ret_id = le64_at(record + 8);
	bool agree = le32_at(record) == 0x2a2a && le32_at(record + 4) == free - last && le32_at(tail) == free - last && le64_at(head + 32) == *ret_id;
	/* In a log that was not closed, newer records may follow. */
	if (free < EVTX_CHUNK && le32_at(tail + 4) == 0x2a2a && le64_at(tail + 12) == *ret_id + 1) return false;
	ret->offset = chunk + last;
	ret->length = free - last;
	ret->line = 0;
	ret->bytes = NULL;
	return agree;
}

/* Keeps what last_of_chunk_before would find in the chunk at hand, for the next one. */
static void keep_tail(struct reader_cursor *c)
{
	const uint8_t *p = c->chunk.p;
	const struct record_place *last = c->n_places ? &c->places[c->n_places - 1] : NULL;
	while (last && last > c->places && last->carved) last--;
	c->tail.chunk = 0;
	if (!last || last->carved || !c->sure || c->last_pass || last->at + last->size != le32_at(p + 48) || le32_at(p + 44) != last->at || le64_at(p + 32) != id_at(c, last)) return;
	c->tail.chunk = c->offset;
	c->tail.id = id_at(c, last);
	c->tail.record.offset = c->offset + last->at;
	c->tail.record.length = last->size;
}

/* What stands side by side in a chunk: gaps in the ids of events and times that go back are common in honest logs, and told as notes. */
static void compare_with_before(struct reader_cursor *c, const struct record_place *place)
{
	const struct event *ev = &c->event;
	uint64_t at = c->offset + place->at;
	if (place->carved || c->last_pass) return;
	if (place > c->places && c->has_before) {
		if (ev->record_id > c->before_id + 1 && ++c->gaps && (c->first_gap == 0 || at < c->first_gap)) c->first_gap = at;
		if (ev->time.present && c->before_time.present && etime_cmp(ev->time, c->before_time) < 0 && ++c->back && (c->first_back == 0 || at < c->first_back)) c->first_back = at;
	}
	c->has_before = true;
	c->before_id = ev->record_id;
	c->before_time.sec = ev->time.sec;
	c->before_time.nsec = ev->time.nsec;
	c->before_time.present = ev->time.present;
}

/* Whether ids are missing right before the record at a place, where no damage explains it. A jump back is none: logs turn over. */
static const struct event_hole *hole_before(struct reader_cursor *c, const struct record_place *place)
{
	uint64_t id = id_at(c, place), before;
	if (place->carved || c->last_pass) return NULL;
	if (place > c->places) {
		if (!follows(place - 1, place)) return NULL;
		before = id_at(c, place - 1);
		if (id <= before || id == before + 1) return NULL;
		if (!c->sure && (c->r->image || !steady(c, place))) return NULL;
		c->hole.before.offset = c->offset + place[-1].at;
		c->hole.before.length = place[-1].size;
		c->hole.before.bytes = c->chunk.p + place[-1].at;
	} else {
		/* What stands side by side on a disk may be of different logs. */
		if (place->at != EVTX_CHUNK_HEADER || !c->sure || c->r->image) return NULL;
		if (c->tail.chunk && c->tail.chunk + EVTX_CHUNK == c->offset) {
			before = c->tail.id;
			c->hole.before = c->tail.record;
		} else if (!last_of_chunk_before(c, &c->hole.before, &before)) {
			return NULL;
		}
		if (id <= before || id == before + 1) return NULL;
	}
	c->hole.first = before + 1;
	c->hole.last = id - 1;
	return &c->hole;
}

/* The next place of the block. NULL: there is none. */
static const struct record_place *next_place(struct reader_cursor *c)
{
	if (c->inner.end) {
		uint32_t at = seek_record(c->chunk.p, c->inner.at, c->inner.end);
		report_slack(&c->local, c->offset + c->inner.at, at - c->inner.at);
		if (at < c->inner.end) {
			c->inner.place = (struct record_place){at, record_size(c->chunk.p + at, c->inner.end - at), true, true};
			c->inner.at = at + c->inner.place.size;
			return &c->inner.place;
		}
		c->inner.end = 0;
	}
	return c->next_place < c->n_places ? &c->places[c->next_place++] : NULL;
}

/* The record at a place as an event; NULL: it was put aside, or is none. */
static struct event *take_place(struct reader_cursor *c, const struct record_place *place)
{
	if (c->arena.used > ARENA_WARM) arena_reset(&c->arena); /* no event lives any more; memory that is still in the cache is used again */
	if (place->carved && !c->last_pass) {
		if (recover_defer(c, place)) return NULL;
		c->r->told_early++;
	}
	if (c->r->options->carve && recover_was_told(c->r, c->chunk.p + place->at, place->size)) {
		leave_copy(c, place);
		return NULL;
	}
	const char *why;
	bool ok = record_event(c, place, c->last_pass, &why);
	if (c->chunk.fresh.n) recover_publish(c);
	/* Outside of logs a copy that can be read in full may stand further on. */
	if (c->r->image && why && !c->last_pass && recover_defer(c, place)) return NULL;
	if (!ok && c->chunk.lost && !c->last_pass) {
		if (recover_defer(c, place)) return NULL;
		c->chunk.find_template = recover_no_template; /* no room to wait: by the usual layout, at once */
		ok = record_event(c, place, true, &why);
		c->chunk.find_template = NULL;
	}
	/* Outside a log's own records a head alone is none: any bytes may look like one, and hold one. */
	if ((place->carved || c->r->image) && (!ok || c->bare)) {
		report_slack(&c->local, c->offset + place->at, 1);
		c->inner.at = place->at + 1;
		if (place != &c->inner.place) c->inner.end = place->at + place->size;
		return NULL;
	}
	if (c->r->options->carve) recover_told(c->r, c->chunk.p + place->at, place->size);
	count_record(c, place, ok ? why : why ? why : "cannot be read");
	if (ok && why) c->event.flags |= EVENT_LIMITED;
	if (ok && c->shapes) {
		c->event.hole = hole_before(c, place);
		compare_with_before(c, place);
	}
	input_hash_some(c->r->in);
	c->local.n_events += ok;
	return ok ? &c->event : NULL;
}

/* The places of the next block, or of the next record that waited. False at the end. */
static bool next_places(struct reader_cursor *c)
{
	for (;;) {
		arena_reset(&c->arena);
		if (c->shapes) keep_tail(c);
		c->has_before = false;
		if (c->last_pass ? recover_next(c) : next_chunk(c)) return true;
		if (c->last_pass || !recover_begin(c)) return false;
		c->n_places = c->next_place = 0;
	}
}

static struct event *cursor_next(struct reader_cursor *c)
{
	do {
		for (const struct record_place *place; (place = next_place(c));) {
			struct event *ev = take_place(c, place);
			if (ev) return ev;
		}
	} while (next_places(c));
	return NULL;
}

/* One record as a line, by the lane where it can. */
static void line_of_place(struct reader_cursor *c, const struct record_place *place, struct buf *out)
{
	const struct reader_options *o = c->r->options;
	/* Where checksums do not hold, what is read of one record decides how the next is read: all go the same way then. */
	bool ordinary = !c->sure || o->carve || c->r->image || c->last_pass || c->recovered || c->chunk.format.special;
	c->chunk.showing = false;
	enum lane_answer answer = ordinary ? LANE_IRREGULAR : lane_write(&c->chunk, place->at, place->size, o, out);
	if (answer == LANE_WRITTEN || answer == LANE_LEFT_OUT) {
		count_record(c, place, NULL);
		c->local.n_events++;
		return;
	}
	struct event *ev = take_place(c, place);
	if (!ev) return;
	if (answer == LANE_UNKNOWN && !(ev->flags & EVENT_LIMITED)) lane_learn(&c->chunk, &c->root, &c->content);
	if (!event_wanted(ev, o)) return;
	record_ops.json(ev, out);
	event_mark_json(ev, out);
	buf_byte(out, '\n');
}

static bool cursor_lines(struct reader_cursor *c, struct buf *out, uint64_t *ret_batch)
{
	if (c->next_place >= c->n_places && !c->inner.end && !next_places(c)) return false;
	*ret_batch = c->batch;
	size_t from = out->n;
	for (const struct record_place *place; out->n - from < LINES_PART && (place = next_place(c));) line_of_place(c, place, out);
	if (c->chunk.fresh.n) recover_publish(c);
	return true;
}

static void cursor_free(struct reader_cursor *c)
{
	if (c->first_written) {
		c->local.first = etime_from_filetime(c->first_written);
		c->local.last = etime_from_filetime(c->last_written);
	}
	input_settle(c->r->in);
	pthread_mutex_lock(&c->r->lock);
	report_join(&c->r->report, &c->local);
	c->r->gaps += c->gaps;
	if (c->n_copies && (!c->r->n_copies || c->first_copy < c->r->first_copy)) c->r->first_copy = c->first_copy;
	c->r->n_copies += c->n_copies;
	c->r->back += c->back;
	if (c->gaps && (!c->r->first_gap || c->first_gap < c->r->first_gap)) c->r->first_gap = c->first_gap;
	if (c->back && (!c->r->first_back || c->first_back < c->r->first_back)) c->r->first_back = c->first_back;
	if (!c->ended) c->r->running--; /* left before the end */
	pthread_mutex_unlock(&c->r->lock);
	report_done(&c->local);
	arena_done(&c->local_strings);
	vec_free(&c->deferred);
	vec_free(&c->chunk.fresh);
	vec_free(&c->other.fresh);
	direct_free(c->direct);
	free(c->other_block);
	template_store_free(c->store);
	arena_done(&c->arena);
	free(c->block);
	free(c->places);
	free(c->cells);
	free(c);
}

static void finish(struct reader *r, struct source_report *ret)
{
	struct arena *arena = ret->arena;
	if (r->told_overflow) report_note(&r->report, 0, "%llu records found no room in the table of those told: copies of them may be told as well", (unsigned long long)r->told_overflow);
	if (r->told_early) report_note(&r->report, 0, "%llu stale records were told before all others were known: some may be copies", (unsigned long long)r->told_early);
	report_note_odd(&r->report);
	if (r->n_copies) report_note(&r->report, r->first_copy, "%llu records stand in the file already, byte for byte: told once, the first copy is here", (unsigned long long)r->n_copies);
	if (r->gaps) report_note(&r->report, r->first_gap, "%llu gaps in the record ids of neighbouring events, the first here", (unsigned long long)r->gaps);
	if (r->back) report_note(&r->report, r->first_back, "%llu events are earlier than the one before them, the first here", (unsigned long long)r->back);
	/* Notes move to the caller's arena. */
	for (size_t i = 0; i < r->report.notes.n; i++) {
		struct str kept = arena_str(arena, r->report.notes.v[i].text);
		r->report.notes.v[i].text = kept.p ? kept : STR("");
	}
	*ret = r->report;
	ret->arena = arena;
	ret->parameters = STR("format=evtx");
	r->report = (struct source_report){.arena = &r->notes};
}

const struct reader_ops evtx_reader_ops = {
	.format = "evtx", .what = "Windows event log (EVTX)", .mark = "file header ElfFile, chunks ElfChnk", .max_cursors = 64, .sniff = sniff, .open = reader_open, .cursor_new = cursor_new,
	.next = cursor_next, .next_lines = cursor_lines, .cursor_free = cursor_free, .finish = finish, .free = reader_free,
};
