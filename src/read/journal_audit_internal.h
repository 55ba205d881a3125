/* journal_audit_internal: entries of a journal that are records of the audit system, in whatever form the journal is: what journald read from the kernel's
 * audit socket (_TRANSPORT=audit, MESSAGE=TYPE fields) and what the kernel said itself (_TRANSPORT=kernel, MESSAGE=audit: type=N audit(..): fields). Their events
 * have the columns of the entry and, behind them, those that the same record has in auditd's own log: type, SYSCALL by name, and the record's fields.
 * One thread; texts are views of the message or live in the arena given. */
#pragma once
#include "read/audit_internal.h"
#include "read/text_internal.h"

struct journal_audit {
	struct audit_record record;
	struct str call;             /* SYSCALL by name where the record has a number; p == NULL: none */
};
/* False: the entry is none. */
bool journal_audit_parse(struct str transport, struct str message, struct arena *a, struct journal_audit *ret);
/* What tells shapes apart that differ by these columns. */
void journal_audit_key(const struct journal_audit *x, struct buf *key);
uint32_t journal_audit_count(const struct journal_audit *x);
/* Fills `to` with journal_audit_count columns; their names live in r->arena or are the message's. */
void journal_audit_columns(struct reader *r, const struct journal_audit *x, struct column *to);
void journal_audit_value(struct reader *r, const struct journal_audit *x, uint32_t column, struct value *ret);
