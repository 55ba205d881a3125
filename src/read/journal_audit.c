/* journal_audit.c: see journal_audit_internal.h. Form of the messages: systemd, src/journal/journald-audit.c. */
#include "read/journal_audit_internal.h"
#include "text/utf.h"

/* EXECVE argc=2 a0=..; types that journald has no name for: AUDIT1334, UNKNOWN[1334] */
static bool of_socket(struct str message, struct arena *a, struct journal_audit *x)
{
	struct str body = message, type = str_cut(&body, ' ');
	for (size_t i = 0; i < type.n; i++)
		if (!((type.p[i] >= 'A' && type.p[i] <= 'Z') || (type.p[i] >= '0' && type.p[i] <= '9') || strchr("_-[]", type.p[i]))) return false;
	if (!type.n || type.n > 40) return false;
	if (str_starts(type, STR("AUDIT"))) type = str_sub(type, 5, type.n);
	else if (str_starts(type, STR("UNKNOWN["))) type = str_sub(type, 8, type.n - 9);
	audit_parse_body(type, body, a, &x->record);
	return true;
}

bool journal_audit_parse(struct str transport, struct str message, struct arena *a, struct journal_audit *x)
{
	bool ours = str_eq(transport, STR("audit"));
	if (!ours && !(str_eq(transport, STR("kernel")) && str_find(str_sub(message, 0, 64), STR("audit("), 0) != SIZE_MAX)) return false;
	if (!(ours ? of_socket(message, a, x) : audit_parse(message, a, &x->record) && x->record.type.n)) return false;
	x->call = (struct str){NULL, 0};
	if (str_eq(x->record.type, STR("SYSCALL")) && !audit_get(&x->record, "SYSCALL").p)
		x->call = audit_syscall(audit_get(&x->record, "arch"), audit_get(&x->record, "syscall"));
	return true;
}

void journal_audit_key(const struct journal_audit *x, struct buf *key)
{
	buf_byte(key, x->call.p ? '\2' : '\1');
	for (uint32_t i = 0; i < x->record.n; i++) {
		buf_byte(key, x->record.fields[i].decoded ? '\2' : '\1');
		buf_str(key, x->record.fields[i].name);
	}
}

enum { TYPE, CALL, FIRST };

uint32_t journal_audit_count(const struct journal_audit *x) { return FIRST + x->record.n; }

void journal_audit_columns(struct reader *r, const struct journal_audit *x, struct column *to)
{
	to[TYPE] = (struct column){.name = STR("type")};
	to[CALL] = (struct column){.name = STR("SYSCALL"), .hidden = true};
	for (uint32_t i = 0; i < x->record.n; i++) to[FIRST + i] = (struct column){.name = text_clean(r, x->record.fields[i].name)};
}

void journal_audit_value(struct reader *r, const struct journal_audit *x, uint32_t column, struct value *ret)
{
	const struct audit_field *f = column >= FIRST && column - FIRST < x->record.n ? &x->record.fields[column - FIRST] : NULL;
	struct str s = f ? f->value : column == TYPE ? x->record.type : x->call;
	*ret = (struct value){.kind = f ? VALUE_NULL : VALUE_ABSENT};
	if (!s.p) return;
	if (f && f->decoded) s = utf8_clean(&r->arena, s);
	*ret = value_str(s.p ? text_clean(r, s) : (struct str){"", 0});
}
