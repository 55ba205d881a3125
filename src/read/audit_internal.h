/* audit_internal: one record of Linux's audit system taken apart. Pure but for the arena that decoded texts live in; one thread. */
#pragma once
#include "base/alloc.h"
#include "base/arena.h"
#include "base/etime.h"
#include "base/str.h"

enum { AUDIT_FIELDS_MAX = 512 };
struct audit_field {
	struct str name;
	struct str value;  /* decoded where the record has it in hex; p == NULL: (null) */
	bool decoded;      /* value does not stand in the line as it is */
};
struct audit_record {
	struct str node, type; /* node: p == NULL where there is none */
	struct etime time;
	uint64_t serial;
	uint32_t n;
	bool limited;          /* there were more fields than AUDIT_FIELDS_MAX, or no memory for one */
	struct audit_field fields[AUDIT_FIELDS_MAX];
};
/* [node=N ]type=T msg=audit(SECONDS.MS:SERIAL): fields, or as the kernel writes it to syslog: [audit: ]type=1400 audit(...): fields.
 * False: it is none. Texts are views of `line` or live in `a`. */
bool audit_parse(struct str line, struct arena *a, struct audit_record *ret);
/* The same of a record whose head somebody took off: no node, time 0, serial 0. `type` is its name or number. */
void audit_parse_body(struct str type, struct str body, struct arena *a, struct audit_record *ret);
/* The first field of that name; p == NULL: there is none. */
struct str audit_get(const struct audit_record *r, const char *name);
/* The name of a system call, as auditd's enriched form has it; p == NULL: not one of those rules ask for. `arch` and `number` as in the record. */
struct str audit_syscall(struct str arch, struct str number);
