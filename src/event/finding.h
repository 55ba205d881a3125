/* finding: what is reported, always with evidence. The structures that match, correlate, incident, casefile and report share.
 *
 * A finding handed on is a view: its strings live until the call that got it returns, unless a *_keep function copied it. */
#pragma once
#include "base/etime.h"
#include "base/sha256.h"
#include "event/logsource.h"

enum level { LEVEL_INFORMATIONAL, LEVEL_LOW, LEVEL_MEDIUM, LEVEL_HIGH, LEVEL_CRITICAL };
enum { LEVELS = 5 };
/* "informational" .. "critical"; level_parse is false on other words. */
const char *level_word(enum level l);
bool level_parse(struct str word, enum level *ret);

enum finding_kind { FINDING_HIT, FINDING_CORRELATION, FINDING_INCIDENT, FINDING_INTEGRITY };
const char *finding_kind_word(enum finding_kind k);

/* What a finding cites of its rule. Owned by the rule set. */
struct rule_info {
	struct str id, title;           /* id may be empty: then the rule's name or title stands for it in `id` when loaded */
	struct str file;                /* as given by the user */
	uint8_t sha256[SHA256_SIZE];    /* of the rule's own text (its document in the file) */
	enum level level;
	const struct str *tags;
	uint32_t n_tags;
	struct logsource logsource;
};

enum evidence_role { EVIDENCE_RECORD, EVIDENCE_CONTEXT };

struct evidence_ref {
	uint32_t source;                /* index in the scan's list of sources */
	uint64_t offset, length;
	uint32_t line;                  /* 1-based, 0 = none */
	uint8_t sha256[SHA256_SIZE];    /* of exactly these bytes */
	enum evidence_role role;
	bool recovered;
};

/* Which condition held: the field, the value it had, the pattern as the rule writes it. field is empty for keywords. */
struct match_detail {
	struct str field, value, pattern;
};
/* A source as findings cite it: a file, or a member of an archive. */
struct source_info {
	struct str path;                /* "logs/a.evtx", "evidence.zip!/logs/a.evtx" */
	struct str format;              /* the reader's word */
	uint64_t size;
	uint8_t sha256[SHA256_SIZE];
	bool in_container;              /* a member: of the outermost container with this hash, as its `member`th entry (from 0; read/archive.h) */
	uint8_t container_sha256[SHA256_SIZE];
	uint32_t member;
};
/* A named value: group-by of a correlation, fields that correlations need. */
struct named {
	struct str name, value;
};

/* What tells an attempt to log in from others of the same source: scan/twins.h. */
struct login_mark {
	uint64_t who;      /* 0: none */
	uint32_t service;  /* 0: any */
};

/* A stage of an incident: its members as ready JSON without braces, and its range of the finding's evidence. */
struct finding_stage {
	struct str json;
	uint32_t from, n;
};

/* Titles of integrity findings. */
#define FINDING_CLEARED "Event log cleared"
#define FINDING_MISSING "Records missing from an event log"

struct finding {
	enum finding_kind kind;
	enum level level;
	struct etime time;              /* of the event; of a correlation: when it fired */
	const struct rule_info *rule;   /* NULL for incidents and integrity findings without a rule */
	uint32_t rule_index;            /* in the rule set; UINT32_MAX when rule is NULL */
	struct str host;                /* empty = unknown */
	struct str channel;             /* empty = none */
	int64_t event_id;               /* -1 = none */
	bool has_record_id;
	uint64_t record_id;
	const struct match_detail *matched;
	uint32_t n_matched;
	struct str fields_json;         /* one JSON object: all fields, or those the rule names in `fields` */
	const struct evidence_ref *evidence; /* never empty */
	uint32_t n_evidence;
	const struct named *keep;       /* FINDING_HIT: what correlations over its rule need; not shown */
	uint32_t n_keep;
	struct login_mark login;        /* FINDING_HIT: while a scan sorts its hits; not shown */
	/* FINDING_CORRELATION */
	const struct named *group;
	uint32_t n_group;
	uint64_t count;                 /* contributing events */
	uint64_t evidence_total;        /* records it rests on; more than n_evidence when only the ends are cited */
	bool has_root;
	uint8_t root[SHA256_SIZE];      /* RFC 6962 root over all contributing records' SHA-256, when not all are cited */
	struct etime first, last;
	/* FINDING_INCIDENT: members after the common ones, ready JSON without braces (campaign, stage, attackers, ...). */
	struct str extra_json;
	const struct finding_stage *stages; /* in order; shown as "stages" */
	uint32_t n_stages;
	struct str title;               /* of a finding without rule */
};

/* Order of findings in every output: time, source, offset, rule id, kind. */
int finding_cmp(const struct finding *a, const struct finding *b);
