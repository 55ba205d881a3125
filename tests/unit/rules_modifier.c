/* Every modifier, the chains that are legal and those that are not. */
#include "unit/rules_show.h"

#define REFUSED(item, reason) CHECK_STR(show_item(item), "!modifier:" reason)

TEST(names)
{
	REFUSED("f|Contains: a", "6:11 modifier 'Contains' does not exist; did you mean 'contains'?");
	REFUSED("f|endwith: a", "6:11 modifier 'endwith' does not exist; did you mean 'endswith'?");
	REFUSED("f|contains|nosuchthing: a", "6:20 modifier 'nosuchthing' does not exist");
	REFUSED("f||contains: a", "6:11 modifier '' is empty: a '|' too much");
	REFUSED("f|: a", "6:11 modifier '' is empty: a '|' too much");
	REFUSED("'f|contains ': a", "6:12 modifier 'contains ' does not exist; did you mean 'contains'?");
	CHECK_STR(show_item("f|contains : a"), "f=*'a'*");
}

TEST(text)
{
	CHECK_STR(show_item("f|contains: [a, b]"), "(f=*'a'* | f=*'b'*)");
	CHECK_STR(show_item("f|contains: 5"), "f=*'5'*");
	CHECK_STR(show_item("f|endswith: 1.5"), "f=*'1.5'");
	REFUSED("f|contains: true", "6:11 modifier 'contains' does not apply to a boolean");
	REFUSED("f|contains: null", "6:11 modifier 'contains' does not apply to null");
	REFUSED("f|startswith: []", "6:11 modifier 'startswith' does not apply to null");
	REFUSED("f|cidr|contains: 10.0.0.0/8", "6:16 modifier 'contains' does not apply to a network, behind 'cidr'");
}

TEST(all)
{
	CHECK_STR(show_item("f|all: [a, b]"), "(f='a' & f='b')");
	CHECK_STR(show_item("f|all|contains: [a, b]"), "(f=*'a'* & f=*'b'*)");
	CHECK_STR(show_item("f|contains|all: a"), "f=*'a'*");
	CHECK_STR(show_warnings("title: t\nlevel: low\nlogsource: {category: c}\ndetection:\n  s:\n    f|contains|all: a\n  condition: s\n"),
		"6:5 'all' has no effect on a single value");
}

/* Variants of one value stay alternatives under `all`. */
TEST(all_with_expansion)
{
	CHECK_STR(show_item("f|windash|all: [-a, b]"), "((f='-a' | f='/a' | f='–a' | f='—a' | f='―a') & f='b')");
	CHECK_STR(show_item("f|base64offset|contains|all: [abc, abd]"),
		"((f=*'ywjj'* | f=*'fiy'* | f=*'hym'*) & (f=*'ywjk'* | f=*'fiz'* | f=*'hym'*))"); /* folded */
}

TEST(neq)
{
	CHECK_STR(show_item("f|neq: a"), "!f='a'");
	CHECK_STR(show_item("f|neq: [a, b]"), "!(f='a' | f='b')");
	CHECK_STR(show_item("f|neq|all: [a, b]"), "!(f='a' & f='b')");
	CHECK_STR(show_item("f|neq|neq: a"), "!f='a'");
	CHECK_STR(show_item("f|contains|neq: a"), "!f=*'a'*");
	CHECK_STR(show_item("f|re|neq: a"), "!f=/a/");
	CHECK_STR(show_item("f|cidr|neq: 10.0.0.0/8"), "!f=0a000000/8");
	CHECK_STR(show_item("f|gt|neq: 5"), "!f>5");
	CHECK_STR(show_item("f|hour|neq: 5"), "!f=hour=5");
	CHECK_STR(show_item("f|fieldref|neq: g"), "!f=ref g");
	CHECK_STR(show_item("f|exists|neq: true"), "!f=exists true");
	CHECK_STR(show_item("f|neq: null"), "!f=null");
	REFUSED("f|neq|re: a", "6:15 modifier 're' must come first");
	REFUSED("f|neq|cidr: 10.0.0.0/8", "6:15 modifier 'cidr' must come first, or behind 'expand'");
	REFUSED("f|neq|exists: true", "6:15 modifier 'exists' must come first");
}

TEST(exists)
{
	CHECK_STR(show_item("f|exists: true"), "f=exists true");
	CHECK_STR(show_item("f|exists: false"), "f=exists false");
	REFUSED("f|exists: 'true'", "6:19 exists takes true or false (without quotes), not 'true'");
	REFUSED("f|exists: 1", "6:19 exists takes true or false (without quotes), not '1'");
	REFUSED("f|contains|exists: true", "6:11 modifier 'contains' does not apply to a boolean");
	REFUSED("f|exists|contains: true", "6:18 modifier 'contains' does not apply to exists, behind 'exists'");
	REFUSED("'|exists': true", "6:11 modifier 'exists' needs a field");
}

TEST(cased)
{
	CHECK_STR(show_item("f|cased|contains: A"), "f=cased *'A'*");
	CHECK_STR(show_item("f|windash|cased: -A"), "(f=cased '-A' | f=cased '/A' | f=cased '–A' | f=cased '—A' | f=cased '―A')");
	CHECK_STR(show_item("f|cased|windash: -A"), "(f=cased '-A' | f=cased '/A' | f=cased '–A' | f=cased '—A' | f=cased '―A')");
	REFUSED("f|cased|re: a", "6:17 modifier 're' must come first");
	REFUSED("f|re|cased: a", "6:14 modifier 'cased' does not apply to a regular expression, behind 're'");
	REFUSED("f|fieldref|cased: g", "6:20 modifier 'cased' does not apply to a field reference, behind 'fieldref'");
}

TEST(windash)
{
	CHECK_STR(show_item("f|windash: a-b"), "f='a-b'");
	CHECK_STR(show_item("f|windash: '--a'"), "(f='--a' | f='-/a' | f='-–a' | f='-—a' | f='-―a')");
	CHECK_STR(show_item("f|windash: 'c:/x'"), "(f='c:-x' | f='c:/x' | f='c:–x' | f='c:—x' | f='c:―x')");
	CHECK_STR(show_item("f|windash: '– a'"), "f='– a'");
	CHECK_STR(show_item("f|windash: '–a'"), "(f='-a' | f='/a' | f='–a' | f='—a' | f='―a')");
	CHECK_STR(show_item("f|windash: 'é-a'"), "f='é-a'");
	CHECK_STR(show_item("f|windash: '“-a'"), "(f='“-a' | f='“/a' | f='“–a' | f='“—a' | f='“―a')");
	CHECK_STR(show_item("f|windash: '*-*a'"), "f=*'-'*'a'");
	/* Both sides of a wildcard: all 25. */
	const char *both = show_item("f|windash: -a*-b");
	unsigned n = 1;
	for (const char *p = both; (p = strchr(p, '|')); p++) n++;
	CHECK(n == 25);
	CHECK(strstr(both, "f='/a'*'-b'") && strstr(both, "f='-a'*'/b'"));
	CHECK_STR(show_item("f|windash: ' -a -b -c -d -e -f'"), "!limit:6:20 windash on a value with more than 5 options; split the value");
	REFUSED("f|re|windash: -a", "6:14 modifier 'windash' does not apply to a regular expression, behind 're'");
}

TEST(re)
{
	CHECK_STR(show_item("f|re: 'a\\*b*'"), "f=/a\\*b*/");
	CHECK_STR(show_item("f|re: 5"), "f=/5/");
	CHECK_STR(show_item("f|re|i|m|s: a"), "f=/a/ims");
	CHECK_STR(show_item("f|re|ignorecase|multiline|dotall: a"), "f=/a/ims");
	CHECK_STR(show_item("f|re|all: [a, b]"), "(f=/a/ & f=/b/)");
	CHECK_STR(show_item("f|re|contains: a"), "f=/a/");
	REFUSED("f|i: a", "6:11 modifier 'i' only stands behind 're'");
	REFUSED("f|contains|re: a", "6:20 modifier 're' must come first");
	REFUSED("f|all|re: [a, b]", "6:15 modifier 're' must come first");
	REFUSED("f|re: null", "6:11 modifier 're' does not apply to null");
	CHECK(strstr(show_item("f|re: '(a'"), "!regex:6:1"));
	CHECK(strstr(show_item("f|re: 'a\\'"), "!regex:6:1"));
}

TEST(base64)
{
	CHECK_STR(show_item("f|base64|cased: foobar"), "f=cased 'Zm9vYmFy'");
	CHECK_STR(show_item("f|base64|cased: ab"), "f=cased 'YWI='");
	CHECK_STR(show_item("f|base64: AB"), "f='qui='");
	CHECK_STR(show_item("f|base64|cased|contains: abc"), "f=cased *'YWJj'*");
	CHECK_STR(show_item("f|base64|base64|cased: a"), "f=cased 'WVE9PQ=='");
	CHECK_STR(show_item("f|base64|cased: 'a\\*b'"), "f=cased 'YSpi'");
	CHECK_STR(show_item("f|wide|base64|cased: ab"), "f=cased 'YQBiAA=='");
	CHECK_STR(show_item("f|utf16le|base64|cased: ab"), "f=cased 'YQBiAA=='");
	CHECK_STR(show_item("f|utf16be|base64|cased: ab"), "f=cased 'AGEAYg=='");
	CHECK_STR(show_item("f|utf16|base64|cased: ab"), "f=cased '//5hAGIA'");
	CHECK_STR(show_item("f|wide|base64|cased: ä€😀"), "f=cased '5ACsID3YAN4='");
	REFUSED("f|base64: a*", "6:19 modifier 'base64': the value must not hold wildcards (write \\* for a star)");
	REFUSED("f|contains|base64: abc", "6:20 modifier 'base64' must stand before contains, startswith and endswith");
	REFUSED("f|base64: 5", "6:11 modifier 'base64' does not apply to a number");
	REFUSED("f|utf16|wide: a", "6:17 modifier 'wide' needs text; it must stand before other encodings");
}

TEST(base64offset)
{
	CHECK_STR(show_item("f|base64offset|cased: foobar"), "(f=cased 'Zm9vYmFy' | f=cased 'Zvb2Jhc' | f=cased 'mb29iYX')");
	CHECK_STR(show_item("f|base64offset|cased: abc"), "(f=cased 'YWJj' | f=cased 'FiY' | f=cased 'hYm')");
	CHECK_STR(show_item("f|base64offset|cased: Test"), "(f=cased 'VGVzd' | f=cased 'Rlc3' | f=cased 'UZXN0')");
	CHECK_STR(show_item("f|base64offset|cased: ä"), "(f=cased 'w6' | f=cased 'Ok' | f=cased 'Dp')");
	CHECK_STR(show_item("f|base64offset|cased: a"), "(f=cased 'Y' | f=cased 'h')");
	REFUSED("f|base64offset: ''", "6:25 base64offset: the value is too short to leave anything fixed");
}

TEST(cidr)
{
	CHECK_STR(show_item("f|cidr: 10.0.0.0/8"), "f=0a000000/8");
	CHECK_STR(show_item("f|cidr: 192.168.1.1"), "f=c0a80101/32");
	CHECK_STR(show_item("f|cidr: 0.0.0.0/0"), "f=00000000/0");
	CHECK_STR(show_item("f|cidr: 'fe80::/10'"), "f=fe800000000000000000000000000000/10");
	CHECK_STR(show_item("f|cidr: '::1'"), "f=00000000000000000000000000000001/128");
	CHECK_STR(show_item("f|cidr: '::/0'"), "f=00000000000000000000000000000000/0");
	CHECK_STR(show_item("f|cidr: '2001:DB8:0:0:1::1'"), "f=20010db8000000000001000000000001/128");
	CHECK_STR(show_item("f|cidr: '1:2:3:4:5:6:7:8'"), "f=00010002000300040005000600070008/128");
	CHECK_STR(show_item("f|cidr: '::ffff:10.0.0.1'"), "f=00000000000000000000ffff0a000001/128");
	CHECK_STR(show_item("f|cidr|all: [10.0.0.0/8, 10.1.0.0/16]"), "(f=0a000000/8 & f=0a010000/16)");
	REFUSED("f|cidr: 10.0.0.1/8", "6:17 '10.0.0.1/8' has bits set behind its prefix; write the address of the network");
	static const char *const bad[] = {"10.*", "10.0.0", "10.0.0.0.0", "10.0.0.256", "010.0.0.0", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7::8", "12345::", ":1::2", "1:", "::1%eth0", "''", "a"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		char item[100];
		snprintf(item, sizeof item, strchr(bad[i], '\'') ? "f|cidr: %s" : "f|cidr: '%s'", bad[i]);
		CHECK(strstr(show_item(item), "is no address or network; write 10.0.0.0/8 or fe80::/10"));
	}
	CHECK(strstr(show_item("f|cidr: 10.0.0.0/33"), "has no prefix from 0 to 32"));
	CHECK(strstr(show_item("f|cidr: '::/129'"), "has no prefix from 0 to 128"));
	CHECK(strstr(show_item("f|cidr: 10.0.0.0/"), "has no prefix from 0 to 32"));
	REFUSED("f|cidr: 5", "6:11 modifier 'cidr' does not apply to a number");
}

TEST(compare)
{
	CHECK_STR(show_item("f|gt: 5"), "f>5");
	CHECK_STR(show_item("f|gte: -5"), "f>=-5");
	CHECK_STR(show_item("f|lt: 1.5"), "f<1.5");
	CHECK_STR(show_item("f|lte: '7'"), "f<=7");
	CHECK_STR(show_item("f|gt: 123456789012345678901234567890"), "f>1.23456789012346e+29");
	CHECK_STR(show_item("f|gt: [5, 10]"), "(f>5 | f>10)");
	CHECK_STR(show_item("f|gt|all: [5, 10]"), "(f>5 & f>10)");
	REFUSED("f|gt: abc", "6:15 modifier 'gt' needs a number, not 'abc'");
	REFUSED("f|gt|lt: 5", "6:14 modifier 'lt' is a second comparison");
	REFUSED("f|contains|gt: a", "6:20 modifier 'gt' does not apply to text, behind 'contains'");
	REFUSED("f|gt: true", "6:15 modifier 'gt' needs a number, not 'true'");
	REFUSED("f|gt: null", "6:15 modifier 'gt' needs a number, not 'null'");
}

TEST(fieldref)
{
	CHECK_STR(show_item("f|fieldref: g"), "f=ref g");
	CHECK_STR(show_item("f|fieldref: [g, h]"), "(f=ref g | f=ref h)");
	CHECK_STR(show_item("f|fieldref|startswith: g.h"), "f=ref starts g.h");
	CHECK_STR(show_item("f|fieldref|endswith: g"), "f=ref ends g");
	CHECK_STR(show_item("f|fieldref|contains: g"), "f=ref contains g");
	REFUSED("f|fieldref: g*", "6:21 modifier 'fieldref': the value must not hold wildcards (write \\* for a star)");
	REFUSED("f|contains|fieldref: g", "6:20 modifier 'fieldref' must stand before contains, startswith and endswith");
	REFUSED("f|fieldref: 5", "6:11 modifier 'fieldref' does not apply to a number");
	REFUSED("f|fieldref: ''", "6:21 fieldref needs the name of a field");
	REFUSED("'|fieldref': g", "6:11 modifier 'fieldref' needs a field");
}

TEST(time_parts)
{
	CHECK_STR(show_item("f|minute: 0"), "f=minute=0");
	CHECK_STR(show_item("f|hour|gte: 20"), "f=hour>=20");
	CHECK_STR(show_item("f|day|lt: 31"), "f=day<31");
	CHECK_STR(show_item("f|week: 53"), "f=week=53");
	CHECK_STR(show_item("f|month: [1, 12]"), "(f=month=1 | f=month=12)");
	CHECK_STR(show_item("f|year|gt: 2020"), "f=year>2020");
	REFUSED("f|minute: 60", "6:19 modifier 'minute' takes 0 to 59");
	REFUSED("f|hour: 24", "6:17 modifier 'hour' takes 0 to 23");
	REFUSED("f|day: 0", "6:16 modifier 'day' takes 1 to 31");
	REFUSED("f|week: 54", "6:17 modifier 'week' takes 1 to 53");
	REFUSED("f|month: 13", "6:18 modifier 'month' takes 1 to 12");
	REFUSED("f|minute: '5'", "6:19 modifier 'minute' takes a whole number, not '5'");
	REFUSED("f|hour: 5.5", "6:17 modifier 'hour' takes a whole number, not '5.5'");
	REFUSED("f|gte|hour: 5", "6:15 modifier 'hour' must stand before the comparison");
	REFUSED("f|hour|gt|lt: 5", "6:19 modifier 'lt' is a second comparison");
	REFUSED("'|hour': 5", "6:11 modifier 'hour' needs a field");
}

/* --- expand ------------------------------------------------------------------------------------------------------- */

static const char *expanded(const char *item)
{
	static struct buf b;
	char path[] = "/tmp/exhibit-placeholders-XXXXXX", text[2000];
	struct fault f = FAULT_INIT;
	FILE *out = fdopen(mkstemp(path), "w");
	fputs("one: A\ntwo: [a, 'b*']\n'%net%': [10.0.0.0/8, 192.168.0.0/16]\nnone: []\nwild: 'x.y?'\n\"DC-NAME\": 'dc$'\n", out);
	fclose(out);
	struct rule_set *s = rule_set_new();
	NEED(rule_set_placeholders(s, path, &f));
	unlink(path);
	snprintf(text, sizeof text, "title: t\nlogsource: {category: c}\ndetection:\n    sel:\n        %s\n    condition: sel\n", item);
	rule_set_add_text(s, str_of(text), STR("t.yml"));
	rule_set_finish(s);
	b.n = 0;
	show_set(&b, s);
	rule_set_free(s);
	return b.p;
}

TEST(expand)
{
	CHECK_STR(expanded("f|expand: '%one%'"), "f='a'");
	CHECK_STR(expanded("f|expand: '%two%'"), "(f='a' | f='b'*)");
	CHECK_STR(expanded("f|expand: 'x%two%y'"), "(f='xay' | f='xb'*'y')");
	CHECK_STR(expanded("f|expand: '%one%%two%'"), "(f='aa' | f='ab'*)");
	CHECK_STR(expanded("f|expand|contains: '%two%'"), "(f=*'a'* | f=*'b'*)");
	CHECK_STR(expanded("f|contains|expand: '%two%'"), "(f=*'a'* | f=*'b'*)");
	CHECK_STR(expanded("f|expand|all: ['%two%', c]"), "((f='a' | f='b'*) & f='c')");
	CHECK_STR(expanded("f|cased|expand: '%one%'"), "f=cased 'A'");
	CHECK_STR(expanded("f|expand|windash: '-%one%'"), "(f='-a' | f='/a' | f='–a' | f='—a' | f='―a')");
	CHECK_STR(expanded("f|expand|base64|cased: '%one%'"), "f=cased 'QQ=='");
	CHECK_STR(expanded("f|expand|cidr: '%net%'"), "(f=0a000000/8 | f=c0a80000/16)");
	CHECK_STR(expanded("f|expand: '%DC-NAME%'"), "f='dc$'");
	CHECK_STR(expanded("f|re|expand: '^%wild%$'"), "f=/^x\\.y.$/");
	CHECK_STR(expanded("f|re|expand: '%two%-%one%'"), "(f=/a-A/ | f=/b.*-A/)");
	/* What is no placeholder. */
	CHECK_STR(expanded("f: '%one%'"), "f='%one%'");
	CHECK_STR(expanded("f|expand: 'no'"), "f='no'");
	CHECK_STR(expanded("f|expand: '100%'"), "f='100%'");
	CHECK_STR(expanded("f|expand: 'a%%b'"), "f='a%%b'");
	CHECK_STR(expanded("f|expand: '\\%one%two%'"), "(f='%onea' | f='%oneb'*)");
	CHECK_STR(expanded("f|expand: '\\\\%one%'"), "f='\\a'");
	CHECK_STR(expanded("f|expand: 5"), "!modifier:5:11 modifier 'expand' does not apply to a number");
}

/* PH-3: what has no value is refused, by name. */
TEST(unresolved)
{
	CHECK_STR(expanded("f|expand: '%nobody%'"), "!placeholder:5:19 placeholder %nobody% has no value; give one with --placeholders FILE.yml");
	CHECK_STR(expanded("f|re|expand: '%nobody%'"), "!placeholder:5:22 placeholder %nobody% has no value; give one with --placeholders FILE.yml");
	CHECK_STR(expanded("f|expand: '%none%'"), "!placeholder:5:19 placeholder %none% has an empty list of values");
	CHECK_STR(show_item("f|expand: '%one%'"), "!placeholder:6:19 placeholder %one% has no value; give one with --placeholders FILE.yml");
	REFUSED("f|base64|expand: '%one%'", "6:11 modifier 'base64' must stand behind expand");
}

/* The chains that pySigma accepts: none is refused here. */
TEST(legal_chains)
{
	static const char *const texts[] = {"contains", "startswith", "endswith"}, *const others[] = {"windash", "cased", "all", "neq"};
	char item[200];
	for (size_t t = 0; t < COUNT(texts); t++)
		for (size_t o = 0; o < COUNT(others); o++) {
			snprintf(item, sizeof item, "f|%s|%s: [a, b]", texts[t], others[o]);
			CHECK(!strchr(show_item(item), ':'));
			snprintf(item, sizeof item, "f|%s|%s: [a, b]", others[o], texts[t]);
			CHECK(!strchr(show_item(item), ':'));
		}
	static const char *const chains[] = {"wide|base64|contains|all", "wide|base64offset|contains", "utf16be|base64offset|contains", "base64|base64", "windash|base64",
		"re|i|m|s|all", "re|neq", "re|startswith", "fieldref|contains|neq", "fieldref|startswith|all"};
	for (size_t i = 0; i < COUNT(chains); i++) {
		snprintf(item, sizeof item, "f|%s: [ab, cd]", chains[i]);
		CHECK(!strchr(show_item(item), ':'));
	}
}
TEST_MAIN
