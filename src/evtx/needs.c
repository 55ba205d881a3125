/* needs.c: which other bytes of its chunk a record cannot be read without. See evtx.h.
 *
 * A record instantiates template definitions (token 0x0c), which stand where they were used first in the chunk: inside itself or
 * elsewhere; a definition names elements and attributes by chunk offset, and those names stand where they were used first. Nothing
 * is interpreted here: tokens are stepped over one by one, as [MS-EVEN6] 2.2.13 lays them out. */
#include "evtx/evtx.h"
#include "base/cursor.h"

enum { MAX_NESTED = 8 };

struct needs {
	const uint8_t *chunk;
	size_t n;
	uint32_t record, record_end;
	struct range *ret;
	uint32_t count, max;
};

static bool inside(uint64_t at, uint64_t n, uint64_t from, uint64_t to) { return at >= from && at + n <= to; }

static void add(struct needs *x, uint64_t at, uint64_t n)
{
	if (inside(at, n, x->record, x->record_end)) return;
	for (uint32_t i = 0; i < x->count; i++)
		if (inside(at, n, x->ret[i].offset, x->ret[i].offset + x->ret[i].length)) return;
	if (x->count < x->max) x->ret[x->count++] = (struct range){at, n};
}

static uint32_t at_of(const struct needs *x, const struct cursor *c) { return (uint32_t)(c->p - x->chunk); }

/* A name: its offset; its bytes follow when it stands here. */
static bool name(struct needs *x, struct cursor *c)
{
	uint32_t offset;
	if (!cursor_u32(c, &offset) || offset > x->n || x->n - offset < 10) return false;
	uint32_t size = 10 + 2u * le16_at(x->chunk + offset + 6);
	if (x->n - offset < size) return false;
	if (offset == at_of(x, c)) return cursor_skip(c, size);
	add(x, offset, size);
	return true;
}

/* The tokens of a definition, or of literal elements (which have no dependency ids), up to their end. */
static void tokens(struct needs *x, struct cursor c, bool dependency_ids)
{
	uint8_t token, type;
	uint16_t n;
	bool ok = true;
	while (ok && cursor_u8(&c, &token) && token) {
		switch (token & 0xbf) {
		case 0x0f: ok = cursor_skip(&c, 3); break;
		case 0x01: ok = cursor_skip(&c, dependency_ids ? 6 : 4) && name(x, &c) && (!(token & 0x40) || cursor_skip(&c, 4)); break;
		case 0x02: case 0x03: case 0x04: break;
		case 0x05: ok = cursor_u8(&c, &type) && cursor_u16(&c, &n) && cursor_skip(&c, 2u * n); break;
		case 0x06: case 0x09: case 0x0a: ok = name(x, &c); break;
		case 0x07: case 0x0b: ok = cursor_u16(&c, &n) && cursor_skip(&c, 2u * n); break;
		case 0x08: ok = cursor_skip(&c, 2); break;
		case 0x0d: case 0x0e: ok = cursor_skip(&c, 3); break;
		default: ok = false;
		}
	}
}

/* Fragment header and template instance; values that are fragments themselves are followed. */
static void instance(struct needs *x, struct cursor c, unsigned depth)
{
	uint8_t token;
	uint32_t offset, values;
	if (depth > MAX_NESTED || !cursor_u8(&c, &token) || (token & 0xbf) != 0x0f || !cursor_skip(&c, 3) || !cursor_u8(&c, &token)) return;
	if ((token & 0xbf) != 0x0c) {
		c.p--; /* literal elements, as in forwarded events */
		tokens(x, c, false);
		return;
	}
	if (!cursor_skip(&c, 5) || !cursor_u32(&c, &offset) || offset > x->n || x->n - offset < 24) return;
	uint32_t size = le32_at(x->chunk + offset + 20);
	if (size > x->n - offset - 24) return;
	if (offset == at_of(x, &c) && !cursor_skip(&c, 24 + (size_t)size)) return;
	add(x, offset, 24 + (uint64_t)size);
	tokens(x, cursor_of(x->chunk + offset + 24, size), true);
	if (!cursor_u32(&c, &values) || values > cursor_left(&c) / 4) return;
	struct cursor kinds = c;
	if (!cursor_skip(&c, 4 * (size_t)values)) return;
	for (uint32_t i = 0; i < values; i++) {
		uint16_t bytes = 0, type = 0;
		if (!cursor_u16(&kinds, &bytes) || !cursor_u16(&kinds, &type) || cursor_left(&c) < bytes) return;
		if ((type & 0xff) == 0x21) instance(x, cursor_of(c.p, bytes), depth + 1);
		(void)cursor_skip(&c, bytes);
	}
}

uint32_t evtx_needs(const void *chunk, size_t n, uint32_t record, struct range *ret, uint32_t max)
{
	struct needs x = {.chunk = chunk, .n = n, .record = record, .ret = ret, .max = max};
	if (record > n || n - record < 28) return 0;
	uint32_t size = le32_at(x.chunk + record + 4);
	if (size < 28 || size > n - record) return 0;
	x.record_end = record + size;
	instance(&x, cursor_of(x.chunk + record + 24, size - 28), 0);
	return x.count;
}
