/* winxml.c: Windows events as XML: one <Event>, many in <Events>, the event viewer's and wevtutil's exports. See doc/formats.md, section
 * Windows event XML.
 *
 * A record is the element <Event>...</Event>. What stands between is header (the declaration, <Events>) or slack (blanks). A broken event
 * is damage up to the next <Event. Columns are those of the EVTX reader; the rendered message, where there is one, is Message. */
#include "read/read_internal.h"
#include "read/winevent_internal.h"
#include "text/utf.h"
#include "text/xml.h"

struct own {
	struct win_event event;
	struct win_state state;
	size_t take;             /* window bytes of the event handed out last */
};

static struct own *own(struct reader *r) { return r->own; }

/* --- one event --- */

/* Text of the element that was just opened, its children's texts joined; leaves the parser behind its end. */
static struct str element_text(struct xml *x, struct arena *a, bool *ret_children)
{
	struct str first = {NULL, 0};
	struct buf joined = {0};
	unsigned depth = 1;
	*ret_children = false;
	while (depth) {
		enum xml_next got = xml_next(x);
		if (got == XML_OPEN) depth++, *ret_children = true;
		else if (got == XML_CLOSE) depth--;
		else if (got != XML_TEXT) break;
		if (got != XML_TEXT) continue;
		struct str text = x->cdata ? x->chars : xml_decode(a, x->chars);
		if (!text.p) continue;
		if (!first.p) first = text;
		else {
			if (!joined.n) buf_str(&joined, first);
			buf_str(&joined, text);
		}
	}
	if (joined.n) first = arena_str(a, buf_view(&joined));
	buf_done(&joined);
	return first.p ? first : STR("");
}

static struct str attribute(struct xml *x, struct arena *a, const char *name)
{
	struct str v = xml_attribute(x, str_of(name));
	return v.p ? xml_decode(a, v) : v;
}

static void system_element(struct xml *x, struct arena *a, struct win_event *e)
{
	static const struct { const char *element, *attribute; enum win_sys sys; } attributes[] = {
		{"Provider", "Name", WIN_PROVIDER}, {"Provider", "Guid", WIN_PROVIDER_GUID}, {"Provider", "EventSourceName", WIN_SOURCE_NAME},
		{"EventID", "Qualifiers", WIN_QUALIFIERS}, {"TimeCreated", "SystemTime", WIN_TIME}, {"Correlation", "ActivityID", WIN_ACTIVITY},
		{"Correlation", "RelatedActivityID", WIN_RELATED}, {"Execution", "ProcessID", WIN_PROCESS}, {"Execution", "ThreadID", WIN_THREAD},
		{"Security", "UserID", WIN_USER}};
	static const struct { const char *element; enum win_sys sys; } texts[] = {
		{"EventID", WIN_EVENT_ID}, {"Version", WIN_VERSION}, {"Level", WIN_LEVEL}, {"Task", WIN_TASK}, {"Opcode", WIN_OPCODE},
		{"Keywords", WIN_KEYWORDS},
		{"EventRecordID", WIN_RECORD_ID}, {"Channel", WIN_CHANNEL}, {"Computer", WIN_COMPUTER}};
	struct str name = xml_local(x->name);
	bool children;
	for (size_t i = 0; i < COUNT(attributes); i++)
		if (str_eq(name, str_of(attributes[i].element))) e->sys[attributes[i].sys] = attribute(x, a, attributes[i].attribute);
	struct str text = element_text(x, a, &children);
	for (size_t i = 0; i < COUNT(texts); i++)
		if (str_eq(name, str_of(texts[i].element)) && text.n) e->sys[texts[i].sys] = str_trim(text);
}

/* EventData: Data by their Name; UserData: every element without children by its own. */
static void data_element(struct xml *x, struct arena *a, struct win_event *e, bool user)
{
	if (!user) {
		struct str name = str_eq(xml_local(x->name), STR("Data")) ? attribute(x, a, "Name") : xml_local(x->name);
		bool children;
		struct str text = element_text(x, a, &children);
		win_add(e, name.p ? name : STR(""), text);
		return;
	}
	/* Names met on the way down; one that was only just opened when it closes is a leaf. */
	struct str open[XML_MAX_DEPTH], text = STR("");
	unsigned depth = 0;
	bool leaf = true;
	open[depth++] = xml_local(x->name);
	while (depth) {
		enum xml_next got = xml_next(x);
		if (got == XML_OPEN && depth < XML_MAX_DEPTH) {
			open[depth++] = xml_local(x->name);
			leaf = true;
			text = STR("");
		} else if (got == XML_TEXT && leaf) {
			struct str piece = x->cdata ? x->chars : xml_decode(a, x->chars);
			if (piece.p && str_trim(piece).n) text = piece;
		} else if (got == XML_CLOSE) {
			depth--;
			if (leaf) win_add(e, open[depth], text);
			leaf = false;
		} else if (got != XML_TEXT) {
			return;
		}
	}
}

bool winxml_read(struct str text, struct arena *a, struct win_event *e, const char **ret_reason)
{
	struct xml x = {.text = text, .final = true};
	enum { OUTSIDE, IN_EVENT, IN_SYSTEM, IN_DATA, IN_USER, IN_RENDERING } where = OUTSIDE;
	bool system = false, children;
	win_begin(e);
	for (;;) {
		enum xml_next got = xml_next(&x);
		if (got == XML_END) break;
		if (got == XML_BAD || got == XML_LIMIT || got == XML_MORE) return *ret_reason = x.reason ? x.reason : "cut off", false;
		if (got == XML_CLOSE) where = where == IN_EVENT ? OUTSIDE : IN_EVENT;
		if (got != XML_OPEN) continue;
		struct str name = xml_local(x.name);
		if (where == OUTSIDE) where = IN_EVENT;
		else if (where == IN_SYSTEM) system_element(&x, a, e);
		else if (where == IN_DATA || where == IN_USER) data_element(&x, a, e, where == IN_USER);
		else if (where == IN_RENDERING) {
			struct str rendered = element_text(&x, a, &children);
			if (str_eq(name, STR("Message"))) e->sys[WIN_MESSAGE] = rendered;
		} else if (str_eq(name, STR("System"))) where = IN_SYSTEM, system = true;
		else if (str_eq(name, STR("EventData"))) where = IN_DATA;
		else if (str_eq(name, STR("UserData"))) where = IN_USER;
		else if (str_eq(name, STR("RenderingInfo"))) where = IN_RENDERING;
		else element_text(&x, a, &children);
	}
	win_add_exchange(e, a);
	*ret_reason = "an Event without System";
	return system;
}

/* --- the stream --- */

/* Window bytes before an event: blanks are slack, markup that holds events is header, all else is damage. */
static void take_between(struct reader *r, size_t n)
{
	struct lines *l = &r->lines;
	n = text_take_blanks(r, n);
	struct str w = str_sub(lines_window(l), 0, n);
	if (!w.n) return;
	bool markup = (w.p[0] == '<' || str_starts(w, STR("Record "))) && w.n < 4096 && str_find(w, STR("<Event>"), 0) == SIZE_MAX && str_find(w, STR("<Event "), 0) == SIZE_MAX;
	uint64_t from = l->offset, bytes = lines_take(l, w.n);
	if (markup) report_header(&r->report, from, bytes);
	else report_damage(&r->report, from, bytes, "no event");
}

static bool make_event(struct reader *r, struct xml_span span)
{
	struct own *o = own(r);
	struct lines *l = &r->lines;
	take_between(r, span.start);
	size_t n = span.end - span.start;
	struct str text = str_sub(lines_window(l), 0, n), clean = text_clean(r, text);
	const char *reason = "too large for the memory of one record";
	uint64_t bytes = lines_bytes(l, 0, n);
	bool ok = clean.n && winxml_read(clean, &r->arena, &o->event, &reason) &&
		win_make(r, &o->state, &o->event, l->offset, bytes, bytes, l->number, l->encoding == TEXT_UTF8 ? text.p : NULL);
	if (ok) {
		o->take = n;
		return true;
	}
	report_damage(&r->report, l->offset, bytes, reason);
	lines_take(l, n);
	return false;
}

/* How much of a window without an event is sure to be none: a tag at its end may be cut, and is looked at again with what follows. */
static size_t surely_between(struct reader *r)
{
	struct str w = lines_window(&r->lines);
	for (size_t i = w.n; !r->lines.final && i > 0 && w.n - i < 4096; i--)
		if (w.p[i - 1] == '<') return i - 1;
	return w.n;
}

static bool next(struct reader *r)
{
	struct own *o = own(r);
	struct lines *l = &r->lines;
	lines_take(l, o->take);
	o->take = 0;
	for (;;) {
		lines_skip_marks(l);
		struct xml x = {.text = lines_window(l), .final = l->final};
		struct xml_span span = {0, 0};
		switch (xml_find(&x, STR("Event"), &span)) {
		case XML_OPEN:
			if (make_event(r, span)) return true;
			break;
		case XML_MORE:
			take_between(r, span.start < x.text.n ? span.start : surely_between(r));
			if (!lines_more(l) && !l->final) {
				uint64_t from = l->offset;
				report_damage(&r->report, from, lines_take(l, lines_window(l).n), "an event larger than 16 MiB");
			}
			break;
		case XML_BAD: case XML_LIMIT:
			/* Where the next one begins is not known yet. */
			if (span.end == x.text.n && lines_more(l)) break;
			take_between(r, span.start);
			uint64_t from = l->offset;
			report_damage(&r->report, from, lines_take(l, span.end - span.start), x.reason ? x.reason : "broken event");
			break;
		default:
			take_between(r, lines_window(l).n);
			if (l->final) return false;
			lines_more(l);
		}
		arena_reset(&r->arena);
	}
}

static void end(struct reader *r) { win_state_done(&own(r)->state); }

static const struct text_format format = {"winxml", sizeof(struct own), NULL, next, end, NULL};

static int sniff(struct str head, uint64_t size, struct str path)
{
	char *scratch;
	struct str text = lines_head(head, &scratch);
	int score = 0;
	(void)size;
	(void)path;
	while (text.n && (uint8_t)text.p[0] <= ' ') text = str_sub(text, 1, text.n);
	/* evtx_dump begins each event with "Record 7". */
	bool markup = text.n && (text.p[0] == '<' || str_starts(text, STR("Record ")));
	size_t at = markup ? str_find(text, STR("<Event"), 0) : SIZE_MAX;
	while (at != SIZE_MAX && at + 6 < text.n && text.p[at + 6] != ' ' && text.p[at + 6] != '>') at = str_find(text, STR("<Event"), at + 1);
	if (at != SIZE_MAX && str_find(text, STR("<System>"), at) != SIZE_MAX) score = 95;
	else if (at != SIZE_MAX && str_find(text, STR("schemas.microsoft.com/win/2004/08/events"), 0) != SIZE_MAX) score = 90;
	free(scratch);
	return score;
}

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }

const struct reader_ops read_winxml_ops = {.format = "winxml", .what = "Windows events as XML",
	.mark = "<Event> elements of the Windows event schema", .sniff = sniff, .open = open,
	TEXT_READER_REST};
