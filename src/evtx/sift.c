/* sift.c: a slot's text as event/sift.h asks for it, not decoded. See evtx_internal.h. */
#include "evtx/evtx_internal.h"
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

enum { JOINT = 1 };

/* U+0130, U+017F and U+212A fold to ASCII letters. */
static bool is_disguised(uint32_t unit) { return unit == 0x130 || unit == 0x17f || unit == 0x212a; }

/* n units to n bytes: ASCII as it is, for others JOINT. False: a letter in disguise is among them. Reads and writes up to 32 bytes beyond. */
static bool narrow(const uint8_t *p, size_t n, char *out)
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

bool leaf_is_silent(const struct leaf *l)
{
	for (uint32_t i = 0; i < l->n_parts; i++) {
		if (l->parts[i]->kind != X_TEXT) return false;
		for (size_t k = 0; k < l->parts[i]->text.n; k++)
			if (sift_tells(l->parts[i]->text.p[k])) return false;
	}
	return true;
}

enum sift_slot slot_sift(const struct slot *s, struct buf *out)
{
	switch (s->type) {
	case EVTX_STRING: {
		size_t n = s->n / 2;
		char *p = buf_reserve(out, n + 1);
		if (!narrow(s->p, n, p)) return SIFT_SLOT_NONE;
		p[n] = JOINT;
		out->n += n + 1;
		return SIFT_SLOT_TAKEN;
	}
	/* No letter that tells is in the texts of these. */
	case EVTX_NULL: case EVTX_INT8: case EVTX_UINT8: case EVTX_INT16: case EVTX_UINT16: case EVTX_INT32: case EVTX_UINT32: case EVTX_INT64: case EVTX_UINT64:
	case EVTX_BINARY: case EVTX_GUID: case EVTX_SIZE: case EVTX_FILETIME: case EVTX_SYSTEMTIME: case EVTX_SID: case EVTX_HEX32: case EVTX_HEX64: return SIFT_SLOT_TAKEN;
	default: return SIFT_SLOT_DECODE;
	}
}
