/* options.c: arguments by a table of rows, from which --help is generated too. See app.h. */
#include "app/app.h"
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

void options_begin(struct options *o, const struct command *command, int argc, char **argv)
{
	*o = (struct options){.command = command, .argc = argc, .at = 1, .argv = argv};
}

int app_usage(const struct command *command, const char *format, ...)
{
	char text[600];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	app_error("%s\nTry: exhibit %s --help", text, command->name);
	return EXIT_USAGE;
}

bool app_paths_exist(const struct command *command, const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (access(paths[i], F_OK) == 0 || errno != ENOENT) return true;
	for (size_t i = 0; i + 1 < n; i++) app_error("%s: %s", paths[i], strerror(ENOENT));
	app_usage(command, "%s: %s", paths[n - 1], strerror(ENOENT));
	return false;
}

static bool is_end(const struct option_row *r) { return !r->name && !r->letter; }

/* Edit distance, cut at 15 characters: enough to suggest a name. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[17], n = (unsigned)strnlen(b, 16);
	for (unsigned j = 0; j <= n; j++) row[j] = j;
	for (unsigned i = 1; a[i - 1] && i <= 16; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < best) best = above + 1;
			if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[n];
}

static int unknown(struct options *o, const char *word)
{
	const struct option_row *best = NULL;
	unsigned least = 4;
	for (const struct option_row *r = o->command->options; r && !is_end(r); r++) {
		unsigned d = r->name ? distance(word, r->name) : 99;
		if (d < least) least = d, best = r;
	}
	if (best) app_usage(o->command, "unknown option --%s; did you mean --%s?", word, best->name);
	else app_usage(o->command, "unknown option --%s", word);
	return OPTION_BAD;
}

static bool names_option(const struct options *o, const char *word)
{
	for (const struct option_row *r = o->command->options; word[0] == '-' && r && !is_end(r); r++) {
		if (word[1] == '-' ? r->name && !strcmp(word + 2, r->name) : r->letter && word[1] == r->letter && !word[2]) return true;
	}
	return false;
}

/* The word behind an option that needs one. An option in its place was meant as one: `--stats -o findings.jsonl` is no file "-o". */
static bool take_argument(struct options *o, const char *option, const char *needs, const char **ret)
{
	const char *word = o->at < o->argc ? o->argv[o->at] : NULL;
	if (!word) return app_usage(o->command, "option %s needs %s", option, needs), false;
	if (names_option(o, word)) return app_usage(o->command, "option %s needs %s, and %s is an option (for a file of that name write ./%s)", option, needs, word, word), false;
	*ret = word;
	o->at++;
	return true;
}

static int long_option(struct options *o, char *word, const char **ret_argument)
{
	char *equals = strchr(word, '=');
	size_t n = equals ? (size_t)(equals - word) : strlen(word);
	int found = -1, count = 0;
	if (n == 4 && !strncmp(word, "help", 4)) {
		options_help(o->command, stdout);
		return OPTION_HELP;
	}
	for (int i = 0; o->command->options && !is_end(&o->command->options[i]); i++) {
		const char *name = o->command->options[i].name;
		if (!name || strncmp(name, word, n)) continue;
		found = i;
		count++;
		if (strlen(name) == n) {
			count = 1;
			break;
		}
	}
	if (equals) *equals = 0;
	if (count == 0) return unknown(o, word);
	if (count > 1) return app_usage(o->command, "option --%s is short for several", word), OPTION_BAD;
	const struct option_row *r = &o->command->options[found];
	if (equals && !r->argument) return app_usage(o->command, "option --%s takes no argument", r->name), OPTION_BAD;
	if (equals) *ret_argument = equals + 1;
	else if (r->argument) {
		char option[64];
		snprintf(option, sizeof option, "--%s", r->name);
		if (!take_argument(o, option, r->argument, ret_argument)) return OPTION_BAD;
	}
	return found;
}

static int short_option(struct options *o, const char **ret_argument)
{
	char letter = *o->cluster++;
	if (!*o->cluster) o->at++;
	if (letter == 'h') {
		options_help(o->command, stdout);
		return OPTION_HELP;
	}
	for (int i = 0; o->command->options && !is_end(&o->command->options[i]); i++) {
		const struct option_row *r = &o->command->options[i];
		if (r->letter != letter) continue;
		if (!r->argument) {
			if (!*o->cluster) o->cluster = NULL;
			return i;
		}
		if (*o->cluster) {
			*ret_argument = o->cluster;
			o->at++;
		} else if (!take_argument(o, (char[]){'-', letter, 0}, r->argument, ret_argument)) {
			return OPTION_BAD;
		}
		o->cluster = NULL;
		return i;
	}
	app_usage(o->command, "unknown option -%c", letter);
	return OPTION_BAD;
}

int options_next(struct options *o, const char **ret_argument)
{
	*ret_argument = NULL;
	if (o->cluster && *o->cluster) return short_option(o, ret_argument);
	if (o->at >= o->argc) return OPTION_END;
	char *word = o->argv[o->at];
	if (o->only_positional || word[0] != '-' || !word[1]) {
		o->at++;
		*ret_argument = word;
		return OPTION_POSITIONAL;
	}
	if (!strcmp(word, "--")) {
		o->at++;
		o->only_positional = true;
		return options_next(o, ret_argument);
	}
	if (word[1] == '-') {
		o->at++;
		return long_option(o, word + 2, ret_argument);
	}
	o->cluster = word + 1;
	return short_option(o, ret_argument);
}

/* The rule of a place: the last line of its file (RFC 8536). */
static bool zone_of_place(const char *word, struct zone *ret)
{
	enum { MOST = 1 << 20 };
	char path[256], *bytes = NULL;
	size_t n = 0;
	struct fault f = FAULT_INIT;
	bool plain = word[0] != '/' && !strstr(word, "..") && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/") == strlen(word);
	if (!plain || snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", word) >= (int)sizeof path || !file_slurp(path, MOST, &bytes, &n, &f)) return false;
	struct str text = {bytes, n};
	bool ok = n > 44 && !memcmp(bytes, "TZif", 4) && bytes[4] >= '2' && bytes[n - 1] == '\n';
	size_t end = ok ? n - 1 : 0, at = end;
	while (at > 0 && bytes[at - 1] != '\n') at--;
	ok = ok && zone_parse(str_sub(text, at, end - at), ret);
	free(bytes);
	return ok;
}

bool app_zone(const struct command *command, const char *word, struct reader_options *ret)
{
	struct etime t;
	char full[64];
	bool zoned;
	snprintf(full, sizeof full, "2000-01-02T00:00:00%.20s", word);
	ret->zone = (struct zone){0};
	if (etime_parse(str_of(full), &t, &zoned) && zoned) {
		ret->zone_seconds = (int32_t)(946771200 - t.sec);
		return true;
	}
	if (zone_parse(str_of(word), &ret->zone) || zone_of_place(word, &ret->zone)) {
		ret->zone_seconds = ret->zone.standard;
		if (!ret->zone.from.kind) ret->zone = (struct zone){0}; /* no summer time: as if the hours were written */
		return true;
	}
	app_usage(command, "'%s' is no zone; write +01:00, -0500 or Z, a place that this system knows (Europe/Berlin), or a rule as CET-1CEST,M3.5.0,M10.5.0/3", word);
	return false;
}

void options_help(const struct command *command, FILE *out)
{
	fprintf(out, "usage: exhibit %s %s\n\n%s\n", command->name, command->synopsis, command->summary);
	if (command->options && !is_end(command->options)) fprintf(out, "\noptions:\n");
	for (const struct option_row *r = command->options; r && !is_end(r); r++) {
		char left[64];
		int n = r->letter ? snprintf(left, sizeof left, "  -%c", r->letter) : snprintf(left, sizeof left, "  ");
		if (r->name) n += snprintf(left + n, sizeof left - (size_t)n, "%s--%s", r->letter ? ", " : "  ", r->name);
		if (r->argument) snprintf(left + n, sizeof left - (size_t)n, " %s", r->argument);
		const char *line = r->help, *end;
		fprintf(out, "%-28s ", left);
		if (strlen(left) > 28) fprintf(out, "\n%29s", "");
		while ((end = strchr(line, '\n'))) {
			fprintf(out, "%.*s\n%29s", (int)(end - line), line, "");
			line = end + 1;
		}
		fprintf(out, "%s\n", line);
	}
	fprintf(out, "  -h, --help                 this text\n");
	if (command->help) fprintf(out, "\n%s\n", command->help);
}
