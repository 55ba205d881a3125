/* logsource: what kind of log an event comes from, in Sigma's terms, and how rules' field names map to its fields.
 *
 * A log source is product / category / service. An event has a *set* of them (Sysmon 1 and Security 4688 both are process
 * creation), as bindings; a rule applies through a binding when every attribute the rule states equals the binding's.
 * All of it is data: the files in src/event/data, compiled in, in the small line language below; doc/log-sources.md is generated from it.
 *
 *	channel   CHANNEL SERVICE                        windows channel -> service (a channel may have several)
 *	event     SERVICE IDS CATEGORY [FIELD=VALUE]     windows events -> category; IDS: 1 or 19,20,21; FIELD=VALUE must hold too
 *	rename    SERVICE CATEGORY RULEFIELD EVENTFIELD  rules of that category name EVENTFIELD so when they run on that service
 *	value     SERVICE CATEGORY RULEFIELD RULEVALUE EVENTVALUE   and mean this value (text, compared without case); CATEGORY '-': none
 *	source    CHANNEL PRODUCT CATEGORY SERVICE [FIELD=VALUE]  events of a windows channel that Sigma counts to another product; '-' = none
 *	format    FORMAT PRODUCT CATEGORY SERVICE [FIELD=VALUE]     events of a reader's format; '-' = none; FIELD=VALUE must hold
 *	alias     FORMAT RULEFIELD EVENTFIELD            rules name EVENTFIELD so on that format, in every binding
 *	family    FORMAT KEYS                            JSON objects with these keys are events of that format. KEYS: paths joined by
 *	                                                 commas; !PATH: must not be there; PATH=A|B: has one of these values, without
 *	                                                 case. The first line that fits counts
 *	time      FORMAT FIELDS [utc]                    where a family's time stands: the first of these paths that there is; utc: a
 *	                                                 time without zone is UTC
 *	host      FORMAT FIELDS                          which field of a family names the host: the first of these that there is
 *	short     CHANNEL IDS NAME=FIELD,...             what a tool that shortens names calls the fields of windows events; IDS '-': of any that no other
 *	                                                 line of the channel names; FIELD#: of "3 - NETWORK" the number
 * Fields are separated by tabs; '#' at the start of a line is a comment. */
#pragma once
#include "base/arena.h"
#include "base/fault.h"
#include "base/sha256.h"

struct logsource {
	struct str product, category, service; /* empty = not stated */
};

struct field_rename {
	struct str rule_field, event_field;
};
struct value_rename {
	struct str rule_field, rule_value, event_value;
};

struct logsource_binding {
	struct logsource ls;
	struct str when_field, when_value; /* empty, or: only events whose field has this value (without case) */
	const struct field_rename *renames;
	const struct value_rename *values;
	uint32_t n_renames, n_values;
};

/* The compiled-in mappings, parsed. Immutable after taxonomy_new; any thread. */
struct taxonomy;
struct taxonomy *taxonomy_new(struct fault *f);
void taxonomy_free(struct taxonomy *t);
/* SHA-256 over all mapping data, for the manifest. */
void taxonomy_sha256(uint8_t ret[SHA256_SIZE]);

/* Bindings of a Windows event; always at least {windows,,}. The array lives as long as the taxonomy or, when it had to be
 * joined, in `a`. *ret_n == 0 only when `a` is full. */
const struct logsource_binding *taxonomy_windows(const struct taxonomy *t, struct str channel, uint32_t event_id, struct arena *a, uint32_t *ret_n);
/* Bindings of a reader's format ("iis-w3c", "syslog", ...); n == 0 when the format has none. `when_field` conditions are
 * left to the matcher. Lives as long as the taxonomy. */
const struct logsource_binding *taxonomy_format(const struct taxonomy *t, struct str format, uint32_t *ret_n);
/* A kind of JSON object: how it is told from others, and where its time and host stand. */
struct family {
	struct str format;
	const struct str *keys;      /* as written: PATH, !PATH, PATH=A|B */
	const struct str *time, *host;
	uint32_t n_keys, n_time, n_host;
	bool time_is_utc;
};
/* All families in the order in which they are tried. They live as long as the taxonomy. */
const struct family *taxonomy_families(const struct taxonomy *t, uint32_t *ret_n);
/* The field that `name` is short for, in events of that channel and id (as text); empty: it is none. *ret_number: its value is the number in front of " - ". */
struct str taxonomy_short(const struct taxonomy *t, struct str channel, struct str event_id, struct str name, bool *ret_number);
/* The channels of a Windows service and so on, for `rules check` and documents: walks all lines in file order. */
struct taxonomy_line { struct str word, column[6]; uint32_t n; };
bool taxonomy_line_at(const struct taxonomy *t, uint32_t index, struct taxonomy_line *ret);

/* A rule with log source `rule` applies to events bound as `event`. */
bool logsource_covers(const struct logsource *rule, const struct logsource *event);
