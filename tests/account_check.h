/* account_check: whether a source's account holds: the five counts sum to its size and, where ranges were kept, every byte stands in exactly one of them, of the kind
 * under which it was counted. Sorts the account. */
#pragma once
#include "event/reader.h"

static inline bool account_holds(struct source_report *r, uint64_t size)
{
	uint64_t of[RANGE_DAMAGE + 1] = {0}, at = 0;
	size_t range = 0, damage = 0;
	report_sort(r);
	if (r->header + r->records + r->recovered + r->slack + r->damaged != size) return false;
	if (!r->keep_ranges || r->more_ranges) return true;
	while (range < r->ranges.n || damage < r->damage.n) {
		const struct byte_range *b = range < r->ranges.n ? &r->ranges.v[range] : NULL;
		const struct damage *d = damage < r->damage.n ? &r->damage.v[damage] : NULL;
		if (d && !d->length) damage++; /* nothing of the source */
		else if (b && b->offset == at) of[b->kind] += b->length, at += b->length, range++;
		else if (d && d->offset == at) of[RANGE_DAMAGE] += d->length, at += d->length, damage++;
		else return false;
	}
	return at == size && of[RANGE_HEADER] == r->header && of[RANGE_RECORDS] == r->records && of[RANGE_RECOVERED] == r->recovered && of[RANGE_SLACK] == r->slack &&
		of[RANGE_DAMAGE] == r->damaged;
}
