/* report.c: the account of a source's bytes. See reader.h. */
#include "event/reader.h"
#include "base/arena.h"
#include <stdarg.h>
#include <stdio.h>

void report_range(struct source_report *r, enum range_kind kind, uint64_t offset, uint64_t length)
{
	struct byte_range *last = r->ranges.n ? &r->ranges.v[r->ranges.n - 1] : NULL;
	if (!length) return;
	if (last && last->kind == kind && last->offset + last->length == offset) last->length += length;
	else if (r->ranges.n < REPORT_MAX_RANGES) vec_push(&r->ranges, (struct byte_range){offset, length, kind});
	else r->more_ranges++;
}

void report_damage(struct source_report *r, uint64_t offset, uint64_t length, const char *static_reason)
{
	r->damaged += length;
	struct damage *last = r->damage.n ? &r->damage.v[r->damage.n - 1] : NULL;
	if (last && last->offset + last->length == offset && str_eq(last->reason, str_of(static_reason))) {
		last->length += length;
		return;
	}
	if (r->damage.n >= REPORT_MAX_DAMAGE) {
		r->more_damage++;
		if (r->keep_ranges) report_range(r, RANGE_DAMAGE, offset, length);
		return;
	}
	vec_push(&r->damage, (struct damage){offset, length, str_of(static_reason)});
}

void report_note(struct source_report *r, uint64_t offset, const char *format, ...)
{
	char text[300];
	va_list ap;
	if (r->notes.n >= REPORT_MAX_NOTES) {
		r->more_notes++;
		return;
	}
	va_start(ap, format);
	int n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (n < 0) return;
	struct str kept = arena_str(r->arena, (struct str){text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1});
	if (!kept.p) r->more_notes++;
	else vec_push(&r->notes, (struct note){offset, kept});
}

void report_note_odd(struct source_report *r)
{
	if (r->n_odd) report_note(r, r->odd_at, "%llu with a time before 1980 or after 2099, the first here: the period does not count such", (unsigned long long)r->n_odd);
}

void report_join(struct source_report *into, const struct source_report *from)
{
	if (from->n_odd && (!into->n_odd || from->odd_at < into->odd_at)) into->odd_at = from->odd_at;
	into->n_odd += from->n_odd;
	into->header += from->header;
	into->records += from->records;
	into->recovered += from->recovered;
	into->slack += from->slack;
	into->damaged += from->damaged;
	into->n_records += from->n_records;
	into->n_recovered += from->n_recovered;
	into->n_events += from->n_events;
	into->more_damage += from->more_damage;
	into->more_notes += from->more_notes;
	into->more_ranges += from->more_ranges;
	into->limited += from->limited;
	if (from->first.present && (!into->first.present || etime_cmp(from->first, into->first) < 0)) into->first = from->first;
	if (etime_cmp(from->last, into->last) > 0) into->last = from->last;
	for (size_t i = 0; i < from->damage.n; i++) {
		struct damage d = from->damage.v[i];
		vec_push(&into->damage, d);
	}
	for (size_t i = 0; i < from->ranges.n; i++) report_range(into, from->ranges.v[i].kind, from->ranges.v[i].offset, from->ranges.v[i].length);
	for (size_t i = 0; i < from->notes.n; i++) {
		struct note n = from->notes.v[i];
		n.text = arena_str(into->arena, n.text);
		if (n.text.p) vec_push(&into->notes, n);
		else into->more_notes++;
	}
}

static int by_offset(const void *a, const void *b)
{
	const struct damage *x = a, *y = b;
	if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
	return str_cmp(x->reason, y->reason);
}

static int note_by_offset(const void *a, const void *b)
{
	const struct note *x = a, *y = b;
	if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
	return str_cmp(x->text, y->text);
}

static int range_by_offset(const void *a, const void *b)
{
	const struct byte_range *x = a, *y = b;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void sort_ranges(struct source_report *r)
{
	size_t n = r->ranges.n;
	qsort(r->ranges.v, n, sizeof *r->ranges.v, range_by_offset);
	r->ranges.n = 0;
	for (size_t i = 0; i < n; i++) report_range(r, r->ranges.v[i].kind, r->ranges.v[i].offset, r->ranges.v[i].length); /* joins; what is written stands before what is read */
}

void report_sort(struct source_report *r)
{
	if (r->notes.n) qsort(r->notes.v, r->notes.n, sizeof *r->notes.v, note_by_offset);
	if (r->notes.n > REPORT_MAX_NOTES) {
		r->more_notes += r->notes.n - REPORT_MAX_NOTES;
		r->notes.n = REPORT_MAX_NOTES;
	}
	if (!r->damage.n) {
		if (r->ranges.n) sort_ranges(r);
		return;
	}
	qsort(r->damage.v, r->damage.n, sizeof *r->damage.v, by_offset);
	size_t kept = 1;
	for (size_t i = 1; i < r->damage.n; i++) {
		struct damage *last = &r->damage.v[kept - 1], *d = &r->damage.v[i];
		if (last->offset + last->length == d->offset && str_eq(last->reason, d->reason)) last->length += d->length;
		else r->damage.v[kept++] = *d;
	}
	if (kept > REPORT_MAX_DAMAGE) {
		r->more_damage += kept - REPORT_MAX_DAMAGE;
		for (size_t i = REPORT_MAX_DAMAGE; r->keep_ranges && i < kept; i++) report_range(r, RANGE_DAMAGE, r->damage.v[i].offset, r->damage.v[i].length);
		kept = REPORT_MAX_DAMAGE;
	}
	r->damage.n = kept;
	if (r->ranges.n) sort_ranges(r);
}

void report_done(struct source_report *r)
{
	vec_free(&r->damage);
	vec_free(&r->notes);
	vec_free(&r->ranges);
}
