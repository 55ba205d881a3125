/* seek.c: parts of a log by their bytes alone, wherever they stand: chunks, records, definitions of templates. */
#include "evtx/evtx_internal.h"

uint32_t seek_record(const uint8_t *p, uint32_t at, uint32_t end)
{
	static const uint8_t magic[] = {0x2a, 0x2a, 0, 0};
	while (at + EVTX_RECORD_MIN <= end) {
		const uint8_t *hit = memmem(p + at, end - at, magic, sizeof magic);
		if (!hit) return end;
		at = (uint32_t)(hit - p);
		if (record_size(hit, end - at)) return at;
		at++;
	}
	return end;
}

bool chunk_header_holds(const uint8_t *p) { return crc32_of(crc32_of(0, p, 120), p + 128, 384) == le32_at(p + 124); }

bool chunk_records_hold(const uint8_t *p)
{
	uint32_t free = le32_at(p + 48);
	return free >= EVTX_CHUNK_HEADER && free <= EVTX_CHUNK && crc32_of(0, p + 512, free - 512) == le32_at(p + 52);
}

bool chunk_holds(const uint8_t *p, uint32_t n) { return n >= EVTX_CHUNK && !(le32_at(p + 120) & 4) && chunk_header_holds(p) && chunk_records_hold(p); }

uint32_t records_end(const uint8_t *p, uint32_t n, bool holds)
{
	uint32_t free = n >= EVTX_CHUNK_HEADER && !memcmp(p, "ElfChnk", 8) ? le32_at(p + 48) : n;
	return free >= EVTX_CHUNK_HEADER && free <= n && (n <= EVTX_CHUNK || holds) ? free : n;
}

struct told told_in(const uint8_t *p, uint32_t n)
{
	bool has_header = n >= EVTX_CHUNK_HEADER && !memcmp(p, "ElfChnk", 8), holds = has_header && chunk_holds(p, n);
	return (struct told){.p = p, .n = n, .end = records_end(p, n, holds), .holds = holds, .next = has_header ? EVTX_CHUNK_HEADER : 0};
}

bool told_next(struct told *t)
{
	t->at = t->next;
	t->size = t->at < t->n ? record_size(t->p + t->at, t->n - t->at) : 0;
	if (!t->size && t->at < t->end && (t->at = seek_record(t->p, t->at + 1, t->n)) < t->end) t->size = record_size(t->p + t->at, t->n - t->at);
	t->next = t->at + t->size;
	return t->size;
}

uint32_t seek_torn(const uint8_t *p, uint32_t n)
{
	static const uint8_t magic[] = {0x2a, 0x2a, 0, 0};
	uint32_t at = 0;
	while (at + sizeof magic <= n) {
		const uint8_t *hit = memmem(p + at, n - at, magic, sizeof magic);
		if (!hit || n - (uint32_t)(hit - p) < 8) return hit && hit > p ? (uint32_t)(hit - p) : n;
		at = (uint32_t)(hit - p);
		uint32_t size = le32_at(hit + 4), whole = record_size(hit, n - at);
		if (size >= EVTX_RECORD_MIN && size <= EVTX_CHUNK && size > n - at) return at;
		at += whole ? whole : 1;
	}
	return at && at < n && !memcmp(p + at, magic, n - at) ? at : n;
}

uint32_t seek_definition(const uint8_t *p, uint32_t n, uint32_t at)
{
	for (; n >= 32 && at <= n - 32; at++) {
		const uint8_t *hit = memmem(p + at + 24, n - at - 24, "\x0f\1\1", 4);
		if (!hit) break;
		at = (uint32_t)(hit - p) - 24;
		uint32_t size = le32_at(p + at + 20);
		if (n - at > 32 && (p[at + 28] & ~0x40) == 1 && size > 16 && size <= n - at - 24) return at;
	}
	return n;
}

uint32_t seek_chunk(const uint8_t *p, uint32_t at, uint32_t end)
{
	for (; at + EVTX_CHUNK_HEADER / 4 <= end; at++) {
		const uint8_t *hit = memmem(p + at, end - at, "ElfChnk\0", 8);
		if (!hit) break;
		at = (uint32_t)(hit - p);
		if (end - at >= EVTX_CHUNK_HEADER / 4 && le32_at(hit + 40) == 128) return at;
	}
	return end;
}

/* A whole record, of which the content begins as Windows begins it. */
static bool holds_record(struct str head)
{
	const uint8_t *p = (const uint8_t *)head.p;
	uint32_t n = (uint32_t)head.n;
	for (uint32_t at = 0; (at = seek_record(p, at, n)) < n; at++)
		if (le32_at(p + at + 4) % 8 == 0 && begins_xml(p + at)) return true;
	return false;
}

/* Binary XML is UTF-16 and small numbers: every second byte of a log is zero. Text has none, whatever somebody wrote into it. */
bool seek_whole_chunk(struct str head)
{
	const uint8_t *p = (const uint8_t *)head.p;
	uint32_t n = (uint32_t)head.n, at = seek_chunk(p, 0, n), zeros = 0;
	if (n < at + EVTX_CHUNK_HEADER + EVTX_RECORD_MIN || !record_size(p + at + EVTX_CHUNK_HEADER, n - at - EVTX_CHUNK_HEADER)) return false;
	for (uint32_t i = 0; i < n; i++) zeros += !p[i];
	return zeros > n / 6;
}

bool seek_log_in(struct str head) { return seek_chunk((const uint8_t *)head.p, 0, (uint32_t)head.n) < head.n || holds_record(head); }
