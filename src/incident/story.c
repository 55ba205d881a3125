/* story.c: a chain for people: what happened, what cannot be known, what to do, what was read, when, and what to look for elsewhere.
 * See incident_internal.h.
 *
 * Plain lines. A tab in a line says where its text begins: what does not fit on the screen goes on below that column. Every list has an
 * end; what is left out stands in the incident itself (-o FILE.jsonl). */
#include "incident/incident_internal.h"

enum { SHOWN_REASONS = 3, SHOWN_TIMES = 24, SHOWN_INDICATORS = 18, SHOWN_OF_KIND = 5, SHOWN_UNKNOWN = 12, REASON_BYTES = 150, WHAT_BYTES = 90 };

static void put_stamp(struct buf *b, struct etime t)
{
	char text[ETIME_MAX];
	size_t n = etime_print(t, 0, text);
	if (n) text[10] = ' ';
	buf_put(b, n ? text : "(no time)          ", 19);
}

/* At most so many bytes, no character cut in two. */
static void put_cut(struct buf *b, struct str s, size_t max)
{
	size_t n = s.n < max ? s.n : max;
	while (n && n < s.n && ((uint8_t)s.p[n] & 0xc0) == 0x80) n--;
	for (size_t i = 0; i < n; i++) buf_byte(b, s.p[i] == '\t' || s.p[i] == '\n' || s.p[i] == '\r' ? ' ' : s.p[i]);
	if (n < s.n) buf_lit(b, " ...");
}

static void put_head(struct teller *w, struct str title)
{
	const struct chain *c = w->c;
	struct buf *b = &w->story;
	enum { SHOWN = 6 };
	buf_str(b, title);
	buf_lit(b, "\n");
	put_stamp(b, c->first);
	buf_lit(b, " to ");
	put_stamp(b, c->last);
	buf_lit(b, " UTC\t");
	for (size_t i = 0; i < c->attackers.n && i < SHOWN; i++) {
		buf_str(b, i ? STR(", ") : c->probes_only ? STR(", scanners ") : STR(", attackers "));
		buf_str(b, c->attackers.v[i]);
	}
	if (c->attackers.n > SHOWN) buf_printf(b, " and %llu more", (unsigned long long)(c->attackers.n - SHOWN + c->more_attackers));
	if (w->scanners.n) buf_printf(b, "; %zu scanner%s besides", w->scanners.n, w->scanners.n == 1 ? "" : "s");
	buf_lit(b, "\n");
}

/* "  what         " before the first line of a part, as wide without a word before the others. */
static void put_label(struct buf *b, const char *word) { buf_printf(b, "  %-11s  \t", word); }

static void put_stages(struct teller *w)
{
	struct buf *b = &w->story;
	for (unsigned s = 1; s < STAGES; s++) {
		const struct told *t = &w->stage[s];
		if (!t->n) continue;
		buf_printf(b, "  %-11s  ", stage_word((enum stage)s));
		put_stamp(b, t->first);
		buf_lit(b, "  \t");
		uint32_t shown = 0;
		uint64_t more = t->more;
		for (uint32_t i = 0; i < t->n_reasons; i++) {
			if (shown && t->reasons[i].echo) continue; /* the same in another log */
			if (shown == SHOWN_REASONS) {
				more++;
				continue;
			}
			if (shown++) buf_lit(b, "; ");
			put_cut(b, t->reasons[i].text, REASON_BYTES);
			if (t->reasons[i].n > 1) buf_printf(b, " (%llu times)", (unsigned long long)t->reasons[i].n);
		}
		if (more) buf_printf(b, "; and %llu more", (unsigned long long)more);
		buf_lit(b, "\n");
	}
}

static void put_unknown(struct teller *w)
{
	struct buf *b = &w->story;
	for (size_t i = 0; i < w->unknown.v.n && i < SHOWN_UNKNOWN; i++) {
		put_label(b, i ? "" : "not known");
		buf_str(b, w->unknown.v.v[i]);
		buf_lit(b, "\n");
	}
	if (w->unknown.v.n <= SHOWN_UNKNOWN) return;
	put_label(b, "");
	buf_printf(b, "and %zu more (\"unknown\" of the incident)\n", w->unknown.v.n - SHOWN_UNKNOWN);
}

static void put_actions(struct teller *w)
{
	struct buf *b = &w->story;
	unsigned number = 0;
	for (size_t i = 0; i < w->s->plan->actions.n; i++) {
		if (!advised(w, &w->s->plan->actions.v[i])) continue;
		buf_printf(b, "  %-11s  %2u. \t%.*s\n", number ? "" : "to do", number + 1, STR_FMT(w->s->plan->actions.v[i].text));
		number++;
	}
}

static void put_row(struct buf *b, const struct scope_row *r)
{
	char day[ETIME_MAX] = "-         ";
	buf_printf(b, "  %-15.*s  ", STR_FMT(r->log));
	if (r->first.present) etime_print(r->first, 0, day);
	buf_printf(b, "%.10s  ", day);
	if (r->last.present) etime_print(r->last, 0, day);
	buf_printf(b, "%.10s  ", day);
	buf_grouped(b, r->days, 4);
	buf_grouped(b, r->days_missing, 9);
	buf_grouped(b, r->events, 13);
	buf_grouped(b, r->clues, 9);
	buf_lit(b, "\n");
}

/* What there was to look at of this server: no finding and no data are two things. */
static void put_logs(struct teller *w)
{
	struct str name = w->s->servers.v[w->c->server].name;
	bool any = false;
	for (size_t i = 0; i < w->s->scope.n; i++) {
		const struct scope_row *r = &w->s->scope.v[i];
		if (!str_eq(r->server, name)) continue;
		if (!any) buf_lit(&w->story, "\n  log read         first day   last day    days  missing       events findings\n");
		any = true;
		put_row(&w->story, r);
	}
}

static bool is_told(const struct incidents *s, struct str server)
{
	for (size_t i = 0; i < s->servers.n; i++)
		if (str_eq(s->servers.v[i].name, server)) return s->servers.v[i].told;
	return false;
}

struct str incidents_rest(struct incidents *s)
{
	enum { SHOWN = 40 };
	struct buf rows = {0}, b = {0};
	struct str last = {"", 0};
	uint32_t servers = 0, shown = 0;
	bool any = false;
	for (size_t i = 0; i < s->servers.n; i++) any |= s->servers.v[i].told;
	for (size_t i = 0; any && i < s->scope.n; i++) {
		const struct scope_row *r = &s->scope.v[i];
		if (is_told(s, r->server)) continue;
		bool next = !str_eq(r->server, last);
		last = r->server;
		servers += next;
		if (shown == SHOWN) continue;
		if (next) buf_printf(&rows, "  %.*s\n", STR_FMT(r->server));
		put_row(&rows, r);
		shown++;
	}
	struct str told = {"", 0};
	if (servers) {
		buf_printf(&b, "No incident on %u other server%s whose logs were read\n", servers, servers == 1 ? "" : "s");
		buf_lit(&b, "  log read         first day   last day    days  missing       events findings\n");
		buf_str(&b, buf_view(&rows));
		if (shown == SHOWN) buf_lit(&b, "  ... and more (exhibit coverage shows all)\n");
		told = tell_str(s, buf_view(&b));
	}
	buf_done(&rows);
	buf_done(&b);
	return told;
}

static void put_moment(struct buf *b, const struct happening *h, bool first)
{
	if (first) buf_lit(b, "\n  when (UTC)           stage        what [from]\n");
	buf_lit(b, "  ");
	put_stamp(b, h->time);
	buf_printf(b, "  %-11s  \t", stage_word(h->stage));
	put_cut(b, h->what, WHAT_BYTES);
	if (h->n > 1) buf_printf(b, " (%llu times)", (unsigned long long)h->n);
	if (h->ip.n) buf_printf(b, " [%.*s]", STR_FMT(h->ip));
	buf_lit(b, "\n");
}

static bool same_deed(const struct happening *a, const struct happening *b)
{
	return a->stage == b->stage && str_eq(a->what, b->what) && str_eq(a->ip, b->ip);
}

/* The timeline, with what repeats in a row told once; its beginning and its end when it is long. */
static void put_timeline(struct teller *w)
{
	VEC(struct happening) rows = {0};
	for (size_t i = 0; i < w->timeline.n; i++) {
		const struct happening *h = &w->timeline.v[i];
		if (h->echo) continue;
		if (rows.n && same_deed(&rows.v[rows.n - 1], h)) rows.v[rows.n - 1].n += h->n;
		else vec_push(&rows, *h);
	}
	size_t head = rows.n <= SHOWN_TIMES ? rows.n : SHOWN_TIMES / 2, tail = rows.n <= SHOWN_TIMES ? rows.n : rows.n - SHOWN_TIMES / 2;
	for (size_t i = 0; i < rows.n; i++) {
		if (i < head || i >= tail) put_moment(&w->story, &rows.v[i], !i);
		else if (i == head) {
			buf_printf(&w->story, "  ... %zu more between: \"timeline\" of the incident, with -o FILE.jsonl\n", tail - head);
		}
	}
	vec_free(&rows);
}

static void put_indicator(struct buf *b, const struct indicator *x)
{
	buf_printf(b, "  %-6s  %-11s  %-10s  \t", indicator_confidence(x), stage_word(x->stage), x->type);
	put_cut(b, x->value, WHAT_BYTES);
	buf_lit(b, "\n");
}

/* What is short and can be searched for first; commands, which are long and many, last. */
static void put_indicators(struct teller *w)
{
	static const char *const kinds[] = {"ip", "account", "path", "file", "email", "user-agent", "command"};
	struct buf *b = &w->story;
	size_t shown = 0, left = 0, scanners = 0;
	for (size_t k = 0; k < COUNT(kinds); k++)
		for (size_t i = 0, of_kind = 0; i < w->indicators.n; i++) {
			if (strcmp(w->indicators.v[i].type, kinds[k])) continue;
			if (shown == SHOWN_INDICATORS || of_kind++ == SHOWN_OF_KIND) {
				left++;
				of_kind = SHOWN_OF_KIND;
				continue;
			}
			if (!shown++) buf_lit(b, "\n  sure    stage        kind        look for this on every server\n");
			put_indicator(b, &w->indicators.v[i]);
		}
	for (size_t i = 0; i < w->indicators.n; i++) scanners += !strcmp(w->indicators.v[i].type, "scanner-ip");
	if (left) buf_printf(b, "  ... %zu more: \"indicators\" of the incident, with -o FILE.jsonl\n", left);
	if (!scanners) return;
	buf_lit(b, "  scanners, which only probed: \t");
	size_t n = 0;
	for (size_t i = 0; i < w->indicators.n && n < 8; i++)
		if (!strcmp(w->indicators.v[i].type, "scanner-ip")) buf_printf(b, "%s%.*s", n++ ? ", " : "", STR_FMT(w->indicators.v[i].value));
	if (scanners > n) buf_printf(b, " and %zu more", scanners - n);
	buf_lit(b, "\n");
}

void story_make(struct teller *w, struct str title)
{
	put_head(w, title);
	put_stages(w);
	put_unknown(w);
	put_actions(w);
	put_logs(w);
	if (w->c->probes_only) return; /* what scanners do is listed in the incident */
	put_timeline(w);
	put_indicators(w);
}
