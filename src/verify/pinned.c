/* pinned.c: see pinned.h. */
#include "verify/pinned.h"
#include "text/json_read.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

bool pinned_is_native(struct str text) { return str_starts(text, STR("native rule ")); }

void pinned_native_text(const struct rule_info *info, struct buf *out)
{
	out->n = 0;
	buf_printf(out, "native rule of exhibit " EXHIBIT_VERSION ": %.*s: %.*s\n", STR_FMT(info->id), STR_FMT(info->title));
}

static bool truth(const struct json_tape *t, struct str text, const char *name)
{
	const struct json_token *v = json_get(t, text, 0, str_of(name));
	return v && v->type == JSON_TRUE;
}

static struct str word(struct pinned_run *p, const struct json_tape *t, struct str text, const char *name)
{
	const struct json_token *v = json_get(t, text, 0, str_of(name));
	struct str s = v && v->type == JSON_STRING ? json_decode(&p->strings, text, v) : (struct str){0};
	return arena_str(&p->strings, s);
}

static int64_t number(const struct json_tape *t, struct str text, const char *name)
{
	int64_t n = 0;
	const struct json_token *v = json_get(t, text, 0, str_of(name));
	return v && v->type == JSON_NUMBER && json_to_i64(text, v, &n) ? n : 0;
}

static bool read_settings(struct pinned_run *p, struct str settings, struct fault *f)
{
	struct json_tape t = {0};
	bool ok = json_read_all(&t, settings, f);
	if (ok) {
		struct str level = word(p, &t, settings, "min_level"), since = word(p, &t, settings, "since"), until = word(p, &t, settings, "until");
		int64_t memory = number(&t, settings, "state_memory");
		p->plan.any_logsource = truth(&t, settings, "any_logsource");
		p->reader.carve = truth(&t, settings, "carve");
		p->reader.format = word(p, &t, settings, "format");
		p->reader.logsource = word(p, &t, settings, "logsource");
		p->reader.zone_seconds = (int32_t)number(&t, settings, "zone_seconds");
		struct str zone = word(p, &t, settings, "zone");
		if (zone.n && !zone_parse(zone, &p->reader.zone)) ok = !fault_at(f, FAULT_SYNTAX, 0, 0, "the zone in the run's settings is no rule of local time");
		p->every = truth(&t, settings, "every");
		p->native = truth(&t, settings, "native");
		p->state_memory = memory > 0 ? (size_t)memory : 0;
		if (level.n) (void)level_parse(level, &p->plan.min_level);
		if (since.n) (void)etime_parse(since, &p->reader.since, NULL);
		if (until.n) (void)etime_parse(until, &p->reader.until, NULL);
	}
	json_tape_done(&t);
	return ok;
}

int pinned_input(sqlite3 *db, int64_t run, const char *kind)
{
	sqlite3_stmt *s = case_db_prepare(db, "SELECT bytes FROM input WHERE run = ?1 AND kind = ?2 AND bytes IS NOT NULL ORDER BY id LIMIT 1", NULL);
	int fd = -1;
	if (!s) return -1;
	sqlite3_bind_int64(s, 1, run);
	sqlite3_bind_text(s, 2, kind, -1, SQLITE_STATIC);
	if (sqlite3_step(s) == SQLITE_ROW) {
		struct str bytes = case_column_str(s, 0);
		fd = memfd_create(kind, MFD_CLOEXEC);
		if (fd >= 0 && write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n) close(fd), fd = -1;
	}
	sqlite3_finalize(s);
	return fd;
}

static void read_placeholders(struct pinned_run *p, sqlite3 *db, int64_t run)
{
	char path[48];
	int fd = pinned_input(db, run, "placeholders");
	if (fd < 0) return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	(void)rule_set_placeholders(p->rules, path, NULL);
	close(fd);
}

/* The filters that were on rules of the run. */
static void add_filters(struct pinned_run *p, sqlite3 *db, int64_t run)
{
	sqlite3_stmt *s = case_db_prepare(db, "SELECT bytes, name FROM input WHERE run = ? AND kind = 'filter' AND bytes IS NOT NULL ORDER BY id", NULL);
	if (!s) return;
	sqlite3_bind_int64(s, 1, run);
	while (sqlite3_step(s) == SQLITE_ROW) rule_set_add_text(p->rules, case_column_str(s, 0), case_column_str(s, 1));
	sqlite3_finalize(s);
}

/* The addresses whose failed logins were normal. */
static void read_known(struct pinned_run *p, sqlite3 *db, int64_t run)
{
	sqlite3_stmt *s = case_db_prepare(db, "SELECT bytes FROM input WHERE run = ? AND kind = 'known-sources' AND bytes IS NOT NULL", NULL);
	if (!s) return;
	sqlite3_bind_int64(s, 1, run);
	if (sqlite3_step(s) == SQLITE_ROW) p->known = known_sources_new(case_column_str(s, 0), STR("known-sources"), NULL);
	sqlite3_finalize(s);
}

bool pinned_run_load(sqlite3 *db, int64_t run, struct str settings, const struct verify_rule *rules, uint32_t n_rules, struct pinned_run *ret, struct fault *f)
{
	*ret = (struct pinned_run){.exact = true};
	arena_init(&ret->strings, 1 << 20);
	if (!read_settings(ret, settings, f)) return false;
	ret->rules = rule_set_new();
	if (ret->plan.any_logsource) rule_set_fragments(ret->rules);
	read_placeholders(ret, db, run);
	uint32_t texts = 0;
	for (uint32_t i = 0; i < n_rules; i++) {
		if (pinned_is_native(rules[i].text)) continue;
		ret->exact &= texts++ == i; /* native ones stand behind the others */
		rule_set_add_pinned(ret->rules, rules[i].text, rules[i].file);
	}
	add_filters(ret, db, run);
	read_known(ret, db, run);
	rule_set_finish(ret->rules);
	ret->n_rules = rule_set_count(ret->rules);
	ret->exact &= ret->n_rules == texts;
	for (uint32_t i = 0; ret->exact && i < texts; i++) ret->exact = str_eq(rule_set_at(ret->rules, i)->info.id, rules[i].rule_id);
	return true;
}

void pinned_run_done(struct pinned_run *p)
{
	rule_set_free(p->rules);
	p->rules = NULL;
	known_sources_free(p->known);
	p->known = NULL;
	arena_done(&p->strings);
}
