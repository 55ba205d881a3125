/* case_maker: small cases for tests: a few text sources made from a seed, findings over their lines. */
#pragma once
#include "base/base.h"
#include "casefile/casefile.h"
#include <stdio.h>
#include <unistd.h>

struct maker {
	struct case_writer *w;
	struct buf *texts;        /* by source number of the step */
	uint32_t n_sources;
	struct fault fault;
};

static inline bool maker_fetch(void *arg, uint32_t source, uint64_t offset, uint64_t length, struct buf *out, struct fault *f)
{
	struct maker *m = arg;
	if (source >= m->n_sources || offset > m->texts[source].n || length > m->texts[source].n - offset) {
		fault_set(f, FAULT_IO, "no such bytes");
		return false;
	}
	buf_put(out, m->texts[source].p + offset, length);
	return true;
}

static inline struct case_step_info maker_step(const char *action)
{
	return (struct case_step_info){.action = str_of(action), .time = etime_from_unix(1700000000, 0, 0), .operator = STR("alice"), .host = STR("lab"),
		.tool = STR("exhibit test"), .command = STR("exhibit scan --case x"), .note = STR("")};
}

static const struct salt_key maker_key = {{7, 7, 7}};

/* Source `number` has `lines` lines; every third mentions an attack. */
static inline void maker_text(struct buf *out, uint32_t number, uint32_t lines)
{
	for (uint32_t i = 0; i < lines; i++)
		buf_printf(out, "2024-01-%02u host%u sshd[%u]: %s for user%u\n", number % 28 + 1, number, i, i % 3 ? "Accepted password" : "Failed password", i * 7 % 11);
}

enum { MAKER_RULES = 2 };
static const struct rule_info maker_rule_infos[MAKER_RULES] = {
	{.id = {"rule-one", 8}, .title = {"Failed password", 15}, .file = {"rules/one.yml", 13}, .level = LEVEL_HIGH},
	{.id = {"rule-two", 8}, .title = {"Many failures", 13}, .file = {"rules/two.yml", 13}, .level = LEVEL_CRITICAL},
};
static const char maker_text_one[] = "title: Failed password\nid: rule-one\nlogsource:\n    product: linux\ndetection:\n    keywords:\n        - Failed password\n    condition: keywords\nlevel: high\n";
static const char maker_text_two[] = "title: Many failures\nid: rule-two\ncorrelation:\n    type: event_count\n    rules:\n        - rule-one\n    group-by:\n        - host\n    timespan: 1h\n    condition:\n        gte: 2\nlevel: critical\n";

static inline bool maker_run(struct maker *m, const char *settings, bool *fresh)
{
	struct case_rule rules[MAKER_RULES] = {{&maker_rule_infos[0], STR(maker_text_one), false}, {&maker_rule_infos[1], STR(maker_text_two), true}};
	struct case_refused refused = {STR("bad.yml"), STR("syntax"), STR("a colon is missing"), 3, 4};
	struct case_input input = {STR("mapping"), STR("windows.txt"), {1}, {0}};
	struct case_run run = {STR("exhibit test"), str_of(settings), rules, MAKER_RULES, &refused, 1, &input, 1};
	return case_begin_run(m->w, &run, fresh, &m->fault);
}

/* Adds a source read as lines; its number in the step is m->n_sources. */
static inline bool maker_source(struct maker *m, uint32_t seed, uint32_t lines, bool *known)
{
	uint32_t number = m->n_sources++;
	m->texts = xrealloc(m->texts, m->n_sources * sizeof *m->texts);
	m->texts[number] = (struct buf){0};
	struct buf *t = &m->texts[number];
	maker_text(t, seed, lines);
	char log[32];
	snprintf(log, sizeof log, "logs/auth%u.log", seed);
	struct source_tree *tree = case_source_tree(m->w, STR("syslog"), number, str_of(log));
	source_tree_feed(tree, t->p, t->n);
	if (!source_tree_finish(tree, &m->fault)) return false;
	struct source_info info = {.path = str_of(log), .format = STR("syslog"), .size = t->n};
	sha256_of(t->p, t->n, info.sha256);
	struct source_report report = {.records = t->n, .n_records = lines, .n_events = lines, .parameters = STR("format=syslog year=2024"),
		.first = etime_from_unix(1704067200, 0, 0), .last = etime_from_unix(1704153600, 0, 0)};
	struct damage damage = {.offset = 0, .length = 0, .reason = STR("nothing, really")};
	struct note note = {.offset = 1, .text = STR("year inferred")};
	report.damage.v = &damage, report.damage.n = number == 0;
	report.notes.v = &note, report.notes.n = 1;
	struct case_source s = {.info = &info, .report = &report, .hashed = true, .same_as = -1, .number = number, .tree = tree};
	return case_add_source(m->w, &s, known, &m->fault);
}

static inline struct evidence_ref maker_ref(struct maker *m, uint32_t source, uint32_t line)
{
	const struct buf *t = &m->texts[source];
	size_t at = 0;
	for (uint32_t i = 0; i < line; i++) at = str_find_byte(buf_view(t), '\n', at) + 1;
	struct evidence_ref e = {.source = source, .offset = at, .length = str_find_byte(buf_view(t), '\n', at) - at, .line = line + 1};
	sha256_of(t->p + at, e.length, e.sha256);
	return e;
}

/* A finding for a line (rule 0), and the hit kept for correlations. */
static inline bool maker_hit(struct maker *m, uint32_t source, uint32_t line)
{
	struct evidence_ref e = maker_ref(m, source, line);
	struct match_detail matched = {.value = STR("Failed password"), .pattern = STR("Failed password")};
	struct finding x = {.kind = FINDING_HIT, .level = LEVEL_HIGH, .time = etime_from_unix(1704067200 + line, 0, 0), .rule = &maker_rule_infos[0], .host = STR("host"),
		.event_id = -1, .matched = &matched, .n_matched = 1, .fields_json = STR("{\"message\":\"Failed password\"}"), .evidence = &e, .n_evidence = 1};
	struct str value = STR("host");
	struct case_hit h = {.rule = 0, .time = x.time, .host = STR("host"), .values = &value, .n_values = 1, .evidence = &e, .n_evidence = 1};
	return case_add_hit(m->w, &h, &m->fault) && case_add_finding(m->w, &x, &m->fault);
}

static inline bool maker_correlation(struct maker *m, const struct evidence_ref *e, uint32_t n)
{
	struct named group = {STR("host"), STR("host")};
	struct finding x = {.kind = FINDING_CORRELATION, .level = LEVEL_CRITICAL, .time = etime_from_unix(1704067300, 0, 0), .rule = &maker_rule_infos[1], .rule_index = 1,
		.event_id = -1, .fields_json = STR("{}"), .evidence = e, .n_evidence = n, .group = &group, .n_group = 1, .count = n,
		.first = etime_from_unix(1704067200, 0, 0), .last = etime_from_unix(1704067300, 0, 0)};
	return case_add_finding(m->w, &x, &m->fault);
}

static inline void maker_done(struct maker *m)
{
	for (uint32_t i = 0; i < m->n_sources; i++) buf_done(&m->texts[i]);
	free(m->texts);
	m->texts = NULL;
	m->n_sources = 0;
}

/* Everything of a step: sources with `lines` lines each, their hits, one correlation a source. */
static inline bool maker_fill(struct maker *m, uint32_t first_seed, uint32_t sources, uint32_t lines)
{
	bool known, ok = true;
	for (uint32_t s = 0; ok && s < sources; s++) ok = maker_source(m, first_seed + s, lines, &known);
	for (uint32_t s = 0; ok && s < sources; s++) {
		struct evidence_ref ends[2] = {maker_ref(m, s, 0), maker_ref(m, s, lines > 3 ? 3 : 0)};
		for (uint32_t i = 0; ok && i < lines; i += 3) ok = maker_hit(m, s, i);
		ok = ok && maker_correlation(m, ends, 2);
	}
	ok = ok && case_add_unread(m->w, STR("logs/x.bin"), STR("no known format"), false, &m->fault) && case_add_total(m->w, "events", (uint64_t)sources * lines, &m->fault);
	return ok && case_add_coverage(m->w, STR("host"), STR("linux/-/sshd"), etime_from_unix(1704067200, 0, 0), etime_from_unix(1704153600, 0, 0), lines, STR("{}"), &m->fault) &&
		case_add_rule_coverage(m->w, 0, (uint64_t)sources * lines, 5, 0, &m->fault);
}

/* A whole case in a file. */
static inline bool maker_case(const char *file, uint32_t sources, uint32_t lines, struct fault *f)
{
	struct maker m = {.fault = FAULT_INIT};
	struct case_fetch fetch = {maker_fetch, &m};
	struct case_step_info info = maker_step("scan");
	bool fresh, ok = (m.w = case_create(file, &maker_key, &info, &fetch, &m.fault)) != NULL && maker_run(&m, "{}", &fresh) && maker_fill(&m, 1, sources, lines);
	if (ok) ok = case_close(m.w, &m.fault);
	else case_abort(m.w);
	maker_done(&m);
	*f = m.fault;
	return ok;
}

/* All rows as text, and whether the tree agrees with the state. */
static inline struct buf maker_dump(const char *file, struct fault *f)
{
	struct case_file c;
	struct case_row row;
	struct buf out = {0};
	if (!case_open(file, "/tmp", &c, f)) return out;
	struct case_rows *rows = case_rows_new(c.db, 1, f);
	NEED(rows != NULL);
	struct case_tree t;
	case_tree_init(&t, c.state.row_key);
	while (case_rows_next(rows, &row, f)) {
		(void)case_tree_add(&t, row.text);
		buf_str(&out, row.text);
		buf_byte(&out, '\n');
	}
	CHECK(f->kind == FAULT_NONE);
	struct hash root = merkle_root(&t.tree);
	CHECK(t.tree.n == c.state.leaves && hash_eq(&root, &c.state.root));
	case_rows_free(rows);
	case_done(&c);
	return out;
}
