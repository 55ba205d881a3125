/* cmd_identify.c: `exhibit identify`: what each file is, why one thinks so, its period and log sources; members of archives too. */
#include "app/app.h"
#include "app/formats.h"
#include "app/crew.h"
#include "text/escape.h"
#include "text/json_write.h"
#include <unistd.h>

enum { OPT_TIMEZONE, OPT_JSON };
static const struct option_row rows[] = {
	[OPT_TIMEZONE] = APP_ZONE_ROW,
	[OPT_JSON] = {0, "json", NULL, "one JSON object a line"},
	{0},
};

static void put_time(struct buf *b, struct etime t)
{
	char text[ETIME_MAX];
	size_t n = etime_print(t, 0, text);
	if (n) buf_put(b, text, n);
	else buf_byte(b, '-');
}

static const struct reader_ops *format_of(struct str format)
{
	size_t n;
	const struct reader_ops *const *all = formats_all(&n);
	for (size_t i = 0; i < n; i++)
		if (str_eq(format, str_of(all[i]->format))) return all[i];
	verify(!"a source of no known format");
}

/* "windows: service sysmon, category file_event, process_creation; linux: ..." */
static void put_log_sources(struct buf *b, const struct scan_source *s)
{
	const struct logsource *last = NULL;
	const char *word = "";
	for (uint32_t i = 0; i < s->n_log_sources; i++) {
		const struct logsource *ls = &s->log_sources[i];
		if (!last || !str_eq(last->product, ls->product)) {
			if (last) buf_lit(b, "; ");
			term_str(b, ls->product.n ? ls->product : STR("any product"));
			word = "";
		}
		for (int part = 0; part < 2; part++) {
			struct str x = part ? ls->category : ls->service;
			const char *of = part ? "category" : "service";
			if (!x.n || (last && !part && str_eq(last->product, ls->product) && str_eq(last->service, x))) continue;
			buf_printf(b, "%s%s", *word ? ", " : ": ", word == of ? "" : of);
			if (word != of) buf_byte(b, ' ');
			word = of;
			term_str(b, x);
		}
		last = ls;
	}
}

static void print_source(const struct scan_source *s, struct buf *b)
{
	const struct source_report *a = &s->report;
	const struct reader_ops *ops = format_of(s->info.format);
	term_str(b, s->info.path);
	buf_printf(b, "\n    %s; %llu records, ", ops->what, (unsigned long long)a->n_records);
	put_time(b, a->first);
	buf_lit(b, " to ");
	put_time(b, a->last);
	if (a->damaged) buf_printf(b, "; %llu bytes damaged", (unsigned long long)a->damaged);
	if (ops->mark) buf_printf(b, "\n    told by: %s", ops->mark);
	if (s->n_log_sources) {
		buf_lit(b, "\n    log sources: ");
		put_log_sources(b, s);
	}
	buf_byte(b, '\n');
}

static void print_source_json(const struct scan_source *s, struct buf *b)
{
	struct json_out o = JSON_OUT(b);
	char text[ETIME_MAX];
	const struct source_report *a = &s->report;
	const struct reader_ops *ops = format_of(s->info.format);
	json_begin_object(&o);
	json_key_str(&o, STR("path"), s->info.path);
	json_key_str(&o, STR("format"), s->info.format);
	json_key_str(&o, STR("what"), str_of(ops->what));
	if (ops->mark) json_key_str(&o, STR("why"), str_of(ops->mark));
	json_key_u64(&o, STR("size"), s->info.size);
	json_key_u64(&o, STR("records"), a->n_records);
	json_key_str(&o, STR("first"), ((struct str){text, etime_print(a->first, a->first.digits > 6 ? 6 : a->first.digits, text)}));
	json_key_str(&o, STR("last"), ((struct str){text, etime_print(a->last, a->last.digits > 6 ? 6 : a->last.digits, text)}));
	json_key_u64(&o, STR("damage"), a->damaged);
	json_key_str(&o, STR("parameters"), a->parameters);
	json_key(&o, STR("log_sources"));
	json_begin_array(&o);
	for (uint32_t i = 0; i < s->n_log_sources; i++) {
		const struct logsource *ls = &s->log_sources[i];
		json_begin_object(&o);
		if (ls->product.n) json_key_str(&o, STR("product"), ls->product);
		if (ls->category.n) json_key_str(&o, STR("category"), ls->category);
		if (ls->service.n) json_key_str(&o, STR("service"), ls->service);
		json_end(&o);
	}
	json_end(&o);
	json_end(&o);
	buf_byte(b, '\n');
}

static void print_unread(const struct scan_unread *u, bool json, struct buf *b)
{
	if (!json) {
		term_str(b, u->path);
		buf_lit(b, "\n    ");
		term_str(b, u->reason);
		buf_byte(b, '\n');
		return;
	}
	struct json_out o = JSON_OUT(b);
	json_begin_object(&o);
	json_key_str(&o, STR("path"), u->path);
	json_key(&o, STR("format"));
	json_put_null(&o);
	json_key_str(&o, STR("what"), u->reason);
	json_end(&o);
	buf_byte(b, '\n');
}

static int identify(char **paths, size_t n, const struct reader_options *zone, bool json)
{
	struct fault f = FAULT_INIT;
	struct taxonomy *taxonomy = taxonomy_new(&f);
	const char *temp = getenv("TMPDIR");
	struct scan_config config = {.taxonomy = taxonomy, .temp_dir = temp && *temp ? temp : "/tmp", .log_sources = true};
	config.formats = formats_all(&config.n_formats);
	config.reader.zone_seconds = zone->zone_seconds;
	config.reader.zone = zone->zone;
	struct scan *scan = taxonomy ? scan_new(&config, &f) : NULL;
	if (!scan) {
		app_fault(&f);
		taxonomy_free(taxonomy);
		return EXIT_FAILED;
	}
	struct buf out = {0};
	for (size_t i = 0; i < n; i++) scan_add_path(scan, paths[i]);
	crew_run(scan, 1, app_terminal(stderr), app_seconds());
	(void)scan_settle(scan, &f);
	const struct scan_results *r = scan_results(scan);
	for (uint32_t i = 0; i < r->n_sources; i++) (json ? print_source_json : print_source)(&r->sources[i], &out);
	for (uint32_t i = 0; i < r->n_unread; i++) print_unread(&r->unread[i], json, &out);
	fwrite(out.p, 1, out.n, stdout);
	buf_done(&out);
	scan_free(scan);
	taxonomy_free(taxonomy);
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o;
	const char *argument;
	bool json = false;
	struct reader_options zone = {0};
	VEC(char *) paths = {0};
	options_begin(&o, self, argc, argv);
	int status = -1;
	for (int which; status < 0 && (which = options_next(&o, &argument)) != OPTION_END;) {
		if (which == OPTION_HELP) status = EXIT_DONE;
		else if (which == OPTION_BAD) status = EXIT_USAGE;
		else if (which == OPT_TIMEZONE) status = app_zone(self, argument, &zone) ? -1 : EXIT_USAGE;
		else if (which == OPT_JSON) json = true;
		else vec_push(&paths, (char *)argument);
	}
	if (status < 0 && !paths.n) status = app_usage(self, "which files? Name files or folders");
	if (status < 0 && !app_paths_exist(self, (const char *const *)paths.v, paths.n)) status = EXIT_USAGE;
	if (status < 0) status = identify(paths.v, paths.n, &zone, json);
	vec_free(&paths);
	return status;
}

const struct command command_identify = {
	.name = "identify", .synopsis = "[OPTION]... PATH...", .summary = "say what each file is, by its content, and which period it covers",
	.group = "Look", .options = rows, .run = run,
	.help = "What a file is, is decided by its bytes; exhibit scan --as overrides. Archives are looked into. Files that are no logs are named with the reason.\n\n"
		"examples:\n"
		"  exhibit identify /mnt/evidence\n"
		"  exhibit identify --json evidence.zip | jq -r 'select(.format == null) | .path'",
};
