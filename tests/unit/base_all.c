/* The base room: what its headers promise. */
#include "tests/check.h"
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <time.h>
#include "base/base.h"

TEST(crc32_fast_equals_plain_and_the_check_value)
{
	char bytes[1200];
	for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 31 + (i >> 3));
	CHECK(crc32_of(0, "123456789", 9) == 0xcbf43926);
	for (size_t at = 0; at < 17; at++)
		for (size_t n = 0; n + at < 1100; n += 1 + n / 9) CHECK(crc32_of(7, bytes + at, n) == crc32_plain(7, bytes + at, n));
	CHECK(crc32_of(crc32_of(0, bytes, 500), bytes + 500, 600) == crc32_of(0, bytes, 1100));
}

TEST(time_parses_and_prints_what_it_parsed)
{
	static const char *const cases[][2] = {
		{"2021-03-03T06:59:20.359Z", "2021-03-03T06:59:20.359000Z"},
		{"2021-03-03 06:59:20", "2021-03-03T06:59:20.000000Z"},
		{"2021-03-03T06:59:20+05:30", "2021-03-03T01:29:20.000000Z"},
		{"2020-02-29T23:59:60Z", "2020-02-29T23:59:59.999999Z"},
		{"1600-01-01T00:00:00Z", "1600-01-01T00:00:00.000000Z"},
	};
	char out[ETIME_MAX];
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct etime t;
		NEED(etime_parse(str_of(cases[i][0]), &t, NULL));
		etime_print(t, 6, out);
		CHECK_STR(out, cases[i][1]);
	}
	static const char *const bad[] = {"", "2021", "2021-13-01T00:00:00Z", "2021-02-29T00:00:00Z", "2021-02-01T24:00:00Z", "2021-02-01T00:00:00X"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct etime t;
		CHECK(!etime_parse(str_of(bad[i]), &t, NULL));
	}
}

TEST(filetime_zero_is_absent_and_the_largest_is_harmless)
{
	char out[ETIME_MAX];
	CHECK(!etime_from_filetime(0).present);
	CHECK(etime_print(etime_from_filetime(0), 6, out) == 0);
	CHECK(etime_print(etime_from_filetime(UINT64_MAX), 7, out) < ETIME_MAX);
	etime_print(etime_from_filetime(132591851603590000), 7, out);
	CHECK_STR(out, "2021-03-02T18:59:20.3590000Z");
}

TEST(arena_stops_softly_at_its_budget)
{
	struct arena a;
	arena_init(&a, 1000);
	CHECK(arena_alloc(&a, 900) != NULL);
	CHECK(arena_alloc(&a, 200) == NULL);
	CHECK(a.refused == 1);
	CHECK(arena_alloc(&a, SIZE_MAX - 3) == NULL);
	CHECK(arena_calloc(&a, SIZE_MAX / 2, 3) == NULL);
	arena_reset(&a);
	CHECK(arena_alloc(&a, 1000 - 8) != NULL);
	arena_done(&a);
}

TEST(map_keeps_order_and_finds_all)
{
	struct map m = {0};
	char key[16];
	for (int i = 0; i < 5000; i++) {
		bool fresh;
		int n = snprintf(key, sizeof key, "k%d", i);
		*map_put(&m, (struct str){key, (size_t)n}, 0, &fresh) = (uint32_t)i * 2;
		CHECK(fresh);
	}
	for (int i = 0; i < 5000; i++) {
		int n = snprintf(key, sizeof key, "k%d", i);
		uint32_t *v = map_get(&m, (struct str){key, (size_t)n});
		NEED(v);
		CHECK(*v == (uint32_t)i * 2);
		CHECK(str_eq(m.entries[i].key, (struct str){key, (size_t)n}));
	}
	CHECK(!map_get(&m, STR("absent")));
	map_done(&m);
}

TEST(sha256_known_answers)
{
	uint8_t d[SHA256_SIZE];
	struct buf b = {0};
	sha256_of("abc", 3, d);
	buf_hex(&b, d, sizeof d);
	buf_byte(&b, 0);
	CHECK_STR(b.p, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	struct sha256 *h = sha256_new();
	uint8_t e[SHA256_SIZE];
	sha256_add(h, "a", 1);
	sha256_add(h, "bc", 2);
	sha256_peek(h, e);
	CHECK(!memcmp(d, e, sizeof d));
	sha256_end(h, e);
	CHECK(!memcmp(d, e, sizeof d));
	sha256_free(h);
	buf_done(&b);
}

TEST(numbers_are_strict)
{
	uint64_t u;
	int64_t i;
	CHECK(str_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
	CHECK(!str_u64(STR("18446744073709551616"), &u));
	CHECK(!str_u64(STR(""), &u) && !str_u64(STR("+1"), &u) && !str_u64(STR(" 1"), &u) && !str_u64(STR("0x1"), &u));
	CHECK(str_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
	CHECK(!str_i64(STR("9223372036854775808"), &i));
	struct buf b = {0};
	buf_u64(&b, UINT64_MAX);
	buf_byte(&b, ' ');
	buf_i64(&b, INT64_MIN);
	buf_byte(&b, 0);
	CHECK_STR(b.p, "18446744073709551615 -9223372036854775808");
	b.n = 0;
	buf_grouped(&b, UINT64_MAX, 0);
	buf_grouped(&b, 999, 5);
	buf_grouped(&b, 1000, 5);
	buf_grouped(&b, 0, 2);
	buf_byte(&b, 0);
	CHECK_STR(b.p, "18,446,744,073,709,551,615  9991,000 0");
	buf_done(&b);
}

TEST(digits_are_those_of_printf)
{
	char wanted[32], got[32];
	uint64_t power = 1, x = 88172645463325252;
	for (int i = 0; i < 20; i++, power *= 10)
		for (int k = 0; k < 200; k++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			uint64_t v = k < 3 ? power + (uint64_t)k - 1 : x >> (k % 64);
			*u64_print(got, v) = 0;
			snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)v);
			CHECK(!strcmp(got, wanted));
		}
	*u64_print(got, UINT64_MAX) = 0;
	CHECK(!strcmp(got, "18446744073709551615"));
}

TEST(cut_walks_all_pieces)
{
	struct str rest = STR("a,,b");
	CHECK(str_eq(str_cut(&rest, ','), STR("a")));
	CHECK(str_eq(str_cut(&rest, ','), STR("")));
	CHECK(str_eq(str_cut(&rest, ','), STR("b")));
	CHECK(!rest.p);
}

TEST(ipv4_is_what_inet_pton_takes)
{
	static const char *const texts[] = {"0.0.0.0", "1.2.3.4", "255.255.255.255", "256.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.04", "1..2.3", "1.2.3.", ".1.2.3", "", "1.2.3.4 ", " 1.2.3.4",
		"1.2.3.4x", "1.2.3.1000", "0.00.0.0", "a.b.c.d", "1.2.3.-4", "10.0.0.0"};
	for (size_t i = 0; i < COUNT(texts); i++) {
		uint8_t got[4] = {0};
		struct in_addr want;
		bool ok = str_ipv4(str_of(texts[i]), got);
		CHECK(ok == (inet_pton(AF_INET, texts[i], &want) == 1));
		CHECK(!ok || !memcmp(got, &want, 4));
	}
}

static void fill(uint8_t *text, size_t n)
{
	for (size_t i = 0; i < n; i++) text[i] = (uint8_t)(i * 7 + i / 251);
}

/* By another way than ours: OpenSSL's EVP. */
static bool is_digest_of(const uint8_t *text, size_t n, const uint8_t digest[SHA256_SIZE])
{
	uint8_t want[SHA256_SIZE];
	return EVP_Digest(text, n, want, NULL, EVP_sha256(), NULL) == 1 && !memcmp(want, digest, sizeof want);
}

TEST(short_and_long_texts_have_the_sha256_that_others_give)
{
	uint8_t text[5000], a[SHA256_SIZE], b[SHA256_SIZE];
	struct sha256 *h = sha256_new();
	fill(text, sizeof text);
	for (size_t n = 0; n <= sizeof text; n += n < 300 ? 1 : 97) {
		sha256_of(text, n, a);
		sha256_reset(h);
		sha256_add(h, text, n);
		sha256_end(h, b);
		CHECK(is_digest_of(text, n, a) && is_digest_of(text, n, b));
	}
	sha256_free(h);
}

/* A text in pieces of all kinds: at once, put off, put off and got on with between and beside other digests. */
TEST(hashing_that_was_put_off_gives_the_same_digest)
{
	uint8_t text[3000], other[400], a[SHA256_SIZE];
	uint32_t seed = 1;
	fill(text, sizeof text);
	fill(other, sizeof other);
	for (int round = 0; round < 3000; round++) {
		struct sha256 *h = sha256_new();
		size_t at = 0, n = (seed >> 8) % (sizeof text + 1);
		while (at < n) {
			seed = seed * 1664525 + 1013904223;
			size_t piece = (seed >> 16) % (seed >> 15 & 1 ? 900 : 70);
			if (piece > n - at) piece = n - at;
			if (seed >> 14 & 1) sha256_add(h, text + at, piece);
			else sha256_add_later(h, text + at, piece);
			at += piece;
			for (uint32_t i = seed >> 10 & 7; i; i--) sha256_some(h);
			if (seed >> 13 & 1) {
				sha256_beside(h, other, seed >> 4 & 255, a);
				CHECK(is_digest_of(other, seed >> 4 & 255, a));
			}
			if ((seed >> 5 & 15) == 0) sha256_settle(h);
			if ((seed >> 5 & 15) == 1) {
				sha256_peek(h, a);
				CHECK(is_digest_of(text, at, a));
			}
		}
		sha256_end(h, a);
		CHECK(is_digest_of(text, n, a));
		sha256_free(h);
	}
}

/* The counter of bits runs over 32 bits at 512 MiB. */
TEST(long_texts_that_were_put_off_are_counted_right)
{
	enum { PIECE = 1 << 20, PIECES = 513 };
	uint8_t *text = calloc(1, PIECE), a[SHA256_SIZE], b[SHA256_SIZE];
	struct sha256 *h = sha256_new(), *straight = sha256_new();
	NEED(text);
	for (int i = 0; i < PIECES; i++) {
		sha256_add_later(h, text, PIECE);
		for (int k = 0; i >= PIECES - 3 && k < 100; k++) sha256_some(h);
		if (i == PIECES - 2) sha256_beside(h, text, 100000, a);
		sha256_add(straight, text, PIECE);
	}
	sha256_end(h, a);
	sha256_end(straight, b);
	CHECK(!memcmp(a, b, sizeof a));
	sha256_free(h);
	sha256_free(straight);
	free(text);
}

TEST(hashes_differ_where_texts_do)
{
	char text[80] = {0};
	for (size_t n = 0; n <= sizeof text; n++) {
		uint64_t h = hash_bytes(text, n);
		CHECK(n == sizeof text || h != hash_bytes(text, n + 1)); /* zeros of another length */
		for (size_t i = 0; i < n; i++) {
			text[i] ^= 1;
			CHECK(h != hash_bytes(text, n));
			text[i] ^= 1;
		}
		CHECK(h == hash_bytes(text, n));
	}
}

static bool is_exact(const char *text, bool negative, uint64_t whole, uint32_t nano)
{
	struct decimal d;
	return decimal_of(str_of(text), &d) && d.exact && d.negative == negative && d.whole == whole && d.nano == nano && d.near == strtod(text, NULL);
}

/* Against the C library, whose rules are POSIX's, too. */
TEST(local_time_is_what_the_c_library_says)
{
	static const char *const rules[] = {"CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "AEST-10AEDT,M10.1.0,M4.1.0/3", "NZST-12NZDT,M9.5.0,M4.1.0/3", "IST-5:30", "<+0330>-3:30",
		"LHST-10:30LHDT-11,M10.1.0,M4.1.0", "GMT0BST,M3.5.0/1,M10.5.0", "AAA3BBB,J60/0,J300/25:30:10", "AAA-2BBB,59,299/1", "<-04>4<-03>,M9.1.6/24,M4.1.6/24", "IST-2IDT,M3.4.4/26,M10.5.0"};
	uint64_t seed = 7;
	for (size_t k = 0; k < COUNT(rules); k++) {
		struct zone z;
		NEED(zone_parse(str_of(rules[k]), &z));
		CHECK_STR(z.text, rules[k]);
		setenv("TZ", rules[k], 1);
		tzset();
		unsigned wrong = 0, twice_seen = 0, gap = 0;
		for (int i = 0; i < 20000; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			time_t t = (time_t)(seed >> 32) % 4000000000; /* up to 2096 */
			struct tm tm;
			localtime_r(&t, &tm);
			int32_t twice, offset = zone_offset(&z, t + tm.tm_gmtoff, &twice);
			twice_seen += twice != 0;
			wrong += offset != tm.tm_gmtoff && !(twice && offset - twice == tm.tm_gmtoff);
			gap += twice && tm.tm_gmtoff != z.summer && tm.tm_gmtoff != z.standard;
		}
		if (wrong) printf("# %s: %u\n", rules[k], wrong);
		CHECK(!wrong && !gap);
		CHECK(!z.from.kind == !twice_seen);
	}
	unsetenv("TZ");
	tzset();
}

TEST(local_time_at_the_edges)
{
	struct zone z;
	int32_t twice;
	NEED(zone_parse(STR("CET-1CEST,M3.5.0,M10.5.0/3"), &z));
	int64_t spring = civil_to_days(2021, 3, 28) * 86400, autumn = civil_to_days(2021, 10, 31) * 86400;
	CHECK(zone_offset(&z, spring + 2 * 3600 - 1, &twice) == 3600 && !twice);
	CHECK(zone_offset(&z, spring + 2 * 3600 + 1800, &twice) == 3600 && !twice); /* left out */
	CHECK(zone_offset(&z, spring + 3 * 3600, &twice) == 7200 && !twice);
	CHECK(zone_offset(&z, autumn + 2 * 3600 - 1, &twice) == 7200 && !twice);
	CHECK(zone_offset(&z, autumn + 2 * 3600, &twice) == 7200 && twice == 3600);
	CHECK(zone_offset(&z, autumn + 3 * 3600 - 1, &twice) == 7200 && twice == 3600);
	CHECK(zone_offset(&z, autumn + 3 * 3600, &twice) == 3600 && !twice);
	static const char *const none[] = {"", "CET", "C-1", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-25", "CET-1 ", "Europe/Berlin", "+01:00", "<+1>-1<",
		"CET-1CEST,M3.5.0/168,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0/3,", "AAA-1BBB,J0,J1", "AAA-1BBB,366,1"};
	for (size_t i = 0; i < COUNT(none); i++) CHECK(!zone_parse(str_of(none[i]), &z));
}

TEST(decimals)
{
	struct decimal d;
	CHECK(is_exact("0", false, 0, 0) && is_exact("-0", true, 0, 0) && is_exact("+7", false, 7, 0) && is_exact("007", false, 7, 0));
	CHECK(is_exact("0.1", false, 0, 100000000) && is_exact("-12.000000001", true, 12, 1) && is_exact("1.", false, 1, 0) && is_exact(".5", false, 0, 500000000));
	CHECK(is_exact("18446744073709551615", false, UINT64_MAX, 0) && is_exact("0.12345678900000", false, 0, 123456789));
	static const char *const nearly[] = {"18446744073709551616", "1e3", "0.0000000001", "-1.5E-3", "99999999999999999999999.5"};
	for (size_t i = 0; i < COUNT(nearly); i++) CHECK(decimal_of(str_of(nearly[i]), &d) && !d.exact && d.near == strtod(nearly[i], NULL));
	static const char *const none[] = {"", "-", ".", "e", "1e", "5-", "--5", "+-5", " 5", "5 ", "0x10", "NaN", "inf", "1,000", "1e999", "1.2.3"};
	for (size_t i = 0; i < COUNT(none); i++) CHECK(!decimal_of(str_of(none[i]), &d));
	CHECK(!decimal_of((struct str){"1\0", 2}, &d));
	char digits[81] = "";
	memset(digits, '1', 80);
	CHECK(!decimal_of((struct str){digits, 80}, &d) && decimal_of((struct str){digits, 79}, &d));
	CHECK(decimal_of(STR("-2.5"), &d) && decimal_units(&d) == -2500000000);
}

TEST_MAIN
