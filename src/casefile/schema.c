/* schema.c: see schema.h and doc/format-case.md. The text below is part of the format: changing a blank makes another version. */
#include "casefile/schema.h"
#include "base/alloc.h"
#include "base/sha256.h"
#include <sys/stat.h>
#include <unistd.h>

static const struct { const char *name, *columns; } tables[CASE_TABLES] = {
	[CASE_STEP] = {"step", "action TEXT NOT NULL, time TEXT NOT NULL, operator TEXT NOT NULL, host TEXT NOT NULL, tool TEXT NOT NULL, "
		"command TEXT NOT NULL, note TEXT NOT NULL, leaves INTEGER NOT NULL, root BLOB NOT NULL CHECK (length(root) = 32), CHECK (step = id)"},
	[CASE_INFO] = {"case_info", "format TEXT NOT NULL CHECK (format = 'exhibit-case'), version INTEGER NOT NULL CHECK (version = 1), "
		"case_id TEXT NOT NULL, CHECK (id = 1 AND step = 1)"},
	[CASE_RUN] = {"run", "tool TEXT NOT NULL, settings TEXT NOT NULL, rules INTEGER NOT NULL, rules_root BLOB NOT NULL CHECK (length(rules_root) = 32)"},
	[CASE_INPUT] = {"input", "run INTEGER NOT NULL REFERENCES run(id), kind TEXT NOT NULL, name TEXT NOT NULL, sha256 BLOB NOT NULL CHECK (length(sha256) = 32), bytes BLOB"},
	[CASE_RULE_TEXT] = {"rule_text", "sha256 BLOB NOT NULL CHECK (length(sha256) = 32), bytes BLOB NOT NULL"},
	[CASE_RULE] = {"rule", "run INTEGER NOT NULL REFERENCES run(id), n INTEGER NOT NULL, text INTEGER NOT NULL REFERENCES rule_text(id), rule_id TEXT NOT NULL, "
		"title TEXT NOT NULL, level TEXT NOT NULL, file TEXT NOT NULL, correlation INTEGER NOT NULL"},
	[CASE_REFUSED] = {"refused", "run INTEGER NOT NULL REFERENCES run(id), file TEXT NOT NULL, line INTEGER NOT NULL, col INTEGER NOT NULL, category TEXT NOT NULL, reason TEXT NOT NULL"},
	[CASE_SOURCE] = {"source", "path TEXT NOT NULL, format TEXT NOT NULL, framing TEXT NOT NULL, size INTEGER NOT NULL, sha256 BLOB CHECK (length(sha256) = 32), "
		"container_sha256 BLOB CHECK (length(container_sha256) = 32), member INTEGER, number INTEGER NOT NULL, leaves INTEGER NOT NULL, "
		"root BLOB CHECK (length(root) = 32), records INTEGER NOT NULL, recovered INTEGER NOT NULL, events INTEGER NOT NULL, header_bytes INTEGER NOT NULL, "
		"record_bytes INTEGER NOT NULL, recovered_bytes INTEGER NOT NULL, slack_bytes INTEGER NOT NULL, damaged_bytes INTEGER NOT NULL, "
		"more_damage INTEGER NOT NULL, more_remarks INTEGER NOT NULL, first TEXT, last TEXT, parameters TEXT NOT NULL, "
		"same_as INTEGER REFERENCES source(id), broken TEXT"},
	[CASE_SEEN] = {"seen", "run INTEGER NOT NULL REFERENCES run(id), source INTEGER NOT NULL REFERENCES source(id)"},
	[CASE_UNREAD] = {"unread", "run INTEGER NOT NULL REFERENCES run(id), path TEXT NOT NULL, reason TEXT NOT NULL, is_log INTEGER NOT NULL"},
	[CASE_DAMAGE] = {"damage", "source INTEGER NOT NULL REFERENCES source(id), offset INTEGER NOT NULL, length INTEGER NOT NULL, reason TEXT NOT NULL"},
	[CASE_REMARK] = {"remark", "source INTEGER NOT NULL REFERENCES source(id), offset INTEGER NOT NULL, text TEXT NOT NULL"},
	[CASE_COVERAGE] = {"coverage", "run INTEGER NOT NULL REFERENCES run(id), host TEXT NOT NULL, logsource TEXT NOT NULL, first TEXT, last TEXT, records INTEGER NOT NULL, detail TEXT NOT NULL"},
	[CASE_RULE_COVERAGE] = {"rule_coverage", "run INTEGER NOT NULL REFERENCES run(id), rule INTEGER NOT NULL REFERENCES rule(id), events INTEGER NOT NULL, hits INTEGER NOT NULL, undecided INTEGER NOT NULL"},
	[CASE_TOTAL] = {"total", "run INTEGER NOT NULL REFERENCES run(id), name TEXT NOT NULL, value INTEGER NOT NULL"},
	[CASE_RECORD] = {"record", "source INTEGER NOT NULL REFERENCES source(id), leaf INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, "
		"sha256 BLOB NOT NULL CHECK (length(sha256) = 32), salt BLOB NOT NULL CHECK (length(salt) = 16), bytes BLOB NOT NULL CHECK (length(bytes) = length), UNIQUE (source, leaf)"},
	[CASE_PROOF] = {"proof", "source INTEGER NOT NULL REFERENCES source(id), part INTEGER NOT NULL, hashes BLOB NOT NULL CHECK (length(hashes) % 32 = 0)"},
	[CASE_EVIDENCE] = {"evidence", "finding INTEGER NOT NULL, source INTEGER NOT NULL REFERENCES source(id), "
		"offset INTEGER NOT NULL, length INTEGER NOT NULL, line INTEGER NOT NULL, sha256 BLOB NOT NULL CHECK (length(sha256) = 32), "
		"role TEXT NOT NULL CHECK (role IN ('record', 'context')), recovered INTEGER NOT NULL, leaf INTEGER NOT NULL, leaves INTEGER NOT NULL CHECK (leaves > 0)"},
	[CASE_FINDING] = {"finding", "run INTEGER NOT NULL REFERENCES run(id), kind TEXT NOT NULL CHECK (kind IN ('hit', 'correlation', 'incident', 'integrity')), level TEXT NOT NULL, "
		"time TEXT, rule INTEGER REFERENCES rule(id), title TEXT NOT NULL, host TEXT NOT NULL, channel TEXT NOT NULL, event_id INTEGER, record_id INTEGER, "
		"matched TEXT NOT NULL, fields TEXT NOT NULL, groups TEXT NOT NULL, count INTEGER NOT NULL, first TEXT, last TEXT, extra TEXT NOT NULL, "
		"evidence_total INTEGER NOT NULL, evidence_root BLOB CHECK (length(evidence_root) = 32), evidence_from INTEGER NOT NULL, evidence_n INTEGER NOT NULL CHECK (evidence_n > 0)"},
	[CASE_HIT] = {"hit", "run INTEGER NOT NULL REFERENCES run(id), rule INTEGER NOT NULL REFERENCES rule(id), time TEXT, host TEXT NOT NULL, fields TEXT NOT NULL, evidence TEXT NOT NULL"},
	[CASE_SUPERSEDED] = {"superseded", "finding INTEGER NOT NULL REFERENCES finding(id)"},
	[CASE_SEAL] = {"seal", "kind TEXT NOT NULL CHECK (kind IN ('checkpoint', 'cosignature', 'timestamp-request', 'timestamp')), of INTEGER REFERENCES seal(id), "
		"size INTEGER NOT NULL, vkey TEXT NOT NULL, bytes BLOB NOT NULL"},
	[CASE_STATEMENT] = {"statement", "kind TEXT NOT NULL CHECK (kind IN ('statement', 'opinion')), of INTEGER REFERENCES statement(id), payload_type TEXT NOT NULL, payload BLOB NOT NULL"},
	[CASE_SIGNATURE] = {"signature", "statement INTEGER NOT NULL REFERENCES statement(id), vkey TEXT NOT NULL, sig BLOB NOT NULL CHECK (length(sig) = 64)"},
};

static const char *const extras[] = {
	/* One row, the only one that changes; and an index for naming what was changed. Neither is in the tree. */
	"CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), complete INTEGER NOT NULL, leaves INTEGER NOT NULL, root BLOB NOT NULL, frontier BLOB NOT NULL, "
		"row_key BLOB NOT NULL CHECK (length(row_key) = 32)) STRICT",
	"CREATE TABLE row_check (id INTEGER PRIMARY KEY, sums BLOB NOT NULL) STRICT",
	"CREATE TRIGGER finding_needs_evidence BEFORE INSERT ON finding WHEN (SELECT count(*) FROM evidence WHERE id >= new.evidence_from AND "
		"id < new.evidence_from + new.evidence_n AND finding = new.id) <> new.evidence_n "
		"BEGIN SELECT RAISE(ABORT, 'a finding without its evidence is refused'); END",
};

const char *case_table_name(enum case_table t) { return (unsigned)t < CASE_TABLES ? tables[t].name : "?"; }

bool case_db_fault(sqlite3 *db, struct fault *f, const char *doing)
{
	int code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
	enum fault_kind kind = code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? FAULT_CORRUPT : code == SQLITE_BUSY || code == SQLITE_LOCKED ? FAULT_STATE :
		code == SQLITE_CONSTRAINT ? FAULT_VERIFY : FAULT_IO;
	fault_set(f, kind == FAULT_IO ? FAULT_CORRUPT : kind, "%s: %s", doing, db ? sqlite3_errmsg(db) : "out of memory");
	if (f && kind == FAULT_IO) {
		f->kind = FAULT_IO;
		f->os_errno = db ? sqlite3_system_errno(db) : 0;
	}
	return false;
}

bool case_db_run(sqlite3 *db, const char *sql, struct fault *f)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK || case_db_fault(db, f, "case file");
}

sqlite3_stmt *case_db_prepare(sqlite3 *db, const char *sql, struct fault *f)
{
	sqlite3_stmt *s = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK) return s;
	case_db_fault(db, f, "case file");
	return NULL;
}

bool case_db_int(sqlite3 *db, const char *sql, int64_t *ret, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(db, sql, f);
	if (!s) return false;
	bool ok = sqlite3_step(s) == SQLITE_ROW;
	if (ok) *ret = sqlite3_column_int64(s, 0);
	else case_db_fault(db, f, "case file");
	sqlite3_finalize(s);
	return ok;
}

struct str case_column_str(sqlite3_stmt *s, int column)
{
	const char *p = sqlite3_column_blob(s, column);
	return (struct str){p, (size_t)sqlite3_column_bytes(s, column)};
}

bool schema_create(sqlite3 *db, struct fault *f)
{
	struct buf sql = {0};
	for (int t = 0; t < CASE_TABLES; t++) {
		const char *n = tables[t].name;
		buf_printf(&sql, "CREATE TABLE %s (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, %s) STRICT;", n, tables[t].columns);
		buf_printf(&sql, "CREATE TRIGGER %s_stays BEFORE UPDATE ON %s BEGIN SELECT RAISE(ABORT, 'a case only grows'); END;", n, n);
		buf_printf(&sql, "CREATE TRIGGER %s_is_kept BEFORE DELETE ON %s BEGIN SELECT RAISE(ABORT, 'a case only grows'); END;", n, n);
	}
	for (size_t i = 0; i < COUNT(extras); i++) buf_printf(&sql, "%s;", extras[i]);
	buf_byte(&sql, 0);
	bool ok = case_db_run(db, sql.p, f);
	buf_done(&sql);
	return ok;
}

/* Every row of sqlite_schema but its root page, which says nothing. */
static bool schema_text(sqlite3 *db, struct buf *out, struct fault *f)
{
	sqlite3_stmt *s = case_db_prepare(db, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name", f);
	int code = SQLITE_ERROR;
	while (s && (code = sqlite3_step(s)) == SQLITE_ROW) {
		for (int c = 0; c < 4; c++) {
			buf_str(out, case_column_str(s, c));
			buf_byte(out, c < 3 ? '\t' : '\n');
		}
	}
	bool ok = s && code == SQLITE_DONE;
	if (s && !ok) case_db_fault(db, f, "its schema cannot be read");
	sqlite3_finalize(s);
	return ok;
}

static void expected_schema(struct buf *out)
{
	struct fault f = FAULT_INIT;
	sqlite3 *db = NULL;
	verify(sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK);
	verify(schema_create(db, &f) && schema_text(db, out, &f));
	sqlite3_close(db);
}

void schema_digest(struct buf *out)
{
	struct buf text = {0};
	uint8_t digest[SHA256_SIZE];
	expected_schema(&text);
	sha256_of(text.p, text.n, digest);
	buf_hex(out, digest, sizeof digest);
	buf_done(&text);
}

bool schema_check(sqlite3 *db, struct fault *f)
{
	int64_t id, version;
	if (!case_db_int(db, "PRAGMA application_id", &id, f) || !case_db_int(db, "PRAGMA user_version", &version, f)) return false;
	if (id != CASE_APPLICATION_ID || version != CASE_VERSION) {
		fault_set(f, FAULT_UNSUPPORTED, id == CASE_APPLICATION_ID ? "a case of version %lld; this program reads version 1" : "an SQLite file, but no case (application id %llx)",
			(long long)(id == CASE_APPLICATION_ID ? version : id));
		return false;
	}
	struct buf got = {0}, want = {0};
	bool ok = schema_text(db, &got, f);
	expected_schema(&want);
	if (ok && !str_eq(buf_view(&got), buf_view(&want))) {
		fault_set(f, FAULT_CORRUPT, "its tables are not those of a case, version 1");
		ok = false;
	}
	buf_done(&got);
	buf_done(&want);
	return ok;
}

void case_uri(const char *path, const char *query, struct buf *out)
{
	buf_lit(out, "file:");
	for (const char *p = path; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("/._-", *p);
		if (plain) buf_byte(out, *p);
		else buf_printf(out, "%%%02x", (unsigned char)*p);
	}
	buf_printf(out, "%s", query);
	buf_byte(out, 0);
}

sqlite3 *case_db_open(const char *uri, int flags, struct fault *f)
{
	sqlite3 *db = NULL;
	int code = sqlite3_open_v2(uri, &db, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (code != SQLITE_OK) {
		case_db_fault(db, f, "cannot open the case");
		sqlite3_close(db);
		return NULL;
	}
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(db, SQLITE_LIMIT_TRIGGER_DEPTH, 4);
	return db;
}
