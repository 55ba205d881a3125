/* main.c: the program's door: the table of commands, general help, what all commands share.
 *
 * Where things are: src/ROOMS lists the rooms in the order data flows; doc/map.md names every file. */
#include "app/app.h"
#include "text/escape.h"
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

const struct command *const commands[] = {
	&command_scan, &command_events, &command_identify, &command_coverage, &command_rules,
	&command_cat,
	&command_show, &command_verify, &command_seal, &command_cosign, &command_statement, &command_disclose, &command_custody, &command_keygen,
	NULL,
};

bool app_terminal(FILE *stream) { return isatty(fileno(stream)); }

bool app_colour(FILE *stream)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	return app_terminal(stream) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

unsigned app_width(FILE *stream)
{
	struct winsize w;
	const char *set = getenv("COLUMNS");
	uint64_t n;
	if (set && str_u64(str_of(set), &n) && n >= 20 && n <= 1000) return (unsigned)n;
	return ioctl(fileno(stream), TIOCGWINSZ, &w) == 0 && w.ws_col >= 20 ? w.ws_col : 80;
}

double app_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Text from faults can hold bytes of a log or a file name. */
static void print_safe(const char *text)
{
	struct buf b = {0};
	struct str rest = str_of(text);
	while (rest.p) {
		term_str(&b, str_cut(&rest, '\n'));
		buf_byte(&b, '\n');
	}
	fwrite(b.p, 1, b.n, stderr);
	buf_done(&b);
}

void app_error(const char *format, ...)
{
	char text[1200];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	fputs("exhibit: ", stderr);
	print_safe(text);
}

void app_fault(const struct fault *f)
{
	char where[320] = "";
	if (f->path[0] && f->line) snprintf(where, sizeof where, "%s:%u:%u: ", f->path, f->line, f->column);
	else if (f->path[0]) snprintf(where, sizeof where, "%s: ", f->path);
	app_error("%s%s", where, f->text);
}

static void general_help(FILE *out)
{
	fputs("Exhibit turns the logs of an attacked organisation into findings that nobody can call groundless.\n\n"
	      "usage: exhibit COMMAND [OPTION]... [ARGUMENT]...\n", out);
	const char *group = "";
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(group, commands[i]->group)) fprintf(out, "\n%s:\n", commands[i]->group);
		group = commands[i]->group;
		fprintf(out, "  %-11s %s\n", commands[i]->name, commands[i]->summary);
	}
	fputs("\nStart here:\n"
	      "  exhibit scan DIR                 find attacks in every log under DIR\n"
	      "  exhibit COMMAND --help           what a command does, with examples\n", out);
}

static int unknown_command(const char *name)
{
	app_error("there is no command '%s'; 'exhibit --help' lists them", name);
	return EXIT_USAGE;
}

static struct buf typed;
static void remember(int argc, char **argv)
{
	buf_lit(&typed, "exhibit");
	for (int i = 1; i < argc; i++) {
		bool plain = argv[i][0] != 0;
		for (const char *p = argv[i]; *p; p++) plain &= (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-_./=:,+@%", *p);
		buf_byte(&typed, ' ');
		if (!plain) buf_byte(&typed, '\'');
		for (const char *p = argv[i]; *p; p++) *p == '\'' ? buf_lit(&typed, "'\\''") : buf_byte(&typed, *p);
		if (!plain) buf_byte(&typed, '\'');
	}
	buf_byte(&typed, 0);
}
const char *app_command_line(void) { return typed.p; }

int main(int argc, char **argv)
{
	remember(argc, argv);
	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		general_help(stderr);
		return EXIT_USAGE;
	}
	const char *name = argv[1];
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		puts("exhibit " EXHIBIT_VERSION);
		return EXIT_DONE;
	}
	bool help = !strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help");
	if (help && argc == 2) {
		general_help(stdout);
		return EXIT_DONE;
	}
	if (help) name = argv[2];
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(commands[i]->name, name)) continue;
		if (!help) return commands[i]->run(commands[i], argc - 1, argv + 1);
		options_help(commands[i], stdout);
		return EXIT_DONE;
	}
	return unknown_command(name);
}
