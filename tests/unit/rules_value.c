/* Values as YAML writes them, strings with wildcards, detection sections: what they become. */
#include "unit/rules_show.h"

/* VAL-1, VAL-2: only what can be nothing else is a number; the text stays. */
TEST(types)
{
	CHECK_STR(show_item("f: 4625"), "f=4625");
	CHECK_STR(show_item("f: -7"), "f=-7");
	CHECK_STR(show_item("f: +7"), "f=7");
	CHECK_STR(show_item("f: 0"), "f=0");
	CHECK_STR(show_item("f: 0x10"), "f=16");
	CHECK_STR(show_item("f: 1.5"), "f=1.5");
	CHECK_STR(show_item("f: 1.0"), "f=1");
	CHECK_STR(show_item("f: -0.25"), "f=-0.25");
	CHECK_STR(show_item("f: '4625'"), "f='4625'");
	CHECK_STR(show_item("f: \"4625\""), "f='4625'");
	CHECK_STR(show_item("f: 00000429"), "f='00000429'");
	CHECK_STR(show_item("f: 010"), "f='010'");
	CHECK_STR(show_item("f: 12e345"), "f='12e345'");
	CHECK_STR(show_item("f: 1e3"), "f='1e3'");
	CHECK_STR(show_item("f: 1_000"), "f='1_000'");
	CHECK_STR(show_item("f: 9223372036854775807"), "f=9223372036854775807");
	CHECK_STR(show_item("f: 9223372036854775808"), "f='9223372036854775808'");
	CHECK_STR(show_item("f: 2024-01-01"), "f='2024-01-01'");
	CHECK_STR(show_item("f: .inf"), "f='.inf'");
	CHECK_STR(show_item("f: true"), "f=true");
	CHECK_STR(show_item("f: False"), "f=false");
	CHECK_STR(show_item("f: 'true'"), "f='true'");
	CHECK_STR(show_item("f: yes"), "f='yes'");
	CHECK_STR(show_item("f: null"), "f=null");
	CHECK_STR(show_item("f: ~"), "f=null");
	CHECK_STR(show_item("f:"), "f=null");
	CHECK_STR(show_item("f: 'null'"), "f='null'");
	CHECK_STR(show_item("f: ''"), "f=''");
	CHECK_STR(show_item("f: !!str 5"), "f='5'");
}

/* VAL-3: a comment ends a plain scalar. */
TEST(comment_ends_plain)
{
	CHECK_STR(show_item("f|re: a.b # c"), "f=/a.b/");
	CHECK_STR(show_item("f: a#b"), "f='a#b'");
}

/* VAL-9: null among others is taken, with a warning. */
TEST(null_in_list)
{
	CHECK_STR(show_item("f: [a, null]"), "(f='a' | f=null)");
	CHECK_STR(show_warnings("title: t\nlevel: low\nlogsource: {category: c}\ndetection:\n  s:\n    f: [a, null]\n  condition: s\n"),
		"6:12 the specification does not allow null in a list; it is taken as one of the alternatives");
}

/* STR-2, STR-3: the escape automaton. In YAML's plain and single-quoted scalars backslashes are themselves. */
TEST(escapes)
{
	CHECK_STR(show_item("f: a*b?c"), "f='a'*'b'?'c'");
	CHECK_STR(show_item("f: 'a\\*b'"), "f='a*b'");
	CHECK_STR(show_item("f: 'a\\?b'"), "f='a?b'");
	CHECK_STR(show_item("f: 'a\\\\b'"), "f='a\\b'");
	CHECK_STR(show_item("f: 'a\\xb'"), "f='a\\xb'");
	CHECK_STR(show_item("f: 'a\\'"), "f='a\\'");
	CHECK_STR(show_item("f: '\\\\*'"), "f='\\'*");
	CHECK_STR(show_item("f: '\\\\\\*'"), "f='\\*'");
	CHECK_STR(show_item("f: 'a\\\\\\'"), "f='a\\\\'");
	CHECK_STR(show_item("f: 'a\\\\\\\\'"), "f='a\\\\'");
	CHECK_STR(show_item("f: 'C:\\Windows\\*'"), "f='c:\\windows*'");
	CHECK_STR(show_item("f: 'C:\\Windows\\\\*'"), "f='c:\\windows\\'*");
}

/* STR-4, STR-5, STR-6: modifiers add wildcards to what was parsed, and none where one is. */
TEST(affixes)
{
	CHECK_STR(show_item("f|contains: 'a\\'"), "f=*'a\\'*");
	CHECK_STR(show_item("f|contains: '*a*'"), "f=*'a'*");
	CHECK_STR(show_item("f|startswith: 'a*'"), "f='a'*");
	CHECK_STR(show_item("f|endswith: '*a'"), "f=*'a'");
	CHECK_STR(show_item("f|startswith: '8*?'"), "f='8'*?*");
	CHECK_STR(show_item("f: '**a***'"), "f=*'a'*");
	CHECK_STR(show_item("f: '*'"), "f=*");
	CHECK_STR(show_item("f|contains: ''"), "f=*");
	CHECK_STR(show_item("f|contains: '*'"), "f=*");
	CHECK_STR(show_item("f|startswith|endswith: a"), "f=*'a'*");
}

/* STR-8, STR-9: literals are folded like events are, unless cased. */
TEST(folding)
{
	CHECK_STR(show_item("f: ÄPFEL\\ΣΊΣ"), "f='äpfel\\σίσ'");
	CHECK_STR(show_item("f|cased: ABC"), "f=cased 'ABC'");
	CHECK_STR(show_item("f|contains|cased: ABC"), "f=cased *'ABC'*");
	CHECK_STR(show_item("f: straße"), "f='straße'");
}

/* DET-2 .. DET-7: maps are ANDs, lists ORs. */
TEST(structure)
{
	CHECK_STR(show_item("{a: 1, b: 2}"), "(a=1 & b=2)");
	CHECK_STR(show_item("a: [1, 2]"), "(a=1 | a=2)");
	CHECK_STR(show_item("[x, y]"), "(=*'x'* | =*'y'*)");
	CHECK_STR(show_item("[{a: 1, b: 2}, {c: 3}]"), "((a=1 & b=2) | c=3)");
	CHECK_STR(show_item("[{a: 1}, x]"), "(a=1 | =*'x'*)");
	CHECK_STR(show_item("[[x, y], [{a: 1}]]"), "(=*'x'* | =*'y'* | a=1)");
	CHECK_STR(show_item("foo"), "=*'foo'*");
	CHECK_STR(show_item("{f|contains: a, f|endswith: b, f: c}"), "(f=*'a'* & f=*'b' & f='c')");
	CHECK_STR(show_detection("a: {x: 1}\n'weird name.conf': {y: 2}\n\"b|c\": {z: 3}\ncondition: all of *"), "(x=1 & y=2 & z=3)");
}

/* DET-8: what is empty. */
TEST(empty)
{
	CHECK_STR(show_item("f: []"), "f=null");
	CHECK_STR(show_item("{}"), "!detection:6:9 an empty map says nothing; name a field, or remove it");
	CHECK_STR(show_item("[]"), "!detection:6:9 an empty list says nothing");
	CHECK_STR(show_item("'|all': []"), "!detection:6:9 an empty list of keywords matches nothing");
	CHECK_STR(show_detection("condition: a"), "!detection:5:5 no search identifier: there is nothing to look for");
	CHECK_STR(show_item("f: {g: 1}"), "!detection:6:12 a value is a text, number, true, false or null, not a map");
	CHECK_STR(show_item("f: [[1]]"), "!detection:6:13 a value is a text, number, true, false or null, not a list in a list");
}

/* DET-9 .. DET-12: keys. Names of fields are taken as they are. */
TEST(keys)
{
	CHECK_STR(show_item("{'|all': [x, y], f: 1}"), "(=*'x'* & =*'y'* & f=1)");
	CHECK_STR(show_item("'': x"), "=*'x'*");
	CHECK_STR(show_item("'|re': a.b"), "=/a.b/");
	CHECK_STR(show_item("User: a"), "User='a'");
	CHECK_STR(show_item("user.name: a"), "user.name='a'");
	CHECK_STR(show_item("cs-uri-query: a"), "cs-uri-query='a'");
	CHECK_STR(show_item("'f |contains': a"), "f =*'a'*");
}

/* KW-1 .. KW-4: keywords are searched as text. */
TEST(keywords)
{
	CHECK_STR(show_item("[0, 6]"), "(=*'0'* | =*'6'*)");
	CHECK_STR(show_item("[true, 1.5]"), "(=*'true'* | =*'1.5'*)");
	CHECK_STR(show_item("['a*b', 'c?']"), "(=*'a'*'b'* | =*'c'?*)");
	CHECK_STR(show_item("'|contains': a"), "=*'a'*");
	CHECK_STR(show_item("'|all': [200, b]"), "(=*'200'* & =*'b'*)");
	CHECK_STR(show_item("[null, a]"), "(=never | =*'a'*)");
	CHECK_STR(show_item("'|cased': A"), "=cased *'A'*");
	CHECK_STR(show_warnings("title: t\nlevel: low\nlogsource: {category: c}\ndetection:\n  s: [null, '*']\n  condition: s\n"),
		"5:7 null as a keyword never matches; 5:13 this keyword is in every event");
}

/* For explain and findings: the value as written, its place, the item and the search it stands in. */
TEST(places)
{
	struct rule_set *s = show_load("title: t\nlevel: low\nlogsource: {category: c}\ndetection:\n  a:\n    f|windash|contains:\n    - ' -X'\n    - y\n  b:\n  - k\n  condition: a or b\n");
	NEED(rule_set_count(s) == 1);
	const struct rule *r = rule_set_at(s, 0);
	NEED(r->n_items == 2 && r->n_searches == 2);
	CHECK(str_eq(r->items[0].key, STR("f|windash|contains")) && str_eq(r->items[0].field, STR("f")) && r->items[0].line == 6 && r->items[0].column == 5);
	CHECK(!r->items[1].key.n && !r->items[1].field.n && r->items[1].line == 10 && r->items[1].search == 1);
	const struct node *item = r->searches[0].tree;
	CHECK(item->item == 1 && item->n == 2 && item->children[0]->n == 5);
	const struct leaf *l = item->children[0]->children[1]->leaf;
	CHECK(str_eq(l->written, STR(" -X")) && l->line == 7 && l->column == 7 && l->search == 0);
	CHECK(r->searches[1].tree->item == 2 && r->searches[1].tree->leaf->search == 1);
	CHECK(r->condition->item == 0);
	rule_set_free(s);
}
TEST_MAIN
