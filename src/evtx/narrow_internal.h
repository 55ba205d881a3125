/* narrow_internal: UTF-16 of slots as bytes, where these say as much: for cells, for sift texts (event/sift.h), for what tells an event from others. */
#pragma once
#include "evtx/evtx_internal.h"
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

/* Copies units while they are ASCII and no NUL; returns how many. Reads up to EVTX_PAD bytes behind them, writes up to 16 bytes behind the text. */
static inline size_t plain_units(const uint8_t *p, size_t n, char *out)
{
#if defined(__x86_64__)
	for (size_t i = 0; i < n; i += 16) {
		__m128i v = _mm_packus_epi16(_mm_loadu_si128((const __m128i *)(p + 2 * i)), _mm_loadu_si128((const __m128i *)(p + 2 * i + 16)));
		/* Units from 0x80 on are packed to bytes below zero, or to zero. */
		unsigned other = (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(v, _mm_set1_epi8(1)));
		_mm_storeu_si128((__m128i *)(out + i), v);
		if (other) {
			size_t good = i + (unsigned)__builtin_ctz(other);
			return good < n ? good : n;
		}
	}
#else
	for (size_t i = 0; i < n; i++) {
		uint32_t unit = le16_at(p + 2 * i);
		if (!unit || unit >= 0x80) return i;
		out[i] = (char)unit;
	}
#endif
	return n;
}

enum { SIFT_JOINT = 1 };

/* U+0130, U+017F and U+212A fold to ASCII letters. */
static inline bool sift_disguised(uint32_t unit) { return unit == 0x130 || unit == 0x17f || unit == 0x212a; }

/* n units to n bytes: ASCII as it is, for others SIFT_JOINT. False: a letter in disguise is among them. Reads and writes up to 32 bytes beyond. */
static inline bool sift_narrow(const uint8_t *p, size_t n, char *out)
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
			if (sift_disguised(unit)) return false;
			out[k] = unit < 0x80 ? (char)unit : SIFT_JOINT;
		}
	}
	return true;
}

/* Whether no text of the type has a letter that tells. */
static inline bool sift_silent_type(uint8_t type)
{
	const uint64_t silent = 1ull << EVTX_NULL | 1ull << EVTX_INT8 | 1ull << EVTX_UINT8 | 1ull << EVTX_INT16 | 1ull << EVTX_UINT16 | 1ull << EVTX_INT32 |
		1ull << EVTX_UINT32 | 1ull << EVTX_INT64 | 1ull << EVTX_UINT64 | 1ull << EVTX_BINARY | 1ull << EVTX_GUID | 1ull << EVTX_SIZE | 1ull << EVTX_FILETIME |
		1ull << EVTX_SYSTEMTIME | 1ull << EVTX_SID | 1ull << EVTX_HEX32 | 1ull << EVTX_HEX64;
	return type < 64 && silent >> type & 1;
}

/* Appends what a slot has for event_ops.sift, with a joint behind it. False: there is no sift text; *ret_decode: it must be decoded for it. */
static inline bool slot_sift(const struct slot *s, struct buf *out, bool *ret_decode)
{
	*ret_decode = false;
	if (sift_silent_type(s->type)) return true;
	if (s->type != EVTX_STRING) {
		*ret_decode = true;
		return true;
	}
	size_t units = s->n / 2;
	char *p = buf_reserve(out, units + 1);
	if (!sift_narrow(s->p, units, p)) return false;
	p[units] = SIFT_JOINT;
	out->n += units + 1;
	return true;
}
