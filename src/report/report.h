/* report: findings and results as text: JSON Lines, CSV, the run's statistics, the summary on a terminal, the progress line.
 * The front door of the room.
 *
 * Everything is appended to a buf; nothing here prints. Whatever came from a log is made inert for its target: JSON escaping,
 * CSV cells that no spreadsheet executes, terminal text without control characters. One thread. */
#pragma once
#include "event/reader.h"
#include "event/finding.h"
#include "base/buf.h"

/* A source as the report sees it; the driver fills it from its results. */
struct report_source {
	const struct source_info *info;
	const struct source_report *account;
	bool hashed;
	struct str reason; /* why it ended early; empty */
	int32_t same_as;   /* index of the source with the same bytes, -1 */
	uint64_t logins, logins_understood; /* lines and events that look like attempts to log in, and those of them that were understood */
};
struct report_sources {
	const struct report_source *v;
	uint32_t n;
};
struct report_unread { struct str path, reason; };

/* One finding as a line of JSON, ended by LF. The form is stable: doc/findings.md. */
void report_jsonl(const struct finding *f, const struct report_sources *sources, struct buf *out);
/* The same, with the texts of rules and sources that it met before: for many findings of one scan. `texts` may be NULL. One thread. */
struct report_texts;
struct report_texts *report_texts_new(void);
void report_texts_free(struct report_texts *t);
void report_jsonl_by(struct report_texts *texts, const struct finding *f, const struct report_sources *sources, struct buf *out);
/* RFC 4180 with CRLF; the header line, then a line a finding. */
void report_csv_header(struct buf *out);
void report_csv(const struct finding *f, const struct report_sources *sources, struct buf *out);

/* Which host wrote which log on which days. */
struct report_day { int32_t day; uint32_t n; }; /* days since 1970-01-01 UTC, ascending; events */
struct report_coverage {
	struct str host, log;
	struct etime first, last;
	uint64_t events, no_rule; /* events; of them those that no loaded rule looks at */
	const struct report_day *days;
	uint32_t n_days;
	bool inferred;            /* the host is not from the records, but from where the log lies */
};
struct json_out;
/* A line a row, with a chart over the whole period. */
void report_coverage_table(const struct report_coverage *rows, uint32_t n, bool unicode, struct buf *out);
/* The same as a JSON array, with the gaps named. */
void report_coverage_json(const struct report_coverage *rows, uint32_t n, struct json_out *o);

/* What came of a detection rule. "Not found" is said of a rule only that had something to look at, with the fields it needs. */
enum rule_state { RULE_FOUND, RULE_NOT_FOUND, RULE_NO_FIELDS, RULE_NOT_LOGGED };
const char *rule_state_word(enum rule_state s); /* "found", "not_found", "no_fields", "not_logged" */
struct report_rule {
	const struct rule_info *rule;
	enum rule_state state;
	uint64_t events, hits;
	const struct str *missing;    /* RULE_NO_FIELDS: fields of its condition that no event of its log source had */
	uint32_t n_missing;
};
/* The rules that had nothing to look at, by what was missing, and logs that no rule looks at: lines of plain text. */
struct report_run;
void report_sight(const struct report_run *r, struct buf *out);
void report_clocks_json(const struct report_run *r, struct json_out *o);
/* A JSON array, an object a rule; and an object that counts them by state. */
void report_rules_json(const struct report_run *r, struct json_out *o);
void report_rule_states_json(const struct report_run *r, struct json_out *o);

/* Clocks that are apart, as far as a log says so itself: an estimate, never applied. */
struct report_clock {
	struct str host, log, against, against_host;
	const char *basis;            /* "own time", "request ids", "process starts" */
	int64_t seconds;              /* the log's times minus the other's */
	uint32_t n, agree;
};
/* "mx01 Sysmon/Operational: 5 h 00 min earlier than its own UtcTime (250 of 256 events); shown, not applied", and what such a difference hints at. */
void report_clock_text(const struct report_clock *c, struct buf *out);

struct report_refused { struct str file, reason, category; uint32_t line, column; };
/* What happened in a run, for --stats and the summary. */
struct report_run {
	struct report_sources sources;
	const struct report_unread *unread;
	uint32_t n_unread;
	uint32_t rules_loaded;
	const struct report_refused *refused;
	uint32_t n_refused;
	uint32_t rules_no_log_source; /* loaded, but no event of their log source was there */
	const struct report_rule *rules; /* detection rules, in the rule set's order; NULL: none were run */
	uint32_t n_rules;
	uint64_t undecided;           /* rule verdicts that a regex limit left open */
	uint64_t events, outside, findings;
	uint64_t twins;               /* attempts to log in that two logs of one host tell */
	uint32_t copies;              /* sources whose bytes are those of another */
	const struct report_clock *clocks;
	uint32_t n_clocks;
	const struct report_coverage *coverage;
	uint32_t n_coverage;
	const struct str *stories;    /* of incidents, for people: lines of plain text, not yet made safe */
	uint32_t n_stories;
	const struct str *notes;        /* what the detectors took for normal, and why */
	uint32_t n_notes;
	double seconds;
};
/* One JSON object and LF. */
void report_stats(const struct report_run *run, struct buf *out);

/* What became of every byte of a source whose account kept its ranges and is sorted, a line of JSON a range: some of them, from *at on, which begins as {0}.
 * False when there are no more. doc/formats.md. */
struct report_ranges_at { size_t range, damage; };
bool report_ranges(const struct source_report *a, struct str path, struct report_ranges_at *at, struct buf *out);

/* Counts of findings for the summary, gathered as they pass. */
struct tally;
struct tally *tally_new(void);
void tally_free(struct tally *t);
void tally_add(struct tally *t, const struct finding *f);

struct summary_options {
	bool colour;
	bool unicode;     /* the terminal shows more than ASCII */
	unsigned width;   /* columns */
	struct str next;  /* the command to try next; empty = none */
};
/* One screen that a tired responder understands. */
void report_summary(const struct report_run *run, const struct tally *t, const struct summary_options *o, struct buf *out);

struct progress_line { uint64_t bytes, bytes_total, events, findings; double seconds; };
/* At most `width` columns, no line end. */
void report_progress(const struct progress_line *p, unsigned width, struct buf *out);
