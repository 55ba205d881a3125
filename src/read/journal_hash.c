/* journal_hash.c: the two hashes of journal files, the header, and what an object's head must be. */
#include "read/journal_internal.h"
#include <sodium.h>

static inline uint32_t rot(uint32_t x, unsigned k) { return x << k | x >> (32 - k); }

/* Bob Jenkins' lookup3 (public domain, 2006), hashlittle2 with both seeds 0, written from its description: 12 bytes a round. */
uint64_t journal_lookup3(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint32_t a = 0xdeadbeef + (uint32_t)n, b = a, c = a;
	uint8_t tail[12] = {0};
	if (!n) return (uint64_t)c << 32 | b;
	for (; n > 12; n -= 12, p += 12) {
		a += le32_at(p), b += le32_at(p + 4), c += le32_at(p + 8);
		a -= c, a ^= rot(c, 4), c += b;
		b -= a, b ^= rot(a, 6), a += c;
		c -= b, c ^= rot(b, 8), b += a;
		a -= c, a ^= rot(c, 16), c += b;
		b -= a, b ^= rot(a, 19), a += c;
		c -= b, c ^= rot(b, 4), b += a;
	}
	memcpy(tail, p, n);
	a += le32_at(tail), b += le32_at(tail + 4), c += le32_at(tail + 8);
	c ^= b, c -= rot(b, 14);
	a ^= c, a -= rot(c, 11);
	b ^= a, b -= rot(a, 25);
	c ^= b, c -= rot(b, 16);
	a ^= c, a -= rot(c, 4);
	b ^= a, b -= rot(a, 14);
	c ^= b, c -= rot(b, 24);
	return (uint64_t)c << 32 | b;
}

uint64_t journal_hash(const struct journal_header *h, const void *bytes, size_t n)
{
	uint8_t out[8];
	if (!h->keyed) return journal_lookup3(bytes, n);
	crypto_shorthash_siphash24(out, bytes, n, h->file_id);
	return le64_at(out);
}

/* LPKSHHRH | u32 compatible | u32 incompatible | u8 state | 7 reserved | ids: file, machine, boot, sequence |
 * u64: 88 header size, 96 arena size, .. 144 objects, 152 entries .. */
void journal_header_read(struct str head, struct journal_header *ret)
{
	const uint8_t *p = (const uint8_t *)head.p;
	*ret = (struct journal_header){.size = 272, .compact = false};
	if (head.n < J_HEADER_MIN) return;
	ret->incompatible = le32_at(p + 12);
	ret->compact = ret->incompatible & J_COMPACT;
	ret->keyed = ret->incompatible & J_KEYED;
	ret->sealed = le32_at(p + 8) & J_SEALED;
	ret->state = p[16];
	memcpy(ret->file_id, p + 24, sizeof ret->file_id);
	uint64_t size = le64_at(p + 88);
	bool size_ok = size >= J_HEADER_MIN && size <= J_HEADER_MAX && size % 8 == 0 && size <= head.n;
	if (size_ok) ret->size = size;
	ret->n_objects = le64_at(p + 144);
	ret->n_entries = le64_at(p + 152);
	ret->sound = !memcmp(p, "LPKSHHRH", 8) && size_ok;
}

bool journal_head_ok(const struct journal_header *h, const uint8_t *p, uint64_t at, uint64_t size)
{
	uint64_t n = le64_at(p + 8), left = size - at;
	uint32_t least;
	if (p[0] == J_UNUSED || p[0] >= J_TYPES || (le64_at(p) >> 16) || n > left) return false;
	if (p[1] && (p[0] != J_DATA || (p[1] != J_XZ && p[1] != J_LZ4 && p[1] != J_ZSTD))) return false;
	switch ((enum journal_type)p[0]) {
	case J_DATA: least = journal_data_head(h) + 1; break;
	case J_FIELD: least = 41; break;
	case J_ENTRY: least = J_ENTRY_HEAD + journal_item_size(h); break;
	case J_DATA_HASH_TABLE: case J_FIELD_HASH_TABLE: least = J_HEAD + 16; break;
	case J_ENTRY_ARRAY: least = 24 + (h->compact ? 4 : 8); break;
	case J_TAG: return n == 64;
	default: return false;
	}
	if (n < least) return false;
	if (p[0] == J_ENTRY) return (n - J_ENTRY_HEAD) % journal_item_size(h) == 0;
	if (p[0] == J_DATA_HASH_TABLE || p[0] == J_FIELD_HASH_TABLE) return n % 16 == 0;
	return p[0] != J_ENTRY_ARRAY || (n - 24) % (h->compact ? 4 : 8) == 0;
}
