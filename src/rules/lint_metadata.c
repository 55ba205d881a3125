/* lint_metadata.c: checks of what a rule says about itself, by reading its text once more. */
#include "rules/lint_internal.h"
#include "rules/rules_internal.h"
#include "text/utf.h"
#include <stdio.h>

/* A rule's document, read for its keys; positions are those of the file. */
struct document { const struct rule *r; const struct yaml_node *root; struct arena arena; };

static void say(struct linting *l, const struct document *d, const struct yaml_node *at, enum lint_level level, const char *check, const char *text)
{
	if (!at) at = d->root;
	lint_say(l->out, d->r, d->r->line - 1 + at->line, at->column, level, check, "%s", text);
}

/* --- tags ---------------------------------------------------------------------------------------------------------- */

static bool tag_char(char c, bool dot) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || (dot && c == '.'); }

static bool is_tag(struct str s)
{
	size_t dot = str_find_byte(s, '.', 0);
	if (dot == SIZE_MAX || !dot || dot + 1 == s.n) return false;
	for (size_t i = 0; i < s.n; i++)
		if (i != dot && !tag_char(s.p[i], i > dot)) return false;
	return true;
}

static bool all_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return s.n > 0;
}

/* t1059, t1059.001; also g0016 (groups), s0154 (software), ds0009. */
static bool is_technique(struct str s) { return s.n >= 5 && s.p[0] == 't' && all_digits(str_sub(s, 1, 4)) && (s.n == 5 || (s.n == 9 && s.p[5] == '.' && all_digits(str_sub(s, 6, 3)))); }

static bool is_other_id(struct str s)
{
	size_t letters = str_starts(s, STR("ds")) ? 2 : 1;
	return s.n == letters + 4 && strchr("gsdcam", s.p[0]) && all_digits(str_sub(s, letters, 4));
}

/* Of the Enterprise, mobile and ICS matrices, those of older versions too. */
static const char *const tactics[] = {"reconnaissance", "resource-development", "initial-access", "execution", "persistence", "privilege-escalation", "defense-evasion", "stealth",
	"defense-impairment", "credential-access", "discovery", "lateral-movement", "collection", "command-and-control", "exfiltration", "impact", "evasion",
	"inhibit-response-function", "impair-process-control", "network-effects", "remote-service-effects", NULL};

static void check_attack(struct linting *l, const struct document *d, const struct yaml_node *at, struct str rest)
{
	char text[200];
	if (is_technique(rest) || is_other_id(rest)) return;
	for (size_t i = 0; tactics[i]; i++)
		if (str_eq(rest, str_of(tactics[i]))) return;
	const char *near = nearest_word(rest, tactics);
	snprintf(text, sizeof text, "there is no ATT&CK tactic or technique '%.*s'%s%s%s", STR_FMT(str_sub(rest, 0, 60)), near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	say(l, d, at, LINT_WARNING, "tag-tactic", text);
}

static void check_tags(struct linting *l, const struct document *d)
{
	const struct yaml_node *tags = yaml_get(d->root, STR("tags"));
	bool attack = false;
	for (uint32_t i = 0; tags && tags->kind == YAML_SEQ && i < tags->n; i++) {
		const struct yaml_node *tag = tags->items[i];
		if (tag->kind != YAML_SCALAR) continue;
		if (!is_tag(tag->text)) say(l, d, tag, LINT_WARNING, "tag-form", "a tag is namespace.name in lower case, as in attack.t1059.001");
		if (!str_starts(tag->text, STR("attack."))) continue;
		attack = true;
		check_attack(l, d, tag, str_sub(tag->text, 7, SIZE_MAX));
	}
	if (!attack) say(l, d, tags, LINT_NOTE, "tag-attack", "no tag says which ATT&CK tactic or technique this is");
}

/* --- the rest -------------------------------------------------------------------------------------------------------- */

static bool is_date(struct str s)
{
	uint64_t month, day;
	bool form = s.n == 10 && s.p[4] == '-' && s.p[7] == '-' && all_digits(str_sub(s, 0, 4)) && all_digits(str_sub(s, 5, 2)) && all_digits(str_sub(s, 8, 2));
	return form && str_u64(str_sub(s, 5, 2), &month) && str_u64(str_sub(s, 8, 2), &day) && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static void check_date(struct linting *l, const struct document *d, const char *key)
{
	const struct yaml_node *date = yaml_get(d->root, str_of(key));
	if (date && !(date->kind == YAML_SCALAR && is_date(date->text))) say(l, d, date, LINT_NOTE, "date", "a date is YYYY-MM-DD");
}

static void check_order(struct linting *l, const struct document *d)
{
	struct str date = text_at(d->root, "date"), modified = text_at(d->root, "modified");
	if (is_date(date) && is_date(modified) && str_cmp(modified, date) < 0)
		say(l, d, yaml_get(d->root, STR("modified")), LINT_NOTE, "date", "modified before it was written");
}

static void check_related(struct linting *l, const struct document *d)
{
	static const char *const words[] = {"derived", "obsolete", "merged", "renamed", "similar"};
	const struct yaml_node *related = yaml_get(d->root, STR("related"));
	if (!related) return;
	if (related->kind != YAML_SEQ) say(l, d, related, LINT_NOTE, "related", "related is a list of id and type");
	for (uint32_t i = 0; related->kind == YAML_SEQ && i < related->n; i++) {
		struct str type = text_at(related->items[i], "type");
		bool known = false;
		for (size_t k = 0; k < COUNT(words); k++) known |= str_eq(type, str_of(words[k]));
		if (!known || !text_at(related->items[i], "id").n) say(l, d, related->items[i], LINT_NOTE, "related", "a related rule has an id and a type: derived, obsolete, merged, renamed or similar");
	}
}

static void check_keys(struct linting *l, const struct document *d)
{
	static const char *const keys[] = {"title", "id", "name", "related", "taxonomy", "status", "description", "license", "author", "references", "date", "modified", "logsource",
		"detection", "correlation", "generate", "filter", "fields", "falsepositives", "level", "tags", "scope", "action", NULL};
	for (uint32_t i = 0; i < d->root->n; i++) {
		const struct yaml_node *key = d->root->pairs[i].key;
		const char *near = key->text.n > 3 ? nearest_word(key->text, keys) : NULL;
		char text[200];
		if (!near || str_eq(key->text, str_of(near))) continue;
		snprintf(text, sizeof text, "'%.*s' has no meaning; did you mean '%s'?", STR_FMT(str_sub(key->text, 0, 60)), near);
		say(l, d, key, LINT_WARNING, "key-unknown", text);
	}
}

static void check_words(struct linting *l, const struct document *d)
{
	const struct rule *r = d->r;
	enum { TITLE_MAX = 256 }; /* the schema's */
	if (utf8_count(r->info.title) > TITLE_MAX) say(l, d, yaml_get(d->root, STR("title")), LINT_NOTE, "title-long", "a title has at most 256 characters; the rest belongs into the description");
	if (!yaml_get(d->root, STR("id"))) say(l, d, NULL, LINT_WARNING, "id-missing", "no id: findings are hard to tell apart over time; a UUID is expected");
	if (!yaml_get(d->root, STR("level"))) say(l, d, NULL, LINT_WARNING, "level-missing", "no level: informational, low, medium, high or critical");
	if (!yaml_get(d->root, STR("status"))) say(l, d, NULL, LINT_NOTE, "status-missing", "no status: stable, test or experimental");
	if (!r->description.n) say(l, d, NULL, LINT_NOTE, "description-missing", "no description: what has happened when this matches?");
	if (r->info.level >= LEVEL_HIGH && !yaml_get(d->root, STR("falsepositives")))
		say(l, d, yaml_get(d->root, STR("level")), LINT_NOTE, "false-positives-missing", "who is alarmed wants to know what else it may be: falsepositives");
	if (str_eq(r->status, STR("deprecated")) || str_eq(r->status, STR("unsupported"))) say(l, d, yaml_get(d->root, STR("status")), LINT_NOTE, "status-retired", "the rule is loaded all the same");
}

void lint_metadata(struct linting *l, const struct rule *r)
{
	enum { METADATA_BUDGET = 64 << 20 };
	struct document d = {.r = r};
	arena_init(&d.arena, METADATA_BUDGET);
	d.root = yaml_parse_one(r->text, &d.arena, NULL, NULL);
	/* With `action` documents a rule's own text is only a part of it. */
	if (d.root && d.root->kind == YAML_MAP && yaml_get(d.root, STR("title"))) {
		check_words(l, &d);
		check_tags(l, &d);
		check_date(l, &d, "date");
		check_date(l, &d, "modified");
		check_order(l, &d);
		check_related(l, &d);
		check_keys(l, &d);
	}
	arena_done(&d.arena);
}

static void twice(struct linting *l, struct map *m, const struct rule *r, uint32_t index, struct str text, enum lint_level level, const char *check, const char *what)
{
	bool fresh;
	if (!text.n) return;
	uint32_t first = *map_put(m, text, index, &fresh);
	if (fresh) return;
	const struct rule *other = rule_set_at(l->set, first);
	uint32_t column, line = lint_key(r, str_of(what), &column);
	lint_say(l->out, r, line, column, level, check, "the %s '%.*s' is also that of %.*s:%u", what, STR_FMT(str_sub(text, 0, 100)), STR_FMT(str_sub(other->info.file, 0, 300)), other->line);
}

void lint_twice(struct linting *l, const struct rule *r, uint32_t index)
{
	twice(l, &l->ids, r, index, r->info.id, LINT_ERROR, "id-twice", "id");
	twice(l, &l->names, r, index, r->name, LINT_ERROR, "name-twice", "name");
	if (!str_eq(r->info.title, r->info.id)) twice(l, &l->titles, r, index, r->info.title, LINT_WARNING, "title-twice", "title");
}
