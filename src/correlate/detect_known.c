/* detect_known.c: the list of sources that are normal. */
#include "correlate/detect_internal.h"
#include <arpa/inet.h>

struct known_source {
	uint8_t address[16];
	uint8_t bits;
	struct str text, reason;
};
struct known_sources {
	char *bytes;
	VEC(struct known_source) v;
};

static bool parse_net(struct str word, struct known_source *ret)
{
	char copy[64];
	uint64_t bits = 0;
	struct str rest = word, address = str_cut(&rest, '/');
	if (!address.n || address.n >= sizeof copy) return false;
	memcpy(copy, address.p, address.n);
	copy[address.n] = 0;
	memset(ret->address, 0, 10);
	ret->address[10] = ret->address[11] = 0xff;
	bool four = inet_pton(AF_INET, copy, ret->address + 12) == 1;
	if (!four && inet_pton(AF_INET6, copy, ret->address) != 1) return false;
	unsigned most = four ? 32 : 128;
	if (rest.p && (!str_u64(rest, &bits) || bits > most)) return false;
	ret->bits = (uint8_t)((rest.p ? bits : most) + (four ? 96 : 0));
	return true;
}

static bool within_net(const struct known_source *k, const uint8_t a[16])
{
	unsigned whole = k->bits / 8, rest = k->bits % 8;
	if (memcmp(k->address, a, whole)) return false;
	return !rest || !((k->address[whole] ^ a[whole]) & (uint8_t)(0xff << (8 - rest)));
}

struct known_sources *known_sources_new(struct str text, struct str path, struct fault *f)
{
	struct known_sources *k = xcalloc(1, sizeof *k);
	k->bytes = xmalloc(text.n + 1);
	if (text.n) memcpy(k->bytes, text.p, text.n);
	struct str rest = {k->bytes, text.n};
	for (uint32_t line = 1; rest.p; line++) {
		struct known_source x = {0};
		struct str l = str_trim(str_cut(&rest, '\n'));
		if (!l.n || l.p[0] == '#') continue;
		size_t blank = 0;
		while (blank < l.n && l.p[blank] != ' ' && l.p[blank] != '\t') blank++;
		x.text = str_sub(l, 0, blank);
		x.reason = str_trim(str_sub(l, blank, l.n));
		if (parse_net(x.text, &x) && x.reason.n) {
			vec_push(&k->v, x);
			continue;
		}
		fault_set(f, FAULT_USAGE, x.reason.n ? "'%.*s' is no address or network" : "'%.*s' has no reason behind it: ADDRESS REASON", STR_FMT(x.text));
		fault_path(f, path);
		f->line = line;
		known_sources_free(k);
		return NULL;
	}
	return k;
}

void known_sources_free(struct known_sources *k)
{
	if (!k) return;
	vec_free(&k->v);
	free(k->bytes);
	free(k);
}

uint32_t known_of(const struct known_sources *k, const uint8_t address[16])
{
	for (uint32_t i = 0; i < k->v.n; i++)
		if (within_net(&k->v.v[i], address)) return i + 1;
	return 0;
}

uint32_t known_count(const struct known_sources *k) { return (uint32_t)k->v.n; }

void known_text(const struct known_sources *k, uint32_t number, struct str *ret_net, struct str *ret_reason)
{
	*ret_net = k->v.v[number - 1].text;
	*ret_reason = k->v.v[number - 1].reason;
}
