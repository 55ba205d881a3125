/* sift.c: a slot's text as event/sift.h asks for it, not decoded. See evtx_internal.h. */
#include "evtx/evtx_internal.h"
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

enum { JOINT = 1 };

/* U+0130, U+017F and U+212A fold to ASCII letters. */
static bool is_disguised(uint32_t unit) { return unit == 0x130 || unit == 0x17f || unit == 0x212a; }

/* n units to n bytes: ASCII as it is, for others JOINT. False: a letter in disguise is among them. Reads and writes up to 32 bytes beyond. */
static inline bool narrow(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i += 16) {
		size_t end = n - i < 16 ? n - i : 16;
#if defined(__x86_64__)
		__m128i v = _mm_packus_epi16(_mm_loadu_si128((const __m128i *)(p + 2 * i)), _mm_loadu_si128((const __m128i *)(p + 2 * i + 16)));
		/* Units from 0x80 on are packed to bytes below zero, or to zero. */
		unsigned other = (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(v, _mm_set1_epi8(1)));
		_mm_storeu_si128((__m128i *)(out + i), v);
		if (!(other & ((1u << end) - 1))) continue;
#endif
		for (size_t k = i; k < i + end; k++) {
			uint32_t unit = le16_at(p + 2 * k);
			if (is_disguised(unit)) return false;
			out[k] = unit < 0x80 ? (char)unit : JOINT;
		}
	}
	return true;
}

/* A byte beyond ASCII may be of a letter in disguise. */
bool leaf_is_silent(const struct leaf *l)
{
	for (uint32_t i = 0; i < l->n_parts; i++) {
		struct str text = l->parts[i]->text;
		if (l->parts[i]->kind != X_TEXT) return false;
		for (size_t k = 0; k < text.n; k++)
			if (sift_tells(text.p[k]) || (unsigned char)text.p[k] >= 0x80) return false;
	}
	return true;
}

/* Whether no text of the type has a letter that tells. */
static inline bool is_silent(uint8_t type)
{
	const uint64_t silent = 1ull << EVTX_NULL | 1ull << EVTX_INT8 | 1ull << EVTX_UINT8 | 1ull << EVTX_INT16 | 1ull << EVTX_UINT16 | 1ull << EVTX_INT32 |
		1ull << EVTX_UINT32 | 1ull << EVTX_INT64 | 1ull << EVTX_UINT64 | 1ull << EVTX_BINARY | 1ull << EVTX_GUID | 1ull << EVTX_SIZE | 1ull << EVTX_FILETIME |
		1ull << EVTX_SYSTEMTIME | 1ull << EVTX_SID | 1ull << EVTX_HEX32 | 1ull << EVTX_HEX64;
	return type < 64 && silent >> type & 1;
}

bool slot_sift(const struct slot *s, struct buf *out, bool *ret_decode)
{
	*ret_decode = false;
	if (is_silent(s->type)) return true;
	if (s->type != EVTX_STRING) {
		*ret_decode = true;
		return true;
	}
	size_t units = s->n / 2;
	char *p = buf_reserve(out, units + 1);
	if (!narrow(s->p, units, p)) return false;
	p[units] = JOINT;
	out->n += units + 1;
	return true;
}

uint32_t instance_sift(const struct instance *in, const struct leaf *const *each, const struct leaf *row, uint32_t from, uint32_t n, struct buf *out)
{
	for (; from < n; from++) {
		const struct leaf *l = each ? each[from] : &row[from];
		bool decode;
		if (!l || l->silent) continue;
		if (l->slot >= in->n_slots) {
			if (l->slot == UINT32_MAX) return from;
			continue;
		}
		if (!slot_sift(&in->slots[l->slot], out, &decode)) return SIFT_NOT;
		if (decode) return from;
	}
	return n;
}
