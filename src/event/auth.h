/* auth: what any log says about one attempt to log in, in the same words for every format (log source category: authentication).
 *
 * Rules see these as the fields auth.outcome, auth.src_ip, auth.user, auth.service, auth.attempts of the event; native detectors take the struct.
 * A view: the texts live as long as the event they were taken from. */
#pragma once
#include "base/etime.h"
#include "base/str.h"

enum auth_outcome {
	AUTH_FAILURE, /* a password, key or ticket was refused, or the user is unknown */
	AUTH_SUCCESS, /* somebody is in */
	AUTH_PROBE    /* a peer spoke to the service and no outcome is stated: scans, broken handshakes, connections closed before a try */
};

struct auth_event {
	struct etime time;
	enum auth_outcome outcome;
	struct str src_ip;  /* canonical text of an IPv4 or IPv6 address, ::ffff: unwrapped, zone dropped; empty: the log does not say, or cannot be trusted to */
	struct str user;    /* as the log has it, bytes the client chose; empty: none stated */
	struct str service; /* "sshd", "rdp", "dovecot", "owa", "entra", ...: the name of the pattern file or mapping */
	struct str host;    /* the machine or tenant that was to be entered; empty: the log does not say */
	uint32_t attempts;  /* at least 1: "message repeated 5 times" and "PAM 5 more" count as what happened */
};
