/* framing.c: cutting sources into leaves. See framing.h; the rules in words are in doc/format-case.md.
 *
 * EVTX: the first 4,096 bytes are one leaf. Each following block of 65,536 bytes that begins with "ElfChnk\0" is a leaf of 512
 * bytes (chunk header), then from there on: where a record header is plausible (2a 2a 00 00, size a multiple of 8, 32 bytes or more, inside
 * the block, the same size in its last four bytes) a record leaf; otherwise everything up to the next plausible one, in
 * steps of 8 bytes, is one leaf. A block that does not begin so, or is shorter than a chunk header, is one leaf. Inside the chunk,
 * ranges named by the hash tables of its header (and the chains behind them) that lie wholly inside one record are leaves too. */
#include "evidence/framing.h"
#include "base/alloc.h"
#include "base/cursor.h"

enum { EVTX_HEADER = 4096, EVTX_CHUNK = 65536, EVTX_CHUNK_HEADER = 512, BLOCK = 4096, MAX_CHAIN = 256, MAX_INNER = 4096 };

static const char *const words[] = {"lines/1", "evtx/1", "blocks/1", "records/1"};

const char *framing_word(enum framing f) { return (unsigned)f < COUNT(words) ? words[f] : "?"; }

bool framing_parse(struct str word, enum framing *ret)
{
	for (unsigned i = 0; i < COUNT(words); i++) {
		if (!str_eq(word, str_of(words[i]))) continue;
		*ret = (enum framing)i;
		return true;
	}
	return false;
}

enum framing framing_of_format(struct str format)
{
	static const char *const binary[] = {"journal", "wtmp", "utmp", "btmp", "lastlog"};
	if (str_eq(format, STR("evtx"))) return FRAMING_EVTX;
	for (size_t i = 0; i < COUNT(binary); i++)
		if (str_eq(format, str_of(binary[i]))) return FRAMING_BLOCKS;
	return FRAMING_LINES;
}

void framing_init(struct framing_cutter *c, enum framing framing, struct framing_sink sink)
{
	*c = (struct framing_cutter){.framing = framing, .sink = sink};
	if (framing == FRAMING_EVTX) c->chunk = xmalloc(EVTX_CHUNK);
}

static void leaf(struct framing_cutter *c, uint64_t offset, const void *p, size_t n)
{
	c->sink.begin(c->sink.arg, offset);
	c->sink.bytes(c->sink.arg, p, n);
	c->sink.end(c->sink.arg);
}

static void feed_lines(struct framing_cutter *c, const char *p, size_t n)
{
	while (n) {
		const char *lf = memchr(p, '\n', n);
		size_t part = lf ? (size_t)(lf - p) : n;
		if (!c->open) c->sink.begin(c->sink.arg, c->at);
		c->open = true;
		c->sink.bytes(c->sink.arg, p, part);
		if (lf) {
			c->sink.end(c->sink.arg);
			c->open = false;
			part++;
		}
		c->at += part;
		p += part;
		n -= part;
	}
}

static void feed_blocks(struct framing_cutter *c, const char *p, size_t n)
{
	while (n) {
		size_t part = BLOCK - (size_t)(c->at % BLOCK);
		if (part > n) part = n;
		if (!c->open) c->sink.begin(c->sink.arg, c->at);
		c->open = true;
		c->sink.bytes(c->sink.arg, p, part);
		c->at += part;
		p += part;
		n -= part;
		if (c->at % BLOCK == 0) {
			c->sink.end(c->sink.arg);
			c->open = false;
		}
	}
}

struct part { uint32_t offset, length; };
static int part_order(const void *x, const void *y)
{
	const struct part *a = x, *b = y;
	if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
	return (a->length < b->length) - (a->length > b->length);
}

/* The size of the record at `at`, 0 when none is plausible there. */
static uint32_t record_size(const uint8_t *chunk, size_t n, size_t at)
{
	if (at + 32 > n || le32_at(chunk + at) != 0x00002a2a) return 0;
	uint32_t size = le32_at(chunk + at + 4);
	if (size < 32 || size % 8 || size > n - at) return 0;
	return le32_at(chunk + at + size - 4) == size ? size : 0;
}

/* Template definitions (chunk header +384: 32 chains of next, GUID, size, data) and names (+128: 64 chains of next, hash, count,
 * UTF-16, NUL). Chains may be cut or go in circles: at most MAX_CHAIN entries of one, MAX_INNER in all. */
static size_t inner_parts(const uint8_t *chunk, size_t n, struct part *out)
{
	size_t count = 0;
	for (size_t slot = 0; slot < 96; slot++) {
		bool name = slot < 64;
		uint32_t at = le32_at(chunk + 128 + 4 * slot);
		for (int steps = 0; at >= EVTX_CHUNK_HEADER && steps < MAX_CHAIN && count < MAX_INNER; steps++) {
			uint64_t size = 0;
			if (name && (uint64_t)at + 8 <= n) size = 8 + 2 * (uint64_t)(chunk[at + 6] | chunk[at + 7] << 8) + 2;
			if (!name && (uint64_t)at + 24 <= n) size = 24 + (uint64_t)le32_at(chunk + at + 20);
			if (!size || at + size > n) break;
			out[count++] = (struct part){at, (uint32_t)size};
			at = le32_at(chunk + at);
		}
	}
	qsort(out, count, sizeof *out, part_order);
	return count;
}

static void cut_chunk(struct framing_cutter *c, const uint8_t *chunk, size_t n, uint64_t base)
{
	struct part inner[MAX_INNER];
	size_t n_inner = inner_parts(chunk, n, inner), next = 0;
	leaf(c, base, chunk, EVTX_CHUNK_HEADER);
	for (size_t at = EVTX_CHUNK_HEADER; at < n;) {
		uint32_t size = record_size(chunk, n, at);
		size_t end = at + size;
		if (!size) for (end = at + 8; end < n && !record_size(chunk, n, end);) end += 8;
		if (end > n) end = n;
		leaf(c, base + at, chunk + at, end - at);
		struct part last = {0, 0};
		for (; next < n_inner && inner[next].offset < end; next++) {
			struct part p = inner[next];
			bool inside = size && p.offset > at && p.offset + (uint64_t)p.length <= end;
			bool twice = p.offset == last.offset && p.length == last.length;
			if (inside && !twice) leaf(c, base + p.offset, chunk + p.offset, p.length);
			if (inside) last = p;
		}
		at = end;
	}
}

static void cut_evtx_block(struct framing_cutter *c)
{
	uint64_t base = c->at - c->chunk_n;
	if (base && c->chunk_n >= EVTX_CHUNK_HEADER && !memcmp(c->chunk, "ElfChnk", 8)) cut_chunk(c, c->chunk, c->chunk_n, base);
	else if (c->chunk_n) leaf(c, base, c->chunk, c->chunk_n);
	c->chunk_n = 0;
}

static void feed_evtx(struct framing_cutter *c, const char *p, size_t n)
{
	while (n) {
		size_t whole = c->at - c->chunk_n == 0 ? EVTX_HEADER : EVTX_CHUNK, part = whole - c->chunk_n;
		if (part > n) part = n;
		memcpy(c->chunk + c->chunk_n, p, part);
		c->chunk_n += part;
		c->at += part;
		p += part;
		n -= part;
		if (c->chunk_n == whole) cut_evtx_block(c);
	}
}

void framing_feed(struct framing_cutter *c, const void *bytes, size_t n)
{
	if (c->framing == FRAMING_LINES) feed_lines(c, bytes, n);
	else if (c->framing == FRAMING_EVTX) feed_evtx(c, bytes, n);
	else feed_blocks(c, bytes, n);
}

void framing_done(struct framing_cutter *c)
{
	if (c->framing == FRAMING_EVTX) cut_evtx_block(c);
	if (c->open) c->sink.end(c->sink.arg);
	c->open = false;
	free(c->chunk);
	c->chunk = NULL;
}
