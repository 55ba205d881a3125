/* The native detectors, step by step: what each raises, and the look-alike that it must not. Times are seconds from the kit's base. */
#include "tests/check.h"
#include "tests/correlate_kit.h"
#include "correlate/detect.h"

static const char attempts[] = "title: a\nid: " RULE_OF_ATTEMPTS "\nlogsource: {category: authentication}\ndetection: {s: {auth.outcome: [failure, success]}, condition: s}\n";
enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

struct site {
	struct kit k;
	uint64_t record;
	struct known_sources *known;
	struct buf extra; /* of each finding: its extra_json, a line */
	uint32_t findings;
};

static void put(void *arg, const struct finding *f, bool final)
{
	struct site *s = arg;
	if (!final) {
		s->k.n_opened++;
		return;
	}
	kit_line(&s->k.closed, f);
	buf_str(&s->extra, f->extra_json);
	buf_byte(&s->extra, '\n');
	s->findings++;
	CHECK(f->rule && f->rule_index >= DETECTOR_RULE && f->n_evidence && f->rule->n_tags);
	for (uint32_t i = 1; i < f->n_evidence; i++) CHECK(f->evidence[i - 1].offset < f->evidence[i].offset); /* in order, none twice */
}

static void begin(struct site *s, size_t memory, const char *known)
{
	struct fault fault = FAULT_INIT;
	struct rule_set *rules = rule_set_new();
	rule_set_add_text(rules, STR(attempts), STR("test"));
	rule_set_finish(rules);
	NEED(rule_set_count(rules) == 1);
	CHECK(!rule_set_at(rules, 0)->report);
	if (known) NEED(s->known = known_sources_new(str_of(known), STR("known"), &fault));
	struct correlate_options o = {.state_memory = memory, .detectors = true, .announce = true, .known_sources = s->known, .put = put, .arg = s};
	s->k.rules = rules;
	NEED(s->k.c = correlate_new(rules, &o, &fault));
}

static void login_at(struct site *s, double at, const char *outcome, const char *address, const char *user, const char *service)
{
	uint32_t n;
	const struct str *keep = correlate_keep(s->k.c, 0, &n);
	struct str values[8];
	NEED(n <= 8);
	for (uint32_t i = 0; i < n; i++) {
		values[i] = (struct str){NULL, 0};
		if (str_eq(keep[i], STR("auth.outcome"))) values[i] = str_of(outcome);
		if (str_eq(keep[i], STR("auth.src_ip"))) values[i] = str_of(address);
		if (str_eq(keep[i], STR("auth.user"))) values[i] = str_of(user);
		if (str_eq(keep[i], STR("auth.service"))) values[i] = str_of(service);
	}
	struct evidence_ref e = kit_record(++s->record);
	int64_t whole = (int64_t)at;
	correlate_hit(s->k.c, &(struct corr_event){.time = etime_from_unix(KIT_BASE + whole, (uint32_t)((at - (double)whole) * 1e9), 0), .evidence = &e, .n_evidence = 1,
		.values = values, .n_values = n, .host = STR("gate1")});
}

static void login(struct site *s, double at, const char *outcome, const char *address, const char *user) { login_at(s, at, outcome, address, user, "sshd"); }
static void fail(struct site *s, double at, const char *address, const char *user) { login(s, at, "failure", address, user); }
static void enter(struct site *s, double at, const char *address, const char *user) { login(s, at, "success", address, user); }
/* The number in place of '#'. */
static const char *number(const char *pattern, int i)
{
	static char ring[4][64];
	static unsigned at;
	char *p = ring[at++ % 4];
	size_t before = strcspn(pattern, "#");
	snprintf(p, sizeof ring[0], "%.*s%d%s", (int)before, pattern, i, pattern + before + 1);
	return p;
}

static void end(struct site *s)
{
	correlate_finish(s->k.c);
	buf_byte(&s->k.closed, 0);
	buf_byte(&s->extra, 0);
	if (getenv("SHOW")) printf("# %s# %s", s->k.closed.p, s->extra.p);
}
static bool found(const struct site *s, const char *what) { return strstr(s->k.closed.p, what) != NULL; }
static bool said(const struct site *s, const char *what) { return strstr(s->extra.p, what) != NULL; }
static void done(struct site *s)
{
	kit_end(&s->k);
	buf_done(&s->extra);
	known_sources_free(s->known);
}

/* Logins of a day, of addresses of every kind: some loud, some that get in, networks, IPv6, and what is none. One by one, or many at once. */
static void a_day(struct site *s, bool many)
{
	enum { LOGINS = 3000, PIECE = 50 };
	static struct corr_event events[PIECE];
	static struct str values[PIECE][8];
	static struct evidence_ref evidence[PIECE];
	static char texts[PIECE][2][64];
	uint32_t n, filled = 0;
	const struct str *keep = correlate_keep(s->k.c, 0, &n);
	NEED(n <= 8);
	for (uint32_t i = 0; i < LOGINS; i++) {
		uint32_t r = i * 2654435761u >> 8;
		char *address = texts[filled][0], *user = texts[filled][1];
		snprintf(address, 64, r % 7 == 0 ? "2001:db8:%u::%u" : r % 7 == 1 ? "no address %u%u" : r % 7 < 4 ? "203.0.%u.%u" : "10.%u.7.%u", r / 7 % 5, r / 64 % 200);
		snprintf(user, 64, r % 3 ? "User%u" : "CORP\\user%u", r / 512 % 40);
		for (uint32_t v = 0; v < n; v++) {
			values[filled][v] = (struct str){NULL, 0};
			if (str_eq(keep[v], STR("auth.outcome"))) values[filled][v] = r % 11 == 0 ? STR("success") : r % 11 == 1 ? STR("probe") : STR("failure");
			if (str_eq(keep[v], STR("auth.src_ip"))) values[filled][v] = str_of(address);
			if (str_eq(keep[v], STR("auth.user"))) values[filled][v] = str_of(user);
			if (str_eq(keep[v], STR("auth.service"))) values[filled][v] = r % 2 ? STR("sshd") : STR("rdp");
		}
		evidence[filled] = kit_record(++s->record);
		events[filled] = (struct corr_event){.time = etime_from_unix(KIT_BASE + i * 25, 0, 0), .evidence = &evidence[filled], .n_evidence = 1, .values = values[filled],
			.n_values = n, .host = STR("gate1")};
		if (++filled < PIECE) continue;
		if (many) correlate_hits(s->k.c, events, filled);
		else
			for (uint32_t k = 0; k < filled; k++) correlate_hit(s->k.c, &events[k]);
		filled = 0;
	}
	end(s);
}

TEST(many_at_once_are_judged_as_one_by_one)
{
	for (size_t memory = 0; memory <= 2 << 20; memory += 2 << 20) { /* as much as is wanted; so little that much is forgotten */
		struct site one = {0}, many = {0};
		begin(&one, memory, NULL);
		begin(&many, memory, NULL);
		a_day(&one, false);
		a_day(&many, true);
		CHECK(one.findings > 5);
		CHECK_STR(one.k.closed.p, many.k.closed.p);
		CHECK_STR(one.extra.p, many.extra.p);
		done(&one);
		done(&many);
	}
}

TEST(burst_from_one_address)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 20; i++) fail(&s, i * 10, "203.0.113.9", "anna");
	CHECK(s.k.n_opened == 1); /* online: raised while it goes on */
	end(&s);
	CHECK(found(&s, "Password guessing auth.src_ip=203.0.113.9 at=140 count=20 from=0 to=190 cites=1-20"));
	CHECK(s.findings == 1);
	done(&s);
}

TEST(few_failures_are_nobody)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 4; i++) fail(&s, i * 10, "203.0.113.9", "anna");
	for (int i = 0; i < 12; i++) fail(&s, DAY + i * 600, "203.0.114.10", "ben");
	end(&s);
	CHECK(s.findings == 0);
	done(&s);
}

TEST(five_failures_and_nobody_who_got_in_are_low)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 5; i++) fail(&s, i * 30, "203.0.113.9", "anna");
	for (int i = 0; i < 5; i++) fail(&s, DAY + i * 30, "100.64.3.9", "ben");
	enter(&s, DAY + 300, "100.64.3.9", "ben");
	end(&s);
	CHECK(found(&s, "Password guessing auth.src_ip=203.0.113.9 at=1020 count=5 from=0 to=120") || found(&s, "count=5 from=0 to=120"));
	CHECK(s.findings == 1);
	done(&s);
}

TEST(somebody_who_remembered_an_hour_later)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 6; i++) fail(&s, i * 30, "100.64.3.9", "anna");
	enter(&s, 4000, "100.64.3.9", "anna");
	end(&s);
	CHECK(!found(&s, "Password guessed"));
	CHECK(said(&s, "\"likely\":false"));
	done(&s);
}

TEST(a_thousand_records_are_cited_in_part_with_a_root)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 1500; i++) fail(&s, i, "203.0.113.9", "anna");
	end(&s);
	CHECK(found(&s, "count=1500 from=0 to=1499 cites=1-500,1001-1500 total=1500 root"));
	done(&s);
}

TEST(network_of_quiet_addresses)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 60; i++) fail(&s, i * 10, number("203.0.113.#", 1 + i % 40), "anna");
	end(&s);
	CHECK(found(&s, "Password guessing auth.src_ip=203.0.113.0/24"));
	CHECK(s.findings == 1);
	done(&s);
}

TEST(client_that_hops_through_its_48_is_one_finding)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 300; i++) {
		char address[64];
		snprintf(address, sizeof address, "2001:db8:7:%x::%x", i / 50, i + 1);
		fail(&s, i * 5, address, "anna");
	}
	end(&s);
	CHECK(found(&s, "auth.src_ip=2001:db8:7::/48"));
	CHECK(s.findings == 1);
	done(&s);
}

TEST(gateway_of_people_who_mistype)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 2000; i++) {
		if (i % 3 == 0) fail(&s, i * 20, "198.51.100.1", number("user#", i % 200));
		if (i % 12 == 0) fail(&s, i * 20 + 4, "198.51.100.1", number("user#", i % 200));
		enter(&s, i * 20 + 9, "198.51.100.1", number("user#", i % 200));
	}
	end(&s);
	CHECK(s.findings == 0);
	uint32_t n;
	const struct str *notes = correlate_notes(s.k.c, &n);
	NEED(n == 1);
	CHECK(str_starts(notes[0], STR("198.51.100.1 was taken for a gateway: 200 names")));
	done(&s);
}

TEST(guessing_from_a_gateway_is_seen_all_the_same)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 2000; i++) enter(&s, i * 20, "198.51.100.1", number("user#", i % 20));
	for (int i = 0; i < 2000; i++) {
		enter(&s, 40000 + i * 20, "198.51.100.1", number("user#", i % 20));
		fail(&s, 40005 + i * 20, "198.51.100.1", number("victim#", i % 40));
	}
	end(&s);
	CHECK(found(&s, "auth.src_ip=198.51.100.1"));
	done(&s);
}

TEST(spray_one_try_a_name)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 30; i++) fail(&s, i * 300, "203.0.113.9", number("user#", i));
	end(&s);
	CHECK(found(&s, "Password spraying auth.src_ip=203.0.113.9"));
	CHECK(found(&s, "count=30"));
	CHECK(s.findings == 1);
	done(&s);
}

TEST(names_that_got_in_in_the_end_are_no_spray)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 30; i++) {
		fail(&s, i * 300, "203.0.113.9", number("user#", i));
		enter(&s, i * 300 + 600, "203.0.113.9", number("user#", i));
	}
	end(&s);
	CHECK(s.findings == 0);
	done(&s);
}

TEST(slow_for_days)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 240; i++) fail(&s, i * HOUR, "203.0.113.9", "anna");
	end(&s);
	CHECK(found(&s, "Slow password guessing auth.src_ip=203.0.113.9 at=176400"));
	CHECK(found(&s, "count=240 from=0"));
	done(&s);
}

TEST(by_night_only)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int night = 0; night < 4; night++)
		for (int i = 0; i < 24; i++) fail(&s, night * DAY + i * 900, "203.0.113.9", i % 2 ? "anna" : "ben");
	end(&s);
	CHECK(found(&s, "Slow password guessing auth.src_ip=203.0.113.9 at=173700 count=96"));
	CHECK(s.findings == 1);
	done(&s);
	/* Three days' silence between: not one streak. */
	struct site t = {0};
	begin(&t, 0, NULL);
	for (int night = 0; night < 4; night++)
		for (int i = 0; i < 24; i++) fail(&t, night * 3 * DAY + i * 900, "203.0.113.9", i % 2 ? "anna" : "ben");
	end(&t);
	CHECK(t.findings == 0);
	done(&t);
}

TEST(one_name_from_a_gateway)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 60; i++) enter(&s, i * 20, "198.51.100.1", number("user#", i % 20));
	for (int i = 0; i < 130; i++) fail(&s, DAY + i * 90 + i % 7, "198.51.100.1", "boss");
	/* Somebody new behind the gateway is nobody who guessed; the name that was guessed is. */
	enter(&s, DAY + 4 * HOUR, "198.51.100.1", "newcomer");
	CHECK(s.k.n_opened == 1);
	enter(&s, DAY + 5 * HOUR, "198.51.100.1", "boss");
	end(&s);
	CHECK(found(&s, "Password guessing auth.src_ip=198.51.100.1") && found(&s, "Password guessed - login after failures auth.src_ip=198.51.100.1 auth.user=boss"));
	CHECK(s.findings == 2);
	done(&s);
	/* A device that keeps an old password there, every quarter of an hour for a day, stays below. */
	struct site t = {0};
	begin(&t, 0, NULL);
	for (int i = 0; i < 60; i++) enter(&t, i * 20, "198.51.100.1", number("user#", i % 20));
	for (int i = 0; i < 96; i++) fail(&t, DAY + i * 900 + i % 7 * 40, "198.51.100.1", "boss");
	end(&t);
	CHECK(t.findings == 0);
	done(&t);
}

TEST(a_phone_with_an_old_password_for_a_day)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 90; i++) fail(&s, i * 900 + i % 7 * 40, "100.64.3.9", "anna");
	enter(&s, 90 * 900, "100.64.3.9", "anna");
	end(&s);
	CHECK(s.findings == 0);
	done(&s);
}

TEST(service_with_an_old_password_is_noted)
{
	struct site s = {0};
	uint32_t n;
	begin(&s, 0, NULL);
	for (int i = 0; i < 500; i++) fail(&s, i * 1200, "10.1.2.3", "svc-backup");
	end(&s);
	CHECK(s.findings == 0);
	const struct str *notes = correlate_notes(s.k.c, &n);
	CHECK(n == 1 && str_find(notes[0], STR("10.1.2.3"), 0) == 0);
	done(&s);
}

/* Passers-by first, so that something is usual; then `n` addresses an hour with one try each. */
static void passers_by(struct site *s, int hours)
{
	char address[32];
	for (int i = 0; i < hours; i++) {
		snprintf(address, sizeof address, "198.%d.%d.%d", i % 13, i * 7 % 251, i % 249 + 1);
		fail(s, i * HOUR + 1800, address, number("noise#", i % 12));
	}
}

TEST(stuffing_one_shot_within_the_hour)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	passers_by(&s, 24 * 10);
	CHECK(s.k.n_opened == 0);
	for (int i = 0; i < 600; i++) {
		char address[32], user[32];
		snprintf(address, sizeof address, "%d.%d.%d.7", 60 + i % 97, i % 200, i % 251);
		snprintf(user, sizeof user, "stranger%d", i);
		fail(&s, 10 * DAY + i * 12, address, user);
		if (i * 12 > HOUR) CHECK(s.k.n_opened == 1);
	}
	end(&s);
	CHECK(found(&s, "Credential stuffing auth.service=sshd"));
	CHECK(found(&s, "count=600"));
	CHECK(said(&s, "\"n_sources\":600"));
	CHECK(s.findings == 1);
	done(&s);
}

TEST(distributed_over_days_takes_only_who_shares_its_names)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	passers_by(&s, 24 * 10);
	for (int i = 0; i < 900; i++) {
		char address[32];
		snprintf(address, sizeof address, "%d.%d.%d.7", 60 + i % 97, i % 200, i % 251);
		fail(&s, 10 * DAY + i * 600, address, number("target#", i % 10));
		snprintf(address, sizeof address, "199.%d.%d.7", i % 97, i % 251);
		if (i % 6 == 0) fail(&s, 10 * DAY + i * 600 + 1, address, number("passer#", i));
	}
	end(&s);
	CHECK(found(&s, "Distributed password guessing auth.service=sshd"));
	CHECK(said(&s, "\"target9\""));
	CHECK(!said(&s, "\"passer600\""));
	done(&s);
}

TEST(passers_by_alone_are_nothing)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	passers_by(&s, 24 * 60);
	end(&s);
	CHECK(s.findings == 0);
	done(&s);
}

TEST(name_of_the_house_from_many_addresses)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 20; i++) enter(&s, i * HOUR, "100.64.3.9", "anna");
	for (int i = 0; i < 12; i++) fail(&s, 3 * DAY + i * 5400, number("60.#.1.7", i), "anna");
	/* From where it has never been, right behind a failure: told, not accused. Another name's is not told. */
	fail(&s, 4 * DAY, "60.99.1.7", "anna");
	enter(&s, 4 * DAY + 20, "60.99.1.7", "anna");
	fail(&s, 4 * DAY + 60, "60.98.1.7", "ben");
	enter(&s, 4 * DAY + 90, "60.98.1.7", "ben");
	end(&s);
	CHECK(found(&s, "Distributed password guessing auth.service=sshd"));
	CHECK(said(&s, "\"60.99.1.7\"") && said(&s, "\"likely\":false") && !said(&s, "\"60.98.1.7\""));
	CHECK(s.findings == 1);
	done(&s);
}

TEST(a_person_who_moves_around_is_none)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 30; i++) {
		fail(&s, i * 2 * HOUR, number("60.#.1.7", i), "anna");
		enter(&s, i * 2 * HOUR + 20, number("60.#.1.7", i), "anna");
	}
	end(&s);
	CHECK(s.findings == 0);
	done(&s);
}

TEST(three_tries_from_each_of_many_addresses)
{
	/* One address after the other, as a device that moves about: not yet with ten of them, but with twenty. */
	for (int many = 0; many < 2; many++) {
		struct site s = {0};
		begin(&s, 0, NULL);
		for (int i = 0; i < 20; i++) enter(&s, i * HOUR, "100.64.3.9", "anna");
		for (int i = 0; i < (many ? 60 : 30); i++) fail(&s, 3 * DAY + i * 1200, number("60.#.1.7", i / 3), "anna");
		end(&s);
		CHECK(found(&s, "Distributed password guessing auth.service=sshd") == many);
		done(&s);
	}
	/* Two at the same time are no one device. */
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 20; i++) enter(&s, i * HOUR, "100.64.3.9", "anna");
	for (int i = 0; i < 36; i++) fail(&s, 3 * DAY + i * 1200, number("60.#.1.7", i / 6 * 2 + i % 2), "anna");
	end(&s);
	CHECK(found(&s, "Distributed password guessing auth.service=sshd"));
	done(&s);
}

TEST(a_device_that_moves_about_is_none)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	enter(&s, 0, "100.64.3.9", "anna");
	for (int i = 0; i < 120; i++) fail(&s, DAY + i * 700, number("60.#.1.7", i / 10), "anna");
	end(&s);
	CHECK(s.findings == 0);
	done(&s);
}

TEST(guessed_and_what_followed)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 100; i++) fail(&s, i * 5, "203.0.113.9", number("user#", i % 3));
	enter(&s, 600, "203.0.113.9", "user1");
	enter(&s, 4000, "203.0.113.9", "user1");
	end(&s);
	CHECK(found(&s, "Password guessed - login after failures auth.src_ip=203.0.113.9 auth.user=user1 at=600 count=102"));
	CHECK(said(&s, "\"entered\":[{\"user\":\"user1\",\"source\":\"203.0.113.9\",\"time\":\"2024-01-01T00:10:00Z\",\"likely\":true},{\"user\":\"user1\""));
	done(&s);
}

TEST(login_from_elsewhere_while_guessing_goes_on)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 100; i++) fail(&s, i * 5, "203.0.113.9", "anna");
	enter(&s, 600, "100.64.3.9", "anna");
	end(&s);
	CHECK(!found(&s, "Password guessed"));
	done(&s);
}

TEST(member_of_a_campaign_gets_in)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 600; i++) {
		char address[32];
		snprintf(address, sizeof address, "%d.%d.%d.7", 60 + i % 97, i % 200, i % 200);
		fail(&s, i * 300, address, number("target#", i % 7));
	}
	enter(&s, 600 * 300, "60.0.0.7", "target3");
	end(&s);
	CHECK(found(&s, "Password guessed - login after failures auth.src_ip=60.0.0.7 auth.user=target3"));
	done(&s);
}

TEST(scanner_of_the_house_is_one_low_finding)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int week = 0; week < 10; week++)
		for (int i = 0; i < 60; i++) fail(&s, week * 7 * DAY + i * 2, "10.9.9.9", number("nobody#", i % 12));
	end(&s);
	CHECK(s.findings == 1);
	CHECK(said(&s, "Taken for a scanner of your own"));
	done(&s);
}

TEST(listed_sources_are_counted_and_told)
{
	struct site s = {0};
	uint32_t n;
	begin(&s, 0, "# ours\n203.0.113.0/24\tthe yearly test\n10.9.9.9 scanner\n");
	for (int i = 0; i < 100; i++) fail(&s, i, "203.0.113.77", "anna");
	end(&s);
	CHECK(s.findings == 0);
	const struct str *notes = correlate_notes(s.k.c, &n);
	NEED(n == 1);
	CHECK(str_eq(notes[0], STR("100 failed logins of 203.0.113.0/24 were left out: listed as \"the yearly test\"")));
	done(&s);
}

TEST(a_list_with_a_mistake_names_its_line)
{
	struct fault f = FAULT_INIT;
	CHECK(!known_sources_new(STR("10.0.0.1 a\n\nnowhere b\n"), STR("list"), &f));
	CHECK(f.line == 3);
	CHECK(!known_sources_new(STR("10.0.0.1\n"), STR("list"), &f));
	CHECK(!known_sources_new(STR("10.0.0.1/33 x\n"), STR("list"), &f));
	CHECK(!known_sources_new(STR("2001:db8::/129 x\n"), STR("list"), &f));
}

/* A million bytes of state in all, and far more addresses than fit: counted, and the loud one is still found. */
TEST(memory_is_bounded)
{
	struct site s = {0};
	struct corr_stats stats;
	struct detect_stats seen;
	begin(&s, 1 << 20, NULL);
	for (int i = 0; i < 60000; i++) {
		char address[64];
		snprintf(address, sizeof address, "2001:%x:%x::1", i % 251, i);
		fail(&s, i, address, number("u#", i));
		if (i > 50000 && i < 50100) fail(&s, i + 0.5, "203.0.113.9", "anna");
	}
	correlate_stats(s.k.c, &stats);
	correlate_detect_stats(s.k.c, &seen);
	printf("# seen %llu nowhere %llu evicted %llu unjudged %llu early %llu unopened %llu closed early %llu peak %zu\n", (unsigned long long)seen.attempts, (unsigned long long)seen.nowhere,
		(unsigned long long)seen.evicted, (unsigned long long)seen.unjudged, (unsigned long long)seen.early, (unsigned long long)seen.unopened, (unsigned long long)seen.early_closed, seen.memory_peak);
	CHECK(seen.evicted > 0);
	CHECK(seen.memory_peak <= (1 << 20) / 4);
	CHECK(stats.memory_peak <= 1 << 20);
	end(&s);
	CHECK(found(&s, "auth.src_ip=203.0.113.9"));
	done(&s);
}

/* Far more strangers than there is room for, each once, while people log in: these are remembered, and their slips are theirs. */
TEST(strangers_do_not_crowd_out_people)
{
	struct site s = {0};
	begin(&s, 2 << 20, NULL);
	for (int i = 0; i < 30000; i++) {
		char address[64];
		snprintf(address, sizeof address, "2001:%x:%x::1", i % 251, i);
		fail(&s, i, address, "root");
		if (i % 200 == 0) enter(&s, i + 0.5, number("198.18.#.7", i / 200 % 250), number("person#", i / 200));
	}
	for (int i = 100; i < 150; i++)
		for (int k = 0; k < 14; k++) fail(&s, 30000 + i * 60 + k, number("198.18.#.7", i % 250), number("person#", i));
	end(&s);
	CHECK(!strstr(s.k.closed.p, "auth.src_ip=198.18."));
	done(&s);
}

/* One failure each from three addresses of a network, judged before the next comes: what was kept of each as "once" makes up the network's count. */
TEST(what_came_once_counts_when_more_comes)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 9; i++) fail(&s, i * 1000, number("203.0.113.#", i + 1), number("who#", i));
	enter(&s, 20000, "198.51.100.1", "anna");
	end(&s);
	CHECK(found(&s, "auth.src_ip=203.0.113.0/24"));
	done(&s);
}

/* Four days of a stranger every two hours, then a botnet that comes to every service: ten addresses an hour in all, two tries each. */
TEST(a_botnet_at_several_services_is_one_campaign)
{
	static const char *const services[] = {"sshd", "imap", "owa"};
	enum { DAYS = 4, HOURS = 24 * DAYS, BOTS = 240 };
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < HOURS / 2; i++) login_at(&s, i * 7200, "failure", number("198.51.#.9", i), number("guest#", i), services[i % 3]);
	for (int i = 0; i < BOTS; i++)
		for (int k = 0; k < 2; k++)
			login_at(&s, HOURS * 3600 + i * 360 + k, "failure", number(i % 2 ? "203.0.#.7" : "192.0.#.7", i), number("name#", i % 60), services[(i + k) % 3]);
	end(&s);
	CHECK(found(&s, "auth.service=sshd, imap, owa"));
	CHECK(!found(&s, "auth.service=sshd ") && !found(&s, "auth.service=imap") && !found(&s, "auth.service=owa"));
	CHECK(said(&s, "at all services together") && said(&s, "\"services\":[\"sshd\",\"imap\",\"owa\"]"));
	CHECK(s.findings == 1);
	done(&s);
}

/* The same at one of them alone is that one's. */
TEST(a_botnet_at_one_of_several_services_is_its_own)
{
	struct site s = {0};
	begin(&s, 0, NULL);
	for (int i = 0; i < 48; i++) login_at(&s, i * 7200, "failure", number("198.51.#.9", i), number("guest#", i), i % 2 ? "sshd" : "imap");
	for (int i = 0; i < 240; i++) login_at(&s, 96 * 3600 + i * 360, "failure", number(i % 2 ? "203.0.#.7" : "192.0.#.7", i), number("name#", i % 60), "imap");
	end(&s);
	CHECK(found(&s, "auth.service=imap") && !found(&s, "sshd"));
	CHECK(s.findings == 1);
	done(&s);
}

TEST_MAIN
