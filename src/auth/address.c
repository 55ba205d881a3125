/* address.c: see address.h. Reading and writing by inet_pton and inet_ntop. */
#include "auth/address.h"
#include <arpa/inet.h>

static struct str without_port(struct str s)
{
	size_t colon = str_find_byte(s, ':', 0);
	uint64_t port;
	size_t dot = str_find_byte(s, '.', 0);
	/* ::ffff:192.0.2.1:22 */
	if (colon != SIZE_MAX && dot != SIZE_MAX && colon < dot) colon = str_find_byte(s, ':', dot);
	if (colon == SIZE_MAX || str_find_byte(s, ':', colon + 1) != SIZE_MAX || !str_u64(str_sub(s, colon + 1, s.n), &port)) return s;
	return str_sub(s, 0, colon);
}

static struct str inner(struct str s)
{
	if (s.n && s.p[0] == '[') {
		size_t end = str_find_byte(s, ']', 1);
		return end == SIZE_MAX ? (struct str){"", 0} : str_sub(s, 1, end - 1);
	}
	return without_port(s);
}

/* Copies a word of 8 to 15 bytes. */
static inline void copy_short(char *out, struct str s)
{
	uint64_t front, back;
	memcpy(&front, s.p, 8);
	memcpy(&back, s.p + s.n - 8, 8);
	memcpy(out, &front, 8);
	memcpy(out + s.n - 8, &back, 8);
}

size_t address_canonical(struct str word, char *out)
{
	/* Mostly there is nothing to take off. */
	uint8_t bytes[4];
	if (str_ipv4(word, bytes)) {
		if (word.n >= 8) copy_short(out, word);
		else memcpy(out, word.p, word.n);
		return word.n;
	}
	struct str s = inner(word);
	char text[64];
	struct in_addr four;
	struct in6_addr six;
	size_t zone = str_find_byte(s, '%', 0);
	if (zone != SIZE_MAX && str_find_byte(s, ':', 0) < zone) s = str_sub(s, 0, zone);
	if (!s.n || s.n >= sizeof text) return 0;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	if (memchr(text, 0, s.n)) return 0;
	if (inet_pton(AF_INET, text, &four) == 1) return inet_ntop(AF_INET, &four, out, ADDRESS_MAX) ? strlen(out) : 0;
	if (inet_pton(AF_INET6, text, &six) != 1) return 0;
	if (IN6_IS_ADDR_V4MAPPED(&six)) {
		memcpy(&four, six.s6_addr + 12, 4);
		return inet_ntop(AF_INET, &four, out, ADDRESS_MAX) ? strlen(out) : 0;
	}
	return inet_ntop(AF_INET6, &six, out, ADDRESS_MAX) ? strlen(out) : 0;
}
