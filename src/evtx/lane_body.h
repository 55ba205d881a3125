/* lane_body: one record by a variant, for one level of the processor. Included by lane.c once for each: LEVEL, AT(name) and TARGET are
 * set then. Reads up to EVTX_PAD bytes behind values, writes up to 64 behind the text: both are there. */

static inline TARGET char *AT(literal)(char *o, const char *p, uint32_t n)
{
#if LEVEL == LEVEL_AVX512
	_mm256_storeu_si256((void *)o, _mm256_loadu_si256((const void *)p));
	for (uint32_t i = 32; __builtin_expect(i < n, 0); i += 64) _mm512_storeu_si512(o + i, _mm512_loadu_si512(p + i));
#else
	memcpy(o, p, 32);
	memcpy(o + 32, p + 32, 32);
	for (uint32_t i = 64; __builtin_expect(i < n, 0); i += 32) memcpy(o + i, p + i, 32);
#endif
	return o + n;
}

static inline TARGET bool AT(recognised)(const uint8_t *area, const struct variant *v)
{
#if LEVEL == LEVEL_AVX512
	for (uint32_t i = 0; i < v->area; i += 64) {
		__m512i differ = _mm512_xor_si512(_mm512_loadu_si512(area + i), _mm512_loadu_si512(v->expected + i));
		if (_mm512_test_epi64_mask(differ, _mm512_loadu_si512(v->mask + i))) return false;
	}
#elif LEVEL == LEVEL_AVX2
	for (uint32_t i = 0; i < v->area; i += 32) {
		__m256i differ = _mm256_xor_si256(_mm256_loadu_si256((const void *)(area + i)), _mm256_loadu_si256((const void *)(v->expected + i)));
		if (!_mm256_testz_si256(differ, _mm256_loadu_si256((const void *)(v->mask + i)))) return false;
	}
#else
	for (uint32_t i = 0; i < v->area; i += 8)
		if ((le64_at(area + i) ^ le64_at(v->expected + i)) & le64_at(v->mask + i)) return false;
#endif
	return true;
}

static inline TARGET char *AT(two)(char *o, uint32_t v)
{
	memcpy(o, format_pairs + v * 2, 2);
	return o + 2;
}

/* v < 10000. */
static inline TARGET char *AT(small)(char *o, uint32_t v)
{
	if (v < 10) {
		*o = (char)('0' + v);
		return o + 1;
	}
	if (v < 100) return AT(two)(o, v);
	uint32_t high = v / 100;
	if (high < 10) *o++ = (char)('0' + high);
	else o = AT(two)(o, high);
	return AT(two)(o, v % 100);
}

static inline TARGET char *AT(four)(char *o, uint32_t v) { return AT(two)(AT(two)(o, v / 100), v % 100); }

static inline TARGET char *AT(u64)(char *o, uint64_t v)
{
	if (v < 10000) return AT(small)(o, (uint32_t)v);
	if (v < 100000000) return AT(four)(AT(small)(o, (uint32_t)v / 10000), (uint32_t)v % 10000);
	if (v >= 10000000000000000) {
		uint64_t top = v / 10000000000000000;
		o = AT(small)(o, (uint32_t)top);
		v -= top * 10000000000000000;
		uint32_t eight = (uint32_t)(v / 100000000), rest = (uint32_t)(v % 100000000);
		o = AT(four)(AT(four)(o, eight / 10000), eight % 10000);
		return AT(four)(AT(four)(o, rest / 10000), rest % 10000);
	}
	uint64_t high = v / 100000000;
	uint32_t low = (uint32_t)(v - high * 100000000);
	o = high < 10000 ? AT(small)(o, (uint32_t)high) : AT(four)(AT(small)(o, (uint32_t)high / 10000), (uint32_t)high % 10000);
	return AT(four)(AT(four)(o, low / 10000), low % 10000);
}

static inline TARGET char *AT(u32)(char *o, uint32_t v) { return AT(u64)(o, v); }

static inline TARGET char *AT(filetime)(struct evtx_chunk *c, char *o, uint64_t v)
{
	uint64_t day = v / 864000000000;
	uint64_t in_day = v - day * 864000000000;
	uint32_t second = (uint32_t)(in_day / 10000000), micro = (uint32_t)(in_day - second * 10000000ull) / 10, minute = second / 60, hour = minute / 60;
	if (__builtin_expect(c->lane.days[day & 7].day != day || !day, 0) && !keep_day(c, day)) return quoted_filetime(c, o, v);
	memcpy(o, c->lane.days[day & 7].text, 16);
	o = AT(two)(o + 12, hour);
	*o++ = ':';
	o = AT(two)(o, minute - hour * 60);
	*o++ = ':';
	o = AT(two)(o, second - minute * 60);
	*o++ = '.';
	o = AT(two)(o, micro / 10000);
	o = AT(four)(o, micro % 10000);
	memcpy(o, "Z\"", 2);
	return o + 2;
}

static inline TARGET char *AT(sid)(struct evtx_chunk *c, char *o, const uint8_t *p, uint32_t n)
{
#if LEVEL >= LEVEL_SSE4
	/* The usual one of a user or machine is compared here, others there. */
	uint32_t place = sid_place(p, n);
	if (n == 12 && c->lane.sids[place].n == 12) {
		const uint8_t *kept = c->lane.sids[place].sid;
		if (!((le64_at(p) ^ le64_at(kept)) | (le32_at(p + 8) ^ le32_at(kept + 8)))) {
			memcpy(o, c->lane.sids[place].text, 32);
			return o + c->lane.sids[place].text_n;
		}
	}
	if (n == 28 && c->lane.sids[place].n == 28) {
		const uint8_t *kept = c->lane.sids[place].sid;
		__m128i differ = _mm_or_si128(_mm_xor_si128(_mm_loadu_si128((const __m128i *)p), _mm_loadu_si128((const __m128i *)kept)),
			_mm_xor_si128(_mm_loadu_si128((const __m128i *)(p + 12)), _mm_loadu_si128((const __m128i *)(kept + 12))));
		if (_mm_testz_si128(differ, differ)) {
			memcpy(o, c->lane.sids[place].text, 64);
			return o + c->lane.sids[place].text_n;
		}
	}
#endif
	return quoted_sid(c, o, p, n);
}

static inline TARGET char *AT(hex)(char *o, uint64_t v)
{
#if LEVEL >= LEVEL_AVX2
	unsigned n = (unsigned)(67 - __builtin_clzll(v | 1)) / 4;
	v <<= 64 - 4 * n;
	uint64_t high = __builtin_bswap64(_pdep_u64(v >> 32, 0x0f0f0f0f0f0f0f0f)), low = __builtin_bswap64(_pdep_u64((uint32_t)v, 0x0f0f0f0f0f0f0f0f));
	const __m128i digits = _mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f');
	memcpy(o, "\"0x", 3);
	_mm_storeu_si128((__m128i *)(o + 3), _mm_shuffle_epi8(digits, _mm_set_epi64x((long long)low, (long long)high)));
	o += 3 + n;
#else
	*o++ = '"';
	o = format_hex(o, v);
#endif
	*o++ = '"';
	return o;
}

static inline TARGET char *AT(guid)(char *o, const uint8_t *p)
{
#if LEVEL >= LEVEL_SSE4
	const __m128i digits = _mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F');
	const __m128i order = _mm_setr_epi8(3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15), low4 = _mm_set1_epi8(15);
	__m128i v = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p), order);
	__m128i high = _mm_and_si128(_mm_srli_epi16(v, 4), low4), low = _mm_and_si128(v, low4);
	__m128i a = _mm_shuffle_epi8(digits, _mm_unpacklo_epi8(high, low)), b = _mm_shuffle_epi8(digits, _mm_unpackhi_epi8(high, low));
	/* 8-4-4-4-12: bytes 0x80 of the shuffles are zeros, where the dashes go. */
	const __m128i first = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -1, 8, 9, 10, 11, -1, 12, 13), second = _mm_setr_epi8(0, 1, -1, 2, 3, 4, 5, -1, 6, 7, 8, 9, 10, 11, 12, 13);
	const __m128i dashes1 = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, '-', 0, 0, 0, 0, '-', 0, 0), dashes2 = _mm_setr_epi8(0, 0, '-', 0, 0, 0, 0, '-', 0, 0, 0, 0, 0, 0, 0, 0);
	*o++ = '"';
	_mm_storeu_si128((__m128i *)o, _mm_or_si128(_mm_shuffle_epi8(a, first), dashes1));
	_mm_storeu_si128((__m128i *)(o + 16), _mm_or_si128(_mm_shuffle_epi8(_mm_alignr_epi8(b, a, 14), second), dashes2));
	uint32_t last = (uint32_t)_mm_extract_epi32(b, 3);
	memcpy(o + 32, &last, 4);
	o += 36;
#else
	*o++ = '"';
	o = format_guid(o, p);
#endif
	*o++ = '"';
	return o;
}

#if LEVEL == LEVEL_SSE4 || LEVEL == LEVEL_AVX2
/* n of 16 bytes, with a backslash before those in the set `escape`. */
static inline TARGET char *AT(escaped)(char *o, __m128i v, unsigned escape, unsigned n)
{
	if (!escape) {
		_mm_storeu_si128((__m128i *)o, v);
		return o + n;
	}
	const __m128i slash = _mm_set1_epi8('\\');
	__m128i first = _mm_loadu_si128((const __m128i *)escapes.from[escape & 255]), second = _mm_loadu_si128((const __m128i *)escapes.from[escape >> 8]);
	_mm_storeu_si128((__m128i *)o, _mm_blendv_epi8(_mm_shuffle_epi8(v, first), slash, first));
	/* When n is 8 or less this writes behind the text. */
	_mm_storeu_si128((__m128i *)(o + 8 + __builtin_popcount(escape & 255)), _mm_blendv_epi8(_mm_shuffle_epi8(_mm_srli_si128(v, 8), second), slash, second));
	return o + n + __builtin_popcount(escape);
}
#endif

/* A text up to its first NUL, quoted and escaped. */
static inline TARGET char *AT(string)(char *o, const uint8_t *p, uint32_t n, struct buf *out, size_t room)
{
	*o++ = '"';
#if LEVEL == LEVEL_AVX512
	const __m512i space = _mm512_set1_epi16(0x20), range = _mm512_set1_epi16(0x5e), quote = _mm512_set1_epi16('"'), slash = _mm512_set1_epi16('\\');
	/* Control characters that are escaped by a letter. */
	const __m512i letters = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 'b', 't', 'n', 0, 'f', 'r', 0, 0));
	for (;;) {
		__m512i v = _mm512_loadu_si512(p);
		uint32_t count = n < 32 ? n : 32;
		__mmask32 k = _bzhi_u32(UINT32_MAX, count);
		__mmask32 odd = _mm512_mask_cmpgt_epu16_mask(k, _mm512_sub_epi16(v, space), range);
		__mmask32 escape = _mm512_mask_cmpeq_epu16_mask(k, v, quote) | _mm512_mask_cmpeq_epu16_mask(k, v, slash);
		if (__builtin_expect(odd != 0, 0)) {
			__m512i letter = _mm512_shuffle_epi8(letters, v);
			__mmask32 control = _mm512_mask_cmplt_epu16_mask(odd, v, _mm512_set1_epi16(0x10));
			control = _mm512_mask_test_epi16_mask(control, letter, _mm512_set1_epi16(0xff));
			v = _mm512_mask_blend_epi16(control, v, _mm512_and_si512(letter, _mm512_set1_epi16(0xff)));
			escape |= control;
			odd &= ~control;
			if (odd) {
				/* Up to the first that is none of these: a NUL ends the text, others are written the ordinary way. */
				uint32_t good = (uint32_t)__builtin_ctz(odd);
				bool end = !le16_at(p + 2 * good);
				k = _bzhi_u32(UINT32_MAX, good);
				uint64_t keep = _pdep_u64(escape & k, 0x5555555555555555) | (_bzhi_u64(UINT64_MAX, 2 * good) & 0xaaaaaaaaaaaaaaaa);
				_mm512_storeu_si512(o, _mm512_maskz_compress_epi8(keep, _mm512_or_si512(_mm512_slli_epi16(v, 8), slash)));
				o += __builtin_popcountll(keep);
				if (end) break;
				p += 2 * good;
				n -= good;
				uint32_t wide = wide_units(&o, p, n);
				if (!wide) return rest_of_string(out, room, o, p, n);
				p += 2 * wide;
				n -= wide;
				if (!n) break;
				continue;
			}
		}
		if (!escape) {
			_mm256_storeu_si256((__m256i *)o, _mm512_cvtepi16_epi8(v));
			o += count;
		} else {
			/* Each unit becomes a backslash and its byte, the backslashes that are not wanted are squeezed out. */
			uint64_t keep = _pdep_u64(escape, 0x5555555555555555) | (_bzhi_u64(UINT64_MAX, 2 * count) & 0xaaaaaaaaaaaaaaaa);
			_mm512_storeu_si512(o, _mm512_maskz_compress_epi8(keep, _mm512_or_si512(_mm512_slli_epi16(v, 8), slash)));
			o += __builtin_popcountll(keep);
		}
		if (n <= 32) break;
		p += 64;
		n -= 32;
	}
#elif LEVEL >= LEVEL_SSE4
	const __m128i low = _mm_set1_epi8(0x20), del = _mm_set1_epi8(0x7f), quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
	for (;;) {
		__m128i v = _mm_packus_epi16(_mm_loadu_si128((const __m128i *)p), _mm_loadu_si128((const __m128i *)(p + 16)));
		/* Units above 0xff are packed to 0xff or 0: both are odd, as signed bytes from 0x80 on are below 0x20. */
		unsigned odd = (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmplt_epi8(v, low), _mm_cmpeq_epi8(v, del)));
		unsigned escape = (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
		if (n >= 16 && !odd) {
			o = AT(escaped)(o, v, escape, 16);
			p += 32;
			n -= 16;
			continue;
		}
		unsigned mask = n < 16 ? (1u << n) - 1 : 0xffff;
		odd &= mask;
		if (!odd) {
			o = AT(escaped)(o, v, escape & mask, n);
			break;
		}
		unsigned good = (unsigned)__builtin_ctz(odd);
		o = AT(escaped)(o, v, escape & ((1u << good) - 1), good);
		p += 2 * good;
		n -= good;
		uint32_t unit = le16_at(p), used = 1;
		if (!unit) break;
		char letter = unit < 16 ? "\0\0\0\0\0\0\0\0btn\0fr\0\0"[unit] : 0;
		if (letter) {
			o[0] = '\\';
			o[1] = letter;
			o += 2;
		} else if (!(used = wide_units(&o, p, n))) {
			return rest_of_string(out, room, o, p, n);
		}
		p += 2 * used;
		n -= used;
	}
#else
	for (uint32_t i = 0; i < n; i++) {
		uint32_t unit = le16_at(p + 2 * i);
		if (!unit) break;
		if (unit < 0x20 || unit >= 0x7f) return rest_of_string(out, room, o, p + 2 * i, n - i);
		if (unit == '"' || unit == '\\') *o++ = '\\';
		*o++ = (char)unit;
	}
#endif
	*o++ = '"';
	return o;
}

/* A value of the content. NULL: the record must go the ordinary way. */
static inline TARGET char *AT(value)(struct evtx_chunk *c, char *o, const uint8_t *p, uint32_t size, uint32_t type, bool text, struct buf *out, size_t room)
{
	if (__builtin_expect(type == EVTX_STRING && !text, 1)) return AT(string)(o, p, size / 2, out, room);
	switch (type) {
	case EVTX_STRING:
		if (!size || (size >= 2 && !le16_at(p))) break;
		return AT(string)(o, p, size / 2, out, room);
	case EVTX_UINT8: if (size < 1) break; return AT(u32)(o, p[0]);
	case EVTX_UINT16: if (size < 2) break; return AT(u32)(o, le16_at(p));
	case EVTX_UINT32: if (size < 4) break; return AT(u32)(o, le32_at(p));
	case EVTX_UINT64: if (size < 8) break; return AT(u64)(o, le64_at(p));
	case EVTX_INT32: if (size < 4) break; return format_i64(o, (int32_t)le32_at(p));
	case EVTX_INT64: if (size < 8) break; return format_i64(o, (int64_t)le64_at(p));
	case EVTX_BOOL:
		if (size < 4) break;
		if (le32_at(p)) memcpy(o, "true", 4);
		else memcpy(o, "false", 5);
		return o + (le32_at(p) ? 4 : 5);
	case EVTX_GUID: if (size < 16) break; return AT(guid)(o, p);
	case EVTX_FILETIME: if (size < 8) break; return AT(filetime)(c, o, le64_at(p));
	case EVTX_SID: if (size < 8 || size > EVTX_SID_MAX) break; return AT(sid)(c, o, p, size);
	case EVTX_HEX32: if (size < 4) break; return AT(hex)(o, le32_at(p));
	case EVTX_HEX64: if (size < 8) break; return AT(hex)(o, le64_at(p));
	case EVTX_SIZE: if (size != 4 && size != 8) break; return AT(hex)(o, size == 4 ? le32_at(p) : le64_at(p));
	case EVTX_NULL:
		memcpy(o, text ? "null" : "\"\"\0\0", 4);
		return o + (text ? 4 : 2);
	default: break;
	}
	return other_value(c, out, room, o, &(struct slot){p, (uint16_t)size, (uint8_t)type}, text);
}

/* Runs a variant's operations. `values` are the content's descriptors and what follows. NULL: the ordinary way.
 * Each operation ends with the jump to the next, so that the processor predicts each by itself. */
static inline TARGET char *AT(operations)(struct evtx_chunk *c, const struct variant *v, const uint8_t *area, const uint8_t *descriptors, uint32_t n, const uint32_t *offsets,
	struct buf *out, size_t room)
{
	static const void *const to[] = {[LANE_END] = &&end, [LANE_TIME] = &&time, [LANE_U64] = &&u64, [LANE_U32] = &&u32, [LANE_SID] = &&sid, [LANE_GUID] = &&guid,
		[LANE_STRING] = &&string, [LANE_VALUE] = &&value, [LANE_TEXT] = &&text, [LANE_PLAN] = &&plan};
	const char *literal = v->literals;
	const struct lane_op *op = v->ops;
	char *o = out->p + out->n;
	uint32_t d;
#define NEXT \
	do { \
		o = AT(literal)(o, literal, op->literal); \
		literal += op->literal; \
		goto *to[op++->kind]; \
	} while (0)
	NEXT;
string: /* expected to be one, but this record decides */
	d = le32_at(descriptors + 4 * op[-1].at) & 0xffffff;
	if (__builtin_expect(d >> 16 != EVTX_STRING, 0)) goto value;
	o = AT(string)(o, descriptors + offsets[op[-1].at], d / 2 & 0x7fff, out, room);
	NEXT;
value:
	d = le32_at(descriptors + 4 * op[-1].at);
	o = AT(value)(c, o, descriptors + offsets[op[-1].at], d & 0xffff, d >> 16 & 0xff, false, out, room);
	if (!o) return NULL;
	NEXT;
text:
	d = le32_at(descriptors + 4 * op[-1].at);
	o = AT(value)(c, o, descriptors + offsets[op[-1].at], d & 0xffff, d >> 16 & 0xff, true, out, room);
	if (!o) return NULL;
	NEXT;
plan:
	o = by_plan(c, out, room, o, v, op[-1].at, descriptors, n);
	if (!o) return NULL;
	NEXT;
time: o = AT(filetime)(c, o, le64_at(area + op[-1].at)); NEXT;
u64: o = AT(u64)(o, le64_at(area + op[-1].at)); NEXT;
u32: o = AT(u32)(o, le32_at(area + op[-1].at)); NEXT;
sid: o = AT(sid)(c, o, area + op[-1].at, op[-1].n); NEXT;
guid: o = AT(guid)(o, area + op[-1].at); NEXT;
end:
	return o;
#undef NEXT
}

/* The template instance at *at: its template; *at then is where the number of its values stands. NULL: not found. */
static inline TARGET struct fragment *AT(instance)(struct evtx_chunk *c, const uint8_t **at, const uint8_t *end)
{
	const uint8_t *p = *at;
	if (end - p >= 4 && le32_at(p) == 0x0001010f) p += 4;
	if (end - p < 14 || *p != 0x0c) return NULL;
	uint32_t id = le32_at(p + 2), def = le32_at(p + 6), size;
	p += 10;
	if (def == p - c->p) {
		if (end - p < 24 || (size = le32_at(p + 20)) > end - p - 24) return NULL;
		p += 24 + size;
	}
	if (end - p < 4) return NULL;
	*at = p;
	uint32_t i = c->where[chunk_bucket(def)];
	if (__builtin_expect(i && c->seen[i - 1].def == def && c->seen[i - 1].id == id, 1)) return c->seen[i - 1].fragment;
	return binxml_template(c, def, id);
}

static TARGET enum lane_answer AT(record)(struct evtx_chunk *c, uint32_t at, uint32_t size, const struct reader_options *options, struct buf *out)
{
	const uint8_t *end = c->p + at + size - 4, *area = c->p + at + EVTX_RECORD_HEAD, *values = NULL;
	uint32_t offsets[CONTENT_SLOTS_MAX], n = 0;
	c->n_contexts = 0;
	struct fragment *root = AT(instance)(c, &area, end), *content = NULL;
	if (!root) return LANE_IRREGULAR;
	uint32_t n_root = le32_at(area);
	if (!root->lane) return LANE_UNKNOWN;
	if (n_root > ROOT_SLOTS_MAX || end - area < 4 + 4 * n_root + 8) return LANE_IRREGULAR;
	const struct variant *v = root->lane->bucket[bucket_of(area, n_root)];
	for (; v; v = v->next) {
		if (v->area > end - area || !AT(recognised)(area, v)) continue;
		if (!v->content) break;
		if (!values) {
			uint32_t content_size = le16_at(area + v->content_size_at);
			const uint8_t *content_end = area + v->area + content_size;
			if (content_size > end - area - v->area) return LANE_IRREGULAR;
			values = area + v->area;
			content = AT(instance)(c, &values, content_end);
			if (!content) return LANE_IRREGULAR;
			end = content_end;
		}
		if (v->content == content) break;
	}
	if (!v) return LANE_UNKNOWN;
	if (options->has_ids || options->since.present || options->until.present) {
		bool known;
		if (left_out(v, area, options, &known)) return LANE_LEFT_OUT;
		if (!known) return LANE_IRREGULAR;
	}
	uint32_t sum = 0;
	if (v->content) {
		n = le32_at(values);
		values += 4;
		if (n > CONTENT_SLOTS_MAX || n < v->slots || 4 * n > end - values) return LANE_IRREGULAR;
		sum = 4 * n;
		for (uint32_t i = 0; i < n; i++) {
			offsets[i] = sum;
			sum += le16_at(values + 4 * i);
		}
		if (sum > end - values) return LANE_IRREGULAR;
	}
	uint64_t room = v->room + (uint64_t)v->per_byte * sum;
	if (room > EVTX_EXPANDED_MAX / 2) return LANE_IRREGULAR;
	size_t before = out->n;
	buf_reserve(out, room);
	char *o = AT(operations)(c, v, area, values, n, offsets, out, room);
	if (!o) {
		out->n = before;
		return LANE_IRREGULAR;
	}
	*o++ = '\n';
	out->n = (size_t)(o - out->p);
	return LANE_WRITTEN;
}
