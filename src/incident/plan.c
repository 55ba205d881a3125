/* plan.c: baselines, native rules and texts, from the data files. See incident.h. */
#include <stdio.h>
#include "incident/incident_internal.h"
#include "base/file.h"

bool data_next(struct str *rest, struct data_line *ret)
{
	while (rest->p && rest->n) {
		struct str line = str_cut(rest, '\n');
		if (line.n && line.p[line.n - 1] == '\r') line.n--;
		if (!line.n || line.p[0] == '#') continue;
		*ret = (struct data_line){.whole = line};
		while (line.p && ret->n < COUNT(ret->piece)) ret->piece[ret->n++] = str_cut(&line, '\t');
		return true;
	}
	return false;
}

static struct str data_of(const char *name)
{
	for (size_t i = 0; i < incident_data_count; i++)
		if (!strcmp(incident_data[i].name, name)) return (struct str){(const char *)incident_data[i].bytes, incident_data[i].n};
	return (struct str){NULL, 0};
}

/* Files one script: its whole path, and "application/base" for pages seen only as compiled files. */
static void add_script(struct incident_plan *p, const struct script_path *path)
{
	char page[PATH_MAX_BYTES];
	map_put(&p->scripts, path_str(path), 0, NULL);
	struct str app = str_sub(path_str(path), 1, SIZE_MAX);
	app = str_sub(app, 0, str_find_byte(app, '/', 0));
	int n = snprintf(page, sizeof page, "%.*s/%.*s", STR_FMT(app), STR_FMT(path_base(path)));
	map_put(&p->pages, (struct str){page, (size_t)n}, 0, NULL);
}

static bool has_ending(struct str name)
{
	return ends_nocase(name, ".svc") || ends_nocase(name, ".ashx") || ends_nocase(name, ".asmx");
}

static void load_scripts(struct incident_plan *p)
{
	struct str rest = data_of("scripts.txt");
	struct data_line line;
	while (data_next(&rest, &line)) {
		struct str names = line.piece[1];
		if (line.n < 2 || line.piece[0].p[0] != '/') continue;
		while (names.p) {
			struct str name = str_cut(&names, ' ');
			struct script_path path;
			char text[PATH_MAX_BYTES];
			int n = snprintf(text, sizeof text, "%.*s/%.*s%s", STR_FMT(line.piece[0]), STR_FMT(name), has_ending(name) ? "" : ".aspx");
			if (path_script((struct str){text, (size_t)n}, &path)) add_script(p, &path);
		}
	}
}

static const struct str *split_tags(struct incident_plan *p, struct str text, uint32_t *ret_n)
{
	struct str *tags = arena_alloc(&p->arena, 16 * sizeof *tags);
	uint32_t n = 0;
	while (text.p && n < 16) tags[n++] = str_cut(&text, ',');
	*ret_n = n;
	return tags;
}

static bool load_rules(struct incident_plan *p)
{
	static const char *const keys[NATIVE_RULES] = {"ssrf", "session", "enumeration", "written", "token", "hidden", "encoded", "page", "compiled", "dropped"};
	struct str rest = data_of("native.txt");
	struct data_line line;
	uint32_t found = 0;
	struct sha256 *h = sha256_new();
	while (data_next(&rest, &line)) {
		for (uint32_t i = 0; i < NATIVE_RULES && line.n == 5; i++) {
			struct rule_info *r = &p->rules[i];
			if (!str_eq(line.piece[0], str_of(keys[i])) || !level_parse(line.piece[1], &r->level)) continue;
			r->id = line.piece[2];
			r->tags = split_tags(p, line.piece[3], &r->n_tags);
			r->title = line.piece[4];
			r->file = STR("native");
			sha256_reset(h);
			sha256_add(h, line.whole.p, line.whole.n);
			sha256_end(h, r->sha256);
			found++;
		}
	}
	sha256_free(h);
	return found == NATIVE_RULES;
}

static void load_texts(struct incident_plan *p)
{
	struct data_line line;
	struct str rest = data_of("logs.txt");
	while (data_next(&rest, &line))
		for (unsigned k = 0; k < LOGS && line.n == 3; k++)
			if (str_eq(line.piece[0], str_of(log_word((enum log_kind)k)))) p->logs[k] = (struct log_text){line.piece[1], line.piece[2]};
	rest = data_of("actions.txt");
	while (data_next(&rest, &line)) {
		enum stage s;
		if (line.n == 3 && stage_parse(line.piece[0], &s)) vec_push(&p->actions, (struct action_text){s, line.piece[1], line.piece[2]});
	}
}

static void hash_data(struct incident_plan *p, struct str more)
{
	struct sha256 *h = sha256_new();
	sha256_add(h, p->sha256, SHA256_SIZE);
	for (size_t i = 0; i < incident_data_count && !more.p; i++) sha256_add(h, incident_data[i].bytes, incident_data[i].n);
	if (more.p) sha256_add(h, more.p, more.n);
	sha256_end(h, p->sha256);
	sha256_free(h);
}

struct incident_plan *incident_plan_new(struct fault *f)
{
	struct incident_plan *p = xcalloc(1, sizeof *p);
	arena_init(&p->arena, 1 << 20);
	p->native = true;
	load_scripts(p);
	load_texts(p);
	if (load_rules(p)) {
		hash_data(p, (struct str){NULL, 0});
		return p;
	}
	fault_set(f, FAULT_STATE, "the native rules compiled in do not match the program");
	incident_plan_free(p);
	return NULL;
}

void incident_plan_free(struct incident_plan *p)
{
	if (!p) return;
	map_done(&p->scripts);
	map_done(&p->pages);
	vec_free(&p->actions);
	arena_done(&p->arena);
	free(p);
}

void incident_plan_native(struct incident_plan *p, bool enabled) { p->native = enabled; }
const uint8_t *incident_plan_sha256(const struct incident_plan *p) { return p->sha256; }

bool incident_plan_baseline(struct incident_plan *p, const char *path, struct fault *f)
{
	char *text;
	size_t n;
	if (!file_slurp(path, 8 << 20, &text, &n, f)) return false;
	struct str rest = {text, n};
	struct data_line line;
	uint32_t number = 0;
	bool good = true;
	while (good && data_next(&rest, &line)) {
		struct script_path script;
		number++;
		good = path_script(str_trim(line.whole), &script);
		if (good) add_script(p, &script);
		else fault_set(f, FAULT_SYNTAX, "entry %u, '%.*s', names no script: write paths as in a web log, /intranet/list.aspx", number, STR_FMT(str_sub(line.whole, 0, 80)));
	}
	hash_data(p, (struct str){text, n});
	free(text);
	if (!good) fault_path(f, str_of(path));
	return good;
}

const struct rule_info *incident_plan_rules(const struct incident_plan *p, uint32_t *ret_n)
{
	*ret_n = p->native ? NATIVE_RULES : 0;
	return p->rules;
}
