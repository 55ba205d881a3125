/* read_internal: the readers of the room, for the table in read.c. */
#pragma once
#include "event/reader.h"

extern const struct reader_ops read_json_ops, read_exchange_ops, read_w3c_ops, read_ncsa_ops, read_web_error_ops, read_winxml_ops, read_wintext_ops,
	read_csv_ops, read_syslog_ops, read_service_log_ops, read_journal_ops, read_journal_export_ops, read_utmp_ops, read_lastlog_ops, read_auditd_ops;
