/* summary.c: one screen for a tired responder: what was looked at, what was found, what could not be seen, what to do next. */
#include "report/report.h"
#include "base/map.h"
#include "text/escape.h"
#include <stdio.h>

enum { MAX_KEYS = 100000, BINS = 48, TOP = 10 };

struct counted { const struct rule_info *rule; struct str title; enum level level; uint64_t n; };

struct tally {
	uint64_t by_level[LEVELS];
	struct map rule_at;            /* rule id -> index in rules */
	VEC(struct counted) rules;
	struct map hosts, tactics;     /* name -> count */
	uint64_t more_hosts;
	VEC(struct etime) times;       /* of the findings, for the histogram; thinned by halves when many */
	uint64_t seen, keep_every;
};

struct tally *tally_new(void)
{
	struct tally *t = xcalloc(1, sizeof *t);
	t->keep_every = 1;
	return t;
}

void tally_free(struct tally *t)
{
	if (!t) return;
	map_done(&t->rule_at);
	map_done(&t->hosts);
	map_done(&t->tactics);
	for (size_t i = 0; i < t->rules.n; i++) free((char *)t->rules.v[i].title.p);
	vec_free(&t->rules);
	vec_free(&t->times);
	free(t);
}

static void count(struct map *m, struct str key)
{
	uint32_t *n = map_put(m, key, 0, NULL);
	if (*n < UINT32_MAX) ++*n;
}

static void tally_time(struct tally *t, struct etime time)
{
	enum { MAX_TIMES = 1 << 16 };
	if (!time.present || etime_is_odd(time) || t->seen++ % t->keep_every) return;
	if (t->times.n == MAX_TIMES) {
		for (size_t i = 0; i < MAX_TIMES / 2; i++) t->times.v[i] = t->times.v[2 * i];
		t->times.n = MAX_TIMES / 2;
		t->keep_every *= 2;
	}
	vec_push(&t->times, time);
}

void tally_add(struct tally *t, const struct finding *f)
{
	struct str id = f->rule ? f->rule->id : f->title, title = f->rule ? f->rule->title : f->title;
	bool fresh;
	t->by_level[f->level]++;
	tally_time(t, f->time);
	if (t->rules.n < MAX_KEYS || map_get(&t->rule_at, id)) {
		uint32_t at = *map_put(&t->rule_at, id, (uint32_t)t->rules.n, &fresh);
		if (fresh) {
			char *copy = xmalloc(title.n + 1);
			if (title.n) memcpy(copy, title.p, title.n);
			vec_push(&t->rules, (struct counted){f->rule, {copy, title.n}, f->level, 0});
		}
		t->rules.v[at].n++;
	}
	if (f->host.n && (t->hosts.n < MAX_KEYS || map_get(&t->hosts, f->host))) count(&t->hosts, f->host);
	else if (f->host.n) t->more_hosts++;
	for (uint32_t i = 0; f->rule && i < f->rule->n_tags; i++) {
		struct str tag = f->rule->tags[i];
		if (!str_starts(tag, STR("attack."))) continue;
		tag = str_sub(tag, 7, tag.n);
		/* A tactic is words; techniques (t1059), groups (g0016) and software (s0002) have a digit second. */
		if (tag.n > 1 && !(tag.p[1] >= '0' && tag.p[1] <= '9')) count(&t->tactics, tag);
	}
}

/* --- layout ------------------------------------------------------------------------------------------------ */

struct page {
	struct buf *out;
	const struct summary_options *o;
};

static const char *const level_colour[LEVELS] = {"\033[2m", "\033[36m", "\033[33m", "\033[31m", "\033[1;31m"};

static void colour(struct page *p, const char *code)
{
	if (p->o->colour) buf_str(p->out, str_of(code));
}

static void heading(struct page *p, const char *word)
{
	colour(p, "\033[1m");
	buf_printf(p->out, "%-11s", word);
	colour(p, "\033[0m");
}

static void size_text(struct buf *b, uint64_t n)
{
	if (n < 10000) buf_printf(b, "%llu bytes", (unsigned long long)n);
	else if (n < 10000000) buf_printf(b, "%.1f kB", (double)n / 1e3);
	else if (n < 10000000000) buf_printf(b, "%.1f MB", (double)n / 1e6);
	else buf_printf(b, "%.1f GB", (double)n / 1e9);
}

static void minute(struct buf *b, struct etime t)
{
	char text[ETIME_MAX];
	size_t n = etime_print(t, 0, text);
	if (n < 16) {
		buf_lit(b, "?");
		return;
	}
	text[10] = ' ';
	buf_put(b, text, 16);
}

static const char *plural(uint64_t n) { return n == 1 ? "" : "s"; }

struct period { struct etime first, last; };

static struct period period_of(const struct report_run *r)
{
	struct period p = {0};
	for (uint32_t i = 0; i < r->sources.n; i++) {
		const struct source_report *a = r->sources.v[i].account;
		if (a->first.present && (!p.first.present || etime_cmp(a->first, p.first) < 0)) p.first = a->first;
		if (a->last.present && etime_cmp(a->last, p.last) > 0) p.last = a->last;
	}
	return p;
}

static void put_read(struct page *p, const struct report_run *r)
{
	uint64_t bytes = 0;
	struct period time = period_of(r);
	for (uint32_t i = 0; i < r->sources.n; i++) bytes += r->sources.v[i].info->size;
	heading(p, "Period");
	if (time.first.present) {
		minute(p->out, time.first);
		buf_lit(p->out, " to ");
		minute(p->out, time.last);
		buf_lit(p->out, " UTC\n");
	} else {
		buf_lit(p->out, "no dated records\n");
	}
	heading(p, "Read");
	buf_grouped(p->out, r->sources.n, 0);
	buf_printf(p->out, " source%s, ", plural(r->sources.n));
	size_text(p->out, bytes);
	buf_lit(p->out, ", ");
	buf_grouped(p->out, r->events, 0);
	buf_printf(p->out, " event%s, ", plural(r->events));
	buf_grouped(p->out, r->rules_loaded, 0);
	buf_printf(p->out, " rule%s, in %.1f s\n", plural(r->rules_loaded), r->seconds);
}

static void put_levels(struct page *p, const struct report_run *r, const struct tally *t)
{
	bool any = false;
	heading(p, "Findings");
	buf_grouped(p->out, r->findings, 0);
	for (int l = LEVELS - 1; l >= 0; l--) {
		if (!t->by_level[l]) continue;
		buf_str(p->out, any ? STR(", ") : STR(": "));
		any = true;
		colour(p, level_colour[l]);
		buf_grouped(p->out, t->by_level[l], 0);
		buf_printf(p->out, " %s", level_word((enum level)l));
		colour(p, "\033[0m");
	}
	buf_byte(p->out, '\n');
}

static int by_weight(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;
	if (x->level != y->level) return (int)y->level - (int)x->level;
	if (x->n != y->n) return x->n < y->n ? 1 : -1;
	return str_cmp(x->title, y->title);
}

static void put_rules(struct page *p, const struct tally *t)
{
	struct counted *sorted = xcalloc(t->rules.n, sizeof *sorted);
	if (t->rules.n) memcpy(sorted, t->rules.v, t->rules.n * sizeof *sorted);
	qsort(sorted, t->rules.n, sizeof *sorted, by_weight);
	for (size_t i = 0; i < t->rules.n && i < TOP; i++) {
		heading(p, i ? "" : "Top rules");
		colour(p, level_colour[sorted[i].level]);
		buf_printf(p->out, "%-13s", level_word(sorted[i].level));
		colour(p, "\033[0m");
		buf_printf(p->out, "%7llu  ", (unsigned long long)sorted[i].n);
		term_str_cut(p->out, sorted[i].title, p->o->width > 50 ? p->o->width - 34 : 16);
		buf_byte(p->out, '\n');
	}
	if (t->rules.n > TOP) {
		heading(p, "");
		buf_printf(p->out, "and %zu more rules\n", t->rules.n - TOP);
	}
	free(sorted);
}

static int by_count(const void *a, const void *b)
{
	const struct map_entry *x = *(const struct map_entry *const *)a, *y = *(const struct map_entry *const *)b;
	if (x->value != y->value) return x->value < y->value ? 1 : -1;
	return str_cmp(x->key, y->key);
}

/* "a 12, b 3, and 4 more" within one line. */
static void put_counts(struct page *p, const char *word, const struct map *m)
{
	if (!m->n) return;
	const struct map_entry **sorted = xcalloc(m->n, sizeof *sorted);
	for (uint32_t i = 0; i < m->n; i++) sorted[i] = &m->entries[i];
	qsort(sorted, m->n, sizeof *sorted, by_count);
	heading(p, word);
	size_t used = 11, line = p->o->width > 40 ? p->o->width : 40;
	uint32_t i = 0;
	for (; i < m->n; i++) {
		struct buf item = {0};
		term_str_cut(&item, sorted[i]->key, 40);
		buf_printf(&item, " %u", sorted[i]->value);
		size_t width = utf8_width(buf_view(&item)) + (i ? 2 : 0);
		bool fits = used + width + 14 < line || !i;
		if (fits && i) buf_lit(p->out, ", ");
		if (fits) buf_str(p->out, buf_view(&item));
		buf_done(&item);
		if (!fits) break;
		used += width;
	}
	if (i < m->n) buf_printf(p->out, ", and %u more", m->n - i);
	buf_byte(p->out, '\n');
	free(sorted);
}

static void put_histogram(struct page *p, const struct tally *t)
{
	static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char ascii[] = " .:-=+*%#";
	uint64_t bins[BINS] = {0}, most = 0;
	if (t->times.n < 2) return;
	struct etime first = t->times.v[0], last = first;
	for (size_t i = 0; i < t->times.n; i++) {
		if (etime_cmp(t->times.v[i], first) < 0) first = t->times.v[i];
		if (etime_cmp(t->times.v[i], last) > 0) last = t->times.v[i];
	}
	double span = (double)(last.sec - first.sec) + 1;
	for (size_t i = 0; i < t->times.n; i++) {
		uint64_t *bin = &bins[(size_t)((double)(t->times.v[i].sec - first.sec) / span * BINS)];
		if (++*bin > most) most = *bin;
	}
	heading(p, "When");
	for (int i = 0; i < BINS; i++) {
		uint64_t step = bins[i] ? 1 + bins[i] * 7 / most : 0;
		if (p->o->unicode) buf_str(p->out, str_of(blocks[step]));
		else buf_byte(p->out, ascii[step]);
	}
	buf_byte(p->out, '\n');
	heading(p, "");
	minute(p->out, first);
	buf_printf(p->out, "%*s", BINS - 32, "");
	minute(p->out, last);
	buf_byte(p->out, '\n');
}

static void put_unread(struct page *p, const struct report_run *r)
{
	enum { SHOWN = 6 };
	for (uint32_t i = 0; i < r->n_unread && i < SHOWN; i++) {
		heading(p, i ? "" : "Not read");
		size_t room = p->o->width > 60 ? p->o->width - 13 : 50;
		size_t reason = utf8_width(r->unread[i].reason);
		size_t path = reason + 20 < room ? room - reason - 2 : 20;
		/* The end of a path tells more than its beginning. */
		struct str shown = r->unread[i].path;
		if (utf8_width(shown) > path) {
			buf_lit(p->out, "...");
			shown = str_sub(shown, shown.n - (path - 3 < shown.n ? path - 3 : shown.n), shown.n);
		}
		term_str(p->out, shown);
		buf_lit(p->out, ": ");
		term_str_cut(p->out, r->unread[i].reason, room);
		buf_byte(p->out, '\n');
	}
	if (r->n_unread > SHOWN) {
		heading(p, "");
		buf_printf(p->out, "and %u more files that are not logs or could not be read\n", r->n_unread - SHOWN);
	}
}

/* Logs with days missing between their first and last record: the worst first. */
static void put_gaps(struct page *p, const struct report_run *r)
{
	enum { SHOWN = 3 };
	uint32_t with_gaps = 0;
	for (uint32_t i = 0; i < r->n_coverage; i++) {
		const struct report_coverage *c = &r->coverage[i];
		for (uint32_t d = 1; d < c->n_days; d++) {
			if (c->days[d].day <= c->days[d - 1].day + 1) continue;
			if (with_gaps++ >= SHOWN) break;
			heading(p, with_gaps == 1 ? "Gaps" : "");
			term_str_cut(p->out, c->host.n ? c->host : STR("(no host)"), 24);
			buf_byte(p->out, ' ');
			term_str_cut(p->out, c->log, 40);
			buf_lit(p->out, ": nothing between ");
			minute(p->out, etime_from_unix((int64_t)c->days[d - 1].day * 86400, 0, 0));
			p->out->n -= 6;
			buf_lit(p->out, " and ");
			minute(p->out, etime_from_unix((int64_t)c->days[d].day * 86400, 0, 0));
			p->out->n -= 6;
			buf_byte(p->out, '\n');
			break;
		}
	}
	if (with_gaps > SHOWN) {
		heading(p, "");
		buf_printf(p->out, "and %u more logs with days missing (exhibit coverage shows all)\n", with_gaps - SHOWN);
	}
}

static void put_clocks(struct page *p, const struct report_run *r)
{
	enum { SHOWN = 3 };
	for (uint32_t i = 0; i < r->n_clocks && i < SHOWN; i++) {
		struct buf text = {0};
		heading(p, i ? "" : "Clocks");
		report_clock_text(&r->clocks[i], &text);
		term_str_cut(p->out, buf_view(&text), p->o->width > 50 ? 2 * p->o->width - 11 : 89);
		buf_byte(p->out, '\n');
		buf_done(&text);
	}
	if (r->n_clocks > SHOWN) {
		heading(p, "");
		buf_printf(p->out, "and %u more (exhibit coverage shows all)\n", r->n_clocks - SHOWN);
	}
}

/* What the detectors of password guessing took for normal, and why. */
static void put_normal(struct page *p, const struct report_run *r)
{
	enum { SHOWN = 5 };
	for (uint32_t i = 0; i < r->n_notes && i < SHOWN; i++) {
		heading(p, i ? "" : "Normal");
		term_str_cut(p->out, r->notes[i], p->o->width > 50 ? 2 * p->o->width - 11 : 89);
		buf_byte(p->out, '\n');
	}
	if (r->n_notes <= SHOWN) return;
	heading(p, "");
	buf_printf(p->out, "and %u more (--stats FILE lists them)\n", r->n_notes - SHOWN);
}

static void put_damage(struct page *p, const struct report_run *r)
{
	uint64_t damaged = 0, sources = 0, recovered = 0, notes = 0, odd = 0;
	for (uint32_t i = 0; i < r->sources.n; i++) {
		const struct source_report *a = r->sources.v[i].account;
		damaged += a->damaged;
		sources += a->damaged > 0 || r->sources.v[i].reason.n;
		recovered += a->n_recovered;
		notes += a->notes.n + a->more_notes;
		odd += a->n_odd;
	}
	if (sources) {
		heading(p, "Damaged");
		size_text(p->out, damaged);
		buf_printf(p->out, " in %llu source%s could not be read as records", (unsigned long long)sources, plural(sources));
		if (recovered) buf_printf(p->out, "; %llu record%s recovered", (unsigned long long)recovered, plural(recovered));
		buf_byte(p->out, '\n');
	} else if (recovered) {
		heading(p, "Recovered");
		buf_grouped(p->out, recovered, 0);
		buf_printf(p->out, " record%s; findings that rest on one say so\n", plural(recovered));
	}
	if (odd) {
		heading(p, "Odd times");
		buf_grouped(p->out, odd, 0);
		buf_printf(p->out, " record%s %s a time before 1980 or after 2099: the period does not count %s\n", plural(odd), odd == 1 ? "says" : "say", odd == 1 ? "it" : "them");
	}
	if (notes) {
		heading(p, "Noted");
		buf_grouped(p->out, notes, 0);
		buf_lit(p->out, " remarks on sources (checksums, gaps, inferred times): --stats FILE lists them\n");
	}
}

/* What was there more than once, and counts once. */
static void put_twice(struct page *p, const struct report_run *r)
{
	if (r->copies) {
		heading(p, "Copies");
		buf_printf(p->out, "%u source%s the bytes of another: what %s counts once\n", r->copies, r->copies == 1 ? " has" : "s have", r->copies == 1 ? "it says" : "they say");
	}
	if (r->twins) {
		heading(p, "Told twice");
		buf_grouped(p->out, r->twins, 0);
		buf_printf(p->out, " attempt%s to log in stood in two logs of one host: counted once\n", plural(r->twins));
	}
}

/* Bytes of s that fit into so many columns, ended at a blank where there is one. */
static size_t fitting(struct str s, size_t columns)
{
	size_t n = 0, width = 0, blank = 0;
	while (n < s.n) {
		size_t next = n + 1;
		while (next < s.n && ((uint8_t)s.p[next] & 0xc0) == 0x80) next++;
		width += utf8_width(str_sub(s, n, next - n));
		if (width > columns) return blank ? blank : n ? n : next;
		if (s.p[n] == ' ') blank = n;
		n = next;
	}
	return n;
}

/* A line of a story; a tab says where its text begins, and what does not fit goes on below that column. */
static void put_story_line(struct page *p, struct str line)
{
	size_t tab = str_find_byte(line, '\t', 0), width = p->o->width > 60 ? p->o->width : 60, indent = 4;
	struct str rest = line;
	if (tab != SIZE_MAX) {
		struct str label = str_sub(line, 0, tab);
		term_str(p->out, label);
		indent = utf8_width(label);
		if (indent > 48) indent = 48;
		rest = str_sub(line, tab + 1, SIZE_MAX);
	}
	size_t room = width - (tab != SIZE_MAX ? utf8_width(str_sub(line, 0, tab)) : 0);
	for (;;) {
		size_t n = fitting(rest, room);
		term_str(p->out, str_sub(rest, 0, n));
		buf_byte(p->out, '\n');
		rest = str_sub(rest, n, SIZE_MAX);
		while (rest.n && rest.p[0] == ' ') rest = str_sub(rest, 1, SIZE_MAX);
		if (!rest.n) return;
		buf_printf(p->out, "%*s", (int)indent, "");
		room = width - indent;
	}
}

/* Incidents first: they are what the rest is about. The worst are told whole, of the others what happened. */
static void put_stories(struct page *p, const struct report_run *r)
{
	enum { WHOLE = 3, NAMED = 20 };
	for (uint32_t i = 0; i < r->n_stories; i++) {
		if (i >= NAMED && i + 1 < r->n_stories) continue; /* the last one may be what was read of other servers */
		struct str rest = r->stories[i];
		for (bool first = true; rest.p; first = false) {
			struct str line = str_cut(&rest, '\n');
			if (!rest.p && !line.n) break; /* what follows the last line's end */
			if (first) colour(p, "\033[1;31m");
			put_story_line(p, line);
			if (first) colour(p, "\033[0m");
			if (i >= WHOLE && !first && !str_starts(r->stories[i], STR("No incident on "))) break; /* its title and when */
		}
		buf_byte(p->out, '\n');
	}
	if (r->n_stories > NAMED + 1) buf_printf(p->out, "and %u more incidents (-o FILE.jsonl lists all)\n\n", r->n_stories - NAMED - 1);
}

/* What rules could see: a line for each of the ways in which nothing is found. */
static void put_sight(struct page *p, const struct report_run *r)
{
	struct buf text = {0};
	report_sight(r, &text);
	struct str rest = buf_view(&text);
	while (rest.n) {
		struct str line = str_cut(&rest, '\n'), word = str_cut(&line, '\t');
		colour(p, "\033[1m");
		buf_printf(p->out, "%-11.*s", STR_FMT(word));
		colour(p, "\033[0m");
		term_str_cut(p->out, line, p->o->width > 50 ? p->o->width - 11 : 39);
		buf_byte(p->out, '\n');
	}
	buf_done(&text);
}

/* Refused rules, counted by category. */
static void put_blind(struct page *p, const struct report_run *r)
{
	struct map why = {0};
	for (uint32_t i = 0; i < r->n_refused; i++) count(&why, r->refused[i].category);
	if (r->rules) put_sight(p, r);
	if (r->n_refused) {
		heading(p, "Refused");
		buf_printf(p->out, "%u rule%s could not be used:", r->n_refused, plural(r->n_refused));
		for (uint32_t i = 0; i < why.n; i++) {
			buf_printf(p->out, "%s ", i ? "," : "");
			term_str(p->out, why.entries[i].key);
			buf_printf(p->out, " %u", why.entries[i].value);
		}
		buf_lit(p->out, " (exhibit rules check says why)\n");
	}
	if (r->undecided) {
		heading(p, "");
		buf_grouped(p->out, r->undecided, 0);
		buf_lit(p->out, " verdicts stayed undecided (a regular expression reached its limit)\n");
	}
	map_done(&why);
}

void report_summary(const struct report_run *r, const struct tally *t, const struct summary_options *o, struct buf *out)
{
	struct page p = {out, o};
	put_stories(&p, r);
	put_read(&p, r);
	put_levels(&p, r, t);
	put_rules(&p, t);
	put_counts(&p, "Hosts", &t->hosts);
	put_counts(&p, "Tactics", &t->tactics);
	put_histogram(&p, t);
	put_unread(&p, r);
	put_normal(&p, r);
	put_twice(&p, r);
	put_damage(&p, r);
	put_gaps(&p, r);
	put_clocks(&p, r);
	put_blind(&p, r);
	if (o->next.n) {
		heading(&p, "Next");
		term_str(out, o->next);
		buf_byte(out, '\n');
	}
}

void report_progress(const struct progress_line *g, unsigned width, struct buf *out)
{
	struct buf line = {0};
	double share = g->bytes_total ? (double)g->bytes / (double)g->bytes_total : 1;
	if (share > 1) share = 1;
	buf_printf(&line, "%3.0f %%  ", share * 100);
	size_text(&line, g->bytes);
	buf_lit(&line, "  ");
	buf_grouped(&line, g->seconds > 0.2 ? (uint64_t)((double)g->events / g->seconds) : 0, 0);
	buf_lit(&line, " events/s  ");
	buf_grouped(&line, g->findings, 0);
	buf_lit(&line, " hits");
	if (share > 0.02 && share < 1) {
		double left = g->seconds / share * (1 - share);
		buf_printf(&line, "  %d:%02d left", (int)left / 60, (int)left % 60);
	}
	term_str_cut(out, buf_view(&line), width);
	buf_done(&line);
}
