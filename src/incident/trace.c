/* trace.c: a clue's payload, packed and unpacked. See incident_internal.h. */
#include "incident/incident_internal.h"
#include "base/cursor.h"

static const size_t strings[] = {
	offsetof(struct trace, server), offsetof(struct trace, campaign), offsetof(struct trace, ip), offsetof(struct trace, agent),
	offsetof(struct trace, request), offsetof(struct trace, canary), offsetof(struct trace, page), offsetof(struct trace, user),
	offsetof(struct trace, reason), offsetof(struct trace, shown)
};
enum { STRING_MAX = 600 };

void trace_pack(const struct trace *n, struct buf *b)
{
	uint8_t bytes[] = {n->kind, n->stage, n->log, n->level, (uint8_t)n->time.present, n->time.digits};
	buf_put(b, bytes, sizeof bytes);
	buf_put(b, &n->flags, sizeof n->flags);
	buf_put(b, &n->status, sizeof n->status);
	buf_put(b, &n->bytes, sizeof n->bytes);
	buf_put(b, &n->time.sec, sizeof n->time.sec);
	buf_put(b, &n->time.nsec, sizeof n->time.nsec);
	for (size_t i = 0; i < COUNT(strings); i++) {
		struct str s = *(const struct str *)(const void *)((const char *)n + strings[i]);
		uint16_t length = (uint16_t)(s.n > STRING_MAX ? STRING_MAX : s.n);
		buf_put(b, &length, sizeof length);
		buf_put(b, s.p, length);
	}
}

bool trace_unpack(struct str payload, struct trace *ret)
{
	struct cursor c = cursor_of(payload.p, payload.n);
	uint8_t present = 0;
	uint64_t sec = 0;
	*ret = (struct trace){0};
	bool good = cursor_u8(&c, &ret->kind) && cursor_u8(&c, &ret->stage) && cursor_u8(&c, &ret->log) && cursor_u8(&c, &ret->level) &&
		cursor_u8(&c, &present) && cursor_u8(&c, &ret->time.digits) && cursor_u16(&c, &ret->flags) && cursor_u16(&c, &ret->status) &&
		cursor_u32(&c, &ret->bytes) && cursor_u64(&c, &sec) && cursor_u32(&c, &ret->time.nsec);
	ret->time.sec = (int64_t)sec;
	ret->time.present = present;
	for (size_t i = 0; good && i < COUNT(strings); i++) {
		uint16_t n = 0;
		good = cursor_u16(&c, &n) && cursor_bytes(&c, n, (struct str *)(void *)((char *)ret + strings[i]));
	}
	return good && ret->stage < STAGES && ret->log < LOGS && ret->level < LEVELS && ret->kind <= TRACE_MAIL;
}
