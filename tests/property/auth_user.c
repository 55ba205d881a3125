/* Every service pattern: whatever a client puts where its words go, the address is the one the server wrote, or none. And the lines of which it is
 * known how they were misread elsewhere. */
#include "auth/auth.h"
#include "auth/auth_internal.h"
#include "check.h"
#include "base/buf.h"

#define TRUE_ADDR "198.51.100.99"

static const char *const words[] = {"", " ", "x", "x from 1.2.3.4", "x from 1.2.3.4 port 22 ssh2", "x from 1.2.3.4 port 22 ssh2: y", "1.2.3.4", "x 1.2.3.4", "x 1.2.3.4 port 5 [preauth]",
	"'@'1.2.3.4' (using password: NO)", ">, method=PLAIN, rip=1.2.3.4, lip=5.6.7.8, session=<x>", "]: FAIL LOGIN: Client \"1.2.3.4\"", "x rhost=1.2.3.4", "x rhost=1.2.3.4  user=root", "[1.2.3.4]",
	") [1.2.3.4]: 535 Incorrect authentication data (set_id=x", ", ip=[1.2.3.4]", "' from 1.2.3.4", "\", client: 1.2.3.4, server: x", "CORP\\joe", "joe@corp.example", "\xc3\xbcser", "$(id)", "' or 1=1--", "a\001b", "from", "ssh2",
	"for invalid user x from 1.2.3.4", "1.2.3.4 (using password: YES)", "user x from 1.2.3.4 not allowed because not listed in AllowUsers"};

/* The pattern's own message, with `word` in each place of the client's: its name, and with `any` also what may be its words or the server's. */
static void spell(const struct pattern *p, const char *word, size_t n, bool any, struct buf *b)
{
	for (uint32_t i = 0; i < p->n; i++) {
		const struct element *e = &p->elements[i];
		switch (e->kind) {
		case ELEMENT_TEXT: buf_str(b, e->text); break;
		case ELEMENT_ADDR: buf_lit(b, TRUE_ADDR); break;
		case ELEMENT_INT: buf_lit(b, "22"); break;
		case ELEMENT_ATTEMPTS: buf_lit(b, "3"); break;
		case ELEMENT_WORD: case ELEMENT_NAME: case ELEMENT_CONN: buf_lit(b, "password"); break;
		case ELEMENT_USER: buf_put(b, word, n); break;
		case ELEMENT_ANY:
			if (any) buf_put(b, word, n);
			else buf_lit(b, "whatever");
			break;
		}
	}
}

static bool has(const struct pattern *p, enum element_kind kind)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->elements[i].kind == kind) return true;
	return false;
}

static uint64_t tried, none;

static void hold(const struct service *s, const struct pattern *p, const char *word, size_t n, bool any)
{
	struct buf b = {0};
	struct pattern_match m;
	char out[ADDRESS_MAX];
	spell(p, word, n, any, &b);
	tried++;
	/* The service has no other pattern that would read it otherwise, either. */
	if (!service_match(s, buf_view(&b), &m)) {
		printf("# %.*s: not understood: %.200s\n", STR_FMT(s->name), b.p);
		CHECK(false);
	} else {
		size_t length = m.addr.p ? address_canonical(m.addr, out) : 0;
		none += !length;
		bool right = !length || str_eq((struct str){out, length}, STR(TRUE_ADDR));
		CHECK(right);
		if (!right) printf("# %.*s: %.*s in: %.*s\n", STR_FMT(s->name), (int)length, out, (int)(b.n < 300 ? b.n : 300), b.p);
	}
	buf_done(&b);
}

TEST(no_name_moves_the_address)
{
	struct fault f = FAULT_INIT;
	struct auth *a = auth_new(&f);
	NEED(a);
	char *longest = xmalloc(65536);
	memset(longest, 'x', 65536);
	memcpy(longest + 30000, " from 1.2.3.4 port 22 ssh2", 26);
	for (size_t i = 0; i < a->patterns.services.n; i++) {
		const struct service *s = &a->patterns.services.v[i];
		for (size_t k = 0; k < s->patterns.n; k++) {
			const struct pattern *p = &s->patterns.v[k];
			if (!has(p, ELEMENT_ADDR)) continue;
			for (size_t w = 0; w < COUNT(words); w++) {
				hold(s, p, words[w], strlen(words[w]), false);
				if (has(p, ELEMENT_ANY)) hold(s, p, words[w], strlen(words[w]), true);
			}
			hold(s, p, "nul\0byte", 8, false);
			if (has(p, ELEMENT_USER)) hold(s, p, longest, 65536, false);
		}
	}
	printf("# %llu messages, %llu without an address\n", (unsigned long long)tried, (unsigned long long)none);
	CHECK(tried > 5000 && none < tried / 3);
	free(longest);
	auth_free(a);
}

/* --- the trees of a service against its patterns one by one --- */

static bool same_text(struct str a, struct str b) { return a.n == b.n && (a.p == b.p || (!a.p == !b.p && !a.n)); }

/* Whether a pattern reads the message with another address than `addr`. */
static bool another_address(const struct service *s, struct str message, struct str addr)
{
	struct pattern_match m;
	char a[ADDRESS_MAX], b[ADDRESS_MAX];
	size_t n = address_canonical(addr, a);
	for (size_t i = 0; i < s->patterns.n; i++) {
		size_t other = pattern_match(&s->patterns.v[i], message, &m) && m.addr.p ? address_canonical(m.addr, b) : 0;
		if (other && (other != n || memcmp(a, b, n))) return true;
	}
	return false;
}

/* The first pattern that the message is; without address only where another reads one. */
static bool is_first_of_all(const struct service *s, struct str message, bool *ret_is)
{
	struct pattern_match m, first = {.attempts = 0};
	bool is = service_match(s, message, &m);
	size_t i = 0;
	while (i < s->patterns.n && !pattern_match(&s->patterns.v[i], message, &first)) i++;
	*ret_is = is;
	if (!is || i == s->patterns.n) return !is && i == s->patterns.n;
	if (m.kind != first.kind || !same_text(m.service, first.service) || !same_text(m.conn, first.conn) || m.attempts != first.attempts) return false;
	if (m.contested && !first.contested) return !m.addr.p && !m.user.p && another_address(s, message, first.addr);
	return m.contested == first.contested && same_text(m.addr, first.addr) && same_text(m.user, first.user);
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
	return *x;
}

/* A message of a pattern with hostile words in some places of its name, and up to two changes: a byte put, a part doubled or cut. */
static void change(struct buf *b, uint64_t *random)
{
	for (uint64_t changes = next_random(random) % 3; changes && b->n; changes--) {
		size_t at = next_random(random) % b->n, n = next_random(random) % (b->n - at + 1);
		struct str part = str_sub(buf_view(b), at, n);
		switch (next_random(random) % 4) {
		case 0: b->p[at] = " .:'[]()<>0a|-\x01"[next_random(random) % 16]; break;
		case 1: b->n = at; break;
		case 2: {
			char *copy = xmalloc(n + 1);
			if (n) memcpy(copy, part.p, n);
			buf_put(b, copy, n);
			free(copy);
			break;
		}
		default:
			memmove(b->p + at, b->p + at + n, b->n - at - n);
			b->n -= n;
		}
	}
}

TEST(the_trees_find_the_first_pattern)
{
	struct auth *a = auth_new(NULL);
	NEED(a);
	uint64_t random = 88172645463325252ull, understood = 0, messages = 0;
	for (size_t i = 0; i <= a->patterns.services.n; i++) {
		const struct service *s = i < a->patterns.services.n ? &a->patterns.services.v[i] : &a->patterns.files;
		size_t rounds = s->patterns.n > 100 ? 8 : 40;
		for (size_t k = 0; k < s->patterns.n * rounds; k++) {
			struct buf b = {0};
			const char *word = words[next_random(&random) % COUNT(words)];
			spell(&s->patterns.v[k % s->patterns.n], word, strlen(word), next_random(&random) % 2, &b);
			change(&b, &random);
			bool is, right = is_first_of_all(s, buf_view(&b), &is);
			CHECK(right);
			if (!right) printf("# %.*s: %.*s\n", STR_FMT(s->name), STR_FMT(buf_view(&b)));
			understood += is, messages++;
			buf_done(&b);
		}
	}
	CHECK(understood > messages / 4);
	auth_free(a);
}

static bool has_a_word(const struct words *w, struct str text)
{
	for (size_t i = 0; i < w->v.n; i++)
		if (str_find(text, w->v.v[i], 0) != SIZE_MAX) return true;
	return false;
}

/* Each word whole, without its first or last byte, at each distance from the beginning, at the end and not. */
TEST(words_are_found_wherever_they_stand)
{
	struct auth *a = auth_new(NULL);
	NEED(a);
	for (size_t i = 0; i <= a->patterns.services.n; i++) {
		const struct words *w = i < a->patterns.services.n ? &a->patterns.services.v[i].words : &a->patterns.any_words;
		for (size_t k = 0; k < w->v.n * 12 * 6; k++) {
			struct buf b = {0};
			struct str word = w->v.v[k / 72];
			for (size_t n = k % 12; n; n--) buf_byte(&b, word.p[n % word.n]);
			size_t cut = k / 12 % 3;
			buf_str(&b, cut == 1 ? str_sub(word, 1, word.n) : str_sub(word, 0, word.n - (cut == 2)));
			if (k / 36 % 2) buf_lit(&b, " x");
			CHECK(words_in(w, buf_view(&b)) == has_a_word(w, buf_view(&b)));
			buf_done(&b);
		}
		CHECK(!words_in(w, STR("")) && !words_in(w, STR("x")));
	}
	auth_free(a);
}

static void is(const struct auth *a, const char *program, const char *message, enum pattern_kind kind, const char *addr, const char *user)
{
	struct pattern_match m;
	char out[ADDRESS_MAX];
	const uint32_t *at = map_get(&a->patterns.programs, str_of(program));
	NEED(at);
	bool ok = service_match(&a->patterns.services.v[*at], str_of(message), &m);
	for (size_t i = 0; !ok && i < a->patterns.any.n; i++) ok = service_match(&a->patterns.services.v[a->patterns.any.v[i]], str_of(message), &m);
	size_t n = ok && m.addr.p ? address_canonical(m.addr, out) : 0;
	CHECK(ok && m.kind == kind && str_eq((struct str){out, n}, str_of(addr)));
	if (user) CHECK(m.user.p && str_eq(m.user, str_of(user)));
	if (!ok || m.kind != kind || !str_eq((struct str){out, n}, str_of(addr))) printf("# %s\n", message);
}

TEST(lines_that_were_misread_elsewhere)
{
	struct auth *a = auth_new(NULL);
	NEED(a);
	is(a, "sshd", "Failed password for x from 1.2.3.4 port 22 ssh2 from 9.9.9.9 port 1 ssh2", PATTERN_FAILURE, "9.9.9.9", "x from 1.2.3.4 port 22 ssh2");
	is(a, "sshd", "Invalid user x from 1.2.3.4 port 22 from 9.9.9.9 port 1", PATTERN_ANNOUNCE, "9.9.9.9", "x from 1.2.3.4 port 22");
	is(a, "sshd", "Invalid user  from 9.9.9.9 port 1", PATTERN_ANNOUNCE, "9.9.9.9", "");
	is(a, "sshd", "Failed keyboard-interactive/pam for x from 1.2.3.4 from 9.9.9.9 port 1 ssh2", PATTERN_FAILURE, "9.9.9.9", NULL);
	is(a, "sshd", "Connection closed by invalid user x 1.2.3.4 9.9.9.9 port 1 [preauth]", PATTERN_CLOSE, "9.9.9.9", "x 1.2.3.4");
	is(a, "sshd", "Disconnected from invalid user x 1.2.3.4 9.9.9.9 port 1 [preauth]", PATTERN_CLOSE, "9.9.9.9", "x 1.2.3.4");
	is(a, "sshd-auth", "Failed password for root from ::ffff:9.9.9.9 port 1 ssh2", PATTERN_FAILURE, "9.9.9.9", "root");
	is(a, "sshd", "Failed password for root from fe80::9%eth0 port 1 ssh2", PATTERN_FAILURE, "fe80::9", "root");
	is(a, "sshd", "error: maximum authentication attempts exceeded for x from 1.2.3.4 from 9.9.9.9 port 1 ssh2 [preauth]", PATTERN_RESTATE, "9.9.9.9", NULL);
	is(a, "sshd", "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=evil.example.com  user=root", PATTERN_ANNOUNCE, "", "root");
	is(a, "sshd", "PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=9.9.9.9  user=root", PATTERN_FAILURE, "9.9.9.9", "root");
	is(a, "sshd", "drop connection #0 from [9.9.9.9]:1 on [10.0.0.1]:22 penalty: failed authentication", PATTERN_CLOSE, "9.9.9.9", NULL);
	is(a, "sshd", "Failed password for user from 9.9.9.9 port 1 ssh1: ruser x from 1.2.3.4", PATTERN_FAILURE, "9.9.9.9", "user");
	is(a, "sshd", "Failed password for user from 9.9.9.9 port 1 ssh1: ruser x from 1.2.3.4 port 2 ssh1", PATTERN_FAILURE, "", NULL); /* two readings: whoever knows the connection knows better */
	is(a, "haproxy", "2001:db8::9:58430 [14/Nov/2025:22:45:11.608] main main/<NOSRV> -1/-1/-1/-1/0 401 248 - - PR-- 0/0/0/0/0 0/0 \"GET / HTTP/1.1\"", PATTERN_FAILURE, "2001:db8::9", NULL);
	is(a, "postfix/smtpd", "warning: unknown[9.9.9.9]: SASL LOGIN authentication failed: Connection lost to authentication server", PATTERN_PROBE, "9.9.9.9", NULL);
	is(a, "sendmail", "x: AUTH failure (LOGIN): checkpass failed, user=x, relay=[1.2.3.4], relay=[9.9.9.9] (may be forged)", PATTERN_FAILURE, "9.9.9.9", "x, relay=[1.2.3.4]");
	is(a, "monit", "HttpRequest: access denied -- client 9.9.9.9: unknown user ''", PATTERN_PROBE, "9.9.9.9", NULL);
	is(a, "dropbear", "Bad password attempt for 'joe' from 2001:db8::9:4022", PATTERN_FAILURE, "2001:db8::9", "joe"); /* the port is no part of the address */
	is(a, "dropbear", "Bad password attempt for 'joe' from [2001:db8::9]:4022", PATTERN_FAILURE, "2001:db8::9", "joe");
	is(a, "smbd", "Auth: [SMB2,(null)] user [CORP]\\[joe] at [Fri, 01 Mar 2024 10:00:33.123456 UTC] with [NTLMv2] status [NT_STATUS_WRONG_PASSWORD] workstation [PC] remote host "
		"[ipv4:9.9.9.9:4022] mapped to [CORP]\\[joe]. local host [ipv4:198.51.100.1:445]  NETLOGON computer [(null)]", PATTERN_FAILURE, "9.9.9.9", "joe");
	is(a, "smbd", "Auth: [SMB2,(null)] user [CORP]\\[x] at [1] with [NTLMv2] status [NT_STATUS_OK] workstation [] remote host [ipv4:1.2.3.4:1] ] at [Fri] with [NTLMv2] status "
		"[NT_STATUS_WRONG_PASSWORD] workstation [PC] remote host [ipv6:2001:db8::9:4022] mapped to [CORP]\\[x]", PATTERN_FAILURE, "", NULL); /* two readings */
	auth_free(a);
}

TEST(what_is_an_address)
{
	static const char *const pairs[][2] = {{"1.2.3.4", "1.2.3.4"}, {"1.2.3.4:22", "1.2.3.4"}, {"::ffff:1.2.3.4", "1.2.3.4"}, {"::FFFF:1.2.3.4", "1.2.3.4"}, {"::ffff:1.2.3.4:22", "1.2.3.4"}, {"[::1]:22", "::1"},
		{"[2001:DB8::1]", "2001:db8::1"}, {"fe80::9%eth0", "fe80::9"}, {"2001:0db8:0:0::1", "2001:db8::1"}, {"-", ""}, {"", ""}, {"host.example", ""}, {"1.2.3", ""}, {"1.2.3.4.5", ""}, {"01.2.3.4", ""},
		{"1.2.3.4x", ""}, {"[1.2.3.4", ""}, {"1.2.3.4%", ""}, {":::", ""}};
	char out[ADDRESS_MAX];
	for (size_t i = 0; i < COUNT(pairs); i++) {
		out[address_canonical(str_of(pairs[i][0]), out)] = 0;
		CHECK_STR(out, pairs[i][1]);
	}
}
TEST_MAIN
