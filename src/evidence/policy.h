/* policy: who must have signed (C2SP tlog-policy): named parties, groups of them with thresholds, one quorum.
 *
 *	log VKEY [URL]                 whose checkpoints are accepted; the origin must be the key's name, or begin with it and '/'
 *	witness NAME VKEY [URL]        a party
 *	group NAME all|any|K MEMBER... holds when K of its members (parties or groups defined above) hold
 *	quorum NAME|none
 *
 * The same file serves seals and joint statements: for a checkpoint a party holds by its cosignature (type 04) or, where its
 * vkey is of type 01, by its note signature; for a DSSE statement by a signature of the same key. An immutable value after
 * parsing; strings are views into the text given. Any thread. */
#pragma once
#include "evidence/signed_note.h"

enum { POLICY_MAX_LOGS = 64, POLICY_MAX_NAMES = 256 };

struct policy_name {
	struct str name;
	bool is_group, in_group;   /* in_group: a member already; each name may be listed once */
	struct key_public key;     /* a party */
	uint32_t threshold;        /* a group */
	uint16_t members[POLICY_MAX_NAMES];
	uint16_t n_members;
};
struct policy {
	struct key_public logs[POLICY_MAX_LOGS];
	uint32_t n_logs;
	struct policy_name *names;  /* malloc'd, in file order: a group stands behind its members */
	uint32_t n_names;
	int32_t quorum;            /* index in names; -1 = none */
};
/* FAULT_SYNTAX with line; FAULT_LIMIT. On failure nothing is held. */
bool policy_parse(struct str text, struct policy *ret, struct fault *f);
void policy_done(struct policy *p);
/* `holds[i]` for each name that is a party is given; those of groups are filled in. True when the quorum holds. */
bool policy_quorum(const struct policy *p, bool *holds);

struct policy_result {
	bool log_ok;               /* a listed log signed (true when none is listed) */
	bool quorum_ok;
	bool bad;                  /* a listed key's signature does not hold: the note is spoilt */
	bool holds[POLICY_MAX_NAMES];
};
/* Checks a checkpoint's note. True when log_ok, quorum_ok and not bad. */
bool policy_check_note(const struct policy *p, const struct signed_note *n, struct policy_result *ret);
