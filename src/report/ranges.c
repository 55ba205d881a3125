/* ranges.c: what became of every byte of a source, a line of JSON a range, in their order. */
#include "report/report.h"
#include "text/json_write.h"

enum { PART = 256 << 10 };

static void put_range(struct buf *out, struct str path, uint64_t offset, uint64_t length, struct str kind, struct str reason)
{
	struct json_out o = JSON_OUT(out);
	json_begin_object(&o);
	json_key_str(&o, STR("source"), path);
	json_key_u64(&o, STR("offset"), offset);
	json_key_u64(&o, STR("length"), length);
	json_key_str(&o, STR("kind"), kind);
	if (reason.n) json_key_str(&o, STR("reason"), reason);
	json_end(&o);
	buf_byte(out, '\n');
}

bool report_ranges(const struct source_report *a, struct str path, struct report_ranges_at *at, struct buf *out)
{
	static const char *const kinds[] = {[RANGE_HEADER] = "header", [RANGE_RECORDS] = "records", [RANGE_RECOVERED] = "recovered", [RANGE_SLACK] = "slack", [RANGE_DAMAGE] = "damage"};
	while (out->n < PART) {
		const struct byte_range *r = at->range < a->ranges.n ? &a->ranges.v[at->range] : NULL;
		const struct damage *d = at->damage < a->damage.n ? &a->damage.v[at->damage] : NULL;
		if (!r && !d) return false;
		if (d && (!r || d->offset < r->offset)) {
			put_range(out, path, d->offset, d->length, STR("damage"), d->reason);
			at->damage++;
		} else {
			put_range(out, path, r->offset, r->length, str_of(kinds[r->kind]), (struct str){"", 0});
			at->range++;
		}
	}
	return true;
}
