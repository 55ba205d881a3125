/* sight.c: what rules could see: not found, not logged, no fields, no rule, as four different things. */
#include "report/report.h"
#include "base/map.h"
#include "text/json_write.h"

const char *rule_state_word(enum rule_state s)
{
	static const char *const words[] = {"found", "not_found", "no_fields", "not_logged"};
	return words[s];
}

static const char *plural(uint32_t n) { return n == 1 ? "" : "s"; }

struct states { uint32_t n[RULE_NOT_LOGGED + 1]; };

static struct states count_states(const struct report_run *r)
{
	struct states s = {0};
	for (uint32_t i = 0; i < r->n_rules; i++) s.n[r->rules[i].state]++;
	return s;
}

static int by_weight(const void *a, const void *b)
{
	const struct map_entry *x = a, *y = b;
	if (x->value != y->value) return x->value < y->value ? 1 : -1;
	return str_cmp(x->key, y->key);
}

/* "a 12, b 3, and 4 more": the entries with the most first. */
static void put_most(struct buf *out, const struct map *m, uint32_t shown, bool numbers)
{
	struct map_entry *sorted = xcalloc(m->n + 1, sizeof *sorted);
	if (m->n) memcpy(sorted, m->entries, m->n * sizeof *sorted);
	qsort(sorted, m->n, sizeof *sorted, by_weight);
	for (uint32_t i = 0; i < m->n && i < shown; i++) {
		buf_printf(out, "%s%.*s", i ? ", " : "", STR_FMT(sorted[i].key));
		if (numbers) buf_printf(out, " %u", sorted[i].value);
	}
	if (m->n > shown) buf_printf(out, ", and %u more", m->n - shown);
	free(sorted);
}

static void put_missing(const struct report_run *r, struct buf *out)
{
	struct map fields = {0};
	for (uint32_t i = 0; i < r->n_rules; i++)
		for (uint32_t k = 0; k < r->rules[i].n_missing; k++) ++*map_put(&fields, r->rules[i].missing[k], 0, NULL);
	put_most(out, &fields, 4, true);
	map_done(&fields);
}

/* Logs of which no loaded rule looks at any event. */
static void put_no_rule(const struct report_run *r, struct buf *out)
{
	struct map logs = {0};
	uint64_t events = 0;
	for (uint32_t i = 0; i < r->n_coverage; i++) {
		const struct report_coverage *c = &r->coverage[i];
		events += c->no_rule;
		if (!c->no_rule) continue;
		uint32_t *n = map_put(&logs, c->log, 0, NULL);
		*n = UINT32_MAX - *n < c->no_rule ? UINT32_MAX : *n + (uint32_t)c->no_rule;
	}
	if (events) {
		buf_printf(out, "No rule\t%llu of %llu events are of kinds no rule looks at: ", (unsigned long long)events, (unsigned long long)r->events);
		put_most(out, &logs, 4, true);
		buf_byte(out, '\n');
	}
	map_done(&logs);
}

void report_sight(const struct report_run *r, struct buf *out)
{
	struct states s = count_states(r);
	uint32_t others = r->rules_loaded - r->n_rules;
	buf_printf(out, "Not found\t%u of %u rules", s.n[RULE_NOT_FOUND], r->n_rules);
	if (others) buf_printf(out, " (%u correlation%s aside)", others, plural(others));
	buf_lit(out, " had their fields and no match\n");
	if (s.n[RULE_NOT_LOGGED]) buf_printf(out, "Not logged\t%u rule%s had no log of their kind to look at\n", s.n[RULE_NOT_LOGGED], plural(s.n[RULE_NOT_LOGGED]));
	if (s.n[RULE_NO_FIELDS]) {
		buf_printf(out, "%s\t%u rule%s never had the fields they need: ", s.n[RULE_NOT_LOGGED] ? "" : "Not logged", s.n[RULE_NO_FIELDS],
			plural(s.n[RULE_NO_FIELDS]));
		put_missing(r, out);
		buf_byte(out, '\n');
	}
	put_no_rule(r, out);
}

void report_rule_states_json(const struct report_run *r, struct json_out *o)
{
	struct states s = count_states(r);
	json_begin_object(o);
	for (unsigned i = 0; i <= RULE_NOT_LOGGED; i++) json_key_u64(o, str_of(rule_state_word((enum rule_state)i)), s.n[i]);
	json_end(o);
}

void report_rules_json(const struct report_run *r, struct json_out *o)
{
	json_begin_array(o);
	for (uint32_t i = 0; i < r->n_rules; i++) {
		const struct report_rule *x = &r->rules[i];
		json_begin_object(o);
		json_key_str(o, STR("id"), x->rule->id);
		json_key_str(o, STR("title"), x->rule->title);
		json_key_str(o, STR("state"), str_of(rule_state_word(x->state)));
		json_key_u64(o, STR("events"), x->events);
		if (x->hits) json_key_u64(o, STR("hits"), x->hits);
		if (x->n_missing) {
			json_key(o, STR("missing"));
			json_begin_array(o);
			for (uint32_t k = 0; k < x->n_missing; k++) json_put_str(o, x->missing[k]);
			json_end(o);
		}
		json_end(o);
	}
	json_end(o);
}

/* Windows' channels by what tells them apart, as the coverage table has them. */
static struct str short_log(struct str log)
{
	return str_starts(log, STR("Microsoft-Windows-")) ? str_sub(log, 18, log.n) : log;
}

/* Whole quarters of an hour, and no more than zones have: hardly a clock that went wrong. The zone in minutes, 0: it is not so. */
static int zone_like(int64_t seconds)
{
	enum { NEAR = 60, QUARTER = 900 };
	int64_t quarters = (seconds + (seconds < 0 ? -QUARTER / 2 : QUARTER / 2)) / QUARTER, rest = seconds - quarters * QUARTER;
	return rest >= -NEAR && rest <= NEAR && quarters >= -48 && quarters <= 56 ? (int)quarters * 15 : 0;
}

void report_clock_text(const struct report_clock *c, struct buf *out)
{
	uint64_t s = (uint64_t)(c->seconds < 0 ? -c->seconds : c->seconds);
	buf_printf(out, "%.*s%s%.*s: ", STR_FMT(c->host), c->host.n ? " " : "", STR_FMT(short_log(c->log)));
	if (s >= 172800) buf_printf(out, "%llu d ", (unsigned long long)(s / 86400)), s %= 86400;
	if (s >= 3600) buf_printf(out, "%llu h ", (unsigned long long)(s / 3600));
	buf_printf(out, "%llu min", (unsigned long long)(s % 3600 / 60));
	if (s < 3600) buf_printf(out, " %llu s", (unsigned long long)(s % 60));
	bool own = !strcmp(c->basis, "own time");
	buf_printf(out, " %s than %s%.*s%s%.*s (%u of %u %s); shown, not applied", c->seconds < 0 ? "earlier" : "later", own ? "its own " : "",
		STR_FMT(c->against_host), c->against_host.n ? " " : "", STR_FMT(short_log(c->against)), c->agree, c->n, own ? "events" : c->basis);
	int zone = zone_like(c->seconds), minutes = zone < 0 ? -zone : zone;
	if (zone && own) buf_printf(out, ". Local time taken for UTC? If it has no zone: --timezone %c%02d:%02d", zone < 0 ? '-' : '+', minutes / 60, minutes % 60);
	else if (zone) buf_lit(out, ". Local time taken for UTC in one of them?");
}

void report_clocks_json(const struct report_run *r, struct json_out *o)
{
	json_begin_array(o);
	for (uint32_t i = 0; i < r->n_clocks; i++) {
		const struct report_clock *c = &r->clocks[i];
		json_begin_object(o);
		json_key_str(o, STR("host"), c->host);
		json_key_str(o, STR("log"), c->log);
		json_key_str(o, STR("against"), c->against);
		if (c->against_host.n) json_key_str(o, STR("against_host"), c->against_host);
		json_key_str(o, STR("basis"), str_of(c->basis));
		json_key_i64(o, STR("difference_seconds"), c->seconds);
		json_key_u64(o, STR("compared"), c->n);
		json_key_u64(o, STR("agree"), c->agree);
		json_end(o);
	}
	json_end(o);
}
