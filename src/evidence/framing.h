/* framing: cuts the bytes of a source into leaves, piece by piece. What the framings are: evidence/source_tree.h.
 *
 * The cutter calls back for each leaf in order: begin at an offset, bytes in one or more pieces, end. Depends on the bytes
 * only, never on how they were portioned. One thread; memory at most 128 KiB. */
#pragma once
#include "evidence/source_tree.h"

struct framing_sink {
	void *arg;
	void (*begin)(void *arg, uint64_t offset);
	void (*bytes)(void *arg, const void *p, size_t n);
	void (*end)(void *arg);
};
struct framing_cutter {
	enum framing framing;
	struct framing_sink sink;
	uint64_t at;        /* offset of the next byte fed */
	bool open;          /* lines, blocks: a leaf has begun */
	uint8_t *chunk;     /* evtx: the block being gathered */
	size_t chunk_n;
};
void framing_init(struct framing_cutter *c, enum framing framing, struct framing_sink sink);
void framing_feed(struct framing_cutter *c, const void *bytes, size_t n);
/* The source ends: the last leaf ends. Frees what the cutter holds. */
void framing_done(struct framing_cutter *c);
