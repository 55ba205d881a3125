/* journal_data.c: DATA objects of a journal: what is known of those met lately, their fields' names, their payloads unpacked. */
#include "read/journal_internal.h"
#include <lz4.h>
#include <lzma.h>
#include <zstd.h>

/* Objects met lately: sets of four, the one met last in front. */
enum { WAYS = 4, SETS = 1 << 14, XZ_MEMORY = 96 << 20 };

struct journal_unpack { ZSTD_DCtx *zstd; };

void journal_data_init(struct journal_data *d)
{
	d->slots = xcalloc((size_t)SETS * WAYS, sizeof *d->slots);
	d->unpack = xcalloc(1, sizeof *d->unpack);
}

void journal_data_done(struct journal_data *d)
{
	if (d->unpack) ZSTD_freeDCtx(d->unpack->zstd);
	free(d->unpack);
	free(d->slots);
	map_done(&d->names);
	vec_free(&d->fields);
	buf_done(&d->plain);
}

/* --- payloads ---------------------------------------------------------------------------------------------------------------- */

/* u64 size, one LZ4 block. */
static bool unpack_lz4(struct buf *out, const uint8_t *p, size_t n, bool *ret_cut)
{
	if (n < 9) return false;
	uint64_t claimed = le64_at(p);
	int room = claimed > J_UNPACKED_MAX ? J_UNPACKED_MAX : (int)claimed;
	*ret_cut = claimed > J_UNPACKED_MAX;
	/* Not more than the block can hold: LZ4 gives at most 255 bytes for one. */
	if ((uint64_t)room > (uint64_t)n * 255) return false;
	char *to = buf_reserve(out, (size_t)room);
	int got = LZ4_decompress_safe_partial((const char *)p + 8, to, (int)(n - 8), room, room);
	if (got < 0) return false;
	out->n = (size_t)got;
	return got == room;
}

static bool unpack_zstd(struct journal_unpack *u, struct buf *out, const uint8_t *p, size_t n, bool *ret_cut)
{
	ZSTD_inBuffer in = {p, n, 0};
	if (!u->zstd) {
		u->zstd = ZSTD_createDCtx();
		verify(u->zstd);
		ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, 27);
	}
	ZSTD_DCtx_reset(u->zstd, ZSTD_reset_session_only);
	for (;;) {
		size_t room = out->cap > out->n + 64 + 4096 ? out->cap - out->n - 64 : 64 << 10;
		if (room > J_UNPACKED_MAX - out->n) room = J_UNPACKED_MAX - out->n;
		ZSTD_outBuffer to = {buf_reserve(out, room), room, 0};
		size_t left = ZSTD_decompressStream(u->zstd, &to, &in);
		out->n += to.pos;
		if (ZSTD_isError(left)) return false;
		if (!left) return true;
		*ret_cut = out->n == J_UNPACKED_MAX;
		if (*ret_cut) return true;
		if (to.pos < to.size && in.pos == in.size) return false;
	}
}

static bool unpack_xz(struct buf *out, const uint8_t *p, size_t n, bool *ret_cut)
{
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_ret ret = lzma_stream_decoder(&s, XZ_MEMORY, 0);
	s.next_in = p;
	s.avail_in = n;
	while (ret == LZMA_OK && !*ret_cut) {
		size_t room = out->cap > out->n + 64 + 4096 ? out->cap - out->n - 64 : 64 << 10;
		if (room > J_UNPACKED_MAX - out->n) room = J_UNPACKED_MAX - out->n;
		s.next_out = (uint8_t *)buf_reserve(out, room);
		s.avail_out = room;
		ret = lzma_code(&s, LZMA_FINISH);
		out->n += room - s.avail_out;
		*ret_cut = ret == LZMA_OK && out->n == J_UNPACKED_MAX;
	}
	lzma_end(&s);
	return ret == LZMA_STREAM_END || *ret_cut;
}

struct str journal_payload(struct journal *j, uint64_t offset, uint64_t size, uint8_t flags, bool *ret_cut)
{
	uint32_t head = journal_data_head(&j->h);
	uint64_t n = size - head;
	struct buf *out = &j->data.plain;
	bool cut = false, ok;
	if (n > J_UNPACKED_MAX) cut = !flags, n = J_UNPACKED_MAX;
	const uint8_t *p = journal_at(&j->bytes, offset + head, n);
	*ret_cut = cut;
	if (!p || !flags) return (struct str){(const char *)p, n};
	out->n = 0;
	ok = flags == J_LZ4 ? unpack_lz4(out, p, n, ret_cut) : flags == J_ZSTD ? unpack_zstd(j->data.unpack, out, p, n, ret_cut) :
		unpack_xz(out, p, n, ret_cut);
	return ok ? buf_view(out) : (struct str){NULL, 0};
}

/* --- what is known of an object ---------------------------------------------------------------------------------------------- */

/* splitmix64's finish: a number for a field, of which the sum names a set of fields well enough to look it up. */
static uint64_t mark_of(uint64_t i)
{
	i = (i + 1) * 0x9e3779b97f4a7c15u;
	i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9u;
	i = (i ^ i >> 27) * 0x94d049bb133111ebu;
	return i ^ i >> 31;
}

/* NAME= at the beginning of a payload; 0: there is none. Names are ASCII without control bytes. */
static size_t name_length(struct str payload)
{
	size_t n = payload.n < J_NAME_MAX + 1 ? payload.n : J_NAME_MAX + 1;
	for (size_t i = 0; i < n; i++) {
		if (payload.p[i] == '=') return i;
		if ((uint8_t)payload.p[i] <= ' ' || (uint8_t)payload.p[i] >= 0x7f) return 0;
	}
	return 0;
}

static uint32_t field_of(struct journal_data *d, struct str name)
{
	bool fresh;
	uint32_t *known = map_get(&d->names, name);
	if (known) return *known;
	if (d->fields.n >= J_FIELDS_MAX) return UINT32_MAX;
	uint32_t at = *map_put(&d->names, name, (uint32_t)d->fields.n, &fresh);
	vec_push(&d->fields, (struct field){d->names.entries[d->names.n - 1].key, mark_of(at)});
	return at;
}

static void read_datum(struct journal *j, uint64_t offset, struct datum *ret)
{
	uint32_t head = journal_data_head(&j->h);
	bool cut;
	*ret = (struct datum){.offset = offset, .field = UINT32_MAX};
	const uint8_t *p = journal_at(&j->bytes, offset, head);
	if (!p || p[0] != J_DATA || !journal_head_ok(&j->h, p, offset, j->bytes.in->size)) return;
	ret->size = le64_at(p + 8);
	ret->flags = p[1];
	uint64_t stored = le64_at(p + 16), plain = ret->size - head;
	struct str payload = {NULL, 0};
	/* Only the name is needed of a long one. */
	if (!ret->flags && plain > J_HASHED_MAX) payload = (struct str){(const char *)journal_at(&j->bytes, offset + head, J_NAME_MAX + 1), J_NAME_MAX + 1};
	else payload = journal_payload(j, offset, ret->size, ret->flags, &cut);
	if (!payload.p) return;
	ret->name = (uint16_t)name_length(payload);
	if (!ret->name) return;
	ret->field = field_of(&j->data, str_sub(payload, 0, ret->name));
	ret->hashed = !j->h.keyed || plain <= J_HASHED_MAX;
	ret->xor_hash = !j->h.keyed ? stored : ret->hashed ? journal_lookup3(payload.p, payload.n) : 0;
}

const struct datum *journal_datum(struct journal *j, uint64_t offset)
{
	static const struct datum none = {.field = UINT32_MAX};
	if (offset % 8 || offset < j->h.size || offset > j->bytes.in->size) return &none;
	struct datum *set = &j->data.slots[((offset >> 3) * 0x9e3779b97f4a7c15u >> 50) * WAYS], d;
	if (set[0].offset == offset) return &set[0];
	for (uint32_t i = 1; i < WAYS; i++) {
		if (set[i].offset != offset) continue;
		d = set[i];
		memmove(set + 1, set, i * sizeof *set);
		set[0] = d;
		return set;
	}
	read_datum(j, offset, &d);
	memmove(set + 1, set, (WAYS - 1) * sizeof *set);
	set[0] = d;
	return set;
}
