/* app: the only room that prints, exits, reads the clock and the environment, and owns threads.
 *
 * One cmd_<name>.c per command; main.c holds the table. This header is the room's shared toolbox: exit statuses, the options
 * table that generates --help, how faults are shown, terminal facts. */
#pragma once
#include "base/base.h"
#include "event/reader.h"
#include <stdio.h>

/* Exit statuses, stable; of several the highest wins. */
enum exit_status {
	EXIT_DONE = 0,      /* all was done */
	EXIT_FOUND = 1,     /* only where --fail-on is met, or verification failed */
	EXIT_USAGE = 2,
	EXIT_INCOMPLETE = 3,/* a log was not read in full */
	EXIT_FAILED = 4
};

struct option_row {
	char letter;          /* 0: none */
	const char *name;     /* long name */
	const char *argument; /* NULL: takes none; else its word in help: "FILE" */
	const char *help;     /* one or more lines */
};

struct command {
	const char *name;
	const char *synopsis; /* behind "exhibit NAME" */
	const char *summary;  /* one line for the list of commands */
	const char *group;    /* heading in the list: "Look", "Prove", ... */
	const char *help;     /* paragraphs and examples for --help */
	const struct option_row *options; /* ends with an all-zero row */
	int (*run)(const struct command *self, int argc, char **argv); /* argv[0] is the command's name */
};

/* The table in main.c; ends with name == NULL. */
extern const struct command *const commands[];

/* Walks the arguments: returns the index of the option row met, with *ret_argument (NULL when it takes none); OPTION_POSITIONAL
 * with the word; OPTION_END; OPTION_HELP after --help was printed (return EXIT_DONE); OPTION_BAD after the error was printed
 * (return EXIT_USAGE). "--" ends options. Long names may be cut short where unique; a wrong one gets a suggestion. */
enum { OPTION_END = -1, OPTION_POSITIONAL = -2, OPTION_BAD = -3, OPTION_HELP = -4 };
struct options {
	const struct command *command;
	int argc, at;
	char **argv;
	const char *cluster; /* rest of "-abc" */
	bool only_positional;
};
void options_begin(struct options *o, const struct command *command, int argc, char **argv);
int options_next(struct options *o, const char **ret_argument);
void options_help(const struct command *command, FILE *out);

/* "exhibit: path:line:column: text" on stderr, made safe for a terminal. */
void app_fault(const struct fault *f);
void app_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A usage error, with the hint to --help. Returns EXIT_USAGE. */
int app_usage(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether any of the paths named exists; else a usage error is printed that says so of each. Of several those that are missing are told where they would be read. */
bool app_paths_exist(const struct command *command, const char *const *paths, size_t n);

/* The argument of --timezone, into zone_seconds and zone: +HH:MM, a rule of POSIX, or the name of a place, whose rule is read from the system's files. False after
 * the error was printed. */
bool app_zone(const struct command *command, const char *word, struct reader_options *ret);
#define APP_ZONE_ROW {0, "timezone", "ZONE", "zone of logs that carry none (default: UTC): +HH:MM, or a place with its\nsummer time as it is today: Europe/Berlin"}

/* Whether colours and progress may be used on that stream: a terminal, and NO_COLOR / TERM=dumb do not forbid it. */
bool app_colour(FILE *stream);
bool app_terminal(FILE *stream);
unsigned app_width(FILE *stream); /* columns; 80 when unknown */
double app_seconds(void);         /* monotonic clock */

/* The command as it was typed, quoted where a shell would need it; as it was before options were looked at. */
const char *app_command_line(void);

extern const struct command command_scan, command_events, command_rules, command_identify, command_coverage, command_cat;
extern const struct command command_keygen, command_seal, command_cosign, command_statement, command_verify, command_disclose, command_custody, command_show;
