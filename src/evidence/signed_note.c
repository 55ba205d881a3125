/* signed_note.c: see signed_note.h. */
#include "evidence/signed_note.h"
#include "evidence/b64_internal.h"
#include "base/cursor.h"
#include "text/utf.h"

static const char dash[] = "\xe2\x80\x94 ";

static uint32_t line_of(struct str bytes, size_t at)
{
	uint32_t line = 1;
	for (size_t i = 0; i < at && i < bytes.n; i++) line += bytes.p[i] == '\n';
	return line;
}

/* The signature lines behind the last empty line. */
static bool parse_lines(struct str all, size_t start, struct signed_note *n, struct fault *f)
{
	size_t at = start;
	while (at < all.n) {
		size_t lf = str_find_byte(all, '\n', at);
		struct str line = str_sub(all, at, lf - at), rest = str_sub(line, sizeof dash - 1, SIZE_MAX);
		struct signed_note_line l = {.name = str_cut(&rest, ' ')};
		l.base64 = rest;
		uint8_t head[4], eight[12];
		size_t got;
		/* Four base64 characters hold three bytes; eight hold the key id. */
		bool ok = str_starts(line, STR(dash)) && rest.p && key_name_ok(l.name) && rest.n >= 8 && str_find_byte(rest, ' ', 0) == SIZE_MAX &&
			b64_decode(str_sub(rest, 0, 8), eight, 6, &got) && got >= 5;
		if (!ok) {
			fault_at(f, FAULT_SYNTAX, line_of(all, at), 1, "not a signature line: a dash (U+2014), a name, base64 of five bytes or more");
			return false;
		}
		memcpy(head, eight, 4);
		l.id = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
		if (n->n_lines == NOTE_MAX_SIGNATURES) {
			fault_set(f, FAULT_LIMIT, "more than %d signatures", NOTE_MAX_SIGNATURES);
			return false;
		}
		if (n->n_lines == 0) n->signed_part = str_sub(all, 0, lf + 1);
		n->lines[n->n_lines++] = l;
		at = lf + 1;
	}
	return true;
}

bool signed_note_parse(struct str bytes, struct signed_note *ret, struct fault *f)
{
	struct signed_note n = {0};
	if (bytes.n > NOTE_MAX_SIZE) {
		fault_set(f, FAULT_LIMIT, "a signed note larger than %d bytes", NOTE_MAX_SIZE);
		return false;
	}
	size_t split = SIZE_MAX;
	for (size_t i = 1; i + 1 < bytes.n; i++)
		if (bytes.p[i] == '\n' && bytes.p[i - 1] == '\n') split = i;
	if (split == SIZE_MAX || bytes.p[bytes.n - 1] != '\n') {
		fault_set(f, FAULT_SYNTAX, "not a signed note: text, an empty line, signature lines");
		return false;
	}
	for (size_t i = 0; i < bytes.n; i++) {
		if ((unsigned char)bytes.p[i] >= 0x20 || bytes.p[i] == '\n') continue;
		fault_at(f, FAULT_SYNTAX, line_of(bytes, i), 0, "a control byte in a signed note");
		return false;
	}
	if (!utf8_valid(bytes)) {
		fault_set(f, FAULT_SYNTAX, "a signed note must be UTF-8");
		return false;
	}
	n.text = str_sub(bytes, 0, split);
	if (!parse_lines(bytes, split + 1, &n, f)) return false;
	*ret = n;
	return true;
}

/* "cosignature/v1\ntime T\n" || text */
static void cosigned_message(struct str text, uint64_t time, struct buf *out)
{
	buf_lit(out, "cosignature/v1\ntime ");
	buf_u64(out, time);
	buf_byte(out, '\n');
	buf_str(out, text);
}

static bool line_holds(struct str text, const struct signed_note_line *l, const struct key_public *key, uint64_t *ret_time)
{
	uint8_t blob[4 + 8 + KEY_SIGNATURE_SIZE];
	if (key->type == KEY_NOTE) {
		*ret_time = 0;
		return b64_exact(l->base64, blob, 4 + KEY_SIGNATURE_SIZE) && key_verify(key, text.p, text.n, blob + 4);
	}
	if (!b64_exact(l->base64, blob, sizeof blob)) return false;
	uint64_t time = __builtin_bswap64(le64_at(blob + 4));
	if (time > INT64_MAX) return false;
	struct buf b = {0};
	cosigned_message(text, time, &b);
	bool ok = key_verify(key, b.p, b.n, blob + 12);
	buf_done(&b);
	*ret_time = time;
	return ok;
}

enum signed_note_verdict signed_note_check(const struct signed_note *n, const struct key_public *key, uint64_t *ret_time)
{
	enum signed_note_verdict verdict = NOTE_UNKNOWN;
	uint64_t time = 0, ignored;
	for (uint32_t i = 0; i < n->n_lines; i++) {
		const struct signed_note_line *l = &n->lines[i];
		if (l->id != key->id || !str_eq(l->name, str_of(key->name))) continue;
		if (!line_holds(n->text, l, key, verdict == NOTE_UNKNOWN ? &time : &ignored)) return NOTE_BAD;
		verdict = NOTE_GOOD;
	}
	if (ret_time && verdict == NOTE_GOOD) *ret_time = time;
	return verdict;
}

void signed_note_sign(struct str text, const struct key_private *key, uint64_t time, struct buf *out)
{
	uint8_t blob[4 + 8 + KEY_SIGNATURE_SIZE];
	size_t n = 0;
	uint32_t id = __builtin_bswap32(key->public.id);
	memcpy(blob, &id, 4);
	n = 4;
	if (key->public.type == KEY_COSIGNER) {
		struct buf b = {0};
		uint64_t be = __builtin_bswap64(time);
		memcpy(blob + n, &be, 8);
		n += 8;
		cosigned_message(text, time, &b);
		key_sign(key, b.p, b.n, blob + n);
		buf_done(&b);
	} else {
		key_sign(key, text.p, text.n, blob + n);
	}
	n += KEY_SIGNATURE_SIZE;
	buf_lit(out, "\xe2\x80\x94 ");
	buf_str(out, str_of(key->public.name));
	buf_byte(out, ' ');
	buf_b64(out, blob, n);
	buf_byte(out, '\n');
}

static bool take_line(struct str *rest, struct str *ret)
{
	size_t lf = str_find_byte(*rest, '\n', 0);
	if (lf == SIZE_MAX || lf == 0) return false;
	*ret = str_sub(*rest, 0, lf);
	*rest = str_sub(*rest, lf + 1, SIZE_MAX);
	return true;
}

bool checkpoint_parse(struct str text, struct checkpoint *ret, struct fault *f)
{
	struct checkpoint c = {0};
	struct str rest = text, line;
	uint32_t at = 1;
	if (!take_line(&rest, &c.origin)) goto bad;
	at = 2;
	if (!take_line(&rest, &line) || !str_u64(line, &c.size) || (line.n > 1 && line.p[0] == '0')) goto bad;
	at = 3;
	if (!take_line(&rest, &line) || !b64_exact(line, c.root.b, sizeof c.root.b)) goto bad;
	c.extensions = rest;
	for (at = 4; rest.n; at++)
		if (!take_line(&rest, &line)) goto bad;
	*ret = c;
	return true;
bad:
	fault_at(f, FAULT_SYNTAX, at, 1, "not a checkpoint: origin, size, base64 of the root, each on a line");
	return false;
}

void checkpoint_print(const struct checkpoint *c, struct buf *out)
{
	buf_str(out, c->origin);
	buf_byte(out, '\n');
	buf_u64(out, c->size);
	buf_byte(out, '\n');
	buf_b64(out, c->root.b, sizeof c->root.b);
	buf_byte(out, '\n');
	buf_str(out, c->extensions);
}
