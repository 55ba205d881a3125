/* correlate_kit: what the tests of the correlator share: rules from text, events by hand, findings as lines of text.
 *
 * A finding reads: TITLE field=value at=SECONDS count=N from=SECONDS to=SECONDS cites=1,2,3 (records are told apart by their offset),
 * then " total=N root" when not all are cited, " approximate". Seconds are counted from 2024-01-01T00:00:00Z. */
#pragma once
#include "base/base.h"
#include "correlate/correlate.h"

enum { KIT_BASE = 1704067200 };

struct kit {
	struct rule_set *rules;
	struct correlate *c;
	struct buf opened, closed; /* lines: handed out with final == false, final == true */
	uint32_t n_opened;
};

static inline void kit_seconds(struct buf *b, struct etime t)
{
	char digits[16];
	buf_printf(b, "%lld", (long long)(t.sec - KIT_BASE));
	if (!t.nsec) return;
	snprintf(digits, sizeof digits, "%09u", t.nsec);
	size_t n = 9;
	while (n && digits[n - 1] == '0') n--;
	buf_printf(b, ".%.*s", (int)n, digits);
}

static inline void kit_cites(struct buf *b, const struct finding *f)
{
	bool first = true;
	for (uint32_t i = 0; i < f->n_evidence; i++) {
		const struct evidence_ref *e = &f->evidence[i];
		if (e->role == EVIDENCE_CONTEXT) {
			buf_printf(b, "+c%llu", (unsigned long long)e->offset);
			continue;
		}
		/* Runs as a-b. */
		uint32_t to = i;
		while (to + 1 < f->n_evidence && f->evidence[to + 1].role == EVIDENCE_RECORD && f->evidence[to + 1].offset == f->evidence[to].offset + 1) to++;
		buf_printf(b, "%s%llu", first ? "" : ",", (unsigned long long)e->offset);
		if (to > i + 1) buf_printf(b, "-%llu", (unsigned long long)f->evidence[to].offset);
		else to = i;
		first = false;
		i = to;
	}
}

static inline void kit_line(struct buf *b, const struct finding *f)
{
	buf_str(b, f->rule ? f->rule->title : f->title);
	for (uint32_t i = 0; i < f->n_group; i++) {
		buf_printf(b, " %.*s", STR_FMT(f->group[i].name));
		if (f->group[i].value.p) buf_printf(b, "=%.*s", STR_FMT(f->group[i].value));
	}
	buf_lit(b, " at=");
	kit_seconds(b, f->time);
	buf_printf(b, " count=%llu from=", (unsigned long long)f->count);
	kit_seconds(b, f->first);
	buf_lit(b, " to=");
	kit_seconds(b, f->last);
	buf_lit(b, " cites=");
	kit_cites(b, f);
	if (f->has_root) buf_printf(b, " total=%llu root", (unsigned long long)f->evidence_total);
	if (str_find(f->extra_json, STR("\"approximate\""), 0) != SIZE_MAX) buf_lit(b, " approximate");
	buf_byte(b, '\n');
}

static inline void kit_put(void *arg, const struct finding *f, bool final)
{
	struct kit *k = arg;
	k->n_opened += !final;
	kit_line(final ? &k->closed : &k->opened, f);
}

static inline void kit_start(struct kit *k, struct rule_set *rules, struct correlate_options o)
{
	struct fault fault = FAULT_INIT;
	k->rules = rules;
	o.put = kit_put;
	o.arg = k;
	k->c = correlate_new(rules, &o, &fault);
	if (!k->c) printf("# %s\n", fault.text);
}

static inline void kit_end(struct kit *k)
{
	correlate_free(k->c);
	rule_set_free(k->rules);
	buf_done(&k->opened);
	buf_done(&k->closed);
}

/* The rule of that name or title, or UINT32_MAX. */
static inline uint32_t kit_rule(const struct rule_set *rules, struct str name)
{
	for (uint32_t i = 0; i < rule_set_count(rules); i++)
		if (str_eq(rule_set_at(rules, i)->name, name) || str_eq(rule_set_at(rules, i)->info.title, name)) return i;
	return UINT32_MAX;
}

/* The bytes of record n, for its hash. */
static inline struct evidence_ref kit_record(uint64_t n)
{
	struct evidence_ref e = {.source = 0, .offset = n, .length = 1};
	sha256_of(&n, sizeof n, e.sha256);
	return e;
}
