/* text/xml.h: what is read of XML, what is refused and where, records found among damage. */
#include "tests/check.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "text/utf.h"
#include "text/xml.h"

static struct arena arena = {.budget = 1 << 20};

/* <name a=v> text </name>, as read; CDATA in [ ], a fault as !offset. */
static const char *events(const char *text)
{
	static struct buf b;
	struct xml x = {.text = str_of(text), .final = true};
	enum xml_next got;
	b.n = 0;
	while ((got = xml_next(&x)) == XML_OPEN || got == XML_TEXT || got == XML_CLOSE) {
		if (got == XML_TEXT) {
			buf_printf(&b, x.cdata ? "[%.*s]" : "%.*s", STR_FMT(x.cdata ? x.chars : xml_decode(&arena, x.chars)));
			continue;
		}
		buf_printf(&b, got == XML_OPEN ? "<%.*s" : "</%.*s", STR_FMT(x.name));
		for (unsigned i = 0; i < x.n_attributes; i++)
			buf_printf(&b, " %.*s=%.*s", STR_FMT(x.attributes[i].name), STR_FMT(xml_decode(&arena, x.attributes[i].value)));
		buf_byte(&b, '>');
	}
	if (got != XML_END) buf_printf(&b, "!%zu", x.start);
	buf_byte(&b, 0);
	return b.p;
}

TEST(a_windows_event)
{
	static const char text[] =
		"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<!-- one -->"
		"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>"
		"<System><Provider Name=\"A &amp; B\" Guid='{1}'/><EventID Qualifiers = \"0\">4688</EventID></System>"
		"<EventData><Data Name='CommandLine'>cmd &lt;x&gt; &quot;\xc3\xa9&quot;&#13;&#x0a;</Data>"
		"<Data/><![CDATA[<raw> & ]]></EventData></Event>\n";
	CHECK_STR(events(text), "<Event xmlns=http://schemas.microsoft.com/win/2004/08/events/event>"
		"<System><Provider Name=A & B Guid={1}></Provider>"
		"<EventID Qualifiers=0>4688</EventID></System><EventData><Data Name=CommandLine>cmd <x> \"\xc3\xa9\"\r\n</Data>"
		"<Data></Data>[<raw> & ]</EventData></Event>");
}

TEST(entities)
{
	CHECK_STR(events("<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x1F600;</a>"), "<a><>&\"'A\xf0\x9f\x98\x80</a>");
	CHECK_STR(events("<a>&nbsp;&#xD800;&#99999999;&#;&#x;& &amp</a>"), "<a>&nbsp;&#xD800;&#99999999;&#;&#x;& &amp</a>");
	CHECK_STR(events("<a>\xff</a>"), "<a>\xef\xbf\xbd</a>");
	struct str s = STR("plain");
	CHECK(xml_decode(NULL, s).p == s.p);
}

TEST(what_is_refused)
{
	static const struct { const char *text, *events; } cases[] = {
		{"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "!0"}, {"<a></b>", "<a>!3"}, {"<a>", "<a>!3"}, {"</a>", "!0"}, {"x<a/>", "!0"},
		{"<a/>x", "<a></a>!4"},
		{"<a b=c/>", "!5"}, {"<a b/>", "!4"}, {"<a b='<'/>", "!5"}, {"<a b='1'c='2'/>", "!8"}, {"<a / >", "!3"}, {"< a/>", "!0"},
		{"<1/>", "!0"}, {"<a", "!2"},
		{"<a><!-- x</a>", "<a>!13"}, {"<a><![CDATA[x</a>", "<a>!17"}, {"<![CDATA[x]]>", "!0"}, {"<a><?x</a>", "<a>!10"}, {"<a b='x", "!7"},
		{"<", "!1"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) CHECK_STR(events(cases[i].text), cases[i].events);
}

TEST(limits)
{
	struct buf b = {0};
	for (int i = 0; i < XML_MAX_DEPTH + 1; i++) buf_lit(&b, "<a>");
	struct xml x = {.text = buf_view(&b), .final = true};
	for (int i = 0; i < XML_MAX_DEPTH; i++) CHECK(xml_next(&x) == XML_OPEN);
	CHECK(xml_next(&x) == XML_LIMIT && x.start == XML_MAX_DEPTH * 3 && x.reason);
	b.n = 0;
	buf_lit(&b, "<a");
	for (int i = 0; i < XML_MAX_ATTRIBUTES + 1; i++) buf_printf(&b, " a%d=''", i);
	buf_lit(&b, "/>");
	x = (struct xml){.text = buf_view(&b), .final = true};
	CHECK(xml_next(&x) == XML_LIMIT);
	buf_done(&b);
}

TEST(cut_texts_want_more)
{
	static const char text[] = "<?xml?><!-- c --><e:a b='c'>text<![CDATA[d]]><f/></e:a>";
	for (size_t n = 0; n < sizeof text - 1; n++) {
		char *copy = xmalloc(n + 1);
		memcpy(copy, text, n);
		struct xml x = {.text = {copy, n}};
		enum xml_next got;
		while ((got = xml_next(&x)) == XML_OPEN || got == XML_TEXT || got == XML_CLOSE) {}
		CHECK(got == XML_MORE);
		free(copy);
	}
	CHECK(str_eq(xml_local(STR("e:a")), STR("a")) && str_eq(xml_local(STR("a")), STR("a")));
}

static const char *found(const char *text)
{
	static struct buf b;
	struct xml x = {.text = str_of(text), .final = true};
	struct xml_span span;
	b.n = 0;
	for (enum xml_next got; (got = xml_find(&x, STR("Event"), &span)) != XML_END;) {
		if (b.n) buf_byte(&b, '|');
		if (got == XML_OPEN) buf_str(&b, str_sub(x.text, span.start, span.end - span.start));
		else buf_printf(&b, "!%zu-%zu", span.start, span.end);
	}
	buf_byte(&b, 0);
	return b.p;
}

TEST(records_are_found)
{
	CHECK_STR(found("<Events><Event>1</Event>\n<Event a='2'/><EventX/></Events>"), "<Event>1</Event>|<Event a='2'/>");
	CHECK_STR(found("<Event><![CDATA[</Event>]]></Event><Event"), "<Event><![CDATA[</Event>]]></Event>");
	CHECK_STR(found("<Event><broken</Event><Event>2</Event>"), "!0-22|<Event>2</Event>");
	CHECK_STR(found("<Event>cut <Event>2</Event>"), "!0-11|<Event>2</Event>");
	CHECK_STR(found("junk"), "");
	struct xml x = {.text = STR("<Event>1</Event> <Even")};
	struct xml_span span;
	CHECK(xml_find(&x, STR("Event"), &span) == XML_OPEN && span.end == 16);
	CHECK(xml_find(&x, STR("Event"), &span) == XML_MORE && span.start == 17);
}

/* Broken records, each within a comment that closes far away: searched for once, not once each. */
TEST(damage_takes_no_quadratic_time)
{
	struct buf b = {0};
	for (int i = 0; i < 300000; i++) buf_lit(&b, "<Event><!--");
	buf_lit(&b, "--></wrong>");
	struct xml x = {.text = buf_view(&b), .final = true};
	struct xml_span span;
	size_t n = 0;
	while (xml_find(&x, STR("Event"), &span) != XML_END) n++;
	CHECK(n == 300000);
	buf_done(&b);
}

TEST_MAIN
