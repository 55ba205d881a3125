/* The lint: each check speaks up where it should, and is silent on a rule that is right. */
#include "unit/rules_show.h"
#include "rules/lint.h"

#define HEAD "title: A title\nid: 929a690e-bef0-4204-a928-ef5e620d6fcc\nstatus: test\ndescription: d\nlevel: low\ntags: [attack.t1059]\n"
#define NETWORK "logsource: {product: windows, category: network_connection}\n"
#define WINDOWS "logsource: {product: windows, category: process_creation}\n"

/* "line:column level check; ..." of everything that is said. */
static const char *lint(const char *text)
{
	static struct buf b;
	struct fault f = FAULT_INIT;
	struct rule_set *s = show_load(text);
	struct taxonomy *t = taxonomy_new(&f);
	struct lint l = {0};
	NEED(t);
	lint_rules(&l, s, t);
	b.n = 0;
	for (size_t i = 0; i < l.n; i++) buf_printf(&b, "%s%u:%u %s %.*s", i ? "; " : "", l.v[i].line, l.v[i].column, lint_level_word(l.v[i].level), STR_FMT(l.v[i].check));
	buf_byte(&b, 0);
	CHECK(l.counts[0] + l.counts[1] + l.counts[2] == l.n);
	lint_done(&l);
	taxonomy_free(t);
	rule_set_free(s);
	return b.p;
}

static const char *detection(const char *section)
{
	static char text[4000];
	snprintf(text, sizeof text, HEAD WINDOWS "detection:\n%s", section);
	return lint(text);
}

TEST(silence)
{
	CHECK_STR(lint(HEAD WINDOWS "detection: {s: {Image|endswith: '\\a.exe', CommandLine|contains|all: [a, b]}, filter: {User: null}, condition: s and not filter}\n"), "");
}

TEST(metadata)
{
	CHECK_STR(lint("title: t\n" WINDOWS "detection: {s: {Image: x}, condition: s}\n"),
		"1:1 warning id-missing; 1:1 warning level-missing; 1:1 warning load; 1:1 note description-missing; 1:1 note status-missing; 1:1 note tag-attack");
	CHECK_STR(lint("title: t\nid: 929a690e-bef0-4204-a928-ef5e620d6fcc\nstatus: deprecated\ndescription: d\nlevel: high\ntags: [attack.execution, attack.executoin, Attack.x, nodot]\ndate: 2024/01/01\nmodified: 2024-13-01\n"
			"related: [{id: x, type: derived}, {type: similar}]\nfalsepositves: [a]\n" WINDOWS "detection: {s: {Image: x}, condition: s}\n"),
		"3:9 note status-retired; 5:8 note false-positives-missing; 6:26 warning tag-tactic; 6:44 warning tag-form; 6:54 warning tag-form; 7:7 note date; 8:11 note date; 9:35 note related; 10:1 warning key-unknown");
}

TEST(twice)
{
	CHECK_STR(lint(HEAD "name: n\n" WINDOWS "detection: {s: {Image: x}, condition: s}\n---\n" HEAD "name: n\n" WINDOWS "detection: {s: {Image: x}, condition: s}\n"),
		"11:1 warning title-twice; 12:1 error id-twice; 17:1 error name-twice");
}

TEST(refusals)
{
	CHECK_STR(detection("  s: {Image|endwith: x}\n  condition: s\n"), "9:13 error refused");
	CHECK_STR(detection("  s: {Image|expand: '%x%'}\n  condition: s\n"), "9:21 warning placeholder");
	CHECK_STR(detection("  s: {Image|contains: 5}\n  condition: s\n"), "9:7 warning load");
}

TEST(fields)
{
	CHECK_STR(detection("  s: {image: x, GrandParentImage: y, EventID: 1, SubjectUserName: z}\n  condition: s\n"), "9:7 warning field-unknown; 9:17 warning field-unknown");
	CHECK_STR(lint(HEAD "logsource: {product: windows, service: security}\ndetection: {s: {AnyField: x}, condition: s}\n"), "");
	CHECK_STR(lint(HEAD "logsource: {category: webserver}\ndetection: {s: {cs-uri-query: x, CommandLine: y}, condition: s}\n"), "8:34 warning field-unknown");
}

TEST(log_sources)
{
	CHECK_STR(lint(HEAD "logsource: {product: windows, service: securty}\ndetection: {s: {f: x}, condition: s}\n"), "7:1 warning logsource-unknown");
	CHECK_STR(lint(HEAD "logsource: {product: windows, category: process_creatoin}\ndetection: {s: {f: x}, condition: s}\n"), "7:1 warning logsource-unknown");
	CHECK_STR(lint(HEAD "logsource: {product: windows, category: file_access}\ndetection: {s: {Image: x}, condition: s}\n"), ""); /* known by its fields */
	CHECK_STR(lint(HEAD "logsource: {product: elsewhere}\ndetection: {s: {f: x}, condition: s}\n"), "");
}

TEST(event_ids)
{
	CHECK_STR(detection("  s: {EventID: [1, 4688, 11], Image: x}\n  condition: s\n"), "9:26 warning event-id");
	CHECK_STR(detection("  s: {Image: x}\n  filter: {EventID: 11}\n  condition: s and not filter\n"), "");
	CHECK_STR(detection("  s: {EventID|neq: 11}\n  condition: s\n"), "1:1 note negative");
	CHECK_STR(detection("  s: {EventID: abc}\n  condition: s\n"), "9:16 warning never-matches");
	CHECK_STR(detection("  s: {EventID: '46*'}\n  condition: s\n"), "");
}

/* What one AND asks of one field. */
TEST(contradictions)
{
	static const char *const never[] = {
		"{Image|all: [a, b]}", "{Image: a, Image|startswith: b}", "{Image|startswith|all: ['C:\\a', 'D:\\b']}", "{Image|endswith|all: ['\\a.exe', '\\b.exe']}",
		"{Image: abc, Image|startswith: abcd}", "{ProcessId: 1, ProcessId|all: [2, 2]}", "{ProcessId|gt: 5, ProcessId|lt: 5}", "{ProcessId|gte: 6, ProcessId|lte: 5}",
		"{Image: null, Image|contains: a}", "{Image|exists: false, Image|contains: a}",
	};
	static const char *const fine[] = {
		"{Image|contains|all: [a, b]}", "{Image|startswith: 'C:\\', Image|endswith: '.exe'}", "{Image|startswith|all: ['C:\\', 'C:\\a']}", "{Image|endswith|all: [exe, '.exe']}",
		"{Image: abc, Image|endswith: bc}", "{ProcessId|gte: 5, ProcessId|lte: 5}", "{Image: [a, b]}", "{Image|cased: a, Image|startswith: b}", "{Image: a, User: b}", "{Image: 'a*', Image|endswith: b}",
	};
	char section[300];
	for (size_t i = 0; i < COUNT(never); i++) {
		snprintf(section, sizeof section, "  s: %s\n  condition: s\n", never[i]);
		CHECK(strstr(detection(section), "warning never-matches"));
	}
	for (size_t i = 0; i < COUNT(fine); i++) {
		snprintf(section, sizeof section, "  s: %s\n  condition: s\n", fine[i]);
		CHECK_STR(detection(section), "");
	}
	CHECK_STR(detection("  s: [null]\n  condition: s\n"), "9:7 warning load; 9:7 warning never-matches");
}

TEST(stars)
{
	CHECK_STR(detection("  s: {Image: 'C:\\Windows\\*'}\n  condition: s\n"), "9:14 note literal-star");
	CHECK_STR(detection("  s: {Image: 'C:\\Windows\\\\*'}\n  condition: s\n"), "");
	CHECK_STR(detection("  s: {Image: 'C:\\Windows\\\\\\*'}\n  condition: s\n"), "");
}

TEST(conditions)
{
	CHECK_STR(detection("  s: {Image: a}\n  t: {Image: b}\n  condition: s\n"), "10:3 warning search-unused");
	CHECK_STR(detection("  s1: {Image: a}\n  s2: {Image: b}\n  condition: 1 of s*\n"), "");
	CHECK_STR(detection("  s: {Image: a}\n  condition: not s\n"), "1:1 note negative");
	CHECK_STR(detection("  s: {Image: a}\n  t: {User: b}\n  condition: s and not t\n"), "");
}

TEST(regexes)
{
	CHECK_STR(detection("  s: {Image|re: 'abc(?=d)'}\n  condition: s\n"), "9:17 warning regex-backtracking");
	CHECK_STR(detection("  s: {Image|re: '[a-f]{8}'}\n  condition: s\n"), "9:17 note regex-slow");
	CHECK_STR(detection("  s: {Image|re: 'abc[0-9]+'}\n  condition: s\n"), "");
}

/* As the command prints it: place, line, caret below it, controls inert. */
TEST(shown)
{
	struct lint_message m = {STR("a\033[31m.yml"), 3, 8, LINT_WARNING, STR("load"), STR("say \a"), STR("  \xc3\xa4" "b: x\tz")};
	struct buf b = {0};
	lint_show(&m, &b);
	buf_byte(&b, 0);
	CHECK_STR(b.p, "a\\e[31m.yml:3:8: warning: say \\x07 [load]\n      \xc3\xa4" "b: x\\tz\n          ^\n");
	buf_done(&b);
	enum lint_level level;
	CHECK(lint_level_parse(STR("note"), &level) && level == LINT_NOTE && !lint_level_parse(STR("notes"), &level));
}

/* A condition that excludes what it asks for, outright or by what its searches say. */
TEST(conditions_against_themselves)
{
	CHECK_STR(detection("  a: {Image|endswith: x}\n  condition: a and not a\n"), "10:3 warning never-matches");
	CHECK_STR(detection("  a: {Image|endswith: x, User: y}\n  filter: {Image|endswith: [z, X]}\n  condition: a and not filter\n"), "11:3 warning never-matches");
	CHECK_STR(detection("  a: {Image|endswith: x}\n  filter: {Image|endswith: x, User: y}\n  condition: a and not filter\n"), "");
	CHECK_STR(detection("  a: {Image|endswith: [x, y]}\n  filter: {Image|endswith: x}\n  condition: a and not filter\n"), "");
	CHECK_STR(detection("  a: {Image|endswith: x}\n  filter: {Image|endswith|cased: x}\n  condition: a and not filter\n"), "");
}

/* Demands on one field that no value meets: texts, numbers, networks, empty; lists as a whole; each demand once. */
TEST(demands)
{
	CHECK_STR(detection("  a: {User|endswith: [x, y], User: [ab, cd]}\n  condition: a\n"), "9:37 warning never-matches");
	CHECK_STR(detection("  a: {User|endswith: [x, y], User: [ab, cx]}\n  condition: a\n"), "");
	CHECK_STR(detection("  a: {ProcessId: [1, 2], ProcessId|gt: 5}\n  b: {ProcessId: [1, 6], ProcessId|gt: 5}\n  c: {ProcessId|lte: 5, ProcessId|gte: 5}\n  condition: 1 of them\n"), "9:40 warning never-matches");
	CHECK_STR(detection("  a: {User: '', User|contains: x}\n  b: {User: '', User|contains: ''}\n  condition: 1 of them\n"), "9:32 warning never-matches");
	CHECK_STR(detection("  a: {User: a, User|startswith: b, User|endswith: c}\n  condition: a\n"), "9:33 warning never-matches; 9:51 warning never-matches");
	CHECK_STR(lint(HEAD NETWORK "detection: {a: {SourceIp|cidr: 10.0.0.0/8, SourceIp: [192.168.1.1, '::1']}, b: {SourceIp|cidr: [10.0.0.0/8, '::/0'], SourceIp: '::1'}, condition: a or b}\n"),
		"8:55 warning never-matches");
	CHECK_STR(lint(HEAD NETWORK "detection: {a: {DestinationPort: 70000, Initiated: maybe, UtcTime|hour|gt: 23, UtcTime|minute|lt: 1}, b: {Initiated: 'True', DestinationPort: 65535}, condition: a or b}\n"),
		"8:34 warning never-matches; 8:52 warning never-matches; 8:76 warning never-matches");
}

#define LINUX "logsource: {product: linux, category: process_creation}\n"
#define REGISTRY "logsource: {product: windows, category: registry_set}\n"
TEST(values)
{
	CHECK_STR(detection("  a: {Image|endswith: [x, y, X]}\n  condition: a\n"), "9:30 note value-twice");
	CHECK_STR(detection("  a: {Image|endswith|cased: [x, X]}\n  condition: a\n"), "");
	CHECK_STR(detection("  a: {CommandLine|base64offset|contains: [Abcd, abcd, Abcd]}\n  condition: a\n"), "9:55 note value-twice");
	CHECK_STR(detection("  a: {Image|contains|windash: foo}\n  condition: a\n"), "9:31 note windash-idle");
	CHECK_STR(detection("  a: {CommandLine|re: '.*foo'}\n  b: {CommandLine|re: 'foo.*'}\n  c: {CommandLine|re: '.*?foo\\.*'}\n  condition: 1 of them\n"), "9:23 note regex-idle; 10:23 note regex-idle");
	CHECK_STR(detection("  a: {Image: cmd.exe}\n  b: {Image|endswith: /cmd.exe}\n  c: {Image: System}\n  condition: 1 of them\n"), "9:14 warning path-form; 10:23 warning path-form");
	CHECK_STR(lint(HEAD LINUX "detection: {s: {Image|endswith: '\\bash'}, condition: s}\n"), "8:33 warning path-form");
	CHECK_STR(lint(HEAD REGISTRY "detection: {s: {TargetObject: ['HKEY_LOCAL_MACHINE\\a', 'HKCU\\a', 'HKCR\\a', '*\\HKEY_x']}, condition: s}\n"), "8:32 warning never-matches; 8:56 warning never-matches");
}

/* Every check that is named exists, and the published rules are nearly free of messages. */
TEST(corpus)
{
	const char *corpora = check_corpora();
	struct fault f = FAULT_INIT;
	struct lint l = {0};
	char path[5000];
	if (!corpora) SKIP("corpora are not here");
	struct rule_set *s = rule_set_new();
	snprintf(path, sizeof path, "%s/sigma/rules", corpora);
	NEED(rule_set_add_path(s, path, &f));
	rule_set_finish(s);
	struct taxonomy *t = taxonomy_new(&f);
	lint_rules(&l, s, t);
	CHECK(l.counts[LINT_ERROR] == 0 && l.n < 100);
	for (size_t i = 0; i < l.n; i++) {
		bool named = false;
		for (size_t k = 0; lint_checks[k].name; k++) named |= str_eq(l.v[i].check, str_of(lint_checks[k].name));
		CHECK(named);
	}
	lint_done(&l);
	taxonomy_free(t);
	rule_set_free(s);
}
TEST_MAIN
